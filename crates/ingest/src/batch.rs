//! The end of a file: the vault is asked once, and the columns become Arrow batches in order.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, Int32Array, Int64Array, StringArray, TimestampMicrosecondArray,
};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer};
use arrow::datatypes::Schema;
use arrow::record_batch::RecordBatch;
use schema::{Identifier, Key, Known, raw_schema};

use crate::column::{EMPTY, Slot, Sparse, Texts, Values};
use crate::order::{SortKeys, order};
use crate::row_hash::row_hashes;
use crate::rows::{Rows, start};
use crate::{Counts, Door, Error, FileInput, KnownAt, Part, Taken, reject};

/// Keys by kind of person and number in the file; `None` for the erased.
pub(crate) type Keys = Vec<Vec<Option<i64>>>;

/// Turns the rows of a whole file into what the door hands over.
///
/// # Errors
/// If too many rows are bad, or the vault does not answer.
pub(crate) fn finish(door: &Door<'_>, file: &FileInput<'_>, mut rows: Rows<'_>) -> Result<Taken, Error> {
    // Before the feed is blamed: a vault that is silent makes rows look like nobody's.
    refuse_silence(file, &mut rows)?;
    refuse_broken_feed(door, file, &rows)?;
    hand_over(door, file, rows)
}

/// Turns rows into what the door hands over, however many of them are bad.
///
/// # Errors
/// If the vault does not answer.
pub(crate) fn hand_over(door: &Door<'_>, file: &FileInput<'_>, mut rows: Rows<'_>) -> Result<Taken, Error> {
    let rows_in = rows.rows_in();
    refuse_silence(file, &mut rows)?;
    let keys = ask(door, file, &rows)?;
    let is_erased = |&(kind, number): &(usize, u32)| keys[kind][number as usize].is_none();
    rows.rejects.retain(|it| !it.persons.iter().any(is_erased));
    let kept = kept(&rows, &keys);
    remember(door, file, &rows, &keys, &kept)?;
    let unlinked = identify(door, file, &rows, &keys, &kept)?;

    let mut reasons = BTreeMap::new();
    for reject in &rows.rejects {
        *reasons.entry(reject.reason.as_str().to_owned()).or_default() += 1;
    }
    let refused_at = match door.known {
        KnownAt::At(at) | KnownAt::InOrder(at) => at,
        KnownAt::Assumed => door.now_us,
    };
    let rejects = reject::sealed(&rows.rejects, door.pipeline.name(), file.file_no, refused_at, door.seal);
    let (rows_kept, rows_quarantined) = (kept.len() as u64, rows.rejects.len() as u64);
    let counts =
        Counts { rows_in, rows_kept, rows_quarantined, rows_skipped: 0, rows_erased: rows_in - rows_kept - rows_quarantined };
    let (parts, beyond_us) = parts(door, file, rows, &keys, &kept)?;
    assert_eq!(parts.iter().map(|it| it.batch.num_rows() as u64).sum::<u64>(), rows_kept, "rows lost in the parts");
    Ok(Taken { parts, rejects, reasons, counts, known_us: refused_at + beyond_us, unlinked })
}

fn refuse_silence(file: &FileInput<'_>, rows: &mut Rows<'_>) -> Result<(), Error> {
    let refuse = |source| Err(Error::Vault { file: file.display.to_owned(), verb: "look up identifiers", source });
    rows.silence.take().map_or(Ok(()), refuse)
}

fn refuse_broken_feed(door: &Door<'_>, file: &FileInput<'_>, rows: &Rows<'_>) -> Result<(), Error> {
    let (rejected, rows_in) = (rows.rejects.len() as u64, rows.rows_in());
    let share_max = door.pipeline.contract.reject_share_max;
    match rows.rejects.first() {
        Some(first) if share_max * (rows_in as f64) < rejected as f64 => Err(Error::TooManyRejects {
            file: file.display.to_owned(),
            rejected,
            rows: rows_in,
            share_max,
            worst: reject::worst(&rows.rejects),
            row_no: first.row_no,
        }),
        _ => Ok(()),
    }
}

/// Asks the vault for the keys of all numbers in the file, one call a kind.
fn ask(door: &Door<'_>, file: &FileInput<'_>, rows: &Rows<'_>) -> Result<Keys, Error> {
    let mut keys = Vec::new();
    for people in &rows.context.people {
        if people.by.is_some() {
            let key = |who: &Known| match who {
                Known::Key(key) => Some(*key),
                Known::Erased => None,
            };
            keys.push(people.held.iter().map(key).collect());
            continue;
        }
        // Numbers are UTF-8: they were interned from text.
        let numbers: Vec<&str> = people.numbers.words().iter().map(|it| std::str::from_utf8(it).unwrap_or_default()).collect();
        let known = if numbers.is_empty() {
            HashMap::new()
        } else {
            door.pseudonyms.keys(people.kind, &numbers).map_err(|source| Error::Vault {
                file: file.display.to_owned(),
                verb: "look up numbers",
                source,
            })?
        };
        let silent = || Error::VaultSilent { file: file.display.to_owned(), kind: people.kind };
        let key = |number: &&str| match known.get(*number) {
            Some(Known::Key(key)) => Ok(Some(*key)),
            Some(Known::Erased) => Ok(None),
            None => Err(silent()),
        };
        keys.push(numbers.iter().map(key).collect::<Result<Vec<_>, _>>()?);
    }
    Ok(keys)
}

/// Rows that no erased person owns.
///
/// The first person column names whom a row is about: the row of an erased one is dropped. Another erased person in it
/// (a counselor who left) takes nobody's row away: the key becomes empty, unless the contract requires it.
fn kept(rows: &Rows<'_>, keys: &Keys) -> Vec<u32> {
    let all = 0..rows.row_nos.len() as u32;
    if !keys.iter().flatten().any(Option::is_none) {
        return all.collect();
    }
    let persons: Vec<_> = person_slots(rows).collect();
    let owners = persons.iter().enumerate().filter(|(at, (slot, _))| *at == 0 || slot.is_required);
    let owners: Vec<_> = owners.map(|(_, (_, numbers))| *numbers).collect();
    all.filter(|row| {
        !owners.iter().any(|it| {
            let id = it.ids[*row as usize];
            id != EMPTY && keys[it.people_at][id as usize].is_none()
        })
    })
    .collect()
}

fn person_slots<'a>(rows: &'a Rows<'_>) -> impl Iterator<Item = (&'a Slot, &'a crate::column::Numbers)> {
    rows.slots.iter().filter_map(|it| match &it.values {
        Values::Person(numbers) => Some((it, numbers)),
        _ => None,
    })
}

/// Hands the names and telephones of kept rows to the vault, once a file: the last row of a person holds.
fn remember(door: &Door<'_>, file: &FileInput<'_>, rows: &Rows<'_>, keys: &Keys, kept: &[u32]) -> Result<(), Error> {
    let Some((_, subject)) = person_slots(rows).next() else { return Ok(()) };
    let mut latest: BTreeMap<(i64, &str), &str> = BTreeMap::new();
    for slot in rows.slots.iter().filter(|it| it.lake_name.is_none()) {
        let Values::Text(texts) = &slot.values else { continue };
        for &row in kept {
            let id = subject.ids[row as usize];
            let key = if id == EMPTY { None } else { keys[subject.people_at][id as usize] };
            let value = texts.get(row as usize).and_then(|it| std::str::from_utf8(it).ok());
            if let (Some(key), Some(value)) = (key, value) {
                latest.insert((key, &slot.name), value);
            }
        }
    }
    if latest.is_empty() {
        return Ok(());
    }
    let values: Vec<_> = latest.into_iter().map(|((key, column), value)| (key, column, value)).collect();
    let kind = rows.context.people[subject.people_at].kind;
    door.pseudonyms.remember(kind, &values).map_err(|source| Error::Vault {
        file: file.display.to_owned(),
        verb: "keep names",
        source,
    })
}

/// Hands identifiers of kept rows to the vault, and returns how many it could not keep.
fn identify(door: &Door<'_>, file: &FileInput<'_>, rows: &Rows<'_>, keys: &Keys, kept: &[u32]) -> Result<u64, Error> {
    let Some(register) = &rows.register else { return Ok(0) };
    let Some((_, subject)) = person_slots(rows).find(|(_, it)| rows.context.people[it.people_at].by.is_none()) else {
        return Ok(0);
    };
    let day = |slot: usize, row: u32| match &rows.slots[slot].values {
        Values::Date(days, _) if days.empty.binary_search(&row).is_err() => days.values.get(row as usize).copied(),
        _ => None,
    };
    let mut read = Vec::new();
    for &row in kept {
        let id = subject.ids[row as usize];
        let key = if id == EMPTY { None } else { keys[subject.people_at][id as usize] };
        // What does not look like one of its kind was rejected with its row.
        let identifier = register.read(&rows.slots, row as usize).ok().flatten();
        if let (Some(key), Some((by, value)), Some(from_day)) = (key, identifier, day(register.from, row)) {
            read.push((key, by, value, from_day, register.until.and_then(|it| day(it, row))));
        }
    }
    let identifiers: Vec<_> = read
        .iter()
        .map(|(key, by, value, from_day, until_day)| Identifier {
            key: *key,
            by,
            value,
            from_day: *from_day,
            until_day: *until_day,
            is_number: register.is_number(by),
        })
        .collect();
    let kind = rows.context.people[subject.people_at].kind;
    door.pseudonyms.identify(kind, &identifiers).map_err(|source| Error::Vault {
        file: file.display.to_owned(),
        verb: "keep identifiers",
        source,
    })
}

/// The rows by day, and how far the newest of them was dated beyond the instant of the door.
fn parts(
    door: &Door<'_>,
    file: &FileInput<'_>,
    mut rows: Rows<'_>,
    keys: &Keys,
    kept: &[u32],
) -> Result<(Vec<Part>, i64), Error> {
    let n = rows.row_nos.len();
    let mut instants = rows.occurred_at.values.clone();
    for &row in &rows.occurred_at.empty {
        instants[row as usize] = i64::MIN;
    }
    let sort_keys =
        SortKeys { days: door.pipeline.is_event().then_some(rows.occurred_on.as_slice()), ranks: ranks(&rows, keys), instants };
    let (order, ends) = order(&sort_keys, kept);
    drop(sort_keys);

    let hashes = row_hashes(&rows.slots, keys, n);
    let mut columns: HashMap<String, ArrayRef> = HashMap::new();
    let mut add = |name: &str, column: ArrayRef| columns.insert(name.to_owned(), column);
    add("row_hash", Arc::new(Int64Array::new(gather(&hashes, &order).into(), None)));
    drop(hashes);
    let mut beyond_us = 0;
    let known_at: Vec<i64> = match door.known {
        KnownAt::At(at) => vec![at; order.len()],
        KnownAt::InOrder(at) => {
            let behind = behind(door, &rows, keys, kept);
            beyond_us = behind.iter().copied().max().unwrap_or(0);
            order.iter().map(|row| at + behind[*row as usize]).collect()
        }
        KnownAt::Assumed => {
            let always = start(door.pipeline, &mut rows.context.moments).unwrap_or(0);
            let known = assumed_known_at(door, &rows, always);
            gather(&known, &order)
        }
    };
    add("known_at", instants_array(known_at, None));
    add("is_known_assumed", Arc::new(BooleanArray::from(vec![door.known == KnownAt::Assumed; order.len()])));
    add("file_no", Arc::new(Int64Array::from_value(file.file_no, order.len())));
    add("row_no", Arc::new(Int64Array::new(gather(&rows.row_nos, &order).into(), None)));
    if door.pipeline.is_event() {
        add("minute_of_day", Arc::new(Int32Array::new(gather(&rows.minutes, &order).into(), None)));
    }
    let nulls = empty(&rows.occurred_at, n, &order);
    add("occurred_at", instants_array(gather(&rows.occurred_at.values, &order), nulls));
    // A column is dropped as soon as its array is made: a file's rows are held once and a bit, not twice.
    for slot in rows.slots {
        if let Some(lake_name) = &slot.lake_name {
            add(lake_name, array(&slot, keys, &order, file)?);
        }
    }

    let fields: Vec<_> = raw_schema(door.pipeline).fields().iter().filter(|it| it.name() != "occurred_on").cloned().collect();
    let arrays: Vec<ArrayRef> = fields.iter().filter_map(|it| columns.remove(it.name())).collect();
    let whole = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).expect("the columns are those of the schema");
    let mut begin = 0;
    let part = |(day, end): (Option<i32>, usize)| {
        let batch = whole.slice(begin, end - begin);
        begin = end;
        Part { day, batch }
    };
    Ok((ends.into_iter().map(part).collect(), beyond_us))
}

/// How many versions of its key came before each row; none of an event, nor of a row that is its own key.
fn behind(door: &Door<'_>, rows: &Rows<'_>, keys: &Keys, kept: &[u32]) -> Vec<i64> {
    let n = rows.row_nos.len();
    let mut behind = vec![0; n];
    let Key::Columns(names) = &door.pipeline.contract.key else { return behind };
    if door.pipeline.is_event() {
        return behind;
    }
    // Two keys of one hash only cost a microsecond.
    let hashes = row_hashes(rows.slots.iter().filter(|it| names.contains(&it.name)), keys, n);
    let mut seen: HashMap<i64, i64> = HashMap::new();
    for &row in kept {
        let before = seen.entry(hashes[row as usize]).or_default();
        behind[row as usize] = *before;
        *before += 1;
    }
    behind
}

/// When the rows of a first load would have become known: `usual_delay` after they occurred; a standing fact was known
/// from `always` on.
///
/// Every version of a state has the instant of the first: a leave was known when it was approved, also where the only
/// export that names it already tells the return. Who reads such a column asks whether its time had come.
fn assumed_known_at(door: &Door<'_>, rows: &Rows<'_>, always: i64) -> Vec<i64> {
    let delay = door.pipeline.contract.usual_delay.micros();
    let mut known: Vec<i64> = rows.occurred_at.values.iter().map(|it| it + delay).collect();
    for &row in &rows.occurred_at.empty {
        known[row as usize] = always;
    }
    known
}

/// Ranks of the students by key, from 1; a row without a student has 0.
fn ranks(rows: &Rows<'_>, keys: &Keys) -> Option<Vec<u32>> {
    let is_student = |slot: &Slot| slot.lake_name.as_deref() == Some("student_key");
    let Some((_, numbers)) = person_slots(rows).find(|(slot, _)| is_student(slot)) else {
        // The platform's own facts name the student by the key itself.
        let Values::Whole(own, _) = &rows.slots.iter().find(|it| is_student(it))?.values else { return None };
        let mut by_key: Vec<i64> = own.values.clone();
        by_key.sort_unstable();
        by_key.dedup();
        let mut ranks: Vec<u32> =
            own.values.iter().map(|it| by_key.binary_search(it).map_or(0, |rank| rank as u32 + 1)).collect();
        for &row in &own.empty {
            ranks[row as usize] = 0;
        }
        return Some(ranks);
    };
    let keys = &keys[numbers.people_at];
    let mut by_key: Vec<usize> = (0..keys.len()).collect();
    by_key.sort_unstable_by_key(|it| keys[*it]);
    let mut rank = vec![0_u32; keys.len()];
    let mut next = 0;
    for (at, number) in by_key.iter().enumerate() {
        // Two numbers of one person (an alias) share key and rank.
        if at == 0 || keys[by_key[at - 1]] != keys[*number] {
            next += 1;
        }
        rank[*number] = next;
    }
    Some(numbers.ids.iter().map(|it| if *it == EMPTY { 0 } else { rank[*it as usize] }).collect())
}

/// The values of a column as an array, in order.
fn array(slot: &Slot, keys: &Keys, order: &[u32], file: &FileInput<'_>) -> Result<ArrayRef, Error> {
    Ok(match &slot.values {
        Values::Text(texts) => Arc::new(text_array(texts, order, file)?),
        Values::Person(numbers) => {
            let keys = &keys[numbers.people_at];
            let key = |row: &u32| match numbers.ids[*row as usize] {
                EMPTY => None,
                id => keys[id as usize],
            };
            Arc::new(order.iter().map(key).collect::<Int64Array>())
        }
        Values::Whole(values, _) => {
            let nulls = empty(values, values.values.len(), order);
            Arc::new(Int64Array::new(gather(&values.values, order).into(), nulls))
        }
        Values::Instant(values, _) => instants_array(gather(&values.values, order), empty(values, values.values.len(), order)),
        Values::Float(values) => {
            let nulls = empty(values, values.values.len(), order);
            Arc::new(Float64Array::new(gather(&values.values, order).into(), nulls))
        }
        Values::Truth(values) => {
            let nulls = empty(values, values.values.len(), order);
            Arc::new(BooleanArray::new(gather(&values.values, order).into(), nulls))
        }
        Values::Date(values, _) => {
            let nulls = empty(values, values.values.len(), order);
            Arc::new(Date32Array::new(gather(&values.values, order).into(), nulls))
        }
    })
}

fn instants_array(values: Vec<i64>, nulls: Option<NullBuffer>) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::new(values.into(), nulls).with_timezone("UTC"))
}

fn text_array(texts: &Texts, order: &[u32], file: &FileInput<'_>) -> Result<StringArray, Error> {
    let length = |row: &u32| texts.get(*row as usize).map_or(0, <[u8]>::len);
    let total: usize = order.iter().map(length).sum();
    // Offsets of Utf8 are 32 bits wide.
    if i32::try_from(total).is_err() {
        let file = file.display.to_owned();
        return Err(Error::TooLarge { file, limit: i32::MAX as u64, unit: "bytes of text in one column" });
    }
    let mut values = Vec::with_capacity(total);
    let mut offsets = Vec::with_capacity(order.len() + 1);
    let mut has_empty = false;
    offsets.push(0);
    for row in order {
        match texts.get(*row as usize) {
            Some(text) => values.extend_from_slice(text),
            None => has_empty = true,
        }
        offsets.push(values.len() as i32);
    }
    let nulls = has_empty.then(|| order.iter().map(|it| texts.ids[*it as usize] != EMPTY).collect());
    let offsets = OffsetBuffer::new(offsets.into());
    Ok(StringArray::try_new(offsets, Buffer::from_vec(values), nulls).expect("words are UTF-8"))
}

fn gather<T: Copy>(values: &[T], order: &[u32]) -> Vec<T> {
    order.iter().map(|it| values[*it as usize]).collect()
}

/// Which of the ordered rows are empty, if any is.
fn empty<T>(values: &Sparse<T>, n: usize, order: &[u32]) -> Option<NullBuffer> {
    if values.empty.is_empty() {
        return None;
    }
    let mut is_valid = vec![true; n];
    for &row in &values.empty {
        is_valid[row as usize] = false;
    }
    Some(order.iter().map(|it| is_valid[*it as usize]).collect())
}
