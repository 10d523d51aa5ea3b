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
    /// An instant, microseconds UTC.
    Instant(i64),
    /// What no column takes: a nested object, a spreadsheet error, a duration.
    Unreadable,
}

impl Cell<'_> {
    /// The same value, held by itself.
    pub(crate) fn owned(&self) -> Cell<'static> {
        match self {
            Cell::Absent => Cell::Absent,
            Cell::Bytes(bytes) => Cell::Owned(bytes.to_vec()),
            Cell::Owned(bytes) => Cell::Owned(bytes.clone()),
            Cell::Int(value) => Cell::Int(*value),
            Cell::Float(value) => Cell::Float(*value),
            Cell::Bool(value) => Cell::Bool(*value),
            Cell::Local(at) => Cell::Local(*at),
            Cell::Instant(at) => Cell::Instant(*at),
            Cell::Unreadable => Cell::Unreadable,
        }
    }

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
    let (is_negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let value = if shift == 0 { digits(text)? } else { decimal(text, shift)? };
    Some(if is_negative { -value } else { value })
}

fn decimal(text: &[u8], shift: u32) -> Option<i64> {
    // The point of an amount is near its end.
    let Some(point) = text.iter().rposition(|it| *it == b'.') else {
        return digits(text)?.checked_mul(10_i64.checked_pow(shift)?);
    };
    let (whole, places) = (&text[..point], &text[point + 1..]);
    let missing = shift.checked_sub(u32::try_from(places.len()).ok()?)?;
    let whole = if whole.is_empty() { 0 } else { digits(whole)? };
    let moved = digits(places)?.checked_mul(10_i64.checked_pow(missing)?)?;
    whole.checked_mul(10_i64.checked_pow(shift)?)?.checked_add(moved)
}

/// Reads digits and nothing else.
#[inline]
fn digits(text: &[u8]) -> Option<i64> {
    let mut value = 0_i64;
    let mut rest = text;
    if text.len() < 19 {
        // So many digits cannot overflow; long numbers are read eight at a time.
        while let Some((eight, after)) = rest.split_first_chunk::<8>() {
            value = value * 100_000_000 + eight_digits(u64::from_le_bytes(*eight))?;
            rest = after;
        }
        for byte in rest {
            let digit = byte.wrapping_sub(b'0');
            if 9 < digit {
                return None;
            }
            value = value * 10 + i64::from(digit);
        }
        return (!text.is_empty()).then_some(value);
    }
    for byte in rest {
        let digit = byte.wrapping_sub(b'0');
        if 9 < digit {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(i64::from(digit))?;
    }
    Some(value)
}

/// Reads eight digits that lie in a word, the first lowest: pairs, then fours, then all are put together at once.
#[inline]
fn eight_digits(word: u64) -> Option<i64> {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let is_digits = (word & (EACH * 0xf0)) == EACH * 0x30 && ((word + EACH * 6) & (EACH * 0xf0)) == EACH * 0x30;
    if !is_digits {
        return None;
    }
    let ones = word & (EACH * 0x0f);
    let pairs = (ones * 10 + (ones >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    let all = (fours * 10_000 + (fours >> 32)) & 0xffff_ffff;
    Some(all as i64)
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
        check("1234567890123456",     0, Some(1_234_567_890_123_456));
        check("12345678.9",           1, Some(123_456_789));
        check("1234567/",             0, None);
        check("1234567:",             0, None);
        check("12345678901234567\u{b2}", 0, None);
        check("0.0000000001",         9, None);
        check("-",                    2, None);
        check("--1",                  0, None);
    }

    #[test]
    fn every_byte_but_a_digit_is_found_among_eight() {
        for at in 0..8 {
            for byte in 0..=u8::MAX {
                let mut word = *b"12345678";
                word[at] = byte;
                let expected = std::str::from_utf8(&word).ok().filter(|_| byte.is_ascii_digit());
                assert_eq!(digits(&word), expected.map(|it| it.parse().expect("digits")), "{word:?}");
            }
        }
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
