//! Queries of people, written into the hash-chained audit log before they run.

use async_trait::async_trait;
use policy::{Answered, Asked, Cause};
use store::{AuditEvent, Store};

/// Writes what sessions ask into the store's audit chain; where it cannot be written the query does not run.
#[derive(Clone)]
pub struct StoreAudit {
    store: Store,
}

impl StoreAudit {
    /// An audit log in a store.
    pub fn new(store: Store) -> Self {
        Self { store }
    }
}

#[async_trait]
impl policy::Audit for StoreAudit {
    async fn asked(&self, asked: &Asked) -> Result<(), Cause> {
        let event = AuditEvent {
            action: "query".to_owned(),
            actor: asked.account.clone(),
            at_us: chrono::Utc::now().timestamp_micros(),
            outcome: "asked".to_owned(),
            purpose: Some(asked.purpose.clone()),
            resource: format!("{}: {}", asked.query_id, asked.tables.join(", ")),
            role: asked.role.clone(),
            row_count: None,
            session: None,
        };
        self.store.audit().append(event).await?;
        Ok(())
    }

    fn answered(&self, asked: &Asked, answered: &Answered) {
        if let Some(detail) = &answered.detail {
            tracing::warn!(query_id = asked.query_id, sqlstate = answered.sqlstate, detail, "a query failed");
        }
    }
}
