//! What is stale: compares what a table was made of with what is there now.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use engine::PinnedTable;
use lake::Snapshot;
use schema::Materialized;
use serde_json::Value;

use crate::Error;
use crate::build::Builder;
use crate::live::Held;
use crate::node::{Node, Origin};

/// Counted up when the way of building changes what is built, so that every table is made again.
const BUILD_RULES: &str = "1";
const FINGERPRINT: &str = "yizhan.fingerprint";
const INPUTS: &str = "yizhan.inputs";
/// As-of dates that were built, those without rows included: the lake keeps no empty files.
const DATES: &str = "yizhan.as_of";

/// What has to be done for a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing.
    Nothing,
    /// Everything, and why.
    All(&'static str),
    /// These days.
    Days(BTreeSet<i32>),
}

/// Raw tables as the build under way found them; nothing while none is.
///
/// Pushed rows are committed beside a build. What is dirty, what is read and what is noted as made must speak of one
/// version, or a row that came in between is noted as made and made into nothing. What came later is the next build's.
#[derive(Debug, Default)]
pub(crate) struct Pins(Mutex<Option<HashMap<String, Option<Snapshot>>>>);

/// A build that is under way: raw tables stand still until it is dropped.
pub(crate) struct Pinning<'a>(&'a Pins);

impl Pins {
    /// Begins a build: what an earlier one pinned is forgotten.
    pub(crate) fn begin(&self) -> Pinning<'_> {
        *self.lock() = Some(HashMap::new());
        Pinning(self)
    }

    /// Begins a reading of raw tables that were looked at before.
    pub(crate) fn hold(&self, held: &Held) -> Pinning<'_> {
        // What only the log has rows of was never written.
        let version = |it: &PinnedTable| (0 <= it.snapshot().version).then(|| it.snapshot().clone());
        let pinned = held.iter().map(|(table, it)| (table.clone(), it.as_deref().and_then(version)));
        *self.lock() = Some(pinned.collect());
        Pinning(self)
    }

    fn lock(&self) -> MutexGuard<'_, Option<HashMap<String, Option<Snapshot>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pinning<'_> {
    fn drop(&mut self) {
        *self.0.lock() = None;
    }
}

/// What a table was made of, kept on its commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Made {
    pub(crate) fingerprint: String,
    pub(crate) inputs: BTreeMap<String, (String, i64)>,
    pub(crate) dates: BTreeSet<i32>,
}

impl Made {
    pub(crate) fn read(snapshot: &Snapshot) -> Option<Self> {
        let info = &snapshot.commit.info;
        let inputs = info.get(INPUTS)?.as_object()?;
        Some(Self {
            fingerprint: info.get(FINGERPRINT)?.as_str()?.to_owned(),
            inputs: inputs
                .iter()
                .filter_map(|(table, it)| Some((table.clone(), (it.get(0)?.as_str()?.to_owned(), it.get(1)?.as_i64()?))))
                .collect(),
            dates: info
                .get(DATES)
                .and_then(Value::as_array)
                .map(|it| it.iter().filter_map(|it| i32::try_from(it.as_i64()?).ok()).collect())
                .unwrap_or_default(),
        })
    }

    pub(crate) fn info(&self) -> BTreeMap<String, Value> {
        let inputs: serde_json::Map<String, Value> =
            self.inputs.iter().map(|(table, (id, version))| (table.clone(), serde_json::json!([id, version]))).collect();
        BTreeMap::from([
            (FINGERPRINT.to_owned(), Value::String(self.fingerprint.clone())),
            (INPUTS.to_owned(), Value::Object(inputs)),
            (DATES.to_owned(), Value::Array(self.dates.iter().map(|it| Value::from(*it)).collect())),
        ])
    }
}

impl Builder<'_> {
    /// A hash of everything that decides what a table holds, besides its inputs' rows.
    pub(crate) fn fingerprint(&self, node: &Node) -> String {
        let mut hasher = blake3::Hasher::new();
        let mut add = |text: &str| {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        };
        add(BUILD_RULES);
        add(&node.sql);
        add(&format!("{:?} {:?} {}", node.materialized, node.grain, node.lookback_days));
        for field in self.schemas[&node.name].fields() {
            // Words in Chinese are for screens: a better one builds no table anew.
            let metadata: BTreeMap<_, _> = field.metadata().iter().filter(|(key, _)| *key != schema::ABOUT_ZH).collect();
            add(&format!("{} {} {metadata:?}", field.name(), field.data_type()));
        }
        if node.is_of_open_day() {
            add("of the open day");
        }
        if matches!(node.origin, Origin::Drift | Origin::Scores | Origin::Audit) {
            let wordless = |it: &schema::FrontMatter| schema::FrontMatter { about_zh: None, ..it.clone() };
            for risk in self.graph.risks() {
                add(&format!("{:?} {:?} {:?}", wordless(&risk.model.front), risk.horizon, wordless(&risk.label.front)));
            }
        }
        if node.origin == Origin::Measures {
            for measure in self.graph.measures_of(&node.name) {
                let front = &measure.front;
                add(&format!("{} {} {:?} {:?} {:?}", measure.name, measure.query(), front.n_min, front.cov_min, front.mad_floor));
                add(&front.peer_also.join(" "));
            }
            add(&format!("{:?}", self.graph.subject));
        }
        if node.origin == Origin::Signals {
            for trend in &self.graph.trends {
                add(&format!("{} {} {:?}", trend.name, trend.query(), trend.front.noise));
            }
        }
        for input in &node.inputs {
            if let Some(view) = self.graph.node(input).filter(|it| !it.is_stored()) {
                add(&self.fingerprint(view));
            }
        }
        hasher.finalize().to_hex()[..32].to_owned()
    }

    /// Versions of the stored inputs as the build sees them.
    pub(crate) async fn input_versions(&self, node: &Node) -> Result<BTreeMap<String, (String, i64)>, Error> {
        let mut versions = BTreeMap::new();
        for input in self.graph.stored_inputs(node) {
            if let Some(snapshot) = self.snapshot(&input).await? {
                versions.insert(input, (snapshot.id, snapshot.version));
            }
        }
        Ok(versions)
    }

    /// What has to be done for a table by day or a whole table.
    pub(crate) async fn need(&self, node: &Node, is_full: bool) -> Result<Need, Error> {
        let Some(snapshot) = self.snapshot(&node.name).await? else { return Ok(Need::All("never built")) };
        if is_full {
            return Ok(Need::All("asked for"));
        }
        let noted = self.ahead.made(&snapshot);
        let Some(made) = noted.or_else(|| Made::read(&snapshot)) else { return Ok(Need::All("unknown origin")) };
        if made.fingerprint != self.fingerprint(node) {
            return Ok(Need::All("its definition changed"));
        }
        let mut days = BTreeSet::new();
        for input in self.graph.stored_inputs(node) {
            let Some(new) = self.ahead.days(&input) else { continue };
            if node.materialized == Materialized::Whole {
                return Ok(Need::All("an input changed"));
            }
            for day in new {
                days.extend(day..=day + node.lookback_days);
            }
        }
        for (input, (id, version)) in self.input_versions(node).await? {
            let from = match made.inputs.get(&input) {
                Some((id_before, from)) if *id_before == id => *from,
                Some(_) => return Ok(Need::All("an input was made anew")),
                // An input that had never been written: all its days are new.
                None => -1,
            };
            if from == version {
                continue;
            }
            // Whoever reads while a build goes on may have looked at the raw table before the build did: the table holds
            // more of these days then.
            let (older, newer) = (from.min(version), from.max(version));
            let changes = self.engine.lake_of(&input).changes(&input, older, newer).await;
            let changes = changes.map_err(Error::lake("compare", &input))?;
            if !changes.is_complete {
                return Ok(Need::All("the history of an input is gone"));
            }
            if node.materialized == Materialized::Whole {
                if !changes.partitions.is_empty() {
                    return Ok(Need::All("an input changed"));
                }
                continue;
            }
            for day in changes.partitions.into_iter().flatten() {
                days.extend(day..=day + node.lookback_days);
            }
        }
        Ok(if days.is_empty() { Need::Nothing } else { Need::Days(days) })
    }

    /// The same as of a date: a table that says how things stand on the open day is made anew when another one begins.
    pub(crate) async fn need_on(&self, node: &Node, open_on: i32, is_full: bool) -> Result<Need, Error> {
        let need = self.need(node, is_full).await?;
        if !node.is_of_open_day() || need != Need::Nothing {
            return Ok(need);
        }
        let made = self.snapshot(&node.name).await?.and_then(|it| self.ahead.made(&it).or_else(|| Made::read(&it)));
        let is_of_today = made.is_some_and(|it| it.dates == BTreeSet::from([open_on]));
        Ok(if is_of_today { Need::Nothing } else { Need::All("another day began") })
    }

    /// The newest version of a table; of a raw one, while a build is under way, the version that the build found.
    pub(crate) async fn snapshot(&self, table: &str) -> Result<Option<Snapshot>, Error> {
        let is_raw = self.graph.node(table).is_some_and(|it| it.origin == Origin::Raw);
        let pinned = self.pins.lock().as_ref().filter(|_| is_raw).and_then(|it| it.get(table).cloned());
        if let Some(pinned) = pinned {
            return Ok(pinned);
        }
        let newest = self.engine.lake_of(table).snapshot(table).await.map_err(Error::lake("read", table))?;
        match self.pins.lock().as_mut().filter(|_| is_raw) {
            // Whoever looked first is right for the whole build.
            Some(pins) => Ok(pins.entry(table.to_owned()).or_insert(newest).clone()),
            None => Ok(newest),
        }
    }

    /// Pins the raw tables that some tables are made of, all before the first is built.
    pub(crate) async fn pin_inputs(&self, nodes: &[&Node]) -> Result<(), Error> {
        let names: BTreeSet<String> = nodes.iter().flat_map(|it| self.graph.upstream(&it.name)).collect();
        for name in names {
            if self.graph.node(&name).is_some_and(|it| it.origin == Origin::Raw) {
                self.snapshot(&name).await?;
            }
        }
        Ok(())
    }
}
