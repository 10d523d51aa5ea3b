//! Which days are worked: what the calendar of the lake says of them, for deadlines of cases.

use anyhow::Context;
use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type};
use casework::{Calendar, Rules};

use crate::house::House;

/// The rules of cases for this campus. Without a calendar Monday to Friday are worked.
///
/// Days of vacation count as worked: somebody is on duty, and late is worse than strict.
pub(crate) async fn rules(house: &House) -> anyhow::Result<Rules> {
    let now = chrono::DateTime::from_timestamp_micros(house.now_us()).context("the clock is out of range")?;
    let offset = chrono::Offset::fix(now.with_timezone(&house.settings.campus.time_zone).offset());
    let offset_us = i64::from(offset.local_minus_utc()) * 1_000_000;
    let mut calendar = Calendar { offset_us, ..Calendar::default() };
    let named = house.settings.subject.calendar.as_ref();
    if let Some(table) = named.filter(|it| house.graph.node(it).is_some()) {
        // Rows of one campus or one year of entry say nothing about the others.
        let sql = format!(
            "SELECT CAST(date AS DATE) AS date, kind FROM {table} \
             WHERE superseded_at IS NULL AND campus IS NULL AND cohort_scope IS NULL AND kind IN ('holiday', 'closed', 'makeup')"
        );
        let context = house.builder().await?.context(&sql, "working days", house.as_of_on().await?).await?;
        for batch in context.sql(&sql).await.context("could not read the calendar")?.collect().await? {
            let (days, kinds) = (cast(batch.column(0), &DataType::Date32)?, cast(batch.column(1), &DataType::Utf8)?);
            for (day, kind) in days.as_primitive::<Date32Type>().iter().zip(kinds.as_string::<i32>()) {
                let Some(day) = day.map(i64::from) else { continue };
                if kind == Some("makeup") {
                    calendar.makeup_days.insert(day)
                } else {
                    calendar.off_days.insert(day)
                };
            }
        }
    }
    Ok(Rules { calendar, visit_plan_ends_us: None })
}
