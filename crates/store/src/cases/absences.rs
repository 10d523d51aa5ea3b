//! Answers about those whom a night's list misses: who looked, when, and what they found (当晚未归核实).

use casework::AbsenceResult;
use serde::Serialize;
use sqlx::FromRow;

use super::outbox::tell_of;
use super::{Cases, NOTE_BYTES_MAX, Who, next_key, open_text, place};
use crate::error::Error;

/// The topic of what was found.
const ABSENCE_CHECK: &str = "absence_check";

/// The same answer given again so much later is of somebody who looked again: the student may have come and gone in between.
const LOOKED_AGAIN_US: i64 = 30 * casework::MINUTE_US;

/// Answers of one night that are read at once.
const ANSWERS_MAX: i64 = 20_000;

/// Somebody looked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAbsenceCheck<'a> {
    /// The student.
    pub student_key: i64,
    /// The night, in days since 1970.
    pub night_day: i64,
    /// What was found.
    pub result: AbsenceResult,
    /// What there is to say about it, sealed under the psychology key.
    pub note: Option<&'a str>,
}

/// The newest answer about a student and a night.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AbsenceCheck {
    /// The student.
    pub student_key: i64,
    /// What was found.
    pub result: AbsenceResult,
    /// Who looked.
    pub actor: String,
    /// When, in microseconds since 1970.
    pub at_us: i64,
    /// What was said beside it.
    pub note: Option<String>,
    /// How many answers there are: more than one is a correction, or another look.
    pub n_answers: i64,
}

#[derive(FromRow)]
struct Stored {
    check_key: i64,
    student_key: i64,
    result: String,
    actor: String,
    at_us: i64,
    note_sealed: Option<Vec<u8>>,
}

// Who looked stays here; the lake learns what was found, by which role.
#[derive(Serialize)]
struct Fact {
    check_no: i64,
    student_key: i64,
    night_on: String,
    result: &'static str,
    role: &'static str,
    at: i64,
}

impl Cases {
    /// Keeps an answer. The newest answer given again is nothing new within half an hour; another one is a correction, and
    /// both stay. Returns whether it was kept.
    ///
    /// # Errors
    /// If the note is too long, the night is no day, or the store cannot be written.
    pub async fn check_absence(&self, check: &NewAbsenceCheck<'_>, who: &Who, now: i64) -> Result<bool, Error> {
        let note = check.note.map(str::trim).filter(|it| !it.is_empty());
        if note.is_some_and(|it| NOTE_BYTES_MAX < it.len()) {
            return Err(Error::NoteLength);
        }
        let night_on = i32::try_from(check.night_day).ok().and_then(schema::time::days_date);
        let night_on = night_on.ok_or(Error::Damaged { table: "absence_check", column: "night_day" })?.to_string();
        let mut tx = self.database.begin("absence_check").await?;
        let newest: Option<(String, i64)> = sqlx::query_as(
            "SELECT result, at_us FROM absence_check WHERE night_day = $1 AND student_key = $2 ORDER BY check_key DESC LIMIT 1",
        )
        .bind(check.night_day)
        .bind(check.student_key)
        .fetch_optional(&mut *tx)
        .await
        .map_err(Error::database("read", "absence_check"))?;
        // Two who tap the same, or one who taps twice, say one thing.
        let is_said =
            newest.is_some_and(|(result, at_us)| result == check.result.code() && now.saturating_sub(at_us) < LOOKED_AGAIN_US);
        if is_said && note.is_none() {
            return Ok(false);
        }
        let key = next_key(&mut tx, "absence_check", "check_key").await?;
        sqlx::query(
            "INSERT INTO absence_check (check_key, student_key, night_day, result, actor, role, at_us, note_sealed) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(key)
        .bind(check.student_key)
        .bind(check.night_day)
        .bind(check.result.code())
        .bind(&who.account)
        .bind(who.role.code())
        .bind(now)
        .bind(note.map(|it| self.psychology.seal(it.as_bytes(), &place("absence_check", check.student_key, key))))
        .execute(&mut *tx)
        .await
        .map_err(Error::database("write", "absence_check"))?;
        let fact = Fact {
            check_no: key,
            student_key: check.student_key,
            night_on,
            result: check.result.code(),
            role: who.role.code(),
            at: now,
        };
        tell_of(&mut tx, ABSENCE_CHECK, now, &fact).await?;
        tx.commit().await.map_err(Error::database("write", "absence_check"))?;
        Ok(true)
    }

    /// Returns the newest answer about each student of a night, in the order of students. Show them beside rows only that
    /// the reader sees.
    ///
    /// # Errors
    /// If the store cannot be read or a note is damaged.
    pub async fn absence_checks(&self, night_day: i64) -> Result<Vec<AbsenceCheck>, Error> {
        let rows: Vec<Stored> = sqlx::query_as(
            "SELECT check_key, student_key, result, actor, at_us, note_sealed FROM absence_check WHERE night_day = $1 \
             ORDER BY student_key, check_key LIMIT $2",
        )
        .bind(night_day)
        .bind(ANSWERS_MAX)
        .fetch_all(self.database.read())
        .await
        .map_err(Error::database("read", "absence_check"))?;
        let mut newest: Vec<AbsenceCheck> = Vec::new();
        for row in rows {
            let damaged = Error::Damaged { table: "absence_check", column: "result" };
            let note = match &row.note_sealed {
                Some(sealed) => {
                    let place = place("absence_check", row.student_key, row.check_key);
                    Some(open_text(&self.psychology, sealed, &place, "absence_check")?)
                }
                None => None,
            };
            let check = AbsenceCheck {
                student_key: row.student_key,
                result: AbsenceResult::from_code(&row.result).ok_or(damaged)?,
                actor: row.actor,
                at_us: row.at_us,
                note,
                n_answers: 1,
            };
            match newest.last_mut().filter(|it| it.student_key == check.student_key) {
                Some(before) => *before = AbsenceCheck { n_answers: before.n_answers + 1, ..check },
                None => newest.push(check),
            }
        }
        Ok(newest)
    }
}
