-- Casework, the closed compartment: what stands here is read through casework's rules only. Words stand in the clear as
-- codes; whatever somebody wrote in sentences is sealed under the psychology key. What the lake learns is in `outbox`.

-- One row a case: what its events add up to, kept for lists. `version` counts the events.
CREATE TABLE case_thread (
    thread_key     BIGINT NOT NULL PRIMARY KEY,
    student_key    BIGINT NOT NULL,
    kind           TEXT   NOT NULL,
    version        BIGINT NOT NULL,
    state          TEXT   NOT NULL,
    severity       BIGINT NOT NULL CHECK (severity BETWEEN 0 AND 4),
    owner          TEXT,
    level          TEXT   NOT NULL,
    due_us         BIGINT NOT NULL, -- the largest number when nothing is due
    outcome        TEXT,
    reached        TEXT,
    referred_to    TEXT,
    is_of_machines BIGINT NOT NULL,
    is_running     BIGINT NOT NULL, -- a crisis or a safety check goes on
    has_died       BIGINT NOT NULL,
    opened_us      BIGINT NOT NULL,
    closed_us      BIGINT,
    CHECK (state <> 'closed' OR (outcome IS NOT NULL AND reached IS NOT NULL))
);

-- One open case a student and kind.
CREATE UNIQUE INDEX case_thread_open ON case_thread (student_key, kind) WHERE state <> 'closed';
CREATE INDEX case_thread_due ON case_thread (due_us, thread_key) WHERE state <> 'closed';
CREATE INDEX case_thread_student ON case_thread (student_key, thread_key);

-- One row a step, never changed (guards). `body` is the event as JSON, all of it codes.
CREATE TABLE case_event (
    thread_key  BIGINT NOT NULL REFERENCES case_thread (thread_key),
    seq         BIGINT NOT NULL, -- counts from 1 within the case
    at_us       BIGINT NOT NULL,
    actor       TEXT   NOT NULL,
    role        TEXT   NOT NULL,
    step        TEXT   NOT NULL,
    body        TEXT   NOT NULL,
    note_sealed BLOB,
    PRIMARY KEY (thread_key, seq)
);

-- Who may read a case by name.
CREATE TABLE case_team (
    thread_key BIGINT NOT NULL REFERENCES case_thread (thread_key),
    account    TEXT   NOT NULL,
    granted_by TEXT   NOT NULL,
    from_us    BIGINT NOT NULL,
    until_us   BIGINT NOT NULL, -- the largest number while nobody has taken it away
    PRIMARY KEY (thread_key, account, from_us)
);

CREATE INDEX case_team_account ON case_team (account, thread_key);

-- Steps of safety checks and crisis protocols, as their events tell them.
CREATE TABLE safety_check_step (
    thread_key BIGINT NOT NULL REFERENCES case_thread (thread_key),
    seq        BIGINT NOT NULL,
    rung       TEXT   NOT NULL,
    result     TEXT   NOT NULL,
    reached    TEXT,
    due_us     BIGINT NOT NULL,
    at_us      BIGINT NOT NULL,
    actor      TEXT   NOT NULL,
    PRIMARY KEY (thread_key, seq)
);

CREATE TABLE crisis_step (
    thread_key BIGINT NOT NULL REFERENCES case_thread (thread_key),
    seq        BIGINT NOT NULL,
    step       TEXT   NOT NULL,
    result     TEXT   NOT NULL,
    at_us      BIGINT NOT NULL,
    actor      TEXT   NOT NULL,
    PRIMARY KEY (thread_key, seq)
);

-- Whose a student is, from one instant to another: counselor, tutor, psychologist or secretary of the college.
CREATE TABLE case_assignment (
    student_key BIGINT NOT NULL,
    relation    TEXT   NOT NULL,
    account     TEXT   NOT NULL,
    from_us     BIGINT NOT NULL,
    until_us    BIGINT NOT NULL, -- the largest number while it runs
    PRIMARY KEY (student_key, relation, account, from_us)
);

CREATE INDEX case_assignment_account ON case_assignment (account, relation, student_key);
-- At any moment exactly one responsible counselor.
CREATE UNIQUE INDEX case_assignment_counselor ON case_assignment (student_key)
    WHERE relation = 'counselor' AND until_us = 9223372036854775807;

CREATE TABLE duty_roster (
    post     TEXT   NOT NULL,
    from_us  BIGINT NOT NULL,
    until_us BIGINT NOT NULL,
    account  TEXT   NOT NULL,
    backup   TEXT,
    PRIMARY KEY (post, from_us, account)
);

CREATE INDEX duty_roster_account ON duty_roster (account, until_us);
CREATE INDEX duty_roster_backup ON duty_roster (backup, until_us);

CREATE TABLE delegation (
    from_account TEXT   NOT NULL,
    to_account   TEXT   NOT NULL,
    from_us      BIGINT NOT NULL,
    until_us     BIGINT NOT NULL,
    PRIMARY KEY (to_account, from_account, from_us)
);

-- One row a hand-over of everything open of one counselor; `students` is a JSON array of keys.
CREATE TABLE hand_over (
    hand_over_key BIGINT NOT NULL PRIMARY KEY,
    from_account  TEXT   NOT NULL,
    to_account    TEXT   NOT NULL,
    students      TEXT   NOT NULL,
    offered_us    BIGINT NOT NULL,
    given_us      BIGINT,
    taken_us      BIGINT,
    taken_over_by TEXT
);

-- What people saw. The reporter writes it and reads only the answer.
CREATE TABLE observation_report (
    report_key    BIGINT NOT NULL PRIMARY KEY,
    at_us         BIGINT NOT NULL,
    reporter      TEXT   NOT NULL,
    reporter_role TEXT   NOT NULL,
    student_key   BIGINT NOT NULL,
    signs         TEXT   NOT NULL, -- codes as a JSON array
    is_urgent     BIGINT NOT NULL,
    text_sealed   BLOB   NOT NULL,
    thread_key    BIGINT NOT NULL REFERENCES case_thread (thread_key)
);

CREATE INDEX observation_report_reporter ON observation_report (reporter, report_key);
CREATE INDEX observation_report_thread ON observation_report (thread_key, report_key);

-- One answer a week and room or class; 0 reports is "nothing to report".
CREATE TABLE weekly_observation (
    week_day  BIGINT NOT NULL,
    scope     TEXT   NOT NULL,
    reporter  TEXT   NOT NULL,
    n_reports BIGINT NOT NULL,
    at_us     BIGINT NOT NULL,
    PRIMARY KEY (week_day, scope)
);

CREATE TABLE screening_campaign (
    name            TEXT   NOT NULL PRIMARY KEY,
    consent_version TEXT   NOT NULL,
    n_due           BIGINT NOT NULL,
    n_done          BIGINT NOT NULL,
    n_to_talk       BIGINT NOT NULL,
    n_talked        BIGINT NOT NULL
);

-- A score stands nowhere in the clear.
CREATE TABLE screening_score (
    name         TEXT   NOT NULL REFERENCES screening_campaign (name),
    student_key  BIGINT NOT NULL,
    score_sealed BLOB   NOT NULL,
    PRIMARY KEY (name, student_key)
);

-- One row a contact that somebody owes: after a return, over a break, after a death.
CREATE TABLE follow_up (
    follow_up_key BIGINT NOT NULL PRIMARY KEY,
    student_key   BIGINT NOT NULL,
    cause         TEXT   NOT NULL,
    owner         TEXT   NOT NULL,
    due_us        BIGINT NOT NULL,
    done_us       BIGINT,
    result        TEXT
);

CREATE INDEX follow_up_owner ON follow_up (owner, due_us) WHERE done_us IS NULL;

-- Facts that leave for the lake, numbered in the order they became visible: coded states, no note and no name.
CREATE TABLE outbox (
    seq   BIGINT NOT NULL PRIMARY KEY,
    at_us BIGINT NOT NULL,
    topic TEXT   NOT NULL,
    body  TEXT   NOT NULL
);

-- The number given last; a row of its own, so that numbers go on when what was taken is removed.
CREATE TABLE outbox_head (
    head TEXT   NOT NULL PRIMARY KEY CHECK (head = 'head'),
    seq  BIGINT NOT NULL
);
