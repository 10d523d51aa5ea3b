-- Hours for talks that somebody of the staff can give (可用谈话工时), as they say it themselves: one row an answer, never
-- changed (guards). The newest beginning on or before a day holds on it, and of two with one beginning the later answer.
CREATE TABLE talk_hours (
    entry_key      BIGINT NOT NULL PRIMARY KEY,
    account        TEXT   NOT NULL, -- whose hours
    staff_key      BIGINT NOT NULL, -- the same person, as the lake knows them
    minutes_a_week BIGINT NOT NULL CHECK (minutes_a_week BETWEEN 0 AND 2400),
    from_day       BIGINT NOT NULL, -- days since 1970
    entered_by     TEXT   NOT NULL,
    at_us          BIGINT NOT NULL
);

CREATE INDEX talk_hours_account ON talk_hours (account, from_day, entry_key);

-- What the register of those on call said last of each of its shifts, by the number there. Only what it says anew changes a
-- shift here, so that what is mended by hand stays mended.
CREATE TABLE duty_roster_said (
    call_id  TEXT   NOT NULL PRIMARY KEY,
    post     TEXT   NOT NULL,
    from_us  BIGINT NOT NULL,
    until_us BIGINT NOT NULL,
    account  TEXT   NOT NULL,
    backup   TEXT
);

-- A report in which a student asks for help for themselves (我要求助): it is answered as such and is no observation of others.
ALTER TABLE observation_report ADD COLUMN is_own BIGINT NOT NULL DEFAULT 0;
CREATE INDEX observation_report_own ON observation_report (student_key, report_key) WHERE is_own = 1;

-- One row a sheet of a visit that somebody filled in here (走访观察表): who was met by whom in which week's plan. What the
-- sheet says leaves with the fact and stays nowhere in the store.
CREATE TABLE visit_answer (
    answer_key  BIGINT NOT NULL PRIMARY KEY,
    student_key BIGINT NOT NULL,
    plan_day    BIGINT NOT NULL, -- the plan's Monday, in days since 1970
    actor       TEXT   NOT NULL,
    at_us       BIGINT NOT NULL
);

CREATE INDEX visit_answer_plan ON visit_answer (plan_day, student_key, answer_key);
