//! Which of the day's findings become an offer of attention: bundled by student, not repeated, and no more than the
//! people who take them up have hours for.
//!
//! The budget binds what the data alone raise at severity 1 and 2 and nothing else. What a person reports, what a
//! student asks for, safety checks and follow-ups never come here.

use std::collections::{BTreeMap, BTreeSet};

use crate::rank::{Evidence, Together, Witness};

/// One finding of a rule, trend or model on a date.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The student.
    pub key: i64,
    /// File that found it.
    pub name: String,
    /// Where it is seen: findings of one channel are one witness.
    pub channel: String,
    /// Severity of its own, 1 or 2; `None` for a safety check, which is no level and has no budget.
    pub severity: Option<u8>,
    /// How rare it is on the campus that day; of a safety check its own figure. Greater comes first.
    pub rarity: f64,
    /// What earlier findings of its rule were worth; 1 is as much as those of all rules.
    pub worth: f64,
    /// First day of what was found, days since 1970.
    pub since_on: i32,
    /// Who takes it up; `None` where nobody is named.
    pub owner: Option<i64>,
}

/// An offer of an earlier date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Issued {
    /// The student.
    pub key: i64,
    /// The date on which it was first offered, days since 1970.
    pub issued_on: i32,
    /// Its severity then.
    pub severity: u8,
    /// Who took it up.
    pub owner: Option<i64>,
}

/// How offers are made; `[warning]` in the settings.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// Days after an offer in which the same student is not offered anew, unless it became graver.
    pub cool_down_days: i32,
    /// Days that a budget is for.
    pub budget_days: i32,
    /// Talks that an owner can give in that time, where the owner has said nothing else.
    pub talks: u32,
    /// Talks that single owners said they can give.
    pub talks_of: BTreeMap<i64, u32>,
    /// Of how many who have one channel's finding one may have a further channel's as well, for it to be a witness.
    pub agree_one_in: f64,
}

/// An offer, made of one finding or of several of one student.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    /// The student.
    pub key: i64,
    /// Places of its findings in the list of candidates, the strongest first.
    pub findings: Vec<usize>,
    /// Severity: 2 only with two channels that are witnesses of their own or by a rule's own word; `None` for a safety
    /// check.
    pub severity: Option<u8>,
    /// Severity by the rules' own word.
    pub stated: u8,
    /// See [`crate::Placed`]; of a safety check its own figure.
    pub score: f64,
    /// What the score follows from; empty for a safety check.
    pub evidence: Option<Evidence>,
    /// First day of the earliest finding.
    pub since_on: i32,
    /// Date on which it was first offered.
    pub issued_on: i32,
    /// Who takes it up.
    pub owner: Option<i64>,
}

/// What is offered on a date, and what the budget cut.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Offers {
    /// Offers: safety checks first, then by owner in the order in which they should be taken up.
    pub offered: Vec<Offer>,
    /// What nobody has hours for (承载缺口), in the same order. It is weighed again tomorrow.
    pub cut: Vec<Offer>,
}

/// Bundles, leaves out what was offered lately, ranks and cuts.
///
/// # Shape
/// `candidates` in any order; `students`: how many there are on the campus; `issued`: offers of earlier dates, those within
/// the cool-down and the budget's days count.
pub fn offers(rules: &Rules, candidates: &[Candidate], students: usize, issued: &[Issued], as_of_on: i32) -> Offers {
    let seen = candidates.iter().filter(|it| it.severity.is_some()).map(|it| (it.key, it.channel.as_str()));
    let together = Together::of(seen, students);
    let mut of_student: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    let mut result = Offers::default();
    for (place, it) in candidates.iter().enumerate() {
        match it.severity {
            None => result.offered.push(alone(it, place, as_of_on)),
            Some(_) => of_student.entry(it.key).or_default().push(place),
        }
    }
    result.offered.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.key.cmp(&b.key)));
    let mut fresh = Vec::new();
    for findings in of_student.into_values() {
        let mut offer = bundle(rules, candidates, &together, findings, as_of_on);
        let lately = issued.iter().filter(|it| it.key == offer.key && as_of_on - it.issued_on < rules.cool_down_days);
        let standing = lately.max_by_key(|it| (it.severity, it.issued_on));
        match standing {
            // It goes on: the owner has it already.
            Some(it) if offer.severity <= Some(it.severity) && it.issued_on < as_of_on => {
                offer.issued_on = it.issued_on;
                result.offered.push(offer);
            }
            _ => fresh.push(offer),
        }
    }
    fresh.sort_by(before);
    let mut left: BTreeMap<Option<i64>, i64> = BTreeMap::new();
    for offer in fresh {
        let left = left.entry(offer.owner).or_insert_with(|| {
            let given = offer.owner.and_then(|it| rules.talks_of.get(&it)).copied().unwrap_or(rules.talks);
            let spent: BTreeSet<(i64, i32)> = issued
                .iter()
                .filter(|it| it.owner == offer.owner && it.issued_on < as_of_on && as_of_on - it.issued_on < rules.budget_days)
                .map(|it| (it.key, it.issued_on))
                .collect();
            i64::from(given) - spent.len() as i64
        });
        if 0 < *left {
            *left -= 1;
            result.offered.push(offer);
        } else {
            result.cut.push(offer);
        }
    }
    result
}

fn alone(it: &Candidate, place: usize, as_of_on: i32) -> Offer {
    Offer {
        key: it.key,
        findings: vec![place],
        severity: None,
        stated: 0,
        score: it.rarity,
        evidence: None,
        since_on: it.since_on,
        issued_on: as_of_on,
        owner: it.owner,
    }
}

fn bundle(rules: &Rules, candidates: &[Candidate], together: &Together, mut findings: Vec<usize>, as_of_on: i32) -> Offer {
    findings.sort_by(|a, b| {
        let (a, b) = (&candidates[*a], &candidates[*b]);
        (b.rarity * b.worth).total_cmp(&(a.rarity * a.worth)).then_with(|| a.name.cmp(&b.name))
    });
    let witness = |it: &Candidate| Witness {
        rule: it.name.clone(),
        channel: it.channel.clone(),
        rarity: it.rarity,
        worth: it.worth,
        lift: 1.0,
    };
    let found = findings.iter().map(|it| witness(&candidates[*it])).collect();
    let evidence = Evidence::new(found, together, rules.agree_one_in.max(1.0).ln());
    let placed = evidence.told();
    let first = &candidates[findings[0]];
    let stated = findings.iter().filter_map(|it| candidates[*it].severity).max().unwrap_or(1).min(2);
    Offer {
        key: first.key,
        severity: Some(if 1 < placed.witnesses { 2 } else { stated }),
        stated,
        score: placed.score,
        evidence: Some(evidence),
        since_on: findings.iter().map(|it| candidates[*it].since_on).min().unwrap_or(as_of_on),
        issued_on: as_of_on,
        owner: first.owner,
        findings,
    }
}

/// What a rule itself calls grave first, then the rarer, then the older; by key at last, so that the order is one.
///
/// Two channels are no order of their own: of many students some have two chance findings, and how rare both together are
/// is in the score already.
fn before(a: &Offer, b: &Offer) -> std::cmp::Ordering {
    let stated = b.stated.cmp(&a.stated);
    stated.then_with(|| b.score.total_cmp(&a.score)).then_with(|| a.since_on.cmp(&b.since_on)).then_with(|| a.key.cmp(&b.key))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STUDENTS: usize = 1000;

    fn rules(talks: u32) -> Rules {
        Rules { cool_down_days: 14, budget_days: 7, talks, talks_of: BTreeMap::new(), agree_one_in: 5.0 }
    }

    fn found(key: i64, channel: &str, score: f64) -> Candidate {
        let (name, channel) = (channel.to_owned(), channel.to_owned());
        Candidate { key, name, channel, severity: Some(1), rarity: score, worth: 1.0, since_on: 90, owner: Some(1) }
    }

    fn check_safety(key: i64) -> Candidate {
        Candidate { severity: None, ..found(key, "any", 40.0) }
    }

    #[test]
    fn two_channels_make_severity_two_and_two_findings_of_one_channel_do_not() {
        let one = offers(
            &rules(9),
            &[found(1, "meal", 5.0), Candidate { name: "other".to_owned(), ..found(1, "meal", 6.0) }],
            STUDENTS,
            &[],
            100,
        );
        assert_eq!((one.offered.len(), one.offered[0].severity, one.offered[0].score), (1, Some(1), 6.0));
        let two = offers(&rules(9), &[found(1, "meal", 5.0), found(1, "return", 6.0)], STUDENTS, &[], 100);
        assert_eq!((two.offered.len(), two.offered[0].severity, two.offered[0].score), (1, Some(2), 11.0));
        assert_eq!(two.offered[0].findings, [1, 0]);
    }

    #[test]
    fn what_was_offered_lately_goes_on_without_being_offered_anew() {
        let candidates = [found(1, "meal", 5.0)];
        let before = |on, severity| [Issued { key: 1, issued_on: on, severity, owner: Some(1) }];
        let going_on = offers(&rules(0), &candidates, STUDENTS, &before(90, 1), 100);
        assert_eq!(going_on.offered[0].issued_on, 90);
        // After the cool-down it is a new offer, and so it is when it became graver.
        assert_eq!(offers(&rules(1), &candidates, STUDENTS, &before(86, 1), 100).offered[0].issued_on, 100);
        let graver = [found(1, "meal", 5.0), found(1, "return", 5.0)];
        assert_eq!(offers(&rules(9), &graver, STUDENTS, &before(90, 1), 100).offered[0].issued_on, 100);
        assert_eq!(offers(&rules(9), &graver, STUDENTS, &before(90, 2), 100).offered[0].issued_on, 90);
    }

    #[test]
    fn a_budget_is_of_an_owner_and_of_a_week() {
        let candidates = [found(1, "meal", 5.0), found(2, "meal", 7.0), Candidate { owner: Some(2), ..found(3, "meal", 1.0) }];
        let result = offers(&rules(1), &candidates, STUDENTS, &[], 100);
        assert_eq!(result.offered.iter().map(|it| it.key).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(result.cut.iter().map(|it| it.key).collect::<Vec<_>>(), [1]);
        // Told on each of three dates, it was one talk; a talk of eight days ago is none of this week.
        let talk = |key, issued_on| Issued { key, issued_on, severity: 1, owner: Some(1) };
        let spent = [talk(8, 95), talk(8, 95), talk(8, 95), talk(9, 92)];
        assert_eq!(offers(&rules(2), &candidates, STUDENTS, &spent, 100).cut.len(), 1);
        let own = Rules { talks_of: BTreeMap::from([(1, 5)]), ..rules(0) };
        assert_eq!(offers(&own, &candidates, STUDENTS, &[], 100).cut.iter().map(|it| it.key).collect::<Vec<_>>(), [3]);
    }

    #[test]
    fn with_no_hours_at_all_every_safety_check_is_told() {
        let result = offers(&rules(0), &[check_safety(1), found(1, "meal", 5.0), check_safety(2)], STUDENTS, &[], 100);
        assert_eq!(result.offered.iter().map(|it| (it.key, it.severity)).collect::<Vec<_>>(), [(1, None), (2, None)]);
        assert_eq!(result.cut.len(), 1);
    }

    fn candidates() -> impl Strategy<Value = Vec<Candidate>> {
        let one = (0i64..30, 0usize..4, prop::option::of(1u8..=2), 0u32..100, 0i64..3);
        let one = one.prop_map(|(key, channel, severity, score, owner)| Candidate {
            severity,
            rarity: f64::from(score),
            // A student has one owner.
            owner: Some(key % 3).filter(|_| owner < 3),
            ..found(key, ["meal", "return", "library", "class"][channel], 0.0)
        });
        prop::collection::vec(one, 0..60)
    }

    proptest! {
        #[test]
        fn no_owner_is_given_more_than_was_said_and_nothing_is_lost(candidates in candidates(), talks in 0u32..6) {
            let result = offers(&rules(talks), &candidates, STUDENTS, &[], 100);
            let mut of_owner: BTreeMap<Option<i64>, u32> = BTreeMap::new();
            for it in result.offered.iter().filter(|it| it.severity.is_some()) {
                *of_owner.entry(it.owner).or_default() += 1;
                prop_assert!(it.severity <= Some(2));
            }
            prop_assert!(of_owner.values().all(|it| *it <= talks));
            let mut places: Vec<usize> = result.offered.iter().chain(&result.cut).flat_map(|it| it.findings.clone()).collect();
            places.sort_unstable();
            prop_assert_eq!(places, (0..candidates.len()).collect::<Vec<_>>());
            let checks = candidates.iter().filter(|it| it.severity.is_none()).count();
            prop_assert_eq!(result.offered.iter().filter(|it| it.severity.is_none()).count(), checks);
            // Nobody who was cut stands before somebody of the same owner who was offered.
            for cut in &result.cut {
                for kept in result.offered.iter().filter(|it| it.severity.is_some() && it.owner == cut.owner) {
                    prop_assert!(before(kept, cut).is_lt());
                }
            }
        }
    }
}
