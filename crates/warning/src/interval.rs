//! Intervals for shares and their quotients.
//!
//! Only what the audit, the visits and the effect need; every method is one whose coverage their tests simulate.

use serde::{Deserialize, Serialize};

/// An estimate and the ends of its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The best guess.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Estimate {
    /// Says whether the interval holds a value, ends included.
    pub fn holds(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

/// Returns the ends of the exact interval of a share; counts need not be whole, as after a design effect.
///
/// # Shape
/// `hits` of `n`, `0 <= hits <= n`, `0 < n`. `error`: both tails together, 0.05 for 95 %.
///
/// # Source
/// Clopper and Pearson (1934), by the quantiles of the beta distribution.
pub(crate) fn share(hits: f64, n: f64, error: f64) -> (f64, f64) {
    let low = if hits <= 0.0 { 0.0 } else { beta_quantile(hits, n - hits + 1.0, error / 2.0) };
    let high = if n <= hits { 1.0 } else { beta_quantile(hits + 1.0, n - hits, 1.0 - error / 2.0) };
    (low, high)
}

/// The `q` quantile of the beta distribution, by halving.
fn beta_quantile(a: f64, b: f64, q: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    // 60 halvings leave less than a double can tell apart.
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if beta_share(a, b, middle) < q { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

/// The regularised incomplete beta function, by the continued fraction of Lentz.
fn beta_share(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 || 1.0 <= x {
        return x.clamp(0.0, 1.0);
    }
    // The fraction converges fast only below the mean; above it the mirror image does.
    if (a + 1.0) / (a + b + 2.0) < x {
        return 1.0 - beta_share(b, a, 1.0 - x);
    }
    let tiny = |it: f64| if it.abs() < 1e-300 { 1e-300 } else { it };
    let front = (log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * x.ln() + b * (1.0 - x).ln()).exp() / a;
    let (mut c, mut d) = (1.0, 1.0 / tiny(1.0 - (a + b) * x / (a + 1.0)));
    let mut sum = d;
    for m in 1..300 {
        let m = f64::from(m);
        for term in [
            m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0)),
        ] {
            d = 1.0 / tiny(1.0 + term * d);
            c = tiny(1.0 + term / c);
            sum *= c * d;
        }
        if (c * d - 1.0).abs() < 1e-14 {
            break;
        }
    }
    front * sum
}

/// Logarithm of the gamma function for positive numbers (Lanczos, 7 terms).
fn log_gamma(x: f64) -> f64 {
    const TERMS: [f64; 6] = [
        76.180_091_729_471_46,
        -86.505_320_329_416_77,
        24.014_098_240_830_91,
        -1.231_739_572_450_155,
        0.001_208_650_973_866_179,
        -0.000_005_395_239_384_953,
    ];
    let base = x + 5.5;
    let series = TERMS.iter().enumerate().fold(1.000_000_000_190_015, |sum, (at, term)| sum + term / (x + 1.0 + at as f64));
    (x + 0.5) * base.ln() - base + (2.506_628_274_631_000_5 * series / x).ln()
}

/// The ends between which the middle `1 - error` of some draws lie, by the nearest rank.
pub(crate) fn percentiles(draws: &mut [f64], error: f64) -> Option<(f64, f64)> {
    if draws.is_empty() {
        return None;
    }
    draws.sort_unstable_by(f64::total_cmp);
    let last = draws.len() - 1;
    let at = |q: f64| draws[((last as f64 * q).round() as usize).min(last)];
    Some((at(error / 2.0), at(1.0 - error / 2.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(hits: f64, n: f64, expected: (f64, f64)) {
        let (low, high) = share(hits, n, 0.05);
        let round = |it: f64| (it * 1e4).round() / 1e4;
        assert_eq!((round(low), round(high)), expected, "{hits} of {n}");
    }

    #[test]
    #[rustfmt::skip] // The columns are the table.
    fn the_exact_interval_of_a_share_as_in_the_tables() {
        check( 0.0,  10.0, (0.0,    0.3085));
        check( 1.0,  10.0, (0.0025, 0.445));
        check( 5.0,  10.0, (0.1871, 0.8129));
        check(10.0,  10.0, (0.6915, 1.0));
        check(10.0, 100.0, (0.0490, 0.1762));
    }

    #[test]
    fn percentiles_are_nearest_ranks() {
        let mut draws: Vec<f64> = (0..=100).rev().map(f64::from).collect();
        assert_eq!(percentiles(&mut draws, 0.1), Some((5.0, 95.0)));
        assert_eq!(percentiles(&mut [], 0.1), None);
    }
}
