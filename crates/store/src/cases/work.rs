//! What one account did here, as numbers of days and kinds, for the log of own work (我的台账).

use std::collections::BTreeMap;

use super::Cases;
use crate::error::Error;

/// Something done, once an act: the instant and the kind.
type Act = (i64, String);

impl Cases {
    /// Returns how often an account did what in a span: days since 1970 of a calendar `offset_us` ahead of UTC, the kind
    /// (`case_step`, `observation`, `absence_check`), and how many.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn work_of(
        &self,
        account: &str,
        from_us: i64,
        until_us: i64,
        offset_us: i64,
    ) -> Result<Vec<(i64, String, i64)>, Error> {
        let acts: Vec<Act> = sqlx::query_as(
            "SELECT at_us, 'case_step' AS kind FROM case_event WHERE actor = $1 AND at_us >= $2 AND at_us < $3 UNION ALL \
             SELECT at_us, 'observation' FROM observation_report WHERE reporter = $1 AND at_us >= $2 AND at_us < $3 UNION ALL \
             SELECT at_us, 'absence_check' FROM absence_check WHERE actor = $1 AND at_us >= $2 AND at_us < $3",
        )
        .bind(account)
        .bind(from_us)
        .bind(until_us)
        .fetch_all(self.database.read())
        .await
        .map_err(Error::database("read", "case_event"))?;
        let mut counted: BTreeMap<(i64, String), i64> = BTreeMap::new();
        for (at_us, kind) in acts {
            *counted.entry(((at_us + offset_us).div_euclid(casework::DAY_US), kind)).or_default() += 1;
        }
        Ok(counted.into_iter().map(|((day, kind), n)| (day, kind, n)).collect())
    }
}
