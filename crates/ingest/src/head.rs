//! Matches the names of a file's columns with those of the contract.

use std::collections::HashMap;

use schema::Pipeline;

use crate::column::Slot;
use crate::{Error, FileInput, Quoted};

/// For every declared column its place in the file; `None` for an optional one that the file lacks.
///
/// # Errors
/// If a name comes twice, is not declared, or is missing.
pub(crate) fn bind(
    pipeline: &Pipeline,
    slots: &[Slot],
    heads: &[String],
    file: &FileInput<'_>,
) -> Result<Vec<Option<usize>>, Error> {
    let name = || file.display.to_owned();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for (at, head) in heads.iter().enumerate() {
        if let Some(first) = places.insert(head, at)
            && !head.is_empty()
        {
            return Err(Error::DuplicateHead { file: name(), head: head.clone(), first: first + 1, second: at + 1 });
        }
    }
    for (at, head) in heads.iter().enumerate() {
        if !slots.iter().any(|it| it.head == *head) {
            // What the file has already cannot be what was meant.
            let free = slots.iter().map(|it| it.head.as_str()).filter(|it| !places.contains_key(it));
            let remedy = match schema::nearest(head, free) {
                Some(near) => format!("if it is \"{near}\" by a new name, correct its head, else declare it"),
                None if head.is_empty() => "give it a name in the export, or remove it".to_owned(),
                None => "declare it, or leave it out of the export".to_owned(),
            };
            return Err(Error::UndeclaredColumn {
                file: name(),
                pipeline: pipeline.name().to_owned(),
                position: at + 1,
                head: head.clone(),
                remedy,
            });
        }
    }
    let place = |slot: &Slot| match places.get(slot.head.as_str()) {
        Some(at) => Ok(Some(*at)),
        None if pipeline.column(&slot.name).is_some_and(|it| it.optional) => Ok(None),
        None => Err(Error::MissingColumn {
            file: name(),
            pipeline: pipeline.name().to_owned(),
            head: slot.head.clone(),
            heads: Quoted(heads.to_vec()),
        }),
    };
    slots.iter().map(place).collect()
}

/// Lets columns that the file lacks be empty.
pub(crate) fn excuse(slots: &mut [Slot], places: &[Option<usize>]) {
    for (slot, place) in slots.iter_mut().zip(places) {
        slot.is_required &= place.is_some();
    }
}
