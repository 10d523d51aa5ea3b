-- When a file was refused, by the platform's clock: its own time says when somebody wrote it, perhaps years ago.
ALTER TABLE file_register ADD COLUMN refused_at_us BIGINT;
