-- Who may log in, as what, and from where they are logged in now.

CREATE TABLE account (
    account       TEXT   NOT NULL PRIMARY KEY,
    display_name  TEXT   NOT NULL,
    password_hash TEXT,   -- argon2id in PHC form; NULL when nobody can log in with a password
    person_key    BIGINT, -- the person in the vault, when the account is one
    is_disabled   BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE account_grant (
    account TEXT NOT NULL REFERENCES account (account) ON DELETE CASCADE,
    role    TEXT NOT NULL,
    scope   TEXT NOT NULL,
    PRIMARY KEY (account, role, scope)
);

-- The instants of the latest failed logins by name, as a JSON array; also for names that do not exist,
-- because a lock that only real accounts show would tell which accounts are real.
CREATE TABLE login_failure (
    account   TEXT   NOT NULL PRIMARY KEY,
    failed_us TEXT   NOT NULL,
    latest_us BIGINT NOT NULL
);

-- The token itself is never stored.
CREATE TABLE session (
    token_hash TEXT   NOT NULL PRIMARY KEY,
    account    TEXT   NOT NULL REFERENCES account (account) ON DELETE CASCADE,
    role       TEXT   NOT NULL,
    created_us BIGINT NOT NULL,
    used_us    BIGINT NOT NULL
);

CREATE INDEX session_account ON session (account);
