//! Raw rows and staging with what the log has and no table yet: worked out when somebody reads, never stored.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::logical_expr::{cast, col};
use datafusion::prelude::DataFrame;
use engine::{Engine, PinnedTable};
use schema::{Materialized, Pipeline, is_closed_table};

use crate::Error;
use crate::ahead::Ahead;
use crate::build::{Builder, Config, date};
use crate::graph::Graph;
use crate::node::{Node, Origin};
use crate::planned::{self, Schemas};
use crate::state::{Need, Pins};

/// Name under which all rows of the raw table stand, where the query sees some days of them.
const WHOLE: &str = "uncut_raw";

/// Raw tables with what the log has of them, each looked at once: what is read of a source in one query speaks of one
/// instant.
pub(crate) type Held = HashMap<String, Option<Arc<PinnedTable>>>;

impl Builder<'_> {
    /// Looks at the raw tables that some tables show rows of.
    pub(crate) async fn hold(&self, nodes: &[&Node]) -> Result<Held, Error> {
        let pushed: BTreeSet<String> = self.engine.tail_tables().into_iter().collect();
        let mut names = BTreeSet::new();
        for node in nodes {
            match node.origin {
                Origin::Raw => {
                    names.insert(node.name.clone());
                }
                _ if node.kind == "staging" => names.extend(self.graph.upstream(&node.name)),
                _ => {}
            }
        }
        names.retain(|it| pushed.contains(it));
        let mut held = Held::new();
        for name in names {
            let live = self.engine.live_table(&name).await;
            let live = live.map_err(|source| Error::Engine { table: name.clone(), source })?;
            held.insert(name, live);
        }
        Ok(held)
    }

    /// A table as it would be if the log were committed and the table built now, of raw tables as they were looked at;
    /// `None` if it is just as it is stored, or does not follow from pushed rows alone.
    ///
    /// [`Pins::hold`] has to stand: what is stale is told of the versions that were looked at.
    pub(crate) async fn live(&self, node: &Node, held: &Held) -> Result<Option<Arc<dyn TableProvider>>, Error> {
        let bare = |it: &Arc<PinnedTable>| Arc::new(it.bare()) as Arc<dyn TableProvider>;
        if node.origin == Origin::Raw {
            return Ok(held.get(&node.name).and_then(Option::as_ref).map(bare));
        }
        let [raw] = node.inputs.as_slice() else { return Ok(None) };
        if node.kind != "staging" {
            return Ok(None);
        }
        let Some(Some(rows)) = held.get(raw) else { return Ok(None) };
        let waiting: BTreeSet<i32> = rows.parts().iter().filter_map(|it| it.day).collect();
        let days = match self.need(node, false).await? {
            Need::Nothing if rows.parts().is_empty() => return Ok(None),
            _ if node.materialized != Materialized::Day => None,
            Need::Nothing => Some(waiting),
            Need::Days(days) => Some(&days | &waiting),
            Need::All(_) => None,
        };
        let fail = || Error::query("read", &node.path);
        let context = self.engine.context();
        let Some(days) = days else {
            context.register_table(raw, bare(rows)).map_err(fail())?;
            let fresh = context.sql(&node.sql).await.map_err(fail())?;
            return Ok(Some(self.as_stored(node, fresh)?.into_view()));
        };
        let list = days.iter().map(|it| date(*it)).collect::<Vec<_>>().join(", ");
        context.register_table(WHOLE, bare(rows)).map_err(fail())?;
        let cut = context.sql(&format!("SELECT * FROM {WHOLE} WHERE occurred_on IN ({list})")).await.map_err(fail())?;
        context.register_table(raw, cut.into_view()).map_err(fail())?;
        let fresh = context.sql(&node.sql).await.map_err(fail())?;
        context.register_table(&node.name, self.provider(&node.name).await?).map_err(fail())?;
        let kept = format!("SELECT * FROM {} WHERE occurred_on NOT IN ({list})", node.name);
        let kept = context.sql(&kept).await.map_err(fail())?;
        let both = self.as_stored(node, kept)?.union(self.as_stored(node, fresh)?).map_err(fail())?;
        Ok(Some(both.into_view()))
    }

    /// Rows in the columns in which they would be stored.
    pub(crate) fn as_stored(&self, node: &Node, rows: DataFrame) -> Result<DataFrame, Error> {
        let columns = self.schemas[&node.name].fields().iter();
        let columns = columns.map(|it| cast(col(it.name()), it.data_type().clone()).alias(it.name())).collect::<Vec<_>>();
        rows.select(columns).map_err(Error::query("read", &node.path))
    }
}

/// Staging of pushed sources as it is at this moment, for whoever asks often: its queries are planned once.
///
/// Only what follows from pushed rows alone is here, and nothing of the closed compartment.
#[derive(Debug)]
pub struct Staged {
    engine: Engine,
    graph: Graph,
    config: Config,
    schemas: Schemas,
    /// Each with the raw tables that it is made of.
    tables: BTreeMap<String, BTreeSet<String>>,
}

/// A staging table with what the log has of it.
#[derive(Debug, Clone)]
pub struct StagedTable {
    /// What scans it.
    pub provider: Arc<dyn TableProvider>,
    /// Its columns with class, meaning and unit, which the rows that are scanned do not say.
    pub schema: SchemaRef,
    /// The newest day that has rows in a raw table of it.
    pub newest_day: Option<i32>,
    /// Version of the raw tables, in sum.
    pub version: i64,
}

impl Staged {
    /// Plans staging of the sources that rows are pushed to.
    ///
    /// # Errors
    /// If a query does not plan.
    pub async fn new(engine: &Engine, graph: &Graph, pipelines: &[Pipeline], config: Config) -> Result<Self, Error> {
        let pushed: BTreeSet<String> = engine.tail_tables().into_iter().collect();
        let mut tables = BTreeMap::new();
        let mut planned = BTreeSet::new();
        for node in graph.nodes().iter().filter(|it| it.name.starts_with("stg_") && it.kind == "staging") {
            let above = graph.upstream(&node.name);
            let is_raw = |it: &&String| graph.node(it).is_some_and(|it| it.origin == Origin::Raw);
            let raw: BTreeSet<String> = above.iter().filter(is_raw).cloned().collect();
            if raw.is_empty() || !raw.is_subset(&pushed) || above.iter().any(|it| is_closed_table(it)) {
                continue;
            }
            planned.extend(above);
            tables.insert(node.name.clone(), raw);
        }
        let schemas = planned::schemas(engine, graph, pipelines, Some(&planned)).await?;
        Ok(Self { engine: engine.clone(), graph: graph.clone(), config, schemas, tables })
    }

    /// The tables, each with the raw tables that it is made of.
    pub fn tables(&self) -> &BTreeMap<String, BTreeSet<String>> {
        &self.tables
    }

    /// A table as it is at this moment; `None` if no row of it came yet, or if it is just as it is stored.
    ///
    /// # Errors
    /// If a table or the log cannot be read.
    pub async fn table(&self, name: &str) -> Result<Option<StagedTable>, Error> {
        let (Some(raw), Some(node)) = (self.tables.get(name), self.graph.node(name)) else { return Ok(None) };
        let builder = Builder {
            engine: &self.engine,
            graph: &self.graph,
            schemas: self.schemas.clone(),
            config: self.config.clone(),
            pins: Pins::default(),
            ahead: Ahead::default(),
            again: None,
        };
        let held = builder.hold(&[node]).await?;
        let rows: Vec<&Arc<PinnedTable>> = raw.iter().filter_map(|it| held.get(it)?.as_ref()).collect();
        if rows.is_empty() {
            return Ok(None);
        }
        let provider = if node.is_stored() {
            let _pinning = builder.pins.hold(&held);
            match builder.live(node, &held).await? {
                Some(live) => live,
                None => return Ok(None),
            }
        } else {
            let context = builder.held_context(&format!("SELECT * FROM {name}"), &node.path, &held).await?;
            let rows = context.table(name).await.map_err(Error::query("read", &node.path))?;
            builder.as_stored(node, rows)?.into_view()
        };
        let days = rows.iter().flat_map(|it| {
            let stored = it.snapshot().files.iter().filter_map(|it| it.partition);
            stored.chain(it.parts().iter().filter_map(|it| it.day))
        });
        Ok(Some(StagedTable {
            provider,
            schema: self.schemas[name].clone(),
            newest_day: days.max(),
            version: rows.iter().map(|it| it.snapshot().version).sum(),
        }))
    }
}
