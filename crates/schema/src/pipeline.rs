//! A pipeline: one TOML file that says where a source comes from and what its rows must be (the contract).
//!
//! Comes in: the text of `pipelines/*.toml`. Goes out: [`Pipeline`], checked. Knows nothing of files or tables.

use std::collections::BTreeMap;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Class, Error, PersonKind, Span};

/// One source and its contract, as `pipelines/<name>.toml` says it.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pipeline {
    /// What the source is and where it comes from.
    pub pipeline: Head,
    /// What its rows must be.
    pub contract: Contract,
    /// Every column of the source, in the order in which checks are made. An undeclared column is refused.
    #[serde(deserialize_with = "ordered::columns")]
    #[schemars(with = "BTreeMap<String, Column>")]
    pub columns: Columns,
}

/// The columns of a pipeline by name, in the order of the file.
pub type Columns = Vec<(String, Column)>;

/// What a source is and where it comes from.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Name of the pipeline; its tables are `raw_<name>` and `stg_<name>`.
    pub name: String,
    /// One sentence for the catalogue.
    pub about: String,
    /// The same sentence in Chinese, for those who read the screens; without it they read `about`.
    #[serde(default)]
    pub about_zh: Option<String>,
    /// Events happen once; states are replaced by newer versions.
    pub shape: Shape,
    /// For states: whether a file is the whole register (`full`: a key that is absent has ended) or only what changed.
    #[serde(default)]
    pub export: Export,
    /// Office that answers for the data.
    pub owner: String,
    /// Approval of the use of these data (数据使用审批), once the register of approvals is connected.
    #[serde(default)]
    pub approval: Option<String>,
    /// What the data may be used for.
    pub purpose: Vec<String>,
    /// How long raw rows are kept.
    pub retention: Span,
    /// Whether rows may also be pushed, one event or many at a time, to `POST /api/v1/events/<name>`: as JSON by the
    /// names of the source.
    #[serde(default)]
    pub push: bool,
    /// Where the bytes are.
    pub source: Source,
}

/// Whether a source reports happenings or standing facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// A row is a happening: partitioned by campus day; the key includes the day.
    Event,
    /// A row is a fact that later rows replace: registry, beds, leave, tickets.
    State,
}

/// What the files of a state source hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Export {
    /// New and changed rows only.
    #[default]
    Changes,
    /// The whole register every time.
    Full,
}

/// Where the bytes of a source are and how they are written.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Kind of source.
    #[serde(default)]
    pub kind: SourceKind,
    /// File format; files need one, a database has none.
    #[serde(default)]
    pub format: Option<Format>,
    /// Files under the input folder; `*` stands for anything within one folder name. `.gz`, `.zst` and `.zip` with one
    /// file in it are unpacked. Empty for a database.
    #[serde(default)]
    pub path: String,
    /// Encoding of text files; decoded strictly.
    #[serde(default)]
    pub encoding: Encoding,
    /// Field separator of delimited text; by default a comma for `csv` and a tab for `tsv`.
    #[serde(default)]
    pub separator: Option<char>,
    /// Name of the Excel sheet; by default the first.
    #[serde(default)]
    pub sheet: Option<String>,
    /// Rows above the head, or above the first row where there is no head.
    #[serde(default)]
    pub skip_rows: u32,
    /// There is no head: the first row is data, and the columns come in the order in which they are declared.
    #[serde(default)]
    pub headless: bool,
    /// Environment variable that holds the address of the database, password and all, so that no file does:
    /// `postgres://user:password@host:5432/database?sslmode=require`.
    #[serde(default)]
    pub url_env: Option<String>,
    /// Table or view to read, `"public.student"`.
    #[serde(default)]
    pub table: Option<String>,
    /// SELECT to read, where a table is not enough.
    #[serde(default)]
    pub query: Option<String>,
    /// Declared column that grows with every change of a row: what lies below its last value is not read again.
    #[serde(default)]
    pub watermark: Option<String>,
    /// How far below the last value reading begins again, for rows that were committed late.
    #[serde(default)]
    pub overlap: Option<Span>,
    /// What the platform's own facts are about: `"case_state"`.
    #[serde(default)]
    pub topic: Option<String>,
}

/// Kinds of source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// Files in the input folder.
    #[default]
    Files,
    /// A table or query of a PostgreSQL database.
    Postgres,
    /// Facts of the platform itself, which its operational store hands out: what became of cases. Instants are whole
    /// numbers, microseconds UTC.
    Outbox,
}

/// File formats that the door reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Comma-separated text with a head.
    Csv,
    /// Tab-separated text with a head.
    Tsv,
    /// One JSON object a line.
    Jsonl,
    /// An Excel sheet with a head.
    Xlsx,
    /// A sheet of the binary Excel before 2007, with a head.
    Xls,
    /// Apache Parquet with flat columns.
    Parquet,
}

impl Format {
    /// Whether dates and times have a type of their own in it, so that no column has to say how they are written.
    fn has_dates(self) -> bool {
        matches!(self, Format::Xlsx | Format::Xls | Format::Parquet)
    }
}

/// Encodings of text files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// UTF-8, with or without a byte order mark.
    #[default]
    #[serde(rename = "utf-8")]
    Utf8,
    /// UTF-16 with a byte order mark.
    #[serde(rename = "utf-16")]
    Utf16,
    /// GB18030, which GBK and GB2312 are part of.
    #[serde(rename = "gb18030")]
    Gb18030,
}

/// What the rows of a source must be.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Contract {
    /// Version of the contract, counted up when its meaning changes.
    pub version: u32,
    /// Columns that tell one row from another, or `"row"` when the export has none.
    pub key: Key,
    /// Which row holds when two have the same key.
    #[serde(default)]
    pub on_conflict: OnConflict,
    /// When the row's fact happened or began.
    #[serde(default)]
    pub occurred_at: Option<OccurredAt>,
    /// Columns of type `timestamp` that tell when a state last changed. Of versions that became known at one instant,
    /// as those of a first load did, the one that changed last holds. They never move that instant. If one of them is
    /// required every row says when it changed: one that is older than a version that is known, or the same once more,
    /// is no version.
    #[serde(default)]
    pub changed_at: Vec<String>,
    /// Earliest believable `occurred_at`, a local date; earlier rows go to quarantine (`time`).
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub start: Option<chrono::NaiveDate>,
    /// How long after it happened a row usually reaches the platform; dates the rows of a first load.
    pub usual_delay: Span,
    /// How long after it happened a row of an event may still come; a later one goes to quarantine (`late`). Without
    /// it none is too late. A first load and a backfill are dated by `usual_delay` and never late.
    #[serde(default)]
    pub late_max: Option<Span>,
    /// How far in the future a device's clock may lie.
    #[serde(default = "skew_max")]
    pub skew_max: Span,
    /// Share of bad rows above which the whole file is refused as a broken feed.
    #[serde(default = "reject_share_max")]
    pub reject_share_max: f64,
    /// Rules between columns.
    #[serde(default)]
    pub rules: Vec<Rule>,
}

fn skew_max() -> Span {
    Span::seconds(86_400)
}

fn reject_share_max() -> f64 {
    0.02
}

/// Columns that tell one row from another.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Key {
    /// These columns together.
    Columns(Vec<String>),
    /// `"row"`: the whole row.
    Row(RowKey),
}

/// The word `"row"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RowKey {
    /// The whole row is its own key.
    Row,
}

/// Which row holds when two have the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnConflict {
    /// The earliest known row stays.
    #[default]
    First,
    /// The latest known row closes the one before it.
    Latest,
}

/// The column that says when a row's fact happened.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OccurredAt {
    /// A declared column of type `timestamp` or `date`, or of type `int64` with `as = "epoch_ms"`.
    pub column: String,
    /// How to read an integer column.
    #[serde(default, rename = "as")]
    pub as_: Option<EpochUnit>,
}

/// Units of integer instants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EpochUnit {
    /// Seconds since 1970.
    EpochS,
    /// Milliseconds since 1970.
    EpochMs,
}

/// A rule between two columns of the same row; rows in which either is empty pass.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What the rule says, for the person who reads the quarantine.
    pub name: String,
    /// Left column.
    pub left: String,
    /// Comparison.
    pub op: Comparison,
    /// Right column.
    pub right: String,
}

/// Comparisons between columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Comparison {
    /// Less.
    #[serde(rename = "<")]
    Less,
    /// Less or equal.
    #[serde(rename = "<=")]
    LessOrEqual,
    /// Equal.
    #[serde(rename = "=")]
    Equal,
    /// Not equal.
    #[serde(rename = "!=")]
    NotEqual,
    /// Greater or equal.
    #[serde(rename = ">=")]
    GreaterOrEqual,
    /// Greater.
    #[serde(rename = ">")]
    Greater,
}

impl Comparison {
    /// Whether the comparison holds for an ordering.
    pub fn holds(self, ordering: std::cmp::Ordering) -> bool {
        match self {
            Comparison::Less => ordering.is_lt(),
            Comparison::LessOrEqual => ordering.is_le(),
            Comparison::Equal => ordering.is_eq(),
            Comparison::NotEqual => ordering.is_ne(),
            Comparison::GreaterOrEqual => ordering.is_ge(),
            Comparison::Greater => ordering.is_gt(),
        }
    }
}

/// Types of columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    /// Text, decoded strictly, outer white space removed.
    Text,
    /// A whole number; with `decimal_shift` a decimal number moved by so many places (yuan to fen).
    Int64,
    /// A number with a fraction, for measurements that are never summed.
    Float64,
    /// true/false, 1/0, 是/否.
    Boolean,
    /// A date of the civil calendar.
    Date,
    /// A local date and time of the campus zone, kept as an instant.
    Timestamp,
}

/// One column of a source.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Name in the source, if it is not the column's own.
    #[serde(default)]
    pub head: Option<String>,
    /// What the values are.
    #[serde(rename = "type")]
    pub type_: ColumnType,
    /// What the column means, one sentence.
    pub about: String,
    /// The same in Chinese, for screens.
    #[serde(default)]
    pub about_zh: Option<String>,
    /// How sensitive it is. `identity` stays in the vault and never becomes a column of the lake.
    pub class: Class,
    /// Whether an empty value is a defect.
    #[serde(default)]
    pub required: bool,
    /// Whether the source may lack the whole column.
    #[serde(default)]
    pub optional: bool,
    /// The column holds a person's number: it becomes the person's key.
    #[serde(default)]
    pub person: Option<PersonKind>,
    /// Kind of identifier (`card`) by which the source knows the person, where it is not the person's own number:
    /// the key is that of whoever held it on the day of the row, and a row of nobody's is quarantined.
    #[serde(default)]
    pub by: Option<String>,
    /// The column holds identifiers of the row's person, which other sources give instead of the number.
    #[serde(default)]
    pub identifier: Option<IdentifierColumns>,
    /// Name of the key column, where it is not `student_key` or `staff_key` (`counselor_key`).
    #[serde(default)]
    pub key_as: Option<String>,
    /// The values allowed.
    #[serde(default)]
    pub one_of: Option<Vec<String>>,
    /// The values allowed and what each becomes.
    #[serde(default)]
    pub codes: Option<BTreeMap<String, String>>,
    /// Least value allowed, after `decimal_shift`.
    #[serde(default)]
    pub min: Option<i64>,
    /// Greatest value allowed, after `decimal_shift`.
    #[serde(default)]
    pub max: Option<i64>,
    /// Places by which a decimal number is moved to become whole: 2 turns yuan into fen.
    #[serde(default)]
    pub decimal_shift: Option<u8>,
    /// How a date or time is written: `%Y %m %d %H %M %S %I %p` and literal characters.
    #[serde(default)]
    pub format: Option<String>,
    /// The day from which a date is counted, where the source gives whole days since then and no date.
    #[serde(default)]
    pub epoch: Option<Epoch>,
    /// Unit of the value.
    #[serde(default)]
    pub unit: Option<String>,
    /// Table and column it refers to, `"device.device_id"`.
    #[serde(default)]
    pub refers: Option<String>,
}

/// Where a register of identifiers says what kind each is and for how long it holds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IdentifierColumns {
    /// Text column with the kind of identifier.
    pub kind: String,
    /// Date column with the first day.
    pub from: String,
    /// Date column with the last day; empty while it is valid.
    #[serde(default)]
    pub until: Option<String>,
}

/// The day from which a source counts days.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged, expecting = "an epoch is a day, \"2013-10-01\", or { column = \"term\", of = { \"2013J\" = \"2013-10-01\" } }")]
pub enum Epoch {
    /// One day for all rows: `"2013-10-01"`.
    Day(#[schemars(with = "String")] chrono::NaiveDate),
    /// A day by the value of another column, as the days of a course count from the beginning of its term.
    Of(EpochOf),
}

/// The days from which a source counts, by the value of a text column of the same row.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EpochOf {
    /// A declared text column.
    pub column: String,
    /// Its values as the source writes them, and the day of each.
    #[schemars(with = "BTreeMap<String, String>")]
    pub of: BTreeMap<String, chrono::NaiveDate>,
}

impl Epoch {
    /// The one day from which all rows count; `None` if it depends on another column.
    pub fn day(&self) -> Option<chrono::NaiveDate> {
        match self {
            Epoch::Day(day) => Some(*day),
            Epoch::Of(_) => None,
        }
    }

    /// The column that decides, and the day of each of its values; `None` if there is one day for all.
    pub fn by_column(&self) -> Option<(&str, &BTreeMap<String, chrono::NaiveDate>)> {
        match self {
            Epoch::Day(_) => None,
            Epoch::Of(it) => Some((&it.column, &it.of)),
        }
    }
}

impl Head {
    /// The sentence for Chinese readers: the English one where the file has no other.
    pub fn said_zh(&self) -> &str {
        self.about_zh.as_deref().unwrap_or(&self.about)
    }
}

impl Pipeline {
    /// Reads and checks the text of a pipeline file; `path` is for messages only.
    ///
    /// # Errors
    /// If the TOML is broken, has an unknown key, or contradicts itself.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Error> {
        let pipeline: Pipeline = crate::parse_toml(path, text)?;
        pipeline.check(path)?;
        Ok(pipeline)
    }

    /// Name of the pipeline.
    pub fn name(&self) -> &str {
        &self.pipeline.name
    }

    /// Name of its raw table.
    pub fn raw_table(&self) -> String {
        format!("raw_{}", self.pipeline.name)
    }

    /// Whether its rows are events.
    pub fn is_event(&self) -> bool {
        self.pipeline.shape == Shape::Event
    }

    /// The format in which the door gets the bytes: as declared, or JSON lines from a database or the store.
    pub fn bytes_format(&self) -> Format {
        self.pipeline.source.format.unwrap_or(Format::Jsonl)
    }

    /// Whether its rows come from a database.
    pub fn is_database(&self) -> bool {
        self.pipeline.source.kind == SourceKind::Postgres
    }

    /// What the platform's own facts are about, if its rows are such facts.
    pub fn topic(&self) -> Option<&str> {
        self.pipeline.source.topic.as_deref().filter(|_| self.pipeline.source.kind == SourceKind::Outbox)
    }

    /// Whether its rows are asked for and lie in no file; their instants may be whole numbers.
    pub fn is_pulled(&self) -> bool {
        self.pipeline.source.kind != SourceKind::Files
    }

    /// Whether every row says when it last changed, so that one that comes late is known to be old.
    pub fn says_when_changed(&self) -> bool {
        self.contract.changed_at.iter().any(|it| self.column(it).is_some_and(|column| column.required))
    }

    /// The declared column of a name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|(it, _)| it == name).map(|(_, column)| column)
    }

    fn check(&self, path: &Path) -> Result<(), Error> {
        let refuse = |key: String, message: String| Err(Error::Value { path: path.to_owned(), key, message });
        let word = |text: &str| {
            text.starts_with(|it: char| it.is_ascii_lowercase())
                && text.chars().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_')
        };
        if !word(&self.pipeline.name) {
            return refuse("pipeline.name".into(), format!("\"{}\" is not a snake_case word", self.pipeline.name));
        }
        if path.file_stem().is_some_and(|it| it != self.pipeline.name.as_str()) {
            return refuse("pipeline.name".into(), format!("must be the file's name, got \"{}\"", self.pipeline.name));
        }
        if self.pipeline.purpose.is_empty() {
            return refuse("pipeline.purpose".into(), "name at least one purpose".into());
        }
        if let Err((key, message)) = self.check_source() {
            return refuse(format!("pipeline.source.{key}"), message);
        }
        if self.pipeline.push && (self.topic().is_some() || self.pipeline.export == Export::Full) {
            return refuse("pipeline.push".into(), "the platform's own facts and a full register are not pushed".into());
        }
        if let Some(late_max) = self.contract.late_max {
            if !self.is_event() {
                return refuse("contract.late_max".into(), "belongs to events: a state may have begun long ago".into());
            }
            if late_max < self.contract.usual_delay {
                return refuse("contract.late_max".into(), "must not be less than usual_delay".into());
            }
        }
        let mut heads = BTreeMap::new();
        for (name, column) in &self.columns {
            let key = |it: &str| format!("columns.{name}.{it}");
            if !word(name) || crate::RAW_COLUMNS.contains(&name.as_str()) {
                return refuse(format!("columns.{name}"), "a column is a snake_case word and none of the door's own".into());
            }
            let head = column.head.as_deref().unwrap_or(name);
            if let Some(other) = heads.insert(head.to_owned(), name) {
                return refuse(key("head"), format!("\"{head}\" is already the head of column \"{other}\""));
            }
            if column.person.is_some() && (column.type_ != ColumnType::Text || column.class != Class::Identity) {
                return refuse(key("person"), "a person's number is text of class \"identity\"".into());
            }
            if column.by.is_some() && column.person.is_none() {
                return refuse(key("by"), "only a person column is known by an identifier".into());
            }
            if let Some(it) = &column.identifier
                && let Err((part, message)) = self.check_identifier(column, it)
            {
                return refuse(key(&format!("identifier{part}")), message);
            }
            if column.key_as.is_some() && column.person.is_none() {
                return refuse(key("key_as"), "only a person column has a key".into());
            }
            if (column.one_of.is_some() || column.codes.is_some()) && column.type_ != ColumnType::Text {
                return refuse(key("one_of"), "a list of values belongs to a text column".into());
            }
            if column.one_of.is_some() && column.codes.is_some() {
                return refuse(key("codes"), "give either one_of or codes".into());
            }
            let is_time = matches!(column.type_, ColumnType::Date | ColumnType::Timestamp);
            if let Some(format) = &column.format
                && (!is_time || crate::time::TimeFormat::new(format).is_none())
            {
                return refuse(key("format"), "a date or time format knows %Y %m %d %H %M %S %I %p".into());
            }
            if let Some(epoch) = &column.epoch {
                if column.type_ != ColumnType::Date || column.format.is_some() {
                    return refuse(key("epoch"), "belongs to a date column without format".into());
                }
                if let Some((other, days)) = epoch.by_column() {
                    match self.column(other) {
                        None => return refuse(key("epoch.column"), self.unknown_column(other)),
                        Some(it) if it.type_ != ColumnType::Text => {
                            return refuse(key("epoch.column"), format!("column \"{other}\" is no text"));
                        }
                        Some(_) if days.is_empty() => return refuse(key("epoch.of"), "name at least one value".into()),
                        Some(_) => {}
                    }
                }
            }
            let is_written = column.epoch.is_none() && !self.is_pulled() && !self.bytes_format().has_dates();
            if is_time && column.format.is_none() && is_written {
                return refuse(key("format"), "say how the date or time is written, e.g. \"%Y-%m-%d %H:%M:%S\"".into());
            }
            if column.decimal_shift.is_some_and(|it| 9 < it || column.type_ != ColumnType::Int64) {
                return refuse(key("decimal_shift"), "0 to 9 places, of an int64 column".into());
            }
            if (column.min.is_some() || column.max.is_some()) && column.type_ != ColumnType::Int64 {
                return refuse(key("min"), "a range belongs to an int64 column".into());
            }
        }
        if let Key::Columns(names) = &self.contract.key {
            for name in names {
                match self.column(name) {
                    None => return refuse("contract.key".into(), self.unknown_column(name)),
                    Some(column) if !column.required => {
                        return refuse("contract.key".into(), format!("column \"{name}\" is part of the key: make it required"));
                    }
                    Some(column) if column.class == Class::Identity && column.person.is_none() => {
                        return refuse(
                            "contract.key".into(),
                            format!("column \"{name}\" stays in the vault and cannot be a key"),
                        );
                    }
                    Some(_) => {}
                }
            }
        }
        match &self.contract.occurred_at {
            Some(occurred) => match self.column(&occurred.column) {
                None => return refuse("contract.occurred_at.column".into(), self.unknown_column(&occurred.column)),
                Some(column) => {
                    let fits = match column.type_ {
                        ColumnType::Timestamp | ColumnType::Date => occurred.as_.is_none(),
                        ColumnType::Int64 => occurred.as_.is_some(),
                        _ => false,
                    };
                    if !fits || (self.is_event() && !column.required) {
                        return refuse(
                            "contract.occurred_at".into(),
                            "needs a timestamp or date column, or an int64 column with `as`; required for events".into(),
                        );
                    }
                }
            },
            None if self.is_event() => {
                return refuse("contract.occurred_at".into(), "an event needs to say when it happened".into());
            }
            None => {}
        }
        for name in &self.contract.changed_at {
            match self.column(name) {
                None => return refuse("contract.changed_at".into(), self.unknown_column(name)),
                Some(column) if column.type_ != ColumnType::Timestamp => {
                    return refuse("contract.changed_at".into(), format!("column \"{name}\" is no timestamp"));
                }
                Some(_) => {}
            }
        }
        for (index, rule) in self.contract.rules.iter().enumerate() {
            for name in [&rule.left, &rule.right] {
                if self.column(name).is_none() {
                    return refuse(format!("contract.rules[{index}]"), self.unknown_column(name));
                }
            }
        }
        if !(0.0..=1.0).contains(&self.contract.reject_share_max) {
            return refuse("contract.reject_share_max".into(), "a share lies between 0 and 1".into());
        }
        Ok(())
    }

    /// Whether it is a register of identifiers, which other sources give instead of numbers.
    pub fn has_identifiers(&self) -> bool {
        self.columns.iter().any(|(_, it)| it.identifier.is_some())
    }

    /// Whether a column of identifiers stays in the vault, belongs to a person, and its kind and days are there.
    fn check_identifier(&self, column: &Column, of: &IdentifierColumns) -> Result<(), (&'static str, String)> {
        if column.type_ != ColumnType::Text || column.class != Class::Identity || column.person.is_some() {
            return Err(("", "identifiers are text of class \"identity\" beside a person column".into()));
        }
        if !self.columns.iter().any(|(_, it)| it.person.is_some() && it.by.is_none()) {
            return Err(("", "the row needs a column with the person's own number".into()));
        }
        let parts = [(".kind", Some(&of.kind), ColumnType::Text), (".from", Some(&of.from), ColumnType::Date)];
        for (part, name, type_) in parts.into_iter().chain([(".until", of.until.as_ref(), ColumnType::Date)]) {
            let Some(name) = name else { continue };
            match self.column(name) {
                None => return Err((part, self.unknown_column(name))),
                Some(it) if it.type_ != type_ => return Err((part, format!("column \"{name}\" is of another type"))),
                Some(it) if part != ".until" && !it.required => {
                    return Err((part, format!("make column \"{name}\" required")));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// Checks that a source says what its kind needs and nothing else; an `Err` names the key and what would do.
    fn check_source(&self) -> Result<(), (&'static str, String)> {
        let source = &self.pipeline.source;
        match source.kind {
            SourceKind::Files => self.check_files(),
            SourceKind::Outbox => {
                self.check_no_file()?;
                if let Some((key, _)) = self.of_databases().iter().find(|(_, is_set)| *is_set) {
                    return Err((key, "belongs to a database; the store has none of it".into()));
                }
                match &source.topic {
                    Some(topic) if !topic.is_empty() => Ok(()),
                    _ => Err(("topic", "say what the facts are about, e.g. \"case_state\"".into())),
                }
            }
            SourceKind::Postgres => {
                self.check_no_file()?;
                if source.topic.is_some() {
                    return Err(("topic", "belongs to the platform's own facts; a database has none".into()));
                }
                let is_variable = |it: &str| {
                    !it.is_empty()
                        && !it.starts_with(|it: char| it.is_ascii_digit())
                        && it.chars().all(|it| it.is_ascii_alphanumeric() || it == '_')
                };
                // What comes by replication only is not asked for, and its address stands in the settings.
                let is_only_pushed = self.pipeline.push && source.url_env.is_none();
                if !is_only_pushed && !source.url_env.as_deref().is_some_and(is_variable) {
                    let message = "name the environment variable that holds the address, e.g. \"SIS_DATABASE_URL\"; \
                                   the address itself has a password and belongs in no file";
                    return Err(("url_env", message.into()));
                }
                match (&source.table, &source.query) {
                    (None, None) => return Err(("table", "name a table, or give a query".into())),
                    (Some(_), Some(_)) => return Err(("query", "give either table or query".into())),
                    (Some(table), None) if table.split('.').any(str::is_empty) || 2 < table.split('.').count() => {
                        return Err(("table", format!("\"{table}\" is no table: write \"schema.table\"")));
                    }
                    _ => {}
                }
                self.check_watermark()
            }
        }
    }

    /// What a source says of a database, and whether this one does.
    fn of_databases(&self) -> [(&'static str, bool); 5] {
        let source = &self.pipeline.source;
        [
            ("url_env", source.url_env.is_some()),
            ("table", source.table.is_some()),
            ("query", source.query.is_some()),
            ("watermark", source.watermark.is_some()),
            ("overlap", source.overlap.is_some()),
        ]
    }

    fn check_no_file(&self) -> Result<(), (&'static str, String)> {
        let source = &self.pipeline.source;
        let of_files = [
            ("format", source.format.is_some()),
            ("path", !source.path.is_empty()),
            ("encoding", source.encoding != Encoding::Utf8),
            ("separator", source.separator.is_some()),
            ("sheet", source.sheet.is_some()),
            ("skip_rows", source.skip_rows != 0),
            ("headless", source.headless),
        ];
        match of_files.iter().find(|(_, is_set)| *is_set) {
            Some((key, _)) => Err((key, "belongs to files; a database or the store has none".into())),
            None => Ok(()),
        }
    }

    fn check_files(&self) -> Result<(), (&'static str, String)> {
        let source = &self.pipeline.source;
        let Some(format) = source.format else {
            return Err(("format", "say how the files are written: csv, tsv, jsonl, xlsx, xls, parquet".into()));
        };
        if source.path.is_empty() {
            return Err(("path", "say where the files are, e.g. \"card/*.csv\"".into()));
        }
        if let Some((key, _)) = self.of_databases().iter().find(|(_, is_set)| *is_set) {
            return Err((key, "belongs to a database: set kind = \"postgres\", or remove it".into()));
        }
        if source.topic.is_some() {
            return Err(("topic", "belongs to the platform's own facts: set kind = \"outbox\", or remove it".into()));
        }
        if source.headless {
            if matches!(format, Format::Jsonl | Format::Parquet) {
                return Err(("headless", "every row or file of this format names its columns".into()));
            }
            if let Some((name, _)) = self.columns.iter().find(|(_, column)| column.head.is_some()) {
                return Err(("headless", format!("column \"{name}\" has a head, but there is none to find it in")));
            }
        }
        Ok(())
    }

    fn check_watermark(&self) -> Result<(), (&'static str, String)> {
        let source = &self.pipeline.source;
        let Some(name) = &source.watermark else {
            return match source.overlap {
                Some(_) => Err(("overlap", "lies below a watermark: name one".into())),
                None => Ok(()),
            };
        };
        if self.pipeline.export == Export::Full {
            return Err(("watermark", "a full register is read whole: what it lacks has ended".into()));
        }
        match self.column(name).map(|it| it.type_) {
            None => Err(("watermark", self.unknown_column(name))),
            Some(ColumnType::Timestamp | ColumnType::Date) => Ok(()),
            Some(ColumnType::Int64) if source.overlap.is_none() => Ok(()),
            Some(ColumnType::Int64) => Err(("overlap", "is a length of time; a number has none".into())),
            Some(_) => Err(("watermark", format!("column \"{name}\" is no timestamp, date or int64"))),
        }
    }

    fn unknown_column(&self, name: &str) -> String {
        let hint = crate::nearest(name, self.columns.iter().map(|(it, _)| it.as_str()));
        match hint {
            Some(hint) => format!("no column \"{name}\"; did you mean \"{hint}\"?"),
            None => format!("no column \"{name}\""),
        }
    }
}

/// TOML tables keep the order of the file, and the order of columns is the order of checks.
mod ordered {
    use std::fmt;

    use serde::Deserializer;
    use serde::de::{MapAccess, Visitor};

    use super::{Column, Columns};

    pub(super) fn columns<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Columns, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Columns;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of columns")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Columns, A::Error> {
                let mut columns = Columns::new();
                while let Some(entry) = map.next_entry::<String, Column>()? {
                    columns.push(entry);
                }
                Ok(columns)
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STUDENT: &str = r#"id = { type = "int64", required = true, class = "internal", about = "Number." }"#;

    fn parsed(pipeline: &str, columns: &str) -> Result<Pipeline, String> {
        let text = format!(
            r#"
            [pipeline]
            name = "thing"
            about = "Things."
            shape = "state"
            owner = "office"
            purpose = ["portrait"]
            retention = "4y"
            {pipeline}
            [contract]
            version = 1
            key = ["id"]
            usual_delay = "1d"
            [columns]
            {STUDENT}
            {columns}"#
        );
        Pipeline::parse(Path::new(""), &text).map_err(|it| it.to_string())
    }

    #[test]
    fn what_a_source_and_its_columns_are_may_be_said_in_chinese() {
        const PLAIN: &str = r#"source = { format = "csv", path = "*" }"#;
        let said = parsed(
            &format!("about_zh = \"物品。\"\n{PLAIN}"),
            r#"note = { type = "text", class = "internal", about = "Note.", about_zh = "备注。" }"#,
        );
        let said = said.expect("sound");
        assert_eq!((said.pipeline.about.as_str(), said.pipeline.said_zh()), ("Things.", "物品。"));
        let schema = crate::raw_schema(&said);
        let of = |column: &str| schema.field_with_name(column).expect("a column").metadata().get(crate::ABOUT_ZH).cloned();
        assert_eq!((of("note").as_deref(), of("id")), (Some("备注。"), None));
        assert!(of("known_at").is_some(), "columns that the house adds are said in both");
        assert_eq!(parsed(PLAIN, "").expect("sound").pipeline.said_zh(), "Things.");
    }

    #[track_caller]
    fn check(source: &str, columns: &str, expected: &str) {
        let said = parsed(&format!("source = {{ {source} }}"), columns).map_or_else(|it| it, |_| "sound".to_owned());
        assert!(said.contains(expected), "{source} {columns}\n{said}\n{expected}");
    }

    #[test]
    fn a_source_says_what_its_kind_needs_and_nothing_else() {
        let database = r#"kind = "postgres", url_env = "SIS_DATABASE_URL""#;
        let changed = r#"changed = { type = "timestamp", class = "internal", about = "Change." }"#;
        let day = r#"day = { type = "date", class = "internal", about = "Day." }"#;
        check(r#"format = "csv", path = "*""#, "", "sound");
        check(r#"path = "*""#, "", "pipeline.source.format: say how the files are written");
        check(r#"format = "csv""#, "", "pipeline.source.path: say where the files are");
        check(r#"format = "csv", path = "*", table = "x""#, "", "pipeline.source.table: belongs to a database");
        check(&format!(r#"{database}, table = "public.student""#), changed, "sound");
        check(&format!(r#"{database}, query = "SELECT 1 AS id""#), day, "sound");
        check(&format!(r#"{database}, table = "s", format = "csv""#), "", "pipeline.source.format: belongs to files");
        check(&format!(r#"{database}, table = "s", skip_rows = 1"#), "", "pipeline.source.skip_rows: belongs to files");
        check(database, "", "pipeline.source.table: name a table");
        check(&format!(r#"{database}, table = "s", query = "SELECT 1""#), "", "either table or query");
        check(&format!(r#"{database}, table = "a.b.c""#), "", "\"a.b.c\" is no table");
        check(r#"kind = "postgres", table = "s""#, "", "pipeline.source.url_env: name the environment variable");
        let address = r#"kind = "postgres", table = "s", url_env = "postgres://u:p@h/d""#;
        check(address, "", "pipeline.source.url_env: name the environment variable");
        check(&format!(r#"{database}, table = "s", watermark = "changed", overlap = "1h""#), changed, "sound");
        check(&format!(r#"{database}, table = "s", watermark = "chnged""#), changed, "did you mean \"changed\"?");
        check(&format!(r#"{database}, table = "s", watermark = "id""#), "", "sound");
        check(&format!(r#"{database}, table = "s", watermark = "id", overlap = "1h""#), "", "a number has none");
        check(&format!(r#"{database}, table = "s", overlap = "1h""#), "", "lies below a watermark");
        let full = format!("export = \"full\"\nsource = {{ {database}, table = \"s\", watermark = \"id\" }}");
        let said = parsed(&full, "").expect_err("a register from a watermark on");
        assert!(said.contains("a full register is read whole"), "{said}");
    }

    #[test]
    fn the_platforms_own_facts_have_a_topic_and_neither_file_nor_database() {
        let at = r#"at = { type = "timestamp", class = "internal", about = "When." }"#;
        check(r#"kind = "outbox", topic = "case_state""#, at, "sound");
        check(r#"kind = "outbox""#, "", "pipeline.source.topic: say what the facts are about");
        check(r#"kind = "outbox", topic = "x", path = "*""#, "", "pipeline.source.path: belongs to files");
        check(r#"kind = "outbox", topic = "x", url_env = "X""#, "", "pipeline.source.url_env: belongs to a database");
        check(r#"format = "csv", path = "*", topic = "x""#, "", "pipeline.source.topic: belongs to the platform's own facts");
        check(r#"kind = "postgres", url_env = "X", table = "t", topic = "x""#, "", "pipeline.source.topic: belongs to");
    }

    #[test]
    fn only_events_are_late_and_only_changes_are_pushed() {
        let csv = r#"format = "csv", path = "*""#;
        check(&format!("{csv} }}\npush = true\n#"), "", "sound");
        check(&format!("{csv} }}\npush = true\nexport = \"full\"\n#"), "", "pipeline.push: the platform's own facts");
        let outbox = format!(r#"kind = "outbox", topic = "x" }}{}push = true{}#"#, '\n', '\n');
        check(&outbox, "", "pipeline.push: the platform's own facts");
        let replicated = |source: &str| format!("kind = \"postgres\", table = \"s\"{source} }}\npush = true\n#");
        check(&replicated(""), "", "sound");
        check(&replicated(", url_env = \"X\""), "", "sound");
        check(&replicated(", url_env = \"no variable\""), "", "pipeline.source.url_env: name the environment variable");
        let late = |shape: &str, late: &str| {
            let text = format!(
                r#"
                [pipeline]
                name = "thing"
                about = "Things."
                shape = "{shape}"
                owner = "office"
                purpose = ["portrait"]
                retention = "4y"
                source = {{ {csv} }}
                [contract]
                version = 1
                key = ["id"]
                usual_delay = "1d"
                late_max = "{late}"
                occurred_at = {{ column = "on" }}
                [columns]
                {STUDENT}
                on = {{ type = "date", required = true, format = "%Y-%m-%d", class = "internal", about = "Day." }}"#
            );
            Pipeline::parse(Path::new(""), &text).map_or_else(|it| it.to_string(), |_| "sound".to_owned())
        };
        assert_eq!(late("event", "2d"), "sound");
        assert!(late("event", "1h").contains("contract.late_max: must not be less than usual_delay"));
        assert!(late("state", "2d").contains("contract.late_max: belongs to events"));
    }

    #[test]
    fn only_rows_without_names_can_lack_a_head() {
        for format in ["csv", "tsv", "xlsx", "xls"] {
            check(&format!(r#"format = "{format}", path = "*", headless = true"#), "", "sound");
        }
        for format in ["jsonl", "parquet"] {
            check(&format!(r#"format = "{format}", path = "*", headless = true"#), "", "pipeline.source.headless: every row");
        }
        let named = r#"name = { head = "姓名", type = "text", class = "closed", about = "Name." }"#;
        check(r#"format = "csv", path = "*", headless = true"#, named, "column \"name\" has a head");
    }

    #[test]
    fn days_are_counted_from_a_day_or_from_that_of_a_text_column() {
        let csv = r#"format = "csv", path = "*""#;
        let day = |it: &str| format!(r#"day = {{ type = "date", class = "internal", about = "Day.", {it} }}"#);
        let term = r#"term = { type = "text", class = "internal", about = "Term." }"#;
        let by = |it: &str| day(&format!(r#"epoch = {{ column = "{it}", of = {{ "2013J" = "2013-10-01" }} }}"#));
        check(csv, &day(r#"epoch = "2013-10-01""#), "sound");
        check(csv, &format!("{}\n{term}", by("term")), "sound");
        check(csv, &by("term"), "columns.day.epoch.column: no column \"term\"");
        check(csv, &by("id"), "columns.day.epoch.column: column \"id\" is no text");
        check(csv, &day(r#"epoch = "2013-10-01", format = "%Y""#), "columns.day.epoch: belongs to a date column without format");
        let number = r#"n = { type = "int64", class = "internal", about = "Number.", epoch = "2013-10-01" }"#;
        check(csv, number, "columns.n.epoch: belongs to a date column");
        let none = format!("{}\n{term}", day(r#"epoch = { column = "term", of = {} }"#));
        check(csv, &none, "columns.day.epoch.of: name at least one value");
        check(csv, &day(r#"epoch = "October""#), "an epoch is a day");
        check(csv, &day("required = true"), "columns.day.format: say how");
    }
}
