//! Positions of sources that can be read again: they are in the log with their rows, then in the commit of the table.

use std::collections::BTreeMap;

use lake::{Commit, StagedFile, TableSpec};
use wal::Kept;

use super::parcel::Reached;
use super::{LOG_APP, Note};
use crate::house::House;

/// How far a source was read: what the log has, or the table.
///
/// The log is looked at first. What is committed in between is then in the table.
pub(super) async fn reached(house: &House, table: &str, source: &str) -> anyhow::Result<Option<Reached>> {
    let mut found: Option<Reached> = None;
    if let Some(log) = &house.log {
        for kept in log.tail() {
            found = Note::of(&kept.frame)?.reached.filter(|it| it.source == source).or(found);
        }
    }
    let Some(position) = house.lake.position(table, source).await? else { return Ok(found) };
    if found.as_ref().is_some_and(|it| position <= it.position) {
        return Ok(found);
    }
    let born_us = house.lake.position(table, &Reached::birth(source)).await?.unwrap_or_default();
    // It stands in every commit in which the position does, or in none.
    let at_us = house.lake.position(table, &Reached::instant(source)).await?;
    Ok(Some(Reached { source: source.to_owned(), position, born_us, at_us }))
}

/// What stands beside the position of the log in the commit of some frames: of each source its last position, its birth,
/// and the instant of its last message where that is known.
pub(super) fn beside<'a>(frames: impl Iterator<Item = &'a Kept>) -> anyhow::Result<Vec<(String, i64)>> {
    let mut found = BTreeMap::new();
    for kept in frames {
        if let Some(Reached { source, position, born_us, at_us }) = Note::of(&kept.frame)?.reached {
            found.insert(Reached::birth(&source), born_us);
            found.extend(at_us.map(|it| (Reached::instant(&source), it)));
            found.insert(source, position);
        }
    }
    Ok(found.into_iter().collect())
}

/// Commits rows with the position of the log, and those of their sources beside it.
pub(super) async fn append(
    house: &House,
    spec: &TableSpec,
    files: Vec<StagedFile>,
    (position, beside): (i64, &[(String, i64)]),
    info: BTreeMap<String, serde_json::Value>,
) -> anyhow::Result<()> {
    let commit = Commit { position: Some((LOG_APP.to_owned(), position)), info, data_change: true };
    house.lake.append_beside(spec, files, commit, beside).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_has_of_each_source_the_last_position_and_its_birth() {
        let kept = |position: i64, reached: Option<(&str, i64)>| {
            let at_us = |source: &str| (source == "n/a").then_some(100 * position);
            let reached = reached.map(|(source, position)| Reached {
                source: source.to_owned(),
                position,
                born_us: 7,
                at_us: at_us(source),
            });
            let note = Note {
                device_group: String::new(),
                key_hash: String::new(),
                body_hash: String::new(),
                at_us: 0,
                answer: String::new(),
                counts: [0; 5],
                days: Vec::new(),
                is_given: false,
                reached,
            };
            let note = serde_json::to_vec(&note).expect("a note");
            Kept { position, frame: wal::Frame { pipeline: "gate_event".to_owned(), note, batches: Vec::new() }, bytes: 0 }
        };
        let frames = [kept(1, Some(("n/a", 3))), kept(2, None), kept(3, Some(("n/b", 9))), kept(4, Some(("n/a", 5)))];
        let found = beside(frames.iter()).expect("notes");
        let expected = [("n/a", 5), ("n/a#at", 400), ("n/a#born", 7), ("n/b", 9), ("n/b#born", 7)];
        assert_eq!(found, expected.map(|it| (it.0.to_owned(), it.1)));
    }

    #[test]
    fn a_note_of_before_there_were_positions_is_read() {
        let text =
            r#"{"device_group":"g","key_hash":"","body_hash":"","at_us":1,"answer":"","counts":[0,0,0,0,0],"days":[null]}"#;
        let note: Note = serde_json::from_str(text).expect("a note");
        assert_eq!((note.reached.as_ref(), note.is_given), (None, false));
        assert_eq!(serde_json::to_string(&note).expect("text"), text);
        let text = r#"{"source":"n/a","position":3,"born_us":7}"#;
        let reached: Reached = serde_json::from_str(text).expect("a position");
        assert_eq!(reached.at_us, None);
        assert_eq!(serde_json::to_string(&reached).expect("text"), text);
    }
}
