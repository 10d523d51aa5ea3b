//! Upkeep of a table: merge small files, write checkpoints, remove what nobody can reach any more.
//!
//! One actor a table: the lake's lock keeps other processes out, and whoever schedules upkeep in this one runs it
//! once at a time. Appends and replacements may go on beside it.

use chrono::Utc;
use deltalake::checkpoints::cleanup_expired_logs_for;

use crate::checkpoint::INTERVAL;
use crate::error::Error;
use crate::lake::{Lake, Slot};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// A day more than files stay that left the table: the entries of a week explain them.
const KEEP_LOG_MIN_MS: i64 = 8 * DAY_MS;

/// How a table is kept.
#[derive(Debug, Clone)]
pub struct Upkeep {
    /// Small files a partition may have before they are merged.
    pub small_files_max: usize,
    /// A file below this many bytes is small.
    pub small_file_bytes: u64,
    /// Bytes of one merge at most, compressed; the rows of a merge are in memory at once.
    pub merge_bytes_max: u64,
    /// Only days before this one are merged, in days since 1970: an open day gets more files anyway.
    pub before_day: Option<i32>,
    /// How long a file stays after it left the table, for readers of older versions; 7 days at least.
    pub keep_removed_ms: i64,
    /// How long a file that was staged may wait for its commit; one day at least.
    pub keep_staged_ms: i64,
    /// How long a log entry stays, as far as a checkpoint covers it; 8 days at least. What a derived table has not read
    /// by then it rebuilds, and what left the table before then is not told any more.
    pub keep_log_ms: i64,
    /// Whether what nobody can reach any more is removed. That reads the whole log and lists all files, and once a day will do.
    pub is_swept: bool,
    /// What time it is, in milliseconds since 1970.
    pub now_ms: i64,
}

impl Default for Upkeep {
    /// What suits a table that gets a commit every 30 seconds, at the present time.
    fn default() -> Self {
        Upkeep {
            small_files_max: 8,
            small_file_bytes: 32 << 20,
            merge_bytes_max: 256 << 20,
            before_day: None,
            keep_removed_ms: 7 * DAY_MS,
            keep_staged_ms: DAY_MS,
            // As long as the table's `delta.logRetentionDuration`.
            keep_log_ms: 30 * DAY_MS,
            is_swept: true,
            now_ms: Utc::now().timestamp_millis(),
        }
    }
}

/// What upkeep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UpkeepReport {
    /// Partitions whose small files became one.
    pub partitions_compacted: usize,
    /// Files that were merged away.
    pub files_compacted: usize,
    /// Whether a checkpoint was written.
    pub is_checkpointed: bool,
    /// Checkpoints removed because another stands in for them.
    pub checkpoints_removed: usize,
    /// Files removed from the disk.
    pub files_removed: usize,
    /// Their bytes.
    pub bytes_removed: u64,
    /// Log files removed from the disk.
    pub log_files_removed: usize,
}

impl Lake {
    /// Keeps a table in order; a table that does not exist is.
    ///
    /// # Errors
    /// [`Error::RowsLost`] if a merge would have changed the number of rows, or the disk refuses.
    pub async fn upkeep(&self, table: &str, upkeep: Upkeep) -> Result<UpkeepReport, Error> {
        self.writable(table)?;
        let slot = self.slot(table)?;
        let mut report = UpkeepReport::default();
        if slot.refreshed().await?.is_none() {
            return Ok(report);
        }
        let compacted = self.compact(&slot, &upkeep).await?;
        report.partitions_compacted = compacted.partitions;
        report.files_compacted = compacted.files_before;

        let version = slot.refreshed().await?.as_ref().map_or(-1, |it| it.version);
        if INTERVAL <= version - self.checkpointed(&slot)? {
            self.checkpoint(&slot, version).await?;
            report.is_checkpointed = true;
        }
        report.checkpoints_removed = self.thin_checkpoints(&slot, upkeep.now_ms)?;
        if !upkeep.is_swept {
            return Ok(report);
        }
        let removed_before_ms = upkeep.now_ms - upkeep.keep_removed_ms.max(7 * DAY_MS);
        let staged_before_ms = upkeep.now_ms - upkeep.keep_staged_ms.max(DAY_MS);
        let swept = self.vacuum(&slot, removed_before_ms, staged_before_ms).await?;
        report.files_removed = swept.files;
        report.bytes_removed = swept.bytes;
        report.log_files_removed = clean_log(&slot, version, upkeep.now_ms - upkeep.keep_log_ms.max(KEEP_LOG_MIN_MS)).await?;
        Ok(report)
    }
}

/// Removes log entries written before an instant, as far as a checkpoint covers them.
async fn clean_log(slot: &Slot, version: i64, written_before_ms: i64) -> Result<usize, Error> {
    let version = u64::try_from(version).unwrap_or_default();
    let cleaned = cleanup_expired_logs_for(version, slot.log.as_ref(), written_before_ms, None).await;
    cleaned.map_err(Error::delta("clean the log of", &slot.table))
}
