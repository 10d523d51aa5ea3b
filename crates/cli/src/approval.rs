//! Approvals of the use of data (数据使用审批): what the register in the lake says of a source today.
//!
//! The register comes through the door like any source and is taken in before the others; a source that no approval
//! covers does not enter, and nothing of its files is noted, so that they are taken whole once it is approved.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Date32Type;
use schema::Pipeline;
use schema::time::days_date;
use store::FileState;

use crate::house::House;
use crate::replay;

/// Pipeline of the register, which itself needs no approval: it is what all others are measured by.
pub(crate) const REGISTER: &str = "data_use_approval";

/// One line of the register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Approval {
    pub(crate) doc_no: String,
    pub(crate) source: String,
    /// Office that answers for the data: who widens or renews the approval.
    pub(crate) office: String,
    pub(crate) purposes: BTreeSet<String>,
    /// Columns by their own names; `*` is all.
    pub(crate) fields: BTreeSet<String>,
    /// First and last day, days since 1970.
    pub(crate) valid_from: i32,
    pub(crate) valid_to: i32,
}

/// What is approved, as the newest export of the register says.
#[derive(Debug)]
pub(crate) struct Approvals {
    pub(crate) all: Vec<Approval>,
    /// Where a line is to be added, for messages.
    path: String,
    /// The campus day of the run.
    today: i32,
}

/// What keeps an approval from covering a source, the least grave first.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Lack {
    Words(usize),
    Expired,
    NotYet,
}

impl Approvals {
    /// Reads the register from the lake; one that was never loaded approves nothing.
    ///
    /// The export that counts is the newest one that still lies in the input folder, or the newest of all: a register
    /// that is put back to an earlier content is not taken in again, and holds nevertheless.
    pub(crate) async fn read(house: &House, input: &Path) -> anyhow::Result<Self> {
        let today = house.clock().moment(house.now_us()).occurred_on;
        let Some(register) = house.project.pipelines.iter().find(|it| it.name() == REGISTER) else {
            return Ok(Self { all: Vec::new(), path: format!("pipelines/{REGISTER}.toml"), today });
        };
        let path = register.pipeline.source.path.replace('*', "");
        let mut approvals = Self { all: Vec::new(), path, today };
        if let Some(file_no) = newest(house, register, input).await? {
            let context = house.engine.context();
            let Some(table) = house.engine.table(&register.raw_table()).await? else { return Ok(approvals) };
            context.register_table("register", table)?;
            let query = format!(
                "SELECT doc_no, source, owner_office, purpose, fields, valid_from, valid_to FROM register WHERE file_no = {file_no} \
                 ORDER BY doc_no, row_no"
            );
            let batches = context.sql(&query).await.context("could not read the register of approvals")?.collect().await?;
            approvals.all = batches.iter().flat_map(rows).collect();
        }
        Ok(approvals)
    }

    /// What a source lacks to enter today, as a sentence that says what to do; `None` if an approval covers it.
    pub(crate) fn lacking(&self, pipeline: &Pipeline) -> Option<String> {
        let (zh, en) = self.covering(pipeline).err()?;
        Some(format!("{zh} / {en}"))
    }

    /// The approval that lets a source enter today, or what it lacks, in Chinese and in English.
    pub(crate) fn covering(&self, pipeline: &Pipeline) -> Result<&Approval, (String, String)> {
        let name = pipeline.name();
        let document = pipeline.pipeline.approval.as_deref();
        let found = self.all.iter().filter(|it| it.source == name && document.is_none_or(|doc_no| doc_no == it.doc_no));
        let mut nearest: Option<(Lack, i32, &Approval)> = None;
        for it in found {
            let lack = match (it.valid_from <= self.today, self.today <= it.valid_to) {
                (true, true) => Lack::Words(purposes(pipeline, it).len() + fields(pipeline, it).len()),
                (true, false) => Lack::Expired,
                (false, _) => Lack::NotYet,
            };
            if lack == Lack::Words(0) {
                return Ok(it);
            }
            // Of two that have expired the later one is nearer.
            let this = (lack, -it.valid_to, it);
            if nearest.as_ref().is_none_or(|near| (&this.0, this.1) < (&near.0, near.1)) {
                nearest = Some(this);
            }
        }
        let (zh, en) = match (nearest, document) {
            (None, None) => ("没有数据使用审批".to_owned(), "has no approval of its use".to_owned()),
            (None, Some(doc_no)) => (
                format!("没有文号为 {doc_no} 的数据使用审批"),
                format!("has no approval {doc_no}, which its contract names (pipeline.approval)"),
            ),
            (Some((Lack::Expired, _, it)), _) => {
                let (doc_no, on) = (&it.doc_no, date(it.valid_to));
                (format!("的审批 {doc_no} 已于 {on} 到期"), format!("has approval {doc_no}, which expired on {on}"))
            }
            (Some((Lack::NotYet, _, it)), _) => {
                let (doc_no, on) = (&it.doc_no, date(it.valid_from));
                (format!("的审批 {doc_no} 自 {on} 起才生效"), format!("has approval {doc_no}, which begins on {on}"))
            }
            (Some((Lack::Words(_), _, it)), _) => return Err(self.beyond(pipeline, it)),
        };
        let path = &self.path;
        Err((
            format!("数据源 {name} {zh}，未接收：请在 {path} 增加一行后重新运行"),
            format!("pipeline \"{name}\" {en}: add a line to {path}, then run again"),
        ))
    }

    /// What a valid approval leaves out, whose it is, and the two ways on, in two languages.
    fn beyond(&self, pipeline: &Pipeline, approval: &Approval) -> (String, String) {
        let (purposes, fields) = (purposes(pipeline, approval), fields(pipeline, approval));
        let (mut zh, mut en) = (Vec::new(), Vec::new());
        let mut missing = Vec::new();
        if !purposes.is_empty() {
            zh.push(format!("用途 {} 未获批准", purposes.join("、")));
            en.push(format!("purposes {} not approved", purposes.join(", ")));
            missing.push(format!("“用途”加上 {}", purposes.join(";")));
        }
        if !fields.is_empty() {
            // The register names columns as contracts do; people know them by their heads.
            let known = |it: &&str| {
                let column = pipeline.columns.iter().find(|(name, _)| name == it).map(|it| &it.1);
                let head = column.and_then(|it| it.head.as_deref()).filter(|head| head != it);
                head.map_or_else(|| (*it).to_owned(), |head| format!("{it}（{head}）"))
            };
            zh.push(format!("字段 {} 未获批准", fields.iter().map(known).collect::<Vec<_>>().join("、")));
            en.push(format!("fields {} not approved", fields.join(", ")));
            missing.push(format!("“字段范围”加上 {}", fields.join(";")));
        }
        let (name, path, doc_no, office) = (pipeline.name(), &self.path, &approval.doc_no, &approval.office);
        (
            format!(
                "数据源 {name} 的审批 {doc_no}（{office}）范围不足：{}，未接收：请 {office} 办理扩大范围的审批，在 {path} 中 {doc_no} 一行的{}，或在约定中去掉，然后重新运行",
                zh.join("，"),
                missing.join("、")
            ),
            format!(
                "pipeline \"{name}\" goes beyond approval {doc_no} of {office}: {}: have {office} widen the approval and its line in {path}, or take them out of the contract, then run again",
                en.join(", ")
            ),
        )
    }
}

fn purposes<'a>(pipeline: &'a Pipeline, approval: &Approval) -> Vec<&'a str> {
    let wanted = pipeline.pipeline.purpose.iter().map(String::as_str);
    wanted.filter(|it| !approval.purposes.contains(*it)).collect()
}

fn fields<'a>(pipeline: &'a Pipeline, approval: &Approval) -> Vec<&'a str> {
    let is_all = approval.fields.contains("*");
    let wanted = pipeline.columns.iter().map(|(name, _)| name.as_str());
    wanted.filter(|it| !is_all && !approval.fields.contains(*it)).collect()
}

/// Number of the export that counts.
async fn newest(house: &House, register: &Pipeline, input: &Path) -> anyhow::Result<Option<i64>> {
    let files = house.store.files();
    let mut landed = files.list(Some(register.name())).await?;
    landed.retain(|it| it.state == FileState::Landed);
    let mut lying = BTreeSet::new();
    let lie = if register.is_pulled() { Vec::new() } else { ::ingest::files(input, &register.pipeline.source.path)? };
    for path in lie {
        let (display, size, modified_us) = crate::ingest::looks(input, &path)?;
        lying.extend(files.known(register.name(), &display, size, modified_us).await?.map(|it| it.file_no));
    }
    let lies = landed.iter().filter(|it| lying.contains(&replay::root(it))).map(|it| it.file_no).max();
    Ok(lies.or(landed.iter().map(|it| it.file_no).max()))
}

fn rows(batch: &RecordBatch) -> Vec<Approval> {
    let text = |column: usize, row: usize| {
        let texts = batch.column(column).as_string::<i32>();
        if texts.is_null(row) { String::new() } else { texts.value(row).to_owned() }
    };
    let day = |column: usize, row: usize| batch.column(column).as_primitive::<Date32Type>().value(row);
    let row = |row: usize| Approval {
        doc_no: text(0, row),
        source: text(1, row),
        office: text(2, row),
        purposes: words(&text(3, row)),
        fields: words(&text(4, row)),
        valid_from: day(5, row),
        valid_to: day(6, row),
    };
    (0..batch.num_rows()).map(row).collect()
}

/// Words that stand between semicolons, of either width: offices type both.
fn words(text: &str) -> BTreeSet<String> {
    text.split([';', '；']).map(str::trim).filter(|it| !it.is_empty()).map(str::to_owned).collect()
}

pub(crate) fn date(day: i32) -> String {
    days_date(day).map(|it| it.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTRACT: &str = r#"
[pipeline]
name = "card_txn"
about = "x"
shape = "state"
owner = "x"
purpose = ["portrait", "service"]
retention = "1y"
source = { format = "csv", path = "card.csv" }
[contract]
version = 1
key = ["a"]
usual_delay = "1d"
[columns]
a = { type = "text", required = true, class = "internal", about = "x" }
b = { type = "text", class = "internal", about = "x" }
"#;

    /// Approvals as `doc_no, purposes, fields, from, to`, on day 100; `""` is a source that may enter.
    #[track_caller]
    fn check(contract: &str, lines: &[(&str, &str, &str, i32, i32)], expected: &str) {
        let pipeline = Pipeline::parse(Path::new(""), contract).expect("a contract");
        let line = |it: &(&str, &str, &str, i32, i32)| Approval {
            doc_no: it.0.to_owned(),
            source: "card_txn".to_owned(),
            office: "card_center".to_owned(),
            purposes: words(it.1),
            fields: words(it.2),
            valid_from: it.3,
            valid_to: it.4,
        };
        let approvals = Approvals { all: lines.iter().map(line).collect(), path: "approvals.csv".to_owned(), today: 100 };
        let said = approvals.lacking(&pipeline).unwrap_or_default();
        assert!(said.contains(expected) && said.is_empty() == expected.is_empty(), "\"{said}\" lacks \"{expected}\"");
    }

    #[test]
    fn an_approval_covers_a_source_or_says_what_it_lacks() {
        let both = "portrait;service";
        check(CONTRACT, &[], "has no approval of its use");
        check(CONTRACT, &[("1", both, "*", 100, 100)], "");
        check(CONTRACT, &[("1", " service；portrait ;duty", "b;a", 0, 200)], "");
        check(CONTRACT, &[("1", both, "*", 0, 99)], "expired on 1970-04-10");
        check(CONTRACT, &[("1", both, "*", 101, 200)], "begins on 1970-04-12");
        check(CONTRACT, &[("1", "portrait", "*", 0, 200)], "purposes service not approved");
        check(CONTRACT, &[("1", both, "a", 0, 200)], "fields b not approved");
        check(
            CONTRACT,
            &[("1", both, "a", 0, 200)],
            "请 card_center 办理扩大范围的审批，在 approvals.csv 中 1 一行的“字段范围”加上 b",
        );
        let headed = CONTRACT.replace("b = { type", "b = { head = \"余额\", type");
        check(&headed, &[("1", both, "a", 0, 200)], "字段 b（余额） 未获批准");
        check(CONTRACT, &[("1", both, "a", 0, 200), ("2", both, "*", 0, 200)], "");
        // What is told is the nearest: the one to widen or to renew.
        check(CONTRACT, &[("1", both, "*", 0, 50), ("2", both, "*", 0, 60)], "approval 2, which expired on 1970-03-02");
        check(CONTRACT, &[("1", both, "*", 0, 50), ("2", both, "a", 0, 200)], "beyond approval 2");
    }

    #[test]
    fn a_contract_that_names_its_document_takes_no_other() {
        let named = CONTRACT.replace("retention", "approval = \"7\"\nretention");
        let both = "portrait;service";
        check(&named, &[("1", both, "*", 0, 200)], "has no approval 7");
        check(&named, &[("1", both, "*", 0, 200), ("7", both, "*", 0, 99)], "approval 7, which expired");
        check(&named, &[("7", both, "*", 0, 200)], "");
    }
}
