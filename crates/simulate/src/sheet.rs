//! Files on disk: workbooks that are the same bytes every time, and plain bytes.

use std::path::Path;

use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook, XlsxError};

use crate::Error;
use crate::calendar::DAY;

/// What stands in a cell.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    Text(String),
    Whole(i64),
    /// A day counted from the first.
    Date(i32),
    /// Seconds from the first midnight.
    Moment(i64),
    Empty,
}

impl Cell {
    pub(crate) fn text(it: impl Into<String>) -> Cell {
        Cell::Text(it.into())
    }
}

/// Excel's number of 2025-09-01.
const FIRST_SERIAL: f64 = 45_901.0;

/// Writes bytes to a file, making the folders above it.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let fail = |source| Error::Write { path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(fail)?;
    }
    std::fs::write(path, bytes).map_err(fail)
}

/// Writes a workbook of one sheet with heads in the first row.
pub(crate) fn write_sheet(path: &Path, heads: &[&str], rows: &[Vec<Cell>]) -> Result<(), Error> {
    let bytes = workbook(heads, rows).map_err(|source| Error::Workbook { path: path.to_owned(), source })?;
    write(path, &bytes)
}

fn workbook(heads: &[&str], rows: &[Vec<Cell>]) -> Result<Vec<u8>, XlsxError> {
    let mut book = Workbook::new();
    // The library would put today's date in.
    let made = ExcelDateTime::from_ymd(2025, 9, 1)?;
    book.set_properties(&DocProperties::new().set_author("synthetic campus").set_creation_datetime(&made));
    let (on, at) = (Format::new().set_num_format("yyyy-mm-dd"), Format::new().set_num_format("yyyy-mm-dd hh:mm:ss"));
    let sheet = book.add_worksheet();
    for (column, head) in heads.iter().enumerate() {
        sheet.write_string(0, column as u16, *head)?;
    }
    for (line, cells) in rows.iter().enumerate() {
        let line = line as u32 + 1;
        for (column, cell) in cells.iter().enumerate() {
            let column = column as u16;
            match cell {
                Cell::Text(text) => sheet.write_string(line, column, text)?,
                Cell::Whole(number) => sheet.write_number(line, column, *number as f64)?,
                Cell::Date(day) => sheet.write_number_with_format(line, column, FIRST_SERIAL + f64::from(*day), &on)?,
                Cell::Moment(second) => {
                    let serial = FIRST_SERIAL + *second as f64 / DAY as f64;
                    sheet.write_number_with_format(line, column, serial, &at)?
                }
                Cell::Empty => continue,
            };
        }
    }
    book.save_to_buffer()
}
