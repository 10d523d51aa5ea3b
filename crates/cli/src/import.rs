//! The import wizard: files of people who write no TOML, guessed, tried without lake and vault, and given a contract.
//!
//! `yizhan pipeline` and the server's wizard share what is here; [`wizard`] is the server's side of it.

mod mend;
mod trial;
mod uploads;
mod wizard;
mod workbook;

use std::path::{Path, PathBuf};

use anyhow::Context;
use ingest::{Limits, Persons};
use schema::Pipeline;

pub(crate) use trial::{Trial, trial};
pub(crate) use wizard::Wizard;
pub(crate) use workbook::{rejects, template};

use crate::project::Project;
use crate::settings::Settings;

/// What a guess and a trial need of a project.
pub(crate) struct Ground {
    pub(crate) persons: Persons,
    pub(crate) limits: Limits,
    pub(crate) campus: schema::Campus,
    pub(crate) now_us: i64,
}

impl Ground {
    pub(crate) fn new(settings: &Settings, now_us: i64) -> anyhow::Result<Self> {
        let limits = Limits {
            file_bytes_max: settings.ingest.file_bytes_max.0,
            field_bytes_max: settings.ingest.field_bytes_max.0,
            rows_max: settings.ingest.rows_max,
        };
        Ok(Self { persons: Persons::new(&settings.person)?, limits, campus: settings.campus.clone(), now_us })
    }
}

/// The contract of the project whose columns a table has: all that it must have and none that it may not.
pub(crate) fn fitting<'a>(project: &'a Project, heads: &[String]) -> Option<&'a Pipeline> {
    project.pipelines.iter().filter(|it| !it.is_pulled() && !it.pipeline.source.headless).find(|it| {
        let head = |name: &'a str, column: &'a schema::Column| column.head.as_deref().unwrap_or(name);
        let declares = |wanted: &String| it.columns.iter().any(|(name, column)| head(name, column) == wanted);
        let must = it.columns.iter().filter(|(_, column)| !column.optional);
        heads.iter().all(declares) && must.into_iter().all(|(name, column)| heads.iter().any(|it| it == head(name, column)))
    })
}

/// Where the contract of a name stands in a project.
pub(crate) fn contract_path(project: &Path, name: &str) -> PathBuf {
    project.join("pipelines").join(format!("{name}.toml"))
}

/// Writes a file whole or not at all.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let folder = path.parent().context("a file without a folder")?;
    std::fs::create_dir_all(folder).with_context(|| format!("could not make {}", folder.display()))?;
    // The unfinished file is none that the door or the project reads.
    let mut part = tempfile::Builder::new().prefix(".").suffix(".part").tempfile_in(folder)?;
    std::io::Write::write_all(&mut part, bytes).with_context(|| format!("could not write {}", path.display()))?;
    part.as_file().sync_all()?;
    part.persist(path).with_context(|| format!("could not write {}", path.display()))?;
    // A contract is for everybody to read; a table of persons stays its owner's.
    #[cfg(unix)]
    if path.extension().is_some_and(|it| it == "toml") {
        let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        std::fs::set_permissions(path, readable).with_context(|| format!("could not open {} to readers", path.display()))?;
    }
    Ok(())
}
