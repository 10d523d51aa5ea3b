//! A slope that one odd point does not bend.
//!
//! Reads one student's results term by term. Four in five terms may be ordinary and the fifth a leave of absence; least
//! squares would follow the fifth.

use crate::middle::median;

/// Returns the median of the slopes of all pairs of points.
///
/// `None` means no two points with distinct x: one term has no trend.
///
/// # Shape
/// `points`: (x, y) in any order; a point that is not finite is left out. All pairs are formed, so meant for tens of
/// points, not for thousands.
///
/// # Units
/// Out: units of y per unit of x.
///
/// # Source
/// Theil (1950), Sen (1968): pairs of equal x have no slope and do not count.
pub fn theil_sen(points: &[(f64, f64)]) -> Option<f64> {
    let points: Vec<(f64, f64)> = points.iter().copied().filter(|(x, y)| x.is_finite() && y.is_finite()).collect();
    let mut slopes = Vec::new();
    for (at, (x, y)) in points.iter().enumerate() {
        for (other_x, other_y) in &points[at + 1..] {
            // The same to the last digit whichever point comes first, so the points need no order.
            if x != other_x {
                slopes.push((other_y - y) / (other_x - x));
            }
        }
    }
    median(&slopes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(points: &[(f64, f64)], expected: Option<f64>) {
        assert_eq!(theil_sen(points), expected, "points {points:?}");
    }

    #[test]
    fn needs_two_distinct_terms() {
        check(&[], None);
        check(&[(1.0, 3.0)], None);
        check(&[(1.0, 3.0), (1.0, 4.0)], None);
        check(&[(1.0, 3.0), (2.0, f64::NAN)], None);
    }

    #[test]
    fn one_odd_term_does_not_bend_a_line() {
        check(&[(1.0, 3.0), (2.0, 5.0), (3.0, 7.0), (4.0, 9.0)], Some(2.0));
        // Slopes 2, 2, 2 of the line, and -50, -26, -18 to the odd one.
        check(&[(1.0, 3.0), (2.0, 5.0), (3.0, 7.0), (4.0, 57.0)], Some(10.0));
        check(&[(5.0, 11.0), (1.0, 3.0), (4.0, -99.0), (2.0, 5.0), (3.0, 7.0)], Some(2.0));
    }
}
