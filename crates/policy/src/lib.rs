//! Who may see what: from a principal to a session in which only permitted rows and columns exist.
//!
//! In: policies as TOML ([`Policies`]), unsecured tables ([`Tables`]), a [`Principal`]. Out: a [`Session`] that answers
//! SQL. Knows nothing of HTTP, files of the lake, or the store; `serve` and `cli` call it, `engine`'s tables are handed
//! to it. Every read by a person or a request goes through here.

mod audit;
mod barrier;
mod catalog;
mod check;
mod error;
mod explanation;
mod fault;
mod leakproof;
mod mask;
mod masking;
mod pattern;
mod policies;
mod principal;
mod resolver;
mod role;
mod rows;
mod scope;
mod secured;
mod session;
mod sessions;
mod stores;
mod students;
mod tables;

pub use audit::{Answered, Asked, Audit, LogOnly};
pub use barrier::BarrierExec;
pub use catalog::{CATALOG, SCHEMA};
pub use check::{Finding, check, check_tables};
pub use error::{Cause, Error};
pub use explanation::{ColumnExplanation, Explanation, explain};
pub use mask::Mask;
pub use policies::Policies;
pub use principal::Principal;
pub use resolver::{Register, ScopeResolver, StudentScopes};
pub use role::{ADMINISTRATOR, Claim, Expected, Role, RowRule, Rule, Sight};
pub use rows::Rows;
pub use scope::Scope;
pub use secured::{MASK_KEY, SecuredTable};
pub use session::{LookedUp, Session};
pub use sessions::{Config, Functions, Parts, Sessions};
pub use students::{KeySet, Scoped};
pub use tables::{Company, LookUp, TableEntry, Tables};
