//! The order that files promise: checked as they are written, restored when they are merged.
//!
//! A false promise is worse than none: a query engine that trusts it leaves out a sort and answers wrongly.

use std::cmp::Ordering;

use arrow::array::{RecordBatch, UInt32Array, make_comparator};
use arrow::compute::{SortOptions, concat_batches, take_record_batch};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};

use crate::error::Error;

/// Ascending with nulls last, which is what SQL means by ORDER BY.
pub const ASCENDING: SortOptions = SortOptions { descending: false, nulls_first: false };

/// Checks rows against the columns they claim to be sorted by.
#[derive(Debug)]
pub(crate) struct Order<'a> {
    table: &'a str,
    sort_by: &'a [String],
    last: Option<RecordBatch>,
    rows: usize,
}

impl<'a> Order<'a> {
    /// Expects nothing yet.
    pub(crate) fn new(table: &'a str, sort_by: &'a [String]) -> Self {
        Order { table, sort_by, last: None, rows: 0 }
    }

    /// Checks the rows that follow.
    ///
    /// # Errors
    /// [`Error::NotSorted`] naming the first row that comes too late.
    pub(crate) fn check(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        if self.sort_by.is_empty() || batch.num_rows() == 0 {
            return Ok(());
        }
        let failed = Error::arrow("compare", self.table);
        let late = self.first_late(batch).map_err(failed)?;
        if let Some(row) = late {
            let sort_by = self.sort_by.to_vec();
            return Err(Error::NotSorted { table: self.table.to_owned(), sort_by, row: self.rows + row });
        }
        self.rows += batch.num_rows();
        self.last = Some(batch.slice(batch.num_rows() - 1, 1));
        Ok(())
    }

    fn first_late(&self, batch: &RecordBatch) -> Result<Option<usize>, ArrowError> {
        if let Some(last) = &self.last {
            let compare = comparator(last, batch, self.sort_by)?;
            if compare(0, 0) == Ordering::Greater {
                return Ok(Some(0));
            }
        }
        let compare = comparator(batch, batch, self.sort_by)?;
        Ok((1..batch.num_rows()).find(|row| compare(row - 1, *row) == Ordering::Greater))
    }
}

fn comparator(
    left: &RecordBatch,
    right: &RecordBatch,
    sort_by: &[String],
) -> Result<impl Fn(usize, usize) -> Ordering, ArrowError> {
    let mut columns = Vec::with_capacity(sort_by.len());
    for column in sort_by {
        // The writer has brought the batch to the table's columns, so they are there.
        if let (Some(left), Some(right)) = (left.column_by_name(column), right.column_by_name(column)) {
            columns.push(make_comparator(left, right, ASCENDING)?);
        }
    }
    Ok(move |left, right| columns.iter().map(|compare| compare(left, right)).find(|it| it.is_ne()).unwrap_or(Ordering::Equal))
}

/// Sorts rows; rows that compare equal keep the order they came in.
pub(crate) fn sorted(batches: &[RecordBatch], sort_by: &[String]) -> Result<RecordBatch, ArrowError> {
    let Some(first) = batches.first() else {
        return Err(ArrowError::InvalidArgumentError("there is nothing to sort".to_owned()));
    };
    let all = concat_batches(first.schema_ref(), batches)?;
    let columns: Vec<_> = sort_by.iter().filter_map(|it| all.column_by_name(it)).cloned().collect();
    if columns.is_empty() {
        return Ok(all);
    }
    let fields = columns.iter().map(|it| SortField::new_with_options(it.data_type().clone(), ASCENDING)).collect();
    let rows = RowConverter::new(fields)?.convert_columns(&columns)?;
    let n_rows = u32::try_from(all.num_rows()).map_err(|it| ArrowError::InvalidArgumentError(it.to_string()))?;
    let mut indices: Vec<u32> = (0..n_rows).collect();
    indices.sort_by(|a, b| rows.row(*a as usize).cmp(&rows.row(*b as usize)));
    take_record_batch(&all, &UInt32Array::from(indices))
}
