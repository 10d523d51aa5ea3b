//! The door for pushed events: who may, under which approval, through which contract, and what was answered before.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::ingest::{Counts, Door, FileInput, KnownAt, Limits, Persons, Taken};
use async_trait::async_trait;
use parking_lot::Mutex;
use schema::{Blame, Pipeline};
use serde_json::json;
use serve::{Admitted, Push, PushForm, PushRefusal, PushRefusalKind, PushWarning, Pushes, StreamDoor};
use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::board::Board;
use super::flood::Flood;
use super::parcel::{Cargo, Parcel};
use super::{Committed, Note, PUSHED, is_disk_full, under};
use crate::approval::{self, Approvals};
use crate::house::House;
use crate::{settings, traces};

/// How long what the register of approvals says is believed: an approval that ends is noticed within a minute.
const APPROVALS_FRESH: Duration = Duration::from_secs(60);

/// Pipeline, device group, hash of the key.
type KeyPlace = (String, String, String);

/// Hash of the body, answer, and the frame if it may still be unsynced.
type Answered = (String, String, Option<Arc<wal::Ticket>>);

/// An answer whose frame is still in the log.
struct Recent {
    body_hash: String,
    answer: String,
    ticket: Arc<wal::Ticket>,
}

/// What was answered and is not in the store yet.
#[derive(Default)]
struct Recents {
    by_key: HashMap<KeyPlace, Recent>,
    /// Grows whenever some are forgotten because the store has them.
    forgotten: u64,
}

/// What the store said of a key, before the pipeline's turn was waited for.
struct Stored {
    found: Option<Answered>,
    /// [`Recents::forgotten`] of before it was asked.
    forgotten: u64,
}

/// A token as the store had it: when that look began, the token's hash, and what was found.
type Look = (Instant, String, Option<store::PushToken>);

/// Looks at tokens that may go on at once: as many as keep all connections busy that read.
const LOOKS: usize = 16;

/// Takes what is pushed; shared by all requests.
pub(crate) struct Doorstep {
    pub(super) house: Arc<House>,
    log: Arc<wal::Log>,
    input: PathBuf,
    persons: Persons,
    recent: Mutex<Recents>,
    /// The last looks at tokens, each in the place of its hash.
    looks: [tokio::sync::Mutex<Option<Look>>; LOOKS],
    /// Bad rows of brokers, by pipeline and source.
    floods: Mutex<HashMap<(String, String), Flood>>,
    approvals: tokio::sync::Mutex<Option<(Instant, Arc<Approvals>)>>,
    /// Says that the log is large enough for a commit.
    pub(super) filled: Notify,
    /// How the doors stand that are no HTTP.
    pub(super) board: Board,
}

pub(super) fn refused(kind: PushRefusalKind, zh: impl Into<String>, en: impl Into<String>) -> PushRefusal {
    PushRefusal::new(kind, zh, en)
}

pub(super) fn failed(error: &anyhow::Error) -> PushRefusal {
    tracing::error!(error = format!("{error:#}"), "pushed events");
    if is_disk_full(error) {
        return refused(
            PushRefusalKind::DiskFull,
            "磁盘已满，这些数据未保存：请清理磁盘空间，之后自动恢复，设备稍后重试即可",
            "the disk is full and nothing of this was kept: free some room; it goes on by itself, and devices try again later",
        );
    }
    refused(PushRefusalKind::Failed, "未能保存，请稍后重试", "it could not be kept, try again later")
}

impl Doorstep {
    /// A doorstep over a house that holds the log.
    pub(crate) fn new(house: Arc<House>, input: PathBuf) -> anyhow::Result<Self> {
        let Some(log) = house.log.clone() else { anyhow::bail!("the log is not open for writing") };
        let persons = Persons::new(&house.settings.person)?;
        let mut recent = Recents::default();
        for kept in log.tail() {
            let note = Note::of(&kept.frame)?;
            let place = (kept.frame.pipeline.clone(), note.device_group, note.key_hash);
            let ticket = Arc::new(wal::Ticket::durable(kept.position));
            recent.by_key.insert(place, Recent { body_hash: note.body_hash, answer: note.answer, ticket });
        }
        Ok(Self {
            house,
            log,
            input,
            persons,
            recent: Mutex::new(recent),
            looks: Default::default(),
            floods: Mutex::default(),
            approvals: tokio::sync::Mutex::default(),
            filled: Notify::new(),
            board: Board::default(),
        })
    }

    /// Forgets answers that the store has: those of frames that were committed.
    pub(super) fn forget(&self, committed: &Committed) {
        let last = match committed.last {
            Some(last) => last,
            // Ticks and runs commit as well: where the log holds nothing, the store has the answer to all that is synced.
            None => {
                let synced = self.log.synced();
                if 0 < self.log.held() {
                    return;
                }
                synced
            }
        };
        let mut recent = self.recent.lock();
        recent.by_key.retain(|place, it| last < it.ticket.position || committed.keeps(&place.0));
        recent.forgotten += 1;
    }

    pub(super) async fn lacking(&self, pipeline: &Pipeline) -> anyhow::Result<Option<(String, String)>> {
        if self.house.settings.ingest.approvals == settings::Approvals::Off {
            return Ok(None);
        }
        let mut kept = self.approvals.lock().await;
        let known = kept.as_ref().filter(|it| it.0.elapsed() < APPROVALS_FRESH).map(|it| it.1.clone());
        let approvals = match known {
            Some(known) => known,
            None => {
                let fresh = Arc::new(Approvals::read(&self.house, &self.input).await?);
                *kept = Some((Instant::now(), fresh.clone()));
                fresh
            }
        };
        Ok(approvals.covering(pipeline).err())
    }

    /// From the bytes of a request to its frame in the log; blocks.
    fn take(&self, admitted: &Admitted, parcel: &Parcel) -> Result<(String, Option<Arc<wal::Ticket>>), PushRefusal> {
        let name = &admitted.pipeline;
        let gone = || refused(PushRefusalKind::NoPipeline, "没有这条数据管道", "there is no such pipeline");
        let (pipeline, lane) = self.house.pushed_to(name).zip(self.house.lanes.get(name)).ok_or_else(gone)?;
        let body_hash = parcel.cargo.hash();
        // Without a key of its own an event is known again by its bytes, as a file is. A state may well come back to what
        // it was before, so there every request counts. What has a position in its source is known by that.
        let key_hash = match &parcel.key {
            _ if parcel.reached.is_some() => None,
            Some(key) => Some(::ingest::hash_bytes(format!("key:{key}").as_bytes())),
            None if !pipeline.is_event() => None,
            // A broker's messages under a contract that was mended are read for the first time: whoever reads them again
            // does so because of that.
            None if matches!(parcel.cargo, Cargo::Messages(_)) => {
                let contract = fingerprint(pipeline).map_err(|it| failed(&it))?;
                Some(::ingest::hash_bytes(format!("messages:{contract}:{body_hash}").as_bytes()))
            }
            None => Some(format!("body:{body_hash}")),
        };
        let place = key_hash.clone().map(|it| (name.clone(), admitted.device_group.clone(), it));
        // The store is asked before the turn is waited for: one request's disk is not everybody's.
        let stored = place.as_ref().map(|it| self.stored(it)).transpose().map_err(|it| failed(&it))?;
        let _one = lane.lock();
        if let Some((place, stored)) = place.as_ref().zip(stored)
            && let Some((before, answer, ticket)) = self.answered(place, stored).map_err(|it| failed(&it))?
        {
            if before != body_hash {
                return Err(refused(
                    PushRefusalKind::KeyReused,
                    "这个 Idempotency-Key 已用于另一份内容，请换一个",
                    "this Idempotency-Key was used for another body: take a new one",
                ));
            }
            let answer = if parcel.key.is_some() { answer } else { skipped(name, &answer) };
            return Ok((answer, ticket));
        }
        self.refuse_kept(name)?;
        let broker = of_broker(admitted, parcel);
        let flooded = broker.as_ref().and_then(|it| self.floods.lock().get(it)?.refusal(Instant::now()));
        if let Some(refusal) = flooded {
            return Err(refusal);
        }
        let now_us = self.house.known_us().map_err(|odd| {
            let (zh, en) = odd.words();
            refused(PushRefusalKind::Clock, zh, en)
        })?;
        let taken = self.through(pipeline, &parcel.cargo, now_us)?;
        self.house.known_until(taken.known_us);
        // A broker does not take its messages back: those that it gave go into the quarantine, and then its door closes.
        if !matches!(parcel.cargo, Cargo::Messages(_)) {
            self.refuse_flood(&taken)?;
        }
        let answer = answer(name, &taken);
        // A position is kept even if nothing came with it.
        if taken.counts.rows_in == 0 && parcel.reached.is_none() {
            return Ok((answer, None));
        }
        let Counts { rows_in, rows_kept, rows_quarantined, rows_skipped, rows_erased } = taken.counts;
        let note = Note {
            device_group: admitted.device_group.clone(),
            key_hash: key_hash.unwrap_or_default(),
            body_hash: body_hash.clone(),
            at_us: taken.known_us,
            answer: answer.clone(),
            counts: [rows_in, rows_kept, rows_quarantined, rows_skipped, rows_erased],
            days: taken.parts.iter().map(|it| it.day).collect(),
            is_given: self.house.fixed_now_us.is_some(),
            reached: parcel.reached.clone(),
        };
        let make = |position: i64| -> anyhow::Result<wal::Frame> {
            let mut batches = vec![under(&taken.rejects, PUSHED + position)?];
            for part in &taken.parts {
                batches.push(under(&part.batch, PUSHED + position)?);
            }
            Ok(wal::Frame { pipeline: name.clone(), note: serde_json::to_vec(&note)?, batches })
        };
        let ticket = self.log.append(make).map_err(|error| self.not_appended(&error))?;
        if let Some(broker) = broker {
            let limit = self.house.settings.stream.rejects_max;
            let now = Instant::now();
            let mut floods = self.floods.lock();
            let flood = floods.entry(broker).or_insert_with(|| Flood::new(now));
            flood.count((rows_in, rows_quarantined), &reasons(&taken), limit, now);
        }
        let bytes: u64 = taken.parts.iter().map(|it| it.batch.get_array_memory_size() as u64).sum();
        self.house.metrics.took(name, rows_in, bytes);
        let ticket = Arc::new(ticket);
        if let Some(place) = place {
            let recent = Recent { body_hash, answer: answer.clone(), ticket: ticket.clone() };
            self.recent.lock().by_key.insert(place, recent);
        }
        Ok((answer, Some(ticket)))
    }

    /// A request of nothing but bad rows is a sender that is wrong, not rows that are: it is told so, and the quarantine
    /// grows by so many rows a request and no more.
    fn refuse_flood(&self, taken: &Taken) -> Result<(), PushRefusal> {
        let (bad, limit) = (taken.counts.rows_quarantined, self.house.settings.stream.rejects_max);
        if bad <= limit {
            return Ok(());
        }
        let reasons = reasons(taken);
        Err(refused(
            PushRefusalKind::Bad,
            format!("{bad} 行不符合约定（{reasons}），超过 {limit} 行，整个请求未接收：请核对发送方的格式，或分批推送"),
            format!(
                "{bad} rows do not fit the contract ({reasons}), more than {limit}: nothing of the request was taken. Look at what \
                 the sender writes, or push it in parts"
            ),
        ))
    }

    /// Rows that no table takes, or none before those of files are in, may fill half of the log: the other half is for all
    /// others.
    fn refuse_kept(&self, pipeline: &str) -> Result<(), PushRefusal> {
        if self.log.held() < self.house.settings.stream.bytes_max.0 / 2 {
            return Ok(());
        }
        if self.house.is_waiting(pipeline) {
            self.filled.notify_one();
            return Err(refused(
                PushRefusalKind::Full,
                format!("{pipeline} 正有文件或回放在入库，推送的数据暂存日志，已占日志的一半；请稍后重试，其他来源照常"),
                format!(
                    "files or a replay of {pipeline} are coming in; what is pushed waits in the log and fills half of it: try again, \
                     other sources go on"
                ),
            ));
        }
        self.house.streams.stuck(pipeline).map_or(Ok(()), |it| Err(refused(PushRefusalKind::NotCommitted, it.zh, it.en)))
    }

    fn not_appended(&self, error: &anyhow::Error) -> PushRefusal {
        match error.downcast_ref::<wal::Error>() {
            Some(wal::Error::Full { .. }) => {
                self.filled.notify_one();
                refused(
                    PushRefusalKind::Full,
                    "日志已满，正在写入数据湖，请稍后重试",
                    "the log is full and is being written to the lake, try again",
                )
            }
            Some(wal::Error::TooLarge { .. }) => refused(
                PushRefusalKind::TooLarge,
                "内容大于整个日志（stream.bytes_max）：请分批推送，或调大这一项",
                "the body is larger than the whole log (stream.bytes_max): push it in parts, or raise that",
            ),
            _ => failed(error),
        }
    }

    fn through(&self, pipeline: &Pipeline, cargo: &Cargo, known_us: i64) -> Result<Taken, PushRefusal> {
        let vault = self.house.vault();
        let stream = &self.house.settings.stream;
        let usual = crate::ingest::limits(&self.house);
        let limits = match cargo {
            Cargo::Pushed(..) => Limits { rows_max: stream.rows_max, ..usual },
            Cargo::File { .. } => Limits { rows_max: stream.rows_max, file_bytes_max: stream.body_bytes_max.0, ..usual },
            // A broker's messages cannot be sent back to be cut into parts: their bytes are the bound.
            Cargo::Messages(_) => usual,
        };
        let known = match cargo {
            // What a source sends in its order it means in that order.
            Cargo::Messages(_) => KnownAt::InOrder(known_us),
            // A body is made by somebody: where rows say themselves when they changed, that is asked first, as of a file.
            Cargo::Pushed(..) if pipeline.contract.changed_at.is_empty() => KnownAt::InOrder(known_us),
            Cargo::Pushed(..) | Cargo::File { .. } => KnownAt::At(known_us),
        };
        let door = Door {
            pipeline,
            clock: self.house.clock(),
            persons: &self.persons,
            pseudonyms: &*vault,
            seal: &*vault,
            // Where rows are dated ahead of the machine's clock, what is late or of the future is told by the clock.
            now_us: known_us.min(self.house.now_us()),
            known,
            limits,
        };
        let file = FileInput { path: Path::new(""), file_no: 0, display: "push" };
        let taken = match cargo {
            Cargo::Pushed(form, body) => door.take_pushed(&file, *form, body),
            Cargo::File { path, name, .. } => door.take(&FileInput { path, file_no: 0, display: name }, &|_| {}),
            Cargo::Messages(messages) => door.take_messages(&file, messages),
        };
        taken.map_err(|error| match error {
            ::ingest::Error::TooLarge { limit, .. } => refused(
                PushRefusalKind::TooLarge,
                format!("事件数或数值超过 {limit}，请分批推送"),
                format!("more than {limit} of events or bytes of a value: push them in parts"),
            ),
            ::ingest::Error::Body { offset, .. } => refused(
                PushRefusalKind::Body,
                format!("内容不是所声明的格式（第 {offset} 字节处）"),
                format!("the body is not written as was said (at byte {offset})"),
            ),
            error if error.blame() == Blame::Caller => {
                let words = ::ingest::file_words(&error);
                refused(PushRefusalKind::Body, words.zh, words.en)
            }
            error => failed(&anyhow::Error::new(error)),
        })
    }

    /// What was answered under a key before: hash of the body, answer, and the frame if it may still be unsynced.
    ///
    /// An answer is in memory, or in the store, or in both: it is forgotten here once the store has it. So what the store
    /// did not have holds unless something was forgotten since.
    fn answered(&self, place: &KeyPlace, stored: Stored) -> anyhow::Result<Option<Answered>> {
        {
            let recent = self.recent.lock();
            if let Some(it) = recent.by_key.get(place) {
                return Ok(Some((it.body_hash.clone(), it.answer.clone(), Some(it.ticket.clone()))));
            }
            if stored.found.is_some() || stored.forgotten == recent.forgotten {
                return Ok(stored.found);
            }
        }
        Ok(self.stored(place)?.found)
    }

    /// What the store has under a key; blocks.
    fn stored(&self, place: &KeyPlace) -> anyhow::Result<Stored> {
        // Counted before: what leaves memory meanwhile may have come into the store behind the question.
        let forgotten = {
            let recent = self.recent.lock();
            if recent.by_key.contains_key(place) {
                return Ok(Stored { found: None, forgotten: recent.forgotten });
            }
            recent.forgotten
        };
        let pushes = self.house.store.pushes();
        let kept = Handle::current().block_on(pushes.answer(&place.0, &place.1, &place.2))?;
        Ok(Stored { found: kept.map(|it| (it.body_hash, it.answer, None)), forgotten })
    }

    /// The token of a hash, if it holds now. Requests that wait for a look at the same token share the next one: it began
    /// after each of them came, so a token that was taken back is refused at once, by whatever process that was done.
    async fn token(&self, hash: String) -> Result<Option<store::PushToken>, store::Error> {
        let came = Instant::now();
        let place = hash.bytes().fold(0_u8, |sum, it| sum.wrapping_mul(31).wrapping_add(it));
        let mut look = self.looks[usize::from(place) % LOOKS].lock().await;
        if let Some((began, of, found)) = look.as_ref()
            && came <= *began
            && *of == hash
        {
            return Ok(found.clone());
        }
        let began = Instant::now();
        let found = self.house.store.pushes().token(&hash, chrono::Utc::now().timestamp_micros()).await?;
        *look = Some((began, hash, found.clone()));
        Ok(found)
    }

    /// Takes a parcel, and answers once it survives.
    pub(super) async fn put(self: &Arc<Self>, admitted: Admitted, parcel: Arc<Parcel>) -> Result<String, PushRefusal> {
        let door = self.clone();
        let traced = traces::begin("door");
        traces::note(&traced, "yizhan.source", admitted.pipeline.clone());
        traces::note(&traced, "yizhan.door", door_name(&admitted, &parcel));
        let work = move || -> Result<String, PushRefusal> {
            let taken = door.take(&admitted, &parcel).and_then(|(answer, ticket)| {
                ticket.as_ref().map_or(Ok(()), |it| door.wait(it))?;
                Ok((answer, ticket.is_some()))
            });
            if matches!(taken, Ok((_, true))) {
                door.house.arrivals.note(&admitted.pipeline);
                // A commit takes what is synced: called any sooner it would find nothing.
                if door.house.settings.stream.commit_bytes.0 <= door.log.held() {
                    door.filled.notify_one();
                }
            }
            let answer = door.note(taken)?;
            wal::point::pass("answer.before");
            Ok(answer)
        };
        let answer = tokio::task::spawn_blocking(work).await.map_err(|it| failed(&it.into()))?;
        match &answer {
            Ok(answer) if traces::is_read(&traced) => {
                let answer: serde_json::Value = serde_json::from_str(answer).unwrap_or_default();
                let rows = answer["rows_in"].as_i64().unwrap_or_default();
                traces::note(&traced, "yizhan.rows", rows);
            }
            Ok(_) => {}
            Err(_) => traces::failed(&traced),
        }
        answer
    }

    /// Waits until the frame survives; one that does not is forgotten, so that the next try under its key is a new one.
    fn wait(&self, ticket: &Arc<wal::Ticket>) -> Result<(), PushRefusal> {
        self.log.wait(ticket).map_err(|error| {
            self.recent.lock().by_key.retain(|_, it| !Arc::ptr_eq(&it.ticket, ticket));
            failed(&anyhow::Error::new(error))
        })
    }

    /// Notes of the disk what an answer says.
    fn note(&self, answer: Result<(String, bool), PushRefusal>) -> Result<String, PushRefusal> {
        match &answer {
            Ok((_, true)) => self.house.streams.note_log(false),
            Err(refusal) if refusal.kind == PushRefusalKind::DiskFull => self.house.streams.note_log(true),
            // Neither says that there is room.
            Ok((_, false)) | Err(_) => {}
        }
        answer.map(|it| it.0)
    }
}

/// The doorstep as the server knows it.
#[derive(Clone)]
pub(crate) struct Pushing(pub(crate) Arc<Doorstep>);

#[async_trait]
impl Pushes for Pushing {
    async fn admit(&self, pipeline: &str, token: &str) -> Result<Admitted, PushRefusal> {
        let hash = ::ingest::hash_bytes(token.as_bytes());
        let found = self.0.token(hash).await.map_err(|it| failed(&it.into()))?;
        let Some(found) = found else {
            return Err(refused(
                PushRefusalKind::Token,
                "令牌缺失、过期或已收回：请用 yizhan token add 生成",
                "there is no such token, or it ended: make one with `yizhan token add`",
            ));
        };
        if !found.pipelines.iter().any(|it| it == pipeline) {
            let group = &found.device_group;
            return Err(refused(
                PushRefusalKind::NotGranted,
                format!("{group} 的令牌不可推送到 {pipeline}"),
                format!("the token of {group} is not for {pipeline}"),
            ));
        }
        let Some(contract) = self.0.house.pushed_to(pipeline) else {
            return Err(refused(
                PushRefusalKind::NoPipeline,
                format!("{pipeline} 的约定没有开放推送（push = true）"),
                format!("the contract of {pipeline} does not say push = true"),
            ));
        };
        if let Some((zh, en)) = self.0.lacking(contract).await.map_err(|it| failed(&it))?
            && contract.name() != approval::REGISTER
        {
            return Err(refused(PushRefusalKind::Approval, zh, en));
        }
        Ok(Admitted { pipeline: pipeline.to_owned(), device_group: found.device_group })
    }

    async fn push(&self, admitted: Admitted, push: Push) -> Result<String, PushRefusal> {
        let form = match push.form {
            PushForm::Json => ::ingest::PushForm::Json,
            PushForm::Lines => ::ingest::PushForm::Lines,
            PushForm::CloudEvents => ::ingest::PushForm::CloudEvents,
        };
        self.0.put(admitted, Arc::new(Parcel { cargo: Cargo::Pushed(form, push.body), key: push.key, reached: None })).await
    }

    fn doors(&self) -> Vec<StreamDoor> {
        self.0.board.told()
    }

    fn warnings(&self) -> Vec<PushWarning> {
        super::warnings(&self.0.house)
    }
}

/// Kind and name of a door, as the settings have them (`nats/gates`); which group of devices pushed is not told.
fn door_name(admitted: &Admitted, parcel: &Parcel) -> String {
    let named = |source: &str| source.split('/').take(2).collect::<Vec<_>>().join("/");
    match (&parcel.cargo, &parcel.reached) {
        (_, Some(reached)) => named(&reached.source),
        _ if admitted.device_group == store::DROP_GROUP => "drop".to_owned(),
        (Cargo::Messages(_), None) => named(&admitted.device_group),
        _ => "http".to_owned(),
    }
}

/// A hash of everything that a contract says.
fn fingerprint(pipeline: &Pipeline) -> anyhow::Result<String> {
    Ok(::ingest::hash_bytes(&serde_json::to_vec(pipeline)?))
}

/// How many rows were refused, by reason.
fn reasons(taken: &Taken) -> String {
    taken.reasons.iter().map(|(reason, n)| format!("{reason} {n}")).collect::<Vec<_>>().join(", ")
}

/// Pipeline and source of messages that wait at a broker while their door is closed. A database holds back its log for a
/// door, which may fill somebody else's disk, and a broker of MQTT drops what it has no room for: they are read on.
fn of_broker(admitted: &Admitted, parcel: &Parcel) -> Option<(String, String)> {
    let Admitted { pipeline, device_group } = admitted;
    let can_wait = !device_group.starts_with("postgres/") && !device_group.starts_with("mqtt ");
    (can_wait && matches!(parcel.cargo, Cargo::Messages(_))).then(|| (pipeline.clone(), device_group.clone()))
}

/// What the sender reads. Whose rows were dropped because they are of an erased person is nobody's business at a gate,
/// so these count as kept.
fn answer(pipeline: &str, taken: &Taken) -> String {
    let Counts { rows_in, rows_quarantined, rows_skipped, .. } = taken.counts;
    json!({
        "pipeline": pipeline, "rows_in": rows_in, "rows_kept": rows_in - rows_quarantined - rows_skipped,
        "rows_quarantined": rows_quarantined, "rows_skipped": rows_skipped, "reasons": taken.reasons,
    })
    .to_string()
}

/// The answer to events that came once more.
fn skipped(pipeline: &str, first: &str) -> String {
    let first: serde_json::Value = serde_json::from_str(first).unwrap_or_default();
    json!({
        "pipeline": pipeline, "rows_in": first["rows_in"], "rows_kept": 0, "rows_quarantined": 0,
        "rows_skipped": first["rows_in"], "reasons": {},
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Stage, contract, event, run};

    #[test]
    fn answers_that_another_commit_brought_into_the_store_are_forgotten_by_the_next_round() {
        run(|| async {
            let stage = Stage::new(&[("thing", contract("thing", "first").as_str())]);
            let opened = stage.open().await;
            let nothing = super::Committed::default();
            opened.push("thing", &[event(1, "a", 0)]).await;
            opened.door.forget(&nothing);
            assert_eq!(opened.door.recent.lock().by_key.len(), 1, "no table has the row yet");
            // As a tick does, which knows nothing of the door.
            crate::stream::commit(&opened.house).await.expect("committed");
            opened.door.forget(&nothing);
            assert_eq!(opened.door.recent.lock().by_key.len(), 0);
            // And the answer is the same as ever.
            let again = opened.push("thing", &[event(1, "a", 0)]).await;
            assert_eq!(again["rows_skipped"], 1, "{again}");
        });
    }

    #[test]
    fn an_answer_that_went_into_the_store_while_its_turn_was_waited_for_is_found() {
        run(|| async {
            let stage = Stage::new(&[("thing", contract("thing", "first").as_str())]);
            let opened = stage.open().await;
            opened.push("thing", &[event(1, "a", 0)]).await;
            let place = opened.door.recent.lock().by_key.keys().next().cloned().expect("an answer");
            let door = opened.door.clone();
            let ask = {
                let (door, place) = (door.clone(), place.clone());
                move || door.stored(&place).expect("readable")
            };
            // Asked while it was in memory: the store was not.
            let before = tokio::task::spawn_blocking(ask).await.expect("asked");
            assert!(before.found.is_none());
            crate::stream::commit(&opened.house).await.expect("committed");
            door.forget(&super::Committed::default());
            let found = tokio::task::spawn_blocking(move || door.answered(&place, before).expect("readable"));
            let (_, answer, ticket) = found.await.expect("asked").expect("the store has it");
            assert!(answer.contains("\"rows_kept\":1") && ticket.is_none(), "{answer}");
        });
    }

    #[test]
    fn a_token_is_looked_at_for_each_request_and_refused_once_it_was_taken_back() {
        run(|| async {
            let stage = Stage::new(&[("thing", contract("thing", "first").as_str())]);
            let opened = stage.open().await;
            let pushes = opened.house.store.pushes();
            let now_us = chrono::Utc::now().timestamp_micros();
            let token = store::PushToken {
                token_hash: "a".repeat(64),
                device_group: "gates".to_owned(),
                pipelines: vec!["thing".to_owned()],
                made_at_us: now_us,
                ends_at_us: now_us + 3_600_000_000,
                revoked_at_us: None,
            };
            pushes.add_token(&token).await.expect("kept");
            let ask = |hash: &str| opened.door.token(hash.to_owned());
            let hash = token.token_hash.as_str();
            let (one, another, other) = tokio::join!(ask(hash), ask(hash), ask(&"b".repeat(64)));
            assert_eq!((one.expect("readable"), another.expect("readable")), (Some(token.clone()), Some(token.clone())));
            assert_eq!(other.expect("readable"), None);
            assert_eq!(pushes.revoke("gates", now_us).await.expect("revoked"), 1);
            assert_eq!(ask(hash).await.expect("readable"), None);
        });
    }
}
