//! `GET /api/v1/students/{student_key}/portrait`: what is known of one student as of a date, with evidence and coverage.

use axum::Json;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use datafusion::scalar::ScalarValue;
use serde::Deserialize;

use crate::access::Reader;
use crate::error::{Problem, Query};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Filter {
    pub(crate) as_of: Option<String>,
}

pub(crate) async fn portrait(
    reader: Reader,
    Path(student_key): Path<String>,
    Query(filter): Query<Filter>,
) -> Result<Response, Problem> {
    let (session, key) = reader.student(&student_key).await?;
    let portrait = crate::portrait::of_student(&reader.state.parts, &session, key, filter.as_of.as_deref()).await?;
    reader.note_read(key, "portrait").await?;
    Ok(Json(portrait).into_response())
}

/// A word as a parameter.
pub(crate) fn word(value: &str) -> ScalarValue {
    ScalarValue::from(value)
}
