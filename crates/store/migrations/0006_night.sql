-- What the night brings into casework: offers of the data, and whose a student is.
-- One row an offer of the data (关怀提示, 数据无记录) that was taken up, written in the transaction that took it up: whatever
-- crashes, an offer is taken up once.
CREATE TABLE case_offer (
    warning_id  TEXT   NOT NULL PRIMARY KEY,
    student_key BIGINT NOT NULL,
    thread_key  BIGINT REFERENCES case_thread (thread_key), -- none if it made nothing
    admission   TEXT   NOT NULL,
    at_us       BIGINT NOT NULL
);

CREATE INDEX case_offer_thread ON case_offer (thread_key, warning_id);

-- Whose a student is, as registers and accounts said last. Only what they say anew changes an assignment, so that a
-- hand-over stands until then.
CREATE TABLE case_assignment_said (
    relation    TEXT   NOT NULL,
    student_key BIGINT NOT NULL,
    account     TEXT   NOT NULL,
    PRIMARY KEY (relation, student_key, account)
);
