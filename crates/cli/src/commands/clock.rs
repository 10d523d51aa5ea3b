//! `yizhan clock`: whether the machine's clock is believed, and the word of somebody that it is right.

use std::process::ExitCode;

use clap::Args;

use super::Common;
use crate::known::{Doubt, doubt_path};

#[derive(Debug, Args)]
pub(crate) struct Clock {
    /// The clock is right: rows are taken again, and dated by it.
    #[arg(long)]
    confirm: bool,
}

impl Clock {
    pub(crate) fn run(self, common: &Common) -> anyhow::Result<ExitCode> {
        let path = doubt_path(&common.place().data);
        let Some(doubt) = Doubt::read(&path) else {
            println!("机器时钟可信，无需处理 / the machine's clock is believed: nothing is to be done");
            return Ok(ExitCode::SUCCESS);
        };
        if self.confirm {
            Doubt { is_confirmed: true, ..doubt }.write(&path)?;
            println!(
                "已确认时钟无误：下一批数据起恢复接收，并按此时钟记入库时间，此后不能改早 / confirmed: rows are taken again from the next \
                 on and dated by this clock, and no later row can be dated before them"
            );
            return Ok(ExitCode::SUCCESS);
        }
        let (zh, en) = doubt.words();
        println!("{zh} / {en}");
        Ok(ExitCode::FAILURE)
    }
}
