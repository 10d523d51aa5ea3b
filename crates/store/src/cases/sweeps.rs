//! Sweeps through all students of a counselor (排查): every student gets an answer, psychology sees how far they are.

use casework::{Act, Code, Command, Kind, Refusal, Role, Rules, Severity, Source, SweepAnswer, SweepMoment};
use sqlx::FromRow;

use super::deaths::has_died;
use super::{Cases, NewEntry, Tx, Who, actor, next_key};
use crate::error::Error;

/// Most students that one message answers for.
const STUDENTS_MAX: usize = 500;

/// Longest name of a term.
const TERM_BYTES_MAX: usize = 32;

/// A sweep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweepRow {
    /// The sweep.
    pub sweep_key: i64,
    /// The term.
    pub term: String,
    /// When in the term.
    pub moment: SweepMoment,
    /// When it was opened, in microseconds since 1970.
    pub opened_us: i64,
    /// Until when every student has an answer.
    pub due_us: i64,
}

/// A student of a sweep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweptStudent {
    /// The student.
    pub student_key: i64,
    /// The answer, once there is one.
    pub answer: Option<SweepAnswer>,
    /// Whether there is an open case of theirs.
    pub is_in_care: bool,
}

/// How far one account is with a sweep.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct SweepProgress {
    /// The account.
    pub account: String,
    /// Students that are theirs.
    pub student_n: i64,
    /// Those with an answer.
    pub answered_n: i64,
    /// Answers "nothing to note".
    pub nothing_n: i64,
    /// Answers that opened a case.
    pub opened_n: i64,
    /// Answers "already in care".
    pub in_care_n: i64,
}

#[derive(FromRow)]
struct Stored {
    sweep_key: i64,
    term: String,
    moment: String,
    opened_us: i64,
    due_us: i64,
}

impl TryFrom<Stored> for SweepRow {
    type Error = Error;

    fn try_from(row: Stored) -> Result<Self, Error> {
        let moment = SweepMoment::from_code(&row.moment).ok_or(Error::Damaged { table: "risk_sweep", column: "moment" })?;
        Ok(Self { sweep_key: row.sweep_key, term: row.term, moment, opened_us: row.opened_us, due_us: row.due_us })
    }
}

impl Cases {
    /// Opens a sweep of a term; the same once more is the same sweep.
    ///
    /// # Errors
    /// If the role is not psychology's, the term has no name, it is due in the past, or the store cannot be written.
    pub async fn open_sweep(&self, term: &str, moment: SweepMoment, due_us: i64, who: &Who, now: i64) -> Result<i64, Error> {
        self.expect_psychology(who)?;
        if term.trim().is_empty() || TERM_BYTES_MAX < term.len() || due_us <= now {
            let why = "name the term in 32 bytes, and a day that is still to come";
            return Err(casework::Error::Inconsistent { record: "risk sweep", why }.into());
        }
        let mut tx = self.database.begin("risk_sweep").await?;
        let known: Option<i64> = sqlx::query_scalar("SELECT sweep_key FROM risk_sweep WHERE term = $1 AND moment = $2")
            .bind(term)
            .bind(moment.code())
            .fetch_optional(&mut *tx)
            .await
            .map_err(Error::database("read", "risk_sweep"))?;
        if let Some(known) = known {
            return Ok(known);
        }
        let key = next_key(&mut tx, "risk_sweep", "sweep_key").await?;
        sqlx::query(
            "INSERT INTO risk_sweep (sweep_key, term, moment, opened_by, opened_us, due_us) VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(key)
        .bind(term)
        .bind(moment.code())
        .bind(&who.account)
        .bind(now)
        .bind(due_us)
        .execute(&mut *tx)
        .await
        .map_err(Error::database("write", "risk_sweep"))?;
        tx.commit().await.map_err(Error::database("write", "risk_sweep"))?;
        Ok(key)
    }

    /// Returns the sweeps, the newest first; 20 at most.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn sweeps(&self) -> Result<Vec<SweepRow>, Error> {
        let rows: Vec<Stored> =
            sqlx::query_as("SELECT sweep_key, term, moment, opened_us, due_us FROM risk_sweep ORDER BY sweep_key DESC LIMIT 20")
                .fetch_all(self.database.read())
                .await
                .map_err(Error::database("read", "risk_sweep"))?;
        rows.into_iter().map(SweepRow::try_from).collect()
    }

    /// Returns the students of a counselor in a sweep: those without an answer first; none who has died.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn swept(&self, sweep_key: i64, who: &Who, now: i64) -> Result<Vec<SweptStudent>, Error> {
        if who.role != Role::Counselor {
            return Ok(Vec::new());
        }
        let rows: Vec<(i64, Option<String>, i64)> = sqlx::query_as(
            "SELECT a.student_key, r.answer, (SELECT count(*) FROM case_thread c WHERE c.student_key = a.student_key \
             AND c.state <> 'closed') FROM case_assignment a LEFT JOIN risk_sweep_answer r \
             ON r.sweep_key = $1 AND r.student_key = a.student_key WHERE a.relation = 'counselor' AND a.account = $2 \
             AND a.from_us <= $3 AND $3 < a.until_us AND a.student_key NOT IN (SELECT student_key FROM student_death) \
             ORDER BY CASE WHEN r.answer IS NULL THEN 0 ELSE 1 END, a.student_key",
        )
        .bind(sweep_key)
        .bind(&who.account)
        .bind(now)
        .fetch_all(self.database.read())
        .await
        .map_err(Error::database("read", "risk_sweep_answer"))?;
        let shown = |(student_key, answer, open_n): (i64, Option<String>, i64)| {
            let answer = answer
                .map(|it| SweepAnswer::from_code(&it).ok_or(Error::Damaged { table: "risk_sweep_answer", column: "answer" }));
            Ok(SweptStudent { student_key, answer: answer.transpose()?, is_in_care: 0 < open_n })
        };
        rows.into_iter().map(shown).collect()
    }

    /// Returns how far every counselor is with a sweep; psychology's, and nobody's names of students.
    ///
    /// # Errors
    /// If the role is not psychology's, or the store cannot be read.
    pub async fn sweep_progress(&self, sweep_key: i64, who: &Who, now: i64) -> Result<Vec<SweepProgress>, Error> {
        self.expect_psychology(who)?;
        sqlx::query_as(
            "SELECT a.account, count(*) AS student_n, count(r.answer) AS answered_n, \
             CAST(sum(CASE WHEN r.answer = 'nothing_seen' THEN 1 ELSE 0 END) AS BIGINT) AS nothing_n, \
             CAST(sum(CASE WHEN r.answer = 'case_opened' THEN 1 ELSE 0 END) AS BIGINT) AS opened_n, \
             CAST(sum(CASE WHEN r.answer = 'in_care' THEN 1 ELSE 0 END) AS BIGINT) AS in_care_n \
             FROM case_assignment a LEFT JOIN risk_sweep_answer r ON r.sweep_key = $1 AND r.student_key = a.student_key \
             WHERE a.relation = 'counselor' AND a.from_us <= $2 AND $2 < a.until_us \
             AND a.student_key NOT IN (SELECT student_key FROM student_death) GROUP BY a.account ORDER BY a.account",
        )
        .bind(sweep_key)
        .bind(now)
        .fetch_all(self.database.read())
        .await
        .map_err(Error::database("read", "risk_sweep_answer"))
    }

    /// Takes a counselor's answer for students of theirs, all or none. The same once more changes nothing; a case is
    /// opened once.
    ///
    /// # Errors
    /// [`Error::CaseRefused`] if a student is not theirs, or "in care" is said of who has no open case; otherwise if the
    /// store cannot be written.
    pub async fn answer_sweep(
        &self,
        sweep_key: i64,
        students: &[i64],
        (answer, kind): (SweepAnswer, Kind),
        who: &Who,
        (rules, now): (&Rules, i64),
    ) -> Result<(), Error> {
        if students.is_empty() || STUDENTS_MAX < students.len() {
            return Err(Refusal::SingleOnly.into());
        }
        // A case is one student's matter, looked at one by one.
        if answer == SweepAnswer::CaseOpened && students.len() != 1 {
            return Err(Refusal::SingleOnly.into());
        }
        let mut tx = self.database.begin("risk_sweep_answer").await?;
        let sweeps: i64 = sqlx::query_scalar("SELECT count(*) FROM risk_sweep WHERE sweep_key = $1")
            .bind(sweep_key)
            .fetch_one(&mut *tx)
            .await
            .map_err(Error::database("read", "risk_sweep"))?;
        if sweeps == 0 {
            return Err(Refusal::Empty.into());
        }
        for student_key in students {
            self.answer_one(&mut tx, (sweep_key, *student_key), (answer, kind), who, (rules, now)).await?;
        }
        tx.commit().await.map_err(Error::database("write", "risk_sweep_answer"))
    }

    async fn answer_one(
        &self,
        tx: &mut Tx,
        (sweep_key, student_key): (i64, i64),
        (answer, kind): (SweepAnswer, Kind),
        who: &Who,
        (rules, now): (&Rules, i64),
    ) -> Result<(), Error> {
        let standing = actor(tx, who, student_key, now).await?;
        if who.role != Role::Counselor || !standing.is_responsible || has_died(tx, student_key).await? {
            return Err(Refusal::NotYours.into());
        }
        let known: Option<String> =
            sqlx::query_scalar("SELECT answer FROM risk_sweep_answer WHERE sweep_key = $1 AND student_key = $2")
                .bind(sweep_key)
                .bind(student_key)
                .fetch_optional(&mut **tx)
                .await
                .map_err(Error::database("read", "risk_sweep_answer"))?;
        if known.as_deref() == Some(answer.code()) {
            return Ok(());
        }
        let thread_key = match answer {
            SweepAnswer::NothingSeen => None,
            SweepAnswer::CaseOpened => {
                let act = Act::Signal { source: Source::HumanReport, severity: Severity::Attention };
                let command = Command { act, reason: Code::new("risk_sweep")? };
                let entry = NewEntry { student_key, kind, command: &command, note: None };
                self.enter_in(tx, entry, who, rules, now).await?.thread_key
            }
            SweepAnswer::InCare => {
                let open: Option<i64> =
                    sqlx::query_scalar("SELECT max(thread_key) FROM case_thread WHERE student_key = $1 AND state <> 'closed'")
                        .bind(student_key)
                        .fetch_one(&mut **tx)
                        .await
                        .map_err(Error::database("read", "case_thread"))?;
                Some(open.ok_or(Refusal::NothingOpen)?)
            }
        };
        sqlx::query(
            "INSERT INTO risk_sweep_answer (sweep_key, student_key, answer, account, thread_key, at_us) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (sweep_key, student_key) DO UPDATE SET answer = excluded.answer, \
             account = excluded.account, thread_key = excluded.thread_key, at_us = excluded.at_us",
        )
        .bind(sweep_key)
        .bind(student_key)
        .bind(answer.code())
        .bind(&who.account)
        .bind(thread_key)
        .bind(now)
        .execute(&mut **tx)
        .await
        .map(drop)
        .map_err(Error::database("write", "risk_sweep_answer"))
    }
}
