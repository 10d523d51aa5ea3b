//! A version of a table, pinned: what a query engine needs, and nothing it would have to ask again.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use crate::commit::Commit;

/// One version of a table, pinned to its list of Parquet files.
///
/// Later commits do not change it, and its files stay for a week after they leave the table.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Name of the table.
    pub table: String,
    /// Identity of the table: a table that was dropped and made again has another, and its versions start over.
    pub id: String,
    /// The version.
    pub version: i64,
    /// Columns of the table with the partition column; files hold all but that one, found by name, and files older
    /// than a column lack it.
    pub schema: SchemaRef,
    /// The partition column.
    pub partition_by: Option<String>,
    /// Columns by which every file is sorted, ascending, nulls last.
    pub sort_by: Vec<String>,
    /// What the table's writer said of the table, by its own keys.
    pub properties: BTreeMap<String, String>,
    /// Live files, sorted by path, that is by partition and then by age. Shared, for a version is pinned many times.
    pub files: Arc<[LakeFile]>,
    /// Folder of the table, absolute.
    pub root: PathBuf,
    /// What stands on the newest commit that changed the table's meaning; compaction does not.
    pub commit: Commit,
}

impl Snapshot {
    /// Rows of all files.
    pub fn rows(&self) -> i64 {
        self.files.iter().map(|it| it.rows).sum()
    }
}

/// One live Parquet file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LakeFile {
    /// Where it lies, relative to the table's folder.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// When it was written, in milliseconds since 1970.
    pub modified_ms: i64,
    /// The partition's day, in days since 1970; `None` without partitions, or where the value is null.
    pub partition: Option<i32>,
    /// Rows in it.
    pub rows: i64,
}
