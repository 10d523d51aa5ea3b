//! The plan check: what would make a result depend on chance is refused before it runs.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, WindowFunctionDefinition};

/// Aggregates whose result over doubles depends on the order in which partitions arrive.
const ORDER_OF_ADDITION: [&str; 12] = [
    "sum",
    "avg",
    "mean",
    "stddev",
    "stddev_pop",
    "stddev_samp",
    "var",
    "var_pop",
    "var_samp",
    "var_sample",
    "corr",
    "covar_samp",
];
/// Aggregates that depend on the order of rows unless they carry ORDER BY.
const ORDER_OF_ROWS: [&str; 5] = ["first_value", "last_value", "nth_value", "array_agg", "string_agg"];
/// Functions that read a clock or dice.
const CHANCE: [&str; 6] = ["random", "now", "current_date", "current_time", "uuid", "today"];

/// Says what in a plan would not repeat, or `None`.
pub(crate) fn unsound(plan: &LogicalPlan) -> Option<String> {
    let mut found = None;
    let _ = plan.apply_with_subqueries(|node| {
        for expr in node.expressions() {
            let schema = node.inputs().first().map_or_else(|| node.schema().clone(), |it| it.schema().clone());
            let _ = expr.apply(|part| {
                let problem = match part {
                    Expr::AggregateFunction(it) => {
                        let is_ordered = !it.params.order_by.is_empty();
                        let argument = it.params.args.first().and_then(|it| it.get_type(&schema).ok());
                        aggregate(it.func.name(), argument.as_ref(), is_ordered)
                    }
                    Expr::WindowFunction(it) => {
                        let is_ordered = !it.params.order_by.is_empty();
                        let argument = it.params.args.first().and_then(|it| it.get_type(&schema).ok());
                        match &it.fun {
                            WindowFunctionDefinition::AggregateUDF(fun) => aggregate(fun.name(), argument.as_ref(), is_ordered),
                            WindowFunctionDefinition::WindowUDF(fun) if !is_ordered => {
                                Some(format!("{}() needs ORDER BY in its window", fun.name()))
                            }
                            WindowFunctionDefinition::WindowUDF(_) => None,
                        }
                    }
                    Expr::ScalarFunction(it) if CHANCE.contains(&it.func.name()) => {
                        Some(format!("{}() gives another result every time: use $as_of", it.func.name()))
                    }
                    _ => None,
                };
                found = found.take().or(problem);
                Ok(TreeNodeRecursion::Continue)
            });
        }
        Ok(TreeNodeRecursion::Continue)
    });
    found
}

fn aggregate(name: &str, argument: Option<&DataType>, is_ordered: bool) -> Option<String> {
    if name.starts_with("approx_") {
        return Some(format!("{name}() is approximate and depends on the order of rows: use the exact one"));
    }
    let is_double = matches!(argument, Some(DataType::Float64 | DataType::Float32 | DataType::Float16));
    if is_double && ORDER_OF_ADDITION.contains(&name) {
        return Some(format!("{name}() over doubles depends on the order of addition: sum integers or decimals, divide last"));
    }
    if ORDER_OF_ROWS.contains(&name) && !is_ordered {
        return Some(format!("{name}() depends on the order of rows: give it ORDER BY a total order"));
    }
    None
}
