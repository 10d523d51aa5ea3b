//! A project opened: settings, files, store, lake and engine wired together.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use chrono::{DateTime, Utc};
use engine::Engine;
use lake::Lake;
use schema::time::CampusClock;
use store::Store;
use transform::{Builder, Graph};

use crate::known::{self, KnownClock, Reading};
use crate::project::Project;
use crate::settings::{Durability, Mint, Now, Place, Settings};
use crate::traces::Traces;

/// Everything that a command needs.
pub(crate) struct House {
    pub(crate) place: Place,
    pub(crate) settings: Settings,
    pub(crate) project: Project,
    pub(crate) graph: Graph,
    pub(crate) store: Store,
    pub(crate) lake: Lake,
    pub(crate) engine: Engine,
    /// The log of pushed events; open where the lake is held for writing.
    pub(crate) log: Option<Arc<wal::Log>>,
    /// One commit of the log at a time.
    pub(crate) committing: tokio::sync::Mutex<()>,
    /// Held of a pipeline while files or a replay come into its table: the log keeps its rows meanwhile, and nobody else's.
    pub(crate) meetings: HashMap<String, tokio::sync::Mutex<()>>,
    /// What open pages were told of live lists.
    pub(crate) held: crate::telling::Held,
    /// One pushed request a pipeline at a time, so that what is known of a table never goes back in time.
    pub(crate) lanes: HashMap<String, parking_lot::Mutex<()>>,
    /// What waits for somebody.
    pub(crate) streams: crate::stream::Streams,
    /// What came by the doors of the stream.
    pub(crate) arrivals: crate::stream::Arrivals,
    /// Dates what is taken.
    known: KnownClock,
    /// Counts and times of this process, for a monitor.
    pub(crate) metrics: Arc<serve::Metrics>,
    /// The way to a collector of traces; open where the lake is held for writing.
    pub(crate) traces: Option<Traces>,
    /// The instant given by `--now`, if any.
    pub(crate) fixed_now_us: Option<i64>,
}

/// Doubles of the file systems under lake and log, for a test that cuts the power.
pub(crate) type Disks = (Arc<dyn lake::Disk>, Arc<dyn wal::Disk>);

/// Whether a command writes to the lake, and so needs its lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Write,
    Read,
}

/// The store's file beside the data, or the address of the database that a variable holds: no password stands in a file.
fn store_path(place: &Place, settings: &Settings) -> anyhow::Result<PathBuf> {
    let name = &settings.store.url_env;
    if name.is_empty() {
        return Ok(place.data.join("store").join("yizhan.sqlite"));
    }
    match std::env::var(name) {
        Ok(url) if url.starts_with("postgres://") || url.starts_with("postgresql://") => Ok(PathBuf::from(url)),
        Ok(_) => anyhow::bail!(crate::exit::Caller(format!(
            "store.url_env names {name}, which holds no address of a PostgreSQL database: write postgres://user:password@host/database"
        ))),
        Err(_) => anyhow::bail!(crate::exit::Caller(format!("store.url_env names {name}, which is not set in the environment"))),
    }
}

impl House {
    /// Opens a project; with [`Access::Write`] as the one writer of its lake.
    pub(crate) async fn open(
        place: &Place,
        settings: Settings,
        access: Access,
        fixed_now_us: Option<i64>,
    ) -> anyhow::Result<Self> {
        Self::open_on(place, settings, access, fixed_now_us, None).await
    }

    /// The same on other file systems than the machine's, if `disks` names some.
    pub(crate) async fn open_on(
        place: &Place,
        settings: Settings,
        access: Access,
        fixed_now_us: Option<i64>,
        disks: Option<Disks>,
    ) -> anyhow::Result<Self> {
        let (lake_disk, log_disk) = disks.unzip();
        let project = Project::read(&place.project, &settings)?;
        let subject = project.models.iter().any(|it| it.name == settings.subject.table).then_some(&settings.subject);
        let graph = Graph::new(&project.pipelines, &project.models, subject)?;
        let config = |folder: &str| lake::Config {
            root: place.data.join(folder),
            durability: match settings.lake.durability {
                Durability::Fsync => lake::Durability::Fsync,
                Durability::Os => lake::Durability::Os,
            },
        };
        if access == Access::Write {
            crate::disk::private_folder(&place.data)?;
        }
        // The lock comes first: whoever does not get it touches nothing.
        let lake = match (access, lake_disk) {
            (Access::Write, Some(disk)) => Lake::open_on(config("lake").root, disk).await?,
            (Access::Write, None) => Lake::open(config("lake")).await?,
            (Access::Read, _) => Lake::open_read(config("lake")).await?,
        };
        let closed = match access {
            Access::Write => Some(Lake::open(config("closed")).await?),
            // A lake of before the closed compartment has none.
            Access::Read if !place.data.join("closed").exists() => None,
            Access::Read => Some(Lake::open_read(config("closed")).await?),
        };
        let store = Store::open(&store::Config {
            path: store_path(place, &settings)?,
            key_path: place.data.join("keys").join("vault.key"),
            mint: match settings.store.mint {
                Mint::Seed(seed) => store::Mint::Seeded(seed),
                Mint::Word(_) => store::Mint::Random,
            },
        })
        .await?;
        let metrics = Arc::new(serve::Metrics::new());
        let log = match access {
            Access::Write => Some(Arc::new(crate::stream::open(place, &settings, &lake, &store, &metrics, log_disk).await?)),
            Access::Read => None,
        };
        let traces = match access {
            Access::Write => Traces::start(&settings.trace.endpoint, &metrics)?,
            Access::Read => None,
        };
        let tail = crate::stream::Tail::new(log.clone(), crate::stream::folder(place), &project.pipelines);
        let engine = Engine::new(
            engine::Config {
                memory_bytes: usize::try_from(settings.engine.memory.0).unwrap_or(usize::MAX),
                partitions: Settings::cores(settings.engine.partitions),
                spill_dir: place.data.join("spill"),
            },
            lake.clone(),
            closed,
            settings.campus.clock(),
        )?
        .with_tails(Arc::new(tail));
        // Who says what time it is is taken at the word; the machine is not.
        let in_tables = match (&log, fixed_now_us) {
            (Some(_), None) => known::newest(&engine, &project.pipelines).await?,
            _ => known::Newest::default(),
        };
        let in_log = log.as_ref().map_or_else(|| Ok(known::Newest::default()), |it| crate::stream::newest(it))?;
        let meetings = project.pipelines.iter().map(|it| (it.name().to_owned(), tokio::sync::Mutex::default())).collect();
        let lanes = project.pipelines.iter().map(|it| (it.name().to_owned(), parking_lot::Mutex::new(()))).collect();
        Ok(Self {
            place: place.clone(),
            settings,
            project,
            graph,
            store,
            lake,
            engine,
            log,
            committing: tokio::sync::Mutex::default(),
            meetings,
            held: crate::telling::Held::default(),
            lanes,
            streams: crate::stream::Streams::default(),
            arrivals: crate::stream::Arrivals::default(),
            known: KnownClock::new(in_tables.or(in_log), fixed_now_us.is_some(), known::doubt_path(&place.data)),
            metrics,
            traces,
            fixed_now_us,
        })
    }

    /// The tables, planned and checked.
    pub(crate) async fn builder(&self) -> anyhow::Result<Builder<'_>> {
        Ok(Builder::new(&self.engine, &self.graph, &self.project.pipelines, self.building()).await?)
    }

    /// Those that one query needs.
    pub(crate) async fn builder_for(&self, query: &str) -> anyhow::Result<Builder<'_>> {
        Ok(Builder::for_query(&self.engine, &self.graph, &self.project.pipelines, self.building(), query).await?)
    }

    /// How tables are built.
    pub(crate) fn building(&self) -> transform::Config {
        transform::Config {
            chunk_rows: self.settings.transform.chunk_rows,
            as_of_days: self.settings.transform.as_of_days,
            warning: self.settings.warning.clone(),
        }
    }

    /// The instant that a write is dated with: `--now`, else the clock on the wall.
    pub(crate) fn now_us(&self) -> i64 {
        self.fixed_now_us.unwrap_or_else(|| Utc::now().timestamp_micros())
    }

    /// The instant by which rows are dated that are taken now: [`House::now_us`], but never before that of earlier rows.
    ///
    /// # Errors
    /// If the machine's clock leapt ahead: then nothing is taken.
    pub(crate) fn known_us(&self) -> Result<i64, known::Odd> {
        self.known.take(Reading::at(self.now_us()))
    }

    /// Rows were dated beyond the instant that was given out for them, up to this one.
    pub(crate) fn known_until(&self, known_us: i64) {
        self.known.reached(known_us);
    }

    /// What is odd about the machine's clock.
    pub(crate) fn odd_clock(&self) -> Option<known::Odd> {
        self.known.look(Reading::at(self.now_us()))
    }

    /// A leap of the machine's clock that is not believed: nothing is taken and nothing built meanwhile.
    pub(crate) fn leapt_clock(&self) -> Option<known::Odd> {
        self.odd_clock().filter(|it| matches!(it, known::Odd::Leapt { .. }))
    }

    pub(crate) fn clock(&self) -> CampusClock {
        self.settings.campus.clock()
    }

    /// The date as of which tables are built: the campus day of `now`, at whose beginning everything counts as known.
    pub(crate) async fn as_of_on(&self) -> anyhow::Result<i32> {
        let mut clock = self.clock();
        if let (None, Now::Data) = (self.fixed_now_us, self.settings.clock.now)
            && let Some(day) = self.newest_complete_day().await?
        {
            return Ok(day + 1);
        }
        Ok(clock.moment(self.now_us()).occurred_on)
    }

    /// The newest campus day after which another day has rows too; stray rows in the future do not count as a day.
    async fn newest_complete_day(&self) -> anyhow::Result<Option<i32>> {
        let mut newest = None;
        for pipeline in self.project.pipelines.iter().filter(|it| it.is_event()) {
            let Some(snapshot) = self.lake.snapshot(&pipeline.raw_table()).await? else { continue };
            let mut days = std::collections::BTreeMap::new();
            for file in snapshot.files.iter() {
                if let Some(day) = file.partition {
                    *days.entry(day).or_insert(0_i64) += file.rows;
                }
            }
            let mut sizes: Vec<i64> = days.values().copied().collect();
            sizes.sort_unstable();
            let Some(median) = sizes.get(sizes.len() / 2).copied() else { continue };
            let usual: Vec<i32> = days.into_iter().filter(|(_, rows)| median <= 10 * rows).map(|(day, _)| day).collect();
            if let Some(last) = usual.last() {
                newest = newest.max(Some(last - 1));
            }
        }
        Ok(newest)
    }

    /// Folder with the exports, unless `--input` names another.
    pub(crate) fn input(&self, given: Option<&PathBuf>) -> PathBuf {
        given.cloned().unwrap_or_else(|| self.place.project.join("input"))
    }

    pub(crate) fn vault(&self) -> Arc<store::Vault> {
        Arc::new(self.store.vault())
    }
}

/// Reads `--now`: an instant with an offset, or a date at whose campus day begins.
pub(crate) fn parse_now(text: &str, clock: &mut CampusClock) -> anyhow::Result<i64> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Ok(at.timestamp_micros());
    }
    let date = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").with_context(|| {
        format!("--now \"{text}\" is neither a date nor an instant: write 2026-01-29 or 2026-01-29T04:00:00+08:00")
    })?;
    Ok(clock.day_start(schema::time::date_days(date)))
}
