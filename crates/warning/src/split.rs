//! Which rows a model may learn from, and which it is judged on.
//!
//! Time only goes one way: a row teaches when its outcome was known before the day the model is used, and rows are never
//! parted at random. Whose outcome is already known needs no prediction; who was helped inside the horizon no longer
//! shows what would have happened.

use serde::{Deserialize, Serialize};

use crate::matrix::RowKey;

/// How far a label looks ahead, and how late it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Horizon {
    /// Days after `as_of_on` in which the event counts; 14, 28 or 90 are usual.
    pub days: u16,
    /// Days after that until the last event of the horizon is in the platform.
    pub label_delay_days: u16,
}

impl Horizon {
    /// The last day whose events count.
    pub fn ends_on(&self, as_of_on: i32) -> i32 {
        as_of_on.saturating_add(i32::from(self.days))
    }

    /// The day from the end of which the label is known.
    pub fn known_on(&self, as_of_on: i32) -> i32 {
        self.ends_on(as_of_on).saturating_add(i32::from(self.label_delay_days))
    }
}

/// What is known today of one row: student and day, the first event after all, and the first help after the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct History {
    /// Whose row, as of when.
    pub key: RowKey,
    /// Day of the student's event, if there was one.
    pub event_on: Option<i32>,
    /// Day from which the platform knew of the event; `None` takes the day of the event.
    pub event_known_on: Option<i32>,
    /// First day after `as_of_on` on which somebody intervened, whatever the reason.
    pub intervened_on: Option<i32>,
}

/// What a row is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// In the risk set, with this label.
    Labelled(bool),
    /// The event was already known as of the day: nothing to predict.
    OutcomeKnown,
    /// The event had happened but nobody knew: a list would still name the student, no model should learn from it.
    OutcomeHidden,
    /// Somebody intervened inside the horizon: what would have happened is not known.
    Censored,
}

/// Says what a row is good for, given everything known today.
pub fn fate(history: &History, horizon: Horizon) -> Fate {
    let as_of_on = history.key.as_of_on;
    if let Some(event_on) = history.event_on
        && event_on <= as_of_on
    {
        let known_on = history.event_known_on.unwrap_or(event_on);
        return if known_on <= as_of_on { Fate::OutcomeKnown } else { Fate::OutcomeHidden };
    }
    let inside = |day: i32| as_of_on < day && day <= horizon.ends_on(as_of_on);
    if history.intervened_on.is_some_and(inside) {
        return Fate::Censored;
    }
    Fate::Labelled(history.event_on.is_some_and(inside))
}

/// Rows to learn from and rows to be judged on, as positions in what was given, with their labels.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Split {
    /// Ascending positions, and the label of each.
    pub train: Vec<(usize, bool)>,
    /// Rows as of the test day that are in the risk set, and the label of each.
    pub test: Vec<(usize, bool)>,
    /// Earlier rows whose label was not yet known on the test day.
    pub n_too_late: usize,
    /// Rows of either side left out because the outcome was known.
    pub n_outcome_known: usize,
    /// Rows of either side left out because the event had happened unseen.
    pub n_outcome_hidden: usize,
    /// Rows of either side left out because somebody intervened.
    pub n_censored: usize,
}

/// Parts rows by time: learns from what was over and known before `test_on`, judges on the rows as of `test_on`.
///
/// A row teaches if `as_of_on + days + label_delay_days < test_on`: its last event was in the platform the day before. Rows
/// after the test day belong to neither side. There is no random split, because neighbours in time know each other's
/// outcomes.
pub fn split(histories: &[History], test_on: i32, horizon: Horizon) -> Split {
    let mut split = Split::default();
    for (at, history) in histories.iter().enumerate() {
        let as_of_on = history.key.as_of_on;
        if test_on < as_of_on {
            continue;
        }
        let is_test = as_of_on == test_on;
        if !is_test && test_on <= horizon.known_on(as_of_on) {
            split.n_too_late += 1;
            continue;
        }
        match fate(history, horizon) {
            Fate::Labelled(label) if is_test => split.test.push((at, label)),
            Fate::Labelled(label) => split.train.push((at, label)),
            Fate::OutcomeKnown => split.n_outcome_known += 1,
            Fate::OutcomeHidden => split.n_outcome_hidden += 1,
            Fate::Censored => split.n_censored += 1,
        }
    }
    split
}

#[cfg(test)]
mod tests {
    use super::*;

    const HORIZON: Horizon = Horizon { days: 14, label_delay_days: 3 };

    fn history(as_of_on: i32, event_on: Option<i32>, event_known_on: Option<i32>, intervened_on: Option<i32>) -> History {
        History { key: RowKey { as_of_on, student_key: 1 }, event_on, event_known_on, intervened_on }
    }

    #[track_caller]
    fn check(event_on: Option<i32>, event_known_on: Option<i32>, intervened_on: Option<i32>, expected: Fate) {
        let history = history(100, event_on, event_known_on, intervened_on);
        assert_eq!(fate(&history, HORIZON), expected, "{history:?}");
    }

    #[test]
    #[rustfmt::skip] // The columns are the table.
    fn a_row_is_labelled_known_hidden_or_censored() {
        //    event       known       intervened
        check(None,       None,       None,       Fate::Labelled(false));
        check(Some(101),  None,       None,       Fate::Labelled(true));
        check(Some(114),  None,       None,       Fate::Labelled(true));
        check(Some(115),  None,       None,       Fate::Labelled(false));
        check(Some(100),  None,       None,       Fate::OutcomeKnown);
        check(Some(90),   Some(100),  None,       Fate::OutcomeKnown);
        check(Some(90),   Some(101),  None,       Fate::OutcomeHidden);
        check(None,       None,       Some(107),  Fate::Censored);
        check(Some(110),  None,       Some(107),  Fate::Censored);
        check(Some(110),  None,       Some(115),  Fate::Labelled(true));
        check(None,       None,       Some(100),  Fate::Labelled(false));
    }

    #[test]
    fn a_model_learns_only_from_labels_that_were_known_before_it_is_used() {
        // 100 + 14 + 3 = 117: known in the course of day 117, so usable from 118 on.
        let rows = [history(100, Some(105), None, None)];
        assert_eq!(split(&rows, 117, HORIZON).train, []);
        assert_eq!(split(&rows, 117, HORIZON).n_too_late, 1);
        assert_eq!(split(&rows, 118, HORIZON).train, [(0, true)]);
    }

    #[test]
    fn rows_after_the_test_day_belong_to_neither_side() {
        let rows = [history(93, None, None, None), history(120, None, None, None), history(127, Some(130), None, None)];
        let split = split(&rows, 120, HORIZON);
        assert_eq!((split.train, split.test), (vec![(0, false)], vec![(1, false)]));
    }

    #[test]
    fn what_is_left_out_is_counted() {
        let rows =
            [history(80, Some(70), None, None), history(80, None, None, Some(85)), history(120, Some(110), Some(125), None)];
        let split = split(&rows, 120, HORIZON);
        assert_eq!((split.n_outcome_known, split.n_censored, split.n_outcome_hidden), (1, 1, 1));
        assert!(split.train.is_empty() && split.test.is_empty());
    }
}
