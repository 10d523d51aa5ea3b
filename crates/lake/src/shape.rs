//! What a table looks like: the caller's specification, and how it becomes Delta metadata and grows.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use deltalake::kernel::engine::arrow_conversion::{TryIntoArrow, TryIntoKernel};
use deltalake::kernel::{Metadata, StructField, StructType, new_metadata};
use serde_json::json;

use crate::error::Error;
use crate::replay::TableState;

/// Prefix of our own keys in Delta's configuration and commit info.
pub(crate) const PREFIX: &str = "yizhan.";
/// Key of the sort columns in Delta's configuration.
pub(crate) const SORT_BY: &str = "yizhan.sort_by";
/// Key of the columns whose minima and maxima reach the log.
pub(crate) const STATS_COLUMNS: &str = "delta.dataSkippingStatsColumns";

/// What a table is made of; given with every write.
#[derive(Debug, Clone)]
pub struct TableSpec {
    /// Name: lower case letters, digits, underscores.
    pub name: String,
    /// Columns, the partition column among them.
    pub schema: SchemaRef,
    /// The partition column, a `Date32`.
    pub partition_by: Option<String>,
    /// Columns by which rows are sorted inside a file, ascending, nulls last.
    pub sort_by: Vec<String>,
    /// Columns whose minima and maxima may stand in the log, for pruning: never an identifying one.
    pub stats_columns: Vec<String>,
    /// What else to remember of the table, by keys of the caller.
    pub properties: BTreeMap<String, String>,
}

/// A specification that was checked.
#[derive(Debug)]
pub(crate) struct Shape {
    /// The columns, as Delta names their types.
    pub(crate) columns: StructType,
    /// Columns of a data file, as Arrow names their types.
    pub(crate) file_schema: SchemaRef,
    /// The sort columns that files hold: the partition column is the same in all their rows.
    pub(crate) sort_by: Vec<String>,
    /// The statistics columns that files hold: the log tells the partition anyway.
    pub(crate) stats_columns: Vec<String>,
}

impl Shape {
    /// Checks a specification.
    ///
    /// # Errors
    /// [`Error::BadSpec`] naming the column.
    pub(crate) fn of(spec: &TableSpec) -> Result<Shape, Error> {
        let bad = |column: &str, reason: &str| Error::BadSpec {
            table: spec.name.clone(),
            column: column.to_owned(),
            reason: reason.to_owned(),
        };
        let mut fields: Vec<Arc<Field>> = Vec::with_capacity(spec.schema.fields().len());
        for field in spec.schema.fields() {
            let stored = stored_type(field.data_type()).map_err(|reason| bad(field.name(), &reason))?;
            fields.push(Arc::new(field.as_ref().clone().with_data_type(stored)));
        }
        let columns: StructType = (&Schema::new(fields)).try_into_kernel().map_err(Error::arrow("read", &spec.name))?;
        let stored: Schema = (&columns).try_into_arrow().map_err(Error::arrow("read", &spec.name))?;

        if let Some(partition) = &spec.partition_by {
            let field = stored.field_with_name(partition).map_err(|_| bad(partition, "it is not in the schema"))?;
            if field.data_type() != &DataType::Date32 {
                return Err(bad(partition, "a partition column is a Date32"));
            }
        }
        for (columns, role) in [(&spec.sort_by, "sort column"), (&spec.stats_columns, "statistics column")] {
            if let Some(column) = columns.iter().find(|it| stored.field_with_name(it).is_err()) {
                return Err(bad(column, &format!("the {role} is not in the schema")));
            }
        }
        let is_in_file = |it: &String| spec.partition_by.as_ref() != Some(it);
        let in_file = stored.fields().iter().filter(|it| is_in_file(it.name()));
        // Without field metadata: bytes of a file must not change with the description of a column.
        let plain = in_file.map(|it| it.as_ref().clone().with_metadata(HashMap::new()));
        Ok(Shape {
            file_schema: Arc::new(Schema::new(plain.collect::<Vec<_>>())),
            sort_by: spec.sort_by.iter().filter(|it| is_in_file(it)).cloned().collect(),
            stats_columns: spec.stats_columns.iter().filter(|it| is_in_file(it)).cloned().collect(),
            columns,
        })
    }
}

/// The one type under which a column is stored, or why it is not.
pub(crate) fn stored_type(given: &DataType) -> Result<DataType, String> {
    Ok(match given {
        DataType::Dictionary(_, value) => stored_type(value)?,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
        DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) if ["UTC", "+00:00"].contains(&zone.as_ref()) => {
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
        }
        DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::Float32
        | DataType::Float64
        | DataType::Date32
        | DataType::Decimal128(_, 0..) => given.clone(),
        DataType::List(item) => DataType::List(Arc::new(item.as_ref().clone().with_data_type(stored_type(item.data_type())?))),
        DataType::Struct(fields) => {
            let stored = |it: &Arc<Field>| -> Result<Field, String> {
                Ok(it.as_ref().clone().with_data_type(stored_type(it.data_type())?))
            };
            DataType::Struct(fields.iter().map(stored).collect::<Result<Vec<_>, _>>()?.into())
        }
        // Unsigned numbers would be stored signed, naive and coarser instants need Delta features we keep off.
        other => return Err(format!("type {other} is not stored")),
    })
}

/// Metadata of a table that is made now.
pub(crate) fn metadata(spec: &TableSpec, shape: &Shape) -> Result<Metadata, Error> {
    new_metadata(&shape.columns, spec.partition_by.iter(), configuration(spec, shape, &shape.sort_by, None))
        .map_err(|it| Error::delta("describe", &spec.name)(it.into()))
}

/// Metadata the table must get so that it fits the specification, or `None` if it fits already.
///
/// # Errors
/// [`Error::SchemaChanged`] unless the specification has only gained nullable columns.
pub(crate) fn grown(state: &TableState, spec: &TableSpec, shape: &Shape) -> Result<Option<Metadata>, Error> {
    let changed =
        |column: &str, change: String| Error::SchemaChanged { table: spec.name.clone(), column: column.to_owned(), change };
    if state.partition_by != spec.partition_by {
        let name = |it: &Option<String>| it.clone().unwrap_or_else(|| "nothing".to_owned());
        let (from, to) = (name(&state.partition_by), name(&spec.partition_by));
        return Err(changed(&to, format!("it would be partitioned by {to} instead of {from}")));
    }
    let stored = state.metadata.parse_schema().map_err(|it| Error::damaged(&spec.name, it))?;
    let mut columns: Vec<StructField> = Vec::new();
    for field in stored.fields() {
        let Some(given) = shape.columns.field(field.name()) else {
            return Err(changed(field.name(), "it is gone".to_owned()));
        };
        if given.data_type() != field.data_type() {
            let (from, to) = (field.data_type(), given.data_type());
            return Err(changed(field.name(), format!("its type was {from} and would be {to}")));
        }
        if given.is_nullable() != field.is_nullable() {
            let word = if given.is_nullable() { "nullable" } else { "required" };
            return Err(changed(field.name(), format!("it would become {word}")));
        }
        columns.push(field.clone());
    }
    for given in shape.columns.fields() {
        if stored.field(given.name()).is_none() {
            if !given.is_nullable() {
                return Err(changed(given.name(), "it is new and required".to_owned()));
            }
            columns.push(given.clone());
        }
    }
    // Old files keep their old order, so the table as a whole keeps what both orders share.
    let sort_by: Vec<String> = if state.files.is_empty() {
        shape.sort_by.clone()
    } else {
        state.sort_by.iter().zip(&shape.sort_by).take_while(|(a, b)| a == b).map(|(it, _)| it.clone()).collect()
    };
    let columns = StructType::try_new(columns).map_err(|it| Error::damaged(&spec.name, it))?;
    rewritten(state, spec, shape, &columns, &sort_by)
}

/// Metadata of a table whose content is replaced as a whole, or `None` if nothing about it changes.
pub(crate) fn replaced(state: &TableState, spec: &TableSpec, shape: &Shape) -> Result<Option<Metadata>, Error> {
    rewritten(state, spec, shape, &shape.columns, &shape.sort_by)
}

/// The table's metadata with other columns and configuration but the same identity.
fn rewritten(
    state: &TableState,
    spec: &TableSpec,
    shape: &Shape,
    columns: &StructType,
    sort_by: &[String],
) -> Result<Option<Metadata>, Error> {
    let now = &state.metadata;
    let damaged = |it: serde_json::Error| Error::damaged(&spec.name, it);
    let schema = serde_json::to_string(columns).map_err(damaged)?;
    let stored = now.parse_schema().map_err(|it| Error::damaged(&spec.name, it))?;
    let configuration = configuration(spec, shape, sort_by, Some(now.configuration()));
    let partition_by: Vec<String> = spec.partition_by.iter().cloned().collect();
    if &stored == columns && &configuration == now.configuration() && partition_by == now.partition_columns() {
        return Ok(None);
    }
    let mut value = serde_json::to_value(now).map_err(damaged)?;
    value["schemaString"] = json!(schema);
    value["partitionColumns"] = json!(partition_by);
    value["configuration"] = json!(configuration);
    serde_json::from_value(value).map(Some).map_err(damaged)
}

/// Delta's configuration for a specification; keys of others are kept, ours are replaced.
fn configuration(
    spec: &TableSpec,
    shape: &Shape,
    sort_by: &[String],
    now: Option<&HashMap<String, String>>,
) -> HashMap<String, String> {
    let mut all: HashMap<String, String> = now.cloned().unwrap_or_default();
    all.retain(|key, _| !key.starts_with(PREFIX) && key != STATS_COLUMNS);
    let fixed = [
        ("delta.enableDeletionVectors", "false"),
        ("delta.columnMapping.mode", "none"),
        ("delta.logRetentionDuration", "interval 30 days"),
        ("delta.deletedFileRetentionDuration", "interval 7 days"),
        ("delta.checkpointInterval", "50"),
        // Whoever else writes into the table logs no minima and maxima beyond the list.
        ("delta.dataSkippingNumIndexedCols", "0"),
    ];
    all.extend(fixed.map(|(key, value)| (key.to_owned(), value.to_owned())));
    if !shape.stats_columns.is_empty() {
        all.insert(STATS_COLUMNS.to_owned(), shape.stats_columns.join(","));
    }
    all.extend(spec.properties.iter().map(|(key, value)| (format!("{PREFIX}{key}"), value.clone())));
    all.insert(SORT_BY.to_owned(), sort_by.join(","));
    all
}
