//! Rows of a session as JSON: the one place where Arrow becomes text.

use std::collections::HashMap;

use arrow::array::RecordBatch;
use arrow::json::ArrayWriter;
use policy::{LookedUp, Session};
use schema::PersonKind;
use serde_json::{Map, Value};

use crate::error::Problem;
use crate::state::Reading;

pub(crate) type Row = Map<String, Value>;

/// Runs a query of ours with a reader's values as parameters, and returns the rows.
pub(crate) async fn rows(
    session: &Session,
    sql: &str,
    params: Vec<(&str, datafusion::scalar::ScalarValue)>,
) -> Result<Vec<Row>, Problem> {
    let params: HashMap<String, datafusion::common::metadata::ScalarAndMetadata> =
        params.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    let mut answer = session.sql_with(sql, datafusion::common::ParamValues::Map(params)).await?;
    of_batches(&answer.collect().await?)
}

/// Rows of batches, with keys as texts.
fn of_batches(batches: &[RecordBatch]) -> Result<Vec<Row>, Problem> {
    let mut bytes = Vec::new();
    let mut writer = ArrayWriter::new(&mut bytes);
    let batches: Vec<_> = batches.iter().collect();
    writer.write_batches(&batches).and_then(|()| writer.finish()).map_err(|error| {
        tracing::error!(?error, "rows could not be written as JSON");
        Problem::not_ready()
    })?;
    let mut rows: Vec<Row> = serde_json::from_slice(&bytes).unwrap_or_default();
    for row in &mut rows {
        // Keys have 15 digits: exact as numbers, but strings keep clients from computing with them.
        for key in ["student_key", "counselor_key"] {
            if let Some(Value::Number(number)) = row.get(key) {
                let text = Value::String(number.to_string());
                row.insert(key.to_owned(), text);
            }
        }
    }
    Ok(rows)
}

/// Rows of one student from several tables; `None` for a table that does not exist for the session.
pub(crate) async fn look_up<const N: usize>(
    session: &Session,
    student_key: i64,
    wanted: [LookedUp<'_>; N],
) -> Result<[Option<RecordBatch>; N], Problem> {
    let mut found = session.look_up(student_key, &wanted).await?.into_iter();
    Ok(std::array::from_fn(|_| found.next().flatten()))
}

/// Rows of a table that may not exist for the session.
pub(crate) fn of_batch(batch: Option<&RecordBatch>) -> Result<Vec<Row>, Problem> {
    batch.map_or(Ok(Vec::new()), |it| of_batches(std::slice::from_ref(it)))
}

/// The newest as-of date of a table that the session sees, from the log alone; `None` before the first build.
pub(crate) async fn newest(session: &Session, table: &str) -> Result<Option<String>, Problem> {
    let newest = session.newest_partition(table).await?;
    Ok(newest.and_then(schema::time::days_date).map(|it| it.to_string()))
}

/// The newest date of a table that a role reads. A list may be empty on a day; the tables asked here never are.
pub(crate) async fn built_on(session: &Session) -> Result<String, Problem> {
    for table in ["cockpit_data", "portrait_student", "feat_measure", "dim_student"] {
        // A role is asked only for what it reads.
        if session.schema(table).await.is_ok()
            && let Some(date) = newest(session, table).await?
        {
            return Ok(date);
        }
    }
    Err(Problem::not_ready())
}

/// A text cell.
pub(crate) fn text(row: &Row, column: &str) -> Option<String> {
    match row.get(column)? {
        Value::String(text) => Some(text.clone()),
        Value::Null => None,
        other => Some(other.to_string()),
    }
}

/// A number cell.
pub(crate) fn number(row: &Row, column: &str) -> Option<f64> {
    match row.get(column)? {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// A cell as it is, NULL where it is missing: arrow leaves NULL cells out of a row.
pub(crate) fn cell(row: &Row, column: &str) -> Value {
    row.get(column).cloned().unwrap_or(Value::Null)
}

/// A date as days since 1970.
pub(crate) fn day(text: &str) -> Result<i32, Problem> {
    let date = text.parse().map_err(|_| Problem::bad_request("日期应写作 2025-12-12 / a date is written 2025-12-12"))?;
    Ok(schema::time::date_days(date))
}

/// A date as a parameter.
pub(crate) fn date(text: &str) -> Result<datafusion::scalar::ScalarValue, Problem> {
    Ok(datafusion::scalar::ScalarValue::Date32(Some(day(text)?)))
}

/// A key as a parameter.
pub(crate) fn key(value: i64) -> datafusion::scalar::ScalarValue {
    datafusion::scalar::ScalarValue::Int64(Some(value))
}

/// Names and masked numbers of students, as far as the session may name them.
pub(crate) async fn names(
    parts: &Reading,
    session: &Session,
    keys: &[i64],
) -> Result<HashMap<i64, (Option<String>, Option<String>)>, Problem> {
    let allowed: Vec<i64> = keys.iter().copied().filter(|it| session.may_name(*it)).collect();
    let vault = parts.store.vault();
    let known = vault.identities(PersonKind::Student, &allowed, &["name"]).await?;
    let mut named = HashMap::new();
    for key in allowed {
        let name = known.get(&key).and_then(|it| it.get("name").cloned());
        let number = vault.number_of(PersonKind::Student, key).await?.map(|it| masked(&it));
        named.insert(key, (name, number));
    }
    Ok(named)
}

/// `2023000123` as `2023****23`.
fn masked(number: &str) -> String {
    let characters: Vec<char> = number.chars().collect();
    if characters.len() < 7 {
        return "****".to_owned();
    }
    let (head, tail) = (&characters[..4], &characters[characters.len() - 2..]);
    format!("{}****{}", head.iter().collect::<String>(), tail.iter().collect::<String>())
}
