//! Rows that no table has yet: where they come from, and how a scan unites them with the files of a version.

use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, Date32Array, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::{Int64Type, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DFSchema, Result};
use datafusion::datasource::MemTable;
use datafusion::logical_expr::{Expr, utils::conjunction};
use datafusion::physical_plan::ExecutionPlan;
use lake::{Commit, Snapshot};

use crate::pinned::PinnedTable;

/// Where rows wait that no table has yet.
pub trait Tails: Debug + Send + Sync {
    /// What waits for a table; `None` of a table that never has such rows.
    ///
    /// # Errors
    /// If the log cannot be read.
    fn tail(&self, table: &str) -> Result<Option<TableTail>, Box<dyn std::error::Error + Send + Sync>>;

    /// Names of the tables that may have such rows.
    fn tables(&self) -> Vec<String>;
}

/// Rows that wait for one table.
#[derive(Debug, Clone)]
pub struct TableTail {
    /// Under which name the table's log says up to which position it has them.
    pub app_id: &'static str,
    /// Columns of the table, the partition column last.
    pub schema: SchemaRef,
    /// The partition column.
    pub partition_by: Option<String>,
    /// The rows in order of their positions.
    pub parts: Vec<TailPart>,
}

/// Rows of one position and one partition.
#[derive(Debug, Clone)]
pub struct TailPart {
    /// Position in the log.
    pub position: i64,
    /// The partition's day.
    pub day: Option<i32>,
    /// The rows, without the partition column.
    pub batch: RecordBatch,
}

impl TableTail {
    /// A version of a table that was never written.
    pub(crate) fn nothing(&self, table: &str, root: &Path) -> Snapshot {
        Snapshot {
            table: table.to_owned(),
            id: String::new(),
            version: -1,
            schema: self.schema.clone(),
            partition_by: self.partition_by.clone(),
            sort_by: Vec::new(),
            properties: Default::default(),
            files: Arc::from([]),
            root: root.join(table),
            commit: Commit::default(),
        }
    }
}

impl PinnedTable {
    /// The rows of the tail in some columns of the table.
    fn tail_batch(&self, part: &TailPart, schema: &SchemaRef) -> Result<RecordBatch> {
        let n = part.batch.num_rows();
        let mut columns = Vec::with_capacity(schema.fields().len());
        for field in schema.fields() {
            columns.push(match part.batch.column_by_name(field.name()) {
                _ if self.snapshot().partition_by.as_ref() == Some(field.name()) => {
                    Arc::new(Date32Array::from(vec![part.day; n])) as Arc<dyn Array>
                }
                Some(column) if column.data_type() == field.data_type() => column.clone(),
                Some(column) => cast(column, field.data_type())?,
                None => new_null_array(field.data_type(), n),
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(n));
        Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
    }

    /// A plan over the rows of the tail; `None` if there are none.
    ///
    /// Filters by partition are promised to hold, so they are applied here too.
    pub(crate) async fn scan_tail(
        &self,
        state: &dyn Session,
        whole: &SchemaRef,
        projection: Option<&Vec<usize>>,
        partition_filters: Vec<Expr>,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let mut batches = self.parts().iter().map(|it| self.tail_batch(it, whole)).collect::<Result<Vec<_>>>()?;
        if let Some(filter) = conjunction(partition_filters) {
            let predicate = state.create_physical_expr(filter, &DFSchema::try_from(whole.as_ref().clone())?)?;
            for batch in &mut batches {
                let kept = predicate.evaluate(batch)?.into_array(batch.num_rows())?;
                *batch = filter_record_batch(batch, datafusion::common::cast::as_boolean_array(&kept)?)?;
            }
        }
        batches.retain(|it| 0 < it.num_rows());
        if batches.is_empty() {
            return Ok(None);
        }
        let waiting = MemTable::try_new(whole.clone(), vec![batches])?;
        waiting.scan(state, projection, &[], None).await.map(Some)
    }

    /// Rows of the tail with one key, of some days: the columns of `schema`.
    pub(crate) fn look_into_tail(&self, column: &str, key: i64, days: &[i32], schema: &SchemaRef) -> Result<Vec<RecordBatch>> {
        let mut found = Vec::new();
        for part in self.parts().iter().filter(|it| it.day.is_some_and(|day| days.contains(&day))) {
            let keys = part.batch.column_by_name(column).and_then(|it| it.as_primitive_opt::<Int64Type>());
            let Some(keys) = keys else { continue };
            let is_wanted: BooleanArray = keys.iter().map(|it| Some(it == Some(key))).collect();
            let batch = filter_record_batch(&part.batch, &is_wanted)?;
            if 0 < batch.num_rows() {
                let nullable: Vec<_> = schema.fields().iter().map(|it| it.as_ref().clone().with_nullable(true)).collect();
                let part = TailPart { batch, ..part.clone() };
                found.push(self.tail_batch(&part, &Arc::new(Schema::new(nullable)))?);
            }
        }
        Ok(found)
    }
}
