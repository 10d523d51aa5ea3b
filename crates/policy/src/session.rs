//! What one principal can ask.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::catalog::information_schema::INFORMATION_SCHEMA;
use datafusion::common::ParamValues;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::execution::context::SQLOptions;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::execute_stream;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast;

use crate::audit::{Answered, Asked, Audit};
use crate::catalog::SecuredTables;
use crate::fault::Fault;
use crate::role::ADMINISTRATOR;
use crate::rows::{Record, Rows, too_long};
use crate::secured::SecuredTable;
use crate::sessions::QueryNumbers;
use crate::{Cause, Error, Principal, Role, Scoped};

/// A principal's view of the lake, pinned: a table has one version for as long as the session lives.
///
/// Made by [`crate::Sessions::open`]; cheap, one a request.
pub struct Session {
    pub(crate) principal: Principal,
    pub(crate) role: Arc<Role>,
    pub(crate) students: Scoped,
    pub(crate) tables: Arc<SecuredTables>,
    pub(crate) state: SessionState,
    pub(crate) policy_hash: String,
    pub(crate) limits: Limits,
    pub(crate) audit: Arc<dyn Audit>,
    pub(crate) numbers: Arc<QueryNumbers>,
}

/// What is wanted of one table in a look-up.
#[derive(Debug, Clone, Copy)]
pub struct LookedUp<'a> {
    /// The table.
    pub table: &'a str,
    /// Its columns by name; all of them if none is named.
    pub columns: &'a [&'a str],
    /// Days of its partitions, since 1970.
    pub days: &'a [i32],
}

/// What bounds a query.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) rows_max: usize,
    pub(crate) sql_bytes_max: usize,
    pub(crate) timeout: Duration,
}

impl Session {
    /// Who asks.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The active role.
    pub fn role(&self) -> &Role {
        &self.role
    }

    /// Students that the session reaches.
    pub fn students(&self) -> &Scoped {
        &self.students
    }

    /// Says whether the vault may be asked for a student's name on behalf of this session.
    pub fn may_name(&self, student_key: i64) -> bool {
        self.role.names && self.students.contains(student_key)
    }

    /// Fingerprint of everything that decides what is seen except the tables' versions: role, scopes, the students in
    /// them, purpose. Two sessions with the same one and the same versions get the same answers, so caches may share.
    pub fn policy_hash(&self) -> &str {
        &self.policy_hash
    }

    /// Names of the tables that exist for the session.
    ///
    /// # Errors
    /// If a table cannot be opened.
    pub async fn tables(&self) -> Result<Vec<String>, Error> {
        let mut names = Vec::new();
        for name in self.tables.names() {
            if self.tables.secured(name).await?.is_some() {
                names.push(name.clone());
            }
        }
        Ok(names)
    }

    /// Columns of a table, as far as they exist for the session.
    ///
    /// # Errors
    /// If the table does not exist for the session, or cannot be opened.
    pub async fn schema(&self, table: &str) -> Result<SchemaRef, Error> {
        Ok(self.table(table).await?.schema())
    }

    /// Version of a table that the session is pinned to, for cache keys.
    ///
    /// # Errors
    /// If the table does not exist for the session, or cannot be opened.
    pub async fn version(&self, table: &str) -> Result<i64, Error> {
        Ok(self.table(table).await?.version())
    }

    /// Newest date of a table that is partitioned by dates, in days since 1970: no row is read for it, so it is that of
    /// the table and not of the students in scope. `None` if the table has no partitions, or no rows for the role.
    ///
    /// # Errors
    /// If the table does not exist for the session, or cannot be opened.
    pub async fn newest_partition(&self, table: &str) -> Result<Option<i32>, Error> {
        Ok(self.table(table).await?.newest_partition())
    }

    /// What the policy makes of a table, in words, for `yizhan policy explain`.
    ///
    /// # Errors
    /// If the table does not exist for the session, or cannot be opened.
    pub async fn explain_policy(&self, table: &str) -> Result<String, Error> {
        Ok(self.table(table).await?.explain(&self.role, &self.students))
    }

    /// Runs one query.
    ///
    /// # Errors
    /// [`Error::Query`] if the text is refused or fails, [`Error::Unaudited`] if it cannot be written down.
    pub async fn sql(&self, sql: &str) -> Result<Rows, Error> {
        self.sql_with(sql, ParamValues::List(Vec::new())).await
    }

    /// Runs one query with values for its `$1` or `$name`: the only way for a request's words into a query of ours.
    ///
    /// # Errors
    /// As [`Session::sql`].
    pub async fn sql_with(&self, sql: &str, params: impl Into<ParamValues>) -> Result<Rows, Error> {
        let deadline = tokio::time::Instant::now() + self.limits.timeout;
        let mut record = self.record(sql);
        let planned = tokio::time::timeout_at(deadline, self.plan(sql, params.into())).await;
        let planned = planned.unwrap_or_else(|_| Err(too_long()));
        if let Ok(plan) = &planned {
            record.asked.tables = tables_of(plan);
        }
        // A text that was refused is written down as well: trying doors is worth knowing of.
        record.audit.asked(&record.asked).await.map_err(|source| unaudited(&record, source))?;
        let plan = planned.map_err(|fault| record.failed(fault, 0))?;
        let started = tokio::time::timeout_at(deadline, self.start(&plan)).await;
        match started.unwrap_or_else(|_| Err(too_long())) {
            Ok(stream) => Ok(Rows::new(stream, deadline, self.limits.rows_max, record)),
            Err(fault) => Err(record.failed(fault, 0)),
        }
    }

    /// Rows of one student from several tables at once, without a plan: what `SELECT columns FROM table WHERE subject =
    /// student_key AND day IN (days)` over each would give, in the order of the files.
    ///
    /// `None` for a table that does not exist for the session. Columns that do not exist for it are left out.
    ///
    /// # Errors
    /// [`Error::Query`] if a table names no student or cannot be read, or if there are more rows than a query of the
    /// session may have; [`Error::Unaudited`] if it cannot be written down.
    pub async fn look_up(&self, student_key: i64, wanted: &[LookedUp<'_>]) -> Result<Vec<Option<RecordBatch>>, Error> {
        let mut tables = Vec::with_capacity(wanted.len());
        for it in wanted {
            tables.push(self.tables.secured(it.table).await?);
        }
        let named: BTreeSet<&str> = wanted.iter().zip(&tables).filter(|it| it.1.is_some()).map(|it| it.0.table).collect();
        let mut record = self.record(&format!("look up {student_key}"));
        record.asked.tables = named.into_iter().map(str::to_owned).collect();
        record.audit.asked(&record.asked).await.map_err(|source| unaudited(&record, source))?;
        let read = tables.iter().zip(wanted).map(async |(table, it)| match table {
            Some(table) => table.look_up(&self.state, student_key, it.days, it.columns).await.map(Some),
            None => Ok(None),
        });
        let read = tokio::time::timeout(self.limits.timeout, futures::future::try_join_all(read)).await;
        let read = read.map_or_else(|_| Err(too_long()), |it| it.map_err(|error| Fault::of_execution(&error)));
        let found = read.map_err(|fault| record.failed(fault, 0))?;
        let rows: usize = found.iter().flatten().map(RecordBatch::num_rows).sum();
        // A query ends at the limit and says so; of what is looked up a part would pass for the whole.
        if self.limits.rows_max < rows {
            return Err(record.failed(Fault::refused("54000", "more rows than a session reads of one person at once"), 0));
        }
        let answered = Answered { rows, sqlstate: None, detail: None, took: record.begun.elapsed() };
        record.audit.answered(&record.asked, &answered);
        Ok(found)
    }

    async fn table(&self, name: &str) -> Result<Arc<SecuredTable>, Error> {
        self.tables.secured(name).await?.ok_or_else(|| Error::NoSuchTable { table: name.to_owned() })
    }

    fn record(&self, sql: &str) -> Record {
        let asked = Asked {
            query_id: self.numbers.next(),
            account: self.principal.account.clone(),
            role: self.principal.role.clone(),
            purpose: self.principal.purpose.clone(),
            sql: sql.to_owned(),
            tables: Vec::new(),
            policy_hash: self.policy_hash.clone(),
        };
        Record { asked, audit: Arc::clone(&self.audit), begun: Instant::now() }
    }

    async fn plan(&self, sql: &str, params: ParamValues) -> Result<LogicalPlan, Fault> {
        if self.limits.sql_bytes_max < sql.len() {
            return Err(Fault::refused("54000", "the text is longer than a session takes"));
        }
        let planning = |error: DataFusionError| Fault::of_planning(&error);
        let mut state = self.state.clone();
        state.mark_start_execution();
        let dialect = state.config_options().sql_parser.dialect;
        let statement = state.sql_to_statement(sql, &dialect).map_err(planning)?;
        self.admit(&statement)?;
        let plan = state.statement_to_plan(statement).await.map_err(planning)?;
        // The statement was looked at; this looks at what the engine made of it, wherever it nests.
        let reading = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        reading.verify_plan(&plan).map_err(|_| only_reads())?;
        if matches!(plan, LogicalPlan::Analyze(_)) && self.role.role != ADMINISTRATOR {
            return Err(only_administrators_analyze());
        }
        plan.with_param_values(params).map_err(planning)
    }

    /// Lets a statement pass that only reads. A list of what passes, so that a new kind of statement does not.
    fn admit(&self, statement: &Statement) -> Result<(), Fault> {
        match statement {
            Statement::Statement(it) => match it.as_ref() {
                ast::Statement::Query(_)
                | ast::Statement::ExplainTable { .. }
                | ast::Statement::ShowTables { .. }
                | ast::Statement::ShowColumns { .. }
                | ast::Statement::ShowFunctions { .. } => Ok(()),
                _ => Err(only_reads()),
            },
            Statement::Explain(it) if it.options.analyze && self.role.role != ADMINISTRATOR => Err(only_administrators_analyze()),
            Statement::Explain(it) => self.admit(&it.statement),
            Statement::CreateExternalTable(_) | Statement::CopyTo(_) | Statement::Reset(_) => Err(only_reads()),
        }
    }

    async fn start(&self, plan: &LogicalPlan) -> Result<datafusion::execution::SendableRecordBatchStream, Fault> {
        let hide = |error: DataFusionError| Fault::of_execution(&error);
        let mut state = self.state.clone();
        state.mark_start_execution();
        let physical = state.create_physical_plan(plan).await.map_err(hide)?;
        execute_stream(physical, state.task_ctx()).map_err(hide)
    }
}

fn unaudited(record: &Record, source: Cause) -> Error {
    let query_id = record.asked.query_id.clone();
    tracing::error!(query_id, "audit log cannot be written");
    Error::Unaudited { query_id, source }
}

fn only_reads() -> Fault {
    Fault::refused("25006", "this session reads and changes nothing: SELECT, EXPLAIN, DESCRIBE, SHOW TABLES")
}

/// How many rows a filter dropped tells of rows that are not shown.
fn only_administrators_analyze() -> Fault {
    Fault::refused("42501", "EXPLAIN ANALYZE is for administrators")
}

/// Tables that a plan reads, subqueries included, each once.
fn tables_of(plan: &LogicalPlan) -> Vec<String> {
    let mut tables = BTreeSet::new();
    let walked = plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && scan.table_name.schema() != Some(INFORMATION_SCHEMA)
        {
            tables.insert(scan.table_name.table().to_owned());
        }
        Ok(TreeNodeRecursion::Continue)
    });
    debug_assert!(walked.is_ok(), "the closure never fails");
    tables.into_iter().collect()
}
