//! `yizhan transform`: builds what is stale.

use std::process::ExitCode;
use std::sync::Mutex;

use clap::Args;
use serde_json::json;
use transform::{Action, Built};

use super::{Common, Format};
use crate::house::{Access, House};
use crate::progress::Bars;

#[derive(Debug, Args)]
pub(crate) struct Transform {
    /// Build these models and what they are made of.
    #[arg(long, value_name = "MODEL", num_args = 1..)]
    select: Vec<String>,
    /// Build everything anew.
    #[arg(long)]
    full: bool,
    /// Say what would be built, and why, and stop.
    #[arg(long)]
    plan: bool,
    /// Run the checks after building.
    #[arg(long)]
    checks: bool,
}

impl Transform {
    pub(crate) async fn run(self, common: &Common) -> anyhow::Result<ExitCode> {
        if self.plan {
            let house = common.open(Access::Read).await?;
            let planned = house.builder().await?.plan(house.as_of_on().await?, &self.select, self.full).await?;
            print(&planned, common.format());
            return Ok(ExitCode::SUCCESS);
        }
        let house = match common.open(Access::Write).await {
            Ok(house) => house,
            Err(error) => {
                let args = [&[if self.full { "full".to_owned() } else { String::new() }][..], &self.select].concat();
                return match crate::handover::hand_over(&common.place().data, &error, "transform", &args)? {
                    Some(report) => {
                        println!("{report}");
                        Ok(ExitCode::SUCCESS)
                    }
                    None => Err(error),
                };
            }
        };
        let built = build(&house, &self.select, self.full).await?;
        print(&built, common.format());
        if self.checks && !checks(&house).await? {
            return Ok(ExitCode::FAILURE);
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Builds with a bar.
pub(crate) async fn build(house: &House, select: &[String], is_full: bool) -> anyhow::Result<Vec<Built>> {
    let builder = house.builder().await?;
    let bars = Bars::new();
    let bar = Mutex::new(bars.steps("transform", 0));
    let built = builder
        .build(house.as_of_on().await?, select, is_full, &|step| {
            if let Ok(bar) = bar.lock() {
                bar.set_length(step.total as u64);
                bar.set_position(step.done as u64);
                bar.set_message(step.table);
            }
        })
        .await?;
    if let Ok(bar) = bar.lock() {
        bar.finish_and_clear();
    }
    Ok(built)
}

/// Runs the checks and says what they found.
pub(crate) async fn checks(house: &House) -> anyhow::Result<bool> {
    let violations = house.builder().await?.check(house.as_of_on().await?).await?;
    for it in &violations {
        eprintln!("检查未通过 / check failed: {}: {} ({} rows, first: {})", it.path, it.about, it.rows, it.example);
    }
    Ok(violations.is_empty())
}

pub(crate) fn print(built: &[Built], format: Format) {
    for it in built {
        let (action, detail) = match &it.action {
            Action::Fresh => ("fresh", String::new()),
            Action::All(why) => ("all", why.clone()),
            Action::Partitions(n) => ("partitions", n.to_string()),
        };
        if format == Format::Json {
            println!("{}", json!({ "table": it.table, "action": action, "detail": detail, "rows": it.rows, "seconds": it.seconds }));
        } else {
            println!("{:<28} {:<10} {:<28} {:>12} {:>8.2}s", it.table, action, detail, it.rows, it.seconds);
        }
    }
}
