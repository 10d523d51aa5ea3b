//! `yizhan run`: every room once, in order. The corridor of the house.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use serde::Serialize;
use serve::{Done, Order};
use store::RunResult;

use super::{Common, Format, ingest, transform};
use crate::cases;
use crate::handover;
use crate::house::{Access, House};
use crate::memory;
use crate::upkeep;

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
        let order = Order {
            stage: "run".to_owned(),
            input: handover::absolute(self.input.as_ref())?,
            is_json: common.format() == Format::Json,
            ..Order::default()
        };
        match common.open(Access::Write).await {
            Ok(house) => {
                let mut done = Done::default();
                let result = work(&house, &order, &mut done).await;
                // What the door let in stays in, whatever happened behind it.
                let code = super::say(&done);
                result.map(|()| code)
            }
            Err(error) => Ok(super::say(&handover::hand_over(common, error, &order)?)),
        }
    }
}

/// Walks every room and reports.
pub(crate) async fn work(house: &House, order: &Order, done: &mut Done) -> anyhow::Result<()> {
    for it in walk(house, order.input.as_ref(), order.is_json, done).await? {
        done.report += &if order.is_json { serde_json::to_string(&it)? } else { it.line() };
        done.report += "\n";
    }
    Ok(())
}

impl Stage {
    fn line(&self) -> String {
        let mib = self.memory_peak_bytes / (1 << 20);
        let Stage { stage, rows_in, rows_out, seconds, result, .. } = self;
        format!("{stage:<10} {rows_in:>12} -> {rows_out:<12} {seconds:>8.2}s {mib:>6} MiB  {result}")
    }
}

/// Walks every room once: what the door let in becomes today's portraits and warnings.
pub(crate) async fn walk(house: &House, input: Option<&PathBuf>, is_json: bool, done: &mut Done) -> anyhow::Result<Vec<Stage>> {
    let mut stages = Vec::new();
    let taken = stage(house, "ingest", &mut stages, async {
        let reports = ingest::stage(house, &[], input, false).await?;
        let rows_in = reports.iter().map(|it| it.rows_in as i64).sum();
        let rows_out = reports.iter().map(|it| it.rows_kept as i64).sum();
        let refused = reports.iter().map(|it| it.refused.len()).sum::<usize>();
        let detail = if refused == 0 { String::new() } else { format!("{refused} refused") };
        Ok((rows_in, rows_out, detail, reports))
    })
    .await?;
    ingest::report(&taken, is_json, done);
    stage(house, "transform", &mut stages, async {
        let built = transform::build(house, &[], false).await?;
        let rows = built.iter().map(|it| it.rows).sum();
        Ok((taken.iter().map(|it| it.rows_kept as i64).sum(), rows, String::new(), ()))
    })
    .await?;
    let violations = stage(house, "check", &mut stages, async {
        let violations = transform::checks(house).await?;
        Ok((0, 0, if violations.is_empty() { String::new() } else { "violations".to_owned() }, violations))
    })
    .await?;
    if !violations.is_empty() {
        done.messages.extend(violations);
        done.exit_code = 1;
    }
    stage(house, "cases", &mut stages, async {
        let night = cases::night(house).await?;
        Ok((night.offered_n as i64, night.entered_n as i64, night.detail(), ()))
    })
    .await?;
    let own: Vec<String> =
        house.project.pipelines.iter().filter(|it| it.topic().is_some()).map(|it| it.name().to_owned()).collect();
    if !own.is_empty() {
        // What the night made of cases comes back at once: a run that repeats this one finds nothing new.
        stage(house, "facts", &mut stages, async {
            let reports = ingest::stage(house, &own, input, false).await?;
            let rows_in = reports.iter().map(|it| it.rows_in as i64).sum();
            // Tables as of a date say what was known when it began; what came after changes nothing of them.
            let behind = house.graph.made_of(&own);
            if 0 < rows_in && !behind.is_empty() {
                transform::build(house, &behind, false).await?;
            }
            Ok((rows_in, reports.iter().map(|it| it.rows_kept as i64).sum(), String::new(), ()))
        })
        .await?;
    }
    stage(house, "upkeep", &mut stages, async {
        let files: usize = upkeep::all(house).await?.into_values().sum();
        Ok((files as i64, 0, String::new(), ()))
    })
    .await?;
    // A month without a rehearsal does not pass in silence, and is no reason to call the night a failure.
    if let Some(words) = crate::messages::rehearsal_due(house).await?.words() {
        done.messages.push(format!("{} / {}", words.zh, words.en));
    }
    Ok(stages)
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
    let noted = house.store.runs().finish(run_id, house.now_us(), rows_in, rows_out, seconds, peak, outcome, &detail).await;
    // What failed first is what is told: a full disk also keeps the note of it from being written.
    if result.is_ok() {
        noted?;
    }
    let shown = if detail.is_empty() { outcome.to_string() } else { format!("{outcome}: {detail}") };
    stages.push(Stage { stage: name.to_owned(), rows_in, rows_out, seconds, memory_peak_bytes: peak, result: shown });
    result.map(|it| it.3)
}
