//! The people: who studies what, lives where, and what nobody can see of them.
//!
//! Comes from the seed and the number of students; knows nothing of days. Read by everything else.

use crate::campus::{COLLEGES, Campus, DOORS, FLOORS, Room, Sex};
use crate::names;
use crate::random::{Draw, Purpose};

/// Where somebody sleeps during term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Living {
    Dorm,
    Home,
    Rented,
}

impl Living {
    /// Word in the export.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Living::Dorm => "住宿",
            Living::Home => "走读",
            Living::Rented => "外宿",
        }
    }
}

/// A student with the traits behind their days.
#[derive(Debug, Clone)]
pub(crate) struct Student {
    pub(crate) number: u32,
    pub(crate) sex: Sex,
    pub(crate) college: u8,
    pub(crate) class: u16,
    pub(crate) year: u16,
    pub(crate) is_master: bool,
    pub(crate) living: Living,
    /// On the roll, not suspended.
    pub(crate) is_enrolled: bool,
    /// Room (index) and bed (from 1), of those who live in a dormitory.
    pub(crate) bed: Option<(u32, u8)>,
    /// Late (positive) or early, standard normal; so are the next three.
    pub(crate) rhythm: f64,
    pub(crate) budget: f64,
    pub(crate) sociability: f64,
    pub(crate) diligence: f64,
    /// Share of meals paid outside the card.
    pub(crate) leak: f64,
    pub(crate) group: u32,
    /// Latent state: 4 and 3 grave, 2 problem, 1 distress, 0 none.
    pub(crate) level: u8,
    /// Day the state began, counted from the first; meaningless at level 0.
    pub(crate) onset: i32,
    /// Where the state shows in this student, about one each.
    pub(crate) mix: Mix,
    pub(crate) is_late_returner: bool,
    /// Stays on campus in holidays and vacations.
    pub(crate) is_stayer: bool,
}

/// How much of a latent state shows in each part of life, about one each: a state moves nobody's whole day alike.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mix {
    pub(crate) meals: f64,
    pub(crate) classes: f64,
    pub(crate) study: f64,
    pub(crate) washing: f64,
    pub(crate) evening: f64,
}

/// Most that one part of life takes of a state.
const MIX_MAX: f64 = 2.5;

impl Mix {
    /// Five exponential parts in proportion: some show it nearly everywhere, most in two or three parts of life.
    fn of(seed: u64, index: u32) -> Mix {
        let mut draw = Draw::new(seed, Purpose::Mix, u64::from(index), 0);
        let parts = [0.0; 5].map(|_: f64| draw.exponential(1.0));
        let whole: f64 = parts.iter().sum::<f64>().max(1e-9);
        let [meals, classes, study, washing, evening] = parts.map(|it| (5.0 * it / whole).min(MIX_MAX));
        Mix { meals, classes, study, washing, evening }
    }
}

/// A class of a year: its text such as `软件2301`, its college and its counselor.
#[derive(Debug, Clone)]
pub(crate) struct Class {
    pub(crate) name: String,
    pub(crate) college: u8,
    pub(crate) counselor: u32,
}

/// Somebody who works here.
#[derive(Debug, Clone)]
pub(crate) struct Staff {
    pub(crate) name: String,
    pub(crate) unit: &'static str,
    pub(crate) post: &'static str,
}

/// Staff number of the member with that index.
pub(crate) fn staff_number(index: u32) -> String {
    format!("T{:05}", index + 1)
}

/// Everybody.
#[derive(Debug, Clone, Default)]
pub(crate) struct People {
    pub(crate) students: Vec<Student>,
    pub(crate) classes: Vec<Class>,
    pub(crate) staff: Vec<Staff>,
    /// Students of each building.
    pub(crate) residents: Vec<Vec<u32>>,
    /// Students of each class.
    pub(crate) of_class: Vec<Vec<u32>>,
    /// Staff by what they do: counselors with their students, teachers, logistics.
    pub(crate) counselors: Vec<u32>,
    pub(crate) cared_for: std::collections::BTreeMap<u32, Vec<u32>>,
    pub(crate) teachers: Vec<u32>,
    pub(crate) logistics: Vec<u32>,
}

const CLASS_SIZE: u32 = 30;
/// Shares of the grave, serious, problem and distress states.
const PRIORS: [f64; 4] = [0.013, 0.015, 0.008, 0.134];

/// Enrols the students, makes classes and groups, hires staff, and moves everybody in.
pub(crate) fn enrol(seed: u64, count: u32, campus: &mut Campus) -> People {
    let mut people = People::default();
    let mut of_year = [0u32; 5];
    let mut sizes = std::collections::BTreeMap::<(bool, u16, u8, usize), u32>::new();
    let mut class_index = std::collections::BTreeMap::new();
    for index in 0..count {
        let mut draw = Draw::new(seed, Purpose::Student, u64::from(index), 0);
        let is_master = draw.chance(0.15);
        let year = if is_master { 2023 + draw.below(3) } else { 2022 + draw.below(4) } as u16;
        let college = draw.weighted(&COLLEGES.map(|it| it.weight));
        let major = draw.below(3) as usize;
        let size = sizes.entry((is_master, year, college as u8, major)).or_default();
        let running = *size / CLASS_SIZE + 1;
        *size += 1;
        let master = if is_master { "研" } else { "" };
        let name = format!("{}{master}{}{running:02}", COLLEGES[college].majors[major], year % 100);
        let class = *class_index.entry((college as u8, year, name.clone())).or_insert_with(|| {
            people.classes.push(Class { name, college: college as u8, counselor: 0 });
            people.classes.len() as u16 - 1
        });
        of_year[usize::from(year - 2022)] += 1;
        let number = u32::from(year) * 1_000_000 + of_year[usize::from(year - 2022)];
        let sex = if draw.chance(COLLEGES[college].men) { Sex::Male } else { Sex::Female };
        let living = [Living::Dorm, Living::Home, Living::Rented][draw.weighted(&[0.93, 0.04, 0.03])];
        let is_enrolled = !draw.chance(0.008);
        let group = u32::from(class) << 8 | draw.below(8);
        let level = [4, 3, 2, 1, 0][draw.weighted(&[PRIORS[0], PRIORS[1], PRIORS[2], PRIORS[3], 0.83])];
        people.students.push(Student {
            number,
            sex,
            college: college as u8,
            class,
            year,
            is_master,
            living,
            is_enrolled,
            bed: None,
            rhythm: draw.normal(),
            budget: draw.normal(),
            sociability: draw.normal(),
            diligence: draw.normal(),
            leak: (0.02 + draw.exponential(0.16)).min(0.95),
            group,
            level,
            onset: draw.between(-40, 170) as i32,
            mix: Mix::of(seed, index),
            is_late_returner: draw.chance(0.02),
            is_stayer: draw.chance(0.18),
        });
    }
    hire(seed, count, &mut people);
    move_in(seed, &mut people, campus);
    people
}

/// Fills rooms with neighbours on the class list, so that roommates mostly share a class.
fn move_in(seed: u64, people: &mut People, campus: &mut Campus) {
    let mut order: Vec<u32> = (0..people.students.len() as u32)
        .filter(|it| {
            let it = &people.students[*it as usize];
            it.living == Living::Dorm && it.is_enrolled
        })
        .collect();
    order.sort_by_key(|it| {
        let student = &people.students[*it as usize];
        (student.sex == Sex::Female, student.is_master, student.college, student.year, student.class, *it)
    });
    let mut open: Option<(Sex, bool, u32)> = None; // sex, master, next room within the building
    let mut free = 0u32;
    for index in order {
        let student = &people.students[index as usize];
        let (sex, is_master) = (student.sex, student.is_master);
        let beds = if !is_master { 4 } else { 2 + 2 * (index % 2) };
        let must_change = open.is_none_or(|(s, m, _)| s != sex || m != is_master);
        if must_change || free == 0 {
            let next = match open {
                Some((s, _, next)) if s == sex && next < FLOORS * DOORS => next,
                _ => {
                    campus.open_building(seed, sex);
                    people.residents.push(Vec::new());
                    0
                }
            };
            let building = campus.buildings.len() as u16 - 1;
            campus.rooms.push(Room { building, floor: next / DOORS + 1, door: next % DOORS + 1, beds });
            open = Some((sex, is_master, next + 1));
            free = beds;
        }
        let room = campus.rooms.len() as u32 - 1;
        let bed = (campus.rooms[room as usize].beds - free + 1) as u8;
        free -= 1;
        let building = campus.rooms[room as usize].building;
        people.residents[usize::from(building)].push(index);
        let mut draw = Draw::new(seed, Purpose::Student, u64::from(index), 1);
        let student = &mut people.students[index as usize];
        student.bed = Some((room, bed));
        // Friends are mostly roommates, some are of the class: then the group given at enrolment stays.
        if draw.chance(0.7) {
            student.group = 1 << 31 | room;
        }
    }
}

/// Hires leaders, counselors and the offices, and gives every class its counselor.
fn hire(seed: u64, count: u32, people: &mut People) {
    let mut posts: Vec<(&'static str, &'static str)> = vec![("U01", "校领导"); 3];
    posts.extend(vec![("D01", "学工处"); (count / 2000).max(3) as usize]);
    posts.extend(vec![("D05", "心理教师"); count.div_ceil(4000).max(2) as usize]);
    posts.extend(vec![("D02", "后勤"); (count / 800).max(4) as usize]);
    posts.extend([("D03", "学工处"), ("D04", "学工处"), ("D01", "分析师"), ("D04", "管理员")]);
    for (number, college) in COLLEGES.iter().enumerate() {
        let mine: Vec<usize> =
            (0..people.classes.len()).filter(|it| usize::from(people.classes[*it].college) == number).collect();
        let students = people.students.iter().filter(|it| usize::from(it.college) == number).count();
        let counselors = students.div_ceil(200);
        for (place, class) in mine.iter().enumerate() {
            people.classes[*class].counselor = (posts.len() + place * counselors / mine.len()) as u32;
        }
        posts.extend(vec![(college.id, "辅导员"); counselors]);
    }
    for college in &COLLEGES {
        let share = people.classes.iter().filter(|it| COLLEGES[usize::from(it.college)].id == college.id).count();
        posts.extend(vec![(college.id, "专业教师"); share.max(1)]);
    }
    let of = |post: &str| (0..posts.len() as u32).filter(|it| posts[*it as usize].1 == post).collect::<Vec<_>>();
    (people.teachers, people.logistics) = (of("专业教师"), of("后勤"));
    people.of_class = vec![Vec::new(); people.classes.len()];
    for (index, it) in people.students.iter().enumerate() {
        let counselor = people.classes[usize::from(it.class)].counselor;
        people.cared_for.entry(counselor).or_default().push(index as u32);
        people.of_class[usize::from(it.class)].push(index as u32);
    }
    people.counselors = people.cared_for.keys().copied().collect();
    people.staff = (0..posts.len())
        .map(|index| {
            let mut draw = Draw::new(seed, Purpose::Staff, index as u64, 0);
            Staff { name: names::name(&mut draw), unit: posts[index].0, post: posts[index].1 }
        })
        .collect();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_a_bed_of_their_own_and_a_counselor_of_the_college() {
        let mut campus = Campus::new(1, 900);
        let people = enrol(1, 900, &mut campus);
        let mut beds: Vec<_> = people.students.iter().filter_map(|it| it.bed).collect();
        let all = beds.len();
        beds.sort_unstable();
        beds.dedup();
        assert_eq!(all, beds.len());
        for student in &people.students {
            let staff = &people.staff[people.classes[usize::from(student.class)].counselor as usize];
            assert_eq!((staff.post, staff.unit), ("辅导员", COLLEGES[usize::from(student.college)].id));
            if let Some((room, bed)) = student.bed {
                let room = campus.rooms[room as usize];
                assert_eq!(campus.buildings[usize::from(room.building)].sex, student.sex);
                assert!(u32::from(bed) <= room.beds);
            }
        }
    }
}
