//! A source that knows students by their cards finds them through the register, day by day.

use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{copy, said, small, write, yizhan};

const NOW: &str = "2025-10-11T04:00:00+08:00";

const LOCKER: &str = r#"[pipeline]
name      = "locker_event"
about     = "Lockers opened by card."
shape     = "event"
owner     = "card_center"
purpose   = ["service"]
retention = "1y"
source    = { format = "csv", path = "locker/*.csv" }

[contract]
version          = 1
key              = ["event_id"]
on_conflict      = "first"
occurred_at      = { column = "opened_at" }
start            = "2025-07-01"
usual_delay      = "1h"
reject_share_max = 1.0

[columns]
event_id  = { type = "int64", required = true, class = "internal", about = "Number of the event." }
card_no   = { head = "卡号", type = "text", required = true, person = "student", by = "card", class = "identity", about = "Card." }
opened_at = { type = "timestamp", required = true, format = "%Y-%m-%d %H:%M:%S", class = "trace", about = "Instant." }
"#;

struct Project {
    folder: TempDir,
}

impl Project {
    fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        write(&folder.path().join("yizhan.toml"), "packs = [\"campus\"]\n[ingest]\napprovals = \"off\"\n");
        write(&folder.path().join("pipelines/locker_event.toml"), LOCKER);
        copy(small(), &folder.path().join("input"), &|it| it == "student_identifier.csv" || it == "org_unit.csv");
        Self { folder }
    }

    fn input(&self, path: &str) -> std::path::PathBuf {
        self.folder.path().join("input").join(path)
    }

    fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    fn run(&self, args: &[&str]) -> (i32, Vec<Value>, String) {
        let mut command = yizhan(&self.data(), args);
        said(command.args(["--format", "json", "--now", NOW, "--project"]).arg(self.folder.path()))
    }

    #[track_caller]
    fn ingest(&self) -> Vec<Value> {
        let input = self.input("");
        let (code, reports, text) = self.run(&["ingest", "--input", &input.to_string_lossy()]);
        assert_eq!(code, 0, "{text}");
        reports
    }

    #[track_caller]
    fn keys(&self, query: &str) -> Vec<i64> {
        let (code, rows, text) = self.run(&["sql", query]);
        assert_eq!(code, 0, "{text}");
        rows.iter().map(|it| it["student_key"].as_i64().expect("a key")).collect()
    }
}

/// The first line of the register about a card that is still valid, as fields.
fn a_card(register: &str) -> Vec<String> {
    let line = register.lines().find(|it| it.contains(",卡号,") && it.ends_with(','));
    line.expect("a card").split(',').map(str::to_owned).collect()
}

fn report<'a>(reports: &'a [Value], pipeline: &str) -> &'a Value {
    reports.iter().find(|it| it["pipeline"] == pipeline).expect("a report")
}

#[test]
fn a_card_finds_its_student_and_one_registered_late_finds_hers_by_replay() {
    let project = Project::new();
    let register = std::fs::read_to_string(project.input("registry/student_identifier.csv")).expect("the register");
    let card = a_card(&register);
    let events = format!(
        "event_id,卡号,opened_at\n1,{},2025-09-10 08:00:00\n2,99990001,2025-09-10 09:00:00\n3,{},2015-09-10 08:00:00\n",
        card[2], card[2]
    );
    write(&project.input("locker/20250911.csv"), &events);

    let reports = project.ingest();
    assert_eq!(report(&reports, "locker_event")["rows_kept"], 1);
    assert_eq!(report(&reports, "locker_event")["reasons"]["holder"], 1, "{reports:?}");
    let holder = "SELECT DISTINCT student_key FROM raw_student_identifier WHERE kind = 'card'";
    let opened = project.keys("SELECT student_key FROM stg_locker_event");
    let holders = project.keys(holder);
    assert!(holders.contains(&opened[0]), "the key is a student's own: {opened:?} of {holders:?}");

    // The office adds the card that it had forgotten: the row that waited enters under the same person.
    write(&project.input("registry/student_identifier_new.csv"), &format!("{register}{},卡号,99990001,2025-09-01,\n", card[0]));
    project.ingest();
    let (code, _, text) = project.run(&["quarantine", "replay", "locker_event"]);
    assert_eq!(code, 0, "{text}");
    let opened = project.keys("SELECT student_key FROM stg_locker_event");
    assert_eq!(opened.len(), 2, "one row is too old for any card and waits");
    assert_eq!(opened[0], opened[1], "two cards of one student");
    assert!(!is_on_disk(&project.data(), b"99990001"), "a card number stands readable on disk");
}

#[test]
fn a_student_with_a_new_number_stays_one_person() {
    let project = Project::new();
    let path = project.input("registry/student_identifier.csv");
    let register = std::fs::read_to_string(&path).expect("the register");
    let card = a_card(&register);
    write(&path, &format!("{register}{},学号,2025990001,2025-09-20,\n", card[0]));
    project.ingest();
    // From now on the office writes the new number.
    write(
        &project.input("registry/student_identifier_new.csv"),
        "学号,类别,标识值,生效日期,失效日期\n2025990001,卡号,99990002,2025-09-20,\n",
    );
    let reports = project.ingest();
    assert_eq!(report(&reports, "student_identifier")["unlinked"], 0);
    write(
        &project.input("locker/20250922.csv"),
        &format!("event_id,卡号,opened_at\n1,99990002,2025-09-21 08:00:00\n2,{},2025-09-21 09:00:00\n", card[2]),
    );
    project.ingest();
    let opened = project.keys("SELECT student_key FROM stg_locker_event");
    assert_eq!(opened.len(), 2);
    assert_eq!(opened[0], opened[1], "both cards are hers, whichever number the register used");
}

/// Whether bytes stand anywhere in the lake or the store.
fn is_on_disk(folder: &Path, wanted: &[u8]) -> bool {
    std::fs::read_dir(folder).expect("a folder").flatten().any(|it| match it.path().is_dir() {
        true => is_on_disk(&it.path(), wanted),
        false => {
            let bytes = std::fs::read(it.path()).expect("a file");
            bytes.windows(wanted.len()).any(|it| it == wanted)
        }
    })
}
