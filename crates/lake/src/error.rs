//! What can go wrong with the lake, and whose move it then is.

use std::io;
use std::path::PathBuf;

use arrow::error::ArrowError;
use deltalake::DeltaTableError;
use deltalake::kernel::transaction::TransactionError;
use deltalake::parquet::errors::ParquetError;
use schema::Blame;

/// Everything the lake refuses or fails at.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process holds the lake for writing.
    #[error("lake '{}' is held by {holder}", root.display())]
    Locked {
        /// Folder of the lake.
        root: PathBuf,
        /// Process id and command line, as the holder wrote them.
        holder: String,
    },
    /// The folder was made by a newer version of this program.
    #[error("lake '{}' has format {found}, this program reads up to {known}", root.display())]
    NewerFormat {
        /// Folder of the lake.
        root: PathBuf,
        /// Format that stands in `lake.json`.
        found: u64,
        /// Newest format this program knows.
        known: u64,
    },
    /// A folder without a `lake.json` was opened for reading, or its `lake.json` cannot be parsed.
    #[error("folder '{}' is not a lake", root.display())]
    NotALake {
        /// The folder.
        root: PathBuf,
    },
    /// A write was asked of a lake that was opened for reading.
    #[error("table '{table}' cannot be changed: the lake was opened for reading")]
    ReadOnly {
        /// The table.
        table: String,
    },
    /// A table name that cannot be a folder and an SQL name alike.
    #[error("table name '{table}' is not lower case letters, digits and underscores")]
    BadName {
        /// The name.
        table: String,
    },
    /// A table specification contradicts itself or asks for a type that is not stored.
    #[error("table '{table}' cannot have column '{column}': {reason}")]
    BadSpec {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A batch does not fit the table it was written to.
    #[error("batch does not fit column '{column}' of table '{table}': {reason}")]
    BadBatch {
        /// The table.
        table: String,
        /// The column, or the partition column.
        column: String,
        /// What does not fit.
        reason: String,
    },
    /// Rows were not in the order that the file was about to promise.
    #[error("rows for table '{table}' are not sorted by {sort_by:?}: row {row} comes too late")]
    NotSorted {
        /// The table.
        table: String,
        /// The promised order.
        sort_by: Vec<String>,
        /// Number of the row in the file, from 0.
        row: usize,
    },
    /// The specification differs from the table in a way that is not a new nullable column.
    #[error("table '{table}' cannot take the change of column '{column}': {change}")]
    SchemaChanged {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// What changed.
        change: String,
    },
    /// A staged file lies outside the partitions that the replacement covers.
    #[error("file '{path}' lies outside the partitions of table '{table}' that are replaced")]
    OutOfScope {
        /// The table.
        table: String,
        /// The file, relative to the table's folder.
        path: String,
    },
    /// A staged file was written for another table, or is part of the table already.
    #[error("file '{path}' cannot be committed to table '{table}': {reason}")]
    BadFile {
        /// The table.
        table: String,
        /// The file, relative to the table's folder.
        path: String,
        /// Why not.
        reason: &'static str,
    },
    /// The table moved on since the caller looked: plan again.
    #[error("table '{table}' moved on: expected version {expected}, found {found}")]
    Moved {
        /// The table.
        table: String,
        /// Version the caller planned against; -1 is no table.
        expected: i64,
        /// Version found; -1 is no table.
        found: i64,
    },
    /// The table does not exist.
    #[error("there is no table '{table}'")]
    NoTable {
        /// The table.
        table: String,
    },
    /// The version does not exist, or its log entry was cleaned up.
    #[error("table '{table}' has no version {version} in its log")]
    NoVersion {
        /// The table.
        table: String,
        /// The version.
        version: i64,
    },
    /// Somebody gave the table a Delta feature that this lake neither reads nor writes.
    #[error("table '{table}' uses {feature}, which this lake does not handle")]
    ForeignFeature {
        /// The table.
        table: String,
        /// The feature.
        feature: String,
    },
    /// A rewrite would have changed the number of rows; nothing was committed.
    #[error("compaction of table '{table}' would turn {before} rows into {after}")]
    RowsLost {
        /// The table.
        table: String,
        /// Rows in the files read.
        before: i64,
        /// Rows in the file written.
        after: i64,
    },
    /// A log entry or a column statistic is not what the Delta protocol says.
    #[error("log of table '{table}' is damaged: {what}")]
    Damaged {
        /// The table.
        table: String,
        /// What could not be understood.
        what: String,
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
    /// The Delta library refused.
    #[error("could not {action} table '{table}'")]
    Delta {
        /// What was tried, as a verb.
        action: &'static str,
        /// The table.
        table: String,
        /// Why it failed.
        #[source]
        source: Box<DeltaTableError>,
    },
    /// A Parquet file could not be read or written.
    #[error("could not {action} parquet file '{}'", path.display())]
    Parquet {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: ParquetError,
    },
    /// Arrow refused a conversion of the table's columns.
    #[error("could not {action} columns of table '{table}'")]
    Arrow {
        /// What was tried, as a verb.
        action: &'static str,
        /// The table.
        table: String,
        /// Why it failed.
        #[source]
        source: ArrowError,
    },
}

impl Error {
    /// Says whose move it is.
    pub fn blame(&self) -> Blame {
        match self {
            Error::NewerFormat { .. }
            | Error::NotALake { .. }
            | Error::BadName { .. }
            | Error::BadSpec { .. }
            | Error::SchemaChanged { .. }
            | Error::NoTable { .. }
            | Error::NoVersion { .. }
            | Error::ForeignFeature { .. } => Blame::Caller,
            Error::Locked { .. } | Error::Moved { .. } | Error::Io { .. } | Error::Parquet { .. } => Blame::World,
            Error::Delta { source, .. } => delta_blame(source),
            Error::ReadOnly { .. }
            | Error::BadBatch { .. }
            | Error::NotSorted { .. }
            | Error::OutOfScope { .. }
            | Error::BadFile { .. }
            | Error::RowsLost { .. }
            | Error::Damaged { .. }
            | Error::Arrow { .. } => Blame::Us,
        }
    }

    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Error {
        let path = path.into();
        move |source| Error::Io { action, path, source }
    }

    pub(crate) fn delta(action: &'static str, table: &str) -> impl FnOnce(DeltaTableError) -> Error {
        let table = table.to_owned();
        move |source| Error::Delta { action, table, source: Box::new(source) }
    }

    pub(crate) fn parquet(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(ParquetError) -> Error {
        let path = path.into();
        move |source| Error::Parquet { action, path, source }
    }

    pub(crate) fn arrow(action: &'static str, table: &str) -> impl FnOnce(ArrowError) -> Error {
        let table = table.to_owned();
        move |source| Error::Arrow { action, table, source }
    }

    pub(crate) fn damaged(table: &str, what: impl ToString) -> Error {
        Error::Damaged { table: table.to_owned(), what: what.to_string() }
    }
}

/// The library has one error for everything: a disk that refuses is the world's, the rest is ours.
fn delta_blame(error: &DeltaTableError) -> Blame {
    match error {
        DeltaTableError::ObjectStore { .. } | DeltaTableError::Io { .. } => Blame::World,
        DeltaTableError::Transaction { source: TransactionError::ObjectStore { .. } } => Blame::World,
        _ => Blame::Us,
    }
}
