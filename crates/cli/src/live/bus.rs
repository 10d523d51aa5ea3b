//! Plays into a broker instead of the HTTP door: each event is one message, as a gate would send it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_nats::ConnectOptions;
use rskafka::client::partition::{Compression, UnknownTopicHandling};
use rskafka::client::{Credentials, SaslConfig};
use rskafka::record::Record;
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS, TlsConfiguration, Transport};
use serde_json::{Map, Value};
use tokio::runtime::Handle;
use url::Url;

use super::Stage;
use crate::exit::Caller;

/// What tells devices apart: at a broker with partitions each keeps to one, and so the order of its events.
const KEY: &str = "device_id";
/// For the acknowledgement of a batch.
const PATIENCE: Duration = Duration::from_secs(30);

/// The protocol that an address speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Kafka,
    Mqtt,
    Nats,
}

/// A broker, and where events go there.
pub(super) struct Bus {
    protocol: Protocol,
    host: String,
    port: u16,
    has_tls: bool,
    user: String,
    password: String,
    topic: String,
}

impl Bus {
    /// The broker of an address; `None` if it is none of a broker.
    pub(super) fn of(stage: &Stage) -> anyhow::Result<Option<Self>> {
        let Ok(url) = Url::parse(&stage.url) else { return Ok(None) };
        let (protocol, has_tls, usual) = match url.scheme() {
            "kafka" => (Protocol::Kafka, false, 9092),
            "kafkas" => (Protocol::Kafka, true, 9093),
            "mqtt" => (Protocol::Mqtt, false, 1883),
            "mqtts" => (Protocol::Mqtt, true, 8883),
            "nats" => (Protocol::Nats, false, 4222),
            "tls" => (Protocol::Nats, true, 4222),
            _ => return Ok(None),
        };
        // A topic of Kafka is made by an administrator, so one for each device would not do.
        let usual_topic = if protocol == Protocol::Kafka { "yizhan.{pipeline}" } else { "yizhan/{pipeline}/{device_id}" };
        if url.password().is_some() {
            anyhow::bail!(Caller(
                "口令请用 YIZHAN_PUSH_TOKEN 给出 / the password stands in YIZHAN_PUSH_TOKEN, not in the address".to_owned()
            ));
        }
        Ok(Some(Self {
            protocol,
            host: url.host_str().unwrap_or("127.0.0.1").to_owned(),
            port: url.port().unwrap_or(usual),
            has_tls,
            user: url.username().to_owned(),
            password: stage.token.clone(),
            topic: stage.topic.clone().unwrap_or_else(|| usual_topic.to_owned()),
        }))
    }

    /// Sends events, and returns once the broker has acknowledged all of them.
    pub(super) fn send(&self, pipeline: &str, events: &[Map<String, Value>]) -> anyhow::Result<()> {
        let message = |it: &Map<String, Value>| (self.place(pipeline, it), Value::Object(it.clone()).to_string());
        let messages: Vec<(String, String)> = events.iter().map(message).collect();
        let sent = async {
            let work = async {
                match self.protocol {
                    Protocol::Kafka => {
                        let keys = events.iter().map(key);
                        self.kafka(messages.into_iter().zip(keys)).await
                    }
                    Protocol::Mqtt => self.mqtt(messages).await,
                    Protocol::Nats => self.nats(messages).await,
                }
            };
            tokio::time::timeout(PATIENCE, work).await.map_err(|_| anyhow::anyhow!("the broker does not acknowledge"))?
        };
        tokio::task::block_in_place(|| Handle::current().block_on(sent))
    }

    /// The topic or subject of an event: `{pipeline}` and names of its values in braces are filled in.
    fn place(&self, pipeline: &str, event: &Map<String, Value>) -> String {
        let mut place = self.topic.replace("{pipeline}", pipeline);
        for (name, value) in event {
            let mark = format!("{{{name}}}");
            if place.contains(&mark) {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let is_odd = |it: char| it.is_whitespace() || matches!(it, '/' | '+' | '#' | '.' | '*' | '>');
                place = place.replace(&mark, &text.replace(is_odd, "_"));
            }
        }
        match self.protocol {
            Protocol::Kafka => {
                let is_fit = |it: char| it.is_ascii_alphanumeric() || matches!(it, '.' | '_' | '-');
                place.replace('/', ".").replace(|it: char| !is_fit(it), "_")
            }
            Protocol::Mqtt => place,
            Protocol::Nats => place.replace('/', "."),
        }
    }

    /// Sends messages under their keys; each batch is acknowledged by all copies of its partition.
    async fn kafka(&self, messages: impl Iterator<Item = ((String, String), String)>) -> anyhow::Result<()> {
        let tls = self.has_tls.then(crate::stream::usual_tls).transpose()?.map(Arc::new);
        let login = || SaslConfig::ScramSha512(Credentials::new(self.user.clone(), self.password.clone()));
        let sasl = (!self.user.is_empty()).then(login);
        let client = crate::stream::kafka_client(vec![format!("{}:{}", self.host, self.port)], tls, sasl, 0).await?;
        let topics: BTreeMap<String, Vec<i32>> =
            client.list_topics().await?.into_iter().map(|it| (it.name, it.partitions.into_iter().collect())).collect();
        let mut batches: BTreeMap<(String, i32), Vec<Record>> = BTreeMap::new();
        for ((topic, content), key) in messages {
            let Some(partition) = topics.get(&topic).and_then(|it| partition(&key, it)) else {
                anyhow::bail!(Caller(format!(
                    "没有主题 {topic}，请先在代理上建立 / there is no topic {topic}: make it at the broker first"
                )));
            };
            let record = Record {
                key: Some(key.into_bytes()),
                value: Some(content.into_bytes()),
                headers: BTreeMap::new(),
                timestamp: chrono::Utc::now(),
            };
            batches.entry((topic, partition)).or_default().push(record);
        }
        for ((topic, partition), records) in batches {
            let client = client.partition_client(topic, partition, UnknownTopicHandling::Error).await?;
            client.produce(records, Compression::Gzip).await?;
        }
        Ok(())
    }

    async fn mqtt(&self, messages: Vec<(String, String)>) -> anyhow::Result<()> {
        let mut options = MqttOptions::new(format!("yizhan-simulate-{}", std::process::id()), &self.host, self.port);
        if !self.user.is_empty() {
            options.set_credentials(&self.user, &self.password);
        }
        if self.has_tls {
            let tls = TlsConfiguration::Rustls(Arc::new(crate::stream::usual_tls()?));
            options.set_transport(Transport::tls_with_config(tls));
        }
        let (client, mut events) = AsyncClient::new(options, messages.len() + 8);
        let mut waiting = messages.len();
        for (topic, content) in messages {
            client.publish(topic, QoS::AtLeastOnce, false, content).await?;
        }
        while 0 < waiting {
            if let Event::Incoming(Packet::PubAck(_)) = events.poll().await? {
                waiting -= 1;
            }
        }
        client.disconnect().await?;
        // What the broker says to a farewell is of no interest.
        while events.poll().await.is_ok() {}
        Ok(())
    }

    async fn nats(&self, messages: Vec<(String, String)>) -> anyhow::Result<()> {
        let mut options = ConnectOptions::new().name("yizhan-simulate");
        if !self.user.is_empty() {
            options = options.user_and_password(self.user.clone(), self.password.clone());
        }
        if self.has_tls {
            options = options.tls_client_config(crate::stream::usual_tls()?).require_tls(true);
        }
        let scheme = if self.has_tls { "tls" } else { "nats" };
        let client = options.connect(format!("{scheme}://{}:{}", self.host, self.port)).await?;
        let context = async_nats::jetstream::new(client);
        let mut kept = Vec::new();
        for (subject, content) in messages {
            kept.push(context.publish(subject, content.into()).await?);
        }
        for it in kept {
            it.await?;
        }
        Ok(())
    }
}

/// The device of an event, as text.
fn key(event: &Map<String, Value>) -> String {
    event.get(KEY).map_or_else(String::new, |it| it.as_str().map_or_else(|| it.to_string(), str::to_owned))
}

/// The partition of a key: by CRC-32, as clients of librdkafka choose it.
fn partition(key: &str, partitions: &[i32]) -> Option<i32> {
    let mut sum = flate2::Crc::new();
    sum.update(key.as_bytes());
    let n = u32::try_from(partitions.len()).ok().filter(|it| 0 < *it)?;
    partitions.get((sum.sum() % n) as usize).copied()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn bus(url: &str, topic: &str) -> Option<Bus> {
        let stage = Stage { url: url.to_owned(), token: "secret".to_owned(), speed: 0.0, topic: Some(topic.to_owned()) };
        Bus::of(&stage).expect("an address")
    }

    #[test]
    fn an_event_goes_where_its_values_say() {
        let event = json!({ "device_id": "G1.2 东", "event_seq": 7 });
        let event = event.as_object().expect("an object");
        let topic = "campus/{pipeline}/{device_id}/{event_seq}";
        let place = |url: &str| bus(url, topic).expect("a broker").place("gate_event", event);
        assert_eq!(place("mqtt://broker"), "campus/gate_event/G1_2_东/7");
        assert_eq!(place("nats://broker"), "campus.gate_event.G1_2_东.7");
        assert_eq!(place("kafka://broker"), "campus.gate_event.G1_2__.7");
        let stage = Stage { url: "kafka://broker".into(), token: String::new(), speed: 0.0, topic: None };
        let bus = Bus::of(&stage).expect("an address").expect("a broker");
        assert_eq!((bus.place("gate_event", event).as_str(), bus.port), ("yizhan.gate_event", 9092));
        assert_eq!(key(event), "G1.2 东");
    }

    #[test]
    fn a_device_keeps_to_one_partition_and_devices_are_spread() {
        let found: Vec<Option<i32>> = (0..64).map(|it| partition(&format!("G{it}"), &[0, 4, 7])).collect();
        for place in [0, 4, 7] {
            assert!(found.contains(&Some(place)), "{found:?}");
        }
        // The check sum of the standard's own example.
        assert_eq!(partition("123456789", &[0, 1, 2, 3, 4, 5, 6]), Some((0xCBF4_3926_u32 % 7) as i32));
        assert_eq!(partition("G1", &[]), None);
    }

    #[test]
    fn an_address_says_whether_it_is_one_of_a_broker() {
        assert!(bus("http://127.0.0.1:8080", "x").is_none());
        let it = bus("mqtts://me@broker", "x").expect("a broker");
        assert_eq!((it.host.as_str(), it.port, it.has_tls, it.user.as_str()), ("broker", 8883, true, "me"));
        let stage = Stage { url: "nats://me:secret@broker".into(), token: String::new(), speed: 0.0, topic: None };
        assert!(Bus::of(&stage).is_err());
    }
}
