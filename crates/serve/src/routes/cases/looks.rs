//! What a safety check that goes on needs, one look at a time: the student's telephone, and where they passed a gate last.
//!
//! Shown to whoever climbs the ladder and to nobody else, never with the case itself, and written down with the check it was
//! for. Nothing of it is shown of a check that is over.

use axum::Json;
use axum::extract::Path;
use casework::{ActName, Role, State};
use policy::{LookedUp, Session};
use schema::PersonKind;
use serde_json::{Value, json};
use store::Desk;

use super::{desk, key};
use crate::access::Reader;
use crate::error::Problem;
use crate::rows::{self, Row, cell, text};

/// Days of passages that are looked up without a plan; further back is a query.
const NEAR_DAYS: i32 = 28;

/// Whether the reader climbs the ladder of a safety check that goes on.
pub(super) fn may_telephone(desk: &Desk) -> bool {
    let is_sought = desk.check.as_ref().is_some_and(|it| it.found().is_none());
    let is_open = desk.view.row.as_ref().is_some_and(|it| it.state != State::Closed);
    is_sought && is_open && desk.forms.iter().any(|it| it.act == ActName::CheckStep)
}

/// Whether the reader also looks where the student was last: security, on shift.
pub(super) fn may_locate(desk: &Desk, role: Role) -> bool {
    role == Role::Security && may_telephone(desk)
}

/// The student's own telephone, as the register has it: the first rung.
pub(crate) async fn telephone(reader: Reader, Path(thread_key): Path<String>) -> Result<Json<Value>, Problem> {
    let student_key = look(&reader, &thread_key, "telephone", |desk, _| may_telephone(desk)).await?;
    let known = reader.state.parts.store.vault().identities(PersonKind::Student, &[student_key], &["phone"]).await?;
    let phone = known.get(&student_key).and_then(|it| it.get("phone")).filter(|it| !it.trim().is_empty());
    Ok(Json(json!({ "phone": phone })))
}

/// When and where the student passed a gate last, as far as the lake knows, and nothing else of the day.
pub(crate) async fn last_place(reader: Reader, Path(thread_key): Path<String>) -> Result<Json<Value>, Problem> {
    let student_key = look(&reader, &thread_key, "last_place", may_locate).await?;
    let session = reader.session().await?;
    let mut last = near(&session, student_key).await?;
    if last.is_none() {
        let sql = "SELECT passed_at, device_id, direction FROM safety_passage WHERE student_key = $key \
                   ORDER BY passed_at DESC LIMIT 1";
        last = rows::rows(&session, sql, vec![("key", rows::key(student_key))]).await?.into_iter().next();
    }
    let Some(last) = &last else {
        return Ok(Json(json!({ "passed_at": null, "direction": null, "device_id": null, "place": null })));
    };
    let device_id = text(last, "device_id").unwrap_or_default();
    let sql = "SELECT place FROM stg_device WHERE device_id = $device AND superseded_at IS NULL LIMIT 1";
    let device = datafusion::scalar::ScalarValue::Utf8(Some(device_id));
    let places = rows::rows(&session, sql, vec![("device", device)]).await?;
    Ok(Json(json!({
        "passed_at": cell(last, "passed_at"), "direction": cell(last, "direction"), "device_id": cell(last, "device_id"),
        "place": places.first().map_or(Value::Null, |it| cell(it, "place")),
    })))
}

/// The student's last passage of the newest days. The table has one row a day, so the newest day has the last passage.
async fn near(session: &Session, student_key: i64) -> Result<Option<Row>, Problem> {
    let Some(newest) = session.newest_partition("safety_passage").await? else { return Ok(None) };
    let days: Vec<i32> = (newest - NEAR_DAYS + 1..=newest).collect();
    let columns = &["occurred_on", "passed_at", "device_id", "direction"];
    let [found] = rows::look_up(session, student_key, [LookedUp { table: "safety_passage", columns, days: &days }]).await?;
    Ok(rows::of_batch(found.as_ref())?.into_iter().max_by_key(|it| text(it, "occurred_on")))
}

/// The student of a check that the reader may look for; the look is written down before anything is shown.
async fn look(reader: &Reader, thread_key: &str, what: &str, may: fn(&Desk, Role) -> bool) -> Result<i64, Problem> {
    reader.require_cases()?;
    let (key, role) = (key(thread_key)?, reader.who()?.role);
    let found = desk(reader, key).await?;
    let student_key = found.as_ref().filter(|it| may(it, role)).and_then(|it| it.view.row.as_ref()).map(|it| it.student_key);
    let Some(student_key) = student_key else {
        reader.note("look", format!("case/{key}/{what}"), "refused", None).await?;
        // Who does not see the case does not learn that there is one.
        return Err(if found.is_some() { Problem::forbidden() } else { Problem::not_found() });
    };
    reader.note_look(student_key, what, format!("safety_check/{key}")).await?;
    Ok(student_key)
}
