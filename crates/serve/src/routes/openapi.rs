//! `GET /api/openapi.json`: the description of the API, a committed file that a test compares with the routes.

use axum::http::header;
use axum::response::{IntoResponse, Response};

/// The committed document.
pub(crate) const DOCUMENT: &str = include_str!("../../openapi.json");

pub(crate) async fn document() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT).into_response()
}
