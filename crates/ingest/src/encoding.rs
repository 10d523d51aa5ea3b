//! Strict decoding: a byte that is illegal is never replaced, because a replaced name is somebody else's name.

use std::borrow::Cow;

use encoding_rs::GB18030;
use schema::Encoding;

use crate::Error;

/// The word for an encoding as pipelines write it.
pub(crate) fn word(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Utf8 => "utf-8",
        Encoding::Utf16 => "utf-16",
        Encoding::Gb18030 => "gb18030",
    }
}

/// Decodes one cell; `None` if a byte is illegal. UTF-16 never gets here: [`plain`] has turned it into UTF-8.
pub(crate) fn decode(bytes: &[u8], encoding: Encoding) -> Option<Cow<'_, str>> {
    match encoding {
        Encoding::Utf8 | Encoding::Utf16 => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
        Encoding::Gb18030 if bytes.is_ascii() => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
        Encoding::Gb18030 if has_stray_lead(bytes) => None,
        Encoding::Gb18030 => GB18030.decode_without_bom_handling_and_without_replacement(bytes),
    }
}

/// GB18030 as far as it can be read, for whoever has to correct it.
pub fn decode_lossy(bytes: &[u8]) -> String {
    GB18030.decode_without_bom_handling(bytes).0.into_owned()
}

/// A text in an encoding; UTF-16 is little-endian with its mark.
pub(crate) fn encode(text: &str, encoding: Encoding) -> Vec<u8> {
    match encoding {
        Encoding::Utf8 => text.as_bytes().to_vec(),
        Encoding::Gb18030 => GB18030.encode(text).0.into_owned(),
        Encoding::Utf16 => [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect(),
    }
}

/// Whether a byte of GB18030 is always a character of its own: trailing bytes lie in 0x30-0x39, 0x40-0x7E, 0x80-0xFE.
///
/// A comma, quote, tab or line end is; `|` and `{` are not.
pub(crate) fn is_never_trailing(byte: u8) -> bool {
    byte < 0x40 && !byte.is_ascii_digit()
}

/// Bytes of a file that are looked at for signs of another encoding.
const HEAD_BYTES: usize = 256;

/// Takes the byte order mark off and turns what cannot be split on bytes into UTF-8.
///
/// `splits` says whether GB18030 may be left as it is, because all that is looked for in its bytes
/// [is never trailing](is_never_trailing). What is illegal stays illegal, so that its row is refused and not the file. Returns the encoding of the result.
///
/// # Errors
/// If the mark contradicts the declared encoding.
pub(crate) fn plain<'a>(
    bytes: &'a [u8],
    encoding: Encoding,
    splits: bool,
    file: &str,
) -> Result<(Cow<'a, [u8]>, Encoding), Error> {
    let mark = Mark::of(bytes);
    let refuse =
        |found, remedy: String| Err(Error::ByteOrderMark { file: file.to_owned(), found, declared: word(encoding), remedy });
    let declare = |it: &str| format!("declare source.encoding = \"{it}\", or export it again");
    match (encoding, mark) {
        // No text of one byte or more a character has zero bytes in its head.
        (Encoding::Utf8 | Encoding::Gb18030, None) if bytes.iter().take(HEAD_BYTES).any(|it| *it == 0) => refuse(
            "has zero bytes, as utf-16 without a byte order mark has",
            "export it as utf-8, or as utf-16 with a mark and declare source.encoding = \"utf-16\"".to_owned(),
        ),
        (Encoding::Utf8, None) => Ok((Cow::Borrowed(bytes), encoding)),
        (Encoding::Utf8, Some(Mark::Utf8)) => Ok((Cow::Borrowed(&bytes[3..]), encoding)),
        (Encoding::Gb18030, None | Some(Mark::Gb18030)) => {
            let rest = if mark.is_some() { &bytes[4..] } else { bytes };
            if splits { Ok((Cow::Borrowed(rest), encoding)) } else { Ok((Cow::Owned(by_line(rest)), Encoding::Utf8)) }
        }
        (Encoding::Utf16, Some(Mark::Utf16Little)) => {
            Ok((Cow::Owned(from_utf16(&bytes[2..], u16::from_le_bytes)), Encoding::Utf8))
        }
        (Encoding::Utf16, Some(Mark::Utf16Big)) => Ok((Cow::Owned(from_utf16(&bytes[2..], u16::from_be_bytes)), Encoding::Utf8)),
        (Encoding::Utf16, None) => {
            refuse("has no byte order mark", "export it with one, or declare its true encoding".to_owned())
        }
        (_, Some(Mark::Utf8)) => refuse("begins with the byte order mark of utf-8", declare("utf-8")),
        (_, Some(Mark::Gb18030)) => refuse("begins with the byte order mark of gb18030", declare("gb18030")),
        (_, Some(Mark::Utf16Little | Mark::Utf16Big)) => refuse("begins with the byte order mark of utf-16", declare("utf-16")),
    }
}

/// Which encoding bytes that are not of the declared one may be of, as the end of a message.
pub(crate) fn hint(bytes: &[u8], declared: Encoding) -> String {
    let other = [Encoding::Utf8, Encoding::Gb18030]
        .into_iter()
        .find(|it| *it != declared && !bytes.is_ascii() && decode(bytes, *it).is_some());
    match other {
        Some(other) => format!(": it reads as {0}, declare source.encoding = \"{0}\"", word(other)),
        None => String::new(),
    }
}

/// What the bytes of a text say of their encoding.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Found {
    /// The encoding in which most lines are legal.
    pub(crate) encoding: Encoding,
    /// A byte order mark says so.
    pub(crate) is_marked: bool,
    /// There is nothing but ASCII, which is the same in both.
    pub(crate) is_ascii: bool,
    /// Lines that are illegal in it.
    pub(crate) illegal_lines: usize,
}

/// Which encoding a text is in.
pub(crate) fn found(bytes: &[u8]) -> Found {
    let marked = |encoding| Found { encoding, is_marked: true, is_ascii: false, illegal_lines: 0 };
    match Mark::of(bytes) {
        Some(Mark::Utf8) => return marked(Encoding::Utf8),
        Some(Mark::Utf16Little | Mark::Utf16Big) => return marked(Encoding::Utf16),
        Some(Mark::Gb18030) => return marked(Encoding::Gb18030),
        None => {}
    }
    let illegal = |encoding| bytes.split(|it| *it == b'\n').filter(|it| decode(it.trim_ascii_end(), encoding).is_none()).count();
    let (utf8, gb18030) = (illegal(Encoding::Utf8), illegal(Encoding::Gb18030));
    // Chinese UTF-8 is often legal GB18030 too, and hardly ever the other way round.
    let (encoding, illegal_lines) = if utf8 <= gb18030 { (Encoding::Utf8, utf8) } else { (Encoding::Gb18030, gb18030) };
    Found { encoding, is_marked: false, is_ascii: bytes.is_ascii(), illegal_lines }
}

#[derive(Clone, Copy)]
enum Mark {
    Utf8,
    Utf16Little,
    Utf16Big,
    Gb18030,
}

impl Mark {
    fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0xef, 0xbb, 0xbf, ..] => Some(Mark::Utf8),
            [0xff, 0xfe, ..] => Some(Mark::Utf16Little),
            [0xfe, 0xff, ..] => Some(Mark::Utf16Big),
            [0x84, 0x31, 0x95, 0x33, ..] => Some(Mark::Gb18030),
            _ => None,
        }
    }
}

/// Whether 0x80 or 0xFF stands where a character begins. The decoder follows the Web and reads 0x80 as a euro sign;
/// the standard has no such character, and in an export it is a cut or foreign byte.
fn has_stray_lead(bytes: &[u8]) -> bool {
    let mut at = 0;
    while let Some(&lead) = bytes.get(at) {
        at += match lead {
            0x80 | 0xff => return true,
            0..0x80 => 1,
            _ if bytes.get(at + 1).is_some_and(u8::is_ascii_digit) => 4,
            _ => 2,
        };
    }
    false
}

/// GB18030 to UTF-8, line by line; a line with an illegal byte is left as it is, and is illegal UTF-8.
fn by_line(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 4);
    for line in bytes.split_inclusive(|it| *it == b'\n') {
        match decode(line, Encoding::Gb18030) {
            Some(text) => out.extend_from_slice(text.as_bytes()),
            None => {
                out.extend_from_slice(line);
                if std::str::from_utf8(line).is_ok() {
                    // Bytes that are illegal in one encoding may be legal in the other; they must not pass as that.
                    let end = out.len() - usize::from(line.ends_with(b"\n"));
                    out.insert(end, ILLEGAL);
                }
            }
        }
    }
    out
}

/// A byte that no UTF-8 text has: stands for what could not be decoded, so that the row is refused.
const ILLEGAL: u8 = 0xff;

fn from_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let (pairs, rest) = bytes.as_chunks::<2>();
    for decoded in char::decode_utf16(pairs.iter().map(|it| unit(*it))) {
        match decoded {
            Ok(it) => out.extend_from_slice(it.encode_utf8(&mut [0; 4]).as_bytes()),
            Err(_) => out.push(ILLEGAL),
        }
    }
    if !rest.is_empty() {
        out.push(ILLEGAL);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expected: Option<&str>) {
        assert_eq!(decode(bytes, Encoding::Gb18030).as_deref(), expected, "{bytes:x?}");
    }

    #[test]
    fn gb18030_is_decoded_strictly() {
        check(b"\xca\xb3\xcc\xc3", Some("食堂"));
        check(b"\x81\x30\x84\x36", Some("¥"));
        check(b"\xca\xb3\xcc", None);
        check(b"\x80", None);
        check(b"\xca\xb3\xff", None);
        // 0x80 as a trailing byte is a character like any other.
        check(b"\x81\x80", Some("亐"));
        check(b"\x81\x30\x84", None);
    }

    #[test]
    fn a_lone_surrogate_spoils_its_line_only() {
        let mut bytes = vec![0xff, 0xfe];
        for unit in [0x61_u16, 0x0a, 0xd800, 0x0a, 0x98df] {
            bytes.extend(unit.to_le_bytes());
        }
        let (text, encoding) = plain(&bytes, Encoding::Utf16, true, "x").expect("mark fits");
        assert_eq!(encoding, Encoding::Utf8);
        let lines: Vec<Option<&str>> = text.split(|it| *it == b'\n').map(|it| std::str::from_utf8(it).ok()).collect();
        assert_eq!(lines, [Some("a"), None, Some("食")]);
    }

    #[test]
    fn a_line_illegal_in_gb18030_does_not_pass_as_utf_8() {
        // é in UTF-8 and a full stop: legal UTF-8, illegal GB18030.
        let (text, _) = plain(b"a\n\xc3\xa9\xc3.\nb", Encoding::Gb18030, false, "x").expect("no mark");
        let lines: Vec<bool> = text.split(|it| *it == b'\n').map(|it| std::str::from_utf8(it).is_ok()).collect();
        assert_eq!(lines, [true, false, true]);
        let (text, _) = plain(b"\xf0\x90\x8d.\n", Encoding::Gb18030, false, "x").expect("no mark");
        assert!(std::str::from_utf8(&text).is_err());
    }
}
