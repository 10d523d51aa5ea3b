//! The few things the lake asks of a file system, so that a test can cut the power between any two of them.
//!
//! Everything that must survive a power cut goes through [`Disk`]; reading does not, the page cache sees all.

use std::collections::HashSet;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use schema::point::pass;

/// A file being written.
pub trait DiskFile: Write + Send {
    /// Makes the bytes written so far survive a power cut; the name does so by [`Disk::sync_dir`] only.
    ///
    /// # Errors
    /// If the disk refuses.
    fn sync(&mut self) -> io::Result<()>;
}

/// The changes the lake makes to a file system, each as small as POSIX promises it.
pub trait Disk: fmt::Debug + Send + Sync + 'static {
    /// Creates a file that does not exist yet.
    ///
    /// # Errors
    /// If it exists, or the disk refuses.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Gives a file a second name, unless the name is taken.
    ///
    /// # Errors
    /// If the name is taken, or the disk refuses.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Moves a name over another.
    ///
    /// # Errors
    /// If the disk refuses.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a name.
    ///
    /// # Errors
    /// If the disk refuses.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Creates one folder.
    ///
    /// # Errors
    /// If it exists, or the disk refuses.
    fn create_dir(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a folder survive a power cut.
    ///
    /// # Errors
    /// If the disk refuses.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
}

/// The file system of the machine.
#[derive(Debug)]
pub struct LocalDisk {
    /// Without it a kill is still harmless, a power cut is not.
    pub is_synced: bool,
}

struct LocalFile {
    file: File,
    is_synced: bool,
}

impl Write for LocalFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl DiskFile for LocalFile {
    fn sync(&mut self) -> io::Result<()> {
        if self.is_synced { self.file.sync_all() } else { Ok(()) }
    }
}

impl Disk for LocalDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new().write(true).create_new(true).open(path)?;
        Ok(Box::new(LocalFile { file, is_synced: self.is_synced }))
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        if self.is_synced { File::open(path)?.sync_all() } else { Ok(()) }
    }
}

/// Folders of one lake that are known to survive a power cut.
///
/// That a folder exists says nothing: another thread may have made it a moment ago and not yet synced its parent,
/// and a file committed into it would vanish with it. So whoever needs a folder syncs the parent once.
#[derive(Debug)]
pub(crate) struct Folders {
    disk: Arc<dyn Disk>,
    top: PathBuf,
    durable: Mutex<HashSet<PathBuf>>,
}

impl Folders {
    /// Starts below `top`, which exists.
    pub(crate) fn new(disk: Arc<dyn Disk>, top: PathBuf) -> Self {
        Folders { disk, top, durable: Mutex::default() }
    }

    /// The file system underneath.
    pub(crate) fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    /// Makes a folder and all above it up to the top, durably.
    pub(crate) fn ensure(&self, folder: &Path) -> io::Result<()> {
        if folder == self.top || self.set().contains(folder) {
            return Ok(());
        }
        let Some(parent) = folder.parent() else { return Ok(()) };
        self.ensure(parent)?;
        match self.disk.create_dir(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => self.disk.sync_dir(parent)?,
        }
        self.set().insert(folder.to_owned());
        Ok(())
    }

    /// Forgets a folder that was removed, and all below it.
    pub(crate) fn forget(&self, folder: &Path) {
        self.set().retain(|it| !it.starts_with(folder));
    }

    fn set(&self) -> std::sync::MutexGuard<'_, HashSet<PathBuf>> {
        // A panic elsewhere leaves a smaller set at worst, and that only costs a sync.
        self.durable.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a file under a name nobody reads, syncs it, and returns the name: `<path>#<n>`, which the local
    /// object store leaves out of its listings.
    pub(crate) fn stage(&self, path: &Path, chunks: &[impl AsRef<[u8]>]) -> io::Result<PathBuf> {
        if let Some(parent) = path.parent() {
            self.ensure(parent)?;
        }
        let mut n = 1u32;
        let (mut file, staged) = loop {
            let mut name = path.as_os_str().to_owned();
            name.push(format!("#{n}"));
            let staged = PathBuf::from(name);
            match self.disk.create(&staged) {
                Ok(file) => break (file, staged),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => n += 1,
                Err(error) => return Err(error),
            }
        };
        let written = chunks.iter().try_for_each(|it| file.write_all(it.as_ref())).and_then(|()| file.sync());
        if let Err(error) = written {
            drop(file);
            let _ = self.disk.remove(&staged);
            return Err(error);
        }
        Ok(staged)
    }

    /// Puts a file in place whole and durable, replacing what was there.
    pub(crate) fn put(&self, path: &Path, chunks: &[impl AsRef<[u8]>]) -> io::Result<()> {
        let staged = self.stage(path, chunks)?;
        self.disk.rename(&staged, path).inspect_err(|_| drop(self.disk.remove(&staged)))?;
        self.sync_parent(path)
    }

    /// Puts a file in place whole and durable, unless the name is taken.
    ///
    /// The bytes are durable before the name appears: an entry that is seen is never torn.
    pub(crate) fn put_new(&self, path: &Path, chunks: &[impl AsRef<[u8]>]) -> io::Result<()> {
        let staged = self.stage(path, chunks)?;
        let linked = self.disk.link(&staged, path);
        let synced = linked.and_then(|()| {
            // From here on it is seen, and a power cut may still take it away.
            pass("commit.entry.linked");
            self.sync_parent(path)
        });
        let _ = self.disk.remove(&staged);
        synced
    }

    /// Makes the name of a file survive a power cut.
    pub(crate) fn sync_parent(&self, path: &Path) -> io::Result<()> {
        path.parent().map_or(Ok(()), |it| self.disk.sync_dir(it))
    }
}
