//! Delimited text in the making: a head, then rows of words that are quoted where they must be.

use std::fmt::{Display, Write as _};
use std::path::Path;

use crate::Error;
use crate::calendar::moment;
use crate::sheet::write;
use crate::tally::Tally;

/// The text of one export.
pub(crate) struct Lines {
    text: String,
    rows: u64,
}

impl Lines {
    /// Begins with a head.
    pub(crate) fn new(head: &str) -> Lines {
        Lines { text: format!("{head}\n"), rows: 0 }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: &[&dyn Display]) {
        for (place, cell) in cells.iter().enumerate() {
            if place != 0 {
                self.text.push(',');
            }
            let begin = self.text.len();
            let _ = write!(self.text, "{cell}");
            if self.text[begin..].contains([',', '"', '\n']) {
                let quoted = format!("\"{}\"", self.text[begin..].replace('"', "\"\""));
                self.text.replace_range(begin.., &quoted);
            }
        }
        self.text.push('\n');
        self.rows += 1;
    }

    /// Writes the file and counts its rows; a file without rows is written all the same, as real exports are.
    pub(crate) fn write(self, path: &Path, pipeline: &str, tally: &mut Tally) -> Result<(), Error> {
        tally.rows(pipeline, self.rows);
        write(path, self.text.as_bytes())
    }

    /// Writes the file in GB18030, as older systems do.
    pub(crate) fn write_gb(self, path: &Path, pipeline: &str, tally: &mut Tally) -> Result<(), Error> {
        tally.rows(pipeline, self.rows);
        write(path, &encoding_rs::GB18030.encode(&self.text).0)
    }
}

/// A time to the second.
pub(crate) fn second(at: i64) -> String {
    moment(at).format("%Y-%m-%d %H:%M:%S").to_string()
}

/// A time to the minute.
pub(crate) fn minute(at: i64) -> String {
    moment(at).format("%Y-%m-%d %H:%M").to_string()
}

/// A serial number for somebody's papers: one a person, and nothing of the person's own number in it.
pub(crate) fn serial(number: u32) -> String {
    format!("{:08x}", number.wrapping_mul(2_654_435_761))
}

/// An optional word; nothing where there is none.
pub(crate) fn or_empty<T: Display>(it: Option<T>) -> String {
    it.map_or_else(String::new, |it| it.to_string())
}
