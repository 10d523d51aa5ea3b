//! From a form that somebody filled in to an act of casework.

use casework::{Act, ActName, Record, RecordKind};
use chrono::DateTime;
use serde_json::{Map, Value, json};

use crate::error::Problem;

/// Makes an act of its name and fields.
///
/// # Errors
/// If there is no such act for people, a field is missing, unknown, or none of its choices.
pub(super) fn act(name: &str, fields: Map<String, Value>) -> Result<Act, Problem> {
    let Some(named) = ActName::from_code(name) else {
        return Err(Problem::unprocessable("没有这个步骤", "there is no such act"));
    };
    // What was left empty was not filled in.
    let mut fields: Map<String, Value> = fields.into_iter().filter(|(_, it)| !it.is_null() && it != "").collect();
    match named {
        ActName::Signal | ActName::Assess | ActName::SetSeverity => number(&mut fields, "severity"),
        ActName::Review => flag(&mut fields, "is_quiet"),
        ActName::Declare => flag(&mut fields, "is_danger_immediate"),
        ActName::Companion => {
            let (from_us, until_us) = (instant(&mut fields, "from")?, instant(&mut fields, "until")?);
            let account = fields.remove("account").unwrap_or_default();
            fields.insert("shift".to_owned(), json!({ "account": account, "from_us": from_us, "until_us": until_us }));
        }
        _ => {}
    }
    fields.insert("act".to_owned(), json!(name));
    whole(fields)
}

fn whole<T: serde::de::DeserializeOwned>(fields: Map<String, Value>) -> Result<T, Problem> {
    serde_json::from_value(Value::Object(fields)).map_err(|error| {
        Problem::unprocessable("有未填写或不可选的内容", &format!("a field is missing or cannot be taken: {error}"))
    })
}

/// Makes a record of its kind and fields: instants and days as forms name them, without their unit.
///
/// # Errors
/// If there is no such record, a field is missing, unknown, or none of its choices.
pub(super) fn record(name: &str, fields: Map<String, Value>) -> Result<Record, Problem> {
    let Some(kind) = RecordKind::from_code(name) else {
        return Err(Problem::unprocessable("没有这类记录", "there is no such record"));
    };
    let mut fields: Map<String, Value> = fields.into_iter().filter(|(_, it)| !it.is_null() && it != "").collect();
    let (instants, days, flags): (&[&str], &[&str], &[&str]) = match kind {
        RecordKind::Conference => (&["held"], &[], &[]),
        RecordKind::Guardian => (&[], &[], &["is_minor"]),
        RecordKind::GuardianContact => (&["at"], &[], &["student_consented", "is_signed"]),
        RecordKind::MedicalReferral => (&["handed_over", "feedback"], &[], &[]),
        RecordKind::LeaveOfSchool => (&[], &["from", "until"], &[]),
        RecordKind::Discharge => (&[], &["discharged"], &[]),
        RecordKind::ReturnReview => (&[], &["returns"], &["has_certificate", "has_talk", "has_plan", "has_room"]),
        RecordKind::BreakPlan => (&[], &["from", "until"], &[]),
    };
    for name in instants {
        if fields.contains_key(*name) {
            let at_us = instant(&mut fields, name)?;
            fields.insert(format!("{name}_us"), json!(at_us));
        }
    }
    for name in days {
        if let Some(on) = fields.remove(*name) {
            fields.insert(format!("{name}_day"), json!(day(on.as_str().unwrap_or_default())?));
        }
    }
    for name in flags {
        flag(&mut fields, name);
    }
    if kind == RecordKind::BreakPlan {
        number(&mut fields, "every_days");
    }
    fields.insert("record".to_owned(), json!(name));
    whole(fields)
}

/// A date as a day of the store.
pub(crate) fn day(on: &str) -> Result<i64, Problem> {
    let date: chrono::NaiveDate =
        on.parse().map_err(|_| Problem::unprocessable("日期应写作 2025-12-12", "a date is written 2025-12-12"))?;
    Ok(i64::from(schema::time::date_days(date)))
}

/// Choices are texts, and casework keeps numbers.
fn number(fields: &mut Map<String, Value>, name: &str) {
    if let Some(number) = fields.get(name).and_then(Value::as_str).and_then(|it| it.parse::<i64>().ok()) {
        fields.insert(name.to_owned(), json!(number));
    }
}

/// A box that was not ticked may be left out.
fn flag(fields: &mut Map<String, Value>, name: &str) {
    fields.entry(name).or_insert(Value::Bool(false));
}

fn instant(fields: &mut Map<String, Value>, name: &str) -> Result<i64, Problem> {
    let text = fields.remove(name).unwrap_or_default();
    micros(text.as_str().unwrap_or_default())
}

/// Reads an instant as RFC 3339 writes it.
pub(crate) fn micros(text: &str) -> Result<i64, Problem> {
    DateTime::parse_from_rfc3339(text).map(|it| it.timestamp_micros()).map_err(|_| {
        Problem::unprocessable("时间应写作 2025-12-12T08:00:00+08:00", "an instant is written 2025-12-12T08:00:00+08:00")
    })
}

#[cfg(test)]
mod tests {
    use casework::{CheckResult, Reached, Rung, Severity};

    use super::*;

    #[track_caller]
    fn taken(name: &str, fields: Value) -> Act {
        let Value::Object(fields) = fields else { panic!("no object") };
        act(name, fields).expect("an act")
    }

    fn is_refused(name: &str, fields: Value) -> bool {
        let Value::Object(fields) = fields else { panic!("no object") };
        act(name, fields).is_err()
    }

    #[test]
    fn a_form_becomes_the_act_that_it_asks_for() {
        assert_eq!(taken("assess", json!({ "severity": "2" })), Act::Assess { severity: Severity::General });
        assert_eq!(taken("review", json!({})), Act::Review { is_quiet: false });
        let reached = Some(Reached::Phone);
        let expected = Act::CheckStep { rung: Rung::CallStudent, result: CheckResult::Reached, reached };
        assert_eq!(taken("check_step", json!({ "rung": "call_student", "result": "reached", "reached": "phone" })), expected);
        let expected = Act::CheckStep { rung: Rung::CallStudent, result: CheckResult::NotReached, reached: None };
        assert_eq!(taken("check_step", json!({ "rung": "call_student", "result": "not_reached", "reached": "" })), expected);
        let span = json!({ "account": "lin", "from": "1970-01-01T08:00:00+08:00", "until": "1970-01-01T01:00:00Z" });
        let Act::Companion { shift } = taken("companion", span) else { panic!("no companion") };
        assert_eq!((shift.from_us, shift.until_us), (0, 3_600_000_000));
    }

    #[test]
    fn days_and_instants_of_a_record_become_numbers_and_nothing_unknown_is_taken() {
        let filled = |name: &str, fields: Value| {
            let Value::Object(fields) = fields else { panic!("no object") };
            record(name, fields)
        };
        let plan = json!({ "owner": "lin", "from": "1970-01-02", "until": "1970-01-11", "every_days": "3" });
        let Ok(Record::BreakPlan(plan)) = filled("break_plan", plan) else { panic!("no plan") };
        assert_eq!((plan.from_day, plan.until_day, plan.every_days), (1, 10, 3));
        let met = json!({ "held": "1970-01-01T08:00:00+08:00", "members": ["lin", "wang"], "decision": "plan" });
        let Ok(Record::Conference(met)) = filled("conference", met) else { panic!("no conference") };
        assert_eq!((met.held_us, met.members.len()), (0, 2));
        for (name, fields) in [
            ("conference", json!({ "members": ["lin", "wang"], "decision": "plan" })),
            ("conference", json!({ "held": "today", "members": ["lin", "wang"], "decision": "plan" })),
            ("discharge", json!({ "discharged": "1970-01-02", "diagnosis": "x" })),
            ("discharge", json!({ "discharged_day": 2, "discharged": "soon" })),
            ("diary", json!({})),
        ] {
            assert!(filled(name, fields.clone()).is_err(), "{name} {fields}");
        }
    }

    #[test]
    fn what_is_missing_unknown_or_the_platforms_own_is_refused() {
        assert!(is_refused("assess", json!({})));
        assert!(is_refused("assess", json!({ "severity": "5" })));
        assert!(is_refused("claim", json!({ "owner": "me" })));
        assert!(is_refused("companion", json!({ "account": "lin", "from": "today", "until": "tomorrow" })));
        assert!(is_refused("escalate", json!({})));
        assert!(is_refused("die", json!({ "readers": ["a", "b"] })), "that is no step of a case");
        assert!(is_refused("confer", json!({ "n_present": 3 })), "a conference is recorded with who took part");
    }
}
