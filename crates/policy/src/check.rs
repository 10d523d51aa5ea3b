//! Holds policies to their own claims, and to the tables they are about.

use std::fmt;

use schema::Class;

use crate::role::{Claim, Expected, STAFF_KEY, UNIT};
use crate::{Error, Mask, Policies, Role, RowRule, Sight, TableEntry, Tables};

/// One thing a policy says that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Role whose policy it is.
    pub role: String,
    /// Table or pattern it is about.
    pub table: String,
    /// What does not hold.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "role \"{}\", table \"{}\": {}", self.role, self.table, self.message)
    }
}

/// Runs the `[[test]]` claims of every policy; an empty answer means that all hold.
///
/// A role without a claim that something is absent is a finding too: a policy that is only told what it shows would
/// pass when it shows everything.
pub fn check(policies: &Policies) -> Vec<Finding> {
    let mut findings = Vec::new();
    for role in policies.roles() {
        let failed = role.tests.iter().filter_map(|claim| {
            let message = contradiction(role, claim)?;
            Some(Finding { role: role.role.clone(), table: claim.table.clone(), message })
        });
        findings.extend(failed);
        if !role.tests.iter().any(|it| it.expect == Expected::Absent) {
            let message = "no [[test]] says that something is absent".to_owned();
            findings.push(Finding { role: role.role.clone(), table: "*".to_owned(), message });
        }
    }
    findings
}

/// Compares every policy with the tables that stand in the lake.
///
/// Finds rules by scope over tables that name no subject, masks that their column's type cannot take, and class words
/// that nobody knows. A session fails closed on each of them; this says so before somebody misses their rows.
///
/// # Errors
/// If the tables cannot be opened.
pub async fn check_tables(policies: &Policies, tables: &dyn Tables) -> Result<Vec<Finding>, Error> {
    let failed = |table: &str| {
        let table = table.to_owned();
        move |source| Error::Tables { table, source }
    };
    let mut findings = Vec::new();
    for table in tables.names().map_err(failed("*"))? {
        let Some(entry) = tables.table(&table).await.map_err(failed(&table))? else { continue };
        for role in policies.roles() {
            let messages = misfits(role, &table, &entry);
            findings.extend(messages.into_iter().map(|message| Finding {
                role: role.role.clone(),
                table: table.clone(),
                message,
            }));
        }
    }
    Ok(findings)
}

fn contradiction(role: &Role, claim: &Claim) -> Option<String> {
    let Some((_, rule)) = role.rule(&claim.table) else {
        return (claim.expect != Expected::Absent)
            .then(|| format!("expected {:?}, but no rule matches, so the table does not exist", claim.expect));
    };
    if let Some(rows) = claim.rows
        && rows != rule.rows
    {
        return Some(format!("expected rows {rows:?}, but they are {:?}", rule.rows));
    }
    let (subject, actual) = match &claim.column {
        None => ("the table".to_owned(), Expected::Keep),
        Some(column) => {
            let actual = match role.sight(rule, column, claim.class) {
                Sight::Keep => Expected::Keep,
                Sight::Masked(_) => Expected::Masked,
                Sight::Absent => Expected::Absent,
            };
            (format!("column \"{column}\""), actual)
        }
    };
    (actual != claim.expect).then(|| format!("expected {subject} to be {:?}, but it is {actual:?}", claim.expect))
}

fn misfits(role: &Role, table: &str, entry: &TableEntry) -> Vec<String> {
    let Some((_, rule)) = role.rule(table) else { return Vec::new() };
    let mut messages = Vec::new();
    let schema = entry.provider.schema();
    let held_to = match rule.rows {
        RowRule::Scope => Some("scope"),
        RowRule::Clients => Some("clients"),
        _ => None,
    };
    if let Some(held_to) = held_to {
        match &entry.subject {
            None => messages.push(format!("rows = \"{held_to}\", but the table names no subject column")),
            Some(subject) if schema.field_with_name(subject).is_err() => {
                messages.push(format!("its subject \"{subject}\" is no column of it"));
            }
            Some(_) => {}
        }
    }
    let wanted = rule.only.keys().map(String::as_str).chain((rule.rows == RowRule::College).then_some(UNIT));
    for column in wanted.filter(|it| schema.field_with_name(it).is_err()) {
        messages.push(format!("rows are held to \"{column}\", which is no column of it"));
    }
    if rule.rows == RowRule::Own && schema.field_with_name(STAFF_KEY).is_err() {
        messages.push(format!("rows = \"own\", but the table has no column \"{STAFF_KEY}\""));
    }
    for field in schema.fields() {
        let word = field.metadata().get("class");
        if let Some(word) = word
            && Class::parse(word).is_none()
        {
            messages.push(format!("column \"{}\" has class \"{word}\", which is none", field.name()));
        }
        if let Sight::Masked(mask) = role.sight(rule, field.name(), entry.class(field.name()))
            && mask != Mask::Null
            && !mask.fits(field.data_type())
        {
            messages.push(format!("column \"{}\" is {}, of which mask {mask} leaves NULL", field.name(), field.data_type()));
        }
    }
    messages
}
