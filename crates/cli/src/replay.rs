//! Sends rows of the quarantine through the door again, exactly once, whatever happens in between.
//!
//! A row that passes enters the raw table under the `file_no` and `row_no` that it has always had. So the raw table itself
//! says which rows were replayed, in the one commit that brings them, and there is no second place to disagree with it:
//!
//! 1. what waits is looked up: refused, not marked, its file landed; what the raw table holds already is only marked;
//! 2. the rows are tried, and nothing but keys of persons is written;
//! 3. those that pass are committed to the raw table at once;
//! 4. what waits no longer is marked in `ops_quarantine_replayed`.
//!
//! A crash before the commit of 3 changes nothing; one behind it leaves rows without marks, which step 1 of the next
//! replay finds in the raw table: nothing is lost and nothing comes twice. Rows of a file that never landed are left
//! alone, for they come again with it.
//!
//! A full export ends whoever it lacks, so its rows cannot come alone. The newest one is written anew as a file of its own
//! number, with the row numbers that it had and the mended rows among them; the position is committed with it, and its
//! path in the register says of which file it is made. Rows of older exports are superseded.

mod commit;
mod trial;
mod waiting;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;

use schema::{Export, Pipeline, Seal};
use store::{FileEntry, FileState};

use crate::approval::{self, Approvals};
use crate::exit::Caller;
use crate::house::House;
use crate::ingest::{Report, refuse_unknown};
use crate::project::Project;
use crate::settings;

pub(crate) use waiting::{REPLAYED, Sealed, waiting};

/// Path in the register of a full export that was written anew: it goes on with the number of the file it is made of.
const REWRITTEN: &str = "ops_quarantine/";

/// Which rows to try again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    /// All if there is none.
    pub(crate) pipelines: &'a [String],
    /// Code of the reason for which they were refused; any if there is none.
    pub(crate) reason: Option<&'a str>,
    /// Number of their file; any if there is none.
    pub(crate) file_no: Option<i64>,
}

/// Why a row waits no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Kept,
    Superseded,
    Erased,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Outcome::Kept => "kept",
            Outcome::Superseded => "superseded",
            Outcome::Erased => "erased",
        }
    }
}

/// A row that waits no longer: file, row, why.
type Mark = (i64, i64, Outcome);

/// Number of the file in which an entry's rows came.
pub(crate) fn root(entry: &FileEntry) -> i64 {
    entry.path.strip_prefix(REWRITTEN).and_then(|it| it.parse().ok()).unwrap_or(entry.file_no)
}

/// Tries what waits again, pipeline by pipeline.
pub(crate) async fn replay(house: &House, request: &Request<'_>, input: &Path) -> anyhow::Result<Vec<Report>> {
    refuse_unknown(house, request.pipelines)?;
    refuse_unknown_reason(request.reason)?;
    refuse_stale(house, request)?;
    // What was pushed came before: it may be newer than what waits, and some of it waits itself.
    crate::stream::commit(house).await?;
    let approvals = match house.settings.ingest.approvals {
        settings::Approvals::Off => None,
        settings::Approvals::Required => Some(Approvals::read(house, input).await?),
    };
    let mut reports = Vec::new();
    for pipeline in house.project.pipelines.iter().filter(|it| is_wanted(request, it)) {
        let approvals = approvals.as_ref().filter(|_| pipeline.name() != approval::REGISTER);
        let report = one(house, pipeline, request, approvals).await?;
        reports.extend(Some(report).filter(|it| 0 < it.rows_in || !it.refused.is_empty()));
    }
    Ok(reports)
}

fn is_wanted(request: &Request<'_>, pipeline: &Pipeline) -> bool {
    request.pipelines.is_empty() || request.pipelines.iter().any(|it| it == pipeline.name())
}

fn refuse_unknown_reason(reason: Option<&str>) -> anyhow::Result<()> {
    let known = ::ingest::Reason::ALL.map(::ingest::Reason::as_str);
    match reason {
        Some(code) if !known.contains(&code) => {
            let known = known.join(", ");
            anyhow::bail!(Caller(format!(
                "没有原因代码 {code}，可用：{known} / there is no reason \"{code}\"; there are {known}"
            )))
        }
        _ => Ok(()),
    }
}

/// Refuses to replay under a contract that was changed since this process read it: a living server would try the rows
/// under the old one, mend nothing and say so.
fn refuse_stale(house: &House, request: &Request<'_>) -> anyhow::Result<()> {
    let today = Project::read(&house.place.project, &house.settings)?;
    for pipeline in house.project.pipelines.iter().filter(|it| is_wanted(request, it)) {
        let name = pipeline.name();
        let on_disk = today.pipelines.iter().find(|it| it.name() == name);
        if serde_json::to_value(on_disk)? != serde_json::to_value(pipeline)? {
            anyhow::bail!(Caller(format!(
                "pipelines/{name}.toml 已修改，正在运行的服务用的还是旧的：请重启 yizhan serve 后再重放 / pipelines/{name}.toml was \
                 changed, and the running server still has the old one: restart yizhan serve, then replay"
            )));
        }
    }
    Ok(())
}

async fn one(house: &House, pipeline: &Pipeline, request: &Request<'_>, approvals: Option<&Approvals>) -> anyhow::Result<Report> {
    let began = Instant::now();
    let name = pipeline.name();
    let mut report = Report { pipeline: name.to_owned(), table: pipeline.raw_table(), ..Report::default() };
    let landed = landed(house, pipeline).await?;
    let mut rows = waiting(house, name, request).await?;
    // What was pushed is in the table, or in the log and so will be.
    rows.retain(|it| crate::stream::is_pushed(it.file_no) || landed.iter().any(|file| file.file_no == it.file_no));
    // That a row came too late was known when it came: only who asks for such rows by name lets them in.
    rows.retain(|it| it.reason != ::ingest::Reason::Late.as_str() || request.reason == Some(::ingest::Reason::Late.as_str()));
    if rows.is_empty() {
        return Ok(report);
    }
    if let Some(lack) = approvals.and_then(|it| it.lacking(pipeline)) {
        report.refused.push(lack);
        return Ok(report);
    }
    let is_full = !pipeline.is_event() && pipeline.pipeline.export == Export::Full;
    let newest = landed.last().filter(|_| is_full);
    let mut marks: Vec<Mark> = Vec::new();
    // Left by a crash behind the commit, or by a file that was taken under a mended contract: it is in, and only said so.
    let is_in = waiting::in_raw(house, pipeline, &rows, newest).await?;
    rows.retain(|it| {
        let is_in = is_in.contains(&it.place());
        marks.extend(is_in.then_some((it.file_no, it.row_no, Outcome::Kept)));
        !is_in
    });
    report.rows_in = rows.len() as u64;
    report.files = rows.iter().map(|it| it.file_no).collect::<BTreeSet<_>>().len();
    if let Some(current) = newest.map(root) {
        rows.retain(|it| {
            let is_over = it.file_no != current;
            marks.extend(is_over.then_some((it.file_no, it.row_no, Outcome::Superseded)));
            !is_over
        });
    }

    // Held until the rows are in.
    let meeting = match crate::stream::meet(house, pipeline).await? {
        Ok(meeting) => meeting,
        Err(stuck) => {
            report.refused.push(stuck.words());
            return Ok(report);
        }
    };
    if let Err(error) = crate::reshape::fit(house, pipeline).await {
        if crate::exit::code(&error) != 2 {
            return Err(error);
        }
        report.refused.push(format!("{error:#}"));
        return Ok(report);
    }
    let known_us = meeting.known_us;
    let trial = trial::Trial::new(house, pipeline, known_us)?;
    let open = |it: &Sealed| trial.vault.open(&it.sealed).map_err(|error| anyhow::anyhow!("a row of the quarantine: {error}"));
    let opened = rows.iter().map(open).collect::<anyhow::Result<Vec<_>>>()?;
    let tried = trial.run(&opened, trial::Names::Dropped).await?;
    let (passed, failed) = (trial::passed(&tried), trial::failed(&tried));
    let later = commit::superseded(house, pipeline, &tried.parts, &rows, newest).await?;
    report.rows_quarantined = failed.len() as u64;
    report.reasons = tried.reasons;
    let mut kept = Vec::new();
    for (place, it) in rows.iter().enumerate() {
        let outcome = match passed.contains(&place) {
            true if later.contains(&place) => Outcome::Superseded,
            true => Outcome::Kept,
            false if failed.contains(&place) => continue,
            false => Outcome::Erased,
        };
        marks.push((it.file_no, it.row_no, outcome));
        if outcome == Outcome::Kept {
            kept.push(place);
        }
        report.rows_erased += u64::from(outcome == Outcome::Erased);
    }
    report.rows_kept = kept.len() as u64;
    report.rows_skipped = report.rows_in - report.rows_kept - report.rows_quarantined - report.rows_erased;
    if !kept.is_empty() {
        let origins: Vec<(i64, i64)> = kept.iter().map(|it| rows[*it].place()).collect();
        let kept: Vec<Vec<u8>> = kept.iter().map(|it| opened[*it].clone()).collect();
        let taken = trial.run(&kept, trial::Names::Kept).await?;
        anyhow::ensure!(taken.counts.rows_kept == report.rows_kept, "rows of {name} that passed once did not pass twice");
        match newest {
            Some(newest) => commit::rewrite(house, pipeline, newest, &origins, taken, known_us).await?,
            None => commit::append(house, pipeline, &origins, taken, known_us).await?,
        }
    }
    waiting::mark(house, name, &marks).await?;
    report.seconds = began.elapsed().as_secs_f64();
    Ok(report)
}

/// Files whose rows are in the lake, in the order of their numbers.
async fn landed(house: &House, pipeline: &Pipeline) -> anyhow::Result<Vec<FileEntry>> {
    let files = house.store.files();
    if let Some(position) = house.lake.position(&pipeline.raw_table(), pipeline.name()).await? {
        files.land(pipeline.name(), position).await?;
    }
    let mut entries = files.list(Some(pipeline.name())).await?;
    entries.retain(|it| it.state == FileState::Landed);
    Ok(entries)
}
