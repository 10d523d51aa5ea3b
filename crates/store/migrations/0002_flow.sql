-- What has passed through the house: files, first loads, runs.

-- One row a number given to a file of a pipeline. Numbers rise without gaps; a refused one is never reused.
CREATE TABLE file_register (
    pipeline         TEXT   NOT NULL,
    file_no          BIGINT NOT NULL,
    path             TEXT   NOT NULL,
    size             BIGINT NOT NULL, -- bytes
    modified_us      BIGINT NOT NULL,
    content_hash     TEXT   NOT NULL,
    state            TEXT   NOT NULL CHECK (state IN ('numbered', 'landed', 'refused')),
    refused_why      TEXT,
    given_in         BIGINT NOT NULL, -- the opening of the store that last handed the number out
    is_counted       BIGINT NOT NULL DEFAULT 0,
    rows_in          BIGINT NOT NULL DEFAULT 0,
    rows_kept        BIGINT NOT NULL DEFAULT 0,
    rows_quarantined BIGINT NOT NULL DEFAULT 0,
    rows_skipped     BIGINT NOT NULL DEFAULT 0,
    rows_erased      BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (pipeline, file_no)
);

-- The same content is taken once, whatever it is called; only what was refused may come again.
CREATE UNIQUE INDEX file_register_content ON file_register (pipeline, content_hash) WHERE state <> 'refused';

-- One row a path of a pipeline: what was last seen under that name, so that an unchanged file is not read again.
CREATE TABLE file_seen (
    pipeline    TEXT   NOT NULL,
    path        TEXT   NOT NULL,
    size        BIGINT NOT NULL,
    modified_us BIGINT NOT NULL,
    file_no     BIGINT NOT NULL,
    PRIMARY KEY (pipeline, path),
    FOREIGN KEY (pipeline, file_no) REFERENCES file_register (pipeline, file_no)
);

-- One row a pipeline: its first load, whose rows get an assumed known_at.
CREATE TABLE first_load (
    pipeline    TEXT   NOT NULL PRIMARY KEY,
    began_at_us BIGINT NOT NULL,
    ended_at_us BIGINT
);

-- One row a walk through a stage.
CREATE TABLE run (
    run_id            BIGINT           NOT NULL PRIMARY KEY,
    stage             TEXT             NOT NULL,
    began_at_us       BIGINT           NOT NULL,
    ended_at_us       BIGINT,
    rows_in           BIGINT           NOT NULL DEFAULT 0,
    rows_out          BIGINT           NOT NULL DEFAULT 0,
    seconds           DOUBLE PRECISION NOT NULL DEFAULT 0,
    memory_peak_bytes BIGINT           NOT NULL DEFAULT 0,
    result            TEXT             NOT NULL DEFAULT 'running',
    detail            TEXT             NOT NULL DEFAULT ''
);

CREATE INDEX run_stage ON run (stage, run_id);

-- Facts about the store itself; names beginning with "store." are its own.
CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);
