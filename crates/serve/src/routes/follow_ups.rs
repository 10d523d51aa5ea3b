//! `/api/v1/follow-ups`: contacts that somebody owes, after a return or over a break (随访).

use axum::Json;
use axum::extract::Path;
use axum::extract::rejection::JsonRejection;
use casework::{BreakFollowUp, Calendar, Code, DAY_US, FollowUpPlan};
use serde::Deserialize;
use serde_json::{Value, json};
use store::{Page, Wanted, With};

use super::cases::{self, shown};
use super::health::instant;
use crate::access::Reader;
use crate::error::Problem;

/// How far ahead contacts are shown.
const AHEAD_US: i64 = 14 * DAY_US;
const ROWS_MAX: usize = 500;
/// How a contact may have ended.
const RESULTS: [&str; 4] = ["well", "talked", "no_answer", "needs_more"];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plan {
    student_key: String,
    cause: String,
    #[serde(default)]
    from_on: Option<String>,
    #[serde(default)]
    until_on: Option<String>,
    #[serde(default)]
    every_days: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Done {
    result: String,
}

pub(crate) async fn list(reader: Reader) -> Result<Json<Value>, Problem> {
    reader.require_page("care")?;
    Ok(Json(due(&reader).await?))
}

pub(crate) async fn plan(reader: Reader, body: Result<Json<Plan>, JsonRejection>) -> Result<Json<Value>, Problem> {
    reader.require_page("care")?;
    let Json(it) = body?;
    let student_key = cases::student(&reader, &it.student_key).await?;
    let (who, now) = (reader.who()?, reader.now_us());
    let store = reader.state.parts.store.cases();
    // Contacts are planned by those whose student it is.
    let standing = store.standing(&who, student_key, now).await?;
    if !standing.is_responsible && !standing.is_of_college {
        return Err(Problem::not_found());
    }
    let calendar = reader.rules().calendar;
    let day = |on: Option<&str>| on.map(|on| day_start(on, &calendar)).transpose();
    let days = day(it.from_on.as_deref())?.zip(day(it.until_on.as_deref())?);
    reader.note("plan", format!("student/{student_key}/follow_up/{}", it.cause), "asked", None).await?;
    let owner = who.account;
    match (it.cause.as_str(), days, it.every_days) {
        ("visit", None, None) => {
            store.plan_after_visit(student_key, &owner, now).await?;
        }
        ("return", Some((from_us, until_us)), None) => {
            store.plan_follow_up(student_key, &FollowUpPlan { owner, from_us, term_ends_us: until_us }).await?;
        }
        ("break", Some((from_us, until_us)), Some(every_days)) => {
            store.plan_break(student_key, &BreakFollowUp { owner, from_us, until_us, every_days }).await?;
        }
        _ => {
            return Err(Problem::unprocessable(
                "请选择走访后联系；或复学随访、假期联系及起止日期，假期联系还要间隔天数",
                "choose a contact after a visit; or a return or a break with its dates, and for a break the days between two contacts",
            ));
        }
    }
    Ok(Json(due(&reader).await?))
}

pub(crate) async fn done(
    reader: Reader,
    Path(follow_up_key): Path<String>,
    body: Result<Json<Done>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    reader.require_page("care")?;
    let Json(it) = body?;
    let key: i64 = follow_up_key.parse().map_err(|_| Problem::not_found())?;
    if !RESULTS.contains(&it.result.as_str()) {
        return Err(Problem::unprocessable("请选择联系结果", "choose how the contact ended"));
    }
    let result = Code::new(&it.result).map_err(store::Error::from)?;
    reader.note("done", format!("follow_up/{key}"), "asked", None).await?;
    let store = reader.state.parts.store.cases();
    if !store.follow_up_done(key, &reader.account.account, &result, reader.now_us()).await? {
        return Err(Problem::not_found());
    }
    Ok(Json(due(&reader).await?))
}

/// Open cases for which nobody is to keep in touch over the next break (放假前逐案定责任人与联系频次).
pub(crate) async fn breaks(reader: Reader) -> Result<Json<Value>, Problem> {
    reader.require_page("care")?;
    let (who, rules, now) = (reader.who()?, reader.rules(), reader.now_us());
    let today = rules.calendar.day(now);
    let next = rules.breaks.iter().find(|(_, until)| today < *until).copied();
    let mut found = Vec::new();
    if let Some((from, until)) = next {
        let at = |day: i64| day * DAY_US - rules.calendar.offset_us;
        let wanted = Wanted { without_break: Some((at(from), at(until))), ..Wanted::default() };
        let labels = &reader.state.config.labels;
        let page = Page { after: None, limit: ROWS_MAX };
        found = reader.state.parts.store.cases().queue_of(&who, wanted, page, labels, now).await?;
    }
    reader.note("read", "cases/without_break".to_owned(), "ok", i64::try_from(found.len()).ok()).await?;
    let students = shown::students(&reader, found.iter().map(|it| it.student_key)).await;
    Ok(Json(json!({
        "from_on": next.and_then(|it| shown::day(Some(it.0))), "until_on": next.and_then(|it| shown::day(Some(it.1))),
        "rows": found.iter().map(|it| shown::row(it, &students, &who.account, now)).collect::<Vec<_>>(),
    })))
}

/// Contacts of colleagues that fell due without an answer, of which the reader was told: whose they are, and nothing of the
/// student.
pub(crate) async fn unanswered(reader: Reader) -> Result<Json<Value>, Problem> {
    reader.require_cases()?;
    let store = &reader.state.parts.store;
    let found = match reader.account.person_key {
        Some(key) => store.cases().unanswered_contacts(key, &reader.account.account, ROWS_MAX).await?,
        None => Vec::new(),
    };
    reader.note("read", "follow_ups/unanswered".to_owned(), "ok", i64::try_from(found.len()).ok()).await?;
    let accounts = store.accounts().list().await?;
    let rows = found.iter().map(|(owner, due_us)| {
        let name = accounts.iter().find(|it| it.account == *owner).map(|it| it.display_name.clone());
        json!({ "owner": owner, "owner_name": name, "due_at": instant(*due_us) })
    });
    Ok(Json(json!({ "rows": rows.collect::<Vec<_>>() })))
}

async fn due(reader: &Reader) -> Result<Value, Problem> {
    let now = reader.now_us();
    let store = reader.state.parts.store.cases();
    let found = store.follow_ups(&reader.account.account, now + AHEAD_US, ROWS_MAX).await?;
    reader.note("read", "follow_ups".to_owned(), "ok", i64::try_from(found.len()).ok()).await?;
    let keys = found.iter().filter_map(|it| match &it.with {
        With::Student(key) => Some(*key),
        With::Colleague(_) => None,
    });
    let students = shown::students(reader, keys).await;
    let rows = found.iter().map(|it| {
        let cause = it.cause.text();
        let (student_key, student, account) = match &it.with {
            With::Student(key) => (json!(key.to_string()), students.get(*key), Value::Null),
            With::Colleague(account) => (Value::Null, Value::Null, json!(account)),
        };
        json!({
            "follow_up_key": it.follow_up_key.to_string(), "student_key": student_key, "student": student, "account": account,
            "cause": it.cause.code(), "cause_zh": cause.zh, "cause_en": cause.en,
            "due_at": instant(it.due_us), "is_overdue": it.due_us < now,
        })
    });
    Ok(json!({ "rows": rows.collect::<Vec<_>>() }))
}

/// The instant at which a day begins in the school's time.
pub(crate) fn day_start(on: &str, calendar: &Calendar) -> Result<i64, Problem> {
    let date: chrono::NaiveDate =
        on.parse().map_err(|_| Problem::bad_request("日期应写作 2025-12-12 / a date is written 2025-12-12"))?;
    Ok(i64::from(schema::time::date_days(date)) * DAY_US - calendar.offset_us)
}
