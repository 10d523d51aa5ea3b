//! Replacements: all or nothing, and only of what was planned against.

use arrow::array::Float64Array;
use arrow::datatypes::{DataType, Field};

use super::*;
use crate::Error;

#[tokio::test]
async fn replaced_partitions_lose_their_rows_and_the_others_keep_theirs() {
    let (_folder, lake) = lake().await;
    append(&lake, MONDAY, 0..10, 1).await;
    append(&lake, MONDAY + 1, 10..20, 2).await;
    replace_day(&lake, MONDAY, 100..103).await;
    assert_eq!(students(&pinned(&lake).await), [vec![100, 101, 102], (10..20).collect()].concat());
    // No files for a day that is covered: the day is empty now.
    let version = lake.replace(&spec(), Replace::Partitions(vec![MONDAY]), vec![], plain(), None).await.unwrap();
    assert_eq!(version, 3);
    assert_eq!(students(&pinned(&lake).await), (10..20).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_old_version_is_read_as_it_was() {
    let (_folder, lake) = lake().await;
    append(&lake, MONDAY, 0..10, 1).await;
    replace_day(&lake, MONDAY, 100..103).await;
    let old = lake.snapshot_at(&spec().name, 0).await.unwrap().unwrap();
    assert_eq!((old.version, students(&old)), (0, (0..10).collect()));
    assert_eq!(old.commit, at(1));
    for version in [-1, 2] {
        let gone = lake.snapshot_at(&spec().name, version).await;
        assert!(matches!(gone, Err(Error::NoVersion { .. })), "{gone:?}");
    }
}

#[tokio::test]
async fn a_replacement_planned_on_an_older_version_is_refused() {
    let (_folder, lake) = lake().await;
    append(&lake, MONDAY, 0..10, 1).await;
    append(&lake, MONDAY, 10..20, 2).await;
    let file = stage(&lake, &spec(), MONDAY, 0..1);
    for (expected, scope) in [(0, Replace::All), (-1, Replace::All), (0, Replace::Partitions(vec![MONDAY]))] {
        let refused = lake.replace(&spec(), scope, vec![file.clone()], plain(), Some(expected)).await;
        assert!(matches!(refused, Err(Error::Moved { found: 1, .. })), "{refused:?}");
    }
    assert_eq!(pinned(&lake).await.rows(), 20);
    // The same files may be committed once the plan fits.
    assert_eq!(lake.replace(&spec(), Replace::All, vec![file], plain(), Some(1)).await.unwrap(), 2);
    assert_eq!(students(&pinned(&lake).await), [0]);
}

#[tokio::test]
async fn of_two_replacements_planned_on_the_same_version_one_wins() {
    let (_folder, lake) = lake().await;
    append(&lake, MONDAY, 0..10, 1).await;
    let spec = spec();
    let replace = |it: i64| {
        let files = vec![stage(&lake, &spec, MONDAY, it..it + 1)];
        lake.replace(&spec, Replace::All, files, plain(), Some(0))
    };
    let (a, b) = tokio::join!(replace(100), replace(200));
    assert_eq!([&a, &b].iter().filter(|it| it.is_ok()).count(), 1, "{a:?} {b:?}");
    assert_eq!(pinned(&lake).await.rows(), 1);
}

#[tokio::test]
async fn a_replacement_without_an_expectation_takes_out_what_was_appended_meanwhile() {
    let (_folder, lake) = lake().await;
    append(&lake, MONDAY, 0..10, 1).await;
    // A second handle whose knowledge of the table is stale.
    let reader = Lake::open_read(config(lake.root())).await.unwrap();
    assert_eq!(pinned(&reader).await.version, 0);
    append(&lake, MONDAY, 10..20, 2).await;
    replace_day(&lake, MONDAY, 100..101).await;
    assert_eq!(students(&pinned(&lake).await), [100]);
    assert_eq!(students(&pinned(&reader).await), [100], "a reader follows");
}

#[tokio::test]
async fn replacing_everything_may_change_columns_order_and_partitions() {
    let (_folder, lake) = lake().await;
    append(&lake, MONDAY, 0..10, 1).await;
    let id = pinned(&lake).await.id;
    let fields = vec![Field::new("student_key", DataType::Int64, false), Field::new("value", DataType::Float64, true)];
    let other = TableSpec {
        schema: Arc::new(Schema::new(fields)),
        partition_by: None,
        sort_by: vec!["student_key".to_owned()],
        stats_columns: vec![],
        properties: BTreeMap::new(),
        ..spec()
    };
    let columns: Vec<Arc<dyn Array>> =
        vec![Arc::new(Int64Array::from(vec![5, 6])), Arc::new(Float64Array::from(vec![Some(0.5), None]))];
    let batch = RecordBatch::try_new(Arc::clone(&other.schema), columns).unwrap();
    let file = lake.writer(&other).write(None, &[batch]).unwrap();
    lake.replace(&other, Replace::All, vec![file], plain(), Some(0)).await.unwrap();

    for lake in [lake.clone(), Lake::open_read(config(lake.root())).await.unwrap()] {
        let snapshot = pinned(&lake).await;
        assert_eq!(students(&snapshot), [5, 6]);
        assert_eq!((snapshot.partition_by, snapshot.files[0].partition), (None, None));
        assert_eq!(snapshot.sort_by, ["student_key"]);
        assert_eq!(snapshot.schema.field(1).name(), "value");
        assert_eq!((snapshot.id, snapshot.properties.len()), (id.clone(), 0));
    }
}

#[tokio::test]
async fn a_file_outside_the_replaced_partitions_is_refused() {
    let (_folder, lake) = lake().await;
    append(&lake, MONDAY, 0..10, 1).await;
    let outside = stage(&lake, &spec(), MONDAY + 1, 0..1);
    let refused = lake.replace(&spec(), Replace::Partitions(vec![MONDAY]), vec![outside], plain(), None).await;
    assert!(matches!(refused, Err(Error::OutOfScope { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_live_file_cannot_replace_itself() {
    let (_folder, lake) = lake().await;
    let file = stage(&lake, &spec(), MONDAY, 0..10);
    lake.append(&spec(), vec![file.clone()], plain()).await.unwrap();
    let refused = lake.replace(&spec(), Replace::All, vec![file], plain(), None).await;
    assert!(matches!(refused, Err(Error::BadFile { .. })), "{refused:?}");
    assert_eq!(pinned(&lake).await.rows(), 10);
}

#[tokio::test]
async fn a_file_of_another_table_is_refused() {
    let (_folder, lake) = lake().await;
    let file = stage(&lake, &spec(), MONDAY, 0..10);
    let other = TableSpec { name: "raw_card_txn".to_owned(), ..spec() };
    let refused = lake.append(&other, vec![file], plain()).await;
    assert!(matches!(refused, Err(Error::BadFile { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_sort_order_that_old_files_do_not_have_is_not_promised() {
    let (_folder, lake) = lake().await;
    append(&lake, MONDAY, 0..10, 1).await;
    let resorted = TableSpec { sort_by: vec!["student_key".to_owned(), "phone".to_owned()], ..spec() };
    let file = lake.writer(&resorted).write(Some(MONDAY), &[rows(10..20)]).unwrap();
    lake.append(&resorted, vec![file], at(2)).await.unwrap();
    assert_eq!(pinned(&lake).await.sort_by, ["student_key"]);
    let file = lake.writer(&resorted).write(Some(MONDAY), &[rows(0..20)]).unwrap();
    lake.replace(&resorted, Replace::All, vec![file], plain(), None).await.unwrap();
    assert_eq!(pinned(&lake).await.sort_by, ["student_key", "phone"]);
}

#[tokio::test]
async fn a_dropped_table_starts_over_under_another_identity() {
    let (_folder, lake) = lake().await;
    append(&lake, MONDAY, 0..10, 5).await;
    let before = pinned(&lake).await;
    lake.drop_table(&spec().name).await.unwrap();
    assert_eq!(lake.tables().unwrap(), Vec::<String>::new());
    assert!(!before.root.exists());
    lake.drop_table(&spec().name).await.unwrap();
    assert_eq!(append(&lake, MONDAY, 0..3, 1).await, 0, "its positions went with it");
    assert_eq!(lake.tables().unwrap(), [spec().name]);
    assert_ne!(pinned(&lake).await.id, before.id);
}
