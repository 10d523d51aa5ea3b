//! The doors of the stream that are no HTTP: whatever is killed in between, what was taken is in staging, once.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;
use tempfile::TempDir;

use crate::crash::{Gates, passage};
use crate::support::{binary, repository, write};

fn now_ms() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

fn project(folder: &TempDir, more: &str) -> Gates {
    let settings = format!("[ingest]\napprovals = \"off\"\n[stream]\ncommit_seconds = 1\n{more}");
    Gates::new(binary(), folder.path(), &settings)
}

/// Looks again and again until something holds.
#[track_caller]
fn until(what: &str, gates: &Gates, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(90), "{what} never came: {}", gates.complaint());
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// What stands in staging of the gates, by number of the event: each must be there once.
fn staged(gates: &Gates) -> Vec<u64> {
    let staged = gates.staged();
    let twice: Vec<_> = staged.iter().filter(|it| *it.1 != 1).collect();
    assert!(twice.is_empty(), "more than once: {twice:?}");
    let mut found: Vec<u64> = staged.into_keys().map(|it| it.1).collect();
    found.sort_unstable();
    found
}

/// How a door stands, as the server tells without a login.
fn warnings(url: &str) -> Vec<Value> {
    let Ok(mut answer) = ureq::get(format!("{url}/api/v1/health")).call() else { return Vec::new() };
    let text = answer.body_mut().read_to_string().unwrap_or_default();
    let body: Value = serde_json::from_str(&text).unwrap_or_default();
    body["warnings"].as_array().cloned().unwrap_or_default()
}

fn names(folder: &Path) -> Vec<String> {
    let Ok(found) = std::fs::read_dir(folder) else { return Vec::new() };
    let files = found.filter_map(Result::ok).filter(|it| it.path().is_file());
    let mut names: Vec<String> = files.map(|it| it.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Puts a file into a folder as a script does that knows how: under another name first, then renamed.
fn drop_in(folder: &Path, name: &str, text: &str, is_old: bool) {
    let part = folder.join(format!("{name}.part"));
    write(&part, text);
    if is_old {
        let file = std::fs::File::options().append(true).open(&part).expect("a file");
        file.set_modified(SystemTime::now() - Duration::from_secs(60)).expect("a time");
    }
    std::fs::rename(&part, folder.join(name)).expect("renamed");
}

#[test]
fn files_of_the_drop_folder_enter_once_whatever_is_killed() {
    let folder = TempDir::new().expect("a folder");
    let card = std::fs::read_to_string(repository().join("pipelines/card_txn.toml")).expect("a contract");
    // What is tried is the door, not the encoding of a vendor.
    write(&folder.path().join("pipelines/card_txn.toml"), &card.replace("encoding = \"gb18030\"", "encoding = \"utf-8\""));
    let gates = project(&folder, "[stream.drop]\nfolder = \"drop\"\nquiet_seconds = 2");
    let inbox = folder.path().join("drop/gate_event");
    let at = now_ms();
    let mut expected = Vec::new();
    let points = [
        "drop.claimed",
        "log.append.after",
        "log.sync.after",
        "drop.kept",
        "drop.done",
        "commit.rows.after",
        "commit.keys.before",
    ];
    for (n, point) in points.into_iter().enumerate() {
        let seqs: Vec<u64> = (0..3).map(|it| 10 * n as u64 + it).collect();
        let rows: Vec<String> = seqs.iter().rev().map(|it| passage("G1", *it, at - 1_000, *it)).collect();
        std::fs::create_dir_all(&inbox).expect("a folder");
        drop_in(&inbox, &format!("gates_{n}.jsonl"), &rows.join("\n"), true);
        expected.extend(seqs);
        if let Some(mut server) = gates.serve(Some(point)) {
            until(point, &gates, || server.is_dead());
        }
    }
    // The same bytes once more, under another name; one that is no JSON; one that is still being written.
    let again: Vec<String> = [2, 1, 0].iter().map(|it| passage("G1", *it, at - 1_000, *it)).collect();
    drop_in(&inbox, "again.jsonl", &again.join("\n"), true);
    drop_in(&inbox, "wrong.jsonl", "this is\nno JSON\n", true);
    write(&inbox.join("growing.jsonl.part"), &passage("G1", 999, at, 1));
    let cards = folder.path().join("drop/card_txn");
    let csv = "流水号,学号,终端号,商户类型,交易金额(元),余额(元),交易时间\n\
               7,2025000001,T1,食堂,12.5,100,2025/12/01 7:02:03\n8,2025000002,T1,食堂,3,80.5,2025/12/01 7:02:09\n";
    drop_in(&cards, "card.csv", csv, false);
    // Whoever writes events of a table as lines may do so whatever the contract says of its exports.
    let line = "{\"流水号\":9,\"学号\":\"2025000003\",\"终端号\":\"T2\",\"商户类型\":\"超市\",\"交易金额(元)\":\"4\",\
                \"交易时间\":\"2025/12/01 8:00:00\"}";
    drop_in(&cards, "card.jsonl", line, false);
    let server = gates.serve(None).expect("it starts");
    until("an empty folder", &gates, || {
        names(&inbox) == ["growing.jsonl.part"]
            && names(&cards).is_empty()
            && [&inbox, &cards].iter().all(|it| names(&it.join(".taking")).is_empty())
    });
    server.stop();
    assert_eq!(staged(&gates), expected);
    let n = gates.sql("SELECT count(*) AS n, count(DISTINCT txn_id) AS d FROM stg_card_txn WHERE txn_id IN (7, 8, 9)");
    assert_eq!((n[0]["n"].as_i64(), n[0]["d"].as_i64()), (Some(3), Some(3)));
    // Raw rows too are there once: a file that was taken is known again by its bytes.
    let raw = gates.sql("SELECT count(*) AS n FROM raw_gate_event");
    assert_eq!(raw[0]["n"].as_u64(), Some(expected.len() as u64));
    let refused = names(&inbox.join("refused"));
    assert_eq!(refused.len(), 2, "{refused:?}");
    assert!(refused[0].ends_with("-wrong.jsonl") && refused[1].ends_with("-wrong.jsonl.txt"), "{refused:?}");
    let why = std::fs::read_to_string(inbox.join("refused").join(&refused[1])).expect("a reason");
    assert_eq!(why.lines().count(), 2, "in both languages: {why}");
    assert_eq!(names(&inbox.join("done")).len(), points.len() + 1);
}
