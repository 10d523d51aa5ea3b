//! All tests of the store once more, on one PostgreSQL server that lives as long as they run.
//!
//! The server is the machine's own program over an empty folder, on a free port. The tests are this very program, started
//! again with the address of the server: so no test is written twice and none is left out.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::{env, fs};

use sqlx::{AnyConnection, AssertSqlSafe, Connection};
use tempfile::TempDir;

use super::{SCHEMAS, URL, runtime};

const PASSWORD: &str = "not-a-secret-7";

/// A running server; it stops when this is dropped, even in a panic.
struct Server {
    folder: TempDir,
    port: u16,
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("pg").tempdir().expect("temporary folder");
        let mut server = Self { folder, port: 0 };
        let password = server.folder.path().join("password");
        fs::write(&password, PASSWORD).expect("a file");
        if is_root() {
            done(Command::new("chown").arg("-R").arg("postgres").arg(server.folder.path()));
        }
        let password = format!("--pwfile={}", password.display());
        let data = server.data();
        done(program("initdb").args(["-D", &data, "-U", "ops", "-A", "scram-sha-256", "-E", "UTF8", "--locale=C", &password]));
        let sockets = server.folder.path().display().to_string();
        let log = format!("{data}/log");
        for _ in 0..5 {
            // It was free a moment ago; another server may be quicker.
            let port = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a free port").port();
            let options = format!(
                "-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={sockets} -c fsync=off \
                 -c max_connections=300 -c max_locks_per_transaction=256"
            );
            let mut start = program("pg_ctl");
            start.args(["-D", &data, "-l", &log, "-o", &options, "-w", "-t", "60", "start"]);
            // The server keeps the pipes of whoever starts it: with one this would wait for its end.
            let status = start.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("a program");
            if status.success() {
                server.port = port;
                return server;
            }
        }
        panic!("the server did not start: {}", fs::read_to_string(log).unwrap_or_default());
    }

    fn data(&self) -> String {
        self.folder.path().join("data").display().to_string()
    }

    fn url(&self) -> String {
        format!("postgres://ops:{PASSWORD}@127.0.0.1:{}/postgres", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may not have begun; what it says then is of no use.
        let _ = program("pg_ctl").args(["-D", &self.data(), "-m", "immediate", "-w", "stop"]).output();
    }
}

fn is_root() -> bool {
    let said = Command::new("id").arg("-u").output().expect("id");
    said.stdout.trim_ascii() == b"0"
}

/// A program of the server, run by somebody who may: it refuses root.
fn program(name: &str) -> Command {
    let path = find(name).unwrap_or_else(|| {
        panic!("no {name} in PATH or under /usr/lib/postgresql: install the server, e.g. `apt-get install -y postgresql`")
    });
    if !is_root() {
        return Command::new(path);
    }
    let mut command = Command::new("runuser");
    command.args(["-u", "postgres", "--"]).arg(path).current_dir("/");
    command
}

fn find(name: &str) -> Option<PathBuf> {
    let mut folders: Vec<PathBuf> =
        fs::read_dir("/usr/lib/postgresql").into_iter().flatten().filter_map(|it| Some(it.ok()?.path().join("bin"))).collect();
    folders.sort();
    folders.reverse();
    folders.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    folders.into_iter().map(|it| it.join(name)).find(|it| it.is_file())
}

fn done(command: &mut Command) {
    let said = command.output().expect("a program");
    assert!(said.status.success(), "{command:?}: {}", String::from_utf8_lossy(&said.stderr));
}

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
