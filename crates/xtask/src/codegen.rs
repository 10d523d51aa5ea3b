//! Generated files: each is made of one source, is committed, and is compared by `tidy`.

use std::fs;
use std::path::Path;

use anyhow::{Context, bail};

use crate::run;

/// Writes all of them.
pub(crate) fn write(root: &Path) -> anyhow::Result<()> {
    for (path, text) in schemas()? {
        fs::write(root.join(path), text).with_context(|| format!("could not write {path}"))?;
        println!("{path}");
    }
    run(&root.join("dashboards"), &["npm", "run", "--silent", "codegen", "--", "-o", "src/api/schema.ts"])
}

/// Says which are older than what they are made of.
pub(crate) fn check(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut stale = Vec::new();
    for (path, text) in schemas()? {
        if fs::read_to_string(root.join(path)).unwrap_or_default() != text {
            stale.push(format!("{path}: not fresh, run `cargo xtask codegen`"));
        }
    }
    let types = root.join("dashboards/src/api/schema.ts");
    let kept = fs::read_to_string(&types).context("dashboards/src/api/schema.ts is missing")?;
    let fresh = std::env::temp_dir().join(format!("yizhan-schema-{}.ts", std::process::id()));
    let out = fresh.to_string_lossy();
    crate::output(&root.join("dashboards"), &["npm", "run", "--silent", "codegen", "--", "-o", &out])?;
    let made = fs::read_to_string(&fresh).context("openapi-typescript wrote nothing")?;
    let _ = fs::remove_file(&fresh);
    if made.is_empty() {
        bail!("openapi-typescript wrote an empty file");
    }
    if made != kept {
        stale.push("dashboards/src/api/schema.ts: not fresh, run `cargo xtask codegen`".to_owned());
    }
    Ok(stale)
}

/// JSON schemas for editors, of the files that people write by hand.
fn schemas() -> anyhow::Result<[(&'static str, String); 2]> {
    Ok([
        ("pipelines/pipeline.schema.json", pretty(schemars::schema_for!(schema::Pipeline))?),
        ("sql/model.schema.json", pretty(schemars::schema_for!(schema::FrontMatter))?),
    ])
}

fn pretty(schema: schemars::Schema) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(&schema)? + "\n")
}
