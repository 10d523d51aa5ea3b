//! Parquet files: written, synced and named, but not yet part of any table.
//!
//! A file is named for good when it is written, `part-<opening>-<number>.parquet`: Delta has no later moment to
//! rename it. The opening is counted up in `lake.json` whenever the lake is opened for writing, so a name never
//! comes twice, and what a cut run left uncommitted is found by its opening.

use std::fs::File;
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::array::{Array, RecordBatch, RecordBatchOptions};
use arrow::compute::{BatchCoalescer, CastOptions, cast_with_options};
use deltalake::parquet::arrow::ArrowWriter;
use deltalake::parquet::arrow::arrow_writer::ArrowWriterOptions;
use deltalake::parquet::basic::{Compression, Encoding, ZstdLevel};
use deltalake::parquet::file::metadata::SortingColumn;
use deltalake::parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use deltalake::parquet::schema::types::ColumnPath;
use schema::point::pass;

use crate::disk::DiskFile;
use crate::encoding::{Numbers, numbers};
use crate::error::Error;
use crate::lake::{Inner, Lake};
use crate::order::Order;
use crate::replay::day_text;
use crate::shape::{Shape, TableSpec, stored_type};
use crate::stats::Stats;

/// Rows handed to the Parquet writer at once. Fixed, and batches are cut to it, so that the bytes of a file follow
/// from its rows alone and not from how the rows came.
const CHUNK_ROWS: usize = 64 * 1024;
/// Rows of a row group unless told otherwise.
const ROW_GROUP_ROWS: usize = 1024 * 1024;
/// The library's own: large pages press well together and are read as a whole.
const PAGE_ROWS: usize = 20_000;
/// Files of fewer rows are pressed by a method that needs no preparation: a zstd context of a megabyte for each column
/// and each page would be a sixth of the time of writing and reading a lake of small files.
const PRESSED_ROWS_MIN: usize = 16 * 1024;
/// Pages of a row group in a file for look-ups.
const LOOKED_UP_PAGES: usize = 64;
/// The library's own.
const WRITE_BATCH_ROWS: usize = 1024;
/// Stands in every file; a version number here would change the bytes of equal rows.
const CREATED_BY: &str = "yizhan lake";
/// Name of a partition's folder where the value is null, as Hive has it.
const NULL_FOLDER: &str = "__HIVE_DEFAULT_PARTITION__";
const WRITE_BUFFER_BYTES: usize = 1024 * 1024;

/// A file that was written and can be committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagedFile {
    /// The table it was written for.
    pub table: String,
    /// Where it lies, relative to the table's folder.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Rows; a file without any is never committed.
    pub rows: i64,
    /// The partition's day, in days since 1970.
    pub partition: Option<i32>,
    /// Statistics for the log, as Delta's JSON.
    pub stats: String,
}

/// Writes files of one table; threads may share it.
#[derive(Debug, Clone)]
pub struct TableWriter {
    inner: Arc<Inner>,
    spec: TableSpec,
    row_group_rows: usize,
    page_rows: usize,
    is_for_lookups: bool,
    is_writer: Result<(), String>,
}

impl Lake {
    /// Prepares to write files of a table, which need not exist yet.
    pub fn writer(&self, spec: &TableSpec) -> TableWriter {
        TableWriter {
            inner: Arc::clone(&self.inner),
            spec: spec.clone(),
            row_group_rows: ROW_GROUP_ROWS,
            page_rows: PAGE_ROWS,
            is_for_lookups: false,
            is_writer: self.writable(&spec.name).map_err(|_| spec.name.clone()),
        }
    }
}

impl TableWriter {
    /// Cuts row groups at another number of rows than 1,048,576.
    #[must_use]
    pub fn with_row_group_rows(mut self, rows: usize) -> Self {
        self.row_group_rows = rows.max(1);
        self
    }

    /// Lays files down for whoever looks up one key, and so reads one page of every column: pages of so many rows
    /// instead of 20,000, pressed by a method that needs no preparation, and the key they are sorted by without a
    /// dictionary, which would be read as a whole for one of its entries (a file grows by a third for it all). Row groups
    /// are small, because a reader takes the places of all pages of a group in hand.
    #[must_use]
    pub fn for_lookups(mut self, page_rows: usize) -> Self {
        self.page_rows = page_rows.max(1);
        self.row_group_rows = self.page_rows * LOOKED_UP_PAGES;
        self.is_for_lookups = true;
        self
    }

    /// Writes one file: sorted rows of one partition, without the partition column.
    ///
    /// Blocks, so call it off the async threads. When it returns the file survives what the lake's durability
    /// promises, but no reader sees it before a commit.
    ///
    /// # Errors
    /// [`Error::BadBatch`] or [`Error::NotSorted`] for rows that do not fit, or the disk refuses.
    pub fn write(&self, partition: Option<i32>, batches: &[RecordBatch]) -> Result<StagedFile, Error> {
        self.is_writer.clone().map_err(|table| Error::ReadOnly { table })?;
        let shape = Shape::of(&self.spec)?;
        if let (None, Some(_)) = (&self.spec.partition_by, partition) {
            return Err(self.bad("", "the table has no partitions"));
        }
        let folder = self.folder(partition);
        let (path, file) = self.create(&folder)?;
        match self.fill(&shape, &path, file, batches) {
            Ok((rows, stats)) => {
                self.inner.folders.sync_parent(&path).map_err(Error::io("sync", &folder))?;
                pass("commit.file.after");
                let size = std::fs::metadata(&path).map_err(Error::io("find", &path))?.len();
                let table_folder = self.inner.root.join(&self.spec.name);
                let relative = path.strip_prefix(table_folder).unwrap_or(&path);
                Ok(StagedFile {
                    table: self.spec.name.clone(),
                    path: relative.to_string_lossy().into_owned(),
                    size,
                    rows: rows as i64,
                    partition,
                    stats,
                })
            }
            Err(error) => {
                let _ = self.inner.folders.disk().remove(&path);
                Err(error)
            }
        }
    }

    fn folder(&self, partition: Option<i32>) -> PathBuf {
        let table = self.inner.root.join(&self.spec.name);
        match &self.spec.partition_by {
            Some(column) => {
                let value = partition.map_or_else(|| NULL_FOLDER.to_owned(), day_text);
                table.join(format!("{column}={value}"))
            }
            None => table,
        }
    }

    fn create(&self, folder: &Path) -> Result<(PathBuf, Box<dyn DiskFile>), Error> {
        self.inner.folders.ensure(folder).map_err(Error::io("create", folder))?;
        loop {
            let number = self.inner.named.fetch_add(1, Ordering::Relaxed);
            let path = folder.join(part_name(self.inner.opened, number));
            match self.inner.folders.disk().create(&path) {
                Ok(file) => return Ok((path, file)),
                // Only after a `lake.json` was restored from an older copy: then names do come twice.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::io("create", path)(error)),
            }
        }
    }

    fn fill(
        &self,
        shape: &Shape,
        path: &Path,
        file: Box<dyn DiskFile>,
        batches: &[RecordBatch],
    ) -> Result<(usize, String), Error> {
        let properties = self.properties(shape, batches);
        // Arrow's own schema stays out: Parquet's types say it all, and every reader knows those.
        let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        let buffered = BufWriter::with_capacity(WRITE_BUFFER_BYTES, file);
        let mut writer = ArrowWriter::try_new_with_options(buffered, Arc::clone(&shape.file_schema), options)
            .map_err(Error::parquet("write", path))?;
        let mut order = Order::new(&self.spec.name, &shape.sort_by);
        let mut stats = Stats::new(&shape.stats_columns);
        let mut coalescer = BatchCoalescer::new(Arc::clone(&shape.file_schema), CHUNK_ROWS);
        let mut take = |chunk: RecordBatch| -> Result<(), Error> {
            order.check(&chunk)?;
            stats.add(&self.spec.name, &chunk)?;
            writer.write(&chunk).map_err(Error::parquet("write", path))
        };
        for batch in batches {
            let batch = self.fitted(shape, batch)?;
            coalescer.push_batch(batch).map_err(Error::arrow("gather", &self.spec.name))?;
            while let Some(chunk) = coalescer.next_completed_batch() {
                take(chunk)?;
            }
        }
        coalescer.finish_buffered_batch().map_err(Error::arrow("gather", &self.spec.name))?;
        while let Some(chunk) = coalescer.next_completed_batch() {
            take(chunk)?;
        }
        let buffered = writer.into_inner().map_err(Error::parquet("write", path))?;
        let mut file = buffered.into_inner().map_err(|it| Error::io("write", path)(it.into_error()))?;
        pass("commit.file.before");
        file.flush().and_then(|()| file.sync()).map_err(Error::io("sync", path))?;
        Ok((stats.rows(), stats.json()))
    }

    /// Brings a batch to the table's columns and types.
    fn fitted(&self, shape: &Shape, batch: &RecordBatch) -> Result<RecordBatch, Error> {
        let mut columns = Vec::with_capacity(shape.file_schema.fields().len());
        for field in shape.file_schema.fields() {
            let Some(column) = batch.column_by_name(field.name()) else {
                return Err(self.bad(field.name(), "the batch lacks it"));
            };
            let stored = stored_type(column.data_type()).map_err(|reason| self.bad(field.name(), &reason))?;
            if !field.data_type().equals_datatype(&stored) {
                return Err(self.bad(field.name(), &format!("it is {stored}, not {}", field.data_type())));
            }
            if !field.is_nullable() && 0 < column.null_count() {
                return Err(self.bad(field.name(), "it is required and has nulls"));
            }
            let options = CastOptions { safe: false, ..CastOptions::default() };
            let cast = cast_with_options(column, field.data_type(), &options);
            columns.push(cast.map_err(Error::arrow("convert", &self.spec.name))?);
        }
        if let Some(extra) = batch.schema_ref().fields().iter().find(|it| shape.file_schema.index_of(it.name()).is_err()) {
            return Err(self.bad(extra.name(), "files do not hold it"));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&shape.file_schema), columns, &options)
            .map_err(Error::arrow("gather", &self.spec.name))
    }

    fn properties(&self, shape: &Shape, batches: &[RecordBatch]) -> WriterProperties {
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        let compression = if self.is_for_lookups || rows < PRESSED_ROWS_MIN {
            Compression::SNAPPY
        } else {
            Compression::ZSTD(ZstdLevel::try_new(1).expect("zstd has a level 1"))
        };
        let mut builder = WriterProperties::builder()
            .set_created_by(CREATED_BY.to_owned())
            .set_compression(compression)
            .set_dictionary_enabled(true)
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_max_row_group_row_count(Some(self.row_group_rows))
            .set_data_page_row_count_limit(self.page_rows)
            // The writer looks at a page after so many rows.
            .set_write_batch_size(self.page_rows.min(WRITE_BATCH_ROWS));
        for column in shape.sort_by.iter().chain(&shape.stats_columns) {
            let path = ColumnPath::from(column.as_str());
            builder = builder.set_column_statistics_enabled(path, EnabledStatistics::Page);
        }
        for field in shape.file_schema.fields() {
            let path = ColumnPath::from(field.name().as_str());
            let plain = |builder: WriterPropertiesBuilder, encoding| {
                builder.set_column_dictionary_enabled(path.clone(), false).set_column_encoding(path.clone(), encoding)
            };
            let is_key = self.is_for_lookups && shape.sort_by.first() == Some(field.name());
            builder = match numbers(field.name(), batches) {
                Some(Numbers::Repeated) if is_key => plain(builder, Encoding::PLAIN),
                None | Some(Numbers::Repeated) => builder,
                Some(Numbers::Near) => plain(builder, Encoding::DELTA_BINARY_PACKED),
                // Nothing presses a hash together: trying to would be all that its column costs.
                Some(Numbers::Scattered) => {
                    plain(builder, Encoding::PLAIN).set_column_compression(path.clone(), Compression::UNCOMPRESSED)
                }
                Some(Numbers::Measured) => plain(builder, Encoding::BYTE_STREAM_SPLIT),
            };
        }
        let sorted = shape.sort_by.iter().map_while(|it| {
            let column_idx = leaf_of(shape, it)?;
            Some(SortingColumn { column_idx, descending: false, nulls_first: false })
        });
        let sorted: Vec<_> = sorted.collect();
        builder.set_sorting_columns((!sorted.is_empty()).then_some(sorted)).build()
    }

    fn bad(&self, column: &str, reason: &str) -> Error {
        let column = if column.is_empty() { self.spec.partition_by.clone().unwrap_or_default() } else { column.to_owned() };
        Error::BadBatch { table: self.spec.name.clone(), column, reason: reason.to_owned() }
    }
}

/// Position of a flat column among the leaves of a file; `None` for a nested one, whose order has no name in Parquet.
fn leaf_of(shape: &Shape, column: &str) -> Option<i32> {
    let leaves = |it: &arrow::datatypes::DataType| -> usize { leaf_count(it) };
    let index = shape.file_schema.index_of(column).ok()?;
    let fields = shape.file_schema.fields();
    let before: usize = fields[..index].iter().map(|it| leaves(it.data_type())).sum();
    if fields[index].data_type().is_nested() { None } else { i32::try_from(before).ok() }
}

fn leaf_count(data_type: &arrow::datatypes::DataType) -> usize {
    use arrow::datatypes::DataType;
    match data_type {
        DataType::List(item) => leaf_count(item.data_type()),
        DataType::Struct(fields) => fields.iter().map(|it| leaf_count(it.data_type())).sum(),
        _ => 1,
    }
}

/// Name of a data file.
pub(crate) fn part_name(opened: u64, number: u64) -> String {
    format!("{}{number:08}.parquet", part_prefix(opened))
}

/// What the names of one opening's files begin with.
pub(crate) fn part_prefix(opened: u64) -> String {
    format!("part-{opened:06}-")
}

/// Opens a data file for reading.
pub(crate) fn open_part(path: &Path) -> Result<File, Error> {
    File::open(path).map_err(Error::io("open", path))
}
