//! Facts on their way to the lake: coded states, numbered in the order they became visible.

use casework::{Event, Thread};
use serde::Serialize;
use sqlx::FromRow;

use super::{Cases, Tx, page_limit};
use crate::error::Error;
use crate::messages::{self, News};

/// The topic of what happens to cases.
const CASE_STATE: &str = "case_state";

/// The topic of what became of offers of the data.
pub(super) const CASE_OFFER: &str = "case_offer";

/// A fact that leaves for the lake.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Fact {
    /// Counts from 1 over all topics, in the order in which facts became visible.
    pub seq: i64,
    /// When it happened, in microseconds since 1970.
    pub at_us: i64,
    /// What kind of fact.
    pub topic: String,
    /// The fact as one JSON object of codes and numbers.
    pub body: String,
}

// No actor, no team, no owner: the lake learns how far a case is, not who is in it.
#[derive(Serialize)]
struct CaseState<'a> {
    thread_key: i64,
    student_key: i64,
    kind: &'static str,
    version: i64,
    step: &'static str,
    reason: &'a str,
    state: &'static str,
    severity: i64,
    level: &'static str,
    outcome: Option<&'static str>,
    reached: Option<&'static str>,
    // Instants, microseconds since 1970, under the names that they have in the lake.
    opened_at: Option<i64>,
    first_contact_at: Option<i64>,
    closed_at: Option<i64>,
    at: i64,
}

/// Adds the state of a case after an event, and the message that follows from it.
pub(super) async fn tell(tx: &mut Tx, after: &Thread, event: &Event) -> Result<(), Error> {
    if let Some(news) = News::of(after, &event.step) {
        messages::add(tx, after, &news, event.at_us).await?;
    }
    let body = CaseState {
        thread_key: after.thread_key,
        student_key: after.student_key,
        kind: after.kind.code(),
        version: after.version,
        step: event.step.code(),
        reason: event.reason.as_str(),
        state: after.state.code(),
        severity: after.severity.level(),
        level: after.level.code(),
        outcome: after.outcome.map(casework::Outcome::code),
        reached: after.reached.map(casework::Reached::code),
        opened_at: after.opened_us,
        first_contact_at: after.first_contact_us,
        closed_at: after.closed_us,
        at: event.at_us,
    };
    tell_of(tx, CASE_STATE, event.at_us, &body).await
}

/// Adds a fact of codes and numbers.
pub(super) async fn tell_of(tx: &mut Tx, topic: &str, at_us: i64, fact: &impl Serialize) -> Result<(), Error> {
    let body = serde_json::to_string(fact).expect("codes and integers become JSON");
    // A row of its own and no sequence: a sequence gives numbers that become visible out of order.
    let seq: i64 = sqlx::query_scalar(
        "INSERT INTO outbox_head (head, seq) VALUES ('head', 1) \
         ON CONFLICT (head) DO UPDATE SET seq = outbox_head.seq + 1 RETURNING seq",
    )
    .fetch_one(&mut **tx)
    .await
    .map_err(Error::database("write", "outbox_head"))?;
    sqlx::query("INSERT INTO outbox (seq, at_us, topic, body) VALUES ($1, $2, $3, $4)")
        .bind(seq)
        .bind(at_us)
        .bind(topic)
        .bind(&body)
        .execute(&mut **tx)
        .await
        .map(drop)
        .map_err(Error::database("write", "outbox"))
}

impl Cases {
    /// Returns facts of a topic after a position, oldest first; the reader commits the position with the rows.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn outbox(&self, topic: &str, after: i64, limit: usize) -> Result<Vec<Fact>, Error> {
        sqlx::query_as("SELECT seq, at_us, topic, body FROM outbox WHERE topic = $1 AND seq > $2 ORDER BY seq LIMIT $3")
            .bind(topic)
            .bind(after)
            .bind(page_limit(limit))
            .fetch_all(self.database.read())
            .await
            .map_err(Error::database("read", "outbox"))
    }

    /// Number of the newest fact of any topic; 0 before the first.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn outbox_head(&self) -> Result<i64, Error> {
        let seq: Option<i64> = sqlx::query_scalar("SELECT seq FROM outbox_head WHERE head = 'head'")
            .fetch_optional(self.database.read())
            .await
            .map_err(Error::database("read", "outbox_head"))?;
        Ok(seq.unwrap_or(0))
    }

    /// Removes facts of a topic that the lake has committed, up to a position; returns how many.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn forget_facts(&self, topic: &str, until: i64) -> Result<u64, Error> {
        let mut tx = self.database.begin("outbox").await?;
        let removed = sqlx::query("DELETE FROM outbox WHERE topic = $1 AND seq <= $2")
            .bind(topic)
            .bind(until)
            .execute(&mut *tx)
            .await
            .map_err(Error::database("write", "outbox"))?
            .rows_affected();
        tx.commit().await.map_err(Error::database("write", "outbox"))?;
        Ok(removed)
    }
}
