//! Rows of one key without a plan: only the pages that may hold them are read.
//!
//! Why not a query: a portrait wants a few rows from each of sixty files. Planning, pruning and opening them through
//! DataFusion takes longer than reading them; see `benches/portrait.py`.

use std::any::Any;
use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Date32Array, Int64Array, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::{cast, filter_record_batch, kernels::cmp::eq};
use arrow::datatypes::{DataType, Int64Type, Schema, SchemaRef};
use datafusion::common::HashMap;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::cache::cache_manager::{CachedFileMetadataEntry, FileMetadata, FileMetadataCache};
use datafusion::execution::cache::default_cache::DefaultCache;
use datafusion::parquet::arrow::ProjectionMask;
use datafusion::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection,
};
use datafusion::parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use datafusion::parquet::file::page_index::column_index::ColumnIndexMetaData;
use lake::LakeFile;

use crate::pinned::PinnedTable;

/// Memory for footers; beyond it the ones that were not used for longest are read anew.
const FOOTERS_BYTES: usize = 64 * 1024 * 1024;

/// Footers of files that are looked up, shared by all sessions. A file never changes, so neither does its footer.
#[derive(Clone)]
pub(crate) struct Footers(Arc<FileMetadataCache>);

impl Default for Footers {
    fn default() -> Self {
        Self(Arc::new(DefaultCache::new(FOOTERS_BYTES)))
    }
}

impl std::fmt::Debug for Footers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Footers").field("files", &self.0.len()).finish()
    }
}

/// Where the pages of a file lie, and which keys each holds.
struct Footer {
    reader: ArrowReaderMetadata,
    /// The column whose pages are known.
    column: String,
    /// Rows and least and greatest key of each page, in the order of the file; a page without keys is left out.
    pages: Vec<(Range<usize>, i64, i64)>,
    /// Whether keys never fall from page to page: then those of a key are found without asking all.
    is_sorted: bool,
    /// Rows of each row group.
    groups: Vec<Range<usize>>,
}

impl FileMetadata for Footer {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn memory_size(&self) -> usize {
        self.reader.metadata().memory_size() + self.pages.len() * size_of::<(Range<usize>, i64, i64)>()
    }

    fn extra_info(&self) -> HashMap<String, String> {
        HashMap::new()
    }
}

impl Footer {
    fn read(file: &File, column: &str) -> Result<Self> {
        let metadata = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Optional).parse_and_finish(file)?;
        let pages = pages(&metadata, column);
        let is_sorted = pages.is_sorted_by(|a, b| a.1 <= b.1 && a.2 <= b.2);
        // Of the other columns only places are needed, not values.
        let metadata = metadata.into_builder().set_column_index(None).build();
        let reader = ArrowReaderMetadata::try_new(Arc::new(metadata), ArrowReaderOptions::new())?;
        let mut first = 0;
        let rows = reader.metadata().row_groups().iter().map(|it| it.num_rows() as usize);
        let group = |rows: usize| {
            let start = first;
            first += rows;
            start..first
        };
        let groups = rows.map(group).collect();
        Ok(Self { reader, column: column.to_owned(), pages, is_sorted, groups })
    }

    /// Row groups with rows of a key, and the rows among which they are, counted over these groups: none where no page
    /// can hold it.
    fn rows(&self, key: i64) -> (Vec<usize>, Vec<Range<usize>>) {
        let may_hold = |it: &&(Range<usize>, i64, i64)| (it.1..=it.2).contains(&key);
        let near = if self.is_sorted {
            self.pages.partition_point(|it| it.2 < key)..self.pages.partition_point(|it| it.1 <= key)
        } else {
            0..self.pages.len()
        };
        // Another writer's statistics may be nonsense; a range that goes backwards is none.
        let near = self.pages.get(near).unwrap_or_default();
        let mut pages = near.iter().filter(may_hold).map(|it| it.0.clone()).peekable();
        let (mut groups, mut rows, mut skipped) = (Vec::new(), Vec::new(), 0);
        for (group, it) in self.groups.iter().enumerate() {
            let before = rows.len();
            while let Some(page) = pages.next_if(|page| page.start < it.end) {
                rows.push(page.start - skipped..page.end - skipped);
            }
            if before < rows.len() {
                groups.push(group);
            } else {
                skipped += it.len();
            }
        }
        (groups, rows)
    }
}

fn pages(metadata: &ParquetMetaData, column: &str) -> Vec<(Range<usize>, i64, i64)> {
    let schema = metadata.file_metadata().schema_descr();
    let Some(place) = schema.columns().iter().position(|it| it.path().string() == column) else { return Vec::new() };
    let mut found = Vec::new();
    let mut first = 0;
    for (group, rows) in metadata.row_groups().iter().map(|it| it.num_rows() as usize).enumerate() {
        let keys = metadata.column_index().and_then(|it| it.get(group)?.get(place));
        let places = metadata.offset_index().and_then(|it| it.get(group)?.get(place));
        match (keys, places) {
            (Some(ColumnIndexMetaData::INT64(keys)), Some(places)) => {
                let starts = places.page_locations().iter().map(|it| first + it.first_row_index as usize);
                let ends = starts.clone().skip(1).chain([first + rows]);
                let least_and_greatest = keys.min_values_iter().zip(keys.max_values_iter());
                for ((start, end), it) in starts.zip(ends).zip(least_and_greatest) {
                    if let (Some(least), Some(greatest)) = it {
                        found.push((start..end, *least, *greatest));
                    }
                }
            }
            // A file of another writer may lack the index: then the group is read as a whole.
            _ => found.push((first..first + rows, i64::MIN, i64::MAX)),
        }
        first += rows;
    }
    found
}

impl PinnedTable {
    /// Rows whose `column` is `key`, in partitions of the given days: the columns of `schema`, which is a part of the
    /// table's own, one batch a file. Blocks while it reads.
    ///
    /// # Errors
    /// If a file cannot be read, or the column is no 64-bit key.
    pub fn look_up(&self, column: &str, key: i64, days: &[i32], schema: &SchemaRef) -> Result<Vec<RecordBatch>> {
        let files = self.snapshot().files.iter().filter(|it| it.partition.is_some_and(|day| days.contains(&day)));
        let mut found = self.look_into_tail(column, key, days, schema)?;
        for file in files {
            if let Some(batch) = self.look_into(file, column, key, schema)? {
                found.push(batch);
            }
        }
        Ok(found)
    }

    fn look_into(&self, file: &LakeFile, column: &str, key: i64, schema: &SchemaRef) -> Result<Option<RecordBatch>> {
        let (opened, entry) = self.footer(file, column)?;
        let footer = entry.as_any().downcast_ref::<Footer>();
        let footer = footer.ok_or_else(|| DataFusionError::Internal("the cache of footers holds something else".into()))?;
        let (groups, rows) = footer.rows(key);
        if rows.is_empty() {
            return Ok(None);
        }
        let metadata = footer.reader.metadata();
        let total = groups.iter().map(|it| footer.groups[*it].len()).sum();
        let wanted = schema.fields().iter().map(|it| it.name().as_str()).chain([column]);
        let mask = ProjectionMask::columns(metadata.file_metadata().schema_descr(), wanted);
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(opened, footer.reader.clone())
            .with_projection(mask)
            .with_row_groups(groups)
            .with_batch_size(rows.iter().map(ExactSizeIterator::len).sum())
            .with_row_selection(RowSelection::from_consecutive_ranges(rows.into_iter(), total))
            .build()?;
        let mut parts = Vec::new();
        for batch in reader {
            let batch = batch?;
            let keys = batch.column_by_name(column).and_then(|it| it.as_primitive_opt::<Int64Type>());
            let keys = keys.ok_or_else(|| DataFusionError::Plan(format!("\"{column}\" is no 64-bit key")))?;
            let batch = filter_record_batch(&batch, &eq(keys, &Int64Array::new_scalar(key))?)?;
            if 0 < batch.num_rows() {
                parts.push(batch);
            }
        }
        let Some(first) = parts.first() else { return Ok(None) };
        let found = arrow::compute::concat_batches(&first.schema(), &parts)?;
        self.as_table(file, &found, schema).map(Some)
    }

    /// Columns as the table has them: the partition's day, and NULL for what is younger than the file.
    fn as_table(&self, file: &LakeFile, found: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
        let column = |name: &str, data_type: &DataType| -> Result<ArrayRef> {
            if self.snapshot().partition_by.as_deref() == Some(name) {
                return Ok(Arc::new(Date32Array::from(vec![file.partition; found.num_rows()])));
            }
            Ok(match found.column_by_name(name) {
                Some(column) if column.data_type() == data_type => Arc::clone(column),
                Some(column) => cast(column, data_type)?,
                None => new_null_array(data_type, found.num_rows()),
            })
        };
        let columns = schema.fields().iter().map(|it| column(it.name(), it.data_type())).collect::<Result<_>>()?;
        let nullable: Vec<_> = schema.fields().iter().map(|it| it.as_ref().clone().with_nullable(true)).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(found.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(nullable)), columns, &options)?)
    }

    fn footer(&self, file: &LakeFile, column: &str) -> Result<(File, Arc<dyn FileMetadata>)> {
        let opened = File::open(self.snapshot().root.join(&file.path))?;
        let meta = self.meta(file);
        if let Some(entry) = self.footers().0.get(&meta.location)
            && entry.is_valid_for(&meta)
            && entry.file_metadata.as_any().downcast_ref::<Footer>().is_some_and(|it| it.column == column)
        {
            return Ok((opened, entry.file_metadata));
        }
        let footer: Arc<dyn FileMetadata> = Arc::new(Footer::read(&opened, column)?);
        self.footers().0.put(&meta.location.clone(), CachedFileMetadataEntry::new(meta, Arc::clone(&footer)));
        Ok((opened, footer))
    }
}
