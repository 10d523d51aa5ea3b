//! `yizhan warn visits`: recall relative to what visits saw, out of the plans and the sheets.

use std::io::Write;
use std::process::ExitCode;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type};
use chrono::NaiveDate;
use serde_json::json;
use warning::visit::{Frame, NEED_MIN, RecallVsVisit, SEEN_MIN, Seen, WARNED_MIN};
use warning::{Estimate, recall_vs_visit};

use crate::commands::Format;
use crate::commands::warn::rows;
use crate::exit::Caller;
use crate::house::House;

/// Prints the estimate over the plans of a span of weeks.
pub(crate) async fn say(
    house: &House,
    from: Option<NaiveDate>,
    until: Option<NaiveDate>,
    format: Format,
) -> anyhow::Result<ExitCode> {
    if matches!((from, until), (Some(from), Some(until)) if until < from) {
        anyhow::bail!(Caller("--until 早于 --from / --until lies before --from".to_owned()));
    }
    let first = from.map_or_else(String::new, |it| format!(" AND plan_on >= DATE '{it}'"));
    let last = until.map_or_else(String::new, |it| format!(" AND plan_on <= DATE '{it}'"));
    let sql = format!(
        "SELECT CAST(dense_rank() OVER (ORDER BY plan_on, counselor_key) AS BIGINT) AS plan_no, \
         CAST(dense_rank() OVER (ORDER BY room_id) AS BIGINT) AS room_no, probability, is_warned, is_support_needed \
         FROM closed_visit_seen WHERE TRUE{first}{last} ORDER BY plan_on, counselor_key, student_key"
    );
    let seen: Vec<Seen> = rows(house, &sql).await?.iter().flat_map(seen).collect();
    // A plan that nobody followed says nothing about its rooms, so its residents are no part of the whole.
    let sql = format!(
        "SELECT coalesce(sum(frame.warned_n), 0) AS warned_n, coalesce(sum(frame.not_warned_n), 0) AS not_warned_n, count(*) AS plans_n \
         FROM closed_visit_frame AS frame \
         INNER JOIN (SELECT DISTINCT plan_on, counselor_key FROM closed_visit_seen WHERE TRUE{first}{last}) AS followed \
         ON followed.plan_on = frame.as_of_on AND followed.counselor_key = frame.counselor_key"
    );
    let count = |batch: &Option<RecordBatch>, column: &str| {
        batch.as_ref().map_or(0, |it| it[column].as_primitive::<Int64Type>().value(0).cast_unsigned())
    };
    let frame = rows(house, &sql).await?;
    let plans_n = count(&frame, "plans_n");
    let frame = Frame { n_warned: count(&frame, "warned_n"), n_not_warned: count(&frame, "not_warned_n") };
    let found = recall_vs_visit(&seen, frame)?;
    let mut out = std::io::stdout();
    if matches!(format, Format::Json) {
        let mut said = serde_json::to_value(found)?;
        said["plans_n"] = json!(plans_n);
        said["warned_n"] = json!(frame.n_warned);
        said["not_warned_n"] = json!(frame.n_not_warned);
        writeln!(out, "{said}")?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(
        out,
        "{plans_n} 份走访计划，名单内 {} 人有提示、{} 人无提示 / {plans_n} plans over {0} residents with an offer and {1} without",
        frame.n_warned, frame.n_not_warned
    )?;
    match found {
        RecallVsVisit::TooFew { n_random, n_warned, n_in_need } => writeln!(
            out,
            "样本不足：随机房间见到 {n_random} 人（需 {SEEN_MIN}），有提示者见到 {n_warned} 人（需 {WARNED_MIN}），需要支持 {n_in_need} 人（需 {NEED_MIN}）\n\
             too few: {n_random} met in random rooms ({SEEN_MIN} needed), {n_warned} with an offer ({WARNED_MIN}), {n_in_need} who want support ({NEED_MIN})"
        )?,
        RecallVsVisit::Estimated { n_seen, n_random, prevalence, ppv, recall, missed } => {
            writeln!(out, "见到 {n_seen} 人，其中随机房间 {n_random} 人 / {n_seen} met, {n_random} of them in random rooms")?;
            for (zh, en, it) in [
                ("希望得到支持者占比", "share who want support", prevalence),
                ("提示中希望得到支持者占比", "share who want support among those with an offer", ppv),
                ("希望得到支持者中有提示的占比（召回）", "share with an offer among those who want support (recall)", recall),
                ("无提示者中需要支持的占比", "share who want support among those without an offer", missed),
            ] {
                writeln!(out, "  {zh} / {en}: {}", percent(&it))?;
            }
            writeln!(
                out,
                "走访不是临床评估；以上只相对于走访所能看到的。/ A visit is no clinical assessment: all of this is relative to what visits see."
            )?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn percent(it: &Estimate) -> String {
    format!("{:.1} % [{:.1}, {:.1}]", 100.0 * it.value, 100.0 * it.low, 100.0 * it.high)
}

fn seen(batch: &RecordBatch) -> Vec<Seen> {
    let key = |column: &str, row: usize| batch[column].as_primitive::<Int64Type>().value(row);
    let probabilities = batch["probability"].as_primitive::<Float64Type>();
    let (warned, need) = (batch["is_warned"].as_boolean(), batch["is_support_needed"].as_boolean());
    let one = |row: usize| Seen {
        plan_key: key("plan_no", row),
        room_key: key("room_no", row),
        probability: probabilities.value(row),
        is_warned: warned.value(row),
        is_in_need: need.is_valid(row) && need.value(row),
    };
    (0..batch.num_rows()).map(one).collect()
}
