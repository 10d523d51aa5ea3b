//! `yizhan ingest`: new files through the door into the lake.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serve::{Done, Order};

use super::{Common, Format};
use crate::handover;
use crate::house::{Access, House};
use crate::ingest::{Report, Request, ingest};
use crate::progress::Bars;

#[derive(Debug, Args)]
pub(crate) struct Ingest {
    /// Pipelines to take in; all if none is named.
    pipelines: Vec<String>,
    /// Folder with the exports (default: <project>/input).
    #[arg(long, value_name = "DIR")]
    input: Option<PathBuf>,
    /// Date old rows by the usual delay of their contract, as a first load does.
    #[arg(long)]
    backfill: bool,
}

impl Ingest {
    pub(crate) async fn run(self, common: &Common) -> anyhow::Result<ExitCode> {
        let order = Order {
            stage: "ingest".to_owned(),
            input: handover::absolute(self.input.as_ref())?,
            names: self.pipelines,
            is_full: self.backfill,
            is_json: common.format() == Format::Json,
            ..Order::default()
        };
        let done = match common.open(Access::Write).await {
            Ok(house) => work(&house, &order).await?,
            Err(error) => handover::hand_over(common, error, &order)?,
        };
        Ok(super::say(&done))
    }
}

/// Takes in what an order names.
pub(crate) async fn work(house: &House, order: &Order) -> anyhow::Result<Done> {
    let reports = stage(house, &order.names, order.input.as_ref(), order.is_full).await?;
    let mut done = Done::default();
    report(&reports, order.is_json, &mut done);
    Ok(done)
}

/// One walk through the door, noted as a run.
pub(crate) async fn stage(
    house: &House,
    pipelines: &[String],
    input: Option<&PathBuf>,
    is_backfill: bool,
) -> anyhow::Result<Vec<Report>> {
    let input = house.input(input);
    ingest(house, &Request { pipelines, input: &input, is_backfill }, &Bars::new()).await
}

/// Adds what came through the door; a feed that was refused is the caller's to mend, one that did not answer the world's.
pub(crate) fn report(reports: &[Report], is_json: bool, done: &mut Done) {
    let refused = reports.iter().flat_map(|it| &it.refused);
    done.messages.extend(refused.map(|it| format!("错误 / refused: {it}")));
    if !done.messages.is_empty() {
        done.exit_code = 2;
    }
    let unreached: Vec<&String> = reports.iter().flat_map(|it| &it.unreached).collect();
    done.messages.extend(unreached.iter().map(|it| format!("未连接 / not reached: {it}")));
    for it in reports.iter().filter(|it| 0 < it.unlinked) {
        done.messages.push(format!(
            "注意 / note: {}：{} 个号码已属于另一个人，未合并；请先核对登记表\n\
             {}: {} numbers are another person's already and were not joined: check the register",
            it.pipeline, it.unlinked, it.pipeline, it.unlinked
        ));
    }
    if done.exit_code == 0 && !unreached.is_empty() {
        done.exit_code = crate::exit::LATER;
    }
    if is_json {
        let lines = reports.iter().filter_map(|it| serde_json::to_string(it).ok());
        lines.for_each(|it| done.report += &(it + "\n"));
        return;
    }
    if reports.is_empty() {
        done.report += "没有新文件 / nothing new\n";
        return;
    }
    done.report += &format!(
        "{:<18} {:>12} {:>12} {:>11} {:>9} {:>8} {:>8}\n",
        "pipeline", "rows_in", "kept", "quarantined", "skipped", "erased", "seconds"
    );
    for it in reports {
        done.report += &format!(
            "{:<18} {:>12} {:>12} {:>11} {:>9} {:>8} {:>8.2}\n",
            it.pipeline, it.rows_in, it.rows_kept, it.rows_quarantined, it.rows_skipped, it.rows_erased, it.seconds
        );
    }
}
