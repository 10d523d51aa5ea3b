//! The stream without its doors: a project of a few small sources, opened in this process, pushed to, killed and opened
//! again. Nothing stands between a case and the code that the program runs.

mod power_cut;

use std::path::Path;
use std::sync::Arc;

use ::ingest::PushForm;
use arrow::util::pretty::pretty_format_batches;
use proptest::prelude::*;
use serde_json::Value;
use serve::PushRefusal;
use tempfile::TempDir;

use super::parcel::{Cargo, Parcel, Reached};
use super::{Doorstep, commit, warnings};
use crate::house::{Access, Disks, House};
use crate::known;
use crate::settings::{Place, Settings};

/// 2025-10-11, midnight in Greenwich: the instant of every case.
pub(crate) const NOW_US: i64 = 1_760_140_800_000_000;

/// A project in a folder of its own.
pub(crate) struct Stage {
    folder: TempDir,
}

/// It, opened for writing.
pub(crate) struct Opened {
    pub(crate) house: Arc<House>,
    pub(crate) door: Arc<Doorstep>,
}

/// Runs a case on a stack as large as the program's own: unoptimised plans of queries are deep.
pub(crate) fn run<F: Future<Output = ()> + 'static>(case: impl FnOnce() -> F + Send + 'static) {
    let work = move || {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(2).thread_stack_size(8 << 20).enable_all().build().expect("a runtime");
        runtime.block_on(case());
    };
    let thread = std::thread::Builder::new().stack_size(16 << 20).spawn(work).expect("a thread");
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

/// A source of events with a number, a state and an instant.
pub(crate) fn contract(name: &str, on_conflict: &str) -> String {
    format!(
        r#"[pipeline]
name = "{name}"
about = "Things."
shape = "event"
owner = "office"
purpose = ["service"]
retention = "1y"
push = true
source = {{ format = "jsonl", path = "{name}/*.jsonl" }}
[contract]
version = 1
key = ["id"]
on_conflict = "{on_conflict}"
occurred_at = {{ column = "at", as = "epoch_ms" }}
start = "2025-07-01"
usual_delay = "1d"
reject_share_max = 1.0
[columns]
id = {{ type = "text", required = true, class = "internal", about = "Number." }}
state = {{ type = "text", required = true, class = "internal", about = "State." }}
at = {{ type = "int64", required = true, unit = "ms", class = "internal", about = "Instant." }}
"#
    )
}

/// An event of such a source, so many hours before the day of the case.
pub(crate) fn event(id: u64, state: &str, hours: i64) -> String {
    format!("{{\"id\":\"{id}\",\"state\":\"{state}\",\"at\":{}}}", NOW_US / 1_000 - 86_400_000 - hours * 3_600_000)
}

impl Stage {
    pub(crate) fn new(contracts: &[(&str, &str)]) -> Self {
        let stage = Self { folder: TempDir::new().expect("a folder") };
        let settings = "packs = []\n[ingest]\napprovals = \"off\"\n[store]\nmint = 7\n[lake]\ndurability = \"os\"\n\
                        [stream]\nrejects_max = 2\n";
        std::fs::write(stage.folder.path().join("yizhan.toml"), settings).expect("written");
        std::fs::create_dir(stage.folder.path().join("pipelines")).expect("a folder");
        contracts.iter().for_each(|it| stage.agree(it.0, it.1));
        stage
    }

    /// Writes the contract of a source; it holds from the next opening on.
    pub(crate) fn agree(&self, name: &str, contract: &str) {
        std::fs::write(self.folder.path().join(format!("pipelines/{name}.toml")), contract).expect("written");
    }

    pub(crate) fn path(&self, below: &str) -> std::path::PathBuf {
        self.folder.path().join(below)
    }

    pub(crate) async fn open(&self) -> Opened {
        Opened::of(self.folder.path(), None).await
    }
}

impl Opened {
    /// Opens a project for writing, on doubles of its disks if there are some.
    async fn of(project: &Path, disks: Option<Disks>) -> Self {
        Self::at(project, Some(NOW_US), disks).await
    }

    /// The same at another instant than that of the case, or by the machine's clock if none is given.
    async fn at(project: &Path, now_us: Option<i64>, disks: Option<Disks>) -> Self {
        let place = Place { data: project.join("data"), project: project.to_owned() };
        std::fs::create_dir_all(&place.data).expect("a folder");
        let (settings, _) = Settings::read(&place.project, &[]).expect("settings");
        let house = House::open_on(&place, settings, Access::Write, now_us, disks).await.expect("a project");
        let house = Arc::new(house);
        let door = Doorstep::new(house.clone(), place.project.join("input")).expect("a door");
        Opened { house, door: Arc::new(door) }
    }

    async fn give(&self, pipeline: &str, group: &str, parcel: Parcel) -> Result<Value, PushRefusal> {
        self.door.give(pipeline, group, &Arc::new(parcel)).await
    }

    /// Pushes lines as a request does.
    pub(crate) async fn push(&self, pipeline: &str, lines: &[String]) -> Value {
        let cargo = Cargo::Pushed(PushForm::Lines, lines.join("\n").into_bytes());
        let answer = self.give(pipeline, "gates", Parcel { cargo, key: None, reached: None }).await;
        answer.unwrap_or_else(|refusal| panic!("{}", refusal.en))
    }

    /// Brings messages as a broker does that is read by position.
    async fn bring(&self, pipeline: &str, shard: &str, position: i64, lines: &[String]) -> Value {
        let messages = lines.iter().map(|it| it.clone().into_bytes()).collect();
        let reached = Some(Reached { source: shard.to_owned(), position, born_us: 7, at_us: None });
        let answer = self.give(pipeline, shard, Parcel { cargo: Cargo::Messages(messages), key: None, reached }).await;
        answer.unwrap_or_else(|refusal| panic!("{}", refusal.en))
    }

    /// What a query by the system reads, as text.
    pub(crate) async fn read(&self, query: &str) -> String {
        let as_of_on = self.house.as_of_on().await.expect("a date");
        let builder = self.house.builder().await.expect("a plan");
        let context = builder.live_context(query, "the query", as_of_on).await.expect("tables");
        let batches = context.sql(query).await.expect("a query").collect().await.expect("rows");
        pretty_format_batches(&batches).expect("text").to_string()
    }

    async fn count(&self, table: &str) -> i64 {
        self.house.lake.snapshot(table).await.expect("a readable log").map_or(0, |it| it.rows())
    }
}

/// Numbers that repeat with their seed.
struct Draw(u64);

impl Draw {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }
}

/// Brings events in another order, some of them twice or three times, cut anew, by one to three shards, committed now and
/// then; the first shard is a sender of requests, the others are read by position.
async fn arrange(opened: &Opened, pipeline: &str, events: &[String], seed: u64) {
    let mut draw = Draw(seed | 1);
    let mut all = events.to_vec();
    for _ in 0..draw.below(events.len() + 2) {
        all.push(events[draw.below(events.len())].clone());
    }
    for at in (1..all.len()).rev() {
        all.swap(at, draw.below(at + 1));
    }
    let mut shards: Vec<Vec<String>> = vec![Vec::new(); 1 + draw.below(3)];
    let mut positions = vec![0_i64; shards.len()];
    let n = all.len();
    for (place, event) in all.into_iter().enumerate() {
        let shard = draw.below(shards.len());
        shards[shard].push(event);
        let is_last = place + 1 == n;
        for (shard, lines) in shards.iter_mut().enumerate() {
            if lines.is_empty() || (!is_last && draw.below(3) != 0) {
                continue;
            }
            positions[shard] += lines.len() as i64;
            match shard {
                0 => drop(opened.push(pipeline, lines).await),
                _ => drop(opened.bring(pipeline, &format!("nats/{pipeline}/{shard}"), positions[shard], lines).await),
            }
            lines.clear();
        }
        if draw.below(4) == 0 {
            commit(&opened.house).await.expect("committed");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn order_copies_cuts_and_shards_change_nothing_of_what_staging_tells(
        drawn in prop::collection::vec((0..4_u64, 0..3_usize, 0..30_i64), 1..9),
        seeds in prop::collection::vec(any::<u64>(), 2),
    ) {
        run(move || async move {
            let stage = Stage::new(&[]);
            let mut names = Vec::new();
            for kind in ["first", "latest"] {
                for n in 0..3 {
                    let name = format!("{kind}_{n}");
                    stage.agree(&name, &contract(&name, kind));
                    names.push(name);
                }
            }
            // Of one number there may be several states, of one day or of two.
            let events: Vec<String> = drawn.iter().map(|it| event(it.0, ["a", "b", "c"][it.1], it.2)).collect();
            let mut opened = stage.open().await;
            for (nth, name) in names.iter().enumerate() {
                match nth % 3 {
                    // One request with everything as it came.
                    0 => drop(opened.push(name, &events).await),
                    other => arrange(&opened, name, &events, seeds[other - 1].wrapping_add(nth as u64)).await,
                }
                if seeds[0] >> nth & 1 == 1 {
                    // Killed: what no table has is in the log.
                    drop(opened);
                    opened = stage.open().await;
                }
            }
            // Once with what is still in the log, and once when tables have all.
            for is_committed in [false, true] {
                if is_committed {
                    let committed = commit(&opened.house).await.expect("committed");
                    assert_eq!(committed.stuck, []);
                }
                for (kind, only) in [("first", ""), ("latest", "WHERE superseded_at IS NULL")] {
                    let mut told = Vec::new();
                    for n in 0..3 {
                        let query = format!(
                            "SELECT id, state, at, occurred_at, minute_of_day, known_at, occurred_on FROM stg_{kind}_{n} {only} \
                             ORDER BY id, occurred_on, at, state"
                        );
                        told.push(opened.read(&query).await);
                    }
                    assert_eq!(told[1], told[0], "{kind}, committed: {is_committed}");
                    assert_eq!(told[2], told[0], "{kind}, committed: {is_committed}");
                }
            }
        });
    }
}

/// All orders of three states.
static ORDERS: [[&str; 3]; 6] =
    [["a", "b", "c"], ["a", "c", "b"], ["b", "a", "c"], ["b", "c", "a"], ["c", "a", "b"], ["c", "b", "a"]];

#[test]
fn of_versions_that_came_together_the_last_holds_unless_rows_of_a_request_say_when_they_changed() {
    run(|| async {
        let state = |name: &str| contract(name, "latest").replace("shape = \"event\"", "shape = \"state\"");
        let moved = "moved = { type = \"timestamp\", format = \"%Y-%m-%d %H:%M\", class = \"internal\", about = \"Change.\" }";
        let told = state("told").replace("usual_delay", "changed_at = [\"moved\"]\nusual_delay") + moved;
        let stage = Stage::new(&[("thing", state("thing").as_str()), ("told", told.as_str())]);
        let opened = stage.open().await;
        // One number in each order, so that neither hash nor word can be right by chance.
        let nth = |version: usize| ORDERS.iter().zip(0..).map(move |(order, id)| event(id, order[version], 0));
        let all: Vec<String> = (0..3).flat_map(nth).collect();
        opened.push("thing", &all).await;
        let held = "SELECT state FROM stg_thing WHERE superseded_at IS NULL ORDER BY id";
        let expected = ["state", "c", "b", "c", "a", "b", "a"];
        assert_eq!(cells(&opened.read(held).await), expected, "of a request");
        commit(&opened.house).await.expect("committed");
        // Sent once more by a broker: of each number it goes back to what it was first, and ends as it ended.
        let (first, rest) = (format!("[{}]", all[..6].join(",")), all[6..].join("\n"));
        opened.bring("thing", "nats/thing/0", 2, &[first, rest]).await;
        for is_committed in [false, true] {
            if is_committed {
                assert_eq!(commit(&opened.house).await.expect("committed").stuck, []);
            }
            assert_eq!(cells(&opened.read(held).await), expected, "committed: {is_committed}");
            let n = opened.read("SELECT count(*) AS n FROM raw_thing").await;
            assert_eq!(cells(&n), ["n", "36"]);
        }

        let at = |state: &str, hour: u32| event(1, state, 0).replace('}', &format!(",\"moved\":\"2025-10-01 {hour}:00\"}}"));
        let held = "SELECT state FROM stg_told WHERE superseded_at IS NULL";
        opened.push("told", &[at("c", 12), at("a", 10), at("b", 11)]).await;
        assert_eq!(cells(&opened.read(held).await), ["state", "c"], "what changed last by its own word");
        opened.bring("told", "nats/told/0", 3, &[at("c", 15), at("b", 14), at("a", 13)]).await;
        assert_eq!(cells(&opened.read(held).await), ["state", "a"], "what the broker sent last");
    });
}

/// Name and cells of a table of one column.
fn cells(table: &str) -> Vec<&str> {
    table.lines().filter_map(|it| it.strip_prefix('|')).map(|it| it.trim_end_matches('|').trim()).collect()
}

#[test]
fn frames_of_a_source_of_events_that_is_one_of_states_now_go_in_after_a_kill() {
    run(|| async {
        let stage = Stage::new(&[("thing", contract("thing", "latest").as_str())]);
        let opened = stage.open().await;
        opened.push("thing", &[event(1, "a", 0)]).await;
        commit(&opened.house).await.expect("committed");
        // It is in the log only, with its day beside it.
        opened.push("thing", &[event(2, "b", 30), event(3, "c", 0)]).await;
        drop(opened);
        stage.agree("thing", &contract("thing", "latest").replace("shape = \"event\"", "shape = \"state\""));
        let opened = stage.open().await;
        assert_eq!(commit(&opened.house).await.expect("committed").stuck, []);
        let snapshot = opened.house.lake.snapshot("raw_thing").await.expect("a readable log").expect("a table");
        assert_eq!((snapshot.rows(), snapshot.partition_by.clone()), (3, None));
        assert!(snapshot.schema.field_with_name("occurred_on").is_err(), "{:?}", snapshot.schema);
        let told = opened.read("SELECT id, state FROM raw_thing ORDER BY id").await;
        assert!(["| 1  | a     |", "| 2  | b     |", "| 3  | c     |"].iter().all(|it| told.contains(it)), "{told}");
    });
}

/// Copies a folder with all that is in it.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("a name");
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            std::fs::copy(&path, &to).expect("copied");
        }
    }
}

#[test]
fn after_lake_and_log_were_put_back_from_before_the_store_answers_and_counts_are_kept_again() {
    run(|| async {
        let stage = Stage::new(&[("thing", contract("thing", "first").as_str())]);
        let opened = stage.open().await;
        opened.push("thing", &[event(1, "a", 0)]).await;
        commit(&opened.house).await.expect("committed");
        // Of the backup: one event in the table, one in the log only.
        opened.push("thing", &[event(2, "a", 0)]).await;
        drop(opened);
        for name in ["lake", "log"] {
            copy(&stage.path(&format!("data/{name}")), &stage.path(&format!("backup/{name}")));
        }
        let opened = stage.open().await;
        for id in 3..6 {
            opened.push("thing", &[event(id, "a", 0)]).await;
        }
        commit(&opened.house).await.expect("committed");
        drop(opened);
        for name in ["lake", "log"] {
            std::fs::remove_dir_all(stage.path(&format!("data/{name}"))).expect("it was there");
            copy(&stage.path(&format!("backup/{name}")), &stage.path(&format!("data/{name}")));
        }
        let opened = stage.open().await;
        let counted = async || {
            let counts = opened.house.store.pushes().counts().await.expect("readable");
            counts.iter().map(|it| (it.position, it.counts.rows_in)).collect::<Vec<_>>()
        };
        assert_eq!(counted().await, [(2, 5)], "no further than the log, and nothing that was counted is lost");
        let committed = commit(&opened.house).await.expect("committed");
        opened.door.forget(&committed);
        assert_eq!(counted().await, [(2, 5)], "what is in the log still was counted before");
        opened.push("thing", &[event(6, "a", 0)]).await;
        let committed = commit(&opened.house).await.expect("committed");
        opened.door.forget(&committed);
        assert_eq!((opened.count("raw_thing").await, counted().await), (3, vec![(3, 6)]));
        // Only the store knows the answer now.
        let again = opened.push("thing", &[event(6, "a", 0)]).await;
        assert_eq!(again["rows_skipped"], 1, "{again}");
    });
}

#[test]
fn whether_an_instant_was_given_is_said_by_who_dated_the_rows_and_not_by_who_commits_them() {
    run(|| async {
        let contracts = ["thing", "other"].map(|it| (it, contract(it, "first")));
        for committed_at in [Some(NOW_US), None] {
            let stage = Stage::new(&contracts.each_ref().map(|it| (it.0, it.1.as_str())));
            stage.open().await.push("thing", &[event(1, "a", 0)]).await;
            let opened = Opened::at(stage.folder.path(), None, None).await;
            let log = opened.house.log.clone().expect("a log");
            let in_log = super::newest(&log).expect("notes");
            assert!(in_log.known_us.is_some() && in_log.machine_us.is_none(), "{in_log:?}");
            let hour_ago = chrono::Utc::now().timestamp_millis() - 3_600_000;
            opened.push("other", &[format!("{{\"id\":\"1\",\"state\":\"a\",\"at\":{hour_ago}}}")]).await;
            let in_log = super::newest(&log).expect("notes");
            assert!(in_log.machine_us.is_some() && in_log.machine_us == in_log.known_us, "{in_log:?}");
            drop((opened, log));
            let opened = Opened::at(stage.folder.path(), committed_at, None).await;
            assert_eq!(commit(&opened.house).await.expect("committed").stuck, []);
            for (name, is_given) in [("thing", true), ("other", false)] {
                let pipeline = opened.house.project.pipelines.iter().find(|it| it.name() == name).expect("its contract");
                let newest = known::newest(&opened.house.engine, std::slice::from_ref(pipeline)).await.expect("notes");
                assert!(newest.known_us.is_some() && newest.machine_us.is_none() == is_given, "{name}: {newest:?}");
            }
        }
    });
}

#[test]
fn what_does_not_parse_under_a_changed_contract_waits_and_is_not_emptied() {
    run(|| async {
        let text = contract("thing", "latest");
        let whole = text.replace("state = { type = \"text\"", "state = { type = \"int64\"");
        assert_ne!(text, whole);
        let stage = Stage::new(&[("thing", text.as_str()), ("other", contract("other", "first").as_str())]);
        let opened = stage.open().await;
        opened.push("thing", &[event(1, "7", 0), event(2, "seven", 0)]).await;
        opened.push("other", &[event(1, "a", 0)]).await;
        drop(opened);
        stage.agree("thing", &whole);
        let opened = stage.open().await;
        let committed = commit(&opened.house).await.expect("the others go in");
        assert_eq!(committed.stuck.iter().map(|it| it.pipeline.as_str()).collect::<Vec<_>>(), ["thing"]);
        assert_eq!((opened.count("raw_thing").await, opened.count("raw_other").await), (0, 1));
        drop(opened);
        stage.agree("thing", text.as_str());
        let opened = stage.open().await;
        assert_eq!(commit(&opened.house).await.expect("committed").stuck, []);
        assert_eq!((opened.count("raw_thing").await, opened.count("raw_other").await), (2, 1));
        let told = opened.read("SELECT count(state) AS n FROM raw_thing").await;
        assert!(told.contains("| 2 |"), "no state was emptied: {told}");
    });
}

#[test]
fn what_is_pushed_behind_a_meeting_stays_in_the_log_until_the_rows_that_were_met_are_in() {
    run(|| async {
        let stage =
            Stage::new(&[("thing", contract("thing", "latest").as_str()), ("other", contract("other", "first").as_str())]);
        let opened = stage.open().await;
        let house = &opened.house;
        let log = house.log.clone().expect("a log");
        opened.push("thing", &[event(1, "a", 0)]).await;
        opened.push("other", &[event(1, "a", 0)]).await;
        let up_to = log.synced();
        // It comes when the meeting has its instant and the commit has not read the log yet.
        opened.push("thing", &[event(2, "a", 0)]).await;
        let committed = super::commit::all(house, Some(("thing", up_to))).await.expect("committed");
        assert_eq!((committed.last, committed.stuck.len(), committed.waiting.len()), (Some(up_to), 0, 0));
        assert_eq!((opened.count("raw_thing").await, opened.count("raw_other").await), (1, 1));
        assert_eq!(log.tail().iter().map(|it| it.position).collect::<Vec<_>>(), [up_to + 1]);
        commit(house).await.expect("committed");
        assert_eq!((opened.count("raw_thing").await, log.held()), (2, 0));
    });
}

#[test]
fn a_pipeline_that_waits_for_its_files_fills_half_of_the_log_and_others_go_on() {
    run(|| async {
        let stage =
            Stage::new(&[("thing", contract("thing", "latest").as_str()), ("other", contract("other", "first").as_str())]);
        let settings = std::fs::read_to_string(stage.path("yizhan.toml")).expect("settings");
        let small = settings.replace("[stream]", "[stream]\nbytes_max = \"64 KiB\"\nsegment_bytes = \"8 KiB\"");
        std::fs::write(stage.path("yizhan.toml"), small).expect("written");
        let opened = stage.open().await;
        let house = &opened.house;
        let one = async |name: &str, id: u64| {
            let cargo = Cargo::Pushed(PushForm::Json, event(id, "a", 0).into_bytes());
            opened.give(name, "gates", Parcel { cargo, key: None, reached: None }).await
        };
        let held = || house.log.as_ref().expect("a log").held();
        let thing = house.project.pipelines.iter().find(|it| it.name() == "thing").expect("a contract");
        let meeting = super::meet(house, thing).await.expect("met").expect("nothing is stuck");
        let mut n = 0;
        let refusal = loop {
            match one("thing", n).await {
                Ok(_) => n += 1,
                Err(refusal) => break refusal,
            }
            assert_eq!(commit(house).await.expect("committed").waiting.len(), 1);
            assert!(n < 1_000, "the log never fills");
        };
        assert_eq!(refusal.kind, serve::PushRefusalKind::Full);
        assert!(((32 << 10)..(64 << 10)).contains(&held()), "{} bytes are held", held());
        // A sender of another source does not notice.
        for id in 0..30 {
            one("other", id).await.unwrap_or_else(|refusal| panic!("{}", refusal.en));
            commit(house).await.expect("committed");
        }
        assert_eq!((opened.count("raw_thing").await, opened.count("raw_other").await), (0, 30));
        drop(meeting);
        one("thing", n).await.unwrap_or_else(|refusal| panic!("{}", refusal.en));
        assert!(commit(house).await.expect("committed").waiting.is_empty());
        assert_eq!((opened.count("raw_thing").await, held()), (n as i64 + 1, 0));
    });
}

#[test]
fn a_table_that_its_disk_refuses_is_told_by_its_name_and_is_no_full_disk() {
    run(|| async {
        let stage =
            Stage::new(&[("thing", contract("thing", "latest").as_str()), ("other", contract("other", "first").as_str())]);
        let opened = stage.open().await;
        opened.push("thing", &[event(1, "a", 0)]).await;
        opened.push("other", &[event(1, "a", 0)]).await;
        // Where its folder belongs stands a file.
        let place = stage.path("data/lake/raw_thing");
        std::fs::write(&place, "in the way").expect("written");
        let committed = commit(&opened.house).await.expect("the others go in");
        assert_eq!(committed.stuck.iter().map(|it| it.pipeline.as_str()).collect::<Vec<_>>(), ["thing"]);
        assert_eq!(opened.count("raw_other").await, 1);
        let codes: Vec<&str> = warnings(&opened.house).iter().map(|it| it.code).collect();
        assert_eq!(codes, ["not_committed"]);
        drop(opened);
        std::fs::remove_file(&place).expect("it was there");
        let opened = stage.open().await;
        assert_eq!(commit(&opened.house).await.expect("committed").stuck, []);
        assert_eq!((opened.count("raw_thing").await, opened.count("raw_other").await), (1, 1));
    });
}

#[test]
fn a_message_of_more_events_than_any_may_hold_is_one_refused_row() {
    run(|| async {
        let stage = Stage::new(&[("thing", contract("thing", "latest").as_str())]);
        let opened = stage.open().await;
        let message = |n: u64| format!("[{}]", (0..n).map(|id| event(id, "a", 0)).collect::<Vec<_>>().join(","));
        let counts = |answer: &Value| ["rows_in", "rows_kept", "rows_quarantined"].map(|it| answer[it].as_u64().unwrap_or(0));
        let whole = opened.bring("thing", "nats/thing/0", 1, &[message(2_000)]).await;
        assert_eq!(counts(&whole), [2_000, 2_000, 0]);
        // What came with it is taken as ever.
        let large = opened.bring("thing", "nats/thing/0", 3, &[message(2_001), event(9_000, "a", 0)]).await;
        assert_eq!(counts(&large), [2, 1, 1], "{large}");
        commit(&opened.house).await.expect("committed");
        assert_eq!((opened.count("raw_thing").await, opened.count("ops_quarantine").await), (2_001, 1));
    });
}
