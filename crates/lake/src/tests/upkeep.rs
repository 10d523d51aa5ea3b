//! Upkeep keeps every row and every reader.

use arrow::datatypes::{DataType, Field};
use deltalake::parquet::file::reader::{FileReader, SerializedFileReader};

use super::*;
use crate::compact::Merge;
use crate::{Error, Upkeep, UpkeepReport};

const DAY_MS: i64 = 86_400_000;

/// Merges whatever can be merged, `days` from now.
fn eager(days: i64) -> Upkeep {
    let upkeep = Upkeep::default();
    Upkeep { small_files_max: 1, now_ms: upkeep.now_ms + days * DAY_MS, ..upkeep }
}

#[tokio::test]
async fn compaction_leaves_one_sorted_file_a_partition_with_the_same_rows() {
    let (_folder, lake) = lake().await;
    // Interleaved, so that the merge has something to do.
    for (position, students) in [10..13, 0..3, 20..23, 5..12].into_iter().enumerate() {
        append(&lake, MONDAY, students, position as i64).await;
    }
    append(&lake, MONDAY + 1, 0..5, 10).await;
    let before = sorted_students(&pinned(&lake).await);

    let report = lake.upkeep(&spec().name, eager(0)).await.unwrap();
    assert_eq!(report, UpkeepReport { partitions_compacted: 1, files_compacted: 4, ..UpkeepReport::default() });
    let snapshot = pinned(&lake).await;
    assert_eq!(
        snapshot.files.iter().map(|it| (it.partition, it.rows)).collect::<Vec<_>>(),
        [(Some(MONDAY), 16), (Some(MONDAY + 1), 5)]
    );
    assert_eq!(sorted_students(&snapshot), before);
    let merged: Vec<i64> = students(&snapshot)[..16].to_vec();
    assert!(merged.is_sorted(), "{merged:?}");
    let file = std::fs::File::open(snapshot.root.join(&snapshot.files[0].path)).unwrap();
    let reader = SerializedFileReader::new(file).unwrap();
    let group = reader.metadata().row_group(0);
    assert_eq!(reader.metadata().file_metadata().created_by(), Some("yizhan lake"));
    assert_eq!(group.sorting_columns().map(Vec::len), Some(2));

    let again = lake.upkeep(&spec().name, eager(0)).await.unwrap();
    assert_eq!(again, UpkeepReport::default(), "there is nothing left to do");
    assert_eq!(pinned(&lake).await.version, snapshot.version);
}

#[tokio::test]
async fn few_files_large_files_and_open_days_are_left_alone() {
    let (_folder, lake) = lake().await;
    for position in 0..3 {
        append(&lake, MONDAY, position..position + 1, position).await;
    }
    for upkeep in [
        Upkeep { small_files_max: 3, ..eager(0) },
        Upkeep { small_file_bytes: 10, ..eager(0) },
        Upkeep { before_day: Some(MONDAY), ..eager(0) },
        Upkeep { merge_bytes_max: 10, ..eager(0) },
    ] {
        assert_eq!(lake.upkeep(&spec().name, upkeep).await.unwrap(), UpkeepReport::default());
    }
    let closed = Upkeep { before_day: Some(MONDAY + 1), ..eager(0) };
    assert_eq!(lake.upkeep(&spec().name, closed).await.unwrap().partitions_compacted, 1);
}

#[tokio::test]
async fn files_older_than_a_column_merge_with_younger_ones() {
    let (_folder, lake) = lake().await;
    append(&lake, MONDAY, 3..6, 1).await;
    let wider = with_column(&spec(), Field::new("method", DataType::Utf8, true));
    let mut columns = rows(0..2).columns().to_vec();
    columns.insert(1, Arc::new(StringArray::from(vec!["card", "face"])));
    let batch = RecordBatch::try_new(Arc::new(Schema::new(wider.schema.fields()[..4].to_vec())), columns).unwrap();
    let file = lake.writer(&wider).write(Some(MONDAY), &[batch]).unwrap();
    lake.append(&wider, vec![file], at(2)).await.unwrap();
    lake.upkeep(&spec().name, eager(0)).await.unwrap();

    let snapshot = pinned(&lake).await;
    assert_eq!(students(&snapshot), [0, 1, 3, 4, 5]);
    let file = std::fs::File::open(snapshot.root.join(&snapshot.files[0].path)).unwrap();
    let mut reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    let batch = reader.next().unwrap().unwrap();
    let methods: Vec<_> = batch.column_by_name("method").unwrap().as_string::<i32>().iter().collect();
    assert_eq!(methods, [Some("card"), Some("face"), None, None, None]);
}

#[tokio::test]
async fn a_merge_that_would_change_the_number_of_rows_is_refused() {
    let (_folder, lake) = lake().await;
    append(&lake, MONDAY, 0..10, 1).await;
    append(&lake, MONDAY, 10..20, 2).await;
    let files = pinned(&lake).await.files.to_vec();
    let short = Merge { files, staged: stage(&lake, &spec(), MONDAY, 0..19) };
    let refused = lake.swap(&lake.slot(&spec().name).unwrap(), &spec(), &[short]).await;
    assert!(matches!(refused, Err(Error::RowsLost { before: 20, after: 19, .. })), "{refused:?}");
    assert_eq!(sorted_students(&pinned(&lake).await), (0..20).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_merge_gives_way_to_a_replacement_and_not_to_an_append() {
    let (_folder, lake) = lake().await;
    for (position, day) in [MONDAY, MONDAY, MONDAY + 1, MONDAY + 1].into_iter().enumerate() {
        let first = position as i64 * 10;
        append(&lake, day, first..first + 10, position as i64).await;
    }
    let slot = lake.slot(&spec().name).unwrap();
    let live = pinned(&lake).await.files;
    let merges = [
        Merge { files: live[..2].to_vec(), staged: stage(&lake, &spec(), MONDAY, 0..20) },
        Merge { files: live[2..].to_vec(), staged: stage(&lake, &spec(), MONDAY + 1, 20..40) },
    ];
    append(&lake, MONDAY, 40..50, 10).await;
    replace_day(&lake, MONDAY + 1, 100..101).await;
    assert_eq!(lake.swap(&slot, &spec(), &merges).await.unwrap(), [true, false]);
    assert_eq!(sorted_students(&pinned(&lake).await), [(0..20).collect(), (40..50).collect(), vec![100]].concat());
    let version = pinned(&lake).await.version;
    assert_eq!(lake.swap(&slot, &spec(), &merges).await.unwrap(), [false, false], "not even its own again");
    assert_eq!(pinned(&lake).await.version, version);
}

#[tokio::test]
async fn many_partitions_are_merged_in_few_commits() {
    let (_folder, lake) = lake().await;
    for position in 0..2 {
        let files = (0..40).map(|day| stage(&lake, &spec(), MONDAY + day, position..position + 1)).collect();
        lake.append(&spec(), files, at(position)).await.unwrap();
    }
    let report = lake.upkeep(&spec().name, eager(0)).await.unwrap();
    assert_eq!((report.partitions_compacted, report.files_compacted), (40, 80));
    let snapshot = pinned(&lake).await;
    assert_eq!((snapshot.version, snapshot.files.len(), snapshot.rows()), (3, 40, 80));
}

#[tokio::test]
async fn removed_files_stay_a_week_and_staged_ones_a_day() {
    let (_folder, lake) = lake().await;
    append(&lake, MONDAY, 0..10, 1).await;
    append(&lake, MONDAY, 10..20, 2).await;
    lake.upkeep(&spec().name, eager(0)).await.unwrap();
    stage(&lake, &spec(), MONDAY, 20..30);
    let on_disk = || parts_on_disk(&lake.root().join("raw_gate_event")).len();
    assert_eq!(on_disk(), 4);
    // Shorter retention than a week and a day is not granted.
    let hasty = Upkeep { keep_removed_ms: 0, keep_staged_ms: 0, ..eager(0) };
    assert_eq!(lake.upkeep(&spec().name, hasty).await.unwrap(), UpkeepReport::default());

    let report = lake.upkeep(&spec().name, eager(2)).await.unwrap();
    assert_eq!((report.files_removed, on_disk()), (1, 3));
    let old = lake.snapshot_at(&spec().name, 1).await.unwrap().unwrap();
    assert_eq!(sorted_students(&old), (0..20).collect::<Vec<_>>());

    let report = lake.upkeep(&spec().name, eager(8)).await.unwrap();
    assert_eq!((report.files_removed, on_disk()), (2, 1));
    assert!(0 < report.bytes_removed);
    assert_eq!(students(&pinned(&lake).await), (0..20).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_log_is_cleaned_after_a_month_and_the_table_loses_nothing() {
    let (folder, lake) = lake().await;
    for position in 0..=55 {
        append(&lake, MONDAY, position..position + 1, position).await;
    }
    assert_eq!(lake.upkeep(&spec().name, Upkeep { small_files_max: 99, ..eager(29) }).await.unwrap().log_files_removed, 0);
    let report = lake.upkeep(&spec().name, Upkeep { small_files_max: 99, ..eager(31) }).await.unwrap();
    assert_eq!(report.log_files_removed, 50);
    drop(lake);
    let lake = Lake::open(config(folder.path())).await.unwrap();
    assert_eq!(sorted_students(&pinned(&lake).await), (0..=55).collect::<Vec<_>>());
    assert_eq!(lake.position(&spec().name, APP).await.unwrap(), Some(55));
    assert_eq!(pinned(&lake).await.commit, at(55));
    assert!(!lake.changes(&spec().name, 10, 55).await.unwrap().is_complete);
    let gone = lake.snapshot_at(&spec().name, 10).await;
    assert!(matches!(gone, Err(Error::NoVersion { .. })), "{gone:?}");
}

#[tokio::test]
async fn entries_stay_as_long_as_asked_for_and_a_week_and_a_day_at_least() {
    let (_folder, lake) = lake().await;
    for position in 0..=55 {
        append(&lake, MONDAY, position..position + 1, position).await;
    }
    let cleaned = async |days: i64, keep_log_ms: i64| {
        let upkeep = Upkeep { small_files_max: 99, keep_log_ms, ..eager(days) };
        lake.upkeep(&spec().name, upkeep).await.unwrap().log_files_removed
    };
    assert_eq!(cleaned(7, 0).await, 0);
    assert_eq!(cleaned(14, 15 * DAY_MS).await, 0);
    assert_eq!(cleaned(16, 15 * DAY_MS).await, 50);
    assert_eq!(sorted_students(&pinned(&lake).await), (0..=55).collect::<Vec<_>>());
}

/// Versions of the checkpoints that lie in the log.
fn checkpoints(lake: &Lake) -> Vec<i64> {
    let entries = std::fs::read_dir(lake.root().join("raw_gate_event/_delta_log")).unwrap();
    let names = entries.map(|it| it.unwrap().file_name().to_string_lossy().into_owned());
    let mut found: Vec<i64> = names.filter_map(|it| it.strip_suffix(".checkpoint.parquet")?.parse().ok()).collect();
    found.sort_unstable();
    found
}

#[tokio::test]
async fn of_the_checkpoints_of_a_day_the_first_and_the_newest_stay_and_every_version_is_still_read() {
    let (folder, lake) = lake().await;
    let slot = lake.slot(&spec().name).unwrap();
    for position in 0..10 {
        append(&lake, MONDAY, position..position + 1, position).await;
        lake.checkpoint(&slot, position).await.unwrap();
    }
    // Of one day, whenever the test runs; the last ones of the next.
    let log = lake.root().join("raw_gate_event/_delta_log");
    let written = |position: i64, days: u64| {
        let file = std::fs::File::options().write(true).open(log.join(format!("{position:020}.checkpoint.parquet"))).unwrap();
        file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(days * 86_400 + 60)).unwrap();
    };
    (0..6).for_each(|it| written(it, 20_332));
    (6..10).for_each(|it| written(it, 20_333));
    let upkeep = Upkeep { small_files_max: 99, is_swept: false, ..eager(0) };
    assert_eq!(lake.upkeep(&spec().name, upkeep.clone()).await.unwrap().checkpoints_removed, 5);
    assert_eq!(checkpoints(&lake), [0, 6, 7, 8, 9]);
    assert_eq!(lake.upkeep(&spec().name, upkeep).await.unwrap().checkpoints_removed, 0);
    drop((slot, lake));
    let lake = Lake::open(config(folder.path())).await.unwrap();
    for version in 0..10 {
        let pinned = lake.snapshot_at(&spec().name, version).await.unwrap().unwrap();
        assert_eq!(sorted_students(&pinned), (0..=version).collect::<Vec<_>>());
    }
    assert_eq!(lake.position(&spec().name, APP).await.unwrap(), Some(9));
}

#[tokio::test]
async fn a_checkpoint_stays_while_it_is_young_and_where_the_entries_before_it_are_gone() {
    let (_folder, lake) = lake().await;
    let slot = lake.slot(&spec().name).unwrap();
    for position in 0..8 {
        append(&lake, MONDAY, position..position + 1, position).await;
        lake.checkpoint(&slot, position).await.unwrap();
    }
    let upkeep = Upkeep { small_files_max: 99, is_swept: false, ..eager(0) };
    assert_eq!(lake.upkeep(&spec().name, upkeep.clone()).await.unwrap().checkpoints_removed, 0);
    // As a cleaning leaves it that was cut: an old checkpoint from which no entry leads on.
    let log = lake.root().join("raw_gate_event/_delta_log");
    std::fs::remove_file(log.join(format!("{:020}.json", 2))).unwrap();
    let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(20_332 * 86_400 + 60);
    for position in 0..8 {
        let file = std::fs::File::options().write(true).open(log.join(format!("{position:020}.checkpoint.parquet"))).unwrap();
        file.set_modified(at).unwrap();
    }
    // 0 stands in for 1; nothing leads from there to 2, which stands in for 3 and 4.
    assert_eq!(lake.upkeep(&spec().name, upkeep).await.unwrap().checkpoints_removed, 3);
    assert_eq!(checkpoints(&lake), [0, 2, 5, 6, 7]);
}

#[tokio::test]
async fn a_reader_that_slept_through_a_cleaning_wakes_up_at_the_newest_version() {
    let (folder, lake) = lake().await;
    append(&lake, MONDAY, 0..1, 0).await;
    let reader = Lake::open_read(config(folder.path())).await.unwrap();
    assert_eq!(pinned(&reader).await.version, 0);
    for position in 1..=55 {
        append(&lake, MONDAY, position..position + 1, position).await;
    }
    lake.upkeep(&spec().name, Upkeep { small_files_max: 99, ..eager(31) }).await.unwrap();
    assert_eq!(sorted_students(&pinned(&reader).await), (0..=55).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_checkpoint_that_fails_does_not_fail_the_commit_and_upkeep_makes_up_for_it() {
    let (_folder, lake) = lake().await;
    append(&lake, MONDAY, 0..1, 0).await;
    let checkpoint = lake.root().join("raw_gate_event/_delta_log/00000000000000000050.checkpoint.parquet");
    // A folder of that name: nothing can be renamed over it.
    std::fs::create_dir(&checkpoint).unwrap();
    for position in 1..=51 {
        append(&lake, MONDAY, position..position + 1, position).await;
    }
    assert!(checkpoint.is_dir(), "the checkpoint has failed");
    assert_eq!(pinned(&lake).await.version, 51);
    std::fs::remove_dir(&checkpoint).unwrap();
    let report = lake.upkeep(&spec().name, Upkeep { small_files_max: 99, ..eager(0) }).await.unwrap();
    assert!(report.is_checkpointed);
    assert!(checkpoint.with_file_name("00000000000000000051.checkpoint.parquet").is_file());
    assert!(!lake.upkeep(&spec().name, Upkeep { small_files_max: 99, ..eager(0) }).await.unwrap().is_checkpointed);
}

#[tokio::test]
async fn upkeep_of_a_table_that_is_not_there_does_nothing() {
    let (_folder, lake) = lake().await;
    assert_eq!(lake.upkeep("raw_nothing", eager(0)).await.unwrap(), UpkeepReport::default());
    assert_eq!(lake.tables().unwrap(), Vec::<String>::new());
}
