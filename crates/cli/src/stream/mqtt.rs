//! MQTT (3.1.1): messages are acknowledged by hand, after their rows are in the log and synced.
//!
//! The session is a lasting one: what comes while nobody is connected waits at the broker. A connection is used until its
//! first failure, then another one begins with nothing of it: an acknowledgement that is late must not reach a session in
//! which its number means another message. What was taken and not acknowledged comes again: an event is set aside by its bytes
//! or by the contract's key, a state by the instant at which it changed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rumqttc::{
    AsyncClient, ConnectionError, Event, EventLoop, MqttOptions, Packet, Publish, QoS, StateError, SubscribeFilter,
    SubscribeReasonCode, TlsConfiguration, Transport,
};
use schema::{Key, Pipeline};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use wal::point::pass;

use super::broker::Schemes;
use super::config::Mqtt;
use super::door::Doorstep;
use super::inside::{Pause, check_name, check_pipeline};
use super::parcel::{Cargo, Parcel};
use crate::exit::Caller;
use crate::house::House;

const SCHEMES: Schemes = Schemes { plain: ("mqtt", 1883), tls: ("mqtts", 8883) };
/// Messages that are taken with one sync.
const BATCH_MAX: usize = 500;
/// More than there are numbers for messages that wait for an acknowledgement, so acknowledging never waits.
const REQUESTS_MAX: usize = 66_000;
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// A connection that held for so long was a good one.
const GOOD: Duration = Duration::from_secs(30);

/// Begins all subscriptions of the settings.
pub(super) fn open(house: &Arc<House>, door: &Arc<Doorstep>) -> anyhow::Result<Vec<JoinHandle<()>>> {
    let mut found: Vec<Subscription> = Vec::new();
    for config in &house.settings.stream.mqtt {
        let it = Subscription::new(house, door, config)?;
        let is_taken = |other: &Subscription| {
            other.name == it.name || (other.config.url == config.url && other.config.client_id == config.client_id)
        };
        if found.iter().any(is_taken) {
            anyhow::bail!(Caller(format!(
                "stream.mqtt \"{}\"：name 或 client_id 重复，同一代理上的两个连接会互相顶替 / its name or client_id is used twice: two \
                 connections to one broker would throw each other out",
                config.name
            )));
        }
        found.push(it);
    }
    let begun = found.into_iter().map(|it| {
        let pipelines: Vec<&str> = it.config.topics.values().map(String::as_str).collect();
        it.door.board.begin(&it.name, &pipelines.join(" "));
        tokio::spawn(run(it))
    });
    Ok(begun.collect())
}

/// One entry of the settings.
struct Subscription {
    door: Arc<Doorstep>,
    config: Mqtt,
    /// Its name among the doors.
    name: String,
    /// Whose answers are known again.
    group: String,
    options: MqttOptions,
    /// Bytes of messages that wait here before no more are read.
    bytes_max: u64,
}

/// Why a connection ended.
struct Lost {
    zh: String,
    en: String,
}

/// What was read and is not in the log yet.
#[derive(Default)]
struct Held {
    bytes: AtomicU64,
    messages: AtomicU64,
    freed: Notify,
}

impl Subscription {
    fn new(house: &House, door: &Arc<Doorstep>, config: &Mqtt) -> anyhow::Result<Self> {
        let broker = config.broker();
        let setting = &broker.setting;
        check_name(setting, &config.name)?;
        if config.client_id.is_empty() || config.topics.is_empty() {
            anyhow::bail!(Caller(format!(
                "{setting}：须有 client_id 和 topics（主题过滤器 = 管道） / {setting}: client_id and topics (filter = pipeline) are needed"
            )));
        }
        for (filter, pipeline) in &config.topics {
            if !rumqttc::valid_filter(filter) {
                anyhow::bail!(Caller(format!(
                    "{setting}：\"{filter}\" 不是主题过滤器 / {setting}: \"{filter}\" is no filter of topics: write gates/+/passage"
                )));
            }
            check_pipeline(house, setting, pipeline)?;
            if let Some(contract) = house.pushed_to(pipeline) {
                check_states(setting, contract)?;
            }
        }
        let address = broker.address(&SCHEMES)?;
        let bytes_max = house.settings.stream.body_bytes_max.0;
        let packet_max = usize::try_from(bytes_max).unwrap_or(usize::MAX);
        let mut options = MqttOptions::new(&config.client_id, address.host, address.port);
        options.set_clean_session(false);
        options.set_manual_acks(true);
        options.set_keep_alive(KEEP_ALIVE);
        options.set_max_packet_size(packet_max, packet_max);
        if let Some((user, password)) = broker.login()? {
            options.set_credentials(user, password);
        }
        if address.has_tls {
            let tls = TlsConfiguration::Rustls(Arc::new(broker.tls(&house.place.project)?));
            options.set_transport(Transport::tls_with_config(tls));
        }
        Ok(Self {
            door: door.clone(),
            config: config.clone(),
            name: format!("mqtt/{}", config.name),
            group: format!("mqtt {}", config.name),
            options,
            bytes_max,
        })
    }

    /// The pipeline that a topic feeds; of two filters that both fit the first by name.
    fn pipeline(&self, topic: &str) -> Option<&str> {
        pipeline_of(self.config.topics.iter(), topic)
    }
}

/// Refuses a source of states that does not say when each of them came about. Whoever loses its connection is given the same
/// messages once more, and a state that comes again behind the one after it would hold again.
fn check_states(setting: &str, pipeline: &Pipeline) -> anyhow::Result<()> {
    // Rows that are their own key supersede nothing.
    if pipeline.is_event() || matches!(pipeline.contract.key, Key::Row(_)) || pipeline.says_when_changed() {
        return Ok(());
    }
    let name = pipeline.name();
    anyhow::bail!(Caller(format!(
        "{setting}：{name} 记录的是状态，而 MQTT 会重发消息，旧状态可能被当作现在：请在 pipelines/{name}.toml 的 [contract] 写 changed_at，其中至少有一个 \
         必填（required = true）的时间列，即来源写明的变更时间；来源没有这一列时，请改用 NATS、Kafka 或带 Idempotency-Key 的 HTTP / {setting}: {name} \
         holds states, and MQTT sends messages again, so that an old state could be taken for today's: write changed_at into [contract] \
         of pipelines/{name}.toml with a timestamp column that is required, the instant of the change as the source says it. A source \
         that has none comes by NATS, by Kafka, or by HTTP with an Idempotency-Key"
    )))
}

fn pipeline_of<'a>(topics: impl Iterator<Item = (&'a String, &'a String)>, topic: &str) -> Option<&'a str> {
    let mut topics = topics;
    topics.find(|it| fits(it.0, topic)).map(|it| it.1.as_str())
}

/// Whether a topic is one of a filter's. Our own, for the library's panics at a topic that begins with a Chinese word.
fn fits(filter: &str, topic: &str) -> bool {
    // What the broker tells of itself is not for a filter that begins with a wildcard.
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut levels = topic.split('/');
    for wanted in filter.split('/') {
        match levels.next() {
            _ if wanted == "#" => return true,
            Some(level) if wanted == "+" || wanted == level => {}
            _ => return false,
        }
    }
    levels.next().is_none()
}

impl Lost {
    fn new(zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { zh: zh.into(), en: en.into() }
    }

    fn of(error: &ConnectionError, bytes_max: u64) -> Self {
        match error {
            ConnectionError::ConnectionRefused(code) => Self::new(
                format!("代理拒绝连接（{code:?}）：请检查 user、password、client_id 和代理的权限"),
                format!("the broker refused us ({code:?}): look at user, password, client_id and what it lets us do"),
            ),
            ConnectionError::MqttState(StateError::Deserialization(rumqttc::mqttbytes::Error::PayloadSizeLimitExceeded(
                bytes,
            ))) => Self::new(
                format!("有 {bytes} 字节的消息超过 {bytes_max}：请调大 stream.body_bytes_max，在此之前它会挡住后面的消息"),
                format!(
                    "a message of {bytes} bytes is larger than {bytes_max}: raise stream.body_bytes_max, it keeps others waiting"
                ),
            ),
            error => Self::new(format!("与代理的连接断开：{error}"), format!("the broker is gone: {error}")),
        }
    }
}

async fn run(it: Subscription) {
    let mut pause = Pause::new();
    loop {
        let began = Instant::now();
        let why = session(&it).await;
        it.door.board.lost(&it.name, &why.zh, &why.en);
        if GOOD < began.elapsed() {
            pause.reset();
        }
        tokio::time::sleep(pause.grown()).await;
    }
}

/// One connection until its end.
async fn session(it: &Subscription) -> Lost {
    let (client, mut events) = AsyncClient::new(it.options.clone(), REQUESTS_MAX);
    let (sender, receiver) = mpsc::unbounded_channel();
    let held = Held::default();
    tokio::select! {
        why = listen(it, &client, &mut events, &sender, &held) => why,
        why = work(it, &client, receiver, &held) => why,
    }
}

/// Reads what the broker sends. Above the mark it reads no further until the log has taken some: then the broker waits too.
async fn listen(
    it: &Subscription,
    client: &AsyncClient,
    events: &mut EventLoop,
    sender: &mpsc::UnboundedSender<Publish>,
    held: &Held,
) -> Lost {
    let filter = |it: &String| SubscribeFilter::new(it.clone(), QoS::AtLeastOnce);
    let filters: Vec<SubscribeFilter> = it.config.topics.keys().map(filter).collect();
    loop {
        while it.bytes_max < held.bytes.load(Ordering::Acquire) {
            held.freed.notified().await;
        }
        match events.poll().await {
            // Always, for the settings may name other topics than the session knows. It makes the broker send what it
            // retains once more, which is known again by its bytes.
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                if client.try_subscribe_many(filters.clone()).is_err() {
                    return Lost::new("未能订阅", "could not subscribe");
                }
            }
            Ok(Event::Incoming(Packet::SubAck(answer))) => {
                if answer.return_codes.iter().any(|it| matches!(it, SubscribeReasonCode::Failure)) {
                    return Lost::new(
                        "代理拒绝订阅：请检查 topics 和代理的权限",
                        "the broker refused the subscription: look at topics and at what it lets us read",
                    );
                }
                it.door.board.open(&it.name);
            }
            Ok(Event::Incoming(Packet::Publish(message))) => {
                held.bytes.fetch_add(bytes(&message), Ordering::AcqRel);
                it.door.board.behind(&it.name, 1 + held.messages.fetch_add(1, Ordering::AcqRel));
                if sender.send(message).is_err() {
                    return Lost::new("内部错误", "nobody takes the messages");
                }
            }
            Ok(_) => {}
            Err(error) => return Lost::of(&error, it.bytes_max),
        }
    }
}

fn bytes(message: &Publish) -> u64 {
    (message.payload.len() + message.topic.len() + 64) as u64
}

/// Brings messages into the log, as many with one sync as there are, and acknowledges them in their order.
async fn work(it: &Subscription, client: &AsyncClient, mut receiver: mpsc::UnboundedReceiver<Publish>, held: &Held) -> Lost {
    loop {
        let Some(first) = receiver.recv().await else { return Lost::new("内部错误", "nobody reads the messages") };
        let mut batch = vec![first];
        while batch.len() < BATCH_MAX
            && let Ok(next) = receiver.try_recv()
        {
            batch.push(next);
        }
        for topic in batch.iter().map(|it| &it.topic).filter(|topic| it.pipeline(topic).is_none()) {
            // Left in the session by earlier settings.
            tracing::warn!(
                door = it.name.as_str(),
                topic = topic.as_str(),
                "no filter of the settings fits this topic, its message is passed over"
            );
        }
        for (pipeline, parcel) in parcels(&batch, |topic| it.pipeline(topic)) {
            keep(it, &pipeline, &Arc::new(parcel)).await;
        }
        pass("mqtt.kept");
        held.bytes.fetch_sub(batch.iter().map(bytes).sum(), Ordering::AcqRel);
        let n = batch.len() as u64;
        it.door.board.behind(&it.name, held.messages.fetch_sub(n, Ordering::AcqRel) - n);
        held.freed.notify_one();
        for message in &batch {
            if client.ack(message).await.is_err() {
                return Lost::new("连接已断开", "the connection is gone");
            }
        }
        pass("mqtt.acked");
    }
}

/// Tries until it is in the log. Meanwhile the broker waits for its acknowledgement.
async fn keep(it: &Subscription, pipeline: &str, parcel: &Arc<Parcel>) {
    let mut pause = Pause::new();
    let mut refused = None;
    loop {
        match it.door.give(pipeline, &it.group, parcel).await {
            Ok(answer) => {
                it.door.board.goes_on(&it.name, refused);
                let n = |name: &str| answer[name].as_u64().unwrap_or(0);
                it.door.board.took(&it.name, n("rows_in").saturating_sub(n("rows_skipped")));
                return;
            }
            Err(refusal) => {
                it.door.board.waits(&it.name, &refusal);
                refused = Some(refusal.kind);
                tokio::time::sleep(pause.grown()).await;
            }
        }
    }
}

/// Messages as parcels: those of a pipeline together, in their order. What the broker retained is one by itself, under a key
/// of topic and content: it is sent again at every subscription, and is no new event for that.
fn parcels<'a>(batch: &[Publish], pipeline_of: impl Fn(&str) -> Option<&'a str>) -> Vec<(String, Parcel)> {
    let mut found: Vec<(&str, Option<String>, Vec<Vec<u8>>)> = Vec::new();
    for message in batch {
        let Some(pipeline) = pipeline_of(&message.topic) else { continue };
        let content = message.payload.to_vec();
        if message.retain {
            let key = format!("retained {} {}", message.topic, ::ingest::hash_bytes(&content));
            found.push((pipeline, Some(key), vec![content]));
            continue;
        }
        match found.iter_mut().rfind(|it| it.0 == pipeline) {
            Some((_, None, messages)) => messages.push(content),
            _ => found.push((pipeline, None, vec![content])),
        }
    }
    let parcel = |(pipeline, key, messages): (&str, Option<String>, Vec<Vec<u8>>)| {
        (pipeline.to_owned(), Parcel { cargo: Cargo::Messages(messages), key, reached: None })
    };
    found.into_iter().map(parcel).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn message(topic: &str, content: &str, retain: bool) -> Publish {
        Publish { retain, ..Publish::new(topic, QoS::AtLeastOnce, content) }
    }

    #[test]
    fn a_filter_fits_level_by_level() {
        for (filter, topic, expected) in [
            ("gates/+/passage", "gates/7/passage", true),
            ("gates/+/passage", "gates/7/door", false),
            ("gates/+/passage", "gates/7/passage/2", false),
            ("gates/#", "gates/7/passage", true),
            ("gates/#", "gates", true),
            ("#", "门禁/东门", true),
            ("门禁/+", "门禁/东门", true),
            ("门禁", "门", false),
            ("+/status", "$SYS/status", false),
            ("$SYS/#", "$SYS/status", true),
            ("gates", "", false),
        ] {
            assert_eq!(fits(filter, topic), expected, "{filter} {topic}");
        }
    }

    #[test]
    fn a_source_of_states_must_say_when_they_changed() {
        let text = |shape: &str, changed_at: &str, required: bool| {
            format!(
                "[pipeline]\nname = \"thing\"\nabout = \"Things.\"\nshape = \"{shape}\"\nowner = \"office\"\npurpose = [\"service\"]\n\
                 retention = \"1y\"\npush = true\nsource = {{ format = \"jsonl\", path = \"thing/*.jsonl\" }}\n\
                 [contract]\nversion = 1\nkey = [\"id\"]\nusual_delay = \"1d\"\noccurred_at = {{ column = \"at\" }}\n{changed_at}\n\
                 [columns]\nid = {{ type = \"text\", required = true, class = \"internal\", about = \"Number.\" }}\n\
                 at = {{ type = \"timestamp\", required = true, format = \"%Y-%m-%d %H:%M:%S\", class = \"internal\", about = \"Begin.\" }}\n\
                 changed = {{ type = \"timestamp\", required = {required}, format = \"%Y-%m-%d %H:%M:%S\", class = \"internal\", about = \"Change.\" }}\n"
            )
        };
        let check = |shape: &str, changed_at: &str, required: bool| {
            let text = text(shape, changed_at, required);
            let pipeline = Pipeline::parse(std::path::Path::new(""), &text).expect("a contract");
            check_states("stream.mqtt \"rooms\"", &pipeline).map_err(|it| it.to_string())
        };
        let changed = "changed_at = [\"changed\"]";
        assert_eq!(check("state", changed, true), Ok(()));
        assert_eq!(check("event", "", true), Ok(()), "of events the key says which is which");
        // A row may leave it out: then it says nothing of a late one.
        for (changed_at, required) in [("", true), (changed, false)] {
            let why = check("state", changed_at, required).expect_err("refused");
            assert!(why.contains("stream.mqtt \"rooms\"") && why.contains("pipelines/thing.toml"), "{why}");
            assert!(why.contains("changed_at") && why.contains("变更时间"), "{why}");
        }
    }

    #[test]
    fn messages_of_a_pipeline_go_together_and_what_was_retained_by_itself() {
        let topics: BTreeMap<String, String> = [("gates/+/passage", "gate_event"), ("cards/#", "card_txn")]
            .into_iter()
            .map(|it| (it.0.to_owned(), it.1.to_owned()))
            .collect();
        let batch = [
            message("gates/1/passage", "a", false),
            message("cards/7", "x", false),
            message("gates/2/passage", "b", false),
            message("gates/2/passage", "r", true),
            message("gates/1/passage", "c", false),
            message("gates/1/door", "nobody's", false),
        ];
        let found = parcels(&batch, |topic| pipeline_of(topics.iter(), topic));
        let told: Vec<(&str, bool, Vec<&str>)> = found
            .iter()
            .map(|(pipeline, parcel)| {
                let Cargo::Messages(messages) = &parcel.cargo else { panic!("messages") };
                let texts = messages.iter().map(|it| std::str::from_utf8(it).expect("text")).collect();
                (pipeline.as_str(), parcel.key.is_some(), texts)
            })
            .collect();
        let expected = [
            ("gate_event", false, vec!["a", "b"]),
            ("card_txn", false, vec!["x"]),
            ("gate_event", true, vec!["r"]),
            ("gate_event", false, vec!["c"]),
        ];
        assert_eq!(told, expected);
        let key = |content: &str| parcels(&[message("cards/7", content, true)], |_| Some("card_txn"))[0].1.key.clone();
        assert_eq!(key("r"), key("r"));
        assert_ne!(key("r"), key("s"));
    }
}
