//! Training and backtest as commands: rows in, a version or a report out, both kept in the lake.

use std::collections::BTreeMap;

use schema::nearest;
use serde_json::json;
use warning::audit::GroupRate;
use warning::backtest::Report;
use warning::{Card, Dates, History, SeenByVisits};

use super::Risk;
use super::kept::{NewVersion, Reference, hex};
use super::rows::{Outcomes, Rows};
use super::walk::{Judged, Terms, fit, word};
use crate::Error;
use crate::build::Builder;

/// A measure that alone sorts the outcomes so well knows them.
const LEAK_AREA: f64 = 0.98;
/// Rows with the outcome, and rows without it, below which a measure may sort them by chance.
const LEAK_N_MIN: usize = 20;

/// A version that was trained.
#[derive(Debug, Clone)]
pub struct Trained {
    /// The model.
    pub model: String,
    /// Day of the training and first digits of the hash.
    pub version: String,
    /// logistic, forest or boost.
    pub kind: String,
    /// BLAKE3 of model, probabilities and reference.
    pub hash: String,
    /// Rows that it learnt from.
    pub n_rows: usize,
    /// Of them with the outcome.
    pub n_positive: usize,
    /// Its lists may become offers.
    pub is_offered: bool,
    /// Why, or why not, in Chinese.
    pub reason_zh: String,
    /// Why, or why not, in English.
    pub reason_en: String,
    /// The model card as JSON.
    pub card: String,
}

/// A backtest that was made.
#[derive(Debug, Clone)]
pub struct Backtested {
    /// The model.
    pub model: String,
    /// Outcomes known on this day judged.
    pub judged_on: i32,
    /// The candidate with most hits, or the first.
    pub chosen: String,
    /// It may be offered.
    pub is_offered: bool,
    /// Why, or why not, in Chinese.
    pub reason_zh: String,
    /// Why, or why not, in English.
    pub reason_en: String,
    /// Lists and what they were worth, without groups; `None` if no week of the past can be judged.
    pub report: Option<Report>,
}

/// What training and backtest begin with.
struct Material<'a> {
    risk: &'a Risk,
    rows: Rows,
    histories: Vec<History>,
    judged: Judged,
    budget: usize,
}

impl Builder<'_> {
    /// Trains a risk model on all that was over and known before a date, judges it, and keeps it in the lake.
    ///
    /// The same rows and seed make the same bytes.
    ///
    /// # Errors
    /// If there is no such model, nothing to learn from, or an input that knows the outcome.
    pub async fn train_risk(&self, name: &str, as_of_on: i32, seed: u64) -> Result<Trained, Error> {
        let material = self.material(name, as_of_on, seed, false).await?;
        let (risk, rows) = (material.risk, &material.rows);
        let fail = |source| Error::Model { model: risk.name().to_owned(), source };
        let train = warning::split(&material.histories, as_of_on, risk.horizon).train;
        let n_positive = train.iter().filter(|it| it.1).count();
        let features = risk.features();
        let too_little = || Error::Refused {
            path: risk.model.path.clone(),
            message: format!(
                "{n_positive} of {} rows that were over and known by then have the outcome: too little to learn from",
                train.len()
            ),
        };
        self.refuse_leak(risk, rows, &train)?;
        let fitted = fit(risk, rows, &train, material.judged.chosen, seed, as_of_on).map_err(fail)?.ok_or_else(too_little)?;
        let bytes = fitted.model.to_bytes().map_err(fail)?;
        let encode = |it: serde_json::Error| fail(warning::Error::Encode { what: "model", source: Box::new(it) });
        let calibration = serde_json::to_string(&fitted.calibration).map_err(encode)?;
        let reference = Reference::of(rows, &train, features.len()).map_err(fail)?;
        let reference = serde_json::to_string(&reference).map_err(encode)?;
        let mut hasher = blake3::Hasher::new();
        for part in [&bytes[..], calibration.as_bytes(), reference.as_bytes()] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        let hash = hasher.finalize().to_hex().to_string();
        let day = schema::time::days_date(as_of_on).map(|it| it.to_string()).unwrap_or_default();
        let version = format!("{day}.{}", &hash[..8]);
        let kind = word(fitted.kind).to_owned();
        let card = self.card(&material, &version, &fitted.kind, &train, seed);
        let card = Card { recall_vs_visit: self.seen_by_visits(as_of_on).await?, ..card }.to_json().map_err(fail)?;
        let Judged { report, chosen, is_offered, reason_zh, reason_en } = material.judged;
        let new = NewVersion {
            version: version.clone(),
            kind: kind.clone(),
            trained_on: as_of_on,
            n_rows: train.len() as i64,
            n_positive: n_positive as i64,
            budget: material.budget,
            is_offered,
            reason_zh: reason_zh.clone(),
            reason_en: reason_en.clone(),
            card: card.clone(),
            hash: hash.clone(),
            bytes: hex(&bytes),
            calibration,
            reference,
        };
        self.keep_version(risk, &new).await?;
        if let Some(report) = report {
            self.keep_report(risk, as_of_on, word(chosen), report).await?;
        }
        Ok(Trained {
            model: risk.name().to_owned(),
            version,
            kind,
            hash,
            n_rows: train.len(),
            n_positive,
            is_offered,
            reason_zh,
            reason_en,
            card,
        })
    }

    /// Makes the lists of past weeks as they would have been made, and says what they were worth.
    ///
    /// With `is_random` every student has the outcomes of another one: then no list may be worth more than chance, and
    /// nothing is kept.
    ///
    /// # Errors
    /// As [`Builder::train_risk`].
    pub async fn backtest_risk(&self, name: &str, as_of_on: i32, seed: u64, is_random: bool) -> Result<Backtested, Error> {
        let material = self.material(name, as_of_on, seed, is_random).await?;
        let Judged { report, chosen, is_offered, reason_zh, reason_en } = material.judged;
        let report = match report {
            Some(report) if !is_random => Some(self.keep_report(material.risk, as_of_on, word(chosen), report).await?),
            other => other,
        };
        Ok(Backtested {
            model: name.to_owned(),
            judged_on: as_of_on,
            chosen: word(chosen).to_owned(),
            is_offered,
            reason_zh,
            reason_en,
            report,
        })
    }

    /// Keeps a report, its groups apart from it; gives it back without them.
    async fn keep_report(&self, risk: &Risk, judged_on: i32, chosen: &str, mut report: Report) -> Result<Report, Error> {
        let fail = |source| Error::Model { model: risk.name().to_owned(), source };
        let groups = apart(&mut report, chosen);
        let groups = json!(groups).to_string();
        let text = report.to_json().map_err(fail)?;
        self.keep_backtest(risk, judged_on, chosen, &text, &groups).await?;
        Ok(report)
    }

    async fn material(&self, name: &str, as_of_on: i32, seed: u64, is_random: bool) -> Result<Material<'_>, Error> {
        let risks = &self.graph.risks;
        let risk = risks.iter().find(|it| it.name() == name).ok_or_else(|| Error::NoSuchModel {
            model: name.to_owned(),
            hint: nearest(name, risks.iter().map(Risk::name)).map(str::to_owned),
        })?;
        let cohort = risk.cohort();
        let mut tables = vec![cohort.as_str(), "feat_measure", risk.label.name.as_str()];
        tables.extend(risk.model.front.censor_by.as_deref());
        tables.extend(risk.model.front.own_list.as_deref());
        tables.extend(risk.model.front.baselines.iter().filter_map(|it| super::of_table(it)).map(|it| it.0));
        tables.sort_unstable();
        tables.dedup();
        if self.graph.node("warning_candidate").is_some() {
            tables.push("warning_candidate");
        }
        let context = self.stored_context(&tables).await?;
        let rows = self.risk_rows(&context, risk, as_of_on).await?;
        let mut outcomes: Outcomes = self.outcomes_beside_help(&context, risk, as_of_on).await?;
        if is_random {
            outcomes.exchange(&rows, seed);
        }
        let histories: Vec<History> = rows.keys.iter().map(|it| outcomes.history(*it)).collect();
        let budget = self.list_length(risk, as_of_on).await?;
        let terms = Terms { today: as_of_on, seed, budget };
        let judged = self.judge(&context, risk, &rows, &histories, terms).await?;
        Ok(Material { risk, rows, histories, judged, budget })
    }

    /// Refuses an input that alone sorts the outcomes too well to be true: no list of names gives every leak away.
    fn refuse_leak(&self, risk: &Risk, rows: &Rows, train: &[(usize, bool)]) -> Result<(), Error> {
        let fail = |source| Error::Model { model: risk.name().to_owned(), source };
        let (places, labels): (Vec<usize>, Vec<bool>) = train.iter().copied().unzip();
        let matrix = rows.matrix(&risk.features(), &places).map_err(fail)?;
        match warning::suspects(&matrix, &labels, LEAK_AREA, LEAK_N_MIN).first() {
            None => Ok(()),
            Some((input, area)) => Err(Error::Refused {
                path: risk.model.path.clone(),
                message: format!(
                    "input \"{input}\" alone tells the outcome almost surely (area under the curve {area:.3}): \
                     it knows what was not known on its date. Look at known_at of its sources, or take it out"
                ),
            }),
        }
    }

    fn card(&self, material: &Material<'_>, version: &str, kind: &warning::Kind, train: &[(usize, bool)], seed: u64) -> Card {
        let Material { risk, rows, judged, .. } = material;
        let days = train.iter().map(|it| rows.keys[it.0].as_of_on);
        let test: Vec<i32> = judged.report.as_ref().map(|it| it.days.clone()).unwrap_or_default();
        let node = |name: &str| self.graph.node(name).map(|it| self.fingerprint(it)).unwrap_or_default();
        let sql = format!("{} {} {}", node("feat_measure"), node(&risk.cohort()), node(&risk.label.name));
        let inputs = risk.inputs.iter().map(|it| {
            let (zh, en, unit) = self.input_words(it);
            (it.name.clone(), format!("{zh} / {en} ({unit})"))
        });
        let front = &risk.model.front;
        let text = |it: &Option<String>| it.clone().unwrap_or_default();
        let candidates: Vec<&str> = risk.kinds().into_iter().map(word).collect();
        let card = Card {
            model_id: format!("{}/{version}", risk.name()),
            what: format!("{} / {}", text(&front.title_zh), text(&front.title_en)),
            kind: *kind,
            label: risk.label.name.clone(),
            label_meaning: risk.label.front.about.clone(),
            horizon_days: risk.horizon.days,
            inputs: inputs.collect(),
            cohort: format!("{} / {}", front.said_zh(), front.about),
            dates: Dates {
                train_from_on: days.clone().min().unwrap_or_default(),
                train_to_on: days.max().unwrap_or_default(),
                test_from_on: test.first().copied(),
                test_to_on: test.last().copied(),
            },
            n_rows: train.len() as u64,
            n_positive: train.iter().filter(|it| it.1).count() as u64,
            seed,
            sql_fingerprint: blake3::hash(sql.as_bytes()).to_hex()[..32].to_owned(),
            metrics: BTreeMap::new(),
            calibration: None,
            groups: BTreeMap::new(),
            recall_vs_visit: SeenByVisits::NoVisits,
            is_offered: false,
            decision: judged.reason_en.clone(),
            limits: vec![
                format!("{} / {}", text(&front.caveat_zh), text(&front.caveat_en)),
                format!(
                    "候选模型 {} 在同一批周上比较并择优，选中者的数字因此略偏乐观。 / {} competed on the same weeks: the figures of the one chosen are a little too kind.",
                    candidates.join("、"),
                    candidates.join(", ")
                ),
                "只对名单按人力排序，不作评价，不作处分、评奖评优、资助取消的依据。 / It orders a list by what people have hours for; it is no judgement, and no ground for sanctions, awards or the end of support.".to_owned(),
                "没有记录不等于没有发生；以往受过帮助的学生，其结果已被改变。 / What is not recorded may have happened all the same; help that was given in the past has changed its outcomes.".to_owned(),
            ],
        };
        let card = match &judged.report {
            Some(report) => card.judged_by(report, word(judged.chosen)),
            None => card,
        };
        // Groups are for auditors: they stand beside the report, not on the card.
        Card { groups: BTreeMap::new(), ..card }
    }
}

/// Takes the groups out of a report: those of the chosen candidate.
fn apart(report: &mut Report, chosen: &str) -> BTreeMap<String, Vec<GroupRate>> {
    let mut groups = BTreeMap::new();
    for it in &mut report.candidates {
        let own = std::mem::take(&mut it.groups);
        if it.name == chosen {
            groups = own;
        }
    }
    groups
}
