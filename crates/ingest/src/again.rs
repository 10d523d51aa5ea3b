//! Rows that were refused once, tried again under today's contract.
//!
//! Comes in: rows of `ops_quarantine`, opened. Goes out: the same as of a file, with the place in the list as row number.
//! How a row was sealed says how it is tried: an object by the source's names, whatever the format was; a line of JSON
//! as it came; a delimited line that did not come apart beside its head. Anything else is refused as it was.

use schema::{Encoding, Format, Pipeline};
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::reject::Reason;
use crate::rows::Rows;
use crate::{Door, Error, FileInput, Taken, batch, delimited, jsonl};

impl Door<'_> {
    /// Tries opened rows again. How many of them are still bad says nothing of the feed: none of them refuses the rest.
    ///
    /// # Errors
    /// If the contract asks for what the door cannot do, there are too many rows, or the vault does not answer.
    ///
    /// # Panics
    /// If the rows do not balance, which is our bug.
    pub fn take_again(&self, file: &FileInput<'_>, opened: &[Vec<u8>]) -> Result<Taken, Error> {
        let format = self.pipeline.bytes_format();
        let mut rows = Rows::new(self, Encoding::Utf8)?;
        // A row came when it was refused, however long it has waited since.
        rows.late_before = i64::MIN;
        let mut lines = match format {
            Format::Xlsx | Format::Xls | Format::Parquet => jsonl::Lines::restoring(&rows.slots),
            Format::Jsonl | Format::Csv | Format::Tsv => jsonl::Lines::new(&rows.slots),
        };
        for row in opened {
            let row_no = rows.next_row_no(file)?;
            match format {
                Format::Jsonl => lines.take(row, row_no, &mut rows),
                _ if is_object(row) => lines.take(row, row_no, &mut rows),
                Format::Csv | Format::Tsv => delimited::take_again(self, file, row, row_no, &mut rows),
                Format::Xlsx | Format::Xls | Format::Parquet => {
                    rows.reject(row_no, Reason::Columns, None, row.clone());
                }
            }
        }
        let taken = batch::hand_over(self, file, rows)?;
        assert!(taken.counts.is_balanced(), "rows do not balance: {:?}", taken.counts);
        Ok(taken)
    }
}

/// The cells of an opened row under the source's names, for whoever corrects it; a line that does not come apart is one.
pub fn named_cells(pipeline: &Pipeline, opened: &[u8]) -> Vec<(String, Value)> {
    if let Ok(Value::Object(cells)) = serde_json::from_slice(opened) {
        return cells.into_iter().collect();
    }
    let is_delimited = matches!(pipeline.bytes_format(), Format::Csv | Format::Tsv);
    match is_delimited.then(|| delimited::named(pipeline, opened)).flatten() {
        Some(cells) => cells.into_iter().map(|(name, text)| (name, Value::from(text))).collect(),
        None => vec![(LINE.to_owned(), Value::from(String::from_utf8_lossy(opened).trim()))],
    }
}

/// Name of what stands in no column.
const LINE: &str = "原始行 / line";

/// Whether the door sealed the row as an object: a delimited line may begin with a brace too, but goes on otherwise.
fn is_object(row: &[u8]) -> bool {
    row.first() == Some(&b'{') && serde_json::from_slice::<IgnoredAny>(row).is_ok()
}
