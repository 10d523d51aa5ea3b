//! Rules of casework: which step is allowed to whom, what is due when, who may look, what is said.
//!
//! Pure: time comes in as microseconds since 1970, working days as a [`Calendar`], who somebody is as an [`Actor`] whose
//! standing the store looked up. Nothing here holds free text: steps are codes, notes lie sealed in the store.

#[macro_use]
mod codes;
mod absence;
mod actor;
mod calls;
mod crisis;
mod deadline;
mod error;
mod form;
mod handover;
mod record;
mod record_form;
mod refusal;
mod report;
mod safety;
mod severity;
mod sight;
mod thread;
#[cfg(test)]
mod words;

pub use absence::AbsenceResult;
pub use actor::{Actor, Role, Shift};
pub use calls::Callee;
pub use codes::{Code, Text};
pub use crisis::{
    Companion, Crisis, CrisisResult, CrisisStep, CrisisStepDone, Death, POSTVENTION_WEEKS, Stopped, companion_gaps,
    postvention_dates,
};
pub use deadline::{Calendar, DAY_US, HOUR_US, MINUTE_US, Network, Rules, first_contact_due, review_due};
pub use error::Error;
pub use form::{ActName, Choice, Field, FieldKind, Form, forms};
pub use handover::{
    Assignment, Delegation, DutyShift, HandOver, HandOverState, Post, Relation, Responsibility, covered_gaps, may_stand_in,
    responsibility, responsible,
};
pub use record::{
    BreakPlan, CaseConference, ConferenceDecision, Discharge, Family, GuardianContact, GuardianRelation, GuardianStanding,
    LeaveOfSchool, LeaveReason, Record, RecordKind, Referral, ReturnDecision, ReturnReview, Told, expect_record,
};
pub use record_form::{RecordForm, record_forms};
pub use refusal::Refusal;
pub use report::{
    BreakFollowUp, EMERGENCY_LINE, FollowUpPlan, NOTHING_TO_REPORT, ObservationReport, ReferralTo, ScreeningCampaign, Sign,
    SweepAnswer, SweepMoment, WeeklyObservation, break_dates, feedback, follow_up_dates,
};
pub use safety::{CheckCause, CheckResult, CheckStepDone, Guardian, ParentsChoice, Rung, SafetyCheck};
pub use severity::{Colour, Label, LabelScheme, Severity, ShownSeverity};
pub use sight::{Sight, may_act, may_read, sight};
pub use thread::{
    Act, Admission, Command, EXPIRY_US, Entry, Event, Grant, How, Kind, Outcome, Reached, Source, State, Step, StepName, Thread,
    admit, apply, decide,
};
