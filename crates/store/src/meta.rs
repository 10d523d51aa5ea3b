//! Facts about the store itself, by name: schema version, project.

use sqlx::{Any, Transaction};

use crate::database::Database;
use crate::error::Error;

const RESERVED: &str = "store.";

/// Keeps a few facts by name.
#[derive(Debug, Clone)]
pub struct Meta {
    database: Database,
}

impl Meta {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    /// Returns what was kept under a name.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn get(&self, name: &str) -> Result<Option<String>, Error> {
        sqlx::query_scalar("SELECT value FROM meta WHERE name = $1")
            .bind(name)
            .fetch_optional(self.database.read())
            .await
            .map_err(Error::database("read", "meta"))
    }

    /// Keeps a value under a name, in place of an earlier one.
    ///
    /// # Errors
    /// If the name begins with `store.`, or the store cannot be written.
    pub async fn set(&self, name: &str, value: &str) -> Result<(), Error> {
        if name.starts_with(RESERVED) {
            return Err(Error::MetaReserved { name: name.to_owned() });
        }
        let mut tx = self.database.begin("meta").await?;
        put(&mut tx, name, value).await?;
        tx.commit().await.map_err(Error::database("write", "meta"))
    }

    /// Keeps a value under a name if what stands there is what was `expected`, and says whether it was.
    ///
    /// Of several processes that have seen the same, one writes.
    ///
    /// # Errors
    /// As [`Meta::set`].
    pub async fn replace(&self, name: &str, expected: Option<&str>, value: &str) -> Result<bool, Error> {
        if name.starts_with(RESERVED) {
            return Err(Error::MetaReserved { name: name.to_owned() });
        }
        let mut tx = self.database.begin("meta").await?;
        if fetch(&mut tx, name).await?.as_deref() != expected {
            return Ok(false);
        }
        put(&mut tx, name, value).await?;
        tx.commit().await.map_err(Error::database("write", "meta"))?;
        Ok(true)
    }
}

/// Reads a fact inside a transaction, the store's own included.
pub(crate) async fn fetch(tx: &mut Transaction<'static, Any>, name: &str) -> Result<Option<String>, Error> {
    sqlx::query_scalar("SELECT value FROM meta WHERE name = $1")
        .bind(name)
        .fetch_optional(&mut **tx)
        .await
        .map_err(Error::database("read", "meta"))
}

/// Writes a fact inside a transaction, the store's own included.
pub(crate) async fn put(tx: &mut Transaction<'static, Any>, name: &str, value: &str) -> Result<(), Error> {
    sqlx::query("INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value")
        .bind(name)
        .bind(value)
        .execute(&mut **tx)
        .await
        .map(drop)
        .map_err(Error::database("write", "meta"))
}

#[cfg(test)]
mod tests {
    use crate::scene::Scene;

    #[tokio::test]
    async fn a_fact_is_kept_across_openings_and_replaced() {
        let scene = Scene::new();
        let store = scene.open().await;
        assert_eq!(store.meta().get("project").await.unwrap(), None);
        store.meta().set("project", "north").await.unwrap();
        store.meta().set("project", "south").await.unwrap();

        let store = scene.reopen(store).await;

        assert_eq!(store.meta().get("project").await.unwrap().as_deref(), Some("south"));
    }

    #[tokio::test]
    async fn a_fact_is_replaced_only_by_who_has_seen_it() {
        let store = Scene::new().open().await;
        assert!(store.meta().replace("rollover.2026", None, "one").await.unwrap());
        assert!(!store.meta().replace("rollover.2026", None, "two").await.unwrap());
        assert!(store.meta().replace("rollover.2026", Some("one"), "three").await.unwrap());
        assert_eq!(store.meta().get("rollover.2026").await.unwrap().as_deref(), Some("three"));
    }

    #[tokio::test]
    async fn the_names_of_the_store_itself_cannot_be_set() {
        let store = Scene::new().open().await;
        let refused = store.meta().set("store.openings", "0").await.unwrap_err();
        assert_eq!(refused.to_string(), "meta name \"store.openings\" is the store's own");
    }
}
