//! SQL files: the front matter is readable, and every column that it names says what it is.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use schema::{Kind, Model};

pub(super) fn check(root: &Path, files: &[String]) -> anyhow::Result<Vec<String>> {
    let mut findings = Vec::new();
    let shared = shared(root)?;
    for path in files.iter().filter(|it| it.starts_with("sql/") && it.ends_with(".sql") && !it.starts_with("sql/analyst/")) {
        let text = fs::read_to_string(root.join(path))?;
        let model = match Model::parse(Path::new(path), &text, &shared) {
            Ok(model) => model,
            Err(error) => {
                findings.push(format!("{path}: {error}"));
                continue;
            }
        };
        let front = &model.front;
        if !front.about.ends_with('.') {
            findings.push(format!("{path}: about is not a sentence"));
        }
        for (name, column) in &front.columns {
            if column.about.is_none() && column.class.is_none() && column.title_zh.is_none() {
                findings.push(format!("{path}: column {name} says neither what it means nor its class"));
            }
        }
        let steps = [&front.first_step_zh, &front.first_step_en];
        let said = [&front.title_zh, &front.title_en, &front.caveat_zh, &front.caveat_en].into_iter().chain(steps).flatten();
        let sentences = matches!(front.kind, Kind::Rule | Kind::Trend | Kind::Tag | Kind::List).then_some(&model.sql);
        for word in said.chain(sentences).flat_map(|it| schema::forbidden(it)) {
            findings.push(format!("{path}: \"{word}\" judges or frightens: say what was seen"));
        }
        let has_titles = front.title_zh.is_some() && front.title_en.is_some();
        if matches!(front.kind, Kind::Measure | Kind::Rule | Kind::Trend | Kind::Label | Kind::Risk | Kind::List) && !has_titles {
            findings.push(format!("{path}: screens need title_zh and title_en"));
        }
        if front.kind == Kind::Measure && front.unit.is_none() {
            findings.push(format!("{path}: a measure has a unit"));
        }
        if matches!(front.kind, Kind::Rule | Kind::Trend | Kind::Risk) && (front.caveat_zh.is_none() || front.caveat_en.is_none())
        {
            findings.push(format!("{path}: a rule says what it does not mean: caveat_zh, caveat_en"));
        }
        if matches!(front.kind, Kind::Rule | Kind::Trend | Kind::Risk) && steps.iter().any(|it| it.is_none()) {
            findings.push(format!("{path}: a rule says what somebody may do first: first_step_zh, first_step_en"));
        }
    }
    Ok(findings)
}

/// The settings that every SQL file may use, with their defaults.
fn shared(root: &Path) -> anyhow::Result<BTreeMap<String, toml::Value>> {
    let defaults: toml::Table = toml::from_str(&fs::read_to_string(root.join("crates/cli/default.toml"))?)?;
    let policy = defaults.get("policy").and_then(toml::Value::as_table);
    let numbers = policy.into_iter().flatten().filter(|(name, _)| name.starts_with("k_"));
    Ok(numbers.map(|(name, value)| (name.clone(), value.clone())).collect())
}
