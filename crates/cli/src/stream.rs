//! Pushed events: from the door into the log, from the log into the raw tables, and in between before everybody's eyes.
//!
//! A frame of the log is one request: its rows under the number [`PUSHED`] plus the frame's position, its sealed rejects,
//! and a note with the answer that was given. The order of writing repairs every crash by itself:
//!
//! 1. the frame is synced, then the sender is answered;
//! 2. rejects are committed, then rows, each with the position of their last frame; what a table has is left out;
//! 3. answers and counts are kept in the store, which takes nothing twice;
//! 4. the log forgets the frames.

mod commit;
mod door;
mod feeds;
mod tail;

use std::path::PathBuf;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

use crate::house::House;
use crate::settings::{Place, Settings};

pub(crate) use commit::{commit, run};
pub(crate) use door::{Doorstep, Pushing};
pub(crate) use feeds::{Feeds, Seen, look};
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

/// Opens the log beside a lake that is held for writing.
pub(crate) async fn open(
    place: &Place,
    settings: &Settings,
    lake: &lake::Lake,
    pipelines: &[schema::Pipeline],
    metrics: &Arc<serve::Metrics>,
) -> anyhow::Result<wal::Log> {
    let mut committed = lake.position(crate::ingest::QUARANTINE, LOG_APP).await?.unwrap_or(0);
    for pipeline in pipelines {
        committed = committed.max(lake.position(&pipeline.raw_table(), LOG_APP).await?.unwrap_or(0));
    }
    let config = wal::Config { bytes_max: settings.stream.bytes_max.0, segment_bytes: settings.stream.segment_bytes.0 };
    let is_synced = matches!(settings.lake.durability, crate::settings::Durability::Fsync);
    let folder = folder(place);
    let disk = wal::LocalDisk::new(&folder, is_synced);
    let disk = disk.map_err(|source| wal::Error::Io { action: "make", path: folder.clone(), source })?;
    let metrics = metrics.clone();
    let disk = disk.timed(move |took| metrics.synced(took));
    let log = wal::Log::open_on(Arc::new(disk), config, committed)?;
    for cut in log.cuts() {
        eprintln!(
            "日志末尾有未完成的写入（未曾应答），已截去 {} 字节 / the log ended in a write that nobody was answered for: {} bytes of {} were cut off",
            cut.bytes,
            cut.bytes,
            cut.path.display()
        );
    }
    Ok(log)
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
    /// The pipeline of a name, if rows may be pushed to it.
    fn pushed_to(&self, name: &str) -> Option<&schema::Pipeline> {
        self.project.pipelines.iter().find(|it| it.name() == name && it.pipeline.push)
    }
}
