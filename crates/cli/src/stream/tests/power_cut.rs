//! The power fails at any step of the way from a sender's answer into the table. Log and lake record what they do to their
//! disks in one journal, in which the store stands as it stood by then: it keeps its own promises.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use proptest::prelude::*;
use tempfile::TempDir;

use super::{Opened, Stage, contract, event, run};
use crate::house::Disks;
use crate::stream::commit;

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

/// What was done to the disks, in the order in which it was done.
#[derive(Debug)]
struct Journal {
    store: PathBuf,
    /// Leaves syncs out, to see that the test can fail.
    is_deaf_to_syncs: bool,
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
    journal: Arc<Journal>,
}

impl wal::DiskFile for LogFile {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        self.journal.done(self.file.append(bytes), Step::Write(self.id, bytes.to_vec()))
    }

    fn sync(&self) -> io::Result<()> {
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
        Ok(Box::new(LogFile { file, id, journal: self.journal.clone() }))
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

const SOURCES: [&str; 2] = ["thing", "other"];

#[derive(Debug, Clone, Copy)]
enum Deed {
    /// A request to one of the sources with so many rows, and one more that the contract refuses.
    Push(usize, u64, bool),
    Commit,
    /// While rows of files come into the table of one of them, so that its own rows stay in the log.
    CommitBeside(usize),
}

/// A request and how many steps there were when it was answered.
struct Sent {
    source: usize,
    ids: Vec<u64>,
    lines: Vec<String>,
    refused_n: i64,
    answered: usize,
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
    let journal = Arc::new(Journal { store: root.join("data/store"), is_deaf_to_syncs, told: Mutex::new(Told::default()) });
    let folder = root.join("data/log");
    std::fs::create_dir_all(&folder).expect("a folder");
    let lake_disk = LakeDisk { local: lake::LocalDisk { is_synced: false }, journal: journal.clone() };
    let local = wal::LocalDisk::new(&folder, false).expect("a folder");
    let log_disk = LogDisk { local, folder, journal: journal.clone() };
    let disks: Disks = (Arc::new(lake_disk), Arc::new(log_disk));
    let opened = Opened::of(&root, Some(disks)).await;
    let begun = journal.len();
    let (mut sent, mut next) = (Vec::new(), 0);
    for deed in deeds {
        match *deed {
            Deed::Push(source, n, is_one_refused) => {
                let ids: Vec<u64> = (next..next + n).collect();
                next += n;
                let mut lines: Vec<String> = ids.iter().map(|id| event(*id, "a", (*id % 40) as i64)).collect();
                if is_one_refused {
                    lines.push(format!("{{\"id\":\"without {next}\"}}"));
                }
                opened.push(SOURCES[source], &lines).await;
                let answered = journal.len();
                sent.push(Sent { source, ids, lines, refused_n: i64::from(is_one_refused), answered });
            }
            Deed::Commit => drop(commit(&opened.house).await.expect("committed")),
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

/// How often staging tells each event of a source.
async fn told(opened: &Opened, source: &str) -> BTreeMap<u64, u64> {
    let in_log = opened.house.log.iter().any(|it| it.tail().iter().any(|it| it.frame.pipeline == source));
    if !in_log && opened.count(&format!("raw_{source}")).await == 0 {
        return BTreeMap::new();
    }
    let text = opened.read(&format!("SELECT id, count(*) AS n FROM stg_{source} GROUP BY id")).await;
    let cells = text.lines().filter(|it| it.starts_with("| ")).skip(1).map(|it| {
        let mut cells = it.split('|').skip(1).map(|it| it.trim().parse().expect("a number"));
        (cells.next().expect("the event"), cells.next().expect("how often"))
    });
    cells.collect()
}

/// Opens what a cut after `n` steps left, and compares it with what was answered for.
async fn compare(run: &Run, n: usize, left: Left) {
    let image = image(&run.root, &run.steps[..n], left);
    let again = Opened::of(image.path(), None).await;
    let mut before = Vec::new();
    for (place, source) in SOURCES.iter().enumerate() {
        let found = told(&again, source).await;
        assert!(found.values().all(|it| *it == 1), "step {n}, {left:?}: {source} tells an event twice: {found:?}");
        for it in run.sent.iter().filter(|it| it.source == place) {
            let there = it.ids.iter().filter(|id| found.contains_key(id)).count();
            assert!(there == 0 || there == it.ids.len(), "step {n}, {left:?}: of {:?} there are {there}", it.ids);
            let is_answered = it.answered <= n;
            assert!(!is_answered || there == it.ids.len(), "step {n}, {left:?}: {:?} were answered for", it.ids);
        }
        let sent: BTreeSet<u64> = run.sent.iter().filter(|it| it.source == place).flat_map(|it| it.ids.clone()).collect();
        assert!(found.keys().all(|it| sent.contains(it)), "step {n}, {left:?}: {source} tells what nobody sent");
        before.push(found);
    }

    // What the cut broke off is done again: tables, refused rows and counts take nothing twice.
    let committed = commit(&again.house).await.expect("committed");
    assert_eq!(committed.stuck, [], "step {n}, {left:?}");
    assert_eq!(again.house.log.as_ref().map_or(0, |it| it.held()), 0, "step {n}, {left:?}: the log forgets what tables have");
    let counts = again.house.store.pushes().counts().await.expect("counts");
    let mut refused = 0;
    for (place, source) in SOURCES.iter().enumerate() {
        assert_eq!(told(&again, source).await, before[place], "step {n}, {left:?}: {source}");
        let is_there = |it: &&Sent| it.source == place && it.ids.iter().all(|id| before[place].contains_key(id));
        let refused_n: i64 = run.sent.iter().filter(is_there).map(|it| it.refused_n).sum();
        let kept_n = before[place].len() as i64;
        assert_eq!(again.count(&format!("raw_{source}")).await, kept_n, "step {n}, {left:?}: {source}");
        let counted = counts
            .iter()
            .find(|it| it.pipeline == *source)
            .map_or((0, 0, 0), |it| (it.counts.rows_in, it.counts.rows_kept, it.counts.rows_quarantined));
        assert_eq!(counted, (kept_n + refused_n, kept_n, refused_n), "step {n}, {left:?}: {source}");
        refused += refused_n;
    }
    assert_eq!(again.count("ops_quarantine").await, refused, "step {n}, {left:?}");

    // A sender that was not answered sends again.
    for it in run.sent.iter().filter(|it| n < it.answered) {
        again.push(SOURCES[it.source], &it.lines).await;
    }
    commit(&again.house).await.expect("committed");
    for (place, source) in SOURCES.iter().enumerate() {
        let of_it = run.sent.iter().filter(|it| it.source == place);
        let all: BTreeMap<u64, u64> = of_it.flat_map(|it| it.ids.iter().map(|id| (*id, 1))).collect();
        assert_eq!(told(&again, source).await, all, "step {n}, {left:?}: {source}");
    }
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let deed = prop_oneof![
        5 => (0..2_usize, 1..30_u64, any::<bool>()).prop_map(|it| Deed::Push(it.0, it.1, it.2)),
        2 => Just(Deed::Commit),
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
