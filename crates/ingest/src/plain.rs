//! A value as it stands in a file, before any contract, held by itself.

use crate::cell::{Cell, float_text};

/// A value as it stands in a file.
#[derive(Debug, Clone, PartialEq)]
pub enum Plain {
    /// Nothing.
    Empty,
    /// Words, trimmed.
    Text(String),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// A local date and time, microseconds of the civil calendar.
    Local(i64),
    /// An instant, microseconds UTC.
    Instant(i64),
    /// What no column takes.
    Unreadable,
}

impl Plain {
    pub(crate) fn of(cell: &Cell<'_>) -> Self {
        let text = |bytes: &[u8]| match std::str::from_utf8(bytes) {
            Ok(text) if text.trim().is_empty() => Plain::Empty,
            Ok(text) => Plain::Text(text.trim().to_owned()),
            Err(_) => Plain::Unreadable,
        };
        match cell {
            Cell::Absent => Plain::Empty,
            Cell::Bytes(bytes) => text(bytes),
            Cell::Owned(bytes) => text(bytes),
            Cell::Int(value) => Plain::Int(*value),
            Cell::Float(value) => Plain::Float(*value),
            Cell::Bool(value) => Plain::Bool(*value),
            Cell::Local(at) => Plain::Local(*at),
            Cell::Instant(at) => Plain::Instant(*at),
            Cell::Unreadable => Plain::Unreadable,
        }
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        *self == Plain::Empty
    }

    /// The value as a person would write it.
    pub fn text(&self) -> String {
        match self {
            Plain::Empty | Plain::Unreadable => String::new(),
            Plain::Text(text) => text.clone(),
            Plain::Int(value) => value.to_string(),
            Plain::Float(value) => float_text(*value),
            Plain::Bool(value) => if *value { "是" } else { "否" }.to_owned(),
            Plain::Local(at) | Plain::Instant(at) => crate::reject::local_text(*at, false),
        }
    }
}
