//! `make crash KILLS=200 EVENTS=1000000 SOURCES=http,nats SEED=7`: kills a real server while events come by every way in.
//! The last line is `N passed, M failed`.

// The cases of the suite use more of them.
#[allow(dead_code)]
#[path = "../it/brokers.rs"]
mod brokers;
#[allow(dead_code)]
#[path = "../it/crash.rs"]
mod crash;
#[allow(dead_code)]
#[path = "../it/sources.rs"]
mod sources;

use std::process::ExitCode;

fn main() -> ExitCode {
    let text = |name: &str| std::env::var(name).ok().filter(|it| !it.is_empty());
    let number = |name: &str, usual: u64| text(name).and_then(|it| it.parse().ok()).unwrap_or(usual);
    let own = std::env::current_exe().expect("this program has a path");
    let binary = own.parent().map(|it| it.join("yizhan")).filter(|it| it.exists()).expect("yizhan beside this program");
    let folder = tempfile::TempDir::new().expect("a folder");
    let names = text("SOURCES").unwrap_or_else(|| sources::ALL.join(","));
    let wanted = crash::Wanted {
        kills: number("KILLS", 20) as usize,
        events: number("EVENTS", 20_000),
        seed: number("SEED", 1),
        sources: names.split(',').map(|it| it.trim().to_owned()).collect(),
    };
    println!("seed {}, {} events by {names}", wanted.seed, wanted.events);
    let (passed, failed) = crash::kills(binary, folder.path(), &wanted);
    failed.iter().for_each(|it| println!("{it}"));
    println!("{passed} passed, {} failed", failed.len());
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
