//! Byte strings stored once: what a repeated cell costs is one multiplication and one look into a table.

use xxhash_rust::xxh3::xxh3_64;

/// Words up to this length stand in the table itself.
const SHORT: usize = 16;

/// Byte strings end to end in one buffer, by number.
#[derive(Debug, Default)]
pub(crate) struct Words {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Words {
    /// Adds a word and returns its number.
    pub(crate) fn push(&mut self, word: &[u8]) -> u32 {
        self.bytes.extend_from_slice(word);
        self.ends.push(self.bytes.len());
        (self.ends.len() - 1) as u32
    }

    /// The word of a number.
    #[inline]
    pub(crate) fn get(&self, number: u32) -> &[u8] {
        let at = number as usize;
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.bytes[start..self.ends[at]]
    }

    /// How many words there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// All words in the order of their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|it| self.get(it as u32))
    }
}

/// [`Words`] that can be found again: open addressing, at most half full.
#[derive(Debug)]
pub(crate) struct Interned {
    words: Words,
    table: Vec<Entry>,
}

/// A word in the table. Short ones are all there; of a long one there is the hash, and the bytes are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    packed: [u64; 2],
    length: u32,
    /// Number + 1; 0 is free.
    number: u32,
}

const FREE: Entry = Entry { packed: [0, 0], length: 0, number: 0 };

impl Interned {
    /// An empty set.
    pub(crate) fn new() -> Self {
        Self { words: Words::default(), table: vec![FREE; 64] }
    }

    /// The number of a word, if it was seen.
    #[inline]
    pub(crate) fn find(&self, word: &[u8]) -> Option<u32> {
        let packed = pack(word);
        let mask = self.table.len() - 1;
        let mut at = place(packed) & mask;
        loop {
            let entry = &self.table[at];
            if entry.number == 0 {
                return None;
            }
            if entry.packed == packed && entry.length == word.len() as u32 {
                let number = entry.number - 1;
                if word.len() <= SHORT || self.words.get(number) == word {
                    return Some(number);
                }
            }
            at = (at + 1) & mask;
        }
    }

    /// The number of a word, which is added if it was not seen.
    pub(crate) fn intern(&mut self, word: &[u8]) -> u32 {
        if let Some(number) = self.find(word) {
            return number;
        }
        let number = self.words.push(word);
        if self.table.len() < self.words.len() * 2 {
            let grown = vec![FREE; self.table.len() * 4];
            for entry in std::mem::replace(&mut self.table, grown) {
                self.put(entry);
            }
        }
        self.put(Entry { packed: pack(word), length: word.len() as u32, number: number + 1 });
        number
    }

    /// The words by number.
    pub(crate) fn words(&self) -> &Words {
        &self.words
    }

    fn put(&mut self, entry: Entry) {
        if entry.number == 0 {
            return;
        }
        let mask = self.table.len() - 1;
        let mut at = place(entry.packed) & mask;
        while self.table[at].number != 0 {
            at = (at + 1) & mask;
        }
        self.table[at] = entry;
    }
}

/// Short words as two integers that tell them apart from any other of their length; long ones as their hash.
///
/// The two halves of a word overlap, so that no byte is read alone.
#[inline]
fn pack(word: &[u8]) -> [u64; 2] {
    let n = word.len();
    if SHORT < n {
        return [xxh3_64(word), 0];
    }
    if let (Some(first), Some(last)) = (word.first_chunk::<8>(), word.last_chunk::<8>()) {
        return [u64::from_le_bytes(*first), u64::from_le_bytes(*last)];
    }
    if let (Some(first), Some(last)) = (word.first_chunk::<4>(), word.last_chunk::<4>()) {
        return [u64::from(u32::from_le_bytes(*first)), u64::from(u32::from_le_bytes(*last))];
    }
    let byte = |at: usize| word.get(at).map_or(0, |it| u64::from(*it));
    [byte(0) | byte(1) << 8 | byte(2) << 16, 0]
}

/// Where a word is looked for: both halves of a product, which every bit of the word reaches.
#[inline]
fn place([first, last]: [u64; 2]) -> usize {
    let product = u128::from(first ^ 0x9e37_79b9_7f4a_7c15) * u128::from(last ^ 0xd1b5_4a32_d192_ed03);
    (product as u64 ^ (product >> 64) as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_keeps_its_number_while_the_table_grows() {
        let mut interned = Interned::new();
        let word = |it: u32| format!("{it}{}", "x".repeat(it as usize % 20)).into_bytes();
        for it in 0..20_000 {
            assert_eq!(interned.intern(&word(it)), it);
        }
        for it in 0..20_000 {
            assert_eq!(interned.find(&word(it)), Some(it));
            assert_eq!(interned.words().get(it), word(it));
        }
        assert_eq!(interned.find(b"absent"), None);
    }

    #[test]
    fn short_words_that_differ_anywhere_are_told_apart() {
        let mut interned = Interned::new();
        let mut numbers = std::collections::HashSet::new();
        for length in 0..=20 {
            assert!(numbers.insert(interned.intern(&vec![0; length])));
            for at in 0..length {
                let mut word = vec![0; length];
                word[at] = 1;
                assert!(numbers.insert(interned.intern(&word)), "{word:?}");
            }
        }
    }
}
