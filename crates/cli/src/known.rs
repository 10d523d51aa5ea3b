//! The one clock of `known_at`: what files, pushes and replays bring is dated by it, and it never goes back.
//!
//! A machine's clock does go back, by a second or a year. Then rows get the newest instant that any row has and a moment
//! more, until the machine has caught up: staging orders versions by `known_at`, and what an earlier day was built of must
//! not change. An instant that somebody gave (`--now`) is taken as it is, however often.
//!
//! A leap ahead would be for ever, for one row that was dated a year ahead dates all that follow. So it is not believed:
//! nothing is taken until the clock is mended, or a person says that it is right (`yizhan clock --confirm`). While the program
//! runs the time that the machine has been up tells a leap from time that passed. When it starts nothing does but the newest
//! row, and a platform may well have stood still for months. A doubt stands in a file, so that a restart forgets none, with
//! for how long the machine had been up: as long as it is not booted anew that tells a clock that was mended meanwhile.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use anyhow::Context;
use arrow::array::AsArray;
use arrow::datatypes::TimestampMicrosecondType;
use engine::Engine;
use lake::Snapshot;
use parking_lot::Mutex;
use schema::Pipeline;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Stands on every commit to a raw table: the newest instant by which its rows were dated.
const KNOWN: &str = "yizhan.known_us";
/// Stands beside it where somebody gave the instant: it says nothing of the machine's clock.
const GIVEN: &str = "yizhan.known_given";

const MINUTE_US: i64 = 60_000_000;
const DAY_US: i64 = 86_400_000_000;

/// A leap of less dates rows by an hour too late at most, and comes from a virtual machine that stood still.
const LEAP_US: i64 = 60 * MINUTE_US;
/// What no platform stands still for: when it starts nothing but its newest row tells what time it was.
const STANDSTILL_US: i64 = 366 * DAY_US;

/// What the clock on the wall says, and for how long the machine has been up, sleep included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) wall_us: i64,
    pub(crate) up_us: i64,
}

impl Reading {
    /// The machine's clocks now, the one on the wall standing at `wall_us`.
    pub(crate) fn at(wall_us: i64) -> Self {
        static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
        // Of one process all readings are of one clock, for they are taken from each other.
        static IS_TOLD: LazyLock<bool> = LazyLock::new(|| uptime_us().is_some());
        static LAST_US: AtomicI64 = AtomicI64::new(0);
        // The clock of the process stands still while the machine sleeps, which is no leap.
        let up_us = if *IS_TOLD {
            uptime_us().unwrap_or_else(|| LAST_US.load(Ordering::Relaxed))
        } else {
            i64::try_from(BEGAN.elapsed().as_micros()).unwrap_or(i64::MAX)
        };
        LAST_US.store(up_us, Ordering::Relaxed);
        Self { wall_us, up_us }
    }

    /// What the clock on the wall should say at a later reading.
    fn expected_us(self, later: Self) -> i64 {
        self.wall_us.saturating_add(later.up_us.saturating_sub(self.up_us))
    }
}

/// For how long the machine has been up, the time that it slept included, where the system tells it.
fn uptime_us() -> Option<i64> {
    let told = std::fs::read_to_string("/proc/uptime").ok()?;
    Some((told.split_whitespace().next()?.parse::<f64>().ok()? * 1e6) as i64)
}

/// Which start of the machine this is, where the system tells it.
fn boot() -> Option<u64> {
    boot_of(&std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?)
}

/// Of its number, the first half: enough to know it again.
fn boot_of(number: &str) -> Option<u64> {
    let digits: String = number.trim().chars().filter(|it| *it != '-').take(16).collect();
    u64::from_str_radix(&digits, 16).ok()
}

/// What is odd about the machine's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Odd {
    /// It stands so long after the newest row that either nothing came for long or it leapt.
    Ahead { from_us: i64, to_us: i64 },
    /// It stands before the newest row.
    Behind { newest_us: i64, now_us: i64 },
    /// It is further ahead than it can be: nothing is taken.
    Leapt { from_us: i64, to_us: i64 },
}

/// A leap that is not believed, as it stands in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Doubt {
    /// The instant that it should have been, microseconds since 1970.
    pub(crate) from_us: i64,
    /// The one that the clock showed.
    pub(crate) to_us: i64,
    /// Somebody said that the clock is right.
    pub(crate) is_confirmed: bool,
    /// It arose when the program started: `from_us` is the newest row, and by that alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_of_start: bool,
    /// When it arose while the program ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<Since>,
}

/// When a clock leapt, by the machine alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Since {
    /// Which start of the machine it was.
    boot: u64,
    /// For how long it had been up.
    up_us: i64,
}

/// Where a doubt of the clock stands.
pub(crate) fn doubt_path(data: &Path) -> PathBuf {
    data.join("clock.json")
}

impl Doubt {
    /// The doubt that stands in a file, if one does.
    pub(crate) fn read(path: &Path) -> Option<Self> {
        serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()
    }

    /// Puts it there, whole or not at all.
    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let new = path.with_extension("json.new");
        std::fs::write(&new, serde_json::to_string(self)?).with_context(|| format!("could not write {}", new.display()))?;
        std::fs::rename(&new, path).with_context(|| format!("could not write {}", path.display()))
    }

    /// Whether a clock is plainly mended, read by a program that was started since.
    fn is_mended(&self, now: Reading, boot: Option<u64>) -> bool {
        // The machine is still up: it knows what time it should be.
        let since = self.since.filter(|it| boot == Some(it.boot) && it.up_us <= now.up_us);
        let is_due = since.is_some_and(|it| {
            let leapt = Reading { wall_us: self.from_us, up_us: it.up_us };
            now.wall_us <= leapt.expected_us(now).saturating_add(LEAP_US)
        });
        let is_back = now.wall_us < self.to_us - LEAP_US;
        let is_near = now.wall_us <= self.from_us.saturating_add(DAY_US);
        // What would be believed if nothing had been doubted, and is nearer to the rows than to what was.
        let (after_us, before_us) = (now.wall_us.saturating_sub(self.from_us), self.to_us.saturating_sub(now.wall_us));
        let is_usual = self.is_of_start && after_us <= STANDSTILL_US && after_us <= before_us;
        is_due || (is_back && (is_near || is_usual))
    }

    /// What to say of it, in Chinese and English.
    pub(crate) fn words(&self) -> (String, String) {
        Odd::Leapt { from_us: self.from_us, to_us: self.to_us }.words()
    }
}

/// Gives out instants; shared by all doors of a process.
#[derive(Debug)]
pub(crate) struct KnownClock {
    /// Somebody said what time it is, and it stays that time.
    is_given: bool,
    /// Where a doubt stands.
    path: PathBuf,
    /// Which start of the machine this is.
    boot: Option<u64>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    newest_us: Option<i64>,
    /// The newest that the machine's clock gave before this process began.
    machine_us: Option<i64>,
    odd: Option<Odd>,
    /// The reading that was believed last.
    mark: Option<Reading>,
    doubt: Option<Doubt>,
}

impl KnownClock {
    /// A clock that goes on from the newest instant of any row, if there is one, and from what was doubted before.
    pub(crate) fn new(newest: Newest, is_given: bool, path: PathBuf) -> Self {
        let doubt = Doubt::read(&path).filter(|_| !is_given);
        let Newest { known_us, machine_us } = newest;
        let state = State { newest_us: known_us, machine_us, odd: None, mark: None, doubt };
        Self { is_given, path, boot: boot(), state: Mutex::new(state) }
    }

    /// The instant of what is taken now.
    ///
    /// # Errors
    /// If the machine's clock is not believed.
    pub(crate) fn take(&self, now: Reading) -> Result<i64, Odd> {
        let mut state = self.state.lock();
        self.judge(&mut state, now)?;
        let now_us = now.wall_us;
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
        Ok(known_us)
    }

    /// Rows were dated up to this instant: versions of one key that came together follow each other by a microsecond.
    pub(crate) fn reached(&self, known_us: i64) {
        let mut state = self.state.lock();
        // Where the instant stays the same, what comes next is behind the last of these all the same.
        let after_us = known_us + i64::from(self.is_given && state.newest_us.is_some_and(|it| it < known_us));
        state.newest_us = state.newest_us.max(Some(after_us));
    }

    /// What is odd about the machine's clock, and takes nothing.
    pub(crate) fn look(&self, now: Reading) -> Option<Odd> {
        let mut state = self.state.lock();
        let judged = self.judge(&mut state, now);
        judged.err().or(state.odd)
    }

    /// Whether a reading is believed.
    fn judge(&self, state: &mut State, now: Reading) -> Result<(), Odd> {
        if self.is_given {
            return Ok(());
        }
        if let Some(doubt) = state.doubt {
            let is_mended = match state.mark {
                Some(mark) => now.wall_us <= mark.expected_us(now).saturating_add(LEAP_US),
                None => doubt.is_mended(now, self.boot),
            };
            let is_confirmed = !is_mended && Doubt::read(&self.path).is_some_and(|it| it.is_confirmed);
            if !is_mended && !is_confirmed {
                // What could not be written before, or is gone, could never be confirmed.
                if !self.path.exists() {
                    let _ = doubt.write(&self.path);
                }
                let leapt = Odd::Leapt { from_us: doubt.from_us, to_us: now.wall_us };
                state.odd = Some(leapt);
                return Err(leapt);
            }
            let _ = std::fs::remove_file(&self.path);
            (state.doubt, state.odd) = (None, None);
            state.mark = if is_confirmed { Some(now) } else { state.mark };
        }
        let (from_us, most_us) = match (state.mark, state.machine_us) {
            (Some(mark), _) => (mark.expected_us(now), LEAP_US),
            (None, Some(machine_us)) => (machine_us, STANDSTILL_US),
            (None, None) => (now.wall_us, LEAP_US),
        };
        if from_us.saturating_add(most_us) < now.wall_us {
            let is_of_start = state.mark.is_none();
            let since = self.boot.filter(|_| !is_of_start).map(|boot| Since { boot, up_us: now.up_us });
            let doubt = Doubt { from_us, to_us: now.wall_us, is_confirmed: false, is_of_start, since };
            if let Err(error) = doubt.write(&self.path) {
                tracing::warn!(error = format!("{error:#}"), "a restart would not know that the clock leapt");
            }
            let leapt = Odd::Leapt { from_us, to_us: now.wall_us };
            tracing::error!("{}", leapt.words().1);
            (state.doubt, state.odd) = (Some(doubt), Some(leapt));
            return Err(leapt);
        }
        // One that fell back is told by the rows, and when it is mended that is no leap.
        // One that starts behind the rows, before the network has set it, is not what a leap is told by.
        let is_behind = state.machine_us.is_some_and(|it| now.wall_us < it - MINUTE_US);
        if !is_behind && (state.mark.is_none() || from_us - MINUTE_US <= now.wall_us) {
            state.mark = Some(now);
        }
        Ok(())
    }
}

impl Odd {
    /// What to do, in Chinese and English.
    pub(crate) fn words(&self) -> (String, String) {
        let at = |us: i64| {
            chrono::DateTime::from_timestamp_micros(us).map(|it| it.format("%Y-%m-%d %H:%M UTC").to_string()).unwrap_or_default()
        };
        match *self {
            Odd::Leapt { from_us, to_us } => {
                let (from, to) = (at(from_us), at(to_us));
                (
                    format!(
                        "机器时钟从 {from} 跳到 {to}：暂不接收数据，也不构建，来源稍后重试即可，已应答的不会丢失。请校准时钟，之后自动恢复；\
                         若时钟无误，请运行 yizhan clock --confirm"
                    ),
                    format!(
                        "the machine's clock leapt from {from} to {to}: nothing is taken or built, sources try again later, and what was \
                         answered for is not lost. Set the clock right and it goes on by itself; if it is right, run `yizhan clock --confirm`"
                    ),
                )
            }
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

/// What a commit to a raw table says of the clock, and whether somebody gave the instant.
pub(crate) fn noted(known_us: i64, is_given: bool) -> BTreeMap<String, Value> {
    let given = is_given.then(|| (GIVEN.to_owned(), json!(true)));
    BTreeMap::from_iter([(KNOWN.to_owned(), json!(known_us))].into_iter().chain(given))
}

/// What the last commit to a raw table said of the clock; upkeep says nothing and hides nothing.
pub(crate) fn said(table: &Snapshot) -> Option<i64> {
    table.commit.info.get(KNOWN).and_then(Value::as_i64)
}

/// The newest instants by which rows were dated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Newest {
    /// Of all rows.
    pub(crate) known_us: Option<i64>,
    /// Of those that the machine's clock dated.
    pub(crate) machine_us: Option<i64>,
}

impl Newest {
    /// With rows of one more instant.
    pub(crate) fn and(self, known_us: i64, is_given: bool) -> Self {
        let known_us = Some(known_us);
        self.or(Self { known_us, machine_us: known_us.filter(|_| !is_given) })
    }

    /// The newer of each.
    pub(crate) fn or(self, other: Self) -> Self {
        Self { known_us: self.known_us.max(other.known_us), machine_us: self.machine_us.max(other.machine_us) }
    }
}

/// The newest instants by which rows of the tables were dated.
///
/// The minima and maxima in their logs would not do: they hold assumed instants too, which may lie in the future.
pub(crate) async fn newest(engine: &Engine, pipelines: &[Pipeline]) -> anyhow::Result<Newest> {
    let mut newest = Newest::default();
    for pipeline in pipelines {
        let table = pipeline.raw_table();
        let Some(snapshot) = engine.lake().snapshot(&table).await? else { continue };
        let said = said(&snapshot);
        if !snapshot.commit.info.contains_key(GIVEN) {
            newest.machine_us = newest.machine_us.max(said);
        }
        newest.known_us = newest.known_us.max(match said {
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

    /// A clock in a folder of its own.
    fn clock(newest_us: Option<i64>, is_given: bool) -> (KnownClock, tempfile::TempDir) {
        let folder = tempfile::TempDir::new().expect("a folder");
        let newest = Newest { known_us: newest_us, machine_us: newest_us };
        (KnownClock::new(newest, is_given, doubt_path(folder.path())), folder)
    }

    fn read(wall_us: i64, up_us: i64) -> Reading {
        Reading { wall_us, up_us }
    }

    /// Of a clock that goes as the machine does.
    fn true_at(us: i64) -> Reading {
        read(us, us)
    }

    #[test]
    fn what_is_given_out_never_goes_back_and_never_comes_twice() {
        let (known, _folder) = clock(None, false);
        let given = [50, 90, 70, 30, 90, 120].map(|it| known.take(true_at(it)).expect("believed"));
        assert_eq!(given, [50, 90, 91, 92, 93, 120]);
        // Nor after a restart: what the tables hold is where it goes on.
        assert_eq!(clock(Some(100), false).0.take(true_at(40)), Ok(101));
        // Versions that came together took some of what follows.
        let (known, _folder) = clock(None, false);
        let first = known.take(true_at(50)).expect("believed");
        known.reached(first + 2);
        known.reached(first);
        assert_eq!([50, 90].map(|it| known.take(true_at(it))), [Ok(53), Ok(90)]);
        // What somebody gave is taken as it is.
        let (known, _folder) = clock(None, true);
        assert_eq!([known.take(read(70, 0)), known.take(read(70, 0))], [Ok(70), Ok(70)]);
        assert_eq!(known.take(read(900 * DAY_US, 1)), Ok(900 * DAY_US), "whatever the machine says");
    }

    #[test]
    fn days_without_a_row_are_believed_and_told_for_a_day() {
        let (known, _folder) = clock(Some(10 * DAY_US), false);
        assert_eq!(known.take(true_at(11 * DAY_US)), Ok(11 * DAY_US));
        assert_eq!(known.look(true_at(11 * DAY_US)), None, "a day without rows is nothing");
        assert_eq!(known.take(true_at(20 * DAY_US)), Ok(20 * DAY_US));
        let stood = Odd::Ahead { from_us: 11 * DAY_US, to_us: 20 * DAY_US };
        assert_eq!(known.look(true_at(20 * DAY_US)), Some(stood));
        known.take(true_at(20 * DAY_US + DAY_US / 2)).expect("believed");
        assert_eq!(known.look(true_at(20 * DAY_US + DAY_US / 2)), Some(stood));
        known.take(true_at(21 * DAY_US)).expect("believed");
        assert_eq!(known.look(true_at(21 * DAY_US)), None);
        assert!(stood.words().0.contains("1970-01-12") && stood.words().1.contains("1970-01-21"), "{:?}", stood.words());
    }

    #[test]
    fn a_clock_that_leapt_while_the_program_ran_is_not_believed_until_it_is_mended() {
        let (known, folder) = clock(Some(10 * DAY_US), false);
        let up = |minutes: i64| minutes * MINUTE_US;
        let right = 10 * DAY_US + up(1);
        assert_eq!(known.take(read(right, up(5))), Ok(right));
        // An hour that a virtual machine stood still is believed, a year is not, and no more ten minutes later.
        assert_eq!(known.look(read(right + LEAP_US, up(5))), None);
        assert_eq!(known.look(read(right, up(5))), None);
        let wrong = right + 365 * DAY_US;
        for minutes in [0, 10] {
            let refused = known.take(read(wrong + up(minutes), up(5 + minutes)));
            assert!(matches!(refused, Err(Odd::Leapt { to_us, .. }) if to_us == wrong + up(minutes)), "{refused:?}");
        }
        let words = known.look(read(wrong, up(15))).expect("it is told").words();
        assert!(words.0.contains("yizhan clock --confirm") && words.1.contains("1971-01-11"), "{words:?}");
        // A restart knows it still: a year may well have passed by the rows alone.
        let path = doubt_path(folder.path());
        let newest = Newest { known_us: Some(right), machine_us: Some(right) };
        let restarted = KnownClock::new(newest, false, path.clone());
        assert!(restarted.take(read(wrong + up(20), up(1))).is_err());
        // Mended, each of them goes on from where it was.
        for clock in [&known, &restarted] {
            let taken = clock.take(read(right + up(30), up(35))).expect("believed");
            assert_eq!(taken, right + up(30));
            assert_eq!(clock.look(read(right + up(30), up(35))), None);
        }
        assert_eq!(Doubt::read(&path), None);
    }

    #[test]
    fn a_machine_that_slept_has_not_leapt() {
        let (known, _folder) = clock(None, false);
        let asleep_us = 72 * 60 * MINUTE_US;
        assert_eq!(known.take(read(10 * DAY_US, MINUTE_US)), Ok(10 * DAY_US));
        assert_eq!(known.take(read(10 * DAY_US + asleep_us, MINUTE_US + asleep_us)), Ok(10 * DAY_US + asleep_us));
        // These systems have a clock that goes on meanwhile.
        assert_eq!(uptime_us().is_some(), cfg!(any(target_os = "linux", target_os = "android")));
    }

    #[test]
    fn a_clock_that_was_mended_while_the_program_was_down_needs_nobodys_word_as_long_as_the_machine_was_up() {
        let (mut known, folder) = clock(Some(10 * DAY_US), false);
        known.boot = Some(7);
        let (right, wrong) = (10 * DAY_US + MINUTE_US, 40 * DAY_US);
        assert_eq!(known.take(read(right, MINUTE_US)), Ok(right));
        assert!(known.take(read(wrong, MINUTE_US)).is_err());
        let restarted = |boot: Option<u64>| {
            let newest = Newest { known_us: Some(right), machine_us: Some(right) };
            KnownClock { boot, ..KnownClock::new(newest, false, doubt_path(folder.path())) }
        };
        let later = 3 * DAY_US;
        // As wrong as it was, standing still, or not set back by all of it.
        for wall_us in [wrong + later, wrong, right + later + 2 * LEAP_US] {
            assert!(restarted(Some(7)).take(read(wall_us, MINUTE_US + later)).is_err(), "{wall_us}");
        }
        // Of a machine that was booted since nobody knows for how long it was off.
        for (boot, up_us) in [(Some(8), MINUTE_US + later), (Some(7), 0), (None, MINUTE_US + later)] {
            assert!(restarted(boot).take(read(right + later, up_us)).is_err(), "{boot:?} {up_us}");
        }
        assert_eq!(restarted(Some(7)).take(read(right + later, MINUTE_US + later)), Ok(right + later));
        assert_eq!(Doubt::read(&doubt_path(folder.path())), None);
    }

    #[test]
    fn the_number_of_a_boot_is_read_and_a_doubt_of_before_it_was_kept_too() {
        assert_eq!(boot_of("0000000f-0000-0001-8000-00805f9b34fb\n"), Some(0x0000_000f_0000_0001));
        assert_eq!((boot_of(""), boot_of("no number")), (None, None));
        let text = r#"{"from_us":1,"to_us":2,"is_confirmed":false}"#;
        let doubt: Doubt = serde_json::from_str(text).expect("a doubt");
        assert_eq!((doubt.since, doubt.is_of_start), (None, false));
        assert_eq!(serde_json::to_string(&doubt).expect("text"), text);
    }

    #[test]
    fn a_clock_that_was_wrong_at_a_start_is_mended_when_it_is_nearer_to_the_rows_than_to_what_was_doubted() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let newest = Newest { known_us: Some(0), machine_us: Some(0) };
        let known = || KnownClock::new(newest, false, doubt_path(folder.path()));
        let wrong = 500 * DAY_US;
        assert!(known().take(read(wrong, 7)).is_err());
        // Half mended, or not at all.
        for wall_us in [wrong, wrong - DAY_US, 260 * DAY_US] {
            assert!(known().take(read(wall_us, 8)).is_err(), "{wall_us}");
        }
        // A summer without a row.
        assert_eq!(known().take(read(90 * DAY_US, 9)), Ok(90 * DAY_US));
        assert_eq!(Doubt::read(&doubt_path(folder.path())), None);
    }

    #[test]
    fn a_leap_that_somebody_confirmed_is_believed_once() {
        let (known, folder) = clock(None, false);
        let path = doubt_path(folder.path());
        assert_eq!(known.take(read(DAY_US, 0)), Ok(DAY_US));
        assert!(known.take(read(100 * DAY_US, MINUTE_US)).is_err());
        let doubt = Doubt::read(&path).expect("a doubt");
        Doubt { is_confirmed: true, ..doubt }.write(&path).expect("written");
        assert_eq!(known.take(read(100 * DAY_US, 2 * MINUTE_US)), Ok(100 * DAY_US));
        assert_eq!(Doubt::read(&path), None);
        assert!(known.take(read(200 * DAY_US, 3 * MINUTE_US)).is_err(), "the next leap is another");
    }

    #[test]
    fn when_it_starts_only_more_than_a_year_without_a_row_is_doubted() {
        assert_eq!(clock(Some(0), false).0.take(read(STANDSTILL_US, 7)), Ok(STANDSTILL_US));
        let (known, folder) = clock(Some(0), false);
        let leapt = Odd::Leapt { from_us: 0, to_us: STANDSTILL_US + 1 };
        assert_eq!(known.take(read(STANDSTILL_US + 1, 7)), Err(leapt));
        assert!(known.take(read(DAY_US, 8)).is_ok(), "it was mended");
        assert_eq!(Doubt::read(&doubt_path(folder.path())), None);
        // Rows that somebody dated say nothing of the machine's clock.
        let folder = tempfile::TempDir::new().expect("a folder");
        let newest = Newest { known_us: Some(0), machine_us: None };
        let known = KnownClock::new(newest, false, doubt_path(folder.path()));
        assert_eq!(known.take(read(STANDSTILL_US + 1, 7)), Ok(STANDSTILL_US + 1));
    }

    #[test]
    fn a_clock_that_fell_back_is_told_until_it_has_caught_up_and_may_be_mended() {
        let (known, _folder) = clock(Some(10 * DAY_US), false);
        assert_eq!(known.take(read(10 * DAY_US - 1, 0)), Ok(10 * DAY_US + 1));
        assert_eq!(known.look(read(10 * DAY_US - 1, 0)), None, "clocks are set by moments every day");
        assert_eq!(known.take(read(9 * DAY_US, 1)), Ok(10 * DAY_US + 2));
        let behind = Odd::Behind { newest_us: 10 * DAY_US + 1, now_us: 9 * DAY_US };
        assert_eq!(known.look(read(9 * DAY_US, 1)), Some(behind));
        // A day ahead again is where it was.
        assert_eq!(known.take(read(10 * DAY_US + 7, 2)), Ok(10 * DAY_US + 7));
        assert_eq!(known.look(read(10 * DAY_US + 7, 2)), None);
    }

    #[test]
    fn the_first_row_of_a_lake_is_no_leap() {
        let (known, _folder) = clock(None, false);
        assert_eq!(known.take(read(20_000 * DAY_US, 0)), Ok(20_000 * DAY_US));
        assert_eq!(known.look(read(20_000 * DAY_US, 0)), None);
    }
}
