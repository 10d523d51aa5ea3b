//! `yizhan serve`.
use std::process::ExitCode;
use clap::Args;
use super::Common;
#[derive(Debug, Args)]
pub(crate) struct Serve {}
impl Serve {
    pub(crate) async fn run(self, _common: &Common) -> anyhow::Result<ExitCode> { Ok(ExitCode::SUCCESS) }
}
