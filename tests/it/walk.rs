//! One walk through the whole house.

use std::collections::HashSet;

use crate::support::{self, built, campus, manifest, sql};

#[test]
fn every_row_is_accounted_for() {
    let (_, reports) = built();
    let manifest = manifest();
    let mut seen = 0;
    for (pipeline, rows) in manifest["rows"].as_object().expect("rows by pipeline") {
        let report =
            reports.iter().find(|it| it["pipeline"] == pipeline.as_str()).unwrap_or_else(|| panic!("no report of {pipeline}"));
        let n = |name: &str| report[name].as_u64().expect("a count");
        assert_eq!(n("rows_in"), rows.as_u64().expect("a count"), "{pipeline}");
        assert_eq!(n("rows_in"), n("rows_kept") + n("rows_quarantined") + n("rows_skipped") + n("rows_erased"), "{pipeline}");
        seen += 1;
    }
    assert!(50 <= seen, "only {seen} sources were simulated");
}

#[test]
fn what_was_refused_equals_what_was_planted_reason_by_reason() {
    let (data, _) = built();
    let found = sql(data.path(), "SELECT pipeline, reason, count(*) AS n FROM ops_quarantine GROUP BY pipeline, reason");
    let defects = manifest()["defects"].clone();
    let planted: usize = defects.as_object().expect("pipelines").values().map(|it| it.as_object().expect("reasons").len()).sum();
    assert_eq!(found.len(), planted, "{found:?} against {defects}");
    for row in found {
        let (pipeline, reason) = (row["pipeline"].as_str().expect("text"), row["reason"].as_str().expect("text"));
        assert_eq!(row["n"], defects[pipeline][reason], "{pipeline} {reason}");
    }
}

#[test]
fn duplicates_are_set_aside_and_nothing_else() {
    let (data, _) = built();
    for (pipeline, n) in manifest()["duplicates"].as_object().expect("counts") {
        let found = sql(data.path(), &format!("SELECT count(*) AS n FROM dup_{pipeline}"));
        assert_eq!(found[0]["n"], *n, "{pipeline}");
    }
}

#[test]
fn a_second_run_takes_nothing_and_changes_no_table() {
    let data = tempfile::TempDir::new().expect("a temporary folder");
    support::run_newest(data.path(), campus(), support::NOW);
    let log = || -> Vec<(String, usize)> {
        support::tables(data.path())
            .into_iter()
            .map(|it| {
                let entries = std::fs::read_dir(support::folder(data.path(), &it).join("_delta_log")).expect("a log").count();
                (it, entries)
            })
            .collect()
    };
    let before = log();
    let reports = support::run_newest(data.path(), campus(), support::NOW);
    assert!(reports.iter().all(|it| it["pipeline"].is_null()), "nothing new was there: {reports:?}");
    assert_eq!(before, log());
}

#[test]
fn no_number_of_a_student_stands_in_the_lake() {
    let (data, _) = built();
    let numbers: HashSet<Vec<u8>> = std::fs::read_to_string(campus().join("truth/students.csv"))
        .expect("the truth")
        .lines()
        .skip(1)
        .filter_map(|it| Some(it.split(',').next()?.as_bytes().to_vec()))
        .collect();
    assert_eq!(numbers.len(), 300);
    let length = numbers.iter().next().map_or(0, Vec::len);
    assert!(numbers.iter().all(|it| it.len() == length));
    // Ten digits may turn up in compressed bytes by chance, once in a great while; a leak shows hundreds.
    let mut found = 0;
    let mut open = vec![data.path().join("lake"), data.path().join("closed")];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let bytes = std::fs::read(&path).expect("a file");
            let is_one = |window: &&[u8]| window[0].is_ascii_digit() && numbers.contains(*window);
            found += bytes.windows(length).filter(is_one).collect::<HashSet<_>>().len();
        }
    }
    assert_eq!(found, 0);
}
