//! Whether acting on warnings helped.
//!
//! Students somebody talked to are worse off than others, because that is why somebody talked to them. So each is matched
//! with one nobody talked to, alike in risk and in how likely a talk was, and both are compared with what was predicted.
//! That removes what is measured and nothing else, so the answer carries its doubts with it.

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::interval::Estimate;
use crate::metrics::ratio;

/// Widest distance of a pair, in standard deviations of the log odds.
const CALIPER: f64 = 0.2;
/// Quantile of the normal distribution for 99 %.
const NORMAL_99: f64 = 2.576;

/// One student at the moment of the decision, and what came.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Pseudonymous; breaks ties between equally good partners.
    pub student_key: i64,
    /// Predicted probability of the outcome before anybody acted, calibrated.
    pub risk: f64,
    /// Predicted probability that somebody acts.
    pub propensity: f64,
    /// Somebody acted.
    pub is_treated: bool,
    /// The outcome came.
    pub outcome: bool,
}

/// A reason to doubt an estimate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// Fewer than 200 students were acted on.
    FewStudents,
    /// Fewer than 70 % of them found a partner: the rest are like nobody.
    FewMatches,
    /// The two groups overlap by less than 85 % after matching.
    NotAlike,
    /// More than five percentage points with more than 500 students: too good to be true.
    TooGood,
}

/// What can be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Fewer than two pairs.
    TooFew,
    /// The interval holds 0.
    NoEffect,
    /// The outcome came less often than without action.
    Less,
    /// The outcome came more often than without action.
    More,
}

/// An effect of action, with its doubts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// What can be said.
    pub verdict: Verdict,
    /// `(actual - predicted)` of the treated minus that of their partners: a share, negative where the outcome became
    /// rarer, with its 99 % interval. `None` with fewer than two pairs.
    pub lift: Option<Estimate>,
    /// Students somebody acted on.
    pub n_treated: u64,
    /// Of them with a partner.
    pub n_matched: u64,
    /// Share of the treated with a partner.
    pub match_rate: Option<f64>,
    /// Overlap of the two groups in risk and propensity, the worse of the two, 0 to 1.
    pub similarity: Option<f64>,
    /// Reasons to doubt the lift.
    pub doubts: Vec<Doubt>,
}

/// Estimates the effect by pairs alike in risk and propensity, each partner used once.
///
/// # Shape
/// One candidate a student, in any order.
///
/// # Errors
/// If a probability lies outside `[0, 1]`.
///
/// # Source
/// Lift and doubts as Civitas Learning reports them; caliper of Austin (2011).
pub fn effect(candidates: &[Candidate]) -> Result<Effect, Error> {
    for it in candidates {
        for (setting, value) in [("risk", it.risk), ("propensity", it.propensity)] {
            if !(0.0..=1.0).contains(&value) {
                return Err(Error::Setting { setting, value: value.to_string(), allowed: "from 0 to 1" });
            }
        }
    }
    let mut candidates = candidates.to_vec();
    candidates.sort_by_key(|it| it.student_key);
    let place = places(&candidates);
    let n_treated = candidates.iter().filter(|it| it.is_treated).count() as u64;
    let pairs = pairs(&candidates, &place);

    let differences: Vec<f64> =
        pairs.iter().map(|(treated, other)| surprise(&candidates[*treated]) - surprise(&candidates[*other])).collect();
    let n = differences.len() as f64;
    let lift = (2 <= differences.len()).then(|| {
        let value = differences.iter().sum::<f64>() / n;
        let variance = differences.iter().map(|it| (it - value).powi(2)).sum::<f64>() / (n - 1.0);
        let reach = NORMAL_99 * (variance / n).sqrt();
        Estimate { value, low: value - reach, high: value + reach }
    });
    let verdict = match lift {
        None => Verdict::TooFew,
        Some(it) if it.holds(0.0) => Verdict::NoEffect,
        Some(it) if it.value < 0.0 => Verdict::Less,
        Some(_) => Verdict::More,
    };
    let match_rate = ratio(n, n_treated as f64);
    let similarity = overlap(&candidates, &pairs, |it| it.risk)
        .zip(overlap(&candidates, &pairs, |it| it.propensity))
        .map(|(risk, propensity)| risk.min(propensity));

    let mut doubts = Vec::new();
    if n_treated < 200 {
        doubts.push(Doubt::FewStudents);
    }
    if match_rate.is_some_and(|it| it < 0.7) {
        doubts.push(Doubt::FewMatches);
    }
    if similarity.is_some_and(|it| it < 0.85) {
        doubts.push(Doubt::NotAlike);
    }
    if 500 < n_treated && lift.is_some_and(|it| 0.05 < it.value.abs()) {
        doubts.push(Doubt::TooGood);
    }
    Ok(Effect { verdict, lift, n_treated, n_matched: pairs.len() as u64, match_rate, similarity, doubts })
}

/// What came minus what was predicted.
fn surprise(candidate: &Candidate) -> f64 {
    f64::from(u8::from(candidate.outcome)) - candidate.risk
}

/// Risk and propensity as log odds in units of their own deviation, where one step means the same everywhere.
fn places(candidates: &[Candidate]) -> Vec<[f64; 2]> {
    let log_odds = |it: f64| {
        // Certainty would be infinitely far from everybody.
        let it = it.clamp(1e-4, 1.0 - 1e-4);
        (it / (1.0 - it)).ln()
    };
    let mut places: Vec<[f64; 2]> = candidates.iter().map(|it| [log_odds(it.risk), log_odds(it.propensity)]).collect();
    let n = places.len().max(1) as f64;
    for axis in 0..2 {
        let mean = places.iter().map(|it| it[axis]).sum::<f64>() / n;
        let deviation = (places.iter().map(|it| (it[axis] - mean).powi(2)).sum::<f64>() / n).sqrt();
        let deviation = if 0.0 < deviation { deviation } else { 1.0 };
        for place in &mut places {
            place[axis] /= deviation;
        }
    }
    places
}

/// Pairs of treated and partner: the treated who were likeliest to be treated choose first, having the fewest partners.
fn pairs(candidates: &[Candidate], place: &[[f64; 2]]) -> Vec<(usize, usize)> {
    let (mut treated, mut others): (Vec<usize>, Vec<usize>) = (0..candidates.len()).partition(|it| candidates[*it].is_treated);
    treated.sort_by(|a, b| place[*b][1].total_cmp(&place[*a][1]).then(a.cmp(b)));
    others.sort_by(|a, b| place[*a][1].total_cmp(&place[*b][1]).then(a.cmp(b)));
    let mut is_free = vec![true; others.len()];
    let mut pairs = Vec::new();
    for it in treated {
        let from = others.partition_point(|other| place[*other][1] < place[it][1] - CALIPER);
        let mut best: Option<(f64, usize)> = None;
        for at in from..others.len() {
            let other = others[at];
            if place[it][1] + CALIPER < place[other][1] {
                break;
            }
            let apart = [place[it][0] - place[other][0], place[it][1] - place[other][1]];
            let distance = apart[0].hypot(apart[1]);
            if is_free[at] && apart[0].abs() <= CALIPER && best.is_none_or(|(least, _)| distance < least) {
                best = Some((distance, at));
            }
        }
        if let Some((_, at)) = best {
            is_free[at] = false;
            pairs.push((it, others[at]));
        }
    }
    pairs
}

/// Share of two histograms by tenths that lies in both.
///
/// All the treated count, not only those with a partner: who is like nobody is what the number is to show.
fn overlap(candidates: &[Candidate], pairs: &[(usize, usize)], of: impl Fn(&Candidate) -> f64) -> Option<f64> {
    let tenth = |it: f64| ((it * 10.0) as usize).min(9);
    let (mut treated, mut others) = ([0.0; 10], [0.0; 10]);
    for it in candidates.iter().filter(|it| it.is_treated) {
        treated[tenth(of(it))] += 1.0;
    }
    for (_, other) in pairs {
        others[tenth(of(&candidates[*other]))] += 1.0;
    }
    let (n_treated, n_others) = (treated.iter().sum::<f64>(), others.iter().sum::<f64>());
    (!pairs.is_empty()).then(|| treated.iter().zip(others).map(|(a, b)| (a / n_treated).min(b / n_others)).sum())
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;
    use crate::model::random;

    /// Severity drives who is talked to and what comes; talks change the outcome by `change`.
    fn campus(n: i64, change: f64, seed: u64) -> Vec<Candidate> {
        let mut random = random(seed, 5);
        (0..n)
            .map(|student_key| {
                let severity: f64 = random.gen_range(0.0..1.0);
                // The model sees severity through noise; both of its scores are honest about what they see.
                let propensity = 0.05 + 0.5 * severity;
                let risk = 0.05 + 0.4 * severity;
                let is_treated = random.gen_range(0.0..1.0) < propensity;
                let chance = risk + if is_treated { change } else { 0.0 };
                let outcome = random.gen_range(0.0..1.0) < chance;
                Candidate { student_key, risk, propensity, is_treated, outcome }
            })
            .collect()
    }

    #[test]
    fn without_an_effect_none_is_found_although_the_worse_off_were_treated() {
        let (mut none, mut naive_none) = (0, 0);
        for seed in 0..200 {
            let rows = campus(1500, 0.0, seed);
            none += u32::from(effect(&rows).unwrap().verdict == Verdict::NoEffect);

            let rate = |is_treated: bool| {
                let rows = rows.iter().filter(|it| it.is_treated == is_treated);
                (rows.clone().filter(|it| it.outcome).count() as f64 / rows.clone().count() as f64, rows.count() as f64)
            };
            let ((a, n_a), (b, n_b)) = (rate(true), rate(false));
            let reach = NORMAL_99 * (a * (1.0 - a) / n_a + b * (1.0 - b) / n_b).sqrt();
            naive_none += u32::from((a - b).abs() <= reach);
        }
        assert!(190 <= none, "no effect in {none} of 200 runs");
        assert!(naive_none < 100, "the naive comparison is not confounded: {naive_none}");
    }

    #[test]
    fn a_true_effect_is_found_with_its_sign() {
        for (change, verdict) in [(-0.12, Verdict::Less), (0.15, Verdict::More)] {
            let rows: Vec<Candidate> = campus(4000, change, 3);
            let it = effect(&rows).unwrap();
            assert_eq!(it.verdict, verdict, "{it:?}");
            assert!((it.lift.unwrap().value - truth(&rows, change)).abs() < 0.05, "{it:?}");
            assert_eq!(it.doubts, [Doubt::TooGood], "more than five points with more than 500");
        }
    }

    /// What a change does to those treated: no chance falls below nothing.
    fn truth(rows: &[Candidate], change: f64) -> f64 {
        let treated = rows.iter().filter(|it| it.is_treated);
        let moved: Vec<f64> = treated.map(|it| (it.risk + change).clamp(0.0, 1.0) - it.risk).collect();
        moved.iter().sum::<f64>() / moved.len() as f64
    }

    #[test]
    fn the_interval_holds_a_true_effect_as_often_as_it_says() {
        let mut held = 0;
        for seed in 0..50 {
            let rows = campus(1500, 0.15, seed);
            held += u32::from(effect(&rows).unwrap().lift.unwrap().holds(truth(&rows, 0.15)));
        }
        // Of 50 intervals of 99 in a hundred, two or three miss at the very most.
        assert!(46 <= held, "{held} of 50 intervals hold the effect");
    }

    #[test]
    fn the_lift_of_two_pairs_by_hand() {
        let row = |student_key, risk, is_treated, outcome| Candidate { student_key, risk, propensity: 0.5, is_treated, outcome };
        let rows = [row(1, 0.3, true, false), row(2, 0.3, false, true), row(3, 0.8, true, true), row(4, 0.8, false, true)];
        let it = effect(&rows).unwrap();
        // Pairs: (0 - .3) - (1 - .3) = -1 and (1 - .8) - (1 - .8) = 0.
        assert_eq!(it.lift.map(|it| it.value), Some(-0.5));
        assert_eq!((it.n_treated, it.n_matched, it.match_rate, it.similarity), (2, 2, Some(1.0), Some(1.0)));
        assert_eq!((it.verdict, it.doubts), (Verdict::NoEffect, vec![Doubt::FewStudents]));
    }

    #[test]
    fn who_is_like_nobody_is_left_alone_and_doubted() {
        let row =
            |student_key, at: f64, is_treated| Candidate { student_key, risk: at, propensity: at, is_treated, outcome: false };
        let rows: Vec<Candidate> = (0..300)
            .map(|it| row(it, if it < 200 { 0.9 } else { 0.5 }, true))
            .chain((300..600).map(|it| row(it, if it < 400 { 0.5 } else { 0.05 }, false)))
            .collect();
        let it = effect(&rows).unwrap();
        assert_eq!((it.n_matched, it.doubts), (100, vec![Doubt::FewMatches, Doubt::NotAlike]));
    }

    #[test]
    fn nobody_treated_is_too_few_and_a_broken_probability_is_refused() {
        let mut rows = campus(50, 0.0, 1);
        rows.retain(|it| !it.is_treated);
        let it = effect(&rows).unwrap();
        assert_eq!((it.verdict, it.lift, it.match_rate), (Verdict::TooFew, None, None));
        rows[0].risk = f64::NAN;
        assert!(effect(&rows).is_err());
    }

    #[test]
    fn the_order_of_students_changes_nothing() {
        let mut rows = campus(400, 0.0, 9);
        let one = effect(&rows).unwrap();
        rows.reverse();
        assert_eq!(one, effect(&rows).unwrap());
    }
}
