//! How numbers are laid down in a file: a look at the first rows says whether their values come again.
//!
//! A dictionary of values that hardly repeat costs a hash table while writing and more bytes than it saves; numbers
//! and instants are then stored as differences, and hashes, which have neither order nor repetition, as they are.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type, TimeUnit, TimestampMicrosecondType};

/// Rows looked at; fewer rows than [`ROWS_MIN`] keep their dictionary, whatever they hold.
const ROWS_MAX: usize = 1024;
const ROWS_MIN: usize = 256;
/// Differences that need more bits than these save nothing over the values themselves.
const BITS_MAX: u32 = 48;

/// How the numbers of a column are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Numbers {
    /// Few values that come again and again.
    Repeated,
    /// Values of their own, near each other.
    Near,
    /// Values of their own, all over the range.
    Scattered,
}

/// Looks at the first rows of a column, however they are cut into batches; `None` if it holds no 64-bit numbers.
pub(crate) fn numbers(column: &str, batches: &[RecordBatch]) -> Option<Numbers> {
    let mut first: Vec<i64> = Vec::with_capacity(ROWS_MAX);
    for batch in batches {
        let array = batch.column_by_name(column)?;
        let values: &[i64] = match array.data_type() {
            DataType::Int64 => array.as_primitive::<Int64Type>().values(),
            DataType::Timestamp(TimeUnit::Microsecond, _) => array.as_primitive::<TimestampMicrosecondType>().values(),
            _ => return None,
        };
        let room = ROWS_MAX - first.len();
        // What lies beneath a null is arbitrary, and must not decide.
        first.extend(values.iter().take(room).enumerate().map(|(row, it)| if array.is_null(row) { 0 } else { *it }));
        if first.len() == ROWS_MAX {
            break;
        }
    }
    let rows = first.len();
    first.sort_unstable();
    let span = first.last().zip(first.first()).map_or(0, |(last, first)| last.wrapping_sub(*first) as u64);
    first.dedup();
    Some(if rows < ROWS_MIN || 2 * first.len() < rows {
        Numbers::Repeated
    } else if u64::BITS - span.leading_zeros() <= BITS_MAX {
        Numbers::Near
    } else {
        Numbers::Scattered
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray};

    use super::*;

    fn batch(values: impl Iterator<Item = i64>) -> RecordBatch {
        let column: ArrayRef = Arc::new(Int64Array::from_iter_values(values));
        RecordBatch::try_from_iter([("n", column)]).expect("a batch")
    }

    #[test]
    fn values_that_come_again_keep_their_dictionary() {
        assert_eq!(numbers("n", &[batch((0..10_000).map(|it| it % 7))]), Some(Numbers::Repeated));
        assert_eq!(numbers("n", &[batch(0..ROWS_MIN as i64 - 1)]), Some(Numbers::Repeated));
    }

    #[test]
    fn values_of_their_own_are_differences_if_they_lie_near() {
        assert_eq!(numbers("n", &[batch((0..10_000).map(|it| it * 7_919 % 10_007))]), Some(Numbers::Near));
        let hash = |it: i64| it.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
        assert_eq!(numbers("n", &[batch((0..10_000).map(hash))]), Some(Numbers::Scattered));
    }

    #[test]
    fn the_cut_into_batches_changes_nothing() {
        let whole = batch((0..5_000).map(|it| if it < 600 { it % 5 } else { it }));
        let cut: Vec<_> = (0..50).map(|it| whole.slice(it * 100, 100)).collect();
        assert_eq!(numbers("n", &[whole]), numbers("n", &cut));
    }

    #[test]
    fn a_column_of_words_is_left_alone() {
        let words: ArrayRef = Arc::new(StringArray::from(vec!["a"]));
        assert_eq!(numbers("n", &[RecordBatch::try_from_iter([("n", words)]).expect("a batch")]), None);
    }
}
