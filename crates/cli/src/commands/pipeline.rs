//! `yizhan pipeline`: a contract from a file, without writing TOML, and templates for people who fill in tables.

use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use chrono::Utc;
use clap::{Args, Subcommand};
use ingest::{Choices, FileInput, Guess, SURE, contract_text, guess};
use schema::{Class, ColumnType, Shape};
use serde_json::json;

use super::{Common, Format};
use crate::exit::Caller;
use crate::import::{Ground, Trial, contract_path, fitting, rejects, template, trial, write_whole};
use crate::project::Project;

#[derive(Debug, Args)]
pub(crate) struct Pipeline {
    #[command(subcommand)]
    command: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Guesses the contract of a file, asks what is unsure, writes pipelines/NAME.toml and tries the file in memory.
    New(New),
    /// Writes an empty workbook with the heads of a contract and a sheet that explains them.
    Template(Template),
}

#[derive(Debug, Args)]
struct New {
    /// CSV, TSV, JSON lines, Excel or Parquet, packed or not.
    file: PathBuf,
    /// Name of the pipeline (default: guessed from the file's name).
    #[arg(long)]
    name: Option<String>,
    /// Where the contract is written (default: pipelines/NAME.toml of the project).
    #[arg(long, value_name = "FILE.toml")]
    out: Option<PathBuf>,
    /// Sheet of a workbook (default: the first).
    #[arg(long)]
    sheet: Option<String>,
    /// Take every guess without asking.
    #[arg(long)]
    yes: bool,
    /// Write over a contract that is there.
    #[arg(long)]
    force: bool,
    /// Write the refused rows with the reason in the last column.
    #[arg(long, value_name = "FILE.xlsx")]
    rejects: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Template {
    /// Name of the pipeline.
    name: String,
    /// Workbook to be written.
    #[arg(long, value_name = "FILE.xlsx")]
    out: PathBuf,
}

impl Pipeline {
    pub(crate) fn run(self, common: &Common) -> anyhow::Result<ExitCode> {
        match self.command {
            Verb::New(it) => it.run(common),
            Verb::Template(it) => it.run(common),
        }
    }
}

impl Template {
    fn run(self, common: &Common) -> anyhow::Result<ExitCode> {
        let settings = common.settings()?;
        let project = Project::read(&common.place().project, &settings)?;
        let found = project.pipelines.iter().find(|it| it.name() == self.name);
        let Some(found) = found else {
            let near = schema::nearest(&self.name, project.pipelines.iter().map(schema::Pipeline::name));
            let near = near.map(|it| format!("; did you mean \"{it}\"?")).unwrap_or_default();
            anyhow::bail!(Caller(format!("there is no pipeline \"{}\"{near}", self.name)));
        };
        let ground = Ground::new(&settings, Utc::now().timestamp_micros())?;
        write_whole(&self.out, &template(found, &ground)?)?;
        println!("{}", self.out.display());
        Ok(ExitCode::SUCCESS)
    }
}

impl New {
    fn run(self, common: &Common) -> anyhow::Result<ExitCode> {
        let settings = common.settings()?;
        let place = common.place();
        let project = Project::read(&place.project, &settings)?;
        let ground = Ground::new(&settings, common.now_us(&settings)?)?;
        if !self.file.is_file() {
            anyhow::bail!(Caller(format!("there is no file {}", self.file.display())));
        }
        let display = self.file.file_name().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
        let file = FileInput { path: &self.file, file_no: 1, display: &display };
        let guess = guess(&file, &ground.persons, ground.limits, self.sheet.as_deref())?;
        let mut choices = guess.choices();
        let name = self.name.clone().or_else(|| {
            let out = self.out.as_ref()?.file_stem()?.to_string_lossy().into_owned();
            Some(out)
        });
        if let Some(name) = &name {
            rename(&mut choices, name);
        }
        let is_json = common.format() == Format::Json;
        if !is_json {
            say(&guess);
            let heads: Vec<String> = guess.columns.iter().map(|it| it.head.clone()).collect();
            if let Some(known) = fitting(&project, &heads).filter(|_| !guess.headless.value) {
                let (name, path) = (known.name(), &known.pipeline.source.path);
                println!("列与已有约定 {name}（input/{path}）一致 / these are the columns of the contract {name} (input/{path})");
            }
        }
        if !self.yes && std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
            ask(&guess, &mut choices, name.is_some())?;
        }
        let path = self.out.clone().unwrap_or_else(|| contract_path(&place.project, &choices.name));
        let is_known = self.out.is_none() && project.pipelines.iter().any(|it| it.name() == choices.name);
        if (path.exists() || is_known) && !self.force {
            let there = if path.exists() { path.display().to_string() } else { format!("contract \"{}\"", choices.name) };
            anyhow::bail!(Caller(format!("{there} is there already: choose another --name, or --force")));
        }
        let (text, pipeline) = contract_text(&choices)?;
        let trial = trial(&ground, &pipeline, &self.file, &display, 0)?;
        write_whole(&path, text.as_bytes())?;
        if let Some(out) = &self.rejects {
            write_whole(out, &rejects(&pipeline, &trial.refused)?)?;
        }
        if is_json {
            println!(
                "{}",
                json!({
                    "pipeline": choices.name, "path": path, "rows_in": trial.counts.rows_in, "rows_kept": trial.counts.rows_kept,
                    "rows_refused": trial.counts.rows_quarantined, "is_over_share": trial.is_over_share,
                    "reasons": trial.reasons.iter().map(|it| json!({ "reason": it.reason, "column": it.column, "rows_n": it.rows_n })).collect::<Vec<_>>(),
                })
            );
        } else {
            report(&trial, &choices, &path, self.rejects.as_ref());
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Gives the contract another name, and its path with it.
fn rename(choices: &mut Choices, name: &str) {
    choices.path = choices.path.replacen(&format!("/{}/", choices.name), &format!("/{name}/"), 1);
    choices.about = choices.about.replacen(&choices.name, name, 1);
    name.clone_into(&mut choices.name);
}

/// Prints what was guessed, as a table.
fn say(guess: &Guess) {
    let head = if guess.headless.value {
        "没有表头 / no head".to_owned()
    } else {
        format!("表头在第 {0} 行 / head in row {0}", guess.skip_rows.value + 1)
    };
    println!(
        "{} · {} · {} · {} 行 / rows{}",
        word(&guess.format.value),
        word(&guess.encoding.value),
        head,
        guess.rows_seen,
        if guess.is_whole { "" } else { " +" }
    );
    let widths = [4, 18, 18, 30, 8, 9, 5];
    let line = |cells: [&str; 8]| {
        let padded: String = cells.iter().zip(widths).map(|(it, width)| padded(it, width)).collect();
        println!("{padded}{}", cells[7]);
    };
    line(["", "列 head", "名称 name", "类型 type", "人员", "分级", "必填", "依据 why"]);
    for (at, it) in guess.columns.iter().enumerate() {
        let mut type_ = word(&it.type_.value);
        type_ += &it.format.as_ref().map(|it| format!(" {it}")).unwrap_or_default();
        type_ += &it.decimal_shift.map(|it| format!(" shift {it}")).unwrap_or_default();
        let person = it.person.value.map(|it| it.to_string()).unwrap_or_default();
        let required = if it.required.value { "是" } else { "" };
        let (sure, zh, en) = least(it);
        let mark = if sure < SURE { "?" } else { " " };
        let (number, why) = (format!("{mark}{}", at + 1), format!("{zh} / {en}"));
        line([&number, &it.head, &it.name.value, &type_, &person, it.class.value.as_str(), required, &why]);
    }
    let key = if guess.key.value.is_empty() { "row".to_owned() } else { guess.key.value.join(", ") };
    println!(
        "{} · key: {key}（{}）· occurred_at: {}",
        word(&guess.shape.value),
        guess.key.reason_zh,
        guess.occurred_at.value.as_deref().unwrap_or("-")
    );
}

/// The least sure part of a column's guess, and why it was taken.
fn least(it: &ingest::ColumnGuess) -> (f64, &str, &str) {
    let parts = [
        (it.name.confidence, &it.name.reason_zh, &it.name.reason_en),
        (it.type_.confidence, &it.type_.reason_zh, &it.type_.reason_en),
        (it.class.confidence, &it.class.reason_zh, &it.class.reason_en),
        (it.person.confidence, &it.person.reason_zh, &it.person.reason_en),
    ];
    let least = parts.iter().min_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or(&parts[0]);
    (least.0, least.1, least.2)
}

/// A cell of a table on a terminal, on which a Chinese character is two wide.
fn padded(text: &str, width: usize) -> String {
    let wide: usize = text.chars().map(|it| if u32::from(it) < 0x1100 { 1 } else { 2 }).sum();
    format!("{text}{}", " ".repeat(width.saturating_sub(wide).max(1)))
}

/// Asks on the terminal what is unsure; an empty answer takes the guess.
fn ask(guess: &Guess, choices: &mut Choices, is_named: bool) -> anyhow::Result<()> {
    println!("回车接受方括号里的猜测 / Enter takes the guess in brackets");
    if !is_named {
        let name = asked("名称 name", &choices.name)?;
        rename(choices, &name);
    }
    choices.about = asked("一句话说明 about", &choices.about)?;
    choices.owner = asked("责任部门 owner", &choices.owner)?;
    let purpose = asked("用途 purpose", &choices.purpose.join(","))?;
    choices.purpose = purpose.split([',', '，', ';']).map(|it| it.trim().to_owned()).filter(|it| !it.is_empty()).collect();
    for (column, guessed) in choices.columns.iter_mut().zip(&guess.columns) {
        if SURE <= least(guessed).0 {
            continue;
        }
        let shown = if guessed.head.is_empty() { column.name.clone() } else { guessed.head.clone() };
        println!("列 / column “{shown}”: {}", guessed.examples.join(" | "));
        let old = column.name.clone();
        if guessed.name.confidence < SURE {
            column.name = asked(&format!("  名称 name（{}）", guessed.name.reason_zh), &column.name)?;
            choices.key.iter_mut().filter(|it| **it == old).for_each(|it| it.clone_from(&column.name));
            if choices.occurred_at.as_ref() == Some(&old) {
                choices.occurred_at = Some(column.name.clone());
            }
            if column.head.is_none() && !choices.headless {
                column.head = Some(old.clone());
            }
        }
        if guessed.type_.confidence < SURE {
            let types = ["text", "int64", "float64", "boolean", "date", "timestamp"];
            let answer = asked(&format!("  类型 type（{}）", types.join(" ")), &word(&column.type_))?;
            let type_ = serde_json::from_value::<ColumnType>(json!(answer));
            column.type_ = type_.map_err(|_| Caller(format!("\"{answer}\" is no type: {}", types.join(", "))))?;
            if !matches!(column.type_, ColumnType::Date | ColumnType::Timestamp) {
                column.format = None;
            }
            if column.type_ != ColumnType::Int64 {
                column.decimal_shift = None;
            }
        }
        if guessed.class.confidence < SURE && column.person.is_none() {
            let answer = asked("  分级 class（public internal personal trace closed identity）", column.class.as_str())?;
            column.class = Class::parse(&answer).ok_or_else(|| Caller(format!("\"{answer}\" is no class")))?;
        }
    }
    if guess.shape.confidence < SURE {
        let answer = asked("形态 shape（event 流水 / state 登记）", &word(&choices.shape))?;
        choices.shape =
            serde_json::from_value::<Shape>(json!(answer)).map_err(|_| Caller(format!("\"{answer}\" is no shape")))?;
    }
    Ok(())
}

fn asked(question: &str, guess: &str) -> anyhow::Result<String> {
    print!("{question} [{guess}]: ");
    std::io::stdout().flush()?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).context("could not read the answer")?;
    let line = line.trim();
    Ok(if line.is_empty() { guess.to_owned() } else { line.to_owned() })
}

fn report(trial: &Trial, choices: &Choices, path: &std::path::Path, rejects: Option<&PathBuf>) {
    println!(
        "{} 行，接收 {}，退回 {} / {0} rows, {1} kept, {2} refused",
        trial.counts.rows_in, trial.counts.rows_kept, trial.counts.rows_quarantined
    );
    for it in &trial.reasons {
        println!("  {:>8} {}：{} / {}", it.rows_n, it.reason, it.words.zh, it.words.en);
    }
    if trial.is_over_share {
        println!(
            "退回的行超过允许的比例 {0}，整个文件会被拒绝 / more than the share {0}: the whole file would be refused",
            choices.reject_share_max
        );
    }
    if let Some(out) = rejects {
        println!("错误行 / refused rows: {}", out.display());
    }
    println!("{}", path.display());
    if choices.owner == "to_be_named" {
        eprintln!("请在约定里填写责任部门 owner / name the owner in the contract");
    }
    eprintln!(
        "登记数据使用审批，把文件放到 input/{0}，然后运行 yizhan ingest {1} / register the approval of its use, put the file into input/{0}, then run `yizhan ingest {1}`",
        choices.path, choices.name
    );
}

/// The word under which a contract writes a choice.
fn word(it: &impl serde::Serialize) -> String {
    serde_json::to_value(it).ok().and_then(|it| it.as_str().map(str::to_owned)).unwrap_or_default()
}
