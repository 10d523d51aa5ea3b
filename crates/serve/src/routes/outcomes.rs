//! `GET /api/v1/cases/outcomes`: what came of offers of the data in ninety days (近90天), suppressed when it was built.

use axum::Json;
use serde_json::{Value, json};

use crate::access::Reader;
use crate::error::Problem;
use crate::rows::{self, cell};

pub(crate) async fn outcomes(reader: Reader) -> Result<Json<Value>, Problem> {
    reader.require_page("care")?;
    let session = reader.session().await?;
    let newest = rows::newest(&session, "cockpit_case_outcome").await?;
    let row = match &newest {
        Some(on) => {
            let sql = "SELECT * FROM cockpit_case_outcome WHERE as_of_on = $on AND scope = 'university'";
            rows::rows(&session, sql, vec![("on", rows::date(on)?)]).await?.into_iter().next()
        }
        None => None,
    };
    // A row that is not there is one with fewer than ten cases: then nothing of it is told.
    let outcome = row.map(|it| {
        json!({
            "closed_n": cell(&it, "closed_n"), "acted_on_n": cell(&it, "acted_on_n"),
            "no_support_needed_n": cell(&it, "no_support_needed_n"), "excluded_n": cell(&it, "excluded_n"),
            "not_reachable_n": cell(&it, "not_reachable_n"), "no_support_needed_share": cell(&it, "no_support_needed_share"),
        })
    });
    Ok(Json(json!({ "as_of_on": newest, "outcome": outcome })))
}
