//! Corrected rows in the place of refused ones: the file as its sender would have sent it.

use std::collections::BTreeSet;
use std::path::Path;

use ingest::{FileInput, Table, correction, delimited_text, table};
use schema::{Format, Pipeline};

use super::trial::Trial;
use super::{Ground, workbook};

/// The bytes of a file, unpacked, without the rows that a trial refused and with corrected rows behind the others.
///
/// # Errors
/// If either file cannot be read as what it should be.
pub(crate) fn mend(
    ground: &Ground,
    pipeline: &Pipeline,
    trial: &Trial,
    original: (&Path, &str),
    corrected: (&Path, &str),
) -> anyhow::Result<Vec<u8>> {
    let input = |(path, display)| FileInput { path, file_no: 1, display };
    let added = correction(&input(corrected), pipeline, ground.limits)?;
    let whole = table(&input(original), pipeline, ground.limits)?;
    let refused: BTreeSet<i64> = trial.refused.iter().map(|it| it.row_no).collect();
    let kept = whole.rows.into_iter().zip(1_i64..).filter(|(_, row_no)| !refused.contains(row_no)).map(|it| it.0);
    // The rows of a file stand in the order of its columns, which need not be the contract's.
    let places = places(pipeline, &whole.above);
    let added = added.into_iter().map(|row| match &places {
        Some(places) => places.iter().map(|at| row.get(*at).cloned().unwrap_or(ingest::Plain::Empty)).collect(),
        None => row,
    });
    let mended = Table { rows: kept.chain(added).collect(), above: whole.above };
    match pipeline.bytes_format() {
        Format::Xlsx => workbook::written_anew(&mended, pipeline.pipeline.source.sheet.as_deref()),
        _ => Ok(delimited_text(&mended, pipeline)),
    }
}

/// For every column of the file, which of the contract's it is.
fn places(pipeline: &Pipeline, above: &[(u32, Vec<ingest::Plain>)]) -> Option<Vec<usize>> {
    if pipeline.pipeline.source.headless {
        return None;
    }
    let own = super::trial::heads(pipeline);
    let (_, heads) = above.last()?;
    heads.iter().map(|head| own.iter().position(|it| *it == head.text())).collect()
}
