//! Cuts, refusals and power failures, against a disk in memory that forgets what was not synced.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::Int64Array;
use arrow::record_batch::RecordBatch;
use parking_lot::Mutex;
use proptest::prelude::*;

use crate::disk::{Disk, DiskFile};
use crate::segment::{HEAD, first_of};
use crate::{Config, Error, Frame, Log, Ticket, torn};

#[derive(Debug, Default, Clone)]
struct Bytes {
    all: Vec<u8>,
    synced: Vec<u8>,
}

type File = Arc<Mutex<Bytes>>;

/// A folder in memory: what is there, and what a power cut leaves.
#[derive(Debug, Default)]
struct Memory {
    names: Mutex<BTreeMap<String, File>>,
    durable: Mutex<BTreeMap<String, File>>,
    refusals: Arc<Refusals>,
}

/// Which of the calls to the disk are refused.
#[derive(Debug, Default)]
struct Refusals {
    passed: Mutex<usize>,
    from: Mutex<Option<(usize, usize)>>,
    /// A disk without room removes and cuts, and takes nothing.
    is_full: Mutex<bool>,
}

impl Refusals {
    fn pass(&self) -> io::Result<()> {
        let mut passed = self.passed.lock();
        *passed += 1;
        match *self.from.lock() {
            Some((from, n)) if (from..from + n).contains(&*passed) => Err(io::ErrorKind::StorageFull.into()),
            _ => Ok(()),
        }
    }
}

impl Refusals {
    fn pass_writing(&self) -> io::Result<()> {
        self.pass()?;
        if *self.is_full.lock() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

struct Handle {
    file: File,
    refusals: Arc<Refusals>,
}

impl DiskFile for Handle {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        if let Err(full) = self.refusals.pass_writing() {
            // A full disk takes the first half.
            self.file.lock().all.extend(&bytes[..bytes.len() / 2]);
            return Err(full);
        }
        self.file.lock().all.extend(bytes);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.refusals.pass()?;
        let mut file = self.file.lock();
        file.synced = file.all.clone();
        Ok(())
    }
}

impl Disk for Memory {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.names.lock().keys().cloned().collect())
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        Ok(self.names.lock().get(name).ok_or(io::ErrorKind::NotFound)?.lock().all.clone())
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        self.refusals.pass_writing()?;
        let mut names = self.names.lock();
        if names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = File::default();
        names.insert(name.to_owned(), file.clone());
        Ok(Box::new(Handle { file, refusals: self.refusals.clone() }))
    }

    fn cut(&self, name: &str, length: u64) -> io::Result<()> {
        self.refusals.pass()?;
        let names = self.names.lock();
        let mut file = names.get(name).ok_or(io::ErrorKind::NotFound)?.lock();
        file.all.truncate(length as usize);
        file.synced = file.all.clone();
        Ok(())
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.refusals.pass_writing()?;
        let file = Arc::new(Mutex::new(Bytes { all: bytes.to_vec(), synced: bytes.to_vec() }));
        self.names.lock().insert(name.to_owned(), file).map(drop).ok_or(io::ErrorKind::NotFound.into())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.refusals.pass()?;
        self.names.lock().remove(name).map(drop).ok_or(io::ErrorKind::NotFound.into())
    }

    fn sync_names(&self) -> io::Result<()> {
        self.refusals.pass()?;
        *self.durable.lock() = self.names.lock().clone();
        Ok(())
    }

    fn shown(&self) -> PathBuf {
        PathBuf::from("log")
    }
}

/// What a crash leaves of what was not synced.
#[derive(Debug, Clone, Copy)]
enum Left {
    /// kill -9: everything written.
    All,
    /// Power: only what was synced, under names that were synced.
    Synced,
    /// Power: only what was synced; of the names that came, went or changed since they were synced any, a bit for each.
    Names(u64),
    /// Power: all names, of the unsynced bytes this share.
    Torn(f64),
    /// Power: the pages came in another order, so this share of the unsynced bytes is empty and the rest is there.
    Holes(f64),
}

impl Memory {
    fn crashed(&self, left: Left) -> Memory {
        let image = |file: &File| {
            let file = file.lock();
            // A file that was cut is shorter than what was synced of it before.
            let synced = file.synced.len().min(file.all.len());
            let more = (file.all.len() - synced) as f64;
            let mut bytes = match left {
                Left::Synced | Left::Names(_) => file.synced.clone(),
                _ => file.all.clone(),
            };
            match left {
                Left::Torn(share) => bytes.truncate(synced + (more * share) as usize),
                Left::Holes(share) => bytes[synced..synced + (more * share) as usize].fill(0),
                Left::All | Left::Synced | Left::Names(_) => {}
            }
            Arc::new(Mutex::new(Bytes { synced: bytes.clone(), all: bytes }))
        };
        let (now, durable) = (self.names.lock(), self.durable.lock());
        let all: BTreeSet<&String> = now.keys().chain(durable.keys()).collect();
        let chosen = all.into_iter().enumerate().filter_map(|(place, name)| {
            let is_old = match left {
                Left::Synced => true,
                Left::Names(bits) => bits >> (place % 64) & 1 == 0,
                _ => false,
            };
            let file = if is_old { durable.get(name) } else { now.get(name) };
            Some((name.clone(), image(file?)))
        });
        let names: BTreeMap<String, File> = chosen.collect();
        Memory { durable: Mutex::new(names.clone()), names: Mutex::new(names), refusals: Arc::default() }
    }

    fn refuse(&self, from: usize, n: usize) {
        let passed = *self.refusals.passed.lock();
        *self.refusals.from.lock() = Some((passed + 1 + from, n));
    }
}

const CONFIG: Config = Config { bytes_max: 1 << 20, segment_bytes: 2_000 };

fn frame(id: u64, rows: usize) -> Frame {
    let numbers: Int64Array = (0..rows as i64).map(Some).collect();
    let batch = RecordBatch::try_from_iter([("number", Arc::new(numbers) as _)]).expect("a batch");
    Frame { pipeline: "gate_event".to_owned(), note: id.to_le_bytes().to_vec(), batches: vec![batch] }
}

fn append(log: &Log, id: u64) -> Result<Ticket, Error> {
    log.append(|_| Ok::<_, Error>(frame(id, id as usize % 40)))
}

fn ids(log: &Log) -> BTreeMap<i64, u64> {
    let id = |it: &[u8]| u64::from_le_bytes(it.try_into().expect("eight bytes"));
    log.tail().iter().map(|it| (it.position, id(&it.frame.note))).collect()
}

fn open(disk: &Arc<Memory>, committed: i64) -> Result<Log, Error> {
    Log::open_on(disk.clone(), CONFIG, committed)
}

/// A log of so many frames that survive, and its disk.
fn filled(n: u64) -> (Arc<Memory>, Log) {
    let disk = Arc::new(Memory::default());
    let log = open(&disk, 0).expect("a log");
    for id in 1..=n {
        log.wait(&append(&log, id).expect("room")).expect("a disk");
    }
    (disk, log)
}

#[test]
fn what_is_appended_comes_back_in_order_and_whole() {
    let (disk, _log) = filled(50);
    assert!(2 < disk.names.lock().len(), "the log goes over several files");
    let again = open(&disk, 0).expect("a log");
    assert_eq!(again.tail().iter().map(|it| it.position).collect::<Vec<_>>(), (1..=50).collect::<Vec<_>>());
    for it in again.tail() {
        let id = it.position as u64;
        assert_eq!(it.frame, frame(id, id as usize % 40));
    }
}

#[test]
fn a_frame_that_nobody_waited_for_is_told_to_nobody() {
    let disk = Arc::new(Memory::default());
    let log = open(&disk, 0).expect("a log");
    let ticket = append(&log, 1).expect("room");
    assert!(log.tail().is_empty());
    log.wait(&ticket).expect("a disk");
    assert_eq!(ids(&log), BTreeMap::from([(1, 1)]));
}

#[test]
fn above_the_mark_nothing_is_appended_until_a_commit_made_room() {
    let disk = Arc::new(Memory::default());
    let log = Log::open_on(disk, Config { bytes_max: 3_000, segment_bytes: 1_000 }, 0).expect("a log");
    let mut last = 0;
    let full = loop {
        match append(&log, 1) {
            Ok(ticket) => {
                log.wait(&ticket).expect("a disk");
                last = ticket.position;
            }
            Err(error) => break error,
        }
    };
    assert!(matches!(full, Error::Full { limit: 3_000, .. }), "{full}");
    assert!(2 < last);
    log.truncate(2).expect("a disk");
    let next = append(&log, 2).expect("there is room again");
    assert_eq!(next.position, last + 1, "positions go on");
}

#[test]
fn many_who_wait_share_one_sync() {
    let disk = Arc::new(Memory::default());
    let log = open(&disk, 0).expect("a log");
    let tickets: Vec<Ticket> = (0..20).map(|_| append(&log, 3).expect("room")).collect();
    let before = *disk.refusals.passed.lock();
    tickets.iter().for_each(|it| log.wait(it).expect("a disk"));
    assert_eq!(*disk.refusals.passed.lock(), before + 1);
}

#[test]
fn whoever_settles_the_log_knows_what_became_of_every_frame() {
    let disk = Arc::new(Memory::default());
    let log = open(&disk, 0).expect("a log");
    log.settle();
    let first = append(&log, 1).expect("room");
    append(&log, 2).map(drop).expect("room");
    log.settle();
    assert_eq!(ids(&log), BTreeMap::from([(1, 1), (2, 2)]));
    log.wait(&first).expect("it survives");
    let lost = append(&log, 3).expect("room");
    disk.refuse(0, 1);
    log.settle();
    assert!(matches!(log.wait(&lost), Err(Error::Lost { .. })));
    assert_eq!(ids(&log), BTreeMap::from([(1, 1), (2, 2)]));
}

#[test]
fn a_byte_that_turned_in_what_was_answered_for_is_told_with_file_and_place() {
    let disk = Arc::new(Memory::default());
    let log = Log::open_on(disk.clone(), Config { segment_bytes: 1 << 20, ..CONFIG }, 0).expect("a log");
    let mut ends = vec![HEAD as u64];
    for id in 1..=4 {
        log.wait(&append(&log, id).expect("room")).expect("a disk");
        ends.push(HEAD as u64 + log.held());
    }
    let name = disk.list().expect("a list").pop().expect("one file");
    let whole = disk.read(&name).expect("bytes");
    // The last frame is not looked at: without one behind it nobody can tell damage from a torn end.
    for at in 0..ends[3] as usize {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x20;
        let bent = Memory::default();
        bent.names.lock().insert(name.clone(), Arc::new(Mutex::new(Bytes { all: bytes.clone(), synced: bytes })));
        let error = open(&Arc::new(bent), 0).expect_err("damage");
        let place = if at < HEAD { 0 } else { *ends.iter().rfind(|it| **it <= at as u64).expect("a frame") };
        let Error::Damaged { path, offset, .. } = &error else { panic!("{at}: {error}") };
        assert_eq!((path.as_path(), *offset), (Path::new("log").join(&name).as_path(), place), "byte {at}: {error}");
    }
}

#[test]
fn a_file_that_is_missing_or_cut_in_the_middle_is_told() {
    let (disk, _log) = filled(30);
    let names = disk.list().expect("a list");
    let without = disk.crashed(Left::All);
    without.names.lock().remove(&names[1]);
    let error = open(&Arc::new(without), 0).expect_err("a gap").to_string();
    assert!(error.contains(&names[2]) && error.contains("the file before it ends before frame"), "{error}");
    let cut = disk.crashed(Left::All);
    cut.names.lock()[&names[0]].lock().all.truncate(HEAD + 50);
    let error = open(&Arc::new(cut), 0).expect_err("a cut file").to_string();
    assert!(error.contains(&names[0]) && error.contains("frame 1 is not whole"), "{error}");
    let error = open(&disk, 99).expect_err("an old log").to_string();
    assert!(error.contains("the log is older than the lake"), "{error}");
}

#[test]
fn a_log_behind_a_lake_that_was_put_back_is_not_opened_until_what_lies_between_is_given_up() {
    let (disk, log) = filled(30);
    log.truncate(25).expect("a disk");
    drop(log);
    let name = disk.list().expect("names").into_iter().min().expect("a file");
    let first = first_of(&name).expect("a file of the log");
    assert_eq!(ids(&open(&disk, first - 1).expect("all between is in a table")).len() as i64, 30 - first + 1);
    let error = open(&disk, first - 3).expect_err("two are missing");
    assert!(matches!(&error, Error::Apart { path, .. } if *path == Path::new("log").join(&name)), "{error}");
    let words = error.to_string();
    assert!(words.contains("the lake is older than the log, and the 2 between") && words.contains("其间 2 帧"), "{words}");
    disk.create(&format!("{name}.given-up")).expect("an empty file");
    let log = open(&disk, first - 3).expect("they are given up");
    assert_eq!(log.tail().first().expect("a frame").position, first);
    // It speaks of those frames only.
    log.truncate(30).expect("a disk");
    drop(log);
    open(&disk, 27).expect_err("others are missing");
    assert_eq!(append(&open(&disk, 30).expect("a log"), 1).expect("room").position, 31);
}

#[test]
fn cut_at_any_byte_the_log_has_exactly_the_frames_before_and_goes_on() {
    let disk = Arc::new(Memory::default());
    let log = Log::open_on(disk.clone(), Config { segment_bytes: 1 << 20, ..CONFIG }, 0).expect("a log");
    let (mut tickets, mut ends) = (Vec::new(), vec![HEAD as u64]);
    for id in 1..=6 {
        tickets.push(append(&log, id).expect("room"));
        ends.push(HEAD as u64 + log.held());
    }
    let name = disk.list().expect("a list").pop().expect("one file");
    let whole = disk.read(&name).expect("bytes");
    for length in 0..=whole.len() {
        let cut = Arc::new(disk.crashed(Left::All));
        cut.names.lock()[&name].lock().all.truncate(length);
        let log = open(&cut, 0).unwrap_or_else(|it| panic!("{length}: {it}"));
        let expected = ends[1..].iter().filter(|it| **it <= length as u64).count() as u64;
        assert_eq!(ids(&log).into_values().collect::<Vec<_>>(), (1..=expected).collect::<Vec<_>>(), "{length}");
        assert_eq!(log.cuts().is_empty(), ends.contains(&(length as u64)), "what is cut off is told: {length}");
        log.wait(&append(&log, 90).expect("room")).expect("a disk");
        let again = open(&cut, 0).expect("whole");
        assert_eq!(ids(&again).into_values().collect::<Vec<_>>(), (1..=expected).chain([90]).collect::<Vec<_>>());
    }
}

#[test]
fn every_sync_of_a_folder_is_told() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let syncs = Arc::new(Mutex::new(0));
    let told = syncs.clone();
    let disk = crate::LocalDisk::new(folder.path(), true).expect("a folder").timed(move |_| *told.lock() += 1);
    let log = Log::open_on(Arc::new(disk), CONFIG, 0).expect("a log");
    let synced = |id| {
        let ticket = append(&log, id).expect("appended");
        log.wait(&ticket).expect("synced");
        *syncs.lock()
    };
    // The first frame begins a file, whose head is synced too.
    let before = synced(1);
    assert_eq!(synced(2), before + 1);
}

#[test]
fn what_a_killed_process_left_in_the_cache_survives_a_power_cut_once_an_opening_told_it() {
    let disk = Arc::new(Memory::default());
    let after_a_cut = |left: Left| ids(&open(&Arc::new(disk.crashed(left)), 0).expect("whatever is left is readable"));
    let log = open(&disk, 0).expect("a log");
    log.wait(&append(&log, 1).expect("room")).expect("a disk");
    append(&log, 2).map(drop).expect("room");
    drop(log);
    assert_eq!(after_a_cut(Left::Synced), BTreeMap::from([(1, 1)]), "the cache alone is not durable");
    disk.refuse(0, 1);
    open(&disk, 0).expect_err("what cannot be made durable is not told");
    let log = open(&disk, 0).expect("a log");
    assert_eq!(ids(&log), BTreeMap::from([(1, 1), (2, 2)]));
    assert_eq!(after_a_cut(Left::Synced), ids(&log));
    // What comes behind it stands in another file, whose sync says nothing of the one before.
    log.wait(&append(&log, 3).expect("room")).expect("a disk");
    assert_eq!(disk.names.lock().len(), 2);
    for left in [Left::All, Left::Synced, Left::Names(0), Left::Names(u64::MAX), Left::Torn(0.0), Left::Holes(1.0)] {
        assert_eq!(after_a_cut(left), BTreeMap::from([(1, 1), (2, 2), (3, 3)]), "{left:?}");
    }
}

#[test]
fn a_torn_end_is_seen_and_left_as_it_is() {
    let folder = tempfile::TempDir::new().expect("a folder");
    assert_eq!(torn(&folder.path().join("none")).expect("no folder is no fault"), []);
    let log = Log::open(folder.path(), false, CONFIG, 0).expect("a log");
    let tickets = [append(&log, 1).expect("appended"), append(&log, 2).expect("appended")];
    tickets.iter().for_each(|it| log.wait(it).expect("synced"));
    drop(log);
    assert_eq!(torn(folder.path()).expect("a log"), []);
    let names = std::fs::read_dir(folder.path()).expect("a folder");
    let file = names.map(|it| it.expect("a file").path()).max().expect("a file");
    let length = std::fs::metadata(&file).expect("a file").len() - 3;
    std::fs::OpenOptions::new().write(true).open(&file).and_then(|it| it.set_len(length)).expect("cut");
    let cuts = torn(folder.path()).expect("a torn end is no damage");
    assert_eq!(cuts.len(), 1);
    assert_eq!(std::fs::metadata(&file).expect("a file").len(), length, "looking cuts nothing off");
    let log = Log::open(folder.path(), false, CONFIG, 0).expect("a log");
    assert_eq!(log.cuts(), cuts);
}

#[test]
fn a_local_folder_keeps_frames_and_lets_a_reader_look_beside_the_writer() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log");
    assert!(crate::peek(&path).expect("no log yet").is_empty());
    let log = Log::open(&path, true, CONFIG, 0).expect("a log");
    for id in 1..=20 {
        log.wait(&append(&log, id).expect("room")).expect("a disk");
    }
    assert_eq!(crate::peek(&path).expect("frames").len(), 20);
    log.truncate(15).expect("a disk");
    assert_eq!(ids(&log).len(), 5);
    log.truncate(20).expect("a disk");
    drop(log);
    let log = Log::open(&path, true, CONFIG, 20).expect("a log");
    assert_eq!(log.held(), 0);
    assert_eq!(append(&log, 1).expect("room").position, 21);
}

#[test]
fn a_full_disk_keeps_what_was_answered_for_gives_back_what_tables_have_and_recovers() {
    let (disk, log) = filled(20);
    *disk.refusals.is_full.lock() = true;
    let refused = [append(&log, 21), append(&log, 21)].map(|it| it.expect_err("the disk is full"));
    assert!(refused.iter().all(Error::is_disk_full), "{refused:?}");
    assert_eq!(ids(&log).len(), 20);
    let before = disk.names.lock().len();
    let told = log.truncate(15).expect_err("there is no room for a new file");
    assert!(told.is_disk_full(), "{told}");
    assert!(disk.names.lock().len() < before, "files of what tables have go nevertheless");
    assert_eq!(ids(&log).into_keys().collect::<Vec<_>>(), (16..=20).collect::<Vec<_>>());
    // Of all that is forgotten one file stays, whose last position is followed by the next.
    log.truncate(20).expect_err("there is no room for a new file");
    assert_eq!((ids(&log).len(), disk.names.lock().len()), (0, 1));
    for left in [Left::All, Left::Synced] {
        let crashed = Arc::new(disk.crashed(left));
        assert_eq!(append(&open(&crashed, 20).expect("a log"), 22).expect("room").position, 21);
    }
    *disk.refusals.is_full.lock() = false;
    let ticket = append(&log, 22).expect("room again");
    log.wait(&ticket).expect("it survives");
    assert_eq!(ids(&log), BTreeMap::from([(21, 22)]));
    log.truncate(20).expect("what was left goes now");
    assert_eq!(ids(&open(&disk, 20).expect("a log")), BTreeMap::from([(21, 22)]));
}

#[test]
fn released_frames_leave_memory_and_disk_and_their_neighbours_stay() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = Log::open(folder.path(), true, CONFIG, 0).expect("a log");
    let size = || -> u64 {
        let files = std::fs::read_dir(folder.path()).expect("a folder");
        files.map(|it| it.expect("an entry").metadata().expect("a size").len()).sum()
    };
    for id in 1..=60 {
        log.wait(&append(&log, id).expect("room")).expect("a disk");
    }
    let (before, held) = (size(), log.held());
    log.release(|it| it.position != 4 && it.position <= 50).expect("a disk");
    let left: BTreeMap<i64, u64> = [4_i64].into_iter().chain(51..=60).map(|it| (it, it.unsigned_abs())).collect();
    assert_eq!(ids(&log), left);
    assert!(log.held() < held / 2 && size() < before * 2 / 3, "{} of {held}, {} of {before}", log.held(), size());
    // The position after the last stays what it is, whatever of them an opening finds.
    drop(log);
    let log = Log::open(folder.path(), true, CONFIG, 50).expect("a log");
    let found = ids(&log);
    assert!(left.iter().all(|it| found.get(it.0) == Some(it.1)), "{found:?}");
    assert_eq!(append(&log, 7).expect("room").position, 61);
    log.settle();
    // With the first that waited all before the next one goes.
    log.release(|it| it.position != 4 && it.position <= 50).expect("a disk");
    log.truncate(4).expect("a disk");
    assert_eq!(ids(&log).into_keys().collect::<Vec<_>>(), (51..=61).collect::<Vec<_>>());
    assert!(size() < before / 2, "{} of {before}", size());
}

/// More than the disk refuses one after the other.
const REFUSED_MAX: usize = 6;

#[derive(Debug, Clone)]
enum Step {
    Append,
    Wait,
    Truncate(f64),
    /// Two of three frames are in tables, and what stands between them is not.
    Release,
    Reopen,
    /// The process is killed, and the next one opens the log: what was not synced stands in the cache of the system.
    Kill,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => Just(Step::Append),
        2 => Just(Step::Wait),
        1 => (0.0..=1.0).prop_map(Step::Truncate),
        1 => Just(Step::Release),
        1 => Just(Step::Reopen),
        1 => Just(Step::Kill),
    ];
    prop::collection::vec(step, 1..60)
}

fn left() -> impl Strategy<Value = Left> {
    prop_oneof![
        Just(Left::All),
        Just(Left::Synced),
        any::<u64>().prop_map(Left::Names),
        (0.0..=1.0).prop_map(Left::Torn),
        (0.0..=1.0).prop_map(Left::Holes)
    ]
}

/// What was answered for or told by an opening, by position, and all that was ever written.
#[derive(Debug, Default)]
struct Model {
    next_id: u64,
    answered: BTreeMap<i64, u64>,
    written: Vec<(i64, u64)>,
    open: Vec<(Ticket, u64)>,
    truncated: i64,
    released: BTreeSet<i64>,
}

impl Model {
    /// Does some steps; the log is another one where a step opened it again.
    fn go(&mut self, disk: &Arc<Memory>, log: &mut Log, steps: &[Step]) {
        for step in steps {
            match step {
                Step::Reopen => {
                    self.wait(log);
                    // A disk that refuses here is asked again.
                    if let Ok(again) = open(disk, self.committed()) {
                        *log = again;
                    }
                }
                Step::Kill => {
                    self.open.clear();
                    // A process that cannot open the log ends, and is started again.
                    let again = (0..REFUSED_MAX).find_map(|_| open(disk, self.committed()).ok());
                    *log = again.expect("a disk that refuses no longer is opened");
                    self.told(log);
                }
                _ => self.take(log, step),
            }
        }
    }

    /// The highest position that any table has: what is released is in one.
    fn committed(&self) -> i64 {
        self.released.last().map_or(self.truncated, |it| self.truncated.max(*it))
    }

    /// What an opening tells may be in a table a moment later: from then on it is as good as answered for.
    fn told(&mut self, log: &Log) {
        self.answered.extend(ids(log));
    }

    fn take(&mut self, log: &Log, step: &Step) {
        match step {
            Step::Append => {
                self.next_id += 1;
                if let Ok(ticket) = append(log, self.next_id) {
                    self.written.push((ticket.position, self.next_id));
                    self.open.push((ticket, self.next_id));
                }
            }
            Step::Wait => self.wait(log),
            Step::Truncate(share) => {
                let (low, high) = (self.truncated, log.synced());
                let up_to = low + ((high - low) as f64 * share) as i64;
                // What is refused here is done by the next call.
                let _ = log.truncate(up_to);
                self.truncated = up_to;
            }
            Step::Release => {
                self.released.extend(ids(log).into_keys().filter(|it| it % 3 != 0));
                let _ = log.release(|it| it.position % 3 != 0);
                assert!(ids(log).into_keys().all(|it| it % 3 == 0), "what is released is told to nobody");
            }
            Step::Reopen | Step::Kill => {}
        }
    }

    fn wait(&mut self, log: &Log) {
        for (ticket, id) in self.open.drain(..) {
            if log.wait(&ticket).is_ok() {
                self.answered.insert(ticket.position, id);
            }
        }
    }

    /// Everything that was answered for and that no table has is there, once and unchanged; nothing is invented.
    fn check(&self, log: &Log) {
        let found = ids(log);
        for (position, id) in self.answered.range(self.truncated + 1..).filter(|it| !self.released.contains(it.0)) {
            assert_eq!(found.get(position), Some(id), "position {position} was answered for: {found:?}");
        }
        for it in &found {
            assert!(self.written.contains(&(*it.0, *it.1)), "nobody wrote {it:?}");
        }
        let positions: Vec<i64> = found.keys().copied().collect();
        // A file that could not be removed is followed by one that was rewritten without what is forgotten.
        let is_released = |it: i64| it <= self.truncated || self.released.contains(&it);
        let has_gap = positions.windows(2).any(|it| (it[0] + 1..it[1]).any(|it| !is_released(it)));
        assert!(!has_gap, "positions without a gap: {positions:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn whatever_was_answered_for_survives_any_crash_and_any_refusal(
        before in steps(), after in steps(), left in left(), then in left(),
        refused in prop::option::of((0_usize..60, 1_usize..REFUSED_MAX)),
    ) {
        let mut disk = Arc::new(Memory::default());
        let mut model = Model::default();
        let mut log = open(&disk, 0).expect("a log");
        if let Some((from, n)) = refused {
            disk.refuse(from, n);
        }
        for (steps, left) in [(&before, left), (&after, then)] {
            model.go(&disk, &mut log, steps);
            // Whoever waits now is told nothing.
            model.open.clear();
            disk = Arc::new(disk.crashed(left));
            log = open(&disk, model.committed()).expect("whatever is left is readable");
            model.check(&log);
            model.told(&log);
        }
        model.take(&log, &Step::Append);
        assert_eq!(model.open.len(), 1, "it goes on");
        model.wait(&log);
        model.check(&log);
        model.check(&open(&disk, model.committed()).expect("a log"));
    }
}
