//! What a run that was killed leaves behind, and what the next start makes of it.

use super::*;
use crate::Upkeep;

#[tokio::test]
async fn a_run_killed_between_write_and_commit_changes_nothing_and_its_files_are_swept() {
    let (_folder, lake) = lake().await;
    append(&lake, MONDAY, 0..10, 1).await;
    let live = parts_on_disk(&lake.root().join("raw_gate_event"));
    stage(&lake, &spec(), MONDAY, 10..20);
    stage(&lake, &spec(), MONDAY + 1, 20..30);
    stage(&lake, &TableSpec { name: "raw_card_txn".to_owned(), ..spec() }, MONDAY, 0..10);

    let copy = killed(&lake);
    assert_eq!(parts_on_disk(&copy.path().join("raw_gate_event")).len(), 3);
    let next = Lake::open(config(copy.path())).await.unwrap();
    assert_eq!(parts_on_disk(&copy.path().join("raw_gate_event")), live);
    assert_eq!(parts_on_disk(&copy.path().join("raw_card_txn")), Vec::<String>::new());
    assert_eq!(students(&pinned(&next).await), (0..10).collect::<Vec<_>>());
    assert!(next.snapshot("raw_card_txn").await.unwrap().is_none());
    assert_eq!(append(&next, MONDAY, 10..20, 2).await, 1, "the run goes on where it was cut");
}

#[tokio::test]
async fn a_sweep_spares_what_older_versions_still_name() {
    let (_folder, lake) = lake().await;
    append(&lake, MONDAY, 0..10, 1).await;
    append(&lake, MONDAY, 10..20, 2).await;
    lake.upkeep(&spec().name, Upkeep { small_files_max: 1, ..Upkeep::default() }).await.unwrap();
    let copy = killed(&lake);
    let next = Lake::open(config(copy.path())).await.unwrap();
    let old = next.snapshot_at(&spec().name, 1).await.unwrap().unwrap();
    assert_eq!(students(&old), (0..20).collect::<Vec<_>>());
    assert_eq!(sorted_students(&pinned(&next).await), (0..20).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_start_that_is_killed_before_it_has_swept_leaves_the_sweep_to_the_next() {
    let (_folder, lake) = lake().await;
    append(&lake, MONDAY, 0..10, 1).await;
    stage(&lake, &spec(), MONDAY, 10..20);
    let copy = killed(&lake);
    // Counts itself and writes its card, then is cut: what `open` does before it sweeps.
    let lock = crate::lock::Lock::take(copy.path()).unwrap();
    drop(lock);
    let next = Lake::open(config(copy.path())).await.unwrap();
    assert_eq!(parts_on_disk(&copy.path().join("raw_gate_event")).len(), 1);
    assert_eq!(pinned(&next).await.rows(), 10);
}

#[tokio::test]
async fn a_torn_log_entry_is_swept_and_never_read() {
    let (_folder, lake) = lake().await;
    append(&lake, MONDAY, 0..10, 1).await;
    let copy = killed(&lake);
    let torn = copy.path().join("raw_gate_event/_delta_log/00000000000000000001.json#1");
    std::fs::write(&torn, b"{\"add\":").unwrap();
    let next = Lake::open(config(copy.path())).await.unwrap();
    assert!(!torn.exists());
    assert_eq!(append(&next, MONDAY, 10..20, 2).await, 1);
}

#[tokio::test]
async fn names_of_files_never_come_twice() {
    let (folder, lake) = lake().await;
    let first = stage(&lake, &spec(), MONDAY, 0..10);
    drop(lake);
    let lake = Lake::open(config(folder.path())).await.unwrap();
    let second = stage(&lake, &spec(), MONDAY, 0..10);
    assert_ne!(first.path, second.path);
    drop(lake);
    // Not even if `lake.json` comes back from an older copy.
    std::fs::write(folder.path().join("lake.json"), r#"{"format":1,"project":null,"opened":0}"#).unwrap();
    let lake = Lake::open(config(folder.path())).await.unwrap();
    let third = stage(&lake, &spec(), MONDAY, 0..10);
    assert!(![first.path, second.path].contains(&third.path));
}
