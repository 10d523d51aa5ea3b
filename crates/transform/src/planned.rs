//! The plan check: every query is planned over empty tables before anything runs.
//!
//! Goes out: the columns of every table with meaning, unit and class, or a sentence that says which file is unsound.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::datasource::empty::EmptyTable;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;
use engine::Engine;
use schema::{Class, Materialized, Model, Pipeline, described, instant_type, raw_schema};

use crate::graph::Graph;
use crate::node::{Node, Origin};
use crate::{Error, effect, meaning, measures, risk, seen, soundness, warnings, words};

/// Columns of every table by name, the partition column last.
pub(crate) type Schemas = BTreeMap<String, SchemaRef>;

/// Plans every query over empty tables; with `only`, which has everything above each of its tables, those of these tables,
/// and leaves out what is no table.
pub(crate) async fn schemas(
    engine: &Engine,
    graph: &Graph,
    pipelines: &[Pipeline],
    only: Option<&BTreeSet<String>>,
) -> Result<Schemas, Error> {
    let context = engine.context();
    let mut schemas = Schemas::new();
    for pipeline in pipelines {
        schemas.insert(pipeline.raw_table(), raw_schema(pipeline));
    }
    for node in graph.nodes().iter().filter(|it| only.is_none_or(|only| only.contains(&it.name))) {
        let schema = match node.origin {
            Origin::Raw => schemas[&node.name].clone(),
            Origin::Query => {
                let plan = plan(&context, &node.sql, &node.path).await?;
                output(node, &plan)?
            }
            Origin::Measures => {
                for measure in graph.measures_of(&node.name) {
                    check_measure(&context, measure).await?;
                    if let (Some(subject), false) = (&graph.subject, measure.front.peer_also.is_empty()) {
                        // A column of a peer group that is nowhere is found out before anything runs.
                        plan(&context, &measures::peers_sql(subject, &[&measure.front.peer_also], 0), &measure.path).await?;
                    }
                }
                if let Some(sql) = graph.subject.as_ref().and_then(|it| measures::own_past_sql(it, 0)) {
                    // So is a table of the own past without its columns.
                    plan(&context, &sql, &node.path).await?;
                }
                fixed_schema(node, &MEASURED, graph)
            }
            Origin::Signals => {
                for trend in &graph.trends {
                    check_trend(&context, trend).await?;
                }
                if let Some(subject) = &graph.subject {
                    // A group of columns that the table of persons does not have is found out before anything runs.
                    plan(&context, &warnings::members_sql(subject), &node.path).await?;
                }
                fixed_schema(node, &SIGNALS, graph)
            }
            Origin::Offers => fixed_schema(node, &OFFERED, graph),
            Origin::Kept if node.name == "model_version" => fixed_schema(node, risk::VERSIONS, graph),
            Origin::Kept => fixed_schema(node, risk::BACKTESTS, graph),
            Origin::Drift => fixed_schema(node, risk::DRIFTED, graph),
            Origin::Scores => fixed_schema(node, risk::SCORED, graph),
            Origin::Audit => fixed_schema(node, risk::AUDITED, graph),
            Origin::Effect => fixed_schema(node, effect::COLUMNS, graph),
            Origin::Visits => fixed_schema(node, seen::COLUMNS, graph),
        };
        let empty = Arc::new(EmptyTable::new(schema.clone()));
        context.register_table(&node.name, empty).map_err(Error::query("plan", &node.path))?;
        schemas.insert(node.name.clone(), schema);
    }
    if only.is_some() {
        return Ok(schemas);
    }
    for it in graph.risks() {
        let columns = |table: &str| schemas[table].fields().iter().map(|it| it.name().clone()).collect::<Vec<_>>();
        check_columns(&it.label.path, "a label returns", &columns(&it.label.name), &["outcome", "event_on", "known_on"])?;
        check_columns(&it.model.path, "a risk model's cohort returns", &columns(&it.cohort()), &["place"])?;
    }
    for check in &graph.checks {
        plan(&context, &check.query(), &check.path).await?;
    }
    Ok(schemas)
}

async fn plan(context: &SessionContext, sql: &str, path: &str) -> Result<LogicalPlan, Error> {
    // Any date does: only types and names are looked at.
    let sql = crate::build::with_as_of(sql, 0);
    let plan = context.state().create_logical_plan(&sql).await.map_err(Error::query("plan", path))?;
    // The analyzer settles types; the optimizer, which could hide an expression, stays away.
    let state = context.state();
    let plan = state.analyzer().execute_and_check(plan, state.config_options(), |_, _| {}).map_err(Error::query("plan", path))?;
    if let Some(message) = soundness::unsound(&plan) {
        return Err(Error::Refused { path: path.to_owned(), message });
    }
    Ok(plan)
}

/// The stored columns of a query's result, each with meaning and class.
fn output(node: &Node, plan: &LogicalPlan) -> Result<SchemaRef, Error> {
    let refuse = |message: String| Err(Error::Refused { path: node.path.clone(), message });
    let meanings = meaning::of_plan(plan);
    let aggregates = meaning::aggregates(plan);
    let (mut fields, mut undocumented) = (Vec::new(), Vec::new());
    let mut partition = None;
    for (field, found) in plan.schema().fields().iter().zip(meanings) {
        let declared = node.columns.get(field.name());
        // What a file says anew in English only has no Chinese words: those of its input would say something else.
        let about_zh = match declared.filter(|it| it.about.is_some() || it.about_zh.is_some()) {
            Some(own) => own.about_zh.clone().or_else(|| words::column(&node.name, field.name()).map(str::to_owned)),
            None => found.about_zh,
        };
        let about = declared.and_then(|it| it.about.clone()).or(found.about);
        let unit = declared.and_then(|it| it.unit.clone()).or(found.unit);
        let class = declared.and_then(|it| it.class).unwrap_or(found.class);
        if about.is_none() && unit.is_none() {
            undocumented.push(field.name().clone());
        }
        if class < found.class && (node.subject.is_some() || !aggregates) {
            return refuse(format!(
                "column \"{}\" is declared {} but made of {} data: a derived column is never less protected than its inputs",
                field.name(),
                class.as_str(),
                found.class.as_str()
            ));
        }
        let Some(data_type) = stored_type(field.data_type()) else {
            return refuse(format!("column \"{}\" is of type {}, which a table cannot hold", field.name(), field.data_type()));
        };
        let about = about.or_else(|| unit.clone()).unwrap_or_default();
        let field = described(field.name(), data_type, true, &about, class, unit.as_deref());
        let field = schema::in_chinese(field, about_zh.as_deref());
        match node.partition_by() {
            Some(by) if by == field.name() => partition = Some(field),
            _ => fields.push(field),
        }
    }
    if !undocumented.is_empty() {
        return refuse(format!("say what these columns mean, under [columns]: {}", undocumented.join(", ")));
    }
    if let Some(name) = node.columns.keys().find(|it| plan.schema().field_with_unqualified_name(it).is_err())
        && node.partition_by() != Some(name.as_str())
    {
        return refuse(format!("[columns] describes \"{name}\", which the query does not return"));
    }
    if node.is_versioned && node.origin == Origin::Query && plan.schema().field_with_unqualified_name("known_at").is_err() {
        return refuse(
            "a staging table says when its rows became known: return known_at, and superseded_at where rows are versions"
                .to_owned(),
        );
    }
    let subject = node.subject.iter();
    if let Some(missing) = node.grain.iter().chain(subject).find(|it| plan.schema().field_with_unqualified_name(it).is_err()) {
        return refuse(format!("the grain or subject names \"{missing}\", which the query does not return"));
    }
    match (node.materialized, partition) {
        (Materialized::Day | Materialized::StudentDay, None) => {
            return refuse("a table by day returns the column occurred_on".to_owned());
        }
        (Materialized::AsOf, Some(_)) => {
            return refuse("an as-of table does not return as_of_on: the platform adds it".to_owned());
        }
        (Materialized::AsOf, None) => fields.push(as_of_field()),
        (Materialized::StudentDay, Some(partition)) => {
            let day = |name, about, about_zh| {
                schema::in_chinese(described(name, DataType::Date32, true, about, Class::Internal, None), Some(about_zh))
            };
            fields.push(day("known_on", "First as-of date that may use the row.", "最早可以使用这一行的基准日。"));
            fields.push(day("superseded_on", "First as-of date that uses a newer version.", "改用较新版本的第一个基准日。"));
            fields.push(partition);
        }
        (_, Some(partition)) => fields.push(partition),
        (_, None) => {}
    }
    Ok(Arc::new(Schema::new(fields)))
}

fn as_of_field() -> Field {
    let about = "As-of date: only what was known when its day began.";
    let field = described("as_of_on", DataType::Date32, true, about, Class::Internal, None);
    schema::in_chinese(field, Some("基准日：只用当日开始时已知的数据。"))
}

/// The type in which a result is stored, so that every Delta reader opens it.
fn stored_type(data_type: &DataType) -> Option<DataType> {
    Some(match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::Dictionary(_, value) => return stored_type(value),
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::UInt8 | DataType::UInt16 => DataType::Int32,
        DataType::Int64 | DataType::UInt32 | DataType::UInt64 => DataType::Int64,
        DataType::Float16 | DataType::Float32 | DataType::Float64 => DataType::Float64,
        DataType::Boolean => DataType::Boolean,
        DataType::Date32 => DataType::Date32,
        DataType::Timestamp(TimeUnit::Nanosecond | TimeUnit::Microsecond | TimeUnit::Millisecond | TimeUnit::Second, _) => {
            instant_type()
        }
        DataType::Decimal128(precision, scale) => DataType::Decimal128(*precision, *scale),
        // A NULL that nothing gave a type.
        DataType::Null => DataType::Utf8,
        _ => return None,
    })
}

async fn check_measure(context: &SessionContext, measure: &Model) -> Result<(), Error> {
    let plan = plan(context, &measure.query(), &measure.path).await?;
    let names: Vec<&str> = plan.schema().fields().iter().map(|it| it.name().as_str()).collect();
    if names != ["student_key", "value", "n", "cov"] {
        let message = format!("a measure returns student_key, value, n, cov; this one returns {}", names.join(", "));
        return Err(Error::Refused { path: measure.path.clone(), message });
    }
    let declared = measure.front.class.unwrap_or(Class::Closed);
    let found = meaning::of_plan(&plan).get(1).map_or(Class::Closed, |it| it.class);
    if declared < found {
        let message = format!("class is declared {} but the value is made of {} data", declared.as_str(), found.as_str());
        return Err(Error::Refused { path: measure.path.clone(), message });
    }
    Ok(())
}

/// Columns of tables that are not made by a query alone; `""` is the key of the person.
pub(crate) type Columns = [(&'static str, DataType)];

const MEASURED: [(&str, DataType); 7] = [
    ("", DataType::Int64),
    ("measure", DataType::Utf8),
    ("value", DataType::Float64),
    ("n", DataType::Int64),
    ("cov", DataType::Float64),
    ("z_self", DataType::Float64),
    ("z_peer", DataType::Float64),
];

const SIGNALS: [(&str, DataType); 17] = [
    ("trend", DataType::Utf8),
    ("subject_kind", DataType::Utf8),
    ("subject_id", DataType::Utf8),
    ("", DataType::Int64),
    ("is_standing", DataType::Boolean),
    ("since_on", DataType::Date32),
    ("baseline", DataType::Float64),
    ("now_value", DataType::Float64),
    ("n", DataType::Int64),
    ("cov", DataType::Float64),
    ("z", DataType::Float64),
    ("shift", DataType::Float64),
    ("ewma", DataType::Float64),
    ("cusum", DataType::Float64),
    ("reason_zh", DataType::Utf8),
    ("reason_en", DataType::Utf8),
    ("input", DataType::Utf8),
];

const OFFERED: [(&str, DataType); 21] = [
    ("warning_id", DataType::Utf8),
    ("", DataType::Int64),
    ("owner_key", DataType::Int64),
    ("rule", DataType::Utf8),
    ("rules", DataType::Utf8),
    ("thread", DataType::Utf8),
    ("channels", DataType::Utf8),
    ("severity", DataType::Int32),
    ("since_on", DataType::Date32),
    ("issued_on", DataType::Date32),
    ("baseline", DataType::Float64),
    ("now_value", DataType::Float64),
    ("n", DataType::Int64),
    ("cov", DataType::Float64),
    ("score", DataType::Float64),
    ("reason_zh", DataType::Utf8),
    ("reason_en", DataType::Utf8),
    ("explanations", DataType::Utf8),
    ("last_seen_at", DataType::Null),
    ("last_seen_source", DataType::Utf8),
    ("input", DataType::Utf8),
];

fn fixed_schema(node: &Node, columns: &Columns, graph: &Graph) -> SchemaRef {
    let key = graph.subject.as_ref().map_or("student_key", |it| it.key.as_str());
    let mut fields: Vec<Field> = columns
        .iter()
        .map(|(name, data_type)| {
            let name = if name.is_empty() { key } else { *name };
            let column = &node.columns[name];
            let about = column.about.as_deref().unwrap_or_default();
            // An instant's type is no constant.
            let data_type = if *data_type == DataType::Null { instant_type() } else { data_type.clone() };
            let field = described(name, data_type, true, about, column.class.unwrap_or(Class::Closed), None);
            schema::in_chinese(field, column.about_zh.as_deref().or_else(|| words::column(&node.name, name)))
        })
        .collect();
    if node.materialized == Materialized::AsOf {
        fields.push(as_of_field());
    }
    Arc::new(Schema::new(fields))
}

/// Refuses a query that leaves a column out which its kind reads.
fn check_columns(path: &str, what: &str, found: &[String], wanted: &[&str]) -> Result<(), Error> {
    match wanted.iter().find(|it| !found.iter().any(|name| name == *it)) {
        None => Ok(()),
        Some(missing) => Err(Error::Refused {
            path: path.to_owned(),
            message: format!("{what} {}; \"{missing}\" is missing", wanted.join(", ")),
        }),
    }
}

async fn check_trend(context: &SessionContext, trend: &Model) -> Result<(), Error> {
    let plan = plan(context, &trend.query(), &trend.path).await?;
    let names: Vec<&str> = plan.schema().fields().iter().map(|it| it.name().as_str()).collect();
    if names != ["student_key", "week_no", "value", "n", "cov"] {
        let message = format!("a trend returns student_key, week_no, value, n, cov; this one returns {}", names.join(", "));
        return Err(Error::Refused { path: trend.path.clone(), message });
    }
    // Signals are read by those who look after students: a trend of closed data would tell them of it.
    let declared = trend.front.class.unwrap_or(Class::Closed);
    let found = meaning::of_plan(&plan).get(2).map_or(Class::Closed, |it| it.class);
    if declared < found || Class::Trace < declared {
        let message = format!(
            "class is declared {}, the value is made of {} data: a trend is trace at most",
            declared.as_str(),
            found.as_str()
        );
        return Err(Error::Refused { path: trend.path.clone(), message });
    }
    Ok(())
}
