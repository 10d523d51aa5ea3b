//! How sensitive a column is, and what follows from it.

use serde::{Deserialize, Serialize};

/// Classification of a column, least protected first (数据分级).
///
/// The order is the rule "a derived column is never less protected than its inputs": the class of an expression is the
/// highest of the classes it reads. A role reads columns up to its clearance; higher ones are masked or absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// May be published (1级).
    Public,
    /// Of the university's own work, no person in it (2级).
    Internal,
    /// About a person, of no special sensitivity: college, grade, class (3级).
    Personal,
    /// Sensitive: traces of place and time, money, health of habits (4级, 敏感).
    Trace,
    /// Psychology, aid, discipline, free text: closed unless a policy names it.
    Closed,
    /// A real name, number or telephone: lives in the vault, never in the lake.
    Identity,
}

impl Class {
    /// The word used in TOML, SQL, JSON and column metadata.
    pub fn as_str(self) -> &'static str {
        match self {
            Class::Public => "public",
            Class::Internal => "internal",
            Class::Personal => "personal",
            Class::Trace => "trace",
            Class::Closed => "closed",
            Class::Identity => "identity",
        }
    }

    /// Reads the word written by [`Class::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        [Class::Public, Class::Internal, Class::Personal, Class::Trace, Class::Closed, Class::Identity]
            .into_iter()
            .find(|it| it.as_str() == word)
    }
}
