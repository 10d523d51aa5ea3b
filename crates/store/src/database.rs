//! The SQLite database: one connection that writes, a few that read, and the lock that tells who is alone.
//!
//! Everything that only SQLite understands stands here and in `guards/`; the statements elsewhere are those
//! PostgreSQL takes too.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Sqlite, SqlitePool, Transaction};

use crate::error::Error;

/// Readers beside the one writer.
const READERS: u32 = 4;

/// How long a statement waits for another process' transaction.
const BUSY: Duration = Duration::from_secs(10);

/// How long an opener waits for another that is just migrating, and how often it looks.
const OPENING_TRIES: u32 = 200;
const OPENING_PAUSE: Duration = Duration::from_millis(50);

/// Rows of one multi-row statement. SQLite looks for a named parameter by walking along all of them, so a statement
/// of thousands takes longer than many of hundreds.
pub(crate) const ROWS_A_STATEMENT: usize = 100;

const GUARDS: &str = include_str!("../guards/sqlite.sql");

/// A handle on the database; clones share the connections.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    writer: SqlitePool,
    readers: SqlitePool,
    // Held shared as long as any handle lives, so that an opener can tell whether it is alone.
    _alive: Arc<File>,
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
    file: File,
    path: PathBuf,
    pub(crate) company: Company,
}

impl Door {
    /// Waits until nobody else is in the middle of opening.
    pub(crate) async fn enter(database: &Path) -> Result<Self, Error> {
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
            match file.try_lock() {
                Ok(()) => {
                    return Ok(Self { file, path, company: Company::Alone });
                }
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(source)) => return Err(Error::file("lock", &path)(source)),
            }
            match file.try_lock_shared() {
                Ok(()) => {
                    return Ok(Self { file, path, company: Company::Others });
                }
                Err(TryLockError::WouldBlock) => tokio::time::sleep(OPENING_PAUSE).await,
                Err(TryLockError::Error(source)) => return Err(Error::file("lock", &path)(source)),
            }
        }
        Err(Error::Busy { path: database.to_owned() })
    }

    /// Lets others in and stays visible to them.
    fn stay(self) -> Result<Arc<File>, Error> {
        // Changing an exclusive lock to a shared one cannot block: nobody else holds it.
        self.file.lock_shared().map_err(Error::file("lock", &self.path))?;
        Ok(Arc::new(self.file))
    }
}

impl Database {
    /// Opens the file, making it if need be, and brings its tables up to date.
    pub(crate) async fn open(path: &Path, door: Door) -> Result<Self, Error> {
        // Made by hand for its mode; the files SQLite adds (-wal, -shm) take the mode of this one.
        OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path).map_err(Error::file("make", path))?;

        let options = SqliteConnectOptions::new()
            .filename(path)
            .busy_timeout(BUSY)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            // An erased row leaves no bytes behind, and the log beside the file stays bounded.
            .pragma("secure_delete", "ON")
            .pragma("journal_size_limit", "67108864");
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options.clone())
            .await
            .map_err(Error::database("open", "meta"))?;

        sqlx::migrate!().run(&writer).await.map_err(|source| match source {
            sqlx::migrate::MigrateError::VersionMissing(_) => Error::Newer { path: path.to_owned() },
            source => Error::Migrate { path: path.to_owned(), source },
        })?;
        sqlx::raw_sql(GUARDS).execute(&writer).await.map_err(Error::database("guard", "audit_event"))?;

        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .connect_with(options.read_only(true))
            .await
            .map_err(Error::database("open", "meta"))?;
        Ok(Self { writer, readers, _alive: door.stay()? })
    }

    /// Connections that read what is committed.
    pub(crate) fn read(&self) -> &SqlitePool {
        &self.readers
    }

    /// Begins a transaction on the one connection that writes.
    pub(crate) async fn begin(&self, table: &'static str) -> Result<Transaction<'static, Sqlite>, Error> {
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

    /// Closes all connections, which folds the write-ahead log into the file.
    pub(crate) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
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
    fn parameters_are_numbered_through() {
        assert_eq!(values(1, 2, 2), "($1, $2), ($3, $4)");
        assert_eq!(values(2, 1, 3), "($2, $3, $4)");
    }
}
