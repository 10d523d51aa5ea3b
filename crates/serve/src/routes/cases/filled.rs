//! From a form that somebody filled in to an act of casework.

use casework::{Act, ActName};
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
        ActName::Confer => number(&mut fields, "n_present"),
        ActName::Review => flag(&mut fields, "is_quiet"),
        ActName::Declare => flag(&mut fields, "is_danger_immediate"),
        ActName::Companion => {
            let (from_us, until_us) = (instant(&mut fields, "from")?, instant(&mut fields, "until")?);
            let account = fields.remove("account").unwrap_or_default();
            fields.insert("shift".to_owned(), json!({ "account": account, "from_us": from_us, "until_us": until_us }));
        }
        ActName::Die => {
            let readers = [fields.remove("reader_1"), fields.remove("reader_2")];
            fields.insert("readers".to_owned(), json!(readers));
        }
        _ => {}
    }
    fields.insert("act".to_owned(), json!(name));
    serde_json::from_value(Value::Object(fields)).map_err(|error| {
        Problem::unprocessable("有未填写或不可选的内容", &format!("a field is missing or cannot be taken: {error}"))
    })
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
        let readers = ["a".to_owned(), "b".to_owned()];
        assert_eq!(taken("die", json!({ "reader_1": "a", "reader_2": "b" })), Act::Die { readers });
    }

    #[test]
    fn what_is_missing_unknown_or_the_platforms_own_is_refused() {
        assert!(is_refused("assess", json!({})));
        assert!(is_refused("assess", json!({ "severity": "5" })));
        assert!(is_refused("claim", json!({ "owner": "me" })));
        assert!(is_refused("companion", json!({ "account": "lin", "from": "today", "until": "tomorrow" })));
        assert!(is_refused("escalate", json!({})));
        assert!(is_refused("die", json!({ "reader_1": "a" })));
    }
}
