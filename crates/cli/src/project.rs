//! A campus project: its own files over those of its packs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use include_dir::{Dir, include_dir};
use schema::{Model, Pipeline};

use crate::settings::Settings;

static PIPELINES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../pipelines");
static POLICIES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../policies");
static SQL: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../sql");

/// The folders of a project that the platform reads.
const FOLDERS: [(&str, &str); 3] = [("pipelines", "toml"), ("policies", "toml"), ("sql", "sql")];

/// Pipelines, models and policies of a project, read and checked.
#[derive(Debug)]
pub(crate) struct Project {
    pub(crate) pipelines: Vec<Pipeline>,
    pub(crate) models: Vec<Model>,
    /// Texts of the policies by path.
    pub(crate) policies: Vec<(PathBuf, String)>,
}

impl Project {
    /// Reads a project: packs first, then the files of its own, which replace those at the same relative path.
    pub(crate) fn read(folder: &Path, settings: &Settings) -> anyhow::Result<Self> {
        let mut files: BTreeMap<String, String> = BTreeMap::new();
        for pack in &settings.packs {
            match pack.as_str() {
                "campus" => {
                    for (name, dir) in [("pipelines", &PIPELINES), ("policies", &POLICIES), ("sql", &SQL)] {
                        embedded(dir, name, &mut files);
                    }
                }
                other => bail!(UnknownPack { pack: other.to_owned() }),
            }
        }
        for (name, extension) in FOLDERS {
            on_disk(&folder.join(name), name, extension, &mut files)?;
        }
        let shared = settings.policy.shared();
        let mut project = Self { pipelines: Vec::new(), models: Vec::new(), policies: Vec::new() };
        for (path, text) in files {
            let relative = Path::new(&path);
            if path.starts_with("pipelines/") {
                project.pipelines.push(Pipeline::parse(relative, &text)?);
            } else if path.starts_with("policies/") {
                project.policies.push((relative.to_owned(), text));
            } else if !path.starts_with("sql/analyst/") {
                // Analysts' queries are not built; they are run by whoever asks.
                project.models.push(Model::parse(relative, &text, &shared)?);
            }
        }
        Ok(project)
    }
}

/// A pack that this binary does not hold.
#[derive(Debug, thiserror::Error)]
#[error("yizhan.toml: there is no pack \"{pack}\"; this binary holds: campus")]
pub(crate) struct UnknownPack {
    pack: String,
}

fn embedded(dir: &Dir<'_>, prefix: &str, files: &mut BTreeMap<String, String>) {
    for file in dir.files() {
        let is_wanted = file.path().extension().is_some_and(|it| it == "toml" || it == "sql");
        if let (true, Some(text)) = (is_wanted, file.contents_utf8()) {
            files.insert(format!("{prefix}/{}", file.path().to_string_lossy()), text.to_owned());
        }
    }
    for inner in dir.dirs() {
        embedded(inner, prefix, files);
    }
}

fn on_disk(folder: &Path, name: &str, extension: &str, files: &mut BTreeMap<String, String>) -> anyhow::Result<()> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let path = entry.with_context(|| format!("could not list {}", folder.display()))?.path();
        let own = format!("{name}/{}", path.file_name().unwrap_or_default().to_string_lossy());
        if path.is_dir() {
            on_disk(&path, &own, extension, files)?;
        } else if path.extension().is_some_and(|it| it == extension) {
            let text = std::fs::read_to_string(&path).with_context(|| format!("could not read {}", path.display()))?;
            files.insert(own, text);
        }
    }
    Ok(())
}
