//! What a model would have been worth, week by week, against what needs no model.
//!
//! All candidates rank the same rows under the same budget: models, single rules, and the rate of the floor a student
//! lives on. A model is offered only if its lists held more students with the outcome than those of the best rule and of
//! the floor, by more than chance. Scores come from outside, made with what was known on each day.

use std::collections::{BTreeMap, BTreeSet};

use rand::Rng;
use rand::RngCore;
use serde::{Deserialize, Serialize};

use crate::audit::{self, Decision, GroupRate};
use crate::drift::FeatureDrift;
use crate::error::Error;
use crate::interval::{Estimate, percentiles};
use crate::matrix::RowKey;
use crate::metrics::{AtK, Calibration, LeadTimes, auroc, calibration, lead_times, ratio, top_k};
use crate::model::random;

/// A row that every candidate ranks: a student of the risk set as of one of the weekly days.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Who, as of when.
    pub key: RowKey,
    /// The event came inside the horizon.
    pub label: bool,
    /// Day of the student's event, if there ever was one; also outside the horizon.
    pub event_on: Option<i32>,
    /// Groups for the audit, by attribute, such as `("grade", "2025")`.
    pub groups: Vec<(String, String)>,
}

/// Who made a ranking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A risk model: to be judged.
    Model,
    /// A single rule, such as "no trace last week".
    Rule,
    /// Rate of the student's floor (or class): help for a place instead of a person.
    Floor,
    /// The order that a counselor would take without the system: those most spoken with lately. It is told beside the
    /// others and decides nothing, for who is spoken with was found by somebody already.
    OwnList,
}

/// One ranking of all rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Its name in the report.
    pub name: String,
    /// Who made it.
    pub role: Role,
    /// One a row; `None` is never listed, as a rule that does not fire.
    pub scores: Vec<Option<f64>>,
    /// One a row if the candidate claims probabilities, else empty.
    pub probabilities: Vec<f64>,
    /// How far its inputs have moved, if it has inputs.
    pub drift: Vec<FeatureDrift>,
}

/// What can be set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Students on the list of one day.
    pub budget: usize,
    /// Resamples of every interval, 1,000 is usual.
    pub resamples: usize,
    /// Breaks ties, draws the resamples.
    pub seed: u64,
}

/// What one candidate was worth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Worth {
    /// Its name.
    pub name: String,
    /// Who made it.
    pub role: Role,
    /// Counts over all days.
    pub at_k: AtK,
    /// Share of the listed with the outcome.
    pub precision: Option<f64>,
    /// Share of those with the outcome who were listed.
    pub recall: Option<f64>,
    /// Precision over the base rate, which is what random lists have on average.
    pub lift_over_random: Option<f64>,
    /// Precision over that of the best rule.
    pub lift_over_best_rule: Option<f64>,
    /// Precision over that of the floor's rate.
    pub lift_over_floor: Option<f64>,
    /// Precision over that of the counselors' own order, where contacts are recorded.
    #[serde(default)]
    pub lift_over_own_list: Option<f64>,
    /// Area under the curve, days pooled; rows without a score stand last.
    pub auroc: Option<f64>,
    /// From the first list that spoke of an event to the event.
    pub lead_times: LeadTimes,
    /// Of its probabilities, if it claims any.
    pub calibration: Option<Calibration>,
    /// How far its inputs have moved.
    pub drift: Vec<FeatureDrift>,
    /// By attribute, for models only.
    pub groups: BTreeMap<String, Vec<GroupRate>>,
    /// The lists one by one, days ascending.
    pub weeks: Vec<Week>,
}

/// The list of one day.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Week {
    /// Days since 1970-01-01.
    pub as_of_on: i32,
    /// Its counts.
    pub at_k: AtK,
}

/// Whether a model may be offered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decided {
    /// The model.
    pub name: String,
    /// It may.
    pub is_offered: bool,
    /// Why, in words.
    pub reason: String,
    /// Hits a day more than the best rule, with the 95 % interval.
    pub over_best_rule: Option<Estimate>,
    /// Hits a day more than the floor's rate, with the 95 % interval.
    pub over_floor: Option<Estimate>,
    /// Hits a day more than the counselors' own order, with the 95 % interval; no condition.
    #[serde(default)]
    pub over_own_list: Option<Estimate>,
}

/// What all candidates were worth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Days that were walked, ascending.
    pub days: Vec<i32>,
    /// Students on the list of one day.
    pub budget: u64,
    /// Rows in all.
    pub n_rows: u64,
    /// Rows with the outcome.
    pub n_positive: u64,
    /// One a candidate, in the order given.
    pub candidates: Vec<Worth>,
    /// The rule with the most hits.
    pub best_rule: Option<String>,
    /// One a model, in the order given.
    pub decisions: Vec<Decided>,
    /// Seed of ties and resamples.
    pub seed: u64,
}

impl Report {
    /// Writes the report as JSON; the same report makes the same text.
    ///
    /// # Errors
    /// If the encoder gives up.
    pub fn to_json(&self) -> Result<String, Error> {
        serde_json::to_string_pretty(self).map_err(|source| Error::Encode { what: "backtest report", source: Box::new(source) })
    }
}

/// Walks the days and judges every candidate.
///
/// # Shape
/// `rows`: the risk set of every day, in any order, each student once a day.
///
/// # Errors
/// If a candidate has not one score a row, a row stands twice, or a setting is 0.
pub fn backtest(rows: &[Row], candidates: &[Candidate], config: &Config) -> Result<Report, Error> {
    expect(rows, candidates, config)?;
    let labels: Vec<bool> = rows.iter().map(|it| it.label).collect();
    let tie_break: Vec<u64> = rows.iter().map(|it| ticket(it.key, config.seed)).collect();
    let mut days: BTreeMap<i32, Vec<usize>> = BTreeMap::new();
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_key(|row| rows[*row].key);
    for row in order {
        days.entry(rows[row].key.as_of_on).or_default().push(row);
    }

    let lists: Vec<Vec<usize>> = candidates
        .iter()
        .map(|candidate| {
            let on_day = |day: &Vec<usize>| -> Vec<usize> {
                let scores: Vec<f64> = day.iter().map(|row| candidate.scores[*row].unwrap_or(f64::NAN)).collect();
                let tickets: Vec<u64> = day.iter().map(|row| tie_break[*row]).collect();
                top_k(&scores, &tickets, config.budget).into_iter().map(|at| day[at]).collect()
            };
            days.values().flat_map(on_day).collect()
        })
        .collect();
    let worth: Vec<AtK> = lists.iter().map(|list| AtK::of(list, &labels)).collect();
    let best = |role: Role| {
        let of_role = (0..candidates.len()).filter(|it| candidates[*it].role == role);
        // Of equal ones the first given, so that the order of candidates and nothing else decides.
        of_role.rev().max_by_key(|it| worth[*it].n_hits)
    };
    let (best_rule, best_floor, own_list) = (best(Role::Rule), best(Role::Floor), best(Role::OwnList));
    let precision_of = |at: Option<usize>| at.and_then(|it| worth[it].precision());

    let mut answers = Vec::with_capacity(candidates.len());
    for ((candidate, list), at_k) in candidates.iter().zip(&lists).zip(&worth) {
        let over = |other: Option<usize>| at_k.precision().zip(precision_of(other)).and_then(|(a, b)| ratio(a, b));
        let last: Vec<f64> = candidate.scores.iter().map(|it| it.unwrap_or(f64::NEG_INFINITY)).collect();
        let groups = match candidate.role {
            Role::Model => audits(rows, list, config)?,
            Role::Rule | Role::Floor | Role::OwnList => BTreeMap::new(),
        };
        answers.push(Worth {
            name: candidate.name.clone(),
            role: candidate.role,
            at_k: *at_k,
            precision: at_k.precision(),
            recall: at_k.recall(),
            lift_over_random: at_k.lift(),
            lift_over_best_rule: over(best_rule),
            lift_over_floor: over(best_floor),
            lift_over_own_list: over(own_list),
            auroc: auroc(&last, &labels),
            lead_times: leads(rows, list),
            calibration: if candidate.probabilities.is_empty() { None } else { calibration(&candidate.probabilities, &labels) },
            drift: candidate.drift.clone(),
            groups,
            weeks: weeks(rows, &days, list, &labels),
        });
    }
    let decisions = (0..candidates.len())
        .filter(|it| candidates[*it].role == Role::Model)
        .map(|it| {
            let over = |other: Option<usize>| other.map(|other| more_hits(rows, &lists[it], &lists[other], days.len(), config));
            let (rule, floor) = (over(best_rule), over(best_floor));
            let decided = decide(&candidates[it].name, best_rule.map(|it| candidates[it].name.as_str()), rule, floor);
            Decided { over_own_list: over(own_list), ..decided }
        })
        .collect();
    Ok(Report {
        days: days.keys().copied().collect(),
        budget: config.budget as u64,
        n_rows: rows.len() as u64,
        n_positive: labels.iter().filter(|it| **it).count() as u64,
        candidates: answers,
        best_rule: best_rule.map(|it| candidates[it].name.clone()),
        decisions,
        seed: config.seed,
    })
}

fn expect(rows: &[Row], candidates: &[Candidate], config: &Config) -> Result<(), Error> {
    for (setting, value) in [("budget", config.budget), ("resamples", config.resamples)] {
        if value == 0 {
            return Err(Error::Setting { setting, value: value.to_string(), allowed: "at least 1" });
        }
    }
    let mut keys = BTreeSet::new();
    if let Some(row) = rows.iter().find(|it| !keys.insert(it.key)) {
        return Err(Error::DuplicateRow { student_key: row.key.student_key, as_of_on: row.key.as_of_on });
    }
    for it in candidates {
        if it.scores.len() != rows.len() {
            return Err(Error::Length { what: "scores, one a row", expected: rows.len(), found: it.scores.len() });
        }
        if !it.probabilities.is_empty() && it.probabilities.len() != rows.len() {
            let found = it.probabilities.len();
            return Err(Error::Length { what: "probabilities, one a row", expected: rows.len(), found });
        }
    }
    Ok(())
}

/// A number of the row that is random between rows and the same for every candidate.
fn ticket(key: RowKey, seed: u64) -> u64 {
    random(seed ^ (key.student_key as u64), key.as_of_on as u64).next_u64()
}

/// Event by event, the first day the student was on a list that spoke of it: one whose horizon holds the event, or one made
/// when it had come already, which is no early word. What comes again is an event of its own: a list of last term was of
/// last term's.
fn leads(rows: &[Row], list: &[usize]) -> LeadTimes {
    let spoken_of = |it: &Row| {
        let event_on = it.event_on?;
        (it.label || event_on <= it.key.as_of_on).then_some((it.key.student_key, event_on))
    };
    let mut first: BTreeMap<(i64, i32), i32> = BTreeMap::new();
    for row in list.iter().map(|it| &rows[*it]) {
        if let Some(event) = spoken_of(row) {
            let as_of_on = row.key.as_of_on;
            first.entry(event).and_modify(|it| *it = as_of_on.min(*it)).or_insert(as_of_on);
        }
    }
    let events: BTreeSet<(i64, i32)> = rows.iter().filter_map(spoken_of).collect();
    let events: Vec<(i32, Option<i32>)> = events.into_iter().map(|event| (event.1, first.get(&event).copied())).collect();
    lead_times(&events)
}

/// The list of each day, and what stood behind it.
fn weeks(rows: &[Row], days: &BTreeMap<i32, Vec<usize>>, list: &[usize], labels: &[bool]) -> Vec<Week> {
    let on = |day: i32, of: &[usize]| of.iter().copied().filter(|row| rows[*row].key.as_of_on == day).collect::<Vec<_>>();
    let count = |of: &[usize]| of.iter().filter(|row| labels[**row]).count() as u64;
    let week = |(day, all): (&i32, &Vec<usize>)| {
        let listed = on(*day, list);
        let at_k =
            AtK { n_listed: listed.len() as u64, n_hits: count(&listed), n_positive: count(all), n_rows: all.len() as u64 };
        Week { as_of_on: *day, at_k }
    };
    days.iter().map(week).collect()
}

fn audits(rows: &[Row], list: &[usize], config: &Config) -> Result<BTreeMap<String, Vec<GroupRate>>, Error> {
    let listed: BTreeSet<usize> = list.iter().copied().collect();
    let mut by_attribute: BTreeMap<&str, Vec<Decision>> = BTreeMap::new();
    for (at, row) in rows.iter().enumerate() {
        for (attribute, group) in &row.groups {
            by_attribute.entry(attribute).or_default().push(Decision {
                student_key: row.key.student_key,
                group: group.clone(),
                is_listed: listed.contains(&at),
                label: row.label,
            });
        }
    }
    let mut answers = BTreeMap::new();
    for (attribute, decisions) in by_attribute {
        answers.insert(attribute.to_owned(), audit::audit(&decisions, config.resamples, config.seed)?);
    }
    Ok(answers)
}

/// Hits a day that one list has more than another; students are resampled, because their weeks are alike.
fn more_hits(rows: &[Row], one: &[usize], other: &[usize], n_days: usize, config: &Config) -> Estimate {
    let mut by_student: BTreeMap<i64, i64> = rows.iter().map(|it| (it.key.student_key, 0)).collect();
    for (list, sign) in [(one, 1), (other, -1)] {
        for row in list.iter().filter(|row| rows[**row].label) {
            *by_student.entry(rows[*row].key.student_key).or_default() += sign;
        }
    }
    let more: Vec<i64> = by_student.into_values().collect();
    let a_day = |sum: i64| sum as f64 / n_days as f64;
    let mut random = random(config.seed, 1);
    let mut draws: Vec<f64> =
        (0..config.resamples).map(|_| a_day((0..more.len()).map(|_| more[random.gen_range(0..more.len())]).sum())).collect();
    let value = a_day(more.iter().sum());
    let (low, high) = percentiles(&mut draws, 0.05).unwrap_or((value, value));
    Estimate { value, low, high }
}

impl Decided {
    /// Why a model is offered or not, in Chinese and in English; `best_rule` as people call it.
    pub fn words(&self, best_rule: Option<&(String, String)>) -> (String, String) {
        let rule = best_rule.map_or_else(
            || ("最好的单条规则".to_owned(), "the best rule".to_owned()),
            |(zh, en)| (format!("最好的单条规则（{zh}）"), format!("the best rule ({en})")),
        );
        let place = ("按地点（楼层、课程）的发生率".to_owned(), "what places alone say (floors, courses)".to_owned());
        let part = |(of, over): ((String, String), Option<Estimate>)| match over {
            None => (format!("没有可与之比较的{}", of.0), format!("there is nothing to compare with for {}", of.1)),
            Some(it) => {
                let (value, low, high) = (it.value, it.low, it.high);
                if low <= 0.0 {
                    (
                        format!("与{}相比的差别不能排除偶然（每周 {value:+.2} 人，95% 区间 {low:+.2} 至 {high:+.2}）", of.0),
                        format!(
                            "it does not beat {} by more than chance ({value:+.2} students a week, 95 % from {low:+.2} to {high:+.2})",
                            of.1
                        ),
                    )
                } else {
                    (
                        format!("比{}每周多 {value:+.2} 人（95% 区间 {low:+.2} 至 {high:+.2}）", of.0),
                        format!("{value:+.2} students a week over {} (95 % from {low:+.2} to {high:+.2})", of.1),
                    )
                }
            }
        };
        let parts: Vec<(String, String)> =
            [(rule, self.over_best_rule), (place, self.over_floor)].into_iter().map(part).collect();
        let (zh, en): (Vec<String>, Vec<String>) = parts.into_iter().unzip();
        let verdict = if self.is_offered { ("可用于提示", "offered") } else { ("暂不用于提示", "not offered") };
        (format!("{}：{}。", verdict.0, zh.join("；")), format!("{}: {}", verdict.1, en.join("; ")))
    }
}

fn decide(name: &str, best_rule: Option<&str>, rule: Option<Estimate>, floor: Option<Estimate>) -> Decided {
    let rule_name = best_rule.map_or_else(|| "the best rule".to_owned(), |it| format!("the best rule (\"{it}\")"));
    let mut failures = Vec::new();
    let mut gains = Vec::new();
    for (what, over) in [(rule_name, rule), ("floor targeting".to_owned(), floor)] {
        match over {
            // What was not compared was not beaten.
            None => failures.push(format!("there is nothing to compare with for {what}")),
            Some(it) if it.low <= 0.0 => failures.push(format!(
                "it does not beat {what} by more than chance ({:+.2} hits a day, 95 % from {:+.2} to {:+.2})",
                it.value, it.low, it.high
            )),
            Some(it) => {
                gains.push(format!("{:+.2} hits a day over {what} (95 % from {:+.2} to {:+.2})", it.value, it.low, it.high))
            }
        }
    }
    let is_offered = failures.is_empty();
    let reason =
        if is_offered { format!("offered: {}", gains.join(", ")) } else { format!("not offered: {}", failures.join("; ")) };
    Decided { name: name.to_owned(), is_offered, reason, over_best_rule: rule, over_floor: floor, over_own_list: None }
}

/// Returns the rate of each row's floor among earlier rows whose label was known: the ranking of baseline (d).
///
/// # Shape
/// `floors`: one a row. `known_on`: per row the day from the end of which its label was known, [`crate::Horizon::known_on`].
/// Out: one a row; a floor without history has the rate of all floors, and without any history nobody is ranked.
pub fn floor_scores(rows: &[Row], floors: &[i64], known_on: impl Fn(i32) -> i32) -> Vec<Option<f64>> {
    let days: BTreeSet<i32> = rows.iter().map(|it| it.key.as_of_on).collect();
    let mut scores = vec![None; rows.len()];
    for day in days {
        let mut by_floor: BTreeMap<i64, (u64, u64)> = BTreeMap::new();
        let mut all = (0, 0);
        for (row, floor) in rows.iter().zip(floors).filter(|(row, _)| known_on(row.key.as_of_on) < day) {
            for counts in [by_floor.entry(*floor).or_default(), &mut all] {
                counts.0 += u64::from(row.label);
                counts.1 += 1;
            }
        }
        let rate = |it: (u64, u64)| ratio(it.0 as f64, it.1 as f64);
        for (at, row) in rows.iter().enumerate().filter(|(_, row)| row.key.as_of_on == day) {
            debug_assert_eq!(row.key.as_of_on, day);
            scores[at] = by_floor.get(&floors[at]).copied().and_then(rate).or_else(|| rate(all));
        }
    }
    scores
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEEKS: i32 = 6;
    const STUDENTS: i64 = 200;

    /// Every tenth student has an event in the seventh week, and labels look far enough ahead to see it.
    fn rows() -> Vec<Row> {
        (0..WEEKS)
            .flat_map(|week| {
                (0..STUDENTS).map(move |student_key| {
                    let label = student_key % 10 == 0;
                    Row {
                        key: RowKey { as_of_on: week * 7, student_key },
                        label,
                        event_on: label.then_some(WEEKS * 7),
                        groups: vec![("grade".to_owned(), format!("{}", student_key % 2))],
                    }
                })
            })
            .collect()
    }

    fn candidate(name: &str, role: Role, rows: &[Row], score: impl Fn(&Row) -> Option<f64>) -> Candidate {
        let scores = rows.iter().map(score).collect();
        Candidate { name: name.to_owned(), role, scores, probabilities: Vec::new(), drift: Vec::new() }
    }

    #[test]
    fn why_a_model_is_offered_is_said_in_two_languages_and_by_no_identifier() {
        let over = |low: f64| Some(Estimate { value: 0.5, low, high: 1.0 });
        let best = ("绩点偏低".to_owned(), "low GPA".to_owned());
        let said = |rule, floor| {
            let decided = decide("boost", Some("low:gpa"), rule, floor);
            assert_eq!(decided.words(Some(&best)).0.starts_with("可用于提示："), decided.is_offered);
            decided.words(Some(&best))
        };
        let (zh, en) = said(over(0.1), over(0.2));
        assert!(
            zh.contains("比最好的单条规则（绩点偏低）每周多 +0.50 人") && en.contains("over the best rule (low GPA)"),
            "{zh} {en}"
        );
        let (zh, en) = said(over(-0.1), None);
        assert!(zh.contains("不能排除偶然") && zh.contains("没有可与之比较的按地点"), "{zh}");
        assert!(en.starts_with("not offered: it does not beat the best rule (low GPA) by more than chance"), "{en}");
        for text in [zh, en] {
            assert!(!text.contains("low:gpa"), "{text}");
            assert!(schema::forbidden(&text).is_empty(), "{text}");
        }
        assert!(decide("boost", None, None, None).words(None).0.contains("没有可与之比较的最好的单条规则"));
    }

    const CONFIG: Config = Config { budget: 20, resamples: 200, seed: 1 };

    fn seer(row: &Row) -> Option<f64> {
        Some(f64::from(u8::from(row.label)) + (row.key.student_key % 7) as f64 / 100.0)
    }

    fn rule(row: &Row) -> Option<f64> {
        (row.key.student_key % 20 < 3).then_some(1.0)
    }

    fn floor(row: &Row) -> Option<f64> {
        Some((row.key.student_key / 20) as f64)
    }

    #[test]
    fn a_model_that_sees_more_than_rule_and_floor_is_offered() {
        let rows = rows();
        let candidates = [
            candidate("seer", Role::Model, &rows, seer),
            candidate("silence", Role::Rule, &rows, rule),
            candidate("floor", Role::Floor, &rows, floor),
        ];
        let report = backtest(&rows, &candidates, &CONFIG).unwrap();
        let it = &report.candidates[0];
        assert_eq!((it.precision, it.recall, it.lift_over_random, it.auroc), (Some(1.0), Some(1.0), Some(10.0), Some(1.0)));
        assert_eq!((it.lead_times.median_days, it.lead_times.share_week), (Some(42.0), Some(1.0)));
        assert!(it.lift_over_floor.unwrap() > 1.0 && it.lift_over_best_rule.unwrap() > 1.0);
        assert_eq!(it.groups["grade"].len(), 8);
        assert_eq!(report.best_rule.as_deref(), Some("silence"));
        assert!(report.decisions[0].is_offered, "{}", report.decisions[0].reason);
        assert_eq!((report.days.len(), report.n_rows, report.n_positive), (6, 1200, 120));
    }

    #[test]
    fn what_comes_again_is_an_event_of_its_own_with_a_lead_of_its_own() {
        // Of the first student events on days 14 and 42, of the second one on day 42; a list speaks of the next seven days.
        let row = |student_key: i64, as_of_on: i32, event_on: Option<i32>| Row {
            key: RowKey { as_of_on, student_key },
            label: event_on.is_some_and(|it| (1..=7).contains(&(it - as_of_on))),
            event_on,
            groups: Vec::new(),
        };
        let next = |day: i32| Some(if day < 14 { 14 } else { 42 });
        let mut rows: Vec<Row> = (0..6).map(|week| row(1, week * 7, next(week * 7))).collect();
        rows.extend((0..6).map(|week| row(2, week * 7, Some(42))));
        rows.extend([row(3, 0, None), row(4, 21, Some(19)), row(5, 0, Some(300))]);
        // Listed: the first student too early, in time, after the event and in time again; the third for nothing, the fourth
        // too late, the fifth long before an event of which no list spoke.
        let told = leads(&rows, &[0, 1, 2, 5, 12, 13, 14]);
        assert_eq!((told.n_events, told.n_warned, told.days), (4, 2, vec![0, 7, 7]));
    }

    #[track_caller]
    fn check_refused(candidates: &[Candidate], words: &str) {
        let report = backtest(&rows(), candidates, &CONFIG).unwrap();
        assert!(!report.decisions[0].is_offered);
        assert!(report.decisions[0].reason.contains(words), "{}", report.decisions[0].reason);
    }

    #[test]
    fn a_model_no_better_than_the_rule_or_without_a_rival_is_not_offered() {
        let rows = rows();
        let rule = candidate("silence", Role::Rule, &rows, seer);
        let floor = candidate("floor", Role::Floor, &rows, floor);
        let model = candidate("twin", Role::Model, &rows, seer);
        check_refused(&[model.clone(), rule.clone(), floor.clone()], "does not beat the best rule (\"silence\")");
        let strong_floor = candidate("floor", Role::Floor, &rows, seer);
        check_refused(&[model.clone(), candidate("weak", Role::Rule, &rows, |_| Some(0.0)), strong_floor], "floor targeting");
        check_refused(&[model.clone(), rule], "nothing to compare with for floor targeting");
        check_refused(&[model, floor], "nothing to compare with for the best rule");
    }

    #[test]
    fn random_scores_have_the_base_rate_and_are_not_offered() {
        let rows = rows();
        let candidates = [
            candidate("dice", Role::Model, &rows, |row| Some((ticket(row.key, 99) % 1000) as f64)),
            candidate("none", Role::Rule, &rows, |_| Some(0.0)),
            candidate("floor", Role::Floor, &rows, |_| Some(0.0)),
        ];
        let report = backtest(&rows, &candidates, &CONFIG).unwrap();
        let precision = report.candidates[0].precision.unwrap();
        assert!((0.0..0.25).contains(&precision), "{precision}");
        assert!(!report.decisions[0].is_offered);
    }

    #[test]
    fn a_rule_that_does_not_fire_lists_nobody_and_no_list_is_over_budget() {
        let rows = rows();
        let candidates = [candidate("quiet", Role::Rule, &rows, |_| None), candidate("loud", Role::Rule, &rows, |_| Some(1.0))];
        let report = backtest(&rows, &candidates, &CONFIG).unwrap();
        assert_eq!((report.candidates[0].at_k.n_listed, report.candidates[0].precision), (0, None));
        assert_eq!(report.candidates[1].at_k.n_listed, 120);
    }

    #[test]
    fn the_order_of_rows_changes_nothing() {
        let forward = rows();
        let mut backward = rows();
        backward.reverse();
        let report = |rows: &[Row]| {
            let candidates = [
                candidate("seer", Role::Model, rows, |row| Some((row.key.student_key % 5) as f64)),
                candidate("rule", Role::Rule, rows, rule),
                candidate("floor", Role::Floor, rows, floor),
            ];
            backtest(rows, &candidates, &CONFIG).unwrap().to_json().unwrap()
        };
        assert!(report(&forward) == report(&backward));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let rows = rows();
        let mut short = candidate("short", Role::Model, &rows, seer);
        short.scores.pop();
        assert!(matches!(backtest(&rows, &[short], &CONFIG), Err(Error::Length { .. })));
        let twice = [rows[0].clone(), rows[0].clone()];
        assert!(matches!(backtest(&twice, &[], &CONFIG), Err(Error::DuplicateRow { .. })));
        assert!(matches!(backtest(&rows, &[], &Config { budget: 0, ..CONFIG }), Err(Error::Setting { .. })));
    }

    #[test]
    fn the_rate_of_a_floor_uses_only_labels_that_were_known() {
        let row = |as_of_on, student_key, label| Row {
            key: RowKey { as_of_on, student_key },
            label,
            event_on: None,
            groups: Vec::new(),
        };
        let rows = [row(0, 1, true), row(0, 2, false), row(0, 3, false), row(7, 1, true), row(30, 1, false), row(30, 4, false)];
        let floors = [10, 10, 20, 10, 10, 30];
        // Known from the end of day as_of + 20: on day 30 only the rows of day 0 and 7 teach.
        let scores = floor_scores(&rows, &floors, |as_of_on| as_of_on + 20);
        assert_eq!(scores, [None, None, None, None, Some(2.0 / 3.0), Some(0.5)]);
    }
}
