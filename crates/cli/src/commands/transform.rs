//! `yizhan transform`: builds what is stale.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::SystemTime;

use chrono::NaiveDate;
use clap::Args;
use schema::time::date_days;
use serde_json::json;
use serve::{Done, Order};
use transform::{Action, Builder, Built};

use super::{Common, Format};
use crate::exit::Caller;
use crate::handover;
use crate::house::{Access, House};
use crate::progress::Bars;

#[derive(Debug, Args)]
pub(crate) struct Transform {
    /// Build these models and what they are made of.
    #[arg(long, value_name = "MODEL", num_args = 1..)]
    select: Vec<String>,
    /// Build everything anew.
    #[arg(long)]
    full: bool,
    /// Build this date and those after it again, as far as they are kept: after rows were taken in late that count as known
    /// then. What was issued stays as it is.
    #[arg(long, value_name = "DATE", conflicts_with = "full")]
    from: Option<NaiveDate>,
    /// Build again up to this date (default: today).
    #[arg(long, value_name = "DATE", requires = "from")]
    to: Option<NaiveDate>,
    /// Say what would be built, and why, and stop.
    #[arg(long)]
    plan: bool,
    /// Run the checks after building.
    #[arg(long)]
    checks: bool,
}

impl Transform {
    pub(crate) async fn run(self, common: &Common) -> anyhow::Result<ExitCode> {
        let is_json = common.format() == Format::Json;
        if self.plan {
            let house = common.open(Access::Read).await?;
            let as_of_on = house.as_of_on().await?;
            let planned = builder(&house, again(self.from, self.to, as_of_on)?).await?;
            let planned = planned.plan(as_of_on, &self.select, self.full).await?;
            print!("{}", report(&planned, is_json));
            return Ok(ExitCode::SUCCESS);
        }
        let order = Order {
            stage: "transform".to_owned(),
            names: self.select,
            is_full: self.full,
            is_json,
            from_on: self.from,
            to_on: self.to,
            ..Order::default()
        };
        let (done, house) = match common.open(Access::Write).await {
            Ok(house) => (work(&house, &order).await?, Some(house)),
            Err(error) => (handover::hand_over(common, error, &order)?, None),
        };
        let code = super::say(&done);
        if self.checks {
            let house = match house {
                Some(house) => house,
                None => common.open(Access::Read).await?,
            };
            let messages = checks(&house).await?;
            messages.iter().for_each(|it| eprintln!("{it}"));
            return Ok(if messages.is_empty() { code } else { ExitCode::FAILURE });
        }
        Ok(code)
    }
}

/// Builds what an order names.
pub(crate) async fn work(house: &House, order: &Order) -> anyhow::Result<Done> {
    let dates = again(order.from_on, order.to_on, house.as_of_on().await?)?;
    let built = build_again(house, &order.names, order.is_full, dates).await?;
    Ok(Done { report: report(&built, order.is_json), ..Done::default() })
}

/// The dates that are asked for once more.
fn again(from: Option<NaiveDate>, to: Option<NaiveDate>, as_of_on: i32) -> anyhow::Result<Option<RangeInclusive<i32>>> {
    let Some(from) = from else { return Ok(None) };
    let (first, last) = (date_days(from), to.map_or(as_of_on, date_days));
    if last < first {
        anyhow::bail!(Caller(format!(
            "--from {from} 晚于 --to（默认为今天）/ --from {from} is after --to, which is today where it is not given"
        )));
    }
    Ok(Some(first..=last))
}

async fn builder(house: &House, again: Option<RangeInclusive<i32>>) -> anyhow::Result<Builder<'_>> {
    let builder = house.builder().await?;
    Ok(match again {
        Some(dates) => builder.building_again(dates),
        None => builder,
    })
}

/// Whoever signed for a draw among equals must be somebody: a name that is nobody's is no signature.
async fn expect_signers(house: &House) -> anyhow::Result<()> {
    let random = &house.settings.warning.random;
    if random.draw.is_none() {
        return Ok(());
    }
    for name in &random.signed_by {
        let account = house.store.accounts().get(name).await?;
        if account.is_none_or(|it| it.is_disabled) {
            anyhow::bail!(Caller(format!(
                "warning.random.signed_by 中的“{name}”不是在用的账号，无人签字不得随机分配 / warning.random.signed_by names \"{name}\", which is no account in use: without two who signed nobody is drawn"
            )));
        }
    }
    Ok(())
}

/// Builds what is stale, with a bar.
pub(crate) async fn build(house: &House, select: &[String], is_full: bool) -> anyhow::Result<Vec<Built>> {
    build_again(house, select, is_full, None).await
}

/// The same, and dates of a range again.
async fn build_again(
    house: &House,
    select: &[String],
    is_full: bool,
    again: Option<RangeInclusive<i32>>,
) -> anyhow::Result<Vec<Built>> {
    expect_signers(house).await?;
    if let Some(odd) = house.leapt_clock() {
        let (zh, en) = odd.words();
        anyhow::bail!(Caller(format!("{zh} / {en}")));
    }
    // What was pushed before is known as of a date that begins now, and such a date is written once.
    crate::stream::commit(house).await?;
    let builder = builder(house, again).await?;
    let bars = Bars::new();
    let bar = Mutex::new(bars.steps("transform", 0));
    let began: Mutex<(BTreeMap<String, SystemTime>, Option<SystemTime>)> = Mutex::default();
    let built = builder
        .build(house.as_of_on().await?, select, is_full, &|step| {
            if let Ok(mut began) = began.lock() {
                let now = SystemTime::now();
                // What is no table is a date, on which many of them are made.
                if builder.schema(&step.table).is_some() {
                    began.0.insert(step.table.clone(), now);
                } else {
                    began.1 = began.1.or(Some(now));
                }
            }
            if let Ok(bar) = bar.lock() {
                bar.set_length(step.total as u64);
                bar.set_position(step.done as u64);
                bar.set_message(step.table);
            }
        })
        .await?;
    if let Ok(bar) = bar.lock() {
        bar.finish_and_clear();
    }
    if let Ok(began) = began.into_inner() {
        crate::traces::built(&built, &began.0, began.1);
    }
    Ok(built)
}

/// Runs the checks and says what they found.
pub(crate) async fn checks(house: &House) -> anyhow::Result<Vec<String>> {
    let violations = house.builder().await?.check(house.as_of_on().await?).await?;
    let say = |it: &transform::Violation| {
        format!("检查未通过 / check failed: {}: {} ({} rows, first: {})", it.path, it.about, it.rows, it.example)
    };
    Ok(violations.iter().map(say).collect())
}

fn report(built: &[Built], is_json: bool) -> String {
    let line = |it: &Built| {
        let (action, detail) = match &it.action {
            Action::Fresh => ("fresh", String::new()),
            Action::All(why) => ("all", why.clone()),
            Action::Partitions(n) => ("partitions", n.to_string()),
        };
        if is_json {
            format!(
                "{}\n",
                json!({ "table": it.table, "action": action, "detail": detail, "rows": it.rows, "seconds": it.seconds })
            )
        } else {
            format!("{:<28} {:<10} {:<28} {:>12} {:>8.2}s\n", it.table, action, detail, it.rows, it.seconds)
        }
    };
    built.iter().map(line).collect()
}
