//! How the sources stand: for the page of pipelines, for a monitor, for `yizhan doctor`.
//!
//! Works inside the server and beside it, for it only reads. What of a table changes with its version only is kept.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use async_trait::async_trait;
use schema::{Pipeline, SourceKind};
use serve::{Failure, Operation, PipelineState, Pipelines, Waiting};
use wal::Kept;

use super::{LOG_APP, Note, Stuck, is_disk_full};
use crate::house::House;
use crate::ingest::QUARANTINE;
use crate::replay::REPLAYED;

/// How long an answer serves everybody who asks: a page, its neighbours, a monitor. A word that sources changed ends it.
const FRESH: Duration = Duration::from_secs(5);
const HOUR_US: i64 = 3_600_000_000;

/// The newest instants of a table, and the version that they were read from.
#[derive(Debug, Clone, Default)]
struct Newest {
    id: String,
    version: i64,
    occurred_us: Option<i64>,
    known_us: Option<i64>,
}

/// Versions of the tables of refused rows, the part of an hour in which they were counted, and the counts.
type Refused = (Vec<Option<(String, i64)>>, i64, BTreeMap<String, Vec<Waiting>>);

/// The version of the table of deliveries, and the late rows that it counts, by source and day.
type Late = ((String, i64), HashMap<String, Vec<(i32, i64)>>);

/// What was looked up before.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    newest: HashMap<String, Newest>,
    waiting: Option<Refused>,
    late: Option<Late>,
}

/// Looks for the server, once for all who ask at the same time.
pub(crate) struct Feeds {
    house: Arc<House>,
    kept: tokio::sync::Mutex<(Seen, Option<(Instant, Operation)>)>,
}

impl Feeds {
    pub(crate) fn new(house: Arc<House>) -> Self {
        Self { house, kept: tokio::sync::Mutex::default() }
    }
}

#[async_trait]
impl Pipelines for Feeds {
    async fn look(&self) -> Result<Operation, String> {
        let mut kept = self.kept.lock().await;
        let (seen, last) = &mut *kept;
        let is_fresh = |it: &&(Instant, Operation)| it.0.elapsed() < FRESH && self.house.arrivals.is_fresh(it.0);
        if let Some((_, operation)) = last.as_ref().filter(is_fresh) {
            return Ok(operation.clone());
        }
        // What comes while it looks may be missed by it.
        let began = Instant::now();
        let operation = look(&self.house, seen).await.map_err(|error| format!("{error:#}"))?;
        *last = Some((began, operation.clone()));
        Ok(operation)
    }
}

/// How everything stands now.
pub(crate) async fn look(house: &House, seen: &mut Seen) -> anyhow::Result<Operation> {
    // First the log, then the tables: what a commit moves in between stands in both and is left out of the first.
    let tail = tail(house).await?;
    let now_us = now_us(house).await?;
    let mut waiting = refused_rows(house, seen).await?;
    let late = late_rows(house, seen).await?;
    let pushed: HashMap<String, store::Counts> =
        house.store.pushes().counts().await?.into_iter().map(|it| (it.pipeline, it.counts)).collect();
    let mut operation = Operation {
        now_us,
        log_bytes: house.log.as_ref().map_or_else(|| tail.iter().map(|it| it.bytes).sum(), |it| it.held()),
        log_bytes_max: house.settings.stream.bytes_max.0,
        commit_seconds: house.settings.stream.commit_seconds,
        disk_free_bytes: tokio::task::block_in_place(|| crate::disk::free_bytes(&house.place.data)),
        failure: house.metrics.failure(""),
        tick: house.metrics.last_tick(),
        ..Operation::default()
    };
    for pipeline in &house.project.pipelines {
        let name = pipeline.name();
        let mut state = told(house, pipeline);
        if let Some(snapshot) = house.lake.snapshot(&pipeline.raw_table()).await? {
            state.rows = snapshot.rows();
            // Compaction writes files anew, and says nothing of the clock.
            let files_us = || snapshot.files.iter().map(|it| it.modified_ms * 1_000).max();
            state.committed_us = crate::known::said(&snapshot).or_else(files_us);
            let newest = newest(house, snapshot, seen).await?;
            (state.occurred_us, state.known_us) = (newest.occurred_us, newest.known_us);
        }
        let done = house.lake.position(&pipeline.raw_table(), LOG_APP).await?.unwrap_or(0);
        for kept in tail.iter().filter(|it| done < it.position && it.frame.pipeline == name) {
            let note = Note::of(&kept.frame)?;
            operation.log_oldest_us = Some(operation.log_oldest_us.map_or(note.at_us, |it| it.min(note.at_us)));
            state.known_us = state.known_us.max(Some(note.at_us));
            // The first holds what was refused.
            for batch in kept.frame.batches.iter().skip(1) {
                operation.log_rows += batch.num_rows() as u64;
                state.occurred_us = state.occurred_us.max(latest(batch, "occurred_at"));
            }
        }
        let mut counts = house.store.files().totals(name).await?;
        if let Some(it) = pushed.get(name) {
            counts.rows_in += it.rows_in;
            counts.rows_kept += it.rows_kept;
            counts.rows_quarantined += it.rows_quarantined;
            counts.rows_skipped += it.rows_skipped;
            counts.rows_erased += it.rows_erased;
        }
        state.counts = counts;
        if state.failure.is_none() {
            state.failure =
                house.store.files().newest_refused(name).await?.map(|(_, _, since_us)| refused(since_us.unwrap_or(now_us)));
        }
        state.waiting = waiting.remove(name).unwrap_or_default();
        state.late = late.get(name).cloned().unwrap_or_default();
        operation.pipelines.push(state);
    }
    operation.pipelines.sort_by(|a, b| a.pipeline.cmp(&b.pipeline));
    Ok(operation)
}

/// What contract and process say of a pipeline, before anything is read.
fn told(house: &House, pipeline: &Pipeline) -> PipelineState {
    let name = pipeline.name();
    let first = match pipeline.pipeline.source.kind {
        SourceKind::Files => "files",
        SourceKind::Postgres => "database",
        SourceKind::Outbox => "platform",
    };
    let push = pipeline.pipeline.push.then_some("push");
    let (hour_rows, hour_bytes) = house.metrics.last_hour(name);
    PipelineState {
        pipeline: name.to_owned(),
        about_zh: pipeline.pipeline.said_zh().to_owned(),
        about_en: pipeline.pipeline.about.clone(),
        owner: pipeline.pipeline.owner.clone(),
        is_event: pipeline.is_event(),
        doors: [Some(first), push].into_iter().flatten().map(str::to_owned).collect(),
        usual_delay_us: pipeline.contract.usual_delay.micros(),
        reject_share_max: pipeline.contract.reject_share_max,
        hour_rows,
        hour_bytes,
        failure: house.metrics.failure(name),
        ..PipelineState::default()
    }
}

/// A file that was refused whole, as the register of files remembers it.
///
/// Neither its name nor why is told here: both may quote somebody's number.
fn refused(since_us: i64) -> Failure {
    Failure {
        since_us,
        zh: "最新的文件整份被拒，原因见 yizhan ingest 的输出".to_owned(),
        en: "the newest file was refused whole; `yizhan ingest` says why".to_owned(),
        todo_zh: "修正文件或约定后再次运行；它会取得新的编号".to_owned(),
        todo_en: "mend the file or the contract and run again; it takes a new number".to_owned(),
    }
}

/// The instant that sources are held against: where the data end on a fixed day, the end of that day.
async fn now_us(house: &House) -> anyhow::Result<i64> {
    if house.fixed_now_us.is_none() && house.settings.clock.now == crate::settings::Now::Data {
        let day = house.as_of_on().await?;
        return Ok(house.clock().day_start(day));
    }
    Ok(house.now_us())
}

async fn tail(house: &House) -> anyhow::Result<Vec<Arc<Kept>>> {
    if let Some(log) = &house.log {
        return Ok(log.tail());
    }
    let folder = super::folder(&house.place);
    Ok(tokio::task::spawn_blocking(move || wal::peek(&folder)).await??)
}

/// The newest instants of a version. Of events the newest day and the days of the last commit are read, for known_at never
/// decreases and later days have later facts.
async fn newest(house: &House, snapshot: lake::Snapshot, seen: &mut Seen) -> anyhow::Result<Newest> {
    if let Some(it) = seen.newest.get(&snapshot.table).filter(|it| it.id == snapshot.id && it.version == snapshot.version) {
        return Ok(it.clone());
    }
    let last = snapshot.files.iter().max_by_key(|it| it.modified_ms).and_then(|it| it.partition);
    let newest = snapshot.files.iter().filter_map(|it| it.partition).max();
    let days: BTreeSet<i32> = [last, newest].into_iter().flatten().collect();
    let dates: Vec<String> = days.iter().filter_map(|it| schema::time::days_date(*it)).map(|it| format!("DATE '{it}'")).collect();
    let days = if dates.is_empty() { String::new() } else { format!("WHERE occurred_on IN ({})", dates.join(", ")) };
    let (table, id, version) = (snapshot.table.clone(), snapshot.id.clone(), snapshot.version);
    let said_us = crate::known::said(&snapshot);
    let context = house.engine.context();
    context.register_table("found", house.engine.pin(snapshot)?)?;
    // What a first load assumes may lie ahead of every clock.
    let query = format!(
        "SELECT max(occurred_at) AS occurred_at, max(CASE WHEN NOT is_known_assumed THEN known_at END) AS known_at FROM found {days}"
    );
    let batches = context.sql(&query).await?.collect().await?;
    let at = |name: &str| batches.iter().filter_map(|it| latest(it, name)).max();
    // The days that the last commit wrote are not known any more once compaction has written others.
    let known_us = at("known_at").max(at("known_at").and(said_us));
    let it = Newest { id, version, occurred_us: at("occurred_at"), known_us };
    seen.newest.insert(table, it.clone());
    Ok(it)
}

/// The latest instant of a column.
fn latest(batch: &RecordBatch, column: &str) -> Option<i64> {
    let instants = batch.column_by_name(column)?.as_primitive_opt::<TimestampMicrosecondType>()?;
    instants.iter().flatten().max()
}

/// What waits in quarantine, counted anew when it changed; what is of the last hour is right to five minutes.
async fn refused_rows(house: &House, seen: &mut Seen) -> anyhow::Result<BTreeMap<String, Vec<Waiting>>> {
    let mut versions = Vec::new();
    for table in [QUARANTINE, REPLAYED] {
        versions.push(house.lake.snapshot(table).await?.map(|it| (it.id.clone(), it.version)));
    }
    let at_us = chrono::Utc::now().timestamp_micros();
    let part = at_us / (HOUR_US / 12);
    if let Some((_, _, found)) = seen.waiting.as_ref().filter(|it| it.0 == versions && it.1 == part) {
        return Ok(found.clone());
    }
    let found = waiting(house, at_us - HOUR_US).await?;
    seen.waiting = Some((versions, part, found.clone()));
    Ok(found)
}

/// Rows that wait in quarantine, by pipeline: those that no replay has brought in.
async fn waiting(house: &House, hour_us: i64) -> anyhow::Result<BTreeMap<String, Vec<Waiting>>> {
    let context = house.engine.context();
    let Some(refused) = house.engine.table(QUARANTINE).await? else { return Ok(BTreeMap::new()) };
    context.register_table("refused", refused)?;
    let join = match house.engine.table(REPLAYED).await? {
        Some(replayed) => {
            context.register_table("replayed", replayed)?;
            "LEFT JOIN replayed ON replayed.pipeline = refused.pipeline AND replayed.file_no = refused.file_no \
             AND replayed.row_no = refused.row_no WHERE replayed.outcome IS NULL"
        }
        None => "",
    };
    let query = format!(
        "SELECT refused.pipeline AS pipeline, refused.reason AS reason, count(*) AS rows_n, \
         sum(CASE WHEN CAST(refused.known_at AS BIGINT) >= {hour_us} THEN 1 ELSE 0 END) AS hour_n \
         FROM refused {join} GROUP BY refused.pipeline, refused.reason ORDER BY pipeline, reason"
    );
    let mut found: BTreeMap<String, Vec<Waiting>> = BTreeMap::new();
    for batch in context.sql(&query).await?.collect().await? {
        // Texts come as they lie in the files or as views of them.
        let text = |at: usize| arrow::compute::cast(batch.column(at), &arrow::datatypes::DataType::Utf8);
        let (pipelines, reasons) = (text(0)?, text(1)?);
        let (pipelines, reasons) = (pipelines.as_string::<i32>(), reasons.as_string::<i32>());
        let (rows, hours) = (batch.column(2).as_primitive::<Int64Type>(), batch.column(3).as_primitive::<Int64Type>());
        for row in 0..batch.num_rows() {
            let it = Waiting { reason: reasons.value(row).to_owned(), rows: rows.value(row), last_hour: hours.value(row) };
            found.entry(pipelines.value(row).to_owned()).or_default().push(it);
        }
    }
    Ok(found)
}

/// Rows that became known after their day had ended, as the last build of the table of deliveries counted them.
async fn late_rows(house: &House, seen: &mut Seen) -> anyhow::Result<HashMap<String, Vec<(i32, i64)>>> {
    const TABLE: &str = "quality_source_day";
    const DAYS: i32 = 14;
    let Some(snapshot) = house.lake.snapshot(TABLE).await? else { return Ok(HashMap::new()) };
    // A lake of before this count was kept has none until its next build.
    if snapshot.schema.field_with_name("after_end_n").is_err() {
        return Ok(HashMap::new());
    }
    let version = (snapshot.id.clone(), snapshot.version);
    if let Some((_, found)) = seen.late.as_ref().filter(|it| it.0 == version) {
        return Ok(found.clone());
    }
    let newest = snapshot.files.iter().filter_map(|it| it.partition).max().unwrap_or_default();
    let context = house.engine.context();
    context.register_table("found", house.engine.pin(snapshot)?)?;
    let query = format!(
        "SELECT source, arrow_cast(occurred_on, 'Int32') AS day, after_end_n FROM found \
         WHERE after_end_n > 0 AND arrow_cast(occurred_on, 'Int32') > {} ORDER BY source, day DESC",
        newest - DAYS
    );
    let mut found: HashMap<String, Vec<(i32, i64)>> = HashMap::new();
    for batch in context.sql(&query).await?.collect().await? {
        let sources = arrow::compute::cast(batch.column(0), &arrow::datatypes::DataType::Utf8)?;
        let sources = sources.as_string::<i32>();
        let (days, rows) = (batch.column(1).as_primitive::<Int32Type>(), batch.column(2).as_primitive::<Int64Type>());
        for row in 0..batch.num_rows() {
            found.entry(sources.value(row).to_owned()).or_default().push((days.value(row), rows.value(row)));
        }
    }
    seen.late = Some((version, found.clone()));
    Ok(found)
}

/// A commit of the log, timed, and remembered while it fails.
pub(super) async fn timed<T>(house: &House, commit: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    // A commit of nothing takes no time, and would hide the others among the figures.
    let has_rows = house.log.as_ref().is_some_and(|it| 0 < it.held());
    let began = Instant::now();
    let done = commit.await;
    match &done {
        Ok(_) => {
            house.metrics.mended("");
            if has_rows {
                house.metrics.committed(began.elapsed());
            }
        }
        Err(error) => {
            let (why_zh, why_en) = why(error);
            house.metrics.failed(
                "",
                Failure {
                    since_us: chrono::Utc::now().timestamp_micros(),
                    zh: format!("推送的数据未能写入数据湖：{why_zh}"),
                    en: format!("pushed rows could not be committed: {why_en}"),
                    todo_zh: "数据仍在日志中，未丢失；处理后会自动重试，每几秒一次".to_owned(),
                    todo_en: "they stay in the log and nothing is lost; mend it, and the next try comes within seconds"
                        .to_owned(),
                },
            );
        }
    }
    done
}

/// Remembers of which pipelines the rows stay in the log, and forgets those whose rows do no longer.
pub(super) fn remember(house: &House, stuck: &[Stuck], failing: &mut BTreeSet<String>) {
    let since_us = chrono::Utc::now().timestamp_micros();
    let now: BTreeSet<String> = stuck.iter().map(|it| it.pipeline.clone()).collect();
    failing.difference(&now).for_each(|it| house.metrics.mended(it));
    for it in stuck {
        let failure = Failure {
            since_us,
            zh: it.zh.clone(),
            en: it.en.clone(),
            todo_zh: "数据仍在日志中，未丢失；处理后会自动写入".to_owned(),
            todo_en: "the rows stay in the log and nothing is lost; they go in once it is mended".to_owned(),
        };
        house.metrics.failed(&it.pipeline, failure);
    }
    *failing = now;
}

/// What an error says to whoever operates the platform: a full disk by its name, everything else in its own words.
fn why(error: &anyhow::Error) -> (String, String) {
    if is_disk_full(error) {
        return ("磁盘已满".to_owned(), "the disk is full".to_owned());
    }
    let text = format!("{error:#}");
    (text.clone(), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_called_so_however_deep_it_lies() {
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        let error = anyhow::Error::new(full).context("could not write a file").context("raw_gate_event");
        assert_eq!(why(&error), ("磁盘已满".to_owned(), "the disk is full".to_owned()));
        let other = anyhow::anyhow!("it is gone").context("raw_gate_event");
        assert_eq!(why(&other).1, "raw_gate_event: it is gone");
    }

    #[test]
    fn the_latest_instant_passes_over_what_is_missing() {
        let instants = arrow::array::TimestampMicrosecondArray::from(vec![Some(3), None, Some(7), Some(5)]);
        let batch = RecordBatch::try_from_iter([("occurred_at", Arc::new(instants) as arrow::array::ArrayRef)]).expect("a batch");
        assert_eq!(latest(&batch, "occurred_at"), Some(7));
        assert_eq!(latest(&batch, "known_at"), None);
    }
}
