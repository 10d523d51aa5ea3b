//! `yizhan simulate`: raw exports of a synthetic campus.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{Common, Format};
use crate::progress::Bars;

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
    #[arg(long)]
    out: PathBuf,
}

impl Simulate {
    pub(crate) fn run(self, common: &Common) -> anyhow::Result<ExitCode> {
        let Self { students, days, seed, uneventful, .. } = self;
        let config = simulate::Config { students, days, seed, out: self.out.clone(), events: !uneventful, ..Default::default() };
        let manifest = simulate_into(&config)?;
        let rows: u64 = manifest.rows.values().sum();
        match common.format() {
            Format::Json => {
                println!("{}", serde_json::json!({ "out": self.out, "rows": rows, "students": self.students, "days": self.days }))
            }
            _ => println!("{rows} rows of {} students over {} days in {}", self.students, self.days, self.out.display()),
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
