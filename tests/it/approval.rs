//! Without a valid approval of its use a source does not enter, and its files wait until it has one.

use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{NOW, copy, said, small, sql, write, yizhan};

/// A campus whose register of approvals is changed line by line.
struct Campus {
    input: TempDir,
    data: TempDir,
}

impl Campus {
    /// Registers, and the payments and passages of some days.
    fn new() -> Self {
        let (input, data) = (TempDir::new().expect("a folder"), TempDir::new().expect("a folder"));
        copy(small(), input.path(), &|it| it.contains("approval") || it.contains("2025090") || it == "org_unit.csv");
        Self { input, data }
    }

    /// Puts each line of a source into the register as a case has it; `None` leaves it out.
    fn approve(&self, source: &str, line: impl Fn(&str) -> Option<String>) {
        let path = Path::new("registry/data_use_approval.csv");
        let text = std::fs::read_to_string(small().join(path)).expect("the register");
        let is_it = |it: &str| it.contains(&format!(",{source},"));
        let lines = text.lines().filter_map(|it| if is_it(it) { line(it) } else { Some(it.to_owned()) });
        write(&self.input.path().join(path), &(lines.collect::<Vec<_>>().join("\n") + "\n"));
    }

    fn ingest(&self, flags: &[&str]) -> (i32, Vec<Value>, String) {
        let mut command = yizhan(self.data.path(), &["ingest", "--format", "json", "--now", NOW, "--input"]);
        said(command.arg(self.input.path()).args(flags))
    }

    fn rows(&self, table: &str) -> i64 {
        match self.data.path().join("lake").join(table).exists() {
            true => sql(self.data.path(), &format!("SELECT count(*) AS n FROM {table}"))[0]["n"].as_i64().expect("a count"),
            false => 0,
        }
    }
}

fn kept(reports: &[Value], pipeline: &str) -> Option<i64> {
    reports.iter().find(|it| it["pipeline"] == pipeline)?["rows_kept"].as_i64()
}

#[track_caller]
fn check(line: impl Fn(&str) -> Option<String>, words: &[&str]) {
    let campus = Campus::new();
    campus.approve("card_txn", line);
    let (code, reports, text) = campus.ingest(&[]);
    assert_eq!(code, 2, "{text}");
    for word in words.iter().chain(&["card_txn", "registry/data_use_approval.csv", "then run again", "重新运行"]) {
        assert!(text.contains(word), "the message lacks \"{word}\": {text}");
    }
    assert_eq!(text.matches("refused").count(), 1, "one source is refused, and once: {text}");
    let refused = reports.iter().find(|it| it["pipeline"] == "card_txn").expect("a report");
    assert_eq!((refused["rows_in"].as_i64(), refused["refused"].as_array().map(Vec::len)), (Some(0), Some(1)), "{refused}");
    assert_eq!(campus.rows("raw_card_txn"), 0, "something of it entered");
    assert!(0 < campus.rows("raw_gate_event"), "the others go on: {text}");

    // Nothing was noted of the files: the first run under an approval takes them all, and the next one none.
    campus.approve("card_txn", |it| Some(it.to_owned()));
    let (code, reports, text) = campus.ingest(&[]);
    assert_eq!(code, 0, "{text}");
    let n = kept(&reports, "card_txn").expect("the payments are taken");
    assert_eq!(kept(&reports, "gate_event"), None, "the passages are in: {reports:?}");
    assert!(500 < n && n == campus.rows("raw_card_txn"), "{n} payments");
    let (code, reports, text) = campus.ingest(&[]);
    assert_eq!((code, reports.len()), (0, 0), "{text}");
    assert_eq!(campus.rows("raw_card_txn"), n);
}

#[test]
fn a_source_without_a_line_waits_until_it_has_one() {
    check(|_| None, &["没有数据使用审批", "has no approval of its use"]);
}

#[test]
fn an_expired_approval_is_told_with_its_day() {
    check(|it| Some(it.replace("2027-08-31", "2025-10-09")), &["已于 2025-10-09 到期", "expired on 2025-10-09"]);
}

#[test]
fn an_approval_of_the_last_day_still_holds() {
    // The instant lies before four in the morning: the campus day is the one before.
    let campus = Campus::new();
    campus.approve("card_txn", |it| Some(it.replace("2027-08-31", "2025-10-10")));
    assert_eq!(campus.ingest(&[]).0, 0);
}

#[test]
fn a_purpose_that_is_not_approved_is_named() {
    let words = ["用途 service、public_safety 未获批准", "purposes service, public_safety not approved"];
    check(
        |it| Some(it.replace("portrait;trend_warning;service;cockpit;public_safety", "portrait;trend_warning;cockpit")),
        &words,
    );
}

#[test]
fn a_field_that_is_not_approved_is_named() {
    let fields = "txn_id;student_id;terminal_id;merchant_kind;amount_fen;paid_at";
    check(
        |it| Some(it.replace(",*,", &format!(",{fields},"))),
        &[
            "字段 balance_fen（余额(元)） 未获批准",
            "fields balance_fen not approved",
            "或在约定中去掉",
            "take them out of the contract",
        ],
    );
}

#[test]
fn one_of_several_approvals_is_enough() {
    let campus = Campus::new();
    campus
        .approve("card_txn", |it| Some(format!("{}\n{}", it.replace("2027-08-31", "2025-01-01"), it.replace("4-1号", "9-9号"))));
    assert_eq!(campus.ingest(&[]).0, 0);
}

#[test]
fn a_source_without_new_files_is_not_refused_and_a_register_put_back_counts() {
    let campus = Campus::new();
    assert_eq!(campus.ingest(&[]).0, 0);
    campus.approve("card_txn", |_| None);
    let (code, _, text) = campus.ingest(&[]);
    assert_eq!(code, 0, "what is in the lake is not taken again: {text}");
    // The same bytes under another name are no news either.
    let card = campus.input.path().join("card");
    std::fs::copy(card.join("card_20250901.csv"), card.join("card_20250901_again.csv")).expect("a copy");
    assert_eq!(campus.ingest(&[]).0, 0);
    copy(small(), campus.input.path(), &|it| it == "card_20250910.csv");
    assert_eq!(campus.ingest(&["card_txn"]).0, 2);
    // This very content has landed before and is not taken in anew.
    campus.approve("card_txn", |it| Some(it.to_owned()));
    assert_eq!(campus.ingest(&["card_txn"]).0, 0);
}

#[test]
fn a_register_that_was_never_there_approves_nothing_and_public_data_need_none() {
    let campus = Campus::new();
    std::fs::remove_file(campus.input.path().join("registry/data_use_approval.csv")).expect("removed");
    let (code, _, text) = campus.ingest(&[]);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("pipeline \"org_unit\" has no approval of its use"), "{text}");
    assert_eq!(campus.rows("raw_org_unit"), 0);
    assert_eq!(campus.ingest(&["--set", "ingest.approvals=off"]).0, 0);
    assert!(0 < campus.rows("raw_org_unit"));
}

#[test]
fn a_run_says_what_was_refused_and_builds_the_rest() {
    let campus = Campus::new();
    campus.approve("card_txn", |_| None);
    let mut command = yizhan(campus.data.path(), &["run", "--format", "json", "--now", NOW, "--input"]);
    let (code, lines, text) = said(command.arg(campus.input.path()));
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("has no approval of its use"), "{text}");
    let stage = |name: &str| lines.iter().find(|it| it["stage"] == name).cloned().unwrap_or_default();
    assert_eq!(stage("ingest")["result"], "ok: 1 refused", "{lines:?}");
    assert_eq!(stage("upkeep")["result"], "ok", "{lines:?}");
}
