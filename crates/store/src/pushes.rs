//! Pushed events: tokens of device groups, answers by idempotency key, counts by pipeline.

use sqlx::{AssertSqlSafe, FromRow};

use crate::database::{Database, ROWS_A_STATEMENT, values};
use crate::error::Error;
use crate::files::Counts;

/// Group of what came through the drop folder. A file is known again for ever, as one of a batch is, so its answers are not
/// forgotten. No group of devices has white space in its name.
pub const DROP_GROUP: &str = "drop folder";

/// A token, known by its hash only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushToken {
    /// Hash of the token.
    pub token_hash: String,
    /// Devices that share it.
    pub device_group: String,
    /// Pipelines that they may push to.
    pub pipelines: Vec<String>,
    /// When it was made, in microseconds since 1970.
    pub made_at_us: i64,
    /// When it ends.
    pub ends_at_us: i64,
    /// When it was taken back.
    pub revoked_at_us: Option<i64>,
}

/// What was answered under an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct PushAnswer {
    /// The pipeline.
    pub pipeline: String,
    /// Who pushed.
    pub device_group: String,
    /// Hash of the key.
    pub key_hash: String,
    /// Hash of what was pushed.
    pub body_hash: String,
    /// The answer as it was given.
    pub answer: String,
    /// When, in microseconds since 1970.
    pub at_us: i64,
}

/// What became of rows between the last position that was counted and this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushCount {
    /// The pipeline.
    pub pipeline: String,
    /// Position of the log.
    pub position: i64,
    /// What became of the rows.
    pub counts: Counts,
}

#[derive(FromRow)]
struct TokenRow {
    token_hash: String,
    device_group: String,
    pipelines: String,
    made_at_us: i64,
    ends_at_us: i64,
    revoked_at_us: Option<i64>,
}

impl From<TokenRow> for PushToken {
    fn from(row: TokenRow) -> Self {
        Self {
            token_hash: row.token_hash,
            device_group: row.device_group,
            pipelines: row.pipelines.split_whitespace().map(str::to_owned).collect(),
            made_at_us: row.made_at_us,
            ends_at_us: row.ends_at_us,
            revoked_at_us: row.revoked_at_us,
        }
    }
}

/// Who may push events, and what they were answered.
#[derive(Debug, Clone)]
pub struct Pushes {
    database: Database,
}

impl Pushes {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    /// Keeps a new token.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn add_token(&self, token: &PushToken) -> Result<(), Error> {
        let mut tx = self.database.begin("push_token").await?;
        sqlx::query(
            "INSERT INTO push_token (token_hash, device_group, pipelines, made_at_us, ends_at_us) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(&token.token_hash)
        .bind(&token.device_group)
        .bind(token.pipelines.join(" "))
        .bind(token.made_at_us)
        .bind(token.ends_at_us)
        .execute(&mut *tx)
        .await
        .map_err(Error::database("write", "push_token"))?;
        tx.commit().await.map_err(Error::database("write", "push_token"))
    }

    /// All tokens, by group, the newest of each first.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn tokens(&self) -> Result<Vec<PushToken>, Error> {
        let rows: Vec<TokenRow> = sqlx::query_as(
            "SELECT token_hash, device_group, pipelines, made_at_us, ends_at_us, revoked_at_us FROM push_token \
             ORDER BY device_group, made_at_us DESC, token_hash",
        )
        .fetch_all(self.database.read())
        .await
        .map_err(Error::database("read", "push_token"))?;
        Ok(rows.into_iter().map(PushToken::from).collect())
    }

    /// The token of a hash, if it holds at an instant.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn token(&self, token_hash: &str, at_us: i64) -> Result<Option<PushToken>, Error> {
        let row: Option<TokenRow> = sqlx::query_as(
            "SELECT token_hash, device_group, pipelines, made_at_us, ends_at_us, revoked_at_us FROM push_token \
             WHERE token_hash = $1 AND revoked_at_us IS NULL AND ends_at_us > $2",
        )
        .bind(token_hash)
        .bind(at_us)
        .fetch_optional(self.database.read())
        .await
        .map_err(Error::database("read", "push_token"))?;
        Ok(row.map(PushToken::from))
    }

    /// Takes back all tokens of a group, and returns how many held.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn revoke(&self, device_group: &str, at_us: i64) -> Result<u64, Error> {
        let mut tx = self.database.begin("push_token").await?;
        let done = sqlx::query("UPDATE push_token SET revoked_at_us = $1 WHERE device_group = $2 AND revoked_at_us IS NULL")
            .bind(at_us)
            .bind(device_group)
            .execute(&mut *tx)
            .await
            .map_err(Error::database("write", "push_token"))?;
        tx.commit().await.map_err(Error::database("write", "push_token"))?;
        Ok(done.rows_affected())
    }

    /// What was answered under a key.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn answer(&self, pipeline: &str, device_group: &str, key_hash: &str) -> Result<Option<PushAnswer>, Error> {
        sqlx::query_as(
            "SELECT pipeline, device_group, key_hash, body_hash, answer, at_us FROM push_answer \
             WHERE pipeline = $1 AND device_group = $2 AND key_hash = $3",
        )
        .bind(pipeline)
        .bind(device_group)
        .bind(key_hash)
        .fetch_optional(self.database.read())
        .await
        .map_err(Error::database("read", "push_answer"))
    }

    /// Keeps answers and counts, all or none, and forgets answers of before an instant, but for those of [`DROP_GROUP`].
    /// What was kept before stays.
    ///
    /// # Errors
    /// If the counts do not balance, or the store cannot be written.
    pub async fn keep(&self, answers: &[PushAnswer], counts: &[PushCount], forget_before_us: i64) -> Result<(), Error> {
        let mut tx = self.database.begin("push_answer").await?;
        // Devices that push event by event leave tens of thousands between two commits.
        for chunk in answers.chunks(ROWS_A_STATEMENT) {
            let places = values(1, chunk.len(), 6);
            let sql = format!(
                "INSERT INTO push_answer (pipeline, device_group, key_hash, body_hash, answer, at_us) VALUES {places} \
                 ON CONFLICT DO NOTHING"
            );
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for it in chunk {
                query = query
                    .bind(&it.pipeline)
                    .bind(&it.device_group)
                    .bind(&it.key_hash)
                    .bind(&it.body_hash)
                    .bind(&it.answer)
                    .bind(it.at_us);
            }
            query.execute(&mut *tx).await.map_err(Error::database("write", "push_answer"))?;
        }
        for PushCount { pipeline, position, counts } in counts {
            if counts.rows_in != counts.rows_out() {
                let (rows_in, rows_out) = (counts.rows_in, counts.rows_out());
                return Err(Error::Unbalanced { pipeline: pipeline.clone(), file_no: *position, rows_in, rows_out });
            }
            sqlx::query(
                "INSERT INTO push_count (pipeline, log_position, rows_in, rows_kept, rows_quarantined, rows_skipped, rows_erased) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (pipeline) DO UPDATE SET log_position = excluded.log_position, \
                 rows_in = push_count.rows_in + excluded.rows_in, rows_kept = push_count.rows_kept + excluded.rows_kept, \
                 rows_quarantined = push_count.rows_quarantined + excluded.rows_quarantined, \
                 rows_skipped = push_count.rows_skipped + excluded.rows_skipped, \
                 rows_erased = push_count.rows_erased + excluded.rows_erased WHERE push_count.log_position < excluded.log_position",
            )
            .bind(pipeline)
            .bind(*position)
            .bind(counts.rows_in)
            .bind(counts.rows_kept)
            .bind(counts.rows_quarantined)
            .bind(counts.rows_skipped)
            .bind(counts.rows_erased)
            .execute(&mut *tx)
            .await
            .map_err(Error::database("write", "push_count"))?;
        }
        sqlx::query("DELETE FROM push_answer WHERE at_us < $1 AND device_group <> $2")
            .bind(forget_before_us)
            .bind(DROP_GROUP)
            .execute(&mut *tx)
            .await
            .map_err(Error::database("write", "push_answer"))?;
        tx.commit().await.map_err(Error::database("write", "push_answer"))
    }

    /// Takes counts that say that they go beyond a position of the log back to it, and returns of how many pipelines they
    /// did: the store is newer than lake and log, and what comes next has positions that it seems to have counted already.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn count_from(&self, position: i64) -> Result<u64, Error> {
        let mut tx = self.database.begin("push_count").await?;
        let done = sqlx::query("UPDATE push_count SET log_position = $1 WHERE log_position > $1")
            .bind(position)
            .execute(&mut *tx)
            .await
            .map_err(Error::database("write", "push_count"))?;
        tx.commit().await.map_err(Error::database("write", "push_count"))?;
        Ok(done.rows_affected())
    }

    /// What became of the rows that were pushed, and up to which position of the log that is counted.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn counts(&self) -> Result<Vec<PushCount>, Error> {
        #[derive(FromRow)]
        struct Row {
            pipeline: String,
            log_position: i64,
            #[sqlx(flatten)]
            counts: Counts,
        }
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT pipeline, log_position, rows_in, rows_kept, rows_quarantined, rows_skipped, rows_erased FROM push_count \
             ORDER BY pipeline",
        )
        .fetch_all(self.database.read())
        .await
        .map_err(Error::database("read", "push_count"))?;
        Ok(rows.into_iter().map(|it| PushCount { pipeline: it.pipeline, position: it.log_position, counts: it.counts }).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::Scene;

    fn token(hash: &str, group: &str) -> PushToken {
        PushToken {
            token_hash: hash.to_owned(),
            device_group: group.to_owned(),
            pipelines: vec!["gate_event".to_owned(), "card_txn".to_owned()],
            made_at_us: 10,
            ends_at_us: 100,
            revoked_at_us: None,
        }
    }

    #[tokio::test]
    async fn a_token_holds_until_its_end_or_until_it_is_taken_back() {
        let scene = Scene::new();
        let store = scene.open().await;
        let pushes = store.pushes();
        for it in [token("a", "gates_north"), token("b", "gates_north"), token("c", "gates_south")] {
            pushes.add_token(&it).await.unwrap();
        }
        assert_eq!(pushes.token("a", 99).await.unwrap(), Some(token("a", "gates_north")));
        assert_eq!(pushes.token("a", 100).await.unwrap(), None);
        assert_eq!(pushes.token("z", 50).await.unwrap(), None);
        assert_eq!(pushes.revoke("gates_north", 60).await.unwrap(), 2);
        assert_eq!(pushes.revoke("gates_north", 61).await.unwrap(), 0);
        assert_eq!(pushes.token("a", 70).await.unwrap(), None);
        assert!(pushes.token("c", 70).await.unwrap().is_some());
        assert_eq!(pushes.tokens().await.unwrap().len(), 3);
    }

    #[tokio::test]
    async fn answers_and_counts_are_kept_once_however_often_they_are_told() {
        let scene = Scene::new();
        let store = scene.open().await;
        let answer = |key: &str, at_us: i64, text: &str| PushAnswer {
            pipeline: "gate_event".to_owned(),
            device_group: "gates".to_owned(),
            key_hash: key.to_owned(),
            body_hash: "body".to_owned(),
            answer: text.to_owned(),
            at_us,
        };
        let count = |position: i64, rows_in: i64, rows_kept: i64| PushCount {
            pipeline: "gate_event".to_owned(),
            position,
            counts: Counts { rows_in, rows_kept, rows_quarantined: rows_in - rows_kept, ..Counts::default() },
        };
        store.pushes().keep(&[answer("k", 10, "first")], &[count(5, 3, 2)], 0).await.unwrap();
        store.pushes().keep(&[answer("k", 11, "second")], &[count(5, 3, 2)], 0).await.unwrap();
        let store = scene.reopen(store).await;
        let pushes = store.pushes();
        assert_eq!(pushes.answer("gate_event", "gates", "k").await.unwrap(), Some(answer("k", 10, "first")));
        assert_eq!(pushes.answer("gate_event", "others", "k").await.unwrap(), None);
        assert_eq!(pushes.counts().await.unwrap(), [count(5, 3, 2)]);
        let file = PushAnswer { device_group: DROP_GROUP.to_owned(), ..answer("f", 5, "a file") };
        pushes.keep(std::slice::from_ref(&file), &[], 0).await.unwrap();
        pushes.keep(&[answer("l", 20, "third")], &[count(9, 10, 10)], 15).await.unwrap();
        assert_eq!(pushes.answer("gate_event", DROP_GROUP, "f").await.unwrap(), Some(file), "a file is known for ever");
        assert_eq!(pushes.answer("gate_event", "gates", "k").await.unwrap(), None, "old answers go");
        assert_eq!(pushes.counts().await.unwrap(), [count(9, 13, 12)]);
        let many: Vec<PushAnswer> = (0..250).map(|n| answer(&format!("n{n}"), 30, "one of many")).collect();
        pushes.keep(&many, &[], 0).await.unwrap();
        assert_eq!(pushes.answer("gate_event", "gates", "n249").await.unwrap().as_ref(), many.last());
        let uneven = PushCount { counts: Counts { rows_in: 1, ..Counts::default() }, ..count(10, 0, 0) };
        let refused = pushes.keep(&[answer("m", 30, "x")], &[uneven], 0).await.expect_err("it does not balance");
        assert!(refused.to_string().contains("gate_event"), "{refused}");
        assert_eq!(pushes.answer("gate_event", "gates", "m").await.unwrap(), None);
        // The log was put back from a backup: what comes next is counted, and what was counted stays so.
        assert_eq!(pushes.count_from(9).await.unwrap(), 0);
        assert_eq!(pushes.count_from(4).await.unwrap(), 1);
        assert_eq!(pushes.counts().await.unwrap(), [count(4, 13, 12)]);
        pushes.keep(&[], &[count(5, 2, 2)], 0).await.unwrap();
        assert_eq!(pushes.counts().await.unwrap(), [count(5, 15, 14)]);
    }
}
