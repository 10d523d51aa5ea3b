//! What a raw table looks like: the contract's columns and the columns that the door adds.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};

use crate::{Class, Column, ColumnType, Pipeline};

/// Columns that the door adds to every raw row.
///
/// `occurred_at` instant of the fact (NULL for states without one); `known_at` instant from which the platform could
/// use the row; `is_known_assumed` whether that is the contract's guess for a first load; `minute_of_day` of the
/// civil clock; `row_hash` of the row's own values; `file_no` and `row_no` the way back to the file; `occurred_on`
/// campus day, the partition of events.
pub const RAW_COLUMNS: [&str; 8] =
    ["occurred_at", "known_at", "is_known_assumed", "minute_of_day", "row_hash", "file_no", "row_no", "occurred_on"];

/// The type of every instant in the lake: microseconds UTC.
pub fn instant_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// The name under which a declared column stands in the lake; `None` for values that stay in the vault.
pub fn lake_column(name: &str, column: &Column) -> Option<String> {
    match column.person {
        Some(kind) => Some(column.key_as.clone().unwrap_or_else(|| kind.key_column().to_owned())),
        None if column.class == Class::Identity => None,
        None => Some(name.to_owned()),
    }
}

/// Schema of a pipeline's raw table. Events end with `occurred_on`, their partition; states have no such column.
///
/// Field metadata carry `class`, `about` and `unit`, so that a reader of the table needs no other file.
pub fn raw_schema(pipeline: &Pipeline) -> SchemaRef {
    let mut fields: Vec<Field> = pipeline
        .columns
        .iter()
        .filter_map(|(name, column)| {
            let lake_name = lake_column(name, column)?;
            // A key is a pseudonym: it tells rows of one person apart and nothing else.
            let class = if column.person.is_some() { Class::Personal } else { column.class };
            let field = described(&lake_name, lake_type(column), true, &column.about, class, column.unit.as_deref());
            Some(in_chinese(field, column.about_zh.as_deref()))
        })
        .collect();
    let own = |name, data_type, nullable, [about, about_zh]: [&str; 2], class| {
        in_chinese(described(name, data_type, nullable, about, class, None), Some(about_zh))
    };
    let words = ["Instant of the fact.", "事实发生的时刻。"];
    fields.push(own("occurred_at", instant_type(), !pipeline.is_event(), words, Class::Trace));
    let words = ["Instant from which the platform could use the row.", "平台自该时刻起可以使用这一行。"];
    fields.push(own("known_at", instant_type(), false, words, Class::Internal));
    let words = ["Whether known_at is the contract's usual delay.", "known_at 是否按合约约定的通常到达时间推定。"];
    fields.push(own("is_known_assumed", DataType::Boolean, false, words, Class::Internal));
    if pipeline.is_event() {
        let words = ["Minute of the civil day, 0 to 1439.", "自然日的第几分钟，0 至 1439。"];
        fields.push(own("minute_of_day", DataType::Int32, false, words, Class::Trace));
    }
    fields.push(own(
        "row_hash",
        DataType::Int64,
        false,
        ["Hash of the row's own values.", "该行自身各值的散列。"],
        Class::Internal,
    ));
    fields.push(own(
        "file_no",
        DataType::Int64,
        false,
        ["Number of the file in the register.", "文件在登记册中的编号。"],
        Class::Internal,
    ));
    let words = ["Row in the file, from 1, the head not counted.", "文件中的行号，从 1 起，不计表头。"];
    fields.push(own("row_no", DataType::Int64, false, words, Class::Internal));
    if pipeline.is_event() {
        let words = ["Campus day, beginning at 04:00.", "校园日，自凌晨 04:00 起算。"];
        fields.push(own("occurred_on", DataType::Date32, false, words, Class::Trace));
    }
    Arc::new(Schema::new(fields))
}

/// How raw rows are ordered within a file: by person and time, so that one student's rows lie together.
pub fn raw_sort(pipeline: &Pipeline) -> Vec<String> {
    let schema = raw_schema(pipeline);
    ["student_key", "occurred_at", "file_no", "row_no"]
        .into_iter()
        .filter(|it| schema.field_with_name(it).is_ok())
        .map(str::to_owned)
        .collect()
}

fn lake_type(column: &Column) -> DataType {
    match column.type_ {
        _ if column.person.is_some() => DataType::Int64,
        ColumnType::Text => DataType::Utf8,
        ColumnType::Int64 => DataType::Int64,
        ColumnType::Float64 => DataType::Float64,
        ColumnType::Boolean => DataType::Boolean,
        ColumnType::Date => DataType::Date32,
        ColumnType::Timestamp => instant_type(),
    }
}

/// A field that carries its class, meaning and unit.
pub fn described(name: &str, data_type: DataType, nullable: bool, about: &str, class: Class, unit: Option<&str>) -> Field {
    let mut metadata = std::collections::HashMap::from([
        ("class".to_owned(), class.as_str().to_owned()),
        ("about".to_owned(), about.to_owned()),
    ]);
    if let Some(unit) = unit {
        metadata.insert("unit".to_owned(), unit.to_owned());
    }
    Field::new(name, data_type, nullable).with_metadata(metadata)
}

/// The field with its meaning in Chinese beside it, where there is one: words for screens, which decide no value.
pub fn in_chinese(mut field: Field, about_zh: Option<&str>) -> Field {
    if let Some(about_zh) = about_zh {
        let mut metadata = field.metadata().clone();
        metadata.insert(ABOUT_ZH.to_owned(), about_zh.to_owned());
        field.set_metadata(metadata);
    }
    field
}

/// Key of a field's meaning in Chinese in its metadata.
pub const ABOUT_ZH: &str = "about_zh";

/// Schema of `ops_quarantine_replayed`: what became of refused rows that were tried again and wait no longer.
pub fn replayed_schema() -> SchemaRef {
    let own = |name, data_type, about| described(name, data_type, false, about, Class::Internal, None);
    Arc::new(Schema::new(vec![
        own("pipeline", DataType::Utf8, "Pipeline that refused the row."),
        own("file_no", DataType::Int64, "Number of the file in the register."),
        own("row_no", DataType::Int64, "Row in the file, from 1."),
        own("replayed_at", instant_type(), "Instant at which the row was tried again."),
        own(
            "outcome",
            DataType::Utf8,
            "kept: it is in the raw table; superseded: a later row of its key or a later full export holds; erased: its person was erased.",
        ),
    ]))
}

/// Schema of `ops_quarantine`, the one sealed table of rejected rows.
pub fn quarantine_schema() -> SchemaRef {
    let own = |name, data_type, nullable, about, class| described(name, data_type, nullable, about, class, None);
    Arc::new(Schema::new(vec![
        own("pipeline", DataType::Utf8, false, "Pipeline that refused the row.", Class::Internal),
        own("reason", DataType::Utf8, false, "Code of the first check that failed.", Class::Internal),
        own("column", DataType::Utf8, true, "Column or rule that failed.", Class::Internal),
        own("file_no", DataType::Int64, false, "Number of the file in the register.", Class::Internal),
        own("row_no", DataType::Int64, false, "Row in the file, from 1.", Class::Internal),
        own("known_at", instant_type(), false, "Instant at which the row was refused.", Class::Internal),
        own("sealed_row", DataType::Binary, false, "The row as it came, encrypted.", Class::Closed),
    ]))
}
