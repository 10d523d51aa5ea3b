//! What the night brings: offers of the data become entries once, registers and accounts say whose a student is.

use std::collections::BTreeSet;

use casework::{Admission, Kind, Refusal, Relation, Rules};
use sqlx::AssertSqlSafe;

use super::outbox::{CASE_OFFER, tell_of};
use super::responsibility::{assign, unassign};
use super::{Cases, Entered, NewEntry, Tx, Who};
use crate::error::Error;

/// Students whose responsibility changes in one transaction.
const STUDENTS_A_TRANSACTION: usize = 500;

/// What became of an offer of the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TakenUp {
    /// It is an entry now, or was cooled down.
    Entered(Entered),
    /// It was taken up before.
    Known,
    /// The rules want nothing of it, now and later: what it asks for goes on already, or the student has died.
    Nothing(Refusal),
}

/// How many assignments changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Synced {
    /// Assignments that began.
    pub assigned_n: usize,
    /// Assignments that ended.
    pub ended_n: usize,
}

// What became of an offer, for the lake: by it outcomes find back to the rules that offered.
#[derive(serde::Serialize)]
struct CaseOffer<'a> {
    warning_id: &'a str,
    student_key: i64,
    thread_key: Option<i64>,
    admission: &'static str,
    at: i64,
}

impl Cases {
    /// Takes up an offer of the data, once for as long as it goes on under its name.
    ///
    /// # Errors
    /// [`Error::CaseRefused`] if the rules do not allow it now; it can be tried again. Otherwise if the store cannot be
    /// written.
    pub async fn take_up(&self, warning_id: &str, entry: NewEntry<'_>, rules: &Rules, now: i64) -> Result<TakenUp, Error> {
        let mut tx = self.database.begin("case_offer").await?;
        let known: i64 = sqlx::query_scalar("SELECT count(*) FROM case_offer WHERE warning_id = $1")
            .bind(warning_id)
            .fetch_one(&mut *tx)
            .await
            .map_err(Error::database("read", "case_offer"))?;
        if 0 < known {
            return Ok(TakenUp::Known);
        }
        let (student_key, kind) = (entry.student_key, entry.kind);
        // Whatever is refused is refused before anything is written.
        let (taken, thread_key, admission) = match self.enter_in(&mut tx, entry, &Who::system(), rules, now).await {
            Ok(entered) => {
                let (thread_key, admission) = (entered.thread_key, code(entered.admission));
                (TakenUp::Entered(entered), thread_key, admission)
            }
            Err(Error::CaseRefused(refusal)) => {
                let Some(admission) = lasting(&refusal) else { return Err(Error::CaseRefused(refusal)) };
                let open = if refusal == Refusal::Deceased { None } else { open(&mut tx, student_key, kind).await? };
                (TakenUp::Nothing(refusal), open, admission)
            }
            Err(error) => return Err(error),
        };
        sqlx::query("INSERT INTO case_offer (warning_id, student_key, thread_key, admission, at_us) VALUES ($1, $2, $3, $4, $5)")
            .bind(warning_id)
            .bind(student_key)
            .bind(thread_key)
            .bind(admission)
            .bind(now)
            .execute(&mut *tx)
            .await
            .map_err(Error::database("write", "case_offer"))?;
        tell_of(&mut tx, CASE_OFFER, now, &CaseOffer { warning_id, student_key, thread_key, admission, at: now }).await?;
        tx.commit().await.map_err(Error::database("write", "case_offer"))?;
        Ok(taken)
    }

    /// Returns the offers of the data that are in a case, in the order in which they were taken up. Ask for cases only of
    /// which the reader sees the line.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn offers_of(&self, thread_key: i64) -> Result<Vec<String>, Error> {
        sqlx::query_scalar("SELECT warning_id FROM case_offer WHERE thread_key = $1 ORDER BY at_us, warning_id")
            .bind(thread_key)
            .fetch_all(self.database.read())
            .await
            .map_err(Error::database("read", "case_offer"))
    }

    /// Takes over what registers and accounts say of whose the students are: pairs of student and account, all of them.
    ///
    /// Only what they say anew changes an assignment; what was handed over since stays where it is. A student whom they
    /// do not name any more has nobody of this relation, unless somebody took them over.
    ///
    /// # Errors
    /// If the store cannot be read or written; what was changed so far stays, and another try does the rest.
    pub async fn sync_said(&self, relation: Relation, said: &BTreeSet<(i64, String)>, now: i64) -> Result<Synced, Error> {
        let before: Vec<(i64, String)> =
            sqlx::query_as("SELECT student_key, account FROM case_assignment_said WHERE relation = $1")
                .bind(relation.code())
                .fetch_all(self.database.read())
                .await
                .map_err(Error::database("read", "case_assignment_said"))?;
        let before: BTreeSet<(i64, String)> = before.into_iter().collect();
        // Who is new comes first: a student whose counselor changes has one at every moment.
        let new: Vec<&(i64, String)> = said.difference(&before).collect();
        let gone: Vec<&(i64, String)> = before.difference(said).collect();
        for part in new.chunks(STUDENTS_A_TRANSACTION) {
            let mut tx = self.database.begin("case_assignment").await?;
            for (student_key, account) in part {
                assign(&mut tx, relation, account, *student_key, now).await?;
            }
            let sql = format!("INSERT INTO case_assignment_said (relation, student_key, account) VALUES {}", rows(part.len()));
            let mut query = sqlx::query(AssertSqlSafe(sql)).bind(relation.code());
            for (student_key, account) in part {
                query = query.bind(student_key).bind(account);
            }
            query.execute(&mut *tx).await.map_err(Error::database("write", "case_assignment_said"))?;
            tx.commit().await.map_err(Error::database("write", "case_assignment"))?;
        }
        for part in gone.chunks(STUDENTS_A_TRANSACTION) {
            let mut tx = self.database.begin("case_assignment").await?;
            for (student_key, account) in part {
                unassign(&mut tx, relation, account, *student_key, now).await?;
                sqlx::query("DELETE FROM case_assignment_said WHERE relation = $1 AND student_key = $2 AND account = $3")
                    .bind(relation.code())
                    .bind(student_key)
                    .bind(account)
                    .execute(&mut *tx)
                    .await
                    .map_err(Error::database("write", "case_assignment_said"))?;
            }
            tx.commit().await.map_err(Error::database("write", "case_assignment"))?;
        }
        Ok(Synced { assigned_n: new.len(), ended_n: gone.len() })
    }
}

/// Rows of one relation, which is parameter 1: `($1, $2, $3), ($1, $4, $5)`.
fn rows(n: usize) -> String {
    let row = |at: usize| format!("($1, ${}, ${})", 2 + 2 * at, 3 + 2 * at);
    (0..n).map(row).collect::<Vec<_>>().join(", ")
}

fn code(admission: Admission) -> &'static str {
    match admission {
        Admission::Opens => "opens",
        Admission::OwnEntry => "own_entry",
        Admission::Bundled => "bundled",
        Admission::CooledDown => "cooled_down",
    }
}

/// What the same offer will meet again, whenever it is tried; other refusals are about the moment.
fn lasting(refusal: &Refusal) -> Option<&'static str> {
    match refusal {
        // The check that goes on ends when the student is found, and so answers this one too.
        Refusal::CheckOpen => Some("check_open"),
        Refusal::Deceased => Some("deceased"),
        Refusal::TooLong => Some("too_long"),
        _ => None,
    }
}

async fn open(tx: &mut Tx, student_key: i64, kind: Kind) -> Result<Option<i64>, Error> {
    sqlx::query_scalar("SELECT thread_key FROM case_thread WHERE student_key = $1 AND kind = $2 AND state <> 'closed'")
        .bind(student_key)
        .bind(kind.code())
        .fetch_optional(&mut **tx)
        .await
        .map_err(Error::database("read", "case_thread"))
}
