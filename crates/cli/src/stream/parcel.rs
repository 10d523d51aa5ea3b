//! What a door hands to the doorstep, whatever way it came.

use std::path::PathBuf;

use ::ingest::PushForm;
use serde::{Deserialize, Serialize};

/// Rows of one pipeline that enter as one: all in the log, or none.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) cargo: Cargo,
    /// Under which it is known again.
    pub(super) key: Option<String>,
    /// Where a source that can be read again stands after it; such a parcel is known again by this alone.
    pub(super) reached: Option<Reached>,
}

/// The bytes, and what they are.
#[derive(Debug)]
pub(super) enum Cargo {
    /// The body of a request.
    Pushed(PushForm, Vec<u8>),
    /// A file as the contract says; `hash` is that of its bytes.
    File { path: PathBuf, name: String, hash: String },
    /// Messages of a broker, each one event, an array of them, or lines.
    Messages(Vec<Vec<u8>>),
}

/// A position in a source that can be read again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reached {
    /// `<source>/<shard>`, as it stands in the table's commits.
    pub(crate) source: String,
    pub(crate) position: i64,
    /// When that source was made: one that was made anew counts from one again. Where a source does not say, the instant of
    /// the message at the position: in one that was made anew another one stands there.
    pub(crate) born_us: i64,
    /// The instant of the message at the position, where the birth of the source does not say whether it is still that one: a
    /// source that was put back from an earlier day is as old as before. Positions of before this was kept have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) at_us: Option<i64>,
}

impl Reached {
    /// Under what the birth of a source stands in the table's commits.
    pub(crate) fn birth(source: &str) -> String {
        format!("{source}#born")
    }

    /// Under what the instant of its last message stands there.
    pub(crate) fn instant(source: &str) -> String {
        format!("{source}#at")
    }
}

impl Cargo {
    /// The same bytes have the same hash.
    pub(super) fn hash(&self) -> String {
        match self {
            Cargo::Pushed(_, body) => ::ingest::hash_bytes(body),
            Cargo::File { hash, .. } => hash.clone(),
            Cargo::Messages(messages) => {
                // With their lengths: `a`, `bc` are other messages than `ab`, `c`.
                let hashes: Vec<String> = messages.iter().map(|it| ::ingest::hash_bytes(it)).collect();
                ::ingest::hash_bytes(hashes.join(" ").as_bytes())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_the_same_only_if_they_are_cut_alike() {
        let hash = |texts: &[&str]| Cargo::Messages(texts.iter().map(|it| it.as_bytes().to_vec()).collect()).hash();
        assert_eq!(hash(&["a", "bc"]), hash(&["a", "bc"]));
        assert_ne!(hash(&["a", "bc"]), hash(&["ab", "c"]));
        assert_ne!(hash(&["a"]), hash(&["a", "a"]));
    }
}
