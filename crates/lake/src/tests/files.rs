//! What stands in the Parquet files and what the log tells of them.

use arrow::array::{DictionaryArray, StringViewArray};
use arrow::datatypes::{DataType, Field, Int32Type};
use deltalake::parquet::basic::Compression;
use deltalake::parquet::file::reader::{FileReader, SerializedFileReader};

use super::*;
use crate::Error;

fn bytes(lake: &Lake, file: &StagedFile) -> Vec<u8> {
    std::fs::read(lake.root().join(&file.table).join(&file.path)).expect("a staged file")
}

#[tokio::test]
async fn files_declare_their_order_and_carry_the_indexes_that_prune() {
    let (_folder, lake) = lake().await;
    let file = lake.writer(&spec()).with_row_group_rows(1_000).write(Some(MONDAY), &[rows(0..2_500)]).unwrap();
    assert_eq!((file.rows, file.partition), (2_500, Some(MONDAY)));
    let opened = std::fs::File::open(lake.root().join(&file.table).join(&file.path)).unwrap();
    assert_eq!(opened.metadata().unwrap().len(), file.size);
    let reader = SerializedFileReader::new(opened).unwrap();
    let metadata = reader.metadata();
    assert_eq!(metadata.file_metadata().created_by(), Some("yizhan lake"));
    assert_eq!(metadata.num_row_groups(), 3);
    for group in metadata.row_groups() {
        let order: Vec<_> = group.sorting_columns().unwrap().iter().map(|it| it.column_idx).collect();
        assert_eq!(order, [0, 1]);
        for column in group.columns() {
            assert_eq!(column.compression(), Compression::SNAPPY, "few rows: {column:?}");
            // Keys and instants are values of their own here, texts are looked up.
            let is_number = column.column_type() == deltalake::parquet::basic::Type::INT64;
            assert_eq!(column.dictionary_page_offset().is_none(), is_number, "{column:?}");
            assert!(column.offset_index_offset().is_some(), "{column:?}");
        }
        let indexed: Vec<_> = group.columns().iter().map(|it| it.column_index_offset().is_some()).collect();
        assert_eq!(&indexed[..2], [true, true]);
    }
}

#[tokio::test]
async fn many_rows_are_pressed_harder_than_few() {
    let (_folder, lake) = lake().await;
    for (count, is_many) in [(16 * 1024 - 1, false), (16 * 1024, true)] {
        let file = lake.writer(&spec()).write(Some(MONDAY), &[rows(0..count)]).unwrap();
        let reader =
            SerializedFileReader::new(std::fs::File::open(lake.root().join(&file.table).join(&file.path)).unwrap()).unwrap();
        let is_zstd = reader.metadata().row_group(0).columns().iter().any(|it| matches!(it.compression(), Compression::ZSTD(_)));
        assert_eq!(is_zstd, is_many, "{count} rows");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn equal_rows_make_equal_bytes_however_they_come_and_on_whatever_thread() {
    let (_folder, lake) = lake().await;
    let all = rows(0..150_000);
    let whole = bytes(&lake, &lake.writer(&spec()).write(Some(MONDAY), std::slice::from_ref(&all)).unwrap());
    let writer = lake.writer(&spec());
    let tasks: Vec<_> = [1, 999, 70_001]
        .into_iter()
        .map(|step: usize| {
            let cut: Vec<_> = (0..all.num_rows())
                .step_by(step.max(100))
                .map(|at| all.slice(at, step.max(100).min(all.num_rows() - at)))
                .collect();
            let writer = writer.clone();
            tokio::task::spawn_blocking(move || writer.write(Some(MONDAY), &cut).unwrap())
        })
        .collect();
    for task in tasks {
        let file = task.await.unwrap();
        assert!(bytes(&lake, &file) == whole, "{} differs", file.path);
    }
}

#[tokio::test]
async fn rows_out_of_order_are_refused_and_leave_no_file() {
    let (_folder, lake) = lake().await;
    let writer = lake.writer(&spec());
    // The last case breaks just where one chunk of rows ends and the next begins.
    for (batches, late) in [
        (vec![rows(5..8), rows(0..3)], 3),
        (vec![rows(0..3), rows(3..3), rows(1..4)], 3),
        (vec![rows(0..65_536), rows(7..9)], 65_536),
    ] {
        let refused = writer.write(Some(MONDAY), &batches);
        assert!(matches!(refused, Err(Error::NotSorted { row, .. }) if row == late), "{refused:?}");
    }
    assert_eq!(parts_on_disk(&lake.root().join("raw_gate_event")), Vec::<String>::new());
}

#[tokio::test]
async fn texts_are_stored_alike_in_whatever_layout_they_come() {
    let (_folder, lake) = lake().await;
    let given = rows(0..4);
    let texts = given.column(2).as_string::<i32>();
    let plain = lake.writer(&spec()).write(Some(MONDAY), std::slice::from_ref(&given)).unwrap();
    let layouts: [Arc<dyn Array>; 2] =
        [Arc::new(texts.iter().collect::<StringViewArray>()), Arc::new(texts.iter().collect::<DictionaryArray<Int32Type>>())];
    for texts in layouts {
        let mut columns = given.columns().to_vec();
        let mut fields: Vec<_> = given.schema().fields().iter().cloned().collect();
        fields[2] = Arc::new(Field::new("phone", texts.data_type().clone(), true));
        columns[2] = texts;
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
        let file = lake.writer(&spec()).write(Some(MONDAY), &[batch]).unwrap();
        assert!(bytes(&lake, &file) == bytes(&lake, &plain));
    }
}

#[tokio::test]
async fn batches_that_do_not_fit_are_refused_by_column() {
    let (_folder, lake) = lake().await;
    let writer = lake.writer(&spec());
    let missing = rows(0..1).project(&[0, 1]).unwrap();
    let extra = {
        let mut columns = rows(0..1).columns().to_vec();
        columns.push(Arc::new(Int64Array::from(vec![1])));
        let mut fields: Vec<_> = rows(0..1).schema().fields().iter().cloned().collect();
        fields.push(Arc::new(Field::new("gate", DataType::Int64, true)));
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
    };
    let retyped = {
        let mut columns = rows(0..1).columns().to_vec();
        columns[2] = Arc::new(Int64Array::from(vec![1]));
        let mut fields: Vec<_> = rows(0..1).schema().fields().iter().cloned().collect();
        fields[2] = Arc::new(Field::new("phone", DataType::Int64, true));
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
    };
    for (batch, column) in [(missing, "phone"), (extra, "gate"), (retyped, "phone")] {
        let refused = writer.write(Some(MONDAY), &[batch]);
        assert!(matches!(&refused, Err(Error::BadBatch { column: it, .. }) if it == column), "{refused:?}");
    }
}

#[tokio::test]
async fn rows_without_a_day_have_a_partition_of_their_own() {
    let (_folder, lake) = lake().await;
    let file = lake.writer(&spec()).write(None, &[rows(0..3)]).unwrap();
    assert!(file.path.starts_with("occurred_on=__HIVE_DEFAULT_PARTITION__/"), "{}", file.path);
    lake.append(&spec(), vec![file], plain()).await.unwrap();
    for lake in [lake.clone(), Lake::open_read(config(lake.root())).await.unwrap()] {
        let snapshot = pinned(&lake).await;
        assert_eq!((students(&snapshot), snapshot.files[0].partition), (vec![0, 1, 2], None));
    }
}

#[tokio::test]
async fn a_partition_column_among_sort_and_statistics_columns_is_left_out() {
    let (_folder, lake) = lake().await;
    let both = |it: Vec<String>| [vec!["occurred_on".to_owned()], it].concat();
    let spec = TableSpec { sort_by: both(spec().sort_by), stats_columns: both(spec().stats_columns), ..spec() };
    let file = lake.writer(&spec).write(Some(MONDAY), &[rows(0..3)]).unwrap();
    assert!(!file.stats.contains("occurred_on"), "{}", file.stats);
    lake.append(&spec, vec![file], plain()).await.unwrap();
    assert_eq!(pinned(&lake).await.sort_by, ["student_key", "occurred_at"]);
}

#[tokio::test]
async fn statistics_of_the_listed_columns_hold_their_rows() {
    let (_folder, lake) = lake().await;
    let file = stage(&lake, &spec(), MONDAY, 0..3);
    let expected = json!({
        "numRecords": 3,
        "minValues": { "occurred_at": "2025-09-01T04:13:20.000000Z" },
        "maxValues": { "occurred_at": "2025-09-01T04:13:22.000002Z" },
        "nullCount": { "occurred_at": 0 },
    });
    assert_eq!(serde_json::from_str::<serde_json::Value>(&file.stats).unwrap(), expected);
}

#[tokio::test]
async fn nothing_of_an_unlisted_column_reaches_the_log_by_any_way() {
    let (_folder, lake) = lake().await;
    for position in 0..50 {
        append(&lake, MONDAY, position..position + 1, position).await;
    }
    replace_day(&lake, MONDAY + 1, 60..70).await;
    let upkeep = crate::Upkeep { small_files_max: 1, ..crate::Upkeep::default() };
    lake.upkeep(&spec().name, upkeep).await.unwrap();
    let slot = lake.slot(&spec().name).unwrap();
    lake.checkpoint(&slot, pinned(&lake).await.version).await.unwrap();

    let log = lake.root().join("raw_gate_event/_delta_log");
    let mut n_checkpoints = 0;
    for entry in std::fs::read_dir(log).unwrap() {
        let path = entry.unwrap().path();
        let text = if path.extension().is_some_and(|it| it == "parquet") {
            n_checkpoints += 1;
            checkpoint_text(&path)
        } else {
            std::fs::read_to_string(&path).unwrap()
        };
        // The column's name stands in the schema; a bound would bring a value, and a count the name once more.
        assert!(!text.contains("1380000"), "a telephone number in {}", path.display());
        for line in text.lines().filter(|it| it.contains("numRecords")) {
            assert!(line.contains("occurred_at") && !line.contains("phone"), "{line}");
            assert!(!line.contains("student_key"), "{line}");
        }
    }
    assert_eq!(n_checkpoints, 2);
}

fn checkpoint_text(path: &Path) -> String {
    let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(path).unwrap()).unwrap().build().unwrap();
    let mut text = String::new();
    for batch in reader {
        let mut writer = arrow::json::LineDelimitedWriter::new(Vec::new());
        writer.write(&batch.unwrap()).unwrap();
        writer.finish().unwrap();
        text += &String::from_utf8(writer.into_inner()).unwrap();
    }
    assert!(text.contains("occurred_at"), "statistics are in the checkpoint too");
    text
}
