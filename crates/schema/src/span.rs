//! Lengths of time as people write them: `"90s"`, `"5m"`, `"36h"`, `"2d"`, `"12mo"`, `"4y"`.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const UNITS: [(&str, i64); 6] = [("mo", 30 * 86_400), ("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400), ("y", 365 * 86_400)];

/// A length of time in whole seconds, written with its unit.
///
/// `m` is minutes and `mo` months of 30 days, so that a delay and a retention cannot be mistaken for one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    seconds: i64,
}

impl Span {
    /// A span of so many seconds.
    pub const fn seconds(seconds: i64) -> Self {
        Self { seconds }
    }

    /// The span in microseconds, the unit of every instant in the lake.
    pub fn micros(self) -> i64 {
        self.seconds * 1_000_000
    }

    /// The span in whole days, rounded up.
    pub fn days(self) -> i64 {
        (self.seconds + 86_399) / 86_400
    }

    /// Reads `"5m"`; `None` if the text is not a whole number and a unit.
    pub fn parse(text: &str) -> Option<Self> {
        let (unit, factor) = UNITS.iter().find(|(unit, _)| text.ends_with(unit))?;
        let number: i64 = text.strip_suffix(unit)?.trim().parse().ok()?;
        (0 <= number).then(|| Self { seconds: number * factor })
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Span::parse(&text).ok_or_else(|| {
            de::Error::custom(format!("\"{text}\" is no length of time: write \"90s\", \"5m\", \"36h\", \"2d\", \"12mo\""))
        })
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{}s", self.seconds))
    }
}

impl schemars::JsonSchema for Span {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string", "pattern": "^[0-9]+(s|m|h|d|mo|y)$",
            "description": "A length of time: 90s, 5m, 36h, 2d, 12mo, 4y"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_and_months_are_not_mistaken() {
        assert_eq!(Span::parse("12m"), Some(Span::seconds(720)));
        assert_eq!(Span::parse("12mo"), Some(Span::seconds(12 * 30 * 86_400)));
        assert_eq!(Span::parse("2d").map(Span::days), Some(2));
        assert_eq!(Span::parse("-1d"), None);
        assert_eq!(Span::parse("soon"), None);
    }
}
