//! After a death: everything that leaves by itself stops, two named persons may look, and those around are cared for.

use casework::{Act, Code, Command, Refusal, Rules, postvention_dates};
use serde::Serialize;
use sqlx::FromRow;

use super::outbox::tell_of;
use super::plans::{care_in, plan_in};
use super::responsibility::counselor;
use super::{Cases, FollowUpCause, Tx, Who, actor, load};
use crate::error::Error;
use crate::sessions::end_all;

/// That a student has died, as it is entered.
#[derive(Debug, Clone)]
pub struct NewDeath {
    /// The student.
    pub student_key: i64,
    /// The day, in days since 1970.
    pub died_day: i64,
    /// Accounts of the two who may still look.
    pub readers: [String; 2],
}

/// A death that was entered.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct DeathRow {
    /// The student.
    pub student_key: i64,
    /// The day, in days since 1970.
    pub died_day: i64,
    /// Who entered it.
    pub entered_by: String,
    /// When, in microseconds since 1970.
    pub at_us: i64,
    /// When the care for those around was planned.
    pub planned_us: Option<i64>,
}

/// Who was close to a student, as registers and the roster tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Around {
    /// Room-mates and class, each once.
    pub students: Vec<i64>,
    /// Accounts of those on duty.
    pub staff: Vec<String>,
}

/// The topic of deaths: from then on the lake counts the student nowhere, before any register says so.
const DEPARTURE: &str = "student_departure";

// Neither who entered it nor who may look: the lake learns whom it counts no more.
#[derive(Serialize)]
struct Fact {
    student_key: i64,
    gone_on: String,
    at: i64,
}

const COLUMNS: &str = "SELECT student_key, died_day, entered_by, at_us, planned_us FROM student_death";

impl Cases {
    /// Enters that a student has died: every case stops, contacts and messages end, the student's account is shut, and the
    /// lake is told to count them no more.
    ///
    /// `is_named` says whether the settings name the account for it.
    ///
    /// # Errors
    /// [`Error::CaseRefused`] if it was entered before, the account is not named, or the readers are not two; otherwise
    /// if the store cannot be written.
    pub async fn die(&self, new: &NewDeath, who: &Who, is_named: bool, rules: &Rules, now: i64) -> Result<(), Error> {
        if !is_named {
            return Err(Refusal::NotYours.into());
        }
        if new.readers[0] == new.readers[1] || new.readers.iter().any(String::is_empty) {
            return Err(Refusal::TwoReaders.into());
        }
        if rules.calendar.day(now) < new.died_day {
            return Err(Refusal::NotDue.into());
        }
        let gone_on = i32::try_from(new.died_day).ok().and_then(schema::time::days_date);
        let gone_on = gone_on.ok_or(Error::Damaged { table: "student_death", column: "died_day" })?.to_string();
        let mut tx = self.database.begin("student_death").await?;
        if has_died(&mut tx, new.student_key).await? {
            return Err(Refusal::Deceased.into());
        }
        let mut actor = actor(&mut tx, who, new.student_key, now).await?;
        actor.is_named = true;
        let keys: Vec<i64> = sqlx::query_scalar("SELECT thread_key FROM case_thread WHERE student_key = $1 ORDER BY thread_key")
            .bind(new.student_key)
            .fetch_all(&mut *tx)
            .await
            .map_err(Error::database("read", "case_thread"))?;
        let command = Command { act: Act::Die { readers: new.readers.clone() }, reason: Code::new("deceased")? };
        for key in keys {
            let thread = load(&mut tx, key).await?.ok_or(Error::NoSuchCase { thread_key: key })?;
            self.decide_and_append(&mut tx, &thread, &command, None, &actor, (rules, now)).await?;
        }
        let [first, second] = &new.readers;
        sqlx::query(
            "INSERT INTO student_death (student_key, died_day, entered_by, at_us, reader_1, reader_2) \
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(new.student_key)
        .bind(new.died_day)
        .bind(&who.account)
        .bind(now)
        .bind(first)
        .bind(second)
        .execute(&mut *tx)
        .await
        .map_err(Error::database("write", "student_death"))?;
        tell_of(&mut tx, DEPARTURE, now, &Fact { student_key: new.student_key, gone_on, at: now }).await?;
        let accounts: Vec<String> = sqlx::query_scalar("SELECT account FROM account WHERE person_key = $1")
            .bind(new.student_key)
            .fetch_all(&mut *tx)
            .await
            .map_err(Error::database("read", "account"))?;
        for account in accounts {
            sqlx::query("UPDATE account SET is_disabled = 1 WHERE account = $1")
                .bind(&account)
                .execute(&mut *tx)
                .await
                .map_err(Error::database("write", "account"))?;
            end_all(&mut tx, &account).await?;
        }
        tx.commit().await.map_err(Error::database("write", "student_death"))
    }

    /// Returns the deaths that an account is named to look at, the newest first.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn deaths_for(&self, account: &str) -> Result<Vec<DeathRow>, Error> {
        let sql = format!("{COLUMNS} WHERE reader_1 = $1 OR reader_2 = $1 ORDER BY at_us DESC, student_key");
        sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(account)
            .fetch_all(self.database.read())
            .await
            .map_err(Error::database("read", "student_death"))
    }

    /// Returns the students of whom an account is shown nothing any more.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn withheld_from(&self, account: &str) -> Result<Vec<i64>, Error> {
        sqlx::query_scalar("SELECT student_key FROM student_death WHERE reader_1 <> $1 AND reader_2 <> $1 ORDER BY student_key")
            .bind(account)
            .fetch_all(self.database.read())
            .await
            .map_err(Error::database("read", "student_death"))
    }

    /// Returns the deaths after which the care for those around is not planned yet.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn deaths_to_plan(&self) -> Result<Vec<DeathRow>, Error> {
        let sql = format!("{COLUMNS} WHERE planned_us IS NULL ORDER BY student_key");
        sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .fetch_all(self.database.read())
            .await
            .map_err(Error::database("read", "student_death"))
    }

    /// Plans the care for those who were close: weeks 2, 4 and 12, students by their counselors, colleagues by whoever
    /// entered the death. Once, whatever crashes; returns how many contacts there are.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn plan_around(&self, death: &DeathRow, around: &Around, offset_us: i64, now: i64) -> Result<usize, Error> {
        let mut tx = self.database.begin("follow_up").await?;
        let touched = sqlx::query("UPDATE student_death SET planned_us = $1 WHERE student_key = $2 AND planned_us IS NULL")
            .bind(now)
            .bind(death.student_key)
            .execute(&mut *tx)
            .await
            .map_err(Error::database("write", "student_death"))?
            .rows_affected();
        if touched == 0 {
            return Ok(0);
        }
        let dates = postvention_dates(death.died_day * casework::DAY_US - offset_us);
        let mut planned = 0;
        for student_key in around.students.iter().filter(|it| **it != death.student_key) {
            let owner = counselor(&mut tx, *student_key).await?.unwrap_or_else(|| death.entered_by.clone());
            planned += plan_in(&mut tx, *student_key, FollowUpCause::Postvention, &owner, &dates).await?;
        }
        for account in around.staff.iter().filter(|it| **it != death.entered_by) {
            planned += care_in(&mut tx, account, &death.entered_by, &dates).await?;
        }
        tx.commit().await.map_err(Error::database("write", "follow_up"))?;
        Ok(planned)
    }
}

/// Says whether a student has died.
pub(super) async fn has_died(tx: &mut Tx, student_key: i64) -> Result<bool, Error> {
    let n: i64 = sqlx::query_scalar("SELECT count(*) FROM student_death WHERE student_key = $1")
        .bind(student_key)
        .fetch_one(&mut **tx)
        .await
        .map_err(Error::database("read", "student_death"))?;
    Ok(0 < n)
}
