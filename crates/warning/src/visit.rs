//! Recall relative to what visits saw: `recall_vs_visit`.
//!
//! A platform that only hears of students it has warned about never learns whom it missed. So a few rooms of every visit
//! plan are drawn at random, the visitor does not know which, and what the visits saw there, weighted by how likely the
//! room was to be visited, speaks for all rooms. A visit is no clinical assessment: everything here is relative to it.

use std::collections::{BTreeMap, BTreeSet};

use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::interval::{Estimate, share};
use crate::model::random;

/// Fewest persons seen in randomly drawn rooms for any statement.
pub const SEEN_MIN: u64 = 60;
/// Fewest persons with a warning who were seen.
pub const WARNED_MIN: u64 = 10;
/// Fewest persons in need that the visits found.
pub const NEED_MIN: u64 = 5;

/// A room of a plan, in the order in which the visitor is to see the plan.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PlannedRoom {
    /// The room.
    pub room_key: i64,
    /// How likely the room was to be in the plan. Never on the visitor's screen: 1 gives a chosen room away.
    pub probability: f64,
}

/// Draws the random rooms of a plan and mixes them with the chosen ones.
///
/// Every room that was not chosen has the same chance. The order is random over all rooms, so that a visitor cannot tell
/// chosen from drawn.
///
/// # Shape
/// `rooms`: every room that could be visited, chosen ones included, in any order. `chosen`: rooms the warnings ask for.
/// `n_random`: rooms to draw, 2 of 10 are usual; more than there are draws all.
///
/// # Errors
/// If a chosen room is not among the rooms.
pub fn draw(rooms: &[i64], chosen: &[i64], n_random: usize, seed: u64) -> Result<Vec<PlannedRoom>, Error> {
    // Sorted sets: the same rooms in any order, or named twice, make the same plan.
    let rooms: BTreeSet<i64> = rooms.iter().copied().collect();
    let chosen: BTreeSet<i64> = chosen.iter().copied().collect();
    if let Some(room) = chosen.difference(&rooms).next() {
        return Err(Error::Setting { setting: "chosen", value: room.to_string(), allowed: "among the rooms" });
    }
    let mut others: Vec<i64> = rooms.difference(&chosen).copied().collect();
    let n_random = n_random.min(others.len());
    let probability = n_random as f64 / others.len().max(1) as f64;
    let mut random = random(seed, 0);
    let (drawn, _) = others.partial_shuffle(&mut random, n_random);
    let mut plan: Vec<PlannedRoom> = chosen.iter().map(|it| PlannedRoom { room_key: *it, probability: 1.0 }).collect();
    plan.extend(drawn.iter().map(|it| PlannedRoom { room_key: *it, probability }));
    plan.shuffle(&mut random);
    Ok(plan)
}

/// One person seen on one visit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seen {
    /// The plan, usually a week.
    pub plan_key: i64,
    /// The room; persons of one room are not independent.
    pub room_key: i64,
    /// How likely the room was to be in the plan, from [`draw`].
    pub probability: f64,
    /// A warning stood for the person when the plan was made.
    pub is_warned: bool,
    /// The fixed observation sheet says that support is needed.
    pub is_in_need: bool,
}

/// What random visits say about the warnings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "recall_vs_visit")]
pub enum RecallVsVisit {
    /// 样本不足: too few were seen for any statement.
    TooFew {
        /// Persons seen in randomly drawn rooms; [`SEEN_MIN`] are needed.
        n_random: u64,
        /// Persons with a warning seen; [`WARNED_MIN`] are needed.
        n_warned: u64,
        /// Persons in need found; [`NEED_MIN`] are needed.
        n_in_need: u64,
    },
    /// Shares with 95 % intervals, all relative to what visits see.
    Estimated {
        /// Persons seen.
        n_seen: u64,
        /// Of them in randomly drawn rooms.
        n_random: u64,
        /// Share in need, of all.
        prevalence: Estimate,
        /// Share in need, of those warned.
        ppv: Estimate,
        /// Share warned, of those in need.
        recall: Estimate,
        /// Share in need, of those not warned.
        missed: Estimate,
    },
}

/// How many persons could have been seen, summed over the plans: known from the registry, not from visits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Persons with a warning.
    pub n_warned: u64,
    /// Persons without.
    pub n_not_warned: u64,
}

/// Estimates whom the warnings found and missed.
///
/// Need among the warned and among the others are two shares with an exact interval each, on the number of persons that is
/// left after weights and rooms have taken their toll; the frame's counts join them. The naive share of warned among those
/// found in need is far too high, because visits go where warnings are.
///
/// # Shape
/// `seen`: every person seen, in any order. `frame`: sums over the same plans.
///
/// # Errors
/// If a probability is not above 0 and at most 1, or more warned persons were seen than the frame has.
///
/// # Source
/// Weights: Hajek (1971). Intervals of the shares: Korn and Graubard (1998). Their quotient and sum: Zou and Donner (2008).
pub fn recall_vs_visit(seen: &[Seen], frame: Frame) -> Result<RecallVsVisit, Error> {
    if let Some(it) = seen.iter().find(|it| !(0.0 < it.probability && it.probability <= 1.0)) {
        let value = it.probability.to_string();
        return Err(Error::Setting { setting: "probability", value, allowed: "above 0 and at most 1" });
    }
    let count = |of: &dyn Fn(&Seen) -> bool| seen.iter().filter(|it| of(it)).count() as u64;
    let n_random = count(&|it| it.probability < 1.0);
    let (n_warned, n_in_need) = (count(&|it| it.is_warned), count(&|it| it.is_in_need));
    if frame.n_warned < n_warned {
        return Err(Error::Length {
            what: "persons with a warning",
            expected: frame.n_warned as usize,
            found: n_warned as usize,
        });
    }
    let n_not_warned_random = count(&|it| it.probability < 1.0 && !it.is_warned);
    if n_not_warned_random < SEEN_MIN || n_warned < WARNED_MIN || n_in_need < NEED_MIN {
        return Ok(RecallVsVisit::TooFew { n_random, n_warned, n_in_need });
    }

    let ppv = need(seen, true);
    let missed = need(seen, false);
    let (warned, others) = (frame.n_warned as f64, frame.n_not_warned as f64);
    let total = warned + others;

    // Sum of two independent shares: each end moves by the distance of the ends that matter.
    let prevalence_of = |a: f64, b: f64| (warned * a + others * b) / total;
    let value = prevalence_of(ppv.value, missed.value);
    let down = ((warned * (ppv.value - ppv.low)).powi(2) + (others * (missed.value - missed.low)).powi(2)).sqrt() / total;
    let up = ((warned * (ppv.high - ppv.value)).powi(2) + (others * (missed.high - missed.value)).powi(2)).sqrt() / total;
    let prevalence = Estimate { value, low: (value - down).max(0.0), high: (value + up).min(1.0) };

    // Recall is a rising function of the quotient of the two: its logarithm is a difference of two independent logarithms.
    let recall_of = |log_quotient: f64| 1.0 / (1.0 + others / warned.max(1.0) * (-log_quotient).exp());
    // Half a person keeps the logarithm finite where nobody was found.
    let centre = |it: &Estimate| it.value.max(0.5 / seen.len() as f64).clamp(it.low.max(1e-9), it.high);
    let (a, b) = (centre(&ppv), centre(&missed));
    let log = |it: f64| it.max(1e-9).ln();
    let middle = log(a) - log(b);
    let down = ((log(a) - log(ppv.low)).powi(2) + (log(missed.high) - log(b)).powi(2)).sqrt();
    let up = ((log(ppv.high) - log(a)).powi(2) + (log(b) - log(missed.low)).powi(2)).sqrt();
    let found = warned * ppv.value + others * missed.value;
    let value = if found == 0.0 { 0.0 } else { warned * ppv.value / found };
    let recall = Estimate { value, low: recall_of(middle - down).min(value), high: recall_of(middle + up).max(value) };
    Ok(RecallVsVisit::Estimated { n_seen: seen.len() as u64, n_random, prevalence, ppv, recall, missed })
}

/// Share in need among the warned, or among the others, with its interval.
fn need(seen: &[Seen], is_warned: bool) -> Estimate {
    let persons = || seen.iter().filter(|it| it.is_warned == is_warned);
    let outcome = |it: &Seen| f64::from(u8::from(it.is_in_need));
    let weights: f64 = persons().map(|it| 1.0 / it.probability).sum();
    let value = persons().map(|it| outcome(it) / it.probability).sum::<f64>() / weights;

    // Persons of one room rise and fall together, so rooms are what varies; a room that was certain does not vary by
    // the draw, but what it shows is still one realisation, so it keeps its own share of the variance.
    let mut rooms: BTreeMap<(i64, i64), (f64, f64)> = BTreeMap::new();
    for it in persons() {
        let room = rooms.entry((it.plan_key, it.room_key)).or_insert((0.0, it.probability));
        room.0 += (outcome(it) - value) / it.probability;
    }
    let variance = rooms.values().map(|(sum, _)| sum * sum).sum::<f64>() / (weights * weights);
    // Kish: what unequal weights leave of the number of persons, whatever was seen.
    let squares: f64 = persons().map(|it| 1.0 / (it.probability * it.probability)).sum();
    let by_weights = weights * weights / squares;
    let effective = if variance == 0.0 { by_weights } else { (value * (1.0 - value) / variance).min(by_weights * 1.5) };
    let effective = effective.max(1.0);
    let (low, high) = share(value * effective, effective, 0.05);
    Estimate { value, low, high }
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;

    struct Truth {
        prevalence: f64,
        ppv: f64,
        recall: f64,
    }

    struct Campus {
        n_rooms: usize,
        need: f64,
        warned_if_need: f64,
        warned_if_not: f64,
        n_chosen: usize,
        n_random: usize,
        n_plans: i64,
    }

    /// Several plans over one campus of four-bed rooms: warnings, chosen rooms, random rooms, visits.
    fn visit(campus: &Campus, seed: u64) -> (Vec<Seen>, Frame, Truth) {
        let mut random = random(seed, 77);
        let mut seen = Vec::new();
        let (mut n_warned, mut n_need, mut n_both, mut n_all) = (0_u64, 0_u64, 0_u64, 0_u64);
        for plan_key in 0..campus.n_plans {
            // Need comes in rooms: a room may have a bad time together.
            let beds: Vec<Vec<(bool, bool)>> = (0..campus.n_rooms)
                .map(|_| {
                    let factor = if random.gen_range(0.0..1.0) < 0.2 { 2.0 } else { 0.75 };
                    (0..4)
                        .map(|_| {
                            let is_in_need = random.gen_range(0.0..1.0) < campus.need * factor;
                            let chance = if is_in_need { campus.warned_if_need } else { campus.warned_if_not };
                            (random.gen_range(0.0..1.0) < chance, is_in_need)
                        })
                        .collect()
                })
                .collect();
            for (is_warned, is_in_need) in beds.iter().flatten() {
                n_all += 1;
                n_warned += u64::from(*is_warned);
                n_need += u64::from(*is_in_need);
                n_both += u64::from(*is_warned && *is_in_need);
            }
            let rooms: Vec<i64> = (0..campus.n_rooms as i64).collect();
            let mut asked: Vec<i64> = rooms.iter().copied().filter(|it| beds[*it as usize].iter().any(|it| it.0)).collect();
            asked.shuffle(&mut random);
            asked.truncate(campus.n_chosen);
            for room in draw(&rooms, &asked, campus.n_random, seed ^ plan_key as u64).unwrap() {
                for (is_warned, is_in_need) in &beds[room.room_key as usize] {
                    seen.push(Seen {
                        plan_key,
                        room_key: room.room_key,
                        probability: room.probability,
                        is_warned: *is_warned,
                        is_in_need: *is_in_need,
                    });
                }
            }
        }
        let truth = Truth {
            prevalence: n_need as f64 / n_all as f64,
            ppv: n_both as f64 / n_warned as f64,
            recall: n_both as f64 / n_need as f64,
        };
        (seen, Frame { n_warned, n_not_warned: n_all - n_warned }, truth)
    }

    /// A term of sixteen weekly plans of ten rooms each.
    const TERM: Campus =
        Campus { n_rooms: 300, need: 0.06, warned_if_need: 0.4, warned_if_not: 0.03, n_chosen: 24, n_random: 6, n_plans: 16 };

    #[track_caller]
    fn check_coverage(campus: &Campus) {
        let (mut recall_held, mut prevalence_held, mut ppv_held, mut naive_held, mut width) = (0, 0, 0, 0, 0.0);
        for seed in 0..200 {
            let (seen, frame, truth) = visit(campus, seed);
            let it = recall_vs_visit(&seen, frame).unwrap();
            let RecallVsVisit::Estimated { recall, prevalence, ppv, .. } = it else { panic!("seed {seed}: {it:?}") };
            recall_held += u32::from(recall.holds(truth.recall));
            prevalence_held += u32::from(prevalence.holds(truth.prevalence));
            ppv_held += u32::from(ppv.holds(truth.ppv));
            width += recall.high - recall.low;

            let found = seen.iter().filter(|it| it.is_in_need).count() as f64;
            let naive = seen.iter().filter(|it| it.is_in_need && it.is_warned).count() as f64;
            let (low, high) = share(naive, found, 0.05);
            naive_held += u32::from(low <= truth.recall && truth.recall <= high);
        }
        for (name, held) in [("recall", recall_held), ("prevalence", prevalence_held), ("ppv", ppv_held)] {
            assert!(180 <= held, "{name}: {held} of 200 intervals hold the truth");
        }
        assert!(naive_held < 100, "the naive interval holds the truth {naive_held} times");
        assert!(width / 200.0 < 0.6, "intervals that say nothing: {}", width / 200.0);
    }

    #[test]
    fn nine_intervals_in_ten_hold_the_truth_and_the_naive_ones_do_not() {
        check_coverage(&TERM);
        check_coverage(&Campus { need: 0.12, warned_if_need: 0.25, warned_if_not: 0.05, ..TERM });
        check_coverage(&Campus { n_random: 20, n_plans: 4, ..TERM });
    }

    #[test]
    fn too_few_visits_say_so() {
        let (seen, frame, _) = visit(&Campus { n_plans: 1, n_random: 2, ..TERM }, 1);
        let it = recall_vs_visit(&seen, frame).unwrap();
        assert!(matches!(it, RecallVsVisit::TooFew { n_random: 8, .. }), "{it:?}");
        let nobody = recall_vs_visit(&[], Frame { n_warned: 0, n_not_warned: 0 }).unwrap();
        assert_eq!(nobody, RecallVsVisit::TooFew { n_random: 0, n_warned: 0, n_in_need: 0 });
    }

    #[test]
    fn a_plan_is_the_same_for_the_same_seed_and_any_order_of_rooms() {
        let rooms: Vec<i64> = (0..100).collect();
        let mut backward = rooms.clone();
        backward.reverse();
        let plan = draw(&rooms, &[3, 5, 8], 7, 1).unwrap();
        assert_eq!(plan, draw(&backward, &[8, 3, 5, 5], 7, 1).unwrap());
        assert_ne!(plan, draw(&rooms, &[3, 5, 8], 7, 2).unwrap());
        assert_eq!(plan.len(), 10);
        assert_eq!(plan.iter().filter(|it| it.probability == 1.0).count(), 3);
        assert!(plan.iter().filter(|it| it.probability < 1.0).all(|it| it.probability == 7.0 / 97.0));
        assert!(draw(&rooms, &[100], 1, 1).is_err());
        assert_eq!(draw(&[1, 2], &[1], 9, 1).unwrap().len(), 2);
    }

    #[test]
    fn every_room_is_drawn_equally_often_and_the_place_in_the_plan_says_nothing() {
        let rooms: Vec<i64> = (0..20).collect();
        let (mut drawn, mut first_is_chosen) = (vec![0; 20], 0);
        for seed in 0..4000 {
            let plan = draw(&rooms, &[0, 1], 2, seed).unwrap();
            for room in &plan {
                drawn[room.room_key as usize] += 1;
            }
            first_is_chosen += u32::from(plan[0].probability == 1.0);
        }
        // 4000 * 2 / 18 = 444, with a deviation of 20.
        assert!(drawn[2..].iter().all(|it| (364..=524).contains(it)), "{drawn:?}");
        assert!((1870..=2130).contains(&first_is_chosen), "{first_is_chosen}");
    }
}
