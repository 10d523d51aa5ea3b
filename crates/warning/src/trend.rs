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
    /// Whether a value is the share of `n` events that were so: chance then moves few events by much and many by little.
    pub is_of_events: bool,
    /// Least denominator of z, in the trend's unit: for students who never vary. Not read where values are of events.
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
    /// How many weeks of one's own the campus's usual spread is worth.
    pub usual_weeks: f64,
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
            usual_weeks: 6.0,
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
    /// Events behind each value, where values are shares of events; empty otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<i64>,
    /// What is usual on the campus: the spread of a student's weeks; of shares of events, in units of what chance makes.
    #[serde(default)]
    pub usual_spread: f64,
    /// How many weeks of one's own that is worth.
    #[serde(default)]
    pub usual_weeks: f64,
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
        let (baseline, z) = self.against_past(recent);
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
        let now_value = if self.events.is_empty() {
            median(&mut self.values.iter().take(since + 1).flatten().copied().collect::<Vec<f64>>())
        } else {
            Events::of(&self.values, &self.events, 0, since + 1).share()
        };
        Told { is_standing, z: newest, ewma, cusum, since_week: since as u8, baseline, now_value }
    }

    /// What was usual in the past weeks, and the recent ones against it: positive is worse, NaN where nothing is known.
    fn against_past(&self, recent: usize) -> (f64, Vec<f64>) {
        let off = |value: f64, baseline: f64, spread: f64| {
            if self.is_rising { (value - baseline) / spread } else { (baseline - value) / spread }
        };
        if !self.events.is_empty() {
            let past = Events::of(&self.values, &self.events, recent, self.values.len());
            let of_week = |week: usize| {
                let it = Events::of(&self.values, &self.events, week, week + 1);
                let spread = (it.variance() + past.variance()).sqrt() * self.usual_spread.max(1.0);
                if it.n == 0.0 || past.n == 0.0 { f64::NAN } else { off(it.angle(), past.angle(), spread) }
            };
            return (past.share(), (0..recent).map(of_week).collect());
        }
        let mut past: Vec<f64> = self.values.iter().skip(recent).flatten().copied().collect();
        let weeks = past.len() as f64;
        let (baseline, mad) = middle(&mut past);
        // A handful of weeks says little of how much somebody varies: what is usual on the campus says the rest.
        let own = (MAD_TO_SD * mad).powi(2);
        let moderated = (weeks * own + self.usual_weeks * self.usual_spread.powi(2)) / (weeks + self.usual_weeks);
        let spread = if 0.0 < self.usual_weeks { moderated.sqrt() } else { own.sqrt() }.max(self.mad_floor);
        let z = |it: &Option<f64>| it.map_or(f64::NAN, |value| off(value, baseline, spread));
        (baseline, self.values.iter().take(recent).map(z).collect())
    }
}

/// Events of some weeks, and how many of them were so.
#[derive(Debug, Clone, Copy)]
struct Events {
    so: f64,
    n: f64,
}

impl Events {
    fn of(values: &[Option<f64>], events: &[i64], from: usize, to: usize) -> Self {
        let mut all = Self { so: 0.0, n: 0.0 };
        for (value, n) in values.iter().zip(events).take(to).skip(from) {
            if let Some(value) = value {
                // A share times its events is a whole number.
                all.so += (value * *n as f64).round();
                all.n += *n as f64;
            }
        }
        all
    }

    fn share(self) -> f64 {
        if self.n == 0.0 { f64::NAN } else { self.so / self.n }
    }

    /// The share on a scale on which chance spreads all shares alike (Anscombe 1948).
    fn angle(self) -> f64 {
        2.0 * ((self.so + 0.375) / (self.n + 0.75)).sqrt().asin()
    }

    fn variance(self) -> f64 {
        1.0 / (self.n + 0.5)
    }
}

/// A student's weeks on one trend, the recent ones held against the own past.
#[derive(Debug, Clone)]
pub(crate) struct Scored {
    pub(crate) member: usize,
    pub(crate) trend: usize,
    /// By recent week; NaN where nothing is known. Positive is worse.
    pub(crate) z: Vec<f64>,
    n: Vec<i64>,
    cov: Vec<f64>,
    /// What z follows from; what groups did is not in it yet.
    input: Input,
}

/// Signals of students, and notices of groups that moved together.
///
/// # Shape
/// `weeks` and `members` in any order; a week of nobody in `members` is left out. Signals come by key and trend, notices by
/// trend, kind and group.
///
/// # Source
/// EWMA: Roberts (1959). One-sided sum with slack: Page (1954). Medians as centre and spread: Hampel (1974). Own spread
/// moderated by the usual one: Smyth (2004). Shares of events: Anscombe (1948).
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
        for (week, shared) in shared.shifts.iter().enumerate().take(usize::from(rules.recent_weeks)) {
            let off_peers = peers(rules, &members, &scored, &rows, week);
            for (place, row) in rows.iter().enumerate() {
                // The greater of what the peers and what the surroundings did: taking off both would count it twice.
                shifts[*row][week] = off_peers[place].max(shared[place]);
            }
        }
    }
    let signals = scored.iter().zip(shifts).filter_map(|(row, shifts)| signal(rules, &members, row, shifts)).collect();
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
        let input = Input {
            is_rising: trends[trend].is_rising,
            mad_floor: trends[trend].mad_floor,
            events: if trends[trend].is_of_events { n.clone() } else { Vec::new() },
            usual_spread: 0.0,
            usual_weeks: 0.0,
            ewma_lambda: rules.ewma_lambda,
            cusum_k: rules.cusum_k,
            cusum_h: rules.cusum_h,
            z_max: rules.z_max,
            values,
            shifts: vec![0.0; recent],
        };
        scored.push(Scored { member, trend, z: Vec::new(), n, cov, input });
    }
    for (trend, Trend { is_of_events, .. }) in trends.iter().enumerate() {
        let usual = usual_spread(rules, *is_of_events, scored.iter().filter(|it| it.trend == trend));
        for it in scored.iter_mut().filter(|it| it.trend == trend) {
            it.input.usual_spread = usual;
            it.input.usual_weeks = if *is_of_events || usual == 0.0 { 0.0 } else { rules.usual_weeks };
            it.z = it.input.against_past(recent).1;
        }
    }
    scored
}

/// How much the past weeks of a student usually vary on the campus; 0 where too few are there to be compared with.
fn usual_spread<'a>(rules: &Rules, is_of_events: bool, rows: impl Iterator<Item = &'a Scored>) -> f64 {
    let recent = usize::from(rules.recent_weeks);
    if !is_of_events {
        let own =
            |it: &Scored| MAD_TO_SD * middle(&mut it.input.values.iter().skip(recent).flatten().copied().collect::<Vec<f64>>()).1;
        let mut all: Vec<f64> = rows.map(own).collect();
        return if all.len() < rules.peer_min.max(1) { 0.0 } else { median(&mut all) };
    }
    // Days off take several events with them, so weeks vary more than chance alone would make them. Each past week is
    // held against the others.
    let (mut sum, mut weeks) = (0.0, 0.0);
    for it in rows {
        let (values, events) = (&it.input.values, &it.input.events);
        let all = Events::of(values, events, recent, values.len());
        for week in recent..values.len() {
            let own = Events::of(values, events, week, week + 1);
            let others = Events { so: all.so - own.so, n: all.n - own.n };
            if 0.0 < own.n && 0.0 < others.n {
                sum += (own.angle() - others.angle()).powi(2) / (own.variance() + others.variance());
                weeks += 1.0;
            }
        }
    }
    if weeks < rules.peer_min.max(1) as f64 { 0.0 } else { f64::sqrt(sum / weeks) }
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
fn signal(rules: &Rules, members: &[&Member], row: &Scored, shifts: Vec<f64>) -> Option<Signal> {
    let input = Input { shifts, ..row.input.clone() };
    let told = input.told();
    if told.cusum < rules.cusum_h / 2.0 {
        return None;
    }
    let since_then = (0..=usize::from(told.since_week)).filter(|it| row.input.values[*it].is_some());
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
            is_of_events: false,
            mad_floor: 0.5,
            n_min: 3,
            cov_min: 0.5,
        }
    }

    fn attendance() -> Trend {
        Trend { name: "attendance".to_owned(), is_of_events: true, ..breakfast() }
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

    /// Weeks of one student: classes attended, of so many.
    fn classes(key: i64, of: &[(i64, i64)]) -> Vec<Week> {
        let week = |(week, (so, n)): (usize, &(i64, i64))| Week {
            key,
            trend: 0,
            week: week as u8,
            value: *so as f64 / *n as f64,
            n: *n,
            cov: 1.0,
        };
        of.iter().enumerate().map(week).collect()
    }

    fn of_events(of: &[(i64, i64)]) -> Option<Signal> {
        let (mut signals, _) = signals(&[attendance()], &Rules::default(), &[member(1)], &classes(1, of));
        signals.pop()
    }

    #[test]
    fn a_missed_class_of_few_is_chance_and_the_same_share_of_many_is_not() {
        let always = (6, 6);
        let few = [(5, 6), (5, 6), (5, 6), (5, 6), (5, 6), always, always, always];
        assert!(of_events(&few).is_none_or(|it| !it.is_standing), "one class a week is what chance makes");
        let many = [(50, 60), (50, 60), (50, 60), (50, 60), (60, 60), (60, 60), (60, 60), (60, 60)];
        let signal = of_events(&many).expect("a signal");
        assert!(signal.is_standing);
        assert_eq!((signal.baseline, signal.now_value), (1.0, 50.0 / 60.0));
        // z by hand: 2 asin sqrt((k + 3/8) / (n + 3/4)), each with the variance 1 / (n + 1/2).
        let angle = |so: f64, n: f64| 2.0 * ((so + 0.375) / (n + 0.75)).sqrt().asin();
        let z = (angle(240.0, 240.0) - angle(50.0, 60.0)) / (1.0_f64 / 60.5 + 1.0 / 240.5).sqrt();
        assert!((signal.z - z.min(4.0)).abs() < 1e-12, "{} {z}", signal.z);
    }

    #[test]
    fn where_weeks_vary_more_than_chance_the_same_fall_says_less() {
        let rules = Rules { peer_min: 3, ..Rules::default() };
        let fall = [(3, 6), (3, 6), (6, 6), (6, 6), (6, 6), (6, 6), (6, 6), (6, 6)];
        let steady = [(6, 6); 8];
        // Days off take all classes of a week with them.
        let bumpy = [(6, 6), (6, 6), (6, 6), (6, 6), (0, 6), (6, 6), (0, 6), (6, 6)];
        let told = |others: &[(i64, i64)]| {
            let members: Vec<Member> = (1..=9).map(member).collect();
            let rows: Vec<Week> = (1..=9).flat_map(|key| classes(key, if key == 1 { &fall } else { others })).collect();
            signals(&[attendance()], &rules, &members, &rows).0.into_iter().find(|it| it.key == 1).map_or(0.0, |it| it.cusum)
        };
        assert!(told(&bumpy) < told(&steady), "{} {}", told(&bumpy), told(&steady));
    }

    #[test]
    fn who_never_varied_in_a_few_weeks_is_held_against_what_is_usual() {
        let rules = Rules { peer_min: 3, ..Rules::default() };
        let fall = [3.0, 3.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0];
        let told = |others: &[f64]| {
            let members: Vec<Member> = (1..=9).map(member).collect();
            let rows: Vec<Week> = (1..=9).flat_map(|key| weeks(key, if key == 1 { &fall } else { others })).collect();
            signals(&[breakfast()], &rules, &members, &rows).0.into_iter().find(|it| it.key == 1).map_or(0.0, |it| it.z)
        };
        let varied = [4.0, 4.0, 4.0, 4.0, 2.0, 6.0, 2.0, 6.0];
        assert!((told(&[4.0; 8]) - 2.0).abs() < 1e-12);
        // Four weeks without spread, and six of the campus's: 1.4826 * 2 each.
        let usual = (6.0 * (MAD_TO_SD * 2.0_f64).powi(2) / 10.0).sqrt();
        assert_eq!(told(&varied), 0.0, "a fall of one in {usual:.2} is not watched");
    }

    #[test]
    fn the_order_of_the_rows_changes_nothing() {
        let members: Vec<Member> = (1..=30).map(member).collect();
        let value = |key: i64, week: u8| ((key * 7 + i64::from(week) * 13) % 11) as f64 - if week < 2 { 12.0 } else { 0.0 };
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
