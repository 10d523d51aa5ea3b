//! Cases as JSON: every code with its two texts beside it.

use std::collections::HashMap;

use casework::{
    Crisis, CrisisResult, CrisisStep, Field, Form, LabelScheme, Record, RecordForm, Role, SafetyCheck, ShownSeverity, Sign,
    State, Step, Text,
};
use policy::Session;
use schema::Campus;
use serde_json::{Value, json};
use store::{HistoryRow, OpenedReport, QueueRow, RecordRow};

use crate::access::Reader;
use crate::routes::health::instant;
use crate::rows::{self, cell, text};

/// Whom cases are about, as far as a reader may know.
pub(crate) struct Students {
    known: HashMap<i64, Value>,
    session: Option<Session>,
    pub(crate) as_of_on: Option<String>,
}

impl Students {
    /// A student as the reader may know them, or why not.
    pub(crate) fn get(&self, key: i64) -> Value {
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        let reason = if self.session_of(key).is_some() {
            ("登记册中没有该生的姓名", "the registers hold no name of this student")
        } else if self.as_of_on.is_none() {
            ("数据尚未计算完成", "the tables are not built yet")
        } else {
            (
                "该生不在您的数据范围内；您因值班、授权或个案可见此项",
                "the student is not in your scope; a shift, a grant or a case shows you this",
            )
        };
        unnamed(reason)
    }

    /// The session and the newest date, where it reaches the student.
    pub(crate) fn session_of(&self, key: i64) -> Option<(&Session, &str)> {
        let session = self.session.as_ref().filter(|it| it.students().contains(key))?;
        Some((session, self.as_of_on.as_deref()?))
    }
}

fn unnamed((zh, en): (&str, &str)) -> Value {
    json!({
        "name": null, "college_name": null, "class": null, "building": null, "room": null,
        "unnamed_zh": zh, "unnamed_en": en,
    })
}

/// Looks up whom cases are about. Where the lake does not answer the cases are shown all the same, and say so: help
/// must not wait for tables.
pub(crate) async fn students(reader: &Reader, keys: impl IntoIterator<Item = i64>) -> Students {
    let mut found = Students { known: HashMap::new(), session: None, as_of_on: None };
    let Ok(session) = reader.session().await else { return found };
    let newest = rows::newest(&session, "dim_student").await.ok().flatten();
    let mut keys: Vec<i64> = keys.into_iter().filter(|it| session.students().contains(*it)).collect();
    keys.sort_unstable();
    keys.dedup();
    if let Some(on) = newest.as_deref().and_then(|it| rows::date(it).ok()).filter(|_| !keys.is_empty()) {
        // Keys are our own numbers, read from the store a moment ago.
        let list: Vec<String> = keys.iter().map(ToString::to_string).collect();
        let sql = format!("SELECT * FROM dim_student WHERE as_of_on = $on AND student_key IN ({})", list.join(", "));
        let people = rows::rows(&session, &sql, vec![("on", on)]).await.unwrap_or_default();
        let names = rows::names(&reader.state.parts, &session, &keys).await.unwrap_or_default();
        for key in keys {
            let Some(name) = names.get(&key).and_then(|it| it.0.clone()) else { continue };
            let person = people.iter().find(|it| text(it, "student_key").as_deref() == Some(&key.to_string()));
            let person = person.cloned().unwrap_or_default();
            let known = json!({
                "name": name, "college_name": cell(&person, "college_name"), "class": cell(&person, "class"),
                "building": cell(&person, "building_name"), "room": cell(&person, "room_id"),
                "unnamed_zh": null, "unnamed_en": null,
            });
            found.known.insert(key, known);
        }
    }
    found.as_of_on = newest;
    found.session = Some(session);
    found
}

pub(crate) fn row(it: &QueueRow, students: &Students, account: &str, now: i64) -> Value {
    let (kind, state, level) = (it.kind.text(), it.state.text(), it.level.text());
    json!({
        "thread_key": it.thread_key.to_string(), "student_key": it.student_key.to_string(),
        "student": students.get(it.student_key),
        "kind": it.kind.code(), "kind_zh": kind.zh, "kind_en": kind.en,
        "state": it.state.code(), "state_zh": state.zh, "state_en": state.en,
        "severity": it.severity.as_ref().map(severity),
        "level": it.level.code(), "level_zh": level.zh, "level_en": level.en,
        "owner": it.owner, "is_mine": it.owner.as_deref() == Some(account), "version": it.version,
        "due_at": it.deadline_us.and_then(instant), "is_overdue": it.deadline_us.is_some_and(|due| due < now),
    })
}

fn severity(it: &ShownSeverity) -> Value {
    json!({
        "level": it.severity.map(casework::Severity::level), "label_zh": it.text.zh, "label_en": it.text.en,
        "colour": it.colour.map(casework::Colour::code),
    })
}

/// One sentence for each case of another profession; not even its kind is told.
pub(crate) fn others(n: usize) -> Vec<Value> {
    (0..n).map(|_| json!({ "text_zh": "有其他专业跟进", "text_en": "another profession follows up" })).collect()
}

pub(crate) fn form(it: &Form) -> Value {
    let form = ActLike { code: it.act.code(), title: it.act.text(), is_primary: it.is_primary, is_grave: it.act.is_grave() };
    act_form(&form, &it.fields)
}

/// What heads a form, of a step or of a record.
struct ActLike {
    code: &'static str,
    title: Text,
    is_primary: bool,
    is_grave: bool,
}

fn act_form(it: &ActLike, fields: &[Field]) -> Value {
    let fields = fields.iter().map(|field| {
        let choices = field.choices.iter().map(|it| json!({ "code": it.code, "title_zh": it.title.zh, "title_en": it.title.en }));
        json!({
            "field": field.field, "title_zh": field.title.zh, "title_en": field.title.en, "kind": field.kind,
            "is_required": field.is_required, "choices": choices.collect::<Vec<_>>(),
        })
    });
    json!({
        "act": it.code, "title_zh": it.title.zh, "title_en": it.title.en, "is_primary": it.is_primary,
        "is_grave": it.is_grave, "fields": fields.collect::<Vec<_>>(),
    })
}

pub(crate) fn record_form(it: &RecordForm) -> Value {
    let form = ActLike { code: it.record.code(), title: it.record.text(), is_primary: false, is_grave: false };
    act_form(&form, &it.fields)
}

/// A record with its fields, each with its title; without them where they are kept from the reader.
pub(crate) fn record(it: &RecordRow, campus: &Campus) -> Value {
    let (by, kind) = (it.role.text(), it.kind.text());
    let details = it.record.as_ref().map(|it| record_details(it, campus)).unwrap_or_default();
    json!({
        "record_key": it.record_key.to_string(), "at": instant(it.at_us), "actor": it.actor, "role": it.role.code(),
        "role_zh": by.zh, "role_en": by.en, "record": it.kind.code(), "record_zh": kind.zh, "record_en": kind.en,
        "is_masked": it.record.is_none(), "details": told(details), "note": it.note,
    })
}

fn told(details: Vec<(Text, Text)>) -> Vec<Value> {
    let shown = |(title, value): (Text, Text)| json!({ "title_zh": title.zh, "title_en": title.en, "value_zh": value.zh, "value_en": value.en });
    details.into_iter().map(shown).collect()
}

fn record_details(it: &Record, campus: &Campus) -> Vec<(Text, Text)> {
    let plain = |it: &str| Text::new(it, it);
    let yes_no = |it: bool| if it { Text::new("是", "yes") } else { Text::new("否", "no") };
    let titled = |zh: &str, en: &str, value: Text| Some((Text::new(zh, en), value));
    let at = |at_us: i64| plain(&local(at_us, campus));
    let on = |it: i64| plain(&day(Some(it)).unwrap_or_default());
    let found = match it {
        Record::Conference(it) => vec![
            titled("时间", "When", at(it.held_us)),
            titled("参加人", "Took part", plain(&it.members.join(", "))),
            titled("决定", "Decision", it.decision.text()),
        ],
        Record::Guardian(it) => vec![
            titled("监护人", "Guardian", it.guardian.text()),
            titled("未成年", "Minor", yes_no(it.is_minor)),
            it.choice.and_then(|it| titled("心理教师的决定", "The psychologist's decision", it.text())),
        ],
        Record::GuardianContact(it) => vec![
            titled("时间", "When", at(it.at_us)),
            titled("关系", "Relation", it.relation.text()),
            titled("告知", "Told", it.told.text()),
            titled("本人同意", "The student agreed", yes_no(it.student_consented)),
            titled("已签告知书", "Signed", yes_no(it.is_signed)),
        ],
        Record::MedicalReferral(it) => vec![
            titled("去向", "Where to", it.to.text()),
            it.accompanied_by.as_deref().and_then(|it| titled("陪同人", "Went along", plain(it))),
            it.handed_over_us.and_then(|it| titled("交接", "Handed over", at(it))),
            it.feedback_us.and_then(|it| titled("反馈", "Answer", at(it))),
        ],
        Record::LeaveOfSchool(it) => vec![
            titled("类别", "Kind", it.reason.text()),
            titled("从", "From", on(it.from_day)),
            it.until_day.and_then(|it| titled("到", "Until", on(it))),
        ],
        Record::Discharge(it) => vec![titled("出院日期", "Discharged", on(it.discharged_day))],
        Record::ReturnReview(it) => vec![
            titled("决定", "Decision", it.decision.text()),
            it.returns_day.and_then(|it| titled("返校", "Return", on(it))),
            titled("医疗证明", "Certificate", yes_no(it.has_certificate)),
            titled("心理面谈", "Talk", yes_no(it.has_talk)),
            titled("院系方案", "Plan of the college", yes_no(it.has_plan)),
            titled("宿舍安排", "Room", yes_no(it.has_room)),
        ],
        Record::BreakPlan(it) => vec![
            titled("责任人", "Who keeps in touch", plain(&it.owner)),
            titled("从", "From", on(it.from_day)),
            titled("到", "Until", on(it.until_day)),
            titled("间隔天数", "Days between", plain(&it.every_days.to_string())),
        ],
    };
    found.into_iter().flatten().collect()
}

pub(crate) fn sign(it: Sign) -> Value {
    let title = it.text();
    json!({ "sign": it.code(), "title_zh": title.zh, "title_en": title.en, "is_urgent": it.is_urgent() })
}

pub(crate) fn report(it: &OpenedReport) -> Value {
    let role = it.reporter_role.text();
    json!({
        "report_key": it.report_key.to_string(), "at": instant(it.at_us), "seen_on": day(it.seen_day),
        "reporter": it.reporter, "role": it.reporter_role.code(), "role_zh": role.zh, "role_en": role.en,
        "signs": it.signs.iter().map(|it| sign(*it)).collect::<Vec<_>>(), "is_urgent": it.is_urgent, "text": it.text,
    })
}

/// A day of the store as a date.
pub(crate) fn day(day: Option<i64>) -> Option<String> {
    day.and_then(|it| i32::try_from(it).ok()).and_then(schema::time::days_date).map(|it| it.to_string())
}

pub(crate) fn step(it: &HistoryRow, role: Role, labels: &LabelScheme, campus: &Campus) -> Value {
    let (by, step) = (it.role.text(), it.step.text());
    let details = it.event.as_ref().map(|it| details(&it.step, role, labels, campus)).unwrap_or_default();
    json!({
        "seq": it.seq, "at": instant(it.at_us), "actor": it.actor, "role": it.role.code(), "role_zh": by.zh, "role_en": by.en,
        "step": it.step.code(), "step_zh": step.zh, "step_en": step.en, "reason": it.reason,
        "details": told(details), "due_at": it.deadline_us.and_then(instant), "note": it.note,
    })
}

/// The facts of a step, each with its title.
fn details(step: &Step, role: Role, labels: &LabelScheme, campus: &Campus) -> Vec<(Text, Text)> {
    let plain = |it: &str| Text::new(it, it);
    let yes_no = |it: bool| if it { Text::new("是", "yes") } else { Text::new("否", "no") };
    let grave = |it: &casework::Severity| {
        let shown = labels.shown_to(role, *it);
        shown.map(|it| (Text::new("程度", "How grave"), it.text))
    };
    let titled = |zh: &str, en: &str, value: Text| Some((Text::new(zh, en), value));
    let found = match step {
        Step::Signalled { source, severity } => vec![titled("来源", "Source", source.text()), grave(severity)],
        Step::Assessed { severity } | Step::SeveritySet { severity } => vec![grave(severity)],
        Step::Contacted { reached } => vec![titled("联系到谁", "Who was reached", reached.text())],
        Step::Referred { to } => vec![titled("转介至", "Referred to", to.text())],
        Step::Reviewed { is_quiet } => vec![titled("没有新情况", "Nothing new", yes_no(*is_quiet))],
        Step::Closed { outcome, reached, how } => vec![
            titled("结果", "Outcome", outcome.text()),
            titled("联系到谁", "Who was reached", reached.text()),
            titled("方式", "How", how.text()),
        ],
        Step::Declared { is_danger_immediate } => {
            vec![titled("有立即危险", "Danger is immediate", yes_no(*is_danger_immediate))]
        }
        Step::CrisisStepped { crisis_step, result } => {
            vec![titled("步骤", "Step", crisis_step.text()), titled("结果", "Result", result.text())]
        }
        Step::Accompanied { shift } => {
            let span = format!("{} – {}", local(shift.from_us, campus), local(shift.until_us, campus));
            vec![titled("陪护人", "Companion", plain(&shift.account)), titled("时间", "Time", plain(&span))]
        }
        Step::Conferred { n_present } => vec![titled("参加人数", "Took part", plain(&n_present.to_string()))],
        Step::CheckOpened { cause, guardian } => {
            vec![titled("原因", "Cause", cause.text()), titled("监护人", "Guardian", guardian.text())]
        }
        Step::CheckStepped { rung, result, reached, .. } => vec![
            titled("步骤", "Step", rung.text()),
            titled("结果", "Result", result.text()),
            reached.and_then(|it| titled("联系到谁", "Who was reached", it.text())),
        ],
        Step::ParentsDecided { choice } => vec![titled("决定", "Decision", choice.text())],
        Step::Granted { account } | Step::Revoked { account } => vec![titled("账号", "Account", plain(account))],
        Step::Escalated { level } => vec![titled("层级", "Level", level.text())],
        Step::Died { readers } => vec![titled("指定查看人", "Named readers", plain(&readers.join(", ")))],
        Step::Claimed {}
        | Step::TakenOver {}
        | Step::Planned {}
        | Step::RuledOut {}
        | Step::CrisisEnded {}
        | Step::ExpiryProposed {} => Vec::new(),
    };
    found.into_iter().flatten().collect()
}

/// An instant as people on the campus write it.
fn local(at_us: i64, campus: &Campus) -> String {
    let at = chrono::DateTime::from_timestamp_micros(at_us);
    at.map_or_else(String::new, |it| it.with_timezone(&campus.time_zone).format("%Y-%m-%d %H:%M").to_string())
}

/// A crisis with whom to call for each open step, the first to be tried first.
pub(crate) fn crisis(it: &Crisis, people: &[(CrisisStep, Value)], now: i64) -> Value {
    let open = it.open_steps();
    let open = open.iter().map(|(step, due)| {
        let title = step.text();
        let called: Vec<&Value> = people.iter().filter(|it| it.0 == *step).map(|it| &it.1).collect();
        json!({
            "step": step.code(), "step_zh": title.zh, "step_en": title.en, "due_at": instant(*due), "is_overdue": *due < now,
            "people": called,
        })
    });
    let done = it.steps.iter().map(|it| {
        let (step, result): (Text, Text) = (it.step.text(), CrisisResult::text(it.result));
        json!({
            "step": it.step.code(), "step_zh": step.zh, "step_en": step.en,
            "result": it.result.code(), "result_zh": result.zh, "result_en": result.en, "by": it.by, "at": instant(it.at_us),
        })
    });
    let companions = it
        .companions
        .iter()
        .map(|it| json!({ "account": it.account, "from_at": instant(it.from_us), "until_at": instant(it.until_us) }));
    json!({
        "declared_by": it.declared_by, "declared_at": instant(it.declared_us), "is_danger_immediate": it.is_danger_immediate,
        "is_running": it.ended_us.is_none(), "open_steps": open.collect::<Vec<_>>(), "done": done.collect::<Vec<_>>(),
        "companions": companions.collect::<Vec<_>>(),
        "alone": it.alone(now).into_iter().map(span).collect::<Vec<_>>(),
        "conference_at": it.conference_us.and_then(instant), "ended_at": it.ended_us.and_then(instant),
    })
}

/// From one instant to another.
pub(crate) fn span((from_us, until_us): (i64, i64)) -> Value {
    json!({ "from_at": instant(from_us), "until_at": instant(until_us) })
}

pub(crate) fn check(it: &SafetyCheck, state: Option<State>, now: i64) -> Value {
    let found = it.found();
    let is_running = found.is_none() && state != Some(State::Closed);
    let next = it.due().filter(|_| is_running).map(|(rung, due)| {
        let title = rung.text();
        json!({ "rung": rung.code(), "rung_zh": title.zh, "rung_en": title.en, "due_at": instant(due), "is_overdue": due < now })
    });
    let done = it.steps.iter().map(|it| {
        let (rung, result, reached) = (it.rung.text(), it.result.text(), it.reached.map(casework::Reached::text));
        json!({
            "rung": it.rung.code(), "rung_zh": rung.zh, "rung_en": rung.en,
            "result": it.result.code(), "result_zh": result.zh, "result_en": result.en,
            "reached": it.reached.map(casework::Reached::code), "reached_zh": reached.as_ref().map(|it| it.zh.clone()),
            "reached_en": reached.as_ref().map(|it| it.en.clone()),
            "by": it.by, "at": instant(it.at_us), "due_at": instant(it.due_us),
        })
    });
    let (cause, guardian) = (it.cause.text(), it.guardian.text());
    let (parents, found_text) = (it.parents.map(casework::ParentsChoice::text), found.map(casework::Reached::text));
    json!({
        "cause": it.cause.code(), "cause_zh": cause.zh, "cause_en": cause.en,
        "guardian": it.guardian.code(), "guardian_zh": guardian.zh, "guardian_en": guardian.en,
        "parents": it.parents.map(casework::ParentsChoice::code), "parents_zh": parents.as_ref().map(|it| it.zh.clone()),
        "parents_en": parents.as_ref().map(|it| it.en.clone()),
        "opened_at": instant(it.opened_us), "is_running": is_running, "next": next, "done": done.collect::<Vec<_>>(),
        "found": found.map(casework::Reached::code), "found_zh": found_text.as_ref().map(|it| it.zh.clone()),
        "found_en": found_text.as_ref().map(|it| it.en.clone()),
    })
}
