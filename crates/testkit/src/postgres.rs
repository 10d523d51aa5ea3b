//! A PostgreSQL server of this machine, for one test or one run of tests.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
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
        Self::begin(tempfile::Builder::new().prefix("pg").tempdir().expect("temporary folder"), more)
    }

    /// The same over TLS too, with a certificate and its key (PEM).
    ///
    /// # Panics
    /// As [`Server::start`].
    #[must_use]
    pub fn start_with_tls(more: &str, certificate: &Path, key: &Path) -> Self {
        let folder = tempfile::Builder::new().prefix("pg").tempdir().expect("temporary folder");
        let own = |name: &str, from: &Path| {
            let path = folder.path().join(name);
            fs::copy(from, &path).expect("a copy");
            // A key that others may read is refused.
            #[cfg(unix)]
            fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("a mode");
            path.display().to_string()
        };
        let (certificate, key) = (own("server.pem", certificate), own("server.key", key));
        let more = format!("{more} -c ssl=on -c ssl_cert_file={certificate} -c ssl_key_file={key}");
        Self::begin(folder, &more)
    }

    fn begin(folder: TempDir, more: &str) -> Self {
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

    /// Ends it in order and begins it again, at the same port.
    ///
    /// # Panics
    /// If it does not start.
    pub fn restart(&self) {
        let data = self.data();
        let mut again = program("pg_ctl");
        again.args(["-D", &data, "-l", &format!("{data}/log"), "-m", "fast", "-w", "-t", "60", "restart"]);
        let status = again.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("a program");
        assert!(status.success(), "the server did not start again");
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

/// A connection that stays open, so that a transaction may stay open too; it ends when this is dropped.
#[derive(Debug)]
pub struct Session {
    client: Child,
    said: BufReader<ChildStdout>,
}

impl Session {
    /// Runs statements, and returns once they are done.
    ///
    /// # Panics
    /// If one of them fails.
    pub fn run(&mut self, sql: &str) {
        let input = self.client.stdin.as_mut().expect("a pipe");
        writeln!(input, "{sql};\nSELECT 'done';").and_then(|()| input.flush()).expect("the client listens");
        let mut line = String::new();
        self.said.read_line(&mut line).expect("the client speaks");
        assert_eq!(line.trim_end(), "done", "{sql}");
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        drop(self.client.stdin.take());
        let _ = self.client.wait();
    }
}

impl Server {
    /// Opens a connection that stays. What its statements answer is not heard.
    ///
    /// # Panics
    /// If the machine has no client.
    #[must_use]
    pub fn session(&self) -> Session {
        let mut command = program("psql");
        command.args([&self.url(), "-v", "ON_ERROR_STOP=1", "-q", "-A", "-t"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut client = command.spawn().expect("a program");
        let said = BufReader::new(client.stdout.take().expect("a pipe"));
        Session { client, said }
    }

    /// Runs statements with the server's own client.
    ///
    /// # Panics
    /// If one of them fails.
    pub fn run(&self, sql: &str) {
        done(program("psql").args([&self.url(), "-v", "ON_ERROR_STOP=1", "-q", "-c", sql]));
    }
}
