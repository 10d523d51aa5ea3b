//! Kills the server while events are pushed, again and again, and counts what is left: `make crash KILLS=200`.
//!
//! A sender is what a gate is: it sends batches out of order, sends some of them twice, and sends again under the same key
//! whatever it got no answer for. After every kill all that was answered for must be in staging, once, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A device and the number of its event.
pub(crate) type Event = (String, u64);

/// Places at which the program may end itself, as `crates/wal/src/point.rs` names them, and when.
const POINTS: [&str; 24] = [
    "log.append.before:9",
    "log.append.after:12",
    "log.sync.before:7",
    "log.sync.after:11",
    "log.close.before:2",
    "log.close.after:1",
    "log.open.before:2",
    "log.open.after:1",
    "log.truncate.before:2",
    "log.truncate.middle:1",
    "log.truncate.after:1",
    "commit.rejects.before:2",
    "commit.rejects.after:2",
    "commit.rows.before:1",
    "commit.rows.after:1",
    "commit.rows.after:2",
    "commit.keys.before:1",
    "commit.keys.after:2",
    "answer.before:5",
    "log.sync.before:1",
    "log.sync.after:1",
    "commit.rows.before:2",
    "commit.keys.after:1",
    "log.truncate.middle:2",
];

/// Numbers that repeat with their seed.
pub(crate) struct Draw(u64);

impl Draw {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

/// What one request holds.
#[derive(Clone)]
struct Batch {
    key: String,
    body: String,
    events: Vec<Event>,
}

/// A project to which events of gates are pushed, and its program.
pub(crate) struct Gates {
    binary: PathBuf,
    folder: PathBuf,
    pub(crate) token: String,
}

/// A living server.
pub(crate) struct Living {
    process: Child,
    pub(crate) url: String,
}

impl Drop for Living {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Living {
    /// Kills it at once.
    pub(crate) fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Asks it to stop and waits until it has.
    pub(crate) fn stop(mut self) {
        let asked = Command::new("kill").arg("-TERM").arg(self.process.id().to_string()).status();
        assert!(asked.is_ok_and(|it| it.success()), "it can be asked");
        let status = self.process.wait().expect("it ends");
        assert!(status.success(), "it stops in order: {status}");
    }

    pub(crate) fn is_dead(&mut self) -> bool {
        self.process.try_wait().is_ok_and(|it| it.is_some())
    }

    /// Pushes a body; status, headers and text of the answer, or nothing if the server went away.
    pub(crate) fn push(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Option<(u16, Option<String>, String)> {
        let mut request = ureq::post(format!("{}{path}", self.url))
            .config()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(30)))
            .build();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut answer = request.send(body).ok()?;
        let after = answer.headers().get("retry-after").and_then(|it| it.to_str().ok()).map(str::to_owned);
        Some((answer.status().as_u16(), after, answer.body_mut().read_to_string().ok()?))
    }
}

impl Gates {
    /// Makes a project in a folder, and a token for it. `more` is added to its settings.
    pub(crate) fn new(binary: PathBuf, folder: &Path, more: &str) -> Self {
        // Without a folder of exports no night is made up, which would only keep the machine busy.
        std::fs::create_dir_all(folder).expect("a folder");
        let settings = format!("packs = [\"campus\"]\n[store]\nmint = 7\n{more}\n");
        std::fs::write(folder.join("yizhan.toml"), settings).expect("written");
        let mut gates = Self { binary, folder: folder.to_owned(), token: String::new() };
        let made = gates.said(&["token", "add", "gates", "--pipeline", "gate_event", "--pipeline", "card_txn"]);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        gates.token = String::from_utf8_lossy(&made.stdout).trim().to_owned();
        gates
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg("--project").arg(&self.folder).args(args).env_remove("YIZHAN_LOG").env_remove("YIZHAN_FAILPOINT");
        command
    }

    pub(crate) fn said(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("the program starts")
    }

    pub(crate) fn sql(&self, query: &str) -> Vec<Value> {
        let out = self.said(&["sql", query, "--format", "json"]);
        assert!(out.status.success(), "{query}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).lines().filter_map(|it| serde_json::from_str(it).ok()).collect()
    }

    /// Starts a server, which may be told where to end itself; nothing if it ended before it answered.
    pub(crate) fn serve(&self, failpoint: Option<&str>) -> Option<Living> {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a free port").port();
        let listen = format!("127.0.0.1:{port}");
        let said = std::fs::File::create(self.folder.join("said.txt")).expect("a file");
        let mut command = self.command(&["serve", "--listen", &listen]);
        if let Some(point) = failpoint {
            command.env("YIZHAN_FAILPOINT", point);
        }
        let process = command.stdout(Stdio::null()).stderr(said).spawn().expect("the program starts");
        let mut living = Living { process, url: format!("http://{listen}") };
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(120) {
            if ureq::get(format!("{}/api/v1/health", living.url)).call().is_ok() {
                return Some(living);
            }
            if living.is_dead() {
                return None;
            }
            std::thread::sleep(Duration::from_millis(30));
        }
        panic!("the server does not answer: {}", self.complaint());
    }

    /// What the server wrote on standard error.
    pub(crate) fn complaint(&self) -> String {
        std::fs::read_to_string(self.folder.join("said.txt")).unwrap_or_default()
    }

    /// What stands in staging, and how often.
    pub(crate) fn staged(&self) -> BTreeMap<Event, u64> {
        let rows = self.sql("SELECT device_id, event_seq, count(*) AS n FROM stg_gate_event GROUP BY device_id, event_seq");
        let event = |it: &Value| Some((it["device_id"].as_str()?.to_owned(), it["event_seq"].as_u64()?));
        rows.iter().filter_map(|it| Some((event(it)?, it["n"].as_u64()?))).collect()
    }
}

/// One passage through a gate as its vendor writes it.
pub(crate) fn passage(device: &str, seq: u64, at_ms: i64, person: u64) -> String {
    format!(
        "{{\"device_id\":\"{device}\",\"event_seq\":{seq},\"event_ms\":{at_ms},\"sent_ms\":{at_ms},\"person_id\":\"20250{person:05}\",\
         \"direction\":\"{}\",\"method\":\"card\"}}",
        if seq % 2 == 0 { "in" } else { "out" }
    )
}

/// The sender: what it still has to send, and what it was answered for.
struct Sender {
    draw: Draw,
    next: u64,
    begin_ms: i64,
    waiting: Vec<Batch>,
    sent: Vec<Batch>,
    answered: BTreeSet<Event>,
    tried: BTreeSet<Event>,
}

impl Sender {
    fn fresh(&mut self) -> Batch {
        let n = 1 + self.draw.below(20);
        let mut events = Vec::new();
        let mut rows = Vec::new();
        for _ in 0..n {
            self.next += 1;
            let device = format!("G{}", self.next % 7);
            // Of the last three days in no order; the instant follows from the number, so that a copy is the same event.
            let at_ms = self.begin_ms - (self.next.wrapping_mul(2_654_435_761) % 259_200_000) as i64;
            rows.push(passage(&device, self.next, at_ms, self.next % 300));
            events.push((device, self.next));
        }
        // Some of what went before comes once more, in another batch.
        if let Some(before) = self.sent.last().filter(|_| self.next % 3 == 0) {
            rows.extend(before.body.lines().take(3).map(str::to_owned));
            events.extend(before.events.iter().take(3).cloned());
        }
        Batch { key: format!("batch-{}", self.next), body: rows.join("\n"), events }
    }

    /// Sends until the server is gone or the time is over; says whether all that waited was answered.
    fn send(&mut self, server: &mut Living, token: &str, until: Instant) -> bool {
        while Instant::now() < until {
            let again = self.draw.below(5) == 0;
            let batch = match self.waiting.pop() {
                Some(batch) => batch,
                None if again && !self.sent.is_empty() => {
                    let at = self.draw.below(self.sent.len() as u64) as usize;
                    self.sent[at].clone()
                }
                None => self.fresh(),
            };
            self.tried.extend(batch.events.iter().cloned());
            let bearer = format!("Bearer {token}");
            let mut headers = vec![("authorization", bearer.as_str()), ("content-type", "application/x-ndjson")];
            // Some senders know no keys.
            if batch.key.len() % 2 == 0 {
                headers.push(("idempotency-key", batch.key.as_str()));
            }
            match server.push("/api/v1/events/gate_event", &headers, batch.body.as_bytes()) {
                Some((202, ..)) => {
                    self.answered.extend(batch.events.iter().cloned());
                    self.sent.push(batch);
                }
                Some((429 | 503 | 507, ..)) => {
                    self.waiting.push(batch);
                    std::thread::sleep(Duration::from_millis(50));
                }
                Some((status, _, text)) => panic!("{status} {text}"),
                None => {
                    self.waiting.push(batch);
                    if server.is_dead() {
                        return false;
                    }
                }
            }
        }
        self.waiting.is_empty()
    }
}

/// Kills a server so often while events are pushed; one line a kill that lost or made something.
pub(crate) fn kills(binary: PathBuf, folder: &Path, n: usize, seed: u64) -> (usize, Vec<String>) {
    let more =
        "[ingest]\napprovals = \"off\"\n[stream]\ncommit_seconds = 1\nsegment_bytes = \"32 KiB\"\ncommit_bytes = \"64 KiB\"";
    let gates = Gates::new(binary, folder, more);
    let begin_ms = chrono::Utc::now().timestamp_millis();
    let mut sender = Sender {
        draw: Draw::new(seed),
        next: 0,
        begin_ms,
        waiting: Vec::new(),
        sent: Vec::new(),
        answered: BTreeSet::new(),
        tried: BTreeSet::new(),
    };
    let mut failed = Vec::new();
    for kill in 0..n {
        let point = (kill % 2 == 1).then(|| POINTS[(kill / 2) % POINTS.len()]);
        let how = point.unwrap_or("at random");
        if let Some(mut server) = gates.serve(point) {
            let most_ms = if point.is_some() { 8_000 } else { 100 + sender.draw.below(2_500) };
            sender.send(&mut server, &gates.token, Instant::now() + Duration::from_millis(most_ms));
            server.kill();
        }
        let wrong = judged(&gates, &sender);
        println!(
            "kill {}: {how}, {} events answered for{}",
            kill + 1,
            sender.answered.len(),
            if wrong.is_empty() { "" } else { ": WRONG" }
        );
        failed.extend(wrong.into_iter().take(1).map(|it| format!("kill {} ({how}): {it}", kill + 1)));
    }
    // In the end everything is answered for, committed, and the same.
    let mut server = gates.serve(None).unwrap_or_else(|| panic!("it does not start: {}", gates.complaint()));
    while !sender.waiting.is_empty() {
        sender.send(&mut server, &gates.token, Instant::now() + Duration::from_millis(300));
    }
    server.stop();
    failed.extend(judged(&gates, &sender).into_iter().map(|it| format!("at the end: {it}")));
    let waits = std::fs::read_dir(folder.join("data/log")).expect("a log").filter_map(Result::ok);
    let waits = waits.filter(|it| it.metadata().is_ok_and(|it| 100 < it.len())).count();
    if 0 < waits {
        failed.push(format!("a server that stopped in order left {waits} files of the log"));
    }
    (n - failed.len().min(n), failed)
}

/// What is wrong with staging after a kill.
fn judged(gates: &Gates, sender: &Sender) -> Vec<String> {
    let staged = gates.staged();
    let mut wrong = Vec::new();
    let lost: Vec<&Event> = sender.answered.iter().filter(|it| !staged.contains_key(*it)).collect();
    if let Some(first) = lost.first() {
        wrong.push(format!("{} events were answered for and are gone, {first:?} among them", lost.len()));
    }
    for (event, n) in &staged {
        if *n != 1 {
            wrong.push(format!("{event:?} is there {n} times"));
        }
        if !sender.tried.contains(event) {
            wrong.push(format!("nobody sent {event:?}"));
        }
    }
    wrong
}
