//! `/api/v1/observations`: what people saw (观察上报). Written by anybody who may, read by those who follow up.

use axum::Json;
use axum::extract::Path;
use axum::extract::rejection::JsonRejection;
use casework::{ObservationReport, Role, Sign};
use schema::PersonKind;
use serde::Deserialize;
use serde_json::{Value, json};

use super::cases::{self, shown};
use super::health::instant;
use super::students::limit;
use crate::access::Reader;
use crate::error::{Problem, Query};

const UNPLACED_MAX: usize = 200;
/// Longest number that somebody may write, in bytes.
const NUMBER_BYTES_MAX: usize = 64;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Filter {
    /// `next` of the page before.
    after: Option<i64>,
    limit: Option<u16>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Observation {
    #[serde(default)]
    student_no: Option<String>,
    #[serde(default)]
    student_key: Option<String>,
    signs: Vec<String>,
    #[serde(default)]
    seen_on: Option<String>,
    #[serde(default)]
    is_urgent: bool,
    text: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Place {
    student_no: String,
}

pub(crate) async fn form(reader: Reader) -> Result<Json<Value>, Problem> {
    reader.require_page("observe")?;
    let campus = &reader.state.config.campus;
    Ok(Json(json!({
        "emergency_zh": campus.emergency_zh, "emergency_en": campus.emergency_en,
        "signs": Sign::ALL.iter().map(|it| shown::sign(*it)).collect::<Vec<_>>(),
        "text_bytes_max": ObservationReport::TEXT_BYTES_MAX,
    })))
}

pub(crate) async fn own(reader: Reader, Query(filter): Query<Filter>) -> Result<Json<Value>, Problem> {
    reader.require_page("observe")?;
    // One less than the store gives at most, so that one more says whether there are more.
    let limit = usize::from(limit(filter.limit)?).min(499);
    let cases = reader.state.parts.store.cases();
    let mut found = cases.my_reports(&reader.account.account, filter.after, limit + 1).await?;
    let has_more = limit < found.len();
    found.truncate(limit);
    let rows = found.iter().map(|it| {
        json!({
            "report_key": it.report_key.to_string(), "at": instant(it.at_us), "seen_on": shown::day(it.seen_day),
            "feedback_zh": it.feedback.zh, "feedback_en": it.feedback.en, "is_answered": it.is_answered,
        })
    });
    let next = found.last().filter(|_| has_more).map(|it| it.report_key.to_string());
    Ok(Json(json!({ "rows": rows.collect::<Vec<_>>(), "next": next })))
}

/// Takes a report. The answer is the same whether or not the number is anybody's: what cannot be placed waits for the
/// psychologist, so that a slip of the pen loses nothing.
pub(crate) async fn write(reader: Reader, body: Result<Json<Observation>, JsonRejection>) -> Result<Json<Value>, Problem> {
    reader.require_page("observe")?;
    let Json(it) = body?;
    let (who, rules, now) = (reader.who()?, reader.rules(), reader.now_us());
    let no_sign = || Problem::unprocessable("有不认识的观察项", "there is no such sign");
    let signs: Vec<Sign> = it.signs.iter().map(|it| Sign::from_code(it).ok_or_else(no_sign)).collect::<Result<_, _>>()?;
    let seen_day = it.seen_on.as_deref().map(|it| seen_day(it, rules.calendar.day(now))).transpose()?;
    let report = ObservationReport { student_key: 0, signs, is_urgent: it.is_urgent, seen_day };
    report.check(&it.text).map_err(store::Error::from)?;
    let cases = reader.state.parts.store.cases();
    let report_key = match (it.student_no.as_deref().map(str::trim), it.student_key.as_deref()) {
        (None, Some(student_key)) if who.role != Role::Student => {
            let student_key = cases::student(&reader, student_key).await?;
            reader.note("report", "observation".to_owned(), "asked", None).await?;
            let report = ObservationReport { student_key, ..report };
            cases.report(&report, &it.text, &who, &rules, now).await?
        }
        (Some(number), None) if !number.is_empty() && number.len() <= NUMBER_BYTES_MAX => {
            reader.note("report", "observation".to_owned(), "asked", None).await?;
            let placed = match reader.state.parts.store.vault().find(PersonKind::Student, number) {
                Some(student_key) => {
                    let report = ObservationReport { student_key, ..report.clone() };
                    match cases.report(&report, &it.text, &who, &rules, now).await {
                        // Casework takes nothing more about this student; whether there is such a student is not told.
                        Err(store::Error::CaseRefused(_)) => None,
                        other => Some(other?),
                    }
                }
                None => None,
            };
            match placed {
                Some(report_key) => report_key,
                None => cases.report_unplaced(number, &report, &it.text, &who, now).await?,
            }
        }
        _ => return Err(Problem::unprocessable("请写明学号", "name the student's number")),
    };
    Ok(Json(json!({ "report_key": report_key.to_string() })))
}

fn seen_day(seen_on: &str, today: i64) -> Result<i64, Problem> {
    let date: chrono::NaiveDate =
        seen_on.parse().map_err(|_| Problem::unprocessable("日期应写作 2025-12-12", "a date is written 2025-12-12"))?;
    let day = i64::from(schema::time::date_days(date));
    if today < day {
        return Err(Problem::unprocessable("看到的日期不会在今天之后", "what was seen was not seen after today"));
    }
    Ok(day)
}

pub(crate) async fn unplaced(reader: Reader) -> Result<Json<Value>, Problem> {
    let who = psychology(&reader)?;
    let found = reader.state.parts.store.cases().unplaced(&who, UNPLACED_MAX).await?;
    reader.note("read", "observation/unplaced".to_owned(), "ok", i64::try_from(found.len()).ok()).await?;
    let rows = found.iter().map(|it| {
        let mut row = shown::report(&it.report);
        row["student_no"] = json!(it.number);
        row
    });
    Ok(Json(json!({ "rows": rows.collect::<Vec<_>>() })))
}

pub(crate) async fn place(
    reader: Reader,
    Path(report_key): Path<String>,
    body: Result<Json<Place>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let who = psychology(&reader)?;
    let Json(it) = body?;
    let report_key: i64 = report_key.parse().map_err(|_| Problem::not_found())?;
    let number = it.student_no.trim();
    let found = reader.state.parts.store.vault().find(PersonKind::Student, number);
    let student_key = found.ok_or_else(|| Problem::unprocessable("没有这个学号", "no student has this number"))?;
    reader.note("place", format!("observation/{report_key}/student/{student_key}"), "asked", None).await?;
    let cases = reader.state.parts.store.cases();
    let thread_key = cases.place_unplaced(report_key, student_key, &who, &reader.rules(), reader.now_us()).await?;
    Ok(Json(cases::after_step(&reader, thread_key).await?))
}

fn psychology(reader: &Reader) -> Result<store::Who, Problem> {
    reader.require_page("care")?;
    let who = reader.who()?;
    if who.role.is_psychology() { Ok(who) } else { Err(Problem::forbidden()) }
}
