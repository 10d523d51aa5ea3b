//! Risk models: what a file asks for, held against what may be asked at all.
//!
//! In come files of the kinds `label` and `risk`; out come definitions that training, backtest and nightly scoring share.
//! What may be neither label nor input is refused here, by name, before a single row is read.

mod audit;
mod kept;
mod nodes;
mod rows;
mod said;
mod score;
mod state;
mod train;
mod walk;

use std::collections::{BTreeMap, BTreeSet};

use schema::{Class, Kind, LABEL_PREFIX, Model, RiskKind, nearest};
use warning::Horizon;

use crate::Error;
use crate::graph::{columns_of, tables_of};
use crate::node::Node;

pub(crate) use nodes::{AUDITED, BACKTESTS, DRIFTED, SCORED, VERSIONS, cohort, generated};
pub(crate) use rows::{collect, typed};
pub use score::{Scored, rescored};
pub use state::ModelState;
pub use train::{Backtested, Trained};

/// A risk model as its file and its label's file say it.
#[derive(Debug, Clone)]
pub struct Risk {
    /// The risk model's file.
    pub model: Model,
    /// The label's file.
    pub label: Model,
    /// What it reads, by name and in that order.
    pub inputs: Vec<Input>,
    /// How far ahead the outcome counts, and how late it is known.
    pub horizon: Horizon,
}

/// An input: a measure, or its distance from the own past or the peers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// As the file writes it.
    pub name: String,
    /// The measure.
    pub measure: String,
    /// Column of `feat_measure`.
    pub column: &'static str,
}

impl Input {
    fn read(name: &str) -> Self {
        for column in ["z_self", "z_peer"] {
            if let Some(measure) = name.strip_suffix(column).and_then(|it| it.strip_suffix('.')) {
                return Self { name: name.to_owned(), measure: measure.to_owned(), column };
            }
        }
        Self { name: name.to_owned(), measure: name.to_owned(), column: "value" }
    }
}

impl Risk {
    /// Name of the model: its file's stem.
    pub fn name(&self) -> &str {
        &self.model.name
    }

    /// The table of its cohort.
    pub(crate) fn cohort(&self) -> String {
        cohort_table(self.name())
    }

    pub(crate) fn kinds(&self) -> Vec<warning::Kind> {
        let kind = |it: &RiskKind| match it {
            RiskKind::Logistic => warning::Kind::Logistic,
            RiskKind::Forest => warning::Kind::Forest,
            RiskKind::Boost => warning::Kind::Boost,
        };
        self.model.front.candidates.iter().map(kind).collect()
    }

    pub(crate) fn features(&self) -> Vec<String> {
        self.inputs.iter().map(|it| it.name.clone()).collect()
    }
}

/// The table with the cohort of a risk model.
pub(crate) fn cohort_table(name: &str) -> String {
    format!("risk_{name}")
}

/// The risk models of a project, each held against its label and its inputs.
///
/// `nodes` are the tables with their inputs, so that what a measure is made of is looked at too.
pub(crate) fn definitions(models: &[Model], nodes: &BTreeMap<String, Node>) -> Result<Vec<Risk>, Error> {
    let of_kind = |kind: Kind| models.iter().filter(move |it| it.front.kind == kind);
    let labels: BTreeMap<&str, &Model> = of_kind(Kind::Label).map(|it| (it.name.as_str(), it)).collect();
    let measures: BTreeMap<&str, &Model> = of_kind(Kind::Measure).map(|it| (it.name.as_str(), it)).collect();
    for label in labels.values() {
        let what = format!("label \"{}\"", label.name);
        refuse_sensitive(label, &what, &bare(&label.name), nodes)?;
    }
    let found: BTreeSet<&str> = of_kind(Kind::Rule).chain(of_kind(Kind::Trend)).map(|it| it.name.as_str()).collect();
    let mut risks = Vec::new();
    for model in of_kind(Kind::Risk) {
        let front = &model.front;
        let refuse = |message: String| Error::Refused { path: model.path.clone(), message };
        let wanted = front.label.clone().unwrap_or_default();
        // A forbidden word is the first thing that is said, whether or not there is such a file.
        sensitive(&[bare(&wanted)]).map_err(|it| refuse(it.to_string()))?;
        let label = *labels.get(wanted.as_str()).ok_or_else(|| {
            let hint = nearest(&wanted, labels.keys().copied()).map(|it| format!("; did you mean \"{it}\"?"));
            refuse(format!("there is no label \"{wanted}\"{}", hint.unwrap_or_default()))
        })?;
        if found.contains(model.name.as_str()) {
            return Err(refuse("a rule or trend has the same name: offers could not tell them apart".to_owned()));
        }
        sensitive(std::slice::from_ref(&model.name)).map_err(|it| refuse(it.to_string()))?;
        let mut inputs: Vec<Input> = front.inputs.iter().map(|it| Input::read(it)).collect();
        inputs.sort_by(|a, b| a.name.cmp(&b.name));
        for input in &inputs {
            sensitive(std::slice::from_ref(&input.measure)).map_err(|it| refuse(it.to_string()))?;
            let measure = *measures.get(input.measure.as_str()).ok_or_else(|| {
                let hint = nearest(&input.measure, measures.keys().copied()).map(|it| format!("; did you mean \"{it}\"?"));
                refuse(format!("there is no measure \"{}\"{}", input.measure, hint.unwrap_or_default()))
            })?;
            if measure.front.class == Some(Class::Closed) {
                return Err(refuse(format!(
                    "input \"{}\" is closed: what psychology or the aid centre works with is no input",
                    input.name
                )));
            }
            let what = format!("input \"{}\" of {}", input.name, model.path);
            refuse_sensitive(measure, &what, &measure.name, nodes)?;
        }
        if let Some(pair) = inputs.windows(2).find(|it| it[0].name == it[1].name) {
            return Err(refuse(format!("input \"{}\" is named twice", pair[0].name)));
        }
        let of_label: Vec<String> = tables_of(&label.query(), &label.path)?.into_iter().collect();
        let features: Vec<String> = inputs.iter().map(|it| it.measure.clone()).collect();
        warning::refuse_leaks(&features, &bare(&label.name), &of_label).map_err(|it| refuse(it.to_string()))?;
        for baseline in &front.baselines {
            let of_input = baseline.strip_prefix("low:").or_else(|| baseline.strip_prefix("high:"));
            let is_found = || found.contains(baseline.as_str()) || of_table(baseline).is_some_and(|it| nodes.contains_key(it.0));
            let is_there = of_input.map_or_else(is_found, |it| inputs.iter().any(|input| input.name == it));
            if !is_there {
                return Err(refuse(format!(
                    "baseline \"{baseline}\" is neither a rule or trend, nor low: or high: with an input of the model, nor a table with its column as table.column"
                )));
            }
        }
        for (setting, table) in [("own_list", &front.own_list), ("censor_by", &front.censor_by)] {
            if let Some(table) = table.as_ref().filter(|it| !nodes.contains_key(*it)) {
                return Err(refuse(format!("{setting} names \"{table}\", and there is no such table")));
            }
        }
        let days = |own: Option<schema::Span>, of_label: Option<schema::Span>| {
            u16::try_from(own.or(of_label).map_or(0, schema::Span::days))
                .map_err(|_| refuse("horizon and gap are at most 65535 days".to_owned()))
        };
        let horizon =
            Horizon { days: days(front.horizon, label.front.horizon)?, label_delay_days: days(front.gap, label.front.gap)? };
        risks.push(Risk { model: model.clone(), label: label.clone(), inputs, horizon });
    }
    Ok(risks)
}

/// Table and column of a baseline that is neither rule nor input.
pub(crate) fn of_table(baseline: &str) -> Option<(&str, &str)> {
    baseline.split_once('.').filter(|(table, column)| !table.contains(':') && !column.contains('.'))
}

/// A table's name without the prefix that says who writes it.
fn bare(table: &str) -> String {
    let prefixes = ["raw_", "dup_", "stg_", "int_", "dim_", "fct_", LABEL_PREFIX];
    prefixes.iter().find_map(|it| table.strip_prefix(it)).unwrap_or(table).to_owned()
}

fn sensitive(names: &[String]) -> Result<(), warning::Error> {
    warning::refuse_sensitive(names)
}

/// Refuses a file by its name, the columns that it names, and every table that it is made of, near or far.
fn refuse_sensitive(model: &Model, what: &str, name: &str, nodes: &BTreeMap<String, Node>) -> Result<(), Error> {
    let refuse = |it: warning::Error, of: &str| Error::Refused { path: model.path.clone(), message: format!("{what}{of}: {it}") };
    sensitive(&[name.to_owned()]).map_err(|it| refuse(it, ""))?;
    for column in columns_of(&model.query(), &model.path)? {
        sensitive(&[bare(&column)]).map_err(|it| refuse(it, ", by a column"))?;
    }
    let mut open: Vec<String> = tables_of(&model.query(), &model.path)?.into_iter().collect();
    let mut seen = BTreeSet::new();
    while let Some(table) = open.pop() {
        if seen.insert(table.clone()) {
            sensitive(&[bare(&table)]).map_err(|it| refuse(it, ", by a table that it is made of"))?;
            open.extend(nodes.get(&table).into_iter().flat_map(|it| it.inputs.iter().cloned()));
        }
    }
    Ok(())
}
