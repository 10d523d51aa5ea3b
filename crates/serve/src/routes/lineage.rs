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
    // A figure asked for on a Thursday is that of the Monday before, and so are its rows.
    let row_on = text(&row, "as_of_on").unwrap_or(as_of_on);
    let row_day = rows::day(&row_on)?;
    let window = schema::Span::parse(&words.window).map_or(0, schema::Span::days);
    let mut tables = Vec::new();
    for name in upstream(&reader, &words.source) {
        let Some(it) = parts.catalog.tables.iter().find(|it| it.table == name) else { continue };
        let snapshot = parts.lake.snapshot(&name).await?;
        let has = |column: &str| it.schema.field_with_name(column).is_ok();
        let filter = name.starts_with("stg_").then(|| condition(key, row_day, window, has)).flatten();
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

/// The condition under which whoever may read a table of staging finds again the rows that a figure had before it: of the person,
/// within the window, known when the date began and not superseded by then. Copies of a row are not in staging, and `file_no`
/// and `row_no` lead from each row to the raw one. When the date began says the campus's own clock, by `day_start`.
fn condition(key: i64, as_of_on: i32, window_days: i64, has: impl Fn(&str) -> bool) -> Option<String> {
    let date = |day: i32| schema::time::days_date(day).map(|it| format!("DATE '{it}'"));
    let on = date(as_of_on)?;
    let mut parts = vec![has("student_key").then(|| format!("student_key = {key}"))?];
    if has("occurred_on") {
        let first = i32::try_from(window_days).ok().filter(|it| 0 < *it).and_then(|it| date(as_of_on - it));
        parts.extend(first.map(|it| format!("occurred_on >= {it}")));
        parts.push(format!("occurred_on < {on}"));
    }
    if has("known_at") {
        parts.push(format!("known_at <= day_start({on})"));
    }
    if has("superseded_at") {
        parts.push(format!("(superseded_at IS NULL OR superseded_at > day_start({on}))"));
    }
    Some(parts.join(" AND "))
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

#[cfg(test)]
mod tests {
    use schema::Span;

    use super::condition;

    #[test]
    fn rows_are_those_of_the_window_known_when_the_date_began_and_not_superseded_by_then() {
        let of = |window: &str, columns: &[&str]| {
            // 2025-10-27, a Monday.
            condition(7, 20_388, Span::parse(window).map_or(0, Span::days), |it| columns.contains(&it))
        };
        let known = "known_at <= day_start(DATE '2025-10-27')";
        let held = "(superseded_at IS NULL OR superseded_at > day_start(DATE '2025-10-27'))";
        let event = ["student_key", "occurred_on", "known_at"];
        let days = |first: &str| {
            format!("student_key = 7 AND occurred_on >= DATE '{first}' AND occurred_on < DATE '2025-10-27' AND {known}")
        };
        assert_eq!(of("28d", &event), Some(days("2025-09-29")));
        assert_eq!(of("1y", &event), Some(days("2024-10-27")));
        assert_eq!(of("3y", &event), Some(days("2022-10-28")));
        // Without a window everything before the date counts, and nothing of the date itself.
        assert_eq!(of("", &event), Some(format!("student_key = 7 AND occurred_on < DATE '2025-10-27' AND {known}")));
        // A state has versions and no day.
        let state = ["student_key", "known_at", "superseded_at"];
        assert_eq!(of("5y", &state), Some(format!("student_key = 7 AND {known} AND {held}")));
        assert_eq!(of("28d", &["device_id", "occurred_on", "known_at"]), None, "nobody's rows");
    }
}
