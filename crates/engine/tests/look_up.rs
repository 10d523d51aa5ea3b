//! A look-up gives the rows that a query gives, whatever files, row groups and pages they lie in.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use engine::{Config, Engine, PinnedTable};
use lake::{Commit, Durability, Lake, Replace, TableSpec};
use schema::time::CampusClock;

const DAY: i32 = 20_332;

fn spec(is_older: bool) -> TableSpec {
    let mut fields = vec![
        Field::new("student_key", DataType::Int64, true),
        Field::new("measure", DataType::Utf8, true),
        Field::new("n", DataType::Int64, true),
        Field::new("as_of_on", DataType::Date32, true),
    ];
    if !is_older {
        fields.push(Field::new("cov", DataType::Utf8, true));
    }
    TableSpec {
        name: "feat_measure".to_owned(),
        schema: Arc::new(Schema::new(fields)),
        partition_by: Some("as_of_on".to_owned()),
        sort_by: vec!["student_key".to_owned()],
        stats_columns: vec![],
        properties: BTreeMap::new(),
    }
}

/// Seven rows of every third key below 3,000, and two of nobody.
fn rows(is_older: bool, day: i32) -> RecordBatch {
    let keys: Vec<Option<i64>> = (0..7_000).map(|it| Some(it / 7 * 3)).chain([None, None]).collect();
    let count = keys.len() as i64;
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(keys)),
        Arc::new((0..count).map(|it| Some(format!("measure_{}", it % 7))).collect::<StringArray>()),
        Arc::new((0..count).map(|it| (it % 5 != 0).then_some(it + i64::from(day))).collect::<Int64Array>()),
    ];
    if !is_older {
        columns.push(Arc::new((0..count).map(|it| Some(format!("{it}"))).collect::<StringArray>()));
    }
    let fields: Vec<_> = spec(is_older).schema.fields().iter().filter(|it| it.name() != "as_of_on").cloned().collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("columns fit")
}

fn commit() -> Commit {
    Commit { position: None, info: BTreeMap::new(), data_change: true }
}

/// One row a line, sorted: the order of rows in a file is the writer's business.
fn lines(batches: &[RecordBatch]) -> String {
    let batches: Vec<RecordBatch> = batches.iter().filter(|it| 0 < it.num_rows()).cloned().collect();
    let printed = arrow::util::pretty::pretty_format_batches(&batches).expect("printed").to_string();
    // Partitions of a query end in any order.
    let mut lines: Vec<&str> = printed.lines().collect();
    lines.sort_unstable();
    lines.join("\n")
}

#[tokio::test]
async fn a_look_up_gives_the_rows_of_a_query() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = Lake::open(lake::Config { root: folder.path().join("lake"), durability: Durability::Os }).await.expect("a lake");
    // An older day without a column, a day in many row groups and pages, and one in two files.
    let plain = lake.writer(&spec(true)).write(Some(DAY), &[rows(true, DAY)]).expect("written");
    lake.append(&spec(true), vec![plain], commit()).await.expect("appended");
    let younger = spec(false);
    let cut = lake.writer(&younger).for_lookups(64).with_row_group_rows(1_000);
    let second = cut.write(Some(DAY + 1), &[rows(false, DAY + 1)]).expect("written");
    let third = cut.write(Some(DAY + 2), &[rows(false, DAY + 2).slice(0, 3_000)]).expect("written");
    let fourth = lake.writer(&younger).write(Some(DAY + 2), &[rows(false, DAY + 2).slice(3_000, 4_002)]).expect("written");
    let days = Replace::Partitions(vec![DAY + 1, DAY + 2]);
    lake.replace(&younger, days, vec![second, third, fourth], commit(), None).await.expect("replaced");

    let clock = CampusClock::new(chrono_tz::Asia::Shanghai, chrono::NaiveTime::MIN);
    let config = Config { memory_bytes: 64 << 20, partitions: 2, spill_dir: folder.path().join("spill") };
    let engine = Engine::new(config, lake, None, clock).expect("an engine");
    let table: Arc<PinnedTable> = engine.table("feat_measure").await.expect("readable").expect("a table");
    let context = engine.context();
    context.register_table("feat_measure", table.clone()).expect("registered");

    let schema = context.table("feat_measure").await.expect("there").schema().inner().clone();
    let names: Vec<&str> = schema.fields().iter().map(|it| it.name().as_str()).collect();
    let mut found_n = 0;
    // Keys at the ends of files, groups and pages, and keys that nobody has.
    for key in [0, 3, 27, 426, 429, 1_284, 1_287, 1_500, 2_997, 1, 3_000, -1] {
        for days in [vec![DAY], vec![DAY + 1], vec![DAY, DAY + 1, DAY + 2, DAY + 9], vec![]] {
            let found = table.look_up("student_key", key, &days, &schema).expect("looked up");
            let list: Vec<String> = days.iter().map(|it| format!("arrow_cast({it}, 'Date32')")).collect();
            let list = if list.is_empty() { "NULL".to_owned() } else { list.join(", ") };
            let sql = format!("SELECT {} FROM feat_measure WHERE student_key = {key} AND as_of_on IN ({list})", names.join(", "));
            let asked = context.sql(&sql).await.expect("planned").collect().await.expect("read");
            assert_eq!(lines(&found), lines(&asked), "{sql}");
            found_n += found.iter().map(RecordBatch::num_rows).sum::<usize>();
        }
    }
    assert!(300 < found_n, "only {found_n} rows were compared");
}

#[tokio::test]
async fn a_look_up_by_what_is_no_key_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = Lake::open(lake::Config { root: folder.path().join("lake"), durability: Durability::Os }).await.expect("a lake");
    let file = lake.writer(&spec(false)).write(Some(DAY), &[rows(false, DAY)]).expect("written");
    lake.append(&spec(false), vec![file], commit()).await.expect("appended");
    let clock = CampusClock::new(chrono_tz::Asia::Shanghai, chrono::NaiveTime::MIN);
    let config = Config { memory_bytes: 64 << 20, partitions: 1, spill_dir: folder.path().join("spill") };
    let table = Engine::new(config, lake, None, clock).expect("an engine").table("feat_measure").await;
    let table = table.expect("readable").expect("a table");
    let schema = datafusion::catalog::TableProvider::schema(table.as_ref());
    let refused = table.look_up("measure", 3, &[DAY], &schema).expect_err("measures are no keys");
    assert!(refused.to_string().contains("\"measure\" is no 64-bit key"), "{refused}");
}
