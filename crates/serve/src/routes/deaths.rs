//! `/api/v1/deaths`: that a student has died (学生离世). Who may enter it is named in the settings, two look from then on.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use schema::PersonKind;
use serde::Deserialize;
use serde_json::{Value, json};
use store::NewDeath;

use super::cases::{self, shown};
use super::health::instant;
use crate::access::Reader;
use crate::error::Problem;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Death {
    student_no: String,
    died_on: String,
    reader_1: String,
    reader_2: String,
}

pub(crate) async fn list(reader: Reader) -> Result<Json<Value>, Problem> {
    reader.require_page("death")?;
    Ok(Json(named(&reader).await?))
}

pub(crate) async fn enter(reader: Reader, body: Result<Json<Death>, JsonRejection>) -> Result<Json<Value>, Problem> {
    reader.require_page("death")?;
    let Json(it) = body?;
    let found = reader.state.parts.store.vault().find(PersonKind::Student, it.student_no.trim());
    let student_key = found.ok_or_else(|| Problem::unprocessable("没有这个学号", "no student has this number"))?;
    let readers = [it.reader_1.trim().to_owned(), it.reader_2.trim().to_owned()];
    for account in &readers {
        cases::expect_account(&reader, account).await?;
    }
    let died_day = cases::day(&it.died_on)?;
    reader.note("death", format!("student/{student_key}"), "asked", None).await?;
    let death = NewDeath { student_key, died_day, readers };
    let store = reader.state.parts.store.cases();
    store.die(&death, &reader.who()?, reader.may_enter_death(), &reader.rules(), reader.now_us()).await?;
    Ok(Json(named(&reader).await?))
}

/// Deaths that the reader is named to look at. The name comes from the vault, as the last thing that is shown.
async fn named(reader: &Reader) -> Result<Value, Problem> {
    let store = &reader.state.parts.store;
    let found = store.cases().deaths_for(&reader.account.account).await?;
    reader.note("read", "deaths".to_owned(), "ok", i64::try_from(found.len()).ok()).await?;
    let keys: Vec<i64> = found.iter().map(|it| it.student_key).collect();
    let names = store.vault().identities(PersonKind::Student, &keys, &["name"]).await?;
    let rows = found.iter().map(|it| {
        let name = names.get(&it.student_key).and_then(|it| it.get("name"));
        json!({
            "student_key": it.student_key.to_string(), "name": name, "died_on": shown::day(Some(it.died_day)),
            "entered_by": it.entered_by, "entered_at": instant(it.at_us), "is_care_planned": it.planned_us.is_some(),
        })
    });
    Ok(json!({ "rows": rows.collect::<Vec<_>>() }))
}
