//! From a score to a probability one may say aloud.
//!
//! A score ranks; "one in six of those with this score" needs the outcomes of past terms. Isotonic regression keeps the
//! ranking and assumes nothing else about the shape.

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// A row of a past term: its score at the time, and what came.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Past {
    /// Days since 1970-01-01.
    pub as_of_on: i32,
    /// Score of a model that had not seen the row.
    pub score: f64,
    /// What came.
    pub label: bool,
}

/// A fitted, rising map from score to probability.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Isotonic {
    /// Score and probability at both ends of every block, both ascending; in between the map is a straight line.
    points: Vec<(f64, f64)>,
    /// First day this calibration has not seen.
    before_on: i32,
    n_rows: u64,
}

impl Isotonic {
    /// Fits the map on rows of past terms; the same rows in any order make the same map.
    ///
    /// # Shape
    /// `before_on`: first day of the term the map will be used in.
    ///
    /// # Errors
    /// If a row is not before `before_on`, a score is not finite, or there are no rows.
    ///
    /// # Source
    /// Pool adjacent violators (Ayer et al., 1955).
    pub fn fit(past: &[Past], before_on: i32) -> Result<Isotonic, Error> {
        if let Some(row) = past.iter().find(|it| before_on <= it.as_of_on) {
            return Err(Error::FutureRow { as_of_on: row.as_of_on, before_on });
        }
        if past.is_empty() {
            return Err(Error::NothingToLearn { n_rows: 0, n_positive: 0, n_features: 1 });
        }
        if past.iter().any(|it| !it.score.is_finite()) {
            return Err(Error::NotFinite { measure: "score".to_owned() });
        }
        let mut rows: Vec<(f64, bool)> = past.iter().map(|it| (it.score, it.label)).collect();
        rows.sort_by(|a, b| a.0.total_cmp(&b.0));

        let mut blocks: Vec<Block> = Vec::new();
        for same in rows.chunk_by(|a, b| a.0 == b.0) {
            blocks.push(Block {
                from: same[0].0,
                to: same[0].0,
                n_positive: same.iter().filter(|it| it.1).count() as u64,
                n: same.len() as u64,
            });
            while let [.., left, right] = &blocks[..]
                && !left.is_below(right)
            {
                let joined =
                    Block { from: left.from, to: right.to, n_positive: left.n_positive + right.n_positive, n: left.n + right.n };
                blocks.truncate(blocks.len() - 2);
                blocks.push(joined);
            }
        }
        let mut points = Vec::new();
        for block in blocks {
            let rate = block.n_positive as f64 / block.n as f64;
            points.push((block.from, rate));
            if block.from < block.to {
                points.push((block.to, rate));
            }
        }
        Ok(Isotonic { points, before_on, n_rows: past.len() as u64 })
    }

    /// Returns the probability that a score stands for; beyond the scores seen, that of the nearest one.
    pub fn probability(&self, score: f64) -> f64 {
        let at = self.points.partition_point(|it| it.0 < score);
        match (at.checked_sub(1).map(|it| self.points[it]), self.points.get(at).copied()) {
            (Some((x0, y0)), Some((x1, y1))) => {
                // Rounding may step over the upper end by one bit, and a probability of more than 1 is none.
                (y0 + (y1 - y0) * (score - x0) / (x1 - x0)).clamp(y0, y1)
            }
            (None, Some((_, y))) | (Some((_, y)), None) => y,
            (None, None) => f64::NAN,
        }
    }

    /// First day this calibration has not seen.
    pub fn before_on(&self) -> i32 {
        self.before_on
    }

    /// Rows it was fitted on.
    pub fn n_rows(&self) -> u64 {
        self.n_rows
    }
}

struct Block {
    from: f64,
    to: f64,
    n_positive: u64,
    n: u64,
}

impl Block {
    /// Compares rates as fractions, so that equal ones are equal.
    fn is_below(&self, other: &Block) -> bool {
        u128::from(self.n_positive) * u128::from(other.n) < u128::from(other.n_positive) * u128::from(self.n)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn past(rows: &[(f64, bool)]) -> Vec<Past> {
        rows.iter().map(|(score, label)| Past { as_of_on: 10, score: *score, label: *label }).collect()
    }

    #[track_caller]
    fn check(isotonic: &Isotonic, score: f64, expected: f64) {
        let actual = isotonic.probability(score);
        assert!((actual - expected).abs() < 1e-12, "score {score}: {actual}, not {expected}");
    }

    #[test]
    fn violators_are_pooled_by_hand() {
        // Rates by score: .1 -> 0, .2 -> 1, .3 -> 0, .4 -> 1. The middle two violate and pool to one half.
        let it = Isotonic::fit(&past(&[(0.1, false), (0.2, true), (0.3, false), (0.4, true)]), 11).unwrap();
        check(&it, 0.1, 0.0);
        check(&it, 0.2, 0.5);
        check(&it, 0.3, 0.5);
        check(&it, 0.25, 0.5);
        check(&it, 0.15, 0.25);
        check(&it, 0.4, 1.0);
        check(&it, 0.0, 0.0);
        check(&it, 9.0, 1.0);
    }

    #[test]
    fn equal_scores_have_one_probability() {
        let it = Isotonic::fit(&past(&[(0.5, true), (0.5, false), (0.5, false), (0.5, false)]), 11).unwrap();
        check(&it, 0.5, 0.25);
        check(&it, 0.1, 0.25);
    }

    #[test]
    fn a_row_of_the_term_itself_is_refused() {
        assert!(matches!(Isotonic::fit(&past(&[(0.5, true)]), 10), Err(Error::FutureRow { as_of_on: 10, before_on: 10 })));
        assert!(matches!(Isotonic::fit(&[], 10), Err(Error::NothingToLearn { .. })));
        assert!(matches!(Isotonic::fit(&past(&[(f64::NAN, true)]), 11), Err(Error::NotFinite { .. })));
    }

    proptest! {
        #[test]
        fn the_map_rises_and_keeps_the_base_rate(rows in prop::collection::vec((0_u8..40, any::<bool>()), 1..200)) {
            let rows: Vec<(f64, bool)> = rows.into_iter().map(|(score, label)| (f64::from(score) / 40.0, label)).collect();
            let it = Isotonic::fit(&past(&rows), 11).unwrap();
            let grid: Vec<f64> = (0..=80).map(|at| it.probability(f64::from(at) / 80.0)).collect();
            prop_assert!(grid.windows(2).all(|pair| pair[0] <= pair[1] + 1e-12));
            prop_assert!(grid.iter().all(|it| (0.0..=1.0).contains(it)));
            let promised: f64 = rows.iter().map(|(score, _)| it.probability(*score)).sum();
            let came = rows.iter().filter(|it| it.1).count() as f64;
            prop_assert!((promised - came).abs() < 1e-6);
        }
    }
}
