//! Contacts that somebody owes: after a return, over a break, after a death.

use casework::{BreakFollowUp, Code, FollowUpPlan, Text, break_dates, follow_up_dates, postvention_dates};

use super::{Cases, next_key, page_limit};
use crate::error::Error;

/// Why somebody owes a contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FollowUpCause {
    /// After a return or a stay in hospital (复学、出院).
    Return,
    /// Over the holidays.
    Break,
    /// After a student's death, for room-mates, class and those on duty.
    Postvention,
}

impl FollowUpCause {
    const ALL: [Self; 3] = [Self::Return, Self::Break, Self::Postvention];

    /// The word that stands in tables and JSON.
    pub fn code(self) -> &'static str {
        match self {
            Self::Return => "return",
            Self::Break => "break",
            Self::Postvention => "postvention",
        }
    }

    /// What people read.
    pub fn text(self) -> Text {
        match self {
            Self::Return => Text::new("复学、出院后随访", "after a return"),
            Self::Break => Text::new("假期联系", "over the break"),
            Self::Postvention => Text::new("周边同学关怀", "care for those around"),
        }
    }
}

/// A contact that is owed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueFollowUp {
    /// The contact.
    pub follow_up_key: i64,
    /// With whom.
    pub student_key: i64,
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

    /// Plans the care for one person who was close to a student that died: weeks 2, 4 and 12.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn plan_postvention(&self, student_key: i64, owner: &str, died_us: i64) -> Result<usize, Error> {
        self.plan(student_key, FollowUpCause::Postvention, owner, &postvention_dates(died_us)).await
    }

    async fn plan(&self, student_key: i64, cause: FollowUpCause, owner: &str, dates: &[i64]) -> Result<usize, Error> {
        let mut tx = self.database.begin("follow_up").await?;
        let first = next_key(&mut tx, "follow_up", "follow_up_key").await?;
        for (key, due_us) in (first..).zip(dates) {
            sqlx::query("INSERT INTO follow_up (follow_up_key, student_key, cause, owner, due_us) VALUES ($1, $2, $3, $4, $5)")
                .bind(key)
                .bind(student_key)
                .bind(cause.code())
                .bind(owner)
                .bind(due_us)
                .execute(&mut *tx)
                .await
                .map_err(Error::database("write", "follow_up"))?;
        }
        tx.commit().await.map_err(Error::database("write", "follow_up"))?;
        Ok(dates.len())
    }

    /// Returns the contacts somebody owes up to an instant, those due first; none with who has died.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn follow_ups(&self, owner: &str, until_us: i64, limit: usize) -> Result<Vec<DueFollowUp>, Error> {
        let rows: Vec<(i64, i64, String, i64)> = sqlx::query_as(
            "SELECT follow_up_key, student_key, cause, due_us FROM follow_up WHERE owner = $1 AND due_us <= $2 \
             AND done_us IS NULL AND student_key NOT IN (SELECT student_key FROM case_thread WHERE has_died = 1) \
             ORDER BY due_us, follow_up_key LIMIT $3",
        )
        .bind(owner)
        .bind(until_us)
        .bind(page_limit(limit))
        .fetch_all(self.database.read())
        .await
        .map_err(Error::database("read", "follow_up"))?;
        let shown = |(follow_up_key, student_key, cause, due_us): (i64, i64, String, i64)| {
            let cause = FollowUpCause::ALL.into_iter().find(|it| it.code() == cause);
            let cause = cause.ok_or(Error::Damaged { table: "follow_up", column: "cause" })?;
            Ok(DueFollowUp { follow_up_key, student_key, cause, due_us })
        };
        rows.into_iter().map(shown).collect()
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
