//! Settings of the doors of the stream that are no HTTP; `default.toml` and `docs/doors.md` say what each is for.

use std::collections::BTreeMap;
use std::path::PathBuf;

use notify::SecretSource;
use serde::Deserialize;

use crate::settings::Bytes;

/// `[stream.drop]`: a folder into which devices and scripts put files.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DropFolder {
    /// The folder, relative to the project; empty for none.
    pub(crate) folder: PathBuf,
    /// A file that was not touched for so long is whole.
    pub(crate) quiet_seconds: u64,
    /// How long files that were taken stay in `done/`; 0 removes them at once.
    pub(crate) done_days: u32,
}

/// `[[stream.mqtt]]`: subscriptions at one MQTT broker.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mqtt {
    /// Its name among the doors.
    pub(crate) name: String,
    /// Address of the broker: `mqtts://host:8883`, or `mqtt://` on this machine.
    pub(crate) url: String,
    /// How the broker knows this platform again: it keeps messages for this name.
    pub(crate) client_id: String,
    /// Filters of topics, and the pipeline that each feeds.
    pub(crate) topics: BTreeMap<String, String>,
    /// Lets numbers of students cross the network readable: an address without TLS on another machine.
    #[serde(default)]
    plain: bool,
    #[serde(default)]
    user: String,
    #[serde(default)]
    password: Option<SecretSource>,
    #[serde(default)]
    ca_file: Option<PathBuf>,
    #[serde(default)]
    cert_file: Option<PathBuf>,
    #[serde(default)]
    key_file: Option<PathBuf>,
}

/// `[[stream.kafka]]`: a topic of brokers that speak the Kafka protocol, read by position.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kafka {
    /// Its name among the doors; with another name it is read from its beginning.
    pub(crate) name: String,
    /// Brokers that are asked first, all of one scheme: `kafkas://host:9093`, or `kafka://` on this machine.
    pub(crate) urls: Vec<String>,
    /// The topic.
    pub(crate) topic: String,
    /// Partitions of it, each with a worker of its own; all of them, and those that are added later, if none is named.
    #[serde(default)]
    pub(crate) partitions: Vec<i32>,
    /// The pipeline that it feeds.
    pub(crate) pipeline: String,
    /// How user and password are proved.
    #[serde(default)]
    pub(crate) sasl: Sasl,
    /// What was fetched and is not in the log yet, of all partitions together; no batch may be larger.
    #[serde(default = "memory_bytes_max")]
    pub(crate) memory_bytes_max: Bytes,
    /// The topic is compacted and brokers stamp its messages, so that instants change: they are not compared.
    #[serde(default)]
    pub(crate) log_append_time: bool,
    #[serde(default)]
    plain: bool,
    #[serde(default)]
    user: String,
    #[serde(default)]
    password: Option<SecretSource>,
    #[serde(default)]
    ca_file: Option<PathBuf>,
    #[serde(default)]
    cert_file: Option<PathBuf>,
    #[serde(default)]
    key_file: Option<PathBuf>,
}

fn memory_bytes_max() -> Bytes {
    Bytes(128 << 20)
}

/// How a user of Kafka proves to be one. With SCRAM the password never crosses the network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(crate) enum Sasl {
    #[default]
    #[serde(rename = "scram-sha-512")]
    ScramSha512,
    #[serde(rename = "scram-sha-256")]
    ScramSha256,
    #[serde(rename = "plain")]
    Plain,
}

impl Kafka {
    /// The brokers one by one: what is said of trust and user holds for each.
    pub(super) fn brokers(&self) -> impl Iterator<Item = Broker<'_>> {
        self.urls.iter().map(move |url| Broker {
            setting: self.setting(),
            url,
            plain: self.plain,
            user: &self.user,
            password: self.password.as_ref(),
            ca_file: self.ca_file.as_ref(),
            cert_file: self.cert_file.as_ref(),
            key_file: self.key_file.as_ref(),
        })
    }

    /// The setting, as messages name it.
    pub(super) fn setting(&self) -> String {
        format!("stream.kafka \"{}\"", self.name)
    }
}

/// `[[stream.nats]]`: a stream of NATS JetStream, read by position.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nats {
    /// Its name among the doors; with another name it is read from its beginning.
    pub(crate) name: String,
    /// Address of the broker: `tls://host:4222`, or `nats://` on this machine.
    pub(crate) url: String,
    /// The stream.
    pub(crate) stream: String,
    /// Subjects of it, each with a worker of its own.
    pub(crate) subjects: Vec<String>,
    /// The pipeline that they feed.
    pub(crate) pipeline: String,
    /// Seed of a user's NKey: it stays here, and only signs what the server makes up.
    #[serde(default)]
    pub(super) nkey: Option<SecretSource>,
    /// A credentials file: a user's JWT, and the seed that proves it.
    #[serde(default)]
    pub(super) credentials: Option<SecretSource>,
    #[serde(default)]
    plain: bool,
    #[serde(default)]
    user: String,
    #[serde(default)]
    password: Option<SecretSource>,
    #[serde(default)]
    ca_file: Option<PathBuf>,
    #[serde(default)]
    cert_file: Option<PathBuf>,
    #[serde(default)]
    key_file: Option<PathBuf>,
}

impl Nats {
    /// Files with its secrets beside those of every broker.
    pub(super) fn secret_files(&self) -> Vec<PathBuf> {
        [&self.nkey, &self.credentials].into_iter().flatten().filter_map(super::broker::file).collect()
    }

    pub(super) fn broker(&self) -> Broker<'_> {
        Broker {
            setting: format!("stream.nats \"{}\"", self.name),
            url: &self.url,
            plain: self.plain,
            user: &self.user,
            password: self.password.as_ref(),
            ca_file: self.ca_file.as_ref(),
            cert_file: self.cert_file.as_ref(),
            key_file: self.key_file.as_ref(),
        }
    }
}

/// `[[stream.postgres]]`: changes of a database's tables by logical replication, read by position.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Postgres {
    /// Its name among the doors; with another name its tables are copied anew.
    pub(crate) name: String,
    /// Address of the database: `postgres://host:5432/database`.
    pub(crate) url: String,
    /// The publication, which the database's administrator makes.
    pub(crate) publication: String,
    /// The slot, which is made if there is none of the name.
    pub(crate) slot: String,
    /// Tables as `schema.table`, and the pipeline that each feeds.
    pub(crate) tables: BTreeMap<String, String>,
    /// With more of its log kept for the slot the server's disk is in danger, and we say so.
    #[serde(default = "held_bytes_max")]
    pub(crate) held_bytes_max: Bytes,
    #[serde(default)]
    plain: bool,
    #[serde(default)]
    user: String,
    #[serde(default)]
    password: Option<SecretSource>,
    #[serde(default)]
    ca_file: Option<PathBuf>,
    #[serde(default)]
    cert_file: Option<PathBuf>,
    #[serde(default)]
    key_file: Option<PathBuf>,
}

fn held_bytes_max() -> Bytes {
    Bytes(1 << 30)
}

impl Postgres {
    pub(super) fn broker(&self) -> Broker<'_> {
        Broker {
            setting: format!("stream.postgres \"{}\"", self.name),
            url: &self.url,
            plain: self.plain,
            user: &self.user,
            password: self.password.as_ref(),
            ca_file: self.ca_file.as_ref(),
            cert_file: self.cert_file.as_ref(),
            key_file: self.key_file.as_ref(),
        }
    }
}

/// Where a broker is, and who we are to it.
#[derive(Debug)]
pub(super) struct Broker<'a> {
    /// The setting, as messages name it.
    pub(super) setting: String,
    pub(super) url: &'a str,
    pub(super) plain: bool,
    pub(super) user: &'a str,
    pub(super) password: Option<&'a SecretSource>,
    /// Certificates of the authority that signed the broker's (PEM); those of the system without it.
    pub(super) ca_file: Option<&'a PathBuf>,
    /// Our own certificate (PEM), where the broker asks for one.
    pub(super) cert_file: Option<&'a PathBuf>,
    /// Its key (PEM).
    pub(super) key_file: Option<&'a PathBuf>,
}

impl Mqtt {
    pub(super) fn broker(&self) -> Broker<'_> {
        Broker {
            setting: format!("stream.mqtt \"{}\"", self.name),
            url: &self.url,
            plain: self.plain,
            user: &self.user,
            password: self.password.as_ref(),
            ca_file: self.ca_file.as_ref(),
            cert_file: self.cert_file.as_ref(),
            key_file: self.key_file.as_ref(),
        }
    }
}
