//! Sentences in both languages, for people who do not read contracts.

use schema::{ColumnType, Pipeline, Shape};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Error;

/// A sentence in Chinese and in English.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Said {
    /// In Chinese.
    pub zh: String,
    /// In English.
    pub en: String,
}

impl Said {
    /// A sentence in both languages.
    pub fn new(zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { zh: zh.into(), en: en.into() }
    }
}

/// Why a row was refused, as a sentence for whoever corrects it.
///
/// `reason` and `column` are those of the quarantine: the column's own name, a key of the source, or the name of a rule.
pub fn reason_words(pipeline: &Pipeline, reason: &str, column: Option<&str>) -> Said {
    let declared = column.and_then(|it| Some((it, pipeline.column(it)?)));
    let head = declared.map(|(name, it)| it.head.as_deref().filter(|it| !it.is_empty()).unwrap_or(name));
    let named = head.or(column).unwrap_or_default();
    let (zh, en) = match reason {
        "columns" if column.is_some() => {
            (format!("多出或重复的字段“{named}”"), format!("field \"{named}\" is not declared or comes twice"))
        }
        "columns" => (
            "本行的列数与表头不一致，或引号没有成对".to_owned(),
            "the row has another number of fields than the head, or a quote is not closed".to_owned(),
        ),
        "json" => ("本行不是一个 JSON 对象".to_owned(), "the line is no JSON object".to_owned()),
        "encoding" => (
            format!("{}有无法识别的文字，请用正确的编码重新导出", quoted(named)),
            format!("{}bytes that are illegal in the encoding: export it again", prefixed(named)),
        ),
        "required" => (format!("{}不能为空", quoted(named)), format!("{}must not be empty", prefixed(named))),
        "type" => {
            let (zh, en) = expected(declared.map(|it| it.1));
            (format!("{}{zh}", quoted(named)), format!("{}{en}", prefixed(named)))
        }
        "range" => {
            let (min, max) = declared.map_or((None, None), |(_, it)| (it.min, it.max));
            match (min, max) {
                (Some(min), Some(max)) => (
                    format!("{}应在 {min} 到 {max} 之间", quoted(named)),
                    format!("{}must lie between {min} and {max}", prefixed(named)),
                ),
                (Some(min), None) => {
                    (format!("{}不能小于 {min}", quoted(named)), format!("{}must be at least {min}", prefixed(named)))
                }
                (None, Some(max)) => {
                    (format!("{}不能大于 {max}", quoted(named)), format!("{}must be at most {max}", prefixed(named)))
                }
                (None, None) => {
                    (format!("{}超出允许的长度或范围", quoted(named)), format!("{}is too long or out of range", prefixed(named)))
                }
            }
        }
        "code" => {
            let words: Vec<&str> = match declared.map(|it| it.1) {
                Some(it) => it
                    .one_of
                    .iter()
                    .flatten()
                    .map(String::as_str)
                    .chain(it.codes.iter().flat_map(|it| it.keys().map(String::as_str)))
                    .collect(),
                None => Vec::new(),
            };
            (
                format!("{}只能填：{}", quoted(named), words.join("、")),
                format!("{}must be one of: {}", prefixed(named), words.join(", ")),
            )
        }
        "person" => (
            format!("{}不像本校的学号或工号", quoted(named)),
            format!("{}does not look like a number of this school's people", prefixed(named)),
        ),
        "time" => (
            format!("{}的时间不存在，或早于约定的起始日、晚于现在", quoted(named)),
            format!("{}is a time that does not exist, or lies before the first day or in the future", prefixed(named)),
        ),
        "rule" => (format!("不符合规则“{named}”"), format!("breaks the rule \"{named}\"")),
        other => (format!("{}{other}", quoted(named)), format!("{}{other}", prefixed(named))),
    };
    Said { zh, en }
}

fn quoted(name: &str) -> String {
    if name.is_empty() { String::new() } else { format!("“{name}”") }
}

fn prefixed(name: &str) -> String {
    if name.is_empty() { String::new() } else { format!("\"{name}\" ") }
}

fn expected(column: Option<&schema::Column>) -> (String, String) {
    let Some(column) = column else { return ("的类型不对".into(), "is of another type".into()) };
    let written = column.format.as_deref().map(example);
    match column.type_ {
        ColumnType::Text => ("不是文字".into(), "is no text".into()),
        ColumnType::Int64 => match column.decimal_shift {
            Some(places) if 0 < places => {
                (format!("不是最多 {places} 位小数的数字"), format!("is no number with at most {places} places"))
            }
            _ => ("不是整数".into(), "is no whole number".into()),
        },
        ColumnType::Float64 => ("不是数字".into(), "is no number".into()),
        ColumnType::Boolean => ("应填“是”或“否”".into(), "must be yes or no (是/否, true/false, 1/0)".into()),
        ColumnType::Date => {
            let like = written.unwrap_or_else(|| "2025-09-01".into());
            (format!("不是日期，应写作 {like}"), format!("is no date: write {like}"))
        }
        ColumnType::Timestamp => {
            let like = written.unwrap_or_else(|| "2025-09-01 07:02:03".into());
            (format!("不是时间，应写作 {like}"), format!("is no time: write {like}"))
        }
    }
}

/// A moment as a format writes it.
pub fn example(format: &str) -> String {
    let parts =
        [("%Y", "2025"), ("%m", "09"), ("%d", "01"), ("%H", "07"), ("%I", "07"), ("%M", "02"), ("%S", "03"), ("%p", "AM")];
    parts.iter().fold(format.to_owned(), |text, (mark, value)| text.replace(mark, value))
}

/// A type of column in words.
pub fn type_words(type_: ColumnType) -> Said {
    match type_ {
        ColumnType::Text => Said::new("文字", "text"),
        ColumnType::Int64 => Said::new("整数", "whole number"),
        ColumnType::Float64 => Said::new("小数", "number"),
        ColumnType::Boolean => Said::new("是/否", "yes or no"),
        ColumnType::Date => Said::new("日期", "date"),
        ColumnType::Timestamp => Said::new("日期时间", "date and time"),
    }
}

/// A shape in words.
pub fn shape_words(shape: Shape) -> Said {
    match shape {
        Shape::Event => Said::new("流水：一行是一件发生过的事", "events: a row is something that happened"),
        Shape::State => {
            Said::new("登记：一行是一项现状，新的替换旧的", "register: a row is a standing fact that a newer one replaces")
        }
    }
}

/// Why a whole file was refused, for whoever sent it.
pub fn file_words(error: &Error) -> Said {
    let zh = match error {
        Error::Io { .. } => "文件读不出来".to_owned(),
        Error::TooLarge { limit, unit, .. } => match *unit {
            "rows" => format!("文件超过 {limit} 行，请拆分"),
            _ => format!("文件解开后超过 {limit} 字节，请拆分"),
        },
        Error::Packed { .. } => "压缩文件不完整或已损坏，请重新复制一份".to_owned(),
        Error::NotOneFile { names, .. } => format!("压缩包里应只有一个文件，现有：{names}"),
        Error::Encrypted { .. } => "压缩包有密码，请先解开".to_owned(),
        Error::Workbook { .. } => "工作簿打不开：请用 Excel 另存为不带密码的 .xlsx".to_owned(),
        Error::Parquet { .. } => "Parquet 文件读不出来".to_owned(),
        Error::ParquetType { head, found, .. } => format!("列“{head}”是 Parquet 类型 {found}，请改为文字、数字、日期或时间"),
        Error::NoSheet { sheet, sheets, .. } => format!("没有工作表“{sheet}”，只有 {sheets}"),
        Error::NoHead { line, .. } => format!("第 {line} 行应为表头，但没有内容"),
        Error::HeadDespiteHeadless { line, .. } => format!("第 {line} 行是表头，但选择了“没有表头”"),
        Error::ByteOrderMark { .. } => "文件的编码与选择的不同，请改选编码或重新导出".to_owned(),
        Error::HeadEncoding { line, position, .. } => format!("第 {line} 行表头的第 {position} 列用所选编码读不出来，请改选编码"),
        Error::UndeclaredColumn { head, position, .. } => format!("第 {position} 列“{head}”没有在列清单里，请补上或从表中去掉"),
        Error::MissingColumn { head, .. } => format!("表中缺少列“{head}”"),
        Error::DuplicateHead { head, first, second, .. } => format!("第 {first} 列和第 {second} 列同名“{head}”，请改其中一个"),
        Error::TooManyRejects { rejected, rows, .. } => format!("{rows} 行中有 {rejected} 行不合要求，超过允许的比例"),
        Error::Contract { .. } => "约定自相矛盾".to_owned(),
        _ => "文件无法接收".to_owned(),
    };
    Said { zh, en: error.to_string() }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_refused_row_says_what_would_do() {
        let text = r#"
            [pipeline]
            name = "thing"
            about = "Things."
            shape = "state"
            owner = "office"
            purpose = ["service"]
            retention = "4y"
            source = { format = "csv", path = "thing/*.csv" }
            [contract]
            version = 1
            key = ["id"]
            usual_delay = "1d"
            [columns]
            id = { head = "编号", type = "text", required = true, class = "internal", about = "Number." }
            paid = { head = "金额(元)", type = "int64", decimal_shift = 2, min = 0, class = "internal", about = "Amount." }
            on = { head = "日期", type = "date", format = "%Y/%m/%d", class = "internal", about = "Day." }
            kind = { head = "类别", type = "text", one_of = ["甲", "乙"], class = "internal", about = "Kind." }"#;
        let pipeline = Pipeline::parse(Path::new(""), text).expect("sound");
        #[track_caller]
        fn check(pipeline: &Pipeline, reason: &str, column: &str, zh: &str, en: &str) {
            let said = reason_words(pipeline, reason, Some(column).filter(|it| !it.is_empty()));
            assert_eq!((said.zh.as_str(), said.en.as_str()), (zh, en));
        }
        check(&pipeline, "required", "id", "“编号”不能为空", "\"编号\" must not be empty");
        check(&pipeline, "type", "paid", "“金额(元)”不是最多 2 位小数的数字", "\"金额(元)\" is no number with at most 2 places");
        check(&pipeline, "type", "on", "“日期”不是日期，应写作 2025/09/01", "\"日期\" is no date: write 2025/09/01");
        check(&pipeline, "range", "paid", "“金额(元)”不能小于 0", "\"金额(元)\" must be at least 0");
        check(&pipeline, "code", "kind", "“类别”只能填：甲、乙", "\"类别\" must be one of: 甲, 乙");
        let fields = "the row has another number of fields than the head, or a quote is not closed";
        check(&pipeline, "columns", "", "本行的列数与表头不一致，或引号没有成对", fields);
    }
}
