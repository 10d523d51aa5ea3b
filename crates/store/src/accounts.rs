//! Who may log in, and as what.

mod login;
mod password;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use sqlx::{Any, FromRow, Transaction};

use crate::database::Database;
use crate::error::Error;
use crate::sessions;

pub use login::LoginError;
pub(crate) use password::{Hashing, PASSWORD_BYTES_MAX};

/// Longest name of an account: names that fail to log in are kept for a while, whatever somebody types.
pub(crate) const ACCOUNT_BYTES_MAX: usize = 128;

/// A role that an account may take, and whose data it reaches with it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// The role, as policies name it.
    pub role: String,
    /// The scope, as policies name it.
    pub scope: String,
}

/// An account to be made or brought up to date.
///
/// No `Debug`: it may hold a password.
#[derive(Clone)]
pub struct NewAccount<'a> {
    /// The name to log in with.
    pub account: &'a str,
    /// The password; `None` keeps the one there is, or makes an account that cannot log in with one.
    pub password: Option<&'a str>,
    /// The name to greet with.
    pub display_name: &'a str,
    /// The person in the vault, when the account is one.
    pub person_key: Option<i64>,
    /// All roles it holds; those it held before and are not here are taken away.
    pub grants: Vec<Grant>,
}

/// Somebody, or something, that may log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The name to log in with.
    pub account: String,
    /// The name to greet with.
    pub display_name: String,
    /// The person in the vault, when the account is one.
    pub person_key: Option<i64>,
    /// The roles it holds, in order.
    pub grants: Vec<Grant>,
    /// Whether it was shut.
    pub is_disabled: bool,
}

#[derive(FromRow)]
struct Stored {
    account: String,
    display_name: String,
    person_key: Option<i64>,
    is_disabled: i64,
}

impl Stored {
    fn with(self, grants: Vec<Grant>) -> Account {
        Account {
            account: self.account,
            display_name: self.display_name,
            person_key: self.person_key,
            grants,
            is_disabled: self.is_disabled != 0,
        }
    }
}

/// Makes, changes and checks accounts.
#[derive(Debug, Clone)]
pub struct Accounts {
    database: Database,
    hashing: Hashing,
}

impl Accounts {
    pub(crate) fn new(database: Database, hashing: Hashing) -> Self {
        Self { database, hashing }
    }

    /// Makes an account, or brings the one of that name up to date.
    ///
    /// Sessions in a role that is taken away end. A disabled account stays disabled.
    ///
    /// # Errors
    /// If the name or the password is empty or too long, or the store cannot be written.
    pub async fn create(&self, new: NewAccount<'_>) -> Result<(), Error> {
        if new.account.is_empty() || ACCOUNT_BYTES_MAX < new.account.len() {
            return Err(Error::AccountLength);
        }
        let hash = match new.password {
            Some(password) => Some(self.hashing.hash(password).await?),
            None => None,
        };
        let mut tx = self.database.begin("account").await?;
        sqlx::query(
            "INSERT INTO account (account, display_name, password_hash, person_key) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (account) DO UPDATE SET display_name = excluded.display_name, \
             password_hash = coalesce(excluded.password_hash, account.password_hash), \
             person_key = excluded.person_key",
        )
        .bind(new.account)
        .bind(new.display_name)
        .bind(&hash)
        .bind(new.person_key)
        .execute(&mut *tx)
        .await
        .map_err(Error::database("write", "account"))?;

        sqlx::query("DELETE FROM account_grant WHERE account = $1")
            .bind(new.account)
            .execute(&mut *tx)
            .await
            .map_err(Error::database("write", "account_grant"))?;
        for grant in &new.grants {
            sqlx::query("INSERT INTO account_grant (account, role, scope) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
                .bind(new.account)
                .bind(&grant.role)
                .bind(&grant.scope)
                .execute(&mut *tx)
                .await
                .map_err(Error::database("write", "account_grant"))?;
        }
        if hash.is_some() {
            sessions::end_all(&mut tx, new.account).await?;
        } else {
            sessions::end_ungranted(&mut tx, new.account).await?;
        }
        tx.commit().await.map_err(Error::database("write", "account"))
    }

    /// Changes the password, and ends every session that the old one opened.
    ///
    /// # Errors
    /// If there is no such account, the password is empty or too long, or the store cannot be written.
    pub async fn set_password(&self, account: &str, password: &str) -> Result<(), Error> {
        let hash = self.hashing.hash(password).await?;
        let mut tx = self.database.begin("account").await?;
        let touched = sqlx::query("UPDATE account SET password_hash = $1 WHERE account = $2")
            .bind(hash)
            .bind(account)
            .execute(&mut *tx)
            .await
            .map_err(Error::database("write", "account"))?
            .rows_affected();
        if touched == 0 {
            return Err(Error::NoSuchAccount { account: account.to_owned() });
        }
        sessions::end_all(&mut tx, account).await?;
        tx.commit().await.map_err(Error::database("write", "account"))
    }

    /// Shuts an account and ends its sessions.
    ///
    /// # Errors
    /// If there is no such account, or the store cannot be written.
    pub async fn disable(&self, account: &str) -> Result<(), Error> {
        self.set_disabled(account, 1).await
    }

    /// Opens an account that was shut.
    ///
    /// # Errors
    /// If there is no such account, or the store cannot be written.
    pub async fn enable(&self, account: &str) -> Result<(), Error> {
        self.set_disabled(account, 0).await
    }

    async fn set_disabled(&self, account: &str, is_disabled: i64) -> Result<(), Error> {
        let mut tx = self.database.begin("account").await?;
        let touched = sqlx::query("UPDATE account SET is_disabled = $1 WHERE account = $2")
            .bind(is_disabled)
            .bind(account)
            .execute(&mut *tx)
            .await
            .map_err(Error::database("write", "account"))?
            .rows_affected();
        if touched == 0 {
            return Err(Error::NoSuchAccount { account: account.to_owned() });
        }
        sessions::end_all(&mut tx, account).await?;
        tx.commit().await.map_err(Error::database("write", "account"))
    }

    /// Returns an account.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn get(&self, account: &str) -> Result<Option<Account>, Error> {
        let row: Option<Stored> =
            sqlx::query_as("SELECT account, display_name, person_key, is_disabled FROM account WHERE account = $1")
                .bind(account)
                .fetch_optional(self.database.read())
                .await
                .map_err(Error::database("read", "account"))?;
        let Some(row) = row else { return Ok(None) };
        let grants: Vec<(String, String)> =
            sqlx::query_as("SELECT role, scope FROM account_grant WHERE account = $1 ORDER BY role, scope")
                .bind(account)
                .fetch_all(self.database.read())
                .await
                .map_err(Error::database("read", "account_grant"))?;
        Ok(Some(row.with(grants.into_iter().map(|(role, scope)| Grant { role, scope }).collect())))
    }

    /// Returns the name to greet a person with: that of the first by name of their accounts.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn greeting_of(&self, person_key: i64) -> Result<Option<String>, Error> {
        sqlx::query_scalar("SELECT display_name FROM account WHERE person_key = $1 ORDER BY account LIMIT 1")
            .bind(person_key)
            .fetch_optional(self.database.read())
            .await
            .map_err(Error::database("read", "account"))
    }

    /// Returns all accounts by name.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn list(&self) -> Result<Vec<Account>, Error> {
        let rows: Vec<Stored> =
            sqlx::query_as("SELECT account, display_name, person_key, is_disabled FROM account ORDER BY account")
                .fetch_all(self.database.read())
                .await
                .map_err(Error::database("read", "account"))?;
        let grants: Vec<(String, String, String)> =
            sqlx::query_as("SELECT account, role, scope FROM account_grant ORDER BY account, role, scope")
                .fetch_all(self.database.read())
                .await
                .map_err(Error::database("read", "account_grant"))?;
        let mut of: HashMap<String, Vec<Grant>> = HashMap::new();
        for (account, role, scope) in grants {
            of.entry(account).or_default().push(Grant { role, scope });
        }
        Ok(rows
            .into_iter()
            .map(|row| {
                let grants = of.remove(&row.account).unwrap_or_default();
                row.with(grants)
            })
            .collect())
    }
}

/// Refuses a role that the account does not hold.
pub(crate) async fn expect_role(tx: &mut Transaction<'static, Any>, account: &str, role: &str) -> Result<(), Error> {
    let held: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM account_grant JOIN account ON account.account = account_grant.account \
         WHERE account_grant.account = $1 AND role = $2 AND is_disabled = 0",
    )
    .bind(account)
    .bind(role)
    .fetch_one(&mut **tx)
    .await
    .map_err(Error::database("read", "account_grant"))?;
    if held == 0 {
        return Err(Error::RoleNotGranted { account: account.to_owned(), role: role.to_owned() });
    }
    Ok(())
}
