//! `/api/v1/me/help`: a student asks for help (我要求助). It reaches psychology on duty and those whose student it is, at once
//! and whatever anybody has hours for; the student sees that it was received and who calls, and nothing else.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use casework::Role;
use serde::Deserialize;
use serde_json::{Value, json};
use store::AuditEvent;

use super::health::instant;
use crate::access::Reader;
use crate::error::Problem;

/// Requests that are shown.
const ROWS_MAX: usize = 20;
/// Longest way to reach somebody, in characters: a number, a time, a place.
const REACH_MAX: usize = 200;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ask {
    reach: String,
}

pub(crate) async fn list(reader: Reader) -> Result<Json<Value>, Problem> {
    let key = own(&reader)?;
    Ok(Json(asked(&reader, key).await?))
}

pub(crate) async fn ask(reader: Reader, body: Result<Json<Ask>, JsonRejection>) -> Result<Json<Value>, Problem> {
    let key = own(&reader)?;
    let Json(it) = body?;
    let reach = it.reach.trim();
    if reach.is_empty() || REACH_MAX < reach.chars().count() {
        return Err(Problem::unprocessable(
            "请写明怎样联系你，例如手机号，200字以内",
            "say how you can be reached, such as a telephone number, within 200 characters",
        ));
    }
    // Whoever reads the log learns a key and no name, as of anything that is read of a student: the name of an account is one.
    let event = AuditEvent {
        action: "ask".to_owned(),
        actor: format!("student/{key}"),
        at_us: chrono::Utc::now().timestamp_micros(),
        outcome: "asked".to_owned(),
        resource: "help".to_owned(),
        role: reader.grant.role.clone(),
        ..AuditEvent::default()
    };
    reader.state.parts.store.audit().append(event).await?;
    let cases = reader.state.parts.store.cases();
    cases.ask_for_help(key, reach, &reader.who()?, &reader.rules(), reader.now_us()).await?;
    Ok(Json(asked(&reader, key).await?))
}

/// The key of the student who reads; nobody asks in another's name, for there is the observation form.
fn own(reader: &Reader) -> Result<i64, Problem> {
    reader.require_page("me")?;
    if reader.who()?.role != Role::Student {
        return Err(Problem::forbidden());
    }
    reader.account.person_key.ok_or_else(Problem::not_found)
}

async fn asked(reader: &Reader, key: i64) -> Result<Value, Problem> {
    let (store, campus) = (&reader.state.parts.store, &reader.state.config.campus);
    let found = store.cases().my_requests(key, ROWS_MAX).await?;
    let mut rows = Vec::new();
    for it in &found {
        // Of the few who took something on: every student has an account, and a page that asks for help waits for none of them.
        let by = match &it.taken_by {
            Some(by) => store.accounts().get(by).await?,
            None => None,
        };
        rows.push(json!({
            "at": instant(it.at_us), "is_answered": it.is_answered, "taken_by": by.map(|it| it.display_name),
        }));
    }
    Ok(json!({
        "emergency_zh": campus.emergency_zh, "emergency_en": campus.emergency_en, "reach_max": REACH_MAX,
        "rows": rows,
    }))
}
