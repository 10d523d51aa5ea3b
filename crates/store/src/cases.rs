//! Cases and everything around them (个案): the rules are `casework`'s, what happened is kept here.
//!
//! A command is one transaction: the history is loaded, `casework` decides, events are added, lists and outbox follow.
//! Reads give what the reader's sight of the case allows and nothing else; callers write the audit row.

mod absences;
mod acting;
mod choices;
mod deaths;
mod entering;
mod offers;
mod outbox;
mod plans;
mod reading;
mod records;
mod reports;
mod responsibility;
mod routing;
mod screenings;
mod sweeps;
mod talk_hours;
#[cfg(test)]
mod tests;
mod visits;
mod work;

use std::fmt;
use std::sync::Arc;

use casework::{Actor, Delegation, Event, Role, Shift, StepName, Text, Thread};
use sqlx::{Any, Transaction};

use crate::database::Database;
use crate::error::Error;
use crate::sealing::Sealer;

pub use absences::{AbsenceCheck, NewAbsenceCheck};
pub use acting::{Done, Edit};
pub use choices::SocialChoice;
pub use deaths::{Around, DeathRow, NewDeath};
pub use entering::{Entered, NewEntry};
pub use offers::{Synced, TakenUp};
pub use outbox::Fact;
pub use plans::{DueFollowUp, FollowUpCause, With};
pub use reading::{Desk, HistoryRow, Page, QueueCounts, QueueRow, View, Wanted};
pub use records::{MonthFigures, NewRecord, RecordRow};
pub use reports::{MyReport, MyRequest, OpenedReport, UnplacedReport};
pub use responsibility::Offered;
pub use routing::{Asked, Call, Referral};
pub use screenings::CampaignRow;
pub use sweeps::{SweepProgress, SweepRow, SweptStudent};
pub use talk_hours::{NewTalkHours, TalkHours};
pub use visits::{NewVisitAnswer, VisitAnswer};

/// Stands for "no end" and "nothing due", because NULL sorts differently in the two databases.
pub(crate) const NEVER: i64 = i64::MAX;

/// Most rows of one page, whatever is asked for.
pub(crate) const ROWS_MAX: usize = 500;

/// Longest note in bytes.
const NOTE_BYTES_MAX: usize = 16_384;

pub(crate) type Tx = Transaction<'static, Any>;

/// Who asks: an account in its active role. What they stand in to a student is looked up here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// The account.
    pub account: String,
    /// The one role that is active.
    pub role: Role,
}

impl Who {
    /// The platform itself: schedules and rules.
    pub fn system() -> Self {
        Self { account: "system".to_owned(), role: Role::System }
    }
}

/// What others did since somebody looked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Who; none where the reader may not know.
    pub actor: Option<String>,
    /// What; none where the reader may not know.
    pub step: Option<StepName>,
    /// When, in microseconds since 1970.
    pub at_us: i64,
}

/// Returns the sentence that names what changed while somebody was editing.
pub fn change_text(changes: &[Change]) -> Text {
    let named: Vec<(&String, Text)> = changes.iter().filter_map(|it| Some((it.actor.as_ref()?, it.step?.text()))).collect();
    if named.is_empty() {
        return Text::new("您编辑期间该个案已有变动，请刷新后再试。", "The case changed while you were editing: look again.");
    }
    let zh: Vec<String> = named.iter().map(|(actor, step)| format!("{actor} {}", step.zh)).collect();
    let en: Vec<String> = named.iter().map(|(actor, step)| format!("{actor} {}", step.en)).collect();
    Text::new(
        format!("您编辑期间：{}。请刷新后再试，您的内容未保存。", zh.join("；")),
        format!("While you were editing, {}. Look again; yours was not saved.", en.join("; ")),
    )
}

/// Cases, reports, rosters, plans and the outbox; clones share everything.
#[derive(Clone)]
pub struct Cases {
    database: Database,
    psychology: Arc<Sealer>,
}

impl Cases {
    pub(crate) fn new(database: Database, psychology: Arc<Sealer>) -> Self {
        Self { database, psychology }
    }
}

impl fmt::Debug for Cases {
    // Written by hand so that no log ever shows the psychology key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cases").finish_non_exhaustive()
    }
}

/// Adds a case up from its events.
async fn load(tx: &mut Tx, thread_key: i64) -> Result<Option<Thread>, Error> {
    let row: Option<(i64, String)> = sqlx::query_as("SELECT student_key, kind FROM case_thread WHERE thread_key = $1")
        .bind(thread_key)
        .fetch_optional(&mut **tx)
        .await
        .map_err(Error::database("read", "case_thread"))?;
    let Some((student_key, kind)) = row else { return Ok(None) };
    let kind = casework::Kind::from_code(&kind).ok_or(Error::Damaged { table: "case_thread", column: "kind" })?;
    let bodies: Vec<String> = sqlx::query_scalar("SELECT body FROM case_event WHERE thread_key = $1 ORDER BY seq")
        .bind(thread_key)
        .fetch_all(&mut **tx)
        .await
        .map_err(Error::database("read", "case_event"))?;
    let mut thread = Thread::blank(thread_key, student_key, kind);
    for body in &bodies {
        thread = casework::apply(thread, &event_from(body)?);
    }
    Ok(Some(thread))
}

fn event_from(body: &str) -> Result<Event, Error> {
    serde_json::from_str(body).map_err(|_| Error::Damaged { table: "case_event", column: "body" })
}

/// Returns the accounts whose work somebody does now: their own first, then those who delegated to them.
async fn standing_in(tx: &mut Tx, account: &str, now: i64) -> Result<Vec<String>, Error> {
    let rows: Vec<(String, i64, i64)> = sqlx::query_as(
        "SELECT from_account, from_us, until_us FROM delegation WHERE to_account = $1 AND from_us <= $2 AND $2 < until_us \
         ORDER BY from_account",
    )
    .bind(account)
    .bind(now)
    .fetch_all(&mut **tx)
    .await
    .map_err(Error::database("read", "delegation"))?;
    let to = account.to_owned();
    let runs = |(from, from_us, until_us)| {
        let delegation = Delegation { from, to: to.clone(), from_us, until_us };
        delegation.runs_at(now).then_some(delegation.from)
    };
    Ok(std::iter::once(account.to_owned()).chain(rows.into_iter().filter_map(runs)).collect())
}

/// Returns the shift somebody stands in now, as the person on duty or as the backup.
async fn shift(tx: &mut Tx, account: &str, now: i64) -> Result<Option<Shift>, Error> {
    let row: Option<(String, i64, i64)> = sqlx::query_as(
        "SELECT post, from_us, until_us FROM duty_roster WHERE (account = $1 OR backup = $1) AND from_us <= $2 \
         AND $2 < until_us ORDER BY post, from_us LIMIT 1",
    )
    .bind(account)
    .bind(now)
    .fetch_optional(&mut **tx)
    .await
    .map_err(Error::database("read", "duty_roster"))?;
    row.map(|(post, from_us, until_us)| {
        let post = casework::Post::from_code(&post).ok_or(Error::Damaged { table: "duty_roster", column: "post" })?;
        Ok(Shift { post, from_us, until_us })
    })
    .transpose()
}

/// Looks up what somebody stands in to a student.
async fn actor(tx: &mut Tx, who: &Who, student_key: i64, now: i64) -> Result<Actor, Error> {
    let mut actor = Actor::stranger(&who.account, who.role);
    if who.role == Role::System {
        return Ok(actor);
    }
    let accounts = standing_in(tx, &who.account, now).await?;
    let held: Vec<(String, String)> = sqlx::query_as(
        "SELECT relation, account FROM case_assignment WHERE student_key = $1 AND from_us <= $2 AND $2 < until_us",
    )
    .bind(student_key)
    .bind(now)
    .fetch_all(&mut **tx)
    .await
    .map_err(Error::database("read", "case_assignment"))?;
    let holds = |relation: &str| held.iter().any(|(kind, account)| kind == relation && accounts.contains(account));
    match who.role {
        Role::Counselor => actor.is_responsible = holds("counselor"),
        Role::Tutor => actor.is_responsible = holds("tutor"),
        Role::Psychologist => actor.is_of_college = holds("psychologist"),
        Role::CollegeSecretary => actor.is_of_college = holds("secretary"),
        _ => {}
    }
    actor.shift = shift(tx, &who.account, now).await?;
    Ok(actor)
}

/// Says which row of which table a sealed note belongs to.
fn place(table: &str, key: i64, row: i64) -> Vec<u8> {
    format!("{table}/{key}/{row}").into_bytes()
}

/// Opens a text that was sealed for a place.
fn open_text(sealer: &Sealer, sealed: &[u8], place: &[u8], table: &'static str) -> Result<String, Error> {
    let plain = sealer.open(sealed, place).ok().and_then(|it| String::from_utf8(it).ok());
    plain.ok_or(Error::Damaged { table, column: "sealed" })
}

/// Counts on from the largest key of a table. The one writer makes this safe, and the order of keys the order of commits.
pub(crate) async fn next_key(tx: &mut Tx, table: &'static str, column: &'static str) -> Result<i64, Error> {
    let sql = format!("SELECT coalesce(max({column}), 0) + 1 FROM {table}");
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&mut **tx).await.map_err(Error::database("read", table))
}

fn page_limit(limit: usize) -> i64 {
    limit.clamp(1, ROWS_MAX) as i64
}
