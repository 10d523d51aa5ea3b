//! The lake itself: one folder, one writer, any number of readers.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use deltalake::DeltaTableBuilder;
use deltalake::logstore::LogStoreRef;
use object_store::ObjectStore;
use serde::{Deserialize, Serialize};
use tokio::sync::MutexGuard;
use url::Url;

use crate::disk::{Disk, Folders, LocalDisk};
use crate::error::Error;
use crate::lock::{Card, FORMAT, Lock};
use crate::replay::TableState;
use crate::snapshot::Snapshot;
use crate::store::FsyncStore;

/// Folder of a table that holds its log.
pub(crate) const LOG: &str = "_delta_log";

/// Where a lake lies and what it survives.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Folder of the lake; made if missing.
    pub root: PathBuf,
    /// What a commit that was answered survives.
    #[serde(default)]
    pub durability: Durability,
}

/// What a commit that was answered survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// A power cut: data, log entry and folders are synced before the answer.
    #[default]
    Fsync,
    /// A killed process only; for demos, tests and lakes that can be built again.
    Os,
}

/// A lake: clones share everything.
#[derive(Debug, Clone)]
pub struct Lake {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) root: PathBuf,
    pub(crate) folders: Arc<Folders>,
    store: Arc<dyn ObjectStore>,
    slots: Mutex<HashMap<String, Arc<Slot>>>,
    /// Tables that were seen with a log: the folder of each is looked into once, and not with every session.
    with_log: Mutex<HashSet<String>>,
    card: Mutex<Card>,
    /// [`Card::opened`] of this opening; 0 if opened for reading.
    pub(crate) opened: u64,
    /// Files named so far in this opening.
    pub(crate) named: AtomicU64,
    is_writer: bool,
    // Held for its lifetime. The last field, so that everything else is gone when the lock goes.
    lock: Mutex<Option<Lock>>,
}

/// One table of the lake: its log, and what of it is known.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) table: String,
    pub(crate) folder: PathBuf,
    pub(crate) log: LogStoreRef,
    state: tokio::sync::Mutex<Option<TableState>>,
    /// What makes names durable; nothing in a lake that was opened for reading.
    folders: Option<Arc<Folders>>,
    /// The version whose entry, with all before it, is known to survive a power cut. Changes under the lock of the state only.
    durable: AtomicI64,
}

/// No version: nothing is known to be durable.
const NONE: i64 = -1;

impl Lake {
    /// Opens a lake for writing, makes it if it is not there, and removes what a run that was cut left behind.
    ///
    /// # Errors
    /// [`Error::Locked`] while another holds it, [`Error::NewerFormat`] if a newer program made it.
    pub async fn open(config: Config) -> Result<Lake, Error> {
        let disk = LocalDisk { is_synced: config.durability == Durability::Fsync };
        Lake::open_on(config.root, Arc::new(disk)).await
    }

    /// Opens a lake for writing on any file system that can be written and synced.
    ///
    /// # Errors
    /// As [`Lake::open`].
    pub async fn open_on(root: PathBuf, disk: Arc<dyn Disk>) -> Result<Lake, Error> {
        std::fs::create_dir_all(&root).map_err(Error::io("create", &root))?;
        let root = root.canonicalize().map_err(Error::io("find", &root))?;
        let (lock, cut) = Lock::take(&root)?;
        let mut card = Card::read(&root)?.unwrap_or(Card { format: FORMAT, project: None, opened: 0 });
        card.opened += 1;
        let folders = Arc::new(Folders::new(disk, root.clone()));
        card.write(&folders, &root)?;

        let opened = card.opened;
        let lake = Lake::assemble(root, folders, card, Some(lock));
        if let Some(cut) = cut {
            lake.sweep_staged(cut).await?;
        }
        if let Some(lock) = lake.inner.lock.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            lock.claim(opened)?;
        }
        Ok(lake)
    }

    /// Opens a lake for reading, beside a writer or not.
    ///
    /// # Errors
    /// [`Error::NotALake`] if there is none, [`Error::NewerFormat`] if a newer program made it.
    pub async fn open_read(config: Config) -> Result<Lake, Error> {
        let Ok(root) = config.root.canonicalize() else { return Err(Error::NotALake { root: config.root }) };
        let Some(mut card) = Card::read(&root)? else { return Err(Error::NotALake { root }) };
        card.opened = 0;
        let folders = Arc::new(Folders::new(Arc::new(LocalDisk { is_synced: false }), root.clone()));
        Ok(Lake::assemble(root, folders, card, None))
    }

    fn assemble(root: PathBuf, folders: Arc<Folders>, card: Card, lock: Option<Lock>) -> Lake {
        let inner = Inner {
            root,
            store: Arc::new(FsyncStore::new(Arc::clone(&folders))),
            folders,
            slots: Mutex::default(),
            with_log: Mutex::default(),
            opened: card.opened,
            card: Mutex::new(card),
            named: AtomicU64::new(0),
            is_writer: lock.is_some(),
            lock: Mutex::new(lock),
        };
        Lake { inner: Arc::new(inner) }
    }

    /// Folder of the lake, absolute.
    pub fn root(&self) -> &Path {
        &self.inner.root
    }

    /// The project the lake was made for, if it was told.
    pub fn project(&self) -> Option<String> {
        self.inner.card.lock().unwrap_or_else(PoisonError::into_inner).project.clone()
    }

    /// Writes down which project the lake belongs to.
    ///
    /// # Errors
    /// If the lake was opened for reading, or `lake.json` cannot be written.
    pub fn remember_project(&self, project: &str) -> Result<(), Error> {
        self.writable("")?;
        let mut card = self.inner.card.lock().unwrap_or_else(PoisonError::into_inner);
        card.project = Some(project.to_owned());
        card.write(&self.inner.folders, &self.inner.root)
    }

    /// Names of all tables, sorted.
    ///
    /// # Errors
    /// If the folder cannot be listed.
    pub fn tables(&self) -> Result<Vec<String>, Error> {
        let mut tables = self.folders()?;
        let mut with_log = self.inner.with_log.lock().unwrap_or_else(PoisonError::into_inner);
        let mut is_table =
            |it: &String| with_log.contains(it) || (self.inner.root.join(it).join(LOG).is_dir() && with_log.insert(it.clone()));
        tables.retain(&mut is_table);
        tables.sort();
        Ok(tables)
    }

    /// Folders of the lake that could be tables, with a log or not.
    pub(crate) fn folders(&self) -> Result<Vec<String>, Error> {
        let root = &self.inner.root;
        let listed = std::fs::read_dir(root).and_then(|it| it.collect::<Result<Vec<_>, _>>());
        let entries = listed.map_err(Error::io("list", root))?;
        let names = entries.into_iter().filter_map(|it| it.file_name().into_string().ok());
        Ok(names.filter(|it| is_table_name(it)).collect())
    }

    /// Pins the newest version of a table, or `None` if the table does not exist.
    ///
    /// # Errors
    /// If the log cannot be read or asks for features this lake does not handle.
    pub async fn snapshot(&self, table: &str) -> Result<Option<Snapshot>, Error> {
        let slot = self.slot(table)?;
        let mut state = slot.refreshed().await?;
        Ok(state.as_mut().map(|it| it.snapshot(&slot)))
    }

    /// Pins the newest version of a table with the last position that `app_id` committed to that very version.
    ///
    /// Asking for the two one after the other would let a commit in between, whose rows then stand in neither.
    ///
    /// # Errors
    /// If the log cannot be read or asks for features this lake does not handle.
    pub async fn snapshot_with_position(&self, table: &str, app_id: &str) -> Result<Option<(Snapshot, Option<i64>)>, Error> {
        let slot = self.slot(table)?;
        let mut state = slot.refreshed().await?;
        let Some(state) = state.as_mut() else { return Ok(None) };
        let position = state.position(&slot, app_id).await?;
        Ok(Some((state.snapshot(&slot), position)))
    }

    /// Pins a version of a table, or `None` if the table does not exist.
    ///
    /// # Errors
    /// [`Error::NoVersion`] if there is no such version, or its log was cleaned up.
    pub async fn snapshot_at(&self, table: &str, version: i64) -> Result<Option<Snapshot>, Error> {
        let slot = self.slot(table)?;
        {
            let mut state = slot.refreshed().await?;
            match state.as_mut() {
                None => return Ok(None),
                Some(state) if state.version == version => return Ok(Some(state.snapshot(&slot))),
                Some(state) if version < 0 || state.version < version => {
                    return Err(Error::NoVersion { table: table.to_owned(), version });
                }
                Some(_) => {}
            }
        }
        let mut old = TableState::load(&slot, Some(version)).await?;
        Ok(Some(old.snapshot(&slot)))
    }

    /// Last position that `app_id` committed to a table.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub async fn position(&self, table: &str, app_id: &str) -> Result<Option<i64>, Error> {
        let slot = self.slot(table)?;
        let mut state = slot.refreshed().await?;
        match state.as_mut() {
            Some(state) => state.position(&slot, app_id).await,
            None => Ok(None),
        }
    }

    /// Removes a table with all its files and its history; absent is as good as removed.
    ///
    /// # Errors
    /// If the folder cannot be removed.
    pub async fn drop_table(&self, table: &str) -> Result<(), Error> {
        self.writable(table)?;
        let slot = self.slot(table)?;
        let mut state = slot.state.lock().await;
        *state = None;
        slot.made_durable(NONE);
        self.inner.folders.forget(&slot.folder);
        // The log goes first: a drop that is cut leaves files without a table, never a table without its files.
        for folder in [slot.folder.join(LOG), slot.folder.clone()] {
            match std::fs::remove_dir_all(&folder) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::io("remove", folder)(error));
                }
                _ => self.inner.folders.sync_parent(&folder).or_else(not_found).map_err(Error::io("sync", folder))?,
            }
            self.inner.with_log.lock().unwrap_or_else(PoisonError::into_inner).remove(table);
        }
        Ok(())
    }

    /// Refuses unless the lake was opened for writing.
    pub(crate) fn writable(&self, table: &str) -> Result<(), Error> {
        if self.inner.is_writer { Ok(()) } else { Err(Error::ReadOnly { table: table.to_owned() }) }
    }

    /// The one place where a table's log and state are kept.
    pub(crate) fn slot(&self, table: &str) -> Result<Arc<Slot>, Error> {
        if !is_table_name(table) {
            return Err(Error::BadName { table: table.to_owned() });
        }
        let mut slots = self.inner.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(table) {
            return Ok(Arc::clone(slot));
        }
        let folder = self.inner.root.join(table);
        let url = Url::from_directory_path(&folder).expect("the root is absolute");
        let log = DeltaTableBuilder::from_url(url.clone())
            .and_then(|it| it.with_storage_backend(Arc::clone(&self.inner.store), url).build_storage())
            .map_err(Error::delta("open", table))?;
        let slot = Arc::new(Slot {
            table: table.to_owned(),
            folder,
            log,
            state: tokio::sync::Mutex::default(),
            folders: self.inner.is_writer.then(|| Arc::clone(&self.inner.folders)),
            durable: AtomicI64::new(NONE),
        });
        slots.insert(table.to_owned(), Arc::clone(&slot));
        Ok(slot)
    }
}

impl Slot {
    /// Locks the table's state and brings it up to the newest log entry; `None` inside if there is no table.
    ///
    /// Where the lake is written to, that entry survives a power cut by then: whoever reads a position there forgets what it
    /// came from.
    pub(crate) async fn refreshed(&self) -> Result<MutexGuard<'_, Option<TableState>>, Error> {
        let mut guard = self.state.lock().await;
        let is_known = match guard.as_mut() {
            Some(state) => match state.catch_up(self).await {
                Ok(is_known) => is_known,
                Err(error) => {
                    // Half applied is worse than unknown.
                    *guard = None;
                    return Err(error);
                }
            },
            None => false,
        };
        if !is_known {
            *guard = None;
            if self.exists().await? {
                *guard = Some(TableState::load(self, None).await?);
            }
        }
        let newest = guard.as_ref().map(|it| it.version);
        if let Some(version) = newest {
            self.settle(version).await?;
        }
        Ok(guard)
    }

    /// Makes the names of all entries up to a version durable, unless they are known to be.
    ///
    /// An entry is seen once it is linked. Whoever linked it may have been killed, or refused by the disk, before the folder
    /// was synced. Its bytes, and the files that it names, were synced before.
    async fn settle(&self, version: i64) -> Result<(), Error> {
        let Some(folders) = &self.folders else { return Ok(()) };
        if self.durable.load(Ordering::Relaxed) == version {
            return Ok(());
        }
        let (disk, log) = (Arc::clone(folders.disk()), self.folder.join(LOG));
        let synced = tokio::task::spawn_blocking(move || disk.sync_dir(&log).map_err(Error::io("sync", log)));
        synced.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
        self.made_durable(version);
        Ok(())
    }

    /// Notes up to which version entries survive a power cut; whoever says so holds the lock of the state.
    pub(crate) fn made_durable(&self, version: i64) {
        self.durable.store(version, Ordering::Relaxed);
    }

    /// Whether the log has an entry; a folder alone is a creation that was cut.
    pub(crate) async fn exists(&self) -> Result<bool, Error> {
        if !self.folder.join(LOG).is_dir() {
            return Ok(false);
        }
        self.log.is_delta_table_location().await.map_err(Error::delta("find", &self.table))
    }
}

fn is_table_name(name: &str) -> bool {
    let starts_well = name.starts_with(|it: char| it.is_ascii_lowercase());
    starts_well && name.chars().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_')
}

fn not_found(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}
