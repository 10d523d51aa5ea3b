//! What stands out in a student's row, as facts: the value, what it is held against, and what is missing.

use schema::Model;
use warning::said;

use super::{Input, Risk};
use crate::Graph;

/// Facts that are told; more are a wall of text.
const FACTS_MAX: usize = 3;

/// One input of a listed student.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fact {
    /// Place among the inputs.
    pub(crate) input: usize,
    pub(crate) value: f64,
    /// What it added to the score; more is nearer to the outcome.
    pub(crate) adds: f64,
    /// Middle of the cohort on the same date.
    pub(crate) middle: f64,
}

fn titles(input: &Input, measures: &[Model]) -> (String, String, String) {
    let measure = measures.iter().find(|it| it.name == input.measure);
    let word = |of: fn(&Model) -> &Option<String>| measure.and_then(|it| of(it).clone()).unwrap_or_else(|| input.name.clone());
    let (zh, en) = (word(|it| &it.front.title_zh), word(|it| &it.front.title_en));
    let unit = measure.and_then(|it| it.front.unit.clone()).unwrap_or_default();
    match input.column {
        "z_self" => (format!("{zh}（与自己以往相比）"), format!("{en} (against the own past)"), "deviation".to_owned()),
        "z_peer" => (format!("{zh}（与同类学生相比）"), format!("{en} (against peers)"), "deviation".to_owned()),
        _ => (zh, en, unit),
    }
}

/// Titles and unit of an input, for screens.
pub(crate) fn words_of(input: &Input, measures: &[Model]) -> (String, String, String) {
    titles(input, measures)
}

/// What a baseline is called, in Chinese and in English: a rule, a trend, or a measure with the side that is worse.
pub(crate) fn baseline_words(name: &str, graph: &Graph) -> (String, String) {
    if let Some((table, column)) = super::of_table(name) {
        let known = graph.node(table).and_then(|it| it.columns.get(column));
        let word = |it: Option<&String>| it.cloned().unwrap_or_else(|| name.to_owned());
        return (word(known.and_then(|it| it.title_zh.as_ref())), word(known.and_then(|it| it.title_en.as_ref())));
    }
    let (side, name) = name.split_once(':').unwrap_or(("", name));
    let known = graph.measures().iter().chain(graph.rules()).chain(graph.trends()).find(|it| it.name == name);
    let word = |of: fn(&Model) -> &Option<String>| known.and_then(|it| of(it).clone()).unwrap_or_else(|| name.to_owned());
    let (zh, en) = (word(|it| &it.front.title_zh), word(|it| &it.front.title_en));
    match side {
        "low" => (format!("{zh}偏低"), format!("low {en}")),
        "high" => (format!("{zh}偏高"), format!("high {en}")),
        _ => (zh, en),
    }
}

/// The reason of one listed student, in Chinese and in English.
pub(crate) fn reason(risk: &Risk, measures: &[Model], facts: &[Fact], probability: f64) -> (String, String) {
    let word = |it: &Option<String>| it.clone().unwrap_or_default();
    let (label_zh, label_en) = (word(&risk.label.front.title_zh), word(&risk.label.front.title_en));
    let days = risk.horizon.days;
    let mut known: Vec<&Fact> = facts.iter().filter(|it| !it.value.is_nan() && 0.0 < it.adds).collect();
    known.sort_by(|a, b| b.adds.total_cmp(&a.adds).then(a.input.cmp(&b.input)));
    let one = |it: &&Fact| {
        let (zh, en, unit) = titles(&risk.inputs[it.input], measures);
        let (now, middle) = (said(&unit, it.value), said(&unit, it.middle));
        if it.middle.is_nan() {
            return (format!("{zh} {}", now.0), format!("{en} {}", now.1));
        }
        (format!("{zh} {}，同批学生中位数 {}", now.0, middle.0), format!("{en} {}, the middle of the others {}", now.1, middle.1))
    };
    let (zh, en): (Vec<String>, Vec<String>) = known.iter().take(FACTS_MAX).map(one).unzip();
    let missing: Vec<(String, String, String)> =
        facts.iter().filter(|it| it.value.is_nan()).map(|it| titles(&risk.inputs[it.input], measures)).collect();
    let percent = 100.0 * probability;
    let mut said_zh = format!("近况与以往 {days} 天内出现“{label_zh}”的学生相近（这样的学生中约 {percent:.0}% 后来出现）");
    let mut said_en = format!(
        "The record is like that of students of the past for whom “{label_en}” followed within {days} days (about {percent:.0}% of those)"
    );
    if !zh.is_empty() {
        said_zh += &format!("：{}", zh.join("；"));
        said_en += &format!(": {}", en.join("; "));
    }
    said_zh += "。";
    said_en += ".";
    if !missing.is_empty() {
        let of = |pick: fn(&(String, String, String)) -> &String, between: &str| {
            missing.iter().take(FACTS_MAX).map(|it| pick(it).as_str()).collect::<Vec<_>>().join(between)
        };
        let more = missing.len().saturating_sub(FACTS_MAX);
        let (more_zh, more_en) = if more == 0 {
            (String::new(), String::new())
        } else {
            (format!("等 {} 项", missing.len()), format!(" and {more} more"))
        };
        said_zh += &format!("没有数据：{}{more_zh}。", of(|it| &it.0, "、"));
        said_en += &format!(" No data: {}{more_en}.", of(|it| &it.1, ", "));
    }
    (
        said_zh + "这是统计上的相似，不说明原因，也不预示结果。",
        said_en + " It is a likeness in numbers; it gives no reason and foretells nothing.",
    )
}
