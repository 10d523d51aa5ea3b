//! How keys of persons come about: at random, or from a seed so that a run repeats.

use schema::PersonKind;

use crate::error::Error;
use crate::key_file::{Digest, hmac, random};

/// The smallest and the largest key: 15 digits, exact in JavaScript and in Excel.
pub(crate) const KEY_MIN: i64 = 100_000_000_000_000;
pub(crate) const KEY_MAX: i64 = 999_999_999_999_999;

const KEYS: u64 = (KEY_MAX - KEY_MIN + 1) as u64;

/// Where keys of persons come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mint {
    /// From the operating system: the only choice for real people.
    Random,
    /// From the seed, the kind and the number, whatever the order: for tests and the demo, where runs must repeat.
    ///
    /// The key file follows from the seed as well, so nothing is secret.
    Seeded(u64),
}

/// Draws one key after the other for one number; the first that is free is taken.
pub(crate) struct Draws<'a> {
    mint: Mint,
    key: &'a Digest,
    kind: PersonKind,
    number: &'a str,
    drawn: u64,
}

impl<'a> Draws<'a> {
    pub(crate) fn new(mint: Mint, key: &'a Digest, kind: PersonKind, number: &'a str) -> Self {
        Self { mint, key, kind, number, drawn: 0 }
    }

    /// Draws a key, each of the 9 * 10^14 as likely as another.
    pub(crate) fn draw(&mut self) -> Result<i64, Error> {
        loop {
            let word = self.word()?;
            // The words above the last whole multiple would make the small keys likelier.
            if word < u64::MAX - u64::MAX % KEYS {
                return Ok(KEY_MIN + (word % KEYS) as i64);
            }
        }
    }

    fn word(&mut self) -> Result<u64, Error> {
        self.drawn += 1;
        match self.mint {
            Mint::Random => {
                let mut word = [0; size_of::<u64>()];
                random(&mut word)?;
                Ok(u64::from_be_bytes(word))
            }
            Mint::Seeded(_) => {
                let kind = self.kind.key_column();
                let digest = hmac(self.key, &[kind.as_bytes(), self.number.as_bytes(), &self.drawn.to_be_bytes()]);
                let (word, _) = digest.split_first_chunk().expect("a digest has more than 8 bytes");
                Ok(u64::from_be_bytes(*word))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_draw_has_fifteen_digits() {
        for mint in [Mint::Random, Mint::Seeded(7)] {
            let mut draws = Draws::new(mint, &[1; 32], PersonKind::Student, "2022000001");
            for _ in 0..2_000 {
                let key = draws.draw().expect("a key");
                assert_eq!(key.to_string().len(), 15, "{mint:?} drew {key}");
            }
        }
    }

    #[test]
    fn a_seeded_draw_depends_on_kind_and_number_and_goes_on_after_a_collision() {
        let first = |kind, number| Draws::new(Mint::Seeded(7), &[1; 32], kind, number).draw().expect("a key");

        assert_eq!(first(PersonKind::Student, "1"), first(PersonKind::Student, "1"));
        assert_ne!(first(PersonKind::Student, "1"), first(PersonKind::Student, "2"));
        assert_ne!(first(PersonKind::Student, "1"), first(PersonKind::Staff, "1"));
        let mut draws = Draws::new(Mint::Seeded(7), &[1; 32], PersonKind::Student, "1");
        assert_ne!(draws.draw().expect("a key"), draws.draw().expect("another"));
    }
}
