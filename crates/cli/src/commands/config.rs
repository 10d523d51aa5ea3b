//! `yizhan config`: every setting with the layer that it came from.

use std::process::ExitCode;

use clap::Args;

use super::{Common, Format};
use crate::settings::Settings;

#[derive(Debug, Args)]
pub(crate) struct Config {
    /// Say where each value came from.
    #[arg(long)]
    origin: bool,
}

impl Config {
    pub(crate) fn run(self, common: &Common) -> anyhow::Result<ExitCode> {
        let (_, origins) = Settings::read(&common.place().project, &common.flags()?)?;
        for it in origins {
            match (common.format(), self.origin) {
                (Format::Json, _) => println!("{}", serde_json::to_string(&it)?),
                (_, true) => println!("{} = {}   # {}", it.key, it.value, it.origin),
                (_, false) => println!("{} = {}", it.key, it.value),
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
