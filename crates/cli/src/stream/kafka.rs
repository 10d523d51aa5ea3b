//! Brokers that speak the Kafka protocol, by position: the offset goes with the rows into the log and the table's commit.
//!
//! A shard is one partition, with a worker of its own, assigned by hand: no group is joined and no offset is left with the
//! brokers. It reads in order, from behind the last message that is in log or lake. Offsets that are missing in between are
//! no loss: a compacted topic and the marks of transactions leave such gaps. A partition that ends below our position, or
//! holds another message there, is another one. It is told and not read, for its offsets mean other messages.
//!
//! Topics do not say when they were made, so the instant of the last message taken is kept in the place of it. Where brokers
//! stamp messages and compact the topic that instant changes with the first message that goes from the batch, so there it
//! proves nothing, and a setting says so.
//!
//! How large an answer is unpacked is known when it is: so one is unpacked at a time, and the next waits until those before it
//! leave room. Who waits for messages asks for the end of the partition only.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rskafka::BackoffConfig;
use rskafka::client::error::{Error as KafkaError, ProtocolError};
use rskafka::client::partition::{OffsetAt, PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder, Credentials, SaslConfig};
use rskafka::record::{Record, RecordAndOffset};
use tokio::sync::{Mutex, Semaphore, SemaphorePermit};
use tokio::task::{JoinHandle, JoinSet};
use wal::point::pass;

use super::broker::Schemes;
use super::config::{Kafka, Sasl};
use super::door::Doorstep;
use super::inside::{Pause, check_name, check_pipeline};
use super::parcel::{Cargo, Parcel, Reached};
use super::positions;
use super::reread::{Counted, Stretch};
use crate::exit::Caller;
use crate::house::House;

const SCHEMES: Schemes = Schemes { plain: ("kafka", 9092), tls: ("kafkas", 9093) };
/// Messages that are taken with one sync.
const BATCH_MAX: usize = 500;
/// How long a broker waits for a message before it says that there is none: others wait for the answer too.
const WAIT_MS: i32 = 100;
/// For an answer, whatever the library tries meanwhile.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long the library asks again by itself before it says what is wrong.
const RETRY: Duration = Duration::from_secs(3);
/// Between two looks at a partition that has nothing for us.
const GATHER: Duration = Duration::from_millis(300);
/// Until a leader that was just elected knows how far its copies go.
const SETTLE: Duration = Duration::from_secs(2);
/// Of the message at our position.
const LOOK_BYTES: i32 = 64 << 10;
/// What is asked for at once, compressed: it is many times as much in memory. A batch that is larger comes all the same.
const FETCH_BYTES: i32 = 1 << 20;
/// Of one batch and no more.
const BATCH_BYTES: i32 = 1 << 10;
/// An answer that names brokers and topics is taken up to this size.
const ANSWER_BYTES: usize = 16 << 20;
/// What a message takes in memory beside its bytes.
const HEAD_BYTES: usize = 256;
/// A connection that held for so long was a good one.
const GOOD: Duration = Duration::from_secs(30);
/// Between two looks for new partitions, and at one that was refused.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// Answers without a message, one after the other, until what is left is believed to hold none.
const EMPTY_MAX: usize = 5;

/// Begins a task for every topic of the settings.
pub(super) fn open(house: &Arc<House>, door: &Arc<Doorstep>) -> anyhow::Result<Vec<JoinHandle<()>>> {
    let mut entries: Vec<Entry> = Vec::new();
    for config in &house.settings.stream.kafka {
        let it = Entry::new(house, door, config)?;
        if entries.iter().any(|other| other.source == it.source) {
            anyhow::bail!(Caller(format!("{}：name 重复 / {}: the name is used twice", config.setting(), config.setting())));
        }
        entries.push(it);
    }
    let begun = entries.into_iter().map(|it| {
        it.door.board.begin(&it.source, &it.config.pipeline);
        tokio::spawn(attend(Arc::new(it)))
    });
    Ok(begun.collect())
}

/// A client of some brokers, which says what is wrong after a few seconds.
pub(crate) async fn client(
    brokers: Vec<String>,
    tls: Option<Arc<rustls::ClientConfig>>,
    sasl: Option<SaslConfig>,
    answer_bytes_max: usize,
) -> Result<Client, KafkaError> {
    let backoff = BackoffConfig {
        init_backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(1),
        base: 3.0,
        deadline: Some(RETRY),
    };
    let answer_bytes_max = answer_bytes_max.max(ANSWER_BYTES);
    let mut builder = ClientBuilder::new(brokers).client_id("yizhan").backoff_config(backoff).max_message_size(answer_bytes_max);
    if let Some(tls) = tls {
        builder = builder.tls_config(tls);
    }
    if let Some(sasl) = sasl {
        builder = builder.sasl_config(sasl);
    }
    builder.build().await
}

/// One entry of the settings.
struct Entry {
    door: Arc<Doorstep>,
    config: Kafka,
    /// `kafka/<name>`: its name among the doors.
    source: String,
    table: String,
    brokers: Vec<String>,
    tls: Option<Arc<rustls::ClientConfig>>,
    sasl: Option<SaslConfig>,
    /// Bytes of messages that go into the log together.
    bytes_max: usize,
    room: Room,
}

/// Room in memory for what was fetched of a topic and is not in the log yet. All of its partitions share it, and no other
/// topic does: one whose pipeline takes nothing keeps no other waiting.
struct Room {
    /// Nobody knows how large an answer is before it is unpacked.
    unpacking: Mutex<()>,
    free: Semaphore,
    kib: u32,
}

impl Room {
    fn new(bytes: u64) -> Self {
        let kib = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX).max(1);
        Self { unpacking: Mutex::new(()), free: Semaphore::new(kib as usize), kib }
    }
}

/// What was fetched, and the room that it takes.
struct Fetched<'a> {
    records: Vec<RecordAndOffset>,
    /// The offset of the message that comes next in the partition.
    end: i64,
    room: SemaphorePermit<'a>,
}

/// One partition of its topic.
struct Shard {
    entry: Arc<Entry>,
    partition: i32,
    /// `kafka/<name>/<topic>/<partition>`: its name among the doors, and the application of its positions in the table.
    source: String,
}

/// Why a session ended.
enum Ended {
    /// The brokers do not answer, or not as they should: another session, after a pause.
    Lost { zh: String, en: String },
    /// Our position is not within what the partition has: look where it is.
    Elsewhere,
    /// An answer is larger than may be held.
    Large,
    /// It is not the partition that our position is of.
    Stopped { zh: String, en: String },
}

impl Ended {
    fn words(self) -> (String, String) {
        match self {
            Ended::Lost { zh, en } | Ended::Stopped { zh, en } => (zh, en),
            Ended::Elsewhere => ("位置不在分区之内".to_owned(), "the position is not within the partition".to_owned()),
            Ended::Large => ("代理的应答过大".to_owned(), "an answer of the broker is too large".to_owned()),
        }
    }

    /// Its words, for whoever waits for a command.
    fn told(self) -> anyhow::Error {
        let (zh, en) = self.words();
        std::io::Error::other(format!("{zh} / {en}")).into()
    }
}

impl Entry {
    fn new(house: &House, door: &Arc<Doorstep>, config: &Kafka) -> anyhow::Result<Self> {
        let setting = config.setting();
        check_name(&setting, &config.name)?;
        check_pipeline(house, &setting, &config.pipeline)?;
        if !is_topic(&config.topic) {
            anyhow::bail!(Caller(format!(
                "{setting}：topic 只能用字母、数字、.、_ 和 -，不是通配 / {setting}: a topic has letters, digits, ., _ and - only, and is no \
                 pattern"
            )));
        }
        let named: BTreeSet<i32> = config.partitions.iter().copied().collect();
        if named.len() != config.partitions.len() || named.iter().any(|it| *it < 0) {
            anyhow::bail!(Caller(format!(
                "{setting}：partitions 是不重复的分区号，如 [0, 1]；不写则读取全部 / {setting}: partitions are numbers, each once, such as \
                 [0, 1]; without it all are read"
            )));
        }
        let mut addresses = Vec::new();
        for broker in config.brokers() {
            addresses.push(broker.address(&SCHEMES)?);
        }
        let has_tls = addresses.iter().any(|it| it.has_tls);
        let Some(broker) = config.brokers().next().filter(|_| addresses.iter().all(|it| it.has_tls == has_tls)) else {
            anyhow::bail!(Caller(format!(
                "{setting}：urls 至少写一个代理，且须全用 kafkas:// 或全用 kafka:// / {setting}: urls names one broker or more, all of them \
                 kafkas:// or all of them kafka://"
            )));
        };
        let sasl = broker.login()?.map(|(user, password)| {
            let it = Credentials::new(user, password);
            match config.sasl {
                Sasl::ScramSha512 => SaslConfig::ScramSha512(it),
                Sasl::ScramSha256 => SaslConfig::ScramSha256(it),
                Sasl::Plain => SaslConfig::Plain(it),
            }
        });
        let tls = has_tls.then(|| broker.tls(&house.place.project)).transpose()?.map(Arc::new);
        let pipeline = house.project.pipelines.iter().find(|it| it.name() == config.pipeline);
        let bytes_max = usize::try_from(house.settings.stream.body_bytes_max.0).unwrap_or(usize::MAX);
        Ok(Self {
            door: door.clone(),
            config: config.clone(),
            source: format!("kafka/{}", config.name),
            table: pipeline.map(schema::Pipeline::raw_table).unwrap_or_default(),
            brokers: addresses.iter().map(|it| format!("{}:{}", it.host, it.port)).collect(),
            tls,
            sasl,
            bytes_max,
            room: Room::new(config.memory_bytes_max.0),
        })
    }

    async fn connect(&self) -> Result<Client, Ended> {
        let bytes_max = usize::try_from(self.config.memory_bytes_max.0).unwrap_or(usize::MAX);
        let client = client(self.brokers.clone(), self.tls.clone(), self.sasl.clone(), bytes_max);
        let why = match tokio::time::timeout(PATIENCE, client).await {
            Ok(Ok(client)) => return Ok(client),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "timeout".to_owned(),
        };
        if let Some(ended) = not_let_in(&why) {
            return Err(ended);
        }
        let (zh, en) = match self.sasl {
            Some(_) => ("", ""),
            None => ("；若代理要求登录，请写 user 和 password", "; if it asks who is there, write `user` and `password`"),
        };
        Err(lost(&format!("无法连接 Kafka：{why}{zh}"), &format!("could not connect to Kafka: {why}{en}")))
    }

    /// The partitions of the topic. All topics are asked for: who asks for one by its name makes some brokers create it.
    async fn partitions(&self, client: &Client) -> Result<BTreeSet<i32>, Ended> {
        let topic = &self.config.topic;
        let listed = answer(client.list_topics()).await?;
        match listed.into_iter().find(|it| it.name == *topic).map(|it| it.partitions).filter(|it| !it.is_empty()) {
            Some(partitions) => Ok(partitions),
            None => Err(lost(
                &format!("没有主题 {topic}，或 user 无权读取"),
                &format!("there is no topic {topic}, or the user may not read it"),
            )),
        }
    }
}

/// Of the partitions that there are those that are read, and those that the settings name and nobody has.
fn wanted(named: &[i32], found: &BTreeSet<i32>) -> (Vec<i32>, Vec<i32>) {
    if named.is_empty() {
        return (found.iter().copied().collect(), Vec::new());
    }
    named.iter().copied().partition(|it| found.contains(it))
}

/// Whether brokers take a text for the name of a topic.
fn is_topic(text: &str) -> bool {
    let is_fit = |it: char| it.is_ascii_alphanumeric() || matches!(it, '.' | '_' | '-');
    (1..=249).contains(&text.len()) && text.chars().all(is_fit) && !matches!(text, "." | "..")
}

fn lost(zh: &str, en: &str) -> Ended {
    Ended::Lost { zh: zh.to_owned(), en: en.to_owned() }
}

fn silent(why: &dyn std::fmt::Display) -> Ended {
    let silent = || lost(&format!("Kafka 没有应答：{why}"), &format!("Kafka does not answer: {why}"));
    not_let_in(&why.to_string()).unwrap_or_else(silent)
}

/// What to look at, where brokers do not let us in. The library has no other name for it than its words.
fn not_let_in(why: &str) -> Option<Ended> {
    let known = [
        (
            "SaslAuthenticationFailed",
            "请检查 user 和 password；SCRAM 的口令按方式分别设置，也请核对 sasl",
            "look at `user` and `password`, and at `sasl`, for a SCRAM password is set for each way by itself",
        ),
        (
            "UnsupportedSaslMechanism",
            "代理不接受 sasl 所写的方式，请改为它开放的一种（scram-sha-512、scram-sha-256 或 plain）",
            "it does not take the way that `sasl` says: write one that it offers (scram-sha-512, scram-sha-256 or plain)",
        ),
        (
            "unsupported sasl mechanism",
            "代理不提供 sasl 所写的方式，请改为它开放的一种（scram-sha-512、scram-sha-256 或 plain）",
            "it does not offer the way that `sasl` says: write one that it does (scram-sha-512, scram-sha-256 or plain)",
        ),
        (
            "IllegalSaslState",
            "代理的这个端口不要求登录，请去掉 user 和 password，或在 urls 里写要求登录的端口",
            "this port of the broker asks nobody who is there: leave out `user` and `password`, or name in `urls` the port that does",
        ),
        (
            "Sasl session error",
            "代理未能证明它知道口令，请检查 password，并核对 urls 是否是自己的代理",
            "the broker did not show that it knows the password: look at `password`, and whether `urls` names your own brokers",
        ),
        (
            "TopicAuthorizationFailed",
            "user 无权读取，请授予该主题的 Read 和 Describe 权限",
            "the user may not read: grant it Read and Describe on the topic",
        ),
    ];
    let (_, zh, en) = known.into_iter().find(|it| why.contains(it.0))?;
    Some(lost(&format!("Kafka 拒绝登录或读取：{zh}（{why}）"), &format!("Kafka does not let us in: {en} ({why})")))
}

/// What the brokers answered, or why there is none.
async fn answer<T>(asked: impl Future<Output = Result<T, KafkaError>>) -> Result<T, Ended> {
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(it)) => Ok(it),
        Ok(Err(KafkaError::ServerError { protocol_error: ProtocolError::OffsetOutOfRange, .. })) => Err(Ended::Elsewhere),
        // The library tells it in words only.
        Ok(Err(error)) if error.to_string().contains("Message too large") => Err(Ended::Large),
        Ok(Err(error)) => Err(silent(&error)),
        Err(_) => Err(silent(&"timeout")),
    }
}

/// Fetches from an offset on, as soon as there is room for it.
async fn fetch<'a>(it: &'a Shard, client: &PartitionClient, from: i64, bytes: i32) -> Result<Fetched<'a>, Ended> {
    let Entry { room, config, .. } = &*it.entry;
    let mut bytes = bytes;
    loop {
        let _unpacking = room.unpacking.lock().await;
        match answer(client.fetch_records(from, 1..bytes, WAIT_MS)).await {
            Ok((records, end)) if kib(&records) <= room.kib => {
                // The next is not unpacked before this one has its room.
                let room = room.free.acquire_many(kib(&records)).await.expect("it is never closed");
                return Ok(Fetched { records, end, room });
            }
            Ok(_) | Err(Ended::Large) if BATCH_BYTES < bytes => bytes = BATCH_BYTES,
            Ok(_) | Err(Ended::Large) => {
                let (name, limit) = (format!("{}/{}", config.topic, it.partition), room.kib);
                return Err(Ended::Stopped {
                    zh: format!(
                        "{name} 从位置 {from} 起的一批消息解开后超过 memory_bytes_max（{limit} KiB），未读取，也未跳过：请调大这一项\
                         后重启，并请来源把一批写得小些"
                    ),
                    en: format!(
                        "one batch of {name}, from offset {from} on, is larger than memory_bytes_max ({limit} KiB) when it is unpacked; \
                         it was not read, and nothing is passed over: raise that setting and restart, and have the source write \
                         smaller batches"
                    ),
                });
            }
            Err(ended) => return Err(ended),
        }
    }
}

/// What messages take in memory.
fn kib(records: &[RecordAndOffset]) -> u32 {
    let bytes = |it: &RecordAndOffset| {
        let Record { key, value, headers, .. } = &it.record;
        let headers: usize = headers.iter().map(|it| it.0.len() + it.1.len()).sum();
        HEAD_BYTES + key.as_ref().map_or(0, Vec::len) + value.as_ref().map_or(0, Vec::len) + headers
    };
    let bytes: usize = records.iter().map(bytes).sum();
    u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX)
}

/// Looks for the partitions of a topic again and again, and begins a worker for each that is new.
async fn attend(it: Arc<Entry>) {
    let mut pause = Pause::new();
    let mut begun = BTreeSet::new();
    // They end with it.
    let mut workers = JoinSet::new();
    loop {
        let found = match it.connect().await {
            Ok(client) => it.partitions(&client).await,
            Err(ended) => Err(ended),
        };
        let found = match found {
            Ok(found) => found,
            Err(ended) => {
                let (zh, en) = ended.words();
                it.door.board.lost(&it.source, &zh, &en);
                tokio::time::sleep(pause.grown()).await;
                continue;
            }
        };
        pause.reset();
        let (wanted, missing) = wanted(&it.config.partitions, &found);
        for partition in wanted {
            if begun.insert(partition) {
                let source = format!("{}/{}/{partition}", it.source, it.config.topic);
                it.door.board.begin(&source, &it.config.pipeline);
                workers.spawn(run(Shard { entry: it.clone(), partition, source }));
            }
        }
        if missing.is_empty() {
            it.door.board.open(&it.source);
        } else {
            let topic = &it.config.topic;
            let zh = format!("主题 {topic} 没有分区 {missing:?}：请改正 partitions");
            it.door.board.lost(&it.source, &zh, &format!("topic {topic} has no partitions {missing:?}: mend `partitions`"));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

async fn run(it: Shard) {
    let mut pause = Pause::new();
    let door = &it.entry.door;
    // Known once: after that it moves with what was taken.
    let mut reached = loop {
        match positions::reached(&door.house, &it.entry.table, &it.source).await {
            Ok(reached) => break reached,
            Err(error) => {
                door.board.lost(&it.source, "未能读出已收到的位置", &format!("could not read the position: {error:#}"));
                tokio::time::sleep(pause.grown()).await;
            }
        }
    };
    pause.reset();
    loop {
        let began = Instant::now();
        let Err(ended) = session(&it, &mut reached).await;
        if GOOD < began.elapsed() {
            pause.reset();
        }
        match ended {
            Ended::Elsewhere => tokio::time::sleep(SETTLE).await,
            Ended::Stopped { zh, en } => {
                door.board.stopped(&it.source, &zh, &en);
                // Somebody may put back what the brokers lost.
                tokio::time::sleep(LOOK_AGAIN).await;
            }
            ended @ (Ended::Lost { .. } | Ended::Large) => {
                let (zh, en) = ended.words();
                door.board.lost(&it.source, &zh, &en);
                tokio::time::sleep(pause.grown()).await;
            }
        }
    }
}

/// One client until its end.
async fn session(it: &Shard, reached: &mut Option<Reached>) -> Result<Infallible, Ended> {
    let entry = &it.entry;
    let board = &entry.door.board;
    let brokers = entry.connect().await?;
    if !entry.partitions(&brokers).await?.contains(&it.partition) {
        let Shard { partition, .. } = it;
        return Err(lost(&format!("分区 {partition} 已不存在"), &format!("partition {partition} is gone")));
    }
    let topic = entry.config.topic.clone();
    let client = answer(brokers.partition_client(topic, it.partition, UnknownTopicHandling::Error)).await?;
    let mut next = place(it, &client, reached.as_ref()).await?;
    board.open(&it.source);
    let mut seen_end = next;
    loop {
        // Below our position the end is no proof: there are brokers that name the last batch. What it brings is.
        if seen_end <= next && answer(client.get_offset(OffsetAt::Latest)).await? == next {
            board.behind(&it.source, 0);
            tokio::time::sleep(GATHER).await;
            continue;
        }
        let Fetched { records, end, room: _held } = fetch(it, &client, next, FETCH_BYTES).await?;
        if end < next {
            return Err(Ended::Elsewhere);
        }
        seen_end = end;
        let behind = |next: i64| u64::try_from(end - next).unwrap_or(0);
        let has_none = records.is_empty();
        for part in parts(records, entry.bytes_max) {
            let now = Reached { source: it.source.clone(), position: part.last, born_us: part.at_us, at_us: None };
            let parcel = Parcel { cargo: Cargo::Messages(part.messages), key: None, reached: Some(now.clone()) };
            entry.door.keep(&it.source, &entry.config.pipeline, &Arc::new(parcel)).await;
            next = now.position + 1;
            *reached = Some(now);
            board.behind(&it.source, behind(next));
            pass("kafka.kept");
        }
        if has_none {
            board.behind(&it.source, behind(next));
            // What stands there is no message: the mark of a transaction, or one that is not decided.
            seen_end = next;
            tokio::time::sleep(GATHER).await;
        }
    }
}

/// What a partition has at our position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Found {
    /// The first offset that it still has, or our position if that is there.
    first: i64,
    /// The offset of the message that comes next.
    end: i64,
    /// The instant of the message at our position; none if it was removed, as a compacted topic does, or says nothing.
    at_us: Option<i64>,
}

async fn look(it: &Shard, client: &PartitionClient, position: i64) -> Result<Found, Ended> {
    // With a wait: there are brokers that answer nothing at all to whoever does not wait.
    match fetch(it, client, position, LOOK_BYTES).await {
        Ok(Fetched { records, end, .. }) => {
            let there = records.first().filter(|found| found.offset == position && !it.entry.config.log_append_time);
            Ok(Found { first: position, end, at_us: there.map(|it| it.record.timestamp.timestamp_micros()) })
        }
        Err(Ended::Elsewhere) => {
            let first = answer(client.get_offset(OffsetAt::Earliest)).await?;
            let end = answer(client.get_offset(OffsetAt::Latest)).await?;
            Ok(Found { first, end, at_us: None })
        }
        Err(ended) => Err(ended),
    }
}

/// The offset from which a partition is read on.
async fn place(it: &Shard, client: &PartitionClient, reached: Option<&Reached>) -> Result<i64, Ended> {
    let Some(reached) = reached else { return answer(client.get_offset(OffsetAt::Earliest)).await };
    let name = format!("{}/{}", it.entry.config.topic, it.partition);
    let mut found = look(it, client, reached.position).await?;
    if refused(reached, found, &name).is_some() {
        tokio::time::sleep(SETTLE).await;
        found = look(it, client, reached.position).await?;
    }
    if let Some((zh, en)) = refused(reached, found, &name) {
        return Err(Ended::Stopped { zh, en });
    }
    let next = reached.position + 1;
    if found.first <= next {
        return Ok(next);
    }
    let (n, last) = (found.first - next, found.first - 1);
    let zh = format!("{name} 在读到之前已清除至多 {n} 条消息（位置 {next} 至 {last}）：请延长其保留期，并请来源补送");
    let en = format!(
        "up to {n} messages of {name} (offsets {next} to {last}) were removed before they were read: keep them for longer, and ask \
         the source to send them again"
    );
    tracing::warn!(door = it.source.as_str(), why = en.as_str(), "it goes on behind a loss");
    it.entry.door.board.trouble(&it.source, &zh, &en);
    Ok(found.first)
}

/// Whether a partition is the one that our position is of, in both languages if it is not.
fn refused(reached: &Reached, found: Found, name: &str) -> Option<(String, String)> {
    let Reached { position, born_us, .. } = reached;
    let Found { first, end, at_us } = found;
    let how = (
        "请恢复它的数据；若确实换了新主题，请给这一项另起一个 name，将从头读取，重复的按约定的键剔除",
        "put its data back; if it really is a new topic give this entry another name: it is read from its beginning, and what came \
         before is set aside by the contract's key",
    );
    if *position < first {
        return None;
    }
    if end <= *position {
        return Some((
            format!("{name} 的下一个位置是 {end}，而已收到 {position}：代理丢失了数据或主题被重新建立，没有从头读取：{}", how.0),
            format!(
                "{name} goes on at {end}, and {position} was taken: the brokers lost data or the topic was made anew; nothing was \
                 read from its beginning: {}",
                how.1
            ),
        ));
    }
    // Nothing is known of positions that were kept without an instant.
    if *born_us != 0 && at_us.is_some_and(|it| it != *born_us) {
        return Some((
            format!(
                "{name} 的位置 {position} 上的消息时间与收到时不同，应是另一条消息，主题被重新建立过，没有从头读取：{}。若主题启用压实\
                 （compact）且由代理记时（LogAppendTime），时间本会改变：请给这一项写 log_append_time = true",
                how.0
            ),
            format!(
                "{name} has a message of another instant at {position} than the one that was taken, so another message: the topic \
                 was made anew; nothing was read from its beginning: {}. If the topic is compacted and stamped by the brokers \
                 (LogAppendTime) instants change by themselves: give this entry log_append_time = true",
                how.1
            ),
        ));
    }
    None
}

/// Reads again what an entry of the settings got in a stretch of time, partition by partition.
pub(super) async fn read_again(
    house: &Arc<House>,
    door: &Arc<Doorstep>,
    config: &Kafka,
    stretch: &Stretch,
    counted: &mut Counted,
) -> anyhow::Result<()> {
    let entry = Entry::new(house, door, config)?;
    let brokers = entry.connect().await.map_err(Ended::told)?;
    let found = entry.partitions(&brokers).await.map_err(Ended::told)?;
    let (wanted, missing) = wanted(&config.partitions, &found);
    if !missing.is_empty() {
        let (setting, topic) = (config.setting(), &config.topic);
        anyhow::bail!(Caller(format!(
            "{setting}：主题 {topic} 没有分区 {missing:?}，请改正 partitions / {setting}: topic {topic} has no partitions {missing:?}, mend \
             `partitions`"
        )));
    }
    for partition in wanted {
        let topic = config.topic.clone();
        let asked = brokers.partition_client(topic, partition, UnknownTopicHandling::Error);
        let client = answer(asked).await.map_err(Ended::told)?;
        partition_again(house, &entry, partition, &client, stretch, counted).await?;
    }
    Ok(())
}

/// Messages of one partition that are given together, cut alike whenever the same are read.
struct Gathered<'a> {
    house: &'a House,
    entry: &'a Entry,
    source: String,
    messages: Vec<Vec<u8>>,
    bytes: usize,
}

impl Gathered<'_> {
    async fn add(&mut self, message: Vec<u8>, counted: &mut Counted) -> anyhow::Result<()> {
        let is_full = BATCH_MAX <= self.messages.len() || self.entry.bytes_max < self.bytes + message.len();
        if is_full {
            self.give(counted).await?;
        }
        self.bytes += message.len();
        self.messages.push(message);
        Ok(())
    }

    async fn give(&mut self, counted: &mut Counted) -> anyhow::Result<()> {
        self.bytes = 0;
        let messages = std::mem::take(&mut self.messages);
        if messages.is_empty() {
            return Ok(());
        }
        let place = (self.entry.config.pipeline.as_str(), self.source.as_str());
        super::reread::give(self.house, &self.entry.door, place, messages, counted).await
    }
}

/// One partition, from where the brokers find the first day, to the end that it has now. Messages are dated by whoever sent
/// them, unless the topic says otherwise, so one of the stretch may stand behind one that is later.
async fn partition_again(
    house: &House,
    entry: &Entry,
    partition: i32,
    client: &PartitionClient,
    stretch: &Stretch,
    counted: &mut Counted,
) -> anyhow::Result<()> {
    let source = format!("{}/{}/{partition}", entry.source, entry.config.topic);
    let from = chrono::DateTime::from_timestamp_micros(stretch.from_us)
        .ok_or_else(|| anyhow::anyhow!("the first day cannot be asked for: {}", stretch.from_us))?;
    let first = answer(client.get_offset(OffsetAt::Earliest)).await.map_err(Ended::told)?;
    let end = answer(client.get_offset(OffsetAt::Latest)).await.map_err(Ended::told)?;
    // Brokers that find none say -1, and so do some that cannot look: then everything is looked through.
    let found = answer(client.get_offset(OffsetAt::Timestamp(from))).await.map_err(Ended::told)?;
    let mut next = found.max(first);
    let mut may_lack = next == first && 0 < first;
    let mut gathered = Gathered { house, entry, source, messages: Vec::new(), bytes: 0 };
    let mut empty_n = 0;
    while next < end && empty_n < EMPTY_MAX {
        let records = match answer(client.fetch_records(next, 1..FETCH_BYTES, WAIT_MS)).await {
            Ok((records, _)) => records,
            Err(Ended::Elsewhere) => {
                tokio::time::sleep(SETTLE).await;
                let first = answer(client.get_offset(OffsetAt::Earliest)).await.map_err(Ended::told)?;
                // Removed while others were read.
                may_lack |= next < first;
                next = next.max(first);
                empty_n += 1;
                continue;
            }
            Err(ended) => return Err(ended.told()),
        };
        let Some(last) = records.last().map(|it| it.offset) else {
            empty_n += 1;
            tokio::time::sleep(GATHER).await;
            continue;
        };
        empty_n = 0;
        // What came since comes through the door.
        for RecordAndOffset { record, .. } in records.into_iter().filter(|it| it.offset < end) {
            let at_us = record.timestamp.timestamp_micros();
            if may_lack && stretch.from_us <= at_us {
                counted.notes.push(format!(
                    "{}：更早的消息已被保留期清除，读不到 / {}: older messages were removed, as the topic says, and cannot be read",
                    gathered.source, gathered.source
                ));
            }
            may_lack = false;
            if (stretch.from_us..stretch.until_us).contains(&at_us) {
                counted.bar.inc(1);
                gathered.add(content(record), counted).await?;
            }
        }
        next = last + 1;
        counted.bar.set_length(counted.bar.position() + u64::try_from(end - next).unwrap_or(0));
    }
    gathered.give(counted).await?;
    if next < end {
        counted.notes.push(format!(
            "{}：位置 {next} 至 {} 没有读到消息；事务标记会占用位置，其他情况请再读一次 / {}: nothing was read at offsets {next} to {}; marks of \
             transactions take up such, else read it again",
            gathered.source,
            end - 1,
            gathered.source,
            end - 1
        ));
    }
    Ok(())
}

/// Messages that go into the log together, and where the partition stands after them.
#[derive(Debug, Default, PartialEq, Eq)]
struct Part {
    messages: Vec<Vec<u8>>,
    /// Offset of the last one.
    last: i64,
    /// Its instant, as producer or broker gave it.
    at_us: i64,
}

/// Cuts what was fetched: compressed, a batch of a few bytes may hold more than the log takes at once.
fn parts(records: Vec<RecordAndOffset>, bytes_max: usize) -> Vec<Part> {
    let mut found: Vec<Part> = Vec::new();
    let mut bytes = 0;
    for RecordAndOffset { record, offset } in records {
        let at_us = record.timestamp.timestamp_micros();
        let message = content(record);
        bytes += message.len();
        match found.last_mut().filter(|it| it.messages.len() < BATCH_MAX && bytes <= bytes_max) {
            Some(part) => {
                part.messages.push(message);
                (part.last, part.at_us) = (offset, at_us);
            }
            None => {
                bytes = message.len();
                found.push(Part { messages: vec![message], last: offset, at_us });
            }
        }
    }
    found
}

/// What a message says: nothing for one that only marks a key as removed, the data of one that says that it is a CloudEvent.
fn content(record: Record) -> Vec<u8> {
    let value = record.value.unwrap_or_default();
    let says = record.headers.iter().find(|it| it.0.eq_ignore_ascii_case("content-type"));
    if says.is_some_and(|it| it.1.starts_with(b"application/cloudevents"))
        && let Some(data) = ::ingest::cloud_event_data(&value)
    {
        return data.to_vec();
    }
    value
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::{Read, Write};
    use std::path::Path;

    use super::super::tests::{Opened, Stage, contract, run};
    use super::*;

    /// A broker that asks who is there and lets nobody in: its port, and all that it is told. It refuses the way to sign in
    /// with an error of that number, or none, and then whoever does.
    fn porter(refused: u8) -> (u16, Arc<parking_lot::Mutex<Vec<u8>>>) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let heard = Arc::new(parking_lot::Mutex::new(Vec::new()));
        let hears = heard.clone();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().filter_map(Result::ok) {
                let mut length = [0; 4];
                while stream.read_exact(&mut length).is_ok() {
                    let mut request = vec![0; u32::from_be_bytes(length) as usize];
                    if stream.read_exact(&mut request).is_err() {
                        break;
                    }
                    hears.lock().extend_from_slice(&request);
                    // The number of the request comes back, then what is asked by it.
                    let mut answer = request[4..8].to_vec();
                    match request[1] {
                        // What it can be asked, in which versions: to agree on a way to sign in (17), and to sign in (36).
                        18 => answer.extend_from_slice(&[0, 0, 3, 0, 17, 0, 1, 0, 1, 0, 0, 36, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
                        17 => {
                            answer.extend_from_slice(&[0, refused, 0, 0, 0, 2]);
                            for way in ["PLAIN", "SCRAM-SHA-512"] {
                                answer.extend_from_slice(&[0, way.len() as u8]);
                                answer.extend_from_slice(way.as_bytes());
                            }
                        }
                        // SASL_AUTHENTICATION_FAILED, without a word and without a proof.
                        _ => answer.extend_from_slice(&[0, 58, 255, 255, 0, 0, 0, 0]),
                    }
                    let mut whole = (answer.len() as u32).to_be_bytes().to_vec();
                    whole.append(&mut answer);
                    if stream.write_all(&whole).is_err() {
                        break;
                    }
                }
            }
        });
        (port, heard)
    }

    /// What the door says that such a broker refuses, in both languages, and what it told the broker.
    async fn knocked(opened: &Opened, secret: &Path, sasl: &str, refused: u8) -> (String, String, Vec<u8>) {
        let (port, heard) = porter(refused);
        let text = format!(
            "name = \"gates\"\nurls = [\"kafka://127.0.0.1:{port}\"]\ntopic = \"gates\"\npipeline = \"thing\"\nuser = \"yizhan\"\n\
             password = {{ file = '{}' }}\nsasl = \"{sasl}\"\n",
            secret.display()
        );
        let config: Kafka = toml::from_str(&text).expect("settings");
        let entry = Entry::new(&opened.house, &opened.door, &config).expect("an entry");
        let Err(ended) = entry.connect().await else { panic!("it let us in") };
        let (zh, en) = ended.words();
        let heard = heard.lock().clone();
        (zh, en, heard)
    }

    #[test]
    fn who_is_not_let_in_is_told_what_to_look_at_and_a_password_goes_out_only_as_the_settings_say() {
        run(|| async {
            let stage = Stage::new(&[("thing", contract("thing", "first").as_str())]);
            let opened = stage.open().await;
            let (password, secret) = ("correct-horse", stage.path("secret"));
            std::fs::write(&secret, password).expect("written");
            #[cfg(unix)]
            std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("a mode");
            let (plain, scram, other, nobody) = tokio::join!(
                knocked(&opened, &secret, "plain", 0),
                knocked(&opened, &secret, "scram-sha-512", 0),
                knocked(&opened, &secret, "scram-sha-256", 33),
                knocked(&opened, &secret, "plain", 34),
            );
            for (zh, en, _) in [&plain, &scram] {
                assert!(zh.contains("请检查 user 和 password") && en.contains("look at `user` and `password`"), "{zh} {en}");
            }
            assert!(other.0.contains("sasl 所写的方式") && other.1.contains("the way that `sasl` says"), "{other:?}");
            assert!(nobody.0.contains("不要求登录") && nobody.1.contains("leave out `user`"), "{nobody:?}");
            let has = |heard: &[u8], text: &str| heard.windows(text.len()).any(|it| it == text.as_bytes());
            assert!(has(&plain.2, &format!("yizhan\0{password}")));
            assert!(has(&scram.2, "SCRAM-SHA-512") && has(&scram.2, "n=yizhan") && !has(&scram.2, password));
            assert!(has(&other.2, "SCRAM-SHA-256") && !has(&other.2, "n=yizhan"), "it is not asked further");
            for (zh, en, _) in [plain, scram, other, nobody] {
                assert!(!zh.contains(password) && !en.contains(password), "{zh} {en}");
            }
        });
    }

    #[test]
    fn what_is_no_refusal_is_told_as_it_is() {
        assert!(not_let_in("Connection error: all retries failed: connection refused").is_none());
        let (_, en) = silent(&"Server error TopicAuthorizationFailed with message \"\"").words();
        assert!(en.contains("Read and Describe"), "{en}");
        assert!(silent(&"timeout").words().1.contains("does not answer"));
    }

    fn record(offset: i64, value: Option<&str>, kind: &str) -> RecordAndOffset {
        let headers = BTreeMap::from([("content-type".to_owned(), kind.as_bytes().to_vec())]);
        let value = value.map(|it| it.as_bytes().to_vec());
        let timestamp = chrono::DateTime::from_timestamp_micros(offset * 1_000).expect("an instant");
        RecordAndOffset { record: Record { key: None, value, headers, timestamp }, offset }
    }

    #[test]
    fn a_topic_is_named_and_no_pattern() {
        for (text, expected) in
            [("gates.passage", true), ("a-b_c.7", true), ("", false), ("..", false), ("gates.*", false), ("门禁", false)]
        {
            assert_eq!(is_topic(text), expected, "{text}");
        }
        assert!(!is_topic(&"x".repeat(250)));
    }

    #[test]
    fn all_partitions_are_read_unless_some_are_named() {
        let found = BTreeSet::from([0, 1, 2]);
        assert_eq!(wanted(&[], &found), (vec![0, 1, 2], vec![]));
        assert_eq!(wanted(&[2, 7], &found), (vec![2], vec![7]));
    }

    #[test]
    fn a_partition_that_is_shorter_or_another_one_is_not_read() {
        let reached = Reached { source: "kafka/gates/gates/0".to_owned(), position: 40, born_us: 7, at_us: None };
        let found = Found { first: 40, end: 41, at_us: Some(7) };
        assert_eq!(refused(&reached, found, "gates/0"), None);
        let gone = Found { first: 60, end: 90, at_us: None };
        assert_eq!(refused(&reached, gone, "gates/0"), None, "old messages may go");
        assert_eq!(refused(&reached, Found { end: 90, at_us: None, ..found }, "gates/0"), None, "so may one in between");
        let unknown = Reached { born_us: 0, ..reached.clone() };
        assert_eq!(refused(&unknown, found, "gates/0"), None);
        let (_, shorter) = refused(&reached, Found { end: 40, at_us: None, ..found }, "gates/0").expect("refused");
        assert!(shorter.contains("goes on at 40"), "{shorter}");
        let (_, anew) = refused(&reached, Found { end: 400, at_us: Some(8), ..found }, "gates/0").expect("refused");
        assert!(anew.contains("another message") && anew.contains("log_append_time"), "{anew}");
        let empty = Found { first: 0, end: 0, at_us: None };
        assert!(refused(&reached, empty, "gates/0").is_some());
    }

    #[tokio::test]
    async fn room_is_for_all_partitions_of_a_topic_and_the_next_waits_for_it() {
        let records = vec![record(1, Some(&"x".repeat(700)), "json"), record(2, None, "")];
        assert_eq!(kib(&records), 2, "heads, headers and values, in whole KiB");
        assert_eq!(kib(&[]), 0);
        assert_eq!((Room::new(0).kib, Room::new(1025).kib, Room::new(u64::MAX).kib), (1, 2, u32::MAX));
        let room = Room::new(3 << 10);
        let first = room.free.acquire_many(kib(&records)).await.expect("open");
        assert!(room.free.try_acquire_many(kib(&records)).is_err(), "the second waits");
        drop(first);
        assert!(room.free.try_acquire_many(kib(&records)).is_ok());
    }

    #[test]
    fn what_was_fetched_is_cut_by_number_and_bytes_and_gaps_stay_gaps() {
        let records = [3, 4, 9, 10].map(|it| record(it, Some("four"), ""));
        let told: Vec<(usize, i64, i64)> =
            parts(records.to_vec(), 8).iter().map(|it| (it.messages.len(), it.last, it.at_us)).collect();
        assert_eq!(told, [(2, 4, 4_000), (2, 10, 10_000)]);
        let large = parts(vec![record(1, Some("more than eight"), ""), record(2, Some("x"), "")], 8);
        assert_eq!(large.iter().map(|it| it.last).collect::<Vec<_>>(), [1, 2], "one that is too large goes alone");
        let many: Vec<RecordAndOffset> = (0..1_001).map(|it| record(it, Some("x"), "")).collect();
        assert_eq!(parts(many, 1 << 20).iter().map(|it| it.last).collect::<Vec<_>>(), [499, 999, 1_000]);
        assert!(parts(Vec::new(), 8).is_empty());
    }

    #[test]
    fn a_message_without_a_value_holds_nothing_and_an_envelope_is_taken_off_where_the_header_says_so() {
        let event = r#"{"specversion":"1.0","id":"7","source":"gate/3","type":"passage","data":{"a":1}}"#;
        let text = |value: Option<&str>, kind: &str| String::from_utf8(content(record(0, value, kind).record)).expect("text");
        assert_eq!(text(None, "application/json"), "");
        assert_eq!(text(Some(event), "application/cloudevents+json; charset=utf-8"), r#"{"a":1}"#);
        assert_eq!(text(Some(event), "application/json"), event);
        assert_eq!(text(Some("no JSON"), "application/cloudevents+json"), "no JSON", "it waits in quarantine as it came");
    }
}
