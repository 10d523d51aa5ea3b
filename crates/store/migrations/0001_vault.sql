-- People. The only tables of the house that know who somebody is; every value is encrypted under the key file.
-- Types are those SQLite and PostgreSQL share: TEXT, BIGINT (microseconds, 0/1), BLOB (a domain in PostgreSQL).

-- One row a person and kind. `number_hmac` finds a number without reading it; `number_sealed` gives it back.
CREATE TABLE person (
    kind          TEXT   NOT NULL, -- student, staff
    person_key    BIGINT NOT NULL, -- random, 15 digits
    number_hmac   BLOB   NOT NULL,
    number_sealed BLOB   NOT NULL,
    PRIMARY KEY (kind, person_key),
    UNIQUE (kind, number_hmac)
);

-- One row an identifying value (name, telephone) of a person; `value_column` is the column of the pipeline.
CREATE TABLE person_value (
    kind         TEXT   NOT NULL,
    person_key   BIGINT NOT NULL,
    value_column TEXT   NOT NULL,
    value_sealed BLOB   NOT NULL,
    PRIMARY KEY (kind, person_key, value_column),
    FOREIGN KEY (kind, person_key) REFERENCES person (kind, person_key) ON DELETE CASCADE
);

-- What is left of an erased person: enough to drop their rows for ever, too little to name them.
CREATE TABLE erased_number (
    kind        TEXT NOT NULL,
    number_hmac BLOB NOT NULL,
    PRIMARY KEY (kind, number_hmac)
);
