//! Whatever is asked in whatever order: what must hold on every path.

use proptest::prelude::*;

use super::tests::command;
use super::*;
use crate::actor::{Actor, Shift};
use crate::deadline::{HOUR_US, Rules};
use crate::handover::Post;
use crate::sight::{Sight, sight};

/// Everybody who may come to a case; the last ones stand in nothing to it.
fn panel() -> Vec<Actor> {
    let with = |account: &str, role, is_responsible, is_of_college| Actor {
        is_responsible,
        is_of_college,
        ..Actor::stranger(account, role)
    };
    let shift = Some(Shift { post: Post::SecurityOffice, from_us: 0, until_us: i64::MAX });
    vec![
        Actor::system(),
        with("lin", Role::Counselor, true, false),
        with("wang", Role::Psychologist, false, true),
        with("qian", Role::PsychologyHead, false, false),
        with("chen", Role::CollegeSecretary, false, true),
        Actor { shift, ..Actor::stranger("wu", Role::Security) },
        with("zhou", Role::DormHead, false, false),
        with("s7", Role::Student, false, false),
        with("gao", Role::Leader, false, false),
        with("he", Role::Counselor, false, false),
        with("an", Role::Analyst, false, false),
    ]
}

fn any_of<T: Copy + std::fmt::Debug + 'static>(all: &'static [T]) -> impl Strategy<Value = T> {
    (0..all.len()).prop_map(move |it| all[it])
}

fn account() -> impl Strategy<Value = String> {
    (0..panel().len()).prop_map(|it| panel()[it].account.clone())
}

fn act() -> impl Strategy<Value = Act> {
    let severity = || any_of(Severity::ALL);
    let close = (any_of(Outcome::ALL), any_of(Reached::ALL), any_of(How::ALL));
    prop_oneof![
        3 => (any_of(Source::ALL), severity()).prop_map(|(source, severity)| Act::Signal { source, severity }),
        6 => Just(Act::Claim {}),
        1 => Just(Act::TakeOver {}),
        6 => any_of(Reached::ALL).prop_map(|reached| Act::Contact { reached }),
        6 => severity().prop_map(|severity| Act::Assess { severity }),
        2 => severity().prop_map(|severity| Act::SetSeverity { severity }),
        4 => Just(Act::Plan {}),
        2 => any_of(ReferralTo::ALL).prop_map(|to| Act::Refer { to }),
        2 => Just(Act::RuleOut {}),
        6 => any::<bool>().prop_map(|is_quiet| Act::Review { is_quiet }),
        6 => close.prop_map(|(outcome, reached, how)| Act::Close { outcome, reached, how }),
        1 => any::<bool>().prop_map(|is_danger_immediate| Act::Declare { is_danger_immediate }),
        4 => (any_of(CrisisStep::ALL), any_of(CrisisResult::ALL)).prop_map(|(step, result)| Act::CrisisStep { step, result }),
        1 => (0..50_i64).prop_map(|n_present| Act::Confer { n_present }),
        2 => Just(Act::EndCrisis {}),
        1 => (any_of(CheckCause::ALL), any_of(Guardian::ALL)).prop_map(|(cause, guardian)| Act::OpenCheck { cause, guardian }),
        3 => (any_of(Rung::ALL), any_of(CheckResult::ALL), proptest::option::of(any_of(Reached::ALL)))
            .prop_map(|(rung, result, reached)| Act::CheckStep { rung, result, reached }),
        1 => any_of(ParentsChoice::ALL).prop_map(|choice| Act::DecideParents { choice }),
        1 => account().prop_map(|account| Act::GrantTo { account }),
        1 => account().prop_map(|account| Act::Revoke { account }),
        1 => Just(Act::Escalate {}),
        1 => Just(Act::Expire {}),
    ]
}

/// The ladder once more, written down as pairs: what may follow what.
fn may_follow(before: State, after: State) -> bool {
    use State::{Assessed, Claimed, Closed, Contacted, New, Plan, Referral, Reviewing, RuledOut};
    let next: &[State] = match before {
        New => &[Claimed],
        Claimed => &[Contacted],
        Contacted => &[Assessed],
        Assessed => &[Plan, Referral, RuledOut],
        Plan | Referral => &[Plan, Referral, Reviewing, Assessed],
        RuledOut => &[Reviewing, Assessed],
        Reviewing => &[Assessed, Plan, Referral, Closed],
        Closed => &[],
    };
    before == after || next.contains(&after)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_asked_the_rules_hold(
        kind in any_of(Kind::ALL),
        first in prop_oneof![Just(0_usize), Just(1), Just(6)],
        level in 0..3_i64,
        asked in proptest::collection::vec((0..panel().len(), act(), 0..72_i64), 1..120),
    ) {
        let panel = panel();
        let rules = Rules::default();
        let blank = Thread::blank(1, 7, kind);
        let mut thread = blank.clone();
        let mut history: Vec<Event> = Vec::new();
        let mut now = 0;
        let source = if first == 0 { Source::Machine } else { Source::HumanReport };
        let severity = Severity::try_from(level).unwrap();
        let mut asked = asked;
        asked.insert(0, (first, Act::Signal { source, severity }, 0));
        let mut n_people_raised = 0;

        for (who, act, hours) in asked {
            now += hours * HOUR_US;
            let actor = &panel[who];
            let Ok(events) = decide(&thread, &command(act.clone()), actor, &rules, now) else { continue };
            prop_assert!(!events.is_empty(), "an accepted command leaves a trace");
            for event in &events {
                let after = apply(thread.clone(), event);
                prop_assert_eq!(after.version, thread.version + 1);

                // No illegal step.
                let is_early_end = matches!(event.step, Step::Closed { how: How::Bulk | How::Shortcut | How::Expiry, .. });
                if is_early_end {
                    prop_assert!(thread.severity <= Severity::Attention && thread.is_of_machines() && kind != Kind::Safety);
                } else {
                    prop_assert!(may_follow(thread.state, after.state), "{:?} -> {:?}", thread.state, after.state);
                }

                // By data never above 2, whatever people did before.
                if event.role == Role::System {
                    prop_assert!(after.severity <= thread.severity.max(Severity::DATA_MAX));
                } else if thread.severity < after.severity && Severity::DATA_MAX < after.severity {
                    n_people_raised += 1;
                }
                prop_assert!(after.severity <= Severity::DATA_MAX || 0 < n_people_raised);
                prop_assert!(after.severity < Severity::Crisis || after.crisis.is_some());

                // A reader list grows by a grant and nothing else.
                let n_readers = |it: &Thread| it.team.iter().filter(|grant| grant.revoked_us.is_none()).count();
                let is_grant = matches!(event.step, Step::Granted { .. });
                prop_assert_eq!(n_readers(&thread) < n_readers(&after), is_grant);
                for stranger in &panel[6..] {
                    if sight(stranger, &thread, now) == Sight::Nothing && sight(stranger, &after, now) != Sight::Nothing {
                        prop_assert!(is_grant, "{:?} sees it after {:?}", stranger, event.step);
                    }
                }

                // What a person reported is there for good.
                let own = |it: &Thread| it.entries.iter().filter(|it| it.source != Source::Machine).count();
                let is_own = matches!(event.step, Step::Signalled { source, .. } if source != Source::Machine);
                prop_assert_eq!(own(&after), own(&thread) + usize::from(is_own));

                // What goes on has somebody's next step, except where there is nothing to it.
                if !after.is_closed() && Severity::None < after.severity {
                    prop_assert!(after.deadline_us.is_some(), "{:?}", event);
                }
                thread = after;
            }
            history.extend(events);

            if thread.is_closed() {
                prop_assert!(thread.outcome.is_some() && thread.reached.is_some());
                prop_assert!(thread.running_crisis().is_none() && thread.deadline_us.is_none());
                prop_assert!(kind != Kind::Safety || thread.reached.is_some_and(Reached::is_student));
            }
        }

        // Nothing is lost: the history alone, even read back from JSON, is the thread.
        prop_assert_eq!(history.len() as i64, thread.version);
        let json = serde_json::to_string(&history).unwrap();
        let read: Vec<Event> = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(Thread::replay(blank, &read), thread);
    }

    #[test]
    fn from_wherever_a_case_is_there_is_a_way_to_its_end(
        kind in any_of(Kind::ALL),
        asked in proptest::collection::vec((0..panel().len(), act()), 1..40),
    ) {
        let panel = panel();
        let rules = Rules::default();
        let mut thread = Thread::blank(1, 7, kind);
        let opening = (1, Act::Signal { source: Source::HumanReport, severity: Severity::General });
        for (who, act) in std::iter::once(opening).chain(asked) {
            if let Ok(events) = decide(&thread, &command(act), &panel[who], &rules, 0) {
                thread = Thread::replay(thread, &events);
            }
        }
        let does = |thread: &mut Thread, act: Act| {
            let may = [2, 3, 1].into_iter().find_map(|who| decide(thread, &command(act.clone()), &panel[who], &rules, 0).ok());
            if let Some(events) = may {
                *thread = Thread::replay(thread.clone(), &events);
            }
        };
        // The head of psychology sees every grave case, the counselor the others: together they end any.
        if let Some(next) = thread.running_check().and_then(|it| it.next()) {
            let reached = Some(Reached::Phone);
            does(&mut thread, Act::DecideParents { choice: ParentsChoice::Call });
            does(&mut thread, Act::CheckStep { rung: next, result: CheckResult::Reached, reached });
        }
        if thread.running_check().is_some() {
            let reached = Some(Reached::Phone);
            does(&mut thread, Act::CheckStep { rung: Rung::CallPolice, result: CheckResult::Reached, reached });
        }
        if thread.running_crisis().is_some() {
            for step in CrisisStep::ALL {
                does(&mut thread, Act::CrisisStep { step: *step, result: CrisisResult::Done });
            }
            does(&mut thread, Act::Confer { n_present: 3 });
            does(&mut thread, Act::EndCrisis {});
        }
        does(&mut thread, Act::Claim {});
        does(&mut thread, Act::Contact { reached: Reached::InPerson });
        let severity = thread.severity;
        does(&mut thread, Act::Assess { severity });
        does(&mut thread, Act::Plan {});
        does(&mut thread, Act::Review { is_quiet: true });
        does(&mut thread, Act::Close { outcome: Outcome::NeededSupport, reached: Reached::InPerson, how: How::Single });
        prop_assert!(thread.is_closed(), "{:?}", thread);
    }
}

fn signalled(thread: Thread, who: usize, source: Source, severity: Severity) -> Thread {
    let act = Act::Signal { source, severity };
    let events = decide(&thread, &command(act), &panel()[who], &Rules::default(), 0).expect("taken");
    Thread::replay(thread, &events)
}

#[test]
fn one_channel_and_a_persons_report_are_severity_two_in_either_order() {
    let (data, report) = ((0, Source::Machine), (1, Source::HumanReport));
    for (first, second) in [(data, report), (report, data)] {
        let blank = Thread::blank(1, 7, Kind::LifeAid);
        let one = signalled(blank, first.0, first.1, Severity::Attention);
        assert_eq!(one.severity, Severity::Attention);
        let both = signalled(one, second.0, second.1, Severity::Attention);
        assert_eq!(both.severity, Severity::General, "{:?}", both.entries);
    }
}

#[test]
fn more_of_the_same_raises_nothing_and_overturns_no_judgement() {
    // The data alone, however often.
    let mut thread = Thread::blank(1, 7, Kind::Academic);
    for _ in 0..9 {
        thread = signalled(thread, 0, Source::Machine, Severity::Attention);
        assert_eq!(thread.severity, Severity::Attention);
    }
    // A follow-up that is due is nobody's report.
    thread = signalled(thread, 0, Source::FollowUp, Severity::Attention);
    assert_eq!(thread.severity, Severity::Attention);
    thread = signalled(thread, 1, Source::HumanReport, Severity::Attention);
    assert_eq!(thread.severity, Severity::General);
    // Somebody judged it to be less; what the data go on to say is no news.
    thread.severity = Severity::Attention;
    thread = signalled(thread, 0, Source::Machine, Severity::Attention);
    assert_eq!(thread.severity, Severity::Attention);
}

/// What somebody who answers for a student does with a case, by name.
fn work(severity: Severity) -> Vec<(&'static str, Act)> {
    let (outcome, reached) = (Outcome::NeededSupport, Reached::InPerson);
    let mut work = vec![
        ("claim", Act::Claim {}),
        ("take_over", Act::TakeOver {}),
        ("contact", Act::Contact { reached }),
        ("assess", Act::Assess { severity }),
        ("plan", Act::Plan {}),
        ("refer", Act::Refer { to: ReferralTo::ALL[0] }),
        ("rule_out", Act::RuleOut {}),
        ("review", Act::Review { is_quiet: true }),
    ];
    work.extend(How::ALL.iter().map(|how| ("close", Act::Close { outcome, reached, how: *how })));
    work
}

/// Every step that is taken from one case of each state that can be come to, as `state act state`; the first case is new.
fn steps_taken(blank: Thread, who: usize, source: Source, severity: Severity, acts: &[(&str, Act)]) -> Vec<String> {
    let mut cases = vec![signalled(blank, who, source, severity)];
    let mut taken = Vec::new();
    let mut at = 0;
    while let Some(case) = cases.get(at).cloned() {
        for (name, act) in acts {
            let Ok(events) = decide(&case, &command(act.clone()), &panel()[1], &Rules::default(), 0) else { continue };
            let after = Thread::replay(case.clone(), &events);
            taken.push(format!("{} {name} {}", case.state.code(), after.state.code()));
            if !cases.iter().any(|it| it.state == after.state) {
                cases.push(after);
            }
        }
        at += 1;
    }
    taken.sort();
    taken
}

/// A refusal is no path: each step that the ladder allows is taken, and no other.
#[test]
fn every_step_that_the_ladder_allows_is_taken_and_no_other() {
    let severity = Severity::General;
    let blank = Thread::blank(1, 7, Kind::LifeAid);
    let taken = steps_taken(blank, 1, Source::HumanReport, severity, &work(severity));
    let allowed: [(&str, &[&str], &str); 12] = [
        ("claim", &["new"], "claimed"),
        ("contact", &["claimed"], "contacted"),
        ("assess", &["contacted", "assessed", "plan", "referral", "ruled_out", "reviewing"], "assessed"),
        ("plan", &["assessed", "plan", "referral", "reviewing"], "plan"),
        ("refer", &["assessed", "plan", "referral", "reviewing"], "referral"),
        ("rule_out", &["assessed"], "ruled_out"),
        ("review", &["plan", "referral", "ruled_out", "reviewing"], "reviewing"),
        ("close", &["reviewing"], "closed"),
        ("take_over", &["new"], "claimed"),
        // Talking again, or somebody else going on with it, moves no case.
        ("contact", &["contacted", "assessed", "plan", "referral", "ruled_out", "reviewing"], "="),
        ("take_over", &["claimed", "contacted", "assessed", "plan"], "="),
        ("take_over", &["referral", "ruled_out", "reviewing"], "="),
    ];
    let mut expected: Vec<String> = Vec::new();
    for (act, from, to) in allowed {
        expected.extend(from.iter().map(|it| format!("{it} {act} {}", if to == "=" { *it } else { to })));
    }
    expected.sort();
    assert_eq!(taken, expected);
    // The same ladder as pairs, by which the random walks are judged, is not wider than what is taken.
    let pairs = |it: &str| {
        let mut words = it.split(' ');
        (words.next().map(str::to_owned), words.nth(1).map(str::to_owned))
    };
    for before in State::ALL {
        for after in State::ALL.iter().filter(|it| *it != before) {
            let pair = (Some(before.code().to_owned()), Some(after.code().to_owned()));
            assert_eq!(may_follow(*before, *after), taken.iter().any(|it| pairs(it) == pair), "{pair:?}");
        }
    }
}

#[test]
fn what_data_alone_raised_mildly_ends_from_every_state_by_hand_or_by_time() {
    let severity = Severity::Attention;
    let acts = work(severity);
    let blank = || Thread::blank(1, 7, Kind::Academic);
    let taken = steps_taken(blank(), 0, Source::Machine, severity, &acts);
    for state in State::ALL.iter().filter(|it| **it != State::Closed) {
        // In one go and by the short way from anywhere, after a review one by one too, and never in the name of time.
        let ends = taken.iter().filter(|it| **it == format!("{} close closed", state.code())).count();
        assert_eq!(ends, if *state == State::Reviewing { 3 } else { 2 }, "{}", state.code());
        // Time ends it from wherever it stands.
        let mut case = signalled(blank(), 0, Source::Machine, severity);
        case.state = *state;
        let by_time = |now| decide(&case, &command(Act::Expire {}), &Actor::system(), &Rules::default(), now);
        assert!(by_time(EXPIRY_US - 1).is_err(), "{}", state.code());
        let events = by_time(EXPIRY_US).unwrap_or_else(|it| panic!("{}: {it}", state.code()));
        assert!(Thread::replay(case.clone(), &events).is_closed());
    }
}
