//! Everything that is fixed before the first day: places, people, outages, stories.
//!
//! Answers, for one student and one campus day, where they are; the days themselves are made in `day.rs`.

use crate::Config;
use crate::calendar::{DAWN, DAY, HOUR};
use crate::campus::Campus;
use crate::leave::{Leave, LeaveKind, leaves};
use crate::outage::{self, BuildingOutage, Outage};
use crate::random::{Draw, Purpose};
use crate::story::{self, Stories, StoryKind};
use crate::student::{self, People, Student};

/// The fixed part of a campus.
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) days: i32,
    pub(crate) effect: f64,
    is_eventful: bool,
    pub(crate) campus: Campus,
    pub(crate) people: People,
    /// Outages of each device.
    pub(crate) outages: Vec<Vec<Outage>>,
    pub(crate) dark_nights: Vec<BuildingOutage>,
    pub(crate) stories: Stories,
}

/// The part of a campus day a student spends here; seconds from the first midnight.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stay {
    pub(crate) from: i64,
    pub(crate) to: i64,
    /// Comes through the school gate at `from`.
    pub(crate) arrives: bool,
    /// Goes through the school gate at `to`.
    pub(crate) departs: bool,
    /// Every passage of the dormitory is seen: the night before or after is a planted one.
    pub(crate) is_watched: bool,
}

impl Stay {
    /// Takes a time away out of the day from `start` to `end`.
    fn cut(&mut self, start: i64, end: i64, from: i64, to: i64) {
        if from <= start && start < to {
            self.arrives |= self.from < to;
            self.from = self.from.max(to);
        } else if start < from && from < end {
            self.departs = true;
            self.to = self.to.min(from);
        }
    }
}

/// The paper of a story may be signed the day before it, so stories are known beyond the end; they look ahead at
/// outages, so these are known further.
const STORIES_AHEAD: i32 = 3;
const OUTAGES_AHEAD: i32 = 16;

impl World {
    pub(crate) fn new(config: &Config) -> World {
        let (seed, days) = (config.seed, config.days as i32);
        let mut campus = Campus::new(seed, config.students);
        let people = student::enrol(seed, config.students, &mut campus);
        let (dark_nights, dark_ends) = outage::plan(seed, days + OUTAGES_AHEAD, &campus);
        let planned: Vec<BuildingOutage> = dark_nights.iter().chain(&dark_ends).copied().collect();
        let outages = outage::outages(seed, days + OUTAGES_AHEAD, &campus, &planned);
        let stories = story::tell(seed, days + STORIES_AHEAD, &campus, &people, &outages, &dark_ends);
        // Told after the stories, which look at them: both campuses have the same stories.
        let is_eventful = config.events;
        let outages = if is_eventful { outages } else { vec![Vec::new(); outages.len()] };
        World { seed, days, effect: config.effect, is_eventful, campus, people, outages, dark_nights, stories }
    }

    /// Finds out which part of a campus day a student is on campus; `None` is away all day, or silent.
    pub(crate) fn stay(&self, index: u32, student: &Student, day: i32) -> Option<Stay> {
        let start = i64::from(day) * DAY + DAWN;
        let end = start + DAY;
        let mut stay = Stay { from: start, to: end, arrives: false, departs: false, is_watched: false };
        for story in &self.stories[index as usize] {
            if story.kind.is_silent() && story.from <= day && day < story.to {
                return None;
            }
            if story.kind == StoryKind::Overnight && story.from <= day && day <= story.to {
                let (from, to) = story.night(self.seed, index);
                stay.cut(start, end, from, to);
            }
        }
        let is_watched = stay.arrives || stay.departs;
        for it in self.leaves(index, student, day, day + 1) {
            if let Some((from, to)) = it.away {
                stay.cut(start, end, from, to);
            }
        }
        stay.is_watched = is_watched;
        (stay.from < stay.to).then_some(stay)
    }

    /// Says whether a script sends a student's check-ins by a day: one in fifty, and most of those who vanish, from then on.
    pub(crate) fn has_checkin_bot(&self, index: u32, day: i32) -> bool {
        let vanished = self.stories[index as usize].iter().any(|it| it.kind == StoryKind::NoTrace && it.from <= day);
        Draw::new(self.seed, Purpose::Bot, u64::from(index), 0).chance(if vanished { 0.8 } else { 0.02 })
    }

    /// Lists the leaves of a student that touch the days from `low` to `high` (both included).
    pub(crate) fn leaves(&self, index: u32, student: &Student, low: i32, high: i32) -> Vec<Leave> {
        let mut found = leaves(self.seed, index, student, low, high);
        found.retain(|it| self.is_eventful || it.kind == LeaveKind::Internship);
        found
    }

    /// When a card was reported lost and replaced, if that touches the month of a day; seconds.
    ///
    /// Silences with a lost card are stories and not counted here.
    pub(crate) fn lost_card(&self, index: u32, month: i32) -> Option<(i64, i64)> {
        let mut draw = Draw::new(self.seed, Purpose::LostCard, u64::from(index), month as u64);
        if !draw.chance(0.01) || !self.is_eventful {
            return None;
        }
        let lost = i64::from(month) * 30 * DAY + draw.between(8 * HOUR, 26 * DAY);
        Some((lost, lost + draw.between(5 * HOUR, 72 * HOUR)))
    }

    /// Says whether the student eats less on a day.
    pub(crate) fn is_dropping(&self, index: u32, day: i32) -> bool {
        let stories = &self.stories[index as usize];
        stories.iter().any(|it| it.kind == StoryKind::SpendingDrop && it.from <= day && day < it.to)
    }
}
