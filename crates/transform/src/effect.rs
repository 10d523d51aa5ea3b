//! `model_effect`: whether following offers up helped, by what is known as of each Monday.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Date32Type, Float64Type, Int64Type};
use datafusion::prelude::SessionContext;
use schema::{Cadence, Class, Subject};
use warning::effect::{Effect, Verdict};
use warning::{Followed, RowKey};

use crate::Error;
use crate::build::Builder;
use crate::issued::{as_of, column};
use crate::node::{Node, Origin};
use crate::planned::Columns;
use crate::risk::{collect, typed};

/// The table, and the view with one row a student that it is made of.
pub(crate) const EFFECT: &str = "model_effect";
pub(crate) const FOLLOWED: &str = "closed_offer_followed";

/// Counts of care below this are not told (`k_sensitive`).
const TOLD_MIN: u64 = 10;

/// What is known of a student on the day of the finding.
const FEATURES: [&str; 5] = ["rules_n", "channels_n", "strength", "is_trend", "days_since"];

pub(crate) const COLUMNS: &Columns = &[
    ("verdict", DataType::Utf8),
    ("lift", DataType::Float64),
    ("lift_low", DataType::Float64),
    ("lift_high", DataType::Float64),
    ("students_n", DataType::Int64),
    ("contacted_n", DataType::Int64),
    ("matched_n", DataType::Int64),
    ("match_rate", DataType::Float64),
    ("similarity", DataType::Float64),
    ("doubts", DataType::Utf8),
];

pub(crate) fn node(subject: &Subject) -> Node {
    let about = "Whether following offers up helped, by pairs of students alike of whom one was spoken with (跟进效果): is a change found four weeks later. Counts of care below ten are not told.";
    let mut node = as_of(EFFECT, about, &subject.key, &["verdict"], String::new(), Origin::Effect);
    node.kind = "table".to_owned();
    node.subject = None;
    node.cadence = Cadence::Week;
    node.purpose = vec!["evaluation".to_owned()];
    node.inputs = vec![FOLLOWED.to_owned()];
    let words = [
        ("verdict", "too_few, no_effect, less or more: whether a change is found less or more often after a contact."),
        ("lift", "(Found - predicted) of the contacted minus that of their partners, a share; negative is fewer."),
        ("lift_low", "Lower end of its 99 % interval."),
        ("lift_high", "Upper end of its 99 % interval."),
        ("students_n", "Students whose weeks had changed."),
        ("contacted_n", "Of them, those with whom somebody spoke within two weeks."),
        ("matched_n", "Of these, those with a partner alike."),
        ("match_rate", "Share of the contacted with a partner."),
        ("similarity", "Overlap of both groups after matching, 0 to 1."),
        ("doubts", "Reasons to doubt it, comma-separated: few_students, few_matches, not_alike, too_good."),
        ("as_of_on", "As-of date."),
    ];
    node.columns = BTreeMap::from(words.map(|(name, about)| (name.to_owned(), column(about, Class::Internal))));
    node
}

/// Students whose weeks had changed, and what can be said of following up.
#[derive(Debug, Clone, PartialEq)]
pub struct FollowedUp {
    /// Students.
    pub students_n: usize,
    /// Of them, those with whom somebody spoke soon.
    pub contacted_n: usize,
    /// None where there is too little to learn from.
    pub effect: Option<Effect>,
}

impl Builder<'_> {
    /// Whether following offers up helped, by all that is known as of a date; `None` where casework is no source.
    ///
    /// # Errors
    /// If the lake cannot be read.
    pub async fn effect(&self, as_of_on: i32) -> Result<Option<FollowedUp>, Error> {
        let Some(node) = self.graph.node(EFFECT) else { return Ok(None) };
        let context = self.context(&format!("SELECT * FROM {FOLLOWED}"), &node.path, as_of_on).await?;
        self.followed_up(node, &context).await.map(Some)
    }

    async fn followed_up(&self, node: &Node, context: &SessionContext) -> Result<FollowedUp, Error> {
        let key = self.graph.subject.as_ref().map_or("student_key", |it| it.key.as_str());
        let mut followed = Vec::new();
        for batch in collect(context, &format!("SELECT * FROM {FOLLOWED} ORDER BY found_on, {key}"), &node.path).await? {
            let column = |name: &str, of: DataType| typed(&batch, name, of, &node.path);
            let (keys, days) = (column(key, DataType::Int64)?, column("found_on", DataType::Date32)?);
            let (contacted, found) = (column("is_contacted", DataType::Boolean)?, column("is_found", DataType::Boolean)?);
            let numbers: Vec<ArrayRef> = FEATURES.iter().map(|it| column(it, DataType::Float64)).collect::<Result<_, _>>()?;
            let number = |of: &ArrayRef, row: usize| {
                let of = of.as_primitive::<Float64Type>();
                if of.is_valid(row) { of.value(row) } else { f64::NAN }
            };
            followed.extend((0..batch.num_rows()).map(|row| Followed {
                key: RowKey {
                    as_of_on: days.as_primitive::<Date32Type>().value(row),
                    student_key: keys.as_primitive::<Int64Type>().value(row),
                },
                features: numbers.iter().map(|it| number(it, row)).collect(),
                is_contacted: contacted.as_boolean().value(row),
                is_found: found.as_boolean().value(row),
            }));
        }
        let effect = warning::followed(&FEATURES.map(str::to_owned), &followed)
            .map_err(|source| Error::Model { model: EFFECT.to_owned(), source })?;
        let contacted_n = followed.iter().filter(|it| it.is_contacted).count();
        Ok(FollowedUp { students_n: followed.len(), contacted_n, effect })
    }

    /// The one row of a Monday, in the columns of `model_effect`.
    pub(crate) async fn effects(&self, node: &Node, context: &SessionContext) -> Result<RecordBatch, Error> {
        let it = self.followed_up(node, context).await?;
        // Of a handful of pairs nothing is told: the figures would be about them.
        let told = it.effect.as_ref().filter(|it| TOLD_MIN <= it.n_matched);
        let verdict = told.map_or(Verdict::TooFew, |it| it.verdict);
        let doubts = told.map(|it| it.doubts.iter().map(word).collect::<Vec<_>>().join(",")).unwrap_or_default();
        let figure = |it: Option<f64>| -> ArrayRef { Arc::new(Float64Array::from(vec![it])) };
        let count = |it: u64| -> ArrayRef { Arc::new(Int64Array::from(vec![Some(it as i64).filter(|_| TOLD_MIN <= it)])) };
        let text = |it: String| -> ArrayRef { Arc::new(StringArray::from(vec![it])) };
        let lift = told.and_then(|it| it.lift);
        let columns = vec![
            text(word(&verdict)),
            figure(lift.map(|it| it.value)),
            figure(lift.map(|it| it.low)),
            figure(lift.map(|it| it.high)),
            count(it.students_n as u64),
            count(it.contacted_n as u64),
            count(told.map_or(0, |it| it.n_matched)),
            figure(told.and_then(|it| it.match_rate)),
            figure(told.and_then(|it| it.similarity)),
            text(doubts),
        ];
        self.stored(node, columns)
    }
}

/// The word of a verdict or doubt, as JSON has it.
fn word(it: &impl serde::Serialize) -> String {
    serde_json::to_value(it).ok().and_then(|it| it.as_str().map(str::to_owned)).unwrap_or_default()
}
