//! Checkpoints: the table's state in one file, so that a reader need not read every entry.

use deltalake::DeltaTable;
use deltalake::checkpoints::create_checkpoint;

use crate::error::Error;
use crate::lake::{LOG, Lake, Slot};

/// Entries between two checkpoints.
pub(crate) const INTERVAL: i64 = 50;

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
            let name = entry.file_name().to_string_lossy().into_owned();
            // Leaves out the names of files that are still being written, which end in `#<n>`.
            if let Some(version) = name.strip_suffix(".checkpoint.parquet") {
                newest = newest.max(version.parse().unwrap_or(-1));
            }
        }
        Ok(newest)
    }
}
