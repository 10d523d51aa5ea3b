//! Rows that passed on their way into the raw table, and which of them came too late.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use ::ingest::{Part, Taken};
use anyhow::Context;
use arrow::array::{ArrayRef, AsArray, Date32Array, Int64Array, RecordBatch, TimestampMicrosecondArray, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{Field, Int64Type, Schema};
use datafusion::datasource::MemTable;
use lake::Commit;
use schema::{Key, OnConflict, Pipeline, lake_column, raw_schema, raw_sort};
use store::{Counts, FileEntry, Numbered};

use super::trial::places;
use super::{REWRITTEN, Sealed, root};
use crate::house::House;
use crate::ingest::{QUARANTINE, merged, raw_spec, write_days};
use crate::settings::Settings;
use crate::stream::PUSHED;

/// Places of the rows that a later one of the same key has overtaken.
///
/// A state or an event whose latest row holds would fall back to what it was before: the replay is the latest that is
/// known of it. So a row stays out if the raw table has its key from a later place, or the replay itself has; of a full
/// export, if the export has the key at all. Where the first row holds, staging sets the others aside.
///
/// Files are numbered in the order in which they came, and so are pushed requests, but not one among the other: between
/// the two the instants tell at which the door met the rows. A row that was replayed before came when it was refused.
pub(super) async fn superseded(
    house: &House,
    pipeline: &Pipeline,
    parts: &[Part],
    rows: &[Sealed],
    newest: Option<&FileEntry>,
) -> anyhow::Result<HashSet<usize>> {
    let Key::Columns(names) = &pipeline.contract.key else { return Ok(HashSet::new()) };
    let first_holds = pipeline.is_event() && pipeline.contract.on_conflict == OnConflict::First;
    if first_holds || parts.is_empty() {
        return Ok(HashSet::new());
    }
    let mut key: Vec<String> =
        names.iter().filter_map(|it| pipeline.column(it).and_then(|column| lake_column(it, column))).collect();
    if pipeline.is_event() {
        key.push("occurred_on".to_owned());
    }
    let tried = parts.iter().map(|it| keyed(it, &key, rows)).collect::<anyhow::Result<Vec<_>>>()?;
    let context = house.engine.context();
    context.register_table("tried", Arc::new(MemTable::try_new(tried[0].schema(), vec![tried])?))?;
    let list = key.join(", ");
    let mut query = format!(
        "SELECT place FROM (SELECT place, row_number() OVER (PARTITION BY {list} ORDER BY came_at DESC, file_no DESC, row_no DESC) \
         AS n FROM tried) AS ranked WHERE n > 1"
    );
    if let Some(raw) = house.engine.table(&pipeline.raw_table()).await? {
        context.register_table("raw", raw)?;
        let join = key.iter().map(|it| format!("raw.{it} = tried.{it}")).collect::<Vec<_>>().join(" AND ");
        query += &match newest {
            Some(newest) => {
                format!(" UNION SELECT tried.place FROM tried INNER JOIN raw ON {join} AND raw.file_no = {}", newest.file_no)
            }
            None => {
                let refused = house.engine.table(QUARANTINE).await?.context("the quarantine is gone")?;
                context.register_table("refused", refused)?;
                let name = pipeline.name();
                let columns = key.iter().map(|it| format!("row.{it}")).collect::<Vec<_>>().join(", ");
                format!(
                    " UNION SELECT tried.place FROM tried INNER JOIN (SELECT {columns}, row.file_no, row.row_no, \
                     coalesce(refused.known_at, row.known_at) AS came_at FROM raw AS row LEFT JOIN refused \
                     ON refused.pipeline = '{name}' AND refused.file_no = row.file_no AND refused.row_no = row.row_no) AS raw \
                     ON {join} AND CASE WHEN (raw.file_no >= {PUSHED}) = (tried.file_no >= {PUSHED}) \
                     THEN raw.file_no > tried.file_no OR (raw.file_no = tried.file_no AND raw.row_no > tried.row_no) \
                     ELSE raw.came_at > tried.came_at END"
                )
            }
        };
    }
    let found = context.sql(&query).await.context("could not look for later rows")?.collect().await?;
    let places = found.iter().flat_map(|it| it.column(0).as_primitive::<Int64Type>().values().to_vec());
    Ok(places.map(|it| usize::try_from(it).unwrap_or(usize::MAX)).collect())
}

/// Key, origin and place of the rows of a part.
fn keyed(part: &Part, key: &[String], rows: &[Sealed]) -> anyhow::Result<RecordBatch> {
    let places = places(&part.batch);
    let n = part.batch.num_rows();
    let mut columns: Vec<(&str, ArrayRef)> = Vec::new();
    for name in key {
        let column: ArrayRef = match part.day {
            Some(day) if name == "occurred_on" => Arc::new(Date32Array::from_value(day, n)),
            _ => part.batch.column_by_name(name).with_context(|| format!("rows without their key {name}"))?.clone(),
        };
        columns.push((name, column));
    }
    columns.push(("file_no", Arc::new(Int64Array::from_iter_values(places.iter().map(|it| rows[*it].file_no)))));
    columns.push(("row_no", Arc::new(Int64Array::from_iter_values(places.iter().map(|it| rows[*it].row_no)))));
    let came_at = TimestampMicrosecondArray::from_iter_values(places.iter().map(|it| rows[*it].refused_at));
    columns.push(("came_at", Arc::new(came_at.with_timezone("UTC"))));
    columns.push(("place", Arc::new(Int64Array::from_iter_values(places.iter().map(|it| *it as i64)))));
    Ok(RecordBatch::try_from_iter(columns)?)
}

/// The rows of a part under the file and row in which they came.
fn under(part: &RecordBatch, origins: &[(i64, i64)]) -> anyhow::Result<RecordBatch> {
    let places = places(part);
    let column = |name: &str, array: &ArrayRef| -> ArrayRef {
        match name {
            "file_no" => Arc::new(Int64Array::from_iter_values(places.iter().map(|it| origins[*it].0))),
            "row_no" => Arc::new(Int64Array::from_iter_values(places.iter().map(|it| origins[*it].1))),
            _ => array.clone(),
        }
    };
    let schema = part.schema();
    let columns = schema.fields().iter().zip(part.columns()).map(|(field, array)| column(field.name(), array)).collect();
    Ok(RecordBatch::try_new(schema, columns)?)
}

/// Adds rows under the places in which they came, all in one commit.
pub(super) async fn append(
    house: &House,
    pipeline: &Pipeline,
    origins: &[(i64, i64)],
    taken: Taken,
    known_us: i64,
) -> anyhow::Result<()> {
    let mut days: BTreeMap<Option<i32>, Vec<RecordBatch>> = BTreeMap::new();
    for part in taken.parts {
        // The origins rise with the places, so the order of the rows is still that of the table.
        days.entry(part.day).or_default().push(under(&part.batch, origins)?);
    }
    commit(house, pipeline, days, None, known_us).await
}

/// Writes the newest full export anew, with the rows that passed among those it had.
pub(super) async fn rewrite(
    house: &House,
    pipeline: &Pipeline,
    newest: &FileEntry,
    origins: &[(i64, i64)],
    taken: Taken,
    known_us: i64,
) -> anyhow::Result<()> {
    let (name, register) = (pipeline.name(), house.store.files());
    // No row enters twice, so what is added to which file says which content this is.
    let content = format!("{} {:?}", newest.file_no, origins);
    let hash = ::ingest::hash_bytes(content.as_bytes());
    let path = format!("{REWRITTEN}{}", root(newest));
    let entry = match register.number(name, &path, content.len() as i64, house.now_us(), &hash).await? {
        Numbered::New(entry) => entry,
        Numbered::Again(entry) => anyhow::bail!("file {} of {name} has landed without its rows", entry.file_no),
    };
    let mut batches = held(house, pipeline, newest.file_no).await?;
    for part in taken.parts {
        batches.push(under(&part.batch, origins)?);
    }
    let batches = batches.iter().map(|it| numbered(it, entry.file_no, known_us)).collect::<anyhow::Result<Vec<_>>>()?;
    let rows = batches.iter().map(|it| it.num_rows() as i64).sum();
    register.count(name, entry.file_no, Counts { rows_in: rows, rows_kept: rows, ..Counts::default() }).await?;
    // Of several batches each must be in order by itself.
    let sort_by = raw_sort(pipeline);
    let merged = merged(&batches, &sort_by)?;
    commit(house, pipeline, BTreeMap::from([(None, vec![merged])]), Some((name.to_owned(), entry.file_no)), known_us).await?;
    register.land(name, entry.file_no).await?;
    Ok(())
}

/// The rows of a file, with the columns that the contract declares today.
async fn held(house: &House, pipeline: &Pipeline, file_no: i64) -> anyhow::Result<Vec<RecordBatch>> {
    let Some(raw) = house.engine.table(&pipeline.raw_table()).await? else { return Ok(Vec::new()) };
    let context = house.engine.context();
    context.register_table("raw", raw)?;
    let query = format!("SELECT * FROM raw WHERE file_no = {file_no}");
    let found = context.sql(&query).await.context("could not read the newest export")?.collect().await?;
    let schema = plain(&raw_schema(pipeline));
    let declared = |batch: &RecordBatch| -> anyhow::Result<RecordBatch> {
        let column = |field: &Arc<Field>| match batch.column_by_name(field.name()) {
            Some(column) => cast(column, field.data_type()),
            None => Ok(new_null_array(field.data_type(), batch.num_rows())),
        };
        let columns = schema.fields().iter().map(column).collect::<Result<Vec<_>, _>>()?;
        Ok(RecordBatch::try_new(schema.clone(), columns)?)
    };
    found.iter().map(declared).collect()
}

/// Rows as those of another file, known from now on.
///
/// Staging tells versions by the rows' own hashes, so what did not change keeps its version and its `known_at`.
fn numbered(batch: &RecordBatch, file_no: i64, now_us: i64) -> anyhow::Result<RecordBatch> {
    let n = batch.num_rows();
    let column = |field: &Arc<Field>, array: &ArrayRef| -> ArrayRef {
        match field.name().as_str() {
            "file_no" => Arc::new(Int64Array::from_value(file_no, n)),
            "known_at" => Arc::new(arrow::array::TimestampMicrosecondArray::from_value(now_us, n).with_timezone("UTC")),
            "is_known_assumed" => Arc::new(arrow::array::BooleanArray::from(vec![false; n])),
            _ => array.clone(),
        }
    };
    let schema = plain(&batch.schema());
    let columns = schema.fields().iter().zip(batch.columns()).map(|(field, array)| column(field, array)).collect();
    Ok(RecordBatch::try_new(schema, columns)?)
}

/// Columns without what is said of them, so that batches of two ways have one schema.
fn plain(schema: &Schema) -> Arc<Schema> {
    let field = |it: &Arc<Field>| Field::new(it.name(), it.data_type().clone(), it.is_nullable());
    Arc::new(Schema::new(schema.fields().iter().map(field).collect::<Vec<_>>()))
}

async fn commit(
    house: &House,
    pipeline: &Pipeline,
    days: BTreeMap<Option<i32>, Vec<RecordBatch>>,
    position: Option<(String, i64)>,
    known_us: i64,
) -> anyhow::Result<()> {
    let spec = raw_spec(pipeline);
    let writer = house.lake.writer(&spec);
    let sort_by = raw_sort(pipeline);
    let threads = Settings::cores(house.settings.ingest.threads);
    let files = tokio::task::spawn_blocking(move || write_days(&writer, days, &sort_by, threads)).await??;
    house
        .lake
        .append(
            &spec,
            files,
            Commit { position, info: crate::known::noted(known_us, house.fixed_now_us.is_some()), data_change: true },
        )
        .await?;
    Ok(())
}
