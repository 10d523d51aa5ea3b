//! The risk models that ship, trained on a synthetic campus: who teaches them, what judges them, and what they say of whom.
//!
//! From September to the spring a small campus has marks of two examinations and one recognition of hardship. By the second
//! examination `failed_course` is judged; hardship is recognised once a year, so `hardship` has something to learn from and
//! nothing yet to be judged by.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{binary, output, repository, said, sql, yizhan};

/// The Monday after the last of 203 days: the first recognitions were known, and not expected, half a year before.
const NOW: &str = "2026-03-23";
/// Each counselor has time for two talks, so that a list is a choice; of the dates all Mondays and the newest are kept.
const SETTINGS: [&str; 4] = ["--set", "warning.capacity.hours_a_week=1.5", "--set", "transform.as_of_days=1"];
/// What training reads; all other tables would only take time.
const READ: [&str; 8] = [
    "risk_score",
    "warning_candidate",
    "closed_aid_gap",
    "closed_price_drop",
    "label_failed_course",
    "label_hardship",
    "academic_help",
    "counselor_talk",
];

/// Model, its outcome, days in which that counts, and its name on screens.
const MODELS: [(&str, &str, i64, &str); 2] =
    [("failed_course", "label_failed_course", 42, "课程考核不及格"), ("hardship", "label_hardship", 180, "家庭经济困难认定")];
/// Days until an outcome is in the platform.
const GAP: i64 = 2;

/// A campus on which both models were trained, twice, and have scored.
struct Shipped {
    data: TempDir,
    /// What each training answered, and what stood in the lake behind it.
    trained: [Value; 2],
    again: [Value; 2],
    stored: [Vec<Value>; 2],
    stored_again: [Vec<Value>; 2],
}

/// What a command says, in lines of JSON.
#[track_caller]
fn lines(data: &Path, args: &[&str]) -> Vec<Value> {
    let mut command = yizhan(data, args);
    let (code, lines, wrong) = said(command.args(SETTINGS).args(["--format", "json", "--now", NOW]));
    assert_eq!(code, 0, "{args:?}: {wrong}");
    lines
}

fn train(data: &Path) -> [Value; 2] {
    MODELS.map(|it| lines(data, &["warn", "train", it.0, "--seed", "7"]).pop().expect("an answer"))
}

fn versions(data: &Path) -> [Vec<Value>; 2] {
    MODELS.map(|it| sql(data, &format!("SELECT * FROM model_version WHERE model = '{}'", it.0)))
}

fn shipped() -> &'static Shipped {
    static SHIPPED: OnceLock<Shipped> = OnceLock::new();
    SHIPPED.get_or_init(|| {
        let (exports, folder) = (TempDir::new().expect("a folder"), TempDir::new().expect("a folder"));
        let simulate = ["simulate", "--students", "120", "--days", "203", "--seed", "5", "--out"];
        let out = output(Command::new(binary()).args(simulate).arg(exports.path()));
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let data = folder.path();
        lines(data, &["ingest", "--input", &exports.path().to_string_lossy()]);
        let mut build = vec!["transform", "--select"];
        build.extend(READ);
        lines(data, &build);
        let (trained, stored) = (train(data), versions(data));
        let (again, stored_again) = (train(data), versions(data));
        lines(data, &["warn", "score"]);
        Shipped { data: folder, trained, again, stored, stored_again }
    })
}

fn rows(query: &str) -> Vec<Value> {
    sql(shipped().data.path(), query)
}

/// Days since 1970.
fn day(text: &str) -> i64 {
    let date: chrono::NaiveDate = text.parse().expect("a date");
    date.signed_duration_since(chrono::NaiveDate::default()).num_days()
}

#[test]
fn a_shipped_model_learns_from_what_was_over_and_known_and_the_same_seed_makes_the_same_bytes() {
    let shipped = shipped();
    assert_eq!(shipped.trained, shipped.again);
    assert_eq!(shipped.stored, shipped.stored_again, "the same version again changes nothing");
    for (place, (name, label, horizon, _)) in MODELS.into_iter().enumerate() {
        let (trained, stored) = (&shipped.trained[place], &shipped.stored[place]);
        let card = &trained["card"];
        assert_eq!(stored.len(), 1, "{name}: one version");
        assert_eq!((&stored[0]["hash"], &stored[0]["version"]), (&trained["hash"], &trained["version"]), "{name}");
        assert!(stored[0]["bytes"].as_str().is_some_and(|it| !it.is_empty()), "{name} stands in the lake");
        let text = stored[0]["card"].as_str().expect("a card");
        assert_eq!(serde_json::from_str::<Value>(text).expect("a card in JSON"), *card, "{name}");
        assert_eq!((&card["label"], &card["horizon_days"], &card["seed"]), (&json!(label), &json!(horizon), &json!(7)), "{card}");

        // The same, told by the tables alone: rows whose last day of the outcome was known before that of the training.
        // Who has failed before may fail again; of whom an outcome had come unseen nothing is learnt.
        let told = format!(
            "WITH taught AS (SELECT cohort.student_key, cohort.as_of_on, \
             max(CASE WHEN outcome.event_on > cohort.as_of_on AND outcome.event_on <= cohort.as_of_on + INTERVAL '{horizon}' DAY THEN 1 ELSE 0 END) AS came, \
             max(CASE WHEN outcome.event_on <= cohort.as_of_on AND outcome.known_on > cohort.as_of_on THEN 1 ELSE 0 END) AS hidden \
             FROM risk_{name} AS cohort LEFT JOIN {label} AS outcome ON outcome.student_key = cohort.student_key \
             WHERE cohort.as_of_on + INTERVAL '{}' DAY < DATE '{NOW}' GROUP BY cohort.student_key, cohort.as_of_on) \
             SELECT count(*) AS n_rows, sum(came) AS n_positive, arrow_cast(min(as_of_on), 'Int32') AS train_from_on, \
             arrow_cast(max(as_of_on), 'Int32') AS train_to_on FROM taught WHERE hidden = 0",
            horizon + GAP
        );
        let told = &rows(&told)[0];
        assert!(10 <= told["n_positive"].as_i64().expect("a count"), "{name} has too little to learn from: {told}");
        for figure in ["n_rows", "n_positive"] {
            assert_eq!((&card[figure], &trained[figure]), (&told[figure], &told[figure]), "{name}: {card}");
        }
        for date in ["train_from_on", "train_to_on"] {
            assert_eq!(card["dates"][date], told[date], "{name}: {card}");
        }
        assert!(told["train_to_on"].as_i64().expect("a day") + horizon + GAP < day(NOW), "{name}: {told}");
    }
}

#[test]
fn who_is_recognised_already_is_neither_learnt_from_nor_scored() {
    // Recognised within the year, by what was known on the date.
    let known = "INNER JOIN label_hardship AS outcome ON outcome.student_key = it.student_key \
                 WHERE outcome.known_on <= it.as_of_on AND outcome.event_on > it.as_of_on - INTERVAL '330' DAY";
    let n = |query: &str| rows(query)[0]["n"].as_i64().expect("a count");
    // Everybody of a date is in the cohort of the other model, and so are these.
    let all = n(&format!("SELECT count(*) AS n FROM risk_failed_course AS it {known} AND it.as_of_on = DATE '{NOW}'"));
    assert!(10 <= all, "{all} are recognised: the case proves little");
    assert_eq!(n(&format!("SELECT count(*) AS n FROM risk_hardship AS it {known}")), 0);
    assert_eq!(n(&format!("SELECT count(*) AS n FROM risk_score AS it {known} AND it.model = 'hardship'")), 0);
    let cohort = |name: &str| n(&format!("SELECT count(*) AS n FROM risk_{name} WHERE as_of_on = DATE '{NOW}'"));
    assert_eq!(cohort("hardship") + all, cohort("failed_course"));
    for (name, ..) in MODELS {
        let scored = n(&format!("SELECT count(*) AS n FROM risk_score WHERE model = '{name}' AND as_of_on = DATE '{NOW}'"));
        assert_eq!(scored, cohort(name), "{name}: everybody else is scored");
    }
}

#[test]
fn whether_a_shipped_model_is_offered_follows_from_its_backtest_and_is_told_with_the_reason() {
    let [failed_course, hardship] = &shipped().trained;
    let tested = rows("SELECT chosen, report FROM model_backtest WHERE model = 'failed_course'");
    assert_eq!(tested.len(), 1, "{tested:?}");
    let report: Value = serde_json::from_str(tested[0]["report"].as_str().expect("a report")).expect("a report in JSON");
    let of = |list: &str| report[list].as_array().expect("a list").clone();
    // Every list was made by what was known before it, and its outcomes were known when it was judged.
    let days: Vec<i64> = of("days").iter().map(|it| it.as_i64().expect("a day")).collect();
    let (first, last) = (days.iter().min().expect("a week"), days.iter().max().expect("a week"));
    let horizon = MODELS[0].2;
    let from = failed_course["card"]["dates"]["train_from_on"].as_i64().expect("a day");
    assert!(from + horizon + GAP < *first && last + horizon + GAP < day(NOW), "{from} {days:?}");
    assert!(report["n_positive"].as_i64().is_some_and(|it| 0 < it), "nothing that came was judged by: {report}");
    // Beside the models stand the rule, the single inputs, and the place.
    let role = |name: &str| of("candidates").iter().find(|it| it["name"] == name).map(|it| it["role"].clone());
    for name in ["logistic", "forest", "boost"] {
        assert_eq!(role(name), Some(json!("model")), "{name}");
    }
    for name in ["class_attendance", "low:gpa", "high:failed_credits", "low:class_attendance_rate"] {
        assert_eq!(role(name), Some(json!("rule")), "{name}");
    }
    assert_eq!(role("place"), Some(json!("floor")));
    let decided = of("decisions").into_iter().find(|it| it["name"] == tested[0]["chosen"]).expect("a decision");
    let low = |over: &str| decided[over]["low"].as_f64().unwrap_or_else(|| panic!("no interval of {over}: {decided}"));
    let is_better = 0.0 < low("over_best_rule") && 0.0 < low("over_floor");
    let card = &failed_course["card"];
    assert_eq!((&failed_course["is_offered"], &card["is_offered"]), (&json!(is_better), &json!(is_better)), "{decided}");
    assert_eq!(card["decision"], decided["reason"]);
    let said =
        |it: &Value| (it["reason_zh"].as_str().expect("words").to_owned(), it["reason_en"].as_str().expect("words").to_owned());
    let (zh, en) = said(failed_course);
    let verdict = if is_better { ("可用于提示：", "offered: ") } else { ("暂不用于提示：", "not offered: ") };
    assert!(zh.starts_with(verdict.0) && zh.contains("最好的单条规则（") && zh.contains("按地点（"), "{zh}");
    assert!(en.starts_with(verdict.1) && en.contains("the best rule (") && en.contains("what places alone say"), "{en}");
    assert!(!zh.contains('_'), "a rule is told by its title: {zh}");

    // Nobody is recognised a second time within these months: there is nothing to be judged by, and it says so.
    assert_eq!(rows("SELECT * FROM model_backtest WHERE model = 'hardship'"), Vec::<Value>::new());
    let card = &hardship["card"];
    assert_eq!((&hardship["is_offered"], &card["is_offered"]), (&json!(false), &json!(false)), "{hardship}");
    assert!(card["dates"]["test_from_on"].is_null(), "{card}");
    let (zh, en) = said(hardship);
    assert!(zh.starts_with("暂不用于提示：") && zh.contains("还没有一周"), "{zh}");
    assert!(en.starts_with("not offered: ") && en.contains("there is no week of the past"), "{en}");
}

#[test]
fn what_a_shipped_model_says_of_a_student_adds_up_and_a_listed_one_is_told_why() {
    for (place, (name, _, _, outcome)) in MODELS.into_iter().enumerate() {
        let trained = &shipped().trained[place];
        let inputs: BTreeSet<&str> = trained["card"]["inputs"].as_object().expect("inputs").keys().map(String::as_str).collect();
        let scored = rows(&format!(
            "SELECT score, contributions, is_listed, is_offered, reason_zh, reason_en FROM risk_score \
             WHERE model = '{name}' AND as_of_on = DATE '{NOW}'"
        ));
        let mut listed = 0;
        for row in &scored {
            let parts: Value = serde_json::from_str(row["contributions"].as_str().expect("contributions")).expect("JSON");
            let values = parts["values"].as_object().expect("values");
            assert_eq!(values.keys().map(String::as_str).collect::<BTreeSet<_>>(), inputs, "{name}");
            let sum = parts["baseline"].as_f64().expect("a baseline")
                + values.values().map(|it| it.as_f64().expect("what an input adds")).sum::<f64>();
            let score = if parts["scale"] == "log_odds" { 1.0 / (1.0 + (-sum).exp()) } else { sum };
            assert!((score - row["score"].as_f64().expect("a score")).abs() < 1e-9, "{name}: {row}");
            // Only of who is listed anything is said in words.
            assert_eq!(row["reason_zh"].is_string(), row["is_listed"] == true, "{name}: {row}");
            assert!(row["is_offered"] == false || trained["is_offered"] == true, "{name} is not offered: {row}");
            if row["is_listed"] == true {
                listed += 1;
                let (zh, en) = (row["reason_zh"].as_str().expect("words"), row["reason_en"].as_str().expect("words"));
                assert!(zh.contains(&format!("“{outcome}”")) && zh.contains("不说明原因，也不预示结果"), "{zh}");
                assert!(en.contains("it gives no reason and foretells nothing"), "{en}");
            }
        }
        let has_facts = |it: &Value| it["reason_zh"].as_str().is_some_and(|it| it.contains("同批学生中位数"));
        assert!(0 < listed && scored.iter().any(has_facts), "{name}: {listed} of {}", scored.len());
    }
}

#[test]
fn nothing_of_psychology_is_an_outcome_or_an_input_of_a_shipped_model() {
    let words =
        ["psych", "counsel", "screening", "mental", "severity", "hospital", "stg_case", "stg_visit", "closed_", "心理", "咨询"];
    let is_free = |path: String| {
        let text = std::fs::read_to_string(repository().join(&path)).expect("a file").to_lowercase();
        let found: Vec<&&str> = words.iter().filter(|it| text.contains(**it)).collect();
        assert!(found.is_empty(), "{path} tells of {found:?}");
    };
    for (place, (name, label, ..)) in MODELS.into_iter().enumerate() {
        is_free(format!("sql/labels/{label}.sql"));
        let card = &shipped().trained[place]["card"];
        let inputs: BTreeSet<String> = card["inputs"].as_object().expect("inputs").keys().cloned().collect();
        let text = std::fs::read_to_string(repository().join(format!("sql/risk/{name}.sql"))).expect("a model");
        let list = text.split("inputs     = [").nth(1).and_then(|it| it.split(']').next()).expect("inputs");
        let of_file: BTreeSet<String> = list.split('"').skip(1).step_by(2).map(str::to_owned).collect();
        assert_eq!(inputs, of_file, "{name}: the card tells all that the model reads");
        for input in &inputs {
            is_free(format!("sql/measures/{}.sql", input.split('.').next().expect("a name")));
        }
    }
}
