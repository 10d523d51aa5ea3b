//! `/api/v1/observations/week`: whether a room or class has answered this week (宿舍长→心理委员→辅导员); "nothing to report"
//! is an answer.
//!
//! Posts are grants of accounts, `dorm_head:room:…` and `class_rep:class:…`. A student keeps their own role active: the post
//! opens nothing to read, so nobody has to change roles to say that all is well.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::rejection::JsonRejection;
use casework::{DAY_US, WeeklyObservation};
use policy::Scope;
use serde::Deserialize;
use serde_json::{Value, json};

use super::cases::shown;
use super::health::instant;
use crate::access::Reader;
use crate::error::Problem;
use crate::rows::{self, text};

/// Answers that the store gives at once.
const ANSWERS_A_PAGE: usize = 500;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Answer {
    scope: String,
    is_nothing: bool,
}

/// For whom somebody answers: what scopes call it, and its kind and name for people.
struct Place {
    scope: String,
    kind: &'static str,
    name: String,
}

impl Place {
    fn room(name: String) -> Self {
        Self { scope: Scope::Room(name.clone()).to_string(), kind: "room", name }
    }

    fn class(name: String) -> Self {
        Self { scope: Scope::Class(name.clone()).to_string(), kind: "class", name }
    }
}

/// The rooms and classes that an account answers for, whatever role is active.
fn posts(reader: &Reader) -> Vec<Place> {
    let place = |it: &store::Grant| match (it.role.as_str(), it.scope.parse()) {
        ("dorm_head", Ok(Scope::Room(name))) => Some(Place::room(name)),
        ("class_rep", Ok(Scope::Class(name))) => Some(Place::class(name)),
        _ => None,
    };
    reader.account.grants.iter().filter_map(place).collect()
}

pub(crate) async fn week(reader: Reader) -> Result<Json<Value>, Problem> {
    reader.require_page("observe")?;
    Ok(Json(shown_week(&reader).await?))
}

pub(crate) async fn answer(reader: Reader, body: Result<Json<Answer>, JsonRejection>) -> Result<Json<Value>, Problem> {
    reader.require_page("observe")?;
    let Json(it) = body?;
    if !posts(&reader).iter().any(|post| post.scope == it.scope) {
        return Err(Problem::forbidden());
    }
    let (now, week_day) = (reader.now_us(), monday(&reader));
    let cases = reader.state.parts.store.cases();
    let since_us = week_day * DAY_US - reader.rules().calendar.offset_us;
    let n_reports = if it.is_nothing { 0 } else { cases.reports_since(&reader.account.account, since_us).await? };
    if !it.is_nothing && n_reports == 0 {
        return Err(Problem::unprocessable(
            "本周还没有您提交的情况反映，请先在“反映情况”中写下看到的情况",
            "you have written no observation this week: write what you saw first",
        ));
    }
    reader.note("answer", format!("week/{week_day}/{}", it.scope), "asked", None).await?;
    let week = WeeklyObservation { week_day, scope: it.scope, n_reports };
    cases.observe_week(&week, &reader.account.account, now).await?;
    Ok(Json(shown_week(&reader).await?))
}

/// The Monday of this week, in days since 1970.
fn monday(reader: &Reader) -> i64 {
    let today = reader.rules().calendar.day(reader.now_us());
    // 1970-01-01 was a Thursday.
    today - (today + 3).rem_euclid(7)
}

async fn shown_week(reader: &Reader) -> Result<Value, Problem> {
    let week_day = monday(reader);
    let answers = answers(reader, week_day).await?;
    let mine = posts(reader).into_iter().map(|it| {
        let answer = answers.get(&it.scope).map(|week| week.answer());
        json!({
            "scope": it.scope, "kind": it.kind, "name": it.name, "is_answered": answer.is_some(),
            "answer_zh": answer.as_ref().map(|it| it.zh.clone()), "answer_en": answer.as_ref().map(|it| it.en.clone()),
        })
    });
    let mine: Vec<Value> = mine.collect();
    let places = watched(reader).await?;
    let held = held(reader).await?;
    let shown = |place: &Place, student_n: &i64| {
        json!({
            "scope": place.scope, "kind": place.kind, "name": place.name, "student_n": student_n,
            "has_post": held.contains(&place.scope),
        })
    };
    let missing = places.iter().filter(|(it, _)| !answers.contains_key(&it.scope));
    let missing: Vec<Value> = missing.map(|(place, n)| shown(place, n)).collect();
    let is_read = !places.is_empty();
    if is_read {
        reader.note("read", "week/missing".to_owned(), "ok", i64::try_from(missing.len()).ok()).await?;
    }
    Ok(json!({
        "week_on": shown::day(Some(week_day)),
        "due_at": instant((week_day + 7) * DAY_US - reader.rules().calendar.offset_us),
        "mine": mine,
        "watched": is_read.then(|| json!({ "place_n": places.len(), "answered_n": places.len() - missing.len(), "missing": missing })),
    }))
}

/// All answers of a week, by scope.
async fn answers(reader: &Reader, week_day: i64) -> Result<BTreeMap<String, WeeklyObservation>, Problem> {
    let cases = reader.state.parts.store.cases();
    let mut found = BTreeMap::new();
    let mut after = String::new();
    loop {
        let page = cases.week(week_day, &after, ANSWERS_A_PAGE).await?;
        let is_last = page.len() < ANSWERS_A_PAGE;
        after = page.last().map(|it| it.scope.clone()).unwrap_or_default();
        found.extend(page.into_iter().map(|it| (it.scope.clone(), it)));
        if is_last {
            return Ok(found);
        }
    }
}

/// Scopes for which some open account answers.
async fn held(reader: &Reader) -> Result<BTreeSet<String>, Problem> {
    let accounts = reader.state.parts.store.accounts().list().await?;
    let open = accounts.into_iter().filter(|it| !it.is_disabled).flat_map(|it| it.grants);
    let is_post = |it: &store::Grant| matches!(it.role.as_str(), "dorm_head" | "class_rep");
    Ok(open.filter(is_post).map(|it| it.scope).collect())
}

/// Rooms and classes of a counselor's students, with how many of theirs there are; none for other roles.
async fn watched(reader: &Reader) -> Result<Vec<(Place, i64)>, Problem> {
    if reader.grant.role != "counselor" {
        return Ok(Vec::new());
    }
    let session = reader.session().await?;
    let Some(newest) = rows::newest(&session, "dim_student").await? else { return Ok(Vec::new()) };
    let mut places = Vec::new();
    for (column, place) in [("room_id", Place::room as fn(String) -> Place), ("class", Place::class)] {
        let sql = format!(
            "SELECT {column} AS name, count(*) AS n FROM dim_student WHERE as_of_on = $on AND {column} IS NOT NULL \
             AND is_enrolled GROUP BY {column} ORDER BY {column}"
        );
        let found = rows::rows(&session, &sql, vec![("on", rows::date(&newest)?)]).await?;
        let named = found.iter().filter_map(|it| Some((place(text(it, "name")?), it.get("n").and_then(Value::as_i64)?)));
        places.extend(named);
    }
    Ok(places)
}
