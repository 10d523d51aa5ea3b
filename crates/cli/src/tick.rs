//! The tick (实时更新): while a day goes on, what is marked `live` follows the rows that came.
//!
//! It is an ordinary build of some tables by the planner of the nightly run: what came since is found in the logs of the
//! tables, days that late rows fell into are among it, and nothing is made of anything else than a nightly build makes it of.
//! So the night finds these tables as it would have left them itself.
//!
//! Rows of a pushed source that something live is made of wake it; without any it looks every `tick_seconds`, for days end and
//! files come too.
//!
//! A tick that stores all it makes commits the log first: a table says of which versions of its inputs it was made, and the log
//! has none. Where rows never rest that would leave files without end, so between two of these come ticks that read what the log
//! has and store lists that changed, and nothing else. Lists follow each of them.

mod night;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Schema, TimestampMicrosecondType};
use chrono::Utc;
use datafusion::catalog::TableProvider;
use policy::Sessions;
use serve::{Live, Ticked, Topic};
use tokio::sync::Mutex;
use transform::{Action, Builder, Writes};

use self::night::{NightTold, tell_night};
use crate::house::House;
use crate::settings::Now;
use crate::stream::Committed;
use crate::traces;

/// Columns of a live list by which a row begins and ceases to hold without that any row came.
const HOLDS: [&str; 2] = ["from_at", "until_at"];

/// The pause after a tick is at least so many times as long as the tick was: what is pushed and who reads have to get on too.
const IDLE_TIMES: u32 = 2;

/// From the beginning of one tick to that of the next, however much comes.
const APART: Duration = Duration::from_secs(1);

/// So many ticks that store all they make may follow each other as quickly as that, and then one for every [`REFILL`]: files
/// stay for days after they were merged, and a stream that never rests would leave a hundred thousand of each table. The ticks
/// in between store nothing but lists that changed.
const QUICK_MAX: u32 = 120;
const REFILL: Duration = Duration::from_secs(30);

/// So many of those in between may leave a list, which is an hour in which it changes every second, and then one for every
/// [`LISTS_REFILL`]. One that leaves nothing counts nowhere.
const LISTS_MAX: u32 = 3_600;
const LISTS_REFILL: Duration = Duration::from_secs(120);

/// Rows of one list that are told of at most.
const TOLD_MAX: usize = 1_000;

/// What the tables are made of: the open day, how far the log goes, and the versions of the raw tables.
#[derive(Debug, Default, PartialEq, Eq)]
struct Base {
    open_on: i32,
    synced: i64,
    versions: BTreeMap<String, (String, i64)>,
}

/// A live list of which whoever is on duty is told.
struct Told {
    list: String,
    /// Columns that make a row one.
    grain: Vec<String>,
}

/// What a tick has to know of those before it.
#[derive(Debug, Default)]
struct Before {
    /// What the tables were last built from; nothing before the first build, and after one that failed.
    base: Option<Base>,
    /// When a list next changes because of the clock, in microseconds since 1970.
    due_us: BTreeMap<String, i64>,
    failed: bool,
    /// Rows of which something live is made stay in the log: to try it with every row that comes helps nobody.
    is_stuck: bool,
    /// Something was made that is not stored yet.
    is_ahead: bool,
}

/// Ticks until it is stopped. `one_at_a_time` is held by whatever else builds.
pub(crate) async fn run(house: Arc<House>, sessions: Arc<Sessions>, live: Arc<Live>, one_at_a_time: Arc<Mutex<()>>) {
    let every = Duration::from_secs(house.settings.stream.tick_seconds);
    let tables = house.graph.live();
    if every.is_zero() || tables.is_empty() {
        return;
    }
    let raw = house.graph.raw_of(&tables);
    // Where the data are of another day nobody is sent anywhere.
    let is_wall = house.settings.clock.now == Now::Wall;
    let told = if is_wall { told(&house) } else { Vec::new() };
    // A project is read once a process, so its queries are planned once: they would cost more than most ticks.
    let builder = loop {
        match house.builder().await {
            Ok(it) => break it,
            Err(error) => {
                house.metrics.tick_failed();
                tracing::error!(error = format!("{error:#}"), "lists are not up to date; every tick tries again");
            }
        }
        tokio::time::sleep(every).await;
    };
    let mut before = Before::default();
    let mut night_told = NightTold::default();
    let fed: BTreeSet<String> = raw.iter().filter_map(|it| it.strip_prefix("raw_")).map(str::to_owned).collect();
    let (mut last, mut took, mut is_put_off) = (Instant::now(), Duration::ZERO, false);
    let mut storing = Pace::new(QUICK_MAX, REFILL, Instant::now());
    let mut listing = Pace::new(LISTS_MAX, LISTS_REFILL, Instant::now());
    // From when on the next tick may store all that it makes.
    let mut store_at: Option<Instant> = None;
    loop {
        tokio::time::sleep(pause(took)).await;
        // What was put off is still to be done; what failed or is stuck waits, for rows that come mend nothing.
        let left = every.saturating_sub(last.elapsed());
        if before.failed || before.is_stuck {
            tokio::time::sleep(left).await;
        } else if !is_put_off {
            // What is not stored yet is stored in time, whether more rows come or not.
            let until = store_at.filter(|_| before.is_ahead).map(|it| it.saturating_duration_since(Instant::now()));
            // Whichever is first.
            let _ = tokio::time::timeout(until.map_or(left, |it| it.min(left)), house.arrivals.of(&fed)).await;
        }
        let now = Instant::now();
        let at = *store_at.get_or_insert_with(|| now + storing.next(now));
        let writes = match at <= now || house.log.is_none() || before.base.is_none() || !listing.has(now) {
            true => Writes::All,
            false => Writes::Lists,
        };
        if writes == Writes::All {
            tokio::time::sleep(at.saturating_duration_since(now)).await;
        }
        let mut began = Instant::now();
        last = began;
        {
            // A run under way builds the same tables; the next tick finds what it has left. Who waits has its turn, also
            // between two tables of which small files are merged.
            let one = tokio::time::timeout(every, one_at_a_time.lock()).await;
            is_put_off = one.is_err();
            let Ok(_one) = one else {
                took = Duration::ZERO;
                continue;
            };
            began = Instant::now();
            if writes == Writes::All {
                store_at = None;
            }
            match once(&house, &builder, &tables, &raw, &mut before, writes).await {
                Ok(commits) => {
                    before.failed = false;
                    match writes {
                        Writes::All if commits == 0 => storing.give_back(),
                        Writes::Lists if 0 < commits => listing.take(),
                        Writes::All | Writes::Lists => {}
                    }
                }
                Err(error) => {
                    // Whatever was half done is found by the next one: each table is made in one commit.
                    before.base = None;
                    house.metrics.tick_failed();
                    if !before.failed {
                        tracing::error!(error = format!("{error:#}"), "lists are not up to date; every tick tries again");
                    }
                    before.failed = true;
                }
            }
        }
        took = began.elapsed();
        let now_us = Utc::now().timestamp_micros();
        for it in &told {
            // What is not told now is told by the next tick: the store remembers what was.
            if let Err(error) = tell(&house, it, now_us).await {
                tracing::error!(list = it.list, error = format!("{error:#}"), "nobody was told of a list");
            }
        }
        if is_wall && let Err(error) = tell_night(&house, &sessions, &mut night_told, now_us).await {
            tracing::error!(error = format!("{error:#}"), "nobody was told that the list of tonight is complete");
        }
        for list in take_due(&mut before.due_us, now_us) {
            match next_change(&house, &list, now_us).await {
                Ok(next) => before.due_us.extend(next.map(|it| (list.clone(), it))),
                Err(error) => tracing::error!(list, error = format!("{error:#}"), "when a list changes next"),
            }
            match crate::telling::changed(&house, &list).await {
                Ok(students) => live.publish(Topic::Table { table: list, version: now_us, students }),
                // Pages look for themselves as well.
                Err(error) => tracing::error!(list, error = format!("{error:#}"), "nobody is told that a list changed"),
            }
        }
    }
}

/// Builds what is stale, if rows came or another day began, and says how many commits it left at least.
async fn once(
    house: &House,
    builder: &Builder<'_>,
    tables: &[String],
    raw: &BTreeSet<String>,
    before: &mut Before,
    writes: Writes,
) -> anyhow::Result<usize> {
    // Of another day than it is nothing is made.
    if house.leapt_clock().is_some() {
        return Ok(0);
    }
    let mut commits = 0;
    if writes == Writes::All {
        before.is_stuck = false;
        if house.log.as_ref().is_some_and(|it| 0 < it.held()) {
            let committed = crate::stream::commit(house).await?;
            before.is_stuck = holds_up(&committed, raw);
            commits += usize::from(committed.last.is_some());
        }
    }
    // The log before the tables: what comes in between is looked at now, and once more by the next tick.
    let synced = house.log.as_ref().map_or(0, |it| it.synced());
    let base = Base { open_on: house.as_of_on().await?, synced, versions: versions(house, raw).await? };
    let is_to_be_stored = before.is_ahead && writes == Writes::All;
    if before.base.as_ref() == Some(&base) && !is_to_be_stored {
        return Ok(commits);
    }
    let began = Instant::now();
    let traced = traces::begin("tick");
    let built = traces::within(&traced, builder.build_live(base.open_on, tables, writes)).await;
    if built.is_err() {
        traces::failed(&traced);
    }
    let live = built?;
    before.is_ahead = live.is_ahead;
    commits += live.commits;
    let built = live.built;
    let seconds = began.elapsed().as_secs_f64();
    let now_us = Utc::now().timestamp_micros();
    let lists: Vec<&String> = tables.iter().filter(|it| it.starts_with("list_")).collect();
    let is_first = before.base.is_none();
    for list in lists {
        // One that was not built anew changes when it would have.
        let is_new = built.iter().any(|it| it.table == *list && it.action != Action::Fresh);
        if is_first || is_new {
            before.due_us.remove(list);
            before.due_us.extend(next_change(house, list, now_us).await?.map(|it| (list.clone(), it)));
        }
    }
    before.base = Some(base);
    let made: Vec<(String, i64)> =
        built.into_iter().filter(|it| it.action != Action::Fresh).map(|it| (it.table, it.rows)).collect();
    if !made.is_empty() {
        house.metrics.ticked(Ticked { at_us: now_us, seconds, tables: made });
    }
    Ok(commits)
}

/// Whether rows stay in the log of which something live is made; a source that feeds nothing live keeps no list waiting.
fn holds_up(committed: &Committed, raw: &BTreeSet<String>) -> bool {
    let stuck = committed.stuck.iter().map(|it| &it.pipeline);
    stuck.chain(&committed.waiting).any(|it| raw.contains(&format!("raw_{it}")))
}

async fn versions(house: &House, raw: &BTreeSet<String>) -> anyhow::Result<BTreeMap<String, (String, i64)>> {
    let mut versions = BTreeMap::new();
    for table in raw {
        if let Some(it) = house.lake.snapshot(table).await? {
            versions.insert(table.clone(), (it.id, it.version));
        }
    }
    Ok(versions)
}

/// When a row of a list next begins or ceases to hold; `None` if the clock changes nothing of it.
async fn next_change(house: &House, list: &str, now_us: i64) -> anyhow::Result<Option<i64>> {
    let Some(table) = house.engine.table(list).await? else { return Ok(None) };
    let schema = table.schema();
    let context = house.engine.context();
    context.register_table("held", table)?;
    let mut next: Option<i64> = None;
    let columns: Vec<&str> = HOLDS.into_iter().filter(|it| schema.field_with_name(it).is_ok()).collect();
    for column in columns {
        let query = format!("SELECT min({column}) AS next FROM held WHERE CAST({column} AS BIGINT) > {now_us}");
        for batch in context.sql(&query).await?.collect().await? {
            let instants = batch.column(0).as_primitive_opt::<TimestampMicrosecondType>();
            let at = instants.and_then(|it| it.iter().flatten().min());
            next = next.into_iter().chain(at).min();
        }
    }
    Ok(next)
}

/// The condition, behind another, by which a row of a list holds at an instant.
pub(crate) fn holds(schema: &Schema, now_us: i64) -> String {
    let has = |name: &str| schema.field_with_name(name).is_ok();
    let from = if has(HOLDS[0]) { format!(" AND CAST({} AS BIGINT) <= {now_us}", HOLDS[0]) } else { String::new() };
    let until = if has(HOLDS[1]) { format!(" AND CAST({} AS BIGINT) > {now_us}", HOLDS[1]) } else { String::new() };
    format!("{from}{until}")
}

fn told(house: &House) -> Vec<Told> {
    let models = house.project.models.iter().filter(|it| it.front.tell);
    models.map(|it| Told { list: it.name.clone(), grain: it.front.grain.clone() }).collect()
}

/// Tells of the rows of a list that hold now and that nobody was told of before: one message, however many they are.
async fn tell(house: &House, told: &Told, now_us: i64) -> anyhow::Result<()> {
    let Some(table) = house.engine.table(&told.list).await? else { return Ok(()) };
    let schema = table.schema();
    let has = |name: &str| schema.field_with_name(name).is_ok();
    let holds = holds(&schema, now_us);
    // A gate that falls silent again another day is another row.
    let key = told.grain.iter().map(String::as_str).chain(has(HOLDS[0]).then_some(HOLDS[0]));
    let key = key.map(|it| format!("CAST({it} AS VARCHAR)")).collect::<Vec<_>>().join(", ");
    let context = house.engine.context();
    context.register_table("held", table)?;
    let query = format!("SELECT concat_ws('|', {key}) AS item FROM held WHERE TRUE{holds} ORDER BY item LIMIT {TOLD_MAX}");
    let mut items = Vec::new();
    for batch in context.sql(&query).await?.collect().await? {
        let texts = arrow::compute::cast(batch.column(0), &DataType::Utf8)?;
        items.extend(texts.as_string::<i32>().iter().flatten().map(str::to_owned));
    }
    if !items.is_empty() {
        let new_n = house.store.messages().tell_list(&told.list, &items, house.now_us()).await?;
        if 0 < new_n {
            tracing::info!(list = told.list, new_n, "whoever is on duty is told of a list");
        }
    }
    Ok(())
}

/// How many ticks of a kind may still follow at once.
struct Pace {
    max: u32,
    /// One is given back for every so long.
    refill: Duration,
    left: u32,
    /// The last one that was given back.
    since: Instant,
}

impl Pace {
    fn new(max: u32, refill: Duration, now: Instant) -> Self {
        Self { max, refill, left: max, since: now }
    }

    /// Takes one, and says how long to wait for it.
    fn next(&mut self, now: Instant) -> Duration {
        if self.has(now) {
            self.take();
            return Duration::ZERO;
        }
        self.since += self.refill;
        self.since.saturating_duration_since(now)
    }

    /// Whether one is left.
    fn has(&mut self, now: Instant) -> bool {
        while self.refill <= now.saturating_duration_since(self.since) && self.left < self.max {
            (self.left, self.since) = (self.left + 1, self.since + self.refill);
        }
        if self.left == self.max {
            self.since = now;
        }
        0 < self.left
    }

    fn take(&mut self) {
        self.left = self.left.saturating_sub(1);
    }

    /// The tick left nothing.
    fn give_back(&mut self) {
        self.left = self.max.min(self.left + 1);
    }
}

/// How long to rest after a tick that took so long.
fn pause(took: Duration) -> Duration {
    APART.saturating_sub(took).max(IDLE_TIMES * took)
}

/// The lists that changed by now because of the clock; they are due no more.
fn take_due(due_us: &mut BTreeMap<String, i64>, now_us: i64) -> Vec<String> {
    let now: Vec<String> = due_us.iter().filter(|it| *it.1 <= now_us).map(|it| it.0.clone()).collect();
    due_us.retain(|_, at_us| now_us < *at_us);
    now
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::Stuck;

    #[test]
    fn a_tick_begins_a_second_after_the_last_and_rests_twice_as_long_as_it_took() {
        let rests = [0, 100, 300, 400, 1_000, 60_000].map(|it| pause(Duration::from_millis(it)).as_millis());
        assert_eq!(rests, [1_000, 900, 700, 800, 2_000, 120_000]);
    }

    #[test]
    fn after_many_ticks_without_a_rest_the_next_one_waits() {
        let began = Instant::now();
        let mut pace = Pace::new(QUICK_MAX, REFILL, began);
        let quick = (0..200).take_while(|_| pace.next(began + Duration::from_secs(1)).is_zero()).count();
        assert_eq!(quick, QUICK_MAX as usize);
        // Each waits for its own.
        assert_eq!(pace.next(began + Duration::from_secs(31)), REFILL);
        assert_eq!(pace.next(began + Duration::from_secs(61)), REFILL);
        // An hour without rows gives all of them back, and no more.
        let later = began + Duration::from_secs(7_200);
        let quick = (0..200).take_while(|_| pace.next(later).is_zero()).count();
        assert_eq!(quick, QUICK_MAX as usize);
        assert!(!pace.has(later));
        // One that left nothing takes nothing.
        pace.give_back();
        assert_eq!((pace.next(later), pace.has(later)), (Duration::ZERO, false));
    }

    #[test]
    fn an_hour_of_rows_every_second_is_followed_by_lists_every_second() {
        let began = Instant::now();
        let mut pace = Pace::new(LISTS_MAX, LISTS_REFILL, began);
        for second in 0..3_600 {
            assert!(pace.has(began + Duration::from_secs(second)), "second {second}");
            pace.take();
        }
        // And however long it goes on, a day leaves not more than so many commits of a list.
        let after = began + Duration::from_secs(3_600);
        let mut more = 0;
        for second in 0..82_800 {
            if pace.has(after + Duration::from_secs(second)) {
                pace.take();
                more += 1;
            }
        }
        assert!(more <= 720, "{more}");
    }

    #[test]
    fn a_source_that_feeds_nothing_live_keeps_no_list_waiting() {
        let stuck = |pipeline: &str| Stuck { pipeline: pipeline.to_owned(), zh: String::new(), en: String::new() };
        let raw = BTreeSet::from(["raw_gate_event".to_owned(), "raw_device_heartbeat".to_owned()]);
        let mut committed = Committed { stuck: vec![stuck("repair_ticket")], ..Committed::default() };
        committed.waiting.insert("card_txn".to_owned());
        assert!(!holds_up(&committed, &raw));
        committed.waiting.insert("device_heartbeat".to_owned());
        assert!(holds_up(&committed, &raw));
        let committed = Committed { stuck: vec![stuck("gate_event")], ..Committed::default() };
        assert!(holds_up(&committed, &raw));
    }

    #[test]
    fn a_list_is_due_once_when_its_hour_has_come() {
        let mut due_us = BTreeMap::from([("list_a".to_owned(), 10), ("list_b".to_owned(), 20)]);
        assert_eq!(take_due(&mut due_us, 9), Vec::<String>::new());
        assert_eq!(take_due(&mut due_us, 10), ["list_a"]);
        assert_eq!(take_due(&mut due_us, 15), Vec::<String>::new());
        assert_eq!(take_due(&mut due_us, 30), ["list_b"]);
        assert!(due_us.is_empty());
    }
}
