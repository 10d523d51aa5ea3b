//! A model: one SQL file with TOML front matter that says what the table, measure, rule, list or check means.

use std::collections::BTreeMap;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Class, Error, Span};

/// A SQL file read: its name, what it says of itself, and its query.
#[derive(Debug, Clone)]
pub struct Model {
    /// Table name: the file's stem.
    pub name: String,
    /// The front matter.
    pub front: FrontMatter,
    /// The query below the front matter.
    pub sql: String,
    /// Line of the file on which the query begins, for messages.
    pub sql_line: usize,
    /// Path relative to the project, for messages and lineage.
    pub path: String,
}

/// What a model says of itself.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FrontMatter {
    /// What the file makes.
    pub kind: Kind,
    /// One sentence for the catalogue.
    pub about: String,
    /// The same sentence in Chinese, for those who read the screens; without it they read `about`.
    #[serde(default)]
    pub about_zh: Option<String>,
    /// Office or person that answers for it.
    pub owner: String,
    /// How it is stored, and so what a change dirties. Measures, rules and lists are `as_of`, checks a `view`.
    #[serde(default)]
    pub materialized: Option<Materialized>,
    /// Columns that are unique in a partition, checked after every build.
    #[serde(default)]
    pub grain: Vec<String>,
    /// Column with the person a row is about; absent when rows are about no person.
    #[serde(default)]
    pub subject: Option<String>,
    /// What it may be used for.
    #[serde(default)]
    pub purpose: Vec<String>,
    /// Views: kept in memory while the tables of one as-of date are built, because several read it.
    #[serde(default)]
    pub cached: bool,
    /// Kept up to date by the tick while a day goes on (实时): a `day` or `student_day` table, or one that is made whole and
    /// says how things stand on the open day, which is then what `$as_of` means. Lists that are live are `whole`.
    #[serde(default)]
    pub live: bool,
    /// Live lists about no person: whoever is on duty is told once of each row, in words that say nothing of it.
    #[serde(default)]
    pub tell: bool,
    /// Days before a dirty day that a `day` model also reads.
    #[serde(default)]
    pub lookback: Option<Span>,
    /// Which as-of dates are kept: `day` (all recent days and Mondays) or `week` (Mondays only).
    #[serde(default)]
    pub cadence: Cadence,
    /// Meaning and class of each output column.
    #[serde(default)]
    pub columns: BTreeMap<String, ModelColumn>,

    /// Measures and tags: part of the portrait it belongs to.
    #[serde(default)]
    pub dimension: Option<String>,
    /// Measures: what it is about within the dimension, as `rhythm` or `economy`.
    #[serde(default)]
    pub facet: Option<String>,
    /// Measures and rules: unit of `value`, or of `baseline` and `now_value`.
    #[serde(default)]
    pub unit: Option<String>,
    /// Measures: days that the value looks back on, for the screen and for the reader of the figure.
    #[serde(default)]
    pub window: Option<Span>,
    /// Measures: least support; below it the value is NULL (数据不足).
    #[serde(default)]
    pub n_min: Option<i64>,
    /// Measures: least coverage; below it the value is NULL.
    #[serde(default)]
    pub cov_min: Option<f64>,
    /// Measures: least denominator of `z_self` and `z_peer`, in the measure's unit.
    #[serde(default)]
    pub mad_floor: Option<f64>,
    /// Measures: what narrows the peer group of this one further, as `table.column` of as-of tables with a row a person: for
    /// meals the main canteen. Where the narrowed group is small the usual one is taken, and then the wider one.
    #[serde(default)]
    pub peer_also: Vec<String>,
    /// Measures: class of the value. Risk models: `closed` keeps what it says out of the care offers; a list of its office
    /// reads it.
    #[serde(default)]
    pub class: Option<Class>,
    /// Title in Chinese, for screens.
    #[serde(default)]
    pub title_zh: Option<String>,
    /// Title in English, for screens.
    #[serde(default)]
    pub title_en: Option<String>,
    /// Rules: severity, always 1, for one channel is never more; absent for a finding that is no level.
    #[serde(default)]
    pub severity: Option<u8>,
    /// Rules and trends: where it is seen, as `meal` or `return`; findings of one channel are one witness.
    #[serde(default)]
    pub channel: Option<String>,
    /// Rules and trends: the kind of work that follows.
    #[serde(default)]
    pub thread: Option<Thread>,
    /// Trends: whether more or less is what somebody should look at.
    #[serde(default)]
    pub direction: Option<Direction>,
    /// Trends: what moves a week by chance: how much students' weeks vary, or that it is a share of `n` events.
    #[serde(default)]
    pub noise: Noise,
    /// Rules: the measure that the evidence is of.
    #[serde(default)]
    pub measure: Option<String>,
    /// Rules: what the finding does not mean, in Chinese.
    #[serde(default)]
    pub caveat_zh: Option<String>,
    /// Rules: what the finding does not mean, in English.
    #[serde(default)]
    pub caveat_en: Option<String>,
    /// Rules, trends and risk models: a first step that somebody may take, in plain words, in Chinese; without one the thread's.
    #[serde(default)]
    pub first_step_zh: Option<String>,
    /// The same in English.
    #[serde(default)]
    pub first_step_en: Option<String>,
    /// Lists of a night: local time, as `23:30`, from which on the list is complete; half an hour after the doors close.
    #[serde(default)]
    pub complete_at: Option<String>,
    /// Labels: days after an as-of date in which the outcome counts. Risk models: another horizon than the label's.
    #[serde(default)]
    pub horizon: Option<Span>,
    /// Labels: days after the horizon until its last outcome is in the platform. Risk models: another one than the label's.
    #[serde(default)]
    pub gap: Option<Span>,
    /// Labels: the outcome may come again, so that who had it is still to be looked after.
    #[serde(default)]
    pub recurs: bool,
    /// Risk models: the label that it learns from.
    #[serde(default)]
    pub label: Option<String>,
    /// Risk models: measures that it reads; with `.z_self` or `.z_peer` their distance from the own past or the peers.
    #[serde(default)]
    pub inputs: Vec<String>,
    /// Risk models: kinds of model that compete; the plainest first.
    #[serde(default)]
    pub candidates: Vec<RiskKind>,
    /// Risk models: what needs no model and must be beaten: rules and trends by name, inputs as `low:NAME` or `high:NAME`, a
    /// column of a table as of a date as `TABLE.COLUMN`, where more comes first and empty never.
    #[serde(default)]
    pub baselines: Vec<String>,
    /// Risk models: students on the list of a week; by default what the owners have hours for.
    #[serde(default)]
    pub budget: Option<u32>,
    /// Risk models: table with `student_key, contacted_on, known_on`: whom staff spoke with. A backtest tells beside the others
    /// what the order of most talks lately was worth (辅导员自己的名单); it decides nothing.
    #[serde(default)]
    pub own_list: Option<String>,
    /// Risk models: table with `student_key, intervened_on, known_on`; who was helped inside the horizon teaches nothing.
    #[serde(default)]
    pub censor_by: Option<String>,
    /// Settings of the model: `${name}` in the query becomes the value; thresholds live here and not in the SQL. From how
    /// many people on a figure is told says the project: `${k_default}`, and `${k_sensitive}` for care.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    pub settings: BTreeMap<String, toml::Value>,
}

/// First letters of tables of the closed compartment (封闭库): they lie in a lake of their own.
pub const CLOSED_PREFIX: &str = "closed_";

/// Whether a table belongs to the closed compartment.
pub fn is_closed_table(table: &str) -> bool {
    table.starts_with(CLOSED_PREFIX)
}

/// What a model makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A table.
    Table,
    /// A long measure: `student_key, value, n, cov`, landing in `feat_measure`.
    Measure,
    /// A rule that offers a warning: lands in `warning_student`, or a finding without severity.
    Rule,
    /// A trend: `student_key, week_no, value, n, cov` by week; what left the own past lands in `warning_signal`.
    Trend,
    /// An outcome: `student_key, outcome, event_on, known_on`; for training and evaluation, never an input.
    Label,
    /// A risk model: the query is its cohort, `student_key, place` and attributes for the audit; lands in `risk_score`.
    Risk,
    /// A tag of the portrait: a statement of fact with a date, evidence and expiry; lands in `portrait_tag`.
    Tag,
    /// A complete work list: dated, owned, outside any budget.
    List,
    /// A query of offending rows; zero rows pass.
    Check,
}

/// A kind of risk model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RiskKind {
    /// Logistic regression with missing indicators: the plainest.
    Logistic,
    /// Balanced bagging of trees.
    Forest,
    /// Gradient boosting of trees.
    Boost,
}

/// First letters of tables of outcomes.
pub const LABEL_PREFIX: &str = "label_";

/// Kind of work that follows a finding (线索类别): each has its own owner, readers and record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Thread {
    /// Study (学业).
    Academic,
    /// Life and aid (生活与资助).
    LifeAid,
    /// Safety (安全核实).
    Safety,
    /// Psychology (心理): never raised by data alone.
    Psych,
}

impl Thread {
    /// A first step for what says none of its own, in Chinese and in English.
    pub fn first_step(self) -> (&'static str, &'static str) {
        match self {
            Self::Academic => (
                "问问学生哪门课需要帮助，请任课教师或学业导师一起想办法。",
                "Ask which course needs help, and bring in teacher or tutor.",
            ),
            Self::LifeAid => {
                ("找个合适的时间聊聊近况，先听，不下结论。", "Find a moment to talk, and listen before concluding anything.")
            }
            Self::Safety => (
                "先打电话给本人；打不通，按安全核实的步骤逐级进行。",
                "Ring the student first; if there is no answer, go on with the steps of the safety check.",
            ),
            Self::Psych => ("请联系本学院的心理教师。", "Speak with the psychologist of the college."),
        }
    }

    /// The word in tables and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Thread::Academic => "academic",
            Thread::LifeAid => "life_aid",
            Thread::Safety => "safety",
            Thread::Psych => "psych",
        }
    }
}

/// Which way a trend is worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// More is what somebody should look at.
    Rising,
    /// Less is.
    Falling,
}

/// What moves a week of a trend by chance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Noise {
    /// As much as a student's weeks vary.
    #[default]
    Spread,
    /// The value is the share of `n` events that were so: of few events one alone moves it far.
    Events,
}

/// How a model is stored, and so what a change dirties.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Materialized {
    /// Nothing is stored.
    View,
    /// One partition a campus day, made of the same day of its inputs plus lookback.
    Day,
    /// One row a student and campus day and the day it was known: a late row adds a version.
    StudentDay,
    /// One partition an as-of date, inputs as known by then, written once.
    AsOf,
    /// Small; rebuilt when any input changes.
    Whole,
}

/// Which as-of dates of a model are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cadence {
    /// Mondays, and every day of the last 14.
    #[default]
    Day,
    /// Mondays only.
    Week,
}

/// Meaning and class of an output column.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelColumn {
    /// What it means; may be left out where the unit says it all.
    #[serde(default)]
    pub about: Option<String>,
    /// The same in Chinese, for screens.
    #[serde(default)]
    pub about_zh: Option<String>,
    /// Lists: head of the column on screens, in Chinese.
    #[serde(default)]
    pub title_zh: Option<String>,
    /// Lists: head of the column on screens, in English.
    #[serde(default)]
    pub title_en: Option<String>,
    /// Unit of the value.
    #[serde(default)]
    pub unit: Option<String>,
    /// Class; by default the highest of the columns it is made of.
    #[serde(default)]
    pub class: Option<Class>,
}

impl FrontMatter {
    /// The sentence for Chinese readers: the English one where the file has no other.
    pub fn said_zh(&self) -> &str {
        self.about_zh.as_deref().unwrap_or(&self.about)
    }
}

impl Model {
    /// Reads a SQL file with front matter; `path` is relative to the project. `shared` are settings that hold for all files
    /// and that none may give a value of its own: a figure that one table holds back must not be told by another.
    ///
    /// # Errors
    /// If there is no front matter, it has an unknown key, or it contradicts the kind.
    pub fn parse(path: &Path, text: &str, shared: &BTreeMap<String, toml::Value>) -> Result<Self, Error> {
        let missing = || Error::NoFrontMatter { path: path.to_owned() };
        let rest = text.trim_start_matches('\u{feff}').strip_prefix("/*---").ok_or_else(missing)?;
        let (head, sql) = rest.split_once("---*/").ok_or_else(missing)?;
        let mut front: FrontMatter = crate::parse_toml(path, head)?;
        for (name, value) in shared {
            let own = front.settings.insert(name.clone(), value.clone());
            if own.is_some() {
                let message = "is one number for all files, a setting of the project: take it out here".to_owned();
                return Err(Error::Value { path: path.to_owned(), key: format!("settings.{name}"), message });
            }
            if !sql.contains(&format!("${{{name}}}")) {
                front.settings.remove(name);
            }
        }
        let name = path.file_stem().map(|it| it.to_string_lossy().into_owned()).ok_or_else(missing)?;
        let sql_line = 1 + head.matches('\n').count() + sql.len() - sql.trim_start_matches('\n').len();
        let model = Self {
            name,
            front,
            sql: sql.trim().trim_end_matches(';').to_owned(),
            sql_line,
            path: path.to_string_lossy().replace('\\', "/"),
        };
        model.check(path)?;
        Ok(model)
    }

    /// How the model is stored; the kind decides where the front matter does not.
    pub fn materialized(&self) -> Materialized {
        self.front.materialized.unwrap_or(match self.front.kind {
            Kind::List if self.front.live => Materialized::Whole,
            Kind::Measure | Kind::Rule | Kind::Trend | Kind::Risk | Kind::Tag | Kind::List => Materialized::AsOf,
            Kind::Check => Materialized::View,
            Kind::Table | Kind::Label => Materialized::Whole,
        })
    }

    /// The query with its settings put in.
    pub fn query(&self) -> String {
        let mut sql = self.sql.clone();
        for (name, value) in &self.front.settings {
            let text = match value {
                toml::Value::String(text) => format!("'{}'", text.replace('\'', "''")),
                other => other.to_string(),
            };
            sql = sql.replace(&format!("${{{name}}}"), &text);
        }
        sql
    }

    fn check(&self, path: &Path) -> Result<(), Error> {
        let refuse = |key: &str, message: &str| {
            Err(Error::Value { path: path.to_owned(), key: key.to_owned(), message: message.to_owned() })
        };
        let front = &self.front;
        if matches!(front.kind, Kind::Rule | Kind::Trend) {
            if front.channel.is_none() || front.thread.is_none() {
                return refuse(
                    "channel",
                    "a rule or trend says the channel that it is seen on, and the thread of work that follows",
                );
            }
            if front.thread == Some(Thread::Psych) {
                return refuse("thread", "data alone opens no thread of psychology");
            }
        }
        if front.first_step_zh.is_some() != front.first_step_en.is_some() {
            return refuse("first_step_zh", "a first step is said in both languages, or left to the thread");
        }
        if front.live {
            let is_stored = matches!(self.materialized(), Materialized::Whole | Materialized::Day | Materialized::StudentDay);
            if !matches!(front.kind, Kind::Table | Kind::List) || !is_stored {
                return refuse(
                    "live",
                    "only a table or list that is stored whole or by day is kept up to date by the tick: what is as of a date is \
                     written once",
                );
            }
            if front.complete_at.is_some() {
                return refuse(
                    "live",
                    "a live list says with a column from_at since when each of its rows holds, and no complete_at",
                );
            }
        }
        if front.tell && !(front.live && front.kind == Kind::List && front.subject.is_none()) {
            return refuse("tell", "only of a live list that is about no person is anybody told by the tick");
        }
        for step in front.first_step_zh.iter().chain(&front.first_step_en) {
            if let Some(word) = crate::forbidden(step).first() {
                return refuse("first_step_zh", &format!("\"{word}\" is never said of a student"));
            }
        }
        match front.kind {
            Kind::Label => {
                if !self.name.starts_with(LABEL_PREFIX) {
                    return refuse("kind", "the file of a label is named label_…, so that its table can be told from others");
                }
                if front.horizon.is_none_or(|it| it.days() == 0) || front.gap.is_none() {
                    return refuse(
                        "horizon",
                        "a label says its horizon, as \"90d\", and the gap until its outcomes are in the platform",
                    );
                }
                if front.title_zh.is_none() || front.title_en.is_none() || front.grain.is_empty() {
                    return refuse("title_zh", "a label has a title in both languages and a grain");
                }
                if self.materialized() != Materialized::Whole {
                    return refuse(
                        "materialized",
                        "a label is stored whole: its column known_on says since when each outcome is known",
                    );
                }
            }
            Kind::Risk => {
                if !matches!(front.thread, Some(Thread::Academic | Thread::LifeAid)) {
                    return refuse(
                        "thread",
                        "a risk model is of study (academic) or of hardship (life_aid); nothing else is ranked by one",
                    );
                }
                if front.label.is_none() || front.inputs.is_empty() || front.candidates.is_empty() || front.baselines.is_empty() {
                    return refuse(
                        "inputs",
                        "a risk model says its label, inputs, candidates, and the baselines that it must beat",
                    );
                }
                if front.title_zh.is_none() || front.title_en.is_none() || front.caveat_zh.is_none() || front.caveat_en.is_none()
                {
                    return refuse("caveat_zh", "a risk model has a title, and says what it does not mean, in both languages");
                }
                if front.budget == Some(0) {
                    return refuse("budget", "a list of nobody cannot be judged: leave it out, and the owners' hours decide");
                }
                if self.materialized() != Materialized::AsOf {
                    return refuse("materialized", "the cohort of a risk model is as of a date");
                }
            }
            Kind::Measure => {
                if front.unit.is_none() || front.dimension.is_none() || front.class.is_none() {
                    return refuse("unit", "a measure says its unit, dimension and class");
                }
                let is_name = |it: &str| {
                    !it.is_empty() && it.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'_')
                };
                let is_named = |it: &String| it.split_once('.').is_some_and(|(table, column)| is_name(table) && is_name(column));
                if let Some(it) = front.peer_also.iter().find(|it| !is_named(it)) {
                    return refuse("peer_also", &format!("\"{it}\" is not written table.column"));
                }
                if front.n_min.is_none() || front.cov_min.is_none() || front.mad_floor.is_none() {
                    return refuse("n_min", "a measure says its floors: n_min, cov_min, mad_floor");
                }
                if front.title_zh.is_none() || front.title_en.is_none() {
                    return refuse("title_zh", "a measure has a title in both languages");
                }
            }
            Kind::Rule => {
                if front.severity.is_some_and(|it| it != 1) {
                    return refuse(
                        "severity",
                        "one channel is severity 1, whatever is found in it: 2 takes two independent channels, or a person's report",
                    );
                }
                if front.title_zh.is_none() || front.caveat_zh.is_none() || front.caveat_en.is_none() {
                    return refuse("caveat_zh", "a rule has a title, and says what it does not mean, in both languages");
                }
            }
            Kind::Trend => {
                if front.unit.is_none() || front.class.is_none() || front.direction.is_none() {
                    return refuse("direction", "a trend says its unit, class and direction: rising or falling");
                }
                if front.n_min.is_none() || front.cov_min.is_none() {
                    return refuse("n_min", "a trend says its floors: n_min, cov_min");
                }
                if front.mad_floor.is_none() == (front.noise == Noise::Spread) {
                    return refuse("mad_floor", "a trend has a mad_floor, unless its noise is that of events, which has none");
                }
                if front.title_zh.is_none() || front.title_en.is_none() || front.caveat_zh.is_none() || front.caveat_en.is_none()
                {
                    return refuse("caveat_zh", "a trend has a title, and says what it does not mean, in both languages");
                }
            }
            Kind::Table | Kind::List => {
                let is_time = |it: &String| chrono::NaiveTime::parse_from_str(it, "%H:%M").is_ok();
                if front.complete_at.as_ref().is_some_and(|it| front.kind != Kind::List || !is_time(it)) {
                    return refuse("complete_at", "a list of a night is complete from a local time on: write \"23:30\"");
                }
                if front.grain.is_empty() && front.materialized != Some(Materialized::View) {
                    return refuse("grain", "a stored table states the columns that are unique in it");
                }
            }
            Kind::Tag => {
                if front.title_zh.is_none() || front.title_en.is_none() || front.dimension.is_none() {
                    return refuse("title_zh", "a tag has a title in both languages and a dimension");
                }
            }
            Kind::Check => {}
        }
        if let Some(at) = self.query().find("${") {
            let line = self.sql_line + self.query()[..at].matches('\n').count();
            return refuse("settings", &format!("line {line} uses a setting that the front matter does not give"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(more: &str) -> Result<Model, String> {
        let text = format!(
            "/*---\nkind = \"table\"\nabout = \"Beds.\"\n{more}\nowner = \"office\"\ngrain = [\"bed\"]\n\
             [columns]\nbed = {{ about = \"Bed.\", about_zh = \"床位。\" }}\n---*/\nSELECT 1 AS bed\n"
        );
        Model::parse(Path::new("beds.sql"), &text, &BTreeMap::new()).map_err(|it| it.to_string())
    }

    #[test]
    fn a_chinese_sentence_stands_beside_the_english_one_and_may_be_left_out() {
        let both = parsed("about_zh = \"床位由谁居住。\"").expect("sound").front;
        assert_eq!((both.about.as_str(), both.said_zh()), ("Beds.", "床位由谁居住。"));
        assert_eq!(both.columns["bed"].about_zh.as_deref(), Some("床位。"));
        assert_eq!(parsed("").expect("a school's own may be without it").front.said_zh(), "Beds.");
        assert!(parsed("about_cn = \"床位\"").expect_err("no such key").contains("about_cn"));
    }
}
