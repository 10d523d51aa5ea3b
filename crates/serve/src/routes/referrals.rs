//! `GET /api/v1/referrals`: who was referred to the university hospital, and the text of the referral (校医院). Nothing else
//! of the case: not its kind, not how grave it is, not who else works on it.

use axum::Json;
use serde_json::{Value, json};

use super::cases::shown;
use super::health::instant;
use crate::access::Reader;
use crate::error::Problem;

pub(crate) async fn list(reader: Reader) -> Result<Json<Value>, Problem> {
    reader.require_page("referrals")?;
    let found = reader.state.parts.store.cases().referrals(&reader.who()?).await?;
    reader.note("read", "referrals".to_owned(), "ok", i64::try_from(found.len()).ok()).await?;
    for it in &found {
        reader.note_read(it.student_key, "referral").await?;
    }
    let students = shown::students(&reader, found.iter().map(|it| it.student_key)).await;
    let rows = found.iter().map(|it| {
        let (by, student) = (it.role.text(), students.get(it.student_key));
        json!({
            "student_key": it.student_key.to_string(), "name": student["name"], "class": student["class"],
            "college_name": student["college_name"], "referred_at": instant(it.at_us), "by_zh": by.zh, "by_en": by.en,
            "text": it.text,
        })
    });
    Ok(Json(json!({ "rows": rows.collect::<Vec<_>>() })))
}
