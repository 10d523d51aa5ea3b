//! The night's work of risk models: whether what they read has moved, and a score for everybody of their cohort.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use datafusion::prelude::SessionContext;
use serde_json::{Map, Value, json};
use warning::{Fate, Matrix};

use super::kept::{Reference, Version, opened};
use super::rows::{Rows, collect};
use super::said::{Fact, reason};
use super::{Input, Risk};
use crate::Error;
use crate::build::{Builder, date};
use crate::node::Node;

/// A student's score with the row that it follows from.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    /// Score, 0 to 1.
    pub score: f64,
    /// Share of those with such a score for whom the outcome came.
    pub probability: f64,
    /// What each input added, as JSON.
    pub contributions: String,
}

/// Scores one stored input row again with the stored model: the same bits for ever.
///
/// # Errors
/// If the stored row or model is none of ours.
pub fn rescored(model: &str, bytes: &str, calibration: &str, input: &str) -> Result<Scored, Error> {
    let fail = |source| Error::Model { model: model.to_owned(), source };
    let (found, calibration) = opened(model, bytes, calibration)?;
    let stored: Map<String, Value> = serde_json::from_str(input).map_err(|_| Error::Refused {
        path: "risk_score".to_owned(),
        message: format!("the stored input row of model \"{model}\" cannot be read"),
    })?;
    let features = found.features().to_vec();
    let values: Vec<f64> = features.iter().map(|it| stored.get(it).and_then(Value::as_f64).unwrap_or(f64::NAN)).collect();
    let values = ndarray::Array2::from_shape_fn((1, features.len()), |(_, column)| values[column]);
    let key = warning::RowKey { as_of_on: 0, student_key: 0 };
    let matrix = Matrix::from_wide(&[key], &features, values.view()).map_err(fail)?;
    let score = found.score(&matrix).map_err(fail)?[0];
    let parts = found.contributions(&matrix).map_err(fail)?;
    Ok(Scored { score, probability: calibration.probability(score), contributions: added(&features, &parts, 0) })
}

/// Which of equal scores comes first, the lowest: whoever was longest without contact, unless an approved study draws.
fn ticket(draw: Option<&warning::Draw>, gaps: &HashMap<i64, i32>, key: i64, as_of_on: i32) -> u64 {
    match draw {
        Some(draw) => draw.ticket(key, as_of_on),
        None => u64::MAX - gaps.get(&key).map_or(0, |it| 1 + u64::try_from(*it).unwrap_or(0)),
    }
}

/// What each input added to the score of a row, as JSON.
fn added(features: &[String], parts: &warning::Contributions, row: usize) -> String {
    let values: Map<String, Value> =
        features.iter().enumerate().map(|(column, name)| (name.clone(), json!(parts.values[[row, column]]))).collect();
    json!({ "scale": parts.scale, "baseline": parts.baseline, "values": values }).to_string()
}

/// Middle of the known values; NaN where none is known.
fn middle(mut values: Vec<f64>) -> f64 {
    values.retain(|it| !it.is_nan());
    values.sort_unstable_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => (values[n / 2 - 1] + values[n / 2]) / 2.0,
    }
}

#[derive(Default)]
struct Columns {
    key: Vec<i64>,
    model: Vec<String>,
    version: Vec<String>,
    score: Vec<f64>,
    probability: Vec<f64>,
    base_rate: Vec<Option<f64>>,
    known_n: Vec<i64>,
    is_listed: Vec<bool>,
    is_offered: Vec<bool>,
    contributions: Vec<String>,
    input: Vec<String>,
    reason: Vec<Option<(String, String)>>,
}

impl Builder<'_> {
    /// How far the inputs of every risk model have moved on a date, in the columns of `model_drift`.
    pub(crate) async fn drifts(&self, node: &Node, context: &SessionContext, as_of_on: i32) -> Result<RecordBatch, Error> {
        let mut found: Vec<(String, String, warning::drift::FeatureDrift)> = Vec::new();
        for risk in &self.graph.risks {
            let fail = |source| Error::Model { model: risk.name().to_owned(), source };
            let Some(version) = self.version_on(context, risk, as_of_on).await? else { continue };
            let Some((rows, _)) = self.risk_set(context, risk, as_of_on, false).await? else { continue };
            let features = risk.features();
            let (model, _) = opened(risk.name(), &version.bytes, &version.calibration)?;
            // A version that read other inputs says nothing until it is trained anew.
            if model.features() != features {
                continue;
            }
            let reference: Reference = serde_json::from_str(&version.reference).map_err(|_| Error::Refused {
                path: "model_version".to_owned(),
                message: format!("the stored reference of model \"{}\" cannot be read: train anew", risk.name()),
            })?;
            let places: Vec<usize> = (0..rows.keys.len()).collect();
            let now = rows.matrix(&features, &places).map_err(fail)?;
            let before = reference.matrix(&features, as_of_on).map_err(fail)?;
            let drifted = warning::drift(&before, &now).map_err(fail)?;
            found.extend(drifted.into_iter().map(|it| (risk.name().to_owned(), version.version.clone(), it)));
        }
        let text = |of: fn(&(String, String, warning::drift::FeatureDrift)) -> String| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(found.iter().map(of)))
        };
        let number = |of: fn(&warning::drift::FeatureDrift) -> Option<f64>| -> ArrayRef {
            Arc::new(Float64Array::from_iter(found.iter().map(|it| of(&it.2))))
        };
        let level = |it: &warning::drift::FeatureDrift| match it.level {
            warning::drift::Level::Quiet => "quiet",
            warning::drift::Level::Look => "look",
            warning::drift::Level::Freeze => "freeze",
        };
        let columns: Vec<ArrayRef> = vec![
            text(|it| it.0.clone()),
            text(|it| it.1.clone()),
            text(|it| it.2.feature.clone()),
            number(|it| Some(it.known_before)),
            number(|it| Some(it.known_now)),
            number(|it| Some(it.coverage_psi)),
            number(|it| it.value_psi),
            Arc::new(StringArray::from_iter_values(found.iter().map(|it| level(&it.2)))),
            Arc::new(BooleanArray::from_iter(found.iter().map(|it| Some(it.2.is_coverage)))),
        ];
        self.stored(node, columns)
    }

    /// Scores of every risk model on a date, in the columns of `risk_score`.
    pub(crate) async fn scores(&self, node: &Node, context: &SessionContext, as_of_on: i32) -> Result<RecordBatch, Error> {
        let mut columns = Columns::default();
        let gaps = self.contact_gaps(context, as_of_on, &node.path).await?;
        for risk in &self.graph.risks {
            let Some(version) = self.version_on(context, risk, as_of_on).await? else { continue };
            let Some((rows, places)) = self.risk_set(context, risk, as_of_on, true).await? else { continue };
            let is_frozen = self.is_frozen(context, risk, &version, as_of_on).await?;
            self.score_cohort(risk, &version, is_frozen, &rows, &places, as_of_on, &gaps, &mut columns)?;
        }
        let text = |of: Vec<String>| -> ArrayRef { Arc::new(StringArray::from(of)) };
        let (zh, en): (Vec<Option<String>>, Vec<Option<String>>) = columns.reason.into_iter().map(Option::unzip).unzip();
        let stored: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(columns.key)),
            text(columns.model),
            text(columns.version),
            Arc::new(Float64Array::from(columns.score)),
            Arc::new(Float64Array::from(columns.probability)),
            Arc::new(Float64Array::from(columns.base_rate)),
            Arc::new(Int64Array::from(columns.known_n)),
            Arc::new(BooleanArray::from(columns.is_listed)),
            Arc::new(BooleanArray::from(columns.is_offered)),
            text(columns.contributions),
            text(columns.input),
            Arc::new(StringArray::from(zh)),
            Arc::new(StringArray::from(en)),
        ];
        self.stored(node, stored)
    }

    /// The cohort of a date, and the places of those whose outcome is not known; `None` without a cohort.
    async fn risk_set(
        &self,
        context: &SessionContext,
        risk: &Risk,
        as_of_on: i32,
        needs_outcomes: bool,
    ) -> Result<Option<(Rows, Vec<usize>)>, Error> {
        let mut rows = Rows::default();
        self.read_date(context, risk, as_of_on, &mut rows).await?;
        if rows.keys.is_empty() {
            return Ok(None);
        }
        if !needs_outcomes {
            return Ok(Some((rows, Vec::new())));
        }
        let outcomes = self.outcomes(context, risk, as_of_on).await?;
        let is_open = |row: &usize| warning::fate(&outcomes.history(rows.keys[*row]), risk.horizon) != Fate::OutcomeKnown;
        let places = (0..rows.keys.len()).filter(is_open).collect();
        Ok(Some((rows, places)))
    }

    /// A version stays frozen from the first night on which an input had moved too far, until it is trained anew.
    async fn is_frozen(&self, context: &SessionContext, risk: &Risk, version: &Version, as_of_on: i32) -> Result<bool, Error> {
        let sql = format!(
            "SELECT input FROM model_drift WHERE model = '{}' AND version = '{}' AND level = 'freeze' AND as_of_on <= {} LIMIT 1",
            risk.name(),
            version.version,
            date(as_of_on)
        );
        Ok(collect(context, &sql, "model_drift").await?.iter().any(|it| 0 < it.num_rows()))
    }

    #[expect(clippy::too_many_arguments, reason = "what a night knows of one model")]
    fn score_cohort(
        &self,
        risk: &Risk,
        version: &Version,
        is_frozen: bool,
        rows: &Rows,
        places: &[usize],
        as_of_on: i32,
        gaps: &HashMap<i64, i32>,
        columns: &mut Columns,
    ) -> Result<(), Error> {
        let fail = |source| Error::Model { model: risk.name().to_owned(), source };
        let features = risk.features();
        let (model, calibration) = opened(risk.name(), &version.bytes, &version.calibration)?;
        if places.is_empty() || model.features() != features {
            return Ok(());
        }
        let matrix = rows.matrix(&features, places).map_err(fail)?;
        let scores = model.score(&matrix).map_err(fail)?;
        let parts = model.contributions(&matrix).map_err(fail)?;
        let draw = self.config.warning.random.draw.as_ref();
        let tickets: Vec<u64> = matrix.keys().iter().map(|it| ticket(draw, gaps, it.student_key, as_of_on)).collect();
        let mut is_listed = vec![false; scores.len()];
        for at in warning::metrics::top_k(&scores, &tickets, version.budget) {
            is_listed[at] = true;
        }
        let values = matrix.values();
        let middles: Vec<f64> = values.columns().into_iter().map(|it| middle(it.to_vec())).collect();
        let base_rate = (0 < version.n_rows).then(|| version.n_positive as f64 / version.n_rows as f64);
        for (at, key) in matrix.keys().iter().enumerate() {
            let probability = calibration.probability(scores[at]);
            let row = values.row(at);
            let value = |column: usize| Some(row[column]).filter(|it: &f64| !it.is_nan());
            let input: Map<String, Value> =
                features.iter().enumerate().map(|(column, name)| (name.clone(), json!(value(column)))).collect();
            let facts: Vec<Fact> = (0..features.len())
                .map(|column| Fact {
                    input: column,
                    value: row[column],
                    adds: parts.values[[at, column]],
                    middle: middles[column],
                })
                .collect();
            columns.key.push(key.student_key);
            columns.model.push(risk.name().to_owned());
            columns.version.push(version.version.clone());
            columns.score.push(scores[at]);
            columns.probability.push(probability);
            columns.base_rate.push(base_rate);
            columns.known_n.push(row.iter().filter(|it| !it.is_nan()).count() as i64);
            columns.is_listed.push(is_listed[at]);
            columns.is_offered.push(is_listed[at] && version.is_offered && !is_frozen);
            columns.contributions.push(added(&features, &parts, at));
            columns.input.push(Value::Object(input).to_string());
            columns.reason.push(is_listed[at].then(|| reason(risk, &self.graph.measures, &facts, probability)));
        }
        Ok(())
    }

    /// Titles and unit of an input, for screens.
    pub fn input_words(&self, input: &Input) -> (String, String, String) {
        super::said::words_of(input, &self.graph.measures)
    }

    /// What a baseline of a model is called, in Chinese and in English.
    pub fn baseline_words(&self, name: &str) -> (String, String) {
        super::said::baseline_words(name, self.graph)
    }

    /// Students on the list of a week: what the file says, else what the owners have hours for.
    pub(crate) async fn list_length(&self, risk: &Risk, as_of_on: i32) -> Result<usize, Error> {
        if let Some(budget) = risk.model.front.budget {
            return Ok(budget as usize);
        }
        let talks = self.config.warning.capacity.talks() as usize;
        let owners = self.owners(as_of_on).await?;
        match talks * owners {
            0 => Err(Error::Refused {
                path: risk.model.path.clone(),
                message: "nobody has an hour for its list: say budget = in the file, or warning.capacity in the settings"
                    .to_owned(),
            }),
            n => Ok(n),
        }
    }
}
