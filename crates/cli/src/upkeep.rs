//! Upkeep of the lake (湖维护): small files become large ones, and what nobody reaches is removed.
//!
//! The night keeps all tables in order. While a day goes on every commit of the log leaves a file in the open day of a table, and
//! whoever reads that day opens all of them, so tables that are pushed to or that ticks write are merged every hour, or sooner
//! where they have many. One at a time does it, beside readers and writers: who read the small files finds them for a week.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lake::{Lake, Snapshot, Upkeep};
use serde_json::json;
use serve::{Done, Order};
use tokio::sync::Mutex;

use crate::house::House;
use crate::ingest::QUARANTINE;

/// Pause between two looks at how many files there are.
const LOOK_PAUSE: Duration = Duration::from_secs(60);
/// Files of one day from which it is merged before its hour: a scan opens each of them.
const FILES_MAX: usize = 200;

/// Merges what the day leaves, until it is stopped. `one_at_a_time` is held by whatever else works on whole tables.
pub(crate) async fn run(house: Arc<House>, one_at_a_time: Arc<Mutex<()>>) {
    let every = Duration::from_secs(60 * house.settings.lake.upkeep_minutes);
    if every.is_zero() {
        return;
    }
    let tables = busy(&house);
    let (mut last, mut failing) = (Instant::now(), BTreeSet::new());
    loop {
        tokio::time::sleep(LOOK_PAUSE).await;
        let is_due = every <= last.elapsed();
        if is_due {
            last = Instant::now();
        }
        for table in &tables {
            if !is_due && !has_many(&house, table).await {
                continue;
            }
            // For one table at a time: a tick, or a run, need not wait for all of them.
            let _one = one_at_a_time.lock().await;
            match tidy(&house, table).await {
                Ok(_) => {
                    failing.remove(table);
                }
                Err(error) => {
                    // The next hour, or the night, tries again.
                    if failing.insert(table.clone()) {
                        tracing::error!(table, error = format!("{error:#}"), "small files stay as they are");
                    }
                }
            }
        }
    }
}

/// The tables that get commits while a day goes on: those that rows are pushed to, their quarantine, and what ticks build.
fn busy(house: &House) -> BTreeSet<String> {
    let built = house.graph.live().into_iter().flat_map(|it| house.graph.upstream(&it));
    let fed = house.engine.tail_tables();
    let is_table = |it: &String| !it.starts_with("raw_") || fed.contains(it);
    built.filter(is_table).chain(fed.clone()).chain([QUARANTINE.to_owned()]).collect()
}

/// Whether a day of a table has so many files that it should not wait.
async fn has_many(house: &House, table: &str) -> bool {
    // What cannot be read now is looked at in its hour.
    let snapshot = house.engine.lake_of(table).snapshot(table).await.ok().flatten();
    snapshot.is_some_and(|it| FILES_MAX < most(&it))
}

/// Files of the day that has most of them.
fn most(snapshot: &Snapshot) -> usize {
    let mut days: BTreeMap<Option<i32>, usize> = BTreeMap::new();
    for file in snapshot.files.iter() {
        *days.entry(file.partition).or_default() += 1;
    }
    days.into_values().max().unwrap_or(0)
}

/// How long entries of a table's log stay. Those of raw tables tell what left the lake, and replay asks them; those of what
/// ticks write tell a derived table which days changed since it was built, and else it is built whole.
fn keep_log_ms(settings: &crate::settings::Lake, is_live: bool) -> i64 {
    let days = if is_live { settings.keep_live_log_days } else { settings.keep_log_days };
    i64::from(days) * 86_400_000
}

/// So much is merged at once while people work: it is read whole, beside queries and doors.
const DAY_BYTES_MAX: u64 = 48 << 20;

/// Merges the small files of one table, and removes nothing.
pub(crate) async fn tidy(house: &House, table: &str) -> anyhow::Result<usize> {
    kept(
        house,
        house.engine.lake_of(table),
        table,
        Upkeep { is_swept: false, merge_bytes_max: DAY_BYTES_MAX, ..Upkeep::default() },
    )
    .await
}

async fn kept(house: &House, lake: &Lake, table: &str, upkeep: Upkeep) -> anyhow::Result<usize> {
    let report = lake.upkeep(table, upkeep).await?;
    house.metrics.merged(table, report.files_compacted);
    Ok(report.files_compacted)
}

/// Keeps every table in order; the files that were merged away, by table.
pub(crate) async fn all(house: &House) -> anyhow::Result<BTreeMap<String, usize>> {
    let mut merged = BTreeMap::new();
    let busy = busy(house);
    for lake in house.engine.lakes() {
        for table in lake.tables()? {
            let is_live = busy.contains(&table) && !table.starts_with("raw_") && table != QUARANTINE;
            let keep_log_ms = keep_log_ms(&house.settings.lake, is_live);
            let files = kept(house, lake, &table, Upkeep { keep_log_ms, ..Upkeep::default() }).await?;
            merged.insert(table, files);
        }
    }
    Ok(merged)
}

/// Does it now, and says what it did.
pub(crate) async fn work(house: &House, order: &Order) -> anyhow::Result<Done> {
    let merged = all(house).await?;
    let report = merged.into_iter().filter(|it| 0 < it.1).map(|(table, files)| match order.is_json {
        true => format!("{}\n", json!({ "table": table, "files_merged": files })),
        false => format!("{table:<28} {files:>8}\n"),
    });
    Ok(Done { report: report.collect(), ..Done::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::tests::{Stage, contract, event, run};

    #[test]
    fn files_of_the_open_day_fall_while_rows_come_and_readers_read() {
        run(|| async {
            let stage = Stage::new(&[("thing", contract("thing", "first").as_str())]);
            let opened = stage.open().await;
            let house = &opened.house;
            let push = async |from: u64, to: u64| {
                for id in from..to {
                    opened.push("thing", &[event(id, "a", 0)]).await;
                    crate::stream::commit(house).await.expect("committed");
                }
            };
            push(0, 12).await;
            let files = async || {
                let snapshot = house.lake.snapshot("raw_thing").await.expect("readable").expect("a table");
                (snapshot.files.len(), most(&snapshot), snapshot.rows())
            };
            assert_eq!(files().await, (12, 12, 12));
            let reader = house.engine.table("raw_thing").await.expect("readable").expect("a table");
            // Rows come meanwhile.
            let (merged, ()) = tokio::join!(tidy(house, "raw_thing"), push(12, 16));
            assert!(12 <= merged.expect("merged"), "all that lay there, and perhaps what came");
            let (left, _, rows) = files().await;
            assert!(left <= 5 && rows == 16, "{left} files of {rows} rows");
            // Whoever read before reads on, and sees what there was.
            let context = house.engine.context();
            context.register_table("pinned", reader).expect("registered");
            let counted = context.sql("SELECT count(*) AS n FROM pinned").await.expect("a query").collect().await.expect("rows");
            let counted = arrow::util::pretty::pretty_format_batches(&counted).expect("text").to_string();
            assert!(counted.contains("| 12 |"), "{counted}");
            let staged = opened.read("SELECT count(*) AS n, count(DISTINCT id) AS id_n FROM stg_thing").await;
            assert!(staged.contains("| 16 | 16   |"), "{staged}");
            // What is done already is not done again, and the night removes nothing that somebody may read.
            assert_eq!(tidy(house, "raw_thing").await.expect("merged"), 0);
            let merged = all(house).await.expect("kept");
            assert_eq!(merged["raw_thing"], 0);
        });
    }
}
