//! `yizhan upkeep`: small files of the lake become large ones, now.

use std::process::ExitCode;

use clap::Args;
use serve::Order;

use super::{Common, Format};
use crate::handover;
use crate::house::Access;

#[derive(Debug, Args)]
pub(crate) struct Upkeep {}

impl Upkeep {
    pub(crate) async fn run(self, common: &Common) -> anyhow::Result<ExitCode> {
        let order = Order { stage: "upkeep".to_owned(), is_json: common.format() == Format::Json, ..Order::default() };
        let done = match common.open(Access::Write).await {
            Ok(house) => crate::upkeep::work(&house, &order).await?,
            Err(error) => handover::hand_over(common, error, &order)?,
        };
        Ok(super::say(&done))
    }
}
