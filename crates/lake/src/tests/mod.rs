//! Tests of the lake: each in its own temporary folder, none with a sleep or a clock that matters.

mod appending;
mod files;
mod history;
mod library_traps;
mod locking;
mod power_cut;
mod replacing;
mod restart;
mod upkeep;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, AsArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, TimeUnit};
use deltalake::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::json;
use tempfile::TempDir;

use crate::{Commit, Config, Durability, Lake, Replace, Snapshot, StagedFile, TableSpec};

/// 2025-09-01.
pub(crate) const MONDAY: i32 = 20_332;
pub(crate) const APP: &str = "gate/0";

pub(crate) fn config(root: &Path) -> Config {
    Config { root: root.to_owned(), durability: Durability::Os }
}

/// A lake in a folder that goes with the returned guard.
pub(crate) async fn lake() -> (TempDir, Lake) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let lake = Lake::open(config(folder.path())).await.expect("a new lake");
    (folder, lake)
}

/// Passages of gates by day: two keys, one identifying column, one that may be missing.
pub(crate) fn spec() -> TableSpec {
    let fields = vec![
        Field::new("student_key", DataType::Int64, false),
        Field::new("occurred_at", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false),
        Field::new("phone", DataType::Utf8, true),
        Field::new("occurred_on", DataType::Date32, true),
    ];
    TableSpec {
        name: "raw_gate_event".to_owned(),
        schema: Arc::new(Schema::new(fields)),
        partition_by: Some("occurred_on".to_owned()),
        sort_by: vec!["student_key".to_owned(), "occurred_at".to_owned()],
        stats_columns: vec!["occurred_at".to_owned()],
        properties: BTreeMap::from([("owner".to_owned(), "logistics".to_owned())]),
    }
}

/// The specification with one more column.
pub(crate) fn with_column(spec: &TableSpec, field: Field) -> TableSpec {
    let mut fields: Vec<Field> = spec.schema.fields().iter().map(|it| it.as_ref().clone()).collect();
    fields.insert(1, field);
    TableSpec { schema: Arc::new(Schema::new(fields)), ..spec.clone() }
}

/// Sorted rows: one student each, numbered.
pub(crate) fn rows(students: Range<i64>) -> RecordBatch {
    let keys: Vec<i64> = students.collect();
    let at: Vec<i64> = keys.iter().map(|it| 1_756_700_000_000_000 + it * 1_000_001).collect();
    let phones: Vec<String> = keys.iter().map(|it| format!("1380000{it:04}")).collect();
    let schema = Schema::new(spec().schema.fields()[..3].to_vec());
    let columns: Vec<Arc<dyn Array>> = vec![
        Arc::new(Int64Array::from(keys)),
        Arc::new(TimestampMicrosecondArray::from(at).with_timezone("UTC")),
        Arc::new(StringArray::from(phones)),
    ];
    RecordBatch::try_new(Arc::new(schema), columns).expect("columns fit")
}

/// Stages rows of a day.
pub(crate) fn stage(lake: &Lake, spec: &TableSpec, day: i32, students: Range<i64>) -> StagedFile {
    lake.writer(spec).write(Some(day), &[rows(students)]).expect("rows are sorted")
}

/// A commit up to a position.
pub(crate) fn at(position: i64) -> Commit {
    let info = BTreeMap::from([("yizhan.run_id".to_owned(), json!(position))]);
    Commit { position: Some((APP.to_owned(), position)), info, data_change: true }
}

/// A commit without a position.
pub(crate) fn plain() -> Commit {
    Commit { position: None, info: BTreeMap::new(), data_change: true }
}

/// Appends one file a day at the next position.
pub(crate) async fn append(lake: &Lake, day: i32, students: Range<i64>, position: i64) -> i64 {
    let file = stage(lake, &spec(), day, students);
    lake.append(&spec(), vec![file], at(position)).await.expect("an append")
}

/// Replaces days by the files given.
pub(crate) async fn replace_day(lake: &Lake, day: i32, students: Range<i64>) -> i64 {
    let file = stage(lake, &spec(), day, students);
    lake.replace(&spec(), Replace::Partitions(vec![day]), vec![file], plain(), None).await.expect("a replacement")
}

pub(crate) async fn pinned(lake: &Lake) -> Snapshot {
    lake.snapshot(&spec().name).await.expect("a readable log").expect("a table")
}

/// Keys of all rows, read from the files and not from the log, in the order of files and rows.
pub(crate) fn students(snapshot: &Snapshot) -> Vec<i64> {
    let mut keys = Vec::new();
    for file in snapshot.files.iter() {
        let opened = std::fs::File::open(snapshot.root.join(&file.path)).expect("a live file is there");
        let reader = ParquetRecordBatchReaderBuilder::try_new(opened).and_then(|it| it.build()).expect("a whole file");
        let mut n = 0;
        for batch in reader {
            let batch = batch.expect("a readable batch");
            let column = batch.column_by_name("student_key").expect("the key column");
            keys.extend(column.as_primitive::<Int64Type>().values());
            n += batch.num_rows() as i64;
        }
        assert_eq!(n, file.rows, "rows of {}", file.path);
    }
    keys
}

/// The same, sorted.
pub(crate) fn sorted_students(snapshot: &Snapshot) -> Vec<i64> {
    let mut keys = students(snapshot);
    keys.sort_unstable();
    keys
}

/// Paths of data files on the disk, live or not, relative to the table's folder.
pub(crate) fn parts_on_disk(table: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![table.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() && !path.ends_with("_delta_log") {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "parquet") {
                found.push(path.strip_prefix(table).expect("below the table").to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    found
}

/// Copies a lake as it lies on the disk: what another process would find if this one were killed now.
pub(crate) fn killed(lake: &Lake) -> TempDir {
    let copy = tempfile::tempdir().expect("a temporary folder");
    copy_folder(lake.root(), copy.path());
    copy
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            std::fs::create_dir(&target).expect("a new folder");
            copy_folder(&path, &target);
        } else {
            std::fs::copy(&path, &target).expect("a copy");
        }
    }
}
