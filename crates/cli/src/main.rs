//! `yizhan`: settings, wiring, schedule; one file a command.

mod commands;
mod exit;
mod handover;
mod house;
mod ingest;
mod memory;
mod progress;
mod project;
mod settings;
mod tables;

use std::process::ExitCode;

use clap::Parser;
use commands::Cli;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_env("YIZHAN_LOG").unwrap_or_else(|_| {
        tracing_subscriber::EnvFilter::new("warn,deltalake_core=error,buoyant_kernel=error,delta_kernel=error")
    });
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(8 << 20).build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: could not start: {error}");
            return ExitCode::from(75);
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
