//! A question is planned by itself, and a lake of another version says that it is one.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use engine::{Config, Engine};
use lake::{Commit, Durability, Lake, TableSpec};
use schema::Pipeline;
use schema::time::CampusClock;
use serde::Deserialize;
use transform::{Builder, Graph};

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
        id = {{ type = "int64", required = true, class = "internal", about = "Number." }}
        colour = {{ type = "int64", class = "internal", about = "Colour." }}"#
    );
    Pipeline::parse(Path::new(""), &text).expect("a contract")
}

/// A staging table as a version of before `colour` wrote it.
async fn write_old(lake: &Lake, table: &str) {
    let schema = Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, true)]));
    let column: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let rows = RecordBatch::try_new(schema.clone(), vec![column]).expect("columns fit");
    let spec = TableSpec {
        name: table.to_owned(),
        sort_by: vec!["id".to_owned()],
        schema,
        partition_by: None,
        stats_columns: Vec::new(),
        properties: Default::default(),
    };
    let file = lake.writer(&spec).write(None, &[rows]).expect("written");
    lake.append(&spec, vec![file], Commit { data_change: true, ..Commit::default() }).await.expect("appended");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_meets_what_it_names_and_is_told_of_a_lake_of_another_version() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = Lake::open(lake::Config { root: folder.path().join("lake"), durability: Durability::Os }).await.expect("a lake");
    let pipelines = [pipeline("apple"), pipeline("pear")];
    for table in ["stg_apple", "stg_pear"] {
        write_old(&lake, table).await;
    }
    let clock = CampusClock::new(chrono_tz::Asia::Shanghai, chrono::NaiveTime::MIN);
    let config = Config { memory_bytes: 64 << 20, partitions: 1, spill_dir: folder.path().join("spill") };
    let engine = Engine::new(config, lake.clone(), None, clock).expect("an engine");
    let graph = Graph::new(&pipelines, &[], None).expect("a graph");
    let defaults = include_str!("../../cli/default.toml");
    let defaults: Defaults = schema::parse_toml(Path::new("default.toml"), defaults).expect("settings");
    let builder = |query: &'static str| {
        let config = transform::Config { chunk_rows: 1_000, as_of_days: 1, warning: defaults.warning.clone() };
        Builder::for_query(&engine, &graph, &pipelines, config, query)
    };
    let nothing = builder("SELECT 1").await.expect("a builder");
    assert!(nothing.schema("stg_apple").is_none() && nothing.schema("stg_pear").is_none());
    let asked = builder("SELECT colour FROM stg_apple UNION ALL SELECT id FROM stg_apple").await.expect("a builder");
    assert!(asked.schema("stg_apple").is_some() && asked.schema("stg_pear").is_none(), "planned is what is asked for");
    let all = builder("SHOW TABLES").await.expect("a builder");
    assert!(all.schema("stg_apple").is_some() && all.schema("stg_pear").is_some());

    let query = "SELECT colour FROM stg_apple";
    let found = builder(query).await.expect("a builder").older(query, "No field named colour.").await.expect("a lake");
    assert_eq!(found, Some(("stg_apple".to_owned(), "colour".to_owned())));
    // A slip of the pen is none of the lake's.
    let query = "SELECT color FROM stg_apple";
    let found = builder(query).await.expect("a builder").older(query, "No field named color.").await.expect("a lake");
    assert_eq!(found, None);
}
