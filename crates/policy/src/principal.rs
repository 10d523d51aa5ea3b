//! Who asks.

use crate::Scope;

/// A person or a request, in the one role that is active now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Account name, for the audit log.
    pub account: String,
    /// Active role: a file of `policies/`.
    pub role: String,
    /// What the account was granted. It narrows the role's scopes and never widens them; empty means the role's own.
    pub scopes: Vec<Scope>,
    /// What the reading is for; one of the role's purposes.
    pub purpose: String,
    /// Students whom a shift of the account is about now, for `on_call`; nobody off shift.
    pub on_call: Vec<i64>,
    /// Students who are the account's own, for rows of `clients`.
    pub clients: Vec<i64>,
    /// Key of the person behind the account: a staff key for `assigned`, a student key for `own`.
    pub person_key: Option<i64>,
}
