//! `/api/v1/delegations`: somebody does another's work for a while (委托); always with an end.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use casework::{DAY_US, Delegation};
use serde::Deserialize;
use serde_json::{Value, json};

use super::follow_ups::day_start;
use super::hand_overs::{colleagues, expect_colleague};
use super::health::instant;
use crate::access::Reader;
use crate::error::Problem;

const ROWS_MAX: usize = 200;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ask {
    to_account: String,
    from_on: String,
    /// The last day.
    until_on: String,
}

pub(crate) async fn list(reader: Reader) -> Result<Json<Value>, Problem> {
    reader.require_page("care")?;
    Ok(Json(running(&reader).await?))
}

pub(crate) async fn delegate(reader: Reader, body: Result<Json<Ask>, JsonRejection>) -> Result<Json<Value>, Problem> {
    reader.require_page("care")?;
    let Json(it) = body?;
    expect_colleague(&reader, &it.to_account).await?;
    let calendar = reader.rules().calendar;
    let delegation = Delegation {
        from: reader.account.account.clone(),
        to: it.to_account,
        from_us: day_start(&it.from_on, &calendar)?,
        until_us: day_start(&it.until_on, &calendar)? + DAY_US,
    };
    let resource = format!("delegation/{}/{}/{}", delegation.to, it.from_on, it.until_on);
    reader.note("delegate", resource, "asked", None).await?;
    reader.state.parts.store.cases().delegate(&delegation).await?;
    Ok(Json(running(&reader).await?))
}

async fn running(reader: &Reader) -> Result<Value, Problem> {
    let now = reader.now_us();
    let found = reader.state.parts.store.cases().delegations(&reader.account.account, now, ROWS_MAX).await?;
    let rows = found.iter().map(|it| {
        json!({
            "from_account": it.from, "to_account": it.to, "from_at": instant(it.from_us), "until_at": instant(it.until_us),
            "is_running": it.runs_at(now),
        })
    });
    Ok(json!({ "rows": rows.collect::<Vec<_>>(), "takers": colleagues(reader).await? }))
}
