//! Balanced bagging of trees: each tree sees as many positive rows as negative ones, the score is the share of votes.
//!
//! linfa's trees are grown with four precautions, each against something they do (see the README): values become ranks, a
//! row drawn twice becomes a weight, weights can never tie, and the covers of the nodes are counted again afterwards. What
//! remains is a table of nodes of our own.

use std::num::NonZeroUsize;

use linfa::Dataset;
use linfa::traits::Fit;
use linfa_trees::{DecisionTree, TreeNode};
use ndarray::{Array1, Array2, ArrayView1};
use rand::Rng;
use rand::seq::index;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::matrix::Matrix;
use crate::model::{Contributions, Kind, RiskModel, Scale, expect_learnable, random, store};

/// Most rows of one class in a bag: with more, weights would no longer be exact in the 24 bits of a single.
const DRAWS_MAX: usize = 2047;
/// Extra weight of a positive row. At most 2047 of them never add up to one negative row, so no node ties.
const EDGE: f32 = 1.0 / 2048.0;
/// Ranks of a measure.
const RANKS: usize = 1024;

/// What can be set.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Trees that vote, at least 1; an odd number cannot tie.
    pub trees: usize,
    /// Questions on the longest path of a tree, at least 1.
    pub depth: usize,
    /// Least rows of a leaf, counted with their weight.
    pub leaf: f32,
    /// Share of the measures each tree may ask about, above 0, at most 1.
    pub measures: f64,
    /// Trees grown at once; changes nothing but the time.
    pub threads: usize,
}

impl Default for Config {
    fn default() -> Config {
        Config { trees: 201, depth: 10, leaf: 5.0, measures: 0.6, threads: 1 }
    }
}

/// A grown forest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Forest {
    features: Vec<String>,
    /// Per feature: upper bounds of the ranks, ascending.
    cuts: Vec<Vec<f64>>,
    trees: Vec<Vec<Node>>,
}

/// A node; children stand behind their parent, the first is the root.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Node {
    /// `None` is a leaf.
    split: Option<Split>,
    /// Share of the training rows below this node that end in a leaf voting "at risk": 0 or 1 in a leaf.
    votes: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Split {
    feature: u32,
    /// A rank below it goes left.
    below: f32,
    left: u32,
    right: u32,
}

impl Forest {
    /// Grows the trees.
    ///
    /// # Errors
    /// If there is nothing to learn from, a measure is sensitive, a setting is out of its range, or a tree cannot be grown.
    pub fn train(matrix: &Matrix, labels: &[bool], config: &Config, seed: u64) -> Result<Forest, Error> {
        expect_learnable(matrix, labels)?;
        expect(config)?;
        let cuts: Vec<Vec<f64>> = matrix.values().columns().into_iter().map(cuts).collect();
        let ranks = ranks(&cuts, matrix);
        let (positive, negative): (Vec<usize>, Vec<usize>) = (0..labels.len()).partition(|row| labels[*row]);

        let grow = |number: usize| -> Result<Vec<Node>, Error> {
            let bag = Bag::draw(&positive, &negative, ranks.ncols(), config, seed, number as u64);
            let mut nodes = bag.grow(&ranks, config)?;
            count(&mut nodes, &ranks);
            Ok(nodes)
        };
        let threads = NonZeroUsize::new(config.threads).map_or(1, NonZeroUsize::get).min(config.trees);
        let trees: Vec<Vec<Node>> = std::thread::scope(|scope| {
            // Every thread takes each n-th tree; a tree depends on its number only.
            let workers: Vec<_> = (0..threads)
                .map(|first| {
                    let grow = &grow;
                    scope.spawn(move || (first..config.trees).step_by(threads).map(grow).collect::<Result<Vec<_>, _>>())
                })
                .collect();
            let mut parts = Vec::with_capacity(threads);
            for worker in workers {
                parts.push(worker.join().expect("growing a tree does not panic")?.into_iter());
            }
            Ok::<_, Error>((0..config.trees).filter_map(|number| parts[number % threads].next()).collect())
        })?;
        Ok(Forest { features: matrix.features().to_vec(), cuts, trees })
    }
}

fn expect(config: &Config) -> Result<(), Error> {
    let refuse = |setting, value: String, allowed| Err(Error::Setting { setting, value, allowed });
    if config.trees == 0 {
        return refuse("trees", config.trees.to_string(), "at least 1");
    }
    if config.depth == 0 {
        return refuse("depth", config.depth.to_string(), "at least 1");
    }
    if !(0.0 < config.measures && config.measures <= 1.0) {
        return refuse("measures", config.measures.to_string(), "above 0 and at most 1");
    }
    if !(1.0..f32::INFINITY).contains(&config.leaf) {
        return refuse("leaf", config.leaf.to_string(), "at least 1");
    }
    Ok(())
}

/// Bounds between neighbouring values, at most `RANKS` of them, at even counts of rows.
fn cuts(column: ArrayView1<'_, f64>) -> Vec<f64> {
    let mut known: Vec<f64> = column.iter().copied().filter(|it| !it.is_nan()).collect();
    known.sort_unstable_by(f64::total_cmp);
    let step = known.len().div_ceil(RANKS).max(1);
    let mut cuts: Vec<f64> = known.into_iter().step_by(step).collect();
    cuts.dedup();
    cuts
}

/// Ranks instead of values: linfa takes values closer than 1e-5 for equal, whatever their unit. A missing value is 0 and
/// known ones start at 2, so a tree can ask "is it known" like any other question.
fn ranks(cuts: &[Vec<f64>], matrix: &Matrix) -> Array2<f32> {
    let values = matrix.values();
    Array2::from_shape_fn(values.raw_dim(), |(row, column)| rank(&cuts[column], values[[row, column]]))
}

fn rank(cuts: &[f64], value: f64) -> f32 {
    if value.is_nan() { 0.0 } else { 2.0 + cuts.partition_point(|cut| *cut <= value) as f32 }
}

/// The rows and measures of one tree.
struct Bag {
    rows: Vec<usize>,
    weights: Vec<f32>,
    labels: Vec<bool>,
    columns: Vec<usize>,
}

impl Bag {
    fn draw(positive: &[usize], negative: &[usize], n_columns: usize, config: &Config, seed: u64, number: u64) -> Bag {
        let mut random = random(seed, number);
        let draws = positive.len().min(negative.len()).min(DRAWS_MAX);
        let mut bag = Bag { rows: Vec::new(), weights: Vec::new(), labels: Vec::new(), columns: Vec::new() };
        for (rows, label, one) in [(negative, false, 1.0), (positive, true, 1.0 + EDGE)] {
            let mut drawn: Vec<usize> = (0..draws).map(|_| rows[random.gen_range(0..rows.len())]).collect();
            drawn.sort_unstable();
            for same in drawn.chunk_by(|a, b| a == b) {
                bag.rows.push(same[0]);
                bag.weights.push(one * same.len() as f32);
                bag.labels.push(label);
            }
        }
        let n = ((n_columns as f64 * config.measures).ceil() as usize).clamp(1, n_columns);
        bag.columns = index::sample(&mut random, n_columns, n).into_vec();
        bag.columns.sort_unstable();
        bag
    }

    fn grow(&self, ranks: &Array2<f32>, config: &Config) -> Result<Vec<Node>, Error> {
        let records = Array2::from_shape_fn((self.rows.len(), self.columns.len()), |(row, column)| {
            ranks[[self.rows[row], self.columns[column]]]
        });
        let data =
            Dataset::new(records, Array1::from_vec(self.labels.clone())).with_weights(Array1::from_vec(self.weights.clone()));
        let tree = DecisionTree::params()
            .max_depth(Some(config.depth))
            .min_weight_split(2.0 * config.leaf)
            .min_weight_leaf(config.leaf)
            .fit(&data)
            .map_err(|source| Error::Fit { kind: "forest", source: Box::new(source) })?;
        let mut nodes = Vec::new();
        self.copy(tree.root_node(), &mut nodes);
        Ok(nodes)
    }

    /// Copies a node and what is below it, the parent before its children; returns where it stands.
    fn copy(&self, node: &TreeNode<f32, bool>, nodes: &mut Vec<Node>) -> u32 {
        let here = nodes.len() as u32;
        let vote = node.prediction().is_some_and(|it| it);
        nodes.push(Node { split: None, votes: f64::from(u8::from(vote)) });
        if let [Some(left), Some(right)] = node.children()[..] {
            let (column, below, _) = node.split();
            let feature = self.columns[column] as u32;
            let left = self.copy(left, nodes);
            let right = self.copy(right, nodes);
            nodes[here as usize].split = Some(Split { feature, below, left, right });
        }
        here
    }
}

/// Sends all training rows down a tree and sets the votes of its inner nodes: bags are balanced, the campus is not.
fn count(nodes: &mut [Node], ranks: &Array2<f32>) {
    let mut covers = vec![0_u32; nodes.len()];
    for row in ranks.rows() {
        walk(nodes, |feature| row[feature], |node| covers[node] += 1);
    }
    // Children stand behind their parent, so going backwards they are done first.
    for at in (0..nodes.len()).rev() {
        if let Some(Split { left, right, .. }) = nodes[at].split {
            let (left, right) = (left as usize, right as usize);
            let (n_left, n_right) = (f64::from(covers[left]), f64::from(covers[right]));
            let (left, right) = (nodes[left].votes, nodes[right].votes);
            // A node that no row of the campus reaches: both children count the same.
            nodes[at].votes = if n_left + n_right == 0.0 {
                (left + right) / 2.0
            } else {
                (n_left * left + n_right * right) / (n_left + n_right)
            };
        }
    }
}

/// Follows one row from the root to its leaf and returns the leaf.
fn walk(nodes: &[Node], rank: impl Fn(usize) -> f32, mut visit: impl FnMut(usize)) -> usize {
    let mut at = 0;
    loop {
        visit(at);
        let Some(split) = &nodes[at].split else { return at };
        at = if rank(split.feature as usize) < split.below { split.left } else { split.right } as usize;
    }
}

impl RiskModel for Forest {
    fn kind(&self) -> Kind {
        Kind::Forest
    }

    fn features(&self) -> &[String] {
        &self.features
    }

    fn score(&self, matrix: &Matrix) -> Result<Vec<f64>, Error> {
        matrix.expect_features(&self.features)?;
        let ranks = ranks(&self.cuts, matrix);
        let votes = ranks
            .rows()
            .into_iter()
            .map(|row| self.trees.iter().map(|nodes| nodes[walk(nodes, |feature| row[feature], |_| ())].votes).sum::<f64>());
        Ok(votes.map(|it| it / self.trees.len() as f64).collect())
    }

    fn contributions(&self, matrix: &Matrix) -> Result<Contributions, Error> {
        matrix.expect_features(&self.features)?;
        let ranks = ranks(&self.cuts, matrix);
        let share = 1.0 / self.trees.len() as f64;
        let mut values = Array2::zeros(matrix.values().raw_dim());
        for (row, mut adds) in ranks.rows().into_iter().zip(values.rows_mut()) {
            for nodes in &self.trees {
                let mut before: Option<usize> = None;
                walk(
                    nodes,
                    |feature| row[feature],
                    |at| {
                        if let Some(parent) = before
                            && let Some(split) = &nodes[parent].split
                        {
                            adds[split.feature as usize] += share * (nodes[at].votes - nodes[parent].votes);
                        }
                        before = Some(at);
                    },
                );
            }
        }
        let baseline = self.trees.iter().map(|nodes| nodes[0].votes).sum::<f64>() * share;
        Ok(Contributions { scale: Scale::Share, baseline, values })
    }

    fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        store(Kind::Forest, self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weights_of_a_bag_cannot_tie() {
        // The worst node has all positives against any number of negatives: exact in singles, and never equal.
        for n_positive in 1..=DRAWS_MAX {
            let weight = n_positive as f32 * (1.0 + EDGE);
            assert_eq!(f64::from(weight), n_positive as f64 * (1.0 + 1.0 / 2048.0), "{n_positive} are exact");
            assert_ne!(weight.fract(), 0.0, "{n_positive} positives equal a number of negatives");
        }
    }

    #[test]
    fn ranks_keep_the_order_and_set_the_missing_apart() {
        let column = Array1::from_vec(vec![3e-9, 1e-9, f64::NAN, 2e-9]);
        let cuts = cuts(column.view());
        let ranks: Vec<f32> = column.iter().map(|it| rank(&cuts, *it)).collect();
        assert_eq!(ranks, [5.0, 3.0, 0.0, 4.0]);
        assert_eq!(rank(&cuts, 0.0), 2.0);
    }

    #[test]
    fn a_setting_out_of_range_is_refused() {
        for config in [
            Config { trees: 0, ..Config::default() },
            Config { depth: 0, ..Config::default() },
            Config { measures: 0.0, ..Config::default() },
            Config { leaf: f32::NAN, ..Config::default() },
        ] {
            assert!(matches!(expect(&config), Err(Error::Setting { .. })), "{config:?}");
        }
    }
}
