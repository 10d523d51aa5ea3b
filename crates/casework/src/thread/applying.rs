//! Adding an event to a thread. Cannot fail: what was decided has happened.

use super::{Entry, Event, Grant, Source, State, Step, Thread};
use crate::crisis::{Crisis, CrisisStepDone, Death};
use crate::deadline::Network;
use crate::safety::{CheckStepDone, SafetyCheck};
use crate::severity::Severity;

/// Returns the thread after an event.
pub fn apply(mut thread: Thread, event: &Event) -> Thread {
    thread.version += 1;
    thread.latest_us = thread.latest_us.max(event.at_us);
    thread.opened_us.get_or_insert(event.at_us);
    thread.deadline_us = event.deadline_us;
    match &event.step {
        Step::Signalled { source, severity } => signal(&mut thread, event, *source, *severity),
        Step::Claimed {} => {
            thread.state = State::Claimed;
            thread.owner = Some(event.actor.clone());
        }
        Step::TakenOver {} => {
            thread.owner = Some(event.actor.clone());
            if thread.state == State::New {
                thread.state = State::Claimed;
            }
        }
        Step::Contacted { reached } => {
            thread.reached = Some(*reached);
            thread.first_contact_us.get_or_insert(event.at_us);
            // Only the first contact moves the case on.
            if thread.state == State::Claimed {
                thread.state = State::Contacted;
            }
            thread.level = Network::Class;
        }
        Step::Assessed { severity } => {
            thread.severity = *severity;
            thread.has_unassessed = false;
            thread.state = State::Assessed;
            thread.level = Network::Class;
        }
        Step::SeveritySet { severity } => {
            thread.severity = *severity;
            thread.quiet_reviews = 0;
        }
        Step::Planned {} => thread.state = State::Plan,
        Step::Referred { to } => {
            thread.state = State::Referral;
            thread.referred_to = Some(*to);
        }
        Step::RuledOut {} => thread.state = State::RuledOut,
        Step::Reviewed { is_quiet } => {
            thread.state = State::Reviewing;
            thread.quiet_reviews = if *is_quiet { thread.quiet_reviews + 1 } else { 0 };
            thread.level = Network::Class;
        }
        Step::Closed { outcome, reached, .. } => {
            thread.state = State::Closed;
            thread.outcome = Some(*outcome);
            thread.reached = Some(*reached);
            thread.closed_us = Some(event.at_us);
        }
        Step::Declared { is_danger_immediate } => {
            thread.severity = Severity::Crisis;
            thread.crisis = Some(Crisis {
                declared_by: event.actor.clone(),
                declared_us: event.at_us,
                is_danger_immediate: *is_danger_immediate,
                steps: Vec::new(),
                companions: Vec::new(),
                conference_us: None,
                ended_us: None,
            });
        }
        Step::CrisisStepped { crisis_step, result } => {
            if let Some(crisis) = &mut thread.crisis {
                let by = event.actor.clone();
                crisis.steps.push(CrisisStepDone { step: *crisis_step, by, at_us: event.at_us, result: *result });
            }
        }
        Step::Accompanied { shift } => {
            if let Some(crisis) = &mut thread.crisis {
                crisis.companions.push(shift.clone());
            }
        }
        Step::Conferred { .. } => {
            if let Some(crisis) = &mut thread.crisis {
                crisis.conference_us = Some(event.at_us);
            }
        }
        Step::CrisisEnded {} => {
            if let Some(crisis) = &mut thread.crisis {
                crisis.ended_us = Some(event.at_us);
            }
            // The protocol is over and the case is not: a psychologist goes on with it.
            thread.severity = Severity::Serious;
        }
        Step::CheckOpened { cause, guardian } => {
            let (cause, guardian) = (*cause, *guardian);
            thread.check = Some(SafetyCheck { cause, opened_us: event.at_us, guardian, parents: None, steps: Vec::new() });
        }
        Step::CheckStepped { rung, result, reached, due_us } => {
            if let Some(check) = &mut thread.check {
                let (rung, result, reached, due_us) = (*rung, *result, *reached, *due_us);
                check.steps.push(CheckStepDone { rung, by: event.actor.clone(), at_us: event.at_us, due_us, result, reached });
            }
            if let Some(reached) = reached {
                thread.reached = Some(*reached);
                thread.first_contact_us.get_or_insert(event.at_us);
            }
        }
        Step::ParentsDecided { choice } => {
            if let Some(check) = &mut thread.check {
                check.parents = Some(*choice);
            }
        }
        Step::Granted { account } => {
            let (account, by) = (account.clone(), event.actor.clone());
            thread.team.push(Grant { account, by, from_us: event.at_us, revoked_us: None });
        }
        Step::Revoked { account } => {
            let running = thread.team.iter_mut().filter(|it| it.account == *account && it.revoked_us.is_none());
            running.for_each(|it| it.revoked_us = Some(event.at_us));
        }
        Step::Escalated { level } => thread.level = *level,
        Step::ExpiryProposed {} => thread.is_expiry_proposed = true,
        Step::Died { readers } => thread.death = Some(Death { at_us: event.at_us, readers: readers.clone() }),
    }
    thread
}

fn signal(thread: &mut Thread, event: &Event, source: Source, severity: Severity) {
    // A signal never lowers what somebody has judged.
    thread.severity = thread.severity.max(severity);
    thread.is_expiry_proposed = false;
    thread.quiet_reviews = 0;
    let bundle = thread.entries.iter_mut().find(|it| it.source == Source::Machine);
    if source == Source::Machine
        && let Some(entry) = bundle
    {
        entry.n_signals += 1;
        entry.latest_us = event.at_us;
        entry.severity = entry.severity.max(severity);
        return;
    }
    thread.has_unassessed |= source != Source::Machine;
    thread.entries.push(Entry {
        source,
        severity,
        by: event.actor.clone(),
        first_us: event.at_us,
        latest_us: event.at_us,
        n_signals: 1,
    });
}
