//! Whether a model treats groups of students alike.
//!
//! Groups are read by auditors only and are never inputs. A rate says nothing below [`CELL_MIN`] rows; a ratio is flagged
//! only if chance cannot explain it, so the interval decides and not the estimate. Students are resampled, not rows:
//! twelve weeks of one student are one student.

use std::collections::BTreeMap;

use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::interval::{Estimate, percentiles, share};
use crate::metrics::ratio;
use crate::model::random;

/// Fewest rows behind a rate, and fewest students.
pub const CELL_MIN: u64 = 30;
/// Ratios between these are alike enough.
pub const ALIKE: (f64, f64) = (0.8, 1.25);

/// One decision about one student, and what came.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// Pseudonymous; rows of one student are resampled together.
    pub student_key: i64,
    /// Value of the attribute under audit: a gender, a grade, a college.
    pub group: String,
    /// The student was listed.
    pub is_listed: bool,
    /// The outcome came.
    pub label: bool,
}

/// Which rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rate {
    /// Listed, of those without the outcome.
    FalsePositive,
    /// Not listed, of those with the outcome.
    FalseNegative,
    /// With the outcome, of the listed.
    Precision,
    /// Listed, of all.
    Selection,
}

impl Rate {
    /// All four.
    pub const ALL: [Rate; 4] = [Rate::FalsePositive, Rate::FalseNegative, Rate::Precision, Rate::Selection];
}

/// One rate of one group against everybody's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupRate {
    /// Value of the attribute.
    pub group: String,
    /// Which rate.
    pub rate: Rate,
    /// Rows behind it.
    pub n_rows: u64,
    /// Students behind it.
    pub n_students: u64,
    /// What was found.
    pub verdict: Verdict,
}

/// What an audit found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Verdict {
    /// Fewer than [`CELL_MIN`] rows or students, or nothing to divide by.
    TooFew,
    /// The rate, and how it compares.
    Compared {
        /// The group's rate.
        value: f64,
        /// Lower end of its 95 % interval; reports of older versions have none.
        #[serde(default)]
        value_low: Option<f64>,
        /// Upper end.
        #[serde(default)]
        value_high: Option<f64>,
        /// Group over everybody, with its 95 % interval.
        ratio: Estimate,
        /// The whole interval lies outside [`ALIKE`].
        is_flagged: bool,
    },
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    /// Numerators of the four rates, then denominators.
    of: [(u32, u32); 4],
}

impl Counts {
    fn add(&mut self, other: &Counts) {
        for (sum, it) in self.of.iter_mut().zip(other.of) {
            sum.0 += it.0;
            sum.1 += it.1;
        }
    }

    fn count(&mut self, is_listed: bool, label: bool) {
        let one = u32::from;
        for (rate, sum) in Rate::ALL.into_iter().zip(&mut self.of) {
            let (hit, counts) = match rate {
                Rate::FalsePositive => (is_listed, !label),
                Rate::FalseNegative => (!is_listed, label),
                Rate::Precision => (label, is_listed),
                Rate::Selection => (is_listed, true),
            };
            sum.0 += one(hit && counts);
            sum.1 += one(counts);
        }
    }

    fn rate(&self, at: usize) -> Option<f64> {
        ratio(f64::from(self.of[at].0), f64::from(self.of[at].1))
    }
}

/// Compares every group with everybody, by groups and then rates in their order.
///
/// # Shape
/// `decisions`: every row of the risk set, listed or not; a student may change groups. `resamples`: 1,000 is usual.
///
/// # Errors
/// If `resamples` is 0.
///
/// # Source
/// Ratios: percentile bootstrap over students (Davison and Hinkley, 1997, 5.3), 95 %. Rates: Clopper and Pearson (1934) on as
/// many observations as there are students behind the rate, for the weeks of one student are one: rather too wide, and never
/// without width where nobody was listed.
pub fn audit(decisions: &[Decision], resamples: usize, seed: u64) -> Result<Vec<GroupRate>, Error> {
    if resamples == 0 {
        return Err(Error::Setting { setting: "resamples", value: resamples.to_string(), allowed: "at least 1" });
    }
    let mut groups: BTreeMap<&str, usize> = decisions.iter().map(|it| (it.group.as_str(), 0)).collect();
    for (number, at) in groups.values_mut().enumerate() {
        *at = number;
    }
    // One entry a student: who is in which group, with what. Sorted, so that the order of rows changes nothing.
    let mut by_student: BTreeMap<i64, BTreeMap<usize, Counts>> = BTreeMap::new();
    for it in decisions {
        let group = groups[it.group.as_str()];
        by_student.entry(it.student_key).or_default().entry(group).or_default().count(it.is_listed, it.label);
    }
    let students: Vec<Vec<(usize, Counts)>> = by_student.into_values().map(|it| it.into_iter().collect()).collect();
    let sum = |picked: &mut dyn Iterator<Item = usize>| -> (Vec<Counts>, Counts) {
        let mut sums = vec![Counts::default(); groups.len()];
        let mut all = Counts::default();
        for student in picked {
            for (group, counts) in &students[student] {
                sums[*group].add(counts);
                all.add(counts);
            }
        }
        (sums, all)
    };
    let (observed, overall) = sum(&mut (0..students.len()));

    let mut draws: Vec<Vec<f64>> = vec![Vec::with_capacity(resamples); groups.len() * 4];
    let mut random = random(seed, 0);
    for _ in 0..resamples {
        let (sums, all) = sum(&mut (0..students.len()).map(|_| random.gen_range(0..students.len())));
        for (group, counts) in sums.iter().enumerate() {
            for at in 0..4 {
                let quotient = counts.rate(at).zip(all.rate(at)).and_then(|(group, all)| ratio(group, all));
                draws[group * 4 + at].extend(quotient);
            }
        }
    }

    let mut answers = Vec::with_capacity(groups.len() * 4);
    for (name, group) in &groups {
        let n_students = students.iter().filter(|it| it.iter().any(|it| it.0 == *group)).count() as u64;
        for (at, rate) in Rate::ALL.into_iter().enumerate() {
            let n_rows = u64::from(observed[*group].of[at].1);
            let value = observed[*group].rate(at);
            let quotient = value.zip(overall.rate(at)).and_then(|(group, all)| ratio(group, all));
            let ends = percentiles(&mut draws[group * 4 + at], 0.05);
            let verdict = match (value, quotient, ends) {
                (Some(value), Some(quotient), Some((low, high))) if CELL_MIN <= n_rows && CELL_MIN <= n_students => {
                    let is_flagged = high < ALIKE.0 || ALIKE.1 < low;
                    let is_behind = |it: &&Vec<(usize, Counts)>| it.iter().any(|it| it.0 == *group && 0 < it.1.of[at].1);
                    let behind = students.iter().filter(is_behind).count() as f64;
                    let (value_low, value_high) = share(value * behind, behind, 0.05);
                    Verdict::Compared {
                        value,
                        value_low: Some(value_low),
                        value_high: Some(value_high),
                        ratio: Estimate { value: quotient, low, high },
                        is_flagged,
                    }
                }
                _ => Verdict::TooFew,
            };
            answers.push(GroupRate { group: (*name).to_owned(), rate, n_rows, n_students, verdict });
        }
    }
    Ok(answers)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `n` students of a group with the four kinds of row in turn, by their counts in a hundred.
    fn group(name: &str, first: i64, n: i64, hits: i64, false_alarms: i64, missed: i64) -> Vec<Decision> {
        (0..n)
            .map(|it| {
                let at = it % 100;
                let (is_listed, label) = if at < hits {
                    (true, true)
                } else if at < hits + false_alarms {
                    (true, false)
                } else {
                    (false, at < hits + false_alarms + missed)
                };
                Decision { student_key: first + it, group: name.to_owned(), is_listed, label }
            })
            .collect()
    }

    fn find<'a>(answers: &'a [GroupRate], group: &str, rate: Rate) -> &'a GroupRate {
        answers.iter().find(|it| it.group == group && it.rate == rate).unwrap()
    }

    #[test]
    fn the_four_rates_by_hand() {
        // In a hundred: 10 hits, 20 false alarms, 10 missed, 60 rightly left alone.
        let answers = audit(&group("a", 0, 1000, 10, 20, 10), 200, 1).unwrap();
        for (rate, expected, n_rows) in [
            (Rate::FalsePositive, 20.0 / 80.0, 800),
            (Rate::FalseNegative, 0.5, 200),
            (Rate::Precision, 1.0 / 3.0, 300),
            (Rate::Selection, 0.3, 1000),
        ] {
            let it = find(&answers, "a", rate);
            let Verdict::Compared { value, ratio, is_flagged, .. } = it.verdict else { panic!("{it:?}") };
            assert!((value - expected).abs() < 1e-12, "{rate:?} is {value}");
            assert_eq!((it.n_rows, ratio.value, is_flagged), (n_rows, 1.0, false));
        }
    }

    #[test]
    fn a_group_listed_twice_as_often_is_flagged_and_one_alike_is_not() {
        let mut rows = group("even", 0, 4000, 5, 15, 5);
        rows.extend(group("more", 10_000, 1000, 10, 50, 5));
        let answers = audit(&rows, 400, 1).unwrap();
        let Verdict::Compared { ratio, is_flagged, .. } = find(&answers, "more", Rate::Selection).verdict else { panic!() };
        assert!(is_flagged && 1.25 < ratio.low && ratio.holds(ratio.value), "{ratio:?}");
        let Verdict::Compared { is_flagged, .. } = find(&answers, "even", Rate::Precision).verdict else { panic!() };
        assert!(!is_flagged);
    }

    #[test]
    fn a_rate_has_an_interval_that_many_weeks_of_the_same_students_do_not_narrow() {
        let ends = |rows: &[Decision], rate: Rate| match find(&audit(rows, 50, 1).unwrap(), "a", rate).verdict {
            Verdict::Compared { value, value_low: Some(low), value_high: Some(high), .. } => (value, low, high),
            other => panic!("{other:?}"),
        };
        let week = group("a", 0, 100, 10, 0, 10);
        let (value, low, high) = ends(&week, Rate::Selection);
        // Ten of a hundred: 4.90 to 17.62 percent, by the tables.
        assert!((value - 0.1).abs() < 1e-12 && (low - 0.0490).abs() < 1e-4 && (high - 0.1762).abs() < 1e-4, "{low} {high}");
        let weeks: Vec<Decision> = (0..12).flat_map(|_| week.clone()).collect();
        assert_eq!(ends(&weeks, Rate::Selection), (value, low, high));
        let older = serde_json::json!({ "verdict": "compared", "value": 0.1, "ratio": { "value": 1.0, "low": 0.9, "high": 1.1 }, "is_flagged": false });
        let read: Verdict = serde_json::from_value(older).unwrap();
        assert!(matches!(read, Verdict::Compared { value_low: None, value_high: None, .. }), "{read:?}");
    }

    #[test]
    fn small_groups_and_many_weeks_of_few_students_are_too_few() {
        let mut rows = group("big", 0, 500, 10, 10, 10);
        rows.extend(group("small", 1000, 29, 10, 10, 10));
        for _ in 0..20 {
            rows.extend(group("few", 2000, 5, 1, 1, 1));
        }
        let answers = audit(&rows, 50, 1).unwrap();
        assert_eq!(find(&answers, "small", Rate::Selection).verdict, Verdict::TooFew);
        assert_eq!(find(&answers, "few", Rate::Selection).verdict, Verdict::TooFew);
        assert_eq!(find(&answers, "few", Rate::Selection).n_rows, 100);
    }

    #[test]
    fn the_order_of_rows_changes_nothing_and_another_seed_does() {
        let mut rows = group("a", 0, 300, 10, 20, 10);
        rows.extend(group("b", 1000, 300, 12, 22, 10));
        let one = audit(&rows, 100, 1).unwrap();
        rows.reverse();
        assert_eq!(one, audit(&rows, 100, 1).unwrap());
        assert_ne!(one, audit(&rows, 100, 2).unwrap());
        assert!(audit(&rows, 0, 1).is_err());
    }
}
