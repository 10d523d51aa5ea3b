//! The database: one connection that writes, a few that read, and the lock that tells who is alone.
//!
//! SQLite or PostgreSQL, chosen by how the store is named. Everything that only one of them understands stands here and
//! in `guards/`; the statements elsewhere are those both take, through sqlx's `Any`.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{Any, AnyConnection, AnyPool, AssertSqlSafe, Connection, Transaction};

use crate::error::Error;

/// Readers beside the one writer.
const READERS: u32 = 4;

/// How long an opener waits for another that is just migrating, and how often it looks.
const OPENING_TRIES: u32 = 200;
const OPENING_PAUSE: Duration = Duration::from_millis(50);

/// Rows of one multi-row statement. SQLite looks for a named parameter by walking along all of them, so a statement
/// of thousands takes longer than many of hundreds.
pub(crate) const ROWS_A_STATEMENT: usize = 100;

const GUARDS_SQLITE: &str = include_str!("../guards/sqlite.sql");
const GUARDS_POSTGRES: &str = include_str!("../guards/postgres.sql");

/// What every connection to SQLite is told: wait for another process' transaction, keep foreign keys, sync every commit,
/// leave no bytes of an erased row behind, and keep the log beside the file bounded.
const PRAGMAS: &str = "PRAGMA busy_timeout = 10000; PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL; \
                       PRAGMA secure_delete = ON; PRAGMA journal_size_limit = 67108864;";

/// PostgreSQL has no BLOB; a domain is one, and comes back as the bytes it stands for.
const BLOB: &str = "DO $$ BEGIN IF to_regtype('blob') IS NULL THEN CREATE DOMAIN blob AS bytea; END IF; END $$";

/// One writer at a time, whatever process it is in, as SQLite has it: numbers counted on inside a transaction would
/// otherwise be given twice, or become visible out of order.
const WRITER_LOCK: &str = "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || '/yizhan writer', 0))";

/// The sign of being alive on PostgreSQL: one number a schema, so that two stores may share a database.
const ALIVE: &str = "hashtextextended(current_schema() || '/yizhan alive', 0)";

/// Which database a store lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Sqlite,
    Postgres,
}

/// A handle on the database; clones share the connections.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    writer: AnyPool,
    readers: AnyPool,
    dialect: Dialect,
    alive: Arc<Alive>,
}

/// Held shared as long as any handle lives, so that an opener can tell whether it is alone.
#[derive(Debug)]
enum Alive {
    File(#[expect(dead_code, reason = "its lock is what counts")] File),
    Session(Mutex<Option<AnyConnection>>),
}

/// Whether another process has the store open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Company {
    /// Nobody else: what is unfinished in the tables was left by a process that died.
    Alone,
    /// Somebody: what is unfinished may still be going on.
    Others,
}

/// The right to open: taken first, kept as the sign of being alive.
#[derive(Debug)]
pub(crate) struct Door {
    sign: Sign,
    pub(crate) company: Company,
    /// Whether there is a store already, which a missing key file has lost.
    pub(crate) is_there: bool,
}

#[derive(Debug)]
enum Sign {
    File(File, PathBuf),
    Session(AnyConnection),
}

/// Returns the address when a store is named by one, `postgres://…`, and not by a file.
pub(crate) fn url(path: &Path) -> Option<&str> {
    path.to_str().filter(|it| it.starts_with("postgres://") || it.starts_with("postgresql://"))
}

/// Returns the name of a store as messages and logs may say it: an address without user, password and options.
pub(crate) fn shown(path: &Path) -> PathBuf {
    let Some(url) = url(path) else { return path.to_owned() };
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    // A password may hold an "@" or a "?" that should have been escaped, so cut at the last one and at the first.
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    let rest = rest.split(['?', '#']).next().unwrap_or("");
    PathBuf::from(format!("postgres://{rest}"))
}

impl Door {
    /// Waits until nobody else is in the middle of opening.
    pub(crate) async fn enter(path: &Path) -> Result<Self, Error> {
        match url(path) {
            Some(url) => Self::enter_postgres(path, url).await,
            None => Self::enter_sqlite(path).await,
        }
    }

    async fn enter_sqlite(database: &Path) -> Result<Self, Error> {
        let mut name = database.as_os_str().to_owned();
        name.push(".lock");
        let path = PathBuf::from(name);
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(Error::file("open", &path))?;

        for _ in 0..OPENING_TRIES {
            // Exclusive means that no other handle lives, not even an idle one.
            let company = match file.try_lock() {
                Ok(()) => Some(Company::Alone),
                Err(TryLockError::WouldBlock) => match file.try_lock_shared() {
                    Ok(()) => Some(Company::Others),
                    Err(TryLockError::WouldBlock) => None,
                    Err(TryLockError::Error(source)) => return Err(Error::file("lock", &path)(source)),
                },
                Err(TryLockError::Error(source)) => return Err(Error::file("lock", &path)(source)),
            };
            if let Some(company) = company {
                return Ok(Self { sign: Sign::File(file, path), company, is_there: database.exists() });
            }
            tokio::time::sleep(OPENING_PAUSE).await;
        }
        Err(Error::Busy { path: database.to_owned() })
    }

    /// The same dance with advisory locks, which end with their connection, as those of a file end with its handle.
    async fn enter_postgres(path: &Path, url: &str) -> Result<Self, Error> {
        sqlx::any::install_default_drivers();
        let opened = Error::database("open", "meta");
        let mut session = AnyConnection::connect(url).await.map_err(opened)?;
        for _ in 0..OPENING_TRIES {
            let mut company = None;
            for (call, found) in [("", Company::Alone), ("_shared", Company::Others)] {
                let sql = format!("SELECT pg_try_advisory_lock{call}({ALIVE})");
                let is_held: bool = sqlx::query_scalar(AssertSqlSafe(sql))
                    .fetch_one(&mut session)
                    .await
                    .map_err(Error::database("lock", "meta"))?;
                if is_held {
                    company = Some(found);
                    break;
                }
            }
            if let Some(company) = company {
                let is_there: bool = sqlx::query_scalar("SELECT to_regclass('meta') IS NOT NULL")
                    .fetch_one(&mut session)
                    .await
                    .map_err(Error::database("read", "meta"))?;
                return Ok(Self { sign: Sign::Session(session), company, is_there });
            }
            tokio::time::sleep(OPENING_PAUSE).await;
        }
        Err(Error::Busy { path: shown(path) })
    }

    /// Lets others in and stays visible to them.
    async fn stay(self) -> Result<Arc<Alive>, Error> {
        match self.sign {
            Sign::File(file, path) => {
                // Changing an exclusive lock to a shared one cannot block: nobody else holds it.
                file.lock_shared().map_err(Error::file("lock", &path))?;
                Ok(Arc::new(Alive::File(file)))
            }
            Sign::Session(mut session) => {
                if self.company == Company::Alone {
                    // First the shared one, so that there is no moment without any.
                    for call in ["lock_shared", "unlock"] {
                        let sql = format!("SELECT pg_advisory_{call}({ALIVE})");
                        sqlx::query(AssertSqlSafe(sql)).execute(&mut session).await.map_err(Error::database("lock", "meta"))?;
                    }
                }
                Ok(Arc::new(Alive::Session(Mutex::new(Some(session)))))
            }
        }
    }
}

impl Database {
    /// Opens the database, making it if need be, and brings its tables up to date.
    pub(crate) async fn open(path: &Path, door: Door) -> Result<Self, Error> {
        sqlx::any::install_default_drivers();
        let (dialect, writer_url, reader_url) = match url(path) {
            Some(url) => (Dialect::Postgres, url.to_owned(), url.to_owned()),
            None => {
                // Made by hand for its mode; the files SQLite adds (-wal, -shm) take the mode of this one.
                OpenOptions::new()
                    .create(true)
                    .truncate(false)
                    .write(true)
                    .mode(0o600)
                    .open(path)
                    .map_err(Error::file("make", path))?;
                let url = sqlite_url(path)?;
                (Dialect::Sqlite, format!("{url}?mode=rw"), format!("{url}?mode=ro"))
            }
        };
        let writer = pool(dialect, &writer_url, 1, true).await?;
        if dialect == Dialect::Postgres {
            sqlx::raw_sql(BLOB).execute(&writer).await.map_err(Error::database("open", "meta"))?;
        }
        sqlx::migrate!().run(&writer).await.map_err(|source| match source {
            sqlx::migrate::MigrateError::VersionMissing(_) => Error::Newer { path: shown(path) },
            source => Error::Migrate { path: shown(path), source },
        })?;
        let readers = pool(dialect, &reader_url, READERS, false).await?;
        let database = Self { writer, readers, dialect, alive: door.stay().await? };
        database.guard().await?;
        Ok(database)
    }

    async fn guard(&self) -> Result<(), Error> {
        let guards = match self.dialect {
            Dialect::Sqlite => GUARDS_SQLITE,
            Dialect::Postgres => GUARDS_POSTGRES,
        };
        let mut tx = self.begin("audit_event").await?;
        sqlx::raw_sql(guards).execute(&mut *tx).await.map_err(Error::database("guard", "audit_event"))?;
        tx.commit().await.map_err(Error::database("guard", "audit_event"))
    }

    /// What PostgreSQL wants to hear when a trigger is dropped; for tests.
    #[cfg(test)]
    pub(crate) fn of_table(&self, table: &str) -> String {
        match self.dialect {
            Dialect::Sqlite => String::new(),
            Dialect::Postgres => format!(" ON {table}"),
        }
    }

    /// Writes bytes as the database reads them in a statement; for tests.
    #[cfg(test)]
    pub(crate) fn bytes_literal(&self, bytes: &[u8]) -> String {
        let hex = crate::store::hex(bytes);
        match self.dialect {
            Dialect::Sqlite => format!("x'{hex}'"),
            Dialect::Postgres => format!("'\\x{hex}'::bytea"),
        }
    }

    /// Connections that read what is committed.
    pub(crate) fn read(&self) -> &AnyPool {
        &self.readers
    }

    /// Begins a transaction that sees one state of the database, however long it reads.
    pub(crate) async fn snapshot(&self, table: &'static str) -> Result<Transaction<'static, Any>, Error> {
        match self.dialect {
            Dialect::Sqlite => self.readers.begin().await,
            Dialect::Postgres => self.readers.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await,
        }
        .map_err(Error::database("read", table))
    }

    /// Begins a transaction on the one connection that writes.
    pub(crate) async fn begin(&self, table: &'static str) -> Result<Transaction<'static, Any>, Error> {
        if self.dialect == Dialect::Postgres {
            let mut tx = self.writer.begin().await.map_err(Error::database("write", table))?;
            sqlx::query(WRITER_LOCK).execute(&mut *tx).await.map_err(Error::database("write", table))?;
            return Ok(tx);
        }
        // Immediate: a transaction that reads first and writes later would fail if another process wrote between.
        match self.writer.begin_with("BEGIN IMMEDIATE").await {
            // When a disk is full SQLite takes the transaction back by itself, and its connection never learns of it.
            Err(sqlx::Error::InvalidSavePointStatement) => {
                let stuck = self.writer.acquire().await.map_err(Error::database("write", table))?;
                drop(stuck.detach());
                self.writer.begin_with("BEGIN IMMEDIATE").await
            }
            begun => begun,
        }
        .map_err(Error::database("write", table))
    }

    /// Closes all connections, which folds SQLite's write-ahead log into the file.
    pub(crate) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
        if let Alive::Session(session) = &*self.alive {
            let session = session.lock().take();
            if let Some(session) = session {
                // The lock goes with the connection, however it ends.
                let _ = session.close().await;
            }
        }
    }
}

async fn pool(dialect: Dialect, url: &str, connections: u32, is_writer: bool) -> Result<AnyPool, Error> {
    let options: AnyConnectOptions = url.parse().map_err(Error::database("open", "meta"))?;
    let pool = AnyPoolOptions::new().max_connections(connections).after_connect(move |connection, _| {
        Box::pin(async move {
            let told = match (dialect, is_writer) {
                (Dialect::Sqlite, true) => {
                    sqlx::raw_sql("PRAGMA journal_mode = WAL").execute(&mut *connection).await?;
                    PRAGMAS
                }
                (Dialect::Sqlite, false) => PRAGMAS,
                // As long as SQLite waits: a process that hangs in its turn must not hold up the house for ever.
                (Dialect::Postgres, true) => "SET lock_timeout = '10s'",
                (Dialect::Postgres, false) => "SET default_transaction_read_only = on",
            };
            sqlx::raw_sql(told).execute(&mut *connection).await.map(drop)
        })
    });
    // The writer of SQLite lives as long as the handle: a new connection would read the schema anew.
    let pool = if is_writer { pool.idle_timeout(None).max_lifetime(None) } else { pool };
    pool.connect_with(options).await.map_err(Error::database("open", "meta"))
}

/// Writes the path of a file as an address; everything that could mean something there is escaped.
fn sqlite_url(path: &Path) -> Result<String, Error> {
    let path = std::path::absolute(path).map_err(Error::file("find", path))?;
    let mut url = "sqlite://".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'_' | b'-' | b'.' => url.push(char::from(*byte)),
            _ => url.push_str(&format!("%{byte:02X}")),
        }
    }
    Ok(url)
}

/// Writes `($1, $2), ($3, $4)` for so many rows and columns, counting on from `first`.
pub(crate) fn values(first: usize, rows: usize, columns: usize) -> String {
    let row = |row: usize| {
        let from = first + row * columns;
        let places: Vec<String> = (from..from + columns).map(|place| format!("${place}")).collect();
        format!("({})", places.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_said_without_what_is_secret_in_it() {
        let said = |url: &str| shown(Path::new(url)).display().to_string();
        assert_eq!(said("postgres://yizhan:se@c?ret@db:5432/ops?options=x"), "postgres://db:5432/ops");
        assert_eq!(said("postgresql://db/ops"), "postgres://db/ops");
        assert_eq!(said("/data/store/yizhan.sqlite"), "/data/store/yizhan.sqlite");
    }

    #[test]
    fn a_path_with_anything_in_it_is_one_address() {
        let url = sqlite_url(Path::new("/data/驿站 50%?#/a.sqlite")).unwrap();
        assert_eq!(url, "sqlite:///data/%E9%A9%BF%E7%AB%99%2050%25%3F%23/a.sqlite");
    }

    #[test]
    fn parameters_are_numbered_through() {
        assert_eq!(values(1, 2, 2), "($1, $2), ($3, $4)");
        assert_eq!(values(2, 1, 3), "($2, $3, $4)");
    }
}
