//! `cargo xtask codegen|tidy|ci`: what keeps the house in order, apart from the product.

mod ci;
mod codegen;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, bail};

const USAGE: &str = "\
cargo xtask codegen   writes the generated files anew
cargo xtask tidy      checks what no compiler checks: arrows, documentation, listed tests, fresh generated files
cargo xtask ci        all that must pass: format, lints, tidy, licences and sources of dependencies, tests";

fn main() -> ExitCode {
    let root = root();
    let task = std::env::args().nth(1);
    let result = match task.as_deref() {
        Some("codegen") => codegen::write(&root),
        Some("tidy") => tidy::tidy(&root),
        Some("ci") => ci::ci(&root),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The root of the workspace.
fn root() -> PathBuf {
    // Asked at run time: checkouts that share compiled files would otherwise look after each other.
    let own = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    own.ancestors().nth(2).unwrap_or(Path::new(".")).to_owned()
}

/// Runs a command in a folder and shows what it prints.
fn run(folder: &Path, words: &[&str]) -> anyhow::Result<()> {
    let [program, args @ ..] = words else { bail!("no command") };
    let status = Command::new(program)
        .args(args)
        .current_dir(folder)
        .status()
        .with_context(|| format!("could not start {program}: is it installed?"))?;
    if status.success() { Ok(()) } else { bail!("{} failed", words.join(" ")) }
}

/// What a command prints.
fn output(folder: &Path, words: &[&str]) -> anyhow::Result<String> {
    let [program, args @ ..] = words else { bail!("no command") };
    let output =
        Command::new(program).args(args).current_dir(folder).output().with_context(|| format!("could not start {program}"))?;
    if !output.status.success() {
        bail!("{} failed: {}", words.join(" "), String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?)
}
