//! Records of a case beside its steps: conferences, guardians, hospital, leave and return, contacts over a break.

use casework::{Act, Code, Command, Family, Kind, Record, RecordKind, Role, Rules, Severity, Sight, sight};
use sqlx::FromRow;

use super::plans::{plan_in, replace_in};
use super::responsibility::counselor;
use super::{Cases, FollowUpCause, NOTE_BYTES_MAX, Tx, Who, actor, load, next_key, open_text, place};
use crate::error::Error;
use crate::sealing::Sealer;

/// Contacts of a plan that lie further back than this are not asked for any more.
const LATE_US: i64 = 7 * casework::DAY_US;

/// Something to be recorded on a case.
#[derive(Debug, Clone)]
pub struct NewRecord<'a> {
    /// Which case.
    pub thread_key: i64,
    /// What.
    pub record: &'a Record,
    /// What there is to say about it, sealed under the psychology key.
    pub note: Option<&'a str>,
}

/// A record as somebody reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordRow {
    /// The record.
    pub record_key: i64,
    /// When it was written, in microseconds since 1970.
    pub at_us: i64,
    /// Who wrote it.
    pub actor: String,
    /// In which role.
    pub role: Role,
    /// Of what.
    pub kind: RecordKind,
    /// Its fields; none where they are kept from the reader.
    pub record: Option<Record>,
    /// What was written; psychology's notes are psychology's.
    pub note: Option<String>,
}

#[derive(FromRow)]
struct Stored {
    record_key: i64,
    at_us: i64,
    actor: String,
    role: String,
    body: String,
    note_sealed: Option<Vec<u8>>,
}

impl Stored {
    fn record(&self) -> Result<Record, Error> {
        serde_json::from_str(&self.body).map_err(|_| Error::Damaged { table: "case_record", column: "body" })
    }

    fn role(&self) -> Result<Role, Error> {
        Role::from_code(&self.role).ok_or(Error::Damaged { table: "case_record", column: "role" })
    }

    fn note(&self, psychology: &Sealer) -> Result<Option<String>, Error> {
        let place = place("case_record", self.record_key, 0);
        self.note_sealed.as_ref().map(|it| open_text(psychology, it, &place, "case_record")).transpose()
    }
}

const COLUMNS: &str = "SELECT record_key, at_us, actor, role, body, note_sealed FROM case_record";

impl Cases {
    /// Records something on a case, with what follows from it, in one transaction; returns the record.
    ///
    /// The same once more, by the same person and as the latest of its kind, is the same record: a message that is sent
    /// twice makes nothing twice.
    ///
    /// # Errors
    /// [`Error::NoSuchCase`] if there is none or the author sees nothing of it, [`Error::CaseRefused`] if the rules do not
    /// allow it, [`Error::Inconsistent`] if its parts do not fit; otherwise if the store cannot be written.
    pub async fn record(&self, new: NewRecord<'_>, who: &Who, rules: &Rules, now: i64) -> Result<i64, Error> {
        let no_case = || Error::NoSuchCase { thread_key: new.thread_key };
        if new.note.is_some_and(|it| NOTE_BYTES_MAX < it.len()) {
            return Err(Error::NoteLength);
        }
        let mut tx = self.database.begin("case_record").await?;
        let thread = load(&mut tx, new.thread_key).await?.ok_or_else(no_case)?;
        let actor = actor(&mut tx, who, thread.student_key, now).await?;
        if sight(&actor, &thread, now) == Sight::Nothing {
            return Err(no_case());
        }
        let rules = with_family(&mut tx, rules, thread.student_key).await?;
        // Who may not is told so, before anything is said about what they wrote.
        casework::expect_record(&thread, new.record, &actor, &rules, now)?;
        new.record.check(&rules.calendar, now)?;
        let kind = new.record.kind();
        let latest: Option<Stored> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "{COLUMNS} WHERE thread_key = $1 AND kind = $2 ORDER BY record_key DESC LIMIT 1"
        )))
        .bind(new.thread_key)
        .bind(kind.code())
        .fetch_optional(&mut *tx)
        .await
        .map_err(Error::database("read", "case_record"))?;
        if let Some(latest) = latest
            && latest.actor == who.account
            && latest.record()? == *new.record
            && latest.note(&self.psychology)?.as_deref() == new.note
        {
            return Ok(latest.record_key);
        }
        let key = next_key(&mut tx, "case_record", "record_key").await?;
        sqlx::query(
            "INSERT INTO case_record (record_key, thread_key, student_key, kind, at_us, actor, role, body, note_sealed) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(key)
        .bind(new.thread_key)
        .bind(thread.student_key)
        .bind(kind.code())
        .bind(now)
        .bind(&who.account)
        .bind(who.role.code())
        .bind(serde_json::to_string(new.record).expect("codes, accounts and integers become JSON"))
        .bind(new.note.map(|it| self.psychology.seal(it.as_bytes(), &place("case_record", key, 0))))
        .execute(&mut *tx)
        .await
        .map_err(Error::database("write", "case_record"))?;
        if let (Record::Conference(it), true) = (new.record, new.record.ends_crisis(&thread)) {
            let n_present = i64::try_from(it.members.len()).unwrap_or(i64::MAX);
            let command = Command { act: Act::Confer { n_present }, reason: Code::new("case_conference")? };
            self.decide_and_append(&mut tx, &thread, &command, None, &actor, (&rules, now)).await?;
        }
        let dates: Vec<i64> = new.record.contacts(&rules.calendar)?.into_iter().filter(|it| now - LATE_US <= *it).collect();
        match new.record {
            Record::BreakPlan(it) => {
                replace_in(&mut tx, thread.student_key, FollowUpCause::Break, now).await?;
                plan_in(&mut tx, thread.student_key, FollowUpCause::Break, &it.owner, &dates).await?;
            }
            _ if !dates.is_empty() => {
                let responsible = counselor(&mut tx, thread.student_key).await?;
                let owner = responsible.or(thread.owner.clone()).unwrap_or_else(|| who.account.clone());
                plan_in(&mut tx, thread.student_key, FollowUpCause::Return, &owner, &dates).await?;
            }
            _ => {}
        }
        tx.commit().await.map_err(Error::database("write", "case_record"))?;
        Ok(key)
    }

    /// Returns the records of a case as the reader sees them, the newest first.
    ///
    /// # Errors
    /// [`Error::NoSuchCase`] if there is none or the reader does not see its record; otherwise if the store cannot be
    /// read or a note is damaged.
    pub async fn records_of(&self, thread_key: i64, who: &Who, limit: usize, now: i64) -> Result<Vec<RecordRow>, Error> {
        let mut tx = self.database.snapshot("case_record").await?;
        let (thread, sight) = self.expect_record(&mut tx, thread_key, who, now).await?;
        let sql = format!("{COLUMNS} WHERE thread_key = $1 ORDER BY record_key DESC LIMIT $2");
        let rows: Vec<Stored> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(thread_key)
            .bind(super::page_limit(limit))
            .fetch_all(&mut *tx)
            .await
            .map_err(Error::database("read", "case_record"))?;
        let shown = |row: Stored| {
            let (record, role) = (row.record()?, row.role()?);
            let is_open = sight == Sight::Closed || !role.is_psychology();
            let note = if is_open { row.note(&self.psychology)? } else { None };
            let kind = record.kind();
            let is_shown = sight == Sight::Closed || !record.is_masked(&thread, role);
            let record = Some(record).filter(|_| is_shown);
            Ok(RecordRow { record_key: row.record_key, at_us: row.at_us, actor: row.actor, role, kind, record, note })
        };
        rows.into_iter().map(shown).collect()
    }

    /// Returns the figures of a month for a report, which tells nothing of anybody: see [`MonthFigures`].
    ///
    /// # Errors
    /// If the role is not psychology's, or the store cannot be read.
    pub async fn month(&self, from_us: i64, until_us: i64, who: &Who) -> Result<MonthFigures, Error> {
        self.expect_psychology(who)?;
        let n = async |table: &'static str, condition: String| -> Result<i64, Error> {
            let sql = format!("SELECT count(*) FROM {table} WHERE {condition}");
            sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
                .bind(from_us)
                .bind(until_us)
                .fetch_one(self.database.read())
                .await
                .map_err(Error::database("read", table))
        };
        let psych = Kind::Psych.code();
        let record = |kind: RecordKind| format!("at_us >= $1 AND at_us < $2 AND kind = '{}'", kind.code());
        let step = |step: casework::StepName| format!("at_us >= $1 AND at_us < $2 AND step = '{}'", step.code());
        Ok(MonthFigures {
            reports_n: n("observation_report", "at_us >= $1 AND at_us < $2".to_owned()).await?,
            opened_n: n("case_thread", format!("opened_us >= $1 AND opened_us < $2 AND kind = '{psych}'")).await?,
            closed_n: n("case_thread", format!("closed_us >= $1 AND closed_us < $2 AND kind = '{psych}'")).await?,
            grave_n: n(
                "case_thread",
                // Those that are open now and were before the month ended: a state, so the beginning does not count.
                format!(
                    "coalesce(opened_us, $1) < $2 AND state <> 'closed' AND has_died = 0 AND severity >= {}",
                    Severity::Serious.level()
                ),
            )
            .await?,
            crises_n: n("case_event", step(casework::StepName::Declared)).await?,
            checks_n: n("case_event", step(casework::StepName::CheckOpened)).await?,
            conferences_n: n("case_record", record(RecordKind::Conference)).await?,
            referrals_n: n("case_record", record(RecordKind::MedicalReferral)).await?,
            returns_n: n("case_record", record(RecordKind::ReturnReview)).await?,
            contacts_n: n("follow_up", "done_us >= $1 AND done_us < $2 AND result <> 'replaced'".to_owned()).await?,
        })
    }
}

/// Figures of a month; whoever shows them hides what is small.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MonthFigures {
    /// Observations that came in.
    pub reports_n: i64,
    /// Psychological cases that were opened, and closed.
    pub opened_n: i64,
    /// Psychological cases that were closed.
    pub closed_n: i64,
    /// Open cases of severity 3 and 4.
    pub grave_n: i64,
    /// Crises that were declared.
    pub crises_n: i64,
    /// Safety checks that were opened.
    pub checks_n: i64,
    /// Case conferences.
    pub conferences_n: i64,
    /// Medical referrals.
    pub referrals_n: i64,
    /// Return reviews.
    pub returns_n: i64,
    /// Contacts that were made.
    pub contacts_n: i64,
}

impl Cases {
    /// Keeps who is a minor as the registers say now; whoever is not named any more has come of age.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn keep_minors(&self, students: &[i64]) -> Result<(), Error> {
        let mut tx = self.database.begin("student_minor").await?;
        sqlx::query("DELETE FROM student_minor").execute(&mut *tx).await.map_err(Error::database("write", "student_minor"))?;
        for student_key in students {
            sqlx::query("INSERT INTO student_minor (student_key) VALUES ($1)")
                .bind(student_key)
                .execute(&mut *tx)
                .await
                .map_err(Error::database("write", "student_minor"))?;
        }
        tx.commit().await.map_err(Error::database("write", "student_minor"))
    }
}

/// The rules with what holds of a student's guardian, over all their cases: what people recorded, and minors as the
/// registers have them.
pub(super) async fn with_family(tx: &mut Tx, rules: &Rules, student_key: i64) -> Result<Rules, Error> {
    let bodies: Vec<String> =
        sqlx::query_scalar("SELECT body FROM case_record WHERE student_key = $1 AND kind = $2 ORDER BY record_key")
            .bind(student_key)
            .bind(RecordKind::Guardian.code())
            .fetch_all(&mut **tx)
            .await
            .map_err(Error::database("read", "case_record"))?;
    let mut family = Family::default();
    for body in &bodies {
        let record = serde_json::from_str(body).map_err(|_| Error::Damaged { table: "case_record", column: "body" })?;
        if let Record::Guardian(standing) = record {
            family = family.after(&standing);
        }
    }
    let minors: i64 = sqlx::query_scalar("SELECT count(*) FROM student_minor WHERE student_key = $1")
        .bind(student_key)
        .fetch_one(&mut **tx)
        .await
        .map_err(Error::database("read", "student_minor"))?;
    family.is_minor |= 0 < minors;
    Ok(Rules { family, ..rules.clone() })
}
