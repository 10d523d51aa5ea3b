//! Turning a command into events, or into a sentence that says what is missing.

use super::{Act, Command, Event, How, Kind, Source, State, Step, Thread, apply};
use crate::actor::{Actor, Role};
use crate::crisis::{CrisisResult, CrisisStep};
use crate::deadline::{DAY_US, HOUR_US, Rules, escalation_due, first_contact_due, review_due};
use crate::refusal::Refusal;
use crate::safety::{CheckCause, CheckResult, ParentsChoice, Rung};
use crate::severity::Severity;
use crate::sight::may_act;

/// Quiet reviews after which a counselor may lower 2 and its end is proposed.
const QUIET_REVIEWS: i64 = 2;

/// Longest shift of a companion.
const COMPANION_US_MAX: i64 = 12 * HOUR_US;

/// Severity 1 expires this long after the last signal.
pub const EXPIRY_US: i64 = 28 * DAY_US;

/// States from which a step is open; `contact` after the first leaves the state as it is.
fn open_from(act: &Act) -> Option<&'static [State]> {
    use State::{Assessed, Claimed, Contacted, New, Plan, Referral, Reviewing, RuledOut};
    Some(match act {
        Act::Claim {} => &[New],
        Act::Contact { .. } => &[Claimed, Contacted, Assessed, Plan, Referral, RuledOut, Reviewing],
        Act::Assess { .. } => &[Contacted, Assessed, Plan, Referral, RuledOut, Reviewing],
        Act::Plan {} | Act::Refer { .. } => &[Assessed, Plan, Referral, Reviewing],
        Act::RuleOut {} => &[Assessed],
        Act::Review { .. } => &[Plan, Referral, RuledOut, Reviewing],
        Act::Close { how: How::Single, .. } => &[Reviewing],
        _ => return None,
    })
}

/// What may come next, for the sentence that refuses.
fn allowed(state: State) -> Vec<&'static str> {
    match state {
        State::New => vec!["claim"],
        State::Claimed => vec!["contact"],
        State::Contacted => vec!["assess", "contact"],
        State::Assessed => vec!["plan", "refer", "rule_out"],
        State::Plan | State::Referral => vec!["review", "assess", "plan", "refer"],
        State::RuledOut => vec!["review", "assess"],
        State::Reviewing => vec!["close", "review", "assess", "plan", "refer"],
        State::Closed => Vec::new(),
    }
}

/// Decides a command on a thread: the events it makes, each with the next deadline, or why not.
///
/// # Errors
/// A [`Refusal`], whose sentence says what is missing.
pub fn decide(thread: &Thread, command: &Command, actor: &Actor, rules: &Rules, now: i64) -> Result<Vec<Event>, Refusal> {
    if thread.death.is_some() {
        return Err(Refusal::Deceased);
    }
    if thread.is_closed() && !matches!(command.act, Act::Die { .. }) {
        return Err(Refusal::Closed);
    }
    if now < thread.latest_us {
        return Err(Refusal::TimeGoesBack);
    }
    let begins = matches!(command.act, Act::Signal { .. } | Act::Declare { .. } | Act::OpenCheck { .. });
    if thread.version == 0 && !begins {
        return Err(Refusal::Empty);
    }
    if !may_act(actor, thread, &command.act, now) {
        return Err(Refusal::NotYours);
    }
    if let Some(states) = open_from(&command.act)
        && !states.contains(&thread.state)
    {
        return Err(Refusal::OutOfTurn { state: thread.state, allowed: allowed(thread.state) });
    }
    if Thread::EVENTS_MAX <= thread.version && is_routine(&command.act) {
        return Err(Refusal::TooLong);
    }

    let mut after = thread.clone();
    let mut events = Vec::new();
    for step in steps(thread, &command.act, actor, rules, now)? {
        let (actor_name, role) = (actor.account.clone(), actor.role);
        let reason = command.reason.clone();
        let mut event = Event { at_us: now, actor: actor_name, role, reason, deadline_us: None, step };
        let before_deadline = after.deadline_us;
        let severity_before = after.severity;
        let tried = apply(after.clone(), &event);
        event.deadline_us = deadline(before_deadline, severity_before, &tried, &event.step, rules, now);
        after = apply(after, &event);
        events.push(event);
    }
    Ok(events)
}

/// Acts that a case that is far too long does without.
fn is_routine(act: &Act) -> bool {
    matches!(act, Act::Signal { source: Source::Machine, .. } | Act::Contact { .. } | Act::Review { .. } | Act::GrantTo { .. })
}

fn steps(thread: &Thread, act: &Act, actor: &Actor, rules: &Rules, now: i64) -> Result<Vec<Step>, Refusal> {
    let step = match act {
        Act::Signal { source, severity } => {
            expect_signal(*source, *severity, actor)?;
            let signalled = Step::Signalled { source: *source, severity: *severity };
            let mut steps = vec![signalled];
            if corroborates(thread, *source, *severity) {
                steps.push(Step::SeveritySet { severity: Severity::General });
            }
            return Ok(steps);
        }
        Act::Claim {} => Step::Claimed {},
        Act::TakeOver {} => Step::TakenOver {},
        Act::Contact { reached } => {
            if *reached == super::Reached::GateOnly {
                return Err(Refusal::GateOnly);
            }
            Step::Contacted { reached: *reached }
        }
        Act::Assess { severity } => {
            expect_severity(thread, *severity, actor)?;
            Step::Assessed { severity: *severity }
        }
        Act::SetSeverity { severity } => {
            expect_severity(thread, *severity, actor)?;
            Step::SeveritySet { severity: *severity }
        }
        Act::Plan {} => Step::Planned {},
        Act::Refer { to } => Step::Referred { to: *to },
        Act::RuleOut {} => Step::RuledOut {},
        Act::Review { is_quiet } => Step::Reviewed { is_quiet: *is_quiet },
        Act::Close { outcome, reached, how } => {
            expect_closable(thread, *reached, *how)?;
            Step::Closed { outcome: *outcome, reached: *reached, how: *how }
        }
        Act::Declare { is_danger_immediate } => {
            if thread.running_crisis().is_some() {
                return Err(Refusal::CrisisOpen);
            }
            Step::Declared { is_danger_immediate: *is_danger_immediate }
        }
        Act::CrisisStep { step, result } => {
            thread.running_crisis().ok_or(Refusal::NothingOpen)?;
            Step::CrisisStepped { crisis_step: *step, result: *result }
        }
        Act::Companion { shift } => {
            thread.running_crisis().ok_or(Refusal::NothingOpen)?;
            if shift.until_us <= shift.from_us || COMPANION_US_MAX < shift.until_us - shift.from_us {
                return Err(Refusal::CompanionSpan);
            }
            Step::Accompanied { shift: shift.clone() }
        }
        Act::Confer { n_present } => {
            if *n_present < 2 {
                return Err(Refusal::ConferenceMissing);
            }
            Step::Conferred { n_present: *n_present }
        }
        Act::EndCrisis {} => {
            expect_ended(thread, now)?;
            Step::CrisisEnded {}
        }
        Act::OpenCheck { cause, guardian } => {
            if thread.running_check().is_some() {
                return Err(Refusal::CheckOpen);
            }
            // Caution that stands on any case of the student holds for the ladder as well.
            Step::CheckOpened { cause: *cause, guardian: (*guardian).max(rules.family.guardian) }
        }
        Act::CheckStep { rung, result, reached } => {
            let check = thread.running_check().ok_or(Refusal::NothingOpen)?;
            let is_free = check.parents == Some(ParentsChoice::Call) || rules.family.may_be_reached_by(actor.role);
            if *rung == Rung::CallParents && *result != CheckResult::Skipped && !is_free {
                return Err(Refusal::ParentsUndecided);
            }
            if *result != CheckResult::Skipped {
                check.expect(*rung)?;
            } else if Some(*rung) != check.next() || check.parents.is_none() {
                // Nothing is skipped but what the psychologist decided.
                return Err(Refusal::RungMissing { next: check.next().unwrap_or(*rung) });
            }
            if (*result == CheckResult::Reached) != reached.is_some_and(super::Reached::is_student) {
                return Err(Refusal::StudentNotReached);
            }
            let due_us = check.opened_us + rung.limit_us();
            Step::CheckStepped { rung: *rung, result: *result, reached: *reached, due_us }
        }
        Act::DecideParents { choice } => {
            thread.running_check().ok_or(Refusal::NothingOpen)?;
            Step::ParentsDecided { choice: *choice }
        }
        Act::GrantTo { account } => {
            if thread.severity < Severity::Serious || thread.is_on_team(account, now) {
                return Err(Refusal::GrantNotNeeded);
            }
            Step::Granted { account: account.clone() }
        }
        Act::Revoke { account } => {
            if !thread.is_on_team(account, now) {
                return Err(Refusal::GrantNotNeeded);
            }
            Step::Revoked { account: account.clone() }
        }
        Act::Escalate {} => {
            let level = thread.level.above().filter(|_| thread.is_overdue(now)).ok_or(Refusal::NotDue)?;
            Step::Escalated { level }
        }
        Act::Expire {} => return expire(thread, now).map(|it| vec![it]),
        Act::Die { readers } => {
            if readers[0] == readers[1] || readers.iter().any(String::is_empty) {
                return Err(Refusal::TwoReaders);
            }
            Step::Died { readers: readers.clone() }
        }
    };
    Ok(vec![step])
}

fn expect_signal(source: Source, severity: Severity, actor: &Actor) -> Result<(), Refusal> {
    if (source == Source::Machine) != (actor.role == Role::System) && source != Source::FollowUp {
        return Err(Refusal::NotYours);
    }
    if severity == Severity::Crisis {
        return Err(if actor.role == Role::System { Refusal::DataLimit } else { Refusal::DeclareInstead });
    }
    if severity == Severity::Serious && !actor.role.is_staff() {
        return Err(if actor.role == Role::System { Refusal::DataLimit } else { Refusal::ReportMissing });
    }
    Ok(())
}

/// Whether one channel of the data and a person's report now stand together in a case, for the first time: that is as much as
/// two channels. What somebody has judged since is not overturned by more of the same.
fn corroborates(thread: &Thread, source: Source, severity: Severity) -> bool {
    let is_report = |it: Source| !matches!(it, Source::Machine | Source::FollowUp);
    let has = |of: &dyn Fn(Source) -> bool| thread.entries.iter().any(|it| of(it.source) && Severity::Attention <= it.severity);
    let is_data = |it: Source| it == Source::Machine;
    let meets = match source {
        Source::Machine => has(&is_report) && !has(&is_data),
        it if is_report(it) => has(&is_data) && !has(&is_report),
        _ => false,
    };
    meets && severity == Severity::Attention && thread.severity == Severity::Attention
}

/// Who may set which severity: upwards what a person answers for, downwards what was looked at long enough.
fn expect_severity(thread: &Thread, to: Severity, actor: &Actor) -> Result<(), Refusal> {
    let from = thread.severity;
    if to == from {
        return Ok(());
    }
    if to == Severity::Crisis {
        return Err(Refusal::DeclareInstead);
    }
    if from < to {
        if to == Severity::Serious && !actor.role.is_psychology() && thread.is_of_machines() {
            return Err(Refusal::ReportMissing);
        }
        return Ok(());
    }
    let may_lower = match from {
        // Through the end of the crisis only.
        Severity::Crisis => false,
        Severity::Serious => actor.role.is_psychology(),
        Severity::General => actor.role.is_psychology() || QUIET_REVIEWS <= thread.quiet_reviews,
        Severity::Attention | Severity::None => true,
    };
    if may_lower { Ok(()) } else { Err(Refusal::LowerBy { from }) }
}

fn expect_closable(thread: &Thread, reached: super::Reached, how: How) -> Result<(), Refusal> {
    if thread.running_crisis().is_some() {
        return Err(Refusal::CrisisOpen);
    }
    if thread.running_check().is_some() {
        return Err(Refusal::CheckOpen);
    }
    if how != How::Single && (Severity::General <= thread.severity || thread.kind == Kind::Safety || !thread.is_of_machines()) {
        return Err(Refusal::SingleOnly);
    }
    if how == How::Expiry {
        return Err(Refusal::NotYours);
    }
    if thread.kind == Kind::Safety && !reached.is_student() {
        return Err(Refusal::StudentNotReached);
    }
    if thread.has_unassessed {
        return Err(Refusal::EntryUnassessed);
    }
    Ok(())
}

/// What the protocol cannot do without, and that the student is not alone while it ends.
fn expect_ended(thread: &Thread, now: i64) -> Result<(), Refusal> {
    let crisis = thread.running_crisis().ok_or(Refusal::NothingOpen)?;
    let mut missing: Vec<&'static str> = crisis.open_steps().iter().map(|(step, _)| step.code()).collect();
    // Somebody must really have been there; judging it not needed is for the other steps.
    let was_there = |it: &crate::crisis::CrisisStepDone| it.step == CrisisStep::OnSite && it.result == CrisisResult::Done;
    if !crisis.steps.iter().any(was_there) && !missing.contains(&CrisisStep::OnSite.code()) {
        missing.push(CrisisStep::OnSite.code());
    }
    if !missing.is_empty() {
        return Err(Refusal::CrisisStepsMissing { missing });
    }
    if crisis.conference_us.is_none_or(|it| now < it) {
        return Err(Refusal::ConferenceMissing);
    }
    Ok(())
}

fn expire(thread: &Thread, now: i64) -> Result<Step, Refusal> {
    let latest = thread.entries.iter().map(|it| it.latest_us).max().unwrap_or(thread.latest_us);
    let is_quiet = thread.running_crisis().is_none() && thread.running_check().is_none();
    if thread.severity <= Severity::Attention && thread.kind != Kind::Safety && thread.is_of_machines() && is_quiet {
        if now < latest + EXPIRY_US {
            return Err(Refusal::NotDue);
        }
        let reached = thread.reached.unwrap_or(super::Reached::GateOnly);
        return Ok(Step::Closed { outcome: super::Outcome::NoSupportNeeded, reached, how: How::Expiry });
    }
    if thread.severity == Severity::General && QUIET_REVIEWS <= thread.quiet_reviews && !thread.is_expiry_proposed {
        return Ok(Step::ExpiryProposed {});
    }
    Err(Refusal::NotDue)
}

fn deadline(before: Option<i64>, severity_before: Severity, after: &Thread, step: &Step, rules: &Rules, now: i64) -> Option<i64> {
    if after.is_closed() || after.death.is_some() {
        return None;
    }
    let sooner = |due: Option<i64>| match (before, due) {
        (Some(one), Some(two)) => Some(one.min(two)),
        (one, two) => one.or(two),
    };
    if let Step::Escalated { .. } = step {
        return Some(escalation_due(after.severity, now, rules));
    }
    if let Some(crisis) = after.running_crisis() {
        let next = crisis.open_steps().first().map(|(_, due)| *due);
        return Some(next.unwrap_or_else(|| review_due(Severity::Crisis, now)));
    }
    if let Some((_, due)) = after.running_check().and_then(|it| it.due()) {
        return Some(due);
    }
    match step {
        Step::Signalled { severity, .. } => sooner(first_contact_due(*severity, now, rules)),
        Step::SeveritySet { severity } if severity_before < *severity => sooner(first_contact_due(*severity, now, rules)),
        Step::Contacted { .. } if Severity::Serious <= after.severity => Some(now + DAY_US),
        Step::Claimed {}
        | Step::TakenOver {}
        | Step::Granted { .. }
        | Step::Revoked { .. }
        | Step::Conferred { .. }
        | Step::Accompanied { .. }
        | Step::ParentsDecided { .. }
        | Step::ExpiryProposed {} => before,
        _ => Some(review_due(after.severity, now)),
    }
}

/// Says who may open a check: data says that it knows nothing, only a person that nobody answers.
pub(crate) fn may_open_check(actor: &Actor, cause: CheckCause) -> bool {
    match cause {
        CheckCause::NoTrace => actor.role == Role::System || actor.role.is_staff(),
        CheckCause::LostContact => actor.role.is_staff(),
    }
}
