//! `yizhan cases`: what the schedule does for casework, now.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{Common, Format};
use crate::cases;
use crate::house::Access;

#[derive(Debug, Args)]
pub(crate) struct Cases {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Assigns students, takes up what is offered, escalates what is late. What was done before is not done again.
    Tick,
}

impl Cases {
    pub(crate) async fn run(self, common: &Common) -> anyhow::Result<ExitCode> {
        // The lake is only read, so that this works beside a living server too.
        let house = common.open(Access::Read).await?;
        let What::Tick = self.what;
        let night = cases::night(&house).await?;
        if common.format() == Format::Json {
            let said = serde_json::json!({
                "assigned_n": night.assigned_n, "ended_n": night.ended_n, "without_n": night.without_n,
                "offered_n": night.offered_n, "entered_n": night.entered_n, "refused_n": night.refused_n, "moved_n": night.moved_n,
                "cared_n": night.cared_n, "shifts_n": night.shifts_n, "shifts_without_n": night.shifts_without_n,
            });
            println!("{said}");
        } else {
            println!("提示 / offers {} -> 进入个案 / taken up {}  {}", night.offered_n, night.entered_n, night.detail());
        }
        Ok(ExitCode::SUCCESS)
    }
}
