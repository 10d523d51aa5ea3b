//! Checking a password, and locking a name after too many wrong ones.

use super::{ACCOUNT_BYTES_MAX, Account, Accounts};
use crate::error::Error;

const MINUTE_US: i64 = 60 * 1_000_000;

/// This many wrong passwords within the window lock the name for as long.
const WRONG_MAX: usize = 10;
const WINDOW_US: i64 = 15 * MINUTE_US;

/// Names without an account whose failures are remembered; those tried longest ago go first.
const STRANGERS_MAX: i64 = 10_000;

/// Why somebody could not log in.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// No account has this name, or it has no password.
    #[error("wrong account or password")]
    Unknown,
    /// The password is not the one; says the same as [`LoginError::Unknown`], so that names cannot be guessed.
    #[error("wrong account or password")]
    Wrong,
    /// Too many wrong passwords for this name, which need not be an account.
    #[error("too many wrong passwords, locked for some minutes")]
    Locked {
        /// When the next try is allowed, in microseconds since 1970.
        until_us: i64,
    },
    /// The password is right and the account was shut.
    #[error("the account is disabled")]
    Disabled,
    /// The store could not be asked.
    #[error("could not check a login")]
    Store(#[from] Error),
}

impl Accounts {
    /// Returns the account if the password is its own and it may log in.
    ///
    /// Ten wrong passwords within 15 minutes lock the name for 15 minutes. A try counts before the password is looked
    /// at and is taken back when it was right, so that trying in parallel gains nothing.
    ///
    /// # Errors
    /// If not; [`LoginError::Unknown`] and [`LoginError::Wrong`] read the same and take as long.
    pub async fn verify(&self, account: &str, password: &str, now_us: i64) -> Result<Account, LoginError> {
        if ACCOUNT_BYTES_MAX < account.len() {
            return Err(LoginError::Unknown);
        }
        self.charge(account, now_us).await?;

        let hash: Option<Option<String>> = sqlx::query_scalar("SELECT password_hash FROM account WHERE account = $1")
            .bind(account)
            .fetch_optional(self.database.read())
            .await
            .map_err(Error::database("read", "account"))?;
        let is_known = matches!(hash, Some(Some(_)));
        if !self.hashing.is_right(password, hash.flatten()).await? {
            return Err(if is_known { LoginError::Wrong } else { LoginError::Unknown });
        }
        self.discharge(account).await?;

        let account = self.get(account).await?.ok_or(LoginError::Unknown)?;
        if account.is_disabled {
            return Err(LoginError::Disabled);
        }
        Ok(account)
    }

    /// Which of some accounts a password would open: to find passwords that everybody knows. Nobody is logged in by it, and
    /// no try is counted.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn opened_by(&self, accounts: &[&str], password: &str) -> Result<Vec<String>, Error> {
        let mut found = Vec::new();
        for account in accounts {
            let hash: Option<Option<String>> =
                sqlx::query_scalar("SELECT password_hash FROM account WHERE account = $1 AND is_disabled = 0")
                    .bind(*account)
                    .fetch_optional(self.database.read())
                    .await
                    .map_err(Error::database("read", "account"))?;
            let Some(Some(hash)) = hash else { continue };
            if self.hashing.is_right(password, Some(hash)).await? {
                found.push((*account).to_owned());
            }
        }
        Ok(found)
    }

    async fn charge(&self, account: &str, now_us: i64) -> Result<(), LoginError> {
        let mut tx = self.database.begin("login_failure").await?;
        let kept: Option<String> = sqlx::query_scalar("SELECT failed_us FROM login_failure WHERE account = $1")
            .bind(account)
            .fetch_optional(&mut *tx)
            .await
            .map_err(Error::database("read", "login_failure"))?;
        let mut failed: Vec<i64> = match kept {
            Some(text) => {
                serde_json::from_str(&text).map_err(|_| Error::Damaged { table: "login_failure", column: "failed_us" })?
            }
            None => Vec::new(),
        };
        // Before the old ones are dropped: the lock counts from the latest, not from each by itself.
        if let Some(latest) = failed.last()
            && WRONG_MAX <= failed.len()
            && now_us < latest + WINDOW_US
        {
            return Err(LoginError::Locked { until_us: latest + WINDOW_US });
        }
        failed.retain(|at| now_us - at < WINDOW_US);
        failed.push(now_us);

        let text = serde_json::to_string(&failed).expect("integers become JSON");
        sqlx::query(
            "INSERT INTO login_failure (account, failed_us, latest_us) VALUES ($1, $2, $3) \
             ON CONFLICT (account) DO UPDATE SET failed_us = excluded.failed_us, latest_us = excluded.latest_us",
        )
        .bind(account)
        .bind(text)
        .bind(now_us)
        .execute(&mut *tx)
        .await
        .map_err(Error::database("write", "login_failure"))?;
        // What is out of the window says nothing any more; strangers are kept in bounds.
        sqlx::query(
            "DELETE FROM login_failure WHERE latest_us <= $1 OR (account NOT IN (SELECT account FROM account) \
             AND account NOT IN (SELECT account FROM login_failure ORDER BY latest_us DESC LIMIT $2))",
        )
        .bind(now_us - WINDOW_US)
        .bind(STRANGERS_MAX)
        .execute(&mut *tx)
        .await
        .map_err(Error::database("write", "login_failure"))?;
        tx.commit().await.map_err(Error::database("write", "login_failure"))?;
        Ok(())
    }

    async fn discharge(&self, account: &str) -> Result<(), Error> {
        let mut tx = self.database.begin("login_failure").await?;
        sqlx::query("DELETE FROM login_failure WHERE account = $1")
            .bind(account)
            .execute(&mut *tx)
            .await
            .map_err(Error::database("write", "login_failure"))?;
        tx.commit().await.map_err(Error::database("write", "login_failure"))
    }
}
