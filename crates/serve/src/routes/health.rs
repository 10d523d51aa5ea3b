//! `GET /api/v1/health`: whether the platform answers, and how old its tables are. No login, no figure about anybody.

use axum::Json;
use axum::extract::State as Shared;
use serde_json::{Value, json};

use crate::error::Problem;
use crate::pushes::PushWarning;
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
    warnings.extend(streams.iter().map(told));
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

/// What is said of the stream without a login: why rows stay in the log is for operators, for it quotes files and columns.
fn told(it: &PushWarning) -> Value {
    match it.code {
        "not_committed" => json!({
            "code": it.code, "text_zh": "有来源推送的数据留在日志中，未丢失；原因见“数据管道”页",
            "text_en": "pushed rows of a source stay in the log and are not lost; the page of pipelines says why",
        }),
        _ => json!({ "code": it.code, "text_zh": it.zh, "text_en": it.en }),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pushes::StreamDoor;

    const RAW: &str = "could not write data/lake/raw_gate_event: column person_id of 2025000042";

    #[test]
    fn without_a_login_nobody_is_told_why() {
        let warning = |code| PushWarning { code, zh: format!("未能写入：{RAW}"), en: RAW.to_owned() };
        let said = told(&warning("not_committed")).to_string();
        assert!(said.contains("not_committed") && !said.contains("raw_gate_event") && !said.contains("2025000042"), "{said}");
        // Sentences of our own are told as they are.
        assert!(told(&warning("disk_full")).to_string().contains(RAW));

        let gone = StreamDoor {
            door: "mqtt/gates".to_owned(),
            error_at_us: Some(1),
            error_zh: RAW.to_owned(),
            error_en: RAW.to_owned(),
            ..StreamDoor::default()
        };
        for door in [StreamDoor { is_stopped: true, ..gone.clone() }, gone.clone()] {
            let said = shut(&door).expect("it is shut").to_string();
            assert!(said.contains("mqtt/gates") && !said.contains("raw_gate_event") && !said.contains("2025000042"), "{said}");
        }
        assert_eq!(shut(&StreamDoor { open_since_us: Some(2), ..gone }), None);
    }
}
