//! What is written down about every query.

use std::time::Duration;

use async_trait::async_trait;

use crate::error::Cause;

/// A query about to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Number of the query, shown to whoever asked when it fails.
    pub query_id: String,
    /// Account of the principal.
    pub account: String,
    /// Active role.
    pub role: String,
    /// Purpose.
    pub purpose: String,
    /// The text as it came.
    pub sql: String,
    /// Tables that the plan reads, sorted; empty when the text could not be planned.
    pub tables: Vec<String>,
    /// Fingerprint of the policy in force.
    pub policy_hash: String,
}

/// How a query ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// Rows handed out.
    pub rows: usize,
    /// SQLSTATE of the failure; `None` if there was none.
    pub sqlstate: Option<&'static str>,
    /// Full text of the failure, which may quote values: for the audit log and nobody else.
    pub detail: Option<String>,
    /// Time from the question to the end of the rows.
    pub took: Duration,
}

/// Where queries are written down: the hash-chained log of the store.
#[async_trait]
pub trait Audit: Send + Sync {
    /// Writes down that a query is about to run. If it cannot, the query is refused.
    ///
    /// # Errors
    /// If nothing could be written.
    async fn asked(&self, asked: &Asked) -> Result<(), Cause>;

    /// Takes note of how a query ended. Must not block: it is called where rows are handed out.
    fn answered(&self, asked: &Asked, answered: &Answered);
}

/// Writes to the operators' log only; for tools and tests.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogOnly;

#[async_trait]
impl Audit for LogOnly {
    async fn asked(&self, asked: &Asked) -> Result<(), Cause> {
        tracing::info!(query_id = asked.query_id, account = asked.account, role = asked.role, "query");
        Ok(())
    }

    fn answered(&self, asked: &Asked, answered: &Answered) {
        match &answered.sqlstate {
            None => tracing::info!(query_id = asked.query_id, rows = answered.rows, "answered"),
            Some(sqlstate) => tracing::warn!(query_id = asked.query_id, sqlstate, detail = answered.detail, "failed"),
        }
    }
}
