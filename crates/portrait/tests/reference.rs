//! Every measure against an independent computation: `reference.py` writes `reference.json`, by other algorithms.

use portrait::{Config, Passage, Swipe};
use serde_json::Value;

fn reference() -> Value {
    serde_json::from_str(include_str!("reference.json")).unwrap()
}

/// Compares all cases of a measure; the answer of ours is made from the inputs of a case.
#[track_caller]
fn check(measure: &str, ours: impl Fn(&[Value]) -> Value) {
    let reference = reference();
    let cases = reference[measure].as_array().unwrap();
    assert!(3 < cases.len(), "{measure}: {} cases", cases.len());
    for case in cases {
        let actual = ours(case["in"].as_array().unwrap());
        if let Err(difference) = compare(&actual, &case["out"]) {
            panic!("{measure} of {}: {difference}", case["in"]);
        }
    }
}

fn compare(actual: &Value, expected: &Value) -> Result<(), String> {
    match (actual, expected) {
        (Value::Array(actual), Value::Array(expected)) if actual.len() == expected.len() => {
            actual.iter().zip(expected).try_for_each(|(actual, expected)| compare(actual, expected))
        }
        (Value::Number(actual), Value::Number(expected)) => {
            let (actual, expected) = (actual.as_f64().unwrap(), expected.as_f64().unwrap());
            // Relative down to the far tails.
            let near = (actual - expected).abs() <= 1e-9 * expected.abs();
            near.then_some(()).ok_or_else(|| format!("{actual}, and the reference says {expected}"))
        }
        _ if actual == expected => Ok(()),
        _ => Err(format!("{actual}, and the reference says {expected}")),
    }
}

fn floats(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|it| it.as_f64().unwrap()).collect()
}

fn integers(value: &Value) -> Vec<i64> {
    value.as_array().unwrap().iter().map(|it| it.as_i64().unwrap()).collect()
}

fn small(value: &Value) -> Vec<u16> {
    integers(value).into_iter().map(|it| u16::try_from(it).unwrap()).collect()
}

#[test]
fn actual_entropy_agrees_with_a_quadratic_search() {
    check("actual_entropy", |it| portrait::actual_entropy(&small(&it[0])).into());
}

#[test]
fn hour_entropy_agrees_with_counting() {
    check("hour_entropy", |it| portrait::hour_entropy(&small(&it[0])).into());
}

#[test]
fn the_clock_agrees_with_complex_numbers() {
    check("mean_minute", |it| portrait::mean_minute(&floats(&it[0])).into());
    check("concentration", |it| portrait::concentration(&floats(&it[0])).into());
}

#[test]
fn presence_agrees_with_one_cell_a_minute() {
    check("presence_regularity", |it| {
        let passage = |row: &Value| Passage {
            day: row[0].as_i64().unwrap() as i32,
            minute: row[1].as_u64().unwrap() as u16,
            is_in: row[2].as_bool(),
        };
        let mut passages: Vec<Passage> = it[0].as_array().unwrap().iter().map(passage).collect();
        portrait::presence_regularity(&mut passages).map(|it| vec![Value::from(it.value), it.pairs.into()]).into()
    });
}

#[test]
fn surprise_agrees_with_counting() {
    check("gap_surprise", |it| portrait::gap_surprise(&floats(&it[0]), it[1].as_f64().unwrap()).into());
}

#[test]
fn the_middle_and_the_slope_agree_with_the_standard_library_of_another_language() {
    check("median", |it| portrait::median(&floats(&it[0])).into());
    check("mad", |it| portrait::mad(&floats(&it[0])).into());
    check("theil_sen", |it| {
        let points: Vec<(f64, f64)> = it[0].as_array().unwrap().iter().map(|it| (floats(it)[0], floats(it)[1])).collect();
        portrait::theil_sen(&points).into()
    });
}

#[test]
fn meals_and_their_bands_agree_with_a_plain_loop() {
    check("meals", |it| {
        let meals = portrait::meals(&integers(&it[0]), it[1].as_i64().unwrap());
        meals.into_iter().map(|(first, last)| vec![first, last]).collect::<Vec<_>>().into()
    });
    check("slot_bands", |it| {
        let bands = portrait::slot_bands(&small(&it[0]));
        [bands.breakfast, bands.lunch, bands.dinner].into_iter().flat_map(|(from, to)| [from, to]).collect::<Vec<_>>().into()
    });
}

#[test]
fn the_tail_agrees_with_exact_fractions() {
    check("poisson_tail", |it| portrait::poisson_tail(it[0].as_u64().unwrap() as u32, it[1].as_f64().unwrap()).into());
}

#[test]
fn edges_agree_with_all_pairs_of_students() {
    let swipe = |row: &Value| Swipe {
        student: row[0].as_i64().unwrap(),
        meal: row[1].as_u64().unwrap() as u32,
        group: row[2].as_u64().unwrap() as u32,
        at_s: row[3].as_i64().unwrap(),
    };
    let swipes: Vec<Swipe> = reference()["swipes"].as_array().unwrap().iter().map(swipe).collect();
    check("edges", |it| {
        let config = Config {
            window_s: it[0].as_i64().unwrap(),
            meetings_min: it[1].as_u64().unwrap() as u32,
            q_max: it[2].as_f64().unwrap(),
            ..Config::default()
        };
        let row = |it: portrait::Edge| -> Vec<Value> {
            vec![it.u.into(), it.v.into(), it.meetings.into(), it.weight.into(), it.expected.into(), it.p.into(), it.q.into()]
        };
        portrait::edges(&swipes, &config).into_iter().map(row).collect::<Vec<_>>().into()
    });
}
