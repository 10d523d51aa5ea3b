//! Programs that the doors of the stream are tried with: real brokers on ports of their own.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use async_nats::jetstream;
use rumqttc::{Client, Event, MqttOptions, Packet, QoS};
use serde_json::Value;

/// A program of a broker, which may be killed and begun again at the same port.
pub(crate) struct Broker {
    program: &'static str,
    args: Vec<String>,
    port: u16,
    process: Child,
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
    }
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a free port").port()
}

/// A program by its name, or where a system keeps what an administrator runs.
pub(crate) fn program(name: &str) -> Command {
    let sbin = Path::new("/usr/sbin").join(name);
    Command::new(if sbin.exists() { sbin } else { PathBuf::from(name) })
}

#[track_caller]
pub(crate) fn done(command: &mut Command) {
    let out = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}: `make brokers` installs it"));
    assert!(out.status.success(), "{command:?}: {}", String::from_utf8_lossy(&out.stderr));
}

impl Broker {
    pub(crate) fn start(program: &'static str, args: Vec<String>, port: u16) -> Self {
        let process = Self::begin(program, &args, port);
        Self { program, args, port, process }
    }

    fn begin(name: &str, args: &[String], port: u16) -> Child {
        let mut command = program(name);
        command.args(args).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().unwrap_or_else(|error| panic!("{name}: {error}: `make brokers` installs it"));
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(began.elapsed() < Duration::from_secs(30), "{name} does not listen");
            std::thread::sleep(Duration::from_millis(50));
        }
        process
    }

    pub(crate) fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    pub(crate) fn again(&mut self) {
        self.kill();
        self.process = Self::begin(self.program, &self.args, self.port);
    }

    /// Stops in order, so that what it has acknowledged is kept, and begins again.
    pub(crate) fn again_in_order(&mut self) {
        done(Command::new("kill").arg("-TERM").arg(self.process.id().to_string()));
        let _ = self.process.wait();
        self.process = Self::begin(self.program, &self.args, self.port);
    }
}

/// Sends messages of topic, content and whether it is retained, and returns once the broker has acknowledged all of them.
pub(crate) fn publish_mqtt(options: MqttOptions, messages: &[(String, String, bool)]) {
    let (client, mut connection) = Client::new(options, messages.len() + 8);
    for (topic, content, is_retained) in messages {
        client.publish(topic, QoS::AtLeastOnce, *is_retained, content.as_bytes()).expect("queued");
    }
    let mut waiting = messages.len();
    for event in connection.iter() {
        if matches!(event.expect("the broker takes it"), Event::Incoming(Packet::PubAck(_))) {
            waiting -= 1;
        }
        if waiting == 0 {
            return;
        }
    }
}

/// Makes a lasting session with a subscription, so that the broker keeps what comes before anybody reads it.
pub(crate) fn subscribe_mqtt(port: u16, client_id: &str, filter: &str) {
    let mut options = MqttOptions::new(client_id, "127.0.0.1", port);
    options.set_clean_session(false);
    let (client, mut connection) = Client::new(options, 8);
    client.subscribe(filter, QoS::AtLeastOnce).expect("queued");
    for event in connection.iter() {
        if matches!(event.expect("the broker takes it"), Event::Incoming(Packet::SubAck(_))) {
            return;
        }
    }
}

/// What a gate does with JetStream: publishes, and asks whether it was kept.
async fn jetstream_at(port: u16) -> jetstream::Context {
    let began = Instant::now();
    loop {
        match async_nats::connect(format!("nats://127.0.0.1:{port}")).await {
            Ok(client) => return jetstream::new(client),
            Err(error) => assert!(began.elapsed() < Duration::from_secs(30), "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

pub(crate) fn make_stream(runtime: &tokio::runtime::Runtime, port: u16, name: &str, subject: &str) {
    runtime.block_on(async {
        let config = jetstream::stream::Config {
            name: name.to_owned(),
            subjects: vec![subject.to_owned()],
            ..jetstream::stream::Config::default()
        };
        // Right after its start a server may still be setting up.
        let began = Instant::now();
        while let Err(error) = jetstream_at(port).await.create_stream(config.clone()).await {
            assert!(began.elapsed() < Duration::from_secs(30), "{error}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
}

/// Publishes, and returns once the broker has kept all of them.
pub(crate) fn publish_all(runtime: &tokio::runtime::Runtime, port: u16, messages: &[(String, String)]) {
    runtime.block_on(async {
        let context = jetstream_at(port).await;
        for (subject, content) in messages {
            let kept = context.publish(subject.clone(), content.clone().into()).await.expect("published");
            kept.await.expect("kept");
        }
    });
}

/// Removes all messages of a stream, as its retention does with those that are too old.
pub(crate) fn purge_stream(runtime: &tokio::runtime::Runtime, port: u16, name: &str) {
    runtime.block_on(async {
        let stream = jetstream_at(port).await.get_stream(name).await.expect("a stream");
        stream.purge().await.expect("purged");
    });
}

/// A broker that speaks the Kafka protocol, in a process of its own: `tests/kafka.py`.
pub(crate) struct Kafka {
    process: Child,
    said: BufReader<ChildStdout>,
    /// Host and port of its brokers, with commas between them.
    pub(crate) address: String,
}

impl Drop for Kafka {
    fn drop(&mut self) {
        // It ends with its input, and takes along what it started.
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

impl Kafka {
    pub(crate) fn start(args: &[&str]) -> Self {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the repository");
        let python = repository.join(".venv/bin/python");
        assert!(python.exists(), "{} is missing: run `make python` first (make test does)", python.display());
        let mut command = Command::new(python);
        command.arg(repository.join("tests/kafka.py")).args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("the broker starts");
        let said = BufReader::new(process.stdout.take().expect("a pipe"));
        let mut kafka = Self { process, said, address: String::new() };
        kafka.address = kafka.heard();
        kafka
    }

    fn heard(&mut self) -> String {
        let mut line = String::new();
        self.said.read_line(&mut line).expect("it speaks");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("the broker ended: {error}"))
    }

    /// Tells it to do something, and returns once it has.
    pub(crate) fn tell(&mut self, command: &Value) {
        let input = self.process.stdin.as_mut().expect("a pipe");
        writeln!(input, "{command}").expect("it listens");
        input.flush().expect("it listens");
        assert_eq!(self.heard(), "done");
    }
}
