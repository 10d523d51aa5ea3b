//! `/api/v1/hand-overs`: students and everything open of them go to another counselor (移交); both sides confirm.

use axum::Json;
use axum::extract::Path;
use axum::extract::rejection::JsonRejection;
use casework::HandOverState;
use serde::Deserialize;
use serde_json::{Value, json};
use store::Offered;

use super::health::instant;
use crate::access::Reader;
use crate::error::Problem;

const ROWS_MAX: usize = 200;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Offer {
    to_account: String,
    /// All of the giver's where none is named.
    #[serde(default)]
    student_keys: Vec<String>,
}

pub(crate) async fn list(reader: Reader) -> Result<Json<Value>, Problem> {
    reader.require_cases()?;
    Ok(Json(waiting(&reader).await?))
}

pub(crate) async fn offer(reader: Reader, body: Result<Json<Offer>, JsonRejection>) -> Result<Json<Value>, Problem> {
    reader.require_cases()?;
    let Json(it) = body?;
    expect_colleague(&reader, &it.to_account).await?;
    let (who, now) = (reader.who()?, reader.now_us());
    let store = reader.state.parts.store.cases();
    let named = it.student_keys.iter().map(|it| it.parse::<i64>().map_err(|_| Problem::not_found()));
    let mut students: Vec<i64> = named.collect::<Result<_, _>>()?;
    if students.is_empty() {
        students = store.students_of(&who.account, now).await?;
    }
    let students_n = i64::try_from(students.len()).ok();
    reader.note("offer", format!("hand_over/{}", it.to_account), "asked", students_n).await?;
    store.offer_hand_over(&who.account, &it.to_account, &students, now).await?;
    Ok(Json(waiting(&reader).await?))
}

pub(crate) async fn confirm(reader: Reader, Path(hand_over_key): Path<String>) -> Result<Json<Value>, Problem> {
    reader.require_cases()?;
    let key: i64 = hand_over_key.parse().map_err(|_| Problem::not_found())?;
    reader.note("confirm", format!("hand_over/{key}"), "asked", None).await?;
    reader.state.parts.store.cases().confirm_hand_over(key, &reader.who()?, reader.now_us()).await?;
    Ok(Json(waiting(&reader).await?))
}

pub(crate) async fn take_over(reader: Reader, Path(hand_over_key): Path<String>) -> Result<Json<Value>, Problem> {
    reader.require_cases()?;
    let key: i64 = hand_over_key.parse().map_err(|_| Problem::not_found())?;
    reader.note("take_over", format!("hand_over/{key}"), "asked", None).await?;
    reader.state.parts.store.cases().take_over(key, &reader.who()?, reader.now_us()).await?;
    Ok(Json(waiting(&reader).await?))
}

async fn waiting(reader: &Reader) -> Result<Value, Problem> {
    let account = &reader.account.account;
    let cases = reader.state.parts.store.cases();
    let found = cases.hand_overs(account, ROWS_MAX).await?;
    let overdue = cases.overdue_hand_overs(&reader.who()?, reader.now_us(), ROWS_MAX).await?;
    let takers = colleagues(reader).await?;
    Ok(json!({
        "rows": found.iter().map(|it| shown(it, account)).collect::<Vec<_>>(),
        "overdue": overdue.iter().map(|it| shown(it, account)).collect::<Vec<_>>(),
        "takers": takers,
    }))
}

fn shown(it: &Offered, account: &str) -> Value {
    let over = &it.hand_over;
    let (state, text) = (over.state(), over.state().text());
    let waits_for_me = (over.from == account && over.given_us.is_none()) || (over.to == account && over.taken_us.is_none());
    json!({
        "hand_over_key": it.hand_over_key.to_string(), "from_account": over.from, "to_account": over.to,
        "student_n": over.students.len(), "offered_at": instant(over.offered_us), "due_at": instant(over.due_us()),
        "given_at": over.given_us.and_then(instant), "taken_at": over.taken_us.and_then(instant),
        "state": state.code(), "state_zh": text.zh, "state_en": text.en,
        "is_mine_to_confirm": state == HandOverState::Offered && waits_for_me,
    })
}

/// Accounts that hold the role whose work the reader gives away, and are open, without the reader: what a secretary took
/// over goes on to a counselor, all else to somebody who does the same work.
pub(crate) async fn colleagues(reader: &Reader) -> Result<Vec<Value>, Problem> {
    let accounts = reader.state.parts.store.accounts().list().await?;
    let role = match reader.grant.role.as_str() {
        "college_secretary" => "counselor",
        own => own,
    };
    let is_one = |it: &&store::Account| {
        !it.is_disabled && it.account != reader.account.account && it.grants.iter().any(|it| it.role == role)
    };
    let shown = |it: &store::Account| json!({ "account": it.account, "display_name": it.display_name });
    Ok(accounts.iter().filter(is_one).map(shown).collect())
}

/// Refuses whoever does not do the same work.
pub(crate) async fn expect_colleague(reader: &Reader, account: &str) -> Result<(), Problem> {
    if colleagues(reader).await?.iter().any(|it| it["account"] == account) {
        return Ok(());
    }
    Err(Problem::unprocessable("没有同一身份的这个账号", "there is no such account in the same role"))
}
