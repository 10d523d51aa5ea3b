//! `yizhan notify`: messages to staff, and the monthly rehearsal.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use notify::drill::Report;

use super::{Common, Format};
use crate::house::Access;
use crate::messages;

#[derive(Debug, Args)]
pub(crate) struct Notify {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Takes the next step of every message that waits, once; `yizhan serve` does so by itself.
    Send,
    /// Sends the monthly rehearsal to everybody on duty, by every channel; ends with 1 if a channel is broken.
    Drill {
        /// Say instead what became of an earlier one.
        #[arg(long, value_name = "MESSAGE_ID")]
        report: Option<i64>,
    },
}

impl Notify {
    pub(crate) async fn run(self, common: &Common) -> anyhow::Result<ExitCode> {
        let house = common.open(Access::Read).await?;
        let is_json = common.format() == Format::Json;
        match self.what {
            What::Send => {
                // Whoever asks by hand has changed something: a roster, a channel, a window.
                house.store.messages().bring_back().await?;
                let round = messages::round(&house, &messages::channels(&house)?).await?;
                let messages::Round { due_n, sent_n, failed_n, to_call_n, settled_n, unreached_n } = round;
                if is_json {
                    let said = serde_json::json!({
                        "due_n": due_n, "sent_n": sent_n, "failed_n": failed_n, "to_call_n": to_call_n,
                        "settled_n": settled_n, "unreached_n": unreached_n,
                    });
                    println!("{said}");
                } else {
                    println!(
                        "待办消息 / open {due_n}  已发 / sent {sent_n}  失败 / failed {failed_n}  需打电话 / to call {to_call_n}  已了结 / settled {settled_n}  无人可达 / reach nobody {unreached_n}"
                    );
                }
                Ok(ExitCode::SUCCESS)
            }
            What::Drill { report } => {
                let report = match report {
                    Some(message_id) => messages::rehearsed(&house, message_id).await?,
                    None => messages::rehearse(&house).await?,
                };
                say(&report, is_json)?;
                let is_whole = !report.channels.is_empty() && report.channels.iter().all(|it| !it.is_broken);
                Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
            }
        }
    }
}

fn say(report: &Report, is_json: bool) -> anyhow::Result<()> {
    if is_json {
        println!("{}", serde_json::to_string(report)?);
        return Ok(());
    }
    println!("演练 / rehearsal {}", report.message_id);
    if report.channels.is_empty() {
        println!("没有配置通知渠道 / no channel is set: add [[notify.channel]] to yizhan.toml");
    }
    for it in &report.channels {
        let seconds = |it: Option<f64>| it.map_or("–".to_owned(), |it| format!("{it:.1}s"));
        println!(
            "{:<12} {} / {}  已发 / sent {}/{} ({})  已确认 / confirmed {} ({})",
            it.channel,
            it.receipts.words().zh,
            it.receipts.words().en,
            it.sent_n,
            it.officers_n,
            seconds(it.sent_seconds),
            it.acknowledged_n,
            seconds(it.acknowledged_seconds)
        );
        for failed in &it.failed {
            println!("  {} / {}", failed.words.zh, failed.words.en);
        }
    }
    Ok(())
}
