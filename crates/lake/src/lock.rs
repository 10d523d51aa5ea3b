//! One writer a lake: the lock, who holds it, and what stands in `lake.json`.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::disk::Folders;
use crate::error::Error;

/// Newest layout of a lake's folder that this program knows.
pub(crate) const FORMAT: u64 = 1;

const CARD: &str = "lake.json";
const LOCK: &str = ".lock";

/// What a lake says of itself in `lake.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Card {
    pub(crate) format: u64,
    pub(crate) project: Option<String>,
    /// How often the lake was opened for writing: the number stands in the name of every file written since, so
    /// names never repeat and the files of a run that was cut are found by name.
    pub(crate) opened: u64,
}

impl Card {
    /// Reads the card, or `None` if the folder has none yet.
    ///
    /// # Errors
    /// If it cannot be read, or was written by a newer program.
    pub(crate) fn read(root: &Path) -> Result<Option<Card>, Error> {
        let path = root.join(CARD);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("read", path)(error)),
        };
        // The format is read first and alone: a newer card may lack everything else.
        #[derive(Deserialize)]
        struct Format {
            format: u64,
        }
        let not_a_lake = |_| Error::NotALake { root: root.to_owned() };
        let Format { format } = serde_json::from_slice(&text).map_err(not_a_lake)?;
        if FORMAT < format {
            return Err(Error::NewerFormat { root: root.to_owned(), found: format, known: FORMAT });
        }
        serde_json::from_slice(&text).map(Some).map_err(not_a_lake)
    }

    /// Writes the card durably.
    pub(crate) fn write(&self, folders: &Folders, root: &Path) -> Result<(), Error> {
        let path = root.join(CARD);
        let text = serde_json::to_vec(self).expect("a card is plain data");
        folders.put(&path, &[text]).map_err(Error::io("write", path))
    }
}

/// Who holds the lock, as read by whoever is refused.
#[derive(Debug, Serialize, Deserialize)]
struct Holder {
    pid: u32,
    command: String,
    /// [`Card::opened`] of the holder.
    opened: u64,
}

/// The lock on a lake; it goes when this is dropped or the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
    path: PathBuf,
    is_claimed: bool,
}

impl Lock {
    /// Takes the lock, and says which opening was cut before it could clean up, if one was.
    ///
    /// # Errors
    /// [`Error::Locked`] if another process, or another handle of this one, holds it.
    pub(crate) fn take(root: &Path) -> Result<(Lock, Option<u64>), Error> {
        let path = root.join(LOCK);
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = open.map_err(Error::io("open", &path))?;
        let is_taken = match file.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => false,
            Err(TryLockError::Error(error)) => return Err(Error::io("lock", &path)(error)),
        };
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(Error::io("read", &path))?;
        let holder: Option<Holder> = serde_json::from_str(&text).ok();
        if !is_taken {
            let holder = holder.map_or_else(|| "another process".to_owned(), |it| format!("process {} ({})", it.pid, it.command));
            return Err(Error::Locked { root: root.to_owned(), holder });
        }
        Ok((Lock { file, path, is_claimed: false }, holder.map(|it| it.opened)))
    }

    /// Writes who holds the lock now.
    pub(crate) fn claim(&mut self, opened: u64) -> Result<(), Error> {
        let command = std::env::args().collect::<Vec<_>>().join(" ");
        let holder = Holder { pid: std::process::id(), command, opened };
        let text = serde_json::to_vec(&holder).expect("a holder is plain data");
        self.rewrite(&text).map_err(Error::io("write", &self.path))?;
        self.is_claimed = true;
        Ok(())
    }

    fn rewrite(&mut self, text: &[u8]) -> std::io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(text)?;
        self.file.sync_data()
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // An empty lock file says that the last holder left in order. Before the claim the file still names the
        // one who did not, and whoever opens next must hear of it.
        if self.is_claimed {
            let _ = self.rewrite(b"");
        }
    }
}
