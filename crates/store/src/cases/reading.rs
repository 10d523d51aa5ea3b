//! What readers get of cases: as much as their sight allows, page by page.

use casework::{
    Crisis, DAY_US, Event, Family, Form, Kind, LabelScheme, Network, RecordForm, Role, Rules, SafetyCheck, Severity,
    ShownSeverity, Sight, State, Step, StepName, Thread, forms, record_forms, sight,
};
use sqlx::{AssertSqlSafe, FromRow};

use super::records::with_family;
use super::{Cases, NEVER, Tx, Who, actor, event_from, load, open_text, page_limit, place, shift, standing_in};
use crate::database::values;
use crate::error::Error;

/// Cases of one student that are shown at once, the newest first.
const OF_STUDENT_MAX: i64 = 50;

/// Accounts whose work one person may do at once.
const STANDING_IN_MAX: usize = 50;

/// Where a page begins and how long it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Page {
    /// The last row of the page before, as [`QueueRow::position`] gives it.
    pub after: Option<(i64, i64)>,
    /// How many rows; 500 at most.
    pub limit: usize,
}

/// Which cases of a work list are wanted; all of them by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Of one kind only.
    pub kind: Option<Kind>,
    /// In one state only.
    pub state: Option<State>,
    /// Only what the reader has in hand.
    pub is_mine: bool,
    /// Only those for which nobody is to keep in touch over a break, from its first day off to the first of term. What
    /// only machines have brought up at severity 1 expires by itself and is left out.
    pub without_break: Option<(i64, i64)>,
}

/// Figures of a work list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, FromRow)]
pub struct QueueCounts {
    /// Open cases.
    pub open_n: i64,
    /// Those whose next step is late.
    pub overdue_n: i64,
    /// Those that nobody has claimed.
    pub new_n: i64,
    /// Those that the reader has in hand.
    pub mine_n: i64,
}

/// One open case in somebody's work list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueRow {
    /// The case.
    pub thread_key: i64,
    /// The student.
    pub student_key: i64,
    /// What it is about.
    pub kind: Kind,
    /// The version, which an edit must name.
    pub version: i64,
    /// How far it is.
    pub state: State,
    /// How grave it is, as the reader is shown it.
    pub severity: Option<ShownSeverity>,
    /// The level of the network that must move.
    pub level: Network,
    /// Who has it in hand.
    pub owner: Option<String>,
    /// Until when the next step is due.
    pub deadline_us: Option<i64>,
}

impl QueueRow {
    /// Returns the place in the list, for the next page.
    pub fn position(&self) -> (i64, i64) {
        (self.deadline_us.unwrap_or(NEVER), self.thread_key)
    }
}

#[derive(FromRow)]
struct Stored {
    thread_key: i64,
    student_key: i64,
    kind: String,
    version: i64,
    state: String,
    severity: i64,
    level: String,
    owner: Option<String>,
    due_us: i64,
}

impl Stored {
    fn shown(self, role: Role, labels: &LabelScheme) -> Result<QueueRow, Error> {
        let damaged = |column| Error::Damaged { table: "case_thread", column };
        let severity = Severity::try_from(self.severity).map_err(|_| damaged("severity"))?;
        Ok(QueueRow {
            thread_key: self.thread_key,
            student_key: self.student_key,
            kind: shown_kind(role, Kind::from_code(&self.kind).ok_or(damaged("kind"))?),
            version: self.version,
            state: State::from_code(&self.state).ok_or(damaged("state"))?,
            severity: labels.shown_to(role, severity),
            level: Network::from_code(&self.level).ok_or(damaged("level"))?,
            owner: self.owner,
            deadline_us: Some(self.due_us).filter(|it| *it != NEVER),
        })
    }
}

/// A case as one reader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// How much they see.
    pub sight: Sight,
    /// Its line; none where they only learn that another profession follows up.
    pub row: Option<QueueRow>,
    /// All of it; only for those who see the record.
    pub thread: Option<Thread>,
}

/// A case with all that a screen needs beside its history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desk {
    /// The case.
    pub view: View,
    /// What the reader may do now.
    pub forms: Vec<Form>,
    /// The crisis protocol, for those of whom steps may be asked.
    pub crisis: Option<Crisis>,
    /// The safety check, for the same.
    pub check: Option<SafetyCheck>,
    /// What the reader may record now.
    pub record_forms: Vec<RecordForm>,
    /// What holds of the guardian.
    pub family: Family,
    /// Other open cases of the student of which the reader learns only that another profession follows up.
    pub others_n: usize,
}

/// One step of a case's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryRow {
    /// Counts from 1 within the case.
    pub seq: i64,
    /// When, in microseconds since 1970.
    pub at_us: i64,
    /// Who.
    pub actor: String,
    /// In which role.
    pub role: Role,
    /// What.
    pub step: StepName,
    /// The reason as a code.
    pub reason: String,
    /// Until when the next step was due.
    pub deadline_us: Option<i64>,
    /// The whole event; only for those to whom nothing in it is masked.
    pub event: Option<Event>,
    /// What was written; psychology's notes are psychology's.
    pub note: Option<String>,
}

impl Cases {
    /// Returns the open cases a reader is to work on or may read, those due first.
    ///
    /// Counselors get those of their own students and of who delegated to them, psychologists those of their colleges,
    /// on shift also the grave and the new ones of the whole university; a team member those of the team.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn queue(&self, who: &Who, page: Page, labels: &LabelScheme, now: i64) -> Result<Vec<QueueRow>, Error> {
        self.queue_of(who, Wanted::default(), page, labels, now).await
    }

    /// Returns those of [`Cases::queue`] that are wanted.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn queue_of(
        &self,
        who: &Who,
        wanted: Wanted,
        page: Page,
        labels: &LabelScheme,
        now: i64,
    ) -> Result<Vec<QueueRow>, Error> {
        let mut tx = self.database.snapshot("case_thread").await?;
        let mut accounts = standing_in(&mut tx, &who.account, now).await?;
        accounts.truncate(STANDING_IN_MAX);
        let on_shift = shift(&mut tx, &who.account, now).await?.is_some();
        let Some(mine) = clauses(who.role, on_shift, accounts.len()) else { return Ok(Vec::new()) };
        let sql = format!(
            "SELECT thread_key, student_key, kind, version, state, severity, level, owner, due_us FROM case_thread \
             WHERE state <> 'closed' AND has_died = 0 AND (due_us, thread_key) > ($1, $2) AND ({mine}){} \
             ORDER BY due_us, thread_key LIMIT $3",
            wanted.clauses()
        );
        let (due_us, thread_key) = page.after.unwrap_or((i64::MIN, i64::MIN));
        let mut query =
            sqlx::query_as::<_, Stored>(AssertSqlSafe(sql)).bind(due_us).bind(thread_key).bind(page_limit(page.limit)).bind(now);
        for account in &accounts {
            query = query.bind(account);
        }
        let rows = query.fetch_all(&mut *tx).await.map_err(Error::database("read", "case_thread"))?;
        rows.into_iter().map(|it| it.shown(who.role, labels)).collect()
    }

    /// Returns the figures of the whole work list.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn queue_counts(&self, who: &Who, now: i64) -> Result<QueueCounts, Error> {
        let mut tx = self.database.snapshot("case_thread").await?;
        let mut accounts = standing_in(&mut tx, &who.account, now).await?;
        accounts.truncate(STANDING_IN_MAX);
        let on_shift = shift(&mut tx, &who.account, now).await?.is_some();
        let Some(mine) = clauses(who.role, on_shift, accounts.len()) else { return Ok(QueueCounts::default()) };
        // A sum over no row is NULL, and one of BIGINT is NUMERIC in PostgreSQL.
        let sql = format!(
            "SELECT count(*) AS open_n, CAST(coalesce(sum(CASE WHEN due_us < $1 THEN 1 ELSE 0 END), 0) AS BIGINT) AS overdue_n, \
             CAST(coalesce(sum(CASE WHEN state = $2 THEN 1 ELSE 0 END), 0) AS BIGINT) AS new_n, \
             CAST(coalesce(sum(CASE WHEN owner = $3 THEN 1 ELSE 0 END), 0) AS BIGINT) AS mine_n \
             FROM case_thread WHERE state <> 'closed' AND has_died = 0 AND ({mine})"
        );
        let mut query = sqlx::query_as(AssertSqlSafe(sql)).bind(now).bind(State::New.code()).bind(&who.account).bind(now);
        for account in &accounts {
            query = query.bind(account);
        }
        query.fetch_one(&mut *tx).await.map_err(Error::database("read", "case_thread"))
    }

    /// Returns a case with what the reader may do on it now; none if they see nothing of it.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn desk(
        &self,
        thread_key: i64,
        who: &Who,
        labels: &LabelScheme,
        rules: &Rules,
        now: i64,
    ) -> Result<Option<Desk>, Error> {
        let mut tx = self.database.snapshot("case_thread").await?;
        let Some(thread) = load(&mut tx, thread_key).await? else { return Ok(None) };
        let actor = actor(&mut tx, who, thread.student_key, now).await?;
        let seen_as = sight(&actor, &thread, now);
        let others: Vec<i64> = sqlx::query_scalar(
            "SELECT thread_key FROM case_thread WHERE student_key = $1 AND thread_key <> $2 AND state <> 'closed' \
             ORDER BY thread_key LIMIT $3",
        )
        .bind(thread.student_key)
        .bind(thread_key)
        .bind(OF_STUDENT_MAX)
        .fetch_all(&mut *tx)
        .await
        .map_err(Error::database("read", "case_thread"))?;
        let mut others_n = 0;
        for key in others {
            let other = load(&mut tx, key).await?;
            others_n += usize::from(other.is_some_and(|it| sight(&actor, &it, now) == Sight::OtherProfession));
        }
        let is_step = Sight::Step <= seen_as;
        let rules = with_family(&mut tx, rules, thread.student_key).await?;
        let forms = if is_step { forms(&thread, &actor, labels, &rules, now) } else { Vec::new() };
        let record_forms = record_forms(&thread, &actor, &rules, now);
        let family = if Sight::Record <= seen_as { rules.family } else { Family::default() };
        let crisis = thread.crisis.clone().filter(|_| is_step);
        let check = thread.check.clone().filter(|_| is_step);
        let view = seen(thread, seen_as, who.role, labels);
        Ok(view.map(|view| Desk { view, forms, crisis, check, record_forms, family, others_n }))
    }

    /// Returns when the latest step of any case was; none if there is no case.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn latest_us(&self) -> Result<Option<i64>, Error> {
        sqlx::query_scalar("SELECT max(at_us) FROM case_event")
            .fetch_one(self.database.read())
            .await
            .map_err(Error::database("read", "case_event"))
    }

    /// Returns one case as the reader sees it; none if they see nothing of it.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn view(&self, thread_key: i64, who: &Who, labels: &LabelScheme, now: i64) -> Result<Option<View>, Error> {
        let mut tx = self.database.snapshot("case_thread").await?;
        let Some(thread) = load(&mut tx, thread_key).await? else { return Ok(None) };
        let actor = actor(&mut tx, who, thread.student_key, now).await?;
        let sight = sight(&actor, &thread, now);
        Ok(seen(thread, sight, who.role, labels))
    }

    /// Returns the cases of a student as the reader sees them, the newest first; of another profession's only that it
    /// is there.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn of_student(&self, student_key: i64, who: &Who, labels: &LabelScheme, now: i64) -> Result<Vec<View>, Error> {
        let mut tx = self.database.snapshot("case_thread").await?;
        let keys: Vec<i64> =
            sqlx::query_scalar("SELECT thread_key FROM case_thread WHERE student_key = $1 ORDER BY thread_key DESC LIMIT $2")
                .bind(student_key)
                .bind(OF_STUDENT_MAX)
                .fetch_all(&mut *tx)
                .await
                .map_err(Error::database("read", "case_thread"))?;
        let actor = actor(&mut tx, who, student_key, now).await?;
        let mut views = Vec::new();
        for key in keys {
            if let Some(thread) = load(&mut tx, key).await? {
                let sight = sight(&actor, &thread, now);
                views.extend(seen(thread, sight, who.role, labels));
            }
        }
        Ok(views)
    }

    /// Returns the history of a case after a step, oldest first.
    ///
    /// # Errors
    /// [`Error::NoSuchCase`] if there is none or the reader does not see its record; otherwise if the store cannot be
    /// read or a note is damaged.
    pub async fn history(
        &self,
        thread_key: i64,
        who: &Who,
        after: i64,
        limit: usize,
        now: i64,
    ) -> Result<Vec<HistoryRow>, Error> {
        let mut tx = self.database.snapshot("case_event").await?;
        let (thread, sight) = self.expect_record(&mut tx, thread_key, who, now).await?;
        let rows: Vec<(i64, String, Option<Vec<u8>>)> = sqlx::query_as(
            "SELECT seq, body, note_sealed FROM case_event WHERE thread_key = $1 AND seq > $2 ORDER BY seq LIMIT $3",
        )
        .bind(thread_key)
        .bind(after)
        .bind(page_limit(limit))
        .fetch_all(&mut *tx)
        .await
        .map_err(Error::database("read", "case_event"))?;
        let mut history = Vec::with_capacity(rows.len());
        for (seq, body, sealed) in rows {
            let event = event_from(&body)?;
            let is_open = sight == Sight::Closed || !event.role.is_psychology();
            let note = match sealed.filter(|_| is_open) {
                Some(sealed) => Some(open_text(&self.psychology, &sealed, &place("case_event", thread_key, seq), "case_event")?),
                None => None,
            };
            history.push(HistoryRow {
                seq,
                at_us: event.at_us,
                actor: event.actor.clone(),
                role: event.role,
                step: event.step.name(),
                reason: event.reason.to_string(),
                deadline_us: event.deadline_us,
                event: Some(event).filter(|it| sight == Sight::Closed || !is_masked(it, &thread)),
                note,
            });
        }
        Ok(history)
    }

    /// Loads a case for somebody who sees its record.
    pub(super) async fn expect_record(
        &self,
        tx: &mut Tx,
        thread_key: i64,
        who: &Who,
        now: i64,
    ) -> Result<(Thread, Sight), Error> {
        let thread = load(tx, thread_key).await?.ok_or(Error::NoSuchCase { thread_key })?;
        let actor = actor(tx, who, thread.student_key, now).await?;
        let sight = sight(&actor, &thread, now);
        if sight < Sight::Record {
            return Err(Error::NoSuchCase { thread_key });
        }
        Ok((thread, sight))
    }
}

impl Wanted {
    fn clauses(self) -> String {
        let mut sql = String::new();
        // Codes of ours, no text of anybody.
        for (column, code) in [("kind", self.kind.map(Kind::code)), ("state", self.state.map(State::code))] {
            sql += &code.map_or_else(String::new, |it| format!(" AND {column} = '{it}'"));
        }
        if let Some((from_us, until_us)) = self.without_break {
            // Numbers of ours; the last contact is within two weeks of the new term.
            sql += &format!(
                " AND (severity >= 2 OR is_of_machines = 0) AND NOT EXISTS (SELECT 1 FROM follow_up f \
                 WHERE f.student_key = case_thread.student_key AND f.cause = 'break' AND f.due_us > {from_us} \
                 AND f.due_us <= {} AND (f.result IS NULL OR f.result <> 'replaced'))",
                until_us + 14 * DAY_US
            );
        }
        // The reader's own account is the first of those they stand in for.
        sql + if self.is_mine { " AND owner = $5" } else { "" }
    }
}

/// A shift works on safety; that psychology knows the student is none of it.
fn shown_kind(role: Role, kind: Kind) -> Kind {
    if matches!(role, Role::Security | Role::DutyOffice) { Kind::Safety } else { kind }
}

/// Says whether a step is not for who reads the record without the closed part: a grave severity, and in a grave case
/// what psychology did.
fn is_masked(event: &Event, thread: &Thread) -> bool {
    let is_grave = match &event.step {
        Step::Signalled { severity, .. } | Step::Assessed { severity } | Step::SeveritySet { severity } => {
            Severity::Serious <= *severity
        }
        _ => false,
    };
    is_grave || (Severity::Serious <= thread.severity && event.role.is_psychology())
}

fn seen(thread: Thread, sight: Sight, role: Role, labels: &LabelScheme) -> Option<View> {
    if sight == Sight::Nothing {
        return None;
    }
    let row = (Sight::Step <= sight).then(|| QueueRow {
        thread_key: thread.thread_key,
        student_key: thread.student_key,
        kind: shown_kind(role, thread.kind),
        version: thread.version,
        state: thread.state,
        severity: labels.shown_to(role, thread.severity),
        level: thread.level,
        owner: thread.owner.clone(),
        deadline_us: thread.deadline_us,
    });
    // The whole thread holds the severity as a number, so it goes to those who are shown that.
    let is_whole = labels.shown_to(role, thread.severity).is_some_and(|it| it.severity.is_some());
    let thread = Some(thread).filter(|_| Sight::Record <= sight && (is_whole || sight == Sight::Closed));
    Some(View { sight, row, thread })
}

/// Writes which open cases a role works on, as SQL over `case_thread`; `$4` is now, accounts begin at `$5`.
///
/// The same as [`sight`], which stays the judge: a test holds the two against each other.
fn clauses(role: Role, on_shift: bool, n_accounts: usize) -> Option<String> {
    if !role.is_staff() {
        return None;
    }
    let accounts = values(5, 1, n_accounts);
    let mine = |relation: &str| {
        format!(
            "student_key IN (SELECT a.student_key FROM case_assignment a WHERE a.relation = '{relation}' \
             AND a.account IN {accounts} AND a.from_us <= $4 AND $4 < a.until_us)"
        )
    };
    let psychologys = "(kind IN ('psych', 'safety') OR severity >= 3)";
    let of_role = match role {
        Role::Counselor => mine("counselor"),
        Role::Tutor => format!("kind = 'academic' AND {}", mine("tutor")),
        Role::PsychologyHead => psychologys.to_owned(),
        Role::Psychologist if on_shift => format!(
            "{psychologys} AND ({} OR severity >= 3 OR is_running = 1 OR (state = 'new' AND is_of_machines = 0))",
            mine("psychologist")
        ),
        Role::Psychologist => format!("{psychologys} AND {}", mine("psychologist")),
        Role::AidCentre => "kind = 'life_aid'".to_owned(),
        Role::CollegeSecretary => format!("severity >= 3 AND {}", mine("secretary")),
        Role::Security | Role::DutyOffice if on_shift => "is_running = 1".to_owned(),
        Role::Hospital => "referred_to = 'university_hospital'".to_owned(),
        _ => "1 = 0".to_owned(),
    };
    Some(format!(
        "({of_role}) OR thread_key IN (SELECT m.thread_key FROM case_team m WHERE m.account = $5 AND m.from_us <= $4 \
         AND $4 < m.until_us)"
    ))
}
