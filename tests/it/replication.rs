//! Changes of a real PostgreSQL server by logical replication: whatever is killed in between, each is there once.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;
use tempfile::TempDir;
use testkit::postgres::{PASSWORD, Server, USER};

use crate::crash::{self, Gates, Living, Wanted};
use crate::doors::{certificates, project, until, warnings};
use crate::support::{binary, said, write};

const CONTRACT: &str = r#"
[pipeline]
name = "office_repair"
about = "Repairs of rooms, as the office's own database changes them."
shape = "state"
owner = "logistics_office"
purpose = ["service"]
retention = "4y"
push = true
source = { kind = "postgres", url_env = "OFFICE_DATABASE_URL", table = "public.repair", watermark = "updated_at" }

[contract]
version = 1
key = ["repair_id"]
usual_delay = "1h"
on_conflict = "latest"

[columns]
repair_id = { type = "text", required = true, class = "internal", about = "Number of the repair." }
student_id = { type = "text", required = true, person = "student", class = "identity", about = "Who asked." }
state = { type = "text", required = true, class = "internal", about = "How it stands." }
room = { type = "text", class = "internal", about = "Which room." }
cost = { type = "float64", class = "internal", about = "What it cost." }
paid = { type = "boolean", class = "internal", about = "Whether it was paid." }
host = { type = "text", class = "internal", about = "From where it was asked for." }
seen_at = { type = "timestamp", class = "internal", about = "When somebody looked, by the clock of the campus." }
updated_at = { type = "timestamp", required = true, class = "internal", about = "Last change." }
note = { type = "text", class = "internal", about = "What is broken." }
"#;

const TABLE: &str = "CREATE TABLE repair (repair_id text PRIMARY KEY, student_id text, state text, room char(6), cost numeric(8, 2), \
     paid boolean, host inet, seen_at timestamp, updated_at timestamptz, note text); \
     ALTER TABLE repair ALTER note SET STORAGE EXTERNAL; CREATE PUBLICATION office FOR TABLE repair";

/// A row with a value of every kind that a server writes in its own way.
fn insert(id: &str) -> String {
    format!(
        "INSERT INTO repair VALUES ('{id}', '2023000001', 'open', 'A1', 12.50, true, '10.0.0.1', '2025-10-01 09:30:00.25', \
         '2025-10-01 10:00+08', repeat('x', 9000));"
    )
}

struct Office {
    server: Server,
    folder: TempDir,
    gates: Gates,
}

impl Office {
    fn new() -> Self {
        Self::with(Server::start_with("-c wal_level=logical"), &|it| it.to_owned())
    }

    /// An office with a server, and with other settings of its door.
    fn with(server: Server, settings: &dyn Fn(&str) -> String) -> Self {
        server.run(TABLE);
        let folder = TempDir::new().expect("a folder");
        write(&folder.path().join("pipelines/office_repair.toml"), CONTRACT);
        let secret = folder.path().join("secret");
        write(&secret, PASSWORD);
        #[cfg(unix)]
        std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("a mode");
        let door = format!(
            "[[stream.postgres]]\nname = \"office\"\nurl = \"postgres://127.0.0.1:{}/postgres\"\npublication = \"office\"\n\
             slot = \"yizhan\"\ntables = {{ \"public.repair\" = \"office_repair\" }}\nuser = \"{USER}\"\n\
             password = {{ file = \"{}\" }}\n",
            server.port,
            secret.display()
        );
        let gates = project(&folder, &settings(&door));
        Self { server, folder, gates }
    }

    /// Writes the settings anew.
    fn set(&self, from: &str, to: &str) {
        let path = self.folder.path().join("yizhan.toml");
        let text = std::fs::read_to_string(&path).expect("settings");
        assert!(text.contains(from), "{text}");
        write(&path, &text.replace(from, to));
    }

    /// How often each row is in a raw table, by its number.
    fn raw_of(&self, pipeline: &str) -> BTreeMap<String, u64> {
        let rows = self.rows(&format!("SELECT repair_id, count(*) AS n FROM raw_{pipeline} GROUP BY repair_id"));
        rows.iter().filter_map(|it| Some((it["repair_id"].as_str()?.to_owned(), it["n"].as_u64()?))).collect()
    }

    /// What the doctor says, by what and code.
    fn doctor(&self) -> BTreeSet<(String, String)> {
        let out = self.gates.said(&["doctor", "--json"]);
        let lines = String::from_utf8_lossy(&out.stdout).into_owned();
        let lines = lines.lines().filter_map(|it| serde_json::from_str::<Value>(it).ok());
        lines.filter_map(|it| Some((it["about"].as_str()?.to_owned(), it["code"].as_str()?.to_owned()))).collect()
    }

    /// Waits until the door says that it goes no further, and has written why.
    #[track_caller]
    fn until_stopped(&self, server: &Living, why: &str) {
        until(why, &self.gates, || {
            let told = warnings(&server.url);
            let mut told = told.iter().filter_map(|it| it["text_en"].as_str());
            told.any(|it| it.contains("postgres/office") && it.contains("stopped")) && self.gates.complaint().contains(why)
        });
    }

    /// Rows of a query; none while a table is not there yet.
    fn rows(&self, query: &str) -> Vec<Value> {
        let out = self.gates.said(&["sql", query, "--format", "json"]);
        String::from_utf8_lossy(&out.stdout).lines().filter_map(|it| serde_json::from_str(it).ok()).collect()
    }

    /// Numbers of the repairs that are in the raw table.
    fn raw(&self) -> BTreeSet<String> {
        let rows = self.rows("SELECT DISTINCT repair_id FROM raw_office_repair");
        rows.iter().filter_map(|it| it["repair_id"].as_str().map(str::to_owned)).collect()
    }

    fn until_raw_has(&self, ids: &[&str]) {
        until(&format!("{ids:?}"), &self.gates, || {
            let raw = self.raw();
            ids.iter().all(|it| raw.contains(*it))
        });
    }

    /// What a query counts.
    fn count(&self, query: &str) -> Option<u64> {
        self.rows(query).first()?["n"].as_u64()
    }
}

#[test]
fn of_versions_of_a_row_in_one_transaction_the_last_one_holds() {
    let office = Office::new();
    let server = office.gates.serve(None).expect("it starts");
    // The first copy is behind us when a row is in.
    office.server.run(&insert("R1"));
    office.until_raw_has(&["R1"]);
    let six = "INSERT INTO repair SELECT 'V' || it, '2023000001', 'open', 'A1', 1, false, NULL, NULL, '2025-10-01 10:00+08', NULL \
               FROM generate_series(1, 6) AS it;";
    let update = |state: &str| format!("UPDATE repair SET state = '{state}' WHERE repair_id LIKE 'V%';");
    office.server.run(&format!("BEGIN; {six} {} {} COMMIT", update("busy"), update("done")));
    let all = "SELECT count(*) AS n FROM raw_office_repair WHERE repair_id LIKE 'V%'";
    until("every version", &office.gates, || office.count(all) == Some(18));
    let versions = || -> Vec<String> {
        let query = "SELECT state, superseded_at FROM stg_office_repair WHERE repair_id LIKE 'V%' ORDER BY repair_id, known_at";
        let told = |it: &Value| {
            let holds = if it["superseded_at"].is_null() { " holds" } else { "" };
            format!("{}{holds}", it["state"].as_str().unwrap_or_default())
        };
        office.rows(query).iter().map(told).collect()
    };
    let expected: Vec<&str> = ["open", "busy", "done holds"].repeat(6);
    assert_eq!(versions(), expected, "before and after its commit");
    server.stop();
    assert_eq!(versions(), expected, "from the table");
}

#[test]
fn changes_of_a_database_enter_once_and_are_the_rows_that_a_pull_brings() {
    let office = Office::new();
    let Office { server: database, gates, .. } = &office;
    database.run(&["R1", "R2", "R3"].map(insert).concat());

    // It ends itself when the slot is made and nothing read, then when rows are copied and nothing said of it.
    for (point, id) in [("replication.slot", "R4"), ("replication.copied", "R5")] {
        if let Some(mut server) = gates.serve(Some(point)) {
            until(point, gates, || server.is_dead());
        }
        database.run(&insert(id));
    }
    let mut server = gates.serve(None).expect("it starts");
    office.until_raw_has(&["R1", "R2", "R3", "R4", "R5"]);
    database.run(&insert("R6"));
    office.until_raw_has(&["R6"]);
    server.kill();

    // Then between log, slot and table. A transaction of its own for every row, and now and then one of many.
    let next = Cell::new(0);
    let more = |n: usize| {
        let ids: Vec<String> = (0..n).map(|it| format!("N{}", next.get() + it)).collect();
        next.set(next.get() + n);
        database.run(&format!("BEGIN; {} COMMIT", ids.iter().map(|it| insert(it)).collect::<String>()));
    };
    for point in ["replication.kept", "replication.advanced", "log.sync.after:2", "commit.rows.after"] {
        if let Some(mut server) = gates.serve(Some(point)) {
            until(point, gates, || {
                more(1);
                server.is_dead()
            });
        }
        more(3);
    }
    // One that is larger than a parcel.
    let large = "INSERT INTO repair SELECT 'L' || it, '2023000001', 'open' , 'A1', 1, false, NULL, NULL, \
                 '2025-10-01 10:00+08', NULL FROM generate_series(1, 4500) AS it";
    database.run(large);
    if let Some(mut server) = gates.serve(Some("replication.kept:3")) {
        until("replication.kept:3", gates, || server.is_dead());
    }
    let server = gates.serve(None).expect("it starts");
    until("every change", gates, || {
        let raw = office.raw();
        (0..next.get()).all(|it| raw.contains(&format!("N{it}"))) && (1..=4500).all(|it| raw.contains(&format!("L{it}")))
    });
    let twice = "SELECT count(*) AS n FROM (SELECT repair_id FROM raw_office_repair WHERE repair_id NOT LIKE 'R%' \
                 GROUP BY repair_id HAVING 1 < count(*)) AS it";
    assert_eq!(office.count(twice), Some(0), "what is read by position is there once, however often the server was killed");

    // A long value that did not change is not sent, and its row waits; with the whole row as it was it need not.
    database.run("UPDATE repair SET state = 'done' WHERE repair_id = 'R3'");
    let waits = "SELECT count(*) AS n FROM ops_quarantine WHERE pipeline = 'office_repair' AND \"column\" = 'note'";
    until("a row without its note", gates, || office.count(waits) == Some(1));
    database.run("ALTER TABLE repair REPLICA IDENTITY FULL; UPDATE repair SET state = 'closed' WHERE repair_id = 'R3'");
    let closed =
        "SELECT count(*) AS n FROM raw_office_repair WHERE repair_id = 'R3' AND state = 'closed' AND length(note) = 9000";
    until("the whole row", gates, || office.count(closed) == Some(1));
    // What is removed there stays here.
    database.run(&format!("DELETE FROM repair WHERE repair_id = 'R2'; {}", insert("R7")));
    office.until_raw_has(&["R2", "R7"]);
    server.stop();

    // The pull brings the same rows: no value has another hash.
    let exports = TempDir::new().expect("a folder");
    let mut pull = gates.command(&["ingest", "office_repair", "--format", "json", "--input"]);
    pull.arg(exports.path());
    let (code, lines, wrong) = said(pull.env("OFFICE_DATABASE_URL", database.url()));
    assert_eq!(code, 0, "{wrong}");
    let rows_in: u64 = lines.iter().filter_map(|it| it["rows_in"].as_u64()).sum();
    assert!(4500 < rows_in, "{lines:?}");
    let other = "SELECT count(*) AS n FROM (SELECT repair_id, state FROM raw_office_repair GROUP BY repair_id, state \
                 HAVING 1 < count(DISTINCT row_hash)) AS it";
    assert_eq!(office.count(other), Some(0));

    // Without its slot nobody knows what changed, and a person says how to go on.
    database.run("SELECT pg_drop_replication_slot('yizhan')");
    let server = gates.serve(None).expect("it starts");
    office.until_stopped(&server, "slot yizhan is gone");
    database.run(&insert("R8"));
    server.stop();
    assert!(!office.raw().contains("R8"));
    office.set("name = \"office\"", "name = \"office_2\"");
    let server = gates.serve(None).expect("it starts");
    office.until_raw_has(&["R8"]);
    database.run(&insert("R9"));
    office.until_raw_has(&["R9"]);
    server.stop();
}

#[test]
fn a_table_that_joins_later_has_the_rows_of_a_transaction_that_was_open_and_one_that_leaves_is_told() {
    let office = Office::new();
    let Office { server: database, folder, gates } = &office;
    let lamps = CONTRACT.replace("office_repair", "office_lamp").replace("public.repair", "public.lamp");
    write(&folder.path().join("pipelines/office_lamp.toml"), &lamps);
    database.run(&format!("CREATE TABLE lamp (LIKE repair INCLUDING ALL); {}", insert("R1")));
    let lamp = |id: &str| insert(id).replace("INTO repair", "INTO lamp");
    let mut server = gates.serve(None).expect("it starts");
    office.until_raw_has(&["R1"]);
    // This one comes by its position: whatever is killed now, nothing is copied a second time.
    database.run(&insert("R0"));
    office.until_raw_has(&["R0"]);
    server.kill();

    // What it writes before the table is published the slot never gives, and no copy shows it before it is committed.
    let mut open = database.session();
    open.run(&format!("BEGIN; {}", lamp("M1")));
    database.run("ALTER PUBLICATION office ADD TABLE lamp");
    open.run(&lamp("M2"));
    office.set("tables = {", "held_bytes_max = \"1 B\"\ntables = { \"public.lamp\" = \"office_lamp\",");
    let server = gates.serve(None).expect("it starts");
    // The other tables do not wait.
    database.run(&insert("R2"));
    office.until_raw_has(&["R2"]);
    let said = |about: &str, code: &str| (about.to_owned(), code.to_owned());
    until("a word of what waits and of what is held back", gates, || {
        let told = office.doctor();
        told.contains(&said("office_lamp", "table_waits")) && told.contains(&said("postgres/office", "slot_held"))
    });
    assert!(office.raw_of("office_lamp").is_empty());
    open.run("COMMIT");
    database.run(&lamp("M3"));
    let each = |ids: &[&str]| ids.iter().map(|it| ((*it).to_owned(), 1)).collect::<BTreeMap<_, _>>();
    until("every lamp", gates, || office.raw_of("office_lamp").len() == 3);
    assert_eq!(office.raw_of("office_lamp"), each(&["M1", "M2", "M3"]));

    // What is changed while a table is not published is never given: it is told, and the table is copied once it is back.
    database.run("ALTER PUBLICATION office DROP TABLE lamp");
    database.run(&lamp("M4"));
    office.until_stopped(&server, "publication office does not have public.lamp");
    // A start in between forgets nothing: when it is back the publication looks as if it had never left.
    server.stop();
    database.run("ALTER PUBLICATION office ADD TABLE lamp");
    let server = gates.serve(None).expect("it starts");
    database.run(&insert("R3"));
    until("the lamp that nobody gave", gates, || office.raw_of("office_lamp").get("M4") == Some(&1));
    office.until_raw_has(&["R3"]);
    // A publication that leaves out kinds of changes is looked at in the same place.
    database.run("ALTER PUBLICATION office SET (publish = 'insert')");
    database.run(&insert("R4"));
    office.until_stopped(&server, "publication office leaves out insertions or updates");
    server.stop();
    // Nothing was copied again of the table that was published all the time.
    let twice: Vec<(String, u64)> = office.raw_of("office_repair").into_iter().filter(|it| it.1 != 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

#[test]
fn rows_that_are_written_while_a_table_is_copied_come_once() {
    let office = Office::new();
    let Office { server: database, gates, .. } = &office;
    let many = "INSERT INTO repair SELECT 'C' || it, '2023000001', 'open', 'A1', 1, false, NULL, NULL, '2025-10-01 10:00+08', NULL \
                FROM generate_series(1, 20000) AS it";
    database.run(many);
    let is_done = AtomicBool::new(false);
    let written = std::thread::scope(|scope| {
        // Short transactions one after another, and all the while one that is open when the copy begins.
        let writer = scope.spawn(|| {
            let (mut short, mut long) = (database.session(), database.session());
            let mut n = 0;
            // The bound is for a case that fails: who waits for the writer would wait for ever.
            while !is_done.load(Ordering::Relaxed) && n < 10_000 {
                long.run(&format!("BEGIN; {}", insert(&format!("L{n}"))));
                for _ in 0..5 {
                    short.run(&insert(&format!("S{n}")));
                    n += 1;
                }
                long.run("COMMIT");
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            n
        });
        let server = gates.serve(None).expect("it starts");
        office.until_raw_has(&["C1", "C20000"]);
        is_done.store(true, Ordering::Relaxed);
        let n = writer.join().expect("it writes");
        until("every row", gates, || {
            let raw = office.raw();
            (0..n).all(|it| raw.contains(&format!("S{it}"))) && (0..n).step_by(5).all(|it| raw.contains(&format!("L{it}")))
        });
        server.stop();
        n
    });
    let raw = office.raw_of("office_repair");
    assert_eq!(raw.len(), 20_000 + written + written / 5);
    let twice: Vec<(String, u64)> = raw.into_iter().filter(|it| it.1 != 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

#[test]
fn a_server_is_trusted_by_the_authority_that_the_settings_name_and_by_no_other() {
    let (own, other) = (TempDir::new().expect("a folder"), TempDir::new().expect("a folder"));
    certificates(own.path());
    certificates(other.path());
    let at = |folder: &TempDir, name: &str| folder.path().join(name);
    let server = Server::start_with_tls("-c wal_level=logical", &at(&own, "broker.pem"), &at(&own, "broker.key"));
    let trusting = |it: &str, folder: &TempDir| format!("{it}ca_file = \"{}\"\n", at(folder, "ca.pem").display());
    let office = Office::with(server, &|it| {
        let stranger = it.replace("name = \"office\"", "name = \"stranger\"").replace("\"yizhan\"", "\"other\"");
        trusting(it, &own) + &trusting(&stranger, &other)
    });
    let Office { server: database, gates, .. } = &office;
    database.run(&insert("R1"));
    let server = gates.serve(None).expect("it starts");
    office.until_raw_has(&["R1"]);
    until("a word of the one that trusts another authority", gates, || {
        let said = gates.complaint();
        said.contains("postgres/stranger") && said.contains("The certificate that the server shows is not trusted")
    });
    database.run(
        "DO $$ BEGIN ASSERT (SELECT count(*) > 0 AND bool_and(ssl) FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) \
                  WHERE application_name = 'yizhan'); END $$",
    );
    server.stop();
}

#[test]
fn killed_again_and_again_what_a_database_committed_is_there_once() {
    let folder = TempDir::new().expect("a folder");
    let wanted = Wanted { kills: 5, events: 600, seed: 5, sources: vec!["postgres".to_owned()] };
    let (passed, failed) = crash::kills(binary(), folder.path(), &wanted);
    assert_eq!((passed, failed), (wanted.kills, Vec::<String>::new()));
}
