//! How often the intervals of `recall_vs_visit` hold the truth, and how often no effect is reported where there is none.
//!
//! `resample FILE [TIMES]`: a table of residents `plan_key,room_key,is_chosen,is_warned,need`, one line a resident and plan;
//! `need` is how likely the sheet of a visit says that support is wanted. Visits and outcomes are drawn anew each time.
//! Prints one JSON object.

use std::collections::{BTreeMap, BTreeSet};

use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde_json::json;
use warning::effect::Candidate;
use warning::visit::{Frame, RecallVsVisit, Seen, draw};
use warning::{effect, recall_vs_visit};

/// Of ten rooms two are drawn; this many a plan, for plans of a whole school.
const RANDOM_OF_CHOSEN: f64 = 0.25;
/// How many of the residents a visitor finds at home.
const AT_HOME: f64 = 0.6;

struct Resident {
    plan: i64,
    room: i64,
    is_chosen: bool,
    is_warned: bool,
    need: f64,
}

fn read(path: &str) -> Result<Vec<Resident>, Box<dyn std::error::Error>> {
    let mut reader = csv::Reader::from_path(path)?;
    let mut residents = Vec::new();
    for line in reader.deserialize() {
        let (plan, room, is_chosen, is_warned, need): (i64, i64, bool, bool, f64) = line?;
        residents.push(Resident { plan, room, is_chosen, is_warned, need });
    }
    Ok(residents)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: resample FILE [TIMES]")?;
    let times: u64 = std::env::args().nth(2).map_or(Ok(200), |it| it.parse())?;
    let residents = read(&path)?;
    let mut plans: BTreeMap<i64, (BTreeSet<i64>, BTreeSet<i64>)> = BTreeMap::new();
    for it in &residents {
        let plan = plans.entry(it.plan).or_default();
        plan.0.insert(it.room);
        if it.is_chosen {
            plan.1.insert(it.room);
        }
    }
    let n_warned = residents.iter().filter(|it| it.is_warned).count() as u64;
    let frame = Frame { n_warned, n_not_warned: residents.len() as u64 - n_warned };
    let (mut held, mut naive_held, mut too_few, mut width) = (BTreeMap::new(), 0, 0, 0.0);
    let mut verdicts: BTreeMap<String, u64> = BTreeMap::new();
    for seed in 0..times {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let needs: Vec<bool> = residents.iter().map(|it| random.gen_range(0.0..1.0) < it.need).collect();
        let mut probability: BTreeMap<(i64, i64), f64> = BTreeMap::new();
        for (key, (rooms, chosen)) in &plans {
            let (rooms, chosen): (Vec<i64>, Vec<i64>) = (rooms.iter().copied().collect(), chosen.iter().copied().collect());
            let n_random = (chosen.len() as f64 * RANDOM_OF_CHOSEN).ceil() as usize;
            for room in draw(&rooms, &chosen, n_random, seed ^ key.unsigned_abs())? {
                probability.insert((*key, room.room_key), room.probability);
            }
        }
        let mut seen = Vec::new();
        for (it, is_in_need) in residents.iter().zip(&needs) {
            let Some(probability) = probability.get(&(it.plan, it.room)) else { continue };
            if random.gen_range(0.0..1.0) < AT_HOME {
                let (plan_key, room_key, probability) = (it.plan, it.room, *probability);
                seen.push(Seen { plan_key, room_key, probability, is_warned: it.is_warned, is_in_need: *is_in_need });
            }
        }
        let count = |of: &dyn Fn(&Resident, bool) -> bool| {
            residents.iter().zip(&needs).filter(|(it, is_in_need)| of(it, **is_in_need)).count() as f64
        };
        let (in_need, both) = (count(&|_, it| it), count(&|it, is_in_need| it.is_warned && is_in_need));
        let truth =
            [("recall", both / in_need), ("ppv", both / n_warned as f64), ("prevalence", in_need / residents.len() as f64)];
        match recall_vs_visit(&seen, frame)? {
            RecallVsVisit::TooFew { .. } => too_few += 1,
            RecallVsVisit::Estimated { recall, ppv, prevalence, .. } => {
                width += recall.high - recall.low;
                for ((name, truth), found) in truth.iter().zip([&recall, &ppv, &prevalence]) {
                    *held.entry(*name).or_insert(0_u64) += u64::from(found.holds(*truth));
                }
                // What a list of visited students alone would say, with as wide an interval.
                let found = seen.iter().filter(|it| it.is_in_need).count() as f64;
                let naive = seen.iter().filter(|it| it.is_in_need && it.is_warned).count() as f64 / found;
                naive_held += u64::from((naive - truth[0].1).abs() <= (recall.high - recall.low) / 2.0);
            }
        }
        // Talks go to those with an offer and now and then to others, and change nothing.
        let candidates: Vec<Candidate> = residents
            .iter()
            .zip(&needs)
            .enumerate()
            .map(|(place, (it, outcome))| {
                let propensity = if it.is_warned { 0.6 } else { 0.02 + 0.3 * it.need };
                let is_treated = random.gen_range(0.0..1.0) < propensity;
                Candidate { student_key: place as i64, risk: it.need, propensity, is_treated, outcome: *outcome }
            })
            .collect();
        let verdict = effect(&candidates)?.verdict;
        *verdicts.entry(serde_json::to_value(verdict)?.as_str().unwrap_or_default().to_owned()).or_default() += 1;
    }
    let answer = json!({
        "times": times, "residents": residents.len(), "plans": plans.len(), "warned": n_warned, "too_few": too_few,
        "held": held, "naive_held": naive_held, "recall_interval_width": width / (times - too_few) as f64,
        "verdicts_without_an_effect": verdicts,
    });
    println!("{answer}");
    Ok(())
}
