//! People in the data: which kinds there are, and the two promises the vault makes to the door.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Kinds of persons whose numbers the door turns into keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PersonKind {
    /// A student (学号).
    Student,
    /// A member of staff (工号).
    Staff,
}

impl PersonKind {
    /// The column that carries this kind's key in every table: `student_key` or `staff_key`.
    pub fn key_column(self) -> &'static str {
        match self {
            PersonKind::Student => "student_key",
            PersonKind::Staff => "staff_key",
        }
    }
}

impl fmt::Display for PersonKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PersonKind::Student => "student",
            PersonKind::Staff => "staff",
        })
    }
}

/// What the vault says of a person's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// The pseudonymous key: a 15-digit integer.
    Key(i64),
    /// The person was erased; the row must be dropped and counted, never keyed again.
    Erased,
}

/// Why the vault could not answer; the door passes it on and changes nothing.
pub type VaultError = Box<dyn StdError + Send + Sync>;

/// Turns numbers into keys. Implemented by the vault, used by the door, which never sees a key it has no right to mint.
pub trait Pseudonyms: Send + Sync {
    /// Returns what is known of every number, minting keys for those never seen.
    ///
    /// Numbers come normalised and already matched against the campus' pattern. The vault has committed durably
    /// when this returns, so a key that reached a row is never lost.
    ///
    /// # Errors
    /// If the vault cannot be read or written.
    fn keys(&self, kind: PersonKind, ids: &[&str]) -> Result<HashMap<String, Known>, VaultError>;

    /// Keeps identifying values (name, telephone) of persons: they live in the vault only, never in the lake.
    ///
    /// `values` are `(key, column, value)`; a later value replaces an earlier one of the same column.
    ///
    /// # Errors
    /// If the vault cannot be written.
    fn remember(&self, kind: PersonKind, values: &[(i64, &str, &str)]) -> Result<(), VaultError>;
}

/// Encrypts what must not be readable on disk: rejected rows keep real numbers and names.
pub trait Seal: Send + Sync {
    /// Encrypts and authenticates bytes.
    fn seal(&self, plain: &[u8]) -> Vec<u8>;

    /// Opens what [`Seal::seal`] made.
    ///
    /// # Errors
    /// If the bytes were changed, or sealed under another key.
    fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, VaultError>;
}
