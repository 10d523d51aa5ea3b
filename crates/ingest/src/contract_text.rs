//! A contract from choices: what a person confirmed goes in, the text of `pipelines/<name>.toml` comes out.
//!
//! The text is read back before it is handed out, so that nothing is written that the platform would refuse.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schema::{
    Class, Column, ColumnType, Contract, Encoding, Epoch, EpochUnit, Export, Format, Head, Key, OccurredAt, OnConflict,
    PersonKind, Pipeline, RowKey, Rule, Shape, Source, SourceKind, Span,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::encoding;

/// What a person confirmed of a source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Choices {
    /// Name of the pipeline.
    pub name: String,
    /// One sentence for the catalogue.
    pub about: String,
    /// Events or states.
    pub shape: Shape,
    /// For states: whether a file is the whole register.
    #[serde(default)]
    pub export: Export,
    /// Office that answers for the data.
    pub owner: String,
    /// What the data may be used for.
    pub purpose: Vec<String>,
    /// How long raw rows are kept, `"4y"`.
    pub retention: String,
    /// Number of the approval, if it is known.
    #[serde(default)]
    pub approval: Option<String>,
    /// Files under the input folder.
    pub path: String,
    /// File format.
    pub format: Format,
    /// Encoding of text files.
    #[serde(default)]
    pub encoding: Encoding,
    /// Separator, where it is not the format's own.
    #[serde(default)]
    pub separator: Option<char>,
    /// Sheet, where it is not the first.
    #[serde(default)]
    pub sheet: Option<String>,
    /// Rows above the head, or above the first row where there is no head.
    #[serde(default)]
    pub skip_rows: u32,
    /// There is no head.
    #[serde(default)]
    pub headless: bool,
    /// Version of the contract.
    #[serde(default = "first_version")]
    pub version: u32,
    /// Columns that tell one row from another; none is the whole row.
    #[serde(default)]
    pub key: Vec<String>,
    /// Which row holds when two have the same key.
    #[serde(default)]
    pub on_conflict: OnConflict,
    /// Column that says when the row's fact happened.
    #[serde(default)]
    pub occurred_at: Option<String>,
    /// How to read it, if it is a whole number.
    #[serde(default)]
    pub occurred_as: Option<EpochUnit>,
    /// Columns that tell when a state last changed: which of two versions known at one instant holds.
    #[serde(default)]
    pub changed_at: Vec<String>,
    /// Earliest believable day.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub start: Option<chrono::NaiveDate>,
    /// How long after it happened a row usually comes, `"1d"`.
    pub usual_delay: String,
    /// How long after it happened a row may still come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late_max: Option<String>,
    /// Whether rows may also be pushed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub push: bool,
    /// How far in the future a device's clock may lie, where it is not a day.
    #[serde(default)]
    pub skew_max: Option<String>,
    /// Share of bad rows above which a file is refused.
    pub reject_share_max: f64,
    /// Rules between columns.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// Columns in the order of the source.
    pub columns: Vec<ColumnChoice>,
}

fn first_version() -> u32 {
    1
}

/// What a person confirmed of a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ColumnChoice {
    /// Name of the column.
    pub name: String,
    /// Name in the source; none where there is no head, or where it is the column's own.
    #[serde(default)]
    pub head: Option<String>,
    /// What the values are.
    #[serde(rename = "type")]
    pub type_: ColumnType,
    /// What the column means.
    pub about: String,
    /// How sensitive it is.
    pub class: Class,
    /// Whether an empty value is a defect.
    #[serde(default)]
    pub required: bool,
    /// Whether the source may lack the column.
    #[serde(default)]
    pub optional: bool,
    /// The column holds a person's number.
    #[serde(default)]
    pub person: Option<PersonKind>,
    /// Name of the key column.
    #[serde(default)]
    pub key_as: Option<String>,
    /// The words allowed; none is any.
    #[serde(default)]
    pub one_of: Vec<String>,
    /// The words allowed and what each becomes.
    #[serde(default)]
    pub codes: BTreeMap<String, String>,
    /// Least value.
    #[serde(default)]
    pub min: Option<i64>,
    /// Greatest value.
    #[serde(default)]
    pub max: Option<i64>,
    /// Places by which a decimal number is moved.
    #[serde(default)]
    pub decimal_shift: Option<u8>,
    /// How a date or time is written.
    #[serde(default)]
    pub format: Option<String>,
    /// The day from which a date is counted.
    #[serde(default)]
    pub epoch: Option<Epoch>,
    /// Unit of the value.
    #[serde(default)]
    pub unit: Option<String>,
    /// Table and column it refers to.
    #[serde(default)]
    pub refers: Option<String>,
}

impl ColumnChoice {
    /// The choice that a declared column stands for.
    pub fn of(name: &str, column: &Column) -> Self {
        let it = column.clone();
        Self {
            name: name.to_owned(),
            head: it.head,
            type_: it.type_,
            about: it.about,
            class: it.class,
            required: it.required,
            optional: it.optional,
            person: it.person,
            key_as: it.key_as,
            one_of: it.one_of.unwrap_or_default(),
            codes: it.codes.unwrap_or_default(),
            min: it.min,
            max: it.max,
            decimal_shift: it.decimal_shift,
            format: it.format,
            epoch: it.epoch,
            unit: it.unit,
            refers: it.refers,
        }
    }
}

impl Choices {
    /// The choices that a contract over files stands for; `None` of one over a database.
    pub fn of(pipeline: &Pipeline) -> Option<Self> {
        // A sentence in Chinese beside it would outlive the one that the wizard lets its writer change.
        let Head { name, about, about_zh: _, shape, export, owner, approval, purpose, retention, push, source } =
            pipeline.pipeline.clone();
        let Contract {
            version,
            key,
            on_conflict,
            occurred_at,
            changed_at,
            start,
            usual_delay,
            late_max,
            skew_max,
            reject_share_max,
            rules,
        } = pipeline.contract.clone();
        let Source { kind, format, path, encoding, separator, sheet, skip_rows, headless, .. } = source;
        if kind != SourceKind::Files {
            return None;
        }
        let (occurred_at, occurred_as) = occurred_at.map_or((None, None), |OccurredAt { column, as_ }| (Some(column), as_));
        Some(Self {
            name,
            about,
            shape,
            export,
            owner,
            purpose,
            retention: span_text(retention),
            approval,
            path,
            format: format?,
            encoding,
            separator,
            sheet,
            skip_rows,
            headless,
            version,
            key: match key {
                Key::Columns(names) => names,
                Key::Row(RowKey::Row) => Vec::new(),
            },
            on_conflict,
            occurred_at,
            occurred_as,
            changed_at,
            start,
            usual_delay: span_text(usual_delay),
            late_max: late_max.map(span_text),
            push,
            skew_max: Some(span_text(skew_max)).filter(|it| it != "1d"),
            reject_share_max,
            rules,
            columns: pipeline.columns.iter().map(|(name, it)| ColumnChoice::of(name, it)).collect(),
        })
    }
}

/// The text of a contract and the contract itself.
///
/// # Errors
/// If the choices contradict one another; the message names the key and what would do.
pub fn contract_text(choices: &Choices) -> Result<(String, Pipeline), schema::Error> {
    let text = written(choices);
    let path = PathBuf::from(format!("{}.toml", choices.name));
    let pipeline = Pipeline::parse(&path, &text)?;
    Ok((text, pipeline))
}

fn written(it: &Choices) -> String {
    let mut text = String::from("#:schema pipeline.schema.json\n");
    let shape = crate::said::shape_words(it.shape);
    text += &format!("# {} Written by the import wizard ({}).\n", one_line(&it.about), shape.zh);

    let mut head = vec![
        ("name", quote(&it.name)),
        ("about", quote(&it.about)),
        ("shape", quote(word(&it.shape).as_str())),
        ("owner", quote(&it.owner)),
        ("purpose", list(&it.purpose)),
        ("retention", quote(&it.retention)),
    ];
    if it.shape == Shape::State {
        head.insert(3, ("export", quote(word(&it.export).as_str())));
    }
    if let Some(approval) = &it.approval {
        head.push(("approval", quote(approval)));
    }
    let mut source = vec![format!("format = {}", quote(&word(&it.format)))];
    if it.encoding != Encoding::Utf8 {
        source.push(format!("encoding = {}", quote(encoding::word(it.encoding))));
    }
    source.push(format!("path = {}", quote(&it.path)));
    if let Some(separator) = it.separator {
        source.push(format!("separator = {}", quote(&separator.to_string())));
    }
    if let Some(sheet) = &it.sheet {
        source.push(format!("sheet = {}", quote(sheet)));
    }
    if it.skip_rows != 0 {
        source.push(format!("skip_rows = {}", it.skip_rows));
    }
    if it.headless {
        source.push("headless = true".to_owned());
    }
    if it.push {
        head.push(("push", "true".to_owned()));
    }
    head.push(("source", format!("{{ {} }}", source.join(", "))));
    section(&mut text, "pipeline", &head);

    let mut contract = vec![
        ("version", it.version.to_string()),
        ("key", if it.key.is_empty() { quote("row") } else { list(&it.key) }),
        ("on_conflict", quote(&word(&it.on_conflict))),
    ];
    if let Some(column) = &it.occurred_at {
        let as_ = it.occurred_as.map(|it| format!(", as = {}", quote(&word(&it)))).unwrap_or_default();
        contract.push(("occurred_at", format!("{{ column = {}{as_} }}", quote(column))));
    }
    if !it.changed_at.is_empty() {
        contract.push(("changed_at", list(&it.changed_at)));
    }
    if let Some(start) = it.start {
        contract.push(("start", quote(&start.to_string())));
    }
    contract.push(("usual_delay", quote(&it.usual_delay)));
    if let Some(late_max) = &it.late_max {
        contract.push(("late_max", quote(late_max)));
    }
    if let Some(skew_max) = &it.skew_max {
        contract.push(("skew_max", quote(skew_max)));
    }
    contract.push(("reject_share_max", share(it.reject_share_max)));
    if !it.rules.is_empty() {
        let rules = it.rules.iter().map(|it| {
            let op = quote(&word(&it.op));
            format!("{{ name = {}, left = {}, op = {op}, right = {} }}", quote(&it.name), quote(&it.left), quote(&it.right))
        });
        contract.push(("rules", format!("[{}]", rules.collect::<Vec<_>>().join(", "))));
    }
    section(&mut text, "contract", &contract);

    let columns: Vec<(&str, String)> = it.columns.iter().map(|it| (it.name.as_str(), column(it))).collect();
    section(&mut text, "columns", &columns);
    text
}

fn section(text: &mut String, name: &str, lines: &[(&str, String)]) {
    let width = lines.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
    *text += &format!("\n[{name}]\n");
    for (key, value) in lines {
        *text += &format!("{key:<width$} = {value}\n");
    }
}

fn column(it: &ColumnChoice) -> String {
    let mut parts = Vec::new();
    let mut add = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            parts.push(format!("{key} = {value}"));
        }
    };
    add("head", it.head.as_ref().filter(|head| **head != it.name).map(|it| quote(it)));
    add("type", Some(quote(&word(&it.type_))));
    add("required", it.required.then(|| "true".to_owned()));
    add("optional", it.optional.then(|| "true".to_owned()));
    add("person", it.person.map(|it| quote(&word(&it))));
    add("key_as", it.key_as.as_ref().map(|it| quote(it)));
    add("decimal_shift", it.decimal_shift.map(|it| it.to_string()));
    add("min", it.min.map(|it| it.to_string()));
    add("max", it.max.map(|it| it.to_string()));
    add("format", it.format.as_ref().map(|it| quote(it)));
    add("epoch", it.epoch.as_ref().map(epoch));
    add("unit", it.unit.as_ref().map(|it| quote(it)));
    add("refers", it.refers.as_ref().map(|it| quote(it)));
    add("class", Some(quote(it.class.as_str())));
    add("one_of", (!it.one_of.is_empty()).then(|| list(&it.one_of)));
    add(
        "codes",
        (!it.codes.is_empty()).then(|| {
            let codes = it.codes.iter().map(|(from, to)| format!("{} = {}", quote(from), quote(to)));
            format!("{{ {} }}", codes.collect::<Vec<_>>().join(", "))
        }),
    );
    add("about", Some(quote(&it.about)));
    format!("{{ {} }}", parts.join(", "))
}

fn epoch(it: &Epoch) -> String {
    match (it.day(), it.by_column()) {
        (Some(day), _) => quote(&day.to_string()),
        (None, Some((column, days))) => {
            let days = days.iter().map(|(value, day)| format!("{} = {}", quote(value), quote(&day.to_string())));
            format!("{{ column = {}, of = {{ {} }} }}", quote(column), days.collect::<Vec<_>>().join(", "))
        }
        (None, None) => quote(""),
    }
}

/// The word under which serde knows a choice.
fn word(it: &impl Serialize) -> String {
    match serde_json::to_value(it) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

fn list(words: &[String]) -> String {
    format!("[{}]", words.iter().map(|it| quote(it)).collect::<Vec<_>>().join(", "))
}

/// A basic string of TOML.
fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for it in text.chars() {
        match it {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            it if it.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(it))),
            it => out.push(it),
        }
    }
    out.push('"');
    out
}

/// A comment ends with its line; no control character may stand in it.
fn one_line(text: &str) -> String {
    text.chars().map(|it| if it.is_control() { ' ' } else { it }).collect::<String>().trim().to_owned()
}

fn share(value: f64) -> String {
    let text = value.to_string();
    if text.contains('.') { text } else { format!("{text}.0") }
}

fn span_text(span: Span) -> String {
    let seconds = span.micros() / 1_000_000;
    let units = [("y", 365 * 86_400), ("mo", 30 * 86_400), ("d", 86_400), ("h", 3_600), ("m", 60)];
    let unit = units.iter().find(|(_, factor)| 0 < seconds && seconds % factor == 0);
    unit.map_or_else(|| format!("{seconds}s"), |(unit, factor)| format!("{}{unit}", seconds / factor))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_contract_of_the_house_is_written_as_it_was_read() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines");
        let mut n = 0;
        for entry in std::fs::read_dir(folder).expect("pipelines") {
            let path = entry.expect("an entry").path();
            if path.extension().is_none_or(|it| it != "toml") {
                continue;
            }
            let pipeline = Pipeline::parse(&path, &std::fs::read_to_string(&path).expect("text")).expect("sound");
            let Some(choices) = Choices::of(&pipeline) else { continue };
            let (text, again) = contract_text(&choices).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert_eq!(Choices::of(&again).as_ref(), Some(&choices), "{text}");
            assert!(text.starts_with("#:schema pipeline.schema.json\n# "), "{text}");
            let json = serde_json::to_string(&choices).expect("JSON");
            assert_eq!(serde_json::from_str::<Choices>(&json).expect("choices"), choices);
            n += 1;
        }
        assert!(40 < n, "only {n} contracts");
    }

    #[test]
    fn what_stands_in_quotes_does_not_end_them() {
        assert_eq!(quote("a\"b\\c\nd\u{7f}"), "\"a\\\"b\\\\c\\nd\\u007F\"");
        assert_eq!(one_line("a\nb = 1"), "a b = 1");
        assert_eq!(span_text(Span::parse("18mo").expect("a span")), "18mo");
        assert_eq!(span_text(Span::parse("36h").expect("a span")), "36h");
    }

    #[test]
    fn choices_that_contradict_one_another_are_refused_with_the_key() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines/leave_record.toml");
        let pipeline = Pipeline::parse(&path, &std::fs::read_to_string(&path).expect("text")).expect("sound");
        let mut choices = Choices::of(&pipeline).expect("files");
        choices.key = vec!["nothing".to_owned()];
        assert!(contract_text(&choices).expect_err("refused").to_string().contains("contract.key"));
        choices = Choices::of(&pipeline).expect("files");
        choices.name = "../leave".to_owned();
        assert!(contract_text(&choices).expect_err("refused").to_string().contains("snake_case"));
    }
}
