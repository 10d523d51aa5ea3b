//! A role as written in `policies/<role>.toml`.

use std::collections::BTreeMap;
use std::path::Path;

use schema::Class;
use serde::{Deserialize, Serialize};

use crate::scope::KINDS;
use crate::{Error, Mask, Scope, pattern};

/// What one role may see, and the tests that say so again.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// Name of the role: the file's stem.
    pub role: String,
    /// Title in Chinese.
    pub title_zh: String,
    /// Title in English.
    pub title_en: String,
    /// One sentence: whom the role is for.
    pub about: String,
    /// Students the role may ever reach; an account's own scopes narrow them.
    #[serde(default)]
    pub scopes: Vec<Scope>,
    /// What an account's own scopes may be made of: `college`, `building`, …; empty means anything. An account granted
    /// something else reaches nobody.
    #[serde(default)]
    pub grants: Vec<String>,
    /// Highest class of column that is shown; higher ones are NULL.
    pub clearance: Class,
    /// Whether names of people in scope may be asked of the vault.
    #[serde(default)]
    pub names: bool,
    /// Pages of the web app.
    #[serde(default)]
    pub pages: Vec<String>,
    /// Purposes the role may read for; empty means any.
    #[serde(default)]
    pub purposes: Vec<String>,
    /// Masks by column pattern for every table of the role; a table's own go first.
    #[serde(default)]
    pub mask: BTreeMap<String, Mask>,
    /// Tables by pattern. What matches none does not exist for the role.
    #[serde(default)]
    pub tables: BTreeMap<String, Rule>,
    /// What the file is held to.
    #[serde(default, rename = "test")]
    pub tests: Vec<Claim>,
}

/// What a role sees of the tables that match a pattern.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Which rows.
    pub rows: RowRule,
    /// Highest class shown of these tables, where it is not the role's: the closed compartment names its own.
    #[serde(default)]
    pub clearance: Option<Class>,
    /// Columns that exist, by pattern; empty means all.
    #[serde(default)]
    pub allow: Vec<String>,
    /// Columns that do not exist, by pattern.
    #[serde(default)]
    pub deny: Vec<String>,
    /// Masks by column pattern.
    #[serde(default)]
    pub mask: BTreeMap<String, Mask>,
    /// Rows whose column has one of these words and no others, by column; a column that is not there hides the table.
    #[serde(default)]
    pub only: BTreeMap<String, Vec<String>>,
}

/// Which rows of a table a role sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RowRule {
    /// All of them.
    All,
    /// Those about a student in scope.
    Scope,
    /// Those about a student in scope who is the reader's own: assigned, or of a case that the reader holds.
    Clients,
    /// Those about the reader's own work, by [`STAFF_KEY`].
    Own,
    /// Those about a college that the account was granted, by [`UNIT`].
    College,
    /// None; the columns are known.
    None,
    /// There is no such table for the role, where a wider pattern would name it.
    Absent,
}

/// Column by which figures are about a college.
pub const UNIT: &str = "scope";

/// Column by which rows are about a member of staff.
pub const STAFF_KEY: &str = "staff_key";

/// One claim about a policy, checked by [`crate::check`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Table the claim is about; it need not exist.
    pub table: String,
    /// Column the claim is about; without it the claim is about the table.
    #[serde(default)]
    pub column: Option<String>,
    /// Class of the column; without it the column is unclassified.
    #[serde(default)]
    pub class: Option<Class>,
    /// What is seen: `keep`, `masked`, or `absent`.
    pub expect: Expected,
    /// Which rows.
    #[serde(default)]
    pub rows: Option<RowRule>,
}

/// What a claim says is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Expected {
    /// The value, or for a table: it exists.
    Keep,
    /// What a mask leaves of the value.
    Masked,
    /// No such table or column.
    Absent,
}

/// The one role that may see how a query ran (EXPLAIN ANALYZE), because it reads no rows about people.
pub const ADMINISTRATOR: &str = "administrator";

/// What a role sees of one column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// The value.
    Keep,
    /// What the mask leaves.
    Masked(Mask),
    /// No such column.
    Absent,
}

impl Role {
    /// Reads a role; `path` is for messages, and its stem must be the role's name.
    ///
    /// # Errors
    /// If a key is unknown, a word is not in its list, or a pattern cannot match.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Error> {
        let role: Role = schema::parse_toml(path, text)?;
        let refuse =
            |key: String, message: String| Err(Error::Text(schema::Error::Value { path: path.to_owned(), key, message }));
        let stem = path.file_stem().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
        if role.role != stem {
            return refuse("role".to_owned(), format!("the file is named for its role: \"{stem}\", not \"{}\"", role.role));
        }
        if role.clearance == Class::Identity {
            return refuse("clearance".to_owned(), "identity is in the vault only; the most is \"closed\"".to_owned());
        }
        if let Some((table, _)) = role.tables.iter().find(|it| it.1.clearance == Some(Class::Identity)) {
            return refuse(
                format!("tables.{table}.clearance"),
                "identity is in the vault only; the most is \"closed\"".to_owned(),
            );
        }
        if let Some(kind) = role.grants.iter().find(|it| !KINDS.contains(&it.as_str())) {
            return refuse("grants".to_owned(), format!("\"{kind}\" is no kind of scope; there are {}", KINDS.join(", ")));
        }
        let columns = role.tables.iter().flat_map(|(table, rule)| {
            rule.allow.iter().chain(&rule.deny).chain(rule.mask.keys()).map(move |it| (table.as_str(), it.as_str()))
        });
        let patterns = columns
            .chain(role.tables.keys().map(|it| ("tables", it.as_str())))
            .chain(role.mask.keys().map(|it| ("mask", it.as_str())));
        for (key, it) in patterns {
            if !pattern::is_sound(it) {
                return refuse(format!("{key}.{it}"), "a pattern is a name with at most one star".to_owned());
            }
        }
        Ok(role)
    }

    /// The rule for a table: the most specific pattern that matches. No rule, no table.
    pub fn rule(&self, table: &str) -> Option<(&str, &Rule)> {
        pattern::most_specific(&self.tables, table).filter(|(_, rule)| rule.rows != RowRule::Absent)
    }

    /// Says whether an account may be granted a scope in this role.
    pub fn takes(&self, scope: &Scope) -> bool {
        self.grants.is_empty() || self.grants.iter().any(|it| it == scope.kind())
    }

    /// The words of a column to which a role's rows of a table are held; `None` if all of them are seen.
    pub fn only(&self, table: &str, column: &str) -> Option<&[String]> {
        Some(self.rule(table)?.1.only.get(column)?.as_slice())
    }

    /// What the role sees of a column under a rule.
    pub fn sight(&self, rule: &Rule, column: &str, class: Option<Class>) -> Sight {
        // An unclassified column is invisible, so that forgetting a class hides and never shows.
        let Some(class) = class else { return Sight::Absent };
        let named = |patterns: &[String]| patterns.iter().any(|it| pattern::matches(it, column));
        if class == Class::Identity || named(&rule.deny) || (!rule.allow.is_empty() && !named(&rule.allow)) {
            return Sight::Absent;
        }
        // A mask lowers what is seen and never raises it: above the clearance there is nothing left to mask.
        if rule.clearance.unwrap_or(self.clearance) < class {
            return Sight::Masked(Mask::Null);
        }
        let mask = pattern::most_specific(&rule.mask, column).or_else(|| pattern::most_specific(&self.mask, column));
        match mask {
            None | Some((_, Mask::Keep)) => Sight::Keep,
            Some((_, mask)) => Sight::Masked(*mask),
        }
    }
}
