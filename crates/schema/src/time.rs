//! Campus time: the day that begins at 04:00, and local times as exports write them.

use std::collections::HashMap;

use chrono::{DateTime, Datelike, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Timelike, Utc};
use chrono_tz::Tz;

const DAY_S: i64 = 86_400;

/// Turns instants into campus days and local texts into instants.
///
/// The campus day begins at `day_starts_at` (04:00): a return at 01:30 belongs to the evening before.
/// Offsets are looked up once a civil day and kept, because a zone lookup per row costs more than parsing the row.
#[derive(Debug, Clone)]
pub struct CampusClock {
    zone: Tz,
    day_starts_s: i64,
    offsets: HashMap<i64, Option<i64>>,
}

/// Where an instant falls on campus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CampusMoment {
    /// Campus day, days since 1970-01-01 (Arrow Date32).
    pub occurred_on: i32,
    /// Minute of the civil day, 0 to 1439, as a clock on the wall shows it.
    pub minute_of_day: i32,
}

impl CampusClock {
    /// A clock of a zone whose day begins at a local time.
    pub fn new(zone: Tz, day_starts_at: NaiveTime) -> Self {
        Self { zone, day_starts_s: i64::from(day_starts_at.num_seconds_from_midnight()), offsets: HashMap::new() }
    }

    /// Campus day and minute of an instant in microseconds UTC.
    pub fn moment(&mut self, at_us: i64) -> CampusMoment {
        let at_s = at_us.div_euclid(1_000_000);
        let local_s = at_s + self.offset_at(at_s);
        CampusMoment {
            occurred_on: (local_s - self.day_starts_s).div_euclid(DAY_S) as i32,
            minute_of_day: (local_s.rem_euclid(DAY_S) / 60) as i32,
        }
    }

    /// Instant in microseconds UTC of a local time given in microseconds of the civil calendar.
    ///
    /// An ambiguous time takes the earlier instant; one that does not exist (a clock set forward) is `None`.
    pub fn instant(&mut self, local_us: i64) -> Option<i64> {
        let local_s = local_us.div_euclid(1_000_000);
        let day = local_s.div_euclid(DAY_S);
        if let Some(offset_s) = self.whole_day_offset(day) {
            return Some(local_us - offset_s * 1_000_000);
        }
        let local = DateTime::from_timestamp_micros(local_us)?.naive_utc();
        match self.zone.from_local_datetime(&local) {
            LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => Some(at.timestamp_micros()),
            LocalResult::None => None,
        }
    }

    /// First instant of a campus day, in microseconds UTC.
    pub fn day_start(&mut self, occurred_on: i32) -> i64 {
        let local_us = (i64::from(occurred_on) * DAY_S + self.day_starts_s) * 1_000_000;
        // A day that begins in a gap begins when the gap ends; an hour is longer than any gap in use.
        self.instant(local_us).or_else(|| self.instant(local_us + 3_600_000_000)).unwrap_or(local_us)
    }

    fn offset_at(&mut self, at_s: i64) -> i64 {
        let zone = self.zone;
        let fixed = |at_s: i64| {
            use chrono::Offset;
            DateTime::<Utc>::from_timestamp(at_s, 0)
                .map_or(0, |at| i64::from(at.with_timezone(&zone).offset().fix().local_minus_utc()))
        };
        // A UTC day whose two ends and neighbours agree has one offset throughout.
        let day = at_s.div_euclid(DAY_S);
        match self.whole_day_offset(day) {
            Some(offset_s) => offset_s,
            None => fixed(at_s),
        }
    }

    /// The offset of a civil day and the hours around it, if it does not change there.
    fn whole_day_offset(&mut self, day: i64) -> Option<i64> {
        let zone = self.zone;
        *self.offsets.entry(day).or_insert_with(|| {
            use chrono::Offset;
            let at = |s: i64| {
                DateTime::<Utc>::from_timestamp(s, 0)
                    .map(|at| i64::from(at.with_timezone(&zone).offset().fix().local_minus_utc()))
            };
            let (before, after) = (at(day * DAY_S - DAY_S)?, at((day + 1) * DAY_S + DAY_S)?);
            let middle = at(day * DAY_S + DAY_S / 2)?;
            (before == after && before == middle).then_some(before)
        })
    }
}

/// A local time format compiled once: `%Y %m %d %H %M %S %I %p`, other characters literally.
///
/// One or two digits are accepted where two are usual, because campus systems write `2025/9/1 7:02:03`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeFormat {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Year,
    Month,
    Day,
    Hour,
    Hour12,
    Minute,
    Second,
    HalfDay,
    Literal(u8),
}

impl TimeFormat {
    /// Compiles a format; `None` if a `%` is followed by a letter that is not listed above.
    pub fn new(format: &str) -> Option<Self> {
        let mut parts = Vec::new();
        let mut bytes = format.bytes();
        while let Some(byte) = bytes.next() {
            parts.push(match byte {
                b'%' => match bytes.next()? {
                    b'Y' => Part::Year,
                    b'm' => Part::Month,
                    b'd' => Part::Day,
                    b'H' => Part::Hour,
                    b'I' => Part::Hour12,
                    b'M' => Part::Minute,
                    b'S' => Part::Second,
                    b'p' => Part::HalfDay,
                    _ => return None,
                },
                other => Part::Literal(other),
            });
        }
        Some(Self { parts })
    }

    /// Reads a local time as microseconds of the civil calendar; `None` if the text is not such a time.
    pub fn parse(&self, text: &[u8]) -> Option<i64> {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        let (mut hour, mut minute, mut second) = (0, 0, 0);
        let mut half_day = None;
        let mut rest = text;
        for part in &self.parts {
            match part {
                Part::Year => year = number(&mut rest, 4)?,
                Part::Month => month = number(&mut rest, 2)?,
                Part::Day => day = number(&mut rest, 2)?,
                Part::Hour | Part::Hour12 => hour = number(&mut rest, 2)?,
                Part::Minute => minute = number(&mut rest, 2)?,
                Part::Second => second = number(&mut rest, 2)?,
                Part::HalfDay => {
                    half_day = Some(match rest.get(..2)? {
                        b"AM" | b"am" => 0,
                        b"PM" | b"pm" => 12,
                        _ => return None,
                    });
                    rest = &rest[2..];
                }
                Part::Literal(byte) => {
                    if rest.first() != Some(byte) {
                        return None;
                    }
                    rest = &rest[1..];
                }
            }
        }
        if let Some(half_day) = half_day {
            if !(1..=12).contains(&hour) {
                return None;
            }
            hour = hour % 12 + half_day;
        }
        if !rest.is_empty() || 23 < hour || 59 < minute || 59 < second {
            return None;
        }
        let days = i64::from(NaiveDate::from_ymd_opt(year, month as u32, day as u32)?.num_days_from_ce() - EPOCH_CE);
        Some((days * DAY_S + i64::from(hour * 3_600 + minute * 60 + second)) * 1_000_000)
    }
}

/// Days from the Common Era's first day to 1970-01-01.
const EPOCH_CE: i32 = 719_163;

fn number(rest: &mut &[u8], digits_max: usize) -> Option<i32> {
    let digits = rest.iter().take(digits_max).take_while(|it| it.is_ascii_digit()).count();
    if digits == 0 || (digits_max == 4 && digits != 4) {
        return None;
    }
    let value = rest[..digits].iter().fold(0, |value, digit| value * 10 + i32::from(digit - b'0'));
    *rest = &rest[digits..];
    Some(value)
}

/// A date as days since 1970-01-01 (Arrow Date32).
pub fn date_days(date: NaiveDate) -> i32 {
    date.num_days_from_ce() - EPOCH_CE
}

/// The date of days since 1970-01-01; `None` outside the calendar.
pub fn days_date(days: i32) -> Option<NaiveDate> {
    NaiveDate::from_num_days_from_ce_opt(days.checked_add(EPOCH_CE)?)
}

/// A civil date and time as microseconds of the civil calendar (not an instant).
pub fn local_micros(local: NaiveDateTime) -> i64 {
    local.and_utc().timestamp_micros()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(zone: Tz) -> CampusClock {
        CampusClock::new(zone, NaiveTime::from_hms_opt(4, 0, 0).expect("04:00 exists"))
    }

    #[track_caller]
    fn check(format: &str, text: &str, expected: Option<&str>) {
        let parsed = TimeFormat::new(format).expect("format").parse(text.as_bytes());
        let shown = parsed.map(|us| DateTime::from_timestamp_micros(us).expect("in range").format("%F %T").to_string());
        assert_eq!(shown.as_deref(), expected, "{text}");
    }

    #[test]
    fn local_times_are_read_as_campus_systems_write_them() {
        check("%Y/%m/%d %H:%M:%S", "2025/9/1 7:02:03", Some("2025-09-01 07:02:03"));
        check("%Y/%m/%d %H:%M:%S", "2025/13/45 7:00:00", None);
        check("%Y/%m/%d %H:%M:%S", "2025/9/1 7:02", None);
        check("%Y/%m/%d %H:%M:%S", "2025/9/1 7:02:03 ", None);
        check("%m/%d/%Y %I:%M:%S %p", "01/02/2015 12:05:06 AM", Some("2015-01-02 00:05:06"));
        check("%m/%d/%Y %I:%M:%S %p", "01/02/2015 12:05:06 PM", Some("2015-01-02 12:05:06"));
        check("%m/%d/%Y %I:%M:%S %p", "01/02/2015 13:05:06 PM", None);
        check("%Y-%m-%d", "2024-02-29", Some("2024-02-29 00:00:00"));
        check("%Y-%m-%d", "2025-02-29", None);
    }

    #[test]
    fn a_return_at_half_past_one_belongs_to_the_evening_before() {
        let mut clock = clock(chrono_tz::Asia::Shanghai);
        let local = TimeFormat::new("%Y-%m-%d %H:%M").expect("format");
        let mut moment = |text: &str| {
            let at = clock.instant(local.parse(text.as_bytes()).expect("time")).expect("exists");
            let it = clock.moment(at);
            (days_date(it.occurred_on).expect("date").to_string(), it.minute_of_day)
        };
        assert_eq!(moment("2025-09-02 01:30"), ("2025-09-01".to_owned(), 90));
        assert_eq!(moment("2025-09-02 03:59"), ("2025-09-01".to_owned(), 239));
        assert_eq!(moment("2025-09-02 04:00"), ("2025-09-02".to_owned(), 240));
    }

    #[test]
    fn a_clock_set_forward_has_a_gap_and_one_set_back_takes_the_earlier() {
        let mut clock = clock(chrono_tz::America::New_York);
        let local = TimeFormat::new("%Y-%m-%d %H:%M").expect("format");
        let mut utc = |text: &str| {
            clock
                .instant(local.parse(text.as_bytes()).expect("time"))
                .map(|us| DateTime::from_timestamp_micros(us).expect("in range").format("%F %H:%M").to_string())
        };
        assert_eq!(utc("2015-03-08 02:30"), None);
        assert_eq!(utc("2015-11-01 01:30").as_deref(), Some("2015-11-01 05:30"));
        assert_eq!(utc("2015-07-01 12:00").as_deref(), Some("2015-07-01 16:00"));
    }
}
