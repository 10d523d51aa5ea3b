-- Students who are minors as the registers say, renewed by the night: their guardian is the one to reach.
CREATE TABLE student_minor (
    student_key BIGINT NOT NULL PRIMARY KEY
);
