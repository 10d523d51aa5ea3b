//! What the routes share: settings, sessions, store, words of the catalogue.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::imports::Imports;
use crate::live::Live;
use crate::metrics::Metrics;
use crate::pipelines::Pipelines;
use crate::pushes::Pushes;
use crate::rooms::Rooms;

/// How the server runs.
#[derive(Debug, Clone)]
pub struct Config {
    /// Address to listen on.
    pub listen: String,
    /// Whether this is the demonstration with an invented campus.
    pub is_demo: bool,
    /// Logins shown on the login page of the demonstration.
    pub demo_logins: Vec<DemoLogin>,
    /// The campus.
    pub campus: schema::Campus,
    /// What the school calls severities.
    pub labels: casework::LabelScheme,
    /// Accounts that may enter that a student has died.
    pub death_by: Vec<String>,
    /// Figures about fewer people than this are not told.
    pub k_default: i64,
    /// Figures of care about fewer people than this are not told.
    pub k_sensitive: i64,
    /// What casework's clock is ahead of the wall's, in microseconds: 0, but where the data end on a fixed day.
    pub clock_offset_us: i64,
    /// Hours for talks that whoever said nothing has in a week.
    pub talk_hours_a_week: f64,
    /// Hours that a talk takes.
    pub talk_hours: f64,
    /// Ways by which messages leave, in the order of the settings.
    pub channels: Vec<ChannelWords>,
    /// Days after which a rehearsal of messages is due again.
    pub drill_days: u16,
    /// Version of the program.
    pub version: String,
    /// Bytes of a file that the import wizard takes.
    pub import_bytes_max: usize,
    /// Bytes of events that one request may push.
    pub push_bytes_max: usize,
    /// Requests with events that are held in memory at once.
    pub pushes_max: usize,
    /// Token by which other processes of this machine's owner hand work over; `None` refuses it.
    pub hand_over_token: Option<String>,
    /// Token of a monitor that may read `/metrics`; `None` shows them to nobody.
    pub metrics_token: Option<String>,
}

/// One way by which messages leave.
#[derive(Debug, Clone)]
pub struct ChannelWords {
    /// Its name in the settings.
    pub name: String,
    /// Who would say that a message arrived.
    pub receipts: notify::Receipts,
}

/// A login of the demonstration.
#[derive(Debug, Clone, Serialize)]
pub struct DemoLogin {
    /// Account.
    pub account: String,
    /// Password.
    pub password: String,
    /// Role.
    pub role: String,
}

/// What a reader is answered from, through a session.
#[derive(Clone)]
pub struct Reading {
    /// Accounts, sessions, vault, audit.
    pub store: store::Store,
    /// For versions and row counts of the catalogue; rows are read through sessions only.
    pub lake: lake::Lake,
    /// What the tables and figures mean.
    pub catalog: Arc<Catalog>,
    /// Which sources have delivered, as far as it was looked.
    pub delivered: Delivered,
}

impl Reading {
    /// 集成数据项数量: columns taken in by the contracts of sources that have delivered rows.
    pub(crate) async fn data_item_n(&self) -> Result<usize, lake::Error> {
        let mut columns = 0;
        for it in &self.catalog.sources {
            if !self.delivered.holds(&it.source) {
                let raw = self.lake.snapshot(&format!("raw_{}", it.source)).await?;
                if raw.is_none_or(|raw| raw.rows() == 0) {
                    continue;
                }
                self.delivered.add(&it.source);
            }
            columns += it.column_n;
        }
        Ok(columns)
    }
}

/// Sources of which rows were seen in the lake. Who has delivered has delivered: each is looked for until it is found, and
/// not with every cockpit. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Delivered(Arc<Mutex<BTreeSet<String>>>);

impl Delivered {
    fn holds(&self, source: &str) -> bool {
        self.0.lock().contains(source)
    }

    fn add(&self, source: &str) {
        self.0.lock().insert(source.to_owned());
    }
}

/// What the server works with.
#[derive(Clone)]
pub struct Parts {
    /// Opens a session of `policy` for a principal.
    pub sessions: Arc<policy::Sessions>,
    /// What is read.
    pub reading: Reading,
    /// Rules of cases; the working days follow the calendar of the lake.
    pub rules: tokio::sync::watch::Receiver<casework::Rules>,
    /// Runs stages that other processes hand over.
    pub jobs: Arc<dyn Jobs>,
    /// Guesses, previews and writes contracts.
    pub imports: Arc<dyn Imports>,
    /// Takes events that are pushed.
    pub pushes: Arc<dyn Pushes>,
    /// What changed, for open pages.
    pub live: Arc<Live>,
    /// Counts and times of this process.
    pub metrics: Arc<Metrics>,
    /// Looks how the sources stand.
    pub pipelines: Arc<dyn Pipelines>,
}

impl Deref for Parts {
    type Target = Reading;

    fn deref(&self) -> &Reading {
        &self.reading
    }
}

/// Runs stages of the pipeline inside the serving process, which is the lake's one writer.
#[async_trait]
pub trait Jobs: Send + Sync {
    /// Runs what is asked for; what went wrong is part of the answer.
    async fn run(&self, order: Order) -> Done;
}

/// Work that another process hands over.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// `run`, `ingest`, `transform`, `upkeep`, `replay` (of rows in quarantine) or `reread` (of a door).
    pub stage: String,
    /// Folder with the exports; the server's own if there is none.
    #[serde(default)]
    pub input: Option<std::path::PathBuf>,
    /// Pipelines or models; all if there is none.
    #[serde(default)]
    pub names: Vec<String>,
    /// Transform: build everything anew. Ingest: date old rows as a first load does.
    #[serde(default)]
    pub is_full: bool,
    /// Whether the report is lines of JSON instead of a table.
    #[serde(default)]
    pub is_json: bool,
    /// Replay: rows that were refused for this reason only.
    #[serde(default)]
    pub reason: Option<String>,
    /// Replay: rows of the file of this number only.
    #[serde(default)]
    pub file_no: Option<i64>,
    /// Transform: first date that is built again. Reread: first day whose messages are read again.
    #[serde(default)]
    pub from_on: Option<chrono::NaiveDate>,
    /// The last of them; today if there is none.
    #[serde(default)]
    pub to_on: Option<chrono::NaiveDate>,
}

/// What a command prints and how it ends.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// For standard output: one line a table or source.
    pub report: String,
    /// For standard error: what was refused or failed, and what to do.
    pub messages: Vec<String>,
    /// Exit code.
    pub exit_code: u8,
}

/// What tables and figures mean.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    /// Tables, in the order in which they are built.
    pub tables: Vec<CatalogTable>,
    /// Measures of the portrait.
    pub measures: Vec<MeasureWords>,
    /// Tags of the portrait.
    pub tags: Vec<TagWords>,
    /// Sources.
    pub sources: Vec<SourceWords>,
    /// Rules that offer warnings or findings.
    pub rules: Vec<RuleWords>,
    /// Work lists.
    pub lists: Vec<ListWords>,
    /// Risk models.
    pub models: Vec<ModelWords>,
}

/// One table of the catalogue.
#[derive(Debug, Clone)]
pub struct CatalogTable {
    /// Name.
    pub table: String,
    /// One sentence in Chinese; in English where its file has no other.
    pub about_zh: String,
    /// The same in English.
    pub about_en: String,
    /// Unique columns.
    pub grain: String,
    /// Who answers for it.
    pub owner: String,
    /// raw, staging, table, rule, list.
    pub kind: String,
    /// How it is stored.
    pub materialized: String,
    /// What it may be used for.
    pub purpose: Vec<String>,
    /// What it is made of.
    pub inputs: Vec<String>,
    /// Columns, with class, meaning and unit in their metadata.
    pub schema: SchemaRef,
}

/// One measure as a portrait shows it.
#[derive(Debug, Clone)]
pub struct MeasureWords {
    /// Name.
    pub measure: String,
    /// Title in Chinese.
    pub title_zh: String,
    /// Title in English.
    pub title_en: String,
    /// One sentence in Chinese; in English where its file has no other.
    pub about_zh: String,
    /// The same in English.
    pub about_en: String,
    /// Unit of the value.
    pub unit: String,
    /// Part of the portrait.
    pub dimension: String,
    /// What it is about within the dimension.
    pub facet: String,
    /// Whether it lies in the closed compartment.
    pub is_closed: bool,
    /// File that defines it.
    pub path: String,
    /// Its query.
    pub sql: String,
    /// Days that it looks back on.
    pub window: String,
    /// What it may be used for.
    pub purpose: Vec<String>,
    /// Tables that it is made of.
    pub source: Vec<String>,
    /// Least support.
    pub n_min: i64,
    /// Least coverage.
    pub cov_min: f64,
}

/// One tag as a portrait shows it.
#[derive(Debug, Clone)]
pub struct TagWords {
    /// Name.
    pub tag: String,
    /// Title in Chinese.
    pub title_zh: String,
    /// Title in English.
    pub title_en: String,
    /// Part of the portrait.
    pub dimension: String,
}

/// One source of the catalogue: who answers for it, what for, and until when that is approved.
#[derive(Debug, Clone)]
pub struct SourceWords {
    /// Pipeline.
    pub source: String,
    /// One sentence in Chinese; in English where its file has no other.
    pub about_zh: String,
    /// The same in English.
    pub about_en: String,
    /// Who answers for it.
    pub owner: String,
    /// event or state.
    pub shape: String,
    /// Whether each file holds the whole register.
    pub is_full: bool,
    /// Whether it arises on the platform: nobody delivers it.
    pub is_own: bool,
    /// What it may be used for.
    pub purpose: Vec<String>,
    /// How long raw rows are kept, in days.
    pub retention_days: i64,
    /// How long a row usually takes to arrive, in hours.
    pub usual_delay_h: i64,
    /// Columns that are taken in.
    pub column_n: usize,
    /// Columns that stay in the vault.
    pub identity_n: usize,
}

/// One rule as a notice shows it.
#[derive(Debug, Clone)]
pub struct RuleWords {
    /// Name.
    pub rule: String,
    /// Title in Chinese.
    pub title_zh: String,
    /// Title in English.
    pub title_en: String,
    /// Measure that its evidence is of.
    pub measure: String,
    /// Unit of what was and what is.
    pub unit: String,
    /// What it does not mean, in Chinese.
    pub caveat_zh: String,
    /// What it does not mean, in English.
    pub caveat_en: String,
    /// A first step that somebody may take, in Chinese.
    pub first_step_zh: String,
    /// A first step that somebody may take, in English.
    pub first_step_en: String,
}

/// One risk model.
#[derive(Debug, Clone)]
pub struct ModelWords {
    /// Name.
    pub model: String,
    /// Title in Chinese.
    pub title_zh: String,
    /// Title in English.
    pub title_en: String,
    /// One sentence: whom it speaks of, in Chinese.
    pub about_zh: String,
    /// The same in English.
    pub about_en: String,
    /// Kind of work that follows: academic or life_aid.
    pub thread: String,
    /// The outcome that it learns from.
    pub label: String,
    /// What that outcome is, in Chinese.
    pub label_about_zh: String,
    /// The same in English.
    pub label_about_en: String,
    /// Days after an as-of date in which the outcome counts.
    pub horizon_days: u16,
    /// What it does not mean, in Chinese.
    pub caveat_zh: String,
    /// What it does not mean, in English.
    pub caveat_en: String,
    /// What it reads.
    pub inputs: Vec<InputWords>,
    /// What needs no model and must be beaten, by name: titles in Chinese and in English.
    pub baselines: BTreeMap<String, (String, String)>,
}

/// One input of a risk model.
#[derive(Debug, Clone, Serialize)]
pub struct InputWords {
    /// Name of the measure; with `.z_self` or `.z_peer` its distance from the own past or the peers.
    pub input: String,
    /// Title in Chinese.
    pub title_zh: String,
    /// Title in English.
    pub title_en: String,
    /// Unit.
    pub unit: String,
    /// One sentence in Chinese; in English where its file has no other.
    pub about_zh: String,
    /// The same in English.
    pub about_en: String,
}

/// One work list.
#[derive(Debug, Clone)]
pub struct ListWords {
    /// Name without the table's prefix.
    pub list: String,
    /// Title in Chinese.
    pub title_zh: String,
    /// Title in English.
    pub title_en: String,
    /// One sentence in Chinese.
    pub about_zh: String,
    /// The same in English.
    pub about_en: String,
    /// Who works it off.
    pub owner: String,
    /// Whether it follows what comes while the day goes on.
    pub is_live: bool,
    /// Local minute of the night from which on a list of a night may be read as complete.
    pub complete_minute: Option<i64>,
    /// Columns that make a row one, by which it is ordered.
    pub grain: Vec<String>,
    /// Heads of columns: name, Chinese, English, in the order of the file; others show their own name.
    pub heads: Vec<(String, String, String)>,
}

#[derive(Clone)]
pub(crate) struct State {
    pub(crate) config: Arc<Config>,
    pub(crate) parts: Parts,
    /// Room for requests with events.
    pub(crate) rooms: Rooms,
}

impl State {
    pub(crate) fn new(config: Config, parts: Parts) -> Self {
        let rooms = Rooms::new(config.pushes_max);
        Self { config: Arc::new(config), parts, rooms }
    }
}
