//! A build reads the raw tables as they were when it began, whatever is committed to them meanwhile; and what is made of the
//! open day is made anew when rows came or the day is another.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use arrow::array::{ArrayRef, AsArray, BooleanArray, Int32Array, Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use engine::{Config, Engine, TableTail, TailPart, Tails};
use lake::{Commit, Durability, Lake, TableSpec};
use schema::time::CampusClock;
use schema::{Model, Pipeline, raw_schema, raw_sort};
use serde::Deserialize;
use tokio::runtime::Handle;
use transform::{Action, Builder, Graph, Writes};

#[derive(Deserialize)]
struct Defaults {
    warning: warning::Config,
}

fn pipeline(name: &str) -> Pipeline {
    let text = format!(
        r#"
        [pipeline]
        name = "{name}"
        about = "Things."
        shape = "state"
        owner = "office"
        purpose = ["portrait"]
        retention = "4y"
        source = {{ format = "csv", path = "{name}.csv" }}
        [contract]
        version = 1
        key = ["id"]
        usual_delay = "1d"
        [columns]
        id = {{ type = "int64", required = true, class = "internal", about = "Number." }}"#
    );
    Pipeline::parse(Path::new(""), &text).expect("a contract")
}

/// Commits one row; its number stands in every column that holds numbers.
async fn add(lake: &Lake, pipeline: &Pipeline, n: i64) {
    let schema = raw_schema(pipeline);
    let columns = schema.fields().iter().map(|it| -> ArrayRef {
        match it.data_type() {
            DataType::Boolean => Arc::new(BooleanArray::from(vec![false])),
            DataType::Timestamp(..) => Arc::new(TimestampMicrosecondArray::from(vec![n]).with_timezone("UTC")),
            _ => Arc::new(Int64Array::from(vec![n])),
        }
    });
    let plain = schema.fields().iter().map(|it| it.as_ref().clone().with_metadata(Default::default()));
    let rows = RecordBatch::try_new(Arc::new(Schema::new(plain.collect::<Vec<_>>())), columns.collect()).expect("columns fit");
    let spec = TableSpec {
        name: pipeline.raw_table(),
        sort_by: raw_sort(pipeline),
        schema,
        partition_by: None,
        stats_columns: Vec::new(),
        properties: Default::default(),
    };
    let file = lake.writer(&spec).write(None, &[rows]).expect("written");
    lake.append(&spec, vec![file], Commit { data_change: true, ..Commit::default() }).await.expect("appended");
}

fn config_of_builds() -> transform::Config {
    let defaults = include_str!("../../cli/default.toml");
    let defaults: Defaults = schema::parse_toml(Path::new("default.toml"), defaults).expect("settings");
    transform::Config { chunk_rows: 1_000, as_of_days: 1, warning: defaults.warning }
}

/// A list, or a table, of the apples.
fn model(name: &str, head: &str, query: &str) -> Model {
    let text = format!("/*---\nabout = \"Apples.\"\nowner = \"office\"\npurpose = [\"portrait\"]\n{head}\n---*/\n{query}\n");
    Model::parse(Path::new(&format!("sql/{name}.sql")), &text, &Default::default()).expect("a model")
}

const LIVE: &str =
    "kind = \"list\"\nlive = true\ngrain = [\"id\"]\n[columns]\nday = { about = \"Open day.\", class = \"internal\" }";

async fn rows(lake: &Lake, table: &str) -> i64 {
    lake.snapshot(table).await.expect("readable").expect("a table").rows()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_committed_while_a_build_runs_are_the_next_builds() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = Lake::open(lake::Config { root: folder.path().join("lake"), durability: Durability::Os }).await.expect("a lake");
    let pipelines = [pipeline("apple"), pipeline("pear")];
    for it in &pipelines {
        add(&lake, it, 1).await;
    }
    let clock = CampusClock::new(chrono_tz::Asia::Shanghai, chrono::NaiveTime::MIN);
    let config = Config { memory_bytes: 64 << 20, partitions: 1, spill_dir: folder.path().join("spill") };
    let engine = Engine::new(config, lake.clone(), None, clock).expect("an engine");
    let graph = Graph::new(&pipelines, &[], None).expect("a graph");
    let config = config_of_builds();
    let builder = Builder::new(&engine, &graph, &pipelines, config).await.expect("a builder");

    // When the first table is begun, a row is committed to what each of them is made of.
    let meanwhile = |n: i64| {
        let (lake, pipelines) = (&lake, &pipelines);
        move |step: transform::Progress| {
            if step.done == 0 {
                tokio::task::block_in_place(|| {
                    Handle::current().block_on(async {
                        for it in pipelines {
                            add(lake, it, n).await;
                        }
                    });
                });
            }
        }
    };
    builder.build(20_000, &[], false, &meanwhile(2)).await.expect("built");
    assert_eq!((rows(&lake, "stg_apple").await, rows(&lake, "stg_pear").await), (1, 1));
    // Nothing of what came is forgotten, and a builder that is used again looks anew.
    builder.build(20_000, &[], false, &meanwhile(3)).await.expect("built");
    assert_eq!((rows(&lake, "stg_apple").await, rows(&lake, "stg_pear").await), (2, 2));
    builder.build(20_000, &[], false, &|_| {}).await.expect("built");
    assert_eq!((rows(&lake, "stg_apple").await, rows(&lake, "stg_pear").await), (3, 3));
}

/// A log without rows, which counts how often it is looked at.
#[derive(Debug)]
struct Looked {
    pipeline: Pipeline,
    looks: AtomicUsize,
}

impl Tails for Looked {
    fn tail(&self, table: &str) -> Result<Option<TableTail>, Box<dyn std::error::Error + Send + Sync>> {
        self.looks.fetch_add(1, Ordering::Relaxed);
        let tail = TableTail { app_id: "log/0", schema: raw_schema(&self.pipeline), partition_by: None, parts: Vec::new() };
        Ok((table == self.pipeline.raw_table()).then_some(tail))
    }

    fn tables(&self) -> Vec<String> {
        vec![self.pipeline.raw_table()]
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_of_raw_rows_and_of_their_staging_looks_at_the_log_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = Lake::open(lake::Config { root: folder.path().join("lake"), durability: Durability::Os }).await.expect("a lake");
    let pipelines = [pipeline("apple")];
    add(&lake, &pipelines[0], 1).await;
    let clock = CampusClock::new(chrono_tz::Asia::Shanghai, chrono::NaiveTime::MIN);
    let config = Config { memory_bytes: 64 << 20, partitions: 1, spill_dir: folder.path().join("spill") };
    let looked = Arc::new(Looked { pipeline: pipelines[0].clone(), looks: AtomicUsize::new(0) });
    let engine = Engine::new(config, lake.clone(), None, clock).expect("an engine").with_tails(looked.clone());
    let graph = Graph::new(&pipelines, &[], None).expect("a graph");
    let builder = Builder::new(&engine, &graph, &pipelines, config_of_builds()).await.expect("a builder");
    let query = "SELECT count(*) AS n FROM raw_apple CROSS JOIN stg_apple";
    let context = builder.live_context(query, "the query", 20_000).await.expect("tables");
    assert_eq!(looked.looks.load(Ordering::Relaxed), 1, "two looks would be of two instants");
    let found = context.sql(query).await.expect("planned").collect().await.expect("read");
    assert_eq!(found[0].column(0).as_primitive::<Int64Type>().value(0), 1, "the row is staged, although nothing was built");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_of_the_open_day_is_made_anew_when_rows_came_or_the_day_is_another() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = Lake::open(lake::Config { root: folder.path().join("lake"), durability: Durability::Os }).await.expect("a lake");
    let pipelines = [pipeline("apple"), pipeline("pear")];
    add(&lake, &pipelines[0], 1).await;
    let clock = CampusClock::new(chrono_tz::Asia::Shanghai, chrono::NaiveTime::MIN);
    let config = Config { memory_bytes: 64 << 20, partitions: 1, spill_dir: folder.path().join("spill") };
    let engine = Engine::new(config, lake.clone(), None, clock).expect("an engine");
    let models = [model("list_apple", LIVE, "SELECT id, $as_of AS day FROM stg_apple")];
    let graph = Graph::new(&pipelines, &models, None).expect("a graph");
    // A tick looks at these raw tables and no others.
    let live = graph.live();
    assert_eq!(live, ["list_apple"]);
    assert_eq!(graph.raw_of(&live).into_iter().collect::<Vec<_>>(), ["raw_apple"]);
    let builder = Builder::new(&engine, &graph, &pipelines, config_of_builds()).await.expect("a builder");
    let build = async |day: i32| -> Action {
        let built = builder.build(day, &live, false, &|_| {}).await.expect("built");
        assert_eq!(built.iter().map(|it| it.table.as_str()).collect::<Vec<_>>(), ["stg_apple", "list_apple"]);
        built[1].action.clone()
    };
    assert_eq!(build(20_000).await, Action::All("never built".to_owned()));
    assert_eq!(build(20_000).await, Action::Fresh);
    add(&lake, &pipelines[1], 1).await;
    assert_eq!(build(20_000).await, Action::Fresh, "of another source");
    add(&lake, &pipelines[0], 2).await;
    assert_eq!(build(20_000).await, Action::All("an input changed".to_owned()));
    assert_eq!(rows(&lake, "list_apple").await, 2);
    // The open day is part of what it is made of, and so a night that builds it finds it made.
    assert_eq!(build(20_001).await, Action::All("another day began".to_owned()));
    assert_eq!(build(20_001).await, Action::Fresh);
}

const DAY: i32 = 20_332;
const LOG: &str = "log/0";

/// Passages of a gate.
fn passages() -> Pipeline {
    let text = r#"
        [pipeline]
        name = "gate"
        about = "Passages."
        shape = "event"
        owner = "office"
        purpose = ["portrait"]
        retention = "4y"
        push = true
        source = { format = "jsonl", path = "gate/*.jsonl" }
        [contract]
        version = 1
        key = ["id"]
        occurred_at = { column = "at", as = "epoch_ms" }
        start = "2025-07-01"
        usual_delay = "1d"
        [columns]
        id = { type = "int64", required = true, class = "internal", about = "Number." }
        at = { type = "int64", required = true, unit = "ms", class = "internal", about = "Instant." }"#;
    Pipeline::parse(Path::new(""), text).expect("a contract")
}

/// One passage as it lies in a file, without its day.
fn passage(pipeline: &Pipeline, n: i64) -> RecordBatch {
    let schema = raw_schema(pipeline);
    let fields: Vec<&Field> = schema.fields().iter().filter(|it| it.name() != "occurred_on").map(|it| it.as_ref()).collect();
    let columns = fields.iter().map(|it| -> ArrayRef {
        match it.data_type() {
            DataType::Boolean => Arc::new(BooleanArray::from(vec![false])),
            DataType::Timestamp(..) => Arc::new(TimestampMicrosecondArray::from(vec![n]).with_timezone("UTC")),
            DataType::Int32 => Arc::new(Int32Array::from(vec![0])),
            _ => Arc::new(Int64Array::from(vec![n])),
        }
    });
    let plain = fields.iter().map(|it| (*it).clone().with_metadata(Default::default()));
    RecordBatch::try_new(Arc::new(Schema::new(plain.collect::<Vec<_>>())), columns.collect()).expect("columns fit")
}

/// A log with passages, each at the position of its number.
#[derive(Debug)]
struct Passages {
    pipeline: Pipeline,
    waiting: Mutex<Vec<i64>>,
}

impl Passages {
    /// Moves one into the table; the log still has it.
    async fn commit(&self, lake: &Lake, n: i64) {
        let spec = TableSpec {
            name: self.pipeline.raw_table(),
            sort_by: raw_sort(&self.pipeline),
            schema: raw_schema(&self.pipeline),
            partition_by: Some("occurred_on".to_owned()),
            stats_columns: Vec::new(),
            properties: Default::default(),
        };
        let file = lake.writer(&spec).write(Some(DAY), &[passage(&self.pipeline, n)]).expect("written");
        let commit = Commit { position: Some((LOG.to_owned(), n)), data_change: true, ..Commit::default() };
        lake.append(&spec, vec![file], commit).await.expect("appended");
    }
}

impl Tails for Passages {
    fn tail(&self, table: &str) -> Result<Option<TableTail>, Box<dyn std::error::Error + Send + Sync>> {
        let part = |n: &i64| TailPart { position: *n, day: Some(DAY), batch: passage(&self.pipeline, *n) };
        let parts = self.waiting.lock().expect("no panic").iter().map(part).collect();
        let schema = raw_schema(&self.pipeline);
        let tail = TableTail { app_id: LOG, schema, partition_by: Some("occurred_on".to_owned()), parts };
        Ok((table == self.pipeline.raw_table()).then_some(tail))
    }

    fn tables(&self) -> Vec<String> {
        vec![self.pipeline.raw_table()]
    }
}

/// The figure of the list of passages.
async fn listed(engine: &Engine) -> i64 {
    let table = engine.table("list_gate").await.expect("readable").expect("a list");
    let context = engine.context();
    context.register_table("held", table).expect("registered");
    let found = context.sql("SELECT n FROM held").await.expect("planned").collect().await.expect("read");
    found[0].column(0).as_primitive::<Int64Type>().value(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tick_in_between_stores_lists_that_changed_and_nothing_else_and_the_next_ones_find_them_as_they_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = Lake::open(lake::Config { root: folder.path().join("lake"), durability: Durability::Os }).await.expect("a lake");
    let log = Arc::new(Passages { pipeline: passages(), waiting: Mutex::default() });
    let clock = CampusClock::new(chrono_tz::Asia::Shanghai, chrono::NaiveTime::MIN);
    let config = Config { memory_bytes: 64 << 20, partitions: 1, spill_dir: folder.path().join("spill") };
    let engine = Engine::new(config, lake.clone(), None, clock).expect("an engine").with_tails(log.clone());
    let of_day = "kind = \"table\"\nlive = true\nmaterialized = \"day\"\ngrain = [\"occurred_on\"]\n[columns]\n\
                  n = { about = \"Passages.\", class = \"internal\" }";
    let of_all = "kind = \"table\"\nlive = true\nmaterialized = \"whole\"\ngrain = [\"one\"]\n[columns]\n\
                  one = { about = \"One.\", class = \"internal\" }\nn = { about = \"Passages.\", class = \"internal\" }";
    let list = "kind = \"list\"\nlive = true\ngrain = [\"one\"]\n[columns]\n\
                day = { about = \"Open day.\", class = \"internal\" }";
    let models = [
        model("gate_day", of_day, "SELECT occurred_on, count(*) AS n FROM stg_gate GROUP BY occurred_on"),
        model("gate_sum", of_all, "SELECT CAST(1 AS BIGINT) AS one, sum(n) AS n FROM gate_day WHERE occurred_on <= $as_of"),
        model("list_gate", list, "SELECT one, n, $as_of AS day FROM gate_sum"),
        model("list_crowd", list, "SELECT one, n, $as_of AS day FROM gate_sum WHERE n > 1000"),
    ];
    let pipelines = [log.pipeline.clone()];
    let graph = Graph::new(&pipelines, &models, None).expect("a graph");
    let live = graph.live();
    let builder = Builder::new(&engine, &graph, &pipelines, config_of_builds()).await.expect("a builder");
    let build = async |writes: Writes| {
        let built = builder.build_live(DAY, &live, writes).await.expect("built");
        (built.commits, built.is_ahead)
    };
    let versions = async || {
        let mut versions = Vec::new();
        for table in ["gate_day", "gate_sum", "list_gate", "list_crowd"] {
            versions.push(lake.snapshot(table).await.expect("readable").expect("a table").version);
        }
        versions
    };

    log.commit(&lake, 1).await;
    assert_eq!(build(Writes::All).await, (6, false), "and the tables of rows that came twice and of what came by day");
    assert_eq!((versions().await, listed(&engine).await), (vec![0, 0, 0, 0], 1));
    assert_eq!(build(Writes::All).await, (0, false));

    // A row that only the log has is in the list that counts it. The other one stays as it is, and so do the tables.
    log.waiting.lock().expect("no panic").push(2);
    assert_eq!(build(Writes::Lists).await, (1, true));
    assert_eq!((versions().await, listed(&engine).await), (vec![0, 0, 1, 0], 2));
    assert_eq!(build(Writes::Lists).await, (0, true), "nothing came, and it is still to be stored");

    // Once it is in its table it is counted once, though the log still has it, and the list is not written again.
    log.commit(&lake, 2).await;
    assert_eq!(build(Writes::All).await, (4, false));
    assert_eq!((versions().await, listed(&engine).await), (vec![1, 1, 1, 0], 2));
    assert_eq!(build(Writes::All).await, (0, false));

    // Whoever knows nothing of that makes the lists again: what was made of rows without a version is never taken for fresh.
    let night = Builder::new(&engine, &graph, &pipelines, config_of_builds()).await.expect("a builder");
    let built = night.build(DAY, &live, false, &|_| {}).await.expect("built");
    let action = |table: &str| built.iter().find(|it| it.table == table).expect("built").action.clone();
    assert_eq!(action("gate_day"), Action::Fresh);
    assert_eq!(action("list_gate"), Action::All("an input was made anew".to_owned()));
    assert_eq!(listed(&engine).await, 2);
    let built = night.build(DAY, &live, false, &|_| {}).await.expect("built");
    assert!(built.iter().all(|it| it.action == Action::Fresh), "{built:?}");
}

#[test]
fn what_is_live_reads_nothing_that_is_written_once_a_date() {
    let pipelines = [pipeline("apple")];
    let dated = model("apple_dated", "kind = \"table\"\nmaterialized = \"as_of\"\ngrain = [\"id\"]", "SELECT id FROM stg_apple");
    let list = model("list_apple", LIVE, "SELECT id, $as_of AS day FROM apple_dated");
    let error = Graph::new(&pipelines, &[dated, list], None).expect_err("refused").to_string();
    assert!(error.contains("is live and reads \"apple_dated\""), "{error}");
}

#[test]
fn live_is_a_word_of_stored_tables_and_tell_one_of_lists_about_nobody() {
    let refused = |head: &str| {
        let text = format!(
            "/*---\nabout = \"Apples.\"\nowner = \"office\"\ngrain = [\"id\"]\n{head}\n---*/\nSELECT id FROM stg_apple\n"
        );
        Model::parse(Path::new("sql/x.sql"), &text, &Default::default()).map_or_else(|it| it.to_string(), |_| String::new())
    };
    assert_eq!(refused("kind = \"list\"\nlive = true\ntell = true"), "");
    assert_eq!(refused("kind = \"table\"\nlive = true\nmaterialized = \"day\""), "");
    assert!(refused("kind = \"table\"\nlive = true\nmaterialized = \"as_of\"").contains("written once"));
    assert!(refused("kind = \"list\"\nlive = true\ncomplete_at = \"23:30\"").contains("from_at"));
    assert!(refused("kind = \"list\"\nlive = true\ntell = true\nsubject = \"student_key\"").contains("about no person"));
    assert!(refused("kind = \"list\"\ntell = true").contains("about no person"));
}
