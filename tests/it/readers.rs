//! The lake is open: other readers see what we see.

use std::process::Command;

use crate::support::{binary, built, output, repository};

#[test]
fn duckdb_and_polars_open_every_table_with_equal_counts_and_sums() {
    let python = repository().join(".venv/bin/python");
    assert!(python.exists(), "{} is missing: run `make python` first (make test does)", python.display());
    let data = built().0.path();
    let mut command = Command::new(python);
    command.arg(repository().join("tests/readers.py")).arg("--yizhan").arg(binary()).arg("--data").arg(data);
    let out = output(command.current_dir(repository()));
    let said = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success(), "{said}{}", String::from_utf8_lossy(&out.stderr));
    assert!(said.contains("raw_card_txn") && said.contains("feat_measure"), "{said}");
}
