//! A guess at the contract of a file nobody has declared: what a person then confirms instead of writing TOML.
//!
//! Comes in: one file and what this campus' numbers of persons look like. Goes out: [`Guess`], in which every part says
//! how sure it is and why, in both languages. Where two readings fit, the more protective one is taken. Nothing is
//! written and no vault is asked.

mod column;
mod look;
mod names;
mod shape;

use std::path::Path;

use schema::{Class, ColumnType, Encoding, EpochUnit, Export, Format, OnConflict, PersonKind, Shape};
use schemars::JsonSchema;
use serde::Serialize;

use crate::plain::Plain as Value;
use crate::said::Said;
use crate::{Choices, ColumnChoice, Error, FileInput, Limits, Persons, unpack};
use look::{Look, Row, look};

/// A value, how sure it is, and why it was taken.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Guessed<T> {
    /// The value.
    pub value: T,
    /// From 0 to 1.
    pub confidence: f64,
    /// Why, in Chinese.
    pub reason_zh: String,
    /// Why, in English.
    pub reason_en: String,
}

impl<T> Guessed<T> {
    pub(crate) fn new(value: T, confidence: f64, reason: Said) -> Self {
        Self { value, confidence, reason_zh: reason.zh, reason_en: reason.en }
    }

    pub(crate) fn sure(value: T, reason: Said) -> Self {
        Self::new(value, 1.0, reason)
    }
}

/// What a file seems to be.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Guess {
    /// Name of the pipeline.
    pub name: Guessed<String>,
    /// File format.
    pub format: Guessed<Format>,
    /// Encoding of a text.
    pub encoding: Guessed<Encoding>,
    /// Separator, where it is not the format's own.
    pub separator: Guessed<Option<char>>,
    /// All sheets of a workbook.
    pub sheets: Vec<String>,
    /// Sheet, where it is not the first.
    pub sheet: Guessed<Option<String>>,
    /// Rows above the head, or above the first row.
    pub skip_rows: Guessed<u32>,
    /// There is no head.
    pub headless: Guessed<bool>,
    /// Columns in the order of the file.
    pub columns: Vec<ColumnGuess>,
    /// Events or states.
    pub shape: Guessed<Shape>,
    /// Columns that tell one row from another; none is the whole row.
    pub key: Guessed<Vec<String>>,
    /// Column that says when the row's fact happened.
    pub occurred_at: Guessed<Option<String>>,
    /// How to read it, if it is a whole number.
    pub occurred_as: Option<EpochUnit>,
    /// Rows that were looked at.
    pub rows_seen: u64,
    /// Whether they are all.
    pub is_whole: bool,
}

/// What a column seems to be.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ColumnGuess {
    /// Name in the source; empty where there is no head.
    pub head: String,
    /// Name of the column.
    pub name: Guessed<String>,
    /// What the values are.
    #[serde(rename = "type")]
    pub type_: Guessed<ColumnType>,
    /// Places by which a decimal number is moved.
    pub decimal_shift: Option<u8>,
    /// How a date or time is written.
    pub format: Option<String>,
    /// Unit of the value.
    pub unit: Option<String>,
    /// Whose number it holds.
    pub person: Guessed<Option<PersonKind>>,
    /// Name of the key column, where two persons of one kind stand in a row.
    pub key_as: Option<String>,
    /// Whether an empty value is a defect.
    pub required: Guessed<bool>,
    /// The few words that come, if they are few.
    pub one_of: Guessed<Vec<String>>,
    /// How sensitive it is.
    pub class: Guessed<Class>,
    /// Values of the first rows.
    pub examples: Vec<String>,
    /// Whether no value comes twice.
    pub is_unique: bool,
    /// Rows without a value.
    pub empty_n: u64,
}

/// Share from which on a guess is taken without asking.
pub const SURE: f64 = 0.8;

/// Guesses the contract of a file, packed or not; `sheet` names the sheet of a workbook that is wanted, if one is.
///
/// # Errors
/// If the file cannot be read, unpacked or opened, or has no rows.
pub fn guess(file: &FileInput<'_>, persons: &Persons, limits: Limits, sheet: Option<&str>) -> Result<Guess, Error> {
    let bytes = unpack::read(file, limits.file_bytes_max)?;
    let look = look(file, &bytes, limits.file_bytes_max, sheet)?;
    let nothing = || Error::NoHead { file: file.display.to_owned(), line: 1 };
    if look.rows.is_empty() {
        return Err(nothing());
    }
    let Head { skip_rows, headless, heads, first } = head(&look, persons);
    let Look { format, encoding, separator, sheets, sheet, rows, is_whole, .. } = look;
    let width = heads.len();
    if width == 0 {
        return Err(nothing());
    }
    // A row of another width is refused at the door, and tells nothing of the columns.
    let is_delimited = matches!(format.value, Format::Csv | Format::Tsv);
    let is_row = |it: &&Row| it.values.iter().any(|it| !it.is_empty()) && (!is_delimited || it.values.len() == width);
    let rows: Vec<&Row> = rows.iter().skip(first).filter(is_row).collect();
    let values = |at: usize| rows.iter().map(|it| it.values.get(at).unwrap_or(&Value::Empty)).collect::<Vec<_>>();
    let columns: Vec<Vec<&Value>> = (0..width).map(values).collect();
    let is_typed = matches!(format.value, Format::Xlsx | Format::Xls | Format::Parquet);
    let columns = column::columns(&heads, &columns, persons, is_typed, is_whole);
    let shape::Told { shape, key, occurred_at, occurred_as } = shape::told(&columns, &rows);
    Ok(Guess {
        name: pipeline_name(file.path, &columns),
        format,
        encoding,
        separator,
        sheets,
        sheet,
        skip_rows,
        headless,
        columns,
        shape,
        key,
        occurred_at,
        occurred_as,
        rows_seen: rows.len() as u64,
        is_whole,
    })
}

impl Guess {
    /// The guess as choices: what holds if a person confirms everything.
    pub fn choices(&self) -> Choices {
        let name = self.name.value.clone();
        let is_event = self.shape.value == Shape::Event;
        let packed = "*";
        let extension = match self.format.value {
            Format::Csv => "csv",
            Format::Tsv => "tsv",
            Format::Jsonl => "jsonl",
            Format::Xlsx => "xlsx",
            Format::Xls => "xls",
            Format::Parquet => "parquet",
        };
        let mut choices = Choices {
            about: format!("Imported table {name}."),
            shape: self.shape.value,
            export: Export::Changes,
            owner: "to_be_named".to_owned(),
            purpose: vec!["service".to_owned()],
            retention: "4y".to_owned(),
            approval: None,
            path: format!("import/{name}/*.{extension}{packed}"),
            format: self.format.value,
            encoding: self.encoding.value,
            separator: self.separator.value,
            sheet: self.sheet.value.clone(),
            skip_rows: self.skip_rows.value,
            headless: self.headless.value,
            version: 1,
            key: self.key.value.clone(),
            on_conflict: if is_event { OnConflict::First } else { OnConflict::Latest },
            occurred_at: self.occurred_at.value.clone(),
            occurred_as: self.occurred_as,
            changed_at: Vec::new(),
            start: None,
            usual_delay: "1d".to_owned(),
            late_max: None,
            push: false,
            skew_max: None,
            // In a file of a few rows one bad row is a large share.
            reject_share_max: if self.rows_seen < 200 { 0.5 } else { 0.02 },
            rules: Vec::new(),
            columns: self.columns.iter().map(|it| it.choice(self.headless.value)).collect(),
            name,
        };
        // A key and an event's time must be there in every row.
        for it in &mut choices.columns {
            it.required |= choices.key.contains(&it.name) || (is_event && choices.occurred_at.as_ref() == Some(&it.name));
        }
        choices
    }
}

impl ColumnGuess {
    fn choice(&self, is_headless: bool) -> ColumnChoice {
        let about = if self.head.is_empty() { self.name.value.clone() } else { self.head.clone() };
        ColumnChoice {
            name: self.name.value.clone(),
            head: (!is_headless && self.head != self.name.value).then(|| self.head.clone()),
            type_: self.type_.value,
            about: format!("{about}."),
            class: self.class.value,
            required: self.required.value,
            optional: false,
            person: self.person.value,
            key_as: self.key_as.clone(),
            one_of: if self.one_of.confidence < SURE { Vec::new() } else { self.one_of.value.clone() },
            codes: Default::default(),
            min: None,
            max: None,
            decimal_shift: self.decimal_shift,
            format: self.format.clone(),
            epoch: None,
            unit: self.unit.clone(),
            refers: None,
        }
    }
}

/// Where the head is and what it says.
struct Head {
    skip_rows: Guessed<u32>,
    headless: Guessed<bool>,
    heads: Vec<String>,
    /// Which of the rows that were looked at is the first of data.
    first: usize,
}

/// Rows above which no head is looked for.
const TITLE_ROWS_MAX: usize = 10;

fn head(look: &Look, persons: &Persons) -> Head {
    if let Some(names) = &look.names {
        let reason = Said::new("每一行自带列名", "every row names its columns");
        return Head {
            skip_rows: Guessed::sure(0, reason.clone()),
            headless: Guessed::sure(false, reason),
            heads: names.clone(),
            first: 0,
        };
    }
    let filled = |it: &Row| it.values.iter().filter(|it| !it.is_empty()).count();
    let widths: Vec<usize> = look.rows.iter().take(200).map(filled).collect();
    let usual = look::mode(&widths).unwrap_or(1);
    // A title is one cell, perhaps with a date beside it; a head names nearly every column.
    let enough = if usual < 3 { usual } else { (usual * 2).div_ceil(3) };
    let at = look.rows.iter().take(TITLE_ROWS_MAX).position(|it| enough <= filled(it)).unwrap_or(0);
    let row = &look.rows[at];
    let above = row.above;
    let (is_head, confidence, reason) = is_head(row, &look.rows[at + 1..], persons);
    let width = look.rows[at..].iter().take(200).map(|it| it.values.len()).max().unwrap_or(0);
    let skip_rows = if at == 0 && above == 0 {
        Guessed::new(0, 0.95, Said::new("第一行就是表的开始", "the table begins with the first row"))
    } else {
        Guessed::new(
            above,
            0.85,
            Said::new(
                format!("前 {above} 行只有标题或说明，跳过"),
                format!("the {above} rows above hold a title or notes and are passed over"),
            ),
        )
    };
    let text = |it: &Value| it.text().trim().to_owned();
    let mut heads: Vec<String> = if is_head { row.values.iter().map(text).collect() } else { vec![String::new(); width] };
    while is_head && heads.last().is_some_and(String::is_empty) {
        heads.pop();
    }
    Head { skip_rows, headless: Guessed::new(!is_head, confidence, reason), heads, first: at + usize::from(is_head) }
}

/// Whether a row names the columns of the rows below it.
fn is_head(row: &Row, below: &[Row], persons: &Persons) -> (bool, f64, Said) {
    let cells: Vec<&Value> = row.values.iter().filter(|it| !it.is_empty()).collect();
    let known: Vec<String> =
        cells.iter().map(|it| it.text()).filter(|it| names::known(it).is_some() || names::hinted(it).is_some()).collect();
    let is_data = |it: &Value| match it {
        Value::Text(text) => column::is_like_data(text, persons),
        _ => true,
    };
    let data = cells.iter().filter(|it| is_data(it)).count();
    if 2 * known.len() >= cells.len() && !known.is_empty() && data == 0 {
        let named = known.iter().take(3).cloned().collect::<Vec<_>>();
        return (
            true,
            0.98,
            Said::new(format!("认得列名：{}", named.join("、")), format!("known names of columns: {}", named.join(", "))),
        );
    }
    if 0 < data && known.len() <= data {
        return (
            false,
            0.9,
            Said::new(
                "第一行里有数字、日期或学号，是数据而不是列名",
                "the first row holds numbers, dates or persons' numbers: it is data",
            ),
        );
    }
    if below.is_empty() {
        return (true, 0.6, Said::new("只有一行，当作列名", "there is one row only: it is taken for the head"));
    }
    // A name over numbers or dates is a head.
    let over_data = row.values.iter().enumerate().any(|(at, it)| {
        let under: Vec<&Value> = below.iter().take(50).filter_map(|it| it.values.get(at)).filter(|it| !it.is_empty()).collect();
        let like = under.iter().filter(|it| is_data(it)).count();
        !it.is_empty() && !is_data(it) && !under.is_empty() && under.len() <= 2 * like
    });
    if over_data {
        return (true, 0.92, Said::new("第一行是文字，下面是数字或日期", "words stand above numbers or dates"));
    }
    let again = row
        .values
        .iter()
        .enumerate()
        .any(|(at, it)| !it.is_empty() && below.iter().take(200).filter_map(|it| it.values.get(at)).any(|other| other == it));
    if again {
        return (
            false,
            0.6,
            Said::new("第一行的内容在下面又出现，像是数据", "what stands in the first row comes again below it"),
        );
    }
    (
        true,
        0.6,
        Said::new(
            "第一行的内容下面不再出现，当作列名",
            "what stands in the first row does not come again: it is taken for the head",
        ),
    )
}

/// A name for the pipeline: the file's, if it is written in ASCII.
fn pipeline_name(path: &Path, columns: &[ColumnGuess]) -> Guessed<String> {
    let stem = path.file_name().and_then(|it| it.to_str()).unwrap_or_default();
    let stem = stem.split('.').next().unwrap_or_default();
    // Days and numbers at the end of a name are those of the export.
    let bare = stem.trim_end_matches(|it: char| it.is_ascii_digit() || matches!(it, '_' | '-' | ' '));
    match names::snake(bare).filter(|it| 2 < it.len()) {
        Some(name) => Guessed::new(name, 0.85, Said::new("取自文件名", "taken from the name of the file")),
        None => {
            let of_whom = columns.iter().find_map(|it| it.person.value);
            let name = match of_whom {
                Some(PersonKind::Student) => "student_import",
                Some(PersonKind::Staff) => "staff_import",
                None => "imported_table",
            };
            Guessed::new(
                name.to_owned(),
                0.3,
                Said::new("文件名不是英文，请起一个英文名", "the file's name is not in ASCII: give it an English name"),
            )
        }
    }
}

#[cfg(test)]
mod tests;
