//! A campus day of somebody who lives in a dormitory: trips out of the building and what happens in it.
//!
//! Called by `day.rs`; appends rows through the scene.

use crate::calendar::{DayKind, HOUR, MINUTE};
use crate::campus::Merchant;
use crate::day::{PERIOD_S, PERIODS, classes};
use crate::meal::{Meal, Mood, Table, eat, plan};
use crate::scene::Scene;

/// A day that begins and ends in a dormitory.
pub(crate) struct Boarder {
    mood: Mood,
    gates: [u16; 2],
    building: usize,
    midnight: i64,
    /// Time from which the student is in the room again.
    home_from: i64,
    /// Times outside, to know when hot water can be fetched.
    outside: Vec<(i64, i64)>,
}

impl Boarder {
    /// Lives through the day.
    pub(crate) fn live(scene: &mut Scene) {
        let Some((room, _)) = scene.student.bed else {
            return;
        };
        let building = usize::from(scene.world.campus.rooms[room as usize].building);
        let mut it = Boarder {
            mood: Mood::of(scene),
            gates: scene.world.campus.buildings[building].gates,
            building,
            midnight: scene.midnight(),
            home_from: scene.stay.from,
            outside: Vec::new(),
        };
        if scene.stay.arrives {
            it.school_gate(scene, scene.stay.from, true);
            it.dorm_gate(scene, scene.stay.from + 9 * MINUTE, true);
            it.home_from += 10 * MINUTE;
        }
        it.spend(scene);
        if scene.stay.departs {
            it.leave_for_good(scene);
        }
    }

    fn hour(&self, hour: f64) -> i64 {
        self.midnight + (hour * HOUR as f64) as i64
    }

    fn spend(&mut self, scene: &mut Scene) {
        let is_free = scene.today.kind.is_free();
        let rhythm = scene.student.rhythm + self.mood.later;
        let attended = classes(scene, &self.mood);
        let mut wake = 7.05 + 0.58 * rhythm + 0.3 * scene.draw.normal() + if is_free { 1.2 } else { 0.0 };
        if attended[0] {
            wake = wake.min(7.6);
        }
        wake = wake.clamp(5.9, 12.0);
        let usual = (0.62 - 0.16 * rhythm - if is_free { 0.2 } else { 0.0 }).clamp(0.04, 0.95);
        let breakfast = plan(scene, &self.mood, Meal::Breakfast, usual, (wake + 0.2, wake + 0.5))
            .filter(|it| (self.hour(6.67)..self.hour(9.0)).contains(&it.at));
        let lunch_from = if attended[1] { 11.7 } else { 11.3_f64.max(wake + 0.3) };
        let lunch =
            plan(scene, &self.mood, Meal::Lunch, 0.92, (lunch_from, lunch_from + 1.0)).filter(|it| it.at < self.hour(13.6));
        let dinner_from = if attended[3] { 17.7 } else { 17.1 };
        let dinner = plan(scene, &self.mood, Meal::Dinner, 0.86, (dinner_from, dinner_from + 1.5));
        self.fetch_water(scene, wake + 0.1, 0.45);
        self.morning(scene, &attended, breakfast, lunch);
        let outing = if is_free { 0.34 + 0.07 * scene.student.sociability } else { 0.05 };
        let outing = if scene.today.is_rainy { outing * 0.5 } else { outing };
        if scene.draw.chance(outing) {
            self.outing(scene);
        } else {
            self.afternoon(scene, &attended, dinner);
        }
        self.evening(scene, attended[4]);
        self.fetch_water(scene, 13.1, 0.5);
        self.night(scene);
    }

    fn morning(&mut self, scene: &mut Scene, attended: &[bool; 5], breakfast: Option<Table>, lunch: Option<Table>) {
        let first_class = (0..2).find(|it| attended[*it]).map(|it| self.hour(PERIODS[it]));
        let last_class = (0..2).rev().find(|it| attended[*it]).map(|it| self.hour(PERIODS[it]) + PERIOD_S);
        let begin = match (breakfast, first_class) {
            (Some(table), Some(class)) => Some((table.at - 9 * MINUTE).min(class - 20 * MINUTE)),
            (Some(table), None) => Some(table.at - 9 * MINUTE),
            (None, Some(class)) => Some(class - scene.draw.between(14, 26) * MINUTE),
            (None, None) => None,
        };
        let mut lunch = lunch;
        if let Some(begin) = begin {
            let studies = first_class.is_none() && scene.draw.chance(self.study(scene, 0.26));
            let mut end = last_class.unwrap_or(begin) + scene.draw.between(8, 24) * MINUTE;
            if let Some(table) = breakfast {
                end = end.max(table.at + scene.draw.between(15, 32) * MINUTE);
            }
            if studies {
                let until = self.hour(11.2) + scene.draw.between(0, 25) * MINUTE;
                self.library(scene, end, until);
                end = end.max(until + 8 * MINUTE);
            }
            if let Some(table) = lunch.filter(|it| it.at < end + 100 * MINUTE) {
                end = end.max(table.at + scene.draw.between(20, 48) * MINUTE);
                self.take(scene, Some(table), begin);
                lunch = None;
            }
            self.take(scene, breakfast, begin);
            self.trip(scene, begin, end);
        }
        if let Some(table) = lunch {
            self.meal_trip(scene, table);
        }
    }

    fn afternoon(&mut self, scene: &mut Scene, attended: &[bool; 5], dinner: Option<Table>) {
        let first = (2..4).find(|it| attended[*it]).map(|it| self.hour(PERIODS[it]));
        let last = (2..4).rev().find(|it| attended[*it]).map(|it| self.hour(PERIODS[it]) + PERIOD_S);
        let studies = scene.draw.chance(self.study(scene, 0.2));
        let begin = match first {
            Some(class) => Some(class - scene.draw.between(14, 28) * MINUTE),
            None if studies => Some(self.hour(13.8) + scene.draw.between(0, 100) * MINUTE),
            None if scene.draw.chance(0.3) => Some(self.hour(15.2) + scene.draw.between(0, 70) * MINUTE),
            None => None,
        };
        let Some(begin) = begin else {
            if let Some(table) = dinner {
                self.meal_trip(scene, table);
            }
            return;
        };
        let mut end = last.unwrap_or(begin + 50 * MINUTE) + scene.draw.between(8, 40) * MINUTE;
        if studies {
            let from = last.map_or(begin, |it| it.min(self.hour(15.7))) + 9 * MINUTE;
            let until = self.hour(17.0) + scene.draw.between(0, 20) * MINUTE;
            self.library(scene, from, until);
            end = end.max(until + 8 * MINUTE);
        }
        if let Some(table) = dinner {
            if begin < table.at && table.at < end + 90 * MINUTE {
                end = end.max(table.at + scene.draw.between(20, 50) * MINUTE);
                self.take(scene, dinner, begin);
                self.trip(scene, begin, end);
            } else {
                self.trip(scene, begin, end);
                self.meal_trip(scene, table);
            }
        } else {
            self.trip(scene, begin, end);
        }
    }

    /// Goes to town: meals in between are eaten there.
    fn outing(&mut self, scene: &mut Scene) {
        let begin = self.hour(12.9) + scene.draw.between(0, 200) * MINUTE;
        let end = self.hour(17.5) + scene.draw.between(0, 255) * MINUTE;
        if begin < self.home_from {
            return;
        }
        if scene.draw.chance(0.3) {
            let bus = *scene.draw.pick(&scene.world.campus.buses);
            scene.pay(bus, Merchant::Bus, begin + 12 * MINUTE, 200);
        }
        self.school_gate(scene, begin + 8 * MINUTE, false);
        self.school_gate(scene, end - 8 * MINUTE, true);
        self.trip(scene, begin, end);
    }

    fn evening(&mut self, scene: &mut Scene, has_class: bool) {
        let exam = if scene.today.kind == DayKind::Exam { 0.25 } else { 0.0 };
        let studies = scene.draw.chance(self.study(scene, 0.3 + exam));
        let walks = scene.draw.chance(0.42 + 0.05 * scene.student.sociability);
        let is_late = scene.draw.chance(if scene.student.is_late_returner { 0.6 } else { 0.012 + self.mood.late });
        if !(has_class || studies || walks || is_late) {
            return;
        }
        let begin = if has_class { self.hour(18.6) } else { self.hour(18.7) + scene.draw.between(0, 70) * MINUTE };
        let mut end = if has_class { self.hour(20.75) } else { begin + scene.draw.between(40, 130) * MINUTE };
        if studies {
            let from = if has_class { self.hour(20.8) } else { begin + 8 * MINUTE };
            let until = self.hour(21.4) + scene.draw.between(0, 55) * MINUTE;
            self.library(scene, from, until);
            end = until + scene.draw.between(6, 16) * MINUTE;
        }
        if is_late {
            end = self.hour(23.15) + scene.draw.between(0, 105) * MINUTE;
        }
        end += self.mood.return_minutes * MINUTE;
        self.trip(scene, begin, end.min(self.hour(if is_late { 25.5 } else { 22.85 })));
    }

    /// What happens in the building after the last return: hot water and a shower, evidence of being in.
    fn night(&mut self, scene: &mut Scene) {
        let (water, showers) = (scene.world.campus.water[self.building], scene.world.campus.showers[self.building]);
        let back = self.home_from.max(self.hour(20.6));
        if scene.draw.chance(0.74 * self.mood.washing) && back < self.hour(23.2) {
            let at = (back + scene.draw.between(6, 90) * MINUTE + scene.draw.between(0, 60)).min(self.hour(23.6));
            let cents = scene.draw.between(120, 420) as i32;
            scene.pay(showers, Merchant::Shower, at, cents);
        }
        if scene.draw.chance(0.74) {
            let soon = (back + scene.draw.between(3, 100) * MINUTE).max(self.hour(21.0));
            let before_bed = self.hour(22.05).max(back) + scene.draw.between(0, 80) * MINUTE;
            let at = if scene.draw.chance(0.5) { soon } else { before_bed } + scene.draw.between(0, 60);
            let cents = scene.draw.between(15, 60) as i32;
            scene.pay(water, Merchant::Water, at.min(self.hour(25.9)), cents);
        }
    }

    fn fetch_water(&mut self, scene: &mut Scene, hour: f64, p: f64) {
        let at = self.hour(hour) + scene.draw.between(0, 20 * MINUTE);
        let cents = scene.draw.between(15, 60) as i32;
        if scene.draw.chance(p) && self.outside.iter().all(|(from, to)| at < *from || *to < at) {
            scene.pay(scene.world.campus.water[self.building], Merchant::Water, at, cents);
        }
    }

    fn study(&self, scene: &Scene, usual: f64) -> f64 {
        (usual + 0.1 * scene.student.diligence).clamp(0.01, 0.9) * self.mood.study
    }

    fn meal_trip(&mut self, scene: &mut Scene, table: Table) {
        let begin = table.at - scene.draw.between(6, 12) * MINUTE;
        let end = table.at + scene.draw.between(14, 45) * MINUTE;
        self.take(scene, Some(table), begin);
        self.trip(scene, begin, end);
    }

    /// Eats, unless still out from the trip before.
    fn take(&mut self, scene: &mut Scene, table: Option<Table>, begin: i64) {
        if let Some(table) = table.filter(|_| self.home_from <= begin) {
            eat(scene, &self.mood, table);
        }
    }

    fn library(&mut self, scene: &mut Scene, from: i64, until: i64) {
        if until < from + 20 * MINUTE || from < self.home_from {
            return;
        }
        let [a, b] = [0, 1].map(|_| *scene.draw.pick(&scene.world.campus.library_gates));
        scene.pass(a, from, true);
        scene.pass(b, until, false);
        if scene.draw.chance(0.08) {
            let printer = *scene.draw.pick(&scene.world.campus.printers);
            let cents = scene.draw.between(1, 40) as i32 * 10;
            scene.pay(printer, Merchant::Library, from + (until - from) / 2, cents);
        }
    }

    /// Goes out and comes back; the way home may lead through a shop.
    fn trip(&mut self, scene: &mut Scene, begin: i64, end: i64) {
        if begin < self.home_from {
            return;
        }
        let end = end.max(begin + 5 * MINUTE);
        let [slow, slower] = [0, 1].map(|_| scene.draw.between(0, 60));
        self.dorm_gate(scene, begin + slow, false);
        if scene.draw.chance(0.19) {
            let shop = *scene.draw.pick(&scene.world.campus.shops);
            let cents = (900.0 * (0.3 * scene.student.budget + 0.7 * scene.draw.normal()).exp() / 10.0) as i32 * 10;
            scene.pay(shop, Merchant::Shop, end - 5 * MINUTE + slow, cents.max(100));
        }
        self.dorm_gate(scene, end + slower, true);
        self.outside.push((begin, end + MINUTE));
        self.home_from = end + 3 * MINUTE;
    }

    fn dorm_gate(&mut self, scene: &mut Scene, at: i64, is_in: bool) {
        let gate = *scene.draw.pick(&self.gates);
        scene.pass(gate, at, is_in);
    }

    fn school_gate(&mut self, scene: &mut Scene, at: i64, is_in: bool) {
        let gate = *scene.draw.pick(&scene.world.campus.school_gates);
        scene.pass(gate, at, is_in);
    }

    /// Leaves the campus at the end of the stay, from the room or from wherever a trip has led.
    fn leave_for_good(&mut self, scene: &mut Scene) {
        let to = scene.stay.to;
        let is_outside = self.outside.iter().any(|(from, end)| *from - MINUTE < to && to <= *end + MINUTE);
        if !is_outside && scene.stay.from < to - 8 * MINUTE {
            let gate = *scene.draw.pick(&self.gates);
            scene.pass_always(gate, to - 2, false);
        }
        let gate = *scene.draw.pick(&scene.world.campus.school_gates);
        scene.pass_always(gate, to + 7 * MINUTE, false);
    }
}
