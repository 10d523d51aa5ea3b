//! `GET /api/v1/health`: whether the platform answers, and how old its tables are. No login, no figure about anybody.

use axum::Json;
use axum::extract::State as Shared;
use serde_json::{Value, json};

use crate::error::Problem;
use crate::state::State;

pub(crate) async fn health(Shared(state): Shared<State>) -> Result<Json<Value>, Problem> {
    let snapshot = state.parts.lake.snapshot("cockpit_data").await?;
    let newest = snapshot.and_then(|it| it.files.iter().filter_map(|it| it.partition).max());
    let runs = state.parts.store.runs().last(1).await?;
    let last = runs.first();
    let is_running = last.is_some_and(|it| it.result == store::RunResult::Running);
    let lake = match (newest, is_running) {
        (_, true) => "building",
        (Some(_), false) => "ready",
        (None, false) => "empty",
    };
    let due = super::channels::due(&state).await?;
    let mut warnings = Vec::new();
    warnings.extend(due.words().map(|it| json!({ "code": "drill_due", "text_zh": it.zh, "text_en": it.en })));
    let streams = state.parts.pushes.warnings();
    warnings.extend(streams.into_iter().map(|it| match it.code {
        // Why is for operators: this is read without a login.
        "not_committed" => json!({
            "code": it.code, "text_zh": "有来源推送的数据留在日志中，未丢失；原因见“数据管道”页",
            "text_en": "pushed rows of a source stay in the log and are not lost; the page of pipelines says why",
        }),
        _ => json!({ "code": it.code, "text_zh": it.zh, "text_en": it.en }),
    }));
    warnings.extend(state.parts.pushes.doors().iter().filter_map(shut));
    let failed = last.is_some_and(|it| it.result == store::RunResult::Failed);
    Ok(Json(json!({
        "status": if failed { "degraded" } else { "ok" },
        "version": state.config.version,
        "lake": lake,
        "as_of_on": newest.and_then(schema::time::days_date).map(|it| it.to_string()),
        "warnings": warnings,
        "last_run": last.map(|it| json!({
            "stage": it.stage, "result": it.result.to_string(), "finished_at": it.ended_at_us.and_then(instant),
        })),
        "demo_logins": if state.config.is_demo { json!(state.config.demo_logins) } else { json!([]) },
    })))
}

/// A door of the stream that is not open. Which one is all that is said without a login: why stands in the catalogue.
fn shut(door: &crate::pushes::StreamDoor) -> Option<Value> {
    let (name, zh, en) = match door {
        it if it.is_stopped => (&it.door, "已停止，等待人工处理", "stopped and waits for somebody to decide"),
        it if it.open_since_us.is_none() && it.error_at_us.is_some() => (&it.door, "未连接", "is not connected"),
        _ => return None,
    };
    Some(json!({
        "code": "door_shut",
        "text_zh": format!("实时接入 {name} {zh}：见数据目录的数据质量"),
        "text_en": format!("the stream door {name} {en}: see data quality in the catalogue"),
    }))
}

pub(crate) fn instant(at_us: i64) -> Option<String> {
    Some(chrono::DateTime::from_timestamp_micros(at_us)?.format("%Y-%m-%dT%H:%M:%SZ").to_string())
}
