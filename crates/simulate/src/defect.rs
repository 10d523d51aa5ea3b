//! Rows that a contract must refuse, each with one fault, and how many of which were planted.
//!
//! Two of every kind are owed from the beginning and paid as files become large enough: a file never has more than
//! one bad row in a hundred, or the whole feed would be refused, so a very small campus may end before all are paid.

use std::collections::{BTreeMap, VecDeque};

use crate::random::Draw;

/// Why the contract refuses a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    Columns,
    Json,
    Encoding,
    Required,
    Type,
    Range,
    Code,
    Person,
    Time,
    Rule,
}

impl Reason {
    /// Reason code in the manifest.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Reason::Columns => "columns",
            Reason::Json => "json",
            Reason::Encoding => "encoding",
            Reason::Required => "required",
            Reason::Type => "type",
            Reason::Range => "range",
            Reason::Code => "code",
            Reason::Person => "person",
            Reason::Time => "time",
            Reason::Rule => "rule",
        }
    }
}

/// The defects of one pipeline.
#[derive(Debug, Clone)]
pub(crate) struct Defects {
    reasons: &'static [Reason],
    /// Defects a row beyond those owed.
    rate: f64,
    owed: VecDeque<Reason>,
    /// Planted so far, by reason code.
    pub(crate) planted: BTreeMap<&'static str, u64>,
}

/// Never more than this many of those owed in one file.
const PAID_AT_ONCE: usize = 3;
/// A bad row needs this many good ones beside it.
const ROWS_PER_DEFECT: usize = 100;

impl Defects {
    /// Owes two of every reason; none when defects are not wanted.
    pub(crate) fn new(reasons: &'static [Reason], rate: f64, wanted: bool) -> Defects {
        let reasons = if wanted { reasons } else { &[] };
        Defects { reasons, rate, owed: reasons.iter().chain(reasons).copied().collect(), planted: BTreeMap::new() }
    }

    /// Decides which defects a file of so many good rows gets, and counts them as planted.
    pub(crate) fn due(&mut self, rows: usize, draw: &mut Draw) -> Vec<Reason> {
        let most = rows / ROWS_PER_DEFECT;
        let mut due: Vec<Reason> = Vec::new();
        while due.len() < most.min(PAID_AT_ONCE) {
            let Some(reason) = self.owed.pop_front() else {
                break;
            };
            due.push(reason);
        }
        if !self.reasons.is_empty() {
            let more = (draw.whole(rows as f64 * self.rate) as usize).min(most - due.len());
            due.extend((0..more).map(|_| *draw.pick(self.reasons)));
        }
        for reason in &due {
            *self.planted.entry(reason.code()).or_default() += 1;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Purpose;

    #[test]
    fn a_small_file_gets_none_and_a_large_one_pays() {
        let mut defects = Defects::new(&[Reason::Rule, Reason::Person], 0.0, true);
        let mut draw = Draw::new(1, Purpose::State, 0, 0);
        assert!(defects.due(99, &mut draw).is_empty());
        assert_eq!(defects.due(100, &mut draw), [Reason::Rule]);
        assert_eq!(defects.due(100_000, &mut draw), [Reason::Person, Reason::Rule, Reason::Person]);
        assert!(defects.due(100_000, &mut draw).is_empty());
        assert_eq!(defects.planted["rule"], 2);
    }
}
