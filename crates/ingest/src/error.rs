//! Why the door refused a whole file. A bad row is not an error: it goes to quarantine.

use std::fmt;
use std::io;
use std::path::PathBuf;

use schema::{Blame, PersonKind, VaultError};

/// What a reader of another library says.
type Cause = Box<dyn std::error::Error + Send + Sync>;

const DATABASE_URL_SHAPE: &str = "postgres://user:password@host:5432/database, special characters of the password as %40";

/// Why a file could not be taken in; nothing of it was.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused to list, open or read.
    #[error("could not {verb} \"{}\"", path.display())]
    Io {
        /// What was tried.
        verb: &'static str,
        /// File or folder it was tried on.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The path of a source leaves the input folder.
    #[error("path \"{pattern}\" must lie under the input folder: write it relative and without \"..\"")]
    Pattern {
        /// The path as the pipeline gives it.
        pattern: String,
    },
    /// The vault could not answer; it may when asked again.
    #[error("file \"{file}\": the vault could not {verb}")]
    Vault {
        /// File that was being read.
        file: String,
        /// What was asked of it.
        verb: &'static str,
        /// What the vault says.
        #[source]
        source: VaultError,
    },
    /// The vault answered, but not for every number that was asked.
    #[error("file \"{file}\": the vault gave no answer for a {kind} number")]
    VaultSilent {
        /// File that was being read.
        file: String,
        /// Kind of person.
        kind: PersonKind,
    },
    /// What was pushed is not written as was said.
    #[error("pushed to \"{pipeline}\": {what} (byte {offset})")]
    Body {
        /// Name of the pipeline.
        pipeline: String,
        /// Where in the body.
        offset: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// The contract asks for what the door cannot do.
    #[error("pipeline \"{pipeline}\": {message}")]
    Contract {
        /// Name of the pipeline.
        pipeline: String,
        /// What is asked, and what would do.
        message: String,
    },
    /// The pattern of a kind of person is no regular expression.
    #[error("the pattern of {kind} numbers is no regular expression")]
    PersonPattern {
        /// Kind of person.
        kind: PersonKind,
        /// What the parser says.
        #[source]
        source: Box<regex::Error>,
    },
    /// The file is larger than a limit allows.
    #[error("file \"{file}\" has more than {limit} {unit}: split it, or raise the limit")]
    TooLarge {
        /// File that was read.
        file: String,
        /// The limit.
        limit: u64,
        /// What the limit counts.
        unit: &'static str,
    },
    /// The packed data end early or are damaged: usually a copy that was cut.
    #[error("file \"{file}\" is cut or damaged: copy it again from where it came")]
    Packed {
        /// File that was read.
        file: String,
        /// What the unpacker says.
        #[source]
        source: io::Error,
    },
    /// The archive does not hold exactly one file.
    #[error("file \"{file}\" holds {names} where one file is expected: pack each by itself, or unpack them beside it")]
    NotOneFile {
        /// Archive that was read.
        file: String,
        /// Files that are in it.
        names: Quoted,
    },
    /// The archive needs a password.
    #[error("file \"{file}\" with {names} in it needs a password: unpack it first, or pack it again without one")]
    Encrypted {
        /// Archive that was read.
        file: String,
        /// Files that are in it.
        names: Quoted,
    },
    /// The workbook cannot be opened.
    #[error("file \"{file}\" is no readable {format} workbook: {remedy}")]
    Workbook {
        /// File that was read.
        file: String,
        /// Kind of workbook.
        format: &'static str,
        /// What would do.
        remedy: &'static str,
        /// What the reader says.
        #[source]
        source: Cause,
    },
    /// The Parquet file cannot be read.
    #[error("file \"{file}\" is no readable Parquet: write it again with Snappy, Zstandard or no compression")]
    Parquet {
        /// File that was read.
        file: String,
        /// What the reader says.
        #[source]
        source: Cause,
    },
    /// A declared column of a Parquet file is of a type that no column takes.
    #[error(
        "file \"{file}\": column \"{head}\" is of the Parquet type {found}: write it as text, number, truth value, date or \
         timestamp, or leave it out"
    )]
    ParquetType {
        /// File that was read.
        file: String,
        /// Name of the column in the file.
        head: String,
        /// Its type.
        found: String,
    },
    /// The workbook has no sheet of that name.
    #[error("file \"{file}\" has no sheet \"{sheet}\", only {sheets}: correct source.sheet")]
    NoSheet {
        /// File that was read.
        file: String,
        /// Sheet that was looked for.
        sheet: String,
        /// Sheets that are there.
        sheets: Quoted,
    },
    /// There is no line of column names.
    #[error("file \"{file}\" has no head: line {line} should name the columns")]
    NoHead {
        /// File that was read.
        file: String,
        /// Line at which the head was looked for.
        line: u64,
    },
    /// The first row names the columns where the contract says that none does.
    #[error("file \"{file}\": line {line} names the columns, but source.headless is true: remove headless")]
    HeadDespiteHeadless {
        /// File that was read.
        file: String,
        /// Line of the head.
        line: u64,
    },
    /// The byte order mark contradicts the declared encoding.
    #[error("file \"{file}\" {found}, but source.encoding is \"{declared}\": {remedy}")]
    ByteOrderMark {
        /// File that was read.
        file: String,
        /// What stands at its beginning.
        found: &'static str,
        /// Declared encoding.
        declared: &'static str,
        /// What would do.
        remedy: String,
    },
    /// The head cannot be decoded.
    #[error("file \"{file}\", line {line}: column {position} of the head is not \"{declared}\"{hint}")]
    HeadEncoding {
        /// File that was read.
        file: String,
        /// Line of the head.
        line: u64,
        /// Column, counted from 1.
        position: usize,
        /// Declared encoding.
        declared: &'static str,
        /// Which encoding it may be.
        hint: String,
    },
    /// A column of the file is not in the contract.
    #[error("file \"{file}\": column {position} \"{head}\" is not declared in pipeline \"{pipeline}\"; {remedy}")]
    UndeclaredColumn {
        /// File that was read.
        file: String,
        /// Name of the pipeline.
        pipeline: String,
        /// Column, counted from 1.
        position: usize,
        /// Its name in the file.
        head: String,
        /// What would do.
        remedy: String,
    },
    /// A declared column is not in the file.
    #[error(
        "file \"{file}\" lacks column \"{head}\" of pipeline \"{pipeline}\"; it has {heads}: \
         export it, or set optional = true"
    )]
    MissingColumn {
        /// File that was read.
        file: String,
        /// Name of the pipeline.
        pipeline: String,
        /// Declared name of the column in the file.
        head: String,
        /// Names that are there.
        heads: Quoted,
    },
    /// Two columns of the file have one name.
    #[error("file \"{file}\": columns {first} and {second} are both named \"{head}\": rename one")]
    DuplicateHead {
        /// File that was read.
        file: String,
        /// The name.
        head: String,
        /// Column, counted from 1.
        first: usize,
        /// Column, counted from 1.
        second: usize,
    },
    /// The environment does not say where the database is.
    #[error("pipeline \"{pipeline}\": environment variable {variable} {found}: set it to {DATABASE_URL_SHAPE}")]
    DatabaseUrl {
        /// Name of the pipeline.
        pipeline: String,
        /// The environment variable.
        variable: String,
        /// What is wrong with its value, which is never shown.
        found: &'static str,
    },
    /// The database did not answer, or not as it should.
    #[error("pipeline \"{pipeline}\": could not {verb} the database at \"{server}\"")]
    Database {
        /// Name of the pipeline.
        pipeline: String,
        /// Host and port.
        server: String,
        /// What was tried.
        verb: &'static str,
        /// What the driver says.
        #[source]
        source: Cause,
    },
    /// The database has no such table, or does not show it to this user.
    #[error("pipeline \"{pipeline}\": the database shows no table \"{table}\": correct source.table, or grant SELECT on it")]
    NoTable {
        /// Name of the pipeline.
        pipeline: String,
        /// Table that was looked for.
        table: String,
    },
    /// So many rows are bad that the feed is broken.
    #[error(
        "file \"{file}\": {rejected} of {rows} rows are bad, more than the share {share_max} allowed \
         (contract.reject_share_max): {worst}; the first is row {row_no}"
    )]
    TooManyRejects {
        /// File that was read.
        file: String,
        /// Bad rows.
        rejected: u64,
        /// All rows.
        rows: u64,
        /// Share allowed.
        share_max: f64,
        /// The three most frequent reasons.
        worst: String,
        /// First bad row, from 1, the head not counted.
        row_no: i64,
    },
}

impl Error {
    /// Says whose move it is: the sender's of the file, the world's, or ours.
    pub fn blame(&self) -> Blame {
        match self {
            Error::Io { .. } | Error::Vault { .. } | Error::Database { .. } => Blame::World,
            Error::VaultSilent { .. } => Blame::Us,
            Error::Pattern { .. }
            | Error::Body { .. }
            | Error::Contract { .. }
            | Error::PersonPattern { .. }
            | Error::TooLarge { .. }
            | Error::Packed { .. }
            | Error::NotOneFile { .. }
            | Error::Encrypted { .. }
            | Error::Parquet { .. }
            | Error::ParquetType { .. }
            | Error::HeadDespiteHeadless { .. }
            | Error::DatabaseUrl { .. }
            | Error::NoTable { .. }
            | Error::Workbook { .. }
            | Error::NoSheet { .. }
            | Error::NoHead { .. }
            | Error::ByteOrderMark { .. }
            | Error::HeadEncoding { .. }
            | Error::UndeclaredColumn { .. }
            | Error::MissingColumn { .. }
            | Error::DuplicateHead { .. }
            | Error::TooManyRejects { .. } => Blame::Caller,
        }
    }
}

/// Names as a message lists them: quoted, with commas between, the first twenty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quoted(pub Vec<String>);

impl fmt::Display for Quoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.0.iter().take(20).enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}\"{name}\"")?;
        }
        if 20 < self.0.len() {
            write!(f, " and {} more", self.0.len() - 20)?;
        }
        if self.0.is_empty() {
            f.write_str("nothing")?;
        }
        Ok(())
    }
}
