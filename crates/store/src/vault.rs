//! The vault: the only place that knows which person a key stands for.
//!
//! Numbers come in from the door and leave as keys; names and telephones come in and leave only through
//! [`Vault::identities`], whose callers ask policy first and write an audit row after. On disk everything is sealed.
//! In memory numbers stand in the clear: the root key stands beside them, so sealing them there would protect nothing.

mod identifier;
mod identity;
mod load;
mod minting;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::RandomState;
use std::sync::Arc;

use parking_lot::RwLock;
use schema::{Holder, Identifier, Known, PersonKind, Pseudonyms, Seal, VaultError};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OnceCell};

use crate::database::Database;
use crate::error::Error;
use crate::key_file::{Digest, RootKey, hmac};
use crate::mint::Mint;
use crate::sealing::Sealer;

/// Binds what is sealed for quarantine to quarantine.
const QUARANTINE: &[u8] = b"quarantine";

/// Turns numbers into keys and keeps what identifies people; clones share everything.
///
/// One process at a time should mint: a second one gets the same keys for the same numbers, because a mint looks into
/// the database before it draws, but hears of the other's erasures and names only when it opens the store again.
///
/// # Panics
/// The methods of [`Pseudonyms`] wait for the database by blocking the thread, and panic on a thread that drives
/// async tasks. Call them from a plain thread or from `spawn_blocking`, while the runtime that opened the store lives.
#[derive(Clone)]
pub struct Vault {
    inner: Arc<Inner>,
}

struct Inner {
    database: Database,
    runtime: Handle,
    mint: Mint,
    mint_key: Digest,
    number_key: Digest,
    values: Sealer,
    quarantine: Sealer,
    people: RwLock<HashMap<PersonKind, People>>,
    // Set when `People::values` hold what the tables hold.
    values_loaded: OnceCell<()>,
    // One change at a time, from the first look at the tables to the last one at `people`.
    changing: Mutex<()>,
    fingerprints: RandomState,
}

/// What is kept in memory of the persons of one kind.
#[derive(Default)]
struct People {
    key_of: HashMap<String, i64>,
    keys: HashSet<i64>,
    erased: HashSet<Digest>,
    values: HashMap<i64, HashMap<String, Value>>,
    /// Who held what, by kind of identifier and value.
    identifiers: HashMap<String, HashMap<String, Vec<Held>>>,
    erased_identifiers: HashSet<Digest>,
}

/// Whose an identifier is, and since when; `until_day` is the last day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Held {
    key: i64,
    from_day: i32,
    until_day: Option<i32>,
    is_number: bool,
}

/// An identifying value as it lies in memory: sealed, with a fingerprint to see whether another is the same.
struct Value {
    fingerprint: u64,
    sealed: Vec<u8>,
}

impl Vault {
    pub(crate) async fn open(database: Database, root: &RootKey, mint: Mint, runtime: Handle) -> Result<Self, Error> {
        let inner = Inner {
            database,
            runtime,
            mint,
            mint_key: root.derive("mint"),
            number_key: root.derive("number lookup"),
            values: Sealer::new(root, "vault", mint),
            quarantine: Sealer::new(root, "quarantine", mint),
            people: RwLock::default(),
            values_loaded: OnceCell::new(),
            changing: Mutex::default(),
            fingerprints: RandomState::new(),
        };
        inner.load().await?;
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Returns the key of a number, if it has one; mints nothing.
    pub fn find(&self, kind: PersonKind, number: &str) -> Option<i64> {
        self.inner.people.read().get(&kind)?.key_of.get(number).copied()
    }
}

impl Inner {
    /// Fingerprint of a number under a key of the vault: finds it in the database without showing it.
    fn number_hmac(&self, kind: PersonKind, number: &str) -> Digest {
        hmac(&self.number_key, &[kind.key_column().as_bytes(), number.as_bytes()])
    }
}

/// Names the one row and column a sealed value belongs to; the number itself is column "".
fn place(kind: PersonKind, key: i64, column: &str) -> Vec<u8> {
    format!("{kind}/{key}/{column}").into_bytes()
}

impl Pseudonyms for Vault {
    fn keys(&self, kind: PersonKind, ids: &[&str]) -> Result<HashMap<String, Known>, VaultError> {
        let (mut known, missing) = self.inner.look_up(kind, ids);
        if missing.is_empty() {
            return Ok(known);
        }
        let minted = self.inner.runtime.block_on(self.inner.mint(kind, &missing))?;
        known.extend(minted);
        Ok(known)
    }

    fn remember(&self, kind: PersonKind, values: &[(i64, &str, &str)]) -> Result<(), VaultError> {
        self.inner.runtime.block_on(self.inner.load_values())?;
        let changed = self.inner.changed(kind, values);
        if !changed.is_empty() {
            self.inner.runtime.block_on(self.inner.keep(kind, &changed))?;
        }
        Ok(())
    }

    fn holders(&self, kind: PersonKind, by: &str, value: &str) -> Result<Vec<Holder>, VaultError> {
        Ok(self.inner.holders(kind, by, value))
    }

    fn identify(&self, kind: PersonKind, identifiers: &[Identifier<'_>]) -> Result<u64, VaultError> {
        Ok(self.inner.runtime.block_on(self.inner.identify(kind, identifiers))?)
    }
}

impl Seal for Vault {
    fn seal(&self, plain: &[u8]) -> Vec<u8> {
        self.inner.quarantine.seal(plain, QUARANTINE)
    }

    fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, VaultError> {
        Ok(self.inner.quarantine.open(sealed, QUARANTINE)?)
    }
}

impl fmt::Debug for Vault {
    // Written by hand so that no log ever shows what is inside.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").finish_non_exhaustive()
    }
}
