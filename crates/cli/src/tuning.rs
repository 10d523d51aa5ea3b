//! `yizhan warn tune`: the bound of trends that the talks of a week have room for, worked out from past weeks only.
//!
//! It proposes and changes nothing: a bound decides whom offers are made of for months, so a person writes it into the
//! settings. What was proposed, on which weeks, stands in the audit log.

use std::io::Write;
use std::process::ExitCode;

use schema::time::days_date;
use serde_json::json;
use warning::{TrendRules, WEEKS_MIN};

use crate::commands::Format;
use crate::exit::Caller;
use crate::house::House;

/// Prints the bound that follows, and what others would have given.
pub(crate) async fn say(house: &House, weeks: usize, times: f64, format: Format) -> anyhow::Result<ExitCode> {
    if !(times.is_finite() && 0.0 < times) {
        anyhow::bail!(Caller(format!("--times {times}: 须为大于 0 的倍数 / the multiple is a number above 0")));
    }
    let as_of_on = house.as_of_on().await?;
    let builder = house.builder().await?;
    let rules = &house.settings.warning.trend;
    // Every bound that is tried must be visible: a signal is told from half of its bound on.
    let low = TrendRules { cusum_h: rules.z_max.min(1.0), ..rules.clone() };
    // One Monday more says what stood before the first week.
    let mondays = builder.mondays(as_of_on, weeks.saturating_add(1)).await?;
    let mut found = Vec::with_capacity(mondays.len());
    for on in &mondays {
        found.push(builder.signals_under(&low, *on).await?);
    }
    let (talks, owners) = (house.settings.warning.capacity.talks(), builder.owners(as_of_on).await?);
    let room = f64::from(talks) * owners as f64 * times;
    let tuned = warning::tune(&low, &found, room);
    let day = |it: Option<&i32>| it.and_then(|it| days_date(*it)).map(|it| it.to_string()).unwrap_or_default();
    let (from, until) = (day(mondays.get(1)), day(mondays.last()));
    let now = rules.cusum_h;
    let said = json!({
        "cusum_h": tuned.cusum_h, "cusum_h_now": now, "weeks": tuned.weeks, "from": from, "until": until, "talks_a_week": talks,
        "owners": owners, "times": times, "room_a_week": tuned.room_a_week, "levels": tuned.levels,
    });
    let bound = tuned.cusum_h.map_or_else(|| "none".to_owned(), |it| it.to_string());
    let grounds = format!(
        "{bound} proposed (now {now}): {owners} owners, {talks} talks a week, times {times}, {} weeks from {from} to {until}",
        tuned.weeks
    );
    let event = store::AuditEvent {
        action: "propose".to_owned(),
        actor: crate::commands::owner(),
        at_us: house.now_us(),
        outcome: "ok".to_owned(),
        purpose: Some(grounds),
        resource: "warning.trend.cusum_h".to_owned(),
        role: "owner".to_owned(),
        row_count: None,
        session: None,
    };
    house.store.audit().append(event).await?;
    let mut out = std::io::stdout();
    if matches!(format, Format::Json) {
        writeln!(out, "{said}")?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(
        out,
        "{owners} 位负责人每周各 {talks} 次谈话，按 {times} 倍计，每周容纳 {room:.1} 名 / {owners} owners with {talks} talks a week, times {times}: room for {room:.1} students a week"
    )?;
    writeln!(out, "{} 周 / weeks: {from} – {until}", tuned.weeks)?;
    for it in &tuned.levels {
        let mark = if Some(it.cusum_h) == tuned.cusum_h { "*" } else { " " };
        writeln!(out, "{mark} h = {:>5.2}  {:>8.2} / 周 week", it.cusum_h, it.begun_a_week)?;
    }
    match tuned.cusum_h {
        Some(bound) => writeln!(
            out,
            "建议写入 yizhan.toml（现为 {now}）/ proposed for yizhan.toml (now {now}):\n[warning.trend]\ncusum_h = {bound:?}"
        )?,
        None if tuned.weeks < WEEKS_MIN => writeln!(
            out,
            "只有 {} 周可供计算，少于 {WEEKS_MIN} 周，不作建议。 / {} weeks are too few: at least {WEEKS_MIN} are needed, nothing is proposed.",
            tuned.weeks, tuned.weeks
        )?,
        None => writeln!(
            out,
            "最高的界限仍多于所能容纳：请增加谈话工时，不作建议。 / even the greatest bound gives more than there is room for: hours are what is missing, nothing is proposed."
        )?,
    }
    Ok(ExitCode::SUCCESS)
}
