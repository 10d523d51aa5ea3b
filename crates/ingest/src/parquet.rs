//! Parquet with flat columns: typed values become cells, and meet the same checks as those of any other format.
//!
//! A timestamp without a zone is a local time of the campus, one with a zone is an instant. Nothing nested is read.

use std::fs::File;
use std::sync::Arc;

use ::parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::ParquetMetaData;
use ::parquet::file::reader::ChunkReader;
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, Schema, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use schema::Encoding;

use crate::cell::Cell;
use crate::column::Slot;
use crate::damaged::ask;
use crate::rows::Rows;
use crate::value::is_in_calendar;
use crate::{Door, Error, FileInput, head, reject, unpack};

const DAY_US: i64 = 86_400_000_000;
/// Rows that are turned into cells at once.
const BATCH_ROWS: usize = 8_192;

/// Reads all rows.
///
/// # Errors
/// If the file cannot be read or unpacks beyond the limit, its columns do not fit the contract, a column is of a type that
/// cannot be read, or there are too many rows.
pub(crate) fn read(door: &Door<'_>, file: &FileInput<'_>, bytes: &[u8], rows: &mut Rows) -> Result<(), Error> {
    let refuse = |source| Error::Parquet { file: file.display.to_owned(), source };
    let bytes_max = door.limits.file_bytes_max;
    let held = held(bytes.to_vec(), <File as ChunkReader>::get_bytes);
    let found = ask(|| ArrowReaderMetadata::load(&held, ArrowReaderOptions::new())).map_err(refuse)?;
    if bytes_max < unpacked_bytes(found.metadata()) {
        return Err(unpack::too_large(file, bytes_max));
    }
    let rows_said = u64::try_from(found.metadata().file_metadata().num_rows()).unwrap_or_default();
    if door.limits.rows_max < rows_said {
        return Err(Error::TooLarge { file: file.display.to_owned(), limit: door.limits.rows_max, unit: "rows" });
    }
    let heads = heads(&found);
    let places = head::bind(door.pipeline, &heads, file.display)?;
    head::excuse(&mut rows.slots, &places);

    let options = ArrowReaderOptions::new().with_schema(read_schema(file, &found)?);
    let found = ask(|| ArrowReaderMetadata::try_new(Arc::clone(found.metadata()), options)).map_err(refuse)?;
    let batches = ParquetRecordBatchReaderBuilder::new_with_metadata(held, found).with_batch_size(BATCH_ROWS);
    let mut batches = ask(|| batches.build()).map_err(refuse)?;

    let mut text_bytes = 0;
    while let Some(batch) = ask(|| batches.next().transpose()).map_err(refuse)? {
        let mut columns: Vec<Vec<Cell<'_>>> =
            places.iter().map(|it| it.map_or_else(Vec::new, |at| cells(batch.column(at)))).collect();
        // A word that the file holds once may stand in every row: what counts is what comes out.
        text_bytes += columns.iter().flatten().filter_map(Cell::text).map(|it| it.len() as u64).sum::<u64>();
        if bytes_max < text_bytes {
            return Err(unpack::too_large(file, bytes_max));
        }
        let mut row: Vec<Cell<'_>> = Vec::with_capacity(places.len());
        for at in 0..batch.num_rows() {
            let row_no = rows.next_row_no(file)?;
            row.clear();
            row.extend(
                columns.iter_mut().map(|it| it.get_mut(at).map_or(Cell::Absent, |it| std::mem::replace(it, Cell::Absent))),
            );
            let object = |slots: &[Slot]| {
                let row: Vec<Cell<'_>> = slots.iter().zip(&row).map(|(slot, cell)| reject::as_it_is_read(slot, cell)).collect();
                let named = slots.iter().zip(&row).map(|(slot, cell)| (slot.head.as_str(), cell));
                reject::object(named, Encoding::Utf8).unwrap_or_default()
            };
            rows.take(row_no, &row, object);
        }
    }
    Ok(())
}

fn heads(found: &ArrowReaderMetadata) -> Vec<String> {
    found.schema().fields().iter().map(|it| it.name().clone()).collect()
}

/// The columns of a file as the types as which they are read.
fn read_schema(file: &FileInput<'_>, found: &ArrowReaderMetadata) -> Result<Arc<Schema>, Error> {
    let mut read_as = Vec::with_capacity(found.schema().fields().len());
    for field in found.schema().fields() {
        let data_type = read_type(field.data_type()).ok_or_else(|| Error::ParquetType {
            file: file.display.to_owned(),
            head: field.name().clone(),
            found: field.data_type().to_string(),
        })?;
        read_as.push(field.as_ref().clone().with_data_type(data_type));
    }
    Ok(Arc::new(Schema::new(read_as)))
}

/// The names of a file's columns, its first rows, and whether there are no more.
pub(crate) type FirstRows = (Vec<String>, Vec<Vec<Cell<'static>>>, bool);

/// Reads the first rows of a file.
///
/// # Errors
/// If the file cannot be read or unpacks beyond the limit, or a column is of a type that cannot be read.
pub(crate) fn first_rows(file: &FileInput<'_>, bytes: &[u8], bytes_max: u64, rows_max: usize) -> Result<FirstRows, Error> {
    let refuse = |source| Error::Parquet { file: file.display.to_owned(), source };
    let held = held(bytes.to_vec(), <File as ChunkReader>::get_bytes);
    let found = ask(|| ArrowReaderMetadata::load(&held, ArrowReaderOptions::new())).map_err(refuse)?;
    if bytes_max < unpacked_bytes(found.metadata()) {
        return Err(unpack::too_large(file, bytes_max));
    }
    let heads = heads(&found);
    let options = ArrowReaderOptions::new().with_schema(read_schema(file, &found)?);
    let found = ask(|| ArrowReaderMetadata::try_new(Arc::clone(found.metadata()), options)).map_err(refuse)?;
    let batches = ParquetRecordBatchReaderBuilder::new_with_metadata(held, found).with_batch_size(BATCH_ROWS);
    let mut batches = ask(|| batches.build()).map_err(refuse)?;
    let mut rows = Vec::new();
    while let Some(batch) = ask(|| batches.next().transpose()).map_err(refuse)? {
        let columns: Vec<Vec<Cell<'_>>> = batch.columns().iter().map(cells).collect();
        for at in 0..batch.num_rows() {
            if rows_max <= rows.len() {
                return Ok((heads, rows, false));
            }
            rows.push(columns.iter().map(|it| it.get(at).map_or(Cell::Absent, Cell::owned)).collect());
        }
    }
    Ok((heads, rows, true))
}

/// Bytes in the form in which a reader of Parquet hands them out without copying them.
///
/// `like` names that form by a function that returns it.
fn held<T: From<Vec<u8>>>(bytes: Vec<u8>, _like: impl Fn(&File, u64, usize) -> Result<T, ParquetError>) -> T {
    bytes.into()
}

/// What the file says it unpacks to.
fn unpacked_bytes(metadata: &ParquetMetaData) -> u64 {
    let sizes = metadata.row_groups().iter().map(|it| u64::try_from(it.total_byte_size()).unwrap_or(u64::MAX));
    sizes.fold(0, u64::saturating_add)
}

/// The type as which a column is read; `None` if no column takes its values.
///
/// Text is read as views, which do not copy a word for every row that has it.
fn read_type(found: &DataType) -> Option<DataType> {
    let is_text = |it: &DataType| matches!(it, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    match found {
        DataType::Dictionary(_, words) => is_text(words).then_some(DataType::Utf8View),
        it if is_text(it) => Some(DataType::Utf8View),
        DataType::Null
        | DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::UInt64
        | DataType::Float32
        | DataType::Float64
        | DataType::Decimal128(..)
        | DataType::Date32
        | DataType::Timestamp(..) => Some(found.clone()),
        _ => None,
    }
}

/// The values of a column as cells.
fn cells(column: &ArrayRef) -> Vec<Cell<'_>> {
    match column.data_type() {
        DataType::Utf8View => {
            let texts = column.as_string_view().iter();
            texts.map(|it| it.map_or(Cell::Absent, |it| Cell::Bytes(it.as_bytes()))).collect()
        }
        DataType::Boolean => column.as_boolean().iter().map(|it| it.map_or(Cell::Absent, Cell::Bool)).collect(),
        DataType::Int8 => each::<Int8Type>(column, |it| Cell::Int(it.into())),
        DataType::Int16 => each::<Int16Type>(column, |it| Cell::Int(it.into())),
        DataType::Int32 => each::<Int32Type>(column, |it| Cell::Int(it.into())),
        DataType::Int64 => each::<Int64Type>(column, Cell::Int),
        DataType::UInt8 => each::<UInt8Type>(column, |it| Cell::Int(it.into())),
        DataType::UInt16 => each::<UInt16Type>(column, |it| Cell::Int(it.into())),
        DataType::UInt32 => each::<UInt32Type>(column, |it| Cell::Int(it.into())),
        // As text a number that no column can hold is still the right text.
        DataType::UInt64 => {
            each::<UInt64Type>(column, |it| i64::try_from(it).map_or_else(|_| Cell::Owned(it.to_string().into()), Cell::Int))
        }
        // 12.35 as a short float is 12.350000381: the digits that it was written with are its value.
        DataType::Float32 => {
            each::<Float32Type>(column, |it| it.to_string().parse().map_or(Cell::Float(f64::from(it)), Cell::Float))
        }
        DataType::Float64 => each::<Float64Type>(column, Cell::Float),
        DataType::Decimal128(_, places) => each::<Decimal128Type>(column, |it| decimal(it, *places)),
        DataType::Date32 => each::<Date32Type>(column, |it| local(i64::from(it).checked_mul(DAY_US))),
        DataType::Timestamp(unit, zone) => {
            let cell = |at: Option<i64>| if zone.is_some() { instant(at) } else { local(at) };
            match unit {
                TimeUnit::Second => each::<TimestampSecondType>(column, |it| cell(it.checked_mul(1_000_000))),
                TimeUnit::Millisecond => each::<TimestampMillisecondType>(column, |it| cell(it.checked_mul(1_000))),
                TimeUnit::Microsecond => each::<TimestampMicrosecondType>(column, |it| cell(Some(it))),
                TimeUnit::Nanosecond => each::<TimestampNanosecondType>(column, |it| cell(Some(it.div_euclid(1_000)))),
            }
        }
        // A column of nothing.
        _ => Vec::new(),
    }
}

fn each<'a, T: ArrowPrimitiveType>(column: &ArrayRef, cell: impl Fn(T::Native) -> Cell<'a>) -> Vec<Cell<'a>> {
    column.as_primitive::<T>().iter().map(|it| it.map_or(Cell::Absent, &cell)).collect()
}

fn local<'a>(at_us: Option<i64>) -> Cell<'a> {
    at_us.filter(|it| is_in_calendar(*it)).map_or(Cell::Unreadable, Cell::Local)
}

fn instant<'a>(at_us: Option<i64>) -> Cell<'a> {
    at_us.filter(|it| is_in_calendar(*it)).map_or(Cell::Unreadable, Cell::Instant)
}

/// A decimal number exactly: whole if it is, else with the digits that are not zero.
fn decimal<'a>(value: i128, places: i8) -> Cell<'a> {
    let (mut value, mut places) = (value, i32::from(places));
    while 0 < places && value % 10 == 0 {
        value /= 10;
        places -= 1;
    }
    if places <= 0 {
        let whole = 10_i128.checked_pow(places.unsigned_abs()).and_then(|it| value.checked_mul(it));
        return match whole {
            Some(whole) => i64::try_from(whole).map_or_else(|_| Cell::Owned(whole.to_string().into()), Cell::Int),
            None => Cell::Unreadable,
        };
    }
    let places = places.unsigned_abs() as usize;
    let digits = format!("{:0width$}", value.unsigned_abs(), width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    let sign = if value < 0 { "-" } else { "" };
    Cell::Owned(format!("{sign}{whole}.{fraction}").into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_keep_every_digit_and_no_zero_behind() {
        #[track_caller]
        fn check(value: i128, places: i8, expected: &str) {
            let text = match decimal(value, places) {
                Cell::Int(it) => it.to_string(),
                Cell::Owned(it) => String::from_utf8(it).expect("digits"),
                other => format!("{other:?}"),
            };
            assert_eq!(text, expected, "{value} {places}");
        }
        check(1_250, 2, "12.5");
        check(-7, 2, "-0.07");
        check(1_200, 2, "12");
        check(0, 4, "0");
        check(12, -2, "1200");
        check(i128::from(i64::MAX) * 1_000 + 1, 3, "9223372036854775807.001");
        check(i128::from(i64::MAX) + 1, 0, "9223372036854775808");
        check(i128::MAX, -2, "Unreadable");
    }
}
