//! Power cuts, one after every single thing that is done to the disk.
//!
//! A recording disk keeps a journal. An image of the disk after `n` steps is made twice: once with nothing but what
//! was synced, once with every name in place and only the synced bytes in them, which file systems do as well.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};

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
    local: LocalDisk,
    is_armed: AtomicBool,
}

impl Disk for LosesAnAnswer {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.local.create(path)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.local.link(from, to)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.local.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.local.remove(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.local.create_dir(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        if path.ends_with("_delta_log") && self.is_armed.swap(false, Ordering::Relaxed) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.local.sync_dir(path)
    }
}

#[tokio::test]
async fn an_append_whose_answer_was_lost_is_found_and_not_repeated() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let disk = Arc::new(LosesAnAnswer { local: LocalDisk { is_synced: false }, is_armed: AtomicBool::new(false) });
    let lake = Lake::open_on(folder.path().to_owned(), Arc::clone(&disk) as Arc<dyn Disk>).await.expect("a lake");
    append(&lake, MONDAY, 0..5, 1).await;
    for (commit, position) in [(at(2), 2), (plain(), 2)] {
        let before = pinned(&lake).await;
        let file = stage(&lake, &spec(), MONDAY, before.rows()..before.rows() + 5);
        disk.is_armed.store(true, Ordering::Relaxed);
        let lost = lake.append(&spec(), vec![file.clone()], commit.clone()).await.expect_err("the answer is lost");
        assert_eq!(lost.blame(), schema::Blame::World, "{lost:?}");
        let version = lake.append(&spec(), vec![file], commit).await.expect("found");
        assert_eq!(version, before.version + 1);
        assert_eq!(pinned(&lake).await.rows(), before.rows() + 5);
        assert_eq!(lake.position(&spec().name, APP).await.expect("positions"), Some(position));
    }
}

/// What of the unsynced a cut leaves.
#[derive(Debug, Clone, Copy)]
enum Left {
    Nothing,
    Names,
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
    let target = tempfile::tempdir().expect("a temporary folder");
    // Sorted by path, so a folder comes before what is in it; without its folder a file is lost.
    for (path, entry) in if matches!(left, Left::Nothing) { durable } else { names } {
        let path = target.path().join(path.strip_prefix(root).expect("below the lake"));
        if path.parent().is_some_and(Path::is_dir) {
            match entry {
                Entry::Folder => std::fs::create_dir(path).expect("a new folder"),
                Entry::File(id) => {
                    std::fs::write(path, synced.get(&id).map_or(&[][..], Vec::as_slice)).expect("a file");
                }
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
