//! `make crash KILLS=200`: kills a real server while events are pushed. The last line is `N passed, M failed`.

#[path = "../it/crash.rs"]
mod crash;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let number = |name: &str, usual: u64| std::env::var(name).ok().and_then(|it| it.parse().ok()).unwrap_or(usual);
    let own = std::env::current_exe().expect("this program has a path");
    let binary = own.parent().map(|it| it.join("yizhan")).filter(|it| it.exists()).expect("yizhan beside this program");
    let folder = tempfile::TempDir::new().expect("a folder");
    let seed = number("SEED", 1);
    println!("seed {seed}");
    let (passed, failed) = crash::kills(binary, Path::new(folder.path()), number("KILLS", 20) as usize, seed);
    failed.iter().for_each(|it| println!("{it}"));
    println!("{passed} passed, {} failed", failed.len());
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
