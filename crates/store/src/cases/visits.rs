//! Sheets of visits that were filled in here (走访观察表): the few fixed answers about somebody who was met.

use serde::Serialize;
use sqlx::FromRow;

use super::outbox::tell_of;
use super::{Cases, Who, next_key};
use crate::error::Error;

/// The topic of what visitors saw.
const VISIT_ANSWER: &str = "visit_answer";

/// Sheets of one plan that are read at once.
const ANSWERS_MAX: i64 = 20_000;

/// Somebody was met on a visit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVisitAnswer<'a> {
    /// Who was met.
    pub student_key: i64,
    /// Who visited, as the vault names them.
    pub staff_key: i64,
    /// The room.
    pub room_id: &'a str,
    /// The plan's Monday, in days since 1970.
    pub plan_day: i64,
    /// What was said of sleep and meals: `usual`, `changed` or `not_raised`.
    pub rest: &'a str,
    /// Of study.
    pub study: &'a str,
    /// Of company.
    pub company: &'a str,
    /// Whether some support would be good.
    pub is_support_needed: bool,
}

/// That there is a sheet of somebody, and since when.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct VisitAnswer {
    /// Who was met.
    pub student_key: i64,
    /// When the newest was filled in, in microseconds since 1970.
    pub at_us: i64,
}

#[derive(Serialize)]
struct Fact<'a> {
    answer_no: i64,
    student_key: i64,
    staff_key: i64,
    room_id: &'a str,
    plan_on: String,
    rest: &'a str,
    study: &'a str,
    company: &'a str,
    is_support_needed: bool,
    at: i64,
}

impl Cases {
    /// Keeps that a sheet was filled in, and hands what it says to the lake. Another one of the same week is a correction.
    ///
    /// # Errors
    /// If the plan's day is none, or the store cannot be written.
    pub async fn answer_visit(&self, answer: &NewVisitAnswer<'_>, who: &Who, now: i64) -> Result<(), Error> {
        let plan_on = i32::try_from(answer.plan_day).ok().and_then(schema::time::days_date);
        let plan_on = plan_on.ok_or(Error::Damaged { table: "visit_answer", column: "plan_day" })?.to_string();
        let mut tx = self.database.begin("visit_answer").await?;
        let key = next_key(&mut tx, "visit_answer", "answer_key").await?;
        sqlx::query("INSERT INTO visit_answer (answer_key, student_key, plan_day, actor, at_us) VALUES ($1, $2, $3, $4, $5)")
            .bind(key)
            .bind(answer.student_key)
            .bind(answer.plan_day)
            .bind(&who.account)
            .bind(now)
            .execute(&mut *tx)
            .await
            .map_err(Error::database("write", "visit_answer"))?;
        let NewVisitAnswer { student_key, staff_key, room_id, rest, study, company, is_support_needed, .. } = *answer;
        let fact =
            Fact { answer_no: key, student_key, staff_key, room_id, plan_on, rest, study, company, is_support_needed, at: now };
        tell_of(&mut tx, VISIT_ANSWER, now, &fact).await?;
        tx.commit().await.map_err(Error::database("write", "visit_answer"))
    }

    /// Returns of whom there is a sheet of a plan, and since when. Show it beside rows only that the reader sees.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn visit_answers(&self, plan_day: i64) -> Result<Vec<VisitAnswer>, Error> {
        sqlx::query_as(
            "SELECT student_key, max(at_us) AS at_us FROM visit_answer WHERE plan_day = $1 GROUP BY student_key \
             ORDER BY student_key LIMIT $2",
        )
        .bind(plan_day)
        .bind(ANSWERS_MAX)
        .fetch_all(self.database.read())
        .await
        .map_err(Error::database("read", "visit_answer"))
    }
}
