//! What the columns of a query mean and how sensitive they are, worked out from the plan.
//!
//! A column that is passed on keeps its meaning; one that is computed takes the highest class of what it reads.

use std::collections::HashMap;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema};
use datafusion::logical_expr::{Expr, LogicalPlan};
use schema::Class;

/// What is known of one output column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Meaning {
    pub(crate) class: Class,
    pub(crate) about: Option<String>,
    pub(crate) about_zh: Option<String>,
    pub(crate) unit: Option<String>,
}

impl Meaning {
    fn of_field(metadata: &HashMap<String, String>) -> Self {
        Self {
            // A column without a class is as good as closed, so that forgetting one never opens it.
            class: metadata.get("class").and_then(|it| Class::parse(it)).unwrap_or(Class::Closed),
            about: metadata.get("about").cloned(),
            about_zh: metadata.get(schema::ABOUT_ZH).cloned(),
            unit: metadata.get("unit").cloned(),
        }
    }

    fn computed(class: Class) -> Self {
        Self { class, about: None, about_zh: None, unit: None }
    }
}

/// Meanings of a plan's output columns, by position.
pub(crate) fn of_plan(plan: &LogicalPlan) -> Vec<Meaning> {
    let inputs: Vec<Vec<Meaning>> = plan.inputs().into_iter().map(of_plan).collect();
    let width = plan.schema().fields().len();
    let result = match plan {
        LogicalPlan::TableScan(_) => plan.schema().fields().iter().map(|it| Meaning::of_field(it.metadata())).collect(),
        LogicalPlan::Projection(it) => exprs(&it.expr, it.input.schema(), &inputs[0]),
        LogicalPlan::Aggregate(it) => {
            let mut all = it.group_expr.clone();
            all.extend(it.aggr_expr.clone());
            let mut found = exprs(&all, it.input.schema(), &inputs[0]);
            let highest = highest(&inputs[0]);
            // A bare count says something about every column of the rows it counts.
            for (expr, meaning) in all.iter().zip(&mut found) {
                if expr.column_refs().is_empty() {
                    meaning.class = meaning.class.max(highest.min(Class::Trace));
                }
            }
            found
        }
        LogicalPlan::Window(it) => {
            let mut found = inputs[0].clone();
            found.extend(exprs(&it.window_expr, it.input.schema(), &inputs[0]));
            found
        }
        LogicalPlan::Union(_) => (0..width)
            .map(|place| {
                let columns: Vec<&Meaning> = inputs.iter().filter_map(|it| it.get(place)).collect();
                let class = columns.iter().map(|it| it.class).max().unwrap_or(Class::Closed);
                columns.first().map_or(Meaning::computed(class), |first| Meaning { class, ..(*first).clone() })
            })
            .collect(),
        LogicalPlan::Join(_) => inputs.concat(),
        LogicalPlan::Values(_) | LogicalPlan::EmptyRelation(_) => vec![Meaning::computed(Class::Internal); width],
        _ => inputs.first().cloned().unwrap_or_default(),
    };
    if result.len() == width {
        return sealed(plan, &inputs, result);
    }
    // Semi joins, marks and the like: whatever comes out is made of what went in.
    let highest = inputs.iter().map(|it| highest(it)).max().unwrap_or(Class::Closed);
    let mut padded = result;
    padded.resize(width, Meaning::computed(highest));
    padded
}

/// Rows that were chosen by what a closed column says tell what it says: everything in them is closed then.
///
/// Below closed the choice is the meaning itself, as in purchases of canteens, and the columns keep their classes.
fn sealed(plan: &LogicalPlan, inputs: &[Vec<Meaning>], mut result: Vec<Meaning>) -> Vec<Meaning> {
    let chosen_by: Vec<Expr> = match plan {
        LogicalPlan::Filter(it) => vec![it.predicate.clone()],
        LogicalPlan::Join(it) => {
            let pairs = it.on.iter().flat_map(|(left, right)| [left.clone(), right.clone()]);
            pairs.chain(it.filter.clone()).collect()
        }
        _ => return result,
    };
    let columns = inputs.concat();
    let schemas: Vec<_> = plan.inputs().into_iter().map(|it| it.schema().clone()).collect();
    let is_closed = chosen_by.iter().any(|expr| {
        expr.column_refs().into_iter().any(|column| {
            let mut offset = 0;
            for schema in &schemas {
                if let Some(place) = schema.maybe_index_of_column(column) {
                    return columns.get(offset + place).is_some_and(|it| Class::Closed <= it.class);
                }
                offset += schema.fields().len();
            }
            false
        })
    });
    if is_closed {
        for it in &mut result {
            it.class = it.class.max(Class::Closed);
        }
    }
    result
}

fn highest(meanings: &[Meaning]) -> Class {
    meanings.iter().map(|it| it.class).max().unwrap_or(Class::Internal)
}

fn exprs(exprs: &[Expr], schema: &DFSchema, input: &[Meaning]) -> Vec<Meaning> {
    // Of rows that are closed whole, a constant tells as much as any column: that there is such a row.
    let is_closed = !input.is_empty() && input.iter().all(|it| Class::Closed <= it.class);
    let floor = if is_closed { Class::Closed } else { Class::Public };
    let meaning = |it: &Expr| {
        let found = of_expr(it, schema, input);
        Meaning { class: found.class.max(floor), ..found }
    };
    exprs.iter().map(meaning).collect()
}

fn of_expr(expr: &Expr, schema: &DFSchema, input: &[Meaning]) -> Meaning {
    match expr {
        Expr::Column(column) => of_column(column, schema, input),
        Expr::Alias(it) => of_expr(&it.expr, schema, input),
        // What only fills gaps or changes the type means the same as before.
        Expr::Cast(it) => of_expr(&it.expr, schema, input),
        Expr::ScalarFunction(it) if it.func.name() == "coalesce" => {
            let parts: Vec<Meaning> = it.args.iter().map(|it| of_expr(it, schema, input)).collect();
            let class = parts.iter().map(|it| it.class).max().unwrap_or(Class::Closed);
            parts.into_iter().next().map_or(Meaning::computed(class), |first| Meaning { class, ..first })
        }
        // lead(known_at) is an instant of knowing, whatever its window is ordered by; a bare rank is made of the order.
        Expr::WindowFunction(it) if !it.params.args.is_empty() => {
            let class = it.params.args.iter().map(|it| of_expr(it, schema, input).class).max().unwrap_or(Class::Closed);
            Meaning::computed(class)
        }
        _ => {
            let mut class = Class::Internal;
            let _ = expr.apply(|part| {
                match part {
                    Expr::Column(column) => class = class.max(of_column(column, schema, input).class),
                    Expr::ScalarSubquery(it) => class = class.max(highest(&of_plan(&it.subquery))),
                    Expr::InSubquery(it) => class = class.max(highest(&of_plan(&it.subquery.subquery))),
                    Expr::Exists(it) => class = class.max(highest(&of_plan(&it.subquery.subquery))),
                    _ => {}
                }
                Ok(TreeNodeRecursion::Continue)
            });
            Meaning::computed(class)
        }
    }
}

fn of_column(column: &Column, schema: &DFSchema, input: &[Meaning]) -> Meaning {
    schema.maybe_index_of_column(column).and_then(|place| input.get(place).cloned()).unwrap_or(Meaning::computed(Class::Closed))
}

/// Whether a plan aggregates anywhere: only then may a table about no person be less protected than its inputs.
pub(crate) fn aggregates(plan: &LogicalPlan) -> bool {
    plan.exists(|it| Ok(matches!(it, LogicalPlan::Aggregate(_)))).unwrap_or(false)
}
