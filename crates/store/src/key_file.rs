//! The key file: 32 bytes on which everything sealed in the store and in quarantine depends.
//!
//! Lives beside the data, not in it, so that a copy of the database alone tells nothing. What is used is never these
//! bytes but a key derived from them for one purpose.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::error::Error;
use crate::mint::Mint;

const KEY_BYTES: usize = 32;

/// A key of HMAC-SHA256, or what one makes.
pub(crate) type Digest = [u8; 32];

/// Authenticates the parts in order; each is preceded by its length, so that no two lists of parts read alike.
pub(crate) fn hmac(key: &Digest, parts: &[&[u8]]) -> Digest {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// Fills bytes with what nobody can foresee.
pub(crate) fn random(bytes: &mut [u8]) -> Result<(), Error> {
    getrandom::fill(bytes).map_err(|it| {
        let source = it.raw_os_error().map_or_else(|| ErrorKind::Unsupported.into(), io::Error::from_raw_os_error);
        Error::Random(source)
    })
}

/// The root of all keys of one store.
#[derive(Clone)]
pub(crate) struct RootKey(Digest);

impl RootKey {
    /// Derives the key of one purpose.
    pub(crate) fn derive(&self, purpose: &str) -> Digest {
        hmac(&self.0, &[purpose.as_bytes()])
    }

    fn make(mint: Mint) -> Result<Self, Error> {
        match mint {
            Mint::Random => {
                let mut bytes = [0; KEY_BYTES];
                random(&mut bytes)?;
                Ok(Self(bytes))
            }
            // Runs repeat only if what depends on the key repeats, so a seeded key is no secret.
            Mint::Seeded(seed) => Ok(Self(hmac(&[0; KEY_BYTES], &[b"seeded key file", &seed.to_be_bytes()]))),
        }
    }

    /// Reads the key file, or makes one if there is neither a key nor a store.
    pub(crate) fn open(path: &Path, store: &Path, is_there: bool, mint: Mint) -> Result<Self, Error> {
        let key = match fs::read(path) {
            Ok(bytes) => {
                let mode = fs::metadata(path).map_err(Error::file("read", path))?.permissions().mode() & 0o777;
                if mode & 0o077 != 0 {
                    return Err(Error::KeyReadableByOthers { path: path.to_owned(), mode });
                }
                let bytes: Digest =
                    bytes.try_into().map_err(|it: Vec<u8>| Error::KeyDamaged { path: path.to_owned(), bytes: it.len() })?;
                Self(bytes)
            }
            Err(source) if source.kind() == ErrorKind::NotFound => {
                // The key is made before the database, so a database without a key has lost it.
                if is_there {
                    return Err(Error::KeyMissing { path: path.to_owned(), store: store.to_owned() });
                }
                let key = Self::make(mint)?;
                key.write(path)?;
                key
            }
            Err(source) => return Err(Error::file("read", path)(source)),
        };
        if let Mint::Seeded(_) = mint
            && Self::make(mint)?.0 != key.0
        {
            return Err(Error::KeyMismatch { path: path.to_owned(), store: store.to_owned() });
        }
        Ok(key)
    }

    /// Writes beside and renames, so that a power cut leaves a whole key or none.
    fn write(&self, path: &Path) -> Result<(), Error> {
        if let Some(folder) = path.parent() {
            make_folder(folder)?;
        }
        let beside = path.with_extension("new");
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&beside)
            .map_err(Error::file("make", &beside))?;
        file.write_all(&self.0).and_then(|()| file.sync_all()).map_err(Error::file("write", &beside))?;
        fs::rename(&beside, path).map_err(Error::file("make", path))?;
        if let Some(folder) = path.parent() {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            File::open(folder).and_then(|it| it.sync_all()).map_err(Error::file("sync", folder))?;
        }
        Ok(())
    }
}

/// Makes a folder that only its owner enters; one that is there keeps its mode.
pub(crate) fn make_folder(path: &Path) -> Result<(), Error> {
    if path.as_os_str().is_empty() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(Error::file("make folder", path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Store;
    use crate::scene::{Scene, runtime};

    #[test]
    fn a_key_file_is_made_for_its_owner_and_refused_to_others() {
        let runtime = runtime();
        let scene = Scene::minting(Mint::Random);
        let key_path = &scene.config.key_path;
        drop(runtime.block_on(scene.open()));
        let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(key_path), 0o600);
        assert_eq!(mode(key_path.parent().unwrap()), 0o700);
        if scene.is_file() {
            assert_eq!(mode(scene.config.path.parent().unwrap()), 0o700);
            assert_eq!(mode(&scene.config.path), 0o600);
        }
        assert_eq!(std::fs::read(key_path).unwrap().len(), 32);

        std::fs::set_permissions(key_path, PermissionsExt::from_mode(0o644)).unwrap();
        let refused = runtime.block_on(Store::open(&scene.config)).expect_err("others can read it");

        assert!(matches!(refused, Error::KeyReadableByOthers { mode: 0o644, .. }), "{refused:?}");
        assert!(refused.to_string().contains("mode 644"), "{refused}");
    }

    #[test]
    fn a_store_opens_under_its_own_key_only() {
        let runtime = runtime();
        let scene = Scene::minting(Mint::Random);
        let key_path = &scene.config.key_path;
        drop(runtime.block_on(scene.open()));
        let key = std::fs::read(key_path).unwrap();
        let refused = || runtime.block_on(Store::open(&scene.config)).expect_err("a wrong key");

        std::fs::write(key_path, [1; 32]).unwrap();
        assert!(matches!(refused(), Error::KeyMismatch { .. }));
        std::fs::write(key_path, b"short").unwrap();
        assert!(matches!(refused(), Error::KeyDamaged { bytes: 5, .. }));
        std::fs::remove_file(key_path).unwrap();
        assert!(matches!(refused(), Error::KeyMissing { .. }));
        assert!(!key_path.exists(), "a new key was made beside data it cannot read");
        std::fs::write(key_path, key).unwrap();
        std::fs::set_permissions(key_path, PermissionsExt::from_mode(0o600)).unwrap();
        assert!(runtime.block_on(Store::open(&scene.config)).is_ok());
    }

    #[test]
    fn a_seeded_store_refuses_another_seed() {
        let runtime = runtime();
        let mut scene = Scene::minting(Mint::Seeded(7));
        drop(runtime.block_on(scene.open()));
        scene.config.mint = Mint::Seeded(8);

        let refused = runtime.block_on(Store::open(&scene.config)).expect_err("another seed");

        assert!(matches!(refused, Error::KeyMismatch { .. }), "{refused:?}");
    }
}
