//! The campus clock with a memory of two days: rows of a file are near in time, and a look-up a row is dear.

use schema::time::{CampusClock, CampusMoment};

const DAY_US: i64 = 86_400_000_000;
const MINUTE_US: i64 = 60_000_000;
/// 2001-01-15: no zone changes its clock in that night, so its morning tells when the campus day begins.
const QUIET_DAY: i32 = 11_337;

/// A [`CampusClock`] that remembers the civil days it was last asked about, an even and an odd one.
///
/// A file of one campus day holds two civil days, so neither displaces the other.
#[derive(Debug)]
pub(crate) struct Moments {
    clock: CampusClock,
    day_starts_us: i64,
    days: [Day; 2],
}

/// A civil day whose offset does not change within it.
#[derive(Debug, Clone, Copy)]
struct Day {
    day: i64,
    offset_us: i64,
}

impl Moments {
    pub(crate) fn new(mut clock: CampusClock) -> Self {
        let begins = clock.day_start(QUIET_DAY);
        let midnight = clock.instant(i64::from(QUIET_DAY) * DAY_US).unwrap_or(begins);
        let none = Day { day: i64::MIN / DAY_US, offset_us: 0 };
        Self { clock, day_starts_us: begins - midnight, days: [none; 2] }
    }

    /// Instant of a local time; `None` if it does not exist.
    #[inline]
    pub(crate) fn instant(&mut self, local_us: i64) -> Option<i64> {
        let day = local_us.div_euclid(DAY_US);
        let known = self.days[day as usize & 1];
        if known.day == day {
            return Some(local_us - known.offset_us);
        }
        self.remember(day);
        self.clock.instant(local_us)
    }

    /// Campus day and minute of an instant.
    #[inline]
    pub(crate) fn moment(&mut self, at_us: i64) -> CampusMoment {
        for known in self.days {
            let of_day = at_us.wrapping_add(known.offset_us).wrapping_sub(known.day * DAY_US);
            if (0..DAY_US).contains(&of_day) {
                let before = i32::from(of_day < self.day_starts_us);
                return CampusMoment { occurred_on: known.day as i32 - before, minute_of_day: (of_day / MINUTE_US) as i32 };
            }
        }
        let moment = self.clock.moment(at_us);
        let is_early = i64::from(moment.minute_of_day) * MINUTE_US < self.day_starts_us;
        self.remember(i64::from(moment.occurred_on) + i64::from(is_early));
        moment
    }

    /// First instant of a campus day.
    pub(crate) fn day_start(&mut self, day: i32) -> i64 {
        self.clock.day_start(day)
    }

    /// First instant of a civil day. One that begins in a gap begins when the gap ends, an hour later at most.
    pub(crate) fn midnight(&mut self, day: i32) -> i64 {
        let local_us = i64::from(day) * DAY_US;
        self.clock.instant(local_us).or_else(|| self.clock.instant(local_us + DAY_US / 24)).unwrap_or(local_us)
    }

    /// Remembers a day if its first and last minute agree on the offset.
    fn remember(&mut self, day: i64) {
        let (start, end) = (day.saturating_mul(DAY_US), day.saturating_add(1).saturating_mul(DAY_US) - MINUTE_US);
        if let (Some(first), Some(last)) = (self.clock.instant(start), self.clock.instant(end))
            && start - first == end - last
        {
            self.days[day as usize & 1] = Day { day, offset_us: start - first };
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::NaiveTime;

    use super::*;

    #[test]
    fn the_memory_answers_as_the_clock_does_in_every_half_hour_of_three_years() {
        let zones = [chrono_tz::Asia::Shanghai, chrono_tz::America::New_York, chrono_tz::America::Santiago];
        for zone in zones {
            let day_starts_at = NaiveTime::from_hms_opt(4, 0, 0).expect("04:00 exists");
            let mut clock = CampusClock::new(zone, day_starts_at);
            let mut moments = Moments::new(clock.clone());
            let first = 1_420_070_400_000_000; // 2015-01-01
            for step in 0..3 * 366 * 48 {
                let at_us = first + step * 30 * MINUTE_US;
                assert_eq!(moments.moment(at_us), clock.moment(at_us), "{zone} {at_us}");
                assert_eq!(moments.instant(at_us), clock.instant(at_us), "{zone} local {at_us}");
            }
        }
    }
}
