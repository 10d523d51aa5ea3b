//! `yizhan policy explain`: who may see a table or column and why, for every role, one role, or one account.

use std::fmt::Write;
use std::process::ExitCode;

use arrow::datatypes::SchemaRef;
use clap::{Args, Subcommand};
use policy::{Explanation, Policies, Role, explain};
use serde_json::{Value, json};

use super::{Common, Format};
use crate::exit::Caller;
use crate::house::{Access, House};

#[derive(Debug, Args)]
pub(crate) struct Policy {
    #[command(subcommand)]
    command: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Says who may see a table or column and why; of a role or account: which tables, rows and masks.
    Explain {
        /// TABLE or TABLE.COLUMN for every role; ROLE for its tables; ROLE and TABLE or TABLE.COLUMN for one in full.
        #[arg(num_args = 0..=2, value_name = "ROLE | TABLE[.COLUMN]")]
        what: Vec<String>,
        /// An account in place of a role: its first role, and whom its grants reach.
        #[arg(long = "as", value_name = "ACCOUNT")]
        account: Option<String>,
    },
}

/// The tables of the project with their schemas, and what their rows are about.
struct Tables {
    tables: Vec<(String, SchemaRef, Option<String>)>,
}

impl Tables {
    async fn of(house: &House) -> anyhow::Result<Self> {
        let builder = house.builder().await?;
        let nodes = house.graph.nodes().iter();
        let tables = nodes.filter_map(|it| Some((it.name.clone(), builder.schema(&it.name)?, it.subject.clone())));
        Ok(Self { tables: tables.collect() })
    }

    fn explained(&self, role: &Role, table: &str) -> Option<Explanation> {
        let (name, schema, subject) = self.tables.iter().find(|it| it.0 == table)?;
        Some(explain(role, name, schema, subject.as_deref()))
    }
}

impl Policy {
    pub(crate) async fn run(self, common: &Common) -> anyhow::Result<ExitCode> {
        let Verb::Explain { mut what, account } = self.command;
        let house = common.open(Access::Read).await?;
        let policies = crate::tables::policies(&house)?;
        let tables = Tables::of(&house).await?;
        let is_json = common.format() == Format::Json;
        let mut of_account = None;
        if let Some(name) = &account {
            let (role, lines) = of(&house, &policies, name).await?;
            if what.len() == 2 {
                anyhow::bail!(Caller("--as 之后只写表名 / with --as there is one name at most, a table".to_owned()));
            }
            what.insert(0, role);
            of_account = Some(lines);
        }
        if let (Some((value, text)), true) = (&of_account, !is_json) {
            debug_assert!(value.is_object());
            print!("{text}");
        }
        let principal = of_account.map(|it| it.0);
        match what.as_slice() {
            [] => anyhow::bail!(Caller(
                "请写明角色、表或表.列，如 yizhan policy explain counselor dim_student / name a role, a table or table.column"
                    .to_owned()
            )),
            [one] if policies.role(one).is_some() => {
                let role = named(&policies, one)?;
                let found = tables.tables.iter().filter_map(|it| tables.explained(role, &it.0)).filter(|it| it.is_seen);
                say_role(role, &found.collect::<Vec<_>>(), principal, is_json);
            }
            [one] => {
                let (table, column) = split(one);
                let found: Option<Vec<Explanation>> = policies.roles().map(|role| tables.explained(role, table)).collect();
                let Some(found) = found.filter(|it| !it.is_empty()) else { return Err(unknown(&tables, &policies, table)) };
                if let Some(column) = column {
                    known_column(&tables, table, column)?;
                }
                found.iter().for_each(|it| say_who(it, column, is_json));
            }
            [role, one, ..] => {
                let role = named(&policies, role)?;
                let (table, column) = split(one);
                let Some(found) = tables.explained(role, table) else { return Err(unknown(&tables, &policies, table)) };
                if let Some(column) = column {
                    known_column(&tables, table, column)?;
                }
                say_table(&found, column, principal, is_json)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The first role of an account, and whom the account reaches: a count, never who.
async fn of(house: &House, policies: &Policies, name: &str) -> anyhow::Result<(String, (Value, String))> {
    let (session, _) = super::sql::session_of(house, name).await?;
    let principal = session.principal();
    let role = named(policies, &principal.role)?;
    let scopes: Vec<String> = principal.scopes.iter().map(ToString::to_string).collect();
    let (zh, en, n) = match session.students() {
        policy::Scoped::All => ("全部学生".to_owned(), "every student".to_owned(), None),
        policy::Scoped::AllBut(_) => ("除个别外的全部学生".to_owned(), "every student but a few".to_owned(), None),
        policy::Scoped::Keys(keys) => {
            let n = keys.keys().len();
            (format!("{n} 名学生"), format!("{n} students"), Some(n))
        }
    };
    let scope = scopes.join(", ");
    let value =
        json!({ "account": name, "role": role.role, "scopes": scopes, "students_n": n, "students_zh": zh, "students_en": en });
    let text = format!(
        "账号 {name}：角色 {}，授权 {scope}，可及 {zh} / account {name}: role {}, granted {scope}, reaches {en}\n",
        role.title_zh, role.role
    );
    Ok((role.role.clone(), (value, text)))
}

fn split(text: &str) -> (&str, Option<&str>) {
    text.split_once('.').map_or((text, None), |(table, column)| (table, Some(column)))
}

fn named<'a>(policies: &'a Policies, role: &str) -> anyhow::Result<&'a Role> {
    let known = || policies.roles().map(|it| it.role.as_str()).collect::<Vec<_>>().join(", ");
    policies
        .role(role)
        .ok_or_else(|| Caller(format!("没有角色“{role}” / there is no role \"{role}\"; policies/ has {}", known())).into())
}

fn unknown(tables: &Tables, policies: &Policies, name: &str) -> anyhow::Error {
    let near = tables.tables.iter().map(|it| it.0.as_str()).filter(|it| it.contains(name)).take(5).collect::<Vec<_>>().join(", ");
    let roles = policies.roles().map(|it| it.role.as_str()).collect::<Vec<_>>().join(", ");
    let hint = if near.is_empty() { format!("roles are {roles}") } else { format!("tables like it: {near}") };
    Caller(format!("没有名为“{name}”的表或角色 / there is no table or role \"{name}\"; {hint}")).into()
}

fn known_column(tables: &Tables, table: &str, column: &str) -> anyhow::Result<()> {
    let schema = tables.tables.iter().find(|it| it.0 == table).map(|it| &it.1);
    if schema.is_some_and(|it| it.field_with_name(column).is_ok()) {
        return Ok(());
    }
    let names = schema.map(|it| it.fields().iter().map(|it| it.name().as_str()).collect::<Vec<_>>().join(", "));
    anyhow::bail!(Caller(format!(
        "表 {table} 没有列“{column}” / table {table} has no column \"{column}\"; it has {}",
        names.unwrap_or_default()
    )))
}

/// One role in a line about a table, or a column of it.
fn say_who(it: &Explanation, column: Option<&str>, is_json: bool) {
    let found = column.and_then(|name| it.columns.iter().find(|it| it.column == name));
    if is_json {
        let value = json!({
            "role": it.role, "table": it.table, "column": column, "is_seen": it.is_seen && found.is_none_or(|it| it.seen != "absent"),
            "rows": it.rows, "rows_zh": it.rows_zh, "rows_en": it.rows_en, "pattern": it.pattern,
            "class": found.and_then(|it| it.class), "seen": found.map(|it| it.seen.as_str()),
            "why_zh": found.map(|it| it.why_zh.as_str()), "why_en": found.map(|it| it.why_en.as_str()),
        });
        println!("{value}");
        return;
    }
    let sign = match (it.is_seen, found) {
        (false, _) => "absent",
        (true, Some(found)) => found.seen.as_str(),
        (true, None) => "seen",
    };
    println!("{:16} {sign:10} {} / {}", it.role, it.rows_zh, it.rows_en);
    if let Some(found) = found {
        println!("{:27} {} / {}", "", found.why_zh, found.why_en);
    }
}

/// The tables of a role, a line each: rows, and the masks of its columns.
fn say_role(role: &Role, found: &[Explanation], principal: Option<Value>, is_json: bool) {
    if is_json {
        let tables: Vec<Value> = found
            .iter()
            .map(|it| {
                let masks: serde_json::Map<String, Value> = it
                    .columns
                    .iter()
                    .filter(|it| it.seen != "keep" && it.seen != "absent")
                    .map(|it| (it.column.clone(), json!(it.seen)))
                    .collect();
                json!({ "table": it.table, "rows": it.rows, "rows_zh": it.rows_zh, "rows_en": it.rows_en, "masks": masks })
            })
            .collect();
        println!(
            "{}",
            json!({ "role": role.role, "clearance": role.clearance.as_str(), "principal": principal, "tables": tables })
        );
        return;
    }
    println!("{} ({}), 许可 / clearance {}: {}", role.title_zh, role.role, role.clearance.as_str(), role.about);
    for it in found {
        println!("{:28} {} / {}", it.table, it.rows_zh, it.rows_en);
        let mut masks = String::new();
        for column in it.columns.iter().filter(|it| it.seen != "keep" && it.seen != "absent") {
            // Writing to a String cannot fail.
            let _ = write!(masks, "{}={} ", column.column, column.seen);
        }
        if !masks.is_empty() {
            println!("{:28} 掩码 / masks: {}", "", masks.trim_end());
        }
    }
}

/// One table in full.
fn say_table(it: &Explanation, column: Option<&str>, principal: Option<Value>, is_json: bool) -> anyhow::Result<()> {
    let wanted = |it: &&policy::ColumnExplanation| column.is_none_or(|name| it.column == name);
    if is_json {
        let mut value = serde_json::to_value(it)?;
        value["columns"] = serde_json::to_value(it.columns.iter().filter(wanted).collect::<Vec<_>>())?;
        value["principal"] = principal.unwrap_or_default();
        println!("{value}");
        return Ok(());
    }
    println!("{} / {}: {} / {}", it.role, it.table, it.rows_zh, it.rows_en);
    if let Some(pattern) = &it.pattern {
        println!("  规则 / rule \"{pattern}\"");
    }
    for found in it.columns.iter().filter(wanted) {
        println!("  {:24} {:9} {:10} {} / {}", found.column, found.class.unwrap_or("-"), found.seen, found.why_zh, found.why_en);
    }
    Ok(())
}
