//! What may be recorded on a case now, as forms: only records and choices that [`expect_record`] would take.

use crate::actor::Actor;
use crate::deadline::Rules;
use crate::form::{Choice, Field, FieldKind, choice, field, with_choices};
use crate::record::{
    BreakPlan, CaseConference, ConferenceDecision, Discharge, GuardianContact, GuardianRelation, GuardianStanding, LeaveOfSchool,
    LeaveReason, Record, RecordKind, Referral, ReturnDecision, ReturnReview, Told, expect_record, is_medical,
};
use crate::report::ReferralTo;
use crate::safety::{Guardian, ParentsChoice};
use crate::thread::Thread;

/// A record that somebody may make now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordForm {
    /// Of what.
    pub record: RecordKind,
    /// What it asks for.
    pub fields: Vec<Field>,
}

type Trial = (Record, Vec<(&'static str, Choice)>);

/// Returns the records that an actor may make on a thread now.
pub fn record_forms(thread: &Thread, actor: &Actor, rules: &Rules, now: i64) -> Vec<RecordForm> {
    let form = |kind: RecordKind| {
        let is_taken = |it: &Trial| expect_record(thread, &it.0, actor, rules, now).is_ok();
        let taken: Vec<Trial> = trials(kind, actor, rules, now).into_iter().filter(is_taken).collect();
        if taken.is_empty() {
            return None;
        }
        Some(RecordForm { record: kind, fields: with_choices(fields(kind), taken.iter().flat_map(|it| &it.1)) })
    };
    RecordKind::ALL.iter().copied().filter_map(form).collect()
}

fn fields(kind: RecordKind) -> Vec<Field> {
    use FieldKind::{Accounts, Code, Day, Flag, Instant, Number, Text};
    match kind {
        RecordKind::Conference => vec![
            field("held", "会商时间", "When it met", Instant, true),
            field("members", "参加人（账号）", "Who took part (accounts)", Accounts, true),
            field("decision", "决定", "Decision", Code, true),
        ],
        RecordKind::Guardian => vec![
            field("guardian", "监护人", "Guardian", Code, true),
            field("is_minor", "学生未成年", "The student is a minor", Flag, true),
            field("choice", "是否联系家庭", "Whether the family is reached", Code, false),
        ],
        RecordKind::GuardianContact => vec![
            field("at", "联系时间", "When", Instant, true),
            field("relation", "与学生的关系", "What they are to the student", Code, true),
            field("told", "告知内容", "What was told", Code, true),
            field("student_consented", "学生本人同意", "The student agreed", Flag, true),
            field("is_signed", "已签署告知书", "They signed for being told", Flag, true),
        ],
        RecordKind::MedicalReferral => vec![
            field("to", "去向", "Where to", Code, true),
            field("accompanied_by", "陪同人（账号）", "Who went along (account)", Text, false),
            field("handed_over", "交接时间", "Handed over", Instant, false),
            field("feedback", "反馈时间", "Answer came back", Instant, false),
        ],
        RecordKind::LeaveOfSchool => vec![
            field("reason", "类别", "Kind", Code, true),
            field("from", "第一天", "First day", Day, true),
            field("until", "最后一天", "Last day", Day, false),
        ],
        RecordKind::Discharge => vec![field("discharged", "出院日期", "Day of the discharge", Day, true)],
        RecordKind::ReturnReview => vec![
            field("has_certificate", "医疗证明", "Medical certificate", Flag, true),
            field("has_talk", "心理面谈", "Talk with the psychologist", Flag, true),
            field("has_plan", "院系方案", "Plan of the college", Flag, true),
            field("has_room", "宿舍安排", "Room arranged", Flag, true),
            field("decision", "决定", "Decision", Code, true),
            field("returns", "返校日期", "Day of the return", Day, false),
        ],
        RecordKind::BreakPlan => vec![
            field("owner", "责任人（账号）", "Who keeps in touch (account)", Text, true),
            field("from", "放假第一天", "First day off", Day, true),
            field("until", "开学第一天", "First day of term", Day, true),
            field("every_days", "每隔几天联系", "Days between two contacts", Number, true),
        ],
    }
}

/// Every choice of a record once; what is a person's to write is filled with something that fits.
fn trials(kind: RecordKind, actor: &Actor, rules: &Rules, now: i64) -> Vec<Trial> {
    let today = rules.calendar.day(now);
    let plain = |record| vec![(record, Vec::new())];
    match kind {
        RecordKind::Conference => each(ConferenceDecision::ALL, |decision| {
            let record = CaseConference { held_us: now, members: vec![actor.account.clone(), String::new()], decision };
            (Record::Conference(record), vec![("decision", choice(decision.code(), decision.text()))])
        }),
        RecordKind::Guardian => {
            let mut trials = Vec::new();
            for guardian in Guardian::ALL.iter().copied() {
                for decided in std::iter::once(None).chain(ParentsChoice::ALL.iter().copied().map(Some)) {
                    if decided.is_some() && guardian == Guardian::Normal {
                        continue;
                    }
                    let record = GuardianStanding { guardian, is_minor: false, choice: decided };
                    let mut chosen = vec![("guardian", choice(guardian.code(), guardian.text()))];
                    chosen.extend(decided.map(|it| ("choice", choice(it.code(), it.text()))));
                    trials.push((Record::Guardian(record), chosen));
                }
            }
            trials
        }
        RecordKind::GuardianContact => {
            let contact = |relation, told| {
                Record::GuardianContact(GuardianContact { at_us: now, relation, told, student_consented: true, is_signed: true })
            };
            let mut trials = each(GuardianRelation::ALL, |it| {
                (contact(it, Told::Wellbeing), vec![("relation", choice(it.code(), it.text()))])
            });
            trials.extend(each(Told::ALL, |it| {
                (contact(GuardianRelation::Father, it), vec![("told", choice(it.code(), it.text()))])
            }));
            trials
        }
        RecordKind::MedicalReferral => {
            let medical: Vec<ReferralTo> = ReferralTo::ALL.iter().copied().filter(|it| is_medical(*it)).collect();
            each(&medical, |to| {
                let record = Referral { to, accompanied_by: None, handed_over_us: None, feedback_us: None };
                (Record::MedicalReferral(record), vec![("to", choice(to.code(), to.text()))])
            })
        }
        RecordKind::LeaveOfSchool => each(LeaveReason::ALL, |reason| {
            let record = LeaveOfSchool { reason, from_day: today, until_day: None };
            (Record::LeaveOfSchool(record), vec![("reason", choice(reason.code(), reason.text()))])
        }),
        RecordKind::Discharge => plain(Record::Discharge(Discharge { discharged_day: today })),
        RecordKind::ReturnReview => each(ReturnDecision::ALL, |decision| {
            let record = ReturnReview {
                has_certificate: true,
                has_talk: true,
                has_plan: true,
                has_room: true,
                decision,
                returns_day: Some(today),
            };
            (Record::ReturnReview(record), vec![("decision", choice(decision.code(), decision.text()))])
        }),
        RecordKind::BreakPlan => plain(Record::BreakPlan(BreakPlan {
            owner: actor.account.clone(),
            from_day: today,
            until_day: today + 1,
            every_days: 1,
        })),
    }
}

fn each<T: Copy>(values: &[T], make: impl Fn(T) -> Trial) -> Vec<Trial> {
    values.iter().map(|it| make(*it)).collect()
}
