//! What the tests stand on: a store of their own, in a folder or in a schema of a PostgreSQL server.
//!
//! Every test runs on SQLite; `scene/postgres.rs` runs all of them once more on a real PostgreSQL.

mod postgres;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use sqlx::{AnyConnection, AssertSqlSafe, Connection};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::database::url;
use crate::{Config, Mint, Store};

/// Schemas that the server for the tests has, one a scene.
const SCHEMAS: usize = 600;

/// Names the server for this run of the tests; without it they run on SQLite.
const URL: &str = "YIZHAN_STORE_TEST_URL";

static SCENES: AtomicUsize = AtomicUsize::new(1);

/// A runtime for tests that call the vault from a plain thread.
pub(crate) fn runtime() -> Runtime {
    Runtime::new().expect("a runtime")
}

/// A store that goes away with the test, and how it is opened.
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
        let path = match std::env::var(URL) {
            Ok(url) => {
                let schema = SCENES.fetch_add(1, Ordering::Relaxed);
                assert!(schema <= SCHEMAS, "raise SCHEMAS");
                PathBuf::from(format!("{url}?options[search_path]=s_{schema}"))
            }
            Err(_) => folder.path().join("ops/store.sqlite"),
        };
        let config = Config { path, key_path: folder.path().join("secret/key"), mint };
        Self { config, folder }
    }

    /// Says whether the store is a file, whose bytes and modes can be looked at.
    pub(crate) fn is_file(&self) -> bool {
        url(&self.config.path).is_none()
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
        let mut after = Self::minting(self.config.mint);
        for name in ["ops", "secret"] {
            std::fs::create_dir(after.folder.path().join(name)).expect("a folder");
        }
        std::fs::copy(&self.config.key_path, &after.config.key_path).expect("the key is there");
        if self.is_file() {
            for suffix in ["", "-wal"] {
                let of = |path: &Path| PathBuf::from(format!("{}{suffix}", path.display()));
                std::fs::copy(of(&self.config.path), of(&after.config.path)).expect("the file is there");
            }
        } else {
            // The server has what was committed, and nothing else.
            after.config.path.clone_from(&self.config.path);
        }
        after
    }

    /// Every byte that is kept: the database and whatever lies beside it, or each value of each table.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        if !self.is_file() {
            let url = url(&self.config.path).expect("an address").to_owned();
            // On a thread of its own: the test may be driving async tasks on this one.
            return std::thread::spawn(move || runtime().block_on(values(&url))).join().expect("values");
        }
        let folder = self.config.path.parent().expect("a folder");
        let files: Vec<PathBuf> = std::fs::read_dir(folder).expect("readable").map(|it| it.expect("readable").path()).collect();
        files.iter().flat_map(|it| std::fs::read(it).expect("readable")).collect()
    }
}

async fn values(url: &str) -> Vec<u8> {
    let mut connection = AnyConnection::connect(url).await.expect("the server answers");
    let columns: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT table_name::text, column_name::text, data_type::text FROM information_schema.columns \
         WHERE table_schema = current_schema()",
    )
    .fetch_all(&mut connection)
    .await
    .expect("readable");
    let mut bytes = Vec::new();
    for (table, column, kind) in columns {
        let value = if kind == "bytea" { column.clone() } else { format!("convert_to({column}::text, 'UTF8')") };
        let sql = format!("SELECT {value} FROM {table} WHERE {column} IS NOT NULL");
        let rows: Vec<Vec<u8>> = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut connection).await.expect("readable");
        bytes.extend(rows.into_iter().flatten());
    }
    bytes
}
