//! `POST /api/v1/lists/visit/sheets`: the fixed sheet about somebody who was met on a visit of the week's plan (走访观察表).
//!
//! What it says leaves for the lake and is shown to nobody here again: neither drawn rooms nor answers may colour the next
//! visit.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use serde::Deserialize;
use serde_json::{Value, json};
use store::{NewVisitAnswer, VisitAnswer};

use super::absences::night_day;
use super::health::instant;
use crate::access::Reader;
use crate::error::Problem;
use crate::rows::{self, text};

/// The list whose rows are answered.
pub(crate) const LIST: &str = "visit";

/// What may be said of rest, study and company: code, Chinese, English.
const ANSWERS: [(&str, &str, &str); 3] =
    [("usual", "如常", "As usual"), ("changed", "有变化", "Changed"), ("not_raised", "未谈及", "Not raised")];

/// The questions, in the order of the sheet: name, Chinese, English.
const QUESTIONS: [(&str, &str, &str); 3] =
    [("rest", "作息与饮食", "Sleep and meals"), ("study", "学习", "Study"), ("company", "同伴", "Company")];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ask {
    student_key: String,
    plan_on: String,
    rest: String,
    study: String,
    company: String,
    is_support_needed: bool,
}

pub(crate) async fn answer(reader: Reader, body: Result<Json<Ask>, JsonRejection>) -> Result<Json<Value>, Problem> {
    reader.require_page("lists")?;
    let staff_key = visitor(&reader).ok_or_else(Problem::forbidden)?;
    let Json(it) = body?;
    if [&it.rest, &it.study, &it.company].iter().any(|said| ANSWERS.iter().all(|(code, ..)| code != said)) {
        return Err(Problem::unprocessable("请逐项选择", "choose an answer to each question"));
    }
    let key: i64 = it.student_key.parse().map_err(|_| Problem::not_found())?;
    let session = reader.session().await?;
    session.schema("list_visit").await?;
    // Only who lives in a room of the reader's plan is answered for.
    let sql = "SELECT room_id FROM list_visit WHERE student_key = $key AND plan_on = $plan LIMIT 1";
    let params = vec![("key", rows::key(key)), ("plan", rows::date(&it.plan_on)?)];
    let listed = rows::rows(&session, sql, params).await?;
    let resource = format!("student/{key}/visit/{}", it.plan_on);
    let Some(room_id) = listed.first().and_then(|it| text(it, "room_id")) else {
        reader.note("answer", resource, "refused", None).await?;
        return Err(Problem::not_found());
    };
    reader.note("answer", resource, "asked", None).await?;
    let new = NewVisitAnswer {
        student_key: key,
        staff_key,
        room_id: &room_id,
        plan_day: night_day(&it.plan_on)?,
        rest: &it.rest,
        study: &it.study,
        company: &it.company,
        is_support_needed: it.is_support_needed,
    };
    let now = reader.now_us();
    reader.state.parts.store.cases().answer_visit(&new, &reader.who()?, now).await?;
    Ok(Json(json!({ "student_key": key.to_string(), "plan_on": it.plan_on, "sheet_at": instant(now) })))
}

/// The questions with what may be said, where the reader visits; nothing for whoever only reads the list.
pub(crate) fn sheet(reader: &Reader) -> Value {
    if visitor(reader).is_none() {
        return Value::Null;
    }
    let said = |(code, zh, en): &(&str, &str, &str)| json!({ "code": code, "title_zh": zh, "title_en": en });
    json!({
        "questions": QUESTIONS.iter().map(said).collect::<Vec<_>>(), "answers": ANSWERS.iter().map(said).collect::<Vec<_>>(),
    })
}

/// Of whom there is a sheet of a plan.
pub(crate) async fn answers(reader: &Reader, plan_on: &str) -> Result<Vec<VisitAnswer>, Problem> {
    Ok(reader.state.parts.store.cases().visit_answers(night_day(plan_on)?).await?)
}

/// The key of a counselor who visits; others plan nothing.
fn visitor(reader: &Reader) -> Option<i64> {
    reader.account.person_key.filter(|_| reader.grant.role == "counselor")
}
