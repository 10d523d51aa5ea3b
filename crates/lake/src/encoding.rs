//! How numbers are laid down in a file: a look at the first rows says whether their values come again.
//!
//! A dictionary of values that hardly repeat costs a hash table while writing and more bytes than it saves, and whoever
//! looks for one row reads all of it: numbers and instants are then stored as differences, hashes, which have neither
//! order nor repetition, as they are, and fractions byte by byte.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType};

/// Rows looked at; fewer rows than [`ROWS_MIN`] keep their dictionary, whatever they hold.
const ROWS_MAX: usize = 1024;
const ROWS_MIN: usize = 256;
/// Fractions keep a dictionary only if each comes so often: their file is large where whole numbers' is small.
const FRACTIONS_REPEAT: usize = 8;
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
    /// Fractions that do not come again often enough.
    Measured,
}

/// Looks at the first rows of a column, however they are cut into batches; `None` if it holds no 64-bit numbers.
pub(crate) fn numbers(column: &str, batches: &[RecordBatch]) -> Option<Numbers> {
    let mut first: Vec<i64> = Vec::with_capacity(ROWS_MAX);
    let mut is_fraction = false;
    for batch in batches {
        let array = batch.column_by_name(column)?;
        let room = ROWS_MAX - first.len();
        // What lies beneath a null is arbitrary, and must not decide.
        let known = |(row, it): (usize, i64)| if array.is_null(row) { 0 } else { it };
        let mut add = |values: &[i64]| first.extend(values.iter().copied().take(room).enumerate().map(known));
        match array.data_type() {
            DataType::Int64 => add(array.as_primitive::<Int64Type>().values()),
            DataType::Timestamp(TimeUnit::Microsecond, _) => add(array.as_primitive::<TimestampMicrosecondType>().values()),
            DataType::Float64 => {
                is_fraction = true;
                let values = array.as_primitive::<Float64Type>().values();
                add(&values.iter().take(room).map(|it| it.to_bits() as i64).collect::<Vec<_>>());
            }
            _ => return None,
        }
        if first.len() == ROWS_MAX {
            break;
        }
    }
    let rows = first.len();
    first.sort_unstable();
    let span = first.last().zip(first.first()).map_or(0, |(last, first)| last.wrapping_sub(*first) as u64);
    first.dedup();
    if is_fraction {
        let is_repeated = rows < ROWS_MIN || FRACTIONS_REPEAT * first.len() < rows;
        return Some(if is_repeated { Numbers::Repeated } else { Numbers::Measured });
    }
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

    use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray};

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
    fn fractions_keep_a_dictionary_only_if_few_come_again_and_again() {
        let fractions = |of: u64| {
            let column: ArrayRef = Arc::new(Float64Array::from_iter_values((0..10_000).map(|it: u64| (it % of) as f64 / 7.0)));
            RecordBatch::try_from_iter([("n", column)]).expect("a batch")
        };
        assert_eq!(numbers("n", &[fractions(20)]), Some(Numbers::Repeated));
        assert_eq!(numbers("n", &[fractions(400)]), Some(Numbers::Measured));
        assert_eq!(numbers("n", &[fractions(5_000)]), Some(Numbers::Measured));
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
