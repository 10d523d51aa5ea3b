//! NATS JetStream by position: the sequence of the stream goes with the rows into the log and into the table's commit.
//!
//! A shard is one subject, with a worker of its own. It reads in order, from the sequence after the last that is in log or
//! lake, through a consumer that the broker forgets: what the broker believes that we have does not count. A stream that is
//! younger or shorter than our position is another one. So is one that has another message there, as a broker has that lost
//! its newest and took others since. It is told and not read, for its numbers mean other messages.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::datetime::DateTime;
use async_nats::jetstream::consumer::{AckPolicy, Consumer, DeliverPolicy, pull};
use async_nats::jetstream::stream::{RawMessageErrorKind, Stream};
use async_nats::{Client, ConnectOptions, Event};
use futures::StreamExt;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use wal::point::pass;

use super::broker::{Address, Schemes};
use super::config::{Broker, Nats};
use super::door::Doorstep;
use super::inside::{Pause, check_name, check_pipeline};
use super::parcel::{Cargo, Parcel, Reached};
use super::positions;
use super::reread::{Counted, Stretch};
use crate::exit::Caller;
use crate::house::House;

const SCHEMES: Schemes = Schemes { plain: ("nats", 4222), tls: ("tls", 4222) };
/// Messages that are taken with one sync.
const BATCH_MAX: usize = 500;
/// How long a batch waits to become full.
const GATHER: Duration = Duration::from_millis(300);
/// For an answer of the broker.
const PATIENCE: Duration = Duration::from_secs(10);
/// After so long without a message the broker forgets our consumer.
const FORGOTTEN: Duration = Duration::from_secs(120);
/// What a message takes beside its content.
const HEAD_BYTES: usize = 64 << 10;
/// A connection that held for so long was a good one.
const GOOD: Duration = Duration::from_secs(30);
/// Between two looks at a stream that was refused.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// Between two looks at what a stream removed while nothing comes.
const LOOK: Duration = Duration::from_secs(5);

/// Begins a worker for every subject of the settings.
pub(super) fn open(house: &Arc<House>, door: &Arc<Doorstep>) -> anyhow::Result<Vec<JoinHandle<()>>> {
    let mut shards: Vec<Shard> = Vec::new();
    for config in &house.settings.stream.nats {
        for it in Shard::all(house, door, config)? {
            if shards.iter().any(|other| other.source == it.source) {
                anyhow::bail!(Caller(format!(
                    "stream.nats \"{}\"：name 重复 / stream.nats \"{}\": the name is used twice",
                    config.name, config.name
                )));
            }
            shards.push(it);
        }
    }
    let begun = shards.into_iter().map(|it| {
        it.door.board.begin(&it.source, &it.config.pipeline);
        tokio::spawn(run(it))
    });
    Ok(begun.collect())
}

/// One subject of an entry of the settings.
struct Shard {
    door: Arc<Doorstep>,
    config: Nats,
    subject: String,
    /// `nats/<name>/<subject>`: its name among the doors, and the application of its positions in the table.
    source: String,
    table: String,
    address: Address,
    sign_in: SignIn,
    tls: Option<rustls::ClientConfig>,
    bytes_max: usize,
}

/// Who we are to the server, and what proves it.
#[derive(Clone)]
enum SignIn {
    Nobody,
    Password(String, String),
    /// The seed.
    Nkey(String),
    /// A credentials file as it is written.
    Credentials(String),
}

impl SignIn {
    fn new(broker: &Broker<'_>, config: &Nats) -> anyhow::Result<Self> {
        match (broker.login()?, &config.nkey, &config.credentials) {
            (None, None, None) => Ok(Self::Nobody),
            (Some((user, password)), None, None) => Ok(Self::Password(user, password)),
            (None, Some(source), None) => {
                let seed = broker.secret("nkey", source)?;
                if is_seed(&seed) {
                    return Ok(Self::Nkey(seed));
                }
                Err(broker.wrong(
                    "nkey 是用户的种子（SU 开头，58 个字符），不是公钥",
                    "nkey is the seed of a user (SU…, 58 characters), not the public key",
                ))
            }
            (None, None, Some(source)) => {
                // A secret is read without the end of its last line, which is a part of the form.
                let text = broker.secret("credentials", source)? + "\n";
                if ConnectOptions::with_credentials(&text).is_ok() {
                    return Ok(Self::Credentials(text));
                }
                Err(broker.wrong(
                    "credentials 不是凭据文件（.creds，含用户 JWT 与种子）",
                    "credentials is no credentials file (.creds, with the JWT of a user and its seed)",
                ))
            }
            _ => Err(broker.wrong("user、nkey、credentials 只写一种", "write one of user, nkey and credentials")),
        }
    }
}

/// Whether a text looks like the seed of a user.
fn is_seed(text: &str) -> bool {
    text.len() == 58 && text.starts_with("SU") && text.chars().all(|it| it.is_ascii_uppercase() || it.is_ascii_digit())
}

/// Why a session ended.
enum Ended {
    /// The connection or the consumer is gone: another one, after a pause.
    Lost { zh: String, en: String },
    /// A message was missed on the way: read again from our position.
    Missed,
    /// It is not the stream that our position is of.
    Stopped { zh: String, en: String },
}

impl Shard {
    fn all(house: &House, door: &Arc<Doorstep>, config: &Nats) -> anyhow::Result<Vec<Self>> {
        let broker = config.broker();
        let setting = &broker.setting;
        check_name(setting, &config.name)?;
        check_pipeline(house, setting, &config.pipeline)?;
        let is_subject =
            |it: &String| !it.is_empty() && !it.contains(char::is_whitespace) && it.split('.').all(|it| !it.is_empty());
        if config.stream.is_empty() || config.subjects.is_empty() || !config.subjects.iter().all(is_subject) {
            anyhow::bail!(Caller(format!(
                "{setting}：须有 stream 和 subjects，如 [\"gates.north.>\", \"gates.south.>\"] / {setting}: stream and subjects are needed, \
                 such as [\"gates.north.>\", \"gates.south.>\"]"
            )));
        }
        for (place, one) in config.subjects.iter().enumerate() {
            if let Some(other) = config.subjects[..place].iter().find(|it| overlap(it, one)) {
                anyhow::bail!(Caller(format!(
                    "{setting}：\"{other}\" 与 \"{one}\" 有重叠，同一消息会收两次 / {setting}: \"{other}\" and \"{one}\" overlap, one message \
                     would come twice"
                )));
            }
        }
        let address = broker.address(&SCHEMES)?;
        let sign_in = SignIn::new(&broker, config)?;
        let tls = address.has_tls.then(|| broker.tls(&house.place.project)).transpose()?;
        let pipeline = house.project.pipelines.iter().find(|it| it.name() == config.pipeline);
        let table = pipeline.map(schema::Pipeline::raw_table).unwrap_or_default();
        let shard = |subject: &String| Self {
            door: door.clone(),
            config: config.clone(),
            subject: subject.clone(),
            source: format!("nats/{}/{subject}", config.name),
            table: table.clone(),
            address: address.clone(),
            sign_in: sign_in.clone(),
            tls: tls.clone(),
            bytes_max: usize::try_from(house.settings.stream.body_bytes_max.0).unwrap_or(usize::MAX),
        };
        Ok(config.subjects.iter().map(shard).collect())
    }

    async fn connect(&self, gone: &Arc<Notify>) -> Result<Client, Ended> {
        let gone = gone.clone();
        let mut options =
            ConnectOptions::new().name("yizhan").connection_timeout(PATIENCE).request_timeout(Some(PATIENCE)).event_callback(
                move |event| {
                    if matches!(event, Event::Disconnected | Event::Closed) {
                        gone.notify_one();
                    }
                    std::future::ready(())
                },
            );
        options = match &self.sign_in {
            SignIn::Nobody => options,
            SignIn::Password(user, password) => options.user_and_password(user.clone(), password.clone()),
            SignIn::Nkey(seed) => options.nkey(seed.clone()),
            // They were read once: it never fails here.
            SignIn::Credentials(text) => options.credentials(text).map_err(|why| silent(&why))?,
        };
        if let Some(tls) = self.tls.clone() {
            options = options.tls_client_config(tls).require_tls(true);
        }
        let scheme = if self.address.has_tls { SCHEMES.tls.0 } else { SCHEMES.plain.0 };
        let url = format!("{scheme}://{}:{}", self.address.host, self.address.port);
        let connected = options.connect(url).await;
        connected.map_err(|why| lost(&format!("无法连接 NATS：{why}"), &format!("could not connect to NATS: {why}")))
    }

    /// Tells that the stream removed messages before they were read.
    fn tell_removed(&self, n: i64) {
        let name = &self.config.stream;
        let en = format!("up to {n} messages of stream {name} were removed before they were read: keep them for longer");
        tracing::warn!(door = self.source.as_str(), why = en.as_str(), "some are missing");
        self.door.board.trouble(&self.source, &format!("流 {name} 在读到之前已清除至多 {n} 条消息：请延长其保留期"), &en);
    }

    /// How much one request asks for: a single message fits whatever the broker lets publishers send.
    fn bytes_of_batch(&self, client: &Client) -> usize {
        self.bytes_max.max(client.max_payload().saturating_add(HEAD_BYTES))
    }
}

impl Ended {
    /// Its words, for whoever waits for a command.
    fn told(self) -> anyhow::Error {
        match self {
            Ended::Lost { zh, en } | Ended::Stopped { zh, en } => std::io::Error::other(format!("{zh} / {en}")).into(),
            Ended::Missed => std::io::Error::other("消息在途中丢失 / a message was missed on the way").into(),
        }
    }
}

fn lost(zh: &str, en: &str) -> Ended {
    Ended::Lost { zh: zh.to_owned(), en: en.to_owned() }
}

fn silent(why: &dyn std::fmt::Display) -> Ended {
    lost(&format!("NATS 没有应答：{why}"), &format!("NATS does not answer: {why}"))
}

/// Whether a message may fit two subjects.
fn overlap(a: &str, b: &str) -> bool {
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        match (a.next(), b.next()) {
            (None, None) => return true,
            (Some(">"), Some(_)) | (Some(_), Some(">")) => return true,
            (Some(x), Some(y)) if x == y || x == "*" || y == "*" => {}
            _ => return false,
        }
    }
}

async fn run(it: Shard) {
    let mut pause = Pause::new();
    // Known once: after that it moves with what was taken.
    let (mut reached, mut is_stopped) = loop {
        match known(&it).await {
            Ok(known) => break known,
            Err(error) => {
                it.door.board.lost(&it.source, "未能读出已收到的位置", &format!("could not read the position: {error:#}"));
                tokio::time::sleep(pause.grown()).await;
            }
        }
    };
    pause.reset();
    loop {
        let began = Instant::now();
        let ended = session(&it, &mut reached, &mut is_stopped).await;
        if GOOD < began.elapsed() {
            pause.reset();
        }
        match ended {
            Ended::Missed => tokio::time::sleep(GATHER).await,
            Ended::Lost { zh, en } => {
                it.door.board.lost(&it.source, &zh, &en);
                tokio::time::sleep(pause.grown()).await;
            }
            Ended::Stopped { zh, en } => {
                it.door.board.stopped(&it.source, &zh, &en);
                if !is_stopped {
                    keep_stop(&it, reached.as_ref()).await;
                }
                is_stopped = true;
                // Somebody may put back what the broker lost.
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        }
    }
}

/// Where a stop of a door is kept.
fn stop_name(source: &str) -> String {
    format!("stopped.{source}")
}

/// Our position, and whether the door had stopped there.
async fn known(it: &Shard) -> anyhow::Result<(Option<Reached>, bool)> {
    let reached = positions::reached(&it.door.house, &it.table, &it.source).await?;
    let Some(position) = reached.as_ref().map(|it| it.position.to_string()) else { return Ok((None, false)) };
    let stop = it.door.house.store.meta().get(&stop_name(&it.source)).await?;
    let is_stopped = stop.as_deref() == Some(position.as_str());
    Ok((reached, is_stopped))
}

/// Keeps that the door stopped at a position, or that it goes on: a start of the server is nobody's word that it may.
async fn keep_stop(it: &Shard, at: Option<&Reached>) {
    let position = at.map(|it| it.position.to_string()).unwrap_or_default();
    if let Err(error) = it.door.house.store.meta().set(&stop_name(&it.source), &position).await {
        // It holds until the server ends.
        tracing::warn!(door = it.source.as_str(), error = format!("{error:#}"), "whether the door stopped was not kept");
    }
}

/// What a broker says of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Found {
    born_us: i64,
    first: i64,
    last: i64,
    /// The instant of the message at our position; none if it was removed, as age, size and subject do it.
    at_us: Option<i64>,
}

/// The instant of a message; none if the stream has it no more.
async fn instant_of(stream: &Stream, position: i64) -> Result<Option<i64>, Ended> {
    match stream.get_raw_message(position.unsigned_abs()).await {
        Ok(message) => Ok(Some(micros(message.time))),
        Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
        Err(error) => Err(lost(
            &format!("读不到流中位置 {position} 的消息：{error}；所用账号须有 $JS.API.STREAM.MSG.GET 的权限"),
            &format!("could not look at message {position} of the stream: {error}; the user needs $JS.API.STREAM.MSG.GET"),
        )),
    }
}

/// Whether a stream is the one that our position is of, in both languages if it is not. A stop stands until our message is
/// back: that it aged out meanwhile says nothing of those that were lost before it.
fn refused(reached: &Reached, found: Found, is_stopped: bool, name: &str) -> Option<(String, String)> {
    let Reached { position, born_us, at_us, .. } = reached;
    let Found { last, .. } = found;
    let how = (
        "请恢复它的数据；若确实换了新流，请给这一项另起一个 name，将从头读取，重复的按约定的键剔除",
        "put its data back; if it really is a new one give this entry another name: it is read from its beginning, and what came \
         before is set aside by the contract's key",
    );
    if found.born_us != *born_us {
        return Some((
            format!("流 {name} 被重新建立过，已收到的位置 {position} 属于原来的流，没有从头读取：{}", how.0),
            format!(
                "stream {name} was made anew, and position {position} is of the one before; nothing was read from its beginning: {}",
                how.1
            ),
        ));
    }
    if last < *position {
        return Some((
            format!("流 {name} 只到 {last}，而已收到 {position}：代理丢失了数据，没有从头读取：{}", how.0),
            format!(
                "stream {name} ends at {last}, and {position} was taken: the broker lost data; nothing was read from its beginning: {}",
                how.1
            ),
        ));
    }
    // Nothing is known of positions that were kept without an instant.
    let is_other = at_us.zip(found.at_us).is_some_and(|(ours, theirs)| ours != theirs);
    if is_other {
        return Some((
            format!(
                "流 {name} 的位置 {position} 上是另一条消息：代理丢失了数据，之后又收了新的，位置不大于 {position} 的新消息尚未读取，没有继续：{}",
                how.0
            ),
            format!(
                "stream {name} has another message at {position} than the one that was taken: the broker lost data and took others \
                 since; those up to {position} were not read, and nothing was read behind them: {}",
                how.1
            ),
        ));
    }
    if is_stopped && at_us.is_some() && found.at_us.is_none() {
        return Some((
            format!("流 {name} 曾丢失数据，位置 {position} 上已读的消息没有恢复，没有继续：{}", how.0),
            format!(
                "stream {name} lost data, and the message at {position} that was taken is not back; nothing was read behind it: {}",
                how.1
            ),
        ));
    }
    None
}

/// One connection until its end.
async fn session(it: &Shard, reached: &mut Option<Reached>, is_stopped: &mut bool) -> Ended {
    let gone = Arc::new(Notify::new());
    let client = match it.connect(&gone).await {
        Ok(client) => client,
        Err(ended) => return ended,
    };
    let context = async_nats::jetstream::new(client.clone());
    let name = &it.config.stream;
    let stream = match context.get_stream(name).await {
        Ok(stream) => stream,
        Err(why) => return lost(&format!("读不到流 {name}：{why}"), &format!("could not find stream {name}: {why}")),
    };
    let info = stream.cached_info();
    let mut found = Found {
        born_us: micros(info.created),
        first: number(info.state.first_sequence),
        last: number(info.state.last_sequence),
        at_us: None,
    };
    let position = reached.as_ref().map(|it| it.position);
    if let Some(position) = position.filter(|it| (found.first..=found.last).contains(it)) {
        match instant_of(&stream, position).await {
            Ok(at_us) => found.at_us = at_us,
            Err(ended) => return ended,
        }
    }
    if let Some((zh, en)) = reached.as_ref().and_then(|it| refused(it, found, *is_stopped, name)) {
        return Ended::Stopped { zh, en };
    }
    if std::mem::take(is_stopped) {
        keep_stop(it, None).await;
    }
    let mut unread = Unread::new(position, found);
    if 0 < unread.removed_n {
        it.tell_removed(unread.removed_n);
    }
    let config = pull::Config {
        deliver_policy: match position {
            Some(position) => DeliverPolicy::ByStartSequence { start_sequence: position.unsigned_abs() + 1 },
            None => DeliverPolicy::All,
        },
        ack_policy: AckPolicy::None,
        filter_subject: it.subject.clone(),
        inactive_threshold: FORGOTTEN,
        memory_storage: true,
        ..pull::Config::default()
    };
    let consumer: Consumer<pull::Config> = match stream.create_consumer(config).await {
        Ok(consumer) => consumer,
        Err(error) => return silent(&error),
    };
    it.door.board.open(&it.source);
    let bytes_max = it.bytes_of_batch(&client);
    // The consumer counts what it gave; a number that is passed over was lost on the way.
    let mut given = 0_u64;
    let mut looked_at = Instant::now();
    loop {
        // Nothing is cut off but waiting: what was gathered is kept in any case.
        let batch = tokio::select! {
            batch = gather(&consumer, bytes_max, &mut given, i64::MAX) => batch,
            () = gone.notified() => return lost("NATS 连接断开", "the connection to NATS is gone"),
        };
        let n = batch.messages.len();
        // Before anything waits for the log: what was read may be removed meanwhile. Most gaps are messages of other subjects.
        let looked = if unread.has_gap(&batch.numbers) {
            look(&stream, &mut unread, &batch.numbers, false).await
        } else {
            unread.went_on(&batch.numbers);
            Ok(0)
        };
        if let Some((last, at_us)) = batch.last {
            let source = it.source.clone();
            let next = Reached { source, position: number(last), born_us: found.born_us, at_us: Some(at_us) };
            let parcel = Parcel { cargo: Cargo::Messages(batch.messages), key: None, reached: Some(next.clone()) };
            pass("nats.read");
            it.door.keep(&it.source, &it.config.pipeline, &Arc::new(parcel)).await;
            *reached = Some(next);
            it.door.board.behind(&it.source, batch.pending);
            pass("nats.kept");
        }
        match looked {
            Ok(0) => {}
            Ok(_) => it.tell_removed(unread.removed_n),
            Err(ended) => return ended,
        }
        if let Some(ended) = batch.ended {
            return ended;
        }
        if n == 0 {
            let pending = match consumer.get_info().await {
                Ok(info) if info.delivered.consumer_sequence != given => return Ended::Missed,
                Ok(info) => info.num_pending,
                Err(error) => return silent(&error),
            };
            it.door.board.behind(&it.source, pending);
            if LOOK < looked_at.elapsed() {
                looked_at = Instant::now();
                match look(&stream, &mut unread, &[], pending == 0).await {
                    Ok(0) => {}
                    Ok(_) => it.tell_removed(unread.removed_n),
                    Err(ended) => return ended,
                }
            }
        }
    }
}

/// What of a stream was read, and how many messages it removed before that, as its age and size make it.
///
/// Its numbers are those of all subjects, so nobody knows whose the removed ones were: some, at most all of them, were ours.
#[derive(Debug, PartialEq, Eq)]
struct Unread {
    /// Up to this number nothing of ours is unread, but for what is counted.
    seen: i64,
    /// The last number of the stream when it was looked at.
    last: i64,
    /// Removed unread since the session began, at most.
    removed_n: i64,
}

impl Unread {
    /// At the beginning of a session, behind our position if there is one.
    fn new(position: Option<i64>, found: Found) -> Self {
        let before = found.first - 1;
        let seen = position.unwrap_or(before);
        Self { seen: seen.max(before), last: found.last, removed_n: (before - seen).max(0) }
    }

    /// Whether numbers were passed over on the way to those that were read, in their order.
    fn has_gap(&self, read: &[i64]) -> bool {
        let before = std::iter::once(&self.seen).chain(read);
        before.zip(read).any(|(before, next)| before + 1 < *next)
    }

    /// Goes on to what was read.
    fn went_on(&mut self, read: &[i64]) {
        self.seen = read.last().map_or(self.seen, |it| self.seen.max(*it));
    }

    /// Holds what was read against the numbers that the stream has after that; says how many more were removed unread, at
    /// most. `is_all`: after the look before, the broker said that nothing of ours waits.
    fn looked(&mut self, read: &[i64], (first, last): (i64, i64), is_all: bool) -> i64 {
        let mut n = 0;
        for next in read {
            n += (first.min(*next) - self.seen - 1).max(0);
            self.seen = self.seen.max(*next);
        }
        n += (first - self.seen - 1).max(0);
        self.seen = self.seen.max(first - 1);
        if is_all && n == 0 {
            // What stood there was still there, and was of other subjects.
            self.seen = self.seen.max(self.last);
        }
        self.last = last;
        self.removed_n += n;
        n
    }
}

/// Asks the broker what a stream has still.
async fn look(stream: &Stream, unread: &mut Unread, read: &[i64], is_all: bool) -> Result<i64, Ended> {
    let info = stream.get_info().await.map_err(|error| silent(&error))?;
    let has = (number(info.state.first_sequence), number(info.state.last_sequence));
    Ok(unread.looked(read, has, is_all))
}

fn number(sequence: u64) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}

fn micros(at: DateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX)
}

/// Reads again what an entry of the settings got in a stretch of time, subject by subject.
pub(super) async fn read_again(
    house: &Arc<House>,
    door: &Arc<Doorstep>,
    config: &Nats,
    stretch: &Stretch,
    counted: &mut Counted,
) -> anyhow::Result<()> {
    for it in Shard::all(house, door, config)? {
        let mut next = None;
        // What was missed on the way is read from where it was missed.
        while let Read::Until(from) = subject_again(house, &it, stretch, next, counted).await? {
            next = from;
            tokio::time::sleep(GATHER).await;
        }
    }
    Ok(())
}

/// How far a stretch was read.
enum Read {
    Whole,
    /// Up to this number, or not from its beginning yet: what comes next was missed on the way.
    Until(Option<u64>),
}

/// One subject from the beginning of the stretch, or from a number on.
async fn subject_again(
    house: &House,
    it: &Shard,
    stretch: &Stretch,
    from: Option<u64>,
    counted: &mut Counted,
) -> anyhow::Result<Read> {
    let gone = Arc::new(Notify::new());
    let client = it.connect(&gone).await.map_err(|it| it.told())?;
    let context = async_nats::jetstream::new(client.clone());
    let name = &it.config.stream;
    let stream = context
        .get_stream(name)
        .await
        .map_err(|why| lost(&format!("读不到流 {name}：{why}"), &format!("could not find stream {name}: {why}")).told())?;
    let oldest_us = micros(stream.cached_info().state.first_timestamp);
    if from.is_none() && stretch.from_us < oldest_us {
        counted.notes.push(format!(
            "{}：所要的时间早于流 {name} 现存最早的消息，更早的已读不到 / {}: stream {name} begins later than what was asked for, and what \
             was before its oldest message cannot be read",
            it.source, it.source
        ));
    }
    let start_time = async_nats::datetime::from_nanos(i128::from(stretch.from_us) * 1_000)
        .map_err(|error| anyhow::anyhow!("the first day cannot be asked for: {error}"))?;
    let config = pull::Config {
        deliver_policy: match from {
            Some(start_sequence) => DeliverPolicy::ByStartSequence { start_sequence },
            None => DeliverPolicy::ByStartTime { start_time },
        },
        ack_policy: AckPolicy::None,
        filter_subject: it.subject.clone(),
        inactive_threshold: FORGOTTEN,
        memory_storage: true,
        ..pull::Config::default()
    };
    let consumer: Consumer<pull::Config> = stream.create_consumer(config).await.map_err(|error| silent(&error).told())?;
    let bytes_max = it.bytes_of_batch(&client);
    let (mut given, mut next) = (0_u64, from);
    loop {
        let batch = tokio::select! {
            batch = gather(&consumer, bytes_max, &mut given, stretch.until_us) => batch,
            () = gone.notified() => return Err(lost("NATS 连接断开", "the connection to NATS is gone").told()),
        };
        let n = batch.messages.len();
        if let Some((last, _)) = batch.last {
            next = Some(last + 1);
            counted.bar.inc(n as u64);
            counted.bar.set_length(counted.bar.position() + batch.pending);
            super::reread::give(house, &it.door, (it.config.pipeline.as_str(), it.source.as_str()), batch.messages, counted)
                .await?;
        }
        match batch.ended {
            Some(Ended::Missed) => return Ok(Read::Until(next)),
            Some(ended) => return Err(ended.told()),
            None if batch.is_over => return Ok(Read::Whole),
            None => {}
        }
        if n == 0 {
            let info = consumer.get_info().await.map_err(|error| silent(&error).told())?;
            if info.delivered.consumer_sequence != given {
                return Ok(Read::Until(next));
            }
            if info.num_pending == 0 {
                return Ok(Read::Whole);
            }
        }
    }
}

/// Messages in their order, and how far they reach.
#[derive(Default)]
struct Batch {
    messages: Vec<Vec<u8>>,
    /// Their sequences in the stream.
    numbers: Vec<i64>,
    /// Sequence of the last one in the stream, and its instant.
    last: Option<(u64, i64)>,
    /// Messages of the subject that wait behind it.
    pending: u64,
    /// Why no more can be read.
    ended: Option<Ended>,
    /// The broker got the next one at the end of the stretch that is read, or later.
    is_over: bool,
}

async fn gather(consumer: &Consumer<pull::Config>, bytes_max: usize, given: &mut u64, until_us: i64) -> Batch {
    let mut batch = Batch::default();
    let asked = consumer.batch().max_messages(BATCH_MAX).max_bytes(bytes_max).expires(GATHER).messages().await;
    let mut messages = match asked {
        Ok(messages) => messages,
        Err(error) => {
            batch.ended = Some(silent(&error));
            return batch;
        }
    };
    while let Some(next) = messages.next().await {
        let message = match next {
            Ok(message) => message,
            Err(error) => {
                // After the first message it may only say that the next one does not fit into this batch.
                if batch.messages.is_empty() {
                    batch.ended = Some(silent(&error));
                }
                break;
            }
        };
        let (consumed, sequence, pending, at_us) = match message.info() {
            Ok(info) => (info.consumer_sequence, info.stream_sequence, info.pending, micros(info.published)),
            Err(error) => {
                batch.ended = Some(silent(&error));
                break;
            }
        };
        if consumed != *given + 1 {
            batch.ended = Some(Ended::Missed);
            break;
        }
        *given = consumed;
        if until_us <= at_us {
            batch.is_over = true;
            break;
        }
        batch.last = Some((sequence, at_us));
        batch.pending = pending;
        batch.numbers.push(number(sequence));
        batch.messages.push(message.payload.to_vec());
    }
    batch
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Stage, contract, event, run};
    use super::*;

    #[test]
    fn one_way_to_sign_in_is_taken_and_what_is_no_seed_is_refused_unseen() {
        let public = "UAFHG6FUD2UU4SDFVAFUL5LDFO2XM4WYM76UNXTPJYJK7EEMYRBHT2VE";
        let config = |more: &str| -> Nats {
            let text = "name = \"gates\"\nurl = \"tls://nats\"\nstream = \"GATES\"\nsubjects = [\"gates.>\"]\npipeline = \"gate_event\"\n";
            toml::from_str(&format!("{text}{more}")).expect("settings")
        };
        let folder = tempfile::TempDir::new().expect("a folder");
        let path = folder.path().join("secret");
        let secret = |text: &str| {
            std::fs::write(&path, text).expect("written");
            #[cfg(unix)]
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("a mode");
            format!("{{ file = '{}' }}", path.display())
        };
        let said = |config: &Nats| SignIn::new(&config.broker(), config).err().map(|it| it.to_string()).unwrap_or_default();
        assert!(matches!(SignIn::new(&config("").broker(), &config("")), Ok(SignIn::Nobody)));
        let nkey = config(&format!("nkey = {}", secret(SEED)));
        assert!(matches!(SignIn::new(&nkey.broker(), &nkey), Ok(SignIn::Nkey(seed)) if seed == SEED));
        assert_eq!(nkey.secret_files(), std::slice::from_ref(&path));
        let both = config(&format!("user = \"yizhan\"\nnkey = {}", secret(SEED)));
        assert!(said(&both).contains("one of user, nkey and credentials"), "{}", said(&both));
        let wrong = config(&format!("nkey = {}", secret(public)));
        assert!(said(&wrong).contains("the seed of a user") && !said(&wrong).contains(public), "{}", said(&wrong));
        let seed_only = config(&format!("credentials = {}", secret(SEED)));
        assert!(said(&seed_only).contains("no credentials file") && !said(&seed_only).contains(SEED), "{}", said(&seed_only));
        let dashes = "-----";
        let whole = format!(
            "{dashes}BEGIN NATS USER JWT{dashes}\nheader.claims.signature\n{dashes}-END NATS USER JWT{dashes}-\n\n\
             {dashes}BEGIN USER NKEY SEED{dashes}\n{SEED}\n{dashes}-END USER NKEY SEED{dashes}-\n"
        );
        let credentials = config(&format!("credentials = {}", secret(&whole)));
        assert_eq!(said(&credentials), "");
    }

    /// Nobody's: it stands in the tests of NATS itself.
    const SEED: &str = "SUACH75SWCM5D2JMJM6EKLR2WDARVGZT4QC6LX3AGHSWOMVAKERABBBRWM";

    #[test]
    fn subjects_overlap_if_one_message_may_fit_both() {
        for (a, b, expected) in [
            ("gates.north.>", "gates.south.>", false),
            ("gates.>", "gates.south.1", true),
            ("gates.*", "gates.south", true),
            ("gates.*", "gates.south.1", false),
            ("gates", "gates", true),
            ("gates", "gates.>", false),
            ("*.1", "gates.*", true),
        ] {
            assert_eq!(overlap(a, b), expected, "{a} {b}");
            assert_eq!(overlap(b, a), expected, "{b} {a}");
        }
    }

    #[test]
    fn a_stream_that_is_younger_or_shorter_than_our_position_is_not_read() {
        let reached = Reached { source: "nats/gates/gates.>".to_owned(), position: 40, born_us: 7, at_us: Some(500) };
        let found = Found { born_us: 7, first: 1, last: 40, at_us: Some(500) };
        let said =
            |found: Found, is_stopped: bool| refused(&reached, found, is_stopped, "GATES").map(|it| it.1).unwrap_or_default();
        assert_eq!(said(found, false), "");
        let gone = Found { first: 60, last: 90, at_us: None, ..found };
        assert_eq!(said(gone, false), "", "old messages may go");
        assert_eq!(said(Found { last: 90, at_us: None, ..found }, false), "", "so may one in between");
        let shorter = said(Found { last: 39, at_us: None, ..found }, false);
        assert!(shorter.contains("ends at 39"), "{shorter}");
        let younger = said(Found { born_us: 8, last: 400, ..found }, false);
        assert!(younger.contains("made anew"), "{younger}");
    }

    #[test]
    fn a_stream_that_lost_its_newest_stays_unread_however_many_come_after() {
        let reached = Reached { source: "nats/gates/gates.>".to_owned(), position: 1_000, born_us: 7, at_us: Some(500) };
        let said = |reached: &Reached, found: Found, is_stopped: bool| {
            refused(reached, found, is_stopped, "GATES").map(|it| it.1).unwrap_or_default()
        };
        // As old as before; at our position stands what came after the loss.
        let other = Found { born_us: 7, first: 1, last: 1_050, at_us: Some(900) };
        for is_stopped in [false, true] {
            let words = said(&reached, other, is_stopped);
            assert!(words.contains("another message at 1000"), "{words}");
        }
        // It ages out in its turn, and what was lost is no nearer.
        let aged = Found { first: 1_020, at_us: None, ..other };
        assert!(said(&reached, aged, true).contains("not back"));
        assert_eq!(said(&reached, Found { at_us: Some(500), ..other }, true), "", "it was put back");
        // Nothing is known of a position of before instants were kept.
        let unknown = Reached { at_us: None, ..reached.clone() };
        assert_eq!(said(&unknown, other, false), "");
    }

    #[test]
    fn what_a_stream_removed_before_it_was_read_is_counted_while_it_is_read() {
        let found = Found { born_us: 7, first: 1, last: 40, at_us: None };
        // From its beginning, or behind our position.
        assert_eq!(Unread::new(None, found), Unread { seen: 0, last: 40, removed_n: 0 });
        assert_eq!(Unread::new(None, Found { first: 30, ..found }).removed_n, 0, "nobody said that we would read those");
        assert_eq!(Unread::new(Some(10), Found { first: 30, ..found }), Unread { seen: 29, last: 40, removed_n: 19 });
        let mut unread = Unread::new(Some(10), found);
        assert!(!unread.has_gap(&[11, 12]) && !unread.has_gap(&[]));
        unread.went_on(&[11, 12]);
        // Other subjects have the numbers between: the stream has them still.
        assert!(unread.has_gap(&[15, 16]) && unread.has_gap(&[13, 16]));
        assert_eq!(unread.looked(&[15, 16], (13, 50), false), 0);
        // It removed some before, some between and some behind what was read.
        assert_eq!(unread.looked(&[20, 24], (27, 60), false), 3 + 3 + 2);
        assert_eq!(unread, Unread { seen: 26, last: 60, removed_n: 8 });
        // What was removed once it was read is nobody's loss, and nothing is told twice.
        unread.went_on(&[27, 28, 29]);
        assert_eq!(unread.looked(&[], (30, 60), false), 0);
        // As long as something waits, what others have is not known; once nothing does, it is.
        assert_eq!((unread.looked(&[], (30, 70), false), unread.seen), (0, 29));
        assert_eq!((unread.looked(&[], (30, 90), true), unread.seen), (0, 70));
        assert_eq!(unread.looked(&[], (71, 90), true), 0, "none of them was ours");
        assert_eq!(unread.looked(&[], (101, 100), true), 10, "it was emptied");
        assert_eq!(unread.removed_n, 18);
    }

    #[test]
    fn a_stop_stands_over_a_start_of_the_server() {
        run(|| async {
            let stage = Stage::new(&[("thing", contract("thing", "first").as_str())]);
            let settings = "name = \"gates\"\nurl = \"nats://127.0.0.1:4222\"\nstream = \"GATES\"\nsubjects = [\"gates.>\"]\n\
                            pipeline = \"thing\"\n";
            let config: Nats = toml::from_str(settings).expect("settings");
            let source = "nats/gates/gates.>".to_owned();
            let reached = Reached { source: source.clone(), position: 7, born_us: 1, at_us: Some(500) };
            for kept in [false, true, false] {
                let opened = stage.open().await;
                let shards = Shard::all(&opened.house, &opened.door, &config).expect("a door");
                let it = shards.first().expect("its subject");
                if opened.house.lake.snapshot("raw_thing").await.expect("a readable log").is_none() {
                    assert_eq!(known(it).await.expect("known"), (None, false));
                    let cargo = Cargo::Messages(vec![event(1, "a", 0).into_bytes()]);
                    let parcel = Arc::new(Parcel { cargo, key: None, reached: Some(reached.clone()) });
                    opened.door.give("thing", &source, &parcel).await.expect("taken");
                    super::super::commit(&opened.house).await.expect("committed");
                }
                // With its instant it comes out of the table as it went in.
                assert_eq!(known(it).await.expect("known"), (Some(reached.clone()), kept));
                keep_stop(it, Some(&reached).filter(|_| !kept)).await;
            }
        });
    }
}
