//! `yizhan check`: the project's files, without touching data.

use std::process::ExitCode;

use clap::Args;

use super::Common;
use crate::house::{Access, House};

#[derive(Debug, Args)]
pub(crate) struct Check {}

impl Check {
    pub(crate) async fn run(self, common: &Common) -> anyhow::Result<ExitCode> {
        let settings = common.settings()?;
        // An empty lake in a folder of its own: nothing of the project's data is opened.
        let folder = tempfile::tempdir()?;
        let place = crate::settings::Place { data: folder.path().to_owned(), ..common.place() };
        let house = House::open(&place, settings, Access::Write, None).await?;
        house.builder().await?;
        crate::tables::policies(&house)?;
        println!(
            "{} pipelines, {} tables, {} measures, {} rules, {} trends, {} risk models: 没有问题 / all sound",
            house.project.pipelines.len(),
            house.graph.nodes().len(),
            house.graph.measures().len(),
            house.graph.rules().len(),
            house.graph.trends().len(),
            house.graph.risks().len()
        );
        Ok(ExitCode::SUCCESS)
    }
}
