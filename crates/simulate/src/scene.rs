//! The stage of one student's day: passages and payments become rows here, or go unseen.
//!
//! Applies what the campus does to a truth: outages, tail-gating, clocks that differ, lost cards, paying by phone.

use crate::calendar::{DAY, DayKind, EPOCH_S, HOUR, calendar_day};
use crate::campus::Merchant;
use crate::outage::{OutageKind, outage_at};
use crate::random::{Draw, Purpose};
use crate::student::Student;
use crate::world::{Stay, World};

/// A passage, as the device tells it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GateRow {
    pub(crate) event_ms: i64,
    pub(crate) sent_ms: i64,
    pub(crate) person: u32,
    pub(crate) seq: u32,
    pub(crate) device: u16,
    pub(crate) is_in: bool,
    pub(crate) method: Method,
}

/// How somebody was recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Card,
    Face,
    Qr,
}

impl Method {
    /// Word in the export.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Method::Card => "card",
            Method::Face => "face",
            Method::Qr => "qr",
        }
    }
}

/// A payment by card.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CardRow {
    /// Seconds from the first midnight.
    pub(crate) at: i64,
    /// Index of the student.
    pub(crate) student: u32,
    pub(crate) cents: i32,
    /// Left on the card afterwards; filled in when the rows of a day are in order.
    pub(crate) left: i32,
    pub(crate) terminal: u16,
    pub(crate) merchant: Merchant,
}

/// The periods that a student went to on a day.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Roll {
    pub(crate) student: u32,
    pub(crate) attended: [bool; 5],
}

/// All rows of a campus day, in no order.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) roll: Vec<Roll>,
    pub(crate) card: Vec<CardRow>,
    pub(crate) gate: Vec<GateRow>,
}

/// What is the same for everybody on a day.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Today {
    pub(crate) day: i32,
    pub(crate) kind: DayKind,
    /// 0 is Monday; classes of a makeup day are those of some weekday.
    pub(crate) weekday: i32,
    pub(crate) is_rainy: bool,
}

impl Today {
    pub(crate) fn new(seed: u64, day: i32) -> Today {
        let is_rainy = Draw::new(seed, Purpose::Weather, day as u64, 0).chance(0.22);
        Today { day, kind: calendar_day(day).kind, weekday: day % 7 % 5, is_rainy }
    }
}

/// One student on one campus day.
pub(crate) struct Scene<'a> {
    pub(crate) world: &'a World,
    pub(crate) today: Today,
    pub(crate) index: u32,
    pub(crate) student: &'a Student,
    pub(crate) stay: Stay,
    pub(crate) draw: Draw,
    /// Time without a working card.
    pub(crate) lost: Option<(i64, i64)>,
    pub(crate) rows: &'a mut Rows,
}

/// Share of passages made behind somebody else, unseen.
const UNSEEN: f64 = 0.023;
/// The same for those who come in after this hour: then the porter looks up.
const UNSEEN_IN_THE_EVENING: f64 = 0.004;
const EVENING: i64 = 17 * HOUR;

impl Scene<'_> {
    /// Midnight at which the day began.
    pub(crate) fn midnight(&self) -> i64 {
        i64::from(self.today.day) * DAY
    }

    fn has_card(&self, at: i64) -> bool {
        self.lost.is_none_or(|(from, to)| at < from || to <= at)
    }

    /// Walks through a gate during the stay; outside it nothing happens.
    pub(crate) fn pass(&mut self, device: u16, at: i64, is_in: bool) {
        if self.stay.from <= at && at < self.stay.to {
            self.pass_always(device, at, is_in);
        }
    }

    /// Walks through a gate at the very beginning or end of a stay.
    pub(crate) fn pass_always(&mut self, device: u16, at: i64, is_in: bool) {
        let is_evening = is_in && EVENING <= at - self.midnight();
        let (unseen, roll) = (if is_evening { UNSEEN_IN_THE_EVENING } else { UNSEEN }, self.draw.unit());
        let jitter = self.draw.between(0, 1000);
        let (face, lag) = (self.draw.unit(), self.draw.exponential(1500.0));
        if roll < unseen && !self.stay.is_watched {
            return;
        }
        let place = &self.world.campus.devices[usize::from(device)];
        let method = match (place.building.is_some(), self.has_card(at)) {
            (true, true) if face < 0.15 => Method::Face,
            (_, true) if 0.94 < face => Method::Qr,
            (_, true) => Method::Card,
            (true, false) => Method::Face,
            (false, false) => Method::Qr,
        };
        let event_ms = (at + EPOCH_S) * 1000 + jitter;
        let sent_ms = match outage_at(&self.world.outages[usize::from(device)], at).map(|it| it.kind) {
            Some(OutageKind::Lost) => return,
            // One a second or so, in the order of the passages.
            Some(OutageKind::Late { sent }) => (sent + EPOCH_S) * 1000 + jitter % 100 + (at % DAY) * 7,
            None => event_ms + 200 + lag as i64,
        };
        let skew = place.skew_ms;
        self.rows.gate.push(GateRow {
            event_ms: event_ms + skew,
            sent_ms: sent_ms + skew,
            person: self.student.number,
            seq: 0,
            device,
            is_in,
            method,
        });
    }

    /// Pays by card during the stay, if there is a card.
    pub(crate) fn pay(&mut self, terminal: u16, merchant: Merchant, at: i64, cents: i32) {
        if at < self.stay.from || self.stay.to <= at || !self.has_card(at) {
            return;
        }
        let terminal = self.working(terminal, merchant, at);
        self.rows.card.push(CardRow { at, student: self.index, cents: cents.clamp(10, 30_000), left: 0, terminal, merchant });
    }

    /// The terminal itself, or the next one of the canteen when it is down.
    fn working(&self, terminal: u16, merchant: Merchant, at: i64) -> u16 {
        let is_up = |it: u16| {
            let device = self.world.campus.terminals[usize::from(it)].device;
            device.is_none_or(|it| outage_at(&self.world.outages[usize::from(it)], at).is_none())
        };
        if merchant != Merchant::Canteen || is_up(terminal) {
            return terminal;
        }
        let tills = self.world.campus.canteens.iter().find(|it| it.contains(&terminal));
        tills.and_then(|it| it.iter().copied().find(|it| is_up(*it))).unwrap_or(terminal)
    }
}
