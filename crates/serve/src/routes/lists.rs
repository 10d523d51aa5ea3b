//! `GET /api/v1/lists` and `/lists/{list}`: complete, dated, owned work lists (事务清单).

use axum::Json;
use axum::extract::Path;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::scalar::ScalarValue;
use policy::Session;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::health::instant;
use super::{absences, visits};
use crate::access::Reader;
use crate::error::{Problem, Query};
use crate::rows::{self, cell, number, text};

/// Rows of one page; whoever wants a list whole asks on with `next`.
const PAGE_MAX: u16 = 5000;
/// Which rows of a dated list are read.
const OF_DATE: &str = " WHERE as_of_on = $on";
/// Columns of a list that are no column of its table on a screen.
const HIDDEN: [&str; 5] = ["as_of_on", "student_key", "complete_minute", "until_at", "slot"];

/// Which page of a list is wanted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Filter {
    /// `next` of the page before: how many rows were shown.
    after: Option<String>,
    limit: Option<u16>,
}

impl Filter {
    /// Rows of the page, and rows before it.
    fn page(&self) -> Result<(usize, usize), Problem> {
        let limit = self.limit.unwrap_or(PAGE_MAX);
        if limit == 0 || PAGE_MAX < limit {
            return Err(Problem::bad_request(format!("limit 应在 1 到 {PAGE_MAX} 之间 / limit must be 1 to {PAGE_MAX}")));
        }
        let wrong = || Problem::bad_request("after 是上一页的 next / after is the next of the page before");
        let skipped = self.after.as_ref().map_or(Ok(0), |it| it.parse::<u32>().map_err(|_| wrong()))?;
        Ok((usize::from(limit), skipped as usize))
    }
}

/// By what the rows of a list are ordered: its grain, and behind it every column that the reader sees. Who sees no grain could
/// otherwise be given a row twice on two pages, and another never.
fn order(grain: &[String], schema: &SchemaRef) -> String {
    let seen = schema.fields().iter().filter(|it| !it.data_type().is_nested()).map(|it| it.name());
    let mut names: Vec<&String> = grain.iter().collect();
    names.extend(seen.filter(|it| !grain.contains(it)));
    // A column may be called as a word of SQL is.
    names.into_iter().map(|it| format!("\"{it}\"")).collect::<Vec<_>>().join(", ")
}

/// How many rows the whole list has, and the hour from which on it is complete.
async fn whole(
    session: &Session,
    table: &str,
    schema: &SchemaRef,
    condition: &str,
    params: Vec<(&str, ScalarValue)>,
    complete_minute: Option<i64>,
) -> Result<(i64, Option<i64>), Problem> {
    let of_rows = if schema.field_with_name("complete_minute").is_ok() {
        "max(complete_minute) AS complete_minute, count(complete_minute) AS known_n"
    } else {
        "0 AS known_n"
    };
    let count = rows::rows(session, &format!("SELECT count(*) AS n, {of_rows} FROM {table}{condition}"), params).await?;
    let of = |name: &str| count.first().and_then(|it| number(it, name));
    // Rows of buildings of which nothing is known are complete with the list's own hour.
    let hours = [of("complete_minute"), None].into_iter().take(if of("known_n") < of("n") { 2 } else { 1 });
    Ok((of("n").unwrap_or_default() as i64, latest(complete_minute, hours)))
}

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
            let (rows_n, _) = whole(&session, &table, &columns, &condition, moment(&condition, reader.now_us()), None).await?;
            let (on, built_at) = written(&reader, &table).await?;
            lists.push(json!({
                "list": words.list, "title_zh": words.title_zh, "title_en": words.title_en, "about_zh": words.about_zh,
                "about_en": words.about_en, "owner": words.owner, "rows_n": rows_n,
                "as_of_on": on, "built_at": built_at, "complete_from": null, "is_complete": true, "is_live": true,
            }));
            continue;
        }
        if dated.is_none() {
            dated = Some(rows::built_on(&session).await?);
        }
        let as_of_on = dated.clone().unwrap_or_default();
        let on = vec![("on", rows::date(&as_of_on)?)];
        let (rows_n, complete_minute) = whole(&session, &table, &columns, OF_DATE, on, words.complete_minute).await?;
        let (built_at, complete_from, is_complete) = completeness(&reader, complete_minute, &as_of_on).await?;
        lists.push(json!({
            "list": words.list, "title_zh": words.title_zh, "title_en": words.title_en, "about_zh": words.about_zh, "about_en": words.about_en, "owner": words.owner,
            "rows_n": rows_n, "as_of_on": as_of_on,
            "built_at": built_at, "complete_from": complete_from, "is_complete": is_complete, "is_live": false,
        }));
    }
    Ok(Json(json!({ "lists": lists })))
}

pub(crate) async fn one(reader: Reader, Path(list): Path<String>, Query(filter): Query<Filter>) -> Result<Json<Value>, Problem> {
    reader.require_page("lists")?;
    let (limit, skipped) = filter.page()?;
    let session = reader.session().await?;
    let words = reader.state.parts.catalog.lists.iter().find(|it| it.list == list).ok_or_else(Problem::not_found)?;
    let table = format!("list_{}", words.list);
    let schema = session.schema(&table).await?;
    let has_persons = schema.field_with_name("student_key").is_ok();
    let (as_of_on, condition, params, written_at) = if words.is_live {
        let condition = holding(&schema);
        let params = moment(&condition, reader.now_us());
        let (on, built_at) = written(&reader, &table).await?;
        (on, condition, params, Some(built_at))
    } else {
        let on = rows::built_on(&session).await?;
        let params = vec![("on", rows::date(&on)?)];
        (on, OF_DATE.to_owned(), params, None)
    };
    let (rows_n, complete_minute) = whole(&session, &table, &schema, &condition, params.clone(), words.complete_minute).await?;
    let order = order(&words.grain, &schema);
    let sql = format!("SELECT * FROM {table}{condition} ORDER BY {order} LIMIT {} OFFSET {skipped}", limit + 1);
    let mut found = rows::rows(&session, &sql, params).await?;
    let has_more = limit < found.len();
    found.truncate(limit);
    let keys: Vec<i64> = found.iter().filter_map(|it| text(it, "student_key")?.parse().ok()).collect();
    let names = rows::names(&reader.state.parts, &session, &keys).await?;
    let shown: Vec<&str> = schema.fields().iter().map(|it| it.name().as_str()).filter(|it| !HIDDEN.contains(it)).collect();
    let is_answered = absences::is_answered(&words.list);
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
    let (built_at, complete_from, is_complete) = match written_at {
        Some(at) => (at, Value::Null, true),
        None => completeness(&reader, complete_minute, &night_on).await?,
    };
    let next = has_more.then(|| (skipped + limit).to_string());
    // A page that others follow is no whole list, whatever the hour.
    let is_complete = is_complete && next.is_none();
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
        json!({ "list": words.list, "title_zh": words.title_zh, "title_en": words.title_en, "as_of_on": as_of_on, "columns": columns, "rows": rows, "rows_n": rows_n, "next": next, "answers": is_answered.then(absences::choices), "sheet": sheet, "built_at": built_at, "complete_from": complete_from, "is_complete": is_complete, "is_live": words.is_live }),
    ))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::datatypes::{DataType, Field, Schema};

    use super::{Filter, holding, latest, moment, order};

    #[test]
    fn a_page_says_how_many_rows_it_wants_and_what_came_before() {
        let of = |after: Option<&str>, limit| Filter { after: after.map(str::to_owned), limit }.page().ok();
        assert_eq!(of(None, None), Some((5_000, 0)));
        assert_eq!(of(Some("5000"), Some(7)), Some((7, 5_000)));
        assert_eq!((of(None, Some(0)), of(None, Some(5_001)), of(Some("-1"), None)), (None, None, None));
    }

    #[test]
    fn rows_without_their_grain_are_ordered_by_all_that_is_seen() {
        let fields: Vec<Field> = ["as_of_on", "student_key", "room"].map(|it| Field::new(it, DataType::Utf8, true)).into();
        let grain = ["as_of_on".to_owned(), "student_key".to_owned()];
        assert_eq!(order(&grain, &Arc::new(Schema::new(fields))), "\"as_of_on\", \"student_key\", \"room\"");
    }

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
