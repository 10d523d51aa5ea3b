//! The file register: which contents were taken in, under which number.
//!
//! The lake keeps one position a pipeline, the number of the last file that landed. So numbers are handed out rising,
//! files land in that order, and a number that a later one has overtaken is closed: it could never land any more.

mod numbering;
#[cfg(test)]
mod tests;

use std::fmt;

use sqlx::FromRow;

use crate::database::Database;
use crate::error::Error;

const ENTRY: &str = "pipeline, file_no, path, size, modified_us, content_hash, state, \
                     rows_in, rows_kept, rows_quarantined, rows_skipped, rows_erased";

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileState {
    /// It has a number; its rows are not in the lake, as far as the register knows.
    Numbered,
    /// Its rows are in the lake.
    Landed,
    /// It was given up under this number; a retry takes a new one.
    Refused,
}

impl FileState {
    fn from_text(text: &str) -> Result<Self, Error> {
        [FileState::Numbered, FileState::Landed, FileState::Refused]
            .into_iter()
            .find(|it| it.to_string() == text)
            .ok_or(Error::Damaged { table: "file_register", column: "state" })
    }
}

impl fmt::Display for FileState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FileState::Numbered => "numbered",
            FileState::Landed => "landed",
            FileState::Refused => "refused",
        })
    }
}

/// What became of the rows of a file: in = kept + quarantined + skipped + erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, FromRow)]
pub struct Counts {
    /// Rows read.
    pub rows_in: i64,
    /// Rows that went on into the lake.
    pub rows_kept: i64,
    /// Rows refused with a reason.
    pub rows_quarantined: i64,
    /// Rows that were there already.
    pub rows_skipped: i64,
    /// Rows of erased persons.
    pub rows_erased: i64,
}

impl Counts {
    /// Rows that came out, one way or another.
    pub fn rows_out(&self) -> i64 {
        self.rows_kept + self.rows_quarantined + self.rows_skipped + self.rows_erased
    }
}

/// One number given to a file of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// Counts from 1 within the pipeline, without gaps.
    pub file_no: i64,
    /// The pipeline.
    pub pipeline: String,
    /// The name under which the number was last asked for.
    pub path: String,
    /// Bytes.
    pub size: i64,
    /// When the file was last changed, in microseconds since 1970.
    pub modified_us: i64,
    /// Fingerprint of the content, as the caller makes it.
    pub content_hash: String,
    /// What became of it.
    pub state: FileState,
    /// What became of its rows; zeros until they are counted.
    pub counts: Counts,
}

/// Whether a file is to be taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Numbered {
    /// Take it in under this number, and in the order of numbers.
    New(FileEntry),
    /// The same content has landed before, perhaps under another name.
    Again(FileEntry),
}

#[derive(FromRow)]
struct EntryRow {
    pipeline: String,
    file_no: i64,
    path: String,
    size: i64,
    modified_us: i64,
    content_hash: String,
    state: String,
    #[sqlx(flatten)]
    counts: Counts,
}

impl TryFrom<EntryRow> for FileEntry {
    type Error = Error;

    fn try_from(row: EntryRow) -> Result<Self, Error> {
        Ok(Self {
            file_no: row.file_no,
            pipeline: row.pipeline,
            path: row.path,
            size: row.size,
            modified_us: row.modified_us,
            content_hash: row.content_hash,
            state: FileState::from_text(&row.state)?,
            counts: row.counts,
        })
    }
}

/// Numbers files, counts their rows and remembers which landed.
#[derive(Debug, Clone)]
pub struct FileRegister {
    database: Database,
    opening: i64,
}

impl FileRegister {
    pub(crate) fn new(database: Database, opening: i64) -> Self {
        Self { database, opening }
    }

    /// Returns what is known of a file that looks unchanged, so that it need not be read to know its content.
    ///
    /// The entry may be in any state: one that has not landed still goes through [`FileRegister::number`].
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn known(&self, pipeline: &str, path: &str, size: i64, modified_us: i64) -> Result<Option<FileEntry>, Error> {
        let sql = select(
            "WHERE pipeline = $1 AND file_no = (SELECT file_no FROM file_seen \
             WHERE pipeline = $1 AND path = $2 AND size = $3 AND modified_us = $4)",
        );
        let row: Option<EntryRow> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(pipeline)
            .bind(path)
            .bind(size)
            .bind(modified_us)
            .fetch_optional(self.database.read())
            .await
            .map_err(Error::database("read", "file_register"))?;
        row.map(FileEntry::try_from).transpose()
    }

    /// Returns every number given, of one pipeline or of all, in order.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn list(&self, pipeline: Option<&str>) -> Result<Vec<FileEntry>, Error> {
        let sql = select("WHERE $1 IS NULL OR pipeline = $1 ORDER BY pipeline, file_no");
        let rows: Vec<EntryRow> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(pipeline)
            .fetch_all(self.database.read())
            .await
            .map_err(Error::database("read", "file_register"))?;
        rows.into_iter().map(FileEntry::try_from).collect()
    }

    /// Returns why a number was refused.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn refused_why(&self, pipeline: &str, file_no: i64) -> Result<Option<String>, Error> {
        let why: Option<Option<String>> =
            sqlx::query_scalar("SELECT refused_why FROM file_register WHERE pipeline = $1 AND file_no = $2")
                .bind(pipeline)
                .bind(file_no)
                .fetch_optional(self.database.read())
                .await
                .map_err(Error::database("read", "file_register"))?;
        Ok(why.flatten())
    }

    /// Returns the file of the newest number, why it was refused, and when its content was refused for the first time, as far
    /// as that was kept; none if it landed, or is still on its way.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn newest_refused(&self, pipeline: &str) -> Result<Option<(FileEntry, String, Option<i64>)>, Error> {
        let sql = select(
            "WHERE pipeline = $1 AND state = 'refused' AND file_no = (SELECT max(file_no) FROM file_register WHERE pipeline = $1)",
        );
        let row: Option<EntryRow> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(pipeline)
            .fetch_optional(self.database.read())
            .await
            .map_err(Error::database("read", "file_register"))?;
        let Some(entry) = row.map(FileEntry::try_from).transpose()? else { return Ok(None) };
        let why = self.refused_why(pipeline, entry.file_no).await?.unwrap_or_default();
        // Every run that finds it again gives it a number of its own.
        let since_us: Option<i64> =
            sqlx::query_scalar("SELECT min(refused_at_us) FROM file_register WHERE pipeline = $1 AND content_hash = $2")
                .bind(pipeline)
                .bind(&entry.content_hash)
                .fetch_one(self.database.read())
                .await
                .map_err(Error::database("read", "file_register"))?;
        Ok(Some((entry, why, since_us)))
    }

    /// Returns when files of a pipeline were written and how many rows each has, oldest first; a file that came once more with
    /// the same content counts as the delivery that it is.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn deliveries(&self, pipeline: &str) -> Result<Vec<(i64, i64)>, Error> {
        sqlx::query_as(
            "SELECT modified_us, rows_in FROM file_register WHERE pipeline = $1 AND state = 'landed' \
             UNION \
             SELECT file_seen.modified_us, file_register.rows_in FROM file_seen \
             INNER JOIN file_register ON file_register.pipeline = file_seen.pipeline AND file_register.file_no = file_seen.file_no \
             WHERE file_seen.pipeline = $1 AND file_register.state = 'landed' \
             ORDER BY 1, 2",
        )
        .bind(pipeline)
        .fetch_all(self.database.read())
        .await
        .map_err(Error::database("read", "file_register"))
    }

    /// Returns the counts of everything that has landed.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn totals(&self, pipeline: &str) -> Result<Counts, Error> {
        // Cast back: PostgreSQL sums BIGINT into NUMERIC.
        sqlx::query_as(
            "SELECT CAST(coalesce(sum(rows_in), 0) AS BIGINT) AS rows_in, \
                    CAST(coalesce(sum(rows_kept), 0) AS BIGINT) AS rows_kept, \
                    CAST(coalesce(sum(rows_quarantined), 0) AS BIGINT) AS rows_quarantined, \
                    CAST(coalesce(sum(rows_skipped), 0) AS BIGINT) AS rows_skipped, \
                    CAST(coalesce(sum(rows_erased), 0) AS BIGINT) AS rows_erased \
             FROM file_register WHERE pipeline = $1 AND state = 'landed'",
        )
        .bind(pipeline)
        .fetch_one(self.database.read())
        .await
        .map_err(Error::database("read", "file_register"))
    }
}

fn select(rest: &str) -> String {
    format!("SELECT {ENTRY} FROM file_register {rest}")
}
