//! A disk whose syncs are timed: what a sender waits for.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use serve::Metrics;
use wal::{Disk, DiskFile, LocalDisk};

/// A folder of the machine, timed.
#[derive(Debug)]
pub(super) struct TimedDisk {
    pub(super) disk: LocalDisk,
    pub(super) metrics: Arc<Metrics>,
}

struct TimedFile {
    file: Box<dyn DiskFile>,
    metrics: Arc<Metrics>,
}

impl DiskFile for TimedFile {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        self.file.append(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        let began = Instant::now();
        let done = self.file.sync();
        self.metrics.synced(began.elapsed());
        done
    }
}

impl Disk for TimedDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        self.disk.read(name)
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(TimedFile { file: self.disk.create(name)?, metrics: self.metrics.clone() }))
    }

    fn cut(&self, name: &str, length: u64) -> io::Result<()> {
        self.disk.cut(name, length)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }

    fn sync_names(&self) -> io::Result<()> {
        self.disk.sync_names()
    }

    fn shown(&self) -> PathBuf {
        self.disk.shown()
    }
}
