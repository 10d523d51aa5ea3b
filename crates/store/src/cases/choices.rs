//! What students choose about themselves: whether they take part in social measures.

use serde::Serialize;
use sqlx::FromRow;

use super::outbox::tell_of;
use super::{Cases, next_key};
use crate::error::Error;

/// The topic of these choices.
const SOCIAL_CHOICE: &str = "social_choice";

/// The newest choice of a student.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct SocialChoice {
    /// `left` or `joined`.
    pub choice: String,
    /// When, in microseconds since 1970.
    pub at_us: i64,
}

impl SocialChoice {
    /// Whether the student takes no part.
    pub fn has_left(&self) -> bool {
        self.choice == "left"
    }
}

// Who typed it stays here.
#[derive(Serialize)]
struct Fact {
    choice_no: i64,
    student_key: i64,
    choice: &'static str,
    at: i64,
}

impl Cases {
    /// Keeps a choice and tells the lake; the one that holds already is nothing new. Returns what holds now.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn choose_social(
        &self,
        student_key: i64,
        leaves: bool,
        account: &str,
        now: i64,
    ) -> Result<Option<SocialChoice>, Error> {
        let mut tx = self.database.begin("social_choice").await?;
        let newest: Option<SocialChoice> = sqlx::query_as(NEWEST)
            .bind(student_key)
            .fetch_optional(&mut *tx)
            .await
            .map_err(Error::database("read", "social_choice"))?;
        if newest.as_ref().is_some_and(SocialChoice::has_left) == leaves {
            return Ok(newest);
        }
        let choice = if leaves { "left" } else { "joined" };
        let key = next_key(&mut tx, "social_choice", "choice_key").await?;
        sqlx::query("INSERT INTO social_choice (choice_key, student_key, choice, actor, at_us) VALUES ($1, $2, $3, $4, $5)")
            .bind(key)
            .bind(student_key)
            .bind(choice)
            .bind(account)
            .bind(now)
            .execute(&mut *tx)
            .await
            .map_err(Error::database("write", "social_choice"))?;
        tell_of(&mut tx, SOCIAL_CHOICE, now, &Fact { choice_no: key, student_key, choice, at: now }).await?;
        tx.commit().await.map_err(Error::database("write", "social_choice"))?;
        Ok(Some(SocialChoice { choice: choice.to_owned(), at_us: now }))
    }

    /// Returns the newest choice of a student, if there is any.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn social_choice(&self, student_key: i64) -> Result<Option<SocialChoice>, Error> {
        sqlx::query_as(NEWEST)
            .bind(student_key)
            .fetch_optional(self.database.read())
            .await
            .map_err(Error::database("read", "social_choice"))
    }

    /// Returns the students who take no part in social measures now.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn left_social(&self) -> Result<Vec<i64>, Error> {
        sqlx::query_scalar(LEFT).fetch_all(self.database.read()).await.map_err(Error::database("read", "social_choice"))
    }
}

/// Who left and has not joined again since.
const LEFT: &str = "SELECT student_key FROM social_choice c WHERE choice = 'left' AND choice_key = \
                    (SELECT max(n.choice_key) FROM social_choice n WHERE n.student_key = c.student_key) ORDER BY student_key";

const NEWEST: &str = "SELECT choice, at_us FROM social_choice WHERE student_key = $1 ORDER BY choice_key DESC LIMIT 1";
