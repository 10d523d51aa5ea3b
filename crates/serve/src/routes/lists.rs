//! `GET /api/v1/lists` and `/lists/{list}`: complete, dated, owned work lists (事务清单).

use axum::Json;
use axum::extract::Path;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::scalar::ScalarValue;
use serde_json::{Map, Value, json};

use super::health::instant;
use super::{absences, visits};
use crate::access::Reader;
use crate::error::Problem;
use crate::rows::{self, cell, number, text};

const ROWS_MAX: usize = 5000;
/// Columns of a list that are no column of its table on a screen.
const HIDDEN: [&str; 5] = ["as_of_on", "student_key", "complete_minute", "until_at", "slot"];

/// From when on a list may be read as complete, and when it was built. A list of a night is complete half an hour after the
/// doors have closed: one that was built before says so, and nobody on it has been proven missing.
async fn completeness(reader: &Reader, complete_minute: Option<i64>, night_on: &str) -> Result<(Value, Value, bool), Problem> {
    let run = reader.state.parts.store.runs().last_success("transform").await?;
    let built_us = run.and_then(|it| it.ended_at_us);
    let from_us = match complete_minute {
        Some(minute) => {
            let midnight = rows::day(night_on)?;
            let local = i64::from(midnight) * casework::DAY_US + minute * casework::MINUTE_US;
            reader.state.config.campus.clock().instant(local)
        }
        None => None,
    };
    let is_complete = from_us.is_none_or(|from| built_us.is_some_and(|built| from <= built));
    Ok((json!(built_us.and_then(instant)), json!(from_us.and_then(instant)), is_complete))
}

/// From when on a list is complete whose rows are of buildings that close at hours of their own: the latest of them; where the
/// register says nothing of one, or nobody is on the list, the hour of the list.
fn latest(of_list: Option<i64>, of_rows: impl Iterator<Item = Option<f64>>) -> Option<i64> {
    let of_list = of_list?;
    of_rows.map(|it| it.map_or(of_list, |minute| minute as i64)).max().or(Some(of_list))
}

/// Which rows of a live list hold at this moment: from `from_at` until `until_at`, where it has them. What a role may not see
/// of these is NULL, and a row of which nobody can say that it holds is not shown.
fn holding(schema: &SchemaRef) -> String {
    let has = |name: &str| schema.field_with_name(name).is_ok();
    let parts = [("from_at", "from_at <= $now"), ("until_at", "until_at > $now")];
    let held: Vec<&str> = parts.into_iter().filter(|it| has(it.0)).map(|it| it.1).collect();
    if held.is_empty() { String::new() } else { format!(" WHERE {}", held.join(" AND ")) }
}

/// The instant by which a live list is read, if its rows are held against one.
fn moment(condition: &str, now_us: i64) -> Vec<(&'static str, ScalarValue)> {
    let now = || ("now", ScalarValue::TimestampMicrosecond(Some(now_us), Some("UTC".into())));
    (!condition.is_empty()).then(now).into_iter().collect()
}

/// The campus day that goes on, and when the table of a live list was last written.
async fn written(reader: &Reader, table: &str) -> Result<(String, Value), Problem> {
    let day = reader.state.config.campus.clock().moment(reader.now_us()).occurred_on;
    let snapshot = reader.state.parts.lake.snapshot(table).await.map_err(|error| {
        tracing::error!(?error, table, "when a list was written");
        Problem::not_ready()
    })?;
    let at_us = snapshot.and_then(|it| it.files.iter().map(|it| it.modified_ms * 1_000).max());
    // A list of nobody has no file.
    let at_us = at_us.or_else(|| reader.state.parts.metrics.last_tick().map(|it| it.at_us));
    let on = schema::time::days_date(day).map(|it| it.to_string()).unwrap_or_default();
    Ok((on, json!(at_us.and_then(instant))))
}

pub(crate) async fn index(reader: Reader) -> Result<Json<Value>, Problem> {
    reader.require_page("lists")?;
    let session = reader.session().await?;
    let mut dated: Option<String> = None;
    let mut lists = Vec::new();
    for words in &reader.state.parts.catalog.lists {
        let table = format!("list_{}", words.list);
        let Ok(columns) = session.schema(&table).await else { continue };
        if words.is_live {
            let condition = holding(&columns);
            let sql = format!("SELECT count(*) AS n FROM {table}{condition}");
            let count = rows::rows(&session, &sql, moment(&condition, reader.now_us())).await?;
            let (on, built_at) = written(&reader, &table).await?;
            lists.push(json!({
                "list": words.list, "title_zh": words.title_zh, "title_en": words.title_en, "about_zh": words.about_zh,
                "about_en": words.about_en, "owner": words.owner, "rows_n": count.first().map_or(Value::Null, |it| cell(it, "n")),
                "as_of_on": on, "built_at": built_at, "complete_from": null, "is_complete": true, "is_live": true,
            }));
            continue;
        }
        if dated.is_none() {
            dated = Some(rows::built_on(&session).await?);
        }
        let as_of_on = dated.clone().unwrap_or_default();
        let of_rows = if columns.field_with_name("complete_minute").is_ok() {
            "max(complete_minute) AS complete_minute, count(complete_minute) AS known_n"
        } else {
            "0 AS known_n"
        };
        let count = rows::rows(
            &session,
            &format!("SELECT count(*) AS n, {of_rows} FROM {table} WHERE as_of_on = $on"),
            vec![("on", rows::date(&as_of_on)?)],
        )
        .await?;
        let of = |name: &str| count.first().and_then(|it| number(it, name));
        // Rows of buildings of which nothing is known are complete with the list's own hour.
        let of_rows = [of("complete_minute"), None].into_iter().take(if of("known_n") < of("n") { 2 } else { 1 });
        let complete_minute = latest(words.complete_minute, of_rows);
        let (built_at, complete_from, is_complete) = completeness(&reader, complete_minute, &as_of_on).await?;
        lists.push(json!({
            "list": words.list, "title_zh": words.title_zh, "title_en": words.title_en, "about_zh": words.about_zh, "about_en": words.about_en, "owner": words.owner,
            "rows_n": count.first().map_or(Value::Null, |it| cell(it, "n")), "as_of_on": as_of_on,
            "built_at": built_at, "complete_from": complete_from, "is_complete": is_complete, "is_live": false,
        }));
    }
    Ok(Json(json!({ "lists": lists })))
}

pub(crate) async fn one(reader: Reader, Path(list): Path<String>) -> Result<Json<Value>, Problem> {
    reader.require_page("lists")?;
    let session = reader.session().await?;
    let words = reader.state.parts.catalog.lists.iter().find(|it| it.list == list).ok_or_else(Problem::not_found)?;
    let table = format!("list_{}", words.list);
    let schema = session.schema(&table).await?;
    let has_persons = schema.field_with_name("student_key").is_ok();
    let order = words.grain.join(", ");
    let (as_of_on, found, written_at) = if words.is_live {
        let condition = holding(&schema);
        let sql = format!("SELECT * FROM {table}{condition} ORDER BY {order} LIMIT {ROWS_MAX}");
        let found = rows::rows(&session, &sql, moment(&condition, reader.now_us())).await?;
        let (on, built_at) = written(&reader, &table).await?;
        (on, found, Some(built_at))
    } else {
        let on = rows::built_on(&session).await?;
        let sql = format!("SELECT * FROM {table} WHERE as_of_on = $on ORDER BY {order} LIMIT {ROWS_MAX}");
        let found = rows::rows(&session, &sql, vec![("on", rows::date(&on)?)]).await?;
        (on, found, None)
    };
    let keys: Vec<i64> = found.iter().filter_map(|it| text(it, "student_key")?.parse().ok()).collect();
    let names = rows::names(&reader.state.parts, &session, &keys).await?;
    let shown: Vec<&str> = schema.fields().iter().map(|it| it.name().as_str()).filter(|it| !HIDDEN.contains(it)).collect();
    let is_answered = words.list == absences::LIST;
    let mut columns: Vec<Value> =
        has_persons.then(|| json!({ "column": "name", "title_zh": "姓名", "title_en": "Name" })).into_iter().collect();
    columns.extend(shown.iter().map(|name| {
        let head = words.heads.iter().find(|it| it.0 == *name);
        let (zh, en) = head.map_or((*name, *name), |it| (it.1.as_str(), it.2.as_str()));
        json!({ "column": name, "title_zh": zh, "title_en": en })
    }));
    // The list is of the morning; what people found since then is of this moment.
    let answers = match found.first().and_then(|it| text(it, "night_on")).filter(|_| is_answered) {
        Some(night_on) => absences::answers(&reader, &night_on).await?,
        None => Vec::new(),
    };
    if is_answered {
        columns.extend(absences::columns(&reader));
    }
    let night_on = found.first().and_then(|it| text(it, "night_on")).unwrap_or_else(|| as_of_on.clone());
    let complete_minute = latest(words.complete_minute, found.iter().map(|it| number(it, "complete_minute")));
    let (built_at, complete_from, is_complete) = match written_at {
        Some(at) => (at, Value::Null, true),
        None => completeness(&reader, complete_minute, &night_on).await?,
    };
    // The same of sheets that were filled in since the list was made.
    let sheet = if words.list == visits::LIST { visits::sheet(&reader) } else { Value::Null };
    let sheets = match found.first().and_then(|it| text(it, "plan_on")).filter(|_| !sheet.is_null()) {
        Some(plan_on) => visits::answers(&reader, &plan_on).await?,
        None => Vec::new(),
    };
    if !sheet.is_null() {
        columns.push(json!({ "column": "sheet_at", "title_zh": "观察表", "title_en": "Sheet" }));
    }
    let rows: Vec<Value> = found
        .iter()
        .map(|it| {
            let key = text(it, "student_key").and_then(|it| it.parse::<i64>().ok()).unwrap_or_default();
            let mut row = Map::new();
            if has_persons {
                row.insert("student_key".to_owned(), cell(it, "student_key"));
                row.insert("name".to_owned(), json!(names.get(&key).and_then(|it| it.0.clone())));
            }
            row.extend(shown.iter().map(|name| ((*name).to_owned(), cell(it, name))));
            if let Some(answer) = answers.iter().find(|it| it.student_key == key) {
                row.extend(absences::cells(&reader, answer));
            }
            if let Some(answer) = sheets.iter().find(|it| it.student_key == key) {
                row.insert("sheet_at".to_owned(), json!(instant(answer.at_us)));
            }
            Value::Object(row)
        })
        .collect();
    Ok(Json(
        json!({ "list": words.list, "title_zh": words.title_zh, "title_en": words.title_en, "as_of_on": as_of_on, "columns": columns, "rows": rows, "answers": is_answered.then(absences::choices), "sheet": sheet, "built_at": built_at, "complete_from": complete_from, "is_complete": is_complete, "is_live": words.is_live }),
    ))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::datatypes::{DataType, Field, Schema};

    use super::{holding, latest, moment};

    #[test]
    fn a_live_list_shows_what_holds_now_and_asks_for_an_instant_only_where_it_needs_one() {
        let of = |names: &[&str]| {
            let fields: Vec<Field> = names.iter().map(|it| Field::new(*it, DataType::Int64, true)).collect();
            holding(&Arc::new(Schema::new(fields)))
        };
        assert_eq!(of(&["device_id"]), "");
        assert_eq!(of(&["device_id", "from_at"]), " WHERE from_at <= $now");
        assert_eq!(of(&["until_at", "from_at"]), " WHERE from_at <= $now AND until_at > $now");
        assert!(moment("", 7).is_empty());
        assert_eq!(moment(&of(&["from_at"]), 7).len(), 1);
    }

    #[test]
    fn a_list_is_complete_with_the_building_that_closes_last() {
        assert_eq!(latest(Some(1_410), [Some(1_380.0), Some(1_470.0)].into_iter()), Some(1_470));
        assert_eq!(latest(Some(1_410), [Some(1_350.0)].into_iter()), Some(1_350));
        assert_eq!(
            latest(Some(1_410), [Some(1_350.0), None].into_iter()),
            Some(1_410),
            "one that says nothing has the list's hour"
        );
        assert_eq!(latest(Some(1_410), std::iter::empty()), Some(1_410));
        assert_eq!(latest(None, [Some(1_350.0)].into_iter()), None, "no list of a night");
    }
}
