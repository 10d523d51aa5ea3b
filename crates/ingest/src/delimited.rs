//! Delimited text: a splitter over the whole file that copies nothing, and the rows it finds.
//!
//! Quotes follow RFC 4180 strictly: a quoted field is closed by a quote that a separator or line end follows. Lenient
//! readers let one stray quote swallow the rows up to the next; here it costs its own line (`columns`).

use memchr::memchr;
use schema::{Encoding, Format, Pipeline, Source};

use crate::cell::Cell;
use crate::column::Slot;
use crate::progress::Progress;
use crate::reject::{self, Reason};
use crate::rows::Rows;
use crate::{Door, Error, FileInput, encoding, head};

/// The separator of a source as a byte; `None` if it is not ASCII.
pub(crate) fn separator(source: &Source) -> Option<u8> {
    let default = if source.format == Some(Format::Tsv) { '\t' } else { ',' };
    u8::try_from(source.separator.unwrap_or(default)).ok().filter(u8::is_ascii)
}

/// Reads head and rows; without a head the columns are those of the contract in their order.
///
/// # Errors
/// If the head is none, does not fit the contract, or is there where none should be, or there are too many rows.
pub(crate) fn read(
    door: &Door<'_>,
    file: &FileInput<'_>,
    bytes: &[u8],
    rows: &mut Rows,
    progress: &mut Progress<'_>,
) -> Result<(), Error> {
    let source = &door.pipeline.pipeline.source;
    let separator = separator(source).ok_or_else(|| Error::Contract {
        pipeline: door.pipeline.name().to_owned(),
        message: "source.separator must be an ASCII character".to_owned(),
    })?;
    let skipped = skip_lines(bytes, source.skip_rows);
    let mut splitter = Splitter::new(bytes, skipped, separator, door.limits.field_bytes_max as usize);
    let mut fields = Vec::new();

    let line = u64::from(source.skip_rows) + 1;
    let no_head = || Error::NoHead { file: file.display.to_owned(), line };
    let encoding = rows.context.encoding;
    // A line that does not come apart can only be tried again beside the names of its columns.
    let mut head_line: Option<&[u8]> = None;
    let (places, width) = if source.headless {
        // The first row is looked at and not taken: it is data.
        let first = Splitter::new(bytes, skipped, separator, door.limits.field_bytes_max as usize).next(&mut fields);
        if first.is_some_and(|it| !it.is_broken) {
            let names = fields.iter().map(|it| encoding::decode(it.raw(bytes), encoding));
            head::refuse(door.pipeline, names, line, file.display)?;
        }
        let width = rows.slots.len();
        ((0..width).map(Some).collect(), width)
    } else {
        let split = splitter.next(&mut fields).ok_or_else(no_head)?;
        if split.is_broken {
            return Err(no_head());
        }
        head_line = Some(split.raw);
        let mut heads = Vec::with_capacity(fields.len());
        for (at, field) in fields.iter().enumerate() {
            let cell = field.cell(bytes);
            let raw = cell.text().unwrap_or_default();
            let decoded = encoding::decode(raw, encoding).ok_or_else(|| Error::HeadEncoding {
                file: file.display.to_owned(),
                line,
                position: at + 1,
                declared: encoding::word(source.encoding),
                hint: encoding::hint(split.raw, source.encoding),
            })?;
            heads.push(decoded.trim().to_owned());
        }
        (head::bind(door.pipeline, &heads, file.display)?, heads.len())
    };
    let with_head = |line: &[u8]| match head_line {
        Some(head) => [head, b"\n", line].concat(),
        None => line.to_vec(),
    };
    head::excuse(&mut rows.slots, &places);

    rows.reserve(bytes);
    let mut cells: Vec<Cell<'_>> = Vec::with_capacity(places.len());
    while let Some(split) = splitter.next(&mut fields) {
        let row_no = rows.next_row_no(file)?;
        if split.is_broken || fields.len() != width {
            rows.reject(row_no, Reason::Columns, None, with_head(split.raw));
        } else {
            cells.clear();
            cells.extend(places.iter().map(|place| place.map_or(Cell::Absent, |it| fields[it].cell(bytes))));
            let raw = |slots: &[Slot]| {
                let named = slots.iter().zip(&cells).map(|(slot, cell)| (slot.head.as_str(), cell));
                reject::object(named, encoding).unwrap_or_else(|| with_head(split.raw))
            };
            rows.take(row_no, &cells, raw);
        }
        progress.at(splitter.at);
    }
    Ok(())
}

/// Takes one line that was refused before, as it was sealed: the file's head, a line end, the line; without head the line.
///
/// Whatever keeps it from coming apart rejects it again; a line whose head was not kept is of an older version and stays.
pub(crate) fn take_again(door: &Door<'_>, file: &FileInput<'_>, sealed: &[u8], row_no: i64, rows: &mut Rows) {
    let source = &door.pipeline.pipeline.source;
    let Some(separator) = separator(source) else { return rows.reject(row_no, Reason::Columns, None, sealed.to_vec()) };
    let Some(text) = encoding::decode(sealed, sealed_in(source, separator)) else {
        return rows.reject(row_no, Reason::Encoding, None, sealed.to_vec());
    };
    let bytes = text.as_bytes();
    let split = Sealed::split(bytes, source.headless, separator, door.limits.field_bytes_max as usize);
    let places = |it: &Sealed| -> Option<Vec<Option<usize>>> {
        let places = match &it.names {
            None => (0..rows.slots.len()).map(Some).collect(),
            Some(names) => head::bind(door.pipeline, &texts(names, bytes), file.display).ok()?,
        };
        let width = it.names.as_ref().map_or(places.len(), Vec::len);
        (it.is_whole && it.fields.len() == width).then_some(places)
    };
    let places = split.as_ref().and_then(places);
    match (split, places) {
        (Some(Sealed { fields, .. }), Some(places)) => {
            let cells: Vec<Cell<'_>> =
                places.iter().map(|place| place.map_or(Cell::Absent, |it| fields[it].cell(bytes))).collect();
            rows.take(row_no, &cells, |_| sealed.to_vec());
        }
        _ => rows.reject(row_no, Reason::Columns, None, sealed.to_vec()),
    }
}

/// The encoding of a sealed line, as `encoding::plain` left it: GB18030 that cannot be split on bytes became UTF-8.
fn sealed_in(source: &Source, separator: u8) -> Encoding {
    let is_gb18030 = source.encoding == Encoding::Gb18030 && encoding::is_never_trailing(separator);
    if is_gb18030 { Encoding::Gb18030 } else { Encoding::Utf8 }
}

/// A sealed line that came apart.
struct Sealed {
    /// Names of the head; `None` where the source has none.
    names: Option<Vec<Field>>,
    fields: Vec<Field>,
    /// Nothing follows the line.
    is_whole: bool,
}

impl Sealed {
    fn split(bytes: &[u8], headless: bool, separator: u8, field_bytes_max: usize) -> Option<Self> {
        let mut splitter = Splitter::new(bytes, 0, separator, field_bytes_max);
        let mut next = || {
            let mut fields = Vec::new();
            splitter.next(&mut fields).filter(|it| !it.is_broken).map(|_| fields)
        };
        let names = if headless { None } else { Some(next()?) };
        let fields = next()?;
        let is_whole = splitter.next(&mut Vec::new()).is_none();
        Some(Self { names, fields, is_whole })
    }
}

fn texts(fields: &[Field], bytes: &[u8]) -> Vec<String> {
    let text = |it: &Field| String::from_utf8_lossy(it.cell(bytes).text().unwrap_or_default()).trim().to_owned();
    fields.iter().map(text).collect()
}

/// The fields of a sealed line beside their names; `None` if it does not come apart.
///
/// For people: what is illegal in the encoding shows as such, and a field beyond the head gets its number as a name.
pub(crate) fn named(pipeline: &Pipeline, sealed: &[u8]) -> Option<Vec<(String, String)>> {
    let source = &pipeline.pipeline.source;
    let separator = separator(source)?;
    let text = match encoding::decode(sealed, sealed_in(source, separator)) {
        Some(text) => text.into_owned(),
        None => String::from_utf8_lossy(sealed).into_owned(),
    };
    let bytes = text.as_bytes();
    let Sealed { names, fields, .. } = Sealed::split(bytes, source.headless, separator, bytes.len())?;
    let names = match names {
        Some(names) => texts(&names, bytes),
        None => pipeline.columns.iter().map(|it| it.0.clone()).collect(),
    };
    let name = |at: usize| names.get(at).cloned().unwrap_or_else(|| format!("第 {0} 列 / column {0}", at + 1));
    Some(texts(&fields, bytes).into_iter().enumerate().map(|(at, text)| (name(at), text)).collect())
}

/// Where the lines to be passed over end.
pub(crate) fn skip_lines(bytes: &[u8], lines: u32) -> usize {
    let mut at = 0;
    for _ in 0..lines {
        at = memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |it| at + it + 1);
    }
    at
}

/// A row of delimited text as it stands there.
pub(crate) struct TextRow<'a> {
    /// Lines above it.
    pub(crate) above: usize,
    /// Its fields; one for all of a row that does not come apart.
    pub(crate) cells: Vec<Cell<'a>>,
}

/// The first rows of delimited text in UTF-8, and whether there are no more.
pub(crate) fn first_rows(text: &[u8], separator: u8, field_bytes_max: u64, rows_max: usize) -> (Vec<TextRow<'_>>, bool) {
    let mut splitter = Splitter::new(text, 0, separator, field_bytes_max as usize);
    let (mut rows, mut fields): (Vec<TextRow<'_>>, Vec<Field>) = (Vec::new(), Vec::new());
    let (mut above, mut counted) = (0, 0);
    while let Some(split) = splitter.next(&mut fields) {
        if rows_max <= rows.len() {
            return (rows, false);
        }
        let start = splitter.at - split.raw.len();
        let start = start.min(text.len());
        above += memchr::memchr_iter(b'\n', &text[counted..start]).count();
        counted = start;
        let cells = if split.is_broken { vec![Cell::Bytes(split.raw)] } else { fields.iter().map(|it| it.cell(text)).collect() };
        rows.push(TextRow { above, cells });
    }
    (rows, true)
}

/// Goes through delimited text row by row.
struct Splitter<'a> {
    bytes: &'a [u8],
    at: usize,
    separator: u8,
    field_bytes_max: usize,
    stops: Stops,
}

/// One row as it was found.
struct Split<'a> {
    /// Its bytes without the line end.
    raw: &'a [u8],
    /// A quote was opened and not closed as it should; `raw` is its first line and reading goes on at the next.
    is_broken: bool,
}

/// Where a field lies, without its quotes.
#[derive(Debug, Clone, Copy)]
struct Field {
    start: usize,
    end: usize,
    /// It has quotes in it, written twice.
    is_doubled: bool,
}

impl Field {
    #[inline]
    fn cell<'a>(&self, bytes: &'a [u8]) -> Cell<'a> {
        let raw = self.raw(bytes);
        if self.is_doubled { Cell::Owned(undouble(raw)) } else { Cell::Bytes(raw) }
    }

    /// The bytes as they lie there, quotes within still doubled.
    #[inline]
    fn raw<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[self.start..self.end]
    }
}

fn undouble(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = memchr(b'"', rest) {
        out.extend_from_slice(&rest[..=at]);
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out
}

impl<'a> Splitter<'a> {
    fn new(bytes: &'a [u8], at: usize, separator: u8, field_bytes_max: usize) -> Self {
        Self { bytes, at, separator, field_bytes_max, stops: Stops::new(separator, at) }
    }

    /// Finds the fields of the next row; blank lines are none.
    #[inline]
    fn next(&mut self, fields: &mut Vec<Field>) -> Option<Split<'a>> {
        let bytes = self.bytes;
        while let Some(b'\n' | b'\r') = bytes.get(self.at) {
            self.at += 1;
        }
        let start = self.at;
        if bytes.len() <= start {
            return None;
        }
        fields.clear();
        let mut at = start;
        loop {
            if bytes.get(at) == Some(&b'"') {
                let Some((field, end)) = self.quoted(at) else { return Some(self.broken(start)) };
                fields.push(field);
                match bytes.get(end) {
                    Some(it) if *it == self.separator => at = end + 1,
                    _ => return Some(self.row(start, end)),
                }
                continue;
            }
            let end = self.stops.next(bytes, at);
            if bytes.get(end) == Some(&self.separator) {
                fields.push(Field { start: at, end, is_doubled: false });
                at = end + 1;
            } else {
                let is_crlf = at < end && bytes[end - 1] == b'\r';
                fields.push(Field { start: at, end: end - usize::from(is_crlf), is_doubled: false });
                return Some(self.row(start, end - usize::from(is_crlf)));
            }
        }
    }

    fn row(&mut self, start: usize, end: usize) -> Split<'a> {
        // What is left of the line end is passed over as a blank line.
        self.at = end;
        Split { raw: &self.bytes[start..end], is_broken: false }
    }

    #[cold]
    fn broken(&mut self, start: usize) -> Split<'a> {
        let rest = &self.bytes[start..];
        let length = memchr(b'\n', rest).unwrap_or(rest.len());
        self.at = start + length;
        Split { raw: rest[..length].trim_ascii_end(), is_broken: true }
    }

    /// A quoted field that begins at `at`, and where it ends; `None` if it is not closed as it should.
    fn quoted(&self, at: usize) -> Option<(Field, usize)> {
        let limit = self.bytes.len().min((at + 2).saturating_add(self.field_bytes_max.saturating_mul(2)));
        let mut is_doubled = false;
        let mut from = at + 1;
        loop {
            let quote = from + memchr(b'"', self.bytes.get(from..limit)?)?;
            let is_closed = match self.bytes.get(quote + 1) {
                None | Some(b'\n') => true,
                Some(b'\r') => matches!(self.bytes.get(quote + 2), None | Some(b'\n')),
                Some(it) => *it == self.separator,
            };
            if is_closed {
                return Some((Field { start: at + 1, end: quote, is_doubled }, quote + 1));
            }
            if self.bytes.get(quote + 1) != Some(&b'"') {
                return None;
            }
            is_doubled = true;
            from = quote + 2;
        }
    }
}

/// Separators and line ends of a text, found eight bytes at a time and kept until they are asked for.
///
/// Fields are a few bytes long: starting a search anew for each costs more than the search.
struct Stops {
    separators: u64,
    /// Where the eight bytes lie that `found` speaks of.
    base: usize,
    /// The highest bit of every byte that is a stop.
    found: u64,
}

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;
const LINE_ENDS: u64 = LOW * b'\n' as u64;

impl Stops {
    fn new(separator: u8, at: usize) -> Self {
        // No bytes seen yet: what lies before `at` is not looked at again.
        Self { separators: LOW * u64::from(separator), base: at.wrapping_sub(8), found: 0 }
    }

    /// The first stop at or after `at`, or the end of the text. Where `at` leaves the eight bytes, they are looked at anew.
    #[inline]
    fn next(&mut self, bytes: &[u8], at: usize) -> usize {
        let passed = at.wrapping_sub(self.base);
        if passed < 8 {
            self.found &= u64::MAX << (passed * 8);
        } else {
            self.base = at;
            self.found = self.look(bytes);
        }
        while self.found == 0 {
            self.base += 8;
            if bytes.len() <= self.base {
                return bytes.len();
            }
            self.found = self.look(bytes);
        }
        self.base + (self.found.trailing_zeros() / 8) as usize
    }

    #[inline]
    fn look(&self, bytes: &[u8]) -> u64 {
        let rest = bytes.get(self.base..).unwrap_or_default();
        let (word, is_there) = match rest.first_chunk::<8>() {
            Some(word) => (u64::from_le_bytes(*word), HIGH),
            None => {
                let mut word = [0; 8];
                word[..rest.len()].copy_from_slice(rest);
                // Bytes beyond the end are not there to be found, whatever the separator is.
                (u64::from_le_bytes(word), HIGH & !(u64::MAX << (rest.len() * 8)))
            }
        };
        (zeros(word ^ self.separators) | zeros(word ^ LINE_ENDS)) & is_there
    }
}

/// The highest bit of every byte that is zero, exactly: no carry passes from one byte to the next.
#[inline]
fn zeros(word: u64) -> u64 {
    !(((word & !HIGH) + !HIGH) | word | !HIGH)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows with fields between bars; `!` before the first line of a broken row.
    fn split(text: &str) -> Vec<String> {
        let mut splitter = Splitter::new(text.as_bytes(), 0, b',', 1000);
        let mut fields = Vec::new();
        let mut rows = Vec::new();
        while let Some(split) = splitter.next(&mut fields) {
            if split.is_broken {
                rows.push(format!("!{}", String::from_utf8_lossy(split.raw)));
                continue;
            }
            let cells = fields.iter().map(|it| match it.cell(text.as_bytes()) {
                Cell::Bytes(raw) => String::from_utf8_lossy(raw).into_owned(),
                Cell::Owned(raw) => String::from_utf8_lossy(&raw).into_owned(),
                other => format!("{other:?}"),
            });
            rows.push(cells.collect::<Vec<_>>().join("|"));
        }
        rows
    }

    #[test]
    fn rows_come_apart_at_separators_and_line_ends() {
        assert_eq!(split("a,b\r\nc,d\n"), ["a|b", "c|d"]);
        assert_eq!(split("a,b\n\n\r\nc,"), ["a|b", "c|"]);
        assert_eq!(split(",\n"), ["|"]);
        assert_eq!(split("a,\"b,\r\n\"\"c\"\"\"\r\nd,e"), ["a|b,\r\n\"c\"", "d|e"]);
        assert_eq!(split("\"\",\"\"\"\"\n"), ["|\""]);
        assert_eq!(split("=\"2023\",x\"y\"z\n"), ["=\"2023\"|x\"y\"z"]);
        assert!(split("\n\n").is_empty());
    }

    #[test]
    fn a_stray_quote_costs_its_own_line_only() {
        assert_eq!(split("a,\"b\nc,d\ne,f\n"), ["!a,\"b", "c|d", "e|f"]);
        assert_eq!(split("a,\"b\"x,c\nd,e\n"), ["!a,\"b\"x,c", "d|e"]);
        assert_eq!(split("a,\"b\nc,\"d\"\n"), ["!a,\"b", "c|d"]);
        assert_eq!(split("\"x\ny\",a,b,\"c\nz,w\n"), ["!\"x", "!y\",a,b,\"c", "z|w"]);
    }

    #[test]
    fn well_formed_text_comes_apart_as_the_csv_crate_has_it() {
        // Every text of up to seven of these characters that is well formed.
        let alphabet = [b'a', b',', b'"', b'\n'];
        for length in 0..=7_u32 {
            for number in 0..4_usize.pow(length) {
                let text: Vec<u8> = (0..length).map(|it| alphabet[number / 4_usize.pow(it) % 4]).collect();
                let text = String::from_utf8(text).expect("ASCII");
                let ours = split(&text);
                if ours.iter().any(|it| it.starts_with('!')) {
                    continue;
                }
                let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
                let theirs: Vec<String> =
                    reader.records().map(|it| it.expect("UTF-8").iter().collect::<Vec<_>>().join("|")).collect();
                assert_eq!(ours, theirs, "{text:?}");
            }
        }
    }

    #[test]
    fn stops_are_found_wherever_they_lie() {
        for length in 0..30 {
            for first in 0..=length {
                for second in first..=length {
                    let mut bytes = vec![0xff; length];
                    for (at, stop) in [(first, b','), (second, b'\n')] {
                        bytes.get_mut(at).into_iter().for_each(|it| *it = stop);
                    }
                    let mut stops = Stops::new(b',', 0);
                    let mut expected: Vec<usize> = [first, second, length].to_vec();
                    expected.dedup();
                    let mut at = 0;
                    for expected in expected {
                        assert_eq!(stops.next(&bytes, at), expected, "{bytes:?} from {at}");
                        at = (expected + 1).min(length);
                    }
                }
            }
        }
    }
}
