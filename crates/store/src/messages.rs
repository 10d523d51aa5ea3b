//! Messages to staff: what is to be said, and how far each has come.
//!
//! A message is made in the transaction of the step that it is about. Whoever sends stores a delivery first, sends, and
//! says what became of it; when to ask whom next is not decided here.

#[cfg(test)]
mod tests;

use casework::{Severity, Source, Step, Thread};
use sqlx::{AssertSqlSafe, FromRow};

use crate::cases::{Tx, next_key};
use crate::database::Database;
use crate::error::Error;

/// Most messages that are handed out at once.
const MESSAGES_MAX: usize = 1_000;

/// The list of which keepers and counselors on duty are told when it is complete.
const NIGHT_LIST: &str = "list_out_tonight";

/// How long it is remembered which rows of a list were told of; live lists look back four weeks.
const TOLD_KEPT_US: i64 = 90 * casework::DAY_US;

/// New rows of a list are no message of their own while some were told of within so long.
const TOLD_PAUSE_US: i64 = 60 * 60 * 1_000_000;

/// A message that waits for somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenMessage {
    /// Number of the message; it stands in the link.
    pub message_id: i64,
    /// What happened, as a code: `new_thread`, `help_asked`, `safety_step_due`, `crisis_declared`, `overdue`, `hand_over_asked`,
    /// `follow_up_due`, `list_ready`, `drill`.
    pub kind: String,
    /// How grave, 1 to 4; none for a safety check.
    pub severity: Option<i64>,
    /// Whether the platform brought it up, and not a person.
    pub is_of_machine: bool,
    /// The case that it is about.
    pub thread_key: Option<i64>,
    /// The step of the case that it is about.
    pub version: Option<i64>,
    /// The hand-over that it is about.
    pub hand_over_key: Option<i64>,
    /// The contact that it is about.
    pub follow_up_key: Option<i64>,
    /// The report that it is about, of a number that is nobody's.
    pub report_key: Option<i64>,
    /// The account to which alone it goes.
    pub to_account: Option<String>,
    /// When it came to be, in microseconds since 1970.
    pub created_us: i64,
    /// When it is to be looked at next, in microseconds since 1970; 0 is at once.
    pub next_us: i64,
}

/// How far a message has come on one channel to one person; times in microseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct StoredDelivery {
    /// To whom, as the vault names them.
    pub to_key: i64,
    /// By which channel.
    pub channel: String,
    /// Level of the route, from 0.
    pub level: i64,
    /// When it was meant to be sent.
    pub created_us: i64,
    /// When the vendor took it.
    pub sent_us: Option<i64>,
    /// When it failed.
    pub failed_us: Option<i64>,
    /// When it arrived.
    pub delivered_us: Option<i64>,
    /// When the link was opened.
    pub read_us: Option<i64>,
    /// When somebody said that they take it on.
    pub acknowledged_us: Option<i64>,
}

/// A message as somebody it went to is shown it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnMessage {
    /// The message.
    pub message: OpenMessage,
    /// Who took it on first, as the vault names them, and when, in microseconds since 1970.
    pub taken: Option<(i64, i64)>,
}

/// What became of the deliveries by one channel.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct ChannelUse {
    /// Its name in the settings, or `telephone`.
    pub channel: String,
    /// Deliveries that were begun.
    pub tried_n: i64,
    /// Those that the other side took.
    pub sent_n: i64,
    /// Those that it did not take.
    pub failed_n: i64,
    /// Those whose person took the message on in the web app, by whichever channel they heard of it.
    pub acknowledged_n: i64,
    /// When the latest was taken, in microseconds since 1970.
    pub last_sent_us: Option<i64>,
    /// When the latest failed.
    pub last_failed_us: Option<i64>,
}

impl ChannelUse {
    /// Whether the latest try failed: nothing says that the channel works now.
    pub fn is_broken(&self) -> bool {
        self.last_failed_us.is_some_and(|failed| self.last_sent_us.is_none_or(|sent| sent < failed))
    }
}

/// A state that a delivery reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The vendor has taken it.
    Sent,
    /// It was not taken.
    Failed,
    /// It arrived.
    Delivered,
    /// The link was opened.
    Read,
    /// The person takes it on.
    Acknowledged,
}

impl Reach {
    fn column(self) -> &'static str {
        match self {
            Self::Sent => "sent_us",
            Self::Failed => "failed_us",
            Self::Delivered => "delivered_us",
            Self::Read => "read_us",
            Self::Acknowledged => "acknowledged_us",
        }
    }
}

/// How a message ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Somebody took it on.
    Answered,
    /// It needs no answer and has been sent.
    Sent,
    /// Somebody has worked on the case since.
    Overtaken,
    /// Everybody was asked, and nobody answered.
    GivenUp,
}

impl Fate {
    fn code(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Sent => "sent",
            Self::Overtaken => "overtaken",
            Self::GivenUp => "given_up",
        }
    }
}

/// What is new about a case, as a message.
pub(crate) struct News {
    kind: &'static str,
    severity: Option<i64>,
    is_of_machine: bool,
}

impl News {
    /// What a step is told as; most steps are told to nobody.
    pub(crate) fn of(after: &Thread, step: &Step) -> Option<Self> {
        let severity = Some(after.severity.level()).filter(|it| 0 < *it);
        let news = |kind, is_of_machine| Some(Self { kind, severity, is_of_machine });
        match step {
            // What machines add to an open case is counted there; what people say is told every time.
            Step::Signalled { source: Source::Machine, .. } if 1 < after.version => None,
            // Whoever asks for help waits for nobody's working day.
            Step::Signalled { source: Source::SelfReferral | Source::Hotline, .. } => news("help_asked", false),
            Step::Signalled { source, .. } => news("new_thread", *source == Source::Machine),
            Step::Assessed { .. } | Step::SeveritySet { .. } if Severity::Serious <= after.severity => news("new_thread", false),
            Step::CheckOpened { .. } => Some(Self { kind: "safety_step_due", severity: None, is_of_machine: true }),
            Step::Declared { .. } => news("crisis_declared", false),
            Step::Escalated { .. } => news("overdue", true),
            _ => None,
        }
    }
}

/// Adds what is new about a case, in the transaction of its step.
pub(crate) async fn add(tx: &mut Tx, after: &Thread, news: &News, now: i64) -> Result<(), Error> {
    let message_id = next_key(tx, "message", "message_id").await?;
    sqlx::query(
        "INSERT INTO message (message_id, kind, severity, is_of_machine, thread_key, version, created_us) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(message_id)
    .bind(news.kind)
    .bind(news.severity)
    .bind(i64::from(news.is_of_machine))
    .bind(after.thread_key)
    .bind(after.version)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(drop)
    .map_err(Error::database("write", "message"))
}

/// Adds that somebody is asked to take students over, in the transaction that asks.
pub(crate) async fn ask_hand_over(tx: &mut Tx, hand_over_key: i64, now: i64) -> Result<(), Error> {
    let message_id = next_key(tx, "message", "message_id").await?;
    sqlx::query(
        "INSERT INTO message (message_id, kind, is_of_machine, hand_over_key, created_us) \
         VALUES ($1, 'hand_over_asked', 0, $2, $3)",
    )
    .bind(message_id)
    .bind(hand_over_key)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(drop)
    .map_err(Error::database("write", "message"))
}

/// Adds that somebody reported something of a number that is nobody's, in the transaction that keeps it: what a person says
/// never waits for somebody to look.
pub(crate) async fn tell_unplaced(tx: &mut Tx, report_key: i64, severity: Severity, now: i64) -> Result<(), Error> {
    let message_id = next_key(tx, "message", "message_id").await?;
    sqlx::query(
        "INSERT INTO message (message_id, kind, severity, is_of_machine, report_key, created_us) \
         VALUES ($1, 'new_thread', $2, 0, $3, $4)",
    )
    .bind(message_id)
    .bind(severity.level())
    .bind(report_key)
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(drop)
    .map_err(Error::database("write", "message"))
}

#[derive(FromRow)]
struct Row {
    message_id: i64,
    kind: String,
    severity: Option<i64>,
    is_of_machine: i64,
    thread_key: Option<i64>,
    version: Option<i64>,
    hand_over_key: Option<i64>,
    follow_up_key: Option<i64>,
    report_key: Option<i64>,
    to_account: Option<String>,
    created_us: i64,
    next_us: i64,
}

impl From<Row> for OpenMessage {
    fn from(row: Row) -> Self {
        Self {
            message_id: row.message_id,
            kind: row.kind,
            severity: row.severity,
            is_of_machine: row.is_of_machine != 0,
            thread_key: row.thread_key,
            version: row.version,
            hand_over_key: row.hand_over_key,
            follow_up_key: row.follow_up_key,
            report_key: row.report_key,
            to_account: row.to_account,
            created_us: row.created_us,
            next_us: row.next_us,
        }
    }
}

const COLUMNS: &str = "message_id, kind, severity, is_of_machine, thread_key, version, hand_over_key, follow_up_key, report_key, \
                       to_account, created_us, next_us";

/// Keeps messages and their deliveries.
#[derive(Debug, Clone)]
pub struct Messages {
    database: Database,
}

impl Messages {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    /// Returns messages that are not settled and are to be looked at by now, by when and number, behind one; 1,000 at most.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn due(&self, after: Option<&OpenMessage>, now: i64) -> Result<Vec<OpenMessage>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM message WHERE settled_us IS NULL AND next_us <= $1 AND (next_us, message_id) > ($2, $3) \
             ORDER BY next_us, message_id LIMIT $4"
        );
        let rows: Vec<Row> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(now)
            .bind(after.map_or(-1, |it| it.next_us))
            .bind(after.map_or(0, |it| it.message_id))
            .bind(MESSAGES_MAX as i64)
            .fetch_all(self.database.read())
            .await
            .map_err(Error::database("read", "message"))?;
        Ok(rows.into_iter().map(OpenMessage::from).collect())
    }

    /// Puts a message off until an instant. What is reported of it before brings it back at once ([`Self::advance`]), so
    /// whoever puts off looks at the deliveries once more afterwards: what came between the look and this is then seen.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn put_off(&self, message_id: i64, until_us: i64) -> Result<(), Error> {
        let mut tx = self.database.begin("message").await?;
        set_next(&mut tx, message_id, until_us).await?;
        tx.commit().await.map_err(Error::database("write", "message"))
    }

    /// Brings back all messages that were put off: who is asked, and how soon, may be settled otherwise since.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn bring_back(&self) -> Result<(), Error> {
        let mut tx = self.database.begin("message").await?;
        sqlx::query("UPDATE message SET next_us = 0 WHERE settled_us IS NULL AND next_us > 0")
            .execute(&mut *tx)
            .await
            .map_err(Error::database("write", "message"))?;
        tx.commit().await.map_err(Error::database("write", "message"))
    }

    /// Returns a message, settled or not.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn get(&self, message_id: i64) -> Result<Option<OpenMessage>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM message WHERE message_id = $1");
        let row: Option<Row> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(message_id)
            .fetch_optional(self.database.read())
            .await
            .map_err(Error::database("read", "message"))?;
        Ok(row.map(OpenMessage::from))
    }

    /// Returns what was sent to somebody since an instant and still waits for a person, or was taken on since another
    /// instant; the newest first. A rehearsal is none, and no work waits behind what somebody has worked on since.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn sent_to(&self, to_key: i64, since_us: i64, taken_since_us: i64, limit: usize) -> Result<Vec<OwnMessage>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM message WHERE kind NOT IN ('drill', 'list_ready') AND coalesce(fate, '') <> 'overtaken' AND message_id IN \
             (SELECT d.message_id FROM message_delivery d WHERE d.to_key = $1 AND d.created_us >= $2) \
             AND (coalesce(fate, '') <> 'answered' OR settled_us >= $4) \
             ORDER BY CASE WHEN coalesce(fate, '') = 'answered' THEN 1 ELSE 0 END, created_us DESC, message_id DESC LIMIT $3"
        );
        let rows: Vec<Row> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(to_key)
            .bind(since_us)
            .bind(limit as i64)
            .bind(taken_since_us)
            .fetch_all(self.database.read())
            .await
            .map_err(Error::database("read", "message"))?;
        let mut found = Vec::new();
        for message in rows.into_iter().map(OpenMessage::from) {
            let deliveries = self.deliveries(message.message_id).await?;
            let first = deliveries.iter().filter_map(|it| Some((it.acknowledged_us?, it.to_key))).min();
            let is_shown = match first {
                Some((at_us, _)) => taken_since_us <= at_us,
                // Nobody answered in time, and yet the work may be done by now.
                None => !self.is_overtaken(&message).await?,
            };
            if is_shown {
                found.push(OwnMessage { message, taken: first.map(|(at_us, by)| (by, at_us)) });
            }
        }
        found.sort_by_key(|it| std::cmp::Reverse((it.message.created_us, it.message.message_id)));
        Ok(found)
    }

    /// Makes the message of a rehearsal (通知演练), settled from the start: nobody is asked a second time.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn begin_drill(&self, now: i64) -> Result<i64, Error> {
        let mut tx = self.database.begin("message").await?;
        let message_id = next_key(&mut tx, "message", "message_id").await?;
        sqlx::query(
            "INSERT INTO message (message_id, kind, is_of_machine, created_us, settled_us, fate) \
             VALUES ($1, 'drill', 0, $2, $2, 'sent')",
        )
        .bind(message_id)
        .bind(now)
        .execute(&mut *tx)
        .await
        .map_err(Error::database("write", "message"))?;
        tx.commit().await.map_err(Error::database("write", "message"))?;
        Ok(message_id)
    }

    /// Returns the latest rehearsal.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn last_drill(&self) -> Result<Option<OpenMessage>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM message WHERE kind = 'drill' ORDER BY created_us DESC, message_id DESC LIMIT 1");
        let row: Option<Row> = sqlx::query_as(AssertSqlSafe(sql))
            .fetch_optional(self.database.read())
            .await
            .map_err(Error::database("read", "message"))?;
        Ok(row.map(OpenMessage::from))
    }

    /// Returns what became of deliveries by each channel since an instant, by name; of a channel that nothing went by there is
    /// no row.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn channels_since(&self, since_us: i64) -> Result<Vec<ChannelUse>, Error> {
        sqlx::query_as(
            "SELECT channel, count(*) AS tried_n, count(sent_us) AS sent_n, count(failed_us) AS failed_n, \
             count(acknowledged_us) AS acknowledged_n, max(sent_us) AS last_sent_us, max(failed_us) AS last_failed_us \
             FROM message_delivery WHERE created_us >= $1 GROUP BY channel ORDER BY channel",
        )
        .bind(since_us)
        .fetch_all(self.database.read())
        .await
        .map_err(Error::database("read", "message_delivery"))
    }

    /// Returns everything that was tried for a message, in the order in which it was begun.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn deliveries(&self, message_id: i64) -> Result<Vec<StoredDelivery>, Error> {
        sqlx::query_as(
            "SELECT to_key, channel, level, created_us, sent_us, failed_us, delivered_us, read_us, acknowledged_us \
             FROM message_delivery WHERE message_id = $1 ORDER BY created_us, to_key, channel",
        )
        .bind(message_id)
        .fetch_all(self.database.read())
        .await
        .map_err(Error::database("read", "message_delivery"))
    }

    /// Notes that a message is about to go out, and says whether it is the first to: who is told no does not send.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn begin(&self, message_id: i64, to_key: i64, channel: &str, level: i64, now: i64) -> Result<bool, Error> {
        let mut tx = self.database.begin("message_delivery").await?;
        let added = sqlx::query(
            "INSERT INTO message_delivery (message_id, to_key, channel, level, created_us) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (message_id, to_key, channel) DO NOTHING",
        )
        .bind(message_id)
        .bind(to_key)
        .bind(channel)
        .bind(level)
        .bind(now)
        .execute(&mut *tx)
        .await
        .map_err(Error::database("write", "message_delivery"))?
        .rows_affected();
        tx.commit().await.map_err(Error::database("write", "message_delivery"))?;
        Ok(0 < added)
    }

    /// Forgets the tries of a message that no channel took, so that they may be made again; returns how many.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn forget_failed(&self, message_id: i64) -> Result<u64, Error> {
        let mut tx = self.database.begin("message_delivery").await?;
        let forgotten = sqlx::query(
            "DELETE FROM message_delivery WHERE message_id = $1 AND failed_us IS NOT NULL AND sent_us IS NULL \
             AND delivered_us IS NULL AND read_us IS NULL AND acknowledged_us IS NULL",
        )
        .bind(message_id)
        .execute(&mut *tx)
        .await
        .map_err(Error::database("write", "message_delivery"))?
        .rows_affected();
        tx.commit().await.map_err(Error::database("write", "message_delivery"))?;
        Ok(forgotten)
    }

    /// Notes how far a message has come to one person, by one channel or by whichever; returns how many deliveries there
    /// are of it. Reports may come twice and in any order: the earliest time of a state stays. The message is due then.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn advance(
        &self,
        message_id: i64,
        to_key: i64,
        channel: Option<&str>,
        reach: Reach,
        at_us: i64,
    ) -> Result<u64, Error> {
        let column = reach.column();
        let sql = format!(
            "UPDATE message_delivery SET {column} = CASE WHEN {column} <= $1 THEN {column} ELSE $1 END \
             WHERE message_id = $2 AND to_key = $3 AND channel = coalesce($4, channel)"
        );
        let mut tx = self.database.begin("message_delivery").await?;
        let touched = sqlx::query(AssertSqlSafe(sql))
            .bind(at_us)
            .bind(message_id)
            .bind(to_key)
            .bind(channel)
            .execute(&mut *tx)
            .await
            .map_err(Error::database("write", "message_delivery"))?
            .rows_affected();
        if 0 < touched {
            set_next(&mut tx, message_id, 0).await?;
        }
        tx.commit().await.map_err(Error::database("write", "message_delivery"))?;
        Ok(touched)
    }

    /// Makes a message of every contact that is due and of which there is none yet; returns how many. With who has died
    /// none is due.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn ask_follow_ups(&self, now: i64) -> Result<usize, Error> {
        let mut tx = self.database.begin("message").await?;
        let due: Vec<i64> = sqlx::query_scalar(
            "SELECT follow_up_key FROM follow_up f WHERE done_us IS NULL AND due_us <= $1 \
             AND (student_key IS NULL OR student_key NOT IN (SELECT student_key FROM student_death)) \
             AND NOT EXISTS (SELECT 1 FROM message m WHERE m.follow_up_key = f.follow_up_key) ORDER BY follow_up_key LIMIT $2",
        )
        .bind(now)
        .bind(MESSAGES_MAX as i64)
        .fetch_all(&mut *tx)
        .await
        .map_err(Error::database("read", "follow_up"))?;
        for follow_up_key in &due {
            let message_id = next_key(&mut tx, "message", "message_id").await?;
            sqlx::query(
                "INSERT INTO message (message_id, kind, is_of_machine, follow_up_key, created_us) \
                 VALUES ($1, 'follow_up_due', 0, $2, $3)",
            )
            .bind(message_id)
            .bind(follow_up_key)
            .bind(now)
            .execute(&mut *tx)
            .await
            .map_err(Error::database("write", "message"))?;
        }
        tx.commit().await.map_err(Error::database("write", "message"))?;
        Ok(due.len())
    }

    /// Makes one message for all rows of a list that nobody was told of before, unless others of the list were told within the
    /// hour, and remembers them; returns how many these were. What was told so long ago that no list holds it any more is forgotten.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn tell_list(&self, list: &str, items: &[String], now: i64) -> Result<u64, Error> {
        let mut tx = self.database.begin("list_told").await?;
        // What goes on is not news every ten minutes: whoever was told sees all of it on the list.
        let recent: Option<(i64,)> = sqlx::query_as("SELECT told_us FROM list_told WHERE list = $1 AND told_us > $2 LIMIT 1")
            .bind(list)
            .bind(now - TOLD_PAUSE_US)
            .fetch_optional(&mut *tx)
            .await
            .map_err(Error::database("read", "list_told"))?;
        let mut new_n = 0;
        for item in items {
            let told = sqlx::query(
                "INSERT INTO list_told (list, item, told_us) VALUES ($1, $2, $3) ON CONFLICT (list, item) DO NOTHING",
            )
            .bind(list)
            .bind(item.as_str())
            .bind(now)
            .execute(&mut *tx)
            .await
            .map_err(Error::database("write", "list_told"))?;
            new_n += told.rows_affected();
        }
        if 0 < new_n && recent.is_none() {
            let message_id = next_key(&mut tx, "message", "message_id").await?;
            sqlx::query("INSERT INTO message (message_id, kind, is_of_machine, created_us) VALUES ($1, 'list_ready', 1, $2)")
                .bind(message_id)
                .bind(now)
                .execute(&mut *tx)
                .await
                .map_err(Error::database("write", "message"))?;
        }
        forget_told(&mut tx, now).await?;
        tx.commit().await.map_err(Error::database("write", "list_told"))?;
        Ok(new_n)
    }

    /// Makes one message for each reader who did not hear yet that the list of a night is complete; returns how many these were.
    /// It says nothing of the list, and goes to the reader alone.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn tell_night(&self, night: &str, accounts: &[String], now: i64) -> Result<u64, Error> {
        let mut tx = self.database.begin("list_told").await?;
        let mut new_n = 0;
        for account in accounts {
            let item = format!("{night}|{account}");
            let told = sqlx::query(
                "INSERT INTO list_told (list, item, told_us) VALUES ($1, $2, $3) ON CONFLICT (list, item) DO NOTHING",
            )
            .bind(NIGHT_LIST)
            .bind(item.as_str())
            .bind(now)
            .execute(&mut *tx)
            .await
            .map_err(Error::database("write", "list_told"))?;
            if told.rows_affected() == 0 {
                continue;
            }
            new_n += 1;
            let message_id = next_key(&mut tx, "message", "message_id").await?;
            sqlx::query(
                "INSERT INTO message (message_id, kind, is_of_machine, to_account, created_us) VALUES ($1, 'list_ready', 1, $2, $3)",
            )
            .bind(message_id)
            .bind(account.as_str())
            .bind(now)
            .execute(&mut *tx)
            .await
            .map_err(Error::database("write", "message"))?;
        }
        forget_told(&mut tx, now).await?;
        tx.commit().await.map_err(Error::database("write", "list_told"))?;
        Ok(new_n)
    }

    /// Says whether somebody has worked on the case since the step that a message is about, or it is over; of a contact,
    /// whether it was made or is owed no more; of a report of nobody's number, whether it was placed.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn is_overtaken(&self, message: &OpenMessage) -> Result<bool, Error> {
        if let Some(follow_up_key) = message.follow_up_key {
            let owed: i64 = sqlx::query_scalar(
                "SELECT count(*) FROM follow_up WHERE follow_up_key = $1 AND done_us IS NULL \
                 AND (student_key IS NULL OR student_key NOT IN (SELECT student_key FROM student_death))",
            )
            .bind(follow_up_key)
            .fetch_one(self.database.read())
            .await
            .map_err(Error::database("read", "follow_up"))?;
            return Ok(owed == 0);
        }
        if let Some(report_key) = message.report_key {
            let waits: i64 = sqlx::query_scalar("SELECT count(*) FROM observation_unplaced WHERE report_key = $1")
                .bind(report_key)
                .fetch_one(self.database.read())
                .await
                .map_err(Error::database("read", "observation_unplaced"))?;
            return Ok(waits == 0);
        }
        let (Some(thread_key), Some(version)) = (message.thread_key, message.version) else { return Ok(false) };
        let n: i64 = sqlx::query_scalar(
            "SELECT (SELECT count(*) FROM case_event WHERE thread_key = $1 AND seq > $2 AND role <> 'system' \
             AND step NOT IN ('signalled', 'severity_set')) \
             + (SELECT count(*) FROM case_thread WHERE thread_key = $1 AND (state = 'closed' OR has_died = 1))",
        )
        .bind(thread_key)
        .bind(version)
        .fetch_one(self.database.read())
        .await
        .map_err(Error::database("read", "case_event"))?;
        Ok(0 < n)
    }

    /// Ends a message.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn settle(&self, message_id: i64, fate: Fate, now: i64) -> Result<(), Error> {
        let mut tx = self.database.begin("message").await?;
        sqlx::query("UPDATE message SET settled_us = $1, fate = $2 WHERE message_id = $3 AND settled_us IS NULL")
            .bind(now)
            .bind(fate.code())
            .bind(message_id)
            .execute(&mut *tx)
            .await
            .map_err(Error::database("write", "message"))?;
        tx.commit().await.map_err(Error::database("write", "message"))
    }
}

/// Forgets what was told so long ago that no list holds it any more.
async fn forget_told(tx: &mut Tx, now: i64) -> Result<(), Error> {
    sqlx::query("DELETE FROM list_told WHERE told_us < $1")
        .bind(now - TOLD_KEPT_US)
        .execute(&mut **tx)
        .await
        .map(drop)
        .map_err(Error::database("write", "list_told"))
}

/// Says when a message is to be looked at; of one that is settled nothing changes.
async fn set_next(tx: &mut Tx, message_id: i64, next_us: i64) -> Result<(), Error> {
    sqlx::query("UPDATE message SET next_us = $1 WHERE message_id = $2 AND settled_us IS NULL")
        .bind(next_us)
        .bind(message_id)
        .execute(&mut **tx)
        .await
        .map(drop)
        .map_err(Error::database("write", "message"))
}
