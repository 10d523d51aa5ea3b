//! `GET /api/v1/pipelines`: how every source stands: by which doors it comes, how fresh, what was refused, what fails and
//! what to do (数据管道). For operators: counts and instants, no row.

use axum::Json;
use axum::extract::{FromRequestParts, Request, State as Shared};
use serde_json::{Value, json};

use super::health::instant;
use crate::access::Reader;
use crate::error::Problem;
use crate::pipelines::{Failure, Operation, PipelineState, Ticked, Urgency};
use crate::pushes::StreamDoor;
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
            "sentences": it.sentences(), "tick": it.tick.as_ref().map(tick),
        },
        "rows": it.pipelines.iter().map(|one| row(one, it.now_us)).collect::<Vec<_>>(),
    })))
}

/// How everything stands; why not goes to the log only.
pub(crate) async fn look(state: &State) -> Result<Operation, Problem> {
    let mut operation = state.parts.pipelines.look().await.map_err(|error| {
        tracing::error!(%error, "how the sources stand");
        Problem::not_ready()
    })?;
    for door in state.parts.pushes.doors() {
        let fed = operation.pipelines.iter_mut().filter(|it| door.pipeline.split_whitespace().any(|name| name == it.pipeline));
        for it in fed {
            it.doors.push(door.door.clone());
            let notes = door.notes.iter().filter(|note| note.0.as_ref().is_none_or(|name| *name == it.pipeline));
            it.notes.extend(notes.map(|note| note.1.clone()));
            if door.open_since_us.is_none() && it.failure.is_none() {
                it.failure = shut(&door);
            }
        }
    }
    Ok(operation)
}

/// Why a door of the stream takes nothing; `None` before its first try.
fn shut(door: &StreamDoor) -> Option<Failure> {
    let name = &door.door;
    let [todo_zh, todo_en] = if door.is_stopped {
        ["按 docs/doors.zh-CN.md 处理后重启", "do what docs/doors.md says, then restart"]
    } else {
        ["会自动重连；对方恢复后从断点继续", "it tries again by itself and goes on where it was"]
    };
    Some(Failure {
        since_us: door.error_at_us?,
        zh: format!("{name} 未接通：{}", door.error_zh),
        en: format!("{name} is shut: {}", door.error_en),
        todo_zh: todo_zh.to_owned(),
        todo_en: todo_en.to_owned(),
    })
}

fn tick(it: &Ticked) -> Value {
    let tables = it.tables.iter().map(|(table, rows)| json!({ "table": table, "rows_n": rows })).collect::<Vec<_>>();
    json!({ "at": instant(it.at_us), "seconds": it.seconds, "tables": tables })
}

fn row(it: &PipelineState, now_us: i64) -> Value {
    let sentences = it.sentences(now_us);
    let at = |at_us: Option<i64>| at_us.and_then(instant);
    json!({
        "pipeline": it.pipeline, "about_zh": it.about_zh, "about_en": it.about_en, "owner": it.owner, "shape": if it.is_event { "event" } else { "state" },
        "doors": it.doors, "usual_delay_s": it.usual_delay_us / 1_000_000,
        "occurred_at": at(it.occurred_us), "known_at": at(it.known_us), "committed_at": at(it.committed_us),
        "lag_s": it.lag_us(now_us).map(|it| it / 1_000_000),
        "hour_rows": it.hour_rows, "hour_bytes": it.hour_bytes, "rows_n": it.rows,
        "rows_in": it.counts.rows_in, "rows_quarantined": it.counts.rows_quarantined, "waiting": it.waiting,
        "late": it.late.iter().filter_map(|(on, rows)| Some(json!({ "on": schema::time::days_date(*on)?.to_string(), "rows_n": rows }))).collect::<Vec<_>>(),
        "state": sentences.first().map_or(Urgency::Ok, |it| it.urgency), "sentences": sentences,
    })
}
