//! Gradient boosting of trees, fitted by forust.
//!
//! Missing values go where the training rows say they should go, at every question anew. Contributions are the steps of
//! the node values along the path of each tree: they add up to the score, and they are not Shapley values.

use forust_ml::constraints::{Constraint, ConstraintMap};
use forust_ml::gradientbooster::GrowPolicy;
use forust_ml::objective::ObjectiveType;
use forust_ml::sampler::SampleMethod;
use forust_ml::{GradientBooster, Matrix as ColumnMajor};
use ndarray::{Array2, ArrayView1};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::matrix::Matrix;
use crate::model::{Contributions, Kind, RiskModel, Scale, expect_learnable, store};

/// What can be set.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Trees, each correcting those before it, at least 1.
    pub rounds: usize,
    /// Share of a correction that is taken over, above 0.
    pub rate: f32,
    /// Questions on the longest path of a tree, at least 1.
    pub depth: usize,
    /// Least curvature of a leaf; a row counts at most a quarter.
    pub leaf: f32,
    /// Ridge on the leaves.
    pub ridge: f32,
    /// Share of the rows each tree sees, above 0, at most 1.
    pub rows: f32,
    /// Share of the measures each tree may ask about, above 0, at most 1.
    pub measures: f64,
    /// Measures of which more never lowers the risk.
    pub rising: Vec<String>,
    /// Measures of which more never raises the risk.
    pub falling: Vec<String>,
    /// Threads; changes nothing but the time.
    pub threads: usize,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            rounds: 200,
            rate: 0.05,
            depth: 5,
            leaf: 5.0,
            ridge: 5.0,
            rows: 0.8,
            measures: 0.7,
            rising: Vec::new(),
            falling: Vec::new(),
            threads: 1,
        }
    }
}

/// A fitted booster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Boost {
    features: Vec<String>,
    base: f64,
    trees: Vec<Vec<Node>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Node {
    /// Log odds that this node stands for, as a correction of the trees before.
    weight: f64,
    /// `None` is a leaf.
    split: Option<Split>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Split {
    feature: u32,
    /// A value below it goes left.
    below: f64,
    left: u32,
    right: u32,
    /// Where a missing value goes: one of the two.
    missing: u32,
}

impl Boost {
    /// Fits the trees.
    ///
    /// # Errors
    /// If there is nothing to learn from, a measure is sensitive, a setting is out of its range, or forust gives up.
    pub fn train(matrix: &Matrix, labels: &[bool], config: &Config, seed: u64) -> Result<Boost, Error> {
        expect_learnable(matrix, labels)?;
        expect(config)?;
        let values = matrix.values();
        // forust reads one column after the other.
        let columns: Vec<f64> = values.columns().into_iter().flat_map(|it| it.to_vec()).collect();
        let data = ColumnMajor::new(&columns, values.nrows(), values.ncols());
        let labels: Vec<f64> = labels.iter().map(|it| f64::from(u8::from(*it))).collect();
        let fit = |source| Error::Fit { kind: "boost", source: Box::new(source) };

        let mut constraints = ConstraintMap::new();
        for (names, constraint) in [(&config.rising, Constraint::Positive), (&config.falling, Constraint::Negative)] {
            for (at, _) in matrix.features().iter().enumerate().filter(|(_, it)| names.contains(it)) {
                constraints.insert(at, constraint);
            }
        }
        let mut booster = GradientBooster::default()
            .set_objective_type(ObjectiveType::LogLoss)
            .set_iterations(config.rounds)
            .set_learning_rate(config.rate)
            .set_max_depth(config.depth)
            .set_min_leaf_weight(config.leaf)
            .set_l2(config.ridge)
            .set_subsample(config.rows)
            .set_sample_method(if config.rows < 1.0 { SampleMethod::Random } else { SampleMethod::None })
            .set_colsample_bytree(least_one(config.measures, values.ncols()))
            .set_monotone_constraints(Some(constraints))
            .set_initialize_base_score(true)
            .set_parallel(1 < config.threads)
            .set_num_threads(Some(config.threads))
            .set_seed(seed);
        booster.grow_policy = GrowPolicy::DepthWise;
        booster.fit_unweighted(&data, &labels, None).map_err(fit)?;

        let mut trees = Vec::with_capacity(booster.trees.len());
        for tree in &booster.trees {
            let nodes = tree.nodes.iter().map(|it| Node {
                weight: f64::from(it.weight_value),
                split: (!it.is_leaf).then_some(Split {
                    feature: it.split_feature as u32,
                    below: it.split_value,
                    left: it.left_child as u32,
                    right: it.right_child as u32,
                    missing: it.missing_node as u32,
                }),
            });
            trees.push(nodes.collect());
        }
        Ok(Boost { features: matrix.features().to_vec(), base: booster.base_score, trees })
    }
}

/// forust rounds the number of measures down; with few of them nothing would be left.
fn least_one(share: f64, n: usize) -> f64 {
    share.max(1.0 / n as f64).min(1.0)
}

fn expect(config: &Config) -> Result<(), Error> {
    let refuse = |setting, value: String, allowed| Err(Error::Setting { setting, value, allowed });
    if config.rounds == 0 {
        return refuse("rounds", config.rounds.to_string(), "at least 1");
    }
    if config.depth == 0 {
        return refuse("depth", config.depth.to_string(), "at least 1");
    }
    if !(0.0 < config.rate && config.rate.is_finite()) {
        return refuse("rate", config.rate.to_string(), "above 0");
    }
    if !(0.0 < config.rows && config.rows <= 1.0) {
        return refuse("rows", config.rows.to_string(), "above 0 and at most 1");
    }
    if !(0.0 < config.measures && config.measures <= 1.0) {
        return refuse("measures", config.measures.to_string(), "above 0 and at most 1");
    }
    Ok(())
}

/// Follows one row to its leaf; `step` sees each question, the node that asked it and the one it led to.
fn walk(nodes: &[Node], row: ArrayView1<'_, f64>, mut step: impl FnMut(&Split, f64)) -> f64 {
    let mut at = &nodes[0];
    while let Some(split) = &at.split {
        let value = row[split.feature as usize];
        let next = if value.is_nan() {
            split.missing
        } else if value < split.below {
            split.left
        } else {
            split.right
        };
        let next = &nodes[next as usize];
        step(split, next.weight - at.weight);
        at = next;
    }
    at.weight
}

impl RiskModel for Boost {
    fn kind(&self) -> Kind {
        Kind::Boost
    }

    fn features(&self) -> &[String] {
        &self.features
    }

    fn score(&self, matrix: &Matrix) -> Result<Vec<f64>, Error> {
        matrix.expect_features(&self.features)?;
        let sum = |row| self.base + self.trees.iter().map(|nodes| walk(nodes, row, |_, _| ())).sum::<f64>();
        Ok(matrix.values().rows().into_iter().map(|row| Scale::LogOdds.score(sum(row))).collect())
    }

    fn contributions(&self, matrix: &Matrix) -> Result<Contributions, Error> {
        matrix.expect_features(&self.features)?;
        let mut values = Array2::zeros(matrix.values().raw_dim());
        for (row, mut adds) in matrix.values().rows().into_iter().zip(values.rows_mut()) {
            for nodes in &self.trees {
                walk(nodes, row, |split, change| adds[split.feature as usize] += change);
            }
        }
        let baseline = self.base + self.trees.iter().map(|nodes| nodes[0].weight).sum::<f64>();
        Ok(Contributions { scale: Scale::LogOdds, baseline, values })
    }

    fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        store(Kind::Boost, self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::RowKey;

    fn matrix(values: Vec<f64>) -> Matrix {
        let keys: Vec<RowKey> = (0..values.len()).map(|it| RowKey { as_of_on: 0, student_key: it as i64 }).collect();
        let values = Array2::from_shape_vec((values.len(), 1), values).unwrap();
        Matrix::from_wide(&keys, &["a".to_owned()], values.view()).unwrap()
    }

    fn plain() -> Config {
        Config { rows: 1.0, measures: 1.0, leaf: 1.0, ..Config::default() }
    }

    #[test]
    fn a_missing_value_goes_where_the_rows_say() {
        // Above 50 is at risk, and so is not known.
        let values: Vec<f64> = (0..200).map(|it| if it % 4 == 0 { f64::NAN } else { f64::from(it % 100) }).collect();
        let labels: Vec<bool> = values.iter().map(|it| it.is_nan() || 50.0 < *it).collect();
        let model = Boost::train(&matrix(values), &labels, &plain(), 0).unwrap();
        let scores = model.score(&matrix(vec![f64::NAN, 10.0, 90.0])).unwrap();
        assert!(0.9 < scores[0] && scores[1] < 0.1 && 0.9 < scores[2], "{scores:?}");
    }

    #[test]
    fn a_measure_said_to_raise_the_risk_never_lowers_it() {
        let values: Vec<f64> = (0..300).map(|it| f64::from(it % 30)).collect();
        let labels: Vec<bool> = (0..300).map(|it| it % 7 == 0 || 20 < it % 30).collect();
        let config = Config { rising: vec!["a".to_owned()], ..plain() };
        let model = Boost::train(&matrix(values), &labels, &config, 0).unwrap();
        let scores = model.score(&matrix((0..30).map(f64::from).collect())).unwrap();
        assert!(scores.windows(2).all(|pair| pair[0] <= pair[1] + 1e-12), "{scores:?}");
    }

    #[test]
    fn a_setting_out_of_range_is_refused() {
        for config in [
            Config { rounds: 0, ..plain() },
            Config { depth: 0, ..plain() },
            Config { rate: f32::NAN, ..plain() },
            Config { rows: 1.5, ..plain() },
            Config { measures: 0.0, ..plain() },
        ] {
            assert!(matches!(expect(&config), Err(Error::Setting { .. })), "{config:?}");
        }
    }
}
