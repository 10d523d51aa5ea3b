//! From the log into the raw tables: rejects, rows, answers and counts, then the log forgets.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{RecordBatch, new_null_array};
use arrow::compute::{CastOptions, cast_with_options, concat_batches};
use arrow::datatypes::{Schema, SchemaRef};
use lake::{Commit, TableSpec};
use schema::{Pipeline, quarantine_schema, raw_schema, raw_sort};
use store::{Counts, PushAnswer, PushCount};
use wal::Kept;
use wal::point::pass;

use super::{Doorstep, LOG_APP, Note, positions};
use crate::house::House;
use crate::ingest::{QUARANTINE, quarantine_spec, raw_spec, write_days};
use crate::settings::Settings;
use crate::traces;

/// Pause after a commit that failed: the disk may be full, and asking it at once helps nobody.
const RETRY_PAUSE: Duration = Duration::from_secs(5);
/// The pause doubles up to this: what recovers is noticed within a minute.
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(60);

/// Commits every so many seconds or bytes until it is told to stop.
pub(crate) async fn run(house: Arc<House>, door: Arc<Doorstep>) {
    let mut pause = RETRY_PAUSE;
    let mut failing = BTreeSet::new();
    loop {
        match super::feeds::timed(&house, commit(&house)).await {
            Ok(committed) => {
                pause = RETRY_PAUSE;
                door.forget(&committed);
                super::feeds::remember(&house, &committed.stuck, &mut failing);
                if !committed.stuck.is_empty() || !committed.waiting.is_empty() {
                    // What stays may be so much that the log calls for a commit with every request.
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
            }
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "pushed events stay in the log until the next try");
                // Not sooner, however many are refused meanwhile: each try writes files.
                tokio::time::sleep(pause).await;
                pause = RETRY_PAUSE_MAX.min(2 * pause);
                continue;
            }
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(house.settings.stream.commit_seconds)) => {}
            () = door.filled.notified() => {}
        }
    }
}

/// What a commit of the log did.
#[derive(Debug, Clone, Default)]
pub(crate) struct Committed {
    /// Position of the newest frame that it looked at, if there was one.
    pub(crate) last: Option<i64>,
    /// Pipelines whose rows no table takes: they stay in the log.
    pub(crate) stuck: Vec<Stuck>,
    /// Pipelines whose rows wait until those of files or of a replay are in the table.
    pub(crate) waiting: BTreeSet<String>,
}

/// A pipeline whose rows stay in the log, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stuck {
    pub(crate) pipeline: String,
    pub(crate) zh: String,
    pub(crate) en: String,
}

impl Stuck {
    fn of(pipeline: &str, error: &anyhow::Error) -> Self {
        let table = format!("raw_{pipeline}");
        let (zh, en) = match error.downcast_ref::<Gone>() {
            Some(_) => (
                format!("pipelines/{pipeline}.toml 已不存在：请放回该文件后重启"),
                format!("pipelines/{pipeline}.toml is gone: put it back and restart"),
            ),
            None => {
                let why = format!("{error:#}");
                let (zh, en) = why.split_once(" / ").unwrap_or((why.as_str(), why.as_str()));
                (format!("{table} 未能写入：{zh}"), format!("{table} does not take them: {en}"))
            }
        };
        Self {
            pipeline: pipeline.to_owned(),
            zh: format!("推送到 {pipeline} 的数据留在日志中，其他来源照常入库。{zh}"),
            en: format!("what was pushed to {pipeline} stays in the log, other sources go on. {en}"),
        }
    }

    /// Both languages in a line.
    pub(crate) fn words(&self) -> String {
        format!("{} / {}", self.zh, self.en)
    }
}

/// The contract of rows in the log is no longer there.
#[derive(Debug, thiserror::Error)]
#[error("its contract is gone")]
struct Gone;

impl Committed {
    /// Whether rows of a pipeline stay in the log, for whatever reason.
    pub(crate) fn keeps(&self, pipeline: &str) -> bool {
        self.waiting.contains(pipeline) || self.of(pipeline).is_some()
    }

    /// Why the rows of a pipeline stay in the log, if no table takes them.
    pub(crate) fn of(&self, pipeline: &str) -> Option<&Stuck> {
        self.stuck.iter().find(|it| it.pipeline == pipeline)
    }
}

/// Commits everything that the log holds, each pipeline by itself: one whose table does not take its rows keeps no other
/// waiting.
///
/// Whatever a crash cut off is done again: no table takes a position twice, and the store no answer.
///
/// # Errors
/// If the disk or the store refuses, after all pipelines were tried: the next try may well do it.
pub(crate) async fn commit(house: &House) -> anyhow::Result<Committed> {
    let _one = house.committing.lock().await;
    // A commit of nothing is not told: there is one every half minute.
    if house.log.as_ref().is_none_or(|it| it.held() == 0) {
        return all(house, None).await;
    }
    let traced = traces::begin("commit of the log");
    let committed = traces::within(&traced, all(house, None)).await;
    match &committed {
        Ok(it) => traces::note(&traced, "yizhan.sources_stuck", it.stuck.len() as i64),
        Err(_) => traces::failed(&traced),
    }
    committed
}

/// The same for whoever holds [`House::committing`]; with `met`, the meeting of a pipeline, only up to a position: what is
/// behind it is known after the rows that come in there.
pub(super) async fn all(house: &House, met: Option<(&str, i64)>) -> anyhow::Result<Committed> {
    let Some(log) = house.log.clone() else { return Ok(Committed::default()) };
    let result = every(house, &log, met).await;
    house.streams.note_commit(&result);
    result
}

async fn every(house: &House, log: &Arc<wal::Log>, met: Option<(&str, i64)>) -> anyhow::Result<Committed> {
    let reading = log.clone();
    let mut tail = tokio::task::spawn_blocking(move || reading.tail()).await?;
    if let Some((_, up_to)) = met {
        tail.retain(|it| it.position <= up_to);
    }
    let Some(last) = tail.last().map(|it| it.position) else { return Ok(Committed::default()) };
    let mut frames: BTreeMap<&str, Vec<&Kept>> = BTreeMap::new();
    for it in &tail {
        frames.entry(&it.frame.pipeline).or_default().push(it);
    }
    pass("commit.rejects.before");
    rejects(house, &tail, last).await?;
    pass("commit.rejects.after");
    let (mut stuck, mut refused, mut waits_from) = (Vec::new(), None, last + 1);
    let mut done: BTreeMap<&str, Vec<&Kept>> = BTreeMap::new();
    let mut waiting = BTreeSet::new();
    for (name, frames) in frames {
        // Rows of files that take minutes are known before those that are pushed meanwhile, and stand before them.
        let meeting = house.meetings.get(name).filter(|_| met.is_none_or(|it| it.0 != name)).map(tokio::sync::Mutex::try_lock);
        let Ok(_alone) = meeting.transpose() else {
            waits_from = waits_from.min(frames.first().map_or(last, |it| it.position));
            waiting.insert(name.to_owned());
            continue;
        };
        pass("commit.rows.before");
        let tried = of_pipeline(house, name, &frames).await;
        pass("commit.rows.after");
        let Err(error) = tried else {
            done.insert(name, frames);
            continue;
        };
        waits_from = waits_from.min(frames.first().map_or(last, |it| it.position));
        match crate::exit::code(&error) {
            // It refuses everybody, and may not the next time.
            75 if super::is_disk_full(&error) => refused = refused.or(Some(error)),
            _ => {
                let it = Stuck::of(name, &error);
                tracing::error!(pipeline = name, error = format!("{error:#}"), "rows that no table takes stay in the log");
                stuck.push(it);
            }
        }
    }
    pass("commit.keys.before");
    keep(house, &done).await?;
    pass("commit.keys.after");
    let in_tables: BTreeSet<String> = done.into_keys().map(str::to_owned).collect();
    let writing = log.clone();
    let forgetting = move || -> Result<(), wal::Error> {
        writing.truncate(waits_from - 1)?;
        // Behind the first that waits: what others have in their tables takes up no room.
        if waits_from <= last {
            writing.release(|it| it.position <= last && in_tables.contains(&it.frame.pipeline))?;
        }
        Ok(())
    };
    tokio::task::spawn_blocking(forgetting).await??;
    match refused {
        Some(error) => Err(error),
        None => Ok(Committed { last: Some(last), stuck, waiting }),
    }
}

async fn of_pipeline(house: &House, name: &str, frames: &[&Kept]) -> anyhow::Result<()> {
    let pipeline = house.project.pipelines.iter().find(|it| it.name() == name);
    rows(house, pipeline.ok_or(Gone)?, frames).await
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
    let (writer, sort_by) = (house.lake.writer(&spec), spec.sort_by.clone());
    let writing = move || -> anyhow::Result<lake::StagedFile> {
        let all = crate::ingest::merged(&[all.clone(), all.slice(0, 0)], &sort_by)?;
        Ok(writer.write(None, &[all])?)
    };
    let file = tokio::task::spawn_blocking(writing).await??;
    append(house, &spec, vec![file], up_to, BTreeMap::new()).await
}

async fn rows(house: &House, pipeline: &Pipeline, frames: &[&Kept]) -> anyhow::Result<()> {
    let table = pipeline.raw_table();
    let done = house.lake.position(&table, LOG_APP).await?.unwrap_or(0);
    let new: Vec<&&Kept> = frames.iter().filter(|it| done < it.position).collect();
    let Some(last) = new.last().map(|it| it.position) else { return Ok(()) };
    // Before any file is written: a table that takes nothing would get one with every try.
    crate::reshape::fit(house, pipeline).await?;
    let mut days: BTreeMap<Option<i32>, Vec<RecordBatch>> = BTreeMap::new();
    // Of the newest of them: another process may have dated them, by another clock.
    let (mut known_us, mut is_given) = (0, false);
    for kept in &new {
        let note = Note::of(&kept.frame)?;
        (known_us, is_given) = (known_us, is_given).max((note.at_us, note.is_given));
        for (day, batch) in parts(pipeline, kept)? {
            days.entry(day).or_default().push(batch);
        }
    }
    let beside = positions::beside(new.iter().map(|it| **it))?;
    let spec = raw_spec(pipeline);
    let writer = house.lake.writer(&spec);
    let sort_by = raw_sort(pipeline);
    let threads = Settings::cores(house.settings.ingest.threads);
    let files = tokio::task::spawn_blocking(move || write_days(&writer, days, &sort_by, threads)).await??;
    // The files are there, and no commit names them or the position that they reach.
    pass("commit.staged");
    positions::append(house, &spec, files, (last, &beside), crate::known::noted(known_us, is_given)).await
}

async fn append(
    house: &House,
    spec: &TableSpec,
    files: Vec<lake::StagedFile>,
    position: i64,
    info: BTreeMap<String, serde_json::Value>,
) -> anyhow::Result<()> {
    let commit = Commit { position: Some((LOG_APP.to_owned(), position)), info, data_change: true };
    house.lake.append(spec, files, commit).await?;
    Ok(())
}

/// The rows of a frame by day, in the columns that the contract has today.
pub(super) fn parts(pipeline: &Pipeline, kept: &Kept) -> anyhow::Result<Vec<(Option<i32>, RecordBatch)>> {
    let note = Note::of(&kept.frame)?;
    let fields = raw_schema(pipeline).fields().iter().filter(|it| it.name() != "occurred_on").cloned().collect::<Vec<_>>();
    let schema = Arc::new(Schema::new(fields));
    let batches = kept.frame.batches.iter().skip(1);
    // A frame of when the source was one of events has days, and a table of states has none.
    let is_event = pipeline.is_event();
    note.days.iter().copied().zip(batches).map(|(day, batch)| Ok((day.filter(|_| is_event), fitted(batch, &schema)?))).collect()
}

/// A batch in the columns of a schema: what it lacks is empty, what it has beyond stays out.
fn fitted(batch: &RecordBatch, schema: &SchemaRef) -> anyhow::Result<RecordBatch> {
    let column = |field: &arrow::datatypes::FieldRef| {
        match batch.column_by_name(field.name()) {
        // Else what does not parse under a contract that was changed since would be empty without a word.
        // The error of the library holds the value, which is somebody's.
        Some(column) => cast_with_options(column, field.data_type(), &CastOptions { safe: false, ..CastOptions::default() })
            .map_err(|_| {
                let (name, from, to) = (field.name(), column.data_type(), field.data_type());
                anyhow::anyhow!("{name} 列的值不合现在的类型（{from} → {to}） / values of column {name} do not fit its type of now ({from} to {to})")
            }),
        None => Ok(new_null_array(field.data_type(), batch.num_rows())),
    }
    };
    let columns = schema.fields().iter().map(column).collect::<anyhow::Result<Vec<_>>>()?;
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
            // What the counts have reached was kept with them.
            if done < kept.position && !note.key_hash.is_empty() {
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
