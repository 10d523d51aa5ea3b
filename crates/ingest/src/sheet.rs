//! Excel sheets: typed cells, real dates, and all that spreadsheets do to numbers.

use std::io::Cursor;

use calamine::{DataRef, ExcelDateTime, Reader, Xlsx, XlsxCellReader, XlsxError};
use chrono::NaiveDate;
use schema::time::date_days;

use crate::cell::Cell;
use crate::column::{Slot, Values};
use crate::reject::{self, Reason};
use crate::rows::Rows;
use crate::{Door, Error, FileInput, head, unpack};

/// Reads head and rows of one sheet.
///
/// # Errors
/// If the workbook cannot be read or unpacks beyond the limit, the sheet is missing, the head is none or does not fit the
/// contract, or there are too many rows.
pub(crate) fn read(door: &Door<'_>, file: &FileInput<'_>, bytes: &[u8], rows: &mut Rows) -> Result<(), Error> {
    let refuse = |source| Error::Workbook { file: file.display.to_owned(), source: Box::new(source) };
    let source = &door.pipeline.pipeline.source;
    if door.limits.file_bytes_max < unpacked_bytes(bytes) {
        return Err(unpack::too_large(file, door.limits.file_bytes_max));
    }
    let mut workbook: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(refuse)?;
    let sheets = workbook.sheet_names();
    let sheet = match &source.sheet {
        Some(sheet) => sheets.iter().find(|it| *it == sheet),
        None => sheets.first(),
    };
    let sheet = sheet.cloned().ok_or_else(|| Error::NoSheet {
        file: file.display.to_owned(),
        sheet: source.sheet.clone().unwrap_or_default(),
        sheets: crate::Quoted(sheets),
    })?;
    let mut sheet = Sheet::open(&mut workbook, &sheet).map_err(refuse)?;

    let mut found = Vec::new();
    loop {
        match sheet.row(&mut found).map_err(refuse)? {
            Some(at) if at < source.skip_rows => {}
            Some(_) => break,
            None => {
                let line = u64::from(source.skip_rows) + 1;
                return Err(Error::NoHead { file: file.display.to_owned(), line });
            }
        }
    }
    let mut heads = Vec::new();
    for (at, cell) in &found {
        if heads.len() <= *at {
            heads.resize(*at + 1, String::new());
        }
        heads[*at] = match cell {
            Cell::Int(value) => value.to_string(),
            Cell::Float(value) => crate::cell::float_text(*value),
            other => String::from_utf8_lossy(other.text().unwrap_or_default()).trim().to_owned(),
        };
    }
    let places = head::bind(door.pipeline, &rows.slots, &heads, file)?;
    head::excuse(&mut rows.slots, &places);

    let mut slot_of: Vec<Option<usize>> = vec![None; heads.len()];
    for (slot, place) in places.iter().enumerate() {
        if let Some(place) = place {
            slot_of[*place] = Some(slot);
        }
    }
    let encoding = rows.context.encoding;
    let mut cells = vec![Cell::Absent; places.len()];
    while sheet.row(&mut found).map_err(refuse)?.is_some() {
        let row_no = rows.next_row_no(file)?;
        cells.fill(Cell::Absent);
        let mut beyond = Vec::new();
        for (at, cell) in found.drain(..) {
            match slot_of.get(at).copied().flatten() {
                Some(slot) => cells[slot] = cell,
                None => beyond.push((format!("column {}", at + 1), cell)),
            }
        }
        let object = |slots: &[Slot]| {
            let cells: Vec<Cell<'_>> = slots.iter().zip(&cells).map(|(slot, cell)| as_it_is_read(slot, cell)).collect();
            let named = slots.iter().zip(&cells).map(|(slot, cell)| (slot.head.as_str(), cell));
            let named = named.chain(beyond.iter().map(|(name, cell)| (name.as_str(), cell)));
            reject::object(named, encoding).unwrap_or_default()
        };
        if beyond.is_empty() {
            rows.take(row_no, &cells, object);
        } else {
            let row = object(&rows.slots);
            rows.reject_cells(row_no, &cells, Reason::Columns, None, row);
        }
    }
    Ok(())
}

/// A cell of a refused row, so that its column reads it again: an instant at midnight keeps its time of day.
fn as_it_is_read<'a>(slot: &Slot, cell: &Cell<'a>) -> Cell<'a> {
    match (&slot.values, cell) {
        (Values::Instant(..), Cell::Local(at)) => Cell::Owned(reject::local_text(*at, true).into_bytes()),
        _ => cell.clone(),
    }
}

/// Columns that a sheet can have; a cell said to lie beyond is taken as lying there.
const COLUMNS_MAX: u32 = 16_384;
const DAY_S: i64 = 86_400;

/// Gathers the cells of a sheet into rows.
struct Sheet<'a> {
    cells: XlsxCellReader<'a, Cursor<&'a [u8]>>,
    /// The first cell of the row after.
    next: Option<(u32, usize, Cell<'a>)>,
    /// The reader has said that there are no more; asked again it fails.
    is_done: bool,
}

impl<'a> Sheet<'a> {
    fn open(workbook: &'a mut Xlsx<Cursor<&'a [u8]>>, name: &str) -> Result<Self, XlsxError> {
        Ok(Self { cells: workbook.worksheet_cells_reader(name)?, next: None, is_done: false })
    }

    /// Finds the cells of the next row that has any, by place, and returns the row's number from 0.
    fn row(&mut self, found: &mut Vec<(usize, Cell<'a>)>) -> Result<Option<u32>, XlsxError> {
        found.clear();
        let Some((row, at, cell)) = self.take()? else { return Ok(None) };
        found.push((at, cell));
        while let Some((next_row, at, cell)) = self.take()? {
            if next_row != row {
                self.next = Some((next_row, at, cell));
                break;
            }
            found.push((at, cell));
        }
        Ok(Some(row))
    }

    /// The next cell that is not empty.
    fn take(&mut self) -> Result<Option<(u32, usize, Cell<'a>)>, XlsxError> {
        if self.next.is_some() {
            return Ok(self.next.take());
        }
        while !self.is_done {
            let Some(cell) = self.cells.next_cell()? else { break };
            let (row, column) = cell.get_position();
            let value = match cell.get_value() {
                DataRef::Empty => continue,
                DataRef::Int(value) => Cell::Int(*value),
                DataRef::Float(value) => Cell::Float(*value),
                DataRef::Bool(value) => Cell::Bool(*value),
                DataRef::SharedString(text) => Cell::Bytes(text.as_bytes()),
                DataRef::String(text) => Cell::Owned(text.as_bytes().to_vec()),
                DataRef::DateTime(at) => local(at).map_or(Cell::Unreadable, Cell::Local),
                DataRef::DateTimeIso(text) => Cell::Owned(text.replacen('T', " ", 1).into_bytes()),
                DataRef::DurationIso(_) | DataRef::Error(_) => Cell::Unreadable,
            };
            if value.text().is_some_and(<[u8]>::is_empty) {
                continue;
            }
            return Ok(Some((row, column.min(COLUMNS_MAX) as usize, value)));
        }
        self.is_done = true;
        Ok(None)
    }
}

/// A spreadsheet's date as microseconds of the civil calendar; `None` for a duration or a time without a date.
fn local(at: &ExcelDateTime) -> Option<i64> {
    if !at.is_datetime() || at.as_f64() < 1.0 {
        return None;
    }
    let (year, month, day, hour, minute, second, millis) = at.to_ymd_hms_milli();
    // Excel believes in 1900-02-29; the calendar does not.
    let date = NaiveDate::from_ymd_opt(i32::from(year), u32::from(month), u32::from(day))?;
    let of_day = i64::from(hour) * 3_600 + i64::from(minute) * 60 + i64::from(second);
    Some((i64::from(date_days(date)) * DAY_S + of_day) * 1_000_000 + i64::from(millis) * 1_000)
}

/// What a workbook says it unpacks to; 0 if it is none, which its reader will say better.
fn unpacked_bytes(bytes: &[u8]) -> u64 {
    let archive = zip::ZipArchive::new(Cursor::new(bytes)).ok();
    archive.and_then(|it| it.decompressed_size()).map_or(0, |it| u64::try_from(it).unwrap_or(u64::MAX))
}
