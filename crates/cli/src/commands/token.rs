//! `yizhan token`: tokens with which groups of devices push events.

use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};
use store::PushToken;

use super::{Common, owner};
use crate::exit::Caller;
use crate::handover;

#[derive(Debug, Args)]
pub(crate) struct Token {
    #[command(subcommand)]
    command: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Makes a token and prints it: this once, for only its hash is kept.
    Add {
        /// Name of the devices that share it: gates_north.
        device_group: String,
        /// Pipelines that they may push to.
        #[arg(long = "pipeline", required = true, value_name = "PIPELINE")]
        pipelines: Vec<String>,
        /// Days after which it ends.
        #[arg(long, default_value_t = 365, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1095))]
        days: u32,
    },
    /// Lists the groups, what they may push to, and until when.
    List,
    /// Takes back all tokens of a group.
    Revoke {
        /// The group.
        device_group: String,
    },
}

impl Token {
    pub(crate) async fn run(self, common: &Common) -> anyhow::Result<ExitCode> {
        let house = common.open_or_begin().await?;
        let pushes = house.store.pushes();
        let now_us = chrono::Utc::now().timestamp_micros();
        match self.command {
            Verb::Add { device_group, pipelines, days } => {
                crate::ingest::refuse_unknown(&house, &pipelines)?;
                for name in &pipelines {
                    let contract = house.project.pipelines.iter().find(|it| it.name() == name);
                    if !contract.is_some_and(|it| it.pipeline.push) {
                        anyhow::bail!(Caller(format!(
                            "{name} 的约定没有开放推送：请在 pipelines/{name}.toml 写 push = true / the contract of {name} lets nothing be \
                             pushed: write push = true in pipelines/{name}.toml"
                        )));
                    }
                }
                if device_group.is_empty() || device_group.contains(char::is_whitespace) {
                    anyhow::bail!(Caller(format!("设备组名 \"{device_group}\" 不可含空格 / a group has a name without spaces")));
                }
                let token = handover::token()?;
                let kept = PushToken {
                    token_hash: ::ingest::hash_bytes(token.as_bytes()),
                    device_group,
                    pipelines,
                    made_at_us: now_us,
                    ends_at_us: now_us + i64::from(days) * 86_400_000_000,
                    revoked_at_us: None,
                };
                pushes.add_token(&kept).await?;
                note(&house, "token_add", &kept.device_group).await?;
                println!("{token}");
            }
            Verb::List => {
                for it in pushes.tokens().await? {
                    let state = match it.revoked_at_us {
                        Some(_) => "revoked",
                        None if it.ends_at_us <= now_us => "ended",
                        None => "valid",
                    };
                    let until = chrono::DateTime::from_timestamp_micros(it.ends_at_us).context("a token without an end")?;
                    println!("{}\t{}\t{}\t{state}", it.device_group, it.pipelines.join(" "), until.date_naive());
                }
            }
            Verb::Revoke { device_group } => {
                if pushes.revoke(&device_group, now_us).await? == 0 {
                    anyhow::bail!(Caller(format!(
                        "没有 {device_group} 的有效令牌 / there is no valid token of {device_group}: see `yizhan token list`"
                    )));
                }
                note(&house, "token_revoke", &device_group).await?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Who may push is decided by a person, so it stands in the audit log.
async fn note(house: &crate::house::House, action: &str, device_group: &str) -> anyhow::Result<()> {
    let event = store::AuditEvent {
        action: action.to_owned(),
        actor: owner(),
        at_us: chrono::Utc::now().timestamp_micros(),
        outcome: "done".to_owned(),
        resource: device_group.to_owned(),
        ..store::AuditEvent::default()
    };
    house.store.audit().append(event).await?;
    Ok(())
}
