//! Shared words of the house: campus time, contracts, front matter, classification, who is to blame, places at which a test
//! ends the process. Pure but for that.

mod blame;
mod class;
mod error;
mod person;
pub mod point;
mod span;
pub mod time;

pub use blame::Blame;
pub use class::Class;
pub use error::Error;
pub use person::{Holder, Identifier, Known, PersonKind, Pseudonyms, Seal, VaultError};
pub use span::Span;

mod model;
mod pipeline;
mod raw;
mod settings;
mod toml_text;
mod words;

pub use model::{
    CLOSED_PREFIX, Cadence, Direction, FrontMatter, Kind, LABEL_PREFIX, Materialized, Model, ModelColumn, Noise, RiskKind,
    Thread, is_closed_table,
};
pub use pipeline::{
    Column, ColumnType, Columns, Comparison, Contract, Encoding, Epoch, EpochUnit, Export, Format, Head, IdentifierColumns, Key,
    OccurredAt, OnConflict, Pipeline, RowKey, Rule, Shape, Source, SourceKind,
};
pub use raw::{
    ABOUT_ZH, RAW_COLUMNS, described, in_chinese, instant_type, lake_column, quarantine_schema, raw_schema, raw_sort,
    replayed_schema,
};
pub use settings::{Campus, Subject};
pub use toml_text::{nearest, parse_toml};
pub use words::{FORBIDDEN, forbidden};
