//! Which days are worked: what the calendar of the lake says of them, for deadlines of cases.

use std::collections::BTreeSet;

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
    let (mut free, mut vacation) = (BTreeSet::new(), BTreeSet::new());
    let named = house.settings.subject.calendar.as_ref();
    if let Some(table) = named.filter(|it| house.graph.node(it).is_some()) {
        // Rows of one campus or one year of entry say nothing about the others.
        let sql = format!(
            "SELECT CAST(date AS DATE) AS date, kind FROM {table} \
             WHERE superseded_at IS NULL AND campus IS NULL AND cohort_scope IS NULL AND kind IN ('holiday', 'closed', 'makeup', 'vacation', 'weekend')"
        );
        let context = house.builder().await?.context(&sql, "working days", house.as_of_on().await?).await?;
        for batch in context.sql(&sql).await.context("could not read the calendar")?.collect().await? {
            let (days, kinds) = (cast(batch.column(0), &DataType::Date32)?, cast(batch.column(1), &DataType::Utf8)?);
            for (day, kind) in days.as_primitive::<Date32Type>().iter().zip(kinds.as_string::<i32>()) {
                let Some(day) = day.map(i64::from) else { continue };
                match kind {
                    Some("makeup") => drop(calendar.makeup_days.insert(day)),
                    Some("vacation") => drop(vacation.insert(day)),
                    Some("weekend") => {}
                    _ => drop(calendar.off_days.insert(day)),
                }
                if kind != Some("makeup") {
                    free.insert(day);
                }
            }
        }
    }
    Ok(Rules { calendar, breaks: breaks(&free, &vacation), ..Rules::default() })
}

/// Runs of days off that last a week or hold a day of vacation, each its first day off and the first that is not.
fn breaks(free: &BTreeSet<i64>, vacation: &BTreeSet<i64>) -> Vec<(i64, i64)> {
    let mut runs: Vec<(i64, i64)> = Vec::new();
    for day in free {
        match runs.last_mut() {
            Some((_, until)) if *until == *day => *until += 1,
            _ => runs.push((*day, day + 1)),
        }
    }
    runs.retain(|(from, until)| 7 <= until - from || vacation.range(from..until).next().is_some());
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_break_is_a_week_off_or_a_vacation_and_no_weekend() {
        let weekend = [5, 6];
        let golden_week = 10..18;
        let winter = 30..60;
        let free: BTreeSet<i64> = weekend.into_iter().chain(golden_week).chain(28..30).chain(winter.clone()).collect();
        let vacation: BTreeSet<i64> = winter.collect();
        assert_eq!(breaks(&free, &vacation), [(10, 18), (28, 60)]);
    }
}
