//! `GET /api/v1/catalog/quality`: every source with owner, approval, freshness, volume and drift (数据质量).

use axum::Json;
use serde_json::{Value, json};

use crate::access::Reader;
use crate::error::Problem;
use crate::pushes::StreamDoor;
use crate::rows::{self, Row, cell, text};

pub(crate) async fn quality(reader: Reader) -> Result<Json<Value>, Problem> {
    reader.require_page("catalog")?;
    let session = reader.session().await?;
    let parts = &reader.state.parts;
    // What the sources deliver is counted when the tables are built; before that only the words are there.
    let found = match session.schema("quality_source").await {
        Ok(_) => rows::rows(&session, "SELECT * FROM quality_source ORDER BY source", Vec::new()).await?,
        Err(_) => Vec::new(),
    };
    let approvals = match session.schema("quality_approval").await {
        Ok(_) => {
            rows::rows(&session, "SELECT * FROM quality_approval ORDER BY source, valid_to DESC, doc_no", Vec::new()).await?
        }
        Err(_) => Vec::new(),
    };
    let mut sources = Vec::new();
    for it in &parts.catalog.sources {
        let of = |list: &'_ [Row]| list.iter().find(|row| text(row, "source").as_deref() == Some(&it.source)).cloned();
        let (counted, approval) = (of(&found).unwrap_or_default(), of(&approvals).unwrap_or_default());
        let snapshot = parts.lake.snapshot(&format!("raw_{}", it.source)).await?;
        let updated = snapshot.as_ref().and_then(|it| it.files.iter().map(|it| it.modified_ms).max());
        let state = match (&snapshot, text(&counted, "state")) {
            (None, _) => "missing".to_owned(),
            (Some(_), Some(state)) => state,
            (Some(_), None) => "ok".to_owned(),
        };
        let moved: Vec<String> =
            text(&counted, "moved_columns").map(|it| it.split(',').map(str::to_owned).collect()).unwrap_or_default();
        sources.push(json!({
            "source": it.source, "about_zh": it.about_zh, "about_en": it.about_en, "owner": it.owner, "shape": it.shape, "purpose": it.purpose,
            "retention_days": it.retention_days, "usual_delay_h": it.usual_delay_h,
            "column_n": it.column_n, "identity_n": it.identity_n,
            "rows_n": snapshot.as_ref().map(lake::Snapshot::rows),
            "updated_at": updated.and_then(|it| super::health::instant(it * 1000)),
            "fresh_to": cell(&counted, "fresh_to"), "rows_last": cell(&counted, "rows_last"),
            "rows_usual": cell(&counted, "rows_usual"), "late_share": cell(&counted, "late_share"), "psi": cell(&counted, "psi"),
            "column_psi": cell(&counted, "column_psi"), "moved_columns": moved,
            "state": state,
            "approval": {
                "doc_no": cell(&approval, "doc_no"), "approver": cell(&approval, "approver"), "valid_to": cell(&approval, "valid_to"),
            },
        }));
    }
    let doors: Vec<Value> = parts.pushes.doors().iter().map(door).collect();
    Ok(Json(json!({ "sources": sources, "doors": doors, "data_item_n": parts.data_item_n().await? })))
}

/// How a door of the stream stands.
fn door(it: &StreamDoor) -> Value {
    let at = |at_us: Option<i64>| at_us.and_then(super::health::instant);
    let state = match it.open_since_us {
        _ if it.is_stopped => "stopped",
        Some(_) => "open",
        None => "closed",
    };
    json!({
        "door": it.door, "pipeline": it.pipeline, "state": state, "open_since": at(it.open_since_us),
        "error_at": at(it.error_at_us), "error_zh": it.error_zh, "error_en": it.error_en,
        "taken_n": it.taken_n, "taken_at": at(it.taken_at_us), "waiting_n": it.waiting_n,
        "waiting_bytes": it.waiting_bytes, "held_bytes": it.held_bytes, "removed_n": it.removed_n,
    })
}
