//! What is left of a value that a role may not see as it is.

use std::fmt;
use std::str::FromStr;

use arrow::datatypes::DataType;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::Error;

/// How a column is coarsened before anything else reads it. A mask never changes the type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mask {
    /// As it is: undoes a wider mask for one column.
    Keep,
    /// NULL.
    Null,
    /// An instant, cut to the hour.
    Hour,
    /// An instant, cut to the quarter of an hour.
    QuarterHour,
    /// An instant becomes the beginning of its campus day; a date stays.
    Day,
    /// An integer, cut down to a multiple.
    Bin(i64),
    /// A keyed hash of 63 bits: tells equal from unequal and nothing else.
    Hash,
}

impl Mask {
    /// Says whether the mask can be taken of such a column; one that cannot be taken leaves NULL.
    pub fn fits(self, data_type: &DataType) -> bool {
        match self {
            Mask::Keep | Mask::Null => true,
            Mask::Hour | Mask::QuarterHour => matches!(data_type, DataType::Timestamp(_, _)),
            Mask::Day => matches!(data_type, DataType::Timestamp(_, _) | DataType::Date32),
            Mask::Bin(_) => matches!(data_type, DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64),
            Mask::Hash => {
                matches!(data_type, DataType::Int64 | DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
            }
        }
    }
}

impl fmt::Display for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mask::Keep => f.write_str("keep"),
            Mask::Null => f.write_str("null"),
            Mask::Hour => f.write_str("hour"),
            Mask::QuarterHour => f.write_str("minutes_15"),
            Mask::Day => f.write_str("day"),
            Mask::Bin(width) => write!(f, "bin_{width}"),
            Mask::Hash => f.write_str("hash"),
        }
    }
}

impl FromStr for Mask {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let unknown = || Error::UnknownMask { text: text.to_owned() };
        match text {
            "keep" => Ok(Mask::Keep),
            "null" => Ok(Mask::Null),
            "hour" => Ok(Mask::Hour),
            "minutes_15" => Ok(Mask::QuarterHour),
            "day" => Ok(Mask::Day),
            "hash" => Ok(Mask::Hash),
            _ => {
                let width = text.strip_prefix("bin_").and_then(|it| it.parse::<i64>().ok()).ok_or_else(unknown)?;
                if 1 < width { Ok(Mask::Bin(width)) } else { Err(unknown()) }
            }
        }
    }
}

impl<'de> Deserialize<'de> for Mask {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl Serialize for Mask {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_is_read_back_as_it_is_written() {
        for text in ["keep", "null", "hour", "minutes_15", "day", "bin_500", "hash"] {
            assert_eq!(text.parse::<Mask>().expect(text).to_string(), text);
        }
        for text in ["bin_", "bin_0", "bin_1", "bin_-5", "minutes_10", "Keep"] {
            assert!(text.parse::<Mask>().is_err(), "{text}");
        }
    }
}
