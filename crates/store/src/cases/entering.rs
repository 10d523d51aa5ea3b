//! What begins a case or goes into the open one: signals, reports, declarations, safety checks.

use casework::{Act, Admission, Command, Kind, Refusal, Rules, Thread, admit};

use super::deaths::has_died;
use super::{Cases, Tx, Who, actor, load, next_key};
use crate::error::Error;

/// Something new about a student.
#[derive(Debug, Clone)]
pub struct NewEntry<'a> {
    /// The student.
    pub student_key: i64,
    /// What it is about.
    pub kind: Kind,
    /// A signal, a declaration or the opening of a safety check.
    pub command: &'a Command,
    /// What there is to say about it, sealed under the psychology key.
    pub note: Option<&'a str>,
}

/// What became of something new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entered {
    /// The case it is in; none if it was cooled down.
    pub thread_key: Option<i64>,
    /// The version of the case now.
    pub version: i64,
    /// What became of it.
    pub admission: Admission,
}

impl Cases {
    /// Enters something new: into the student's open case of this kind, or a new one.
    ///
    /// A machine's signal may be bundled or cooled down, a person's never.
    ///
    /// # Errors
    /// [`Error::CaseRefused`] if the rules do not allow it; otherwise if the store cannot be written.
    pub async fn enter(&self, entry: NewEntry<'_>, who: &Who, rules: &Rules, now: i64) -> Result<Entered, Error> {
        let mut tx = self.database.begin("case_thread").await?;
        let entered = self.enter_in(&mut tx, entry, who, rules, now).await?;
        tx.commit().await.map_err(Error::database("write", "case_event"))?;
        Ok(entered)
    }

    pub(super) async fn enter_in(
        &self,
        tx: &mut Tx,
        entry: NewEntry<'_>,
        who: &Who,
        rules: &Rules,
        now: i64,
    ) -> Result<Entered, Error> {
        if has_died(tx, entry.student_key).await? {
            return Err(Refusal::Deceased.into());
        }
        let open: Option<i64> =
            sqlx::query_scalar("SELECT thread_key FROM case_thread WHERE student_key = $1 AND kind = $2 AND state <> 'closed'")
                .bind(entry.student_key)
                .bind(entry.kind.code())
                .fetch_optional(&mut **tx)
                .await
                .map_err(Error::database("read", "case_thread"))?;
        let admission = match entry.command.act {
            Act::Signal { source, severity } => {
                let closed: Option<i64> =
                    sqlx::query_scalar("SELECT max(closed_us) FROM case_thread WHERE student_key = $1 AND kind = $2")
                        .bind(entry.student_key)
                        .bind(entry.kind.code())
                        .fetch_one(&mut **tx)
                        .await
                        .map_err(Error::database("read", "case_thread"))?;
                admit(entry.kind, source, severity, open.is_some(), closed, now)
            }
            Act::Declare { .. } | Act::OpenCheck { .. } if open.is_some() => Admission::OwnEntry,
            Act::Declare { .. } | Act::OpenCheck { .. } => Admission::Opens,
            _ => return Err(Refusal::Empty.into()),
        };
        if admission == Admission::CooledDown {
            return Ok(Entered { thread_key: None, version: 0, admission });
        }
        let thread = match open {
            Some(thread_key) => load(tx, thread_key).await?.ok_or(Error::NoSuchCase { thread_key })?,
            None => Thread::blank(next_key(tx, "case_thread", "thread_key").await?, entry.student_key, entry.kind),
        };
        let actor = actor(tx, who, entry.student_key, now).await?;
        let done = self.decide_and_append(tx, &thread, entry.command, entry.note, &actor, (rules, now)).await?;
        Ok(Entered { thread_key: Some(done.thread_key), version: done.version, admission })
    }
}
