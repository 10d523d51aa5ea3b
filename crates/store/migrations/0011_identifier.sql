-- Further numbers by which a person is known from one day to another: cards, candidates' numbers, new numbers.

CREATE TABLE person_identifier (
    kind         TEXT   NOT NULL, -- student, staff
    identifier   TEXT   NOT NULL, -- card, candidate_number
    value_hmac   BLOB   NOT NULL,
    from_day     BIGINT NOT NULL, -- days since 1970
    until_day    BIGINT,          -- last day; NULL while it is valid
    person_key   BIGINT NOT NULL,
    value_sealed BLOB   NOT NULL,
    is_number    BIGINT NOT NULL, -- 1: a number of the same sort as the person's own
    PRIMARY KEY (kind, identifier, value_hmac, from_day, person_key),
    FOREIGN KEY (kind, person_key) REFERENCES person (kind, person_key) ON DELETE CASCADE
);

CREATE INDEX person_identifier_person ON person_identifier (kind, person_key);

-- What is left of the identifiers of erased persons: enough to drop their rows for ever.
CREATE TABLE erased_identifier (
    kind       TEXT NOT NULL,
    identifier TEXT NOT NULL,
    value_hmac BLOB NOT NULL,
    PRIMARY KEY (kind, identifier, value_hmac)
);
