//! What every risk model can do, and how one is stored.
//!
//! A model is trained on a [`Matrix`] and one label a row, and afterwards is plain numbers of our own: scoring needs no
//! library, so a warning of today can be scored again in five years (`replay`). The libraries only find the numbers.

use ndarray::Array2;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};

use crate::boost::Boost;
use crate::error::Error;
use crate::forest::Forest;
use crate::logistic::Logistic;
use crate::matrix::{Matrix, refuse_sensitive};

/// Format of stored models; a reader refuses another one.
pub const FORMAT: u32 = 1;

/// The kinds of model that can be trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Logistic regression with missing indicators: the plainest, and the one to beat.
    Logistic,
    /// Balanced bagging of trees; the score is a share of votes.
    Forest,
    /// Gradient boosting of trees.
    Boost,
}

/// In which unit the contributions of a model add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// Natural logarithm of the odds; the score is `1 / (1 + exp(-sum))`.
    LogOdds,
    /// Share of votes; the score is the sum.
    Share,
}

impl Scale {
    /// Returns the score that a sum of contributions stands for.
    pub fn score(self, sum: f64) -> f64 {
        match self {
            Scale::LogOdds => 1.0 / (1.0 + (-sum).exp()),
            Scale::Share => sum,
        }
    }
}

/// What each measure added to each score. Additive along the path of each tree, not Shapley values.
#[derive(Debug, Clone, PartialEq)]
pub struct Contributions {
    /// Unit of `baseline` and `values`.
    pub scale: Scale,
    /// What the model says before it has seen anything.
    pub baseline: f64,
    /// `[rows, features]`: `scale.score(baseline + row sum)` is the score of the row, up to rounding.
    pub values: Array2<f64>,
}

/// A trained model of one risk.
pub trait RiskModel {
    /// Which kind it is.
    fn kind(&self) -> Kind;

    /// Names of the measures it reads, ascending.
    fn features(&self) -> &[String];

    /// Returns one score a row, each in `[0, 1]`, higher is more at risk. Not calibrated: see [`crate::Isotonic`].
    ///
    /// # Errors
    /// If the matrix has other measures than the model was trained on.
    fn score(&self, matrix: &Matrix) -> Result<Vec<f64>, Error>;

    /// Returns what each measure added to each score.
    ///
    /// # Errors
    /// As [`RiskModel::score`].
    fn contributions(&self, matrix: &Matrix) -> Result<Contributions, Error>;

    /// Writes the model as MessagePack, which keeps every bit of every number. Same model, same bytes.
    ///
    /// # Errors
    /// If the encoder gives up.
    fn to_bytes(&self) -> Result<Vec<u8>, Error>;
}

/// Trains a model of a kind with its default settings.
///
/// The same rows in any order, the same labels and the same seed make the same model, byte for byte, on any number of
/// threads. What is tuned otherwise calls `Logistic::train`, `Forest::train` or `Boost::train` with a `Config`.
///
/// # Shape
/// `labels`: one per row of the matrix, in its order.
///
/// # Errors
/// If there is nothing to learn from, a measure is sensitive, or the library gives up.
pub fn train(kind: Kind, matrix: &Matrix, labels: &[bool], seed: u64) -> Result<Box<dyn RiskModel>, Error> {
    Ok(match kind {
        Kind::Logistic => Box::new(Logistic::train(matrix, labels, &crate::logistic::Config::default())?),
        Kind::Forest => Box::new(Forest::train(matrix, labels, &crate::forest::Config::default(), seed)?),
        Kind::Boost => Box::new(Boost::train(matrix, labels, &crate::boost::Config::default(), seed)?),
    })
}

/// Reads a model that [`RiskModel::to_bytes`] wrote.
///
/// # Errors
/// If the bytes are no model, or of a format this program does not know.
pub fn from_bytes(bytes: &[u8]) -> Result<Box<dyn RiskModel>, Error> {
    let (format, kind): (u32, Kind) = {
        let mut reader = rmp_serde::Deserializer::from_read_ref(bytes);
        let head = Head::deserialize(&mut reader).map_err(|source| Error::Decode { source })?;
        (head.0, head.1)
    };
    if format != FORMAT {
        return Err(Error::Format { found: format, known: FORMAT });
    }
    Ok(match kind {
        Kind::Logistic => Box::new(stored::<Logistic>(bytes)?),
        Kind::Forest => Box::new(stored::<Forest>(bytes)?),
        Kind::Boost => Box::new(stored::<Boost>(bytes)?),
    })
}

/// The first two fields of every stored model; what follows depends on the second.
#[derive(Deserialize)]
struct Head(u32, Kind, serde::de::IgnoredAny);

#[derive(Serialize, Deserialize)]
struct Stored<M>(u32, Kind, M);

fn stored<M: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<M, Error> {
    rmp_serde::from_slice::<Stored<M>>(bytes).map(|it| it.2).map_err(|source| Error::Decode { source })
}

pub(crate) fn store<M: Serialize>(kind: Kind, model: &M) -> Result<Vec<u8>, Error> {
    rmp_serde::to_vec(&Stored(FORMAT, kind, model)).map_err(|source| Error::Encode { what: "model", source: Box::new(source) })
}

/// Refuses what no model can learn from.
pub(crate) fn expect_learnable(matrix: &Matrix, labels: &[bool]) -> Result<(), Error> {
    refuse_sensitive(matrix.features())?;
    let (n_rows, n_features) = (matrix.keys().len(), matrix.features().len());
    if labels.len() != n_rows {
        return Err(Error::Length { what: "labels, one a row", expected: n_rows, found: labels.len() });
    }
    let n_positive = labels.iter().filter(|it| **it).count();
    if n_positive == 0 || n_positive == n_rows || n_features == 0 {
        return Err(Error::NothingToLearn { n_rows, n_positive, n_features });
    }
    Ok(())
}

/// The random numbers of one part of a computation, independent of which thread does it and when.
pub(crate) fn random(seed: u64, part: u64) -> Xoshiro256PlusPlus {
    // The odd constant of splitmix64 sets neighbouring parts far apart.
    Xoshiro256PlusPlus::seed_from_u64(seed ^ part.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;
    use rand::Rng;
    use rand::seq::SliceRandom;

    use super::*;
    use crate::matrix::RowKey;
    use crate::metrics::auroc;

    /// A new kind of model stands here too, and is held to the same promises.
    const KINDS: [Kind; 3] = [Kind::Logistic, Kind::Forest, Kind::Boost];

    /// Rows with two measures that matter, one that does not, and every seventh value missing.
    fn campus(n: usize, seed: u64) -> (Vec<RowKey>, Vec<String>, Array2<f64>, Vec<bool>) {
        let mut random = random(seed, 0);
        let keys: Vec<RowKey> =
            (0..n).map(|it| RowKey { as_of_on: (it % 4) as i32 * 7, student_key: 1000 + it as i64 }).collect();
        let mut values = Array2::from_shape_fn((n, 3), |_| random.gen_range(-1.0..1.0));
        let labels = (0..n).map(|row| random.gen_range(-1.0..1.0) < 1.5 * values[[row, 0]] + values[[row, 1]] - 1.2).collect();
        for row in (0..n).step_by(7) {
            values[[row, row % 3]] = f64::NAN;
        }
        (keys, ["absence", "breakfast", "noise"].map(str::to_owned).to_vec(), values, labels)
    }

    fn matrix(n: usize, seed: u64) -> (Matrix, Vec<bool>) {
        let (keys, features, values, labels) = campus(n, seed);
        let matrix = Matrix::from_wide(&keys, &features, values.view()).unwrap();
        (matrix.clone(), labels_of(&matrix, &keys, &labels))
    }

    fn labels_of(matrix: &Matrix, keys: &[RowKey], labels: &[bool]) -> Vec<bool> {
        matrix.keys().iter().map(|key| labels[keys.iter().position(|it| it == key).unwrap()]).collect()
    }

    #[test]
    fn every_kind_ranks_new_students_far_better_than_chance() {
        let (train_rows, train_labels) = matrix(1500, 1);
        let (test_rows, test_labels) = matrix(800, 2);
        for kind in KINDS {
            let model = train(kind, &train_rows, &train_labels, 7).unwrap();
            let area = auroc(&model.score(&test_rows).unwrap(), &test_labels).unwrap();
            // Inverted classes would give 0.1 here.
            assert!(0.85 < area, "{kind:?} reaches {area}");
        }
    }

    #[test]
    fn logistic_is_not_inverted_when_the_positive_class_is_the_larger_one() {
        let (rows, labels) = matrix(600, 3);
        let flipped: Vec<bool> = labels.iter().map(|it| !it).collect();
        for labels in [&labels, &flipped] {
            let model = train(Kind::Logistic, &rows, labels, 0).unwrap();
            assert!(0.85 < auroc(&model.score(&rows).unwrap(), labels).unwrap());
        }
    }

    #[test]
    fn the_same_rows_in_another_order_make_the_same_bytes() {
        let (keys, features, values, labels) = campus(400, 5);
        let mut order: Vec<usize> = (0..keys.len()).collect();
        order.shuffle(&mut random(9, 9));
        let other_keys: Vec<RowKey> = order.iter().map(|it| keys[*it]).collect();
        let other_labels: Vec<bool> = order.iter().map(|it| labels[*it]).collect();
        let other_values = values.select(ndarray::Axis(0), &order);

        let one = Matrix::from_wide(&keys, &features, values.view()).unwrap();
        let other = Matrix::from_wide(&other_keys, &features, other_values.view()).unwrap();
        let one_labels = labels_of(&one, &keys, &labels);
        let other_labels = labels_of(&other, &other_keys, &other_labels);
        for kind in KINDS {
            let a = train(kind, &one, &one_labels, 11).unwrap().to_bytes().unwrap();
            let b = train(kind, &other, &other_labels, 11).unwrap().to_bytes().unwrap();
            assert!(a == b, "{kind:?}");
        }
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let (rows, labels) = matrix(500, 6);
        let forest = |threads| {
            let config = crate::forest::Config { threads, trees: 21, ..Default::default() };
            Forest::train(&rows, &labels, &config, 3).unwrap().to_bytes().unwrap()
        };
        assert!(forest(1) == forest(4));
        let boost = |threads| {
            let config = crate::boost::Config { threads, ..Default::default() };
            Boost::train(&rows, &labels, &config, 3).unwrap().to_bytes().unwrap()
        };
        assert!(boost(1) == boost(4));
    }

    #[test]
    fn another_seed_makes_another_forest() {
        let (rows, labels) = matrix(300, 6);
        let bytes = |seed| train(Kind::Forest, &rows, &labels, seed).unwrap().to_bytes().unwrap();
        assert!(bytes(1) == bytes(1));
        assert!(bytes(1) != bytes(2));
    }

    #[test]
    fn a_model_read_back_scores_the_same_bits() {
        let (rows, labels) = matrix(300, 8);
        for kind in KINDS {
            let model = train(kind, &rows, &labels, 4).unwrap();
            let bytes = model.to_bytes().unwrap();
            let read = from_bytes(&bytes).unwrap();
            assert_eq!(read.kind(), kind);
            assert_eq!(read.features(), rows.features());
            let bits =
                |model: &dyn RiskModel| -> Vec<u64> { model.score(&rows).unwrap().into_iter().map(f64::to_bits).collect() };
            assert_eq!(bits(&*model), bits(&*read), "{kind:?}");
            assert!(read.to_bytes().unwrap() == bytes);
        }
    }

    #[test]
    fn contributions_add_up_to_the_score() {
        let (rows, labels) = matrix(300, 8);
        for kind in KINDS {
            let model = train(kind, &rows, &labels, 4).unwrap();
            let scores = model.score(&rows).unwrap();
            let parts = model.contributions(&rows).unwrap();
            for (row, score) in scores.iter().enumerate() {
                let sum = parts.baseline + parts.values.row(row).sum();
                assert!((parts.scale.score(sum) - score).abs() < 1e-9, "{kind:?} row {row}");
            }
            let of = |column: usize| parts.values.column(column).iter().map(|it| it.abs()).sum::<f64>();
            assert!(of(2) < of(0), "{kind:?}: noise explains more than absence");
        }
    }

    #[test]
    fn shuffled_labels_teach_nothing() {
        let (rows, labels) = matrix(1500, 12);
        let (test_rows, test_labels) = matrix(1500, 13);
        let shuffled = |labels: &[bool], seed: u64| {
            let mut labels = labels.to_vec();
            labels.shuffle(&mut random(seed, 0));
            labels
        };
        let area = |model: &dyn RiskModel, labels: &[bool]| auroc(&model.score(&test_rows).unwrap(), labels).unwrap();
        for kind in KINDS {
            let honest = train(kind, &rows, &labels, 5).unwrap();
            assert!(0.85 < area(&*honest, &test_labels));
            let against = area(&*honest, &shuffled(&test_labels, 2));
            assert!((against - 0.5).abs() < 0.06, "{kind:?} reaches {against} against shuffled outcomes");
            let taught = train(kind, &rows, &shuffled(&labels, 1), 5).unwrap();
            let taught = area(&*taught, &shuffled(&test_labels, 3));
            assert!((taught - 0.5).abs() < 0.06, "{kind:?} reaches {taught} having learnt from shuffled outcomes");
        }
        // Against true outcomes a single shuffle points anywhere; many of them point nowhere.
        let areas = (0..30).map(|seed| area(&*train(Kind::Logistic, &rows, &shuffled(&labels, seed), 0).unwrap(), &test_labels));
        let mean = areas.sum::<f64>() / 30.0;
        assert!((mean - 0.5).abs() < 0.1, "shuffled outcomes teach {mean} on average");
    }

    #[test]
    fn what_cannot_be_learnt_is_refused() {
        let (rows, _) = matrix(50, 8);
        for kind in KINDS {
            assert!(matches!(train(kind, &rows, &[true; 50], 0), Err(Error::NothingToLearn { n_positive: 50, .. })));
            assert!(matches!(train(kind, &rows, &[true; 49], 0), Err(Error::Length { .. })));
        }
    }

    #[test]
    fn other_measures_are_refused_at_scoring() {
        let (rows, labels) = matrix(100, 8);
        let fewer = Matrix::from_wide(rows.keys(), &rows.features()[..2], rows.values().split_at(ndarray::Axis(1), 2).0).unwrap();
        for kind in KINDS {
            let model = train(kind, &rows, &labels, 0).unwrap();
            assert!(matches!(model.score(&fewer), Err(Error::OtherFeatures { .. })));
            assert!(matches!(model.contributions(&fewer), Err(Error::OtherFeatures { .. })));
        }
    }

    #[test]
    fn bytes_that_are_no_model_are_refused() {
        assert!(matches!(from_bytes(b"nonsense"), Err(Error::Decode { .. })));
        let foreign = rmp_serde::to_vec(&Stored(FORMAT + 1, Kind::Forest, 0_u8)).unwrap();
        assert!(matches!(from_bytes(&foreign), Err(Error::Format { .. })));
    }
}
