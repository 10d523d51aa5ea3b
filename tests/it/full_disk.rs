//! A disk that is full under a server that is pushed to, the log's or the lake's: senders, the page and the doctor are told,
//! and once there is room it goes on by itself.

#![cfg(target_os = "linux")]

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::crash::passage;
use crate::support::{binary, write};

/// How long the case waits for something that must come: a bound and no measurement.
const PATIENCE: Duration = Duration::from_secs(120);
/// Events of a request.
const EVENTS: u64 = 1_000;

/// A shell with a file system of its own, small enough to be filled. It ends with the case.
struct Machine(Option<Child>);

impl Drop for Machine {
    fn drop(&mut self) {
        if let Some(shell) = &mut self.0 {
            let _ = shell.kill();
            let _ = shell.wait();
        }
    }
}

fn unshare(script: &str) -> Command {
    let mut command = Command::new("unshare");
    // Whoever kills the shell ends the server with it.
    command.args(["--map-root-user", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script]);
    command
}

#[track_caller]
fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn get(url: &str) -> Option<Value> {
    let mut answer = ureq::get(url).call().ok()?;
    serde_json::from_str(&answer.body_mut().read_to_string().ok()?).ok()
}

/// Pushes the events from a number on; the status and what is said.
fn push(url: &str, token: &str, from: u64, at_ms: i64) -> (u16, String) {
    let lines: Vec<String> = (from..from + EVENTS).map(|it| passage("G1", it, at_ms, it % 900)).collect();
    let request = ureq::post(format!("{url}/api/v1/events/gate_event"))
        .config()
        .http_status_as_error(false)
        .build()
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/x-ndjson");
    let mut answer = request.send(lines.join("\n").as_bytes()).expect("the server answers");
    (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap_or_default())
}

fn warnings(url: &str) -> Vec<String> {
    let health = get(&format!("{url}/api/v1/health")).expect("the server answers");
    let warnings = health["warnings"].as_array().cloned().unwrap_or_default();
    warnings.iter().filter_map(|it| it["code"].as_str().map(str::to_owned)).collect()
}

#[test]
fn a_full_disk_under_a_pushing_server_is_told_and_once_there_is_room_it_goes_on_and_nothing_is_lost() {
    assert!(
        unshare("true").status().is_ok_and(|it| it.success()),
        "this machine lets nobody mount a file system of their own (unshare --map-root-user --mount): without it a full disk \
         cannot be tried; leave the case out by `cargo test --workspace -- --skip a_full_disk`"
    );
    let project = TempDir::new().expect("a folder");
    let settings = "packs = [\"campus\"]\n[store]\nmint = 7\n[ingest]\napprovals = \"off\"\n\
                    [stream]\ncommit_seconds = 1\ntick_seconds = 0\n";
    write(&project.path().join("yizhan.toml"), settings);
    std::fs::create_dir(project.path().join("data")).expect("a folder");
    let port = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a free port").port();
    let url = format!("http://127.0.0.1:{port}");
    // Only what runs in there sees its data, so questions and answers lie beside them. The lake has a disk of its own, which
    // is full long before the log's.
    let script = format!(
        "cd '{}' && mount -t tmpfs -o size=6m none data && mkdir data/lake && mount -t tmpfs -o size=64k none data/lake || exit 9
         yizhan='{}'
         \"$yizhan\" --project . token add gates --pipeline gate_event > token
         \"$yizhan\" --project . serve --listen 127.0.0.1:{port} 2> said & server=$!
         until test -e ask; do sleep 0.1; done
         \"$yizhan\" --project . doctor --json > doctor
         mount -o remount,size=300m data; touch room
         until test -e more; do sleep 0.1; done
         mount -o remount,size=300m data/lake
         until test -e end; do sleep 0.1; done
         kill -TERM $server; wait $server; echo \"ended $?\"
         \"$yizhan\" --project . sql 'SELECT count(*) AS n, count(DISTINCT event_seq) AS own FROM stg_gate_event' --format json",
        project.path().display(),
        binary().display()
    );
    let there = |name: &str| project.path().join(name).exists();
    let touch = |name: &str| write(&project.path().join(name), "");
    let read = |name: &str| std::fs::read_to_string(project.path().join(name)).unwrap_or_default();
    let shell = unshare(&script).env_remove("YIZHAN_LOG").stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut machine = Machine(Some(shell.expect("a shell")));
    until("the server does not answer", || get(&format!("{url}/api/v1/health")).is_some());
    let token = read("token").trim().to_owned();

    let at_ms = chrono::Utc::now().timestamp_millis() - 5_000;
    let mut taken = 0;
    let refusal = loop {
        let (status, said) = push(&url, &token, taken, at_ms);
        if status != 202 {
            break (status, said);
        }
        taken += EVENTS;
        assert!(taken < 1_000 * EVENTS, "six megabytes hold it all");
    };
    assert!(0 < taken, "nothing was taken: {refusal:?}");
    assert!(refusal.0 == 507 && refusal.1.contains("disk_full"), "{refusal:?}");
    assert_eq!(warnings(&url), ["disk_full"]);
    touch("ask");
    until("the doctor does not answer", || there("room"));
    let doctor = read("doctor");
    assert!(doctor.lines().any(|it| it.contains("\"code\":\"disk_full\"") && it.contains("\"urgency\":\"act\"")), "{doctor}");

    // The sender that was refused sends again, as devices do: the log has room now, and keeps what the lake has none for.
    until("it does not go on by itself", || push(&url, &token, taken, at_ms).0 == 202);
    taken += EVENTS;
    until("no commit was refused", || read("said").contains("stay in the log until the next try"));
    assert_eq!(warnings(&url), ["disk_full"]);
    touch("more");
    until("the lake does not go on by itself", || warnings(&url).is_empty());
    assert_eq!(push(&url, &token, taken, at_ms).0, 202);
    taken += EVENTS;
    touch("end");
    let out = machine.0.take().expect("the shell").wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&out.stdout);
    assert!(said.contains("ended 0"), "{said}{}", read("said"));
    assert!(said.contains(&format!("{{\"n\":{taken},\"own\":{taken}}}")), "{taken} were answered for: {said}");
}
