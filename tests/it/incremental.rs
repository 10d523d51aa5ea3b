//! What is built a day at a time equals what is built at once.

use tempfile::TempDir;

use crate::support::{NOW, assert_same, campus, contents, copy, output, run_with, sql, yizhan};

/// Files of the last day: everything with its date in the name.
const LAST_DAY: &str = "20251010";
/// Daily dates that are kept: enough to see that they stay as they are.
const DATES: [&str; 2] = ["--set", "transform.as_of_days=5"];

#[test]
fn one_more_day_equals_a_full_build_over_the_same_rows() {
    let (input, data) = (TempDir::new().expect("a folder"), TempDir::new().expect("a folder"));
    copy(campus(), input.path(), &|it| !it.contains(LAST_DAY));
    run_with(data.path(), input.path(), "2025-10-10T00:00:00+08:00", &DATES);
    let past = snapshots(data.path());
    copy(campus(), input.path(), &|it| it.contains(LAST_DAY));
    run_with(data.path(), input.path(), NOW, &DATES);
    // The last day brings rows of days before, and none of them was known when the snapshots were taken.
    assert_eq!(past, snapshots(data.path()), "what came later changed a date that was over");
    let step_by_step = contents(data.path());

    let out = output(yizhan(data.path(), &DATES).args(["transform", "--full", "--now", NOW]));
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert_same(&step_by_step, &contents(data.path()));

    // A range that is built again is what it was, and only what was issued is left as it is.
    let range = ["transform", "--from", "2025-10-08", "--to", "2025-10-09", "--format", "json", "--now", NOW];
    let out = output(yizhan(data.path(), &DATES).args(range));
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let built: Vec<serde_json::Value> = text.lines().filter_map(|it| serde_json::from_str(it).ok()).collect();
    let done = |table: &str| {
        let it = built.iter().find(|it| it["table"] == table).unwrap_or_else(|| panic!("{table} is not told: {text}"));
        (it["action"].as_str().unwrap_or_default().to_owned(), it["detail"].as_str().unwrap_or_default().to_owned())
    };
    for table in ["feat_measure", "portrait_student", "fct_night"] {
        assert_eq!(done(table), ("partitions".to_owned(), "2".to_owned()), "{table}");
    }
    assert_eq!(done("warning_student").0, "fresh");
    assert_same(&step_by_step, &contents(data.path()));
    let out = output(yizhan(data.path(), &DATES).args(["transform", "--from", "2025-10-09", "--to", "2025-10-08", "--now", NOW]));
    assert_eq!(out.status.code(), Some(2), "{}", String::from_utf8_lossy(&out.stderr));
}

/// Everything that was said of the dates before the last one, without those that leave the daily dates.
fn snapshots(data: &std::path::Path) -> Vec<Vec<String>> {
    ["feat_measure", "closed_measure", "portrait_student", "portrait_tag", "warning_student", "fct_night", "cockpit_ticket"]
        .map(|table| {
            let found = sql(data, &format!("SELECT * FROM {table} WHERE as_of_on < DATE '2025-10-10' AND (as_of_on >= DATE '2025-10-07' OR date_part('dow', as_of_on) = 1)"));
            let mut rows: Vec<String> = found.iter().map(ToString::to_string).collect();
            rows.sort();
            assert!(!rows.is_empty(), "{table} has no past");
            rows
        })
        .into_iter()
        .collect()
}

#[test]
fn the_number_of_partitions_changes_nothing() {
    let lakes: Vec<_> = ["1", "2", "8"]
        .map(|partitions| {
            let data = TempDir::new().expect("a folder");
            let mut command = yizhan(data.path(), &["--set", "transform.as_of_days=1", "run", "--now", NOW, "--input"]);
            let out = output(command.arg(campus()).env("YIZHAN__ENGINE__PARTITIONS", partitions));
            assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
            parquet_bytes(data.path())
        })
        .into_iter()
        .collect();
    assert!(lakes[0].len() > 100, "there are files to compare");
    assert_eq!(lakes[0], lakes[1]);
    assert_eq!(lakes[0], lakes[2]);
}

/// Sizes and digests of all Parquet files by table, whatever they are called.
fn parquet_bytes(data: &std::path::Path) -> Vec<(String, u64, u64)> {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut found = Vec::new();
    for table in crate::support::tables(data) {
        let mut open = vec![crate::support::folder(data, &table)];
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    if path.file_name().is_none_or(|it| it != "_delta_log") {
                        open.push(path);
                    }
                } else {
                    let bytes = std::fs::read(&path).expect("a file");
                    let mut hasher = DefaultHasher::new();
                    bytes.hash(&mut hasher);
                    found.push((table.clone(), bytes.len() as u64, hasher.finish()));
                }
            }
        }
    }
    found.sort();
    found
}
