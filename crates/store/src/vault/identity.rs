//! Names, telephones and numbers: keeping them, giving them back, searching them.

use std::collections::HashMap;
use std::hash::BuildHasher;

use schema::PersonKind;
use sqlx::AssertSqlSafe;

use super::{Inner, Value, Vault, place};
use crate::database::{ROWS_A_STATEMENT, values};
use crate::error::Error;

impl Vault {
    /// Returns the identifying values of persons by key and column; what is not kept is absent.
    ///
    /// # Errors
    /// If the vault cannot be read or a value is damaged.
    pub async fn identities(
        &self,
        kind: PersonKind,
        keys: &[i64],
        columns: &[&str],
    ) -> Result<HashMap<i64, HashMap<String, String>>, Error> {
        let mut found: HashMap<i64, HashMap<String, String>> = HashMap::new();
        if columns.is_empty() {
            return Ok(found);
        }
        for chunk in keys.chunks(ROWS_A_STATEMENT) {
            let sql = format!(
                "SELECT person_key, value_column, value_sealed FROM person_value \
                 WHERE kind = $1 AND person_key IN {} AND value_column IN {}",
                values(2, 1, chunk.len()),
                values(2 + chunk.len(), 1, columns.len()),
            );
            let mut query = sqlx::query_as::<_, (i64, String, Vec<u8>)>(AssertSqlSafe(sql)).bind(kind.to_string());
            for key in chunk {
                query = query.bind(key);
            }
            for column in columns {
                query = query.bind(*column);
            }
            let rows = query.fetch_all(self.inner.database.read()).await;
            for (key, column, sealed) in rows.map_err(Error::database("read", "person_value"))? {
                let value = self.inner.open_value(kind, key, &column, &sealed)?;
                found.entry(key).or_default().insert(column, value);
            }
        }
        Ok(found)
    }

    /// Returns the number that a key stands for.
    ///
    /// # Errors
    /// If the vault cannot be read or the number is damaged.
    pub async fn number_of(&self, kind: PersonKind, key: i64) -> Result<Option<String>, Error> {
        let sealed: Option<Vec<u8>> = sqlx::query_scalar("SELECT number_sealed FROM person WHERE kind = $1 AND person_key = $2")
            .bind(kind.to_string())
            .bind(key)
            .fetch_optional(self.inner.database.read())
            .await
            .map_err(Error::database("read", "person"))?;
        sealed.map(|it| self.inner.open_number(kind, key, &it)).transpose()
    }

    /// Returns the keys of persons whose name holds the text, those whose name begins with it first.
    ///
    /// Looks at the columns `name` and `…_name`, whatever their case. Opens every name, which takes some milliseconds
    /// a ten thousand persons: names have no index, because an index of names is a list of names.
    ///
    /// # Errors
    /// If the vault cannot be read or a value is damaged.
    pub async fn search_names(&self, kind: PersonKind, text: &str, limit: usize) -> Result<Vec<i64>, Error> {
        let wanted = text.trim().to_lowercase();
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        self.inner.load_values().await?;
        Ok(self.inner.named(kind, &wanted, limit))
    }
}

impl Inner {
    fn named(&self, kind: PersonKind, wanted: &str, limit: usize) -> Vec<i64> {
        let people = self.people.read();
        let mut found: Vec<(bool, String, i64)> = Vec::new();
        for (&key, columns) in people.get(&kind).into_iter().flat_map(|it| &it.values) {
            let names = columns.iter().filter(|(column, _)| *column == "name" || column.ends_with("_name"));
            // A value that does not open was refused when the values were read, so here it cannot be.
            let best = names
                .filter_map(|(column, value)| self.open_value(kind, key, column, &value.sealed).ok())
                .map(|it| it.to_lowercase())
                .filter(|it| it.contains(wanted))
                .map(|it| (!it.starts_with(wanted), it))
                .min();
            found.extend(best.map(|(is_inside, name)| (is_inside, name, key)));
        }
        // A total order, so that the same search answers the same.
        found.sort();
        found.into_iter().take(limit).map(|(_, _, key)| key).collect()
    }

    /// Returns the values that differ from what is kept, one a key and column: the last.
    ///
    /// Feeds repeat the same names row after row, and what is known already must cost no write.
    pub(super) fn changed<'a>(&self, kind: PersonKind, values: &[(i64, &'a str, &'a str)]) -> Vec<(i64, &'a str, &'a str)> {
        let mut last: HashMap<(i64, &str), &str> = HashMap::new();
        for &(key, column, value) in values {
            last.insert((key, column), value);
        }
        let people = self.people.read();
        let kept = people.get(&kind).map(|it| &it.values);
        let is_kept = |key: i64, column: &str, value: &str| {
            kept.and_then(|it| it.get(&key)?.get(column)).is_some_and(|it| it.fingerprint == self.fingerprints.hash_one(value))
        };
        let mut changed: Vec<_> = last
            .into_iter()
            .map(|((key, column), value)| (key, column, value))
            .filter(|&(key, column, value)| !is_kept(key, column, value))
            .collect();
        changed.sort_unstable();
        changed
    }

    /// Keeps values of persons durably, then in memory.
    pub(super) async fn keep(&self, kind: PersonKind, changed: &[(i64, &str, &str)]) -> Result<(), Error> {
        let _changing = self.changing.lock().await;
        {
            let people = self.people.read();
            let keys = people.get(&kind).map(|it| &it.keys);
            let stranger = changed.iter().find(|(key, ..)| !keys.is_some_and(|it| it.contains(key)));
            if let Some(&(key, ..)) = stranger {
                return Err(Error::NoSuchPerson { kind, key });
            }
        }
        let sealed: Vec<(i64, &str, Value)> = changed
            .iter()
            .map(|&(key, column, value)| {
                let fingerprint = self.fingerprints.hash_one(value);
                let sealed = self.values.seal(value.as_bytes(), &place(kind, key, column));
                (key, column, Value { fingerprint, sealed })
            })
            .collect();

        let mut tx = self.database.begin("person_value").await?;
        for chunk in sealed.chunks(ROWS_A_STATEMENT) {
            let sql = format!(
                "INSERT INTO person_value (kind, person_key, value_column, value_sealed) VALUES {} \
                 ON CONFLICT (kind, person_key, value_column) DO UPDATE SET value_sealed = excluded.value_sealed",
                values(1, chunk.len(), 4),
            );
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for (key, column, value) in chunk {
                query = query.bind(kind.to_string()).bind(key).bind(*column).bind(value.sealed.as_slice());
            }
            query.execute(&mut *tx).await.map_err(Error::database("write", "person_value"))?;
        }
        tx.commit().await.map_err(Error::database("write", "person_value"))?;

        let mut people = self.people.write();
        let these = people.entry(kind).or_default();
        for (key, column, value) in sealed {
            these.values.entry(key).or_default().insert(column.to_owned(), value);
        }
        Ok(())
    }
}
