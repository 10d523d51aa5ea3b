//! How likely at least so many are by chance.
//!
//! Reads a count and what was expected. Far tails are the ones that matter after a correction for millions of pairs, so
//! nothing here subtracts from 1 what is nearly 1.

use std::f64::consts::TAU;

/// Returns the chance that a Poisson number of mean `lambda` is at least `k`.
///
/// Good to about twelve digits down to the smallest number a float can hold; beyond, 0.
///
/// # Units
/// `lambda`: expected count. At most 0 means none can happen; not a number gives not a number. Out: in `[0, 1]`.
///
/// # Source
/// The series of the tail on its short side, from the first term by the saddle point of Loader (2000).
pub fn poisson_tail(k: u32, lambda: f64) -> f64 {
    if lambda.is_nan() {
        return f64::NAN;
    }
    if k == 0 {
        return 1.0;
    }
    if lambda <= 0.0 {
        return 0.0;
    }
    if lambda.is_infinite() {
        return 1.0;
    }
    if lambda < f64::from(k) {
        // P(k) + P(k + 1) + ...: each term is smaller than the one before.
        let mut term = 1.0;
        let mut sum = 1.0;
        let mut at = f64::from(k);
        while sum * f64::EPSILON / 8.0 < term {
            at += 1.0;
            term *= lambda / at;
            sum += term;
        }
        return (exactly(k, lambda) * sum).min(1.0);
    }
    // 1 - (P(k - 1) + P(k - 2) + ...): about half at most, so nothing is lost.
    let mut term = 1.0;
    let mut sum = 1.0;
    let mut at = f64::from(k - 1);
    while 0.0 < at && sum * f64::EPSILON / 8.0 < term {
        term *= at / lambda;
        sum += term;
        at -= 1.0;
    }
    (1.0 - exactly(k - 1, lambda) * sum).clamp(0.0, 1.0)
}

/// The chance of exactly `k`.
fn exactly(k: u32, lambda: f64) -> f64 {
    if k == 0 {
        return (-lambda).exp();
    }
    let n = f64::from(k);
    // -lambda + n ln lambda - ln n!, with the large parts of the three taken out before they cancel.
    let apart = (lambda - n) / n;
    let shape = if apart.abs() < 0.5 { apart.ln_1p() } else { (lambda / n).ln() } - apart;
    (n * shape - stirling_error(k)).exp() / (TAU * n).sqrt()
}

/// `ln k!` less Stirling's `k ln k - k + ln(2 pi k) / 2`.
fn stirling_error(k: u32) -> f64 {
    let n = f64::from(k);
    if k < 16 {
        let factorial: u64 = (1..=u64::from(k)).product();
        return (factorial as f64).ln() - (n * n.ln() - n + 0.5 * (TAU * n).ln());
    }
    let square = n * n;
    (1.0 / 12.0 - (1.0 / 360.0 - (1.0 / 1260.0 - (1.0 / 1680.0 - 1.0 / 1188.0 / square) / square) / square) / square) / n
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(k: u32, lambda: f64, expected: f64) {
        let actual = poisson_tail(k, lambda);
        assert!((actual - expected).abs() <= 1e-12 * expected.abs(), "at least {k} of {lambda}: {actual} not {expected}");
    }

    #[test]
    #[rustfmt::skip] // The columns are the table.
    fn knows_the_ends_and_what_can_be_done_by_hand() {
        check(0, 3.0,             1.0);
        check(3, 0.0,             0.0);
        check(3, -1.0,            0.0);
        check(3, f64::INFINITY,   1.0);
        check(1, 2.0,             1.0 - (-2_f64).exp());
        check(1, 1e-30,           1e-30);
        check(2, 1e-30,           5e-61);
        check(3, 3.0,             1.0 - 8.5 * (-3_f64).exp());
        check(3, 0.5,             0.014387677966970687);
        assert!(poisson_tail(3, f64::NAN).is_nan());
    }

    #[test]
    fn a_larger_count_is_never_likelier() {
        for lambda in [0.01, 0.7, 3.0, 15.9, 40.0, 900.0] {
            for k in 0..1200 {
                assert!(poisson_tail(k + 1, lambda) <= poisson_tail(k, lambda), "{k} of {lambda}");
            }
        }
    }
}
