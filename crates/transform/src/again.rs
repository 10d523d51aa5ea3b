//! A date worked out again from all that the lake still holds, writing nothing: what replay compares with, and what a bound
//! is tuned by.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::datasource::MemTable;
use schema::{Materialized, Subject};
use warning::{Signal, TrendRules};

use crate::Error;
use crate::build::{Builder, date};
use crate::inputs::uncut;
use crate::node::{Node, Origin};
use crate::standing::Past;

/// What a date says when it is worked out again.
#[derive(Debug)]
pub struct Again {
    /// Rows of `warning_candidate`.
    pub candidates: Vec<RecordBatch>,
    /// Rows of `risk_score`; none without a risk model.
    pub scores: Vec<RecordBatch>,
}

/// Days of a source of which rows left the lake, one behind the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// The table.
    pub table: String,
    /// The first of the days, since 1970.
    pub first_on: i32,
    /// The last of the days.
    pub last_on: i32,
    /// Nothing of them is left; otherwise some of their rows left or were replaced.
    pub is_whole: bool,
}

/// What the lake does not hold of the weeks that a date looked back on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lacking {
    /// What left it, by the logs of the tables.
    pub removed: Vec<Removed>,
    /// Sources that are held from a day within these weeks only, which the logs do not explain: removed longer ago than
    /// they go back, or never delivered.
    pub held_from: Vec<(String, i32)>,
    /// Sources of which nothing is held.
    pub absent: Vec<String>,
}

/// Days in their order as runs of days alike.
fn runs(days: impl Iterator<Item = (i32, bool)>) -> Vec<(i32, i32, bool)> {
    let mut runs: Vec<(i32, i32, bool)> = Vec::new();
    for (day, is_whole) in days {
        match runs.last_mut() {
            Some(last) if last.1 + 1 == day && last.2 == is_whole => last.1 = day,
            _ => runs.push((day, day, is_whole)),
        }
    }
    runs
}

impl Builder<'_> {
    /// What rules, trends and risk models find on a date, worked out again from the days that the lake still holds.
    ///
    /// Tables as of that date are made anew, one behind the other; their earlier dates are read as they stand, for they are
    /// the past that was known.
    ///
    /// # Errors
    /// If the project offers nothing, or a query fails.
    pub async fn again(&self, as_of_on: i32) -> Result<Again, Error> {
        const FOUND: &str = "warning_candidate";
        if self.graph.node(FOUND).is_none() {
            return Err(Error::NoSuchModel { model: FOUND.to_owned(), hint: None });
        }
        let wanted = self.graph.upstream(FOUND);
        let context = self.engine.context();
        let mut pasts: BTreeMap<&str, Past> = BTreeMap::new();
        let mut made: BTreeMap<&str, Vec<RecordBatch>> = BTreeMap::new();
        for node in self.graph.nodes().iter().filter(|it| it.name == FOUND || wanted.contains(&it.name)) {
            self.register_as_of(&context, node, as_of_on).await?;
            if node.materialized != Materialized::AsOf || !node.is_stored() || node.origin == Origin::Kept {
                continue;
            }
            let rows = self.rows_of(node, &context, as_of_on, pasts.entry(node.name.as_str()).or_default()).await?;
            let batch = self.sorted(node, rows).await?;
            let fail = || Error::query("build", &node.path);
            let anew = format!("again_{}", node.name);
            let table = MemTable::try_new(batch.schema(), vec![vec![batch.clone()]]).map_err(fail())?;
            context.register_table(anew.as_str(), Arc::new(table)).map_err(fail())?;
            let names: Vec<&str> = batch.schema_ref().fields().iter().map(|it| it.name().as_str()).collect();
            let names = names.join(", ");
            let on = date(as_of_on);
            let sql = format!(
                "SELECT {names}, as_of_on FROM {} WHERE as_of_on < {on} UNION ALL SELECT {names}, CAST({on} AS DATE) AS as_of_on FROM {anew}",
                uncut(&node.name)
            );
            let view = context.sql(&sql).await.map_err(fail())?.into_view();
            let _ = context.deregister_table(&node.name);
            context.register_table(&node.name, view).map_err(fail())?;
            made.insert(node.name.as_str(), vec![batch]);
        }
        let mut taken = |name: &str| made.remove(name).unwrap_or_default();
        Ok(Again { candidates: taken(FOUND), scores: taken("risk_score") })
    }

    /// What the lake does not hold of the weeks that a date looks back on, by source: what left it by the logs of the tables,
    /// and what it never had or lost before these logs begin.
    ///
    /// # Errors
    /// If the lake cannot be read.
    pub async fn lacking(&self, as_of_on: i32, looks_back_days: i32) -> Result<Lacking, Error> {
        let wanted = self.graph.upstream("warning_candidate");
        let since = as_of_on - looks_back_days;
        let mut lacking = Lacking::default();
        for node in self.graph.nodes().iter().filter(|it| wanted.contains(&it.name) && it.origin == Origin::Raw) {
            let Some(snapshot) = self.snapshot(&node.name).await? else {
                lacking.absent.push(node.name.clone());
                continue;
            };
            let held: BTreeSet<i32> = snapshot.files.iter().filter_map(|it| it.partition).collect();
            let lost = self.engine.lake_of(&node.name).lost(&node.name).await.map_err(Error::lake("read", &node.name))?;
            let lost: BTreeSet<i32> = lost.into_iter().filter(|it| (since..as_of_on).contains(it)).collect();
            lacking.removed.extend(
                runs(lost.iter().map(|it| (*it, !held.contains(it)))).into_iter().map(|(first_on, last_on, is_whole)| Removed {
                    table: node.name.clone(),
                    first_on,
                    last_on,
                    is_whole,
                }),
            );
            if let Some(first) = held.first()
                && (since..*first).any(|it| !lost.contains(&it))
            {
                lacking.held_from.push((node.name.clone(), *first));
            }
        }
        Ok(lacking)
    }

    /// What the trends say on a date with other rules than the project's.
    ///
    /// # Errors
    /// If there are no trends, or a query fails.
    pub async fn signals_under(&self, rules: &TrendRules, as_of_on: i32) -> Result<Vec<Signal>, Error> {
        let (node, subject) = self.signal_node()?;
        let context = self.engine.context();
        for input in self.met(&[node]).into_iter().filter(|it| it.name != node.name) {
            self.register_as_of(&context, input, as_of_on).await?;
        }
        Ok(self.signals_found(node, &context, subject, as_of_on, rules).await?.0)
    }

    pub(crate) fn signal_node(&self) -> Result<(&Node, &Subject), Error> {
        match (self.graph.node("warning_signal"), &self.graph.subject) {
            (Some(node), Some(subject)) => Ok((node, subject)),
            _ => Err(Error::NoSuchModel { model: "warning_signal".to_owned(), hint: None }),
        }
    }

    /// Mondays up to a date on which students were looked at, the oldest first.
    ///
    /// # Errors
    /// If the lake cannot be read.
    pub async fn mondays(&self, as_of_on: i32, weeks: usize) -> Result<Vec<i32>, Error> {
        let (_, subject) = self.signal_node()?;
        let Some(snapshot) = self.snapshot(&subject.table).await? else { return Ok(Vec::new()) };
        let days = snapshot.files.iter().filter_map(|it| it.partition);
        // 1970-01-05 was a Monday.
        let mut mondays: Vec<i32> = days.filter(|it| (it - 4).rem_euclid(7) == 0 && *it <= as_of_on).collect();
        mondays.sort_unstable();
        mondays.dedup();
        Ok(mondays.split_off(mondays.len().saturating_sub(weeks)))
    }

    /// People who take offers up, on the newest date that is kept up to a date.
    ///
    /// # Errors
    /// If the lake cannot be read.
    pub async fn owners(&self, as_of_on: i32) -> Result<usize, Error> {
        let Some(subject) = &self.graph.subject else { return Ok(0) };
        let Some(owner) = &subject.owner else { return Ok(0) };
        let context = self.stored_context(&[&subject.table]).await?;
        let sql = format!(
            "SELECT count(DISTINCT {owner}) AS n FROM {table} WHERE as_of_on = (SELECT max(as_of_on) FROM {table} WHERE as_of_on <= {on})",
            table = subject.table,
            on = date(as_of_on)
        );
        let found = crate::risk::collect(&context, &sql, &subject.table).await?;
        let n = found.first().map_or(0, |it| {
            datafusion::arrow::array::AsArray::as_primitive::<datafusion::arrow::datatypes::Int64Type>(it.column(0)).value(0)
        });
        Ok(usize::try_from(n).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_that_left_are_told_as_runs_of_days_alike() {
        assert_eq!(runs([].into_iter()), []);
        let days = [(3, true), (4, true), (6, true), (7, false), (8, false)];
        assert_eq!(runs(days.into_iter()), [(3, 4, true), (6, 6, true), (7, 8, false)]);
    }
}
