//! What tells one row's values from another's, whatever file, format or line they came in.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::batch::Keys;
use crate::column::{EMPTY, Slot, Sparse, Values};

/// Hashes the rows: the sum of XXH3-64 over each value, seeded with the hash of its column's name.
///
/// An empty value adds nothing and a sum knows no order, so a column that is added to the contract, or moved in it,
/// changes no hash of a row that lacks it. A person counts by key. Columns that stay in the vault do not count. Integers,
/// dates, instants (microseconds), truth values and the bits of floats are hashed as eight bytes, text as the eight
/// bytes of its own XXH3-64, so that a word is hashed once a file.
pub(crate) fn row_hashes<'a>(slots: impl IntoIterator<Item = &'a Slot>, keys: &Keys, n: usize) -> Vec<i64> {
    let mut sums = vec![0_u64; n];
    for slot in slots {
        let Some(name) = &slot.lake_name else { continue };
        let seed = xxh3_64(name.as_bytes());
        let hash = |value: i64| xxh3_64_with_seed(&value.to_le_bytes(), seed);
        match &slot.values {
            Values::Text(texts) => {
                let words: Vec<u64> = texts.words.iter().map(|it| hash(xxh3_64(it) as i64)).collect();
                add_ids(&mut sums, &texts.ids, &words);
            }
            Values::Person(numbers) => {
                let keys = &keys[numbers.people_at];
                let words: Vec<u64> = keys.iter().map(|it| it.map_or(0, hash)).collect();
                add_ids(&mut sums, &numbers.ids, &words);
            }
            Values::Whole(values, _) | Values::Instant(values, _) => add(&mut sums, values, hash),
            Values::Float(values) => add(&mut sums, values, |it| hash(it.to_bits() as i64)),
            Values::Truth(values) => add(&mut sums, values, |it| hash(i64::from(it))),
            Values::Date(values, _) => add(&mut sums, values, |it| hash(i64::from(it))),
        }
    }
    sums.into_iter().map(|it| it as i64).collect()
}

fn add_ids(sums: &mut [u64], ids: &[u32], words: &[u64]) {
    for (sum, id) in sums.iter_mut().zip(ids) {
        if *id != EMPTY {
            *sum = sum.wrapping_add(words[*id as usize]);
        }
    }
}

fn add<T: Copy>(sums: &mut [u64], values: &Sparse<T>, hash: impl Fn(T) -> u64) {
    let mut from = 0;
    // Between two empty rows there is a run without a question.
    for to in values.empty.iter().map(|it| *it as usize).chain([values.values.len()]) {
        for (sum, value) in sums[from..to].iter_mut().zip(&values.values[from..to]) {
            *sum = sum.wrapping_add(hash(*value));
        }
        from = to + 1;
    }
}
