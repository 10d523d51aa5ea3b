//! Records of a case: what is noted beside its steps, each with fields of its own (会商、监护人、就医、离校、复学、假期).
//!
//! A record moves no state. Three of them have a consequence: a conference that agrees lets a crisis end, what is known of
//! the guardian holds for every case of the student, and a return, a discharge or a break plans its contacts. Fields are
//! codes, days, instants and accounts; what was said is a note, sealed in the store.

use serde::{Deserialize, Serialize};

use crate::actor::{Actor, Role};
use crate::codes::Text;
use crate::deadline::{Calendar, DAY_US, MINUTE_US, Rules};
use crate::error::Error;
use crate::refusal::Refusal;
use crate::report::{BreakFollowUp, FollowUpPlan, ReferralTo, break_dates, follow_up_dates};
use crate::safety::{Guardian, ParentsChoice};
use crate::severity::Severity;
use crate::sight::{Sight, sight};
use crate::thread::Thread;

/// How far back something may lie that is recorded today; a year earlier is a slip of the pen.
const BACK_DAYS: i64 = 400;

/// Most people of one conference.
const MEMBERS_MAX: usize = 30;

codes! {
    /// What a record is about.
    RecordKind {
        Conference = "conference", "会商", "case conference";
        Guardian = "guardian", "监护人情况", "about the guardian";
        GuardianContact = "guardian_contact", "联系监护人", "talk with a guardian";
        MedicalReferral = "medical_referral", "就医转介", "medical referral";
        LeaveOfSchool = "leave_of_school", "离校（休学、住院等）", "leave of school";
        Discharge = "discharge", "出院", "discharge from hospital";
        ReturnReview = "return_review", "复学评估", "return review";
        BreakPlan = "break_plan", "假期联系安排", "contacts over a break";
    }
}

codes! {
    /// What a case conference decided.
    ConferenceDecision {
        EndCrisis = "end_crisis", "同意解除应急流程", "the protocol may end";
        GoOn = "go_on", "继续应急流程", "the protocol goes on";
        Treatment = "treatment", "建议就医", "treatment is advised";
        Leave = "leave", "建议休学或请假", "a leave is advised";
        Plan = "plan", "调整帮扶方案", "the plan of help changes";
    }
}

codes! {
    /// What somebody is to the student.
    GuardianRelation {
        Father = "father", "父亲", "father";
        Mother = "mother", "母亲", "mother";
        Grandparent = "grandparent", "祖父母、外祖父母", "grandparent";
        Sibling = "sibling", "成年兄姐", "grown-up sibling";
        Other = "other", "其他监护人或近亲属", "another guardian or near relative";
    }
}

codes! {
    /// What a guardian was told.
    Told {
        Wellbeing = "wellbeing", "近况", "how the student is";
        Treatment = "treatment", "就医建议", "that treatment is advised";
        Safety = "safety", "安全提醒", "what to watch for";
        Leave = "leave", "请假或休学", "a leave";
        Return = "return", "复学安排", "the return";
    }
}

codes! {
    /// Why a student leaves school for a while.
    LeaveReason {
        Suspension = "suspension", "休学", "suspension of studies";
        Hospital = "hospital", "住院", "in hospital";
        MedicalLeave = "medical_leave", "就医请假", "leave for treatment";
        StatusKept = "status_kept", "保留学籍", "enrolment kept";
    }
}

codes! {
    /// What a return review decides.
    ReturnDecision {
        Return = "return", "同意复学", "may return";
        NotYet = "not_yet", "暂缓复学", "not yet";
    }
}

/// A case conference (会商); its minutes lie sealed beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseConference {
    /// When it met.
    pub held_us: i64,
    /// Accounts of those who took part: two at least, each once.
    pub members: Vec<String>,
    /// What was decided.
    pub decision: ConferenceDecision,
}

/// What is known of the guardian; it holds for every case of the student until something newer is recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuardianStanding {
    /// Whether the family may itself be the danger (疑家庭为风险源).
    pub guardian: Guardian,
    /// Whether the student is a minor, whose guardian is the one to reach.
    pub is_minor: bool,
    /// What the psychologist decided about reaching the family, where caution is needed.
    #[serde(default)]
    pub choice: Option<ParentsChoice>,
}

/// A talk with a guardian; who of us made it is the author of the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuardianContact {
    /// When.
    pub at_us: i64,
    /// What they are to the student.
    pub relation: GuardianRelation,
    /// What was told.
    pub told: Told,
    /// Whether the student agreed.
    pub student_consented: bool,
    /// Whether they signed for being told.
    pub is_signed: bool,
}

/// A medical referral and what came back of it; school staff advise care and neither diagnose nor treat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Referral {
    /// Where to: the university's hospital, an emergency room, a specialised hospital, 120 or 110.
    pub to: ReferralTo,
    /// Account of who went along.
    #[serde(default)]
    pub accompanied_by: Option<String>,
    /// When the student was handed over.
    #[serde(default)]
    pub handed_over_us: Option<i64>,
    /// When an answer came back.
    #[serde(default)]
    pub feedback_us: Option<i64>,
}

/// A leave of school and its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaveOfSchool {
    /// Why.
    pub reason: LeaveReason,
    /// First day, in days since 1970.
    pub from_day: i64,
    /// Last day, once it is known.
    #[serde(default)]
    pub until_day: Option<i64>,
}

/// A discharge from hospital (出院).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Discharge {
    /// The day, in days since 1970.
    pub discharged_day: i64,
}

/// A review before somebody returns (复学评估).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReturnReview {
    /// Whether a doctor's certificate is there (医疗证明).
    pub has_certificate: bool,
    /// Whether the psychologist talked with the student (心理面谈).
    pub has_talk: bool,
    /// Whether the college has a plan (院系方案).
    pub has_plan: bool,
    /// Whether the room is arranged (宿舍安排).
    pub has_room: bool,
    /// What was decided.
    pub decision: ReturnDecision,
    /// The day of the return, in days since 1970; a return has one.
    #[serde(default)]
    pub returns_day: Option<i64>,
}

/// Who keeps in touch over the holidays and how often (放假前逐案定责任人与联系频次).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BreakPlan {
    /// Account of whoever keeps in touch.
    pub owner: String,
    /// First day off, in days since 1970.
    pub from_day: i64,
    /// First day of the new term.
    pub until_day: i64,
    /// Days between two contacts, 1 to 14.
    pub every_days: i64,
}

/// Something recorded on a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
#[expect(missing_docs, reason = "each says what the structure of the same name says")]
pub enum Record {
    Conference(CaseConference),
    Guardian(GuardianStanding),
    GuardianContact(GuardianContact),
    MedicalReferral(Referral),
    LeaveOfSchool(LeaveOfSchool),
    Discharge(Discharge),
    ReturnReview(ReturnReview),
    BreakPlan(BreakPlan),
}

/// What holds of a student's guardian now, over all their cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Family {
    /// Whether the psychologist decides before anybody reaches them.
    pub guardian: Guardian,
    /// What was decided.
    pub choice: Option<ParentsChoice>,
    /// Whether the student is a minor, as somebody recorded or the register says.
    pub is_minor: bool,
}

impl Default for Family {
    fn default() -> Self {
        Self { guardian: Guardian::Normal, choice: None, is_minor: false }
    }
}

impl Family {
    /// Returns what holds after one more record. A decision stands while caution does.
    #[must_use]
    pub fn after(self, standing: &GuardianStanding) -> Self {
        let kept = self.choice.filter(|_| self.guardian == Guardian::Caution);
        let choice = standing.choice.or(kept).filter(|_| standing.guardian == Guardian::Caution);
        Self { guardian: standing.guardian, choice, is_minor: standing.is_minor }
    }

    /// Returns what whoever works on the case must know before reaching the family; none where nothing is special.
    pub fn text(self) -> Option<Text> {
        let (zh, en) = match (self.guardian, self.choice, self.is_minor) {
            (Guardian::Caution, None, _) => (
                "联系家庭之前，须由心理教师决定是否联系。",
                "Whether the family is reached is the psychologist's decision, and comes first.",
            ),
            (Guardian::Caution, Some(ParentsChoice::Call), _) => {
                ("心理教师已决定：可以联系家庭。", "The psychologist decided: the family may be reached.")
            }
            (Guardian::Caution, Some(ParentsChoice::Skip), _) => {
                ("心理教师已决定：不联系家庭。", "The psychologist decided: the family is not reached.")
            }
            (Guardian::Normal, _, true) => {
                ("该生未成年：监护人为默认联系人。", "The student is a minor: the guardian is the one to reach.")
            }
            (Guardian::Normal, _, false) => return None,
        };
        Some(Text::new(zh, en))
    }

    /// Says whether this role may reach the family: with caution only as the psychologist decided, or the psychologist.
    pub(crate) fn may_be_reached_by(self, role: Role) -> bool {
        self.guardian == Guardian::Normal
            || self.choice == Some(ParentsChoice::Call)
            || (role.is_psychology() && self.choice.is_none())
    }
}

impl Record {
    /// What the record is about.
    pub fn kind(&self) -> RecordKind {
        match self {
            Record::Conference(_) => RecordKind::Conference,
            Record::Guardian(_) => RecordKind::Guardian,
            Record::GuardianContact(_) => RecordKind::GuardianContact,
            Record::MedicalReferral(_) => RecordKind::MedicalReferral,
            Record::LeaveOfSchool(_) => RecordKind::LeaveOfSchool,
            Record::Discharge(_) => RecordKind::Discharge,
            Record::ReturnReview(_) => RecordKind::ReturnReview,
            Record::BreakPlan(_) => RecordKind::BreakPlan,
        }
    }

    /// Returns the accounts that it names, which must exist.
    pub fn accounts(&self) -> Vec<&str> {
        match self {
            Record::Conference(it) => it.members.iter().map(String::as_str).collect(),
            Record::MedicalReferral(it) => it.accompanied_by.iter().map(String::as_str).collect(),
            Record::BreakPlan(it) => vec![&it.owner],
            _ => Vec::new(),
        }
    }

    /// Checks that the record is whole, its parts fit together, and what has happened lies in the past.
    ///
    /// # Errors
    /// If one of it is not so; the sentence says what is missing.
    pub fn check(&self, calendar: &Calendar, now: i64) -> Result<(), Error> {
        let record = self.kind().code();
        let wrong = |why| Err(Error::Inconsistent { record, why });
        let today = calendar.day(now);
        let is_past = |at_us: i64| at_us <= now && now - BACK_DAYS * DAY_US <= at_us;
        let is_near = |day: i64| (today - BACK_DAYS..=today + BACK_DAYS).contains(&day);
        match self {
            Record::Conference(it) => {
                let twice = it.members.iter().enumerate().any(|(at, member)| it.members[..at].contains(member));
                if it.members.len() < 2 || MEMBERS_MAX < it.members.len() || twice {
                    return wrong("name those who took part: two at least, each once");
                }
                if !is_past(it.held_us) {
                    return wrong("it has met, not long ago");
                }
            }
            Record::Guardian(it) => {
                if it.choice.is_some() && it.guardian == Guardian::Normal {
                    return wrong("a decision is for a guardian with whom caution is needed");
                }
            }
            Record::GuardianContact(it) if !is_past(it.at_us) => return wrong("the talk was held, not long ago"),
            Record::MedicalReferral(it) => {
                if !is_medical(it.to) {
                    return wrong("it goes to a hospital, an emergency room, 120 or 110");
                }
                // Who is brought somewhere in danger is not sent there alone.
                let needs_company = !matches!(it.to, ReferralTo::UniversityHospital);
                if it.handed_over_us.is_some() && needs_company && it.accompanied_by.is_none() {
                    return wrong("say who went along");
                }
                if it.handed_over_us.into_iter().chain(it.feedback_us).any(|at| !is_past(at)) {
                    return wrong("handing over and answer lie in the past, not long ago");
                }
                if let (Some(handed), Some(answered)) = (it.handed_over_us, it.feedback_us)
                    && answered < handed
                {
                    return wrong("the answer comes after the handing over");
                }
            }
            Record::LeaveOfSchool(it) => {
                if !is_near(it.from_day) || it.until_day.is_some_and(|until| until < it.from_day) {
                    return wrong("a leave begins within a year and ends after it begins");
                }
            }
            Record::Discharge(it) if !(today - BACK_DAYS..=today).contains(&it.discharged_day) => {
                return wrong("the discharge was today or before");
            }
            Record::ReturnReview(it) => {
                let is_whole = it.has_certificate && it.has_talk && it.has_plan && it.has_room;
                if it.decision == ReturnDecision::Return && !is_whole {
                    return wrong("a return needs the certificate, the talk, the college's plan and a room");
                }
                if it.decision == ReturnDecision::Return && !it.returns_day.is_some_and(is_near) {
                    return wrong("a return has its day");
                }
            }
            Record::BreakPlan(it) => {
                if !is_near(it.from_day) || it.until_day <= today {
                    return wrong("a break begins within a year and is not over");
                }
                break_dates(&self.break_follow_up(it, calendar)).map(drop)?;
            }
            Record::GuardianContact(_) | Record::Discharge(_) => {}
        }
        Ok(())
    }

    /// Returns when somebody is to get in touch because of it: after a return or discharge weeks 1, 2, 4 and then monthly
    /// for a term, over a break in its rhythm and within two weeks of the new term.
    ///
    /// # Errors
    /// If the break has no end or no rhythm.
    pub fn contacts(&self, calendar: &Calendar) -> Result<Vec<i64>, Error> {
        let term_from = |day: i64| {
            let from_us = day * DAY_US - calendar.offset_us;
            // The end of the term is not known here; a term at least is kept.
            follow_up_dates(&FollowUpPlan { owner: String::new(), from_us, term_ends_us: from_us })
        };
        match self {
            Record::ReturnReview(it) if it.decision == ReturnDecision::Return => {
                Ok(it.returns_day.map(term_from).unwrap_or_default())
            }
            Record::Discharge(it) => Ok(term_from(it.discharged_day)),
            Record::BreakPlan(it) => break_dates(&self.break_follow_up(it, calendar)),
            _ => Ok(Vec::new()),
        }
    }

    fn break_follow_up(&self, it: &BreakPlan, calendar: &Calendar) -> BreakFollowUp {
        let at = |day: i64| day * DAY_US - calendar.offset_us;
        BreakFollowUp { owner: it.owner.clone(), from_us: at(it.from_day), until_us: at(it.until_day), every_days: it.every_days }
    }

    /// Says whether it lets the crisis that goes on end: a conference that met since and agreed.
    pub fn ends_crisis(&self, thread: &Thread) -> bool {
        match (self, thread.running_crisis()) {
            (Record::Conference(it), Some(crisis)) => {
                // People write minutes, and the declaration has its seconds.
                it.decision == ConferenceDecision::EndCrisis && crisis.declared_us < it.held_us + MINUTE_US
            }
            _ => false,
        }
    }

    /// Says whether its fields are kept from who reads the record without the closed part: in a grave case what psychology
    /// wrote, but not what others have to do.
    pub fn is_masked(&self, thread: &Thread, author: Role) -> bool {
        let is_psychologys =
            matches!(self.kind(), RecordKind::Conference | RecordKind::GuardianContact | RecordKind::MedicalReferral);
        is_psychologys && Severity::Serious <= thread.severity && author.is_psychology()
    }
}

/// Says whether a referral goes to medicine.
pub(crate) fn is_medical(to: ReferralTo) -> bool {
    use ReferralTo::{Ambulance, Emergency, Police, PsychiatricHospital, UniversityHospital};
    matches!(to, UniversityHospital | Emergency | PsychiatricHospital | Ambulance | Police)
}

/// Refuses a record that this actor may not make on this case now.
///
/// # Errors
/// A [`Refusal`], whose sentence says why.
pub fn expect_record(thread: &Thread, record: &Record, actor: &Actor, rules: &Rules, now: i64) -> Result<(), Refusal> {
    if thread.death.is_some() {
        return Err(Refusal::Deceased);
    }
    if thread.is_closed() {
        return Err(Refusal::Closed);
    }
    if thread.version == 0 {
        return Err(Refusal::Empty);
    }
    let sees = Sight::Record <= sight(actor, thread, now);
    let is_psychology = sees && actor.role.is_psychology();
    let is_work = is_psychology || (sees && actor.role == Role::Counselor && actor.is_responsible);
    let is_theirs = match record {
        Record::Conference(_) | Record::ReturnReview(_) => is_psychology,
        // Anybody at work on the case may ask for caution; deciding and lifting it is psychology's.
        Record::Guardian(it) => {
            let lifts = rules.family.guardian == Guardian::Caution && it.guardian == Guardian::Normal;
            is_psychology || (is_work && it.choice.is_none() && !lifts)
        }
        _ => is_work,
    };
    if !is_theirs {
        return Err(Refusal::NotYours);
    }
    if matches!(record, Record::GuardianContact(_)) && !rules.family.may_be_reached_by(actor.role) {
        return Err(Refusal::ParentsUndecided);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
