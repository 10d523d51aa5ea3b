//! Workbooks for people: an empty one with the heads of a contract, one with refused rows, and a file written anew.

use anyhow::Context;
use ingest::{Plain, REASON_HEAD, Said, Table, example, type_words};
use rust_xlsxwriter::{Color, DataValidation, ExcelDateTime, Format, Workbook, Worksheet, XlsxError};
use schema::{Class, Column, ColumnType, PersonKind, Pipeline};

use super::Ground;
use super::trial::{Refused, heads};

/// Rows of a template that are prepared.
const TEMPLATE_ROWS: u32 = 5_000;
/// Excel takes no longer list of words.
const LIST_CHARACTERS_MAX: usize = 255;
/// Name of the sheet that explains the columns; a guess passes it over because it is the second.
const EXPLAINED: &str = "填写说明";

fn head_format() -> Format {
    Format::new().set_bold().set_background_color(Color::RGB(0x00e8_f0fd)).set_text_wrap()
}

/// The refused rows under the source's heads, with the reason in the last column.
pub(crate) fn rejects(pipeline: &Pipeline, refused: &[Refused]) -> anyhow::Result<Vec<u8>> {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    let heads = heads(pipeline);
    fill_rejects(sheet, &heads, refused).context("could not write the workbook of refused rows")?;
    workbook.save_to_buffer().context("could not write the workbook of refused rows")
}

fn fill_rejects(sheet: &mut Worksheet, heads: &[String], refused: &[Refused]) -> Result<(), XlsxError> {
    let (head, wrong) = (head_format(), Format::new().set_font_color(Color::RGB(0x00b4_2318)).set_text_wrap());
    // What is typed into a cell of text stays as it was typed.
    let text = Format::new().set_num_format("@");
    for (at, name) in heads.iter().map(String::as_str).chain([REASON_HEAD]).enumerate() {
        let column = u16::try_from(at).unwrap_or(u16::MAX);
        sheet.write_with_format(0, column, name, &head)?;
        let is_last = at == heads.len();
        sheet.set_column_width(column, if is_last { 60 } else { 18 })?;
        if !is_last {
            sheet.set_column_format(column, &text)?;
        }
    }
    for (at, it) in refused.iter().enumerate() {
        let row = u32::try_from(at + 1).unwrap_or(u32::MAX);
        for (column, cell) in it.cells.iter().enumerate() {
            if !cell.is_empty() {
                sheet.write_string_with_format(row, u16::try_from(column).unwrap_or(u16::MAX), cell, &text)?;
            }
        }
        let Said { zh, en } = &it.words;
        let said = format!("第 {0} 行数据：{zh} / data row {0}: {en}", it.row_no);
        sheet.write_string_with_format(row, u16::try_from(heads.len()).unwrap_or(u16::MAX), &said, &wrong)?;
    }
    sheet.set_freeze_panes(1, 0)?;
    Ok(())
}

/// An empty table with the heads of a contract, and a second sheet that explains each column.
pub(crate) fn template(pipeline: &Pipeline, ground: &Ground) -> anyhow::Result<Vec<u8>> {
    let mut workbook = Workbook::new();
    fill_template(workbook.add_worksheet(), pipeline).context("could not write the template")?;
    explain(workbook.add_worksheet(), pipeline, ground).context("could not write the template")?;
    workbook.save_to_buffer().context("could not write the template")
}

fn fill_template(sheet: &mut Worksheet, pipeline: &Pipeline) -> Result<(), XlsxError> {
    sheet.set_name("数据")?;
    let head = head_format();
    let text = Format::new().set_num_format("@");
    for (at, ((_, column), name)) in pipeline.columns.iter().zip(heads(pipeline)).enumerate() {
        let at = u16::try_from(at).unwrap_or(u16::MAX);
        sheet.set_column_width(at, 18)?;
        // Numbers of persons and dates as the contract writes them are texts: a spreadsheet would change both.
        sheet.set_column_format(at, &text)?;
        sheet.write_string_with_format(0, at, &name, &head)?;
        let words = words(column);
        let length: usize = words.iter().map(|it| it.chars().count() + 1).sum();
        if !words.is_empty() && length <= LIST_CHARACTERS_MAX {
            let list = DataValidation::new().allow_list_strings(&words)?;
            sheet.add_data_validation(1, at, TEMPLATE_ROWS, at, &list)?;
        }
    }
    sheet.set_freeze_panes(1, 0)?;
    Ok(())
}

fn explain(sheet: &mut Worksheet, pipeline: &Pipeline, ground: &Ground) -> Result<(), XlsxError> {
    sheet.set_name(EXPLAINED)?;
    let head = head_format();
    let wrap = Format::new().set_text_wrap();
    let titles = [
        "列 / column",
        "名称 / name",
        "类型 / type",
        "必填 / required",
        "允许的值 / allowed",
        "示例 / example",
        "分级 / class",
        "说明 / about",
    ];
    for (at, title) in titles.iter().enumerate() {
        let at = u16::try_from(at).unwrap_or(u16::MAX);
        sheet.set_column_width(at, if at == 4 || at == 7 { 40 } else { 18 })?;
        sheet.write_string_with_format(0, at, *title, &head)?;
    }
    for (at, ((name, column), own)) in pipeline.columns.iter().zip(heads(pipeline)).enumerate() {
        let row = u32::try_from(at + 1).unwrap_or(u32::MAX);
        let Said { zh, en } = type_words(column.type_);
        let required = if column.required { "必填 / yes" } else { "可空 / no" };
        let class = class_words(column.class);
        let cells = [
            own,
            name.clone(),
            format!("{zh} / {en}"),
            required.to_owned(),
            words(column).join("、"),
            sample(column, ground),
            format!("{} / {}", class.zh, class.en),
            column.about_zh.as_ref().map_or_else(|| column.about.clone(), |zh| format!("{zh} / {}", column.about)),
        ];
        for (at, cell) in cells.iter().enumerate() {
            sheet.write_string_with_format(row, u16::try_from(at).unwrap_or(u16::MAX), cell, &wrap)?;
        }
    }
    sheet.set_freeze_panes(1, 0)?;
    Ok(())
}

/// A class in words.
pub(crate) fn class_words(class: Class) -> Said {
    match class {
        Class::Public => Said::new("公开", "public"),
        Class::Internal => Said::new("内部", "internal"),
        Class::Personal => Said::new("个人", "personal"),
        Class::Trace => Said::new("敏感（行踪、金额）", "trace"),
        Class::Closed => Said::new("关闭", "closed"),
        Class::Identity => Said::new("身份（只进保险库）", "identity: vault only"),
    }
}

/// The words that the source may write.
fn words(column: &Column) -> Vec<String> {
    match (&column.one_of, &column.codes) {
        (Some(words), _) => words.clone(),
        (None, Some(codes)) => codes.keys().cloned().collect(),
        (None, None) if column.type_ == ColumnType::Boolean => vec!["是".to_owned(), "否".to_owned()],
        (None, None) => Vec::new(),
    }
}

/// A value that the column would take.
fn sample(column: &Column, ground: &Ground) -> String {
    if let Some(word) = words(column).first() {
        return word.clone();
    }
    if let Some(kind) = column.person {
        return ground.sample_number(kind);
    }
    match column.type_ {
        ColumnType::Text => "示例".to_owned(),
        ColumnType::Int64 if column.decimal_shift.is_some_and(|it| 0 < it) => "12.50".to_owned(),
        ColumnType::Int64 => column.min.unwrap_or(1).max(1).min(column.max.unwrap_or(i64::MAX)).to_string(),
        ColumnType::Float64 => "1.5".to_owned(),
        ColumnType::Boolean => "是".to_owned(),
        ColumnType::Date => example(column.format.as_deref().unwrap_or("%Y-%m-%d")),
        ColumnType::Timestamp => example(column.format.as_deref().unwrap_or("%Y-%m-%d %H:%M:%S")),
    }
}

impl Ground {
    /// A number like those of the campus, of nobody; empty if none is found.
    fn sample_number(&self, kind: PersonKind) -> String {
        let tried = ["2023000001", "20230001", "202300000001", "T00001", "10001", "100001", "0001", "A0001"];
        tried.iter().find(|it| self.persons.is_number(kind, it)).map_or_else(String::new, |it| (*it).to_owned())
    }
}

/// A table written anew as a workbook with one sheet of a name.
pub(crate) fn written_anew(table: &Table, sheet_name: Option<&str>) -> anyhow::Result<Vec<u8>> {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    fill_anew(sheet, table, sheet_name).context("could not write the corrected workbook")?;
    workbook.save_to_buffer().context("could not write the corrected workbook")
}

fn fill_anew(sheet: &mut Worksheet, table: &Table, sheet_name: Option<&str>) -> Result<(), XlsxError> {
    if let Some(name) = sheet_name {
        sheet.set_name(name)?;
    }
    let mut next = 0;
    for (above, cells) in &table.above {
        write_row(sheet, *above, cells)?;
        next = above + 1;
    }
    for cells in &table.rows {
        write_row(sheet, next, cells)?;
        next += 1;
    }
    Ok(())
}

fn write_row(sheet: &mut Worksheet, row: u32, cells: &[Plain]) -> Result<(), XlsxError> {
    for (at, cell) in cells.iter().enumerate() {
        let column = u16::try_from(at).unwrap_or(u16::MAX);
        match cell {
            Plain::Empty | Plain::Unreadable => continue,
            Plain::Text(text) => sheet.write_string(row, column, text)?,
            #[allow(clippy::cast_precision_loss, reason = "a sheet has no other numbers")]
            Plain::Int(value) => sheet.write_number(row, column, *value as f64)?,
            Plain::Float(value) => sheet.write_number(row, column, *value)?,
            Plain::Bool(value) => sheet.write_boolean(row, column, *value)?,
            Plain::Local(at) | Plain::Instant(at) => {
                let format = if at.rem_euclid(86_400_000_000) == 0 { "yyyy-mm-dd" } else { "yyyy-mm-dd hh:mm:ss" };
                let text = cell.text().replacen(' ', "T", 1);
                match ExcelDateTime::parse_from_str(&text) {
                    Ok(moment) => {
                        sheet.write_datetime_with_format(row, column, &moment, &Format::new().set_num_format(format))?
                    }
                    Err(_) => sheet.write_string(row, column, cell.text())?,
                }
            }
        };
    }
    Ok(())
}
