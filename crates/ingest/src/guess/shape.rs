//! What the rows of a table seem to be: happenings or standing facts, what tells them apart, and when they happened.

use std::collections::BTreeSet;

use schema::{Class, ColumnType, EpochUnit, Shape};

use super::look::Row;
use super::names::{self, Sense};
use super::{ColumnGuess, Guessed};
use crate::plain::Plain as Value;
use crate::said::Said;

/// Shape, key and time of a table.
pub(super) struct Told {
    pub(super) shape: Guessed<Shape>,
    pub(super) key: Guessed<Vec<String>>,
    pub(super) occurred_at: Guessed<Option<String>>,
    pub(super) occurred_as: Option<EpochUnit>,
}

pub(super) fn told(columns: &[ColumnGuess], rows: &[&Row]) -> Told {
    let moment = moment(columns);
    let is_one_a_person = columns.iter().any(|it| it.person.value.is_some() && it.is_unique && 2 < rows.len());
    let has_span = columns.iter().filter(|it| is_moment(it)).count() > 1
        && columns.iter().any(|it| ["ends_at", "ends_on", "returned_at", "returned_on"].contains(&it.name.value.as_str()));
    let (shape, occurred_at, occurred_as) = match moment {
        Some(it) if is_one_a_person && it.is_day => (
            Guessed::new(
                Shape::State,
                0.75,
                Said::new("每人只有一行，像名册", "there is one row a person: it looks like a register"),
            ),
            None,
            None,
        ),
        Some(it) if has_span => (
            Guessed::new(
                Shape::State,
                0.65,
                Said::new("有开始和结束，行以后还会变", "rows begin and end, so that they change later"),
            ),
            Some(it.column),
            it.unit,
        ),
        Some(it) => (
            Guessed::new(
                Shape::Event,
                if it.is_day || is_one_a_person { 0.7 } else { 0.85 },
                Said::new("每行都有发生时间，像流水", "every row says when it happened"),
            ),
            Some(it.column),
            it.unit,
        ),
        None => (
            Guessed::new(
                Shape::State,
                0.75,
                Said::new("没有每行都填的发生时间，像登记表", "no column says when each row happened: a register"),
            ),
            None,
            None,
        ),
    };
    let occurred_at = match occurred_at {
        Some(at) => {
            let column = &columns[at];
            let named = if column.head.is_empty() { &column.name.value } else { &column.head };
            Guessed::new(
                Some(column.name.value.clone()),
                if names::known(&column.head).is_some() { 0.9 } else { 0.7 },
                Said::new(format!("“{named}”每行都有，且是时间"), format!("\"{named}\" is a time in every row")),
            )
        }
        None => Guessed::new(None, 0.8, Said::new("不需要发生时间", "no time is needed")),
    };
    let key = key(columns, rows, occurred_at.value.as_deref());
    Told { shape, key, occurred_at, occurred_as }
}

struct Moment {
    column: usize,
    is_day: bool,
    unit: Option<EpochUnit>,
}

fn is_moment(column: &ColumnGuess) -> bool {
    matches!(column.type_.value, ColumnType::Timestamp | ColumnType::Date)
}

/// Whether every row has a value, or is refused without.
fn is_there(column: &ColumnGuess) -> bool {
    column.empty_n == 0 || column.required.value
}

fn sense(column: &ColumnGuess) -> Option<Sense> {
    names::known(&column.head).map(|it| it.sense).or_else(|| names::hinted(&column.head))
}

/// The column that says best when a row happened.
fn moment(columns: &[ColumnGuess]) -> Option<Moment> {
    let mut best: Option<(u32, Moment)> = None;
    for (column, it) in columns.iter().enumerate() {
        let unit = epoch_unit(it);
        let is_day = it.type_.value == ColumnType::Date;
        if !(is_moment(it) || unit.is_some())
            || !is_there(it)
            || it.class.value == Class::Closed
            || it.class.value == Class::Identity
        {
            continue;
        }
        let mut score = match sense(it) {
            Some(Sense::When) => 4,
            None if it.head.is_empty() || unit.is_some() => 3,
            None => 2,
            Some(Sense::Until) => continue,
            Some(_) => 1,
        };
        score += if is_day { 0 } else { 2 };
        if best.as_ref().is_none_or(|it| it.0 < score) {
            best = Some((score, Moment { column, is_day, unit }));
        }
    }
    best.map(|it| it.1)
}

/// Whole numbers of believable seconds or milliseconds under the name of a time.
fn epoch_unit(column: &ColumnGuess) -> Option<EpochUnit> {
    if column.type_.value != ColumnType::Int64 || !matches!(sense(column), Some(Sense::When)) {
        return None;
    }
    let numbers: Vec<i64> = column.examples.iter().filter_map(|it| it.parse().ok()).collect();
    let within = |low: i64, high: i64| !numbers.is_empty() && numbers.iter().all(|it| (low..high).contains(it));
    if within(1_000_000_000_000, 4_102_444_800_000) {
        return Some(EpochUnit::EpochMs);
    }
    within(1_000_000_000, 4_102_444_800).then_some(EpochUnit::EpochS)
}

/// Columns that tell one row from another.
fn key(columns: &[ColumnGuess], rows: &[&Row], occurred_at: Option<&str>) -> Guessed<Vec<String>> {
    let may = |it: &ColumnGuess| is_there(it) && (it.class.value != Class::Identity || it.person.value.is_some());
    let sure = |confidence: f64| if rows.len() < 5 { confidence.min(0.5) } else { confidence };
    let named = |it: &ColumnGuess| if it.head.is_empty() { it.name.value.clone() } else { it.head.clone() };
    let numbers = columns.iter().filter(|it| may(it) && it.is_unique && sense(it) == Some(Sense::Number));
    let persons = columns.iter().filter(|it| may(it) && it.is_unique && it.person.value.is_some() && occurred_at.is_none());
    let places = columns.iter().filter(|it| {
        may(it)
            && it.is_unique
            && occurred_at.is_none()
            && matches!(
                it.name.value.as_str(),
                "building_id" | "room_id" | "device_id" | "unit_id" | "class_id" | "college_id" | "major_id"
            )
    });
    if let Some(it) = numbers.chain(persons).chain(places).next() {
        let name = named(it);
        let reason = Said::new(format!("“{name}”没有空值也不重复"), format!("\"{name}\" is never empty and never the same"));
        return Guessed::new(vec![it.name.value.clone()], sure(0.85), reason);
    }
    // A person and a time, or a person and a number: the usual key of events without one.
    let at = |wanted: &dyn Fn(&ColumnGuess) -> bool| columns.iter().position(|it| may(it) && wanted(it));
    let person = at(&|it| it.person.value.is_some());
    let others = [at(&|it| Some(it.name.value.as_str()) == occurred_at), at(&|it| sense(it) == Some(Sense::Number))];
    if let Some(person) = person {
        for other in others.into_iter().flatten() {
            let value = |row: &Row, at: usize| row.values.get(at).map(Value::text).unwrap_or_default();
            let pairs: BTreeSet<(String, String)> = rows.iter().map(|it| (value(it, person), value(it, other))).collect();
            if pairs.len() == rows.len() {
                let (one, two) = (&columns[person], &columns[other]);
                let reason = Said::new(
                    format!("“{}”与“{}”合在一起不重复", named(one), named(two)),
                    format!("\"{}\" and \"{}\" together are never the same", named(one), named(two)),
                );
                return Guessed::new(vec![one.name.value.clone(), two.name.value.clone()], sure(0.7), reason);
            }
        }
    }
    Guessed::new(Vec::new(), 0.6, Said::new("没有不重复的编号，以整行为准", "no column tells rows apart: the whole row does"))
}
