//! `yizhan rollover`: the plan of a new year, and the note that it was carried out.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use arrow::array::{Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use clap::Args;
use serde::{Deserialize, Serialize};
use store::AuditEvent;

use super::{Common, sql};
use crate::exit::Caller;
use crate::house::{Access, House};
use crate::rollover::{Line, State, plan};

#[derive(Debug, Args)]
pub(crate) struct Rollover {
    /// The year in which the new year of study begins.
    #[arg(long)]
    year: i32,
    /// Note that the rollover was carried out; without it nothing is written anywhere.
    #[arg(long)]
    apply: bool,
    /// Note it although something is still to be done, or for another time.
    #[arg(long, requires = "apply", requires = "reason")]
    force: bool,
    /// Why it is forced, as it is kept.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// What is kept of a rollover, under `rollover.<year>`: one note a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    /// When, in microseconds since 1970.
    at_us: i64,
    by: String,
    /// Hash of the plan that was shown.
    plan: String,
    /// Lines of it that still asked for work.
    to_do_n: usize,
    reason: Option<String>,
}

impl Rollover {
    pub(crate) async fn run(self, common: &Common) -> anyhow::Result<ExitCode> {
        if !(1990..=2100).contains(&self.year) {
            let year = self.year;
            anyhow::bail!(Caller(format!("--year {year} 不是学年，应写作 2026 / --year {year} is no year of study: write 2026")));
        }
        let house = common.open(Access::Read).await?;
        let lines = plan(&house, self.year).await?;
        sql::print(&[table(&lines)?], common.format())?;
        let to_do_n = lines.iter().filter(|it| it.state == State::ToDo).count();
        let kept = house.store.meta().get(&name(self.year)).await?;
        let notes: Vec<Note> = kept
            .as_deref()
            .map(serde_json::from_str)
            .transpose()
            .context("the note of the rollover is broken")?
            .unwrap_or_default();
        if let Some(last) = notes.last() {
            let (year, at) = (self.year, chrono::DateTime::from_timestamp_micros(last.at_us).unwrap_or_default());
            let at = at.with_timezone(&house.settings.campus.time_zone).format("%Y-%m-%d %H:%M");
            eprintln!("{year} 年度切换已于 {at} 由 {0} 登记 / the rollover of {year} was noted at {at} by {0}", last.by);
        }
        if self.apply {
            let reason = self.reason.as_deref().map(str::trim).filter(|it| !it.is_empty());
            self.refuse(to_do_n, !notes.is_empty(), reason)?;
            let note = Note {
                at_us: house.now_us(),
                by: super::owner(),
                plan: ::ingest::hash_bytes(serde_json::to_string(&(self.year, &lines))?.as_bytes()),
                to_do_n,
                reason: reason.map(str::to_owned),
            };
            apply(&house, self.year, kept.as_deref(), notes, note).await?;
            eprintln!("{0} 年度切换已登记 / the rollover of {0} is noted", self.year);
            return Ok(ExitCode::SUCCESS);
        }
        if 0 < to_do_n {
            eprintln!("{to_do_n} 项待学校处理 / {to_do_n} lines ask for work by the school");
            return Ok(ExitCode::from(2));
        }
        Ok(ExitCode::SUCCESS)
    }

    fn refuse(&self, to_do_n: usize, is_again: bool, reason: Option<&str>) -> anyhow::Result<()> {
        let remedy_zh = "确需登记请加 --force --reason 说明";
        let remedy_en = "if it must be, add --force --reason TEXT";
        match (self.force, is_again) {
            (true, _) if reason.is_none() => {
                anyhow::bail!(Caller("--force 需要用 --reason 说明原因 / --force needs a --reason".to_owned()))
            }
            (true, _) => Ok(()),
            (false, true) => {
                let year = self.year;
                anyhow::bail!(Caller(format!(
                    "{year} 年度切换已经登记过；{remedy_zh} / the rollover of {year} was noted before; {remedy_en}"
                )))
            }
            (false, false) if 0 < to_do_n => anyhow::bail!(Caller(format!(
                "还有 {to_do_n} 项待处理，未登记；{remedy_zh} / {to_do_n} lines still ask for work, nothing was noted; {remedy_en}"
            ))),
            (false, false) => Ok(()),
        }
    }
}

fn name(year: i32) -> String {
    format!("rollover.{year}")
}

/// Keeps the note, unless somebody else has kept one since the plan was made; the audit log hears of it first.
async fn apply(house: &House, year: i32, kept: Option<&str>, mut notes: Vec<Note>, note: Note) -> anyhow::Result<()> {
    let event = AuditEvent {
        action: "rollover".to_owned(),
        actor: note.by.clone(),
        at_us: chrono::Utc::now().timestamp_micros(),
        outcome: if note.reason.is_some() { "forced" } else { "ok" }.to_owned(),
        purpose: note.reason.clone(),
        resource: format!("rollover/{year}/{}", note.plan),
        role: "owner".to_owned(),
        row_count: None,
        session: None,
    };
    house.store.audit().append(event).await?;
    notes.push(note);
    if !house.store.meta().replace(&name(year), kept, &serde_json::to_string(&notes)?).await? {
        anyhow::bail!(Caller(format!("{year} 年度切换刚刚被他人登记 / somebody else has just noted the rollover of {year}")));
    }
    Ok(())
}

fn table(lines: &[Line]) -> anyhow::Result<RecordBatch> {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let fields = vec![text("check"), Field::new("n", DataType::Int64, true), text("state"), text("detail"), text("what_to_do")];
    Ok(RecordBatch::try_new(
        Arc::new(Schema::new(fields)),
        vec![
            Arc::new(StringArray::from_iter_values(lines.iter().map(|it| it.check))),
            Arc::new(Int64Array::from_iter(lines.iter().map(|it| it.n))),
            Arc::new(StringArray::from_iter_values(lines.iter().map(|it| it.state.as_str()))),
            Arc::new(StringArray::from_iter(lines.iter().map(|it| it.detail.clone()))),
            Arc::new(StringArray::from_iter(lines.iter().map(|it| it.what_to_do.clone()))),
        ],
    )?)
}
