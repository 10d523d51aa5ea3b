//! The first load of every pipeline: its rows get an assumed `known_at`, those after it the commit's clock.

use crate::database::Database;
use crate::error::Error;

/// How far the first load of a pipeline is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadState {
    /// Nothing was ever loaded.
    NotBegun,
    /// It began and has not ended; a load that was cut goes on as the same one.
    Running {
        /// When it began, in microseconds since 1970.
        began_at_us: i64,
    },
    /// It is over; what comes now is news.
    Done {
        /// When it began, in microseconds since 1970.
        began_at_us: i64,
        /// When it ended, in microseconds since 1970.
        ended_at_us: i64,
    },
}

/// Remembers the first load of every pipeline.
#[derive(Debug, Clone)]
pub struct Loads {
    database: Database,
}

impl Loads {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    /// Returns how far the first load of a pipeline is.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn first_load(&self, pipeline: &str) -> Result<LoadState, Error> {
        let row: Option<(i64, Option<i64>)> =
            sqlx::query_as("SELECT began_at_us, ended_at_us FROM first_load WHERE pipeline = $1")
                .bind(pipeline)
                .fetch_optional(self.database.read())
                .await
                .map_err(Error::database("read", "first_load"))?;
        Ok(match row {
            None => LoadState::NotBegun,
            Some((began_at_us, None)) => LoadState::Running { began_at_us },
            Some((began_at_us, Some(ended_at_us))) => LoadState::Done { began_at_us, ended_at_us },
        })
    }

    /// Begins the first load, unless it has begun before: then nothing changes.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn begin(&self, pipeline: &str, now_us: i64) -> Result<(), Error> {
        let mut tx = self.database.begin("first_load").await?;
        sqlx::query("INSERT INTO first_load (pipeline, began_at_us) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(pipeline)
            .bind(now_us)
            .execute(&mut *tx)
            .await
            .map_err(Error::database("write", "first_load"))?;
        tx.commit().await.map_err(Error::database("write", "first_load"))
    }

    /// Ends the first load, unless it has ended before: then nothing changes.
    ///
    /// # Errors
    /// If it has not begun, or the store cannot be written.
    pub async fn end(&self, pipeline: &str, now_us: i64) -> Result<(), Error> {
        let mut tx = self.database.begin("first_load").await?;
        let touched = sqlx::query("UPDATE first_load SET ended_at_us = coalesce(ended_at_us, $1) WHERE pipeline = $2")
            .bind(now_us)
            .bind(pipeline)
            .execute(&mut *tx)
            .await
            .map_err(Error::database("write", "first_load"))?
            .rows_affected();
        if touched == 0 {
            return Err(Error::LoadNotBegun { pipeline: pipeline.to_owned() });
        }
        tx.commit().await.map_err(Error::database("write", "first_load"))
    }
}

#[cfg(test)]
mod tests {
    use crate::loads::LoadState;
    use crate::scene::Scene;

    #[tokio::test]
    async fn a_first_load_that_was_cut_goes_on_as_the_same_one() {
        let scene = Scene::new();
        let store = scene.open().await;
        assert_eq!(store.loads().first_load("card_txn").await.unwrap(), LoadState::NotBegun);
        store.loads().begin("card_txn", 10).await.unwrap();
        let store = scene.reopen(store).await;

        store.loads().begin("card_txn", 20).await.unwrap();
        assert_eq!(store.loads().first_load("card_txn").await.unwrap(), LoadState::Running { began_at_us: 10 });

        store.loads().end("card_txn", 30).await.unwrap();
        store.loads().begin("card_txn", 40).await.unwrap();
        store.loads().end("card_txn", 50).await.unwrap();
        let done = LoadState::Done { began_at_us: 10, ended_at_us: 30 };
        assert_eq!(store.loads().first_load("card_txn").await.unwrap(), done);
    }

    #[tokio::test]
    async fn a_first_load_cannot_end_before_it_began() {
        let scene = Scene::new();
        let store = scene.open().await;

        let refused = store.loads().end("card_txn", 10).await.expect_err("it never began");

        assert_eq!(refused.to_string(), "the first load of pipeline \"card_txn\" has not begun");
        assert_eq!(store.loads().first_load("card_txn").await.unwrap(), LoadState::NotBegun);
    }
}
