//! What can be wrong with what is handed in, before any rule is asked.

use schema::Blame;

/// Why something is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A reason or result is a sentence where a code belongs.
    #[error("\"{word}\" is no code: a-z, 0-9 and _, 1 to 64 bytes")]
    NoCode {
        /// What was given, cut.
        word: String,
    },
    /// A severity outside 0 to 4.
    #[error("severity {level} is not one of 0 to 4")]
    NoSeverity {
        /// What was given.
        level: i64,
    },
    /// Counts, times or parts of a record contradict each other.
    #[error("{record}: {why}")]
    Inconsistent {
        /// The record.
        record: &'static str,
        /// What does not fit.
        why: &'static str,
    },
}

impl Error {
    /// Says whose move it is: what is handed in is the caller's.
    pub fn blame(&self) -> Blame {
        Blame::Caller
    }
}
