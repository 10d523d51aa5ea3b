//! Reads a cell as a value of a type; an empty cell is no value, and what is of another type is refused (`type`).

use chrono::Datelike;
use schema::Column;
use schema::time::days_date;

use crate::cell::{self, Cell};
use crate::local_time::LocalTime;
use crate::moment::Moments;
use crate::reject::Reason;

const DAY_US: i64 = 86_400_000_000;
/// The first instant of the year 1 and that of the year 10000: what a format with four digits can say.
const CALENDAR_US: std::ops::Range<i64> = -62_135_596_800_000_000..253_402_300_800_000_000;

/// Whether an instant or local time lies in the calendar that texts can be written in.
pub(crate) fn is_in_calendar(at_us: i64) -> bool {
    CALENDAR_US.contains(&at_us)
}

/// How a whole number is written and where it may lie.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    shift: u32,
    min: i64,
    max: i64,
}

impl Bounds {
    /// Any whole number.
    const ANY: Self = Self { shift: 0, min: i64::MIN, max: i64::MAX };

    pub(crate) fn new(column: &Column) -> Self {
        Self {
            shift: u32::from(column.decimal_shift.unwrap_or(0)),
            min: column.min.unwrap_or(i64::MIN),
            max: column.max.unwrap_or(i64::MAX),
        }
    }

    #[inline]
    /// A whole number within the bounds.
    pub(crate) fn read(self, cell: &Cell<'_>) -> Result<Option<i64>, Reason> {
        let value = match cell {
            Cell::Absent => return Ok(None),
            Cell::Bytes(_) | Cell::Owned(_) => match cell.text().unwrap_or_default() {
                b"" => return Ok(None),
                text => cell::whole(text, self.shift),
            },
            Cell::Int(value) => 10_i64.checked_pow(self.shift).and_then(|it| value.checked_mul(it)),
            Cell::Float(value) => cell::whole_float(*value, self.shift),
            Cell::Bool(_) | Cell::Local(_) | Cell::Instant(_) | Cell::Unreadable => None,
        };
        let value = value.ok_or(Reason::Type)?;
        if value < self.min || self.max < value { Err(Reason::Range) } else { Ok(Some(value)) }
    }
}

/// The bytes of a cell that is to be text, without white space around them.
#[inline]
pub(crate) fn text_of<'c>(cell: &'c Cell<'_>, scratch: &'c mut String) -> Result<&'c [u8], Reason> {
    match cell {
        Cell::Bytes(bytes) => Ok(bytes.trim_ascii()),
        Cell::Owned(bytes) => Ok(bytes.trim_ascii()),
        Cell::Absent => Ok(b""),
        Cell::Int(value) => {
            scratch.push_str(itoa::Buffer::new().format(*value));
            Ok(scratch.as_bytes())
        }
        Cell::Float(value) => {
            scratch.push_str(&cell::float_text(*value));
            Ok(scratch.as_bytes())
        }
        Cell::Bool(_) | Cell::Local(_) | Cell::Instant(_) | Cell::Unreadable => Err(Reason::Type),
    }
}

/// A finite number.
pub(crate) fn float(cell: &Cell<'_>) -> Result<Option<f64>, Reason> {
    let value = match cell {
        Cell::Absent => return Ok(None),
        Cell::Bytes(_) | Cell::Owned(_) => match cell.text().unwrap_or_default() {
            b"" => return Ok(None),
            text => std::str::from_utf8(text).ok().and_then(|it| it.parse().ok()),
        },
        Cell::Int(value) => Some(*value as f64),
        Cell::Float(value) => Some(*value),
        Cell::Bool(_) | Cell::Local(_) | Cell::Instant(_) | Cell::Unreadable => None,
    };
    // "nan" and "inf" parse, and neither was ever measured.
    value.filter(|it| it.is_finite()).map(Some).ok_or(Reason::Type)
}

/// A truth value.
pub(crate) fn truth(cell: &Cell<'_>) -> Result<Option<bool>, Reason> {
    let value = match cell {
        Cell::Absent => return Ok(None),
        Cell::Bytes(_) | Cell::Owned(_) => match cell.text().unwrap_or_default() {
            b"" => return Ok(None),
            text => cell::truth(text),
        },
        Cell::Bool(value) => Some(*value),
        Cell::Int(0) => Some(false),
        Cell::Int(1) => Some(true),
        Cell::Float(value) if *value == 0.0 => Some(false),
        Cell::Float(value) if *value == 1.0 => Some(true),
        Cell::Int(_) | Cell::Float(_) | Cell::Local(_) | Cell::Instant(_) | Cell::Unreadable => None,
    };
    value.map(Some).ok_or(Reason::Type)
}

/// A date as days since 1970.
pub(crate) fn date(cell: &Cell<'_>, formats: &mut [LocalTime]) -> Result<Option<i32>, Reason> {
    match local(cell, formats)? {
        None => Ok(None),
        Some(at) if at.rem_euclid(DAY_US) == 0 => Ok(Some(at.div_euclid(DAY_US) as i32)),
        // A date with a time of day is not a date; which half to drop is not ours to say.
        Some(_) => Err(Reason::Type),
    }
}

/// A date counted in whole days since another; `since` is `None` if the row names no day to count from (`code`).
pub(crate) fn counted(cell: &Cell<'_>, since: Option<i32>) -> Result<Option<i32>, Reason> {
    let Some(days) = Bounds::ANY.read(cell)? else { return Ok(None) };
    let since = since.ok_or(Reason::Code)?;
    let day = i32::try_from(days).ok().and_then(|it| since.checked_add(it));
    let is_written = |it: &i32| days_date(*it).is_some_and(|it| (1..=9999).contains(&it.year()));
    day.filter(is_written).map(Some).ok_or(Reason::Range)
}

/// An instant; a local time that does not exist raises the flag and stands in as if there were no zone.
///
/// A database says instants in microseconds UTC, and local times with a fraction of a second.
#[inline]
pub(crate) fn instant(
    cell: &Cell<'_>,
    formats: &mut [LocalTime],
    is_database: bool,
    moments: &mut Moments,
    has_gap: &mut bool,
) -> Result<Option<i64>, Reason> {
    let at = match cell {
        Cell::Instant(at) => return Ok(Some(*at)),
        Cell::Int(at) if is_database && is_in_calendar(*at) => return Ok(Some(*at)),
        _ => match local(cell, formats) {
            Err(Reason::Type) if is_database => local_with_fraction(cell, formats)?,
            other => other?,
        },
    };
    let Some(at) = at else { return Ok(None) };
    let instant = moments.instant(at);
    *has_gap |= instant.is_none();
    Ok(Some(instant.unwrap_or(at)))
}

#[inline]
fn local(cell: &Cell<'_>, formats: &mut [LocalTime]) -> Result<Option<i64>, Reason> {
    match cell {
        Cell::Absent => Ok(None),
        Cell::Local(at) => Ok(Some(*at)),
        Cell::Bytes(_) | Cell::Owned(_) => match cell.text().unwrap_or_default() {
            b"" => Ok(None),
            text => formats.iter_mut().find_map(|it| it.parse(text)).map(Some).ok_or(Reason::Type),
        },
        Cell::Int(_) | Cell::Float(_) | Cell::Bool(_) | Cell::Instant(_) | Cell::Unreadable => Err(Reason::Type),
    }
}

/// Reads `2025-09-01 07:02:03.5`, as far as microseconds.
fn local_with_fraction(cell: &Cell<'_>, formats: &mut [LocalTime]) -> Result<Option<i64>, Reason> {
    let text = cell.text().unwrap_or_default();
    let point = text.iter().rposition(|it| *it == b'.').ok_or(Reason::Type)?;
    let micros = Bounds { shift: 6, min: 0, max: 999_999 }.read(&Cell::Bytes(&text[point..]))?;
    let at = formats.iter_mut().find_map(|it| it.parse(&text[..point])).ok_or(Reason::Type)?;
    Ok(Some(at + micros.unwrap_or_default()))
}
