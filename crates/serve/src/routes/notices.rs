//! `GET /notices/{message_id}`: the link of a message, which marks it as read and goes on to the work;
//! `POST /api/v1/notices/{message_id}/acknowledge`: I take it on.

use axum::extract::{Path, State as Shared};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use chrono::Utc;
use store::Reach;

use crate::access::Reader;
use crate::error::Problem;
use crate::state::State;

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
    let page = match (message.kind.as_str(), message.thread_key) {
        // A rehearsal asks for nothing more than that somebody logs in.
        ("drill", _) => {
            reach(&reader, id, Reach::Acknowledged).await?;
            "/".to_owned()
        }
        (_, Some(thread_key)) => format!("/care?case={thread_key}"),
        // A contact or a hand-over waits on the page of duties.
        _ if message.follow_up_key.or(message.hand_over_key).is_some() => "/duty".to_owned(),
        _ => "/care".to_owned(),
    };
    Ok(Redirect::to(&page).into_response())
}

/// Notes that the reader takes on what a message is about; nobody else is asked then.
pub(crate) async fn acknowledge(reader: Reader, Path(message_id): Path<String>) -> Result<StatusCode, Problem> {
    let id: i64 = message_id.parse().map_err(|_| Problem::not_found())?;
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
