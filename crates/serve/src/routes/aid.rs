//! `GET /api/v1/aid`: whom aid is about (资助对象与候选): recipients, and candidates for hidden aid. The aid centre's page.

use axum::Json;
use serde_json::{Value, json};

use crate::access::Reader;
use crate::error::Problem;
use crate::rows::{self, cell, text};

const ROWS_MAX: usize = 5000;

pub(crate) async fn list(reader: Reader) -> Result<Json<Value>, Problem> {
    reader.require_page("aid")?;
    let session = reader.session().await?;
    let as_of_on = rows::newest(&session, "closed_aid_roll").await?;
    let found = match &as_of_on {
        Some(on) => {
            let sql = format!(
                "SELECT student_key, college_name, class, aid_level, recognised_on, paid_fen, hidden_fen, gap_fen, price_fell \
                 FROM closed_aid_roll WHERE as_of_on = $on \
                 ORDER BY gap_fen DESC NULLS LAST, price_fell DESC NULLS LAST, student_key LIMIT {ROWS_MAX}"
            );
            rows::rows(&session, &sql, vec![("on", rows::date(on)?)]).await?
        }
        None => Vec::new(),
    };
    reader.note("read", "aid".to_owned(), "ok", i64::try_from(found.len()).ok()).await?;
    let keys: Vec<i64> = found.iter().filter_map(|it| text(it, "student_key")?.parse().ok()).collect();
    // So that students read in their own log who looked.
    for key in &keys {
        reader.note_read(*key, "aid").await?;
    }
    let names = rows::names(&reader.state.parts, &session, &keys).await?;
    let shown = found.iter().map(|it| {
        let key = text(it, "student_key").and_then(|it| it.parse::<i64>().ok()).unwrap_or_default();
        let person = names.get(&key);
        json!({
            "student_key": cell(it, "student_key"), "name": person.and_then(|it| it.0.clone()),
            "college_name": cell(it, "college_name"), "class": cell(it, "class"), "aid_level": cell(it, "aid_level"),
            "recognised_on": cell(it, "recognised_on"), "paid_fen": cell(it, "paid_fen"), "hidden_fen": cell(it, "hidden_fen"),
            "gap_fen": cell(it, "gap_fen"), "price_fell": cell(it, "price_fell"),
        })
    });
    Ok(Json(json!({ "as_of_on": as_of_on, "rows": shown.collect::<Vec<_>>() })))
}
