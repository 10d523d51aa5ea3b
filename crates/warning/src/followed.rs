//! From offers that were followed up or not to the effect of doing so.
//!
//! Two models say of each student how likely somebody was to speak with them, and how likely a change would still be found
//! without it. Each is learnt from one half of the students and speaks of the other, so no one's own outcome is in what was
//! predicted of them. Pairs alike in both are then compared ([`crate::effect`](fn@crate::effect)).

use ndarray::Array2;

use crate::calibrate::{Isotonic, Past};
use crate::effect::{Candidate, Effect, effect};
use crate::error::Error;
use crate::matrix::{Matrix, RowKey};
use crate::model::{Kind, train};

/// Fewer of either kind in a half teach nothing.
pub const OF_EITHER_MIN: usize = 10;

/// A student whose weeks had changed, and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Followed {
    /// The student, and the day of the finding.
    pub key: RowKey,
    /// What was known on that day, in the order of their names; NaN is missing.
    pub features: Vec<f64>,
    /// Somebody spoke with the student soon after.
    pub is_contacted: bool,
    /// A change is still found some weeks later.
    pub is_found: bool,
}

/// The effect of following up; `None` where there is too little to learn from.
///
/// # Shape
/// One row a student, ascending by day and student; `names` are those of the features.
///
/// # Errors
/// If a row has another number of features than there are names, or a name may be no input.
pub fn followed(names: &[String], rows: &[Followed]) -> Result<Option<Effect>, Error> {
    if let Some(odd) = rows.iter().find(|it| it.features.len() != names.len()) {
        return Err(Error::Length { what: "features of a student", expected: names.len(), found: odd.features.len() });
    }
    // How it would have gone without anybody is learnt from those with whom nobody spoke.
    let risk = halves(names, rows, &|it| (!it.is_contacted).then_some(it.is_found))?;
    let propensity = halves(names, rows, &|it| Some(it.is_contacted))?;
    let (Some(risk), Some(propensity)) = (risk, propensity) else { return Ok(None) };
    let candidates: Vec<Candidate> = rows
        .iter()
        .zip(risk.iter().zip(&propensity))
        .map(|(it, (risk, propensity))| Candidate {
            student_key: it.key.student_key,
            risk: *risk,
            propensity: *propensity,
            is_treated: it.is_contacted,
            outcome: it.is_found,
        })
        .collect();
    effect(&candidates).map(Some)
}

/// Probabilities of each half by a model of the other.
fn halves(names: &[String], rows: &[Followed], label: &dyn Fn(&Followed) -> Option<bool>) -> Result<Option<Vec<f64>>, Error> {
    let half = |it: &Followed| it.key.student_key.rem_euclid(2);
    let mut probabilities = vec![0.0; rows.len()];
    for own in 0..2 {
        let (places, labels): (Vec<usize>, Vec<bool>) =
            (0..rows.len()).filter(|it| half(&rows[*it]) != own).filter_map(|it| Some((it, label(&rows[it])?))).unzip();
        let positive = labels.iter().filter(|it| **it).count();
        if positive < OF_EITHER_MIN || labels.len() - positive < OF_EITHER_MIN {
            return Ok(None);
        }
        let known = matrix(names, rows, &places)?;
        let model = train(Kind::Logistic, &known, &labels, 1)?;
        let past =
            |((place, score), label): ((&usize, f64), &bool)| Past { as_of_on: rows[*place].key.as_of_on, score, label: *label };
        let past: Vec<Past> = places.iter().zip(model.score(&known)?).zip(&labels).map(past).collect();
        let calibration = Isotonic::fit(&past, i32::MAX)?;
        let scored: Vec<usize> = (0..rows.len()).filter(|it| half(&rows[*it]) == own).collect();
        if scored.is_empty() {
            continue;
        }
        for (place, score) in scored.iter().zip(model.score(&matrix(names, rows, &scored)?)?) {
            probabilities[*place] = calibration.probability(score);
        }
    }
    Ok(Some(probabilities))
}

fn matrix(names: &[String], rows: &[Followed], places: &[usize]) -> Result<Matrix, Error> {
    let keys: Vec<RowKey> = places.iter().map(|it| rows[*it].key).collect();
    let values = Array2::from_shape_fn((places.len(), names.len()), |(row, column)| rows[places[row]].features[column]);
    Matrix::from_wide(&keys, names, values.view())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::{Doubt, Verdict};

    fn estimate(rows: &[Followed]) -> Result<Option<Effect>, Error> {
        followed(&["strength".to_owned(), "days_since".to_owned()], rows)
    }

    /// A number in `[0, 1)` that is the same for the same place.
    fn chance(of: u64, key: u64) -> f64 {
        let it = (of << 48 ^ key).wrapping_add(0x9E37_79B9_7F4A_7C15).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let it = (it ^ (it >> 30)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((it ^ (it >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Students worse off are contacted oftener and stay changed oftener; a contact takes off so much.
    fn students(students: u64, helps: f64) -> Vec<Followed> {
        let one = |key: u64| {
            let bad = chance(1, key);
            let is_contacted = chance(2, key) < 0.2 + 0.6 * bad;
            let stays = 0.2 + 0.5 * bad - if is_contacted { helps } else { 0.0 };
            Followed {
                key: RowKey { as_of_on: 20_000, student_key: key as i64 },
                features: vec![4.0 + 8.0 * bad, 7.0],
                is_contacted,
                is_found: chance(3, key) < stays,
            }
        };
        (0..students).map(one).collect()
    }

    #[test]
    fn where_contacts_do_nothing_none_is_said_though_the_worse_off_are_contacted() {
        let found = estimate(&students(3000, 0.0)).expect("an estimate").expect("enough students");
        assert_eq!(found.verdict, Verdict::NoEffect, "{found:?}");
    }

    #[test]
    fn a_real_effect_is_seen_and_a_great_one_is_doubted() {
        let found = estimate(&students(3000, 0.2)).expect("an estimate").expect("enough students");
        assert_eq!(found.verdict, Verdict::Less, "{found:?}");
        assert!(found.lift.is_some_and(|it| it.low < -0.2 && -0.2 < it.high), "{found:?}");
        assert!(found.doubts.contains(&Doubt::TooGood), "{found:?}");
    }

    #[test]
    fn of_a_handful_nothing_is_said() {
        assert!(estimate(&students(30, 0.2)).expect("an answer").is_none());
        assert!(estimate(&[]).expect("an answer").is_none());
    }
}
