//! `GET /api/v1/students/{student_key}/lineage/{measure}`: how one figure came about, down to the rows it was made of.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::Path;
use policy::{LookedUp, Session};
use serde_json::{Value, json};

use super::portrait::Filter;
use crate::access::Reader;
use crate::error::{Problem, Query};
use crate::rows::{self, Row, cell, text};

pub(crate) async fn lineage(
    reader: Reader,
    Path((student_key, measure)): Path<(String, String)>,
    Query(filter): Query<Filter>,
) -> Result<Json<Value>, Problem> {
    let (session, key) = reader.student(&student_key).await?;
    let parts = &reader.state.parts;
    let words = parts.catalog.measures.iter().find(|it| it.measure == measure).ok_or_else(Problem::not_found)?;
    let table = if words.is_closed { "closed_measure" } else { "feat_measure" };
    session.schema(table).await?;
    let newest = crate::portrait::newest(&session).await?;
    let as_of_on = filter.as_of.unwrap_or(newest);
    let row = match near(&session, table, key, &measure, rows::day(&as_of_on)?).await? {
        Some(row) => row,
        None => {
            let on = rows::date(&as_of_on)?;
            let sql = format!(
                "SELECT * FROM {table} WHERE as_of_on <= $on AND student_key = $key AND measure = $measure \
                 ORDER BY as_of_on DESC LIMIT 1"
            );
            let params = vec![("on", on), ("key", rows::key(key)), ("measure", super::portrait::word(&measure))];
            rows::rows(&session, &sql, params).await?.into_iter().next().ok_or_else(Problem::not_found)?
        }
    };
    reader.note_read(key, "lineage").await?;
    let window: i64 = words.window.trim_end_matches('d').parse().unwrap_or(0);
    let mut tables = Vec::new();
    for name in upstream(&reader, &words.source) {
        let Some(it) = parts.catalog.tables.iter().find(|it| it.table == name) else { continue };
        let snapshot = parts.lake.snapshot(&name).await?;
        let has = |column: &str| it.schema.field_with_name(column).is_ok();
        // The condition under which exactly the rows behind the figure are found again by whoever may read the table.
        let filter = (it.kind == "raw" && has("student_key")).then(|| {
            let days = if has("occurred_on") && 0 < window {
                format!(" AND occurred_on >= DATE '{as_of_on}' - INTERVAL '{window}' DAY AND occurred_on < DATE '{as_of_on}'")
            } else {
                String::new()
            };
            format!("student_key = {key}{days} AND known_at <= '{as_of_on} 04:00'")
        });
        tables.push(json!({
            "table": name, "kind": it.kind, "about_zh": it.about_zh, "about_en": it.about_en, "owner": it.owner, "inputs": it.inputs,
            "version": snapshot.as_ref().map(|it| it.version), "filter": filter,
        }));
    }
    Ok(Json(json!({
        "student_key": student_key, "measure": words.measure, "title_zh": words.title_zh, "title_en": words.title_en,
        "about_zh": words.about_zh, "about_en": words.about_en, "unit": words.unit, "as_of_on": cell(&row, "as_of_on"), "window": words.window,
        "value": cell(&row, "value"), "n": cell(&row, "n"), "cov": cell(&row, "cov"),
        "n_min": words.n_min, "cov_min": words.cov_min,
        "path": words.path, "sql": words.sql, "tables": tables,
    })))
}

/// The newest row of a measure within the week that ends with a date, without a plan: a Monday is always among its days.
async fn near(session: &Session, table: &str, key: i64, measure: &str, on: i32) -> Result<Option<Row>, Problem> {
    let days: Vec<i32> = (on - 6..=on).collect();
    let [found] = rows::look_up(session, key, [LookedUp { table, columns: &[], days: &days }]).await?;
    let its = rows::of_batch(found.as_ref())?.into_iter().filter(|it| text(it, "measure").as_deref() == Some(measure));
    Ok(its.max_by_key(|it| text(it, "as_of_on")))
}

/// The tables below some tables, they themselves first, each once.
fn upstream(reader: &Reader, from: &[String]) -> Vec<String> {
    let tables = &reader.state.parts.catalog.tables;
    let mut open: Vec<String> = from.iter().rev().cloned().collect();
    let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
    while let Some(name) = open.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        if let Some(it) = tables.iter().find(|it| it.table == name) {
            // dup_ tables say which rows are superseded; they add no source.
            open.extend(it.inputs.iter().rev().filter(|it| !it.starts_with("dup_")).cloned());
        }
        found.push(name);
    }
    found
}
