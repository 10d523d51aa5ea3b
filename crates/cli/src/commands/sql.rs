//! `yizhan sql`: a question to the lake.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::csv::WriterBuilder;
use arrow::json::LineDelimitedWriter;
use clap::Args;
use parquet::arrow::ArrowWriter;
use policy::{Session, Sessions};
use transform::Builder;

use super::{Common, Format};
use crate::exit::Caller;
use crate::house::{Access, House};

#[derive(Debug, Args)]
pub(crate) struct Sql {
    /// One SELECT.
    query: String,
    /// Ask as this account, through its policy; without it, as the system, which only the owner of the files can.
    #[arg(long = "as", value_name = "ACCOUNT")]
    principal: Option<String>,
}

impl Sql {
    pub(crate) async fn run(self, common: &Common) -> anyhow::Result<ExitCode> {
        let house = common.open(Access::Read).await?;
        let Some(account) = &self.principal else {
            as_system(&house, &self.query, common.format()).await?;
            return Ok(ExitCode::SUCCESS);
        };
        let (session, _) = session_of(&house, account).await?;
        let mut rows = session.sql(&self.query).await?;
        let batches = rows.collect().await?;
        print(&batches, common.format())?;
        Ok(ExitCode::SUCCESS)
    }
}

/// A session of an account's first role, and the sessions that it came from.
pub(crate) async fn session_of(house: &House, account: &str) -> anyhow::Result<(Session, Arc<Sessions>)> {
    let Some(account) = house.store.accounts().get(account).await? else {
        anyhow::bail!(Caller(format!("there is no account \"{account}\": see `yizhan user list`")));
    };
    let Some(grant) = account.grants.first() else {
        anyhow::bail!(Caller(format!("account \"{}\" has no role", account.account)));
    };
    let audit: Arc<dyn policy::Audit> = Arc::new(serve::StoreAudit::new(house.store.clone()));
    let sessions = Arc::new(crate::tables::sessions(house, audit).await?);
    let Some(role) = sessions.policies().role(&grant.role) else {
        anyhow::bail!(Caller(format!("there is no role \"{}\": see policies/", grant.role)));
    };
    let principal = serve::principal(&house.store, &account, role, house.now_us()).await?;
    let cases = house.store.cases();
    let (withheld, left) = (cases.withheld_from(&account.account).await?, cases.left_social().await?);
    Ok((sessions.open_without(principal, &withheld, &left).await?, sessions))
}

/// Asks as the system: every table, generated staging included; views as of `--now`, else of the newest date
/// that is built.
pub(crate) async fn as_system(house: &House, query: &str, format: Format) -> anyhow::Result<()> {
    let built = house.lake.snapshot(&house.settings.subject.table).await?;
    let newest = built.and_then(|it| it.files.iter().filter_map(|it| it.partition).max());
    let as_of_on = match newest.filter(|_| house.fixed_now_us.is_none()) {
        Some(newest) => newest,
        None => house.as_of_on().await?,
    };
    let builder = house.builder_for(query).await?;
    let asked = asked(house, &builder, query, as_of_on).await;
    let batches = match asked {
        Ok(batches) => batches,
        Err(error) => match builder.older(query, &format!("{error:#}")).await? {
            Some((table, column)) => anyhow::bail!(Caller(format!(
                "数据湖由另一版本建成：表 {table} 还没有列 {column}，请先运行 yizhan transform / the lake was built by another version: \
                 table {table} has no column \"{column}\" yet. Run `yizhan transform` first"
            ))),
            None => return Err(error),
        },
    };
    print(&batches, format)
}

async fn asked(house: &House, builder: &Builder<'_>, query: &str, as_of_on: i32) -> anyhow::Result<Vec<RecordBatch>> {
    let context = builder.live_context(query, "the query", as_of_on).await?;
    let names = || house.graph.nodes().iter().map(|it| it.name.as_str());
    let wrong = |it: datafusion::error::DataFusionError| {
        let message = it.strip_backtrace();
        let table = message.split("'yizhan.lake.").nth(1).and_then(|it| it.split('\'').next());
        match table.and_then(|it| schema::nearest(it, names())) {
            Some(near) => Caller(format!("{message}; did you mean {near}? `yizhan sql \"SHOW TABLES\"` lists all")),
            None => Caller(message),
        }
    };
    Ok(context.sql(query).await.map_err(wrong)?.collect().await.map_err(wrong)?)
}

pub(super) fn print(batches: &[RecordBatch], format: Format) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    match format {
        Format::Table => writeln!(out, "{}", arrow::util::pretty::pretty_format_batches(batches)?)?,
        Format::Json => {
            let mut writer = LineDelimitedWriter::new(&mut out);
            for batch in batches {
                writer.write(batch)?;
            }
            writer.finish()?;
        }
        Format::Csv => {
            let mut writer = WriterBuilder::new().with_header(true).build(&mut out);
            for batch in batches {
                writer.write(batch)?;
            }
        }
        Format::Parquet => {
            if let Some(first) = batches.first() {
                let mut writer = ArrowWriter::try_new(&mut out, first.schema(), None)?;
                for batch in batches {
                    writer.write(batch)?;
                }
                writer.close()?;
            }
        }
    }
    Ok(())
}
