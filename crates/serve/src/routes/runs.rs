//! `GET /api/v1/runs`: what ran; `POST`: work that another process of the owner hands over.

use axum::Json;
use axum::extract::State as Shared;
use axum::extract::rejection::JsonRejection;
use axum::http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};

use super::health::instant;
use crate::access::Reader;
use crate::error::Problem;
use crate::state::{Done, Order, State};

const RUNS_MAX: usize = 200;

pub(crate) async fn list(reader: Reader) -> Result<Json<Value>, Problem> {
    reader.require_page("runs")?;
    let runs = reader.state.parts.store.runs().last(RUNS_MAX).await?;
    let shown: Vec<Value> = runs
        .iter()
        .map(|it| {
            json!({
                "run_id": it.run_id.to_string(), "stage": it.stage, "started_at": instant(it.began_at_us),
                "finished_at": it.ended_at_us.and_then(instant), "rows_in": it.rows_in, "rows_out": it.rows_out,
                "seconds": it.seconds, "result": it.result.to_string(), "detail": it.detail,
            })
        })
        .collect();
    Ok(Json(json!({ "runs": shown })))
}

/// Whether another process of this machine's owner asks: it has the word that stands in the data folder.
pub(crate) fn is_owner(state: &State, headers: &HeaderMap) -> bool {
    let given = headers.get(header::AUTHORIZATION).and_then(|it| it.to_str().ok()).and_then(|it| it.strip_prefix("Bearer "));
    match (&state.config.hand_over_token, given) {
        (Some(token), Some(given)) => blake3::hash(token.as_bytes()) == blake3::hash(given.as_bytes()),
        _ => false,
    }
}

pub(crate) async fn run(
    Shared(state): Shared<State>,
    headers: HeaderMap,
    body: Result<Json<Order>, JsonRejection>,
) -> Result<Json<Done>, Problem> {
    if !is_owner(&state, &headers) {
        return Err(Problem::unauthorized());
    }
    let Json(order) = body?;
    let jobs = state.parts.jobs.clone();
    // The run goes on if the one who handed it over goes away.
    match tokio::spawn(async move { jobs.run(order).await }).await {
        Ok(done) => Ok(Json(done)),
        Err(_) => Err(Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "run_failed",
            "运行中断，已记录 / the run broke off, it was logged",
        )),
    }
}
