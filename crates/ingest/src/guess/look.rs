//! The first rows of a file as they stand there, before any contract: format, encoding, separator, sheet.

use schema::{Encoding, Format};

use super::Guessed;
use crate::encoding::{self, plain};
use crate::plain::Plain as Value;
use crate::said::Said;
use crate::{Error, FileInput, delimited, parquet, sheet};
/// A row as it stands in a file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    /// Lines, or rows of the sheet, above it.
    pub(super) above: u32,
    pub(super) values: Vec<Value>,
}

/// The first rows of a file.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) format: Guessed<Format>,
    pub(super) encoding: Guessed<Encoding>,
    pub(super) separator: Guessed<Option<char>>,
    /// Names of all sheets of a workbook.
    pub(super) sheets: Vec<String>,
    pub(super) sheet: Guessed<Option<String>>,
    pub(super) rows: Vec<Row>,
    /// Names that every row or the file itself carries.
    pub(super) names: Option<Vec<String>>,
    /// There were no more rows.
    pub(super) is_whole: bool,
}

/// Rows that are looked at: enough to see codes and formats, few enough to answer at once.
const ROWS_MAX: usize = 5_000;
/// Bytes of a text that are looked at.
const TEXT_BYTES_MAX: usize = 8 << 20;
/// Rows by which a separator is judged.
const SEPARATOR_ROWS: usize = 60;
const FIELD_BYTES_MAX: u64 = 1 << 20;

/// Looks at the unpacked bytes of a file; `sheet` names the sheet that is wanted, if one is.
pub(super) fn look(file: &FileInput<'_>, bytes: &[u8], bytes_max: u64, sheet: Option<&str>) -> Result<Look, Error> {
    let format = format(file, bytes)?;
    let mut look = Look {
        encoding: Guessed::sure(Encoding::Utf8, Said::new("此格式自带编码", "this format has its own encoding")),
        separator: Guessed::sure(None, Said::new("此格式没有分隔符", "this format has no separator")),
        sheets: Vec::new(),
        sheet: Guessed::sure(None, Said::new("读第一个工作表", "the first sheet is read")),
        rows: Vec::new(),
        names: None,
        is_whole: true,
        format,
    };
    match look.format.value {
        Format::Xlsx | Format::Xls => sheets(file, bytes, bytes_max, sheet, &mut look)?,
        Format::Parquet => {
            let (names, rows, is_whole) = parquet::first_rows(file, bytes, bytes_max, ROWS_MAX)?;
            let rows = rows.iter().map(|it| Row { above: 0, values: it.iter().map(Value::of).collect() });
            (look.rows, look.names, look.is_whole) = (rows.collect(), Some(names), is_whole);
        }
        Format::Jsonl | Format::Csv | Format::Tsv => texts(file, bytes, &mut look)?,
    }
    Ok(look)
}

/// The format by the bytes, or by the name where the bytes do not tell.
fn format(file: &FileInput<'_>, bytes: &[u8]) -> Result<Guessed<Format>, Error> {
    let name = file.path.file_name().and_then(|it| it.to_str()).unwrap_or_default().to_ascii_lowercase();
    let bare = [".gz", ".zst", ".zip"].iter().find_map(|it| name.strip_suffix(it)).unwrap_or(&name);
    let extension = bare.rsplit_once('.').map_or("", |it| it.1);
    let by_bytes = |format, zh: &str, en: &str| Ok(Guessed::new(format, 1.0, Said::new(zh, en)));
    match bytes {
        [b'P', b'A', b'R', b'1', ..] => {
            return by_bytes(Format::Parquet, "文件开头是 Parquet 的标记", "the file begins as Parquet does");
        }
        [b'P', b'K', 3, 4, ..] => return by_bytes(Format::Xlsx, "文件内容是 Excel 工作簿", "the file is an Excel workbook"),
        [0xd0, 0xcf, 0x11, 0xe0, ..] => {
            return by_bytes(
                Format::Xls,
                "文件内容是 2007 年以前的 Excel 工作簿",
                "the file is an Excel workbook of before 2007",
            );
        }
        _ => {}
    }
    if matches!(extension, "xlsx" | "xls" | "parquet") {
        let first = bytes.trim_ascii_start().first();
        if extension != "xls" || matches!(first, None | Some(b'<')) {
            let (format, remedy) = match extension {
                "xlsx" => ("XLSX", "save it again as .xlsx without a password"),
                "xls" => ("XLS", "it is HTML or XML by another name, open it in Excel and save it as .xlsx"),
                _ => ("Parquet", "write it again"),
            };
            let source = "its first bytes are those of another kind of file".into();
            return Err(Error::Workbook { file: file.display.to_owned(), format, remedy, source });
        }
    }
    let first = bytes.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(bytes).trim_ascii_start().first();
    Ok(match (extension, first) {
        ("jsonl" | "ndjson" | "json", Some(b'{')) => {
            Guessed::new(Format::Jsonl, 1.0, Said::new("每行一个 JSON 对象", "every line is a JSON object"))
        }
        (_, Some(b'{')) => Guessed::new(
            Format::Jsonl,
            0.9,
            Said::new("内容以 { 开头，按 JSON 行读取", "it begins with {, and is read as JSON lines"),
        ),
        ("tsv", _) => Guessed::new(Format::Tsv, 0.95, Said::new("扩展名是 .tsv", "the name ends with .tsv")),
        ("csv", _) => Guessed::new(Format::Csv, 0.95, Said::new("扩展名是 .csv", "the name ends with .csv")),
        _ => Guessed::new(Format::Csv, 0.6, Said::new("内容是文本，按分隔符读取", "it is text, and is read by its separator")),
    })
}

fn sheets(file: &FileInput<'_>, bytes: &[u8], bytes_max: u64, wanted: Option<&str>, look: &mut Look) -> Result<(), Error> {
    let found = sheet::first_rows(file, bytes, look.format.value, wanted, bytes_max, ROWS_MAX)?;
    let is_first = found.sheets.first() == Some(&found.sheet);
    look.rows = found
        .rows
        .iter()
        .map(|(above, cells)| {
            let width = cells.iter().map(|(at, _)| at + 1).max().unwrap_or(0);
            let mut values = vec![Value::Empty; width];
            for (at, cell) in cells {
                values[*at] = Value::of(cell);
            }
            Row { above: *above, values }
        })
        .collect();
    let name = &found.sheet;
    look.sheet = match (is_first, found.sheets.len()) {
        (true, 1) => Guessed::sure(None, Said::new("只有一个工作表", "there is one sheet only")),
        (true, n) => Guessed::new(
            None,
            0.8,
            Said::new(format!("共 {n} 个工作表，读第一个“{name}”"), format!("the first of {n} sheets is read: \"{name}\"")),
        ),
        (false, _) => Guessed::new(
            Some(name.clone()),
            if wanted.is_some() { 1.0 } else { 0.7 },
            Said::new(format!("读工作表“{name}”"), format!("the sheet \"{name}\" is read: those before it have no rows")),
        ),
    };
    (look.sheets, look.is_whole) = (found.sheets, found.is_whole);
    Ok(())
}

fn texts(file: &FileInput<'_>, bytes: &[u8], look: &mut Look) -> Result<(), Error> {
    let found = encoding::found(bytes);
    let name = encoding::word(found.encoding);
    let n = found.illegal_lines;
    look.encoding = match (found.is_marked, found.is_ascii, n) {
        (true, ..) => Guessed::sure(
            found.encoding,
            Said::new(format!("文件开头有 {name} 的标记"), format!("the file begins with the byte order mark of {name}")),
        ),
        (_, true, _) => Guessed::new(
            found.encoding,
            0.9,
            Said::new("只有英文和数字，各种编码都一样", "it is all ASCII, which every encoding shares"),
        ),
        (_, _, 0) => Guessed::new(
            found.encoding,
            0.95,
            Said::new(format!("按 {name} 每一行都读得出"), format!("every line is legal {name}")),
        ),
        _ => Guessed::new(
            found.encoding,
            0.6,
            Said::new(
                format!("按 {name} 只有 {n} 行读不出"),
                format!("{n} lines are illegal in {name}, fewer than in any other"),
            ),
        ),
    };
    let (text, _) = plain(bytes, found.encoding, false, file.display)?;
    let cut = text.len().min(TEXT_BYTES_MAX);
    let end = if cut < text.len() { text[..cut].iter().rposition(|it| *it == b'\n').unwrap_or(cut) } else { cut };
    let (text, is_cut) = (&text[..end], end < text.len());
    if look.format.value == Format::Jsonl {
        let (names, rows, is_whole) = objects(text);
        (look.rows, look.names, look.is_whole) = (rows, Some(names), is_whole && !is_cut);
        return Ok(());
    }
    let default = if look.format.value == Format::Tsv { b'\t' } else { b',' };
    let (separator, confidence) = separator(text, default);
    if separator == b'\t' && look.format.value == Format::Csv && look.format.confidence < 0.95 {
        look.format = Guessed::new(Format::Tsv, 0.9, Said::new("各列以制表符分隔", "tabs part the fields"));
    }
    let own = if look.format.value == Format::Tsv { b'\t' } else { b',' };
    let shown = if separator == b'\t' { "制表符".to_owned() } else { char::from(separator).to_string() };
    let english = if separator == b'\t' { "a tab".to_owned() } else { format!("\"{}\"", char::from(separator)) };
    look.separator = Guessed::new(
        (separator != own).then_some(char::from(separator)),
        confidence,
        Said::new(format!("按“{shown}”分列最整齐"), format!("rows come apart most evenly at {english}")),
    );
    let (rows, is_whole) = delimited::first_rows(text, separator, FIELD_BYTES_MAX, ROWS_MAX);
    look.rows = rows
        .iter()
        .map(|it| Row { above: u32::try_from(it.above).unwrap_or(u32::MAX), values: it.cells.iter().map(Value::of).collect() })
        .collect();
    look.is_whole = is_whole && !is_cut;
    Ok(())
}

/// The separator at which most rows come apart into the same number of fields, and how sure that is.
fn separator(text: &[u8], default: u8) -> (u8, f64) {
    let mut best = (default, 0.0, 0.4);
    for candidate in [default, b',', b'\t', b';', b'|'] {
        let (rows, _) = delimited::first_rows(text, candidate, FIELD_BYTES_MAX, SEPARATOR_ROWS);
        let widths: Vec<usize> = rows.iter().map(|it| it.cells.len()).collect();
        let Some(width) = mode(&widths).filter(|it| 1 < *it) else { continue };
        let even = widths.iter().filter(|it| **it == width).count() as f64 / widths.len() as f64;
        let score = even * (1.0 + (width as f64).ln());
        if best.1 + 0.05 < score {
            best = (candidate, score, if 0.9 < even { 0.95 } else { 0.7 });
        }
    }
    (best.0, best.2)
}

/// The most frequent number; of equals the greatest.
pub(super) fn mode(numbers: &[usize]) -> Option<usize> {
    let mut counts = std::collections::BTreeMap::new();
    for it in numbers {
        *counts.entry(*it).or_insert(0_usize) += 1;
    }
    counts.into_iter().max_by_key(|(number, n)| (*n, *number)).map(|it| it.0)
}

/// The keys of JSON lines in the order in which they first come, and their values.
fn objects(text: &[u8]) -> (Vec<String>, Vec<Row>, bool) {
    let mut names: Vec<String> = Vec::new();
    let mut rows = Vec::new();
    for (above, line) in text.split(|it| *it == b'\n').enumerate() {
        if ROWS_MAX <= rows.len() {
            return (names, rows, false);
        }
        let Ok(serde_json::Value::Object(object)) = serde_json::from_slice(line.trim_ascii()) else { continue };
        let mut values = vec![Value::Empty; names.len()];
        for (name, value) in object {
            let at = names.iter().position(|it| *it == name).unwrap_or_else(|| {
                names.push(name);
                values.push(Value::Empty);
                names.len() - 1
            });
            values[at] = match value {
                serde_json::Value::Null => Value::Empty,
                serde_json::Value::Bool(it) => Value::Bool(it),
                serde_json::Value::Number(it) => {
                    it.as_i64().map_or_else(|| it.as_f64().map_or(Value::Unreadable, Value::Float), Value::Int)
                }
                serde_json::Value::String(it) if it.trim().is_empty() => Value::Empty,
                serde_json::Value::String(it) => Value::Text(it.trim().to_owned()),
                serde_json::Value::Array(_) | serde_json::Value::Object(_) => Value::Unreadable,
            };
        }
        rows.push(Row { above: u32::try_from(above).unwrap_or(u32::MAX), values });
    }
    (names, rows, true)
}
