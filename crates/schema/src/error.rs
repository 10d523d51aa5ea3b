//! Why a text of ours could not be read.

use std::path::PathBuf;

use crate::Blame;

/// Why a pipeline, model or setting could not be understood.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The TOML is not TOML, or has a key nobody knows, or a value of the wrong kind; `message` has line and column.
    #[error("{}: {message}", path.display())]
    Toml {
        /// File that was read.
        path: PathBuf,
        /// What the parser says, with line and column.
        message: String,
    },
    /// A value is of the right kind but makes no sense.
    #[error("{}: {key}: {message}", path.display())]
    Value {
        /// File that was read.
        path: PathBuf,
        /// Dotted key of the value.
        key: String,
        /// What is wrong and what would do.
        message: String,
    },
    /// A SQL file does not begin with front matter.
    #[error("{}:1: a model begins with /*--- and a TOML front matter closed by ---*/", path.display())]
    NoFrontMatter {
        /// File that was read.
        path: PathBuf,
    },
}

impl Error {
    /// Says whose move it is: whoever wrote the file.
    pub fn blame(&self) -> Blame {
        match self {
            Error::Toml { .. } | Error::Value { .. } | Error::NoFrontMatter { .. } => Blame::Caller,
        }
    }
}
