//! JSON lines: each line is parsed straight into cells, without a tree in between.

use std::collections::HashMap;
use std::fmt;

use memchr::memchr;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::cell::Cell;
use crate::column::Slot;
use crate::delimited::skip_lines;
use crate::progress::Progress;
use crate::reject::{self, Reason};
use crate::rows::Rows;
use crate::{Door, Error, FileInput};

/// Bytes of an undeclared key that the quarantine shows; a key is a name, a longer one is data in the wrong place.
const KEY_BYTES_MAX: usize = 64;

/// Reads the lines. There is no head: a key that a row lacks is empty, one that is not declared rejects its row.
///
/// # Errors
/// If there are too many rows.
pub(crate) fn read(
    door: &Door<'_>,
    file: &FileInput<'_>,
    bytes: &[u8],
    rows: &mut Rows,
    progress: &mut Progress<'_>,
) -> Result<(), Error> {
    rows.reserve(bytes);
    let mut lines = Lines::new(&rows.slots);
    let mut at = skip_lines(bytes, door.pipeline.pipeline.source.skip_rows);
    while at < bytes.len() {
        let rest = &bytes[at..];
        let length = memchr(b'\n', rest).unwrap_or(rest.len());
        let line = rest[..length].trim_ascii();
        at += length + 1;
        if line.is_empty() {
            continue;
        }
        lines.take(line, rows.next_row_no(file)?, rows);
        progress.at(at);
    }
    Ok(())
}

/// Reads objects one after the other into the same cells.
pub(crate) struct Lines<'a> {
    keys: Keys,
    cells: Vec<Cell<'a>>,
    /// Dates and times had types before they were written as objects.
    restores: bool,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(slots: &[Slot]) -> Self {
        Self { keys: Keys::new(slots), cells: vec![Cell::Absent; slots.len()], restores: false }
    }

    /// For objects that the door wrote itself, out of a format in which dates and times have types.
    pub(crate) fn restoring(slots: &[Slot]) -> Self {
        Self { restores: true, ..Self::new(slots) }
    }

    /// Takes one line, or rejects it.
    pub(crate) fn take(&mut self, line: &'a [u8], row_no: i64, rows: &mut Rows) {
        let Self { keys, cells, restores } = self;
        cells.fill(Cell::Absent);
        keys.is_set.fill(false);
        keys.fault = None;
        let mut parser = serde_json::Deserializer::from_slice(line);
        let parsed = Object { keys, cells }.deserialize(&mut parser).and_then(|()| parser.end());
        if *restores {
            for (slot, cell) in rows.slots.iter().zip(cells.iter_mut()) {
                if let Some(restored) = reject::restored(slot, cell) {
                    *cell = restored;
                }
            }
        }
        match (parsed, keys.fault.take()) {
            (Ok(()), None) => rows.take(row_no, cells, |_| line.to_vec()),
            (Ok(()), Some(key)) => rows.reject_cells(row_no, cells, Reason::Columns, Some(key), line.to_vec()),
            (Err(_), _) => {
                let reason = if std::str::from_utf8(line).is_err() { Reason::Encoding } else { Reason::Json };
                rows.reject_cells(row_no, cells, reason, None, line.to_vec());
            }
        }
    }
}

/// The declared keys, and what was found of them in a line.
struct Keys {
    heads: Vec<String>,
    places: HashMap<String, usize>,
    is_set: Vec<bool>,
    /// The first key that is not declared or came twice.
    fault: Option<String>,
    /// The key that followed each in the line before: writers keep their order, so this is nearly always right.
    follows: Vec<usize>,
}

impl Keys {
    fn new(slots: &[Slot]) -> Self {
        let heads: Vec<String> = slots.iter().map(|it| it.head.clone()).collect();
        Self {
            places: heads.iter().enumerate().map(|(at, head)| (head.clone(), at)).collect(),
            is_set: vec![false; heads.len()],
            fault: None,
            // The last place says which key begins a line.
            follows: (0..=heads.len()).collect(),
            heads,
        }
    }
}

struct Object<'k, 'a> {
    keys: &'k mut Keys,
    cells: &'k mut Vec<Cell<'a>>,
}

impl<'a> DeserializeSeed<'a> for Object<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for Object<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { keys, cells } = self;
        let mut before = keys.heads.len();
        while let Some(found) = map.next_key_seed(Key { keys, guess: keys.follows[before] })? {
            match found {
                Ok(at) if !keys.is_set[at] => {
                    keys.is_set[at] = true;
                    keys.follows[before] = at;
                    before = at;
                    cells[at] = map.next_value_seed(Value)?;
                }
                Ok(at) => {
                    keys.fault.get_or_insert_with(|| keys.heads[at].clone());
                    map.next_value::<IgnoredAny>()?;
                }
                Err(key) => {
                    keys.fault.get_or_insert(key);
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
struct Key<'k> {
    keys: &'k Keys,
    guess: usize,
}

impl<'a> DeserializeSeed<'a> for Key<'_> {
    type Value = Result<usize, String>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Result<usize, String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    #[inline]
    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        if self.keys.heads.get(self.guess).is_some_and(|it| it == key) {
            return Ok(Ok(self.guess));
        }
        Ok(match self.keys.places.get(key) {
            Some(at) => Ok(*at),
            None => Err(key[..key.floor_char_boundary(KEY_BYTES_MAX)].to_owned()),
        })
    }
}

struct Value;

impl<'a> DeserializeSeed<'a> for Value {
    type Value = Cell<'a>;

    #[inline]
    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Cell<'a>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Value {
    type Value = Cell<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Cell<'a>, E> {
        Ok(Cell::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Cell<'a>, E> {
        Ok(Cell::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Cell<'a>, E> {
        Ok(i64::try_from(value).map_or(Cell::Float(value as f64), Cell::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Cell<'a>, E> {
        Ok(Cell::Float(value))
    }

    fn visit_borrowed_str<E>(self, value: &'a str) -> Result<Cell<'a>, E> {
        Ok(Cell::Bytes(value.as_bytes()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Cell<'a>, E> {
        Ok(Cell::Owned(value.as_bytes().to_vec()))
    }

    fn visit_unit<E>(self) -> Result<Cell<'a>, E> {
        Ok(Cell::Absent)
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut values: A) -> Result<Cell<'a>, A::Error> {
        while values.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Cell::Unreadable)
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Cell<'a>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Cell::Unreadable)
    }

    fn visit_bytes<E: serde::de::Error>(self, _: &[u8]) -> Result<Cell<'a>, E> {
        Err(E::custom("JSON has no bytes"))
    }
}
