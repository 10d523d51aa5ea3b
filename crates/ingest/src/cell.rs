//! One value as a reader hands it over, and the numbers in it.

/// A value of a row, before the contract has looked at it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell<'a> {
    /// Nothing: an empty cell, a key the object lacks, `null`.
    Absent,
    /// Text in the encoding of the rows.
    Bytes(&'a [u8]),
    /// Text that had to be put together: quotes or escapes taken out.
    Owned(Vec<u8>),
    /// A whole number.
    Int(i64),
    /// A number with a fraction, or one too long to be whole.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// A local date and time, microseconds of the civil calendar.
    Local(i64),
    /// What no column takes: a nested object, a spreadsheet error, a duration.
    Unreadable,
}

impl Cell<'_> {
    /// The bytes of a text without the white space around them.
    #[inline]
    pub(crate) fn text(&self) -> Option<&[u8]> {
        match self {
            Cell::Bytes(bytes) => Some(bytes.trim_ascii()),
            Cell::Owned(bytes) => Some(bytes.trim_ascii()),
            _ => None,
        }
    }
}

/// Reads a whole number, or a decimal one moved by `shift` places; `None` if it is none or has more places.
///
/// `.5` is a number (Oracle writes it so), `5.` is not.
#[inline]
pub(crate) fn whole(text: &[u8], shift: u32) -> Option<i64> {
    let (is_negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let mut value: i64 = 0;
    let mut n = 0;
    let mut places: Option<u32> = None;
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 {
            // 18 digits cannot overflow, so only longer numbers pay for the check.
            value = if n < 18 {
                value * 10 + i64::from(digit)
            } else {
                value.checked_mul(10)?.checked_add(i64::from(digit))?
            };
            n += 1;
            places = places.map(|it| it + 1);
        } else if byte == b'.' && places.is_none() {
            places = Some(0);
        } else {
            return None;
        }
    }
    let missing = match places {
        None => shift,
        Some(0) => return None,
        Some(places) => shift.checked_sub(places)?,
    };
    if n == 0 {
        return None;
    }
    let value = if missing == 0 { value } else { value.checked_mul(10_i64.pow(missing))? };
    Some(if is_negative { -value } else { value })
}

/// Moves a floating number by `shift` places; `None` if what remains is not whole.
pub(crate) fn whole_float(value: f64, shift: u32) -> Option<i64> {
    let moved = value * 10_f64.powi(shift as i32);
    let whole = moved.round();
    // 12.35 * 100 is 1235.0000000000002: a fraction that far behind is the format's, not the sender's.
    let is_whole = (moved - whole).abs() <= whole.abs() * 1e-12;
    (is_whole && whole.abs() <= 9_007_199_254_740_992.0).then_some(whole as i64)
}

/// A floating number as text: 2023000123.0 is "2023000123".
pub(crate) fn float_text(value: f64) -> String {
    match whole_float(value, 0) {
        Some(whole) if whole as f64 == value => whole.to_string(),
        _ => value.to_string(),
    }
}

/// Reads a truth value.
pub(crate) fn truth(text: &[u8]) -> Option<bool> {
    match text {
        b"1" => Some(true),
        b"0" => Some(false),
        _ if text.eq_ignore_ascii_case(b"true") || text == "是".as_bytes() => Some(true),
        _ if text.eq_ignore_ascii_case(b"false") || text == "否".as_bytes() => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[rustfmt::skip] // The columns are the table.
    fn yuan_become_fen_without_a_rounding() {
        #[track_caller]
        fn check(text: &str, shift: u32, expected: Option<i64>) {
            assert_eq!(whole(text.as_bytes(), shift), expected, "{text}");
        }
        check("12.50",                2, Some(1250));
        check("12.5",                 2, Some(1250));
        check("12",                   2, Some(1200));
        check("-0.07",                2, Some(-7));
        check(".5",                   2, Some(50));
        check("+3",                   0, Some(3));
        check("12.505",               2, None);
        check("12.500",               2, None);
        check("12.",                  2, None);
        check("1.2.3",                2, None);
        check("",                     2, None);
        check("-",                    0, None);
        check(".",                    2, None);
        check("abc",                  0, None);
        check("1e3",                  0, None);
        check("1,000",                0, None);
        check("9223372036854775807",  0, Some(i64::MAX));
        check("9223372036854775808",  0, None);
        check("92233720368547758070", 0, None);
        check("92233720368547759",    2, None);
    }

    #[test]
    fn a_float_is_whole_only_if_its_sender_meant_so() {
        assert_eq!(whole_float(12.35, 2), Some(1235));
        assert_eq!(whole_float(12.355, 2), None);
        assert_eq!(whole_float(-0.07, 2), Some(-7));
        assert_eq!(whole_float(2_023_000_123.0, 0), Some(2_023_000_123));
        assert_eq!(whole_float(0.5, 0), None);
        assert_eq!(whole_float(f64::NAN, 0), None);
        assert_eq!(whole_float(1e300, 0), None);
        assert_eq!(float_text(2_023_000_123.0), "2023000123");
        assert_eq!(float_text(2.5), "2.5");
    }

    #[test]
    fn truth_is_written_in_six_ways() {
        assert_eq!(truth("是".as_bytes()), Some(true));
        assert_eq!(truth("否".as_bytes()), Some(false));
        assert_eq!(truth(b"TRUE"), Some(true));
        assert_eq!(truth(b"false"), Some(false));
        assert_eq!(truth(b"0"), Some(false));
        assert_eq!(truth(b"yes"), None);
    }
}
