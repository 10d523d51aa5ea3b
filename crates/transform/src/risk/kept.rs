//! Versions and backtests in the lake: written by training, read by scoring, never changed once they have scored.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::{DataType, Date32Type, Int64Type, Schema};
use datafusion::prelude::SessionContext;
use lake::Replace;
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use warning::{Isotonic, Matrix, RiskModel, RowKey};

use super::Risk;
use super::rows::{Rows, collect, mixed, typed};
use crate::Error;
use crate::build::{Builder, date};
use crate::node::Node;
use crate::state::Made;

/// Versions of risk models.
pub(crate) const VERSIONS_TABLE: &str = "model_version";
/// Backtests of risk models.
pub(crate) const BACKTESTS_TABLE: &str = "model_backtest";
/// What the first date with scores is asked of.
pub(crate) const FIRST_TRAINED: &str = "SELECT min(trained_on) AS trained_on FROM model_version";
/// Rows of the training that are kept to tell drift by.
const REFERENCE_ROWS: usize = 10_000;
/// Days of the year that count as the same season.
const SEASON_DAYS: i32 = 10;
/// Rows of the same season that are enough to be compared with.
const SEASON_ROWS_MIN: usize = 200;

/// Values that a model learnt from, without persons.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reference {
    /// As-of day of each row.
    days: Vec<i32>,
    /// Row after row, one value an input.
    values: Vec<Vec<Option<f64>>>,
}

impl Reference {
    /// A sample of training rows, the same for the same rows.
    pub(crate) fn of(rows: &Rows, train: &[(usize, bool)], width: usize) -> Result<Self, warning::Error> {
        let all = rows.view(width)?;
        let ticket = |row: usize| mixed(rows.keys[row].student_key as u64 ^ ((rows.keys[row].as_of_on as u64) << 48));
        let mut order: Vec<usize> = train.iter().map(|it| it.0).collect();
        order.sort_by_key(|row| (ticket(*row), *row));
        order.truncate(REFERENCE_ROWS);
        order.sort_unstable();
        let value = |it: &f64| Some(*it).filter(|it| !it.is_nan());
        Ok(Self {
            days: order.iter().map(|row| rows.keys[*row].as_of_on).collect(),
            values: order.iter().map(|row| all.row(*row).iter().map(value).collect()).collect(),
        })
    }

    /// The rows that a date is held against: those of the same season, if there are enough.
    ///
    /// What grows through every term, as tasks that are due, has not moved because it is October.
    pub(crate) fn matrix(&self, features: &[String], as_of_on: i32) -> Result<Matrix, warning::Error> {
        let apart = |day: i32| {
            let days = (day - as_of_on).rem_euclid(365);
            days.min(365 - days)
        };
        let season: Vec<usize> = (0..self.days.len()).filter(|row| apart(self.days[*row]) <= SEASON_DAYS).collect();
        let chosen = if SEASON_ROWS_MIN <= season.len() { season } else { (0..self.days.len()).collect() };
        let value = |row: usize, column: usize| self.values[row].get(column).copied().flatten().unwrap_or(f64::NAN);
        let values = Array2::from_shape_fn((chosen.len(), features.len()), |(at, column)| value(chosen[at], column));
        let keys: Vec<RowKey> = (0..chosen.len()).map(|it| RowKey { as_of_on: 0, student_key: it as i64 }).collect();
        Matrix::from_wide(&keys, features, values.view())
    }
}

/// A version as it stands in the lake.
#[derive(Debug)]
pub(crate) struct Version {
    pub(crate) version: String,
    pub(crate) n_rows: i64,
    pub(crate) n_positive: i64,
    pub(crate) budget: usize,
    pub(crate) is_offered: bool,
    pub(crate) reason_zh: String,
    pub(crate) reason_en: String,
    pub(crate) bytes: String,
    pub(crate) calibration: String,
    pub(crate) reference: String,
}

/// A version about to be written.
#[derive(Debug, Clone)]
pub(crate) struct NewVersion {
    pub(crate) version: String,
    pub(crate) kind: String,
    pub(crate) trained_on: i32,
    pub(crate) n_rows: i64,
    pub(crate) n_positive: i64,
    pub(crate) budget: usize,
    pub(crate) is_offered: bool,
    pub(crate) reason_zh: String,
    pub(crate) reason_en: String,
    pub(crate) card: String,
    pub(crate) hash: String,
    pub(crate) bytes: String,
    pub(crate) calibration: String,
    pub(crate) reference: String,
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    bytes.iter().flat_map(|it| [DIGITS[usize::from(it >> 4)], DIGITS[usize::from(it & 15)]]).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.chars().map(|it| it.to_digit(16).map(|it| it as u8)).collect::<Option<_>>()?;
    let pairs = digits.chunks_exact(2);
    pairs.remainder().is_empty().then(|| digits.chunks_exact(2).map(|it| it[0] << 4 | it[1]).collect())
}

/// A stored model and its probabilities.
///
/// # Errors
/// If the stored text is none of ours.
pub(crate) fn opened(model: &str, bytes: &str, calibration: &str) -> Result<(Box<dyn RiskModel>, Isotonic), Error> {
    let broken = |what: &str| Error::Refused {
        path: VERSIONS_TABLE.to_owned(),
        message: format!("the stored {what} of model \"{model}\" cannot be read: restore the table, or train anew"),
    };
    let bytes = unhex(bytes).ok_or_else(|| broken("bytes"))?;
    let found = warning::from_bytes(&bytes).map_err(|source| Error::Model { model: model.to_owned(), source })?;
    Ok((found, serde_json::from_str(calibration).map_err(|_| broken("calibration"))?))
}

impl Builder<'_> {
    /// The first day on which any model was trained; before it there is nothing to score.
    pub(crate) async fn first_trained(&self) -> Result<Option<i32>, Error> {
        if self.graph.node(VERSIONS_TABLE).is_none() || self.snapshot(VERSIONS_TABLE).await?.is_none() {
            return Ok(None);
        }
        let context = self.stored_context(&[VERSIONS_TABLE]).await?;
        let found = collect(&context, FIRST_TRAINED, VERSIONS_TABLE).await?;
        let day = found.first().filter(|it| 0 < it.num_rows()).map(|it| it.column(0).as_primitive::<Date32Type>().clone());
        Ok(day.filter(|it| it.is_valid(0)).map(|it| it.value(0)))
    }

    /// The version that scores on a date: the newest one trained by then.
    pub(crate) async fn version_on(
        &self,
        context: &SessionContext,
        risk: &Risk,
        as_of_on: i32,
    ) -> Result<Option<Version>, Error> {
        let sql = format!(
            "SELECT * FROM {VERSIONS_TABLE} WHERE model = '{}' AND trained_on <= {} ORDER BY trained_on DESC LIMIT 1",
            risk.name(),
            date(as_of_on)
        );
        let found = collect(context, &sql, VERSIONS_TABLE).await?;
        let Some(row) = found.iter().find(|it| 0 < it.num_rows()) else { return Ok(None) };
        let text =
            |name: &str| Ok::<_, Error>(typed(row, name, DataType::Utf8, VERSIONS_TABLE)?.as_string::<i32>().value(0).to_owned());
        let number =
            |name: &str| Ok::<_, Error>(typed(row, name, DataType::Int64, VERSIONS_TABLE)?.as_primitive::<Int64Type>().value(0));
        Ok(Some(Version {
            version: text("version")?,
            n_rows: number("n_rows")?,
            n_positive: number("n_positive")?,
            budget: usize::try_from(number("budget")?).unwrap_or(0),
            is_offered: typed(row, "is_offered", DataType::Boolean, VERSIONS_TABLE)?.as_boolean().value(0),
            reason_zh: text("reason_zh")?,
            reason_en: text("reason_en")?,
            bytes: text("bytes")?,
            calibration: text("calibration")?,
            reference: text("reference")?,
        }))
    }

    /// Writes a version; the same version again changes nothing.
    ///
    /// # Errors
    /// If another version of the same day has scored already.
    pub(crate) async fn keep_version(&self, risk: &Risk, new: &NewVersion) -> Result<(), Error> {
        let node = self.kept_node(VERSIONS_TABLE)?;
        let context = self.stored_context(&[VERSIONS_TABLE, "risk_score"]).await?;
        let of_day = format!("model = '{}' AND trained_on = {}", risk.name(), date(new.trained_on));
        let sql = format!(
            "SELECT DISTINCT risk_score.version FROM risk_score INNER JOIN (SELECT version FROM {VERSIONS_TABLE} WHERE {of_day}) AS before \
             ON before.version = risk_score.version WHERE risk_score.model = '{}' AND risk_score.version <> '{}'",
            risk.name(),
            new.version
        );
        let scored: usize = collect(&context, &sql, VERSIONS_TABLE).await?.iter().map(RecordBatch::num_rows).sum();
        if 0 < scored {
            return Err(Error::Refused {
                path: risk.model.path.clone(),
                message: "another version of this day has scored already, and what was issued stays: train as of a later date"
                    .to_owned(),
            });
        }
        let mut clock = self.engine.clock();
        let text = |it: &str| -> ArrayRef { Arc::new(StringArray::from(vec![it])) };
        let number = |it: i64| -> ArrayRef { Arc::new(Int64Array::from(vec![it])) };
        let row: Vec<ArrayRef> = vec![
            text(risk.name()),
            text(&new.version),
            text(&new.kind),
            text(&risk.label.name),
            Arc::new(Date32Array::from(vec![new.trained_on])),
            Arc::new(TimestampMicrosecondArray::from(vec![clock.day_start(new.trained_on)]).with_timezone("UTC")),
            number(new.n_rows),
            number(new.n_positive),
            number(new.budget as i64),
            Arc::new(BooleanArray::from(vec![new.is_offered])),
            text(&new.reason_zh),
            text(&new.reason_en),
            text(&new.card),
            text(&new.hash),
            text(&new.bytes),
            text(&new.calibration),
            text(&new.reference),
        ];
        self.keep(node, &context, &format!("NOT ({of_day})"), row).await
    }

    /// Writes a backtest in the place of an earlier one of the same day.
    pub(crate) async fn keep_backtest(
        &self,
        risk: &Risk,
        judged_on: i32,
        chosen: &str,
        report: &str,
        subgroups: &str,
    ) -> Result<(), Error> {
        let node = self.kept_node(BACKTESTS_TABLE)?;
        let context = self.stored_context(&[BACKTESTS_TABLE]).await?;
        let mut clock = self.engine.clock();
        let text = |it: &str| -> ArrayRef { Arc::new(StringArray::from(vec![it])) };
        let row: Vec<ArrayRef> = vec![
            text(risk.name()),
            Arc::new(Date32Array::from(vec![judged_on])),
            Arc::new(TimestampMicrosecondArray::from(vec![clock.day_start(judged_on)]).with_timezone("UTC")),
            text(chosen),
            text(report),
            text(subgroups),
        ];
        let others = format!("NOT (model = '{}' AND judged_on = {})", risk.name(), date(judged_on));
        self.keep(node, &context, &others, row).await
    }

    fn kept_node(&self, table: &str) -> Result<&Node, Error> {
        self.graph.node(table).ok_or_else(|| Error::NoSuchModel { model: table.to_owned(), hint: None })
    }

    /// Writes a row beside those of the table that are wanted.
    async fn keep(&self, node: &Node, context: &SessionContext, others: &str, row: Vec<ArrayRef>) -> Result<(), Error> {
        let fail = |it: datafusion::arrow::error::ArrowError| Error::query("write", &node.path)(it.into());
        let schema = Arc::new(Schema::new(self.schemas[&node.name].fields().clone()));
        let row: Vec<ArrayRef> = row
            .iter()
            .zip(schema.fields())
            .map(|(column, field)| datafusion::arrow::compute::cast(column, field.data_type()).map_err(fail))
            .collect::<Result<_, _>>()?;
        let row = RecordBatch::try_new(schema, row).map_err(fail)?;
        let mut rows = collect(context, &format!("SELECT * FROM {} WHERE {others}", node.name), &node.path).await?;
        rows.push(row);
        let all = self.sorted(node, rows).await?;
        let before = self.snapshot(&node.name).await?;
        if let Some(before) = before {
            let stored = collect(context, &format!("SELECT * FROM {}", node.name), &node.path).await?;
            let stored = self.sorted(node, stored).await?;
            let is_same = stored.num_rows() == all.num_rows()
                && concat_batches(&all.schema(), [&all]).is_ok_and(|it| it.columns() == stored.columns());
            if is_same && before.schema.fields() == self.schemas[&node.name].fields() {
                return Ok(());
            }
        }
        let file = self.write(node, None, &all)?;
        let made = Made { fingerprint: self.fingerprint(node), inputs: Default::default(), dates: Default::default() };
        self.replace(node, Replace::All, vec![file], &made).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_digits_come_back_as_the_same_bytes() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(unhex(&hex(&bytes)), Some(bytes));
        assert_eq!(unhex("0"), None);
        assert_eq!(unhex("0g"), None);
    }

    #[test]
    fn a_date_is_held_against_its_season_where_there_is_one() {
        let october: Vec<i32> = (0..300).map(|it| 100 + it % 20).collect();
        let march: Vec<i32> = (0..300).map(|it| 250 + it % 20).collect();
        let value = |day: &i32| vec![Some(f64::from(*day))];
        let days: Vec<i32> = october.iter().chain(&march).copied().collect();
        let reference = Reference { values: days.iter().map(value).collect(), days };
        let features = ["tasks".to_owned()];
        // A year later.
        let same = reference.matrix(&features, 110 + 365).expect("a matrix");
        assert_eq!(same.keys().len(), 300);
        assert!(same.values().iter().all(|it| *it < 130.0));
        // In a season of which nothing is known, all rows are the past.
        assert_eq!(reference.matrix(&features, 180).expect("a matrix").keys().len(), 600);
    }
}
