-- Whether a student takes part in social measures: one row a choice, never changed; the newest holds.
CREATE TABLE social_choice (
    choice_key  BIGINT NOT NULL PRIMARY KEY,
    student_key BIGINT NOT NULL,
    choice      TEXT   NOT NULL, -- left, joined
    actor       TEXT   NOT NULL,
    at_us       BIGINT NOT NULL
);

CREATE INDEX social_choice_student ON social_choice (student_key, choice_key);
