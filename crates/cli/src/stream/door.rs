//! The door for pushed events: who may, under which approval, through which contract, and what was answered before.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use ::ingest::{Counts, Door, FileInput, KnownAt, Limits, Persons, Taken};
use async_trait::async_trait;
use parking_lot::Mutex;
use schema::{Blame, Pipeline};
use serde_json::json;
use serve::{Admitted, Push, PushForm, PushRefusal, PushRefusalKind, Pushes};
use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::{Note, PUSHED, under};
use crate::approval::{self, Approvals};
use crate::house::House;
use crate::settings;

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

/// Takes what is pushed; shared by all requests.
pub(crate) struct Doorstep {
    house: Arc<House>,
    log: Arc<wal::Log>,
    input: PathBuf,
    persons: Persons,
    /// One request a pipeline at a time, so that what is known of a table never goes back in time.
    lanes: HashMap<String, Mutex<()>>,
    known_us: AtomicI64,
    recent: Mutex<HashMap<KeyPlace, Recent>>,
    approvals: tokio::sync::Mutex<Option<(Instant, Arc<Approvals>)>>,
    /// Says that the log is large enough for a commit.
    pub(super) filled: Notify,
}

fn refused(kind: PushRefusalKind, zh: impl Into<String>, en: impl Into<String>) -> PushRefusal {
    PushRefusal::new(kind, zh, en)
}

fn failed(error: &anyhow::Error) -> PushRefusal {
    tracing::error!(error = format!("{error:#}"), "pushed events");
    refused(PushRefusalKind::Failed, "未能保存，请稍后重试", "it could not be kept, try again later")
}

impl Doorstep {
    /// A doorstep over a house that holds the log.
    pub(crate) fn new(house: Arc<House>, input: PathBuf) -> anyhow::Result<Self> {
        let Some(log) = house.log.clone() else { anyhow::bail!("the log is not open for writing") };
        let lanes = house.project.pipelines.iter().map(|it| (it.name().to_owned(), Mutex::new(()))).collect();
        let persons = Persons::new(&house.settings.person)?;
        let mut known_us = 0;
        let mut recent = HashMap::new();
        for kept in log.tail() {
            let note = Note::of(&kept.frame)?;
            known_us = known_us.max(note.at_us);
            let place = (kept.frame.pipeline.clone(), note.device_group, note.key_hash);
            let ticket = Arc::new(wal::Ticket::durable(kept.position));
            recent.insert(place, Recent { body_hash: note.body_hash, answer: note.answer, ticket });
        }
        Ok(Self {
            house,
            log,
            input,
            persons,
            lanes,
            known_us: AtomicI64::new(known_us),
            recent: Mutex::new(recent),
            approvals: tokio::sync::Mutex::default(),
            filled: Notify::new(),
        })
    }

    /// Forgets answers whose frames the log has forgotten: the store has them.
    pub(super) fn forget(&self, up_to: i64) {
        self.recent.lock().retain(|_, it| up_to < it.ticket.position);
    }

    async fn lacking(&self, pipeline: &Pipeline) -> anyhow::Result<Option<(String, String)>> {
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
    fn take(&self, admitted: &Admitted, push: &Push) -> Result<(String, Option<Arc<wal::Ticket>>), PushRefusal> {
        let name = &admitted.pipeline;
        let gone = || refused(PushRefusalKind::NoPipeline, "没有这条数据管道", "there is no such pipeline");
        let (pipeline, lane) = self.house.pushed_to(name).zip(self.lanes.get(name)).ok_or_else(gone)?;
        let body_hash = ::ingest::hash_bytes(&push.body);
        // Without a key of its own an event is known again by its bytes, as a file is. A state may well come back to what
        // it was before, so there every request counts.
        let key_hash = match &push.key {
            Some(key) => Some(::ingest::hash_bytes(format!("key:{key}").as_bytes())),
            None => pipeline.is_event().then(|| format!("body:{body_hash}")),
        };
        let _one = lane.lock();
        let place = key_hash.clone().map(|it| (name.clone(), admitted.device_group.clone(), it));
        if let Some(place) = &place
            && let Some((before, answer, ticket)) = self.answered(place).map_err(|it| failed(&it))?
        {
            if before != body_hash {
                return Err(refused(
                    PushRefusalKind::KeyReused,
                    "这个 Idempotency-Key 已用于另一份内容，请换一个",
                    "this Idempotency-Key was used for another body: take a new one",
                ));
            }
            let answer = if push.key.is_some() { answer } else { skipped(name, &answer) };
            return Ok((answer, ticket));
        }
        let now_us = self.house.now_us().max(self.known_us.load(Ordering::Relaxed));
        self.known_us.fetch_max(now_us, Ordering::Relaxed);
        let taken = self.through(pipeline, push, now_us)?;
        let answer = answer(name, &taken);
        if taken.counts.rows_in == 0 {
            return Ok((answer, None));
        }
        let Counts { rows_in, rows_kept, rows_quarantined, rows_skipped, rows_erased } = taken.counts;
        let note = Note {
            device_group: admitted.device_group.clone(),
            key_hash: key_hash.unwrap_or_default(),
            body_hash: body_hash.clone(),
            at_us: now_us,
            answer: answer.clone(),
            counts: [rows_in, rows_kept, rows_quarantined, rows_skipped, rows_erased],
            days: taken.parts.iter().map(|it| it.day).collect(),
        };
        let make = |position: i64| -> anyhow::Result<wal::Frame> {
            let mut batches = vec![under(&taken.rejects, PUSHED + position)?];
            for part in &taken.parts {
                batches.push(under(&part.batch, PUSHED + position)?);
            }
            Ok(wal::Frame { pipeline: name.clone(), note: serde_json::to_vec(&note)?, batches })
        };
        let ticket = self.log.append(make).map_err(|error| self.not_appended(&error))?;
        let bytes: u64 = taken.parts.iter().map(|it| it.batch.get_array_memory_size() as u64).sum();
        self.house.metrics.took(name, rows_in, bytes);
        let ticket = Arc::new(ticket);
        if let Some(place) = place {
            let recent = Recent { body_hash, answer: answer.clone(), ticket: ticket.clone() };
            self.recent.lock().insert(place, recent);
        }
        if self.house.settings.stream.commit_bytes.0 <= self.log.held() {
            self.filled.notify_one();
        }
        Ok((answer, Some(ticket)))
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
            Some(wal::Error::TooLarge { .. }) => {
                refused(PushRefusalKind::TooLarge, "内容过大，请分批推送", "the body is too large: push it in parts")
            }
            _ => failed(error),
        }
    }

    fn through(&self, pipeline: &Pipeline, push: &Push, now_us: i64) -> Result<Taken, PushRefusal> {
        let vault = self.house.vault();
        let door = Door {
            pipeline,
            clock: self.house.clock(),
            persons: &self.persons,
            pseudonyms: &*vault,
            seal: &*vault,
            now_us,
            known: KnownAt::At(now_us),
            limits: Limits { rows_max: self.house.settings.stream.rows_max, ..crate::ingest::limits(&self.house) },
        };
        let form = match push.form {
            PushForm::Json => ::ingest::PushForm::Json,
            PushForm::Lines => ::ingest::PushForm::Lines,
            PushForm::CloudEvents => ::ingest::PushForm::CloudEvents,
        };
        let file = FileInput { path: Path::new(""), file_no: 0, display: "push" };
        door.take_pushed(&file, form, &push.body).map_err(|error| match error {
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
            error if error.blame() == Blame::Caller => refused(PushRefusalKind::Body, "内容无法接收", crate::exit::chain(&error)),
            error => failed(&anyhow::Error::new(error)),
        })
    }

    /// What was answered under a key before: hash of the body, answer, and the frame if it may still be unsynced.
    fn answered(&self, place: &KeyPlace) -> anyhow::Result<Option<Answered>> {
        if let Some(it) = self.recent.lock().get(place) {
            return Ok(Some((it.body_hash.clone(), it.answer.clone(), Some(it.ticket.clone()))));
        }
        let pushes = self.house.store.pushes();
        let kept = Handle::current().block_on(pushes.answer(&place.0, &place.1, &place.2))?;
        Ok(kept.map(|it| (it.body_hash, it.answer, None)))
    }

    /// Waits until the frame survives; one that does not is forgotten, so that the next try under its key is a new one.
    fn wait(&self, ticket: &Arc<wal::Ticket>) -> Result<(), PushRefusal> {
        self.log.wait(ticket).map_err(|error| {
            self.recent.lock().retain(|_, it| !Arc::ptr_eq(&it.ticket, ticket));
            failed(&anyhow::Error::new(error))
        })
    }
}

/// The doorstep as the server knows it.
#[derive(Clone)]
pub(crate) struct Pushing(pub(crate) Arc<Doorstep>);

#[async_trait]
impl Pushes for Pushing {
    async fn admit(&self, pipeline: &str, token: &str) -> Result<Admitted, PushRefusal> {
        let now_us = chrono::Utc::now().timestamp_micros();
        let hash = ::ingest::hash_bytes(token.as_bytes());
        let found = self.0.house.store.pushes().token(&hash, now_us).await.map_err(|it| failed(&it.into()))?;
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
        let door = self.0.clone();
        let work = move || -> Result<String, PushRefusal> {
            let (answer, ticket) = door.take(&admitted, &push)?;
            if let Some(ticket) = ticket {
                door.wait(&ticket)?;
            }
            wal::point::pass("answer.before");
            Ok(answer)
        };
        tokio::task::spawn_blocking(work).await.map_err(|it| failed(&it.into()))?
    }
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
