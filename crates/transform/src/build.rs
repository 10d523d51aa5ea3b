//! Builds what is stale, each table in one commit, in the order of the graph.
//!
//! A crash between any two lines leaves files that nobody refers to and a table that is as it was.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Instant;

use datafusion::arrow::array::{Array, BooleanArray, Date32Array, RecordBatch};
use datafusion::arrow::compute::kernels::cmp::not_distinct;
use datafusion::arrow::compute::{and, cast, concat_batches};
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::arrow::util::display::array_value_to_string;
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use engine::Engine;
use lake::{Commit, Replace, StagedFile, TableSpec};
use schema::{Cadence, Materialized, Pipeline, nearest, time::days_date};

use crate::Error;
use crate::ahead::Ahead;
use crate::graph::Graph;
use crate::live::Held;
use crate::node::{Node, Origin};
use crate::planned::{self, Schemas};
use crate::standing::Past;
use crate::state::{Made, Need, Pins};

/// Rows of a page of a table by person and date: a portrait reads one page of each date and column.
const PERSON_PAGE_ROWS: usize = 512;

/// How a build goes about its work.
#[derive(Debug, Clone)]
pub struct Config {
    /// Input rows that one query of a table by day may read; bounds memory, never the result.
    pub chunk_rows: i64,
    /// Days for which every as-of date is kept; of older ones Mondays are.
    pub as_of_days: i32,
    /// How trends are told and offers are made.
    pub warning: warning::Config,
}

/// How far a build is.
#[derive(Debug, Clone)]
pub struct Progress {
    /// The table that is being built.
    pub table: String,
    /// Steps done.
    pub done: usize,
    /// Steps in all.
    pub total: usize,
}

/// What was done, or would be done, for a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// It is up to date.
    Fresh,
    /// Everything is made anew, and why.
    All(String),
    /// So many partitions.
    Partitions(usize),
}

/// One table of a build.
#[derive(Debug, Clone)]
pub struct Built {
    /// Table name.
    pub table: String,
    /// What was done.
    pub action: Action,
    /// Rows written.
    pub rows: i64,
    /// How long it took.
    pub seconds: f64,
}

/// Rows that a check found.
#[derive(Debug, Clone)]
pub struct Violation {
    /// File of the check.
    pub path: String,
    /// What it guards.
    pub about: String,
    /// Offending rows.
    pub rows: usize,
    /// The first of them.
    pub example: String,
}

/// A project's tables, checked and ready to be built.
#[derive(Debug)]
pub struct Builder<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) graph: &'a Graph,
    pub(crate) schemas: Schemas,
    pub(crate) config: Config,
    pub(crate) pins: Pins,
    pub(crate) ahead: Ahead,
    /// Dates that are built again, whether something is stale or not.
    pub(crate) again: Option<RangeInclusive<i32>>,
}

impl<'a> Builder<'a> {
    /// Plans every query over empty tables.
    ///
    /// # Errors
    /// If a query does not plan, would not repeat, hides a column's meaning or lowers its class.
    pub async fn new(engine: &'a Engine, graph: &'a Graph, pipelines: &[Pipeline], config: Config) -> Result<Self, Error> {
        let schemas = planned::schemas(engine, graph, pipelines, None).await?;
        Ok(Self { engine, graph, schemas, config, pins: Pins::default(), ahead: Ahead::default(), again: None })
    }

    /// One that knows what a query is made of and nothing else, for that query alone: planning a whole project takes longer
    /// than most questions do.
    ///
    /// # Errors
    /// As [`Builder::new`].
    pub async fn for_query(
        engine: &'a Engine,
        graph: &'a Graph,
        pipelines: &[Pipeline],
        config: Config,
        query: &str,
    ) -> Result<Self, Error> {
        let only: Option<BTreeSet<String>> =
            graph.read_by(query).map(|it| it.iter().flat_map(|table| graph.upstream(table)).collect());
        let schemas = planned::schemas(engine, graph, pipelines, only.as_ref()).await?;
        Ok(Self { engine, graph, schemas, config, pins: Pins::default(), ahead: Ahead::default(), again: None })
    }

    /// A stored table that a query meets and that lacks a column which an error speaks of, for the lake was built by another
    /// version of the project: the table and the column.
    ///
    /// # Errors
    /// If the lake cannot be read.
    pub async fn older(&self, query: &str, error: &str) -> Result<Option<(String, String)>, Error> {
        let met = self.graph.read_by(query);
        let is_met = |it: &&Node| met.as_ref().is_none_or(|met| met.contains(&it.name));
        // A raw table grows with its next rows, and no build can make it do so.
        let stored = |it: &&Node| it.is_stored() && it.origin != Origin::Raw;
        for node in self.graph.nodes().iter().filter(is_met).filter(stored) {
            let (Some(planned), Some(found)) = (self.schemas.get(&node.name), self.snapshot(&node.name).await?) else { continue };
            let lacks = |it: &&String| found.schema.field_with_name(it).is_err() && speaks_of(error, it);
            if let Some(column) = planned.fields().iter().map(|it| it.name()).find(lacks) {
                return Ok(Some((node.name.clone(), column.clone())));
            }
        }
        Ok(None)
    }

    /// The same, which also builds days and as-of dates of a range again, beside what is stale.
    ///
    /// Of tables by day the days that have rows in an input, of tables by as-of date those that are kept. What was issued
    /// (offers, warnings) stays as it is; a table that is stale as a whole is built as a whole, so that no two of its
    /// partitions are of different definitions.
    pub fn building_again(self, dates: RangeInclusive<i32>) -> Self {
        Self { again: Some(dates), ..self }
    }

    /// Columns of a table, each with class, meaning and unit in its metadata.
    pub fn schema(&self, table: &str) -> Option<SchemaRef> {
        self.schemas.get(table).cloned()
    }

    /// What would be built as of a date, and why.
    ///
    /// # Errors
    /// If the lake cannot be read or a selected model does not exist.
    pub async fn plan(&self, as_of_on: i32, select: &[String], is_full: bool) -> Result<Vec<Built>, Error> {
        let wanted = self.wanted(as_of_on).await?;
        let mut planned = Vec::new();
        for node in self.selected(select)? {
            let by_day = matches!(node.materialized, Materialized::Day | Materialized::StudentDay);
            let action = match node.materialized {
                // Nothing is stale of it perhaps, and days of it are asked for.
                _ if by_day && self.again.is_some() => {
                    match self.and_again(self.need(node, is_full).await?, &self.day_sizes(node).await?) {
                        Need::Nothing => Action::Fresh,
                        Need::All(why) => Action::All(why.to_owned()),
                        Need::Days(days) => Action::Partitions(days.len()),
                    }
                }
                Materialized::AsOf => match self.missing(node, &wanted, is_full).await?.0.len() {
                    0 => Action::Fresh,
                    n => Action::Partitions(n),
                },
                _ => match self.need_on(node, as_of_on, is_full).await? {
                    Need::Nothing => Action::Fresh,
                    Need::All(why) => Action::All(why.to_owned()),
                    Need::Days(days) => Action::Partitions(days.len()),
                },
            };
            planned.push(Built { table: node.name.clone(), action, rows: 0, seconds: 0.0 });
        }
        Ok(planned)
    }

    /// Builds what is stale as of a date, from the raw tables as they are when it begins: what is committed to them
    /// meanwhile is the next build's.
    ///
    /// # Errors
    /// If a query fails, rows share their grain, or the lake refuses.
    pub async fn build(
        &self,
        as_of_on: i32,
        select: &[String],
        is_full: bool,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Vec<Built>, Error> {
        let nodes = self.selected(select)?;
        let _pinning = self.pins.begin();
        self.pin_inputs(&nodes).await?;
        let mut built = Vec::new();
        let (dated, plain): (Vec<&Node>, Vec<&Node>) = nodes.into_iter().partition(|it| it.materialized == Materialized::AsOf);
        let total = plain.len();
        for (done, node) in plain.into_iter().enumerate() {
            progress(Progress { table: node.name.clone(), done, total });
            let began = Instant::now();
            let need = self.need_on(node, as_of_on, is_full).await?;
            let (action, rows) = match node.materialized {
                Materialized::Whole => self.build_whole(node, need, as_of_on).await?,
                _ => self.build_days(node, need).await?,
            };
            built.push(Built { table: node.name.clone(), action, rows, seconds: began.elapsed().as_secs_f64() });
        }
        built.extend(self.build_dates(as_of_on, &dated, is_full, progress).await?);
        Ok(built)
    }

    /// Runs the checks: queries of offending rows.
    ///
    /// # Errors
    /// If a check fails to run.
    pub async fn check(&self, as_of_on: i32) -> Result<Vec<Violation>, Error> {
        let mut violations = Vec::new();
        for check in &self.graph.checks {
            let fail = || Error::query("check", &check.path);
            let context = self.context(&check.query(), &check.path, as_of_on).await?;
            let rows = context.sql(&with_as_of(&check.query(), as_of_on)).await.map_err(fail())?;
            let rows = rows.collect().await.map_err(fail())?;
            let n = rows.iter().map(RecordBatch::num_rows).sum();
            if let Some(batch) = rows.iter().find(|it| 0 < it.num_rows()) {
                let example = row_text(batch, 0);
                violations.push(Violation { path: check.path.clone(), about: check.front.about.clone(), rows: n, example });
            }
        }
        Ok(violations)
    }

    /// A context with what a query names: stored tables as they are, views as of a date. `path` is for messages.
    ///
    /// What is no SELECT (EXPLAIN, SHOW TABLES), or names what no model makes, gets every table.
    ///
    /// # Errors
    /// If a table cannot be read, or a view cannot be planned.
    pub async fn context(&self, query: &str, path: &str, as_of_on: i32) -> Result<SessionContext, Error> {
        self.context_of(query, path, as_of_on, None).await
    }

    /// The same with what the log has and no table yet: raw rows, and staging that follows from them. All of it is of one
    /// instant.
    ///
    /// # Errors
    /// If a table or the log cannot be read, or a view cannot be planned.
    pub async fn live_context(&self, query: &str, path: &str, as_of_on: i32) -> Result<SessionContext, Error> {
        let needed = self.graph.read_by(query);
        let is_needed = |it: &&Node| needed.as_ref().is_none_or(|needed| needed.contains(&it.name));
        let nodes: Vec<&Node> = self.graph.nodes().iter().filter(is_needed).collect();
        let held = self.hold(&nodes).await?;
        self.context_of(query, path, as_of_on, Some(&held)).await
    }

    /// The same of raw tables that were looked at before, for queries in which no date is a parameter.
    pub(crate) async fn held_context(&self, query: &str, path: &str, held: &Held) -> Result<SessionContext, Error> {
        self.context_of(query, path, 0, Some(held)).await
    }

    async fn context_of(&self, query: &str, path: &str, as_of_on: i32, held: Option<&Held>) -> Result<SessionContext, Error> {
        let fail = || Error::query("plan", path);
        let context = self.engine.context();
        let _pinning = held.map(|it| self.pins.hold(it));
        // No more than that: what a table was made of may have changed since, and is no matter of whoever reads the table.
        let needed = self.graph.read_by(query);
        if needed.is_none() {
            let mut unmade = self.engine.lake().tables().map_err(Error::lake("list", "all"))?;
            unmade.retain(|it| self.graph.node(it).is_none());
            for table in unmade {
                context.register_table(table.as_str(), self.provider(&table).await?).map_err(fail())?;
            }
        }
        let is_needed = |it: &&Node| needed.as_ref().is_none_or(|needed| needed.contains(&it.name));
        let nodes: Vec<&Node> = self.graph.nodes().iter().filter(is_needed).collect();
        for node in nodes {
            if node.is_stored() {
                let live = match held {
                    Some(held) => self.live(node, held).await?,
                    None => None,
                };
                let provider = match live {
                    Some(live) => live,
                    None => self.provider(&node.name).await?,
                };
                context.register_table(&node.name, provider).map_err(fail())?;
            } else {
                let view = context.sql(&with_as_of(&node.sql, as_of_on)).await.map_err(fail())?.into_view();
                context.register_table(&node.name, view).map_err(fail())?;
            }
        }
        Ok(context)
    }

    /// The stored tables that are asked for, and what they need; all if none is named.
    pub(crate) fn selected(&self, select: &[String]) -> Result<Vec<&Node>, Error> {
        let mut names = BTreeSet::new();
        for model in select {
            if self.graph.node(model).is_none() {
                let hint = nearest(model, self.graph.nodes().iter().map(|it| it.name.as_str())).map(str::to_owned);
                return Err(Error::NoSuchModel { model: model.clone(), hint });
            }
            names.extend(self.graph.upstream(model));
        }
        let is_wanted = |it: &&Node| {
            it.is_stored() && !matches!(it.origin, Origin::Raw | Origin::Kept) && (select.is_empty() || names.contains(&it.name))
        };
        Ok(self.graph.nodes().iter().filter(is_wanted).collect())
    }

    async fn build_whole(&self, node: &Node, need: Need, as_of_on: i32) -> Result<(Action, i64), Error> {
        let Need::All(why) = need else { return Ok((Action::Fresh, 0)) };
        let (batch, made) = self.whole_rows(node, as_of_on).await?;
        let rows = batch.num_rows() as i64;
        let file = self.write(node, None, &batch)?;
        self.replace(node, Replace::All, vec![file], &made).await?;
        Ok((Action::All(why.to_owned()), rows))
    }

    /// All rows of a whole table, and what they are made of.
    pub(crate) async fn whole_rows(&self, node: &Node, as_of_on: i32) -> Result<(RecordBatch, Made), Error> {
        let mut made = self.made(node).await?;
        let batch = if node.is_of_open_day() {
            made.dates.insert(as_of_on);
            let context = self.open_context(node, as_of_on).await?;
            self.query(node, &context, &with_as_of(&node.sql, as_of_on)).await?
        } else {
            let context = self.whole_context(node).await?;
            self.query(node, &context, &node.sql).await?
        };
        Ok((batch, made))
    }

    /// What is stale of a table by day, and the days that are asked for as far as there are rows to make them of: a day
    /// whose inputs have expired keeps what it has.
    fn and_again(&self, need: Need, sizes: &BTreeMap<i32, i64>) -> Need {
        let Some(again) = &self.again else { return need };
        let mut days = match need {
            Need::All(why) => return Need::All(why),
            Need::Days(days) => days,
            Need::Nothing => BTreeSet::new(),
        };
        days.extend(sizes.keys().copied().filter(|it| again.contains(it)));
        if days.is_empty() { Need::Nothing } else { Need::Days(days) }
    }

    pub(crate) async fn build_days(&self, node: &Node, need: Need) -> Result<(Action, i64), Error> {
        let sizes = self.day_sizes(node).await?;
        let need = self.and_again(need, &sizes);
        let (days, action) = match need {
            Need::Nothing => return Ok((Action::Fresh, 0)),
            Need::All(why) => (sizes.keys().copied().collect::<BTreeSet<i32>>(), Action::All(why.to_owned())),
            Need::Days(days) => (days.clone(), Action::Partitions(days.len())),
        };
        let is_anew = matches!(action, Action::All(_));
        let made = self.made(node).await?;
        let (mut files, mut rows) = (Vec::new(), 0);
        for chunk in self.chunks(&days, &sizes) {
            let batch = self.day_rows(node, &chunk).await?;
            rows += batch.num_rows() as i64;
            for (day, part) in by_day(&batch) {
                files.push(self.write(node, Some(day), &part)?);
            }
        }
        if is_anew && files.is_empty() && self.snapshot(&node.name).await?.is_none() && days.is_empty() {
            return Ok((Action::Fresh, 0));
        }
        // Partitions whose inputs have expired are never removed, so a full build names the days it replaces.
        let scope = match self.snapshot(&node.name).await? {
            Some(before) if !is_anew || same_columns(&before.schema, &self.schemas[&node.name]) => {
                Replace::Partitions(days.into_iter().collect())
            }
            _ => Replace::All,
        };
        self.replace(node, scope, files, &made).await?;
        Ok((action, rows))
    }

    /// The rows of some days of a table by day.
    pub(crate) async fn day_rows(&self, node: &Node, days: &[i32]) -> Result<RecordBatch, Error> {
        if node.materialized == Materialized::StudentDay {
            return self.versions(node, days).await;
        }
        let reach = (days[0] - node.lookback_days, days[days.len() - 1]);
        let context = self.day_context(node, reach, None, None).await?;
        self.query(node, &context, &among(&node.sql, days)).await
    }

    /// Rows by `(grain, known_on)`: for every lag at which rows of a day became known, the day as it looked then.
    async fn versions(&self, node: &Node, days: &[i32]) -> Result<RecordBatch, Error> {
        let fail = || Error::query("build", &node.path);
        let reach = (days[0], days[days.len() - 1]);
        let uncut = self.day_context(node, reach, None, None).await?;
        let own: Vec<String> = node.grain.iter().filter(|it| *it != "occurred_on").cloned().collect();
        let late_key = own.first().cloned().unwrap_or_default();
        let mut lags: BTreeMap<i32, BTreeSet<i32>> = BTreeMap::new();
        let knowing: Vec<&String> =
            node.inputs.iter().filter(|it| self.schemas[*it].field_with_name("known_at").is_ok()).collect();
        for input in &knowing {
            let sql = among(&format!("SELECT DISTINCT occurred_on, known_lag(known_at, occurred_on) AS lag FROM {input}"), days);
            for batch in uncut.sql(&sql).await.map_err(fail())?.collect().await.map_err(fail())? {
                let on = batch.column(0).as_any().downcast_ref::<Date32Array>();
                let lag = batch.column(1).as_any().downcast_ref::<datafusion::arrow::array::Int32Array>();
                for (on, lag) in on.into_iter().flatten().zip(lag.into_iter().flatten()) {
                    // Rows known before their own day ends count from its end: no date could use them earlier.
                    lags.entry(lag.unwrap_or(1).max(1)).or_default().extend(on);
                }
            }
        }
        let mut versions: Vec<RecordBatch> = Vec::new();
        let mut first = true;
        for (lag, days) in &lags {
            let days: Vec<i32> = days.iter().copied().collect();
            // Only persons with a row that came this late can look different from the version before.
            let late: Vec<String> = knowing
                .iter()
                .filter(|it| !first && self.schemas[**it].field_with_name(&late_key).is_ok())
                .map(|it| {
                    let sql = format!("SELECT {late_key}, occurred_on FROM {it} WHERE known_lag(known_at, occurred_on) = {lag}");
                    among(&sql, &days)
                })
                .collect();
            let late = match late.is_empty() {
                true => None,
                false => {
                    let union = late.join(" UNION ");
                    Some((late_key.as_str(), uncut.sql(&union).await.map_err(fail())?.cache().await.map_err(fail())?))
                }
            };
            let context = self.day_context(node, reach, Some(*lag), late.as_ref().map(|(key, rows)| (*key, rows))).await?;
            first = false;
            let sql = format!("SELECT *, CAST({lag} AS INT) AS version_lag FROM ({}) AS version", among(&node.sql, &days));
            versions.extend(context.sql(&sql).await.map_err(fail())?.collect().await.map_err(fail())?);
        }
        let stored = self.schemas[&node.name].clone();
        let Some(schema) = versions.first().map(RecordBatch::schema) else { return Ok(RecordBatch::new_empty(stored)) };
        let versions: Vec<RecordBatch> = versions
            .into_iter()
            .map(|it| RecordBatch::try_new(schema.clone(), it.columns().to_vec()))
            .collect::<Result<_, _>>()
            .map_err(|it| fail()(it.into()))?;
        let context = self.engine.context();
        let columns: Vec<String> = schema.fields().iter().map(|it| it.name().clone()).filter(|it| it != "version_lag").collect();
        let table = MemTable::try_new(schema, vec![versions]).map_err(fail())?;
        context.register_table("version", Arc::new(table)).map_err(fail())?;
        let grain = node.grain.join(", ");
        let changed: Vec<String> = columns
            .iter()
            .filter(|it| !node.grain.contains(it))
            .map(|it| format!("(({it}) IS DISTINCT FROM (lag({it}) OVER own))"))
            .collect();
        let same: Vec<String> = node.grain.iter().map(|it| format!("several.{it} = version.{it}")).collect();
        // Nearly every row has one version; windows are for the others only.
        let sql = format!(
            "WITH several AS (SELECT {grain} FROM version GROUP BY {grain} HAVING count(*) > 1), \
             single AS (SELECT version.* FROM version LEFT ANTI JOIN several ON {same}), \
             multiple AS (SELECT version.* FROM version LEFT SEMI JOIN several ON {same}), \
             marked AS (SELECT *, ((lag(version_lag) OVER own) IS NULL OR {changed}) AS is_changed FROM multiple \
             WINDOW own AS (PARTITION BY {grain} ORDER BY version_lag)), \
             chained AS (SELECT *, lead(version_lag) OVER (PARTITION BY {grain} ORDER BY version_lag) AS next_lag \
             FROM marked WHERE is_changed) \
             SELECT {columns}, arrow_cast(arrow_cast(occurred_on, 'Int32') + version_lag, 'Date32') AS known_on, \
             arrow_cast(arrow_cast(occurred_on, 'Int32') + next_lag, 'Date32') AS superseded_on FROM chained \
             UNION ALL \
             SELECT {columns}, arrow_cast(arrow_cast(occurred_on, 'Int32') + version_lag, 'Date32') AS known_on, \
             CAST(NULL AS DATE) AS superseded_on FROM single",
            same = same.join(" AND "),
            changed = changed.join(" OR "),
            columns = columns.join(", "),
        );
        self.query(node, &context, &sql).await
    }

    /// What the trends say on a date, worked out again from all that the lake still holds and writing nothing.
    ///
    /// # Errors
    /// If there are no trends, or a query fails.
    pub async fn signals_again(&self, as_of_on: i32) -> Result<RecordBatch, Error> {
        let (node, subject) = self.signal_node()?;
        let context = self.engine.context();
        for input in self.met(&[node]).into_iter().filter(|it| it.name != node.name) {
            self.register_as_of(&context, input, as_of_on).await?;
        }
        self.signals(node, &context, subject, as_of_on).await
    }

    async fn build_dates(
        &self,
        as_of_on: i32,
        nodes: &[&Node],
        is_full: bool,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Vec<Built>, Error> {
        let wanted = self.wanted(as_of_on).await?;
        let mut todo: BTreeMap<i32, Vec<&Node>> = BTreeMap::new();
        let mut expired: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
        let mut built: BTreeMap<&str, Built> = BTreeMap::new();
        for node in nodes {
            let (missing, gone) = self.missing(node, &wanted, is_full).await?;
            let action = if missing.is_empty() { Action::Fresh } else { Action::Partitions(missing.len()) };
            built.insert(&node.name, Built { table: node.name.clone(), action, rows: 0, seconds: 0.0 });
            for on in missing {
                todo.entry(on).or_default().push(node);
            }
            expired.insert(&node.name, gone);
        }
        // Values of past Mondays are read once and serve every date after them.
        let mut pasts: BTreeMap<&str, Past> = BTreeMap::new();
        let total = todo.len();
        for (done, (on, nodes)) in todo.into_iter().enumerate() {
            let label = days_date(on).map(|it| it.to_string()).unwrap_or_default();
            progress(Progress { table: format!("as of {label}"), done, total });
            let context = self.engine.context();
            for node in self.met(&nodes) {
                if !nodes.iter().any(|it| it.name == node.name) {
                    self.register_as_of(&context, node, on).await?;
                    continue;
                }
                let began = Instant::now();
                if matches!(node.origin, Origin::Measures | Origin::Offers) {
                    // A person's own past, and what was offered lately, stand in the table's earlier dates.
                    self.register_as_of(&context, node, on).await?;
                }
                let mut made = self.made(node).await?;
                let rows = self.rows_of(node, &context, on, pasts.entry(node.name.as_str()).or_default()).await?;
                let batch = self.sorted(node, rows).await?;
                let file = self.write(node, Some(on), &batch)?;
                let before = self.snapshot(&node.name).await?;
                let is_anew = match before.as_ref() {
                    None => true,
                    Some(before) => !same_columns(&before.schema, &self.schemas[&node.name]),
                };
                let mut scope = vec![on];
                scope.extend(expired.remove(node.name.as_str()).unwrap_or_default());
                let built_before = before.as_ref().filter(|_| !is_anew).and_then(Made::read).map(|it| it.dates);
                made.dates = built_before.unwrap_or_default();
                made.dates.retain(|it| !scope.contains(it));
                made.dates.insert(on);
                let scope = if is_anew { Replace::All } else { Replace::Partitions(scope) };
                self.replace(node, scope, vec![file], &made).await?;
                self.register_as_of(&context, node, on).await?;
                if let Some(it) = built.get_mut(node.name.as_str()) {
                    it.rows += batch.num_rows() as i64;
                    it.seconds += began.elapsed().as_secs_f64();
                }
            }
        }
        Ok(nodes.iter().filter_map(|it| built.remove(it.name.as_str())).collect())
    }

    /// The rows of one table as of a date, from what stands in the context.
    pub(crate) async fn rows_of(
        &self,
        node: &Node,
        context: &SessionContext,
        on: i32,
        past: &mut Past,
    ) -> Result<Vec<RecordBatch>, Error> {
        Ok(match (&node.origin, &self.graph.subject) {
            (Origin::Measures, Some(subject)) => self.measures(node, context, subject, on, past).await?,
            (Origin::Signals, Some(subject)) => vec![self.signals(node, context, subject, on).await?],
            (Origin::Offers, Some(subject)) => vec![self.offers(node, context, subject, on).await?],
            (Origin::Drift, _) => vec![self.drifts(node, context, on).await?],
            (Origin::Scores, _) => vec![self.scores(node, context, on).await?],
            (Origin::Audit, _) => vec![self.audits(node, context, on).await?],
            (Origin::Effect, _) => vec![self.effects(node, context).await?],
            (Origin::Visits, _) => vec![self.visits(node, context).await?],
            _ => {
                let frame = context.sql(&with_as_of(&node.sql, on)).await.map_err(Error::query("build", &node.path))?;
                frame.collect().await.map_err(Error::query("build", &node.path))?
            }
        })
    }

    /// As-of dates that are kept: every day of the last weeks, and Mondays since the data begin.
    async fn wanted(&self, as_of_on: i32) -> Result<BTreeSet<i32>, Error> {
        let mut first = None;
        for node in self.graph.nodes().iter().filter(|it| it.origin == Origin::Raw && it.partition_by().is_some()) {
            if let Some(snapshot) = self.snapshot(&node.name).await? {
                first = first.into_iter().chain(snapshot.files.iter().filter_map(|it| it.partition)).min();
            }
        }
        // Without events there are only standing facts, and today is the one date that matters.
        let Some(first) = first else { return Ok(BTreeSet::from([as_of_on])) };
        let recent = as_of_on - self.config.as_of_days + 1..=as_of_on;
        let mondays = (first..=as_of_on).filter(|it| *it == monday_before(*it + 1));
        Ok(mondays.chain(recent).filter(|it| first < *it).collect())
    }

    /// Dates to build and dates to drop.
    async fn missing(&self, node: &Node, wanted: &BTreeSet<i32>, is_full: bool) -> Result<(BTreeSet<i32>, Vec<i32>), Error> {
        let wanted: BTreeSet<i32> = match node.cadence {
            Cadence::Day => wanted.clone(),
            Cadence::Week => wanted.iter().copied().filter(|it| *it == monday_before(*it + 1)).collect(),
        };
        // Before the first training there is nothing to score with, and nothing to audit.
        let wanted: BTreeSet<i32> = match node.origin {
            Origin::Drift | Origin::Scores | Origin::Audit => match self.first_trained().await? {
                Some(first) => wanted.into_iter().filter(|it| first <= *it).collect(),
                None => BTreeSet::new(),
            },
            _ => wanted,
        };
        let Some(snapshot) = self.snapshot(&node.name).await? else { return Ok((wanted, Vec::new())) };
        let there = Made::read(&snapshot).map(|it| it.dates).unwrap_or_default();
        if node.is_kept {
            return Ok((wanted.difference(&there).copied().collect(), Vec::new()));
        }
        let is_current = Made::read(&snapshot).is_some_and(|it| it.fingerprint == self.fingerprint(node));
        let gone = there.difference(&wanted).copied().collect();
        if is_full || !is_current {
            return Ok((wanted, gone));
        }
        let is_again = |it: &i32| self.again.as_ref().is_some_and(|again| again.contains(it));
        Ok((wanted.into_iter().filter(|it| is_again(it) || !there.contains(it)).collect(), gone))
    }

    async fn made(&self, node: &Node) -> Result<Made, Error> {
        let mut inputs = self.input_versions(node).await?;
        self.ahead.unsettle(&mut inputs);
        Ok(Made { fingerprint: self.fingerprint(node), inputs, dates: BTreeSet::new() })
    }

    /// Runs a query and puts the rows into the stored columns and order.
    async fn query(&self, node: &Node, context: &SessionContext, sql: &str) -> Result<RecordBatch, Error> {
        let frame = context.sql(sql).await.map_err(Error::query("build", &node.path))?;
        let rows = frame.collect().await.map_err(Error::query("build", &node.path))?;
        self.sorted(node, rows).await
    }

    pub(crate) async fn sorted(&self, node: &Node, rows: Vec<RecordBatch>) -> Result<RecordBatch, Error> {
        let fail = || Error::query("build", &node.path);
        let mut fields = self.schemas[&node.name].fields().to_vec();
        if node.materialized == Materialized::AsOf {
            fields.pop();
        }
        let schema = Arc::new(Schema::new(fields));
        let stored = |it: &RecordBatch| -> Result<RecordBatch, DataFusionError> {
            let columns = schema
                .fields()
                .iter()
                .map(|field| {
                    let column = it
                        .column_by_name(field.name())
                        .ok_or_else(|| DataFusionError::Internal(format!("the query no longer returns \"{}\"", field.name())))?;
                    Ok(cast(column, field.data_type())?)
                })
                .collect::<Result<Vec<_>, DataFusionError>>()?;
            Ok(RecordBatch::try_new(schema.clone(), columns)?)
        };
        let rows = rows.iter().map(stored).collect::<Result<Vec<_>, _>>().map_err(fail())?;
        let all = concat_batches(&schema, &rows).map_err(|it| fail()(it.into()))?;
        let by = order(node, &schema);
        let columns: Vec<_> = by
            .iter()
            .filter_map(|it| all.column_by_name(it))
            .map(|it| datafusion::arrow::compute::SortColumn { values: it.clone(), options: Some(lake::ASCENDING) })
            .collect();
        let all = if columns.is_empty() {
            all
        } else {
            let places = datafusion::arrow::compute::lexsort_to_indices(&columns, None).map_err(|it| fail()(it.into()))?;
            datafusion::arrow::compute::take_record_batch(&all, &places).map_err(|it| fail()(it.into()))?
        };
        self.refuse_shared_grain(node, &all)?;
        Ok(all)
    }

    /// The stated grain is checked on every build: rows are sorted, so equal ones lie side by side.
    fn refuse_shared_grain(&self, node: &Node, batch: &RecordBatch) -> Result<(), Error> {
        let mut grain = node.grain.clone();
        match node.materialized {
            Materialized::Day | Materialized::StudentDay if !grain.iter().any(|it| it == "occurred_on") => {
                grain.push("occurred_on".to_owned());
            }
            _ => {}
        }
        if node.materialized == Materialized::StudentDay {
            grain.push("known_on".to_owned());
        }
        let rows = batch.num_rows();
        if rows < 2 || node.grain.is_empty() {
            return Ok(());
        }
        // Sorting by subject first may part equal grains only if the subject is no part of the grain; sort for this.
        let columns: Vec<_> = grain
            .iter()
            .filter_map(|it| batch.column_by_name(it))
            .map(|it| datafusion::arrow::compute::SortColumn { values: it.clone(), options: None })
            .collect();
        let fail = |it: datafusion::arrow::error::ArrowError| Error::query("check", &node.path)(it.into());
        let places = datafusion::arrow::compute::lexsort_to_indices(&columns, None).map_err(fail)?;
        let mut same: Option<BooleanArray> = None;
        for column in &columns {
            let sorted = datafusion::arrow::compute::take(&column.values, &places, None).map_err(fail)?;
            let equal = not_distinct(&sorted.slice(0, rows - 1), &sorted.slice(1, rows - 1)).map_err(fail)?;
            same = Some(match same {
                Some(before) => and(&before, &equal).map_err(fail)?,
                None => equal,
            });
        }
        let Some(same) = same.filter(|it| 0 < it.true_count()) else { return Ok(()) };
        let at = same.iter().position(|it| it == Some(true)).unwrap_or(0);
        let row = places.value(at) as usize;
        let example = grain
            .iter()
            .filter_map(|it| Some(format!("{it} = {}", array_value_to_string(batch.column_by_name(it)?, row).ok()?)))
            .collect::<Vec<_>>()
            .join(", ");
        Err(Error::Grain { path: node.path.clone(), rows: same.true_count(), grain, example })
    }

    fn spec(&self, node: &Node) -> TableSpec {
        let schema = self.schemas[&node.name].clone();
        TableSpec {
            name: node.name.clone(),
            partition_by: node.partition_by().map(str::to_owned),
            sort_by: order(node, &schema),
            // Keys and dates prune; names of anything never stand in the log.
            stats_columns: ["occurred_on", "as_of_on", "occurred_at", "known_on"]
                .into_iter()
                .filter(|it| schema.field_with_name(it).is_ok())
                .map(str::to_owned)
                .collect(),
            properties: BTreeMap::from([
                ("kind".to_owned(), node.kind.clone()),
                ("subject".to_owned(), node.subject.clone().unwrap_or_default()),
            ]),
            schema,
        }
    }

    pub(crate) fn write(&self, node: &Node, partition: Option<i32>, batch: &RecordBatch) -> Result<StagedFile, Error> {
        let spec = self.spec(node);
        let batch = match spec.partition_by.as_deref().and_then(|it| batch.schema().index_of(it).ok()) {
            Some(place) => {
                let keep: Vec<usize> = (0..batch.num_columns()).filter(|it| *it != place).collect();
                batch.project(&keep).map_err(|it| Error::query("write", &node.path)(it.into()))?
            }
            None => batch.clone(),
        };
        let mut writer = self.engine.lake_of(&node.name).writer(&spec);
        if node.subject.is_some() && spec.partition_by.as_deref() == Some("as_of_on") {
            writer = writer.for_lookups(PERSON_PAGE_ROWS);
        }
        writer.write(partition, &[batch]).map_err(Error::lake("write", &node.name))
    }

    pub(crate) async fn replace(&self, node: &Node, scope: Replace, files: Vec<StagedFile>, made: &Made) -> Result<(), Error> {
        let commit = Commit { position: None, info: made.info(), data_change: true };
        self.engine
            .lake_of(&node.name)
            .replace(&self.spec(node), scope, files, commit, None)
            .await
            .map_err(Error::lake("replace", &node.name))?;
        Ok(())
    }

    /// Days of the inputs with their rows, lookback included.
    pub(crate) async fn day_sizes(&self, node: &Node) -> Result<BTreeMap<i32, i64>, Error> {
        let mut sizes = BTreeMap::new();
        for input in self.graph.stored_inputs(node) {
            for file in self.snapshot(&input).await?.map(|it| it.files).unwrap_or_default().iter() {
                if let Some(day) = file.partition {
                    *sizes.entry(day).or_insert(0) += file.rows;
                }
            }
        }
        Ok(sizes)
    }

    /// Runs of days whose input rows fit one query.
    pub(crate) fn chunks(&self, days: &BTreeSet<i32>, sizes: &BTreeMap<i32, i64>) -> Vec<Vec<i32>> {
        let mut chunks: Vec<Vec<i32>> = Vec::new();
        let mut rows = 0;
        for day in days {
            let size = sizes.get(day).copied().unwrap_or(0);
            match chunks.last_mut() {
                Some(chunk) if rows + size <= self.config.chunk_rows => {
                    chunk.push(*day);
                    rows += size;
                }
                _ => {
                    chunks.push(vec![*day]);
                    rows = size;
                }
            }
        }
        chunks
    }
}

/// Whether a text names a column, as a word of its own.
fn speaks_of(text: &str, column: &str) -> bool {
    text.split(|it: char| !(it.is_alphanumeric() || it == '_')).any(|it| it == column)
}

/// A date as a SQL literal.
pub(crate) fn date(days: i32) -> String {
    days_date(days).map_or_else(|| "DATE '1970-01-01'".to_owned(), |it| format!("DATE '{it}'"))
}

/// A query with its one parameter put in.
pub(crate) fn with_as_of(sql: &str, as_of_on: i32) -> String {
    sql.replace("$as_of", &date(as_of_on))
}

/// The last Monday before a day.
pub(crate) fn monday_before(day: i32) -> i32 {
    // 1970-01-05 was a Monday, four days after the epoch.
    let monday = 4 + (day - 4).div_euclid(7) * 7;
    if monday == day { day - 7 } else { monday }
}

fn among(sql: &str, days: &[i32]) -> String {
    let list: Vec<String> = days.iter().map(|it| date(*it)).collect();
    format!("SELECT * FROM ({sql}) AS of_days WHERE occurred_on IN ({})", list.join(", "))
}

/// Person, then time, then whatever makes the order total.
fn order(node: &Node, schema: &Schema) -> Vec<String> {
    let mut by: Vec<String> = Vec::new();
    let own = node.subject.iter().cloned().chain(["occurred_at".to_owned()]).chain(node.grain.iter().cloned());
    for name in own.chain(["known_on".to_owned()]) {
        if !by.contains(&name) && schema.field_with_name(&name).is_ok() && node.partition_by() != Some(name.as_str()) {
            by.push(name);
        }
    }
    if node.materialized == Materialized::Day || node.materialized == Materialized::StudentDay {
        by.insert(0, "occurred_on".to_owned());
        by.dedup();
    }
    by
}

fn same_columns(before: &SchemaRef, now: &SchemaRef) -> bool {
    before.fields() == now.fields()
}

fn by_day(batch: &RecordBatch) -> Vec<(i32, RecordBatch)> {
    let Some(days) = batch.column_by_name("occurred_on").and_then(|it| it.as_any().downcast_ref::<Date32Array>()) else {
        return Vec::new();
    };
    let (mut parts, mut start) = (Vec::new(), 0);
    for row in 1..=days.len() {
        if row == days.len() || days.value(row) != days.value(start) {
            parts.push((days.value(start), batch.slice(start, row - start)));
            start = row;
        }
    }
    if days.is_empty() { Vec::new() } else { parts }
}

fn row_text(batch: &RecordBatch, row: usize) -> String {
    let cells = batch
        .schema()
        .fields()
        .iter()
        .zip(batch.columns())
        .map(|(field, column)| format!("{} = {}", field.name(), array_value_to_string(column, row).unwrap_or_default()))
        .collect::<Vec<_>>();
    cells.join(", ")
}
