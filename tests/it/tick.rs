//! The tick: lists of the day that goes on follow what is pushed, and are what a build of everything makes of the same rows.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use casework::{AbsenceResult, Role};
use serde_json::{Value, json};
use store::{Grant, NewAbsenceCheck, NewAccount, Who};
use tempfile::TempDir;

use crate::casework::{on_a_runtime, open};
use crate::crash::{Gates, Living, passage};
use crate::live_lists::{at_ms, contract, contracts, minute, number, registers};
use crate::support::{assert_same, binary, contents, said, write, yizhan};

/// How long a case waits for something that must come: a bound and no measurement.
const PATIENCE: Duration = Duration::from_secs(120);
const DAY_MS: i64 = 86_400_000;

/// Whoever passed a gate yesterday or today.
const LIST: &str = r#"/*---
kind    = "list"
live    = true
about   = "Whoever passed a gate since yesterday."
owner   = "logistics_security_office"
grain   = ["student_key"]
subject = "student_key"
purpose = ["public_safety"]

[columns]
passage_n = { about = "Passages.", class = "trace" }
from_at   = { about = "The last of them.", class = "trace" }
---*/
SELECT student_key, count(*) AS passage_n, max(occurred_at) AS from_at
FROM stg_gate_event
WHERE occurred_on >= $as_of - INTERVAL '1' DAY AND occurred_on <= $as_of
GROUP BY student_key
"#;

/// A building whose list of tonight is complete since somebody passed its gate, at whatever hour the case runs.
const BUILDING: &str = r#"/*---
kind         = "table"
about        = "One building, complete at any hour."
owner        = "logistics_security_office"
materialized = "whole"
live         = true
grain        = ["building_id"]
purpose      = ["public_safety"]

[columns]
building_id = { about = "Building.", class = "internal" }
night_on    = { about = "The night.", class = "internal" }
from_at     = { about = "The last passage.", class = "trace" }
until_at    = { about = "An hour later.", class = "trace" }
---*/
SELECT 'B1' AS building_id, $as_of AS night_on, max(occurred_at) AS from_at, max(occurred_at) + INTERVAL '1' HOUR AS until_at
FROM stg_gate_event
HAVING count(*) > 0
"#;

/// Somebody who keeps a building and has no mailbox, so that what is for them waits.
fn add_keeper(data: &Path, account: &str, scope: &str) {
    on_a_runtime(async {
        let grants = vec![Grant { role: "dorm_keeper".to_owned(), scope: scope.to_owned() }];
        let new = NewAccount { account, password: None, display_name: account, person_key: None, grants };
        open(data).await.accounts().create(new).await.expect("an account");
    });
}

/// To whom alone messages wait that a list is ready.
fn told_of_lists(data: &Path) -> Vec<Option<String>> {
    let open = on_a_runtime(async { open(data).await.messages().due(None, i64::MAX).await.expect("messages") });
    open.into_iter().filter(|it| it.kind == "list_ready").map(|it| it.to_account).collect()
}

#[track_caller]
fn push(server: &Living, gates: &Gates, body: &str) {
    let bearer = format!("Bearer {}", gates.token);
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/x-ndjson")];
    let (status, _, text) = server.push("/api/v1/events/gate_event", &headers, body.as_bytes()).expect("the server answers");
    assert_eq!(status, 202, "{text}");
}

/// Waits until a count is as it must become.
#[track_caller]
fn expect_n(gates: &Gates, query: &str, n: i64) {
    let began = Instant::now();
    loop {
        let found = gates.sql(query)[0]["n"].as_i64();
        if found == Some(n) {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{query}: {found:?} and not {n}\n{}", gates.complaint());
        std::thread::sleep(Duration::from_millis(300));
    }
}

#[test]
fn lists_follow_what_is_pushed_late_rows_are_counted_and_a_full_build_changes_nothing() {
    let folder = TempDir::new().expect("a folder");
    let settings = "[ingest]\napprovals = \"off\"\n[stream]\ncommit_seconds = 3600\ntick_seconds = 3600";
    // Rows alone wake the tick, and the tick alone commits.
    let gates = Gates::new(binary(), folder.path(), settings);
    write(&folder.path().join("sql/lists/list_passed.sql"), LIST);
    write(&folder.path().join("sql/intermediate/int_building_tonight.sql"), BUILDING);
    let data = folder.path().join("data");
    add_keeper(&data, "keeper", "building:B1");
    add_keeper(&data, "elsewhere", "building:B2");
    let server = gates.serve(None).expect("it starts");
    let at = chrono::Utc::now().timestamp_millis();
    push(&server, &gates, &passage("G1", 1, at - 5_000, 1));
    expect_n(&gates, "SELECT count(*) AS n FROM list_passed", 1);
    expect_n(&gates, "SELECT coalesce(sum(after_end_n), 0) AS n FROM quality_source_day WHERE source = 'gate_event'", 0);

    // What a gate kept for a day belongs to yesterday, and yesterday's tables take it in.
    push(&server, &gates, &format!("{}\n{}", passage("G1", 2, at - DAY_MS, 1), passage("G1", 3, at - DAY_MS, 2)));
    expect_n(&gates, "SELECT coalesce(sum(passage_n), 0) AS n FROM list_passed", 3);
    expect_n(&gates, "SELECT count(*) AS n FROM safety_passage", 3);
    expect_n(&gates, "SELECT count(*) AS n FROM int_student_day WHERE superseded_on IS NULL", 3);
    let late = "SELECT count(*) AS n FROM quality_source_day WHERE source = 'gate_event' AND rows_n = 2 AND after_end_n = 2";
    expect_n(&gates, late, 1);
    server.stop();
    // Ticks told whoever keeps the building that its list is complete: once, and nobody else.
    assert_eq!(told_of_lists(&data), [Some("keeper".to_owned())]);

    // The night, and whoever builds everything anew, finds what the ticks have left.
    let ticked = contents(&data);
    assert_eq!(ticked["list_passed"].len(), 2);
    for args in [
        vec!["transform", "--select", "list_passed", "safety_passage", "quality_source_day", "int_student_day"],
        vec!["transform", "--full", "--select", "list_passed", "safety_passage", "quality_source_day", "int_student_day"],
    ] {
        let out = gates.said(&args);
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        assert_same(&ticked, &contents(&data));
    }
}

/// Whoever passed is out, whatever else is known.
const OUT: &str = r#"/*---
kind    = "list"
live    = true
about   = "Whoever passed a gate, as long as their building's list holds."
owner   = "logistics_security_office"
grain   = ["student_key"]
subject = "student_key"
purpose = ["public_safety"]

[columns]
night_on     = { about = "The night.", class = "trace" }
last_seen_at = { about = "The last passage.", class = "trace" }
from_at      = { about = "The same.", class = "trace" }
until_at     = { about = "An hour after the last of all.", class = "trace" }
---*/
SELECT passage.student_key, $as_of AS night_on, max(passage.occurred_at) AS last_seen_at, max(passage.occurred_at) AS from_at,
    max(building.until_at) AS until_at
FROM stg_gate_event AS passage
CROSS JOIN int_building_tonight AS building
GROUP BY passage.student_key
"#;

#[test]
fn a_counselor_is_told_of_tonight_where_a_row_of_theirs_is_answered_by_nobody_since_they_were_seen() {
    let folder = TempDir::new().expect("a folder");
    let settings = "[ingest]\napprovals = \"off\"\n[stream]\ncommit_seconds = 3600\ntick_seconds = 3600";
    let gates = Gates::new(binary(), folder.path(), settings);
    // The list is complete with the third passage.
    write(&folder.path().join("sql/intermediate/int_building_tonight.sql"), &BUILDING.replace("count(*) > 0", "count(*) > 2"));
    write(&folder.path().join("sql/lists/list_out_tonight.sql"), OUT);
    contract(folder.path(), "student", &[("format = \"xlsx\"", "format = \"csv\""), (".xlsx\"", ".csv\"")]);
    let input = folder.path().join("files");
    let student =
        |person: u32, counselor: &str| format!("20250{person:05},某人,女,C01,,一班,2025,本科,,住宿,在籍,,{counselor}\n");
    write(
        &input.join("registry/student.csv"),
        &format!(
            "学号,姓名,性别,学院,专业,班级,年级,学段,校区,住宿类型,学籍状态,手机号,责任辅导员工号\n{}{}{}",
            student(1, "T00001"),
            student(2, "T00002"),
            student(3, "")
        ),
    );
    for args in [vec!["ingest", "--input", &input.to_string_lossy()], vec!["transform", "--select", "dim_student"]] {
        let out = gates.said(&args);
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    }
    let data = folder.path().join("data");
    let at = chrono::Utc::now().timestamp_millis();
    let server = gates.serve(None).expect("it starts");
    push(&server, &gates, &format!("{}\n{}", passage("G1", 1, at - 9_000, 1), passage("G2", 1, at - 9_000, 2)));
    let passed = "SELECT count(*) AS n FROM stg_gate_event";
    expect_n(&gates, passed, 2);

    // Nobody is asked of whom they have in charge but the register.
    let query = "SELECT DISTINCT passage.device_id, passage.student_key, student.counselor_key FROM stg_gate_event AS passage \
                 INNER JOIN dim_student AS student ON student.student_key = passage.student_key ORDER BY 1";
    let charge: Vec<(i64, i64)> = gates.sql(query).iter().map(|it| (key(it, "student_key"), key(it, "counselor_key"))).collect();
    assert_eq!(charge.len(), 2, "{charge:?}");
    on_a_runtime(async {
        let store = open(&data).await;
        for (account, (_, person_key)) in ["lin", "zhou"].into_iter().zip(&charge) {
            let grants = vec![Grant { role: "counselor".to_owned(), scope: "assigned".to_owned() }];
            let new = NewAccount { account, password: None, display_name: account, person_key: Some(*person_key), grants };
            store.accounts().create(new).await.expect("an account");
        }
        let night_day = i64::from(schema::time::date_days(campus_day()));
        let check = NewAbsenceCheck { student_key: charge[0].0, night_day, result: AbsenceResult::InRoom, note: None };
        let lin = Who { account: "lin".to_owned(), role: Role::Counselor };
        assert!(store.cases().check_absence(&check, &lin, at * 1_000).await.expect("an answer"));
    });
    push(&server, &gates, &passage("G3", 1, at - 8_000, 3));
    // Nobody is on duty: each would hear of a row of their own, and that of lin's is answered.
    expect_told(&gates, &data, &["zhou"]);
    // What is seen of a student after somebody found them in the room is news.
    push(&server, &gates, &passage("G1", 3, chrono::Utc::now().timestamp_millis(), 1));
    expect_told(&gates, &data, &["lin", "zhou"]);
    server.stop();
}

/// A key of a row, which JSON writes as text.
fn key(row: &Value, column: &str) -> i64 {
    row[column].as_i64().or_else(|| row[column].as_str()?.parse().ok()).unwrap_or_else(|| panic!("{column} of {row}"))
}

/// The campus day that goes on, which begins at 04:00 in China.
fn campus_day() -> chrono::NaiveDate {
    (chrono::Utc::now() + chrono::Duration::hours(4)).date_naive()
}

/// Waits until exactly these accounts were told that a list is ready.
#[track_caller]
fn expect_told(gates: &Gates, data: &Path, accounts: &[&str]) {
    let began = Instant::now();
    loop {
        let mut told: Vec<String> = told_of_lists(data).into_iter().flatten().collect();
        told.sort();
        if told == accounts {
            return;
        }
        let is_over = told.iter().any(|it| !accounts.contains(&it.as_str())) || PATIENCE < began.elapsed();
        assert!(!is_over, "{told:?} and not {accounts:?}\n{}", gates.complaint());
        std::thread::sleep(Duration::from_millis(300));
    }
}

/// Rows that come at an instant, by source.
type Step = (&'static str, [(&'static str, Vec<String>); 3]);

fn gate(seq: u64, case: &str, day: u32, time: &str, way: &str) -> String {
    let at = at_ms(day, minute(time));
    json!({ "device_id": "G-N1", "event_seq": seq, "event_ms": at, "sent_ms": at, "person_id": number(case), "direction": way,
            "method": "card" })
    .to_string()
}

fn beat(day: u32, time: &str) -> String {
    json!({ "device_id": "G-N1", "beat_ms": at_ms(day, minute(time)), "status": "ok" }).to_string()
}

/// A leave, with the return if there was one.
fn leave(id: &str, case: &str, begins: &str, returned: Option<&str>) -> String {
    let mut row = json!({ "leave_id": id, "student_id": number(case), "leave_kind": "事假", "begins_at": format!("{begins} 18:00"),
                          "ends_at": "2025-11-21 18:00", "approved_at": format!("{begins} 10:00") });
    if let Some(at) = returned {
        row["returned_at"] = at.into();
    }
    row.to_string()
}

/// Four evenings and nights: rows of days that are over, the same row again in another tick and within one, another row
/// under a number that is taken, a leave that is corrected and corrected back, and passages on both sides of 04:00.
fn steps() -> [Step; 5] {
    let away = |returned| leave("L1", "late_on_leave", "2025-11-18", returned);
    let (home, back) = (away(None), away(Some("2025-11-19 10:00")));
    [
        (
            "2025-11-17T22:00:00+08:00",
            [
                ("gate_event", vec![gate(1, "late", 17, "20:00", "in")]),
                ("device_heartbeat", vec![beat(17, "20:00")]),
                ("leave_record", vec![leave("L0", "in_time", "2025-11-01", None)]),
            ],
        ),
        (
            "2025-11-18T22:00:00+08:00",
            [
                (
                    "gate_event",
                    vec![
                        gate(2, "late", 18, "21:00", "in"),
                        gate(3, "late", 18, "21:30", "out"),
                        gate(4, "late_on_leave", 18, "19:00", "out"),
                    ],
                ),
                ("device_heartbeat", vec![beat(18, "21:00"), beat(18, "21:10")]),
                ("leave_record", vec![home.clone()]),
            ],
        ),
        (
            "2025-11-19T12:00:00+08:00",
            [
                (
                    "gate_event",
                    vec![
                        gate(5, "late", 18, "21:45", "in"),
                        gate(2, "late", 18, "21:00", "in"),
                        gate(3, "late", 18, "21:35", "in"),
                        gate(6, "late_on_leave", 19, "08:00", "out"),
                    ],
                ),
                ("device_heartbeat", vec![beat(18, "21:20"), beat(18, "21:10"), beat(19, "08:00")]),
                ("leave_record", vec![back.clone()]),
            ],
        ),
        (
            "2025-11-20T03:58:00+08:00",
            [
                (
                    "gate_event",
                    vec![
                        gate(7, "out", 19, "19:00", "out"),
                        gate(8, "late", 19, "23:50", "in"),
                        gate(9, "late_on_leave", 20, "03:57", "in"),
                        gate(9, "late_on_leave", 20, "03:57", "in"),
                    ],
                ),
                ("device_heartbeat", vec![beat(20, "03:50")]),
                ("leave_record", vec![back, leave("L2", "in_time", "2025-11-19", None)]),
            ],
        ),
        (
            "2025-11-20T04:05:00+08:00",
            [
                ("gate_event", vec![gate(10, "late", 20, "03:59", "out"), gate(11, "late", 20, "04:01", "in")]),
                ("device_heartbeat", vec![beat(20, "03:59"), beat(20, "04:00")]),
                // With the other one, for a file of the same bytes would be the same file.
                ("leave_record", vec![home, leave("L2", "in_time", "2025-11-19", None)]),
            ],
        ),
    ]
}

/// What a tick builds, and what is counted of days.
const FOLLOWED: [&str; 11] = [
    "int_student_day",
    "int_device_day",
    "int_gate_slot",
    "safety_passage",
    "quality_source_day",
    "list_late_tonight",
    "list_out_tonight",
    "list_no_trace",
    "list_gate_crowd",
    "list_gate_fault",
    "list_ticket_deadline",
];
const STAGED: [&str; 3] = ["stg_gate_event", "stg_device_heartbeat", "stg_leave_record"];

/// A project of sources that come in files and are pushed to.
struct Both {
    folder: TempDir,
}

impl Both {
    fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let settings = "packs = [\"campus\"]\n[ingest]\napprovals = \"off\"\n[stream]\ncommit_seconds = 3600\ntick_seconds = 0\n";
        write(&folder.path().join("yizhan.toml"), settings);
        contracts(folder.path());
        for name in ["gate_event", "device_heartbeat"] {
            contract(folder.path(), name, &[(".jsonl.gz\"", ".jsonl\"")]);
        }
        let own = [
            ("retention = \"4y\"", "retention = \"4y\"\npush = true"),
            ("\"csv\", path = \"leave/leave_*.csv\"", "\"jsonl\", path = \"leave/leave_*.jsonl\""),
            ("head = \"请假单号\", ", ""),
            ("head = \"学号\", ", ""),
            ("head = \"请假类型\", ", ""),
            ("head = \"开始时间\", ", ""),
            ("head = \"结束时间\", ", ""),
            ("head = \"审批人工号\", ", ""),
            ("head = \"审批时间\", ", ""),
            ("head = \"销假时间\", ", ""),
        ];
        contract(folder.path(), "leave_record", &own);
        Self { folder }
    }

    fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    fn command(&self, args: &[&str], now: &str) -> Command {
        let mut command = yizhan(&self.data(), args);
        command.args(["--now", now, "--project"]).arg(self.folder.path());
        command
    }

    #[track_caller]
    fn lines(&self, args: &[&str], now: &str) -> Vec<Value> {
        let (code, lines, text) = said(self.command(args, now).args(["--format", "json"]));
        assert_eq!(code, 0, "{args:?}: {text}");
        lines
    }

    /// Files of a step; the first ones come with the registers.
    #[track_caller]
    fn take(&self, place: usize, step: &Step) {
        let input = self.folder.path().join(format!("files_{place}"));
        if place == 0 {
            registers(&input);
            write(&input.join("gate/device.csv"), "device_id,kind,place,building_id\nG-N1,dorm,北门,N1\n");
        }
        for ((_, rows), file) in step.1.iter().zip(["gate/gate_", "gate/heartbeat_", "leave/leave_"]) {
            write(&input.join(format!("{file}{place}.jsonl")), &format!("{}\n", rows.join("\n")));
        }
        let reports = self.lines(&["ingest", "--input", &input.to_string_lossy()], step.0);
        assert!(reports.iter().all(|it| it["rows_quarantined"].as_i64().unwrap_or_default() == 0), "{reports:?}");
    }

    /// What staging tells with everything that says when it was known, and without where it came from.
    fn staged(&self, now: &str) -> Vec<Vec<String>> {
        let of = |table: &&str| {
            let mut rows: Vec<String> = self
                .lines(&["sql", &format!("SELECT * FROM {table}")], now)
                .into_iter()
                .map(|mut it| {
                    let row = it.as_object_mut().expect("a row");
                    ["file_no", "row_no"].iter().for_each(|name| drop(row.remove(*name)));
                    it.to_string()
                })
                .collect();
            rows.sort();
            rows
        };
        STAGED.iter().map(of).collect()
    }

    fn build(&self, flags: &[&str], now: &str) {
        let mut args = [&["transform"][..], flags, &["--select"]].concat();
        args.extend(FOLLOWED);
        self.lines(&args, now);
    }
}

/// A server for which it is an instant, and for which no tick comes by itself: a step says when one does.
struct Pretending {
    process: Child,
    url: String,
}

impl Drop for Pretending {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Pretending {
    fn new(project: &Both, now: &str) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a free port").port();
        let listen = format!("127.0.0.1:{port}");
        let mut command = project.command(&["serve", "--listen", &listen], now);
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts");
        let server = Self { process, url: format!("http://{listen}") };
        let began = Instant::now();
        while ureq::get(format!("{}/api/v1/health", server.url)).call().is_err() {
            assert!(began.elapsed() < PATIENCE, "the server does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }

    #[track_caller]
    fn push(&self, token: &str, pipeline: &str, rows: &[String]) {
        let request = ureq::post(format!("{}/api/v1/events/{pipeline}", self.url))
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/x-ndjson");
        let mut answer = request.send(rows.join("\n").as_bytes()).expect("an answer");
        let told: Value = answer.body_mut().read_to_string().ok().and_then(|it| serde_json::from_str(&it).ok()).expect("JSON");
        assert_eq!(told["rows_quarantined"], 0, "{told}");
    }

    fn stop(mut self) {
        let asked = Command::new("kill").arg("-TERM").arg(self.process.id().to_string()).status();
        assert!(asked.is_ok_and(|it| it.success()), "it can be asked");
        assert!(self.process.wait().expect("it ends").success(), "it stops in order");
    }
}

/// Tables that ticks and nights build, as another reader finds them.
fn followed(data: &Path) -> Vec<(&'static str, Vec<String>)> {
    let mut all = contents(data);
    FOLLOWED.iter().map(|it| (*it, all.remove(*it).unwrap_or_else(|| panic!("{it} was not built")))).collect()
}

#[test]
fn the_same_rows_known_at_the_same_instants_make_the_same_tables_by_file_by_ticks_and_built_whole() {
    let steps = steps();
    let last = steps[4].0;
    // Pushed, with a tick's build of the live tables after each step. How the first load is dated a contract says, so it
    // comes in files on both sides.
    let pushed = Both::new();
    let sources = ["--pipeline", "gate_event", "--pipeline", "device_heartbeat", "--pipeline", "leave_record"];
    let made = pushed.command(&[&["token", "add", "gates"][..], &sources].concat(), steps[0].0).output();
    let made = made.expect("the program starts");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let token = String::from_utf8_lossy(&made.stdout).trim().to_owned();
    pushed.take(0, &steps[0]);
    let mut read_live = Vec::new();
    for (now, sources) in &steps[1..] {
        let server = Pretending::new(&pushed, now);
        for (pipeline, rows) in sources {
            // In two requests, where there are two rows.
            let (first, others) = rows.split_at(1);
            server.push(&token, pipeline, first);
            if !others.is_empty() {
                server.push(&token, pipeline, others);
            }
        }
        // No table has them yet.
        read_live = pushed.staged(now);
        server.stop();
        pushed.build(&[], now);
        if *now == steps[3].0 {
            let late = pushed.lines(&["sql", "SELECT class FROM list_late_tonight ORDER BY class"], now);
            // Who came back from leave at ten is expected that night like everybody.
            assert_eq!(late, [json!({ "class": "late" }), json!({ "class": "late_on_leave" })]);
        }
    }
    let out = pushed.lines(&["sql", "SELECT class FROM list_out_tonight"], last);
    assert_eq!(out, [json!({ "class": "out" })], "a leave that was corrected back explains the other one");
    let ticked = contents(&pushed.data());
    let by_ticks = followed(&pushed.data());
    let staged = pushed.staged(last);
    assert_eq!(staged.iter().map(Vec::len).collect::<Vec<_>>(), [11, 8, 5]);
    assert_eq!(read_live, staged, "read from the log and read from tables");

    // Everything anew from the same rows.
    pushed.build(&["--full"], last);
    assert_same(&ticked, &contents(&pushed.data()));

    // In files, and built once.
    let filed = Both::new();
    for (place, step) in steps.iter().enumerate() {
        filed.take(place, step);
    }
    filed.build(&["--full"], last);
    assert_eq!(filed.staged(last), staged, "staging of files and of what was pushed");
    for (of_files, of_ticks) in followed(&filed.data()).iter().zip(&by_ticks) {
        assert_eq!(of_files, of_ticks);
    }
}
