//! How good a ranking is, and how honest its probabilities are.
//!
//! Scores and outcomes in, numbers out. `None` is "cannot be said": no positive row, or no negative one. Which rows count
//! is decided before, in [`crate::split`]. Nothing here is random; ties in a ranking are broken by a number the caller
//! gives, so that nobody profits from having a small key.

use serde::{Deserialize, Serialize};

/// Returns the chance that a positive row scores above a negative one, a tie counting half.
///
/// # Shape
/// `scores` and `labels`: one a row, in the same order.
///
/// # Source
/// Mann-Whitney with midranks.
pub fn auroc(scores: &[f64], labels: &[bool]) -> Option<f64> {
    let mut rows: Vec<(f64, bool)> = scores.iter().copied().zip(labels.iter().copied()).collect();
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    let n_positive = rows.iter().filter(|it| it.1).count();
    let n_negative = rows.len() - n_positive;
    if n_positive == 0 || n_negative == 0 {
        return None;
    }
    let (mut below, mut rank_sum) = (0.0, 0.0);
    for same in rows.chunk_by(|a, b| a.0 == b.0) {
        // Everyone in a tie has the middle of its ranks.
        let middle = below + (same.len() as f64 + 1.0) / 2.0;
        rank_sum += middle * same.iter().filter(|it| it.1).count() as f64;
        below += same.len() as f64;
    }
    let (n_positive, n_negative) = (n_positive as f64, n_negative as f64);
    Some((rank_sum - n_positive * (n_positive + 1.0) / 2.0) / (n_positive * n_negative))
}

/// Returns the `k` rows with the highest scores, best first; of equal ones those with the lower `tie_break`.
///
/// # Shape
/// `scores` and `tie_break`: one a row; a score that is NaN is never chosen. Fewer than `k` rows give fewer.
pub fn top_k(scores: &[f64], tie_break: &[u64], k: usize) -> Vec<usize> {
    let mut rows: Vec<usize> = (0..scores.len()).filter(|row| !scores[*row].is_nan()).collect();
    rows.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(tie_break[*a].cmp(&tie_break[*b])).then(a.cmp(b)));
    rows.truncate(k);
    rows
}

/// What a list of `k` students is worth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AtK {
    /// Students on the lists.
    pub n_listed: u64,
    /// Those of them with the outcome.
    pub n_hits: u64,
    /// Students with the outcome, listed or not.
    pub n_positive: u64,
    /// Students in all.
    pub n_rows: u64,
}

impl AtK {
    /// Counts one list.
    ///
    /// # Shape
    /// `listed`: rows on the list. `labels`: one a row.
    pub fn of(listed: &[usize], labels: &[bool]) -> AtK {
        let count = |n: usize| n as u64;
        AtK {
            n_listed: count(listed.len()),
            n_hits: count(listed.iter().filter(|row| labels[**row]).count()),
            n_positive: count(labels.iter().filter(|it| **it).count()),
            n_rows: count(labels.len()),
        }
    }

    /// Adds the counts of another list.
    pub fn add(&mut self, other: AtK) {
        self.n_listed += other.n_listed;
        self.n_hits += other.n_hits;
        self.n_positive += other.n_positive;
        self.n_rows += other.n_rows;
    }

    /// Share of the listed who have the outcome.
    pub fn precision(&self) -> Option<f64> {
        ratio(self.n_hits as f64, self.n_listed as f64)
    }

    /// Share of those with the outcome who are listed.
    pub fn recall(&self) -> Option<f64> {
        ratio(self.n_hits as f64, self.n_positive as f64)
    }

    /// Share of all who have the outcome.
    pub fn base_rate(&self) -> Option<f64> {
        ratio(self.n_positive as f64, self.n_rows as f64)
    }

    /// How many times more often a listed student has the outcome than one drawn at random.
    pub fn lift(&self) -> Option<f64> {
        ratio(self.precision()?, self.base_rate()?)
    }
}

/// A quotient, unless it would divide by 0.
pub(crate) fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole != 0.0).then(|| part / whole)
}

/// One band of scores against what happened.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Band {
    /// Rows in the band, at least 1.
    pub n_rows: u64,
    /// Lowest score in it.
    pub score_min: f64,
    /// Highest score in it.
    pub score_max: f64,
    /// Mean of the scores: what was promised.
    pub score_mean: f64,
    /// Share with the outcome: what came.
    pub rate: f64,
}

/// How honest probabilities are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Up to ten bands of equally many rows, lowest scores first; rows with equal scores are never parted.
    pub bands: Vec<Band>,
    /// Mean distance between promise and outcome over the bands, weighted by rows.
    pub ece: f64,
    /// Mean square of score minus outcome, 0 is perfect.
    pub brier: f64,
    /// Part of the Brier score that comes from dishonest bands; less is better.
    pub reliability: f64,
    /// Part taken off by bands that differ from the base rate; more is better.
    pub resolution: f64,
    /// Part nobody can change: base rate times its complement.
    pub uncertainty: f64,
    /// What the bands hide: `brier = reliability - resolution + uncertainty + within_bands`.
    pub within_bands: f64,
}

/// Compares probabilities with outcomes by tenths; `None` without rows.
///
/// # Shape
/// `scores` in `[0, 1]` and `labels`: one a row.
///
/// # Source
/// Murphy (1973); the remainder within bands is the one of Stephenson, Coelho and Jolliffe (2008).
pub fn calibration(scores: &[f64], labels: &[bool]) -> Option<Calibration> {
    let mut rows: Vec<(f64, bool)> = scores.iter().copied().zip(labels.iter().copied()).collect();
    if rows.is_empty() {
        return None;
    }
    // The label is part of the order only so that sums are the same for the same rows in any order.
    rows.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let n = rows.len() as f64;
    let outcome = |it: bool| f64::from(u8::from(it));
    let mean = rows.iter().filter(|it| it.1).count() as f64 / n;
    let brier = rows.iter().map(|it| (it.0 - outcome(it.1)).powi(2)).sum::<f64>() / n;

    let mut bands: Vec<Band> = Vec::new();
    let mut from = 0;
    for tenth in 1..=10 {
        let mut to = rows.len() * tenth / 10;
        while 0 < to && to < rows.len() && rows[to].0 == rows[to - 1].0 {
            to += 1;
        }
        if to <= from {
            continue;
        }
        let band = &rows[from..to];
        let size = band.len() as f64;
        bands.push(Band {
            n_rows: band.len() as u64,
            score_min: band[0].0,
            score_max: band[band.len() - 1].0,
            score_mean: band.iter().map(|it| it.0).sum::<f64>() / size,
            rate: band.iter().filter(|it| it.1).count() as f64 / size,
        });
        from = to;
    }
    let over = |term: &dyn Fn(&Band) -> f64| bands.iter().map(|it| it.n_rows as f64 * term(it)).sum::<f64>() / n;
    let ece = over(&|it| (it.score_mean - it.rate).abs());
    let reliability = over(&|it| (it.score_mean - it.rate).powi(2));
    let resolution = over(&|it| (it.rate - mean).powi(2));
    let uncertainty = mean * (1.0 - mean);
    let within_bands = brier - (reliability - resolution + uncertainty);
    Some(Calibration { bands, ece, brier, reliability, resolution, uncertainty, within_bands })
}

/// How long before the events the warnings came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeadTimes {
    /// Events, warned of or not.
    pub n_events: u64,
    /// Events with a warning on an earlier day.
    pub n_warned: u64,
    /// Share of all events with a warning at least seven days before.
    pub share_week: Option<f64>,
    /// Median of the days of all warned events, late warnings being 0 days.
    pub median_days: Option<f64>,
    /// Days of every event that was ever warned of, ascending; a warning on the day or later counts 0.
    pub days: Vec<u32>,
}

/// Events whose first warning came so many days before them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeadBand {
    /// Least days, 0 for a warning on the day or later; `None` where no warning ever came.
    pub from_days: Option<u32>,
    /// Most days; `None` without an end, or where no warning ever came.
    pub to_days: Option<u32>,
    /// Events.
    pub n_events: u64,
}

impl LeadTimes {
    /// How the times are spread: never warned of, too late, within a week, and by weeks; every event stands in one band.
    pub fn bands(&self) -> Vec<LeadBand> {
        const BANDS: [(u32, Option<u32>); 5] = [(0, Some(0)), (1, Some(6)), (7, Some(13)), (14, Some(27)), (28, None)];
        let never = self.n_events.saturating_sub(self.days.len() as u64);
        let band = |(from, to): (u32, Option<u32>)| LeadBand {
            from_days: Some(from),
            to_days: to,
            n_events: self.days.iter().filter(|it| from <= **it && to.is_none_or(|to| **it <= to)).count() as u64,
        };
        let never = LeadBand { from_days: None, to_days: None, n_events: never };
        std::iter::once(never).chain(BANDS.into_iter().map(band)).collect()
    }
}

/// Returns the time from the first qualifying warning to the event, event by event.
///
/// # Shape
/// One item an event: its day, and the day of the first warning that qualifies, if there was one.
///
/// # Units
/// Days since 1970-01-01 in, days out.
pub fn lead_times(events: &[(i32, Option<i32>)]) -> LeadTimes {
    let mut days: Vec<u32> = events
        .iter()
        .filter_map(|(event_on, warned_on)| warned_on.map(|it| u32::try_from(i64::from(*event_on) - i64::from(it)).unwrap_or(0)))
        .collect();
    days.sort_unstable();
    let middle = days.len() / 2;
    let median_days = match days.len() {
        0 => None,
        n if n % 2 == 1 => Some(f64::from(days[middle])),
        _ => Some((f64::from(days[middle - 1]) + f64::from(days[middle])) / 2.0),
    };
    LeadTimes {
        n_events: events.len() as u64,
        n_warned: days.iter().filter(|it| 0 < **it).count() as u64,
        share_week: ratio(days.iter().filter(|it| 7 <= **it).count() as f64, events.len() as f64),
        median_days,
        days,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pattern: &str) -> Vec<bool> {
        pattern.bytes().map(|it| it == b'+').collect()
    }

    #[track_caller]
    fn check_auroc(scores: &[f64], pattern: &str, expected: Option<f64>) {
        assert_eq!(auroc(scores, &labels(pattern)), expected, "scores {scores:?} of {pattern}");
    }

    #[test]
    #[rustfmt::skip] // The columns are the table.
    fn the_area_is_the_share_of_pairs_in_order() {
        check_auroc(&[],                        "",     None);
        check_auroc(&[0.1, 0.2],                "++",   None);
        check_auroc(&[0.1, 0.9],                "-+",   Some(1.0));
        check_auroc(&[0.9, 0.1],                "-+",   Some(0.0));
        check_auroc(&[0.5, 0.5, 0.5, 0.5],      "-+-+", Some(0.5));
        // Pairs: (.8,.4) right, (.8,.6) right, (.6,.4) right, (.6,.6) a tie: 3.5 of 4.
        check_auroc(&[0.8, 0.6, 0.6, 0.4],      "++--", Some(0.875));
        check_auroc(&[0.0, -0.0],               "-+",   Some(0.5));
    }

    #[test]
    fn a_list_takes_the_best_and_breaks_ties_as_told() {
        let scores = [0.2, 0.9, 0.5, f64::NAN, 0.5];
        assert_eq!(top_k(&scores, &[0, 0, 9, 0, 1], 3), [1, 4, 2]);
        assert_eq!(top_k(&scores, &[0, 0, 1, 0, 9], 2), [1, 2]);
        assert_eq!(top_k(&scores, &[0; 5], 10).len(), 4);
        assert_eq!(top_k(&scores, &[0; 5], 0), [0_usize; 0]);
    }

    #[test]
    fn every_event_stands_in_one_band_of_lead_times() {
        // Never, three days late, on the day, 1, 6, 7, 13, 14, 27, 28 and 90 days before.
        let first = [None, Some(103), Some(100), Some(99), Some(94), Some(93), Some(87), Some(86), Some(73), Some(72), Some(10)];
        let times = lead_times(&first.map(|it| (100, it)));
        let bands = times.bands();
        assert_eq!(bands.iter().map(|it| it.n_events).collect::<Vec<_>>(), [1, 2, 2, 2, 2, 2]);
        assert_eq!(bands.iter().map(|it| it.n_events).sum::<u64>(), times.n_events);
        assert_eq!((bands[0].from_days, bands[1].to_days, bands[5].to_days), (None, Some(0), None));
        assert!(lead_times(&[]).bands().iter().all(|it| it.n_events == 0));
    }

    #[test]
    fn precision_recall_and_lift_of_a_list() {
        // 3 listed, 2 of them hits; 4 of 12 rows are positive.
        let at = AtK::of(&[0, 1, 5], &labels("++--+-+-----"));
        assert_eq!((at.precision(), at.recall(), at.base_rate()), (Some(2.0 / 3.0), Some(0.5), Some(1.0 / 3.0)));
        assert_eq!(at.lift().map(|it| (it * 1e9).round() / 1e9), Some(2.0));
        let nothing = AtK::of(&[], &labels("---"));
        assert_eq!((nothing.precision(), nothing.recall(), nothing.lift()), (None, None, None));
    }

    #[test]
    fn the_brier_score_and_its_parts_by_hand() {
        // Two bands of equal scores: 0.2 with 1 of 4, 0.8 with 3 of 4.
        let scores = [0.2, 0.2, 0.2, 0.2, 0.8, 0.8, 0.8, 0.8];
        let it = calibration(&scores, &labels("+---+++-")).unwrap();
        let round = |it: f64| (it * 1e9).round() / 1e9;
        assert_eq!(it.bands.len(), 2);
        assert_eq!((it.bands[0].n_rows, it.bands[0].rate, it.bands[1].rate), (4, 0.25, 0.75));
        // Brier: (6 * 0.04 + 2 * 0.64) / 8.
        assert_eq!(round(it.brier), 0.19);
        assert_eq!((round(it.reliability), round(it.resolution), it.uncertainty), (0.0025, 0.0625, 0.25));
        assert_eq!((round(it.within_bands), round(it.ece)), (0.0, 0.05));
    }

    #[test]
    fn tenths_have_equally_many_rows_and_never_part_a_tie() {
        let scores: Vec<f64> = (0..100).map(|it| f64::from(it) / 100.0).collect();
        let sizes = |scores: &[f64]| -> Vec<u64> {
            calibration(scores, &vec![false; scores.len()]).unwrap().bands.iter().map(|it| it.n_rows).collect()
        };
        assert_eq!(sizes(&scores), [10; 10]);
        assert_eq!(sizes(&[0.3; 25]), [25]);
        let mut half_tied = scores.clone();
        half_tied[..55].fill(0.0);
        assert_eq!(sizes(&half_tied), [55, 5, 10, 10, 10, 10]);
        assert_eq!(calibration(&[], &[]), None);
    }

    #[test]
    fn a_warning_after_the_event_counts_as_zero_days() {
        let it = lead_times(&[(100, Some(86)), (100, Some(97)), (100, Some(100)), (100, Some(120)), (100, None)]);
        assert_eq!(it.days, [0, 0, 3, 14]);
        assert_eq!((it.n_events, it.n_warned), (5, 2));
        assert_eq!((it.share_week, it.median_days), (Some(0.2), Some(1.5)));
        let none = lead_times(&[]);
        assert_eq!((none.share_week, none.median_days), (None, None));
    }
}
