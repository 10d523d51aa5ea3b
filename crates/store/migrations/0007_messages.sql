-- Messages to staff about care work: what is to be said lies here before anything is sent. No word of it leaves but a fixed
-- sentence and a link; who is asked is worked out anew at every step.

CREATE TABLE message (
    message_id    BIGINT NOT NULL PRIMARY KEY,
    kind          TEXT   NOT NULL,
    severity      BIGINT CHECK (severity BETWEEN 1 AND 4), -- none for a safety check, which is no level
    is_of_machine BIGINT NOT NULL,
    thread_key    BIGINT REFERENCES case_thread (thread_key),
    version       BIGINT,  -- the step of the case that it is about
    hand_over_key BIGINT REFERENCES hand_over (hand_over_key),
    created_us    BIGINT NOT NULL,
    settled_us    BIGINT,
    fate          TEXT     -- answered, sent, overtaken or given_up, once it is settled
);

CREATE INDEX message_open ON message (message_id) WHERE settled_us IS NULL;

-- One row a message, person and channel: when it reached each state. An earlier time takes the place of a later one, and
-- none is taken away, so a delivery goes forward only.
CREATE TABLE message_delivery (
    message_id      BIGINT NOT NULL REFERENCES message (message_id),
    to_key          BIGINT NOT NULL,
    channel         TEXT   NOT NULL,
    level           BIGINT NOT NULL,
    created_us      BIGINT NOT NULL,
    sent_us         BIGINT,
    failed_us       BIGINT,
    delivered_us    BIGINT,
    read_us         BIGINT,
    acknowledged_us BIGINT,
    PRIMARY KEY (message_id, to_key, channel)
);
