//! Who has asked for leave, and who is really away.
//!
//! A leave comes from (seed, student, week) or from one of the holidays, so any day can be asked alone.

use crate::calendar::{DAY, DayKind, HOUR, MINUTE, NATIONAL, NEW_YEAR, WINTER, calendar_day};
use crate::random::{Draw, Purpose};
use crate::student::{Living, Student};

/// Reason that is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LeaveKind {
    Personal,
    Sick,
    Internship,
    Departure,
}

impl LeaveKind {
    /// Word in the export.
    pub(crate) fn word(self) -> &'static str {
        match self {
            LeaveKind::Personal => "事假",
            LeaveKind::Sick => "病假",
            LeaveKind::Internship => "实习",
            LeaveKind::Departure => "离校",
        }
    }
}

/// A stay away, with or without the paper; seconds from the first midnight.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Leave {
    pub(crate) kind: LeaveKind,
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) approved: i64,
    /// When it was reported ended (销假): at once, late, or never.
    pub(crate) back: Option<i64>,
    /// When the student is really off campus; `None` is ill in bed.
    pub(crate) away: Option<(i64, i64)>,
    /// Without a record the student just goes.
    pub(crate) has_record: bool,
}

impl Leave {
    /// Says whether the paper or the stay away touches a time. A report that comes late is about days long past.
    pub(crate) fn touches(&self, from: i64, to: i64) -> bool {
        let back = self.back.filter(|it| *it <= self.to + DAY);
        let end = self.to.max(back.unwrap_or(0)).max(self.away.map_or(0, |it| it.1));
        self.from.min(self.approved) < to && from < end
    }
}

/// Days after the end of a leave within which who forgot to report back is reminded.
pub(crate) const REMINDED_DAYS: i32 = 14;

/// When a return is reported: soon, or, of whom it was forgotten, when somebody asks; a few are never asked.
fn reported(draw: &mut Draw, end: i64, longest: i64, forgotten: f64) -> Option<i64> {
    if !draw.chance(forgotten) {
        return Some(end + draw.between(10 * MINUTE, longest));
    }
    (!draw.chance(0.12)).then(|| end + draw.between(3 * DAY, i64::from(REMINDED_DAYS) * DAY))
}

/// Seconds of a day counted from the first, at an hour.
fn at(day: i32, hour: f64) -> i64 {
    i64::from(day) * DAY + (hour * HOUR as f64) as i64
}

/// Lists the leaves of a student that touch the days from `low` to `high` (both included).
pub(crate) fn leaves(seed: u64, index: u32, student: &Student, low: i32, high: i32) -> Vec<Leave> {
    let mut found = Vec::new();
    if !student.is_enrolled {
        return found;
    }
    let span = (i64::from(low) * DAY, i64::from(high + 1) * DAY);
    let mut keep = |leave: Leave| {
        if leave.touches(span.0, span.1) {
            found.push(leave);
        }
    };
    let internship = internship(seed, index, student);
    if let Some(leave) = internship {
        keep(leave);
    }
    holidays(seed, index, student, low, &mut keep);
    // Approval and reporting back may lie in the weeks beside.
    for week in (low.div_euclid(7) - 1).max(0)..=high.div_euclid(7) + 1 {
        let mut draw = Draw::new(seed, Purpose::Leave, u64::from(index), week as u64);
        if !draw.chance(0.07) || !is_plain(week) {
            continue;
        }
        let leave = personal(&mut draw, week);
        let is_intern = internship.is_some_and(|it| it.from < leave.to && leave.from < it.to);
        if !is_intern && (student.living == Living::Dorm || leave.kind == LeaveKind::Sick) {
            keep(leave);
        }
    }
    found
}

/// Says whether a week has neither holiday nor vacation.
fn is_plain(week: i32) -> bool {
    (week * 7..week * 7 + 8).all(|it| !matches!(calendar_day(it).kind, DayKind::Holiday | DayKind::Vacation))
}

/// A leave within one week: home for the weekend, ill, or some errand.
fn personal(draw: &mut Draw, week: i32) -> Leave {
    let kind = draw.weighted(&[0.55, 0.25, 0.20]);
    let (from, to, is_away) = match kind {
        0 => (at(week * 7 + 4, 16.0 + 3.0 * draw.unit()), at(week * 7 + 6, 22.0), true),
        1 => {
            let day = week * 7 + draw.below(4) as i32;
            (at(day, 8.0), at(day + draw.below(2) as i32, 18.0), false)
        }
        _ => {
            let day = week * 7 + draw.below(3) as i32;
            (at(day, 12.0), at(day + 1 + draw.below(2) as i32, 20.0), true)
        }
    };
    let (from, to) = (from - from % (10 * MINUTE), to);
    let away = is_away.then(|| (from + draw.between(5, 50) * MINUTE, to - draw.between(30, 330) * MINUTE));
    let end = away.map_or(to, |it| it.1);
    Leave {
        kind: if kind == 1 { LeaveKind::Sick } else { LeaveKind::Personal },
        from,
        to,
        approved: from - draw.between(2 * HOUR, 40 * HOUR),
        back: reported(draw, end, 8 * HOUR, 0.05),
        away,
        has_record: true,
    }
}

/// Eight weeks of internship of some in the fourth year.
fn internship(seed: u64, index: u32, student: &Student) -> Option<Leave> {
    if student.year != 2022 || student.is_master {
        return None;
    }
    let mut draw = Draw::new(seed, Purpose::Internship, u64::from(index), 0);
    if !draw.chance(0.06) {
        return None;
    }
    let first = 42 + draw.below(14) as i32;
    let (from, to) = (at(first, 8.0), at(first + 56, 20.0));
    Some(Leave {
        kind: LeaveKind::Internship,
        from,
        to,
        approved: from - draw.between(20 * HOUR, 120 * HOUR),
        back: Some(to + draw.between(HOUR, 20 * HOUR)),
        away: Some((from, to - draw.between(HOUR, 8 * HOUR))),
        has_record: true,
    })
}

/// Departures for the national holiday, New Year and the winter.
fn holidays(seed: u64, index: u32, student: &Student, low: i32, keep: &mut impl FnMut(Leave)) {
    let mut go = |draw: &mut Draw, block: (i32, i32), has_record: bool, early: i64| {
        let away = (
            at(block.0 - 1, 15.0) - draw.between(0, early + 1) * DAY + draw.between(0, 21 * HOUR),
            at(block.1 - 1, 20.0) - draw.between(0, 30 * HOUR),
        );
        keep(Leave {
            kind: LeaveKind::Departure,
            from: away.0 - away.0 % (30 * MINUTE),
            to: at(block.1 - 1, 22.0),
            approved: away.0 - draw.between(12 * HOUR, 110 * HOUR),
            back: reported(draw, away.1, 20 * HOUR, 0.04),
            away: Some(away),
            has_record,
        });
    };
    let is_near = |block: (i32, i32)| block.0 - 9 <= low.max(block.0 - 9) && low <= block.1 + 2;
    let at_home = student.living != Living::Dorm;
    if is_near(NATIONAL) {
        let mut draw = Draw::new(seed, Purpose::Holiday, u64::from(index), 0);
        if !student.is_stayer && !at_home && draw.chance(0.65) {
            let has_record = draw.chance(0.8);
            go(&mut draw, NATIONAL, has_record, 0);
        }
    }
    if is_near(NEW_YEAR) {
        let mut draw = Draw::new(seed, Purpose::Holiday, u64::from(index), 1);
        if !student.is_stayer && !at_home && draw.chance(0.3) {
            go(&mut draw, NEW_YEAR, true, 0);
        }
    }
    if is_near(WINTER) && (!student.is_stayer || at_home) {
        let mut draw = Draw::new(seed, Purpose::Vacation, u64::from(index), 0);
        go(&mut draw, WINTER, true, 2);
    }
}
