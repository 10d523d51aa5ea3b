//! TOML in, a struct or a sentence with line and column out.

use std::path::Path;

use serde::de::DeserializeOwned;

use crate::Error;

/// Reads TOML into a struct that refuses unknown keys, and suggests the key that was meant.
///
/// # Errors
/// With file, line and column, the offending line, and the nearest known key.
pub fn parse_toml<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, Error> {
    toml::from_str(text).map_err(|error| {
        let mut message = error.message().to_owned();
        if let Some(hint) = unknown_key_hint(&message) {
            message = format!("{message}; did you mean `{hint}`?");
        }
        if let Some(span) = error.span() {
            let before = &text[..span.start.min(text.len())];
            let line = before.matches('\n').count() + 1;
            let column = before.chars().rev().take_while(|it| *it != '\n').count() + 1;
            message = format!("line {line}, column {column}: {message}");
        }
        Error::Toml { path: path.to_owned(), message }
    })
}

/// The known word nearest to a misspelt one, if any is near enough to be meant.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|it| (strsim::damerau_levenshtein(word, it), it))
        .filter(|(distance, it)| *distance <= 1 + it.len() / 4)
        .min()
        .map(|(_, it)| it)
}

/// Serde names the unknown key and the known ones; this picks the nearest.
fn unknown_key_hint(message: &str) -> Option<String> {
    let rest = message.strip_prefix("unknown field `")?;
    let (key, expected) = rest.split_once('`')?;
    nearest(key, expected.split('`').skip(1).step_by(2)).map(str::to_owned)
}
