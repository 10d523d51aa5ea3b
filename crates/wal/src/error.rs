//! What can go wrong with the log, and whose move it then is.

use std::io;
use std::path::PathBuf;

use arrow::error::ArrowError;
use schema::Blame;

/// Everything the log refuses or fails at.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was answered for is no longer whole: nobody may guess what stood there.
    #[error("log file '{}' is damaged at byte {offset}: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// What could not be read.
        what: String,
    },
    /// Log and tables are not of the same time, as after one of them alone was put back from a backup.
    #[error("推送日志 {path}：{zh} / log {path}: {en}", path = path.display())]
    Apart {
        /// The file that shows it.
        path: PathBuf,
        /// What is missing, and what to do.
        zh: String,
        /// The same in English.
        en: String,
    },
    /// The log holds as much as it may until a commit empties it.
    #[error("the log holds {held} bytes that no table has yet, and may hold {limit}")]
    Full {
        /// Bytes of frames that wait for a commit.
        held: u64,
        /// The high-water mark.
        limit: u64,
    },
    /// One frame alone is larger than the log may be.
    #[error("a frame of {bytes} bytes is larger than the {limit} that the log may hold")]
    TooLarge {
        /// Its bytes.
        bytes: u64,
        /// The high-water mark.
        limit: u64,
    },
    /// The frame was not made to survive; it is not in the log.
    #[error("the disk did not keep a frame of log '{}': {why}", path.display())]
    Lost {
        /// Folder of the log.
        path: PathBuf,
        /// What the disk said.
        why: String,
        /// Which kind of no it was.
        kind: io::ErrorKind,
    },
    /// The file system refused.
    #[error("could not {action} '{}'", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// Rows could not be turned into bytes or back.
    #[error("could not {action} the rows of a frame")]
    Arrow {
        /// What was tried, as a verb.
        action: &'static str,
        /// Why it failed.
        #[source]
        source: ArrowError,
    },
}

impl Error {
    /// Whether the disk has no room left: it goes on by itself when there is some.
    pub fn is_disk_full(&self) -> bool {
        let kind = match self {
            Error::Lost { kind, .. } => *kind,
            Error::Io { source, .. } => source.kind(),
            _ => return false,
        };
        matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }

    /// Says whose move it is.
    pub fn blame(&self) -> Blame {
        match self {
            Error::TooLarge { .. } | Error::Apart { .. } => Blame::Caller,
            Error::Full { .. } | Error::Lost { .. } | Error::Io { .. } | Error::Damaged { .. } => Blame::World,
            Error::Arrow { .. } => Blame::Us,
        }
    }
}
