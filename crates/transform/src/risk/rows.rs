//! Rows of a risk model out of the lake: cohort, inputs, places, groups, outcomes.
//!
//! One date is read after the other and put into flat columns at once, so that memory is bounded by the rows that are
//! kept. A student's row is what the cohort's query and `feat_measure` said as of that date; outcomes are looked up
//! afterwards, by what is known on the day of the training.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Date32Type, Float64Type, Int64Type};
use datafusion::prelude::SessionContext;
use ndarray::{Array2, ArrayView2};
use warning::{History, Matrix, RowKey};

use super::Risk;
use crate::Error;
use crate::build::{Builder, date};

/// Column of a cohort that the baseline of places reads.
const PLACE: &str = "place";

/// Rows of students and dates, in the order in which they were read: by date, then student.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) keys: Vec<RowKey>,
    /// Row after row, one value an input; NaN is missing.
    values: Vec<f64>,
    /// Place of each row, as a number of `words`.
    pub(crate) places: Vec<Option<u32>>,
    /// Attributes for the audit.
    pub(crate) attributes: Vec<String>,
    /// Row after row, one group an attribute, as numbers of `words`.
    groups: Vec<Option<u32>>,
    words: Vec<String>,
    numbers: HashMap<String, u32>,
}

impl Rows {
    fn number(&mut self, word: &str) -> u32 {
        if let Some(number) = self.numbers.get(word) {
            return *number;
        }
        let next = self.words.len() as u32;
        self.words.push(word.to_owned());
        self.numbers.insert(word.to_owned(), next);
        next
    }

    /// Groups of a row, by attribute; an attribute that is not known names no group.
    pub(crate) fn groups_of(&self, row: usize) -> Vec<(String, String)> {
        let n = self.attributes.len();
        let own = &self.groups[row * n..(row + 1) * n];
        let known =
            self.attributes.iter().zip(own).filter_map(|(name, it)| Some((name.clone(), self.words[(*it)? as usize].clone())));
        known.collect()
    }

    /// The matrix that a model reads, and the row of `self` behind each of its rows.
    pub(crate) fn matrix(&self, features: &[String], rows: &[usize]) -> Result<Matrix, warning::Error> {
        let width = features.len();
        let keys: Vec<RowKey> = rows.iter().map(|row| self.keys[*row]).collect();
        let values = Array2::from_shape_fn((rows.len(), width), |(at, column)| self.values[rows[at] * width + column]);
        Matrix::from_wide(&keys, features, values.view())
    }

    /// All values, `[rows, inputs]`.
    pub(crate) fn view(&self, width: usize) -> Result<ArrayView2<'_, f64>, warning::Error> {
        ArrayView2::from_shape((self.keys.len(), width), &self.values).map_err(|_| warning::Error::Length {
            what: "values, one a row and input",
            expected: self.keys.len() * width,
            found: self.values.len(),
        })
    }
}

/// An outcome of a student, as the label's table tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// It came, or it is known that it will not.
    pub(crate) came: bool,
    /// First as-of date for which it counts, where the label says so.
    pub(crate) opens_on: Option<i32>,
    pub(crate) event_on: i32,
    pub(crate) known_on: i32,
}

/// Outcomes and help by student, as known on a day.
#[derive(Debug, Default)]
pub(crate) struct Outcomes {
    recurs: bool,
    of: HashMap<i64, Vec<Outcome>>,
    helped: HashMap<i64, Vec<i32>>,
    /// Whose outcomes stand for whose: for the test with outcomes that mean nothing.
    exchanged: HashMap<i64, i64>,
}

impl Outcomes {
    /// What is known of one row.
    pub(crate) fn history(&self, key: RowKey) -> History {
        let as_of_on = key.as_of_on;
        let student_key = self.exchanged.get(&key.student_key).unwrap_or(&key.student_key);
        let open = |it: &&Outcome| it.opens_on.is_none_or(|it| it <= as_of_on);
        let own: Vec<&Outcome> = self.of.get(student_key).into_iter().flatten().filter(open).collect();
        let helped = self.helped.get(student_key).into_iter().flatten().copied();
        let mut history =
            History { key, event_on: None, event_known_on: None, intervened_on: helped.filter(|it| as_of_on < *it).min() };
        let over = own.iter().find(|it| !self.recurs && !it.came && it.known_on <= as_of_on);
        let first = own.iter().filter(|it| it.came && (!self.recurs || as_of_on < it.event_on.max(it.known_on)));
        // An outcome that is known not to come closes the row as one that came does.
        if let Some(over) = over {
            (history.event_on, history.event_known_on) = (Some(over.known_on), Some(over.known_on));
        } else if let Some(event) = first.min_by_key(|it| (it.event_on, it.known_on)) {
            (history.event_on, history.event_known_on) = (Some(event.event_on), Some(event.known_on));
        }
        history
    }

    /// Gives every student the outcomes of another one: what is learnt then is noise, and must be worth no more.
    pub(crate) fn exchange(&mut self, rows: &Rows, seed: u64) {
        let students: BTreeSet<i64> = rows.keys.iter().map(|it| it.student_key).collect();
        let mut order: Vec<i64> = students.into_iter().collect();
        order.sort_by_key(|it| mixed(seed ^ *it as u64));
        let next = order.iter().cycle().skip(1);
        self.exchanged = order.iter().copied().zip(next.copied()).collect();
    }
}

/// A number mixed well enough to deal students into parts (splitmix64).
pub(crate) fn mixed(number: u64) -> u64 {
    let it = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let it = (it ^ (it >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let it = (it ^ (it >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    it ^ (it >> 31)
}

pub(crate) fn typed(batch: &RecordBatch, column: &str, of: DataType, path: &str) -> Result<ArrayRef, Error> {
    let found = batch
        .column_by_name(column)
        .ok_or_else(|| Error::Refused { path: path.to_owned(), message: format!("the query no longer returns \"{column}\"") })?;
    cast(found, &of).map_err(|it| Error::query("read", path)(it.into()))
}

pub(crate) async fn collect(context: &SessionContext, sql: &str, path: &str) -> Result<Vec<RecordBatch>, Error> {
    let frame = context.sql(sql).await.map_err(Error::query("read", path))?;
    frame.collect().await.map_err(Error::query("read", path))
}

impl Builder<'_> {
    /// A context with stored tables as they are.
    pub(crate) async fn stored_context(&self, tables: &[&str]) -> Result<SessionContext, Error> {
        let context = self.engine.context();
        for table in tables {
            context.register_table(*table, self.provider(table).await?).map_err(Error::query("read", table))?;
        }
        Ok(context)
    }

    /// Takes in the cohort and the inputs of one date.
    pub(crate) async fn read_date(
        &self,
        context: &SessionContext,
        risk: &Risk,
        as_of_on: i32,
        rows: &mut Rows,
    ) -> Result<(), Error> {
        let path = &risk.model.path;
        let key = self.graph.subject.as_ref().map_or("student_key", |it| it.key.as_str());
        let (cohort, on) = (risk.cohort(), date(as_of_on));
        let people = collect(context, &format!("SELECT * FROM {cohort} WHERE as_of_on = {on} ORDER BY {key}"), path).await?;
        let schema = &self.schemas[&cohort];
        let names = schema.fields().iter().map(|it| it.name().as_str());
        rows.attributes = names.filter(|it| ![key, PLACE, "as_of_on"].contains(it)).map(str::to_owned).collect();
        let (width, first) = (risk.inputs.len(), rows.keys.len());
        let mut at = HashMap::new();
        for batch in &people {
            let keys = typed(batch, key, DataType::Int64, path)?;
            let place = typed(batch, PLACE, DataType::Utf8, path)?;
            let attributes = rows.attributes.clone();
            let groups: Vec<ArrayRef> =
                attributes.iter().map(|it| typed(batch, it, DataType::Utf8, path)).collect::<Result<_, _>>()?;
            for (row, student_key) in keys.as_primitive::<Int64Type>().iter().enumerate() {
                let Some(student_key) = student_key else { continue };
                at.insert(student_key, rows.keys.len());
                rows.keys.push(RowKey { as_of_on, student_key });
                let words = std::iter::once(&place).chain(&groups).map(|it| it.as_string::<i32>());
                let mut numbers = words.map(|it| it.is_valid(row).then(|| rows.number(it.value(row)))).collect::<Vec<_>>();
                rows.places.push(numbers.remove(0));
                rows.groups.extend(numbers);
            }
        }
        rows.values.resize(rows.keys.len() * width, f64::NAN);
        debug_assert!(first <= rows.keys.len());
        let measures: BTreeSet<&str> = risk.inputs.iter().map(|it| it.measure.as_str()).collect();
        let list: Vec<String> = measures.iter().map(|it| format!("'{it}'")).collect();
        let sql = format!(
            "SELECT feat_measure.{key}, measure, value, z_self, z_peer FROM feat_measure \
             INNER JOIN {cohort} AS cohort ON cohort.{key} = feat_measure.{key} AND cohort.as_of_on = {on} \
             WHERE feat_measure.as_of_on = {on} AND measure IN ({})",
            list.join(", ")
        );
        let mut columns: HashMap<&str, Vec<(usize, &'static str)>> = HashMap::new();
        for (column, input) in risk.inputs.iter().enumerate() {
            columns.entry(input.measure.as_str()).or_default().push((column, input.column));
        }
        let mut stream = context
            .sql(&sql)
            .await
            .map_err(Error::query("read", path))?
            .execute_stream()
            .await
            .map_err(Error::query("read", path))?;
        while let Some(batch) = futures::StreamExt::next(&mut stream).await {
            let batch = batch.map_err(Error::query("read", path))?;
            let keys = typed(&batch, key, DataType::Int64, path)?;
            let measure = typed(&batch, "measure", DataType::Utf8, path)?;
            let parts: BTreeMap<&str, ArrayRef> = ["value", "z_self", "z_peer"]
                .into_iter()
                .map(|it| Ok((it, typed(&batch, it, DataType::Float64, path)?)))
                .collect::<Result<_, Error>>()?;
            let measure = measure.as_string::<i32>();
            for (row, student_key) in keys.as_primitive::<Int64Type>().iter().enumerate() {
                let (Some(place), Some(into)) = (student_key.and_then(|it| at.get(&it)), columns.get(measure.value(row))) else {
                    continue;
                };
                for (column, part) in into {
                    let values = parts[part].as_primitive::<Float64Type>();
                    if values.is_valid(row) {
                        rows.values[place * width + column] = values.value(row);
                    }
                }
            }
        }
        Ok(())
    }

    /// What is known of outcomes at the beginning of a date.
    pub(crate) async fn outcomes(&self, context: &SessionContext, risk: &Risk, known_on: i32) -> Result<Outcomes, Error> {
        let (label, path) = (&risk.label, &risk.label.path);
        let key = self.graph.subject.as_ref().map_or("student_key", |it| it.key.as_str());
        let has_opening = self.schemas[&label.name].field_with_name("opens_on").is_ok();
        let opens_on = if has_opening { "CAST(opens_on AS DATE)" } else { "CAST(NULL AS DATE)" };
        let sql = format!(
            "SELECT {key}, outcome, {opens_on} AS opens_on, CAST(event_on AS DATE) AS event_on, CAST(known_on AS DATE) AS known_on \
             FROM {} WHERE known_on <= {} AND event_on IS NOT NULL AND outcome IS NOT NULL",
            label.name,
            date(known_on)
        );
        let mut outcomes = Outcomes { recurs: label.front.recurs, ..Outcomes::default() };
        for batch in collect(context, &sql, path).await? {
            let (keys, came) = (typed(&batch, key, DataType::Int64, path)?, typed(&batch, "outcome", DataType::Boolean, path)?);
            let days = |name: &str| typed(&batch, name, DataType::Date32, path);
            let (opens, events, known) = (days("opens_on")?, days("event_on")?, days("known_on")?);
            let (opens, events) = (opens.as_primitive::<Date32Type>(), events.as_primitive::<Date32Type>());
            let known = known.as_primitive::<Date32Type>();
            for (row, student_key) in keys.as_primitive::<Int64Type>().iter().enumerate() {
                let Some(student_key) = student_key else { continue };
                outcomes.of.entry(student_key).or_default().push(Outcome {
                    came: came.as_boolean().value(row),
                    opens_on: opens.is_valid(row).then(|| opens.value(row)),
                    event_on: events.value(row),
                    known_on: known.value(row),
                });
            }
        }
        Ok(outcomes)
    }

    /// The same with who was helped before it came. Training and audits ask for it; a score is made without it, for it looks
    /// at what was over by its date only, and nothing of a case is behind it.
    pub(crate) async fn outcomes_beside_help(
        &self,
        context: &SessionContext,
        risk: &Risk,
        known_on: i32,
    ) -> Result<Outcomes, Error> {
        let mut outcomes = self.outcomes(context, risk, known_on).await?;
        let Some(table) = &risk.model.front.censor_by else { return Ok(outcomes) };
        let path = &risk.model.path;
        let key = self.graph.subject.as_ref().map_or("student_key", |it| it.key.as_str());
        let sql = format!(
            "SELECT {key}, CAST(intervened_on AS DATE) AS intervened_on FROM {table} WHERE CAST(known_on AS DATE) <= {}",
            date(known_on)
        );
        for batch in collect(context, &sql, path).await? {
            let keys = typed(&batch, key, DataType::Int64, path)?;
            let days = typed(&batch, "intervened_on", DataType::Date32, path)?;
            let days = days.as_primitive::<Date32Type>();
            for (row, student_key) in keys.as_primitive::<Int64Type>().iter().enumerate() {
                if let (Some(student_key), true) = (student_key, days.is_valid(row)) {
                    outcomes.helped.entry(student_key).or_default().push(days.value(row));
                }
            }
        }
        Ok(outcomes)
    }

    /// Mondays on which both inputs and cohort stand, up to a date, with the rows of the cohort.
    pub(crate) async fn risk_mondays(
        &self,
        context: &SessionContext,
        risk: &Risk,
        until: i32,
    ) -> Result<BTreeMap<i32, usize>, Error> {
        let path = &risk.model.path;
        let sql =
            format!("SELECT as_of_on, count(*) AS n FROM {} WHERE as_of_on <= {} GROUP BY as_of_on", risk.cohort(), date(until));
        let sql_measured = format!("SELECT DISTINCT as_of_on FROM feat_measure WHERE as_of_on <= {}", date(until));
        let mut measured = BTreeSet::new();
        for batch in collect(context, &sql_measured, path).await? {
            measured.extend(batch.column(0).as_primitive::<Date32Type>().iter().flatten());
        }
        let mut mondays = BTreeMap::new();
        for batch in collect(context, &sql, path).await? {
            let days = batch.column(0).as_primitive::<Date32Type>();
            let counts = batch.column(1).as_primitive::<Int64Type>();
            mondays.extend((0..batch.num_rows()).map(|row| (days.value(row), usize::try_from(counts.value(row)).unwrap_or(0))));
        }
        // 1970-01-05 was a Monday.
        mondays.retain(|day, _| (day - 4).rem_euclid(7) == 0 && measured.contains(day));
        Ok(mondays)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use warning::{Fate, Horizon, fate};

    const HORIZON: Horizon = Horizon { days: 28, label_delay_days: 1 };

    fn outcomes(recurs: bool, of: &[Outcome]) -> Outcomes {
        Outcomes { recurs, of: HashMap::from([(7, of.to_vec())]), ..Outcomes::default() }
    }

    fn outcome(came: bool, event_on: i32, known_on: i32) -> Outcome {
        Outcome { came, opens_on: None, event_on, known_on }
    }

    #[track_caller]
    fn check(outcomes: &Outcomes, as_of_on: i32, expected: Fate) {
        let history = outcomes.history(RowKey { as_of_on, student_key: 7 });
        assert_eq!(fate(&history, HORIZON), expected, "{history:?}");
    }

    #[test]
    fn whose_outcome_is_known_is_out_of_the_risk_set_unless_it_may_come_again() {
        let events = [outcome(true, 100, 103), outcome(true, 200, 203)];
        let (once, again) = (outcomes(false, &events), outcomes(true, &events));
        check(&once, 90, Fate::Labelled(true));
        check(&once, 101, Fate::OutcomeHidden);
        check(&once, 103, Fate::OutcomeKnown);
        check(&once, 190, Fate::OutcomeKnown);
        check(&again, 101, Fate::OutcomeHidden);
        check(&again, 103, Fate::Labelled(false));
        check(&again, 190, Fate::Labelled(true));
        check(&again, 203, Fate::Labelled(false));
    }

    #[test]
    fn an_outcome_that_is_known_not_to_come_closes_the_row_too() {
        let passed = outcomes(false, &[outcome(false, 100, 101)]);
        check(&passed, 99, Fate::Labelled(false));
        check(&passed, 101, Fate::OutcomeKnown);
    }

    #[test]
    fn an_outcome_counts_only_for_rows_behind_its_opening() {
        let later = outcomes(true, &[Outcome { opens_on: Some(95), ..outcome(true, 100, 100) }]);
        check(&later, 94, Fate::Labelled(false));
        check(&later, 95, Fate::Labelled(true));
    }

    #[test]
    fn who_was_spoken_with_teaches_nothing_from_then_on_and_nobody_else_less() {
        let mut failed = outcomes(false, &[outcome(true, 100, 103)]);
        failed.helped.insert(7, vec![90]);
        // The help came within the horizon of these rows, before the outcome: without it, it might have come or not.
        check(&failed, 80, Fate::Censored);
        check(&failed, 89, Fate::Censored);
        // Help that came before the row is part of how things were.
        check(&failed, 90, Fate::Labelled(true));
        // Of a row whose horizon was over before, it says nothing.
        check(&failed, 61, Fate::Labelled(false));
        let mut other = outcomes(false, &[outcome(true, 100, 103)]);
        other.helped.insert(8, vec![90]);
        check(&other, 80, Fate::Labelled(true));
    }

    #[test]
    fn exchanged_outcomes_are_somebody_elses_for_everybody() {
        let rows = Rows { keys: (0..50).map(|student_key| RowKey { as_of_on: 0, student_key }).collect(), ..Rows::default() };
        let mut outcomes = outcomes(false, &[]);
        outcomes.exchange(&rows, 3);
        assert_eq!(outcomes.exchanged.len(), 50);
        assert!(outcomes.exchanged.iter().all(|(one, other)| one != other));
        let given: BTreeSet<i64> = outcomes.exchanged.values().copied().collect();
        assert_eq!(given.len(), 50);
    }
}
