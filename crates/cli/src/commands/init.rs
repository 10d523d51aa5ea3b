//! `yizhan init`: a new campus project.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Folder of the project.
    dir: PathBuf,
}

/// For editors: `#:schema pipeline.schema.json` at the top of a pipeline gives words and errors while typing.
const SCHEMA: &str = include_str!("../../../../pipelines/pipeline.schema.json");

const PROJECT: &str = r#"# Settings of this campus; everything not said here has the default that `yizhan config` shows.
packs = ["campus"]

[campus]
name_zh       = "我的大学"
name_en       = "My University"
time_zone     = "Asia/Shanghai"
day_starts_at = "04:00"
# The line that students and staff read where somebody may be in danger. Until both name the school's own 24-hour number,
# `yizhan check` refuses the project.
# emergency_zh = "有立即危险，先拨 110 / 120 和学校 24 小时值班电话 ……，不要让同学独处。"
# emergency_en = "In immediate danger call 110 / 120 and the school's 24-hour line … first; do not leave the student alone."

[person.student]
pattern = '20\d{8}'     # what a student number looks like here

# A source enters only under a valid line of input/registry/data_use_approval.csv (数据使用审批); its head is
# 文号,来源,责任部门,用途,字段范围,保存期限,批准人,生效日期,失效日期. Data that are public need none: approvals = "off".
[ingest]
approvals = "required"
"#;

impl Init {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let file = self.dir.join("yizhan.toml");
        if file.exists() {
            anyhow::bail!(crate::exit::Caller(format!("{} is there already", file.display())));
        }
        for folder in ["pipelines", "policies", "sql", "input"] {
            let folder = self.dir.join(folder);
            std::fs::create_dir_all(&folder).with_context(|| format!("could not make {}", folder.display()))?;
        }
        std::fs::write(&file, PROJECT).with_context(|| format!("could not write {}", file.display()))?;
        std::fs::write(self.dir.join("pipelines/pipeline.schema.json"), SCHEMA)
            .context("could not write pipelines/pipeline.schema.json")?;
        std::fs::write(self.dir.join(".gitignore"), "/data\n/input\n").context("could not write .gitignore")?;
        println!("{}", file.display());
        eprintln!("把导出文件放进 input/，然后运行 yizhan run / put the exports into input/ and run `yizhan run`");
        Ok(ExitCode::SUCCESS)
    }
}
