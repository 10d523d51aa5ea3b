//! Settings of the doors of the stream that are no HTTP; `default.toml` says what each is for.

use std::path::PathBuf;

use serde::Deserialize;

/// `[stream.drop]`: a folder into which devices and scripts put files.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DropFolder {
    /// The folder, relative to the project; empty for none.
    pub(crate) folder: PathBuf,
    /// A file that was not touched for so long is whole.
    pub(crate) quiet_seconds: u64,
    /// How long files that were taken stay in `done/`; 0 removes them at once.
    pub(crate) done_days: u32,
}
