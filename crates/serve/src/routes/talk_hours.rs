//! `/api/v1/talk-hours`: how many hours for talks the reader has (可用谈话工时), from which day on.
//!
//! Those of a counselor bind what the data alone raise and nothing else. What the data raise goes to the counselor whose the
//! student is, never to psychology, so a psychologist's hours bind nothing and the page says so. Whoever says nothing has
//! the hours of the settings; the head of psychology says them for the centre's psychologists as well.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use serde::Deserialize;
use serde_json::{Value, json};
use store::{Account, NewTalkHours, TalkHours};

use super::cases::shown;
use super::follow_ups::day_start;
use super::health::instant;
use crate::access::Reader;
use crate::error::Problem;

/// Most hours of a week.
const HOURS_MAX: f64 = 40.0;
/// How far ahead hours are said, in days.
const AHEAD_DAYS: i64 = 366;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ask {
    hours_a_week: f64,
    from_on: String,
    #[serde(default)]
    account: Option<String>,
}

pub(crate) async fn list(reader: Reader) -> Result<Json<Value>, Problem> {
    expect_talks(&reader)?;
    Ok(Json(said(&reader).await?))
}

pub(crate) async fn say(reader: Reader, body: Result<Json<Ask>, JsonRejection>) -> Result<Json<Value>, Problem> {
    expect_talks(&reader)?;
    let Json(it) = body?;
    let whose = match it.account.as_deref().filter(|account| !account.is_empty() && *account != reader.account.account) {
        None => reader.account.clone(),
        Some(account) => {
            let found = centre(&reader).await?.into_iter().find(|it| it.account == account);
            found.ok_or_else(|| {
                Problem::unprocessable(
                    "只能登记本人或本中心心理教师的工时",
                    "only own hours, or those of the centre, are entered",
                )
            })?
        }
    };
    let staff_key = whose.person_key.ok_or_else(|| {
        Problem::unprocessable(
            "账号尚未关联工号，请管理员运行 yizhan user add --number",
            "the account is bound to no member of staff: ask the administrator for yizhan user add --number",
        )
    })?;
    // Quarters of an hour: what people say, and a whole number of minutes.
    let quarters = it.hours_a_week * 4.0;
    if !(0.0..=HOURS_MAX * 4.0).contains(&quarters) || quarters.fract() != 0.0 {
        return Err(Problem::unprocessable("工时应为 0 到 40 小时，以一刻钟为单位", "0 to 40 hours, in quarters of an hour"));
    }
    let calendar = reader.rules().calendar;
    let (today, from_day) = (calendar.day(reader.now_us()), calendar.day(day_start(&it.from_on, &calendar)?));
    // What was offered until now stays as it was offered.
    if !(today..=today + AHEAD_DAYS).contains(&from_day) {
        return Err(Problem::unprocessable("起始日应在今天起一年之内", "the first day lies between today and a year from now"));
    }
    let resource = format!("talk_hours/{}/{}/{}", whose.account, it.from_on, it.hours_a_week);
    reader.note("say", resource, "asked", None).await?;
    let new = NewTalkHours { account: &whose.account, staff_key, minutes_a_week: quarters as i64 * 15, from_day };
    reader.state.parts.store.cases().say_talk_hours(&new, &reader.account.account, reader.now_us()).await?;
    Ok(Json(said(&reader).await?))
}

/// Whoever talks with students; a shift that sees cases has no hours for talks.
fn expect_talks(reader: &Reader) -> Result<(), Problem> {
    reader.require_page("care")
}

/// Psychologists whose hours the reader says: those of the centre for its head, nobody's for others.
async fn centre(reader: &Reader) -> Result<Vec<Account>, Problem> {
    if reader.grant.role != "psychology_head" {
        return Ok(Vec::new());
    }
    let mut accounts = reader.state.parts.store.accounts().list().await?;
    accounts.retain(|it| {
        !it.is_disabled && it.account != reader.account.account && it.grants.iter().any(|it| it.role == "psychologist")
    });
    Ok(accounts)
}

async fn said(reader: &Reader) -> Result<Value, Problem> {
    let cases = reader.state.parts.store.cases();
    let today = reader.rules().calendar.day(reader.now_us());
    let own = cases.talk_hours(&reader.account.account).await?;
    let mut colleagues = Vec::new();
    for it in centre(reader).await? {
        let said = cases.talk_hours(&it.account).await?;
        colleagues.push(json!({
            "account": it.account, "display_name": it.display_name,
            "now": holds(&said, today).map(row),
        }));
    }
    let config = &reader.state.config;
    let hours = holds(&own, today).map_or(config.talk_hours_a_week, |it| hours(it.minutes_a_week));
    Ok(json!({
        "default_hours": config.talk_hours_a_week, "hours_a_talk": config.talk_hours,
        "now": holds(&own, today).map(row),
        // Whatever role is active: an offer is somebody's by whose the student is.
        "binds": reader.account.grants.iter().any(|it| it.role == "counselor"),
        "talks_a_week": if 0.0 < config.talk_hours { (hours / config.talk_hours).floor() as i64 } else { 0 },
        "rows": own.iter().rev().map(row).collect::<Vec<_>>(),
        "centre": colleagues,
    }))
}

/// What holds today: the last whose day has come.
fn holds(said: &[TalkHours], today: i64) -> Option<&TalkHours> {
    said.iter().rev().find(|it| it.from_day <= today)
}

fn hours(minutes: i64) -> f64 {
    minutes as f64 / 60.0
}

fn row(it: &TalkHours) -> Value {
    json!({
        "hours_a_week": hours(it.minutes_a_week), "from_on": shown::day(Some(it.from_day)), "entered_by": it.entered_by,
        "entered_at": instant(it.at_us),
    })
}
