//! What is said of the past.

use std::collections::BTreeSet;

use super::*;
use crate::{Changes, Error, Upkeep};

fn complete(days: impl IntoIterator<Item = i32>) -> Changes {
    Changes { partitions: days.into_iter().map(Some).collect(), is_complete: true }
}

fn incomplete() -> Changes {
    Changes { partitions: BTreeSet::new(), is_complete: false }
}

#[tokio::test]
async fn changes_are_the_partitions_that_gained_or_lost_rows_between_two_versions() {
    let (_folder, lake) = lake().await;
    append(&lake, MONDAY, 0..1, 1).await;
    append(&lake, MONDAY + 1, 1..2, 2).await;
    append(&lake, MONDAY + 2, 2..3, 3).await;
    lake.replace(&spec(), Replace::Partitions(vec![MONDAY + 1]), vec![], plain(), None).await.unwrap();
    let table = spec().name;
    for (from, to, days) in [
        (-1, 3, vec![MONDAY, MONDAY + 1, MONDAY + 2]),
        (0, 1, vec![MONDAY + 1]),
        (1, 2, vec![MONDAY + 2]),
        (2, 3, vec![MONDAY + 1]),
        (3, 3, vec![]),
    ] {
        assert_eq!(lake.changes(&table, from, to).await.unwrap(), complete(days), "{from} to {to}");
    }
}

#[tokio::test]
async fn compaction_dirties_nothing() {
    let (_folder, lake) = lake().await;
    for position in 0..4 {
        append(&lake, MONDAY, position..position + 1, position).await;
    }
    let report = lake.upkeep(&spec().name, Upkeep { small_files_max: 1, ..Upkeep::default() }).await.unwrap();
    assert_eq!((report.partitions_compacted, report.files_compacted), (1, 4));
    assert_eq!(lake.changes(&spec().name, 3, 4).await.unwrap(), complete([]));
    assert_eq!(lake.changes(&spec().name, 2, 4).await.unwrap(), complete([MONDAY]));
}

#[tokio::test]
async fn a_commit_that_changes_no_data_dirties_nothing() {
    let (_folder, lake) = lake().await;
    append(&lake, MONDAY, 0..4, 1).await;
    let same = stage(&lake, &spec(), MONDAY, 0..4);
    let commit = Commit { data_change: false, ..plain() };
    lake.replace(&spec(), Replace::All, vec![same], commit, None).await.unwrap();
    assert_eq!(lake.changes(&spec().name, 0, 1).await.unwrap(), complete([]));
}

#[tokio::test]
async fn lost_are_the_days_of_which_rows_left_and_no_others() {
    let (_folder, lake) = lake().await;
    let table = spec().name;
    assert_eq!(lake.lost(&table).await.unwrap(), BTreeSet::new(), "a table that is not there lost nothing");
    append(&lake, MONDAY, 0..4, 1).await;
    append(&lake, MONDAY + 1, 4..6, 2).await;
    let same = stage(&lake, &spec(), MONDAY, 0..4);
    let commit = Commit { data_change: false, ..plain() };
    lake.replace(&spec(), Replace::Partitions(vec![MONDAY]), vec![same], commit, None).await.unwrap();
    assert_eq!(lake.lost(&table).await.unwrap(), BTreeSet::new(), "the same rows in another file");
    lake.replace(&spec(), Replace::Partitions(vec![MONDAY + 1]), vec![], plain(), None).await.unwrap();
    append(&lake, MONDAY + 2, 6..7, 3).await;
    assert_eq!(lake.lost(&table).await.unwrap(), BTreeSet::from([MONDAY + 1]));
}

#[tokio::test]
async fn changes_of_a_table_without_partitions_have_no_day() {
    let (_folder, lake) = lake().await;
    let spec = TableSpec { partition_by: None, schema: rows(0..0).schema(), ..spec() };
    let file = lake.writer(&spec).write(None, &[rows(0..3)]).unwrap();
    lake.append(&spec, vec![file], plain()).await.unwrap();
    let expected = Changes { partitions: BTreeSet::from([None]), is_complete: true };
    assert_eq!(lake.changes(&spec.name, -1, 0).await.unwrap(), expected);
}

#[tokio::test]
async fn history_that_is_missing_or_never_was_is_called_incomplete() {
    let (_folder, lake) = lake().await;
    for position in 0..3 {
        append(&lake, MONDAY, position..position + 1, position).await;
    }
    let table = spec().name;
    assert_eq!(lake.changes(&table, 0, 3).await.unwrap(), incomplete(), "a version the table does not have");
    assert_eq!(lake.changes(&table, 2, 1).await.unwrap(), incomplete(), "backwards");
    std::fs::remove_file(lake.root().join(&table).join("_delta_log/00000000000000000001.json")).unwrap();
    assert_eq!(lake.changes(&table, 0, 2).await.unwrap(), incomplete());
    assert_eq!(lake.changes(&table, 1, 2).await.unwrap(), complete([MONDAY]));
    let gone = lake.commit_info(&table, 1).await;
    assert!(matches!(gone, Err(Error::NoVersion { version: 1, .. })), "{gone:?}");
    let never = lake.changes("raw_nothing", 0, 1).await;
    assert!(matches!(never, Err(Error::NoTable { .. })), "{never:?}");
}

#[tokio::test]
async fn the_commit_of_a_snapshot_is_the_newest_one_of_ours() {
    let (_folder, lake) = lake().await;
    for position in 0..4 {
        append(&lake, MONDAY, position..position + 1, position).await;
    }
    lake.upkeep(&spec().name, Upkeep { small_files_max: 1, ..Upkeep::default() }).await.unwrap();
    // Somebody else's entry, as a vacuum of another tool leaves one.
    let entry = lake.root().join("raw_gate_event/_delta_log/00000000000000000005.json");
    std::fs::write(entry, r#"{"commitInfo":{"operation":"VACUUM START"}}"#).unwrap();
    for lake in [lake.clone(), Lake::open_read(config(lake.root())).await.unwrap()] {
        let snapshot = pinned(&lake).await;
        assert_eq!(snapshot.version, 5);
        assert_eq!(snapshot.commit, at(3));
    }
    assert_eq!(lake.commit_info(&spec().name, 4).await.unwrap(), at(3).info, "compaction carries it on");
}
