//! ARCHITECTURE.md names what holds each invariant: what it names must exist.

use std::fs;
use std::path::Path;

pub(super) fn check(root: &Path, files: &[String]) -> anyhow::Result<Vec<String>> {
    let text = fs::read_to_string(root.join("ARCHITECTURE.md"))?;
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|it| it.1.starts_with('|')) {
        let names: Vec<&str> = line.split('`').skip(1).step_by(2).collect();
        for name in &names {
            if !exists(root, files, name)? {
                findings.push(format!("ARCHITECTURE.md:{}: there is no `{name}`", index + 1));
            }
        }
        let is_invariant = line.trim_start_matches(['|', ' ']).starts_with(|it: char| it.is_ascii_digit());
        let is_open = line.contains("not yet built");
        if is_invariant && !is_open && names.is_empty() {
            findings.push(format!("ARCHITECTURE.md:{}: an invariant that nothing holds", index + 1));
        }
    }
    Ok(findings)
}

/// A path, a file below `crates/`, an integration test `it::file::name`, or a test `crate::name`.
fn exists(root: &Path, files: &[String], name: &str) -> anyhow::Result<bool> {
    if let Some((room, test)) = name.split_once("::") {
        let (folder, test) = match (room, test.split_once("::")) {
            ("it", Some((file, test))) => (format!("tests/it/{file}.rs"), test),
            ("it", None) => return Ok(root.join(format!("tests/it/{test}.rs")).exists()),
            _ => (format!("crates/{room}/"), test),
        };
        for path in files.iter().filter(|it| it.starts_with(&folder) && it.ends_with(".rs")) {
            let text = fs::read_to_string(root.join(path))?;
            if text.contains(&format!("fn {test}(")) {
                return Ok(true);
            }
        }
        return Ok(false);
    }
    if !name.contains(['/', '.']) {
        // A table, a column, a word.
        return Ok(true);
    }
    let path = name.trim_end_matches('/');
    Ok(root.join(path).exists() || root.join("crates").join(path).exists())
}
