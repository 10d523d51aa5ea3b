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
}
