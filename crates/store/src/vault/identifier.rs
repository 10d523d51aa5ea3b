//! Further numbers of persons: whose a card, a candidate's number or a new number was on a day.

use std::collections::HashMap;

use schema::{Holder, Identifier, Known, PersonKind};
use sqlx::AssertSqlSafe;

use super::{Held, Inner, place};
use crate::database::{ROWS_A_STATEMENT, values};
use crate::error::Error;
use crate::key_file::{Digest, hmac};

impl Inner {
    /// Fingerprint of an identifier: finds it in the database without showing it.
    pub(super) fn identifier_hmac(&self, kind: PersonKind, by: &str, value: &str) -> Digest {
        // Three parts, so that it is never the fingerprint of a number.
        hmac(&self.number_key, &[kind.key_column().as_bytes(), by.as_bytes(), value.as_bytes()])
    }

    pub(super) fn holders(&self, kind: PersonKind, by: &str, value: &str) -> Vec<Holder> {
        let people = self.people.read();
        let Some(these) = people.get(&kind) else { return Vec::new() };
        let held = these.identifiers.get(by).and_then(|it| it.get(value)).into_iter().flatten();
        let mut holders: Vec<Holder> = held
            .map(|it| Holder { from_day: it.from_day, until_day: it.until_day.unwrap_or(i32::MAX), who: Known::Key(it.key) })
            .collect();
        // Days are forgotten with the person: what nobody else holds may have been theirs.
        if !these.erased_identifiers.is_empty() && these.erased_identifiers.contains(&self.identifier_hmac(kind, by, value)) {
            holders.push(Holder { from_day: i32::MIN, until_day: i32::MAX, who: Known::Erased });
        }
        holders
    }

    /// Keeps identifiers durably, then in memory; returns how many numbers are another person's already.
    pub(super) async fn identify(&self, kind: PersonKind, identifiers: &[Identifier<'_>]) -> Result<u64, Error> {
        let _changing = self.changing.lock().await;
        let mut unlinked = 0;
        // The last row of an identifier, person and day holds; what is known already costs no write.
        let mut fresh: HashMap<(&str, &str, i32, i64), Held> = HashMap::new();
        let mut numbers: HashMap<&str, i64> = HashMap::new();
        {
            let people = self.people.read();
            let these = people.get(&kind);
            for it in identifiers {
                if !these.is_some_and(|these| these.keys.contains(&it.key)) {
                    return Err(Error::NoSuchPerson { kind, key: it.key });
                }
                if it.is_number {
                    let other = these.and_then(|these| these.key_of.get(it.value)).or_else(|| numbers.get(it.value));
                    if other.is_some_and(|other| *other != it.key) {
                        unlinked += 1;
                        continue;
                    }
                    numbers.insert(it.value, it.key);
                }
                let held = Held { key: it.key, from_day: it.from_day, until_day: it.until_day, is_number: it.is_number };
                fresh.insert((it.by, it.value, it.from_day, it.key), held);
            }
            fresh.retain(|(by, value, ..), held| {
                let known = these.and_then(|these| these.identifiers.get(*by)?.get(*value));
                !known.is_some_and(|it| it.contains(held))
            });
        }
        if fresh.is_empty() {
            return Ok(unlinked);
        }
        let mut rows: Vec<_> = fresh.into_iter().collect();
        rows.sort_unstable_by_key(|(at, _)| *at);

        let mut tx = self.database.begin("person_identifier").await?;
        for chunk in rows.chunks(ROWS_A_STATEMENT) {
            let sql = format!(
                "INSERT INTO person_identifier \
                 (kind, identifier, value_hmac, from_day, until_day, person_key, value_sealed, is_number) VALUES {} \
                 ON CONFLICT (kind, identifier, value_hmac, from_day, person_key) \
                 DO UPDATE SET until_day = excluded.until_day, is_number = excluded.is_number",
                values(1, chunk.len(), 8),
            );
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for ((by, value, ..), held) in chunk {
                query = query
                    .bind(kind.to_string())
                    .bind(*by)
                    .bind(self.identifier_hmac(kind, by, value).to_vec())
                    .bind(i64::from(held.from_day))
                    .bind(held.until_day.map(i64::from))
                    .bind(held.key)
                    .bind(self.values.seal(value.as_bytes(), &sealed_at(kind, held.key, by)))
                    .bind(i64::from(held.is_number));
            }
            query.execute(&mut *tx).await.map_err(Error::database("write", "person_identifier"))?;
        }
        tx.commit().await.map_err(Error::database("write", "person_identifier"))?;

        let mut people = self.people.write();
        let these = people.entry(kind).or_default();
        for ((by, value, ..), held) in rows {
            these.hold(by, value, held);
        }
        Ok(unlinked)
    }

    /// Reads all identifiers when the store opens.
    pub(super) async fn load_identifiers(&self, people: &mut HashMap<PersonKind, super::People>) -> Result<(), Error> {
        type Stored = (String, String, i64, Option<i64>, i64, Vec<u8>, i64);
        let rows: Vec<Stored> = sqlx::query_as(
            "SELECT kind, identifier, from_day, until_day, person_key, value_sealed, is_number FROM person_identifier",
        )
        .fetch_all(self.database.read())
        .await
        .map_err(Error::database("read", "person_identifier"))?;
        for (kind, by, from_day, until_day, key, sealed, is_number) in rows {
            let kind = super::load::kind_from(&kind, "person_identifier")?;
            let damaged = |column| Error::Damaged { table: "person_identifier", column };
            let value = self.values.open(&sealed, &sealed_at(kind, key, &by)).ok().and_then(|it| String::from_utf8(it).ok());
            let value = value.ok_or(damaged("value_sealed"))?;
            let day = |it: i64| i32::try_from(it).map_err(|_| damaged("from_day"));
            let (from_day, until_day) = (day(from_day)?, until_day.map(day).transpose()?);
            let held = Held { key, from_day, until_day, is_number: is_number != 0 };
            people.entry(kind).or_default().hold(&by, &value, held);
        }
        let erased: Vec<(String, Vec<u8>)> = sqlx::query_as("SELECT kind, value_hmac FROM erased_identifier")
            .fetch_all(self.database.read())
            .await
            .map_err(Error::database("read", "erased_identifier"))?;
        for (kind, digest) in erased {
            let kind = super::load::kind_from(&kind, "erased_identifier")?;
            let digest = super::load::digest_from(digest, "erased_identifier")?;
            people.entry(kind).or_default().erased_identifiers.insert(digest);
        }
        Ok(())
    }
}

/// Names the person and kind a sealed identifier belongs to; never the place of a value of the same name.
fn sealed_at(kind: PersonKind, key: i64, by: &str) -> Vec<u8> {
    place(kind, key, &format!("identifier/{by}"))
}

impl super::People {
    /// Keeps whose an identifier is, in place of what the same row said before.
    fn hold(&mut self, by: &str, value: &str, held: Held) {
        let all = self.identifiers.entry(by.to_owned()).or_default().entry(value.to_owned()).or_default();
        all.retain(|it| (it.key, it.from_day) != (held.key, held.from_day));
        all.push(held);
        if held.is_number {
            self.key_of.entry(value.to_owned()).or_insert(held.key);
        }
    }

    /// Forgets the identifiers and the numbers of a person.
    pub(super) fn forget_identifiers(&mut self, key: i64) {
        for by in self.identifiers.values_mut() {
            by.retain(|_, held| {
                held.retain(|it| it.key != key);
                !held.is_empty()
            });
        }
        self.key_of.retain(|_, it| *it != key);
    }
}
