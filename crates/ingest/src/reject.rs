//! Bad rows: why they are bad, and the sealed form in which they wait to be mended.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{BinaryBuilder, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow::record_batch::RecordBatch;
use schema::time::days_date;
use schema::{Encoding, Seal};
use serde_json::Value;

use crate::cell::Cell;
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
    /// The local time does not exist, or lies before the contract's start or too far in the future.
    Time,
    /// A rule between two columns is broken.
    Rule,
}

impl Reason {
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
            Reason::Time => "time",
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
            Cell::Local(at) => Value::from(local_text(*at)),
            Cell::Instant(at) => Value::from(format!("{}Z", local_text(*at))),
            // Nothing a column takes, so that it is refused again and does not pass as empty.
            Cell::Unreadable => Value::Array(Vec::new()),
        };
        let comma = if object.len() == 1 { "" } else { "," };
        object.extend_from_slice(format!("{comma}{}:{value}", Value::from(name)).as_bytes());
    }
    object.push(b'}');
    Some(object)
}

/// A local time as ISO text.
pub(crate) fn local_text(at_us: i64) -> String {
    let (days, of_day) = (at_us.div_euclid(86_400_000_000), at_us.rem_euclid(86_400_000_000) / 1_000_000);
    let date = days_date(days as i32).unwrap_or_default();
    let micros = at_us.rem_euclid(1_000_000);
    if of_day == 0 && micros == 0 {
        return date.to_string();
    }
    let fraction = if micros == 0 { String::new() } else { format!(".{micros:06}") };
    format!("{date} {:02}:{:02}:{:02}{fraction}", of_day / 3_600, of_day / 60 % 60, of_day % 60)
}
