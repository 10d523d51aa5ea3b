//! `GET /api/v1/students`: the students of the reader's scope, one page at a time.

use axum::Json;
use datafusion::scalar::ScalarValue;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::access::Reader;
use crate::error::{Problem, Query};
use crate::rows::{self, Row, cell, text};

const LIMIT_DEFAULT: u16 = 50;
const LIMIT_MAX: u16 = 500;
/// Names found by a search; more are no help to anybody.
const FOUND_MAX: usize = 500;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Filter {
    query: Option<String>,
    college: Option<String>,
    building: Option<String>,
    /// `next` of the page before.
    after: Option<String>,
    limit: Option<u16>,
}

pub(crate) async fn list(reader: Reader, Query(filter): Query<Filter>) -> Result<Json<Value>, Problem> {
    reader.require_page("students")?;
    let session = reader.session().await?;
    let limit = limit(filter.limit)?;
    let as_of_on = rows::newest(&session, "dim_student").await?.ok_or_else(Problem::not_ready)?;
    let after: i64 = match &filter.after {
        Some(text) => {
            text.parse().map_err(|_| Problem::bad_request("after 是上一页的 next / after is the next of the page before"))?
        }
        None => 0,
    };
    let mut wheres = vec!["as_of_on = $on".to_owned()];
    let mut params = vec![("on", rows::date(&as_of_on)?)];
    for (name, column, value) in [("college", "college", &filter.college), ("building", "building_name", &filter.building)] {
        if let Some(value) = value.as_ref().filter(|it| !it.is_empty()) {
            wheres.push(format!("{column} = ${name}"));
            params.push((name, ScalarValue::from(value.as_str())));
        }
    }
    if let Some(query) = filter.query.as_deref().map(str::trim).filter(|it| !it.is_empty()) {
        // Names are searched in the vault; only those whom the session may name are kept.
        let found = reader.state.parts.store.vault().search_names(schema::PersonKind::Student, query, FOUND_MAX).await?;
        let keys: Vec<String> = found.into_iter().filter(|it| session.may_name(*it)).map(|it| it.to_string()).collect();
        let by_name = if keys.is_empty() { "FALSE".to_owned() } else { format!("student_key IN ({})", keys.join(", ")) };
        wheres.push(format!("({by_name} OR contains(class, $query) OR contains(major, $query) OR room_id = $query)"));
        params.push(("query", ScalarValue::from(query)));
    }
    let condition = wheres.join(" AND ");
    let total = rows::rows(&session, &format!("SELECT count(*) AS n FROM dim_student WHERE {condition}"), params.clone()).await?;
    let sql =
        format!("SELECT * FROM dim_student WHERE {condition} AND student_key > $after ORDER BY student_key LIMIT {}", limit + 1);
    params.push(("after", rows::key(after)));
    let mut found = rows::rows(&session, &sql, params).await?;
    let has_more = usize::from(limit) < found.len();
    found.truncate(usize::from(limit));
    let next = if has_more { found.last().and_then(|it| text(it, "student_key")) } else { None };
    let keys: Vec<i64> = found.iter().filter_map(|it| text(it, "student_key")?.parse().ok()).collect();
    let names = rows::names(&reader.state.parts, &session, &keys).await?;
    let care = care(&session, &as_of_on).await?;
    let shown: Vec<Value> = found
        .iter()
        .map(|it| {
            let key: i64 = text(it, "student_key").and_then(|it| it.parse().ok()).unwrap_or_default();
            let named = names.get(&key).cloned().unwrap_or_default();
            head(it, named, care.iter().filter(|it| **it == key).count())
        })
        .collect();
    Ok(Json(json!({ "rows": shown, "next": next, "total_n": total.first().map_or(Value::Null, |it| cell(it, "n")) })))
}

/// Students with a care offer on the date, one entry an offer; empty for a role that reads no offers.
async fn care(session: &policy::Session, as_of_on: &str) -> Result<Vec<i64>, Problem> {
    if session.schema("warning_student").await.is_err() {
        return Ok(Vec::new());
    }
    let sql = "SELECT student_key FROM warning_student WHERE as_of_on = $on AND severity IS NOT NULL";
    let found = rows::rows(session, sql, vec![("on", rows::date(as_of_on)?)]).await?;
    Ok(found.iter().filter_map(|it| text(it, "student_key")?.parse().ok()).collect())
}

/// Columns that [`head`] reads, as far as the campus has them.
pub(crate) const HEAD: [&str; 12] = [
    "student_key",
    "college",
    "college_name",
    "major",
    "class",
    "grade",
    "building_name",
    "room_id",
    "boarder",
    "status",
    "study_stage",
    "campus",
];

/// A student as lists and portraits head them.
pub(crate) fn head(it: &Row, named: (Option<String>, Option<String>), care_n: usize) -> Value {
    json!({
        "student_key": cell(it, "student_key"), "name": named.0, "student_id": named.1,
        "college": cell(it, "college"), "college_name": text(it, "college_name").or_else(|| text(it, "college")),
        "major": cell(it, "major"), "class": cell(it, "class"), "grade": cell(it, "grade"),
        "building": cell(it, "building_name"), "room": cell(it, "room_id"), "boarder": cell(it, "boarder"), "care_n": care_n,
        "status": cell(it, "status"), "study_stage": cell(it, "study_stage"), "campus": cell(it, "campus"),
    })
}

/// A page's length within bounds.
pub(crate) fn limit(asked: Option<u16>) -> Result<u16, Problem> {
    let limit = asked.unwrap_or(LIMIT_DEFAULT);
    if limit == 0 || LIMIT_MAX < limit {
        return Err(Problem::bad_request(format!("limit 应在 1 到 {LIMIT_MAX} 之间 / limit must be 1 to {LIMIT_MAX}")));
    }
    Ok(limit)
}
