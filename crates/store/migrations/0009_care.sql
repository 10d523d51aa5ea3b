-- Care beside the steps of a case: what is recorded on it, sweeps, deaths, and contacts with somebody who is no student.

-- One row a record of a case (会商、联系监护人、就医、离校、复学、假期联系), never changed (guards). `body` is the record as JSON:
-- codes, days, instants and accounts; what was said lies sealed beside it.
CREATE TABLE case_record (
    record_key  BIGINT NOT NULL PRIMARY KEY,
    thread_key  BIGINT NOT NULL REFERENCES case_thread (thread_key),
    student_key BIGINT NOT NULL,
    kind        TEXT   NOT NULL,
    at_us       BIGINT NOT NULL,
    actor       TEXT   NOT NULL,
    role        TEXT   NOT NULL,
    body        TEXT   NOT NULL,
    note_sealed BLOB
);

CREATE INDEX case_record_thread ON case_record (thread_key, record_key);
CREATE INDEX case_record_student ON case_record (student_key, kind, record_key);

-- One row a contact that is owed, with a student or, after a death, with a colleague who was on duty.
CREATE TABLE follow_up_new (
    follow_up_key BIGINT NOT NULL PRIMARY KEY,
    student_key   BIGINT,
    account       TEXT,
    cause         TEXT   NOT NULL,
    owner         TEXT   NOT NULL,
    due_us        BIGINT NOT NULL,
    done_us       BIGINT,
    result        TEXT,
    CHECK ((student_key IS NULL) <> (account IS NULL))
);

INSERT INTO follow_up_new (follow_up_key, student_key, cause, owner, due_us, done_us, result)
SELECT follow_up_key, student_key, cause, owner, due_us, done_us, result FROM follow_up;

DROP TABLE follow_up;
ALTER TABLE follow_up_new RENAME TO follow_up;

CREATE INDEX follow_up_owner ON follow_up (owner, due_us) WHERE done_us IS NULL;
CREATE INDEX follow_up_student ON follow_up (student_key, cause, due_us);

-- The contact that a message is about; one message a contact, whatever crashes.
ALTER TABLE message ADD COLUMN follow_up_key BIGINT;
CREATE UNIQUE INDEX message_follow_up ON message (follow_up_key) WHERE follow_up_key IS NOT NULL;

-- A sweep through all students of a counselor, at the beginning and in the middle of a term (排查).
CREATE TABLE risk_sweep (
    sweep_key BIGINT NOT NULL PRIMARY KEY,
    term      TEXT   NOT NULL,
    moment    TEXT   NOT NULL,
    opened_by TEXT   NOT NULL,
    opened_us BIGINT NOT NULL,
    due_us    BIGINT NOT NULL,
    UNIQUE (term, moment)
);

-- One answer a sweep and student; the case that it led to, if one.
CREATE TABLE risk_sweep_answer (
    sweep_key   BIGINT NOT NULL REFERENCES risk_sweep (sweep_key),
    student_key BIGINT NOT NULL,
    answer      TEXT   NOT NULL,
    account     TEXT   NOT NULL,
    thread_key  BIGINT REFERENCES case_thread (thread_key),
    at_us       BIGINT NOT NULL,
    PRIMARY KEY (sweep_key, student_key)
);

CREATE INDEX risk_sweep_answer_account ON risk_sweep_answer (sweep_key, account);

-- One row a student who has died: who may still look, and when the care for those around was planned.
CREATE TABLE student_death (
    student_key BIGINT NOT NULL PRIMARY KEY,
    died_day    BIGINT NOT NULL, -- in days since 1970
    entered_by  TEXT   NOT NULL,
    at_us       BIGINT NOT NULL,
    reader_1    TEXT   NOT NULL,
    reader_2    TEXT   NOT NULL,
    planned_us  BIGINT,
    CHECK (reader_1 <> reader_2)
);
