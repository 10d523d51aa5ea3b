//! By what offers are ordered: how rare it is what was found, seen together, and what came of the like before.
//!
//! Three steps. How many of the campus have as much of a finding that day says how rare it is ([`rarity`]). What came of
//! earlier offers says what a rule's findings are worth ([`worth`]). Findings of several channels are one observation:
//! what the second adds is what the first does not make likely anyway ([`Evidence`]).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// What came of a rule's or trend's earlier offers, as far as it was known on a date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcomes {
    /// The rule or trend.
    pub name: String,
    /// Offers in cases that somebody closed.
    pub closed_n: u64,
    /// Of these, those where support was needed, was there already, or the student was referred.
    pub useful_n: u64,
}

/// How earlier outcomes are weighed; `[warning.learn]` in the settings.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LearnRules {
    /// Closed offers from which a rule is weighed at all: fewer would tell of persons.
    pub closed_min: u64,
    /// Closed offers that what all rules are worth together counts for, in the estimate of each.
    pub prior_n: f64,
}

impl Default for LearnRules {
    fn default() -> Self {
        Self { closed_min: 10, prior_n: 20.0 }
    }
}

/// What each rule's findings are worth beside those of all rules: 1 is as much as all, and so is a rule of which nothing
/// is known.
///
/// # Source
/// The mean of a beta distribution whose prior has the mean of all rules and counts for `prior_n` offers.
pub fn worth(rules: &LearnRules, outcomes: &[Outcomes]) -> BTreeMap<String, f64> {
    let told: Vec<&Outcomes> = outcomes.iter().filter(|it| rules.closed_min.max(1) <= it.closed_n).collect();
    let closed: u64 = told.iter().map(|it| it.closed_n).sum();
    let useful: u64 = told.iter().map(|it| it.useful_n.min(it.closed_n)).sum();
    // One is added on both sides: where nothing was of use yet, no rule is worth less than another.
    let all = (useful as f64 + 1.0) / (closed as f64 + 2.0);
    let prior = rules.prior_n.max(1.0);
    let one = |it: &&Outcomes| {
        let expected = it.closed_n as f64 * all;
        let worth = (it.useful_n.min(it.closed_n) as f64 + prior * all) / (expected + prior * all);
        // Two digits say enough, and no more than the score card of the rules does.
        (it.name.clone(), (worth * 100.0).round() / 100.0)
    };
    told.iter().map(one).collect()
}

/// How rare each finding is: minus the logarithm of the share of the campus of whom the same rule found as much.
///
/// Sums of different trends cannot be compared: attendance moves many by much, meals few by little. This says the same of
/// all, and a rule that says yes or no has its place among them.
///
/// # Shape
/// One value a finding, in their order: name of the rule and how strong it is.
pub fn rarity(found: &[(&str, f64)], students: usize) -> Vec<f64> {
    let mut by_name: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (name, strength) in found {
        by_name.entry(name).or_default().push(*strength);
    }
    by_name.values_mut().for_each(|it| it.sort_by(f64::total_cmp));
    let rare = |(name, strength): &(&str, f64)| {
        let of_name = &by_name[name];
        let as_strong = of_name.len() - of_name.partition_point(|it| it < strength);
        (students.max(as_strong) as f64 / as_strong as f64).ln()
    };
    found.iter().map(rare).collect()
}

/// How much oftener findings of two channels are of one student than chance would have it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Together {
    students: f64,
    of_channel: BTreeMap<String, f64>,
    of_both: BTreeMap<(String, String), f64>,
}

impl Together {
    /// Counts students by channel and pair of channels.
    ///
    /// # Shape
    /// A row a finding, student and channel, in any order.
    pub fn of<'a>(found: impl IntoIterator<Item = (i64, &'a str)>, students: usize) -> Self {
        let mut of_student: BTreeMap<i64, BTreeSet<&str>> = BTreeMap::new();
        for (key, channel) in found {
            of_student.entry(key).or_default().insert(channel);
        }
        let mut all = Self { students: students.max(of_student.len()).max(1) as f64, ..Self::default() };
        for channels in of_student.values() {
            for (place, one) in channels.iter().enumerate() {
                *all.of_channel.entry((*one).to_owned()).or_default() += 1.0;
                for other in channels.iter().skip(place + 1) {
                    *all.of_both.entry(((*one).to_owned(), (*other).to_owned())).or_default() += 1.0;
                }
            }
        }
        all
    }

    /// Observed over expected, the student in question left out and one added to both; never below 1, for rarer than
    /// chance proves nothing.
    fn lift(&self, one: &str, other: &str) -> f64 {
        let pair = if one < other { (one, other) } else { (other, one) };
        let both = self.of_both.get(&(pair.0.to_owned(), pair.1.to_owned())).copied().unwrap_or(0.0);
        let of = |channel: &str| self.of_channel.get(channel).copied().unwrap_or(0.0);
        (both / (of(one) * of(other) / self.students + 1.0)).max(1.0)
    }
}

/// One channel's strongest finding of a student.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Witness {
    /// The rule or trend.
    pub rule: String,
    /// Where it was seen.
    pub channel: String,
    /// See [`rarity`].
    pub rarity: f64,
    /// See [`worth`].
    pub worth: f64,
    /// How much oftener than by chance it is found together with a channel before it in the list; the most of them.
    pub lift: f64,
    /// Worked out from what other channels show: it has its place in the order, and is no witness.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_derived: bool,
}

/// The canonical input of an offer's place: [`Evidence::told`] says the same of it for ever, bit for bit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// One a channel, the strongest first.
    pub witnesses: Vec<Witness>,
    /// How rare a further channel's finding must still be among those who have the first, to be a witness of its own.
    pub agree_rarity: f64,
}

/// What follows from an [`Evidence`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placed {
    /// Greater comes first: the rarity of all of it together, each part by its worth.
    pub score: f64,
    /// Channels that say something of their own.
    pub witnesses: usize,
}

impl Placed {
    /// 2 with two channels that are witnesses of their own, else 1.
    pub fn severity(self) -> u8 {
        if 1 < self.witnesses { 2 } else { 1 }
    }
}

impl Evidence {
    /// Puts a student's findings in order, one a channel.
    pub fn new(mut found: Vec<Witness>, together: &Together, agree_rarity: f64) -> Self {
        let strength = |it: &Witness| it.rarity * it.worth;
        found.sort_by(|a, b| strength(b).total_cmp(&strength(a)).then_with(|| a.rule.cmp(&b.rule)));
        let mut witnesses: Vec<Witness> = Vec::new();
        for it in found {
            if witnesses.iter().all(|other| other.channel != it.channel) {
                let lift = witnesses.iter().map(|other| together.lift(&other.channel, &it.channel)).fold(1.0, f64::max);
                witnesses.push(Witness { lift, ..it });
            }
        }
        Self { witnesses, agree_rarity }
    }

    /// Score and number of witnesses.
    ///
    /// Were channels independent, the rarity of both would be the sum of theirs. Two that are mostly found together are
    /// nearly one: what their common occurrence beyond chance explains is taken off the second.
    pub fn told(&self) -> Placed {
        let mut placed = Placed { score: 0.0, witnesses: 0 };
        for (place, it) in self.witnesses.iter().enumerate() {
            let left = if place == 0 { it.rarity } else { (it.rarity - it.lift.ln()).max(0.0) };
            if place == 0 || self.agree_rarity <= left {
                placed.score += it.worth * left;
                placed.witnesses += usize::from(!it.is_derived);
            }
        }
        placed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes(name: &str, closed_n: u64, useful_n: u64) -> Outcomes {
        Outcomes { name: name.to_owned(), closed_n, useful_n }
    }

    fn witness(channel: &str, rarity: f64, worth: f64) -> Witness {
        Witness { rule: format!("{channel}_rule"), channel: channel.to_owned(), rarity, worth, lift: 1.0, is_derived: false }
    }

    #[test]
    fn what_few_have_comes_before_what_many_have_strongly() {
        let mut found: Vec<(&str, f64)> = (0..8).map(|it| ("attendance", 10.0 + f64::from(it))).collect();
        found.extend([("meals", 4.0), ("night", 0.0)]);
        let rare = rarity(&found, 100);
        // Each is the strongest of its name: one of a hundred.
        assert!([7, 8, 9].iter().all(|it| (rare[*it] - 100_f64.ln()).abs() < 1e-12), "{rare:?}");
        assert!((rare[0] - (100.0_f64 / 8.0).ln()).abs() < 1e-12, "{rare:?}");
        assert!(rare.windows(2).take(7).all(|it| it[0] < it[1]), "{rare:?}");
        assert!(rarity(&[("one", 1.0)], 0)[0].abs() < 1e-12);
    }

    #[test]
    fn before_any_outcome_all_rules_are_worth_the_same() {
        assert!(worth(&LearnRules::default(), &[]).is_empty());
        let few = [outcomes("meals", 9, 9), outcomes("night", 3, 0)];
        assert!(worth(&LearnRules::default(), &few).is_empty(), "fewer than ten tell of persons");
        // Where nothing was of use yet, how often nothing was of use says a little.
        let none = worth(&LearnRules::default(), &[outcomes("meals", 10, 0), outcomes("night", 10, 0)]);
        assert_eq!(none["meals"], none["night"]);
    }

    #[test]
    fn a_useful_rule_is_worth_more_and_a_few_outcomes_do_not_decide() {
        let it = worth(
            &LearnRules::default(),
            &[outcomes("night", 100, 90), outcomes("attendance", 400, 40), outcomes("meals", 12, 6)],
        );
        // All: (136 + 1) / (512 + 2).
        let all = 137.0 / 514.0;
        let expected = |closed: f64, useful: f64| ((useful + 20.0 * all) / (closed * all + 20.0 * all) * 100.0).round() / 100.0;
        assert_eq!(it["night"], expected(100.0, 90.0));
        assert_eq!(it["attendance"], expected(400.0, 40.0));
        assert!(it["attendance"] < 0.5 && 2.5 < it["night"], "{it:?}");
        // Half of a dozen was of use, nearly twice what all are worth: it is believed in part.
        assert!(1.0 < it["meals"] && it["meals"] < 6.0 / 12.0 / all, "{it:?}");
    }

    #[test]
    fn two_channels_that_are_mostly_found_together_are_nearly_one() {
        // A hundred students have both of two channels, of a thousand; of two others ten have both, as chance would have it.
        let same = (0..100).flat_map(|key| [(key, "class"), (key, "library")]);
        let apart = (0..100).flat_map(|key| [(key, "meal"), (if key < 10 { key } else { 500 + key }, "return")]);
        let found: Vec<(i64, &str)> = same.chain(apart).collect();
        let together = Together::of(found.iter().copied(), 1000);
        let of = |one: &str, other: &str| {
            Evidence::new(vec![witness(one, 3.0, 1.0), witness(other, 2.9, 1.0)], &together, 5.0_f64.ln()).told()
        };
        let (same, apart) = (of("class", "library"), of("meal", "return"));
        assert_eq!((same.witnesses, same.score), (1, 3.0), "one of ten has either, and everybody of them both");
        assert_eq!(apart.witnesses, 2);
        assert!((apart.score - 5.9).abs() < 1e-9, "{apart:?}");
    }

    #[test]
    fn of_one_channel_the_strongest_counts_and_the_worth_decides_which_it_is() {
        let together = Together::default();
        let it = Evidence::new(
            vec![
                Witness { rule: "breakfast".to_owned(), ..witness("meal", 4.0, 0.5) },
                Witness { rule: "meals".to_owned(), ..witness("meal", 3.0, 1.5) },
            ],
            &together,
            1.0,
        );
        assert_eq!(it.witnesses.iter().map(|it| it.rule.as_str()).collect::<Vec<_>>(), ["meals"]);
        assert_eq!(it.told(), Placed { score: 4.5, witnesses: 1 });
    }

    #[test]
    fn the_place_follows_from_the_stored_evidence_bit_for_bit() {
        let found = (0..50).flat_map(|key| [(key, "meal"), (key / 2, "return")]);
        let together = Together::of(found, 900);
        let it = Evidence::new(vec![witness("meal", 3.7, 1.13), witness("return", 5.1, 0.77)], &together, 5.0_f64.ln());
        let stored = serde_json::to_string(&it).expect("text");
        let again: Evidence = serde_json::from_str(&stored).expect("evidence");
        assert_eq!(again.told().score.to_bits(), it.told().score.to_bits());
        assert_eq!(again.told().witnesses, it.told().witnesses);
    }
}
