//! How orderly a life is: how much a sequence repeats itself, and how few hours of the day it uses.
//!
//! Reads one student's events of one kind, as half-hour bins or as minutes. The sign and the percentile among peers are
//! the caller's: orderliness is minus the entropy.

use std::collections::BTreeMap;

const HOURS: usize = 24;

/// Returns the Lempel-Ziv entropy of a sequence: the fewer old patterns come back, the higher.
///
/// The histogram of the bins is blind to order; this sees that breakfast follows the shower. `None` means fewer than two
/// events, of which no order can be said.
///
/// # Shape
/// `sequence`: events in the order of time, each as its bin (1 to 48 for half-hours, but any symbol will do).
///
/// # Units
/// Out: nats. `ln n / n` times a number near 1 for pure repetition, near the Shannon entropy rate for long sequences.
///
/// # Source
/// `S = [(1/n) sum L_i]^-1 ln n`, the estimator of Kontoyiannis et al. (1998) as used by Cao et al. (2018) for campus
/// cards. `L_i` is the length of the shortest substring that starts at i and lies nowhere wholly before i; where the whole
/// rest has already appeared, `L_i` is the length of the rest.
pub fn actual_entropy(sequence: &[u16]) -> Option<f64> {
    let n = sequence.len();
    if n < 2 {
        return None;
    }
    let mut past = Past::with_capacity(n);
    let mut matched = Match { state: ROOT, length: 0 };
    let mut lengths: u64 = 0;
    for (at, symbol) in sequence.iter().enumerate() {
        // What matched from the symbol before still matches from here without its first symbol, so the end of the match
        // never moves back and all steps together are linear.
        while let Some(next) = sequence.get(at + matched.length as usize) {
            match past.states[matched.state as usize].next.get(next) {
                Some(state) => matched = Match { state: *state, length: matched.length + 1 },
                None => break,
            }
        }
        let rest = n - at;
        lengths += rest.min(matched.length as usize + 1) as u64;

        past.append(*symbol);
        matched.length = matched.length.saturating_sub(1);
        past.settle(&mut matched);
    }
    let n = n as f64;
    Some(n / lengths as f64 * n.ln())
}

/// Returns how evenly events spread over the hours of the day: 0 is always the same hour, 1 is every hour alike.
///
/// The cheap fallback where [`actual_entropy`] has too few events. `None` means no event.
///
/// # Shape
/// `minutes`: one per event, in any order.
///
/// # Units
/// In: minute of the day; beyond 1440 is after midnight and taken modulo. Out: dimensionless, in `[0, 1]`.
///
/// # Source
/// Shannon (1948): `-sum p_h ln p_h / ln 24` over the 24 hours.
pub fn hour_entropy(minutes: &[u16]) -> Option<f64> {
    if minutes.is_empty() {
        return None;
    }
    let mut by_hour = [0_u64; HOURS];
    for minute in minutes {
        by_hour[usize::from(minute / 60) % HOURS] += 1;
    }
    let total = minutes.len() as f64;
    // An hour without events adds nothing: x ln x tends to 0, but 0 * ln 0 is NaN.
    let entropy: f64 =
        by_hour.iter().filter(|it| 0 < **it).map(|it| *it as f64 / total).map(|share| share * (1.0 / share).ln()).sum();
    Some((entropy / (HOURS as f64).ln()).clamp(0.0, 1.0))
}

const ROOT: u32 = 0;

/// A substring of the past: the first `length` symbols back from where `state` ends.
struct Match {
    state: u32,
    length: u32,
}

/// Every substring of the events so far: a suffix automaton (Blumer et al., 1985), grown by one event at a time.
struct Past {
    states: Vec<State>,
    last: u32,
}

#[derive(Clone)]
struct State {
    longest: u32,
    /// The state of the longest suffix that appears in more places; the root links to itself.
    link: u32,
    // Ordered, because a hash map has its own order and, for a handful of symbols, no gain.
    next: BTreeMap<u16, u32>,
}

impl Past {
    fn with_capacity(events: usize) -> Self {
        // At most two states an event.
        let mut states = Vec::with_capacity(2 * events);
        states.push(State { longest: 0, link: ROOT, next: BTreeMap::new() });
        Self { states, last: ROOT }
    }

    fn push(&mut self, state: State) -> u32 {
        self.states.push(state);
        (self.states.len() - 1) as u32
    }

    fn append(&mut self, symbol: u16) {
        let longest = self.states[self.last as usize].longest + 1;
        let whole = self.push(State { longest, link: ROOT, next: BTreeMap::new() });
        let mut suffix = std::mem::replace(&mut self.last, whole);
        let known = loop {
            if let Some(state) = self.states[suffix as usize].next.get(&symbol) {
                break *state;
            }
            self.states[suffix as usize].next.insert(symbol, whole);
            if suffix == ROOT {
                return;
            }
            suffix = self.states[suffix as usize].link;
        };
        let longest = self.states[suffix as usize].longest + 1;
        if self.states[known as usize].longest == longest {
            self.states[whole as usize].link = known;
            return;
        }
        // The short substrings of `known` now also end here, the long ones do not: they part.
        let mut short = self.states[known as usize].clone();
        short.longest = longest;
        let short = self.push(short);
        self.states[known as usize].link = short;
        self.states[whole as usize].link = short;
        while self.states[suffix as usize].next.get(&symbol) == Some(&known) {
            self.states[suffix as usize].next.insert(symbol, short);
            if suffix == ROOT {
                return;
            }
            suffix = self.states[suffix as usize].link;
        }
    }

    /// Moves a match to the state that holds its length, after it was shortened or its state has parted.
    fn settle(&self, matched: &mut Match) {
        while matched.state != ROOT {
            let link = self.states[matched.state as usize].link;
            if self.states[link as usize].longest < matched.length {
                return;
            }
            matched.state = link;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition word by word, in cubic time.
    fn by_definition(sequence: &[u16]) -> f64 {
        let n = sequence.len();
        let lengths: usize = (0..n)
            .map(|at| {
                (1..=n - at)
                    .find(|length| !sequence[..at].windows(*length).any(|it| it == &sequence[at..at + length]))
                    .unwrap_or(n - at)
            })
            .sum();
        n as f64 / lengths as f64 * (n as f64).ln()
    }

    #[track_caller]
    fn check(sequence: &[u16], lengths: &[u32]) {
        let n = sequence.len() as f64;
        let expected = n / f64::from(lengths.iter().sum::<u32>()) * n.ln();
        assert_eq!(actual_entropy(sequence), Some(expected), "sequence {sequence:?}");
    }

    #[test]
    #[rustfmt::skip] // The columns are the table.
    fn knows_the_lengths_of_sequences_done_by_hand() {
        check(&[7, 7],             &[1, 1]);
        check(&[1, 2, 3],          &[1, 1, 1]);
        check(&[1, 1, 1, 1],       &[1, 2, 2, 1]);
        check(&[1, 2, 1, 2, 1, 2], &[1, 1, 3, 3, 2, 1]);
        check(&[1, 2, 2, 1, 2, 3], &[1, 1, 2, 3, 2, 1]);
    }

    #[test]
    fn one_event_has_no_order() {
        assert_eq!(actual_entropy(&[]), None);
        assert_eq!(actual_entropy(&[3]), None);
    }

    #[test]
    fn every_short_sequence_agrees_with_the_definition() {
        for (symbols, longest) in [(2_u32, 13_u32), (3, 8), (4, 6)] {
            for n in 2..=longest {
                for code in 0..symbols.pow(n) {
                    let sequence: Vec<u16> = (0..n).map(|at| (code / symbols.pow(at) % symbols) as u16).collect();
                    assert_eq!(actual_entropy(&sequence), Some(by_definition(&sequence)), "{sequence:?}");
                }
            }
        }
    }

    #[test]
    fn long_sequences_agree_with_the_definition() {
        let mut state = 2024_u64;
        let mut draw = move |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        for (symbols, n, habit) in [(2, 300, 0), (5, 300, 0), (48, 250, 0), (48, 300, 7), (6, 400, 24), (65_536, 200, 3)] {
            // With a habit, nine events of ten repeat the event that many places before.
            let mut sequence: Vec<u16> = Vec::new();
            for at in 0..n {
                let repeats = 0 < habit && habit <= at && draw(10) < 9;
                sequence.push(if repeats { sequence[at - habit] } else { draw(symbols) as u16 });
            }
            assert_eq!(actual_entropy(&sequence), Some(by_definition(&sequence)), "{symbols} {n} {habit}");
        }
    }

    #[track_caller]
    fn check_hours(minutes: &[u16], expected: Option<f64>) {
        let actual = hour_entropy(minutes).map(|it| (it * 1e6).round() / 1e6);
        assert_eq!(actual, expected, "minutes {minutes:?}");
    }

    #[test]
    fn knows_one_hour_two_hours_and_all_hours() {
        check_hours(&[], None);
        check_hours(&[480, 481, 539], Some(0.0));
        check_hours(&[480, 540], Some(0.218104));
        check_hours(&[30, 1470], Some(0.0));
        check_hours(&(0..1440).collect::<Vec<u16>>(), Some(1.0));
    }
}
