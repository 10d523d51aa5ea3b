//! The commands of `yizhan`, and what they share: where the project is, when it is, how to print.

mod cases;
mod check;
mod clock;
mod config;
mod demo;
mod doctor;
mod ingest;
mod init;
mod notify;
mod pipeline;
mod policy;
mod portrait;
mod quarantine;
mod replay;
mod rollover;
mod run;
mod serve;
mod simulate;
mod sql;
mod token;
mod transform;
mod upkeep;
mod user;
pub(crate) mod warn;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

use crate::house::{Access, House, parse_now};
use crate::settings::{Place, Settings};

/// 驿站：高校“一站式”学生社区开放数据平台 / an open data platform for a university's one-stop student community.
#[derive(Debug, Parser)]
#[command(name = "yizhan", version, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Common {
    /// Folder of the campus project (default: here).
    #[arg(long, global = true, value_name = "DIR")]
    project: Option<PathBuf>,
    /// Folder of its data (default: <project>/data).
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Pretend that it is this date or instant, e.g. 2026-01-29 or 2026-01-29T04:00:00+08:00.
    #[arg(long, global = true, value_name = "WHEN")]
    now: Option<String>,
    /// How reports are printed on standard output.
    #[arg(long, global = true, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Change a setting for this run: --set lake.durability='"os"'.
    #[arg(long, global = true, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Table,
    Json,
    Csv,
    Parquet,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes a synthetic campus, builds everything and serves it with demo logins.
    Demo(demo::Demo),
    /// Makes a new campus project.
    Init(init::Init),
    /// Writes raw exports of a synthetic campus, the way real systems give them.
    Simulate(simulate::Simulate),
    /// Takes new files through the door into the lake.
    Ingest(ingest::Ingest),
    /// Builds the tables of sql/ that are stale.
    Transform(transform::Transform),
    /// Walks every room once, in order: the nightly job.
    Run(run::Run),
    /// Merges small files of the lake and removes what nobody reaches, as every night does (湖维护).
    Upkeep(upkeep::Upkeep),
    /// Serves API and web app, holds the lake and runs the schedule.
    Serve(serve::Serve),
    /// Explains and replays what was offered (关怀提示); trains and judges risk models (风险模型).
    Warn(warn::Warn),
    /// Casework: what the schedule does, now (个案).
    Cases(cases::Cases),
    /// Messages to staff about care work, and the monthly rehearsal (通知演练).
    Notify(notify::Notify),
    /// Asks the lake in SQL; with --as through the policy of an account.
    Sql(sql::Sql),
    /// Contracts of new sources, and templates of those there are.
    Pipeline(pipeline::Pipeline),
    /// Everything that may be said of one student, through the policy of an account.
    Portrait(portrait::Portrait),
    /// Rows that were refused: counts, another try, a workbook for who mends them.
    Quarantine(quarantine::Quarantine),
    /// Reads again what a broker still has of some days; what is in the lake already is set aside by its key.
    Replay(replay::Replay),
    /// The annual rollover: who leaves, who comes, and what the school must still do.
    Rollover(rollover::Rollover),
    /// Who may see which table or column, and why.
    Policy(policy::Policy),
    /// Accounts that may log in.
    User(user::User),
    /// Tokens with which groups of devices push events (设备推送令牌).
    Token(token::Token),
    /// Checks the project's files without touching data.
    Check(check::Check),
    /// Whether the machine's clock is believed; with --confirm somebody says that it is right (时钟).
    Clock(clock::Clock),
    /// Says what is well and what is not, and what to do: settings, disk, clock, log, sources, tables, backup (体检).
    Doctor(doctor::Doctor),
    /// Prints the settings.
    Config(config::Config),
    /// Prints completions for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

pub(crate) async fn dispatch(cli: Cli) -> anyhow::Result<ExitCode> {
    let common = cli.common;
    match cli.command {
        Command::Demo(it) => it.run(&common).await,
        Command::Init(it) => it.run(),
        Command::Simulate(it) => it.run(&common),
        Command::Ingest(it) => it.run(&common).await,
        Command::Transform(it) => it.run(&common).await,
        Command::Run(it) => it.run(&common).await,
        Command::Upkeep(it) => it.run(&common).await,
        Command::Serve(it) => it.run(&common).await,
        Command::Sql(it) => it.run(&common).await,
        Command::Warn(it) => it.run(&common).await,
        Command::Notify(it) => it.run(&common).await,
        Command::Cases(it) => it.run(&common).await,
        Command::Pipeline(it) => it.run(&common),
        Command::Portrait(it) => it.run(&common).await,
        Command::Quarantine(it) => it.run(&common).await,
        Command::Replay(it) => it.run(&common).await,
        Command::Rollover(it) => it.run(&common).await,
        Command::Policy(it) => it.run(&common).await,
        Command::User(it) => it.run(&common).await,
        Command::Token(it) => it.run(&common).await,
        Command::Check(it) => it.run(&common).await,
        Command::Clock(it) => it.run(&common),
        Command::Doctor(it) => it.run(&common).await,
        Command::Config(it) => it.run(&common),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "yizhan", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
    }
}

impl Common {
    pub(crate) fn place(&self) -> Place {
        let project = self.project.clone().unwrap_or_else(|| PathBuf::from("."));
        let data = self.data.clone().unwrap_or_else(|| project.join("data"));
        Place { project, data }
    }

    pub(crate) fn settings(&self) -> anyhow::Result<Settings> {
        Ok(Settings::read(&self.place().project, &self.flags()?)?.0)
    }

    pub(crate) fn flags(&self) -> anyhow::Result<Vec<(String, String)>> {
        self.set
            .iter()
            .map(|it| {
                let pair = it.split_once('=').map(|(key, value)| (key.trim().to_owned(), value.to_owned()));
                pair.ok_or_else(|| crate::exit::Caller(format!("--set \"{it}\" is no KEY=VALUE")).into())
            })
            .collect()
    }

    pub(crate) async fn open(&self, access: Access) -> anyhow::Result<House> {
        let settings = self.settings()?;
        let mut clock = settings.campus.clock();
        let now = self.now.as_deref().map(|it| parse_now(it, &mut clock));
        let now = now.transpose().map_err(|it| crate::exit::Caller(it.to_string()))?;
        House::open(&self.place(), settings, access, now).await
    }

    /// Opens to read. A project that has no lake yet gets one: accounts and tokens are made before the first row has come.
    pub(crate) async fn open_or_begin(&self) -> anyhow::Result<House> {
        let is_no_lake = |error: &anyhow::Error| {
            error.chain().any(|it| matches!(it.downcast_ref::<lake::Error>(), Some(lake::Error::NotALake { .. })))
        };
        match self.open(Access::Read).await {
            // In a folder that is no project the caller stands in the wrong place.
            Err(error) if is_no_lake(&error) && self.place().project.join("yizhan.toml").exists() => {
                self.open(Access::Write).await
            }
            opened => opened,
        }
    }

    /// The instant that the command is at: `--now`, else the clock on the wall.
    pub(crate) fn now_us(&self, settings: &Settings) -> anyhow::Result<i64> {
        let now = self.now.as_deref().map(|it| parse_now(it, &mut settings.campus.clock())).transpose();
        let now = now.map_err(|it| crate::exit::Caller(it.to_string()))?;
        Ok(now.unwrap_or_else(|| chrono::Utc::now().timestamp_micros()))
    }

    /// Whether the command pretends that it is another time.
    pub(crate) fn has_now(&self) -> bool {
        self.now.is_some()
    }

    pub(crate) fn format(&self) -> Format {
        self.format
    }
}

/// Prints what a command did, and gives the code with which it ends.
pub(crate) fn say(done: &::serve::Done) -> ExitCode {
    done.messages.iter().for_each(|it| eprintln!("{it}"));
    print!("{}", done.report);
    ExitCode::from(done.exit_code)
}

/// Who runs the program, for the audit log: the account of the machine.
pub(crate) fn owner() -> String {
    let named = ["LOGNAME", "USER"].iter().find_map(|it| std::env::var(it).ok().filter(|it| !it.is_empty()));
    named.unwrap_or_else(|| "owner".to_owned())
}

/// What to do about an error; kept apart from the message, which says what happened.
pub(crate) fn hint(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(|it| match it.downcast_ref::<lake::Error>() {
        Some(lake::Error::Locked { .. }) => {
            Some("等它结束，或停止正在运行的 yizhan serve / wait for it, or stop the running yizhan serve".to_owned())
        }
        Some(lake::Error::NotALake { .. }) => Some("先运行 yizhan run / run `yizhan run` first".to_owned()),
        _ => None,
    })
}
