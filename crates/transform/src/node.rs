//! A node of the graph: one table that is made of others, whether a file in `sql/` or a contract says how.

use std::collections::BTreeMap;

use schema::{Cadence, Class, Kind, Materialized, Model, ModelColumn, OnConflict, Pipeline};

use crate::staging;

/// What a node is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Rows come through the door.
    Raw,
    /// A query, from a file or generated.
    Query,
    /// `feat_measure`: every measure, its floors, the person's own past and peers.
    Measures,
    /// `warning_signal`: every trend against the person's own past, cleared of what groups did together.
    Signals,
    /// `warning_student`: candidates bundled, within what people have hours for.
    Offers,
    /// `model_version`, `model_backtest`: written when a risk model is trained or judged, not by a build.
    Kept,
    /// `model_drift`: how far what risk models read has moved.
    Drift,
    /// `risk_score`: what risk models say of their cohort.
    Scores,
    /// `model_audit`: whether groups are treated alike.
    Audit,
    /// `model_effect`: whether following offers up helped.
    Effect,
    /// `model_visit`: whom offers found and missed, relative to what visits saw.
    Visits,
}

/// One table of the graph.
#[derive(Debug, Clone)]
pub struct Node {
    /// Table name.
    pub name: String,
    /// File it comes from, relative to the project.
    pub path: String,
    /// One sentence.
    pub about: String,
    /// The same in Chinese, where the file says it.
    pub about_zh: Option<String>,
    /// Who answers for it.
    pub owner: String,
    /// Kind of model, as the catalogue shows it.
    pub kind: String,
    /// How it is stored; raw tables are `day` for events and `whole` for states.
    pub materialized: Materialized,
    /// Unique columns within a partition.
    pub grain: Vec<String>,
    /// Column with the person that a row is about.
    pub subject: Option<String>,
    /// What it may be used for.
    pub purpose: Vec<String>,
    /// Meaning and class of columns, as the file gives them.
    pub columns: BTreeMap<String, ModelColumn>,
    /// Tables it reads, directly.
    pub inputs: Vec<String>,
    /// The query with settings put in; empty for raw tables and measures.
    pub sql: String,
    pub(crate) origin: Origin,
    pub(crate) lookback_days: i32,
    pub(crate) cadence: Cadence,
    pub(crate) is_cached: bool,
    /// As-of partitions are kept for ever: what was issued is immutable.
    pub(crate) is_kept: bool,
    /// Rows are versions with `known_at` and `superseded_at`.
    pub(crate) is_versioned: bool,
    /// The tick keeps it up to date while a day goes on.
    pub(crate) is_live: bool,
}

impl Node {
    fn generated(name: String, path: &str, about: String, owner: &str, materialized: Materialized, sql: String) -> Self {
        Self {
            name,
            path: path.to_owned(),
            about,
            about_zh: None,
            owner: owner.to_owned(),
            kind: "staging".to_owned(),
            materialized,
            grain: Vec::new(),
            subject: None,
            purpose: Vec::new(),
            columns: BTreeMap::new(),
            inputs: Vec::new(),
            sql,
            origin: Origin::Query,
            lookback_days: 0,
            cadence: Cadence::Day,
            is_cached: false,
            is_kept: false,
            is_versioned: false,
            is_live: false,
        }
    }

    /// The raw table of a pipeline, and the staging tables that its contract asks for.
    pub(crate) fn of_pipeline(pipeline: &Pipeline) -> Vec<Node> {
        let name = pipeline.name();
        let path = format!("pipelines/{name}.toml");
        let head = &pipeline.pipeline;
        let has_student = schema::raw_schema(pipeline).field_with_name("student_key").is_ok();
        let complete = |mut node: Node| {
            node.purpose = head.purpose.clone();
            node.about_zh = head.about_zh.clone();
            node.subject = has_student.then(|| "student_key".to_owned());
            node
        };
        let stored = if pipeline.is_event() { Materialized::Day } else { Materialized::Whole };
        let mut raw = Node::generated(pipeline.raw_table(), &path, head.about.clone(), &head.owner, stored, String::new());
        raw.origin = Origin::Raw;
        raw.kind = "raw".to_owned();
        raw.grain = vec!["file_no".to_owned(), "row_no".to_owned()];
        raw.is_versioned = pipeline.is_event();
        let mut nodes = vec![complete(raw)];
        if pipeline.is_event() {
            let mut duplicates = Node::generated(
                format!("dup_{name}"),
                &path,
                format!("Rows of raw_{name} that another row of the same key and day supersedes."),
                &head.owner,
                Materialized::Day,
                staging::duplicates_sql(pipeline),
            );
            duplicates.grain = vec!["file_no".to_owned(), "row_no".to_owned()];
            duplicates.about_zh = Some(format!("raw_{name} 中已被同一主键、同一天的另一行取代的行。"));
            duplicates.columns = superseded();
            nodes.push(duplicates);
            let mut staging = Node::generated(
                format!("stg_{name}"),
                &path,
                head.about.clone(),
                &head.owner,
                Materialized::View,
                staging::event_sql(pipeline),
            );
            staging.grain = staging::key_columns(pipeline);
            staging.is_versioned = true;
            if pipeline.contract.on_conflict == OnConflict::Latest {
                staging.columns = superseded();
            }
            nodes.push(complete(staging));
        } else {
            let mut staging = Node::generated(
                format!("stg_{name}"),
                &path,
                head.about.clone(),
                &head.owner,
                Materialized::Whole,
                staging::state_sql(pipeline),
            );
            staging.grain = staging::key_columns(pipeline);
            staging.grain.push("known_at".to_owned());
            staging.grain.push("file_no".to_owned());
            staging.grain.push("row_no".to_owned());
            staging.is_versioned = true;
            staging.columns = superseded();
            nodes.push(complete(staging));
        }
        nodes
    }

    /// A model file that is a table, view or list.
    pub(crate) fn of_model(model: &Model) -> Node {
        let front = &model.front;
        let mut node = Node::generated(
            model.name.clone(),
            &model.path,
            front.about.clone(),
            &front.owner,
            model.materialized(),
            model.query(),
        );
        node.kind = match front.kind {
            Kind::Table => "table",
            Kind::Measure => "measure",
            Kind::Rule => "rule",
            Kind::Trend => "trend",
            Kind::Label => "label",
            Kind::Risk => "risk",
            Kind::Tag => "tag",
            Kind::List => "list",
            Kind::Check => "check",
        }
        .to_owned();
        node.about_zh = front.about_zh.clone();
        node.grain = front.grain.clone();
        node.subject = front.subject.clone();
        node.purpose = front.purpose.clone();
        node.columns = front.columns.clone();
        node.lookback_days = front.lookback.map_or(0, |it| it.days() as i32);
        node.cadence = front.cadence;
        node.is_cached = front.cached;
        node.is_live = front.live;
        // A staging table that a project writes itself carries versions as a generated one does.
        node.is_versioned = node.name.starts_with("stg_");
        node
    }

    /// The sentence for Chinese readers: the English one where there is no other.
    pub fn said_zh(&self) -> &str {
        self.about_zh.as_deref().unwrap_or(&self.about)
    }

    /// Name of the partition column, if the table has partitions.
    pub(crate) fn partition_by(&self) -> Option<&'static str> {
        match self.materialized {
            Materialized::Day | Materialized::StudentDay => Some("occurred_on"),
            Materialized::AsOf => Some("as_of_on"),
            Materialized::View | Materialized::Whole => None,
        }
    }

    /// Whether the node is a label: outcomes, which only evaluation may read.
    pub(crate) fn is_label(&self) -> bool {
        self.kind == "label"
    }

    /// Whether it says how things stand on the open day, which `$as_of` then is: nothing of it is kept when the day is over.
    pub(crate) fn is_of_open_day(&self) -> bool {
        self.is_live && self.materialized == Materialized::Whole
    }

    /// Whether rows are stored.
    pub(crate) fn is_stored(&self) -> bool {
        self.materialized != Materialized::View
    }
}

/// The one column that staging adds.
fn superseded() -> BTreeMap<String, ModelColumn> {
    let about = Some("Instant from which a newer version of the row holds; empty for the current one.".to_owned());
    let about_zh = Some("自该时刻起由较新的版本取代；当前版本为空。".to_owned());
    BTreeMap::from([(
        "superseded_at".to_owned(),
        ModelColumn { about, about_zh, class: Some(Class::Internal), ..Default::default() },
    )])
}
