//! From which sum on a change is told: by how many talks there are, not by a probability.
//!
//! A bound that gives more signals than anybody can take up only fills the figure of what was cut; one that gives fewer
//! leaves hours unused. So the bound is the least one under which the past weeks would have begun as many signals a week
//! as a stated multiple of the talks of a week. Nothing is learnt of students, and the same weeks give the same bound.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::{Signal, TrendRules};

/// Step between bounds that are tried.
const STEP: f64 = 0.25;
/// Fewest weeks that a bound may be tuned by.
pub const WEEKS_MIN: usize = 4;

/// What one bound would have given.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Level {
    /// The bound.
    pub cusum_h: f64,
    /// Students a week of whom a signal would have begun.
    pub begun_a_week: f64,
}

/// Bounds that were tried, and the one that follows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tuned {
    /// Weeks that were counted.
    pub weeks: usize,
    /// Students a week that there is room for: talks times the multiple.
    pub room_a_week: f64,
    /// The least bound within the room; `None` if even the greatest gives more, or there are too few weeks.
    pub cusum_h: Option<f64>,
    /// All that were tried, ascending.
    pub levels: Vec<Level>,
}

/// Tries bounds on past weeks.
///
/// # Shape
/// `mondays`: the signals of consecutive Mondays, the oldest first, told under rules whose bound is no greater than any that
/// is tried; the first only says what stood before. Bounds go from the least at which one odd week is never a signal to the
/// greatest that the recent weeks can add up to.
pub fn tune(rules: &TrendRules, mondays: &[Vec<Signal>], room_a_week: f64) -> Tuned {
    let weeks = mondays.len().saturating_sub(1);
    let a_week = (rules.z_max - rules.cusum_k).max(STEP);
    let greatest = f64::from(rules.recent_weeks) * a_week;
    let bounds = (1_u32..).map(|step| a_week + f64::from(step) * STEP).take_while(|it| *it <= greatest);
    let levels: Vec<Level> = bounds
        .map(|cusum_h| {
            let standing: Vec<BTreeSet<i64>> = mondays.iter().map(|it| standing(it, cusum_h)).collect();
            let begun: usize = standing.windows(2).map(|it| it[1].difference(&it[0]).count()).sum();
            Level { cusum_h, begun_a_week: begun as f64 / weeks.max(1) as f64 }
        })
        .collect();
    let is_enough = WEEKS_MIN <= weeks;
    let found = levels.iter().find(|it| is_enough && it.begun_a_week <= room_a_week).map(|it| it.cusum_h);
    Tuned { weeks, room_a_week, cusum_h: found, levels }
}

/// Students with a signal that stands under a bound; a student with two is one talk.
fn standing(signals: &[Signal], cusum_h: f64) -> BTreeSet<i64> {
    let is_standing = |it: &&Signal| crate::Input { cusum_h, ..it.input.clone() }.told().is_standing;
    signals.iter().filter(is_standing).map(|it| it.key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Member, Trend, Week, signals};

    /// A campus of which one student more falls each week, each further than the one before.
    fn mondays(rules: &TrendRules) -> Vec<Vec<Signal>> {
        let trend = Trend {
            name: "meals".to_owned(),
            channel: "meal".to_owned(),
            is_rising: false,
            is_of_events: false,
            mad_floor: 1.0,
            n_min: 1,
            cov_min: 0.0,
        };
        let members: Vec<Member> =
            (0..6).map(|key| Member { key, peer: format!("of their own {key}"), groups: Vec::new() }).collect();
        (0..7_u8)
            .map(|monday| {
                let week = |key: i64, week: u8| {
                    // Student n falls for good in week n, by two deviations and a half more each.
                    let fell = i64::from(monday) - i64::from(week) >= key;
                    let value = if fell { 20.0 - 1.5 - 0.4 * key as f64 } else { 20.0 };
                    Week { key, trend: 0, week, value, n: 7, cov: 1.0 }
                };
                let weeks: Vec<Week> = (0..6).flat_map(|key| (0..14).map(move |it| week(key, it))).collect();
                signals(std::slice::from_ref(&trend), rules, &members, &weeks).0
            })
            .collect()
    }

    fn low() -> TrendRules {
        TrendRules { cusum_h: 0.5, ..TrendRules::default() }
    }

    #[test]
    fn more_room_never_gives_a_greater_bound_and_the_bound_keeps_to_the_room() {
        let mondays = mondays(&low());
        let mut before = f64::INFINITY;
        for room in [0.0, 0.25, 0.5, 1.0, 3.0] {
            let tuned = tune(&low(), &mondays, room);
            assert_eq!(tuned.weeks, 6);
            let bound = tuned.cusum_h.expect("the greatest bound gives nothing");
            let level = tuned.levels.iter().find(|it| it.cusum_h == bound).expect("it was tried");
            assert!(level.begun_a_week <= room && bound <= before, "{tuned:?}");
            // It is the least: the one below gives more than there is room for.
            let below = tuned.levels.iter().rfind(|it| it.cusum_h < bound);
            assert!(below.is_none_or(|it| room < it.begun_a_week), "{tuned:?}");
            before = bound;
        }
        let all = tune(&low(), &mondays, 0.0);
        assert!(all.levels.iter().any(|it| 0.0 < it.begun_a_week), "nothing ever stood: {all:?}");
    }

    #[test]
    fn no_bound_lets_one_odd_week_be_a_signal() {
        let rules = low();
        let tuned = tune(&rules, &mondays(&rules), f64::INFINITY);
        let least = tuned.cusum_h.expect("room for all");
        assert!(rules.z_max - rules.cusum_k < least, "{least}");
    }

    #[test]
    fn of_three_weeks_nothing_is_concluded() {
        let tuned = tune(&low(), &mondays(&low())[..4], 100.0);
        assert_eq!((tuned.weeks, tuned.cusum_h), (3, None));
    }
}
