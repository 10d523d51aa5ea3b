//! The usual time of day, on a clock that has no end.
//!
//! Reads the times of one student's events of one kind, mostly returns at night. A plain mean puts 23:50 and 00:10 at noon.

use std::f64::consts::TAU;

const MINUTES: f64 = 1440.0;

/// Below this the hands of the clock cancel out, and the direction is rounding.
const LENGTH_MIN: f64 = 1e-9;

/// Returns the circular mean of times of day.
///
/// `None` means no event, a time that is not finite, or times that cancel out: 06:00 and 18:00 have no middle.
///
/// # Shape
/// `minutes`: one per event, in any order.
///
/// # Units
/// In: minute of the day; beyond 1440 is after midnight and taken modulo. Out: minute of the day, in `[0, 1440)`.
///
/// # Source
/// Mardia and Jupp (2000), 2.2: `arg(sum e^(i theta))` with `theta = 2 pi minute / 1440`.
pub fn mean_minute(minutes: &[f64]) -> Option<f64> {
    let (x, y) = resultant(minutes)?;
    if x.hypot(y) < LENGTH_MIN {
        return None;
    }
    let minute = (y.atan2(x) / TAU * MINUTES).rem_euclid(MINUTES);
    // A hair before midnight rounds up to 1440, which is midnight.
    Some(if minute < MINUTES { minute } else { 0.0 })
}

/// Returns how firmly a time of day is kept: 1 is to the minute, 0 is any time.
///
/// `None` means no event, or a time that is not finite.
///
/// # Shape
/// `minutes`: one per event, in any order.
///
/// # Units
/// In: minute of the day, taken modulo 1440. Out: dimensionless, in `[0, 1]`.
///
/// # Source
/// Mardia and Jupp (2000), 2.3: the mean resultant length `|1/n sum e^(i theta)|`.
pub fn concentration(minutes: &[f64]) -> Option<f64> {
    let (x, y) = resultant(minutes)?;
    Some(x.hypot(y).clamp(0.0, 1.0))
}

fn resultant(minutes: &[f64]) -> Option<(f64, f64)> {
    if minutes.is_empty() || minutes.iter().any(|it| !it.is_finite()) {
        return None;
    }
    let mut minutes: Vec<f64> = minutes.iter().map(|it| it.rem_euclid(MINUTES)).collect();
    // A sum depends on its order in the last digit, and the rows come in any.
    minutes.sort_unstable_by(f64::total_cmp);
    let (mut x, mut y) = (0.0, 0.0);
    for minute in &minutes {
        let (sine, cosine) = (minute / MINUTES * TAU).sin_cos();
        x += cosine;
        y += sine;
    }
    let n = minutes.len() as f64;
    Some((x / n, y / n))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(minutes: &[f64], mean: Option<f64>, firmness: Option<f64>) {
        let round = |it: f64| (it * 1e6).round() / 1e6;
        assert_eq!(mean_minute(minutes).map(round), mean, "mean of {minutes:?}");
        assert_eq!(concentration(minutes).map(round), firmness, "concentration of {minutes:?}");
    }

    #[test]
    #[rustfmt::skip] // The columns are the table.
    fn knows_both_sides_of_midnight_and_times_that_cancel_out() {
        check(&[],                           None,         None);
        check(&[f64::NAN, 60.0],             None,         None);
        check(&[1380.0],                     Some(1380.0), Some(1.0));
        check(&[1430.0, 10.0],               Some(0.0),    Some(0.999048));
        check(&[1420.0, 1470.0],             Some(5.0),    Some(0.994056));
        check(&[360.0, 1080.0],              None,         Some(0.0));
        check(&[0.0, 240.0],                 Some(120.0),  Some(0.866025));
        check(&[0.0, 360.0, 720.0, 1080.0],  None,         Some(0.0));
    }

    #[test]
    fn the_order_of_the_rows_changes_no_digit() {
        let forward: Vec<f64> = (0..200).map(|it| f64::from(it) * 7.3).collect();
        let backward: Vec<f64> = forward.iter().rev().copied().collect();
        assert_eq!(mean_minute(&forward), mean_minute(&backward));
        assert_eq!(concentration(&forward), concentration(&backward));
    }
}
