//! Who is to be asked about a case now: whose work it is, who stands in, one level up, and who is on duty.

use casework::{Callee, CrisisStep, DutyShift, Post, Role, Text};
use sqlx::FromRow;

use super::{Cases, Tx, Who, open_text, place, shift};
use crate::error::Error;

/// Accounts to ask, level by level; nobody stands twice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// Whose work it is, then those who stand in for them; one level up behind.
    pub levels: Vec<Vec<String>>,
    /// Who is on duty now, and their backups; the last to be asked.
    pub duty: Vec<String>,
}

/// Somebody to telephone for a step of the crisis protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// For which step.
    pub step: CrisisStep,
    /// Who.
    pub account: String,
    /// What they are to the student, or the post where they stand now.
    pub stands_as: Text,
    /// Whether somebody else at the post is to be called first.
    pub is_backup: bool,
}

/// That somebody was referred to the university hospital, as the hospital reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referral {
    /// Who.
    pub student_key: i64,
    /// When, in microseconds since 1970.
    pub at_us: i64,
    /// Role of whoever referred.
    pub role: Role,
    /// What was written with the referral.
    pub text: Option<String>,
}

#[derive(FromRow)]
struct ReferralRow {
    thread_key: i64,
    student_key: i64,
    seq: i64,
    at_us: i64,
    role: String,
    note_sealed: Option<Vec<u8>>,
}

/// Students that one shift is about, at most.
const ON_CALL_MAX: i64 = 1_000;

#[derive(FromRow)]
struct Line {
    student_key: i64,
    kind: String,
    owner: Option<String>,
}

impl Cases {
    /// Returns whom to ask about a case now.
    ///
    /// # Errors
    /// [`Error::NoSuchCase`] if there is none; otherwise if the store cannot be read.
    pub async fn asked_about(&self, thread_key: i64, now: i64) -> Result<Asked, Error> {
        let mut tx = self.database.snapshot("case_thread").await?;
        let (line, held) = people_of(&mut tx, thread_key, now).await?;
        let of = |relation: &str| -> Vec<String> { held.iter().filter(|it| it.0 == relation).map(|it| it.1.clone()).collect() };
        let (first, above) = match line.kind.as_str() {
            "psych" => (of("psychologist"), Vec::new()),
            _ => (of("counselor"), of("psychologist")),
        };
        // Whoever took it in hand is asked before those whose student it is.
        let mut first: Vec<String> = line.owner.into_iter().chain(first).collect();
        first.extend(deputies(&mut tx, &first, now).await?);
        let mut above: Vec<String> = of("secretary").into_iter().chain(above).collect();
        above.extend(deputies(&mut tx, &above, now).await?);
        let duty = self.duty(now).await?;
        Ok(distinct(vec![first, above], duty))
    }

    /// Returns whom to ask where a student asked for help: psychology on duty now with the psychologists of the student, then
    /// the counselor, then the head of psychology, then whoever else is on duty. No secretary: what is asked in trust goes to
    /// those who help. The last may see nothing of the case; they are told whom to call.
    ///
    /// # Errors
    /// [`Error::NoSuchCase`] if there is none; otherwise if the store cannot be read.
    pub async fn asked_for_help(&self, thread_key: i64, now: i64) -> Result<Asked, Error> {
        let night = self.psychology_on_duty(now).await?;
        let mut tx = self.database.snapshot("case_thread").await?;
        let (line, held) = people_of(&mut tx, thread_key, now).await?;
        let of = |relation: &str| held.iter().filter(|it| it.0 == relation).map(|it| it.1.clone()).collect::<Vec<_>>();
        let mut first: Vec<String> = night.into_iter().chain(line.owner).chain(of("psychologist")).collect();
        first.extend(deputies(&mut tx, &first, now).await?);
        let mut counselors = of("counselor");
        counselors.extend(deputies(&mut tx, &counselors, now).await?);
        let heads = heads_of_psychology(&mut tx, now).await?;
        drop(tx);
        let duty = self.duty(now).await?;
        Ok(distinct(vec![first, counselors, heads], duty))
    }

    /// Returns whom to ask who was meant by a report of nobody's number: psychology on duty now, then the head of psychology,
    /// then whoever else is on duty. Psychology alone can read it; the others are told whom to call.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn asked_to_place(&self, now: i64) -> Result<Asked, Error> {
        let mut first = self.psychology_on_duty(now).await?;
        let mut tx = self.database.snapshot("delegation").await?;
        first.extend(deputies(&mut tx, &first, now).await?);
        let heads = heads_of_psychology(&mut tx, now).await?;
        drop(tx);
        let duty = self.duty(now).await?;
        Ok(distinct(vec![first, heads], duty))
    }

    /// Returns whom to tell that a list about no person has something new: security and the university's duty office on duty
    /// now, each before their backup.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn asked_to_look(&self, now: i64) -> Result<Asked, Error> {
        let mut first = Vec::new();
        for post in [Post::SecurityOffice, Post::DutyOffice] {
            let shifts = self.on_duty(post, now).await?;
            first.extend(shifts.into_iter().flat_map(|it| std::iter::once(it.account).chain(it.backup)));
        }
        Ok(distinct(vec![first], Vec::new()))
    }

    /// Psychology's night post now, each before their backup.
    async fn psychology_on_duty(&self, now: i64) -> Result<Vec<String>, Error> {
        let night = self.on_duty(Post::PsychologyNight, now).await?;
        Ok(night.into_iter().flat_map(|it| std::iter::once(it.account).chain(it.backup)).collect())
    }

    /// Returns whom to telephone for some steps about a student now, in the order of the steps and of who is tried first.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn calls(&self, student_key: i64, steps: &[CrisisStep], now: i64) -> Result<Vec<Call>, Error> {
        let held: Vec<(String, String)> = sqlx::query_as(
            "SELECT relation, account FROM case_assignment WHERE student_key = $1 AND from_us <= $2 AND $2 < until_us \
             ORDER BY from_us, account",
        )
        .bind(student_key)
        .bind(now)
        .fetch_all(self.database.read())
        .await
        .map_err(Error::database("read", "case_assignment"))?;
        let mut calls: Vec<Call> = Vec::new();
        for step in steps {
            for callee in step.calls() {
                let found: Vec<(String, Text, bool)> = match callee {
                    Callee::Relation(it) => {
                        let of = held.iter().filter(|(relation, _)| relation == it.code());
                        of.map(|(_, account)| (account.clone(), it.text(), false)).collect()
                    }
                    Callee::Post(post) => {
                        let shifts = self.on_duty(*post, now).await?;
                        let first = shifts.iter().map(|it| (it.account.clone(), post.text(), false));
                        let backups = shifts.iter().filter_map(|it| it.backup.clone()).map(|it| (it, post.text(), true));
                        first.chain(backups).collect()
                    }
                };
                for (account, stands_as, is_backup) in found {
                    if !calls.iter().any(|it| it.step == *step && it.account == account) {
                        calls.push(Call { step: *step, account, stands_as, is_backup });
                    }
                }
            }
        }
        Ok(calls)
    }

    /// Returns the students whom somebody's work is about now: for those on shift of running safety checks and crises and
    /// nobody off shift, for the university hospital those who are referred to it. Nobody for any other role.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn on_call_students(&self, who: &Who, now: i64) -> Result<Vec<i64>, Error> {
        if who.role == Role::Hospital {
            let mut students: Vec<i64> = self.referrals(who).await?.into_iter().map(|it| it.student_key).collect();
            students.sort_unstable();
            students.dedup();
            return Ok(students);
        }
        if !matches!(who.role, Role::Security | Role::DutyOffice) {
            return Ok(Vec::new());
        }
        let mut tx = self.database.snapshot("case_thread").await?;
        if shift(&mut tx, &who.account, now).await?.is_none() {
            return Ok(Vec::new());
        }
        sqlx::query_scalar(
            "SELECT DISTINCT student_key FROM case_thread WHERE state <> 'closed' AND has_died = 0 AND is_running = 1 \
             ORDER BY student_key LIMIT $1",
        )
        .bind(ON_CALL_MAX)
        .fetch_all(&mut *tx)
        .await
        .map_err(Error::database("read", "case_thread"))
    }

    /// Returns the students who are a psychologist's own: of open cases that they hold and, `by_assignment`, whom they are
    /// assigned now.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn clients(&self, account: &str, by_assignment: bool, now: i64) -> Result<Vec<i64>, Error> {
        sqlx::query_scalar(
            "SELECT student_key FROM case_thread WHERE owner = $1 AND state <> 'closed' AND has_died = 0 \
             UNION SELECT student_key FROM case_assignment WHERE account = $1 AND relation = 'psychologist' \
             AND from_us <= $2 AND $2 < until_us AND $3 = 1 ORDER BY student_key",
        )
        .bind(account)
        .bind(now)
        .bind(i64::from(by_assignment))
        .fetch_all(self.database.read())
        .await
        .map_err(Error::database("read", "case_assignment"))
    }

    /// Returns who is referred to the university hospital in a case that goes on, with the text of the newest referral there;
    /// the newest first. To any other role there is none, nor a text that was written before the form said who reads it.
    ///
    /// # Errors
    /// If the store cannot be read or a text is damaged.
    pub async fn referrals(&self, who: &Who) -> Result<Vec<Referral>, Error> {
        if who.role != Role::Hospital {
            return Ok(Vec::new());
        }
        let rows: Vec<ReferralRow> = sqlx::query_as(
            "SELECT case_event.thread_key, case_thread.student_key, case_event.seq, case_event.at_us, case_event.role, \
             CASE WHEN case_event.is_told = 1 THEN case_event.note_sealed END AS note_sealed FROM case_event JOIN case_thread ON case_thread.thread_key = case_event.thread_key \
             WHERE case_thread.referred_to = 'university_hospital' AND case_thread.state <> 'closed' AND has_died = 0 \
             AND case_event.seq = (SELECT max(e.seq) FROM case_event e WHERE e.thread_key = case_thread.thread_key \
             AND e.step = 'referred') ORDER BY case_event.at_us DESC, case_event.thread_key DESC LIMIT $1",
        )
        .bind(ON_CALL_MAX)
        .fetch_all(self.database.read())
        .await
        .map_err(Error::database("read", "case_event"))?;
        rows.into_iter()
            .map(|it| {
                let place = place("case_event", it.thread_key, it.seq);
                let text = it.note_sealed.map(|sealed| open_text(&self.psychology, &sealed, &place, "case_event")).transpose()?;
                let damaged = Error::Damaged { table: "case_event", column: "role" };
                let role = Role::from_code(&it.role).ok_or(damaged)?;
                Ok(Referral { student_key: it.student_key, at_us: it.at_us, role, text })
            })
            .collect()
    }

    /// Returns whom to ask about a hand-over: the one who is to take the students.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn asked_to_take(&self, hand_over_key: i64) -> Result<Asked, Error> {
        let to: Option<String> = sqlx::query_scalar(
            "SELECT to_account FROM hand_over WHERE hand_over_key = $1 AND taken_us IS NULL AND taken_over_by IS NULL",
        )
        .bind(hand_over_key)
        .fetch_optional(self.database.read())
        .await
        .map_err(Error::database("read", "hand_over"))?;
        Ok(Asked { levels: to.into_iter().map(|it| vec![it]).collect(), duty: Vec::new() })
    }

    /// Returns whom to ask about a contact that is due: its owner, who stands in, and who is on duty where neither answers.
    /// None once it was made.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn asked_to_contact(&self, follow_up_key: i64, now: i64) -> Result<Asked, Error> {
        let Some(owner) = self.follow_up_owner(follow_up_key).await? else { return Ok(Asked::default()) };
        let mut first = vec![owner];
        let mut tx = self.database.snapshot("delegation").await?;
        first.extend(deputies(&mut tx, &first, now).await?);
        drop(tx);
        let duty = self.duty(now).await?;
        Ok(distinct(vec![first], duty))
    }

    /// Returns who is on duty at the posts that are told of care work, those who stand there before the backups.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn duty(&self, now: i64) -> Result<Vec<String>, Error> {
        let mut shifts: Vec<DutyShift> = Vec::new();
        for post in [Post::DutyOffice, Post::PsychologyNight, Post::CollegeDuty] {
            shifts.extend(self.on_duty(post, now).await?);
        }
        let backups: Vec<String> = shifts.iter().filter_map(|it| it.backup.clone()).collect();
        let all: Vec<String> = shifts.into_iter().map(|it| it.account).chain(backups).collect();
        Ok(distinct(Vec::new(), all).duty)
    }
}

/// Leaves everybody where they stand first; the duty officers stay whole, for they are told whatever else they are.
fn distinct(levels: Vec<Vec<String>>, duty: Vec<String>) -> Asked {
    let mut seen = Vec::new();
    let mut keep = |it: &String| {
        let is_new = !seen.contains(it);
        if is_new {
            seen.push(it.clone());
        }
        is_new
    };
    let levels = levels.into_iter().map(|level| level.into_iter().filter(&mut keep).collect::<Vec<_>>());
    let levels = levels.filter(|it| !it.is_empty()).collect();
    let mut once = Vec::new();
    for account in duty {
        if !once.contains(&account) {
            once.push(account);
        }
    }
    Asked { levels, duty: once }
}

/// Returns who stands in for accounts now.
async fn deputies(tx: &mut Tx, accounts: &[String], now: i64) -> Result<Vec<String>, Error> {
    let mut deputies = Vec::new();
    for account in accounts {
        let found: Vec<String> = sqlx::query_scalar(
            "SELECT to_account FROM delegation WHERE from_account = $1 AND from_us <= $2 AND $2 < until_us ORDER BY to_account",
        )
        .bind(account)
        .bind(now)
        .fetch_all(&mut **tx)
        .await
        .map_err(Error::database("read", "delegation"))?;
        deputies.extend(found);
    }
    Ok(deputies)
}

/// Heads of the psychology centre, then who stands in for them now.
async fn heads_of_psychology(tx: &mut Tx, now: i64) -> Result<Vec<String>, Error> {
    let mut heads: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT account_grant.account FROM account_grant JOIN account ON account.account = account_grant.account \
         WHERE role = $1 AND is_disabled = 0 ORDER BY account_grant.account",
    )
    .bind(Role::PsychologyHead.code())
    .fetch_all(&mut **tx)
    .await
    .map_err(Error::database("read", "account_grant"))?;
    heads.extend(deputies(tx, &heads, now).await?);
    Ok(heads)
}

/// A case, and whose its student is now: the relation and the account.
async fn people_of(tx: &mut Tx, thread_key: i64, now: i64) -> Result<(Line, Vec<(String, String)>), Error> {
    let line: Option<Line> = sqlx::query_as("SELECT student_key, kind, owner FROM case_thread WHERE thread_key = $1")
        .bind(thread_key)
        .fetch_optional(&mut **tx)
        .await
        .map_err(Error::database("read", "case_thread"))?;
    let line = line.ok_or(Error::NoSuchCase { thread_key })?;
    let held = sqlx::query_as(
        "SELECT relation, account FROM case_assignment WHERE student_key = $1 AND from_us <= $2 AND $2 < until_us \
         ORDER BY from_us, account",
    )
    .bind(line.student_key)
    .bind(now)
    .fetch_all(&mut **tx)
    .await
    .map_err(Error::database("read", "case_assignment"))?;
    Ok((line, held))
}
