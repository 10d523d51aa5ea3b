//! What one column seems to be: its name, type, person, words and class.

use std::collections::{BTreeMap, BTreeSet};

use schema::time::TimeFormat;
use schema::{Class, ColumnType, PersonKind, RAW_COLUMNS};

use super::names::{self, Sense};
use super::{ColumnGuess, Guessed};
use crate::Persons;
use crate::cell::{self, whole_float};
use crate::plain::Plain as Value;
use crate::said::{Said, example, type_words};

/// How exports write an instant, the most frequent first.
const TIMES: [&str; 15] = [
    "%Y-%m-%d %H:%M:%S",
    "%Y/%m/%d %H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y/%m/%d %H:%M",
    "%Y-%m-%dT%H:%M:%S",
    "%Y.%m.%d %H:%M:%S",
    "%Y.%m.%d %H:%M",
    "%Y年%m月%d日 %H:%M:%S",
    "%Y年%m月%d日 %H:%M",
    "%Y年%m月%d日 %H时%M分",
    "%Y%m%d %H:%M:%S",
    "%Y%m%d%H%M%S",
    "%d/%m/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M",
    "%m/%d/%Y %I:%M:%S %p",
];
/// How exports write a day.
const DAYS: [&str; 7] = ["%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y年%m月%d日", "%Y%m%d", "%d/%m/%Y", "%m/%d/%Y"];
/// Texts at which formats are tried; all that fits these is tried on every value.
const TRIED: usize = 20;
/// Words of one column that are still few.
const WORDS_MAX: usize = 12;
const WORD_CHARACTERS_MAX: usize = 12;
const EXAMPLES: usize = 4;
const DAY_US: i64 = 86_400_000_000;

/// Guesses at all columns of a table.
pub(super) fn columns(
    heads: &[String],
    values: &[Vec<&Value>],
    persons: &Persons,
    is_typed: bool,
    is_whole: bool,
) -> Vec<ColumnGuess> {
    let senses: Vec<(Option<names::Known>, Option<Sense>)> = heads
        .iter()
        .map(|head| {
            let known = names::known(head);
            (known, known.map(|it| it.sense).or_else(|| names::hinted(head)))
        })
        .collect();
    let people: Vec<Guessed<Option<PersonKind>>> =
        values.iter().zip(&senses).zip(heads).map(|((values, (_, sense)), head)| person(head, *sense, values, persons)).collect();
    let is_of_persons = people.iter().any(|it| it.value.is_some())
        || senses.iter().any(|(known, sense)| {
            matches!(sense, Some(Sense::Identity)) && known.is_some_and(|it| ["name", "id_card"].contains(&it.name))
        });
    let mut taken: BTreeSet<String> = BTreeSet::new();
    let mut seen_kinds: Vec<PersonKind> = Vec::new();
    let mut guesses = Vec::new();
    for (at, head) in heads.iter().enumerate() {
        let (known, sense) = senses[at];
        let person = people[at].clone();
        let facts = Facts::of(&values[at]);
        let typed = typed(head, sense, person.value.is_some(), &facts, is_typed);
        let name = name(head, known, person.value, &typed, at, &mut taken);
        let key_as = person.value.and_then(|kind| {
            let is_second = seen_kinds.contains(&kind);
            seen_kinds.push(kind);
            let bare = name.value.strip_suffix("_id").unwrap_or(&name.value).to_owned();
            (is_second || !matches!(bare.as_str(), "student" | "staff")).then(|| format!("{bare}_key"))
        });
        let one_of = words(sense, &typed, person.value.is_some(), &facts, is_whole);
        let class = class(head, sense, &person, &typed, &facts, is_of_persons);
        // A real name, telephone or number is kept as it is written.
        let typed = if class.value == Class::Identity { typed.kept_as_text() } else { typed };
        let closed_text = class.value == Class::Closed && typed.type_.value == ColumnType::Text;
        guesses.push(ColumnGuess {
            head: head.clone(),
            required: required(sense, &facts, closed_text, is_whole),
            name,
            type_: typed.type_,
            decimal_shift: typed.decimal_shift,
            format: typed.format,
            unit: typed.unit,
            person,
            key_as,
            one_of,
            class,
            examples: facts.examples,
            is_unique: facts.is_unique,
            empty_n: facts.empty_n as u64,
        });
    }
    guesses
}

/// What was counted in a column.
struct Facts<'a> {
    filled: Vec<&'a Value>,
    texts: Vec<String>,
    distinct: BTreeMap<String, usize>,
    empty_n: usize,
    is_unique: bool,
    examples: Vec<String>,
}

impl<'a> Facts<'a> {
    fn of(values: &[&'a Value]) -> Self {
        let filled: Vec<&Value> = values.iter().copied().filter(|it| !it.is_empty()).collect();
        let texts: Vec<String> = filled.iter().map(|it| it.text()).collect();
        let mut distinct: BTreeMap<String, usize> = BTreeMap::new();
        let mut examples: Vec<String> = Vec::new();
        for text in &texts {
            if examples.len() < EXAMPLES && !text.is_empty() && !examples.contains(text) {
                examples.push(text.chars().take(60).collect());
            }
            *distinct.entry(text.clone()).or_default() += 1;
        }
        let is_unique = !filled.is_empty() && distinct.len() == filled.len();
        Self { empty_n: values.len() - filled.len(), filled, texts, distinct, is_unique, examples }
    }

    fn n(&self) -> usize {
        self.filled.len()
    }
}

/// So many values of a column may be wrong before it is taken for something else.
fn is_nearly_all(fits: usize, n: usize) -> bool {
    let wrong = n - fits;
    0 < fits && (wrong == 0 || (5 <= n && wrong <= 1.max(n / 10)))
}

/// Whose number a column holds.
fn person(head: &str, sense: Option<Sense>, values: &[&Value], persons: &Persons) -> Guessed<Option<PersonKind>> {
    let texts: Vec<String> = values.iter().filter(|it| !it.is_empty()).map(|it| it.text()).collect();
    let n = texts.len();
    let share = |kind: PersonKind| {
        let rule = persons.rule(kind)?;
        Some(texts.iter().filter(|it| rule.number(it).is_some()).count())
    };
    let word = |kind: PersonKind| if kind == PersonKind::Student { ("学号", "student") } else { ("工号", "staff") };
    if let Some(Sense::Person(kind)) = sense {
        let ((zh, en), fits) = (word(kind), share(kind).unwrap_or(0));
        return if is_nearly_all(fits, n) {
            Guessed::new(
                Some(kind),
                0.98,
                Said::new(format!("列名是{zh}，内容也像"), format!("named so, and {fits} of {n} values are {en} numbers")),
            )
        } else {
            // Named so and not like it: a number all the same, which must not reach the lake.
            let zh = format!("列名是{zh}，但 {n} 个值中只有 {fits} 个像本校的{zh}；请核对设置里的格式");
            let en = format!("named so, but only {fits} of {n} values are {en} numbers: check the pattern in the settings");
            Guessed::new(Some(kind), 0.6, Said::new(zh, en))
        };
    }
    for kind in [PersonKind::Student, PersonKind::Staff] {
        let Some(fits) = share(kind).filter(|it| is_nearly_all(*it, n) && 2 < n) else { continue };
        let (zh, en) = word(kind);
        let confidence = match sense {
            None if head.is_empty() => 0.9,
            None => 0.8,
            Some(Sense::Identity) => 0.7,
            // A number that is named otherwise and looks like a person's is taken for one, but not surely.
            Some(_) => 0.55,
        };
        return Guessed::new(
            Some(kind),
            confidence,
            Said::new(format!("{n} 个值中有 {fits} 个像本校的{zh}"), format!("{fits} of {n} values look like {en} numbers")),
        );
    }
    Guessed::new(None, 0.9, Said::new("不是学号，也不是工号", "neither student nor staff numbers"))
}

/// A type and what belongs to it.
struct Typed {
    type_: Guessed<ColumnType>,
    decimal_shift: Option<u8>,
    format: Option<String>,
    unit: Option<String>,
}

impl Typed {
    fn new(type_: ColumnType, confidence: f64, reason: Said) -> Self {
        Self { type_: Guessed::new(type_, confidence, reason), decimal_shift: None, format: None, unit: None }
    }

    fn kept_as_text(mut self) -> Self {
        if self.type_.value != ColumnType::Text {
            self = Self::new(
                ColumnType::Text,
                0.9,
                Said::new("姓名、号码、地址按原样保存为文字", "names, numbers and addresses are kept as they are written"),
            );
        }
        self
    }
}

fn typed(head: &str, sense: Option<Sense>, is_person: bool, facts: &Facts<'_>, is_typed: bool) -> Typed {
    let n = facts.n();
    if is_person {
        return Typed::new(
            ColumnType::Text,
            1.0,
            Said::new("学号、工号是文字，不做计算", "a person's number is text: nobody computes with it"),
        );
    }
    if n == 0 {
        return Typed::new(ColumnType::Text, 0.3, Said::new("这一列是空的，先按文字", "the column is empty: text for now"));
    }
    let count = |fits: &dyn Fn(&Value) -> bool| facts.filled.iter().filter(|it| fits(it)).count();
    let said = |type_: ColumnType, fits: usize| {
        let words = type_words(type_);
        if fits == n {
            Said::new(format!("每个值都是{}", words.zh), format!("every value is a {}", words.en))
        } else {
            let wrong = n - fits;
            Said::new(
                format!("{n} 个值中有 {wrong} 个不是{}，这些行会被退回", words.zh),
                format!("{wrong} of {n} values are no {}: their rows will be refused", words.en),
            )
        }
    };
    let sure = |fits: usize| if fits == n { 0.95 } else { 0.75 };

    if let Some(it) = moments(head, sense, facts, is_typed, &said, &sure) {
        return it;
    }
    let truths = count(&|it| {
        matches!(it, Value::Bool(_))
            || matches!(it, Value::Text(text) if cell::truth(text.as_bytes()).is_some() && !["0", "1"].contains(&text.as_str()))
    });
    if is_nearly_all(truths, n) {
        return Typed::new(ColumnType::Boolean, sure(truths), said(ColumnType::Boolean, truths));
    }
    let bare = names::bare(head);
    let is_zero_or_one = facts.distinct.keys().all(|it| it == "0" || it == "1");
    if is_zero_or_one && (bare.starts_with('是') || bare.to_ascii_lowercase().starts_with("is_")) {
        return Typed::new(
            ColumnType::Boolean,
            0.85,
            Said::new("只有 0 和 1，列名问的是“是否”", "only 0 and 1, under a question"),
        );
    }
    let is_number = matches!(sense, Some(Sense::Number | Sense::Place | Sense::Identity));
    if is_number {
        return Typed::new(
            ColumnType::Text,
            0.9,
            Said::new("编号按文字保存，前面的 0 不会丢", "numbers of things are text, so that leading zeros stay"),
        );
    }
    let wholes = count(&|it| match it {
        Value::Int(_) => true,
        Value::Float(value) => whole_float(*value, 0).is_some(),
        Value::Text(text) => !has_leading_zero(text) && cell::whole(text.as_bytes(), 0).is_some(),
        _ => false,
    });
    let zeros =
        count(&|it| matches!(it, Value::Text(text) if has_leading_zero(text) && text.bytes().all(|it| it.is_ascii_digit())));
    if 0 < zeros {
        return Typed::new(
            ColumnType::Text,
            0.85,
            Said::new("有以 0 开头的号码，按文字保存", "some begin with 0, so they are numbers of things: text"),
        );
    }
    let shifted = |places: u32| {
        count(&|it| match it {
            Value::Int(value) => value.checked_mul(10_i64.pow(places)).is_some(),
            Value::Float(value) => whole_float(*value, places).is_some(),
            Value::Text(text) => cell::whole(text.as_bytes(), places).is_some(),
            _ => false,
        })
    };
    let is_money = sense == Some(Sense::Money) || head.contains('元');
    if is_money && is_nearly_all(shifted(2), n) {
        let fits = shifted(2);
        let mut typed = Typed::new(ColumnType::Int64, sure(fits), said(ColumnType::Float64, fits));
        typed.type_.reason_zh = format!("金额以分保存为整数；{}", typed.type_.reason_zh);
        typed.type_.reason_en = format!("amounts are kept in whole fen; {}", typed.type_.reason_en);
        typed.decimal_shift = Some(2);
        typed.unit = Some("fen".to_owned());
        return typed;
    }
    if is_nearly_all(wholes, n) {
        return Typed::new(ColumnType::Int64, sure(wholes), said(ColumnType::Int64, wholes));
    }
    let floats = count(&|it| match it {
        Value::Int(_) | Value::Float(_) => true,
        Value::Text(text) => text.parse::<f64>().is_ok_and(f64::is_finite),
        _ => false,
    });
    if is_nearly_all(floats, n) {
        return Typed::new(ColumnType::Float64, sure(floats), said(ColumnType::Float64, floats));
    }
    Typed::new(ColumnType::Text, 0.9, Said::new("内容是文字", "the values are words"))
}

/// A date or an instant, written or typed.
fn moments(
    head: &str,
    sense: Option<Sense>,
    facts: &Facts<'_>,
    is_typed: bool,
    said: &dyn Fn(ColumnType, usize) -> Said,
    sure: &dyn Fn(usize) -> f64,
) -> Option<Typed> {
    let n = facts.n();
    let typed_n = facts.filled.iter().filter(|it| matches!(it, Value::Local(_) | Value::Instant(_))).count();
    let is_whole_day = |it: &&&Value| matches!(it, Value::Local(at) if at.rem_euclid(DAY_US) == 0);
    let days_n = facts.filled.iter().filter(is_whole_day).count();
    if is_nearly_all(typed_n, n) {
        let is_date = days_n == typed_n;
        let type_ = if is_date { ColumnType::Date } else { ColumnType::Timestamp };
        return Some(Typed::new(type_, sure(typed_n), said(type_, typed_n)));
    }
    if 0 < typed_n && !is_typed {
        return None;
    }
    let texts: Vec<&str> = facts
        .filled
        .iter()
        .zip(&facts.texts)
        .filter(|(it, _)| matches!(it, Value::Text(_) | Value::Int(_)))
        .map(|(_, text)| text.as_str())
        .collect();
    let mut best: Option<(&str, ColumnType, usize)> = None;
    let mut others = 0;
    for (format, type_) in
        TIMES.iter().map(|it| (*it, ColumnType::Timestamp)).chain(DAYS.iter().map(|it| (*it, ColumnType::Date)))
    {
        let Some(parser) = TimeFormat::new(format) else { continue };
        let is_read = |text: &str| {
            let Some(at) = parser.parse(text.as_bytes()) else { return false };
            // Eight or fourteen digits are a date only if they say a believable year in full.
            let digits = text.bytes().all(|it| it.is_ascii_digit());
            let length = if type_ == ColumnType::Date { 8 } else { 14 };
            let believable = (-2_208_988_800_000_000..4_102_444_800_000_000).contains(&at);
            !digits || (text.len() == length && believable)
        };
        if !texts.iter().take(TRIED).any(|it| is_read(it)) {
            continue;
        }
        let fits = texts.iter().filter(|it| is_read(it)).count();
        if is_nearly_all(fits + typed_n, n) {
            if best.is_some_and(|it| it.2 == fits) {
                others += 1;
            }
            if best.is_none_or(|it| it.2 < fits) {
                best = Some((format, type_, fits));
            }
        }
    }
    let (format, type_, fits) = best?;
    let is_digits = !format.contains(['-', '/', '.', ':', '年']);
    // Digits alone are a date only under a name that says so.
    if is_digits
        && !matches!(sense, Some(Sense::When | Sense::Until))
        && !names::bare(head).contains("日期")
        && !head.contains("出生")
    {
        return None;
    }
    // In a sheet, days that are typed and texts that are written must be of one kind.
    if 0 < typed_n && (type_ == ColumnType::Date) != (days_n == typed_n) {
        return None;
    }
    let mut confidence = sure(fits + typed_n);
    let mut reason = said(type_, fits + typed_n);
    let like = example(format);
    reason.zh = format!("{}，写作 {like}", reason.zh);
    reason.en = format!("{}, written like {like}", reason.en);
    if 0 < others && format.starts_with("%d") {
        confidence = 0.5;
        reason.zh.push_str("；日与月的先后请核对");
        reason.en.push_str("; check which comes first, day or month");
    }
    let mut typed = Typed::new(type_, confidence, reason);
    typed.format = Some(format.to_owned());
    Some(typed)
}

fn has_leading_zero(text: &str) -> bool {
    1 < text.len() && text.starts_with('0') && !text.contains('.')
}

/// Whether a text in a first row is a value and no name.
pub(super) fn is_like_data(text: &str, persons: &Persons) -> bool {
    let is_person = [PersonKind::Student, PersonKind::Staff]
        .into_iter()
        .filter_map(|it| persons.rule(it))
        .any(|it| it.number(text).is_some());
    let is_moment =
        || TIMES.iter().chain(&DAYS).filter_map(|it| TimeFormat::new(it)).any(|it| it.parse(text.as_bytes()).is_some());
    is_person || text.parse::<f64>().is_ok() || is_moment() || is_phone(text) || is_id_card(text)
}

fn is_phone(text: &str) -> bool {
    text.len() == 11 && text.starts_with('1') && text.bytes().all(|it| it.is_ascii_digit()) && text.as_bytes()[1] > b'2'
}

fn is_id_card(text: &str) -> bool {
    text.len() == 18
        && text.bytes().take(17).all(|it| it.is_ascii_digit())
        && text.ends_with(|it: char| it.is_ascii_digit() || it == 'X' || it == 'x')
}

fn name(
    head: &str,
    known: Option<names::Known>,
    person: Option<PersonKind>,
    typed: &Typed,
    at: usize,
    taken: &mut BTreeSet<String>,
) -> Guessed<String> {
    let fallback = format!("column_{}", at + 1);
    let free = |it: &str| !taken.contains(it) && !RAW_COLUMNS.contains(&it);
    let mut wanted = match (known, person) {
        (Some(it), _) if it.is_code => Guessed::new(
            it.name.to_owned(),
            0.85,
            Said::new(format!("“{head}”是教育行业标准的字段代码"), format!("\"{head}\" is a code of the education standards")),
        ),
        (Some(it), _) => Guessed::new(it.name.to_owned(), 0.95, Said::new("常见列名", "a head that campus systems use")),
        (None, Some(kind)) => {
            let name = if kind == PersonKind::Student { "student_id" } else { "staff_id" };
            Guessed::new(name.to_owned(), 0.8, Said::new("内容是学号或工号", "the values are persons' numbers"))
        }
        (None, None) => match names::snake(head) {
            Some(name) => Guessed::new(name, 0.9, Said::new("取自英文列名", "taken from the head")),
            None => Guessed::new(
                fallback.clone(),
                0.3,
                Said::new(
                    "没有见过的列名，请起一个英文名；原列名会保留",
                    "not a known head: give it an English name; the head is kept",
                ),
            ),
        },
    };
    if typed.unit.as_deref() == Some("fen") && !wanted.value.ends_with("_fen") && wanted.value != fallback {
        wanted.value.push_str("_fen");
    }
    // A moment and a day are told apart by the end of the name.
    if let Some(stem) = wanted.value.strip_suffix("_at").filter(|_| typed.type_.value == ColumnType::Date) {
        wanted.value = format!("{stem}_on");
    } else if let Some(stem) = wanted.value.strip_suffix("_on").filter(|_| typed.type_.value == ColumnType::Timestamp) {
        wanted.value = format!("{stem}_at");
    }
    if RAW_COLUMNS.contains(&wanted.value.as_str()) {
        wanted.value = format!("source_{}", wanted.value);
    }
    if !free(&wanted.value) {
        let second = (2..100).map(|it| format!("{}_{it}", wanted.value)).find(|it| free(it));
        wanted = Guessed::new(
            second.unwrap_or(fallback),
            0.5,
            Said::new("与另一列同名，加了编号", "another column has the name: it got a number"),
        );
    }
    taken.insert(wanted.value.clone());
    wanted
}

fn required(sense: Option<Sense>, facts: &Facts<'_>, is_closed_text: bool, is_whole: bool) -> Guessed<bool> {
    let (n, empty_n) = (facts.n(), facts.empty_n);
    match (empty_n, n) {
        (_, 0) => Guessed::new(false, 0.6, Said::new("这一列是空的", "the column is empty")),
        (0, _) if is_closed_text => Guessed::new(false, 0.6, Said::new("自由文字可以不填", "free text may be left out")),
        (0, n) if n < 3 => Guessed::new(false, 0.5, Said::new("行数太少，看不出", "too few rows to tell")),
        (0, _) => {
            let confidence = if is_whole { 0.85 } else { 0.75 };
            Guessed::new(true, confidence, Said::new("每一行都有值", "every row has a value"))
        }
        _ if (empty_n == 1 || empty_n * 20 <= n) && matches!(sense, Some(Sense::Person(_) | Sense::Number | Sense::When)) => {
            let zh = format!("号码和时间不该为空；有 {empty_n} 行为空，会被退回");
            let en = format!("numbers and times should be there; {empty_n} rows lack theirs and will be refused");
            Guessed::new(true, 0.7, Said::new(zh, en))
        }
        _ if empty_n * 20 <= n => {
            let zh = format!("有 {empty_n} 行为空；若应必填，请改为必填，这些行会被退回");
            Guessed::new(false, 0.6, Said::new(zh, format!("{empty_n} rows are empty: make it required to have them refused")))
        }
        _ => Guessed::new(false, 0.9, Said::new(format!("有 {empty_n} 行为空"), format!("{empty_n} rows are empty"))),
    }
}

/// The few words of a column, if they are few and come again.
fn words(sense: Option<Sense>, typed: &Typed, is_person: bool, facts: &Facts<'_>, is_whole: bool) -> Guessed<Vec<String>> {
    let none = |zh: &str, en: &str| Guessed::new(Vec::new(), 0.9, Said::new(zh, en));
    let is_number = matches!(sense, Some(Sense::Identity | Sense::Number | Sense::Person(_)));
    if is_person || is_number || typed.type_.value != ColumnType::Text {
        return none("不是代码列", "no column of codes");
    }
    let (n, distinct) = (facts.n(), facts.distinct.len());
    let is_short = facts.distinct.keys().all(|it| it.chars().count() <= WORD_CHARACTERS_MAX);
    let once = facts.distinct.values().filter(|it| **it == 1).count();
    if n < 20 || WORDS_MAX < distinct || n < distinct * 5 || !is_short || 1 < once {
        return none("取值不固定", "the values are not few");
    }
    // A word that comes once among many is more likely a slip than a code.
    let words: Vec<String> = facts.distinct.iter().filter(|(_, n)| 1 < **n).map(|(word, _)| word.clone()).collect();
    let shown = words.join("、");
    let mut reason = Said::new(
        format!("{n} 行里只有 {} 种：{shown}", words.len()),
        format!("only {} words in {n} rows: {}", words.len(), words.join(", ")),
    );
    // Words for things and places grow; for them the list is offered and not taken.
    let is_open = matches!(sense, Some(Sense::Place | Sense::Closed));
    let confidence = match (is_whole && !is_open && distinct <= 6, once) {
        (true, 0) => 0.85,
        (true, _) => 0.8,
        (false, _) => {
            reason.zh.push_str("；以后可能有新词，默认不限定");
            reason.en.push_str("; more may come, so the list is not closed");
            0.5
        }
    };
    Guessed::new(words, confidence, reason)
}

/// How sensitive a column is, on the safe side.
fn class(
    head: &str,
    sense: Option<Sense>,
    person: &Guessed<Option<PersonKind>>,
    typed: &Typed,
    facts: &Facts<'_>,
    is_of_persons: bool,
) -> Guessed<Class> {
    if person.value.is_some() {
        return Guessed::new(
            Class::Identity,
            1.0,
            Said::new("人员号码换成假名，不进数据湖", "a person's number becomes a pseudonym and never reaches the lake"),
        );
    }
    let n = facts.n();
    let like = |fits: fn(&str) -> bool| is_nearly_all(facts.texts.iter().filter(|it| fits(it)).count(), n.max(1));
    if sense == Some(Sense::Identity) {
        return Guessed::new(
            Class::Identity,
            0.95,
            Said::new("姓名、号码、联系方式只进保险库", "names, numbers and addresses go to the vault only"),
        );
    }
    for (fits, zh, en) in [
        (is_phone as fn(&str) -> bool, "内容像手机号", "the values look like telephones"),
        (is_id_card, "内容像身份证号", "the values look like ID cards"),
        (|it| it.contains('@') && it.contains('.'), "内容像邮箱", "the values look like mail addresses"),
    ] {
        if like(fits) {
            return Guessed::new(
                Class::Identity,
                0.9,
                Said::new(format!("{zh}，只进保险库"), format!("{en}: they go to the vault only")),
            );
        }
    }
    if sense == Some(Sense::Closed) {
        let zh = "涉及健康、家庭、民族、政治、处分、资助或自由文字，默认关闭";
        return Guessed::new(
            Class::Closed,
            0.9,
            Said::new(zh, "health, family, ethnicity, politics, discipline, aid or free text: closed"),
        );
    }
    let length: usize = facts.texts.iter().map(|it| it.chars().count()).sum();
    let is_free = typed.type_.value == ColumnType::Text && 15 * n <= length && sense != Some(Sense::Number);
    if 0 < n && is_free {
        return Guessed::new(Class::Closed, 0.8, Said::new("像自由填写的长文字，默认关闭", "it looks like free text: closed"));
    }
    if !is_of_persons {
        return Guessed::new(
            Class::Internal,
            0.75,
            Said::new("表里没有人员，按内部数据", "there is no person in the table: internal"),
        );
    }
    let is_time = matches!(typed.type_.value, ColumnType::Date | ColumnType::Timestamp);
    match sense {
        _ if is_time => {
            Guessed::new(Class::Trace, 0.9, Said::new("个人的时间属于行踪", "when somebody did something is a trace"))
        }
        Some(Sense::Place) => Guessed::new(Class::Trace, 0.9, Said::new("个人的地点属于行踪", "where somebody was is a trace")),
        Some(Sense::Money) => {
            Guessed::new(Class::Trace, 0.9, Said::new("个人的金额属于敏感信息", "what somebody paid is a trace"))
        }
        Some(Sense::When | Sense::Until) => {
            Guessed::new(Class::Trace, 0.8, Said::new("个人的时间属于行踪", "when somebody did something is a trace"))
        }
        Some(Sense::Number) if !head.is_empty() => Guessed::new(
            Class::Internal,
            0.8,
            Said::new("记录的编号，本身不说明个人", "the number of a record says nothing of a person"),
        ),
        Some(_) => Guessed::new(Class::Personal, 0.8, Said::new("个人的一般信息", "about a person, of no special sensitivity")),
        None => {
            Guessed::new(Class::Personal, 0.5, Said::new("没有见过的列，先按个人信息", "not a known column: personal for now"))
        }
    }
}
