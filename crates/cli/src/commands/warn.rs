//! `yizhan warn`: what an offer was made of, whether it would be made again, and what risk models are worth.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Date32Type, Float64Type, Int64Type};
use clap::{Args, Subcommand};
use schema::time::{date_days, days_date};
use serde_json::{Value, json};

use super::{Common, Format, transform};
use crate::exit::Caller;
use crate::house::{Access, House};

#[derive(Debug, Args)]
pub(crate) struct Warn {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Says what an offer was made of: what changed, since when, against what, and what it does not mean.
    Explain {
        /// Id of the offer.
        id: String,
    },
    /// Scores and decides the stored input rows of an offer again and compares every bit; ends with 1 if one differs.
    Replay {
        /// Id of the offer.
        id: String,
        /// Work the input rows out again as well, from all that the lake still holds.
        #[arg(long)]
        from_bronze: bool,
    },
    /// Says whom the offers found and missed, as far as visits to rooms drawn at random can see (相对走访所见召回).
    Visits {
        /// First Monday of the plans; all if none is named.
        #[arg(long, value_name = "DATE")]
        from: Option<chrono::NaiveDate>,
        /// Last Monday of the plans.
        #[arg(long, value_name = "DATE")]
        until: Option<chrono::NaiveDate>,
    },
    /// Says whether following offers up helped, by pairs of students alike of whom one was spoken with (跟进效果).
    Effect,
    /// Trains a risk model on all that was over and known by a date, judges it, and keeps it in the lake.
    Train {
        /// File in sql/risk.
        name: String,
        /// Date as of which it learns (default: that of --now, else today).
        #[arg(long, value_name = "DATE")]
        as_of: Option<chrono::NaiveDate>,
        /// The same seed makes the same bytes.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Says how every risk model stands: trained or not, offered or not, frozen since when and by what.
    Status,
    /// Proposes from which sum on a trend is told: the least one of which past weeks would have begun as many signals a week
    /// as the talks have room for. Changes nothing; the proposal stands in the audit log.
    Tune {
        /// Weeks that are counted.
        #[arg(long, default_value_t = 8)]
        weeks: usize,
        /// Signals a week for each talk that there is time for: what is offered is chosen among them.
        #[arg(long, default_value_t = 2.0)]
        times: f64,
    },
    /// Scores every cohort on the dates that have no scores yet; the nightly run does the same.
    Score,
    /// Makes the lists of past weeks with what was known then, and says what they were worth against rules, place and chance.
    Backtest {
        /// File in sql/risk.
        name: String,
        /// Date whose known outcomes judge (default: that of --now, else today).
        #[arg(long, value_name = "DATE")]
        as_of: Option<chrono::NaiveDate>,
        /// Breaks ties, draws the intervals.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Write the report as JSON into this file.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Give every student the outcomes of another: no list may then be worth more than chance. Nothing is kept.
        #[arg(long)]
        random_labels: bool,
    },
}

impl Warn {
    pub(crate) async fn run(self, common: &Common) -> anyhow::Result<ExitCode> {
        let access = match &self.what {
            What::Explain { .. }
            | What::Replay { .. }
            | What::Visits { .. }
            | What::Effect
            | What::Status
            | What::Tune { .. }
            | What::Backtest { random_labels: true, .. } => Access::Read,
            What::Train { .. } | What::Score | What::Backtest { .. } => Access::Write,
        };
        let house = common.open(access).await?;
        match self.what {
            What::Train { name, as_of, seed } => train(&house, &name, as_of, seed, common.format()).await,
            What::Score => score(&house, common.format()).await,
            What::Backtest { name, as_of, seed, out, random_labels } => {
                let as_of_on = day(&house, as_of).await?;
                let tested = house.builder().await?.backtest_risk(&name, as_of_on, seed, random_labels).await?;
                backtest(&tested, out, common.format())
            }
            What::Explain { id } => explain(&house, &id, common.format()).await,
            What::Replay { id, from_bronze } => replay(&house, &id, from_bronze, common.format()).await,
            What::Status => crate::standing::say(&house, common.format()).await,
            What::Tune { weeks, times } => crate::tuning::say(&house, weeks, times, common.format()).await,
            What::Effect => crate::effect::say(&house, common.format()).await,
            What::Visits { from, until } => crate::visits::say(&house, from, until, common.format()).await,
        }
    }
}

async fn day(house: &House, given: Option<chrono::NaiveDate>) -> anyhow::Result<i32> {
    match given {
        Some(date) => Ok(date_days(date)),
        None => house.as_of_on().await,
    }
}

async fn train(
    house: &House,
    name: &str,
    as_of: Option<chrono::NaiveDate>,
    seed: u64,
    format: Format,
) -> anyhow::Result<ExitCode> {
    let as_of_on = day(house, as_of).await?;
    let it = house.builder().await?.train_risk(name, as_of_on, seed).await?;
    let mut out = std::io::stdout();
    if matches!(format, Format::Json) {
        let said = json!({
            "model": it.model, "version": it.version, "kind": it.kind, "hash": it.hash, "n_rows": it.n_rows,
            "n_positive": it.n_positive, "is_offered": it.is_offered, "reason_zh": it.reason_zh, "reason_en": it.reason_en,
            "card": serde_json::from_str::<Value>(&it.card)?,
        });
        writeln!(out, "{said}")?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(out, "{} {}  {}  {} / {} 行 rows", it.model, it.version, it.kind, it.n_positive, it.n_rows)?;
    writeln!(out, "  {}\n  {}", it.reason_zh, it.reason_en)?;
    Ok(ExitCode::SUCCESS)
}

async fn score(house: &House, format: Format) -> anyhow::Result<ExitCode> {
    if house.graph.risks().is_empty() {
        anyhow::bail!(Caller("项目中没有风险模型 / the project has no risk model: sql/risk/ is empty".to_owned()));
    }
    let order = serve::Order {
        stage: "transform".to_owned(),
        names: vec!["risk_score".to_owned(), "model_audit".to_owned()],
        is_json: matches!(format, Format::Json),
        ..serve::Order::default()
    };
    Ok(super::say(&transform::work(house, &order).await?))
}

fn backtest(tested: &::transform::Backtested, file: Option<PathBuf>, format: Format) -> anyhow::Result<ExitCode> {
    let report = match &tested.report {
        Some(report) => serde_json::from_str(&report.to_json()?)?,
        None => Value::Null,
    };
    let judged_on = days_date(tested.judged_on).map(|it| it.to_string()).unwrap_or_default();
    let said = json!({
        "model": tested.model, "judged_on": judged_on, "chosen": tested.chosen, "is_offered": tested.is_offered,
        "reason_zh": tested.reason_zh, "reason_en": tested.reason_en, "report": report,
    });
    if let Some(file) = file {
        let text = serde_json::to_string_pretty(&said)? + "\n";
        std::fs::write(&file, text).map_err(|it| Caller(format!("could not write {}: {it}", file.display())))?;
    }
    let mut out = std::io::stdout();
    if matches!(format, Format::Json) {
        writeln!(out, "{said}")?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(report) = &tested.report {
        let (weeks, rows, positive) = (report.days.len(), report.n_rows, report.n_positive);
        writeln!(out, "{} {judged_on}: {weeks} 周 weeks, {positive} / {rows} 行 rows, k = {}", tested.model, report.budget)?;
        writeln!(
            out,
            "  {:<28} {:>9} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7}",
            "", "precision", "recall", "auroc", "x base", "x rule", "x place", "days", ">= 7 d"
        )?;
        let figure = |it: Option<f64>| it.map_or_else(|| "-".to_owned(), |it| format!("{it:.3}"));
        for it in &report.candidates {
            let mark = if it.name == tested.chosen { "*" } else { " " };
            writeln!(
                out,
                "{mark} {:<28} {:>9} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7}",
                it.name,
                figure(it.precision),
                figure(it.recall),
                figure(it.auroc),
                figure(it.lift_over_random),
                figure(it.lift_over_best_rule),
                figure(it.lift_over_floor),
                it.lead_times.median_days.map_or_else(|| "-".to_owned(), |it| format!("{it:.1}")),
                figure(it.lead_times.share_week)
            )?;
        }
        let chosen = report.candidates.iter().find(|it| it.name == tested.chosen).and_then(|it| it.calibration.as_ref());
        if let Some(it) = chosen {
            writeln!(out, "  概率平均偏差 ECE {:.3}，Brier {:.3}（{} 段 bands）", it.ece, it.brier, it.bands.len())?;
        }
    }
    writeln!(out, "  {}\n  {}", tested.reason_zh, tested.reason_en)?;
    Ok(ExitCode::SUCCESS)
}

/// An offer as it was told on one date.
struct Offer {
    as_of_on: i32,
    student_key: i64,
    row: RecordBatch,
    signals: Vec<Stored>,
    scores: Vec<Score>,
}

/// A row of `risk_score` with the model that made it.
#[derive(Debug)]
struct Score {
    model: String,
    version: String,
    score: f64,
    probability: f64,
    contributions: String,
    input: String,
    bytes: String,
    calibration: String,
}

/// A row of `warning_signal`.
#[derive(Debug)]
struct Stored {
    trend: String,
    z: f64,
    ewma: f64,
    cusum: f64,
    is_standing: bool,
    input: String,
}

/// Rows of a query of ours as of the newest date; `None` if there are none.
pub(crate) async fn rows(house: &House, sql: &str) -> anyhow::Result<Option<RecordBatch>> {
    let as_of_on = house.as_of_on().await?;
    let context = house.builder().await?.context(sql, "the query", as_of_on).await?;
    let batches = context.sql(sql).await?.collect().await?;
    let Some(first) = batches.first() else { return Ok(None) };
    let all = arrow::compute::concat_batches(&first.schema(), &batches)?;
    Ok(Some(all).filter(|it| 0 < it.num_rows()))
}

fn word(batch: &RecordBatch, column: &str, row: usize) -> String {
    let text = arrow::compute::cast(&batch[column], &arrow::datatypes::DataType::Utf8);
    text.map(|it| it.as_string::<i32>().value(row).to_owned()).unwrap_or_default()
}

impl Offer {
    /// The dates on which an offer was made and on which something more was found of it while it went on, in their order.
    async fn read(house: &House, id: &str) -> anyhow::Result<Vec<Self>> {
        if !id.chars().all(|it| it.is_ascii_hexdigit()) {
            anyhow::bail!(Caller(format!("\"{id}\" is no id of an offer: it is made of the digits 0 to 9 and a to f")));
        }
        let sql = format!("SELECT * FROM warning_student WHERE warning_id = '{id}' ORDER BY as_of_on");
        let Some(told) = rows(house, &sql).await? else {
            anyhow::bail!(Caller(format!(
                "没有编号为 {id} 的提示 / there is no offer {id}; `yizhan sql \"SELECT warning_id, as_of_on FROM warning_student\"` lists them"
            )));
        };
        let (mut offers, mut known) = (Vec::new(), BTreeSet::new());
        for row in 0..told.num_rows() {
            let rules: Vec<String> = word(&told, "rules", row).split(',').map(str::to_owned).collect();
            let before = known.len();
            known.extend(rules.iter().cloned());
            if before < known.len() {
                offers.push(Self::on(house, told.slice(row, 1), &rules).await?);
            }
        }
        Ok(offers)
    }

    /// One date's row with what its figures follow from.
    async fn on(house: &House, row: RecordBatch, rules: &[String]) -> anyhow::Result<Self> {
        let key = house.settings.subject.key.as_str();
        let as_of_on = row["as_of_on"].as_primitive::<Date32Type>().value(0);
        let student_key = row[key].as_primitive::<Int64Type>().value(0);
        let date = days_date(as_of_on).map(|it| it.to_string()).unwrap_or_default();
        let sql = format!(
            "SELECT * FROM warning_signal WHERE as_of_on = DATE '{date}' AND subject_kind = 'person' AND {key} = {student_key} \
             AND is_standing ORDER BY trend"
        );
        let has_trends = !house.graph.trends().is_empty();
        let signals = if has_trends { rows(house, &sql).await? } else { None };
        let rules: Vec<String> = rules.iter().map(|it| format!("'{it}'")).collect();
        let sql = format!(
            "SELECT risk_score.*, model_version.bytes, model_version.calibration FROM risk_score INNER JOIN model_version \
             ON model_version.model = risk_score.model AND model_version.version = risk_score.version \
             WHERE risk_score.as_of_on = DATE '{date}' AND risk_score.{key} = {student_key} AND risk_score.is_offered \
             AND risk_score.model IN ({}) ORDER BY risk_score.model",
            rules.join(", ")
        );
        let scored = if house.graph.risks().is_empty() { None } else { rows(house, &sql).await? };
        let scores = scored.iter().flat_map(scores).collect();
        Ok(Self { as_of_on, student_key, row, signals: signals.iter().flat_map(stored).collect(), scores })
    }
}

fn scores(batch: &RecordBatch) -> Vec<Score> {
    let number = |column: &str, row: usize| batch[column].as_primitive::<Float64Type>().value(row);
    // What was worked out anew brings no stored model with it.
    let kept = |column: &str, row: usize| batch.column_by_name(column).map_or_else(String::new, |_| word(batch, column, row));
    let one = |row: usize| Score {
        model: word(batch, "model", row),
        version: word(batch, "version", row),
        score: number("score", row),
        probability: number("probability", row),
        contributions: word(batch, "contributions", row),
        input: word(batch, "input", row),
        bytes: kept("bytes", row),
        calibration: kept("calibration", row),
    };
    (0..batch.num_rows()).map(one).collect()
}

fn stored(batch: &RecordBatch) -> Vec<Stored> {
    let number = |column: &str, row: usize| batch[column].as_primitive::<Float64Type>().value(row);
    let one = |row: usize| Stored {
        trend: word(batch, "trend", row),
        z: number("z", row),
        ewma: number("ewma", row),
        cusum: number("cusum", row),
        is_standing: batch["is_standing"].as_boolean().value(row),
        input: word(batch, "input", row),
    };
    let persons = (0..batch.num_rows()).filter(|row| !batch["input"].is_null(*row));
    persons.map(one).collect()
}

/// Days before a date that trends and measures look back on.
const LOOKS_BACK_DAYS: i32 = 98;

/// What comes of working something out again: `found` whether there is anything, `is_same` whether it is what was told.
fn bronze(found: Option<bool>, is_same: bool) -> Value {
    match (found, is_same) {
        (None, _) => Value::Null,
        (Some(false), _) => json!("gone"),
        (Some(true), true) => json!("same"),
        (Some(true), false) => json!("differs"),
    }
}

fn bronze_words(bronze: &Value) -> &'static str {
    match bronze.as_str() {
        Some("same") => "，可由原始数据重算 / it follows from the rows that the lake holds",
        Some("differs") => "，原始数据已有变化（保留期、删除或更正） / rows behind it were removed or corrected since",
        Some("gone") => "，原始数据已不足以重算（保留期或删除） / too little is left of the rows behind it",
        _ => "",
    }
}

/// A rule's finding worked out again, held against the offer that was made of it.
#[derive(Debug, PartialEq)]
struct Again {
    /// It finds the same: the figures, what they are held against, and on which channel.
    is_decided_so: bool,
    /// It says so in the same words. Words may be made better at any time; no decision changes with them.
    is_told_so: bool,
}

impl Again {
    fn held(offer: &RecordBatch, rule: &str, found: &RecordBatch, row: usize) -> Self {
        let has_line = |column: &str| {
            let (told, reason) = (word(offer, column, 0), word(found, column, row));
            reason.lines().all(|line| told.lines().any(|it| it == line))
        };
        let is_told_so = has_line("reason_zh") && has_line("reason_en");
        let channel = word(found, "channel", row);
        let is_seen_there = word(offer, "channels", 0).split(',').any(|it| it == channel);
        let is_decided_so = if word(offer, "rule", 0) == rule {
            let is_alone = word(offer, "rules", 0) == rule;
            ["baseline", "now_value", "n", "cov"].iter().all(|it| figure(offer, it, 0) == figure(found, it, row))
                && ["last_seen_source", "explanations"].iter().all(|it| word(offer, it, 0) == word(found, it, row))
                && instant(offer, "last_seen_at", 0) == instant(found, "last_seen_at", row)
                && offer["severity"].is_null(0) == found["severity"].is_null(row)
                // An offer of several findings begins with the first of them.
                && (!is_alone || word(offer, "since_on", 0) == word(found, "since_on", row))
        } else {
            // The figures of the strongest finding stand beside the offer; of another there are those that its sentence tells.
            // Better words may change their order in one language; a sentence without any is the same only in its words.
            let has_figures = |column: &str| {
                let (told, again) = (word(offer, column, 0), figures_in(&word(found, column, row)));
                !again.is_empty() && told.lines().any(|line| figures_in(line) == again)
            };
            is_told_so || has_figures("reason_zh") || has_figures("reason_en")
        };
        Self { is_decided_so: is_seen_there && is_decided_so, is_told_so }
    }
}

/// What an offer's place follows from, and what it was decided by; what was offered before rules' input rows were kept has
/// none of the second, and a safety check none of the first.
fn inputs(offer: &RecordBatch) -> anyhow::Result<(Option<warning::Evidence>, Option<warning::Decision>)> {
    let Some(input) = offer.column_by_name("input").filter(|it| it.is_valid(0)) else { return Ok((None, None)) };
    let input = arrow::compute::cast(input, &arrow::datatypes::DataType::Utf8)?;
    let mut input: Value = serde_json::from_str(input.as_string::<i32>().value(0))?;
    let decision = input.as_object_mut().and_then(|it| it.remove("decision"));
    let decision = decision.map(serde_json::from_value::<warning::Decision>).transpose()?;
    let evidence = input.get("witnesses").is_some().then_some(input);
    Ok((evidence.map(serde_json::from_value::<warning::Evidence>).transpose()?, decision))
}

/// Whether all that an offer tells of a rule follows from its stored input row and the offer of before, bit for bit.
fn follows(offer: &RecordBatch, decision: &warning::Decision, evidence: Option<&warning::Evidence>, rule: &str) -> bool {
    let Some(found) = decision.findings.iter().find(|it| it.rule == rule) else { return false };
    let told = decision.told(evidence);
    let is_on = |column: &str, day: i32| days_date(day).is_some_and(|it| it.to_string() == word(offer, column, 0));
    let is_decided_so = word(offer, "rules", 0) == told.rules
        && figure(offer, "severity", 0) == told.severity.map(|it| f64::from(it).to_bits())
        && is_on("since_on", told.since_on)
        && is_on("issued_on", told.issued_on)
        && is_on("as_of_on", decision.as_of_on);
    let has_lines = |column: &str, reason: &str| {
        let told = word(offer, column, 0);
        reason.lines().all(|line| told.lines().any(|it| it == line))
    };
    let is_told_so = has_lines("reason_zh", &found.reason_zh)
        && has_lines("reason_en", &found.reason_en)
        && word(offer, "channels", 0).split(',').any(|it| it == found.channel);
    // The figures beside an offer are those of its strongest finding.
    let bits = |it: Option<f64>| it.map(f64::to_bits);
    let has_figures = word(offer, "rule", 0) != rule
        || (figure(offer, "baseline", 0) == bits(found.baseline)
            && figure(offer, "now_value", 0) == bits(found.now_value)
            && figure(offer, "n", 0) == bits(found.n.map(|it| it as f64))
            && figure(offer, "cov", 0) == bits(found.cov)
            && word(offer, "explanations", 0) == found.explanations
            && instant(offer, "last_seen_at", 0) == found.last_seen_at
            && word(offer, "last_seen_source", 0) == found.last_seen_source.as_deref().unwrap_or_default());
    is_decided_so && is_told_so && has_figures
}

/// The bits of a number; `None` for NULL.
fn figure(batch: &RecordBatch, column: &str, row: usize) -> Option<u64> {
    let number = arrow::compute::cast(&batch[column], &arrow::datatypes::DataType::Float64).ok()?;
    let number = number.as_primitive::<Float64Type>();
    number.is_valid(row).then(|| number.value(row).to_bits())
}

/// Microseconds of an instant, however its zone is written; `None` for NULL.
fn instant(batch: &RecordBatch, column: &str, row: usize) -> Option<i64> {
    let instant = arrow::compute::cast(&batch[column], &arrow::datatypes::DataType::Int64).ok()?;
    let instant = instant.as_primitive::<Int64Type>();
    instant.is_valid(row).then(|| instant.value(row))
}

/// Numbers and parts of dates in a sentence, in its order.
fn figures_in(sentence: &str) -> Vec<String> {
    let parts = sentence.split(|it: char| !it.is_ascii_digit() && it != '.').map(|it| it.trim_matches('.'));
    parts.filter(|it| !it.is_empty()).map(str::to_owned).collect()
}

async fn explain(house: &House, id: &str, format: Format) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout();
    // The newest first: what holds now is asked for oftener than how it began.
    for offer in Offer::read(house, id).await?.iter().rev() {
        let rules: Vec<String> = word(&offer.row, "rules", 0).split(',').map(str::to_owned).collect();
        let risks = house.graph.risks().iter().map(|it| &it.model);
        let models = house.graph.rules().iter().chain(house.graph.trends()).chain(risks);
        let caveats: Vec<(String, String)> = models
            .filter(|it| rules.contains(&it.name))
            .map(|it| (it.front.caveat_zh.clone().unwrap_or_default(), it.front.caveat_en.clone().unwrap_or_default()))
            .collect();
        let strongest = word(&offer.row, "rule", 0);
        let risks = house.graph.risks().iter().map(|it| &it.model);
        let mut models = house.graph.rules().iter().chain(house.graph.trends()).chain(risks);
        let step = models.find(|it| it.name == strongest).map(|it| super::serve::first_step(&it.front)).unwrap_or_default();
        let lines = |column: &str| word(&offer.row, column, 0).lines().map(str::to_owned).collect::<Vec<_>>();
        let (reasons_zh, reasons_en) = (lines("reason_zh"), lines("reason_en"));
        let (as_of_on, since_on) = (word(&offer.row, "as_of_on", 0), word(&offer.row, "since_on", 0));
        if matches!(format, Format::Json) {
            let said = json!({
                "warning_id": id, "as_of_on": as_of_on, "since_on": since_on,
                "rules": rules, "reasons_zh": reasons_zh, "reasons_en": reasons_en,
                "caveats_zh": caveats.iter().map(|it| &it.0).collect::<Vec<_>>(),
                "caveats_en": caveats.iter().map(|it| &it.1).collect::<Vec<_>>(),
                "first_step_zh": step.0, "first_step_en": step.1,
            });
            writeln!(out, "{said}")?;
            continue;
        }
        writeln!(out, "{id}  截至 / as of {as_of_on}，自 / since {since_on}")?;
        for (zh, en) in reasons_zh.iter().zip(&reasons_en) {
            writeln!(out, "  {zh}\n  {en}")?;
        }
        for (zh, en) in &caveats {
            writeln!(out, "  * {zh}\n  * {en}")?;
        }
        if !step.0.is_empty() {
            writeln!(out, "  → {}\n  → {}", step.0, step.1)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn replay(house: &House, id: &str, from_bronze: bool, format: Format) -> anyhow::Result<ExitCode> {
    let mut is_same = true;
    for offer in Offer::read(house, id).await? {
        is_same &= replay_date(house, id, &offer, from_bronze, format).await?;
    }
    Ok(if is_same { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether every figure that was told on one date comes out the same, bit for bit.
async fn replay_date(house: &House, id: &str, offer: &Offer, from_bronze: bool, format: Format) -> anyhow::Result<bool> {
    let as_of_on = word(&offer.row, "as_of_on", 0);
    let key = house.settings.subject.key.as_str();
    let theirs = |batch: &RecordBatch| -> anyhow::Result<RecordBatch> {
        let is_theirs: arrow::array::BooleanArray =
            batch[key].as_primitive::<Int64Type>().iter().map(|it| Some(it == Some(offer.student_key))).collect();
        Ok(arrow::compute::filter_record_batch(batch, &is_theirs)?)
    };
    let again: Option<Vec<Stored>> = if from_bronze && !offer.signals.is_empty() {
        Some(stored(&theirs(&house.builder().await?.signals_again(offer.as_of_on).await?)?))
    } else {
        None
    };
    let anew = if from_bronze { Some(house.builder().await?.again(offer.as_of_on).await?) } else { None };
    let anew = match &anew {
        None => None,
        Some(it) => {
            let of = |batches: &[RecordBatch]| batches.iter().map(&theirs).collect::<anyhow::Result<Vec<_>>>();
            Some((of(&it.candidates)?, of(&it.scores)?))
        }
    };
    let mut is_whole = true;
    let (mut out, mut is_same) = (std::io::stdout(), true);
    if !matches!(format, Format::Json) {
        writeln!(out, "截至 / as of {as_of_on}")?;
    }
    let mut report = |it: &Value, line: String| -> anyhow::Result<()> {
        if matches!(format, Format::Json) {
            writeln!(out, "{it}")?
        } else {
            writeln!(out, "{line}")?
        }
        Ok(())
    };
    for it in &offer.signals {
        let input: warning::Input = serde_json::from_str(&it.input)?;
        let told = input.told();
        let bits = |it: [f64; 3]| it.map(f64::to_bits);
        let same = bits([told.z, told.ewma, told.cusum]) == bits([it.z, it.ewma, it.cusum]) && told.is_standing == it.is_standing;
        is_same &= same;
        let found = again.as_ref().map(|all| all.iter().find(|other| other.trend == it.trend));
        let bronze = bronze(found.map(|it| it.is_some()), found.flatten().is_some_and(|other| other.input == it.input));
        is_whole &= !matches!(bronze.as_str(), Some("differs" | "gone"));
        let said = json!({
            "warning_id": id, "as_of_on": as_of_on, "trend": it.trend, "stored": { "z": it.z, "ewma": it.ewma, "cusum": it.cusum },
            "replayed": { "z": told.z, "ewma": told.ewma, "cusum": told.cusum }, "is_same": same, "from_bronze": bronze,
        });
        let verdict = if same { "逐位一致 / same bits" } else { "不一致 / DIFFERS" };
        let rows = bronze_words(&bronze);
        report(
            &said,
            format!("{:<20} z {:+.6}  ewma {:+.6}  cusum {:.6}  {verdict}{rows}", it.trend, told.z, told.ewma, told.cusum),
        )?;
    }
    let (evidence, decision) = inputs(&offer.row)?;
    if let Some(evidence) = &evidence {
        let (stored, placed) = (offer.row["score"].as_primitive::<Float64Type>().value(0), evidence.told());
        let same = placed.score.to_bits() == stored.to_bits();
        is_same &= same;
        let said = json!({
            "warning_id": id, "as_of_on": as_of_on, "evidence": evidence, "stored": { "score": stored }, "replayed": { "score": placed.score },
            "is_same": same,
        });
        let verdict = if same { "逐位一致 / same bits" } else { "不一致 / DIFFERS" };
        let channels = evidence.witnesses.iter().map(|it| format!("{} {:.3} x {:.2}", it.rule, it.rarity, it.worth));
        let channels = channels.collect::<Vec<_>>().join(", ");
        report(&said, format!("{:<20} {:.6}  {verdict}  ({channels})", "排序 / place", placed.score))?;
    }
    for it in &offer.scores {
        let again = ::transform::rescored(&it.model, &it.bytes, &it.calibration, &it.input)?;
        let same = [again.score, again.probability].map(f64::to_bits) == [it.score, it.probability].map(f64::to_bits)
            && again.contributions == it.contributions;
        is_same &= same;
        let found: Option<Vec<Score>> = anew.as_ref().map(|(_, scored)| scored.iter().flat_map(scores).collect());
        let found = found.as_ref().map(|all| all.iter().find(|other| other.model == it.model && other.version == it.version));
        let bronze = bronze(found.map(|it| it.is_some()), found.flatten().is_some_and(|other| other.input == it.input));
        is_whole &= !matches!(bronze.as_str(), Some("differs" | "gone"));
        let rows = bronze_words(&bronze);
        let said = json!({
            "warning_id": id, "as_of_on": as_of_on, "model": it.model, "version": it.version,
            "stored": { "score": it.score, "probability": it.probability },
            "replayed": { "score": again.score, "probability": again.probability }, "is_same": same, "from_bronze": bronze,
        });
        let verdict = if same { "逐位一致 / same bits" } else { "不一致 / DIFFERS" };
        report(
            &said,
            format!("{:<20} {}  {:.6}  p {:.6}  {verdict}{rows}", it.model, it.version, again.score, again.probability),
        )?;
    }
    let is_scored =
        |name: &str| offer.signals.iter().any(|it| it.trend == name) || offer.scores.iter().any(|it| it.model == name);
    for rule in word(&offer.row, "rules", 0).split(',').filter(|name| !is_scored(name)) {
        let found: Option<Vec<Again>> = anew.as_ref().map(|(candidates, _)| {
            let of = |batch: &RecordBatch| {
                let is_it = |row: &usize| word(batch, "rule", *row) == rule;
                (0..batch.num_rows()).filter(is_it).map(|row| Again::held(&offer.row, rule, batch, row)).collect::<Vec<_>>()
            };
            candidates.iter().flat_map(of).collect()
        });
        let same = found.iter().flatten().find(|it| it.is_decided_so);
        let bronze = bronze(found.as_ref().map(|it| !it.is_empty()), same.is_some());
        let has_new_words = same.is_some_and(|it| !it.is_told_so);
        is_whole &= !matches!(bronze.as_str(), Some("differs" | "gone"));
        let rows = bronze_words(&bronze);
        let words = if has_new_words {
            "，措辞此后已改，依据未变 / its words were changed since, what it found was not"
        } else {
            ""
        };
        let is_decided_so = decision.as_ref().map(|it| follows(&offer.row, it, evidence.as_ref(), rule));
        is_same &= is_decided_so != Some(false);
        let input = decision.as_ref().and_then(|it| it.findings.iter().find(|it| it.rule == rule));
        // A rule may be changed at any time: what it decided before stays, and is told apart.
        let hash_now =
            house.graph.rules().iter().chain(house.graph.trends()).find(|it| it.name == rule).map(::transform::sql_hash);
        let is_same_sql = input.and_then(|it| it.sql_hash.as_ref()).map(|it| Some(it) == hash_now.as_ref());
        let verdict = match is_decided_so {
            Some(true) => "逐位一致 / same bits",
            Some(false) => "不一致 / DIFFERS",
            None => {
                "提示生成时还没有留存规则所见的数据行，无法重算 / it was offered before the rows that rules saw were stored: nothing to replay"
            }
        };
        let file = if is_same_sql == Some(false) {
            "，规则文件此后已改或已移除 / the rule's file was changed or removed since"
        } else {
            ""
        };
        let said = json!({
            "warning_id": id, "as_of_on": as_of_on, "rule": rule, "input": input,
            "before": decision.as_ref().and_then(|it| it.before), "is_same": is_decided_so, "is_same_sql": is_same_sql,
            "why": is_decided_so.is_none().then_some(verdict), "reason_zh": word(&offer.row, "reason_zh", 0),
            "from_bronze": bronze, "has_new_words": same.map(|_| has_new_words),
        });
        report(&said, format!("{rule:<20} {verdict}{file}{rows}{words}"))?;
    }
    if from_bronze && !is_whole {
        // The weeks that trends and measures look back on.
        let lacking = house.builder().await?.lacking(offer.as_of_on, LOOKS_BACK_DAYS).await?;
        let (mut said, line) = lacking_words(&lacking);
        said["warning_id"] = json!(id);
        said["as_of_on"] = json!(as_of_on);
        report(&said, line)?;
    }
    Ok(is_same)
}

/// What the lake does not hold of the weeks behind an offer, as JSON and in words.
fn lacking_words(lacking: &::transform::Lacking) -> (Value, String) {
    let day = |it: i32| days_date(it).map(|it| it.to_string()).unwrap_or_default();
    let removed = lacking
        .removed
        .iter()
        .map(|it| json!({ "table": it.table, "from": day(it.first_on), "until": day(it.last_on), "is_whole": it.is_whole }));
    let held = lacking.held_from.iter().map(|(table, first)| json!({ "table": table, "held_from": day(*first) }));
    let said = json!({
        "removed": removed.collect::<Vec<_>>(), "not_held": held.collect::<Vec<_>>(), "absent": lacking.absent,
    });
    let ranges = |is_whole: bool| {
        let of = lacking.removed.iter().filter(|it| it.is_whole == is_whole);
        of.map(|it| format!("{} {} – {}", it.table, day(it.first_on), day(it.last_on))).collect::<Vec<_>>().join(", ")
    };
    let held = lacking.held_from.iter().map(|(table, first)| format!("{table} {}", day(*first))).collect::<Vec<_>>().join(", ");
    let parts = [
        ("按表的日志，下列日期的数据已整日移除 / by the logs of the tables all rows left of", ranges(true)),
        (
            "按表的日志，下列日期的部分数据已移除或替换 / by the logs of the tables some rows left or were replaced of",
            ranges(false),
        ),
        (
            "下列来源自所列日期起才有数据，更早的从未送来，或早于日志所及时已移除 / held only from the day named: never delivered before, or removed before the logs begin",
            held,
        ),
        ("下列来源没有任何数据 / nothing is held of", lacking.absent.join(", ")),
    ];
    let told: Vec<String> =
        parts.into_iter().filter(|it| !it.1.is_empty()).map(|(words, sources)| format!("{words}: {sources}")).collect();
    let line = if told.is_empty() {
        "各来源仍覆盖所看的时段，日志中也没有移除：差别来自更正或补传 / every source still holds the weeks that were looked at, and by the logs nothing left: rows were corrected or came later".to_owned()
    } else {
        told.join("\n")
    };
    (said, line)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Float64Array, Int32Array, Int64Array, StringArray};

    use super::*;

    /// A finding of 2 nights, told by a sentence in each language; `rules` are those of the offer.
    fn finding(rules: &str, now_value: f64, reason: (&str, &str)) -> RecordBatch {
        let text = |it: &str| -> ArrayRef { Arc::new(StringArray::from(vec![it])) };
        let number = |it: f64| -> ArrayRef { Arc::new(Float64Array::from(vec![it])) };
        let severity: ArrayRef = Arc::new(Int32Array::from(vec![1]));
        let n: ArrayRef = Arc::new(Int64Array::from(vec![12]));
        let nothing: ArrayRef = Arc::new(StringArray::from(vec![None::<&str>]));
        RecordBatch::try_from_iter_with_nullable([
            ("rule", text(rules.split(',').next().unwrap_or_default()), true),
            ("rules", text(rules), true),
            ("channel", text("return"), true),
            ("channels", text("meal,return"), true),
            ("severity", severity, true),
            ("as_of_on", text("2025-09-10"), true),
            ("issued_on", text("2025-09-08"), true),
            ("since_on", text("2025-09-04"), true),
            ("baseline", number(0.0), true),
            ("now_value", number(now_value), true),
            ("n", n, true),
            ("cov", number(0.9), true),
            ("reason_zh", text(reason.0), true),
            ("reason_en", text(reason.1), true),
            ("explanations", text(""), true),
            ("last_seen_at", nothing.clone(), true),
            ("last_seen_source", nothing, true),
        ])
        .unwrap()
    }

    /// What an offer of one channel was decided by, as it is stored: found since 4 September, offered first on the 8th.
    fn stored_input(now_value: f64) -> String {
        let on = |day: &str| schema::time::date_days(day.parse().unwrap());
        let finding = json!({
            "rule": "away", "sql_hash": "0f", "bounds": { "nights_min": 2.0 }, "channel": "return", "since_on": on("2025-09-04"),
            "baseline": 0.0, "now_value": now_value, "n": 12, "cov": 0.9, "explanations": "", "last_seen_at": null,
            "last_seen_source": null, "reason_zh": TOLD.0, "reason_en": TOLD.1,
        });
        let witness = json!({ "rule": "away", "channel": "return", "rarity": 3.5, "worth": 1.0, "lift": 1.0 });
        json!({
            "witnesses": [witness], "agree_rarity": 1.5,
            "decision": {
                "as_of_on": on("2025-09-10"), "before": { "issued_on": on("2025-09-08"), "severity": 1 }, "findings": [finding],
            },
        })
        .to_string()
    }

    fn with_input(offer: &RecordBatch, input: Option<&str>) -> RecordBatch {
        let schema = offer.schema();
        let fields = schema.fields().iter().map(|it| it.as_ref().clone());
        let field = arrow::datatypes::Field::new("input", arrow::datatypes::DataType::Utf8, true);
        let schema = arrow::datatypes::Schema::new(fields.chain([field]).collect::<Vec<_>>());
        let input: ArrayRef = Arc::new(StringArray::from(vec![input]));
        let columns = offer.columns().iter().cloned().chain([input]).collect();
        RecordBatch::try_new(Arc::new(schema), columns).unwrap()
    }

    #[test]
    fn what_left_the_lake_is_told_by_source_and_days() {
        let on = |day: &str| schema::time::date_days(day.parse().unwrap());
        let (said, line) = lacking_words(&::transform::Lacking::default());
        assert_eq!(said["removed"], json!([]));
        assert!(line.contains("nothing left"), "{line}");
        let removed = |first: &str, last: &str, is_whole| ::transform::Removed {
            table: "raw_card".to_owned(),
            first_on: on(first),
            last_on: on(last),
            is_whole,
        };
        let lacking = ::transform::Lacking {
            removed: vec![removed("2025-06-01", "2025-06-14", true), removed("2025-07-02", "2025-07-02", false)],
            held_from: vec![("raw_gate".to_owned(), on("2025-06-20"))],
            absent: vec!["raw_water".to_owned()],
        };
        let (said, line) = lacking_words(&lacking);
        let first = json!({ "table": "raw_card", "from": "2025-06-01", "until": "2025-06-14", "is_whole": true });
        assert_eq!((&said["removed"][0], &said["removed"][1]["is_whole"]), (&first, &json!(false)));
        assert!(line.contains("all rows left of: raw_card 2025-06-01 – 2025-06-14\n"), "{line}");
        assert!(line.contains("were replaced of: raw_card 2025-07-02 – 2025-07-02\n"), "{line}");
        assert!(line.contains("raw_gate 2025-06-20\n") && line.ends_with("nothing is held of: raw_water"), "{line}");
    }

    /// Whether the offer follows from its stored input; `None` where it has none.
    fn replayed(offer: &RecordBatch) -> Option<bool> {
        let (evidence, decision) = inputs(offer).unwrap();
        decision.map(|it| follows(offer, &it, evidence.as_ref(), "away"))
    }

    #[test]
    fn a_rule_is_decided_again_from_its_stored_row_and_a_changed_bit_is_found() {
        let offer = finding("away", 2.0, TOLD);
        assert_eq!(replayed(&with_input(&offer, Some(&stored_input(2.0)))), Some(true));
        // The least that a number can differ by, in the row as in the offer.
        let next = f64::from_bits(2.0_f64.to_bits() + 1);
        assert_eq!(replayed(&with_input(&offer, Some(&stored_input(next)))), Some(false));
        assert_eq!(replayed(&with_input(&finding("away", next, TOLD), Some(&stored_input(2.0)))), Some(false));
        assert_eq!(replayed(&with_input(&finding("away", 2.0, BETTER), Some(&stored_input(2.0)))), Some(false));
        // A finding more than was stored, and another state before.
        assert_eq!(replayed(&with_input(&finding("away,meals", 2.0, TOLD), Some(&stored_input(2.0)))), Some(false));
        let mut input: Value = serde_json::from_str(&stored_input(2.0)).unwrap();
        input["decision"]["before"] = Value::Null;
        assert_eq!(replayed(&with_input(&offer, Some(&input.to_string()))), Some(false));
    }

    #[test]
    fn what_was_offered_before_the_rows_were_stored_is_not_replayed() {
        let offer = finding("away", 2.0, TOLD);
        assert_eq!(replayed(&with_input(&offer, None)), None);
        let mut input: Value = serde_json::from_str(&stored_input(2.0)).unwrap();
        input.as_object_mut().unwrap().remove("decision");
        let old = with_input(&offer, Some(&input.to_string()));
        assert_eq!(replayed(&old), None);
        assert!(inputs(&old).unwrap().0.is_some(), "its place is still scored again");
    }

    const TOLD: (&str, &str) = ("近14天有2晚未归（2025-09-04）。", "Away on 2 of 14 nights since 2025-09-04.");
    const BETTER: (&str, &str) = ("自2025-09-04起，14晚中有2晚无返回记录。", "No return on 2 of 14 nights since 2025-09-04.");

    #[track_caller]
    fn check(rules: &str, found: &RecordBatch, is_decided_so: bool, is_told_so: bool) {
        let told = ("午餐少了。\n近14天有2晚未归（2025-09-04）。", "Fewer lunches.\nAway on 2 of 14 nights since 2025-09-04.");
        let offer = finding(rules, 2.0, told);
        assert_eq!(Again::held(&offer, "away", found, 0), Again { is_decided_so, is_told_so }, "{rules}");
    }

    #[test]
    fn other_words_are_no_other_decision_and_other_figures_are() {
        check("away", &finding("away", 2.0, TOLD), true, true);
        check("away", &finding("away", 2.0, BETTER), true, false);
        check("away", &finding("away", 3.0, TOLD), false, true);
        // Of a finding beside the strongest nothing is stored but its sentence.
        check("meals,away", &finding("away", 2.0, TOLD), true, true);
        check("meals,away", &finding("away", 2.0, BETTER), true, false);
        let more = ("近14天有3晚未归（2025-09-04）。", "Away on 3 of 14 nights since 2025-09-04.");
        check("meals,away", &finding("away", 3.0, more), false, false);
    }
}
