//! What an offer was decided by, stored beside it, so that the same follows from it for ever.
//!
//! A rule says yes or no. What it saw of a student is a row of its query; whether an offer is a new one follows from the
//! offer of before. Both are kept with the hash of the query, for files and tables change.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::rank::Evidence;

/// The student's offer of an earlier date that was within the cool-down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Before {
    /// The date on which it was first offered, days since 1970.
    pub issued_on: i32,
    /// Its severity then.
    pub severity: u8,
}

impl Before {
    /// The date since which an offer goes on; `None` if it is a new one, for it became graver.
    pub fn goes_on(self, severity: Option<u8>, as_of_on: i32) -> Option<i32> {
        (severity <= Some(self.severity) && self.issued_on < as_of_on).then_some(self.issued_on)
    }
}

/// What one rule, trend or model said of the student: the row of its query.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// File that found it.
    pub rule: String,
    /// Hash of its query with the settings put in; none of a risk model, whose version is stored with its score.
    pub sql_hash: Option<String>,
    /// Numbers of its settings: the bounds it was held against.
    pub bounds: BTreeMap<String, f64>,
    /// Where it was seen.
    pub channel: String,
    /// Day since which it holds, days since 1970.
    pub since_on: i32,
    /// What was usual before.
    pub baseline: Option<f64>,
    /// What is now.
    pub now_value: Option<f64>,
    /// Support.
    pub n: Option<i64>,
    /// Coverage.
    pub cov: Option<f64>,
    /// Explanations that were found, comma-separated.
    pub explanations: String,
    /// Last evidence on any channel, microseconds since 1970.
    pub last_seen_at: Option<i64>,
    /// Channel of that evidence.
    pub last_seen_source: Option<String>,
    /// The reason as it was told, in Chinese.
    pub reason_zh: String,
    /// The reason as it was told, in English.
    pub reason_en: String,
}

/// The canonical input of an offer, beside the [`Evidence`] of its place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// As of when it was decided, days since 1970.
    pub as_of_on: i32,
    /// The state before; none where nothing was offered lately.
    pub before: Option<Before>,
    /// The strongest first.
    pub findings: Vec<Finding>,
}

/// What follows from a [`Decision`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// All files that found something, the strongest first, comma-separated.
    pub rules: String,
    /// See [`crate::Offer::severity`].
    pub severity: Option<u8>,
    /// First day of the earliest finding.
    pub since_on: i32,
    /// Date on which it was first offered.
    pub issued_on: i32,
}

impl Decision {
    /// The offer that follows; without evidence it is a safety check, which is no level and always new.
    pub fn told(&self, evidence: Option<&Evidence>) -> Decided {
        let severity = evidence.map(|it| it.told().severity());
        let before = self.before.filter(|_| severity.is_some());
        Decided {
            rules: self.findings.iter().map(|it| it.rule.as_str()).collect::<Vec<_>>().join(","),
            severity,
            since_on: self.findings.iter().map(|it| it.since_on).min().unwrap_or(self.as_of_on),
            issued_on: before.and_then(|it| it.goes_on(severity, self.as_of_on)).unwrap_or(self.as_of_on),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rank::{Together, Witness};

    fn finding(rule: &str, since_on: i32) -> Finding {
        Finding {
            rule: rule.to_owned(),
            sql_hash: Some("0f".repeat(32)),
            bounds: BTreeMap::from([("nights_min".to_owned(), 2.0)]),
            channel: rule.to_owned(),
            since_on,
            baseline: Some(0.1 + 0.2),
            now_value: Some(1.0 / 3.0),
            n: Some(12),
            cov: None,
            explanations: String::new(),
            last_seen_at: None,
            last_seen_source: None,
            reason_zh: "少了。".to_owned(),
            reason_en: "Less.".to_owned(),
        }
    }

    fn evidence(channels: &[&str]) -> Evidence {
        let witness = |channel: &&str| Witness {
            rule: (*channel).to_owned(),
            channel: (*channel).to_owned(),
            rarity: 5.0,
            worth: 1.0,
            lift: 1.0,
            is_derived: false,
        };
        Evidence::new(channels.iter().map(witness).collect(), &Together::default(), 1.0)
    }

    #[test]
    fn the_same_follows_from_the_stored_row_bit_for_bit() {
        let before = Some(Before { issued_on: 95, severity: 1 });
        let it = Decision { as_of_on: 100, before, findings: vec![finding("meal", 90), finding("return", 88)] };
        let stored = serde_json::to_string(&it).expect("text");
        let again: Decision = serde_json::from_str(&stored).expect("a decision");
        assert_eq!(again, it);
        assert_eq!(again.findings[0].baseline.map(f64::to_bits), it.findings[0].baseline.map(f64::to_bits));
        let told = again.told(Some(&evidence(&["meal"])));
        let expected = Decided { rules: "meal,return".to_owned(), severity: Some(1), since_on: 88, issued_on: 95 };
        assert_eq!(told, expected);
    }

    #[test]
    fn what_became_graver_is_new_and_so_is_a_safety_check() {
        let before = Some(Before { issued_on: 95, severity: 1 });
        let it = Decision { as_of_on: 100, before, findings: vec![finding("meal", 90), finding("return", 88)] };
        let graver = it.told(Some(&evidence(&["meal", "return"])));
        assert_eq!((graver.severity, graver.issued_on), (Some(2), 100));
        let safety = it.told(None);
        assert_eq!((safety.severity, safety.issued_on), (None, 100));
        let first = Decision { before: None, ..it }.told(Some(&evidence(&["meal"])));
        assert_eq!((first.severity, first.issued_on), (Some(1), 100));
    }
}
