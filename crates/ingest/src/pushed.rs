//! Events that were pushed: a JSON array, lines of JSON or a batch of CloudEvents become rows like those of a file.
//!
//! Whatever the format of the source's files, a pushed event is an object by the source's names. How many of them are bad
//! says nothing of the feed: each goes its own way.

use std::collections::HashSet;

use memchr::memchr;
use schema::Encoding;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::reject::Reason;
use crate::rows::Rows;
use crate::{Door, Error, FileInput, Taken, batch, jsonl};

/// How pushed events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushForm {
    /// A JSON array of objects, or one object.
    Json,
    /// One JSON object a line.
    Lines,
    /// A CloudEvents batch (`application/cloudevents-batch+json`), or one event: the row is its `data`.
    CloudEvents,
}

impl Door<'_> {
    /// Takes what was pushed: each row on its own way.
    ///
    /// A CloudEvent that is there twice, by `source` and `id`, is taken once and counted as skipped.
    ///
    /// # Errors
    /// If the body as a whole is none of its form or has too many rows, or the vault does not answer. Nothing of it is
    /// taken then.
    ///
    /// # Panics
    /// If the rows do not balance, which is our bug.
    pub fn take_pushed(&self, file: &FileInput<'_>, form: PushForm, body: &[u8]) -> Result<Taken, Error> {
        let mut rows = Rows::new(self, Encoding::Utf8)?;
        let events = match form {
            PushForm::Lines => lines(body),
            PushForm::Json | PushForm::CloudEvents => elements(body).map_err(|offset| Error::Body {
                pipeline: self.pipeline.name().to_owned(),
                offset,
                what: "this is no JSON array of objects, and no object",
            })?,
        };
        let mut skipped = 0_i64;
        let mut seen = HashSet::new();
        let mut lines = jsonl::Lines::new(&rows.slots);
        for event in events {
            let row_no = rows.next_row_no(file)? + skipped;
            if form != PushForm::CloudEvents {
                lines.take(event, row_no, &mut rows);
                continue;
            }
            match enveloped(event) {
                Some(it) if seen.contains(&it.identity) => skipped += 1,
                Some(it) => {
                    seen.insert(it.identity);
                    lines.take(it.data, row_no, &mut rows);
                }
                None => rows.reject(row_no, Reason::Json, Some("data".to_owned()), event.to_vec()),
            }
        }
        let mut taken = batch::hand_over(self, file, rows)?;
        taken.counts.rows_in += skipped.unsigned_abs();
        taken.counts.rows_skipped += skipped.unsigned_abs();
        assert!(taken.counts.is_balanced(), "rows do not balance: {:?}", taken.counts);
        Ok(taken)
    }

    /// Takes messages of a broker: each is one object, an array of them, or one a line. What is none of these waits in
    /// quarantine like any other bad row, for nobody can send it back.
    ///
    /// # Errors
    /// If there are too many rows, or the vault does not answer. Nothing is taken then.
    ///
    /// # Panics
    /// If the rows do not balance, which is our bug.
    pub fn take_messages(&self, file: &FileInput<'_>, messages: &[Vec<u8>]) -> Result<Taken, Error> {
        let mut rows = Rows::new(self, Encoding::Utf8)?;
        let mut taker = jsonl::Lines::new(&rows.slots);
        for message in messages {
            let events = elements(message).unwrap_or_else(|_| lines(message));
            let events = if MESSAGE_ROWS_MAX < events.len() { vec![message.as_slice()] } else { events };
            for event in events {
                let row_no = rows.next_row_no(file)?;
                taker.take(event, row_no, &mut rows);
            }
        }
        let taken = batch::hand_over(self, file, rows)?;
        assert!(taken.counts.is_balanced(), "rows do not balance: {:?}", taken.counts);
        Ok(taken)
    }
}

/// What a CloudEvent in structured form holds, without its envelope; `None` if it is none, or none of JSON.
///
/// For brokers whose messages say of themselves what they are.
#[must_use]
pub fn cloud_event_data(message: &[u8]) -> Option<&[u8]> {
    enveloped(message).map(|it| it.data)
}

/// Events of one message; one with more is one bad row, for a broker cannot be asked to send it in parts, and millions of
/// refused rows would make a frame that the log never takes.
const MESSAGE_ROWS_MAX: usize = 2_000;

fn lines(body: &[u8]) -> Vec<&[u8]> {
    let (mut rest, mut found) = (body, Vec::new());
    while !rest.is_empty() {
        let end = memchr(b'\n', rest).unwrap_or(rest.len());
        found.push(rest[..end].trim_ascii());
        rest = &rest[(end + 1).min(rest.len())..];
    }
    found.retain(|it| !it.is_empty());
    found
}

/// Bytes of the JSON value at the beginning of a text; `None` if there is none that is whole.
fn value_length(text: &[u8]) -> Option<usize> {
    let mut values = serde_json::Deserializer::from_slice(text).into_iter::<IgnoredAny>();
    values.next()?.ok()?;
    Some(values.byte_offset())
}

/// The elements of an array, or the one object; else where the text goes wrong.
fn elements(body: &[u8]) -> Result<Vec<&[u8]>, usize> {
    let skip = |at: usize| at + body[at..].iter().take_while(|it| it.is_ascii_whitespace()).count();
    let end = |at: usize| if skip(at) == body.len() { Ok(()) } else { Err(at) };
    let begin = skip(0);
    if body.get(begin) == Some(&b'{') {
        let length = value_length(&body[begin..]).ok_or(begin)?;
        end(begin + length)?;
        return Ok(vec![&body[begin..begin + length]]);
    }
    if body.get(begin) != Some(&b'[') {
        return Err(begin);
    }
    let mut found = Vec::new();
    let mut at = skip(begin + 1);
    if body.get(at) == Some(&b']') {
        end(at + 1)?;
        return Ok(found);
    }
    loop {
        let length = value_length(&body[at..]).ok_or(at)?;
        found.push(body[at..at + length].trim_ascii());
        at = skip(at + length);
        match body.get(at) {
            Some(b',') => at = skip(at + 1),
            Some(b']') => return end(at + 1).map(|()| found),
            _ => return Err(at),
        }
    }
}

/// A CloudEvent without its envelope.
struct Enveloped<'a> {
    identity: (String, String),
    data: &'a [u8],
}

#[derive(Deserialize)]
struct Envelope {
    specversion: String,
    id: String,
    source: String,
    #[serde(rename = "type")]
    type_: String,
    #[serde(default)]
    datacontenttype: Option<String>,
}

fn enveloped(event: &[u8]) -> Option<Enveloped<'_>> {
    let envelope: Envelope = serde_json::from_slice(event).ok()?;
    let is_json = envelope.datacontenttype.as_deref().is_none_or(|it| it.contains("json"));
    if !envelope.specversion.starts_with("1.") || envelope.id.is_empty() || envelope.type_.is_empty() || !is_json {
        return None;
    }
    Some(Enveloped { identity: (envelope.source, envelope.id), data: member(event, "data")? })
}

/// The value of a member of an object as it is written: the first that has the name.
fn member<'a>(object: &'a [u8], wanted: &str) -> Option<&'a [u8]> {
    let skip = |at: usize| at + object[at..].iter().take_while(|it| it.is_ascii_whitespace()).count();
    let mut at = skip(skip(0) + 1);
    while object.get(at) == Some(&b'"') {
        let length = value_length(&object[at..])?;
        let name: String = serde_json::from_slice(&object[at..at + length]).ok()?;
        at = skip(at + length);
        if object.get(at) != Some(&b':') {
            return None;
        }
        at = skip(at + 1);
        let length = value_length(&object[at..])?;
        if name == wanted {
            return Some(&object[at..at + length]);
        }
        at = skip(at + length);
        if object.get(at) == Some(&b',') {
            at = skip(at + 1);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts<'a>(found: &[&'a [u8]]) -> Vec<&'a str> {
        found.iter().map(|it| std::str::from_utf8(it).expect("text")).collect()
    }

    #[track_caller]
    fn check(body: &str, expected: Result<&[&str], usize>) {
        assert_eq!(elements(body.as_bytes()).map(|it| texts(&it)), expected.map(<[&str]>::to_vec), "{body}");
    }

    #[test]
    fn an_array_comes_apart_into_what_stands_between_its_commas() {
        check("[]", Ok(&[]));
        check(" [ ] \n", Ok(&[]));
        check("{\"a\":1}", Ok(&["{\"a\":1}"]));
        check("[{\"a\":[1,2]} ,\n {\"b\":\"],[\"},3]", Ok(&["{\"a\":[1,2]}", "{\"b\":\"],[\"}", "3"]));
        check("", Err(0));
        check("7", Err(0));
        check("[{}", Err(3));
        check("[{},]", Err(4));
        check("[{} {}]", Err(4));
        check("[{}] []", Err(4));
        check("{\"a\":1} {}", Err(7));
        check("[{\"a\":}]", Err(1));
    }

    #[test]
    fn lines_without_anything_are_none() {
        assert_eq!(texts(&lines(b"{}\r\n\n  \n{\"a\":1}")), ["{}", "{\"a\":1}"]);
    }

    #[test]
    fn an_envelope_is_taken_off_and_what_is_none_is_not() {
        let event =
            br#"{"specversion":"1.0","id":"7","source":"gate/3","type":"passage","note":{"data":1},"data" : {"a": 1.50}}"#;
        let it = enveloped(event).expect("an event");
        assert_eq!((it.identity, it.data), (("gate/3".to_owned(), "7".to_owned()), &br#"{"a": 1.50}"#[..]));
        for wrong in [
            r#"{"specversion":"1.0","id":"7","source":"gate/3","type":"passage"}"#,
            r#"{"specversion":"0.3","id":"7","source":"gate/3","type":"passage","data":{}}"#,
            r#"{"specversion":"1.0","source":"gate/3","type":"passage","data":{}}"#,
            r#"{"specversion":"1.0","id":"7","source":"gate/3","type":"passage","datacontenttype":"text/xml","data":"<a/>"}"#,
            r#"{"a":1}"#,
            "3",
        ] {
            assert!(enveloped(wrong.as_bytes()).is_none(), "{wrong}");
            assert_eq!(cloud_event_data(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
