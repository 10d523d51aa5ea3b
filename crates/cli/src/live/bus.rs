//! Plays into a broker instead of the HTTP door: each event is one message, as a gate would send it.

use std::time::Duration;

use async_nats::ConnectOptions;
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS, TlsConfiguration, Transport};
use serde_json::{Map, Value};
use tokio::runtime::Handle;
use url::Url;

use super::Stage;
use crate::exit::Caller;

/// For the acknowledgement of a batch.
const PATIENCE: Duration = Duration::from_secs(30);

/// The protocol that an address speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
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
            "mqtt" => (Protocol::Mqtt, false, 1883),
            "mqtts" => (Protocol::Mqtt, true, 8883),
            "nats" => (Protocol::Nats, false, 4222),
            "tls" => (Protocol::Nats, true, 4222),
            _ => return Ok(None),
        };
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
            topic: stage.topic.clone(),
        }))
    }

    /// Sends events, and returns once the broker has acknowledged all of them.
    pub(super) fn send(&self, pipeline: &str, events: &[Map<String, Value>]) -> anyhow::Result<()> {
        let message = |it: &Map<String, Value>| (self.place(pipeline, it), Value::Object(it.clone()).to_string());
        let messages: Vec<(String, String)> = events.iter().map(message).collect();
        let sent = async {
            let work = async {
                match self.protocol {
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
            Protocol::Mqtt => place,
            Protocol::Nats => place.replace('/', "."),
        }
    }

    async fn mqtt(&self, messages: Vec<(String, String)>) -> anyhow::Result<()> {
        let mut options = MqttOptions::new(format!("yizhan-simulate-{}", std::process::id()), &self.host, self.port);
        if !self.user.is_empty() {
            options.set_credentials(&self.user, &self.password);
        }
        if self.has_tls {
            let tls = TlsConfiguration::Rustls(std::sync::Arc::new(crate::stream::usual_tls()?));
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn bus(url: &str, topic: &str) -> Option<Bus> {
        let stage = Stage { url: url.to_owned(), token: "secret".to_owned(), speed: 0.0, topic: topic.to_owned() };
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
    }

    #[test]
    fn an_address_says_whether_it_is_one_of_a_broker() {
        assert!(bus("http://127.0.0.1:8080", "x").is_none());
        let it = bus("mqtts://me@broker", "x").expect("a broker");
        assert_eq!((it.host.as_str(), it.port, it.has_tls, it.user.as_str()), ("broker", 8883, true, "me"));
        let stage = Stage { url: "nats://me:secret@broker".into(), token: String::new(), speed: 0.0, topic: "x".into() };
        assert!(Bus::of(&stage).is_err());
    }
}
