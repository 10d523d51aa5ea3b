//! Looks what changed, and tells it to open pages: tables of screens, cases, sources.
//!
//! Whoever wrote it (this process, a command beside it, a person in the web app) makes no difference: the lake's folders
//! and the numbered facts of the store are looked at twice a second. Pages look for themselves every few minutes as
//! well, so that something missed here is late and not lost.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use arrow::row::{RowConverter, SortField};
use chrono::Utc;
use datafusion::catalog::TableProvider;
use serde::Deserialize;
use serve::{Live, Pushes, StreamDoor, Students, Topic};

use crate::house::House;

/// Pause between two looks.
const LOOK_PAUSE: Duration = Duration::from_millis(500);

/// Looks from one word about sources to the next: they change all the time, and an event is on the screen within two seconds.
const LOOKS_A_PIPELINE: u32 = 2;

/// Cases that are told of by name at once; the night moves hundreds.
const CASES_BY_NAME: usize = 50;

/// Prefixes of the tables that screens are made of.
const SHOWN: [&str; 5] = ["cockpit_", "list_", "warning_", "quality_", "model_"];

const CASE_STATE: &str = "case_state";

/// What was last seen.
#[derive(Debug, Default)]
struct Seen {
    /// When the log of a table was last written to.
    written: HashMap<String, SystemTime>,
    versions: HashMap<String, i64>,
    /// The newest fact of a case.
    fact: i64,
    /// The newest frame of the log of pushed events.
    frame: i64,
    /// How doors stood and what failed.
    standing: u64,
    /// Looks since sources were last told of, and whether there is something to tell.
    looks: u32,
    has_news: bool,
}

impl Seen {
    fn look_at(&mut self, standing: u64) {
        self.has_news |= standing != self.standing;
        self.standing = standing;
    }
}

/// What live lists about students held when pages were last told of them, by list and student, as sums of their rows.
#[derive(Default)]
pub(crate) struct Held {
    lists: tokio::sync::Mutex<HashMap<String, HashMap<i64, u64>>>,
    seed: RandomState,
}

/// Students whose rows of a live list are not what they were when pages were last told, counting the rows that hold now;
/// `None` of other tables. A list that follows what happens would otherwise tell every reader when something happened to
/// somebody; when the night or a person wrote a table says nothing of anybody.
pub(crate) async fn changed(house: &House, table: &str) -> anyhow::Result<Option<Students>> {
    let subject = house.graph.node(table).and_then(|it| it.subject.as_deref());
    let Some(subject) = subject.filter(|_| house.graph.live().iter().any(|it| it == table)) else { return Ok(None) };
    // Taken first: of two who look, the one that is told of a change is the one that found it.
    let mut lists = house.held.lists.lock().await;
    let Some(pinned) = house.engine.table(table).await? else { return Ok(None) };
    let schema = pinned.schema();
    if schema.field_with_name(subject).is_err() {
        return Ok(None);
    }
    // Where the clock is a given one, pages have one of their own.
    let holds = match house.fixed_now_us {
        Some(_) => String::new(),
        None => crate::tick::holds(&schema, Utc::now().timestamp_micros()),
    };
    let context = house.engine.context();
    context.register_table("held", pinned)?;
    let found = context.sql(&format!("SELECT * FROM held WHERE TRUE{holds}")).await?.collect().await?;
    let mut now: HashMap<i64, u64> = HashMap::new();
    for batch in found {
        let keys = cast(batch.column_by_name(subject).context("a list without its subject")?, &DataType::Int64)?;
        let fields = batch.schema().fields().iter().map(|it| SortField::new(it.data_type().clone())).collect();
        let rows = RowConverter::new(fields)?.convert_columns(batch.columns())?;
        for (key, row) in keys.as_primitive::<Int64Type>().iter().zip(rows.iter()) {
            let Some(key) = key else { continue };
            let bytes: &[u8] = row.as_ref();
            // A sum, for rows have no order.
            let sum = now.entry(key).or_default();
            *sum = sum.wrapping_add(house.held.seed.hash_one(bytes));
        }
    }
    let before = lists.insert(table.to_owned(), now.clone()).unwrap_or_default();
    Ok(Some(Students::new(differing(&before, &now))))
}

/// Keys that only one of two has, or that are something else in each.
fn differing(before: &HashMap<i64, u64>, now: &HashMap<i64, u64>) -> BTreeSet<i64> {
    let other = |it: &&i64| before.get(*it) != now.get(*it);
    before.keys().chain(now.keys()).filter(other).copied().collect()
}

/// What is told of what looks find. Pages that open now show what there is now: until a first look was whole nothing is told.
#[derive(Debug, Default)]
struct Telling {
    has_begun: bool,
    has_failed: bool,
}

impl Telling {
    /// What to tell after a look, and whether to complain of a trouble that is new.
    fn after(&mut self, is_whole: bool, topics: Vec<Topic>) -> (Vec<Topic>, bool) {
        // What was found before something failed is told as well: it would not be found again.
        let told = if self.has_begun { topics } else { Vec::new() };
        let is_new = !is_whole && !self.has_failed;
        self.has_begun |= is_whole;
        self.has_failed = !is_whole;
        (told, is_new)
    }
}

/// Looks and tells until it is stopped.
pub(crate) async fn run(house: Arc<House>, pushes: Arc<dyn Pushes>, live: Arc<Live>) {
    let (mut seen, mut telling) = (Seen::default(), Telling::default());
    loop {
        let mut topics = Vec::new();
        seen.look_at(standing(&house, &pushes.doors()));
        let looked = look(&house, &mut seen, !telling.has_begun, &mut topics).await;
        let (told, is_new) = telling.after(looked.is_ok(), topics);
        if told.iter().any(|it| matches!(it, Topic::Pipelines { .. })) {
            // First this: whoever hears the word asks at once.
            house.arrivals.tell();
        }
        told.into_iter().for_each(|it| live.publish(it));
        if let Err(error) = looked
            && is_new
        {
            tracing::warn!(error = format!("{error:#}"), "open pages are told less until the store and the lake answer");
        }
        tokio::time::sleep(LOOK_PAUSE).await;
    }
}

/// A sum of what the page of sources says of doors and failures, whatever else they count. A door that is shut brings no rows
/// that would tell of it.
fn standing(house: &House, doors: &[StreamDoor]) -> u64 {
    let notes = |it: &StreamDoor| it.notes.iter().map(|(pipeline, note)| (pipeline.clone(), note.code)).collect::<Vec<_>>();
    let doors = doors.iter().map(|it| (&it.door, &it.pipeline, it.open_since_us, it.is_stopped, &it.error_en, notes(it)));
    let failures = house.metrics.failures().into_iter().map(|(what, it)| (what, it.since_us, it.en));
    house.held.seed.hash_one((doors.collect::<Vec<_>>(), failures.collect::<Vec<_>>()))
}

/// What changed since the last look.
async fn look(house: &House, seen: &mut Seen, is_first: bool, topics: &mut Vec<Topic>) -> anyhow::Result<()> {
    let mut unread: Option<anyhow::Error> = None;
    for table in written(house, seen).await? {
        let snapshot = match house.lake.snapshot(&table).await {
            Ok(Some(it)) => it,
            Ok(None) => continue,
            Err(error) => {
                // The next look finds it again.
                seen.written.remove(&table);
                unread = Some(error.into());
                continue;
            }
        };
        if seen.versions.insert(table.clone(), snapshot.version) == Some(snapshot.version) {
            continue;
        }
        if table.starts_with("raw_") || table == crate::ingest::QUARANTINE {
            seen.has_news = true;
        } else {
            match changed(house, &table).await {
                Ok(students) => topics.push(Topic::Table { table, version: snapshot.version, students }),
                Err(error) => {
                    seen.written.remove(&table);
                    seen.versions.remove(&table);
                    unread = Some(error);
                }
            }
        }
    }
    let cases = house.store.cases();
    if is_first {
        seen.fact = cases.outbox_head().await?;
    }
    let facts = cases.outbox(CASE_STATE, seen.fact, CASES_BY_NAME + 1).await?;
    if let Some(last) = facts.last() {
        seen.fact = last.seq;
        topics.extend(moved(&facts));
    }
    let frame = house.log.as_ref().map_or(0, |it| it.synced());
    seen.has_news |= frame != seen.frame;
    seen.frame = frame;
    seen.looks += 1;
    if seen.has_news && LOOKS_A_PIPELINE <= seen.looks {
        (seen.has_news, seen.looks) = (false, 0);
        topics.push(Topic::Pipelines { version: chrono::Utc::now().timestamp_micros() });
    }
    unread.map_or(Ok(()), Err)
}

/// Tables whose logs were written to since the last look.
async fn written(house: &House, seen: &mut Seen) -> anyhow::Result<Vec<String>> {
    let shown = |it: &str| SHOWN.iter().any(|prefix| it.starts_with(prefix));
    let built = house.graph.nodes().iter().map(|it| it.name.clone()).filter(|it| shown(it));
    let raw = house.project.pipelines.iter().map(schema::Pipeline::raw_table);
    let tables: Vec<String> = built.chain(raw).chain([crate::ingest::QUARANTINE.to_owned()]).collect();
    let root: PathBuf = house.lake.root().to_owned();
    let times = tokio::task::spawn_blocking(move || {
        let at = |table: &String| std::fs::metadata(root.join(table).join("_delta_log")).and_then(|it| it.modified()).ok();
        tables.into_iter().filter_map(|it| Some((at(&it)?, it))).collect::<Vec<_>>()
    })
    .await?;
    Ok(times.into_iter().filter(|(at, table)| seen.written.insert(table.clone(), *at) != Some(*at)).map(|it| it.1).collect())
}

#[derive(Deserialize)]
struct Moved {
    thread_key: i64,
    version: i64,
}

/// Which cases moved: by name if they are few, each once.
fn moved(facts: &[store::Fact]) -> Vec<Topic> {
    let newest = facts.last().map_or(0, |it| it.seq);
    if CASES_BY_NAME < facts.len() {
        return vec![Topic::Cases { version: newest }];
    }
    let read: Option<Vec<Moved>> = facts.iter().map(|it| serde_json::from_str(&it.body).ok()).collect();
    match read {
        Some(read) => {
            let cases: BTreeMap<i64, i64> = read.into_iter().map(|it| (it.thread_key, it.version)).collect();
            cases.into_iter().map(|(thread_key, version)| Topic::Case { thread_key, version }).collect()
        }
        // A fact of another version of the program: something moved, whatever it was.
        None => vec![Topic::Cases { version: newest }],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(seq: i64, thread_key: i64, version: i64) -> store::Fact {
        let body = serde_json::json!({ "thread_key": thread_key, "student_key": 1, "version": version }).to_string();
        store::Fact { seq, at_us: 0, topic: CASE_STATE.to_owned(), body }
    }

    #[test]
    fn those_changed_whose_rows_came_went_or_became_others() {
        let before = HashMap::from([(1, 10), (2, 20), (3, 30)]);
        let now = HashMap::from([(2, 20), (3, 31), (4, 40)]);
        assert_eq!(differing(&before, &now), BTreeSet::from([1, 3, 4]));
        assert_eq!(differing(&now, &now), BTreeSet::new());
    }

    #[test]
    fn a_case_that_moved_twice_is_told_once_with_its_newest_version() {
        let told = moved(&[fact(1, 7, 1), fact(2, 9, 4), fact(3, 7, 2)]);
        let expected = [Topic::Case { thread_key: 7, version: 2 }, Topic::Case { thread_key: 9, version: 4 }];
        assert_eq!(told, expected);
    }

    #[test]
    fn nothing_is_told_before_a_first_whole_look_and_then_all_that_a_look_found() {
        let found = |version| vec![Topic::Case { thread_key: 7, version }];
        let mut telling = Telling::default();
        // The store does not answer yet: what is found meanwhile is the beginning, and one complaint is enough.
        assert_eq!(telling.after(false, found(1)), (Vec::new(), true));
        assert_eq!(telling.after(false, found(2)), (Vec::new(), false));
        assert_eq!(telling.after(true, found(3)), (Vec::new(), false));
        assert_eq!(telling.after(true, found(4)), (found(4), false));
        // Half a look tells its half: the next one would not find it again. A trouble that comes again is said again.
        assert_eq!(telling.after(false, found(5)), (found(5), true));
        assert_eq!(telling.after(true, found(6)), (found(6), false));
        assert_eq!(telling.after(false, Vec::new()), (Vec::new(), true));
    }

    #[test]
    fn hundreds_of_cases_are_told_as_one_and_so_is_what_cannot_be_read() {
        let many: Vec<store::Fact> =
            (1..=i64::try_from(CASES_BY_NAME).expect("a number") + 1).map(|it| fact(it, it, 1)).collect();
        assert_eq!(moved(&many), [Topic::Cases { version: 51 }]);
        let odd = store::Fact { seq: 4, at_us: 0, topic: CASE_STATE.to_owned(), body: "{}".to_owned() };
        assert_eq!(moved(&[fact(3, 7, 2), odd]), [Topic::Cases { version: 4 }]);
    }

    #[test]
    fn a_look_that_fails_loses_nothing_of_what_is_told_later() {
        use crate::stream::tests::{Stage, contract, event, run};

        run(|| async {
            let stage =
                Stage::new(&[("thing", contract("thing", "first").as_str()), ("other", contract("other", "first").as_str())]);
            let opened = stage.open().await;
            let log = stage.path("data/lake/raw_thing/_delta_log");
            let damage = || {
                std::fs::create_dir_all(&log).expect("a folder");
                std::fs::write(log.join("00000000000000000000.json"), "no entry").expect("written");
            };
            let mut seen = Seen::default();
            let mut unheard = Vec::new();
            damage();
            look(&opened.house, &mut seen, true, &mut unheard).await.expect_err("a table cannot be read");
            std::fs::remove_dir_all(stage.path("data/lake/raw_thing")).expect("it was there");
            look(&opened.house, &mut seen, true, &mut unheard).await.expect("all can be read");
            assert_eq!(unheard, [], "nothing is there yet");
            let moves = |topics: &[Topic]| topics.iter().filter(|it| matches!(it, Topic::Pipelines { .. })).count();

            // What comes after the first whole look is told.
            opened.push("other", &[event(1, "a", 0)]).await;
            let mut topics = Vec::new();
            for _ in 0..LOOKS_A_PIPELINE {
                look(&opened.house, &mut seen, false, &mut topics).await.expect("all can be read");
            }
            assert_eq!(moves(&topics), 1, "{topics:?}");

            // And it is told while one table cannot be read, which is looked at again each time.
            damage();
            opened.push("other", &[event(2, "a", 0)]).await;
            topics.clear();
            for _ in 0..LOOKS_A_PIPELINE {
                look(&opened.house, &mut seen, false, &mut topics).await.expect_err("a table cannot be read");
            }
            assert_eq!(moves(&topics), 1, "{topics:?}");
            assert!(!seen.written.contains_key("raw_thing"), "the next look finds it again");
        });
    }
}
