//! `yizhan ingest`: new files through the door into the lake.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{Common, Format};
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
        let house = match common.open(Access::Write).await {
            Ok(house) => house,
            Err(error) => {
                let args = [&[self.input.as_ref().map(|it| it.display().to_string()).unwrap_or_default()][..], &self.pipelines].concat();
                return match crate::handover::hand_over(&common.place().data, &error, "ingest", &args)? {
                    Some(report) => {
                        println!("{report}");
                        Ok(ExitCode::SUCCESS)
                    }
                    None => Err(error),
                };
            }
        };
        let reports = stage(&house, &self.pipelines, self.input.as_ref(), self.backfill).await?;
        print(&reports, common.format());
        Ok(code(&reports))
    }
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

/// A feed that was refused is the caller's to mend.
pub(crate) fn code(reports: &[Report]) -> ExitCode {
    if reports.iter().all(|it| it.refused.is_empty()) { ExitCode::SUCCESS } else { ExitCode::from(2) }
}

pub(crate) fn print(reports: &[Report], format: Format) {
    for report in reports {
        for message in &report.refused {
            eprintln!("错误 / refused: {message}");
        }
    }
    if format == Format::Json {
        for report in reports {
            println!("{}", serde_json::to_string(report).unwrap_or_default());
        }
        return;
    }
    if reports.is_empty() {
        println!("没有新文件 / nothing new");
        return;
    }
    println!("{:<18} {:>12} {:>12} {:>11} {:>9} {:>8} {:>8}", "pipeline", "rows_in", "kept", "quarantined", "skipped", "erased", "seconds");
    for it in reports {
        println!(
            "{:<18} {:>12} {:>12} {:>11} {:>9} {:>8} {:>8.2}",
            it.pipeline, it.rows_in, it.rows_kept, it.rows_quarantined, it.rows_skipped, it.rows_erased, it.seconds
        );
    }
}
