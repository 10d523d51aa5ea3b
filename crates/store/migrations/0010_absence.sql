-- One row an answer about somebody whom a night's list misses, never changed (guards): another answer is another row, and
-- the newest counts. What was said beside it lies sealed under the psychology key.
CREATE TABLE absence_check (
    check_key   BIGINT NOT NULL PRIMARY KEY,
    student_key BIGINT NOT NULL,
    night_day   BIGINT NOT NULL, -- the night, in days since 1970
    result      TEXT   NOT NULL,
    actor       TEXT   NOT NULL,
    role        TEXT   NOT NULL,
    at_us       BIGINT NOT NULL,
    note_sealed BLOB
);

CREATE INDEX absence_check_night ON absence_check (night_day, student_key, check_key);
