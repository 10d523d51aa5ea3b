//! What people saw and wrote, and the answer they get (观察上报).

use casework::{
    Act, Code, Command, Kind, ObservationReport, Outcome, Role, Rules, Severity, Sight, Sign, Source, Text, WeeklyObservation,
    feedback,
};

use sqlx::{AssertSqlSafe, FromRow};

use super::{Cases, NewEntry, Tx, Who, next_key, open_text, page_limit, place};
use crate::error::Error;
use crate::messages::tell_unplaced;
use crate::sealing::Sealer;

/// A report as its reporter sees it: that it was taken, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MyReport {
    /// The report.
    pub report_key: i64,
    /// When it was written, in microseconds since 1970.
    pub at_us: i64,
    /// The day on which it was seen, in days since 1970, if one was named.
    pub seen_day: Option<i64>,
    /// The answer, which tells nothing of the case.
    pub feedback: Text,
    /// Whether that is the last answer.
    pub is_answered: bool,
}

/// A report as those who follow up read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedReport {
    /// The report.
    pub report_key: i64,
    /// When it was written, in microseconds since 1970.
    pub at_us: i64,
    /// Who wrote it.
    pub reporter: String,
    /// In which role.
    pub reporter_role: Role,
    /// What was seen.
    pub signs: Vec<Sign>,
    /// Whether the reporter believes somebody must go there now.
    pub is_urgent: bool,
    /// The day on which it was seen, in days since 1970, if one was named.
    pub seen_day: Option<i64>,
    /// What was written.
    pub text: String,
}

/// That a student asked for help, as the student sees it: that it was received and who calls, and nothing of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MyRequest {
    /// When it was sent, in microseconds since 1970.
    pub at_us: i64,
    /// Account of whoever took it on, if somebody has.
    pub taken_by: Option<String>,
    /// Whether somebody has been in touch since.
    pub is_answered: bool,
}

/// A report whose number is nobody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnplacedReport {
    /// The report, as it was written.
    pub report: OpenedReport,
    /// The number that the reporter wrote.
    pub number: String,
}

#[derive(FromRow)]
struct Stored {
    report_key: i64,
    at_us: i64,
    reporter: String,
    reporter_role: String,
    signs: String,
    is_urgent: i64,
    seen_day: Option<i64>,
    text_sealed: Vec<u8>,
}

impl Stored {
    /// Opens a row of a table; texts of both tables are sealed for the key that they share.
    fn opened(self, psychology: &Sealer, table: &'static str) -> Result<OpenedReport, Error> {
        let damaged = |column| Error::Damaged { table, column };
        let place = place("observation_report", self.report_key, 0);
        Ok(OpenedReport {
            report_key: self.report_key,
            at_us: self.at_us,
            reporter: self.reporter,
            reporter_role: Role::from_code(&self.reporter_role).ok_or(damaged("reporter_role"))?,
            signs: serde_json::from_str(&self.signs).map_err(|_| damaged("signs"))?,
            is_urgent: self.is_urgent != 0,
            seen_day: self.seen_day,
            text: open_text(psychology, &self.text_sealed, &place, table)?,
        })
    }
}

#[derive(FromRow)]
struct Unplaced {
    number_sealed: Vec<u8>,
    #[sqlx(flatten)]
    stored: Stored,
}

/// Reports that wait, as [`Unplaced`] reads them.
const UNPLACED: &str = "SELECT report_key, at_us, reporter, reporter_role, number_sealed, signs, is_urgent, seen_day, \
                        text_sealed FROM observation_unplaced";

/// What somebody sends again within this is the same request for help: a second tap, no corrected number.
const SAME_REQUEST_US: i64 = casework::MINUTE_US / 6;

/// Longest number that somebody may write.
const NUMBER_BYTES_MAX: usize = 64;

impl Unplaced {
    fn opened(self, psychology: &Sealer) -> Result<UnplacedReport, Error> {
        let (table, key) = ("observation_unplaced", self.stored.report_key);
        let number = open_text(psychology, &self.number_sealed, &place(table, key, 0), table)?;
        Ok(UnplacedReport { report: self.stored.opened(psychology, table)?, number })
    }
}

impl Cases {
    /// Takes an observation: it opens the student's psychological case or is an entry of its own in the open one.
    ///
    /// # Errors
    /// If it says nothing, the student has died, or the store cannot be written.
    pub async fn report(&self, report: &ObservationReport, text: &str, who: &Who, rules: &Rules, now: i64) -> Result<i64, Error> {
        report.check(text)?;
        let mut tx = self.database.begin("observation_report").await?;
        let report_key = next_report_key(&mut tx).await?;
        self.place_report(&mut tx, (report_key, now), report, text, who, (rules, now)).await?;
        tx.commit().await.map_err(Error::database("write", "observation_report"))?;
        Ok(report_key)
    }

    /// Takes an observation of a number that is nobody's: it waits until somebody says who was meant.
    ///
    /// The reporter is told the same as of any other, because whether a number exists is not theirs to know.
    /// `report.student_key` is not looked at.
    ///
    /// # Errors
    /// If it says nothing, or the store cannot be written.
    pub async fn report_unplaced(
        &self,
        number: &str,
        report: &ObservationReport,
        text: &str,
        who: &Who,
        now: i64,
    ) -> Result<i64, Error> {
        report.check(text)?;
        if NUMBER_BYTES_MAX < number.len() {
            return Err(Error::NoteLength);
        }
        let mut tx = self.database.begin("observation_unplaced").await?;
        let report_key = next_report_key(&mut tx).await?;
        sqlx::query(
            "INSERT INTO observation_unplaced (report_key, at_us, reporter, reporter_role, number_sealed, signs, is_urgent, \
             seen_day, text_sealed) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(report_key)
        .bind(now)
        .bind(&who.account)
        .bind(who.role.code())
        .bind(self.psychology.seal(number.as_bytes(), &place("observation_unplaced", report_key, 0)))
        .bind(signs_json(report))
        .bind(i64::from(report.goes_to_shift()))
        .bind(report.seen_day)
        .bind(self.psychology.seal(text.as_bytes(), &place("observation_report", report_key, 0)))
        .execute(&mut *tx)
        .await
        .map_err(Error::database("write", "observation_unplaced"))?;
        tell_unplaced(&mut tx, report_key, severity_of(report), now).await?;
        tx.commit().await.map_err(Error::database("write", "observation_unplaced"))?;
        Ok(report_key)
    }

    /// Returns the reports that wait for a student, urgent ones first, then the oldest.
    ///
    /// # Errors
    /// If the role is not psychology's, or the store cannot be read.
    pub async fn unplaced(&self, who: &Who, limit: usize) -> Result<Vec<UnplacedReport>, Error> {
        self.expect_psychology(who)?;
        let sql = format!("{UNPLACED} ORDER BY is_urgent DESC, report_key LIMIT $1");
        let rows: Vec<Unplaced> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(page_limit(limit))
            .fetch_all(self.database.read())
            .await
            .map_err(Error::database("read", "observation_unplaced"))?;
        rows.into_iter().map(|it| it.opened(&self.psychology)).collect()
    }

    /// Says who was meant: the report is an entry in the student's case from then on, as its reporter wrote it.
    ///
    /// # Errors
    /// If the role is not psychology's, no such report waits, the student has died, or the store cannot be written.
    pub async fn place_unplaced(
        &self,
        report_key: i64,
        student_key: i64,
        who: &Who,
        rules: &Rules,
        now: i64,
    ) -> Result<i64, Error> {
        self.expect_psychology(who)?;
        let mut tx = self.database.begin("observation_unplaced").await?;
        let sql = format!("{UNPLACED} WHERE report_key = $1");
        let row: Option<Unplaced> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(report_key)
            .fetch_optional(&mut *tx)
            .await
            .map_err(Error::database("read", "observation_unplaced"))?;
        let it = row.ok_or(Error::NoSuchReport { report_key })?.opened(&self.psychology)?.report;
        let reporter = Who { account: it.reporter, role: it.reporter_role };
        let report = ObservationReport { student_key, signs: it.signs, is_urgent: it.is_urgent, seen_day: it.seen_day };
        let thread_key = self.place_report(&mut tx, (report_key, it.at_us), &report, &it.text, &reporter, (rules, now)).await?;
        sqlx::query("DELETE FROM observation_unplaced WHERE report_key = $1")
            .bind(report_key)
            .execute(&mut *tx)
            .await
            .map_err(Error::database("write", "observation_unplaced"))?;
        tx.commit().await.map_err(Error::database("write", "observation_report"))?;
        Ok(thread_key)
    }

    async fn place_report(
        &self,
        tx: &mut Tx,
        (report_key, at_us): (i64, i64),
        report: &ObservationReport,
        text: &str,
        reporter: &Who,
        (rules, now): (&Rules, i64),
    ) -> Result<i64, Error> {
        self.place_as(tx, (report_key, at_us), report, text, reporter, (Source::HumanReport, rules, now)).await
    }

    async fn place_as(
        &self,
        tx: &mut Tx,
        (report_key, at_us): (i64, i64),
        report: &ObservationReport,
        text: &str,
        reporter: &Who,
        (source, rules, now): (Source, &Rules, i64),
    ) -> Result<i64, Error> {
        let is_own = source == Source::SelfReferral;
        let reason = if is_own { "self_referral" } else { "observation_report" };
        let command = Command { act: Act::Signal { source, severity: severity_of(report) }, reason: Code::new(reason)? };
        let entry = NewEntry { student_key: report.student_key, kind: Kind::Psych, command: &command, note: None };
        let entered = self.enter_in(tx, entry, reporter, rules, now).await?;
        // A person's report is never cooled down, so it is in a case.
        let thread_key = entered.thread_key.ok_or(Error::Damaged { table: "observation_report", column: "thread_key" })?;
        sqlx::query(
            "INSERT INTO observation_report (report_key, at_us, reporter, reporter_role, student_key, signs, is_urgent, \
             seen_day, text_sealed, thread_key, is_own) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        )
        .bind(report_key)
        .bind(at_us)
        .bind(&reporter.account)
        .bind(reporter.role.code())
        .bind(report.student_key)
        .bind(signs_json(report))
        .bind(i64::from(report.goes_to_shift()))
        .bind(report.seen_day)
        .bind(self.psychology.seal(text.as_bytes(), &place("observation_report", report_key, 0)))
        .bind(thread_key)
        .bind(i64::from(is_own))
        .execute(&mut **tx)
        .await
        .map_err(Error::database("write", "observation_report"))?;
        Ok(thread_key)
    }

    /// Takes that a student asks for help (我要求助): an entry of its own in the student's psychological case, whatever the
    /// budget, told at once to psychology on duty and to those whose student it is. What a second tap sends is the same request.
    ///
    /// # Errors
    /// If it does not say how the student is to be reached, somebody else asks, the student has died, or the store cannot be
    /// written.
    pub async fn ask_for_help(&self, student_key: i64, reach: &str, who: &Who, rules: &Rules, now: i64) -> Result<i64, Error> {
        if who.role != Role::Student {
            return Err(casework::Refusal::NotYours.into());
        }
        let report = ObservationReport { student_key, signs: Vec::new(), is_urgent: true, seen_day: None };
        report.check(reach)?;
        let mut tx = self.database.begin("observation_report").await?;
        let just_sent: Option<i64> = sqlx::query_scalar(
            "SELECT max(report_key) FROM observation_report WHERE student_key = $1 AND is_own = 1 AND at_us > $2",
        )
        .bind(student_key)
        .bind(now - SAME_REQUEST_US)
        .fetch_one(&mut *tx)
        .await
        .map_err(Error::database("read", "observation_report"))?;
        if let Some(report_key) = just_sent {
            return Ok(report_key);
        }
        let report_key = next_report_key(&mut tx).await?;
        self.place_as(&mut tx, (report_key, now), &report, reach, who, (Source::SelfReferral, rules, now)).await?;
        tx.commit().await.map_err(Error::database("write", "observation_report"))?;
        Ok(report_key)
    }

    /// Returns when a student asked for help and what became of it, the newest first.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn my_requests(&self, student_key: i64, limit: usize) -> Result<Vec<MyRequest>, Error> {
        let rows: Vec<(i64, Option<String>, i64)> = sqlx::query_as(
            "SELECT at_us, CASE WHEN (SELECT count(*) FROM case_event WHERE case_event.thread_key = observation_report.thread_key \
             AND step IN ('claimed', 'taken_over', 'contacted') AND case_event.at_us >= observation_report.at_us) > 0 THEN owner END, \
             (SELECT count(*) FROM case_event WHERE case_event.thread_key = observation_report.thread_key \
             AND step = 'contacted' AND case_event.at_us >= observation_report.at_us) AS answers \
             FROM observation_report JOIN case_thread ON case_thread.thread_key = observation_report.thread_key \
             WHERE observation_report.student_key = $1 AND is_own = 1 ORDER BY report_key DESC LIMIT $2",
        )
        .bind(student_key)
        .bind(page_limit(limit))
        .fetch_all(self.database.read())
        .await
        .map_err(Error::database("read", "observation_report"))?;
        Ok(rows.into_iter().map(|(at_us, taken_by, n)| MyRequest { at_us, taken_by, is_answered: 0 < n }).collect())
    }

    /// Returns what somebody reported and the answers, the newest first; what they wrote is not given back.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn my_reports(&self, account: &str, before: Option<i64>, limit: usize) -> Result<Vec<MyReport>, Error> {
        let rows: Vec<(i64, i64, Option<i64>, Option<String>)> = sqlx::query_as(
            "SELECT report_key, at_us, seen_day, outcome FROM (SELECT report_key, at_us, seen_day, reporter, outcome \
             FROM observation_report JOIN case_thread ON case_thread.thread_key = observation_report.thread_key \
             WHERE is_own = 0 UNION ALL SELECT report_key, at_us, seen_day, reporter, NULL FROM observation_unplaced) AS report \
             WHERE reporter = $1 AND report_key < $2 ORDER BY report_key DESC LIMIT $3",
        )
        .bind(account)
        .bind(before.unwrap_or(i64::MAX))
        .bind(page_limit(limit))
        .fetch_all(self.database.read())
        .await
        .map_err(Error::database("read", "observation_report"))?;
        let shown = |(report_key, at_us, seen_day, outcome): (i64, i64, Option<i64>, Option<String>)| {
            let outcome = outcome.and_then(|it| Outcome::from_code(&it));
            MyReport { report_key, at_us, seen_day, feedback: feedback(outcome), is_answered: outcome.is_some() }
        };
        Ok(rows.into_iter().map(shown).collect())
    }

    /// Returns the reports a case rests on. From severity 3 on they are psychology's.
    ///
    /// # Errors
    /// [`Error::NoSuchCase`] if there is none or the reader may not; otherwise if the store cannot be read.
    pub async fn reports_of(
        &self,
        thread_key: i64,
        who: &Who,
        after: i64,
        limit: usize,
        now: i64,
    ) -> Result<Vec<OpenedReport>, Error> {
        let mut tx = self.database.snapshot("observation_report").await?;
        let (thread, sight) = self.expect_record(&mut tx, thread_key, who, now).await?;
        if Severity::Serious <= thread.severity && sight < Sight::Closed {
            return Err(Error::NoSuchCase { thread_key });
        }
        let rows: Vec<Stored> = sqlx::query_as(
            "SELECT report_key, at_us, reporter, reporter_role, signs, is_urgent, seen_day, text_sealed FROM observation_report \
             WHERE thread_key = $1 AND report_key > $2 ORDER BY report_key LIMIT $3",
        )
        .bind(thread_key)
        .bind(after)
        .bind(page_limit(limit))
        .fetch_all(&mut *tx)
        .await
        .map_err(Error::database("read", "observation_report"))?;
        rows.into_iter().map(|it| it.opened(&self.psychology, "observation_report")).collect()
    }

    /// Takes the weekly answer of a room or class; a later one replaces it.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn observe_week(&self, week: &WeeklyObservation, account: &str, now: i64) -> Result<(), Error> {
        let mut tx = self.database.begin("weekly_observation").await?;
        sqlx::query(
            "INSERT INTO weekly_observation (week_day, scope, reporter, n_reports, at_us) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (week_day, scope) DO UPDATE SET reporter = excluded.reporter, n_reports = excluded.n_reports, \
             at_us = excluded.at_us",
        )
        .bind(week.week_day)
        .bind(&week.scope)
        .bind(account)
        .bind(week.n_reports)
        .bind(now)
        .execute(&mut *tx)
        .await
        .map_err(Error::database("write", "weekly_observation"))?;
        tx.commit().await.map_err(Error::database("write", "weekly_observation"))
    }

    /// Returns how many observations an account has written since an instant, of students and of numbers that are nobody's.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn reports_since(&self, account: &str, since_us: i64) -> Result<i64, Error> {
        sqlx::query_scalar(
            "SELECT (SELECT count(*) FROM observation_report WHERE reporter = $1 AND at_us >= $2 AND is_own = 0) \
             + (SELECT count(*) FROM observation_unplaced WHERE reporter = $1 AND at_us >= $2)",
        )
        .bind(account)
        .bind(since_us)
        .fetch_one(self.database.read())
        .await
        .map_err(Error::database("read", "observation_report"))
    }

    /// Returns the answers of a week by scope, so that who is missing can be asked.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn week(&self, week_day: i64, after_scope: &str, limit: usize) -> Result<Vec<WeeklyObservation>, Error> {
        let rows: Vec<(String, i64)> = sqlx::query_as(
            "SELECT scope, n_reports FROM weekly_observation WHERE week_day = $1 AND scope > $2 ORDER BY scope LIMIT $3",
        )
        .bind(week_day)
        .bind(after_scope)
        .bind(page_limit(limit))
        .fetch_all(self.database.read())
        .await
        .map_err(Error::database("read", "weekly_observation"))?;
        Ok(rows.into_iter().map(|(scope, n_reports)| WeeklyObservation { week_day, scope, n_reports }).collect())
    }

    pub(super) fn expect_psychology(&self, who: &Who) -> Result<(), Error> {
        if who.role.is_psychology() { Ok(()) } else { Err(casework::Refusal::NotYours.into()) }
    }
}

/// Counts on over both tables, so that a key tells nothing of whether the number was somebody's.
async fn next_report_key(tx: &mut Tx) -> Result<i64, Error> {
    let placed = next_key(tx, "observation_report", "report_key").await?;
    Ok(placed.max(next_key(tx, "observation_unplaced", "report_key").await?))
}

fn severity_of(report: &ObservationReport) -> Severity {
    if report.goes_to_shift() { Severity::General } else { Severity::Attention }
}

fn signs_json(report: &ObservationReport) -> String {
    serde_json::to_string(&report.signs).expect("codes become JSON")
}
