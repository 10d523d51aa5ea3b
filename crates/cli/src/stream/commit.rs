//! From the log into the raw tables: rejects, rows, answers and counts, then the log forgets.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use arrow::array::{RecordBatch, new_null_array};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{Schema, SchemaRef};
use lake::{Commit, TableSpec};
use schema::{Pipeline, quarantine_schema, raw_schema, raw_sort};
use store::{Counts, PushAnswer, PushCount};
use wal::Kept;
use wal::point::pass;

use super::{Doorstep, LOG_APP, Note};
use crate::house::House;
use crate::ingest::{QUARANTINE, quarantine_spec, raw_spec, write_days};
use crate::settings::Settings;

/// Pause after a commit that failed: the disk may be full, and asking it at once helps nobody.
const RETRY_PAUSE: Duration = Duration::from_secs(5);

/// Commits every so many seconds or bytes until it is told to stop.
pub(crate) async fn run(house: Arc<House>, door: Arc<Doorstep>) {
    loop {
        let pause = match super::feeds::timed(&house, commit(&house)).await {
            Ok(Some(up_to)) => {
                door.forget(up_to);
                Duration::from_secs(house.settings.stream.commit_seconds)
            }
            Ok(None) => Duration::from_secs(house.settings.stream.commit_seconds),
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "pushed events stay in the log until the next try");
                // Not sooner, however many are refused meanwhile: each try writes files.
                tokio::time::sleep(RETRY_PAUSE).await;
                continue;
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = door.filled.notified() => {}
        }
    }
}

/// Commits everything that the log holds; returns the position up to which it did, if there was anything.
///
/// Whatever a crash cut off is done again: no table takes a position twice, and the store no answer.
pub(crate) async fn commit(house: &House) -> anyhow::Result<Option<i64>> {
    let Some(log) = house.log.clone() else { return Ok(None) };
    let _one = house.committing.lock().await;
    let tail = log.tail();
    let Some(up_to) = tail.last().map(|it| it.position) else { return Ok(None) };
    let mut frames: BTreeMap<&str, Vec<&Kept>> = BTreeMap::new();
    for it in &tail {
        frames.entry(&it.frame.pipeline).or_default().push(it);
    }
    pass("commit.rejects.before");
    rejects(house, &tail, up_to).await?;
    pass("commit.rejects.after");
    for (name, frames) in &frames {
        let pipeline = house.project.pipelines.iter().find(|it| it.name() == *name);
        let pipeline = pipeline.with_context(|| {
            format!(
                "pipelines/{name}.toml 已不存在，但日志中还有推送的事件：请放回该文件后重启 / pipelines/{name}.toml is gone, and events \
                 that were pushed to it wait in the log: put it back and restart"
            )
        })?;
        pass("commit.rows.before");
        rows(house, pipeline, frames).await?;
        pass("commit.rows.after");
    }
    pass("commit.keys.before");
    keep(house, &frames).await?;
    pass("commit.keys.after");
    tokio::task::spawn_blocking(move || log.truncate(up_to)).await??;
    Ok(Some(up_to))
}

async fn rejects(house: &House, tail: &[Arc<Kept>], up_to: i64) -> anyhow::Result<()> {
    let done = house.lake.position(QUARANTINE, LOG_APP).await?.unwrap_or(0);
    let new = tail.iter().filter(|it| done < it.position).filter_map(|it| it.frame.batches.first());
    let schema = quarantine_schema();
    let all = new.map(|it| fitted(it, &schema)).collect::<anyhow::Result<Vec<_>>>()?;
    let all = concat_batches(&schema, &all)?;
    if all.num_rows() == 0 {
        return Ok(());
    }
    let spec = quarantine_spec();
    let all = crate::ingest::merged(&[all.clone(), all.slice(0, 0)], &spec.sort_by)?;
    append(house, &spec, vec![house.lake.writer(&spec).write(None, &[all])?], up_to).await
}

async fn rows(house: &House, pipeline: &Pipeline, frames: &[&Kept]) -> anyhow::Result<()> {
    let table = pipeline.raw_table();
    let done = house.lake.position(&table, LOG_APP).await?.unwrap_or(0);
    let mut days: BTreeMap<Option<i32>, Vec<RecordBatch>> = BTreeMap::new();
    let mut last = None;
    for kept in frames.iter().filter(|it| done < it.position) {
        last = Some(kept.position);
        for (day, batch) in parts(pipeline, kept)? {
            days.entry(day).or_default().push(batch);
        }
    }
    let Some(last) = last else { return Ok(()) };
    let spec = raw_spec(pipeline);
    let writer = house.lake.writer(&spec);
    let sort_by = raw_sort(pipeline);
    let threads = Settings::cores(house.settings.ingest.threads);
    let files = tokio::task::spawn_blocking(move || write_days(&writer, days, &sort_by, threads)).await??;
    append(house, &spec, files, last).await
}

async fn append(house: &House, spec: &TableSpec, files: Vec<lake::StagedFile>, position: i64) -> anyhow::Result<()> {
    let commit = Commit { position: Some((LOG_APP.to_owned(), position)), info: BTreeMap::new(), data_change: true };
    house.lake.append(spec, files, commit).await?;
    Ok(())
}

/// The rows of a frame by day, in the columns that the contract has today.
pub(super) fn parts(pipeline: &Pipeline, kept: &Kept) -> anyhow::Result<Vec<(Option<i32>, RecordBatch)>> {
    let note = Note::of(&kept.frame)?;
    let fields = raw_schema(pipeline).fields().iter().filter(|it| it.name() != "occurred_on").cloned().collect::<Vec<_>>();
    let schema = Arc::new(Schema::new(fields));
    let batches = kept.frame.batches.iter().skip(1);
    note.days.iter().copied().zip(batches).map(|(day, batch)| Ok((day, fitted(batch, &schema)?))).collect()
}

/// A batch in the columns of a schema: what it lacks is empty, what it has beyond stays out.
fn fitted(batch: &RecordBatch, schema: &SchemaRef) -> anyhow::Result<RecordBatch> {
    let column = |field: &arrow::datatypes::FieldRef| match batch.column_by_name(field.name()) {
        Some(column) => cast(column, field.data_type()),
        None => Ok(new_null_array(field.data_type(), batch.num_rows())),
    };
    let columns = schema.fields().iter().map(column).collect::<Result<Vec<_>, _>>()?;
    Ok(RecordBatch::try_new(schema.clone(), columns)?)
}

/// Answers and counts, which the store keeps once.
async fn keep(house: &House, frames: &BTreeMap<&str, Vec<&Kept>>) -> anyhow::Result<()> {
    let pushes = house.store.pushes();
    let counted: BTreeMap<String, i64> = pushes.counts().await?.into_iter().map(|it| (it.pipeline, it.position)).collect();
    let (mut answers, mut counts) = (Vec::new(), Vec::new());
    for (name, frames) in frames {
        let done = counted.get(*name).copied().unwrap_or(0);
        let mut sum = [0_i64; 5];
        for kept in frames {
            let note = Note::of(&kept.frame)?;
            if done < kept.position {
                for (sum, n) in sum.iter_mut().zip(note.counts) {
                    *sum += i64::try_from(n).unwrap_or(i64::MAX);
                }
            }
            if !note.key_hash.is_empty() {
                answers.push(PushAnswer {
                    pipeline: (*name).to_owned(),
                    device_group: note.device_group,
                    key_hash: note.key_hash,
                    body_hash: note.body_hash,
                    answer: note.answer,
                    at_us: note.at_us,
                });
            }
        }
        let [rows_in, rows_kept, rows_quarantined, rows_skipped, rows_erased] = sum;
        let sum = Counts { rows_in, rows_kept, rows_quarantined, rows_skipped, rows_erased };
        let position = frames.last().map_or(0, |it| it.position);
        counts.push(PushCount { pipeline: (*name).to_owned(), position, counts: sum });
    }
    let kept_us = i64::from(house.settings.stream.answers_kept_days) * 86_400_000_000;
    pushes.keep(&answers, &counts, house.now_us() - kept_us).await?;
    Ok(())
}
