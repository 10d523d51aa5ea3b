//! `GET /api/v1/lists` and `/lists/{list}`: complete, dated, owned work lists (事务清单).

use axum::Json;
use axum::extract::Path;
use serde_json::{Map, Value, json};

use crate::access::Reader;
use crate::error::Problem;
use crate::rows::{self, cell, text};

const ROWS_MAX: usize = 5000;

pub(crate) async fn index(reader: Reader) -> Result<Json<Value>, Problem> {
    reader.require_page("lists")?;
    let session = reader.session().await?;
    let mut lists = Vec::new();
    for words in &reader.state.parts.catalog.lists {
        let table = format!("list_{}", words.list);
        if session.schema(&table).await.is_err() {
            continue;
        }
        // A list may be empty on a day: the date is that of the portraits, which never are.
        let as_of_on = rows::newest(&session, "portrait_student").await.ok().flatten().ok_or_else(Problem::not_ready)?;
        let count = rows::rows(
            &session,
            &format!("SELECT count(*) AS n FROM {table} WHERE as_of_on = $on"),
            vec![("on", rows::date(&as_of_on)?)],
        )
        .await?;
        lists.push(json!({
            "list": words.list, "title_zh": words.title_zh, "title_en": words.title_en, "about": words.about, "owner": words.owner,
            "rows_n": count.first().map_or(Value::Null, |it| cell(it, "n")), "as_of_on": as_of_on,
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
    let as_of_on = rows::newest(&session, "portrait_student").await.ok().flatten().ok_or_else(Problem::not_ready)?;
    let sql = format!("SELECT * FROM {table} WHERE as_of_on = $on ORDER BY student_key LIMIT {ROWS_MAX}");
    let found = rows::rows(&session, &sql, vec![("on", rows::date(&as_of_on)?)]).await?;
    let keys: Vec<i64> = found.iter().filter_map(|it| text(it, "student_key")?.parse().ok()).collect();
    let names = rows::names(&reader.state.parts, &session, &keys).await?;
    let shown: Vec<&str> =
        schema.fields().iter().map(|it| it.name().as_str()).filter(|it| !["as_of_on", "student_key"].contains(it)).collect();
    let mut columns = vec![json!({ "column": "name", "title_zh": "姓名", "title_en": "Name" })];
    columns.extend(shown.iter().map(|it| {
        let (zh, en) = title(it);
        json!({ "column": it, "title_zh": zh, "title_en": en })
    }));
    let rows: Vec<Value> = found
        .iter()
        .map(|it| {
            let key = text(it, "student_key").and_then(|it| it.parse::<i64>().ok()).unwrap_or_default();
            let mut row = Map::from_iter([
                ("student_key".to_owned(), cell(it, "student_key")),
                ("name".to_owned(), json!(names.get(&key).and_then(|it| it.0.clone()))),
            ]);
            row.extend(shown.iter().map(|name| ((*name).to_owned(), cell(it, name))));
            Value::Object(row)
        })
        .collect();
    Ok(Json(
        json!({ "list": words.list, "title_zh": words.title_zh, "title_en": words.title_en, "as_of_on": as_of_on, "columns": columns, "rows": rows }),
    ))
}

/// Heads of columns; a column without one shows its own name.
fn title(column: &str) -> (&str, &str) {
    match column {
        "night_on" => ("夜晚", "Night"),
        "college_name" => ("学院", "College"),
        "class" => ("班级", "Class"),
        "building_name" => ("楼栋", "Building"),
        "floor" => ("楼层", "Floor"),
        "room_id" => ("房间", "Room"),
        "last_seen_at" => ("最近一次记录", "Last evidence"),
        "last_seen_source" => ("记录来源", "Channel"),
        own => (own, own),
    }
}
