//! Who eats together more often than their timetables explain.
//!
//! Reads the canteen swipes of everybody, returns pairs with evidence. The only measure that compares students with each
//! other, so it lives in the closed compartment: never a list of friends on a screen, never exported.
//!
//! Two students meet if they pay at the same terminals of the same meal within a minute. Most such meetings are the queue
//! at noon, so each pair is held against the chance of its own slots, and all pairs against the number of pairs.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::poisson::poisson_tail;

/// Two are enough: the rest of the machine serves people meanwhile, and each thread holds a tally of all students.
const THREADS: u32 = 2;

/// One payment in a canteen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Swipe {
    /// Whose card.
    pub student: i64,
    /// Which meal of which day, as any number.
    pub meal: u32,
    /// Which group of terminals: one queue, one hall.
    pub group: u32,
    /// Seconds since 1970.
    pub at_s: i64,
}

/// What counts as meeting, and when a pair is an edge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Config {
    /// Longest time between two swipes of a meeting, in seconds; nobody meets if it is negative.
    pub window_s: i64,
    /// Fewest meetings of an edge; a pair that never met is none even at 0.
    pub meetings_min: u32,
    /// Largest share of edges that may be chance.
    pub q_max: f64,
    /// Pieces of work handed to the threads. The result never depends on it.
    pub partitions: u32,
}

impl Default for Config {
    /// Within 60 s, at least 3 times, at most one edge in twenty by chance.
    fn default() -> Self {
        Self { window_s: 60, meetings_min: 3, q_max: 0.05, partitions: 64 }
    }
}

/// Two students who eat together more often than chance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Edge {
    /// The one with the smaller number.
    pub u: i64,
    /// The one with the larger number.
    pub v: i64,
    /// Meals at which they met.
    pub meetings: u32,
    /// Sum over the meetings of `1 / ln(1 + crowd)`: a meeting in a full hall says less.
    pub weight: f64,
    /// Meetings expected of two strangers who go to the same slots.
    pub expected: f64,
    /// Chance of at least so many meetings of two strangers.
    pub p: f64,
    /// Share of chance among the edges if this one is the last taken.
    pub q: f64,
}

/// Returns the pairs who eat together more often than the slots they share explain, by (u, v).
///
/// A slot is one meal at one group of terminals. A student counts with the first swipe in a slot. Two students meet in a
/// meal if in some slot of it their swipes lie at most `window_s` apart, at most once a meal; if they do so in several
/// slots, the earliest counts. The crowd of a meeting is everyone who swiped in that slot within `window_s` of the earlier
/// of the two, both included. What two strangers would do: in every slot both were in, two draws without replacement from
/// the slot's own times fall within `window_s` with the chance `c`; the sum of `c` over the slots of one meal is at most 1,
/// as meetings are. That takes account of crowds and of timetables without a shuffle.
///
/// Every pair of students with a swipe is a test, also the pairs that met too seldom to be an edge, so ranks are taken
/// among the candidates but the number of tests is that of all pairs. That is on the safe side.
///
/// # Shape
/// `swipes`: everybody's, all meals of the window, in any order. Out: one row per edge, `u < v`, ascending.
///
/// # Panics
/// Beyond 4 billion swipes, because positions are 32 bits; 4 weeks of 40,000 students are 2.3 million.
///
/// # Source
/// Weights after the entropy-based model of Pham et al. (2013): hot spots count less. `P(Poisson(expected) >= meetings)`,
/// then the step-up rule of Benjamini and Hochberg (1995).
pub fn edges(swipes: &[Swipe], config: &Config) -> Vec<Edge> {
    if swipes.is_empty() || config.window_s < 0 {
        return Vec::new();
    }
    let halls = Halls::new(swipes, config.window_s);
    let students = halls.students.len() as f64;
    let tests = students * (students - 1.0) / 2.0;
    let mut candidates = search(&halls, config, p_max(&halls, config, tests));
    candidates.sort_unstable_by(|a, b| a.p.total_cmp(&b.p).then((a.u, a.v).cmp(&(b.u, b.v))));

    let mut found = Vec::new();
    let mut q: f64 = 1.0;
    for (at, it) in candidates.iter().enumerate().rev() {
        q = q.min(it.p * tests / (at + 1) as f64);
        if q <= config.q_max {
            found.push((*it, q));
        }
    }
    drop(candidates);
    found.sort_unstable_by_key(|(it, _)| (it.u, it.v));
    let edge = |(it, q): &(Candidate, f64)| Edge {
        u: halls.students[it.u as usize],
        v: halls.students[it.v as usize],
        meetings: it.meetings,
        weight: halls.weight(it.u, it.v, config.window_s),
        expected: it.expected,
        p: it.p,
        q: *q,
    };
    found.iter().map(edge).collect()
}

/// The largest p that could still be an edge. Candidates beyond it need not be kept: they change no rank before them.
///
/// There are at most meetings / `meetings_min` candidates, so q is at least p * tests / that many.
fn p_max(halls: &Halls, config: &Config, tests: f64) -> f64 {
    if 1.0 <= config.q_max {
        return f64::INFINITY;
    }
    let meetings: u64 = halls.windows.iter().map(|it| u64::from(it.to - it.from - 1)).sum::<u64>() / 2;
    let candidates = meetings as f64 / f64::from(config.meetings_min.max(1));
    // A hair more, for the rounding of the two ways to the same bound.
    config.q_max * (candidates / tests).min(1.0) * (1.0 + 1e-9)
}

/// All swipes that count, in the order of slot, time and student; a position is an index into that order.
struct Halls {
    /// Their own numbers, ascending; elsewhere a student is an index into this.
    students: Vec<i64>,
    who: Vec<u32>,
    at_s: Vec<i64>,
    windows: Vec<Window>,
    slots: Vec<Slot>,
    /// By student, then by slot.
    visits: Vec<Visit>,
    /// Where the visits of a student begin; one more than there are students.
    visits_from: Vec<u32>,
}

/// Positions of the slot's swipes that lie within the window of one swipe, itself included.
struct Window {
    from: u32,
    to: u32,
}

struct Slot {
    /// Counted from 1 in the order of the meals.
    meal: u32,
    chance: f64,
}

#[derive(Clone, Copy, Default)]
struct Visit {
    slot: u32,
    position: u32,
}

#[derive(Clone, Copy)]
struct Candidate {
    u: u32,
    v: u32,
    meetings: u32,
    expected: f64,
    p: f64,
}

impl Halls {
    fn new(swipes: &[Swipe], window_s: i64) -> Self {
        assert!(u32::try_from(swipes.len()).is_ok(), "{} swipes have no 32-bit positions", swipes.len());
        let mut students: Vec<i64> = swipes.iter().map(|it| it.student).collect();
        students.sort_unstable();
        students.dedup();
        students.shrink_to_fit();

        let mut swipes = swipes.to_vec();
        swipes.sort_unstable_by_key(|it| (it.meal, it.group, it.student, it.at_s));
        swipes.dedup_by_key(|it| (it.meal, it.group, it.student));
        swipes.sort_unstable_by_key(|it| (it.meal, it.group, it.at_s, it.student));

        let who: Vec<u32> = swipes.iter().map(|it| students.partition_point(|other| *other < it.student) as u32).collect();
        let mut visits_from = vec![0_u32; students.len() + 1];
        for student in &who {
            visits_from[*student as usize + 1] += 1;
        }
        for at in 1..visits_from.len() {
            visits_from[at] += visits_from[at - 1];
        }

        let mut windows = Vec::with_capacity(swipes.len());
        let mut slots: Vec<Slot> = Vec::new();
        let mut visits = vec![Visit::default(); swipes.len()];
        let mut next_visit = visits_from.clone();
        let (mut meal, mut meal_before) = (0, None);
        for slot in swipes.chunk_by(|a, b| (a.meal, a.group) == (b.meal, b.group)) {
            if meal_before.replace(slot[0].meal) != Some(slot[0].meal) {
                meal += 1;
            }
            let first = windows.len();
            let (mut from, mut to) = (0, 0);
            let mut ordered_pairs: u64 = 0;
            for it in slot {
                while window_s < it.at_s.saturating_sub(slot[from].at_s) {
                    from += 1;
                }
                while to < slot.len() && slot[to].at_s.saturating_sub(it.at_s) <= window_s {
                    to += 1;
                }
                ordered_pairs += (to - from - 1) as u64;

                let position = windows.len();
                let visit = &mut next_visit[who[position] as usize];
                visits[*visit as usize] = Visit { slot: slots.len() as u32, position: position as u32 };
                *visit += 1;
                windows.push(Window { from: (first + from) as u32, to: (first + to) as u32 });
            }
            let n = slot.len() as u64;
            let chance = if n < 2 { 0.0 } else { ordered_pairs as f64 / (n * (n - 1)) as f64 };
            slots.push(Slot { meal, chance });
        }
        let at_s = swipes.iter().map(|it| it.at_s).collect();
        Self { students, who, at_s, windows, slots, visits, visits_from }
    }

    fn visits(&self, student: u32) -> &[Visit] {
        &self.visits[self.visits_from[student as usize] as usize..self.visits_from[student as usize + 1] as usize]
    }

    /// The visits of two students to the same slots, in the order of the meals.
    fn shared(&self, u: u32, v: u32) -> impl Iterator<Item = (Visit, Visit)> {
        let (mut ours, mut theirs) = (self.visits(u), self.visits(v));
        std::iter::from_fn(move || {
            while let ([our, ..], [their, ..]) = (ours, theirs) {
                let shared = (our.slot == their.slot).then_some((*our, *their));
                // Without a branch, because which of the two is behind is a coin toss.
                ours = &ours[usize::from(our.slot <= their.slot)..];
                theirs = &theirs[usize::from(their.slot <= our.slot)..];
                if shared.is_some() {
                    return shared;
                }
            }
            None
        })
    }

    /// Meetings expected of two strangers with these visits, summed meal by meal.
    fn expected(&self, u: u32, v: u32) -> f64 {
        let (mut expected, mut meal, mut chance) = (0.0, 0, 0.0_f64);
        for (visit, _) in self.shared(u, v) {
            let slot = &self.slots[visit.slot as usize];
            if slot.meal != meal {
                expected += chance.min(1.0);
                (meal, chance) = (slot.meal, 0.0);
            }
            chance += slot.chance;
        }
        expected + chance.min(1.0)
    }

    /// Weight of all meetings of a pair, summed meal by meal.
    fn weight(&self, u: u32, v: u32, window_s: i64) -> f64 {
        let mut weight = 0.0;
        let mut meeting: Option<(u32, i64, u32)> = None;
        let worth = |meeting: Option<(u32, i64, u32)>| meeting.map_or(0.0, |(_, _, crowd)| 1.0 / f64::from(crowd).ln_1p());
        for (our, their) in self.shared(u, v) {
            let (our_s, their_s) = (self.at_s[our.position as usize], self.at_s[their.position as usize]);
            let (earlier, earlier_s, later_s) = if our_s <= their_s { (our, our_s, their_s) } else { (their, their_s, our_s) };
            if window_s < later_s.saturating_sub(earlier_s) {
                continue;
            }
            let meal = self.slots[our.slot as usize].meal;
            let window = &self.windows[earlier.position as usize];
            match meeting {
                Some((before, at_s, _)) if before == meal && at_s <= earlier_s => continue,
                Some((before, ..)) if before != meal => weight += worth(meeting),
                _ => {}
            }
            meeting = Some((meal, earlier_s, window.to - window.from));
        }
        weight + worth(meeting)
    }
}

/// Candidates of all partitions, in no order. Each partition holds the pairs whose smaller student falls into it.
fn search(halls: &Halls, config: &Config, p_max: f64) -> Vec<Candidate> {
    let partitions = config.partitions.max(1);
    let next = AtomicU32::new(0);
    let work = || {
        let mut tally = Tally { met: vec![Met::default(); halls.students.len()], touched: Vec::new() };
        let mut candidates = Vec::new();
        loop {
            let partition = next.fetch_add(1, Ordering::Relaxed);
            if partitions <= partition {
                return candidates;
            }
            // A stride and not a block: the first students have the most partners with larger numbers.
            for student in (partition..halls.students.len() as u32).step_by(partitions as usize) {
                tally.count(halls, student);
                tally.take(halls, student, config.meetings_min.max(1), p_max, &mut candidates);
            }
        }
    };
    std::thread::scope(|scope| {
        let other: Vec<_> = (1..THREADS.min(partitions)).map(|_| scope.spawn(work)).collect();
        let mut candidates = work();
        for thread in other {
            candidates.append(&mut thread.join().unwrap_or_else(|cause| std::panic::resume_unwind(cause)));
        }
        candidates
    })
}

/// How often one student met each of the others. One array for all students, so that a meeting costs one addition;
/// listing and sorting the meetings would cost many times that.
struct Tally {
    met: Vec<Met>,
    touched: Vec<u32>,
}

#[derive(Clone, Copy, Default)]
struct Met {
    last_meal: u32,
    meetings: u32,
}

impl Tally {
    fn count(&mut self, halls: &Halls, student: u32) {
        for visit in halls.visits(student) {
            let meal = halls.slots[visit.slot as usize].meal;
            let window = &halls.windows[visit.position as usize];
            for other in &halls.who[window.from as usize..window.to as usize] {
                if *other <= student {
                    continue;
                }
                let met = &mut self.met[*other as usize];
                if met.last_meal == meal {
                    continue;
                }
                if met.meetings == 0 {
                    self.touched.push(*other);
                }
                *met = Met { last_meal: meal, meetings: met.meetings + 1 };
            }
        }
    }

    /// Hands over the candidates among those met, and forgets everybody.
    fn take(&mut self, halls: &Halls, u: u32, meetings_min: u32, p_max: f64, candidates: &mut Vec<Candidate>) {
        for v in self.touched.drain(..) {
            let meetings = std::mem::take(&mut self.met[v as usize]).meetings;
            if meetings < meetings_min {
                continue;
            }
            let expected = halls.expected(u, v);
            let p = poisson_tail(meetings, expected);
            if p <= p_max {
                candidates.push(Candidate { u, v, meetings, expected, p });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes every pair that met, however likely.
    const ALL: Config = Config { window_s: 60, meetings_min: 1, q_max: 1.0, partitions: 3 };

    fn swipes(rows: &[(i64, u32, u32, i64)]) -> Vec<Swipe> {
        rows.iter()
            .map(|(student, meal, group, at_s)| Swipe { student: *student, meal: *meal, group: *group, at_s: *at_s })
            .collect()
    }

    /// Rows are (student, meal, group, second); crowds are those of the meetings.
    #[track_caller]
    fn check(rows: &[(i64, u32, u32, i64)], expected: &[(i64, i64, &[u32], f64)]) {
        let actual = edges(&swipes(rows), &ALL);
        let pairs: Vec<(i64, i64, u32)> = actual.iter().map(|it| (it.u, it.v, it.meetings)).collect();
        let expected_pairs: Vec<_> = expected.iter().map(|(u, v, crowds, _)| (*u, *v, crowds.len() as u32)).collect();
        assert_eq!(pairs, expected_pairs, "{rows:?}");
        for (edge, (_, _, crowds, lambda)) in actual.iter().zip(expected) {
            let weight: f64 = crowds.iter().map(|it| 1.0 / f64::from(1 + it).ln()).sum();
            assert!((edge.weight - weight).abs() < 1e-12, "weight {edge:?} not {weight}");
            assert!((edge.expected - lambda).abs() < 1e-12, "expected {edge:?} not {lambda}");
        }
    }

    #[test]
    fn nobody_meets_alone() {
        check(&[], &[]);
        check(&[(1, 1, 1, 0)], &[]);
        check(&[(1, 1, 1, 0), (1, 1, 1, 5)], &[]);
        check(&[(1, 1, 1, 0), (2, 1, 2, 0), (3, 2, 1, 0)], &[]);
    }

    #[test]
    fn the_window_includes_its_end() {
        check(&[(2, 1, 1, 60), (1, 1, 1, 0)], &[(1, 2, &[2], 1.0)]);
        check(&[(2, 1, 1, 61), (1, 1, 1, 0)], &[]);
        check(&[(2, 1, 1, i64::MAX), (1, 1, 1, i64::MIN)], &[]);
    }

    #[test]
    fn only_the_first_swipe_of_a_slot_counts() {
        check(&[(1, 1, 1, 0), (1, 1, 1, 300), (2, 1, 1, 310)], &[]);
    }

    #[test]
    fn the_crowd_is_that_of_the_earlier_swipe() {
        // Around 1 are 1 and 2, around 2 also 3. Of 20 ordered pairs 4 are near.
        check(
            &[(1, 1, 1, 0), (2, 1, 1, 50), (3, 1, 1, 100), (4, 1, 1, 1000), (5, 1, 1, 2000)],
            &[(1, 2, &[2], 0.2), (2, 3, &[3], 0.2)],
        );
    }

    #[test]
    fn a_meal_is_met_at_most_once_and_at_its_earliest() {
        // In both halls of one meal; the second hall is earlier and has a third guest.
        check(
            &[(1, 1, 1, 900), (2, 1, 1, 900), (1, 1, 2, 0), (2, 1, 2, 10), (3, 1, 2, 20)],
            &[(1, 2, &[3], 1.0), (1, 3, &[3], 1.0), (2, 3, &[3], 1.0)],
        );
    }

    #[test]
    fn meetings_add_up_over_meals() {
        check(
            &[(1, 1, 1, 0), (2, 1, 1, 10), (1, 2, 1, 0), (2, 2, 1, 10), (3, 2, 1, 500), (1, 3, 1, 0), (2, 3, 1, 100)],
            &[(1, 2, &[2, 2], 1.0 + 1.0 / 3.0)],
        );
    }

    /// Two who eat together among strangers spread over an hour and a half.
    fn crowd() -> Vec<Swipe> {
        let mut state = 7_u64;
        let mut swipes = Vec::new();
        for meal in 0..12_u32 {
            for student in 0..50_i64 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let at_s = ((state >> 33) % 5400) as i64;
                swipes.push(Swipe { student, meal, group: (student % 2) as u32, at_s });
                if student == 0 {
                    swipes.push(Swipe { student: 1000, meal, group: 0, at_s: at_s + 15 });
                }
            }
        }
        swipes
    }

    #[test]
    fn two_who_always_eat_together_stand_out_of_the_crowd() {
        let found = edges(&crowd(), &Config::default());
        assert_eq!(found.iter().map(|it| (it.u, it.v, it.meetings)).collect::<Vec<_>>(), [(0, 1000, 12)]);
        assert!(found[0].q < 1e-6, "{found:?}");
    }

    #[test]
    fn the_order_of_rows_and_the_partitions_change_no_digit() {
        let mut rows = crowd();
        let once = edges(&rows, &ALL);
        assert!(50 < once.len(), "{} pairs met", once.len());
        rows.reverse();
        for partitions in [0, 1, 2, 64, 1000] {
            assert_eq!(edges(&rows, &Config { partitions, ..ALL }), once, "{partitions} partitions");
        }
    }

    #[test]
    fn dropping_unlikely_candidates_early_changes_no_edge() {
        let rows = crowd();
        for q_max in [0.0, 1e-9, 0.05, 0.5, 0.999] {
            let all = edges(&rows, &Config { meetings_min: 2, ..ALL });
            let kept: Vec<Edge> = all.into_iter().filter(|it| it.q <= q_max).collect();
            assert_eq!(edges(&rows, &Config { meetings_min: 2, q_max, ..ALL }), kept, "q at most {q_max}");
        }
    }
}
