//! The register as the door and a crash meet it.

use super::{Counts, FileEntry, FileRegister, FileState, Numbered};
use crate::Error;
use crate::scene::Scene;

const TEN: Counts = Counts { rows_in: 10, rows_kept: 7, rows_quarantined: 1, rows_skipped: 1, rows_erased: 1 };

/// Asks for a number; content and path are given apart, size and age follow from the content.
async fn number(files: &FileRegister, path: &str, content: &str) -> Numbered {
    files.number("card_txn", path, content.len() as i64, 1_000, content).await.expect("the register answers")
}

#[track_caller]
fn new(numbered: Numbered) -> FileEntry {
    match numbered {
        Numbered::New(entry) => entry,
        Numbered::Again(entry) => panic!("taken before: {entry:?}"),
    }
}

#[track_caller]
fn again(numbered: Numbered) -> FileEntry {
    match numbered {
        Numbered::Again(entry) => entry,
        Numbered::New(entry) => panic!("not taken before: {entry:?}"),
    }
}

async fn take(files: &FileRegister, path: &str, content: &str) -> i64 {
    let entry = new(number(files, path, content).await);
    files.count("card_txn", entry.file_no, TEN).await.unwrap();
    files.land("card_txn", entry.file_no).await.unwrap();
    entry.file_no
}

async fn states(files: &FileRegister) -> Vec<(i64, FileState)> {
    files.list(Some("card_txn")).await.unwrap().iter().map(|it| (it.file_no, it.state)).collect()
}

#[tokio::test]
async fn numbers_count_from_one_within_a_pipeline() {
    let scene = Scene::new();
    let files = scene.open().await.files();

    assert_eq!(take(&files, "a.csv", "a").await, 1);
    assert_eq!(take(&files, "b.csv", "b").await, 2);
    let other = new(files.number("gate_event", "a.csv", 1, 1_000, "a").await.unwrap());

    assert_eq!(other.file_no, 1);
    assert_eq!(files.list(None).await.unwrap().len(), 3);
    assert_eq!(states(&files).await, [(1, FileState::Landed), (2, FileState::Landed)]);
}

#[tokio::test]
async fn the_same_content_is_taken_once_whatever_its_name() {
    let scene = Scene::new();
    let files = scene.open().await.files();
    take(&files, "a.csv", "a").await;

    let entry = again(number(&files, "copy of a.csv", "a").await);

    assert_eq!((entry.file_no, entry.path.as_str(), entry.counts), (1, "a.csv", TEN));
    let alias = files.known("card_txn", "copy of a.csv", 1, 1_000).await.unwrap().expect("the alias is kept");
    assert_eq!(alias, entry);
    assert_eq!(states(&files).await, [(1, FileState::Landed)]);
}

#[tokio::test]
async fn the_same_content_once_more_is_a_delivery_and_what_has_not_landed_is_none() {
    let scene = Scene::new();
    let files = scene.open().await.files();
    take(&files, "monday.csv", "a").await;
    again(files.number("card_txn", "tuesday.csv", 1, 9_000, "a").await.unwrap());
    new(number(&files, "wednesday.csv", "b").await);

    assert_eq!(files.deliveries("card_txn").await.unwrap(), [(1_000, 10), (9_000, 10)]);
    assert!(files.deliveries("gate_event").await.unwrap().is_empty());
}

#[tokio::test]
async fn only_an_unchanged_file_is_known() {
    let scene = Scene::new();
    let files = scene.open().await.files();
    take(&files, "a.csv", "a").await;

    assert_eq!(files.known("card_txn", "a.csv", 1, 1_000).await.unwrap().map(|it| it.file_no), Some(1));
    assert_eq!(files.known("card_txn", "a.csv", 2, 1_000).await.unwrap(), None);
    assert_eq!(files.known("card_txn", "a.csv", 1, 1_001).await.unwrap(), None);
    assert_eq!(files.known("card_txn", "b.csv", 1, 1_000).await.unwrap(), None);
    assert_eq!(files.known("gate_event", "a.csv", 1, 1_000).await.unwrap(), None);
}

#[tokio::test]
async fn a_file_that_grew_is_a_new_file() {
    let scene = Scene::new();
    let files = scene.open().await.files();
    take(&files, "a.csv", "a").await;

    assert_eq!(take(&files, "a.csv", "ab").await, 2);

    assert_eq!(files.known("card_txn", "a.csv", 2, 1_000).await.unwrap().map(|it| it.file_no), Some(2));
    assert_eq!(files.known("card_txn", "a.csv", 1, 1_000).await.unwrap(), None);
}

#[tokio::test]
async fn a_number_that_did_not_land_is_given_again_after_a_crash() {
    let scene = Scene::new();
    let store = scene.open().await;
    let before = new(number(&store.files(), "a.csv", "a").await);
    let after_kill = scene.as_after_kill();
    let store = after_kill.open().await;
    store.files().land("card_txn", 0).await.unwrap();

    let after = new(number(&store.files(), "a.csv", "a").await);

    assert_eq!((before.file_no, after), (1, before));
}

#[tokio::test]
async fn a_batch_that_was_cut_gets_the_same_numbers_again() {
    let scene = Scene::new();
    let store = scene.open().await;
    for name in ["a", "b", "c"] {
        let entry = new(number(&store.files(), name, name).await);
        store.files().count("card_txn", entry.file_no, TEN).await.unwrap();
    }
    let store = scene.reopen(store).await;
    let files = store.files();
    files.land("card_txn", 1).await.unwrap();

    assert_eq!(again(number(&files, "a", "a").await).file_no, 1);
    assert_eq!(new(number(&files, "b", "b").await).file_no, 2);
    assert_eq!(new(number(&files, "c", "c").await).file_no, 3);
}

#[tokio::test]
async fn a_crash_between_the_lakes_commit_and_ours_is_repaired_by_the_lakes_position() {
    let scene = Scene::new();
    let store = scene.open().await;
    let entry = new(number(&store.files(), "a.csv", "a").await);
    store.files().count("card_txn", entry.file_no, TEN).await.unwrap();
    let after_kill = scene.as_after_kill();
    let store = after_kill.open().await;
    let files = store.files();
    assert_eq!(files.totals("card_txn").await.unwrap(), Counts::default());

    files.land("card_txn", 1).await.unwrap();

    assert_eq!(again(number(&files, "a.csv", "a").await).counts, TEN);
    assert_eq!(files.totals("card_txn").await.unwrap(), TEN);
}

#[tokio::test]
async fn a_file_left_by_a_crash_is_not_taken_for_landed_when_a_later_one_lands() {
    let scene = Scene::new();
    let store = scene.open().await;
    let left = new(number(&store.files(), "left.csv", "left").await);
    store.files().count("card_txn", left.file_no, TEN).await.unwrap();
    let store = scene.reopen(store).await;
    let files = store.files();
    files.land("card_txn", 0).await.unwrap();

    let later = take(&files, "later.csv", "later").await;
    let retried = new(number(&files, "left.csv", "left").await);

    assert_eq!((left.file_no, later, retried.file_no), (1, 2, 3));
    let expected = [(1, FileState::Refused), (2, FileState::Landed), (3, FileState::Numbered)];
    assert_eq!(states(&files).await, expected);
    let why = files.refused_why("card_txn", 1).await.unwrap().expect("a reason");
    assert!(why.starts_with("overtaken"), "{why}");
}

#[tokio::test]
async fn a_file_that_others_pass_while_it_waits_gets_a_new_number() {
    let scene = Scene::new();
    let files = scene.open().await.files();
    new(number(&files, "slow.csv", "slow").await);
    let fast = new(number(&files, "fast.csv", "fast").await);
    assert_eq!(new(number(&files, "slow.csv", "slow").await).file_no, 1, "nothing is on its way yet");

    files.count("card_txn", fast.file_no, TEN).await.unwrap();

    assert_eq!(new(number(&files, "slow.csv", "slow").await).file_no, 3);
    let refused = files.count("card_txn", 1, TEN).await;
    assert!(matches!(refused, Err(Error::FileClosed { file_no: 1, .. })), "{refused:?}");
}

#[tokio::test]
async fn a_content_that_comes_again_in_a_batch_that_was_cut_keeps_its_number() {
    let scene = Scene::new();
    let store = scene.open().await;
    for (name, content) in [("sunday", "heads"), ("monday", "rows"), ("tuesday", "heads")] {
        new(number(&store.files(), name, content).await);
    }
    for file_no in [1, 2] {
        store.files().count("card_txn", file_no, TEN).await.unwrap();
    }
    let store = scene.reopen(store).await;
    let files = store.files();
    files.land("card_txn", 0).await.unwrap();

    assert_eq!(new(number(&files, "sunday", "heads").await).file_no, 1);
    assert_eq!(new(number(&files, "monday", "rows").await).file_no, 2);
    // What was counted before the crash is not on its way, so it has overtaken nothing.
    assert_eq!(new(number(&files, "tuesday", "heads").await).file_no, 1);
    for file_no in [1, 2] {
        files.count("card_txn", file_no, TEN).await.unwrap();
    }
    files.land("card_txn", 2).await.unwrap();
    assert_eq!(states(&files).await, [(1, FileState::Landed), (2, FileState::Landed)]);
}

#[tokio::test]
async fn a_file_without_counts_does_not_land() {
    let scene = Scene::new();
    let files = scene.open().await.files();
    new(number(&files, "a.csv", "a").await);
    let second = new(number(&files, "b.csv", "b").await);
    files.count("card_txn", second.file_no, TEN).await.unwrap();

    files.land("card_txn", 2).await.unwrap();
    files.land("card_txn", 1).await.unwrap();

    assert_eq!(states(&files).await, [(1, FileState::Refused), (2, FileState::Landed)]);
}

#[tokio::test]
async fn a_refused_file_gets_a_new_number_and_counts_for_nothing() {
    let scene = Scene::new();
    let files = scene.open().await.files();
    let entry = new(number(&files, "a.csv", "a").await);
    files.count("card_txn", entry.file_no, TEN).await.unwrap();
    files.refuse("card_txn", 1, "half of the rows are bad", 5).await.unwrap();

    let known = files.known("card_txn", "a.csv", 1, 1_000).await.unwrap().expect("it was seen");
    let retried = new(number(&files, "a.csv", "a").await);

    assert_eq!((known.state, retried.file_no, retried.counts), (FileState::Refused, 2, Counts::default()));
    assert_eq!(files.totals("card_txn").await.unwrap(), Counts::default());
    assert_eq!(files.refused_why("card_txn", 1).await.unwrap().as_deref(), Some("half of the rows are bad"));
    assert_eq!(files.refused_why("card_txn", 2).await.unwrap(), None);
    files.land("card_txn", 2).await.unwrap();
    assert_eq!(states(&files).await[0], (1, FileState::Refused), "landing revives nothing");
}

#[tokio::test]
async fn totals_are_the_sum_of_what_landed() {
    let scene = Scene::new();
    let files = scene.open().await.files();
    take(&files, "a.csv", "a").await;
    take(&files, "b.csv", "b").await;
    let open = new(number(&files, "c.csv", "c").await);
    files.count("card_txn", open.file_no, TEN).await.unwrap();

    let totals = files.totals("card_txn").await.unwrap();

    let expected = Counts { rows_in: 20, rows_kept: 14, rows_quarantined: 2, rows_skipped: 2, rows_erased: 2 };
    assert_eq!(totals, expected);
    assert_eq!(totals.rows_in, totals.rows_out());
}

#[tokio::test]
async fn counts_that_do_not_balance_are_refused() {
    let scene = Scene::new();
    let files = scene.open().await.files();
    new(number(&files, "a.csv", "a").await);

    let refused = files.count("card_txn", 1, Counts { rows_kept: 8, ..TEN }).await.expect_err("one too many");

    let text = "rows of file number 1 of pipeline \"card_txn\" do not balance: 10 in, 11 out";
    assert_eq!(refused.to_string(), text);
}

#[tokio::test]
async fn what_is_closed_or_unknown_cannot_be_counted_or_refused() {
    let scene = Scene::new();
    let files = scene.open().await.files();
    take(&files, "a.csv", "a").await;

    for refused in [files.count("card_txn", 1, TEN).await, files.refuse("card_txn", 1, "late", 5).await] {
        assert!(matches!(refused, Err(Error::FileClosed { file_no: 1, .. })), "{refused:?}");
    }
    for refused in [files.count("card_txn", 9, TEN).await, files.refuse("card_txn", 9, "late", 5).await] {
        assert!(matches!(refused, Err(Error::NoSuchFile { file_no: 9, .. })), "{refused:?}");
    }
}

#[tokio::test]
async fn two_tasks_never_share_a_number() {
    let scene = Scene::new();
    let store = scene.open().await;
    let tasks: Vec<_> = (0..20)
        .map(|it| {
            let files = store.files();
            tokio::spawn(async move { new(number(&files, &format!("{it}.csv"), &format!("content {it}")).await).file_no })
        })
        .collect();

    let mut given = Vec::new();
    for task in tasks {
        given.push(task.await.unwrap());
    }

    given.sort_unstable();
    assert_eq!(given, (1..=20).collect::<Vec<i64>>());
}

#[tokio::test]
async fn the_newest_number_tells_whether_a_source_is_refused_now() {
    let scene = Scene::new();
    let files = scene.open().await.files();
    assert_eq!(files.newest_refused("card_txn").await.unwrap(), None);
    let bad = new(number(&files, "a.csv", "bad").await);
    files.refuse("card_txn", bad.file_no, "a column nobody declared", 70).await.unwrap();
    let (entry, why, since_us) = files.newest_refused("card_txn").await.unwrap().expect("it was refused");
    assert_eq!((entry.path.as_str(), why.as_str(), since_us), ("a.csv", "a column nobody declared", Some(70)));
    // The next run finds the same file under another number: it is refused since the first one.
    let again = new(number(&files, "a.csv", "bad").await);
    files.refuse("card_txn", again.file_no, "a column nobody declared", 90).await.unwrap();
    let (entry, _, since_us) = files.newest_refused("card_txn").await.unwrap().expect("it is refused still");
    assert_eq!((entry.file_no, since_us), (again.file_no, Some(70)));
    assert_eq!(files.newest_refused("gate_event").await.unwrap(), None);
    take(&files, "a.csv", "mended").await;
    assert_eq!(files.newest_refused("card_txn").await.unwrap(), None);
}
