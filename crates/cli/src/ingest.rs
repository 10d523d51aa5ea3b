//! Takes files through the door into the lake, exactly once, whatever happens in between.
//!
//! Order of writing, so that a crash between any two lines repairs itself: number the file, mint keys, count its rows,
//! commit the rejects, commit the rows with the file's number as position, note that it landed. Whoever comes after a
//! crash asks the lake for the position and goes on behind it.

use std::cmp::Ordering;
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::atomic::{self, AtomicUsize};
use std::sync::{Arc, mpsc};
use std::time::{Instant, UNIX_EPOCH};

use ::ingest::{Counts, Door, FileInput, KnownAt, Limits, Part, Persons, Taken};
use anyhow::Context;
use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, UInt32Array, make_comparator};
use arrow::compute::{concat_batches, filter_record_batch, take_record_batch};
use arrow::datatypes::Int64Type;
use lake::{Commit, TableSpec};
use schema::{Pipeline, quarantine_schema, raw_schema, raw_sort};
use serde::Serialize;
use store::{FileState, LoadState, Numbered};

use crate::approval::{self, Approvals};
use crate::house::House;
use crate::progress::Bars;
use crate::settings;

pub(crate) const QUARANTINE: &str = "ops_quarantine";

/// Facts of the platform that are read at once.
const FACTS_A_PAGE: usize = 500;

/// What became of one pipeline's files.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Report {
    pub(crate) pipeline: String,
    pub(crate) table: String,
    pub(crate) rows_in: u64,
    pub(crate) rows_kept: u64,
    pub(crate) rows_quarantined: u64,
    pub(crate) rows_skipped: u64,
    pub(crate) rows_erased: u64,
    pub(crate) seconds: f64,
    pub(crate) files: usize,
    pub(crate) reasons: BTreeMap<String, u64>,
    /// Numbers that a register gives to one person and the vault to another.
    pub(crate) unlinked: u64,
    /// What was refused whole, and why: a file, or all files of a source whose use is not approved.
    pub(crate) refused: Vec<String>,
    /// Sources that did not answer, and why: the next run asks again.
    pub(crate) unreached: Vec<String>,
}

/// What to take in.
pub(crate) struct Request<'a> {
    pub(crate) pipelines: &'a [String],
    pub(crate) input: &'a Path,
    /// Dates rows as the contract's usual delay says, as a first load does.
    pub(crate) is_backfill: bool,
}

/// Takes in what is new, pipeline by pipeline.
pub(crate) async fn ingest(house: &House, request: &Request<'_>, bars: &Bars) -> anyhow::Result<Vec<Report>> {
    refuse_unknown(house, request.pipelines)?;
    if !request.input.is_dir() {
        anyhow::bail!(crate::exit::Caller(format!(
            "there is no input folder {}: put the exports there or name it with --input",
            request.input.display()
        )));
    }
    // What was pushed came before whatever is taken now; a table that does not take it keeps no other waiting.
    let stuck = crate::stream::commit(house).await?.stuck;
    let persons = Persons::new(&house.settings.person)?;
    let is_named = |it: &Pipeline| request.pipelines.iter().any(|name| name == it.name());
    let mut reports: Vec<Report> = stuck
        .into_iter()
        .map(|it| Report {
            table: format!("raw_{}", it.pipeline),
            refused: vec![it.words()],
            pipeline: it.pipeline,
            ..Report::default()
        })
        .collect();
    // A pipeline without files is silent unless it was asked for.
    let speaks = |it: &Report, is_named: bool| 0 < it.files || !it.refused.is_empty() || !it.unreached.is_empty() || is_named;
    let approvals = match house.settings.ingest.approvals {
        settings::Approvals::Off => None,
        settings::Approvals::Required => {
            // Before all others, whoever is asked for: what was approved an hour ago counts now.
            if let Some(register) = house.project.pipelines.iter().find(|it| it.name() == approval::REGISTER) {
                let report = one(house, register, &persons, request, bars, None).await?;
                noted(house, &report);
                reports.extend(Some(report).filter(|it| speaks(it, is_named(register))));
            }
            Some(Approvals::read(house, request.input).await?)
        }
    };
    // Whose a card is must be known before its payments come in.
    let (registers, others): (Vec<_>, Vec<_>) = house.project.pipelines.iter().partition(|it| it.has_identifiers());
    for pipeline in registers.into_iter().chain(others) {
        let is_taken = approvals.is_some() && pipeline.name() == approval::REGISTER;
        if !is_taken && (request.pipelines.is_empty() || is_named(pipeline)) {
            let report = one(house, pipeline, &persons, request, bars, approvals.as_ref()).await?;
            noted(house, &report);
            reports.extend(Some(report).filter(|it| speaks(it, is_named(pipeline))));
        }
    }
    Ok(reports)
}

/// Remembers what a source failed at, until a run in which it fails no more.
fn noted(house: &House, report: &Report) {
    let failure = |zh: String, en: String, todo_zh: &str, todo_en: &str| serve::Failure {
        since_us: chrono::Utc::now().timestamp_micros(),
        zh,
        en,
        todo_zh: todo_zh.to_owned(),
        todo_en: todo_en.to_owned(),
    };
    let name = &report.pipeline;
    if !report.refused.is_empty() {
        // Why may quote a cell: that is for whoever runs the ingest, not for a page of operators.
        let (todo_zh, todo_en) = (
            "原因见 yizhan ingest 的输出；修正文件、约定或审批后再次运行",
            "see what `yizhan ingest` says; mend file, contract or approval and run again",
        );
        house.metrics.failed(name, failure("有文件整份被拒".to_owned(), "a file was refused whole".to_owned(), todo_zh, todo_en));
    } else if let Some(why) = report.unreached.first() {
        let (todo_zh, todo_en) =
            ("检查来源数据库与网络；下一次运行会补取", "look at the source's database and the network; the next run catches up");
        house
            .metrics
            .failed(name, failure(format!("来源未应答：{why}"), format!("the source did not answer: {why}"), todo_zh, todo_en));
    } else if house.streams.stuck(name).is_none() {
        house.metrics.mended(name);
    }
}

/// Refuses a name that no pipeline has.
pub(crate) fn refuse_unknown(house: &House, names: &[String]) -> anyhow::Result<()> {
    let known: Vec<&str> = house.project.pipelines.iter().map(Pipeline::name).collect();
    for name in names {
        if !known.contains(&name.as_str()) {
            let hint = schema::nearest(name, known.iter().copied()).map(|it| format!("; did you mean \"{it}\"?"));
            anyhow::bail!(crate::exit::Caller(format!("there is no pipeline \"{name}\"{}", hint.unwrap_or_default())));
        }
    }
    Ok(())
}

struct Waiting {
    file_no: i64,
    path: PathBuf,
    display: String,
    bytes: u64,
    /// What a database gave; a file is read when its turn comes.
    content: Option<Vec<u8>>,
}

async fn one(
    house: &House,
    pipeline: &Pipeline,
    persons: &Persons,
    request: &Request<'_>,
    bars: &Bars,
    approvals: Option<&Approvals>,
) -> anyhow::Result<Report> {
    let began = Instant::now();
    let name = pipeline.name();
    let mut report = Report { pipeline: name.to_owned(), table: pipeline.raw_table(), ..Report::default() };
    let position = house.lake.position(&pipeline.raw_table(), name).await?;
    if let Some(position) = position {
        // Repairs a crash between the commit and the note of it.
        house.store.files().land(name, position).await?;
    }
    // The platform's own facts come from nobody who could be asked for their use.
    let approvals = approvals.filter(|_| pipeline.topic().is_none());
    if let Some(lack) = approvals.filter(|_| pipeline.is_database()).and_then(|it| it.lacking(pipeline)) {
        // A database is not even asked.
        report.refused.push(lack);
        report.seconds = began.elapsed().as_secs_f64();
        return Ok(report);
    }
    let found = match (pipeline.topic(), pipeline.is_database()) {
        (Some(topic), _) => facts(house, pipeline, topic).await,
        (None, true) => pulled(house, pipeline).await,
        (None, false) => candidates(house, pipeline, request.input).await,
    };
    let candidates = match found {
        // A database that does not answer keeps no other source waiting.
        Err(error) if pipeline.is_database() && error.is::<::ingest::Error>() => {
            let message = crate::exit::chain(error.as_ref());
            match crate::exit::code(&error) {
                crate::exit::LATER => report.unreached.push(message),
                _ => report.refused.push(message),
            }
            report.seconds = began.elapsed().as_secs_f64();
            return Ok(report);
        }
        found => found?,
    };
    if let Some(lack) = approvals.and_then(|it| it.lacking(pipeline)) {
        // Nothing is noted of the files, so that the first run under an approval finds them as new as they are now.
        if has_news(house, pipeline, &candidates).await? {
            report.refused.push(lack);
        }
        report.seconds = began.elapsed().as_secs_f64();
        return Ok(report);
    }
    let waiting = waiting(house, pipeline, candidates, &mut report).await?;
    if waiting.is_empty() {
        report.seconds = began.elapsed().as_secs_f64();
        return Ok(report);
    }
    if let Some(odd) = house.leapt_clock() {
        let (zh, en) = odd.words();
        report.refused.push(format!("{zh} / {en}"));
        report.seconds = began.elapsed().as_secs_f64();
        return Ok(report);
    }
    // Held until the files are in.
    let meeting = match crate::stream::meet(house, pipeline).await? {
        Ok(meeting) => meeting,
        // The commit before all files has told it.
        Err(_) => return Ok(report),
    };
    if let Err(error) = crate::reshape::fit(house, pipeline).await {
        if crate::exit::code(&error) != 2 {
            return Err(error);
        }
        report.refused.push(format!("{error:#}"));
        return Ok(report);
    }
    let now_us = meeting.known_us;
    let first = house.store.loads().first_load(name).await?;
    // Whoever gets events pushed knows them from then on: their first file is no history.
    let is_pushed = house.lake.position(&pipeline.raw_table(), crate::stream::LOG_APP).await?.is_some();
    let is_first = !is_pushed && !matches!(first, LoadState::Done { .. });
    if matches!(first, LoadState::NotBegun) {
        house.store.loads().begin(name, now_us).await?;
    }
    // When the platform knew of its own facts needs no assumption.
    let is_assumed = (is_first || request.is_backfill) && pipeline.topic().is_none();
    let known = if is_assumed { KnownAt::Assumed } else { KnownAt::At(now_us) };
    let bar = bars.bytes(name, waiting.iter().map(|it| it.bytes).sum());
    let vault = house.vault();
    let limits = limits(house);
    let job = Arc::new(Job {
        pipeline: pipeline.clone(),
        persons: persons.clone(),
        vault,
        limits,
        known,
        // Where rows are dated ahead of the machine's clock, what is late or of the future is told by the clock.
        now_us: now_us.min(house.now_us()),
        clock: house.clock(),
        waiting,
        next: AtomicUsize::new(0),
    });
    let threads = crate::settings::Settings::cores(house.settings.ingest.threads).min(job.waiting.len());
    let (sender, receiver) = mpsc::sync_channel::<(usize, Result<Taken, ::ingest::Error>)>(threads);
    for _ in 0..threads {
        let (job, sender, bar) = (job.clone(), sender.clone(), bar.clone());
        std::thread::spawn(move || job.work(&sender, &|bytes| bar.inc(bytes)));
    }
    drop(sender);
    // Files come back in any order and are committed in the order of their numbers.
    let mut early: BTreeMap<usize, Result<Taken, ::ingest::Error>> = BTreeMap::new();
    let mut group: Vec<(i64, Taken)> = Vec::new();
    let mut rows = 0;
    // While a group is written the next one is read; it is committed before the next is written.
    let mut written: Option<Written> = None;
    let mut receiver = Some(receiver);
    for (place, file) in job.waiting.iter().enumerate() {
        let taken = loop {
            if let Some(taken) = early.remove(&place) {
                break taken;
            }
            let Some(channel) = receiver.take() else { anyhow::bail!("a reader of files stopped early") };
            let (channel, message) = tokio::task::spawn_blocking(move || {
                let message = channel.recv();
                (channel, message)
            })
            .await?;
            receiver = Some(channel);
            let (at, taken) = message.context("a reader of files stopped early")?;
            early.insert(at, taken);
        };
        match taken {
            Ok(taken) => {
                rows += taken.counts.rows_in;
                let bytes: u64 = taken.parts.iter().map(|it| it.batch.get_array_memory_size() as u64).sum();
                house.metrics.took(name, taken.counts.rows_in, bytes);
                group.push((file.file_no, taken));
                if house.settings.ingest.commit_rows <= rows {
                    if let Some(written) = written.take() {
                        written.commit(house, pipeline, &mut report).await?;
                    }
                    written = Written::begin(house, pipeline, std::mem::take(&mut group), now_us);
                    rows = 0;
                }
            }
            Err(error) if error.blame() == schema::Blame::Caller => {
                let message = crate::exit::chain(&error);
                house.store.files().refuse(name, file.file_no, &message, chrono::Utc::now().timestamp_micros()).await?;
                report.refused.push(message);
            }
            Err(error) => return Err(error.into()),
        }
    }
    for written in [written, Written::begin(house, pipeline, group, now_us)].into_iter().flatten() {
        written.commit(house, pipeline, &mut report).await?;
    }
    if is_first && report.refused.is_empty() {
        house.store.loads().end(name, now_us).await?;
    }
    bar.finish_and_clear();
    report.seconds = began.elapsed().as_secs_f64();
    Ok(report)
}

/// What a file may cost, as the settings say.
pub(crate) fn limits(house: &House) -> Limits {
    Limits {
        file_bytes_max: house.settings.ingest.file_bytes_max.0,
        field_bytes_max: house.settings.ingest.field_bytes_max.0,
        rows_max: house.settings.ingest.rows_max,
    }
}

/// A file that is not known by name, size and time.
struct Candidate {
    path: PathBuf,
    display: String,
    size: i64,
    modified_us: i64,
    content: Option<Vec<u8>>,
}

/// Name, size and time of a file, by which the register knows it again.
pub(crate) fn looks(input: &Path, path: &Path) -> anyhow::Result<(String, i64, i64)> {
    let meta = path.metadata().with_context(|| format!("could not look at {}", path.display()))?;
    let display = path.strip_prefix(input).unwrap_or(path).to_string_lossy().into_owned();
    let size = i64::try_from(meta.len()).unwrap_or(i64::MAX);
    let modified = meta.modified().ok().and_then(|it| it.duration_since(UNIX_EPOCH).ok());
    Ok((display, size, modified.map_or(0, |it| i64::try_from(it.as_micros()).unwrap_or(0))))
}

/// Files of a pipeline that have not landed, as far as their names, sizes and times say.
async fn candidates(house: &House, pipeline: &Pipeline, input: &Path) -> anyhow::Result<Vec<Candidate>> {
    let register = house.store.files();
    let mut candidates = Vec::new();
    for path in ::ingest::files(input, &pipeline.pipeline.source.path)? {
        let (display, size, modified_us) = looks(input, &path)?;
        let seen = register.known(pipeline.name(), &display, size, modified_us).await?;
        if seen.is_none_or(|it| it.state != FileState::Landed) {
            candidates.push(Candidate { path, display, size, modified_us, content: None });
        }
    }
    Ok(candidates)
}

/// What a database has that is new: the rows since the watermark of the last pull that landed, and its overlap.
///
/// The watermark stands in the name under which the pull is registered, so it moves with the rows and never without them:
/// a pull that did not land is made again.
///
/// One whose address no variable holds comes by replication only.
async fn pulled(house: &House, pipeline: &Pipeline) -> anyhow::Result<Vec<Candidate>> {
    if pipeline.pipeline.source.url_env.is_none() {
        return Ok(Vec::new());
    }
    let entries = house.store.files().list(Some(pipeline.name())).await?;
    let landed = entries.iter().filter(|it| it.state == FileState::Landed).max_by_key(|it| it.file_no);
    let high = landed.and_then(|it| it.path.split_once('@')).map(|it| it.1.to_owned()).filter(|it| !it.is_empty());
    let url = ::ingest::database_url(pipeline)?;
    let pulled = ::ingest::pull(pipeline, &url, high.as_deref(), &limits(house)).await?;
    if pulled.rows == 0 {
        return Ok(Vec::new());
    }
    let display = format!("database@{}", pulled.high.or(high).unwrap_or_default());
    let size = i64::try_from(pulled.bytes.len()).unwrap_or(i64::MAX);
    Ok(vec![Candidate { path: PathBuf::from(&display), display, size, modified_us: 0, content: Some(pulled.bytes) }])
}

/// Facts of the platform itself since those that landed last.
///
/// As with a database the position stands in the name under which they are registered, and so moves with the rows in one
/// commit. The store forgets what has landed when it is asked the next time, so a crash in between loses nothing.
async fn facts(house: &House, pipeline: &Pipeline, topic: &str) -> anyhow::Result<Vec<Candidate>> {
    let entries = house.store.files().list(Some(pipeline.name())).await?;
    let landed = entries.iter().filter(|it| it.state == FileState::Landed).max_by_key(|it| it.file_no);
    let position = landed.and_then(|it| it.path.split_once('@')).map_or(Ok(0), |it| it.1.parse::<i64>());
    let position = position.with_context(|| format!("the register of files has no position of {}", pipeline.name()))?;
    let cases = house.store.cases();
    cases.forget_facts(topic, position).await?;
    let (mut bytes, mut last) = (Vec::new(), position);
    // As much as a file may hold; what is left comes with the next run.
    while (bytes.len() as u64) < house.settings.ingest.file_bytes_max.0 / 2 {
        let page = cases.outbox(topic, last, FACTS_A_PAGE).await?;
        let Some(end) = page.last() else { break };
        last = end.seq;
        for fact in &page {
            bytes.extend_from_slice(fact.body.as_bytes());
            bytes.push(b'\n');
        }
    }
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let display = format!("outbox@{last}");
    let size = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
    Ok(vec![Candidate { path: PathBuf::from(&display), display, size, modified_us: 0, content: Some(bytes) }])
}

/// Whether a content is among the files that never landed; numbers none.
async fn has_news(house: &House, pipeline: &Pipeline, candidates: &[Candidate]) -> anyhow::Result<bool> {
    if candidates.is_empty() {
        return Ok(false);
    }
    let threads = crate::settings::Settings::cores(house.settings.ingest.threads);
    let hashes = tokio::task::block_in_place(|| hashes(candidates, threads))?;
    let entries = house.store.files().list(Some(pipeline.name())).await?;
    let is_landed = |hash: &String| entries.iter().any(|it| it.state == FileState::Landed && it.content_hash == *hash);
    Ok(!hashes.iter().all(is_landed))
}

/// Files that have not landed, numbered in the order of their names.
async fn waiting(
    house: &House,
    pipeline: &Pipeline,
    candidates: Vec<Candidate>,
    report: &mut Report,
) -> anyhow::Result<Vec<Waiting>> {
    let register = house.store.files();
    let name = pipeline.name();
    let threads = crate::settings::Settings::cores(house.settings.ingest.threads);
    let hashes = tokio::task::block_in_place(|| hashes(&candidates, threads))?;
    let mut waiting: BTreeMap<i64, Waiting> = BTreeMap::new();
    for (it, hash) in candidates.into_iter().zip(hashes) {
        match register.number(name, &it.display, it.size, it.modified_us, &hash).await? {
            Numbered::New(entry) => {
                let bytes = it.size.unsigned_abs();
                let it = Waiting { file_no: entry.file_no, path: it.path, display: it.display, bytes, content: it.content };
                if waiting.insert(entry.file_no, it).is_some() {
                    // The same content twice under two names: the second is passed over whole.
                    report.rows_skipped += entry.counts.rows_in.unsigned_abs();
                }
            }
            Numbered::Again(entry) => {
                let n = entry.counts.rows_in.unsigned_abs();
                report.rows_in += n;
                report.rows_skipped += n;
                report.files += 1;
            }
        }
    }
    Ok(waiting.into_values().collect())
}

/// Hashes of the files' contents, in their order.
fn hashes(files: &[Candidate], threads: usize) -> anyhow::Result<Vec<String>> {
    let share = files.len().div_ceil(threads.max(1)).max(1);
    std::thread::scope(|scope| {
        let hash = |files: &[Candidate]| {
            files
                .iter()
                .map(|it| match &it.content {
                    Some(bytes) => Ok(::ingest::hash_bytes(bytes)),
                    None => Ok(::ingest::hash_file(&it.path)?),
                })
                .collect()
        };
        let workers: Vec<_> =
            files.chunks(share).map(|part| scope.spawn(move || -> anyhow::Result<Vec<String>> { hash(part) })).collect();
        let mut all = Vec::with_capacity(files.len());
        for worker in workers {
            all.extend(worker.join().map_err(|_| anyhow::anyhow!("a reader of files stopped early"))??);
        }
        Ok(all)
    })
}

struct Job {
    pipeline: Pipeline,
    persons: Persons,
    vault: Arc<store::Vault>,
    limits: Limits,
    known: KnownAt,
    now_us: i64,
    clock: schema::time::CampusClock,
    waiting: Vec<Waiting>,
    next: AtomicUsize,
}

impl Job {
    fn work(&self, sender: &mpsc::SyncSender<(usize, Result<Taken, ::ingest::Error>)>, progress: &(dyn Fn(u64) + Sync)) {
        let door = Door {
            pipeline: &self.pipeline,
            clock: self.clock.clone(),
            persons: &self.persons,
            pseudonyms: &*self.vault,
            seal: &*self.vault,
            now_us: self.now_us,
            known: self.known,
            limits: self.limits,
        };
        loop {
            let place = self.next.fetch_add(1, atomic::Ordering::Relaxed);
            let Some(file) = self.waiting.get(place) else { return };
            let input = FileInput { path: &file.path, file_no: file.file_no, display: &file.display };
            let taken = match &file.content {
                Some(bytes) => door.take_bytes(&input, bytes),
                None => door.take(&input, progress),
            };
            if sender.send((place, taken)).is_err() {
                return;
            }
        }
    }
}

/// A group of files on its way to disk, not yet part of any table.
struct Written {
    last_no: i64,
    known_us: i64,
    counts: Vec<(i64, Counts)>,
    reasons: BTreeMap<String, u64>,
    unlinked: u64,
    rejects: Vec<RecordBatch>,
    files: tokio::task::JoinHandle<anyhow::Result<Vec<lake::StagedFile>>>,
}

impl Written {
    /// Begins to write the rows of a group; `None` if it has no files.
    fn begin(house: &House, pipeline: &Pipeline, group: Vec<(i64, Taken)>, known_us: i64) -> Option<Self> {
        let last_no = group.last()?.0;
        let mut days: BTreeMap<Option<i32>, Vec<RecordBatch>> = BTreeMap::new();
        let (mut counts, mut rejects, mut reasons) = (Vec::new(), Vec::new(), BTreeMap::new());
        let mut unlinked = 0;
        for (file_no, taken) in group {
            debug_assert!(file_no <= last_no);
            counts.push((file_no, taken.counts));
            rejects.push(taken.rejects);
            unlinked += taken.unlinked;
            for (reason, n) in taken.reasons {
                *reasons.entry(reason).or_insert(0) += n;
            }
            for Part { day, batch } in taken.parts {
                days.entry(day).or_default().push(batch);
            }
        }
        let writer = house.lake.writer(&raw_spec(pipeline));
        let sort_by = raw_sort(pipeline);
        // Days are written side by side: compression is most of the work.
        let threads = crate::settings::Settings::cores(house.settings.ingest.threads);
        let files = tokio::task::spawn_blocking(move || write_days(&writer, days, &sort_by, threads));
        Some(Self { last_no, known_us, counts, reasons, unlinked, rejects, files })
    }

    /// Counts the files, then commits rejects, then rows with the last file's number as position.
    async fn commit(self, house: &House, pipeline: &Pipeline, report: &mut Report) -> anyhow::Result<()> {
        let (name, last_no) = (pipeline.name(), self.last_no);
        let register = house.store.files();
        for (file_no, Counts { rows_in, rows_kept, rows_quarantined, rows_skipped, rows_erased }) in self.counts {
            let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
            let counts = store::Counts {
                rows_in: signed(rows_in),
                rows_kept: signed(rows_kept),
                rows_quarantined: signed(rows_quarantined),
                rows_skipped: signed(rows_skipped),
                rows_erased: signed(rows_erased),
            };
            register.count(name, file_no, counts).await?;
            report.files += 1;
            report.rows_in += rows_in;
            report.rows_kept += rows_kept;
            report.rows_quarantined += rows_quarantined;
            report.rows_skipped += rows_skipped;
            report.rows_erased += rows_erased;
        }
        report.unlinked += self.unlinked;
        for (reason, n) in self.reasons {
            *report.reasons.entry(reason).or_insert(0) += n;
        }
        quarantine(house, name, last_no, &self.rejects).await?;
        let files = self.files.await??;
        let info = crate::known::noted(self.known_us, house.fixed_now_us.is_some());
        let commit = Commit { position: Some((name.to_owned(), last_no)), info, data_change: true };
        house.lake.append(&raw_spec(pipeline), files, commit).await?;
        register.land(name, last_no).await?;
        Ok(())
    }
}

pub(crate) fn write_days(
    writer: &lake::TableWriter,
    days: BTreeMap<Option<i32>, Vec<RecordBatch>>,
    sort_by: &[String],
    threads: usize,
) -> anyhow::Result<Vec<lake::StagedFile>> {
    let queue = std::sync::Mutex::new(days.into_iter().collect::<VecDeque<_>>());
    let results = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.max(1))
            .map(|_| {
                scope.spawn(|| -> anyhow::Result<Vec<lake::StagedFile>> {
                    let mut files = Vec::new();
                    loop {
                        let next = queue.lock().map_err(|_| anyhow::anyhow!("a writer of files stopped early"))?.pop_front();
                        let Some((day, batches)) = next else { return Ok(files) };
                        let batch = merged(&batches, sort_by)?;
                        if 0 < batch.num_rows() {
                            files.push(writer.write(day, &[batch])?);
                        }
                    }
                })
            })
            .collect();
        workers.into_iter().map(std::thread::ScopedJoinHandle::join).collect::<Vec<_>>()
    });
    let mut files = Vec::new();
    for result in results {
        files.extend(result.map_err(|_| anyhow::anyhow!("a writer of files stopped early"))??);
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// Rows of one day from several files, in one order.
///
/// Each batch is in order already, so a stable sort finds the runs and merely merges them. The door hands rows of nobody
/// over first, and the lake keeps them last: a batch with such rows is sorted even if it is the only one.
pub(crate) fn merged(batches: &[RecordBatch], sort_by: &[String]) -> anyhow::Result<RecordBatch> {
    let Some(first) = batches.first() else { anyhow::bail!("a day without rows") };
    let has_no_empty = || sort_by.iter().filter_map(|it| first.column_by_name(it)).all(|it| it.null_count() == 0);
    if batches.len() == 1 && has_no_empty() {
        return Ok(first.clone());
    }
    let all = concat_batches(&first.schema(), batches)?;
    let columns = sort_by.iter().filter_map(|it| all.column_by_name(it));
    let columns = columns.map(|it| make_comparator(it, it, lake::ASCENDING)).collect::<Result<Vec<_>, _>>()?;
    let mut places: Vec<u32> = (0..u32::try_from(all.num_rows())?).collect();
    places.sort_by(|a, b| {
        let (a, b) = (*a as usize, *b as usize);
        columns.iter().map(|compare| compare(a, b)).find(|it| it.is_ne()).unwrap_or(Ordering::Equal)
    });
    Ok(take_record_batch(&all, &UInt32Array::from(places))?)
}

/// Commits rejected rows under a position of their own; those that a crashed run committed already are left out.
async fn quarantine(house: &House, name: &str, last_no: i64, rejects: &[RecordBatch]) -> anyhow::Result<()> {
    let schema = quarantine_schema();
    let done = house.lake.position(QUARANTINE, name).await?.unwrap_or(0);
    let all = concat_batches(&schema, rejects)?;
    let file_no = all.column_by_name("file_no").context("rejects without file_no")?.as_primitive::<Int64Type>();
    let is_new: BooleanArray = file_no.iter().map(|it| it.map(|it| done < it)).collect();
    let rows = filter_record_batch(&all, &is_new)?;
    if rows.num_rows() == 0 {
        return Ok(());
    }
    let spec = quarantine_spec();
    let writer = house.lake.writer(&spec);
    let file = tokio::task::spawn_blocking(move || writer.write(None, &[rows])).await??;
    let commit = Commit { position: Some((name.to_owned(), last_no)), info: BTreeMap::new(), data_change: true };
    house.lake.append(&spec, vec![file], commit).await?;
    Ok(())
}

/// The sealed table of refused rows.
pub(crate) fn quarantine_spec() -> TableSpec {
    TableSpec {
        name: QUARANTINE.to_owned(),
        schema: quarantine_schema(),
        partition_by: None,
        sort_by: vec!["pipeline".into(), "file_no".into(), "row_no".into()],
        stats_columns: vec!["file_no".into()],
        properties: BTreeMap::from([("kind".to_owned(), "ops".to_owned())]),
    }
}

/// The raw table of a pipeline.
pub(crate) fn raw_spec(pipeline: &Pipeline) -> TableSpec {
    let schema = raw_schema(pipeline);
    TableSpec {
        name: pipeline.raw_table(),
        partition_by: pipeline.is_event().then(|| "occurred_on".to_owned()),
        sort_by: raw_sort(pipeline),
        stats_columns: vec!["occurred_at".into(), "known_at".into()],
        properties: BTreeMap::from([("kind".to_owned(), "raw".to_owned())]),
        schema,
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::Int64Array;
    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;

    #[test]
    fn rows_of_nobody_come_last_even_where_all_rows_are_of_one_file() {
        let fields = vec![Field::new("student_key", DataType::Int64, true), Field::new("row_no", DataType::Int64, false)];
        let batch = |keys: Vec<Option<i64>>, rows: Vec<i64>| {
            let columns: Vec<arrow::array::ArrayRef> = vec![Arc::new(Int64Array::from(keys)), Arc::new(Int64Array::from(rows))];
            RecordBatch::try_new(Arc::new(Schema::new(fields.clone())), columns).expect("columns fit")
        };
        let sort_by = ["student_key".to_owned(), "row_no".to_owned()];
        let one = batch(vec![None, None, Some(3), Some(7)], vec![2, 4, 3, 1]);
        let found = merged(&[one], &sort_by).expect("rows of a day");
        assert_eq!(found, batch(vec![Some(3), Some(7), None, None], vec![3, 1, 2, 4]));
        let two = [batch(vec![None, Some(7)], vec![2, 1]), batch(vec![Some(3)], vec![5])];
        let found = merged(&two, &sort_by).expect("rows of a day");
        assert_eq!(found, batch(vec![Some(3), Some(7), None], vec![5, 1, 2]));
    }
}
