//! Settings of warnings: `[warning]`.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{LearnRules, OfferRules, Random, TrendRules};

/// `[warning]` in the settings.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Days after an offer in which the same student is not offered anew.
    pub cool_down_days: i32,
    /// Of how many who have one channel's finding one may have a further channel's as well, for it to be a witness.
    pub agree_one_in: f64,
    /// What those who take offers up can do.
    pub capacity: Capacity,
    /// How what came of earlier offers is weighed.
    pub learn: LearnRules,
    /// How trends are told.
    pub trend: TrendRules,
    /// How risk models are trained and judged.
    pub model: ModelRules,
    /// Whether ties may be drawn.
    pub random: Random,
}

/// `[warning.model]`: how risk models are trained and judged.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelRules {
    /// Rows of students and Mondays held in memory; with more, every second or third Monday is taken.
    pub rows_max: usize,
    /// Mondays on which a backtest makes lists, the newest whose outcomes are known.
    pub test_weeks: usize,
    /// Mondays after which a backtest trains anew.
    pub refit_weeks: usize,
    /// Resamples of every interval.
    pub resamples: usize,
    /// Weeks back from a date whose lists its audit counts.
    pub audit_weeks: i32,
}

/// Hours for talks (可用谈话工时): what a budget is made of, never a threshold.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capacity {
    /// Hours a week that each person named as the owner gives to talks.
    pub hours_a_week: f64,
    /// Hours that a talk takes, with what comes before and after it.
    pub hours_a_talk: f64,
}

impl Capacity {
    /// Whole talks a week; none if a talk takes no time, which is a mistake and no licence.
    pub fn talks(&self) -> u32 {
        self.talks_in(self.hours_a_week)
    }

    /// The same of an owner who said how many hours there are.
    pub fn talks_in(&self, hours_a_week: f64) -> u32 {
        let talks = (hours_a_week / self.hours_a_talk).floor();
        if talks.is_finite() && 0.0 < talks { talks as u32 } else { 0 }
    }
}

impl Config {
    /// The rules of offers that follow.
    pub fn offers(&self) -> OfferRules {
        OfferRules {
            cool_down_days: self.cool_down_days,
            budget_days: 7,
            talks: self.capacity.talks(),
            talks_of: BTreeMap::new(),
            agree_one_in: self.agree_one_in,
            random: self.random.draw.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_make_whole_talks() {
        let talks = |hours_a_week, hours_a_talk| Capacity { hours_a_week, hours_a_talk }.talks();
        assert_eq!(talks(6.0, 0.75), 8);
        assert_eq!(talks(1.0, 0.75), 1);
        assert_eq!(talks(0.0, 0.75), 0);
        assert_eq!(talks(6.0, 0.0), 0);
        assert_eq!(talks(-1.0, 1.0), 0);
        assert_eq!(
            Capacity { hours_a_week: 6.0, hours_a_talk: 0.75 }.talks_in(1.5),
            2,
            "what an owner said, and not the default"
        );
    }
}
