//! Hours for talks that people say they can give (可用谈话工时): what the budget of what data alone raise is made of.

use serde::Serialize;
use sqlx::FromRow;

use super::outbox::tell_of;
use super::{Cases, next_key};
use crate::error::Error;

/// The topic of what people said.
const TALK_HOURS: &str = "talk_hours";

/// Answers of one account that are read at once, the newest.
const ANSWERS_MAX: i64 = 200;

/// Somebody says how much time there is for talks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTalkHours<'a> {
    /// Whose hours.
    pub account: &'a str,
    /// The same person, as the vault names them.
    pub staff_key: i64,
    /// Minutes a week, 0 to 2,400.
    pub minutes_a_week: i64,
    /// From which day on, in days since 1970.
    pub from_day: i64,
}

/// What somebody said.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct TalkHours {
    /// Minutes a week.
    pub minutes_a_week: i64,
    /// From which day on, in days since 1970.
    pub from_day: i64,
    /// Who entered it.
    pub entered_by: String,
    /// When, in microseconds since 1970.
    pub at_us: i64,
}

#[derive(Serialize)]
struct Fact {
    entry_no: i64,
    staff_key: i64,
    minutes_a_week: i64,
    from_on: String,
    at: i64,
}

impl Cases {
    /// Keeps how much time somebody has for talks; the lake learns it, and the next night counts with it. Earlier answers
    /// stay.
    ///
    /// # Errors
    /// If the day is none, the minutes are more than a week's work, or the store cannot be written.
    pub async fn say_talk_hours(&self, said: &NewTalkHours<'_>, entered_by: &str, now: i64) -> Result<(), Error> {
        let damaged = |column| Error::Damaged { table: "talk_hours", column };
        let from_on = i32::try_from(said.from_day).ok().and_then(schema::time::days_date).ok_or(damaged("from_day"))?.to_string();
        if !(0..=2_400).contains(&said.minutes_a_week) {
            return Err(damaged("minutes_a_week"));
        }
        let mut tx = self.database.begin("talk_hours").await?;
        let key = next_key(&mut tx, "talk_hours", "entry_key").await?;
        sqlx::query(
            "INSERT INTO talk_hours (entry_key, account, staff_key, minutes_a_week, from_day, entered_by, at_us) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(key)
        .bind(said.account)
        .bind(said.staff_key)
        .bind(said.minutes_a_week)
        .bind(said.from_day)
        .bind(entered_by)
        .bind(now)
        .execute(&mut *tx)
        .await
        .map_err(Error::database("write", "talk_hours"))?;
        let fact = Fact { entry_no: key, staff_key: said.staff_key, minutes_a_week: said.minutes_a_week, from_on, at: now };
        tell_of(&mut tx, TALK_HOURS, now, &fact).await?;
        tx.commit().await.map_err(Error::database("write", "talk_hours"))
    }

    /// Returns what somebody said, in the order in which it holds: the last whose day has come holds now.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn talk_hours(&self, account: &str) -> Result<Vec<TalkHours>, Error> {
        let mut rows: Vec<TalkHours> = sqlx::query_as(
            "SELECT minutes_a_week, from_day, entered_by, at_us FROM talk_hours WHERE account = $1 \
             ORDER BY from_day DESC, entry_key DESC LIMIT $2",
        )
        .bind(account)
        .bind(ANSWERS_MAX)
        .fetch_all(self.database.read())
        .await
        .map_err(Error::database("read", "talk_hours"))?;
        rows.reverse();
        Ok(rows)
    }
}
