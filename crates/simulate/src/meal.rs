//! Where, when, with whom and for how much one eats.
//!
//! A group of friends has a table of its own every meal: who comes, swipes within a minute of the others.

use crate::calendar::{HOUR, MINUTE};
use crate::campus::Merchant;
use crate::random::{Draw, Purpose};
use crate::scene::Scene;

/// The three meals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meal {
    Breakfast,
    Lunch,
    Dinner,
}

/// A meal that takes place: when (seconds from the first midnight) and at which till.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Table {
    pub(crate) meal: Meal,
    pub(crate) at: i64,
    till: u16,
}

/// How much a latent state changes; 1 and 0 when there is none.
pub(crate) struct Mood {
    /// Later rhythm, in standard deviations.
    pub(crate) later: f64,
    /// Share of meals and of meals with friends that remain.
    pub(crate) meals: f64,
    pub(crate) company: f64,
    /// Share of the price that remains.
    pub(crate) price: f64,
    /// Share of classes, of times of study on one's own and of showers that remain.
    pub(crate) classes: f64,
    pub(crate) study: f64,
    pub(crate) washing: f64,
    /// Later return from an evening out in minutes, and how much likelier one behind closing time is.
    pub(crate) return_minutes: i64,
    pub(crate) late: f64,
}

/// Effects of the latent state by level (1 to 4): later rhythm in standard deviations.
const LATER: [f64; 5] = [0.0, 0.2, 0.27, 0.33, 0.4];
/// What is lost of meals, meals with friends, classes, study and showers, where the student's mix is one.
const MEALS: f64 = 0.15;
const COMPANY: f64 = 0.20;
const CLASSES: f64 = 0.10;
const STUDY: f64 = 0.25;
const WASHING: f64 = 0.15;
/// Minutes by which evenings end later, and how often more they end behind closing time.
const RETURN_MINUTES: f64 = 15.0;
const LATE: f64 = 0.05;

impl Mood {
    /// What the state and the stories of a student do to a day.
    pub(crate) fn of(scene: &Scene) -> Mood {
        let (student, effect) = (scene.student, scene.world.effect);
        let is_low = 0 < student.level && student.onset <= scene.today.day;
        let mut mood = Mood {
            later: 0.0,
            meals: 1.0,
            company: 1.0,
            price: 1.0,
            classes: 1.0,
            study: 1.0,
            washing: 1.0,
            return_minutes: 0,
            late: 0.0,
        };
        if is_low {
            let (mix, left) = (student.mix, |lost: f64| (1.0 - lost * effect).clamp(0.0, 1.0));
            mood.later = effect * LATER[usize::from(student.level)];
            mood.meals = left(MEALS * mix.meals);
            mood.company = left(COMPANY);
            mood.classes = left(CLASSES * mix.classes);
            mood.study = left(STUDY * mix.study);
            mood.washing = left(WASHING * mix.washing);
            mood.return_minutes = (RETURN_MINUTES * effect * mix.evening) as i64;
            mood.late = LATE * effect * mix.evening;
        }
        if scene.world.is_dropping(scene.index, scene.today.day) {
            mood.meals *= 0.45;
            mood.price = 0.85;
        }
        mood
    }
}

/// Plans a meal; `None` is skipped. `window` is when the student is free to go (hours).
pub(crate) fn plan(scene: &mut Scene, mood: &Mood, meal: Meal, usual: f64, window: (f64, f64)) -> Option<Table> {
    let campus = &scene.world.campus;
    let midnight = scene.midnight();
    let (goes, joins) = (scene.draw.unit(), scene.draw.unit());
    let canteen = if scene.draw.chance(0.7) { scene.student.group as usize } else { scene.draw.below(8) as usize };
    let tills = &campus.canteens[canteen % campus.canteens.len()];
    let own_till = *scene.draw.pick(tills);
    let hour = window.0 + (window.1 - window.0) * (scene.draw.unit() + scene.draw.unit()) / 2.0;
    if usual * mood.meals <= goes {
        return None;
    }
    let with_friends = (0.5 + 0.12 * scene.student.sociability) * mood.company;
    if meal != Meal::Breakfast && joins < with_friends {
        let slot = scene.today.day as u64 * 4 + meal as u64;
        let mut group = Draw::new(scene.world.seed, Purpose::Group, u64::from(scene.student.group), slot);
        let tills = &campus.canteens[group.below(campus.canteens.len() as u32) as usize];
        let till = *group.pick(tills);
        let (from, to) = if meal == Meal::Lunch { (11.7, 12.4) } else { (17.55, 18.5) };
        let at = midnight + ((from + (to - from) * group.unit()) * HOUR as f64) as i64;
        return Some(Table { meal, at: at + scene.draw.between(-22, 23), till });
    }
    let at = midnight + (hour * HOUR as f64) as i64 + scene.draw.between(0, 60);
    Some(Table { meal, at, till: own_till })
}

/// Pays for a meal, unless it is paid by phone.
pub(crate) fn eat(scene: &mut Scene, mood: &Mood, table: Table) {
    if scene.draw.chance(scene.student.leak) {
        return;
    }
    let (price, second) = match table.meal {
        Meal::Breakfast => (470.0, 0.30),
        Meal::Lunch => (1180.0, 0.40),
        Meal::Dinner => (1120.0, 0.38),
    };
    let taste = (0.22 * scene.student.budget + 0.18 * scene.draw.normal()).exp();
    // Prices on the wall end in half yuan.
    let cents = (price * taste * mood.price / 50.0).round().max(2.0) as i32 * 50;
    scene.pay(table.till, Merchant::Canteen, table.at, cents);
    if scene.draw.chance(second) {
        let at = table.at + scene.draw.between(MINUTE, 14 * MINUTE);
        let campus = &scene.world.campus;
        let tills = campus.canteens.iter().find(|it| it.contains(&table.till)).expect("a till stands in a canteen");
        let till = *scene.draw.pick(tills);
        let cents = scene.draw.between(3, 11) as i32 * 50;
        scene.pay(till, Merchant::Canteen, at, cents);
    }
}
