//! Power cuts, one after every single thing that is done to the disk.
//!
//! A recording disk keeps a journal. An image of the disk after `n` steps is made twice: once with nothing but what
//! was synced, once with every name in place and only the synced bytes in them, which file systems do as well. Where
//! what is done is drawn at random, so is what a cut leaves: any of the names, and any share of the bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};

use proptest::prelude::*;

use super::*;
use crate::Upkeep;
use crate::disk::{Disk, DiskFile, LocalDisk};

#[derive(Debug, Clone)]
enum Step {
    Create(PathBuf, usize),
    Write(usize, Vec<u8>),
    SyncFile(usize),
    Link(PathBuf, PathBuf),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    CreateDir(PathBuf),
    SyncDir(PathBuf),
}

/// A disk that does what it is told and forgets, on demand, whatever was not synced.
#[derive(Debug)]
struct DropsUnsynced {
    local: LocalDisk,
    journal: Arc<Mutex<Journal>>,
    /// Leaves syncs out of the journal, to see that the test can fail.
    is_deaf_to_syncs: bool,
}

#[derive(Debug, Default)]
struct Journal {
    steps: Vec<Step>,
    n_files: usize,
}

impl DropsUnsynced {
    fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().expect("no panic while recording")
    }

    fn did(&self, done: io::Result<()>, step: Step) -> io::Result<()> {
        done?;
        let is_sync = matches!(step, Step::SyncDir(_) | Step::SyncFile(_));
        if !(is_sync && self.is_deaf_to_syncs) {
            self.journal().steps.push(step);
        }
        Ok(())
    }
}

struct RecordedFile {
    file: Box<dyn DiskFile>,
    id: usize,
    journal: Arc<Mutex<Journal>>,
    is_deaf_to_syncs: bool,
}

impl Write for RecordedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.file.write(bytes)?;
        self.journal.lock().expect("no panic").steps.push(Step::Write(self.id, bytes[..n].to_vec()));
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl DiskFile for RecordedFile {
    fn sync(&mut self) -> io::Result<()> {
        if !self.is_deaf_to_syncs {
            self.journal.lock().expect("no panic").steps.push(Step::SyncFile(self.id));
        }
        Ok(())
    }
}

impl Disk for DropsUnsynced {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = self.local.create(path)?;
        let mut journal = self.journal();
        let id = journal.n_files;
        journal.n_files += 1;
        journal.steps.push(Step::Create(path.to_owned(), id));
        let (journal, is_deaf_to_syncs) = (Arc::clone(&self.journal), self.is_deaf_to_syncs);
        Ok(Box::new(RecordedFile { file, id, journal, is_deaf_to_syncs }))
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.did(self.local.link(from, to), Step::Link(from.to_owned(), to.to_owned()))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.did(self.local.rename(from, to), Step::Rename(from.to_owned(), to.to_owned()))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.did(self.local.remove(path), Step::Remove(path.to_owned()))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.did(self.local.create_dir(path), Step::CreateDir(path.to_owned()))
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.did(self.local.sync_dir(path), Step::SyncDir(path.to_owned()))
    }
}

/// A disk whose log folder cannot be synced once: the entry is in place, but its writer is told of a failure.
#[derive(Debug)]
struct LosesAnAnswer {
    disk: DropsUnsynced,
    is_armed: AtomicBool,
}

impl Disk for LosesAnAnswer {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.disk.create(path)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.link(from, to)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.create_dir(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        if path.ends_with("_delta_log") && self.is_armed.swap(false, Ordering::Relaxed) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.disk.sync_dir(path)
    }
}

/// A lake on such a disk, and the journal of the disk.
async fn loses_an_answer(folder: &TempDir) -> (Lake, Arc<LosesAnAnswer>, Arc<Mutex<Journal>>) {
    let journal = Arc::new(Mutex::new(Journal::default()));
    let (lake, disk) = opened(folder, &journal).await;
    (lake, disk, journal)
}

/// Opens the lake of a folder; what is done to the disk is added to the journal.
async fn opened(folder: &TempDir, journal: &Arc<Mutex<Journal>>) -> (Lake, Arc<LosesAnAnswer>) {
    let disk = DropsUnsynced { local: LocalDisk { is_synced: false }, journal: Arc::clone(journal), is_deaf_to_syncs: false };
    let disk = Arc::new(LosesAnAnswer { disk, is_armed: AtomicBool::new(false) });
    let lake = Lake::open_on(folder.path().to_owned(), Arc::clone(&disk) as Arc<dyn Disk>).await.expect("a lake");
    (lake, disk)
}

/// Rows and position that are left if the power fails now and takes all that was not synced.
async fn after_a_cut(root: &Path, journal: &Mutex<Journal>) -> (i64, Option<i64>) {
    let steps = journal.lock().expect("no panic").steps.clone();
    let image = image(root, &steps, Left::Nothing);
    let lake = Lake::open(config(image.path())).await.expect("a lake");
    let rows = lake.snapshot(&spec().name).await.expect("a readable log").map_or(0, |it| it.rows());
    (rows, lake.position(&spec().name, APP).await.expect("positions"))
}

#[tokio::test]
async fn an_append_whose_answer_was_lost_is_found_and_not_repeated() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (lake, disk, journal) = loses_an_answer(&folder).await;
    append(&lake, MONDAY, 0..5, 1).await;
    for (commit, position) in [(at(2), 2), (plain(), 2)] {
        let before = pinned(&lake).await;
        let file = stage(&lake, &spec(), MONDAY, before.rows()..before.rows() + 5);
        disk.is_armed.store(true, Ordering::Relaxed);
        let lost = lake.append(&spec(), vec![file.clone()], commit.clone()).await.expect_err("the answer is lost");
        assert_eq!(lost.blame(), schema::Blame::World, "{lost:?}");
        assert_eq!(after_a_cut(lake.root(), &journal).await.0, before.rows(), "nobody was told that it is in the table");
        let version = lake.append(&spec(), vec![file], commit).await.expect("found");
        assert_eq!(version, before.version + 1);
        assert_eq!(pinned(&lake).await.rows(), before.rows() + 5);
        assert_eq!(lake.position(&spec().name, APP).await.expect("positions"), Some(position));
        let left = after_a_cut(lake.root(), &journal).await;
        assert_eq!(left, (before.rows() + 5, Some(position)), "it was answered for: the power may fail");
    }
}

#[tokio::test]
async fn a_position_that_a_killed_writer_left_survives_a_power_cut_once_it_was_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (lake, disk, journal) = loses_an_answer(&folder).await;
    append(&lake, MONDAY, 0..5, 1).await;
    let file = stage(&lake, &spec(), MONDAY, 5..10);
    disk.is_armed.store(true, Ordering::Relaxed);
    lake.append(&spec(), vec![file], at(2)).await.expect_err("it ends between the name and the sync");
    drop(lake);
    let (next, disk) = opened(&folder, &journal).await;
    assert_eq!(after_a_cut(next.root(), &journal).await, (5, Some(1)), "the name alone is not durable");
    disk.is_armed.store(true, Ordering::Relaxed);
    let refused = next.position(&spec().name, APP).await.expect_err("what cannot be made durable is not told");
    assert_eq!(refused.blame(), schema::Blame::World, "{refused:?}");
    assert_eq!(next.position(&spec().name, APP).await.expect("positions"), Some(2));
    assert_eq!(after_a_cut(next.root(), &journal).await, (10, Some(2)));
    // What is known to be durable is not synced again.
    let n_syncs = || {
        let journal = journal.lock().expect("no panic");
        journal.steps.iter().filter(|it| matches!(it, Step::SyncDir(path) if path.ends_with("_delta_log"))).count()
    };
    let synced = n_syncs();
    assert_eq!(pinned(&next).await.rows(), 10);
    assert_eq!(n_syncs(), synced);
    append(&next, MONDAY, 10..12, 3).await;
    assert_eq!(pinned(&next).await.rows(), 12);
    assert_eq!(n_syncs(), synced + 1, "its own commit is synced by itself, once");
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

#[derive(Debug, Clone, Copy, PartialEq)]
enum Entry {
    File(usize),
    Folder,
}

/// Builds the disk as a power cut after these steps leaves it.
fn image(root: &Path, steps: &[Step], left: Left) -> TempDir {
    let (mut bytes, mut synced): (BTreeMap<usize, Vec<u8>>, BTreeMap<usize, Vec<u8>>) = Default::default();
    let (mut names, mut durable): (BTreeMap<PathBuf, Entry>, BTreeMap<PathBuf, Entry>) = Default::default();
    for step in steps {
        match step {
            Step::Create(path, id) => drop(names.insert(path.clone(), Entry::File(*id))),
            Step::Write(id, more) => bytes.entry(*id).or_default().extend(more),
            Step::SyncFile(id) => drop(synced.insert(*id, bytes.get(id).cloned().unwrap_or_default())),
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
        }
    }
    let all: BTreeSet<&PathBuf> = names.keys().chain(durable.keys()).collect();
    let chosen = all.into_iter().enumerate().filter_map(|(place, path)| {
        let is_old = match left {
            Left::Nothing => true,
            Left::Any(bits) => bits >> (place % 64) & 1 == 0,
            Left::Names | Left::Torn(_) => false,
        };
        let entry = if is_old { durable.get(path) } else { names.get(path) };
        Some((path, *entry?))
    });
    let content = |id: usize| {
        let (all, synced) = (bytes.get(&id).map_or(&[][..], Vec::as_slice), synced.get(&id).map_or(0, Vec::len));
        let more = match left {
            Left::Torn(share) => ((all.len() - synced) as f64 * share) as usize,
            Left::Nothing | Left::Names | Left::Any(_) => 0,
        };
        &all[..synced + more]
    };
    let target = tempfile::tempdir().expect("a temporary folder");
    // Sorted by path, so a folder comes before what is in it; without its folder a file is lost.
    for (path, entry) in chosen {
        let path = target.path().join(path.strip_prefix(root).expect("below the lake"));
        if path.parent().is_some_and(Path::is_dir) {
            match entry {
                Entry::Folder => std::fs::create_dir(path).expect("a new folder"),
                Entry::File(id) => std::fs::write(path, content(id)).expect("a file"),
            }
        }
    }
    target
}

/// What is done to the lake, and after how many steps which version was answered with which rows.
struct Run {
    root: PathBuf,
    steps: Vec<Step>,
    /// Version answered, steps by then, rows of that version, position of that version.
    answers: Vec<(i64, usize, Vec<i64>, i64)>,
}

async fn run(is_deaf_to_syncs: bool) -> Run {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let journal = Arc::new(Mutex::new(Journal::default()));
    let disk = DropsUnsynced { local: LocalDisk { is_synced: false }, journal: Arc::clone(&journal), is_deaf_to_syncs };
    let lake = Lake::open_on(folder.path().to_owned(), Arc::new(disk)).await.expect("a lake");
    let mut answers = Vec::new();
    let note = async |answers: &mut Vec<_>| {
        let steps = journal.lock().expect("no panic").steps.len();
        let snapshot = pinned(&lake).await;
        let position = lake.position(&spec().name, APP).await.expect("a readable log").unwrap_or(-1);
        answers.push((snapshot.version, steps, sorted_students(&snapshot), position));
    };
    append(&lake, MONDAY, 0..5, 1).await;
    note(&mut answers).await;
    append(&lake, MONDAY + 1, 5..9, 2).await;
    note(&mut answers).await;
    append(&lake, MONDAY + 1, 9..12, 3).await;
    note(&mut answers).await;
    lake.checkpoint(&lake.slot(&spec().name).expect("a slot"), 2).await.expect("a checkpoint");
    replace_day(&lake, MONDAY, 100..104).await;
    note(&mut answers).await;
    let upkeep = Upkeep { small_files_max: 1, ..Upkeep::default() };
    assert_eq!(lake.upkeep(&spec().name, upkeep).await.expect("upkeep").partitions_compacted, 1);
    note(&mut answers).await;
    append(&lake, MONDAY + 2, 20..25, 4).await;
    note(&mut answers).await;
    let steps = journal.lock().expect("no panic").steps.clone();
    Run { root: lake.root().to_owned(), steps, answers }
}

#[tokio::test]
async fn after_a_power_cut_at_any_step_every_answered_version_is_whole_and_the_run_goes_on() {
    let run = run(false).await;
    for n in 0..=run.steps.len() {
        for left in [Left::Nothing, Left::Names] {
            let image = image(&run.root, &run.steps[..n], left);
            let lake = Lake::open(config(image.path())).await.unwrap_or_else(|it| panic!("step {n}, {left:?}: {it}"));
            let answered = run.answers.iter().rfind(|it| it.1 <= n).map_or(-1, |it| it.0);
            let snapshot = lake.snapshot(&spec().name).await.unwrap_or_else(|it| panic!("step {n}, {left:?}: {it:?}"));
            let version = snapshot.as_ref().map_or(-1, |it| it.version);
            assert!(answered <= version, "step {n}, {left:?}: version {answered} was answered, {version} is left");
            let expected = run.answers.iter().find(|it| it.0 == version);
            let (rows, position) = expected.map_or((&[][..], None), |it| (&it.2, Some(it.3)));
            let found = snapshot.as_ref().map(sorted_students).unwrap_or_default();
            assert_eq!(found, rows, "step {n}, {left:?}, version {version}");
            assert_eq!(lake.position(&spec().name, APP).await.expect("positions"), position);
            assert_eq!(append(&lake, MONDAY, 900..901, 900).await, version + 1, "step {n}, {left:?}");
        }
    }
}

#[tokio::test]
async fn without_syncs_the_same_cut_loses_what_was_answered() {
    let run = run(true).await;
    let image = image(&run.root, &run.steps, Left::Nothing);
    let lake = Lake::open(config(image.path())).await.expect("an empty lake");
    assert!(lake.snapshot(&spec().name).await.expect("no log").is_none(), "the test above can fail");
}

/// What is done to a table that a log feeds.
#[derive(Debug, Clone, Copy)]
enum Deed {
    /// So many rows of one day, under the next position.
    Append(i32, i64),
    Compact,
    Checkpoint,
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let deed = prop_oneof![
        6 => (0..3_i32, 1..6_i64).prop_map(|it| Deed::Append(it.0, it.1)),
        1 => Just(Deed::Compact),
        1 => Just(Deed::Checkpoint),
    ];
    prop::collection::vec(deed, 1..8)
}

fn left() -> impl Strategy<Value = Left> {
    prop_oneof![Just(Left::Nothing), Just(Left::Names), any::<u64>().prop_map(Left::Any), (0.0..=1.0).prop_map(Left::Torn)]
}

/// A frame of the log: its day and its rows. Its position is its place, counted from one.
type Frame = (i32, Range<i64>);

/// Does it on a disk that forgets; frames, steps, and after how many of them which position was answered.
async fn fed(deeds: &[Deed]) -> (PathBuf, Vec<Step>, Vec<Frame>, Vec<(usize, i64)>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let journal = Arc::new(Mutex::new(Journal::default()));
    let disk = DropsUnsynced { local: LocalDisk { is_synced: false }, journal: Arc::clone(&journal), is_deaf_to_syncs: false };
    let lake = Lake::open_on(folder.path().to_owned(), Arc::new(disk)).await.expect("a lake");
    let (mut frames, mut answered, mut checkpointed): (Vec<Frame>, _, _) = (Vec::new(), Vec::new(), 0);
    for deed in deeds {
        match *deed {
            Deed::Append(day, n) => {
                let from = frames.last().map_or(0, |it| it.1.end);
                frames.push((MONDAY + day, from..from + n));
                let position = frames.len() as i64;
                append(&lake, MONDAY + day, from..from + n, position).await;
                answered.push((journal.lock().expect("no panic").steps.len(), position));
            }
            Deed::Compact => {
                let upkeep = Upkeep { small_files_max: 1, ..Upkeep::default() };
                lake.upkeep(&spec().name, upkeep).await.expect("upkeep");
            }
            Deed::Checkpoint => {
                let version = lake.snapshot(&spec().name).await.expect("a readable log").map_or(0, |it| it.version);
                if checkpointed < version {
                    lake.checkpoint(&lake.slot(&spec().name).expect("a slot"), version).await.expect("a checkpoint");
                    checkpointed = version;
                }
            }
        }
    }
    let steps = journal.lock().expect("no panic").steps.clone();
    (lake.root().to_owned(), steps, frames, answered)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn whenever_the_power_fails_a_log_that_is_read_from_the_tables_position_brings_each_row_in_once(
        deeds in deeds(), at in 0.0..=1.0_f64, left in left(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (root, steps, frames, answered) = fed(&deeds).await;
            let n = (steps.len() as f64 * at) as usize;
            let image = image(&root, &steps[..n], left);
            let lake = Lake::open(config(image.path())).await.unwrap_or_else(|it| panic!("step {n}: {it}"));
            let position = lake.position(&spec().name, APP).await.expect("a readable log").unwrap_or(0);
            let kept = answered.iter().filter(|it| it.0 <= n).map(|it| it.1).max().unwrap_or(0);
            assert!(kept <= position, "step {n}: position {kept} was answered, {position} is left");
            // The log forgets a frame only after its table has answered, so it still has all above.
            for (place, (day, rows)) in frames.iter().enumerate().skip(position as usize) {
                append(&lake, *day, rows.clone(), place as i64 + 1).await;
            }
            let all = frames.last().map_or(0, |it| it.1.end);
            let found = lake.snapshot(&spec().name).await.expect("a readable log").as_ref().map(sorted_students);
            assert_eq!(found.unwrap_or_default(), (0..all).collect::<Vec<_>>(), "step {n}");
        });
    }
}
