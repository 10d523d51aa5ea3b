//! API and web app.

mod audit;

pub use audit::StoreAudit;
