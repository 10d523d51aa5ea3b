//! Cases as folders: `tests/pipelines/{valid,invalid}/<case>` of the workspace, read at run time.
//!
//! A case has `pipeline.toml`, its input files, and what is expected: `expect.csv` (rows), `rejects.csv` and `vault.csv`
//! if there are any, or `error.txt`. `case.toml` changes clock, persons or limits. `<name>.xlsx.toml` is a workbook
//! written down. With `UPDATE=1` the expected files are rewritten; read the difference before it is kept.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{env, fs};

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use ingest::{Door, FileInput, KnownAt, Limits, Normalise, PersonConfig, Persons, Taken};
use schema::time::CampusClock;
use schema::{PersonKind, Pipeline, Seal};
use serde::Deserialize;

mod vault;
mod workbook;

/// What a case changes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Case {
    time_zone: chrono_tz::Tz,
    now: chrono::DateTime<chrono::Utc>,
    /// A first load: `known_at` is the contract's guess.
    is_first_load: bool,
    student_pattern: String,
    erased: Vec<String>,
    field_bytes_max: u64,
    file_bytes_max: u64,
    rows_max: u64,
}

impl Default for Case {
    fn default() -> Self {
        let limits = Limits::default();
        Self {
            time_zone: chrono_tz::Asia::Shanghai,
            now: "2025-10-01T00:00:00Z".parse().expect("a time"),
            is_first_load: false,
            student_pattern: r"20\d{8}".to_owned(),
            erased: Vec::new(),
            field_bytes_max: limits.field_bytes_max,
            file_bytes_max: limits.file_bytes_max,
            rows_max: limits.rows_max,
        }
    }
}

#[test]
fn the_door_keeps_what_it_may_and_refuses_what_it_must_with_these_words() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/pipelines");
    let mut failures = String::new();
    let mut cases = 0;
    for outcome in ["valid", "invalid"] {
        let folder = root.join(outcome);
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut folders: Vec<PathBuf> = entries.map(|it| it.expect("entry").path()).filter(|it| it.is_dir()).collect();
        folders.sort();
        for folder in folders {
            cases += 1;
            let actual = run(&folder);
            let is_error = actual.contains_key("error.txt");
            if is_error != (outcome == "invalid") {
                let _ = writeln!(failures, "\n{}: stands in the wrong folder: {actual:?}", folder.display());
                continue;
            }
            compare(&folder, &actual, &mut failures);
        }
    }
    assert!(40 <= cases, "only {cases} cases were found under {}", root.display());
    assert!(failures.is_empty(), "{failures}\nUPDATE=1 rewrites the expected files");
}

const EXPECTED: [&str; 4] = ["expect.csv", "rejects.csv", "vault.csv", "error.txt"];

fn compare(folder: &Path, actual: &BTreeMap<&str, String>, failures: &mut String) {
    for name in EXPECTED {
        let path = folder.join(name);
        let expected = fs::read_to_string(&path).ok();
        let actual = actual.get(name);
        if expected.as_ref() == actual {
            continue;
        }
        if env::var_os("UPDATE").is_some() {
            match actual {
                Some(actual) => fs::write(&path, actual).expect("case folder can be written"),
                None => fs::remove_file(&path).expect("case folder can be written"),
            }
            continue;
        }
        let nothing = || "(no such file)\n".to_owned();
        let (expected, actual) = (expected.unwrap_or_else(nothing), actual.cloned().unwrap_or_else(nothing));
        let _ = writeln!(failures, "\n{}\n--- expected\n{expected}--- actual\n{actual}", path.display());
    }
}

/// Runs a case and returns the expected files as they should be.
fn run(folder: &Path) -> BTreeMap<&'static str, String> {
    let read = |name: &str| fs::read_to_string(folder.join(name)).ok();
    let case: Case = toml::from_str(&read("case.toml").unwrap_or_default())
        .unwrap_or_else(|error| panic!("{}/case.toml: {error}", folder.display()));
    let text = read("pipeline.toml").unwrap_or_else(|| panic!("{} has no pipeline.toml", folder.display()));
    // The file's name is the pipeline's in a project; here it is the case that has the name.
    let pipeline = Pipeline::parse(Path::new(""), &text).unwrap_or_else(|error| panic!("{}{error}", folder.display()));
    let number = |pattern: &str| PersonConfig {
        pattern: pattern.to_owned(),
        normalise: vec![Normalise::Trim, Normalise::Halfwidth, Normalise::Upper, Normalise::StripExcel],
        ..PersonConfig::default()
    };
    let persons = Persons::new(&BTreeMap::from([
        (PersonKind::Student, number(&case.student_pattern)),
        (PersonKind::Staff, number(r"T\d{5}")),
    ]))
    .unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let vault = vault::Vault::new(&case.erased);
    let now_us = case.now.timestamp_micros();
    let door = Door {
        pipeline: &pipeline,
        clock: CampusClock::new(case.time_zone, chrono::NaiveTime::from_hms_opt(4, 0, 0).expect("04:00 exists")),
        persons: &persons,
        pseudonyms: &vault,
        seal: &vault,
        now_us,
        known: if case.is_first_load { KnownAt::Assumed } else { KnownAt::At(now_us) },
        limits: Limits { file_bytes_max: case.file_bytes_max, field_bytes_max: case.field_bytes_max, rows_max: case.rows_max },
    };
    let scratch = tempfile::tempdir().expect("temporary folder");
    let mut actual = BTreeMap::new();
    let mut taken = Vec::new();
    for (file_no, path) in inputs(folder, scratch.path()).iter().enumerate() {
        let display = path.file_name().and_then(|it| it.to_str()).expect("a name");
        let file = FileInput { path, file_no: file_no as i64 + 1, display };
        match door.take(&file, &|_| {}) {
            Ok(it) => {
                refused_again(&door, &it);
                taken.push(it);
            }
            Err(error) => {
                assert!(vault.is_untouched(), "{}: the vault was asked for a broken feed", folder.display());
                actual.insert("error.txt", format!("{:?}: {error}\n{}", error.blame(), causes(&error)));
                return actual;
            }
        }
    }
    actual.insert("expect.csv", rows(&taken));
    actual.extend(rejects(&taken, &vault).map(|it| ("rejects.csv", it)));
    actual.extend(vault.remembered().map(|it| ("vault.csv", it)));
    actual
}

fn causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |it| it.source());
    causes.map(|it| format!("  because {it}\n")).collect()
}

fn inputs(folder: &Path, scratch: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).expect("case folder").map(|it| it.expect("entry").path()).collect();
    paths.sort();
    let mut inputs = Vec::new();
    for path in paths {
        let name = path.file_name().and_then(|it| it.to_str()).expect("a name");
        if let Some(workbook) = name.strip_suffix(".toml").filter(|it| it.ends_with(".xlsx")) {
            let made = scratch.join(workbook);
            workbook::write(&path, &made);
            inputs.push(made);
        } else if !EXPECTED.contains(&name) && name != "pipeline.toml" && name != "case.toml" {
            inputs.push(path);
        }
    }
    assert!(!inputs.is_empty(), "{} has no input", folder.display());
    inputs
}

/// All rows as CSV with their day in front; hashes have a test of their own.
fn rows(taken: &[Taken]) -> String {
    let mut out = csv::Writer::from_writer(Vec::new());
    let mut has_head = false;
    for part in taken.iter().flat_map(|it| &it.parts) {
        let schema = part.batch.schema();
        let names: Vec<&str> = schema.fields().iter().map(|it| it.name().as_str()).filter(|it| *it != "row_hash").collect();
        let day = part.day.map(|it| schema::time::days_date(it).expect("a day").to_string());
        if !has_head {
            has_head = true;
            out.write_record(day.iter().map(|_| "occurred_on").chain(names.iter().copied())).expect("in memory");
        }
        let options = arrow::util::display::FormatOptions::new();
        let arrays: Vec<_> = names.iter().map(|it| shown(part.batch.column_by_name(it).expect("of the schema"))).collect();
        let formatter = |it| arrow::util::display::ArrayFormatter::try_new(it, &options).expect("a plain type");
        let columns: Vec<_> = arrays.iter().map(|it| formatter(it.as_ref())).collect();
        for row in 0..part.batch.num_rows() {
            let values = columns.iter().map(|it| it.value(row).to_string());
            out.write_record(day.clone().into_iter().chain(values)).expect("in memory");
        }
    }
    String::from_utf8(out.into_inner().expect("in memory")).expect("text")
}

/// Instants without their zone, which is UTC everywhere: formatting one needs a table of zones.
fn shown(column: &ArrayRef) -> ArrayRef {
    match column.as_primitive_opt::<TimestampMicrosecondType>() {
        Some(instants) => {
            assert_eq!(column.data_type(), &schema::instant_type(), "instants are UTC");
            Arc::new(instants.clone().with_timezone_opt(None::<Arc<str>>))
        }
        None => column.clone(),
    }
}

/// What one contract refused it refuses again for the same reasons, whatever became of the row between the two.
fn refused_again(door: &Door<'_>, taken: &Taken) {
    let reasons = |taken: &Taken| -> Vec<(String, String)> {
        let texts = |name: &str| {
            let column = taken.rejects.column_by_name(name).expect("a column of the quarantine").as_string::<i32>();
            column.iter().map(|it| it.unwrap_or_default().to_owned()).collect::<Vec<_>>()
        };
        // Of a line that does not come apart it is not said again in which column.
        let column =
            |reason: &str, column: String| if ["encoding", "columns"].contains(&reason) { String::new() } else { column };
        texts("reason").into_iter().zip(texts("column")).map(|(reason, it)| (reason.clone(), column(&reason, it))).collect()
    };
    let sealed = taken.rejects.column_by_name("sealed_row").expect("sealed rows").as_binary::<i32>();
    let opened: Vec<Vec<u8>> = sealed.iter().flatten().map(|it| door.seal.open(it).expect("sealed")).collect();
    let file = FileInput { path: Path::new(""), file_no: 9, display: "again" };
    let again = door.take_again(&file, &opened).expect("rows alone break no feed");
    assert_eq!((again.counts.rows_kept, reasons(&again)), (0, reasons(taken)), "{}", door.pipeline.name());
}

fn rejects(taken: &[Taken], vault: &vault::Vault) -> Option<String> {
    let mut out = csv::Writer::from_writer(Vec::new());
    let mut n = 0;
    for taken in taken {
        let column = |name: &str| taken.rejects.column_by_name(name).expect("a column of the quarantine");
        let int = |name: &str, row| column(name).as_primitive::<Int64Type>().value(row).to_string();
        let text = |name: &str, row| {
            let column = column(name).as_string::<i32>();
            if column.is_null(row) { String::new() } else { column.value(row).to_owned() }
        };
        let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
        for row in 0..taken.rejects.num_rows() {
            if n == 0 {
                out.write_record(["file_no", "row_no", "reason", "column", "row"]).expect("in memory");
            }
            n += 1;
            *reasons.entry(text("reason", row)).or_default() += 1;
            let sealed = column("sealed_row").as_binary::<i32>().value(row);
            let opened = vault.open(sealed).expect("sealed by the vault").escape_ascii().to_string();
            let shown = std::str::from_utf8(&vault.open(sealed).expect("sealed")).map_or(opened, str::to_owned);
            let record = [int("file_no", row), int("row_no", row), text("reason", row), text("column", row), shown];
            out.write_record(record).expect("in memory");
        }
        assert_eq!(reasons, taken.reasons, "reasons are counted as they are listed");
    }
    (0 < n).then(|| String::from_utf8(out.into_inner().expect("in memory")).expect("text"))
}
