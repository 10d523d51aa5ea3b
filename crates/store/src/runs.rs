//! What ran, when, and how it ended.

use std::fmt;

use sqlx::{Any, FromRow, Transaction};

use crate::database::Database;
use crate::error::Error;

const ROW: &str = "SELECT run_id, stage, began_at_us, ended_at_us, rows_in, rows_out, seconds, memory_peak_bytes, \
                   result, detail FROM run";

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunResult {
    /// It is still going on.
    Running,
    /// It did what it was to do.
    Ok,
    /// It stopped with an error, which `detail` tells.
    Failed,
    /// The process died before the run ended.
    Interrupted,
}

impl RunResult {
    fn from_text(text: &str) -> Result<Self, Error> {
        [RunResult::Running, RunResult::Ok, RunResult::Failed, RunResult::Interrupted]
            .into_iter()
            .find(|it| it.to_string() == text)
            .ok_or(Error::Damaged { table: "run", column: "result" })
    }
}

impl fmt::Display for RunResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RunResult::Running => "running",
            RunResult::Ok => "ok",
            RunResult::Failed => "failed",
            RunResult::Interrupted => "interrupted",
        })
    }
}

/// One walk through a stage.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRow {
    /// Counts from 1.
    pub run_id: i64,
    /// What ran.
    pub stage: String,
    /// When it began, in microseconds since 1970.
    pub began_at_us: i64,
    /// When it ended, in microseconds since 1970; none for one that runs or was interrupted.
    pub ended_at_us: Option<i64>,
    /// Rows read.
    pub rows_in: i64,
    /// Rows written.
    pub rows_out: i64,
    /// Time it took.
    pub seconds: f64,
    /// The most memory the process held.
    pub memory_peak_bytes: i64,
    /// How it ended.
    pub result: RunResult,
    /// What there is to say about it.
    pub detail: String,
}

#[derive(FromRow)]
struct Stored {
    run_id: i64,
    stage: String,
    began_at_us: i64,
    ended_at_us: Option<i64>,
    rows_in: i64,
    rows_out: i64,
    seconds: f64,
    memory_peak_bytes: i64,
    result: String,
    detail: String,
}

impl TryFrom<Stored> for RunRow {
    type Error = Error;

    fn try_from(row: Stored) -> Result<Self, Error> {
        Ok(Self {
            run_id: row.run_id,
            stage: row.stage,
            began_at_us: row.began_at_us,
            ended_at_us: row.ended_at_us,
            rows_in: row.rows_in,
            rows_out: row.rows_out,
            seconds: row.seconds,
            memory_peak_bytes: row.memory_peak_bytes,
            result: RunResult::from_text(&row.result)?,
            detail: row.detail,
        })
    }
}

/// Remembers runs.
#[derive(Debug, Clone)]
pub struct Runs {
    database: Database,
}

impl Runs {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    /// Notes that a stage begins, and returns the id of the run.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn start(&self, stage: &str, now_us: i64) -> Result<i64, Error> {
        let mut tx = self.database.begin("run").await?;
        let run_id: i64 = sqlx::query_scalar(
            "INSERT INTO run (run_id, stage, began_at_us) \
             SELECT coalesce(max(run_id), 0) + 1, $1, $2 FROM run RETURNING run_id",
        )
        .bind(stage)
        .bind(now_us)
        .fetch_one(&mut *tx)
        .await
        .map_err(Error::database("write", "run"))?;
        tx.commit().await.map_err(Error::database("write", "run"))?;
        Ok(run_id)
    }

    /// Notes how a run ended.
    ///
    /// # Errors
    /// If there is no such run, or the store cannot be written.
    #[expect(clippy::too_many_arguments, reason = "one argument a column of the report, in its order")]
    pub async fn finish(
        &self,
        run_id: i64,
        now_us: i64,
        rows_in: i64,
        rows_out: i64,
        seconds: f64,
        memory_peak_bytes: i64,
        result: RunResult,
        detail: &str,
    ) -> Result<(), Error> {
        let mut tx = self.database.begin("run").await?;
        let touched = sqlx::query(
            "UPDATE run SET ended_at_us = $1, rows_in = $2, rows_out = $3, seconds = $4, memory_peak_bytes = $5, \
             result = $6, detail = $7 WHERE run_id = $8",
        )
        .bind(now_us)
        .bind(rows_in)
        .bind(rows_out)
        .bind(seconds)
        .bind(memory_peak_bytes)
        .bind(result.to_string())
        .bind(detail)
        .bind(run_id)
        .execute(&mut *tx)
        .await
        .map_err(Error::database("write", "run"))?
        .rows_affected();
        if touched == 0 {
            return Err(Error::NoSuchRun { run_id });
        }
        tx.commit().await.map_err(Error::database("write", "run"))
    }

    /// Returns the latest runs, the newest first.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn last(&self, limit: usize) -> Result<Vec<RunRow>, Error> {
        let sql = format!("{ROW} ORDER BY run_id DESC LIMIT $1");
        let rows: Vec<Stored> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(self.database.read())
            .await
            .map_err(Error::database("read", "run"))?;
        rows.into_iter().map(RunRow::try_from).collect()
    }

    /// Returns the latest run of a stage that ended well.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn last_success(&self, stage: &str) -> Result<Option<RunRow>, Error> {
        let sql = format!("{ROW} WHERE stage = $1 AND result = 'ok' ORDER BY run_id DESC LIMIT 1");
        let row: Option<Stored> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(stage)
            .fetch_optional(self.database.read())
            .await
            .map_err(Error::database("read", "run"))?;
        row.map(RunRow::try_from).transpose()
    }
}

/// Marks runs that never ended, and returns how many there were.
pub(crate) async fn interrupt(tx: &mut Transaction<'static, Any>) -> Result<u64, Error> {
    sqlx::query("UPDATE run SET result = 'interrupted' WHERE result = 'running'")
        .execute(&mut **tx)
        .await
        .map(|it| it.rows_affected())
        .map_err(Error::database("write", "run"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::Scene;

    #[tokio::test]
    async fn the_last_success_is_the_last_that_ended_well() {
        let scene = Scene::new();
        let runs = scene.open().await.runs();
        for (at, result) in [(10, RunResult::Ok), (20, RunResult::Ok), (30, RunResult::Failed)] {
            let run_id = runs.start("ingest", at).await.unwrap();
            runs.finish(run_id, at + 5, 100, 90, 5.5, 1 << 30, result, "as told").await.unwrap();
        }
        runs.start("transform", 40).await.unwrap();

        let success = runs.last_success("ingest").await.unwrap().expect("two ended well");

        let expected = RunRow {
            run_id: 2,
            stage: "ingest".to_owned(),
            began_at_us: 20,
            ended_at_us: Some(25),
            rows_in: 100,
            rows_out: 90,
            seconds: 5.5,
            memory_peak_bytes: 1 << 30,
            result: RunResult::Ok,
            detail: "as told".to_owned(),
        };
        assert_eq!(success, expected);
        assert_eq!(runs.last_success("transform").await.unwrap(), None);
        let last: Vec<i64> = runs.last(2).await.unwrap().iter().map(|it| it.run_id).collect();
        assert_eq!(last, [4, 3]);
    }

    #[tokio::test]
    async fn a_run_that_never_ended_is_marked_by_the_next_opening() {
        let scene = Scene::new();
        let store = scene.open().await;
        store.runs().start("ingest", 10).await.unwrap();

        let store = scene.reopen(store).await;

        let run = store.runs().last(1).await.unwrap().remove(0);
        assert_eq!((run.result, run.ended_at_us), (RunResult::Interrupted, None));
    }

    #[tokio::test]
    async fn a_run_goes_on_while_another_opens_the_store() {
        let scene = Scene::new();
        let store = scene.open().await;
        store.runs().start("ingest", 10).await.unwrap();

        let beside = scene.open().await;

        assert_eq!(beside.runs().last(1).await.unwrap().remove(0).result, RunResult::Running);
    }

    #[tokio::test]
    async fn a_run_that_never_began_cannot_end() {
        let runs = Scene::new().open().await.runs();
        let refused = runs.finish(7, 0, 0, 0, 0.0, 0, RunResult::Ok, "").await;
        assert!(matches!(refused, Err(Error::NoSuchRun { run_id: 7 })), "{refused:?}");
    }
}
