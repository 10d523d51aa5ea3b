//! Whether today's students still look like those a model learnt from.
//!
//! Coverage comes first: a broken turnstile looks like a building that gave up, so a measure whose coverage has moved is
//! not judged by its values. What is done about a drift (a model is frozen, a device item is opened) is the caller's.

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::matrix::Matrix;

/// Index above which somebody should look.
pub const LOOK: f64 = 0.2;
/// Index above which a model stops making warnings.
pub const FREEZE: f64 = 0.25;
/// Bands of values that are compared.
const BANDS: usize = 10;

/// What a drift asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Nothing.
    Quiet,
    /// Somebody should look.
    Look,
    /// The model makes no warnings until somebody has looked.
    Freeze,
}

impl Level {
    fn of(psi: f64) -> Level {
        if FREEZE < psi {
            Level::Freeze
        } else if LOOK < psi {
            Level::Look
        } else {
            Level::Quiet
        }
    }
}

/// How far one measure has moved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureDrift {
    /// The measure.
    pub feature: String,
    /// Share of rows with a value, when the model learnt.
    pub known_before: f64,
    /// Share of rows with a value, today.
    pub known_now: f64,
    /// Population stability index of known against not known.
    pub coverage_psi: f64,
    /// The index of the values among the known; `None` if one side knows none.
    pub value_psi: Option<f64>,
    /// The worse of the two.
    pub level: Level,
    /// Coverage itself has moved: look at the device before the students.
    pub is_coverage: bool,
}

/// Compares the measures of two matrices, moved coverage first, then by how far the values have moved.
///
/// # Shape
/// One answer a measure. `before` is what the model learnt from, `now` the rows of one week.
///
/// # Errors
/// If the two have different measures, or one of them has no rows.
///
/// # Source
/// Population stability index `sum (p - q) ln(p / q)` over tenths of `before`. Half a row is added to each band, or one
/// empty band would be infinite.
pub fn drift(before: &Matrix, now: &Matrix) -> Result<Vec<FeatureDrift>, Error> {
    now.expect_features(before.features())?;
    for matrix in [before, now] {
        if matrix.keys().is_empty() {
            return Err(Error::NothingToLearn { n_rows: 0, n_positive: 0, n_features: matrix.features().len() });
        }
    }
    let mut answers = Vec::with_capacity(before.features().len());
    for (column, feature) in before.features().iter().enumerate() {
        let known = |matrix: &Matrix| -> Vec<f64> {
            let mut known: Vec<f64> = matrix.values().column(column).iter().copied().filter(|it| !it.is_nan()).collect();
            known.sort_unstable_by(f64::total_cmp);
            known
        };
        let (old, new) = (known(before), known(now));
        let (n_old, n_new) = (before.keys().len(), now.keys().len());
        let coverage_psi = psi(&[old.len(), n_old - old.len()], &[new.len(), n_new - new.len()]);
        let value_psi = (!old.is_empty() && !new.is_empty()).then(|| {
            let bounds = bounds(&old);
            psi(&counts(&old, &bounds), &counts(&new, &bounds))
        });
        let is_coverage = Level::of(coverage_psi) != Level::Quiet;
        answers.push(FeatureDrift {
            feature: feature.clone(),
            known_before: old.len() as f64 / n_old as f64,
            known_now: new.len() as f64 / n_new as f64,
            coverage_psi,
            value_psi,
            level: Level::of(coverage_psi).max(value_psi.map_or(Level::Quiet, Level::of)),
            is_coverage,
        });
    }
    answers.sort_by(|a, b| {
        let far = |it: &FeatureDrift| if it.is_coverage { it.coverage_psi } else { it.value_psi.unwrap_or(0.0) };
        b.is_coverage.cmp(&a.is_coverage).then(far(b).total_cmp(&far(a))).then(a.feature.cmp(&b.feature))
    });
    Ok(answers)
}

/// Upper bounds of the tenths, without the last; bands of one repeated value fall together.
fn bounds(sorted: &[f64]) -> Vec<f64> {
    let mut bounds: Vec<f64> = (1..BANDS).map(|tenth| sorted[(sorted.len() * tenth / BANDS).min(sorted.len() - 1)]).collect();
    bounds.dedup();
    bounds
}

fn counts(sorted: &[f64], bounds: &[f64]) -> Vec<usize> {
    let mut counts = vec![0; bounds.len() + 1];
    for value in sorted {
        counts[bounds.partition_point(|bound| bound < value)] += 1;
    }
    counts
}

/// The index of two counts over the same bands.
fn psi(before: &[usize], now: &[usize]) -> f64 {
    let shares = |counts: &[usize]| -> Vec<f64> {
        let n = counts.iter().sum::<usize>() as f64 + 0.5 * counts.len() as f64;
        counts.iter().map(|it| (*it as f64 + 0.5) / n).collect()
    };
    shares(before).iter().zip(shares(now)).map(|(p, q)| (p - q) * (p / q).ln()).sum()
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::matrix::RowKey;

    fn matrix(columns: &[Vec<f64>]) -> Matrix {
        let n = columns[0].len();
        let keys: Vec<RowKey> = (0..n).map(|it| RowKey { as_of_on: 0, student_key: it as i64 }).collect();
        let names: Vec<String> = (0..columns.len()).map(|it| format!("m{it}")).collect();
        Matrix::from_wide(&keys, &names, Array2::from_shape_fn((n, columns.len()), |(i, j)| columns[j][i]).view()).unwrap()
    }

    fn ramp(n: usize, from: f64) -> Vec<f64> {
        (0..n).map(|it| from + it as f64 / n as f64).collect()
    }

    #[test]
    fn the_index_of_two_bands_by_hand() {
        // With half a row added to each band: (50.5, 50.5)/101 and (25.5, 75.5)/101.
        let (p, q): ([f64; 2], [f64; 2]) = ([0.5, 0.5], [25.5 / 101.0, 75.5 / 101.0]);
        let expected: f64 = (0..2).map(|it| (p[it] - q[it]) * (p[it] / q[it]).ln()).sum();
        assert!((psi(&[50, 50], &[25, 75]) - expected).abs() < 1e-12);
        assert_eq!(psi(&[3, 7], &[3, 7]), 0.0);
        assert!(psi(&[100, 0], &[0, 100]).is_finite());
    }

    #[test]
    fn the_same_students_have_not_moved_and_moved_ones_freeze() {
        let before = matrix(&[ramp(1000, 0.0), ramp(1000, 0.0)]);
        let now = matrix(&[ramp(1000, 0.0), ramp(1000, 0.5)]);
        let answers = drift(&before, &now).unwrap();
        assert_eq!((answers[0].feature.as_str(), answers[0].level), ("m1", Level::Freeze));
        assert_eq!((answers[1].feature.as_str(), answers[1].level, answers[1].value_psi), ("m0", Level::Quiet, Some(0.0)));
    }

    #[test]
    fn lost_coverage_comes_before_moved_values() {
        let mut broken = ramp(1000, 0.0);
        broken[..600].fill(f64::NAN);
        let before = matrix(&[ramp(1000, 0.0), ramp(1000, 0.0)]);
        let now = matrix(&[ramp(1000, 9.0), broken]);
        let answers = drift(&before, &now).unwrap();
        assert_eq!((answers[0].feature.as_str(), answers[0].is_coverage), ("m1", true));
        assert_eq!((answers[0].known_before, answers[0].known_now), (1.0, 0.4));
        assert!(!answers[1].is_coverage && answers[1].level == Level::Freeze);
    }

    #[test]
    fn a_measure_nobody_has_any_more_is_coverage_not_values() {
        let before = matrix(&[ramp(100, 0.0)]);
        let now = matrix(&[vec![f64::NAN; 100]]);
        let answer = drift(&before, &now).unwrap().remove(0);
        assert_eq!((answer.value_psi, answer.is_coverage, answer.level), (None, true, Level::Freeze));
    }

    #[test]
    fn the_levels_are_0_2_and_0_25() {
        for (psi, level) in
            [(0.0, Level::Quiet), (0.2, Level::Quiet), (0.21, Level::Look), (0.25, Level::Look), (0.26, Level::Freeze)]
        {
            assert_eq!(Level::of(psi), level, "index {psi}");
        }
    }
}
