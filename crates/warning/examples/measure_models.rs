//! How long training and the nightly scoring take for a large university, on invented students.
//!
//! `measure_models [STUDENTS FEATURES DATES]`: 40000, 30 and 12 without arguments. Prints one JSON object.

use std::collections::BTreeMap;
use std::time::Instant;

use ndarray::Array2;
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use warning::metrics::auroc;
use warning::{Boost, Error, Forest, Logistic, Matrix, RiskModel, RowKey};

/// Most memory this process ever had, or 0 where the system does not say.
fn memory_peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|it| it.strip_prefix("VmHWM:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|it| it.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// Invented students: five measures matter, one value in ten is missing, about one row in twenty is positive.
fn campus(students: i64, features: usize, dates: i32, first: i32) -> Result<(Matrix, Vec<bool>), Error> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(first as u64);
    let keys: Vec<RowKey> = (0..dates)
        .flat_map(|date| (0..students).map(move |student_key| RowKey { as_of_on: first + 7 * date, student_key }))
        .collect();
    let names: Vec<String> = (0..features).map(|it| format!("measure_{it:02}")).collect();
    let mut labels = Vec::with_capacity(keys.len());
    let mut values = Array2::zeros((keys.len(), features));
    for mut row in values.rows_mut() {
        for it in &mut row {
            *it = random.gen_range(-1.0..1.0);
        }
        let sum: f64 = row.iter().take(5).sum::<f64>() + row[0] * row[1];
        labels.push(random.gen_range(0.0..1.0) < 1.0 / (1.0 + (4.2 - 1.6 * sum).exp()));
        for it in &mut row {
            if random.gen_range(0.0..1.0) < 0.1 {
                *it = f64::NAN;
            }
        }
    }
    Ok((Matrix::from_wide(&keys, &names, values.view())?, labels))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let number = |at: usize, otherwise: usize| std::env::args().nth(at).and_then(|it| it.parse().ok()).unwrap_or(otherwise);
    let (students, features, dates) = (number(1, 40_000), number(2, 30), number(3, 12));
    let mut answer: BTreeMap<String, f64> = BTreeMap::new();
    let (rows, labels) = campus(students as i64, features, dates as i32, 0)?;
    let (tonight, outcomes) = campus(students as i64, features, 1, 1000)?;
    answer.insert("rows".to_owned(), rows.keys().len() as f64);
    answer.insert("positive".to_owned(), labels.iter().filter(|it| **it).count() as f64);
    answer.insert("memory_peak_bytes.rows".to_owned(), memory_peak_bytes() as f64);

    let mut measure = |name: &str, train: &dyn Fn() -> Result<Box<dyn RiskModel>, Error>| -> Result<(), Error> {
        let began = Instant::now();
        let model = train()?;
        answer.insert(format!("seconds.train.{name}"), began.elapsed().as_secs_f64());
        let began = Instant::now();
        let scores = model.score(&tonight)?;
        answer.insert(format!("seconds.score.{name}"), began.elapsed().as_secs_f64());
        let began = Instant::now();
        model.contributions(&tonight)?;
        answer.insert(format!("seconds.contributions.{name}"), began.elapsed().as_secs_f64());
        answer.insert(format!("bytes.{name}"), model.to_bytes()?.len() as f64);
        answer.insert(format!("auroc.{name}"), auroc(&scores, &outcomes).unwrap_or(f64::NAN));
        answer.insert(format!("memory_peak_bytes.{name}"), memory_peak_bytes() as f64);
        Ok(())
    };
    measure("logistic", &|| Ok(Box::new(Logistic::train(&rows, &labels, &Default::default())?)))?;
    let forest = warning::forest::Config { threads: 2, ..Default::default() };
    measure("forest", &|| Ok(Box::new(Forest::train(&rows, &labels, &forest, 7)?)))?;
    let boost = warning::boost::Config { threads: 2, ..Default::default() };
    measure("boost", &|| Ok(Box::new(Boost::train(&rows, &labels, &boost, 7)?)))?;
    println!("{}", serde_json::to_string_pretty(&answer)?);
    Ok(())
}
