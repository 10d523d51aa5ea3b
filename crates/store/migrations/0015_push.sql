-- Events that are pushed: who may push, what they were answered, and what became of their rows.

-- One row a token; a group of devices may have two while one takes the place of the other.
CREATE TABLE push_token (
    token_hash    TEXT   NOT NULL PRIMARY KEY, -- of 32 random bytes, so that nobody guesses one from it
    device_group  TEXT   NOT NULL,
    pipelines     TEXT   NOT NULL,             -- names with spaces between
    made_at_us    BIGINT NOT NULL,
    ends_at_us    BIGINT NOT NULL,
    revoked_at_us BIGINT
);

-- The answer under each idempotency key, written before the log forgets the frame that has it too.
CREATE TABLE push_answer (
    pipeline     TEXT   NOT NULL,
    device_group TEXT   NOT NULL,
    key_hash     TEXT   NOT NULL,
    body_hash    TEXT   NOT NULL,
    answer       TEXT   NOT NULL,
    at_us        BIGINT NOT NULL,
    PRIMARY KEY (pipeline, device_group, key_hash)
);

CREATE INDEX push_answer_at ON push_answer (at_us);

-- What became of all rows that were pushed to a pipeline, up to a position of the log.
CREATE TABLE push_count (
    pipeline         TEXT   NOT NULL PRIMARY KEY,
    log_position     BIGINT NOT NULL,
    rows_in          BIGINT NOT NULL,
    rows_kept        BIGINT NOT NULL,
    rows_quarantined BIGINT NOT NULL,
    rows_skipped     BIGINT NOT NULL,
    rows_erased      BIGINT NOT NULL
);
