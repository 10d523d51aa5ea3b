//! How grave it is, who may say so, and what each role is shown of it.
//!
//! Schools differ in words, colours and even in direction (一级 is the gravest here and the mildest there), so a number
//! is kept and a [`LabelScheme`] says what it is called.

use serde::{Deserialize, Serialize};

use crate::actor::Role;
use crate::codes::Text;
use crate::error::Error;

/// Severity 0 to 4, where 4 is the gravest whatever a school calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub enum Severity {
    /// None: a safety check by itself is no level either.
    #[default]
    None,
    /// Drift of one channel, or long without contact.
    Attention,
    /// A general problem, or sustained change in two channels. The most that data alone may say.
    General,
    /// A serious problem; set by a person.
    Serious,
    /// Acute; declared by a person.
    Crisis,
}

impl Severity {
    /// All of them, the mildest first.
    pub const ALL: &'static [Self] = &[Self::None, Self::Attention, Self::General, Self::Serious, Self::Crisis];

    /// The most that data alone may raise to.
    pub const DATA_MAX: Self = Self::General;

    /// The number that tables keep.
    pub fn level(self) -> i64 {
        match self {
            Self::None => 0,
            Self::Attention => 1,
            Self::General => 2,
            Self::Serious => 3,
            Self::Crisis => 4,
        }
    }
}

impl TryFrom<i64> for Severity {
    type Error = Error;

    fn try_from(level: i64) -> Result<Self, Error> {
        Self::ALL.iter().copied().find(|it| it.level() == level).ok_or(Error::NoSeverity { level })
    }
}

impl From<Severity> for i64 {
    fn from(severity: Severity) -> i64 {
        severity.level()
    }
}

codes! {
    /// A colour of the label; meaning is never by colour alone.
    Colour {
        Red = "red", "红", "red";
        Orange = "orange", "橙", "orange";
        Yellow = "yellow", "黄", "yellow";
        Blue = "blue", "蓝", "blue";
        Grey = "grey", "灰", "grey";
    }
}

/// What a school calls one severity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// Its name in Chinese, such as 一级.
    pub zh: String,
    /// Its name in English.
    pub en: String,
    /// Its colour.
    pub colour: Colour,
}

/// What a school calls severities 0 to 4, in this order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelScheme {
    /// One label a severity, that of 0 first.
    pub labels: [Label; 5],
}

impl Default for LabelScheme {
    fn default() -> Self {
        let label = |zh: &str, en: &str, colour| Label { zh: zh.to_owned(), en: en.to_owned(), colour };
        Self {
            labels: [
                label("无", "none", Colour::Grey),
                label("关注", "attention", Colour::Blue),
                label("三级", "third level", Colour::Yellow),
                label("二级", "second level", Colour::Orange),
                label("一级", "first level", Colour::Red),
            ],
        }
    }
}

/// A severity as one role is shown it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownSeverity {
    /// What to write.
    pub text: Text,
    /// The colour, where the exact severity is shown.
    pub colour: Option<Colour>,
    /// The number, where the exact severity is shown.
    pub severity: Option<Severity>,
}

impl LabelScheme {
    /// Returns what the school calls a severity, whoever reads it.
    pub(crate) fn title(&self, severity: Severity) -> Text {
        let label = &self.labels[severity.level() as usize];
        Text::new(&label.zh, &label.en)
    }

    /// Returns what a role may see of a severity: nothing, "priority care" (重点关怀), or the label.
    ///
    /// A student is never shown any; a psychologist may explain it in person.
    pub fn shown_to(&self, role: Role, severity: Severity) -> Option<ShownSeverity> {
        let exact = || {
            let label = &self.labels[severity.level() as usize];
            let text = Text::new(&label.zh, &label.en);
            Some(ShownSeverity { text, colour: Some(label.colour), severity: Some(severity) })
        };
        let care = || Some(ShownSeverity { text: Text::new("重点关怀", "priority care"), colour: None, severity: None });
        match role {
            Role::Psychologist | Role::PsychologyHead => exact(),
            Role::Counselor if severity < Severity::Serious => exact(),
            Role::Counselor | Role::CollegeSecretary if Severity::Serious <= severity => care(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_student_is_shown_no_level_and_a_counselor_no_grave_one() {
        let scheme = LabelScheme::default();
        for severity in Severity::ALL {
            assert_eq!(scheme.shown_to(Role::Student, *severity), None);
            assert_eq!(scheme.shown_to(Role::DormHead, *severity), None);
            assert_eq!(scheme.shown_to(Role::Psychologist, *severity).unwrap().severity, Some(*severity));
            let shown = scheme.shown_to(Role::Counselor, *severity).unwrap();
            assert_eq!(shown.severity.is_none(), Severity::Serious <= *severity, "{severity:?}");
            assert_eq!(shown.text.zh == "重点关怀", Severity::Serious <= *severity);
        }
    }

    #[test]
    fn a_school_that_counts_the_other_way_keeps_the_same_numbers() {
        let mut scheme = LabelScheme::default();
        scheme.labels[4].zh = "四级".to_owned();
        scheme.labels[1].zh = "一级".to_owned();
        let zh = |severity| scheme.shown_to(Role::Psychologist, severity).unwrap().text.zh;
        assert_eq!((zh(Severity::Crisis), zh(Severity::Attention)), ("四级".to_owned(), "一级".to_owned()));
        assert!(Severity::Attention < Severity::Crisis);
    }

    #[test]
    fn a_severity_is_a_number_in_json_and_five_is_none() {
        assert_eq!(serde_json::to_string(&Severity::Serious).unwrap(), "3");
        assert_eq!(serde_json::from_str::<Severity>("4").unwrap(), Severity::Crisis);
        assert!(serde_json::from_str::<Severity>("5").is_err());
    }
}
