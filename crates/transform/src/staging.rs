//! Staging written from the contract: duplicates of events, versions of states.
//!
//! A project that wants a staging table of its own puts `sql/staging/stg_<pipeline>.sql` in place of the generated one.

use schema::{Export, Key, OnConflict, Pipeline, RAW_COLUMNS, raw_schema};

/// Columns that are the pipeline's own, as they stand in the lake.
///
/// Rows that are their own key keep their hash: it is what tells one from another.
fn own_columns(pipeline: &Pipeline) -> Vec<String> {
    let names = raw_schema(pipeline).fields().iter().map(|it| it.name().clone()).collect::<Vec<_>>();
    let is_own =
        |it: &String| !RAW_COLUMNS.contains(&it.as_str()) || (it == "row_hash" && matches!(pipeline.contract.key, Key::Row(_)));
    names.into_iter().filter(is_own).collect()
}

/// The key as it stands in the lake; the row's own hash where the export has no key.
pub(crate) fn key_columns(pipeline: &Pipeline) -> Vec<String> {
    let mut key: Vec<String> = match &pipeline.contract.key {
        Key::Row(_) => vec!["row_hash".to_owned()],
        Key::Columns(names) => {
            names.iter().filter_map(|it| pipeline.column(it).and_then(|column| schema::lake_column(it, column))).collect()
        }
    };
    if pipeline.is_event() {
        // The key of an event includes its campus day, so that a duplicate is found without looking at other days.
        key.push("occurred_on".to_owned());
    }
    key
}

/// Rows of an event pipeline that another row of the same key and day supersedes (`dup_<pipeline>`).
///
/// Few or none, so that reading staging costs no more than reading raw.
pub(crate) fn duplicates_sql(pipeline: &Pipeline) -> String {
    let raw = pipeline.raw_table();
    let key = key_columns(pipeline).join(", ");
    let join = key_columns(pipeline).iter().map(|it| format!("row.{it} = twice.{it}")).collect::<Vec<_>>().join(" AND ");
    let partition = key_columns(pipeline).iter().map(|it| format!("row.{it}")).collect::<Vec<_>>().join(", ");
    match pipeline.contract.on_conflict {
        OnConflict::First => format!(
            "WITH twice AS (SELECT {key} FROM {raw} GROUP BY {key} HAVING count(*) > 1), \
             ranked AS (SELECT row.file_no, row.row_no, row.occurred_on, row_number() OVER \
             (PARTITION BY {partition} ORDER BY row.known_at, row.row_hash, row.file_no, row.row_no) AS place \
             FROM {raw} AS row INNER JOIN twice ON {join}) \
             SELECT file_no, row_no, CAST(NULL AS TIMESTAMP) AS superseded_at, occurred_on FROM ranked WHERE place > 1"
        ),
        OnConflict::Latest => format!(
            "WITH twice AS (SELECT {key} FROM {raw} GROUP BY {key} HAVING count(*) > 1), \
             ranked AS (SELECT row.file_no, row.row_no, row.occurred_on, lead(row.known_at) OVER \
             (PARTITION BY {partition} ORDER BY row.known_at, row.row_hash, row.file_no, row.row_no) AS superseded_at \
             FROM {raw} AS row INNER JOIN twice ON {join}) \
             SELECT file_no, row_no, superseded_at, occurred_on FROM ranked WHERE superseded_at IS NOT NULL"
        ),
    }
}

/// Staging of an event pipeline: raw rows without what was superseded (`first`), or with the instant it was (`latest`).
pub(crate) fn event_sql(pipeline: &Pipeline) -> String {
    let raw = pipeline.raw_table();
    let name = pipeline.name();
    let mut columns = own_columns(pipeline);
    columns.extend(["occurred_at", "minute_of_day", "known_at"].map(str::to_owned));
    let list = columns.iter().map(|it| format!("row.{it}")).collect::<Vec<_>>().join(", ");
    match pipeline.contract.on_conflict {
        OnConflict::First => format!(
            "SELECT {list}, row.file_no, row.row_no, row.occurred_on FROM {raw} AS row \
             LEFT ANTI JOIN dup_{name} AS twice ON row.occurred_on = twice.occurred_on \
             AND row.file_no = twice.file_no AND row.row_no = twice.row_no"
        ),
        OnConflict::Latest => format!(
            "SELECT {list}, twice.superseded_at, row.file_no, row.row_no, row.occurred_on FROM {raw} AS row \
             LEFT JOIN dup_{name} AS twice ON row.occurred_on = twice.occurred_on \
             AND row.file_no = twice.file_no AND row.row_no = twice.row_no"
        ),
    }
}

/// When a row last changed by its own columns (`changed_at`); columns that the lake does not hold say nothing.
fn changed(pipeline: &Pipeline) -> Option<String> {
    let at = |it: &String| pipeline.column(it).and_then(|column| schema::lake_column(it, column));
    let columns: Vec<String> = pipeline.contract.changed_at.iter().filter_map(at).collect();
    match columns.as_slice() {
        [] => None,
        [one] => Some(one.clone()),
        // Empty ones are passed over; of none is known that it changed.
        several => Some(format!("greatest({})", several.join(", "))),
    }
}

/// Staging of a state pipeline: every version of every key, with `known_at` and `superseded_at`.
///
/// Versions are ordered by `known_at`, those known at one instant by what the contract's `changed_at` says and then by
/// their hash, never by position. Where every row says when it changed, one that is older than what was known before it, or
/// that is the same as an earlier one, is no version: a broker may well give both once more, behind what came after them.
/// For a full export a version also ends with the first later file that lacks the key.
pub(crate) fn state_sql(pipeline: &Pipeline) -> String {
    let raw = pipeline.raw_table();
    let mut columns = own_columns(pipeline);
    columns.extend(["occurred_at", "known_at"].map(str::to_owned));
    let list = columns.join(", ");
    let key = key_columns(pipeline).join(", ");
    let changed = changed(pipeline);
    // What has not changed yet stands before what has.
    let order = |descending: &str| match (&changed, descending) {
        (Some(at), "") => format!("{at} ASC NULLS FIRST, row_hash"),
        (Some(at), _) => format!("{at} DESC NULLS LAST, row_hash"),
        (None, _) => "row_hash".to_owned(),
    };
    let (first, newest) = (order(""), order("newest"));
    match (pipeline.pipeline.export, &changed) {
        (Export::Changes, Some(at)) if pipeline.says_when_changed() => format!(
            "WITH seen AS (SELECT *, row_number() OVER (PARTITION BY {key}, row_hash ORDER BY known_at, file_no, row_no) AS version_copy, \
             max({at}) OVER (PARTITION BY {key} ORDER BY known_at, {first}, file_no, row_no \
             ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS changed_before FROM {raw}), \
             version AS (SELECT * FROM seen WHERE version_copy = 1 AND (changed_before IS NULL OR changed_before <= {at})) \
             SELECT {list}, lead(known_at) OVER (PARTITION BY {key} ORDER BY known_at, {first}, file_no, row_no) \
             AS superseded_at, file_no, row_no FROM version"
        ),
        (Export::Changes, _) => format!(
            "WITH seen AS (SELECT *, lag(row_hash) OVER (PARTITION BY {key} ORDER BY known_at, {first}, file_no, row_no) \
             AS row_hash_before FROM {raw}), \
             version AS (SELECT * FROM seen WHERE row_hash_before IS NULL OR row_hash_before <> row_hash) \
             SELECT {list}, lead(known_at) OVER (PARTITION BY {key} ORDER BY known_at, {first}, file_no, row_no) \
             AS superseded_at, file_no, row_no FROM version"
        ),
        (Export::Full, _) => format!(
            "WITH export AS (SELECT file_no, file_known_at, \
             row_number() OVER (ORDER BY file_known_at, file_no) AS export_place, \
             lead(file_known_at) OVER (ORDER BY file_known_at, file_no) AS export_next_at \
             FROM (SELECT file_no, max(known_at) AS file_known_at FROM {raw} GROUP BY file_no) AS file), \
             once AS (SELECT *, row_number() OVER (PARTITION BY {key}, file_no ORDER BY {newest}, row_no) AS export_copy FROM {raw}), \
             seen AS (SELECT once.*, export.export_place, export.export_next_at, \
             lag(once.row_hash) OVER (PARTITION BY {once_key} ORDER BY export.export_place) AS row_hash_before, \
             lag(export.export_place) OVER (PARTITION BY {once_key} ORDER BY export.export_place) AS export_before \
             FROM once INNER JOIN export ON once.file_no = export.file_no WHERE once.export_copy = 1), \
             run AS (SELECT *, sum(CASE WHEN row_hash_before = row_hash AND export_before = export_place - 1 THEN 0 ELSE 1 END) \
             OVER (PARTITION BY {key} ORDER BY export_place) AS export_run FROM seen), \
             version AS (SELECT *, first_value(export_place) OVER (PARTITION BY {key}, export_run ORDER BY export_place) AS export_first, \
             first_value(export_next_at) OVER (PARTITION BY {key}, export_run ORDER BY export_place DESC) AS export_ended_at FROM run) \
             SELECT {list}, export_ended_at AS superseded_at, file_no, row_no FROM version WHERE export_place = export_first",
            once_key = key_columns(pipeline).iter().map(|it| format!("once.{it}")).collect::<Vec<_>>().join(", "),
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use arrow::array::AsArray;
    use datafusion::prelude::SessionContext;

    use super::*;

    fn thing(required: &str) -> Pipeline {
        let text = format!(
            r#"
            [pipeline]
            name = "thing"
            about = "Things."
            shape = "state"
            owner = "office"
            purpose = ["service"]
            retention = "1y"
            push = true
            source = {{ format = "jsonl", path = "thing/*.jsonl" }}
            [contract]
            version = 1
            key = ["id"]
            changed_at = ["changed"]
            usual_delay = "1d"
            [columns]
            id = {{ type = "int64", required = true, class = "internal", about = "Number." }}
            state = {{ type = "text", required = true, class = "internal", about = "State." }}
            changed = {{ type = "timestamp", {required} format = "%Y-%m-%d %H:%M:%S", class = "internal", about = "Change." }}"#
        );
        Pipeline::parse(Path::new(""), &text).expect("a contract")
    }

    /// The versions in the order in which they became known; `rows` are state and hour of the change, in the order in which
    /// they came. The same row has the same hash.
    async fn versions(pipeline: &Pipeline, rows: &[(&str, i64)]) -> Vec<String> {
        let row = |(n, (state, hour)): (usize, &(&str, i64))| {
            let hash = i64::from(state.as_bytes()[0]) * 100 + hour;
            format!("(1, '{state}', {hour}, {n}, {hash})")
        };
        let values: Vec<String> = rows.iter().enumerate().map(row).collect();
        let instant = |column: &str| format!("arrow_cast({column} * 1000000, 'Timestamp(Microsecond, None)')");
        let raw = format!(
            "SELECT id, state, {} AS changed, CAST(NULL AS TIMESTAMP) AS occurred_at, {} AS known_at, row_hash, place AS file_no, \
             CAST(1 AS BIGINT) AS row_no FROM (VALUES {}) AS came (id, state, changed_h, place, row_hash)",
            instant("changed_h"),
            instant("place"),
            values.join(", ")
        );
        let context = SessionContext::new();
        let raw = context.sql(&raw).await.expect("rows").into_view();
        context.register_table("raw_thing", raw).expect("registered");
        let query = format!(
            "SELECT CAST(CASE WHEN superseded_at IS NULL THEN state || ' holds' ELSE state END AS VARCHAR) AS said \
             FROM ({}) AS version ORDER BY known_at",
            state_sql(pipeline)
        );
        let batches = context.sql(&query).await.expect("a query").collect().await.expect("rows");
        let mut said = Vec::new();
        for batch in &batches {
            let texts = arrow::compute::cast(batch.column(0), &arrow::datatypes::DataType::Utf8).expect("text");
            said.extend(texts.as_string::<i32>().iter().flatten().map(str::to_owned));
        }
        said
    }

    #[tokio::test]
    async fn what_comes_once_more_behind_what_came_after_it_is_no_version() {
        let told = thing("required = true,");
        let twice = [("a", 8), ("b", 9), ("a", 8), ("b", 9)];
        assert_eq!(versions(&told, &twice).await, ["a", "b holds"]);
        let retained = [("a", 8), ("b", 9), ("c", 10), ("a", 8)];
        assert_eq!(versions(&told, &retained).await, ["a", "b", "c holds"]);
        // One that was on its way for longer than the one after it.
        assert_eq!(versions(&told, &[("a", 8), ("c", 10), ("b", 9)]).await, ["a", "c holds"]);
        // Two changes of one instant: the one that is new holds, and neither comes back.
        assert_eq!(versions(&told, &[("a", 8), ("b", 8), ("a", 8), ("b", 8)]).await, ["a", "b holds"]);
        // It may well be as it was before: then it changed later.
        assert_eq!(versions(&told, &[("a", 8), ("b", 9), ("a", 10)]).await, ["a", "b", "a holds"]);
    }

    #[tokio::test]
    async fn rows_that_need_not_say_when_they_changed_are_versions_as_they_come() {
        let untold = thing("");
        let back = [("a", 8), ("b", 9), ("a", 8)];
        assert_eq!(versions(&untold, &back).await, ["a", "b", "a holds"]);
    }

    /// A session with our functions and no tables.
    async fn context(folder: &Path) -> SessionContext {
        let config = lake::Config { root: folder.join("lake"), durability: lake::Durability::Os };
        let lake = lake::Lake::open(config).await.expect("a lake");
        let clock = schema::time::CampusClock::new(chrono_tz::Asia::Shanghai, chrono::NaiveTime::MIN);
        let config = engine::Config { memory_bytes: 64 << 20, partitions: 1, spill_dir: folder.join("spill") };
        engine::Engine::new(config, lake, None, clock).expect("an engine").context()
    }

    /// The one column of text of a query.
    async fn said(context: &SessionContext, query: &str) -> Vec<String> {
        let mut said = Vec::new();
        for batch in context.sql(query).await.expect("a query").collect().await.expect("rows") {
            let texts = arrow::compute::cast(batch.column(0), &arrow::datatypes::DataType::Utf8).expect("text");
            said.extend(texts.as_string::<i32>().iter().flatten().map(|it| it.trim_end().to_owned()));
        }
        said
    }

    /// The query of a file of the house.
    fn of_house(name: &str) -> String {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../sql/{name}.sql"));
        let text = std::fs::read_to_string(&path).expect("a file of the house");
        schema::Model::parse(&path, &text, &std::collections::BTreeMap::new()).expect("a model").query()
    }

    /// An instant of September 2025, in the evening in Shanghai; none for 0.
    fn on(day: u32) -> String {
        let said = if day == 0 { "NULL".to_owned() } else { format!("'2025-09-{day:02}T10:00:00Z'") };
        format!("arrow_cast({said}, 'Timestamp(Microsecond, Some(\"UTC\"))')")
    }

    #[tokio::test]
    async fn the_record_keeps_what_was_corrected_and_what_left_its_register() {
        let folder = tempfile::tempdir().expect("a folder");
        let context = context(folder.path()).await;
        // A leave that ended, and one whose kind was corrected.
        let leaves = [
            ("L1", "personal", 1, 0, 1, 3),
            ("L1", "personal", 1, 3, 3, 0),
            ("L2", "personal", 5, 0, 5, 6),
            ("L2", "sick", 5, 0, 6, 0),
        ];
        let leaves = leaves.map(|(id, kind, approved, returned, known, ended)| {
            format!("('{id}', 7, '{kind}', {}, {}, {}, {})", on(approved), on(returned), on(known), on(ended))
        });
        // Who left the register, who moved out, and a room that was corrected and put right again.
        let beds = [(7, "R1", 1, 10), (8, "R1", 1, 10), (8, "R1", 10, 0), (9, "R1", 1, 5), (9, "R2", 5, 8), (9, "R1", 8, 0)];
        let beds = beds.map(|(student, room, known, ended)| {
            format!("({student}, DATE '2025-09-01', '{room}', {}, {})", on(known), on(ended))
        });
        // A mark that was corrected under its date, one of the same day, one of the next.
        let marks = [("G1", 20, 20, 22), ("G1", 20, 22, 0), ("G2", 20, 20, 0), ("G3", 21, 21, 0)];
        let marks = marks.map(|(id, published, known, ended)| {
            format!("('{id}', 7, 'T', 'final', {}, {}, {})", on(published), on(known), on(ended))
        });
        let instants = |names: &str| -> String { names.split(' ').map(|it| format!("{} AS {it}, ", on(0))).collect() };
        let words = |names: &str| -> String { names.split(' ').map(|it| format!("CAST(NULL AS VARCHAR) AS {it}, ")).collect() };
        let none = |columns: String| format!("SELECT {columns} CAST(NULL AS BIGINT) AS student_key WHERE FALSE");
        let versions = "known_at superseded_at";
        let day = |name: &str| format!("CAST(NULL AS DATE) AS {name}, ");
        let tables = [
            (
                "stg_leave_record",
                format!(
                    "SELECT * FROM (VALUES {}) AS came (leave_id, student_key, leave_kind, approved_at, returned_at, known_at, superseded_at)",
                    leaves.join(", ")
                ),
            ),
            (
                "stg_bed_assignment",
                format!(
                    "SELECT * FROM (VALUES {}) AS came (student_key, moved_in_on, room_id, known_at, superseded_at)",
                    beds.join(", ")
                ),
            ),
            (
                "stg_grade_record",
                format!(
                    "SELECT * FROM (VALUES {}) AS came (grade_id, student_key, term, exam_kind, published_at, known_at, superseded_at)",
                    marks.join(", ")
                ),
            ),
            (
                "stg_room_transfer",
                none(words("transfer_id from_room_id to_room_id") + &instants("approved_at known_at superseded_at")),
            ),
            ("stg_holiday_stay", none(words("stay_id holiday") + &instants("registered_at known_at superseded_at"))),
            ("stg_card_status", none(words("status_id card_status") + &instants("occurred_at known_at"))),
            ("stg_enrollment_span", none(words("span_id change_kind class") + &day("valid_from") + &instants(versions))),
            ("stg_academic_warning", none(words("warning_no term") + &day("issued_on") + &instants(versions))),
            ("stg_internship_placement", none(words("placement_id employer") + &day("begins_on") + &instants(versions))),
            ("int_record_life", of_house("record/int_record_life")),
            ("int_record_study", of_house("record/int_record_study")),
            ("int_record_growth", "SELECT * FROM int_record_life WHERE FALSE".to_owned()),
            ("int_record_service", "SELECT * FROM int_record_life WHERE FALSE".to_owned()),
            ("record_student_event", of_house("record/record_student_event")),
        ];
        for (name, query) in tables {
            let view = context.sql(&query).await.expect(name).into_view();
            context.register_table(name, view).expect("registered");
        }
        let query = "SELECT CAST(concat(event_id, ' ', detail_zh, ' ', coalesce(ended_as, 'holds'), ' ', \
             coalesce(CAST(superseded_on AS VARCHAR), '')) AS VARCHAR) AS said FROM record_student_event ORDER BY event_id";
        assert_eq!(
            said(&context, query).await,
            [
                "bed/7/2025-09-01 R1 ended 2025-09-10",
                "bed/8/2025-09-01 R1 holds",
                "bed/9/2025-09-01 R1 holds",
                "bed/9/2025-09-01#2 R2 corrected 2025-09-08",
                "grade/7/T/final/2025-09-20/2025-09-20 T，2门 holds",
                "grade/7/T/final/2025-09-21/2025-09-21 T，1门 holds",
                "leave/L1/approved 事假 holds",
                "leave/L1/returned 事假 holds",
                "leave/L2/approved 事假 corrected 2025-09-06",
                "leave/L2/approved#2 病假 holds",
            ]
        );
    }

    #[tokio::test]
    async fn whoever_passes_a_laboratorys_gate_is_on_campus() {
        let device = include_str!("../../../pipelines/device.toml");
        let device = Pipeline::parse(Path::new("pipelines/device.toml"), device).expect("a contract");
        let kinds = device.column("kind").and_then(|it| it.one_of.clone()).expect("a list");
        assert!(kinds.iter().any(|it| it == "laboratory"), "{kinds:?}");
        let folder = tempfile::tempdir().expect("a folder");
        let context = context(folder.path()).await;
        // At 22:30 one leaves a laboratory, by card or, at other schools, through a gate of another name; one leaves the school.
        let passage = |student: i32, gate: &str| {
            format!("({student}, DATE '2025-09-01', {}, 'out', '{gate}', 'card', 1350, {student})", on(1))
        };
        let passages = [passage(7, "G-R1"), passage(8, "LAB-3"), passage(9, "G-S1")].join(", ");
        let tables = [
            (
                "stg_gate_event",
                format!(
                    "SELECT * FROM (VALUES {passages}) AS came \
                     (student_key, occurred_on, occurred_at, direction, device_id, method, minute_of_day, event_seq)"
                ),
            ),
            (
                "stg_card_txn",
                format!(
                    "SELECT CAST(NULL AS BIGINT) AS student_key, CAST(NULL AS DATE) AS occurred_on, {} AS occurred_at, \
                     CAST(NULL AS VARCHAR) AS txn_id, CAST(NULL AS VARCHAR) AS merchant_kind, CAST(NULL AS INT) AS minute_of_day, \
                     CAST(NULL AS BIGINT) AS amount_fen, CAST(NULL AS VARCHAR) AS terminal_id, CAST(NULL AS BIGINT) AS balance_fen \
                     WHERE FALSE",
                    on(0)
                ),
            ),
            ("int_student_day", of_house("intermediate/int_student_day")),
        ];
        for (name, query) in tables {
            let view = context.sql(&query).await.expect(name).into_view();
            context.register_table(name, view).expect("registered");
        }
        let query = "SELECT CAST(concat(CAST(student_key AS VARCHAR), ' ', CAST(event_n AS VARCHAR), ' ', CAST(late_evidence_n AS VARCHAR), ' ', \
             coalesce(school_last_direction, 'not at a gate of the school')) AS VARCHAR) AS said FROM int_student_day ORDER BY student_key";
        let expected = ["7 1 1 not at a gate of the school", "8 1 1 not at a gate of the school", "9 1 0 out"];
        assert_eq!(said(&context, query).await, expected);
    }

    #[tokio::test]
    async fn a_source_that_stopped_is_late_and_one_of_few_rows_is_low() {
        let folder = tempfile::tempdir().expect("a folder");
        let context = context(folder.path()).await;
        let date = |day: i32| schema::time::days_date(20_000 + day).expect("a date");
        let row =
            |source: &str, day: i32, rows: i32| format!("('{source}', {rows}, 0, {rows}, 0, 0, 0, 0, DATE '{}')", date(day));
        let mut rows = Vec::new();
        for day in 0..60 {
            rows.push(row("well", day, 100));
            rows.push(row("low", day, if day == 59 { 40 } else { 100 }));
            if day < 57 {
                rows.push(row("late", day, 100));
            }
            if day < 59 {
                rows.push(row("one_day", day, 100));
            }
            // A weekly file is not late on its fourth day.
            if day % 7 == 0 {
                rows.push(row("weekly", day, 100));
            }
        }
        let tables = [
            (
                "quality_source_day",
                format!(
                    "SELECT * FROM (VALUES {}) AS came \
                     (source, rows_n, night_n, morning_n, afternoon_n, evening_n, late_n, after_end_n, occurred_on)",
                    rows.join(", ")
                ),
            ),
            (
                "quality_column",
                "SELECT CAST(NULL AS VARCHAR) AS source, CAST(NULL AS VARCHAR) AS column_name, CAST(NULL AS DOUBLE) AS psi, \
                 CAST(NULL AS VARCHAR) AS state WHERE FALSE"
                    .to_owned(),
            ),
            ("quality_source", of_house("quality/quality_source")),
        ];
        for (name, query) in tables {
            let view = context.sql(&query).await.expect(name).into_view();
            context.register_table(name, view).expect("registered");
        }
        let query = "SELECT CAST(concat(source, ' ', state) AS VARCHAR) AS said FROM quality_source ORDER BY source";
        assert_eq!(said(&context, query).await, ["late late", "low low", "one_day ok", "weekly ok", "well ok"]);
    }

    #[tokio::test]
    async fn cheaper_meals_are_the_aid_centres_and_fewer_meals_are_a_care_offer() {
        let folder = tempfile::tempdir().expect("a folder");
        let context = context(folder.path()).await;
        let half = 0.5_f64.ln();
        // One spends half and eats as ever; one eats half as often, too; of one it is not unusual.
        let people = [(1, 0.0, -4.0), (2, half, -4.0), (3, 0.0, -2.0)];
        let rows = people.map(|(student, meals, z)| {
            format!(
                "({student}, 'spending_drop', {half:?}, 10, 1.0, {z:?}, -4.0, DATE '2025-10-06'), \
                 ({student}, 'meal_drop', {meals:?}, 10, 1.0, {z:?}, -4.0, DATE '2025-10-06')"
            )
        });
        let rows = rows.join(", ");
        let measures =
            format!("SELECT * FROM (VALUES {rows}) AS came (student_key, measure, value, n, cov, z_self, z_peer, as_of_on)");
        let view = context.sql(&measures).await.expect("rows").into_view();
        context.register_table("feat_measure", view).expect("registered");
        for (name, expected) in [("closed/closed_price_drop", "1"), ("warning/spending_drop", "2")] {
            let query = of_house(name).replace("$as_of", "DATE '2025-10-06'");
            let query = format!("SELECT CAST(student_key AS VARCHAR) AS said FROM ({query}) AS found ORDER BY student_key");
            assert_eq!(said(&context, &query).await, [expected], "{name}");
        }
    }
}
