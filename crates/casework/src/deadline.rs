//! What is due when, in working days where people work and in hours where it cannot wait.

use std::collections::BTreeSet;

use crate::record::Family;
use crate::severity::Severity;

/// One minute in microseconds.
pub const MINUTE_US: i64 = 60 * 1_000_000;
/// One hour in microseconds.
pub const HOUR_US: i64 = 60 * MINUTE_US;
/// One day in microseconds.
pub const DAY_US: i64 = 24 * HOUR_US;

/// Working days a first human contact of severity 2 may take, and an overdue step one network level further up.
const GENERAL_CONTACT_DAYS: u32 = 3;
const ESCALATION_DAYS: u32 = 1;

/// Severity 1 without a visit plan is due with the review.
const ATTENTION_CONTACT_US: i64 = 28 * DAY_US;

/// Longest search for a working day; a calendar without any would never end it.
const SEARCH_DAYS: i64 = 60;

codes! {
    /// A level of the four-level network (学校–院系–班级–宿舍).
    Network {
        Dorm = "dorm", "宿舍", "dormitory";
        Class = "class", "班级", "class";
        College = "college", "院系", "college";
        University = "university", "学校", "university";
    }
}

impl Network {
    /// The level above; the university has none.
    pub fn above(self) -> Option<Self> {
        match self {
            Self::Dorm => Some(Self::Class),
            Self::Class => Some(Self::College),
            Self::College => Some(Self::University),
            Self::University => None,
        }
    }
}

/// Which days are worked, in a zone without summer time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    /// Hours local time is ahead of UTC, in microseconds.
    pub offset_us: i64,
    /// Days (since 1970) from Monday to Friday that are not worked: holidays.
    pub off_days: BTreeSet<i64>,
    /// Saturdays and Sundays (days since 1970) that are worked: 调休.
    pub makeup_days: BTreeSet<i64>,
}

impl Default for Calendar {
    /// China's hours, Monday to Friday.
    fn default() -> Self {
        Self { offset_us: 8 * HOUR_US, off_days: BTreeSet::new(), makeup_days: BTreeSet::new() }
    }
}

impl Calendar {
    /// Returns the local day of an instant, in days since 1970.
    pub fn day(&self, at_us: i64) -> i64 {
        (at_us + self.offset_us).div_euclid(DAY_US)
    }

    /// Says whether a day is worked.
    pub fn is_working(&self, day: i64) -> bool {
        // 1970-01-01 was a Thursday.
        let weekday = (day + 3).rem_euclid(7);
        if weekday < 5 { !self.off_days.contains(&day) } else { self.makeup_days.contains(&day) }
    }

    /// Returns the end of the n-th working day after the day of an instant.
    ///
    /// A calendar that knows no working day for two months counts every day: late is worse than strict.
    pub fn working_days_after(&self, at_us: i64, days: u32) -> i64 {
        let today = self.day(at_us);
        let worked = (today + 1..=today + SEARCH_DAYS).filter(|it| self.is_working(*it));
        let last = worked.take(days as usize).last().filter(|_| 0 < days);
        let enough = (today + 1..=today + SEARCH_DAYS).filter(|it| self.is_working(*it)).count() >= days as usize;
        let day = match last {
            Some(day) if enough => day,
            _ => today + i64::from(days),
        };
        (day + 1) * DAY_US - self.offset_us
    }
}

/// What the rules need to know besides the case itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rules {
    /// Which days are worked.
    pub calendar: Calendar,
    /// The end of the running visit plan: until then severity 1 is to be seen.
    pub visit_plan_ends_us: Option<i64>,
    /// Breaks of the calendar, each its first day off and its first day of term, in days since 1970, in order.
    pub breaks: Vec<(i64, i64)>,
    /// What holds of the guardian of the student that is acted on; the store looks it up.
    pub family: Family,
}

/// Returns until when the first human contact is due; none for severity 0.
pub fn first_contact_due(severity: Severity, from_us: i64, rules: &Rules) -> Option<i64> {
    match severity {
        Severity::None => None,
        Severity::Attention => {
            Some(rules.visit_plan_ends_us.filter(|it| from_us < *it).unwrap_or(from_us + ATTENTION_CONTACT_US))
        }
        Severity::General => Some(rules.calendar.working_days_after(from_us, GENERAL_CONTACT_DAYS)),
        Severity::Serious => Some(from_us + 24 * HOUR_US),
        Severity::Crisis => Some(from_us + 5 * MINUTE_US),
    }
}

/// Returns until when a case is to be looked at again: daily, weekly, every two or four weeks.
pub fn review_due(severity: Severity, from_us: i64) -> i64 {
    let days = match severity {
        Severity::Crisis => 1,
        Severity::Serious => 7,
        Severity::General => 14,
        Severity::Attention | Severity::None => 28,
    };
    from_us + days * DAY_US
}

/// Returns until when the level that was just told of an overdue step must have moved.
pub(crate) fn escalation_due(severity: Severity, from_us: i64, rules: &Rules) -> i64 {
    match severity {
        Severity::Crisis => from_us + 5 * MINUTE_US,
        Severity::Serious => from_us + 4 * HOUR_US,
        _ => rules.calendar.working_days_after(from_us, ESCALATION_DAYS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2025-09-30, a Tuesday, 10:00 in China.
    const TUESDAY: i64 = 1_759_197_600_000_000;

    #[test]
    fn three_working_days_jump_the_holidays_and_count_the_makeup_days() {
        let calendar = Calendar::default();
        let today = calendar.day(TUESDAY);
        let end = |calendar: &Calendar| calendar.day(calendar.working_days_after(TUESDAY, 3) - 1) - today;
        assert_eq!(end(&calendar), 3, "Wednesday, Thursday, Friday");

        let holidays = (1..=8).map(|it| today + it).collect();
        let calendar = Calendar { off_days: holidays, ..Calendar::default() };
        assert_eq!(end(&calendar), 13, "after the holidays Thursday, Friday, and Monday");
        let calendar = Calendar { makeup_days: BTreeSet::from([today + 11]), ..calendar };
        assert_eq!(end(&calendar), 11, "Saturday is worked");
    }

    #[test]
    fn a_calendar_without_working_days_is_strict_instead_of_endless() {
        let calendar = Calendar::default();
        let today = calendar.day(TUESDAY);
        let calendar = Calendar { off_days: (today..today + 400).collect(), ..calendar };
        assert_eq!(calendar.day(calendar.working_days_after(TUESDAY, 3) - 1) - today, 3);
    }

    #[test]
    fn the_first_contact_is_due_as_the_table_says() {
        let rules = Rules::default();
        assert_eq!(first_contact_due(Severity::None, TUESDAY, &rules), None);
        assert_eq!(first_contact_due(Severity::Crisis, TUESDAY, &rules), Some(TUESDAY + 5 * MINUTE_US));
        assert_eq!(first_contact_due(Severity::Serious, TUESDAY, &rules), Some(TUESDAY + DAY_US));
        assert_eq!(first_contact_due(Severity::Attention, TUESDAY, &rules), Some(TUESDAY + 28 * DAY_US));
        let rules = Rules { visit_plan_ends_us: Some(TUESDAY + DAY_US), ..rules };
        assert_eq!(first_contact_due(Severity::Attention, TUESDAY, &rules), Some(TUESDAY + DAY_US));
        let days = [4, 3, 2, 1].map(|it| (review_due(Severity::try_from(it).unwrap(), 0)) / DAY_US);
        assert_eq!(days, [1, 7, 14, 28]);
    }
}
