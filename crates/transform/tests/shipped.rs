//! Labels, cohorts and a trend that ship, over invented rows: who has the outcome, when it came, from which date it may be
//! used; and what no terminal could see.

use std::collections::BTreeMap;
use std::path::Path;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::prelude::SessionContext;
use engine::{Config, Engine};
use lake::{Durability, Lake};
use schema::Model;
use schema::time::CampusClock;
use tempfile::TempDir;

/// Turns text into an instant; 04:00 in Shanghai is 20:00 of the day before here.
const INSTANT: &str = "'Timestamp(Microsecond, Some(\"UTC\"))'";

async fn context() -> (SessionContext, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = Lake::open(lake::Config { root: folder.path().join("lake"), durability: Durability::Os }).await.expect("a lake");
    let starts = chrono::NaiveTime::from_hms_opt(4, 0, 0).expect("a time");
    let clock = CampusClock::new(chrono_tz::Asia::Shanghai, starts);
    let config = Config { memory_bytes: 64 << 20, partitions: 1, spill_dir: folder.path().join("spill") };
    let engine = Engine::new(config, lake, None, clock).expect("an engine");
    (engine.context(), folder)
}

/// A table of invented rows: `select` says how their texts become columns.
async fn table(context: &SessionContext, name: &str, select: &str, columns: &str, rows: &[&str]) {
    let rows: Vec<String> = rows.iter().map(|it| format!("({it})")).collect();
    let sql = format!("SELECT {select} FROM (VALUES {}) AS told({columns})", rows.join(", "));
    let view = context.sql(&sql).await.unwrap_or_else(|it| panic!("{sql}: {it}")).into_view();
    context.register_table(name, view).expect("registered");
}

/// The query of a file that ships, as of a date.
fn query(path: &str, text: &str, as_of: &str) -> String {
    let model = Model::parse(Path::new(path), text, &BTreeMap::new()).unwrap_or_else(|it| panic!("{path}: {it}"));
    model.query().replace("$as_of", &format!("DATE '{as_of}'"))
}

/// Rows of a query, their columns as text with a blank between, sorted.
async fn said(context: &SessionContext, columns: &str, query: &str) -> Vec<String> {
    let sql = format!("SELECT {columns} FROM ({query}) AS found");
    let frame = context.sql(&sql).await.unwrap_or_else(|it| panic!("{sql}: {it}"));
    let batches = frame.collect().await.unwrap_or_else(|it| panic!("{sql}: {it}"));
    let mut rows = Vec::new();
    for batch in &batches {
        let texts: Vec<_> = batch.columns().iter().map(|it| cast(it, &DataType::Utf8).expect("text")).collect();
        rows.extend((0..batch.num_rows()).map(|row| {
            let cells: Vec<&str> = texts.iter().map(|it| it.as_string::<i32>().value(row)).collect();
            cells.join(" ")
        }));
    }
    rows.sort();
    rows
}

const LABEL: &str = "student_key, outcome, event_on, known_on";

/// Marks: student, section, term, examination, score, published, known, superseded or nothing.
async fn marks(context: &SessionContext, rows: &[&str]) {
    let select = format!(
        "CAST(student AS BIGINT) AS student_key, section_id, term, exam_kind, CAST(score AS DOUBLE) AS score, \
         arrow_cast(published, {INSTANT}) AS published_at, arrow_cast(known, {INSTANT}) AS known_at, nullif(ended, '') AS superseded_at"
    );
    let columns = "student, section_id, term, exam_kind, score, published, known, ended";
    table(context, "stg_grade_record", &select, columns, rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_course_is_told_once_an_examination_from_the_day_after_it_was_known() {
    let (context, _folder) = context().await;
    marks(
        &context,
        &[
            "1, 'A', '2025-1', 'midterm', '55', '2025-11-08T08:00:00Z', '2025-11-08T12:00:00Z', ''",
            "1, 'B', '2025-1', 'midterm', '41', '2025-11-07T08:00:00Z', '2025-11-07T19:30:00Z', ''",
            "1, 'A', '2025-1', 'final', '59.5', '2026-01-18T08:00:00Z', '2026-01-18T21:00:00Z', ''",
            // The pass mark is no failure, a corrected mark is none any more, and a quiz is no examination.
            "2, 'A', '2025-1', 'final', '60', '2026-01-18T08:00:00Z', '2026-01-18T12:00:00Z', ''",
            "3, 'A', '2025-1', 'final', '40', '2026-01-18T08:00:00Z', '2026-01-18T12:00:00Z', '2026-01-20'",
            "3, 'A', '2025-1', 'final', '70', '2026-01-18T08:00:00Z', '2026-01-20T12:00:00Z', ''",
            "4, 'A', '2025-1', 'quiz', '10', '2025-10-08T08:00:00Z', '2025-10-08T12:00:00Z', ''",
        ],
    )
    .await;
    let text = include_str!("../../../sql/labels/label_failed_course.sql");
    let query = query("sql/labels/label_failed_course.sql", text, "2026-02-01");
    let found = said(&context, &format!("{LABEL}, exam_kind"), &query).await;
    // Known at 03:30 belongs to the night before, at 05:00 to the morning after.
    assert_eq!(found, ["1 true 2025-11-07 2025-11-08 midterm", "1 true 2026-01-18 2026-01-20 final"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_task_is_missed_where_half_of_the_class_has_a_mark() {
    let (context, _folder) = context().await;
    let students: Vec<String> = (1..=4).map(|it| format!("{it}, 'one', 'enrolled', ''")).collect();
    let mut students: Vec<&str> = students.iter().map(String::as_str).collect();
    // Neither who left nor who is of another class by now misses anything.
    students.extend(["5, 'one', 'withdrawn', ''", "6, 'one', 'enrolled', '2025-10-01'"]);
    let select = "CAST(student AS BIGINT) AS student_key, class, status, nullif(ended, '') AS superseded_at";
    table(&context, "stg_student", select, "student, class, status, ended", &students).await;
    let select = "section_id, term, class, nullif(ended, '') AS superseded_at";
    let sections = ["'half', '2025-1', 'one', ''", "'few', '2025-1', 'one', ''", "'gone', '2025-1', 'one', '2025-09-10'"];
    table(&context, "stg_course_section", select, "section_id, term, class, ended", &sections).await;
    marks(
        &context,
        &[
            "1, 'half', '2025-1', 'midterm', '80', '2025-11-08T08:00:00Z', '2025-11-08T12:00:00Z', ''",
            "2, 'half', '2025-1', 'midterm', '30', '2025-11-09T08:00:00Z', '2025-11-09T12:00:00Z', ''",
            // Of a section in which one of four has a mark nothing is said, and nothing of one that was struck out.
            "3, 'few', '2025-1', 'midterm', '80', '2025-11-02T08:00:00Z', '2025-11-02T12:00:00Z', ''",
            "1, 'gone', '2025-1', 'midterm', '80', '2025-11-01T08:00:00Z', '2025-11-01T12:00:00Z', ''",
            "2, 'gone', '2025-1', 'midterm', '80', '2025-11-01T08:00:00Z', '2025-11-01T12:00:00Z', ''",
            // A final mark is not the midterm's.
            "3, 'half', '2025-1', 'final', '80', '2025-11-08T08:00:00Z', '2025-11-08T12:00:00Z', ''",
        ],
    )
    .await;
    let text = include_str!("../../../sql/labels/label_first_task_missed.sql");
    let query = query("sql/labels/label_first_task_missed.sql", text, "2026-02-01");
    let found = said(&context, LABEL, &query).await;
    assert_eq!(found, ["3 true 2025-11-08 2025-11-09", "4 true 2025-11-08 2025-11-09"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_a_withdrawal_and_a_recognition_are_the_offices_own_words() {
    let (context, _folder) = context().await;
    let ends = format!("arrow_cast(known, {INSTANT}) AS known_at, nullif(ended, '') AS superseded_at");
    let select = format!("CAST(student AS BIGINT) AS student_key, CAST(day AS DATE) AS issued_on, {ends}");
    let notices = [
        "1, '2025-09-11', '2025-09-12T02:00:00Z', ''",
        "1, '2025-09-11', '2025-09-14T02:00:00Z', ''",
        "2, '2025-09-11', '2025-09-12T02:00:00Z', '2025-09-20'",
    ];
    table(&context, "stg_academic_warning", &select, "student, day, known, ended", &notices).await;
    let text = include_str!("../../../sql/labels/label_academic_warning.sql");
    let found = said(&context, LABEL, &query("sql/labels/label_academic_warning.sql", text, "2026-02-01")).await;
    assert_eq!(found, ["1 true 2025-09-11 2025-09-13"], "one a day, and none that was taken back");

    let select = format!("CAST(student AS BIGINT) AS student_key, status, CAST(day AS DATE) AS valid_from, {ends}");
    let spans = [
        "1, 'withdrawn', '2025-09-17', '2025-09-18T02:00:00Z', ''",
        // On leave of school and graduated is not withdrawn.
        "2, 'retained', '2025-09-17', '2025-09-18T02:00:00Z', ''",
        "3, 'graduated', '2025-06-20', '2025-06-21T02:00:00Z', ''",
        "4, 'withdrawn', '2025-09-17', '2025-09-18T02:00:00Z', '2025-09-25'",
    ];
    table(&context, "stg_enrollment_span", &select, "student, status, day, known, ended", &spans).await;
    let text = include_str!("../../../sql/labels/label_withdrawn.sql");
    let found = said(&context, LABEL, &query("sql/labels/label_withdrawn.sql", text, "2026-02-01")).await;
    assert_eq!(found, ["1 true 2025-09-17 2025-09-19"]);

    let select = format!("CAST(student AS BIGINT) AS student_key, year, CAST(day AS DATE) AS recognised_on, {ends}");
    let aid = [
        "1, '2024-2025', '2024-10-08', '2024-10-09T02:00:00Z', ''",
        "1, '2025-2026', '2025-10-09', '2025-10-10T02:00:00Z', ''",
        "2, '2025-2026', '2025-10-09', '2025-10-10T02:00:00Z', '2025-10-20'",
    ];
    table(&context, "stg_aid_status", &select, "student, year, day, known, ended", &aid).await;
    let text = include_str!("../../../sql/labels/label_hardship.sql");
    let found = said(&context, LABEL, &query("sql/labels/label_hardship.sql", text, "2026-02-01")).await;
    assert_eq!(found, ["1 true 2024-10-08 2024-10-10", "1 true 2025-10-09 2025-10-11"], "once a year");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_whom_the_shipped_models_speak() {
    let (context, _folder) = context().await;
    let select = "CAST(student AS BIGINT) AS student_key, 'B1' AS building_id, CAST(3 AS BIGINT) AS floor, 'C1' AS college, \
                  CAST(2024 AS BIGINT) AS grade, nullif(campus, '') AS campus, is_enrolled, study_stage, DATE '2025-11-10' AS as_of_on";
    let people = [
        "1, '', TRUE, 'undergraduate'",
        "2, 'north', TRUE, 'undergraduate'",
        "3, 'north', TRUE, 'undergraduate'",
        "4, 'north', TRUE, 'master'",
        "5, 'north', FALSE, 'undergraduate'",
    ];
    table(&context, "dim_student", select, "student, campus, is_enrolled, study_stage", &people).await;
    let select = "CAST(student AS BIGINT) AS student_key, gender";
    table(&context, "stg_student", select, "student, gender", &["1, 'f'", "2, 'm'", "3, 'f'", "4, 'f'", "5, 'm'"]).await;
    let select = "CAST(student AS BIGINT) AS student_key, CAST(day AS DATE) AS recognised_on";
    // The third was recognised in the year before last only: nobody has looked since.
    table(&context, "stg_aid_status", select, "student, day", &["2, '2025-10-01'", "3, '2024-09-01'", "3, '2023-09-01'"]).await;
    let text = include_str!("../../../sql/intermediate/int_undergraduate.sql");
    let sql = query("sql/intermediate/int_undergraduate.sql", text, "2025-11-10");
    let view = context.sql(&sql).await.expect("a view").into_view();
    context.register_table("int_undergraduate", view).expect("registered");

    let text = include_str!("../../../sql/risk/failed_course.sql");
    let sql = query("sql/risk/failed_course.sql", text, "2025-11-10");
    let found = said(&context, "student_key, place, campus, aid", &sql).await;
    assert_eq!(found, ["1 B1/3 one none", "2 B1/3 north recognised", "3 B1/3 north none"]);
    let text = include_str!("../../../sql/risk/hardship.sql");
    let sql = query("sql/risk/hardship.sql", text, "2025-11-10");
    let found = said(&context, "student_key, place, campus", &sql).await;
    assert_eq!(found, ["1 B1/3 one", "3 B1/3 north"], "whoever is recognised needs no candidate");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bath_house_without_water_is_no_week_without_a_shower() {
    let (context, _folder) = context().await;
    let select = "CAST(student AS BIGINT) AS student_key, building_id, DATE '2025-11-10' AS as_of_on";
    table(&context, "dim_student", select, "student, building_id", &["1, 'B1'", "2, 'B1'", "3, 'B2'"]).await;
    let select = "CAST(student AS BIGINT) AS student_key, CAST(day AS DATE) AS occurred_on, CAST(weeks_ago AS INT) AS week_no, \
                  CAST(nullif(washed, '') AS INT) AS shower_minute";
    let days = [
        "1, '2025-11-03', 0, '1300'",
        "2, '2025-11-03', 0, ''",
        // Nobody of the house on this day: it is not seen, whatever the other house did.
        "1, '2025-11-04', 0, ''",
        "2, '2025-11-04', 0, ''",
        "3, '2025-11-04', 0, '1310'",
        "1, '2025-11-05', 0, '1300'",
        "2, '2025-11-05', 0, '1290'",
        // And a week without any day that was seen has no value.
        "3, '2025-10-28', 1, ''",
    ];
    table(&context, "int_usual_day", select, "student, day, weeks_ago, washed", &days).await;
    let text = include_str!("../../../sql/trend/shower.sql");
    let sql = query("sql/trend/shower.sql", text, "2025-11-10");
    let columns = "student_key, week_no, coalesce(CAST(CAST(round(CAST(value AS DOUBLE) * 100) AS BIGINT) AS VARCHAR), 'none') AS value, n, \
                   CAST(round(CAST(cov AS DOUBLE) * 100) AS BIGINT) AS cov";
    let found = said(&context, columns, &sql).await;
    assert_eq!(found, ["1 0 100 2 67", "2 0 50 2 67", "3 0 100 1 100", "3 1 none 0 0"]);
}
