//! Settings that several rooms share: what a campus is and who its people are.

use std::collections::BTreeMap;

use chrono::NaiveTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time::CampusClock;

/// The campus: fixed when a project begins, because every stored day depends on it.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Campus {
    /// Name for titles, in Chinese.
    pub name_zh: String,
    /// Name for titles, in English.
    pub name_en: String,
    /// Time zone of every local time, `"Asia/Shanghai"`.
    #[schemars(with = "String")]
    pub time_zone: chrono_tz::Tz,
    /// Local time at which the campus day begins, `"04:00"`.
    #[serde(with = "clock_time")]
    #[schemars(with = "String")]
    pub day_starts_at: NaiveTime,
    /// Telephone numbers on top of the care page, before all else.
    pub emergency_zh: String,
    /// The same in English.
    pub emergency_en: String,
}

impl Campus {
    /// The clock of this campus.
    pub fn clock(&self) -> CampusClock {
        CampusClock::new(self.time_zone, self.day_starts_at)
    }
}

/// The tables that say who the people are; a project about no persons leaves it out.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// As-of table with one row a person.
    pub table: String,
    /// Its key column.
    pub key: String,
    /// Columns that make a peer group, or expressions over them.
    pub peer: Vec<String>,
    /// Columns or expressions of the wider group used where the first has fewer than `peer_min` people.
    pub peer_wide: Vec<String>,
    /// Least size of a peer group.
    pub peer_min: i64,
    /// State table of calendar days (`date`, `kind`); without it, or with "", every week is a teaching week.
    #[serde(default, deserialize_with = "word_or_none")]
    pub calendar: Option<String>,
    /// Weeks of a person's own past that `z_self` looks at.
    pub self_weeks: usize,
    /// Least number of those weeks with a value.
    pub self_weeks_min: i64,
    /// Table of persons with the day from which on their own past counts (`from_on`) and until which nothing is compared
    /// with it (`quiet_until`); without it, or with "", all of the past counts.
    #[serde(default, deserialize_with = "word_or_none")]
    pub own_past: Option<String>,
    /// Column with the member of staff who takes up what is offered; without it, or with "", all share one budget.
    #[serde(default, deserialize_with = "word_or_none")]
    pub owner: Option<String>,
    /// Groups that may move together, by kind: the columns that name one. Their shared shifts are told once, as theirs.
    #[serde(default)]
    pub groups: BTreeMap<String, Vec<String>>,
}

/// A project cannot take a default away, only empty it.
fn word_or_none<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.filter(|it| !it.is_empty()))
}

mod clock_time {
    use chrono::NaiveTime;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NaiveTime, D::Error> {
        let text = String::deserialize(deserializer)?;
        NaiveTime::parse_from_str(&text, "%H:%M")
            .map_err(|_| de::Error::custom(format!("\"{text}\" is no time: write \"04:00\"")))
    }

    pub(super) fn serialize<S: Serializer>(time: &NaiveTime, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&time.format("%H:%M").to_string())
    }
}
