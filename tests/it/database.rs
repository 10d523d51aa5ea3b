//! A table of a real PostgreSQL server, pulled by watermark by the real program.

use std::path::Path;

use tempfile::TempDir;
use testkit::postgres::Server;

use crate::support::{said, write, yizhan};

const CONTRACT: &str = r#"
[pipeline]
name = "dorm_repair"
about = "Repairs of rooms, from the office's own database."
shape = "state"
owner = "logistics_office"
purpose = ["service"]
retention = "4y"
source = { kind = "postgres", url_env = "REPAIR_DATABASE_URL", table = "public.repair", watermark = "updated_at", overlap = "1h" }

[contract]
version = 1
key = ["repair_id"]
usual_delay = "1h"
on_conflict = "latest"
reject_share_max = 0.5

[columns]
repair_id = { head = "repair_id", type = "text", required = true, class = "internal", about = "Number of the repair." }
student_id = { head = "student_id", type = "text", required = true, person = "student", class = "identity", about = "Who asked." }
state = { head = "state", type = "text", required = true, class = "internal", about = "How it stands." }
updated_at = { head = "updated_at", type = "timestamp", required = true, class = "internal", about = "Last change." }
"#;

struct Office {
    server: Server,
    project: TempDir,
    data: TempDir,
}

impl Office {
    fn new() -> Self {
        let server = Server::start();
        server.run(
            "CREATE TABLE repair (repair_id text, student_id text, state text, updated_at timestamptz); \
             INSERT INTO repair VALUES ('R1', '2023000001', 'open', '2025-10-01 10:00+08'), \
             ('R2', '2023000002', 'open', '2025-10-01 11:00+08'), ('R3', 'nobody', 'open', '2025-10-01 11:30+08')",
        );
        let (project, data) = (TempDir::new().expect("a folder"), TempDir::new().expect("a folder"));
        write(&project.path().join("yizhan.toml"), "packs = []\n[ingest]\napprovals = \"off\"\n");
        write(&project.path().join("pipelines/dorm_repair.toml"), CONTRACT);
        std::fs::create_dir_all(project.path().join("input")).expect("a folder");
        Self { server, project, data }
    }

    fn ingest(&self, url: &str) -> (i32, Vec<serde_json::Value>, String) {
        let project = self.project.path().to_string_lossy().into_owned();
        let args = ["ingest", "--format", "json", "--now", "2025-10-02T00:00:00+08:00", "--project", &project];
        said(yizhan(self.data.path(), &args).env("REPAIR_DATABASE_URL", url))
    }

    fn take(&self) -> serde_json::Value {
        let (code, mut lines, wrong) = self.ingest(&self.server.url());
        assert_eq!(code, 0, "{wrong}");
        lines.pop().unwrap_or_default()
    }

    fn states(&self) -> Vec<String> {
        let project: &Path = self.project.path();
        let query = "SELECT repair_id, state FROM stg_dorm_repair WHERE superseded_at IS NULL ORDER BY repair_id";
        let out = said(yizhan(self.data.path(), &["sql", query, "--format", "json", "--project"]).arg(project));
        assert_eq!(out.0, 0, "{}", out.2);
        out.1
            .iter()
            .map(|it| format!("{} {}", it["repair_id"].as_str().expect("text"), it["state"].as_str().expect("text")))
            .collect()
    }

    fn transform(&self) {
        let (code, _, wrong) = said(yizhan(self.data.path(), &["transform", "--project"]).arg(self.project.path()));
        assert_eq!(code, 0, "{wrong}");
    }
}

#[test]
fn changed_rows_come_once_late_ones_within_the_overlap_and_bad_ones_wait() {
    let office = Office::new();
    let first = office.take();
    assert_eq!(
        (first["rows_in"].as_i64(), first["rows_kept"].as_i64(), first["rows_quarantined"].as_i64()),
        (Some(3), Some(2), Some(1))
    );
    office.transform();
    assert_eq!(office.states(), ["R1 open", "R2 open"]);

    // One row changed, and one became visible late with an instant before the mark.
    office.server.run(
        "UPDATE repair SET state = 'done', updated_at = '2025-10-01 12:00+08' WHERE repair_id = 'R1'; \
         INSERT INTO repair VALUES ('R4', '2023000004', 'open', '2025-10-01 11:05+08')",
    );
    office.take();
    office.transform();
    assert_eq!(office.states(), ["R1 done", "R2 open", "R4 open"]);

    // Nothing new: nothing is kept twice, however often one looks.
    let raw = |office: &Office| {
        let project = office.project.path().to_string_lossy().into_owned();
        let out = said(&mut yizhan(
            office.data.path(),
            &["sql", "SELECT count(*) AS n FROM raw_dorm_repair", "--format", "json", "--project", &project],
        ));
        out.1[0]["n"].as_i64()
    };
    let before = raw(&office);
    office.take();
    assert_eq!(raw(&office), before);
}

#[test]
fn a_database_that_is_not_there_is_the_worlds_fault_and_its_password_is_not_said() {
    let office = Office::new();
    let (code, _, wrong) = office.ingest("postgres://ops:very-secret-word@127.0.0.1:1/postgres");
    assert_eq!(code, 75, "{wrong}");
    assert!(!wrong.contains("very-secret-word"), "{wrong}");
    let project = office.project.path().to_string_lossy().into_owned();
    let (code, _, wrong) = said(yizhan(office.data.path(), &["ingest", "--project", &project]).env_remove("REPAIR_DATABASE_URL"));
    assert_eq!(code, 2, "{wrong}");
    assert!(wrong.contains("REPAIR_DATABASE_URL"), "{wrong}");
}
