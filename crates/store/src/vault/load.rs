//! Reading the whole vault into memory when the store opens.

use std::collections::HashMap;
use std::hash::BuildHasher;

use schema::PersonKind;

use super::{Inner, People, Value, place};
use crate::error::Error;
use crate::key_file::Digest;

impl Inner {
    pub(super) async fn load(&self) -> Result<(), Error> {
        let mut people: HashMap<PersonKind, People> = HashMap::new();

        let numbers: Vec<(String, i64, Vec<u8>)> = sqlx::query_as("SELECT kind, person_key, number_sealed FROM person")
            .fetch_all(self.database.read())
            .await
            .map_err(Error::database("read", "person"))?;
        for (kind, key, sealed) in numbers {
            let kind = kind_from(&kind, "person")?;
            let number = self.open_number(kind, key, &sealed)?;
            let these = people.entry(kind).or_default();
            these.keys.insert(key);
            these.key_of.insert(number, key);
        }

        let erased: Vec<(String, Vec<u8>)> = sqlx::query_as("SELECT kind, number_hmac FROM erased_number")
            .fetch_all(self.database.read())
            .await
            .map_err(Error::database("read", "erased_number"))?;
        for (kind, digest) in erased {
            let kind = kind_from(&kind, "erased_number")?;
            people.entry(kind).or_default().erased.insert(digest_from(digest, "erased_number")?);
        }

        self.load_identifiers(&mut people).await?;
        *self.people.write() = people;
        Ok(())
    }

    /// Reads names and telephones, once: most commands ask for none, and of forty thousand people they take a second.
    pub(super) async fn load_values(&self) -> Result<(), Error> {
        let load = async || {
            let _changing = self.changing.lock().await;
            let values: Vec<(String, i64, String, Vec<u8>)> =
                sqlx::query_as("SELECT kind, person_key, value_column, value_sealed FROM person_value")
                    .fetch_all(self.database.read())
                    .await
                    .map_err(Error::database("read", "person_value"))?;
            let mut opened = Vec::with_capacity(values.len());
            for (kind, key, column, sealed) in values {
                let kind = kind_from(&kind, "person_value")?;
                let fingerprint = self.fingerprints.hash_one(self.open_value(kind, key, &column, &sealed)?);
                opened.push((kind, key, column, Value { fingerprint, sealed }));
            }
            let mut people = self.people.write();
            for (kind, key, column, value) in opened {
                people.entry(kind).or_default().values.entry(key).or_default().insert(column, value);
            }
            Ok(())
        };
        self.values_loaded.get_or_try_init(load).await.copied()
    }

    pub(super) fn open_number(&self, kind: PersonKind, key: i64, sealed: &[u8]) -> Result<String, Error> {
        let damaged = Error::Damaged { table: "person", column: "number_sealed" };
        let plain = self.values.open(sealed, &place(kind, key, ""));
        plain.ok().and_then(|it| String::from_utf8(it).ok()).ok_or(damaged)
    }

    pub(super) fn open_value(&self, kind: PersonKind, key: i64, column: &str, sealed: &[u8]) -> Result<String, Error> {
        let damaged = Error::Damaged { table: "person_value", column: "value_sealed" };
        let plain = self.values.open(sealed, &place(kind, key, column));
        plain.ok().and_then(|it| String::from_utf8(it).ok()).ok_or(damaged)
    }
}

pub(super) fn kind_from(text: &str, table: &'static str) -> Result<PersonKind, Error> {
    [PersonKind::Student, PersonKind::Staff]
        .into_iter()
        .find(|it| it.to_string() == text)
        .ok_or(Error::Damaged { table, column: "kind" })
}

pub(super) fn digest_from(bytes: Vec<u8>, table: &'static str) -> Result<Digest, Error> {
    bytes.try_into().map_err(|_| Error::Damaged { table, column: "number_hmac" })
}
