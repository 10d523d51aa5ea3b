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

    /// Models that serve safety and read a source whose contract does not name it, as sentences that say what to do.
    pub(crate) fn beyond_purpose(&self) -> anyhow::Result<Vec<String>> {
        let beyond = transform::beyond_purpose(&self.pipelines, &self.models)?;
        let told = |it: transform::BeyondPurpose| {
            let (path, purpose, pipeline) = (it.path, it.purpose, it.pipeline);
            format!(
                "{path}：用途 {purpose} 超出数据来源 {pipeline} 的约定：请先办理扩大用途的审批，再在 pipelines/{pipeline}.toml 的 purpose 中加上 \
                 {purpose}；或不再读取该来源 / {path} serves {purpose}, for which pipeline \"{pipeline}\" may not be used: have the \
                 approval widened, then add {purpose} to purpose in pipelines/{pipeline}.toml, or read the source no more"
            )
        };
        Ok(beyond.into_iter().map(told).collect())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ships_uses_no_source_for_safety_beyond_its_contract() {
        let (settings, _) = Settings::read(Path::new("/nowhere"), &[]).expect("settings");
        let mut project = Project::read(Path::new("/nowhere"), &settings).expect("the pack");
        assert_eq!(project.beyond_purpose().expect("queries"), Vec::<String>::new());
        // The rule for who left no trace reads talks through two tables: without the purpose it is told, and where to mend it.
        let talks = project.pipelines.iter_mut().find(|it| it.name() == "contact_record").expect("talks");
        talks.pipeline.purpose.retain(|it| it != "public_safety");
        let told = project.beyond_purpose().expect("queries").join("\n");
        assert!(told.contains("sql/warning/no_trace.sql") && told.contains("pipelines/contact_record.toml"), "{told}");
    }
}
