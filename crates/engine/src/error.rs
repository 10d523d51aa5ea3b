//! Why the engine could not do as asked.

use std::path::PathBuf;

use datafusion::error::DataFusionError;
use schema::Blame;

/// Why a session could not be made or a table not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder for spilled data cannot be made.
    #[error("could not make the spill folder {}", path.display())]
    SpillDir {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The lake refused.
    #[error("could not read the lake")]
    Lake {
        /// What the lake said.
        #[source]
        source: lake::Error,
    },
    /// What waits for a table cannot be read.
    #[error("could not read what waits in the log for table \"{table}\"")]
    Tail {
        /// The table.
        table: String,
        /// What the log said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A table's folder cannot be named as a URL.
    #[error("table \"{table}\" lies at {}, which is no valid path", root.display())]
    Path {
        /// The table.
        table: String,
        /// Its folder.
        root: PathBuf,
    },
    /// DataFusion refused.
    #[error("could not {what}")]
    Query {
        /// What was tried.
        what: String,
        /// What DataFusion said.
        #[source]
        source: DataFusionError,
    },
}

impl Error {
    /// Says whose move it is.
    pub fn blame(&self) -> Blame {
        match self {
            Error::SpillDir { .. } | Error::Tail { .. } => Blame::World,
            Error::Lake { source } => source.blame(),
            Error::Path { .. } => Blame::Caller,
            Error::Query { .. } => Blame::Us,
        }
    }
}
