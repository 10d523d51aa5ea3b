//! What the door for pushed events asks of the process that knows contracts and the log: this crate knows neither.

use async_trait::async_trait;

use crate::pipelines::Sentence;

/// The door for pushed events.
#[async_trait]
pub trait Pushes: Send + Sync {
    /// Lets whoever has a token push to a pipeline, or says why not: before a byte of the body is read.
    async fn admit(&self, pipeline: &str, token: &str) -> Result<Admitted, PushRefusal>;

    /// Takes what was pushed; the answer, JSON, is given once the rows survive a power cut.
    async fn push(&self, admitted: Admitted, push: Push) -> Result<String, PushRefusal>;

    /// What somebody has to look after although the platform runs: nothing of any person.
    fn warnings(&self) -> Vec<PushWarning>;

    /// How the other doors of the stream stand: drop folder, brokers.
    fn doors(&self) -> Vec<StreamDoor>;
}

/// Something of the stream that waits for somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushWarning {
    /// What it is, as the API's document lists them.
    pub code: &'static str,
    /// What is the matter and what to do, in Chinese.
    pub zh: String,
    /// The same in English.
    pub en: String,
}

/// A door of the stream that is no HTTP, and how it stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StreamDoor {
    /// Kind and name, such as `mqtt/gates`.
    pub door: String,
    /// The pipelines that it feeds.
    pub pipeline: String,
    /// Since when it is open, in microseconds since 1970; `None` while it is not.
    pub open_since_us: Option<i64>,
    /// Whether it waits for a person to decide: nothing is taken until what is wrong was put right.
    pub is_stopped: bool,
    /// When something went wrong last.
    pub error_at_us: Option<i64>,
    /// What, in Chinese; empty if nothing did.
    pub error_zh: String,
    /// What, in English.
    pub error_en: String,
    /// Events taken since the server started.
    pub taken_n: u64,
    /// When the last of them were.
    pub taken_at_us: Option<i64>,
    /// Files or messages that wait at the source, where it says so.
    pub waiting_n: Option<u64>,
    /// Bytes that wait at the source, where it counts those: of a database, what it wrote since.
    pub waiting_bytes: Option<u64>,
    /// Bytes that the source keeps for this door: of a database, how far a slot holds its log back.
    pub held_bytes: Option<u64>,
    /// Rows that the source removed since the server started; here they stay. `None` where a source cannot say so.
    pub removed_n: Option<u64>,
    /// What is to be known of it while it is open, each for one pipeline, or for all that it feeds where none is named.
    pub notes: Vec<(Option<String>, Sentence)>,
}

/// Who may push where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// The pipeline.
    pub pipeline: String,
    /// The devices that share the token.
    pub device_group: String,
}

/// How pushed events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushForm {
    /// `application/json`.
    Json,
    /// `application/x-ndjson`.
    Lines,
    /// `application/cloudevents-batch+json`, `application/cloudevents+json`.
    CloudEvents,
}

/// What was pushed.
#[derive(Debug)]
pub struct Push {
    /// How it is written.
    pub form: PushForm,
    /// The sender's idempotency key: the same key is answered the same, however often it comes.
    pub key: Option<String>,
    /// The bytes.
    pub body: Vec<u8>,
}

/// Why nothing was taken, in words for whoever looks after the devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushRefusal {
    /// What kind of no it is.
    pub kind: PushRefusalKind,
    /// Why, in Chinese.
    pub zh: String,
    /// Why, in English.
    pub en: String,
}

/// Kinds of refusals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushRefusalKind {
    /// No token, or none that holds.
    Token,
    /// The token is not for this pipeline.
    NotGranted,
    /// There is no such pipeline, or its contract does not let rows be pushed.
    NoPipeline,
    /// No valid approval covers the data.
    Approval,
    /// The body is none of its form.
    Body,
    /// The body has too many rows or bytes.
    TooLarge,
    /// The key was used for another body.
    KeyReused,
    /// The log is full until the next commit.
    Full,
    /// So many of the rows are bad that it is none of this source's, or not as it was agreed.
    Bad,
    /// The disk is full: nothing is kept until there is room.
    DiskFull,
    /// The table does not take the rows, and as many as may wait do.
    NotCommitted,
    /// The machine's clock leapt: nothing is taken until it is mended, or confirmed.
    Clock,
    /// The disk or the vault did not answer, or it is our bug.
    Failed,
}

impl PushRefusal {
    /// A refusal with its sentence.
    pub fn new(kind: PushRefusalKind, zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { kind, zh: zh.into(), en: en.into() }
    }
}
