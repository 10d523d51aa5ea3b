//! Whose move it is when something fails.

/// Says who can do something about an error: every `Error` of the house answers with one.
///
/// Exit codes and HTTP statuses are made from it in two places only (`cli/src/exit.rs`, `serve/src/error.rs`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The caller asked for what cannot be, or gave a file that cannot be read: change the request.
    Caller,
    /// The world outside refused (disk, lock, network): trying again may help.
    World,
    /// A bug of ours.
    Us,
}
