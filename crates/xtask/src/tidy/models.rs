//! SQL files and contracts: the front matter is readable, every column that it names says what it is, and each says in
//! both languages what it is about. A school may leave the Chinese out of its own; the house does not.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use schema::{Kind, Model, Pipeline};

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
        findings.extend(unsaid(path, &front.about, front.about_zh.as_deref()));
        for (name, column) in &front.columns {
            // Without words of its own it takes those of the columns that it is made of, in both languages.
            match (column.about.as_deref(), column.about_zh.as_deref()) {
                (Some(about), about_zh) => findings.extend(half_said(path, name, about, about_zh)),
                (None, Some(said)) => findings.extend(judging(path, said)),
                (None, None) => {}
            }
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
    for path in files.iter().filter(|it| it.starts_with("pipelines/") && it.ends_with(".toml")) {
        match Pipeline::parse(Path::new(path), &fs::read_to_string(root.join(path))?) {
            Ok(it) => {
                findings.extend(unsaid(path, &it.pipeline.about, it.pipeline.about_zh.as_deref()));
                for (name, column) in &it.columns {
                    findings.extend(half_said(path, name, &column.about, column.about_zh.as_deref()));
                }
            }
            Err(error) => findings.push(format!("{path}: {error}")),
        }
    }
    Ok(findings)
}

/// What is wrong with the sentences that say what a file is about: one in English, one in Chinese.
fn unsaid(path: &str, about: &str, about_zh: Option<&str>) -> Vec<String> {
    let mut findings = Vec::new();
    if !about.ends_with('.') {
        findings.push(format!("{path}: about is not a sentence"));
    }
    match about_zh {
        None => findings.push(format!("{path}: screens need about_zh, the same sentence in Chinese")),
        Some(said) if !said.ends_with('。') || said.is_ascii() => {
            findings.push(format!("{path}: about_zh is not a sentence in Chinese"));
        }
        Some(said) => findings.extend(judging(path, said)),
    }
    findings
}

/// What is wrong with the words of a column: readers of the catalogue find both languages, or neither.
fn half_said(path: &str, column: &str, about: &str, about_zh: Option<&str>) -> Vec<String> {
    match about_zh {
        None => vec![format!("{path}: column {column} needs about_zh beside \"{about}\": the catalogue is read in Chinese")],
        Some(said) if !said.ends_with('。') || said.is_ascii() => {
            vec![format!("{path}: about_zh of column {column} is not a sentence in Chinese")]
        }
        Some(said) => judging(path, said).collect(),
    }
}

/// Words in a text for screens that the house never says.
fn judging(path: &str, text: &str) -> impl Iterator<Item = String> {
    schema::forbidden(text).into_iter().map(move |word| format!("{path}: \"{word}\" judges or frightens: say what was seen"))
}

/// The settings that every SQL file may use, with their defaults.
fn shared(root: &Path) -> anyhow::Result<BTreeMap<String, toml::Value>> {
    let defaults: toml::Table = toml::from_str(&fs::read_to_string(root.join("crates/cli/default.toml"))?)?;
    let policy = defaults.get("policy").and_then(toml::Value::as_table);
    let numbers = policy.into_iter().flatten().filter(|(name, _)| name.starts_with("k_"));
    Ok(numbers.map(|(name, value)| (name.clone(), value.clone())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_the_house_says_in_both_languages_what_it_is_about() {
        assert_eq!(unsaid("a.sql", "Beds.", Some("床位。")), [""; 0]);
        let found = |about: &str, about_zh: Option<&str>| unsaid("a.sql", about, about_zh).len();
        assert_eq!(found("Beds.", None), 1, "the Chinese is missing");
        assert_eq!(found("Beds.", Some("Beds.")), 1, "English is no Chinese");
        assert_eq!(found("Beds.", Some("床位")), 1, "half a sentence");
        assert_eq!(found("Beds", None), 2);
        let judged = unsaid("a.sql", "Beds.", Some("作息异常的学生。"));
        assert!(judged.len() == 1 && judged[0].contains("异常"), "{judged:?}");
    }

    #[test]
    fn a_column_that_says_something_says_it_in_both_languages() {
        assert_eq!(half_said("a.sql", "bed", "Bed.", Some("床位。")), [""; 0]);
        for about_zh in [None, Some("Bed."), Some("床位"), Some("异常的床位。")] {
            assert_eq!(half_said("a.sql", "bed", "Bed.", about_zh).len(), 1, "{about_zh:?}");
        }
    }

    #[test]
    fn every_file_of_the_house_keeps_the_rule() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut files = Vec::new();
        let mut open = vec![root.join("sql"), root.join("pipelines")];
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(&folder).expect("a folder of the house") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    open.push(path);
                } else {
                    files.push(path.strip_prefix(&root).expect("below the house").to_string_lossy().replace('\\', "/"));
                }
            }
        }
        assert!(files.iter().filter(|it| it.ends_with(".sql") || it.ends_with(".toml")).count() > 200);
        assert_eq!(check(&root, &files).expect("readable"), [""; 0]);
    }
}
