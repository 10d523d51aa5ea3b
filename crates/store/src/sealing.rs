//! Authenticated encryption of single values: AES-256-GCM, the nonce in front.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};

use crate::error::Error;
use crate::key_file::{Digest, RootKey, hmac, random};
use crate::mint::Mint;

const NONCE_BYTES: usize = 12;

/// Seals and opens values of one purpose.
pub(crate) struct Sealer {
    cipher: Aes256Gcm,
    nonce_key: Digest,
    mint: Mint,
}

impl Sealer {
    pub(crate) fn new(root: &RootKey, purpose: &str, mint: Mint) -> Self {
        let key = root.derive(&format!("{purpose} cipher"));
        Self {
            cipher: Aes256Gcm::new(Key::<Aes256Gcm>::from_slice(&key)),
            nonce_key: root.derive(&format!("{purpose} nonce")),
            mint,
        }
    }

    /// Seals a value for one place; opened with another `place` it does not authenticate.
    pub(crate) fn seal(&self, plain: &[u8], place: &[u8]) -> Vec<u8> {
        let nonce = self.nonce(plain, place);
        let mut sealed = nonce.to_vec();
        let payload = Payload { msg: plain, aad: place };
        sealed.extend(self.cipher.encrypt(Nonce::from_slice(&nonce), payload).expect("a value is shorter than 64 GiB"));
        sealed
    }

    /// Opens what [`Sealer::seal`] made for the same place.
    pub(crate) fn open(&self, sealed: &[u8], place: &[u8]) -> Result<Vec<u8>, Error> {
        let (nonce, body) = sealed.split_at_checked(NONCE_BYTES).ok_or(Error::Unsealable)?;
        let payload = Payload { msg: body, aad: place };
        self.cipher.decrypt(Nonce::from_slice(nonce), payload).map_err(|_| Error::Unsealable)
    }

    /// A nonce may come from the value itself: then equal values seal to equal bytes, which a seeded run wants
    /// and real data does not. It is still safe, so it also stands in should the system give no random bytes.
    fn nonce(&self, plain: &[u8], place: &[u8]) -> [u8; NONCE_BYTES] {
        let mut nonce = [0; NONCE_BYTES];
        if self.mint == Mint::Random && random(&mut nonce).is_ok() {
            return nonce;
        }
        nonce.copy_from_slice(&hmac(&self.nonce_key, &[place, plain])[..NONCE_BYTES]);
        nonce
    }
}

#[cfg(test)]
mod tests {
    use schema::Seal;

    use super::*;
    use crate::scene::{Scene, runtime};

    #[test]
    fn sealed_bytes_open_unless_they_were_touched() {
        let runtime = runtime();
        let (scene, other) = (Scene::minting(Mint::Random), Scene::minting(Mint::Random));
        let vault = runtime.block_on(scene.open()).vault();
        let sealed = vault.seal(b"2022000001,bad row");

        assert_eq!(vault.open(&sealed).unwrap(), b"2022000001,bad row");
        assert_eq!(vault.open(&vault.seal(b"")).unwrap(), b"");
        for at in [0, sealed.len() / 2, sealed.len() - 1] {
            let mut touched = sealed.clone();
            touched[at] ^= 1;
            assert!(vault.open(&touched).is_err(), "byte {at}");
        }
        assert!(vault.open(&sealed[..5]).is_err());
        assert!(runtime.block_on(other.open()).vault().open(&sealed).is_err(), "another key opens it");
    }

    #[test]
    fn sealed_bytes_repeat_under_a_seed_and_only_there() {
        let runtime = runtime();
        let seal = |mint| {
            let scene = Scene::minting(mint);
            runtime.block_on(scene.open()).vault().seal(b"bad row")
        };

        assert_eq!(seal(Mint::Seeded(7)), seal(Mint::Seeded(7)));
        assert_ne!(seal(Mint::Seeded(7)), seal(Mint::Seeded(8)));
        let scene = Scene::minting(Mint::Random);
        let vault = runtime.block_on(scene.open()).vault();
        assert_ne!(vault.seal(b"bad row"), vault.seal(b"bad row"));
    }
}
