-- The day on which something was seen, in days since 1970; NULL where the reporter named none.
ALTER TABLE observation_report ADD COLUMN seen_day BIGINT;

-- One row a report whose number is nobody's: it must not be lost for a slip of the pen, and the reporter must not learn
-- whether the number exists. It waits until somebody says who was meant; keys are counted on with observation_report.
CREATE TABLE observation_unplaced (
    report_key    BIGINT NOT NULL PRIMARY KEY,
    at_us         BIGINT NOT NULL,
    reporter      TEXT   NOT NULL,
    reporter_role TEXT   NOT NULL,
    number_sealed BLOB   NOT NULL,
    signs         TEXT   NOT NULL, -- codes as a JSON array
    is_urgent     BIGINT NOT NULL,
    seen_day      BIGINT,
    text_sealed   BLOB   NOT NULL
);

CREATE INDEX observation_unplaced_reporter ON observation_unplaced (reporter, report_key);
