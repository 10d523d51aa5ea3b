//! Kills the server while events come by every way in, again and again, and counts what is left:
//! `make crash KILLS=200 EVENTS=1000000`.
//!
//! A sender is what a gate is: it sends batches out of order, hours and days late, some of them twice, and sends again
//! whatever nobody answered for. The kills go over the sources in turn, at random and at the places that a debug build can
//! be told to end at. After a kill nothing may be there twice, nothing may be there that nobody sent, and nothing may be
//! gone that was there or that the program itself answered for; in the end all that anybody answered for is there, once.
//!
//! What was sent is remembered as ranges of numbers, so that a million events cost as much memory as a thousand.

use std::collections::{BTreeMap, VecDeque};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use wal::point;

use crate::sources::{self, Sent, Source};

/// A device and the number of its event.
pub(crate) type Event = (String, u64);

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

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
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

    /// Has the table of payments out of the way, with a file where its folder belongs, or puts it back: what is pushed to it
    /// meanwhile stays in the log, before whatever others push after it.
    fn shut_payments(&self, is_shut: bool) {
        let (place, aside) = (self.folder.join("data/lake/raw_card_txn"), self.folder.join("payments"));
        if is_shut {
            if place.exists() {
                std::fs::rename(&place, &aside).expect("moved");
            }
            std::fs::write(&place, "in the way").expect("written");
        } else {
            std::fs::remove_file(&place).expect("it was there");
            if aside.exists() {
                std::fs::rename(&aside, &place).expect("moved back");
            }
        }
    }

    /// Pushes a payment that its table does not take.
    fn pay(&self, server: &Living, n: usize) -> bool {
        let bearer = format!("Bearer {}", self.token);
        let campus = chrono::FixedOffset::east_opt(8 * 3_600).expect("an offset");
        let now = chrono::Utc::now().with_timezone(&campus).format("%Y/%m/%d %H:%M:%S");
        let body = format!(
            "{{\"流水号\":{n},\"学号\":\"2025000001\",\"终端号\":\"C-1-01\",\"商户类型\":\"食堂\",\"交易金额(元)\":\"8.00\",\
             \"交易时间\":\"{now}\"}}"
        );
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/x-ndjson")];
        match server.push("/api/v1/events/card_txn", &headers, body.as_bytes()) {
            Some((202, ..)) => true,
            None => false,
            Some((status, _, text)) => panic!("{status} {text}"),
        }
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
        if seq.is_multiple_of(2) { "in" } else { "out" }
    )
}

/// What is killed, how often, and over how much.
pub(crate) struct Wanted {
    pub(crate) kills: usize,
    /// Events of all sources together.
    pub(crate) events: u64,
    pub(crate) seed: u64,
    /// Names of the sources, as [`sources::ALL`] has them.
    pub(crate) sources: Vec<String>,
}

/// Small files and many commits, so that a kill meets each of them.
const SETTINGS: &str =
    "[ingest]\napprovals = \"off\"\n[stream]\ncommit_seconds = 1\nsegment_bytes = \"32 KiB\"\ncommit_bytes = \"64 KiB\"";

/// Places that the server comes to when `yizhan upkeep` hands it the work.
const MERGED: &str = "compact.";

/// Places that the log comes to while some of its rows have a table and others wait for theirs.
const RELEASED: &str = "log.release.";

/// Numbers that are counted together.
const BLOCK: u64 = 1_000;

/// Batches that nobody has answered for, and the newest of those that somebody has.
const REMEMBERED: usize = 16;

/// Numbers that are sent together, and so many before them once more.
#[derive(Debug, Clone, Copy)]
struct Batch {
    from: u64,
    to: u64,
    again: u64,
}

/// The sender of one source: what it has sent and what it still has to send.
struct Sender {
    name: String,
    /// Where it stands among [`sources::ALL`].
    place: usize,
    source: Box<dyn Source>,
    draw: Draw,
    begin_ms: i64,
    batch_max: u64,
    /// Every number below it belongs to a batch.
    next: u64,
    /// Batches that nobody has answered for.
    waiting: Vec<Batch>,
    sent: VecDeque<Batch>,
    /// Events of it that were in staging after the last kill.
    seen: u64,
    kills: usize,
}

impl Sender {
    fn fresh(&mut self) -> Batch {
        let from = self.next;
        self.next += 1 + self.draw.below(self.batch_max);
        // Some of what went before comes once more, in another batch.
        let again = if self.draw.below(3) == 0 { from.min(3) } else { 0 };
        Batch { from, to: self.next, again }
    }

    /// The rows of a batch, the same every time, in no order of their numbers.
    fn rows(&self, batch: Batch) -> Vec<String> {
        let mut numbers: Vec<u64> = (batch.from - batch.again..batch.to).collect();
        numbers.sort_by_key(|it| it.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let row = |n: &u64| {
            // Of the last three days in no order; the instant follows from the number, so that a copy is the same event.
            let at_ms = self.begin_ms - (n.wrapping_mul(2_654_435_761) % 259_200_000) as i64;
            passage(&format!("{}-{}", self.name, n % 7), *n, at_ms, n % 300)
        };
        numbers.iter().map(row).collect()
    }

    /// Events that somebody has answered for.
    fn acknowledged(&self) -> u64 {
        self.next - self.waiting.iter().map(|it| it.to - it.from).sum::<u64>()
    }

    /// Sends until there are so many numbers and the time is over, or the server is gone. With `is_all` until nothing waits.
    fn send(&mut self, gates: &Gates, server: &mut Living, up_to: u64, until: Instant, is_all: bool) {
        while self.next < up_to || Instant::now() < until || (is_all && !self.waiting.is_empty()) {
            if server.is_dead() {
                return;
            }
            let (batch, is_new) = if !self.waiting.is_empty() && (up_to <= self.next || self.draw.below(3) == 0) {
                let at = self.draw.below(self.waiting.len() as u64) as usize;
                (self.waiting.swap_remove(at), true)
            } else if self.next < up_to {
                let batch = self.fresh();
                if self.waiting.len() < REMEMBERED && self.draw.below(8) == 0 {
                    // It comes after batches that were made after it.
                    self.waiting.push(batch);
                    continue;
                }
                (batch, true)
            } else {
                // Nothing is left: what was answered for comes once more.
                std::thread::sleep(Duration::from_millis(30));
                let Some(batch) = self.sent.get(self.draw.below(self.sent.len().max(1) as u64) as usize).copied() else {
                    continue;
                };
                (batch, false)
            };
            let rows = self.rows(batch);
            match self.source.send(gates, server, &format!("{}-{}", self.name, batch.from), &rows) {
                Sent::Acknowledged if is_new => {
                    self.sent.push_back(batch);
                    if REMEMBERED < self.sent.len() {
                        self.sent.pop_front();
                    }
                }
                Sent::Again if is_new => self.waiting.push(batch),
                Sent::Acknowledged | Sent::Again => {}
            }
        }
    }

    /// The places at which the program ends while this source sends: one that all have, one of its own, and so on. Each
    /// source begins elsewhere among those that all have, so that a few kills of each visit many.
    fn points(&self) -> Vec<&'static str> {
        let mut own: VecDeque<&'static str> = match self.source.places() {
            [] => point::ALL.iter().copied().filter(|it| it.starts_with(&format!("{}.", self.name))).collect(),
            places => places.iter().copied().collect(),
        };
        // Small files are merged when they are asked to be, and a row that waits is pushed, which is one of our own.
        let is_apart = |it: &&str| it.starts_with(MERGED) || it.starts_with(RELEASED);
        let is_shared = |it: &&str| {
            let is_ours = ["answer.", "log.", "commit."].iter().any(|first| it.starts_with(first));
            if is_apart(it) { self.source.is_ours() } else { is_ours }
        };
        let mut shared: Vec<&'static str> = point::ALL.iter().copied().filter(is_shared).collect();
        let begin = self.place * shared.len() / sources::ALL.len();
        shared.rotate_left(begin);
        let mut points = Vec::new();
        for point in shared {
            points.push(point);
            points.extend(own.pop_front());
        }
        points.extend(own);
        points
    }

    /// Where the program ends at the next kill of this source; every third kill is at random.
    fn next_point(&mut self) -> Option<String> {
        let (nth, points) = (self.kills, self.points());
        self.kills += 1;
        let point = points[(nth - nth.div_ceil(3)) % points.len()];
        // Files begin, end and go rarely, and so do commits.
        let is_rare = ["log.close", "log.open", "log.truncate", "commit"].iter().any(|it| point.starts_with(it));
        let passed = match point {
            it if it.starts_with(MERGED) || it.starts_with(RELEASED) => 1,
            _ => 1 + self.draw.below(if is_rare { 2 } else { 6 }),
        };
        (nth % 3 != 0).then(|| format!("{point}:{passed}"))
    }
}

/// What staging has of some numbers of a source.
#[derive(Debug, Default, Clone, Copy)]
struct Found {
    rows: u64,
    events: u64,
    /// Events that are in no batch that nobody has answered for.
    sure: u64,
    newest: u64,
    /// Rows whose device has not this number.
    odd: u64,
}

/// Kills a server so often while events come; one line a kill that lost or made something.
pub(crate) fn kills(binary: PathBuf, folder: &Path, wanted: &Wanted) -> (usize, Vec<String>) {
    let n = wanted.kills;
    let share = wanted.events.div_ceil(wanted.sources.len().max(1) as u64);
    let a_kill = (wanted.events / n.max(1) as u64).max(1);
    let begin_ms = chrono::Utc::now().timestamp_millis();
    let sender = |(at, name): (usize, &String)| Sender {
        name: name.clone(),
        place: sources::ALL.iter().position(|it| it == name).unwrap_or_default(),
        source: sources::begin(name, &folder.join(name)),
        draw: Draw::new(wanted.seed + 1_000 * at as u64),
        begin_ms,
        batch_max: (a_kill / 20).clamp(20, 400),
        next: 0,
        waiting: Vec::new(),
        sent: VecDeque::new(),
        seen: 0,
        kills: 0,
    };
    let mut senders: Vec<Sender> = wanted.sources.iter().enumerate().map(sender).collect();
    let settings: String = senders.iter().map(|it| it.source.settings()).collect();
    let project = folder.join("project");
    for contract in senders.iter().filter_map(|it| it.source.contract()) {
        let pipelines = project.join("pipelines");
        std::fs::create_dir_all(&pipelines).expect("a folder");
        std::fs::write(pipelines.join("gate_event.toml"), contract).expect("written");
    }
    let gates = Gates::new(binary, &project, &format!("{SETTINGS}\n{settings}"));
    let mut failed = Vec::new();
    let (mut named, mut reached, mut payments) = (0, 0, 0);
    for kill in 0..n {
        let place = kill % senders.len();
        let sender = &mut senders[place];
        let nth = sender.kills;
        let point = sender.next_point();
        if nth % 3 == 2 {
            sender.source.restart();
        }
        // A server that is gone before it answers has come to its place as well.
        let mut is_there = true;
        let (is_merged, is_released) = {
            let begins = |first: &str| point.as_ref().is_some_and(|it| it.starts_with(first));
            (begins(MERGED), begins(RELEASED))
        };
        if let Some(mut server) = gates.serve(point.as_deref()) {
            if is_released {
                gates.shut_payments(true);
                payments += usize::from(gates.pay(&server, payments + 1));
            }
            let (events, ms) = match point {
                Some(_) => (a_kill, 4_000),
                None => (1 + sender.draw.below(2 * a_kill), sender.draw.below(1_200)),
            };
            // The last kills come while the last events do.
            let up_to = (sender.next + events).min(share);
            sender.send(&gates, &mut server, up_to, Instant::now() + Duration::from_millis(ms), false);
            if is_merged && !server.is_dead() {
                // The living server is the one that writes, and is handed the work: where it ends, nobody gets an answer.
                let is_answered = gates.said(&["upkeep"]).status.success();
                let asked = Instant::now();
                while !is_answered && !server.is_dead() && asked.elapsed() < Duration::from_secs(5) {
                    std::thread::sleep(Duration::from_millis(30));
                }
            }
            is_there = server.is_dead();
            server.kill();
            if is_released {
                gates.shut_payments(false);
            }
        }
        if point.is_some() {
            named += 1;
            reached += usize::from(is_there);
        }
        let how = match &point {
            None => "at random".to_owned(),
            Some(point) if is_there => point.clone(),
            Some(point) => format!("at random, for it did not come to {point}"),
        };
        let (name, acknowledged) = (sender.name.clone(), sender.acknowledged());
        // What a broker keeps may still come: there it is enough to look every other time.
        let wrong = if sender.source.is_ours() || nth % 2 == 1 { judged(&gates, &mut senders, false) } else { Vec::new() };
        println!(
            "kill {} of {n}: {name}, {how}, {acknowledged} events of it answered for{}",
            kill + 1,
            if wrong.is_empty() { "" } else { ": WRONG" }
        );
        failed.extend(wrong.into_iter().take(1).map(|it| format!("kill {} ({name}, {how}): {it}", kill + 1)));
    }
    println!("{reached} of {named} places were come to");
    if reached * 2 < named {
        failed.push(format!("the program came to {reached} of {named} places only"));
    }
    failed.extend(ended(&gates, &mut senders, share).into_iter().map(|it| format!("at the end: {it}")));
    if 0 < payments {
        let there = gates.sql("SELECT count(*) AS n FROM stg_card_txn")[0]["n"].as_u64();
        // One more may be there that nobody answered for.
        if there.is_none_or(|it| it < payments as u64 || payments as u64 + 1 < it) {
            failed.push(format!("{payments} payments were answered for, and staging has {there:?}"));
        }
    }
    let waits = std::fs::read_dir(project.join("data/log")).expect("a log").filter_map(Result::ok);
    let waits = waits.filter(|it| it.metadata().is_ok_and(|it| 100 < it.len())).count();
    if 0 < waits {
        failed.push(format!("a server that stopped in order left {waits} files of the log"));
    }
    (n - failed.len().min(n), failed)
}

/// In the end everything is sent, answered for, committed, and the same. What is wrong with it.
fn ended(gates: &Gates, senders: &mut [Sender], share: u64) -> Vec<String> {
    let mut server = gates.serve(None).unwrap_or_else(|| panic!("it does not start: {}", gates.complaint()));
    for sender in &mut *senders {
        sender.send(gates, &mut server, share, Instant::now(), true);
        println!("{}: {} events answered for", sender.name, sender.acknowledged());
    }
    let expected: u64 = senders.iter().map(|it| it.next).sum();
    let (mut most, mut grew) = (0, Instant::now());
    while most < expected && grew.elapsed() < Duration::from_secs(90) && !server.is_dead() {
        let events: u64 = found(gates, senders).values().map(|it| it.events).sum();
        if most < events {
            println!("{events} of {expected} events are there");
            (most, grew) = (events, Instant::now());
        }
        std::thread::sleep(Duration::from_millis(300));
    }
    server.stop();
    judged(gates, senders, true)
}

/// What stands in staging, by source and by block of numbers.
fn found(gates: &Gates, senders: &[Sender]) -> BTreeMap<(String, u64), Found> {
    let waiting = senders.iter().flat_map(|sender| {
        let name = &sender.name;
        let range =
            move |it: &Batch| format!("(device_id LIKE '{name}-%' AND event_seq >= {} AND event_seq < {})", it.from, it.to);
        sender.waiting.iter().map(range)
    });
    let waiting = waiting.chain(["false".to_owned()]).collect::<Vec<_>>().join(" OR ");
    let source = "split_part(device_id, '-', 1)";
    let rows = gates.sql(&format!(
        "SELECT {source} AS source, event_seq / {BLOCK} AS block, count(*) AS rows_n, count(DISTINCT event_seq) AS events_n, \
         count(DISTINCT CASE WHEN {waiting} THEN NULL ELSE event_seq END) AS sure_n, max(event_seq) AS newest, \
         sum(CASE WHEN device_id = concat({source}, '-', CAST(event_seq % 7 AS VARCHAR)) THEN 0 ELSE 1 END) AS odd_n \
         FROM stg_gate_event GROUP BY {source}, event_seq / {BLOCK}"
    ));
    let number = |row: &Value, name: &str| row[name].as_u64().unwrap_or_else(|| panic!("{name} of {row}"));
    let block = |row: &Value| {
        let found = Found {
            rows: number(row, "rows_n"),
            events: number(row, "events_n"),
            sure: number(row, "sure_n"),
            newest: number(row, "newest"),
            odd: number(row, "odd_n"),
        };
        ((row["source"].as_str().unwrap_or_default().to_owned(), number(row, "block")), found)
    };
    rows.iter().map(block).collect()
}

/// What is wrong with staging after a kill, or in the end.
fn judged(gates: &Gates, senders: &mut [Sender], is_end: bool) -> Vec<String> {
    let found = found(gates, senders);
    let mut wrong = Vec::new();
    for ((source, block), it) in &found {
        let Some(sender) = senders.iter().find(|it| it.name == *source) else {
            wrong.push(format!("nobody sends as {source}"));
            continue;
        };
        if sender.next <= it.newest || it.odd != 0 {
            wrong.push(format!("nobody sent event {} of {source}, {} rows stand under another device", it.newest, it.odd));
        }
        if it.rows != it.events {
            let from = block * BLOCK;
            wrong.push(format!("{source} from {from} on: {} rows of {} events", it.rows, it.events));
        }
    }
    for sender in senders {
        let name = &sender.name;
        let mut events = 0;
        for block in 0..sender.next.div_ceil(BLOCK) {
            let (from, to) = (block * BLOCK, sender.next.min((block + 1) * BLOCK));
            let it = found.get(&(name.clone(), block)).copied().unwrap_or_default();
            events += it.events;
            let waits: u64 = sender.waiting.iter().map(|it| it.to.min(to).saturating_sub(it.from.max(from))).sum();
            let lost = (to - from - waits).saturating_sub(it.sure);
            if lost != 0 && (is_end || sender.source.is_ours()) {
                wrong.push(format!("{lost} events of {name} from {from} on were answered for and are gone"));
            }
        }
        if events < sender.seen {
            wrong.push(format!("{} events of {name} were there and are gone", sender.seen - events));
        }
        sender.seen = events;
        if let Some(rows) = sender.source.raw_rows().filter(|_| is_end) {
            let raw = gates.sql(&format!("SELECT count(*) AS n FROM raw_gate_event WHERE device_id LIKE '{name}-%'"));
            if raw[0]["n"].as_u64() != Some(rows) {
                wrong.push(format!("{rows} rows of {name} were sent, and the raw table has {}", raw[0]["n"]));
            }
        }
    }
    wrong
}
