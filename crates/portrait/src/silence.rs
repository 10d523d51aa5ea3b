//! How unusual a silence is against a student's own silences.
//!
//! Reads the gaps between a student's traces on any channel. What explains a silence (leave, holiday, a dead device, a
//! lost card) is the caller's: a surprise is a reason to look, never a level.

/// Returns how surprising it is to have heard nothing for so long: 0 is nothing new.
///
/// A student who is always silent on Sundays has such gaps in the history and surprises nobody. The silence itself counts
/// as one gap, so a longer one than ever is `ln(n + 1)` and not infinite. `None` means no gap to compare with, or a silence
/// that is not finite.
///
/// # Shape
/// `gaps`: earlier gaps of the same kind of day, in any order; one that is not a number is left out.
///
/// # Units
/// In: hours, or any one unit for both. Out: nats, at least 0.
///
/// # Source
/// `-ln P(gap >= silence)` with the Monte Carlo estimate of Davison and Hinkley (1997), 4.2:
/// `P = (1 + #{gap >= silence}) / (n + 1)`.
pub fn gap_surprise(gaps: &[f64], silence: f64) -> Option<f64> {
    let n = gaps.iter().filter(|it| !it.is_nan()).count();
    if n == 0 || !silence.is_finite() {
        return None;
    }
    let as_long = gaps.iter().filter(|it| silence <= **it).count();
    Some(((n + 1) as f64 / (as_long + 1) as f64).ln())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(gaps: &[f64], silence: f64, expected: Option<f64>) {
        assert_eq!(gap_surprise(gaps, silence), expected, "silence of {silence} after {gaps:?}");
    }

    #[test]
    #[rustfmt::skip] // The columns are the table.
    fn knows_the_usual_the_longest_and_the_unsayable() {
        check(&[],                    5.0,           None);
        check(&[f64::NAN],            5.0,           None);
        check(&[1.0, 2.0, 3.0],       f64::INFINITY, None);
        check(&[1.0, 2.0, 3.0],       f64::NAN,      None);
        check(&[1.0, 2.0, 3.0],       0.0,           Some(0.0));
        check(&[1.0, 2.0, 3.0],       3.0,           Some(2_f64.ln()));
        check(&[1.0, 2.0, 3.0],       3.5,           Some(4_f64.ln()));
        check(&[1.0, f64::NAN, 3.0],  3.5,           Some(3_f64.ln()));
    }
}
