//! Who sees how much of a case, and who may do what on it.

use serde::Serialize;

use crate::actor::{Actor, Role};
use crate::severity::Severity;
use crate::thread::{Act, Kind, Source, State, Thread};

/// How much of a case somebody sees; each holds what stands before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sight {
    /// Not even that there is one.
    Nothing,
    /// That another profession follows up (有其他专业跟进).
    OtherProfession,
    /// The one step that is asked of them.
    Step,
    /// That it is there, how far, and whose.
    Listed,
    /// The record, with severity as their role is shown it.
    Record,
    /// The record and psychology's sealed notes.
    Closed,
}

/// Returns how much of a case an actor sees now. Who has no relation to student or case sees nothing.
pub fn sight(actor: &Actor, thread: &Thread, now: i64) -> Sight {
    let is_psychology = actor.role.is_psychology();
    if let Some(death) = &thread.death {
        let is_named = death.readers.contains(&actor.account);
        return if is_named { Sight::Record } else { Sight::Nothing };
    }
    if thread.is_on_team(&actor.account, now) && actor.role.is_staff() {
        return if is_psychology { Sight::Closed } else { Sight::Record };
    }
    let is_grave = Severity::Serious <= thread.severity;
    let is_psychologys = is_grave || matches!(thread.kind, Kind::Psych | Kind::Safety);
    let is_shift_matter = thread.running_check().is_some() || thread.running_crisis().is_some();
    match actor.role {
        Role::PsychologyHead if is_psychologys => Sight::Closed,
        Role::PsychologyHead => Sight::OtherProfession,
        Role::Psychologist => {
            let is_new_report = thread.state == State::New && !thread.is_of_machines();
            let on_shift = actor.is_on_shift(now) && (is_grave || is_new_report || is_shift_matter);
            if is_psychologys && (actor.is_of_college || on_shift) {
                Sight::Closed
            } else if actor.is_of_college {
                Sight::OtherProfession
            } else {
                Sight::Nothing
            }
        }
        Role::Counselor if actor.is_responsible => Sight::Record,
        Role::Tutor if actor.is_responsible && thread.kind == Kind::Academic => Sight::Listed,
        Role::AidCentre if thread.kind == Kind::LifeAid => Sight::Record,
        Role::CollegeSecretary if actor.is_of_college && is_grave => Sight::Listed,
        Role::Security | Role::DutyOffice if actor.is_on_shift(now) && is_shift_matter => Sight::Step,
        Role::Hospital if thread.referred_to == Some(crate::report::ReferralTo::UniversityHospital) && !thread.is_closed() => {
            Sight::Step
        }
        Role::Tutor if actor.is_responsible => Sight::OtherProfession,
        _ => Sight::Nothing,
    }
}

/// Says whether an actor may read the record of a case now.
pub fn may_read(actor: &Actor, thread: &Thread, now: i64) -> bool {
    Sight::Record <= sight(actor, thread, now)
}

/// Says whether an actor may ask for this at all; whether its turn has come is for [`crate::decide`].
pub fn may_act(actor: &Actor, thread: &Thread, act: &Act, now: i64) -> bool {
    let sight = sight(actor, thread, now);
    let is_psychology = actor.role.is_psychology() && Sight::Record <= sight;
    let is_grave = Severity::Serious <= thread.severity;
    // Reading by name is no right to act; whose work it is acts, and at 3 and 4 psychology judges.
    let is_work = Sight::Record <= sight
        && (is_psychology || (actor.role == Role::Counselor && actor.is_responsible) || actor.role == Role::AidCentre);
    let is_secretary = actor.role == Role::CollegeSecretary && actor.is_of_college;
    match act {
        // Anybody may write an observation; what machines find, the platform enters.
        Act::Signal { source: Source::Machine, .. } => actor.role == Role::System,
        Act::Signal { source: Source::FollowUp, .. } => actor.role == Role::System || actor.role.is_staff(),
        Act::Signal { .. } => actor.role != Role::System,
        Act::Declare { .. } => actor.role.is_staff(),
        Act::OpenCheck { cause, .. } => {
            matches!(thread.kind, Kind::Safety | Kind::Psych) && crate::thread::may_open_check(actor, *cause)
        }
        Act::Claim {} | Act::Assess { .. } | Act::RuleOut {} | Act::SetSeverity { .. } | Act::Close { .. } => {
            is_work && (!is_grave || is_psychology)
        }
        Act::Contact { .. } | Act::Plan {} | Act::Refer { .. } | Act::Review { .. } => is_work,
        Act::TakeOver {} => is_work || is_secretary,
        Act::CrisisStep { .. } | Act::Companion { .. } => Sight::Step <= sight || is_secretary,
        Act::CheckStep { .. } => Sight::Step <= sight && actor.role != Role::Hospital,
        Act::Confer { .. } | Act::EndCrisis {} | Act::DecideParents { .. } => is_psychology,
        Act::GrantTo { .. } | Act::Revoke { .. } => is_psychology,
        Act::Escalate {} | Act::Expire {} => actor.role == Role::System,
        // Whatever the role: who may enter this is named one by one.
        Act::Die { .. } => actor.is_named,
    }
}
