//! Which of the day's findings become an offer of attention: bundled by student, not repeated, and no more than the
//! people who take them up have hours for.
//!
//! The budget binds what the data alone raise at severity 1 and 2 and nothing else. What a person reports, what a
//! student asks for, safety checks and follow-ups never come here.

use std::collections::{BTreeMap, BTreeSet};

use crate::decision::Before;
use crate::draw::Draw;
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
    /// A level, whatever the number: one channel is severity 1; `None` for a safety check, which is no level and has no
    /// budget.
    pub severity: Option<u8>,
    /// Worked out from what other channels show, as a risk model is: beside them it is no witness of its own.
    pub is_derived: bool,
    /// How rare it is on the campus that day; of a safety check its own figure. Greater comes first.
    pub rarity: f64,
    /// What earlier findings of its rule were worth; 1 is as much as those of all rules.
    pub worth: f64,
    /// First day of what was found, days since 1970.
    pub since_on: i32,
    /// Who takes it up; `None` where nobody is named.
    pub owner: Option<i64>,
    /// Days since anybody was in contact with the student, where that is known: of equal offers the longest comes first.
    pub gap_days: Option<i32>,
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
    /// Breaks ties at random, where a study was approved; `None` is the rule that holds otherwise.
    pub random: Option<Draw>,
}

/// An offer, made of one finding or of several of one student.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    /// The student.
    pub key: i64,
    /// Places of its findings in the list of candidates, the strongest first.
    pub findings: Vec<usize>,
    /// Severity: 2 with two channels that are witnesses of their own, else 1, whatever rules said; `None` for a safety
    /// check.
    pub severity: Option<u8>,
    /// See [`crate::Placed`]; of a safety check its own figure.
    pub score: f64,
    /// What the score follows from; empty for a safety check.
    pub evidence: Option<Evidence>,
    /// The offer of before, if one was within the cool-down; empty for a safety check.
    pub before: Option<Before>,
    /// First day of the earliest finding.
    pub since_on: i32,
    /// Date on which it was first offered.
    pub issued_on: i32,
    /// Who takes it up.
    pub owner: Option<i64>,
    /// Days since anybody was in contact with the student, where that is known.
    pub gap_days: Option<i32>,
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
        offer.before = standing.map(|it| Before { issued_on: it.issued_on, severity: it.severity });
        match offer.before.and_then(|it| it.goes_on(offer.severity, as_of_on)) {
            // It goes on: the owner has it already.
            Some(issued_on) => {
                offer.issued_on = issued_on;
                result.offered.push(offer);
            }
            None => fresh.push(offer),
        }
    }
    fresh.sort_by(|a, b| before(rules, a, b, as_of_on));
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
        score: it.rarity,
        evidence: None,
        before: None,
        since_on: it.since_on,
        issued_on: as_of_on,
        owner: it.owner,
        gap_days: it.gap_days,
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
        is_derived: it.is_derived,
    };
    let found = findings.iter().map(|it| witness(&candidates[*it])).collect();
    let evidence = Evidence::new(found, together, rules.agree_one_in.max(1.0).ln());
    let placed = evidence.told();
    let first = &candidates[findings[0]];
    Offer {
        key: first.key,
        severity: Some(placed.severity()),
        score: placed.score,
        evidence: Some(evidence),
        before: None,
        since_on: findings.iter().map(|it| candidates[*it].since_on).min().unwrap_or(as_of_on),
        issued_on: as_of_on,
        owner: first.owner,
        gap_days: first.gap_days,
        findings,
    }
}

/// The rarer first. Of equal ones whoever was longest without contact, then the older finding; by key at last, so that the
/// order is one. Whoever is taken up has just been in contact, so the next time the other one comes first.
///
/// Two channels are no order of their own: of many students some have two chance findings, and how rare both together are
/// is in the score already.
fn before(rules: &Rules, a: &Offer, b: &Offer, as_of_on: i32) -> std::cmp::Ordering {
    let score = b.score.total_cmp(&a.score);
    let drawn = || rules.random.as_ref().map_or(std::cmp::Ordering::Equal, |it| it.order(a.key, b.key, as_of_on));
    // Longest first; where nothing is known of contact nobody goes before on its account.
    let gap = || b.gap_days.cmp(&a.gap_days);
    score.then_with(drawn).then_with(gap).then_with(|| a.since_on.cmp(&b.since_on)).then_with(|| a.key.cmp(&b.key))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STUDENTS: usize = 1000;

    fn rules(talks: u32) -> Rules {
        Rules { cool_down_days: 14, budget_days: 7, talks, talks_of: BTreeMap::new(), agree_one_in: 5.0, random: None }
    }

    fn found(key: i64, channel: &str, score: f64) -> Candidate {
        let (name, channel) = (channel.to_owned(), channel.to_owned());
        Candidate {
            key,
            name,
            channel,
            severity: Some(1),
            is_derived: false,
            rarity: score,
            worth: 1.0,
            since_on: 90,
            owner: Some(1),
            gap_days: None,
        }
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

    #[test]
    fn a_model_beside_the_channel_that_it_reads_is_no_second_witness() {
        let model = Candidate { is_derived: true, ..found(1, "study", 6.0) };
        let severity = |of: &[Candidate]| offers(&rules(9), of, STUDENTS, &[], 100).offered[0].severity;
        assert_eq!(severity(&[model.clone(), found(1, "class", 5.0)]), Some(1));
        assert_eq!(severity(&[model.clone(), found(1, "class", 5.0), found(1, "meal", 5.0)]), Some(2));
        assert_eq!(severity(&[model.clone(), Candidate { channel: "other".to_owned(), ..model }]), Some(1));
    }

    #[test]
    fn whatever_a_rule_says_of_itself_one_channel_is_severity_one() {
        for said in 1..=9 {
            let loud = Candidate { severity: Some(said), ..found(1, "meal", 5.0) };
            let more = Candidate { name: "other".to_owned(), ..loud.clone() };
            assert_eq!(offers(&rules(9), &[loud, more], STUDENTS, &[], 100).offered[0].severity, Some(1));
        }
    }

    #[test]
    fn of_equal_offers_whoever_was_longest_without_contact_comes_first() {
        let of = |key: i64, gap_days: Option<i32>| Candidate { gap_days, ..found(key, "meal", 5.0) };
        let offered = |rules: &Rules, of: &[Candidate]| {
            offers(rules, of, STUDENTS, &[], 100).offered.iter().map(|it| it.key).collect::<Vec<_>>()
        };
        assert_eq!(offered(&rules(2), &[of(1, Some(3)), of(2, Some(90)), of(3, None)]), [2, 1]);
        // The score goes before.
        assert_eq!(offered(&rules(1), &[of(1, Some(90)), Candidate { rarity: 6.0, ..of(2, Some(1)) }]), [2]);
        // A study that was approved draws, the same for the same date, and not always the same students.
        let draw = Draw::new("E-1", &["a".to_owned(), "b".to_owned()], &"0f".repeat(32)).expect("settings");
        let drawn = Rules { random: draw, ..rules(1) };
        let pair = [of(1, Some(3)), of(2, Some(90))];
        let on = |day: i32| offers(&drawn, &pair, STUDENTS, &[], day).offered[0].key;
        let days: Vec<i64> = (100..140).map(on).collect();
        assert_eq!(days, (100..140).map(on).collect::<Vec<_>>());
        assert!(days.contains(&1) && days.contains(&2), "{days:?}");
    }

    fn candidates() -> impl Strategy<Value = Vec<Candidate>> {
        let one = (0i64..30, 0usize..4, prop::option::of(1u8..=9), 0u32..100, 0i64..3, any::<bool>());
        let one = one.prop_map(|(key, channel, severity, score, owner, is_derived)| Candidate {
            severity,
            is_derived,
            rarity: f64::from(score),
            // A student has one owner.
            owner: Some(key % 3).filter(|_| owner < 3),
            ..found(key, ["meal", "return", "library", "class"][channel], 0.0)
        });
        prop::collection::vec(one, 0..60)
    }

    proptest! {
        #[test]
        fn severity_two_has_two_channels_and_nothing_is_graver(candidates in candidates(), talks in 0u32..9, on in 90i32..110, before in 1u8..=4) {
            // Earlier offers, whatever stood in them, raise nothing.
            let issued: Vec<Issued> = (0..30).step_by(3).map(|key| Issued { key, issued_on: 89, severity: before, owner: None }).collect();
            let result = offers(&rules(talks), &candidates, STUDENTS, &issued, on);
            for it in result.offered.iter().chain(&result.cut) {
                let of: Vec<&Candidate> = it.findings.iter().map(|at| &candidates[*at]).collect();
                match it.severity {
                    None => prop_assert!(of.iter().all(|it| it.severity.is_none())),
                    Some(1) => {}
                    Some(2) => {
                        let channels: BTreeSet<&str> = of.iter().filter(|it| !it.is_derived).map(|it| it.channel.as_str()).collect();
                        prop_assert!(1 < channels.len(), "{of:?}");
                    }
                    Some(more) => prop_assert!(false, "severity {more} came from data"),
                }
            }
        }

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
                    prop_assert!(before(&rules(talks), kept, cut, 100).is_lt());
                }
            }
        }
    }
}
