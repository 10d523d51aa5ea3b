//! The log itself: appending, syncing together, forgetting what a table has.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use parking_lot::{Condvar, Mutex, MutexGuard};
use schema::point::pass;

use crate::disk::{Disk, DiskFile, LocalDisk};
use crate::segment::{self, Cut};
use crate::{Error, Frame};

/// How large the log may become.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// High-water mark: bytes of frames that wait for a commit; above it nothing is appended.
    pub bytes_max: u64,
    /// Bytes at which a file is closed and the next begun.
    pub segment_bytes: u64,
}

/// A frame that survives, and its place.
#[derive(Debug)]
pub struct Kept {
    /// Its position, one above that of the frame before.
    pub position: i64,
    /// What it holds.
    pub frame: Frame,
    /// Bytes that it takes in the log.
    pub bytes: u64,
}

/// Behind the name of the log's first file: the frames that are missing before it are given up.
const GIVEN_UP: &str = ".given-up";

const WAITING: u8 = 0;
const DURABLE: u8 = 1;
const LOST: u8 = 2;

/// A frame that was written and may not survive yet.
#[derive(Debug)]
#[must_use = "nobody may be answered before Log::wait"]
pub struct Ticket {
    /// Position of the frame.
    pub position: i64,
    fate: Arc<AtomicU8>,
}

impl Ticket {
    /// The ticket of a frame that survives already.
    pub fn durable(position: i64) -> Self {
        Self { position, fate: Arc::new(AtomicU8::new(DURABLE)) }
    }
}

/// A log, open for writing; one a folder.
pub struct Log {
    disk: Arc<dyn Disk>,
    config: Config,
    state: Mutex<State>,
    changed: Condvar,
    /// Held by whoever removes or rewrites closed files; nobody who writes or reads waits for that.
    keeping: Mutex<()>,
    cuts: Vec<Cut>,
}

struct State {
    /// Position of the newest frame that survives.
    synced: i64,
    /// Position of the newest frame that was written.
    written: i64,
    /// Frames that no table has, in order; those above `synced` are not told to anybody.
    frames: VecDeque<Arc<Kept>>,
    /// Bytes of `frames`.
    held: u64,
    /// Closed files, oldest first.
    closed: VecDeque<Closed>,
    active: Option<Active>,
    /// Somebody syncs or begins a file, and others wait with them.
    is_syncing: bool,
    /// How often the disk refused: a sync that was under way then speaks of bytes that are cut off.
    refusals: u64,
    /// Frames written and not synced, and who waits for them.
    waiting: Vec<Arc<AtomicU8>>,
    /// A file whose end must be cut before anything is written again, its first position and what is good of it.
    torn: Option<(String, i64, u64)>,
    /// What the disk said last.
    complaint: (String, std::io::ErrorKind),
}

/// A file that is written no longer.
struct Closed {
    name: String,
    first: i64,
    last: i64,
    bytes: u64,
}

/// The file that is written.
struct Active {
    name: String,
    first: i64,
    file: Arc<dyn DiskFile>,
    bytes: u64,
    /// Bytes of it that survive.
    synced_bytes: u64,
}

impl Log {
    /// Opens the log of a folder, makes it if it is missing, and cuts off what a crash left half written.
    ///
    /// `committed` is the highest position that any table has: the next frame stands above it, whatever became of the
    /// folder.
    ///
    /// # Errors
    /// [`Error::Damaged`] if frames that were answered for cannot be read, [`Error::Apart`] if log and tables are not of
    /// the same time, or the disk refuses.
    pub fn open(folder: &Path, is_synced: bool, config: Config, committed: i64) -> Result<Self, Error> {
        let disk = LocalDisk::new(folder, is_synced);
        let disk = disk.map_err(|source| Error::Io { action: "make", path: folder.to_owned(), source })?;
        Self::open_on(Arc::new(disk), config, committed)
    }

    /// Opens the log of any file system that can be written and synced.
    ///
    /// # Errors
    /// As [`Log::open`].
    pub fn open_on(disk: Arc<dyn Disk>, config: Config, committed: i64) -> Result<Self, Error> {
        let (mut frames, mut closed, mut cuts): (VecDeque<Arc<Kept>>, _, _) = (VecDeque::new(), VecDeque::new(), Vec::new());
        let names = names(&*disk)?;
        // What the log forgot was in a table: these tables are older ones, and what lies between is in neither.
        if let Some((first, name)) = names.first().filter(|it| committed + 1 < it.0) {
            let given_up = format!("{name}{GIVEN_UP}");
            if !disk.list().map_err(io("list", &*disk, ""))?.contains(&given_up) {
                let (path, n) = (disk.shown().join(name), first - 1 - committed);
                return Err(Error::Apart {
                    zh: format!(
                        "它从第 {first} 帧开始，而数据湖只到第 {committed} 帧：数据湖比推送日志旧，其间 {n} 帧两边都没有。请放回与日志同一时刻的\
                         数据湖；若确实没有，在它旁边新建空文件 {given_up}，表示放弃这些数据，再启动"
                    ),
                    en: format!(
                        "it begins with frame {first}, and no table has one above {committed}: the lake is older than the log, and the {n} \
                         between are in neither. Put the lake of the log's own time back; if there is none, an empty file {given_up} beside \
                         it says that they are given up"
                    ),
                    path,
                });
            }
            tracing::warn!(first, committed, "frames between lake and log are given up");
        }
        let mut next = None;
        for (place, (first, name)) in names.iter().enumerate() {
            let path = disk.shown().join(name);
            let is_last = place + 1 == names.len();
            if let Some(expected) = next.filter(|it| it != first) {
                let what = format!("it begins with frame {first}, but the file before it ends before frame {expected}");
                return Err(Error::Damaged { path, offset: 0, what });
            }
            let bytes = disk.read(name).map_err(io("read", &*disk, name))?;
            let read = segment::read(path.clone(), *first, &bytes, is_last)?;
            if let Some(offset) = read.torn_at {
                let cut = Cut { path, offset, bytes: bytes.len() as u64 - offset };
                tracing::warn!(?cut, "the log ended in the middle of a frame that nobody was answered for");
                cuts.push(cut);
                if offset == 0 {
                    disk.remove(name).map_err(io("remove", &*disk, name))?;
                    disk.sync_names().map_err(io("sync", &*disk, ""))?;
                    continue;
                }
            }
            if is_last {
                // What a killed process wrote is in no hurry to reach the disk, and the next file must not come first.
                let whole = read.torn_at.unwrap_or(bytes.len() as u64);
                disk.cut(name, whole).map_err(io("cut", &*disk, name))?;
                disk.sync_names().map_err(io("sync", &*disk, ""))?;
            }
            next = Some(read.last + 1);
            let whole = read.torn_at.unwrap_or(bytes.len() as u64);
            closed.push_back(Closed { name: name.clone(), first: *first, last: read.last, bytes: whole });
            frames.extend(read.frames.into_iter().map(|it| {
                let (position, frame, bytes) = (it.position, it.frame, it.bytes);
                Arc::new(Kept { position, frame, bytes })
            }));
        }
        let last = next.map_or(0, |it| it - 1);
        // A file whose head was cut has no frames and is gone: it says nothing of age.
        if let Some(Closed { name, .. }) = closed.back().filter(|_| last < committed) {
            return Err(Error::Apart {
                path: disk.shown().join(name),
                zh: format!(
                    "它到第 {last} 帧为止，而数据湖已有第 {committed} 帧：推送日志比数据湖旧。请放回较新的日志；若确实没有，把日志文件夹移走"
                ),
                en: format!(
                    "it ends with frame {last}, and a table has frame {committed}: the log is older than the lake; put the newer one \
                     back, or move this folder away if there is none"
                ),
            });
        }
        let last = last.max(committed);
        let held = frames.iter().map(|it| it.bytes).sum();
        let state = State {
            synced: last,
            written: last,
            frames,
            held,
            closed,
            active: None,
            is_syncing: false,
            refusals: 0,
            waiting: Vec::new(),
            torn: None,
            complaint: (String::new(), std::io::ErrorKind::Other),
        };
        Ok(Self { disk, config, state: Mutex::new(state), changed: Condvar::new(), keeping: Mutex::new(()), cuts })
    }

    /// What was cut off when the log was opened.
    pub fn cuts(&self) -> &[Cut] {
        &self.cuts
    }

    /// Writes a frame, which is made once its position is known; [`Log::wait`] says when it survives.
    ///
    /// # Errors
    /// [`Error::Full`] above the high-water mark, or the disk refuses; then the frame is not in the log.
    pub fn append<E: From<Error>>(&self, make: impl FnOnce(i64) -> Result<Frame, E>) -> Result<Ticket, E> {
        let mut state = self.state.lock();
        loop {
            self.mend(&mut state)?;
            if self.config.bytes_max <= state.held {
                return Err(Error::Full { held: state.held, limit: self.config.bytes_max }.into());
            }
            let is_full = |it: &Active| it.first <= state.written && self.config.segment_bytes <= it.bytes;
            // Both let others in, so all is looked at again.
            match state.active.as_ref().map(is_full) {
                Some(false) => break,
                Some(true) => self.close(&mut state)?,
                None => self.begin(&mut state)?,
            }
        }
        let position = state.written + 1;
        let frame = make(position)?;
        let bytes = segment::framed(position, state.synced, &frame.bytes()?);
        let n = bytes.len() as u64;
        if self.config.bytes_max < n {
            return Err(Error::TooLarge { bytes: n, limit: self.config.bytes_max }.into());
        }
        if self.config.bytes_max < state.held + n {
            return Err(Error::Full { held: state.held, limit: self.config.bytes_max }.into());
        }
        let Some(active) = &mut state.active else { return Err(self.lost(&state.complaint).into()) };
        pass("log.append.before");
        if let Err(source) = active.file.append(&bytes) {
            self.heal(&mut state, &source);
            return Err(self.lost(&state.complaint).into());
        }
        pass("log.append.after");
        active.bytes += n;
        state.written = position;
        state.held += n;
        state.frames.push_back(Arc::new(Kept { position, frame, bytes: n }));
        let fate = Arc::new(AtomicU8::new(WAITING));
        state.waiting.push(fate.clone());
        Ok(Ticket { position, fate })
    }

    /// Waits until a frame survives a power cut. All who wait at once share one sync. Blocks the thread.
    ///
    /// # Errors
    /// [`Error::Lost`] if the disk refused: the frame is not in the log.
    pub fn wait(&self, ticket: &Ticket) -> Result<(), Error> {
        let mut state = self.state.lock();
        loop {
            match ticket.fate.load(Ordering::Acquire) {
                DURABLE => return Ok(()),
                LOST => return Err(self.lost(&state.complaint)),
                _ if state.is_syncing => self.changed.wait(&mut state),
                _ => self.sync(&mut state),
            }
        }
    }

    /// Waits until of every frame that is written now it is known whether it survives. Blocks the thread.
    pub fn settle(&self) {
        let mut state = self.state.lock();
        let newest = state.written;
        while !state.waiting.is_empty() && state.synced < newest.min(state.written) {
            if state.is_syncing { self.changed.wait(&mut state) } else { self.sync(&mut state) }
        }
    }

    /// Syncs what is written; others write meanwhile.
    fn sync(&self, state: &mut MutexGuard<'_, State>) {
        let Some(active) = &state.active else { return };
        let (file, up_to, bytes) = (active.file.clone(), state.written, active.bytes);
        let (n, refusals) = (state.waiting.len(), state.refusals);
        state.is_syncing = true;
        let done = MutexGuard::unlocked(state, || {
            pass("log.sync.before");
            let done = file.sync();
            pass("log.sync.after");
            done
        });
        state.is_syncing = false;
        match done {
            // Somebody's write was refused meanwhile, and all who waited were told.
            _ if refusals != state.refusals => {}
            Ok(()) => {
                // No file is closed while somebody syncs, so it is still the same one.
                if let Some(active) = &mut state.active {
                    active.synced_bytes = bytes;
                }
                state.synced = up_to;
                state.waiting.drain(..n).for_each(|it| it.store(DURABLE, Ordering::Release));
            }
            // After a failure nothing is known of what was written since the last success, and another try that
            // succeeds would say nothing of it either.
            Err(error) => self.heal(state, &error),
        }
        self.changed.notify_all();
    }

    /// Frames that survive and that no table has yet, in order.
    pub fn tail(&self) -> Vec<Arc<Kept>> {
        let state = self.state.lock();
        state.frames.iter().filter(|it| it.position <= state.synced).cloned().collect()
    }

    /// Bytes of frames that wait for a commit.
    pub fn held(&self) -> u64 {
        self.state.lock().held
    }

    /// Position of the newest frame that survives.
    pub fn synced(&self) -> i64 {
        self.state.lock().synced
    }

    /// Forgets frames up to a position: only after the tables that have them survive a power cut.
    ///
    /// # Errors
    /// If the disk refuses; the frames are forgotten nevertheless, and their files go with a later call.
    pub fn truncate(&self, up_to: i64) -> Result<(), Error> {
        let _keeping = self.keeping.lock();
        let mut begun = Ok(());
        let gone: Vec<String> = {
            let mut state = self.state.lock();
            while state.is_syncing {
                self.changed.wait(&mut state);
            }
            let up_to = up_to.min(state.synced);
            while state.frames.front().is_some_and(|it| it.position <= up_to) {
                state.held -= state.frames.pop_front().map_or(0, |it| it.bytes);
            }
            // Frames behind it may have been released: whatever lies before the first that waits is forgotten.
            let up_to = state.frames.front().map_or(state.synced, |it| state.synced.min(it.position - 1));
            self.mend(&mut state)?;
            pass("log.truncate.before");
            if state.frames.is_empty() && state.active.as_ref().is_some_and(|it| it.first <= state.written) {
                self.close(&mut state)?;
            }
            if state.closed.iter().any(|it| it.last <= up_to) {
                // The next position stands in the name of a file, so there is always one.
                begun = self.begin(&mut state);
            }
            let mut gone: Vec<String> = state.closed.iter().take_while(|it| it.last <= up_to).map(|it| it.name.clone()).collect();
            if begun.is_err() && gone.len() == state.closed.len() {
                // A full disk takes no new file, and is freed by what goes: the newest stays in its place.
                gone.pop();
            }
            gone
        };
        for name in gone {
            self.gone(&name)?;
            pass("log.truncate.middle");
            // One after the other: of several names that vanish at once a power cut may bring back any, and a log that
            // has its first and third file and not its second is damaged to whoever opens it.
            self.disk.sync_names().map_err(io("sync", &*self.disk, ""))?;
            self.state.lock().closed.retain(|it| it.name != name);
        }
        pass("log.truncate.after");
        begun
    }

    /// Forgets single frames that survive in tables while others before them wait for theirs. They count no longer, and
    /// leave the disk when they are most of a closed file; a crash may bring them back.
    ///
    /// # Errors
    /// If the disk refuses; the frames are forgotten nevertheless, and their bytes go with a later call.
    pub fn release(&self, is_done: impl Fn(&Kept) -> bool) -> Result<(), Error> {
        let _keeping = self.keeping.lock();
        let (sparse, live) = {
            let mut state = self.state.lock();
            let State { frames, held, synced, closed, .. } = &mut *state;
            frames.retain(|it| {
                let is_gone = it.position <= *synced && is_done(it);
                *held -= if is_gone { it.bytes } else { 0 };
                !is_gone
            });
            let live: BTreeMap<i64, u64> = frames.iter().map(|it| (it.position, it.bytes)).collect();
            let needed = |it: &Closed| {
                let (n, bytes) = live.range(it.first..=it.last).fold((0_u64, 0_u64), |sum, it| (sum.0 + 1, sum.1 + *it.1));
                segment::thin_bytes((it.last - it.first + 1).unsigned_abs() - n, bytes)
            };
            let sparse = closed.iter().filter(|it| it.first <= it.last && 2 * needed(it) < it.bytes);
            let sparse: Vec<(String, i64)> = sparse.map(|it| (it.name.clone(), it.first)).collect();
            (sparse, live)
        };
        for (name, first) in sparse {
            let bytes = self.disk.read(&name).map_err(io("read", &*self.disk, &name))?;
            // What cannot be read is left as it is: the next opening says what is wrong with it.
            let Some(thin) = segment::thinned(&bytes, first, &|it| live.contains_key(&it)) else { continue };
            pass("log.release.before");
            self.disk.replace(&name, &thin).map_err(io("rewrite", &*self.disk, &name))?;
            pass("log.release.middle");
            self.disk.sync_names().map_err(io("sync", &*self.disk, ""))?;
            pass("log.release.after");
            if let Some(it) = self.state.lock().closed.iter_mut().find(|it| it.name == name) {
                it.bytes = thin.len() as u64;
            }
        }
        Ok(())
    }

    /// Removes a file that an earlier try may have removed.
    fn gone(&self, name: &str) -> Result<(), Error> {
        match self.disk.remove(name) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io("remove", &*self.disk, name)(error)),
            _ => Ok(()),
        }
    }

    /// Closes the file that is written, all of it synced; others write and read while the disk works.
    fn close(&self, state: &mut MutexGuard<'_, State>) -> Result<(), Error> {
        loop {
            while state.is_syncing {
                self.changed.wait(state);
            }
            self.mend(state)?;
            pass("log.close.before");
            if state.written <= state.synced {
                break;
            }
            self.sync(state);
        }
        // Others were let in while this waited: the file may be a new one by now.
        let written = state.written;
        if let Some(Active { name, first, bytes, .. }) = state.active.take_if(|it| it.first <= written) {
            state.closed.push_back(Closed { name, first, last: written, bytes });
        }
        pass("log.close.after");
        Ok(())
    }

    /// Begins a file, if none is open; others read while the disk works.
    fn begin(&self, state: &mut MutexGuard<'_, State>) -> Result<(), Error> {
        while state.is_syncing {
            self.changed.wait(state);
        }
        if state.active.is_some() {
            return Ok(());
        }
        // Nobody writes without an open file, so this stays the next position.
        let first = state.written + 1;
        let name = segment::name(first);
        state.is_syncing = true;
        let file = MutexGuard::unlocked(state, || {
            pass("log.open.before");
            let begun = self.begun(&name, first).inspect_err(|_| drop(self.disk.remove(&name)));
            pass("log.open.after");
            begun
        });
        state.is_syncing = false;
        self.changed.notify_all();
        let file = Arc::from(file.map_err(io("begin", &*self.disk, &name))?);
        // A file of the last opening into which nothing was written has the same name.
        state.closed.retain(|it| it.name != name);
        let bytes = segment::HEAD as u64;
        state.active = Some(Active { name, first, file, bytes, synced_bytes: bytes });
        Ok(())
    }

    /// A file with its head, under a name that survives.
    fn begun(&self, name: &str, first: i64) -> std::io::Result<Box<dyn DiskFile>> {
        let file = match self.disk.create(name) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                // Left by a try that failed: no frame of it can be whole, for none was given this position.
                self.disk.remove(name)?;
                self.disk.create(name)?
            }
            created => created?,
        };
        file.append(&segment::head(first))?;
        file.sync()?;
        self.disk.sync_names()?;
        Ok(file)
    }

    /// After the disk refused: whatever was not synced is gone, and who waited for it is told.
    fn heal(&self, state: &mut MutexGuard<'_, State>, said: &std::io::Error) {
        state.complaint = (said.to_string(), said.kind());
        state.refusals += 1;
        if let Some(active) = state.active.take() {
            state.torn = Some((active.name, active.first, active.synced_bytes));
        }
        while state.frames.back().is_some_and(|it| state.synced < it.position) {
            state.held -= state.frames.pop_back().map_or(0, |it| it.bytes);
        }
        state.written = state.synced;
        state.waiting.drain(..).for_each(|it| it.store(LOST, Ordering::Release));
        tracing::error!(%said, "the disk refused, frames that nobody was answered for are dropped");
        // If this fails too, the next call tries again before it writes anything.
        let _ = self.mend(state);
        self.changed.notify_all();
    }

    /// Cuts off what the disk refused to keep.
    fn mend(&self, state: &mut MutexGuard<'_, State>) -> Result<(), Error> {
        let Some((name, first, length)) = state.torn.clone() else { return Ok(()) };
        if length <= segment::HEAD as u64 {
            self.gone(&name)?;
            self.disk.sync_names().map_err(io("sync", &*self.disk, ""))?;
        } else {
            self.disk.cut(&name, length).map_err(io("cut", &*self.disk, &name))?;
            let last = state.synced;
            state.closed.push_back(Closed { name, first, last, bytes: length });
        }
        state.torn = None;
        Ok(())
    }

    fn lost(&self, (why, kind): &(String, std::io::ErrorKind)) -> Error {
        Error::Lost { path: self.disk.shown(), why: why.clone(), kind: *kind }
    }
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log").field("disk", &self.disk).finish_non_exhaustive()
    }
}

/// Frames of a folder as they stand, for a reader beside a writer: nothing is mended, and what is not whole is not told.
///
/// Look at the log first and at the tables after: a commit in between then shows its rows in the table.
///
/// # Errors
/// If the folder cannot be read; that there is none is no error.
pub fn peek(folder: &Path) -> Result<Vec<Arc<Kept>>, Error> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let disk = LocalDisk::new(folder, false).map_err(|source| Error::Io { action: "find", path: folder.to_owned(), source })?;
    let mut frames = Vec::new();
    for (first, name) in names(&disk)? {
        let bytes = match disk.read(&name) {
            // Its frames are in the tables by now.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            read => read.map_err(io("read", &disk, &name))?,
        };
        // While the writer goes on, any file may be the last one.
        let read = segment::read(folder.join(&name), first, &bytes, true)?;
        frames.extend(read.frames.into_iter().map(|it| {
            let (position, frame, bytes) = (it.position, it.frame, it.bytes);
            Arc::new(Kept { position, frame, bytes })
        }));
    }
    Ok(frames)
}

/// Torn ends of a folder's files, which the next opening for writing will cut off; nothing is changed. While somebody
/// writes, the end of the newest file may be torn for a moment.
///
/// # Errors
/// [`Error::Damaged`] if frames that were answered for cannot be read, or the folder cannot be.
pub fn torn(folder: &Path) -> Result<Vec<Cut>, Error> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let disk = LocalDisk::new(folder, false).map_err(|source| Error::Io { action: "find", path: folder.to_owned(), source })?;
    let names = names(&disk)?;
    let mut cuts = Vec::new();
    for (place, (first, name)) in names.iter().enumerate() {
        let bytes = match disk.read(name) {
            // The writer has forgotten it meanwhile.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            read => read.map_err(io("read", &disk, name))?,
        };
        let path = folder.join(name);
        let read = segment::read(path.clone(), *first, &bytes, place + 1 == names.len())?;
        if let Some(offset) = read.torn_at {
            cuts.push(Cut { path, offset, bytes: bytes.len() as u64 - offset });
        }
    }
    Ok(cuts)
}

fn names(disk: &dyn Disk) -> Result<Vec<(i64, String)>, Error> {
    let names = disk.list().map_err(io("list", disk, ""))?;
    let mut names: Vec<(i64, String)> = names.into_iter().filter_map(|it| Some((segment::first_of(&it)?, it))).collect();
    names.sort();
    Ok(names)
}

fn io(action: &'static str, disk: &dyn Disk, name: &str) -> impl FnOnce(std::io::Error) -> Error {
    let path = if name.is_empty() { disk.shown() } else { disk.shown().join(name) };
    move |source| Error::Io { action, path, source }
}
