//! Matches the names of a file's columns with those of the contract.

use std::borrow::Cow;
use std::collections::HashMap;

use schema::{Column, Pipeline};

use crate::column::Slot;
use crate::{Error, Quoted};

/// For every declared column its place in the file; `None` for an optional one that the file lacks.
///
/// # Errors
/// If a name comes twice, is not declared, or is missing.
pub(crate) fn bind(pipeline: &Pipeline, heads: &[String], file: &str) -> Result<Vec<Option<usize>>, Error> {
    let name = || file.to_owned();
    let declared: Vec<&str> = pipeline.columns.iter().map(|(name, it)| it.head.as_deref().unwrap_or(name)).collect();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for (at, head) in heads.iter().enumerate() {
        if let Some(first) = places.insert(head, at)
            && !head.is_empty()
        {
            return Err(Error::DuplicateHead { file: name(), head: head.clone(), first: first + 1, second: at + 1 });
        }
    }
    for (at, head) in heads.iter().enumerate() {
        if !declared.contains(&head.as_str()) {
            // What the file has already cannot be what was meant.
            let free = declared.iter().copied().filter(|it| !places.contains_key(it));
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
    let place = |(head, (_, column)): (&&str, &(String, Column))| match places.get(head) {
        Some(at) => Ok(Some(*at)),
        None if column.optional => Ok(None),
        None => Err(Error::MissingColumn {
            file: name(),
            pipeline: pipeline.name().to_owned(),
            head: (*head).to_owned(),
            heads: Quoted(heads.to_vec()),
        }),
    };
    declared.iter().zip(&pipeline.columns).map(place).collect()
}

/// Refuses a file that is said to have no head, but whose first row holds nothing but names of declared columns.
///
/// `row` gives its fields, `None` for one that is no text; `line` is where it stands.
///
/// # Errors
/// If it is a head.
pub(crate) fn refuse<'a>(
    pipeline: &Pipeline,
    row: impl IntoIterator<Item = Option<Cow<'a, str>>>,
    line: u64,
    file: &str,
) -> Result<(), Error> {
    let mut fields = row.into_iter().peekable();
    let has_fields = fields.peek().is_some();
    if has_fields && fields.all(|it| it.is_some_and(|it| pipeline.column(it.trim()).is_some())) {
        return Err(Error::HeadDespiteHeadless { file: file.to_owned(), line });
    }
    Ok(())
}

/// Lets columns that the file lacks be empty.
pub(crate) fn excuse(slots: &mut [Slot], places: &[Option<usize>]) {
    for (slot, place) in slots.iter_mut().zip(places) {
        slot.is_required &= place.is_some();
    }
}
