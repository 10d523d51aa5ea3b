//! Whether what serves a safety purpose is made of sources that may be used for it.
//!
//! The door holds a contract's purposes against the approval of its source. Here a model's are held against the contracts
//! of all that its rows are made of, through every table between them.

use std::collections::{BTreeMap, BTreeSet};

use schema::{Kind, Model, Pipeline};

use crate::Error;
use crate::graph::tables_of;

/// Purposes that are held: looking for somebody whom no device saw asks most of what was given for something else.
const HELD: [&str; 1] = ["public_safety"];

/// A model that reads a source for what its contract does not name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BeyondPurpose {
    /// File of the model.
    pub path: String,
    /// What the model says that it is for.
    pub purpose: String,
    /// Pipeline whose contract lacks it.
    pub pipeline: String,
}

/// Models that serve a held purpose, each with the sources that do not name it, in the order of their files.
///
/// Tables that the platform writes of many models (`feat_measure`) are not looked through: each measure answers for its own
/// purpose.
///
/// # Errors
/// If a query is no query.
pub fn beyond_purpose(pipelines: &[Pipeline], models: &[Model]) -> Result<Vec<BeyondPurpose>, Error> {
    let contracts: BTreeMap<&str, &Pipeline> = pipelines.iter().map(|it| (it.name(), it)).collect();
    let mut tables: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for model in models {
        if matches!(model.front.kind, Kind::Table | Kind::Label | Kind::List) {
            tables.insert(&model.name, tables_of(&model.query(), &model.path)?);
        }
    }
    let mut beyond = BTreeSet::new();
    for model in models {
        for purpose in model.front.purpose.iter().filter(|it| HELD.contains(&it.as_str())) {
            let mut open: Vec<String> = tables_of(&model.query(), &model.path)?.into_iter().collect();
            let mut seen = BTreeSet::new();
            while let Some(table) = open.pop() {
                if !seen.insert(table.clone()) {
                    continue;
                }
                // A file in sql/staging comes before what the contract would generate.
                if let Some(inputs) = tables.get(table.as_str()) {
                    open.extend(inputs.iter().cloned());
                    continue;
                }
                let source = ["raw_", "stg_", "dup_"].iter().find_map(|it| table.strip_prefix(it));
                let Some(contract) = source.and_then(|it| contracts.get(it)) else { continue };
                if !contract.pipeline.purpose.contains(purpose) {
                    beyond.insert(BeyondPurpose {
                        path: model.path.clone(),
                        purpose: purpose.clone(),
                        pipeline: contract.name().to_owned(),
                    });
                }
            }
        }
    }
    Ok(beyond.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn contract(name: &str, purposes: &str) -> Pipeline {
        let text = format!(
            r#"
[pipeline]
name = "{name}"
about = "x"
shape = "state"
owner = "x"
purpose = [{purposes}]
retention = "1y"
source = {{ format = "csv", path = "{name}.csv" }}
[contract]
version = 1
key = ["a"]
usual_delay = "1d"
[columns]
a = {{ type = "text", required = true, class = "internal", about = "x" }}
"#
        );
        Pipeline::parse(Path::new(""), &text).expect("a contract")
    }

    fn model(name: &str, purpose: &str, query: &str) -> Model {
        let text = format!(
            "/*---\nkind = \"table\"\nabout = \"x\"\nowner = \"x\"\nmaterialized = \"view\"\ngrain = [\"a\"]\npurpose = [\"{purpose}\"]\n\n\
             [columns]\na = {{ about = \"x\", class = \"internal\" }}\n---*/\n\n{query}\n"
        );
        Model::parse(Path::new(&format!("sql/{name}.sql")), &text, &BTreeMap::new()).expect("a model")
    }

    #[test]
    fn a_safety_purpose_is_held_against_every_source_through_the_tables_between() {
        let pipelines = [contract("gate", "\"public_safety\""), contract("talk", "\"duty\"")];
        let between = model("int_seen", "portrait", "SELECT a FROM stg_gate UNION ALL SELECT a FROM stg_talk");
        let of = |purpose: &str, query: &str| {
            let models = [between.clone(), model("list_missing", purpose, query)];
            beyond_purpose(&pipelines, &models).expect("queries")
        };
        let through = of("public_safety", "WITH seen AS (SELECT a FROM int_seen) SELECT a FROM seen");
        let expected = BeyondPurpose {
            path: "sql/list_missing.sql".to_owned(),
            purpose: "public_safety".to_owned(),
            pipeline: "talk".to_owned(),
        };
        assert_eq!(through, [expected]);
        // A source that names the purpose, and a model that is for something else, are nothing to tell.
        assert!(of("public_safety", "SELECT a FROM stg_gate").is_empty());
        assert!(of("portrait", "SELECT a FROM int_seen").is_empty());
    }
}
