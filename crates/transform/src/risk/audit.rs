//! Whether the lists of risk models treat groups of students alike. Groups are attributes of the cohort, never inputs.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Date32Type, Int64Type};
use datafusion::prelude::SessionContext;
use warning::audit::{Decision, GroupRate, Rate, Verdict};
use warning::{Fate, RowKey};

use super::Risk;
use super::rows::{collect, typed};
use crate::Error;
use crate::build::{Builder, date};
use crate::node::Node;

/// Seed of the intervals: the same lists have the same ones.
const SEED: u64 = 1;

/// Word of a rate in tables and JSON.
pub(crate) fn word(rate: Rate) -> &'static str {
    match rate {
        Rate::FalsePositive => "false_positive",
        Rate::FalseNegative => "false_negative",
        Rate::Precision => "precision",
        Rate::Selection => "selection",
    }
}

impl Builder<'_> {
    /// Rates of groups over the lists of the last weeks, in the columns of `model_audit`.
    ///
    /// Who was listed is known at once; how right that was is told by lists whose outcomes are known by the date.
    pub(crate) async fn audits(&self, node: &Node, context: &SessionContext, as_of_on: i32) -> Result<RecordBatch, Error> {
        let mut found: Vec<(String, String, GroupRate)> = Vec::new();
        let rules = &self.config.warning.model;
        for risk in &self.graph.risks {
            let fail = |source| Error::Model { model: risk.name().to_owned(), source };
            let listed = self.listed(context, risk, as_of_on - 7 * rules.audit_weeks, as_of_on).await?;
            if listed.is_empty() {
                continue;
            }
            let outcomes = self.outcomes_beside_help(context, risk, as_of_on).await?;
            for (attribute, groups) in self.groups(context, risk, &listed).await? {
                let mut selected = Vec::new();
                let mut judged = Vec::new();
                for (key, is_listed) in &listed {
                    let Some(group) = groups.get(key) else { continue };
                    let decision =
                        |label| Decision { student_key: key.student_key, group: group.clone(), is_listed: *is_listed, label };
                    selected.push(decision(false));
                    let is_known = risk.horizon.known_on(key.as_of_on) < as_of_on;
                    if let (true, Fate::Labelled(label)) = (is_known, warning::fate(&outcomes.history(*key), risk.horizon)) {
                        judged.push(decision(label));
                    }
                }
                for (decisions, is_judged) in [(selected, false), (judged, true)] {
                    let rates = warning::audit(&decisions, rules.resamples.max(1), SEED).map_err(fail)?;
                    let rates = rates.into_iter().filter(|it| (it.rate != Rate::Selection) == is_judged);
                    found.extend(rates.map(|it| (risk.name().to_owned(), attribute.clone(), it)));
                }
            }
        }
        let figures = |it: &GroupRate| match it.verdict {
            Verdict::Compared { value, value_low, value_high, ratio, .. } => {
                [Some(value), value_low, value_high, Some(ratio.value), Some(ratio.low), Some(ratio.high)]
            }
            Verdict::TooFew => [None; 6],
        };
        let is_flagged = |it: &GroupRate| match it.verdict {
            Verdict::Compared { is_flagged, .. } => Some(is_flagged),
            Verdict::TooFew => None,
        };
        let text = |of: &dyn Fn(&(String, String, GroupRate)) -> String| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(found.iter().map(of)))
        };
        let count = |of: fn(&GroupRate) -> u64| -> ArrayRef {
            Arc::new(Int64Array::from_iter_values(found.iter().map(|it| of(&it.2) as i64)))
        };
        let figure = |at: usize| -> ArrayRef { Arc::new(Float64Array::from_iter(found.iter().map(|it| figures(&it.2)[at]))) };
        let columns: Vec<ArrayRef> = vec![
            text(&|it| it.0.clone()),
            text(&|it| it.1.clone()),
            text(&|it| it.2.group.clone()),
            text(&|it| word(it.2.rate).to_owned()),
            count(|it| it.n_rows),
            count(|it| it.n_students),
            figure(0),
            figure(1),
            figure(2),
            figure(3),
            figure(4),
            figure(5),
            Arc::new(BooleanArray::from_iter(found.iter().map(|it| is_flagged(&it.2)))),
        ];
        self.stored(node, columns)
    }

    /// Who was scored on the Mondays of some weeks, and on the date itself, and whether they were listed.
    async fn listed(&self, context: &SessionContext, risk: &Risk, from: i32, to: i32) -> Result<BTreeMap<RowKey, bool>, Error> {
        let path = &risk.model.path;
        let key = self.graph.subject.as_ref().map_or("student_key", |it| it.key.as_str());
        let sql = format!(
            "SELECT as_of_on, {key}, is_listed FROM risk_score WHERE model = '{}' AND as_of_on > {} AND as_of_on <= {}",
            risk.name(),
            date(from),
            date(to)
        );
        let mut listed = BTreeMap::new();
        for batch in collect(context, &sql, path).await? {
            let (days, keys) = (typed(&batch, "as_of_on", DataType::Date32, path)?, typed(&batch, key, DataType::Int64, path)?);
            let flags = typed(&batch, "is_listed", DataType::Boolean, path)?;
            let (days, keys) = (days.as_primitive::<Date32Type>(), keys.as_primitive::<Int64Type>());
            for row in 0..batch.num_rows() {
                let as_of_on = days.value(row);
                // A list is a week's: the nights between show the same students again.
                if as_of_on == to || (as_of_on - 4).rem_euclid(7) == 0 {
                    listed.insert(RowKey { as_of_on, student_key: keys.value(row) }, flags.as_boolean().value(row));
                }
            }
        }
        Ok(listed)
    }

    /// By attribute the group of every row.
    async fn groups(
        &self,
        context: &SessionContext,
        risk: &Risk,
        listed: &BTreeMap<RowKey, bool>,
    ) -> Result<BTreeMap<String, HashMap<RowKey, String>>, Error> {
        let path = &risk.model.path;
        let key = self.graph.subject.as_ref().map_or("student_key", |it| it.key.as_str());
        let cohort = risk.cohort();
        let fields = self.schemas[&cohort].fields();
        let names = fields.iter().map(|it| it.name().clone());
        let attributes: Vec<String> = names.filter(|it| ![key, "place", "as_of_on"].contains(&it.as_str())).collect();
        let mut groups: BTreeMap<String, HashMap<RowKey, String>> =
            attributes.iter().map(|it| (it.clone(), HashMap::new())).collect();
        let days: BTreeSet<i32> = listed.keys().map(|it| it.as_of_on).collect();
        for as_of_on in days {
            let sql = format!("SELECT * FROM {cohort} WHERE as_of_on = {}", date(as_of_on));
            for batch in collect(context, &sql, path).await? {
                let keys = typed(&batch, key, DataType::Int64, path)?;
                for (name, of) in &mut groups {
                    let words = typed(&batch, name, DataType::Utf8, path)?;
                    let words = words.as_string::<i32>();
                    for (row, student_key) in keys.as_primitive::<Int64Type>().iter().enumerate() {
                        if let (Some(student_key), true) = (student_key, words.is_valid(row)) {
                            of.insert(RowKey { as_of_on, student_key }, words.value(row).to_owned());
                        }
                    }
                }
            }
        }
        Ok(groups)
    }
}
