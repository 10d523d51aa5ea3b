//! `GET /api/v1/tickets`: the request loop in figures (接诉即办).

use axum::Json;
use serde::Deserialize;
use serde_json::{Value, json};

use super::cockpit::{day_start, group, share, ticket_day, ticket_figures};
use crate::access::Reader;
use crate::error::{Problem, Query};
use crate::rows::{self, Row, cell, number, text};

/// Steps of the loop with the columns that count them.
const LOOP: [(&str, &str); 5] = [
    ("reported", "ticket_n"),
    ("dispatched", "dispatched_n"),
    ("responded", "responded_n"),
    ("resolved", "resolved_n"),
    ("followed_up", "followed_up_n"),
];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Filter {
    office: Option<String>,
    category: Option<String>,
}

pub(crate) async fn tickets(reader: Reader, Query(filter): Query<Filter>) -> Result<Json<Value>, Problem> {
    reader.require_page("tickets")?;
    let session = reader.session().await?;
    let as_of_on = rows::newest(&session, "cockpit_ticket").await?.ok_or_else(Problem::not_ready)?;
    let on = || rows::date(&as_of_on).map(|it| vec![("on", it)]);
    let found =
        rows::rows(&session, "SELECT * FROM cockpit_ticket WHERE as_of_on = $on ORDER BY ticket_n DESC, group_value", on()?)
            .await?;
    let days = rows::rows(&session, "SELECT * FROM cockpit_ticket_day WHERE as_of_on = $on ORDER BY day_on", on()?).await?;
    let (by, value) = match (&filter.office, &filter.category) {
        (Some(office), _) => ("office", office.as_str()),
        (None, Some(category)) => ("category", category.as_str()),
        (None, None) => ("all", ""),
    };
    let now = group(&found, by, value, "now").ok_or_else(Problem::not_found)?;
    let at = day_start(&reader, &as_of_on);
    Ok(Json(json!({
        "as_of_on": as_of_on,
        "figures": ticket_figures(Some(now), group(&found, by, value, "before"), &at),
        "by_category": groups(&found, "category"),
        "by_office": groups(&found, "office"),
        "loop": LOOP.map(|(stage, column)| json!({ "stage": stage, "ticket_n": cell(now, column) })),
        "daily": days.iter().map(ticket_day).collect::<Vec<_>>(),
    })))
}

fn groups(found: &[Row], by: &str) -> Vec<Value> {
    found
        .iter()
        .filter(|it| text(it, "grouped_by").as_deref() == Some(by) && text(it, "period").as_deref() == Some("now"))
        .map(|it| {
            json!({
                by: cell(it, "group_value"), "ticket_n": cell(it, "ticket_n"),
                "on_time_rate": share(number(it, "on_time_n"), number(it, "due_n")),
                "median_hours": cell(it, "median_hours"), "overdue_n": cell(it, "overdue_n"),
            })
        })
        .collect()
}
