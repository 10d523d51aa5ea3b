-- When a message is to be looked at next: what waits for an answer until then is not read every quarter of a minute.
ALTER TABLE message ADD COLUMN next_us BIGINT NOT NULL DEFAULT 0;

DROP INDEX message_open;
CREATE INDEX message_due ON message (next_us, message_id) WHERE settled_us IS NULL;

-- Contacts that are owed, by when: looked through as often.
CREATE INDEX follow_up_due ON follow_up (due_us) WHERE done_us IS NULL;
