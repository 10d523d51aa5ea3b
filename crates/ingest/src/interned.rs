//! Byte strings stored once: what a repeated cell costs is one hash and one comparison.

use xxhash_rust::xxh3::xxh3_64;

const FREE: u64 = 0;

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
    /// Upper half: upper half of the hash. Lower half: number + 1; 0 is free.
    table: Vec<u64>,
}

impl Interned {
    /// An empty set.
    pub(crate) fn new() -> Self {
        Self { words: Words::default(), table: vec![FREE; 64] }
    }

    /// The number of a word, if it was seen.
    #[inline]
    pub(crate) fn find(&self, word: &[u8]) -> Option<u32> {
        let hash = xxh3_64(word);
        let mask = self.table.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let entry = self.table[at];
            if entry == FREE {
                return None;
            }
            if entry >> 32 == hash >> 32 && self.words.get(entry as u32 - 1) == word {
                return Some(entry as u32 - 1);
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
            self.table = vec![FREE; self.table.len() * 4];
            for other in 0..number {
                self.place(xxh3_64(self.words.get(other)), other);
            }
        }
        self.place(xxh3_64(word), number);
        number
    }

    /// The words by number.
    pub(crate) fn words(&self) -> &Words {
        &self.words
    }

    fn place(&mut self, hash: u64, number: u32) {
        let mask = self.table.len() - 1;
        let mut at = hash as usize & mask;
        while self.table[at] != FREE {
            at = (at + 1) & mask;
        }
        self.table[at] = (hash >> 32 << 32) | (u64::from(number) + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_keeps_its_number_while_the_table_grows() {
        let mut interned = Interned::new();
        let word = |it: u32| format!("word {it}").into_bytes();
        for it in 0..10_000 {
            assert_eq!(interned.intern(&word(it)), it);
        }
        for it in 0..10_000 {
            assert_eq!(interned.find(&word(it)), Some(it));
            assert_eq!(interned.words().get(it), word(it));
        }
        assert_eq!(interned.find(b""), None);
        assert_eq!(interned.intern(b""), 10_000);
        assert_eq!(interned.find(b""), Some(10_000));
    }
}
