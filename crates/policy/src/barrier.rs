//! The wall between what the policy reads and what the user's query does with it.

use std::fmt;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::reset_plan_states;
use datafusion::physical_plan::filter_pushdown::{ChildPushdownResult, FilterPushdownPhase, FilterPushdownPropagation};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning, PlanProperties,
};
use futures::StreamExt;

use crate::fault::Hidden;

/// A finished plan that shows nothing of itself but its rows.
///
/// It has no children as far as any optimiser can tell, so no filter, static or dynamic, no projection and no
/// statistics pass it in either direction: the policy's own plan was planned and optimised alone, before. Errors from
/// below are replaced, because they may quote values and paths.
#[derive(Debug)]
pub struct BarrierExec {
    table: Arc<str>,
    sealed: Sealed,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
}

/// The plan below, which must not be printed: plans are, and it holds paths and keys.
struct Sealed(Arc<dyn ExecutionPlan>);

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl BarrierExec {
    /// Seals a plan; its first columns become those of `schema`, further ones are dropped.
    pub(crate) fn new(table: &str, sealed: Arc<dyn ExecutionPlan>, schema: SchemaRef) -> Self {
        // The order may be known above; constants and equalities may not, for they tell of the policy's predicate.
        let is_whole = schema.fields().len() == sealed.schema().fields().len();
        let ordering = sealed.output_ordering().filter(|_| is_whole).cloned();
        let equivalences = match ordering {
            Some(ordering) => EquivalenceProperties::new_with_orderings(Arc::clone(&schema), [ordering]),
            None => EquivalenceProperties::new(Arc::clone(&schema)),
        };
        let properties = PlanProperties::new(
            equivalences,
            Partitioning::UnknownPartitioning(sealed.output_partitioning().partition_count()),
            sealed.pipeline_behavior(),
            sealed.boundedness(),
        );
        Self { table: table.into(), sealed: Sealed(sealed), schema, properties: Arc::new(properties) }
    }

    /// Gives a batch from below the columns and names that the session knows.
    fn relabel(schema: &SchemaRef, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let columns = batch.columns()[..schema.fields().len()].to_vec();
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
    }
}

impl DisplayAs for BarrierExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match format {
            DisplayFormatType::Default | DisplayFormatType::Verbose => write!(f, "BarrierExec: table={}", self.table),
            DisplayFormatType::TreeRender => write!(f, "table={}", self.table),
        }
    }
}

impl ExecutionPlan for BarrierExec {
    fn name(&self) -> &'static str {
        "BarrierExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn reset_state(self: Arc<Self>) -> Result<Arc<dyn ExecutionPlan>> {
        // A recursive query runs its plan again and again, and some nodes below can run once only.
        let sealed = reset_plan_states(Arc::clone(&self.sealed.0))?;
        Ok(Arc::new(Self {
            table: Arc::clone(&self.table),
            sealed: Sealed(sealed),
            schema: Arc::clone(&self.schema),
            properties: Arc::clone(&self.properties),
        }))
    }

    fn handle_child_pushdown_result(
        &self,
        _: FilterPushdownPhase,
        child_pushdown_result: ChildPushdownResult,
        _: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        // By default a node counts a filter as taken when all its children took it, and we have none.
        Ok(FilterPushdownPropagation::all_unsupported(child_pushdown_result))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let table = Arc::clone(&self.table);
        let hide = move |error: DataFusionError| Hidden::of(&table, error);
        let below = self.sealed.0.execute(partition, context).map_err(&hide)?;
        let schema = Arc::clone(&self.schema);
        let above = below.map(move |batch| {
            let batch = batch.map_err(&hide)?;
            Self::relabel(&schema, &batch).map_err(|error| hide(error.into()))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), above)))
    }
}
