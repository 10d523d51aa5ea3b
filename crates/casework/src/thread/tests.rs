//! The steps of a case, one rule a test.

use super::*;
use crate::actor::{Actor, Shift};
use crate::deadline::{HOUR_US, MINUTE_US, Rules};
use crate::handover::Post;
use crate::refusal::Refusal;
use crate::sight::{Sight, may_read, sight};

pub(super) fn counselor() -> Actor {
    Actor { is_responsible: true, ..Actor::stranger("lin", Role::Counselor) }
}

pub(super) fn psychologist() -> Actor {
    Actor { is_of_college: true, ..Actor::stranger("wang", Role::Psychologist) }
}

pub(super) fn command(act: Act) -> Command {
    Command { act, reason: Code::new("as_seen").unwrap() }
}

fn severity(level: i64) -> Severity {
    Severity::try_from(level).unwrap()
}

pub(super) fn signal(source: Source, level: i64) -> Act {
    Act::Signal { source, severity: severity(level) }
}

fn close(how: How, reached: Reached) -> Act {
    Act::Close { outcome: Outcome::NeededSupport, reached, how }
}

/// A case and its history, driven by commands.
struct Case {
    thread: Thread,
    events: Vec<Event>,
    now: i64,
}

impl Case {
    fn new(kind: Kind) -> Self {
        Self { thread: Thread::blank(1, 7, kind), events: Vec::new(), now: 0 }
    }

    fn opened(kind: Kind, source: Source, level: i64) -> Self {
        let mut case = Self::new(kind);
        let actor = if source == Source::Machine { Actor::system() } else { counselor() };
        case.does(&actor, signal(source, level));
        case
    }

    fn asks(&self, actor: &Actor, act: Act) -> Result<Vec<Event>, Refusal> {
        decide(&self.thread, &command(act), actor, &Rules::default(), self.now)
    }

    #[track_caller]
    fn does(&mut self, actor: &Actor, act: Act) {
        let events = self.asks(actor, act).unwrap_or_else(|it| panic!("{it}"));
        self.thread = Thread::replay(self.thread.clone(), &events);
        self.events.extend(events);
    }

    #[track_caller]
    fn refuses(&self, actor: &Actor, act: Act) -> Refusal {
        self.asks(actor, act).expect_err("a refusal")
    }

    fn up_to_review(&mut self, actor: &Actor) {
        self.does(actor, Act::Claim {});
        self.does(actor, Act::Contact { reached: Reached::InPerson });
        let severity = self.thread.severity;
        self.does(actor, Act::Assess { severity });
        self.does(actor, Act::Plan {});
        self.does(actor, Act::Review { is_quiet: true });
    }
}

#[test]
fn a_case_goes_its_way_and_closes_with_outcome_and_who_was_reached() {
    let mut case = Case::opened(Kind::Academic, Source::Machine, 2);
    case.up_to_review(&counselor());
    case.does(&counselor(), close(How::Single, Reached::InPerson));
    let thread = &case.thread;
    assert_eq!((thread.state, thread.version, thread.deadline_us), (State::Closed, 7, None));
    assert_eq!((thread.outcome, thread.reached), (Some(Outcome::NeededSupport), Some(Reached::InPerson)));
    assert_eq!(case.refuses(&counselor(), Act::Claim {}), Refusal::Closed);
}

#[test]
fn a_step_out_of_turn_is_refused_with_what_is_open() {
    let case = Case::opened(Kind::Academic, Source::Machine, 2);
    let refused = case.refuses(&counselor(), Act::Plan {});
    assert_eq!(refused, Refusal::OutOfTurn { state: State::New, allowed: vec!["claim"] });
    assert_eq!(refused.text().zh, "当前为“待认领”，此步骤尚不可做；可做：claim。");
    let blank = Case::new(Kind::Academic);
    assert_eq!(blank.refuses(&counselor(), Act::Claim {}), Refusal::Empty);
}

#[test]
fn data_alone_never_raises_above_two_and_nobody_sets_four() {
    let case = Case::new(Kind::Psych);
    assert_eq!(case.refuses(&Actor::system(), signal(Source::Machine, 3)), Refusal::DataLimit);
    assert_eq!(case.refuses(&Actor::system(), signal(Source::Machine, 4)), Refusal::DataLimit);
    assert_eq!(case.refuses(&Actor::system(), signal(Source::HumanReport, 1)), Refusal::NotYours);
    assert_eq!(case.refuses(&counselor(), signal(Source::Machine, 1)), Refusal::NotYours);
    let case = Case::opened(Kind::Psych, Source::Machine, 2);
    let three = || Act::SetSeverity { severity: severity(3) };
    assert_eq!(case.refuses(&counselor(), three()), Refusal::ReportMissing);
    assert_eq!(case.refuses(&psychologist(), Act::SetSeverity { severity: severity(4) }), Refusal::DeclareInstead);
    assert!(case.asks(&psychologist(), three()).is_ok());
    let reported = Case::opened(Kind::Psych, Source::HumanReport, 2);
    assert!(reported.asks(&counselor(), three()).is_ok());
}

#[test]
fn a_dorm_head_reports_and_sees_nothing() {
    let dorm_head = Actor::stranger("zhou", Role::DormHead);
    let mut case = Case::new(Kind::Psych);
    assert_eq!(case.refuses(&dorm_head, signal(Source::HumanReport, 3)), Refusal::ReportMissing);
    case.does(&dorm_head, signal(Source::HumanReport, 2));
    assert_eq!(sight(&dorm_head, &case.thread, 0), Sight::Nothing);
    assert_eq!(case.refuses(&dorm_head, Act::Claim {}), Refusal::NotYours);
    assert_eq!(case.refuses(&dorm_head, Act::Declare { is_danger_immediate: true }), Refusal::NotYours);
}

#[test]
fn machines_are_bundled_and_people_are_not() {
    let mut case = Case::opened(Kind::Academic, Source::Machine, 1);
    for level in [1, 2] {
        case.does(&Actor::system(), signal(Source::Machine, level));
    }
    case.does(&counselor(), signal(Source::HumanReport, 1));
    case.does(&counselor(), signal(Source::HumanReport, 1));
    let counts: Vec<_> = case.thread.entries.iter().map(|it| (it.source, it.n_signals)).collect();
    assert_eq!(counts, [(Source::Machine, 3), (Source::HumanReport, 1), (Source::HumanReport, 1)]);
    assert_eq!(case.thread.severity, severity(2), "the gravest");
}

#[test]
fn only_a_machine_is_cooled_down() {
    let soon = Some(0);
    let admitted = |kind, source, level, is_open| admit(kind, source, severity(level), is_open, soon, 13 * DAY_US);
    assert_eq!(admitted(Kind::Academic, Source::Machine, 2, false), Admission::CooledDown);
    assert_eq!(admitted(Kind::Academic, Source::Machine, 2, true), Admission::Bundled);
    assert_eq!(admitted(Kind::Safety, Source::Machine, 0, false), Admission::Opens);
    for source in Source::ALL.iter().filter(|it| **it != Source::Machine) {
        assert_eq!(admitted(Kind::Psych, *source, 1, false), Admission::Opens, "{source:?}");
        assert_eq!(admitted(Kind::Psych, *source, 1, true), Admission::OwnEntry, "{source:?}");
    }
    assert_eq!(admitted(Kind::Psych, Source::Machine, 3, true), Admission::OwnEntry);
    let later = admit(Kind::Academic, Source::Machine, severity(2), false, soon, 14 * DAY_US);
    assert_eq!(later, Admission::Opens);
}

#[test]
fn from_severity_two_no_shortcut_and_no_bulk() {
    for how in [How::Bulk, How::Shortcut] {
        let mild = Case::opened(Kind::Academic, Source::Machine, 1);
        assert!(mild.asks(&counselor(), close(how, Reached::GateOnly)).is_ok());
        let graver = Case::opened(Kind::Academic, Source::Machine, 2);
        assert_eq!(graver.refuses(&counselor(), close(how, Reached::Phone)), Refusal::SingleOnly);
        let reported = Case::opened(Kind::Academic, Source::HumanReport, 1);
        assert_eq!(reported.refuses(&counselor(), close(how, Reached::Phone)), Refusal::SingleOnly);
        let safety = Case::opened(Kind::Safety, Source::Machine, 0);
        assert_eq!(safety.refuses(&counselor(), close(how, Reached::Phone)), Refusal::SingleOnly);
    }
    let mild = Case::opened(Kind::Academic, Source::Machine, 1);
    assert_eq!(mild.refuses(&counselor(), close(How::Expiry, Reached::GateOnly)), Refusal::NotYours);
}

#[test]
fn a_safety_case_closes_only_when_the_student_was_reached() {
    let mut case = Case::opened(Kind::Safety, Source::Machine, 0);
    case.up_to_review(&counselor());
    for reached in [Reached::Roommate, Reached::Parent, Reached::GateOnly] {
        assert_eq!(case.refuses(&counselor(), close(How::Single, reached)), Refusal::StudentNotReached);
    }
    for reached in [Reached::InPerson, Reached::Phone, Reached::Video] {
        assert!(case.asks(&counselor(), close(How::Single, reached)).is_ok());
    }
}

#[test]
fn a_report_that_came_after_the_assessment_is_assessed_before_the_end() {
    let mut case = Case::opened(Kind::Academic, Source::Machine, 2);
    case.up_to_review(&counselor());
    case.does(&Actor::stranger("zhou", Role::DormHead), signal(Source::HumanReport, 1));
    assert_eq!(case.refuses(&counselor(), close(How::Single, Reached::InPerson)), Refusal::EntryUnassessed);
}

#[test]
fn lowering_takes_two_quiet_reviews_or_a_psychologist() {
    let mut case = Case::opened(Kind::Psych, Source::HumanReport, 2);
    case.up_to_review(&counselor());
    let one = || Act::SetSeverity { severity: severity(1) };
    assert_eq!(case.refuses(&counselor(), one()), Refusal::LowerBy { from: severity(2) });
    case.does(&counselor(), Act::Review { is_quiet: true });
    assert!(case.asks(&counselor(), one()).is_ok());
    case.does(&psychologist(), Act::SetSeverity { severity: severity(3) });
    assert_eq!(case.refuses(&counselor(), one()), Refusal::NotYours);
    case.does(&psychologist(), one());
}

#[test]
fn a_late_step_goes_up_level_by_level_until_the_university() {
    let mut case = Case::opened(Kind::Psych, Source::HumanReport, 3);
    assert_eq!(case.thread.deadline_us, Some(24 * HOUR_US));
    assert_eq!(case.refuses(&Actor::system(), Act::Escalate {}), Refusal::NotDue);
    case.now = 25 * HOUR_US;
    case.does(&Actor::system(), Act::Escalate {});
    assert_eq!((case.thread.level, case.thread.deadline_us), (Network::College, Some(29 * HOUR_US)));
    case.now = 30 * HOUR_US;
    case.does(&Actor::system(), Act::Escalate {});
    case.now = 60 * HOUR_US;
    assert_eq!(case.refuses(&Actor::system(), Act::Escalate {}), Refusal::NotDue, "nobody stands above");
    assert_eq!(case.refuses(&counselor(), Act::Escalate {}), Refusal::NotYours);
}

#[test]
fn attention_expires_by_itself_and_a_report_does_not() {
    let mut case = Case::opened(Kind::Academic, Source::Machine, 1);
    case.now = 27 * DAY_US;
    assert_eq!(case.refuses(&Actor::system(), Act::Expire {}), Refusal::NotDue);
    case.now = 28 * DAY_US;
    case.does(&Actor::system(), Act::Expire {});
    assert_eq!((case.thread.state, case.thread.reached), (State::Closed, Some(Reached::GateOnly)));
    let mut reported = Case::opened(Kind::Academic, Source::HumanReport, 1);
    reported.now = 300 * DAY_US;
    assert_eq!(reported.refuses(&Actor::system(), Act::Expire {}), Refusal::NotDue);
    let mut general = Case::opened(Kind::Academic, Source::Machine, 2);
    general.up_to_review(&counselor());
    general.does(&counselor(), Act::Review { is_quiet: true });
    general.does(&Actor::system(), Act::Expire {});
    assert_eq!((general.thread.state, general.thread.is_expiry_proposed), (State::Reviewing, true), "proposed only");
}

#[test]
fn a_crisis_ends_by_a_psychologist_after_all_steps_and_a_conference() {
    let security = Actor {
        shift: Some(Shift { post: Post::SecurityOffice, from_us: 0, until_us: 8 * HOUR_US }),
        ..Actor::stranger("wu", Role::Security)
    };
    let mut case = Case::opened(Kind::Psych, Source::HumanReport, 2);
    assert_eq!(sight(&security, &case.thread, 0), Sight::Nothing);
    case.does(&counselor(), Act::Declare { is_danger_immediate: false });
    assert_eq!((case.thread.severity, case.thread.deadline_us), (severity(4), Some(5 * MINUTE_US)));
    assert_eq!(case.thread.crisis.as_ref().unwrap().declared_by, "lin");
    assert_eq!(sight(&security, &case.thread, 0), Sight::Step);
    assert_eq!(case.refuses(&psychologist(), close(How::Shortcut, Reached::Phone)), Refusal::CrisisOpen);

    let done = |step| Act::CrisisStep { step, result: CrisisResult::Done };
    for step in [CrisisStep::Telephone, CrisisStep::Acknowledge, CrisisStep::TellSecretary, CrisisStep::TellPsychologist] {
        case.does(&counselor(), done(step));
    }
    let missing = Refusal::CrisisStepsMissing { missing: vec!["tell_security", "on_site"] };
    assert_eq!(case.refuses(&psychologist(), Act::EndCrisis {}), missing);
    case.does(&security, done(CrisisStep::TellSecurity));
    let not_needed = Act::CrisisStep { step: CrisisStep::OnSite, result: CrisisResult::NotNeeded };
    case.does(&security, not_needed);
    let missing = Refusal::CrisisStepsMissing { missing: vec!["on_site"] };
    assert_eq!(case.refuses(&psychologist(), Act::EndCrisis {}), missing, "somebody must really have been there");
    case.does(&security, done(CrisisStep::OnSite));
    assert_eq!(case.refuses(&psychologist(), Act::EndCrisis {}), Refusal::ConferenceMissing);
    case.does(&psychologist(), Act::Confer { n_present: 3 });
    assert_eq!(case.refuses(&counselor(), Act::EndCrisis {}), Refusal::NotYours);
    case.does(&psychologist(), Act::EndCrisis {});
    assert_eq!((case.thread.severity, case.thread.running_crisis()), (severity(3), None));
    assert_eq!(sight(&security, &case.thread, 0), Sight::Nothing);
}

#[test]
fn the_ladder_skips_the_parents_only_as_the_psychologist_decided() {
    let mut case = Case::new(Kind::Safety);
    let open = |cause| Act::OpenCheck { cause, guardian: Guardian::Caution };
    assert_eq!(case.refuses(&Actor::system(), open(CheckCause::LostContact)), Refusal::NotYours, "a person's finding");
    case.does(&Actor::system(), open(CheckCause::NoTrace));
    assert_eq!((case.thread.severity, case.thread.deadline_us), (Severity::None, Some(10 * MINUTE_US)), "no level");
    let not_reached = |rung| Act::CheckStep { rung, result: CheckResult::NotReached, reached: None };
    for rung in [Rung::CallStudent, Rung::AskRoommates, Rung::GoToRoom, Rung::SecurityCamera] {
        case.does(&counselor(), not_reached(rung));
    }
    assert_eq!(case.refuses(&counselor(), not_reached(Rung::CallParents)), Refusal::ParentsUndecided);
    assert_eq!(case.refuses(&counselor(), Act::DecideParents { choice: ParentsChoice::Skip }), Refusal::NotYours);
    case.does(&psychologist(), Act::DecideParents { choice: ParentsChoice::Skip });
    let reached = |reached| Act::CheckStep { rung: Rung::CallPolice, result: CheckResult::Reached, reached };
    assert_eq!(case.refuses(&counselor(), reached(Some(Reached::Parent))), Refusal::StudentNotReached);
    case.does(&counselor(), reached(Some(Reached::InPerson)));
    assert_eq!(case.thread.running_check(), None);
    assert_eq!(case.thread.check.as_ref().unwrap().steps.len(), 5);
}

#[test]
fn a_team_is_named_person_by_person_and_ends_a_day_after_the_case() {
    let leader = Actor::stranger("chen", Role::Leader);
    let grant = || Act::GrantTo { account: "chen".to_owned() };
    let mut case = Case::opened(Kind::Psych, Source::HumanReport, 2);
    assert_eq!(case.refuses(&psychologist(), grant()), Refusal::GrantNotNeeded, "for 3 and 4 only");
    case.does(&psychologist(), Act::SetSeverity { severity: severity(3) });
    assert!(!may_read(&leader, &case.thread, 0));
    assert_eq!(case.refuses(&counselor(), grant()), Refusal::NotYours);
    case.does(&psychologist(), grant());
    assert_eq!(sight(&leader, &case.thread, 0), Sight::Record);
    case.up_to_review(&psychologist());
    case.now = HOUR_US;
    case.does(&psychologist(), close(How::Single, Reached::InPerson));
    assert!(may_read(&leader, &case.thread, 25 * HOUR_US - 1));
    assert!(!may_read(&leader, &case.thread, 25 * HOUR_US));
}

#[test]
fn others_see_only_that_another_profession_follows_up() {
    let academic = Case::opened(Kind::Academic, Source::Machine, 2).thread;
    let psych = Case::opened(Kind::Psych, Source::HumanReport, 2).thread;
    assert_eq!(sight(&psychologist(), &academic, 0), Sight::OtherProfession);
    assert_eq!(sight(&psychologist(), &psych, 0), Sight::Closed);
    let tutor = Actor { is_responsible: true, ..Actor::stranger("he", Role::Tutor) };
    assert_eq!((sight(&tutor, &academic, 0), sight(&tutor, &psych, 0)), (Sight::Listed, Sight::OtherProfession));
    let aid = Actor::stranger("mei", Role::AidCentre);
    assert_eq!((sight(&aid, &academic, 0), sight(&aid, &psych, 0)), (Sight::Nothing, Sight::Nothing));
    for role in [Role::Student, Role::Analyst, Role::Assessor, Role::Administrator, Role::Leader, Role::DormKeeper] {
        let own = Actor { is_responsible: true, is_of_college: true, ..Actor::stranger("x", role) };
        assert_eq!(sight(&own, &psych, 0), Sight::Nothing, "{role:?}");
    }
}

#[test]
fn after_a_death_two_named_persons_look_and_nothing_moves() {
    let mut case = Case::opened(Kind::Psych, Source::HumanReport, 2);
    let head = Actor { is_named: true, ..Actor::stranger("qian", Role::PsychologyHead) };
    let die = |one: &str, two: &str| Act::Die { readers: [one.to_owned(), two.to_owned()] };
    assert_eq!(case.refuses(&counselor(), die("qian", "sun")), Refusal::NotYours);
    let unnamed = Actor::stranger("qian", Role::PsychologyHead);
    assert_eq!(case.refuses(&unnamed, die("qian", "sun")), Refusal::NotYours, "a role alone is not enough");
    assert_eq!(case.refuses(&head, die("qian", "qian")), Refusal::TwoReaders);
    case.does(&head, die("qian", "sun"));
    assert_eq!((case.thread.deadline_us, case.thread.is_overdue(i64::MAX)), (None, false));
    assert_eq!(case.refuses(&counselor(), Act::Claim {}), Refusal::Deceased);
    assert_eq!(case.refuses(&Actor::system(), signal(Source::Machine, 1)), Refusal::Deceased);
    assert_eq!(sight(&counselor(), &case.thread, 0), Sight::Nothing);
    assert_eq!(sight(&Actor::stranger("sun", Role::Leader), &case.thread, 0), Sight::Record);
}

#[test]
fn a_case_that_is_far_too_long_still_takes_what_people_report() {
    let mut case = Case::opened(Kind::Psych, Source::HumanReport, 2);
    case.thread.version = Thread::EVENTS_MAX;
    assert_eq!(case.refuses(&Actor::system(), signal(Source::Machine, 1)), Refusal::TooLong);
    assert!(case.asks(&counselor(), signal(Source::HumanReport, 1)).is_ok());
    assert!(case.asks(&counselor(), Act::Declare { is_danger_immediate: true }).is_ok());
}

#[test]
fn an_event_is_the_same_after_json() {
    let mut case = Case::opened(Kind::Safety, Source::Machine, 0);
    case.up_to_review(&counselor());
    case.does(&counselor(), close(How::Single, Reached::Phone));
    let json = serde_json::to_string(&case.events).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Event>>(&json).unwrap(), case.events);
    assert!(
        json.contains(r#""reason":"as_seen","deadline_us":null,"step":"closed","outcome":"needed_support","reached":"phone""#)
    );
    for step in &case.events {
        let value = serde_json::to_value(step).unwrap();
        assert_eq!(value["step"], step.step.code());
    }
}
