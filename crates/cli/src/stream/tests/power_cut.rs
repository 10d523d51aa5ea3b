//! The power fails at any step of the way from a sender's answer into the table. Log and lake record what they do to their
//! disks in one journal, in which the store stands as it stood by then: it keeps its own promises. Processes are killed in
//! between: the next one finds all that was written, synced or not, and what it tells must outlast a cut that comes then.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use proptest::prelude::*;
use tempfile::TempDir;

use super::{Opened, Stage, contract, event, run};
use crate::house::Disks;
use crate::stream::{LOG_APP, PUSHED, commit, positions};

#[derive(Debug, Clone)]
enum Step {
    Create(PathBuf, usize),
    Write(usize, Vec<u8>),
    SyncFile(usize),
    /// Other bytes under a name: they are durable before the name leads to them.
    Put(PathBuf, usize, Vec<u8>),
    /// Of a file these first bytes are left, durably.
    Cut(PathBuf, u64),
    Link(PathBuf, PathBuf),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    CreateDir(PathBuf),
    SyncDir(PathBuf),
    /// The files of the store from here on.
    Store(Files),
}

type Files = BTreeMap<String, Vec<u8>>;

/// Where the process ends that is at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kill {
    Nowhere,
    /// A frame is written, and the log is not synced any more.
    Written,
    /// An entry of a table has its name, and the folder is not synced any more.
    Linked,
}

/// What was done to the disks, in the order in which it was done.
#[derive(Debug)]
struct Journal {
    store: PathBuf,
    /// Leaves syncs out, to see that the test can fail.
    is_deaf_to_syncs: bool,
    kill: Mutex<Kill>,
    told: Mutex<Told>,
}

#[derive(Debug, Default)]
struct Told {
    steps: Vec<Step>,
    files_n: usize,
    store: Files,
}

impl Journal {
    fn note(&self, step: Step) {
        if self.is_deaf_to_syncs && matches!(step, Step::SyncFile(_) | Step::SyncDir(_)) {
            return;
        }
        let mut told = self.told.lock();
        // Bytes come in many pieces, and nothing is done to the store between two of them.
        if !matches!(step, Step::Write(..)) {
            self.look(&mut told);
        }
        told.steps.push(step);
    }

    fn done(&self, done: io::Result<()>, step: Step) -> io::Result<()> {
        done.map(|()| self.note(step))
    }

    /// Notes a step that brings a file, and gives the file a number.
    fn begin(&self, step: impl FnOnce(usize) -> Step) -> usize {
        let id = {
            let mut told = self.told.lock();
            told.files_n += 1;
            told.files_n
        };
        self.note(step(id));
        id
    }

    fn look(&self, told: &mut Told) {
        let mut now = Files::new();
        for entry in std::fs::read_dir(&self.store).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            // What is shared in memory is made anew from the rest.
            if let (false, Ok(bytes)) = (name.ends_with("-shm"), std::fs::read(entry.path())) {
                now.insert(name, bytes);
            }
        }
        if now != told.store {
            told.steps.push(Step::Store(now.clone()));
            told.store = now;
        }
    }

    /// How many steps there are by now.
    fn len(&self) -> usize {
        let mut told = self.told.lock();
        self.look(&mut told);
        told.steps.len()
    }
}

#[derive(Debug)]
struct LakeDisk {
    local: lake::LocalDisk,
    journal: Arc<Journal>,
}

struct LakeFile {
    file: Box<dyn lake::DiskFile>,
    id: usize,
    journal: Arc<Journal>,
}

impl Write for LakeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.file.write(bytes)?;
        self.journal.note(Step::Write(self.id, bytes[..n].to_vec()));
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl lake::DiskFile for LakeFile {
    fn sync(&mut self) -> io::Result<()> {
        self.journal.done(self.file.sync(), Step::SyncFile(self.id))
    }
}

impl lake::Disk for LakeDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn lake::DiskFile>> {
        let file = self.local.create(path)?;
        let id = self.journal.begin(|id| Step::Create(path.to_owned(), id));
        Ok(Box::new(LakeFile { file, id, journal: self.journal.clone() }))
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.journal.done(self.local.link(from, to), Step::Link(from.to_owned(), to.to_owned()))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.journal.done(self.local.rename(from, to), Step::Rename(from.to_owned(), to.to_owned()))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.journal.done(self.local.remove(path), Step::Remove(path.to_owned()))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.journal.done(self.local.create_dir(path), Step::CreateDir(path.to_owned()))
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        if path.ends_with("_delta_log") && *self.journal.kill.lock() == Kill::Linked {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.journal.done(self.local.sync_dir(path), Step::SyncDir(path.to_owned()))
    }
}

#[derive(Debug)]
struct LogDisk {
    local: wal::LocalDisk,
    folder: PathBuf,
    journal: Arc<Journal>,
}

struct LogFile {
    file: Box<dyn wal::DiskFile>,
    id: usize,
    appended_n: AtomicUsize,
    journal: Arc<Journal>,
}

impl wal::DiskFile for LogFile {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        self.appended_n.fetch_add(1, Ordering::Relaxed);
        self.journal.done(self.file.append(bytes), Step::Write(self.id, bytes.to_vec()))
    }

    fn sync(&self) -> io::Result<()> {
        // The head is synced before a frame is written behind it.
        let has_frames = 1 < self.appended_n.load(Ordering::Relaxed);
        if has_frames && *self.journal.kill.lock() == Kill::Written {
            return Ok(());
        }
        self.journal.done(self.file.sync(), Step::SyncFile(self.id))
    }
}

impl wal::Disk for LogDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        self.local.list()
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        self.local.read(name)
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn wal::DiskFile>> {
        let file = self.local.create(name)?;
        let id = self.journal.begin(|id| Step::Create(self.folder.join(name), id));
        Ok(Box::new(LogFile { file, id, appended_n: AtomicUsize::new(0), journal: self.journal.clone() }))
    }

    fn cut(&self, name: &str, length: u64) -> io::Result<()> {
        self.journal.done(self.local.cut(name, length), Step::Cut(self.folder.join(name), length))
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.local.replace(name, bytes)?;
        self.journal.begin(|id| Step::Put(self.folder.join(name), id, bytes.to_vec()));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.journal.done(self.local.remove(name), Step::Remove(self.folder.join(name)))
    }

    fn sync_names(&self) -> io::Result<()> {
        self.journal.done(self.local.sync_names(), Step::SyncDir(self.folder.clone()))
    }

    fn shown(&self) -> PathBuf {
        self.local.shown()
    }
}

/// What of the unsynced a cut leaves.
#[derive(Debug, Clone, Copy)]
enum Left {
    Nothing,
    Names,
    /// Of the names that came, went or changed since they were synced any, a bit for each.
    Any(u64),
    /// All names, of the unsynced bytes this share.
    Torn(f64),
}

#[derive(Debug, Clone, Copy)]
enum Entry {
    File(usize),
    Folder,
}

/// Builds in a folder the project as a power cut after these steps leaves it. What is written once, before anything is
/// pushed, is there: settings, contracts and the key of the vault.
fn image(root: &Path, steps: &[Step], left: Left) -> TempDir {
    let (mut bytes, mut synced): (BTreeMap<usize, Vec<u8>>, BTreeMap<usize, usize>) = Default::default();
    let (mut names, mut durable): (BTreeMap<PathBuf, Entry>, BTreeMap<PathBuf, Entry>) = Default::default();
    let mut store = Files::new();
    for step in steps {
        match step {
            Step::Create(path, id) => drop(names.insert(path.clone(), Entry::File(*id))),
            Step::Write(id, more) => bytes.entry(*id).or_default().extend(more),
            Step::SyncFile(id) => drop(synced.insert(*id, bytes.get(id).map_or(0, Vec::len))),
            Step::Put(path, id, all) => {
                names.insert(path.clone(), Entry::File(*id));
                synced.insert(*id, all.len());
                bytes.insert(*id, all.clone());
            }
            Step::Cut(path, length) => {
                if let Some(Entry::File(id)) = names.get(path) {
                    let all = bytes.entry(*id).or_default();
                    all.truncate(*length as usize);
                    synced.insert(*id, all.len());
                }
            }
            Step::Link(from, to) => drop(names.insert(to.clone(), names[from])),
            Step::Rename(from, to) => {
                let moved = names.remove(from).expect("a known name");
                names.insert(to.clone(), moved);
            }
            Step::Remove(path) => drop(names.remove(path)),
            Step::CreateDir(path) => drop(names.insert(path.clone(), Entry::Folder)),
            Step::SyncDir(folder) => {
                durable.retain(|path, _| path.parent() != Some(folder));
                let inside = names.iter().filter(|(path, _)| path.parent() == Some(folder));
                durable.extend(inside.map(|(path, entry)| (path.clone(), *entry)));
            }
            Step::Store(files) => store = files.clone(),
        }
    }
    let target = tempfile::tempdir().expect("a temporary folder");
    let place = |path: &Path| target.path().join(path.strip_prefix(root).expect("below the project"));
    for folder in ["pipelines", "data/keys", "data/lake", "data/log", "data/store"] {
        std::fs::create_dir_all(target.path().join(folder)).expect("a folder");
    }
    for once in ["yizhan.toml", "pipelines/thing.toml", "pipelines/other.toml", "data/keys/vault.key"] {
        std::fs::copy(root.join(once), target.path().join(once)).expect("a copy");
    }
    for (name, bytes) in store {
        std::fs::write(target.path().join("data/store").join(name), bytes).expect("a file");
    }
    let all: BTreeSet<&PathBuf> = names.keys().chain(durable.keys()).collect();
    // Sorted by path, so a folder comes before what is in it; without its folder a file is lost.
    for (at, path) in all.into_iter().enumerate() {
        let is_old = match left {
            Left::Nothing => true,
            Left::Any(bits) => bits >> (at % 64) & 1 == 0,
            Left::Names | Left::Torn(_) => false,
        };
        let entry = if is_old { durable.get(path) } else { names.get(path) };
        let (Some(entry), true) = (entry, place(path).parent().is_some_and(Path::is_dir)) else { continue };
        match entry {
            Entry::Folder => std::fs::create_dir(place(path)).expect("a new folder"),
            Entry::File(id) => {
                let all = bytes.get(id).map_or(&[][..], Vec::as_slice);
                let kept = synced.get(id).copied().unwrap_or(0);
                let more = match left {
                    Left::Torn(share) => ((all.len() - kept) as f64 * share) as usize,
                    Left::Nothing | Left::Names | Left::Any(_) => 0,
                };
                std::fs::write(place(path), &all[..kept + more]).expect("a file");
            }
        }
    }
    target
}

/// The first is pushed to; the second is read by its position.
const SOURCES: [&str; 2] = ["thing", "other"];
const SHARD: &str = "nats/other/0";

#[derive(Debug, Clone, Copy)]
enum Deed {
    /// A request to one of the sources with so many rows, and one more that the contract refuses.
    Push(usize, u64, bool),
    /// The same, and before it is synced and answered the process is killed and started again.
    PushKilled(usize, u64, bool),
    Commit,
    /// The process is killed between the name of the first entry and the sync of its folder, and started again.
    CommitKilled,
    /// While rows of files come into the table of one of them, so that its own rows stay in the log.
    CommitBeside(usize),
}

/// A request and how many steps there were when it was answered, or told by the process after the one that was killed.
struct Sent {
    source: usize,
    ids: Vec<u64>,
    lines: Vec<String>,
    refused_n: i64,
    /// Its place in the log.
    position: i64,
    /// Where the source stands behind it, if it is read by its position.
    reached: i64,
    /// Steps when the process ended that was killed before it answered.
    killed: Option<usize>,
    answered: usize,
}

impl Sent {
    async fn give(&self, opened: &Opened) {
        match self.source {
            0 => drop(opened.push(SOURCES[0], &self.lines).await),
            other => drop(opened.bring(SOURCES[other], SHARD, self.reached, &self.lines).await),
        }
    }
}

/// What was done, in a project of its own.
struct Run {
    /// The project goes with it.
    _stage: Stage,
    root: PathBuf,
    steps: Vec<Step>,
    /// Steps of the opening.
    opened: usize,
    sent: Vec<Sent>,
}

async fn recorded(deeds: &[Deed], is_deaf_to_syncs: bool) -> Run {
    let (thing, other) = (contract("thing", "first"), contract("other", "first"));
    let stage = Stage::new(&[("thing", thing.as_str()), ("other", other.as_str())]);
    // Small files of the log, so that some are closed, rewritten and removed.
    let settings = "packs = []\n[ingest]\napprovals = \"off\"\n[store]\nmint = 7\n[lake]\ndurability = \"os\"\n\
                    [stream]\nsegment_bytes = \"4 KiB\"\n";
    std::fs::write(stage.path("yizhan.toml"), settings).expect("written");
    let root = stage.path("yizhan.toml").canonicalize().expect("it is there").parent().expect("a folder").to_owned();
    let journal = Arc::new(Journal {
        store: root.join("data/store"),
        is_deaf_to_syncs,
        kill: Mutex::new(Kill::Nowhere),
        told: Mutex::default(),
    });
    let folder = root.join("data/log");
    std::fs::create_dir_all(&folder).expect("a folder");
    let lake_disk = LakeDisk { local: lake::LocalDisk { is_synced: false }, journal: journal.clone() };
    let local = wal::LocalDisk::new(&folder, false).expect("a folder");
    let log_disk = LogDisk { local, folder, journal: journal.clone() };
    let disks: Disks = (Arc::new(lake_disk), Arc::new(log_disk));
    let mut opened = Opened::of(&root, Some(disks.clone())).await;
    let begun = journal.len();
    // What it did to the disks stays, and what was in its memory is gone.
    let killed = async |opened: Opened| {
        // Its files are at rest before the journal looks at them again.
        opened.house.store.close().await;
        drop(opened);
        let n = journal.len();
        *journal.kill.lock() = Kill::Nowhere;
        (n, Opened::of(&root, Some(disks.clone())).await)
    };
    let (mut sent, mut next, mut reached) = (Vec::new(), 0, 0);
    for deed in deeds {
        match *deed {
            Deed::Push(source, n, is_one_refused) | Deed::PushKilled(source, n, is_one_refused) => {
                let is_killed = matches!(deed, Deed::PushKilled(..));
                let ids: Vec<u64> = (next..next + n).collect();
                next += n;
                let mut lines: Vec<String> = ids.iter().map(|id| event(*id, "a", (*id % 40) as i64)).collect();
                if is_one_refused {
                    lines.push(format!("{{\"id\":\"without {next}\"}}"));
                }
                reached += lines.len() as i64;
                let refused_n = i64::from(is_one_refused);
                let mut it = Sent { source, ids, lines, refused_n, position: 0, reached, killed: None, answered: 0 };
                if is_killed {
                    *journal.kill.lock() = Kill::Written;
                }
                it.give(&opened).await;
                it.position = opened.house.log.as_ref().map_or(0, |it| it.synced());
                if is_killed {
                    let (at, again) = killed(opened).await;
                    (it.killed, opened) = (Some(at), again);
                }
                it.answered = journal.len();
                sent.push(it);
            }
            Deed::Commit => drop(commit(&opened.house).await.expect("committed")),
            Deed::CommitKilled => {
                *journal.kill.lock() = Kill::Linked;
                // Whatever it said, nobody heard it.
                drop(commit(&opened.house).await);
                opened = killed(opened).await.1;
            }
            Deed::CommitBeside(source) => {
                let _files = opened.house.meetings[SOURCES[source]].lock().await;
                commit(&opened.house).await.expect("committed");
            }
        }
    }
    drop(opened);
    let all = journal.len();
    let steps = journal.told.lock().steps[..all].to_vec();
    Run { _stage: stage, root, steps, opened: begun, sent }
}

/// A number of each event of a source, as a query tells it; nothing while the source has no rows anywhere.
async fn numbers(opened: &Opened, source: &str, query: &str) -> BTreeMap<u64, i64> {
    let in_log = opened.house.log.iter().any(|it| it.tail().iter().any(|it| it.frame.pipeline == source));
    if !in_log && opened.count(&format!("raw_{source}")).await == 0 {
        return BTreeMap::new();
    }
    let text = opened.read(query).await;
    let cells = text.lines().filter(|it| it.starts_with("| ")).skip(1).map(|it| {
        let mut cells = it.split('|').skip(1).map(str::trim);
        let event = cells.next().and_then(|it| it.parse().ok()).expect("the event");
        (event, cells.next().and_then(|it| it.parse().ok()).expect("a number"))
    });
    cells.collect()
}

/// How often staging tells each event of a source.
async fn told(opened: &Opened, source: &str) -> BTreeMap<u64, i64> {
    numbers(opened, source, &format!("SELECT id, count(*) AS n FROM stg_{source} GROUP BY id")).await
}

/// Under which number each event of a source stands in its table and in the log.
async fn placed(opened: &Opened, source: &str) -> BTreeMap<u64, i64> {
    numbers(opened, source, &format!("SELECT id, file_no FROM raw_{source}")).await
}

/// How far the source was read that is read by its position.
async fn reached(opened: &Opened) -> i64 {
    let found = positions::reached(&opened.house, &format!("raw_{}", SOURCES[1]), SHARD).await.expect("positions");
    assert!(found.iter().all(|it| it.born_us == 7), "its birth stands with the position: {found:?}");
    found.map_or(0, |it| it.position)
}

/// Opens what a cut after `n` steps left, and compares it with what was answered for.
async fn compare(run: &Run, n: usize, left: Left) {
    let image = image(&run.root, &run.steps[..n], left);
    let again = Opened::of(image.path(), None).await;
    let mut there: Vec<Vec<&Sent>> = Vec::new();
    for (place, source) in SOURCES.iter().enumerate() {
        let found = told(&again, source).await;
        assert!(found.values().all(|it| *it == 1), "step {n}, {left:?}: {source} tells an event twice: {found:?}");
        let of_it = || run.sent.iter().filter(move |it| it.source == place);
        for it in of_it() {
            let kept_n = it.ids.iter().filter(|id| found.contains_key(id)).count();
            assert!(kept_n == 0 || kept_n == it.ids.len(), "step {n}, {left:?}: of {:?} there are {kept_n}", it.ids);
            let is_answered = it.answered <= n;
            assert!(!is_answered || kept_n == it.ids.len(), "step {n}, {left:?}: {:?} were answered for", it.ids);
        }
        let kept: Vec<&Sent> = of_it().filter(|it| it.ids.iter().all(|id| found.contains_key(id))).collect();
        let ids: BTreeSet<u64> = kept.iter().flat_map(|it| it.ids.clone()).collect();
        assert!(found.keys().all(|it| ids.contains(it)), "step {n}, {left:?}: {source} tells what nobody sent");
        there.push(kept);
    }
    // Each row under the position of its request, and the source that has positions up to that of the last one.
    let under = |place: usize| -> BTreeMap<u64, i64> {
        let rows = there[place].iter().flat_map(|it| it.ids.iter().map(move |id| (*id, PUSHED + it.position)));
        rows.collect()
    };
    let read_to = there[1].last().map_or(0, |it| it.reached);

    // What the cut broke off is done again: tables, refused rows and counts take nothing twice.
    for is_committed in [false, true] {
        if is_committed {
            let committed = commit(&again.house).await.expect("committed");
            assert_eq!(committed.stuck, [], "step {n}, {left:?}");
        }
        for (place, source) in SOURCES.iter().enumerate() {
            let found = placed(&again, source).await;
            assert_eq!(found, under(place), "step {n}, {left:?}, committed: {is_committed}: {source}");
        }
        assert_eq!(reached(&again).await, read_to, "step {n}, {left:?}, committed: {is_committed}");
    }
    assert_eq!(again.house.log.as_ref().map_or(0, |it| it.held()), 0, "step {n}, {left:?}: the log forgets what tables have");
    let counts = again.house.store.pushes().counts().await.expect("counts");
    let mut refused = 0;
    for (place, source) in SOURCES.iter().enumerate() {
        let (table, before) = (format!("raw_{source}"), under(place));
        let once: BTreeMap<u64, i64> = before.keys().map(|id| (*id, 1)).collect();
        assert_eq!(told(&again, source).await, once, "step {n}, {left:?}: {source}");
        let refused_n: i64 = there[place].iter().map(|it| it.refused_n).sum();
        let kept_n = before.len() as i64;
        assert_eq!(again.count(&table).await, kept_n, "step {n}, {left:?}: {source}");
        let position = again.house.lake.position(&table, LOG_APP).await.expect("a readable log");
        let last = there[place].last().map(|it| it.position);
        assert_eq!(position, last, "step {n}, {left:?}: the table has the position of its last rows: {source}");
        let counted = counts
            .iter()
            .find(|it| it.pipeline == *source)
            .map_or((0, 0, 0), |it| (it.counts.rows_in, it.counts.rows_kept, it.counts.rows_quarantined));
        assert_eq!(counted, (kept_n + refused_n, kept_n, refused_n), "step {n}, {left:?}: {source}");
        refused += refused_n;
    }
    assert_eq!(again.count("ops_quarantine").await, refused, "step {n}, {left:?}");

    // A sender that was not answered sends again, and a broker is asked for what is behind the position.
    for it in run.sent.iter().filter(|it| n < it.answered && (it.source == 0 || read_to < it.reached)) {
        it.give(&again).await;
    }
    commit(&again.house).await.expect("committed");
    for (place, source) in SOURCES.iter().enumerate() {
        let of_it = run.sent.iter().filter(|it| it.source == place);
        let all: BTreeMap<u64, i64> = of_it.flat_map(|it| it.ids.iter().map(|id| (*id, 1))).collect();
        assert_eq!(told(&again, source).await, all, "step {n}, {left:?}: {source}");
        assert_eq!(again.count(&format!("raw_{source}")).await, all.len() as i64, "step {n}, {left:?}: {source}");
        let (found, before) = (placed(&again, source).await, under(place));
        let newest = there.iter().flatten().map(|it| PUSHED + it.position).max().unwrap_or(PUSHED);
        let is_behind = |(id, no): (&u64, &i64)| before.get(id).map_or(newest < *no, |it| it == no);
        assert!(found.iter().all(is_behind), "step {n}, {left:?}: {source}: no position is given twice: {found:?}, {before:?}");
    }
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let deed = prop_oneof![
        5 => (0..2_usize, 1..30_u64, any::<bool>()).prop_map(|it| Deed::Push(it.0, it.1, it.2)),
        1 => (0..2_usize, 1..30_u64, any::<bool>()).prop_map(|it| Deed::PushKilled(it.0, it.1, it.2)),
        2 => Just(Deed::Commit),
        1 => Just(Deed::CommitKilled),
        2 => (0..2_usize).prop_map(Deed::CommitBeside),
    ];
    prop::collection::vec(deed, 2..10)
}

fn left() -> impl Strategy<Value = Left> {
    prop_oneof![Just(Left::Nothing), Just(Left::Names), any::<u64>().prop_map(Left::Any), (0.0..=1.0).prop_map(Left::Torn)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn whenever_the_power_fails_between_answer_and_table_every_event_that_was_answered_for_is_there_once(
        deeds in deeds(), cuts in prop::collection::vec((0.0..=1.0_f64, left()), 3),
    ) {
        run(move || async move {
            let run = recorded(&deeds, false).await;
            for (at, left) in cuts {
                let n = run.opened + ((run.steps.len() - run.opened) as f64 * at) as usize;
                compare(&run, n, left).await;
            }
        });
    }
}

#[test]
fn what_a_killed_process_left_in_the_cache_survives_a_power_cut_once_the_next_one_told_it() {
    run(|| async {
        let deeds = [
            Deed::Push(0, 5, false),
            Deed::Push(1, 3, true),
            Deed::PushKilled(0, 4, true),
            Deed::Push(1, 2, false),
            Deed::CommitKilled,
            Deed::Push(0, 3, false),
            Deed::PushKilled(1, 4, false),
            Deed::CommitKilled,
            Deed::Commit,
            Deed::Push(1, 2, false),
        ];
        let run = recorded(&deeds, false).await;
        for it in &run.sent {
            if let Some(n) = it.killed {
                let image = image(&run.root, &run.steps[..n], Left::Nothing);
                let again = Opened::of(image.path(), None).await;
                let found = told(&again, SOURCES[it.source]).await;
                assert!(it.ids.iter().all(|id| !found.contains_key(id)), "it was in the cache only, or this proves nothing");
            }
            compare(&run, it.answered, Left::Nothing).await;
        }
        compare(&run, run.steps.len(), Left::Nothing).await;
    });
}

#[test]
fn without_syncs_a_power_cut_loses_what_was_answered_for() {
    run(|| async {
        let deeds = [Deed::Push(0, 5, false), Deed::Commit, Deed::Push(0, 5, false)];
        let run = recorded(&deeds, true).await;
        let image = image(&run.root, &run.steps, Left::Nothing);
        let again = Opened::of(image.path(), None).await;
        let in_log = again.house.log.as_ref().map_or(0, |it| it.held());
        assert_eq!((again.count("raw_thing").await, in_log), (0, 0), "the test above can fail");
    });
}
