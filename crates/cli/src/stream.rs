//! Pushed events: from the door into the log, from the log into the raw tables, and in between before everybody's eyes.
//!
//! A frame of the log is one request: its rows under the number [`PUSHED`] plus the frame's position, its sealed rejects,
//! and a note with the answer that was given. The order of writing repairs every crash by itself:
//!
//! 1. the frame is synced, then the sender is answered;
//! 2. rejects are committed, then rows, each with the position of their last frame; what a table has is left out;
//! 3. answers and counts are kept in the store, which takes nothing twice;
//! 4. the log forgets the frames.

mod arrivals;
mod board;
mod broker;
mod commit;
pub(crate) mod config;
mod door;
mod drop_folder;
mod feeds;
mod flood;
mod inside;
mod kafka;
mod mqtt;
mod nats;
mod parcel;
mod positions;
mod replication;
mod reread;
mod tail;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeSet;
use std::path::PathBuf;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use parking_lot::Mutex;
use schema::Pipeline;
use serde::{Deserialize, Serialize};
use serve::PushWarning;
use std::sync::Arc;

use crate::house::House;
use crate::known::{Newest, Odd};
use crate::settings::{Place, Settings};

pub(crate) use arrivals::Arrivals;
pub(crate) use broker::usual_tls;
pub(crate) use commit::{Committed, Stuck, commit, run};
pub(crate) use door::{Doorstep, Pushing};
pub(crate) use feeds::{Feeds, Seen, look};
pub(crate) use inside::open_doors;
pub(crate) use kafka::client as kafka_client;
pub(crate) use reread::reread;
pub(crate) use tail::Tail;

/// Application under which positions of the log stand in the tables: the log has one shard.
pub(crate) const LOG_APP: &str = "log/0";

/// Numbers of files end here, and pushed requests begin: still exact in a spreadsheet.
pub(crate) const PUSHED: i64 = 100_000_000_000_000;

/// What is kept with the rows of a frame. The first of its batches holds the rejects, the others the rows of `days`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    device_group: String,
    key_hash: String,
    body_hash: String,
    at_us: i64,
    answer: String,
    counts: [u64; 5],
    days: Vec<Option<i32>>,
    /// Somebody gave `at_us`: it says nothing of the machine's clock, whichever process commits the rows.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_given: bool,
    /// Where a source that can be read again stands after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reached: Option<parcel::Reached>,
}

impl Note {
    fn of(frame: &wal::Frame) -> anyhow::Result<Self> {
        serde_json::from_slice(&frame.note).map_err(|error| anyhow::anyhow!("a frame of {}: {error}", frame.pipeline))
    }
}

/// Whether rows of this number were pushed and lie in no file.
pub(crate) fn is_pushed(file_no: i64) -> bool {
    PUSHED <= file_no
}

pub(crate) fn folder(place: &Place) -> PathBuf {
    place.data.join("log")
}

/// Opens the log beside a lake that is held for writing, on another file system than the machine's if one is given.
///
/// The store may be newer than lake and log, as after a backup was put back. What it counted beyond the end of the log is
/// gone, and its positions are given to frames that are not counted yet.
pub(crate) async fn open(
    place: &Place,
    settings: &Settings,
    lake: &lake::Lake,
    store: &store::Store,
    metrics: &Arc<serve::Metrics>,
    double: Option<Arc<dyn wal::Disk>>,
) -> anyhow::Result<wal::Log> {
    let mut committed = lake.position(crate::ingest::QUARANTINE, LOG_APP).await?.unwrap_or(0);
    // Also tables of pipelines that are gone: they may come back, and would then hold other rows' positions.
    for table in lake.tables()?.into_iter().filter(|it| it.starts_with("raw_")) {
        committed = committed.max(lake.position(&table, LOG_APP).await?.unwrap_or(0));
    }
    let config = wal::Config { bytes_max: settings.stream.bytes_max.0, segment_bytes: settings.stream.segment_bytes.0 };
    let is_synced = matches!(settings.lake.durability, crate::settings::Durability::Fsync);
    let local = || -> Result<Arc<dyn wal::Disk>, wal::Error> {
        let folder = folder(place);
        let disk = wal::LocalDisk::new(&folder, is_synced);
        let disk = disk.map_err(|source| wal::Error::Io { action: "make", path: folder.clone(), source })?;
        let metrics = metrics.clone();
        Ok(Arc::new(disk.timed(move |took| metrics.synced(took))))
    };
    let log = wal::Log::open_on(double.map_or_else(local, Ok)?, config, committed)?;
    for cut in log.cuts() {
        eprintln!(
            "日志末尾有未完成的写入（未曾应答），已截去 {} 字节 / the log ended in a write that nobody was answered for: {} bytes of {} were cut off",
            cut.bytes,
            cut.bytes,
            cut.path.display()
        );
    }
    // Frames that are in the log still may be counted already: of those nothing is taken back.
    let (pushes, last) = (store.pushes(), log.synced());
    if pushes.counts().await?.iter().any(|it| last < it.position) {
        let n = pushes.count_from(last).await?;
        eprintln!(
            "数据湖与日志早于 store（多半是从较早的备份恢复）：{n} 个来源从现在起重新计数，应答照常记住 / lake and log are older than the \
             store, as after an older backup was put back: {n} sources count on from here, and answers are kept as ever"
        );
    }
    Ok(log)
}

/// Files with passwords and keys that the settings of doors name.
pub(crate) fn secret_files(place: &Place, settings: &Settings) -> Vec<PathBuf> {
    let stream = &settings.stream;
    let brokers = stream.mqtt.iter().map(config::Mqtt::broker).chain(stream.nats.iter().map(config::Nats::broker));
    let brokers = brokers
        .chain(stream.kafka.iter().flat_map(config::Kafka::brokers))
        .chain(stream.postgres.iter().map(config::Postgres::broker));
    let of_nats = stream.nats.iter().flat_map(config::Nats::secret_files);
    brokers.flat_map(|it| it.secret_files(&place.project)).chain(of_nats).collect()
}

/// How the slots stand that hold back logs of databases.
pub(crate) async fn slots(place: &Place, settings: &Settings) -> Vec<crate::doctor::Line> {
    replication::slots(&settings.stream.postgres, &place.project).await
}

/// How the streams of a process are.
#[derive(Debug, Default)]
pub(crate) struct Streams(Mutex<Streaming>);

#[derive(Debug, Default)]
struct Streaming {
    stuck: Vec<Stuck>,
    /// Pipelines whose rows the last commit left in the log until others are in the table.
    waiting: BTreeSet<String>,
    /// The disk had no room for what was pushed last.
    is_log_full: bool,
    /// Nor for the last commit.
    is_lake_full: bool,
}

impl Streams {
    fn note_commit(&self, result: &anyhow::Result<Committed>) {
        let mut state = self.0.lock();
        state.is_lake_full = result.as_ref().is_err_and(is_disk_full);
        if let Ok(committed) = result {
            state.stuck = committed.stuck.clone();
            state.waiting = committed.waiting.clone();
            // Where the lake found room the log will.
            state.is_log_full &= committed.last.is_none();
        }
    }

    fn note_log(&self, is_full: bool) {
        self.0.lock().is_log_full = is_full;
    }

    /// Whether rows of a pipeline waited at the last commit until those of files or of a replay are in the table.
    fn has_waited(&self, pipeline: &str) -> bool {
        self.0.lock().waiting.contains(pipeline)
    }

    /// Why the rows of a pipeline stay in the log, if they do.
    pub(crate) fn stuck(&self, pipeline: &str) -> Option<Stuck> {
        self.0.lock().stuck.iter().find(|it| it.pipeline == pipeline).cloned()
    }
}

/// Whether a disk without room is at the bottom of an error.
fn is_disk_full(error: &anyhow::Error) -> bool {
    error.chain().any(|it| {
        let is_io = it
            .downcast_ref::<std::io::Error>()
            .is_some_and(|it| matches!(it.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded));
        let is_log = it.downcast_ref::<wal::Error>().is_some_and(wal::Error::is_disk_full);
        // Databases and Parquet say it in words only.
        let words = it.to_string().to_ascii_lowercase();
        is_io || is_log || ["no space left on device", "disk is full"].iter().any(|said| words.contains(said))
    })
}

/// What somebody has to look after although rows are taken.
pub(crate) fn warnings(house: &House) -> Vec<PushWarning> {
    let mut warnings = Vec::new();
    {
        let state = house.streams.0.lock();
        if state.is_log_full || state.is_lake_full {
            warnings.push(PushWarning {
                code: "disk_full",
                zh: "磁盘已满：推送的数据暂不接收或暂留日志，已应答的不会丢失。请清理磁盘空间，之后自动恢复".to_owned(),
                en: "the disk is full: events are not taken, or stay in the log; what was answered for is not lost. Free some room, it \
                     goes on by itself"
                    .to_owned(),
            });
        }
        let stuck = state.stuck.iter().cloned();
        warnings.extend(stuck.map(|it| PushWarning { code: "not_committed", zh: it.zh, en: it.en }));
    }
    if let Some(odd) = house.odd_clock() {
        let code = match odd {
            Odd::Ahead { .. } => "clock_ahead",
            Odd::Behind { .. } => "clock_behind",
            Odd::Leapt { .. } => "clock_leapt",
        };
        let (zh, en) = odd.words();
        warnings.push(PushWarning { code, zh, en });
    }
    warnings
}

/// The newest instants by which rows of a log were dated.
pub(crate) fn newest(log: &wal::Log) -> anyhow::Result<Newest> {
    let mut newest = Newest::default();
    for kept in log.tail() {
        let Note { at_us, is_given, .. } = Note::of(&kept.frame)?;
        newest = newest.and(at_us, is_given);
    }
    Ok(newest)
}

/// Where rows of another way meet those that are pushed: while it lives, no pushed row goes into the table of this pipeline.
pub(crate) struct Meeting<'a> {
    _alone: Option<tokio::sync::MutexGuard<'a, ()>>,
    /// The instant of the rows that come: no row in the table is later, and no pushed one that comes after is earlier.
    pub(crate) known_us: i64,
}

/// Brings all that was pushed to a pipeline so far into its table, and keeps what comes meanwhile in the log. Other
/// pipelines are committed as ever.
///
/// Else rows of a file that takes minutes would stand in the table behind pushed ones that were known after them. Rows
/// that the table does not take are answered with why: nothing else comes in before them. So is a clock that leapt.
pub(crate) async fn meet<'a>(house: &'a House, pipeline: &Pipeline) -> anyhow::Result<Result<Meeting<'a>, Stuck>> {
    let leapt = |odd: Odd| {
        let (zh, en) = odd.words();
        Stuck { pipeline: pipeline.name().to_owned(), zh, en }
    };
    let lane = house.lanes.get(pipeline.name()).filter(|_| pipeline.pipeline.push);
    let (Some(log), Some(lane), Some(meeting)) = (house.log.clone(), lane, house.meetings.get(pipeline.name())) else {
        return Ok(house.known_us().map(|known_us| Meeting { _alone: None, known_us }).map_err(leapt));
    };
    // In this order only: a commit never waits for a meeting.
    let alone = meeting.lock().await;
    let _committing = house.committing.lock().await;
    // Whoever took an earlier instant has written its frame when the lane is free, and nobody writes a later one before it is
    // known how far those reach.
    let met = tokio::task::block_in_place(|| -> Result<(i64, i64), Odd> {
        let _lane = lane.lock();
        let known_us = house.known_us()?;
        log.settle();
        Ok((known_us, log.synced()))
    });
    let (known_us, up_to) = match met {
        Ok(met) => met,
        Err(odd) => return Ok(Err(leapt(odd))),
    };
    let committed = commit::all(house, Some((pipeline.name(), up_to))).await?;
    Ok(match committed.of(pipeline.name()) {
        Some(stuck) => Err(stuck.clone()),
        None => Ok(Meeting { _alone: Some(alone), known_us }),
    })
}

/// A batch with one column put in the place of another.
fn with_column(batch: &RecordBatch, name: &str, array: ArrayRef) -> anyhow::Result<RecordBatch> {
    let schema = batch.schema();
    let at = schema.index_of(name)?;
    let mut columns = batch.columns().to_vec();
    columns[at] = array;
    Ok(RecordBatch::try_new(schema, columns)?)
}

/// A batch whose rows came in one request.
fn under(batch: &RecordBatch, file_no: i64) -> anyhow::Result<RecordBatch> {
    with_column(batch, "file_no", Arc::new(Int64Array::from_value(file_no, batch.num_rows())))
}

impl House {
    /// Whether rows of a pipeline wait in the log for those of files or of a replay that still come in.
    ///
    /// A commit holds the meeting too, for a moment: only what it left behind waits.
    fn is_waiting(&self, pipeline: &str) -> bool {
        self.streams.has_waited(pipeline) && self.meetings.get(pipeline).is_some_and(|it| it.try_lock().is_err())
    }

    /// The pipeline of a name, if rows may be pushed to it.
    fn pushed_to(&self, name: &str) -> Option<&Pipeline> {
        self.project.pipelines.iter().find(|it| it.name() == name && it.pipeline.push)
    }
}
