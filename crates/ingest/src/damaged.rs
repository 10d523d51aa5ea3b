//! Readers of other libraries panic over damaged files, where they believe a length or a place that leads nowhere. Whoever
//! sends such a file must get an answer, and whoever sends the next one a door that still stands.

use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Asks a reader; that it panicked is its answer. The reader must not be asked again.
pub(crate) fn ask<T, E: Error + Send + Sync + 'static>(
    reader: impl FnOnce() -> Result<T, E>,
) -> Result<T, Box<dyn Error + Send + Sync>> {
    match catch_unwind(AssertUnwindSafe(reader)) {
        Ok(answer) => answer.map_err(Into::into),
        Err(_) => Err("a length or a place in it is not that of a whole file".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_answer() {
        let lengths: Vec<usize> = Vec::new();
        assert!(ask(|| Ok::<_, std::fmt::Error>(lengths[7])).is_err());
        assert_eq!(ask(|| Ok::<_, std::fmt::Error>(7)).expect("an answer"), 7);
    }
}
