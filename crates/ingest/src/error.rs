//! Why the door refused a whole file. A bad row is not an error: it goes to quarantine.

use std::fmt;
use std::io;
use std::path::PathBuf;

use schema::{Blame, PersonKind, VaultError};

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
    /// The workbook cannot be opened.
    #[error("file \"{file}\" is no readable XLSX workbook: save it again as .xlsx without a password")]
    Workbook {
        /// File that was read.
        file: String,
        /// What the reader says.
        #[source]
        source: Box<calamine::XlsxError>,
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
            Error::Io { .. } | Error::Vault { .. } => Blame::World,
            Error::VaultSilent { .. } => Blame::Us,
            Error::Pattern { .. }
            | Error::Contract { .. }
            | Error::PersonPattern { .. }
            | Error::TooLarge { .. }
            | Error::Packed { .. }
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
