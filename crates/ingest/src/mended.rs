//! A table read whole as it stands, so that corrected rows can take the place of refused ones and the file be written anew.

use schema::time::days_date;
use schema::{Column, Format, Pipeline};

use crate::delimited::{self, separator};
use crate::plain::Plain;
use crate::{Error, FileInput, Limits, encoding, sheet, unpack};

/// The head of the last column of a workbook of refused rows.
pub const REASON_HEAD: &str = "原因 / reason";

/// A table as it stands in a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Rows above the data, the head among them, each with the number of lines or sheet rows above it.
    pub above: Vec<(u32, Vec<Plain>)>,
    /// Rows of data; the first is row 1 of the quarantine.
    pub rows: Vec<Vec<Plain>>,
}

/// Whether files of a contract can be written anew.
pub fn is_mendable(pipeline: &Pipeline) -> bool {
    !pipeline.is_pulled() && matches!(pipeline.bytes_format(), Format::Csv | Format::Tsv | Format::Xlsx)
}

/// Reads all rows of a file as its contract says where they are.
///
/// # Errors
/// If the file cannot be read, or is of a format that is not written anew.
pub fn table(file: &FileInput<'_>, pipeline: &Pipeline, limits: Limits) -> Result<Table, Error> {
    let source = &pipeline.pipeline.source;
    let bytes = unpack::read(file, limits.file_bytes_max)?;
    let rows: Vec<(u32, Vec<Plain>)> = match pipeline.bytes_format() {
        Format::Xlsx => sheet_rows(file, &bytes, source.sheet.as_deref(), limits)?,
        Format::Csv | Format::Tsv => {
            let separator = separator(source).unwrap_or(b',');
            let (text, _) = encoding::plain(&bytes, source.encoding, false, file.display)?;
            let (rows, _) = delimited::first_rows(&text, separator, limits.field_bytes_max, usize::MAX);
            let above = |it: usize| u32::try_from(it).unwrap_or(u32::MAX);
            rows.iter().map(|it| (above(it.above), it.cells.iter().map(Plain::of).collect())).collect()
        }
        Format::Jsonl | Format::Xls | Format::Parquet => {
            return Err(Error::Contract {
                pipeline: pipeline.name().to_owned(),
                message: "files of this format are not written anew: correct the rows where they came from".to_owned(),
            });
        }
    };
    let first = rows.iter().position(|(above, _)| source.skip_rows <= *above).unwrap_or(rows.len());
    let first = (first + usize::from(!source.headless)).min(rows.len());
    let mut above = rows;
    let rows = above.split_off(first).into_iter().map(|it| it.1).collect();
    Ok(Table { above, rows })
}

/// The corrected rows of a workbook of refused rows, in the order of the contract's columns; the reasons are left out.
///
/// # Errors
/// If it is no workbook, or a column is missing or is none of the contract's.
pub fn correction(file: &FileInput<'_>, pipeline: &Pipeline, limits: Limits) -> Result<Vec<Vec<Plain>>, Error> {
    let bytes = unpack::read(file, limits.file_bytes_max)?;
    let mut rows = sheet_rows(file, &bytes, None, limits)?.into_iter().map(|it| it.1);
    let heads = rows.next().ok_or_else(|| Error::NoHead { file: file.display.to_owned(), line: 1 })?;
    let mut heads: Vec<String> = heads.iter().map(Plain::text).collect();
    if heads.last().is_some_and(|it| it == REASON_HEAD || it == "原因") && pipeline.columns.len() < heads.len() {
        heads.pop();
    }
    let places = crate::head::bind(pipeline, &heads, file.display)?;
    let take = |row: Vec<Plain>| -> Vec<Plain> {
        places.iter().map(|it| it.and_then(|at| row.get(at).cloned()).unwrap_or(Plain::Empty)).collect()
    };
    Ok(rows.map(take).filter(|it| it.iter().any(|it| !it.is_empty())).collect())
}

fn sheet_rows(file: &FileInput<'_>, bytes: &[u8], wanted: Option<&str>, limits: Limits) -> Result<Vec<(u32, Vec<Plain>)>, Error> {
    let found = sheet::first_rows(file, bytes, Format::Xlsx, wanted, limits.file_bytes_max, usize::MAX)?;
    let row = |(above, cells): &(u32, Vec<(usize, crate::cell::Cell<'static>)>)| {
        let width = cells.iter().map(|(at, _)| at + 1).max().unwrap_or(0);
        let mut values = vec![Plain::Empty; width];
        for (at, cell) in cells {
            values[*at] = Plain::of(cell);
        }
        (*above, values)
    };
    Ok(found.rows.iter().map(row).collect())
}

/// A table as delimited text in the contract's encoding: rows above, then rows of data.
pub fn delimited_text(table: &Table, pipeline: &Pipeline) -> Vec<u8> {
    let source = &pipeline.pipeline.source;
    let separator = char::from(separator(source).unwrap_or(b','));
    let mut text = String::new();
    let mut line = 0;
    for (above, cells) in &table.above {
        while line < *above {
            text.push('\n');
            line += 1;
        }
        line += push_line(&mut text, cells.iter().map(Plain::text), separator);
    }
    for cells in &table.rows {
        let columns = pipeline.columns.iter().map(|it| Some(&it.1)).chain(std::iter::repeat(None));
        push_line(&mut text, cells.iter().zip(columns).map(|(it, column)| written(it, column)), separator);
    }
    encoding::encode(&text, source.encoding)
}

/// Adds a line and says how many line ends it has.
fn push_line(text: &mut String, cells: impl Iterator<Item = String>, separator: char) -> u32 {
    let start = text.len();
    for (at, cell) in cells.enumerate() {
        if at != 0 {
            text.push(separator);
        }
        if cell.contains([separator, '"', '\n', '\r']) {
            text.push('"');
            text.push_str(&cell.replace('"', "\"\""));
            text.push('"');
        } else {
            text.push_str(&cell);
        }
    }
    text.push('\n');
    text[start..].matches('\n').count() as u32
}

/// A value as the column's format writes it: who corrects a date in a spreadsheet gets a date and no text.
pub(crate) fn written(value: &Plain, column: Option<&Column>) -> String {
    let (Plain::Local(at), Some(format)) = (value, column.and_then(|it| it.format.as_deref())) else { return value.text() };
    let (days, of_day) = (at.div_euclid(86_400_000_000), at.rem_euclid(86_400_000_000) / 1_000_000);
    let midnight = i32::try_from(days).ok().and_then(days_date).and_then(|it| it.and_hms_opt(0, 0, 0));
    match midnight.and_then(|it| it.checked_add_signed(chrono::TimeDelta::seconds(of_day))) {
        Some(moment) => moment.format(format).to_string(),
        None => value.text(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use schema::Encoding;

    use super::*;

    fn pipeline(source: &str) -> Pipeline {
        let text = format!(
            r#"
            [pipeline]
            name = "thing"
            about = "Things."
            shape = "state"
            owner = "office"
            purpose = ["service"]
            retention = "4y"
            source = {{ path = "thing/*", {source} }}
            [contract]
            version = 1
            key = ["id"]
            usual_delay = "1d"
            [columns]
            id = {{ head = "编号", type = "text", required = true, class = "internal", about = "Number." }}
            on = {{ head = "日期", type = "date", format = "%Y/%m/%d", class = "internal", about = "Day." }}"#
        );
        Pipeline::parse(Path::new(""), &text).expect("sound")
    }

    #[test]
    fn a_text_is_written_as_it_was_read_with_the_corrected_row() {
        let pipeline = pipeline(r#"format = "csv", encoding = "gb18030", skip_rows = 2"#);
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.csv");
        let text = "标题,\n\n编号,日期\n1,2025/09/01\n\"a,\"\"b\",昨天\n";
        std::fs::write(&path, encoding::encode(text, Encoding::Gb18030)).expect("written");
        let file = FileInput { path: &path, file_no: 1, display: "x.csv" };
        let mut read = table(&file, &pipeline, Limits::default()).expect("a table");
        assert_eq!((read.above.len(), read.rows.len()), (2, 2));
        read.rows[1][1] = Plain::Local(1_756_771_200_000_000);
        let bytes = delimited_text(&read, &pipeline);
        let expected = "标题,\n\n编号,日期\n1,2025/09/01\n\"a,\"\"b\",2025/09/02\n";
        assert_eq!(encoding::decode(&bytes, Encoding::Gb18030).as_deref(), Some(expected));
    }
}
