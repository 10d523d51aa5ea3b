//! `GET /api/v1/cockpit`: aggregates of the newest date, suppressed when they were built. No names.

use axum::Json;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::access::Reader;
use crate::error::{Problem, Query};
use crate::rows::{self, Row, cell, number, text};

/// Figures of the first screen beyond the nightly ones: where a source is not connected its figure is named, not drawn.
const FROM_SOURCES: [&str; 8] = [
    "resolution_rate",
    "leader_frontline",
    "duty_attainment",
    "talk_coverage",
    "care_timeliness",
    "capacity_shortfall",
    "academic_help_coverage",
    "five_education_participation",
];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Filter {
    college: Option<String>,
}

pub(crate) async fn cockpit(reader: Reader, Query(filter): Query<Filter>) -> Result<Json<Value>, Problem> {
    reader.require_page("cockpit")?;
    let session = reader.session().await?;
    let as_of_on = rows::newest(&session, "cockpit_data").await?.ok_or_else(Problem::not_ready)?;
    let on = || rows::date(&as_of_on).map(|it| vec![("on", it)]);
    // What a role does not read is no part of its cockpit: a college has no figures of other colleges' floors.
    let read = async |table: &str, order: &str| {
        if session.schema(table).await.is_err() {
            return Ok(Vec::new());
        }
        rows::rows(&session, &format!("SELECT * FROM {table} WHERE as_of_on = $on ORDER BY {order}"), on()?).await
    };
    let nights = read("cockpit_night", "night_on").await?;
    let people = read("cockpit_population", "scope, part").await?;
    let tickets = read("cockpit_ticket", "grouped_by, group_value, period").await?;
    let days = read("cockpit_ticket_day", "day_on").await?;
    let floors = read("cockpit_floor", "building_id, floor DESC").await?;
    let issues = read("cockpit_issue", "open_n DESC, oldest_days DESC").await?;
    let data = read("cockpit_data", "as_of_on").await?;

    let is_there = |scope: &str| people.iter().any(|it| text(it, "scope").as_deref() == Some(scope));
    // Whoever answers for one college begins with it.
    let own = if is_there("university") { None } else { people.first().and_then(|it| text(it, "scope")) };
    let scope = filter.college.as_deref().or(own.as_deref()).unwrap_or("university");
    if !is_there(scope) {
        return Err(Problem::not_found());
    }
    let at = day_start(&reader, &as_of_on);
    let own_nights: Vec<&Row> = nights.iter().filter(|it| text(it, "scope").as_deref() == Some(scope)).collect();
    let now = group(&tickets, "all", "", "now");
    let before = group(&tickets, "all", "", "before");
    let mut figures = vec![population(&people, scope, &at)];
    let verified_n = verified(&reader, &own_nights, scope).await?;
    figures.extend(night_figures(&own_nights, verified_n, reader.state.config.k_default, &at));
    figures.extend(ticket_figures(now, before, &at));
    if session.schema("cockpit_issue").await.is_ok() {
        figures.push(figure(
            "emerging_issue",
            "count",
            json!(issues.len()),
            Value::Null,
            Value::Null,
            Value::Null,
            Value::Null,
            &at,
            "ok",
            json!([]),
        ));
    }
    let contact = read("cockpit_contact", "scope").await?;
    // How many are enrolled would give a hidden part of them away.
    let is_told = figures.first().is_some_and(|it| it["status"] == "ok");
    figures.extend(of_scope(&contact, scope).map(|it| talk_figure(it, is_told, &at)));
    if scope == "university" {
        let duty = read("cockpit_duty", "scope").await?;
        figures.extend(of_scope(&duty, scope).and_then(|it| reception_figure(it, &at)));
        let activities = read("cockpit_activity", "dimension").await?;
        let enrolled = of_scope(&contact, scope).and_then(|it| number(it, "student_n"));
        figures.extend(activity_figure(&activities, enrolled, is_told, &at));
    }
    // Beside each other, colleges would tell of what is hidden in each.
    if scope == "university" || own.is_some() {
        let offers = read("cockpit_warning", "scope").await?;
        figures.extend(of_scope(&offers, scope).map(|it| shortfall_figure(it, &at)));
    }
    if let Some(data) = data.first() {
        figures.push(data_figure(data, reader.state.parts.data_item_n().await?, &at));
    }
    let colleges: Vec<Value> = colleges(&people, &nights, &tickets);
    let is_drawn = |name: &str| figures.iter().any(|it| it["figure"] == name);
    let not_built: Vec<&str> = FROM_SOURCES.into_iter().filter(|it| !is_drawn(it)).collect();
    Ok(Json(json!({
        "as_of_on": as_of_on,
        "as_of_at": at,
        "college": filter.college,
        "figures": figures,
        "floors": floors.iter().map(floor).collect::<Vec<_>>(),
        "nightly": own_nights.iter().map(|it| json!({
            "on": cell(it, "night_on"), "night_return_rate": share(number(it, "back_n"), number(it, "due_n")), "unverified_n": cell(it, "absent_n"),
        })).collect::<Vec<_>>(),
        "tickets_daily": days.iter().map(ticket_day).collect::<Vec<_>>(),
        "colleges": colleges,
        "overdue_offices": overdue(&tickets),
        "emerging": issues.iter().map(|it| json!({
            "category": cell(it, "category"), "building": text(it, "building_name").or_else(|| text(it, "building_id")),
            "open_n": cell(it, "open_n"), "oldest_days": cell(it, "oldest_days"),
        })).collect::<Vec<_>>(),
        "not_built": not_built,
    })))
}

/// The instant at which the as-of day begins, in UTC.
pub(crate) fn day_start(reader: &Reader, as_of_on: &str) -> String {
    let mut clock = reader.state.config.campus.clock();
    let date: Option<chrono::NaiveDate> = as_of_on.parse().ok();
    date.and_then(|it| super::health::instant(clock.day_start(schema::time::date_days(it)))).unwrap_or_default()
}

#[expect(clippy::too_many_arguments, reason = "one argument a field of the figure")]
pub(crate) fn figure(
    name: &str,
    unit: &str,
    value: Value,
    numerator: Value,
    denominator: Value,
    previous: Value,
    completeness: Value,
    at: &str,
    status: &str,
    parts: Value,
) -> Value {
    json!({
        "figure": name, "unit": unit, "value": value, "numerator": numerator, "denominator": denominator, "previous": previous,
        "completeness": completeness, "as_of_at": at, "status": status, "parts": parts,
    })
}

/// Part over whole; NULL where either is, or there is nothing to share.
pub(crate) fn share(part: Option<f64>, whole: Option<f64>) -> Value {
    match (part, whole) {
        (Some(part), Some(whole)) if 0.0 < whole => json!(part / whole),
        _ => Value::Null,
    }
}

fn population(people: &[Row], scope: &str, at: &str) -> Value {
    let own: Vec<&Row> = people.iter().filter(|it| text(it, "scope").as_deref() == Some(scope)).collect();
    // The sum is shown only where no part is hidden: it would give the hidden one away.
    let total: Option<f64> = own.iter().map(|it| number(it, "student_n")).sum();
    let named = |it: &Row| match text(it, "part").as_deref() {
        Some("boarder") => "on_campus_boarder".to_owned(),
        other => other.unwrap_or_default().to_owned(),
    };
    let parts: Vec<Value> = own.iter().map(|it| json!({ "part": named(it), "value": cell(it, "student_n") })).collect();
    let status = if total.is_some() { "ok" } else { "suppressed" };
    figure(
        "campus_population",
        "person",
        json!(total),
        json!(total),
        json!(total),
        Value::Null,
        json!(1.0),
        at,
        status,
        json!(parts),
    )
}

/// How many of the last night's absences somebody has looked after by now; for the university only, as the absences.
async fn verified(reader: &Reader, nights: &[&Row], scope: &str) -> Result<Option<i64>, Problem> {
    let Some(night_on) = nights.last().and_then(|it| text(it, "night_on")).filter(|_| scope == "university") else {
        return Ok(None);
    };
    Ok(i64::try_from(super::absences::answers(reader, &night_on).await?.len()).ok())
}

/// The share of a night's absences that somebody has looked after; nothing where fewer than `k` were, or fewer are left.
fn looked_after(verified_n: i64, absent_n: Option<f64>, k: i64) -> Value {
    let is_small = |it: f64| 0.0 < it && it < k as f64;
    let verified = verified_n as f64;
    let is_told = !is_small(verified) && !absent_n.is_some_and(|it| is_small(it - verified));
    if is_told { share(Some(verified), absent_n) } else { Value::Null }
}

fn night_figures(nights: &[&Row], verified_n: Option<i64>, k: i64, at: &str) -> Vec<Value> {
    let Some(last) = nights.last() else { return Vec::new() };
    let before = nights.len().checked_sub(2).and_then(|it| nights.get(it));
    let rate = |it: &Row| share(number(it, "back_n"), number(it, "due_n"));
    let (due, unseen) = (number(last, "due_n"), number(last, "unseen_n"));
    let completeness = share(due, due.zip(unseen).map(|(due, unseen)| due + unseen));
    let status = text(last, "status").unwrap_or_default();
    let previous = before.map_or(Value::Null, |it| rate(it));
    let absent_before = before.map_or(Value::Null, |it| cell(it, "absent_n"));
    let absent = cell(last, "absent_n");
    // Of the last night by what was answered until now, of the night before by what the lake knows.
    let verified = verified_n.map_or_else(
        || json!([]),
        |n| {
            let night_before = before.map_or(Value::Null, |it| share(number(it, "verified_n"), number(it, "listed_n")));
            json!([
                { "part": "verified_rate", "value": looked_after(n, number(last, "absent_n"), k) },
                { "part": "before_verified_rate", "value": night_before },
            ])
        },
    );
    let absent_status = if absent.is_null() { "suppressed" } else { "ok" };
    vec![
        figure(
            "night_return_rate",
            "share",
            rate(last),
            cell(last, "back_n"),
            cell(last, "due_n"),
            previous,
            completeness.clone(),
            at,
            &status,
            json!([{ "part": "unseen", "value": cell(last, "unseen_n") }, { "part": "leave", "value": cell(last, "leave_n") }]),
        ),
        figure(
            "unverified_absence",
            "person",
            absent.clone(),
            absent,
            cell(last, "due_n"),
            absent_before,
            completeness,
            at,
            absent_status,
            verified,
        ),
    ]
}

/// Figures of the request loop, as cockpit and ticket page show them.
pub(crate) fn ticket_figures(now: Option<&Row>, before: Option<&Row>, at: &str) -> Vec<Value> {
    let Some(now) = now else { return Vec::new() };
    let with = |name: &str, part: &str, whole: &str, parts: Value| {
        let value = share(number(now, part), number(now, whole));
        let previous = before.map_or(Value::Null, |it| share(number(it, part), number(it, whole)));
        let status = if value.is_null() { "insufficient" } else { "ok" };
        figure(name, "share", value, cell(now, part), cell(now, whole), previous, Value::Null, at, status, parts)
    };
    let rate = |name: &str, part: &str, whole: &str| with(name, part, whole, json!([]));
    // How many were asked or rated at all stands beside what they said: ten happy answers of a thousand requests say little.
    let of_resolved =
        |part: &str, column: &str| json!([{ "part": part, "value": share(number(now, column), number(now, "resolved_n")) }]);
    vec![
        rate("on_time_rate", "on_time_n", "due_n"),
        with("resolution_rate", "solved_n", "confirmed_n", of_resolved("confirmed_share", "confirmed_n")),
        with("satisfaction_rate", "satisfied_n", "rated_n", of_resolved("rated_share", "rated_n")),
        rate("response_rate", "responded_n", "dispatched_n"),
        figure(
            "overdue",
            "count",
            cell(now, "overdue_n"),
            cell(now, "overdue_n"),
            Value::Null,
            Value::Null,
            Value::Null,
            at,
            "ok",
            json!([]),
        ),
    ]
}

fn of_scope<'a>(rows: &'a [Row], scope: &str) -> Option<&'a Row> {
    rows.iter().find(|it| text(it, "scope").as_deref() == Some(scope))
}

/// A share to the hundredth: an exact one would tell both of its numbers.
fn rounded(part: Option<f64>, whole: Option<f64>) -> Value {
    share(part, whole).as_f64().map_or(Value::Null, |it| json!((it * 100.0).round() / 100.0))
}

/// Who was talked with in 28 days, and how long ago the last talk lies. Counts stand beside it only where all parts of who is
/// enrolled are told.
fn talk_figure(it: &Row, is_told: bool, at: &str) -> Value {
    let value = rounded(number(it, "met_n"), number(it, "student_n"));
    let parts = json!([
        { "part": "gap_days_p50", "value": cell(it, "gap_days_p50") },
        { "part": "room_n", "value": cell(it, "room_n") },
    ]);
    let status = if value.is_null() { "suppressed" } else { "ok" };
    let count = |name: &str| if is_told && status == "ok" { cell(it, name) } else { Value::Null };
    figure("talk_coverage", "share", value, count("met_n"), count("student_n"), Value::Null, Value::Null, at, status, parts)
}

/// Rostered reception days that were held; a school without a roster has no such figure.
fn reception_figure(it: &Row, at: &str) -> Option<Value> {
    let (held, due) = (cell(it, "reception_held_n"), cell(it, "reception_due_n"));
    let value = share(number(it, "reception_held_n"), number(it, "reception_due_n"));
    let plans = json!([{ "part": "reviewed_share", "value": share(number(it, "reviewed_n"), number(it, "plan_n")) }]);
    (!value.is_null()).then(|| figure("leader_frontline", "share", value, held, due, Value::Null, Value::Null, at, "ok", plans))
}

/// Students who came to any activity of 60 days, and to those of each dimension; the table hides where few came, or few did not.
fn activity_figure(activities: &[Row], enrolled: Option<f64>, is_told: bool, at: &str) -> Option<Value> {
    let came = |it: &Row| number(it, "participant_n").filter(|n| enrolled.is_some_and(|all| *n <= all));
    let is_whole = |it: &&Row| text(it, "dimension").as_deref() == Some("all");
    let whole = activities.iter().find(is_whole)?;
    let part = |it: &Row| json!({ "part": format!("{}_share", text(it, "dimension").unwrap_or_default()), "value": rounded(came(it), enrolled) });
    let parts: Vec<Value> = activities.iter().filter(|it| !is_whole(it)).map(part).collect();
    let value = rounded(came(whole), enrolled);
    let status = if value.is_null() { "suppressed" } else { "ok" };
    let count = |n: Option<f64>| if is_told && status == "ok" { json!(n) } else { Value::Null };
    let named = "five_education_participation";
    let (numerator, denominator) = (count(came(whole)), count(enrolled));
    Some(figure(named, "share", value, numerator, denominator, Value::Null, Value::Null, at, status, json!(parts)))
}

/// Students of whom something was found and for whom nobody has hours; one to nine are not told.
fn shortfall_figure(it: &Row, at: &str) -> Value {
    let (value, status) = match text(it, "shortfall_status").as_deref() {
        Some("none") => (json!(0), "ok"),
        Some("few") | None => (Value::Null, "suppressed"),
        // A college may be hidden because another one would follow from it.
        Some(_) if cell(it, "shortfall_n").is_null() => (Value::Null, "suppressed"),
        Some(_) => (cell(it, "shortfall_n"), "ok"),
    };
    figure("capacity_shortfall", "person", value.clone(), value, Value::Null, Value::Null, Value::Null, at, status, json!([]))
}

fn data_figure(data: &Row, data_item_n: usize, at: &str) -> Value {
    let parts = json!([
        { "part": "device_online_rate", "value": cell(data, "device_online_rate") },
        { "part": "data_item_n", "value": data_item_n },
        { "part": "portrait_coverage", "value": share(number(data, "portrait_n"), number(data, "student_n")) },
    ]);
    figure(
        "safety_and_data",
        "share",
        cell(data, "device_online_rate"),
        Value::Null,
        cell(data, "device_n"),
        cell(data, "device_online_rate_before"),
        Value::Null,
        at,
        "ok",
        parts,
    )
}

fn floor(it: &Row) -> Value {
    json!({
        "building_id": cell(it, "building_id"), "building": text(it, "building_name").or_else(|| text(it, "building_id")),
        "floor": cell(it, "floor"), "due_n": cell(it, "due_n"), "back_n": cell(it, "back_n"),
        "night_return_rate": share(number(it, "back_n"), number(it, "due_n")),
        "repair_open_n": cell(it, "repair_open_n"), "device_online_rate": cell(it, "device_online_rate"), "status": cell(it, "status"),
    })
}

pub(crate) fn ticket_day(it: &Row) -> Value {
    json!({ "on": cell(it, "day_on"), "opened_n": cell(it, "opened_n"), "resolved_n": cell(it, "resolved_n"), "overdue_n": cell(it, "overdue_n") })
}

/// One group of the ticket figures.
pub(crate) fn group<'a>(tickets: &'a [Row], by: &str, value: &str, period: &str) -> Option<&'a Row> {
    tickets.iter().find(|it| {
        text(it, "grouped_by").as_deref() == Some(by)
            && text(it, "group_value").unwrap_or_default() == value
            && text(it, "period").as_deref() == Some(period)
    })
}

fn overdue(tickets: &[Row]) -> Vec<Value> {
    let mut offices: Vec<(String, i64)> = tickets
        .iter()
        .filter(|it| text(it, "grouped_by").as_deref() == Some("office") && text(it, "period").as_deref() == Some("now"))
        .map(|it| (text(it, "group_value").unwrap_or_default(), number(it, "overdue_n").unwrap_or_default() as i64))
        .filter(|it| 0 < it.1)
        .collect();
    offices.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    offices.truncate(5);
    offices.into_iter().map(|(office, overdue_n)| json!({ "office": office, "overdue_n": overdue_n })).collect()
}

fn colleges(people: &[Row], nights: &[Row], tickets: &[Row]) -> Vec<Value> {
    let mut scopes: Vec<(String, String)> = people
        .iter()
        .filter_map(|it| Some((text(it, "scope")?, text(it, "scope_name").unwrap_or_default())))
        .filter(|it| it.0 != "university")
        .collect();
    scopes.sort();
    scopes.dedup();
    scopes
        .into_iter()
        .map(|(scope, name)| {
            let total: Option<f64> =
                people.iter().filter(|it| text(it, "scope").as_deref() == Some(&scope)).map(|it| number(it, "student_n")).sum();
            let night = nights.iter().rfind(|it| text(it, "scope").as_deref() == Some(&scope));
            json!({
                "college": scope, "college_name": name, "student_n": total,
                "night_return_rate": night.map_or(Value::Null, |it| share(number(it, "back_n"), number(it, "due_n"))),
                "ticket_on_time_rate": group(tickets, "college", &scope, "now").map_or(Value::Null, |it| share(number(it, "on_time_n"), number(it, "due_n"))),
                "status": if total.is_some() { "ok" } else { "suppressed" },
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_who_were_looked_after_or_are_left_are_no_share() {
        assert_eq!(looked_after(0, Some(12.0), 5), json!(0.0));
        assert_eq!(looked_after(6, Some(12.0), 5), json!(0.5));
        assert_eq!(looked_after(12, Some(12.0), 5), json!(1.0));
        for few in [1, 4, 8, 11] {
            assert_eq!(looked_after(few, Some(12.0), 5), Value::Null, "{few} of 12");
        }
        assert_eq!(looked_after(3, Some(12.0), 1), json!(0.25), "a school that tells of everybody");
        assert_eq!(looked_after(9, None, 5), Value::Null);
    }
}
