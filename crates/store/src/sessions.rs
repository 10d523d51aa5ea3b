//! Who is logged in: a token in the browser, its hash here.

use sha2::{Digest as _, Sha256};
use sqlx::{Any, Transaction};

use crate::accounts::expect_role;
use crate::database::Database;
use crate::error::Error;
use crate::key_file::random;
use crate::store::hex;

const MINUTE_US: i64 = 60 * 1_000_000;
const IDLE_US: i64 = 30 * MINUTE_US;
const ABSOLUTE_US: i64 = 12 * 60 * MINUTE_US;

/// A use is noted once a minute at most, because every note is a write to disk.
const TOUCH_US: i64 = MINUTE_US;

/// Sessions of one account; the ones used longest ago make room.
const SESSIONS_MAX: i64 = 20;

const TOKEN_BYTES: usize = 32;

/// A living session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// Who is logged in.
    pub account: String,
    /// The one role that is active.
    pub role: String,
    /// When the session began, in microseconds since 1970.
    pub created_us: i64,
}

/// Begins, finds and ends sessions.
#[derive(Debug, Clone)]
pub struct Sessions {
    database: Database,
}

impl Sessions {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    /// Begins a session in a role, and returns the token: 64 hexadecimal digits, told only once.
    ///
    /// # Errors
    /// If the account does not hold the role or is disabled, or the store cannot be written.
    pub async fn create(&self, account: &str, role: &str, now_us: i64) -> Result<String, Error> {
        let mut bytes = [0; TOKEN_BYTES];
        random(&mut bytes)?;
        let token = hex(&bytes);

        let mut tx = self.database.begin("session").await?;
        expect_role(&mut tx, account, role).await?;
        sqlx::query("INSERT INTO session (token_hash, account, role, created_us, used_us) VALUES ($1, $2, $3, $4, $4)")
            .bind(token_hash(&token))
            .bind(account)
            .bind(role)
            .bind(now_us)
            .execute(&mut *tx)
            .await
            .map_err(Error::database("write", "session"))?;
        sqlx::query(
            "DELETE FROM session WHERE used_us <= $1 OR created_us <= $2 OR (account = $3 AND token_hash NOT IN \
             (SELECT token_hash FROM session WHERE account = $3 ORDER BY used_us DESC, token_hash LIMIT $4))",
        )
        .bind(now_us - IDLE_US)
        .bind(now_us - ABSOLUTE_US)
        .bind(account)
        .bind(SESSIONS_MAX)
        .execute(&mut *tx)
        .await
        .map_err(Error::database("write", "session"))?;
        tx.commit().await.map_err(Error::database("write", "session"))?;
        Ok(token)
    }

    /// Returns the session of a token if it lives. Looking is no use: it prolongs nothing.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn look(&self, token: &str, now_us: i64) -> Result<Option<SessionRow>, Error> {
        let row: Option<(String, String, i64, i64)> =
            sqlx::query_as("SELECT account, role, created_us, used_us FROM session WHERE token_hash = $1")
                .bind(token_hash(token))
                .fetch_optional(self.database.read())
                .await
                .map_err(Error::database("read", "session"))?;
        let living = row.filter(|it| now_us < it.3 + IDLE_US && now_us < it.2 + ABSOLUTE_US);
        Ok(living.map(|(account, role, created_us, _)| SessionRow { account, role, created_us }))
    }

    /// Returns the session of a token and notes that it was used.
    ///
    /// It ends 30 minutes after its last use and 12 hours after its beginning.
    ///
    /// # Errors
    /// If the store cannot be read or written.
    pub async fn find(&self, token: &str, now_us: i64) -> Result<Option<SessionRow>, Error> {
        let hash = token_hash(token);
        let row: Option<(String, String, i64, i64)> =
            sqlx::query_as("SELECT account, role, created_us, used_us FROM session WHERE token_hash = $1")
                .bind(&hash)
                .fetch_optional(self.database.read())
                .await
                .map_err(Error::database("read", "session"))?;
        let Some((account, role, created_us, used_us)) = row else {
            return Ok(None);
        };
        if used_us + IDLE_US <= now_us || created_us + ABSOLUTE_US <= now_us {
            self.revoke(token).await?;
            return Ok(None);
        }
        if used_us + TOUCH_US <= now_us {
            let mut tx = self.database.begin("session").await?;
            sqlx::query("UPDATE session SET used_us = $1 WHERE token_hash = $2 AND used_us < $1")
                .bind(now_us)
                .bind(&hash)
                .execute(&mut *tx)
                .await
                .map_err(Error::database("write", "session"))?;
            tx.commit().await.map_err(Error::database("write", "session"))?;
        }
        Ok(Some(SessionRow { account, role, created_us }))
    }

    /// Makes another role of the account the active one.
    ///
    /// # Errors
    /// If there is no such session, the account does not hold the role, or the store cannot be written.
    pub async fn switch_role(&self, token: &str, role: &str, now_us: i64) -> Result<SessionRow, Error> {
        let session = self.find(token, now_us).await?.ok_or(Error::NoSuchSession)?;
        let mut tx = self.database.begin("session").await?;
        expect_role(&mut tx, &session.account, role).await?;
        sqlx::query("UPDATE session SET role = $1 WHERE token_hash = $2")
            .bind(role)
            .bind(token_hash(token))
            .execute(&mut *tx)
            .await
            .map_err(Error::database("write", "session"))?;
        tx.commit().await.map_err(Error::database("write", "session"))?;
        Ok(SessionRow { role: role.to_owned(), ..session })
    }

    /// Ends a session; one that has ended stays so.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn revoke(&self, token: &str) -> Result<(), Error> {
        let mut tx = self.database.begin("session").await?;
        sqlx::query("DELETE FROM session WHERE token_hash = $1")
            .bind(token_hash(token))
            .execute(&mut *tx)
            .await
            .map_err(Error::database("write", "session"))?;
        tx.commit().await.map_err(Error::database("write", "session"))
    }

    /// Ends every session of an account.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn revoke_all(&self, account: &str) -> Result<(), Error> {
        let mut tx = self.database.begin("session").await?;
        end_all(&mut tx, account).await?;
        tx.commit().await.map_err(Error::database("write", "session"))
    }
}

pub(crate) async fn end_all(tx: &mut Transaction<'static, Any>, account: &str) -> Result<(), Error> {
    sqlx::query("DELETE FROM session WHERE account = $1")
        .bind(account)
        .execute(&mut **tx)
        .await
        .map(drop)
        .map_err(Error::database("write", "session"))
}

/// Ends the sessions in roles that the account does not hold any more.
pub(crate) async fn end_ungranted(tx: &mut Transaction<'static, Any>, account: &str) -> Result<(), Error> {
    sqlx::query(
        "DELETE FROM session WHERE account = $1 \
         AND role NOT IN (SELECT role FROM account_grant WHERE account = $1)",
    )
    .bind(account)
    .execute(&mut **tx)
    .await
    .map(drop)
    .map_err(Error::database("write", "session"))
}

/// The token is 256 random bits, so a plain hash is enough: there is nothing to guess.
fn token_hash(token: &str) -> String {
    hex(&Sha256::digest(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::{Grant, NewAccount};
    use crate::scene::Scene;

    async fn account(scene: &Scene, roles: &[&str]) -> crate::Store {
        let store = scene.open().await;
        grant(&store, roles).await;
        store
    }

    async fn grant(store: &crate::Store, roles: &[&str]) {
        let grants = roles.iter().map(|it| Grant { role: (*it).to_owned(), scope: "university".to_owned() });
        let new = NewAccount { account: "lin", password: None, display_name: "Lin", person_key: None, grants: grants.collect() };
        store.accounts().create(new).await.unwrap();
    }

    #[tokio::test]
    async fn a_session_ends_half_an_hour_after_its_last_use() {
        let scene = Scene::new();
        let sessions = account(&scene, &["leader"]).await.sessions();
        let token = sessions.create("lin", "leader", 0).await.unwrap();
        let expected = SessionRow { account: "lin".to_owned(), role: "leader".to_owned(), created_us: 0 };

        assert_eq!(sessions.find(&token, 29 * MINUTE_US).await.unwrap(), Some(expected.clone()));
        assert_eq!(sessions.find(&token, 58 * MINUTE_US).await.unwrap(), Some(expected));
        assert_eq!(sessions.find(&token, 88 * MINUTE_US).await.unwrap(), None);
        // Ended for good, even for a clock that goes back.
        assert_eq!(sessions.find(&token, 59 * MINUTE_US).await.unwrap(), None);
    }

    #[tokio::test]
    async fn looking_at_a_session_prolongs_nothing() {
        let scene = Scene::new();
        let sessions = account(&scene, &["leader"]).await.sessions();
        let token = sessions.create("lin", "leader", 0).await.unwrap();
        let expected = SessionRow { account: "lin".to_owned(), role: "leader".to_owned(), created_us: 0 };
        assert_eq!(sessions.look(&token, 29 * MINUTE_US).await.unwrap(), Some(expected));
        assert_eq!(sessions.look(&token, 31 * MINUTE_US).await.unwrap(), None);
        assert_eq!(sessions.look("another", 0).await.unwrap(), None);
        sessions.find(&token, 29 * MINUTE_US).await.unwrap();
        assert!(sessions.look(&token, 58 * MINUTE_US).await.unwrap().is_some(), "it was used meanwhile");
        sessions.revoke(&token).await.unwrap();
        assert_eq!(sessions.look(&token, 30 * MINUTE_US).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_session_ends_after_twelve_hours_however_busy() {
        let scene = Scene::new();
        let sessions = account(&scene, &["leader"]).await.sessions();
        let token = sessions.create("lin", "leader", 0).await.unwrap();

        for quarter in 1..48 {
            let at = quarter * 15 * MINUTE_US;
            assert!(sessions.find(&token, at).await.unwrap().is_some(), "quarter {quarter}");
        }
        assert_eq!(sessions.find(&token, 12 * 60 * MINUTE_US).await.unwrap(), None);
    }

    #[tokio::test]
    async fn the_token_is_nowhere_on_disk() {
        let scene = Scene::new();
        let store = account(&scene, &["leader"]).await;
        let token = store.sessions().create("lin", "leader", 0).await.unwrap();

        let bytes = scene.bytes();

        assert_eq!(token.len(), 64);
        assert!(!bytes.windows(token.len()).any(|it| it == token.as_bytes()));
        let hash = token_hash(&token);
        assert!(bytes.windows(hash.len()).any(|it| it == hash.as_bytes()), "the search finds nothing at all");
    }

    #[tokio::test]
    async fn only_a_role_that_is_held_can_be_taken() {
        let scene = Scene::new();
        let store = account(&scene, &["leader", "analyst"]).await;
        let sessions = store.sessions();
        let token = sessions.create("lin", "leader", 0).await.unwrap();

        assert_eq!(sessions.switch_role(&token, "analyst", 1).await.unwrap().role, "analyst");
        assert_eq!(sessions.find(&token, 2).await.unwrap().map(|it| it.role), Some("analyst".to_owned()));
        for refused in [
            sessions.create("lin", "psychologist", 3).await.map(drop),
            sessions.create("nobody", "leader", 3).await.map(drop),
            sessions.switch_role(&token, "psychologist", 3).await.map(drop),
        ] {
            assert!(matches!(refused, Err(Error::RoleNotGranted { .. })), "{refused:?}");
        }
        let unknown = sessions.switch_role("no token", "leader", 3).await;
        assert!(matches!(unknown, Err(Error::NoSuchSession)), "{unknown:?}");
    }

    #[tokio::test]
    async fn a_role_that_is_taken_away_ends_its_sessions_only() {
        let scene = Scene::new();
        let store = account(&scene, &["leader", "analyst"]).await;
        let sessions = store.sessions();
        let leader = sessions.create("lin", "leader", 0).await.unwrap();
        let analyst = sessions.create("lin", "analyst", 0).await.unwrap();

        grant(&store, &["analyst"]).await;

        assert_eq!(sessions.find(&leader, 1).await.unwrap(), None);
        assert!(sessions.find(&analyst, 1).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn an_account_keeps_its_twenty_latest_sessions() {
        let scene = Scene::new();
        let sessions = account(&scene, &["leader"]).await.sessions();
        let mut tokens = Vec::new();
        for at in 0..21 {
            tokens.push(sessions.create("lin", "leader", at).await.unwrap());
        }

        assert_eq!(sessions.find(&tokens[0], 30).await.unwrap(), None);
        assert!(sessions.find(&tokens[1], 30).await.unwrap().is_some());
        sessions.revoke(&tokens[1]).await.unwrap();
        assert_eq!(sessions.find(&tokens[1], 30).await.unwrap(), None);
        sessions.revoke_all("lin").await.unwrap();
        assert_eq!(sessions.find(&tokens[20], 30).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_disabled_account_has_no_sessions_and_gets_none() {
        let scene = Scene::new();
        let store = account(&scene, &["leader"]).await;
        let token = store.sessions().create("lin", "leader", 0).await.unwrap();

        store.accounts().disable("lin").await.unwrap();

        assert_eq!(store.sessions().find(&token, 1).await.unwrap(), None);
        assert!(store.sessions().create("lin", "leader", 1).await.is_err());
        store.accounts().enable("lin").await.unwrap();
        assert!(store.sessions().create("lin", "leader", 1).await.is_ok());
    }
}
