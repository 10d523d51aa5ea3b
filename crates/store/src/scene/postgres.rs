//! All tests of the store once more, on one PostgreSQL server that lives as long as they run.
//!
//! The server is the machine's own program over an empty folder, on a free port. The tests are this very program, started
//! again with the address of the server: so no test is written twice and none is left out.

use std::env;
use std::process::Command;

use sqlx::{AnyConnection, AssertSqlSafe, Connection};
use testkit::postgres::Server;

use super::{SCHEMAS, URL, runtime};

#[test]
fn every_test_of_the_store_holds_on_postgresql_too() {
    let server = Server::start();
    let url = server.url();
    let schemas = format!("DO $$ BEGIN FOR i IN 1..{SCHEMAS} LOOP EXECUTE format('CREATE SCHEMA s_%s', i); END LOOP; END $$");
    runtime().block_on(async {
        sqlx::any::install_default_drivers();
        let mut connection = AnyConnection::connect(&url).await.expect("the server answers");
        sqlx::raw_sql(AssertSqlSafe(schemas)).execute(&mut connection).await.expect("schemas");
    });

    let said = Command::new(env::current_exe().expect("this program"))
        .args(["--show-output", "--skip", "every_test_of_the_store_holds_on_postgresql_too"])
        .env(URL, &url)
        .output()
        .expect("this program once more");

    let (out, err) = (String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    assert!(said.status.success(), "on PostgreSQL:\n{out}\n{err}");
    let n_tests = out.lines().filter(|it| it.starts_with("test ") && it.ends_with(" ok")).count();
    assert!(80 <= n_tests, "only {n_tests} tests ran:\n{out}");
    for line in out.lines().filter(|it| it.starts_with("test result") || it.contains("first page")) {
        println!("on PostgreSQL: {line}");
    }
}
