//! Talks of the demonstration: offers are followed up week by week by a service that knows the planted truth, and errs.
//!
//! What came of offers weighs the rules and shows whether following them up helped, and both need outcomes that were known
//! in time. So the demonstration is lived through a week at a time: offers, talks within the week, the next offers.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use anyhow::Context;
use casework::{Act, Code, Command, DAY_US, How, Kind, LabelScheme, Outcome, Reached, Relation, Role, Severity};
use chrono::NaiveDate;
use simulate::Manifest;
use store::{Edit, Page, Who};

use crate::house::House;

/// Who talks; no login of a role of its own.
const ACCOUNT: &str = "talks";
/// Share of students who are reached within the week; the others' cases stay open.
const REACHED: f64 = 0.85;
/// How often a reason is recognised where there is one, and seen where there is none.
const RECOGNISED: f64 = 0.85;
const MISTAKEN: f64 = 0.08;
/// Days after the offer on which the talk takes place, and after a planted reason in which it can still be told of.
const TALK_DAY: i64 = 3;
const TOLD_DAYS: i64 = 14;

/// The planted reasons by number of the student: first and last day.
pub(crate) struct Truth {
    reasons: HashMap<String, Vec<(NaiveDate, NaiveDate)>>,
    /// Numbers in the order of the register.
    numbers: Vec<String>,
}

impl Truth {
    /// Reads what the simulator sealed beside its exports.
    pub(crate) fn read(exports: &Path) -> anyhow::Result<Self> {
        let read = |name: &str| {
            let path = exports.join("truth").join(name);
            std::fs::read_to_string(&path).with_context(|| format!("could not read {}", path.display()))
        };
        let manifest: Manifest = serde_json::from_str(&read("manifest.json")?)?;
        let numbers = read("students.csv")?.lines().skip(1).filter_map(|it| Some(it.split(',').next()?.to_owned())).collect();
        let planted = manifest.planted;
        let mut reasons: HashMap<String, Vec<(NaiveDate, NaiveDate)>> = HashMap::new();
        for it in planted.weak_state.iter().chain(&planted.spending_drop).chain(&planted.spending_drop_other) {
            reasons.entry(it.student.clone()).or_default().push((it.from.parse()?, it.to.parse()?));
        }
        for it in &planted.overnight_absence {
            let night = it.date.parse()?;
            reasons.entry(it.student.clone()).or_default().push((night, night));
        }
        Ok(Self { reasons, numbers })
    }

    /// Whether a student has a reason on a day, or had one that can still be told of.
    fn has_reason(&self, number: &str, on: NaiveDate) -> bool {
        let told = |it: &(NaiveDate, NaiveDate)| it.0 <= on && (on - it.1).num_days() <= TOLD_DAYS;
        self.reasons.get(number).is_some_and(|it| it.iter().any(told))
    }
}

/// Follows up the open cases of the week: most students are reached, and what is found is mostly what was planted.
pub(crate) async fn talk(house: &House, truth: &Truth, students: &[i64], on: NaiveDate) -> anyhow::Result<usize> {
    let number_of: HashMap<i64, &str> = students.iter().copied().zip(truth.numbers.iter().map(String::as_str)).collect();
    let (cases, now_us) = (house.store.cases(), house.now_us() + TALK_DAY * DAY_US);
    cases.assign(Relation::Counselor, ACCOUNT, students, house.now_us()).await?;
    let rules = crate::working_days::rules(house).await?;
    let who = Who { account: ACCOUNT.to_owned(), role: Role::Counselor };
    let (mut after, mut closed, mut seen) = (None, 0, HashSet::new());
    loop {
        let rows = cases.queue(&who, Page { after, limit: 500 }, &LabelScheme::default(), now_us).await?;
        let Some(last) = rows.last() else { return Ok(closed) };
        after = Some(last.position());
        for row in rows.iter().filter(|it| it.kind != Kind::Safety) {
            let Some(number) = number_of.get(&row.student_key).filter(|_| seen.insert(row.thread_key)) else { continue };
            let [reached, heard] = draws(row.thread_key);
            // Whoever was not reached in the first week is not tried again: a service has hours for so many.
            if row.owner.is_some() || REACHED <= reached {
                continue;
            }
            let is_heard = heard < if truth.has_reason(number, on) { RECOGNISED } else { MISTAKEN };
            let outcome = if is_heard { Outcome::NeededSupport } else { Outcome::NoSupportNeeded };
            let mut version = row.version;
            for act in [
                Act::Claim {},
                Act::Contact { reached: Reached::InPerson },
                Act::Assess { severity: Severity::Attention },
                Act::Plan {},
                Act::Review { is_quiet: true },
                Act::Close { outcome, reached: Reached::InPerson, how: How::Single },
            ] {
                let command = Command { act, reason: Code::new("demo_talk")? };
                let edit = Edit { thread_key: row.thread_key, seen_version: version, command: &command, note: None };
                version = cases.execute(edit, &who, &rules, now_us).await?.version;
            }
            closed += 1;
        }
    }
}

/// Two numbers in `[0, 1)` that follow from a case.
fn draws(thread_key: i64) -> [f64; 2] {
    [1_u64, 2].map(|of| {
        let it = (thread_key.cast_unsigned() ^ of << 56).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let it = (it ^ (it >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let it = (it ^ (it >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((it ^ (it >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    })
}
