//! Rows of a real PostgreSQL server on this machine, from the table to the lake's columns.
//!
//! The server is the machine's own program over an empty folder, with a random port and a password; it ends with the test.

use std::collections::BTreeMap;
use std::path::Path;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use ingest::{Door, Error, FileInput, KnownAt, Limits, PersonConfig, Persons, Pulled, Taken, database_url, pull};
use schema::time::CampusClock;
use schema::{Blame, PersonKind, Pipeline};
use sqlx::{Connection, PgConnection};
use testkit::postgres::{PASSWORD, Server, USER};

mod vault;

async fn connection(server: &Server) -> PgConnection {
    PgConnection::connect(&server.url()).await.expect("the server answers")
}

const TABLE: &str = r#"table = "public.student", watermark = "changed", overlap = "1h""#;

fn pipeline(source: &str) -> Pipeline {
    pipeline_with(source, "")
}

fn pipeline_with(source: &str, more: &str) -> Pipeline {
    let text = format!(
        r#"
        [pipeline]
        name = "student"
        about = "Students."
        shape = "state"
        owner = "office"
        purpose = ["portrait"]
        retention = "4y"
        source = {{ kind = "postgres", url_env = "SIS_DATABASE_URL", {source} }}
        [contract]
        version = 1
        key = ["student_id"]
        usual_delay = "1d"
        changed_at = ["changed"]
        [columns]
        student_id = {{ head = "XH", type = "text", required = true, person = "student", class = "identity", about = "Student." }}
        note = {{ type = "text", class = "closed", about = "Text." }}
        fee_fen = {{ head = "fee", type = "int64", decimal_shift = 2, class = "trace", about = "Amount." }}
        is_open = {{ type = "boolean", class = "internal", about = "Truth." }}
        born = {{ type = "date", class = "internal", about = "Day." }}
        seen_at = {{ type = "timestamp", class = "trace", about = "Local time." }}
        changed = {{ head = "updated_at", type = "timestamp", class = "internal", about = "Change." }}
        {more}"#
    );
    Pipeline::parse(Path::new(""), &text).unwrap_or_else(|it| panic!("{it}"))
}

const SCHEMA: &str = r#"
    CREATE TABLE student (
        "XH" varchar(12) PRIMARY KEY, note text, fee numeric(10, 2), is_open boolean, born date, seen_at timestamp,
        updated_at timestamptz
    );
    INSERT INTO student VALUES
        ('2023000001', NULL, 12.35, true, '2005-03-04', '2025-09-01 07:02:03.25', '2025-09-01 08:00:00+08'),
        ('2023000002', E'王小明 "a quote", a \\ and\na line', -0.07, false, NULL, NULL, '2025-09-01 02:00:00.123456+00'),
        ('2023000003', '𠮷', NULL, NULL, '1999-12-31', '2025-09-01 00:00:00', '2025-09-01 03:00:00+00');
"#;

async fn pulled(server: &Server, pipeline: &Pipeline, high: Option<&str>) -> Pulled {
    pull(pipeline, &server.url(), high, &Limits::default()).await.unwrap_or_else(|it| panic!("{it}: {:?}", source(&it)))
}

async fn refused(server: &Server, pipeline: &Pipeline) -> Error {
    pull(pipeline, &server.url(), None, &Limits::default()).await.expect_err("a refusal")
}

fn source(error: &dyn std::error::Error) -> Vec<String> {
    std::iter::successors(error.source(), |it| it.source()).map(ToString::to_string).collect()
}

fn taken(pipeline: &Pipeline, pulled: &Pulled) -> Taken {
    let config = PersonConfig { pattern: r"20\d{8}".to_owned(), ..PersonConfig::default() };
    let persons = Persons::new(&BTreeMap::from([(PersonKind::Student, config)])).expect("a pattern");
    let vault = vault::Vault::default();
    let door = Door {
        pipeline,
        clock: CampusClock::new(chrono_tz::Asia::Shanghai, chrono::NaiveTime::from_hms_opt(4, 0, 0).expect("04:00 exists")),
        persons: &persons,
        pseudonyms: &vault,
        seal: &vault,
        now_us: 1_800_000_000_000_000,
        known: KnownAt::At(1_800_000_000_000_000),
        limits: Limits::default(),
    };
    let file = FileInput { path: Path::new("none"), file_no: 1, display: "public.student" };
    door.take_bytes(&file, &pulled.bytes).expect("a whole feed")
}

/// The last digits of the students in what was pulled, in its order.
fn students(pulled: &Pulled) -> Vec<i64> {
    let line = |it: &[u8]| serde_json::from_slice::<serde_json::Value>(it).expect("a JSON line");
    let lines = pulled.bytes.split(|it| *it == b'\n').filter(|it| !it.is_empty()).map(line);
    let students: Vec<i64> =
        lines.map(|it| it["XH"].as_str().expect("a text").parse::<i64>().expect("a number") - 2_023_000_000).collect();
    assert_eq!(pulled.rows, students.len() as u64);
    students
}

#[tokio::test]
async fn every_value_of_the_first_pull_arrives_as_it_was() {
    let server = Server::start();
    server.run(SCHEMA);
    let pipeline = pipeline(TABLE);
    let pulled = pulled(&server, &pipeline, None).await;
    assert_eq!(students(&pulled), [1, 2, 3], "in the order of the watermark");
    assert_eq!(pulled.high.as_deref(), Some("2025-09-01 03:00:00+00"));

    let taken = taken(&pipeline, &pulled);
    assert_eq!((taken.counts.rows_kept, taken.counts.rows_quarantined), (3, 0), "{:?}", taken.reasons);
    let rows = &taken.parts[0].batch;
    let column = |name: &str| rows.column_by_name(name).expect("a column");
    let keys = column("student_key").as_primitive::<Int64Type>().values().to_vec();
    let row = |it: i64| keys.iter().position(|key| *key == 702_023_000_000_000 + it * 1_000).expect("a student");
    let (one, two, three) = (row(1), row(2), row(3));
    let notes = column("note").as_string::<i32>();
    assert!(notes.is_null(one));
    assert_eq!((notes.value(two), notes.value(three)), ("王小明 \"a quote\", a \\ and\na line", "𠮷"));
    let fees = column("fee_fen").as_primitive::<Int64Type>();
    assert_eq!((fees.value(one), fees.value(two), fees.is_null(three)), (1_235, -7, true));
    let open = column("is_open").as_boolean();
    assert_eq!((open.value(one), open.value(two), open.is_null(three)), (true, false, true));
    let born = column("born").as_primitive::<arrow::datatypes::Date32Type>();
    assert_eq!((born.value(one), born.is_null(two), born.value(three)), (12_846, true, 10_956));
    // 2025-09-01 08:00 in Shanghai is midnight UTC.
    let midnight = 1_756_684_800_000_000;
    let at = |name: &str, row: usize| column(name).as_primitive::<TimestampMicrosecondType>().value(row) - midnight;
    assert_eq!(at("seen_at", one), -(57 * 60 + 57) * 1_000_000 + 250_000);
    assert_eq!(at("seen_at", three), -28_800_000_000);
    assert_eq!((at("changed", one), at("changed", two)), (0, 7_200_123_456));
}

#[tokio::test]
async fn the_second_pull_takes_what_is_new_and_what_the_overlap_covers() {
    let server = Server::start();
    server.run(SCHEMA);
    let pipeline = pipeline(TABLE);
    let first = pulled(&server, &pipeline, None).await;

    // This row began before the first pull ended and is committed after it.
    let mut late = connection(&server).await;
    sqlx::raw_sql("BEGIN; INSERT INTO student VALUES ('2023000004', 'late', 1, true, NULL, NULL, '2025-09-01 02:30:00+00')")
        .execute(&mut late)
        .await
        .expect("a row");
    let nothing_new = pulled(&server, &pipeline, first.high.as_deref()).await;
    assert_eq!(students(&nothing_new), [2, 3], "from 02:00 on: an hour below 03:00");
    assert_eq!(nothing_new.high, first.high);

    sqlx::raw_sql("COMMIT").execute(&mut late).await.expect("the row is there");
    server.run(
        "UPDATE student SET note = 'changed', updated_at = '2025-09-01 12:00:00+08' WHERE \"XH\" = '2023000001';
             INSERT INTO student (\"XH\") VALUES ('2023000005');
             INSERT INTO student (\"XH\", updated_at) VALUES ('2023000006', '2025-09-01 00:30:00+00')",
    );
    let second = pulled(&server, &pipeline, nothing_new.high.as_deref()).await;
    // Five has no mark and may be new; six was dated below the overlap, which nobody promised to find.
    assert_eq!(students(&second), [2, 4, 3, 1, 5]);
    assert_eq!(second.high.as_deref(), Some("2025-09-01 04:00:00+00"));

    server.run("DELETE FROM student");
    let empty = pulled(&server, &pipeline, second.high.as_deref()).await;
    assert_eq!((empty.rows, empty.bytes.len(), empty.high), (0, 0, second.high), "the mark never goes back");
}

#[tokio::test]
async fn numbers_and_days_and_times_without_zone_are_watermarks_too() {
    let server = Server::start();
    server
        .run(
            "CREATE TABLE thing (\"XH\" text, seq bigint, day date, at timestamp);
             INSERT INTO thing SELECT '202300000' || it, it, date '2025-09-01' + it, timestamp '2025-09-01 00:00' + it * interval '1 h'
             FROM generate_series(1, 5) AS it",
        );
    let declared = |watermark: &str| {
        let text = format!(
            r#"
            [pipeline]
            name = "thing"
            about = "Things."
            shape = "state"
            owner = "office"
            purpose = ["portrait"]
            retention = "4y"
            source = {{ kind = "postgres", url_env = "SIS_DATABASE_URL", {watermark} }}
            [contract]
            version = 1
            key = ["seq"]
            usual_delay = "1d"
            [columns]
            number = {{ head = "XH", type = "text", class = "internal", about = "Text." }}
            seq = {{ type = "int64", required = true, class = "internal", about = "Number." }}
            day = {{ type = "date", class = "internal", about = "Day." }}
            at = {{ type = "timestamp", class = "internal", about = "Time." }}"#
        );
        Pipeline::parse(Path::new(""), &text).unwrap_or_else(|it| panic!("{it}"))
    };
    let cases = [
        (r#"table = "thing", watermark = "seq""#, "3", vec![3, 4, 5], "5"),
        (r#"table = "thing", watermark = "day""#, "2025-09-04", vec![3, 4, 5], "2025-09-06"),
        (r#"table = "thing", watermark = "day", overlap = "1d""#, "2025-09-04", vec![2, 3, 4, 5], "2025-09-06"),
        (r#"table = "thing", watermark = "at""#, "2025-09-01 03:00:00", vec![3, 4, 5], "2025-09-01 05:00:00"),
        (r#"table = "thing", watermark = "at", overlap = "90m""#, "2025-09-01 03:00:00", vec![2, 3, 4, 5], "2025-09-01 05:00:00"),
        (r#"query = "SELECT * FROM thing WHERE seq < 5; ", watermark = "seq""#, "2", vec![2, 3, 4], "4"),
        (r#"query = "SELECT * FROM thing -- all", watermark = "seq""#, "9", vec![], "9"),
    ];
    for (source, high, expected, new_high) in cases {
        let pipeline = declared(source);
        let next = pulled(&server, &pipeline, Some(high)).await;
        assert_eq!((students(&next), next.high.as_deref()), (expected, Some(new_high)), "{source}");
    }
    let whole = declared(r#"table = "thing""#);
    let all = pulled(&server, &whole, Some("ignored")).await;
    assert_eq!((all.rows, all.high), (5, None), "without a watermark all rows come every time");
}

#[tokio::test]
async fn an_undeclared_or_missing_column_is_refused_before_a_row_is_read() {
    let server = Server::start();
    server.run(SCHEMA);
    server.run("ALTER TABLE student ADD COLUMN phone text DEFAULT '13800000000'");
    let expected = "file \"public.student\": column 8 \"phone\" is not declared in pipeline \"student\"; \
                    declare it, or leave it out of the export";
    assert_eq!(refused(&server, &pipeline(TABLE)).await.to_string(), expected);
    let query = r#"query = "SELECT * FROM student""#;
    let error = refused(&server, &pipeline(query)).await;
    assert!(error.to_string().starts_with("file \"query of student\": column 8 \"phone\" is not declared"), "{error}");
    let narrower = r#"query = "SELECT \"XH\", note, fee, is_open, born, seen_at, updated_at FROM student""#;
    assert_eq!(pulled(&server, &pipeline(narrower), None).await.rows, 3);

    // A column that this user may not see is no column of theirs.
    server.run(
        "CREATE ROLE guest LOGIN PASSWORD 'guest';
             GRANT SELECT (\"XH\", note, fee, is_open, born, seen_at, updated_at) ON student TO guest",
    );
    let url = server.url().replace(&format!("{USER}:{PASSWORD}"), "guest:guest");
    assert_eq!(pull(&pipeline(TABLE), &url, None, &Limits::default()).await.expect("a pull").rows, 3);

    let more = r#"room = { type = "text", class = "internal", about = "Room." }"#;
    let error = refused(&server, &pipeline_with(narrower, more)).await;
    assert!(error.to_string().contains("lacks column \"room\" of pipeline \"student\""), "{error}");
    let error = refused(&server, &pipeline(r#"table = "public.studnt""#)).await;
    let expected =
        "pipeline \"student\": the database shows no table \"public.studnt\": correct source.table, or grant SELECT on it";
    assert_eq!((error.to_string().as_str(), error.blame()), (expected, Blame::Caller));
    let error = refused(&server, &pipeline(r#"query = "SELEC 1""#)).await;
    assert!(error.to_string().contains("source.query: ") && error.blame() == Blame::Caller, "{error}");
    let error = refused(&server, &pipeline(r#"query = "DELETE FROM student RETURNING *""#)).await;
    assert_eq!(error.blame(), Blame::Caller, "{error}");
    let error = refused(&server, &pipeline(r#"query = "SELECT 1; DELETE FROM student""#)).await;
    assert_eq!(error.blame(), Blame::Caller, "{error}");
    server.run("DO $$ BEGIN ASSERT (SELECT count(*) FROM student) = 3; END $$");
}

#[tokio::test]
async fn a_time_that_no_calendar_has_costs_its_row_and_not_the_pull() {
    let server = Server::start();
    server.run(SCHEMA);
    server.run("UPDATE student SET updated_at = 'infinity' WHERE \"XH\" = '2023000003'");
    server.run("UPDATE student SET seen_at = '0044-03-15 12:00:00 BC' WHERE \"XH\" = '2023000002'");
    let mut pipeline = pipeline(TABLE);
    pipeline.contract.reject_share_max = 0.9;
    let pulled = pulled(&server, &pipeline, None).await;
    assert_eq!(pulled.high.as_deref(), Some("2025-09-01 02:00:00.123456+00"), "nothing would come after infinity");
    let taken = taken(&pipeline, &pulled);
    assert_eq!((taken.counts.rows_kept, taken.counts.rows_quarantined), (1, 2), "{:?}", taken.reasons);
}

#[tokio::test]
async fn a_pull_stays_within_the_limits() {
    let server = Server::start();
    server.run(SCHEMA);
    let pipeline = pipeline(TABLE);
    let refusal = async |limits: Limits| pull(&pipeline, &server.url(), None, &limits).await.expect_err("too much").to_string();
    let said = refusal(Limits { rows_max: 2, ..Limits::default() }).await;
    assert_eq!(said, "file \"public.student\" has more than 2 rows: split it, or raise the limit");
    let said = refusal(Limits { file_bytes_max: 100, ..Limits::default() }).await;
    assert_eq!(said, "file \"public.student\" has more than 100 bytes as JSON lines: split it, or raise the limit");
}

#[tokio::test]
async fn a_server_that_does_not_let_us_in_or_is_not_there_is_the_worlds_fault_and_no_password_is_said() {
    let server = Server::start();
    let pipeline = pipeline(TABLE);
    let wrong = server.url().replace(PASSWORD, "wrong-secret-9");
    let down = "postgres://ops:wrong-secret-9@127.0.0.1:1/postgres".to_owned();
    let cases = [
        (wrong, format!("127.0.0.1:{}", server.port), "password authentication failed for user \"ops\""),
        (down, "127.0.0.1:1".to_owned(), "Connection refused"),
    ];
    for (url, at, because) in cases {
        let error = pull(&pipeline, &url, None, &Limits::default()).await.expect_err("no connection");
        assert_eq!(error.to_string(), format!("pipeline \"student\": could not connect to the database at \"{at}\""));
        assert_eq!(error.blame(), Blame::World);
        let causes = source(&error).join("; ");
        assert!(causes.contains(because), "{causes}");
        assert!(!format!("{error:?} {error} {causes}").contains("secret"), "{error:?}");
    }
}

#[tokio::test]
async fn an_address_that_is_none_is_refused_unseen() {
    let pipeline = pipeline(TABLE);
    let shape = "set it to postgres://user:password@host:5432/database, special characters of the password as %40";
    // In the last three a bare character tears the password apart.
    let cases = [
        "secret",
        "mysql://u:secret@h/d",
        "postgres://u:sec/ret@h/d",
        "postgres://u:12/ret@h/d",
        "postgres://u:12?ret@h/d",
        "postgres://u:12#ret@h/d",
        "postgres://u:p@h/d?sslmode=secret",
    ];
    for url in cases {
        let error = pull(&pipeline, url, None, &Limits::default()).await.expect_err("no address");
        let expected = "environment variable SIS_DATABASE_URL holds no address of a PostgreSQL database";
        assert_eq!(error.to_string(), format!("pipeline \"student\": {expected}: {shape}"), "{url}");
        assert_eq!((error.blame(), source(&error).len()), (Blame::Caller, 0));
    }
    let mut elsewhere = pipeline;
    elsewhere.pipeline.source.url_env = Some("YIZHAN_NO_SUCH_VARIABLE".to_owned());
    let error = database_url(&elsewhere).expect_err("not set");
    assert_eq!(
        error.to_string(),
        format!("pipeline \"student\": environment variable YIZHAN_NO_SUCH_VARIABLE is not set: {shape}")
    );
    elsewhere.pipeline.source.url_env = Some("PATH".to_owned());
    assert_eq!(database_url(&elsewhere).expect("set"), std::env::var("PATH").expect("set"));
}
