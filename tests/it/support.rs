//! What the cases share: the binary, one small campus, and tables as text.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

/// The instant after the last of the campus' forty days.
pub(crate) const NOW: &str = "2025-10-11T00:00:00+08:00";

/// The binary that `make test` builds before the tests.
pub(crate) fn binary() -> PathBuf {
    let own = std::env::current_exe().expect("this test has a path");
    let built = own.parent().and_then(Path::parent).expect("target/debug/deps").join("yizhan");
    assert!(built.exists(), "{} is missing: run `cargo build --workspace --bins` first (make test does)", built.display());
    built
}

pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the repository").to_owned()
}

/// A command on a data folder, with keys from a seed so that runs repeat.
pub(crate) fn yizhan(data: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(binary());
    // Before the arguments, so that a case may go on behind its last flag.
    command.arg("--data").arg(data).args(["--set", "store.mint=7", "--set", "lake.durability=\"os\""]).args(args);
    command.env_remove("YIZHAN_LOG").current_dir(repository());
    command
}

pub(crate) fn output(command: &mut Command) -> Output {
    command.output().expect("the binary starts")
}

pub(crate) fn run(data: &Path, input: &Path, now: &str) -> Vec<Value> {
    run_with(data, input, now, &[])
}

/// The same with the newest date and the Mondays before it only, for a case that looks at nothing else.
pub(crate) fn run_newest(data: &Path, input: &Path, now: &str) -> Vec<Value> {
    run_with(data, input, now, &["--set", "transform.as_of_days=1"])
}

/// The same with flags.
pub(crate) fn run_with(data: &Path, input: &Path, now: &str, flags: &[&str]) -> Vec<Value> {
    let out = output(yizhan(data, flags).args(["run", "--format", "json", "--now", now, "--input"]).arg(input));
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success(), "run failed: {text}{}", String::from_utf8_lossy(&out.stderr));
    text.lines().filter_map(|it| serde_json::from_str(it).ok()).collect()
}

/// Rows of a query by the system.
pub(crate) fn sql(data: &Path, query: &str) -> Vec<Value> {
    let out = output(&mut yizhan(data, &["sql", query, "--format", "json"]));
    assert!(out.status.success(), "{query}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).lines().filter_map(|it| serde_json::from_str(it).ok()).collect()
}

/// A campus of 300 students and 40 days, made once.
pub(crate) fn campus() -> &'static Path {
    static CAMPUS: OnceLock<TempDir> = OnceLock::new();
    CAMPUS
        .get_or_init(|| {
            let folder = TempDir::new().expect("a temporary folder");
            let out = Command::new(binary())
                .args(["simulate", "--students", "300", "--days", "40", "--seed", "5", "--out"])
                .arg(folder.path())
                .output()
                .expect("the binary starts");
            assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
            folder
        })
        .path()
}

/// A campus of 30 students and 40 days, made once.
pub(crate) fn small() -> &'static Path {
    static SMALL: OnceLock<TempDir> = OnceLock::new();
    SMALL
        .get_or_init(|| {
            let folder = TempDir::new().expect("a temporary folder");
            let out = Command::new(binary())
                .args(["simulate", "--students", "30", "--days", "40", "--seed", "5", "--out"])
                .arg(folder.path())
                .output()
                .expect("the binary starts");
            assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
            folder
        })
        .path()
}

/// What a command said: exit code, lines of JSON, standard error.
pub(crate) fn said(command: &mut Command) -> (i32, Vec<Value>, String) {
    let out = output(command);
    let lines = String::from_utf8_lossy(&out.stdout).lines().filter_map(|it| serde_json::from_str(it).ok()).collect();
    (out.status.code().unwrap_or(-1), lines, String::from_utf8_lossy(&out.stderr).into_owned())
}

/// Writes a file and the folders above it.
pub(crate) fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(path, text).expect("written");
}

/// What the simulator planted.
pub(crate) fn manifest() -> Value {
    let text = std::fs::read_to_string(campus().join("truth/manifest.json")).expect("a manifest");
    serde_json::from_str(&text).expect("a manifest in JSON")
}

/// The campus run once without disturbance, shared by the cases that only look.
pub(crate) fn built() -> &'static (TempDir, Vec<Value>) {
    static BUILT: OnceLock<(TempDir, Vec<Value>)> = OnceLock::new();
    BUILT.get_or_init(|| {
        let data = TempDir::new().expect("a temporary folder");
        let reports = run(data.path(), campus(), NOW);
        (data, reports)
    })
}

/// A small demonstration of 61 days, built once; who changes it works on a copy.
pub(crate) fn demo() -> &'static Path {
    static DEMO: OnceLock<TempDir> = OnceLock::new();
    DEMO.get_or_init(|| {
        let data = TempDir::new().expect("a folder");
        let out = output(&mut yizhan(data.path(), &["demo", "--students", "300", "--days", "61", "--build-only"]));
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        data
    })
    .path()
}

/// Folder of a table: the closed compartment has one of its own.
pub(crate) fn folder(data: &Path, table: &str) -> PathBuf {
    data.join(if table.starts_with("closed_") { "closed" } else { "lake" }).join(table)
}

/// Names of the tables of a lake and of the closed compartment beside it.
pub(crate) fn tables(data: &Path) -> Vec<String> {
    let mut names: Vec<String> = ["lake", "closed"]
        .iter()
        .flat_map(|it| std::fs::read_dir(data.join(it)).expect("a lake"))
        .filter_map(|it| Some(it.ok()?.path()))
        .filter(|it| it.join("_delta_log").is_dir())
        .filter_map(|it| Some(it.file_name()?.to_string_lossy().into_owned()))
        .collect();
    names.sort();
    names
}

/// Every table as its sorted rows, to compare lakes by what they hold; another reader opens all of them in one process.
pub(crate) fn contents(data: &Path) -> BTreeMap<String, Vec<String>> {
    let python = repository().join(".venv/bin/python");
    assert!(python.exists(), "{} is missing: run `make python` first (make test does)", python.display());
    let out = output(Command::new(python).arg(repository().join("tests/contents.py")).arg(data));
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let found: BTreeMap<String, Vec<String>> = serde_json::from_slice(&out.stdout).expect("tables in JSON");
    assert_eq!(found.keys().cloned().collect::<Vec<_>>(), tables(data), "a table was not read");
    found
}

/// Says in which table two lakes differ, and by which row.
#[track_caller]
pub(crate) fn assert_same(left: &BTreeMap<String, Vec<String>>, right: &BTreeMap<String, Vec<String>>) {
    assert_eq!(left.keys().collect::<Vec<_>>(), right.keys().collect::<Vec<_>>(), "the lakes hold different tables");
    for (table, rows) in left {
        let other = &right[table];
        let differs = rows.iter().zip(other).find(|(a, b)| a != b);
        assert!(
            rows.len() == other.len() && differs.is_none(),
            "{table}: {} and {} rows, first difference {differs:?}",
            rows.len(),
            other.len()
        );
    }
}

/// Changes a column of every row of a table behind the program's back, as another writer of the format.
pub(crate) fn altered(table: &Path, column: &str, expression: &str) {
    let python = repository().join(".venv/bin/python");
    assert!(python.exists(), "{} is missing: run `make python` first (make test does)", python.display());
    // Threads of the reader would outlive the script.
    let script = "import os, sys\nfrom deltalake import DeltaTable\n\
                  told = DeltaTable(sys.argv[1]).update(updates={sys.argv[2]: sys.argv[3]})\n\
                  print(told['num_updated_rows'], flush=True)\nos._exit(0)\n";
    let out = output(Command::new(python).args(["-c", script]).arg(table).args([column, expression]));
    let rows_n: u64 = String::from_utf8_lossy(&out.stdout).trim().parse().unwrap_or_default();
    assert!(0 < rows_n, "no row of {} was altered: {}", table.display(), String::from_utf8_lossy(&out.stderr));
}

/// Copies the files of a folder whose names are wanted.
pub(crate) fn copy(from: &Path, to: &Path, is_wanted: &dyn Fn(&str) -> bool) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.is_dir() {
            copy(&path, &to.join(&name), is_wanted);
        } else if is_wanted(&name) {
            std::fs::copy(&path, to.join(&name)).expect("a copy");
        }
    }
}
