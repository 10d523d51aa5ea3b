//! `GET /api/v1/pipelines`: how every source stands: by which doors it comes, how fresh, what was refused, what fails and
//! what to do (数据管道). For operators: counts and instants, no row.

use axum::Json;
use axum::extract::{FromRequestParts, Request, State as Shared};
use serde_json::{Value, json};

use super::health::instant;
use crate::access::Reader;
use crate::error::Problem;
use crate::pipelines::{Operation, PipelineState, Urgency};
use crate::state::State;

/// For whoever has the page, and for `yizhan doctor` beside the server.
pub(crate) async fn list(Shared(state): Shared<State>, request: Request) -> Result<Json<Value>, Problem> {
    let (mut parts, _) = request.into_parts();
    if !super::runs::is_owner(&state, &parts.headers) {
        Reader::from_request_parts(&mut parts, &state).await?.require_page("pipelines")?;
    }
    let it = look(&state).await?;
    let at = |at_us: Option<i64>| at_us.and_then(instant);
    Ok(Json(json!({
        "now": instant(it.now_us),
        "stream": {
            "log_bytes": it.log_bytes, "log_bytes_max": it.log_bytes_max, "log_rows": it.log_rows,
            "oldest_at": at(it.log_oldest_us), "commit_seconds": it.commit_seconds, "disk_free_bytes": it.disk_free_bytes,
            "sentences": it.sentences(),
        },
        "rows": it.pipelines.iter().map(|one| row(one, it.now_us)).collect::<Vec<_>>(),
    })))
}

/// How everything stands; why not goes to the log only.
pub(crate) async fn look(state: &State) -> Result<Operation, Problem> {
    state.parts.pipelines.look().await.map_err(|error| {
        tracing::error!(%error, "how the sources stand");
        Problem::not_ready()
    })
}

fn row(it: &PipelineState, now_us: i64) -> Value {
    let sentences = it.sentences(now_us);
    let at = |at_us: Option<i64>| at_us.and_then(instant);
    json!({
        "pipeline": it.pipeline, "about": it.about, "owner": it.owner, "shape": if it.is_event { "event" } else { "state" },
        "doors": it.doors, "usual_delay_s": it.usual_delay_us / 1_000_000,
        "occurred_at": at(it.occurred_us), "known_at": at(it.known_us), "committed_at": at(it.committed_us),
        "lag_s": it.lag_us(now_us).map(|it| it / 1_000_000),
        "hour_rows": it.hour_rows, "hour_bytes": it.hour_bytes, "rows_n": it.rows,
        "rows_in": it.counts.rows_in, "rows_quarantined": it.counts.rows_quarantined, "waiting": it.waiting,
        "state": sentences.first().map_or(Urgency::Ok, |it| it.urgency), "sentences": sentences,
    })
}
