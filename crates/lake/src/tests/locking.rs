//! One writer a lake.

use super::*;
use crate::Error;
use schema::Blame;

#[tokio::test]
async fn a_second_writer_is_refused_and_told_who_holds_the_lake() {
    let (folder, lake) = lake().await;
    let refused = Lake::open(config(folder.path())).await.expect_err("held");
    let Error::Locked { root, holder } = &refused else { panic!("{refused:?}") };
    assert_eq!(root, lake.root());
    assert!(holder.starts_with(&format!("process {} (", std::process::id())), "{holder}");
    assert_eq!(refused.blame(), Blame::World);
    drop(lake);
    Lake::open(config(folder.path())).await.expect("free again");
}

#[tokio::test]
async fn a_clone_keeps_the_lock_until_it_goes() {
    let (folder, lake) = lake().await;
    let clone = lake.clone();
    drop(lake);
    assert!(Lake::open(config(folder.path())).await.is_err());
    drop(clone);
    assert!(Lake::open(config(folder.path())).await.is_ok());
}

#[tokio::test]
async fn a_reader_needs_no_lock_and_follows_the_writer() {
    let (folder, lake) = lake().await;
    let reader = Lake::open_read(config(folder.path())).await.unwrap();
    assert!(reader.snapshot(&spec().name).await.unwrap().is_none());
    for position in 0..3 {
        append(&lake, MONDAY, position..position + 1, position).await;
        assert_eq!(students(&pinned(&reader).await), (0..=position).collect::<Vec<_>>());
    }
    assert_eq!(reader.position(&spec().name, APP).await.unwrap(), Some(2));
    lake.drop_table(&spec().name).await.unwrap();
    assert!(reader.snapshot(&spec().name).await.unwrap().is_none(), "a dropped table is gone for it too");
}

#[tokio::test]
async fn a_reader_cannot_write() {
    let (folder, lake) = lake().await;
    append(&lake, MONDAY, 0..3, 1).await;
    let reader = Lake::open_read(config(folder.path())).await.unwrap();
    let refusals = [
        reader.writer(&spec()).write(Some(MONDAY), &[rows(0..1)]).map(drop),
        reader.append(&spec(), vec![], at(2)).await.map(drop),
        reader.replace(&spec(), Replace::All, vec![], plain(), None).await.map(drop),
        reader.upkeep(&spec().name, crate::Upkeep::default()).await.map(drop),
        reader.drop_table(&spec().name).await,
        reader.remember_project("campus"),
    ];
    for refused in refusals {
        assert!(matches!(refused, Err(Error::ReadOnly { .. })), "{refused:?}");
    }
    assert_eq!(pinned(&lake).await.rows(), 3);
}

#[tokio::test]
async fn a_newer_lake_is_refused_for_writing_and_reading() {
    let (folder, lake) = lake().await;
    drop(lake);
    std::fs::write(folder.path().join("lake.json"), r#"{"format":2,"shape":"unheard of"}"#).unwrap();
    for refused in [Lake::open(config(folder.path())).await, Lake::open_read(config(folder.path())).await] {
        assert!(matches!(refused, Err(Error::NewerFormat { found: 2, known: 1, .. })), "{refused:?}");
    }
}

#[tokio::test]
async fn a_folder_without_a_lake_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    for root in [folder.path().to_owned(), folder.path().join("nowhere")] {
        let refused = Lake::open_read(config(&root)).await;
        assert!(matches!(refused, Err(Error::NotALake { .. })), "{refused:?}");
        assert!(!root.join("lake.json").exists());
    }
}

#[tokio::test]
async fn a_lake_remembers_its_project() {
    let (folder, lake) = lake().await;
    assert_eq!(lake.project(), None);
    lake.remember_project("/srv/campus").unwrap();
    drop(lake);
    let lake = Lake::open(config(folder.path())).await.unwrap();
    assert_eq!(lake.project().as_deref(), Some("/srv/campus"));
    let reader = Lake::open_read(config(folder.path())).await.unwrap();
    assert_eq!(reader.project().as_deref(), Some("/srv/campus"));
}

#[tokio::test]
async fn a_lake_may_lie_under_any_name() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("驿站 data #1 100%");
    let lake = Lake::open(config(&root)).await.unwrap();
    append(&lake, MONDAY, 0..3, 1).await;
    append(&lake, MONDAY, 3..6, 2).await;
    drop(lake);
    let lake = Lake::open(config(&root)).await.unwrap();
    assert_eq!(students(&pinned(&lake).await), (0..6).collect::<Vec<_>>());
}
