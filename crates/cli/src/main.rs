//! `yizhan`: settings, wiring, schedule; one file a command.

mod approval;
mod background;
mod cases;
mod commands;
mod correction;
mod disk;
mod doctor;
mod effect;
mod exit;
mod handover;
mod house;
mod import;
mod ingest;
mod known;
mod live;
mod memory;
mod messages;
mod progress;
mod project;
mod replay;
mod reshape;
mod rollover;
mod settings;
mod standing;
mod stream;
mod tables;
mod talks;
mod telling;
mod tick;
mod traces;
mod tuning;
mod upkeep;
mod visits;
mod working_days;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use commands::Cli;

// Answers are made of thousands of small pieces, by many threads at once: a quarter of a portrait was the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse_from(set_first(std::env::args_os()));
    let filter = tracing_subscriber::EnvFilter::try_from_env("YIZHAN_LOG").unwrap_or_else(|_| {
        tracing_subscriber::EnvFilter::new("warn,deltalake_core=error,buoyant_kernel=error,delta_kernel=error,rskafka=off")
    });
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    exit::when_nobody_reads();
    let runtime = match background::runtime("yizhan") {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: could not start: {error}");
            return ExitCode::from(exit::LATER);
        }
    };
    match runtime.block_on(commands::dispatch(cli)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("错误 / error: {error}");
            for cause in error.chain().skip(1) {
                eprintln!("  原因 / because: {cause}");
            }
            if let Some(hint) = commands::hint(&error) {
                eprintln!("  建议 / hint: {hint}");
            }
            ExitCode::from(exit::code(&error))
        }
    }
}

/// Brings every `--set` before the subcommand: given on both sides, clap would keep only those behind it.
fn set_first(args: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let (mut first, mut rest) = (Vec::new(), Vec::new());
    let mut args = args.fuse();
    first.extend(args.next());
    while let Some(arg) = args.next() {
        match arg.to_str() {
            Some("--") => {
                rest.push(arg);
                rest.extend(args.by_ref());
            }
            Some("--set") => {
                first.push(arg);
                first.extend(args.next());
            }
            Some(text) if text.starts_with("--set=") => first.push(arg),
            _ => rest.push(arg),
        }
    }
    first.extend(rest);
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_count_wherever_they_stand() {
        let args = ["yizhan", "--set", "a=1", "run", "--input", "x", "--set", "b=2", "--set=c=3", "--", "--set"];
        let sorted = set_first(args.into_iter().map(OsString::from));
        assert_eq!(sorted, ["yizhan", "--set", "a=1", "--set", "b=2", "--set=c=3", "run", "--input", "x", "--", "--set"]);
    }
}
