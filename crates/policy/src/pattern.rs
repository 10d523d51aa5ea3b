//! Names with one star, and which of several is meant.

use std::collections::BTreeMap;

/// Says whether a name matches a pattern: exact, `stg_*`, or `*_at`.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((head, tail)) => head.len() + tail.len() <= name.len() && name.starts_with(head) && name.ends_with(tail),
    }
}

/// Says whether a pattern is one that [`matches`] understands: not empty, at most one star.
pub(crate) fn is_sound(pattern: &str) -> bool {
    !pattern.is_empty() && pattern.matches('*').count() <= 1
}

/// The most specific pattern that matches: the exact name first, then the longest.
pub(crate) fn most_specific<'a, T>(patterns: &'a BTreeMap<String, T>, name: &str) -> Option<(&'a str, &'a T)> {
    patterns
        .iter()
        .filter(|(pattern, _)| matches(pattern, name))
        .max_by_key(|(pattern, _)| (!pattern.contains('*'), pattern.len(), std::cmp::Reverse(pattern.as_str())))
        .map(|(pattern, value)| (pattern.as_str(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything_and_a_name_for_itself() {
        assert!(matches("stg_*", "stg_card_txn"));
        assert!(matches("*_at", "occurred_at"));
        assert!(matches("*", "anything"));
        assert!(!matches("stg_*", "raw_stg_card"));
        assert!(!matches("dim_student", "dim_students"));
        assert!(!matches("ab*ba", "aba"));
    }

    #[test]
    fn the_exact_name_wins_over_the_longest_star() {
        let rules = BTreeMap::from([("feat_*".to_owned(), 1), ("feat_measure".to_owned(), 2), ("feat_m*".to_owned(), 3)]);
        assert_eq!(most_specific(&rules, "feat_measure"), Some(("feat_measure", &2)));
        assert_eq!(most_specific(&rules, "feat_more"), Some(("feat_m*", &3)));
        assert_eq!(most_specific(&rules, "feat_x"), Some(("feat_*", &1)));
        assert_eq!(most_specific(&rules, "raw_x"), None);
    }
}
