//! What the tests stand on: a store in a folder of its own.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::{Config, Mint, Store};

/// A runtime for tests that call the vault from a plain thread.
pub(crate) fn runtime() -> Runtime {
    Runtime::new().expect("a runtime")
}

/// A folder that goes away with the test, and how its store is opened.
pub(crate) struct Scene {
    pub(crate) config: Config,
    folder: TempDir,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self::minting(Mint::Seeded(7))
    }

    pub(crate) fn minting(mint: Mint) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ops/store.sqlite");
        let config = Config { path, key_path: folder.path().join("secret/key"), mint };
        Self { config, folder }
    }

    pub(crate) async fn open(&self) -> Store {
        Store::open(&self.config).await.expect("the store opens")
    }

    /// Ends one life of the store and begins the next; facades of the first must be gone.
    pub(crate) async fn reopen(&self, store: Store) -> Store {
        store.close().await;
        drop(store);
        self.open().await
    }

    /// What a process that is killed right now would leave: the files as they lie, nothing closed.
    pub(crate) fn as_after_kill(&self) -> Self {
        let after = Self::minting(self.config.mint);
        for name in ["ops", "secret"] {
            std::fs::create_dir(after.folder.path().join(name)).expect("a folder");
        }
        std::fs::copy(&self.config.key_path, &after.config.key_path).expect("the key is there");
        for suffix in ["", "-wal"] {
            let of = |path: &Path| PathBuf::from(format!("{}{suffix}", path.display()));
            std::fs::copy(of(&self.config.path), of(&after.config.path)).expect("the file is there");
        }
        after
    }

    /// Every byte on disk: the database and whatever lies beside it.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let folder = self.config.path.parent().expect("a folder");
        let files: Vec<PathBuf> = std::fs::read_dir(folder).expect("readable").map(|it| it.expect("readable").path()).collect();
        files.iter().flat_map(|it| std::fs::read(it).expect("readable")).collect()
    }
}
