//! What a risk model would have been worth: weekly lists of the past, each made with what was known then.
//!
//! Time goes one way. Before each Monday a model is trained on rows whose outcomes were known by then, its scores are
//! turned into probabilities by students that it was not shown, and the list of that Monday is compared with those of
//! rules, of single inputs, and of the place.

use std::collections::{BTreeMap, HashMap};

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::{DataType, Date32Type, Float64Type, Int64Type};
use datafusion::prelude::SessionContext;
use warning::backtest::{Candidate, Config, Report, Role, Row, floor_scores};
use warning::{Fate, History, Isotonic, Kind, Past, RiskModel};

use super::Risk;
use super::rows::{Rows, collect, mixed, typed};
use super::said::baseline_words;
use crate::Error;
use crate::build::{Builder, date};

/// One student in so many is not shown to the model that the probabilities are made with.
const HELD_OUT: u64 = 4;
/// Days back that a counselor's own list counts talks of.
const OWN_LIST_DAYS: i32 = 28;
/// Fewer rows with the outcome teach nothing that would be worth a list.
const POSITIVE_MIN: usize = 10;

/// A model with its probabilities.
pub(crate) struct Fitted {
    pub(crate) kind: Kind,
    pub(crate) model: Box<dyn RiskModel>,
    pub(crate) calibration: Isotonic,
}

/// On which terms candidates are judged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    /// The day whose knowledge counts.
    pub(crate) today: i32,
    pub(crate) seed: u64,
    /// Students on the list of a week.
    pub(crate) budget: usize,
}

/// What the past says of a risk model.
pub(crate) struct Judged {
    /// The lists and what they were worth; none if no week of the past can be judged.
    pub(crate) report: Option<Report>,
    /// The candidate with most hits, or the first.
    pub(crate) chosen: Kind,
    pub(crate) is_offered: bool,
    pub(crate) reason_zh: String,
    pub(crate) reason_en: String,
}

/// Name of a kind in reports and tables.
pub(crate) fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Logistic => "logistic",
        Kind::Forest => "forest",
        Kind::Boost => "boost",
    }
}

/// Trains on rows, which ascend as those of the matrix do; `None` if there is too little to learn from.
pub(crate) fn fit(
    risk: &Risk,
    rows: &Rows,
    train: &[(usize, bool)],
    kind: Kind,
    seed: u64,
    before_on: i32,
) -> Result<Option<Fitted>, warning::Error> {
    let is_held = |row: usize| mixed(seed ^ rows.keys[row].student_key as u64).is_multiple_of(HELD_OUT);
    let (held, own): (Vec<(usize, bool)>, Vec<(usize, bool)>) = train.iter().partition(|it| is_held(it.0));
    let positive = |of: &[(usize, bool)]| of.iter().filter(|it| it.1).count();
    let is_enough = |of: &[(usize, bool)]| POSITIVE_MIN <= positive(of) && POSITIVE_MIN <= of.len() - positive(of);
    if !is_enough(train) || !is_enough(&own) || held.is_empty() {
        return Ok(None);
    }
    let features = risk.features();
    let trained = |of: &[(usize, bool)]| {
        let (places, labels): (Vec<usize>, Vec<bool>) = of.iter().copied().unzip();
        warning::train(kind, &rows.matrix(&features, &places)?, &labels, seed)
    };
    let inner = trained(&own)?;
    let places: Vec<usize> = held.iter().map(|it| it.0).collect();
    let scores = inner.score(&rows.matrix(&features, &places)?)?;
    let past: Vec<Past> = held
        .iter()
        .zip(scores)
        .map(|((row, label), score)| Past { as_of_on: rows.keys[*row].as_of_on, score, label: *label })
        .collect();
    Ok(Some(Fitted { kind, model: trained(train)?, calibration: Isotonic::fit(&past, before_on)? }))
}

/// Lists of the past as they would have been made.
#[derive(Default)]
struct Lists {
    /// Row and outcome.
    rows: Vec<(usize, bool)>,
    /// By candidate: score and probability.
    scores: BTreeMap<usize, Vec<(f64, f64)>>,
}

/// Talks of staff with students.
#[derive(Debug, Default)]
struct Talks {
    /// Day of a talk, and the first date that may know of it.
    of: HashMap<i64, Vec<(i32, i32)>>,
}

impl Talks {
    /// How many there were lately, by what was known on a date; `None` for who was not spoken with.
    fn lately(&self, student_key: i64, as_of_on: i32) -> Option<f64> {
        let lately = |it: &&(i32, i32)| as_of_on - OWN_LIST_DAYS <= it.0 && it.0 < as_of_on && it.1 <= as_of_on;
        let n = self.of.get(&student_key)?.iter().filter(lately).count();
        (0 < n).then_some(n as f64)
    }
}

impl Builder<'_> {
    fn model_error(risk: &Risk) -> impl Fn(warning::Error) -> Error {
        let model = risk.name().to_owned();
        move |source| Error::Model { model: model.clone(), source }
    }

    /// Mondays that are read: all, or every second or third where they would be too many rows.
    pub(crate) async fn risk_rows(&self, context: &SessionContext, risk: &Risk, today: i32) -> Result<Rows, Error> {
        let mondays = self.risk_mondays(context, risk, today).await?;
        let all: usize = mondays.values().sum();
        let every = all.div_ceil(self.config.warning.model.rows_max.max(1)).max(1);
        // Counted from the newest: it is the one that lists are made for.
        let mut chosen: Vec<i32> = mondays.into_keys().rev().step_by(every).collect();
        chosen.reverse();
        let mut rows = Rows::default();
        for on in chosen {
            self.read_date(context, risk, on, &mut rows).await?;
        }
        Ok(rows)
    }

    /// Judges the candidates of a risk model by what was known on a day.
    pub(crate) async fn judge(
        &self,
        context: &SessionContext,
        risk: &Risk,
        rows: &Rows,
        histories: &[History],
        terms: Terms,
    ) -> Result<Judged, Error> {
        let Terms { today, seed, budget } = terms;
        let fail = Self::model_error(risk);
        let kinds = risk.kinds();
        let first = kinds.first().copied().unwrap_or(Kind::Logistic);
        let rules = &self.config.warning.model;
        let mut dates: Vec<i32> =
            rows.keys.iter().map(|it| it.as_of_on).filter(|it| risk.horizon.known_on(*it) < today).collect();
        dates.dedup();
        let tested = dates.split_off(dates.len().saturating_sub(rules.test_weeks));

        let mut lists = Lists::default();
        let mut fitted: Vec<Fitted> = Vec::new();
        let mut age = usize::MAX;
        for on in tested {
            let split = warning::split(histories, on, risk.horizon);
            if fitted.is_empty() || rules.refit_weeks <= age {
                let mut anew = Vec::new();
                for kind in &kinds {
                    anew.extend(fit(risk, rows, &split.train, *kind, seed, on).map_err(&fail)?);
                }
                // Before there is enough to learn from there are no lists.
                if anew.len() < kinds.len() && fitted.is_empty() {
                    continue;
                }
                if anew.len() == kinds.len() {
                    (fitted, age) = (anew, 0);
                }
            }
            age = age.saturating_add(1);
            let places: Vec<usize> = split.test.iter().map(|it| it.0).collect();
            if places.is_empty() {
                continue;
            }
            let matrix = rows.matrix(&risk.features(), &places).map_err(&fail)?;
            for (candidate, it) in fitted.iter().enumerate() {
                let scores = it.model.score(&matrix).map_err(&fail)?;
                let known = scores.into_iter().map(|score| (score, it.calibration.probability(score)));
                lists.scores.entry(candidate).or_default().extend(known);
            }
            lists.rows.extend(split.test);
        }
        if !lists.rows.iter().any(|it| it.1) {
            return Ok(Judged {
                report: None,
                chosen: first,
                is_offered: false,
                reason_zh: "暂不用于提示：过去还没有一周，既有足够已知结果可供学习，其后又有结果可供检验。".to_owned(),
                reason_en: "not offered: there is no week of the past with enough known outcomes before it to learn from, and outcomes behind it to be judged by".to_owned(),
            });
        }
        let candidates = self.candidates_of(context, risk, rows, histories, &lists, &kinds).await?;
        let judged: Vec<Row> = lists
            .rows
            .iter()
            .map(|(row, label)| Row {
                key: rows.keys[*row],
                label: *label,
                event_on: histories[*row].event_on,
                groups: rows.groups_of(*row),
            })
            .collect();
        let config = Config { budget, resamples: rules.resamples, seed };
        let report = warning::backtest(&judged, &candidates, &config).map_err(&fail)?;
        let hits = |kind: &Kind| report.candidates.iter().find(|it| it.name == word(*kind)).map_or(0, |it| it.at_k.n_hits);
        // Of equal ones the first in the file: the plainest.
        let chosen = kinds.iter().rev().copied().max_by_key(hits).unwrap_or(first);
        let decided = report.decisions.iter().find(|it| it.name == word(chosen));
        let is_offered = decided.is_some_and(|it| it.is_offered);
        let best_rule = report.best_rule.as_deref().map(|it| baseline_words(it, self.graph));
        let (reason_zh, reason_en) = decided.map(|it| it.words(best_rule.as_ref())).unwrap_or_default();
        Ok(Judged { report: Some(report), chosen, is_offered, reason_zh, reason_en })
    }

    /// Models, rules, single inputs and the place, each with a score for every row that is judged.
    async fn candidates_of(
        &self,
        context: &SessionContext,
        risk: &Risk,
        rows: &Rows,
        histories: &[History],
        lists: &Lists,
        kinds: &[Kind],
    ) -> Result<Vec<Candidate>, Error> {
        let fail = Self::model_error(risk);
        let mut candidates = Vec::new();
        let mut add = |name: &str, role: Role, scores: Vec<Option<f64>>, probabilities: Vec<f64>| {
            candidates.push(Candidate { name: name.to_owned(), role, scores, probabilities, drift: Vec::new() });
        };
        for (at, kind) in kinds.iter().enumerate() {
            let scored = lists.scores.get(&at).cloned().unwrap_or_default();
            let (scores, probabilities) = scored.into_iter().map(|(score, probability)| (Some(score), probability)).unzip();
            add(word(*kind), Role::Model, scores, probabilities);
        }
        let values = rows.view(risk.inputs.len()).map_err(&fail)?;
        let key = self.graph.subject.as_ref().map_or("student_key", |it| it.key.as_str());
        for baseline in &risk.model.front.baselines {
            let sign = if baseline.starts_with("low:") { -1.0 } else { 1.0 };
            let input = baseline.strip_prefix("low:").or_else(|| baseline.strip_prefix("high:"));
            let scores = match input.and_then(|it| risk.inputs.iter().position(|input| input.name == it)) {
                Some(column) => {
                    let value = |row: usize| Some(values[[row, column]]).filter(|it| !it.is_nan()).map(|it| sign * it);
                    lists.rows.iter().map(|it| value(it.0)).collect()
                }
                None => {
                    let on = |on: i32| match super::of_table(baseline) {
                        Some((table, column)) => format!(
                            "SELECT {key}, CAST(max({column}) AS DOUBLE) AS score FROM {table} WHERE as_of_on = {} AND {column} IS NOT NULL GROUP BY {key}",
                            date(on)
                        ),
                        None => format!(
                            "SELECT {key}, max(coalesce(score, 1.0)) AS score FROM warning_candidate WHERE as_of_on = {} AND rule = '{baseline}' GROUP BY {key}",
                            date(on)
                        ),
                    };
                    let fired = self.fired(context, risk, rows, lists, &on).await?;
                    lists
                        .rows
                        .iter()
                        .map(|it| fired.get(&(rows.keys[it.0].as_of_on, rows.keys[it.0].student_key)).copied())
                        .collect()
                }
            };
            add(baseline, Role::Rule, scores, Vec::new());
        }
        if let Some(talks) = self.talks(context, risk).await? {
            let score = |row: usize| talks.lately(rows.keys[row].student_key, rows.keys[row].as_of_on);
            let scores: Vec<Option<f64>> = lists.rows.iter().map(|it| score(it.0)).collect();
            // Before contacts were recorded there is no such order to be compared with.
            if scores.iter().any(Option::is_some) {
                add("own_list", Role::OwnList, scores, Vec::new());
            }
        }
        // The place knows all that was known before, not only the weeks that are judged.
        let last = lists.rows.iter().map(|it| rows.keys[it.0].as_of_on).max().unwrap_or(i32::MIN);
        let labelled: Vec<(usize, bool)> = histories
            .iter()
            .enumerate()
            .filter(|(_, it)| it.key.as_of_on <= last)
            .filter_map(|(row, it)| match warning::fate(it, risk.horizon) {
                Fate::Labelled(label) => Some((row, label)),
                Fate::OutcomeKnown | Fate::OutcomeHidden | Fate::Censored => None,
            })
            .collect();
        let known: Vec<Row> = labelled
            .iter()
            .map(|(row, label)| Row { key: rows.keys[*row], label: *label, event_on: None, groups: Vec::new() })
            .collect();
        let places: Vec<i64> = labelled.iter().map(|(row, _)| rows.places[*row].map_or(-1, i64::from)).collect();
        let by_place = floor_scores(&known, &places, |on| risk.horizon.known_on(on));
        let of_row: HashMap<usize, Option<f64>> = labelled.iter().map(|it| it.0).zip(by_place).collect();
        let scores = lists.rows.iter().map(|it| of_row.get(&it.0).copied().flatten()).collect();
        add("place", Role::Floor, scores, Vec::new());
        Ok(candidates)
    }

    /// Whom staff spoke with, where the model names such a table.
    async fn talks(&self, context: &SessionContext, risk: &Risk) -> Result<Option<Talks>, Error> {
        let Some(table) = &risk.model.front.own_list else { return Ok(None) };
        let path = &risk.model.path;
        let key = self.graph.subject.as_ref().map_or("student_key", |it| it.key.as_str());
        let sql =
            format!("SELECT {key}, CAST(contacted_on AS DATE) AS contacted_on, CAST(known_on AS DATE) AS known_on FROM {table}");
        let mut talks = Talks::default();
        for batch in collect(context, &sql, path).await? {
            let keys = typed(&batch, key, DataType::Int64, path)?;
            let days = |name: &str| typed(&batch, name, DataType::Date32, path);
            let (contacted, known) = (days("contacted_on")?, days("known_on")?);
            let (contacted, known) = (contacted.as_primitive::<Date32Type>(), known.as_primitive::<Date32Type>());
            for (row, student_key) in keys.as_primitive::<Int64Type>().iter().enumerate() {
                if let (Some(student_key), true, true) = (student_key, contacted.is_valid(row), known.is_valid(row)) {
                    talks.of.entry(student_key).or_default().push((contacted.value(row), known.value(row)));
                }
            }
        }
        Ok(Some(talks))
    }

    /// What a query says of students on each date that is judged, by date and student.
    async fn fired(
        &self,
        context: &SessionContext,
        risk: &Risk,
        rows: &Rows,
        lists: &Lists,
        query: &(dyn Fn(i32) -> String + Sync),
    ) -> Result<HashMap<(i32, i64), f64>, Error> {
        let path = &risk.model.path;
        let key = self.graph.subject.as_ref().map_or("student_key", |it| it.key.as_str());
        let mut dates: Vec<i32> = lists.rows.iter().map(|it| rows.keys[it.0].as_of_on).collect();
        dates.dedup();
        let mut fired = HashMap::new();
        for on in dates {
            for batch in collect(context, &query(on), path).await? {
                let (keys, scores) =
                    (typed(&batch, key, DataType::Int64, path)?, typed(&batch, "score", DataType::Float64, path)?);
                let scores = scores.as_primitive::<Float64Type>();
                for (row, key) in keys.as_primitive::<Int64Type>().iter().enumerate() {
                    fired.extend(key.filter(|_| scores.is_valid(row)).map(|key| ((on, key), scores.value(row))));
                }
            }
        }
        Ok(fired)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_own_list_knows_of_talks_of_four_weeks_that_were_known_by_then() {
        let talks = Talks { of: HashMap::from([(7, vec![(72, 73), (80, 81), (95, 101), (100, 101)])]) };
        assert_eq!(talks.lately(7, 100), Some(2.0), "the talk of day 95 was entered late, that of day 100 is still to come");
        assert_eq!(talks.lately(7, 101), Some(3.0), "the oldest is four weeks ago by now");
        assert_eq!(talks.lately(7, 60), None);
        assert_eq!(talks.lately(8, 100), None);
    }
}
