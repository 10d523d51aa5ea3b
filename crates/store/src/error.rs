//! What can go wrong in the operational store.

use std::path::PathBuf;

use schema::{Blame, PersonKind};

/// Why the store could not do as asked.
///
/// No message carries a number or a name of a person.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A folder or file of the store could not be made, read or written.
    #[error("could not {verb} {}", path.display())]
    File {
        /// What was tried.
        verb: &'static str,
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Another process has been opening the same store for too long.
    #[error("store {} is being opened by another process", path.display())]
    Busy {
        /// The database file.
        path: PathBuf,
    },
    /// Others than the owner may read the key file, so nothing it protects is protected.
    #[error("key file {} can be read by others (mode {mode:o}, wanted 600)", path.display())]
    KeyReadableByOthers {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The database is there and its key file is not; a new key could not read it.
    #[error("key file {} is missing and store {} was written under it", path.display(), store.display())]
    KeyMissing {
        /// Where the key file should be.
        path: PathBuf,
        /// The database file.
        store: PathBuf,
    },
    /// The key file does not hold a key.
    #[error("key file {} holds {bytes} bytes instead of 32", path.display())]
    KeyDamaged {
        /// The key file.
        path: PathBuf,
        /// Its length.
        bytes: usize,
    },
    /// The key file is a key, but not the one the store was written under.
    #[error("key file {} is not the one that store {} was written under", path.display(), store.display())]
    KeyMismatch {
        /// The key file.
        path: PathBuf,
        /// The database file.
        store: PathBuf,
    },
    /// The database was written by a newer version of this program.
    #[error("store {} was written by a newer version", path.display())]
    Newer {
        /// The database file.
        path: PathBuf,
    },
    /// The tables could not be made or brought up to date.
    #[error("could not bring the tables of store {} up to date", path.display())]
    Migrate {
        /// The database file.
        path: PathBuf,
        /// What the migrator said.
        #[source]
        source: sqlx::migrate::MigrateError,
    },
    /// The database refused a read or a write.
    #[error("could not {verb} table \"{table}\" of the store")]
    Database {
        /// What was tried.
        verb: &'static str,
        /// The table.
        table: &'static str,
        /// What the database said.
        #[source]
        source: sqlx::Error,
    },
    /// A stored value cannot be what was once written.
    #[error("table \"{table}\" of the store holds a damaged \"{column}\"")]
    Damaged {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
    },
    /// Sealed bytes were changed, cut, or sealed under another key.
    #[error("sealed bytes were changed or sealed under another key")]
    Unsealable,
    /// The operating system gave no random bytes.
    #[error("the system gave no random bytes")]
    Random(#[source] std::io::Error),
    /// A background task of the store ended before it answered.
    #[error("a background task of the store was cut off")]
    CutOff(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// What several callers asked for was done together, and failed for all of them.
    #[error(transparent)]
    Together(std::sync::Arc<Error>),
    /// Somebody wants to keep a value for a key that the vault never gave, or has erased.
    #[error("the vault has no {kind} with key {key}")]
    NoSuchPerson {
        /// Student or staff.
        kind: PersonKind,
        /// The key, which is nobody's.
        key: i64,
    },
    /// The register has no such number.
    #[error("pipeline \"{pipeline}\" has no file number {file_no}")]
    NoSuchFile {
        /// The pipeline.
        pipeline: String,
        /// The number.
        file_no: i64,
    },
    /// A file that landed or was refused cannot be counted or refused again.
    #[error("file number {file_no} of pipeline \"{pipeline}\" is already {state}")]
    FileClosed {
        /// The pipeline.
        pipeline: String,
        /// The number.
        file_no: i64,
        /// What became of it.
        state: String,
    },
    /// Rows went in that did not come out, or the other way round.
    #[error("rows of file number {file_no} of pipeline \"{pipeline}\" do not balance: {rows_in} in, {rows_out} out")]
    Unbalanced {
        /// The pipeline.
        pipeline: String,
        /// The number.
        file_no: i64,
        /// Rows read.
        rows_in: i64,
        /// Rows kept, quarantined, skipped and erased.
        rows_out: i64,
    },
    /// A first load cannot end before it began.
    #[error("the first load of pipeline \"{pipeline}\" has not begun")]
    LoadNotBegun {
        /// The pipeline.
        pipeline: String,
    },
    /// No run has this id.
    #[error("there is no run {run_id}")]
    NoSuchRun {
        /// The id.
        run_id: i64,
    },
    /// No account has this name.
    #[error("there is no account \"{account}\"")]
    NoSuchAccount {
        /// The name.
        account: String,
    },
    /// The account does not hold the role.
    #[error("account \"{account}\" does not hold role \"{role}\"")]
    RoleNotGranted {
        /// The account.
        account: String,
        /// The role.
        role: String,
    },
    /// The name of an account is empty or unreasonably long.
    #[error("the name of an account must have 1 to {} bytes", crate::accounts::ACCOUNT_BYTES_MAX)]
    AccountLength,
    /// A password is empty or unreasonably long.
    #[error("a password must have 1 to {} bytes", crate::accounts::PASSWORD_BYTES_MAX)]
    PasswordLength,
    /// The password could not be hashed.
    #[error("could not hash a password: {why}")]
    PasswordHash {
        /// What the hash function said.
        why: String,
    },
    /// The token belongs to no living session.
    #[error("there is no such session")]
    NoSuchSession,
    /// The audit chain does not hold: a row was changed, removed or added behind our back.
    #[error("the audit chain is broken at event {seq}")]
    AuditBroken {
        /// The first event that does not fit.
        seq: i64,
    },
    /// There is no such case, or the reader sees nothing of it: the two must not be told apart.
    #[error("there is no case {thread_key}")]
    NoSuchCase {
        /// The key.
        thread_key: i64,
    },
    /// No report with this key waits for a student.
    #[error("no report {report_key} waits for a student")]
    NoSuchReport {
        /// The key.
        report_key: i64,
    },
    /// Somebody changed the case since the editor looked; [`crate::change_text`] makes the sentence for the screen.
    #[error("case {thread_key} was changed meanwhile and is at version {version}")]
    CaseStale {
        /// The case.
        thread_key: i64,
        /// Its version now.
        version: i64,
        /// What was done, at most the last ten steps.
        changes: Vec<crate::cases::Change>,
    },
    /// The rules do not allow the step; [`casework::Refusal::text`] says what is missing.
    #[error("the rules of casework refuse the step")]
    CaseRefused(#[source] casework::Refusal),
    /// What was handed in contradicts itself.
    #[error("the record is not consistent")]
    Inconsistent(#[from] casework::Error),
    /// A note is unreasonably long.
    #[error("a note must have 16384 bytes at most")]
    NoteLength,
    /// The name is the store's own.
    #[error("meta name \"{name}\" is the store's own")]
    MetaReserved {
        /// The name.
        name: String,
    },
}

impl Error {
    /// Says whose move it is: the caller's, the world's, or ours.
    pub fn blame(&self) -> Blame {
        match self {
            Error::KeyReadableByOthers { .. }
            | Error::KeyMissing { .. }
            | Error::KeyDamaged { .. }
            | Error::KeyMismatch { .. }
            | Error::Newer { .. }
            | Error::NoSuchAccount { .. }
            | Error::RoleNotGranted { .. }
            | Error::AccountLength
            | Error::PasswordLength
            | Error::NoSuchCase { .. }
            | Error::NoSuchReport { .. }
            | Error::CaseStale { .. }
            | Error::CaseRefused(_)
            | Error::Inconsistent(_)
            | Error::NoteLength
            | Error::NoSuchSession => Blame::Caller,
            Error::File { .. } | Error::Busy { .. } | Error::Random(_) => Blame::World,
            Error::Database { source, .. } => match source {
                // A constraint that fails is a wrong statement; a disk that is full or locked may recover.
                sqlx::Error::Database(refused) if refused.kind() == sqlx::error::ErrorKind::Other => Blame::World,
                sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => Blame::World,
                _ => Blame::Us,
            },
            Error::Together(source) => source.blame(),
            Error::Migrate { .. }
            | Error::Damaged { .. }
            | Error::Unsealable
            | Error::CutOff(_)
            | Error::NoSuchPerson { .. }
            | Error::NoSuchFile { .. }
            | Error::FileClosed { .. }
            | Error::Unbalanced { .. }
            | Error::LoadNotBegun { .. }
            | Error::NoSuchRun { .. }
            | Error::PasswordHash { .. }
            | Error::AuditBroken { .. }
            | Error::MetaReserved { .. } => Blame::Us,
        }
    }

    /// Makes the error of a failed statement; for `map_err`.
    pub(crate) fn database(verb: &'static str, table: &'static str) -> impl FnOnce(sqlx::Error) -> Error {
        move |source| Error::Database { verb, table, source }
    }

    /// Makes the error of a failed call on a file; for `map_err`.
    pub(crate) fn file(verb: &'static str, path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.to_owned();
        move |source| Error::File { verb, path, source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::Scene;

    #[tokio::test]
    async fn a_database_that_refuses_a_wrong_row_blames_us_and_one_that_is_closed_the_world() {
        let scene = Scene::new();
        let store = scene.open().await;
        let mut tx = store.database().begin("session").await.unwrap();
        let sql = "INSERT INTO session (token_hash, account, role, created_us, used_us) VALUES ('', '', '', 0, 0)";
        let wrong = sqlx::query(sql).execute(&mut *tx).await.map_err(Error::database("write", "session")).unwrap_err();
        drop(tx);

        assert_eq!(wrong.to_string(), "could not write table \"session\" of the store");
        assert_eq!(wrong.blame(), Blame::Us, "{wrong:?}");
        store.close().await;
        assert_eq!(store.meta().get("project").await.unwrap_err().blame(), Blame::World);
    }

    #[tokio::test]
    async fn a_store_of_a_newer_version_is_refused() {
        let scene = Scene::new();
        let store = scene.open().await;
        let mut tx = store.database().begin("meta").await.unwrap();
        let sql = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                   SELECT 9999, 'from the future', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1";
        sqlx::query(sql).execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
        store.close().await;

        let refused = crate::Store::open(&scene.config).await.unwrap_err();

        assert!(matches!(refused, Error::Newer { .. }), "{refused:?}");
        assert_eq!(refused.blame(), Blame::Caller);
    }
}
