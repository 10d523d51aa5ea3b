//! One portrait: everything that may be said of one student as of a date, with evidence, coverage and date.
//!
//! Called by the API and by `yizhan portrait`; both read through a session of `policy`, so a reader gets what their role
//! may see and nothing else, whichever way they come.

use std::collections::HashMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Date32Type, Float64Type};
use chrono::NaiveDate;
use policy::{LookedUp, Session};
use serde::Serialize;
use serde_json::{Value, json};

use crate::error::Problem;
use crate::routes::{students, warnings};
use crate::rows::{self, Row, cell, number, text};
use crate::state::{MeasureWords, Reading};

/// Parts of a portrait in the order in which they are shown (画像维度).
const DIMENSIONS: [&str; 8] =
    ["ideology_participation", "academic", "life", "practice", "request", "safety", "social", "wellbeing"];
/// A portrait on its way out.
///
/// Written as it is and never as a tree of JSON: of its thousand points each would be a map of its own, and to make, copy
/// and drop these took as long as reading them.
#[derive(Debug, Serialize)]
pub(crate) struct Portrait<'a> {
    student_key: String,
    pub(crate) as_of_on: String,
    newest_on: String,
    head: Value,
    coverage: Value,
    dimensions: Vec<Dimension<'a>>,
    tags: Vec<Value>,
    notices: Vec<Value>,
    self_note: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct Dimension<'a> {
    dimension: &'static str,
    state: &'static str,
    measures: Vec<Shown<'a>>,
}

/// A measure with its value of the date, and its history.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    measure: &'a str,
    title_zh: &'a str,
    title_en: &'a str,
    about_zh: &'a str,
    about_en: &'a str,
    unit: &'a str,
    facet: &'a str,
    is_closed: bool,
    as_of_on: Value,
    value: Option<f64>,
    n: Value,
    cov: Value,
    z_self: Value,
    z_peer: Value,
    status: &'static str,
    window: &'a str,
    history: Vec<Point>,
    source: String,
    reason_zh: Option<&'static str>,
    reason_en: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct Point {
    as_of_on: Option<NaiveDate>,
    value: Option<f64>,
}

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
    let portrait = of_student(parts, session, student_key, as_of_on).await?;
    Ok(serde_json::to_value(portrait).map_err(|error| {
        tracing::error!(?error, "a portrait could not be written as JSON");
        Problem::not_ready()
    })?)
}

pub(crate) async fn of_student<'a>(
    parts: &'a Reading,
    session: &Session,
    key: i64,
    as_of_on: Option<&str>,
) -> Result<Portrait<'a>, Problem> {
    let newest = newest(session).await?;
    let as_of_on = as_of_on.unwrap_or(&newest).to_owned();
    let day = rows::day(&as_of_on)?;
    // The closed compartment is built on Mondays only: the last one stands for the date that is asked for.
    let monday = day - after_monday(day);
    let of = |table, columns, days| LookedUp { table, columns, days };
    let (today, this_monday, days, mondays) = ([day], [monday], shown_days(day), shown_days(monday));
    let wanted = [
        of("portrait_student", &students::HEAD, &today),
        of("feat_measure", &NOW, &today),
        of("feat_measure", &PAST, &days),
        of("closed_measure", &NOW, &this_monday),
        of("closed_measure", &PAST, &mondays),
        of("portrait_tag", &[], &today),
    ];
    let keys = [key];
    let chosen = parts.store.cases().social_choice(key).await?;
    let has_left = chosen.as_ref().is_some_and(store::SocialChoice::has_left);
    let (found, notices, mut named, sources) = tokio::try_join!(
        rows::look_up(session, key, wanted),
        warnings::of_student(parts, session, key, &as_of_on),
        rows::names(parts, session, &keys),
        sources(parts),
    )?;
    let [person, now, history, closed_now, closed_history, tags] = found;
    let person = rows::of_batch(person.as_ref())?.into_iter().next().ok_or_else(Problem::not_found)?;
    let mut measured = Measured::of(now.as_ref(), history.as_ref())?;
    let is_closed_seen = closed_now.is_some();
    let mut closed = Measured::of(closed_now.as_ref(), closed_history.as_ref())?;
    // A role that reads some measures only is shown their dimensions; of the others it is not told that data are missing.
    let held_to = session.role().only("feat_measure", "measure");
    let is_of_role = |dimension: &&str| {
        let mut measures = parts.catalog.measures.iter().filter(|it| it.dimension == **dimension);
        held_to.is_none_or(|only| measures.any(|it| only.contains(&it.measure)))
    };
    let dimensions: Vec<Dimension> = DIMENSIONS
        .into_iter()
        .filter(is_of_role)
        .map(|dimension| {
            // What serves safety alone is for lists and checks, not for a portrait.
            let is_shown = |it: &&MeasureWords| it.purpose.iter().any(|it| it != "public_safety");
            let is_read = |it: &&MeasureWords| held_to.is_none_or(|only| only.contains(&it.measure));
            let words = parts.catalog.measures.iter().filter(|it| it.dimension == dimension).filter(is_shown).filter(is_read);
            let (open, shut): (Vec<&MeasureWords>, Vec<&MeasureWords>) = words.partition(|it| !it.is_closed);
            let mut shown: Vec<Shown> = open.iter().map(|it| measure(it, &mut measured)).collect();
            if is_closed_seen {
                // From the choice on nothing of it is shown, of earlier dates neither; the next build makes nothing new.
                let left = has_left && dimension == "social";
                shown.extend(shut.iter().map(|it| if left { without(it) } else { measure(it, &mut closed) }));
            }
            let is_known = shown.iter().any(|it| it.value.is_some());
            // A role that may not see the closed compartment is told that there is one, and who talks about it.
            let state = match (shown.is_empty(), is_known, shut.is_empty()) {
                (true, _, false) => "closed",
                (true, _, true) => "no_source",
                (false, false, _) => "insufficient",
                (false, true, _) => "ok",
            };
            Dimension { dimension, state, measures: shown }
        })
        .collect();
    let open: Vec<&Shown> = dimensions.iter().flat_map(|it| &it.measures).filter(|it| !it.is_closed).collect();
    let (measures_n, known_n) = (open.len(), open.iter().filter(|it| it.value.is_some()).count());
    let is_student = session.role().role == "student";
    Ok(Portrait {
        student_key: key.to_string(),
        as_of_on,
        newest_on: newest,
        head: students::head(&person, named.remove(&key).unwrap_or_default(), notices.len()),
        coverage: json!({ "measures_n": measures_n, "known_n": known_n, "sources": sources }),
        dimensions,
        tags: shown_tags(parts, rows::of_batch(tags.as_ref())?),
        notices,
        self_note: is_student
            .then_some("这些数据来自学校各业务系统；只用于关心与服务，不用于评优或处分。如有不符，请联系辅导员更正。"),
    })
}

/// The newest date with portraits.
pub(crate) async fn newest(session: &Session) -> Result<String, Problem> {
    rows::newest(session, "portrait_student").await?.ok_or_else(Problem::not_ready)
}

/// What is read of a measure on the date that is shown.
const NOW: [&str; 7] = ["measure", "as_of_on", "value", "n", "cov", "z_self", "z_peer"];
/// What is read of a measure in the past: the rest would cost more than half of the reading.
const PAST: [&str; 3] = ["measure", "as_of_on", "value"];

/// What one long table says of a student: everything of one date, and the values of half a year before.
struct Measured {
    /// The row of the date, by measure.
    now: HashMap<String, Row>,
    /// Dates and values in the order of time, by measure.
    history: HashMap<String, Vec<Point>>,
}

impl Measured {
    fn of(now: Option<&RecordBatch>, history: Option<&RecordBatch>) -> Result<Self, Problem> {
        let named = |it: Row| Some((text(&it, "measure")?, it));
        let now = rows::of_batch(now)?.into_iter().filter_map(named).collect();
        // A thousand rows of three columns, straight from these: a map for each would cost as much as reading them.
        let mut lines: HashMap<String, Vec<Point>> = HashMap::new();
        if let Some(batch) = history {
            let [measures, dates, values] = PAST.map(|it| batch.column_by_name(it));
            let (Some(measures), Some(dates)) = (measures, dates) else { return Ok(Self { now, history: lines }) };
            let (measures, dates) = (measures.as_string::<i32>(), dates.as_primitive::<Date32Type>());
            let values = values.map(|it| it.as_primitive::<Float64Type>());
            for (row, (measure, day)) in measures.iter().zip(dates).enumerate() {
                let point = Point {
                    as_of_on: day.and_then(schema::time::days_date),
                    value: values.filter(|it| it.is_valid(row)).map(|it| it.value(row)),
                };
                let measure = measure.unwrap_or_default();
                match lines.get_mut(measure) {
                    Some(line) => line.push(point),
                    None => drop(lines.insert(measure.to_owned(), vec![point])),
                }
            }
        }
        Ok(Self { now, history: lines })
    }
}

/// Dates that are shown with a date, and no others: Mondays make the line, other days come and go with the last two weeks.
fn shown_days(day: i32) -> Vec<i32> {
    (day - HISTORY_DAYS..=day).filter(|it| *it == day || after_monday(*it) == 0).collect()
}

/// Days of a date since the Monday on or before it; 1970 began on a Thursday.
fn after_monday(day: i32) -> i32 {
    (day - 4).rem_euclid(7)
}

/// A measure as it is shown; its history leaves what was measured.
fn measure<'a>(words: &'a MeasureWords, measured: &mut Measured) -> Shown<'a> {
    let history = measured.history.remove(&words.measure).unwrap_or_default();
    let now = measured.now.get(&words.measure);
    let value = now.and_then(|it| number(it, "value"));
    let at = |column: &str| now.map_or(Value::Null, |it| cell(it, column));
    Shown {
        measure: &words.measure,
        title_zh: &words.title_zh,
        title_en: &words.title_en,
        about_zh: &words.about_zh,
        about_en: &words.about_en,
        unit: &words.unit,
        facet: &words.facet,
        is_closed: words.is_closed,
        as_of_on: at("as_of_on"),
        value,
        n: at("n"),
        cov: at("cov"),
        z_self: at("z_self"),
        z_peer: at("z_peer"),
        status: if value.is_some() { "ok" } else { "insufficient" },
        window: &words.window,
        history,
        source: words.source.join(", "),
        reason_zh: None,
        reason_en: None,
    }
}

/// A measure of which nothing is shown, because the student chose so.
fn without(words: &MeasureWords) -> Shown<'_> {
    let nothing = measure(words, &mut Measured { now: HashMap::new(), history: HashMap::new() });
    Shown { reason_zh: Some("本人已选择退出"), reason_en: Some("The student chose to take no part"), ..nothing }
}

/// Tags, the latest first.
fn shown_tags(parts: &Reading, mut found: Vec<Row>) -> Vec<Value> {
    found.sort_by_key(|it| (std::cmp::Reverse(text(it, "since_on")), text(it, "tag")));
    let tag = |it: &Row| {
        let name = text(it, "tag")?;
        let words = parts.catalog.tags.iter().find(|it| it.tag == name)?;
        Some(json!({
            "tag": name, "title_zh": words.title_zh, "title_en": words.title_en, "dimension": words.dimension,
            "since_on": cell(it, "since_on"), "expires_on": cell(it, "expires_on"), "n": cell(it, "n"),
            "evidence_zh": cell(it, "evidence_zh"), "evidence_en": cell(it, "evidence_en"), "source": cell(it, "source"),
        }))
    };
    found.iter().filter_map(tag).collect()
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
