//! A PostgreSQL server of this machine, for one test or one run of tests.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::{env, fs};

use tempfile::TempDir;

/// Who owns the server's tables.
pub const USER: &str = "ops";
/// The owner's password: the server ends with the test.
pub const PASSWORD: &str = "not-a-secret-7";

/// A running server; it stops when this is dropped, even in a panic.
#[derive(Debug)]
pub struct Server {
    folder: TempDir,
    /// Port on 127.0.0.1.
    pub port: u16,
}

impl Server {
    /// Starts a server of its own over an empty folder, on a free port.
    ///
    /// # Panics
    /// If the machine has no server, or it does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with("")
    }

    /// The same with settings of the server, such as `-c wal_level=logical`.
    ///
    /// # Panics
    /// As [`Server::start`].
    #[must_use]
    pub fn start_with(more: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("pg").tempdir().expect("temporary folder");
        let mut server = Self { folder, port: 0 };
        let password = server.folder.path().join("password");
        fs::write(&password, PASSWORD).expect("a file");
        if is_root() {
            done(Command::new("chown").arg("-R").arg("postgres").arg(server.folder.path()));
        }
        let password = format!("--pwfile={}", password.display());
        let data = server.data();
        done(program("initdb").args(["-D", &data, "-U", USER, "-A", "scram-sha-256", "-E", "UTF8", "--locale=C", &password]));
        let sockets = server.folder.path().display().to_string();
        let log = format!("{data}/log");
        for _ in 0..5 {
            // It was free a moment ago; another server may be quicker.
            let port = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a free port").port();
            let options = format!(
                "-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={sockets} -c fsync=off \
                 -c max_connections=300 -c max_locks_per_transaction=256 {more}"
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

    /// Address with user and password.
    pub fn url(&self) -> String {
        format!("postgres://{USER}:{PASSWORD}@127.0.0.1:{}/postgres", self.port)
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

impl Server {
    /// Runs statements with the server's own client.
    ///
    /// # Panics
    /// If one of them fails.
    pub fn run(&self, sql: &str) {
        done(program("psql").args([&self.url(), "-v", "ON_ERROR_STOP=1", "-q", "-c", sql]));
    }
}
