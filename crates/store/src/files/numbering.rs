//! From a number to a landed file, and every way a crash can cut between.

use sqlx::{Any, AssertSqlSafe, Transaction};

use super::{Counts, EntryRow, FileEntry, FileRegister, FileState, Numbered, select};
use crate::error::Error;

/// Why a number was closed without anybody refusing the file.
const OVERTAKEN: &str = "overtaken: a later file was taken up before this one landed";
const PASSED_OVER: &str = "passed over: a later file landed and this one had no counts";

impl FileRegister {
    /// Gives a file its number, or says that its content has landed before.
    ///
    /// A number that was given but has not landed is given again, so that a restart repeats itself. After an opening
    /// of the store, and after a commit whose outcome is unknown, tell the lake's position to [`FileRegister::land`]
    /// first: a number that landed unseen would otherwise be given again.
    ///
    /// Once a later file is on its way into the lake, an old number is closed and its file gets a new one: the lake
    /// would take the old one for done.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn number(
        &self,
        pipeline: &str,
        path: &str,
        size: i64,
        modified_us: i64,
        content_hash: &str,
    ) -> Result<Numbered, Error> {
        let mut tx = self.database.begin("file_register").await?;

        let open = find(&mut tx, pipeline, content_hash).await?;
        let numbered = match open {
            Some(entry) if entry.state == FileState::Landed => Numbered::Again(entry),
            Some(entry) if !self.is_overtaken(&mut tx, &entry).await? => {
                sqlx::query(
                    // What an earlier opening counted and never landed is not on its way in this one.
                    "UPDATE file_register SET path = $1, size = $2, modified_us = $3, given_in = $4, \
                     is_counted = CASE WHEN given_in = $4 THEN is_counted ELSE 0 END \
                     WHERE pipeline = $5 AND file_no = $6",
                )
                .bind(path)
                .bind(size)
                .bind(modified_us)
                .bind(self.opening)
                .bind(pipeline)
                .bind(entry.file_no)
                .execute(&mut *tx)
                .await
                .map_err(Error::database("write", "file_register"))?;
                Numbered::New(FileEntry { path: path.to_owned(), size, modified_us, ..entry })
            }
            other => {
                if let Some(entry) = other {
                    close(&mut tx, pipeline, entry.file_no, OVERTAKEN).await?;
                }
                let entry = FileEntry {
                    file_no: next_number(&mut tx, pipeline).await?,
                    pipeline: pipeline.to_owned(),
                    path: path.to_owned(),
                    size,
                    modified_us,
                    content_hash: content_hash.to_owned(),
                    state: FileState::Numbered,
                    counts: Counts::default(),
                };
                self.insert(&mut tx, &entry).await?;
                Numbered::New(entry)
            }
        };
        let file_no = match &numbered {
            Numbered::New(entry) => {
                self.close_overtaken(&mut tx, pipeline, entry.file_no).await?;
                entry.file_no
            }
            Numbered::Again(entry) => entry.file_no,
        };
        see(&mut tx, pipeline, path, size, modified_us, file_no).await?;
        tx.commit().await.map_err(Error::database("write", "file_register"))?;
        Ok(numbered)
    }

    /// Keeps what became of the rows of a file; before the lake commits, so that a crash cannot lose it.
    ///
    /// # Errors
    /// If the counts do not balance, the file is closed, or the store cannot be written.
    pub async fn count(&self, pipeline: &str, file_no: i64, counts: Counts) -> Result<(), Error> {
        if counts.rows_in != counts.rows_out() {
            let (rows_in, rows_out) = (counts.rows_in, counts.rows_out());
            return Err(Error::Unbalanced { pipeline: pipeline.to_owned(), file_no, rows_in, rows_out });
        }
        let mut tx = self.database.begin("file_register").await?;
        expect_open(&mut tx, pipeline, file_no).await?;
        sqlx::query(
            "UPDATE file_register SET rows_in = $1, rows_kept = $2, rows_quarantined = $3, rows_skipped = $4, \
             rows_erased = $5, is_counted = 1 WHERE pipeline = $6 AND file_no = $7",
        )
        .bind(counts.rows_in)
        .bind(counts.rows_kept)
        .bind(counts.rows_quarantined)
        .bind(counts.rows_skipped)
        .bind(counts.rows_erased)
        .bind(pipeline)
        .bind(file_no)
        .execute(&mut *tx)
        .await
        .map_err(Error::database("write", "file_register"))?;
        tx.commit().await.map_err(Error::database("write", "file_register"))
    }

    /// Marks every file up to a number as landed: after the lake's commit, and at the start with the lake's position.
    ///
    /// The second repairs a crash between the lake's commit and ours. A number at or below that was never counted was
    /// never committed either: it is closed, and its file gets a new one when it comes again. A file whose commit
    /// failed and which the caller leaves behind must be refused, not just passed by.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn land(&self, pipeline: &str, up_to_file_no: i64) -> Result<(), Error> {
        let mut tx = self.database.begin("file_register").await?;
        sqlx::query(
            "UPDATE file_register SET state = 'landed' \
             WHERE pipeline = $1 AND file_no <= $2 AND state = 'numbered' AND is_counted = 1",
        )
        .bind(pipeline)
        .bind(up_to_file_no)
        .execute(&mut *tx)
        .await
        .map_err(Error::database("write", "file_register"))?;
        sqlx::query(
            "UPDATE file_register SET state = 'refused', refused_why = $1 \
             WHERE pipeline = $2 AND file_no <= $3 AND state = 'numbered'",
        )
        .bind(PASSED_OVER)
        .bind(pipeline)
        .bind(up_to_file_no)
        .execute(&mut *tx)
        .await
        .map_err(Error::database("write", "file_register"))?;
        tx.commit().await.map_err(Error::database("write", "file_register"))
    }

    /// Gives a file up under its number at an instant: the feed is broken, and nothing of it entered the lake.
    ///
    /// # Errors
    /// If there is no such number, it is closed already, or the store cannot be written.
    pub async fn refuse(&self, pipeline: &str, file_no: i64, why: &str, at_us: i64) -> Result<(), Error> {
        let mut tx = self.database.begin("file_register").await?;
        expect_open(&mut tx, pipeline, file_no).await?;
        close(&mut tx, pipeline, file_no, why).await?;
        sqlx::query("UPDATE file_register SET refused_at_us = $1 WHERE pipeline = $2 AND file_no = $3")
            .bind(at_us)
            .bind(pipeline)
            .bind(file_no)
            .execute(&mut *tx)
            .await
            .map_err(Error::database("write", "file_register"))?;
        tx.commit().await.map_err(Error::database("write", "file_register"))
    }

    /// Whether a later file has been counted, and so is on its way, since the store was opened.
    async fn is_overtaken(&self, tx: &mut Transaction<'static, Any>, entry: &FileEntry) -> Result<bool, Error> {
        let later: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM file_register \
             WHERE pipeline = $1 AND file_no > $2 AND given_in = $3 AND is_counted = 1 AND state <> 'refused'",
        )
        .bind(&entry.pipeline)
        .bind(entry.file_no)
        .bind(self.opening)
        .fetch_one(&mut **tx)
        .await
        .map_err(Error::database("read", "file_register"))?;
        Ok(0 < later)
    }

    /// Closes what an earlier opening left below a number that is just being handed out.
    async fn close_overtaken(&self, tx: &mut Transaction<'static, Any>, pipeline: &str, file_no: i64) -> Result<(), Error> {
        sqlx::query(
            "UPDATE file_register SET state = 'refused', refused_why = $1 \
             WHERE pipeline = $2 AND file_no < $3 AND state = 'numbered' AND given_in <> $4",
        )
        .bind(OVERTAKEN)
        .bind(pipeline)
        .bind(file_no)
        .bind(self.opening)
        .execute(&mut **tx)
        .await
        .map(drop)
        .map_err(Error::database("write", "file_register"))
    }

    async fn insert(&self, tx: &mut Transaction<'static, Any>, entry: &FileEntry) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO file_register (pipeline, file_no, path, size, modified_us, content_hash, state, given_in) \
             VALUES ($1, $2, $3, $4, $5, $6, 'numbered', $7)",
        )
        .bind(&entry.pipeline)
        .bind(entry.file_no)
        .bind(&entry.path)
        .bind(entry.size)
        .bind(entry.modified_us)
        .bind(&entry.content_hash)
        .bind(self.opening)
        .execute(&mut **tx)
        .await
        .map(drop)
        .map_err(Error::database("write", "file_register"))
    }
}

/// Finds the one number of a content that was not refused.
async fn find(tx: &mut Transaction<'static, Any>, pipeline: &str, content_hash: &str) -> Result<Option<FileEntry>, Error> {
    let sql = select("WHERE pipeline = $1 AND content_hash = $2 AND state <> 'refused'");
    let row: Option<EntryRow> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(pipeline)
        .bind(content_hash)
        .fetch_optional(&mut **tx)
        .await
        .map_err(Error::database("read", "file_register"))?;
    row.map(FileEntry::try_from).transpose()
}

async fn next_number(tx: &mut Transaction<'static, Any>, pipeline: &str) -> Result<i64, Error> {
    sqlx::query_scalar("SELECT coalesce(max(file_no), 0) + 1 FROM file_register WHERE pipeline = $1")
        .bind(pipeline)
        .fetch_one(&mut **tx)
        .await
        .map_err(Error::database("read", "file_register"))
}

async fn expect_open(tx: &mut Transaction<'static, Any>, pipeline: &str, file_no: i64) -> Result<(), Error> {
    let state: Option<String> = sqlx::query_scalar("SELECT state FROM file_register WHERE pipeline = $1 AND file_no = $2")
        .bind(pipeline)
        .bind(file_no)
        .fetch_optional(&mut **tx)
        .await
        .map_err(Error::database("read", "file_register"))?;
    let state = state.ok_or_else(|| Error::NoSuchFile { pipeline: pipeline.to_owned(), file_no })?;
    match FileState::from_text(&state)? {
        FileState::Numbered => Ok(()),
        FileState::Landed | FileState::Refused => Err(Error::FileClosed { pipeline: pipeline.to_owned(), file_no, state }),
    }
}

async fn close(tx: &mut Transaction<'static, Any>, pipeline: &str, file_no: i64, why: &str) -> Result<(), Error> {
    sqlx::query("UPDATE file_register SET state = 'refused', refused_why = $1 WHERE pipeline = $2 AND file_no = $3")
        .bind(why)
        .bind(pipeline)
        .bind(file_no)
        .execute(&mut **tx)
        .await
        .map(drop)
        .map_err(Error::database("write", "file_register"))
}

/// Remembers what lies under a path, so that it need not be read again.
async fn see(
    tx: &mut Transaction<'static, Any>,
    pipeline: &str,
    path: &str,
    size: i64,
    modified_us: i64,
    file_no: i64,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO file_seen (pipeline, path, size, modified_us, file_no) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (pipeline, path) DO UPDATE SET size = excluded.size, modified_us = excluded.modified_us, \
         file_no = excluded.file_no",
    )
    .bind(pipeline)
    .bind(path)
    .bind(size)
    .bind(modified_us)
    .bind(file_no)
    .execute(&mut **tx)
    .await
    .map(drop)
    .map_err(Error::database("write", "file_seen"))
}
