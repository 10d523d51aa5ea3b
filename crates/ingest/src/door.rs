//! The one way in: a file, its contract and the vault's promises come together here.

use std::path::Path;

use schema::time::CampusClock;
use schema::{Encoding, Format, Pipeline, Pseudonyms, Seal};

use crate::progress::Progress;
use crate::rows::Rows;
use crate::{Error, Persons, Taken, batch, delimited, encoding, jsonl, parquet, sheet, unpack};

/// Everything that decides what becomes of a pipeline's file. Cheap to make, shared by threads.
pub struct Door<'a> {
    /// The contract.
    pub pipeline: &'a Pipeline,
    /// Zone and beginning of the campus day.
    pub clock: CampusClock,
    /// What people's numbers look like.
    pub persons: &'a Persons,
    /// The vault's answers to numbers.
    pub pseudonyms: &'a dyn Pseudonyms,
    /// The vault's seal for bad rows.
    pub seal: &'a dyn Seal,
    /// The present, microseconds UTC: bounds what is believed of the future and what is too late, and dates rejects of a first
    /// load.
    pub now_us: i64,
    /// From which instant the platform can use the rows.
    pub known: KnownAt,
    /// What a file may cost.
    pub limits: Limits,
}

/// From which instant the platform can use a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KnownAt {
    /// A first load or a backfill: `occurred_at + usual_delay`, marked `is_known_assumed`.
    ///
    /// A row without `occurred_at` was known since `contract.start`, or always.
    Assumed,
    /// The clock of the commit, microseconds UTC.
    At(i64),
    /// The same, from a source whose order tells: of a state each further version of a key was known a microsecond after the
    /// one before it, so that the last one holds. Events have no such order.
    InOrder(i64),
}

/// What one file may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a file after unpacking.
    pub file_bytes_max: u64,
    /// Bytes of one value.
    pub field_bytes_max: u64,
    /// Rows of a file.
    pub rows_max: u64,
}

impl Default for Limits {
    /// 2 GiB a file, 1 MiB a value, 100 million rows.
    fn default() -> Self {
        Self { file_bytes_max: 2 << 30, field_bytes_max: 1 << 20, rows_max: 100_000_000 }
    }
}

/// One file of a source.
#[derive(Debug, Clone, Copy)]
pub struct FileInput<'a> {
    /// Where it is; its extension says whether it is packed.
    pub path: &'a Path,
    /// Its number in the register.
    pub file_no: i64,
    /// Its name in messages, usually relative to the input folder.
    pub display: &'a str,
}

impl Door<'_> {
    /// Takes a whole file: all of its rows, or none and an error.
    ///
    /// `progress` is told the bytes of the file read since it was last told; they add up to its size.
    ///
    /// # Errors
    /// If the feed is broken (head, encoding, packing, size, share of bad rows), the disk does not answer, or the vault
    /// does not. Until the last row is known and the feed is found whole, the vault is asked for holders of identifiers
    /// only, and given nothing.
    ///
    /// # Panics
    /// If the rows do not balance, which is our bug.
    pub fn take(&self, file: &FileInput<'_>, progress: &(dyn Fn(u64) + Sync)) -> Result<Taken, Error> {
        let bytes = unpack::read(file, self.limits.file_bytes_max)?;
        let file_bytes = file.path.metadata().map_or(bytes.len() as u64, |it| it.len());
        self.take_unpacked(file, &bytes, Progress::new(progress, file_bytes, bytes.len() as u64))
    }

    /// Takes the bytes of a file that arrived in another way: pushed over HTTP, out of a log frame, or pulled from a
    /// database.
    ///
    /// `file.path` is not opened.
    ///
    /// # Errors
    /// As [`Door::take`].
    ///
    /// # Panics
    /// As [`Door::take`].
    pub fn take_bytes(&self, file: &FileInput<'_>, bytes: &[u8]) -> Result<Taken, Error> {
        if self.limits.file_bytes_max < bytes.len() as u64 {
            return Err(unpack::too_large(file, self.limits.file_bytes_max));
        }
        self.take_unpacked(file, bytes, Progress::new(&|_| {}, bytes.len() as u64, bytes.len() as u64))
    }

    fn take_unpacked(&self, file: &FileInput<'_>, bytes: &[u8], mut progress: Progress<'_>) -> Result<Taken, Error> {
        let source = &self.pipeline.pipeline.source;
        let decoded = |splits| encoding::plain(bytes, source.encoding, splits, file.display);
        let rows = match self.pipeline.bytes_format() {
            Format::Xlsx | Format::Xls => {
                let mut rows = Rows::new(self, Encoding::Utf8)?;
                sheet::read(self, file, bytes, &mut rows)?;
                rows
            }
            Format::Parquet => {
                let mut rows = Rows::new(self, Encoding::Utf8)?;
                parquet::read(self, file, bytes, &mut rows)?;
                rows
            }
            Format::Jsonl => {
                let (text, encoding) = decoded(false)?;
                let mut rows = Rows::new(self, encoding)?;
                jsonl::read(self, file, &text, &mut rows, &mut progress)?;
                rows
            }
            Format::Csv | Format::Tsv => {
                let splits = delimited::separator(source).is_some_and(encoding::is_never_trailing);
                let (text, encoding) = decoded(splits)?;
                let mut rows = Rows::new(self, encoding)?;
                delimited::read(self, file, &text, &mut rows, &mut progress)?;
                rows
            }
        };
        let taken = batch::finish(self, file, rows)?;
        progress.finish();
        assert!(taken.counts.is_balanced(), "rows do not balance: {:?}", taken.counts);
        Ok(taken)
    }
}
