//! Refused rows as a workbook, for the person who must correct the export they came in.
//!
//! Comes in: sealed rows and their contract. Goes out: the source's own heads, the cells as they came, and a last column
//! that says what is wrong. Values stay what they were: a number is a number, a text is never read as a formula.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use ingest::Reason;
use rust_xlsxwriter::{Format, Workbook, Worksheet};
use schema::{Pipeline, Seal};
use serde_json::Value;

use crate::exit::Caller;
use crate::replay::Sealed;

const REASON: &str = "原因 / reason";

/// Rows of a sheet with its head.
const ROWS_MAX: usize = 1_048_576;
/// Characters of a cell; Excel's own limit lies a little higher.
const CHARACTERS_MAX: usize = 32_000;

/// Opens rows and writes them down.
pub(crate) fn workbook(pipeline: &Pipeline, rows: &[Sealed], seal: &dyn Seal) -> anyhow::Result<Vec<u8>> {
    if ROWS_MAX <= rows.len() {
        let n = rows.len();
        anyhow::bail!(Caller(format!(
            "{n} 行超出工作表上限 / {n} rows are more than a sheet holds: mend the contract and replay first"
        )));
    }
    let mut heads: Vec<String> =
        pipeline.columns.iter().map(|(name, column)| column.head.clone().unwrap_or_else(|| name.clone())).collect();
    let mut opened = Vec::with_capacity(rows.len());
    for row in rows {
        let bytes = seal.open(&row.sealed).map_err(|it| anyhow::anyhow!("a row of the quarantine does not open: {it}"))?;
        let cells: BTreeMap<String, Value> = ingest::named_cells(pipeline, &bytes).into_iter().collect();
        let beyond = cells.keys().filter(|it| !heads.contains(it)).cloned().collect::<Vec<_>>();
        heads.extend(beyond);
        opened.push(cells);
    }
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    // A sheet's name has 31 characters at most.
    sheet.set_name(pipeline.name().chars().take(31).collect::<String>())?;
    let bold = Format::new().set_bold();
    for (column, head) in heads.iter().map(String::as_str).chain([REASON]).enumerate() {
        sheet.write_string_with_format(0, column as u16, head, &bold)?;
    }
    for (row, (cells, sealed)) in opened.iter().zip(rows).enumerate() {
        let row = row as u32 + 1;
        for (column, head) in heads.iter().enumerate() {
            if let Some(value) = cells.get(head) {
                put(sheet, row, column as u16, value)?;
            }
        }
        sheet.write_string(row, heads.len() as u16, words(pipeline, sealed))?;
    }
    sheet.set_freeze_panes(1, 0)?;
    sheet.set_column_width(heads.len() as u16, 60)?;
    Ok(book.save_to_buffer()?)
}

fn put(sheet: &mut Worksheet, row: u32, column: u16, value: &Value) -> anyhow::Result<()> {
    match value {
        Value::Null => {}
        Value::Bool(value) => drop(sheet.write_boolean(row, column, *value)?),
        // Beyond 15 digits a sheet rounds, and a rounded number is somebody else's.
        Value::Number(number) if number.to_string().len() <= 15 => {
            sheet.write_number(row, column, number.as_f64().unwrap_or_default())?;
        }
        Value::String(text) => drop(sheet.write_string(row, column, cut(text))?),
        other => drop(sheet.write_string(row, column, cut(&other.to_string()))?),
    }
    Ok(())
}

fn cut(text: &str) -> String {
    if text.chars().count() <= CHARACTERS_MAX {
        return text.to_owned();
    }
    text.chars().take(CHARACTERS_MAX).chain("…（过长，已截断 / too long, cut）".chars()).collect()
}

/// What is wrong with a row, in both languages: the column under the source's name and under ours.
fn words(pipeline: &Pipeline, row: &Sealed) -> String {
    let reason = Reason::ALL.into_iter().find(|it| it.as_str() == row.reason);
    let (zh, en) = reason.map_or(("未知原因", "unknown reason"), Reason::words);
    let code = &row.reason;
    match &row.column {
        None => format!("{zh} / {en} ({code})"),
        Some(name) => {
            let head = pipeline.column(name).and_then(|it| it.head.clone()).unwrap_or_else(|| name.clone());
            format!("{head}：{zh} / {name}: {en} ({code})")
        }
    }
}

/// Writes a workbook that only its owner may read.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).with_context(|| format!("could not write {}", path.display()))?;
    file.write_all(bytes).with_context(|| format!("could not write {}", path.display()))?;
    Ok(())
}
