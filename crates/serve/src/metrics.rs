//! Figures about the platform's own running, for a monitor (Prometheus, 运行指标). Nobody is in them: labels are names of
//! pipelines, routes, reasons and states, never of a person, a device or an account.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State as Shared};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use opentelemetry::trace::FutureExt as _;
use parking_lot::Mutex;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::pipelines::{Failure, Operation, Ticked};
use crate::state::State;
use crate::traces;

type Labels<const N: usize> = [(&'static str, String); N];
type Figure = Gauge<f64, AtomicU64>;

const MINUTE: Duration = Duration::from_secs(60);
/// Minutes that the throughput of the last hour is counted in.
const MINUTES: u64 = 60;

/// Counts and times of this process; one a process, shared by everything that runs in it.
pub struct Metrics {
    registry: Registry,
    began: Instant,
    requests: Family<Labels<3>, Counter>,
    request_seconds: Histogram,
    taken_rows: Family<Labels<1>, Counter>,
    taken_bytes: Family<Labels<1>, Counter>,
    sync_seconds: Histogram,
    commit_seconds: Histogram,
    commit_failures: Counter,
    tick_seconds: Histogram,
    tick_rows: Family<Labels<1>, Counter>,
    tick_failures: Counter,
    merged_files: Family<Labels<1>, Counter>,
    rows: Family<Labels<2>, Counter>,
    spans: Family<Labels<1>, Counter>,
    waiting: Family<Labels<2>, Figure>,
    lag_seconds: Family<Labels<2>, Figure>,
    failing: Family<Labels<1>, Figure>,
    log_bytes: Figure,
    log_bytes_max: Figure,
    log_rows: Figure,
    disk_free_bytes: Figure,
    streams: Figure,
    hour: Mutex<HashMap<String, VecDeque<Minute>>>,
    failures: Mutex<BTreeMap<String, Failure>>,
    last_tick: Mutex<Option<Ticked>>,
}

/// What came in one minute.
#[derive(Debug, Clone, Copy, Default)]
struct Minute {
    number: u64,
    rows: u64,
    bytes: u64,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Figures that begin at nothing.
    pub fn new() -> Self {
        // From a tenth of a millisecond to half a minute: a sync of a good disk, and a commit behind a full one.
        let seconds = || Histogram::new([0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0]);
        let mut it = Self {
            registry: Registry::with_prefix("yizhan"),
            began: Instant::now(),
            requests: Family::default(),
            request_seconds: seconds(),
            taken_rows: Family::default(),
            taken_bytes: Family::default(),
            sync_seconds: seconds(),
            commit_seconds: seconds(),
            commit_failures: Counter::default(),
            tick_seconds: seconds(),
            tick_rows: Family::default(),
            tick_failures: Counter::default(),
            merged_files: Family::default(),
            rows: Family::default(),
            spans: Family::default(),
            waiting: Family::default(),
            lag_seconds: Family::default(),
            failing: Family::default(),
            log_bytes: Figure::default(),
            log_bytes_max: Figure::default(),
            log_rows: Figure::default(),
            disk_free_bytes: Figure::default(),
            streams: Figure::default(),
            hour: Mutex::default(),
            failures: Mutex::default(),
            last_tick: Mutex::default(),
        };
        let to = &mut it.registry;
        to.register("requests", "Requests by route, method and status", it.requests.clone());
        to.register_with_unit("request", "Time until an answer began", Unit::Seconds, it.request_seconds.clone());
        to.register("taken_rows", "Rows that came through a door since the start, refused ones too", it.taken_rows.clone());
        to.register_with_unit("taken", "The same, as they lie in memory", Unit::Bytes, it.taken_bytes.clone());
        to.register_with_unit("log_sync", "Syncs of the log of pushed events", Unit::Seconds, it.sync_seconds.clone());
        to.register_with_unit("commit", "Commits of the log into the lake", Unit::Seconds, it.commit_seconds.clone());
        to.register("commit_failures", "Commits that failed", it.commit_failures.clone());
        to.register_with_unit("tick", "Builds of live tables while a day goes on", Unit::Seconds, it.tick_seconds.clone());
        to.register("tick_rows", "Rows that they wrote, by table", it.tick_rows.clone());
        to.register("tick_failures", "Such builds that failed", it.tick_failures.clone());
        to.register("merged_files", "Small files that became larger ones, by table", it.merged_files.clone());
        to.register("rows", "Rows of files and of what was pushed, by what became of them", it.rows.clone());
        to.register("trace_spans", "Spans for the collector of traces, by what became of them", it.spans.clone());
        to.register("quarantine_rows", "Rows that wait in quarantine, by reason", it.waiting.clone());
        to.register_with_unit(
            "lag",
            "Now less the newest occurred_at and known_at of a source",
            Unit::Seconds,
            it.lag_seconds.clone(),
        );
        to.register("pipeline_failing", "1 while the last thing that a source did was to fail", it.failing.clone());
        to.register_with_unit("log_held", "Log of pushed events that no table has yet", Unit::Bytes, it.log_bytes.clone());
        to.register_with_unit(
            "log_held_max",
            "High-water mark, above which senders are asked to wait",
            Unit::Bytes,
            it.log_bytes_max.clone(),
        );
        to.register("log_rows", "Rows of the log that no table has yet", it.log_rows.clone());
        to.register_with_unit("disk_free", "Room on the disk of the data folder", Unit::Bytes, it.disk_free_bytes.clone());
        to.register("live_streams", "Streams of live updates that are open", it.streams.clone());
        it
    }

    /// Counts what came through a door.
    pub fn took(&self, pipeline: &str, rows: u64, bytes: u64) {
        let label = [("pipeline", pipeline.to_owned())];
        self.taken_rows.get_or_create(&label).inc_by(rows);
        self.taken_bytes.get_or_create(&label).inc_by(bytes);
        let number = self.minute();
        let mut hour = self.hour.lock();
        let minutes = hour.entry(pipeline.to_owned()).or_default();
        forget(minutes, number);
        match minutes.back_mut().filter(|it| it.number == number) {
            Some(minute) => {
                minute.rows += rows;
                minute.bytes += bytes;
            }
            None => minutes.push_back(Minute { number, rows, bytes }),
        }
    }

    /// Rows and bytes that came to a pipeline in the last hour, as far as this process took them.
    pub fn last_hour(&self, pipeline: &str) -> (u64, u64) {
        let number = self.minute();
        let mut hour = self.hour.lock();
        let Some(minutes) = hour.get_mut(pipeline) else { return (0, 0) };
        forget(minutes, number);
        minutes.iter().fold((0, 0), |sum, it| (sum.0 + it.rows, sum.1 + it.bytes))
    }

    fn minute(&self) -> u64 {
        self.began.elapsed().as_secs() / MINUTE.as_secs()
    }

    /// Notes how long a sync of the log took.
    pub fn synced(&self, took: Duration) {
        self.sync_seconds.observe(took.as_secs_f64());
    }

    /// Notes how long a commit of the log took.
    pub fn committed(&self, took: Duration) {
        self.commit_seconds.observe(took.as_secs_f64());
    }

    /// Notes what a tick built.
    pub fn ticked(&self, tick: Ticked) {
        self.tick_seconds.observe(tick.seconds);
        for (table, rows) in &tick.tables {
            self.tick_rows.get_or_create(&[("table", table.clone())]).inc_by(u64::try_from(*rows).unwrap_or(0));
        }
        *self.last_tick.lock() = Some(tick);
    }

    /// Counts a tick that failed.
    pub fn tick_failed(&self) {
        self.tick_failures.inc();
    }

    /// Counts small files of a table that became larger ones.
    pub fn merged(&self, table: &str, files: usize) {
        if 0 < files {
            self.merged_files.get_or_create(&[("table", table.to_owned())]).inc_by(files as u64);
        }
    }

    /// The last tick that built something.
    pub fn last_tick(&self) -> Option<Ticked> {
        self.last_tick.lock().clone()
    }

    /// Counts spans that a collector of traces took (`sent`), and those that it did not (`lost`).
    pub fn spans(&self, outcome: &'static str, n: u64) {
        self.spans.get_or_create(&[("outcome", outcome.to_owned())]).inc_by(n);
    }

    /// Notes that something failed: a pipeline by its name, the commit of the log under an empty one. It is shown until
    /// [`Metrics::mended`] says otherwise, with the instant at which it began.
    pub fn failed(&self, what: &str, failure: Failure) {
        if what.is_empty() {
            self.commit_failures.inc();
        }
        let mut failures = self.failures.lock();
        let since_us = failures.get(what).map_or(failure.since_us, |it| it.since_us);
        failures.insert(what.to_owned(), Failure { since_us, ..failure });
    }

    /// Notes that what failed works again.
    pub fn mended(&self, what: &str) {
        self.failures.lock().remove(what);
    }

    /// What a pipeline, or the commit of the log, fails at now.
    pub fn failure(&self, what: &str) -> Option<Failure> {
        self.failures.lock().get(what).cloned()
    }

    /// All that fails now, by pipeline; the commit of the log under the empty name.
    pub fn failures(&self) -> BTreeMap<String, Failure> {
        self.failures.lock().clone()
    }

    /// Counts a request that was answered.
    fn answered(&self, method: &Method, route: &str, status: u16, took: Duration) {
        let labels = [("method", named(method).to_owned()), ("route", route.to_owned()), ("status", status.to_string())];
        self.requests.get_or_create(&labels).inc();
        self.request_seconds.observe(took.as_secs_f64());
    }

    /// All of it as text, with what the sources are like now.
    pub(crate) fn text(&self, operation: &Operation, streams: usize) -> Result<String, fmt::Error> {
        self.streams.set(streams as f64);
        self.log_bytes.set(operation.log_bytes as f64);
        self.log_bytes_max.set(operation.log_bytes_max as f64);
        self.log_rows.set(operation.log_rows as f64);
        self.disk_free_bytes.set(operation.disk_free_bytes.map_or(f64::NAN, |it| it as f64));
        // A reason of which no row waits any more is 0 and no old figure.
        self.waiting.clear();
        self.lag_seconds.clear();
        for it in &operation.pipelines {
            let name = || ("pipeline", it.pipeline.clone());
            for (clock, newest_us) in [("occurred_at", it.occurred_us), ("known_at", it.known_us)] {
                if let Some(newest_us) = newest_us {
                    let lag = self.lag_seconds.get_or_create_owned(&[name(), ("clock", clock.to_owned())]);
                    lag.set((operation.now_us - newest_us) as f64 / 1e6);
                }
            }
            let counts = &it.counts;
            for (outcome, n) in [
                ("kept", counts.rows_kept),
                ("quarantined", counts.rows_quarantined),
                ("skipped", counts.rows_skipped),
                // Whose rows these were is nobody's business, and that some were dropped is the auditor's.
            ] {
                let counter = self.rows.get_or_create_owned(&[name(), ("outcome", outcome.to_owned())]);
                // The store counts; here it is only repeated, and never less than before.
                counter.inner().fetch_max(u64::try_from(n).unwrap_or(0), Ordering::Relaxed);
            }
            for waiting in &it.waiting {
                let figure = self.waiting.get_or_create_owned(&[name(), ("reason", waiting.reason.clone())]);
                figure.set(waiting.rows as f64);
            }
            self.failing.get_or_create_owned(&[name()]).set(if it.failure.is_some() { 1.0 } else { 0.0 });
        }
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// What a stranger may write freely is no label: each would be a series of its own for ever.
fn named(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        _ => "other",
    }
}

fn forget(minutes: &mut VecDeque<Minute>, now: u64) {
    while minutes.front().is_some_and(|it| it.number + MINUTES <= now) {
        minutes.pop_front();
    }
}

/// Counts every request by the route that it met, and makes a span of it; files of the app are one route.
pub(crate) async fn count(Shared(state): Shared<State>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("app", MatchedPath::as_str).to_owned();
    let method = request.method().clone();
    let began = Instant::now();
    let traced = traces::begin(named(&method), &route, request.headers());
    let response = next.run(request).with_context(traced.clone()).await;
    let status = response.status().as_u16();
    traces::end(&traced, status);
    state.parts.metrics.answered(&method, &route, status, began.elapsed());
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipelines::{PipelineState, Waiting};

    fn operation() -> Operation {
        let gate = PipelineState {
            pipeline: "gate_event".to_owned(),
            occurred_us: Some(40_000_000),
            known_us: Some(70_000_000),
            counts: store::Counts { rows_in: 10, rows_kept: 7, rows_quarantined: 3, ..store::Counts::default() },
            waiting: vec![Waiting { reason: "time".to_owned(), rows: 3, last_hour: 1 }],
            ..PipelineState::default()
        };
        Operation { now_us: 100_000_000, log_bytes: 5, log_bytes_max: 50, pipelines: vec![gate], ..Operation::default() }
    }

    #[test]
    fn what_a_monitor_reads_is_whole_and_names_nobody() {
        let metrics = Metrics::new();
        metrics.took("gate_event", 10, 2_000);
        metrics.synced(Duration::from_millis(2));
        metrics.answered(&Method::POST, "/api/v1/events/{pipeline}", 202, Duration::from_millis(3));
        metrics.answered(&Method::from_bytes(b"BREW").expect("a method"), "app", 404, Duration::from_millis(3));
        let text = metrics.text(&operation(), 2).expect("text");
        for line in [
            "yizhan_lag_seconds{pipeline=\"gate_event\",clock=\"occurred_at\"} 60.0",
            "yizhan_lag_seconds{pipeline=\"gate_event\",clock=\"known_at\"} 30.0",
            "yizhan_rows_total{pipeline=\"gate_event\",outcome=\"quarantined\"} 3",
            "yizhan_quarantine_rows{pipeline=\"gate_event\",reason=\"time\"} 3.0",
            "yizhan_taken_bytes_total{pipeline=\"gate_event\"} 2000",
            "yizhan_log_held_bytes 5.0",
            "yizhan_log_held_max_bytes 50.0",
            "yizhan_log_sync_seconds_count 1",
            "yizhan_live_streams 2.0",
            "yizhan_requests_total{method=\"POST\",route=\"/api/v1/events/{pipeline}\",status=\"202\"} 1",
            "yizhan_requests_total{method=\"other\",route=\"app\",status=\"404\"} 1",
        ] {
            assert!(text.lines().any(|it| it == line), "{line} is missing in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"), "{text}");
    }

    #[test]
    fn a_tick_is_timed_counted_by_table_and_remembered() {
        let metrics = Metrics::new();
        assert_eq!(metrics.last_tick(), None);
        let tick =
            Ticked { at_us: 7, seconds: 0.2, tables: vec![("list_gate_crowd".to_owned(), 3), ("safety_passage".to_owned(), 0)] };
        metrics.ticked(tick.clone());
        metrics.tick_failed();
        assert_eq!(metrics.last_tick(), Some(tick));
        let text = metrics.text(&operation(), 0).expect("text");
        for line in
            ["yizhan_tick_seconds_count 1", "yizhan_tick_rows_total{table=\"list_gate_crowd\"} 3", "yizhan_tick_failures_total 1"]
        {
            assert!(text.lines().any(|it| it == line), "{line} is missing in\n{text}");
        }
    }

    #[test]
    fn a_reason_of_which_no_row_waits_is_gone() {
        let metrics = Metrics::new();
        let mut operation = operation();
        assert!(metrics.text(&operation, 0).expect("text").contains("reason=\"time\""));
        operation.pipelines[0].waiting.clear();
        assert!(!metrics.text(&operation, 0).expect("text").contains("reason=\"time\""));
    }

    #[test]
    fn the_last_hour_forgets_what_is_older() {
        let mut minutes: VecDeque<Minute> = (0..70).map(|number| Minute { number, rows: 1, bytes: 10 }).collect();
        forget(&mut minutes, 69);
        assert_eq!((minutes.len(), minutes.front().map(|it| it.number)), (60, Some(10)));
        let metrics = Metrics::new();
        assert_eq!(metrics.last_hour("gate_event"), (0, 0));
        metrics.took("gate_event", 3, 30);
        metrics.took("gate_event", 4, 40);
        assert_eq!(metrics.last_hour("gate_event"), (7, 70));
    }

    #[test]
    fn a_failure_says_since_when_until_it_is_mended() {
        let metrics = Metrics::new();
        let failure = |since_us, text: &str| Failure {
            since_us,
            zh: text.to_owned(),
            en: text.to_owned(),
            todo_zh: String::new(),
            todo_en: String::new(),
        };
        metrics.failed("gate_event", failure(10, "first"));
        metrics.failed("gate_event", failure(20, "second"));
        assert_eq!(metrics.failure("gate_event"), Some(failure(10, "second")));
        metrics.mended("gate_event");
        assert_eq!(metrics.failure("gate_event"), None);
    }
}
