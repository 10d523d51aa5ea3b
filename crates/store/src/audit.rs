//! Who read or changed what: rows that are only ever added, each holding the hash of the one before.
//!
//! Changing or removing a row breaks the chain at that row. Cutting off the tail, or writing the whole chain anew,
//! breaks at the head, which is authenticated under the key file.

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use sqlx::{Any, AssertSqlSafe, FromRow, Transaction};
use tokio::sync::oneshot;

use crate::database::{Database, ROWS_A_STATEMENT, values};
use crate::error::Error;
use crate::key_file::{Digest, hmac};
use crate::store::hex;

/// Rows read at a time while the chain is checked.
const PAGE: i64 = 1_000;

/// What the first row follows.
const GENESIS: Digest = [0; 32];

const ROW: &str = "SELECT seq, at_us, actor, role, session, action, resource, purpose, row_count, outcome, hash \
                   FROM audit_event WHERE seq > $1 ORDER BY seq LIMIT $2";

/// Something that was done or refused.
// The fields stand in the order of the alphabet, which is the order of the canonical JSON that is hashed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, FromRow)]
pub struct AuditEvent {
    /// What was done, as one word: `read`, `export`, `login`.
    pub action: String,
    /// Who did it: an account, or the system.
    pub actor: String,
    /// When, in microseconds since 1970.
    pub at_us: i64,
    /// How it ended: `ok`, `refused`.
    pub outcome: String,
    /// What for, where a purpose is asked.
    pub purpose: Option<String>,
    /// What it was done to: a table, a student's key, a case.
    pub resource: String,
    /// The role that was active.
    pub role: String,
    /// How many rows it touched.
    pub row_count: Option<i64>,
    /// Which session, by something that is not its token.
    pub session: Option<String>,
}

/// An event with its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// Counts from 1 without gaps.
    pub seq: i64,
    /// What happened.
    pub event: AuditEvent,
    /// The hash of this row and all before it, as hexadecimal digits.
    pub hash: String,
}

#[derive(FromRow)]
struct Stored {
    seq: i64,
    #[sqlx(flatten)]
    event: AuditEvent,
    hash: Vec<u8>,
}

#[derive(Serialize)]
struct Canonical<'a> {
    event: &'a AuditEvent,
    seq: i64,
}

/// Adds to the audit log and checks it; there is no way to change it.
#[derive(Clone)]
pub struct Audit {
    database: Database,
    head_key: Digest,
    waiting: Arc<Mutex<Waiting>>,
}

/// Events that are not written yet. Whatever comes while one transaction is synced goes into the next one together: a
/// page that asks eight questions waits for two or three syncs, not for nine.
#[derive(Default)]
pub(crate) struct Waiting {
    events: Vec<(AuditEvent, oneshot::Sender<Told>)>,
    has_writer: bool,
}

/// The place of an event, or why none of those that were written together has one.
type Told = Result<i64, Arc<Error>>;

impl Audit {
    pub(crate) fn new(database: Database, head_key: Digest, waiting: Arc<Mutex<Waiting>>) -> Self {
        Self { database, head_key, waiting }
    }

    /// Adds an event durably, and returns its place.
    ///
    /// Goes on after a broken chain, which stays broken: a log that stops would hide what comes next. An event is written
    /// even if the caller goes away meanwhile.
    ///
    /// # Errors
    /// If the store cannot be written: then what was to be logged must not happen.
    pub async fn append(&self, event: AuditEvent) -> Result<i64, Error> {
        let (told, answer) = oneshot::channel();
        let has_writer = {
            let mut waiting = self.waiting.lock();
            waiting.events.push((event, told));
            std::mem::replace(&mut waiting.has_writer, true)
        };
        if !has_writer {
            // A task of its own: the events of others must not depend on whether this caller stays.
            let turn = Turn { waiting: Arc::clone(&self.waiting), is_over: false };
            let audit = self.clone();
            tokio::spawn(async move { audit.write_waiting(turn).await });
        }
        match answer.await {
            Ok(Ok(seq)) => Ok(seq),
            Ok(Err(source)) => Err(Error::Together(source)),
            Err(cut_off) => Err(Error::CutOff(Box::new(cut_off))),
        }
    }

    /// Writes what waits, transaction after transaction, until nothing does.
    async fn write_waiting(&self, mut turn: Turn) {
        while let Some(waiting) = turn.next() {
            let (events, told): (Vec<_>, Vec<_>) = waiting.into_iter().unzip();
            let written = self.write(&events).await.map_err(Arc::new);
            for (place, told) in (0..).zip(told) {
                // Whoever no longer listens is not told.
                let _ = told.send(written.clone().map(|first| first + place));
            }
        }
    }

    /// Adds events in one transaction, and returns the place of the first.
    async fn write(&self, events: &[AuditEvent]) -> Result<i64, Error> {
        let mut tx = self.database.begin("audit_event").await?;
        let last: Option<(i64, Vec<u8>)> = sqlx::query_as("SELECT seq, hash FROM audit_event ORDER BY seq DESC LIMIT 1")
            .fetch_optional(&mut *tx)
            .await
            .map_err(Error::database("read", "audit_event"))?;
        let (first, mut hash) = match last {
            Some((seq, hash)) => (seq + 1, digest_from(&hash, "audit_event")?),
            None => (1, GENESIS),
        };
        let mut head = kept_head(&mut tx).await?.unwrap_or(GENESIS);
        let mut seq = first;
        for chunk in events.chunks(ROWS_A_STATEMENT) {
            let sql = format!(
                "INSERT INTO audit_event (seq, at_us, actor, role, session, action, resource, purpose, row_count, outcome, \
                 hash) VALUES {}",
                values(1, chunk.len(), 11)
            );
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for event in chunk {
                hash = chain(&hash, seq, event);
                head = self.head(&head, &hash);
                query = query
                    .bind(seq)
                    .bind(event.at_us)
                    .bind(&event.actor)
                    .bind(&event.role)
                    .bind(&event.session)
                    .bind(&event.action)
                    .bind(&event.resource)
                    .bind(&event.purpose)
                    .bind(event.row_count)
                    .bind(&event.outcome)
                    .bind(hash.to_vec());
                seq += 1;
            }
            query.execute(&mut *tx).await.map_err(Error::database("write", "audit_event"))?;
        }
        sqlx::query(
            "INSERT INTO audit_head (head, hash_hmac) VALUES ('head', $1) \
             ON CONFLICT (head) DO UPDATE SET hash_hmac = excluded.hash_hmac",
        )
        .bind(head.as_slice())
        .execute(&mut *tx)
        .await
        .map_err(Error::database("write", "audit_head"))?;
        tx.commit().await.map_err(Error::database("write", "audit_event"))?;
        Ok(first)
    }

    /// Returns events after a place, oldest first.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn list(&self, after: i64, limit: usize) -> Result<Vec<AuditRow>, Error> {
        let mut tx = self.snapshot().await?;
        let rows = page(&mut tx, after, i64::try_from(limit).unwrap_or(i64::MAX)).await?;
        Ok(rows.into_iter().map(|it| AuditRow { seq: it.seq, event: it.event, hash: hex(&it.hash) }).collect())
    }

    /// Checks the whole chain, and returns how many events it has.
    ///
    /// # Errors
    /// [`Error::AuditBroken`] with the first event that does not fit: it was changed, or one before it is missing.
    /// The newest event, or 0 when there is none, stands for the head: events were cut off or added behind our back.
    /// Otherwise if the store cannot be read.
    pub async fn verify(&self) -> Result<i64, Error> {
        // One snapshot: events that are added meanwhile belong to a later check.
        let mut tx = self.snapshot().await?;
        let mut seq = 0;
        let mut hash = GENESIS;
        let mut head = None;
        loop {
            let rows = page(&mut tx, seq, PAGE).await?;
            if rows.is_empty() {
                break;
            }
            for row in rows {
                seq += 1;
                hash = chain(&hash, seq, &row.event);
                if row.seq != seq || row.hash != hash {
                    return Err(Error::AuditBroken { seq });
                }
                head = Some(self.head(&head.unwrap_or(GENESIS), &hash));
            }
        }
        if kept_head(&mut tx).await? != head {
            return Err(Error::AuditBroken { seq });
        }
        Ok(seq)
    }

    /// Moves the head on by one row. It holds every row that was ever added, so whoever cuts or adds some without the
    /// key leaves a head that never fits again.
    fn head(&self, previous: &Digest, hash: &Digest) -> Digest {
        hmac(&self.head_key, &[previous, hash])
    }

    async fn snapshot(&self) -> Result<Transaction<'static, Any>, Error> {
        self.database.snapshot("audit_event").await
    }
}

async fn page(tx: &mut Transaction<'static, Any>, after: i64, limit: i64) -> Result<Vec<Stored>, Error> {
    sqlx::query_as(ROW).bind(after).bind(limit).fetch_all(&mut **tx).await.map_err(Error::database("read", "audit_event"))
}

async fn kept_head(tx: &mut Transaction<'static, Any>) -> Result<Option<Digest>, Error> {
    let kept: Option<Vec<u8>> = sqlx::query_scalar("SELECT hash_hmac FROM audit_head")
        .fetch_optional(&mut **tx)
        .await
        .map_err(Error::database("read", "audit_head"))?;
    kept.map(|it| digest_from(&it, "audit_head")).transpose()
}

impl fmt::Debug for Audit {
    // Written by hand so that no log ever shows the key of the head.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Audit").finish_non_exhaustive()
    }
}

/// The right to write what waits. However it ends, the next event finds it free, and nobody waits for ever.
struct Turn {
    waiting: Arc<Mutex<Waiting>>,
    is_over: bool,
}

impl Turn {
    /// Takes all that waits; `None`, and the right is given back, when nothing does.
    fn next(&mut self) -> Option<Vec<(AuditEvent, oneshot::Sender<Told>)>> {
        let mut waiting = self.waiting.lock();
        let events = std::mem::take(&mut waiting.events);
        self.is_over = events.is_empty();
        waiting.has_writer = !self.is_over;
        waiting.has_writer.then_some(events)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // A runtime that ends in the middle: those who wait hear it from their channel.
        if !self.is_over {
            *self.waiting.lock() = Waiting::default();
        }
    }
}

/// Hashes a row onto the chain.
fn chain(previous: &Digest, seq: i64, event: &AuditEvent) -> Digest {
    let canonical = serde_json::to_vec(&Canonical { event, seq }).expect("texts and integers become JSON");
    Sha256::new().chain_update(previous).chain_update(canonical).finalize().into()
}

fn digest_from(bytes: &[u8], table: &'static str) -> Result<Digest, Error> {
    bytes.try_into().map_err(|_| Error::Damaged { table, column: "hash" })
}
