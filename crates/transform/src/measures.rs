//! `feat_measure`: floors, the person's own past and the peer group, each written once for all measures.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Date32Array, Float64Array, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Date32Type, Field, FieldRef, Float64Type, Int64Type, Schema};
use datafusion::prelude::SessionContext;
use schema::{Class, Model, Subject};

use crate::Error;
use crate::build::{Builder, date, with_as_of};
use crate::node::Node;
use crate::standing::{Past, Peer, Rules, Valued, standing};

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
        past: &mut Past,
    ) -> Result<Vec<RecordBatch>, Error> {
        let fail = || Error::query("build", &node.path);
        let mut rows = Vec::new();
        for measure in self.graph.measures_of(&node.name) {
            let sql = with_as_of(&floored(measure, &subject.key), as_of_on);
            let frame = context.sql(&sql).await.map_err(Error::query("build", &measure.path))?;
            rows.extend(frame.collect().await.map_err(Error::query("build", &measure.path))?);
        }
        let names: HashMap<&str, usize> =
            self.graph.measures_of(&node.name).enumerate().map(|(place, it)| (it.name.as_str(), place)).collect();
        let mut also: Vec<&Vec<String>> =
            self.graph.measures_of(&node.name).map(|it| &it.front.peer_also).filter(|it| !it.is_empty()).collect();
        also.sort_unstable();
        also.dedup();
        let rules = Rules {
            floors: self.graph.measures_of(&node.name).map(|it| it.front.mad_floor.unwrap_or(1.0)).collect(),
            also: self.graph.measures_of(&node.name).map(|it| also.iter().position(|of| **of == it.front.peer_also)).collect(),
            peer_min: usize::try_from(subject.peer_min).unwrap_or(0),
            self_weeks_min: usize::try_from(subject.self_weeks_min).unwrap_or(0),
        };
        let mondays = self.past_mondays(context, subject, as_of_on).await?;
        for monday in &mondays {
            if !past.has(*monday) {
                let sql = format!(
                    "SELECT {key}, measure, value FROM {own} WHERE as_of_on = {on} AND value IS NOT NULL",
                    key = subject.key,
                    own = node.name,
                    on = date(*monday)
                );
                let known = context.sql(&sql).await.map_err(fail())?.collect().await.map_err(fail())?;
                past.add(*monday, names.len(), known.iter().flat_map(|it| valued(it, &names)));
            }
        }
        if let Some(oldest) = mondays.last() {
            past.forget_before(*oldest);
        }
        past.since = self.own_since(context, subject, as_of_on, &node.path).await?;
        let peers = self.peers(context, subject, &also, as_of_on, &node.path).await?;
        let values: Vec<Valued> = rows.iter().flat_map(|it| valued(it, &names)).collect();
        let mut stood = standing(&rules, &values, past, &mondays, &peers).into_iter();
        rows.iter()
            .map(|it| {
                let (own, peer): (Vec<_>, Vec<_>) = stood.by_ref().take(it.num_rows()).unzip();
                let mut fields: Vec<FieldRef> = it.schema().fields().iter().cloned().collect();
                fields.extend(["z_self", "z_peer"].map(|name| Arc::new(Field::new(name, DataType::Float64, true))));
                let mut columns = it.columns().to_vec();
                columns.extend([own, peer].map(|it| Arc::new(Float64Array::from(it)) as ArrayRef));
                RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(|it| fail()(it.into()))
            })
            .collect()
    }

    /// The groups of every person of a date; `also` are the lists of columns by which measures narrow them.
    pub(crate) async fn peers(
        &self,
        context: &SessionContext,
        subject: &Subject,
        also: &[&Vec<String>],
        as_of_on: i32,
        path: &str,
    ) -> Result<Vec<Peer>, Error> {
        let sql = peers_sql(subject, also, as_of_on);
        let fail = || Error::query("build", path);
        let rows = context.sql(&sql).await.map_err(fail())?.collect().await.map_err(fail())?;
        let mut peers = Vec::new();
        for batch in &rows {
            let text = |place: usize| cast(batch.column(place), &DataType::Utf8).map_err(|it| fail()(it.into()));
            let (near, far) = (text(1)?, text(2)?);
            let (near, far) = (near.as_string::<i32>(), far.as_string::<i32>());
            let narrower = (0..also.len()).map(|place| text(3 + place)).collect::<Result<Vec<_>, Error>>()?;
            for (row, key) in batch.column(0).as_primitive::<Int64Type>().iter().enumerate() {
                // Of whom the column is empty, the usual group is the nearest.
                let of = |it: &ArrayRef| it.is_valid(row).then(|| it.as_string::<i32>().value(row).to_owned());
                peers.extend(key.map(|key| Peer {
                    key,
                    near: near.value(row).to_owned(),
                    far: far.value(row).to_owned(),
                    narrower: narrower.iter().map(of).collect(),
                }));
            }
        }
        Ok(peers)
    }

    /// The day from which on the own past of each person counts; of who is missing all of it does.
    async fn own_since(
        &self,
        context: &SessionContext,
        subject: &Subject,
        as_of_on: i32,
        path: &str,
    ) -> Result<HashMap<i64, i32>, Error> {
        let Some(sql) = own_past_sql(subject, as_of_on) else { return Ok(HashMap::new()) };
        let fail = || Error::query("build", path);
        let rows = context.sql(&sql).await.map_err(fail())?.collect().await.map_err(fail())?;
        let mut since = HashMap::new();
        for batch in &rows {
            let keys = batch.column(0).as_primitive::<Int64Type>();
            let days = batch.column(1).as_primitive::<Date32Type>();
            since.extend(keys.iter().zip(days.iter()).filter_map(|(key, day)| Some((key?, day?))));
        }
        Ok(since)
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
}

/// Every person with the day from which on the own past counts: the date itself where nothing may be compared with it yet.
/// `None` where all of everybody's past counts.
pub(crate) fn own_past_sql(subject: &Subject, as_of_on: i32) -> Option<String> {
    let (table, key, on) = (subject.own_past.as_ref()?, &subject.key, date(as_of_on));
    Some(format!(
        "SELECT CAST({key} AS BIGINT), CAST(CASE WHEN quiet_until > {on} THEN {on} ELSE from_on END AS DATE) FROM {table}"
    ))
}

/// Every person of a date with the near and the wider peer group, and the near one narrowed by each list of columns; NULL
/// where somebody has no value in one of them.
pub(crate) fn peers_sql(subject: &Subject, also: &[&Vec<String>], as_of_on: i32) -> String {
    let (key, table) = (&subject.key, &subject.table);
    let group = |columns: &[String]| {
        let parts: Vec<String> = columns.iter().map(|it| format!("coalesce(CAST({it} AS VARCHAR), '')")).collect();
        format!("concat_ws('|', {})", parts.join(", "))
    };
    let mut narrower = String::new();
    let mut tables = BTreeSet::new();
    for (place, columns) in also.iter().enumerate() {
        let parts: Vec<String> = columns.iter().map(|it| format!("CAST(also_{it} AS VARCHAR)")).collect();
        tables.extend(columns.iter().filter_map(|it| it.split_once('.')).map(|it| it.0));
        // || is NULL where one part is.
        narrower.push_str(&format!(", here.near || '|' || {} AS narrower_{place}", parts.join(" || '|' || ")));
    }
    let joins: String = tables.iter().map(|it| format!(" LEFT JOIN {it} AS also_{it} ON also_{it}.{key} = here.{key}")).collect();
    format!(
        "SELECT here.{key}, here.near, here.far{narrower} FROM (SELECT {key}, CAST({near} AS VARCHAR) AS near, \
         CAST({far} AS VARCHAR) AS far FROM {table} WHERE as_of_on = {on}) AS here{joins}",
        near = group(&subject.peer),
        far = group(&subject.peer_wide),
        on = date(as_of_on)
    )
}

/// Values of a batch of key, measure, value; a measure that is no longer there is left out.
fn valued<'a>(batch: &'a RecordBatch, names: &'a HashMap<&str, usize>) -> impl Iterator<Item = Valued> + 'a {
    let keys = batch.column(0).as_primitive::<Int64Type>();
    let words = cast(batch.column(1), &DataType::Utf8).ok();
    let values = batch.column(2).as_primitive::<Float64Type>();
    (0..batch.num_rows()).filter_map(move |row| {
        let words = words.as_ref()?.as_string::<i32>();
        let measure = *names.get(words.value(row))?;
        Some(Valued { key: keys.value(row), measure, value: values.is_valid(row).then(|| values.value(row)) })
    })
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
