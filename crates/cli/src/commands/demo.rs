//! `yizhan demo`.
use std::process::ExitCode;
use clap::Args;
use super::Common;
#[derive(Debug, Args)]
pub(crate) struct Demo {}
impl Demo {
    pub(crate) async fn run(self, _common: &Common) -> anyhow::Result<ExitCode> { Ok(ExitCode::SUCCESS) }
}
