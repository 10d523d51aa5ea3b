//! Trends: whether a student's weeks have moved away from the student's own past, and are not moved by what moved all.
//!
//! Three steps. Each recent week is held against the student's own earlier teaching weeks ([`Scored`]). What a building,
//! a floor, a class or a whole college did together is found and taken off ([`crate::environment`]). What is left is
//! added up week by week, so that a lasting small change counts more than one odd week ([`signals`]).

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::environment::{self, Notice};
use crate::middle::{MAD_TO_SD, median, middle};

/// A trend as its file in `sql/trend` declares it.
#[derive(Debug, Clone, PartialEq)]
pub struct Trend {
    /// Name of the file.
    pub name: String,
    /// Where it is seen: two trends of one channel are one witness.
    pub channel: String,
    /// Whether more is what somebody should look at; otherwise less is.
    pub is_rising: bool,
    /// Least denominator of z, in the trend's unit: for students who never vary.
    pub mad_floor: f64,
    /// Least support of a week.
    pub n_min: i64,
    /// Least coverage of a week, 0 to 1.
    pub cov_min: f64,
}

/// How trends are told; `[warning.trend]` in the settings.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// Weeks that are looked at; older ones are the past they are held against.
    pub recent_weeks: u8,
    /// Least number of past weeks with a value.
    pub past_weeks_min: usize,
    /// Weight of the newest week in the moving average.
    pub ewma_lambda: f64,
    /// Slack of the sum: what a week may lie off without counting.
    pub cusum_k: f64,
    /// Sum at which a signal begins; it ends at half of it.
    pub cusum_h: f64,
    /// No week counts for more: one odd week alone never makes a signal.
    pub z_max: f64,
    /// Least size of a peer group.
    pub peer_min: usize,
    /// What counts as a shift of a group.
    pub environment: environment::Rules,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            recent_weeks: 4,
            past_weeks_min: 4,
            ewma_lambda: 0.3,
            cusum_k: 0.5,
            cusum_h: 4.0,
            z_max: 4.0,
            peer_min: 20,
            environment: environment::Rules::default(),
        }
    }
}

/// One week of one student on one trend.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Week {
    /// The student.
    pub key: i64,
    /// Place of the trend in the list of trends.
    pub trend: usize,
    /// Weeks before the as-of date: 0 is the last seven days.
    pub week: u8,
    /// In the trend's unit. Days that leave, holiday, outage or a lost card explain are not in it.
    pub value: f64,
    /// Days or events behind the value.
    pub n: i64,
    /// Share of the expected device time that was observed.
    pub cov: f64,
}

/// A student and the groups that may have moved together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The student.
    pub key: i64,
    /// Whom the student is compared with.
    pub peer: String,
    /// Groups by kind, such as `("building", "N2")`: each at most once a kind.
    pub groups: Vec<(String, String)>,
}

/// What a trend says of a student on a date. Only those whose sum is at least half of `cusum_h` are told.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    /// The student.
    pub key: i64,
    /// Place of the trend in the list of trends.
    pub trend: usize,
    /// Whether the signal stands: the sum reached `cusum_h` and has not fallen below half of it since.
    pub is_standing: bool,
    /// The newest week against the own past, net of what moved the group; in robust deviations, more is worse.
    pub z: f64,
    /// What was taken off the newest week because it moved the group.
    pub shift: f64,
    /// Moving average of z.
    pub ewma: f64,
    /// One-sided sum of z.
    pub cusum: f64,
    /// Weeks before the as-of date in which the change began; 0 is the last seven days.
    pub since_week: u8,
    /// Median of the past weeks, in the trend's unit.
    pub baseline: f64,
    /// Median of the weeks since the change, in the trend's unit.
    pub now_value: f64,
    /// Support of the weeks since the change.
    pub n: i64,
    /// Least coverage of the weeks since the change.
    pub cov: f64,
    /// Recent weeks without a value: nothing was seen, or all of it is explained.
    pub missing_weeks: u8,
    /// All that the figures above but `n` and `cov` follow from.
    pub input: Input,
}

/// The canonical input of a signal: [`Input::told`] says the same of it for ever, bit for bit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Whether more is worse.
    pub is_rising: bool,
    /// Least denominator of z.
    pub mad_floor: f64,
    /// Weight of the newest week in the moving average.
    pub ewma_lambda: f64,
    /// Slack of the sum.
    pub cusum_k: f64,
    /// Sum at which a signal begins.
    pub cusum_h: f64,
    /// No week counts for more.
    pub z_max: f64,
    /// Values of all weeks, the last seven days first; empty where nothing is known.
    pub values: Vec<Option<f64>>,
    /// What is taken off each recent week, in robust deviations; as many as there are recent weeks.
    pub shifts: Vec<f64>,
}

/// What follows from an [`Input`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Told {
    /// See [`Signal::is_standing`].
    pub is_standing: bool,
    /// See [`Signal::z`].
    pub z: f64,
    /// See [`Signal::ewma`].
    pub ewma: f64,
    /// See [`Signal::cusum`].
    pub cusum: f64,
    /// See [`Signal::since_week`].
    pub since_week: u8,
    /// See [`Signal::baseline`].
    pub baseline: f64,
    /// See [`Signal::now_value`].
    pub now_value: f64,
}

impl Input {
    /// Scores the weeks. NaN where there is no past or no last week.
    pub fn told(&self) -> Told {
        let recent = self.shifts.len().min(self.values.len());
        let (baseline, z) = against_past(self.is_rising, self.mad_floor, &self.values, recent);
        let (mut ewma, mut cusum, mut since, mut is_standing) = (0.0, 0.0, recent.saturating_sub(1), false);
        let mut newest = f64::NAN;
        for week in (0..recent).rev() {
            let z = (z[week] - self.shifts[week]).clamp(-self.z_max, self.z_max);
            newest = z;
            // A week of which nothing is known changes nothing.
            if z.is_nan() {
                continue;
            }
            if cusum == 0.0 {
                since = week;
            }
            ewma = self.ewma_lambda * z + (1.0 - self.ewma_lambda) * ewma;
            cusum = (cusum + z - self.cusum_k).max(0.0);
            is_standing = self.cusum_h <= cusum || (is_standing && self.cusum_h / 2.0 <= cusum);
        }
        let mut values: Vec<f64> = self.values.iter().take(since + 1).flatten().copied().collect();
        let now_value = median(&mut values);
        Told { is_standing, z: newest, ewma, cusum, since_week: since as u8, baseline, now_value }
    }
}

/// Median of the past weeks, and the recent ones against it: positive is worse, NaN where nothing is known.
fn against_past(is_rising: bool, mad_floor: f64, values: &[Option<f64>], recent: usize) -> (f64, Vec<f64>) {
    let mut past: Vec<f64> = values.iter().skip(recent).flatten().copied().collect();
    let (baseline, mad) = middle(&mut past);
    let spread = (MAD_TO_SD * mad).max(mad_floor);
    let off = |it: &Option<f64>| match (it, is_rising) {
        (None, _) => f64::NAN,
        (Some(value), true) => (value - baseline) / spread,
        (Some(value), false) => (baseline - value) / spread,
    };
    (baseline, values.iter().take(recent).map(off).collect())
}

/// A student's weeks on one trend, the recent ones held against the own past.
#[derive(Debug, Clone)]
pub(crate) struct Scored {
    pub(crate) member: usize,
    pub(crate) trend: usize,
    /// By recent week; NaN where nothing is known. Positive is worse.
    pub(crate) z: Vec<f64>,
    values: Vec<Option<f64>>,
    n: Vec<i64>,
    cov: Vec<f64>,
}

/// Signals of students, and notices of groups that moved together.
///
/// # Shape
/// `weeks` and `members` in any order; a week of nobody in `members` is left out. Signals come by key and trend, notices by
/// trend, kind and group.
///
/// # Source
/// EWMA: Roberts (1959). One-sided sum with slack: Page (1954). Medians as centre and spread: Hampel (1974).
pub fn signals(trends: &[Trend], rules: &Rules, members: &[Member], weeks: &[Week]) -> (Vec<Signal>, Vec<Notice>) {
    let mut members: Vec<&Member> = members.iter().collect();
    members.sort_by_key(|it| it.key);
    let scored = score(trends, rules, &members, weeks);
    let mut notices = Vec::new();
    let mut shifts: Vec<Vec<f64>> = scored.iter().map(|it| vec![0.0; it.z.len()]).collect();
    for trend in 0..trends.len() {
        let rows: Vec<usize> = (0..scored.len()).filter(|it| scored[*it].trend == trend).collect();
        let shared = environment::shared(&rules.environment, &members, &scored, &rows, trend);
        notices.extend(shared.notices);
        for week in 0..usize::from(rules.recent_weeks) {
            let off_peers = peers(rules, &members, &scored, &rows, week);
            for (place, row) in rows.iter().enumerate() {
                // The greater of what the peers and what the surroundings did: taking off both would count it twice.
                shifts[*row][week] = off_peers[place].max(shared.shifts[week][place]);
            }
        }
    }
    let signals = scored.iter().zip(shifts).filter_map(|(row, shifts)| signal(trends, rules, &members, row, shifts)).collect();
    (signals, notices)
}

/// Every student's recent weeks against the own past; students without enough of it have no row.
fn score(trends: &[Trend], rules: &Rules, members: &[&Member], weeks: &[Week]) -> Vec<Scored> {
    let places: HashMap<i64, usize> = members.iter().enumerate().map(|(place, it)| (it.key, place)).collect();
    let mut known: Vec<(usize, usize, Week)> = weeks
        .iter()
        .filter(|it| {
            let trend = &trends[it.trend];
            it.value.is_finite() && trend.n_min <= it.n && trend.cov_min <= it.cov
        })
        .filter_map(|it| Some((*places.get(&it.key)?, it.trend, *it)))
        .collect();
    known.sort_unstable_by_key(|(member, trend, week)| (*member, *trend, week.week));
    let recent = usize::from(rules.recent_weeks);
    let mut scored = Vec::new();
    for rows in known.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
        let (member, trend, _) = rows[0];
        let weeks = rows.iter().map(|it| usize::from(it.2.week) + 1).max().unwrap_or(0).max(recent);
        let (mut values, mut n, mut cov) = (vec![None; weeks], vec![0; weeks], vec![1.0; weeks]);
        for (_, _, it) in rows {
            let week = usize::from(it.week);
            (values[week], n[week], cov[week]) = (Some(it.value), it.n, it.cov);
        }
        // Without a past, or without the last seven days, nothing is said of today.
        if values.iter().skip(recent).flatten().count() < rules.past_weeks_min.max(1) || values[0].is_none() {
            continue;
        }
        let (_, z) = against_past(trends[trend].is_rising, trends[trend].mad_floor, &values, recent);
        scored.push(Scored { member, trend, z, values, n, cov });
    }
    scored
}

/// The middle of each row's peers in a week, in the order of `rows`; 0 where they are too few to be compared with.
fn peers(rules: &Rules, members: &[&Member], scored: &[Scored], rows: &[usize], week: usize) -> Vec<f64> {
    let mut of_peer: HashMap<&str, Vec<f64>> = HashMap::new();
    for row in rows.iter().map(|it| &scored[*it]).filter(|it| !it.z[week].is_nan()) {
        of_peer.entry(&members[row.member].peer).or_default().push(row.z[week]);
    }
    of_peer.retain(|_, it| rules.peer_min.max(1) <= it.len());
    let middles: HashMap<&str, f64> = of_peer.into_iter().map(|(peer, mut it)| (peer, median(&mut it))).collect();
    let of = |row: &usize| middles.get(members[scored[*row].member].peer.as_str()).copied().unwrap_or(0.0);
    rows.iter().map(of).collect()
}

/// Adds up a student's weeks; `None` if they lie too little off.
fn signal(trends: &[Trend], rules: &Rules, members: &[&Member], row: &Scored, shifts: Vec<f64>) -> Option<Signal> {
    let input = Input {
        is_rising: trends[row.trend].is_rising,
        mad_floor: trends[row.trend].mad_floor,
        ewma_lambda: rules.ewma_lambda,
        cusum_k: rules.cusum_k,
        cusum_h: rules.cusum_h,
        z_max: rules.z_max,
        values: row.values.clone(),
        shifts,
    };
    let told = input.told();
    if told.cusum < rules.cusum_h / 2.0 {
        return None;
    }
    let since_then = (0..=usize::from(told.since_week)).filter(|it| row.values[*it].is_some());
    Some(Signal {
        key: members[row.member].key,
        trend: row.trend,
        is_standing: told.is_standing,
        z: told.z,
        shift: input.shifts[0],
        ewma: told.ewma,
        cusum: told.cusum,
        since_week: told.since_week,
        baseline: told.baseline,
        now_value: told.now_value,
        n: since_then.clone().map(|it| row.n[it]).sum(),
        cov: since_then.map(|it| row.cov[it]).fold(1.0, f64::min),
        missing_weeks: row.z.iter().filter(|it| it.is_nan()).count() as u8,
        input,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breakfast() -> Trend {
        Trend {
            name: "breakfast".to_owned(),
            channel: "meal".to_owned(),
            is_rising: false,
            mad_floor: 0.5,
            n_min: 3,
            cov_min: 0.5,
        }
    }

    fn member(key: i64) -> Member {
        Member { key, peer: "p".to_owned(), groups: Vec::new() }
    }

    /// Weeks of one student, the newest first; NaN is no row.
    fn weeks(key: i64, values: &[f64]) -> Vec<Week> {
        let known = values.iter().enumerate().filter(|it| !it.1.is_nan());
        known.map(|(week, value)| Week { key, trend: 0, week: week as u8, value: *value, n: 5, cov: 1.0 }).collect()
    }

    fn one(values: &[f64]) -> Option<Signal> {
        let (mut signals, _) = signals(&[breakfast()], &Rules::default(), &[member(1)], &weeks(1, values));
        signals.pop()
    }

    #[test]
    fn a_lasting_change_is_a_signal_with_the_week_in_which_it_began() {
        // Past: median 4, deviation 0, so the floor of 0.5 counts. Two weeks at 2: z = 4 and 4, less 0.5 each.
        let signal = one(&[2.0, 2.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0]).expect("a signal");
        assert!(signal.is_standing);
        assert_eq!((signal.z, signal.cusum, signal.since_week), (4.0, 7.0, 1));
        assert_eq!((signal.baseline, signal.now_value, signal.n), (4.0, 2.0, 10));
        assert!((signal.ewma - (0.3 * 4.0 + 0.7 * 0.3 * 4.0)).abs() < 1e-12);
    }

    #[test]
    fn one_odd_week_is_not_a_signal_and_more_breakfasts_are_none_at_all() {
        let odd = one(&[0.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0]).expect("it is watched");
        assert!(!odd.is_standing);
        assert_eq!(odd.cusum, 3.5);
        assert_eq!(one(&[9.0, 9.0, 9.0, 9.0, 4.0, 4.0, 4.0, 4.0]), None);
    }

    #[test]
    fn a_signal_ends_at_half_of_what_begins_it() {
        // z = 4, 4, then 0, 0: the sum goes 3.5, 7, 6.5, 6 and still stands.
        assert!(one(&[4.0, 4.0, 2.0, 2.0, 4.0, 4.0, 4.0, 4.0]).expect("a signal").is_standing);
        // z = 4, 2, -2, -2: 3.5, 5, 2.5, 0.
        assert_eq!(one(&[5.0, 5.0, 3.0, 2.0, 4.0, 4.0, 4.0, 4.0]), None);
        // z = 4, 2, -2: 3.5, 5, 2.5 is above half of 4 and stands; without ever reaching 4 it would not.
        assert!(one(&[5.0, 3.0, 2.0, 4.0, 4.0, 4.0, 4.0, 4.0]).expect("a signal").is_standing);
        assert!(!one(&[4.0, 2.5, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0]).expect("it is watched").is_standing);
    }

    #[test]
    fn what_is_not_known_is_no_guilt() {
        let nan = f64::NAN;
        // Without the last week, or without a past, nothing is said.
        assert_eq!(one(&[nan, 0.0, 0.0, 0.0, 4.0, 4.0, 4.0, 4.0]), None);
        assert_eq!(one(&[0.0, 0.0, 0.0, 0.0, 4.0, 4.0, 4.0]), None);
        let gap = one(&[2.0, nan, 2.0, 4.0, 4.0, 4.0, 4.0, 4.0]).expect("a signal");
        assert_eq!((gap.cusum, gap.missing_weeks, gap.since_week), (7.0, 1, 2));
        // A week below the floor of support or coverage is no week.
        let mut thin = weeks(1, &[0.0, 0.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0]);
        thin[0].n = 2;
        assert_eq!(signals(&[breakfast()], &Rules::default(), &[member(1)], &thin).0, []);
        thin[0].n = 5;
        thin[0].cov = 0.4;
        assert_eq!(signals(&[breakfast()], &Rules::default(), &[member(1)], &thin).0, []);
    }

    #[test]
    fn what_the_peers_did_too_is_taken_off() {
        let rules = Rules { peer_min: 3, ..Rules::default() };
        let members: Vec<Member> = (1..=5).map(member).collect();
        let fall = [2.0, 2.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0];
        let all: Vec<Week> = (1..=5).flat_map(|it| weeks(it, &fall)).collect();
        assert_eq!(signals(&[breakfast()], &rules, &members, &all).0, []);
        let steady = [4.0; 8];
        let alone: Vec<Week> = (1..=5).flat_map(|it| weeks(it, if it == 3 { &fall } else { &steady })).collect();
        let found = signals(&[breakfast()], &rules, &members, &alone).0;
        assert_eq!(found.iter().map(|it| it.key).collect::<Vec<_>>(), [3]);
    }

    #[test]
    fn the_order_of_the_rows_changes_nothing() {
        let members: Vec<Member> = (1..=30).map(member).collect();
        let value = |key: i64, week: u8| ((key * 7 + i64::from(week) * 13) % 11) as f64 - if week < 2 { 3.0 } else { 0.0 };
        let mut rows: Vec<Week> = (1..=30)
            .flat_map(|key| (0..10).map(move |week| Week { key, trend: 0, week, value: value(key, week), n: 5, cov: 1.0 }))
            .collect();
        let forward = signals(&[breakfast()], &Rules::default(), &members, &rows);
        rows.reverse();
        let backward: Vec<Member> = members.iter().rev().cloned().collect();
        assert!(!forward.0.is_empty());
        assert_eq!(forward, signals(&[breakfast()], &Rules::default(), &backward, &rows));
    }

    #[test]
    fn what_was_told_follows_from_the_stored_input_bit_for_bit() {
        let signal = one(&[2.1, f64::NAN, 2.7, 3.9, 4.3, 4.0, 3.7, 4.0]).expect("a signal");
        let stored = serde_json::to_string(&signal.input).expect("text");
        let again: Input = serde_json::from_str(&stored).expect("an input");
        let told = again.told();
        let bits = |it: [f64; 5]| it.map(f64::to_bits);
        assert_eq!(
            bits([told.z, told.ewma, told.cusum, told.baseline, told.now_value]),
            bits([signal.z, signal.ewma, signal.cusum, signal.baseline, signal.now_value])
        );
        assert_eq!((told.is_standing, told.since_week), (signal.is_standing, signal.since_week));
    }
}
