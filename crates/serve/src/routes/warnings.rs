//! `GET /api/v1/warnings`: findings first, then care offers of the newest date, within the reader's scope.

use axum::Json;
use policy::{LookedUp, Session};
use serde::Deserialize;
use serde_json::{Value, json};

use super::students::limit;
use crate::access::Reader;
use crate::error::{Problem, Query};
use crate::rows::{self, Row, cell, number, text};
use crate::state::{Reading, RuleWords};

/// What a finding of no trace looks for before it is shown.
const EXPLANATIONS: [(&str, &str, &str); 6] = [
    ("leave", "请假", "Leave"),
    ("internship", "实习", "Internship"),
    ("campus_event", "校园事件", "Campus event"),
    ("holiday", "假期", "Holiday"),
    ("device_outage", "设备故障", "Device fault"),
    ("lost_card", "校园卡挂失", "Lost card"),
];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Filter {
    after: Option<String>,
    limit: Option<u16>,
}

pub(crate) async fn list(reader: Reader, Query(filter): Query<Filter>) -> Result<Json<Value>, Problem> {
    reader.require_page("care")?;
    let session = reader.session().await?;
    let limit = usize::from(limit(filter.limit)?);
    let skipped: usize = match &filter.after {
        Some(text) => {
            text.parse().map_err(|_| Problem::bad_request("after 是上一页的 next / after is the next of the page before"))?
        }
        None => 0,
    };
    let as_of_on = rows::newest(&session, "portrait_student").await?.ok_or_else(Problem::not_ready)?;
    let on = || rows::date(&as_of_on).map(|it| vec![("on", it)]);
    let findings = rows::rows(
        &session,
        "SELECT * FROM warning_student WHERE as_of_on = $on AND severity IS NULL ORDER BY now_value DESC, warning_id",
        on()?,
    )
    .await?;
    let sql = format!(
        "SELECT * FROM warning_student WHERE as_of_on = $on AND severity IS NOT NULL ORDER BY severity DESC, score DESC, since_on, warning_id LIMIT {} OFFSET {skipped}",
        limit + 1
    );
    let mut offers = rows::rows(&session, &sql, on()?).await?;
    let has_more = limit < offers.len();
    offers.truncate(limit);
    let campus = &reader.state.config.campus;
    Ok(Json(json!({
        "as_of_on": as_of_on,
        "findings": notices(&reader.state.parts, &session, &findings).await?,
        "rows": notices(&reader.state.parts, &session, &offers).await?,
        "next": has_more.then(|| (skipped + limit).to_string()),
        "emergency_zh": campus.emergency_zh,
        "emergency_en": campus.emergency_en,
    })))
}

/// What is offered for one student on a date; empty for a role that reads no offers, as students themselves.
pub(crate) async fn of_student(parts: &Reading, session: &Session, key: i64, as_of_on: &str) -> Result<Vec<Value>, Problem> {
    let day = [rows::day(as_of_on)?];
    let of = |table| LookedUp { table, columns: &[], days: &day };
    let [found, person] = rows::look_up(session, key, [of("warning_student"), of("dim_student")]).await?;
    let mut found = rows::of_batch(found.as_ref())?;
    if found.is_empty() {
        return Ok(Vec::new());
    }
    // What has no severity is a finding of safety, and comes first.
    let first = |it: &Row| number(it, "severity").unwrap_or(f64::INFINITY);
    found.sort_by(|a, b| first(b).total_cmp(&first(a)).then_with(|| text(a, "warning_id").cmp(&text(b, "warning_id"))));
    let person = rows::of_batch(person.as_ref())?.into_iter().next().unwrap_or_default();
    let name = rows::names(parts, session, &[key]).await?.remove(&key).and_then(|it| it.0);
    Ok(found.iter().map(|it| notice(parts, it, &person, name.clone())).collect())
}

async fn notices(parts: &Reading, session: &Session, found: &[Row]) -> Result<Vec<Value>, Problem> {
    let keys: Vec<i64> = found.iter().filter_map(|it| text(it, "student_key")?.parse().ok()).collect();
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let names = rows::names(parts, session, &keys).await?;
    let as_of_on = found.first().and_then(|it| text(it, "as_of_on")).unwrap_or_default();
    // The keys are our own numbers, read from the lake a moment ago.
    let list: Vec<String> = keys.iter().map(ToString::to_string).collect();
    let sql = format!("SELECT * FROM dim_student WHERE as_of_on = $on AND student_key IN ({})", list.join(", "));
    let people = rows::rows(session, &sql, vec![("on", rows::date(&as_of_on)?)]).await?;
    Ok(found
        .iter()
        .map(|it| {
            let key = text(it, "student_key");
            let person = people.iter().find(|it| text(it, "student_key") == key).cloned().unwrap_or_default();
            let name = key.as_ref().and_then(|it| names.get(&it.parse::<i64>().ok()?)).and_then(|it| it.0.clone());
            notice(parts, it, &person, name)
        })
        .collect())
}

fn notice(parts: &Reading, it: &Row, person: &Row, name: Option<String>) -> Value {
    let rule = text(it, "rule").unwrap_or_default();
    // An offer may be made of several findings: the first gives the figures, all give reasons and caveats.
    let rules = text(it, "rules").unwrap_or_default();
    let found: Vec<&RuleWords> =
        rules.split(',').filter_map(|name| parts.catalog.rules.iter().find(|it| it.rule == name)).collect();
    let words = parts.catalog.rules.iter().find(|it| it.rule == rule);
    let measured = words.and_then(|it| parts.catalog.measures.iter().find(|measure| measure.measure == it.measure));
    let lines = |name: &str| -> Vec<String> {
        let text = text(it, name).unwrap_or_default();
        text.lines().filter(|it| !it.is_empty()).map(str::to_owned).collect()
    };
    let each = |of: fn(&RuleWords) -> &String| {
        let mut texts: Vec<&String> = Vec::new();
        for text in found.iter().map(|it| of(it)) {
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        texts
    };
    let joined = |texts: Vec<&String>, between: &str| texts.into_iter().map(String::as_str).collect::<Vec<_>>().join(between);
    let mut notice = json!({
        "warning_id": cell(it, "warning_id"), "student_key": cell(it, "student_key"),
        "student": {
            "name": name, "college_name": cell(person, "college_name"), "class": cell(person, "class"),
            "building": cell(person, "building_name"), "room": cell(person, "room_id"),
        },
        "rule": rule,
        "title_zh": joined(each(|it| &it.title_zh), "、"), "title_en": joined(each(|it| &it.title_en), ", "),
        "thread": cell(it, "thread"), "issued_on": cell(it, "issued_on"),
        "severity": cell(it, "severity"), "as_of_on": cell(it, "as_of_on"), "since_on": cell(it, "since_on"),
        "reasons_zh": lines("reason_zh"), "reasons_en": lines("reason_en"),
        "caveats_zh": each(|it| &it.caveat_zh), "caveats_en": each(|it| &it.caveat_en),
        // One step, of the strongest finding: several would be a plan, and that is for who knows the student.
        "first_step_zh": words.map(|it| &it.first_step_zh), "first_step_en": words.map(|it| &it.first_step_en),
        "baseline": cell(it, "baseline"), "now": cell(it, "now_value"), "unit": words.map(|it| it.unit.clone()),
        "evidence": [{
            "measure": words.map_or(rule.as_str(), |it| it.measure.as_str()),
            "title_zh": measured.map(|it| it.title_zh.clone()).or_else(|| words.map(|it| it.title_zh.clone())),
            "title_en": measured.map(|it| it.title_en.clone()).or_else(|| words.map(|it| it.title_en.clone())),
            "unit": words.map(|it| it.unit.clone()),
            "value": cell(it, "now_value"), "n": cell(it, "n"), "cov": cell(it, "cov"),
        }],
    });
    if rule == "no_trace" {
        let found = text(it, "explanations").unwrap_or_default();
        let explanations: Vec<Value> = EXPLANATIONS
            .iter()
            .map(|(name, zh, en)| json!({ "explanation": name, "is_present": found.split(',').any(|it| it == *name), "title_zh": zh, "title_en": en }))
            .collect();
        // A finding compares hours with nothing: what was usual stands in its rule.
        notice["baseline"] = Value::Null;
        notice["now"] = Value::Null;
        notice["silence_h"] = json!(number(it, "now_value"));
        notice["last_seen_at"] = cell(it, "last_seen_at");
        notice["last_seen_source"] = cell(it, "last_seen_source");
        notice["explanations"] = json!(explanations);
    }
    notice
}
