//! One campus day of one student: when they go out, eat, study, wash and come back.
//!
//! Reads the fixed world, appends rows. A day depends on (seed, student, day) only, so days are made on any thread.

use crate::boarder::Boarder;
use crate::calendar::{DayKind, HOUR, MINUTE};
use crate::meal::{Meal, Mood, eat, plan};
use crate::random::{Draw, Purpose};
use crate::scene::{Roll, Rows, Scene, Today};
use crate::story::StoryKind;
use crate::student::Living;
use crate::world::World;

/// Beginnings of the five periods of a teaching day, in hours; each lasts an hour and forty minutes.
pub(crate) const PERIODS: [f64; 5] = [8.0, 10.0, 14.0, 16.0, 19.0];
pub(crate) const PERIOD_S: i64 = 100 * MINUTE;
/// Share of class-periods that are taught.
const TAUGHT: [f64; 5] = [0.55, 0.62, 0.55, 0.42, 0.22];

/// Makes all rows of one campus day.
pub(crate) fn live_through(world: &World, day: i32) -> Rows {
    let mut rows = Rows::default();
    let today = Today::new(world.seed, day);
    for (index, student) in world.people.students.iter().enumerate() {
        let index = index as u32;
        if !student.is_enrolled {
            continue;
        }
        let Some(stay) = world.stay(index, student, day) else {
            continue;
        };
        let draw = Draw::new(world.seed, Purpose::Day, u64::from(index), day as u64);
        let lost = world.lost_card(index, day / 30);
        let mut scene = Scene { world, today, index, student, stay, draw, lost, rows: &mut rows };
        match student.living {
            Living::Dorm => Boarder::live(&mut scene),
            _ => commute(&mut scene),
        }
    }
    rows
}

/// The periods the student goes to.
pub(crate) fn classes(scene: &mut Scene, mood: &Mood) -> [bool; 5] {
    let today = scene.today;
    if today.kind.is_free() {
        return [false; 5];
    }
    let mut taught = taught(scene.world, scene.student.class, today.weekday);
    let exam = if today.kind == DayKind::Exam { 0.5 } else { 1.0 };
    let attends = (0.90 + 0.05 * scene.student.diligence).clamp(0.4, 0.995);
    for (place, period) in taught.iter_mut().enumerate() {
        // Whose rhythm is later misses the first period first.
        let rises = if place == 0 { 1.0 - 0.2 * mood.later } else { 1.0 };
        *period &= scene.draw.chance(attends * exam * mood.classes * rises);
    }
    scene.rows.roll.push(Roll { student: scene.index, attended: taught });
    // Who studies more stays after class and fetches water where classes are; its own draws leave the day as it is.
    let mut water = Draw::new(scene.world.seed, Purpose::Water, u64::from(scene.index), today.day as u64);
    let thirst = (0.10 + 0.05 * scene.student.diligence).clamp(0.005, 0.5);
    for period in 0..PERIODS.len() {
        let at = scene.midnight() + (PERIODS[period] * HOUR as f64) as i64 + PERIOD_S + water.between(0, 8 * MINUTE);
        if water.chance(thirst) && taught[period] {
            let place = scene.world.campus.teaching[usize::from(scene.student.class) % scene.world.campus.teaching.len()];
            scene.pay(place, crate::campus::Merchant::Water, at, 20);
        }
    }
    taught
}

/// The periods in which a class is taught on a weekday.
pub(crate) fn taught(world: &World, class: u16, weekday: i32) -> [bool; 5] {
    let mut table = Draw::new(world.seed, Purpose::Timetable, u64::from(class), weekday as u64);
    TAUGHT.map(|it| table.chance(it))
}

/// A day of somebody who sleeps elsewhere.
fn commute(scene: &mut Scene) {
    let mood = Mood::of(scene);
    let attended = classes(scene, &mood);
    let rented = scene.student.living == Living::Rented;
    let extra = scene.draw.chance(if rented { 0.25 } else { 0.1 });
    let (Some(first), Some(last)) = (attended.iter().position(|it| *it), attended.iter().rposition(|it| *it)) else {
        if extra && scene.today.kind != DayKind::Vacation {
            visit(scene, 9.5, 17.0, &mood);
        }
        return;
    };
    let stays_on = if extra { 2.5 } else { 0.2 };
    visit(scene, PERIODS[first] - 0.4, (PERIODS[last] + 1.7 + stays_on).min(22.0), &mood);
}

fn visit(scene: &mut Scene, from: f64, to: f64, mood: &Mood) {
    let hour = |scene: &Scene, it: f64| scene.midnight() + (it * HOUR as f64) as i64;
    let gates = &scene.world.campus.school_gates;
    let (into, out) = (*scene.draw.pick(gates), *scene.draw.pick(gates));
    let (begin, end) =
        (hour(scene, from) - scene.draw.between(0, 15 * MINUTE), hour(scene, to) + scene.draw.between(0, 30 * MINUTE));
    scene.pass(into, begin, true);
    for (meal, usual, window) in [(Meal::Lunch, 0.85, (11.6, 12.6)), (Meal::Dinner, 0.45, (17.2, 18.4))] {
        let table = plan(scene, mood, meal, usual, window);
        if let Some(table) = table.filter(|it| begin < it.at && it.at < end) {
            eat(scene, mood, table);
        }
    }
    if scene.draw.chance((0.3 + 0.1 * scene.student.diligence).clamp(0.02, 0.9) * mood.study) && from < 13.0 && 16.0 < to {
        let gate = *scene.draw.pick(&scene.world.campus.library_gates);
        scene.pass(gate, hour(scene, 13.2), true);
        let until = hour(scene, to.min(16.8)) - scene.draw.between(10, 70) * MINUTE;
        scene.pass(gate, until, false);
    }
    scene.pass(out, end, false);
}

/// Says whether a story keeps a student from being seen on a day; used by whatever is not a gate or a till.
pub(crate) fn is_silent(world: &World, index: u32, day: i32) -> bool {
    let stories = &world.stories[index as usize];
    stories.iter().any(|it: &crate::story::Story| {
        it.from <= day && day <= it.to && (it.kind.is_silent() || it.kind == StoryKind::Overnight)
    })
}
