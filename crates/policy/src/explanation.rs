//! What a role's policy makes of a table, said in words: which rows, which columns, what is left of them, and why.
//!
//! Decided by the same functions as a session, over the table's schema only: no row is read.

use datafusion::arrow::datatypes::Schema;
use schema::Class;
use serde::Serialize;

use crate::role::{STAFF_KEY, UNIT};
use crate::{Mask, Role, RowRule, Sight};

/// A table as a role sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The role.
    pub role: String,
    /// The table.
    pub table: String,
    /// Whether the table exists for the role.
    pub is_seen: bool,
    /// Pattern of the rule that decides, if one does.
    pub pattern: Option<String>,
    /// Which rows, as the policy writes it.
    pub rows: Option<RowRule>,
    /// Which rows, or why there is no such table, in Chinese.
    pub rows_zh: String,
    /// The same in English.
    pub rows_en: String,
    /// The columns; none where there is no table.
    pub columns: Vec<ColumnExplanation>,
}

/// A column as a role sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ColumnExplanation {
    /// The column.
    pub column: String,
    /// Its class, if it has one.
    pub class: Option<&'static str>,
    /// `keep`, `absent`, or the mask.
    pub seen: String,
    /// Why, in Chinese.
    pub why_zh: String,
    /// Why, in English.
    pub why_en: String,
}

/// Says what a role sees of a table with this schema, whose rows are about `subject`, if about anybody.
pub fn explain(role: &Role, table: &str, schema: &Schema, subject: Option<&str>) -> Explanation {
    let has = |column: &str| schema.field_with_name(column).is_ok();
    let absent = |pattern: Option<&str>, zh: String, en: String| Explanation {
        role: role.role.clone(),
        table: table.to_owned(),
        is_seen: false,
        pattern: pattern.map(str::to_owned),
        rows: None,
        rows_zh: zh,
        rows_en: en,
        columns: Vec::new(),
    };
    let Some((pattern, rule)) = role.rule(table) else {
        let zh = "没有规则给出这张表：无规则即不可见。".to_owned();
        return absent(None, zh, "No rule of the role gives the table: without a rule there is none.".to_owned());
    };
    let missing = |column: &str| {
        absent(
            Some(pattern),
            format!("规则按“{column}”列限定行，而表中没有该列：整张表不可见。"),
            format!("The rule holds rows by the column \"{column}\", which the table does not have: the table is hidden."),
        )
    };
    let scopes = role.scopes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let (mut rows_zh, mut rows_en) = match rule.rows {
        RowRule::All => ("全部行。".to_owned(), "All rows.".to_owned()),
        RowRule::None => ("没有行，只知道有哪些列。".to_owned(), "No rows; only the columns are known.".to_owned()),
        RowRule::Absent => return absent(Some(pattern), "规则写明不可见。".to_owned(), "The rule says absent.".to_owned()),
        RowRule::Scope => match subject.filter(|it| has(it)) {
            None => return missing(subject.unwrap_or("subject")),
            Some(subject) => (
                format!("仅范围内学生的行（按 {subject} 列；角色范围：{scopes}，再由账号的授权收窄）。"),
                format!(
                    "Rows about students in scope only (by {subject}; the role reaches {scopes}, narrowed by the account's grants)."
                ),
            ),
        },
        RowRule::Clients => match subject.filter(|it| has(it)) {
            None => return missing(subject.unwrap_or("subject")),
            Some(subject) => (
                format!("仅本人负责的学生的行：所带的，或手上个案的（按 {subject} 列）。"),
                format!("Rows about the reader's own students only: assigned, or of a case that they hold (by {subject})."),
            ),
        },
        RowRule::Own if !has(STAFF_KEY) => return missing(STAFF_KEY),
        RowRule::Own => {
            (format!("仅本人工作的行（按 {STAFF_KEY} 列）。"), format!("Rows about the reader's own work only (by {STAFF_KEY})."))
        }
        RowRule::College if !has(UNIT) => return missing(UNIT),
        RowRule::College => {
            (format!("仅账号所属学院的数字（按 {UNIT} 列）。"), format!("Figures of the account's colleges only (by {UNIT})."))
        }
    };
    for (column, words) in &rule.only {
        if !has(column) {
            return missing(column);
        }
        rows_zh.push_str(&format!("且 {column} 只限：{}。", words.join("、")));
        rows_en.push_str(&format!(" And only rows whose {column} is {}.", words.join(", ")));
    }
    let clearance = rule.clearance.unwrap_or(role.clearance);
    let columns = schema.fields().iter().map(|field| {
        let class = field.metadata().get("class").and_then(|it| Class::parse(it));
        let sight = match role.sight(rule, field.name(), class) {
            // A mask that does not fit the column leaves nothing.
            Sight::Masked(mask) if !mask.fits(field.data_type()) => Sight::Masked(Mask::Null),
            sight => sight,
        };
        let (seen, zh, en) = match (class, sight) {
            (None, _) => {
                ("absent".to_owned(), "没有分级的列不存在。".to_owned(), "A column without a class does not exist.".to_owned())
            }
            (Some(_), Sight::Absent) => (
                "absent".to_owned(),
                "规则不给出这一列（allow、deny）。".to_owned(),
                "The rule leaves the column out (allow, deny).".to_owned(),
            ),
            (Some(class), Sight::Masked(mask)) if clearance < class => (
                mask.to_string(),
                format!("分级 {} 高于许可 {}：为空。", class.as_str(), clearance.as_str()),
                format!("Class {} is above the clearance {}: NULL.", class.as_str(), clearance.as_str()),
            ),
            (Some(_), Sight::Masked(mask)) => {
                (mask.to_string(), format!("按掩码 {mask} 显示。"), format!("What the mask {mask} leaves."))
            }
            (Some(class), Sight::Keep) => (
                "keep".to_owned(),
                format!("分级 {} 不高于许可 {}。", class.as_str(), clearance.as_str()),
                format!("Class {} is within the clearance {}.", class.as_str(), clearance.as_str()),
            ),
        };
        ColumnExplanation { column: field.name().clone(), class: class.map(Class::as_str), seen, why_zh: zh, why_en: en }
    });
    Explanation {
        role: role.role.clone(),
        table: table.to_owned(),
        is_seen: true,
        pattern: Some(pattern.to_owned()),
        rows: Some(rule.rows),
        rows_zh,
        rows_en,
        columns: columns.collect(),
    }
}
