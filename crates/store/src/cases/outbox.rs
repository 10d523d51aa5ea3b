//! Facts on their way to the lake: coded states, numbered in the order they became visible.

use casework::{Event, Thread};
use serde::Serialize;
use sqlx::FromRow;

use super::{Cases, Tx, page_limit};
use crate::error::Error;

/// The topic of what happens to cases.
const CASE_STATE: &str = "case_state";

/// A fact that leaves for the lake.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Fact {
    /// Counts from 1 without gaps.
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
    opened_us: Option<i64>,
    first_contact_us: Option<i64>,
    closed_us: Option<i64>,
    at_us: i64,
}

/// Adds the state of a case after an event.
pub(super) async fn tell(tx: &mut Tx, after: &Thread, event: &Event) -> Result<(), Error> {
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
        opened_us: after.opened_us,
        first_contact_us: after.first_contact_us,
        closed_us: after.closed_us,
        at_us: event.at_us,
    };
    let body = serde_json::to_string(&body).expect("codes and integers become JSON");
    add(tx, CASE_STATE, event.at_us, &body).await
}

async fn add(tx: &mut Tx, topic: &str, at_us: i64, body: &str) -> Result<(), Error> {
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
        .bind(body)
        .execute(&mut **tx)
        .await
        .map(drop)
        .map_err(Error::database("write", "outbox"))
}

impl Cases {
    /// Returns facts after a position, oldest first; the reader commits the position with the rows.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn outbox(&self, after: i64, limit: usize) -> Result<Vec<Fact>, Error> {
        sqlx::query_as("SELECT seq, at_us, topic, body FROM outbox WHERE seq > $1 ORDER BY seq LIMIT $2")
            .bind(after)
            .bind(page_limit(limit))
            .fetch_all(self.database.read())
            .await
            .map_err(Error::database("read", "outbox"))
    }

    /// Removes facts that the lake has committed, up to a position; returns how many.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn forget_facts(&self, until: i64) -> Result<u64, Error> {
        let mut tx = self.database.begin("outbox").await?;
        let removed = sqlx::query("DELETE FROM outbox WHERE seq <= $1")
            .bind(until)
            .execute(&mut *tx)
            .await
            .map_err(Error::database("write", "outbox"))?
            .rows_affected();
        tx.commit().await.map_err(Error::database("write", "outbox"))?;
        Ok(removed)
    }
}
