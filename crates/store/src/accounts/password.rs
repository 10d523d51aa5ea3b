//! Hashing passwords: argon2id with the parameters OWASP recommends, off the async threads, a few at a time.

use std::sync::Arc;

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;

use crate::error::Error;
use crate::key_file::random;

/// Longest password; hashing one of megabytes is a way to keep the server busy.
pub(crate) const PASSWORD_BYTES_MAX: usize = 1_024;

/// Hashes at the same time: each takes 19 MiB and one core, so more only fill memory.
const AT_ONCE: usize = 2;

/// OWASP Password Storage Cheat Sheet: argon2id, m = 19 MiB, t = 2, p = 1.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// A hash of nothing, with the same parameters: names without an account cost the same work.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

const SALT_BYTES: usize = 16;

/// Makes and checks password hashes.
#[derive(Debug, Clone)]
pub(crate) struct Hashing {
    turns: Arc<Semaphore>,
}

impl Hashing {
    pub(crate) fn new() -> Self {
        Self { turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Hashes a password into PHC form.
    pub(crate) async fn hash(&self, password: &str) -> Result<String, Error> {
        if password.is_empty() || PASSWORD_BYTES_MAX < password.len() {
            return Err(Error::PasswordLength);
        }
        let password = password.to_owned();
        self.work(move || {
            let mut salt = [0; SALT_BYTES];
            random(&mut salt)?;
            let salt = SaltString::encode_b64(&salt).map_err(unhashable)?;
            let hash = argon2id()?.hash_password(password.as_bytes(), &salt).map_err(unhashable)?;
            Ok(hash.to_string())
        })
        .await?
    }

    /// Says whether a password belongs to a hash; takes as long when there is no hash to compare with.
    pub(crate) async fn is_right(&self, password: &str, hash: Option<String>) -> Result<bool, Error> {
        // Cut rather than refused: too long a password is as wrong as any, and costs as much.
        let password = password.as_bytes()[..password.len().min(PASSWORD_BYTES_MAX + 1)].to_vec();
        self.work(move || {
            let is_somebody = hash.is_some();
            let hash = hash.unwrap_or_else(|| NOBODY.to_owned());
            let hash = PasswordHash::new(&hash).map_err(|_| Error::Damaged { table: "account", column: "password_hash" })?;
            let is_right = argon2id()?.verify_password(&password, &hash).is_ok();
            Ok(is_right && is_somebody)
        })
        .await?
    }

    async fn work<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
        let _turn = self.turns.acquire().await.expect("the semaphore is never closed");
        tokio::task::spawn_blocking(job).await.map_err(|source| Error::CutOff(Box::new(source)))
    }
}

fn argon2id() -> Result<Argon2<'static>, Error> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|it| unhashable(it.into()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn unhashable(why: argon2::password_hash::Error) -> Error {
    Error::PasswordHash { why: why.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_nobody_costs_what_a_real_one_costs() {
        let nobody = PasswordHash::new(NOBODY).expect("PHC form");
        let real = argon2id()
            .unwrap()
            .hash_password(b"a password", &SaltString::encode_b64(&[7; SALT_BYTES]).unwrap())
            .unwrap()
            .to_string();
        let real = PasswordHash::new(&real).expect("PHC form");

        assert_eq!(nobody.algorithm, real.algorithm);
        assert_eq!(nobody.version, real.version);
        assert_eq!(nobody.params, real.params);
        assert_eq!(nobody.hash.map(|it| it.len()), real.hash.map(|it| it.len()));
        assert_eq!(real.to_string().split('$').nth(3), Some("m=19456,t=2,p=1"));
    }
}
