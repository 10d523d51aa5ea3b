//! `/api/v1/sweeps`: a counselor goes through all their students, at the beginning and in the middle of a term (排查).

use axum::Json;
use axum::extract::Path;
use axum::extract::rejection::JsonRejection;
use casework::{Kind, SweepAnswer, SweepMoment};
use serde::Deserialize;
use serde_json::{Value, json};
use store::SweepRow;

use super::cases::shown;
use super::follow_ups::day_start;
use super::health::instant;
use crate::access::Reader;
use crate::error::Problem;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Open {
    term: String,
    moment: String,
    due_on: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Answer {
    student_keys: Vec<String>,
    answer: String,
    /// Kind of the case that is opened.
    #[serde(default)]
    kind: Option<String>,
}

pub(crate) async fn list(reader: Reader) -> Result<Json<Value>, Problem> {
    reader.require_page("care")?;
    Ok(Json(all(&reader).await?))
}

pub(crate) async fn open(reader: Reader, body: Result<Json<Open>, JsonRejection>) -> Result<Json<Value>, Problem> {
    reader.require_page("screening")?;
    let Json(it) = body?;
    let moment = SweepMoment::from_code(&it.moment)
        .ok_or_else(|| Problem::unprocessable("请选择学期初或期中", "choose the beginning or the middle of term"))?;
    let due_us = day_start(&it.due_on, &reader.rules().calendar)?;
    reader.note("open", format!("sweep/{}/{}", it.term.trim(), moment.code()), "asked", None).await?;
    let cases = reader.state.parts.store.cases();
    cases.open_sweep(it.term.trim(), moment, due_us, &reader.who()?, reader.now_us()).await?;
    Ok(Json(all(&reader).await?))
}

pub(crate) async fn one(reader: Reader, Path(sweep_key): Path<String>) -> Result<Json<Value>, Problem> {
    reader.require_page("care")?;
    Ok(Json(whole(&reader, find(&reader, &sweep_key).await?).await?))
}

pub(crate) async fn answer(
    reader: Reader,
    Path(sweep_key): Path<String>,
    body: Result<Json<Answer>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    reader.require_page("care")?;
    let Json(it) = body?;
    let sweep = find(&reader, &sweep_key).await?;
    let no_word = || Problem::unprocessable("请选择答复", "choose an answer");
    let answer = SweepAnswer::from_code(&it.answer).ok_or_else(no_word)?;
    let kind = Kind::from_code(it.kind.as_deref().unwrap_or(Kind::Psych.code())).ok_or_else(no_word)?;
    let keys = it.student_keys.iter().map(|it| it.parse::<i64>().map_err(|_| Problem::not_found()));
    let keys: Vec<i64> = keys.collect::<Result<_, _>>()?;
    let n = i64::try_from(keys.len()).ok();
    reader.note("answer", format!("sweep/{}/{}", sweep.sweep_key, answer.code()), "asked", n).await?;
    let (cases, rules, now) = (reader.state.parts.store.cases(), reader.rules(), reader.now_us());
    cases.answer_sweep(sweep.sweep_key, &keys, (answer, kind), &reader.who()?, (&rules, now)).await?;
    Ok(Json(whole(&reader, sweep).await?))
}

async fn find(reader: &Reader, sweep_key: &str) -> Result<SweepRow, Problem> {
    let key: i64 = sweep_key.parse().map_err(|_| Problem::not_found())?;
    let found = reader.state.parts.store.cases().sweeps().await?;
    found.into_iter().find(|it| it.sweep_key == key).ok_or_else(Problem::not_found)
}

fn head(it: &SweepRow, now: i64) -> Value {
    let moment = it.moment.text();
    json!({
        "sweep_key": it.sweep_key.to_string(), "term": it.term, "moment": it.moment.code(), "moment_zh": moment.zh,
        "moment_en": moment.en, "opened_at": instant(it.opened_us), "due_at": instant(it.due_us), "is_overdue": it.due_us < now,
    })
}

/// Sweeps with how far they are: to a counselor their own students, to psychology every counselor's as counts.
async fn all(reader: &Reader) -> Result<Value, Problem> {
    let (who, now) = (reader.who()?, reader.now_us());
    let cases = reader.state.parts.store.cases();
    let mut rows = Vec::new();
    for sweep in cases.sweeps().await? {
        let mut row = head(&sweep, now);
        if who.role.is_psychology() {
            let progress = cases.sweep_progress(sweep.sweep_key, &who, now).await?;
            row["student_n"] = json!(progress.iter().map(|it| it.student_n).sum::<i64>());
            row["answered_n"] = json!(progress.iter().map(|it| it.answered_n).sum::<i64>());
            let shown = |it: &store::SweepProgress| {
                json!({
                    "account": it.account, "student_n": it.student_n, "answered_n": it.answered_n, "nothing_n": it.nothing_n,
                    "opened_n": it.opened_n, "in_care_n": it.in_care_n,
                })
            };
            row["progress"] = json!(progress.iter().map(shown).collect::<Vec<_>>());
        } else {
            let students = cases.swept(sweep.sweep_key, &who, now).await?;
            row["student_n"] = json!(students.len());
            row["answered_n"] = json!(students.iter().filter(|it| it.answer.is_some()).count());
            row["progress"] = json!([]);
        }
        rows.push(row);
    }
    reader.note("read", "sweeps".to_owned(), "ok", i64::try_from(rows.len()).ok()).await?;
    let moments = SweepMoment::ALL.iter().map(|it| {
        let text = it.text();
        json!({ "code": it.code(), "title_zh": text.zh, "title_en": text.en })
    });
    Ok(json!({ "rows": rows, "moments": moments.collect::<Vec<_>>(), "may_open": reader.require_page("screening").is_ok() }))
}

/// A sweep with the reader's own students, those without an answer first.
async fn whole(reader: &Reader, sweep: SweepRow) -> Result<Value, Problem> {
    let (who, now) = (reader.who()?, reader.now_us());
    let cases = reader.state.parts.store.cases();
    let found = cases.swept(sweep.sweep_key, &who, now).await?;
    reader.note("read", format!("sweep/{}", sweep.sweep_key), "ok", i64::try_from(found.len()).ok()).await?;
    let students = shown::students(reader, found.iter().map(|it| it.student_key)).await;
    let rows = found.iter().map(|it| {
        let answer = it.answer.map(SweepAnswer::text);
        json!({
            "student_key": it.student_key.to_string(), "student": students.get(it.student_key), "is_in_care": it.is_in_care,
            "answer": it.answer.map(SweepAnswer::code), "answer_zh": answer.as_ref().map(|it| it.zh.clone()),
            "answer_en": answer.as_ref().map(|it| it.en.clone()),
        })
    });
    let answers = SweepAnswer::ALL.iter().map(|it| {
        let text = it.text();
        json!({ "code": it.code(), "title_zh": text.zh, "title_en": text.en })
    });
    let kinds = Kind::ALL.iter().map(|it| {
        let text = it.text();
        json!({ "code": it.code(), "title_zh": text.zh, "title_en": text.en })
    });
    Ok(json!({
        "head": head(&sweep, now), "rows": rows.collect::<Vec<_>>(), "answers": answers.collect::<Vec<_>>(),
        "kinds": kinds.collect::<Vec<_>>(),
    }))
}
