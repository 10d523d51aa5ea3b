-- Rows of live lists that whoever is on duty was told of: each once, whatever is built or started anew. Of places and devices
-- only, never of a person.
CREATE TABLE list_told (
    list    TEXT   NOT NULL,
    item    TEXT   NOT NULL,
    told_us BIGINT NOT NULL,
    PRIMARY KEY (list, item)
);
