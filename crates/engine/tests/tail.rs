//! What waits in the log is read with the table, from the position on that the table has not reached, and never twice.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use datafusion::prelude::SessionContext;
use engine::{Config, Engine, TableTail, TailPart, Tails};
use lake::{Commit, Durability, Lake, TableSpec};
use schema::time::CampusClock;

const DAY: i32 = 20_332;
const TABLE: &str = "raw_gate_event";

fn schema(has_day: bool) -> SchemaRef {
    let mut fields = vec![Field::new("student_key", DataType::Int64, true), Field::new("event_seq", DataType::Int64, true)];
    if has_day {
        fields.push(Field::new("occurred_on", DataType::Date32, false));
    }
    Arc::new(Schema::new(fields))
}

fn rows(keys: &[i64]) -> RecordBatch {
    let column = |it: Vec<i64>| -> ArrayRef { Arc::new(Int64Array::from(it)) };
    let seqs = keys.iter().map(|it| it * 10).collect();
    RecordBatch::try_new(schema(false), vec![column(keys.to_vec()), column(seqs)]).expect("columns fit")
}

fn spec() -> TableSpec {
    TableSpec {
        name: TABLE.to_owned(),
        schema: schema(true),
        partition_by: Some("occurred_on".to_owned()),
        sort_by: vec!["student_key".to_owned()],
        stats_columns: vec![],
        properties: BTreeMap::new(),
    }
}

/// Three positions, over two days.
#[derive(Debug)]
struct Waiting;

impl Tails for Waiting {
    fn tail(&self, table: &str) -> Result<Option<TableTail>, Box<dyn std::error::Error + Send + Sync>> {
        let part = |position, day, keys: &[i64]| TailPart { position, day: Some(day), batch: rows(keys) };
        let parts = vec![part(1, DAY, &[1, 2]), part(2, DAY, &[3]), part(2, DAY + 1, &[1, 4]), part(3, DAY + 1, &[5])];
        let tail = TableTail { app_id: "log/0", schema: schema(true), partition_by: Some("occurred_on".to_owned()), parts };
        Ok((table == TABLE).then_some(tail))
    }

    fn tables(&self) -> Vec<String> {
        vec![TABLE.to_owned()]
    }
}

async fn ask(context: &SessionContext, query: &str) -> Vec<i64> {
    let batches = context.sql(query).await.expect("planned").collect().await.expect("read");
    let mut found: Vec<i64> = batches.iter().flat_map(|it| it.column(0).as_primitive::<Int64Type>().values().to_vec()).collect();
    found.sort_unstable();
    found
}

#[tokio::test]
async fn rows_of_the_log_are_read_until_the_table_has_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = Lake::open(lake::Config { root: folder.path().join("lake"), durability: Durability::Os }).await.expect("a lake");
    let clock = CampusClock::new(chrono_tz::Asia::Shanghai, chrono::NaiveTime::MIN);
    let config = Config { memory_bytes: 64 << 20, partitions: 2, spill_dir: folder.path().join("spill") };
    let engine = Engine::new(config, lake.clone(), None, clock).expect("an engine").with_tails(Arc::new(Waiting));

    // Before the table was ever written.
    let live = engine.live_table(TABLE).await.expect("readable").expect("the log has rows");
    assert!(engine.table(TABLE).await.expect("readable").is_none());
    let context = engine.context();
    context.register_table(TABLE, live).expect("registered");
    assert_eq!(ask(&context, "SELECT student_key FROM raw_gate_event").await, [1, 1, 2, 3, 4, 5]);

    // The first two positions are committed: they are in the table now, and the third still waits.
    let days = [(DAY, rows(&[1, 2, 3])), (DAY + 1, rows(&[1, 4]))];
    let files = days.map(|(day, batch)| lake.writer(&spec()).write(Some(day), &[batch]).expect("written"));
    let commit = Commit { position: Some(("log/0".to_owned(), 2)), info: BTreeMap::new(), data_change: true };
    lake.append(&spec(), files.to_vec(), commit).await.expect("appended");
    let live = engine.live_table(TABLE).await.expect("readable").expect("a table");
    let context = engine.context();
    context.register_table(TABLE, live.clone()).expect("registered");
    assert_eq!(ask(&context, "SELECT student_key FROM raw_gate_event").await, [1, 1, 2, 3, 4, 5]);
    assert_eq!(ask(&context, "SELECT count(*) FROM raw_gate_event").await, [6]);
    // Filters by day, by value and by both hold for what waits as for what is stored; columns may be any.
    let on = |day: i32| format!("occurred_on = arrow_cast({day}, 'Date32')");
    assert_eq!(ask(&context, &format!("SELECT event_seq FROM raw_gate_event WHERE {}", on(DAY))).await, [10, 20, 30]);
    assert_eq!(ask(&context, &format!("SELECT event_seq FROM raw_gate_event WHERE {}", on(DAY + 1))).await, [10, 40, 50]);
    assert_eq!(ask(&context, "SELECT event_seq FROM raw_gate_event WHERE student_key = 5").await, [50]);
    let none = ask(&context, &format!("SELECT event_seq FROM raw_gate_event WHERE student_key = 5 AND {}", on(DAY))).await;
    assert!(none.is_empty(), "{none:?}");

    // A look-up finds them too.
    let found = live.look_up("student_key", 5, &[DAY + 1], &schema(true)).expect("looked up");
    assert_eq!(found.iter().map(RecordBatch::num_rows).sum::<usize>(), 1);
    assert!(live.look_up("student_key", 5, &[DAY], &schema(true)).expect("looked up").is_empty());

    // What was pinned before a commit stays as it was; builds read the table alone.
    let commit = Commit { position: Some(("log/0".to_owned(), 3)), info: BTreeMap::new(), data_change: true };
    let file = lake.writer(&spec()).write(Some(DAY + 1), &[rows(&[5])]).expect("written");
    lake.append(&spec(), vec![file], commit).await.expect("appended");
    assert_eq!(ask(&context, "SELECT count(*) FROM raw_gate_event").await, [6]);
    let (after, alone) = (engine.live_table(TABLE).await, engine.table(TABLE).await);
    for table in [after, alone] {
        let context = engine.context();
        context.register_table(TABLE, table.expect("readable").expect("a table")).expect("registered");
        assert_eq!(ask(&context, "SELECT student_key FROM raw_gate_event").await, [1, 1, 2, 3, 4, 5]);
    }
}
