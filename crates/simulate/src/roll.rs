//! Students who stand in the register without studying here as everybody does: a place kept, left, graduated, extended, died.
//!
//! On paper only: they pass no gate and pay nowhere, so that nothing else of the campus depends on them.

use crate::calendar::date;
use crate::campus::COLLEGES;
use crate::world::World;

/// One of them.
pub(crate) struct OnPaper {
    pub(crate) number: u32,
    pub(crate) year: u16,
    pub(crate) college: u8,
    pub(crate) class: String,
    /// Index of the counselor among the staff.
    pub(crate) counselor: u32,
    /// Word of the register, and the one that our tables have for it.
    pub(crate) status: (&'static str, &'static str),
    /// What began it, as the register calls it.
    pub(crate) change: &'static str,
    /// First day of it, counted from the first day of the data.
    pub(crate) since: i32,
}

/// Word of the register, word of ours, what began it, year of entry, since when.
type Kind = (&'static str, &'static str, &'static str, u16, i32);

const KINDS: [Kind; 6] = [
    ("保留学籍", "retained", "保留学籍", 2024, -29),
    // In the middle of the term, so that there is a day before and a day after.
    ("退学", "withdrawn", "退学", 2024, 16),
    ("毕业", "graduated", "毕业", 2021, -69),
    ("结业", "completed", "结业", 2021, -69),
    ("延期", "extended", "延期", 2021, -69),
    ("死亡", "deceased", "死亡", 2023, -120),
];

/// Below this many students a campus has none of them.
const STUDENTS_MIN: usize = 200;

/// One of each kind for every thousand students, at least one.
pub(crate) fn on_paper(world: &World) -> Vec<OnPaper> {
    let people = &world.people;
    let rounds = match people.students.len() {
        n if n < STUDENTS_MIN => 0,
        n => (n / 1000).max(1),
    };
    let of = |(round, kind): (usize, usize)| {
        let (word, status, change, year, since) = KINDS[kind];
        // The class of a fellow student, or one of the year that has left.
        let fellow =
            people.students.iter().filter(|it| !it.is_master && (year < 2022 || it.year == year)).nth(7 * round + kind)?;
        let class = &people.classes[usize::from(fellow.class)];
        let name = if year < 2022 {
            format!("{}{}01", COLLEGES[usize::from(class.college)].majors[0], year % 100)
        } else {
            class.name.clone()
        };
        Some(OnPaper {
            number: u32::from(year) * 1_000_000 + 900_000 + (KINDS.len() * round + kind) as u32,
            year,
            college: class.college,
            class: name,
            counselor: class.counselor,
            status: (word, status),
            change,
            since,
        })
    };
    (0..rounds).flat_map(|round| (0..KINDS.len()).map(move |kind| (round, kind))).filter_map(of).collect()
}

impl OnPaper {
    /// Spans of enrolment: state, first day, last day, what began it.
    pub(crate) fn spans(&self) -> [(&'static str, String, String, &'static str); 2] {
        let begin = -365 * (2025 - i32::from(self.year)) - 2;
        [
            ("在籍", date(begin).to_string(), date(self.since - 1).to_string(), "入学"),
            (self.status.0, date(self.since).to_string(), String::new(), self.change),
        ]
    }
}
