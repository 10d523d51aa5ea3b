//! Contacts that somebody owes: after a return, over a break, after a visit, after a death.

use casework::{BreakFollowUp, Code, FollowUpPlan, Text, break_dates, follow_up_dates, postvention_dates};

use super::{Cases, Tx, next_key, page_limit};
use crate::error::Error;

/// Why somebody owes a contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FollowUpCause {
    /// After a return or a stay in hospital (复学、出院).
    Return,
    /// Over the holidays.
    Break,
    /// After a visit at which some support seemed good (走访后).
    Visit,
    /// After a student's death, for room-mates, class and those on duty.
    Postvention,
}

impl FollowUpCause {
    const ALL: [Self; 4] = [Self::Return, Self::Break, Self::Visit, Self::Postvention];

    /// The word that stands in tables and JSON.
    pub fn code(self) -> &'static str {
        match self {
            Self::Return => "return",
            Self::Break => "break",
            Self::Visit => "visit",
            Self::Postvention => "postvention",
        }
    }

    /// What people read.
    pub fn text(self) -> Text {
        match self {
            Self::Return => Text::new("复学、出院后随访", "after a return"),
            Self::Break => Text::new("假期联系", "over the break"),
            Self::Visit => Text::new("走访后联系", "after a visit"),
            Self::Postvention => Text::new("周边同学关怀", "care for those around"),
        }
    }
}

/// With whom somebody owes a contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum With {
    /// A student.
    Student(i64),
    /// A colleague who was on duty, by account.
    Colleague(String),
}

/// A contact that is owed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueFollowUp {
    /// The contact.
    pub follow_up_key: i64,
    /// With whom.
    pub with: With,
    /// Why.
    pub cause: FollowUpCause,
    /// Until when, in microseconds since 1970.
    pub due_us: i64,
}

impl Cases {
    /// Plans the contacts after a return: weeks 1, 2 and 4, then monthly for a term at least.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn plan_follow_up(&self, student_key: i64, plan: &FollowUpPlan) -> Result<usize, Error> {
        self.plan(student_key, FollowUpCause::Return, &plan.owner, &follow_up_dates(plan)).await
    }

    /// Plans the contacts over a break and the review after it.
    ///
    /// # Errors
    /// If the plan has no end or no rhythm, or the store cannot be written.
    pub async fn plan_break(&self, student_key: i64, plan: &BreakFollowUp) -> Result<usize, Error> {
        self.plan(student_key, FollowUpCause::Break, &plan.owner, &break_dates(plan)?).await
    }

    /// Plans one contact within three days after a visit: no case, and nothing of what was said. Beside an open one of the
    /// same cause there is none.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn plan_after_visit(&self, student_key: i64, owner: &str, now: i64) -> Result<usize, Error> {
        self.plan(student_key, FollowUpCause::Visit, owner, &[now + AFTER_VISIT_US]).await
    }

    /// Plans the care for one person who was close to a student that died: weeks 2, 4 and 12.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn plan_postvention(&self, student_key: i64, owner: &str, died_us: i64) -> Result<usize, Error> {
        self.plan(student_key, FollowUpCause::Postvention, owner, &postvention_dates(died_us)).await
    }

    async fn plan(&self, student_key: i64, cause: FollowUpCause, owner: &str, dates: &[i64]) -> Result<usize, Error> {
        let mut tx = self.database.begin("follow_up").await?;
        let planned = plan_in(&mut tx, student_key, cause, owner, dates).await?;
        tx.commit().await.map_err(Error::database("write", "follow_up"))?;
        Ok(planned)
    }

    /// Returns the contacts somebody owes up to an instant, those due first; none with who has died.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn follow_ups(&self, owner: &str, until_us: i64, limit: usize) -> Result<Vec<DueFollowUp>, Error> {
        let rows: Vec<(i64, Option<i64>, Option<String>, String, i64)> = sqlx::query_as(
            "SELECT follow_up_key, student_key, account, cause, due_us FROM follow_up WHERE owner = $1 AND due_us <= $2 \
             AND done_us IS NULL AND (student_key IS NULL OR student_key NOT IN (SELECT student_key FROM student_death)) \
             ORDER BY due_us, follow_up_key LIMIT $3",
        )
        .bind(owner)
        .bind(until_us)
        .bind(page_limit(limit))
        .fetch_all(self.database.read())
        .await
        .map_err(Error::database("read", "follow_up"))?;
        let shown = |(follow_up_key, student_key, account, cause, due_us): (i64, Option<i64>, Option<String>, String, i64)| {
            let damaged = |column| Error::Damaged { table: "follow_up", column };
            let cause = FollowUpCause::ALL.into_iter().find(|it| it.code() == cause).ok_or(damaged("cause"))?;
            let with = match (student_key, account) {
                (Some(key), None) => With::Student(key),
                (None, Some(account)) => With::Colleague(account),
                _ => return Err(damaged("account")),
            };
            Ok(DueFollowUp { follow_up_key, with, cause, due_us })
        };
        rows.into_iter().map(shown).collect()
    }

    /// Returns whose a contact is, while it is owed.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn follow_up_owner(&self, follow_up_key: i64) -> Result<Option<String>, Error> {
        sqlx::query_scalar("SELECT owner FROM follow_up WHERE follow_up_key = $1 AND done_us IS NULL")
            .bind(follow_up_key)
            .fetch_optional(self.database.read())
            .await
            .map_err(Error::database("read", "follow_up"))
    }

    /// Returns contacts of others that are due and of which somebody was told because nobody answered: whose they are and
    /// since when, by when. With whom, nobody needs to know to ask the owner.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn unanswered_contacts(&self, to_key: i64, account: &str, limit: usize) -> Result<Vec<(String, i64)>, Error> {
        sqlx::query_as(
            "SELECT f.owner, f.due_us FROM follow_up f WHERE f.done_us IS NULL AND f.owner <> $1 \
             AND (f.student_key IS NULL OR f.student_key NOT IN (SELECT student_key FROM student_death)) \
             AND EXISTS (SELECT 1 FROM message m JOIN message_delivery d ON d.message_id = m.message_id \
             WHERE m.follow_up_key = f.follow_up_key AND d.to_key = $2) ORDER BY f.due_us, f.follow_up_key LIMIT $3",
        )
        .bind(account)
        .bind(to_key)
        .bind(page_limit(limit))
        .fetch_all(self.database.read())
        .await
        .map_err(Error::database("read", "follow_up"))
    }

    /// Notes that a contact was made, and its result as a code; says whether it was still owed by this person.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn follow_up_done(&self, follow_up_key: i64, owner: &str, result: &Code, now: i64) -> Result<bool, Error> {
        let mut tx = self.database.begin("follow_up").await?;
        let touched = sqlx::query(
            "UPDATE follow_up SET done_us = $1, result = $2 WHERE follow_up_key = $3 AND owner = $4 AND done_us IS NULL",
        )
        .bind(now)
        .bind(result.as_str())
        .bind(follow_up_key)
        .bind(owner)
        .execute(&mut *tx)
        .await
        .map_err(Error::database("write", "follow_up"))?
        .rows_affected();
        tx.commit().await.map_err(Error::database("write", "follow_up"))?;
        Ok(touched == 1)
    }
}

/// Within how long whoever seemed to need support is met again.
const AFTER_VISIT_US: i64 = 3 * casework::DAY_US;

/// Contacts of one cause that are nearer to each other than this are one contact.
const SAME_US: i64 = 3 * casework::DAY_US;

/// Plans contacts with a student, but none beside an open one of the same cause; returns how many were added.
pub(super) async fn plan_in(
    tx: &mut Tx,
    student_key: i64,
    cause: FollowUpCause,
    owner: &str,
    dates: &[i64],
) -> Result<usize, Error> {
    let mut planned = 0;
    // What is planned here may lie as near as a rhythm asks for: only what was there before counts.
    let first = next_key(tx, "follow_up", "follow_up_key").await?;
    for due_us in dates {
        let key = next_key(tx, "follow_up", "follow_up_key").await?;
        let added = sqlx::query(
            "INSERT INTO follow_up (follow_up_key, student_key, cause, owner, due_us) \
             SELECT $1, $2, $3, $4, $5 WHERE NOT EXISTS (SELECT 1 FROM follow_up WHERE student_key = $2 AND cause = $3 \
             AND done_us IS NULL AND follow_up_key < $6 AND due_us > $7 AND due_us < $8)",
        )
        .bind(key)
        .bind(student_key)
        .bind(cause.code())
        .bind(owner)
        .bind(due_us)
        .bind(first)
        .bind(due_us - SAME_US)
        .bind(due_us + SAME_US)
        .execute(&mut **tx)
        .await
        .map_err(Error::database("write", "follow_up"))?
        .rows_affected();
        planned += usize::from(added == 1);
    }
    Ok(planned)
}

/// Plans contacts with a colleague.
pub(super) async fn care_in(tx: &mut Tx, account: &str, owner: &str, dates: &[i64]) -> Result<usize, Error> {
    for due_us in dates {
        let key = next_key(tx, "follow_up", "follow_up_key").await?;
        sqlx::query("INSERT INTO follow_up (follow_up_key, account, cause, owner, due_us) VALUES ($1, $2, $3, $4, $5)")
            .bind(key)
            .bind(account)
            .bind(FollowUpCause::Postvention.code())
            .bind(owner)
            .bind(due_us)
            .execute(&mut **tx)
            .await
            .map_err(Error::database("write", "follow_up"))?;
    }
    Ok(dates.len())
}

/// Ends the open contacts of a cause because others take their place; they stay as what was planned.
pub(super) async fn replace_in(tx: &mut Tx, student_key: i64, cause: FollowUpCause, now: i64) -> Result<(), Error> {
    sqlx::query(
        "UPDATE follow_up SET done_us = $1, result = 'replaced' WHERE student_key = $2 AND cause = $3 AND done_us IS NULL",
    )
    .bind(now)
    .bind(student_key)
    .bind(cause.code())
    .execute(&mut **tx)
    .await
    .map(drop)
    .map_err(Error::database("write", "follow_up"))
}
