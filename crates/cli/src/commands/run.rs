//! `yizhan run`: every room once, in order. The corridor of the house.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use lake::Upkeep;
use serde::Serialize;
use store::RunResult;

use super::{Common, Format, ingest, transform};
use crate::house::{Access, House};
use crate::memory;

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Folder with the exports (default: <project>/input).
    #[arg(long, value_name = "DIR")]
    input: Option<PathBuf>,
}

/// What one stage did.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Stage {
    pub(crate) stage: String,
    pub(crate) rows_in: i64,
    pub(crate) rows_out: i64,
    pub(crate) seconds: f64,
    pub(crate) memory_peak_bytes: i64,
    pub(crate) result: String,
}

impl Run {
    pub(crate) async fn run(self, common: &Common) -> anyhow::Result<ExitCode> {
        let house = match common.open(Access::Write).await {
            Ok(house) => house,
            Err(error) => {
                let args = self.input.iter().map(|it| it.display().to_string()).collect::<Vec<_>>();
                return match crate::handover::hand_over(&common.place().data, &error, "run", &args)? {
                    Some(report) => {
                        println!("{report}");
                        Ok(ExitCode::SUCCESS)
                    }
                    None => Err(error),
                };
            }
        };
        let (stages, code) = walk(&house, self.input.as_ref(), common.format()).await?;
        for it in &stages {
            if common.format() == Format::Json {
                println!("{}", serde_json::to_string(it)?);
            } else {
                let mib = it.memory_peak_bytes / (1 << 20);
                println!("{:<10} {:>12} -> {:<12} {:>8.2}s {:>6} MiB  {}", it.stage, it.rows_in, it.rows_out, it.seconds, mib, it.result);
            }
        }
        Ok(code)
    }
}

/// Walks every room once: what the door let in becomes today's portraits and warnings.
pub(crate) async fn walk(house: &House, input: Option<&PathBuf>, format: Format) -> anyhow::Result<(Vec<Stage>, ExitCode)> {
    let mut stages = Vec::new();
    let mut code = ExitCode::SUCCESS;
    let taken = stage(house, "ingest", &mut stages, async {
        let reports = ingest::stage(house, &[], input, false).await?;
        let rows_in = reports.iter().map(|it| it.rows_in as i64).sum();
        let rows_out = reports.iter().map(|it| it.rows_kept as i64).sum();
        let refused = reports.iter().map(|it| it.refused.len()).sum::<usize>();
        let detail = if refused == 0 { String::new() } else { format!("{refused} files refused") };
        Ok((rows_in, rows_out, detail, reports))
    })
    .await?;
    ingest::print(&taken, format);
    if taken.iter().any(|it| !it.refused.is_empty()) {
        code = ExitCode::from(2);
    }
    stage(house, "transform", &mut stages, async {
        let built = transform::build(house, &[], false).await?;
        let rows = built.iter().map(|it| it.rows).sum();
        Ok((taken.iter().map(|it| it.rows_kept as i64).sum(), rows, String::new(), ()))
    })
    .await?;
    let is_clean = stage(house, "check", &mut stages, async {
        let is_clean = transform::checks(house).await?;
        Ok((0, 0, if is_clean { String::new() } else { "violations".to_owned() }, is_clean))
    })
    .await?;
    if !is_clean {
        code = ExitCode::FAILURE;
    }
    stage(house, "upkeep", &mut stages, async {
        let mut files = 0;
        for table in house.lake.tables()? {
            let report = house.lake.upkeep(&table, Upkeep::default()).await?;
            files += report.files_compacted as i64;
        }
        Ok((files, 0, String::new(), ()))
    })
    .await?;
    Ok((stages, code))
}

/// Runs one stage, noted in the store with what it took.
async fn stage<T>(
    house: &House,
    name: &str,
    stages: &mut Vec<Stage>,
    work: impl Future<Output = anyhow::Result<(i64, i64, String, T)>>,
) -> anyhow::Result<T> {
    let run_id = house.store.runs().start(name, house.now_us()).await?;
    memory::begin_peak();
    let began = Instant::now();
    let result = work.await;
    let (seconds, peak) = (began.elapsed().as_secs_f64(), memory::peak_bytes());
    let (rows_in, rows_out, outcome, detail) = match &result {
        Ok((rows_in, rows_out, detail, _)) => (*rows_in, *rows_out, RunResult::Ok, detail.clone()),
        Err(error) => (0, 0, RunResult::Failed, format!("{error:#}")),
    };
    house.store.runs().finish(run_id, house.now_us(), rows_in, rows_out, seconds, peak, outcome, &detail).await?;
    let shown = if detail.is_empty() { outcome.to_string() } else { format!("{outcome}: {detail}") };
    stages.push(Stage { stage: name.to_owned(), rows_in, rows_out, seconds, memory_peak_bytes: peak, result: shown });
    result.map(|it| it.3)
}
