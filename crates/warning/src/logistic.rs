//! Logistic regression: the plainest model, and the one any other must beat.
//!
//! A missing value becomes the mean *and* sets an indicator with a weight of its own, so that "not known" may count for
//! or against but never passes for average. Standardised, with a ridge, so weights can be compared.

use linfa::Dataset;
use linfa::traits::Fit;
use linfa_logistic::LogisticRegression;
use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::matrix::Matrix;
use crate::model::{Contributions, Kind, RiskModel, Scale, expect_learnable, store};

/// What can be set.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Strength of the ridge on standardised weights, at least 0.
    pub ridge: f64,
    /// Steps after which the search for the weights stops.
    pub steps: u64,
}

impl Default for Config {
    fn default() -> Config {
        Config { ridge: 1.0, steps: 200 }
    }
}

/// A fitted logistic regression.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Logistic {
    features: Vec<String>,
    intercept: f64,
    /// One per feature, same order.
    columns: Vec<Column>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Column {
    mean: f64,
    /// 1 for a column that never varied, whose weight is 0.
    deviation: f64,
    weight: f64,
    /// What "not known" adds; 0 if nothing was missing in training.
    missing: f64,
}

impl Column {
    fn adds(&self, value: f64) -> f64 {
        if value.is_nan() { self.missing } else { self.weight * (value - self.mean) / self.deviation }
    }
}

impl Logistic {
    /// Fits the weights. Uses no random numbers, hence no seed.
    ///
    /// # Errors
    /// If there is nothing to learn from, a measure is sensitive, or the search for the weights fails.
    pub fn train(matrix: &Matrix, labels: &[bool], config: &Config) -> Result<Logistic, Error> {
        expect_learnable(matrix, labels)?;
        if !(0.0..f64::INFINITY).contains(&config.ridge) {
            return Err(Error::Setting { setting: "ridge", value: config.ridge.to_string(), allowed: "at least 0" });
        }
        let values = matrix.values();
        let mut columns: Vec<Column> = values
            .columns()
            .into_iter()
            .map(|column| {
                let known: Vec<f64> = column.iter().copied().filter(|it| !it.is_nan()).collect();
                let n = known.len().max(1) as f64;
                let mean = known.iter().sum::<f64>() / n;
                let deviation = (known.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / n).sqrt();
                // A constant column would divide by 0; as it is, it adds nothing.
                Column { mean, deviation: if 0.0 < deviation { deviation } else { 1.0 }, weight: 0.0, missing: 0.0 }
            })
            .collect();
        let with_missing: Vec<usize> = (0..columns.len()).filter(|it| values.column(*it).iter().any(|it| it.is_nan())).collect();

        let mut records = Array2::zeros((values.nrows(), columns.len() + with_missing.len()));
        for (row, value) in values.rows().into_iter().enumerate() {
            for (at, column) in columns.iter().enumerate() {
                if !value[at].is_nan() {
                    records[[row, at]] = (value[at] - column.mean) / column.deviation;
                }
            }
            for (at, column) in with_missing.iter().enumerate() {
                records[[row, columns.len() + at]] = f64::from(u8::from(value[*column].is_nan()));
            }
        }
        let fitted = LogisticRegression::default()
            .alpha(config.ridge)
            .max_iterations(config.steps)
            .fit(&Dataset::new(records, Array1::from_vec(labels.to_vec())))
            .map_err(|source| Error::Fit { kind: "logistic", source: Box::new(source) })?;

        // linfa takes the larger class for the positive one; ours is `true`.
        let sign = if fitted.labels().pos.class { 1.0 } else { -1.0 };
        let weights = fitted.params();
        for (at, column) in columns.iter_mut().enumerate() {
            column.weight = sign * weights[at];
        }
        for (at, column) in with_missing.iter().enumerate() {
            columns[*column].missing = sign * weights[columns.len() + at];
        }
        Ok(Logistic { features: matrix.features().to_vec(), intercept: sign * fitted.intercept(), columns })
    }
}

impl RiskModel for Logistic {
    fn kind(&self) -> Kind {
        Kind::Logistic
    }

    fn features(&self) -> &[String] {
        &self.features
    }

    fn score(&self, matrix: &Matrix) -> Result<Vec<f64>, Error> {
        matrix.expect_features(&self.features)?;
        let values = matrix.values();
        let sums = values
            .rows()
            .into_iter()
            .map(|row| self.intercept + self.columns.iter().zip(row).map(|(column, value)| column.adds(*value)).sum::<f64>());
        Ok(sums.map(|it| Scale::LogOdds.score(it)).collect())
    }

    fn contributions(&self, matrix: &Matrix) -> Result<Contributions, Error> {
        matrix.expect_features(&self.features)?;
        let values = matrix.values();
        let adds = |(row, at): (usize, usize)| self.columns[at].adds(values[[row, at]]);
        Ok(Contributions {
            scale: Scale::LogOdds,
            baseline: self.intercept,
            values: Array2::from_shape_fn(values.raw_dim(), adds),
        })
    }

    fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        store(Kind::Logistic, self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::RowKey;

    fn matrix(values: &[f64]) -> Matrix {
        let keys: Vec<RowKey> = (0..values.len()).map(|it| RowKey { as_of_on: 0, student_key: it as i64 }).collect();
        let values = Array2::from_shape_vec((values.len(), 1), values.to_vec()).unwrap();
        Matrix::from_wide(&keys, &["a".to_owned()], values.view()).unwrap()
    }

    #[test]
    fn a_missing_value_is_not_taken_for_an_average_one() {
        // Low and high values are harmless alike; those not known are all at risk.
        let values = [1.0, 2.0, 3.0, 4.0, 1.0, 2.0, 3.0, 4.0, f64::NAN, f64::NAN, f64::NAN, 2.5];
        let labels = [false, false, false, false, false, false, false, false, true, true, true, true];
        let model = Logistic::train(&matrix(&values), &labels, &Config { ridge: 0.1, steps: 200 }).unwrap();
        let scores = model.score(&matrix(&[f64::NAN, 2.5])).unwrap();
        assert!(0.7 < scores[0] && scores[1] < 0.3, "{scores:?}");
    }

    #[test]
    fn a_measure_that_never_varies_or_was_never_known_adds_nothing() {
        let labels = [true, false, true, false];
        for values in [[5.0; 4], [f64::NAN; 4]] {
            let model = Logistic::train(&matrix(&values), &labels, &Config::default()).unwrap();
            let scores = model.score(&matrix(&[5.0, f64::NAN])).unwrap();
            assert!(scores.iter().all(|it| (it - 0.5).abs() < 1e-3), "{scores:?}");
        }
    }
}
