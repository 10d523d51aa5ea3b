//! Screenings and their scores (普查): psychology's alone. A score stands nowhere in the clear and leaves for nowhere.

use casework::ScreeningCampaign;
use sqlx::AssertSqlSafe;

use super::{Cases, Who, open_text};
use crate::database::values;
use crate::error::Error;

/// Scores that one statement writes; with three values each it stays below what either database takes.
const SCORES_A_STATEMENT: usize = 500;

/// A screening with how many scores are kept of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CampaignRow {
    /// How far it is.
    pub campaign: ScreeningCampaign,
    /// Scores that are kept.
    pub score_n: i64,
}

impl Cases {
    /// Keeps how far a screening is.
    ///
    /// # Errors
    /// If no consent form is named, a part is larger than its whole, or the store cannot be written.
    pub async fn keep_campaign(&self, campaign: &ScreeningCampaign) -> Result<(), Error> {
        campaign.check()?;
        let mut tx = self.database.begin("screening_campaign").await?;
        sqlx::query(
            "INSERT INTO screening_campaign (name, consent_version, n_due, n_done, n_to_talk, n_talked) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name) DO UPDATE SET consent_version = excluded.consent_version, \
             n_due = excluded.n_due, n_done = excluded.n_done, n_to_talk = excluded.n_to_talk, n_talked = excluded.n_talked",
        )
        .bind(&campaign.name)
        .bind(&campaign.consent_version)
        .bind(campaign.n_due)
        .bind(campaign.n_done)
        .bind(campaign.n_to_talk)
        .bind(campaign.n_talked)
        .execute(&mut *tx)
        .await
        .map_err(Error::database("write", "screening_campaign"))?;
        tx.commit().await.map_err(Error::database("write", "screening_campaign"))
    }

    /// Returns all screenings with how many scores are kept of each, by name; 200 at most.
    ///
    /// # Errors
    /// If the role is not psychology's, or the store cannot be read.
    pub async fn campaigns(&self, who: &Who) -> Result<Vec<CampaignRow>, Error> {
        self.expect_psychology(who)?;
        let rows: Vec<(String, String, i64, i64, i64, i64, i64)> = sqlx::query_as(
            "SELECT name, consent_version, n_due, n_done, n_to_talk, n_talked, (SELECT count(*) FROM screening_score \
             WHERE screening_score.name = screening_campaign.name) FROM screening_campaign ORDER BY name LIMIT 200",
        )
        .fetch_all(self.database.read())
        .await
        .map_err(Error::database("read", "screening_campaign"))?;
        let shown = |(name, consent_version, n_due, n_done, n_to_talk, n_talked, score_n)| {
            let campaign = ScreeningCampaign { name, consent_version, n_due, n_done, n_to_talk, n_talked };
            CampaignRow { campaign, score_n }
        };
        Ok(rows.into_iter().map(shown).collect())
    }

    /// Returns how far a screening is.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn campaign(&self, name: &str) -> Result<Option<ScreeningCampaign>, Error> {
        let row: Option<(String, i64, i64, i64, i64)> =
            sqlx::query_as("SELECT consent_version, n_due, n_done, n_to_talk, n_talked FROM screening_campaign WHERE name = $1")
                .bind(name)
                .fetch_optional(self.database.read())
                .await
                .map_err(Error::database("read", "screening_campaign"))?;
        let name = name.to_owned();
        Ok(row.map(|(consent_version, n_due, n_done, n_to_talk, n_talked)| ScreeningCampaign {
            name,
            consent_version,
            n_due,
            n_done,
            n_to_talk,
            n_talked,
        }))
    }

    /// Keeps the scores of students, each sealed under the psychology key: all of them or, if one cannot be kept, none.
    ///
    /// # Errors
    /// If the role is not psychology's, there is no such screening, or the store cannot be written.
    pub async fn keep_scores(&self, name: &str, scores: &[(i64, &str)], who: &Who) -> Result<(), Error> {
        self.expect_psychology(who)?;
        let sealed = |(key, score): &(i64, &str)| (*key, self.psychology.seal(score.as_bytes(), &score_place(name, *key)));
        let rows: Vec<(i64, Vec<u8>)> = scores.iter().map(sealed).collect();
        let mut tx = self.database.begin("screening_score").await?;
        for rows in rows.chunks(SCORES_A_STATEMENT) {
            let sql = format!(
                "INSERT INTO screening_score (name, student_key, score_sealed) VALUES {} \
                 ON CONFLICT (name, student_key) DO UPDATE SET score_sealed = excluded.score_sealed",
                values(1, rows.len(), 3)
            );
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for (key, sealed) in rows {
                query = query.bind(name).bind(*key).bind(sealed.as_slice());
            }
            query.execute(&mut *tx).await.map_err(Error::database("write", "screening_score"))?;
        }
        tx.commit().await.map_err(Error::database("write", "screening_score"))
    }

    /// Returns a score to psychology.
    ///
    /// # Errors
    /// If the role is not psychology's, or the score is damaged or cannot be read.
    pub async fn score(&self, name: &str, student_key: i64, who: &Who) -> Result<Option<String>, Error> {
        self.expect_psychology(who)?;
        let sealed: Option<Vec<u8>> =
            sqlx::query_scalar("SELECT score_sealed FROM screening_score WHERE name = $1 AND student_key = $2")
                .bind(name)
                .bind(student_key)
                .fetch_optional(self.database.read())
                .await
                .map_err(Error::database("read", "screening_score"))?;
        let place = score_place(name, student_key);
        sealed.map(|it| open_text(&self.psychology, &it, &place, "screening_score")).transpose()
    }
}

fn score_place(name: &str, student_key: i64) -> Vec<u8> {
    format!("screening_score/{student_key}/{name}").into_bytes()
}
