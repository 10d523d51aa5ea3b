//! The one clock of `known_at`: what files, pushes and replays bring is dated by it, and it never goes back.
//!
//! A machine's clock does go back, by a second or a year. Then rows get the newest instant that any row has and a moment
//! more, until the machine has caught up: staging orders versions by `known_at`, and what an earlier day was built of must
//! not change. A clock that leaps ahead is believed, for rows must be taken, and told: whoever mends it wants to know since
//! when. An instant that somebody gave (`--now`) is taken as it is, however often.

use std::collections::BTreeMap;

use anyhow::Context;
use arrow::array::AsArray;
use arrow::datatypes::TimestampMicrosecondType;
use engine::Engine;
use lake::Snapshot;
use parking_lot::Mutex;
use schema::Pipeline;
use serde_json::{Value, json};

/// Stands on every commit to a raw table: the newest instant by which its rows were dated.
const KNOWN: &str = "yizhan.known_us";

const MINUTE_US: i64 = 60_000_000;
const DAY_US: i64 = 86_400_000_000;

/// What is odd about the machine's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Odd {
    /// It stands so long after the newest row that either nothing came for long or it leapt.
    Ahead { from_us: i64, to_us: i64 },
    /// It stands before the newest row.
    Behind { newest_us: i64, now_us: i64 },
}

/// Gives out instants; shared by all doors of a process.
#[derive(Debug)]
pub(crate) struct KnownClock {
    /// Somebody said what time it is, and it stays that time.
    is_given: bool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    newest_us: Option<i64>,
    odd: Option<Odd>,
}

impl KnownClock {
    /// A clock that goes on from the newest instant of any row, if there is one.
    pub(crate) fn new(newest_us: Option<i64>, is_given: bool) -> Self {
        Self { is_given, state: Mutex::new(State { newest_us, odd: None }) }
    }

    /// The instant of what is taken now, the machine's clock standing at `now_us`.
    pub(crate) fn take(&self, now_us: i64) -> i64 {
        let mut state = self.state.lock();
        let is_first = state.newest_us.is_none();
        let newest_us = state.newest_us.unwrap_or(now_us);
        state.odd = match state.odd {
            _ if now_us < newest_us - MINUTE_US => Some(Odd::Behind { newest_us, now_us }),
            _ if newest_us + DAY_US < now_us => Some(Odd::Ahead { from_us: newest_us, to_us: now_us }),
            // Told for a day: a leap is over in a moment, and somebody has to see it.
            Some(Odd::Ahead { from_us, to_us }) if now_us < to_us + DAY_US => Some(Odd::Ahead { from_us, to_us }),
            _ => None,
        };
        // Never the same instant twice: of two versions of a key the second is the later one.
        let after_us = if is_first || self.is_given { newest_us } else { newest_us + 1 };
        let known_us = now_us.max(after_us);
        state.newest_us = Some(known_us);
        known_us
    }

    /// Rows were dated up to this instant: versions of one key that came together follow each other by a microsecond.
    pub(crate) fn reached(&self, known_us: i64) {
        let mut state = self.state.lock();
        state.newest_us = state.newest_us.max(Some(known_us));
    }

    /// What was odd about the machine's clock when a row was last taken.
    pub(crate) fn odd(&self) -> Option<Odd> {
        self.state.lock().odd
    }
}

impl Odd {
    /// What to do, in Chinese and English.
    pub(crate) fn words(&self) -> (String, String) {
        let at = |us: i64| {
            chrono::DateTime::from_timestamp_micros(us).map(|it| it.format("%Y-%m-%d %H:%M UTC").to_string()).unwrap_or_default()
        };
        match *self {
            Odd::Ahead { from_us, to_us } => {
                let (from, to) = (at(from_us), at(to_us));
                (
                    format!(
                        "机器时钟 {to} 比此前最新一批数据（{from}）晚一天以上：若平台这期间没有收到数据，无需处理；否则请核对时钟。数据照常接收"
                    ),
                    format!(
                        "the machine's clock ({to}) is more than a day after the newest rows before ({from}): if nothing came in \
                         between, nothing is to be done; else look at the clock. Rows are taken as ever"
                    ),
                )
            }
            Odd::Behind { newest_us, now_us } => {
                let (newest, now) = (at(newest_us), at(now_us));
                (
                    format!(
                        "机器时钟 {now} 早于已入库数据的时间（{newest}）：请校准时钟。数据照常接收，入库时间按 {newest} 记，直到时钟走到此刻"
                    ),
                    format!(
                        "the machine's clock ({now}) is before the instant of rows that are in ({newest}): set it right. Rows are \
                         taken as ever and dated {newest} until the clock has come there"
                    ),
                )
            }
        }
    }
}

/// What a commit to a raw table says of the clock.
pub(crate) fn noted(known_us: i64) -> BTreeMap<String, Value> {
    BTreeMap::from([(KNOWN.to_owned(), json!(known_us))])
}

/// What the last commit to a raw table said of the clock; upkeep says nothing and hides nothing.
pub(crate) fn said(table: &Snapshot) -> Option<i64> {
    table.commit.info.get(KNOWN).and_then(Value::as_i64)
}

/// The newest instant by which rows of the tables were dated.
///
/// The minima and maxima in their logs would not do: they hold assumed instants too, which may lie in the future.
pub(crate) async fn newest(engine: &Engine, pipelines: &[Pipeline]) -> anyhow::Result<Option<i64>> {
    let mut newest = None;
    for pipeline in pipelines {
        let table = pipeline.raw_table();
        let Some(snapshot) = engine.lake().snapshot(&table).await? else { continue };
        newest = newest.max(match said(&snapshot) {
            Some(known_us) => Some(known_us),
            // A table of before there was the note; its next commit has one.
            None => of_rows(engine, &table).await?,
        });
    }
    Ok(newest)
}

async fn of_rows(engine: &Engine, table: &str) -> anyhow::Result<Option<i64>> {
    let Some(raw) = engine.table(table).await? else { return Ok(None) };
    let context = engine.context();
    context.register_table("raw", raw)?;
    let query = "SELECT max(known_at) AS known_at FROM raw WHERE NOT is_known_assumed";
    let found = context.sql(query).await?.collect().await.with_context(|| format!("could not read {table}"))?;
    Ok(found.iter().filter_map(|it| it.column(0).as_primitive::<TimestampMicrosecondType>().iter().flatten().max()).max())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_out_never_goes_back_and_never_comes_twice() {
        let clock = KnownClock::new(None, false);
        let given = [50, 90, 70, 30, 90, 120].map(|it| clock.take(it));
        assert_eq!(given, [50, 90, 91, 92, 93, 120]);
        // Nor after a restart: what the tables hold is where it goes on.
        assert_eq!(KnownClock::new(Some(100), false).take(40), 101);
        // Versions that came together took some of what follows.
        let clock = KnownClock::new(None, false);
        let first = clock.take(50);
        clock.reached(first + 2);
        clock.reached(first);
        assert_eq!([clock.take(50), clock.take(90)], [53, 90]);
        // What somebody gave is taken as it is.
        let clock = KnownClock::new(None, true);
        assert_eq!([clock.take(70), clock.take(70)], [70, 70]);
    }

    #[test]
    fn a_clock_that_leaps_ahead_is_told_for_a_day_and_believed() {
        let clock = KnownClock::new(Some(10 * DAY_US), false);
        assert_eq!(clock.take(11 * DAY_US), 11 * DAY_US);
        assert_eq!(clock.odd(), None, "a day without rows is nothing");
        assert_eq!(clock.take(20 * DAY_US), 20 * DAY_US);
        let leapt = Odd::Ahead { from_us: 11 * DAY_US, to_us: 20 * DAY_US };
        assert_eq!(clock.odd(), Some(leapt));
        clock.take(20 * DAY_US + DAY_US / 2);
        assert_eq!(clock.odd(), Some(leapt));
        clock.take(21 * DAY_US);
        assert_eq!(clock.odd(), None);
        assert!(leapt.words().0.contains("1970-01-12") && leapt.words().1.contains("1970-01-21"), "{:?}", leapt.words());
    }

    #[test]
    fn a_clock_that_fell_back_is_told_until_it_has_caught_up() {
        let clock = KnownClock::new(Some(10 * DAY_US), false);
        assert_eq!(clock.take(10 * DAY_US - 1), 10 * DAY_US + 1);
        assert_eq!(clock.odd(), None, "clocks are set by moments every day");
        assert_eq!(clock.take(9 * DAY_US), 10 * DAY_US + 2);
        assert_eq!(clock.odd(), Some(Odd::Behind { newest_us: 10 * DAY_US + 1, now_us: 9 * DAY_US }));
        assert_eq!(clock.take(10 * DAY_US + 7), 10 * DAY_US + 7);
        assert_eq!(clock.odd(), None);
    }

    #[test]
    fn the_first_row_of_a_lake_is_no_leap() {
        let clock = KnownClock::new(None, false);
        assert_eq!(clock.take(20_000 * DAY_US), 20_000 * DAY_US);
        assert_eq!(clock.odd(), None);
    }
}
