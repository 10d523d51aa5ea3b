//! Sweeping: files that no version within reach names.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use deltalake::table::state::DeltaTableState;
use futures::TryStreamExt;

use crate::error::Error;
use crate::lake::{LOG, Lake, Slot};
use crate::write::part_prefix;

/// Files removed.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Swept {
    pub(crate) files: usize,
    pub(crate) bytes: u64,
}

impl Lake {
    /// Removes what an opening that was cut has staged but not committed.
    ///
    /// Only names of that opening are looked at, and a log is read only where there is one, so after a crash the
    /// next start costs a listing. Nothing else writes: the lock is held.
    pub(crate) async fn sweep_staged(&self, opened: u64) -> Result<(), Error> {
        let prefix = part_prefix(opened);
        for table in self.folders()? {
            let slot = self.slot(&table)?;
            for torn in listed(&slot.folder.join(LOG))?.into_iter().filter(|it| is_torn(&it.path)) {
                self.remove(&torn.path)?;
            }
            let of_opening = |it: &Found| it.path.file_name().is_some_and(|it| it.to_string_lossy().starts_with(&prefix));
            let staged: Vec<Found> = parts(&slot.folder)?.into_iter().filter(of_opening).collect();
            if staged.is_empty() {
                continue;
            }
            let named = if slot.exists().await? { named(&slot, i64::MIN).await? } else { HashSet::new() };
            for file in staged.into_iter().filter(|it| !named.contains(&relative(&slot.folder, &it.path))) {
                self.remove(&file.path)?;
            }
        }
        Ok(())
    }

    /// Removes files that left the table longer ago than the retention, and files that never entered it.
    pub(crate) async fn vacuum(&self, slot: &Slot, removed_before_ms: i64, staged_before_ms: i64) -> Result<Swept, Error> {
        let mut swept = Swept::default();
        // Listed before the log is read: a file committed in between is then named, one staged in between not listed.
        let found = parts(&slot.folder)?;
        let named = named(slot, removed_before_ms).await?;
        let mut folders = HashSet::new();
        for file in found {
            if named.contains(&relative(&slot.folder, &file.path)) || staged_before_ms <= file.modified_ms {
                continue;
            }
            self.remove(&file.path)?;
            swept.files += 1;
            swept.bytes += file.size;
            folders.extend(file.path.parent().map(Path::to_owned));
        }
        // What was erased must not come back with a power cut.
        for folder in folders {
            self.inner.folders.disk().sync_dir(&folder).map_err(Error::io("sync", folder))?;
        }
        Ok(swept)
    }

    /// Removes one file.
    pub(crate) fn remove(&self, path: &Path) -> Result<(), Error> {
        self.inner.folders.disk().remove(path).map_err(Error::io("remove", path))
    }
}

/// Paths that the newest version names, or that left the table at or after an instant.
async fn named(slot: &Slot, removed_since_ms: i64) -> Result<HashSet<String>, Error> {
    let failed = |it| Error::delta("load", &slot.table)(it);
    let state = DeltaTableState::try_new(slot.log.as_ref(), None).await.map_err(failed)?;
    let mut named: HashSet<String> = state.log_data().iter().map(|it| it.path().into_owned()).collect();
    let mut tombstones = state.all_tombstones(slot.log.as_ref());
    while let Some(tombstone) = tombstones.try_next().await.map_err(failed)? {
        // Without a timestamp nobody can say how old it is.
        if tombstone.deletion_timestamp().is_none_or(|it| removed_since_ms <= it) {
            named.insert(tombstone.path().into_owned());
        }
    }
    Ok(named)
}

/// A file that lies in a folder.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    pub(crate) size: u64,
    pub(crate) modified_ms: i64,
}

/// Data files of a table, in its folder and its partitions.
fn parts(folder: &Path) -> Result<Vec<Found>, Error> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(Error::io("list", folder))? {
        let path = entry.map_err(Error::io("list", folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.contains('=') && path.is_dir() {
            found.extend(listed(&path)?);
        }
    }
    found.extend(listed(folder)?);
    found.retain(|it| it.path.extension().is_some_and(|it| it == "parquet"));
    Ok(found)
}

/// Files of one folder; none if the folder is not there.
pub(crate) fn listed(folder: &Path) -> Result<Vec<Found>, Error> {
    let failed = Error::io("list", folder);
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(Error::io("list", folder))?;
        let metadata = entry.metadata().map_err(Error::io("list", folder))?;
        if metadata.is_file() {
            let modified = metadata.modified().map_err(Error::io("list", folder))?;
            let modified_ms = modified.duration_since(UNIX_EPOCH).map_or(0, |it| it.as_millis() as i64);
            found.push(Found { path: entry.path(), size: metadata.len(), modified_ms });
        }
    }
    Ok(found)
}

/// Whether a name is one that was being written: `<name>#<n>`.
fn is_torn(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.rsplit_once('#').is_some_and(|(_, n)| !n.is_empty() && n.chars().all(|it| it.is_ascii_digit()))
}

fn relative(folder: &Path, path: &Path) -> String {
    path.strip_prefix(folder).unwrap_or(path).to_string_lossy().into_owned()
}
