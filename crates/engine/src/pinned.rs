//! A version of a Delta table as DataFusion reads it: a pinned list of Parquet files, pruned by partition.
//!
//! Why not deltalake's own provider: this plan holds DataFusion's nodes only, so it can be shipped to other engines,
//! and all readers of a session see one version.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Date32Array, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{DFSchema, Result, ScalarValue, Statistics};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, utils::conjunction};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::union::UnionExec;
use lake::{LakeFile, Snapshot};
use object_store::{ObjectMeta, path::Path};

use crate::Error;
use crate::look_up::Footers;
use crate::tail::TailPart;

/// One version of a table, to be registered in a session.
#[derive(Debug)]
pub struct PinnedTable {
    snapshot: Snapshot,
    schema: SchemaRef,
    file_schema: SchemaRef,
    prefix: Path,
    footers: Footers,
    /// Rows of the log that the version lacks.
    tail: Arc<[TailPart]>,
}

impl PinnedTable {
    pub(crate) fn new(snapshot: Snapshot, footers: Footers) -> Result<Self, Error> {
        let prefix = Path::from_absolute_path(&snapshot.root)
            .map_err(|_| Error::Path { table: snapshot.table.clone(), root: snapshot.root.clone() })?;
        let is_partition = |name: &str| snapshot.partition_by.as_deref() == Some(name);
        let (parts, columns): (Vec<_>, Vec<_>) = snapshot.schema.fields().iter().cloned().partition(|it| is_partition(it.name()));
        let file_schema = Arc::new(Schema::new(columns.clone()));
        // DataFusion appends partition values behind the columns of a file.
        let schema = Arc::new(Schema::new(columns.into_iter().chain(parts).collect::<Vec<_>>()));
        Ok(Self { snapshot, schema, file_schema, prefix, footers, tail: Arc::from([]) })
    }

    pub(crate) fn with_tail(mut self, tail: Vec<TailPart>) -> Self {
        self.tail = Arc::from(tail);
        self
    }

    /// Rows of the log that the version lacks.
    pub fn parts(&self) -> &[TailPart] {
        &self.tail
    }

    /// The same version with columns that say nothing of themselves.
    ///
    /// Builds read it so: where the branches of a UNION mean different things, DataFusion finds that plan and rows differ.
    /// What columns mean is worked out when queries are planned, not when they run.
    pub fn bare(&self) -> Self {
        Self {
            snapshot: self.snapshot.clone(),
            schema: bare(&self.schema),
            file_schema: bare(&self.file_schema),
            prefix: self.prefix.clone(),
            footers: self.footers.clone(),
            tail: self.tail.clone(),
        }
    }

    /// The version that is read.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    pub(crate) fn footers(&self) -> &Footers {
        &self.footers
    }

    fn reads_partition_only(&self, filter: &Expr) -> bool {
        let Some(partition) = &self.snapshot.partition_by else { return false };
        let columns = filter.column_refs();
        !columns.is_empty() && columns.iter().all(|it| it.name() == partition)
    }

    /// Files whose partition can satisfy the filters.
    fn files(&self, state: &dyn Session, filters: &[Expr]) -> Result<Vec<&LakeFile>> {
        let partition_filters: Vec<Expr> = filters.iter().filter(|it| self.reads_partition_only(it)).cloned().collect();
        let (Some(partition), Some(filter)) = (&self.snapshot.partition_by, conjunction(partition_filters)) else {
            return Ok(self.snapshot.files.iter().collect());
        };
        let schema = Arc::new(Schema::new(vec![self.schema.field_with_name(partition)?.clone()]));
        let days: ArrayRef = Arc::new(self.snapshot.files.iter().map(|it| it.partition).collect::<Date32Array>());
        let options = RecordBatchOptions::new().with_row_count(Some(self.snapshot.files.len()));
        let batch = RecordBatch::try_new_with_options(schema.clone(), vec![days], &options)?;
        let predicate = state.create_physical_expr(filter, &DFSchema::try_from(schema.as_ref().clone())?)?;
        let kept = predicate.evaluate(&batch)?.into_array(batch.num_rows())?;
        let kept: &BooleanArray = datafusion::common::cast::as_boolean_array(&kept)?;
        Ok(self.snapshot.files.iter().zip(kept).filter(|(_, kept)| *kept == Some(true)).map(|(file, _)| file).collect())
    }

    /// A file as caches know it.
    pub(crate) fn meta(&self, file: &LakeFile) -> ObjectMeta {
        ObjectMeta {
            location: Path::from(format!("{}/{}", self.prefix, file.path)),
            last_modified: chrono::DateTime::from_timestamp_millis(file.modified_ms).unwrap_or_default(),
            size: file.size,
            e_tag: None,
            version: None,
        }
    }

    fn partitioned_file(&self, file: &LakeFile) -> Result<PartitionedFile> {
        let mut statistics = Statistics::new_unknown(&self.schema);
        statistics.num_rows = Precision::Exact(file.rows as usize);
        statistics.total_byte_size = Precision::Inexact(file.size as usize);
        let mut part = PartitionedFile::new_from_meta(self.meta(file));
        if self.snapshot.partition_by.is_some() {
            part.partition_values = vec![ScalarValue::Date32(file.partition)];
        }
        Ok(part.with_statistics(Arc::new(statistics)))
    }
}

#[async_trait]
impl TableProvider for PinnedTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(filters
            .iter()
            .map(|it| match self.reads_partition_only(it) {
                true => TableProviderFilterPushDown::Exact,
                false => TableProviderFilterPushDown::Inexact,
            })
            .collect())
    }

    fn statistics(&self) -> Option<Statistics> {
        let mut statistics = Statistics::new_unknown(&self.schema);
        statistics.num_rows =
            Precision::Exact(self.snapshot.rows() as usize + self.tail.iter().map(|it| it.batch.num_rows()).sum::<usize>());
        statistics.total_byte_size = Precision::Inexact(self.snapshot.files.iter().map(|it| it.size as usize).sum());
        Some(statistics)
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let stored = self.scan_files(state, projection, filters, limit)?;
        if self.tail.is_empty() {
            return Ok(stored);
        }
        let partition_filters = filters.iter().filter(|it| self.reads_partition_only(it)).cloned().collect();
        match self.scan_tail(state, &self.schema, projection, partition_filters).await? {
            Some(waiting) => UnionExec::try_new(vec![stored, waiting]),
            None => Ok(stored),
        }
    }
}

impl PinnedTable {
    /// A plan over the files of the version.
    fn scan_files(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let files = self.files(state, filters)?;
        if files.is_empty() {
            // A scan of no files has no partitions, and joins want one.
            let schema = match projection {
                Some(columns) => Arc::new(self.schema.project(columns)?),
                None => self.schema.clone(),
            };
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let rows: i64 = files.iter().map(|it| it.rows).sum();
        let bytes: u64 = files.iter().map(|it| it.size).sum();
        let files = files.into_iter().map(|it| self.partitioned_file(it)).collect::<Result<Vec<_>>>()?;
        let groups = FileGroup::new(files).split_files(state.config().target_partitions());
        let partition_fields = self.schema.fields()[self.file_schema.fields().len()..].to_vec();
        debug_assert!(partition_fields.iter().all(|it| it.data_type() == &DataType::Date32));
        // A file never changes: its footer and page index are read once, not with every query.
        let runtime = state.runtime_env();
        let store = runtime.object_store(ObjectStoreUrl::local_filesystem())?;
        let reader = CachedParquetFileReaderFactory::new(store, runtime.cache_manager.get_file_metadata_cache());
        let mut source = ParquetSource::new(
            TableSchema::builder(self.file_schema.clone()).with_table_partition_cols(partition_fields).build(),
        )
        .with_table_parquet_options(state.config_options().execution.parquet.clone().into_options())
        .with_parquet_file_reader_factory(Arc::new(reader));
        let rest: Vec<Expr> = filters.iter().filter(|it| !self.reads_partition_only(it)).cloned().collect();
        let has_rest = !rest.is_empty();
        if let Some(filter) = conjunction(rest) {
            let schema = DFSchema::try_from(self.schema.as_ref().clone())?;
            source = source.with_predicate(state.create_physical_expr(filter, &schema)?);
        }
        let mut statistics = Statistics::new_unknown(&self.schema);
        let rows = rows as usize;
        statistics.num_rows = if has_rest { Precision::Inexact(rows) } else { Precision::Exact(rows) };
        statistics.total_byte_size = Precision::Inexact(bytes as usize);
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), Arc::new(source))
            .with_file_groups(groups)
            .with_statistics(statistics)
            .with_limit(limit)
            .with_projection_indices(projection.cloned())?
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}

/// Columns by name and type only.
pub fn bare(schema: &SchemaRef) -> SchemaRef {
    let fields = schema.fields().iter().map(|it| it.as_ref().clone().with_metadata(std::collections::HashMap::new()));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

trait IntoOptions {
    fn into_options(self) -> datafusion::config::TableParquetOptions;
}

impl IntoOptions for datafusion::config::ParquetOptions {
    fn into_options(self) -> datafusion::config::TableParquetOptions {
        datafusion::config::TableParquetOptions { global: self, ..Default::default() }
    }
}
