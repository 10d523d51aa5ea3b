//! A file through the door in memory: no lake, no vault, nothing sealed; what would be kept and what refused, and why.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Mutex;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type, TimestampMicrosecondType};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use ingest::{Counts, Door, FileInput, KnownAt, Said, Taken, reason_words};
use schema::{Encoding, Format, Holder, Identifier, Known, PersonKind, Pipeline, Pseudonyms, Seal, VaultError, lake_column};
use serde_json::{Map, Value};

use super::Ground;

/// What became of a file that was tried.
#[derive(Debug)]
pub(crate) struct Trial {
    pub(crate) counts: Counts,
    /// Refused rows by reason and column, most frequent first.
    pub(crate) reasons: Vec<ReasonCount>,
    pub(crate) refused: Vec<Refused>,
    /// Columns as they would reach the lake.
    pub(crate) columns: Vec<ShownColumn>,
    /// The first rows as they would enter, persons replaced.
    pub(crate) rows: Vec<Map<String, Value>>,
    /// So many rows are refused that the whole file would be.
    pub(crate) is_over_share: bool,
}

#[derive(Debug)]
pub(crate) struct ReasonCount {
    pub(crate) reason: String,
    pub(crate) column: Option<String>,
    pub(crate) rows_n: u64,
    pub(crate) words: Said,
}

#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) row_no: i64,
    pub(crate) reason: String,
    pub(crate) column: Option<String>,
    pub(crate) words: Said,
    /// Its cells by the source's heads.
    pub(crate) cells: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct ShownColumn {
    pub(crate) column: String,
    pub(crate) head: String,
    pub(crate) class: String,
    /// Whose pseudonym it is.
    pub(crate) person: Option<PersonKind>,
}

/// Tries a file under a contract.
///
/// # Errors
/// If the file as a whole is refused for another reason than its share of bad rows.
pub(crate) fn trial(
    ground: &Ground,
    pipeline: &Pipeline,
    path: &Path,
    display: &str,
    rows_max: usize,
) -> Result<Trial, ingest::Error> {
    let share_max = pipeline.contract.reject_share_max;
    let mut lenient = pipeline.clone();
    lenient.contract.reject_share_max = 1.0;
    let throwaway = Throwaway::default();
    let door = Door {
        pipeline: &lenient,
        clock: ground.campus.clock(),
        persons: &ground.persons,
        pseudonyms: &throwaway,
        seal: &throwaway,
        now_us: ground.now_us,
        known: KnownAt::At(ground.now_us),
        limits: ground.limits,
    };
    let taken = door.take(&FileInput { path, file_no: 1, display }, &|_| {})?;
    let counts = taken.counts;
    let refused = refused(pipeline, &taken);
    let columns = columns(pipeline);
    let rows = first_rows(&taken, &columns, ground, rows_max);
    Ok(Trial {
        is_over_share: share_max * (counts.rows_in as f64) < counts.rows_quarantined as f64,
        counts,
        reasons: reasons(&refused, pipeline),
        refused,
        columns,
        rows,
    })
}

/// Heads of a source in its order; a column without one shows its own name.
pub(crate) fn heads(pipeline: &Pipeline) -> Vec<String> {
    pipeline.columns.iter().map(|(name, it)| it.head.clone().unwrap_or_else(|| name.clone())).collect()
}

fn columns(pipeline: &Pipeline) -> Vec<ShownColumn> {
    let shown = |(name, it): &(String, schema::Column)| {
        let column = lake_column(name, it)?;
        let class = if it.person.is_some() { schema::Class::Personal } else { it.class };
        let head = it.head.clone().unwrap_or_else(|| name.clone());
        Some(ShownColumn { column, head, class: class.as_str().to_owned(), person: it.person })
    };
    pipeline.columns.iter().filter_map(shown).collect()
}

fn refused(pipeline: &Pipeline, taken: &Taken) -> Vec<Refused> {
    let rejects = &taken.rejects;
    let text = |name: &str, row: usize| {
        let column = rejects.column_by_name(name).expect("a column of the quarantine").as_string::<i32>();
        (!column.is_null(row)).then(|| column.value(row).to_owned())
    };
    let row_no = rejects.column_by_name("row_no").expect("a column of the quarantine").as_primitive::<Int64Type>();
    let sealed = rejects.column_by_name("sealed_row").expect("a column of the quarantine").as_binary::<i32>();
    let one = |row: usize| {
        let (reason, column) = (text("reason", row).unwrap_or_default(), text("column", row));
        let words = reason_words(pipeline, &reason, column.as_deref());
        Refused { row_no: row_no.value(row), cells: cells(pipeline, sealed.value(row)), reason, column, words }
    };
    (0..rejects.num_rows()).map(one).collect()
}

/// The cells of a refused row in the order of the columns; what did not come apart is split as well as can be.
fn cells(pipeline: &Pipeline, row: &[u8]) -> Vec<String> {
    let heads = heads(pipeline);
    if let Ok(Value::Object(object)) = serde_json::from_slice::<Value>(row) {
        return heads.iter().map(|head| object.get(head).map(value_text).unwrap_or_default()).collect();
    }
    let source = &pipeline.pipeline.source;
    let text = match source.encoding {
        Encoding::Gb18030 => ingest::decode_lossy(row),
        Encoding::Utf8 | Encoding::Utf16 => String::from_utf8_lossy(row).into_owned(),
    };
    let separator = source.separator.unwrap_or(if source.format == Some(Format::Tsv) { '\t' } else { ',' });
    let mut cells: Vec<String> = match source.format {
        Some(Format::Csv | Format::Tsv) => {
            // What is too many stays in the last cell, where it is seen.
            text.splitn(heads.len(), separator).map(|it| it.trim_matches('"').to_owned()).collect()
        }
        _ => vec![text],
    };
    cells.resize(heads.len(), String::new());
    cells
}

fn value_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(true) => "是".to_owned(),
        Value::Bool(false) => "否".to_owned(),
        other => other.to_string(),
    }
}

fn reasons(refused: &[Refused], pipeline: &Pipeline) -> Vec<ReasonCount> {
    let mut counts: BTreeMap<(&str, Option<&str>), u64> = BTreeMap::new();
    for it in refused {
        *counts.entry((&it.reason, it.column.as_deref())).or_default() += 1;
    }
    let count = |((reason, column), rows_n): ((&str, Option<&str>), u64)| ReasonCount {
        reason: reason.to_owned(),
        column: column.map(str::to_owned),
        rows_n,
        words: reason_words(pipeline, reason, column),
    };
    let mut reasons: Vec<ReasonCount> = counts.into_iter().map(count).collect();
    reasons.sort_by_key(|it| std::cmp::Reverse(it.rows_n));
    reasons
}

/// The rows with the lowest numbers, in the order of the file.
fn first_rows(taken: &Taken, columns: &[ShownColumn], ground: &Ground, rows_max: usize) -> Vec<Map<String, Value>> {
    let mut places: Vec<(i64, &RecordBatch, usize)> = Vec::new();
    for part in &taken.parts {
        let row_no = part.batch.column_by_name("row_no").expect("a column of the door").as_primitive::<Int64Type>();
        places.extend((0..part.batch.num_rows()).map(|row| (row_no.value(row), &part.batch, row)));
    }
    places.sort_by_key(|it| it.0);
    let row = |(row_no, batch, row): &(i64, &RecordBatch, usize)| {
        let mut shown = Map::from_iter([("row_no".to_owned(), Value::from(*row_no))]);
        for it in columns {
            let column = batch.column_by_name(&it.column).expect("a column of the contract");
            shown.insert(it.column.clone(), cell(column, *row, it.person, &ground.campus));
        }
        shown
    };
    places.iter().take(rows_max).map(row).collect()
}

fn cell(column: &ArrayRef, row: usize, person: Option<PersonKind>, campus: &schema::Campus) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    match (person, column.data_type()) {
        (Some(kind), _) => {
            let word = if kind == PersonKind::Student { "S" } else { "T" };
            Value::from(format!("{word}-{:04}", column.as_primitive::<Int64Type>().value(row)))
        }
        (None, DataType::Int64) => Value::from(column.as_primitive::<Int64Type>().value(row)),
        (None, DataType::Boolean) => Value::from(column.as_boolean().value(row)),
        (None, DataType::Timestamp(..)) => local(column.as_primitive::<TimestampMicrosecondType>().value(row), campus),
        _ => {
            let options = FormatOptions::new();
            let text = ArrayFormatter::try_new(column.as_ref(), &options).map(|it| it.value(row).to_string());
            text.map_or(Value::Null, Value::from)
        }
    }
}

/// An instant as the campus' clocks show it.
fn local(at_us: i64, campus: &schema::Campus) -> Value {
    let at = chrono::DateTime::from_timestamp_micros(at_us).map(|it| it.with_timezone(&campus.time_zone));
    at.map_or(Value::Null, |it| Value::from(it.format("%Y-%m-%d %H:%M:%S").to_string()))
}

/// Stands in for the vault: numbers in the order in which they come, nothing kept, nothing sealed.
#[derive(Default)]
struct Throwaway {
    keys: Mutex<HashMap<PersonKind, HashMap<String, i64>>>,
}

impl Pseudonyms for Throwaway {
    fn keys(&self, kind: PersonKind, ids: &[&str]) -> Result<HashMap<String, Known>, VaultError> {
        let mut keys = self.keys.lock().map_err(|_| "a trial broke off")?;
        let keys = keys.entry(kind).or_default();
        let mut known = HashMap::new();
        for id in ids {
            let next = i64::try_from(keys.len())? + 1;
            let key = *keys.entry((*id).to_owned()).or_insert(next);
            known.insert((*id).to_owned(), Known::Key(key));
        }
        Ok(known)
    }

    fn remember(&self, _: PersonKind, _: &[(i64, &str, &str)]) -> Result<(), VaultError> {
        Ok(())
    }

    // Whose a card is only the vault knows; a trial shows the row under the card itself.
    fn holders(&self, kind: PersonKind, by: &str, value: &str) -> Result<Vec<Holder>, VaultError> {
        let known = self.keys(kind, &[&format!("{by} {value}")])?;
        Ok(known.into_values().map(|who| Holder { from_day: i32::MIN, until_day: i32::MAX, who }).collect())
    }

    fn identify(&self, _: PersonKind, _: &[Identifier<'_>]) -> Result<u64, VaultError> {
        Ok(0)
    }
}

impl Seal for Throwaway {
    fn seal(&self, plain: &[u8]) -> Vec<u8> {
        plain.to_vec()
    }

    fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, VaultError> {
        Ok(sealed.to_vec())
    }
}
