//! `GET /api/v1/students/{student_key}/archive`: a whole study at a glance (成长档案), for the screen and the album.
//!
//! And `…/export`: the student's own data in one file, for the student alone.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use policy::Session;
use serde_json::{Value, json};

use super::record::entry;
use super::students;
use crate::access::Reader;
use crate::error::Problem;
use crate::rows::{self, cell, text};

/// Entries of one export; a study of eight years has fewer.
const EXPORT_ROWS_MAX: usize = 20_000;

pub(crate) async fn archive(reader: Reader, Path(student_key): Path<String>) -> Result<Json<Value>, Problem> {
    let (session, key) = reader.student(&student_key).await?;
    let archive = of_student(&reader, &session, key).await?;
    reader.note_read(key, "archive").await?;
    Ok(Json(archive))
}

async fn of_student(reader: &Reader, session: &Session, key: i64) -> Result<Value, Problem> {
    let parts = &reader.state.parts;
    let newest = crate::portrait::newest(session).await?;
    let who = || vec![("key", rows::key(key))];
    let on = rows::date(&newest)?;
    let keys = [key];
    let (person, years, milestones, mut named) = tokio::try_join!(
        rows::rows(
            session,
            "SELECT * FROM portrait_student WHERE as_of_on = $on AND student_key = $key",
            vec![("on", on), ("key", rows::key(key))]
        ),
        rows::rows(
            session,
            "SELECT academic_year, item, value, n FROM record_student_year WHERE student_key = $key ORDER BY academic_year, item",
            who()
        ),
        rows::rows(
            session,
            "SELECT * FROM record_student_event WHERE student_key = $key AND is_milestone AND superseded_on IS NULL ORDER BY occurred_at, event_id",
            who()
        ),
        rows::names(parts, session, &keys),
    )?;
    let person = person.first().ok_or_else(Problem::not_found)?;
    let mut by_year: BTreeMap<String, (Vec<Value>, Vec<Value>)> = BTreeMap::new();
    for it in &years {
        let item = json!({ "item": cell(it, "item"), "value": cell(it, "value"), "n": cell(it, "n") });
        by_year.entry(text(it, "academic_year").unwrap_or_default()).or_default().0.push(item);
    }
    for it in &milestones {
        by_year.entry(text(it, "academic_year").unwrap_or_default()).or_default().1.push(entry(reader, it));
    }
    let years: Vec<Value> = by_year
        .into_iter()
        .map(|(year, (items, milestones))| json!({ "academic_year": year, "items": items, "milestones": milestones }))
        .collect();
    Ok(json!({
        "student_key": key.to_string(), "as_of_on": newest,
        "head": students::head(person, named.remove(&key).unwrap_or_default(), 0),
        "years": years,
    }))
}

/// Everything that the platform holds of the student behind the account, as one JSON file.
pub(crate) async fn export(reader: Reader, Path(student_key): Path<String>) -> Result<Response, Problem> {
    reader.require_page("me")?;
    let (session, key) = reader.student(&student_key).await?;
    let parts = &reader.state.parts;
    let sql = format!(
        "SELECT * FROM record_student_event WHERE student_key = $key ORDER BY occurred_at, event_id LIMIT {EXPORT_ROWS_MAX}"
    );
    let record = rows::rows(&session, &sql, vec![("key", rows::key(key))]).await?;
    let body = json!({
        "about": "本人数据副本 / a copy of your own data",
        "portrait": crate::portrait::of_student(parts, &session, key, None).await?,
        "archive": of_student(&reader, &session, key).await?,
        "record": record.iter().map(|it| entry(&reader, it)).collect::<Vec<_>>(),
    });
    reader.note_read(key, "export").await?;
    let name = format!("attachment; filename=\"yizhan-{}.json\"", body["portrait"]["as_of_on"].as_str().unwrap_or("data"));
    Ok(([(header::CONTENT_DISPOSITION, name)], Json(body)).into_response())
}
