//! `feat_measure`: floors, the person's own past and the peer group, each written once for all measures.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::arrow::array::{Array, Date32Array, RecordBatch};
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;
use schema::{Class, Model, Subject};

use crate::Error;
use crate::build::{Builder, date, with_as_of};
use crate::node::Node;

/// Turns a median absolute deviation into a standard deviation of a normal distribution.
const MAD_TO_SD: f64 = 1.4826;
/// Weeks that are looked through for taught ones: the longest vacation and two terms.
const PAST_WEEKS: i32 = 40;
/// Days that make a week a teaching week.
const TAUGHT_DAYS_MIN: usize = 3;

impl Builder<'_> {
    /// All measures of one date, in the columns of `feat_measure` without the partition.
    pub(crate) async fn measures(
        &self,
        node: &Node,
        context: &SessionContext,
        subject: &Subject,
        as_of_on: i32,
    ) -> Result<Vec<RecordBatch>, Error> {
        let fail = || Error::query("build", &node.path);
        let mut rows = Vec::new();
        for measure in self.graph.measures_of(&node.name) {
            let sql = with_as_of(&floored(measure, &subject.key), as_of_on);
            let frame = context.sql(&sql).await.map_err(Error::query("build", &measure.path))?;
            rows.extend(frame.collect().await.map_err(Error::query("build", &measure.path))?);
        }
        let Some(schema) = rows.first().map(RecordBatch::schema) else { return Ok(Vec::new()) };
        let rows: Vec<RecordBatch> = rows
            .into_iter()
            .map(|it| RecordBatch::try_new(schema.clone(), it.columns().to_vec()))
            .collect::<Result<_, _>>()
            .map_err(|it| fail()(it.into()))?;
        let table = MemTable::try_new(schema, vec![rows]).map_err(fail())?;
        let _ = context.deregister_table("measured");
        context.register_table("measured", Arc::new(table)).map_err(fail())?;
        let past = self.past_mondays(context, subject, as_of_on).await?;
        let sql = standing(subject, &node.name, as_of_on, &past, &self.floors(&node.name));
        let frame = context.sql(&sql).await.map_err(fail())?;
        frame.collect().await.map_err(fail())
    }

    /// The Mondays before a date whose week before was taught, newest first, as many as the setting says.
    async fn past_mondays(&self, context: &SessionContext, subject: &Subject, as_of_on: i32) -> Result<Vec<i32>, Error> {
        let last = crate::build::monday_before(as_of_on);
        let mut mondays: Vec<i32> = (0..PAST_WEEKS).map(|weeks| last - 7 * weeks).collect();
        if let Some(calendar) = &subject.calendar {
            let fail = || Error::query("build", "feat_measure");
            let sql = format!(
                "SELECT DISTINCT date FROM {calendar} WHERE kind IN ('teaching', 'makeup') AND date >= {} AND date < {}",
                date(last - 7 * PAST_WEEKS),
                date(as_of_on)
            );
            let rows = context.sql(&sql).await.map_err(fail())?.collect().await.map_err(fail())?;
            let taught: BTreeSet<i32> = rows
                .iter()
                .filter_map(|it| it.column(0).as_any().downcast_ref::<Date32Array>())
                .flat_map(|it| it.iter().flatten())
                .collect();
            // Exams, holidays and vacations have habits of their own.
            mondays.retain(|monday| TAUGHT_DAYS_MIN <= taught.range(monday - 7..*monday).count());
        }
        mondays.truncate(subject.self_weeks);
        Ok(mondays)
    }

    /// The least denominators as rows of SQL.
    fn floors(&self, table: &str) -> String {
        self.graph
            .measures_of(table)
            .map(|it| format!("('{}', CAST({:?} AS DOUBLE))", it.name, it.front.mad_floor.unwrap_or(1.0)))
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// A measure with its value NULL below the floors: missing data is never guilt.
fn floored(measure: &Model, key: &str) -> String {
    let front = &measure.front;
    debug_assert!(front.class.is_some_and(|it| it < Class::Identity));
    format!(
        "SELECT {key}, '{name}' AS measure, CASE WHEN n >= {n_min} AND coalesce(cov, 0) >= {cov_min} \
         THEN CAST(value AS DOUBLE) END AS value, CAST(n AS BIGINT) AS n, CAST(cov AS DOUBLE) AS cov FROM ({sql}) AS measure",
        name = measure.name,
        n_min = front.n_min.unwrap_or(1),
        cov_min = front.cov_min.unwrap_or(0.0),
        sql = measure.query(),
    )
}

/// Values with their distance from the person's own past and from the peers.
fn standing(subject: &Subject, own: &str, as_of_on: i32, past: &[i32], floors: &str) -> String {
    let Subject { key, table, peer_min, self_weeks_min, .. } = subject;
    let group = |columns: &[String]| {
        let parts: Vec<String> = columns.iter().map(|it| format!("coalesce(CAST({it} AS VARCHAR), '')")).collect();
        format!("concat_ws('|', {})", parts.join(", "))
    };
    let on = date(as_of_on);
    // No past is said by a date that has none, so that the query keeps one shape.
    let past = match past {
        [] => "DATE '1970-01-01'".to_owned(),
        dates => dates.iter().map(|it| date(*it)).collect::<Vec<_>>().join(", "),
    };
    format!(
        "WITH floor AS (SELECT * FROM (VALUES {floors}) AS floor (measure, least)), \
         person AS (SELECT {key}, {peer} AS near, {wide} AS far FROM {table} WHERE as_of_on = {on}), \
         near AS (SELECT near, count(*) AS people FROM person GROUP BY near), \
         grouped AS (SELECT person.{key}, CASE WHEN near.people >= {peer_min} THEN person.near ELSE person.far END AS peers \
         FROM person INNER JOIN near ON near.near = person.near), \
         valued AS (SELECT measured.{key}, measured.measure, measured.value, grouped.peers \
         FROM measured INNER JOIN grouped ON grouped.{key} = measured.{key} WHERE measured.value IS NOT NULL), \
         middle AS (SELECT measure, peers, median(value) AS centre, count(*) AS people FROM valued GROUP BY measure, peers), \
         spread AS (SELECT valued.measure, valued.peers, median(abs(valued.value - middle.centre)) AS mad \
         FROM valued INNER JOIN middle ON middle.measure = valued.measure AND middle.peers = valued.peers \
         GROUP BY valued.measure, valued.peers), \
         past AS (SELECT {key}, measure, value FROM {own} WHERE as_of_on IN ({past}) AND value IS NOT NULL), \
         own_middle AS (SELECT {key}, measure, median(value) AS centre FROM past GROUP BY {key}, measure \
         HAVING count(*) >= {self_weeks_min}), \
         own_spread AS (SELECT past.{key}, past.measure, median(abs(past.value - own_middle.centre)) AS mad \
         FROM past INNER JOIN own_middle ON own_middle.{key} = past.{key} AND own_middle.measure = past.measure \
         GROUP BY past.{key}, past.measure) \
         SELECT measured.{key}, measured.measure, measured.value, measured.n, measured.cov, \
         (measured.value - own_middle.centre) / greatest({MAD_TO_SD} * own_spread.mad, floor.least) AS z_self, \
         CASE WHEN middle.people >= {peer_min} \
         THEN (measured.value - middle.centre) / greatest({MAD_TO_SD} * spread.mad, floor.least) END AS z_peer \
         FROM measured INNER JOIN floor ON floor.measure = measured.measure \
         LEFT JOIN grouped ON grouped.{key} = measured.{key} \
         LEFT JOIN middle ON middle.measure = measured.measure AND middle.peers = grouped.peers \
         LEFT JOIN spread ON spread.measure = measured.measure AND spread.peers = grouped.peers \
         LEFT JOIN own_middle ON own_middle.{key} = measured.{key} AND own_middle.measure = measured.measure \
         LEFT JOIN own_spread ON own_spread.{key} = measured.{key} AND own_spread.measure = measured.measure \
         ORDER BY measured.{key}, measured.measure",
        peer = group(&subject.peer),
        wide = group(&subject.peer_wide),
    )
}
