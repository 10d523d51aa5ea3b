//! Plays exports of a synthetic campus into the door for pushed events, in the order in which they happened, only faster.
//!
//! Time is moved by whole weeks, so that the last event lies just before now and every event keeps its weekday. What is
//! played are the sources whose contract lets events be pushed and whose files are lines of JSON with instants as numbers:
//! gates and their signs of life.

mod bus;

use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use schema::{ColumnType, EpochUnit, Format, Pipeline};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::exit::Caller;
use bus::Bus;

const WEEK_MS: i64 = 7 * 86_400_000;
/// Events of one request.
const BATCH_MAX: usize = 500;
/// Real time between two looks at what is due.
const TICK: Duration = Duration::from_millis(200);
/// The door is asked again for as long: a server may be restarted under a campus that goes on.
const PATIENCE: Duration = Duration::from_secs(120);

/// Where to play, and how fast.
#[derive(Debug, Clone)]
pub(crate) struct Stage {
    /// Address of the server.
    pub(crate) url: String,
    /// Token of a group that may push to the sources played.
    pub(crate) token: String,
    /// Simulated seconds in a real one; 0 is as fast as the door takes it.
    pub(crate) speed: f64,
    /// Where events go at a broker; as is usual there if it is not said.
    pub(crate) topic: Option<String>,
}

/// What was played.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Played {
    pub(crate) events: u64,
    pub(crate) kept: u64,
    pub(crate) quarantined: u64,
    pub(crate) skipped: u64,
    pub(crate) requests: u64,
    /// Times that the door asked to wait or did not answer.
    pub(crate) waits: u64,
}

/// An event and the instant at which its device sends it.
struct Due {
    at_ms: i64,
    pipeline: usize,
    event: Map<String, Value>,
}

/// Whether a source can be played, and the columns that hold instants in milliseconds.
fn instants(pipeline: &Pipeline) -> Option<Vec<&str>> {
    let occurred = pipeline.contract.occurred_at.as_ref()?;
    let is_numbered = occurred.as_ == Some(EpochUnit::EpochMs);
    let has_texts = pipeline.columns.iter().any(|(_, it)| matches!(it.type_, ColumnType::Date | ColumnType::Timestamp));
    if !pipeline.pipeline.push || pipeline.bytes_format() != Format::Jsonl || !is_numbered || has_texts {
        return None;
    }
    let is_instant = |name: &str, unit: Option<&str>| name == occurred.column || unit == Some("ms");
    let named = pipeline.columns.iter().filter(|(name, it)| is_instant(name, it.unit.as_deref()));
    Some(named.map(|(name, it)| it.head.as_deref().unwrap_or(name)).collect())
}

/// The sources that can be played.
pub(crate) fn playable(pipelines: &[Pipeline]) -> Vec<&Pipeline> {
    pipelines.iter().filter(|it| instants(it).is_some()).collect()
}

/// Plays the exports of a folder; `now_ms` is the instant before which they end.
pub(crate) fn play(folder: &Path, pipelines: &[Pipeline], stage: &Stage, now_ms: i64) -> anyhow::Result<Played> {
    let sources = playable(pipelines);
    let mut files = Vec::new();
    for (place, pipeline) in sources.iter().enumerate() {
        let found = ::ingest::files(folder, &pipeline.pipeline.source.path)?;
        files.extend(found.into_iter().enumerate().map(|(day, path)| (day, place, path)));
    }
    // Sources write a file a day, so the files of one number belong together.
    files.sort();
    let Some(last) = files.iter().map(|it| it.0).max() else {
        anyhow::bail!(Caller(format!("there are no events to play in {}", folder.display())));
    };
    let of_day = |day: usize| -> anyhow::Result<Vec<Due>> {
        let mut due = Vec::new();
        for (_, place, path) in files.iter().filter(|it| it.0 == day) {
            due.extend(read(path, *place, sources[*place])?);
        }
        due.sort_by_key(|it| (it.at_ms, it.pipeline));
        Ok(due)
    };
    let end_ms = of_day(last)?.last().map_or(now_ms, |it| it.at_ms);
    let shift_ms = (now_ms - end_ms).div_euclid(WEEK_MS) * WEEK_MS;
    let bus = Bus::of(stage)?;
    let mut player = Player { sources: &sources, stage, bus, played: Played::default(), run: now_ms };
    let mut begin: Option<(Instant, i64)> = None;
    for day in 0..=last {
        let mut due = of_day(day)?.into_iter().peekable();
        while let Some(first) = due.peek() {
            let (began, from_ms) = *begin.get_or_insert((Instant::now(), first.at_ms));
            let until_ms = match stage.speed {
                speed if speed <= 0.0 => i64::MAX,
                speed => from_ms + (began.elapsed().as_secs_f64() * 1_000.0 * speed) as i64,
            };
            let mut batches: Vec<Vec<Map<String, Value>>> = sources.iter().map(|_| Vec::new()).collect();
            let mut n = 0;
            while let Some(it) = due.next_if(|it| it.at_ms <= until_ms && n < BATCH_MAX) {
                batches[it.pipeline].push(moved(it.event, sources[it.pipeline], shift_ms));
                n += 1;
            }
            if n == 0 {
                std::thread::sleep(TICK);
            }
            for (place, batch) in batches.into_iter().enumerate().filter(|it| !it.1.is_empty()) {
                player.send(place, &batch)?;
            }
        }
    }
    Ok(player.played)
}

fn read(path: &Path, place: usize, pipeline: &Pipeline) -> anyhow::Result<Vec<Due>> {
    let failed = || format!("could not read {}", path.display());
    let file = std::fs::File::open(path).with_context(failed)?;
    let mut text = Vec::new();
    match path.extension().is_some_and(|it| it == "gz") {
        true => flate2::read::MultiGzDecoder::new(file).read_to_end(&mut text).with_context(failed)?,
        false => std::io::BufReader::new(file).read_to_end(&mut text).with_context(failed)?,
    };
    let names = instants(pipeline).unwrap_or_default();
    let mut due = Vec::new();
    let mut at_ms = i64::MIN;
    // A line that is no object cannot be moved in time; it is of the files, where the door has met it already.
    for event in text.split(|it| *it == b'\n').filter_map(|it| serde_json::from_slice::<Map<String, Value>>(it).ok()) {
        // The latest of its instants is when the device sent it; one without any comes with the one before.
        at_ms = names.iter().filter_map(|it| event.get(*it)?.as_i64()).max().unwrap_or(at_ms);
        due.push(Due { at_ms, pipeline: place, event });
    }
    Ok(due)
}

fn moved(mut event: Map<String, Value>, pipeline: &Pipeline, shift_ms: i64) -> Map<String, Value> {
    for name in instants(pipeline).unwrap_or_default() {
        if let Some(at) = event.get_mut(name)
            && let Some(ms) = at.as_i64()
        {
            *at = Value::from(ms + shift_ms);
        }
    }
    event
}

struct Player<'a> {
    sources: &'a [&'a Pipeline],
    stage: &'a Stage,
    /// The broker, if it is one that is played into.
    bus: Option<Bus>,
    played: Played,
    /// Tells the keys of this play from those of another.
    run: i64,
}

impl Player<'_> {
    /// Sends a batch until a broker has acknowledged it: it may come twice then, as it does from gates.
    fn send_to(&mut self, place: usize, batch: &[Map<String, Value>]) -> anyhow::Result<()> {
        let Some(bus) = &self.bus else { return Ok(()) };
        let began = Instant::now();
        self.played.requests += 1;
        loop {
            match bus.send(self.sources[place].name(), batch) {
                Ok(()) => {
                    self.played.events += batch.len() as u64;
                    return Ok(());
                }
                Err(error) if error.is::<Caller>() => return Err(error),
                Err(error) if PATIENCE < began.elapsed() => return Err(error.context("the broker does not answer")),
                Err(_) => {}
            }
            self.played.waits += 1;
            std::thread::sleep(Duration::from_secs(1));
        }
    }

    /// Sends a batch until the door has answered for it.
    fn send(&mut self, place: usize, batch: &[Map<String, Value>]) -> anyhow::Result<()> {
        if self.bus.is_some() {
            return self.send_to(place, batch);
        }
        let name = self.sources[place].name();
        let body = serde_json::to_string(batch)?;
        let key = format!("live-{}-{}", self.run, self.played.requests);
        self.played.requests += 1;
        let began = Instant::now();
        loop {
            let asked = ureq::post(format!("{}/api/v1/events/{name}", self.stage.url.trim_end_matches('/')))
                .config()
                .http_status_as_error(false)
                .timeout_global(Some(Duration::from_secs(60)))
                .build()
                .header("authorization", format!("Bearer {}", self.stage.token))
                .header("content-type", "application/json")
                .header("idempotency-key", &key)
                .send(body.as_str());
            let mut pause = Duration::from_secs(1);
            match asked {
                Ok(mut answer) => {
                    let status = answer.status().as_u16();
                    let after = answer.headers().get("retry-after").and_then(|it| it.to_str().ok()?.parse().ok());
                    let text = answer.body_mut().read_to_string().unwrap_or_default();
                    match status {
                        202 => {
                            let told: Value = serde_json::from_str(&text).context("the door's answer is unreadable")?;
                            let n = |name: &str| told[name].as_u64().unwrap_or(0);
                            self.played.events += n("rows_in");
                            self.played.kept += n("rows_kept");
                            self.played.quarantined += n("rows_quarantined");
                            self.played.skipped += n("rows_skipped");
                            return Ok(());
                        }
                        429 | 503 | 507 => pause = after.map_or(pause, Duration::from_secs),
                        _ => anyhow::bail!(Caller(format!("the door refused events of {name} ({status}): {text}"))),
                    }
                }
                Err(error) if PATIENCE < began.elapsed() => {
                    return Err(anyhow::Error::new(error).context("the server does not answer"));
                }
                Err(_) => {}
            }
            anyhow::ensure!(began.elapsed() < PATIENCE * 5, "the door takes no events of {name}: is its disk full?");
            self.played.waits += 1;
            std::thread::sleep(pause);
        }
    }
}
