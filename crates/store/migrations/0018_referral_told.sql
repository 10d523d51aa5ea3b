-- Whether whoever wrote a note with a referral knew that the university hospital reads it: the form has said so since. What was
-- written before stays between those of the case.
ALTER TABLE case_event ADD COLUMN is_told BIGINT NOT NULL DEFAULT 0;
