//! Contexts for a build: the tables a query may see, cut to the days or the date that is being built.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::datasource::empty::EmptyTable;
use datafusion::prelude::{DataFrame, SessionContext};
use schema::Materialized;

use crate::Error;
use crate::build::{Builder, date, with_as_of};
use crate::node::{Node, Origin};

/// Name under which a stored table stands before it is cut; no model can name it, for names are checked by the graph.
pub(crate) fn uncut(name: &str) -> String {
    format!("uncut_{name}")
}

fn cut_to_late(sql: &str, key: &str) -> String {
    format!(
        "SELECT here.* FROM ({sql}) AS here LEFT SEMI JOIN late_row \
         ON late_row.{key} = here.{key} AND late_row.occurred_on = here.occurred_on"
    )
}

impl Builder<'_> {
    /// The stored table, or an empty one of its columns; while a tick stores little, with what it has not stored.
    pub(crate) async fn provider(&self, name: &str) -> Result<Arc<dyn TableProvider>, Error> {
        if let Some(ahead) = self.ahead.provider(name) {
            return Ok(ahead);
        }
        Ok(match self.snapshot(name).await? {
            Some(snapshot) => {
                let table = self.engine.pin(snapshot).map_err(|source| Error::Engine { table: name.to_owned(), source })?;
                Arc::new(table.bare())
            }
            None => Arc::new(EmptyTable::new(engine::bare(&self.schemas[name]))),
        })
    }

    /// A context for tables by day: inputs cut to some days, views on top.
    ///
    /// `known_lag_max` also cuts away rows that became known later than so many days after their own, and `late` all
    /// rows of persons and days that it does not name.
    pub(crate) async fn day_context(
        &self,
        node: &Node,
        days: (i32, i32),
        known_lag_max: Option<i32>,
        late: Option<(&str, &DataFrame)>,
    ) -> Result<SessionContext, Error> {
        let context = self.engine.context();
        if let Some((_, rows)) = late {
            context.register_table("late_row", rows.clone().into_view()).map_err(Error::query("build", &node.path))?;
        }
        for input in self.in_order(node) {
            let fail = Error::query("build", &input.path);
            // The tables that the query itself names are cut to the late persons; what they are made of need not be.
            let only_late = late
                .filter(|(key, _)| node.inputs.contains(&input.name) && self.schemas[&input.name].field_with_name(key).is_ok());
            if !input.is_stored() {
                let sql = only_late.map_or_else(|| input.sql.clone(), |(key, _)| cut_to_late(&input.sql, key));
                self.view(&context, input, &sql).await?;
                continue;
            }
            let provider = self.provider(&input.name).await?;
            let knows = provider.schema().field_with_name("known_at").is_ok();
            context.register_table(uncut(&input.name), provider).map_err(fail)?;
            let mut sql =
                format!("SELECT * FROM {} WHERE occurred_on BETWEEN {} AND {}", uncut(&input.name), date(days.0), date(days.1));
            if let (Some(lag), true) = (known_lag_max, knows) {
                sql.push_str(&format!(" AND known_lag(known_at, occurred_on) <= {lag}"));
            }
            if let Some((key, _)) = only_late {
                sql = cut_to_late(&sql, key);
            }
            self.view(&context, input, &sql).await?;
        }
        Ok(context)
    }

    /// A context for whole tables: inputs as they are.
    pub(crate) async fn whole_context(&self, node: &Node) -> Result<SessionContext, Error> {
        let context = self.engine.context();
        for input in self.in_order(node) {
            if input.is_stored() {
                let provider = self.provider(&input.name).await?;
                context.register_table(&input.name, provider).map_err(Error::query("build", &input.path))?;
            } else {
                self.view(&context, input, &input.sql).await?;
            }
        }
        Ok(context)
    }

    /// A context for a table of the open day: of everything the version that holds now, whenever it became known. Views are
    /// those of the as-of tables, with the open day for their date.
    pub(crate) async fn open_context(&self, node: &Node, open_on: i32) -> Result<SessionContext, Error> {
        let context = self.engine.context();
        for input in self.in_order(node) {
            let has = |name: &str| self.schemas[&input.name].field_with_name(name).is_ok();
            let filter = match input.materialized {
                Materialized::StudentDay => " WHERE superseded_on IS NULL",
                _ if input.is_versioned && input.origin != Origin::Raw && has("superseded_at") => " WHERE superseded_at IS NULL",
                _ => "",
            };
            let source = if input.is_stored() {
                let provider = self.provider(&input.name).await?;
                context.register_table(uncut(&input.name), provider).map_err(Error::query("build", &input.path))?;
                uncut(&input.name)
            } else {
                format!("({}) AS inner_view", with_as_of(&input.sql, open_on))
            };
            self.view(&context, input, &format!("SELECT * FROM {source}{filter}")).await?;
        }
        Ok(context)
    }

    /// The tables that some as-of tables meet, and these themselves, each behind what it is made of.
    ///
    /// They are registered one after the other while a date is built: a view over a table of that date can only be
    /// looked at once the table is there.
    pub(crate) fn met(&self, nodes: &[&Node]) -> Vec<&Node> {
        let mut wanted = BTreeMap::new();
        for node in nodes {
            wanted.extend(self.in_order(node).into_iter().map(|it| (self.place(&it.name), it)));
            wanted.extend(self.graph.node(&node.name).map(|it| (self.place(&it.name), it)));
        }
        wanted.into_values().collect()
    }

    /// Puts one table into an as-of context, replacing what stood there.
    pub(crate) async fn register_as_of(&self, context: &SessionContext, node: &Node, as_of_on: i32) -> Result<(), Error> {
        let mut clock = self.engine.clock();
        let known = format!("arrow_cast({}, 'Timestamp(Microsecond, Some(\"UTC\"))')", clock.day_start(as_of_on));
        let has = |name: &str| self.schemas[&node.name].field_with_name(name).is_ok();
        let mut filters = Vec::new();
        if node.is_versioned && node.origin != Origin::Raw {
            if has("occurred_on") {
                filters.push(format!("occurred_on < {}", date(as_of_on)));
            }
            if has("known_at") {
                filters.push(format!("known_at <= {known}"));
            }
            if has("superseded_at") {
                filters.push(format!("(superseded_at IS NULL OR superseded_at > {known})"));
            }
        }
        if node.is_label() {
            filters.push(format!("known_on <= {}", date(as_of_on)));
        }
        match node.materialized {
            Materialized::StudentDay => filters.push(format!(
                "occurred_on < {on} AND known_on <= {on} AND (superseded_on IS NULL OR superseded_on > {on})",
                on = date(as_of_on)
            )),
            Materialized::AsOf => filters.push(format!("as_of_on <= {}", date(as_of_on))),
            Materialized::View | Materialized::Day | Materialized::Whole => {}
        }
        let source = if node.is_stored() {
            let provider = self.provider(&node.name).await?;
            let _ = context.deregister_table(uncut(&node.name));
            context.register_table(uncut(&node.name), provider).map_err(Error::query("build", &node.path))?;
            uncut(&node.name)
        } else {
            format!("({}) AS inner_view", with_as_of(&node.sql, as_of_on))
        };
        let condition = if filters.is_empty() { String::new() } else { format!(" WHERE {}", filters.join(" AND ")) };
        let _ = context.deregister_table(&node.name);
        self.view(context, node, &format!("SELECT * FROM {source}{condition}")).await?;
        if node.is_cached {
            let fail = || Error::query("build", &node.path);
            let frame = context.table(&node.name).await.map_err(fail())?;
            let kept = frame.cache().await.map_err(fail())?;
            let _ = context.deregister_table(&node.name);
            context.register_table(&node.name, kept.into_view()).map_err(fail())?;
        }
        Ok(())
    }

    async fn view(&self, context: &SessionContext, node: &Node, sql: &str) -> Result<(), Error> {
        let fail = || Error::query("build", &node.path);
        let view = context.sql(sql).await.map_err(fail())?.into_view();
        context.register_table(&node.name, view).map_err(fail())?;
        Ok(())
    }

    /// The tables below a node that its query meets: stored ones, and views with what they are made of.
    fn in_order(&self, node: &Node) -> Vec<&Node> {
        let mut open: Vec<&str> = node.inputs.iter().map(String::as_str).collect();
        let mut found = BTreeMap::new();
        while let Some(name) = open.pop() {
            let Some(input) = self.graph.node(name) else { continue };
            if found.insert(self.place(name), input).is_none() && !input.is_stored() {
                open.extend(input.inputs.iter().map(String::as_str));
            }
        }
        found.into_values().collect()
    }

    fn place(&self, name: &str) -> usize {
        self.graph.nodes().iter().position(|it| it.name == name).unwrap_or(usize::MAX)
    }
}
