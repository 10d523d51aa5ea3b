//! Tests that nobody runs are none: files of the integration binary are named in it, cases have an expectation.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

pub(super) fn check(root: &Path, files: &[String]) -> anyhow::Result<Vec<String>> {
    let mut findings = Vec::new();
    let main = fs::read_to_string(root.join("tests/it/main.rs"))?;
    for path in files {
        if let Some(name) = path.strip_prefix("tests/it/").and_then(|it| it.strip_suffix(".rs"))
            && !["main", "lib"].contains(&name)
            && !main.contains(&format!("mod {name};"))
        {
            findings.push(format!("{path}: not named in tests/it/main.rs, so it never runs"));
        }
    }
    let under = |folder: &str, depth: usize| -> BTreeSet<String> {
        let parts = |it: &String| it.split('/').take(depth).collect::<Vec<_>>().join("/");
        files.iter().filter(|it| it.starts_with(folder) && depth < it.split('/').count()).map(parts).collect()
    };
    for case in under("tests/pipelines/", 4) {
        let expects = ["expect.csv", "error.txt"].iter().any(|it| root.join(&case).join(it).exists());
        if !expects {
            findings
                .push(format!("{case}: neither expect.csv nor error.txt; run the cases with UPDATE=1 and read what they wrote"));
        }
    }
    for folder in under("crates/", 2).into_iter().chain(under("tests/projects/", 3)).chain(under("", 1)) {
        let is_room = !folder.starts_with('.') && folder != "docs";
        if is_room && !root.join(&folder).join("README.md").exists() {
            findings.push(format!("{folder}: without a README.md that says what lives there and how to add one more"));
        }
    }
    Ok(findings)
}
