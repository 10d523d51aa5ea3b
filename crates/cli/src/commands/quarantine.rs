//! `yizhan quarantine list`: how many rows were refused, for which reason.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{Common, sql};
use crate::house::Access;

#[derive(Debug, Args)]
pub(crate) struct Quarantine {
    #[command(subcommand)]
    command: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Counts by pipeline, reason and column; the rows themselves stay sealed.
    List,
}

const COUNTS: &str = "SELECT pipeline, reason, \"column\", count(*) AS rows_n, min(file_no) AS first_file_no, min(row_no) AS first_row_no \
                      FROM ops_quarantine GROUP BY pipeline, reason, \"column\" ORDER BY pipeline, reason, \"column\"";

impl Quarantine {
    pub(crate) async fn run(self, common: &Common) -> anyhow::Result<ExitCode> {
        let Verb::List = self.command;
        let house = common.open(Access::Read).await?;
        sql::as_system(&house, COUNTS, common.format()).await?;
        Ok(ExitCode::SUCCESS)
    }
}
