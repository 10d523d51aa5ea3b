//! The server's side of the wizard: what `serve` asks of it over `/api/v1/import`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use chrono::Utc;
use ingest::{Choices, FileInput, Limits, contract_text, file_words, guess, is_mendable};
use schema::{Pipeline, SourceKind};
use serde_json::{Value, json};
use serve::{Imports, Refusal, RefusalKind, Save, Upload, Workbook};

use super::uploads::{Kept, Uploads};
use super::{Ground, Trial, contract_path, fitting, mend, trial, workbook, write_whole};
use crate::approval::{Approvals, REGISTER};
use crate::house::House;
use crate::settings;

/// Rows of a preview, kept and refused.
const PREVIEW_ROWS: usize = 50;
/// An upload may unpack to so many times its greatest size.
const UNPACKED_MAX: u64 = 8;

/// The wizard of a living server.
pub(crate) struct Wizard {
    house: Arc<House>,
    input: PathBuf,
    uploads: Arc<Uploads>,
    bytes_max: u64,
}

impl Wizard {
    /// A wizard over a house; `input` is the folder in which exports are looked for.
    pub(crate) fn new(house: Arc<House>, input: PathBuf) -> anyhow::Result<Self> {
        let bytes_max = house.settings.serve.import_bytes_max.0;
        let uploads = Arc::new(Uploads::new(&house.place.data, bytes_max)?);
        Ok(Self { house, input, uploads, bytes_max })
    }

    fn ground(&self) -> Result<Ground, Refusal> {
        let mut ground = Ground::new(&self.house.settings, self.house.now_us()).map_err(failed)?;
        let limits = ground.limits;
        let file_bytes_max = limits.file_bytes_max.min(self.bytes_max.saturating_mul(UNPACKED_MAX));
        ground.limits = Limits { file_bytes_max, ..limits };
        Ok(ground)
    }

    fn kept(&self, account: &str, id: &str) -> Result<Kept, Refusal> {
        let gone = || Refusal::new(RefusalKind::Gone, "文件已过期，请重新上传", "the file is kept no longer: upload it again");
        self.uploads.find(account, id).ok_or_else(gone)
    }

    /// Runs a kept file through the door, on a thread that may take its time.
    async fn tried(&self, kept: &Kept, pipeline: &Pipeline) -> Result<Trial, Refusal> {
        let (ground, kept, pipeline) = (self.ground()?, kept.clone(), pipeline.clone());
        let run = move || trial(&ground, &pipeline, &kept.path, &kept.file_name, PREVIEW_ROWS);
        blocking(run).await?.map_err(file_refused)
    }

    async fn answer(&self, kept: &Kept, choices: &Choices) -> Result<Value, Refusal> {
        let (text, pipeline) = contract(choices)?;
        let trial = self.tried(kept, &pipeline).await?;
        let (approval, lack) = self.approval(&pipeline).await?;
        Ok(json!({
            "rows_in": trial.counts.rows_in,
            "rows_kept": trial.counts.rows_kept,
            "rows_refused": trial.counts.rows_quarantined,
            "is_over_share": trial.is_over_share,
            "reject_share_max": choices.reject_share_max,
            "reasons": trial.reasons.iter().map(|it| json!({
                "reason": it.reason, "column": it.column, "rows_n": it.rows_n, "words_zh": it.words.zh, "words_en": it.words.en,
            })).collect::<Vec<_>>(),
            "columns": trial.columns.iter().map(|it| json!({
                "column": it.column, "head": it.head, "class": it.class, "person": it.person,
            })).collect::<Vec<_>>(),
            "rows": trial.rows,
            "heads": super::trial::heads(&pipeline),
            "refused": trial.refused.iter().take(PREVIEW_ROWS).map(|it| json!({
                "row_no": it.row_no, "cells": it.cells, "words_zh": it.words.zh, "words_en": it.words.en,
            })).collect::<Vec<_>>(),
            "toml": text,
            "exists": self.standing(choices).is_some_and(|it| !it.is_same),
            "displaces": self.standing(choices).and_then(|it| it.path).filter(|it| *it != choices.path),
            "approval": approval,
            "approval_lack_zh": lack.as_ref().map(|(zh, _)| zh),
            "approval_lack_en": lack.as_ref().map(|(_, en)| en),
            "is_mendable": is_mendable(&pipeline),
        }))
    }

    /// Number of the approval that lets a source enter today, empty where none is asked for; or what it lacks.
    async fn approval(&self, pipeline: &Pipeline) -> Result<(Option<String>, Option<(String, String)>), Refusal> {
        let is_asked = self.house.settings.ingest.approvals == settings::Approvals::Required;
        if !is_asked || pipeline.name() == REGISTER {
            return Ok((Some(String::new()), None));
        }
        let approvals = Approvals::read(&self.house, &self.input).await.map_err(failed)?;
        Ok(match approvals.covering(pipeline) {
            Ok(it) => (Some(it.doc_no.clone()), None),
            Err(lack) => (None, Some(lack)),
        })
    }

    /// The contract that stands under the name of the choices, the project's own before the pack's.
    fn standing(&self, choices: &Choices) -> Option<Standing> {
        let path = contract_path(&self.house.place.project, &choices.name);
        let own = std::fs::read_to_string(&path).ok().map(|text| Pipeline::parse(&path, &text).ok());
        let known = || self.house.project.pipelines.iter().find(|it| it.name() == choices.name).cloned().map(Some);
        let found = own.or_else(known)?;
        let standing = found.as_ref().and_then(Choices::of);
        Some(Standing { is_same: standing.as_ref() == Some(choices), path: found.map(|it| it.pipeline.source.path) })
    }
}

/// A contract that is there already.
struct Standing {
    /// It says what was chosen.
    is_same: bool,
    /// Where its files are; `None` if it cannot be read.
    path: Option<String>,
}

#[async_trait]
impl Imports for Wizard {
    async fn state(&self) -> Result<Value, Refusal> {
        let own = |name: &str| contract_path(&self.house.place.project, name).exists();
        let pipelines = &self.house.project.pipelines;
        let of_files = pipelines.iter().filter(|it| it.pipeline.source.kind == SourceKind::Files);
        let owners: BTreeSet<&str> = pipelines.iter().map(|it| it.pipeline.owner.as_str()).collect();
        let purposes: BTreeSet<&str> = pipelines.iter().flat_map(|it| &it.pipeline.purpose).map(String::as_str).collect();
        Ok(json!({
            "bytes_max": self.bytes_max,
            "pipelines": of_files.map(|it| json!({
                "pipeline": it.name(), "about_zh": it.pipeline.said_zh(), "about_en": it.pipeline.about, "owner": it.pipeline.owner, "columns_n": it.columns.len(),
                "is_own": own(it.name()),
            })).collect::<Vec<_>>(),
            "owners": owners,
            "purposes": purposes,
        }))
    }

    async fn guess(&self, account: &str, upload: Upload) -> Result<Value, Refusal> {
        let ground = self.ground()?;
        let busy = || Refusal::new(RefusalKind::Busy, "暂存的文件太多，请稍后再试", "too many files are kept: try again later");
        let kept = self.uploads.keep(account, &upload.file_name, &upload.bytes).map_err(failed)?;
        let (id, kept) = kept.ok_or_else(busy)?;
        let (path, display) = (kept.path.clone(), kept.file_name.clone());
        let guessed = blocking(move || {
            let file = FileInput { path: &path, file_no: 1, display: &display };
            guess(&file, &ground.persons, ground.limits, None)
        })
        .await?;
        let guess = guessed.map_err(|error| {
            self.uploads.forget(&id);
            file_refused(error)
        })?;
        let heads: Vec<String> = guess.columns.iter().map(|it| it.head.clone()).collect();
        let fits = (!guess.headless.value).then(|| fitting(&self.house.project, &heads)).flatten();
        let mut choices = guess.choices();
        // A table with the columns of a contract is that contract's, whatever format it comes in.
        let known = fits.and_then(|it| Some((it.name(), Choices::of(it)?)));
        let known = known.map(|(name, contract)| {
            let mut it = contract;
            let written = (choices.format, choices.encoding, choices.separator, choices.sheet.take(), choices.skip_rows);
            if written != (it.format, it.encoding, it.separator, it.sheet.clone(), it.skip_rows)
                || it.headless != choices.headless
            {
                (it.format, it.encoding, it.separator, it.sheet, it.skip_rows) = written;
                it.headless = choices.headless;
                it.path = choices.path.replacen(&format!("/{}/", choices.name), &format!("/{name}/"), 1);
            }
            (name, it)
        });
        let fits = known.as_ref().map(|(name, it)| json!({ "pipeline": name, "about": it.about, "choices": it }));
        Ok(json!({
            "upload_id": id, "file_name": kept.file_name, "bytes": kept.bytes, "guess": guess, "choices": guess.choices(), "fits": fits,
        }))
    }

    async fn preview(&self, account: &str, upload_id: &str, choices: Value) -> Result<Value, Refusal> {
        let kept = self.kept(account, upload_id)?;
        let choices = read(choices)?;
        self.uploads.tried(upload_id, &choices);
        self.answer(&kept, &choices).await
    }

    async fn rejects(&self, account: &str, upload_id: &str, choices: Value) -> Result<Workbook, Refusal> {
        let kept = self.kept(account, upload_id)?;
        let choices = read(choices)?;
        let (_, pipeline) = contract(&choices)?;
        self.uploads.tried(upload_id, &choices);
        let trial = self.tried(&kept, &pipeline).await?;
        let rows_n = trial.refused.len() as u64;
        let bytes = blocking(move || workbook::rejects(&pipeline, &trial.refused)).await?.map_err(failed)?;
        Ok(Workbook { file_name: format!("{}-rejects.xlsx", choices.name), bytes, rows_n })
    }

    async fn correct(&self, account: &str, upload_id: &str, corrected: Upload) -> Result<Value, Refusal> {
        let kept = self.kept(account, upload_id)?;
        let not_tried = || {
            Refusal::new(
                RefusalKind::Choices,
                "请先预览，再上传改好的错误行",
                "preview the file before its corrected rows are sent",
            )
        };
        let choices = kept.choices.clone().ok_or_else(not_tried)?;
        let (_, pipeline) = contract(&choices)?;
        let trial = self.tried(&kept, &pipeline).await?;
        let ground = self.ground()?;
        let original = kept.clone();
        let bytes = blocking(move || -> anyhow::Result<Vec<u8>> {
            let folder = tempfile::tempdir()?;
            let path = folder.path().join("corrected.xlsx");
            std::fs::write(&path, &corrected.bytes)?;
            mend::mend(&ground, &pipeline, &trial, (&original.path, &original.file_name), (&path, &corrected.file_name))
        })
        .await?;
        let bytes = bytes.map_err(|error| match error.downcast::<ingest::Error>() {
            Ok(error) => file_refused(error),
            Err(error) => failed(error),
        })?;
        let packed = [".gz", ".zst", ".zip"];
        let bare = packed.iter().find_map(|it| kept.file_name.strip_suffix(it)).unwrap_or(&kept.file_name);
        self.uploads.replace(upload_id, bare, &bytes).map_err(failed)?;
        self.answer(&self.kept(account, upload_id)?, &choices).await
    }

    async fn save(&self, account: &str, save: Save) -> Result<Value, Refusal> {
        let kept = self.kept(account, &save.upload_id)?;
        let choices = read(save.choices)?;
        let (text, pipeline) = contract(&choices)?;
        let name = choices.name.clone();
        let standing = self.standing(&choices);
        let is_same = standing.as_ref().is_some_and(|it| it.is_same);
        if standing.is_some() && !is_same && !save.replace {
            return Err(Refusal::new(
                RefusalKind::Exists,
                format!("已有名为 {name} 的约定；换个名字，或选择替换"),
                format!("there is a contract \"{name}\": take another name, or choose to replace it"),
            ));
        }
        self.check_tables(&pipeline)?;
        let (approval, lack) = self.approval(&pipeline).await?;
        if let Some((zh, en)) = lack.as_ref().filter(|_| save.take) {
            return Err(Refusal::new(
                RefusalKind::Approval,
                format!("{zh}。约定可以先保存"),
                format!("{en}. The contract may be saved"),
            ));
        }
        let taken_to = if save.take { Some(self.put(&kept, &pipeline)?) } else { None };
        // A contract that says the same already is left as somebody wrote it.
        if !is_same {
            write_whole(&contract_path(&self.house.place.project, &name), text.as_bytes()).map_err(failed)?;
        }
        self.uploads.forget(&save.upload_id);
        let (lack_zh, lack_en) = lack.unwrap_or_default();
        let next_zh = match (&taken_to, &approval) {
            (Some(path), _) if is_same => format!("文件已放入 input/{path}，下一次运行会接入。约定没有变化。"),
            (Some(path), _) => format!("文件已放入 input/{path}。服务在下次启动时读取新约定，之后的运行会接入数据。"),
            (None, Some(_)) => {
                format!("把导出文件放到 input/{}；服务在下次启动时读取新约定，之后的运行会接入数据。", choices.path)
            }
            (None, None) => format!("约定已保存。{lack_zh}。服务在下次启动时读取新约定。"),
        };
        let next_en = match (&taken_to, &approval) {
            (Some(path), _) if is_same => {
                format!("The file is in input/{path}: the next run takes it in. The contract is as it was.")
            }
            (Some(path), _) => format!(
                "The file is in input/{path}. The server reads the new contract at its next start; the run after that takes the data in."
            ),
            (None, Some(_)) => format!(
                "Put exports into input/{}; the server reads the new contract at its next start, and the run after that takes them in.",
                choices.path
            ),
            (None, None) => {
                format!("The contract is saved. The {lack_en}. The server reads the new contract at its next start.")
            }
        };
        Ok(json!({
            "pipeline": name, "path": format!("pipelines/{name}.toml"), "toml": text, "taken_to": taken_to, "approval": approval,
            "next_zh": next_zh, "next_en": next_en,
        }))
    }

    async fn template(&self, pipeline: &str) -> Result<Workbook, Refusal> {
        let gone = || Refusal::new(RefusalKind::Gone, "没有这个约定", "there is no such contract");
        let found = self.house.project.pipelines.iter().find(|it| it.name() == pipeline).ok_or_else(gone)?;
        let bytes = workbook::template(found, &self.ground()?).map_err(failed)?;
        Ok(Workbook { file_name: format!("{pipeline}-template.xlsx"), bytes, rows_n: 0 })
    }
}

impl Wizard {
    /// Refuses a contract with which the project's tables would not stand together.
    fn check_tables(&self, pipeline: &Pipeline) -> Result<(), Refusal> {
        let subject = &self.house.settings.subject;
        let project = &self.house.project;
        let mut pipelines: Vec<Pipeline> = project.pipelines.iter().filter(|it| it.name() != pipeline.name()).cloned().collect();
        pipelines.push(pipeline.clone());
        let subject = project.models.iter().any(|it| it.name == subject.table).then_some(subject);
        match transform::Graph::new(&pipelines, &project.models, subject) {
            Ok(_) => Ok(()),
            Err(error) => Err(Refusal::new(
                RefusalKind::Choices,
                format!("与现有的表不相容：{error}"),
                format!("it does not fit the tables that there are: {}", crate::exit::chain(&error)),
            )),
        }
    }

    /// Puts a kept file where the contract's next run finds it, and says where that is under the input folder.
    fn put(&self, kept: &Kept, pipeline: &Pipeline) -> Result<String, Refusal> {
        let pattern = &pipeline.pipeline.source.path;
        let stamp = Utc::now().format("%Y%m%d_%H%M%S").to_string();
        let packed = [".gz", ".zst", ".zip"].into_iter().find(|it| kept.file_name.ends_with(it)).unwrap_or_default();
        let relative = filled(pattern, &stamp, packed);
        let path = self.input.join(&relative);
        let astray = || {
            Refusal::new(
                RefusalKind::Choices,
                format!("路径 {pattern} 放不下这个文件：请以 * 结尾，并写相对路径"),
                format!("path \"{pattern}\" has no place for the file: end it with * and write it relative"),
            )
        };
        if Path::new(&relative).components().any(|it| !matches!(it, std::path::Component::Normal(_))) || path.exists() {
            return Err(astray());
        }
        let bytes = std::fs::read(&kept.path).map_err(|it| failed(it.into()))?;
        write_whole(&path, &bytes).map_err(failed)?;
        let found = ingest::files(&self.input, pattern).unwrap_or_default();
        if !found.contains(&path) {
            let _ = std::fs::remove_file(&path);
            return Err(astray());
        }
        Ok(relative)
    }
}

/// A path pattern with its stars filled in: the first of the name by a stamp, the last by how the file is packed.
fn filled(pattern: &str, stamp: &str, packed: &str) -> String {
    let (folder, name) = pattern.rsplit_once('/').map_or(("", pattern), |(folder, name)| (folder, name));
    let folder = folder.replace('*', "wizard");
    let pieces: Vec<&str> = name.split('*').collect();
    let mut out = String::new();
    for (at, piece) in pieces.iter().enumerate() {
        out += piece;
        let is_last_star = at + 2 == pieces.len() && 2 < pieces.len() && pieces[at + 1].is_empty();
        if at == 0 && 1 < pieces.len() {
            out += stamp;
        } else if is_last_star {
            out += packed;
        }
    }
    if folder.is_empty() { out } else { format!("{folder}/{out}") }
}

fn read(choices: Value) -> Result<Choices, Refusal> {
    serde_json::from_value(choices).map_err(|error| {
        Refusal::new(RefusalKind::Choices, format!("选择不完整：{error}"), format!("the choices are not complete: {error}"))
    })
}

fn contract(choices: &Choices) -> Result<(String, Pipeline), Refusal> {
    contract_text(choices).map_err(|error| {
        let key = match &error {
            schema::Error::Value { key, .. } => key.clone(),
            _ => String::new(),
        };
        let message = match &error {
            schema::Error::Value { key, message, .. } => format!("{key}: {message}"),
            other => other.to_string(),
        };
        Refusal::new(RefusalKind::Choices, format!("这里的选择需要修改：{}（{message}）", place(&key)), message)
    })
}

/// Where in the wizard a key of the contract is chosen.
fn place(key: &str) -> String {
    if let Some(rest) = key.strip_prefix("columns.") {
        let (column, part) = rest.split_once('.').unwrap_or((rest, ""));
        let part = match part {
            "head" => "的列名",
            "person" => "的人员",
            "format" => "的时间写法",
            "one_of" | "codes" => "的允许值",
            "decimal_shift" | "min" => "的类型",
            _ => "的名称",
        };
        return format!("列 {column} {part}");
    }
    match key {
        "contract.key" => "唯一标识".to_owned(),
        "contract.occurred_at" | "contract.occurred_at.column" => "发生时间".to_owned(),
        "pipeline.name" => "名称".to_owned(),
        "pipeline.purpose" => "用途".to_owned(),
        _ => "其他设置".to_owned(),
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work).await.map_err(|it| failed(it.into()))
}

fn file_refused(error: ingest::Error) -> Refusal {
    if error.blame() != schema::Blame::Caller {
        return failed(error.into());
    }
    let words = file_words(&error);
    Refusal::new(RefusalKind::File, words.zh, words.en)
}

#[allow(clippy::needless_pass_by_value, reason = "it ends here")]
fn failed(error: anyhow::Error) -> Refusal {
    tracing::error!(error = %format!("{error:#}"), "the import wizard failed");
    Refusal::new(RefusalKind::Failed, "系统内部错误，已记录", "internal error, it was logged")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_file_gets_a_name_that_the_pattern_finds() {
        assert_eq!(filled("import/card/*.csv*", "1", ".gz"), "import/card/1.csv.gz");
        assert_eq!(filled("import/card/*.csv*", "1", ""), "import/card/1.csv");
        assert_eq!(filled("card/card_2*.csv", "1", ""), "card/card_21.csv");
        assert_eq!(filled("*/x.csv", "1", ""), "wizard/x.csv");
        assert_eq!(filled("*", "1", ""), "1");
    }
}
