//! What is known of a table: loaded once through the library, then carried forward entry by entry.
//!
//! The library's own update lists the whole log folder each time; with a commit every 30 seconds and a month of
//! history that is tens of thousands of names. Versions are consecutive, so asking for the next one is enough.

use std::collections::{BTreeMap, HashMap};

use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use chrono::{Datelike, NaiveDate};
use deltalake::kernel::engine::arrow_conversion::TryIntoArrow;
use deltalake::kernel::{Action, Add, Metadata, Protocol, Remove};
use deltalake::logstore::get_actions;
use deltalake::parquet::file::reader::{FileReader, SerializedFileReader};
use deltalake::table::state::DeltaTableState;
use std::sync::Arc;

use crate::commit::Commit;
use crate::error::Error;
use crate::lake::Slot;
use crate::shape::{PREFIX, SORT_BY};
use crate::snapshot::{LakeFile, Snapshot};

/// Log entries looked through for the newest one of ours, at most.
const COMMIT_SEARCH_MAX: i64 = 1_000;

/// A table as of one version.
#[derive(Debug)]
pub(crate) struct TableState {
    pub(crate) version: i64,
    pub(crate) metadata: Metadata,
    pub(crate) schema: SchemaRef,
    pub(crate) partition_by: Option<String>,
    pub(crate) sort_by: Vec<String>,
    /// Live files by path.
    pub(crate) files: BTreeMap<String, LakeFile>,
    pub(crate) commit: Commit,
    /// Positions asked for or committed since `base` was loaded.
    positions: HashMap<String, Option<i64>>,
    /// What the library loaded; asked for positions that were never seen since.
    base: DeltaTableState,
    /// Answered again until the next version.
    pinned: Option<Snapshot>,
}

impl TableState {
    /// Loads a version, the newest if none is named.
    ///
    /// # Errors
    /// [`Error::NoVersion`] for a named one that is gone, [`Error::ForeignFeature`], or the log cannot be read.
    pub(crate) async fn load(slot: &Slot, version: Option<i64>) -> Result<TableState, Error> {
        let wanted = version.and_then(|it| u64::try_from(it).ok());
        let base = match DeltaTableState::try_new(slot.log.as_ref(), wanted).await {
            Ok(base) => base,
            Err(error) => {
                // The library has no error of its own for a version that is gone.
                if let Some(version) = version
                    && !has_entry(slot, version)?
                {
                    return Err(Error::NoVersion { table: slot.table.clone(), version });
                }
                return Err(Error::delta("load", &slot.table)(error));
            }
        };
        check_protocol(slot, base.protocol())?;
        let metadata = base.metadata().clone();
        let (schema, partition_by, sort_by) = described(slot, &metadata)?;
        let mut files = BTreeMap::new();
        for view in base.log_data().iter() {
            if view.deletion_vector_descriptor().is_some() {
                return Err(foreign(slot, "deletion vectors"));
            }
            let path = view.path().into_owned();
            let rows = match view.num_records() {
                Some(rows) => rows as i64,
                None => counted(slot, &path)?,
            };
            let values = view.partition_values_map();
            let file = LakeFile {
                size: u64::try_from(view.size()).unwrap_or_default(),
                modified_ms: view.modification_time(),
                partition: partition_of(slot, partition_by.as_deref(), &values)?,
                rows,
                path: path.clone(),
            };
            files.insert(path, file);
        }
        let version = base.version() as i64;
        let commit = newest_commit(slot, version).await?;
        Ok(TableState {
            version,
            metadata,
            schema,
            partition_by,
            sort_by,
            files,
            commit,
            positions: HashMap::new(),
            base,
            pinned: None,
        })
    }

    /// Applies the entries written since; `false` says that the log no longer leads here, so load again.
    pub(crate) async fn catch_up(&mut self, slot: &Slot) -> Result<bool, Error> {
        // Most readers find nothing new: to ask the folder takes less than to hand a read to another thread.
        while has_entry(slot, self.version + 1)? {
            // It may be cleaned up in between.
            let Some(entry) = read_entry(slot, self.version + 1).await? else { break };
            self.apply(slot, self.version + 1, &entry)?;
        }
        // A reader that slept for a month finds neither the next entry nor its own: both were cleaned up.
        has_entry(slot, self.version)
    }

    /// Applies one entry.
    pub(crate) fn apply(&mut self, slot: &Slot, version: i64, entry: &Bytes) -> Result<(), Error> {
        let actions = parsed(slot, version, entry)?;
        if let Some(commit) = Commit::of(&actions) {
            self.commit = commit;
        }
        for action in actions {
            match action {
                Action::Metadata(metadata) => {
                    (self.schema, self.partition_by, self.sort_by) = described(slot, &metadata)?;
                    self.metadata = metadata;
                }
                Action::Protocol(protocol) => check_protocol(slot, &protocol)?,
                Action::Add(add) => {
                    let file = self.added(slot, add)?;
                    self.files.insert(file.path.clone(), file);
                }
                Action::Remove(Remove { path, .. }) => drop(self.files.remove(&path)),
                Action::Txn(txn) => drop(self.positions.insert(txn.app_id, Some(txn.version))),
                Action::Cdc(_) | Action::CommitInfo(_) | Action::DomainMetadata(_) => {}
            }
        }
        self.version = version;
        self.pinned = None;
        Ok(())
    }

    fn added(&self, slot: &Slot, add: Add) -> Result<LakeFile, Error> {
        if add.deletion_vector.is_some() {
            return Err(foreign(slot, "deletion vectors"));
        }
        let stats = add.get_stats().map_err(|it| Error::damaged(&slot.table, it))?;
        let rows = match stats {
            Some(stats) => stats.num_records,
            None => counted(slot, &add.path)?,
        };
        Ok(LakeFile {
            size: u64::try_from(add.size).unwrap_or_default(),
            modified_ms: add.modification_time,
            partition: partition_of(slot, self.partition_by.as_deref(), &add.partition_values)?,
            rows,
            path: add.path,
        })
    }

    /// Last position of an application.
    pub(crate) async fn position(&mut self, slot: &Slot, app_id: &str) -> Result<Option<i64>, Error> {
        if let Some(known) = self.positions.get(app_id) {
            return Ok(*known);
        }
        let found = match self.base.transaction_version(slot.log.as_ref(), app_id).await {
            Ok(found) => found,
            // The entries under an old base may have been cleaned up; a fresh one knows all.
            Err(_) if (self.base.version() as i64) < self.version => {
                let fresh = DeltaTableState::try_new(slot.log.as_ref(), u64::try_from(self.version).ok()).await;
                self.base = fresh.map_err(Error::delta("load", &slot.table))?;
                let again = self.base.transaction_version(slot.log.as_ref(), app_id).await;
                again.map_err(Error::delta("read positions of", &slot.table))?
            }
            Err(error) => return Err(Error::delta("read positions of", &slot.table)(error)),
        };
        self.positions.insert(app_id.to_owned(), found);
        Ok(found)
    }

    /// Pins this version.
    pub(crate) fn snapshot(&mut self, slot: &Slot) -> Snapshot {
        if let Some(pinned) = &self.pinned {
            return pinned.clone();
        }
        let ours = self.metadata.configuration().iter().filter(|(key, _)| key.as_str() != SORT_BY);
        let properties = ours.filter_map(|(key, value)| Some((key.strip_prefix(PREFIX)?.to_owned(), value.clone()))).collect();
        let pinned = Snapshot {
            table: slot.table.clone(),
            id: self.metadata.id().to_owned(),
            version: self.version,
            schema: Arc::clone(&self.schema),
            partition_by: self.partition_by.clone(),
            sort_by: self.sort_by.clone(),
            properties,
            files: self.files.values().cloned().collect(),
            root: slot.folder.clone(),
            commit: self.commit.clone(),
        };
        self.pinned = Some(pinned.clone());
        pinned
    }
}

/// Reads one log entry, or `None` if there is none.
pub(crate) async fn read_entry(slot: &Slot, version: i64) -> Result<Option<Bytes>, Error> {
    let Ok(version) = u64::try_from(version) else { return Ok(None) };
    slot.log.read_commit_entry(version).await.map_err(Error::delta("read the log of", &slot.table))
}

fn has_entry(slot: &Slot, version: i64) -> Result<bool, Error> {
    let path = slot.folder.join(crate::lake::LOG).join(format!("{version:020}.json"));
    path.try_exists().map_err(Error::io("find", path))
}

/// Reads the actions of one log entry.
pub(crate) fn parsed(slot: &Slot, version: i64, entry: &Bytes) -> Result<Vec<Action>, Error> {
    get_actions(u64::try_from(version).unwrap_or_default(), entry).map_err(|it| Error::damaged(&slot.table, it))
}

/// What stands on the newest entry of ours at or below a version; nothing if none is left.
async fn newest_commit(slot: &Slot, version: i64) -> Result<Commit, Error> {
    for version in (version.saturating_sub(COMMIT_SEARCH_MAX).max(0)..=version).rev() {
        let Some(entry) = read_entry(slot, version).await? else { break };
        if let Some(commit) = Commit::of(&parsed(slot, version, &entry)?) {
            return Ok(commit);
        }
    }
    Ok(Commit::default())
}

fn described(slot: &Slot, metadata: &Metadata) -> Result<(SchemaRef, Option<String>, Vec<String>), Error> {
    let columns = metadata.parse_schema().map_err(|it| Error::damaged(&slot.table, it))?;
    let schema = (&columns).try_into_arrow().map_err(Error::arrow("read", &slot.table))?;
    let partition_by = match metadata.partition_columns() {
        [] => None,
        [one] => Some(one.clone()),
        _ => return Err(foreign(slot, "more than one partition column")),
    };
    let sort_by = metadata.configuration().get(SORT_BY).map(String::as_str).unwrap_or_default();
    let sort_by = sort_by.split(',').filter(|it| !it.is_empty()).map(str::to_owned).collect();
    Ok((Arc::new(schema), partition_by, sort_by))
}

/// Our own files never need more than this; a table that does was changed by somebody else.
fn check_protocol(slot: &Slot, protocol: &Protocol) -> Result<(), Error> {
    if protocol.min_reader_version() <= 1 && protocol.min_writer_version() <= 2 {
        return Ok(());
    }
    let features = protocol.writer_features().unwrap_or_default();
    let names: Vec<String> = features.iter().map(ToString::to_string).collect();
    Err(foreign(
        slot,
        &format!("protocol {}/{} ({})", protocol.min_reader_version(), protocol.min_writer_version(), names.join(", ")),
    ))
}

fn foreign(slot: &Slot, feature: &str) -> Error {
    Error::ForeignFeature { table: slot.table.clone(), feature: feature.to_owned() }
}

/// Counts the rows of a file whose writer logged no statistics.
fn counted(slot: &Slot, path: &str) -> Result<i64, Error> {
    let path = slot.folder.join(path);
    let file = std::fs::File::open(&path).map_err(Error::io("open", &path))?;
    let reader = SerializedFileReader::new(file).map_err(Error::parquet("read", path))?;
    Ok(reader.metadata().file_metadata().num_rows())
}

pub(crate) fn partition_of(
    slot: &Slot,
    partition_by: Option<&str>,
    values: &HashMap<String, Option<String>>,
) -> Result<Option<i32>, Error> {
    let Some(text) = partition_by.and_then(|it| values.get(it)).and_then(Option::as_ref) else { return Ok(None) };
    let day: NaiveDate = text.parse().map_err(|_| Error::damaged(&slot.table, format!("partition '{text}'")))?;
    Ok(Some(days_of(day)))
}

const EPOCH: NaiveDate = NaiveDate::from_ymd_opt(1970, 1, 1).expect("a date");

fn days_of(day: NaiveDate) -> i32 {
    day.num_days_from_ce() - EPOCH.num_days_from_ce()
}

/// The text of a partition value, in paths and log entries alike.
pub(crate) fn day_text(days: i32) -> String {
    // Out of range for a calendar is out of range for a lake: the text then parses nowhere and is refused.
    NaiveDate::from_num_days_from_ce_opt(days.saturating_add(EPOCH.num_days_from_ce()))
        .map_or_else(|| format!("day {days}"), |it| it.format("%Y-%m-%d").to_string())
}
