//! Looks through a binary workbook before its reader does: the reader makes room for whatever a record claims, and what a
//! damaged record claims may be more than the machine has.
//!
//! A workbook is a compound file (sectors in chains, [MS-CFB]) with a stream of records in it ([MS-XLS]). Only the places
//! of cells are looked at.

/// Rows and columns that a sheet of the old Excel can have.
const ROWS_MAX: u64 = 65_536;
const COLUMNS_MAX: u64 = 256;
/// The first number that names no sector.
const NO_SECTOR: u32 = 0xffff_fffa;
/// A stream shorter than this lies in small sectors.
const SMALL_STREAM: usize = 4_096;
const SMALL_SECTOR: usize = 64;

/// How many cells the reader would make room for, all sheets together; `None` if a sheet claims more than a sheet can have.
///
/// What is no workbook at all has no cells: that it is none its reader says better.
pub(crate) fn cells(bytes: &[u8]) -> Option<u64> {
    let Some(stream) = workbook_stream(bytes) else { return Some(0) };
    let sheets: Vec<usize> = Records { stream: &stream, at: 0 }
        .take_while(|(kind, _)| *kind != END)
        .filter(|(kind, _)| *kind == SHEET)
        .filter_map(|(_, data)| number(data, 0))
        .map(|it| it as usize)
        .collect();
    sheets.iter().try_fold(0_u64, |sum, at| Some(sum + sheet_cells(&stream, *at)?))
}

const BEGIN: u16 = 0x0809;
const END: u16 = 0x000a;
const SHEET: u16 = 0x0085;
const DIMENSIONS: u16 = 0x0200;
const SEVERAL_NUMBERS: u16 = 0x00bd;
/// Formula, number, label, rich label, truth or error, short number, label of the shared table.
const CELLS: [u16; 7] = [0x0006, 0x0203, 0x0204, 0x00d6, 0x0205, 0x027e, 0x00fd];

fn sheet_cells(stream: &[u8], at: usize) -> Option<u64> {
    let (mut has_begun, mut depth) = (false, 0_u32);
    let mut extent: Option<[u64; 4]> = None;
    for (kind, data) in (Records { stream, at }) {
        match kind {
            // A chart within the sheet is a stream of its own.
            BEGIN if has_begun => depth += 1,
            BEGIN => has_begun = true,
            END if depth == 0 => break,
            END => depth -= 1,
            _ if depth != 0 => {}
            DIMENSIONS if 14 <= data.len() => {
                let rows = u64::from(number(data, 4)?).saturating_sub(u64::from(number(data, 0)?));
                let columns = u64::from(short(data, 10)?);
                if ROWS_MAX * COLUMNS_MAX < rows * columns {
                    return None;
                }
            }
            it if it == SEVERAL_NUMBERS || CELLS.contains(&it) => {
                let (Some(row), Some(first)) = (short(data, 0), short(data, 2)) else { continue };
                let last = if it == SEVERAL_NUMBERS { short(data, data.len().saturating_sub(2)) } else { None };
                let (row, first, last) = (u64::from(row), u64::from(first), u64::from(last.unwrap_or(first).max(first)));
                if COLUMNS_MAX <= last {
                    return None;
                }
                let [top, left, bottom, right] = extent.unwrap_or([row, first, row, last]);
                extent = Some([top.min(row), left.min(first), bottom.max(row), right.max(last)]);
            }
            _ => {}
        }
    }
    Some(extent.map_or(0, |[top, left, bottom, right]| (bottom - top + 1) * (right - left + 1)))
}

/// Goes through a stream record by record: kind and data.
struct Records<'a> {
    stream: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Records<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.stream.get(self.at..)?;
        let (kind, length) = (short(rest, 0)?, usize::from(short(rest, 2)?));
        self.at += 4 + length;
        Some((kind, rest.get(4..4 + length)?))
    }
}

/// The stream of the workbook, put together from its sectors.
fn workbook_stream(bytes: &[u8]) -> Option<Vec<u8>> {
    if !bytes.starts_with(&[0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1]) {
        return None;
    }
    let sector_bytes = 1_usize.checked_shl(u32::from(short(bytes, 30)?)).filter(|it| matches!(it, 512 | 4_096))?;
    let sectors = |id: u32| {
        let at = (id as usize).checked_add(1)?.checked_mul(sector_bytes)?;
        let rest = bytes.get(at..)?;
        Some(&rest[..rest.len().min(sector_bytes)])
    };
    let mut tables: Vec<u32> = numbers(bytes.get(76..512)?).collect();
    let mut more = number(bytes, 68)?;
    while more < NO_SECTOR && tables.len() <= bytes.len() {
        tables.extend(numbers(sectors(more)?));
        more = tables.pop()?;
    }
    let mut next = Vec::new();
    for table in tables.into_iter().filter(|it| *it < NO_SECTOR) {
        next.extend(numbers(sectors(table)?));
    }
    let entries = chain(number(bytes, 48)?, &next, sectors)?;
    let mut entries = entries.chunks_exact(128);
    let root = entries.clone().next()?;
    let of_name = |name: &str| {
        let wide: Vec<u8> = name.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
        move |it: &&[u8]| it.starts_with(&wide)
    };
    let entry = entries.clone().find(of_name("Workbook")).or_else(|| entries.find(of_name("Book")))?;
    let (start, length) = (number(entry, 116)?, number(entry, 120)? as usize);
    let mut stream = if length < SMALL_STREAM {
        let held = chain(number(root, 116)?, &next, sectors)?;
        let next: Vec<u32> = numbers(&chain(number(bytes, 60)?, &next, sectors)?).collect();
        chain(start, &next, |id| {
            let rest = held.get((id as usize).checked_mul(SMALL_SECTOR)?..)?;
            Some(&rest[..rest.len().min(SMALL_SECTOR)])
        })?
    } else {
        chain(start, &next, sectors)?
    };
    stream.truncate(length);
    Some(stream)
}

/// The sectors of a chain one after another; `None` if it leads nowhere or back to itself.
fn chain<'a>(start: u32, next: &[u32], sector: impl Fn(u32) -> Option<&'a [u8]>) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let (mut id, mut n) = (start, 0);
    while id < NO_SECTOR {
        n += 1;
        if next.len() < n {
            return None;
        }
        out.extend_from_slice(sector(id)?);
        id = *next.get(id as usize)?;
    }
    Some(out)
}

fn numbers(bytes: &[u8]) -> impl Iterator<Item = u32> {
    bytes.as_chunks::<4>().0.iter().map(|it| u32::from_le_bytes(*it))
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|it| u32::from_le_bytes(*it))
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|it| u16::from_le_bytes(*it))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn workbook() -> Vec<u8> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/pipelines/valid/xls_of_an_old_office/thing.xls");
        std::fs::read(path).expect("a workbook of the cases")
    }

    /// Where the last record of a kind stands in the file.
    fn record(bytes: &[u8], kind: u16, length: u16) -> usize {
        let head = [kind.to_le_bytes(), length.to_le_bytes()].concat();
        bytes.windows(4).rposition(|it| it == head).expect("a record")
    }

    #[test]
    fn the_cells_of_all_sheets_are_counted() {
        // One cell, and a title above eleven rows of up to nine cells.
        assert_eq!(cells(&workbook()), Some(1 + 13 * 9));
        assert_eq!(cells(b"no workbook"), Some(0));
    }

    #[test]
    fn a_sheet_that_claims_more_than_a_sheet_can_have_is_found_out() {
        let mut bytes = workbook();
        let dimensions = record(&bytes, DIMENSIONS, 14);
        bytes[dimensions + 4 + 7] = 0x7f;
        assert_eq!(cells(&bytes), None);
        let mut bytes = workbook();
        let label = record(&bytes, 0x00fd, 10);
        bytes[label + 4 + 3] = 0x7f;
        assert_eq!(cells(&bytes), None);
    }
}
