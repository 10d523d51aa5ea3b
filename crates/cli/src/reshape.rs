//! Whether a raw table takes rows of today's contract, and the one change of shape that it is brought through.
//!
//! A source of events whose contract says `state` from now on loses nothing: what the table has beyond a state's columns
//! (`occurred_on`, `minute_of_day`) the door had worked out of `occurred_at`. So the table is written anew, in one commit
//! that is made against the version that was read. Any other change could lose what somebody still needs, and is refused
//! with the column and what to do.

use std::sync::Arc;

use anyhow::Context;
use arrow::array::{RecordBatch, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{Field, Schema};
use lake::{Commit, Replace, Snapshot, TableSpec};
use schema::Pipeline;

use crate::exit::Caller;
use crate::house::House;
use crate::ingest::raw_spec;

/// Columns of events that the door works out of `occurred_at`.
const WORKED_OUT: [&str; 2] = ["occurred_on", "minute_of_day"];

/// Rows that are written anew at once: they are held in memory. Registers, which alone change their shape, are small.
const ROWS_MAX: i64 = 5_000_000;

/// Makes sure that the raw table of a pipeline takes rows of its contract.
///
/// # Errors
/// In both languages if it does not: the table, the difference, and what to do.
pub(crate) async fn fit(house: &House, pipeline: &Pipeline) -> anyhow::Result<()> {
    let spec = raw_spec(pipeline);
    let error = match house.lake.expect_fit(&spec).await {
        Ok(()) => return Ok(()),
        Err(error) => error,
    };
    let lake::Error::SchemaChanged { column, change, .. } = &error else { return Err(error.into()) };
    let snapshot = house.lake.snapshot(&spec.name).await?;
    if let Some(snapshot) = snapshot.filter(|it| is_lossless(it, &spec)) {
        return to_state(house, &spec, &snapshot).await;
    }
    let (name, table) = (pipeline.name(), &spec.name);
    Err(Caller(format!(
        "数据表 {table} 与 pipelines/{name}.toml 的约定不符（列 {column}：{change}）：请在约定中恢复该列原来的写法并重启；若确要改变，请换一个 \
         pipeline.name（新表另建，旧表保留） / table {table} does not fit the contract in pipelines/{name}.toml (column {column}: \
         {change}): put the column back as it was and restart; if it has to change, take another pipeline.name: a new table is \
         made, and the old one stays"
    ))
    .into())
}

/// Whether a table of events becomes one of states with nothing lost.
fn is_lossless(snapshot: &Snapshot, spec: &TableSpec) -> bool {
    let stays = |it: &Arc<Field>| {
        let is_worked_out = WORKED_OUT.contains(&it.name().as_str());
        is_worked_out || spec.schema.field_with_name(it.name()).is_ok_and(|now| now.data_type() == it.data_type())
    };
    let is_filled = |it: &Arc<Field>| it.is_nullable() || snapshot.schema.field_with_name(it.name()).is_ok();
    snapshot.partition_by.is_some()
        && spec.partition_by.is_none()
        && snapshot.rows() <= ROWS_MAX
        && snapshot.schema.fields().iter().all(stays)
        && spec.schema.fields().iter().all(is_filled)
}

/// Writes a table of events anew as one of states.
async fn to_state(house: &House, spec: &TableSpec, snapshot: &Snapshot) -> anyhow::Result<()> {
    let context = house.engine.context();
    context.register_table("raw", house.engine.pin(snapshot.clone())?)?;
    let order = spec.sort_by.iter().map(|it| format!("{it} ASC NULLS LAST")).collect::<Vec<_>>().join(", ");
    let found = context.sql(&format!("SELECT * FROM raw ORDER BY {order}")).await.context("could not read the table")?;
    let found = found.collect().await.with_context(|| format!("could not read {}", spec.name))?;
    let batches = found.iter().map(|it| stated(it, spec)).collect::<anyhow::Result<Vec<_>>>()?;
    let writer = house.lake.writer(spec);
    let file = tokio::task::spawn_blocking(move || writer.write(None, &batches)).await??;
    // What the newest commit said of the rows still holds.
    let commit = Commit { position: None, info: snapshot.commit.info.clone(), data_change: true };
    house.lake.replace(spec, Replace::All, vec![file], commit, Some(snapshot.version)).await?;
    tracing::warn!(table = spec.name, rows = snapshot.rows(), "a table of events was written anew as one of states");
    Ok(())
}

/// Rows in the columns of a specification.
fn stated(batch: &RecordBatch, spec: &TableSpec) -> anyhow::Result<RecordBatch> {
    let column = |field: &Arc<Field>| match batch.column_by_name(field.name()) {
        Some(column) => cast(column, field.data_type()),
        None => Ok(new_null_array(field.data_type(), batch.num_rows())),
    };
    let columns = spec.schema.fields().iter().map(column).collect::<Result<Vec<_>, _>>()?;
    let plain = |it: &Arc<Field>| Field::new(it.name(), it.data_type().clone(), it.is_nullable());
    let schema = Schema::new(spec.schema.fields().iter().map(plain).collect::<Vec<_>>());
    Ok(RecordBatch::try_new(Arc::new(schema), columns)?)
}
