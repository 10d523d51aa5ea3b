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

/// A further number by which a person is known for a time: a card, a candidate's number, a number after a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identifier<'a> {
    /// Whose it is.
    pub key: i64,
    /// Kind of identifier, as `by` of a column names it: `card`.
    pub by: &'a str,
    /// The identifier, normalised.
    pub value: &'a str,
    /// First day, in days since 1970.
    pub from_day: i32,
    /// Last day; `None` while it is valid.
    pub until_day: Option<i32>,
    /// Whether it is a number of the same sort as the person's own: whoever gives it means this person, at any time.
    pub is_number: bool,
}

/// Whose an identifier was from one day to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// First day, in days since 1970.
    pub from_day: i32,
    /// Last day.
    pub until_day: i32,
    /// Who.
    pub who: Known,
}

impl Holder {
    /// The one who held an identifier on a day: of several the newest, and none if two took it up on the same day.
    pub fn on(holders: &[Holder], day: i32) -> Option<usize> {
        let then = || holders.iter().enumerate().filter(|(_, it)| it.from_day <= day && day <= it.until_day);
        let (at, newest) = then().max_by_key(|(_, it)| it.from_day)?;
        let is_shared = then().any(|(_, it)| it.from_day == newest.from_day && it.who != newest.who);
        (!is_shared).then_some(at)
    }
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

    /// Returns who held an identifier, and when; nobody if it was never told.
    ///
    /// # Errors
    /// If the vault cannot be read.
    fn holders(&self, kind: PersonKind, by: &str, value: &str) -> Result<Vec<Holder>, VaultError>;

    /// Keeps whose identifiers are, and returns how many could not be kept: numbers that are another person's already.
    ///
    /// # Errors
    /// If the vault cannot be written.
    fn identify(&self, kind: PersonKind, identifiers: &[Identifier<'_>]) -> Result<u64, VaultError>;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_the_newest_holders_and_nobodys_when_two_took_it_up_on_one_day() {
        let holder = |from_day, until_day, key| Holder { from_day, until_day, who: Known::Key(key) };
        let holders = [holder(0, 99, 1), holder(50, i32::MAX, 2), holder(200, 210, 3), holder(200, 205, 4)];
        for (day, expected) in
            [(-1, None), (0, Some(0)), (49, Some(0)), (50, Some(1)), (199, Some(1)), (200, None), (207, Some(2))]
        {
            assert_eq!(Holder::on(&holders, day), expected, "day {day}");
        }
    }
}
