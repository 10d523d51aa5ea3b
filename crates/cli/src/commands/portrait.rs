//! `yizhan portrait`: one student, everything that an account may see (一键画像).

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use schema::PersonKind;
use serde_json::Value;

use super::{Common, Format};
use crate::exit::Caller;
use crate::house::{Access, House};

#[derive(Debug, Args)]
pub(crate) struct Portrait {
    /// Number of the student, or the key of 15 digits.
    student: String,
    /// Account whose policy decides what is seen, e.g. psychologist; `yizhan user list` names all.
    #[arg(long = "as", value_name = "ACCOUNT")]
    principal: Option<String>,
    /// Date as of which it is told (default: the newest).
    #[arg(long, value_name = "DATE")]
    as_of: Option<String>,
}

impl Portrait {
    pub(crate) async fn run(self, common: &Common) -> anyhow::Result<ExitCode> {
        let house = common.open(Access::Read).await?;
        // Nobody sees a student for being near the machine: a portrait is read in somebody's name, and noted.
        let Some(account) = &self.principal else {
            anyhow::bail!(Caller(
                "请用 --as 账号 说明以谁的权限查看，例如 --as psychologist / say in whose name with --as ACCOUNT; `yizhan user list` names all"
                    .to_owned()
            ));
        };
        let (session, _) = super::sql::session_of(&house, account).await?;
        let key = key(&house, &self.student)?.filter(|it| session.students().contains(*it));
        let Some(key) = key else {
            anyhow::bail!(Caller(format!(
                "在 {account} 的范围内没有学生 {} / there is no student {} in the scope of {account}",
                self.student, self.student
            )));
        };
        let reading = serve::Reading {
            store: house.store.clone(),
            lake: house.lake.clone(),
            catalog: Arc::new(super::serve::catalog(&house).await?),
            delivered: serve::Delivered::default(),
        };
        let portrait = serve::portrait(&reading, &session, key, self.as_of.as_deref()).await?;
        serve::note_read(&house.store, account, &session.role().role, key, "portrait").await?;
        let mut out = std::io::stdout();
        match common.format() {
            Format::Json => writeln!(out, "{}", serde_json::to_string(&portrait)?)?,
            _ => out.write_all(text(&portrait).as_bytes())?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A key as it is, or the key behind a student's number; whether either exists for the reader is asked elsewhere.
fn key(house: &House, student: &str) -> anyhow::Result<Option<i64>> {
    if let Some(key) = house.store.vault().find(PersonKind::Student, student) {
        return Ok(Some(key));
    }
    Ok((student.len() == 15).then(|| student.parse().ok()).flatten())
}

/// The portrait for a terminal: one line a figure, own past beside it.
fn text(portrait: &Value) -> String {
    let word = |it: &Value| it.as_str().unwrap_or_default().to_owned();
    let head = &portrait["head"];
    let mut text = format!(
        "{}  {}  {}  {}  （截至 / as of {}，{}/{} 项有数据 / with data）\n",
        word(&head["name"]),
        word(&head["student_id"]),
        word(&head["college_name"]),
        word(&head["class"]),
        word(&portrait["as_of_on"]),
        portrait["coverage"]["known_n"],
        portrait["coverage"]["measures_n"],
    );
    for tag in portrait["tags"].as_array().into_iter().flatten() {
        text += &format!("# {}：{}\n", word(&tag["title_zh"]), word(&tag["evidence_zh"]));
    }
    for dimension in portrait["dimensions"].as_array().into_iter().flatten() {
        let state = word(&dimension["state"]);
        let note = match state.as_str() {
            "closed" => "  由心理教师掌握 / kept by psychologists",
            "no_source" => "  尚未接入数据来源 / no source connected",
            _ => "",
        };
        text += &format!("\n[{}]{note}\n", word(&dimension["dimension"]));
        for it in dimension["measures"].as_array().into_iter().flatten() {
            let value = match it["value"].as_f64() {
                Some(value) => format!("{:.2}", value),
                None => "数据不足".to_owned(),
            };
            let own = it["z_self"].as_f64().map_or_else(|| "-".to_owned(), |it| format!("{it:+.1}"));
            let cov = it["cov"].as_f64().map_or_else(|| "-".to_owned(), |it| format!("{:.0}%", 100.0 * it));
            text += &format!(
                "  {:<26} {value:>10} {:<14} 较自身 / own past {own:>5}  n={}  {cov}  {}\n",
                word(&it["measure"]),
                word(&it["unit"]),
                it["n"],
                word(&it["title_zh"]),
            );
        }
    }
    for it in portrait["notices"].as_array().into_iter().flatten() {
        text += &format!("\n* {}：{}\n", word(&it["title_zh"]), word(&it["reasons_zh"][0]));
    }
    text
}
