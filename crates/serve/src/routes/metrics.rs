//! `GET /metrics`: figures for a monitor, to whoever has its token.

use axum::extract::State as Shared;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::error::Problem;
use crate::state::State;

/// What OpenMetrics is called on the wire; every Prometheus reads it.
const KIND: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(crate) async fn metrics(Shared(state): Shared<State>, headers: HeaderMap) -> Result<Response, Problem> {
    // Without a token nobody is an operator, and the path is none.
    let Some(token) = &state.config.metrics_token else { return Err(crate::error::no_such_path().await) };
    let given = headers.get(header::AUTHORIZATION).and_then(|it| it.to_str().ok()).and_then(|it| it.strip_prefix("Bearer "));
    // Hashes, so that the time of comparing tells nothing of the token.
    if given.is_none_or(|it| blake3::hash(it.trim().as_bytes()) != blake3::hash(token.as_bytes())) {
        return Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "no_token",
            "令牌缺失或不正确（[serve] metrics_token_env）/ the token is missing or wrong (see [serve] metrics_token_env)",
        ));
    }
    let operation = super::pipelines::look(&state).await?;
    let text = state.parts.metrics.text(&operation, state.parts.live.open()).map_err(|_| Problem::not_ready())?;
    let headers =
        [(header::CONTENT_TYPE, HeaderValue::from_static(KIND)), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((headers, text).into_response())
}
