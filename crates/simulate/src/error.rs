//! Why a campus could not be written.

use std::path::PathBuf;

use schema::Blame;

/// Why the synthetic campus could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A number of the configuration is outside what the model covers.
    #[error("cannot simulate {what} = {value}: it must be between {low} and {high}")]
    Range {
        /// Field of [`Config`](crate::Config).
        what: &'static str,
        /// Value that was asked for.
        value: u64,
        /// Smallest value that works.
        low: u64,
        /// Largest value that works.
        high: u64,
    },
    /// The disk refused.
    #[error("could not write '{}'", path.display())]
    Write {
        /// File or folder that was being written.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The spreadsheet library refused a workbook.
    #[error("could not make the workbook '{}'", path.display())]
    Workbook {
        /// File that was being made.
        path: PathBuf,
        /// What the library said.
        source: rust_xlsxwriter::XlsxError,
    },
    /// The manifest could not be turned into JSON.
    #[error("could not describe the campus in '{}'", path.display())]
    Manifest {
        /// File that was being made.
        path: PathBuf,
        /// What the serialiser said.
        source: serde_json::Error,
    },
}

impl Error {
    /// Says whose move it is.
    pub fn blame(&self) -> Blame {
        match self {
            Error::Range { .. } => Blame::Caller,
            Error::Write { .. } => Blame::World,
            Error::Workbook { .. } | Error::Manifest { .. } => Blame::Us,
        }
    }
}
