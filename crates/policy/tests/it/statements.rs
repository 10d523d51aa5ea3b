//! What is refused whatever the policy says, and what is told of a refusal.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::TableProvider;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::common::ScalarValue;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use policy::{Cause, Config, Error, LookedUp, Parts, Sessions, TableEntry, Tables};

use crate::campus::{
    Lake, Notebook, answer, clock, config, counselor, key, open, policies, principal, purchase_schema, sessions_of,
};

#[tokio::test]
async fn nothing_is_written_and_nothing_is_set() {
    let session = open(counselor()).await;
    let folder = tempfile::tempdir().expect("folder");
    let out = folder.path().join("out").display().to_string();
    for sql in [
        format!("COPY card TO '{out}.parquet'"),
        format!("COPY (SELECT * FROM card) TO '{out}.csv' STORED AS CSV"),
        format!("CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '{out}'"),
        "CREATE EXTERNAL TABLE passwd (line text) STORED AS CSV LOCATION '/etc/passwd'".to_owned(),
        "CREATE TABLE x AS SELECT * FROM card".to_owned(),
        "CREATE VIEW x AS SELECT * FROM card".to_owned(),
        "CREATE SCHEMA x".to_owned(),
        "CREATE DATABASE x".to_owned(),
        "CREATE FUNCTION f(int) RETURNS int RETURN $1".to_owned(),
        "DROP TABLE card".to_owned(),
        "INSERT INTO card SELECT * FROM card".to_owned(),
        "UPDATE card SET place = 'x'".to_owned(),
        "DELETE FROM card".to_owned(),
        "TRUNCATE TABLE card".to_owned(),
        "SET datafusion.execution.batch_size = 1".to_owned(),
        "RESET datafusion.execution.batch_size".to_owned(),
        "PREPARE p AS SELECT * FROM card".to_owned(),
        "BEGIN".to_owned(),
        "SHOW ALL".to_owned(),
        format!("EXPLAIN COPY card TO '{out}.parquet'"),
        "EXPLAIN INSERT INTO card SELECT * FROM card".to_owned(),
    ] {
        let (sqlstate, message) = answer(&session, &sql).await.expect_err(&sql);
        assert_eq!(sqlstate, "25006", "{sql}: {message}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).expect("folder").count(), 0);
    assert_eq!(answer(&session, "SELECT 1; SELECT 2").await.expect_err("two").0, "0A000");
    assert_eq!(answer(&session, "SELECT * FROM '/etc/passwd'").await.expect_err("path").0, "42P01");
    assert_eq!(answer(&session, "SELECT * INTO x FROM card").await.expect_err("into").0, "25006");
}

#[tokio::test]
async fn what_only_reads_is_answered() {
    let session = open(counselor()).await;
    for sql in ["SHOW TABLES", "DESCRIBE card", "SHOW COLUMNS FROM card", "EXPLAIN SELECT 1", "SELECT 1", "VALUES (1)"] {
        answer(&session, sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }
    let described = answer(&session, "DESCRIBE dim_student").await.expect("described").join("\n");
    assert!(described.contains("college") && !described.contains("counselor_key"), "{described}");
}

#[tokio::test]
async fn explain_analyze_is_for_administrators() {
    let sql = "EXPLAIN ANALYZE SELECT count(*) FROM cockpit_day";
    assert_eq!(answer(&open(counselor()).await, sql).await.expect_err(sql).0, "42501");
    assert_eq!(answer(&open(counselor()).await, "EXPLAIN ANALYZE VERBOSE SELECT 1").await.expect_err(sql).0, "42501");
    answer(&open(principal("administrator", &[], None)).await, sql).await.expect("an administrator may");
}

#[tokio::test]
async fn the_planners_words_about_ones_own_text_are_shown() {
    let session = open(counselor()).await;
    for (sql, sqlstate, word) in [
        ("SELEC 1", "42601", "SELEC"),
        ("SELECT plaice FROM card", "42703", "plaice"),
        ("SELECT * FROM cards", "42P01", "cards"),
        ("SELECT sum(place, 1, 2) FROM card", "42000", "sum"),
        ("SELECT $1", "42000", "$1"),
    ] {
        let (actual, message) = answer(&session, sql).await.expect_err(sql);
        assert_eq!(actual, sqlstate, "{sql}: {message}");
        assert!(message.contains(word), "{sql}: {message}");
    }
}

#[tokio::test]
async fn values_are_bound_and_never_spliced() {
    let session = open(counselor()).await;
    let bound = vec![ScalarValue::from("食堂' OR true OR place = '")];
    let mut rows = session.sql_with("SELECT count(*) FROM card WHERE place = $1", bound).await.expect("bound");
    assert_eq!(crate::campus::lines(&rows.collect().await.expect("rows")), ["0"]);
    let named = vec![("place", ScalarValue::from("食堂"))];
    let mut rows = session.sql_with("SELECT count(*) FROM card WHERE place = $place", named).await.expect("bound");
    assert_ne!(crate::campus::lines(&rows.collect().await.expect("rows")), ["0"]);
}

fn sessions_with(config: Config, lake: impl Tables + 'static, audit: Arc<Notebook>) -> Sessions {
    let mut parts = Parts::new(policies(), Arc::new(lake), clock(), [3; 32]);
    parts.audit = audit;
    Sessions::new(config, parts).expect("sessions")
}

#[tokio::test]
async fn rows_end_at_the_limit_and_say_so() {
    let audit = Arc::new(Notebook::default());
    let sessions = sessions_with(Config { rows_max: 7, ..config() }, Lake::new(), Arc::clone(&audit));
    let session = sessions.open(counselor()).await.expect("session");
    for (limit, expected, is_truncated) in [(20, 7, true), (7, 7, false), (6, 6, false)] {
        let mut rows = session.sql(&format!("SELECT * FROM card LIMIT {limit}")).await.expect("rows");
        let n: usize = rows.collect().await.expect("rows").iter().map(|it| it.num_rows()).sum();
        assert_eq!((n, rows.is_truncated()), (expected, is_truncated), "limit {limit}");
    }
    let answered = audit.answered.lock().expect("unpoisoned");
    assert_eq!(answered.iter().map(|it| it.rows).collect::<Vec<_>>(), [7, 7, 6]);
}

#[tokio::test]
async fn a_look_up_beyond_the_limit_of_rows_is_refused_whole() {
    let audit = Arc::new(Notebook::default());
    // The days of all purchases, five of each student, asked for twice.
    let days: Vec<i32> = (20_513..20_516).collect();
    let cards = [LookedUp { table: "card", columns: &["place"], days: &days }; 2];
    for (rows_max, is_let) in [(10, true), (9, false)] {
        let sessions = sessions_with(Config { rows_max, ..config() }, Lake::new(), Arc::clone(&audit));
        let session = sessions.open(counselor()).await.expect("session");
        match session.look_up(key(1), &cards).await {
            Ok(found) => {
                let rows: usize = found.iter().flatten().map(|it| it.num_rows()).sum();
                assert_eq!((rows, is_let), (10, true));
            }
            Err(Error::Query { sqlstate, .. }) => assert_eq!((sqlstate, is_let), ("54000", false)),
            Err(other) => panic!("{other}"),
        }
    }
    let answered = audit.answered.lock().expect("unpoisoned");
    assert_eq!(answered.iter().map(|it| (it.rows, it.sqlstate)).collect::<Vec<_>>(), [(10, None), (0, Some("54000"))]);
}

#[tokio::test]
async fn a_text_without_end_is_refused() {
    let sessions = sessions_with(Config { sql_bytes_max: 100, ..config() }, Lake::new(), Arc::default());
    let session = sessions.open(counselor()).await.expect("session");
    let sql = format!("SELECT {}", "1 + ".repeat(100));
    assert_eq!(answer(&session, &sql).await.expect_err("long").0, "54000");
}

/// A table whose rows never come.
#[derive(Debug)]
struct Silent(SchemaRef);

impl PartitionStream for Silent {
    fn schema(&self) -> &SchemaRef {
        &self.0
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.0), futures::stream::pending()))
    }
}

fn silent() -> Lake {
    let schema = purchase_schema();
    let stream = Arc::new(Silent(Arc::clone(&schema)));
    let table: Arc<dyn TableProvider> = Arc::new(StreamingTable::try_new(schema, vec![stream]).expect("table"));
    let mut lake = Lake::new();
    lake.0.insert("card".to_owned(), TableEntry::new(table, Some("student_key"), 1));
    lake
}

#[tokio::test]
async fn a_query_that_waits_for_ever_is_ended() {
    let sessions = sessions_with(Config { timeout_ms: 20, ..config() }, silent(), Arc::default());
    let session = sessions.open(counselor()).await.expect("session");
    for sql in ["SELECT * FROM card", "SELECT count(*) FROM card"] {
        assert_eq!(answer(&session, sql).await.expect_err(sql).0, "57014", "{sql}");
    }
}

#[tokio::test]
async fn a_query_that_counts_for_ever_is_ended() {
    let sessions = sessions_with(Config { timeout_ms: 20, ..config() }, Lake::new(), Arc::default());
    let session = sessions.open(counselor()).await.expect("session");
    let sql = "WITH RECURSIVE r AS (SELECT 0 AS i UNION ALL SELECT i + 1 FROM r) SELECT max(i) FROM r";
    assert_eq!(answer(&session, sql).await.expect_err(sql).0, "57014");
}

#[tokio::test]
async fn a_query_that_wants_too_much_memory_is_told_so() {
    let sessions = sessions_with(Config { memory_bytes: 100_000, spill_bytes: 0, ..config() }, Lake::new(), Arc::default());
    let session = sessions.open(counselor()).await.expect("session");
    let sql = "SELECT a.value FROM generate_series(1, 1000000) AS a ORDER BY a.value % 7919, a.value";
    assert_eq!(answer(&session, sql).await.expect_err(sql).0, "53200");
}

/// A lake whose errors name paths.
struct Broken;

#[async_trait]
impl Tables for Broken {
    async fn table(&self, name: &str) -> Result<Option<TableEntry>, Cause> {
        match name {
            "dim_student" => Ok(None),
            name => Err(format!("cannot open /srv/lake/{name}/_delta_log").into()),
        }
    }

    fn names(&self) -> Result<Vec<String>, Cause> {
        Ok(vec!["card".to_owned()])
    }
}

#[tokio::test]
async fn what_the_lake_says_goes_to_the_audit_log_and_nowhere_else() {
    let audit = Arc::new(Notebook::default());
    let session = sessions_with(config(), Broken, Arc::clone(&audit)).open(counselor()).await.expect("session");
    for sql in ["SELECT * FROM card", "EXPLAIN SELECT * FROM card", "SELECT * FROM information_schema.columns"] {
        let (_, message) = answer(&session, sql).await.expect_err(sql);
        assert!(!message.contains("/srv"), "{sql}: {message}");
    }
    let answered = audit.answered.lock().expect("unpoisoned");
    assert!(answered[0].detail.as_deref().is_some_and(|it| it.contains("card")), "{answered:?}");
}

#[tokio::test]
async fn every_query_is_written_down_with_its_tables_and_the_policy_in_force() {
    let audit = Arc::new(Notebook::default());
    let sessions = sessions_with(config(), Lake::new(), Arc::clone(&audit));
    let session = sessions.open(counselor()).await.expect("session");
    answer(&session, "SELECT (SELECT max(n) FROM cockpit_day), count(*) FROM card").await.expect("rows");
    answer(&session, "SELECT nothing FROM nowhere").await.expect_err("refused");
    let asked = audit.asked.lock().expect("unpoisoned");
    assert_eq!(asked[0].tables, ["card", "cockpit_day"]);
    assert_eq!((asked[0].account.as_str(), asked[0].policy_hash.as_str()), ("someone", session.policy_hash()));
    assert_eq!(asked[1].sql, "SELECT nothing FROM nowhere");
    assert_ne!(asked[0].query_id, asked[1].query_id);
    let answered = audit.answered.lock().expect("unpoisoned");
    assert_eq!(answered.iter().map(|it| it.sqlstate).collect::<Vec<_>>(), [None, Some("42P01")]);
}

#[tokio::test]
async fn a_look_up_is_written_down_with_the_tables_that_exist_for_the_session() {
    let audit = Arc::new(Notebook::default());
    let session = sessions_with(config(), Lake::new(), Arc::clone(&audit)).open(counselor()).await.expect("session");
    let of = |table| LookedUp { table, columns: &["place"], days: &[1] };
    session.look_up(7, &[of("card"), of("unruled"), of("card")]).await.expect("looked up");
    session.look_up(7, &[of("cockpit_day")]).await.expect_err("figures are about nobody");
    let asked = audit.asked.lock().expect("unpoisoned");
    assert_eq!(asked.iter().map(|it| it.tables.join(",")).collect::<Vec<_>>(), ["card", "cockpit_day"]);
    assert_eq!(asked[0].sql, "look up 7");
    let answered = audit.answered.lock().expect("unpoisoned");
    assert_eq!(answered.iter().map(|it| it.sqlstate).collect::<Vec<_>>(), [None, Some("42000")]);
}

#[tokio::test]
async fn without_an_audit_log_nothing_is_read() {
    let audit = Arc::new(Notebook { is_broken: true, ..Notebook::default() });
    let session = sessions_with(config(), Lake::new(), audit).open(counselor()).await.expect("session");
    let refused = session.sql("SELECT * FROM card").await;
    assert!(matches!(refused, Err(Error::Unaudited { .. })));
    let refused = session.look_up(1, &[LookedUp { table: "card", columns: &[], days: &[1] }]).await;
    assert!(matches!(refused, Err(Error::Unaudited { .. })));
}

#[tokio::test]
async fn a_role_or_purpose_that_nobody_wrote_down_opens_no_session() {
    let sessions = sessions_of(Lake::new());
    let stranger = principal("rector", &[], None);
    assert!(matches!(sessions.open(stranger).await, Err(Error::NoSuchRole { .. })));
    let mut curious = counselor();
    curious.purpose = "curiosity".to_owned();
    assert!(matches!(sessions.open(curious).await, Err(Error::PurposeRefused { .. })));
}
