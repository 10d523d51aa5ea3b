//! The build of a tick: what it has worked out and not stored, and what it need not store again.
//!
//! Under rows that never rest a tick a second would leave files without end. So most ticks store nothing but lists that
//! changed: raw rows are read with what the log has of them, and what lists are made of is kept in memory until the tick is
//! over. Every so often one stores it all, and finds the lists as they are.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use datafusion::arrow::array::RecordBatch;
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use lake::{Replace, Snapshot};
use schema::Materialized;

use crate::Error;
use crate::build::{Action, Builder, Built, date};
use crate::live::Held;
use crate::node::{Node, Origin};
use crate::state::{Made, Need};

/// Rows that stay the same are written again after so long: a list says when it was written, and whoever reads that it was
/// hours ago does not believe it.
const WRITTEN_AGAIN: Duration = Duration::from_secs(600);

/// What people see of a day that goes on.
const LIST: &str = "list";

/// What a tick stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writes {
    /// All that it makes, from the raw tables as they are.
    All,
    /// Lists that changed, made of the raw tables and of what the log has of them.
    Lists,
}

/// What a tick did.
#[derive(Debug, Clone, Default)]
pub struct LiveBuild {
    /// What was made of each table; of one whose rows stayed the same nothing.
    pub built: Vec<Built>,
    /// Tables that were written.
    pub commits: usize,
    /// Whether something was made that is not stored yet.
    pub is_ahead: bool,
}

/// A table with rows that are not stored.
#[derive(Debug)]
struct Unstored {
    /// The days that they are of.
    days: BTreeSet<i32>,
    provider: Arc<dyn TableProvider>,
}

/// What a table holds, and of what that would be made now.
#[derive(Debug)]
struct Noted {
    id: String,
    version: i64,
    rows: RecordBatch,
    made: Made,
    written: Instant,
}

#[derive(Debug, Default)]
struct State {
    tables: HashMap<String, Unstored>,
    noted: HashMap<String, Noted>,
}

/// What is known beyond the lake: for the length of a tick rows that are not stored, and for the length of the process that
/// rows need not be.
#[derive(Debug, Default)]
pub(crate) struct Ahead(Mutex<State>);

/// A tick that is under way; rows that it has not stored go with it.
pub(crate) struct Looking<'a>(&'a Ahead);

impl Drop for Looking<'_> {
    fn drop(&mut self) {
        self.0.lock().tables.clear();
    }
}

impl Ahead {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a tick with what the log has of raw tables.
    fn begin(&self, held: &Held) -> Looking<'_> {
        let waits = |(name, table): (&String, &Option<Arc<engine::PinnedTable>>)| {
            let table = table.as_ref().filter(|it| !it.parts().is_empty())?;
            let days = table.parts().iter().filter_map(|it| it.day).collect();
            Some((name.clone(), Unstored { days, provider: Arc::new(table.bare()) }))
        };
        self.lock().tables = held.iter().filter_map(waits).collect();
        Looking(self)
    }

    fn put(&self, table: &str, days: BTreeSet<i32>, provider: Arc<dyn TableProvider>) {
        self.lock().tables.insert(table.to_owned(), Unstored { days, provider });
    }

    /// A table with its rows that are not stored; `None` of one that is as it is stored.
    pub(crate) fn provider(&self, table: &str) -> Option<Arc<dyn TableProvider>> {
        self.lock().tables.get(table).map(|it| Arc::clone(&it.provider))
    }

    /// Days of a table with rows that are not stored; `None` of one that is as it is stored.
    pub(crate) fn days(&self, table: &str) -> Option<BTreeSet<i32>> {
        self.lock().tables.get(table).map(|it| it.days.clone())
    }

    /// Inputs with rows that are not stored are of no version: what is made of them is stale for whoever stores them.
    pub(crate) fn unsettle(&self, inputs: &mut BTreeMap<String, (String, i64)>) {
        let state = self.lock();
        for (input, (id, _)) in inputs.iter_mut() {
            if state.tables.contains_key(input) {
                id.clear();
            }
        }
    }

    /// Of what the rows of a version would be made now, if they were made again since it was written.
    pub(crate) fn made(&self, snapshot: &Snapshot) -> Option<Made> {
        let state = self.lock();
        let noted = state.noted.get(&snapshot.table)?;
        ((&noted.id, noted.version) == (&snapshot.id, snapshot.version)).then(|| noted.made.clone())
    }

    /// Whether a version holds just these rows; then it is noted of what they are made.
    fn holds(&self, snapshot: &Snapshot, rows: &RecordBatch, made: &Made) -> bool {
        let mut state = self.lock();
        let Some(noted) = state.noted.get_mut(&snapshot.table) else { return false };
        let is_same = (&noted.id, noted.version) == (&snapshot.id, snapshot.version)
            && noted.written.elapsed() < WRITTEN_AGAIN
            && noted.made.fingerprint == made.fingerprint
            && noted.made.dates == made.dates
            && noted.rows == *rows;
        if is_same {
            noted.made = made.clone();
        }
        is_same
    }

    fn note(&self, snapshot: &Snapshot, rows: RecordBatch, made: Made) {
        let noted = Noted { id: snapshot.id.clone(), version: snapshot.version, rows, made, written: Instant::now() };
        self.lock().noted.insert(snapshot.table.clone(), noted);
    }
}

impl Builder<'_> {
    /// Builds what is stale of tables that are live, and writes no whole table whose rows stayed the same.
    ///
    /// With [`Writes::Lists`] raw tables are read with what the log has of them, and nothing but lists is stored. Such a list
    /// is stale for every later build that stores: it says that it is made of no version of what was not stored.
    ///
    /// # Errors
    /// If a query fails, rows share their grain, or the lake or the log refuses.
    pub async fn build_live(&self, as_of_on: i32, select: &[String], writes: Writes) -> Result<LiveBuild, Error> {
        let nodes = self.selected(select)?;
        let held = match writes {
            Writes::All => Held::new(),
            Writes::Lists => self.held_for(&nodes).await?,
        };
        let _pinning = self.pins.hold(&held);
        let _looking = self.ahead.begin(&held);
        self.pin_inputs(&nodes).await?;
        let mut live = LiveBuild::default();
        for node in nodes {
            if node.materialized == Materialized::AsOf {
                // It is written once, and nothing live reads it.
                continue;
            }
            let began = Instant::now();
            let need = self.need_on(node, as_of_on, false).await?;
            let (action, rows) = match need {
                Need::Nothing => (Action::Fresh, 0),
                Need::All(why) if node.materialized == Materialized::Whole => {
                    self.whole_live(node, why, as_of_on, writes, &mut live).await?
                }
                Need::Days(days) if writes == Writes::Lists => {
                    live.is_ahead = true;
                    // More than a query takes at once is not kept in memory: a term that was filled in waits for the tick
                    // that stores it, and the lists with it.
                    if 1 < self.chunks(&days, &self.day_sizes(node).await?).len() {
                        return Ok(live);
                    }
                    self.days_ahead(node, days).await?
                }
                need => {
                    live.commits += 1;
                    self.build_days(node, need).await?
                }
            };
            live.built.push(Built { table: node.name.clone(), action, rows, seconds: began.elapsed().as_secs_f64() });
        }
        Ok(live)
    }

    /// The raw tables that some tables are made of and that rows are pushed to, with what the log has of them.
    async fn held_for(&self, nodes: &[&Node]) -> Result<Held, Error> {
        let pushed: BTreeSet<String> = self.engine.tail_tables().into_iter().collect();
        let mut names: BTreeSet<String> = nodes.iter().flat_map(|it| self.graph.upstream(&it.name)).collect();
        names.retain(|it| pushed.contains(it) && self.graph.node(it).is_some_and(|it| it.origin == Origin::Raw));
        let mut held = Held::new();
        for name in names {
            let table = self.engine.live_table(&name).await;
            let table = table.map_err(|source| Error::Engine { table: name.clone(), source })?;
            held.insert(name, table);
        }
        Ok(held)
    }

    async fn whole_live(
        &self,
        node: &Node,
        why: &str,
        as_of_on: i32,
        writes: Writes,
        live: &mut LiveBuild,
    ) -> Result<(Action, i64), Error> {
        let (batch, made) = self.whole_rows(node, as_of_on).await?;
        let rows = batch.num_rows() as i64;
        if self.snapshot(&node.name).await?.is_some_and(|it| self.ahead.holds(&it, &batch, &made)) {
            return Ok((Action::Fresh, 0));
        }
        if writes == Writes::Lists && node.kind != LIST {
            let fail = || Error::query("build", &node.path);
            let batch = bare(node, &batch)?;
            let table = MemTable::try_new(batch.schema(), vec![vec![batch]]).map_err(fail())?;
            self.ahead.put(&node.name, BTreeSet::new(), Arc::new(table));
            live.is_ahead = true;
            return Ok((Action::All(why.to_owned()), rows));
        }
        let file = self.write(node, None, &batch)?;
        self.replace(node, Replace::All, vec![file], &made).await?;
        live.commits += 1;
        if let Some(written) = self.snapshot(&node.name).await? {
            self.ahead.note(&written, batch, made);
        }
        Ok((Action::All(why.to_owned()), rows))
    }

    /// Works days of a table out and stores nothing: until the tick is over the table is read with them.
    async fn days_ahead(&self, node: &Node, days: BTreeSet<i32>) -> Result<(Action, i64), Error> {
        let fail = || Error::query("build", &node.path);
        let sizes = self.day_sizes(node).await?;
        let mut batches = Vec::new();
        for chunk in self.chunks(&days, &sizes) {
            batches.push(bare(node, &self.day_rows(node, &chunk).await?)?);
        }
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        let context = self.engine.context();
        context.register_table(&node.name, self.provider(&node.name).await?).map_err(fail())?;
        let list = days.iter().map(|it| date(*it)).collect::<Vec<_>>().join(", ");
        let kept = format!("SELECT * FROM {} WHERE occurred_on NOT IN ({list})", node.name);
        let kept = context.sql(&kept).await.map_err(fail())?;
        let fresh = context.read_batches(batches).map_err(fail())?;
        let both = self.as_stored(node, kept)?.union(self.as_stored(node, fresh)?).map_err(fail())?;
        let n = days.len();
        self.ahead.put(&node.name, days, both.into_view());
        Ok((Action::Partitions(n), rows as i64))
    }
}

/// The rows with columns that say nothing of themselves, as stored tables are read by a build.
fn bare(node: &Node, batch: &RecordBatch) -> Result<RecordBatch, Error> {
    let bare = RecordBatch::try_new(engine::bare(&batch.schema()), batch.columns().to_vec());
    bare.map_err(|it| Error::query("build", &node.path)(it.into()))
}
