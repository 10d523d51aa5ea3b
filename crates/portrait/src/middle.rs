//! The middle of some numbers, and the usual distance from it.
//!
//! Reads one student's past weeks. One wild week moves a mean and hardly a median.

/// Returns the median: half of the values are at most it, half at least.
///
/// `None` means no value. One that is not finite is no value and is left out.
///
/// # Shape
/// `values`: in any order.
///
/// # Units
/// Out: those of `values`. An even number of values has the mean of the middle two.
///
/// # Source
/// Hyndman and Fan (1996), type 2.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut values: Vec<f64> = values.iter().copied().filter(|it| it.is_finite()).collect();
    middle(&mut values)
}

/// Returns the median absolute deviation: how far the usual value lies from the median.
///
/// Unscaled: times 1.4826 it estimates the standard deviation of normal values, which is the caller's to do, together with
/// a floor for students who never vary. `None` means no value.
///
/// # Shape
/// `values`: in any order; one that is not finite is left out.
///
/// # Units
/// Out: those of `values`, at least 0.
///
/// # Source
/// Hampel (1974): `median |x - median(x)|`.
pub fn mad(values: &[f64]) -> Option<f64> {
    let centre = median(values)?;
    let mut distances: Vec<f64> = values.iter().filter(|it| it.is_finite()).map(|it| (it - centre).abs()).collect();
    middle(&mut distances).filter(|it| it.is_finite())
}

fn middle(values: &mut [f64]) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let n = values.len();
    let upper = *values.get(n / 2)?;
    Some(if n.is_multiple_of(2) { f64::midpoint(values[n / 2 - 1], upper) } else { upper })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(values: &[f64], expected_median: Option<f64>, expected_mad: Option<f64>) {
        assert_eq!(median(values), expected_median, "median of {values:?}");
        assert_eq!(mad(values), expected_mad, "deviation of {values:?}");
    }

    #[test]
    #[rustfmt::skip] // The columns are the table.
    fn knows_odd_even_and_missing_values() {
        check(&[],                               None,       None);
        check(&[f64::NAN, f64::INFINITY],        None,       None);
        check(&[4.0],                            Some(4.0),  Some(0.0));
        check(&[9.0, 1.0],                       Some(5.0),  Some(4.0));
        check(&[1.0, 1.0, 2.0, 2.0, 4.0, 6.0, 9.0], Some(2.0), Some(1.0));
        check(&[3.0, f64::NAN, 1.0, 1000.0],     Some(3.0),  Some(2.0));
        check(&[f64::MAX, f64::MAX],             Some(f64::MAX), Some(0.0));
    }
}
