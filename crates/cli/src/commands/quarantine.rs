//! `yizhan quarantine`: rows that were refused: how many wait, once more through the door, and back to who must mend them.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use clap::{Args, Subcommand};
use serve::{Done, Order};
use store::AuditEvent;

use super::{Common, Format, ingest, sql};
use crate::correction;
use crate::exit::Caller;
use crate::handover;
use crate::house::{Access, House};
use crate::ingest::{QUARANTINE, refuse_unknown};
use crate::replay::{REPLAYED, Request, replay, waiting};

#[derive(Debug, Args)]
pub(crate) struct Quarantine {
    #[command(subcommand)]
    command: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Counts what waits by pipeline, reason and column; the rows themselves stay sealed.
    List,
    /// Sends rows that wait through the door again, under today's contract: what passes enters, the rest waits on.
    Replay {
        /// Pipelines whose rows are tried; all if none is named.
        pipelines: Vec<String>,
        /// Only rows that were refused for this reason, as `list` names it.
        #[arg(long, value_name = "CODE")]
        reason: Option<String>,
        /// Only rows of the file of this number.
        #[arg(long, value_name = "FILE_NO")]
        file: Option<i64>,
    },
    /// Writes the rows of a pipeline that wait as a workbook, for the office that corrects its export. Opens sealed rows,
    /// so it is written into the audit log.
    Export {
        /// The pipeline.
        pipeline: String,
        /// The workbook; there must be none yet.
        #[arg(long, value_name = "FILE.xlsx")]
        out: PathBuf,
        /// What the rows are needed for, as the audit log keeps it.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

impl Quarantine {
    pub(crate) async fn run(self, common: &Common) -> anyhow::Result<ExitCode> {
        match self.command {
            Verb::List => list(&common.open(Access::Read).await?, common.format()).await,
            Verb::Replay { pipelines, reason, file } => {
                let order = Order {
                    stage: "replay".to_owned(),
                    names: pipelines,
                    is_json: common.format() == Format::Json,
                    reason,
                    file_no: file,
                    ..Order::default()
                };
                let done = match common.open(Access::Write).await {
                    Ok(house) => work(&house, &order).await?,
                    Err(error) => handover::hand_over(common, error, &order)?,
                };
                Ok(super::say(&done))
            }
            Verb::Export { pipeline, out, reason } => {
                export(&common.open(Access::Read).await?, &pipeline, &out, &reason).await?;
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

/// Replays what an order names.
pub(crate) async fn work(house: &House, order: &Order) -> anyhow::Result<Done> {
    let request = Request { pipelines: &order.names, reason: order.reason.as_deref(), file_no: order.file_no };
    let reports = replay(house, &request, &house.input(order.input.as_ref())).await?;
    let mut done = Done::default();
    if reports.is_empty() && !order.is_json {
        done.report = "没有等待重放的行 / no row waits\n".to_owned();
    } else {
        ingest::report(&reports, order.is_json, &mut done);
    }
    Ok(done)
}

async fn list(house: &House, format: Format) -> anyhow::Result<ExitCode> {
    let context = house.engine.context();
    let Some(refused) = house.engine.table(QUARANTINE).await? else {
        eprintln!("没有被拒的行 / no row was ever refused");
        return Ok(ExitCode::SUCCESS);
    };
    context.register_table("refused", refused)?;
    let replayed = house.engine.table(REPLAYED).await?;
    let outcome = if replayed.is_some() { "replayed.outcome" } else { "CAST(NULL AS VARCHAR)" };
    let join = replayed.as_ref().map_or("", |_| {
        "LEFT JOIN replayed ON replayed.pipeline = refused.pipeline AND replayed.file_no = refused.file_no \
         AND replayed.row_no = refused.row_no"
    });
    if let Some(replayed) = replayed {
        context.register_table("replayed", replayed)?;
    }
    let counted = format!(
        "SELECT refused.pipeline, refused.reason, refused.\"column\", \
         sum(CASE WHEN {outcome} IS NULL THEN 1 ELSE 0 END) AS rows_n, \
         sum(CASE WHEN {outcome} = 'kept' THEN 1 ELSE 0 END) AS replayed_n, \
         min(CASE WHEN {outcome} IS NULL THEN refused.file_no END) AS first_file_no, \
         min(CASE WHEN {outcome} IS NULL THEN refused.row_no END) AS first_row_no \
         FROM refused {join} GROUP BY refused.pipeline, refused.reason, refused.\"column\""
    );
    let query = format!("SELECT * FROM ({counted}) AS counted WHERE 0 < rows_n ORDER BY pipeline, reason, \"column\"");
    sql::print(&context.sql(&query).await?.collect().await?, format)?;
    let total = context.sql(&format!("SELECT sum(replayed_n) FROM ({counted}) AS counted")).await?.collect().await?;
    let total = total.first().map(first).unwrap_or_default();
    if 0 < total {
        eprintln!("另有 {total} 行已重放入湖 / {total} more rows were replayed and are in the lake");
    }
    Ok(ExitCode::SUCCESS)
}

fn first(batch: &RecordBatch) -> i64 {
    batch.column(0).as_primitive::<Int64Type>().iter().next().flatten().unwrap_or_default()
}

async fn export(house: &House, pipeline: &str, out: &std::path::Path, reason: &str) -> anyhow::Result<()> {
    refuse_unknown(house, &[pipeline.to_owned()])?;
    let contract = house.project.pipelines.iter().find(|it| it.name() == pipeline).context("a pipeline that is known")?;
    if reason.trim().is_empty() {
        anyhow::bail!(Caller("--reason 不能为空：请写明用途 / --reason is empty: say what the rows are needed for".to_owned()));
    }
    if out.exists() {
        let out = out.display();
        anyhow::bail!(Caller(format!("{out} 已存在，请换一个文件名 / {out} is there already: name another file")));
    }
    let request = Request { pipelines: &[], reason: None, file_no: None };
    let rows = waiting(house, pipeline, &request).await?;
    if rows.is_empty() {
        eprintln!("{pipeline}：没有等待的行，未写文件 / no row waits, no file was written");
        return Ok(());
    }
    let bytes = correction::workbook(contract, &rows, &house.store.vault())?;
    // Told first: what cannot be noted must not be shown.
    let event = AuditEvent {
        action: "export".to_owned(),
        actor: super::owner(),
        at_us: chrono::Utc::now().timestamp_micros(),
        outcome: "ok".to_owned(),
        purpose: Some(reason.trim().to_owned()),
        resource: format!("{QUARANTINE}/{pipeline}"),
        role: "owner".to_owned(),
        row_count: Some(rows.len() as i64),
        session: None,
    };
    house.store.audit().append(event).await?;
    correction::write(out, &bytes)?;
    println!("{}", out.display());
    eprintln!(
        "{} 行，含真实个人信息：改完请删除 / {} rows with real personal data: delete the file when they are mended",
        rows.len(),
        rows.len()
    );
    Ok(())
}
