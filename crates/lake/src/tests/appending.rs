//! Appends: once and only once, whatever is repeated or raced.

use std::collections::BTreeMap;

use arrow::datatypes::{DataType, Field};
use deltalake::kernel::{Action, Transaction};
use deltalake::protocol::{DeltaOperation, SaveMode};

use super::*;
use crate::Error;
use crate::commit::Plan;

#[tokio::test]
async fn an_appended_file_is_read_back_with_its_rows_and_its_commit() {
    let (_folder, lake) = lake().await;
    assert!(lake.snapshot(&spec().name).await.unwrap().is_none());
    assert_eq!(append(&lake, MONDAY, 0..10, 7).await, 0);
    assert_eq!(append(&lake, MONDAY + 1, 10..15, 8).await, 1);

    let snapshot = pinned(&lake).await;
    assert_eq!(snapshot.version, 1);
    assert_eq!(snapshot.rows(), 15);
    assert_eq!(students(&snapshot), (0..15).collect::<Vec<_>>());
    assert_eq!(snapshot.files.iter().map(|it| it.partition).collect::<Vec<_>>(), [Some(MONDAY), Some(MONDAY + 1)]);
    assert!(snapshot.files[0].path.starts_with("occurred_on=2025-09-01/part-"), "{}", snapshot.files[0].path);
    assert_eq!(snapshot.schema.fields().len(), 4);
    assert_eq!(snapshot.partition_by.as_deref(), Some("occurred_on"));
    assert_eq!(snapshot.sort_by, ["student_key", "occurred_at"]);
    assert_eq!(snapshot.properties, BTreeMap::from([("owner".to_owned(), "logistics".to_owned())]));
    assert_eq!(snapshot.commit, at(8));
    assert_eq!(lake.commit_info(&spec().name, 0).await.unwrap(), at(7).info);
}

#[tokio::test]
async fn a_version_is_pinned_with_the_position_that_it_has() {
    let (_folder, lake) = lake().await;
    assert!(lake.snapshot_with_position(&spec().name, APP).await.unwrap().is_none());
    append(&lake, MONDAY, 0..10, 7).await;
    let (first, position) = lake.snapshot_with_position(&spec().name, APP).await.unwrap().unwrap();
    assert_eq!((first.version, position), (0, Some(7)));
    append(&lake, MONDAY, 10..20, 9).await;
    let (second, position) = lake.snapshot_with_position(&spec().name, APP).await.unwrap().unwrap();
    assert_eq!((second.version, position), (1, Some(9)));
    assert_eq!((first.rows(), second.rows()), (10, 20));
    assert_eq!(lake.snapshot_with_position(&spec().name, "another").await.unwrap().unwrap().1, None);
}

#[tokio::test]
async fn a_replayed_position_changes_nothing() {
    let (_folder, lake) = lake().await;
    append(&lake, MONDAY, 0..10, 7).await;
    append(&lake, MONDAY, 10..20, 9).await;
    for position in [7, 8, 9] {
        assert_eq!(append(&lake, MONDAY, 0..10, position).await, 1, "position {position}");
    }
    assert_eq!(pinned(&lake).await.rows(), 20);
    assert_eq!(lake.position(&spec().name, APP).await.unwrap(), Some(9));
    assert_eq!(lake.position(&spec().name, "gate/1").await.unwrap(), None);
}

#[tokio::test]
async fn positions_survive_the_process_and_its_checkpoints() {
    let (folder, lake) = lake().await;
    for position in 0..=52 {
        append(&lake, MONDAY, position..position + 1, position).await;
    }
    drop(lake);
    let lake = Lake::open(config(folder.path())).await.unwrap();
    assert!(folder.path().join("raw_gate_event/_delta_log/00000000000000000050.checkpoint.parquet").exists());
    assert_eq!(lake.position(&spec().name, APP).await.unwrap(), Some(52));
    assert_eq!(append(&lake, MONDAY, 0..10, 52).await, 52);
    let snapshot = pinned(&lake).await;
    assert_eq!(sorted_students(&snapshot), (0..=52).collect::<Vec<_>>());
    assert_eq!(snapshot.commit, at(52));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_tasks_with_the_same_rows_append_them_once() {
    let (_folder, lake) = lake().await;
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let lake = lake.clone();
            // Spawned, so it also holds that an append may move between threads.
            tokio::spawn(async move { append(&lake, MONDAY, 0..10, 1).await })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), 0);
    }
    assert_eq!(sorted_students(&pinned(&lake).await), (0..10).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_writer_that_planned_before_another_committed_plans_again_and_finds_its_position_taken() {
    let (_folder, lake) = lake().await;
    append(&lake, MONDAY, 0..10, 1).await;
    let slot = lake.slot(&spec().name).unwrap();
    let entry = slot.folder.join("_delta_log/00000000000000000001.json");
    let theirs = serde_json::to_string(&Action::Txn(Transaction::new(APP, 2))).unwrap();
    let mut n_plans = 0;
    let taken = at(2).position;
    let version = lake
        .commit(&slot, taken.as_ref(), |_| {
            n_plans += 1;
            // Another writer commits position 2 just after this one looked.
            std::fs::write(&entry, &theirs).unwrap();
            let operation = DeltaOperation::Write { mode: SaveMode::Append, partition_by: None, predicate: None };
            Ok(Some(Plan { actions: vec![], operation, commit: at(2), has_position: true, beside: vec![] }))
        })
        .await
        .unwrap();
    assert_eq!((n_plans, version), (1, 1));
    assert_eq!(std::fs::read_to_string(entry).unwrap(), theirs, "the winner's entry stays");
}

#[tokio::test]
async fn positions_of_the_sources_are_committed_with_the_one_that_decides() {
    let (folder, lake) = lake().await;
    let beside = |n: i64| [("nats/gates/north".to_owned(), n), ("nats/gates/south".to_owned(), 7)];
    for (position, n) in [(1, 20), (2, 25), (2, 99)] {
        let file = stage(&lake, &spec(), MONDAY, position * 10..position * 10 + 10);
        lake.append_beside(&spec(), vec![file], at(position), &beside(n)).await.unwrap();
    }
    drop(lake);
    let lake = Lake::open(config(folder.path())).await.unwrap();
    let table = &spec().name;
    assert_eq!(lake.position(table, APP).await.unwrap(), Some(2));
    assert_eq!(lake.position(table, "nats/gates/north").await.unwrap(), Some(25), "what is no news brings no position either");
    assert_eq!(lake.position(table, "nats/gates/south").await.unwrap(), Some(7));
}

#[tokio::test]
async fn a_position_without_rows_is_committed_all_the_same() {
    let (_folder, lake) = lake().await;
    let empty = stage(&lake, &spec(), MONDAY, 0..0);
    assert_eq!(lake.append(&spec(), vec![empty], at(3)).await.unwrap(), 0);
    let snapshot = pinned(&lake).await;
    assert!(snapshot.files.is_empty(), "a file without rows is never committed");
    assert_eq!(lake.position(&spec().name, APP).await.unwrap(), Some(3));
}

#[tokio::test]
async fn the_same_files_without_a_position_are_not_added_twice() {
    let (_folder, lake) = lake().await;
    let file = stage(&lake, &spec(), MONDAY, 0..10);
    assert_eq!(lake.append(&spec(), vec![file.clone()], plain()).await.unwrap(), 0);
    assert_eq!(lake.append(&spec(), vec![file.clone()], plain()).await.unwrap(), 0);
    let other = stage(&lake, &spec(), MONDAY, 10..20);
    let half_known = lake.append(&spec(), vec![file, other], plain()).await;
    assert!(matches!(half_known, Err(Error::BadFile { .. })), "{half_known:?}");
    assert_eq!(pinned(&lake).await.rows(), 10);
}

#[tokio::test]
async fn a_file_that_is_not_there_whole_is_refused() {
    let (_folder, lake) = lake().await;
    let file = stage(&lake, &spec(), MONDAY, 0..10);
    std::fs::write(lake.root().join("raw_gate_event").join(&file.path), b"cut").unwrap();
    let refused = lake.append(&spec(), vec![file], plain()).await;
    assert!(matches!(refused, Err(Error::BadFile { .. })), "{refused:?}");
    assert!(lake.snapshot(&spec().name).await.unwrap().is_none());
}

#[tokio::test]
async fn a_new_nullable_column_joins_the_table_and_older_files_lack_it() {
    let (_folder, lake) = lake().await;
    append(&lake, MONDAY, 0..3, 1).await;
    let wider = with_column(&spec(), Field::new("method", DataType::Utf8, true));
    let batch = rows(3..5);
    let mut columns = batch.columns().to_vec();
    columns.insert(1, Arc::new(StringArray::from(vec![Some("card"), None])));
    let schema = Schema::new(wider.schema.fields()[..4].to_vec());
    let batch = RecordBatch::try_new(Arc::new(schema), columns).unwrap();
    let file = lake.writer(&wider).write(Some(MONDAY), &[batch]).unwrap();
    lake.append(&wider, vec![file], at(2)).await.unwrap();

    let snapshot = pinned(&lake).await;
    let names: Vec<_> = snapshot.schema.fields().iter().map(|it| it.name().as_str()).collect();
    assert_eq!(names, ["student_key", "occurred_at", "phone", "occurred_on", "method"], "new columns come last");
    assert_eq!(snapshot.rows(), 5);
    // Whoever still has the older specification is behind, and must not take the column away.
    let behind = lake.append(&spec(), vec![stage(&lake, &spec(), MONDAY, 5..6)], at(3)).await;
    assert!(matches!(&behind, Err(Error::SchemaChanged { column, .. }) if column == "method"), "{behind:?}");
}

#[tokio::test]
async fn any_other_change_of_columns_is_refused_by_name() {
    let (_folder, lake) = lake().await;
    append(&lake, MONDAY, 0..3, 1).await;
    let retyped = |name: &str, data_type: DataType, nullable: bool| {
        let mut fields: Vec<Field> = spec().schema.fields().iter().map(|it| it.as_ref().clone()).collect();
        let changed = fields.iter_mut().find(|it| it.name() == name).unwrap();
        *changed = Field::new(name, data_type, nullable);
        TableSpec { schema: Arc::new(Schema::new(fields)), ..spec() }
    };
    let cases = [
        (retyped("phone", DataType::Int64, true), "phone"),
        (retyped("phone", DataType::Utf8, false), "phone"),
        (retyped("student_key", DataType::Int64, true), "student_key"),
        (with_column(&spec(), Field::new("method", DataType::Utf8, false)), "method"),
        (TableSpec { partition_by: None, ..spec() }, "nothing"),
    ];
    for (changed, column) in cases {
        let refused = lake.append(&changed, vec![], at(2)).await;
        assert!(matches!(&refused, Err(Error::SchemaChanged { column: it, .. }) if it == column), "{refused:?}");
    }
    assert_eq!(pinned(&lake).await.version, 0);
}

#[tokio::test]
async fn types_that_delta_would_change_are_refused() {
    let (_folder, lake) = lake().await;
    for data_type in [DataType::UInt64, DataType::Timestamp(TimeUnit::Microsecond, None), DataType::Null] {
        let odd = with_column(&spec(), Field::new("odd", data_type, true));
        let refused = lake.append(&odd, vec![], plain()).await;
        assert!(matches!(&refused, Err(Error::BadSpec { column, .. }) if column == "odd"), "{refused:?}");
    }
}

#[tokio::test]
async fn a_table_name_that_leaves_the_lake_is_refused() {
    let (_folder, lake) = lake().await;
    for table in ["../escape", "a/b", "", "Raw", "1st", "_delta_log"] {
        let refused = lake.snapshot(table).await;
        assert!(matches!(refused, Err(Error::BadName { .. })), "{table}");
    }
}

#[tokio::test]
async fn a_table_says_beforehand_which_shape_it_takes() {
    let (_folder, lake) = lake().await;
    lake.expect_fit(&spec()).await.expect("a table that is not there takes any");
    append(&lake, MONDAY, 0..3, 1).await;
    lake.expect_fit(&spec()).await.expect("its own");
    lake.expect_fit(&with_column(&spec(), Field::new("gate", DataType::Utf8, true))).await.expect("a column more");
    let refused = lake.expect_fit(&TableSpec { partition_by: None, ..spec() }).await.expect_err("no partitions");
    assert!(matches!(&refused, Error::SchemaChanged { table, .. } if table == "raw_gate_event"), "{refused}");
    assert_eq!(pinned(&lake).await.version, 0, "nothing was written");
}
