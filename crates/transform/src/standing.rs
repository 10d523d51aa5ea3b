//! How far a value lies from the person's own past and from the peers: `z_self` and `z_peer`, once for all measures.
//!
//! Values of one date and of earlier Mondays go in, distances come out. Written here and not in SQL because it is the
//! same two medians for millions of small groups, which a query engine hashes again for every date.

use std::collections::{BTreeMap, HashMap};

/// Turns a median absolute deviation into a standard deviation of a normal distribution.
const MAD_TO_SD: f64 = 1.4826;

/// What is compared with what.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    /// Least denominator of each measure.
    pub(crate) floors: Vec<f64>,
    /// Which of the narrower groups of a person each measure is held against, if any.
    pub(crate) also: Vec<Option<usize>>,
    /// Least size of a peer group; below it the wider group is taken.
    pub(crate) peer_min: usize,
    /// Least number of past Mondays with a value.
    pub(crate) self_weeks_min: usize,
}

/// A value of a date: whose, which measure, how much.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Valued {
    pub(crate) key: i64,
    pub(crate) measure: usize,
    pub(crate) value: Option<f64>,
}

/// Groups of a person: the near one, the wider one, and those by which some measures narrow the near one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) key: i64,
    pub(crate) near: String,
    pub(crate) far: String,
    /// None where nothing is known of the person to narrow it by.
    pub(crate) narrower: Vec<Option<String>>,
}

/// Values of past Mondays, kept from one date to the next: each is read once in a build.
#[derive(Debug, Default)]
pub(crate) struct Past {
    places: HashMap<i64, usize>,
    /// Persons times measures, NaN where nothing is known.
    mondays: BTreeMap<i32, Vec<f64>>,
    /// Day from which on the own past of a person counts on the date that is built; of who is missing all of it does.
    pub(crate) since: HashMap<i64, i32>,
}

impl Past {
    /// Whether a Monday was read already.
    pub(crate) fn has(&self, monday: i32) -> bool {
        self.mondays.contains_key(&monday)
    }

    /// Takes in the values of a Monday.
    pub(crate) fn add(&mut self, monday: i32, measures: usize, values: impl Iterator<Item = Valued>) {
        let mut matrix = vec![f64::NAN; self.places.len() * measures];
        for it in values {
            let next = self.places.len();
            let row = *self.places.entry(it.key).or_insert(next);
            if matrix.len() < (row + 1) * measures {
                matrix.resize((row + 1) * measures, f64::NAN);
            }
            matrix[row * measures + it.measure] = it.value.unwrap_or(f64::NAN);
        }
        self.mondays.insert(monday, matrix);
    }

    /// Forgets Mondays before a date.
    pub(crate) fn forget_before(&mut self, monday: i32) {
        self.mondays = self.mondays.split_off(&monday);
    }
}

/// Distances of every value, in the order of the values: own past, peers.
pub(crate) fn standing(
    rules: &Rules,
    values: &[Valued],
    past: &Past,
    mondays: &[i32],
    peers: &[Peer],
) -> Vec<(Option<f64>, Option<f64>)> {
    let measures = rules.floors.len();
    let past_of: Vec<(i32, &Vec<f64>)> = mondays.iter().filter_map(|it| Some((*it, past.mondays.get(it)?))).collect();
    let groups = Groups::new(rules, values, peers);
    let mut own = Vec::with_capacity(past_of.len());
    values
        .iter()
        .map(|it| {
            let Some(value) = it.value else { return (None, None) };
            own.clear();
            if let Some(row) = past.places.get(&it.key) {
                let at = row * measures + it.measure;
                // A Monday tells of the week before it: that week lies behind the day as a whole.
                let first = past.since.get(&it.key).map_or(i32::MIN, |since| since + 7);
                let counted = past_of.iter().filter(|(monday, _)| first <= *monday);
                own.extend(counted.filter_map(|(_, matrix)| matrix.get(at)).copied().filter(|it| !it.is_nan()));
            }
            let z_self = (rules.self_weeks_min.max(1) <= own.len()).then(|| {
                let (centre, mad) = middle(&mut own);
                (value - centre) / (MAD_TO_SD * mad).max(rules.floors[it.measure])
            });
            let z_peer = groups
                .middle_of(it.key, it.measure)
                .map(|(centre, mad)| (value - centre) / (MAD_TO_SD * mad).max(rules.floors[it.measure]));
            (z_self, z_peer)
        })
        .collect()
}

/// Median, and median distance from it; sorts what it is given.
fn middle(values: &mut [f64]) -> (f64, f64) {
    let centre = median(values);
    values.iter_mut().for_each(|it| *it = (*it - centre).abs());
    (centre, median(values))
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let half = values.len() / 2;
    if values.len() % 2 == 1 { values[half] } else { (values[half - 1] + values[half]) / 2.0 }
}

/// Middles of the peer groups by measure.
struct Groups<'a> {
    rules: &'a Rules,
    of_person: HashMap<i64, OfPerson>,
    /// Group times measures.
    middles: Vec<Option<(f64, f64)>>,
}

/// The groups of a person by number.
struct OfPerson {
    near: usize,
    far: usize,
    narrower: Vec<Option<usize>>,
    /// The one of near and far that is large enough.
    usual: usize,
    /// For each list of columns the narrower group, or the usual one where it is small.
    held_against: Vec<usize>,
}

impl<'a> Groups<'a> {
    fn new(rules: &'a Rules, values: &[Valued], peers: &[Peer]) -> Self {
        let measures = rules.floors.len();
        // Which kind of group, and its name; the size counts people, whatever is known of them.
        let mut numbers: HashMap<(usize, &str), usize> = HashMap::new();
        let mut sizes: Vec<usize> = Vec::new();
        let mut number = |kind: usize, name| {
            let next = numbers.len();
            let number = *numbers.entry((kind, name)).or_insert(next);
            sizes.resize(sizes.len().max(number + 1), 0);
            sizes[number] += 1;
            number
        };
        let mut of_person = HashMap::new();
        for it in peers {
            let (near, far) = (number(0, it.near.as_str()), number(1, it.far.as_str()));
            let narrower = it.narrower.iter().enumerate();
            let narrower = narrower.map(|(place, name)| name.as_deref().map(|name| number(2 + place, name))).collect();
            of_person.insert(it.key, OfPerson { near, far, narrower, usual: near, held_against: Vec::new() });
        }
        // A person is held against the near group, or against the whole wider one where the near one is small.
        for it in of_person.values_mut() {
            it.usual = if sizes[it.near] < rules.peer_min { it.far } else { it.near };
            let large = |group: &Option<usize>| group.filter(|it| rules.peer_min <= sizes[*it]);
            it.held_against = it.narrower.iter().map(|group| large(group).unwrap_or(it.usual)).collect();
        }
        let mut members: Vec<Vec<f64>> = vec![Vec::new(); sizes.len() * measures];
        for it in values {
            if let (Some(value), Some(of)) = (it.value, of_person.get(&it.key)) {
                let narrower = rules.also[it.measure].and_then(|also| of.narrower[also]);
                for group in [Some(of.near), Some(of.far), narrower].into_iter().flatten() {
                    members[group * measures + it.measure].push(value);
                }
            }
        }
        let of = |values: &mut Vec<f64>| (rules.peer_min.max(1) <= values.len()).then(|| middle(values));
        Self { rules, of_person, middles: members.iter_mut().map(of).collect() }
    }

    fn middle_of(&self, key: i64, measure: usize) -> Option<(f64, f64)> {
        let of = self.of_person.get(&key)?;
        let group = self.rules.also[measure].map_or(of.usual, |also| of.held_against[also]);
        self.middles[group * self.rules.floors.len() + measure]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn valued(key: i64, value: f64) -> Valued {
        Valued { key, measure: 0, value: Some(value) }
    }

    fn peer(key: i64, near: &str, far: &str) -> Peer {
        Peer { key, near: near.to_owned(), far: far.to_owned(), narrower: Vec::new() }
    }

    #[test]
    fn a_value_is_held_against_the_own_mondays_and_no_others() {
        let rules = Rules { floors: vec![0.5], also: vec![None], peer_min: 20, self_weeks_min: 3 };
        let mut past = Past::default();
        for (monday, value) in [(0, 1.0), (7, 2.0), (14, 3.0), (21, 4.0), (28, 100.0)] {
            past.add(monday, 1, [valued(7, value)].into_iter());
        }
        let z = |mondays: &[i32]| standing(&rules, &[valued(7, 6.0)], &past, mondays, &[])[0].0;
        // Median 2.5, deviations 1.5 0.5 0.5 1.5, so 1.0: (6 - 2.5) / 1.4826.
        let expected = 3.5 / 1.4826;
        assert!((z(&[0, 7, 14, 21]).expect("a past") - expected).abs() < 1e-12);
        // Two weeks are too few to be a past.
        assert_eq!(z(&[0, 7]), None);
        // Of somebody else nothing is known.
        assert_eq!(standing(&rules, &[valued(8, 6.0)], &past, &[0, 7, 14, 21], &[])[0].0, None);
    }

    #[test]
    fn who_came_back_is_held_against_the_weeks_since_and_not_before_there_are_enough() {
        let rules = Rules { floors: vec![0.5], also: vec![None], peer_min: 20, self_weeks_min: 3 };
        let mut past = Past::default();
        for (monday, value) in [(0, 50.0), (7, 60.0), (14, 3.0), (21, 4.0), (28, 100.0)] {
            past.add(monday, 1, [valued(7, value), valued(8, value)].into_iter());
        }
        let mut z = |key, since: i32| {
            past.since = HashMap::from([(7, since)]);
            standing(&rules, &[valued(key, 6.0)], &past, &[0, 7, 14, 21, 28], &[])[0].0
        };
        // Since day 7 there are 3, 4 and 100: median 4, deviations 1 0 96, so 1.
        assert_eq!(z(7, 7), Some(2.0 / 1.4826));
        // The week before Monday 14 began on day 7: a day later it is not whole, and two weeks are too few.
        assert_eq!(z(7, 8), None);
        // Others keep all of theirs: median 50, deviations 0 10 47 46 50.
        assert_eq!(z(8, 8), Some(-44.0 / (1.4826 * 46.0)));
    }

    #[test]
    fn the_denominator_has_a_floor() {
        let rules = Rules { floors: vec![0.5], also: vec![None], peer_min: 20, self_weeks_min: 3 };
        let mut past = Past::default();
        for monday in [0, 7, 14] {
            past.add(monday, 1, [valued(7, 1.0)].into_iter());
        }
        assert_eq!(standing(&rules, &[valued(7, 2.0)], &past, &[0, 7, 14], &[])[0].0, Some(2.0));
    }

    #[test]
    fn a_small_group_is_held_against_the_whole_wider_one() {
        let rules = Rules { floors: vec![1.0], also: vec![None], peer_min: 3, self_weeks_min: 3 };
        // Three of class a, one of class b, all of one year.
        let peers = [peer(1, "a", "y"), peer(2, "a", "y"), peer(3, "a", "y"), peer(4, "b", "y")];
        let values = [valued(1, 1.0), valued(2, 2.0), valued(3, 3.0), valued(4, 10.0)];
        let z: Vec<_> = standing(&rules, &values, &Past::default(), &[], &peers).into_iter().map(|it| it.1).collect();
        // Class a: median 2, deviation 1. The year: 1 2 3 10, median 2.5, deviations 1.5 0.5 0.5 7.5, so 1.
        assert_eq!(z[0], Some(-1.0 / 1.4826));
        assert_eq!(z[1], Some(0.0));
        assert_eq!(z[3], Some(7.5 / 1.4826));
        // A wider group that is small as well says nothing.
        let few = [peer(1, "a", "x"), peer(4, "b", "y")];
        assert_eq!(standing(&rules, &values, &Past::default(), &[], &few)[3].1, None);
    }

    #[test]
    fn a_measure_may_narrow_its_peers_and_falls_back_to_the_usual_ones() {
        let at = |key, canteen: Option<&str>| Peer { narrower: vec![canteen.map(|it| format!("a|{it}"))], ..peer(key, "a", "y") };
        // Three eat in C1, one in C2, of one nothing is known; the second measure is no meal's.
        let peers = [at(1, Some("C1")), at(2, Some("C1")), at(3, Some("C1")), at(4, Some("C2")), at(5, None)];
        let rules = Rules { floors: vec![1.0, 1.0], also: vec![Some(0), None], peer_min: 3, self_weeks_min: 3 };
        let of =
            |measure| (1..=5).map(move |key| Valued { key, measure, value: Some([1.0, 2.0, 3.0, 10.0, 20.0][key as usize - 1]) });
        let values: Vec<Valued> = of(0).chain(of(1)).collect();
        let z: Vec<_> = standing(&rules, &values, &Past::default(), &[], &peers).into_iter().map(|it| it.1).collect();
        // C1: median 2, deviation 1. All five: median 3, deviations 2 1 0 7 17, so 2.
        assert_eq!(z[0], Some(-1.0 / 1.4826));
        assert_eq!(
            (z[3], z[4]),
            (Some(7.0 / (2.0 * 1.4826)), Some(17.0 / (2.0 * 1.4826))),
            "one alone is no group, nor is nobody's"
        );
        assert_eq!(z[5], Some(-2.0 / (2.0 * 1.4826)), "the other measure keeps the usual group");
    }

    #[test]
    fn a_monday_before_the_window_is_forgotten() {
        let mut past = Past::default();
        past.add(0, 1, [valued(1, 1.0)].into_iter());
        past.add(7, 1, [valued(2, 1.0)].into_iter());
        past.forget_before(7);
        assert!(!past.has(0) && past.has(7));
    }
}
