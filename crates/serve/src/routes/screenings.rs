//! `/api/v1/screenings`: screenings, their scores, and the month in figures (普查、月报). Psychology's alone; a score is
//! sealed, looked at one by one, and leaves for nowhere.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::Path;
use axum::extract::rejection::JsonRejection;
use casework::ScreeningCampaign;
use chrono::{Datelike, NaiveDate};
use schema::PersonKind;
use serde::Deserialize;
use serde_json::{Value, json};

use super::follow_ups::day_start;
use crate::access::Reader;
use crate::error::{Problem, Query};

/// Longest name, and most lines that are pasted at once.
const NAME_BYTES_MAX: usize = 120;
const LINES_MAX: usize = 20_000;
/// Longest score: a number with its sign and its decimals.
const SCORE_BYTES_MAX: usize = 16;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Campaign {
    name: String,
    consent_version: String,
    due_n: i64,
    done_n: i64,
    to_talk_n: i64,
    talked_n: i64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scores {
    csv: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Look {
    student_no: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Month {
    /// As `2025-11`; the month before the present one where none is named.
    month: Option<String>,
}

fn psychology(reader: &Reader) -> Result<store::Who, Problem> {
    reader.require_page("screening")?;
    let who = reader.who()?;
    if who.role.is_psychology() { Ok(who) } else { Err(Problem::forbidden()) }
}

pub(crate) async fn list(reader: Reader) -> Result<Json<Value>, Problem> {
    psychology(&reader)?;
    Ok(Json(all(&reader).await?))
}

async fn all(reader: &Reader) -> Result<Value, Problem> {
    let found = reader.state.parts.store.cases().campaigns(&psychology(reader)?).await?;
    reader.note("read", "screenings".to_owned(), "ok", i64::try_from(found.len()).ok()).await?;
    let rows = found.iter().map(|it| {
        let of = &it.campaign;
        json!({
            "name": of.name, "consent_version": of.consent_version, "due_n": of.n_due, "done_n": of.n_done,
            "to_talk_n": of.n_to_talk, "talked_n": of.n_talked, "score_n": it.score_n,
        })
    });
    Ok(json!({ "rows": rows.collect::<Vec<_>>() }))
}

pub(crate) async fn keep(reader: Reader, body: Result<Json<Campaign>, JsonRejection>) -> Result<Json<Value>, Problem> {
    psychology(&reader)?;
    let Json(it) = body?;
    let name = it.name.trim().to_owned();
    if name.is_empty() || NAME_BYTES_MAX < name.len() || name.contains(['/', '\n']) {
        return Err(Problem::unprocessable("请写一个简短的名称，不含“/”", "give it a short name without a slash"));
    }
    reader.note("keep", format!("screening/{name}"), "asked", None).await?;
    let campaign = ScreeningCampaign {
        name,
        consent_version: it.consent_version.trim().to_owned(),
        n_due: it.due_n,
        n_done: it.done_n,
        n_to_talk: it.to_talk_n,
        n_talked: it.talked_n,
    };
    reader.state.parts.store.cases().keep_campaign(&campaign).await?;
    Ok(Json(all(&reader).await?))
}

/// Takes scores as lines of number and score. What is right is kept in one go, what is wrong comes back with its line and
/// reason; a reason never repeats what the line says.
pub(crate) async fn scores(
    reader: Reader,
    Path(name): Path<String>,
    body: Result<Json<Scores>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let who = psychology(&reader)?;
    let Json(it) = body?;
    let cases = reader.state.parts.store.cases();
    cases.campaign(&name).await?.ok_or_else(Problem::not_found)?;
    if LINES_MAX < it.csv.lines().count() {
        return Err(Problem::unprocessable("一次至多 20000 行", "20,000 lines at most at once"));
    }
    reader.note("keep", format!("screening/{name}/scores"), "asked", i64::try_from(it.csv.lines().count()).ok()).await?;
    let (mut right, mut wrong, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (at, line) in it.csv.lines().enumerate() {
        let line = line.trim().trim_start_matches('\u{feff}');
        if line.is_empty() {
            continue;
        }
        match scored(&reader, line) {
            Ok((key, _)) if !seen.insert(key) => {
                wrong.push((at + 1, ("学号在前面的行已出现", "the number stands on a line before")))
            }
            Ok(it) => right.push(it),
            // The first line may name the columns.
            Err(_) if at == 0 && !line.chars().any(|it| it.is_ascii_digit()) => {}
            Err(reason) => wrong.push((at + 1, reason)),
        }
    }
    cases.keep_scores(&name, &right, &who).await?;
    let wrong = wrong.into_iter().map(|(line, (zh, en))| json!({ "line": line, "reason_zh": zh, "reason_en": en }));
    Ok(Json(json!({ "taken_n": right.len(), "wrong": wrong.collect::<Vec<_>>() })))
}

/// The student and the score of a line, or why not.
fn scored<'a>(reader: &Reader, line: &'a str) -> Result<(i64, &'a str), (&'static str, &'static str)> {
    let parts: Vec<&str> = line.split([',', '\t', ';', '，']).map(str::trim).collect();
    let [number, score] = parts.as_slice() else {
        return Err(("应为两列：学号、得分", "two columns are wanted: number and score"));
    };
    let is_score = score.len() <= SCORE_BYTES_MAX && score.parse::<f64>().is_ok_and(f64::is_finite);
    if !is_score {
        return Err(("得分不是数字", "the score is no number"));
    }
    let key = reader.state.parts.store.vault().find(PersonKind::Student, number);
    key.map(|it| (it, *score)).ok_or(("没有这个学号", "no student has this number"))
}

/// One score, to who asks for one student; every look is written down.
pub(crate) async fn look(
    reader: Reader,
    Path(name): Path<String>,
    body: Result<Json<Look>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let who = psychology(&reader)?;
    let Json(it) = body?;
    let key = reader.state.parts.store.vault().find(PersonKind::Student, it.student_no.trim());
    let key = key.ok_or_else(|| Problem::unprocessable("没有这个学号", "no student has this number"))?;
    reader.note_read(key, "screening_score").await?;
    let score = reader.state.parts.store.cases().score(&name, key, &who).await?;
    Ok(Json(json!({ "score": score })))
}

/// The month in figures: small ones are not told.
pub(crate) async fn month(reader: Reader, Query(it): Query<Month>) -> Result<Json<Value>, Problem> {
    let who = psychology(&reader)?;
    let calendar = reader.rules().calendar;
    let today = i32::try_from(calendar.day(reader.now_us())).ok().and_then(schema::time::days_date);
    let present = today.and_then(|it| it.with_day(1)).ok_or_else(Problem::not_ready)?;
    let first = match &it.month {
        Some(month) => format!("{month}-01")
            .parse::<NaiveDate>()
            .map_err(|_| Problem::bad_request("月份应写作 2025-11 / a month is written 2025-11"))?,
        None => present.pred_opt().and_then(|it| it.with_day(1)).ok_or_else(Problem::not_ready)?,
    };
    let after = first.checked_add_months(chrono::Months::new(1)).ok_or_else(Problem::not_ready)?;
    let (from_us, until_us) = (day_start(&first.to_string(), &calendar)?, day_start(&after.to_string(), &calendar)?);
    let cases = reader.state.parts.store.cases();
    let of = cases.month(from_us, until_us, &who).await?;
    reader.note("read", format!("screening/month/{}", first.format("%Y-%m")), "ok", None).await?;
    let figures = [
        ("reports", "收到的情况反映", "Observations that came in", of.reports_n),
        ("opened", "新建心理关怀个案", "Psychological cases opened", of.opened_n),
        ("closed", "办结心理关怀个案", "Psychological cases closed", of.closed_n),
        ("grave", "重点关怀中（月末）", "Priority care, at the end", of.grave_n),
        ("crises", "启动应急流程", "Crises declared", of.crises_n),
        ("checks", "启动安全核实", "Safety checks opened", of.checks_n),
        ("conferences", "会商", "Case conferences", of.conferences_n),
        ("referrals", "就医转介", "Medical referrals", of.referrals_n),
        ("returns", "复学评估", "Return reviews", of.returns_n),
        ("contacts", "完成的随访联系", "Contacts made", of.contacts_n),
    ];
    let k = reader.state.config.k_sensitive;
    let figures = figures.map(
        |(figure, zh, en, n)| json!({ "figure": figure, "title_zh": zh, "title_en": en, "n": Some(n).filter(|it| k <= *it) }),
    );
    Ok(Json(json!({ "month": first.format("%Y-%m").to_string(), "k": k, "figures": figures })))
}
