//! `yizhan simulate`: raw exports of a synthetic campus.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{Common, Format};
use crate::exit::Caller;
use crate::live::{self, Stage};
use crate::progress::Bars;
use crate::project::Project;

#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// Number of students.
    #[arg(long, default_value_t = 5000)]
    students: u32,
    /// Number of days from 2025-09-01.
    #[arg(long, default_value_t = 150)]
    days: u32,
    /// The same seed makes the same bytes.
    #[arg(long, default_value_t = 20_250_901)]
    seed: u64,
    /// No device fails, nobody goes on leave and no card is lost: the same people on the same days, to compare with.
    #[arg(long)]
    uneventful: bool,
    /// Folder to write into.
    #[arg(long, required_unless_present = "live")]
    out: Option<PathBuf>,
    /// Play the gates of the campus into a running server instead, e.g. http://127.0.0.1:8080: moved by whole weeks, so that
    /// the last day ends now.
    #[arg(long, value_name = "URL", num_args = 0..=1, default_missing_value = "")]
    live: Option<String>,
    /// Where to play with --live, if not said there: http://, or a broker: kafka://, kafkas://, mqtt://, mqtts://, nats://, tls://
    /// (user@ before the host, the password in YIZHAN_PUSH_TOKEN).
    #[arg(long, value_name = "URL", requires = "live")]
    to: Option<String>,
    /// Topic at a broker: {pipeline} and names of the event's values in braces are filled in; NATS and Kafka read / as a dot.
    /// Usually yizhan/{pipeline}/{device_id}, at Kafka yizhan.{pipeline}.
    #[arg(long, value_name = "TOPIC", requires = "live")]
    topic: Option<String>,
    /// Simulated seconds in a real one; 0 is as fast as the server takes it.
    #[arg(long, value_name = "X", default_value_t = 60.0, requires = "live")]
    speed: f64,
    /// Token with which events are pushed: `yizhan token add`.
    #[arg(long, env = "YIZHAN_PUSH_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

impl Simulate {
    /// Where to play, if anywhere.
    fn address(&self) -> anyhow::Result<Option<String>> {
        let Some(live) = &self.live else { return Ok(None) };
        let url = self.to.clone().unwrap_or_else(|| live.clone());
        if url.is_empty() {
            anyhow::bail!(Caller("--live 之后或用 --to 写明地址 / say where to play: --live URL, or --live --to URL".to_owned()));
        }
        if url.starts_with("http") && self.token.as_deref().unwrap_or_default().is_empty() {
            anyhow::bail!(Caller(
                "推送需要令牌：yizhan token add，然后 --token 或 YIZHAN_PUSH_TOKEN / a token is needed: `yizhan token add`, then --token or \
                 YIZHAN_PUSH_TOKEN"
                    .to_owned()
            ));
        }
        Ok(Some(url))
    }

    pub(crate) fn run(self, common: &Common) -> anyhow::Result<ExitCode> {
        // What is wrong with the address is known before anything is made.
        let address = self.address()?;
        let Self { students, days, seed, uneventful, .. } = self;
        let folder = tempfile::TempDir::new()?;
        // What is only played is not kept.
        let out = self.out.clone().unwrap_or_else(|| folder.path().to_owned());
        let config = simulate::Config { students, days, seed, out: out.clone(), events: !uneventful, ..Default::default() };
        let manifest = simulate_into(&config)?;
        if let Some(url) = address {
            let stage =
                Stage { url, token: self.token.clone().unwrap_or_default(), speed: self.speed, topic: self.topic.clone() };
            let project = Project::read(&common.place().project, &common.settings()?)?;
            let played = live::play(&out, &project.pipelines, &stage, chrono::Utc::now().timestamp_millis())?;
            match common.format() {
                Format::Json => println!("{}", serde_json::to_string(&played)?),
                _ => println!(
                    "{} events in {} requests: {} kept, {} quarantined, {} skipped; waited {} times",
                    played.events, played.requests, played.kept, played.quarantined, played.skipped, played.waits
                ),
            }
            return Ok(ExitCode::SUCCESS);
        }
        let rows: u64 = manifest.rows.values().sum();
        match common.format() {
            Format::Json => {
                println!("{}", serde_json::json!({ "out": out, "rows": rows, "students": self.students, "days": self.days }))
            }
            _ => println!("{rows} rows of {} students over {} days in {}", self.students, self.days, out.display()),
        }
        Ok(ExitCode::SUCCESS)
    }
}

pub(crate) fn simulate_into(config: &simulate::Config) -> anyhow::Result<simulate::Manifest> {
    let bar = Bars::new().steps("simulate", u64::from(config.days));
    let manifest = simulate::write(config, &mut |it| bar.set_position(u64::from(it.days_done)))?;
    bar.finish_and_clear();
    Ok(manifest)
}
