//! Keys for numbers never seen, and the erasure of those that must not be seen again.

use std::collections::{HashMap, HashSet};

use schema::{Known, PersonKind};
use sqlx::{Any, AssertSqlSafe, Transaction};

use super::load::digest_from;
use super::{Inner, Vault, place};
use crate::database::{ROWS_A_STATEMENT, values};
use crate::error::Error;
use crate::key_file::Digest;
use crate::mint::Draws;

/// A number on its way to a key.
struct Candidate<'a> {
    number: &'a str,
    digest: Digest,
}

impl Vault {
    /// Forgets a person and remembers only that the number must never be keyed again; returns the key it had.
    ///
    /// A number that was never seen can be erased too. What the lake holds under the key is not touched here.
    ///
    /// # Errors
    /// If the vault cannot be written.
    pub async fn erase_number(&self, kind: PersonKind, number: &str) -> Result<Option<i64>, Error> {
        let inner = &self.inner;
        let _changing = inner.changing.lock().await;
        // A person with several numbers is forgotten under all of them, whichever was given.
        let (known, held) = {
            let people = inner.people.read();
            let these = people.get(&kind);
            let known = these.and_then(|it| it.key_of.get(number)).copied();
            let held: Vec<(String, String, bool)> = these
                .into_iter()
                .flat_map(|it| &it.identifiers)
                .flat_map(|(by, values)| values.iter().map(move |(value, held)| (by, value, held)))
                .flat_map(|(by, value, held)| held.iter().map(move |it| (by, value, it)))
                .filter(|(.., it)| Some(it.key) == known)
                .map(|(by, value, it)| (by.clone(), value.clone(), it.is_number))
                .collect();
            (known, held)
        };
        let own = known.map(|key| inner.number_on(key, kind)).unwrap_or_default();
        let numbers = held.iter().filter(|(.., is_number)| *is_number).map(|(_, value, _)| value.clone());
        let numbers: HashSet<String> = numbers.chain(own).chain([number.to_owned()]).collect();
        let digests: Vec<Digest> = numbers.iter().map(|it| inner.number_hmac(kind, it)).collect();
        let identifiers: Vec<(&str, Digest)> =
            held.iter().map(|(by, value, _)| (by.as_str(), inner.identifier_hmac(kind, by, value))).collect();

        let mut tx = inner.database.begin("erased_number").await?;
        for digest in &digests {
            sqlx::query("INSERT INTO erased_number (kind, number_hmac) VALUES ($1, $2) ON CONFLICT DO NOTHING")
                .bind(kind.to_string())
                .bind(digest.as_slice())
                .execute(&mut *tx)
                .await
                .map_err(Error::database("write", "erased_number"))?;
        }
        for (by, digest) in &identifiers {
            sqlx::query(
                "INSERT INTO erased_identifier (kind, identifier, value_hmac) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            )
            .bind(kind.to_string())
            .bind(*by)
            .bind(digest.as_slice())
            .execute(&mut *tx)
            .await
            .map_err(Error::database("write", "erased_identifier"))?;
        }
        // The values and identifiers go with the person: the foreign keys cascade.
        let mut key = None;
        for digest in &digests {
            let gone: Option<i64> =
                sqlx::query_scalar("DELETE FROM person WHERE kind = $1 AND number_hmac = $2 RETURNING person_key")
                    .bind(kind.to_string())
                    .bind(digest.as_slice())
                    .fetch_optional(&mut *tx)
                    .await
                    .map_err(Error::database("write", "person"))?;
            key = key.or(gone);
        }
        tx.commit().await.map_err(Error::database("write", "erased_number"))?;

        let mut people = inner.people.write();
        let these = people.entry(kind).or_default();
        these.erased.extend(digests);
        these.erased_identifiers.extend(identifiers.into_iter().map(|(_, digest)| digest));
        if let Some(key) = key {
            these.forget_identifiers(key);
            these.keys.remove(&key);
            these.values.remove(&key);
        }
        Ok(key)
    }
}

impl Inner {
    /// The numbers in memory that stand for a key.
    fn number_on(&self, key: i64, kind: PersonKind) -> Vec<String> {
        let people = self.people.read();
        let numbers = people.get(&kind).into_iter().flat_map(|it| &it.key_of);
        numbers.filter(|(_, it)| **it == key).map(|(number, _)| number.clone()).collect()
    }

    /// Returns what memory knows, and the numbers it does not, each once.
    pub(super) fn look_up<'a>(&self, kind: PersonKind, numbers: &[&'a str]) -> (HashMap<String, Known>, Vec<&'a str>) {
        let people = self.people.read();
        let mut known = HashMap::with_capacity(numbers.len());
        let mut missing = Vec::new();
        let mut seen = HashSet::new();
        for &number in numbers {
            let these = people.get(&kind);
            if let Some(&key) = these.and_then(|it| it.key_of.get(number)) {
                known.insert(number.to_owned(), Known::Key(key));
            } else if seen.insert(number) {
                // Only numbers without a key are worth a fingerprint: the erased are few.
                let is_erased =
                    these.is_some_and(|it| !it.erased.is_empty() && it.erased.contains(&self.number_hmac(kind, number)));
                if is_erased {
                    known.insert(number.to_owned(), Known::Erased);
                } else {
                    missing.push(number);
                }
            }
        }
        (known, missing)
    }

    /// Mints keys in one transaction, and returns what is known once it is durable.
    pub(super) async fn mint(&self, kind: PersonKind, numbers: &[&str]) -> Result<HashMap<String, Known>, Error> {
        let _changing = self.changing.lock().await;
        // Somebody else may have minted some of them while we waited for our turn.
        let (mut known, missing) = self.look_up(kind, numbers);
        if missing.is_empty() {
            return Ok(known);
        }

        let mut tx = self.database.begin("person").await?;
        let candidates: Vec<Candidate> =
            missing.iter().map(|&number| Candidate { number, digest: self.number_hmac(kind, number) }).collect();
        // So may another process, of which memory knows nothing.
        let elsewhere = self.known_elsewhere(&mut tx, kind, &candidates).await?;

        let mut taken: HashSet<i64> = HashSet::new();
        let mut fresh: Vec<(&Candidate, i64)> = Vec::new();
        {
            let people = self.people.read();
            let keys = people.get(&kind).map(|it| &it.keys);
            for candidate in candidates.iter().filter(|it| !elsewhere.contains_key(&it.digest)) {
                let mut draws = Draws::new(self.mint, &self.mint_key, kind, candidate.number);
                let mut key = draws.draw()?;
                while keys.is_some_and(|it| it.contains(&key)) || !taken.insert(key) {
                    key = draws.draw()?;
                }
                fresh.push((candidate, key));
            }
        }
        self.insert(&mut tx, kind, &fresh).await?;
        tx.commit().await.map_err(Error::database("write", "person"))?;

        let mut people = self.people.write();
        let these = people.entry(kind).or_default();
        let found = candidates.iter().filter_map(|it| Some((it, *elsewhere.get(&it.digest)?)));
        for (candidate, what) in fresh.iter().map(|&(it, key)| (it, Known::Key(key))).chain(found) {
            match what {
                Known::Key(key) => {
                    these.keys.insert(key);
                    these.key_of.insert(candidate.number.to_owned(), key);
                }
                Known::Erased => {
                    these.erased.insert(candidate.digest);
                }
            }
            known.insert(candidate.number.to_owned(), what);
        }
        Ok(known)
    }

    async fn known_elsewhere(
        &self,
        tx: &mut Transaction<'static, Any>,
        kind: PersonKind,
        candidates: &[Candidate<'_>],
    ) -> Result<HashMap<Digest, Known>, Error> {
        let mut known = HashMap::new();
        for chunk in candidates.chunks(ROWS_A_STATEMENT) {
            let places = values(2, 1, chunk.len());

            let sql = format!("SELECT number_hmac, person_key FROM person WHERE kind = $1 AND number_hmac IN {places}");
            let mut query = sqlx::query_as::<_, (Vec<u8>, i64)>(AssertSqlSafe(sql)).bind(kind.to_string());
            for candidate in chunk {
                query = query.bind(candidate.digest.as_slice());
            }
            for (digest, key) in query.fetch_all(&mut **tx).await.map_err(Error::database("read", "person"))? {
                known.insert(digest_from(digest, "person")?, Known::Key(key));
            }

            let sql = format!("SELECT number_hmac FROM erased_number WHERE kind = $1 AND number_hmac IN {places}");
            let mut query = sqlx::query_scalar::<_, Vec<u8>>(AssertSqlSafe(sql)).bind(kind.to_string());
            for candidate in chunk {
                query = query.bind(candidate.digest.as_slice());
            }
            for digest in query.fetch_all(&mut **tx).await.map_err(Error::database("read", "erased_number"))? {
                known.insert(digest_from(digest, "erased_number")?, Known::Erased);
            }
        }
        Ok(known)
    }

    async fn insert(
        &self,
        tx: &mut Transaction<'static, Any>,
        kind: PersonKind,
        fresh: &[(&Candidate<'_>, i64)],
    ) -> Result<(), Error> {
        for chunk in fresh.chunks(ROWS_A_STATEMENT) {
            let places = values(1, chunk.len(), 4);
            let sql = format!("INSERT INTO person (kind, person_key, number_hmac, number_sealed) VALUES {places}");
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for (candidate, key) in chunk {
                query = query
                    .bind(kind.to_string())
                    .bind(key)
                    .bind(candidate.digest.as_slice())
                    .bind(self.values.seal(candidate.number.as_bytes(), &place(kind, *key, "")));
            }
            query.execute(&mut **tx).await.map_err(Error::database("write", "person"))?;
        }
        Ok(())
    }
}
