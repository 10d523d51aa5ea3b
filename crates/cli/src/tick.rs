//! The tick (实时更新): while a day goes on, what is marked `live` follows the rows that came.
//!
//! It is an ordinary build of some tables by the planner of the nightly run: what came since is found in the logs of the
//! tables, days that late rows fell into are among it, and nothing is made of anything else than a nightly build makes it of.
//! So the night finds these tables as it would have left them itself.
//!
//! Rows of a pushed source that something live is made of wake it; without any it looks every `tick_seconds`, for days end and
//! files come too. The log is committed first: a table says of which versions of its inputs it was made, and the log has none.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Int64Type, TimestampMicrosecondType};
use casework::Post;
use chrono::Utc;
use datafusion::catalog::TableProvider;
use serve::{Live, Ticked, Topic};
use store::Account;
use tokio::sync::Mutex;
use transform::{Action, Builder};

use crate::house::House;
use crate::settings::Now;
use crate::traces;

/// Columns of a live list by which a row begins and ceases to hold without that any row came.
const HOLDS: [&str; 2] = ["from_at", "until_at"];

/// The pause after a tick is at least so many times as long as the tick was: what is pushed and who reads have to get on too.
const IDLE_TIMES: u32 = 2;

/// From the beginning of one tick to that of the next, however much comes: each commits, and writes files.
const APART: Duration = Duration::from_secs(1);

/// So many ticks may follow each other as quickly as that, and then one for every [`REFILL`]: files stay for days after they
/// were merged, and a stream that never rests would leave a hundred thousand of each table.
const QUICK_MAX: u32 = 120;
const REFILL: Duration = Duration::from_secs(30);

/// Rows of one list that are told of at most.
const TOLD_MAX: usize = 1_000;

/// The table that says when the list of tonight is complete, building by building.
const TONIGHT: &str = "int_building_tonight";

/// For so long after a building's list is complete its readers are told of it: a server that starts later wakes nobody.
const NIGHT_NEWS_US: i64 = 2 * casework::HOUR_US;

/// Who keeps a building, and who looks after own students, as policies name them.
const KEEPER: &str = "dorm_keeper";
const COUNSELOR: &str = "counselor";

/// What the tables are made of: the open day, and the versions of the raw tables.
#[derive(Debug, Default, PartialEq, Eq)]
struct Base {
    open_on: i32,
    versions: BTreeMap<String, (String, i64)>,
}

/// A live list of which whoever is on duty is told.
struct Told {
    list: String,
    /// Columns that make a row one.
    grain: Vec<String>,
}

/// When the list of tonight is complete in a building, and until when its gates are known to work; in microseconds since 1970.
#[derive(Debug, Clone)]
struct Building {
    building_id: String,
    from_us: i64,
    until_us: Option<i64>,
}

impl Building {
    /// Whether its list is complete, and so lately that this is news.
    fn is_news(&self, now_us: i64) -> bool {
        (self.from_us..self.from_us + NIGHT_NEWS_US).contains(&now_us) && self.until_us.is_some_and(|it| now_us < it)
    }
}

/// Readers of the list of tonight who were told by this process, and of which night.
#[derive(Debug, Default)]
struct NightTold {
    night: String,
    accounts: BTreeSet<String>,
}

/// What a tick has to know of those before it.
#[derive(Debug, Default)]
struct Before {
    /// What the tables were last built from; nothing before the first build, and after one that failed.
    base: Option<Base>,
    /// When a list next changes because of the clock, in microseconds since 1970.
    due_us: BTreeMap<String, i64>,
    failed: bool,
    /// Rows stay in the log, of whichever source: to try it with every row that comes helps nobody.
    is_stuck: bool,
}

/// Ticks until it is stopped. `one_at_a_time` is held by whatever else builds.
pub(crate) async fn run(house: Arc<House>, live: Arc<Live>, one_at_a_time: Arc<Mutex<()>>) {
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
    let mut pace = Pace { left: QUICK_MAX, since: Instant::now() };
    loop {
        tokio::time::sleep(pause(took)).await;
        // What was put off is still to be done; what failed or is stuck waits, for rows that come mend nothing.
        let left = every.saturating_sub(last.elapsed());
        if before.failed || before.is_stuck {
            tokio::time::sleep(left).await;
        } else if !is_put_off {
            // Whichever is first.
            let _ = tokio::time::timeout(left, house.arrivals.of(&fed)).await;
        }
        tokio::time::sleep(pace.next(Instant::now())).await;
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
            match once(&house, &builder, &tables, &raw, &mut before).await {
                Ok(()) => before.failed = false,
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
        if is_wall && let Err(error) = tell_night(&house, &mut night_told, now_us).await {
            tracing::error!(error = format!("{error:#}"), "nobody was told that the list of tonight is complete");
        }
        for list in take_due(&mut before.due_us, now_us) {
            match next_change(&house, &list, now_us).await {
                Ok(next) => before.due_us.extend(next.map(|it| (list.clone(), it))),
                Err(error) => tracing::error!(list, error = format!("{error:#}"), "when a list changes next"),
            }
            live.publish(Topic::Table { table: list, version: now_us });
        }
    }
}

/// Builds what is stale, if rows came or another day began.
async fn once(
    house: &House,
    builder: &Builder<'_>,
    tables: &[String],
    raw: &BTreeSet<String>,
    before: &mut Before,
) -> anyhow::Result<()> {
    // Of another day than it is nothing is made.
    if house.leapt_clock().is_some() {
        return Ok(());
    }
    before.is_stuck = false;
    if house.log.as_ref().is_some_and(|it| 0 < it.held()) {
        let committed = crate::stream::commit(house).await?;
        before.is_stuck = !committed.stuck.is_empty() || !committed.waiting.is_empty();
    }
    let base = Base { open_on: house.as_of_on().await?, versions: versions(house, raw).await? };
    if before.base.as_ref() == Some(&base) {
        return Ok(());
    }
    let began = Instant::now();
    let traced = traces::begin("tick");
    let built = traces::within(&traced, builder.build(base.open_on, tables, false, &|_| {})).await;
    if built.is_err() {
        traces::failed(&traced);
    }
    let built = built?;
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
    Ok(())
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

fn told(house: &House) -> Vec<Told> {
    let models = house.project.models.iter().filter(|it| it.front.tell);
    models.map(|it| Told { list: it.name.clone(), grain: it.front.grain.clone() }).collect()
}

/// Tells of the rows of a list that hold now and that nobody was told of before: one message, however many they are.
async fn tell(house: &House, told: &Told, now_us: i64) -> anyhow::Result<()> {
    let Some(table) = house.engine.table(&told.list).await? else { return Ok(()) };
    let schema = table.schema();
    let has = |name: &str| schema.field_with_name(name).is_ok();
    // A gate that falls silent again another day is another row.
    let key = told.grain.iter().map(String::as_str).chain(has(HOLDS[0]).then_some(HOLDS[0]));
    let key = key.map(|it| format!("CAST({it} AS VARCHAR)")).collect::<Vec<_>>().join(", ");
    let (from, until) = (has(HOLDS[0]), has(HOLDS[1]));
    let from = if from { format!(" AND CAST(from_at AS BIGINT) <= {now_us}") } else { String::new() };
    let until = if until { format!(" AND CAST(until_at AS BIGINT) > {now_us}") } else { String::new() };
    let context = house.engine.context();
    context.register_table("held", table)?;
    let query = format!("SELECT concat_ws('|', {key}) AS item FROM held WHERE TRUE{from}{until} ORDER BY item LIMIT {TOLD_MAX}");
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

/// Tells keepers and counselors on duty that the list of tonight is complete: each once a night, and nothing of what is in it.
async fn tell_night(house: &House, told: &mut NightTold, now_us: i64) -> anyhow::Result<()> {
    let (night, buildings) = tonight(house).await?;
    if !buildings.iter().any(|it| it.is_news(now_us)) {
        return Ok(());
    }
    if told.night != night {
        *told = NightTold { night, accounts: BTreeSet::new() };
    }
    let accounts = house.store.accounts().list().await?;
    let shifts = house.store.cases().on_duty(Post::CollegeDuty, now_us).await?;
    let on_duty: Vec<String> = shifts.into_iter().map(|it| it.account).collect();
    let mut readers = night_readers(&buildings, &accounts, &on_duty, now_us);
    readers.retain(|it| !told.accounts.contains(it));
    if readers.is_empty() {
        return Ok(());
    }
    let new_n = house.store.messages().tell_night(&told.night, &readers, now_us).await?;
    told.accounts.extend(readers);
    if 0 < new_n {
        tracing::info!(new_n, "keepers and counselors on duty are told that the list of tonight is complete");
    }
    Ok(())
}

/// The night, and its buildings; none where the project has no such table, or no building has a gate.
async fn tonight(house: &House) -> anyhow::Result<(String, Vec<Building>)> {
    let (mut night, mut buildings) = (String::new(), Vec::new());
    let Some(table) = house.engine.table(TONIGHT).await? else { return Ok((night, buildings)) };
    let context = house.engine.context();
    context.register_table("held", table)?;
    let query = "SELECT building_id, CAST(night_on AS VARCHAR) AS night_on, CAST(from_at AS BIGINT) AS from_us, \
                 CAST(until_at AS BIGINT) AS until_us FROM held WHERE from_at IS NOT NULL";
    for batch in context.sql(query).await?.collect().await? {
        let text = |column: usize| arrow::compute::cast(batch.column(column), &DataType::Utf8);
        let (ids, nights) = (text(0)?, text(1)?);
        let (from_us, until_us) = (batch.column(2).as_primitive::<Int64Type>(), batch.column(3).as_primitive::<Int64Type>());
        let rows = ids.as_string::<i32>().iter().zip(nights.as_string::<i32>().iter()).zip(from_us.iter().zip(until_us.iter()));
        for ((id, on), (from_us, until_us)) in rows {
            if let (Some(id), Some(on), Some(from_us)) = (id, on, from_us) {
                on.clone_into(&mut night);
                buildings.push(Building { building_id: id.to_owned(), from_us, until_us });
            }
        }
    }
    Ok((night, buildings))
}

/// Whose list of tonight is complete now: of keepers that of all their buildings, of counselors on duty that of every building. Where
/// gates are silent no list is complete, and what is complete elsewhere is told all the same.
fn night_readers(buildings: &[Building], accounts: &[Account], on_duty: &[String], now_us: i64) -> Vec<String> {
    let is_complete = |is_own: &dyn Fn(&Building) -> bool| {
        let own = || buildings.iter().filter(|it| is_own(it));
        own().all(|it| it.from_us <= now_us) && own().any(|it| it.is_news(now_us))
    };
    let reads = |it: &&Account| {
        let kept: Vec<&str> =
            it.grants.iter().filter(|grant| grant.role == KEEPER).filter_map(|grant| building_of(&grant.scope)).collect();
        let is_on_duty = on_duty.contains(&it.account) && it.grants.iter().any(|grant| grant.role == COUNSELOR);
        is_complete(&|building| kept.contains(&building.building_id.as_str())) || (is_on_duty && is_complete(&|_| true))
    };
    accounts.iter().filter(|it| !it.is_disabled).filter(reads).map(|it| it.account.clone()).collect()
}

/// The building of a scope such as `building:N3/floor:4`.
fn building_of(scope: &str) -> Option<&str> {
    scope.strip_prefix("building:")?.split('/').next()
}

/// How many ticks may still follow at once.
struct Pace {
    left: u32,
    /// The last one that was given back.
    since: Instant,
}

impl Pace {
    /// How long to wait before the next tick.
    fn next(&mut self, now: Instant) -> Duration {
        while REFILL <= now.saturating_duration_since(self.since) && self.left < QUICK_MAX {
            (self.left, self.since) = (self.left + 1, self.since + REFILL);
        }
        if self.left == QUICK_MAX {
            self.since = now;
        }
        if 0 < self.left {
            self.left -= 1;
            return Duration::ZERO;
        }
        self.since += REFILL;
        self.since.saturating_duration_since(now)
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
    use store::Grant;

    use super::*;

    fn account(name: &str, grants: &[(&str, &str)]) -> Account {
        let grants = grants.iter().map(|(role, scope)| Grant { role: (*role).to_owned(), scope: (*scope).to_owned() }).collect();
        Account { account: name.to_owned(), display_name: name.to_owned(), person_key: None, grants, is_disabled: false }
    }

    #[test]
    fn the_list_of_tonight_is_told_to_whoever_reads_it_once_all_of_theirs_is_complete() {
        let building = |id: &str, from_us, until_us| Building { building_id: id.to_owned(), from_us, until_us };
        // N3 closes later, and nobody hears from N4.
        let far = Some(i64::MAX);
        let buildings = [building("N1", 100, far), building("N2", 100, far), building("N3", 200, far), building("N4", 100, None)];
        let accounts = [
            account("bai", &[(KEEPER, "building:N1")]),
            account("song", &[(KEEPER, "building:N2/floor:4"), (KEEPER, "building:N3")]),
            account("mute", &[(KEEPER, "building:N4")]),
            account("both", &[(KEEPER, "building:N1"), (KEEPER, "building:N4")]),
            account("lin", &[(COUNSELOR, "assigned")]),
            account("off", &[(COUNSELOR, "assigned")]),
            account("gao", &[("psychologist", "university")]),
            Account { is_disabled: true, ..account("gone", &[(KEEPER, "building:N1")]) },
        ];
        let on_duty = ["lin".to_owned(), "gao".to_owned()];
        let told = |now_us| night_readers(&buildings, &accounts, &on_duty, now_us);
        assert_eq!(told(99), Vec::<String>::new());
        assert_eq!(told(100), ["bai", "both"], "of N4 no list is complete");
        assert_eq!(told(200), ["bai", "song", "both", "lin"]);
        assert_eq!(told(200 + NIGHT_NEWS_US), Vec::<String>::new(), "what is told late wakes people for nothing");
        let silent = [building("N1", 100, Some(150))];
        assert_eq!(night_readers(&silent, &accounts, &on_duty, 150), Vec::<String>::new(), "its gates fell silent");
    }

    #[test]
    fn a_tick_begins_a_second_after_the_last_and_rests_twice_as_long_as_it_took() {
        let rests = [0, 100, 300, 400, 1_000, 60_000].map(|it| pause(Duration::from_millis(it)).as_millis());
        assert_eq!(rests, [1_000, 900, 700, 800, 2_000, 120_000]);
    }

    #[test]
    fn after_many_ticks_without_a_rest_the_next_one_waits() {
        let began = Instant::now();
        let mut pace = Pace { left: QUICK_MAX, since: began };
        let quick = (0..200).take_while(|_| pace.next(began + Duration::from_secs(1)).is_zero()).count();
        assert_eq!(quick, QUICK_MAX as usize);
        // Each waits for its own.
        assert_eq!(pace.next(began + Duration::from_secs(31)), REFILL);
        assert_eq!(pace.next(began + Duration::from_secs(61)), REFILL);
        // An hour without rows gives all of them back, and no more.
        let later = began + Duration::from_secs(7_200);
        let quick = (0..200).take_while(|_| pace.next(later).is_zero()).count();
        assert_eq!(quick, QUICK_MAX as usize);
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
