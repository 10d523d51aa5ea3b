//! The school calendar: which kind of day each date is.
//!
//! Pure: a date goes in, its term, teaching week and kind come out. The year 2025-2026 is written down.

use chrono::{Datelike, Days, NaiveDate, NaiveDateTime};

/// Seconds in a day; campus time has no daylight saving.
pub(crate) const DAY: i64 = 86_400;
/// Seconds in an hour.
pub(crate) const HOUR: i64 = 3_600;
/// Seconds in a minute.
pub(crate) const MINUTE: i64 = 60;
/// The campus day begins at 04:00: a return at 01:30 belongs to the evening before.
pub(crate) const DAWN: i64 = 4 * HOUR;
/// Unix seconds of 2025-09-01 00:00 at Asia/Shanghai.
pub(crate) const EPOCH_S: i64 = 1_756_656_000;

/// What a day is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DayKind {
    Teaching,
    Exam,
    Weekend,
    Holiday,
    Makeup,
    Vacation,
}

impl DayKind {
    /// Word in `calendar_day.csv`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            DayKind::Teaching => "teaching",
            DayKind::Exam => "exam",
            DayKind::Weekend => "weekend",
            DayKind::Holiday => "holiday",
            DayKind::Makeup => "makeup",
            DayKind::Vacation => "vacation",
        }
    }

    /// Says whether nobody has classes.
    pub(crate) fn is_free(self) -> bool {
        matches!(self, DayKind::Weekend | DayKind::Holiday | DayKind::Vacation)
    }
}

/// A date of the school calendar.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CalendarDay {
    pub(crate) term: &'static str,
    /// Counts from 1; `None` outside the terms.
    pub(crate) week: Option<u32>,
    pub(crate) kind: DayKind,
    /// Day whose classes a makeup day takes over.
    pub(crate) makeup_for: Option<i32>,
}

/// First day of the data: a Monday.
pub(crate) fn first_day() -> NaiveDate {
    ymd(2025, 9, 1)
}

fn ymd(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).expect("dates of the calendar are written by hand and exist")
}

/// The date of a day counted from the first.
pub(crate) fn date(day: i32) -> NaiveDate {
    let days = Days::new(u64::from(day.unsigned_abs()));
    let date = if day < 0 { first_day().checked_sub_days(days) } else { first_day().checked_add_days(days) };
    date.expect("a day near the first is a date")
}

/// The local time of a second counted from the first midnight.
pub(crate) fn moment(at: i64) -> NaiveDateTime {
    let seconds = at.rem_euclid(DAY) as u32;
    date(at.div_euclid(DAY) as i32)
        .and_hms_opt(seconds / 3600, seconds / 60 % 60, seconds % 60)
        .expect("seconds of a day make a time")
}

/// Day index of a date.
fn index(date: NaiveDate) -> i32 {
    (date - first_day()).num_days() as i32
}

/// National holiday from 10-01 to 10-08, as days counted from the first: first day, day after the last.
pub(crate) const NATIONAL: (i32, i32) = (30, 38);
/// New Year from 01-01 to 01-03.
pub(crate) const NEW_YEAR: (i32, i32) = (122, 125);
/// Winter vacation from 01-19 to 02-28.
pub(crate) const WINTER: (i32, i32) = (140, 181);

/// Year, month and day.
type Ymd = (i32, u32, u32);

const MAKEUP: [Ymd; 4] = [(2025, 9, 28), (2025, 10, 11), (2026, 1, 4), (2026, 5, 9)];
const HOLIDAYS: [(Ymd, Ymd); 5] = [
    ((2025, 10, 1), (2025, 10, 8)),
    ((2026, 1, 1), (2026, 1, 3)),
    ((2026, 4, 4), (2026, 4, 6)),
    ((2026, 5, 1), (2026, 5, 5)),
    ((2026, 6, 19), (2026, 6, 21)),
];
const EXAM_WEEKS: [u32; 2] = [17, 18];

/// Terms with their first and last day and the last day of the vacation after them.
const TERMS: [(&str, Ymd, Ymd, Ymd); 3] = [
    ("2025-2026-1", (2025, 9, 1), (2026, 1, 18), (2026, 2, 28)),
    ("2025-2026-2", (2026, 3, 1), (2026, 7, 12), (2026, 8, 30)),
    ("2026-2027-1", (2026, 8, 31), (2027, 1, 17), (2027, 2, 28)),
];

fn on((year, month, day): Ymd) -> NaiveDate {
    ymd(year, month, day)
}

/// The day after the vacation that comes next: a school's calendar says when the next break is, and when it is over.
pub(crate) fn next_vacation_end(day: i32) -> i32 {
    let ahead = TERMS.iter().find(|it| date(day) <= on(it.2)).unwrap_or(&TERMS[TERMS.len() - 1]);
    index(on(ahead.3)) + 1
}

/// Looks a day up.
pub(crate) fn calendar_day(day: i32) -> CalendarDay {
    let date = date(day);
    let terms = TERMS.map(|(term, from, to, until)| (term, on(from), on(to), on(until)));
    let Some((term, from, to, _)) = terms.into_iter().find(|it| it.1 <= date && date <= it.3) else {
        return CalendarDay { term: "2024-2025-2", week: None, kind: DayKind::Vacation, makeup_for: None };
    };
    if to < date {
        return CalendarDay { term, week: None, kind: DayKind::Vacation, makeup_for: None };
    }
    // The second term begins on a Monday, the Sunday before it is the day of return.
    let monday = if from.weekday().number_from_monday() == 1 { index(from) } else { index(from) + 1 };
    let week = u32::try_from((day - monday).div_euclid(7) + 1).ok().filter(|it| 0 < *it);
    let is = |(year, month, on): (i32, u32, u32)| date == ymd(year, month, on);
    let kind = if HOLIDAYS.iter().any(|(a, b)| ymd(a.0, a.1, a.2) <= date && date <= ymd(b.0, b.1, b.2)) {
        DayKind::Holiday
    } else if MAKEUP.into_iter().any(is) {
        DayKind::Makeup
    } else if 6 <= date.weekday().number_from_monday() {
        DayKind::Weekend
    } else if week.is_some_and(|it| EXAM_WEEKS.contains(&it)) {
        DayKind::Exam
    } else {
        DayKind::Teaching
    };
    // A makeup day takes the classes of the working day five before it.
    CalendarDay { term, week, kind, makeup_for: (kind == DayKind::Makeup).then_some(day - 5) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(date: (i32, u32, u32), week: Option<u32>, kind: DayKind) {
        let it = calendar_day(index(ymd(date.0, date.1, date.2)));
        assert_eq!((it.week, it.kind), (week, kind), "{date:?}");
    }

    #[test]
    fn knows_the_days_that_differ() {
        check((2025, 8, 31), None, DayKind::Vacation);
        check((2025, 9, 1), Some(1), DayKind::Teaching);
        check((2025, 9, 28), Some(4), DayKind::Makeup);
        check((2025, 10, 8), Some(6), DayKind::Holiday);
        check((2025, 12, 22), Some(17), DayKind::Exam);
        check((2026, 1, 19), None, DayKind::Vacation);
        check((2026, 3, 1), None, DayKind::Weekend);
        check((2026, 3, 2), Some(1), DayKind::Teaching);
        assert_eq!((date(NATIONAL.0), date(WINTER.1)), (ymd(2025, 10, 1), ymd(2026, 3, 1)));
        assert_eq!(date(NEW_YEAR.0), ymd(2026, 1, 1));
    }

    #[test]
    fn a_vacation_always_lies_ahead_of_the_data() {
        for day in 0..=365 {
            let end = next_vacation_end(day);
            assert_eq!(calendar_day(end - 1).kind, DayKind::Vacation, "{day}");
            let begin = (day..end).rev().take_while(|it| calendar_day(*it).kind == DayKind::Vacation).last();
            assert!(begin.is_some_and(|it| day < it), "{day}: {begin:?}");
        }
        assert_eq!(next_vacation_end(61), WINTER.1);
        assert_eq!(date(next_vacation_end(WINTER.0)), ymd(2026, 8, 31));
    }
}
