//! Bad rows: why they are bad, and the sealed form in which they wait to be mended.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{BinaryBuilder, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow::record_batch::RecordBatch;
use schema::time::{date_days, days_date};
use schema::{Encoding, Seal};
use serde_json::Value;

use crate::cell::Cell;
use crate::column::{Slot, Values};
use crate::encoding::decode;

/// Why a row was rejected: the first check that failed, in the order in which checks are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The wrong number of fields, a broken quote, or a key that is not declared or comes twice.
    Columns,
    /// The line is no JSON object.
    Json,
    /// A byte is illegal in the declared encoding.
    Encoding,
    /// A required value is empty.
    Required,
    /// The value is not of the column's type.
    Type,
    /// The number is outside its range, or the text longer than the limit.
    Range,
    /// The word is none of those allowed.
    Code,
    /// The number does not look like a person's.
    Person,
    /// The identifier was nobody's on that day, or more than one person's.
    Holder,
    /// The local time does not exist, or lies before the contract's start or too far in the future.
    Time,
    /// It came longer after it happened than the contract allows.
    Late,
    /// A rule between two columns is broken.
    Rule,
}

impl Reason {
    /// All reasons.
    pub const ALL: [Reason; 12] = [
        Reason::Columns,
        Reason::Json,
        Reason::Encoding,
        Reason::Required,
        Reason::Type,
        Reason::Range,
        Reason::Code,
        Reason::Person,
        Reason::Holder,
        Reason::Time,
        Reason::Late,
        Reason::Rule,
    ];

    /// What is wrong, in Chinese and in English, for whoever corrects the row.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Reason::Columns => {
                ("列数不符、引号不配对，或有未声明的列", "wrong number of columns, a broken quote, or an undeclared column")
            }
            Reason::Json => ("不是完整的 JSON 对象", "no whole JSON object"),
            Reason::Encoding => ("含有编码不合法的字节", "a byte that is illegal in the encoding"),
            Reason::Required => ("必填项为空", "a required value is empty"),
            Reason::Type => ("格式不符", "not of the column's type or format"),
            Reason::Range => ("超出允许范围，或文字过长", "out of range, or too long"),
            Reason::Code => ("不在允许的取值之内", "none of the values allowed"),
            Reason::Person => ("不像是有效的人员编号", "does not look like a person's number"),
            Reason::Holder => {
                ("标识当日不属于任何人，或属于不止一人", "an identifier that was nobody's on that day, or more than one person's")
            }
            Reason::Time => ("时间不存在、过早，或在未来", "a time that does not exist, is too early, or lies in the future"),
            Reason::Late => ("送达太迟，超过约定的 late_max", "came later than the contract's late_max"),
            Reason::Rule => ("违反列间规则", "a rule between columns is broken"),
        }
    }

    /// The word under which it is counted.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Columns => "columns",
            Reason::Json => "json",
            Reason::Encoding => "encoding",
            Reason::Required => "required",
            Reason::Type => "type",
            Reason::Range => "range",
            Reason::Code => "code",
            Reason::Person => "person",
            Reason::Holder => "holder",
            Reason::Time => "time",
            Reason::Late => "late",
            Reason::Rule => "rule",
        }
    }
}

/// One bad row.
#[derive(Debug)]
pub(crate) struct Reject {
    pub(crate) reason: Reason,
    /// Column, key or rule.
    pub(crate) column: Option<String>,
    pub(crate) row_no: i64,
    /// The row as it came.
    pub(crate) row: Vec<u8>,
    /// Persons whose numbers it holds, as `(kind, number)` of the file's lists: an erased one's row is not kept.
    pub(crate) persons: Vec<(usize, u32)>,
}

/// The three most frequent reasons as a message says them.
pub(crate) fn worst(rejects: &[Reject]) -> String {
    let mut counts: BTreeMap<(Reason, Option<&str>), u64> = BTreeMap::new();
    for reject in rejects {
        *counts.entry((reject.reason, reject.column.as_deref())).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let says = |((reason, column), n): &((Reason, Option<&str>), u64)| match column {
        Some(column) => format!("{n} {} in \"{column}\"", reason.as_str()),
        None => format!("{n} {}", reason.as_str()),
    };
    counts.iter().take(3).map(says).collect::<Vec<_>>().join(", ")
}

/// Bad rows as rows of `ops_quarantine`.
pub(crate) fn sealed(rejects: &[Reject], pipeline: &str, file_no: i64, known_at: i64, seal: &dyn Seal) -> RecordBatch {
    let n = rejects.len();
    let mut rows = BinaryBuilder::new();
    for reject in rejects {
        rows.append_value(seal.seal(&reject.row));
    }
    let columns: Vec<arrow::array::ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(std::iter::repeat_n(pipeline, n))),
        Arc::new(StringArray::from_iter_values(rejects.iter().map(|it| it.reason.as_str()))),
        Arc::new(StringArray::from_iter(rejects.iter().map(|it| it.column.as_deref()))),
        Arc::new(Int64Array::from_value(file_no, n)),
        Arc::new(Int64Array::from_iter_values(rejects.iter().map(|it| it.row_no))),
        Arc::new(TimestampMicrosecondArray::from_value(known_at, n).with_timezone("UTC")),
        Arc::new(rows.finish()),
    ];
    RecordBatch::try_new(schema::quarantine_schema(), columns).expect("the columns are those of the schema")
}

/// A row as a JSON object of the source's names, so that it can be mended and taken again whatever its format was.
///
/// `None` if a byte is illegal: then only the raw line tells the truth.
pub(crate) fn object<'a>(cells: impl IntoIterator<Item = (&'a str, &'a Cell<'a>)>, encoding: Encoding) -> Option<Vec<u8>> {
    let text = |bytes: &[u8]| decode(bytes, encoding).map(|it| Value::from(it.as_ref()));
    let mut object = Vec::from(b"{");
    for (name, cell) in cells {
        let value = match cell {
            Cell::Absent => continue,
            Cell::Bytes(bytes) => text(bytes)?,
            Cell::Owned(bytes) => text(bytes)?,
            Cell::Int(value) => Value::from(*value),
            Cell::Float(value) => Value::from(*value),
            Cell::Bool(value) => Value::from(*value),
            Cell::Local(at) => Value::from(local_text(*at, false)),
            Cell::Instant(at) => Value::from(format!("{}Z", local_text(*at, false))),
            // Nothing a column takes, so that it is refused again and does not pass as empty.
            Cell::Unreadable => Value::Array(Vec::new()),
        };
        let comma = if object.len() == 1 { "" } else { "," };
        object.extend_from_slice(format!("{comma}{}:{value}", Value::from(name)).as_bytes());
    }
    object.push(b'}');
    Some(object)
}

/// A cell of a refused row as [`restored`] finds it again: an instant at midnight keeps its time of day.
pub(crate) fn as_it_is_read<'a>(slot: &Slot, cell: &Cell<'a>) -> Cell<'a> {
    match (&slot.values, cell) {
        (Values::Instant(..), Cell::Local(at)) => Cell::Owned(local_text(*at, true).into_bytes()),
        (Values::Instant(..), Cell::Instant(at)) => Cell::Owned(format!("{}Z", local_text(*at, true)).into_bytes()),
        _ => cell.clone(),
    }
}

/// A date or time of a refused row, of a format in which they have types, as it came: the type was lost in the object.
pub(crate) fn restored(slot: &Slot, cell: &Cell<'_>) -> Option<Cell<'static>> {
    let text = std::str::from_utf8(cell.text()?).ok()?;
    let local = |text: &str| {
        let at = chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").ok()?;
        Some(at.and_utc().timestamp_micros())
    };
    match &slot.values {
        Values::Instant(..) => match text.strip_suffix('Z') {
            Some(text) => local(text).map(Cell::Instant),
            None => local(text).map(Cell::Local),
        },
        Values::Date(..) => {
            let day = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
            Some(Cell::Local(i64::from(date_days(day)) * 86_400_000_000))
        }
        _ => None,
    }
}

/// A local time as ISO text; without `has_time` midnight is a date.
pub(crate) fn local_text(at_us: i64, has_time: bool) -> String {
    let (days, of_day) = (at_us.div_euclid(86_400_000_000), at_us.rem_euclid(86_400_000_000) / 1_000_000);
    let date = days_date(days as i32).unwrap_or_default();
    let micros = at_us.rem_euclid(1_000_000);
    if of_day == 0 && micros == 0 && !has_time {
        return date.to_string();
    }
    let fraction = if micros == 0 { String::new() } else { format!(".{micros:06}") };
    format!("{date} {:02}:{:02}:{:02}{fraction}", of_day / 3_600, of_day / 60 % 60, of_day % 60)
}
