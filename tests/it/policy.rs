//! Sessions by principal: what each role can and cannot ask.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use crate::support::{built, output, said, sql, yizhan};

fn add(data: &Path, account: &str, role: &str, number: Option<&str>) {
    let mut command = yizhan(data, &["user", "add", account, "--role", role]);
    if let Some(number) = number {
        command.args(["--number", number]);
    }
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("the binary starts");
    child.stdin.take().expect("a pipe").write_all(b"a-long-password\n").expect("written");
    assert!(child.wait().expect("it ends").success(), "account {account}");
}

fn ask(data: &Path, account: &str, query: &str) -> (bool, String) {
    let out = output(&mut yizhan(data, &["sql", query, "--as", account, "--format", "csv"]));
    let text = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    (out.status.success(), text)
}

#[test]
fn each_role_sees_what_its_work_needs() {
    let data = built().0.path();
    // A counselor's own number: the register gives it by way of the vault only, so take the first counselor there is.
    add(data, "head", "leader:university", None);
    add(data, "numbers", "analyst:university", None);
    add(data, "c1", "counselor:assigned", Some("T00004"));

    let all = sql(data, "SELECT count(DISTINCT student_key) AS n FROM portrait_student")[0]["n"].as_u64().expect("a count");
    let here = sql(data, "SELECT count(DISTINCT student_key) AS n FROM dim_student")[0]["n"].as_u64().expect("a count");
    assert!(300 <= all && all == here, "{all} portraits of {here} students");
    let (is_ok, text) = ask(data, "c1", "SELECT count(DISTINCT student_key) AS n FROM portrait_student");
    assert!(is_ok, "{text}");
    let own: u64 = text.lines().nth(1).and_then(|it| it.parse().ok()).expect("a count");
    assert!(own < all, "a counselor sees own students only, not {own} of {all}");

    let (is_ok, text) = ask(data, "head", "SELECT count(*) FROM portrait_student");
    assert!(!is_ok, "leaders read no portraits: {text}");
    let (is_ok, text) = ask(data, "head", "SELECT count(*) FROM cockpit_night");
    assert!(is_ok, "{text}");
    let (is_ok, _) = ask(data, "c1", "SELECT count(*) FROM raw_card_txn");
    assert!(!is_ok, "counselors read no swipes");
}

#[test]
fn nobody_writes_and_no_error_tells_a_value() {
    let data = built().0.path();
    add(data, "numbers2", "analyst:university", None);
    for query in
        ["COPY (SELECT 1) TO '/tmp/x.csv'", "CREATE TABLE t AS SELECT 1", "INSERT INTO dim_student SELECT * FROM dim_student"]
    {
        let (is_ok, text) = ask(data, "numbers2", query);
        assert!(!is_ok, "{query} was let through: {text}");
    }
    let (is_ok, text) = ask(data, "numbers2", "SELECT * FROM dim_student WHERE CAST(concat(college, 'x') AS BIGINT) > 0");
    assert!(!is_ok, "a cast of text fails");
    assert!(!text.contains("C01x"), "the error tells a value: {text}");
}

/// What `policy explain` says, one object a line.
fn explained(data: &Path, what: &[&str]) -> Vec<serde_json::Value> {
    let (code, lines, text) = said(&mut yizhan(data, &[&["policy", "explain"], what, &["--format", "json"]].concat()));
    assert_eq!(code, 0, "{what:?}: {text}");
    lines
}

#[test]
fn a_policy_is_explained_as_a_session_then_answers() {
    let data = built().0.path();
    // Who may see a column: every role in a line, and a session of each says the same.
    let lines = explained(data, &["dim_student.room_id"]);
    let of = |role: &str| lines.iter().find(|it| it["role"] == role).unwrap_or_else(|| panic!("no line for {role}"));
    assert_eq!((&of("counselor")["is_seen"], &of("counselor")["seen"]), (&true.into(), &"keep".into()), "{lines:?}");
    assert_eq!(of("counselor")["rows"], "scope");
    assert_eq!((&of("analyst")["is_seen"], &of("leader")["is_seen"]), (&false.into(), &false.into()), "{lines:?}");
    assert!(of("leader")["rows_zh"].as_str().is_some_and(|it| it.contains("无规则")), "{lines:?}");
    // An account: its tables, whom it reaches, and masks.
    // Which staff are counselors only the vault and the lake know together: the first who has students.
    let (name, account) = (1..=60)
        .find_map(|n| {
            let name = format!("explained{n}");
            add(data, &name, "counselor:assigned", Some(&format!("T{n:05}")));
            let account = explained(data, &["--as", &name])[0].clone();
            (account["principal"]["students_n"] != 0).then_some((name, account))
        })
        .expect("a counselor");
    let n = sql(data, "SELECT count(*) AS n FROM dim_student WHERE as_of_on = (SELECT max(as_of_on) FROM dim_student)");
    let reached = account["principal"]["students_n"].as_u64().expect("a count");
    assert!(0 < reached && reached < n[0]["n"].as_u64().expect("a count"), "{account}");
    for it in account["tables"].as_array().expect("tables") {
        let table = it["table"].as_str().expect("a name");
        let (is_ok, text) = ask(data, &name, &format!("SELECT count(*) FROM {table}"));
        // A table that is not built yet is known to the policy and to no session.
        assert!(is_ok || text.contains("not found") || text.contains("no table"), "{table}: {text}");
    }
    let analyst = &explained(data, &["analyst", "stg_card_txn"])[0];
    let seen = |name: &str| {
        let columns = analyst["columns"].as_array().expect("columns");
        columns.iter().find(|it| it["column"] == name).unwrap_or_else(|| panic!("no column {name}"))["seen"].clone()
    };
    assert_eq!((seen("occurred_at"), seen("student_key")), ("minutes_15".into(), "keep".into()));
    let is_denied =
        analyst["columns"].as_array().expect("columns").iter().all(|it| it["column"] != "row_hash" || it["seen"] == "absent");
    assert!(is_denied, "a hash tells rows apart: {analyst}");
    let out = output(&mut yizhan(data, &["policy", "explain", "analyst", "stg_nothing"]));
    assert_eq!(out.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&out.stderr).contains("stg_nothing"));
}
