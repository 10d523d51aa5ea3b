//! The model card: what a model is, what it was judged on, and what it must not be used for.
//!
//! One per version, shown to whoever sees its warnings, and to students without the subgroups' small cells. The same
//! model makes the same text, so that a card in an evidence pack can be compared byte by byte.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use crate::audit::GroupRate;
use crate::backtest::Report;
use crate::error::Error;
use crate::interval::Estimate;
use crate::metrics::Calibration;
use crate::model::Kind;

/// Everything a reader needs to judge a warning of this model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// Name and version, as warnings carry them.
    pub model_id: String,
    /// What it says, in one sentence for people.
    pub what: String,
    /// Which kind of model.
    pub kind: Kind,
    /// The label's name.
    pub label: String,
    /// What the label means, with its horizon in days.
    pub label_meaning: String,
    /// Days after the as-of day in which the event counts.
    pub horizon_days: u16,
    /// Measures it reads, each with its meaning or unit.
    pub inputs: BTreeMap<String, String>,
    /// Whom it speaks of, and whom not.
    pub cohort: String,
    /// Days it learnt from and was judged on.
    pub dates: Dates,
    /// Rows it learnt from.
    pub n_rows: u64,
    /// Of them with the outcome.
    pub n_positive: u64,
    /// Seed of the training.
    pub seed: u64,
    /// Fingerprint of the SQL behind the inputs.
    pub sql_fingerprint: String,
    /// Numbers of the backtest by name, such as `precision_at_k`; NULL where nothing can be said.
    pub metrics: BTreeMap<String, Option<f64>>,
    /// Of its probabilities, on terms it had not seen.
    pub calibration: Option<Calibration>,
    /// By attribute.
    pub groups: BTreeMap<String, Vec<GroupRate>>,
    /// Recall of all offers together, relative to what visits saw.
    #[serde(default, deserialize_with = "or_no_visits")]
    pub recall_vs_visit: SeenByVisits,
    /// It may make warnings.
    pub is_offered: bool,
    /// Why, or why not.
    pub decision: String,
    /// What it does not know and must not be used for, one sentence each.
    pub limits: Vec<String>,
}

/// What visits to rooms drawn at random said by the day of the training, of all offers together: those of one model are
/// too few to be told apart from the others.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "status")]
pub enum SeenByVisits {
    /// Nobody was met on a planned visit yet.
    #[default]
    NoVisits,
    /// 样本不足: too few were met for any statement.
    TooFew,
    /// Share with an offer, of those who want support.
    Estimated {
        /// The Monday of the figure, in days since 1970-01-01.
        as_of_on: i32,
        /// Persons who were met.
        n_seen: u64,
        /// Of them in rooms drawn at random.
        n_random: u64,
        /// The share with its 95 % interval.
        recall: Estimate,
    },
}

/// Cards of older versions say nothing here, or null.
fn or_no_visits<'a, D: Deserializer<'a>>(from: D) -> Result<SeenByVisits, D::Error> {
    Ok(Option::<SeenByVisits>::deserialize(from)?.unwrap_or_default())
}

/// Days since 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dates {
    /// First as-of day it learnt from.
    pub train_from_on: i32,
    /// Last one.
    pub train_to_on: i32,
    /// First as-of day it was judged on, if it could be judged.
    pub test_from_on: Option<i32>,
    /// Last one.
    pub test_to_on: Option<i32>,
}

impl Card {
    /// Takes over what a backtest found about a candidate; a name the report does not know changes nothing.
    pub fn judged_by(mut self, report: &Report, candidate: &str) -> Card {
        if let Some(worth) = report.candidates.iter().find(|it| it.name == candidate) {
            let metrics = [
                ("precision_at_k", worth.precision),
                ("recall_at_k", worth.recall),
                ("lift_over_random", worth.lift_over_random),
                ("lift_over_best_rule", worth.lift_over_best_rule),
                ("lift_over_floor", worth.lift_over_floor),
                ("lift_over_own_list", worth.lift_over_own_list),
                ("auroc", worth.auroc),
                ("lead_days_median", worth.lead_times.median_days),
                ("lead_share_week", worth.lead_times.share_week),
                ("budget", Some(report.budget as f64)),
                ("base_rate", worth.at_k.base_rate()),
            ];
            self.metrics.extend(metrics.map(|(name, value)| (name.to_owned(), value)));
            self.calibration = worth.calibration.clone();
            self.groups = worth.groups.clone();
        }
        if let Some(decided) = report.decisions.iter().find(|it| it.name == candidate) {
            self.is_offered = decided.is_offered;
            self.decision = decided.reason.clone();
        }
        self
    }

    /// Writes the card as JSON; the same card makes the same text.
    ///
    /// # Errors
    /// If the encoder gives up.
    pub fn to_json(&self) -> Result<String, Error> {
        serde_json::to_string_pretty(self).map_err(|source| Error::Encode { what: "model card", source: Box::new(source) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backtest::{Candidate, Config, Role, Row, backtest};
    use crate::matrix::RowKey;

    fn card() -> Card {
        Card {
            model_id: "failed_course@3".to_owned(),
            what: "Says who may fail a course this term.".to_owned(),
            kind: Kind::Boost,
            label: "failed_course".to_owned(),
            label_meaning: "Failed at least one course within 90 days.".to_owned(),
            horizon_days: 90,
            inputs: [("meals".to_owned(), "1/day".to_owned()), ("absence".to_owned(), "days".to_owned())].into(),
            cohort: "Undergraduates on campus.".to_owned(),
            dates: Dates { train_from_on: 0, train_to_on: 70, test_from_on: Some(180), test_to_on: Some(250) },
            n_rows: 100,
            n_positive: 10,
            seed: 7,
            sql_fingerprint: "ab12".to_owned(),
            metrics: BTreeMap::new(),
            calibration: None,
            groups: BTreeMap::new(),
            recall_vs_visit: SeenByVisits::TooFew,
            is_offered: false,
            decision: "not judged yet".to_owned(),
            limits: vec!["Knows nothing of students away on internships.".to_owned()],
        }
    }

    #[test]
    fn the_same_card_makes_the_same_text_and_reads_back() {
        let text = card().to_json().unwrap();
        assert_eq!(text, card().to_json().unwrap());
        assert_eq!(serde_json::from_str::<Card>(&text).unwrap(), card());
        assert!(text.find("\"absence\"").unwrap() < text.find("\"meals\"").unwrap());
    }

    #[test]
    fn what_visits_saw_stands_on_the_card_and_an_older_card_has_none() {
        let recall = Estimate { value: 0.4, low: 0.25, high: 0.6 };
        let seen = SeenByVisits::Estimated { as_of_on: 20_000, n_seen: 320, n_random: 90, recall };
        let card = Card { recall_vs_visit: seen, ..card() };
        let text = card.to_json().unwrap();
        assert_eq!(serde_json::from_str::<Card>(&text).unwrap(), card);
        let mut older: serde_json::Value = serde_json::from_str(&text).unwrap();
        let said = serde_json::json!({
            "status": "estimated", "as_of_on": 20_000, "n_seen": 320, "n_random": 90,
            "recall": { "value": 0.4, "low": 0.25, "high": 0.6 },
        });
        assert_eq!(older["recall_vs_visit"], said);
        older["recall_vs_visit"] = serde_json::Value::Null;
        let read: Card = serde_json::from_value(older.clone()).unwrap();
        assert_eq!(read.recall_vs_visit, SeenByVisits::NoVisits);
        older.as_object_mut().unwrap().remove("recall_vs_visit");
        let read: Card = serde_json::from_value(older).unwrap();
        assert_eq!(read.recall_vs_visit, SeenByVisits::NoVisits);
    }

    #[test]
    fn a_card_takes_over_numbers_and_decision_of_the_backtest() {
        let rows: Vec<Row> = (0..50)
            .map(|student_key| Row {
                key: RowKey { as_of_on: 0, student_key },
                label: student_key < 5,
                event_on: None,
                groups: Vec::new(),
            })
            .collect();
        let scores = rows.iter().map(|it| Some(-(it.key.student_key as f64))).collect();
        let model = Candidate { name: "m".to_owned(), role: Role::Model, scores, probabilities: Vec::new(), drift: Vec::new() };
        let report = backtest(&rows, &[model], &Config { budget: 10, resamples: 50, seed: 0 }).unwrap();
        let card = card().judged_by(&report, "m");
        assert_eq!(card.metrics["precision_at_k"], Some(0.5));
        assert_eq!(card.metrics["recall_at_k"], Some(1.0));
        assert!(!card.is_offered && card.decision.contains("nothing to compare with"), "{}", card.decision);
    }
}
