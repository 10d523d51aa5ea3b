//! `GET /api/v1/channels`: the ways by which messages leave, what became of the last ones, and when the next rehearsal is due
//! (通知渠道).
//!
//! What a channel cannot say is said: a robot, a gateway or a mail server takes a message and tells nothing more. Counts of
//! messages only: to whom and about what is nobody's here.

use axum::Json;
use notify::drill::Due;
use serde_json::{Value, json};

use super::health::instant;
use crate::access::Reader;
use crate::error::Problem;
use crate::state::State;

/// How far back deliveries are counted.
const BACK_US: i64 = 31 * casework::DAY_US;

pub(crate) async fn list(reader: Reader) -> Result<Json<Value>, Problem> {
    reader.require_page("runs")?;
    let (state, now_us) = (&reader.state, reader.now_us());
    let messages = state.parts.store.messages();
    let used = messages.channels_since(now_us - BACK_US).await?;
    let rows = state.config.channels.iter().map(|it| {
        let (of, words) = (used.iter().find(|used| used.channel == it.name), it.receipts.words());
        json!({
            "channel": it.name, "receipts": it.receipts, "receipts_zh": words.zh, "receipts_en": words.en,
            "sent_n": of.map_or(0, |it| it.sent_n), "failed_n": of.map_or(0, |it| it.failed_n),
            "acknowledged_n": of.map_or(0, |it| it.acknowledged_n),
            "last_sent_at": of.and_then(|it| it.last_sent_us).and_then(instant),
            "is_broken": of.is_some_and(store::ChannelUse::is_broken),
        })
    });
    let due = due(state).await?;
    let words = due.words();
    let last = messages.last_drill().await?;
    Ok(Json(json!({
        "rows": rows.collect::<Vec<_>>(),
        "drill": {
            "last_at": last.and_then(|it| instant(it.created_us)),
            "due_at": match due { Due::At(at_us) => instant(at_us), _ => None },
            "is_late": due.is_late(),
            "text_zh": words.as_ref().map(|it| &it.zh), "text_en": words.as_ref().map(|it| &it.en),
        },
    })))
}

/// Whether a rehearsal is due now.
pub(crate) async fn due(state: &State) -> Result<Due, Problem> {
    let last_us = state.parts.store.messages().last_drill().await?.map(|it| it.created_us);
    let now_us = chrono::Utc::now().timestamp_micros() + state.config.clock_offset_us;
    Ok(Due::of(state.config.channels.len(), last_us, state.config.drill_days, now_us))
}
