//! All that must pass before a change is taken.

use std::path::Path;
use std::process::Command;

use crate::{run, tidy};

pub(crate) fn ci(root: &Path) -> anyhow::Result<()> {
    run(root, &["cargo", "fmt", "--all", "--check"])?;
    run(root, &["cargo", "clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
    tidy::tidy(root)?;
    let has_deny = Command::new("cargo").args(["deny", "--version"]).output().is_ok_and(|it| it.status.success());
    if !has_deny {
        run(root, &["cargo", "install", "--locked", "cargo-deny"])?;
    }
    run(root, &["cargo", "deny", "check", "bans", "licenses", "sources"])?;
    run(root, &["make", "test"])
}
