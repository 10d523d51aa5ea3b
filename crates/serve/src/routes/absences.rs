//! `POST /api/v1/lists/{list}/checks`: somebody looked after a student whom a list of the night misses (一键核实).
//!
//! Tonight's list and the one that the night's run makes ask after the same people: an answer is of a student and a night,
//! whichever list it was given on, so nobody is asked twice. What was found is kept and leaves for the lake; a safety check is
//! offered where nobody was found and never opened here.

use axum::Json;
use axum::extract::Path;
use axum::extract::rejection::JsonRejection;
use casework::AbsenceResult;
use datafusion::scalar::ScalarValue;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use store::{AbsenceCheck, NewAbsenceCheck};

use super::health::instant;
use crate::access::Reader;
use crate::error::Problem;
use crate::rows;

/// The lists whose rows are answered: that of the night, and that of tonight.
const LISTS: [&str; 2] = ["unverified_absence", "out_tonight"];

/// Columns that answers add to the list: name, Chinese, English.
const COLUMNS: [(&str, &str, &str); 4] = [
    ("check_result", "核实结果", "Found"),
    ("checked_by", "核实人", "By"),
    ("checked_at", "核实时间", "At"),
    ("check_note", "说明", "Note"),
];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ask {
    student_key: String,
    night_on: String,
    result: String,
    #[serde(default)]
    note: Option<String>,
}

/// Says whether rows of a list are answered.
pub(crate) fn is_answered(list: &str) -> bool {
    LISTS.contains(&list)
}

pub(crate) async fn check(
    reader: Reader,
    Path(list): Path<String>,
    body: Result<Json<Ask>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    reader.require_page("lists")?;
    if !is_answered(&list) {
        return Err(Problem::not_found());
    }
    let Json(it) = body?;
    let result =
        AbsenceResult::from_code(&it.result).ok_or_else(|| Problem::unprocessable("请选择核实结果", "choose what was found"))?;
    let key: i64 = it.student_key.parse().map_err(|_| Problem::not_found())?;
    let session = reader.session().await?;
    let table = format!("list_{list}");
    // A role with other lists has no part in this one.
    let schema = session.schema(&table).await?;
    let mut params = vec![("key", rows::key(key)), ("night", rows::date(&it.night_on)?)];
    // Before a row holds nobody is missed. Whoever went to look is heard also where the gate has fallen silent since.
    let begun = if schema.field_with_name("from_at").is_ok() {
        params.push(("now", ScalarValue::TimestampMicrosecond(Some(reader.now_us()), Some("UTC".into()))));
        " AND from_at <= $now"
    } else {
        ""
    };
    // Only who stands on the list and in the reader's scope is answered for; whoever does not is nobody's guess.
    let sql = format!("SELECT student_key FROM {table} WHERE student_key = $key AND night_on = $night{begun} LIMIT 1");
    let listed = rows::rows(&session, &sql, params).await?;
    let resource = format!("student/{key}/absence/{}/{}", it.night_on, result.code());
    if listed.is_empty() {
        reader.note("check", resource, "refused", None).await?;
        return Err(Problem::not_found());
    }
    reader.note("check", resource, "asked", None).await?;
    let night_day = night_day(&it.night_on)?;
    let new = NewAbsenceCheck { student_key: key, night_day, result, note: it.note.as_deref() };
    let cases = reader.state.parts.store.cases();
    let is_new = cases.check_absence(&new, &reader.who()?, reader.now_us()).await?;
    let checks = cases.absence_checks(night_day).await?;
    let newest = checks.iter().find(|it| it.student_key == key).ok_or_else(Problem::not_found)?;
    let mut answer = cells(&reader, newest);
    answer.insert("student_key".to_owned(), json!(key.to_string()));
    answer.insert("night_on".to_owned(), json!(it.night_on));
    answer.insert("is_new".to_owned(), json!(is_new));
    answer.insert("n_answers".to_owned(), json!(newest.n_answers));
    answer.insert("offers_check".to_owned(), json!(result.offers_check()));
    Ok(Json(Value::Object(answer)))
}

/// A night as the store counts days.
pub(crate) fn night_day(night_on: &str) -> Result<i64, Problem> {
    let date: chrono::NaiveDate =
        night_on.parse().map_err(|_| Problem::bad_request("日期应写作 2025-12-12 / a date is written 2025-12-12"))?;
    Ok(i64::from(schema::time::date_days(date)))
}

/// What was answered about each student of a night.
pub(crate) async fn answers(reader: &Reader, night_on: &str) -> Result<Vec<AbsenceCheck>, Problem> {
    Ok(reader.state.parts.store.cases().absence_checks(night_day(night_on)?).await?)
}

/// Heads of the columns that answers add.
pub(crate) fn columns(reader: &Reader) -> Vec<Value> {
    let shown = COLUMNS.iter().filter(|it| it.0 != "check_note" || reads_notes(reader));
    shown.map(|(name, zh, en)| json!({ "column": name, "title_zh": zh, "title_en": en })).collect()
}

/// The cells that an answer adds to a row.
pub(crate) fn cells(reader: &Reader, it: &AbsenceCheck) -> Map<String, Value> {
    let mut cells = Map::new();
    cells.insert("check_result".to_owned(), json!(it.result.code()));
    cells.insert("checked_by".to_owned(), json!(it.actor));
    cells.insert("checked_at".to_owned(), json!(instant(it.at_us)));
    if reads_notes(reader) {
        cells.insert("check_note".to_owned(), json!(it.note));
    }
    cells
}

/// What may be answered, in the order of the buttons.
pub(crate) fn choices() -> Vec<Value> {
    let choice = |it: &AbsenceResult| {
        let text = it.text();
        json!({ "code": it.code(), "title_zh": text.zh, "title_en": text.en })
    };
    AbsenceResult::ALL.iter().map(choice).collect()
}

/// A keeper writes what there is to say and does not read what a counselor wrote.
fn reads_notes(reader: &Reader) -> bool {
    reader.grant.role != "dorm_keeper"
}
