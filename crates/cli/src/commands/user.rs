//! `yizhan user`: local accounts.

use std::io::{BufRead, IsTerminal, Write};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use schema::PersonKind;
use store::{Grant, NewAccount};

use super::Common;
use crate::exit::Caller;

#[derive(Debug, Args)]
pub(crate) struct User {
    #[command(subcommand)]
    command: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Makes an account, or replaces the roles of one; the password is read from standard input.
    Add {
        /// Name to log in with.
        account: String,
        /// Role and scope: counselor:assigned, leader:university, dorm_keeper:building:N3. The first is active at login.
        #[arg(long, required = true, value_name = "ROLE:SCOPE")]
        role: Vec<String>,
        /// Name on the screen.
        #[arg(long)]
        display_name: Option<String>,
        /// Number of the student or member of staff whom the account belongs to.
        #[arg(long)]
        number: Option<String>,
    },
    /// Lists the accounts.
    List,
    /// Shuts an account and ends its sessions.
    Disable {
        /// The account.
        account: String,
    },
}

impl User {
    pub(crate) async fn run(self, common: &Common) -> anyhow::Result<ExitCode> {
        let house = common.open_or_begin().await?;
        match self.command {
            Verb::Add { account, role, display_name, number } => {
                let mut grants = Vec::new();
                let policies = crate::tables::policies(&house)?;
                for it in &role {
                    let Some((role, scope)) = it.split_once(':') else {
                        anyhow::bail!(Caller(format!("--role \"{it}\" is no ROLE:SCOPE, e.g. counselor:assigned")));
                    };
                    let known: Vec<String> = policies.roles().map(|it| it.role.clone()).collect();
                    if !known.iter().any(|it| it == role) {
                        anyhow::bail!(Caller(format!("there is no role \"{role}\"; policies/ has {}", known.join(", "))));
                    }
                    let granted =
                        scope.parse::<policy::Scope>().map_err(|it| Caller(format!("--role \"{role}:{scope}\": {it}")))?;
                    if let Some(it) = policies.role(role).filter(|it| !it.takes(&granted)) {
                        let kinds = it.grants.join(", ");
                        anyhow::bail!(Caller(format!(
                            "role \"{role}\" is granted {kinds} only, not \"{scope}\"; see policies/README.md"
                        )));
                    }
                    grants.push(Grant { role: role.to_owned(), scope: scope.to_owned() });
                }
                let person_key = match &number {
                    None => None,
                    Some(number) => {
                        let vault = house.store.vault();
                        let key = vault.find(PersonKind::Staff, number).or_else(|| vault.find(PersonKind::Student, number));
                        Some(key.ok_or_else(|| Caller(format!("nobody in the registers has the number \"{number}\"")))?)
                    }
                };
                let password = password()?;
                let display_name = display_name.unwrap_or_else(|| account.clone());
                let new =
                    NewAccount { account: &account, password: Some(&password), display_name: &display_name, person_key, grants };
                house.store.accounts().create(new).await?;
                println!("{account}");
            }
            Verb::List => {
                for it in house.store.accounts().list().await? {
                    let grants: Vec<String> = it.grants.iter().map(|it| format!("{}:{}", it.role, it.scope)).collect();
                    println!("{}\t{}\t{}", it.account, it.display_name, grants.join(" "));
                }
            }
            Verb::Disable { account } => {
                house.store.accounts().disable(&account).await?;
                house.store.sessions().revoke_all(&account).await?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn password() -> anyhow::Result<String> {
    if std::io::stdin().is_terminal() {
        eprint!("密码 / password: ");
        std::io::stderr().flush()?;
    }
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    let password = line.trim_end_matches(['\r', '\n']).to_owned();
    if password.chars().count() < 8 {
        anyhow::bail!(Caller("a password has 8 characters or more".to_owned()));
    }
    Ok(password)
}
