//! How often and when a message is tried again on the same channel.

use std::time::Duration;

use serde::Deserialize;

use crate::Error;

/// How often and when a message is tried again on the same channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryRules {
    /// Tries in all, 1 to 10.
    pub tries_max: u32,
    /// Pause after the first try; each later one is twice as long.
    pub first_ms: u64,
    /// The longest pause of our own choice.
    pub ceiling_ms: u64,
    /// The longest pause that a server may ask for. One that asks for more is left, and the next channel taken.
    pub asked_ms_max: u64,
}

impl RetryRules {
    /// The pause after so many failed tries, or `None` if that was the last.
    ///
    /// Half of it is fixed and half drawn from `seed`, so that messages that failed together do not come back together.
    /// `asked_s` is what the server asks for.
    pub fn pause(&self, tries: u32, asked_s: Option<u64>, seed: u64) -> Option<Duration> {
        if self.tries_max <= tries {
            return None;
        }
        let doubled = self.first_ms.saturating_mul(1_u64.checked_shl(tries.saturating_sub(1)).unwrap_or(u64::MAX));
        let whole_ms = doubled.min(self.ceiling_ms);
        let own_ms = whole_ms / 2 + mixed(seed ^ u64::from(tries)) % (whole_ms - whole_ms / 2 + 1);
        let asked_ms = asked_s.unwrap_or(0).saturating_mul(1000);
        (asked_ms <= self.asked_ms_max).then(|| Duration::from_millis(own_ms.max(asked_ms)))
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        if !(1..=10).contains(&self.tries_max) {
            return Err(Error::setting("notify.retry.tries_max", format!("must be 1 to 10, not {}", self.tries_max)));
        }
        if 60_000 < self.ceiling_ms || 600_000 < self.asked_ms_max {
            return Err(Error::setting("notify.retry", "ceiling_ms is 60000 at most, and asked_ms_max 600000"));
        }
        Ok(())
    }
}

/// Spreads a seed over all 64 bits (SplitMix64, Steele et al. 2014).
fn mixed(seed: u64) -> u64 {
    let mut bits = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RULES: RetryRules = RetryRules { tries_max: 4, first_ms: 500, ceiling_ms: 3000, asked_ms_max: 60_000 };

    proptest! {
        #[test]
        fn pauses_double_up_to_the_ceiling_and_end(tries in 1_u32..80, seed in any::<u64>()) {
            match RULES.pause(tries, None, seed) {
                None => prop_assert!(4 <= tries),
                Some(pause) => {
                    let whole_ms = (500_u128 << (tries - 1)).min(3000);
                    prop_assert!((whole_ms / 2..=whole_ms).contains(&pause.as_millis()), "{pause:?} after {tries}");
                }
            }
        }
    }

    #[test]
    fn what_the_server_asks_for_is_kept_or_the_channel_left() {
        assert_eq!(RULES.pause(1, Some(20), 7), Some(Duration::from_secs(20)));
        assert_eq!(RULES.pause(1, Some(61), 7), None);
        assert_eq!(RULES.pause(1, Some(u64::MAX), 7), None);
        assert!(RULES.pause(1, Some(0), 7).expect("a pause") <= Duration::from_millis(500));
    }

    #[test]
    fn the_same_seed_pauses_the_same() {
        assert_eq!(RULES.pause(2, None, 7), RULES.pause(2, None, 7));
        assert!((0..50).map(|seed| RULES.pause(2, None, seed)).any(|it| it != RULES.pause(2, None, 0)));
    }
}
