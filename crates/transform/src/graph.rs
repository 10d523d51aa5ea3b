//! Which tables there are, what each reads, and in which order they are built.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use datafusion::sql::parser::{DFParser, Statement};
use datafusion::sql::sqlparser::ast::{Expr, ObjectName, Query, Visit, Visitor};
use schema::{Class, Kind, Materialized, Model, Pipeline, Subject, is_closed_table, nearest};

use crate::Error;
use crate::effect;
use crate::issued;
use crate::node::{Node, Origin};
use crate::risk::{self, Risk};
use crate::seen;
use crate::warnings::{CONTACT_GAP, HOURS, OUTCOMES};

/// All tables of a project, in an order in which each stands behind what it reads.
#[derive(Debug, Clone)]
pub struct Graph {
    nodes: Vec<Node>,
    places: BTreeMap<String, usize>,
    /// Measure files; their rows land in `feat_measure`.
    pub(crate) measures: Vec<Model>,
    /// Queries of offending rows.
    pub(crate) checks: Vec<Model>,
    /// Rules, for titles and caveats.
    pub(crate) rules: Vec<Model>,
    /// Trend files; what leaves the own past lands in `warning_signal`.
    pub(crate) trends: Vec<Model>,
    /// Risk models; what they say lands in `risk_score`.
    pub(crate) risks: Vec<Risk>,
    /// Tags, for titles and dimensions.
    pub(crate) tags: Vec<Model>,
    pub(crate) subject: Option<Subject>,
}

impl Graph {
    /// Puts pipelines and models in order.
    ///
    /// # Errors
    /// If a table is made twice, is unknown, or reads itself through others; if a query is no query.
    pub fn new(pipelines: &[Pipeline], models: &[Model], subject: Option<&Subject>) -> Result<Self, Error> {
        let mut nodes: BTreeMap<String, Node> = BTreeMap::new();
        for node in pipelines.iter().flat_map(Node::of_pipeline) {
            nodes.insert(node.name.clone(), node);
        }
        let measures = issued::of_kind(models, Kind::Measure);
        let rules = issued::of_kind(models, Kind::Rule);
        let trends = issued::of_kind(models, Kind::Trend);
        let tags = issued::of_kind(models, Kind::Tag);
        let risks = issued::of_kind(models, Kind::Risk);
        let mut made = BTreeMap::new();
        for model in models {
            // A rule or trend may be called as the measure it looks at: neither is a table of its own.
            let place = match model.front.kind {
                Kind::Measure | Kind::Rule | Kind::Trend | Kind::Risk | Kind::Tag | Kind::Check => {
                    format!("{:?} {}", model.front.kind, model.name)
                }
                Kind::Table | Kind::Label | Kind::List => model.name.clone(),
            };
            if let Some(first) = made.insert(place, model.path.clone()) {
                return Err(Error::MadeTwice { table: model.name.clone(), first, second: model.path.clone() });
            }
            if matches!(model.front.kind, Kind::Table | Kind::Label | Kind::List) {
                // A file in sql/staging takes the place of the staging that the contract would generate.
                if nodes.contains_key(&model.name) && !model.name.starts_with("stg_") {
                    let first = nodes[&model.name].path.clone();
                    return Err(Error::MadeTwice { table: model.name.clone(), first, second: model.path.clone() });
                }
                nodes.insert(model.name.clone(), Node::of_model(model));
            }
        }
        if pipelines.iter().any(issued::is_delivered) {
            for node in [issued::quality_source_day(pipelines), issued::drift_column_day(pipelines)] {
                nodes.insert(node.name.clone(), node);
            }
        }
        if let Some(subject) = subject.filter(|_| !measures.is_empty()) {
            let (closed, open): (Vec<&Model>, Vec<&Model>) =
                measures.iter().partition(|it| it.front.class == Some(Class::Closed));
            let mut generated = vec![issued::feat_measure(&open, subject), issued::portrait_student(&open, subject)];
            if !closed.is_empty() {
                generated.push(issued::closed_measure(&closed, subject));
            }
            if !tags.is_empty() {
                generated.push(issued::portrait_tag(&tags, subject));
            }
            if !trends.is_empty() {
                generated.extend([issued::warning_signal(subject), issued::warning_group()]);
            }
            if !rules.is_empty() || !trends.is_empty() || !risks.is_empty() {
                // What is closed is for a list of its office, and nobody else's offer.
                let offering: Vec<&Model> = risks.iter().copied().filter(|it| it.front.class != Some(Class::Closed)).collect();
                let candidates = issued::warning_candidate(&rules, &trends, &offering, subject);
                // What came of earlier offers weighs the rules, where casework is a source.
                let has_outcomes = OUTCOMES.iter().all(|it| nodes.contains_key(*it));
                let mut beside: Vec<&str> = if has_outcomes { OUTCOMES.to_vec() } else { Vec::new() };
                // Hours that people said they have, where they can say so.
                beside.extend(nodes.contains_key(HOURS).then_some(HOURS));
                let has_gap = measures.iter().any(|it| it.name == CONTACT_GAP);
                let ties = has_gap.then_some("feat_measure");
                generated.extend([candidates, issued::warning_student(subject, &beside, ties)]);
                if nodes.contains_key(effect::FOLLOWED) {
                    generated.push(effect::node(subject));
                }
                if seen::SEEN.iter().all(|it| nodes.contains_key(*it)) {
                    generated.push(seen::node(subject));
                }
            }
            generated.extend(risks.iter().map(|it| risk::cohort(it, subject)));
            for node in generated {
                nodes.insert(node.name.clone(), node);
            }
        }
        let is_measured = subject.is_some() && !measures.is_empty();
        if let (Some(risk), false) = (risks.first(), is_measured) {
            let message = "a risk model reads measures of students, and the project has none".to_owned();
            return Err(Error::Refused { path: risk.path.clone(), message });
        }
        // A label that nobody makes is refused below, with the words of the file that names it.
        let labels: Vec<String> =
            risks.iter().filter_map(|it| it.front.label.clone()).filter(|it| nodes.contains_key(it)).collect();
        for node in risk::generated(&risks, labels, subject) {
            nodes.insert(node.name.clone(), node);
        }
        let names: BTreeSet<String> = nodes.keys().cloned().collect();
        for node in nodes.values_mut() {
            let mut inputs: BTreeSet<String> = node.inputs.iter().cloned().collect();
            match node.origin {
                Origin::Raw
                | Origin::Offers
                | Origin::Kept
                | Origin::Drift
                | Origin::Scores
                | Origin::Audit
                | Origin::Effect
                | Origin::Visits => {}
                Origin::Signals => {
                    for trend in &trends {
                        inputs.extend(tables_of(&trend.query(), &trend.path)?);
                    }
                }
                Origin::Query => inputs.extend(tables_of(&node.sql, &node.path)?),
                Origin::Measures => {
                    let is_closed = is_closed_table(&node.name);
                    for measure in measures.iter().filter(|it| (it.front.class == Some(Class::Closed)) == is_closed) {
                        inputs.extend(tables_of(&measure.query(), &measure.path)?);
                        let also = measure.front.peer_also.iter().filter_map(|it| it.split_once('.'));
                        inputs.extend(also.map(|(table, _)| table.to_owned()));
                    }
                }
            }
            // An as-of model may read its own earlier partitions; that is no circle.
            inputs.remove(&node.name);
            for table in &inputs {
                known(table, &node.path, &names)?;
                shown_only(table, node)?;
            }
            node.inputs = inputs.into_iter().collect();
        }
        for check in issued::of_kind(models, Kind::Check) {
            for table in tables_of(&check.query(), &check.path)? {
                known(&table, &check.path, &names)?;
            }
        }
        let risks = risk::definitions(models, &nodes)?;
        let owned = |list: Vec<&Model>| list.into_iter().cloned().collect();
        let checks = owned(issued::of_kind(models, Kind::Check));
        let mut graph = Self {
            nodes: in_order(nodes)?,
            places: BTreeMap::new(),
            measures: owned(measures),
            checks,
            rules: owned(rules),
            trends: owned(trends),
            risks,
            tags: owned(tags),
            subject: subject.cloned(),
        };
        graph.places = graph.nodes.iter().enumerate().map(|(place, it)| (it.name.clone(), place)).collect();
        graph.refuse_unsound()?;
        Ok(graph)
    }

    /// The tables, each behind what it reads.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The rule files, for titles and caveats on screens.
    pub fn rules(&self) -> &[Model] {
        &self.rules
    }

    /// The trend files, for titles and caveats on screens.
    pub fn trends(&self) -> &[Model] {
        &self.trends
    }

    /// The risk models, for titles, labels and caveats on screens.
    pub fn risks(&self) -> &[Risk] {
        &self.risks
    }

    /// The tag files, for titles and dimensions on screens.
    pub fn tags(&self) -> &[Model] {
        &self.tags
    }

    /// The measures that land in a table: open ones in `feat_measure`, closed ones in `closed_measure`.
    pub(crate) fn measures_of(&self, table: &str) -> impl Iterator<Item = &Model> {
        let is_closed = is_closed_table(table);
        self.measures.iter().filter(move |it| (it.front.class == Some(Class::Closed)) == is_closed)
    }

    /// The measure files, for titles and units on screens.
    pub fn measures(&self) -> &[Model] {
        &self.measures
    }

    /// The table of a name.
    pub fn node(&self, name: &str) -> Option<&Node> {
        self.places.get(name).map(|place| &self.nodes[*place])
    }

    /// The stored tables that a table reads, looking through views.
    pub(crate) fn stored_inputs(&self, node: &Node) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for input in &node.inputs {
            match self.node(input) {
                Some(it) if it.is_stored() => {
                    found.insert(input.clone());
                }
                Some(view) => found.extend(self.stored_inputs(view)),
                None => {}
            }
        }
        found
    }

    /// The tables that the tick keeps up to date; what they are made of is built with them.
    pub fn live(&self) -> Vec<String> {
        self.nodes.iter().filter(|it| it.is_live).map(|it| it.name.clone()).collect()
    }

    /// The raw tables that some tables are made of.
    pub fn raw_of(&self, tables: &[String]) -> BTreeSet<String> {
        let upstream = tables.iter().flat_map(|it| self.upstream(it));
        upstream.filter(|it| self.node(it).is_some_and(|it| it.origin == Origin::Raw)).collect()
    }

    /// The stored tables without as-of dates that follow from the rows of some pipelines.
    pub fn made_of(&self, pipelines: &[String]) -> Vec<String> {
        let raw: Vec<String> = pipelines.iter().map(|it| format!("raw_{it}")).collect();
        let follows = |it: &&Node| {
            let upstream = self.upstream(&it.name);
            !matches!(it.materialized, Materialized::View | Materialized::AsOf)
                && it.origin != Origin::Raw
                && raw.iter().any(|raw| upstream.contains(raw))
        };
        self.nodes.iter().filter(follows).map(|it| it.name.clone()).collect()
    }

    /// The table and everything it is made of, nearest first.
    pub fn upstream(&self, name: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut open = vec![name.to_owned()];
        while let Some(name) = open.pop() {
            if let Some(node) = self.node(&name)
                && found.insert(name)
            {
                open.extend(node.inputs.iter().cloned());
            }
        }
        found
    }

    /// The tables that a query reads: those that it names, and what views among them are made of. `None` if it is no SELECT
    /// (EXPLAIN, SHOW TABLES), or names what no model makes.
    pub(crate) fn read_by(&self, query: &str) -> Option<BTreeSet<String>> {
        let mut open: Vec<String> = tables_of(query, "the query").ok()?.into_iter().collect();
        let mut found = BTreeSet::new();
        while let Some(name) = open.pop() {
            let node = self.node(&name)?;
            if found.insert(name) && !node.is_stored() {
                open.extend(node.inputs.iter().cloned());
            }
        }
        Some(found)
    }

    /// What the way of storing forbids: it would break "as of" or dirty tracking without anybody noticing.
    fn refuse_unsound(&self) -> Result<(), Error> {
        for node in &self.nodes {
            let refuse = |message: String| Err(Error::Refused { path: node.path.clone(), message });
            if matches!(node.materialized, Materialized::Day | Materialized::StudentDay) && node.origin == Origin::Query {
                for input in self.stored_inputs(node) {
                    let partition = self.node(&input).and_then(Node::partition_by);
                    if partition != Some("occurred_on") {
                        return refuse(format!(
                            "a table by day may only read tables by day, and \"{input}\" changes without a day: join it later"
                        ));
                    }
                }
            }
            if node.is_live {
                // A tick builds what it needs with all that is above it, and a date that is written once is not the tick's.
                let stored = self.upstream(&node.name);
                let dated = stored.iter().find(|it| self.node(it).is_some_and(|it| it.materialized == Materialized::AsOf));
                if let Some(input) = dated {
                    return refuse(format!(
                        "is live and reads \"{input}\", which is written once a date: read staging, or tables by day, instead"
                    ));
                }
                if let Some(label) = stored.iter().find(|it| self.node(it).is_some_and(Node::is_label)) {
                    return refuse(format!(
                        "reads label \"{label}\": an outcome is for training and evaluation, and never an input"
                    ));
                }
            }
            let is_input = node.materialized == Materialized::AsOf && !matches!(node.origin, Origin::Scores | Origin::Audit);
            if is_input && let Some(label) = self.as_of_inputs(node).iter().find(|it| self.node(it).is_some_and(Node::is_label)) {
                return refuse(format!("reads label \"{label}\": an outcome is for training and evaluation, and never an input"));
            }
            if node.materialized == Materialized::AsOf {
                for input in self.as_of_inputs(node) {
                    let Some(table) = self.node(&input) else { continue };
                    // Who was helped says itself from when on that was known, as an outcome does.
                    let is_help = || self.risks.iter().any(|it| it.model.front.censor_by.as_ref() == Some(&input));
                    if table.is_label() || (node.origin == Origin::Audit && is_help()) {
                        continue;
                    }
                    let is_sound = match table.materialized {
                        Materialized::StudentDay | Materialized::AsOf | Materialized::View => true,
                        Materialized::Day | Materialized::Whole => table.is_versioned && table.origin != Origin::Raw,
                    };
                    if !is_sound {
                        return refuse(format!(
                            "reads \"{input}\", which does not remember when its rows became known: \
                             a value as of a date cannot be made of it"
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    /// Tables that an as-of model meets: direct inputs, and inputs of views that are files; staging views filter themselves.
    fn as_of_inputs(&self, node: &Node) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for input in &node.inputs {
            match self.node(input) {
                Some(view) if !view.is_stored() && !view.is_versioned => found.extend(self.as_of_inputs(view)),
                Some(_) => {
                    found.insert(input.clone());
                }
                None => {}
            }
        }
        found
    }
}

/// Tables that are shown beside a case and are an input of nothing, each with the one table that may be made of it: whoever
/// asks for help must not be found by a rule because of it.
const SHOWN_ONLY: [(&str, &str); 2] = [("stg_counselling_state", "closed_counselling"), ("closed_counselling", "")];

fn shown_only(table: &str, node: &Node) -> Result<(), Error> {
    match SHOWN_ONLY.iter().find(|it| it.0 == table) {
        Some((_, only)) if *only != node.name => {
            let message = format!("\"{table}\" is shown to psychology beside a case and is an input of nothing");
            Err(Error::Refused { path: node.path.clone(), message })
        }
        _ => Ok(()),
    }
}

fn known(table: &str, path: &str, names: &BTreeSet<String>) -> Result<(), Error> {
    if names.contains(table) {
        return Ok(());
    }
    let hint = nearest(table, names.iter().map(String::as_str)).map(str::to_owned);
    Err(Error::UnknownTable { path: path.to_owned(), table: table.to_owned(), hint })
}

/// Tables that a query names, without those that it makes itself by WITH.
pub(crate) fn tables_of(sql: &str, path: &str) -> Result<BTreeSet<String>, Error> {
    let refuse = |message: String| Error::Refused { path: path.to_owned(), message };
    let sql = sql.replace("$as_of", "DATE '2000-01-01'");
    let mut statements = DFParser::parse_sql(&sql).map_err(Error::query("read", path))?;
    let (Some(Statement::Statement(statement)), true) = (statements.pop_front(), statements.is_empty()) else {
        return Err(refuse("a model is one SELECT".to_owned()));
    };
    if !matches!(*statement, datafusion::sql::sqlparser::ast::Statement::Query(_)) {
        return Err(refuse("a model is one SELECT".to_owned()));
    }
    let mut names = Names::default();
    let _ = statement.visit(&mut names);
    Ok(names.read.difference(&names.made).cloned().collect())
}

/// Columns that a query names, under whatever name.
pub(crate) fn columns_of(sql: &str, path: &str) -> Result<BTreeSet<String>, Error> {
    let sql = sql.replace("$as_of", "DATE '2000-01-01'");
    let statements = DFParser::parse_sql(&sql).map_err(Error::query("read", path))?;
    let mut columns = Columns::default();
    for statement in statements {
        if let Statement::Statement(statement) = statement {
            let _ = statement.visit(&mut columns);
        }
    }
    Ok(columns.named)
}

#[derive(Default)]
struct Columns {
    named: BTreeSet<String>,
}

impl Visitor for Columns {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(name) => {
                self.named.insert(name.value.to_lowercase());
            }
            Expr::CompoundIdentifier(names) => self.named.extend(names.iter().map(|it| it.value.to_lowercase())),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

#[derive(Default)]
struct Names {
    read: BTreeSet<String>,
    made: BTreeSet<String>,
}

impl Visitor for Names {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        if let Some(with) = &query.with {
            self.made.extend(with.cte_tables.iter().map(|it| it.alias.name.value.to_lowercase()));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        self.read.insert(relation.to_string().to_lowercase());
        ControlFlow::Continue(())
    }
}

fn in_order(mut nodes: BTreeMap<String, Node>) -> Result<Vec<Node>, Error> {
    fn visit(
        name: &str,
        nodes: &mut BTreeMap<String, Node>,
        way: &mut Vec<String>,
        order: &mut Vec<Node>,
        done: &mut BTreeSet<String>,
    ) -> Result<(), Error> {
        if done.contains(name) {
            return Ok(());
        }
        if let Some(start) = way.iter().position(|it| it == name) {
            let mut circle = way[start..].to_vec();
            circle.push(name.to_owned());
            return Err(Error::Circle { circle });
        }
        way.push(name.to_owned());
        let inputs = nodes.get(name).map(|it| it.inputs.clone()).unwrap_or_default();
        for input in inputs {
            visit(&input, nodes, way, order, done)?;
        }
        way.pop();
        done.insert(name.to_owned());
        if let Some(node) = nodes.remove(name) {
            order.push(node);
        }
        Ok(())
    }
    let names: Vec<String> = nodes.keys().cloned().collect();
    let (mut order, mut done, mut way) = (Vec::new(), BTreeSet::new(), Vec::new());
    for name in names {
        visit(&name, &mut nodes, &mut way, &mut order, &mut done)?;
    }
    Ok(order)
}
