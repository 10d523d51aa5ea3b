//! `model_visit`: whom the offers found and missed, relative to what visits to rooms drawn at random saw, as of each Monday.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Date32Type, Float64Type, Int64Type};
use datafusion::prelude::SessionContext;
use schema::{Cadence, Class, Subject};
use warning::visit::{Frame, RecallVsVisit, Seen};
use warning::{Estimate, SeenByVisits};

use crate::Error;
use crate::build::{Builder, date};
use crate::issued::{as_of, column};
use crate::node::{Node, Origin};
use crate::planned::Columns;
use crate::risk::{collect, typed};

/// The table, and the views with who was met and who could have been.
pub(crate) const VISIT: &str = "model_visit";
pub(crate) const SEEN: [&str; 2] = ["closed_visit_seen", "closed_visit_frame"];

/// Figures of care about fewer are not told (`k_sensitive`).
const TOLD_MIN: u64 = 10;

const FIGURES: [&str; 4] = ["prevalence", "ppv", "recall", "missed"];

pub(crate) const COLUMNS: &Columns = &[
    ("status", DataType::Utf8),
    ("seen_n", DataType::Int64),
    ("random_n", DataType::Int64),
    ("prevalence", DataType::Float64),
    ("prevalence_low", DataType::Float64),
    ("prevalence_high", DataType::Float64),
    ("ppv", DataType::Float64),
    ("ppv_low", DataType::Float64),
    ("ppv_high", DataType::Float64),
    ("recall", DataType::Float64),
    ("recall_low", DataType::Float64),
    ("recall_high", DataType::Float64),
    ("missed", DataType::Float64),
    ("missed_low", DataType::Float64),
    ("missed_high", DataType::Float64),
];

pub(crate) fn node(subject: &Subject) -> Node {
    let about = "Whom offers found and missed, relative to what visits to rooms drawn at random saw (相对走访所见召回). A visit is no clinical assessment. Below sixty met in drawn rooms, or ten who want support, nothing is told.";
    let mut node = as_of(VISIT, about, &subject.key, &["status"], String::new(), Origin::Visits);
    node.kind = "table".to_owned();
    node.subject = None;
    node.cadence = Cadence::Week;
    node.purpose = vec!["evaluation".to_owned()];
    node.inputs = SEEN.map(str::to_owned).to_vec();
    let mut words = vec![
        ("status".to_owned(), "no_visits, too_few or estimated.".to_owned()),
        ("seen_n".to_owned(), "Persons who were met.".to_owned()),
        ("random_n".to_owned(), "Of them, those in rooms drawn at random.".to_owned()),
        ("as_of_on".to_owned(), "As-of date.".to_owned()),
    ];
    for (name, about) in FIGURES.iter().zip([
        "Share who want support",
        "Share who want support, of those with an offer",
        "Share with an offer, of those who want support",
        "Share who want support, of those without an offer",
    ]) {
        words.push(((*name).to_owned(), format!("{about}; relative to what visits see.")));
        words.push((format!("{name}_low"), "Lower end of its 95 % interval.".to_owned()));
        words.push((format!("{name}_high"), "Upper end of its 95 % interval.".to_owned()));
    }
    node.columns = words.into_iter().map(|(name, about)| (name, column(&about, Class::Internal))).collect::<BTreeMap<_, _>>();
    node
}

impl Builder<'_> {
    /// The one row of a Monday, in the columns of `model_visit`.
    pub(crate) async fn visits(&self, node: &Node, context: &SessionContext) -> Result<RecordBatch, Error> {
        let path = &node.path;
        let sql = "SELECT CAST(dense_rank() OVER (ORDER BY plan_on, counselor_key) AS BIGINT) AS plan_no, \
                   CAST(dense_rank() OVER (ORDER BY room_id) AS BIGINT) AS room_no, probability, is_warned, is_support_needed \
                   FROM closed_visit_seen ORDER BY plan_on, counselor_key, student_key";
        let mut seen = Vec::new();
        for batch in collect(context, sql, path).await? {
            let column = |name: &str, of: DataType| typed(&batch, name, of, path);
            let (plans, rooms) = (column("plan_no", DataType::Int64)?, column("room_no", DataType::Int64)?);
            let probabilities = column("probability", DataType::Float64)?;
            let (warned, need) = (column("is_warned", DataType::Boolean)?, column("is_support_needed", DataType::Boolean)?);
            let key = |of: &ArrayRef, row: usize| of.as_primitive::<Int64Type>().value(row);
            seen.extend((0..batch.num_rows()).map(|row| Seen {
                plan_key: key(&plans, row),
                room_key: key(&rooms, row),
                probability: probabilities.as_primitive::<Float64Type>().value(row),
                is_warned: warned.as_boolean().value(row),
                is_in_need: need.as_boolean().is_valid(row) && need.as_boolean().value(row),
            }));
        }
        // A plan that nobody followed says nothing about its rooms, so its residents are no part of the whole.
        let sql = "SELECT coalesce(sum(frame.warned_n), 0) AS warned_n, coalesce(sum(frame.not_warned_n), 0) AS not_warned_n \
                   FROM closed_visit_frame AS frame \
                   INNER JOIN (SELECT DISTINCT plan_on, counselor_key FROM closed_visit_seen) AS followed \
                   ON followed.plan_on = frame.as_of_on AND followed.counselor_key = frame.counselor_key";
        let mut frame = Frame { n_warned: 0, n_not_warned: 0 };
        for batch in collect(context, sql, path).await? {
            for (name, into) in [("warned_n", &mut frame.n_warned), ("not_warned_n", &mut frame.n_not_warned)] {
                let n = typed(&batch, name, DataType::Int64, path)?;
                *into += n.as_primitive::<Int64Type>().iter().flatten().sum::<i64>().cast_unsigned();
            }
        }
        let found = warning::recall_vs_visit(&seen, frame).map_err(|source| Error::Model { model: VISIT.to_owned(), source })?;
        let in_need = seen.iter().filter(|it| it.is_in_need).count() as u64;
        let told = match found {
            RecallVsVisit::Estimated { prevalence, ppv, recall, missed, n_seen, n_random } if TOLD_MIN <= in_need => {
                Some(([prevalence, ppv, recall, missed], n_seen, n_random))
            }
            _ => None,
        };
        let figure = |it: Option<f64>| -> ArrayRef { Arc::new(Float64Array::from(vec![it])) };
        let count = |it: Option<u64>| -> ArrayRef { Arc::new(Int64Array::from(vec![it.map(u64::cast_signed)])) };
        let status = match told {
            Some(_) => "estimated",
            None if seen.is_empty() => "no_visits",
            None => "too_few",
        };
        let mut columns: Vec<ArrayRef> =
            vec![Arc::new(StringArray::from(vec![status])), count(told.map(|it| it.1)), count(told.map(|it| it.2))];
        for place in 0..FIGURES.len() {
            let of = |part: fn(Estimate) -> f64| figure(told.map(|it| part(it.0[place])));
            columns.extend([of(|it| it.value), of(|it| it.low), of(|it| it.high)]);
        }
        self.stored(node, columns)
    }

    /// What the newest Monday by a date says, for the card of a model that is trained as of then.
    pub(crate) async fn seen_by_visits(&self, as_of_on: i32) -> Result<SeenByVisits, Error> {
        if self.graph.node(VISIT).is_none() {
            return Ok(SeenByVisits::NoVisits);
        }
        let context = self.stored_context(&[VISIT]).await?;
        let sql = format!("SELECT * FROM {VISIT} WHERE as_of_on <= {} ORDER BY as_of_on DESC LIMIT 1", date(as_of_on));
        let found = collect(&context, &sql, VISIT).await?;
        found.iter().find(|it| 0 < it.num_rows()).map_or(Ok(SeenByVisits::NoVisits), on_card)
    }
}

/// The first row of `model_visit` as it stands on a card.
fn on_card(rows: &RecordBatch) -> Result<SeenByVisits, Error> {
    let status = typed(rows, "status", DataType::Utf8, VISIT)?;
    match status.as_string::<i32>().value(0) {
        "no_visits" => return Ok(SeenByVisits::NoVisits),
        "estimated" => {}
        _ => return Ok(SeenByVisits::TooFew),
    }
    let share = |name: &str| Ok::<_, Error>(typed(rows, name, DataType::Float64, VISIT)?.as_primitive::<Float64Type>().value(0));
    let count = |name: &str| {
        let found = typed(rows, name, DataType::Int64, VISIT)?;
        Ok::<_, Error>(found.as_primitive::<Int64Type>().value(0).cast_unsigned())
    };
    Ok(SeenByVisits::Estimated {
        as_of_on: typed(rows, "as_of_on", DataType::Date32, VISIT)?.as_primitive::<Date32Type>().value(0),
        n_seen: count("seen_n")?,
        n_random: count("random_n")?,
        recall: Estimate { value: share("recall")?, low: share("recall_low")?, high: share("recall_high")? },
    })
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::Date32Array;

    use super::*;

    fn row(status: &str, n: Option<i64>, shares: [Option<f64>; 3]) -> RecordBatch {
        let share = |it: Option<f64>| -> ArrayRef { Arc::new(Float64Array::from(vec![it])) };
        let count = |it: Option<i64>| -> ArrayRef { Arc::new(Int64Array::from(vec![it])) };
        let on: ArrayRef = Arc::new(Date32Array::from(vec![20_000]));
        let status: ArrayRef = Arc::new(StringArray::from(vec![status]));
        RecordBatch::try_from_iter_with_nullable([
            ("as_of_on", on, true),
            ("status", status, true),
            ("seen_n", count(n), true),
            ("random_n", count(n.map(|it| it / 4)), true),
            ("recall", share(shares[0]), true),
            ("recall_low", share(shares[1]), true),
            ("recall_high", share(shares[2]), true),
        ])
        .unwrap()
    }

    #[test]
    fn a_card_says_what_the_newest_monday_says_and_no_figure_where_there_is_none() {
        let said = on_card(&row("estimated", Some(320), [Some(0.4), Some(0.25), Some(0.6)])).unwrap();
        let recall = Estimate { value: 0.4, low: 0.25, high: 0.6 };
        assert_eq!(said, SeenByVisits::Estimated { as_of_on: 20_000, n_seen: 320, n_random: 80, recall });
        assert_eq!(on_card(&row("too_few", None, [None; 3])).unwrap(), SeenByVisits::TooFew);
        assert_eq!(on_card(&row("no_visits", None, [None; 3])).unwrap(), SeenByVisits::NoVisits);
    }
}
