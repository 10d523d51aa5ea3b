//! How long the heavy measures take for a campus, and with how much memory:
//! `cargo run -p portrait --example measure_speed -- [STUDENTS] [FOLDER]`.
//!
//! With a folder the rows go there as text, so that somebody else can compute the same (`benches/measures.py`).
//!
//! The campus is invented here: 28 days of three meals at four canteens, everybody with habits, one in ten with a friend.

use std::time::Instant;

use portrait::{Config, Passage, Swipe, actual_entropy, edges, presence_regularity};

const DAYS: u32 = 28;
const MEALS: u32 = 3 * DAYS;
const GROUPS: u64 = 4;
const PEAK_S: u64 = 90 * 60;

/// SplitMix64.
struct Draw(u64);

impl Draw {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let it = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let it = (it ^ (it >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((it ^ (it >> 31)) >> 11) % end
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// Returns swipes with about 70 % of the meals taken; in each ten students the second eats with the first half the time.
fn swipes(students: i64, draw: &mut Draw) -> Vec<Swipe> {
    let mut swipes = Vec::new();
    for meal in 0..MEALS {
        let mut friend: Option<Swipe> = None;
        for student in 0..students {
            let home = student as u64 % GROUPS;
            let group = if draw.one_in(5) { draw.below(GROUPS) } else { home };
            // A peak, not a box: the mean of two.
            let at_s = i64::from(meal) * 20_000 + ((draw.below(PEAK_S) + draw.below(PEAK_S)) / 2) as i64;
            let mut swipe = Swipe { student, meal, group: group as u32, at_s };
            let is_here = draw.below(10) < 7;
            if let Some(friend) = friend
                && student % 10 == 1
                && draw.one_in(2)
            {
                swipe = Swipe { student, at_s: friend.at_s + draw.below(30) as i64, ..friend };
            } else if !is_here {
                friend = None;
                continue;
            }
            swipes.push(swipe);
            friend = (student % 10 == 0).then_some(swipe);
        }
    }
    swipes
}

/// Returns half-hours of meals around three habits.
fn half_hours(draw: &mut Draw) -> Vec<u16> {
    let habit = draw.below(3) as u16;
    (0..MEALS).map(|meal| [15, 24, 36][(meal % 3) as usize] + habit + draw.below(3) as u16).collect()
}

fn passages(draw: &mut Draw) -> Vec<Passage> {
    let passage = |day: u32, at: u16, draw: &mut Draw| Passage {
        day: day as i32,
        minute: 100 + at * 200 + draw.below(120) as u16,
        is_in: Some(at % 2 == 1),
    };
    (0..DAYS).flat_map(|day| (0..6).map(move |at| (day, at))).map(|(day, at)| passage(day, at, draw)).collect()
}

/// Returns the most memory the process ever held, in MB, where the system says so.
fn peak_mb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|it| it.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? / 1024)
}

fn say(what: &str, since: Instant) {
    let memory = peak_mb().map_or(String::new(), |it| format!(", peak {it} MB so far"));
    println!("{what}: {:.2} s{memory}", since.elapsed().as_secs_f64());
}

/// Writes rows as text, one a line, where a folder was named.
fn dump(name: &str, lines: impl Iterator<Item = String>) {
    if let Some(folder) = std::env::args().nth(2) {
        let text: String = lines.map(|it| it + "\n").collect();
        std::fs::write(std::path::Path::new(&folder).join(name), text).expect("the folder can be written");
    }
}

fn main() {
    let students: i64 = std::env::args().nth(1).and_then(|it| it.parse().ok()).unwrap_or(40_000);
    let mut draw = Draw(1);

    let sequences: Vec<Vec<u16>> = (0..students).map(|_| half_hours(&mut draw)).collect();
    dump("sequences.txt", sequences.iter().map(|it| it.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")));
    let start = Instant::now();
    let sum: f64 = sequences.iter().filter_map(|it| actual_entropy(it)).sum();
    say(&format!("actual_entropy of {students} x {MEALS} events (mean {:.9})", sum / students as f64), start);
    drop(sequences);

    let mut rows: Vec<Vec<Passage>> = (0..students).map(|_| passages(&mut draw)).collect();
    let word = |it: &Passage| format!("{}:{}:{}", it.day, it.minute, u8::from(it.is_in == Some(true)));
    dump("passages.txt", rows.iter().map(|it| it.iter().map(word).collect::<Vec<_>>().join(" ")));
    let start = Instant::now();
    let sum: f64 = rows.iter_mut().filter_map(presence_regularity).map(|it| it.value).sum();
    say(&format!("presence_regularity of {students} x {DAYS} x 6 passages (mean {:.9})", sum / students as f64), start);
    drop(rows);

    let swipes = swipes(students, &mut draw);
    dump("swipes.txt", swipes.iter().map(|it| format!("{} {} {} {}", it.student, it.meal, it.group, it.at_s)));
    let start = Instant::now();
    let found = edges(&swipes, &Config::default());
    let planted = found.iter().filter(|it| it.u % 10 == 0 && it.v == it.u + 1).count();
    say(&format!("edges of {} swipes ({} edges, {planted} planted)", swipes.len(), found.len()), start);
}
