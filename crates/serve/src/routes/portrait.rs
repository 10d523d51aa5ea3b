//! `GET /api/v1/students/{student_key}/portrait`: what is known of one student as of a date, with evidence and coverage.

use axum::Json;
use axum::extract::Path;
use datafusion::scalar::ScalarValue;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{students, warnings};
use crate::access::Reader;
use crate::error::{Problem, Query};
use crate::rows::{self, cell, number, text};

/// Dimensions whose sources are not connected yet.
const MISSING: [&str; 5] = ["ideology_participation", "academic", "social", "wellbeing", "practice"];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Filter {
    as_of: Option<String>,
}

pub(crate) async fn portrait(
    reader: Reader,
    Path(student_key): Path<String>,
    Query(filter): Query<Filter>,
) -> Result<Json<Value>, Problem> {
    let (session, key) = reader.student(&student_key).await?;
    let newest = rows::newest(&session, "portrait_student").await?.ok_or_else(Problem::not_ready)?;
    let as_of_on = filter.as_of.unwrap_or(newest);
    let who = |on: &str| Ok::<_, Problem>(vec![("on", rows::date(on)?), ("key", rows::key(key))]);
    let found =
        rows::rows(&session, "SELECT * FROM portrait_student WHERE as_of_on = $on AND student_key = $key", who(&as_of_on)?)
            .await?;
    let person = found.first().ok_or_else(Problem::not_found)?;
    reader.note_read(key, "portrait").await?;
    let measured = rows::rows(
        &session,
        "SELECT measure, as_of_on, value, n, cov, z_self, z_peer FROM feat_measure WHERE student_key = $key AND as_of_on <= $on ORDER BY as_of_on",
        who(&as_of_on)?,
    )
    .await?;
    let mut dimensions: Vec<(String, Vec<Value>)> = Vec::new();
    for words in &reader.state.parts.catalog.measures {
        let own: Vec<&rows::Row> = measured.iter().filter(|it| text(it, "measure").as_deref() == Some(&words.measure)).collect();
        let now = own.iter().find(|it| text(it, "as_of_on").as_deref() == Some(&as_of_on));
        let value = now.and_then(|it| number(it, "value"));
        let at = |column: &str| now.map_or(Value::Null, |it| cell(it, column));
        // Mondays make the line; other days come and go with the last two weeks.
        let history: Vec<Value> = own
            .iter()
            .filter(|it| text(it, "as_of_on").is_some_and(|it| is_monday(&it) || it == as_of_on))
            .map(|it| json!({ "as_of_on": cell(it, "as_of_on"), "value": cell(it, "value") }))
            .collect();
        let measure = json!({
            "measure": words.measure, "title_zh": words.title_zh, "title_en": words.title_en, "about": words.about, "unit": words.unit,
            "value": value, "n": at("n"), "cov": at("cov"), "z_self": at("z_self"), "z_peer": at("z_peer"),
            "status": if value.is_some() { "ok" } else { "insufficient" },
            "window": words.window, "history": history, "source": words.source,
        });
        match dimensions.iter_mut().find(|it| it.0 == words.dimension) {
            Some((_, measures)) => measures.push(measure),
            None => dimensions.push((words.dimension.clone(), vec![measure])),
        }
    }
    let named = rows::names(&reader.state, &session, &[key]).await?.remove(&key).unwrap_or_default();
    let is_student = reader.grant.role == "student";
    let notices = warnings::of_student(&reader, &session, key, &as_of_on).await?;
    let known_n = number(person, "known_n").unwrap_or_default();
    Ok(Json(json!({
        "student_key": student_key,
        "as_of_on": as_of_on,
        "head": students::head(person, named, notices.len()),
        "coverage": { "measures_n": reader.state.parts.catalog.measures.len(), "known_n": known_n, "sources": sources(&reader).await? },
        "dimensions": dimensions.into_iter().map(|(dimension, measures)| json!({ "dimension": dimension, "measures": measures })).collect::<Vec<_>>(),
        "notices": notices,
        "missing_dimensions": MISSING,
        "self_note": is_student.then_some("这些数据来自校园卡、门禁、请假和工单；只用于关心与服务，不用于评优或处分。如有不符，请联系辅导员更正。"),
    })))
}

/// How fresh each source of events is: a figure about devices, not about the student.
async fn sources(reader: &Reader) -> Result<Vec<Value>, Problem> {
    let mut sources = Vec::new();
    for (source, table) in [("card_txn", "raw_card_txn"), ("gate_event", "raw_gate_event"), ("ticket_event", "raw_ticket_event")]
    {
        if let Some(snapshot) = reader.state.parts.lake.snapshot(table).await? {
            let newest = snapshot.files.iter().filter_map(|it| it.partition).max();
            sources.push(json!({ "source": source, "fresh_to": newest.and_then(schema::time::days_date).map(|it| it.to_string()), "cov": null }));
        }
    }
    Ok(sources)
}

fn is_monday(date: &str) -> bool {
    date.parse::<chrono::NaiveDate>().is_ok_and(|it| chrono::Datelike::weekday(&it) == chrono::Weekday::Mon)
}

/// A word as a parameter.
pub(crate) fn word(value: &str) -> ScalarValue {
    ScalarValue::from(value)
}
