//! One table as one session sees it: base scan, policy filter, masks, barrier.

use std::collections::BTreeSet;
use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::{Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::cast::as_boolean_array;
use datafusion::common::{Column, DFSchema, ScalarValue, plan_err};
use datafusion::datasource::provider_as_source;
use datafusion::error::Result;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, TableProviderFilterPushDown, TableType, lit};
use datafusion::physical_plan::ExecutionPlan;
use schema::Class;

use crate::barrier::BarrierExec;
use crate::fault::Hidden;
use crate::leakproof::is_leakproof;
use crate::masking::Masking;
use crate::role::{STAFF_KEY, UNIT};
use crate::{Company, KeySet, Mask, Role, RowRule, Scoped, Sight, TableEntry};

/// Metadata key under which a masked column says what was done to it, for screens.
pub const MASK_KEY: &str = "mask";

/// A table behind the policy of one session.
pub struct SecuredTable {
    name: String,
    entry: TableEntry,
    pattern: String,
    filter: Option<Expr>,
    columns: Vec<Seen>,
    hidden: Vec<(String, &'static str)>,
    schema: SchemaRef,
    masking: Arc<Masking>,
}

/// Whose rows a session reaches.
#[derive(Debug, Clone)]
pub(crate) struct Reach {
    /// Students in scope.
    pub(crate) students: Scoped,
    /// Those of them who are the reader's own.
    pub(crate) clients: Scoped,
    /// Students who take no part in what tells of company.
    pub(crate) left: Arc<KeySet>,
    /// The person behind the account.
    pub(crate) person_key: Option<i64>,
    /// Colleges that the account was granted.
    pub(crate) colleges: Vec<String>,
}

/// A column that exists for the session.
struct Seen {
    name: String,
    class: Class,
    mask: Option<Mask>,
}

impl SecuredTable {
    /// Secures a table for a role; `None` if it does not exist for it.
    ///
    /// A rule by scope over a table that names no subject is a table that does not exist: there is no telling whose
    /// rows they are.
    pub(crate) fn new(role: &Role, reach: &Reach, name: &str, entry: TableEntry, masking: Arc<Masking>) -> Option<Self> {
        let (pattern, rule) = role.rule(name)?;
        let base = entry.provider.schema();
        let mut filter = match rule.rows {
            RowRule::All => None,
            RowRule::None => Some(lit(false)),
            RowRule::Absent => return None,
            RowRule::College => {
                if base.field_with_name(UNIT).is_err() {
                    tracing::warn!(table = name, role = role.role, "table has no column \"scope\" and is hidden");
                    return None;
                }
                Some(column(UNIT).in_list(reach.colleges.iter().map(|it| lit(it.as_str())).collect(), false))
            }
            RowRule::Scope | RowRule::Clients => {
                let subject = entry.subject.as_deref().filter(|it| base.field_with_name(it).is_ok());
                let Some(subject) = subject else {
                    tracing::warn!(table = name, role = role.role, "table has no subject column and is hidden");
                    return None;
                };
                let students = if rule.rows == RowRule::Clients { &reach.clients } else { &reach.students };
                Some(students.predicate(column(subject)))
            }
            RowRule::Own => {
                if base.field_with_name(STAFF_KEY).is_err() {
                    tracing::warn!(table = name, role = role.role, "table has no staff key and is hidden");
                    return None;
                }
                // An account with nobody behind it did no work.
                Some(reach.person_key.map_or(lit(false), |it| column(STAFF_KEY).eq(lit(it))))
            }
        };
        for (held_to, words) in &rule.only {
            if base.field_with_name(held_to).is_err() {
                tracing::warn!(
                    table = name,
                    column = held_to,
                    "the column that rows are held to is missing, and the table is hidden"
                );
                return None;
            }
            let held = column(held_to).in_list(words.iter().map(|it| lit(it.as_str())).collect(), false);
            filter = Some(match filter {
                Some(it) => it.and(held),
                None => held,
            });
        }
        // Where no row is shown, none is to be left out.
        let told = entry.company.as_ref().filter(|_| filter != Some(lit(false))).and_then(|it| told(it, &reach.left));
        filter = match (filter, told) {
            (Some(it), Some(told)) => Some(it.and(told)),
            (it, told) => it.or(told),
        };
        let (mut columns, mut hidden, mut fields) = (Vec::new(), Vec::new(), Vec::new());
        for field in base.fields() {
            let class = entry.class(field.name());
            let (class, mask) = match (class, role.sight(rule, field.name(), class)) {
                (Some(class), Sight::Keep) => (class, None),
                (Some(class), Sight::Masked(mask)) => (class, Some(if mask.fits(field.data_type()) { mask } else { Mask::Null })),
                (None, _) => {
                    hidden.push((field.name().clone(), "no class"));
                    continue;
                }
                (Some(class), Sight::Absent) => {
                    hidden.push((field.name().clone(), class.as_str()));
                    continue;
                }
            };
            fields.push(seen_field(&entry.told(field), mask));
            columns.push(Seen { name: field.name().clone(), class, mask });
        }
        let schema = Arc::new(Schema::new(fields));
        let pattern = pattern.to_owned();
        Some(Self { name: name.to_owned(), entry, pattern, filter, columns, hidden, schema, masking })
    }

    /// Version of the table that the session is pinned to.
    pub fn version(&self) -> i64 {
        self.entry.version
    }

    /// Newest date of the table's partitions; of a table without rows for the session there is none.
    pub(crate) fn newest_partition(&self) -> Option<i32> {
        self.entry.newest_partition.filter(|_| self.filter != Some(lit(false)))
    }

    /// What the policy makes of the table, for people: rule, rows, and each column with its class and mask.
    pub(crate) fn explain(&self, role: &Role, students: &Scoped) -> String {
        let mut text = format!("table {} version {}\n", self.name, self.entry.version);
        let rule = role.rule(&self.name).map(|(_, rule)| rule.rows);
        let rows = match rule {
            Some(RowRule::All) => "all".to_owned(),
            Some(RowRule::Scope) => {
                let reached = match students {
                    Scoped::All => "every student".to_owned(),
                    Scoped::AllBut(keys) => format!("every student but {keys:?}"),
                    Scoped::Keys(keys) => format!("{keys:?}"),
                };
                format!("scope by {} ({reached})", self.entry.subject.as_deref().unwrap_or("-"))
            }
            Some(RowRule::Clients) => {
                format!("the reader's own students by {}", self.entry.subject.as_deref().unwrap_or("-"))
            }
            Some(RowRule::Own) => format!("own by {STAFF_KEY}"),
            Some(RowRule::College) => format!("figures of the account's colleges by {UNIT}"),
            Some(RowRule::None | RowRule::Absent) | None => "none".to_owned(),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "rule  \"{}\" of role {}, clearance {}", self.pattern, role.role, role.clearance.as_str());
        let _ = writeln!(text, "rows  {rows}");
        let width = self.columns.iter().map(|it| it.name.len()).chain(self.hidden.iter().map(|it| it.0.len())).max();
        let width = width.unwrap_or(0);
        for it in &self.columns {
            let seen = it.mask.map_or("keep".to_owned(), |mask| mask.to_string());
            let _ = writeln!(text, "  {:width$}  {:8}  {seen}", it.name, it.class.as_str());
        }
        for (name, class) in &self.hidden {
            let _ = writeln!(text, "  {name:width$}  {class:8}  absent");
        }
        text
    }

    /// Rows of one student on some days, as a query over this table would give them; columns that do not exist for the
    /// session are left out.
    pub(crate) async fn look_up(&self, state: &SessionState, key: i64, days: &[i32], columns: &[&str]) -> Result<RecordBatch> {
        let wanted = |it: &Seen| columns.is_empty() || columns.contains(&it.name.as_str());
        let shown: Vec<usize> = (0..self.columns.len()).filter(|it| wanted(&self.columns[*it])).collect();
        let schema = Arc::new(self.schema.project(&shown)?);
        let (Some(subject), Some(way)) = (self.entry.subject.as_deref(), self.entry.look_up.as_deref()) else {
            return plan_err!("table \"{}\" has no rows of one person", self.name);
        };
        // A query could not ask by a column that it does not see as it is.
        if !self.is_plain(subject) {
            return plan_err!("table \"{}\" shows nobody as they are", self.name);
        }
        let hide = |error| Hidden::of(&self.name, error);
        // All files at once: to make the filter and the masks ready takes longer than to use them on a few rows.
        let found = way.look_up(subject, key, days, self.read_for(&shown)).await.map_err(hide)?;
        let Some(first) = found.first() else { return Ok(RecordBatch::new_empty(schema)) };
        let found = concat_batches(&first.schema(), &found).map_err(|error| hide(error.into()))?;
        self.seen(state, &found, &shown, &schema).map_err(hide)
    }

    /// Columns that some columns and the row filter are made of.
    fn read_for(&self, shown: &[usize]) -> SchemaRef {
        let of_filter = self.filter.iter().flat_map(Expr::column_refs).map(|it| it.name.as_str());
        let names: BTreeSet<&str> = shown.iter().map(|it| self.columns[*it].name.as_str()).chain(of_filter).collect();
        let base = self.entry.provider.schema();
        let fields = base.fields().iter().filter(|it| names.contains(it.name().as_str()));
        Arc::new(Schema::new(fields.cloned().collect::<Vec<_>>()))
    }

    /// What the session sees of rows: the same filter and masks as in a query's plan.
    fn seen(&self, state: &SessionState, batch: &RecordBatch, shown: &[usize], schema: &SchemaRef) -> Result<RecordBatch> {
        let of = DFSchema::try_from(batch.schema())?;
        let evaluated = |expr: Expr, batch: &RecordBatch| -> Result<ArrayRef> {
            state.create_physical_expr(expr, &of)?.evaluate(batch)?.into_array(batch.num_rows())
        };
        let kept;
        let batch = if let Some(filter) = &self.filter {
            kept = filter_record_batch(batch, as_boolean_array(&evaluated(filter.clone(), batch)?)?)?;
            &kept
        } else {
            batch
        };
        let mut columns = Vec::with_capacity(shown.len());
        for (index, field) in shown.iter().zip(schema.fields()) {
            let it = &self.columns[*index];
            columns.push(match it.mask {
                None | Some(Mask::Keep) => evaluated(column(&it.name), batch)?,
                Some(Mask::Null) => new_null_array(field.data_type(), batch.num_rows()),
                Some(mask) => evaluated(self.masking.function(mask).call(vec![column(&it.name)]), batch)?,
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
    }

    fn is_plain(&self, name: &str) -> bool {
        self.columns.iter().any(|it| it.name == name && it.mask.is_none())
    }

    /// The policy's own plan: what is below the barrier. The user's part in it is at most a leakproof predicate.
    fn inner_plan(&self, shown: &[usize], filters: &[Expr], limit: Option<usize>) -> Result<LogicalPlan> {
        let source = provider_as_source(Arc::clone(&self.entry.provider));
        let mut plan = LogicalPlanBuilder::scan(self.name.as_str(), source, None)?;
        if let Some(filter) = &self.filter {
            plan = plan.filter(filter.clone())?;
        }
        for filter in filters.iter().filter(|it| is_leakproof(it, &|name| self.is_plain(name))) {
            plan = plan.filter(filter.clone())?;
        }
        let base = self.entry.provider.schema();
        let mut seen = Vec::with_capacity(shown.len().max(1));
        for index in shown {
            let it = &self.columns[*index];
            seen.push(match it.mask {
                None | Some(Mask::Keep) => column(&it.name),
                Some(Mask::Null) => {
                    let data_type = base.field_with_name(&it.name)?.data_type();
                    Expr::Literal(ScalarValue::try_new_null(data_type)?, None).alias(it.name.as_str())
                }
                Some(mask) => self.masking.function(mask).call(vec![column(&it.name)]).alias(it.name.as_str()),
            });
        }
        if seen.is_empty() {
            // Rows are counted, no column is read; the barrier drops this one.
            seen.push(lit(true).alias("is_row"));
        }
        plan = plan.project(seen)?;
        if let Some(limit) = limit {
            plan = plan.limit(0, Some(limit))?;
        }
        plan.build()
    }
}

/// True for rows that tell nothing of the company of somebody who left; `None` if nobody did.
fn told(company: &Company, left: &Arc<KeySet>) -> Option<Expr> {
    if left.keys().is_empty() {
        return None;
    }
    let left = Scoped::Keys(Arc::clone(left));
    let nobody = company.people.iter().map(|it| !left.predicate(column(it))).reduce(Expr::and)?;
    let Some((held_to, words)) = &company.only else { return Some(nobody) };
    Some(column(held_to).in_list(words.iter().map(|it| lit(it.as_str())).collect(), true).or(nobody))
}

fn column(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}

fn seen_field(field: &Field, mask: Option<Mask>) -> Field {
    let Some(mask) = mask else { return field.clone() };
    let mut metadata = field.metadata().clone();
    metadata.insert(MASK_KEY.to_owned(), mask.to_string());
    field.clone().with_nullable(true).with_metadata(metadata)
}

impl fmt::Debug for SecuredTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecuredTable").field("name", &self.name).finish_non_exhaustive()
    }
}

#[async_trait]
impl TableProvider for SecuredTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        // Never exact: the engine keeps its own filter above the barrier whatever we do with ours below.
        let answer = |it: &&Expr| match is_leakproof(it, &|name| self.is_plain(name)) {
            true => TableProviderFilterPushDown::Inexact,
            false => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(answer).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let shown = projection.cloned().unwrap_or_else(|| (0..self.columns.len()).collect());
        let schema = Arc::new(self.schema.project(&shown)?);
        // EXPLAIN prints the error of a scan, so it is hidden here and not only at the edge of the session.
        let hide = |error| Hidden::of(&self.name, error);
        let inner = self.inner_plan(&shown, filters, limit).map_err(hide)?;
        let sealed = state.create_physical_plan(&inner).await.map_err(hide)?;
        Ok(Arc::new(BarrierExec::new(&self.name, sealed, schema)))
    }
}
