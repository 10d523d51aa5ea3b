//! Whose a student is: assignments, hand-overs that both sides confirm, delegations, the duty roster.

use std::collections::{BTreeMap, HashSet};

use casework::{Actor, Delegation, DutyShift, HandOver, HandOverState, Post, Refusal, Relation, Role, covered_gaps};
use sqlx::{AssertSqlSafe, FromRow};

use super::{Cases, NEVER, Tx, Who, actor, next_key, page_limit};
use crate::database::values;
use crate::error::Error;
use crate::messages::ask_hand_over;

/// Most students of one hand-over.
const STUDENTS_MAX: usize = 2_000;

/// Open hand-overs that are looked through for those of a college.
const OPEN_HAND_OVERS_MAX: i64 = 5_000;

/// Students looked at in one statement.
const STUDENTS_A_STATEMENT: usize = 200;

/// A hand-over with its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// Which.
    pub hand_over_key: i64,
    /// What.
    pub hand_over: HandOver,
}

/// A shift as a register says it: its number there, post, from when to when, account and backup.
type Said = (String, String, i64, i64, String, Option<String>);

#[derive(FromRow)]
struct Stored {
    hand_over_key: i64,
    from_account: String,
    to_account: String,
    students: String,
    offered_us: i64,
    given_us: Option<i64>,
    taken_us: Option<i64>,
    taken_over_by: Option<String>,
}

impl TryFrom<Stored> for Offered {
    type Error = Error;

    fn try_from(row: Stored) -> Result<Self, Error> {
        let students =
            serde_json::from_str(&row.students).map_err(|_| Error::Damaged { table: "hand_over", column: "students" })?;
        let hand_over = HandOver {
            from: row.from_account,
            to: row.to_account,
            students,
            offered_us: row.offered_us,
            given_us: row.given_us,
            taken_us: row.taken_us,
            taken_over_by: row.taken_over_by,
        };
        Ok(Self { hand_over_key: row.hand_over_key, hand_over })
    }
}

impl Cases {
    /// Makes somebody responsible for students from now on. A new counselor ends the one before, so that every student
    /// has exactly one at any moment; of the other relations there may be several.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn assign(&self, relation: Relation, account: &str, students: &[i64], now: i64) -> Result<(), Error> {
        let mut tx = self.database.begin("case_assignment").await?;
        for student_key in students {
            assign(&mut tx, relation, account, *student_key, now).await?;
        }
        tx.commit().await.map_err(Error::database("write", "case_assignment"))
    }

    /// Ends what somebody was to students.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn unassign(&self, relation: Relation, account: &str, students: &[i64], now: i64) -> Result<(), Error> {
        let mut tx = self.database.begin("case_assignment").await?;
        for student_key in students {
            unassign(&mut tx, relation, account, *student_key, now).await?;
        }
        tx.commit().await.map_err(Error::database("write", "case_assignment"))
    }

    /// Returns those of the students who have no responsible counselor (无责任人学生).
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn without_counselor(&self, students: &[i64], now: i64) -> Result<Vec<i64>, Error> {
        let mut without = Vec::new();
        for chunk in students.chunks(STUDENTS_A_STATEMENT) {
            let sql = format!(
                "SELECT student_key FROM case_assignment WHERE relation = 'counselor' AND from_us <= $1 AND $1 < until_us \
                 AND student_key IN {}",
                values(2, 1, chunk.len())
            );
            let mut query = sqlx::query_scalar::<_, i64>(AssertSqlSafe(sql)).bind(now);
            for student_key in chunk {
                query = query.bind(student_key);
            }
            let held = query.fetch_all(self.database.read()).await.map_err(Error::database("read", "case_assignment"))?;
            without.extend(chunk.iter().filter(|it| !held.contains(it)));
        }
        Ok(without)
    }

    /// Adds a delegation, which always has an end.
    ///
    /// # Errors
    /// If it has no usable end, or the store cannot be written.
    pub async fn delegate(&self, delegation: &Delegation) -> Result<(), Error> {
        delegation.check()?;
        let mut tx = self.database.begin("delegation").await?;
        sqlx::query(
            "INSERT INTO delegation (from_account, to_account, from_us, until_us) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (to_account, from_account, from_us) DO UPDATE SET until_us = excluded.until_us",
        )
        .bind(&delegation.from)
        .bind(&delegation.to)
        .bind(delegation.from_us)
        .bind(delegation.until_us)
        .execute(&mut *tx)
        .await
        .map_err(Error::database("write", "delegation"))?;
        tx.commit().await.map_err(Error::database("write", "delegation"))
    }

    /// Returns the delegations by and to an account that have not ended, the earliest first.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn delegations(&self, account: &str, now: i64, limit: usize) -> Result<Vec<Delegation>, Error> {
        let rows: Vec<(String, String, i64, i64)> = sqlx::query_as(
            "SELECT from_account, to_account, from_us, until_us FROM delegation WHERE (from_account = $1 OR to_account = $1) \
             AND $2 < until_us ORDER BY from_us, from_account, to_account LIMIT $3",
        )
        .bind(account)
        .bind(now)
        .bind(page_limit(limit))
        .fetch_all(self.database.read())
        .await
        .map_err(Error::database("read", "delegation"))?;
        Ok(rows.into_iter().map(|(from, to, from_us, until_us)| Delegation { from, to, from_us, until_us }).collect())
    }

    /// Returns the students whose responsible counselor an account is, at most as many as one hand-over takes.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn students_of(&self, account: &str, now: i64) -> Result<Vec<i64>, Error> {
        sqlx::query_scalar(
            "SELECT student_key FROM case_assignment WHERE relation = 'counselor' AND account = $1 AND from_us <= $2 \
             AND $2 < until_us ORDER BY student_key LIMIT $3",
        )
        .bind(account)
        .bind(now)
        .bind(STUDENTS_MAX as i64)
        .fetch_all(self.database.read())
        .await
        .map_err(Error::database("read", "case_assignment"))
    }

    /// Returns somebody with what they stand in to a student now.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn standing(&self, who: &Who, student_key: i64, now: i64) -> Result<Actor, Error> {
        let mut tx = self.database.snapshot("case_assignment").await?;
        actor(&mut tx, who, student_key, now).await
    }

    /// Keeps a shift of the duty roster; the same post, beginning and person is brought up to date.
    ///
    /// # Errors
    /// If it ends before it begins, or the store cannot be written.
    pub async fn roster(&self, shift: &DutyShift) -> Result<(), Error> {
        if shift.until_us <= shift.from_us {
            return Err(Refusal::CompanionSpan.into());
        }
        let mut tx = self.database.begin("duty_roster").await?;
        sqlx::query(
            "INSERT INTO duty_roster (post, from_us, until_us, account, backup) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (post, from_us, account) DO UPDATE SET until_us = excluded.until_us, backup = excluded.backup",
        )
        .bind(shift.post.code())
        .bind(shift.from_us)
        .bind(shift.until_us)
        .bind(&shift.account)
        .bind(&shift.backup)
        .execute(&mut *tx)
        .await
        .map_err(Error::database("write", "duty_roster"))?;
        tx.commit().await.map_err(Error::database("write", "duty_roster"))
    }

    /// Takes shifts that a register says, by their number there: a new one is a shift here, one that the register says
    /// otherwise takes the place of what it said before, one that it says no more ends, unless somebody has mended that by
    /// hand. `said` is all that is not over now. Returns how many changed.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub async fn take_shifts(&self, said: &[(String, DutyShift)], now: i64) -> Result<usize, Error> {
        let mut tx = self.database.begin("duty_roster").await?;
        let before: Vec<Said> = sqlx::query_as(
            "SELECT call_id, post, from_us, until_us, account, backup FROM duty_roster_said WHERE until_us > $1 ORDER BY call_id",
        )
        .bind(now)
        .fetch_all(&mut *tx)
        .await
        .map_err(Error::database("read", "duty_roster_said"))?;
        let mut said: BTreeMap<&str, Said> = said
            .iter()
            .filter(|(_, it)| it.from_us < it.until_us)
            .map(|(id, it)| {
                let row = (id.clone(), it.post.code().to_owned(), it.from_us, it.until_us, it.account.clone(), it.backup.clone());
                (id.as_str(), row)
            })
            .collect();
        let mut changed = 0;
        // First all that goes, then all that comes: two that swap would else stand in each other's way.
        for old in &before {
            let new = said.get(old.0.as_str());
            if new == Some(old) {
                said.remove(old.0.as_str());
                continue;
            }
            let gone = sqlx::query("DELETE FROM duty_roster WHERE post = $1 AND from_us = $2 AND until_us = $3 AND account = $4")
                .bind(&old.1)
                .bind(old.2)
                .bind(old.3)
                .bind(&old.4)
                .execute(&mut *tx)
                .await
                .map_err(Error::database("write", "duty_roster"))?
                .rows_affected();
            if new.is_none() {
                sqlx::query("DELETE FROM duty_roster_said WHERE call_id = $1")
                    .bind(&old.0)
                    .execute(&mut *tx)
                    .await
                    .map_err(Error::database("write", "duty_roster_said"))?;
                changed += usize::from(0 < gone);
            } else if gone == 0 {
                // Somebody mended it by hand and knew better: what the register says is noted, and nothing else.
                let row = said.remove(old.0.as_str());
                if let Some(row) = row {
                    note_said(&mut tx, &row).await?;
                }
            }
        }
        for row in said.values() {
            // What was entered by hand for the same hours stands as well.
            let added = sqlx::query(
                "INSERT INTO duty_roster (post, from_us, until_us, account, backup) VALUES ($1, $2, $3, $4, $5) \
                 ON CONFLICT (post, from_us, account) DO NOTHING",
            )
            .bind(&row.1)
            .bind(row.2)
            .bind(row.3)
            .bind(&row.4)
            .bind(&row.5)
            .execute(&mut *tx)
            .await
            .map_err(Error::database("write", "duty_roster"))?
            .rows_affected();
            note_said(&mut tx, row).await?;
            changed += usize::from(added == 1);
        }
        tx.commit().await.map_err(Error::database("write", "duty_roster"))?;
        Ok(changed)
    }

    /// Returns who stands at a post now, with the backup; the first is to be called.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn on_duty(&self, post: Post, now: i64) -> Result<Vec<DutyShift>, Error> {
        self.shifts(post, now, now + 1).await
    }

    /// Returns the spans in which a post has no person or no backup.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn roster_gaps(&self, post: Post, from_us: i64, until_us: i64) -> Result<Vec<(i64, i64)>, Error> {
        Ok(covered_gaps(&self.shifts(post, from_us, until_us).await?, post, from_us, until_us))
    }

    /// Returns the shifts of a post that touch a span, in their order.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn shifts(&self, post: Post, from_us: i64, until_us: i64) -> Result<Vec<DutyShift>, Error> {
        let rows: Vec<(String, Option<String>, i64, i64)> = sqlx::query_as(
            "SELECT account, backup, from_us, until_us FROM duty_roster WHERE post = $1 AND from_us < $2 AND $3 < until_us \
             ORDER BY from_us, account",
        )
        .bind(post.code())
        .bind(until_us)
        .bind(from_us)
        .fetch_all(self.database.read())
        .await
        .map_err(Error::database("read", "duty_roster"))?;
        let shown = |(account, backup, from_us, until_us)| DutyShift { post, account, backup, from_us, until_us };
        Ok(rows.into_iter().map(shown).collect())
    }

    /// Offers students and everything open of them to another; nothing changes until both sides have confirmed.
    ///
    /// # Errors
    /// If a student is not the giver's, there are none or too many, or the store cannot be written.
    pub async fn offer_hand_over(&self, from: &str, to: &str, students: &[i64], now: i64) -> Result<i64, Error> {
        if students.is_empty() || STUDENTS_MAX < students.len() || from == to {
            return Err(Refusal::HandOverStranger.into());
        }
        let mut tx = self.database.begin("hand_over").await?;
        for student_key in students {
            if counselor(&mut tx, *student_key).await?.as_deref() != Some(from) {
                return Err(Refusal::HandOverStranger.into());
            }
        }
        let key = next_key(&mut tx, "hand_over", "hand_over_key").await?;
        sqlx::query(
            "INSERT INTO hand_over (hand_over_key, from_account, to_account, students, offered_us) \
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(key)
        .bind(from)
        .bind(to)
        .bind(serde_json::to_string(students).expect("integers become JSON"))
        .bind(now)
        .execute(&mut *tx)
        .await
        .map_err(Error::database("write", "hand_over"))?;
        ask_hand_over(&mut tx, key, now).await?;
        tx.commit().await.map_err(Error::database("write", "hand_over"))?;
        Ok(key)
    }

    /// Confirms a hand-over for one side; with the second the students change hands in the same transaction.
    ///
    /// # Errors
    /// If there is none, it is over, or the account is neither side.
    pub async fn confirm_hand_over(&self, hand_over_key: i64, who: &Who, now: i64) -> Result<HandOver, Error> {
        self.settle(hand_over_key, now, |it| it.confirm(&who.account, now)).await
    }

    /// Takes over, as the deputy secretary, what was not confirmed in time. Students of another college stay with whoever
    /// offered them, who may offer them anew.
    ///
    /// # Errors
    /// If there is none, it is over or not overdue, somebody else tries, or none of the students is of their college.
    pub async fn take_over(&self, hand_over_key: i64, who: &Who, now: i64) -> Result<HandOver, Error> {
        let own = self.held(&who.account, Relation::Secretary, now).await?;
        let take = |it: HandOver| {
            if !it.students.iter().any(|student| own.contains(student)) {
                return Err(Refusal::HandOverStranger);
            }
            let mut taken = it.take_over(&who.account, who.role, now)?;
            taken.students.retain(|student| own.contains(student));
            Ok(taken)
        };
        self.settle(hand_over_key, now, take).await
    }

    /// Returns the hand-overs that were not confirmed in time and that somebody may take over, the oldest first.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn overdue_hand_overs(&self, who: &Who, now: i64, limit: usize) -> Result<Vec<Offered>, Error> {
        if who.role != Role::CollegeSecretary {
            return Ok(Vec::new());
        }
        let own = self.held(&who.account, Relation::Secretary, now).await?;
        let rows: Vec<Stored> = sqlx::query_as(
            "SELECT hand_over_key, from_account, to_account, students, offered_us, given_us, taken_us, taken_over_by \
             FROM hand_over WHERE taken_over_by IS NULL AND (given_us IS NULL OR taken_us IS NULL) AND offered_us <= $1 \
             ORDER BY hand_over_key LIMIT $2",
        )
        .bind(now)
        .bind(OPEN_HAND_OVERS_MAX)
        .fetch_all(self.database.read())
        .await
        .map_err(Error::database("read", "hand_over"))?;
        let mut overdue = Vec::new();
        for row in rows {
            let offered = Offered::try_from(row)?;
            let is_late = offered.hand_over.due_us() <= now;
            if is_late && overdue.len() < limit && offered.hand_over.students.iter().any(|it| own.contains(it)) {
                overdue.push(offered);
            }
        }
        Ok(overdue)
    }

    /// Returns the students to whom an account is something now.
    async fn held(&self, account: &str, relation: Relation, now: i64) -> Result<HashSet<i64>, Error> {
        let keys: Vec<i64> = sqlx::query_scalar(
            "SELECT student_key FROM case_assignment WHERE relation = $1 AND account = $2 AND from_us <= $3 AND $3 < until_us",
        )
        .bind(relation.code())
        .bind(account)
        .bind(now)
        .fetch_all(self.database.read())
        .await
        .map_err(Error::database("read", "case_assignment"))?;
        Ok(keys.into_iter().collect())
    }

    async fn settle(
        &self,
        hand_over_key: i64,
        now: i64,
        change: impl FnOnce(HandOver) -> Result<HandOver, Refusal>,
    ) -> Result<HandOver, Error> {
        let mut tx = self.database.begin("hand_over").await?;
        let row: Option<Stored> = sqlx::query_as(
            "SELECT hand_over_key, from_account, to_account, students, offered_us, given_us, taken_us, taken_over_by \
             FROM hand_over WHERE hand_over_key = $1",
        )
        .bind(hand_over_key)
        .fetch_optional(&mut *tx)
        .await
        .map_err(Error::database("read", "hand_over"))?;
        let hand_over = Offered::try_from(row.ok_or(Refusal::HandOverOver)?)?.hand_over;
        let hand_over = change(hand_over)?;
        sqlx::query("UPDATE hand_over SET given_us = $1, taken_us = $2, taken_over_by = $3 WHERE hand_over_key = $4")
            .bind(hand_over.given_us)
            .bind(hand_over.taken_us)
            .bind(&hand_over.taken_over_by)
            .bind(hand_over_key)
            .execute(&mut *tx)
            .await
            .map_err(Error::database("write", "hand_over"))?;
        if hand_over.state() != HandOverState::Offered {
            for student_key in &hand_over.students {
                // Who has gone to a third person meanwhile stays there.
                if counselor(&mut tx, *student_key).await?.as_deref() == Some(hand_over.from.as_str()) {
                    assign(&mut tx, Relation::Counselor, hand_over.responsible(), *student_key, now).await?;
                }
            }
            sqlx::query(
                "UPDATE follow_up SET owner = $1 WHERE owner = $2 AND done_us IS NULL AND student_key IN \
                         (SELECT student_key FROM case_assignment WHERE relation = 'counselor' AND account = $1 \
                          AND until_us = $3)",
            )
            .bind(hand_over.responsible())
            .bind(&hand_over.from)
            .bind(NEVER)
            .execute(&mut *tx)
            .await
            .map_err(Error::database("write", "follow_up"))?;
        }
        tx.commit().await.map_err(Error::database("write", "hand_over"))?;
        Ok(hand_over)
    }

    /// Returns the hand-overs that wait for an account's confirmation or its partner's, the oldest first.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn hand_overs(&self, account: &str, limit: usize) -> Result<Vec<Offered>, Error> {
        let rows: Vec<Stored> = sqlx::query_as(
            "SELECT hand_over_key, from_account, to_account, students, offered_us, given_us, taken_us, taken_over_by \
             FROM hand_over WHERE (from_account = $1 OR to_account = $1) AND taken_over_by IS NULL \
             AND (given_us IS NULL OR taken_us IS NULL) ORDER BY hand_over_key LIMIT $2",
        )
        .bind(account)
        .bind(page_limit(limit))
        .fetch_all(self.database.read())
        .await
        .map_err(Error::database("read", "hand_over"))?;
        rows.into_iter().map(Offered::try_from).collect()
    }
}

/// Returns the responsible counselor of a student.
pub(super) async fn counselor(tx: &mut Tx, student_key: i64) -> Result<Option<String>, Error> {
    sqlx::query_scalar("SELECT account FROM case_assignment WHERE student_key = $1 AND relation = 'counselor' AND until_us = $2")
        .bind(student_key)
        .bind(NEVER)
        .fetch_optional(&mut **tx)
        .await
        .map_err(Error::database("read", "case_assignment"))
}

pub(super) async fn unassign(tx: &mut Tx, relation: Relation, account: &str, student_key: i64, now: i64) -> Result<(), Error> {
    sqlx::query(
        "UPDATE case_assignment SET until_us = $1 WHERE student_key = $2 AND relation = $3 AND account = $4 \
         AND until_us > $1",
    )
    .bind(now)
    .bind(student_key)
    .bind(relation.code())
    .bind(account)
    .execute(&mut **tx)
    .await
    .map(drop)
    .map_err(Error::database("write", "case_assignment"))
}

pub(super) async fn assign(tx: &mut Tx, relation: Relation, account: &str, student_key: i64, now: i64) -> Result<(), Error> {
    let held: Vec<String> =
        sqlx::query_scalar("SELECT account FROM case_assignment WHERE student_key = $1 AND relation = $2 AND until_us = $3")
            .bind(student_key)
            .bind(relation.code())
            .bind(NEVER)
            .fetch_all(&mut **tx)
            .await
            .map_err(Error::database("read", "case_assignment"))?;
    if held.iter().any(|it| it == account) {
        return Ok(());
    }
    if relation == Relation::Counselor {
        sqlx::query(
            "UPDATE case_assignment SET until_us = $1 WHERE student_key = $2 AND relation = 'counselor' AND until_us = $3",
        )
        .bind(now)
        .bind(student_key)
        .bind(NEVER)
        .execute(&mut **tx)
        .await
        .map_err(Error::database("write", "case_assignment"))?;
    }
    sqlx::query(
        "INSERT INTO case_assignment (student_key, relation, account, from_us, until_us) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (student_key, relation, account, from_us) DO UPDATE SET until_us = excluded.until_us",
    )
    .bind(student_key)
    .bind(relation.code())
    .bind(account)
    .bind(now)
    .bind(NEVER)
    .execute(&mut **tx)
    .await
    .map(drop)
    .map_err(Error::database("write", "case_assignment"))
}

async fn note_said(tx: &mut Tx, row: &Said) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO duty_roster_said (call_id, post, from_us, until_us, account, backup) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (call_id) DO UPDATE SET post = excluded.post, from_us = excluded.from_us, \
         until_us = excluded.until_us, account = excluded.account, backup = excluded.backup",
    )
    .bind(&row.0)
    .bind(&row.1)
    .bind(row.2)
    .bind(row.3)
    .bind(&row.4)
    .bind(&row.5)
    .execute(&mut **tx)
    .await
    .map(drop)
    .map_err(Error::database("write", "duty_roster_said"))
}
