//! What a person's number looks like on this campus, and how exports spoil it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use regex::Regex;
use schema::PersonKind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Error;

/// How the numbers of one kind of person are written, as `[person.student]` in the settings says it.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PersonConfig {
    /// Regular expression that the whole normalised number must match; what does not is quarantined, never minted.
    pub pattern: String,
    /// What is mended before the number is matched, in this order.
    #[serde(default)]
    pub normalise: Vec<Normalise>,
    /// Kind of identifier that is a further number of this sort: whoever got a new number is known by both.
    #[serde(default)]
    pub number: Option<String>,
    /// Other identifiers by which sources know these persons, by kind: how each is written.
    #[serde(default)]
    pub identifier: BTreeMap<String, IdentifierConfig>,
}

/// How one kind of identifier is written, as `[person.student.identifier.card]` says it.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IdentifierConfig {
    /// Regular expression that the whole normalised identifier must match.
    pub pattern: String,
    /// What is mended before it is matched, in this order.
    #[serde(default)]
    pub normalise: Vec<Normalise>,
}

/// What exports do to a number, and what undoes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Normalise {
    /// Removes white space around the number, the ideographic space too.
    Trim,
    /// Turns full-width digits and letters (２０２３) into plain ones.
    Halfwidth,
    /// Turns letters into capitals.
    Upper,
    /// Removes what spreadsheets add: `="2023001"`, a leading `'`, and a trailing `.0`.
    StripExcel,
}

/// The numbers of every kind of person, ready to match.
#[derive(Debug, Clone, Default)]
pub struct Persons {
    kinds: BTreeMap<PersonKind, PersonRule>,
    /// Kind of identifier that is a number of the person.
    numbers: BTreeMap<PersonKind, String>,
    identifiers: BTreeMap<(PersonKind, String), PersonRule>,
}

/// One kind's numbers, ready to match.
#[derive(Debug, Clone)]
pub(crate) struct PersonRule {
    pattern: Regex,
    normalise: Vec<Normalise>,
}

impl Persons {
    /// Compiles the settings.
    ///
    /// # Errors
    /// If a pattern is no regular expression.
    pub fn new(configs: &BTreeMap<PersonKind, PersonConfig>) -> Result<Self, Error> {
        let rule = |kind: PersonKind, pattern: &str, normalise: &[Normalise]| {
            let pattern = Regex::new(&format!("^(?:{pattern})$"))
                .map_err(|source| Error::PersonPattern { kind, source: Box::new(source) })?;
            Ok(PersonRule { pattern, normalise: normalise.to_vec() })
        };
        let mut persons = Self::default();
        for (&kind, config) in configs {
            persons.kinds.insert(kind, rule(kind, &config.pattern, &config.normalise)?);
            if let Some(number) = &config.number {
                persons.numbers.insert(kind, number.clone());
            }
            for (by, config) in &config.identifier {
                persons.identifiers.insert((kind, by.clone()), rule(kind, &config.pattern, &config.normalise)?);
            }
        }
        Ok(persons)
    }

    /// Whether a text is a number of a kind of person on this campus.
    pub fn is_number(&self, kind: PersonKind, text: &str) -> bool {
        self.rule(kind).is_some_and(|it| it.number(text).is_some())
    }

    pub(crate) fn rule(&self, kind: PersonKind) -> Option<&PersonRule> {
        self.kinds.get(&kind)
    }

    /// How identifiers of a kind are written: the person's further numbers as the number itself.
    pub(crate) fn identifier_rule(&self, kind: PersonKind, by: &str) -> Option<&PersonRule> {
        if self.is_number_kind(kind, by) { self.rule(kind) } else { self.identifiers.get(&(kind, by.to_owned())) }
    }

    pub(crate) fn is_number_kind(&self, kind: PersonKind, by: &str) -> bool {
        self.numbers.get(&kind).is_some_and(|it| it == by)
    }
}

impl PersonRule {
    /// The number as the vault knows it; `None` if it is none.
    pub(crate) fn number<'a>(&self, text: &'a str) -> Option<Cow<'a, str>> {
        let mut number = Cow::Borrowed(text);
        for step in &self.normalise {
            number = match number {
                Cow::Borrowed(it) => step.apply(it),
                Cow::Owned(it) => Cow::Owned(step.apply(&it).into_owned()),
            };
        }
        self.pattern.is_match(&number).then_some(number)
    }
}

impl Normalise {
    fn apply(self, text: &str) -> Cow<'_, str> {
        match self {
            Normalise::Trim => Cow::Borrowed(text.trim()),
            Normalise::Halfwidth if text.is_ascii() => Cow::Borrowed(text),
            Normalise::Halfwidth => Cow::Owned(text.chars().map(halfwidth).collect()),
            Normalise::Upper if !text.bytes().any(|it| it.is_ascii_lowercase()) => Cow::Borrowed(text),
            Normalise::Upper => Cow::Owned(text.to_ascii_uppercase()),
            Normalise::StripExcel => {
                let text = text
                    .strip_prefix("=\"")
                    .and_then(|it| it.strip_suffix('"'))
                    .or_else(|| text.strip_prefix('\''))
                    .unwrap_or(text);
                match text.split_once('.') {
                    Some((whole, zeros)) if !zeros.is_empty() && zeros.bytes().all(|it| it == b'0') => Cow::Borrowed(whole),
                    _ => Cow::Borrowed(text),
                }
            }
        }
    }
}

fn halfwidth(it: char) -> char {
    match it {
        '\u{3000}' => ' ',
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(it) - 0xfee0).unwrap_or(it),
        _ => it,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spoilt_number_is_mended_and_a_lost_one_is_not() {
        let config = PersonConfig {
            pattern: r"20\d{8}|T\d{5}".into(),
            normalise: vec![Normalise::Trim, Normalise::Halfwidth, Normalise::Upper, Normalise::StripExcel],
            ..PersonConfig::default()
        };
        let persons = Persons::new(&BTreeMap::from([(PersonKind::Student, config)])).expect("pattern");
        let rule = persons.rule(PersonKind::Student).expect("rule");
        #[track_caller]
        fn check(rule: &PersonRule, text: &str, expected: Option<&str>) {
            assert_eq!(rule.number(text).as_deref(), expected, "{text}");
        }
        check(rule, "2023000123", Some("2023000123"));
        check(rule, "\u{3000}2023000123\t", Some("2023000123"));
        check(rule, "２０２３０００１２３", Some("2023000123"));
        check(rule, "=\"2023000123\"", Some("2023000123"));
        check(rule, "'2023000123", Some("2023000123"));
        check(rule, "2023000123.0", Some("2023000123"));
        check(rule, "t00007", Some("T00007"));
        check(rule, "2.023E+09", None);
        check(rule, "20X3000123", None);
        check(rule, "2023000123.5", None);
        check(rule, "12023000123", None);
    }

    #[test]
    fn a_pattern_that_is_none_is_refused() {
        let config = PersonConfig { pattern: "(".into(), ..PersonConfig::default() };
        let error = Persons::new(&BTreeMap::from([(PersonKind::Staff, config)])).expect_err("refused");
        assert_eq!(error.to_string(), "the pattern of staff numbers is no regular expression");
    }
}
