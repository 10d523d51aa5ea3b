//! Which crate may name which. `crates/README.md` draws the same arrows for people.

use std::path::Path;

use anyhow::Context;
use serde_json::Value;

use crate::output;

/// A crate and the rooms of the house that it may name.
const ARROWS: [(&str, &[&str]); 18] = [
    ("schema", &[]),
    ("testkit", &[]),
    ("ingest", &["schema", "testkit"]),
    ("store", &["schema", "casework", "testkit"]),
    ("simulate", &["schema"]),
    ("portrait", &[]),
    ("warning", &["schema"]),
    ("casework", &["schema"]),
    ("notify", &["schema"]),
    ("wal", &["schema"]),
    ("lake", &["schema"]),
    ("engine", &["schema", "lake", "portrait"]),
    ("policy", &["schema"]),
    ("transform", &["schema", "lake", "portrait", "warning", "engine"]),
    ("serve", &["schema", "store", "lake", "policy", "warning", "casework", "notify"]),
    (
        "cli",
        &[
            "schema",
            "ingest",
            "store",
            "simulate",
            "wal",
            "lake",
            "engine",
            "policy",
            "transform",
            "serve",
            "warning",
            "casework",
            "notify",
        ],
    ),
    ("it", &["testkit", "schema", "casework", "store", "wal"]),
    ("xtask", &["schema"]),
];

/// Heavy libraries and the only rooms that may name them: the others build in seconds.
const HEAVY: [(&str, &[&str]); 6] = [
    ("datafusion", &["engine", "policy", "transform", "serve", "cli"]),
    ("deltalake", &["lake"]),
    ("axum", &["serve"]),
    ("polars", &["warning"]),
    ("reqwest", &["cli", "notify"]),
    ("sqlx", &["store", "ingest"]),
];

pub(super) fn check(root: &Path) -> anyhow::Result<Vec<String>> {
    let metadata = output(root, &["cargo", "metadata", "--no-deps", "--offline", "--format-version", "1"])?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let packages = metadata["packages"].as_array().context("cargo metadata without packages")?;
    let mut findings = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let Some((_, may_name)) = ARROWS.iter().find(|it| it.0 == name) else {
            findings.push(format!("crates/{name}: no arrows; add it to crates/README.md and xtask's tidy/arrows.rs"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let other = dependency["name"].as_str().unwrap_or_default();
            let is_room = ARROWS.iter().any(|it| it.0 == other);
            if is_room && !may_name.contains(&other) {
                findings
                    .push(format!("crates/{name}/Cargo.toml: must not name {other}: the arrows in crates/README.md forbid it"));
            }
            if let Some((_, rooms)) = HEAVY.iter().find(|it| it.0 == other)
                && !rooms.contains(&name)
            {
                findings.push(format!("crates/{name}/Cargo.toml: {other} is heavy and belongs to {} only", rooms.join(", ")));
            }
        }
        if package["description"].as_str().is_none_or(str::is_empty) {
            findings.push(format!("crates/{name}/Cargo.toml: without a description"));
        }
    }
    Ok(findings)
}
