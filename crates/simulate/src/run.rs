//! From the first day to the last: two days are made at once, joined in order, and written at once.
//!
//! What must follow the order of days (numbers of devices, balances, queues, late uploads) happens between the two
//! parallel steps and is small.

use crate::calendar::{DAY, EPOCH_S};
use crate::card::{self, Balances, CardDay, Written};
use crate::day::live_through;
use crate::gate::{self, Counters, GateDay};
use crate::random::{Draw, Purpose};
use crate::registry;
use crate::scene::{CardRow, GateRow, Roll, Rows};
use crate::sheet;
use crate::tally::Tally;
use crate::ticket::Desk;
use crate::weekly;
use crate::world::World;
use crate::{Config, Error, Manifest, Progress, activity, calendar, dorm, staff_work, study, support};

/// Days made at once.
const AT_ONCE: i32 = 2;

/// Writes a campus, day after day, and says what was written.
///
/// Memory grows with students, not with days.
/// Files of complete days and weeks do not depend on how many days follow.
///
/// # Errors
/// When the configuration is outside what the model covers, or the disk refuses.
pub fn write(config: &Config, progress: &mut dyn FnMut(Progress)) -> Result<Manifest, Error> {
    check("students", u64::from(config.students), 20, 90_000)?;
    check("days", u64::from(config.days), 1, 365)?;
    let world = World::new(config);
    let mut tally = Tally::new(config.defects);
    registry::write_all(&world, &config.out, &mut tally)?;
    study::write_registers(&world, &config.out, &mut tally)?;
    dorm::write_registers(&world, &config.out, &mut tally)?;
    staff_work::write_registers(&world, &config.out, &mut tally)?;
    support::write_registers(&world, &config.out, &mut tally)?;
    let mut desk = Desk::new(&world);
    let mut stream = Stream::new(&world);
    let mut since = 0;
    for first in (0..world.days).step_by(AT_ONCE as usize) {
        let days: Vec<i32> = (first..world.days.min(first + AT_ONCE)).collect();
        let made = at_once(&days, |day| live_through(&world, *day));
        let mut ready = Vec::new();
        let mut rolls: Vec<Vec<Roll>> = Vec::new();
        for (day, mut rows) in days.iter().zip(made) {
            rolls.push(std::mem::take(&mut rows.roll));
            ready.push(stream.join(&world, *day, rows, &mut tally));
        }
        for result in at_once(&ready, |it| write_day(&world, config, it)) {
            let [card, gate, beats] = result?;
            tally.wrote("card_txn", &card);
            tally.wrote("gate_event", &gate);
            tally.wrote("device_heartbeat", &beats);
        }
        for (day, roll) in days.into_iter().zip(rolls) {
            study::write_attendance(&world, &config.out, day, &roll, &mut tally)?;
            desk.step(&world, day);
            if day % 7 == 6 || day + 1 == world.days {
                weekly::write_leaves(&world, &config.out, since, day, &mut tally)?;
                weekly::write_tickets(&world, &mut desk, &config.out, day, &mut tally)?;
                study::write_loans(&world, &config.out, since, day, &mut tally)?;
                study::write_grades(&world, &config.out, since, day, &mut tally)?;
                activity::write_week(&world, &config.out, since, day, &mut tally)?;
                dorm::write_week(&world, &config.out, since, day, &mut tally)?;
                staff_work::write_week(&world, &config.out, since, day, &mut tally)?;
                support::write_week(&world, &config.out, since, day, &mut tally)?;
                since = day + 1;
            }
            let rows = tally.rows.values().sum();
            progress(Progress { days_done: day as u32 + 1, days: config.days, rows });
        }
    }
    let manifest = Manifest::new(config, &world, tally);
    manifest.write(&world, &config.out)?;
    Ok(manifest)
}

fn check(what: &'static str, value: u64, low: u64, high: u64) -> Result<(), Error> {
    if (low..=high).contains(&value) { Ok(()) } else { Err(Error::Range { what, value, low, high }) }
}

/// Applies a function to every item, each on a thread of its own, and keeps the order.
fn at_once<T: Sync, R: Send>(items: &[T], make: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let make = &make;
    std::thread::scope(|scope| {
        let threads: Vec<_> = items.iter().map(|it| scope.spawn(move || make(it))).collect();
        threads.into_iter().map(|it| it.join().expect("a day is made without panic")).collect()
    })
}

fn write_day(world: &World, config: &Config, it: &(CardDay, GateDay)) -> Result<[Written; 3], Error> {
    let on = calendar::date(it.0.day).format("%Y%m%d");
    let mut written = [card::text(world, &it.0), gate::text(world, &it.1), gate::heartbeats(world, it.0.day)];
    let names = [format!("card/card_{on}.csv"), format!("gate/gate_{on}.jsonl.gz"), format!("gate/heartbeat_{on}.jsonl.gz")];
    for (name, file) in names.iter().zip(&mut written) {
        sheet::write(&config.out.join(name), &std::mem::take(&mut file.bytes))?;
    }
    Ok(written)
}

/// What one day leaves to the next.
struct Stream {
    counters: Counters,
    balances: Balances,
    /// Rows of the night after midnight.
    card_after: Vec<CardRow>,
    gate_after: Vec<GateRow>,
    /// Passages that happened and are not uploaded yet.
    waiting: Vec<GateRow>,
}

impl Stream {
    fn new(world: &World) -> Stream {
        Stream {
            counters: Counters::new(world),
            balances: Balances::new(world),
            card_after: Vec::new(),
            gate_after: Vec::new(),
            waiting: Vec::new(),
        }
    }

    /// Turns a campus day into the files of a calendar day: the night of the day before comes in, its own goes on.
    fn join(&mut self, world: &World, day: i32, rows: Rows, tally: &mut Tally) -> (CardDay, GateDay) {
        let end = i64::from(day + 1) * DAY;
        let (mut card, after): (Vec<CardRow>, Vec<_>) = rows.card.into_iter().partition(|it| it.at < end);
        card.append(&mut self.card_after);
        self.card_after = after;
        card.sort_unstable_by_key(|it| (it.at, it.student, it.terminal, it.cents));
        self.balances.charge(world, &mut card);
        let mut draw = Draw::new(world.seed, Purpose::CardFile, day as u64, 1);
        let due = tally.due("card_txn", card.len(), &mut draw);
        let card = CardDay { day, rows: card, due };

        let end_ms = (end + EPOCH_S) * 1000;
        let (mut gate, after): (Vec<GateRow>, Vec<_>) = rows.gate.into_iter().partition(|it| it.event_ms < end_ms);
        gate.append(&mut self.gate_after);
        self.gate_after = after;
        gate.sort_unstable_by_key(|it| (it.event_ms, it.person, it.device, it.is_in));
        for row in &mut gate {
            row.seq = self.counters.next(row.device);
        }
        gate.append(&mut self.waiting);
        let (mut sent, waiting): (Vec<GateRow>, Vec<_>) = gate.into_iter().partition(|it| it.sent_ms < end_ms);
        self.waiting = waiting;
        sent.sort_unstable_by_key(|it| (it.sent_ms, it.device, it.seq));
        let mut draw = Draw::new(world.seed, Purpose::GateFile, day as u64, 1);
        let due = tally.due("gate_event", sent.len(), &mut draw);
        let due = due
            .into_iter()
            .map(|reason| {
                let row = *draw.pick(&sent);
                (reason, GateRow { seq: self.counters.next(row.device), ..row })
            })
            .collect();
        (card, GateDay { day, rows: sent, due })
    }
}
