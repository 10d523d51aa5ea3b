//! `GET /api/v1/students/{student_key}/record`: the timeline of one student, newest first.

use axum::Json;
use axum::extract::Path;
use serde::Deserialize;
use serde_json::{Value, json};

use super::portrait::word;
use super::students::limit;
use crate::access::Reader;
use crate::error::{Problem, Query};
use crate::rows::{self, Row, cell, text};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Filter {
    kind: Option<String>,
    /// device, system, staff or self: how far the entry can be trusted.
    trust: Option<String>,
    source: Option<String>,
    /// First and last day.
    since: Option<String>,
    until: Option<String>,
    /// `next` of the page before: how many entries were shown.
    before: Option<u32>,
    limit: Option<u16>,
}

pub(crate) async fn record(
    reader: Reader,
    Path(student_key): Path<String>,
    Query(filter): Query<Filter>,
) -> Result<Json<Value>, Problem> {
    let (session, key) = reader.student(&student_key).await?;
    let limit = usize::from(limit(filter.limit)?);
    let skipped = filter.before.unwrap_or(0) as usize;
    session.schema("record_student_event").await?;
    reader.note_read(key, "record").await?;
    let mut params = vec![("key", rows::key(key))];
    let kinds_sql = "SELECT kind, count(*) AS n FROM record_student_event WHERE student_key = $key GROUP BY kind ORDER BY kind";
    let kinds = rows::rows(&session, kinds_sql, params.clone()).await?;
    let mut wheres = String::new();
    for (name, column, value) in
        [("kind", "kind", &filter.kind), ("trust", "trust", &filter.trust), ("source", "source", &filter.source)]
    {
        if let Some(value) = value.as_ref().filter(|it| !it.is_empty()) {
            wheres += &format!(" AND {column} = ${name}");
            params.push((name, word(value)));
        }
    }
    for (name, comparison, value) in [("since", ">=", &filter.since), ("until", "<=", &filter.until)] {
        if let Some(value) = value.as_ref().filter(|it| !it.is_empty()) {
            wheres += &format!(" AND occurred_on {comparison} ${name}");
            params.push((name, rows::date(value)?));
        }
    }
    let sql = format!(
        "SELECT * FROM record_student_event WHERE student_key = $key{wheres} ORDER BY occurred_at DESC, event_id DESC LIMIT {} OFFSET {skipped}",
        limit + 1
    );
    let mut found = rows::rows(&session, &sql, params).await?;
    let has_more = limit < found.len();
    found.truncate(limit);
    Ok(Json(json!({
        "rows": found.iter().map(|it| entry(&reader, it)).collect::<Vec<_>>(),
        "next": has_more.then(|| (skipped + limit).to_string()),
        "kinds": kinds.iter().map(|it| json!({ "kind": cell(it, "kind"), "n": cell(it, "n") })).collect::<Vec<_>>(),
    })))
}

/// One entry as it is shown; its words stand in the table.
pub(crate) fn entry(reader: &Reader, it: &Row) -> Value {
    let word = |column: &str| text(it, column).unwrap_or_default();
    let on = text(it, "occurred_on").unwrap_or_default();
    // A register that knows the day only, or a role that may know no more, has the day's beginning: no time to show.
    let at = text(it, "occurred_at").filter(|it| *it != super::cockpit::day_start(reader, &on));
    json!({
        "event_id": cell(it, "event_id"), "occurred_at": at, "occurred_on": on,
        "kind": word("kind"), "title_zh": word("title_zh"), "title_en": word("title_en"),
        "detail_zh": word("detail_zh"), "detail_en": word("detail_en"), "is_milestone": it.get("is_milestone") == Some(&Value::Bool(true)),
        "source": cell(it, "source"), "trust": cell(it, "trust"),
        // What was corrected or taken back stays, and says so.
        "ended_as": cell(it, "ended_as"), "ended_on": cell(it, "superseded_on"),
    })
}
