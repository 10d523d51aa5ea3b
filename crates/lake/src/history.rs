//! What happened between two versions: which partitions to build again, and who said what on a commit.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use deltalake::kernel::Action;
use serde_json::Value;

use crate::commit::callers;
use crate::error::Error;
use crate::lake::Lake;
use crate::replay::{parsed, partition_of, read_entry};

/// Partitions whose rows changed between two versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// Days since 1970 that gained or lost rows; `None` stands for a table without partitions and for null days.
    pub partitions: BTreeSet<Option<i32>>,
    /// Whether every entry in between could be read; if not, build everything again.
    pub is_complete: bool,
}

impl Lake {
    /// Lists the partitions that gained or lost rows after `from_version` up to and with `to_version`.
    ///
    /// Compaction never counts. Versions that are no longer in the log, or that the table never had, make the
    /// answer incomplete instead of an error: the caller's remedy is the same.
    ///
    /// # Errors
    /// [`Error::NoTable`], or the log cannot be read.
    pub async fn changes(&self, table: &str, from_version: i64, to_version: i64) -> Result<Changes, Error> {
        let slot = self.slot(table)?;
        let partition_by = {
            let state = slot.refreshed().await?;
            let Some(state) = state.as_ref() else { return Err(Error::NoTable { table: table.to_owned() }) };
            if to_version < from_version || state.version < to_version {
                return Ok(Changes { partitions: BTreeSet::new(), is_complete: false });
            }
            state.partition_by.clone()
        };
        let mut changes = Changes { partitions: BTreeSet::new(), is_complete: true };
        for version in from_version.max(-1) + 1..=to_version {
            let Some(entry) = read_entry(&slot, version).await? else {
                changes.is_complete = false;
                break;
            };
            for action in parsed(&slot, version, &entry)? {
                let none = HashMap::new();
                let values = match &action {
                    Action::Add(add) if add.data_change => &add.partition_values,
                    Action::Remove(remove) if remove.data_change => remove.partition_values.as_ref().unwrap_or(&none),
                    _ => continue,
                };
                changes.partitions.insert(partition_of(&slot, partition_by.as_deref(), values)?);
            }
        }
        Ok(changes)
    }

    /// Days of which rows left the table or were replaced, as far back as its log still goes; empty for a table that is not
    /// there.
    ///
    /// Compaction never counts. Entries leave the log too, the oldest first: what was removed before them is not told.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn lost(&self, table: &str) -> Result<BTreeSet<i32>, Error> {
        let slot = self.slot(table)?;
        let (newest, partition_by) = {
            let state = slot.refreshed().await?;
            let Some(state) = state.as_ref() else { return Ok(BTreeSet::new()) };
            (state.version, state.partition_by.clone())
        };
        let mut lost = BTreeSet::new();
        for version in (0..=newest).rev() {
            let Some(entry) = read_entry(&slot, version).await? else { break };
            for action in parsed(&slot, version, &entry)? {
                if let Action::Remove(remove) = &action
                    && remove.data_change
                    && let Some(values) = &remove.partition_values
                {
                    lost.extend(partition_of(&slot, partition_by.as_deref(), values)?);
                }
            }
        }
        Ok(lost)
    }

    /// What its writer said on a commit, by the writer's own keys.
    ///
    /// # Errors
    /// [`Error::NoVersion`] if the entry does not exist or was cleaned up.
    pub async fn commit_info(&self, table: &str, version: i64) -> Result<BTreeMap<String, Value>, Error> {
        let slot = self.slot(table)?;
        let Some(entry) = read_entry(&slot, version).await? else {
            return Err(Error::NoVersion { table: table.to_owned(), version });
        };
        let actions = parsed(&slot, version, &entry)?;
        let info = actions.iter().find_map(|it| if let Action::CommitInfo(info) = it { Some(info) } else { None });
        Ok(info.map(|it| callers(&it.info)).unwrap_or_default())
    }
}
