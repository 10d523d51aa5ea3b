//! The one query engine of the house: DataFusion with our functions, our memory limit and our tables.
//!
//! In come snapshots of the lake; out come session contexts that read exactly those versions. It knows no model and no
//! principal: `transform` builds with it as the system, `policy` wraps its tables for everybody else.

mod aggregates;
mod error;
mod functions;
mod look_up;
mod pinned;
mod tail;

use std::path::PathBuf;
use std::sync::Arc;

use datafusion::common::runtime::SpawnedTask;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::prelude::{SessionConfig, SessionContext};
use lake::{Lake, Snapshot};
use schema::time::CampusClock;

pub use error::Error;
pub use pinned::{PinnedTable, bare};
pub use tail::{TableTail, TailPart, Tails};

/// How much of the machine the engine may use.
#[derive(Debug, Clone)]
pub struct Config {
    /// Memory for sorts, joins and aggregates; beyond it they spill to `spill_dir`.
    pub memory_bytes: usize,
    /// Parallel partitions of a plan. The result never depends on it.
    pub partitions: usize,
    /// Folder for spilled data.
    pub spill_dir: PathBuf,
}

/// Makes sessions over pinned tables; cheap to clone.
#[derive(Debug, Clone)]
pub struct Engine {
    config: Config,
    runtime: Arc<RuntimeEnv>,
    lake: Lake,
    /// The closed compartment; none where it was never made.
    closed: Option<Lake>,
    clock: CampusClock,
    footers: look_up::Footers,
    tails: Option<Arc<dyn Tails>>,
}

impl Engine {
    /// An engine over a lake, and the closed compartment beside it.
    ///
    /// # Errors
    /// If the folder for spilled data cannot be made.
    pub fn new(config: Config, lake: Lake, closed: Option<Lake>, clock: CampusClock) -> Result<Self, Error> {
        std::fs::create_dir_all(&config.spill_dir)
            .map_err(|source| Error::SpillDir { path: config.spill_dir.clone(), source })?;
        let disk = DiskManagerBuilder::default().with_mode(DiskManagerMode::Directories(vec![config.spill_dir.clone()]));
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(FairSpillPool::new(config.memory_bytes)))
            .with_disk_manager_builder(disk)
            .build_arc()
            .map_err(|source| Error::Query { what: "start the engine".into(), source })?;
        Ok(Self { config, runtime, lake, closed, clock, footers: look_up::Footers::default(), tails: None })
    }

    /// The same engine, which also knows the rows that no table has yet.
    #[must_use]
    pub fn with_tails(mut self, tails: Arc<dyn Tails>) -> Self {
        self.tails = Some(tails);
        self
    }

    /// The lake that the engine reads.
    pub fn lake(&self) -> &Lake {
        &self.lake
    }

    /// The lake in which a table lies: its name says whether it is closed.
    pub fn lake_of(&self, table: &str) -> &Lake {
        self.closed.as_ref().filter(|_| schema::is_closed_table(table)).unwrap_or(&self.lake)
    }

    /// All lakes: the open one, then the closed compartment.
    pub fn lakes(&self) -> impl Iterator<Item = &Lake> {
        std::iter::once(&self.lake).chain(&self.closed)
    }

    /// The campus clock of the project.
    pub fn clock(&self) -> CampusClock {
        self.clock.clone()
    }

    /// A context with our functions and no tables.
    pub fn context(&self) -> SessionContext {
        self.context_with(|config| config)
    }

    /// A context with our functions, no tables, and settings changed.
    pub fn context_with(&self, change: impl FnOnce(SessionConfig) -> SessionConfig) -> SessionContext {
        let mut config = SessionConfig::new()
            .with_target_partitions(self.config.partitions)
            .with_information_schema(true)
            .with_default_catalog_and_schema("yizhan", "lake");
        // Rows come sorted by student: pages that hold none of the wanted students are not decoded.
        config.options_mut().execution.parquet.pushdown_filters = true;
        config.options_mut().execution.parquet.schema_force_view_types = false;
        config.options_mut().sql_parser.enable_ident_normalization = true;
        let state = SessionStateBuilder::new()
            .with_config(change(config))
            .with_runtime_env(self.runtime.clone())
            .with_default_features()
            .build();
        let context = SessionContext::new_with_state(state);
        functions::register(&context, &self.clock);
        aggregates::register(&context);
        context
    }

    /// The newest version of a table, pinned; `None` if it was never written.
    ///
    /// # Errors
    /// If the lake cannot be read.
    pub async fn table(&self, name: &str) -> Result<Option<Arc<PinnedTable>>, Error> {
        let snapshot = self.lake_of(name).snapshot(name).await.map_err(|source| Error::Lake { source })?;
        snapshot.map(|it| self.pin(it)).transpose()
    }

    /// The newest version of a table, united with what the log has of it beyond that version: both pinned. `None` if
    /// neither has a row.
    ///
    /// Builds read [`Engine::table`], for what they make must follow from versions alone; people read this.
    ///
    /// # Errors
    /// If lake or log cannot be read.
    pub async fn live_table(&self, name: &str) -> Result<Option<Arc<PinnedTable>>, Error> {
        // First the log, then the lake: what a commit moves in between is found in the lake, and left out of the tail.
        // Files are read and many rows brought into shape for it, which no other request should wait for.
        let (engine, table) = (self.clone(), name.to_owned());
        let looked = SpawnedTask::spawn_blocking(move || engine.tail(&table)).join_unwind().await;
        let looked = looked.map_err(|cut_off| Error::Tail { table: name.to_owned(), source: Box::new(cut_off) })?;
        let Some(tail) = looked? else { return self.table(name).await };
        let pinned = self.lake_of(name).snapshot_with_position(name, tail.app_id).await;
        let (snapshot, done) = match pinned.map_err(|source| Error::Lake { source })? {
            Some((snapshot, done)) => (snapshot, done.unwrap_or(0)),
            None if tail.parts.is_empty() => return Ok(None),
            None => (tail.nothing(name, self.lake_of(name).root()), 0),
        };
        let parts = tail.parts.into_iter().filter(|it| done < it.position).collect();
        Ok(Some(Arc::new(PinnedTable::new(snapshot, self.footers.clone())?.with_tail(parts))))
    }

    /// What the log has of a table; `None` of a table that it never has rows of. Blocks the thread.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn tail(&self, name: &str) -> Result<Option<TableTail>, Error> {
        let Some(tails) = &self.tails else { return Ok(None) };
        tails.tail(name).map_err(|source| Error::Tail { table: name.to_owned(), source })
    }

    /// Names of the tables that the log may have rows of.
    pub fn tail_tables(&self) -> Vec<String> {
        self.tails.as_ref().map(|it| it.tables()).unwrap_or_default()
    }

    /// A table provider of a snapshot.
    ///
    /// # Errors
    /// If the snapshot's folder is no valid path.
    pub fn pin(&self, snapshot: Snapshot) -> Result<Arc<PinnedTable>, Error> {
        PinnedTable::new(snapshot, self.footers.clone()).map(Arc::new)
    }
}
