//! Compaction: many small files of a partition become one sorted file with the same rows.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::SchemaRef;
use deltalake::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use deltalake::protocol::DeltaOperation;
use schema::point::pass;

use crate::commit::{Plan, add, remove};
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

/// Partitions that one commit swaps at most: a kill in the middle of upkeep loses no more work than that, and a year
/// of days does not fill the log with a year of entries.
const SWAPS_MAX: usize = 32;

/// Files of one partition, and the file that holds their rows.
#[derive(Debug)]
pub(crate) struct Merge {
    pub(crate) files: Vec<LakeFile>,
    pub(crate) staged: StagedFile,
}

impl Lake {
    /// Merges the small files of every partition that has too many.
    pub(crate) async fn compact(&self, slot: &Slot, upkeep: &Upkeep) -> Result<Compacted, Error> {
        let (spec, groups) = {
            let state = slot.refreshed().await?;
            let Some(state) = state.as_ref() else { return Ok(Compacted::default()) };
            (as_is(slot, state), groups(state, upkeep))
        };
        let mut done = Compacted::default();
        for groups in groups.chunks(SWAPS_MAX) {
            let mut merges = Vec::with_capacity(groups.len());
            for files in groups {
                let staged = self.merge(slot, &spec, files.clone()).await?;
                merges.push(Merge { files: files.clone(), staged });
            }
            let swapped = self.swap(slot, &spec, &merges).await?;
            for (merge, is_swapped) in merges.iter().zip(swapped) {
                if is_swapped {
                    done.partitions += 1;
                    done.files_before += merge.files.len();
                } else {
                    let _ = self.inner.folders.disk().remove(&slot.folder.join(&merge.staged.path));
                }
            }
        }
        Ok(done)
    }

    /// Stages one file with the rows of several.
    async fn merge(&self, slot: &Slot, spec: &TableSpec, files: Vec<LakeFile>) -> Result<StagedFile, Error> {
        let (writer, folder, spec) = (self.writer(spec), slot.folder.clone(), spec.clone());
        let merged = tokio::task::spawn_blocking(move || {
            let batch = merged(&folder, &spec, &files)?;
            writer.write(files.first().and_then(|it| it.partition), &[batch])
        });
        merged.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }

    /// Commits merged files for the files they came from, and says which; the others were replaced meanwhile, so
    /// there is nothing left to merge.
    ///
    /// # Errors
    /// [`Error::RowsLost`] before anything is committed.
    pub(crate) async fn swap(&self, slot: &Slot, spec: &TableSpec, merges: &[Merge]) -> Result<Vec<bool>, Error> {
        for merge in merges {
            let (before, after) = (merge.files.iter().map(|it| it.rows).sum(), merge.staged.rows);
            if before != after {
                return Err(Error::RowsLost { table: slot.table.clone(), before, after });
            }
        }
        let partition_by = spec.partition_by.as_deref();
        let mut swapped = Vec::new();
        // The merged files are there, and no entry names them.
        pass("compact.swap.before");
        self.commit(slot, None, |state| {
            // Appends beside it do no harm, so the version may move on; the files that were read may not.
            let live = |it: &LakeFile| state.is_some_and(|state| state.files.get(&it.path) == Some(it));
            swapped = merges.iter().map(|it| it.files.iter().all(live)).collect();
            let mut actions = Vec::new();
            for (merge, _) in merges.iter().zip(&swapped).filter(|(_, is_swapped)| **is_swapped) {
                actions.extend(merge.files.iter().map(|it| remove(it, partition_by, false)));
                actions.push(add(&merge.staged, partition_by, false));
            }
            if actions.is_empty() {
                return Ok(None);
            }
            // What the table's last writer said still holds, and this entry outlives the one that said it.
            let commit = state.map(|it| it.commit.clone()).unwrap_or_default();
            let target_size = merges.iter().map(|it| it.staged.size as i64).max().unwrap_or_default();
            let operation = DeltaOperation::Optimize { predicate: None, target_size };
            Ok(Some(Plan { actions, operation, commit, has_position: false, beside: Vec::new() }))
        })
        .await?;
        pass("compact.swap.after");
        Ok(swapped)
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
