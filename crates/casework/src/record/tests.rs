use proptest::prelude::*;

use super::*;
use crate::codes::Code;
use crate::deadline::HOUR_US;
use crate::record_form::record_forms;
use crate::thread::{Act, Command, Event, Kind, Reached, Source, State, Step, apply, decide};

const NOW: i64 = 20_000 * DAY_US;

fn counselor() -> Actor {
    Actor { is_responsible: true, ..Actor::stranger("lin", Role::Counselor) }
}

fn psychologist() -> Actor {
    Actor { is_of_college: true, ..Actor::stranger("wang", Role::Psychologist) }
}

fn case(steps: Vec<Step>) -> Thread {
    steps.into_iter().fold(Thread::blank(1, 2, Kind::Psych), |thread, step| {
        let reason = Code::new("as_seen").unwrap();
        let event =
            Event { at_us: NOW - HOUR_US, actor: "lin".to_owned(), role: Role::Counselor, reason, deadline_us: None, step };
        apply(thread, &event)
    })
}

fn open() -> Thread {
    case(vec![Step::Signalled { source: Source::HumanReport, severity: Severity::General }])
}

fn crisis() -> Thread {
    case(vec![Step::Declared { is_danger_immediate: true }])
}

fn conference(decision: ConferenceDecision, held_us: i64) -> Record {
    Record::Conference(CaseConference { held_us, members: vec!["wang".to_owned(), "lin".to_owned()], decision })
}

fn contact() -> Record {
    Record::GuardianContact(GuardianContact {
        at_us: NOW,
        relation: GuardianRelation::Mother,
        told: Told::Wellbeing,
        student_consented: false,
        is_signed: false,
    })
}

fn standing(guardian: Guardian, choice: Option<ParentsChoice>) -> GuardianStanding {
    GuardianStanding { guardian, is_minor: false, choice }
}

fn with(family: Family) -> Rules {
    Rules { family, ..Rules::default() }
}

fn review(parts: [bool; 4], decision: ReturnDecision, returns_day: Option<i64>) -> Record {
    let [has_certificate, has_talk, has_plan, has_room] = parts;
    Record::ReturnReview(ReturnReview { has_certificate, has_talk, has_plan, has_room, decision, returns_day })
}

fn check(record: &Record) -> Result<(), Error> {
    record.check(&Calendar::default(), NOW)
}

#[test]
fn a_conference_is_psychologys_and_ends_a_crisis_only_if_it_met_since_and_agreed() {
    let agrees = conference(ConferenceDecision::EndCrisis, NOW);
    let rules = Rules::default();
    assert_eq!(expect_record(&crisis(), &agrees, &counselor(), &rules, NOW), Err(Refusal::NotYours));
    assert_eq!(expect_record(&crisis(), &agrees, &psychologist(), &rules, NOW), Ok(()));
    assert!(agrees.ends_crisis(&crisis()));
    assert!(!conference(ConferenceDecision::GoOn, NOW).ends_crisis(&crisis()));
    assert!(!conference(ConferenceDecision::EndCrisis, NOW - 2 * HOUR_US).ends_crisis(&crisis()), "before the declaration");
    assert!(!agrees.ends_crisis(&open()), "no crisis goes on");
}

#[test]
fn a_conference_names_two_at_least_and_each_once() {
    assert!(check(&conference(ConferenceDecision::Plan, NOW)).is_ok());
    assert!(check(&conference(ConferenceDecision::Plan, NOW + 1)).is_err(), "it has met");
    for members in [vec!["wang"], vec!["wang", "wang"]] {
        let members = members.into_iter().map(str::to_owned).collect();
        let decision = ConferenceDecision::Plan;
        assert!(check(&Record::Conference(CaseConference { held_us: NOW, members, decision })).is_err());
    }
}

#[test]
fn with_caution_only_the_psychologists_decision_opens_the_way_to_the_family() {
    let none = Family::default();
    let caution = none.after(&standing(Guardian::Caution, None));
    let call = caution.after(&standing(Guardian::Caution, Some(ParentsChoice::Call)));
    let skip = caution.after(&standing(Guardian::Caution, Some(ParentsChoice::Skip)));
    let asked = |family, actor: &Actor| expect_record(&open(), &contact(), actor, &with(family), NOW);
    assert_eq!(asked(none, &counselor()), Ok(()));
    assert_eq!(asked(caution, &counselor()), Err(Refusal::ParentsUndecided));
    assert_eq!(asked(caution, &psychologist()), Ok(()));
    assert_eq!(asked(call, &counselor()), Ok(()));
    assert_eq!(
        (asked(skip, &counselor()), asked(skip, &psychologist())),
        (Err(Refusal::ParentsUndecided), Err(Refusal::ParentsUndecided))
    );
    // Caution named anew does not undo what was decided; lifted, it takes the decision with it.
    assert_eq!(skip.after(&standing(Guardian::Caution, None)), skip);
    assert_eq!(skip.after(&standing(Guardian::Normal, None)).after(&standing(Guardian::Caution, None)), caution);

    let says =
        |family, it: GuardianStanding, actor: &Actor| expect_record(&open(), &Record::Guardian(it), actor, &with(family), NOW);
    assert_eq!(says(none, standing(Guardian::Caution, None), &counselor()), Ok(()), "anybody at work asks for caution");
    assert_eq!(says(caution, standing(Guardian::Normal, None), &counselor()), Err(Refusal::NotYours));
    assert_eq!(says(caution, standing(Guardian::Caution, Some(ParentsChoice::Call)), &counselor()), Err(Refusal::NotYours));
    assert_eq!(says(caution, standing(Guardian::Normal, None), &psychologist()), Ok(()));
    assert!(check(&Record::Guardian(standing(Guardian::Normal, Some(ParentsChoice::Call)))).is_err());
}

#[test]
fn caution_holds_for_the_ladder_of_every_case() {
    let rules = with(Family::default().after(&standing(Guardian::Caution, None)));
    let opens = Act::OpenCheck { cause: crate::safety::CheckCause::LostContact, guardian: Guardian::Normal };
    let command = |act| Command { act, reason: Code::new("as_seen").unwrap() };
    let blank = Thread::blank(1, 2, Kind::Safety);
    let events = decide(&blank, &command(opens.clone()), &counselor(), &rules, NOW).unwrap();
    assert!(matches!(events[0].step, Step::CheckOpened { guardian: Guardian::Caution, .. }), "{events:?}");
    // A ladder that was begun before stops at the parents too.
    let events = decide(&blank, &command(opens), &counselor(), &Rules::default(), NOW).unwrap();
    let mut thread = events.iter().fold(blank, apply);
    use crate::safety::{CheckResult, Rung};
    for rung in [Rung::CallStudent, Rung::AskRoommates, Rung::GoToRoom, Rung::SecurityCamera] {
        let act = Act::CheckStep { rung, result: CheckResult::NotReached, reached: None };
        let events = decide(&thread, &command(act), &counselor(), &rules, NOW).unwrap();
        thread = events.iter().fold(thread, apply);
    }
    let parents = Act::CheckStep { rung: Rung::CallParents, result: CheckResult::NotReached, reached: None };
    assert_eq!(decide(&thread, &command(parents.clone()), &counselor(), &rules, NOW), Err(Refusal::ParentsUndecided));
    assert!(decide(&thread, &command(parents), &counselor(), &Rules::default(), NOW).is_ok());
}

#[test]
fn who_is_brought_somewhere_in_danger_does_not_go_alone() {
    let referral = |to, accompanied_by: Option<&str>, handed_over_us, feedback_us| {
        let accompanied_by = accompanied_by.map(str::to_owned);
        check(&Record::MedicalReferral(Referral { to, accompanied_by, handed_over_us, feedback_us }))
    };
    assert!(referral(ReferralTo::Emergency, None, None, None).is_ok(), "advised, not gone yet");
    assert!(referral(ReferralTo::Emergency, None, Some(NOW), None).is_err());
    assert!(referral(ReferralTo::Emergency, Some("lin"), Some(NOW), None).is_ok());
    assert!(referral(ReferralTo::UniversityHospital, None, Some(NOW), None).is_ok());
    assert!(referral(ReferralTo::PsychologyCentre, None, None, None).is_err(), "that is no medicine");
    assert!(referral(ReferralTo::Emergency, Some("lin"), Some(NOW), Some(NOW - 1)).is_err());
}

#[test]
fn nobody_returns_without_certificate_talk_plan_and_room() {
    let day = Some(20_003);
    assert!(check(&review([true, true, true, false], ReturnDecision::Return, day)).is_err());
    assert!(check(&review([true; 4], ReturnDecision::Return, None)).is_err(), "a return has its day");
    assert!(check(&review([true; 4], ReturnDecision::Return, day)).is_ok());
    assert!(check(&review([false; 4], ReturnDecision::NotYet, None)).is_ok());
}

#[test]
fn a_return_a_discharge_and_a_break_plan_their_contacts_by_themselves() {
    let calendar = Calendar::default();
    let weeks = |record: &Record| -> Vec<i64> {
        let from = 20_000 * DAY_US - calendar.offset_us;
        record.contacts(&calendar).unwrap().iter().map(|it| (it - from) / DAY_US / 7).collect()
    };
    let term = [1, 2, 4, 8, 12, 16, 20];
    assert_eq!(weeks(&review([true; 4], ReturnDecision::Return, Some(20_000))), term);
    assert_eq!(weeks(&Record::Discharge(Discharge { discharged_day: 20_000 })), term);
    assert_eq!(weeks(&review([false; 4], ReturnDecision::NotYet, Some(20_000))), [0; 0]);
    let plan =
        |every_days| Record::BreakPlan(BreakPlan { owner: "lin".to_owned(), from_day: 20_000, until_day: 20_028, every_days });
    assert_eq!(weeks(&plan(7)), [1, 2, 3, 6], "and within two weeks of the new term");
    assert!(check(&plan(0)).is_err());
    assert_eq!(weeks(&contact()), [0; 0]);
}

#[test]
fn a_record_is_the_same_after_json_and_holds_nothing_else() {
    for (record, _) in samples() {
        let json = serde_json::to_value(&record).unwrap();
        assert_eq!(json["record"], record.kind().code());
        assert_eq!(serde_json::from_value::<Record>(json.clone()).unwrap(), record);
        let mut more = json;
        more["diagnosis"] = "x".into();
        assert!(serde_json::from_value::<Record>(more).is_err(), "{record:?}");
    }
}

/// One record of each kind that anybody who may could make.
fn samples() -> Vec<(Record, bool)> {
    let day = 20_000;
    vec![
        (conference(ConferenceDecision::Plan, NOW), true),
        (Record::Guardian(standing(Guardian::Caution, None)), false),
        (contact(), false),
        (
            Record::MedicalReferral(Referral {
                to: ReferralTo::Emergency,
                accompanied_by: Some("lin".to_owned()),
                handed_over_us: Some(NOW),
                feedback_us: None,
            }),
            false,
        ),
        (Record::LeaveOfSchool(LeaveOfSchool { reason: LeaveReason::Suspension, from_day: day, until_day: None }), false),
        (Record::Discharge(Discharge { discharged_day: day }), false),
        (review([true; 4], ReturnDecision::Return, Some(day)), true),
        (Record::BreakPlan(BreakPlan { owner: "lin".to_owned(), from_day: day, until_day: day + 20, every_days: 5 }), false),
    ]
}

#[test]
fn forms_offer_what_may_be_recorded_and_nothing_else() {
    let offered = |thread: &Thread, actor: &Actor| -> Vec<RecordKind> {
        record_forms(thread, actor, &Rules::default(), NOW).iter().map(|it| it.record).collect()
    };
    let wanted = |is_psychology: bool| -> Vec<RecordKind> {
        samples().iter().filter(|it| is_psychology || !it.1).map(|it| it.0.kind()).collect()
    };
    assert_eq!(offered(&open(), &psychologist()), wanted(true));
    assert_eq!(offered(&open(), &counselor()), wanted(false));
    assert_eq!(offered(&open(), &Actor::stranger("he", Role::Counselor)), []);
    let forms = record_forms(&open(), &counselor(), &Rules::default(), NOW);
    let guardian = forms.iter().find(|it| it.record == RecordKind::Guardian).unwrap();
    assert_eq!(guardian.fields[2].choices, [], "the decision is not the counselor's");
    let to = &forms.iter().find(|it| it.record == RecordKind::MedicalReferral).unwrap().fields[0].choices;
    assert_eq!(to.len(), 5);
}

fn any_actor() -> impl Strategy<Value = Actor> {
    let roles = (0..Role::ALL.len()).prop_map(|it| Role::ALL[it]);
    (roles, any::<bool>(), any::<bool>()).prop_map(|(role, is_responsible, is_of_college)| Actor {
        is_responsible,
        is_of_college,
        ..Actor::stranger("x", role)
    })
}

fn any_family() -> impl Strategy<Value = Family> {
    let guardian = prop_oneof![Just(Guardian::Normal), Just(Guardian::Caution)];
    let choice = prop_oneof![Just(None), Just(Some(ParentsChoice::Call)), Just(Some(ParentsChoice::Skip))];
    (guardian, choice, any::<bool>())
        .prop_map(|(guardian, choice, is_minor)| Family::default().after(&GuardianStanding { guardian, is_minor, choice }))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn nobody_records_what_they_may_not_read(actor in any_actor(), family in any_family(), at in 0..8_usize, severity in 0..=4_i64) {
        let mut thread = open();
        thread.severity = Severity::try_from(severity).unwrap();
        let (record, is_psychologys) = samples().swap_remove(at);
        let taken = expect_record(&thread, &record, &actor, &with(family), NOW);
        if taken.is_ok() {
            prop_assert!(crate::sight::may_read(&actor, &thread, NOW));
            prop_assert!(!is_psychologys || actor.role.is_psychology());
            prop_assert!(actor.role.is_psychology() || actor.role == Role::Counselor);
            let reaches = matches!(record, Record::GuardianContact(_));
            prop_assert!(!reaches || family.guardian == Guardian::Normal || family.choice != Some(ParentsChoice::Skip));
        }
        let offered = record_forms(&thread, &actor, &with(family), NOW);
        prop_assert_eq!(taken.is_ok(), offered.iter().any(|it| it.record == record.kind()));
    }

    #[test]
    fn what_is_closed_or_stopped_takes_no_record(actor in any_actor(), at in 0..8_usize, is_dead in any::<bool>()) {
        let mut thread = open();
        thread.state = State::Closed;
        thread.reached = Some(Reached::Phone);
        if is_dead {
            thread.death = Some(crate::crisis::Death { at_us: NOW, readers: ["x".to_owned(), "y".to_owned()] });
        }
        let expected = if is_dead { Refusal::Deceased } else { Refusal::Closed };
        prop_assert_eq!(expect_record(&thread, &samples()[at].0, &actor, &Rules::default(), NOW), Err(expected));
    }

    #[test]
    fn contacts_come_in_order_and_not_before_their_day(day in 19_700..20_300_i64, span in 1..120_i64, every_days in 1..=14_i64) {
        let calendar = Calendar::default();
        let record = Record::BreakPlan(BreakPlan { owner: "lin".to_owned(), from_day: day, until_day: day + span, every_days });
        let dates = record.contacts(&calendar).unwrap();
        prop_assert!(dates.windows(2).all(|it| it[0] < it[1]));
        prop_assert!(dates.iter().all(|it| day * DAY_US - calendar.offset_us < *it));
        prop_assert_eq!(*dates.last().unwrap(), (day + span + 14) * DAY_US - calendar.offset_us);
    }
}
