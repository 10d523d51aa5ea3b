//! `GET /api/v1/models`: risk models with their card, backtest and drift; rates of groups for auditors only.

use axum::Json;
use axum::extract::Path;
use policy::Session;
use schema::time::days_date;
use serde_json::{Value, json};
use warning::audit::{CELL_MIN, GroupRate, Verdict};
use warning::backtest::{Decided, Report, Week, Worth};
use warning::metrics::{LeadBand, LeadTimes};
use warning::{Card, Estimate, SeenByVisits};

use crate::access::Reader;
use crate::error::Problem;
use crate::rows::{self, Row, cell, text};
use crate::state::{ModelWords, RuleWords};

/// What is said of a model that was never trained.
const UNTRAINED: (&str, &str) = ("尚未训练。", "It has not been trained yet.");

pub(crate) async fn list(reader: Reader) -> Result<Json<Value>, Problem> {
    reader.require_page("models")?;
    let session = reader.session().await?;
    let mut models = Vec::new();
    for words in &reader.state.parts.catalog.models {
        models.push(head(words, &Kept::read(&session, &words.model).await?));
    }
    let cards = scorecards(&session).await?;
    let rules: Vec<Value> = cards.iter().map(|it| rule_card(&reader.state.parts.catalog.rules, it)).collect();
    let on = cards.first().map_or(Value::Null, |it| cell(it, "as_of_on"));
    let effect = effect(&session).await?;
    let visits = visits(&session).await?;
    Ok(Json(json!({ "models": models, "rules": rules, "rules_as_of_on": on, "effect": effect, "visits": visits })))
}

/// How hints are made, for students: by which rules and models, on what, how often they are right. Figures of the university.
pub(crate) async fn own(reader: Reader) -> Result<Json<Value>, Problem> {
    reader.require_page("me")?;
    let session = reader.session().await?;
    let catalog = &reader.state.parts.catalog;
    let mut models = Vec::new();
    for words in &catalog.models {
        let kept = Kept::read(&session, &words.model).await?;
        let (state, zh, en) = kept.state(words);
        let figure = |name: &str| kept.card.as_ref().and_then(|it| it.metrics.get(name).copied().flatten());
        let inputs: Vec<Value> =
            words.inputs.iter().map(|it| json!({ "title_zh": it.title_zh, "title_en": it.title_en })).collect();
        models.push(json!({
            "model": words.model, "title_zh": words.title_zh, "title_en": words.title_en, "state": state,
            "reason_zh": zh, "reason_en": en, "caveat_zh": words.caveat_zh, "caveat_en": words.caveat_en, "inputs": inputs,
            "budget": figure("budget"), "precision": figure("precision_at_k"), "base_rate": figure("base_rate"),
        }));
    }
    let cards = scorecards(&session).await?;
    let is_model = |rule: &str| catalog.models.iter().any(|it| it.model == rule);
    let rules: Vec<Value> = catalog
        .rules
        .iter()
        .filter(|it| !is_model(&it.rule))
        .map(|it| {
            let card = cards.iter().find(|card| text(card, "rule").as_deref() == Some(it.rule.as_str()));
            json!({
                "rule": it.rule, "title_zh": it.title_zh, "title_en": it.title_en, "caveat_zh": it.caveat_zh, "caveat_en": it.caveat_en,
                "acted_on_share": card.map_or(Value::Null, |it| cell(it, "acted_on_share")),
            })
        })
        .collect();
    let visits = visits(&session).await?;
    Ok(Json(json!({ "models": models, "rules": rules, "visits": visits })))
}

/// Whom offers found and missed relative to what visits saw, newest Monday; NULL for who may not read it, or before then.
async fn visits(session: &Session) -> Result<Value, Problem> {
    if session.schema("model_visit").await.is_err() {
        return Ok(Value::Null);
    }
    let sql = "SELECT * FROM model_visit WHERE as_of_on = (SELECT max(as_of_on) FROM model_visit)";
    let Some(it) = rows::rows(session, sql, Vec::new()).await?.into_iter().next() else { return Ok(Value::Null) };
    let columns = [
        "as_of_on",
        "status",
        "seen_n",
        "random_n",
        "prevalence",
        "prevalence_low",
        "prevalence_high",
        "ppv",
        "ppv_low",
        "ppv_high",
        "recall",
        "recall_low",
        "recall_high",
        "missed",
        "missed_low",
        "missed_high",
    ];
    Ok(Value::Object(columns.into_iter().map(|name| (name.to_owned(), cell(&it, name))).collect()))
}

/// Whether following offers up helped, newest Monday; NULL for who may not read it, or before it was worked out.
async fn effect(session: &Session) -> Result<Value, Problem> {
    if session.schema("model_effect").await.is_err() {
        return Ok(Value::Null);
    }
    let sql = "SELECT * FROM model_effect WHERE as_of_on = (SELECT max(as_of_on) FROM model_effect)";
    let Some(it) = rows::rows(session, sql, Vec::new()).await?.into_iter().next() else { return Ok(Value::Null) };
    let doubts = text(&it, "doubts").unwrap_or_default();
    let doubts: Vec<&str> = doubts.split(',').filter(|it| !it.is_empty()).collect();
    Ok(json!({
        "as_of_on": cell(&it, "as_of_on"), "verdict": cell(&it, "verdict"), "doubts": doubts,
        "lift": cell(&it, "lift"), "lift_low": cell(&it, "lift_low"), "lift_high": cell(&it, "lift_high"),
        "students_n": cell(&it, "students_n"), "contacted_n": cell(&it, "contacted_n"), "matched_n": cell(&it, "matched_n"),
        "match_rate": cell(&it, "match_rate"), "similarity": cell(&it, "similarity"),
    }))
}

/// What came of what rules and trends offered, newest date; nothing for who may not read it, or before it was made.
async fn scorecards(session: &Session) -> Result<Vec<Row>, Problem> {
    if session.schema("rule_scorecard").await.is_err() {
        return Ok(Vec::new());
    }
    let sql = "SELECT * FROM rule_scorecard WHERE as_of_on = (SELECT max(as_of_on) FROM rule_scorecard) ORDER BY rule";
    rows::rows(session, sql, Vec::new()).await
}

fn rule_card(words: &[RuleWords], it: &Row) -> Value {
    let rule = text(it, "rule").unwrap_or_default();
    let titles = words.iter().find(|words| words.rule == rule);
    json!({
        "title_zh": titles.map_or(&rule, |it| &it.title_zh), "title_en": titles.map_or(&rule, |it| &it.title_en),
        "is_finding": cell(it, "is_finding"), "offered_n": cell(it, "offered_n"), "closed_n": cell(it, "closed_n"),
        "acted_on_share": cell(it, "acted_on_share"), "acted_on_share_lower": cell(it, "acted_on_share_lower"),
        "acted_on_share_upper": cell(it, "acted_on_share_upper"),
        "is_retirement_proposed": text(it, "proposal").as_deref() == Some("retire"), "rule": rule,
    })
}

pub(crate) async fn one(reader: Reader, Path(model): Path<String>) -> Result<Json<Value>, Problem> {
    reader.require_page("models")?;
    let session = reader.session().await?;
    let words = reader.state.parts.catalog.models.iter().find(|it| it.model == model).ok_or_else(Problem::not_found)?;
    let kept = Kept::read(&session, &words.model).await?;
    let visits = visits(&session).await?;
    Ok(Json(json!({
        "head": head(words, &kept),
        "caveat_zh": words.caveat_zh, "caveat_en": words.caveat_en,
        "inputs": words.inputs,
        "card": kept.card.as_ref().map(|it| card(it, &kept, &visits)),
        "backtest": kept.backtest.as_ref().map(|it| backtest(it, words)),
        "drift": kept.drift.iter().map(|it| drift(it, words)).collect::<Vec<_>>(),
        "groups": groups(&session, &kept, &words.model).await?,
    })))
}

/// What the lake keeps of a model, as far as the session sees it.
struct Kept {
    version: Option<Row>,
    card: Option<Card>,
    backtest: Option<Judged>,
    drift: Vec<Row>,
    /// Inputs that had moved too far on some night since the training.
    frozen: Vec<Row>,
}

struct Judged {
    row: Row,
    chosen: String,
    report: Report,
}

async fn of_model(session: &Session, table: &str, model: &str, tail: &str) -> Result<Vec<Row>, Problem> {
    // Before the first training there is no such table.
    if session.schema(table).await.is_err() {
        return Ok(Vec::new());
    }
    let model = datafusion::scalar::ScalarValue::Utf8(Some(model.to_owned()));
    rows::rows(session, &format!("SELECT * FROM {table} WHERE model = $model {tail}"), vec![("model", model)]).await
}

impl Kept {
    async fn read(session: &Session, model: &str) -> Result<Self, Problem> {
        let version = of_model(session, "model_version", model, "ORDER BY trained_on DESC LIMIT 1").await?.into_iter().next();
        let row = of_model(session, "model_backtest", model, "ORDER BY judged_on DESC LIMIT 1").await?.into_iter().next();
        let newest = "AND as_of_on = (SELECT max(as_of_on) FROM model_drift WHERE model = $model)";
        let mut drift = of_model(session, "model_drift", model, newest).await?;
        let far = |it: &Row| rows::number(it, "coverage_psi").unwrap_or(0.0).max(rows::number(it, "value_psi").unwrap_or(0.0));
        let is_coverage = |it: &Row| cell(it, "is_coverage") == Value::Bool(true);
        drift.sort_by(|a, b| is_coverage(b).cmp(&is_coverage(a)).then(far(b).total_cmp(&far(a))));
        let current = version.as_ref().and_then(|it| text(it, "version"));
        drift.retain(|it| text(it, "version") == current);
        let mut frozen = of_model(session, "model_drift", model, "AND level = 'freeze' ORDER BY as_of_on, input").await?;
        frozen.retain(|it| text(it, "version") == current);
        Ok(Self {
            card: version.as_ref().and_then(|it| text(it, "card")).map(|it| read(&it, "model card")).transpose()?,
            backtest: row
                .map(|row| {
                    let report = read(&text(&row, "report").unwrap_or_default(), "backtest")?;
                    Ok::<_, Problem>(Judged { chosen: text(&row, "chosen").unwrap_or_default(), report, row })
                })
                .transpose()?,
            version,
            drift,
            frozen,
        })
    }

    /// How the model stands, and why, in Chinese and in English.
    fn state(&self, words: &ModelWords) -> (&'static str, String, String) {
        let is_offered = self.version.as_ref().is_some_and(|it| cell(it, "is_offered") == Value::Bool(true));
        match &self.version {
            None => ("untrained", UNTRAINED.0.to_owned(), UNTRAINED.1.to_owned()),
            Some(_) if !self.frozen.is_empty() => {
                let first = text(&self.frozen[0], "as_of_on");
                let inputs = self.frozen.iter().filter(|it| text(it, "as_of_on") == first).filter_map(|it| text(it, "input"));
                let titles = |it: String| {
                    let known = words.inputs.iter().find(|one| one.input == it);
                    known.map_or_else(|| (it.clone(), it.clone()), |it| (it.title_zh.clone(), it.title_en.clone()))
                };
                let (moved_zh, moved_en): (Vec<String>, Vec<String>) = inputs.map(titles).unzip();
                let first = first.clone().unwrap_or_default();
                let (zh, en) = warning::frozen(&first, &moved_zh, &moved_en);
                ("frozen", zh, en)
            }
            Some(version) => {
                let state = if is_offered { "offered" } else { "not_offered" };
                (state, text(version, "reason_zh").unwrap_or_default(), text(version, "reason_en").unwrap_or_default())
            }
        }
    }

    /// What the backtest says of the stored kind.
    fn worth(&self) -> Option<&Worth> {
        let judged = self.backtest.as_ref()?;
        judged.report.candidates.iter().find(|it| it.name == judged.chosen)
    }
}

fn read<T: serde::de::DeserializeOwned>(stored: &str, what: &str) -> Result<T, Problem> {
    serde_json::from_str(stored).map_err(|error| {
        tracing::error!(?error, what, "what the lake keeps of a model cannot be read");
        Problem::not_ready()
    })
}

fn day(days: i32) -> Option<String> {
    days_date(days).map(|it| it.to_string())
}

fn head(words: &ModelWords, kept: &Kept) -> Value {
    let worth = kept.worth();
    let version = kept.version.clone().unwrap_or_default();
    let (state, zh, en) = kept.state(words);
    json!({
        "model": words.model, "title_zh": words.title_zh, "title_en": words.title_en, "about_zh": words.about_zh, "about_en": words.about_en,
        "thread": words.thread, "label": words.label, "label_about_zh": words.label_about_zh, "label_about_en": words.label_about_en, "horizon_days": words.horizon_days,
        "state": state, "reason_zh": zh, "reason_en": en,
        "version": cell(&version, "version"), "kind": cell(&version, "kind"), "trained_on": cell(&version, "trained_on"),
        "n_rows": cell(&version, "n_rows"), "n_positive": cell(&version, "n_positive"), "budget": cell(&version, "budget"),
        "precision": worth.and_then(|it| it.precision), "recall": worth.and_then(|it| it.recall), "auroc": worth.and_then(|it| it.auroc),
        "lift_over_random": worth.and_then(|it| it.lift_over_random),
        "lift_over_best_rule": worth.and_then(|it| it.lift_over_best_rule),
        "lift_over_floor": worth.and_then(|it| it.lift_over_floor),
        "lift_over_own_list": worth.and_then(|it| it.lift_over_own_list),
    })
}

fn card(card: &Card, kept: &Kept, visits: &Value) -> Value {
    let version = kept.version.clone().unwrap_or_default();
    json!({
        "version": cell(&version, "version"), "kind": card.kind, "cohort": card.cohort,
        "train_from_on": day(card.dates.train_from_on), "train_to_on": day(card.dates.train_to_on),
        "test_from_on": card.dates.test_from_on.and_then(day), "test_to_on": card.dates.test_to_on.and_then(day),
        "seed": card.seed, "sql_fingerprint": card.sql_fingerprint, "hash": cell(&version, "hash"), "limits": card.limits,
        "seen_by_visits": seen_by_visits(&card.recall_vs_visit, &cell(&version, "trained_on"), visits),
    })
}

/// What visits say of all offers: the newest Monday for who may read it, else what was known when the model was trained.
fn seen_by_visits(on_card: &SeenByVisits, trained_on: &Value, newest: &Value) -> Value {
    const NAMES: [&str; 7] = ["status", "as_of_on", "seen_n", "random_n", "recall", "recall_low", "recall_high"];
    if newest.is_object() {
        return Value::Object(NAMES.into_iter().map(|name| (name.to_owned(), newest[name].clone())).collect());
    }
    let mut said = json!({
        "status": "no_visits", "as_of_on": trained_on, "seen_n": null, "random_n": null, "recall": null, "recall_low": null, "recall_high": null,
    });
    match on_card {
        SeenByVisits::NoVisits => {}
        SeenByVisits::TooFew => said["status"] = json!("too_few"),
        SeenByVisits::Estimated { as_of_on, n_seen, n_random, recall } => {
            said = json!({
                "status": "estimated", "as_of_on": day(*as_of_on), "seen_n": n_seen, "random_n": n_random,
                "recall": recall.value, "recall_low": recall.low, "recall_high": recall.high,
            });
        }
    }
    said
}

fn backtest(judged: &Judged, words: &ModelWords) -> Value {
    let report = &judged.report;
    let reliability = report.candidates.iter().find(|it| it.name == judged.chosen).and_then(|it| it.calibration.as_ref());
    let base_rate = (0 < report.n_rows).then(|| report.n_positive as f64 / report.n_rows as f64);
    json!({
        "as_of_on": cell(&judged.row, "judged_on"), "budget": report.budget, "n_rows": report.n_rows, "n_positive": report.n_positive,
        "base_rate": base_rate, "best_rule": report.best_rule,
        "candidates": report.candidates.iter().map(|it| worth(it, &judged.chosen, words)).collect::<Vec<_>>(),
        "decisions": report.decisions.iter().map(|it| decision(it, report.best_rule.as_deref(), words)).collect::<Vec<_>>(),
        "reliability": reliability.map(|it| json!({
            "bands": it.bands.iter().map(|band| json!({
                "n_rows": band.n_rows, "promised_min": band.score_min, "promised_max": band.score_max, "promised_mean": band.score_mean,
                // A rate of a handful is a statement about persons, and no figure.
                "came": (CELL_MIN <= band.n_rows).then_some(band.rate),
            })).collect::<Vec<_>>(),
            "ece": it.ece, "brier": it.brier, "reliability": it.reliability, "resolution": it.resolution, "uncertainty": it.uncertainty,
        })),
    })
}

fn worth(it: &Worth, chosen: &str, words: &ModelWords) -> Value {
    let week = |it: &Week| {
        json!({
            "as_of_on": day(it.as_of_on), "n_listed": it.at_k.n_listed, "n_hits": it.at_k.n_hits, "n_positive": it.at_k.n_positive,
            "n_rows": it.at_k.n_rows, "precision": it.at_k.precision(), "recall": it.at_k.recall(),
        })
    };
    let titles = words.baselines.get(&it.name);
    json!({
        "name": it.name, "title_zh": titles.map(|it| &it.0), "title_en": titles.map(|it| &it.1), "role": it.role, "is_chosen": it.name == chosen,
        "n_listed": it.at_k.n_listed, "n_hits": it.at_k.n_hits, "precision": it.precision, "recall": it.recall, "auroc": it.auroc,
        "lift_over_random": it.lift_over_random, "lift_over_best_rule": it.lift_over_best_rule, "lift_over_floor": it.lift_over_floor,
        "lead_days_median": it.lead_times.median_days, "lead_share_week": it.lead_times.share_week,
        "lead_bands": lead_bands(&it.lead_times),
        "weeks": it.weeks.iter().map(week).collect::<Vec<_>>(),
    })
}

/// How long before the events the first list was, in shares of all events; a rate of a handful is no figure.
fn lead_bands(times: &LeadTimes) -> Vec<Value> {
    let is_told = CELL_MIN <= times.n_events;
    let share = |n: u64| is_told.then(|| (100.0 * n as f64 / times.n_events as f64).round() / 100.0);
    let band = |it: &LeadBand| json!({ "from_days": it.from_days, "to_days": it.to_days, "share": share(it.n_events) });
    times.bands().iter().map(band).collect()
}

fn decision(it: &Decided, best_rule: Option<&str>, words: &ModelWords) -> Value {
    let (zh, en) = it.words(best_rule.and_then(|it| words.baselines.get(it)));
    let part = |over: Option<Estimate>, of: fn(Estimate) -> f64| over.map(of);
    json!({
        "name": it.name, "is_offered": it.is_offered, "reason_zh": zh, "reason_en": en,
        "over_best_rule": part(it.over_best_rule, |it| it.value), "over_best_rule_low": part(it.over_best_rule, |it| it.low),
        "over_best_rule_high": part(it.over_best_rule, |it| it.high),
        "over_floor": part(it.over_floor, |it| it.value), "over_floor_low": part(it.over_floor, |it| it.low),
        "over_floor_high": part(it.over_floor, |it| it.high),
        "over_own_list": part(it.over_own_list, |it| it.value), "over_own_list_low": part(it.over_own_list, |it| it.low),
        "over_own_list_high": part(it.over_own_list, |it| it.high),
    })
}

fn drift(it: &Row, words: &ModelWords) -> Value {
    let input = text(it, "input").unwrap_or_default();
    let titles = words.inputs.iter().find(|it| it.input == input);
    json!({
        "as_of_on": cell(it, "as_of_on"), "input": input,
        "title_zh": titles.map_or(&input, |it| &it.title_zh), "title_en": titles.map_or(&input, |it| &it.title_en),
        "known_before": cell(it, "known_before"), "known_now": cell(it, "known_now"), "coverage_psi": cell(it, "coverage_psi"),
        "value_psi": cell(it, "value_psi"), "level": cell(it, "level"), "is_coverage": cell(it, "is_coverage"),
    })
}

/// Rates of groups, from the backtest and from the lists as they were made; NULL for whoever is no auditor.
async fn groups(session: &Session, kept: &Kept, model: &str) -> Result<Value, Problem> {
    // The policy decides: whoever may not know of the groups finds no such table and column.
    let stored = kept.backtest.as_ref().and_then(|it| text(&it.row, "subgroups"));
    if session.role().rule("model_audit").is_none() {
        return Ok(Value::Null);
    }
    let mut groups = Vec::new();
    if let (Some(stored), Some(judged)) = (stored, &kept.backtest) {
        let found: std::collections::BTreeMap<String, Vec<GroupRate>> = read(&stored, "audit")?;
        for (attribute, rates) in &found {
            for it in rates {
                let mut said = json!({
                    "source": "backtest", "as_of_on": cell(&judged.row, "judged_on"), "attribute": attribute, "group": it.group,
                    "rate": it.rate, "n_rows": it.n_rows, "n_students": it.n_students, "status": "insufficient",
                    "value": null, "value_low": null, "value_high": null, "ratio": null, "ratio_low": null, "ratio_high": null, "is_flagged": null,
                });
                if let Verdict::Compared { value, value_low, value_high, ratio, is_flagged } = it.verdict {
                    said["status"] = json!("ok");
                    said["value"] = json!(value);
                    said["value_low"] = json!(value_low);
                    said["value_high"] = json!(value_high);
                    said["ratio"] = json!(ratio.value);
                    said["ratio_low"] = json!(ratio.low);
                    said["ratio_high"] = json!(ratio.high);
                    said["is_flagged"] = json!(is_flagged);
                }
                groups.push(said);
            }
        }
    }
    let newest = "AND as_of_on = (SELECT max(as_of_on) FROM model_audit WHERE model = $model) ORDER BY attribute, subgroup, rate";
    for it in of_model(session, "model_audit", model, newest).await? {
        let status = if cell(&it, "ratio").is_null() { "insufficient" } else { "ok" };
        groups.push(json!({
            "source": "nightly", "as_of_on": cell(&it, "as_of_on"), "attribute": cell(&it, "attribute"), "group": cell(&it, "subgroup"),
            "rate": cell(&it, "rate"), "n_rows": cell(&it, "n_rows"), "n_students": cell(&it, "n_students"), "status": status,
            "value": cell(&it, "value"), "value_low": cell(&it, "value_low"), "value_high": cell(&it, "value_high"), "ratio": cell(&it, "ratio"), "ratio_low": cell(&it, "ratio_low"),
            "ratio_high": cell(&it, "ratio_high"), "is_flagged": cell(&it, "is_flagged"),
        }));
    }
    Ok(json!(groups))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lead_times_are_told_in_shares_of_all_events_and_not_of_a_handful() {
        // Half never, one on the day, the others ten days before.
        let of = |n: i32| {
            let events: Vec<_> = (0..n).map(|it| (100, (n / 2 <= it).then_some(if it == n - 1 { 100 } else { 90 }))).collect();
            lead_bands(&warning::metrics::lead_times(&events))
        };
        let shares = |of: &[Value]| of.iter().map(|it| it["share"].as_f64()).collect::<Vec<_>>();
        let told = of(40);
        assert_eq!(shares(&told), [Some(0.5), Some(0.03), Some(0.0), Some(0.48), Some(0.0), Some(0.0)]);
        assert_eq!((&told[3]["from_days"], &told[3]["to_days"], &told[0]["from_days"]), (&json!(7), &json!(13), &Value::Null));
        assert_eq!(shares(&of(29)), [None; 6]);
    }

    #[test]
    fn a_card_tells_the_newest_visits_to_who_may_read_them_and_else_those_of_the_training() {
        let recall = Estimate { value: 0.4, low: 0.25, high: 0.6 };
        let trained = SeenByVisits::Estimated { as_of_on: 20_000, n_seen: 320, n_random: 90, recall };
        let newest = json!({
            "as_of_on": "2025-03-03", "status": "estimated", "seen_n": 400, "random_n": 120, "ppv": 0.3, "recall": 0.5,
            "recall_low": 0.3, "recall_high": 0.7,
        });
        let on = json!("2024-10-08");
        let said = seen_by_visits(&trained, &on, &newest);
        assert_eq!((&said["recall"], &said["as_of_on"]), (&json!(0.5), &json!("2025-03-03")));
        assert!(said.get("ppv").is_none(), "{said}");
        let said = seen_by_visits(&trained, &on, &Value::Null);
        assert_eq!((&said["recall_low"], &said["seen_n"], &said["as_of_on"]), (&json!(0.25), &json!(320), &json!("2024-10-04")));
        // That there were none says nothing of later days.
        let none = seen_by_visits(&SeenByVisits::NoVisits, &on, &Value::Null);
        assert_eq!((&none["status"], &none["as_of_on"]), (&json!("no_visits"), &on));
        let few = seen_by_visits(&SeenByVisits::TooFew, &on, &Value::Null);
        assert_eq!((&few["status"], &few["recall"]), (&json!("too_few"), &Value::Null));
    }
}
