//! Commits: append exactly once, replace by compare-and-swap.
//!
//! An entry is written with put-if-absent under the number after the version that was planned against. The
//! library's own retry is not used: it re-bases Removes onto a table they were not planned for, and it lets the
//! same position commit twice. Here whoever loses plans again.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::Utc;
use deltalake::kernel::transaction::{CommitData, TransactionError};
use deltalake::kernel::{Action, Add, Metadata, Protocol, Remove, Transaction};
use deltalake::logstore::CommitOrBytes;
use deltalake::protocol::{DeltaOperation, SaveMode};
use schema::point::pass;
use serde_json::{Value, json};

use crate::error::Error;
use crate::lake::{Lake, Slot};
use crate::replay::{TableState, day_text};
use crate::shape::{self, Shape, TableSpec};
use crate::snapshot::LakeFile;
use crate::write::StagedFile;

/// Times a lost race is planned again; each loss means that somebody else made progress.
const ATTEMPTS_MAX: usize = 20;
/// Key of our own part of the commit info; the caller's keys stand beside it.
const OWN_KEY: &str = "yizhan.commit";
/// Written by the library on every entry.
const CLIENT_KEY: &str = "clientVersion";

/// What to remember of a commit.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Commit {
    /// Application and the last position of its source that the rows reach: committed with them or not at all.
    pub position: Option<(String, i64)>,
    /// What the caller wants to find again, by keys such as `yizhan.fingerprint`.
    pub info: BTreeMap<String, Value>,
    /// Whether rows changed; a rewrite of the same rows says no and dirties nothing.
    pub data_change: bool,
}

/// What a replacement covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replace {
    /// The whole table; its columns may change too.
    All,
    /// The days since 1970 named, whether they have files or not.
    Partitions(Vec<i32>),
}

impl Commit {
    /// What stands on an entry, or `None` if it is not ours.
    pub(crate) fn of(actions: &[Action]) -> Option<Commit> {
        let info = actions.iter().find_map(|it| if let Action::CommitInfo(info) = it { Some(info) } else { None })?;
        let own = info.info.get(OWN_KEY)?;
        let position = own.get("app_id").and_then(Value::as_str).zip(own.get("position").and_then(Value::as_i64));
        Some(Commit {
            position: position.map(|(app_id, position)| (app_id.to_owned(), position)),
            info: callers(&info.info),
            data_change: own.get("data_change").and_then(Value::as_bool).unwrap_or(true),
        })
    }

    fn metadata(&self) -> HashMap<String, Value> {
        let mut own = json!({ "data_change": self.data_change });
        if let Some((app_id, position)) = &self.position {
            own["app_id"] = json!(app_id);
            own["position"] = json!(position);
        }
        let callers = self.info.iter().map(|(key, value)| (key.clone(), value.clone()));
        callers.chain([(OWN_KEY.to_owned(), own)]).collect()
    }
}

/// The caller's part of a commit info.
pub(crate) fn callers(info: &HashMap<String, Value>) -> BTreeMap<String, Value> {
    let callers = info.iter().filter(|(key, _)| ![OWN_KEY, CLIENT_KEY].contains(&key.as_str()));
    callers.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// One log entry, planned against one state.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) actions: Vec<Action>,
    pub(crate) operation: DeltaOperation,
    pub(crate) commit: Commit,
    /// Whether the position is news; compaction repeats an old one in its info and must not commit it again.
    pub(crate) has_position: bool,
    /// Further applications and their positions.
    pub(crate) beside: Vec<(String, i64)>,
}

impl Lake {
    /// Says beforehand whether a table takes files of a specification; one that does not exist takes any.
    ///
    /// # Errors
    /// [`Error::SchemaChanged`] naming the column, or the log cannot be read.
    pub async fn expect_fit(&self, spec: &TableSpec) -> Result<(), Error> {
        let shape = Shape::of(spec)?;
        let slot = self.slot(&spec.name)?;
        let state = slot.refreshed().await?;
        state.as_ref().map_or(Ok(()), |it| shape::grown(it, spec, &shape).map(drop))
    }

    /// Appends files, exactly once for each position, and makes the table if it is missing.
    ///
    /// Returns the version that holds them. A position at or below the last one of its application changes
    /// nothing: the rows are in the table already.
    ///
    /// # Errors
    /// [`Error::SchemaChanged`] unless columns were only added and nullable, or the disk refuses. After an error
    /// the commit may still have happened: repeat it, with its position it cannot happen twice.
    pub async fn append(&self, spec: &TableSpec, files: Vec<StagedFile>, commit: Commit) -> Result<i64, Error> {
        self.append_beside(spec, files, commit, &[]).await
    }

    /// Appends as [`Lake::append`] does, and commits positions of further applications beside the one that decides whether
    /// the rows are news: those of the sources from which the rows came.
    ///
    /// # Errors
    /// As [`Lake::append`].
    pub async fn append_beside(
        &self,
        spec: &TableSpec,
        files: Vec<StagedFile>,
        commit: Commit,
        beside: &[(String, i64)],
    ) -> Result<i64, Error> {
        self.writable(&spec.name)?;
        let slot = self.slot(&spec.name)?;
        let shape = Shape::of(spec)?;
        self.check_files(&slot, &files)?;
        self.commit(&slot, commit.position.as_ref(), |state| {
            let live = |it: &StagedFile| state.is_some_and(|state| state.files.contains_key(&it.path));
            let n_live = files.iter().filter(|it| live(it)).count();
            if 0 < n_live && n_live == files.len() {
                return Ok(None);
            }
            refuse_live(&slot, files.iter().find(|it| live(it)))?;

            let mut actions = match state {
                None => creation(shape::metadata(spec, &shape)?),
                Some(state) => shape::grown(state, spec, &shape)?.map(Action::Metadata).into_iter().collect(),
            };
            actions.extend(adds(spec, &files, commit.data_change));
            if actions.is_empty() && commit.position.is_none() {
                return Ok(None);
            }
            let operation = DeltaOperation::Write {
                mode: SaveMode::Append,
                partition_by: spec.partition_by.clone().map(|it| vec![it]),
                predicate: None,
            };
            Ok(Some(Plan { actions, operation, commit: commit.clone(), has_position: true, beside: beside.to_vec() }))
        })
        .await
    }

    /// Replaces the whole table or some of its partitions in one commit, and makes the table if it is missing.
    ///
    /// With `expected_version` the commit happens on exactly that version or not at all; -1 means that the table
    /// must not exist. The new version is returned.
    ///
    /// # Errors
    /// [`Error::Moved`] if the table is not at the expected version, [`Error::OutOfScope`] for a file outside the
    /// partitions named, [`Error::SchemaChanged`] if only partitions are replaced and columns do not fit.
    pub async fn replace(
        &self,
        spec: &TableSpec,
        scope: Replace,
        files: Vec<StagedFile>,
        commit: Commit,
        expected_version: Option<i64>,
    ) -> Result<i64, Error> {
        self.writable(&spec.name)?;
        let slot = self.slot(&spec.name)?;
        let shape = Shape::of(spec)?;
        self.check_files(&slot, &files)?;
        let days: Option<BTreeSet<i32>> = match &scope {
            Replace::All => None,
            Replace::Partitions(days) => Some(days.iter().copied().collect()),
        };
        let is_covered = |it: Option<i32>| days.as_ref().is_none_or(|days| it.is_some_and(|it| days.contains(&it)));
        if let Some(outside) = files.iter().find(|it| !is_covered(it.partition)) {
            return Err(Error::OutOfScope { table: slot.table.clone(), path: outside.path.clone() });
        }
        self.commit(&slot, None, |state| {
            let found = state.map_or(-1, |it| it.version);
            if let Some(expected) = expected_version
                && expected != found
            {
                return Err(Error::Moved { table: slot.table.clone(), expected, found });
            }
            let mut actions = match (state, &scope) {
                (None, _) => creation(shape::metadata(spec, &shape)?),
                (Some(state), Replace::All) => changed(shape::replaced(state, spec, &shape)?),
                (Some(state), Replace::Partitions(_)) => changed(shape::grown(state, spec, &shape)?),
            };
            if let Some(state) = state {
                refuse_live(&slot, files.iter().find(|it| state.files.contains_key(&it.path)))?;
                let covered = state.files.values().filter(|it| is_covered(it.partition));
                let partition_by = state.partition_by.as_deref();
                actions.extend(covered.map(|it| remove(it, partition_by, commit.data_change)));
            }
            actions.extend(adds(spec, &files, commit.data_change));
            let operation = DeltaOperation::Write {
                mode: SaveMode::Overwrite,
                partition_by: spec.partition_by.clone().map(|it| vec![it]),
                predicate: days.as_ref().zip(spec.partition_by.as_ref()).map(|(days, column)| predicate(column, days)),
            };
            Ok(Some(Plan { actions, operation, commit: commit.clone(), has_position: true, beside: Vec::new() }))
        })
        .await
    }

    /// Plans and writes one entry; plans again while others are faster. `None` from the plan changes nothing, and
    /// so does a position `once` that the table has reached.
    pub(crate) async fn commit(
        &self,
        slot: &Slot,
        once: Option<&(String, i64)>,
        mut plan: impl FnMut(Option<&TableState>) -> Result<Option<Plan>, Error> + Send,
    ) -> Result<i64, Error> {
        let mut version = -1;
        for _ in 0..ATTEMPTS_MAX {
            let mut state = slot.refreshed().await?;
            version = state.as_ref().map_or(-1, |it| it.version);
            if let (Some(state), Some((app_id, position))) = (state.as_mut(), once)
                && state.position(slot, app_id).await?.is_some_and(|done| *position <= done)
            {
                return Ok(version);
            }
            let Some(plan) = plan(state.as_ref())? else { return Ok(version) };
            version += 1;

            let position = plan.commit.position.as_ref().filter(|_| plan.has_position);
            let transactions = position.into_iter().chain(&plan.beside);
            let transactions = transactions.map(|(app_id, version)| Transaction::new(app_id, *version)).collect();
            let data = CommitData::new(plan.actions, plan.operation, plan.commit.metadata(), transactions);
            let entry = data.get_bytes().map_err(|it| Error::delta("commit to", &slot.table)(it.into()))?;
            pass("commit.entry.before");
            let written =
                slot.log.write_commit_entry(version as u64, CommitOrBytes::LogBytes(entry.clone()), Default::default()).await;
            match written {
                Ok(()) => {
                    pass("commit.entry.after");
                    slot.made_durable(version);
                }
                Err(TransactionError::VersionAlreadyExists(_)) => continue,
                Err(error) => return Err(Error::delta("commit to", &slot.table)(error.into())),
            }
            match state.as_mut() {
                Some(known) => {
                    // The commit stands; if what was written cannot be read back, the next reader loads it all.
                    if known.apply(slot, version, &entry).is_err() {
                        *state = None;
                    }
                }
                None => *state = None,
            }
            drop(state);
            self.checkpoint_when_due(slot, version).await;
            return Ok(version);
        }
        Err(Error::Moved { table: slot.table.clone(), expected: version - 1, found: version })
    }

    /// Refuses files of other tables and files that are not there whole.
    fn check_files(&self, slot: &Slot, files: &[StagedFile]) -> Result<(), Error> {
        for file in files {
            let bad = |reason| Error::BadFile { table: slot.table.clone(), path: file.path.clone(), reason };
            if file.table != slot.table {
                return Err(bad("it was staged for another table"));
            }
            let path = slot.folder.join(&file.path);
            let found = std::fs::metadata(&path).map_err(Error::io("find", path))?;
            if found.len() != file.size {
                return Err(bad("its size is not what was staged"));
            }
        }
        Ok(())
    }
}

fn refuse_live(slot: &Slot, file: Option<&StagedFile>) -> Result<(), Error> {
    let Some(file) = file else { return Ok(()) };
    let reason = "it is part of the table already";
    Err(Error::BadFile { table: slot.table.clone(), path: file.path.clone(), reason })
}

fn creation(metadata: Metadata) -> Vec<Action> {
    // The oldest protocol there is: every reader can.
    let protocol: Protocol = serde_json::from_value(json!({ "minReaderVersion": 1, "minWriterVersion": 2 }))
        .expect("a protocol without features is valid");
    vec![Action::Protocol(protocol), Action::Metadata(metadata)]
}

fn changed(metadata: Option<Metadata>) -> Vec<Action> {
    metadata.map(Action::Metadata).into_iter().collect()
}

/// Adds of staged files; one without rows stays out, upkeep removes it.
pub(crate) fn adds(spec: &TableSpec, files: &[StagedFile], data_change: bool) -> Vec<Action> {
    let with_rows = files.iter().filter(|it| 0 < it.rows);
    with_rows.map(|it| add(it, spec.partition_by.as_deref(), data_change)).collect()
}

/// The Add of one staged file.
pub(crate) fn add(file: &StagedFile, partition_by: Option<&str>, data_change: bool) -> Action {
    Action::Add(Add {
        path: file.path.clone(),
        partition_values: partition_values(partition_by, file.partition),
        size: file.size as i64,
        modification_time: Utc::now().timestamp_millis(),
        data_change,
        stats: Some(file.stats.clone()),
        ..Add::default()
    })
}

/// The Remove of one live file.
pub(crate) fn remove(file: &LakeFile, partition_by: Option<&str>, data_change: bool) -> Action {
    Action::Remove(Remove {
        path: file.path.clone(),
        data_change,
        deletion_timestamp: Some(Utc::now().timestamp_millis()),
        extended_file_metadata: Some(true),
        partition_values: Some(partition_values(partition_by, file.partition)),
        size: Some(file.size as i64),
        ..Remove::default()
    })
}

fn partition_values(partition_by: Option<&str>, day: Option<i32>) -> HashMap<String, Option<String>> {
    partition_by.map(|it| (it.to_owned(), day.map(day_text))).into_iter().collect()
}

fn predicate(column: &str, days: &BTreeSet<i32>) -> String {
    let days: Vec<String> = days.iter().map(|it| format!("'{}'", day_text(*it))).collect();
    format!("{column} IN ({})", days.join(", "))
}
