//! The planted stories that tests look for.
//!
//! Stories are told day after day and chosen without looking ahead, so they do not depend on how many days follow:
//! at the end of data of any length some students have been silent for two to four days.
//! A student has one story at a time, lives in a dormitory, and has no leave near it.

use crate::calendar::{DAY, HOUR};
use crate::campus::Campus;
use crate::leave::{Leave, LeaveKind, leaves};
use crate::outage::{BuildingOutage, DARK_DAYS, Outage};
use crate::random::{Draw, Purpose};
use crate::student::{Living, People};

/// What happens to a student.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum StoryKind {
    /// No data at all, nobody knows why.
    NoTrace,
    /// No data, and an approved leave says why.
    NoTraceLeave,
    /// No data, and the card was reported lost.
    NoTraceLostCard,
    /// No data, and the gates of the building are down.
    NoTraceOutage,
    /// Not in bed, without leave.
    Overnight,
    /// Eats less, and cheaper.
    SpendingDrop,
}

impl StoryKind {
    /// Says whether the student leaves no rows.
    pub(crate) fn is_silent(self) -> bool {
        !matches!(self, StoryKind::Overnight | StoryKind::SpendingDrop)
    }
}

/// A story of one student, over the campus days `from..to`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Story {
    pub(crate) kind: StoryKind,
    pub(crate) from: i32,
    pub(crate) to: i32,
}

impl Story {
    /// When an overnight absence begins and ends; seconds from the first midnight.
    pub(crate) fn night(&self, seed: u64, student: u32) -> (i64, i64) {
        let mut draw = Draw::new(seed, Purpose::Story, u64::from(student), self.from as u64);
        let at = i64::from(self.from) * DAY;
        (at + draw.between(17 * HOUR, 21 * HOUR), at + DAY + draw.between(7 * HOUR, 11 * HOUR))
    }

    /// The paper of a silence with leave.
    pub(crate) fn leave(&self, seed: u64, student: u32) -> Option<Leave> {
        if self.kind != StoryKind::NoTraceLeave {
            return None;
        }
        let mut draw = Draw::new(seed, Purpose::Story, u64::from(student), self.from as u64);
        let from = i64::from(self.from) * DAY;
        let to = i64::from(self.to) * DAY;
        Some(Leave {
            kind: LeaveKind::Personal,
            from: from - 2 * HOUR,
            to: to + 8 * HOUR,
            approved: from - draw.between(4 * HOUR, 12 * HOUR),
            back: Some(to + draw.between(9 * HOUR, 15 * HOUR)),
            // The silence itself is the story's; the record covers it.
            away: None,
            has_record: true,
        })
    }
}

/// The stories of every student, by index.
pub(crate) type Stories = Vec<Vec<Story>>;

/// Length of a silence in days, and how often a new one begins: so one is always two to four days old.
const SILENCE: i32 = 4;
const SILENCE_EVERY: i32 = 3;

struct Teller<'a> {
    seed: u64,
    campus: &'a Campus,
    people: &'a People,
    outages: &'a [Vec<Outage>],
    stories: Stories,
    /// First day on which a student may get a story again.
    free_from: Vec<i32>,
}

impl Teller<'_> {
    fn is_fit(&self, index: u32, kind: StoryKind, from: i32, to: i32) -> bool {
        let student = &self.people.students[index as usize];
        let Some((room, _)) = student.bed else {
            return false;
        };
        if student.living != Living::Dorm || from < self.free_from[index as usize] || 0.5 < student.leak {
            return false;
        }
        // Those who eat less from now on may have leaves, but stay in vacations, so that less can be seen.
        if kind == StoryKind::SpendingDrop {
            return student.leak < 0.3 && student.level == 0 && student.is_stayer;
        }
        let building = self.campus.rooms[room as usize].building;
        let gates = self.campus.buildings[usize::from(building)].gates;
        let (low, high) = (i64::from(from) * DAY, i64::from(to) * DAY + 12 * HOUR);
        let is_dark = |gate: &u16| self.outages[usize::from(*gate)].iter().any(|it| it.from < high && low < it.to);
        if kind != StoryKind::NoTraceOutage && gates.iter().any(is_dark) {
            return false;
        }
        leaves(self.seed, index, student, from - 1, to + 1).is_empty()
    }

    /// Gives a story to somebody fit, drawn from `among`; nobody when none is found soon.
    fn tell(&mut self, draw: &mut Draw, among: &[u32], kind: StoryKind, from: i32, to: i32) -> Option<u32> {
        for _ in 0..600 {
            let index = *draw.pick(among);
            if self.is_fit(index, kind, from, to) {
                self.stories[index as usize].push(Story { kind, from, to });
                self.free_from[index as usize] = to + 8;
                return Some(index);
            }
        }
        None
    }
}

/// Tells all stories that begin in the first `days`.
pub(crate) fn tell(
    seed: u64,
    days: i32,
    campus: &Campus,
    people: &People,
    outages: &[Vec<Outage>],
    dark_ends: &[BuildingOutage],
) -> Stories {
    let count = people.students.len();
    let mut teller = Teller { seed, campus, people, outages, stories: vec![Vec::new(); count], free_from: vec![0; count] };
    let boarders: Vec<u32> = (0..count as u32).filter(|it| people.students[*it as usize].bed.is_some()).collect();
    if boarders.is_empty() {
        return teller.stories;
    }
    let share = |p: f64, least: u32| ((boarders.len() as f64 * p).round() as u32).max(least);
    let silences = [
        (StoryKind::NoTrace, share(0.0015, 2)),
        (StoryKind::NoTraceLeave, share(0.0008, 1)),
        (StoryKind::NoTraceLostCard, share(0.0004, 1)),
    ];
    let drops = share(0.004, 2);
    for day in 0..days {
        let mut draw = Draw::new(seed, Purpose::Story, u64::MAX, day as u64);
        for end in dark_ends.iter().filter(|it| it.from.div_euclid(DAY) as i32 == day) {
            for _ in 0..share(0.0004, 2) {
                let residents = &people.residents[usize::from(end.building)];
                teller.tell(&mut draw, residents, StoryKind::NoTraceOutage, day, day + DARK_DAYS);
            }
        }
        for (kind, slots) in silences {
            for slot in 0..slots as i32 {
                if 2 <= day && (day + slot) % SILENCE_EVERY == 0 {
                    teller.tell(&mut draw, &boarders, kind, day, day + SILENCE);
                }
            }
        }
        for _ in 0..nights_wanted(&mut draw, day, boarders.len()) {
            let Some(index) = teller.tell(&mut draw, &boarders, StoryKind::Overnight, day, day + 1) else {
                continue;
            };
            // Some stay away once or twice more.
            let mut last = day;
            while draw.chance(0.35) && last - day < 4 {
                last += 1 + draw.below(2) as i32;
                teller.free_from[index as usize] = 0;
                if teller.is_fit(index, StoryKind::Overnight, last, last + 1) {
                    teller.stories[index as usize].push(Story { kind: StoryKind::Overnight, from: last, to: last + 1 });
                }
                teller.free_from[index as usize] = last + 9;
            }
        }
        for _ in 0..drops_wanted(day, drops) {
            // Lasts until data whose 60 % mark is this day would end.
            teller.tell(&mut draw, &boarders, StoryKind::SpendingDrop, day, day * 5 / 3 + 2);
        }
    }
    teller.stories
}

/// How many begin to stay away in a night: at least three in the last full night of data of whole weeks or of fives.
fn nights_wanted(draw: &mut Draw, night: i32, boarders: usize) -> u32 {
    let usual = draw.whole(boarders as f64 * 0.01 / 150.0);
    let days = night + 2;
    if 1 < night && (days % 5 == 0 || days % 7 == 0) { usual.max(3) } else { usual }
}

/// How many begin to eat less: spread so that between 60 % and 80 % of any length about `drops` do.
fn drops_wanted(day: i32, drops: u32) -> i64 {
    let so_far = |day: i32| (f64::from(drops) * f64::from(day).ln() / (4f64 / 3.0).ln()).floor() as i64;
    if day < 4 { 0 } else { so_far(day + 1) - so_far(day) }
}
