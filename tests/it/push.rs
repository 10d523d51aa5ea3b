//! Events that are pushed: answered for once they survive, seen at once, in the lake once, and refused with a reason.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::crash::{self, Gates, Living, Wanted, passage};
use crate::support::{binary, write};

/// A clock on the wall that reads 2026 at the least: events of the cases are of then.
const DAY_MS: i64 = 86_400_000;

fn project(folder: &TempDir, more: &str) -> Gates {
    Gates::new(binary(), folder.path(), &format!("[ingest]\napprovals = \"off\"\n{more}"))
}

/// Commits only when the server stops.
const NO_COMMIT: &str = "[stream]\ncommit_seconds = 3600\ntick_seconds = 0";

fn now_ms() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

struct Sent {
    status: u16,
    after: Option<String>,
    body: Value,
}

#[track_caller]
fn push(server: &Living, token: &str, pipeline: &str, kind: &str, key: Option<&str>, body: &str) -> Sent {
    let bearer = format!("Bearer {token}");
    let mut headers = vec![("authorization", bearer.as_str()), ("content-type", kind)];
    headers.extend(key.map(|it| ("idempotency-key", it)));
    let path = format!("/api/v1/events/{pipeline}");
    let (status, after, text) = server.push(&path, &headers, body.as_bytes()).expect("the server answers");
    Sent { status, after, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) }
}

fn lines(server: &Living, gates: &Gates, key: Option<&str>, body: &str) -> Sent {
    push(server, &gates.token, "gate_event", "application/x-ndjson", key, body)
}

fn n(gates: &Gates, query: &str) -> i64 {
    gates.sql(query)[0]["n"].as_i64().unwrap_or_else(|| panic!("{query}: no count"))
}

#[test]
fn what_was_answered_for_is_seen_at_once_and_survives_a_kill_and_a_stop() {
    let folder = TempDir::new().expect("a folder");
    let gates = project(&folder, NO_COMMIT);
    let mut server = gates.serve(None).expect("it starts");
    let at = now_ms();
    let one = format!("[{},\n {}]", passage("G1", 1, at - 5_000, 1), passage("G1", 2, at - 4_000, 2));
    let first = push(&server, &gates.token, "gate_event", "application/json", Some("a"), &one);
    assert_eq!(first.status, 202, "{}", first.body);
    let expected = json!({
        "pipeline": "gate_event", "rows_in": 2, "rows_kept": 2, "rows_quarantined": 0, "rows_skipped": 0, "reasons": {},
    });
    assert_eq!(first.body, expected);
    // Nothing is committed yet, and everybody sees it; a row that came twice is there once.
    let again = format!("{}\n{}", passage("G1", 2, at - 4_000, 2), passage("G1", 3, at - 3 * DAY_MS, 3));
    assert_eq!(lines(&server, &gates, None, &again).body["rows_kept"], 2);
    let staged = |gates: &Gates| gates.staged().into_iter().map(|it| (it.0.1, it.1)).collect::<BTreeMap<_, _>>();
    let expected = BTreeMap::from([(1, 1), (2, 1), (3, 1)]);
    assert_eq!(staged(&gates), expected);
    assert_eq!(n(&gates, "SELECT count(*) AS n FROM raw_gate_event"), 4);
    assert!(!folder.path().join("data/lake/raw_gate_event/_delta_log").exists(), "it is in the log only");

    server.kill();
    assert_eq!(staged(&gates), expected, "the log is read without a server too");
    let server = gates.serve(None).expect("it starts");
    // The next start commits what it found.
    assert_eq!(staged(&gates), expected);
    let last = passage("G2", 1, at, 1);
    assert_eq!(lines(&server, &gates, None, &last).status, 202);
    server.stop();
    let expected = BTreeMap::from([(1, 2), (2, 1), (3, 1)]);
    let by_number = |gates: &Gates| {
        gates
            .sql("SELECT event_seq, count(*) AS n FROM stg_gate_event GROUP BY event_seq")
            .iter()
            .map(|it| (it["event_seq"].as_u64().expect("a number"), it["n"].as_u64().expect("a count")))
            .collect::<BTreeMap<_, _>>()
    };
    assert_eq!(by_number(&gates), expected);
    let left: u64 = std::fs::read_dir(folder.path().join("data/log"))
        .expect("the log")
        .map(|it| it.expect("a file").metadata().expect("a size").len())
        .sum();
    assert!(left < 100, "a server that stops in order commits all: {left} bytes are left");
    // The position stands in the table's own log, in the commit of the rows.
    let entries = std::fs::read_dir(folder.path().join("data/lake/raw_gate_event/_delta_log")).expect("a log");
    let texts: Vec<String> = entries
        .filter_map(|it| std::fs::read_to_string(it.expect("a file").path()).ok())
        .filter(|it| it.contains("\"add\""))
        .collect();
    assert_eq!(texts.len(), 2, "one commit for what the kill left, one at the stop");
    assert!(texts.iter().all(|it| it.contains("\"appId\":\"log/0\"")), "{texts:?}");
    // A run beside no server builds on them like on files.
    let ran = gates.said(&["transform", "--select", "dup_gate_event"]);
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(by_number(&gates), expected);
    assert_eq!(n(&gates, "SELECT count(*) AS n FROM dup_gate_event"), 1);
}

/// What an account is answered: whether it is, the rows, and what is said beside them.
fn asked_as(gates: &Gates, account: &str, query: &str) -> (bool, Vec<Value>, String) {
    let out = gates.said(&["sql", query, "--as", account, "--format", "json"]);
    let rows = String::from_utf8_lossy(&out.stdout).lines().filter_map(|it| serde_json::from_str(it).ok()).collect();
    (out.status.success(), rows, String::from_utf8_lossy(&out.stderr).into_owned())
}

#[test]
fn a_pushed_row_is_staged_at_once_for_whom_the_policy_lets_see_it_and_as_it_lets_them() {
    let folder = TempDir::new().expect("a folder");
    let gates = project(&folder, NO_COMMIT);
    for (account, role) in [("numbers", "analyst:university"), ("head", "leader:university")] {
        let mut command = gates.command(&["user", "add", account, "--role", role]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("the program starts");
        child.stdin.take().expect("a pipe").write_all(b"a-long-password\n").expect("written");
        assert!(child.wait().expect("it ends").success(), "account {account}");
    }
    let server = gates.serve(None).expect("it starts");
    // Seven minutes and some seconds past a full hour.
    let at = (now_ms() / 3_600_000 - 1) * 3_600_000 + 433_000;
    let face = passage("G2", 9, at, 2).replace("\"card\"", "\"face\"");
    assert_eq!(lines(&server, &gates, None, &format!("{}\n{face}", passage("G1", 1, at, 1))).status, 202);
    assert_eq!(n(&gates, "SELECT count(*) AS n FROM stg_gate_event"), 2);
    let query = "SELECT device_id, method, CAST(occurred_at AS BIGINT) % 900000000 AS past_us, minute_of_day % 15 AS past, \
                 CAST(known_at AS BIGINT) % 900000000 AS known_past_us, student_key IS NULL AS is_nobody FROM stg_gate_event";
    // From the log: nothing is committed, and nothing is built.
    let (is_ok, rows, said) = asked_as(&gates, "numbers", query);
    assert!(is_ok, "{said}");
    let seen = json!({ "device_id": "G1", "method": "card", "past_us": 0, "past": 0, "known_past_us": 0, "is_nobody": false });
    assert_eq!(rows, [seen], "masked to the quarter of an hour, and no row of a face");
    server.stop();
    let (is_ok, rows, said) = asked_as(&gates, "numbers", query);
    assert!(is_ok && rows.len() == 1 && rows[0]["past_us"] == 0, "committed and not built it is the same: {rows:?} {said}");
    for (account, query) in [
        ("numbers", "SELECT row_hash FROM stg_gate_event"),
        ("numbers", "SELECT * FROM raw_gate_event"),
        ("head", "SELECT count(*) AS n FROM stg_gate_event"),
    ] {
        let (is_ok, rows, said) = asked_as(&gates, account, query);
        assert!(!is_ok && rows.is_empty(), "{account}, {query}: {rows:?}");
        assert!(!said.contains("G1"), "{said}");
    }
}

#[test]
fn a_key_is_answered_the_same_for_ever_and_a_bad_row_waits_sealed() {
    let folder = TempDir::new().expect("a folder");
    let gates = project(&folder, NO_COMMIT);
    let server = gates.serve(None).expect("it starts");
    let at = now_ms();
    let bad = passage("G1", 2, at, 2).replace("\"card\"", "\"psychic\"");
    let body = format!("{}\n{bad}\nno json\n", passage("G1", 1, at, 1));
    let first = lines(&server, &gates, Some("k-1"), &body);
    assert_eq!(first.status, 202, "{}", first.body);
    assert_eq!(first.body["rows_quarantined"], 2);
    assert_eq!(first.body["reasons"], json!({ "code": 1, "json": 1 }));
    let second = lines(&server, &gates, Some("k-1"), &body);
    assert_eq!((second.status, &second.body), (202, &first.body));
    // Without a key an event is known again by its bytes.
    let plain = passage("G1", 9, at, 9);
    assert_eq!(lines(&server, &gates, None, &plain).body["rows_kept"], 1);
    let twice = lines(&server, &gates, None, &plain).body;
    assert_eq!((&twice["rows_in"], &twice["rows_kept"], &twice["rows_skipped"]), (&json!(1), &json!(0), &json!(1)));
    let reused = lines(&server, &gates, Some("k-1"), &plain);
    assert_eq!((reused.status, &reused.body["code"]), (422, &json!("key_reused")));
    server.stop();

    // From the store, when the log has long forgotten it.
    let server = gates.serve(None).expect("it starts");
    assert_eq!(lines(&server, &gates, Some("k-1"), &body).body, first.body);
    assert_eq!(lines(&server, &gates, None, &plain).body, twice);
    let reused = lines(&server, &gates, Some("k-1"), &plain);
    assert_eq!(reused.status, 422);
    // CloudEvents: the same source and id twice is one event.
    let event = |id: &str, data: &str| {
        format!("{{\"specversion\":\"1.0\",\"id\":\"{id}\",\"source\":\"/gates/1\",\"type\":\"passage\",\"data\":{data}}}")
    };
    let batch =
        [event("a", &passage("G3", 1, at, 1)), event("a", &passage("G3", 1, at, 1)), event("b", &passage("G3", 2, at, 2))];
    let kind = "application/cloudevents-batch+json";
    let taken = push(&server, &gates.token, "gate_event", kind, None, &format!("[{}]", batch.join(",")));
    assert_eq!((&taken.body["rows_kept"], &taken.body["rows_skipped"]), (&json!(2), &json!(1)), "{}", taken.body);
    server.stop();
    assert_eq!(n(&gates, "SELECT count(*) AS n FROM stg_gate_event"), 4);
    let waiting = gates
        .sql("SELECT reason, count(*) AS n FROM ops_quarantine WHERE pipeline = 'gate_event' GROUP BY reason ORDER BY reason");
    assert_eq!(waiting, [json!({ "reason": "code", "n": 1 }), json!({ "reason": "json", "n": 1 })]);

    // Under a mended contract the row enters, once.
    let text = std::fs::read_to_string(crate::support::repository().join("pipelines/gate_event.toml")).expect("the contract");
    write(&folder.path().join("pipelines/gate_event.toml"), &text.replace("\"face\", \"qr\"", "\"face\", \"qr\", \"psychic\""));
    for expected in [1, 0] {
        let replayed = gates.said(&["quarantine", "replay", "gate_event", "--format", "json"]);
        let line = String::from_utf8_lossy(&replayed.stdout).lines().next().unwrap_or("{}").to_owned();
        let report: Value = serde_json::from_str(&line).expect("a report");
        assert_eq!(report["rows_kept"], expected, "{line} {}", String::from_utf8_lossy(&replayed.stderr));
    }
    assert_eq!(n(&gates, "SELECT count(*) AS n FROM stg_gate_event"), 5);

    // No number of a student stands in the log or anywhere else but the vault.
    let numbers = ["2025000001", "2025000009"];
    let mut open = vec![folder.path().join("data")];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(path).expect("a folder").map(|it| it.expect("an entry").path()));
            continue;
        }
        let bytes = std::fs::read(&path).unwrap_or_default();
        for number in numbers {
            assert!(!bytes.windows(number.len()).any(|it| it == number.as_bytes()), "{number} stands in {}", path.display());
        }
    }
}

/// A collector of traces, which keeps what it is sent.
struct Collector {
    url: String,
    got: Arc<Mutex<Vec<u8>>>,
}

impl Collector {
    fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let got: Arc<Mutex<Vec<u8>>> = Arc::default();
        let keep = got.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let keep = keep.clone();
                std::thread::spawn(move || Self::answer(stream, &keep));
            }
        });
        Self { url, got }
    }

    /// Takes requests of one connection until it ends.
    fn answer(stream: TcpStream, keep: &Mutex<Vec<u8>>) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        let mut writer = stream;
        loop {
            let (mut first, mut bytes) = (String::new(), 0);
            reader.read_line(&mut first).ok().filter(|n| 0 < *n)?;
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).ok().filter(|n| 0 < *n)?;
                let line = line.trim().to_ascii_lowercase();
                if line.is_empty() {
                    break;
                }
                if let Some(length) = line.strip_prefix("content-length:") {
                    bytes = length.trim().parse().ok()?;
                }
            }
            let mut body = vec![0_u8; bytes];
            reader.read_exact(&mut body).ok()?;
            let mut got = keep.lock().ok()?;
            got.extend_from_slice(first.as_bytes());
            got.extend_from_slice(&body);
            drop(got);
            writer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").ok()?;
        }
    }

    fn has(&self, bytes: &[u8]) -> bool {
        self.got.lock().expect("what it got").windows(bytes.len()).any(|it| it == bytes)
    }
}

#[test]
fn spans_tell_of_routes_doors_and_commits_and_of_nobody() {
    let folder = TempDir::new().expect("a folder");
    let collector = Collector::open();
    let gates = project(&folder, &format!("{NO_COMMIT}\n[trace]\nendpoint = \"{}\"", collector.url));
    let server = gates.serve(None).expect("it starts");
    let bearer = format!("Bearer {}", gates.token);
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/x-ndjson"),
        ("idempotency-key", "a-key-of-the-sender"),
        // Not to be traced, it says; that is not for a sender to say.
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"),
        ("tracestate", "vendor=words-of-a-stranger"),
    ];
    let path = "/api/v1/events/gate_event?who=2025000077";
    let sent = server.push(path, &headers, passage("G-77", 1, now_ms(), 77).as_bytes()).expect("the server answers");
    assert_eq!(sent.0, 202, "{}", sent.2);
    server.stop();
    let trace = [0x0a, 0xf7, 0x65, 0x19, 0x16, 0xcd, 0x43, 0xdd, 0x84, 0x48, 0xeb, 0x21, 0x1c, 0x80, 0x31, 0x9c];
    assert!(collector.has(&trace), "a span of the sender's trace");
    for told in ["POST /v1/traces", "POST /api/v1/events/{pipeline}", "door", "yizhan.rows", "gate_event", "commit of the log"] {
        assert!(collector.has(told.as_bytes()), "no span says {told}");
    }
    let key = gates.sql("SELECT CAST(student_key AS VARCHAR) AS key FROM raw_gate_event");
    let key = key[0]["key"].as_str().expect("a key").to_owned();
    let nobody = ["2025000077", "who=", "G-77", "a-key-of-the-sender", "words-of-a-stranger", gates.token.as_str(), key.as_str()];
    for kept in nobody {
        assert!(!collector.has(kept.as_bytes()), "a span says {kept}");
    }
}

#[test]
fn no_number_stands_in_a_log_that_was_not_committed() {
    let folder = TempDir::new().expect("a folder");
    let gates = project(&folder, NO_COMMIT);
    let mut server = gates.serve(None).expect("it starts");
    let bad = passage("G1", 2, now_ms(), 78).replace("\"card\"", "\"psychic\"");
    assert_eq!(lines(&server, &gates, Some("2025000077"), &format!("{}\n{bad}", passage("G1", 1, now_ms(), 77))).status, 202);
    server.kill();
    let files: Vec<_> =
        std::fs::read_dir(folder.path().join("data/log")).expect("a log").map(|it| it.expect("a file").path()).collect();
    assert!(!files.is_empty());
    for path in files {
        let text = String::from_utf8_lossy(&std::fs::read(&path).expect("bytes")).into_owned();
        assert!(text.contains("gate_event"), "the log has the frame");
        assert!(!text.contains("2025000077") && !text.contains("2025000078"), "a number stands in {}", path.display());
    }
}

#[test]
fn who_may_not_push_is_told_why_and_nothing_is_kept() {
    let folder = TempDir::new().expect("a folder");
    let gates = project(
        &folder,
        "[stream]\ncommit_seconds = 3600\ntick_seconds = 0\nbody_bytes_max = \"4 KiB\"\nrows_max = 10\nrejects_max = 2",
    );
    let server = gates.serve(None).expect("it starts");
    let good = passage("G1", 1, now_ms(), 1);
    let json = "application/json";
    let told = |sent: Sent, status: u16, code: &str| {
        assert_eq!((sent.status, sent.body["code"].as_str()), (status, Some(code)), "{}", sent.body);
        assert_eq!(sent.body["type"], format!("urn:yizhan:problem:{code}"));
        assert!(sent.body["title"].as_str().is_some_and(|it| it.contains(" / ")), "in both languages: {}", sent.body);
    };
    told(push(&server, "", "gate_event", json, None, &good), 401, "no_token");
    told(push(&server, "00", "gate_event", json, None, &good), 401, "no_token");
    told(push(&server, &gates.token, "device_heartbeat", json, None, &good), 403, "forbidden");
    told(push(&server, &gates.token, "gate_event", "text/csv", None, &good), 415, "unsupported_media_type");
    told(push(&server, &gates.token, "gate_event", json, None, "[{},"), 400, "bad_body");
    told(push(&server, &gates.token, "gate_event", json, Some(&"k".repeat(300)), &good), 400, "bad_request");
    told(push(&server, &gates.token, "gate_event", json, None, &format!("[{}]", "{},".repeat(10) + "{}")), 413, "too_large");
    told(push(&server, &gates.token, "gate_event", json, None, &format!("[{}]", " ".repeat(5_000))), 413, "too_large");
    // A few bad rows are data, a request of them is a sender that is wrong.
    let bad = good.replace("\"card\"", "\"psychic\"");
    told(push(&server, &gates.token, "gate_event", json, None, &format!("[{bad},{bad},{bad},{good}]")), 422, "too_many_bad");
    let refused = gates.said(&["token", "add", "others", "--pipeline", "student"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("push = true"), "{}", String::from_utf8_lossy(&refused.stderr));
    assert_eq!(push(&server, &gates.token, "gate_event", json, None, "[]").body["rows_in"], 0);
    // What was taken back holds no longer, at once.
    assert!(gates.said(&["token", "revoke", "gates"]).status.success());
    told(push(&server, &gates.token, "gate_event", json, None, &good), 401, "no_token");
    let listed = String::from_utf8_lossy(&gates.said(&["token", "list"]).stdout).into_owned();
    assert!(listed.contains("gates\tgate_event card_txn\t") && listed.contains("revoked"), "{listed}");
    assert!(!listed.contains(&gates.token) && !listed.contains(&gates.token[..16]), "only its hash is kept");
    server.stop();
    assert_eq!(n(&gates, "SELECT count(*) AS n FROM raw_gate_event"), 0);

    // A source without an approval of its use takes nothing.
    let folder = TempDir::new().expect("a folder");
    std::fs::create_dir_all(folder.path().join("input")).expect("a folder");
    let gates = Gates::new(binary(), folder.path(), NO_COMMIT);
    let server = gates.serve(None).expect("it starts");
    told(push(&server, &gates.token, "gate_event", json, None, &good), 409, "no_approval");
}

#[test]
fn small_files_of_a_day_are_merged_beside_a_server_that_is_pushed_to() {
    let folder = TempDir::new().expect("a folder");
    // Every request is more than that, and so is committed by itself.
    let gates = project(&folder, "[stream]\ncommit_seconds = 3600\ntick_seconds = 0\ncommit_bytes = \"1 B\"");
    let server = gates.serve(None).expect("it starts");
    let at = now_ms();
    let log = folder.path().join("data/lake/raw_gate_event/_delta_log");
    let commits = || std::fs::read_dir(&log).map_or(0, Iterator::count);
    for seq in 0..12 {
        let before = commits();
        assert_eq!(lines(&server, &gates, None, &passage("G1", seq, at, seq)).status, 202);
        let began = std::time::Instant::now();
        while commits() == before {
            assert!(began.elapsed() < std::time::Duration::from_secs(60), "no commit: {}", gates.complaint());
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }
    let staged = gates.staged();
    let kept = gates.said(&["upkeep", "--format", "json"]);
    assert!(kept.status.success(), "{}", String::from_utf8_lossy(&kept.stderr));
    let merged: Vec<Value> =
        String::from_utf8_lossy(&kept.stdout).lines().filter_map(|it| serde_json::from_str(it).ok()).collect();
    assert_eq!(merged, [json!({ "table": "raw_gate_event", "files_merged": 12 })]);
    assert_eq!(gates.staged(), staged);
    assert_eq!(lines(&server, &gates, None, &passage("G1", 99, at, 99)).status, 202, "it goes on");
    server.stop();
    assert_eq!(gates.staged().len(), staged.len() + 1);
}

#[test]
fn above_the_mark_senders_wait_and_nothing_is_lost() {
    let folder = TempDir::new().expect("a folder");
    let gates =
        project(&folder, "[stream]\ncommit_seconds = 3600\ntick_seconds = 0\nbytes_max = \"24 KiB\"\nsegment_bytes = \"8 KiB\"");
    let server = gates.serve(None).expect("it starts");
    let (mut seq, mut refused) = (0, 0);
    while refused < 3 {
        let rows: Vec<String> = (0..10).map(|it| passage("G1", seq + it, now_ms(), 1)).collect();
        let sent = lines(&server, &gates, None, &rows.join("\n"));
        match sent.status {
            202 => seq += 10,
            429 => {
                assert_eq!(sent.body["code"], "log_full");
                assert!(sent.after.is_some_and(|it| it.parse::<u64>().is_ok_and(|it| 0 < it)), "it says when to try again");
                refused += 1;
                std::thread::sleep(std::time::Duration::from_millis(300));
            }
            other => panic!("{other}: {}", sent.body),
        }
        assert!(seq < 100_000, "the log never fills");
    }
    server.stop();
    assert_eq!(n(&gates, "SELECT count(DISTINCT event_seq) AS n FROM stg_gate_event"), seq as i64);
    assert_eq!(n(&gates, "SELECT count(*) AS n FROM stg_gate_event"), seq as i64);
}

/// Staging of a pipeline without what says how its rows came.
fn told(gates: &Gates, table: &str) -> Vec<String> {
    let rows = gates.sql(&format!("SELECT * FROM {table}"));
    let mut rows: Vec<String> = rows
        .into_iter()
        .map(|mut it| {
            let row = it.as_object_mut().expect("a row");
            ["file_no", "row_no", "known_at", "superseded_at"].iter().for_each(|name| drop(row.remove(*name)));
            it.to_string()
        })
        .collect();
    rows.sort();
    rows
}

#[test]
fn batch_and_stream_differ_only_in_how_the_bytes_arrive() {
    let contract = std::fs::read_to_string(crate::support::repository().join("pipelines/gate_event.toml")).expect("the contract");
    let contract = contract
        .replace("usual_delay = \"5m\"", "usual_delay = \"5m\"\nlate_max = \"5d\"\nreject_share_max = 1.0")
        .replace("gate_*.jsonl.gz", "gate_*.jsonl");
    let at = now_ms();
    let rows: Vec<String> = (0..60_u64)
        .map(|it| match it % 10 {
            7 => passage("G1", it, at - 6 * DAY_MS, it),
            8 => passage("G1", it, at, it).replace("\"card\"", "\"psychic\""),
            9 => passage("G1", it - 1, at - DAY_MS, it),
            _ => passage("G1", it, at - DAY_MS * (it % 4) as i64, it),
        })
        .collect();
    let first = "{\"device_id\":\"G9\",\"event_seq\":1,\"event_ms\":1760000000000,\"person_id\":\"2025000001\",\"direction\":\"in\",\"method\":\"qr\"}";

    let by_file = TempDir::new().expect("a folder");
    write(&by_file.path().join("pipelines/gate_event.toml"), &contract);
    let files = project(&by_file, "");
    let ingest = |name: &str, text: &str| -> Value {
        write(&by_file.path().join("input/gate").join(name), text);
        let out = files.said(&["ingest", "gate_event", "--format", "json"]);
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        serde_json::from_str(String::from_utf8_lossy(&out.stdout).lines().next().expect("a report")).expect("a report")
    };
    // A first load is dated by the contract and never late, however old it is.
    assert_eq!(ingest("gate_0.jsonl", first)["rows_kept"], 1);
    let report = ingest("gate_1.jsonl", &rows.join("\n"));
    assert_eq!(report["reasons"], json!({ "code": 6, "late": 6 }));

    let by_push = TempDir::new().expect("a folder");
    write(&by_push.path().join("pipelines/gate_event.toml"), &contract);
    let pushed = project(&by_push, NO_COMMIT);
    let server = pushed.serve(None).expect("it starts");
    // In other portions and another order.
    let (mut kept, mut reasons) = (0, BTreeMap::<String, u64>::new());
    for part in rows.rchunks(7) {
        let answer = lines(&server, &pushed, None, &part.join("\n")).body;
        kept += answer["rows_kept"].as_u64().expect("a count");
        for (reason, n) in answer["reasons"].as_object().expect("reasons") {
            *reasons.entry(reason.clone()).or_default() += n.as_u64().expect("a count");
        }
    }
    assert_eq!((json!(kept), json!(reasons)), (report["rows_kept"].clone(), report["reasons"].clone()));
    let without_first: Vec<String> = told(&files, "stg_gate_event").into_iter().filter(|it| !it.contains("\"G9\"")).collect();
    assert_eq!(told(&pushed, "stg_gate_event"), without_first, "from the log");
    server.stop();
    assert_eq!(told(&pushed, "stg_gate_event"), without_first, "from the lake");
    // That a row came too late is no accident of its contract: it enters when somebody asks for it by name.
    let replay = |args: &[&str]| {
        let out = pushed.said(&[&["quarantine", "replay", "gate_event", "--format", "json"][..], args].concat());
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        text.lines()
            .next()
            .and_then(|it| serde_json::from_str::<Value>(it).ok())
            .map_or(0, |it| it["rows_kept"].as_u64().unwrap_or(0))
    };
    assert_eq!(replay(&[]), 0);
    assert_eq!(replay(&["--reason", "late"]), 6);
}

#[test]
fn killed_again_and_again_nothing_is_lost_and_nothing_doubled_from_any_source() {
    let folder = TempDir::new().expect("a folder");
    // The others have a case each, in `kafka.rs` and `replication.rs`.
    let sources: Vec<String> = crate::sources::ALL[..crate::sources::LIGHT].iter().map(|it| (*it).to_owned()).collect();
    let wanted = Wanted { kills: 5 * sources.len(), events: 2_000, seed: 3, sources };
    let (passed, failed) = crash::kills(binary(), folder.path(), &wanted);
    assert_eq!((passed, failed), (wanted.kills, Vec::<String>::new()));
}

/// A register by hand that comes in files and is pushed to; `states` are those it knows.
fn thing(states: &str) -> String {
    format!(
        r#"[pipeline]
name = "thing"
about = "Things."
shape = "state"
owner = "office"
purpose = ["service"]
retention = "1y"
push = true
source = {{ format = "csv", path = "thing/*.csv" }}
[contract]
version = 1
key = ["id"]
on_conflict = "latest"
usual_delay = "1d"
reject_share_max = 1.0
[columns]
id = {{ type = "text", required = true, class = "internal", about = "Number." }}
state = {{ type = "text", required = true, class = "internal", about = "State.", one_of = [{states}] }}
"#
    )
}

#[test]
fn what_was_refused_stays_out_if_the_other_way_brought_something_newer() {
    let folder = TempDir::new().expect("a folder");
    let contract = folder.path().join("pipelines/thing.toml");
    write(&contract, &thing("\"new\""));
    let gates = project(&folder, NO_COMMIT);
    let token = gates.said(&["token", "add", "office", "--pipeline", "thing"]);
    let token = String::from_utf8_lossy(&token.stdout).trim().to_owned();
    let kept = |server: &Living, rows: &str| {
        let sent = push(server, &token, "thing", "application/x-ndjson", None, rows);
        assert_eq!(sent.status, 202, "{}", sent.body);
        sent.body["rows_kept"].as_u64()
    };
    let server = gates.serve(None).expect("it starts");
    assert_eq!(kept(&server, "{\"id\":\"1\",\"state\":\"open\"}\n{\"id\":\"2\",\"state\":\"open\"}"), Some(0));
    server.stop();
    // Beside the project: a folder of exports in it would begin a night in the server.
    let exports = folder.path().join("exports");
    write(&exports.join("thing/1.csv"), "id,state\n1,new\n3,open\n");
    let exports = exports.to_string_lossy().into_owned();
    let ingested = gates.said(&["ingest", "thing", "--input", &exports]);
    assert!(ingested.status.success(), "{}", String::from_utf8_lossy(&ingested.stderr));
    let mut server = gates.serve(None).expect("it starts");
    assert_eq!(kept(&server, "{\"id\":\"3\",\"state\":\"new\"}"), Some(1));
    // It is in the log only, and newer than what waits of 3.
    server.kill();

    write(&contract, &thing("\"new\", \"open\""));
    let replayed = gates.said(&["quarantine", "replay", "thing", "--format", "json"]);
    let line = String::from_utf8_lossy(&replayed.stdout).lines().next().unwrap_or("{}").to_owned();
    let report: Value = serde_json::from_str(&line).expect("a report");
    let counts = ["rows_in", "rows_kept", "rows_skipped"].map(|it| report[it].as_i64().unwrap_or(-1));
    assert_eq!(counts, [3, 1, 2], "{line} {}", String::from_utf8_lossy(&replayed.stderr));
    let rows = gates.sql("SELECT id, state FROM raw_thing ORDER BY id");
    let said: Vec<String> = rows.iter().map(|it| format!("{} {}", it["id"], it["state"])).collect();
    assert_eq!(said, ["\"1\" \"new\"", "\"2\" \"open\"", "\"3\" \"new\""]);
    // File, push and replay are dated by one clock, in the order in which they came in.
    let rows = gates.sql("SELECT id, is_known_assumed FROM raw_thing ORDER BY known_at");
    assert_eq!(rows.iter().map(|it| it["id"].as_str()).collect::<Vec<_>>(), [Some("1"), Some("3"), Some("2")]);
    assert!(rows.iter().all(|it| it["is_known_assumed"] == json!(false)), "{rows:?}");
}

#[test]
fn of_versions_of_a_state_in_one_request_the_last_one_holds() {
    let folder = TempDir::new().expect("a folder");
    write(&folder.path().join("pipelines/thing.toml"), &thing("\"new\", \"open\", \"done\""));
    let gates = project(&folder, NO_COMMIT);
    let token = gates.said(&["token", "add", "office", "--pipeline", "thing"]);
    let token = String::from_utf8_lossy(&token.stdout).trim().to_owned();
    // A number in each order of the three, so that nothing but the order of the request can be right.
    let orders = [[0_usize, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let orders = orders.map(|order| order.map(|it| ["new", "open", "done"][it]));
    let mut rows = Vec::new();
    for version in 0..3 {
        rows.extend(orders.iter().enumerate().map(|(id, order)| json!({ "id": id.to_string(), "state": order[version] })));
    }
    let body = Value::from(rows).to_string();
    let expected: Vec<String> = orders.iter().map(|[first, second, last]| format!("{first} {second} {last}=")).collect();
    let versions = || -> Vec<String> {
        let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for it in gates.sql("SELECT id, state, superseded_at FROM stg_thing ORDER BY id, known_at") {
            let holds = if it["superseded_at"].is_null() { "=" } else { "" };
            let state = format!("{}{holds}", it["state"].as_str().expect("a state"));
            found.entry(it["id"].to_string()).or_default().push(state);
        }
        found.into_values().map(|it| it.join(" ")).collect()
    };

    let mut server = gates.serve(None).expect("it starts");
    let send = |server: &Living| push(server, &token, "thing", "application/json", Some("k-1"), &body);
    let sent = send(&server);
    assert_eq!((sent.status, &sent.body["rows_kept"]), (202, &json!(18)), "{}", sent.body);
    assert_eq!(versions(), expected, "from the log");
    server.kill();
    assert_eq!(versions(), expected, "from a log that nobody writes");
    let server = gates.serve(None).expect("it starts");
    assert_eq!(send(&server).body, sent.body, "sent once more it is answered as before");
    assert_eq!(versions(), expected);
    server.stop();
    assert_eq!(versions(), expected, "from the table");
    let ran = gates.said(&["transform", "--select", "stg_thing"]);
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(versions(), expected, "as it was built");
}

/// Codes of what a server says waits for somebody.
fn warned(server: &Living) -> Vec<String> {
    let mut answer = ureq::get(format!("{}/api/v1/health", server.url)).call().expect("it answers");
    let health: Value = serde_json::from_str(&answer.body_mut().read_to_string().expect("text")).expect("JSON");
    let codes = health["warnings"].as_array().expect("a list").iter();
    codes.map(|it| it["code"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_table_that_does_not_take_its_rows_keeps_no_other_waiting() {
    let folder = TempDir::new().expect("a folder");
    let contract = folder.path().join("pipelines/thing.toml");
    let shaped = |shape: &str, kind: &str| {
        thing("\"new\"")
            .replace("shape = \"state\"", &format!("shape = \"{shape}\""))
            .replace(
                "key = [\"id\"]",
                "key = [\"id\"]\noccurred_at = { column = \"at\", as = \"epoch_ms\" }\nstart = \"2025-07-01\"",
            )
            .replace("type = \"text\", required = true, class = \"internal\", about = \"State.\", one_of = [\"new\"]", kind)
            + "at = { type = \"int64\", required = true, unit = \"ms\", class = \"internal\", about = \"Instant.\" }\n"
    };
    let text = "type = \"text\", required = true, class = \"internal\", about = \"State.\"";
    let whole = "type = \"int64\", required = true, class = \"internal\", about = \"State.\"";
    write(&contract, &shaped("event", text));
    let gates = project(&folder, NO_COMMIT);
    let token = gates.said(&["token", "add", "office", "--pipeline", "thing"]);
    let token = String::from_utf8_lossy(&token.stdout).trim().to_owned();
    let kept = |server: &Living, id: u64, state: &str| {
        let row = format!("{{\"id\":\"{id}\",\"state\":{state},\"at\":{}}}", now_ms() - 1_000);
        let sent = push(server, &token, "thing", "application/x-ndjson", None, &row);
        assert_eq!((sent.status, &sent.body["rows_kept"]), (202, &json!(1)), "{}", sent.body);
    };
    let server = gates.serve(None).expect("it starts");
    kept(&server, 1, "\"new\"");
    server.stop();

    // A source of events that is one of states from now on: its table is brought through it, nothing is lost.
    write(&contract, &shaped("state", text));
    let server = gates.serve(None).expect("it starts");
    kept(&server, 2, "\"done\"");
    server.stop();
    let rows = gates.sql("SELECT * FROM raw_thing ORDER BY id");
    assert_eq!(rows.iter().map(|it| it["state"].as_str()).collect::<Vec<_>>(), [Some("new"), Some("done")]);
    assert!(rows.iter().all(|it| it.get("occurred_on").is_none()), "{rows:?}");

    // A column of another type: its rows stay in the log and say why, those of the gates go in.
    write(&contract, &shaped("state", whole));
    let mut server = gates.serve(None).expect("it starts");
    kept(&server, 3, "7");
    assert_eq!(lines(&server, &gates, None, &passage("G1", 1, now_ms(), 1)).status, 202);
    server.kill();
    let server = gates.serve(None).expect("it starts");
    let began = std::time::Instant::now();
    while !warned(&server).contains(&"not_committed".to_owned()) {
        assert!(began.elapsed().as_secs() < 60, "nobody is told: {}", gates.complaint());
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert_eq!(lines(&server, &gates, None, &passage("G1", 2, now_ms(), 1)).status, 202);
    server.stop();
    assert!(folder.path().join("data/lake/raw_gate_event/_delta_log").exists());
    let ingested = gates.said(&["ingest", "card_txn", "--input", &folder.path().to_string_lossy()]);
    let told = String::from_utf8_lossy(&ingested.stderr).into_owned();
    assert_eq!(ingested.status.code(), Some(2), "{told}");
    assert!(told.contains("raw_thing") && told.contains("state") && told.contains("pipelines/thing.toml"), "{told}");

    // A contract that is gone does no more harm, and with the old one all of it comes in.
    std::fs::remove_file(&contract).expect("it was there");
    gates.serve(None).expect("it starts").stop();
    write(&contract, &shaped("state", text));
    gates.serve(None).expect("it starts").stop();
    let rows = gates.sql("SELECT state FROM raw_thing ORDER BY id");
    assert_eq!(rows.iter().map(|it| it["state"].as_str()).collect::<Vec<_>>(), [Some("new"), Some("done"), Some("7")]);
    assert_eq!(n(&gates, "SELECT count(*) AS n FROM raw_gate_event"), 2);
}

#[test]
fn positions_are_not_given_twice_though_a_contract_and_the_log_were_away() {
    let folder = TempDir::new().expect("a folder");
    let contract = folder.path().join("pipelines/thing.toml");
    write(&contract, &thing("\"new\""));
    let gates = project(&folder, NO_COMMIT);
    let token = gates.said(&["token", "add", "office", "--pipeline", "thing"]);
    let token = String::from_utf8_lossy(&token.stdout).trim().to_owned();
    let kept = |server: &Living, id: u64| {
        let row = format!("{{\"id\":\"{id}\",\"state\":\"new\"}}");
        let sent = push(server, &token, "thing", "application/x-ndjson", None, &row);
        assert_eq!((sent.status, &sent.body["rows_kept"]), (202, &json!(1)), "{}", sent.body);
    };
    let server = gates.serve(None).expect("it starts");
    (1..=3).for_each(|id| kept(&server, id));
    server.stop();
    std::fs::rename(folder.path().join("data/log"), folder.path().join("log_moved_away")).expect("moved");
    std::fs::remove_file(&contract).expect("it was there");
    let server = gates.serve(None).expect("it starts");
    assert_eq!(lines(&server, &gates, None, &passage("G1", 1, now_ms(), 1)).status, 202);
    server.stop();
    write(&contract, &thing("\"new\""));
    let server = gates.serve(None).unwrap_or_else(|| panic!("it does not start: {}", gates.complaint()));
    kept(&server, 4);
    server.stop();
    assert_eq!(n(&gates, "SELECT count(*) AS n FROM raw_thing"), 4);
    let numbers = "SELECT count(DISTINCT file_no) AS n FROM \
                   (SELECT file_no FROM raw_thing UNION ALL SELECT file_no FROM raw_gate_event) AS pushed";
    assert_eq!(n(&gates, numbers), 5);
}
