//! Where unsecured tables come from. Only this crate and builds hold them; no session ever does.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::TableProvider;
use schema::Class;

use crate::error::Cause;

/// The lake as the policy sees it: tables by name, pinned when they are opened.
#[async_trait]
pub trait Tables: Send + Sync {
    /// Opens a table at its newest version; `None` if there is no such table.
    ///
    /// # Errors
    /// If the table exists and cannot be opened.
    async fn table(&self, name: &str) -> Result<Option<TableEntry>, Cause>;

    /// Names of all tables.
    ///
    /// # Errors
    /// If the list cannot be read.
    fn names(&self) -> Result<Vec<String>, Cause>;
}

/// The same version of a table, where rows of one person are found without a scan.
#[async_trait]
pub trait LookUp: std::fmt::Debug + Send + Sync {
    /// Rows whose `column` is `key`, of partitions of the given days: the columns of `schema`, which is a part of the
    /// table's own, in its order.
    ///
    /// # Errors
    /// If the table cannot be read.
    async fn look_up(
        &self,
        column: &str,
        key: i64,
        days: &[i32],
        schema: SchemaRef,
    ) -> datafusion::error::Result<Vec<RecordBatch>>;
}

/// What a table tells of the company that people keep: who takes no part in that is in no row of it that a session shows,
/// of dates before they said so neither.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Company {
    /// Columns with the `student_key` of somebody.
    pub people: Vec<String>,
    /// A column and those of its words that tell of company; without it every row does.
    pub only: Option<(String, Vec<String>)>,
}

/// A table before any policy, pinned to a version.
#[derive(Debug, Clone)]
pub struct TableEntry {
    /// What scans it.
    pub provider: Arc<dyn TableProvider>,
    /// Column with the `student_key` a row is about; `None` when rows are about no student.
    pub subject: Option<String>,
    /// Class of each column; a column without one is invisible to everybody.
    pub classes: BTreeMap<String, Class>,
    /// Version of the table, for cache keys.
    pub version: i64,
    /// Newest date of a table that is partitioned by dates, in days since 1970, as its log knows it.
    pub newest_partition: Option<i32>,
    /// The way to the rows of one person, where there is one.
    pub look_up: Option<Arc<dyn LookUp>>,
    /// What of it tells of the company that people keep.
    pub company: Option<Company>,
    /// Columns with their meaning, where the scan does not say it.
    pub described: Option<SchemaRef>,
}

impl TableEntry {
    /// A table whose classes stand in the field metadata, under the key `class`.
    pub fn new(provider: Arc<dyn TableProvider>, subject: Option<&str>, version: i64) -> Self {
        let classes = classes(&provider.schema());
        Self {
            provider,
            subject: subject.map(str::to_owned),
            classes,
            version,
            newest_partition: None,
            look_up: None,
            company: None,
            described: None,
        }
    }

    /// The same of rows that are worked out when they are read and say nothing of themselves: classes and meaning of its
    /// columns are those of a schema.
    pub fn described_by(mut self, schema: SchemaRef) -> Self {
        self.classes = classes(&schema);
        self.described = Some(schema);
        self
    }

    /// The same with what tells of the company that people keep.
    pub fn with_company(mut self, company: Option<Company>) -> Self {
        self.company = company;
        self
    }

    /// The same with a way to the rows of one person.
    pub fn with_look_up(mut self, look_up: Arc<dyn LookUp>) -> Self {
        self.look_up = Some(look_up);
        self
    }

    /// The same with the newest date of its partitions.
    pub fn with_newest_partition(mut self, day: Option<i32>) -> Self {
        self.newest_partition = day;
        self
    }

    /// Class of a column, if it has one.
    pub fn class(&self, column: &str) -> Option<Class> {
        self.classes.get(column).copied()
    }

    /// A column of the scan with what is said of it.
    pub(crate) fn told(&self, field: &Field) -> Field {
        let described = self.described.as_ref().and_then(|it| it.field_with_name(field.name()).ok());
        described.map_or_else(|| field.clone(), |it| field.clone().with_metadata(it.metadata().clone()))
    }
}

/// Classes as they stand in field metadata.
fn classes(schema: &SchemaRef) -> BTreeMap<String, Class> {
    let class = |field: &Field| Class::parse(field.metadata().get("class")?);
    schema.fields().iter().filter_map(|it| Some((it.name().clone(), class(it)?))).collect()
}
