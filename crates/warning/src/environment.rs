//! Environment first: what a floor, a building, a class or a college did together is told once, about all of them.
//!
//! A canteen that closes moves hundreds of students; hundreds of hints about students would be hundreds of errors.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Deserialize;

use crate::middle::{MAD_TO_SD, middle};
use crate::trend::{Member, Scored};

/// What counts as a shift of a group; `[warning.trend.environment]` in the settings.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// Least size of a group: of fewer it would speak of persons.
    pub group_min: usize,
    /// Least shift of the group's middle, in robust deviations.
    pub shift_min: f64,
    /// Least shift in standard errors of the middle.
    pub t_min: f64,
}

impl Default for Rules {
    fn default() -> Self {
        Self { group_min: 10, shift_min: 0.75, t_min: 4.0 }
    }
}

/// A group that moved together in the last seven days.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// Place of the trend in the list of trends.
    pub trend: usize,
    /// Kind of the group, such as `building`.
    pub kind: String,
    /// Which one.
    pub group: String,
    /// Students with a value.
    pub n: usize,
    /// Middle of the group beyond what wider shifts explain, in robust deviations; more is worse.
    pub shift: f64,
    /// The shift in standard errors of a median.
    pub t: f64,
    /// Weeks before the as-of date since which it lasts without a gap; 0 is the last seven days.
    pub since_week: u8,
}

/// What was found for one trend.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) notices: Vec<Notice>,
    /// By week and place in the rows: what is taken off.
    pub(crate) shifts: Vec<Vec<f64>>,
}

#[derive(Debug, Clone)]
struct Found {
    n: usize,
    shift: f64,
    /// Robust deviation of the members around their shift, never below that of z itself.
    spread: f64,
    t: f64,
}

/// Finds the groups that moved together in each recent week, the best explanation first.
///
/// Where groups overlap, the one whose shift is surest is told and taken off its members before the others are looked at
/// again: a floor of a building that moved as a whole is told only if it moved more.
pub(crate) fn shared(rules: &Rules, members: &[&Member], scored: &[Scored], rows: &[usize], trend: usize) -> Shared {
    let weeks = rows.first().map_or(0, |it| scored[*it].z.len());
    let mut groups: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
    for (place, row) in rows.iter().enumerate() {
        for (kind, group) in &members[scored[*row].member].groups {
            groups.entry((kind, group)).or_default().push(place);
        }
    }
    groups.retain(|_, it| rules.group_min.max(1) <= it.len());
    let mut told: Vec<HashMap<(&str, &str), Found>> = Vec::new();
    let mut shifts = Vec::new();
    for week in 0..weeks {
        let mut left: Vec<f64> = rows.iter().map(|it| scored[*it].z[week]).collect();
        let mut of_week: HashMap<(&str, &str), Found> = HashMap::new();
        loop {
            let mut found: Vec<((&str, &str), Found)> = groups
                .iter()
                .filter(|(name, _)| !of_week.contains_key(*name))
                .filter_map(|(name, places)| Some((*name, moved(rules, &left, places)?)))
                .collect();
            if found.is_empty() {
                break;
            }
            found.sort_by(|a, b| b.1.t.total_cmp(&a.1.t).then_with(|| a.0.cmp(&b.0)));
            let mut taken: HashSet<usize> = HashSet::new();
            for (name, it) in found {
                let places = &groups[&name];
                if places.iter().any(|it| taken.contains(it)) {
                    continue;
                }
                taken.extend(places);
                // Whoever of them always had breakfast fell further than who seldom did: a member stands out of the group
                // only by more than the spread with which the group moved.
                places.iter().for_each(|place| left[*place] = (left[*place] - it.shift) / it.spread);
                of_week.insert(name, it);
            }
        }
        shifts.push(rows.iter().zip(&left).map(|(row, left)| scored[*row].z[week] - left).map(or_zero).collect());
        told.push(of_week);
    }
    let mut notices: Vec<Notice> = told.first().into_iter().flatten().map(|(name, it)| notice(trend, *name, it, &told)).collect();
    notices.sort_by(|a, b| (&a.kind, &a.group).cmp(&(&b.kind, &b.group)));
    Shared { notices, shifts }
}

fn or_zero(shift: f64) -> f64 {
    if shift.is_nan() { 0.0 } else { shift }
}

fn notice(trend: usize, (kind, group): (&str, &str), it: &Found, told: &[HashMap<(&str, &str), Found>]) -> Notice {
    let since = told.iter().take_while(|week| week.contains_key(&(kind, group))).count() - 1;
    Notice { trend, kind: kind.to_owned(), group: group.to_owned(), n: it.n, shift: it.shift, t: it.t, since_week: since as u8 }
}

/// How far a group moved towards worse; `None` if chance moves one as far.
fn moved(rules: &Rules, left: &[f64], places: &[usize]) -> Option<Found> {
    let mut values: Vec<f64> = places.iter().map(|it| left[*it]).filter(|it| !it.is_nan()).collect();
    let n = values.len();
    if n < rules.group_min.max(1) {
        return None;
    }
    let (shift, mad) = middle(&mut values);
    // A spread below that of z itself would make of few equal students a certainty.
    let spread = (MAD_TO_SD * mad).max(1.0);
    // Error of the median of normal values.
    let t = shift / ((std::f64::consts::FRAC_PI_2 / n as f64).sqrt() * spread);
    (rules.shift_min <= shift && rules.t_min <= t).then_some(Found { n, shift, spread, t })
}

#[cfg(test)]
mod tests {
    use crate::trend::{Member, Rules, Trend, Week, signals};

    const WEEKS: u8 = 10;

    fn trend() -> Trend {
        Trend {
            name: "meal".to_owned(),
            channel: "meal".to_owned(),
            is_rising: false,
            is_of_events: false,
            mad_floor: 0.5,
            n_min: 1,
            cov_min: 0.0,
        }
    }

    /// 400 students in 4 buildings of 4 floors; values wander by one around ten.
    fn campus(fall: impl Fn(i64, u8) -> f64) -> (Vec<Member>, Vec<Week>) {
        let building = |key: i64| key / 100;
        let floor = |key: i64| key / 25;
        let members = (0..400).map(|key| Member {
            key,
            peer: format!("{}", key % 3),
            groups: vec![
                ("building".to_owned(), building(key).to_string()),
                ("floor".to_owned(), floor(key).to_string()),
                ("class".to_owned(), (key % 12).to_string()),
                // Three classes each.
                ("major".to_owned(), (key % 4).to_string()),
            ],
        });
        // A fixed scatter, different from week to week.
        let noise = |key: i64, week: u8| ((key * 7919 + i64::from(week) * 104_729) % 1000) as f64 / 500.0 - 1.0;
        let weeks = (0..400).flat_map(|key| (0..WEEKS).map(move |week| (key, week)));
        let weeks = weeks.map(|(key, week)| Week {
            key,
            trend: 0,
            week,
            value: 10.0 + noise(key, week) - fall(key, week),
            n: 5,
            cov: 1.0,
        });
        (members.collect(), weeks.collect())
    }

    fn told(fall: impl Fn(i64, u8) -> f64) -> (usize, Vec<(String, String, u8)>) {
        let (members, weeks) = campus(fall);
        let (signals, notices) = signals(&[trend()], &Rules::default(), &members, &weeks);
        let notices = notices.into_iter().map(|it| (it.kind, it.group, it.since_week)).collect();
        (signals.iter().filter(|it| it.is_standing).count(), notices)
    }

    #[test]
    fn a_building_that_moved_is_one_notice_and_its_floors_none() {
        let shock = |key: i64, week: u8| if key / 100 == 2 && week < 2 { 4.0 } else { 0.0 };
        let (before, quiet) = told(|_, _| 0.0);
        assert_eq!(quiet, []);
        let (after, notices) = told(shock);
        assert_eq!(notices, [("building".to_owned(), "2".to_owned(), 1)]);
        assert!(after.abs_diff(before) <= 1 + before / 10, "{before} students before, {after} with the shock");
    }

    #[test]
    fn a_floor_that_moved_alone_is_told_as_the_floor() {
        let (_, notices) = told(|key, week| if key / 25 == 5 && week < 1 { 4.0 } else { 0.0 });
        assert_eq!(notices, [("floor".to_owned(), "5".to_owned(), 0)]);
    }

    #[test]
    fn a_class_that_moved_is_one_notice_and_its_major_none() {
        let (before, _) = told(|_, _| 0.0);
        let (after, notices) = told(|key, week| if key % 12 == 5 && week < 1 { 4.0 } else { 0.0 });
        assert_eq!(notices, [("class".to_owned(), "5".to_owned(), 0)]);
        assert!(after.abs_diff(before) <= 1 + before / 10, "{before} students before, {after} with the shock");
    }

    #[test]
    fn a_major_that_moved_is_one_notice_and_its_classes_none() {
        let (before, _) = told(|_, _| 0.0);
        let (after, notices) = told(|key, week| if key % 4 == 1 && week < 2 { 4.0 } else { 0.0 });
        assert_eq!(notices, [("major".to_owned(), "1".to_owned(), 1)]);
        assert!(after.abs_diff(before) <= 1 + before / 10, "{before} students before, {after} with the shock");
    }

    #[test]
    fn a_student_who_fell_more_than_the_building_is_still_seen() {
        let (members, weeks) = campus(|key, week| match (key, week) {
            (250, 0..3) => 9.0,
            (200..300, 0..3) => 3.0,
            _ => 0.0,
        });
        let (signals, _) = signals(&[trend()], &Rules::default(), &members, &weeks);
        assert!(signals.iter().any(|it| it.key == 250 && it.is_standing));
    }

    #[test]
    fn what_got_better_is_no_notice() {
        assert_eq!(told(|key, week| if key / 100 == 2 && week < 2 { -4.0 } else { 0.0 }).1, []);
    }
}
