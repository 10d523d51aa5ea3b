//! What no compiler checks. Every finding says where it is and what to do.

mod arrows;
mod invariants;
mod listed;
mod models;
mod text;

use std::path::Path;

use anyhow::bail;

use crate::{codegen, output};

pub(crate) fn tidy(root: &Path) -> anyhow::Result<()> {
    let files = tracked(root)?;
    let mut findings = Vec::new();
    findings.extend(arrows::check(root)?);
    findings.extend(models::check(root, &files)?);
    findings.extend(listed::check(root, &files)?);
    findings.extend(invariants::check(root, &files)?);
    findings.extend(text::check(root, &files)?);
    findings.extend(codegen::check(root)?);
    for finding in &findings {
        eprintln!("{finding}");
    }
    if findings.is_empty() {
        println!("tidy: {} files, nothing to do", files.len());
        Ok(())
    } else {
        bail!("tidy: {} findings", findings.len())
    }
}

/// Files that are committed or about to be.
fn tracked(root: &Path) -> anyhow::Result<Vec<String>> {
    let list = output(root, &["git", "ls-files", "--cached", "--others", "--exclude-standard"])?;
    Ok(list.lines().filter(|it| root.join(it).is_file()).map(str::to_owned).collect())
}
