//! `GET /api/v1/lists/{list}/gaps`: buildings of which a list of the night says nothing, and why (名单缺口).
//!
//! Who is out tonight is told only of buildings whose gates are known to work and to tell of passages. Of the others nobody
//! stands on the list, which would read as if everybody were in.

use axum::Json;
use axum::extract::Path;
use datafusion::scalar::ScalarValue;
use serde_json::{Value, json};

use crate::access::Reader;
use crate::error::Problem;
use crate::rows::{self, Row, cell};

/// The list that is told building by building.
const LIST: &str = "out_tonight";

/// Buildings in which students of the reader live, each with what is known of its list at a moment of the open day.
const BUILDINGS: &str = "\
    SELECT own.building_name, tonight.quiet_since_at, \
        coalesce(tonight.from_at <= $now, FALSE) AS is_due, \
        coalesce(tonight.until_at > $now, FALSE) AS is_told, \
        tonight.building_id IS NOT NULL AS has_gates \
    FROM (SELECT DISTINCT building_id, building_name FROM dim_student \
        WHERE as_of_on = (SELECT max(as_of_on) FROM dim_student) AND building_id IS NOT NULL) AS own \
    LEFT JOIN int_building_tonight AS tonight ON tonight.building_id = own.building_id AND tonight.night_on = $on \
    ORDER BY own.building_name";

pub(crate) async fn gaps(reader: Reader, Path(list): Path<String>) -> Result<Json<Value>, Problem> {
    reader.require_page("lists")?;
    let session = reader.session().await?;
    let words = reader.state.parts.catalog.lists.iter().find(|it| it.list == list).ok_or_else(Problem::not_found)?;
    // Who has no part in the list has none in what it leaves out.
    session.schema(&format!("list_{}", words.list)).await?;
    let is_of_buildings =
        words.list == LIST && session.schema("int_building_tonight").await.is_ok() && session.schema("dim_student").await.is_ok();
    let buildings = if is_of_buildings {
        let now_us = reader.now_us();
        let on = reader.state.config.campus.clock().moment(now_us).occurred_on;
        let params = vec![
            ("now", ScalarValue::TimestampMicrosecond(Some(now_us), Some("UTC".into()))),
            ("on", ScalarValue::Date32(Some(on))),
        ];
        rows::rows(&session, BUILDINGS, params).await?
    } else {
        Vec::new()
    };
    Ok(Json(json!({ "gaps": without_list(&buildings) })))
}

/// The buildings whose list is due and not there. One without any gate in the register has none as soon as others have theirs.
fn without_list(buildings: &[Row]) -> Vec<Value> {
    let is = |row: &Row, name: &str| cell(row, name) == Value::Bool(true);
    let is_night = buildings.iter().any(|it| is(it, "is_due"));
    let is_gap = |it: &&Row| is_night && !is(it, "is_told") && (is(it, "is_due") || !is(it, "has_gates"));
    let told = |it: &Row| json!({ "building": cell(it, "building_name"), "quiet_since": cell(it, "quiet_since_at") });
    buildings.iter().filter(is_gap).map(told).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn building(name: &str, is_due: bool, is_told: bool, has_gates: bool, quiet_since: Option<&str>) -> Row {
        let row = json!({ "building_name": name, "is_due": is_due, "is_told": is_told, "has_gates": has_gates,
            "quiet_since_at": quiet_since });
        row.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn a_building_whose_list_is_due_and_not_there_is_told_with_its_reason() {
        let quiet = building("quiet", true, false, true, Some("2025-11-03T11:20:00Z"));
        let well = building("well", true, true, true, None);
        let later = building("later", false, false, true, None);
        let broken = building("broken", true, false, true, None);
        let gateless = building("gateless", false, false, false, None);
        let told = without_list(&[quiet, well, later.clone(), broken, gateless.clone()]);
        let gap = |name: &str, since: Option<&str>| json!({ "building": name, "quiet_since": since });
        assert_eq!(told, [gap("quiet", Some("2025-11-03T11:20:00Z")), gap("broken", None), gap("gateless", None)]);
        // Before any building has closed no list is due.
        assert_eq!(without_list(&[later, gateless]), Vec::<Value>::new());
    }
}
