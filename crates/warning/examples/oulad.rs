//! At-risk students of the OULAD data at weeks 2, 4, 6 and 8, in several cohorts, by our boosting model.
//!
//! `oulad FOLDER [--rows FOLDER]`: reads the data from the first folder, prints one JSON object, and writes the rows, folds
//! and our scores to the second, so that a peer can work on exactly the same ones (`benches/oulad.py`). One
//! configuration for every cell, fixed beforehand: nothing is tuned.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::Path;
use std::time::Instant;

use flate2::read::GzDecoder;
use ndarray::Array2;
use warning::metrics::auroc;
use warning::{Boost, Matrix, RiskModel, RowKey};

type Result<T> = std::result::Result<T, Box<dyn Error>>;
/// Course, presentation, student.
type Enrolment = (String, String, i64);

const WEEKS: [i32; 4] = [2, 4, 6, 8];
const FOLDS: u64 = 5;
const FUTURE: &str = "2014J";
/// Columns of the weekly features; they are per student, not per enrolment, and add up later presentations too.
const WEEKLY: [&str; 8] = [
    "total_clicks",
    "avg_daily_clicks",
    "std_clicks",
    "active_days",
    "interactions",
    "assess_mean",
    "assess_max",
    "assess_count",
];

/// Which rows, and which inputs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cohort {
    /// Rows and inputs of the published model.
    Published,
    /// The same rows, and which course it is, and the weeks before.
    PublishedWithCourse,
    /// The same rows, and what the registry and the assessments of this enrolment said by then.
    PublishedWithRegistry,
    /// Outcome not yet known, no sensitive inputs, and nothing that only a later presentation could tell.
    RiskSet,
}

const COHORTS: [(&str, Cohort); 4] = [
    ("published_cohort", Cohort::Published),
    ("published_cohort_with_course", Cohort::PublishedWithCourse),
    ("published_cohort_with_registry", Cohort::PublishedWithRegistry),
    ("risk_set", Cohort::RiskSet),
];

/// An assessment that was handed in.
struct HandedIn {
    on: i32,
    due_on: Option<i32>,
    score: f64,
    weight: f64,
    is_banked: bool,
}

struct Tables {
    info: Vec<HashMap<String, String>>,
    registered: HashMap<Enrolment, (Option<i32>, Option<i32>)>,
    weekly: BTreeMap<i32, HashMap<i64, [f64; 8]>>,
    assessed: HashMap<Enrolment, Vec<HandedIn>>,
    /// Days on which an assessment of a course falls due.
    due: HashMap<(String, String), Vec<i32>>,
    before: HashMap<Enrolment, (f64, f64)>,
}

fn rows(path: &Path) -> Result<Vec<HashMap<String, String>>> {
    let file = File::open(path).map_err(|it| format!("{}: {it}", path.display()))?;
    let reader: Box<dyn Read> =
        if path.extension().is_some_and(|it| it == "gz") { Box::new(GzDecoder::new(file)) } else { Box::new(file) };
    let mut reader = csv::Reader::from_reader(reader);
    Ok(reader.deserialize().collect::<std::result::Result<_, _>>()?)
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok()
}

fn day(text: &str) -> Option<i32> {
    number(text).map(|it| it as i32)
}

fn enrolment(row: &HashMap<String, String>) -> Result<Enrolment> {
    Ok((row["code_module"].clone(), row["code_presentation"].clone(), row["id_student"].parse()?))
}

impl Tables {
    fn read(folder: &Path) -> Result<Tables> {
        let raw = |name: &str| rows(&folder.join("raw").join(name));
        let processed = |name: &str| rows(&folder.join("processed_assessments").join(name));
        let mut tables = Tables {
            info: raw("studentInfo.csv")?,
            registered: HashMap::new(),
            weekly: BTreeMap::new(),
            assessed: HashMap::new(),
            due: HashMap::new(),
            before: HashMap::new(),
        };
        for row in raw("studentRegistration.csv")? {
            let days = (day(&row["date_registration"]), day(&row["date_unregistration"]));
            tables.registered.insert(enrolment(&row)?, days);
        }
        for week in WEEKS {
            let mut by_student = HashMap::new();
            for row in rows(&folder.join(format!("weekly_features/features_week_{week}.csv.gz")))? {
                by_student.insert(row["id_student"].parse()?, WEEKLY.map(|it| number(&row[it]).unwrap_or(f64::NAN)));
            }
            tables.weekly.insert(week, by_student);
        }
        let mut assessments = HashMap::new();
        for row in raw("assessments.csv")? {
            let course = (row["code_module"].clone(), row["code_presentation"].clone());
            let due_on = day(&row["date"]);
            tables.due.entry(course.clone()).or_default().extend(due_on);
            assessments.insert(row["id_assessment"].clone(), (course, due_on, number(&row["weight"]).unwrap_or(0.0)));
        }
        for row in processed("student_assessment_processed.csv.gz")? {
            let Some(((module, presentation), due_on, weight)) = assessments.get(&row["id_assessment"]) else { continue };
            let key = (module.clone(), presentation.clone(), row["id_student"].parse()?);
            let (Some(on), Some(score)) = (day(&row["date_submitted"]), number(&row["score"])) else { continue };
            tables.assessed.entry(key).or_default().push(HandedIn {
                on,
                due_on: *due_on,
                score,
                weight: *weight,
                is_banked: row["is_banked"] == "1",
            });
        }
        for row in processed("vle_pre_course_features.csv.gz")? {
            let clicks = |it: &str| number(&row[it]).unwrap_or(f64::NAN);
            tables.before.insert(enrolment(&row)?, (clicks("pre_course_clicks"), clicks("pre_course_interaction_rows")));
        }
        Ok(tables)
    }

    /// Rows of a cohort at the end of a week.
    fn cohort(&self, cohort: Cohort, week: i32) -> Result<Rows> {
        let as_of = week * 7;
        let mut found = Rows::default();
        for row in &self.info {
            let key = enrolment(row)?;
            let weekly = self.weekly[&week].get(&key.2);
            let (registered_on, left_on) = self.registered.get(&key).copied().unwrap_or_default();
            let is_in = match cohort {
                // The published model drops who never clicked.
                Cohort::Published | Cohort::PublishedWithCourse | Cohort::PublishedWithRegistry => weekly.is_some(),
                // Most of the few without a day of registration withdrew: its absence would tell the outcome.
                Cohort::RiskSet => left_on.is_none_or(|it| as_of < it) && registered_on.is_some_and(|it| it <= as_of),
            };
            if !is_in {
                continue;
            }
            let mut inputs: BTreeMap<String, f64> = BTreeMap::new();
            let mut set = |name: String, value: f64| inputs.insert(name, value);
            // What a weekly row adds up was partly not known at the week, and neither a row nor its absence says which
            // part: who sees only the present and the past has none of it, and reads this enrolment itself (`own`).
            let has_weekly = cohort != Cohort::RiskSet;
            if has_weekly {
                for (name, value) in WEEKLY.iter().zip(weekly.unwrap_or(&[f64::NAN; 8])) {
                    set((*name).to_owned(), *value);
                }
            }
            for name in ["num_of_prev_attempts", "studied_credits"] {
                set(name.to_owned(), number(&row[name]).unwrap_or(f64::NAN));
            }
            if cohort != Cohort::RiskSet {
                set("gender_m".to_owned(), flag(row["gender"] == "M"));
                set("disability".to_owned(), flag(row["disability"] == "Y"));
                set("age_band".to_owned(), place(&["0-35", "35-55", "55<="], &row["age_band"]));
                set("imd_band".to_owned(), row["imd_band"].split('-').next().and_then(number).unwrap_or(f64::NAN));
                let schooling = [
                    "No Formal quals",
                    "Lower Than A Level",
                    "A Level or Equivalent",
                    "HE Qualification",
                    "Post Graduate Qualification",
                ];
                set("highest_education".to_owned(), place(&schooling, &row["highest_education"]));
                set(format!("region_{}", row["region"]), 1.0);
            }
            if cohort != Cohort::Published {
                set(format!("course_{}", key.0), 1.0);
                for earlier in WEEKS.into_iter().filter(|it| has_weekly && *it < week) {
                    let values = self.weekly[&earlier].get(&key.2).unwrap_or(&[f64::NAN; 8]);
                    for (name, value) in WEEKLY.iter().zip(values) {
                        set(format!("{name}_week{earlier}"), *value);
                    }
                }
            }
            if matches!(cohort, Cohort::PublishedWithRegistry | Cohort::RiskSet) {
                for (name, value) in self.own(&key, as_of) {
                    set(name.to_owned(), value);
                }
                set("registered_day".to_owned(), registered_on.map_or(f64::NAN, f64::from));
            }
            found.inputs.push(inputs);
            found.labels.push(matches!(row["final_result"].as_str(), "Fail" | "Withdrawn"));
            found.enrolments.push(key);
        }
        Ok(found)
    }

    /// What this enrolment itself has shown by the end of a day.
    fn own(&self, key: &Enrolment, as_of: i32) -> Vec<(&'static str, f64)> {
        let none = Vec::new();
        let handed_in: Vec<_> = self.assessed.get(key).unwrap_or(&none).iter().filter(|it| it.on <= as_of).collect();
        let due = self.due.get(&(key.0.clone(), key.1.clone())).map_or(0, |it| it.iter().filter(|it| **it <= as_of).count());
        let n = handed_in.len() as f64;
        let of_due = handed_in.iter().filter(|it| it.due_on.is_some_and(|due| due <= as_of)).count();
        let mean = |of: &dyn Fn(&HandedIn) -> f64| {
            if handed_in.is_empty() { f64::NAN } else { handed_in.iter().map(|it| of(it)).sum::<f64>() / n }
        };
        let (clicks, rows) = self.before.get(key).copied().unwrap_or((f64::NAN, f64::NAN));
        vec![
            ("own_assessed_n", n),
            ("own_score_mean", mean(&|it| it.score)),
            ("own_score_min", handed_in.iter().map(|it| it.score).reduce(f64::min).unwrap_or(f64::NAN)),
            ("own_days_late", mean(&|it| it.due_on.map_or(0.0, |due| f64::from(it.on - due)))),
            ("own_weight", handed_in.iter().map(|it| it.weight).sum()),
            ("own_banked_n", handed_in.iter().filter(|it| it.is_banked).count() as f64),
            ("own_missing_n", due as f64 - of_due as f64),
            ("clicks_before_start", clicks),
            ("interactions_before_start", rows),
        ]
    }
}

fn flag(it: bool) -> f64 {
    f64::from(u8::from(it))
}

fn place(order: &[&str], value: &str) -> f64 {
    order.iter().position(|it| *it == value).map_or(f64::NAN, |it| it as f64)
}

#[derive(Default)]
struct Rows {
    enrolments: Vec<Enrolment>,
    inputs: Vec<BTreeMap<String, f64>>,
    labels: Vec<bool>,
}

impl Rows {
    fn matrix(&self) -> Result<Matrix> {
        let features: BTreeSet<String> = self.inputs.iter().flat_map(|it| it.keys().cloned()).collect();
        let features: Vec<String> = features.into_iter().collect();
        // An indicator that is absent is 0; every other measure stands in every row.
        let values = Array2::from_shape_fn((self.inputs.len(), features.len()), |(row, column)| {
            self.inputs[row].get(&features[column]).copied().unwrap_or(0.0)
        });
        // One row an enrolment: its place is its key.
        let keys: Vec<RowKey> = (0..self.inputs.len()).map(|it| RowKey { as_of_on: 0, student_key: it as i64 }).collect();
        Ok(Matrix::from_wide(&keys, &features, values.view())?)
    }

    fn folds(&self, scheme: &str) -> Vec<u64> {
        let fold = |number: u64| mixed(number) % FOLDS;
        self.enrolments
            .iter()
            .enumerate()
            .map(|(at, (_, presentation, student))| match scheme {
                "rows_5fold" => fold(at as u64),
                "students_5fold" => fold(*student as u64),
                // Only fold 0 is tested.
                _ => u64::from(presentation != FUTURE),
            })
            .collect()
    }
}

/// A number mixed well enough to deal rows into folds (splitmix64).
fn mixed(number: u64) -> u64 {
    let it = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let it = (it ^ (it >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let it = (it ^ (it >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    it ^ (it >> 31)
}

/// Most memory this process ever had, or 0 where the system does not say.
fn memory_peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|it| it.strip_prefix("VmHWM:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|it| it.parse::<u64>().ok()).unwrap_or(0) * 1024
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let folder = arguments.first().ok_or("usage: oulad FOLDER [--rows FOLDER]")?;
    let rows_folder = arguments.iter().position(|it| it == "--rows").and_then(|at| arguments.get(at + 1));
    let began = Instant::now();
    let tables = Tables::read(Path::new(folder))?;
    let read_seconds = began.elapsed().as_secs_f64();

    let config = warning::boost::Config {
        rounds: 400,
        rate: 0.03,
        depth: 5,
        leaf: 8.0,
        ridge: 5.0,
        rows: 0.8,
        measures: 0.6,
        threads: 2,
        ..Default::default()
    };
    let mut answer: BTreeMap<String, f64> = BTreeMap::new();
    let (mut fit_seconds, mut fits) = (0.0, 0.0);
    for (name, cohort) in COHORTS {
        for week in WEEKS {
            let rows = tables.cohort(cohort, week)?;
            let matrix = rows.matrix()?;
            answer.insert(format!("rows.{name}.week{week}"), rows.labels.len() as f64);
            answer.insert(format!("features.{name}.week{week}"), matrix.features().len() as f64);
            let share = rows.labels.iter().filter(|it| **it).count() as f64 / rows.labels.len() as f64;
            answer.insert(format!("base_rate.{name}.week{week}"), share);
            let mut all_folds = Vec::new();
            for scheme in ["rows_5fold", "students_5fold", "future_2014J"] {
                let folds = rows.folds(scheme);
                let tested = if scheme == "future_2014J" { 1 } else { FOLDS };
                let mut areas = Vec::new();
                for fold in 0..tested {
                    let (test, train): (Vec<usize>, Vec<usize>) = (0..folds.len()).partition(|row| folds[*row] == fold);
                    let labels_of = |rows_of: &[usize]| rows_of.iter().map(|it| rows.labels[*it]).collect::<Vec<_>>();
                    let began = Instant::now();
                    let model = Boost::train(&matrix.pick(&train), &labels_of(&train), &config, 7)?;
                    let scores = model.score(&matrix.pick(&test))?;
                    fit_seconds += began.elapsed().as_secs_f64();
                    fits += 1.0;
                    areas.push(auroc(&scores, &labels_of(&test)).ok_or("a fold of one class")?);
                }
                let mean = areas.iter().sum::<f64>() / areas.len() as f64;
                eprintln!("{name} {scheme} week {week}: {mean:.4}");
                answer.insert(format!("auroc.{name}.{scheme}.week{week}"), mean);
                all_folds.push(folds);
            }
            if let Some(folder) = rows_folder {
                let mut file = BufWriter::new(File::create(Path::new(folder).join(format!("{name}_week{week}.csv")))?);
                writeln!(file, "label,rows_5fold,students_5fold,future_2014J,{}", matrix.features().join(","))?;
                for (at, label) in rows.labels.iter().enumerate() {
                    write!(file, "{},{},{},{}", u8::from(*label), all_folds[0][at], all_folds[1][at], all_folds[2][at])?;
                    for value in matrix.values().row(at) {
                        // pandas reads an empty field as missing.
                        if value.is_nan() { write!(file, ",")? } else { write!(file, ",{value}")? }
                    }
                    writeln!(file)?;
                }
            }
        }
    }
    answer.insert("seconds.read".to_owned(), read_seconds);
    answer.insert("seconds.fit_and_score".to_owned(), fit_seconds);
    answer.insert("fits".to_owned(), fits);
    answer.insert("memory_peak_bytes".to_owned(), memory_peak_bytes() as f64);
    println!("{}", serde_json::to_string_pretty(&answer)?);
    Ok(())
}
