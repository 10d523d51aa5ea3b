//! Workbooks written down as TOML, because TOML knows text, numbers, truth and local dates as a sheet does.
//!
//! `rows` is an array of arrays; `""` leaves a cell out.

use std::fs;
use std::path::Path;

use rust_xlsxwriter::{ExcelDateTime, Format, Workbook};
use serde::Deserialize;
use toml::Value;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    sheets_before: Vec<String>,
    #[serde(default)]
    name: Option<String>,
    rows: Vec<Vec<Value>>,
}

/// Makes the workbook that a TOML file describes.
pub fn write(described: &Path, made: &Path) {
    let text = fs::read_to_string(described).expect("a described workbook");
    let written: Written = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", described.display()));
    let mut workbook = Workbook::new();
    for name in &written.sheets_before {
        workbook.add_worksheet().set_name(name).expect("a sheet's name");
    }
    let sheet = workbook.add_worksheet();
    if let Some(name) = &written.name {
        sheet.set_name(name).expect("a sheet's name");
    }
    for (row, cells) in written.rows.iter().enumerate() {
        for (column, cell) in cells.iter().enumerate() {
            let (row, column) = (row as u32, column as u16);
            match cell {
                Value::String(text) if text.is_empty() => continue,
                Value::String(text) => sheet.write_string(row, column, text),
                Value::Integer(value) => sheet.write_number(row, column, *value as f64),
                Value::Float(value) => sheet.write_number(row, column, *value),
                Value::Boolean(value) => sheet.write_boolean(row, column, *value),
                Value::Datetime(at) => {
                    let shape = if at.time.is_some() { "yyyy-mm-dd hh:mm:ss" } else { "yyyy-mm-dd" };
                    let at = ExcelDateTime::parse_from_str(&at.to_string()).expect("a date that Excel knows");
                    sheet.write_datetime_with_format(row, column, &at, &Format::new().set_num_format(shape))
                }
                other => panic!("{}: no cell for {other}", described.display()),
            }
            .expect("a cell within the sheet");
        }
    }
    workbook.save(made).expect("the scratch folder can be written");
}
