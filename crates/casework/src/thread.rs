//! The thread of a case: what is known of one matter of one student, as the sum of its events.
//!
//! [`decide`] turns a command into events or a refusal, [`apply`] adds an event to a thread. Nothing else changes one, so
//! the events alone give the thread back.

mod applying;
mod deciding;
#[cfg(test)]
mod paths;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::actor::Role;
use crate::codes::Code;
use crate::crisis::{Companion, Crisis, CrisisResult, CrisisStep, Death};
use crate::deadline::{DAY_US, Network};
use crate::report::ReferralTo;
use crate::safety::{CheckCause, CheckResult, Guardian, ParentsChoice, Rung, SafetyCheck};
use crate::severity::Severity;

pub use applying::apply;
pub(crate) use deciding::may_open_check;
pub use deciding::{EXPIRY_US, decide};

/// Machine signals of a matter that was closed less than this ago make no new case.
const COOL_DOWN_US: i64 = 14 * DAY_US;

/// How long a team may look after the case is closed.
pub(crate) const TEAM_AFTER_US: i64 = DAY_US;

codes! {
    /// What a case is about; each kind has its own owner, viewers and record.
    Kind {
        Academic = "academic", "学业", "studies";
        LifeAid = "life_aid", "生活资助", "living and aid";
        Safety = "safety", "安全", "safety";
        Psych = "psych", "心理关怀", "psychological care";
    }
}

codes! {
    /// How far a case is.
    State {
        New = "new", "待认领", "new";
        Claimed = "claimed", "已认领", "claimed";
        Contacted = "contacted", "已联系", "contacted";
        Assessed = "assessed", "已评估", "assessed";
        Plan = "plan", "帮扶方案", "plan";
        Referral = "referral", "转介", "referral";
        RuledOut = "ruled_out", "排除", "ruled out";
        Reviewing = "reviewing", "复评中", "reviewing";
        Closed = "closed", "已结案", "closed";
    }
}

codes! {
    /// What came of it; every closing says one.
    Outcome {
        NeededSupport = "needed_support", "真实需要支持", "support was needed";
        AlreadySupported = "already_supported", "已在支持中", "support was already there";
        ExcludedLeave = "excluded_leave", "排除-请假", "ruled out: on leave";
        ExcludedDevice = "excluded_device", "排除-设备", "ruled out: a device";
        NoSupportNeeded = "no_support_needed", "无需支持", "no support needed";
        NotReachable = "not_reachable", "无法联系", "could not be reached";
        Referred = "referred", "转介", "referred";
    }
}

codes! {
    /// Who was reached.
    Reached {
        InPerson = "in_person", "本人当面", "the student in person";
        Phone = "phone", "本人电话", "the student by telephone";
        Video = "video", "本人视频", "the student by video";
        Roommate = "roommate", "室友", "a room-mate";
        Parent = "parent", "家长", "a parent";
        GateOnly = "gate_only", "仅门禁", "gate records only";
    }
}

impl Reached {
    /// Says whether the student was reached, and not somebody or something else.
    pub fn is_student(self) -> bool {
        matches!(self, Self::InPerson | Self::Phone | Self::Video)
    }
}

codes! {
    /// Where an entry comes from. Only what a machine found is bundled, cooled down or cut.
    Source {
        Machine = "machine", "系统提示", "found in data";
        HumanReport = "human_report", "人工上报", "a person's report";
        SelfReferral = "self_referral", "本人求助", "the student asked";
        Hotline = "hotline", "热线、信箱转来", "passed on from hotline or mailbox";
        FollowUp = "follow_up", "复学、出院随访到期", "a follow-up is due";
        Superior = "superior", "上级交办", "assigned from above";
        Screening = "screening", "普查约谈", "a talk after screening";
    }
}

codes! {
    /// How a case is closed.
    How {
        Single = "single", "逐件", "one by one";
        Bulk = "bulk", "批量", "in bulk";
        Shortcut = "shortcut", "快捷键", "by shortcut";
        Expiry = "expiry", "自动到期", "expired by itself";
    }
}

/// One entry of a case. An own entry is one person's report; a bundled one counts the signals of machines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Where it comes from.
    pub source: Source,
    /// How grave it was said to be.
    pub severity: Severity,
    /// Who entered it.
    pub by: String,
    /// When the first signal came.
    pub first_us: i64,
    /// When the latest came.
    pub latest_us: i64,
    /// How many signals there are; 1 unless they are a machine's.
    pub n_signals: i64,
}

/// The right of one named person to read a case of severity 3 or 4.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Who.
    pub account: String,
    /// Who gave it.
    pub by: String,
    /// From when.
    pub from_us: i64,
    /// When it was taken away.
    pub revoked_us: Option<i64>,
}

/// A case as far as its events have brought it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Thread {
    /// Its key.
    pub thread_key: i64,
    /// Whose matter it is.
    pub student_key: i64,
    /// What it is about.
    pub kind: Kind,
    /// How many events it has; what an editor must have seen.
    pub version: i64,
    /// How far it is.
    pub state: State,
    /// How grave it is.
    pub severity: Severity,
    /// Who has it in hand.
    pub owner: Option<String>,
    /// The level of the network that must move next.
    pub level: Network,
    /// Until when the next step is due.
    pub deadline_us: Option<i64>,
    /// What it rests on.
    pub entries: Vec<Entry>,
    /// Whether an own entry waits for an assessment.
    pub has_unassessed: bool,
    /// Who was reached last.
    pub reached: Option<Reached>,
    /// When a person first had contact.
    pub first_contact_us: Option<i64>,
    /// Where it was referred to last.
    pub referred_to: Option<ReferralTo>,
    /// How many reviews in a row were quiet.
    pub quiet_reviews: i64,
    /// Whether its end was proposed after two quiet reviews.
    pub is_expiry_proposed: bool,
    /// What came of it.
    pub outcome: Option<Outcome>,
    /// When it was opened.
    pub opened_us: Option<i64>,
    /// When it was closed.
    pub closed_us: Option<i64>,
    /// Who may read beside those whose work it is.
    pub team: Vec<Grant>,
    /// The crisis, if one was declared.
    pub crisis: Option<Crisis>,
    /// The latest safety check.
    pub check: Option<SafetyCheck>,
    /// The student has died.
    pub death: Option<Death>,
    /// When the latest event was.
    pub latest_us: i64,
}

impl Thread {
    /// Most events of a case; machines, contacts and reviews stop there, people's reports never do.
    pub const EVENTS_MAX: i64 = 2_000;

    /// Makes a case without any event.
    pub fn blank(thread_key: i64, student_key: i64, kind: Kind) -> Self {
        Self {
            thread_key,
            student_key,
            kind,
            version: 0,
            state: State::New,
            severity: Severity::None,
            owner: None,
            level: Network::Class,
            deadline_us: None,
            entries: Vec::new(),
            has_unassessed: false,
            reached: None,
            first_contact_us: None,
            referred_to: None,
            quiet_reviews: 0,
            is_expiry_proposed: false,
            outcome: None,
            opened_us: None,
            closed_us: None,
            team: Vec::new(),
            crisis: None,
            check: None,
            death: None,
            latest_us: i64::MIN,
        }
    }

    /// Adds up a history.
    pub fn replay<'a>(blank: Self, events: impl IntoIterator<Item = &'a Event>) -> Self {
        events.into_iter().fold(blank, apply)
    }

    /// Says whether it is over.
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// Says whether the next step is late.
    pub fn is_overdue(&self, now: i64) -> bool {
        self.death.is_none() && self.deadline_us.is_some_and(|it| it < now)
    }

    /// Returns the crisis while it goes on.
    pub fn running_crisis(&self) -> Option<&Crisis> {
        self.crisis.as_ref().filter(|it| it.ended_us.is_none())
    }

    /// Returns the safety check while the student is not found.
    pub fn running_check(&self) -> Option<&SafetyCheck> {
        self.check.as_ref().filter(|it| it.found().is_none() && !self.is_closed())
    }

    /// Says whether only machines have spoken so far.
    pub fn is_of_machines(&self) -> bool {
        self.entries.iter().all(|it| it.source == Source::Machine)
    }

    /// Says whether somebody is on the team now: granted, not revoked, and not a day after the end.
    pub fn is_on_team(&self, account: &str, now: i64) -> bool {
        let in_time = self.closed_us.is_none_or(|it| now < it + TEAM_AFTER_US);
        let holds = |it: &Grant| it.account == account && it.from_us <= now && it.revoked_us.is_none_or(|end| now < end);
        in_time && self.team.iter().any(holds)
    }
}

/// What is to happen, with the reason as a code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// What.
    pub act: Act,
    /// Why.
    pub reason: Code,
}

/// What may be asked of a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case", deny_unknown_fields)]
pub enum Act {
    /// Something was found or reported.
    Signal {
        /// Where it comes from.
        source: Source,
        /// How grave it is said to be.
        severity: Severity,
    },
    /// I take it in hand.
    Claim {},
    /// It becomes mine because the student did.
    TakeOver {},
    /// Somebody was reached.
    Contact {
        /// Who.
        reached: Reached,
    },
    /// It was judged how grave it is.
    Assess {
        /// How grave.
        severity: Severity,
    },
    /// The severity changes without an assessment talk.
    SetSeverity {
        /// To what.
        severity: Severity,
    },
    /// Help was planned.
    Plan {},
    /// It goes to somebody else.
    Refer {
        /// To whom.
        to: ReferralTo,
    },
    /// It was none.
    RuleOut {},
    /// It was looked at again.
    Review {
        /// Whether nothing new was found.
        is_quiet: bool,
    },
    /// It is over.
    Close {
        /// What came of it.
        outcome: Outcome,
        /// Who was reached.
        reached: Reached,
        /// How it is closed.
        how: How,
    },
    /// Severity 4: I declare a crisis.
    Declare {
        /// Whether 110 or 120 come first.
        is_danger_immediate: bool,
    },
    /// A step of the protocol was tried.
    CrisisStep {
        /// Which.
        step: CrisisStep,
        /// How it ended.
        result: CrisisResult,
    },
    /// Somebody stays with the student.
    Companion {
        /// Who, from when, until when.
        shift: Companion,
    },
    /// A case conference met.
    Confer {
        /// How many took part.
        n_present: i64,
    },
    /// The crisis is over.
    EndCrisis {},
    /// A safety check begins.
    OpenCheck {
        /// Why.
        cause: CheckCause,
        /// What is known of the guardian.
        guardian: Guardian,
    },
    /// A rung of the ladder was climbed.
    CheckStep {
        /// Which.
        rung: Rung,
        /// How it ended.
        result: CheckResult,
        /// Who was reached, if the student was.
        reached: Option<Reached>,
    },
    /// The psychologist decides whether the parents are reached.
    DecideParents {
        /// How.
        choice: ParentsChoice,
    },
    /// A named person may read the case.
    GrantTo {
        /// Who.
        account: String,
    },
    /// They may no longer.
    Revoke {
        /// Who.
        account: String,
    },
    /// The next step is late: one level up.
    Escalate {},
    /// Severity 1 ends by itself; the end of severity 2 is proposed.
    Expire {},
    /// The student has died.
    Die {
        /// The two who may still look.
        readers: [String; 2],
    },
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at_us: i64,
    /// Who did it.
    pub actor: String,
    /// In which role.
    pub role: Role,
    /// Why, as a code.
    pub reason: Code,
    /// Until when the next step is due.
    pub deadline_us: Option<i64>,
    /// What.
    #[serde(flatten)]
    pub step: Step,
}

/// The step of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
#[expect(missing_docs, reason = "each says what the act of the same name asks for")]
pub enum Step {
    Signalled { source: Source, severity: Severity },
    Claimed {},
    TakenOver {},
    Contacted { reached: Reached },
    Assessed { severity: Severity },
    SeveritySet { severity: Severity },
    Planned {},
    Referred { to: ReferralTo },
    RuledOut {},
    Reviewed { is_quiet: bool },
    Closed { outcome: Outcome, reached: Reached, how: How },
    Declared { is_danger_immediate: bool },
    CrisisStepped { crisis_step: CrisisStep, result: CrisisResult },
    Accompanied { shift: Companion },
    Conferred { n_present: i64 },
    CrisisEnded {},
    CheckOpened { cause: CheckCause, guardian: Guardian },
    CheckStepped { rung: Rung, result: CheckResult, reached: Option<Reached>, due_us: i64 },
    ParentsDecided { choice: ParentsChoice },
    Granted { account: String },
    Revoked { account: String },
    Escalated { level: Network },
    ExpiryProposed {},
    Died { readers: [String; 2] },
}

codes! {
    /// What a step is called.
    StepName {
        Signalled = "signalled", "登记情况", "entered something new";
        Claimed = "claimed", "认领", "claimed it";
        TakenOver = "taken_over", "接手", "took it over";
        Contacted = "contacted", "记录联系", "got in touch";
        Assessed = "assessed", "评估", "assessed it";
        SeveritySet = "severity_set", "调整等级", "changed the severity";
        Planned = "planned", "制定帮扶方案", "made a plan";
        Referred = "referred", "转介", "referred it";
        RuledOut = "ruled_out", "排除", "ruled it out";
        Reviewed = "reviewed", "复评", "reviewed it";
        Closed = "closed", "结案", "closed it";
        Declared = "declared", "启动应急流程", "declared a crisis";
        CrisisStepped = "crisis_stepped", "记录应急步骤", "noted a step of the protocol";
        Accompanied = "accompanied", "安排陪护", "arranged a companion";
        Conferred = "conferred", "会商", "held a conference";
        CrisisEnded = "crisis_ended", "解除应急流程", "ended the crisis";
        CheckOpened = "check_opened", "启动安全核实", "opened a safety check";
        CheckStepped = "check_stepped", "记录核实步骤", "noted a step of the check";
        ParentsDecided = "parents_decided", "决定是否联系家长", "decided about the parents";
        Granted = "granted", "按人授权", "gave somebody access";
        Revoked = "revoked", "收回授权", "took access away";
        Escalated = "escalated", "逾期上报上一级", "told the next level";
        ExpiryProposed = "expiry_proposed", "提议结束", "proposed its end";
        Died = "died", "停止一切操作", "stopped everything";
    }
}

impl Step {
    /// Returns what the step is called.
    pub fn name(&self) -> StepName {
        match self {
            Step::Signalled { .. } => StepName::Signalled,
            Step::Claimed {} => StepName::Claimed,
            Step::TakenOver {} => StepName::TakenOver,
            Step::Contacted { .. } => StepName::Contacted,
            Step::Assessed { .. } => StepName::Assessed,
            Step::SeveritySet { .. } => StepName::SeveritySet,
            Step::Planned {} => StepName::Planned,
            Step::Referred { .. } => StepName::Referred,
            Step::RuledOut {} => StepName::RuledOut,
            Step::Reviewed { .. } => StepName::Reviewed,
            Step::Closed { .. } => StepName::Closed,
            Step::Declared { .. } => StepName::Declared,
            Step::CrisisStepped { .. } => StepName::CrisisStepped,
            Step::Accompanied { .. } => StepName::Accompanied,
            Step::Conferred { .. } => StepName::Conferred,
            Step::CrisisEnded {} => StepName::CrisisEnded,
            Step::CheckOpened { .. } => StepName::CheckOpened,
            Step::CheckStepped { .. } => StepName::CheckStepped,
            Step::ParentsDecided { .. } => StepName::ParentsDecided,
            Step::Granted { .. } => StepName::Granted,
            Step::Revoked { .. } => StepName::Revoked,
            Step::Escalated { .. } => StepName::Escalated,
            Step::ExpiryProposed {} => StepName::ExpiryProposed,
            Step::Died { .. } => StepName::Died,
        }
    }

    /// Returns the word that stands in tables.
    pub fn code(&self) -> &'static str {
        self.name().code()
    }
}

/// What becomes of a new signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It opens a new case.
    Opens,
    /// It goes into the open case as an entry of its own.
    OwnEntry,
    /// It is counted on the open case's machine entry.
    Bundled,
    /// It makes nothing: a machine repeats what was closed within two weeks.
    CooledDown,
}

/// Says what becomes of a new signal, given the open case of the student and kind and when the last one was closed.
///
/// What a person says, severity 3 or 4 and safety are never bundled and never cooled down.
pub fn admit(kind: Kind, source: Source, severity: Severity, is_open: bool, closed_us: Option<i64>, now: i64) -> Admission {
    let is_limited = source == Source::Machine && severity <= Severity::DATA_MAX && kind != Kind::Safety;
    match (is_limited, is_open) {
        (true, true) => Admission::Bundled,
        (false, true) => Admission::OwnEntry,
        (true, false) if closed_us.is_some_and(|it| now < it + COOL_DOWN_US) => Admission::CooledDown,
        (_, false) => Admission::Opens,
    }
}
