//! What reaches a table below the barrier, seen by a table that writes down everything it is told.

use std::sync::{Arc, Mutex};

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::filter_pushdown::{FilterDescription, FilterPushdownPhase};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use datafusion::prelude::SessionContext;
use policy::TableEntry;

use crate::campus::{Lake, answer, counselor, principal, sessions_of};

type Told = Arc<Mutex<Vec<String>>>;

/// A table that writes down the filters and limits it is offered.
#[derive(Debug)]
struct Spy {
    table: Arc<dyn TableProvider>,
    told: Told,
}

#[async_trait]
impl TableProvider for Spy {
    fn schema(&self) -> SchemaRef {
        self.table.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let told = filters.iter().map(|it| format!("scan {it}")).chain(limit.map(|it| format!("limit {it}")));
        self.told.lock().expect("unpoisoned").extend(told);
        let input = self.table.scan(state, projection, &[], None).await?;
        Ok(Arc::new(SpyExec { input, told: Arc::clone(&self.told) }))
    }
}

/// Its plan, which writes down what filters are pushed through it.
#[derive(Debug)]
struct SpyExec {
    input: Arc<dyn ExecutionPlan>,
    told: Told,
}

impl DisplayAs for SpyExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SpyExec: /srv/lake/card/part-0.parquet")
    }
}

impl ExecutionPlan for SpyExec {
    fn name(&self) -> &'static str {
        "SpyExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let input = children.into_iter().next().expect("one child");
        Ok(Arc::new(Self { input, told: Arc::clone(&self.told) }))
    }

    fn gather_filters_for_pushdown(
        &self,
        _: FilterPushdownPhase,
        parent_filters: Vec<Arc<dyn PhysicalExpr>>,
        _: &ConfigOptions,
    ) -> Result<FilterDescription> {
        self.told.lock().expect("unpoisoned").extend(parent_filters.iter().map(|it| format!("push {it}")));
        Ok(FilterDescription::all_unsupported(&parent_filters, &self.children()))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.input.execute(partition, context)
    }
}

fn spied() -> (Lake, Arc<dyn TableProvider>, Told) {
    let mut lake = Lake::new();
    let told = Told::default();
    let entry = lake.0["card"].clone();
    let spy: Arc<dyn TableProvider> = Arc::new(Spy { table: entry.provider, told: Arc::clone(&told) });
    lake.0.insert("card".to_owned(), TableEntry::new(Arc::clone(&spy), Some("student_key"), 1));
    (lake, spy, told)
}

async fn told_by(sql: &str) -> String {
    let (lake, _, told) = spied();
    let session = sessions_of(lake).open(counselor()).await.expect("session");
    answer(&session, sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    told.lock().expect("unpoisoned").join("\n")
}

/// Queries whose plan makes a filter while it runs: of a join's build side, of a top-k, of an aggregate.
const DYNAMIC: [&str; 3] = [
    "SELECT c.txn_no FROM card c JOIN (SELECT student_key FROM dim_student WHERE floor = 1) d ON c.student_key = d.student_key",
    "SELECT txn_no FROM card ORDER BY txn_no LIMIT 2",
    "SELECT max(txn_no), min(txn_no) FROM card",
];

#[tokio::test]
async fn a_filter_made_while_running_does_not_pass_the_barrier() {
    for sql in DYNAMIC {
        let told = told_by(sql).await;
        assert!(told.contains("student_key"), "the policy's own filter is told: {told}");
        assert!(!told.contains("DynamicFilter"), "{sql}: {told}");
    }
}

#[tokio::test]
async fn without_a_barrier_the_same_filters_would_reach_the_table() {
    // If this fails the engine has stopped making such filters, and the test above proves nothing any more.
    let (lake, spy, told) = spied();
    let bare = SessionContext::new();
    bare.register_table("card", spy).expect("registered");
    bare.register_table("dim_student", Arc::clone(&lake.0["dim_student"].provider)).expect("registered");
    for sql in &DYNAMIC[..2] {
        told.lock().expect("unpoisoned").clear();
        bare.sql(sql).await.expect("planned").collect().await.expect("rows");
        let told = told.lock().expect("unpoisoned").join("\n");
        assert!(told.contains("DynamicFilter"), "{sql}: {told}");
    }
}

#[tokio::test]
async fn only_leakproof_predicates_on_plain_columns_go_below() {
    let told = told_by("SELECT count(*) FROM card WHERE txn_no > 3 AND place IN ('食堂', '超市')").await;
    assert!(told.contains("txn_no > Int64(3)") && told.contains("place"), "{told}");
    for sql in [
        "SELECT count(*) FROM card WHERE amount_fen > 700",
        "SELECT count(*) FROM card WHERE occurred_at > '2026-01-01T00:00:00Z'",
        "SELECT count(*) FROM card WHERE note = 'secret 0'",
        "SELECT count(*) FROM card WHERE cast(phone AS bigint) > 777",
        "SELECT count(*) FROM card WHERE 777 / (txn_no + 1) > 0",
        "SELECT count(*) FROM card WHERE phone LIKE '138%'",
        "SELECT count(*) FROM card WHERE txn_no + 0 > 777",
        "SELECT count(*) FROM card WHERE txn_no = (SELECT max(floor) FROM dim_student)",
        "SELECT count(*) FROM card WHERE phone > place",
    ] {
        let told = told_by(sql).await;
        for word in ["amount_fen", "occurred_at", "note", "phone", "txn_no"] {
            assert!(!told.contains(word), "{sql}: {told}");
        }
    }
}

#[tokio::test]
async fn a_limit_is_counted_after_the_policys_filter() {
    let (lake, _, told) = spied();
    let nobodys = principal("watcher", &["class:none"], None);
    let session = sessions_of(lake).open(nobodys).await.expect("session");
    assert_eq!(answer(&session, "SELECT txn_no FROM card LIMIT 3").await, Ok(Vec::new()));
    assert!(!told.lock().expect("unpoisoned").iter().any(|it| it.starts_with("limit")));
    assert!(!told_by("SELECT txn_no FROM card LIMIT 3").await.contains("limit"));
}

#[tokio::test]
async fn a_plan_shows_neither_paths_nor_the_policys_filter() {
    let (lake, _, _) = spied();
    let session = sessions_of(lake).open(counselor()).await.expect("session");
    for explain in ["EXPLAIN", "EXPLAIN VERBOSE", "EXPLAIN FORMAT TREE"] {
        let sql = format!("{explain} SELECT c.place FROM card c JOIN dim_student d ON c.student_key = d.student_key");
        let plan = answer(&session, &sql).await.expect("plan").join("\n");
        assert!(plan.contains("BarrierExec") || plan.contains("table=card"), "{plan}");
        for secret in ["/srv", "SpyExec", "in_scope", "100000000000000", "MemoryExec", "DataSourceExec"] {
            assert!(!plan.contains(secret), "{explain} shows {secret}: {plan}");
        }
    }
}
