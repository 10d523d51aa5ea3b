//! Compaction: many small files of a partition become one sorted file with the same rows.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::SchemaRef;
use deltalake::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use deltalake::protocol::DeltaOperation;

use crate::commit::{Commit, Plan, add, remove};
use crate::error::Error;
use crate::lake::{Lake, Slot};
use crate::order::sorted;
use crate::replay::TableState;
use crate::shape::{STATS_COLUMNS, TableSpec};
use crate::snapshot::LakeFile;
use crate::upkeep::Upkeep;
use crate::write::{StagedFile, open_part};

/// What one compaction did.
#[derive(Debug, Default)]
pub(crate) struct Compacted {
    pub(crate) partitions: usize,
    pub(crate) files_before: usize,
}

impl Lake {
    /// Merges the small files of every partition that has too many, one commit a partition.
    pub(crate) async fn compact(&self, slot: &Slot, upkeep: &Upkeep) -> Result<Compacted, Error> {
        let (spec, groups) = {
            let state = slot.refreshed().await?;
            let Some(state) = state.as_ref() else { return Ok(Compacted::default()) };
            (as_is(slot, state), groups(state, upkeep))
        };
        let mut done = Compacted::default();
        for files in groups {
            let writer = self.writer(&spec);
            let (folder, spec_) = (slot.folder.clone(), spec.clone());
            let read = files.clone();
            // A failed read or write is an error of its own; a panic in there is passed on.
            let merged = tokio::task::spawn_blocking(move || {
                let batch = merged(&folder, &spec_, &read)?;
                writer.write(read[0].partition, &[batch])
            });
            let staged = match merged.await {
                Ok(staged) => staged?,
                Err(panic) => std::panic::resume_unwind(panic.into_panic()),
            };
            match self.swap(slot, &spec, &files, &staged).await {
                Ok(()) => {
                    done.partitions += 1;
                    done.files_before += files.len();
                }
                Err(error) => {
                    let _ = self.inner.folders.disk().remove(&slot.folder.join(&staged.path));
                    // Somebody replaced the partition meanwhile: there is nothing left to compact.
                    if !matches!(error, Error::Moved { .. }) {
                        return Err(error);
                    }
                }
            }
        }
        Ok(done)
    }

    /// Commits the merged file for the files it came from.
    pub(crate) async fn swap(
        &self,
        slot: &Slot,
        spec: &TableSpec,
        files: &[LakeFile],
        staged: &StagedFile,
    ) -> Result<(), Error> {
        let before: i64 = files.iter().map(|it| it.rows).sum();
        if before != staged.rows {
            return Err(Error::RowsLost { table: slot.table.clone(), before, after: staged.rows });
        }
        let partition_by = spec.partition_by.as_deref();
        self.commit(slot, None, |state| {
            let found = state.map_or(-1, |it| it.version);
            let live = |it: &LakeFile| state.is_some_and(|state| state.files.get(&it.path) == Some(it));
            // Appends beside it do no harm, so the version may move on; the files it read may not.
            if !files.iter().all(live) {
                return Err(Error::Moved { table: slot.table.clone(), expected: found, found });
            }
            let mut actions: Vec<_> = files.iter().map(|it| remove(it, partition_by, false)).collect();
            actions.push(add(staged, partition_by, false));
            // What the table's last writer said still holds, and this entry outlives the one that said it.
            let said = state.map(|it| it.commit.clone()).unwrap_or_default();
            let operation = DeltaOperation::Optimize { predicate: None, target_size: staged.size as i64 };
            let commit = Commit { data_change: said.data_change, ..said };
            Ok(Some(Plan { actions, operation, commit, has_position: false }))
        })
        .await
        .map(drop)
    }
}

/// The groups of files to merge: of one partition, small, together not too large, oldest first.
fn groups(state: &TableState, upkeep: &Upkeep) -> Vec<Vec<LakeFile>> {
    let mut small: BTreeMap<Option<i32>, Vec<LakeFile>> = BTreeMap::new();
    for file in state.files.values().filter(|it| it.size < upkeep.small_file_bytes) {
        if upkeep.before_day.is_none_or(|end| file.partition.is_none_or(|day| day < end)) {
            small.entry(file.partition).or_default().push(file.clone());
        }
    }
    let mut groups = Vec::new();
    for mut files in small.into_values() {
        if files.len() <= upkeep.small_files_max {
            continue;
        }
        // Equal rows keep the order in which they were written, whatever names an earlier merge gave.
        files.sort_by(|a, b| (a.modified_ms, &a.path).cmp(&(b.modified_ms, &b.path)));
        let mut bytes = 0;
        files.retain(|it| {
            bytes += it.size;
            bytes <= upkeep.merge_bytes_max
        });
        if 1 < files.len() {
            groups.push(files);
        }
    }
    groups
}

/// The specification that a table has now; compaction knows no other.
fn as_is(slot: &Slot, state: &TableState) -> TableSpec {
    let stats_columns = state.metadata.configuration().get(STATS_COLUMNS);
    let stats_columns = stats_columns.map(|it| it.split(',').map(str::to_owned).collect()).unwrap_or_default();
    TableSpec {
        name: slot.table.clone(),
        schema: Arc::clone(&state.schema),
        partition_by: state.partition_by.clone(),
        sort_by: state.sort_by.clone(),
        stats_columns,
        properties: BTreeMap::new(),
    }
}

/// Reads files and merges their rows in the table's order.
fn merged(folder: &Path, spec: &TableSpec, files: &[LakeFile]) -> Result<RecordBatch, Error> {
    let in_file = spec.schema.fields().iter().filter(|it| spec.partition_by.as_ref() != Some(it.name()));
    let schema: SchemaRef = Arc::new(arrow::datatypes::Schema::new(in_file.cloned().collect::<Vec<_>>()));
    let mut batches = vec![RecordBatch::new_empty(Arc::clone(&schema))];
    for file in files {
        let path = folder.join(&file.path);
        let reader = ParquetRecordBatchReaderBuilder::try_new(open_part(&path)?)
            .and_then(|it| it.build())
            .map_err(Error::parquet("read", &path))?;
        for batch in reader {
            let batch = batch.and_then(|it| widened(&it, &schema));
            batches.push(batch.map_err(Error::arrow("read", &spec.name))?);
        }
    }
    sorted(&batches, &spec.sort_by).map_err(Error::arrow("merge", &spec.name))
}

/// Gives rows of an older file the columns that came later.
fn widened(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, arrow::error::ArrowError> {
    let column = |field: &Arc<arrow::datatypes::Field>| -> Result<ArrayRef, arrow::error::ArrowError> {
        match batch.column_by_name(field.name()) {
            Some(column) => cast(column, field.data_type()),
            None => Ok(new_null_array(field.data_type(), batch.num_rows())),
        }
    };
    let columns = schema.fields().iter().map(column).collect::<Result<_, _>>()?;
    RecordBatch::try_new(Arc::clone(schema), columns)
}
