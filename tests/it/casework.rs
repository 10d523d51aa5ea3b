//! Casework between lake and store: the night brings offers in once, what came of them comes back and counts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use casework::{Act, Code, Command, How, Kind, LabelScheme, Outcome, Reached, Relation, Role, Rules, Severity};
use serde_json::Value;
use store::{Edit, Page, Store, Who};
use tempfile::TempDir;

use crate::support::{copy, demo, run, said, sql, write, yizhan};

/// The instant as of which the demonstration ends, 2025-11-01T00:00:00+08:00.
const NOW: &str = "2025-11-01T00:00:00+08:00";
pub(crate) const NOW_US: i64 = 1_761_926_400_000_000;
pub(crate) const HOUR_US: i64 = 3_600_000_000;

/// A copy of the demonstration with the facts of its casework in the lake.
pub(crate) fn with_facts() -> TempDir {
    let data = TempDir::new().expect("a folder");
    copy(demo(), data.path(), &|_| true);
    take_in(data.path(), NOW);
    data
}

fn take_in(data: &Path, now: &str) {
    let exports = demo().join("exports");
    let mut command = yizhan(data, &["ingest", "case_state", "case_offer", "--now", now, "--input"]);
    let (code, _, wrong) = said(command.arg(exports));
    assert_eq!(code, 0, "{wrong}");
}

/// The store beside a lake, opened as the program opens it.
pub(crate) async fn open(data: &Path) -> Store {
    let config = store::Config {
        path: data.join("store/yizhan.sqlite"),
        key_path: data.join("keys/vault.key"),
        mint: store::Mint::Seeded(7),
    };
    Store::open(&config).await.expect("the store")
}

pub(crate) fn on_a_runtime<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime").block_on(work)
}

fn n(data: &Path, query: &str) -> i64 {
    sql(data, query)[0]["n"].as_i64().expect("a count")
}

fn stage<'a>(reports: &'a [Value], name: &str) -> &'a Value {
    reports.iter().find(|it| it["stage"] == name).unwrap_or_else(|| panic!("no stage {name}: {reports:?}"))
}

#[test]
fn the_night_takes_up_every_offer_once() {
    let data = with_facts();
    let newest = "as_of_on = (SELECT max(as_of_on) FROM portrait_student)";
    let offered = n(data.path(), &format!("SELECT count(DISTINCT warning_id) AS n FROM warning_student WHERE {newest}"));
    assert!(10 < offered, "the demonstration offers something");
    let taken = "SELECT count(*) AS n FROM stg_case_offer";
    assert_eq!(n(data.path(), taken), offered);
    let steps = "SELECT count(*) AS n FROM stg_case_state";
    assert_eq!(n(data.path(), steps), offered, "one step a case");
    // Findings open checks, offers open cases, and nothing of the data stands above 2.
    let wrong = n(
        data.path(),
        "SELECT count(*) AS n FROM stg_case_state INNER JOIN stg_case_offer ON stg_case_offer.thread_key = stg_case_state.thread_key \
         INNER JOIN (SELECT DISTINCT warning_id, severity FROM warning_student) AS told ON told.warning_id = stg_case_offer.warning_id \
         WHERE (told.severity IS NULL) <> (stg_case_state.step = 'check_opened') OR stg_case_state.severity > 2",
    );
    assert_eq!(wrong, 0);

    // The second night of the same date finds all of it known, and the third as well.
    for _ in 0..2 {
        let reports = run(data.path(), &demo().join("exports"), NOW);
        let cases = stage(&reports, "cases");
        assert_eq!((&cases["rows_in"], &cases["rows_out"]), (&offered.into(), &0.into()), "{cases}");
        assert_eq!((n(data.path(), taken), n(data.path(), steps)), (offered, offered));
    }
    let (code, lines, wrong) = said(&mut yizhan(data.path(), &["cases", "tick", "--now", NOW, "--format", "json"]));
    assert_eq!((code, &lines[0]["entered_n"]), (0, &Value::from(0)), "{wrong}");

    // A night that was cut before its note of the date is begun again, and doubles nothing; what is late goes one up, once.
    let late = "2025-11-01T03:00:00+08:00";
    let (_, lines, wrong) = said(&mut yizhan(data.path(), &["cases", "tick", "--now", late, "--format", "json"]));
    let checks = n(data.path(), "SELECT count(*) AS n FROM stg_case_state WHERE step = 'check_opened'");
    assert_eq!(lines[0]["moved_n"], checks, "the first rung of a check is due in minutes: {lines:?} {wrong}");
    assert_eq!(lines[0]["entered_n"], 0);
    take_in(data.path(), late);
    assert_eq!(n(data.path(), "SELECT count(*) AS n FROM raw_case_state WHERE step = 'escalated'"), checks);
}

#[test]
fn with_no_hours_at_all_every_safety_check_is_opened_and_nothing_else() {
    let data = TempDir::new().expect("a folder");
    let exports = demo().join("exports");
    let none = [
        "run",
        "--set",
        "transform.as_of_days=1",
        "--set",
        "warning.capacity.hours_a_week=0.0",
        "--format",
        "json",
        "--now",
        NOW,
        "--input",
    ];
    let (code, reports, wrong) = said(yizhan(data.path(), &none).arg(&exports));
    assert_eq!(code, 0, "{wrong}");
    let findings = n(
        data.path(),
        "SELECT count(DISTINCT warning_id) AS n FROM warning_student WHERE as_of_on = (SELECT max(as_of_on) FROM portrait_student) AND severity IS NULL",
    );
    assert!(0 < findings, "somebody left no trace");
    assert_eq!(stage(&reports, "cases")["rows_out"], findings);
    take_in(data.path(), NOW);
    let opened = sql(data.path(), "SELECT kind, step, count(DISTINCT thread_key) AS n FROM raw_case_state GROUP BY kind, step");
    assert_eq!(opened.len(), 1, "{opened:?}");
    assert_eq!(
        (&opened[0]["kind"], &opened[0]["step"], &opened[0]["n"]),
        (&"safety".into(), &"check_opened".into(), &findings.into())
    );
}

/// Closes every open case but safety checks: studies as needing no support, the others as having needed it.
async fn close_all(store: &Store, students: &[i64], now_us: i64) -> (i64, i64) {
    let cases = store.cases();
    cases.assign(Relation::Counselor, "closer", students, now_us).await.expect("assigned");
    let who = Who { account: "closer".to_owned(), role: Role::Counselor };
    let page = Page { after: None, limit: 500 };
    let rows = cases.queue(&who, page, &LabelScheme::default(), now_us + 1).await.expect("a list");
    let (mut needed, mut not_needed) = (0, 0);
    for row in rows.iter().filter(|it| it.kind != Kind::Safety) {
        let outcome = if row.kind == Kind::Academic { Outcome::NoSupportNeeded } else { Outcome::NeededSupport };
        if outcome == Outcome::NeededSupport {
            needed += 1
        } else {
            not_needed += 1
        }
        let severity = row.severity.as_ref().and_then(|it| it.severity).unwrap_or(Severity::Attention);
        let mut version = row.version;
        for act in [
            Act::Claim {},
            Act::Contact { reached: Reached::InPerson },
            Act::Assess { severity },
            Act::Plan {},
            Act::Review { is_quiet: true },
            Act::Close { outcome, reached: Reached::InPerson, how: How::Single },
        ] {
            let command = Command { act, reason: Code::new("as_seen").expect("a code") };
            let edit =
                Edit {
                    thread_key: row.thread_key, seen_version: version, command: &command, note: Some("说了些家里的事")
                };
            version = cases.execute(edit, &who, &Rules::default(), now_us + HOUR_US).await.expect("done").version;
        }
    }
    (needed, not_needed)
}

/// A rule that finds every seventh student: so many that what came of it can be counted.
fn every_seventh(place: u8, channel: &str, thread: &str) -> String {
    format!(
        "/*---\nkind = \"rule\"\nabout = \"Every seventh student.\"\ntitle_zh = \"每七名之一\"\ntitle_en = \"One of seven\"\n\
         owner = \"student_affairs_office\"\nsubject = \"student_key\"\npurpose = [\"trend_warning\"]\nchannel = \"{channel}\"\n\
         thread = \"{thread}\"\nseverity = 1\nunit = \"count\"\ncaveat_zh = \"不说明原因。\"\ncaveat_en = \"It gives no reason.\"\n---*/\n\
         SELECT student_key, $as_of AS since_on, 0 AS baseline, 1 AS now_value, 1 AS n, 1.0 AS cov, '每七名之一。' AS reason_zh, \
         'One of seven.' AS reason_en, '' AS explanations, NULL AS last_seen_at, NULL AS last_seen_source\n\
         FROM dim_student WHERE as_of_on = $as_of AND is_enrolled AND abs(student_key % 7) = {place}\n"
    )
}

#[test]
fn what_came_of_a_case_comes_back_and_counts_for_the_rules_that_offered() {
    let data = with_facts();
    // A school's own files: a rule may be proposed after fewer closed offers and more is expected of it, and two rules find
    // enough students to tell what came of them.
    let project = TempDir::new().expect("a folder");
    let card = std::fs::read_to_string(crate::support::repository().join("sql/learning/rule_scorecard.sql")).expect("the file");
    assert!(card.contains("closed_min   = 200") && card.contains("useful_min   = 20"), "{card}");
    let card = card.replace("closed_min   = 200", "closed_min   = 10").replace("useful_min   = 20", "useful_min   = 10");
    write(&project.path().join("sql/learning/rule_scorecard.sql"), &card);
    write(&project.path().join("sql/warning/seventh_of_study.sql"), &every_seventh(1, "class", "academic"));
    write(&project.path().join("sql/warning/seventh_of_life.sql"), &every_seventh(2, "meal", "life_aid"));
    write(&project.path().join("yizhan.toml"), "");
    let text = project.path().display().to_string();
    let night = ["run", "--project", &text, "--now", "2025-11-02T00:00:00+08:00", "--input"];
    let (code, _, wrong) = said(yizhan(data.path(), &night).arg(demo().join("exports")));
    assert_eq!(code, 0, "{wrong}");
    let students: Vec<i64> = sql(data.path(), "SELECT DISTINCT student_key FROM stg_case_offer")
        .iter()
        .map(|it| it["student_key"].as_i64().expect("a key"))
        .collect();
    let (needed, not_needed) =
        on_a_runtime(async { close_all(&open(data.path()).await, &students, NOW_US + 24 * HOUR_US).await });
    assert!(10 <= needed && 10 <= not_needed, "too few to be told: {needed}, {not_needed}");

    take_in(data.path(), "2025-11-02T20:00:00+08:00");
    let build = ["transform", "--now", "2025-11-04T00:00:00+08:00", "--project", &text];
    let (code, _, wrong) = said(&mut yizhan(data.path(), &build));
    assert_eq!(code, 0, "{wrong}");

    let closed = sql(
        data.path(),
        "SELECT outcome, count(*) AS n FROM stg_case_state WHERE state = 'closed' GROUP BY outcome ORDER BY outcome",
    );
    let counts: Vec<(&Value, &Value)> = closed.iter().map(|it| (&it["outcome"], &it["n"])).collect();
    assert_eq!(counts, [(&"needed_support".into(), &needed.into()), (&"no_support_needed".into(), &not_needed.into())]);
    // Nothing that somebody wrote, and nobody who wrote it, has left.
    let rows: Vec<String> = sql(data.path(), "SELECT * FROM raw_case_state").iter().map(ToString::to_string).collect();
    assert!(rows.iter().all(|it| !it.contains("closer") && !it.contains("家里")));

    // The score card, counted anew from the rows by hand.
    let offers = sql(data.path(), "SELECT DISTINCT warning_id, rules FROM warning_student WHERE as_of_on <= DATE '2025-11-03'");
    let outcomes = sql(
        data.path(),
        "SELECT stg_case_offer.warning_id, stg_case_state.outcome FROM stg_case_offer \
         INNER JOIN stg_case_state ON stg_case_state.thread_key = stg_case_offer.thread_key AND stg_case_state.state = 'closed'",
    );
    let outcome_of: BTreeMap<&str, &str> =
        outcomes.iter().map(|it| (it["warning_id"].as_str().expect("an id"), it["outcome"].as_str().expect("a code"))).collect();
    let mut offers_of: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for offer in &offers {
        for rule in offer["rules"].as_str().expect("words").split(',') {
            offers_of.entry(rule).or_default().insert(offer["warning_id"].as_str().expect("an id"));
        }
    }
    let cards = sql(data.path(), "SELECT * FROM rule_scorecard WHERE as_of_on = DATE '2025-11-03' ORDER BY rule");
    assert_eq!(
        cards.iter().map(|it| it["rule"].as_str().expect("a rule")).collect::<Vec<_>>(),
        offers_of.keys().copied().collect::<Vec<_>>()
    );
    let told = |n: usize| if 10 <= n { Value::from(n) } else { Value::Null };
    let mut proposed = 0;
    for card in &cards {
        let ids = &offers_of[card["rule"].as_str().expect("a rule")];
        let with = |wanted: &str| ids.iter().filter(|it| outcome_of.get(*it) == Some(&wanted)).count();
        let (yes, no) = (with("needed_support"), with("no_support_needed"));
        assert_eq!(card["offered_n"], told(ids.len()), "{card}");
        assert_eq!((&card["closed_n"], &card["needed_support_n"]), (&told(yes + no), &told(yes)), "{card}");
        assert_eq!(card["no_support_needed_n"], told(no), "{card}");
        assert_eq!(card["referred_n"], Value::Null, "{card}");
        if 10 <= yes {
            let (x, n, z) = (yes as f64, (yes + no) as f64, 1.96_f64);
            let half = z * (x * (n - x) / n + z * z / 4.0).sqrt();
            let expected = [x / n, (x + z * z / 2.0 - half) / (n + z * z), (x + z * z / 2.0 + half) / (n + z * z)];
            for (name, expected) in ["acted_on_share", "acted_on_share_lower", "acted_on_share_upper"].iter().zip(expected) {
                let found = card[name].as_f64().expect("a share");
                assert!((found - expected).abs() < 1e-9, "{name} {expected}: {card}");
            }
        } else {
            assert_eq!(card["acted_on_share"], Value::Null, "{card}");
        }
        let is_retired = 10 <= yes + no && 10 * yes < yes + no;
        assert_eq!(card["proposal"], if is_retired { Value::from("retire") } else { Value::Null }, "{card}");
        proposed += usize::from(is_retired);
    }
    assert!(0 < proposed, "no rule was of no use: {cards:?}");
    assert!(cards.iter().any(|it| it["is_finding"] == true && it["proposal"].is_null()));

    // What came of them weighs the rules of the next offers, by the rows counted by hand; who had been of use stands ahead.
    let mut of_rule: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    let earlier = sql(
        data.path(),
        "SELECT DISTINCT warning_id, rules FROM warning_student WHERE as_of_on < DATE '2025-11-03' AND severity IS NOT NULL",
    );
    let mut ids_of: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for offer in &earlier {
        for rule in offer["rules"].as_str().expect("words").split(',') {
            ids_of.entry(rule).or_default().insert(offer["warning_id"].as_str().expect("an id"));
        }
    }
    for (rule, ids) in &ids_of {
        let closed: Vec<&&str> = ids.iter().filter_map(|it| outcome_of.get(*it)).collect();
        if 10 <= closed.len() {
            let useful = closed.iter().filter(|it| ***it == "needed_support").count();
            of_rule.insert(*rule, (closed.len() as f64, useful as f64));
        }
    }
    let all = of_rule.values().fold((0.0, 0.0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
    let all = (all.1 + 1.0) / (all.0 + 2.0);
    let next = sql(
        data.path(),
        "SELECT warning_id, input, reason_zh FROM warning_student WHERE as_of_on = DATE '2025-11-03' AND severity IS NOT NULL",
    );
    let (mut weighed, mut told_n) = (0, 0);
    for offer in &next {
        let evidence: Value = serde_json::from_str(offer["input"].as_str().expect("evidence")).expect("JSON");
        for it in evidence["witnesses"].as_array().expect("witnesses") {
            let expected = of_rule.get(it["rule"].as_str().expect("a rule")).map_or(1.0, |(closed, useful)| {
                let prior = 20.0 * all;
                ((useful + prior) / (closed * all + prior) * 100.0).round() / 100.0
            });
            assert_eq!(it["worth"].as_f64(), Some(expected), "{it} {of_rule:?}");
            weighed += usize::from(expected != 1.0);
            if expected <= 0.8 {
                assert!(offer["reason_zh"].as_str().expect("reasons").contains("排得靠后"), "{offer}");
                told_n += 1;
            }
        }
    }
    assert!(0 < weighed && 0 < told_n, "nothing was learnt: {of_rule:?} {next:?}");
    let id = next[0]["warning_id"].as_str().expect("an id");
    let (code, lines, wrong) = said(&mut yizhan(data.path(), &["warn", "replay", id, "--format", "json"]));
    assert!(code == 0 && lines.iter().any(|it| it["evidence"].is_object() && it["is_same"] == true), "{lines:?} {wrong}");

    // Who was spoken with about studies is known to the risk models, so that the help is not learnt as luck.
    let helped = n(data.path(), "SELECT count(DISTINCT student_key) AS n FROM academic_help");
    let academic = n(
        data.path(),
        "SELECT count(DISTINCT student_key) AS n FROM stg_case_state WHERE kind = 'academic' AND step = 'contacted'",
    );
    assert_eq!(helped, academic);
    assert!(0 < helped, "nobody was spoken with about studies");

    let figures = sql(data.path(), "SELECT * FROM cockpit_case_outcome WHERE as_of_on = DATE '2025-11-03'");
    assert_eq!(figures.len(), 1);
    assert_eq!(
        (&figures[0]["closed_n"], &figures[0]["no_support_needed_n"]),
        (&(needed + not_needed).into(), &not_needed.into())
    );
    assert_eq!(figures[0]["excluded_n"], Value::Null);
    let share = figures[0]["no_support_needed_share"].as_f64().expect("a share");
    assert!((share - not_needed as f64 / (needed + not_needed) as f64).abs() < 1e-12, "{share}");

    // That somebody has a case is nobody's to read.
    for role in ["analyst", "counselor", "psychologist", "leader", "student"] {
        for table in ["stg_case_state", "stg_case_offer", "raw_case_state"] {
            let (code, _, wrong) = said(&mut yizhan(data.path(), &["sql", &format!("SELECT * FROM {table}"), "--as", role]));
            assert_eq!(code, 2, "{role} {table}: {wrong}");
        }
    }
}
