//! `GET /notices/{message_id}`: the link of a message, which marks it as read and goes on to the work;
//! `GET /api/v1/notices`: what was sent to the reader and waits, and who took on what (我来处理);
//! `POST /api/v1/notices/{message_id}/acknowledge`: I take it on.

use std::collections::HashMap;

use axum::Json;
use axum::extract::{Path, State as Shared};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use casework::DAY_US;
use chrono::Utc;
use schema::PersonKind;
use serde_json::{Value, json};
use store::{Account, OpenMessage, Reach};

use super::health::instant;
use crate::access::Reader;
use crate::error::Problem;
use crate::state::State;

/// How far back messages are shown.
const BACK_US: i64 = 31 * DAY_US;
/// How long one stays that somebody took on: long enough for the others to see that they need not.
const TAKEN_US: i64 = 3 * DAY_US;
const ROWS_MAX: usize = 200;

/// Lists what was sent to the reader: of what kind, since when, who took it on. Of whom it is stands behind the link.
pub(crate) async fn list(reader: Reader) -> Result<Json<Value>, Problem> {
    reader.require_cases()?;
    let store = &reader.state.parts.store;
    // Messages carry the clock that they are sent by; where that stands still none is sent.
    let now_us = Utc::now().timestamp_micros();
    let found = match reader.account.person_key {
        Some(key) => store.messages().sent_to(key, now_us - BACK_US, now_us - TAKEN_US, ROWS_MAX).await?,
        None => Vec::new(),
    };
    reader.note("read", "notices".to_owned(), "ok", i64::try_from(found.len()).ok()).await?;
    // Only of whom a line speaks: a school has tens of thousands of accounts, and pages ask every half minute.
    let mut names: HashMap<i64, Option<String>> = HashMap::new();
    let mut rows = Vec::new();
    for it in found {
        // A hand-over that was confirmed or taken over asks nobody any more.
        if let (None, Some(hand_over_key)) = (it.taken, it.message.hand_over_key)
            && store.cases().asked_to_take(hand_over_key).await?.levels.is_empty()
        {
            continue;
        }
        let calls = if it.taken.is_none() { calls(&reader, &it.message).await? } else { None };
        let taken_by = match it.taken {
            None => None,
            Some((by, _)) => match names.get(&by) {
                Some(name) => name.clone(),
                None => {
                    let name = store.accounts().greeting_of(by).await?;
                    names.insert(by, name.clone());
                    name
                }
            },
        };
        rows.push(json!({
            "message_id": it.message.message_id.to_string(), "kind": it.message.kind,
            "created_at": instant(it.message.created_us),
            "taken_at": it.taken.and_then(|(_, at_us)| instant(at_us)),
            "taken_by": taken_by,
            "is_mine": it.taken.is_some_and(|(by, _)| reader.account.person_key == Some(by)),
            "may_take": it.taken.is_none() && calls.is_none(),
            // With nobody to call there is still the line that is answered day and night.
            "must_call": calls.is_some(), "calls": calls.unwrap_or_default(),
        }));
    }
    let campus = &reader.state.config.campus;
    Ok(Json(json!({ "rows": rows, "emergency_zh": campus.emergency_zh, "emergency_en": campus.emergency_en })))
}

/// Whom a reader calls who was asked last and may see nothing of the work: those who may, the first to be tried first. Of
/// the student nothing is said. `None` for whoever may see it.
async fn calls(reader: &Reader, message: &OpenMessage) -> Result<Option<Vec<Value>>, Problem> {
    let store = &reader.state.parts.store;
    let now_us = reader.now_us();
    let asked = match (message.kind.as_str(), message.thread_key) {
        ("help_asked", Some(thread_key)) => store.cases().asked_for_help(thread_key, now_us).await?,
        _ if message.report_key.is_some() => store.cases().asked_to_place(now_us).await?,
        _ => return Ok(None),
    };
    let people: Vec<&String> = asked.levels.iter().flatten().collect();
    if people.contains(&&reader.account.account) {
        return Ok(None);
    }
    let mut found: Vec<Account> = Vec::new();
    for account in people {
        // Whoever's account was shut works here no more, whatever still names them.
        found.extend(store.accounts().get(account).await?.filter(|it| !it.is_disabled));
    }
    let keys: Vec<i64> = found.iter().filter_map(|it| it.person_key).collect();
    let phones = store.vault().identities(PersonKind::Staff, &keys, &["phone"]).await?;
    let rows = found.iter().map(|it| {
        let phone = it.person_key.and_then(|key| phones.get(&key)?.get("phone").cloned());
        json!({ "display_name": it.display_name, "phone": phone })
    });
    Ok(Some(rows.collect()))
}

/// The page on which the work waits.
fn page_of(message: &OpenMessage) -> String {
    match message.thread_key {
        Some(thread_key) => format!("/care?case={thread_key}"),
        // A contact or a hand-over waits on the page of duties.
        None if message.follow_up_key.or(message.hand_over_key).is_some() => "/duty".to_owned(),
        None if message.kind == "list_ready" => "/lists".to_owned(),
        None => "/care".to_owned(),
    }
}

/// Marks a message as read by whoever opened its link, and shows the page on which the work waits.
///
/// The address says nothing, and whoever is none of its addressees hears that there is nothing.
pub(crate) async fn open(
    reader: Result<Reader, Problem>,
    Shared(state): Shared<State>,
    Path(message_id): Path<String>,
) -> Result<Response, Problem> {
    let id: i64 = message_id.parse().map_err(|_| Problem::not_found())?;
    let Ok(reader) = reader else { return Ok(Redirect::to(&format!("/login?to=/notices/{id}")).into_response()) };
    let message = state.parts.store.messages().get(id).await?.ok_or_else(Problem::not_found)?;
    reach(&reader, id, Reach::Read).await?;
    if message.kind == "drill" {
        // A rehearsal asks for nothing more than that somebody logs in.
        reach(&reader, id, Reach::Acknowledged).await?;
        return Ok(Redirect::to("/").into_response());
    }
    Ok(Redirect::to(&page_of(&message)).into_response())
}

/// Notes that the reader takes on what a message is about; nobody else is asked then.
pub(crate) async fn acknowledge(reader: Reader, Path(message_id): Path<String>) -> Result<StatusCode, Problem> {
    let id: i64 = message_id.parse().map_err(|_| Problem::not_found())?;
    let store = &reader.state.parts.store;
    // Whoever it was not sent to hears that there is nothing.
    reach(&reader, id, Reach::Read).await?;
    let message = store.messages().get(id).await?.ok_or_else(Problem::not_found)?;
    if calls(&reader, &message).await?.is_some() {
        // Whoever can only call somebody does not end the asking of those who can do the work.
        return Err(Problem::forbidden());
    }
    reach(&reader, id, Reach::Acknowledged).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn reach(reader: &Reader, message_id: i64, reach: Reach) -> Result<(), Problem> {
    let key = reader.account.person_key.ok_or_else(Problem::not_found)?;
    let now_us = Utc::now().timestamp_micros();
    match reader.state.parts.store.messages().advance(message_id, key, None, reach, now_us).await? {
        0 => Err(Problem::not_found()),
        _ => Ok(()),
    }
}
