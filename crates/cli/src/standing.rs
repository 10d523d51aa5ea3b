//! `yizhan warn status`: how every risk model stands: trained or not, offered or not, frozen since when and by what.

use std::io::Write;
use std::process::ExitCode;

use schema::time::days_date;
use serde_json::json;

use crate::commands::Format;
use crate::house::House;

/// Prints a line a model.
pub(crate) async fn say(house: &House, format: Format) -> anyhow::Result<ExitCode> {
    let states = house.builder().await?.model_states(house.as_of_on().await?).await?;
    let mut out = std::io::stdout();
    for it in &states {
        let since = it.frozen_on.and_then(days_date).map(|it| it.to_string());
        if matches!(format, Format::Json) {
            let said = json!({
                "model": it.model, "version": it.version, "state": it.state, "frozen_on": since, "moved": it.moved,
                "reason_zh": it.reason_zh, "reason_en": it.reason_en,
            });
            writeln!(out, "{said}")?;
            continue;
        }
        writeln!(out, "{}  {}  {}", it.model, it.version.as_deref().unwrap_or("-"), it.state)?;
        writeln!(out, "  {}\n  {}", it.reason_zh, it.reason_en)?;
    }
    Ok(ExitCode::SUCCESS)
}
