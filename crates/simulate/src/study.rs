//! What the academic office knows: sections, timetable, roll-calls, grades, warnings, internships.
//!
//! A section is a course of one class in one term. Roll-calls follow the days that were lived; grades follow diligence.

use std::path::Path;

use crate::Error;
use crate::calendar::{DAY, DayKind, HOUR, calendar_day, date};
use crate::campus::COLLEGES;
use crate::day::PERIODS;
use crate::leave::LeaveKind;
use crate::lines::{Lines, minute, or_empty, second, serial};
use crate::random::{Draw, Purpose};
use crate::scene::Roll;
use crate::student::{Student, staff_number};
use crate::tally::Tally;
use crate::world::World;

/// Courses of a class in a term, and what they are worth.
pub(crate) const COURSES: usize = 8;
const CREDITS: [u32; COURSES] = [40, 30, 30, 25, 20, 20, 20, 10];
const SUBJECTS: [&str; COURSES] = ["专业核心", "专业基础", "数学", "外语", "思想政治理论", "实验实践", "通识选修", "体育"];
/// The term that the data tell day by day.
pub(crate) const TERM: &str = "2025-2026-1";
/// Day on which midterm grades are published, and grades of the term.
const MIDTERM: i32 = 68;
const FINAL: i32 = 139;
/// Share of classes at which the roll is called.
const CALLED: f64 = 0.5;

/// Past terms of a student, oldest first: name, and day counted from the first on which its grades came out.
fn past_terms(year: u16) -> Vec<(String, i32)> {
    (i32::from(year)..2025)
        .flat_map(|it| {
            let years_ago = 2025 - it;
            [(format!("{it}-{}-1", it + 1), -365 * years_ago + 145), (format!("{it}-{}-2", it + 1), -365 * (years_ago - 1) - 50)]
        })
        .collect()
}

/// The course that a class has in a period of a weekday; who takes the section is the class.
fn course_of(weekday: i32, period: usize) -> usize {
    (weekday as usize * 3 + period * 2) % COURSES
}

fn section(term: &str, class: u16, course: usize) -> String {
    format!("K{}-{class:04}-{}", term.replace('-', ""), course + 1)
}

/// A member of the teaching staff for a course of a class.
fn teacher(world: &World, class: u16, course: usize) -> u32 {
    let staff = &world.people.teachers;
    staff[(usize::from(class) * 5 + course) % staff.len()]
}

/// Writes what stands before the first day: sections, timetable, grades of past terms, warnings, internships.
pub(crate) fn write_registers(world: &World, out: &Path, tally: &mut Tally) -> Result<(), Error> {
    sections(world, out, tally)?;
    past_grades(world, out, tally)?;
    warnings(world, out, tally)?;
    internships(world, out, tally)
}

fn sections(world: &World, out: &Path, tally: &mut Tally) -> Result<(), Error> {
    let mut sections = Lines::new("教学班号,课程号,课程名称,学分,学期,开课学院,班级,教师工号");
    let mut slots = Lines::new("教学班号,星期,节次,开始时间,结束时间,地点,类型");
    for (class, it) in world.people.classes.iter().enumerate() {
        let class = class as u16;
        let college = &COLLEGES[usize::from(it.college)];
        for course in 0..COURSES {
            let id = section(TERM, class, course);
            let code = format!("{}-{}", college.id, course + 1);
            let credits = f64::from(CREDITS[course]) / 10.0;
            let teacher = staff_number(teacher(world, class, course));
            sections.row(&[&id, &code, &SUBJECTS[course], &credits, &TERM, &college.id, &it.name, &teacher]);
        }
        for weekday in 0..5 {
            for (period, taught) in crate::day::taught(world, class, weekday).into_iter().enumerate() {
                if taught {
                    let from = (PERIODS[period] * HOUR as f64) as i64;
                    let clock = |at: i64| format!("{:02}:{:02}", at / HOUR, at % HOUR / 60);
                    let place = format!("教{}-{}", usize::from(class) % 5 + 1, 100 * (period + 1) + usize::from(class) % 40);
                    let id = section(TERM, class, course_of(weekday, period));
                    let kind = if period == 4 { "晚课" } else { "上课" };
                    slots.row(&[
                        &id,
                        &(weekday + 1),
                        &(period + 1),
                        &clock(from),
                        &clock(from + crate::day::PERIOD_S),
                        &place,
                        &kind,
                    ]);
                }
            }
        }
    }
    sections.write(&out.join("study/course_section.csv"), "course_section", tally)?;
    slots.write(&out.join("study/timetable_slot.csv"), "timetable_slot", tally)
}

/// Mark of a student in a course: diligence and rhythm say something, most is chance.
fn mark(world: &World, index: u32, student: &Student, term: &str, course: usize) -> i64 {
    let place = term.bytes().fold(course as u64, |sum, it| sum.wrapping_mul(31).wrapping_add(u64::from(it)));
    let mut draw = Draw::new(world.seed, Purpose::Grade, u64::from(index), place);
    let hard = [-3.0, -2.0, -4.0, 0.0, 4.0, 3.0, 5.0, 5.0][course];
    let value = 76.0 + hard + 5.5 * student.diligence - 1.2 * student.rhythm + 7.5 * draw.normal();
    (value.round() as i64).clamp(18, 100)
}

const GRADE_HEAD: &str = "成绩编号,学号,教学班号,课程号,课程名称,学期,学分,成绩,考核类型,发布时间";

fn grade_row(lines: &mut Lines, it: &Student, term: &str, course: usize, mark: i64, kind: &str, at: i64) {
    let college = &COLLEGES[usize::from(it.college)];
    let code = format!("{}-{}", college.id, course + 1);
    let id = format!("CJ{}{}{}{}", term.replace('-', ""), serial(it.number), course + 1, if kind == "期中" { "Z" } else { "" });
    let credits = f64::from(CREDITS[course]) / 10.0;
    let section = if kind == "期中" || term == TERM { section(term, it.class, course) } else { String::new() };
    lines.row(&[&id, &it.number, &section, &code, &SUBJECTS[course], &term, &credits, &mark, &kind, &second(at)]);
}

fn past_grades(world: &World, out: &Path, tally: &mut Tally) -> Result<(), Error> {
    let mut files = std::collections::BTreeMap::new();
    for (index, it) in world.people.students.iter().enumerate() {
        for (term, day) in past_terms(it.year) {
            let lines = files.entry(term.clone()).or_insert_with(|| Lines::new(GRADE_HEAD));
            for course in 0..COURSES {
                let at = i64::from(day) * DAY + 16 * HOUR;
                grade_row(lines, it, &term, course, mark(world, index as u32, it, &term, course), "期末", at);
            }
        }
    }
    for (term, lines) in files {
        lines.write_gb(&out.join(format!("study/grade_{term}.csv")), "grade_record", tally)?;
    }
    Ok(())
}

/// Tenths of credits that a student failed in a past term.
fn failed(world: &World, index: u32, it: &Student, term: &str) -> u32 {
    (0..COURSES).filter(|course| mark(world, index, it, term, *course) < 60).map(|course| CREDITS[course]).sum()
}

/// Who failed much in the term before is warned in the second week.
fn warnings(world: &World, out: &Path, tally: &mut Tally) -> Result<(), Error> {
    let mut lines = Lines::new("预警编号,学号,学期,级别,不及格学分,发出日期");
    for (index, it) in world.people.students.iter().enumerate() {
        if 2025 <= it.year || !it.is_enrolled {
            continue;
        }
        let lost = failed(world, index as u32, it, "2024-2025-2");
        if 60 <= lost {
            let level = if 100 <= lost { "二级" } else { "一级" };
            let credits = f64::from(lost) / 10.0;
            lines.row(&[&format!("XY{}", serial(it.number)), &it.number, &"2024-2025-2", &level, &credits, &date(10)]);
        }
    }
    lines.write(&out.join("study/academic_warning.csv"), "academic_warning", tally)
}

fn internships(world: &World, out: &Path, tally: &mut Tally) -> Result<(), Error> {
    let mut lines = Lines::new("实习编号,学号,单位,开始日期,结束日期,校内指导教师工号,登记时间");
    for (index, it) in world.people.students.iter().enumerate() {
        let all = world.leaves(index as u32, it, 40, 60);
        // A placement that is registered after the end of the data is not known yet.
        let end = i64::from(world.days) * DAY;
        if let Some(leave) = all.iter().find(|it| it.kind == LeaveKind::Internship && it.approved < end) {
            let firm = ["一号企业", "二号企业", "三号企业", "四号企业"][index % 4];
            let tutor = staff_number(teacher(world, it.class, 0));
            let day = |at: i64| date(at.div_euclid(DAY) as i32);
            let id = format!("SX{}", serial(it.number));
            lines.row(&[&id, &it.number, &firm, &day(leave.from), &day(leave.to), &tutor, &second(leave.approved)]);
        }
    }
    lines.write(&out.join("study/internship_placement.csv"), "internship_placement", tally)
}

/// Writes the roll-calls of a day; no file on days without classes.
pub(crate) fn write_attendance(world: &World, out: &Path, day: i32, roll: &[Roll], tally: &mut Tally) -> Result<(), Error> {
    if calendar_day(day).kind != DayKind::Teaching && calendar_day(day).kind != DayKind::Makeup {
        return Ok(());
    }
    let weekday = day % 7 % 5;
    let mut there = vec![None; world.people.students.len()];
    for it in roll {
        there[it.student as usize] = Some(it.attended);
    }
    let mut lines = Lines::new("考勤编号,教学班号,学号,上课时间,状态,方式");
    for (index, it) in world.people.students.iter().enumerate() {
        if !it.is_enrolled {
            continue;
        }
        let taught = crate::day::taught(world, it.class, weekday);
        let mut draw = Draw::new(world.seed, Purpose::Attendance, index as u64, day as u64);
        let mut papers = None;
        for period in 0..PERIODS.len() {
            let late = draw.chance(0.03);
            let called = Draw::new(world.seed, Purpose::RollCall, u64::from(it.class), (day * 8 + period as i32) as u64);
            if !taught[period] || !called.clone().chance(CALLED) {
                continue;
            }
            let at = i64::from(day) * DAY + (PERIODS[period] * HOUR as f64) as i64;
            let is_there = there[index].is_some_and(|it| it[period]);
            let state = if is_there {
                if late { "迟到" } else { "出勤" }
            } else {
                let papers = papers.get_or_insert_with(|| world.leaves(index as u32, it, day - 1, day + 1));
                let told = world.stories[index].iter().filter_map(|story| story.leave(world.seed, index as u32));
                let mut all = papers.iter().copied().chain(told).filter(|it| it.has_record);
                if all.any(|it| it.from <= at && at < it.to) { "请假" } else { "缺勤" }
            };
            let id = format!("KQ{}{}{}", date(day).format("%y%m%d"), serial(it.number), period + 1);
            let section = section(TERM, it.class, course_of(weekday, period));
            let method = if period % 2 == 0 { "点名" } else { "扫码" };
            lines.row(&[&id, &section, &it.number, &minute(at), &state, &method]);
        }
    }
    lines.write(&out.join(format!("study/attendance_{}.csv", date(day).format("%Y%m%d"))), "class_attendance", tally)
}

/// Writes the grades that come out in the days `low..=high`; usually none.
pub(crate) fn write_grades(world: &World, out: &Path, low: i32, high: i32, tally: &mut Tally) -> Result<(), Error> {
    for (day, kind) in [(MIDTERM, "期中"), (FINAL, "期末")] {
        if !(low..=high).contains(&day) {
            continue;
        }
        let mut lines = Lines::new(GRADE_HEAD);
        for (index, it) in world.people.students.iter().enumerate().filter(|it| it.1.is_enrolled) {
            let courses = if kind == "期中" { 0..4 } else { 0..COURSES };
            for course in courses {
                let term = if kind == "期中" { "2025-2026-1/期中" } else { TERM };
                // A few miss the first task of a course, and with it the first chance to be asked how things are.
                let mut absent = Draw::new(world.seed, Purpose::Grade, index as u64, u64::MAX - course as u64);
                if kind == "期中" && absent.chance((0.012 - 0.006 * it.diligence).clamp(0.002, 0.05)) {
                    continue;
                }
                let mark = mark(world, index as u32, it, term, course);
                grade_row(&mut lines, it, TERM, course, mark, kind, i64::from(day) * DAY + 16 * HOUR);
            }
        }
        let on = date(high).format("%Y%m%d");
        lines.write_gb(&out.join(format!("study/grade_{on}.csv")), "grade_record", tally)?;
    }
    Ok(())
}

/// Writes loans begun or ended in the days `low..=high`, as they stand after the last of them. No title is exported.
pub(crate) fn write_loans(world: &World, out: &Path, low: i32, high: i32, tally: &mut Tally) -> Result<(), Error> {
    let (begin, end) = (i64::from(low) * DAY, i64::from(high + 1) * DAY);
    let mut lines = Lines::new("借阅编号,学号,借出时间,应还日期,归还时间");
    for (index, it) in world.people.students.iter().enumerate().filter(|it| it.1.is_enrolled) {
        // A loan is drawn by week of its beginning, and lasts up to six weeks.
        for week in (low / 7 - 7).max(0)..=high / 7 {
            let mut draw = Draw::new(world.seed, Purpose::Loan, index as u64, week as u64);
            if !draw.chance((0.10 + 0.05 * it.diligence).clamp(0.005, 0.6)) {
                continue;
            }
            let day = week * 7 + draw.below(7) as i32;
            let at = i64::from(day) * DAY + draw.between(9 * HOUR, 21 * HOUR);
            let back = at + draw.between(2 * DAY, 40 * DAY);
            let is_seen = (begin..end).contains(&at) || ((begin..end).contains(&back) && at < end);
            if is_seen && calendar_day(day).kind != DayKind::Vacation && world.stay(index as u32, it, day).is_some() {
                let back = (back < end).then(|| second(back));
                let id = format!("JY{week:02}{}", serial(it.number));
                lines.row(&[&id, &it.number, &second(at), &date(day + 30), &or_empty(back)]);
            }
        }
    }
    lines.write(&out.join(format!("library/loan_{}.csv", date(high).format("%Y%m%d"))), "library_loan", tally)
}
