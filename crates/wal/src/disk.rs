//! The few things the log asks of a file system, so that a test can cut the power between any two of them.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A file being written at its end.
pub trait DiskFile: Send + Sync {
    /// Adds bytes at the end.
    ///
    /// # Errors
    /// If the disk refuses; some of the bytes may have been added.
    fn append(&self, bytes: &[u8]) -> io::Result<()>;

    /// Makes the bytes added so far survive a power cut; the name does so by [`Disk::sync_names`] only.
    ///
    /// # Errors
    /// If the disk refuses: nothing is then known of any byte since the last success.
    fn sync(&self) -> io::Result<()>;
}

/// One folder of files.
pub trait Disk: fmt::Debug + Send + Sync + 'static {
    /// Names of the files, in any order.
    ///
    /// # Errors
    /// If the folder cannot be read.
    fn list(&self) -> io::Result<Vec<String>>;

    /// The bytes of a file.
    ///
    /// # Errors
    /// If there is none, or it cannot be read.
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;

    /// Creates a file that does not exist yet.
    ///
    /// # Errors
    /// If it exists, or the disk refuses.
    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;

    /// Cuts a file to its first bytes, and makes what is left survive a power cut.
    ///
    /// # Errors
    /// If the disk refuses.
    fn cut(&self, name: &str, length: u64) -> io::Result<()>;

    /// Puts other bytes in the place of a file, all or nothing: they survive a power cut before the name leads to them.
    ///
    /// # Errors
    /// If the disk refuses; the file is then as it was.
    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// If the disk refuses.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes the names survive a power cut.
    ///
    /// # Errors
    /// If the disk refuses.
    fn sync_names(&self) -> io::Result<()>;

    /// The folder, for messages.
    fn shown(&self) -> PathBuf;
}

/// Where a file is written that takes another's place; what a crash left of one is written over.
const BESIDE: &str = "rewritten.tmp";

/// A folder of the machine.
#[derive(Debug)]
pub struct LocalDisk {
    folder: PathBuf,
    /// Without it a kill is still harmless, a power cut is not.
    is_synced: bool,
    on_sync: OnSync,
}

/// Who is told how long a sync took, if anybody is.
#[derive(Clone, Default)]
struct OnSync(Option<Arc<dyn Fn(Duration) + Send + Sync>>);

impl fmt::Debug for OnSync {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OnSync").field(&self.0.is_some()).finish()
    }
}

impl LocalDisk {
    /// Opens a folder, and makes it if it is missing.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn new(folder: &Path, is_synced: bool) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        if is_synced && let Some(parent) = folder.parent().filter(|it| !it.as_os_str().is_empty()) {
            File::open(parent)?.sync_all()?;
        }
        Ok(Self { folder: folder.to_owned(), is_synced, on_sync: OnSync::default() })
    }

    /// The same, telling somebody how long each sync of a file took: what senders wait for.
    pub fn timed(self, told: impl Fn(Duration) + Send + Sync + 'static) -> Self {
        Self { on_sync: OnSync(Some(Arc::new(told))), ..self }
    }
}

struct LocalFile {
    file: File,
    is_synced: bool,
    on_sync: OnSync,
}

impl DiskFile for LocalFile {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        (&self.file).write_all(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        if !self.is_synced {
            return Ok(());
        }
        let began = Instant::now();
        let done = self.file.sync_data();
        if let Some(told) = &self.on_sync.0 {
            told(began.elapsed());
        }
        done
    }
}

impl Disk for LocalDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        let names = fs::read_dir(&self.folder)?.map(|it| Ok(it?.file_name().to_string_lossy().into_owned()));
        names.collect()
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.folder.join(name))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.append(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(self.folder.join(name))?;
        Ok(Box::new(LocalFile { file, is_synced: self.is_synced, on_sync: self.on_sync.clone() }))
    }

    fn cut(&self, name: &str, length: u64) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(self.folder.join(name))?;
        file.set_len(length)?;
        if self.is_synced { file.sync_all() } else { Ok(()) }
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let beside = self.folder.join(BESIDE);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&beside)?;
        file.write_all(bytes)?;
        if self.is_synced {
            file.sync_all()?;
        }
        fs::rename(&beside, self.folder.join(name))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.folder.join(name))
    }

    fn sync_names(&self) -> io::Result<()> {
        if self.is_synced { File::open(&self.folder)?.sync_all() } else { Ok(()) }
    }

    fn shown(&self) -> PathBuf {
        self.folder.clone()
    }
}
