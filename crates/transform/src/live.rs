//! Raw rows and staging with what the log has and no table yet: worked out when somebody reads, never stored.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::logical_expr::{cast, col};
use datafusion::prelude::DataFrame;
use schema::Materialized;

use crate::Error;
use crate::build::{Builder, date};
use crate::node::{Node, Origin};
use crate::state::Need;

/// Name under which all rows of the raw table stand, where the query sees some days of them.
const WHOLE: &str = "uncut_raw";

impl Builder<'_> {
    /// A table as it would be if the log were committed and the table built now; `None` if it is just that, or does not
    /// follow from pushed rows alone.
    ///
    /// # Errors
    /// If a table or the log cannot be read.
    pub async fn live(&self, node: &Node) -> Result<Option<Arc<dyn TableProvider>>, Error> {
        let engine = |table: &str| {
            let table = table.to_owned();
            move |source| Error::Engine { table, source }
        };
        if node.origin == Origin::Raw {
            let live = self.engine.live_table(&node.name).await.map_err(engine(&node.name))?;
            return Ok(live.map(|it| Arc::new(it.bare()) as Arc<dyn TableProvider>));
        }
        let [raw] = node.inputs.as_slice() else { return Ok(None) };
        if node.kind != "staging" || !self.engine.tail_tables().contains(raw) {
            return Ok(None);
        }
        let Some(rows) = self.engine.live_table(raw).await.map_err(engine(raw))? else { return Ok(None) };
        let waiting: BTreeSet<i32> = rows.parts().iter().filter_map(|it| it.day).collect();
        let days = match self.need(node, false).await? {
            Need::Nothing if rows.parts().is_empty() => return Ok(None),
            _ if node.materialized != Materialized::Day => None,
            Need::Nothing => Some(waiting),
            Need::Days(days) => Some(&days | &waiting),
            Need::All(_) => None,
        };
        let fail = || Error::query("read", &node.path);
        let context = self.engine.context();
        let Some(days) = days else {
            context.register_table(raw, Arc::new(rows.bare())).map_err(fail())?;
            let fresh = context.sql(&node.sql).await.map_err(fail())?;
            return Ok(Some(self.as_stored(node, fresh)?.into_view()));
        };
        let list = days.iter().map(|it| date(*it)).collect::<Vec<_>>().join(", ");
        context.register_table(WHOLE, Arc::new(rows.bare())).map_err(fail())?;
        let cut = context.sql(&format!("SELECT * FROM {WHOLE} WHERE occurred_on IN ({list})")).await.map_err(fail())?;
        context.register_table(raw, cut.into_view()).map_err(fail())?;
        let fresh = context.sql(&node.sql).await.map_err(fail())?;
        context.register_table(&node.name, self.provider(&node.name).await?).map_err(fail())?;
        let kept = format!("SELECT * FROM {} WHERE occurred_on NOT IN ({list})", node.name);
        let kept = context.sql(&kept).await.map_err(fail())?;
        let both = self.as_stored(node, kept)?.union(self.as_stored(node, fresh)?).map_err(fail())?;
        Ok(Some(both.into_view()))
    }

    /// Rows in the columns in which they would be stored.
    fn as_stored(&self, node: &Node, rows: DataFrame) -> Result<DataFrame, Error> {
        let columns = self.schemas[&node.name].fields().iter();
        let columns = columns.map(|it| cast(col(it.name()), it.data_type().clone()).alias(it.name())).collect::<Vec<_>>();
        rows.select(columns).map_err(Error::query("read", &node.path))
    }
}
