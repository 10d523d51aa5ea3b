//! Statistics of a file for the log: rows, and minima and maxima of the few columns that may be told.
//!
//! The log is read by everyone who may read any row of the table, so a column that is not named here leaves no
//! trace in it: no minimum, no maximum, no count of nulls.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute;
use arrow::datatypes::{
    DataType, Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};
use chrono::DateTime;
use serde_json::{Map, Value, json};

use crate::error::Error;
use crate::replay::day_text;

/// Longest text that is told; Delta would need a rounded-up maximum for longer ones.
const TEXT_BYTES_MAX: usize = 32;

/// Gathers the statistics of one file.
#[derive(Debug)]
pub(crate) struct Stats<'a> {
    rows: usize,
    columns: Vec<Column<'a>>,
}

#[derive(Debug)]
struct Column<'a> {
    name: &'a str,
    nulls: usize,
    bounds: Bounds,
}

#[derive(Debug)]
enum Bounds {
    /// No value seen yet.
    Empty,
    Int(i64, i64),
    Float(f64, f64),
    Day(i32, i32),
    Micros(i64, i64),
    Text(String, String),
    /// A value that cannot be told; the column stays without bounds.
    Untold,
}

impl<'a> Stats<'a> {
    /// Starts with no rows.
    pub(crate) fn new(columns: &'a [String]) -> Self {
        let column = |name: &'a String| Column { name, nulls: 0, bounds: Bounds::Empty };
        Stats { rows: 0, columns: columns.iter().map(column).collect() }
    }

    /// Rows so far.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Takes in the rows that follow.
    pub(crate) fn add(&mut self, table: &str, batch: &RecordBatch) -> Result<(), Error> {
        self.rows += batch.num_rows();
        for column in &mut self.columns {
            let Some(values) = batch.column_by_name(column.name) else {
                return Err(Error::damaged(table, format!("column '{}' has no values", column.name)));
            };
            column.nulls += values.null_count();
            let seen = std::mem::replace(&mut column.bounds, Bounds::Untold);
            column.bounds = seen.joined(bounds_of(values));
        }
        Ok(())
    }

    /// Delta's JSON.
    pub(crate) fn json(&self) -> String {
        let (mut least, mut most, mut nulls) = (Map::new(), Map::new(), Map::new());
        for column in &self.columns {
            nulls.insert(column.name.to_owned(), json!(column.nulls));
            if let Some((min, max)) = column.bounds.json() {
                least.insert(column.name.to_owned(), min);
                most.insert(column.name.to_owned(), max);
            }
        }
        json!({ "numRecords": self.rows, "minValues": least, "maxValues": most, "nullCount": nulls }).to_string()
    }
}

fn bounds_of(values: &ArrayRef) -> Bounds {
    macro_rules! bounds {
        ($arrow:ty, $bounds:path) => {{
            let values = values.as_primitive::<$arrow>();
            match compute::min(values).zip(compute::max(values)) {
                Some((min, max)) => $bounds(min.into(), max.into()),
                None => Bounds::Empty,
            }
        }};
    }
    match values.data_type() {
        DataType::Int8 => bounds!(Int8Type, Bounds::Int),
        DataType::Int16 => bounds!(Int16Type, Bounds::Int),
        DataType::Int32 => bounds!(Int32Type, Bounds::Int),
        DataType::Int64 => bounds!(Int64Type, Bounds::Int),
        DataType::Float32 => bounds!(Float32Type, Bounds::Float),
        DataType::Float64 => bounds!(Float64Type, Bounds::Float),
        DataType::Date32 => bounds!(Date32Type, Bounds::Day),
        DataType::Timestamp(TimeUnit::Microsecond, _) => bounds!(TimestampMicrosecondType, Bounds::Micros),
        DataType::Utf8 => {
            let values = values.as_string::<i32>();
            match compute::min_string(values).zip(compute::max_string(values)) {
                Some((min, max)) => Bounds::Text(min.to_owned(), max.to_owned()),
                None => Bounds::Empty,
            }
        }
        // JSON numbers do not hold decimals exactly, and a bound that is off loses rows.
        _ => Bounds::Untold,
    }
}

impl Bounds {
    fn joined(self, other: Bounds) -> Bounds {
        match (self, other) {
            (Bounds::Empty, it) | (it, Bounds::Empty) => it,
            (Bounds::Int(a, b), Bounds::Int(c, d)) => Bounds::Int(a.min(c), b.max(d)),
            (Bounds::Float(a, b), Bounds::Float(c, d)) => {
                // NaN is the largest value to Arrow and none at all to JSON.
                if b.is_nan() || d.is_nan() { Bounds::Untold } else { Bounds::Float(a.min(c), b.max(d)) }
            }
            (Bounds::Day(a, b), Bounds::Day(c, d)) => Bounds::Day(a.min(c), b.max(d)),
            (Bounds::Micros(a, b), Bounds::Micros(c, d)) => Bounds::Micros(a.min(c), b.max(d)),
            (Bounds::Text(a, b), Bounds::Text(c, d)) => Bounds::Text(a.min(c), b.max(d)),
            _ => Bounds::Untold,
        }
    }

    fn json(&self) -> Option<(Value, Value)> {
        Some(match self {
            Bounds::Empty | Bounds::Untold => return None,
            Bounds::Int(min, max) => (json!(min), json!(max)),
            Bounds::Float(min, max) if min.is_finite() && max.is_finite() => (json!(min), json!(max)),
            Bounds::Float(..) => return None,
            Bounds::Day(min, max) => (json!(day_text(*min)), json!(day_text(*max))),
            Bounds::Micros(min, max) => (json!(instant(*min)?), json!(instant(*max)?)),
            Bounds::Text(min, max) if min.len().max(max.len()) <= TEXT_BYTES_MAX => (json!(min), json!(max)),
            Bounds::Text(..) => return None,
        })
    }
}

/// All six digits: a maximum cut to milliseconds would lie below its rows.
fn instant(micros: i64) -> Option<String> {
    Some(DateTime::from_timestamp_micros(micros)?.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string())
}
