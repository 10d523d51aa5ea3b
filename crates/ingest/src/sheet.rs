//! Excel sheets, new and old: typed cells, real dates, and all that spreadsheets do to numbers.

use std::io::Cursor;

use calamine::{Data, DataRef, ExcelDateTime, Range, Reader, Xls, Xlsx};
use chrono::NaiveDate;
use schema::Format;
use schema::time::date_days;

use crate::cell::Cell;
use crate::column::Slot;
use crate::damaged::ask;
use crate::reject::{self, Reason};
use crate::rows::Rows;
use crate::{Door, Error, FileInput, head, old_workbook, unpack};

/// Reads head and rows of one sheet; without a head the columns are those of the contract in their order.
///
/// # Errors
/// If the workbook cannot be read or unpacks beyond the limit, the sheet is missing, the head is none, does not fit the
/// contract, or is there where none should be, or there are too many rows.
pub(crate) fn read(door: &Door<'_>, file: &FileInput<'_>, bytes: &[u8], rows: &mut Rows) -> Result<(), Error> {
    if door.pipeline.bytes_format() == Format::Xls {
        let (_, range) = old_range(door.pipeline.pipeline.source.sheet.as_deref(), file, bytes, door.limits.file_bytes_max)?;
        let (top, left) = range.start().unwrap_or_default();
        let mut used = range.used_cells();
        let next = || Ok(used.next().map(|(row, at, value)| (top + row as u32, left + at as u32, old_cell(value))));
        return take(door, file, &mut Sheet::new(next), rows);
    }
    let mut workbook = open(file, bytes, door.limits.file_bytes_max)?;
    let sheet = named(door.pipeline.pipeline.source.sheet.as_deref(), file, workbook.sheet_names())?;
    let mut cells = ask(|| workbook.worksheet_cells_reader(&sheet)).map_err(|it| unreadable(file, it))?;
    let next = || {
        let found = ask(|| cells.next_cell()).map_err(|it| unreadable(file, it))?;
        Ok(found.map(|it| (it.get_position().0, it.get_position().1, cell(it.get_value()))))
    };
    take(door, file, &mut Sheet::new(next), rows)
}

fn unreadable(file: &FileInput<'_>, source: Box<dyn std::error::Error + Send + Sync>) -> Error {
    let remedy = "save it again as .xlsx without a password";
    Error::Workbook { file: file.display.to_owned(), format: "XLSX", remedy, source }
}

/// Opens a new workbook that does not unpack beyond the limit.
fn open<'a>(file: &FileInput<'_>, bytes: &'a [u8], bytes_max: u64) -> Result<Xlsx<Cursor<&'a [u8]>>, Error> {
    if bytes_max < unpacked_bytes(bytes) {
        return Err(unpack::too_large(file, bytes_max));
    }
    ask(|| Xlsx::new(Cursor::new(bytes))).map_err(|it| unreadable(file, it))
}

/// The sheets of a workbook, and the first rows that have a cell of one of them: its number from 0 and its cells by place.
///
/// Without a name it is the first sheet that has a row, or the first.
pub(crate) fn first_rows(
    file: &FileInput<'_>,
    bytes: &[u8],
    format: Format,
    wanted: Option<&str>,
    bytes_max: u64,
    rows_max: usize,
) -> Result<SheetRows, Error> {
    let mut first: Option<SheetRows> = None;
    if format == Format::Xls {
        let (sheets, _) = old_range(wanted, file, bytes, bytes_max)?;
        for sheet in &sheets {
            if wanted.is_none_or(|it| it == sheet) {
                let (_, range) = old_range(Some(sheet), file, bytes, bytes_max)?;
                let (top, left) = range.start().unwrap_or_default();
                let mut used = range.used_cells();
                let next = || Ok(used.next().map(|(row, at, value)| (top + row as u32, left + at as u32, old_cell(value))));
                let found = SheetRows::read(&sheets, sheet, &mut Sheet::new(next), rows_max)?;
                if !found.rows.is_empty() || wanted.is_some() {
                    return Ok(found);
                }
                first.get_or_insert(found);
            }
        }
    } else {
        let mut workbook = open(file, bytes, bytes_max)?;
        let sheets = workbook.sheet_names();
        named(wanted, file, sheets.clone())?;
        for sheet in &sheets {
            if wanted.is_none_or(|it| it == sheet) {
                let mut cells = ask(|| workbook.worksheet_cells_reader(sheet)).map_err(|it| unreadable(file, it))?;
                let next = || {
                    let found = ask(|| cells.next_cell()).map_err(|it| unreadable(file, it))?;
                    Ok(found.map(|it| (it.get_position().0, it.get_position().1, cell(it.get_value()))))
                };
                let found = SheetRows::read(&sheets, sheet, &mut Sheet::new(next), rows_max)?;
                if !found.rows.is_empty() || wanted.is_some() {
                    return Ok(found);
                }
                first.get_or_insert(found);
            }
        }
    }
    first.ok_or_else(|| Error::NoHead { file: file.display.to_owned(), line: 1 })
}

/// First rows of a sheet.
pub(crate) struct SheetRows {
    /// Names of all sheets.
    pub(crate) sheets: Vec<String>,
    /// The sheet that was read.
    pub(crate) sheet: String,
    /// Number of the row, and its cells by place.
    pub(crate) rows: Vec<(u32, Vec<(usize, Cell<'static>)>)>,
    /// There were no more.
    pub(crate) is_whole: bool,
}

impl SheetRows {
    fn read<'a, N: FnMut() -> Result<Found<'a>, Error>>(
        sheets: &[String],
        sheet: &str,
        cells: &mut Sheet<'a, N>,
        rows_max: usize,
    ) -> Result<Self, Error> {
        let mut read = Self { sheets: sheets.to_vec(), sheet: sheet.to_owned(), rows: Vec::new(), is_whole: false };
        let mut found = Vec::new();
        while let Some(row) = cells.row(&mut found)? {
            if rows_max <= read.rows.len() {
                return Ok(read);
            }
            read.rows.push((row, found.drain(..).map(|(at, it)| (at, it.owned())).collect()));
        }
        read.is_whole = true;
        Ok(read)
    }
}

/// The name of the sheet to be read.
fn named(wanted: Option<&str>, file: &FileInput<'_>, sheets: Vec<String>) -> Result<String, Error> {
    let sheet = match wanted {
        Some(sheet) => sheets.iter().find(|it| *it == sheet),
        None => sheets.first(),
    };
    sheet.cloned().ok_or_else(|| Error::NoSheet {
        file: file.display.to_owned(),
        sheet: wanted.unwrap_or_default().to_owned(),
        sheets: crate::Quoted(sheets),
    })
}

/// The sheets of an old workbook and the cells of one, which cannot be read but whole.
fn old_range(
    wanted: Option<&str>,
    file: &FileInput<'_>,
    bytes: &[u8],
    bytes_max: u64,
) -> Result<(Vec<String>, Range<Data>), Error> {
    let refuse = |source| Error::Workbook {
        file: file.display.to_owned(),
        format: "XLS",
        remedy: match bytes.trim_ascii_start() {
            [b'P', b'K', ..] => "it is an XLSX, declare source.format = \"xlsx\"",
            [b'<', ..] => "it is HTML or XML by another name, open it in Excel and save it as .xls",
            _ => "save it again as .xls without a password",
        },
        source,
    };
    let Some(cells) = old_workbook::cells(bytes) else {
        return Err(refuse("a sheet claims more cells than a sheet can have".into()));
    };
    if bytes_max / (size_of::<Data>() as u64) < cells {
        return Err(unpack::too_large(file, bytes_max));
    }
    let mut workbook: Xls<_> = ask(|| Xls::new(Cursor::new(bytes))).map_err(refuse)?;
    let sheets = workbook.sheet_names();
    let sheet = named(wanted, file, sheets.clone())?;
    Ok((sheets, ask(|| workbook.worksheet_range(&sheet)).map_err(refuse)?))
}

/// Reads head and rows of an open sheet.
fn take<'a, N: FnMut() -> Result<Found<'a>, Error>>(
    door: &Door<'_>,
    file: &FileInput<'_>,
    sheet: &mut Sheet<'a, N>,
    rows: &mut Rows,
) -> Result<(), Error> {
    let source = &door.pipeline.pipeline.source;
    let line = u64::from(source.skip_rows) + 1;
    let mut found = Vec::new();
    let mut row = sheet.row(&mut found)?;
    while row.is_some_and(|it| it < source.skip_rows) {
        row = sheet.row(&mut found)?;
    }
    let slot_of: Vec<Option<usize>> = if source.headless {
        let texts = found.iter().map(|(_, it)| it.text().map(String::from_utf8_lossy));
        head::refuse(door.pipeline, texts, line, file.display)?;
        (0..rows.slots.len()).map(Some).collect()
    } else {
        if row.is_none() {
            return Err(Error::NoHead { file: file.display.to_owned(), line });
        }
        let heads = heads(&found);
        let places = head::bind(door.pipeline, &heads, file.display)?;
        head::excuse(&mut rows.slots, &places);
        let mut slot_of = vec![None; heads.len()];
        for (slot, place) in places.iter().enumerate() {
            if let Some(place) = place {
                slot_of[*place] = Some(slot);
            }
        }
        row = sheet.row(&mut found)?;
        slot_of
    };

    let encoding = rows.context.encoding;
    let mut cells = vec![Cell::Absent; rows.slots.len()];
    while row.is_some() {
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
            let cells: Vec<Cell<'_>> = slots.iter().zip(&cells).map(|(slot, cell)| reject::as_it_is_read(slot, cell)).collect();
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
        row = sheet.row(&mut found)?;
    }
    Ok(())
}

/// The names in the cells of a head, by place.
fn heads(found: &[(usize, Cell<'_>)]) -> Vec<String> {
    let mut heads = Vec::new();
    for (at, cell) in found {
        if heads.len() <= *at {
            heads.resize(*at + 1, String::new());
        }
        heads[*at] = match cell {
            Cell::Int(value) => value.to_string(),
            Cell::Float(value) => crate::cell::float_text(*value),
            other => String::from_utf8_lossy(other.text().unwrap_or_default()).trim().to_owned(),
        };
    }
    heads
}

/// Columns that a sheet can have; a cell said to lie beyond is taken as lying there.
const COLUMNS_MAX: u32 = 16_384;
const DAY_S: i64 = 86_400;

/// Row, column and value of a cell; `None` after the last.
type Found<'a> = Option<(u32, u32, Cell<'a>)>;

/// Gathers the cells of a sheet into rows.
struct Sheet<'a, N> {
    /// Finds the next cell.
    cells: N,
    /// The first cell of the row after.
    next: Option<(u32, usize, Cell<'a>)>,
    /// There are no more; the reader of XLSX fails if it is asked again.
    is_done: bool,
}

impl<'a, N: FnMut() -> Result<Found<'a>, Error>> Sheet<'a, N> {
    fn new(cells: N) -> Self {
        Self { cells, next: None, is_done: false }
    }

    /// Finds the cells of the next row that has any, by place, and returns the row's number from 0.
    fn row(&mut self, found: &mut Vec<(usize, Cell<'a>)>) -> Result<Option<u32>, Error> {
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
    fn take(&mut self) -> Result<Option<(u32, usize, Cell<'a>)>, Error> {
        if self.next.is_some() {
            return Ok(self.next.take());
        }
        while !self.is_done {
            let Some((row, column, value)) = (self.cells)()? else { break };
            if value == Cell::Absent || value.text().is_some_and(<[u8]>::is_empty) {
                continue;
            }
            return Ok(Some((row, column.min(COLUMNS_MAX) as usize, value)));
        }
        self.is_done = true;
        Ok(None)
    }
}

fn cell<'a>(value: &DataRef<'a>) -> Cell<'a> {
    match value {
        DataRef::Empty => Cell::Absent,
        DataRef::Int(value) => Cell::Int(*value),
        DataRef::Float(value) => Cell::Float(*value),
        DataRef::Bool(value) => Cell::Bool(*value),
        DataRef::SharedString(text) => Cell::Bytes(text.as_bytes()),
        DataRef::String(text) => Cell::Owned(text.as_bytes().to_vec()),
        DataRef::DateTime(at) => local(at).map_or(Cell::Unreadable, Cell::Local),
        DataRef::DateTimeIso(text) => iso(text),
        DataRef::DurationIso(_) | DataRef::Error(_) => Cell::Unreadable,
    }
}

fn old_cell(value: &Data) -> Cell<'_> {
    match value {
        Data::String(text) => Cell::Bytes(text.as_bytes()),
        Data::Empty => Cell::Absent,
        Data::Int(value) => Cell::Int(*value),
        Data::Float(value) => Cell::Float(*value),
        Data::Bool(value) => Cell::Bool(*value),
        Data::DateTime(at) => local(at).map_or(Cell::Unreadable, Cell::Local),
        Data::DateTimeIso(text) => iso(text),
        Data::DurationIso(_) | Data::Error(_) => Cell::Unreadable,
    }
}

fn iso<'a>(text: &str) -> Cell<'a> {
    Cell::Owned(text.replacen('T', " ", 1).into_bytes())
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
