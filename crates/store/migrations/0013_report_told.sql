-- A message may be about a report whose number is nobody's: it waits for no case, and whoever is on duty is told of it.
ALTER TABLE message ADD COLUMN report_key BIGINT;
