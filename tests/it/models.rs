//! Risk models from files to offers: what is refused, what is learnt, what is told.
//!
//! A tiny invented school: every week each student has an effort and a sleep, and fails soon after weeks in which both
//! are low. The rule knows effort only, the place nothing; `noise` is noise, and `later` knows the future.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{altered, copy, repository, said, sql, write, yizhan};

const STUDENTS: u64 = 240;
const WEEKS: u64 = 34;
/// The Monday after the last week.
const NOW: &str = "2025-04-28";
const NEXT: &str = "2025-04-29";

/// A number between 0 and 1 that is the same for the same place and as good as random between places (splitmix64).
fn chance(of: u64, student: u64, week: u64) -> f64 {
    let it = (of << 40 ^ student << 16 ^ week).wrapping_add(0x9E37_79B9_7F4A_7C15).wrapping_mul(0x2545_F491_4F6C_DD1D);
    let it = (it ^ (it >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let it = (it ^ (it >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((it ^ (it >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

/// What a student's weeks look like: a level of four weeks, and the week itself.
fn level(of: u64, student: u64, week: u64) -> f64 {
    100.0 * (0.7 * chance(of, student, week / 4) + 0.3 * chance(of + 1, student, week))
}

fn fails(student: u64, week: u64) -> bool {
    let (effort, sleep) = (level(10, student, week), level(20, student, week));
    let hazard = if effort < 40.0 && sleep < 40.0 { 0.5 } else { 0.01 };
    chance(30, student, week) < hazard
}

/// A day of a week, 1 to 7, as text; the first Monday is 2024-09-02.
fn day(week: u64, day: u64) -> String {
    let first: chrono::NaiveDate = "2024-09-02".parse().expect("a date");
    first.checked_add_days(chrono::Days::new(7 * week + day - 1)).expect("a date").to_string()
}

/// Files of a project with its exports.
fn project(folder: &Path) {
    let file = |path: &str, text: &str| write(&folder.join(path), text);
    file(
        "yizhan.toml",
        r#"packs = []
[campus]
name_zh = "小学校"
name_en = "A small school"
time_zone = "Asia/Shanghai"
day_starts_at = "04:00"
emergency_zh = "示例"
emergency_en = "Example"
[subject]
table = "dim_student"
key = "student_key"
peer = ["place"]
peer_wide = ["place"]
calendar = ""
own_past = ""
owner = ""
[ingest]
approvals = "off"
[transform]
as_of_days = 2
[warning.capacity]
hours_a_week = 100.0
"#,
    );
    let pipeline = |name: &str, shape: &str, key: &str, at: &str, columns: &str| {
        let start = if shape == "event" { "start = \"2024-09-01\"\n" } else { "" };
        let text = format!(
            "[pipeline]\nname = \"{name}\"\nabout = \"The {name} of the school.\"\nshape = \"{shape}\"\nowner = \"school\"\n\
             purpose = [\"portrait\", \"trend_warning\"]\nretention = \"10y\"\nsource = {{ format = \"csv\", path = \"{name}.csv\" }}\n\
             [contract]\nversion = 1\nkey = [{key}]\non_conflict = \"{}\"\n{at}usual_delay = \"1h\"\n{start}\
             [columns]\nstudent_id = {{ type = \"text\", required = true, person = \"student\", class = \"identity\", about = \"Number.\" }}\n{columns}",
            if shape == "event" { "first" } else { "latest" },
        );
        file(&format!("pipelines/{name}.toml"), &text);
    };
    let number = |name: &str| format!("{name} = {{ type = \"int64\", class = \"trace\", about = \"Its {name}.\" }}\n");
    let text =
        |name: &str| format!("{name} = {{ type = \"text\", required = true, class = \"personal\", about = \"Its {name}.\" }}\n");
    pipeline("pupil", "state", "\"student_id\"", "", &(text("place") + &text("origin")));
    let at = "occurred_at = { column = \"held_at\" }\n";
    let held = "held_at = { type = \"timestamp\", required = true, format = \"%Y-%m-%d %H:%M\", class = \"trace\", about = \"When.\" }\n";
    let id = "week_id = { type = \"text\", required = true, class = \"internal\", about = \"Number of the row.\" }\n";
    let columns = ["effort", "sleep", "noise", "later"].map(number).concat();
    pipeline("week", "event", "\"week_id\"", at, &format!("{id}{held}{columns}"));
    let id = "failure_id = { type = \"text\", required = true, class = \"internal\", about = \"Number of the row.\" }\n";
    let on = "failed_on = { type = \"date\", required = true, format = \"%Y-%m-%d\", class = \"trace\", about = \"Day.\" }\n";
    pipeline("failure", "state", "\"failure_id\"", "occurred_at = { column = \"failed_on\" }\n", &format!("{id}{on}"));

    let id = "talk_id = { type = \"text\", required = true, class = \"internal\", about = \"Number of the row.\" }\n";
    let met =
        "met_at = { type = \"timestamp\", required = true, format = \"%Y-%m-%d %H:%M\", class = \"trace\", about = \"When.\" }\n";
    pipeline("talk", "event", "\"talk_id\"", "occurred_at = { column = \"met_at\" }\n", &format!("{id}{met}"));
    file(
        "sql/learning/school_talk.sql",
        "/*---\nkind = \"table\"\nabout = \"Talks of staff with students.\"\nowner = \"school\"\nmaterialized = \"whole\"\n\
         grain = [\"student_key\", \"contacted_on\"]\nsubject = \"student_key\"\npurpose = [\"evaluation\"]\n[columns]\n\
         contacted_on = { about = \"Day.\", class = \"trace\" }\nknown_on = { about = \"Day.\", class = \"trace\" }\n---*/\n\
         SELECT student_key, occurred_on AS contacted_on, arrow_cast(arrow_cast(occurred_on, 'Int32') + 1, 'Date32') AS known_on\n\
         FROM stg_talk GROUP BY student_key, occurred_on\n",
    );
    file(
        "sql/marts/dim_student.sql",
        "/*---\nkind = \"table\"\nabout = \"Everybody.\"\nowner = \"school\"\nmaterialized = \"as_of\"\ngrain = [\"student_key\"]\n\
         subject = \"student_key\"\npurpose = [\"portrait\"]\n---*/\nSELECT student_key, place, origin FROM stg_pupil\n",
    );
    for name in ["effort", "sleep", "noise", "later"] {
        file(
            &format!("sql/measures/{name}.sql"),
            &format!(
                "/*---\nkind = \"measure\"\nabout = \"The {name} of the last week.\"\ntitle_zh = \"{name} 分\"\ntitle_en = \"{name} points\"\n\
                 owner = \"school\"\nsubject = \"student_key\"\npurpose = [\"trend_warning\"]\ndimension = \"academic\"\nunit = \"points\"\n\
                 n_min = 1\ncov_min = 0.0\nmad_floor = 1.0\nclass = \"trace\"\n---*/\n\
                 SELECT student_key, max({name}) AS value, count(*) AS n, 1.0 AS cov FROM stg_week\n\
                 WHERE occurred_on >= $as_of - INTERVAL '7' DAY GROUP BY student_key\n"
            ),
        );
    }
    file(
        "sql/labels/label_failure.sql",
        "/*---\nkind = \"label\"\nabout = \"A failure.\"\ntitle_zh = \"一次不及格\"\ntitle_en = \"a failure\"\nowner = \"school\"\n\
         grain = [\"student_key\", \"event_on\"]\nsubject = \"student_key\"\npurpose = [\"evaluation\"]\nhorizon = \"7d\"\ngap = \"1d\"\n\
         recurs = true\n[columns]\noutcome = { about = \"Always true.\" }\nevent_on = { about = \"Day.\" }\n\
         known_on = { about = \"First date that may use it.\" }\n---*/\n\
         SELECT student_key, TRUE AS outcome, failed_on AS event_on, arrow_cast(arrow_cast(failed_on, 'Int32') + 1, 'Date32') AS known_on\n\
         FROM stg_failure WHERE superseded_at IS NULL\n",
    );
    file(
        "sql/warning/low_effort.sql",
        "/*---\nkind = \"rule\"\nabout = \"Little effort.\"\ntitle_zh = \"投入较少\"\ntitle_en = \"Little effort\"\nowner = \"school\"\n\
         subject = \"student_key\"\npurpose = [\"trend_warning\"]\nchannel = \"class\"\nthread = \"academic\"\nunit = \"points\"\nseverity = 1\n\
         caveat_zh = \"不说明原因。\"\ncaveat_en = \"It gives no reason.\"\n---*/\n\
         SELECT student_key, $as_of AS since_on, 40 AS baseline, value AS now_value, n, cov, concat('投入 ', CAST(value AS VARCHAR), '。') AS reason_zh, concat('Effort ', CAST(value AS VARCHAR), '.') AS reason_en,\n\
         '' AS explanations, NULL AS last_seen_at, NULL AS last_seen_source FROM feat_measure\n\
         WHERE as_of_on = $as_of AND measure = 'effort' AND value < 40\n",
    );
    for (name, inputs, baselines) in [
        ("failing", "\"effort\", \"sleep\", \"noise\"", "\"low_effort\", \"low:effort\""),
        ("guessing", "\"noise\"", "\"low_effort\""),
        ("knowing", "\"later\", \"effort\"", "\"low:effort\""),
    ] {
        file(&format!("sql/risk/{name}.sql"), &risk(inputs, baselines, "label_failure", "academic"));
    }
    // The same model for an office of its own: what it says is no care offer.
    let own = risk("\"effort\", \"sleep\", \"noise\"", "\"low_effort\"", "label_failure", "life_aid");
    file("sql/risk/aiding.sql", &own.replace("budget = 12", "budget = 12\nclass = \"closed\"\nown_list = \"school_talk\""));

    exports(folder, WEEKS, &|_, effort, sleep| (effort, Some(sleep)));
}

/// Writes the exports of so many weeks; what was measured may be altered by week.
fn exports(folder: &Path, n: u64, altered: &dyn Fn(u64, f64, f64) -> (f64, Option<f64>)) {
    let file = |path: &str, text: &str| write(&folder.join(path), text);

    let mut talks = "talk_id,student_id,met_at\n".to_owned();
    let (mut pupils, mut weeks, mut failures) = (
        "student_id,place,origin\n".to_owned(),
        "week_id,student_id,held_at,effort,sleep,noise,later\n".to_owned(),
        "failure_id,student_id,failed_on\n".to_owned(),
    );
    for student in 0..STUDENTS {
        let id = 2_024_000_000 + student;
        writeln!(pupils, "{id},floor {},{}", student % 12, ["near", "far"][(student % 2) as usize]).expect("text");
        for week in 0..n {
            let comes = week + 1 < n && fails(student, week + 1);
            let (effort, sleep) = altered(week, level(10, student, week + 1), level(20, student, week + 1));
            let sleep = sleep.map_or_else(String::new, |it| format!("{it:.0}"));
            // Somebody speaks with those who did least, whatever their sleep.
            if effort < 25.0 {
                writeln!(talks, "T{student}-{week},{id},{} 15:00", day(week, 6)).expect("text");
            }
            let (noise, later) = (100.0 * chance(40, student, week), u64::from(comes) * 50 + student % 7);
            writeln!(weeks, "W{student}-{week},{id},{} 12:00,{effort:.0},{sleep},{noise:.0},{later}", day(week, 5))
                .expect("text");
            if fails(student, week) && 0 < week {
                writeln!(failures, "F{student}-{week},{id},{}", day(week, 3)).expect("text");
            }
        }
    }
    for (name, text) in [("pupil", pupils), ("week", weeks), ("failure", failures), ("talk", talks)] {
        file(&format!("input/{name}.csv"), &text);
    }
}

fn risk(inputs: &str, baselines: &str, label: &str, thread: &str) -> String {
    format!(
        "/*---\nkind = \"risk\"\nabout = \"Everybody of the school.\"\ntitle_zh = \"可能需要帮助\"\ntitle_en = \"Help may be welcome\"\n\
         owner = \"school\"\npurpose = [\"trend_warning\"]\nthread = \"{thread}\"\nlabel = \"{label}\"\nbudget = 12\n\
         candidates = [\"logistic\", \"boost\"]\nbaselines = [{baselines}]\ninputs = [{inputs}]\n\
         caveat_zh = \"不说明原因，也不预示结果。\"\ncaveat_en = \"It gives no reason and foretells nothing.\"\n---*/\n\
         SELECT student_key, place, origin FROM dim_student WHERE as_of_on = $as_of\n"
    )
}

fn of(folder: &Path, args: &[&str]) -> std::process::Command {
    let project = folder.to_string_lossy().into_owned();
    let mut command = yizhan(&folder.join("data"), &["--project", &project]);
    command.args(args);
    command
}

fn rows(folder: &Path, query: &str) -> Vec<Value> {
    let (code, rows, wrong) = said(&mut of(folder, &["sql", query, "--format", "json"]));
    assert_eq!(code, 0, "{query}: {wrong}");
    rows
}

/// The school run once; who changes it works on a copy.
fn school() -> &'static Path {
    static SCHOOL: OnceLock<TempDir> = OnceLock::new();
    SCHOOL
        .get_or_init(|| {
            let folder = TempDir::new().expect("a folder");
            project(folder.path());
            let (code, lines, wrong) = said(&mut of(folder.path(), &["run", "--now", NOW, "--format", "json"]));
            assert_eq!(code, 0, "{lines:?} {wrong}");
            folder
        })
        .path()
}

fn anew() -> TempDir {
    let folder = TempDir::new().expect("a folder");
    copy(school(), folder.path(), &|_| true);
    folder
}

/// What a command answered; it must have gone well.
fn answer(folder: &Path, args: &[&str]) -> Value {
    let (code, mut lines, wrong) = said(of(folder, args).args(["--format", "json", "--now", NOW]));
    assert_eq!(code, 0, "{args:?}: {wrong}");
    lines.pop().expect("an answer")
}

#[test]
fn a_model_that_beats_rule_and_place_is_offered_and_its_offers_are_replayed_bit_for_bit() {
    let folder = anew();
    let data = folder.path();
    let trained = answer(data, &["warn", "train", "failing"]);
    assert_eq!(trained["is_offered"], true, "{trained}");
    let lift = trained["card"]["metrics"]["lift_over_best_rule"].as_f64().expect("a lift");
    assert!(1.3 < lift, "{trained}");
    // This project knows no visits, and the card says so.
    assert_eq!(trained["card"]["recall_vs_visit"]["status"], "no_visits", "{trained}");
    // The night after scores, and what it found is offered.
    let (code, _, wrong) = said(&mut of(data, &["run", "--now", NEXT]));
    assert_eq!(code, 0, "{wrong}");
    let drifted = rows(data, "SELECT * FROM model_drift WHERE level = 'freeze'");
    assert!(drifted.is_empty(), "{drifted:?}");
    let listed = rows(
        data,
        "SELECT count(*) AS n FROM risk_score WHERE model = 'failing' AND is_offered AND as_of_on = DATE '2025-04-29'",
    );
    assert_eq!(listed[0]["n"], 12, "the list is as long as the file says");
    let offers = rows(
        data,
        "SELECT warning_id, reason_zh, reason_en, severity, channels FROM warning_student WHERE rules LIKE '%failing%' ORDER BY warning_id",
    );
    assert!(!offers.is_empty(), "nothing was offered");
    // Some are new; others went on from the night before, when only the rule had found them.
    for offer in &offers {
        let id = offer["warning_id"].as_str().expect("an id");
        let (code, lines, wrong) = said(&mut of(data, &["warn", "replay", id, "--format", "json"]));
        assert_eq!(code, 0, "{wrong}");
        let replayed = lines.iter().find(|it| it["model"] == "failing").unwrap_or_else(|| panic!("no score: {lines:?}"));
        assert_eq!((&replayed["is_same"], &replayed["stored"]), (&Value::Bool(true), &replayed["replayed"]), "{replayed}");
    }
    // The same follows from the weeks that the lake still holds, for the model as for the rule beside it.
    let both = offers.iter().find(|it| it["channels"].as_str().is_some_and(|it| it.contains("class"))).unwrap_or(&offers[0]);
    let id = both["warning_id"].as_str().expect("an id");
    let from_bronze = || {
        let (code, lines, wrong) = said(&mut of(data, &["warn", "replay", id, "--from-bronze", "--format", "json"]));
        assert_eq!(code, 0, "what is stored is replayed whatever the lake holds: {wrong}");
        lines
    };
    let told: Vec<Value> = from_bronze().into_iter().filter(|it| it["model"].is_string() || it["rule"].is_string()).collect();
    assert!(told.iter().any(|it| it["model"] == "failing") && told.iter().all(|it| it["from_bronze"] == "same"), "{told:?}");
    // Other words of the rule are no other decision, and another figure is one.
    let file = data.join("sql/warning/low_effort.sql");
    let written = std::fs::read_to_string(&file).expect("a rule");
    let alter = |from: &str, to: &str| write(&file, &written.replace(from, to));
    // The offer may have gone on from the night before: then it is told of both.
    let of_rule = || {
        let lines: Vec<Value> = from_bronze().into_iter().filter(|it| it["rule"] == "low_effort").collect();
        assert!(!lines.is_empty(), "no rule beside the model: {both}");
        lines
    };
    let all = |lines: &[Value], bronze: &str, words: Value| {
        assert!(lines.iter().all(|it| it["from_bronze"] == bronze && it["has_new_words"] == words), "{lines:?}");
    };
    // Of the stored row the same is decided, whatever became of the file that made it.
    let decided = |lines: &[Value], is_same_sql: bool| {
        let is_so =
            |it: &Value| it["is_same"] == true && it["is_same_sql"] == is_same_sql && it["input"]["now_value"].is_number();
        assert!(lines.iter().all(is_so), "{lines:?}");
    };
    all(&of_rule(), "same", Value::Bool(false));
    decided(&of_rule(), true);
    alter("'投入 '", "'近一周的投入 '");
    all(&of_rule(), "same", Value::Bool(true));
    decided(&of_rule(), false);
    alter("value < 40", "value < -1");
    all(&of_rule(), "gone", Value::Null);
    write(&file, &written);
    let id = offers[0]["warning_id"].as_str().expect("an id");
    // Facts and what they are held against; no level above what data alone may say, and no word that judges.
    let offer = &offers[0];
    let (zh, en) = (offer["reason_zh"].as_str().expect("words"), offer["reason_en"].as_str().expect("words"));
    assert!(zh.contains("同批学生中位数") && en.contains("the middle of the others"), "{offer}");
    assert!(zh.contains("不预示结果") && en.contains("foretells nothing"), "{offer}");
    assert!(offer["channels"].as_str().expect("words").contains("study"), "{offer}");
    let (code, lines, _) = said(&mut of(data, &["warn", "explain", id, "--format", "json"]));
    assert_eq!(code, 0);
    assert!(lines[0]["caveats_zh"].as_array().expect("caveats").iter().any(|it| it == "不说明原因，也不预示结果。"), "{lines:?}");
    // Two channels, of which one is the model that reads the other, are no severity 2.
    let graver = rows(data, "SELECT warning_id FROM warning_student WHERE severity > 1");
    assert_eq!(graver, Vec::<Value>::new());
    // Without the weeks behind it nothing follows any more, and replay says so instead of failing.
    std::fs::remove_dir_all(data.join("data/lake/raw_week")).expect("a table");
    let lines = from_bronze();
    assert!(lines.iter().any(|it| it["model"] == "failing" && it["from_bronze"] != "same"), "{lines:?}");
    let lacking: Vec<&Value> = lines.iter().filter(|it| it["removed"].is_array()).collect();
    let is_told = |it: &&Value| it["absent"].as_array().is_some_and(|it| it.iter().any(|it| it == "raw_week"));
    assert!(!lacking.is_empty() && lacking.iter().all(is_told), "{lines:?}");
    // A stored row that somebody changed is found: of another effort the score is another one.
    let bits = rows(data, "SELECT input FROM risk_score WHERE model = 'failing' LIMIT 1");
    assert!(bits[0]["input"].as_str().expect("a row").contains("\"effort\":"), "{bits:?}");
    altered(&data.join("data/lake/risk_score"), "input", "replace(input, '\"effort\":', '\"effort\":1')");
    let (code, lines, wrong) = said(&mut of(data, &["warn", "replay", id, "--format", "json"]));
    assert_eq!(code, 1, "{lines:?} {wrong}");
    assert!(lines.iter().any(|it| it["model"] == "failing" && it["is_same"] == false), "{lines:?}");
}

#[test]
fn the_command_scores_as_the_night_does_and_a_second_time_changes_nothing() {
    let folder = anew();
    let data = folder.path();
    answer(data, &["warn", "train", "failing"]);
    let (code, _, wrong) = said(&mut of(data, &["run", "--now", NEXT]));
    assert_eq!(code, 0, "{wrong}");
    let scored = || {
        let query = "SELECT model, version, student_key, score, probability, input, is_offered FROM risk_score \
                     WHERE as_of_on = DATE '2025-04-29' ORDER BY model, student_key";
        rows(data, query)
    };
    let of_night = scored();
    assert!(of_night.iter().filter(|it| it["is_offered"] == true).count() == 12, "{}", of_night.len());
    // Without the scores of the night the command makes them from the same rows.
    std::fs::remove_dir_all(data.join("data/lake/risk_score")).expect("a table");
    for _ in 0..2 {
        let (code, _, wrong) = said(&mut of(data, &["warn", "score", "--now", NEXT, "--format", "json"]));
        assert_eq!(code, 0, "{wrong}");
        assert_eq!(scored(), of_night);
    }
}

#[test]
fn the_same_seed_makes_the_same_bytes_and_another_seed_does_not() {
    let (one, other) = (anew(), anew());
    let train = |folder: &Path, seed: &str| answer(folder, &["warn", "train", "failing", "--seed", seed]);
    let (first, second) = (train(one.path(), "7"), train(other.path(), "7"));
    assert_eq!(first, second);
    assert_eq!(first["hash"].as_str().expect("a hash").len(), 64);
    assert_ne!(train(other.path(), "8")["hash"], first["hash"]);
    let stored = "SELECT version, hash, bytes, reference FROM model_version";
    let before = rows(one.path(), stored);
    assert_eq!(train(one.path(), "7"), first);
    assert_eq!(rows(one.path(), stored), before, "the same version again changes nothing");
}

#[test]
fn a_model_that_does_not_beat_the_rule_is_not_offered() {
    let folder = anew();
    let trained = answer(folder.path(), &["warn", "train", "guessing"]);
    assert_eq!(trained["is_offered"], false, "{trained}");
    let why = trained["reason_en"].as_str().expect("words");
    assert!(why.contains("it does not beat the best rule (Little effort) by more than chance"), "{why}");
    let why = trained["reason_zh"].as_str().expect("words");
    assert!(why.contains("暂不用于提示：与最好的单条规则（投入较少）相比的差别不能排除偶然") && !why.contains('_'), "{why}");
    let (code, _, wrong) = said(&mut of(folder.path(), &["run", "--now", NEXT]));
    assert_eq!(code, 0, "{wrong}");
    let scored = rows(
        folder.path(),
        "SELECT count(*) AS n, sum(CASE WHEN is_offered THEN 1 ELSE 0 END) AS offered FROM risk_score WHERE as_of_on = DATE '2025-04-29'",
    );
    assert_eq!((scored[0]["n"].as_u64(), scored[0]["offered"].as_u64()), (Some(STUDENTS), Some(0)), "{scored:?}");
    assert_eq!(rows(folder.path(), "SELECT * FROM warning_candidate WHERE rule = 'guessing'"), Vec::<Value>::new());
}

#[test]
fn outcomes_of_somebody_else_are_worth_the_base_rate() {
    let honest = answer(school(), &["warn", "backtest", "failing"]);
    let random = answer(school(), &["warn", "backtest", "failing", "--random-labels"]);
    let figures = |it: &Value| {
        let report = &it["report"];
        let base = report["n_positive"].as_f64().expect("a count") / report["n_rows"].as_f64().expect("a count");
        let of = |it: &Value| it["precision"].as_f64().unwrap_or(0.0);
        (report["candidates"].as_array().expect("candidates").iter().map(of).collect::<Vec<f64>>(), base)
    };
    let (precisions, base) = figures(&honest);
    assert!(3.0 * base < precisions[0], "{precisions:?} beside {base}");
    // All that a page or a paper needs stands in the JSON; groups stand apart, for auditors.
    let report = &honest["report"];
    let chosen = |it: &&Value| it["name"] == honest["chosen"];
    let chosen = report["candidates"].as_array().expect("candidates").iter().find(chosen).expect("the chosen one");
    let calibration = &chosen["calibration"];
    assert!(!calibration["bands"].as_array().expect("bands").is_empty() && calibration["ece"].is_f64(), "{calibration}");
    let leads = &chosen["lead_times"];
    let warned = leads["days"].as_array().expect("days").iter().filter(|it| it.as_u64() != Some(0)).count() as u64;
    assert!(0 < warned && leads["n_warned"] == warned && leads["share_week"].is_f64(), "{leads}");
    assert!(chosen["lift_over_random"].is_f64() && chosen["lift_over_best_rule"].is_f64(), "{chosen}");
    assert!(chosen["groups"].as_object().expect("groups").is_empty(), "{chosen}");
    let (precisions, base) = figures(&random);
    // Sixteen lists of twelve: four standard errors of a share.
    let error = 4.0 * (base * (1.0 - base) / 192.0).sqrt();
    for precision in precisions {
        assert!((precision - base).abs() < error, "{precision} beside {base}");
    }
    assert_eq!(random["is_offered"], false, "{random}");
}

#[test]
fn an_input_that_knows_the_future_is_refused() {
    let folder = anew();
    // By its values: what the export itself should not have known.
    let (code, _, wrong) = said(&mut of(folder.path(), &["warn", "train", "knowing", "--now", NOW]));
    assert_eq!(code, 2, "{wrong}");
    assert!(wrong.contains("input \"later\" alone tells the outcome almost surely"), "{wrong}");
    // By its source: a measure of the label.
    let measure = std::fs::read_to_string(folder.path().join("sql/measures/effort.sql")).expect("a measure");
    let at = measure.find("SELECT").expect("a query");
    let leak = format!(
        "{}SELECT student_key, count(*) AS value, count(*) AS n, 1.0 AS cov FROM label_failure GROUP BY student_key\n",
        &measure[..at]
    );
    write(&folder.path().join("sql/measures/effort.sql"), &leak);
    let (code, _, wrong) = said(&mut of(folder.path(), &["check"]));
    assert_eq!(code, 2, "{wrong}");
    assert!(
        wrong.contains("reads label \"label_failure\": an outcome is for training and evaluation, and never an input"),
        "{wrong}"
    );
}

/// A project with a file in another's place must be refused by `check`, with these words.
#[track_caller]
fn check_refused(path: &str, text: &str, words: &[&str]) {
    let folder = TempDir::new().expect("a folder");
    project(folder.path());
    write(&folder.path().join(path), text);
    let (code, _, wrong) = said(&mut of(folder.path(), &["check"]));
    assert_eq!(code, 2, "{path}: {wrong}");
    assert!(words.iter().all(|it| wrong.contains(it)), "{path}: {wrong}");
}

#[test]
fn what_may_be_neither_label_nor_input_is_refused_by_name() {
    let failing = |inputs: &str, label: &str| risk(inputs, "\"low_effort\"", label, "academic");
    for name in [
        "screening_score",
        "counselling_visits",
        "case_n",
        "severity",
        "hospital_days",
        "religion",
        "ethnicity",
        "discipline_n",
        "complaints",
    ] {
        let input = failing(&format!("\"effort\", \"{name}\""), "label_failure");
        check_refused("sql/risk/failing.sql", &input, &[name, "may be neither input nor label of a risk model"]);
        let label = failing("\"effort\"", &format!("label_{name}"));
        check_refused("sql/risk/failing.sql", &label, &[name, "may be neither input nor label of a risk model"]);
    }
}

#[test]
fn what_hides_behind_an_innocent_name_is_refused_too() {
    let innocent = |from: &str| {
        format!(
            "/*---\nkind = \"label\"\nabout = \"A need.\"\ntitle_zh = \"需要\"\ntitle_en = \"a need\"\nowner = \"school\"\n\
             grain = [\"student_key\"]\nsubject = \"student_key\"\nhorizon = \"7d\"\ngap = \"1d\"\n[columns]\n\
             outcome = {{ about = \"Always true.\" }}\nevent_on = {{ about = \"Day.\" }}\nknown_on = {{ about = \"Day.\" }}\n---*/\n{from}\n"
        )
    };
    let by_table = innocent(
        "SELECT student_key, TRUE AS outcome, min(as_of_on) AS event_on, min(as_of_on) AS known_on FROM warning_student GROUP BY student_key",
    );
    check_refused("sql/labels/label_need.sql", &by_table, &["by a table that it is made of", "\"warning\""]);
    let by_column =
        innocent("SELECT student_key, severity > 1 AS outcome, failed_on AS event_on, failed_on AS known_on FROM stg_failure");
    check_refused("sql/labels/label_need.sql", &by_column, &["by a column", "\"severity\""]);
    // Nothing psychological has a risk model, and neither has safety.
    for thread in ["psych", "safety"] {
        let text = risk("\"effort\"", "\"low_effort\"", "label_failure", thread);
        check_refused("sql/risk/failing.sql", &text, &["a risk model is of study (academic) or of hardship (life_aid)"]);
    }
    let misspelt = risk("\"efort\"", "\"low_effort\"", "label_failure", "academic");
    check_refused("sql/risk/failing.sql", &misspelt, &["there is no measure \"efort\"; did you mean \"effort\"?"]);
}

#[test]
fn groups_are_for_the_auditor_and_figures_below_thirty_for_nobody() {
    let folder = anew();
    let data = folder.path();
    copy(&repository().join("policies"), &data.join("policies"), &|_| true);
    answer(data, &["warn", "train", "failing"]);
    // A Monday, on which audits are made.
    let (code, _, wrong) = said(&mut of(data, &["run", "--now", "2025-05-05"]));
    assert_eq!(code, 0, "{wrong}");
    let found = rows(data, "SELECT * FROM model_audit WHERE model = 'failing'");
    assert!(found.iter().any(|it| it["rate"] == "selection" && it["ratio"].is_number()), "{found:?}");
    assert!(found.iter().all(|it| 30 <= it["n_rows"].as_i64().expect("a count") || it["value"].is_null()), "{found:?}");
    let figure = |it: &Value, name: &str| it[name].as_f64().unwrap_or_else(|| panic!("no {name}: {it}"));
    for it in found.iter().filter(|it| it["value"].is_number()) {
        let (low, value, high) = (figure(it, "value_low"), figure(it, "value"), figure(it, "value_high"));
        assert!(low <= value && value <= high && low < high, "{it}");
    }
    for role in ["leader", "psychologist", "analyst", "administrator", "auditor"] {
        write(&data.join("password.txt"), "a long password of a tester\n");
        let password = std::fs::File::open(data.join("password.txt")).expect("a file");
        let (code, _, wrong) = said(of(data, &["user", "add", role, "--role", &format!("{role}:university")]).stdin(password));
        assert_eq!(code, 0, "{wrong}");
        let read = |query: &str| said(&mut of(data, &["sql", query, "--as", role, "--format", "json"])).0;
        assert_eq!(read("SELECT report FROM model_backtest"), 0, "{role}");
        let expected = if role == "auditor" { 0 } else { 2 };
        assert_eq!(read("SELECT subgroups FROM model_backtest"), expected, "{role}");
        assert_eq!(read("SELECT * FROM model_audit"), expected, "{role}");
        assert_eq!(read("SELECT * FROM risk_score"), 2, "{role}");
        assert_eq!(read("SELECT bytes FROM model_version"), 2, "{role}");
    }
}

#[test]
fn the_files_that_ship_are_sound() {
    let data = TempDir::new().expect("a folder");
    let (code, _, wrong) = said(&mut yizhan(data.path(), &["check"]));
    assert_eq!(code, 0, "{wrong}");
    let found = sql(crate::support::demo(), "SELECT DISTINCT as_of_on FROM risk_failed_course");
    assert!(!found.is_empty(), "the cohort was never built");
}

/// Trains, then lets a week come in which something moved, and a usual one behind it; the model must be frozen from the
/// first night on, by this input, until it is trained anew.
#[track_caller]
fn check_frozen(input: &str, is_coverage: bool, altered: &dyn Fn(f64, f64) -> (f64, Option<f64>)) {
    let folder = anew();
    let data = folder.path();
    assert_eq!(answer(data, &["warn", "train", "failing"])["is_offered"], true);
    // Each week's rows were known when they happened, as those of the first load are.
    let run = |now: &str| {
        for args in [&["ingest", "--backfill", "--now", now][..], &["run", "--now", now][..]] {
            let (code, _, wrong) = said(&mut of(data, args));
            assert_eq!(code, 0, "{wrong}");
        }
    };
    let state = |now: &str| {
        let (code, lines, wrong) = said(&mut of(data, &["warn", "status", "--format", "json", "--now", now]));
        assert_eq!(code, 0, "{wrong}");
        lines.into_iter().find(|it| it["model"] == "failing").expect("the model")
    };
    let offered = |on: &str| {
        let query =
            format!("SELECT count(*) AS n FROM risk_score WHERE model = 'failing' AND is_offered AND as_of_on = DATE '{on}'");
        rows(data, &query)[0]["n"].as_u64()
    };
    assert_eq!(state(NOW)["state"], "offered");
    let moved = |week: u64, effort: f64, sleep: f64| if week == WEEKS { altered(effort, sleep) } else { (effort, Some(sleep)) };
    exports(data, WEEKS + 1, &moved);
    run("2025-05-05");
    assert_eq!(offered("2025-05-05"), Some(0));
    let listed = rows(data, "SELECT * FROM risk_score WHERE model = 'failing' AND is_listed AND as_of_on = DATE '2025-05-05'");
    assert_eq!(listed.len(), 12, "it is scored, and kept to itself");
    let first = rows(
        data,
        "SELECT min(as_of_on) AS first, max(CASE WHEN is_coverage THEN 1 ELSE 0 END) AS coverage FROM model_drift WHERE level = 'freeze'",
    );
    assert_eq!(first[0]["coverage"].as_i64() == Some(1), is_coverage, "{first:?}");
    let frozen = state("2025-05-05");
    assert_eq!((&frozen["state"], &frozen["frozen_on"]), (&Value::from("frozen"), &first[0]["first"]), "{frozen}");
    assert!(frozen["moved"].as_array().expect("inputs").iter().any(|it| it == input), "{frozen}");
    let since = first[0]["first"].as_str().expect("a date");
    let (zh, en) = (frozen["reason_zh"].as_str().expect("words"), frozen["reason_en"].as_str().expect("words"));
    assert!(zh.contains(&format!("自 {since} 起停用")) && zh.contains(&format!("{input} 分")), "{zh}");
    assert!(en.contains(&format!("Frozen since {since}")) && en.contains("trained anew"), "{en}");

    // A usual week behind it thaws nothing: somebody has to look, and to train.
    exports(data, WEEKS + 2, &moved);
    run("2025-05-12");
    let quiet = "SELECT * FROM model_drift WHERE level = 'freeze' AND as_of_on = DATE '2025-05-12' AND model = 'failing'";
    assert_eq!(rows(data, quiet), Vec::<Value>::new());
    assert_eq!((state("2025-05-12")["state"].as_str(), offered("2025-05-12")), (Some("frozen"), Some(0)));
    let (code, _, wrong) = said(&mut of(data, &["warn", "train", "failing", "--now", "2025-05-13"]));
    assert_eq!(code, 0, "{wrong}");
    run("2025-05-13");
    assert_eq!((state("2025-05-13")["state"].as_str(), offered("2025-05-13")), (Some("offered"), Some(12)));
}

#[test]
fn values_that_moved_freeze_a_model_until_it_is_trained_anew() {
    check_frozen("effort", false, &|effort, sleep| (effort + 500.0, Some(sleep)));
}

#[test]
fn coverage_that_moved_freezes_a_model_until_it_is_trained_anew() {
    check_frozen("sleep", true, &|effort, sleep| (effort, Some(sleep).filter(|it| *it < 5.0)));
}

#[test]
fn what_an_office_is_told_is_no_care_offer_and_the_counselors_own_list_is_told_beside_the_others() {
    let folder = anew();
    let data = folder.path();
    let trained = answer(data, &["warn", "train", "aiding"]);
    assert_eq!(trained["is_offered"], true, "{trained}");
    assert!(trained["card"]["metrics"]["lift_over_own_list"].as_f64().is_some_and(|it| 1.0 < it), "{trained}");
    let tested = answer(data, &["warn", "backtest", "aiding"]);
    let own = tested["report"]["candidates"].as_array().expect("candidates").iter().find(|it| it["role"] == "own_list");
    // Those spoken with did little: a better list than chance, and a worse one than the model's.
    assert!(own.is_some_and(|it| it["lift_over_random"].as_f64().is_some_and(|it| 1.0 < it)), "{tested}");
    let decided = &tested["report"]["decisions"][0];
    assert!(decided["over_own_list"]["low"].is_number(), "{decided}");
    assert!(!decided["reason"].as_str().expect("words").contains("own"), "it decides nothing: {decided}");
    let (code, _, wrong) = said(&mut of(data, &["run", "--now", NEXT]));
    assert_eq!(code, 0, "{wrong}");
    let count = |query: &str| rows(data, query)[0]["n"].as_u64();
    assert_eq!(
        count(
            "SELECT count(*) AS n FROM risk_score WHERE model = 'aiding' AND is_offered AND as_of_on = (SELECT max(as_of_on) FROM risk_score)"
        ),
        Some(12)
    );
    assert_eq!(count("SELECT count(*) AS n FROM warning_candidate WHERE rule = 'aiding'"), Some(0));
}

#[test]
fn candidates_for_aid_are_told_by_money_alone() {
    let read = |path: &str| std::fs::read_to_string(repository().join(path)).expect("a file");
    let text = read("sql/risk/hardship.sql");
    let inputs = text.split("inputs     = [").nth(1).and_then(|it| it.split(']').next()).expect("inputs");
    let names: Vec<&str> = inputs.split('"').skip(1).step_by(2).map(|it| it.split('.').next().expect("a name")).collect();
    assert!(5 <= names.len(), "{names:?}");
    for name in names {
        assert!(read(&format!("sql/measures/{name}.sql")).contains("facet     = \"economy\""), "{name} is not of money");
    }
    let said_of = |word: &str| text.lines().any(|it| it.starts_with(word));
    assert!(said_of("class      = \"closed\"") && said_of("thread     = \"life_aid\""), "{text}");
    assert!(text.contains("\"closed_aid_gap.gap_fen\""), "the rule of hidden aid is a baseline");
}

#[test]
fn nobody_is_drawn_on_half_an_approval() {
    for (set, word) in
        [("warning.random.ethics_no=\"LL-7\"", "signed_by"), ("warning.random.signed_by=[\"head\", \"dean\"]", "ethics_no")]
    {
        let (code, _, wrong) = said(&mut of(school(), &["warn", "status", "--set", set]));
        assert_eq!(code, 2, "{wrong}");
        assert!(wrong.contains(word) && wrong.contains("warning.random"), "{wrong}");
    }
    // A name that is nobody's is no signature.
    let plan = format!("warning.random.plan_sha256=\"{}\"", "0f".repeat(32));
    let signed = [
        "--set",
        "warning.random.ethics_no=\"LL-7\"",
        "--set",
        "warning.random.signed_by=[\"head\", \"dean\"]",
        "--set",
        plan.as_str(),
    ];
    let folder = anew();
    let (code, _, wrong) = said(of(folder.path(), &["run", "--now", NEXT]).args(signed));
    assert_eq!(code, 2, "{wrong}");
    assert!(wrong.contains("\"head\", which is no account in use"), "{wrong}");
}
