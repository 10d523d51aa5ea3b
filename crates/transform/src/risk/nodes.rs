//! The tables that risk models fill: versions and backtests, drift, scores, audit.

use std::collections::BTreeSet;

use datafusion::arrow::datatypes::DataType;
use schema::{Cadence, Class, Materialized, Model, Subject};

use crate::issued::{as_of, column};
use crate::node::{Node, Origin};
use crate::planned::Columns;

/// `model_version`: one row a trained model, kept for as long as an offer of it stands.
pub(crate) const VERSIONS: &Columns = &[
    ("model", DataType::Utf8),
    ("version", DataType::Utf8),
    ("kind", DataType::Utf8),
    ("label", DataType::Utf8),
    ("trained_on", DataType::Date32),
    ("known_at", DataType::Null),
    ("n_rows", DataType::Int64),
    ("n_positive", DataType::Int64),
    ("budget", DataType::Int64),
    ("is_offered", DataType::Boolean),
    ("reason_zh", DataType::Utf8),
    ("reason_en", DataType::Utf8),
    ("card", DataType::Utf8),
    ("hash", DataType::Utf8),
    ("bytes", DataType::Utf8),
    ("calibration", DataType::Utf8),
    ("reference", DataType::Utf8),
];

/// `model_backtest`: one row a backtest.
pub(crate) const BACKTESTS: &Columns = &[
    ("model", DataType::Utf8),
    ("judged_on", DataType::Date32),
    ("known_at", DataType::Null),
    ("chosen", DataType::Utf8),
    ("report", DataType::Utf8),
    ("subgroups", DataType::Utf8),
];

/// `model_drift`: how far each input has moved.
pub(crate) const DRIFTED: &Columns = &[
    ("model", DataType::Utf8),
    ("version", DataType::Utf8),
    ("input", DataType::Utf8),
    ("known_before", DataType::Float64),
    ("known_now", DataType::Float64),
    ("coverage_psi", DataType::Float64),
    ("value_psi", DataType::Float64),
    ("level", DataType::Utf8),
    ("is_coverage", DataType::Boolean),
];

/// `risk_score`: every student of a cohort.
pub(crate) const SCORED: &Columns = &[
    ("", DataType::Int64),
    ("model", DataType::Utf8),
    ("version", DataType::Utf8),
    ("score", DataType::Float64),
    ("probability", DataType::Float64),
    ("base_rate", DataType::Float64),
    ("known_n", DataType::Int64),
    ("is_listed", DataType::Boolean),
    ("is_offered", DataType::Boolean),
    ("contributions", DataType::Utf8),
    ("input", DataType::Utf8),
    ("reason_zh", DataType::Utf8),
    ("reason_en", DataType::Utf8),
];

/// `model_audit`: rates of groups.
pub(crate) const AUDITED: &Columns = &[
    ("model", DataType::Utf8),
    ("attribute", DataType::Utf8),
    ("subgroup", DataType::Utf8),
    ("rate", DataType::Utf8),
    ("n_rows", DataType::Int64),
    ("n_students", DataType::Int64),
    ("value", DataType::Float64),
    ("value_low", DataType::Float64),
    ("value_high", DataType::Float64),
    ("ratio", DataType::Float64),
    ("ratio_low", DataType::Float64),
    ("ratio_high", DataType::Float64),
    ("is_flagged", DataType::Boolean),
];

/// The cohort of a risk model as a table: its query, under a name that nothing else can have.
pub(crate) fn cohort(model: &Model, subject: &Subject) -> Node {
    let mut node = Node::of_model(model);
    node.name = super::cohort_table(&model.name);
    node.grain = vec![subject.key.clone()];
    node.subject = Some(subject.key.clone());
    node
}

/// The tables that risk models fill; none without a risk model.
pub(crate) fn generated(risks: &[&Model], labels: Vec<String>, subject: Option<&Subject>) -> Vec<Node> {
    let Some(subject) = subject.filter(|_| !risks.is_empty()) else { return Vec::new() };
    let cohorts: Vec<String> = risks.iter().map(|it| super::cohort_table(&it.name)).collect();
    let named = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
    let internal = |node: &mut Node, words: &[(&str, &str)]| {
        node.kind = "risk".to_owned();
        node.purpose = vec!["trend_warning".to_owned(), "evaluation".to_owned()];
        node.columns = words.iter().map(|(name, about)| ((*name).to_owned(), column(about, Class::Internal))).collect();
    };

    let about = "Every version of a risk model: what it learnt from, how it was judged, the model itself (模型版本).";
    let mut versions = as_of("model_version", about, "", &["model", "version"], String::new(), Origin::Kept);
    internal(
        &mut versions,
        &[
            ("model", "File in sql/risk."),
            ("version", "Day of the training and the first digits of the hash."),
            ("kind", "logistic, forest or boost."),
            ("label", "The outcome that it learnt from."),
            ("trained_on", "It learnt from what was over and known before this date."),
            ("known_at", "Instant from which it may score: the beginning of that date."),
            ("n_rows", "Rows that it learnt from."),
            ("n_positive", "Of them with the outcome."),
            ("budget", "Students on the list of a week."),
            ("is_offered", "The backtest says that it beats the best rule and the place."),
            ("reason_zh", "Why, or why not, in Chinese."),
            ("reason_en", "Why, or why not, in English."),
            ("card", "The model card as JSON, without the groups."),
            ("hash", "BLAKE3 of the model."),
        ],
    );
    for (name, about) in [
        ("bytes", "The model in hexadecimal digits: plain numbers, which every later version of the program can score."),
        ("calibration", "From scores to probabilities, as JSON."),
        ("reference", "Values that it learnt from, without persons, as JSON: what drift is told by."),
    ] {
        versions.columns.insert(name.to_owned(), column(about, Class::Trace));
    }

    let about = "What risk models would have been worth, week by week, against rules, place and chance (回测).";
    let mut backtests = as_of("model_backtest", about, "", &["model", "judged_on"], String::new(), Origin::Kept);
    internal(
        &mut backtests,
        &[
            ("model", "File in sql/risk."),
            ("judged_on", "Outcomes that were known on this date judge."),
            ("known_at", "Beginning of that date."),
            ("chosen", "The candidate with most hits."),
            ("report", "Everything but the groups, as JSON."),
            ("subgroups", "Rates of groups, as JSON; for auditors."),
        ],
    );
    for node in [&mut versions, &mut backtests] {
        node.materialized = Materialized::Whole;
        node.subject = None;
        node.is_versioned = true;
    }

    let about = "How far what a risk model reads has moved since it learnt; a model that is frozen offers nothing (漂移).";
    let mut drift = as_of("model_drift", about, "", &["model", "input"], String::new(), Origin::Drift);
    internal(
        &mut drift,
        &[
            ("model", "File in sql/risk."),
            ("version", "The version that would score."),
            ("input", "Measure."),
            ("known_before", "Share of rows with a value, when it learnt."),
            ("known_now", "Share of rows with a value, on the date."),
            ("coverage_psi", "Population stability index of known against not known."),
            ("value_psi", "The index of the values among the known."),
            ("level", "quiet, look or freeze."),
            ("is_coverage", "Coverage itself has moved: look at the device first."),
            ("as_of_on", "As-of date."),
        ],
    );
    drift.subject = None;
    drift.is_kept = true;
    drift.inputs = named(&["feat_measure", "model_version"]);
    drift.inputs.extend(cohorts.clone());

    let key = &subject.key;
    let about = "What risk models say of every student of their cohort whose outcome is not known, with the row that it follows from (风险评分).";
    let mut scores = as_of("risk_score", about, key, &[key, "model"], String::new(), Origin::Scores);
    internal(&mut scores, &[("model", "File in sql/risk."), ("version", "Version that scored."), ("as_of_on", "As-of date.")]);
    let words = [
        ("score", "Score, 0 to 1: it ranks."),
        ("probability", "Share of those with such a score for whom the outcome came."),
        ("base_rate", "Share of all rows of the past for whom it came."),
        ("known_n", "Inputs with a value."),
        ("is_listed", "On the list of the date, which is as long as there are hours for."),
        ("is_offered", "Listed by a model that may be offered and is not frozen."),
        ("contributions", "What each input added to the score, as JSON; additive along the path, not Shapley."),
        ("input", "The input row, as JSON: replay scores it again."),
        ("reason_zh", "Of the listed: what stands out, as facts, in Chinese."),
        ("reason_en", "Of the listed: what stands out, as facts, in English."),
    ];
    scores.columns.extend(words.map(|(name, about)| (name.to_owned(), column(about, Class::Trace))));
    scores.columns.insert(key.clone(), column("The person, pseudonymous.", Class::Personal));
    // An offer is scored again for as long as it stands.
    scores.is_kept = true;
    scores.inputs = named(&["feat_measure", "model_version", "model_drift"]);
    scores.inputs.extend(cohorts.iter().chain(&labels).cloned());

    let about = "Whether the lists of risk models treat groups of students alike; for auditors only (公平性审计).";
    let mut audit = as_of("model_audit", about, "", &["model", "attribute", "subgroup", "rate"], String::new(), Origin::Audit);
    internal(
        &mut audit,
        &[
            ("model", "File in sql/risk."),
            ("attribute", "What groups are told by."),
            ("subgroup", "The group."),
            ("rate", "selection, precision, false_positive or false_negative."),
            ("n_rows", "Rows behind the rate."),
            ("n_students", "Students behind it."),
            ("value", "The rate; empty below 30 rows or students."),
            ("value_low", "Lower end of its 95 % interval."),
            ("value_high", "Upper end of its 95 % interval."),
            ("ratio", "The rate over everybody's."),
            ("ratio_low", "Lower end of its 95 % interval."),
            ("ratio_high", "Upper end of its 95 % interval."),
            ("is_flagged", "The interval lies outside 0.8 to 1.25."),
            ("as_of_on", "As-of date."),
        ],
    );
    audit.subject = None;
    audit.cadence = Cadence::Week;
    audit.inputs = named(&["risk_score", "model_version"]);
    audit.inputs.extend(cohorts.into_iter().chain(labels));
    let helped: BTreeSet<&String> = risks.iter().filter_map(|it| it.front.censor_by.as_ref()).collect();
    audit.inputs.extend(helped.into_iter().cloned());
    vec![versions, backtests, drift, scores, audit]
}
