//! Middles that one odd value does not move.

/// Turns a median absolute deviation into a standard deviation of a normal distribution.
pub(crate) const MAD_TO_SD: f64 = 1.4826;

/// The median; sorts what it is given. NaN without values.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[half],
        _ => f64::midpoint(values[half - 1], values[half]),
    }
}

/// Median, and median distance from it; sorts what it is given.
pub(crate) fn middle(values: &mut [f64]) -> (f64, f64) {
    let centre = median(values);
    values.iter_mut().for_each(|it| *it = (*it - centre).abs());
    (centre, median(values))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_odd_value_moves_neither() {
        assert_eq!(middle(&mut [1.0, 2.0, 3.0, 4.0, 900.0]), (3.0, 1.0));
        assert_eq!(middle(&mut [1.0, 2.0]), (1.5, 0.5));
        assert!(median(&mut []).is_nan());
    }
}
