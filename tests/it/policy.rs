//! Sessions by principal: what each role can and cannot ask.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use crate::support::{built, output, sql, yizhan};

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
    assert_eq!(all, 300);
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
