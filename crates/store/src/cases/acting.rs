//! Doing something on a case: load, decide, append, all or nothing.

use casework::{Act, Actor, Command, EXPIRY_US, Event, Refusal, Role, Rules, Sight, Step, Thread, decide, sight};

use super::outbox::tell;
use super::records::with_family;
use super::{Cases, Change, NEVER, NOTE_BYTES_MAX, Tx, Who, actor, event_from, load, place};
use crate::error::Error;

/// One edit of a case.
#[derive(Debug, Clone)]
pub struct Edit<'a> {
    /// Which case.
    pub thread_key: i64,
    /// The version the editor looked at.
    pub seen_version: i64,
    /// What is to happen.
    pub command: &'a Command,
    /// What there is to say about it, sealed under the psychology key.
    pub note: Option<&'a str>,
}

/// What an edit made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// Which case.
    pub thread_key: i64,
    /// Its version now.
    pub version: i64,
    /// What was added.
    pub events: Vec<Event>,
}

impl Cases {
    /// Does something on a case.
    ///
    /// Of two editors who looked at the same version the second is refused with what the first did. Steps of a crisis
    /// or a safety check, reports and declarations only ever add, so they are taken whatever was seen.
    ///
    /// # Errors
    /// [`Error::NoSuchCase`] if there is none or the actor sees nothing of it, [`Error::CaseStale`] if it has changed,
    /// [`Error::CaseRefused`] if the rules do not allow it; otherwise if the store cannot be written.
    pub async fn execute(&self, edit: Edit<'_>, who: &Who, rules: &Rules, now: i64) -> Result<Done, Error> {
        let no_case = || Error::NoSuchCase { thread_key: edit.thread_key };
        let mut tx = self.database.begin("case_thread").await?;
        let thread = load(&mut tx, edit.thread_key).await?.ok_or_else(no_case)?;
        let actor = actor(&mut tx, who, thread.student_key, now).await?;
        // That there is a case is itself something to keep: who sees nothing of it hears nothing of it.
        if sees_nothing(&actor, &thread, &edit.command.act, now) {
            return Err(no_case());
        }
        if edit.seen_version != thread.version && !is_additive(&edit.command.act) {
            let changes = changes(&mut tx, &thread, edit.seen_version, &actor, now).await?;
            return Err(Error::CaseStale { thread_key: thread.thread_key, version: thread.version, changes });
        }
        let done = self.decide_and_append(&mut tx, &thread, edit.command, edit.note, &actor, (rules, now)).await?;
        tx.commit().await.map_err(Error::database("write", "case_event"))?;
        Ok(done)
    }

    /// Escalates what is late and ends what has expired, at most so many cases; returns how many moved.
    ///
    /// Call it again while it returns the limit. Cases that a person must end stay as they are.
    ///
    /// # Errors
    /// If the store cannot be read or written.
    pub async fn tick(&self, rules: &Rules, now: i64, limit: usize) -> Result<usize, Error> {
        // Not those that nobody can move: at the university's level only what expires is left to the platform.
        let late: Vec<(i64, i64)> = sqlx::query_as(
            "SELECT thread_key, version FROM case_thread WHERE state <> 'closed' AND has_died = 0 AND due_us < $1 \
             AND (level <> 'university' OR (severity <= 1 AND is_of_machines = 1 AND is_running = 0 AND kind <> 'safety' \
             AND NOT EXISTS (SELECT 1 FROM case_event WHERE case_event.thread_key = case_thread.thread_key \
             AND step = 'signalled' AND at_us > $2))) ORDER BY due_us, thread_key LIMIT $3",
        )
        .bind(now)
        .bind(now - EXPIRY_US)
        .bind(super::page_limit(limit))
        .fetch_all(self.database.read())
        .await
        .map_err(Error::database("read", "case_thread"))?;
        let mut moved = 0;
        for (thread_key, seen_version) in late {
            for (act, reason) in [(Act::Expire {}, "quiet_for_long"), (Act::Escalate {}, "overdue")] {
                let command = Command { act, reason: casework::Code::new(reason).expect("a code") };
                let edit = Edit { thread_key, seen_version, command: &command, note: None };
                match self.execute(edit, &Who::system(), rules, now).await {
                    Ok(_) => {
                        moved += 1;
                        break;
                    }
                    // Not due, or somebody was quicker: the next tick looks again.
                    Err(Error::CaseRefused(_) | Error::CaseStale { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(moved)
    }

    /// Decides a command and appends what it makes.
    pub(super) async fn decide_and_append(
        &self,
        tx: &mut Tx,
        thread: &Thread,
        command: &Command,
        note: Option<&str>,
        actor: &Actor,
        (rules, now): (&Rules, i64),
    ) -> Result<Done, Error> {
        if note.is_some_and(|it| NOTE_BYTES_MAX < it.len()) {
            return Err(Error::NoteLength);
        }
        let rules = with_family(tx, rules, thread.student_key).await?;
        let events = decide(thread, command, actor, &rules, now)?;
        let mut after = thread.clone();
        for (at, event) in events.iter().enumerate() {
            after = casework::apply(after, event);
            // The first insert of a new case comes before its events, which point to it.
            save(tx, &after).await?;
            // A note belongs to the whole command, so it lies with its first event.
            let note = note.filter(|_| at == 0);
            self.append(tx, &after, event, note).await?;
            tell(tx, &after, event).await?;
        }
        Ok(Done { thread_key: thread.thread_key, version: after.version, events })
    }

    async fn append(&self, tx: &mut Tx, after: &Thread, event: &Event, note: Option<&str>) -> Result<(), Error> {
        let (key, seq) = (after.thread_key, after.version);
        let sealed = note.map(|it| self.psychology.seal(it.as_bytes(), &place("case_event", key, seq)));
        sqlx::query(
            "INSERT INTO case_event (thread_key, seq, at_us, actor, role, step, body, note_sealed, is_told) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(key)
        .bind(seq)
        .bind(event.at_us)
        .bind(&event.actor)
        .bind(event.role.code())
        .bind(event.step.code())
        .bind(serde_json::to_string(event).expect("codes and integers become JSON"))
        .bind(sealed)
        // The form says that the hospital reads what is written with a referral.
        .bind(i64::from(matches!(event.step, Step::Referred { .. })))
        .execute(&mut **tx)
        .await
        .map_err(Error::database("write", "case_event"))?;
        project(tx, key, seq, event).await
    }
}

fn sees_nothing(actor: &Actor, thread: &Thread, act: &Act, now: i64) -> bool {
    let is_crisis_work = matches!(act, Act::TakeOver {} | Act::CrisisStep { .. } | Act::Companion { .. });
    // The platform sees nothing and works on everything; a declaration is taken from whoever makes it.
    let is_free = actor.role == Role::System || matches!(act, Act::Declare { .. });
    let is_secretarys = actor.role == Role::CollegeSecretary && actor.is_of_college && is_crisis_work;
    !is_free && !is_secretarys && sight(actor, thread, now) == Sight::Nothing
}

/// Acts that add to a case and overwrite nothing.
fn is_additive(act: &Act) -> bool {
    matches!(
        act,
        Act::Signal { .. } | Act::Declare { .. } | Act::CrisisStep { .. } | Act::CheckStep { .. } | Act::Companion { .. }
    )
}

async fn changes(tx: &mut Tx, thread: &Thread, seen: i64, actor: &Actor, now: i64) -> Result<Vec<Change>, Error> {
    let bodies: Vec<String> =
        sqlx::query_scalar("SELECT body FROM case_event WHERE thread_key = $1 AND seq > $2 ORDER BY seq DESC LIMIT 10")
            .bind(thread.thread_key)
            .bind(seen)
            .fetch_all(&mut **tx)
            .await
            .map_err(Error::database("read", "case_event"))?;
    let is_known = Sight::Record <= sight(actor, thread, now);
    let mut changes = Vec::new();
    for body in bodies.iter().rev() {
        let event = event_from(body)?;
        changes.push(Change {
            actor: is_known.then(|| event.actor.clone()),
            step: is_known.then(|| event.step.name()),
            at_us: event.at_us,
        });
    }
    Ok(changes)
}

/// Keeps what the events add up to; refuses to step over a version.
async fn save(tx: &mut Tx, thread: &Thread) -> Result<(), Error> {
    let touched = sqlx::query(
        "INSERT INTO case_thread (thread_key, student_key, kind, version, state, severity, owner, level, due_us, outcome, \
         reached, referred_to, is_of_machines, is_running, has_died, opened_us, closed_us) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) \
         ON CONFLICT (thread_key) DO UPDATE SET version = excluded.version, state = excluded.state, \
         severity = excluded.severity, owner = excluded.owner, level = excluded.level, due_us = excluded.due_us, \
         outcome = excluded.outcome, reached = excluded.reached, referred_to = excluded.referred_to, \
         is_of_machines = excluded.is_of_machines, is_running = excluded.is_running, has_died = excluded.has_died, \
         closed_us = excluded.closed_us WHERE case_thread.version = excluded.version - 1",
    )
    .bind(thread.thread_key)
    .bind(thread.student_key)
    .bind(thread.kind.code())
    .bind(thread.version)
    .bind(thread.state.code())
    .bind(thread.severity.level())
    .bind(&thread.owner)
    .bind(thread.level.code())
    .bind(thread.deadline_us.unwrap_or(NEVER))
    .bind(thread.outcome.map(casework::Outcome::code))
    .bind(thread.reached.map(casework::Reached::code))
    .bind(thread.referred_to.map(casework::ReferralTo::code))
    .bind(i64::from(thread.is_of_machines()))
    .bind(i64::from(thread.running_crisis().is_some() || thread.running_check().is_some()))
    .bind(i64::from(thread.death.is_some()))
    .bind(thread.opened_us.unwrap_or(thread.latest_us))
    .bind(thread.closed_us)
    .execute(&mut **tx)
    .await
    .map_err(Error::database("write", "case_thread"))?
    .rows_affected();
    if touched == 0 {
        return Err(Error::Damaged { table: "case_thread", column: "version" });
    }
    Ok(())
}

/// Writes what lists ask for into tables of their own.
async fn project(tx: &mut Tx, thread_key: i64, seq: i64, event: &Event) -> Result<(), Error> {
    match &event.step {
        Step::Granted { account } => sqlx::query(
            "INSERT INTO case_team (thread_key, account, granted_by, from_us, until_us) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (thread_key, account, from_us) DO UPDATE SET until_us = excluded.until_us",
        )
        .bind(thread_key)
        .bind(account)
        .bind(&event.actor)
        .bind(event.at_us)
        .bind(NEVER)
        .execute(&mut **tx)
        .await
        .map_err(Error::database("write", "case_team"))?,
        Step::Revoked { account } => {
            sqlx::query("UPDATE case_team SET until_us = $1 WHERE thread_key = $2 AND account = $3 AND until_us > $1")
                .bind(event.at_us)
                .bind(thread_key)
                .bind(account)
                .execute(&mut **tx)
                .await
                .map_err(Error::database("write", "case_team"))?
        }
        Step::Closed { .. } => {
            let until_us = event.at_us + casework::DAY_US;
            sqlx::query("UPDATE case_team SET until_us = $1 WHERE thread_key = $2 AND until_us > $1")
                .bind(until_us)
                .bind(thread_key)
                .execute(&mut **tx)
                .await
                .map_err(Error::database("write", "case_team"))?
        }
        Step::CheckStepped { rung, result, reached, due_us } => sqlx::query(
            "INSERT INTO safety_check_step (thread_key, seq, rung, result, reached, due_us, at_us, actor) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(thread_key)
        .bind(seq)
        .bind(rung.code())
        .bind(result.code())
        .bind(reached.map(casework::Reached::code))
        .bind(due_us)
        .bind(event.at_us)
        .bind(&event.actor)
        .execute(&mut **tx)
        .await
        .map_err(Error::database("write", "safety_check_step"))?,
        Step::CrisisStepped { crisis_step, result } => {
            sqlx::query("INSERT INTO crisis_step (thread_key, seq, step, result, at_us, actor) VALUES ($1, $2, $3, $4, $5, $6)")
                .bind(thread_key)
                .bind(seq)
                .bind(crisis_step.code())
                .bind(result.code())
                .bind(event.at_us)
                .bind(&event.actor)
                .execute(&mut **tx)
                .await
                .map_err(Error::database("write", "crisis_step"))?
        }
        _ => return Ok(()),
    };
    Ok(())
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Error::CaseRefused(refusal)
    }
}
