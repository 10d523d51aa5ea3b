//! `yizhan replay`: what a door's source still has of some days, once more through the same door.

use std::process::ExitCode;
use std::sync::Arc;

use chrono::NaiveDate;
use clap::Args;
use schema::time::date_days;
use serve::{Done, Order};

use super::{Common, Format, ingest};
use crate::exit::Caller;
use crate::handover;
use crate::house::{Access, House};
use crate::stream::reread;

#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// The door, as the page of data quality names it without its subject or partition: nats/gates, kafka/gates.
    door: String,
    /// First campus day, as the broker got or dated the messages.
    #[arg(long, value_name = "DATE")]
    from: NaiveDate,
    /// Last campus day (default: today).
    #[arg(long, value_name = "DATE")]
    to: Option<NaiveDate>,
}

impl Replay {
    pub(crate) async fn run(self, common: &Common) -> anyhow::Result<ExitCode> {
        let order = Order {
            stage: "reread".to_owned(),
            names: vec![self.door],
            is_json: common.format() == Format::Json,
            from_on: Some(self.from),
            to_on: self.to,
            ..Order::default()
        };
        let done = match common.open(Access::Write).await {
            Ok(house) => work(&Arc::new(house), &order).await?,
            Err(error) => handover::hand_over(common, error, &order)?,
        };
        Ok(super::say(&done))
    }
}

/// Reads again what an order names.
pub(crate) async fn work(house: &Arc<House>, order: &Order) -> anyhow::Result<Done> {
    let (Some(door), Some(from)) = (order.names.first(), order.from_on) else {
        anyhow::bail!(Caller("须写明接入与起始日期 / a door and a first day are needed".to_owned()));
    };
    let mut clock = house.clock();
    let last = order.to_on.map_or_else(|| clock.moment(house.now_us()).occurred_on, date_days);
    let first = date_days(from);
    if last < first {
        anyhow::bail!(Caller(format!(
            "--from {from} 晚于 --to（默认为今天）/ --from {from} is after --to, which is today where it is not given"
        )));
    }
    // What comes from now on comes through the door.
    let until_us = clock.day_start(last + 1).min(chrono::Utc::now().timestamp_micros());
    let from_us = clock.day_start(first);
    let (report, notes) = reread(house, house.input(order.input.as_ref()), door, from_us, until_us).await?;
    let mut done = Done::default();
    ingest::report(&[report], order.is_json, &mut done);
    done.messages.extend(notes.into_iter().map(|it| format!("注意 / note: {it}")));
    Ok(done)
}
