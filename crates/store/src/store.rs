//! Opening the store, and the way to each of its parts.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::runtime::Handle;

use crate::accounts::{Accounts, Hashing};
use crate::audit::{self, Audit};
use crate::cases::Cases;
use crate::database::{Company, Database, Door, shown, url};
use crate::error::Error;
use crate::files::FileRegister;
use crate::key_file::{RootKey, hmac, make_folder};
use crate::loads::Loads;
use crate::messages::Messages;
use crate::meta::{self, Meta};
use crate::mint::Mint;
use crate::pushes::Pushes;
use crate::runs::{self, Runs};
use crate::sealing::Sealer;
use crate::sessions::Sessions;
use crate::vault::Vault;

/// Where the store lies and how it makes keys of persons.
#[derive(Clone)]
pub struct Config {
    /// The database file, whose folder is made if it is missing; or the address of a PostgreSQL database as it stands,
    /// `postgres://user:password@host:5432/database`, where the tables live in the first schema of the search path.
    pub path: PathBuf,
    /// The key file, outside of whatever is copied together with the database.
    pub key_path: PathBuf,
    /// Where keys of persons come from.
    pub mint: Mint,
}

impl fmt::Debug for Config {
    // Written by hand because an address may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("path", &shown(&self.path))
            .field("key_path", &self.key_path)
            .field("mint", &self.mint)
            .finish()
    }
}

/// The operational store; clones share the connections.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    database: Database,
    root: RootKey,
    vault: Vault,
    psychology: Arc<Sealer>,
    hashing: Hashing,
    audit_waiting: Arc<Mutex<audit::Waiting>>,
    opening: i64,
}

impl Store {
    /// Opens the store: makes what is missing, brings tables up to date, closes what a crash left open.
    ///
    /// Runs without an end are marked as interrupted, unless another process has the store open too: then they may
    /// still be going on.
    ///
    /// # Errors
    /// If the key file is missing, damaged, foreign or readable by others, the store was written by a newer version,
    /// or the disk refuses.
    pub async fn open(config: &Config) -> Result<Store, Error> {
        let shown = shown(&config.path);
        if url(&config.path).is_none()
            && let Some(folder) = config.path.parent()
        {
            make_folder(folder)?;
        }
        let door = Door::enter(&config.path).await?;
        let company = door.company;
        let root = RootKey::open(&config.key_path, &shown, door.is_there, config.mint)?;
        let database = Database::open(&config.path, door).await?;

        let opening = enter(&database, &root, company, config).await?;
        let vault = Vault::open(database.clone(), &root, config.mint, Handle::current()).await?;
        // A key of its own: who is handed the vault's cannot open what psychology wrote.
        let psychology = Arc::new(Sealer::new(&root, "psychology", config.mint));
        let inner = Inner { database, root, vault, psychology, hashing: Hashing::new(), audit_waiting: Arc::default(), opening };
        Ok(Store { inner: Arc::new(inner) })
    }

    /// Closes the connections; without it the next opening does what is left to do.
    pub async fn close(&self) {
        self.inner.database.close().await;
    }

    /// The database itself, for tests that change rows behind the store's back.
    #[cfg(test)]
    pub(crate) fn database(&self) -> &Database {
        &self.inner.database
    }

    /// Who people are.
    pub fn vault(&self) -> Vault {
        self.inner.vault.clone()
    }

    /// Which files were taken in.
    pub fn files(&self) -> FileRegister {
        FileRegister::new(self.inner.database.clone(), self.inner.opening)
    }

    /// Which pipelines have had their first load.
    pub fn loads(&self) -> Loads {
        Loads::new(self.inner.database.clone())
    }

    /// What ran and how it ended.
    pub fn runs(&self) -> Runs {
        Runs::new(self.inner.database.clone())
    }

    /// Who may push events, and what they were answered.
    pub fn pushes(&self) -> Pushes {
        Pushes::new(self.inner.database.clone())
    }

    /// Who may log in, and as what.
    pub fn accounts(&self) -> Accounts {
        Accounts::new(self.inner.database.clone(), self.inner.hashing.clone())
    }

    /// Who is logged in.
    pub fn sessions(&self) -> Sessions {
        Sessions::new(self.inner.database.clone())
    }

    /// Who read or changed what.
    pub fn audit(&self) -> Audit {
        let waiting = Arc::clone(&self.inner.audit_waiting);
        Audit::new(self.inner.database.clone(), self.inner.root.derive("audit head"), waiting)
    }

    /// Cases and everything around them.
    pub fn cases(&self) -> Cases {
        Cases::new(self.inner.database.clone(), self.inner.psychology.clone())
    }

    /// Messages to staff, and how far each has come.
    pub fn messages(&self) -> Messages {
        Messages::new(self.inner.database.clone())
    }

    /// Facts about the store itself.
    pub fn meta(&self) -> Meta {
        Meta::new(self.inner.database.clone())
    }
}

impl fmt::Debug for Store {
    // Written by hand so that no log ever shows the root key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("opening", &self.inner.opening).finish_non_exhaustive()
    }
}

/// Checks that key and database belong together, counts the opening, closes what a crash left open.
async fn enter(database: &Database, root: &RootKey, company: Company, config: &Config) -> Result<i64, Error> {
    let mut tx = database.begin("meta").await?;

    let proof = hex(&hmac(&root.derive("key check"), &[]));
    match meta::fetch(&mut tx, "store.key_check").await? {
        Some(kept) if kept == proof => {}
        Some(_) => {
            return Err(Error::KeyMismatch { path: config.key_path.clone(), store: shown(&config.path) });
        }
        None => meta::put(&mut tx, "store.key_check", &proof).await?,
    }

    let kept = meta::fetch(&mut tx, "store.openings").await?;
    let opening = match kept {
        Some(text) => 1 + text.parse::<i64>().map_err(|_| Error::Damaged { table: "meta", column: "value" })?,
        None => 1,
    };
    meta::put(&mut tx, "store.openings", &opening.to_string()).await?;

    if company == Company::Alone {
        let interrupted = runs::interrupt(&mut tx).await?;
        if 0 < interrupted {
            tracing::warn!(runs = interrupted, "found runs that never ended");
        }
    }
    tx.commit().await.map_err(Error::database("write", "meta"))?;
    Ok(opening)
}

/// Writes bytes as lowercase hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|it| format!("{it:02x}")).collect()
}
