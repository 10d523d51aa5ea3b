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
    // Files are dated by the clock of the machine, also where the data end on a fixed day.
    let now_us = chrono::Utc::now().timestamp_micros();
    let mut sources = Vec::new();
    for it in &parts.catalog.sources {
        let of = |list: &'_ [Row]| list.iter().find(|row| text(row, "source").as_deref() == Some(&it.source)).cloned();
        let (counted, approval) = (of(&found).unwrap_or_default(), of(&approvals).unwrap_or_default());
        let snapshot = parts.lake.snapshot(&format!("raw_{}", it.source)).await?;
        let updated = snapshot.as_ref().and_then(|it| it.files.iter().map(|it| it.modified_ms).max());
        let rhythm = if it.shape == "state" && !it.is_own {
            Some(rhythm(&parts.store.files().deliveries(&it.source).await?, it.is_full, now_us))
        } else {
            None
        };
        let state = match (&snapshot, text(&counted, "state"), &rhythm) {
            (None, ..) => "missing".to_owned(),
            (Some(_), Some(state), _) => state,
            (Some(_), None, Some(rhythm)) => rhythm.state.to_owned(),
            (Some(_), None, None) => "ok".to_owned(),
        };
        let (rows_last, rows_usual) = match &rhythm {
            Some(it) => (json!(it.rows_last), json!(it.rows_usual)),
            None => (cell(&counted, "rows_last"), cell(&counted, "rows_usual")),
        };
        let moved: Vec<String> =
            text(&counted, "moved_columns").map(|it| it.split(',').map(str::to_owned).collect()).unwrap_or_default();
        sources.push(json!({
            "source": it.source, "about_zh": it.about_zh, "about_en": it.about_en, "owner": it.owner, "shape": it.shape, "purpose": it.purpose,
            "retention_days": it.retention_days, "usual_delay_h": it.usual_delay_h,
            "column_n": it.column_n, "identity_n": it.identity_n,
            "rows_n": snapshot.as_ref().map(lake::Snapshot::rows),
            "updated_at": updated.and_then(|it| super::health::instant(it * 1000)),
            "fresh_to": cell(&counted, "fresh_to"), "rows_last": rows_last,
            "rows_usual": rows_usual, "late_share": cell(&counted, "late_share"), "psi": cell(&counted, "psi"),
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

const DAY_US: i64 = 86_400_000_000;
/// Days with deliveries from which on a source of states has a rhythm: no contract says how often a register is exported.
const DAYS_MIN: usize = 5;
/// So many gaps, and so many earlier deliveries, say what is usual.
const USUAL_N: usize = 8;
/// Days beside the longest of these gaps, as for events.
const LATE_DAYS: i64 = 2;
/// A register of a few rows has no usual volume.
const ROWS_MIN: i64 = 50;

/// How a source of states keeps to what it used to do.
#[derive(Debug, PartialEq, Eq)]
struct Rhythm {
    /// ok, late, low, or unrated: it came too few times to say.
    state: &'static str,
    /// Rows of the newest delivery, where each holds the whole register.
    rows_last: Option<i64>,
    /// Median of the deliveries before.
    rows_usual: Option<i64>,
}

/// Judges deliveries, oldest first, each with its instant and its rows, by their own gaps and volume.
fn rhythm(deliveries: &[(i64, i64)], is_full: bool, now_us: i64) -> Rhythm {
    // Of several files of a day the last one holds.
    let mut days: Vec<(i64, i64)> = Vec::new();
    for (at_us, rows) in deliveries {
        let day = at_us.div_euclid(DAY_US);
        match days.last_mut() {
            Some(last) if last.0 == day => last.1 = *rows,
            _ => days.push((day, *rows)),
        }
    }
    let unrated = Rhythm { state: "unrated", rows_last: None, rows_usual: None };
    let Some(((day, rows), before)) = days.split_last() else { return unrated };
    if days.len() < DAYS_MIN {
        return unrated;
    }
    let longest = days.windows(2).rev().take(USUAL_N).map(|it| it[1].0 - it[0].0).max().unwrap_or_default();
    let mut usual: Vec<i64> = before.iter().rev().take(USUAL_N).map(|it| it.1).collect();
    usual.sort_unstable();
    let usual = usual[usual.len() / 2];
    let state = if longest + LATE_DAYS < now_us.div_euclid(DAY_US) - day {
        "late"
    } else if is_full && ROWS_MIN <= usual && 2 * rows < usual {
        "low"
    } else {
        "ok"
    };
    Rhythm { state, rows_last: is_full.then_some(*rows), rows_usual: is_full.then_some(usual) }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn daily(days: std::ops::Range<i64>, rows: i64) -> Vec<(i64, i64)> {
        days.map(|it| (it * DAY_US + 7, rows)).collect()
    }

    #[test]
    fn a_register_that_stops_coming_is_late_by_its_own_gaps_and_one_that_never_had_a_rhythm_is_not_called_well() {
        let state = |deliveries: &[(i64, i64)], day: i64| rhythm(deliveries, true, day * DAY_US).state;
        assert_eq!(state(&[], 0), "unrated");
        assert_eq!(state(&daily(0..4, 900), 300), "unrated");
        let ten = daily(0..10, 900);
        assert_eq!((state(&ten, 12), state(&ten, 13)), ("ok", "late"));
        // One that comes every week is not late on its ninth day.
        let weekly: Vec<(i64, i64)> = (0..6).map(|it| (it * 7 * DAY_US, 900)).collect();
        assert_eq!((state(&weekly, 44), state(&weekly, 45)), ("ok", "late"));
    }

    #[test]
    fn half_a_register_is_low_and_changes_are_as_many_as_there_are() {
        let mut came = daily(0..10, 900);
        came.push((10 * DAY_US, 400));
        let low = Rhythm { state: "low", rows_last: Some(400), rows_usual: Some(900) };
        assert_eq!(rhythm(&came, true, 10 * DAY_US), low);
        assert_eq!(rhythm(&came, false, 10 * DAY_US), Rhythm { state: "ok", rows_last: None, rows_usual: None });
        // The whole one came later on the same day.
        came.push((10 * DAY_US + 7, 905));
        assert_eq!(rhythm(&came, true, 10 * DAY_US).state, "ok");
    }
}
