//! Refused rows wait sealed, enter once under a mended contract, and go back to who must correct them.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{copy, repository, said, small, sql, write, yizhan};

const FIRST: &str = "2025-09-05T06:00:00+08:00";
const REPLAY: &str = "2025-09-06T06:00:00+08:00";
const REPLAY_UTC: &str = "2025-09-05T22:00:00Z";

/// A project with a folder of exports and a lake.
struct Project {
    folder: TempDir,
}

impl Project {
    fn new(settings: &str) -> Self {
        let folder = TempDir::new().expect("a folder");
        std::fs::create_dir_all(folder.path().join("input")).expect("a folder");
        write(&folder.path().join("yizhan.toml"), &format!("packs = [\"campus\"]\n{settings}"));
        Self { folder }
    }

    /// Four days of payments under a contract that does not know hot water, and refuses no feed for it.
    fn without_water() -> Self {
        let project = Self::new("");
        let days = ["20250901", "20250902", "20250903", "20250904"];
        copy(small(), &project.path("input"), &|it| {
            it.contains("approval") || days.iter().any(|day| it == format!("card_{day}.csv"))
        });
        project.contract(&card(false));
        project
    }

    fn path(&self, path: &str) -> std::path::PathBuf {
        self.folder.path().join(path)
    }

    fn data(&self) -> std::path::PathBuf {
        self.path("data")
    }

    fn contract(&self, text: &str) {
        write(&self.path("pipelines/card_txn.toml"), text);
    }

    fn command(&self, args: &[&str], now: &str) -> Command {
        let mut command = yizhan(&self.data(), args);
        command.args(["--format", "json", "--now", now, "--project"]).arg(self.folder.path());
        command
    }

    #[track_caller]
    fn run(&self, args: &[&str], now: &str) -> Vec<Value> {
        let (code, lines, text) = said(&mut self.command(args, now));
        assert_eq!(code, 0, "{args:?}: {text}");
        lines
    }

    #[track_caller]
    fn replay(&self) -> Value {
        self.run(&["quarantine", "replay"], REPLAY).into_iter().next().unwrap_or_default()
    }

    fn sql(&self, query: &str) -> Vec<Value> {
        let (code, rows, text) = said(&mut self.command(&["sql", query], REPLAY));
        assert_eq!(code, 0, "{query}: {text}");
        rows
    }

    fn n(&self, query: &str) -> i64 {
        self.sql(query)[0]["n"].as_i64().unwrap_or_else(|| panic!("{query}: no count"))
    }
}

fn card(knows_water: bool) -> String {
    let text = std::fs::read_to_string(repository().join("pipelines/card_txn.toml")).expect("the pack's own");
    let text = text.replace("usual_delay", "reject_share_max = 1.0\nusual_delay");
    if knows_water { text } else { text.replace("\"开水\" = \"water\", ", "") }
}

fn n(report: &Value, name: &str) -> i64 {
    report[name].as_i64().unwrap_or_else(|| panic!("{report} has no {name}"))
}

/// Payments as they would be had nothing been refused; `known_at` is what a replay may differ in.
const PAYMENTS: &str = "SELECT txn_id, student_key, terminal_id, merchant_kind, amount_fen, balance_fen, occurred_at, occurred_on, \
                        minute_of_day, row_hash, file_no, row_no FROM raw_card_txn ORDER BY txn_id, file_no, row_no";

#[test]
fn rows_wait_for_a_mended_contract_and_enter_once() {
    let project = Project::without_water();
    let report = &project.run(&["ingest"], FIRST)[1];
    let water = report["reasons"]["code"].as_i64().expect("rows with a code");
    let others = n(report, "rows_quarantined") - water;
    assert!(20 < water && 0 < others, "{report}");
    let waits = |project: &Project| -> Vec<(String, i64)> {
        let found = project.run(&["quarantine", "list"], REPLAY);
        found.iter().map(|it| (it["reason"].as_str().expect("a reason").to_owned(), n(it, "rows_n"))).collect()
    };
    assert!(waits(&project).iter().any(|it| it.0 == "code" && it.1 == water));

    // Nothing is mended, so nothing enters.
    let report = project.replay();
    assert_eq!((n(&report, "rows_kept"), n(&report, "rows_quarantined")), (0, water + others), "{report}");

    project.contract(&card(true));
    let mut command = project.command(&["quarantine", "replay", "card_txn", "--reason", "code"], REPLAY);
    let (code, reports, text) = said(&mut command);
    assert_eq!(code, 0, "{text}");
    let kept = n(&reports[0], "rows_kept");
    assert!(0 < kept && kept + n(&reports[0], "rows_quarantined") == water, "{reports:?}");
    let left = others + water - kept;
    assert!(!format!("{reports:?}{text}").contains("2022000"), "numbers of students are shown: {reports:?}{text}");
    assert_eq!(waits(&project).iter().map(|it| it.1).sum::<i64>(), left, "only what still waits is listed");

    let known = project.sql("SELECT DISTINCT known_at, is_known_assumed FROM raw_card_txn WHERE merchant_kind = 'water'");
    assert_eq!(known.len(), 1, "{known:?}");
    assert_eq!(
        (&known[0]["known_at"], &known[0]["is_known_assumed"]),
        (&Value::from(REPLAY_UTC), &Value::from(false)),
        "{known:?}"
    );

    let again = project.replay();
    assert_eq!((n(&again, "rows_in"), n(&again, "rows_kept")), (left, 0), "a second time nothing enters: {again}");

    let calm = Project::without_water();
    calm.contract(&card(true));
    calm.run(&["ingest"], FIRST);
    assert_eq!(project.sql(PAYMENTS), calm.sql(PAYMENTS), "the lake is as if they had never waited");
    project.run(&["transform", "--select", "stg_card_txn"], REPLAY);
    calm.run(&["transform", "--select", "stg_card_txn"], REPLAY);
    let staged = "SELECT count(*) AS n FROM stg_card_txn";
    assert_eq!(project.n(staged), calm.n(staged));
}

#[test]
fn a_replay_that_was_killed_loses_nothing_and_doubles_nothing() {
    let project = Project::without_water();
    project.run(&["ingest"], FIRST);
    project.contract(&card(true));
    for delay_ms in [40, 80, 120, 160, 200, 260, 340] {
        let mut child = project
            .command(&["quarantine", "replay"], REPLAY)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        std::thread::sleep(Duration::from_millis(delay_ms));
        child.kill().expect("kill -9");
        child.wait().expect("it ends");
    }
    project.run(&["quarantine", "replay"], REPLAY);
    // As a crash between the two commits leaves it: the rows are in, and no mark says so.
    std::fs::remove_dir_all(project.path("data/lake/ops_quarantine_replayed")).expect("the marks");
    let before = project.sql(PAYMENTS);
    let report = project.replay();
    assert_eq!(n(&report, "rows_kept"), 0, "{report}");
    assert_eq!(project.sql(PAYMENTS), before);
    assert!(0 < project.n("SELECT count(*) AS n FROM ops_quarantine_replayed WHERE outcome = 'kept'"), "the marks are back");

    let calm = Project::without_water();
    calm.contract(&card(true));
    calm.run(&["ingest"], FIRST);
    assert_eq!(before, calm.sql(PAYMENTS));
}

#[test]
fn a_row_that_came_again_in_a_corrected_file_is_not_doubled() {
    let project = Project::without_water();
    project.run(&["ingest"], FIRST);
    let calm = Project::without_water();
    for it in [&project, &calm] {
        it.contract(&card(true));
    }
    // The office exports the day again, with one line more, so that the content is another.
    let path = project.path("input/card/card_20250902.csv");
    let mut bytes = std::fs::read(&path).expect("a day");
    bytes.extend_from_slice(b"\r\n");
    std::fs::write(project.path("input/card/card_20250902_corrected.csv"), bytes).expect("written");
    project.run(&["ingest"], FIRST);
    calm.run(&["ingest"], FIRST);
    assert!(0 < n(&project.replay(), "rows_kept"));
    let staged = "SELECT txn_id, count(*) AS n FROM stg_card_txn GROUP BY txn_id ORDER BY txn_id";
    for it in [&project, &calm] {
        it.run(&["transform", "--select", "stg_card_txn"], REPLAY);
    }
    assert_eq!(project.sql(staged), calm.sql(staged));
}

/// A contract of a register by hand; `codes` are those it knows.
fn thing(export: &str, codes: &str) -> String {
    format!(
        r#"[pipeline]
name = "thing"
about = "Things."
shape = "state"
export = "{export}"
owner = "office"
purpose = ["service"]
retention = "1y"
source = {{ format = "csv", path = "thing/*.csv" }}
[contract]
version = 1
key = ["id"]
on_conflict = "latest"
usual_delay = "1d"
reject_share_max = 1.0
[columns]
id = {{ head = "编号", type = "text", required = true, class = "internal", about = "Number." }}
student = {{ head = "学号", type = "text", person = "student", class = "identity", about = "Student." }}
name = {{ head = "姓名", type = "text", class = "identity", about = "Name." }}
state = {{ head = "状态", type = "text", required = true, class = "internal", about = "State.", codes = {{ {codes} }} }}
"#
    )
}

fn register(export: &str) -> Project {
    let project = Project::new("[ingest]\napprovals = \"off\"\n");
    write(&project.path("pipelines/thing.toml"), &thing(export, "\"新\" = \"new\""));
    project
}

impl Project {
    fn export(&self, name: &str, rows: &str) {
        write(&self.path("input/thing").join(name), &format!("编号,学号,姓名,状态\n{rows}"));
    }

    /// Versions as `id state known superseded`, the instants by their day.
    fn versions(&self, now: &str) -> Vec<String> {
        self.run(&["transform", "--select", "stg_thing"], now);
        let found = self.sql("SELECT id, state, CAST(known_at AS VARCHAR) AS known, CAST(superseded_at AS VARCHAR) AS ended FROM stg_thing ORDER BY id, known_at");
        let day = |it: &Value| it.as_str().map_or("-".to_owned(), |it| it.chars().take(10).collect());
        let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
        found
            .iter()
            .map(|it| format!("{} {} {} {}", text(&it["id"]), text(&it["state"]), day(&it["known"]), day(&it["ended"])))
            .collect()
    }
}

#[test]
fn an_old_state_does_not_come_back_over_a_newer_one() {
    let project = register("changes");
    project.export("week_1.csv", "1,,,新\n");
    project.run(&["ingest"], "2025-09-01");
    project.export("week_2.csv", "1,,,办\n2,,,办\n3,,,办\n3,,,办结\n");
    project.run(&["ingest"], "2025-09-02");
    project.export("week_3.csv", "1,,王五,新\n");
    project.run(&["ingest"], "2025-09-03");
    write(&project.path("pipelines/thing.toml"), &thing("changes", "\"新\" = \"new\", \"办\" = \"open\", \"办结\" = \"done\""));
    let report = &project.run(&["quarantine", "replay"], "2025-09-04")[0];
    // Of 1 a later row is in; of 3 the later of the two holds.
    assert_eq!((n(report, "rows_in"), n(report, "rows_kept"), n(report, "rows_skipped")), (4, 2, 2), "{report}");
    let versions = project.versions("2025-09-04");
    assert!(versions.iter().all(|it| !it.starts_with("1 open")), "{versions:?}");
    assert!(
        versions.contains(&"2 open 2025-09-03 -".to_owned()) && versions.contains(&"3 done 2025-09-03 -".to_owned()),
        "{versions:?}"
    );
    assert_eq!(project.run(&["quarantine", "replay"], "2025-09-05").len(), 0, "nothing waits any more");
}

#[test]
fn rows_of_a_full_export_come_back_without_ending_the_others() {
    let project = register("full");
    project.export("1.csv", "a,,,新\nb,,,办\nz,,,新\n");
    project.run(&["ingest"], "2025-09-01");
    project.export("2.csv", "a,,,新\nb,,,办\nc,,,办\n");
    project.run(&["ingest"], "2025-09-02");
    let before = project.versions("2025-09-02");
    write(&project.path("pipelines/thing.toml"), &thing("full", "\"新\" = \"new\", \"办\" = \"open\""));
    let report = &project.run(&["quarantine", "replay"], "2025-09-03")[0];
    // What the older export said of b is over: the newer one says it again.
    assert_eq!((n(report, "rows_in"), n(report, "rows_kept"), n(report, "rows_skipped")), (3, 2, 1), "{report}");
    let after = project.versions("2025-09-03");
    let new = ["b open 2025-09-02 -".to_owned(), "c open 2025-09-02 -".to_owned()];
    let expected: Vec<String> = {
        let mut all: Vec<String> = before.iter().cloned().chain(new).collect();
        all.sort();
        all
    };
    assert_eq!(after, expected, "the versions of the others are as they were");
    assert_eq!(project.run(&["quarantine", "replay"], "2025-09-04").len(), 0);

    // As a crash behind the commit of the rows leaves it.
    std::fs::remove_dir_all(project.path("data/lake/ops_quarantine_replayed")).expect("the marks");
    project.run(&["quarantine", "replay"], "2025-09-04");
    assert_eq!(project.versions("2025-09-04"), expected);

    project.export("3.csv", "a,,,新\nb,,,办\n");
    project.run(&["ingest"], "2025-09-05");
    let ended = project.versions("2025-09-05");
    assert!(ended.contains(&"c open 2025-09-02 2025-09-04".to_owned()), "who a later export lacks has ended: {ended:?}");
    assert!(ended.contains(&"b open 2025-09-02 -".to_owned()), "{ended:?}");
}

#[test]
fn a_sheet_is_replayed_with_its_dates() {
    // Beds come as a workbook, and this campus does not know the numbers of the newcomers yet.
    let project = Project::new("[person.student]\npattern = '202[234]\\d{6}'\n");
    copy(small(), &project.path("input"), &|it| it.contains("approval") || it == "bed_assignment.xlsx");
    let own = std::fs::read_to_string(repository().join("pipelines/bed_assignment.toml")).expect("the pack's own");
    write(&project.path("pipelines/bed_assignment.toml"), &own.replace("usual_delay", "reject_share_max = 1.0\nusual_delay"));
    let report = project.run(&["ingest", "bed_assignment"], FIRST).pop().expect("a report");
    let waiting = n(&report, "rows_quarantined");
    assert!(0 < waiting && 0 < n(&report, "rows_kept"), "{report}");
    write(&project.path("yizhan.toml"), "packs = [\"campus\"]\n");
    assert_eq!(n(&project.replay(), "rows_kept"), waiting);
    let beds = "SELECT student_key, room_id, bed, moved_in_on, moved_out_on, occurred_at FROM raw_bed_assignment \
                WHERE file_no = (SELECT max(file_no) FROM raw_bed_assignment) ORDER BY student_key, moved_in_on";
    let calm = Project::new("");
    copy(small(), &calm.path("input"), &|it| it.contains("approval") || it == "bed_assignment.xlsx");
    calm.run(&["ingest", "bed_assignment"], FIRST);
    assert_eq!(project.sql(beds), calm.sql(beds));
}

#[test]
fn whoever_corrects_an_export_gets_the_rows_with_what_is_wrong_and_the_log_says_so() {
    let project = register("changes");
    project.export("week_1.csv", "1,2023000001,张三,新\n2,2023000002,李四,办\n3,2023000003,=1+1,新,多\n");
    project.run(&["ingest"], "2025-09-01");
    let out = project.path("input/mended/thing.xlsx");
    std::fs::create_dir_all(out.parent().expect("a folder")).expect("a folder");
    let export = |reason: &str| {
        let out = out.to_str().expect("a path");
        said(&mut project.command(&["quarantine", "export", "thing", "--reason", reason, "--out", out], REPLAY))
    };
    assert_eq!(export(" ").0, 2, "a reason is asked for");
    let (code, _, text) = export("学工处修正导出");
    assert_eq!(code, 0, "{text}");
    assert!(!text.contains("2023000002") && !text.contains("李四"), "{text}");
    assert_eq!(export("again").0, 2, "no file is written over");

    // The door itself reads the workbook back: heads, values and the last column.
    let text = thing("changes", "\"新\" = \"new\", \"办\" = \"open\"")
        .replace("\"thing\"", "\"mended\"")
        .replace("format = \"csv\", path = \"thing/*.csv\"", "format = \"xlsx\", path = \"mended/*.xlsx\"")
        + "more = { head = \"第 5 列 / column 5\", type = \"text\", class = \"internal\", about = \"More.\" }\n"
        + "why = { head = \"原因 / reason\", type = \"text\", class = \"internal\", about = \"Reason.\" }\n";
    write(&project.path("pipelines/mended.toml"), &text);
    project.run(&["ingest", "mended"], REPLAY);
    let found = project.sql("SELECT id, state, more, why FROM raw_mended ORDER BY id");
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!((found[0]["id"].as_str(), found[0]["state"].as_str()), (Some("2"), Some("open")), "{found:?}");
    let why = found[0]["why"].as_str().expect("a reason");
    assert!(why.contains("状态：不在允许的取值之内") && why.contains("state: none of the values allowed (code)"), "{why}");
    assert_eq!((found[1]["id"].as_str(), found[1]["more"].as_str()), (Some("3"), Some("多")), "{found:?}");

    let noted = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute(\"SELECT action, resource, purpose, row_count, \
                 outcome FROM audit_event\").fetchall())";
    let log =
        Command::new("python3").args(["-c", noted]).arg(project.path("data/store/yizhan.sqlite")).output().expect("python3");
    let log = String::from_utf8_lossy(&log.stdout).into_owned();
    assert_eq!(log.trim(), "[('export', 'ops_quarantine/thing', '学工处修正导出', 2, 'ok')]");
}

#[test]
fn a_wrong_name_is_answered_with_what_there_is() {
    let project = Project::without_water();
    project.run(&["ingest"], FIRST);
    for (args, words) in [
        (["quarantine", "replay", "card_tx"].as_slice(), ["card_tx", "did you mean \"card_txn\""]),
        (&["quarantine", "replay", "--reason", "colour"], ["colour", "columns, json, encoding"]),
        (&["quarantine", "export", "card_tx", "--reason", "x", "--out", "x.xlsx"], ["card_tx", "did you mean \"card_txn\""]),
    ] {
        let (code, _, text) = said(&mut project.command(args, REPLAY));
        assert_eq!(code, 2, "{text}");
        assert!(words.iter().all(|it| text.contains(it)), "{text}");
    }
}

/// A living server of a project; it is stopped when the case ends.
struct Server(std::process::Child);

impl Server {
    fn start(project: &Project) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a free port").port();
        let mut command =
            yizhan(&project.data(), &["serve", "--listen", &format!("127.0.0.1:{port}"), "--now", REPLAY, "--project"]);
        let child = command.arg(project.folder.path()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let server = Self(child.expect("the binary starts"));
        let began = Instant::now();
        while ureq::get(format!("http://127.0.0.1:{port}/api/v1/health")).call().is_err() {
            assert!(began.elapsed() < Duration::from_secs(120), "the server did not start");
            std::thread::sleep(Duration::from_millis(100));
        }
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_living_server_replays_for_others_and_only_under_the_contract_of_today() {
    let project = Project::without_water();
    project.run(&["ingest"], FIRST);
    let replay = || {
        let mut command = yizhan(&project.data(), &["quarantine", "replay", "--format", "json", "--project"]);
        said(command.arg(project.folder.path()))
    };
    let server = Server::start(&project);
    project.contract(&card(true));
    let (code, _, text) = replay();
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("card_txn.toml") && text.contains("restart yizhan serve"), "{text}");
    drop(server);
    let _server = Server::start(&project);
    let (code, reports, text) = replay();
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("handed over"), "{text}");
    assert!(0 < n(&reports[0], "rows_kept"), "{reports:?}");
    assert!(Path::new(&project.path("data/lake/ops_quarantine_replayed")).exists());
    assert!(
        0 < sql(&project.data(), "SELECT count(*) AS n FROM raw_card_txn WHERE merchant_kind = 'water'")[0]["n"]
            .as_i64()
            .unwrap_or(0)
    );
}
