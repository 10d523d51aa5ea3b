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
        let beyond = house.project.beyond_purpose()?;
        if !beyond.is_empty() {
            anyhow::bail!(crate::exit::Caller(beyond.join("\n")));
        }
        // Last, for it is no fault of a file: but a student who needs help must not read that a number is still to be filled in.
        let is_campus = place.project.join("yizhan.toml").exists() && !house.settings.serve.is_demo;
        if is_campus && house.settings.has_no_emergency_line()? {
            anyhow::bail!(crate::exit::Caller(format!(
                "{}：[campus] emergency_zh、emergency_en 还是示例文字，请写上学校 24 小时值班电话 / {0}: [campus] emergency_zh and \
                 emergency_en are still the placeholder; write the school's own 24-hour line",
                place.project.join("yizhan.toml").display()
            )));
        }
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
