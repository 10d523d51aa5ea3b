//! The tick: lists of the day that goes on follow what is pushed, and are what a build of everything makes of the same rows.

use std::path::Path;
use std::time::{Duration, Instant};

use store::{Grant, NewAccount};
use tempfile::TempDir;

use crate::casework::{on_a_runtime, open};
use crate::crash::{Gates, Living, passage};
use crate::support::{assert_same, binary, contents, write};

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
