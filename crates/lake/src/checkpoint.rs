//! Checkpoints: the table's state in one file, so that a reader need not read every entry.

use std::collections::{BTreeMap, BTreeSet};

use deltalake::DeltaTable;
use deltalake::checkpoints::create_checkpoint;

use crate::error::Error;
use crate::lake::{LOG, Lake, Slot};
use crate::sweep::listed;

/// Entries between two checkpoints.
pub(crate) const INTERVAL: i64 = 50;
/// So many of the newest stay whatever their age: a power cut may leave the log's hint at one before the last.
const NEWEST_KEPT: usize = 3;
/// Younger ones stay: a reader that has just listed the log may be about to open one.
const KEPT_MS: i64 = 3_600_000;
const DAY_MS: i64 = 86_400_000;

impl Lake {
    /// Writes a checkpoint if this version is one that gets one.
    ///
    /// The commit stands whether it succeeds or not, and upkeep makes up for it, so a failure is only told.
    pub(crate) async fn checkpoint_when_due(&self, slot: &Slot, version: i64) {
        if version == 0 || version % INTERVAL != 0 {
            return;
        }
        if let Err(error) = self.checkpoint(slot, version).await {
            tracing::warn!(table = slot.table, version, error = &error as &dyn std::error::Error, "no checkpoint");
        }
    }

    /// Writes a checkpoint of a version.
    pub(crate) async fn checkpoint(&self, slot: &Slot, version: i64) -> Result<(), Error> {
        let mut table = DeltaTable::new(slot.log.clone());
        table.load_version(version as u64).await.map_err(Error::delta("load", &slot.table))?;
        create_checkpoint(&table, None).await.map_err(Error::delta("checkpoint", &slot.table))
    }

    /// The version of the newest checkpoint, or -1.
    pub(crate) fn checkpointed(&self, slot: &Slot) -> Result<i64, Error> {
        let folder = slot.folder.join(LOG);
        let mut newest = -1;
        for entry in std::fs::read_dir(&folder).map_err(Error::io("list", &folder))? {
            let entry = entry.map_err(Error::io("list", &folder))?;
            newest = newest.max(numbered(&entry.file_name().to_string_lossy(), CHECKPOINT).unwrap_or(-1));
        }
        Ok(newest)
    }

    /// Removes checkpoints that another stands in for, and says how many.
    ///
    /// Each names every live file and every file that left within a week, and a table with a commit every 30 seconds
    /// gets 58 of them a day. Of a day the first is enough: an older version is read from
    /// it and the entries behind it. One stays where these entries are not all there.
    pub(crate) fn thin_checkpoints(&self, slot: &Slot, now_ms: i64) -> Result<usize, Error> {
        let (mut entries, mut checkpoints) = (BTreeSet::new(), BTreeMap::new());
        for file in listed(&slot.folder.join(LOG))? {
            let name = file.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if let Some(version) = numbered(&name, CHECKPOINT) {
                checkpoints.insert(version, file);
            } else if let Some(version) = numbered(&name, ENTRY) {
                entries.insert(version);
            }
        }
        let newest: BTreeSet<i64> = checkpoints.keys().rev().take(NEWEST_KEPT).copied().collect();
        let (mut kept, mut removed): (Option<(i64, i64)>, usize) = (None, 0);
        for (version, file) in &checkpoints {
            let day = file.modified_ms.div_euclid(DAY_MS);
            let has_stand_in =
                kept.is_some_and(|(before, of)| of == day && (before + 1..=*version).all(|it| entries.contains(&it)));
            if !has_stand_in || newest.contains(version) || now_ms - KEPT_MS < file.modified_ms {
                kept = Some((*version, day));
                continue;
            }
            self.remove(&file.path)?;
            removed += 1;
        }
        Ok(removed)
    }
}

const CHECKPOINT: &str = ".checkpoint.parquet";
const ENTRY: &str = ".json";

/// The version in a name of the log; `None` for other files, and for those still being written, which end in `#<n>`.
fn numbered(name: &str, ending: &str) -> Option<i64> {
    name.strip_suffix(ending)?.parse().ok()
}
