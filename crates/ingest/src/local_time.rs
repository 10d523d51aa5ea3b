//! Local times as texts, with a memory of one date: nearly all rows of a file are of the same one or two days.

use schema::time::TimeFormat;

/// Longest date that is remembered.
const DATE_BYTES_MAX: usize = 24;

/// A [`TimeFormat`] that reads the date of a text only if it is not the last one's.
#[derive(Debug)]
pub(crate) struct LocalTime {
    format: TimeFormat,
    /// What stands between the date and a time of day at the end of the format; `None` for any other format.
    between: Option<u8>,
    has_seconds: bool,
    last: Date,
}

#[derive(Debug, Clone, Copy)]
struct Date {
    text: [u8; DATE_BYTES_MAX],
    length: usize,
    midnight_us: i64,
}

impl LocalTime {
    /// Compiles a format; `None` if it is none.
    pub(crate) fn new(format: &str) -> Option<Self> {
        let (date, has_seconds) = match (format.strip_suffix("%H:%M:%S"), format.strip_suffix("%H:%M")) {
            (Some(date), _) => (date, true),
            (None, Some(date)) => (date, false),
            (None, None) => ("", false),
        };
        let is_date = ["%H", "%I", "%M", "%S", "%p"].iter().all(|it| !date.contains(it));
        // Text is split at the last such character, so it must not be one that a time of day may hold.
        let between = date.bytes().last().filter(|it| is_date && matches!(it, b' ' | b'T' | b'_' | b'/' | b'-'));
        let last = Date { text: [0; DATE_BYTES_MAX], length: 0, midnight_us: 0 };
        Some(Self { format: TimeFormat::new(format)?, between, has_seconds, last })
    }

    /// Reads a local time as microseconds of the civil calendar; `None` if the text is not such a time.
    #[inline]
    pub(crate) fn parse(&mut self, text: &[u8]) -> Option<i64> {
        let Some(between) = self.between else { return self.format.parse(text) };
        // A time of day is 3 to 8 bytes long; looking further back for the date is not worth it.
        let at = text.iter().rposition(|it| *it == between)?;
        let (date, of_day) = (&text[..at], &text[at + 1..]);
        if self.last.length != 0 && date == &self.last.text[..self.last.length] {
            return Some(self.last.midnight_us + of_day_us(of_day, self.has_seconds)?);
        }
        self.parse_new(text, date, of_day)
    }

    fn parse_new(&mut self, text: &[u8], date: &[u8], of_day: &[u8]) -> Option<i64> {
        let local_us = self.format.parse(text)?;
        if let Some(of_day_us) = of_day_us(of_day, self.has_seconds)
            && date.len() <= DATE_BYTES_MAX
        {
            self.last.text[..date.len()].copy_from_slice(date);
            self.last.length = date.len();
            self.last.midnight_us = local_us - of_day_us;
        }
        Some(local_us)
    }
}

/// Reads `7:02:03` or `07:02` as [`TimeFormat`] does.
#[inline]
fn of_day_us(text: &[u8], has_seconds: bool) -> Option<i64> {
    let mut rest = text;
    let hour = two_digits(&mut rest)?;
    let minute = after_colon(&mut rest)?;
    let second = if has_seconds { after_colon(&mut rest)? } else { 0 };
    let is_time = rest.is_empty() && hour < 24 && minute < 60 && second < 60;
    is_time.then_some((hour * 3_600 + minute * 60 + second) * 1_000_000)
}

#[inline]
fn after_colon(rest: &mut &[u8]) -> Option<i64> {
    *rest = rest.strip_prefix(b":")?;
    two_digits(rest)
}

#[inline]
fn two_digits(rest: &mut &[u8]) -> Option<i64> {
    let digit = |it: Option<&u8>| it.map(|it| it.wrapping_sub(b'0')).filter(|it| *it < 10).map(i64::from);
    let first = digit(rest.first())?;
    match digit(rest.get(1)) {
        Some(second) => {
            *rest = &rest[2..];
            Some(first * 10 + second)
        }
        None => {
            *rest = &rest[1..];
            Some(first)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_reads_as_the_format_does() {
        let formats = ["%Y/%m/%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y%m%d_%H:%M:%S", "%H:%M:%S", "%d.%m.%Y", "%Y-%m-%d %I:%M %p"];
        let dates = ["2025/9/1", "2025/09/01", "2025-09-01", "20250901", "2025/13/1", "1.9.2025", "", "2025/9/1 "];
        let betweens = [" ", "T", "_", "", "  "];
        let times = [
            "7:02:03",
            "07:2:3",
            "23:59:59",
            "24:00:00",
            "7:60:00",
            "7:02",
            "7:02:03 ",
            "007:02:03",
            "7::3",
            "",
            "7:02 PM",
            "7:02:",
        ];
        for format in formats {
            let (mut ours, theirs) = (LocalTime::new(format).expect("format"), TimeFormat::new(format).expect("format"));
            for date in dates {
                for between in betweens {
                    for time in times {
                        let text = format!("{date}{between}{time}");
                        assert_eq!(ours.parse(text.as_bytes()), theirs.parse(text.as_bytes()), "{format}: {text:?}");
                    }
                }
            }
        }
    }
}
