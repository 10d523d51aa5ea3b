//! Which refused rows wait, and the marks of those that do no longer.

use std::collections::HashSet;
use std::sync::Arc;

use anyhow::Context;
use arrow::array::{AsArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, TimestampMicrosecondType};
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;
use lake::{Commit, TableSpec};
use schema::{Pipeline, replayed_schema};
use store::FileEntry;

use super::{Mark, Request, root};
use crate::house::House;
use crate::ingest::QUARANTINE;

pub(crate) const REPLAYED: &str = "ops_quarantine_replayed";

/// A refused row that waits, encrypted as it lies in the lake.
#[derive(Debug, Clone)]
pub(crate) struct Sealed {
    pub(crate) file_no: i64,
    pub(crate) row_no: i64,
    /// Instant at which the door refused it, in microseconds since 1970.
    pub(crate) refused_at: i64,
    pub(crate) reason: String,
    pub(crate) column: Option<String>,
    pub(crate) sealed: Vec<u8>,
}

impl Sealed {
    /// File and row, which tell it from all others of its pipeline.
    pub(super) fn place(&self) -> (i64, i64) {
        (self.file_no, self.row_no)
    }
}

/// The rows of a pipeline that were refused and wait, by file and row.
pub(crate) async fn waiting(house: &House, pipeline: &str, request: &Request<'_>) -> anyhow::Result<Vec<Sealed>> {
    let context = house.engine.context();
    let Some(refused) = house.engine.table(QUARANTINE).await? else { return Ok(Vec::new()) };
    context.register_table("refused", refused)?;
    let mut query =
        format!("SELECT file_no, row_no, reason, \"column\", sealed_row, known_at FROM refused WHERE pipeline = '{pipeline}'");
    if let Some(reason) = request.reason {
        query += &format!(" AND reason = '{}'", reason.replace('\'', "''"));
    }
    if let Some(file_no) = request.file_no {
        query += &format!(" AND file_no = {file_no}");
    }
    if let Some(replayed) = house.engine.table(REPLAYED).await? {
        context.register_table("replayed", replayed)?;
        query += &format!(
            " AND NOT EXISTS (SELECT 1 FROM replayed WHERE replayed.pipeline = '{pipeline}' \
             AND replayed.file_no = refused.file_no AND replayed.row_no = refused.row_no)"
        );
    }
    query += " ORDER BY file_no, row_no";
    let batches = context.sql(&query).await.context("could not read the quarantine")?.collect().await?;
    let mut rows = Vec::new();
    for batch in &batches {
        let (file_no, row_no) = (batch.column(0).as_primitive::<Int64Type>(), batch.column(1).as_primitive::<Int64Type>());
        let (reason, column) = (batch.column(2).as_string::<i32>(), batch.column(3).as_string::<i32>());
        let (sealed, refused_at) =
            (batch.column(4).as_binary::<i32>(), batch.column(5).as_primitive::<TimestampMicrosecondType>());
        rows.extend((0..batch.num_rows()).map(|row| Sealed {
            file_no: file_no.value(row),
            row_no: row_no.value(row),
            refused_at: refused_at.value(row),
            reason: reason.value(row).to_owned(),
            column: column.iter().nth(row).flatten().map(str::to_owned),
            sealed: sealed.value(row).to_vec(),
        }));
    }
    Ok(rows)
}

/// Those of the rows that the raw table holds already, by file and row.
///
/// `newest` is the newest file of a full export, which holds the rows of the file it is made of under their own numbers.
pub(super) async fn in_raw(
    house: &House,
    pipeline: &Pipeline,
    rows: &[Sealed],
    newest: Option<&FileEntry>,
) -> anyhow::Result<HashSet<(i64, i64)>> {
    let Some(raw) = house.engine.table(&pipeline.raw_table()).await? else { return Ok(HashSet::new()) };
    let context = house.engine.context();
    context.register_table("raw", raw)?;
    // Where the row would be, beside where it came from.
    let held_in = |it: &Sealed| newest.filter(|newest| root(newest) == it.file_no).map_or(it.file_no, |it| it.file_no);
    let columns: [(&str, Int64Array); 3] = [
        ("file_no", rows.iter().map(|it| it.file_no).collect()),
        ("row_no", rows.iter().map(|it| it.row_no).collect()),
        ("held_in", rows.iter().map(held_in).collect()),
    ];
    register(&context, "row", columns)?;
    let query = "SELECT file_no, row_no FROM row LEFT SEMI JOIN raw ON raw.file_no = row.held_in AND raw.row_no = row.row_no";
    let found = context.sql(query).await.context("could not look for rows in the raw table")?.collect().await?;
    let pairs = found.iter().flat_map(|batch| {
        let (file_no, row_no) = (batch.column(0).as_primitive::<Int64Type>(), batch.column(1).as_primitive::<Int64Type>());
        file_no.values().iter().copied().zip(row_no.values().iter().copied()).collect::<Vec<_>>()
    });
    Ok(pairs.collect())
}

/// A table in memory of whole numbers.
pub(super) fn register<const N: usize>(
    context: &SessionContext,
    name: &str,
    columns: [(&str, Int64Array); N],
) -> anyhow::Result<()> {
    let fields: Vec<Field> = columns.iter().map(|it| Field::new(it.0, DataType::Int64, false)).collect();
    let arrays = columns.into_iter().map(|it| Arc::new(it.1) as _).collect();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?;
    context.register_table(name, Arc::new(MemTable::try_new(batch.schema(), vec![vec![batch]])?))?;
    Ok(())
}

/// Marks rows that wait no longer.
///
/// Needs no position: who marks has looked before which rows are marked, and is the lake's one writer.
pub(super) async fn mark(house: &House, pipeline: &str, marks: &[Mark]) -> anyhow::Result<()> {
    if marks.is_empty() {
        return Ok(());
    }
    let mut marks = marks.to_vec();
    marks.sort_by_key(|it| (it.0, it.1));
    let n = marks.len();
    let rows = RecordBatch::try_new(
        replayed_schema(),
        vec![
            Arc::new(StringArray::from_iter_values(std::iter::repeat_n(pipeline, n))),
            Arc::new(Int64Array::from_iter_values(marks.iter().map(|it| it.0))),
            Arc::new(Int64Array::from_iter_values(marks.iter().map(|it| it.1))),
            Arc::new(TimestampMicrosecondArray::from_value(house.now_us(), n).with_timezone("UTC")),
            Arc::new(StringArray::from_iter_values(marks.iter().map(|it| it.2.as_str()))),
        ],
    )?;
    let spec = TableSpec {
        name: REPLAYED.to_owned(),
        schema: replayed_schema(),
        partition_by: None,
        sort_by: vec!["pipeline".into(), "file_no".into(), "row_no".into()],
        stats_columns: vec!["file_no".into()],
        properties: [("kind".to_owned(), "ops".to_owned())].into(),
    };
    let writer = house.lake.writer(&spec);
    let file = tokio::task::spawn_blocking(move || writer.write(None, &[rows])).await??;
    house.lake.append(&spec, vec![file], Commit { data_change: true, ..Commit::default() }).await?;
    Ok(())
}
