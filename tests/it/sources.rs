//! The ways in by which `make crash` sends its events: each brings a batch, and says whether somebody has answered for it.
//!
//! One more: a type that implements [`Source`], its name in [`ALL`] and a line in [`begin`]. By its name its devices are
//! told from those of others, and the places of `schema::point` that begin with it are tried while it sends.

use std::path::Path;
use std::time::Duration;

use rumqttc::MqttOptions;
use serde_json::{Value, json};
use testkit::postgres::{PASSWORD, Server, Session, USER};

use crate::brokers::{Broker, Kafka, free_port, make_stream, publish_all, publish_mqtt, subscribe_mqtt};
use crate::crash::{Gates, Living};

/// All of them.
pub(crate) const ALL: [&str; 6] = ["http", "mqtt", "nats", "drop", "kafka", "postgres"];

/// So many of them, the first, share one case of the suite; the others have one each.
pub(crate) const LIGHT: usize = 4;

/// What became of a batch.
pub(crate) enum Sent {
    /// Somebody answers for it: it may be lost no more.
    Acknowledged,
    /// It has to be sent again.
    Again,
}

/// A way in.
pub(crate) trait Source {
    /// What the project's settings say of it.
    fn settings(&self) -> String {
        String::new()
    }

    /// A contract of the gates that says where this source finds them; what it says of their rows is the same.
    fn contract(&self) -> Option<String> {
        None
    }

    /// Places at which the program ends while it sends; those that begin with its name if it names none.
    fn places(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whether the program itself acknowledges: what it did is in staging then, at once and after every kill.
    fn is_ours(&self) -> bool {
        false
    }

    /// Brings a batch; one that is sent again has the same name and the same rows.
    fn send(&mut self, gates: &Gates, server: &Living, name: &str, rows: &[String]) -> Sent;

    /// What stands before the program ends in order and begins again.
    fn restart(&mut self) {}

    /// How many rows the raw table has in the end, where each is read once by its position, copies too.
    fn raw_rows(&self) -> Option<u64> {
        None
    }
}

/// Starts what a source needs, in a folder of its own.
pub(crate) fn begin(name: &str, folder: &Path) -> Box<dyn Source> {
    std::fs::create_dir_all(folder).expect("a folder");
    match name {
        "http" => Box::new(Http),
        "mqtt" => Box::new(Mqtt::begin(folder)),
        "nats" => Box::new(Nats::begin(folder)),
        "drop" => Box::new(Drops { n: 0 }),
        "kafka" => Box::new(Topic::begin()),
        "postgres" => Box::new(Database::begin(folder)),
        other => panic!("SOURCES knows {}, and not {other}", ALL.join(", ")),
    }
}

/// Requests, each answered with 202.
struct Http;

impl Source for Http {
    fn is_ours(&self) -> bool {
        true
    }

    fn send(&mut self, gates: &Gates, server: &Living, name: &str, rows: &[String]) -> Sent {
        let bearer = format!("Bearer {}", gates.token);
        let mut headers = vec![("authorization", bearer.as_str()), ("content-type", "application/x-ndjson")];
        // Some senders know no keys.
        if name.ends_with(['0', '2', '4', '6', '8']) {
            headers.push(("idempotency-key", name));
        }
        match server.push("/api/v1/events/gate_event", &headers, rows.join("\n").as_bytes()) {
            Some((202, ..)) => Sent::Acknowledged,
            Some((429 | 503 | 507, ..)) => {
                std::thread::sleep(Duration::from_millis(50));
                Sent::Again
            }
            Some((status, _, text)) => panic!("{status} {text}"),
            None => Sent::Again,
        }
    }
}

/// Messages of QoS 1, acknowledged by a broker that keeps them until the program has acknowledged them.
struct Mqtt {
    broker: Broker,
    port: u16,
}

impl Mqtt {
    const SESSION: &'static str = "yizhan-crash";

    fn begin(folder: &Path) -> Self {
        let port = free_port();
        let (config, place) = (folder.join("mosquitto.conf"), folder.display());
        // As root it would become another user, who may not read this folder; by default it drops what waits beyond 1,000.
        let text = format!(
            "user root\nlistener {port} 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location {place}/\n\
             max_queued_messages 0\nmax_inflight_messages 100\n"
        );
        std::fs::write(&config, text).expect("written");
        let broker = Broker::start("mosquitto", vec!["-c".to_owned(), config.display().to_string()], port);
        subscribe_mqtt(port, Self::SESSION, "crash/+/passage");
        Self { broker, port }
    }
}

impl Source for Mqtt {
    fn settings(&self) -> String {
        format!(
            "[[stream.mqtt]]\nname = \"crash\"\nurl = \"mqtt://127.0.0.1:{}\"\nclient_id = \"{}\"\n\
             topics = {{ \"crash/+/passage\" = \"gate_event\" }}\n",
            self.port,
            Self::SESSION
        )
    }

    fn send(&mut self, _: &Gates, _: &Living, _: &str, rows: &[String]) -> Sent {
        let messages: Vec<(String, String, bool)> =
            rows.chunks(10).enumerate().map(|(n, it)| (format!("crash/{}/passage", n % 3), it.join("\n"), false)).collect();
        publish_mqtt(MqttOptions::new("crash-gate", "127.0.0.1", self.port), &messages);
        Sent::Acknowledged
    }

    fn restart(&mut self) {
        self.broker.again_in_order();
    }
}

/// A stream of JetStream, read by position.
struct Nats {
    broker: Broker,
    port: u16,
    runtime: tokio::runtime::Runtime,
    rows_n: u64,
}

impl Nats {
    fn begin(folder: &Path) -> Self {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let port = free_port();
        let args = format!("-js -a 127.0.0.1 -p {port} -sd {}", folder.display());
        let broker = Broker::start("nats-server", args.split(' ').map(str::to_owned).collect(), port);
        make_stream(&runtime, port, "CRASH", "crash.>");
        Self { broker, port, runtime, rows_n: 0 }
    }
}

impl Source for Nats {
    fn settings(&self) -> String {
        format!(
            "[[stream.nats]]\nname = \"crash\"\nurl = \"nats://127.0.0.1:{}\"\nstream = \"CRASH\"\npipeline = \"gate_event\"\n\
             subjects = [\"crash.north\", \"crash.south\"]\n",
            self.port
        )
    }

    fn send(&mut self, _: &Gates, _: &Living, _: &str, rows: &[String]) -> Sent {
        let subject = |n: usize| if n.is_multiple_of(2) { "crash.north" } else { "crash.south" };
        let messages: Vec<(String, String)> =
            rows.chunks(10).enumerate().map(|(n, it)| (subject(n).to_owned(), it.join("\n"))).collect();
        publish_all(&self.runtime, self.port, &messages);
        self.rows_n += rows.len() as u64;
        Sent::Acknowledged
    }

    fn restart(&mut self) {
        self.broker.again_in_order();
    }

    fn raw_rows(&self) -> Option<u64> {
        Some(self.rows_n)
    }
}

/// Files, each renamed into the folder: from then on it is the program's to take.
struct Drops {
    n: u64,
}

impl Source for Drops {
    fn settings(&self) -> String {
        "[stream.drop]\nfolder = \"drop\"\nquiet_seconds = 0\n".to_owned()
    }

    fn send(&mut self, gates: &Gates, _: &Living, name: &str, rows: &[String]) -> Sent {
        let inbox = gates.folder().join("drop/gate_event");
        std::fs::create_dir_all(&inbox).expect("a folder");
        self.n += 1;
        let put = |name: &str, text: &str| {
            let part = inbox.join(format!("{name}.part"));
            std::fs::write(&part, text).expect("written");
            std::fs::rename(&part, inbox.join(name)).expect("renamed");
        };
        put(&format!("{name}-{}.jsonl", self.n), &rows.join("\n"));
        // Some write what is no events: it is refused, and keeps nothing else waiting.
        if self.n.is_multiple_of(4) {
            put(&format!("wrong-{}.jsonl", self.n), "this is\nno JSON\n");
        }
        Sent::Acknowledged
    }
}

/// A topic of Kafka, read by position. Its broker keeps nothing on a disk, so it lives as long as the case does.
struct Topic {
    broker: Kafka,
    rows_n: u64,
}

impl Topic {
    fn begin() -> Self {
        let mut broker = Kafka::start(&["mock", "1"]);
        broker.tell(&json!(["topic", "crash", 3]));
        Self { broker, rows_n: 0 }
    }
}

impl Source for Topic {
    fn settings(&self) -> String {
        format!(
            "[[stream.kafka]]\nname = \"crash\"\nurls = [\"kafka://{}\"]\ntopic = \"crash\"\npipeline = \"gate_event\"\n",
            self.broker.address
        )
    }

    fn send(&mut self, _: &Gates, _: &Living, _: &str, rows: &[String]) -> Sent {
        // Instants that nothing else of the topic has.
        let at_ms = 1_760_000_000_000 + self.rows_n;
        let messages = rows.chunks(10).zip(0_u64..).map(|(it, n)| json!([n % 3, it.join("\n"), [], at_ms + n]));
        let messages: Vec<Value> = messages.collect();
        self.broker.tell(&json!(["send", "crash", messages, "none"]));
        self.rows_n += rows.len() as u64;
        Sent::Acknowledged
    }

    fn raw_rows(&self) -> Option<u64> {
        Some(self.rows_n)
    }
}

/// A table of a database whose changes are followed: what is committed there is answered for.
struct Database {
    server: Server,
    /// Ends before its server does.
    session: Option<Session>,
    /// File of the password.
    secret: String,
    n: u64,
}

impl Drop for Database {
    fn drop(&mut self) {
        self.session = None;
    }
}

impl Database {
    fn begin(folder: &Path) -> Self {
        let server = Server::start_with("-c wal_level=logical");
        server.run(
            "CREATE TABLE passage (device_id text, event_seq bigint, event_ms bigint, sent_ms bigint, person_id text, direction text, \
             method text, PRIMARY KEY (device_id, event_seq)); CREATE PUBLICATION crash FOR TABLE passage",
        );
        let secret = folder.join("secret");
        std::fs::write(&secret, PASSWORD).expect("written");
        #[cfg(unix)]
        std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("a mode");
        Self { server, session: None, secret: secret.display().to_string(), n: 0 }
    }
}

impl Source for Database {
    fn settings(&self) -> String {
        format!(
            "[[stream.postgres]]\nname = \"crash\"\nurl = \"postgres://127.0.0.1:{}/postgres\"\npublication = \"crash\"\nslot = \"crash\"\n\
             tables = {{ \"public.passage\" = \"gate_event\" }}\nuser = \"{USER}\"\npassword = {{ file = \"{}\" }}\n",
            self.server.port, self.secret
        )
    }

    fn contract(&self) -> Option<String> {
        let (files, table) =
            ("{ format = \"jsonl\", path = \"gate/gate_*.jsonl.gz\" }", "{ kind = \"postgres\", table = \"public.passage\" }");
        let contract = include_str!("../../pipelines/gate_event.toml");
        assert!(contract.contains(files), "the contract of the gates names other files");
        Some(contract.replace(files, table))
    }

    fn places(&self) -> &'static [&'static str] {
        // The others are passed once only, with the first rows: `replication.rs` tries them.
        &["replication.kept", "replication.advanced"]
    }

    fn send(&mut self, _: &Gates, _: &Living, _: &str, rows: &[String]) -> Sent {
        let session = self.session.get_or_insert_with(|| self.server.session());
        self.n += 1;
        // A row that is there already is changed, to what it was.
        let put = |rows: &[String]| {
            format!(
                "INSERT INTO passage SELECT * FROM json_populate_recordset(NULL::passage, '[{}]') \
                 ON CONFLICT (device_id, event_seq) DO UPDATE SET direction = excluded.direction;",
                rows.join(",")
            )
        };
        // Some transactions never were.
        if self.n.is_multiple_of(3) {
            let never = "UPDATE passage SET event_seq = event_seq + 9000000000 WHERE event_seq < 10";
            session.run(&format!("BEGIN; {} {never}; ROLLBACK", put(rows)));
        }
        let (first, second) = rows.split_at(rows.len() / 2);
        let parts: String = [first, second].into_iter().filter(|it| !it.is_empty()).map(put).collect();
        session.run(&format!("BEGIN; {parts} COMMIT"));
        Sent::Acknowledged
    }

    fn restart(&mut self) {
        self.session = None;
        self.server.restart();
    }
}
