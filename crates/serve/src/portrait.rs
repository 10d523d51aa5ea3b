//! One portrait: everything that may be said of one student as of a date, with evidence, coverage and date.
//!
//! Called by the API and by `yizhan portrait`; both read through a session of `policy`, so a reader gets what their role
//! may see and nothing else, whichever way they come.

use datafusion::scalar::ScalarValue;
use policy::Session;
use serde_json::{Value, json};

use crate::error::Problem;
use crate::routes::{students, warnings};
use crate::rows::{self, Row, cell, number, text};
use crate::state::{MeasureWords, Reading};

/// Parts of a portrait in the order in which they are shown (画像维度).
const DIMENSIONS: [&str; 8] =
    ["ideology_participation", "academic", "life", "practice", "request", "safety", "social", "wellbeing"];
/// Days of history behind a value.
const HISTORY_DAYS: i32 = 182;

/// The portrait of a student whom the session reaches, as JSON; as of the newest date if none is asked for.
///
/// # Errors
/// If there is no portrait of the student on that date, or the tables are not built.
pub async fn portrait(
    parts: &Reading,
    session: &Session,
    student_key: i64,
    as_of_on: Option<&str>,
) -> Result<Value, crate::Error> {
    Ok(of_student(parts, session, student_key, as_of_on).await?)
}

pub(crate) async fn of_student(parts: &Reading, session: &Session, key: i64, as_of_on: Option<&str>) -> Result<Value, Problem> {
    let newest = newest(parts, session).await?;
    let as_of_on = as_of_on.unwrap_or(&newest).to_owned();
    let on = rows::date(&as_of_on)?;
    let who = || vec![("on", on.clone()), ("key", rows::key(key))];
    let keys = [key];
    let person_sql = students::head_sql(session, "as_of_on = $on AND student_key = $key").await?;
    let (found, measured, closed, tags, notices, mut named) = tokio::try_join!(
        rows::rows(session, &person_sql, who()),
        history(session, "feat_measure", key, &on),
        history(session, "closed_measure", key, &on),
        tags(parts, session, key, &on),
        warnings::of_student(parts, session, key, &as_of_on),
        rows::names(parts, session, &keys),
    )?;
    let person = found.first().ok_or_else(Problem::not_found)?;
    let measured = measured.unwrap_or_default();
    let is_closed_seen = closed.is_some();
    let closed = closed.unwrap_or_default();
    // A role that reads some measures only is shown their dimensions; of the others it is not told that data are missing.
    let held_to = session.role().only("feat_measure", "measure");
    let is_of_role = |dimension: &&str| {
        let mut measures = parts.catalog.measures.iter().filter(|it| it.dimension == **dimension);
        held_to.is_none_or(|only| measures.any(|it| only.contains(&it.measure)))
    };
    let dimensions: Vec<Value> = DIMENSIONS
        .into_iter()
        .filter(is_of_role)
        .map(|dimension| {
            // What serves safety alone is for lists and checks, not for a portrait.
            let is_shown = |it: &&MeasureWords| it.purpose.iter().any(|it| it != "public_safety");
            let is_read = |it: &&MeasureWords| held_to.is_none_or(|only| only.contains(&it.measure));
            let words = parts.catalog.measures.iter().filter(|it| it.dimension == dimension).filter(is_shown).filter(is_read);
            let (open, shut): (Vec<&MeasureWords>, Vec<&MeasureWords>) = words.partition(|it| !it.is_closed);
            let mut shown: Vec<Value> = open.iter().map(|it| measure(it, &measured)).collect();
            if is_closed_seen {
                shown.extend(shut.iter().map(|it| measure(it, &closed)));
            }
            let is_known = shown.iter().any(|it| it["status"] == "ok");
            // A role that may not see the closed compartment is told that there is one, and who talks about it.
            let state = match (shown.is_empty(), is_known, shut.is_empty()) {
                (true, _, false) => "closed",
                (true, _, true) => "no_source",
                (false, false, _) => "insufficient",
                (false, true, _) => "ok",
            };
            json!({ "dimension": dimension, "state": state, "measures": shown })
        })
        .collect();
    let open: Vec<&Value> = dimensions
        .iter()
        .flat_map(|it| it["measures"].as_array().into_iter().flatten())
        .filter(|it| it["is_closed"] == false)
        .collect();
    let known_n = open.iter().filter(|it| it["status"] == "ok").count();
    let is_student = session.role().role == "student";
    Ok(json!({
        "student_key": key.to_string(),
        "as_of_on": as_of_on,
        "newest_on": newest,
        "head": students::head(person, named.remove(&key).unwrap_or_default(), notices.len()),
        "coverage": { "measures_n": open.len(), "known_n": known_n, "sources": sources(parts).await? },
        "dimensions": dimensions,
        "tags": tags,
        "notices": notices,
        "self_note": is_student.then_some(
            "这些数据来自学校各业务系统；只用于关心与服务，不用于评优或处分。如有不符，请联系辅导员更正。"
        ),
    }))
}

/// The newest date with portraits, from the log alone; no row is read for it.
pub(crate) async fn newest(parts: &Reading, session: &Session) -> Result<String, Problem> {
    session.schema("portrait_student").await?;
    let snapshot = parts.lake.snapshot("portrait_student").await?.ok_or_else(Problem::not_ready)?;
    let newest = snapshot.files.iter().filter_map(|it| it.partition).max();
    newest.and_then(schema::time::days_date).map(|it| it.to_string()).ok_or_else(Problem::not_ready)
}

/// What one long table says of a student: everything of one date, and the values of half a year before.
#[derive(Debug, Default)]
struct Measured {
    now: Vec<Row>,
    history: Vec<Row>,
}

/// Values of half a year from one long table; `None` where the role has no such table.
///
/// The closed compartment is built on Mondays only: the last one stands for the date that is asked for.
async fn history(session: &Session, table: &str, key: i64, on: &ScalarValue) -> Result<Option<Measured>, Problem> {
    if session.schema(table).await.is_err() {
        return Ok(None);
    }
    let ScalarValue::Date32(Some(day)) = *on else { return Ok(None) };
    let newest = if schema::is_closed_table(table) { day - after_monday(day) } else { day };
    // The dates that are shown, and no others: Mondays make the line, other days come and go with the last two weeks.
    let dates: Vec<String> = (day - HISTORY_DAYS..=day)
        .filter(|it| *it == newest || after_monday(*it) == 0)
        .filter_map(schema::time::days_date)
        .map(|it| format!("DATE '{it}'"))
        .collect();
    // Of the past its values are enough: the rest would cost more than half of the reading.
    let past = format!(
        "SELECT measure, as_of_on, value FROM {table} WHERE student_key = $key AND as_of_on IN ({}) ORDER BY as_of_on",
        dates.join(", ")
    );
    let now = format!(
        "SELECT measure, as_of_on, value, n, cov, z_self, z_peer FROM {table} WHERE student_key = $key AND as_of_on = $newest"
    );
    let (history, now) = tokio::try_join!(
        rows::rows(session, &past, vec![("key", rows::key(key))]),
        rows::rows(session, &now, vec![("key", rows::key(key)), ("newest", ScalarValue::Date32(Some(newest)))]),
    )?;
    Ok(Some(Measured { now, history }))
}

/// Days of a date since the Monday on or before it; 1970 began on a Thursday.
fn after_monday(day: i32) -> i32 {
    (day - 4).rem_euclid(7)
}

/// A measure with its value of the date, and its history.
fn measure(words: &MeasureWords, measured: &Measured) -> Value {
    let is_it = |it: &&Row| it.get("measure").and_then(Value::as_str) == Some(&words.measure);
    let now = measured.now.iter().find(is_it);
    let value = now.and_then(|it| number(it, "value"));
    let at = |column: &str| now.map_or(Value::Null, |it| cell(it, column));
    let history: Vec<Value> = measured
        .history
        .iter()
        .filter(is_it)
        .map(|it| json!({ "as_of_on": cell(it, "as_of_on"), "value": cell(it, "value") }))
        .collect();
    json!({
        "measure": words.measure, "title_zh": words.title_zh, "title_en": words.title_en, "about": words.about,
        "unit": words.unit, "facet": words.facet, "is_closed": words.is_closed, "as_of_on": at("as_of_on"),
        "value": value, "n": at("n"), "cov": at("cov"), "z_self": at("z_self"), "z_peer": at("z_peer"),
        "status": if value.is_some() { "ok" } else { "insufficient" },
        "window": words.window, "history": history, "source": words.source.join(", "),
    })
}

async fn tags(parts: &Reading, session: &Session, key: i64, on: &ScalarValue) -> Result<Vec<Value>, Problem> {
    if session.schema("portrait_tag").await.is_err() {
        return Ok(Vec::new());
    }
    let sql = "SELECT * FROM portrait_tag WHERE as_of_on = $on AND student_key = $key ORDER BY since_on DESC, tag";
    let found = rows::rows(session, sql, vec![("on", on.clone()), ("key", rows::key(key))]).await?;
    let tag = |it: &Row| {
        let name = text(it, "tag")?;
        let words = parts.catalog.tags.iter().find(|it| it.tag == name)?;
        Some(json!({
            "tag": name, "title_zh": words.title_zh, "title_en": words.title_en, "dimension": words.dimension,
            "since_on": cell(it, "since_on"), "expires_on": cell(it, "expires_on"), "n": cell(it, "n"),
            "evidence_zh": cell(it, "evidence_zh"), "evidence_en": cell(it, "evidence_en"), "source": cell(it, "source"),
        }))
    };
    Ok(found.iter().filter_map(tag).collect())
}

/// How fresh each source of events is: a figure about devices and offices, not about the student.
async fn sources(parts: &Reading) -> Result<Vec<Value>, Problem> {
    let mut sources = Vec::new();
    for it in parts.catalog.sources.iter().filter(|it| it.shape == "event" && it.purpose.iter().any(|it| it == "portrait")) {
        if let Some(snapshot) = parts.lake.snapshot(&format!("raw_{}", it.source)).await? {
            let newest = snapshot.files.iter().filter_map(|it| it.partition).max();
            let fresh_to = newest.and_then(schema::time::days_date).map(|it| it.to_string());
            sources.push(json!({ "source": it.source, "fresh_to": fresh_to, "cov": null }));
        }
    }
    Ok(sources)
}
