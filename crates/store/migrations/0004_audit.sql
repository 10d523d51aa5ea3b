-- Who read or changed what. Rows are chained by hash and never changed (guards: guards/sqlite.sql).

CREATE TABLE audit_event (
    seq       BIGINT NOT NULL PRIMARY KEY,
    at_us     BIGINT NOT NULL,
    actor     TEXT   NOT NULL,
    role      TEXT   NOT NULL,
    session   TEXT,
    action    TEXT   NOT NULL,
    resource  TEXT   NOT NULL,
    purpose   TEXT,
    row_count BIGINT,
    outcome   TEXT   NOT NULL,
    hash      BLOB   NOT NULL -- sha256 of the hash before it and of this row as canonical JSON
);

-- The one row that moves: all hashes in turn, authenticated under the key file, so that a cut tail is noticed.
CREATE TABLE audit_head (
    head      TEXT NOT NULL PRIMARY KEY CHECK (head = 'head'),
    hash_hmac BLOB NOT NULL
);
