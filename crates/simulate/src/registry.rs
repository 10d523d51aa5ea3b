//! The state exports that are written once: who and what there is.

use std::fmt::Write as _;
use std::path::Path;

use crate::Error;
use crate::calendar::{calendar_day, date, next_vacation_end};
use crate::campus::{COLLEGES, FLOORS, OFFICES, UNIVERSITY};
use crate::card::card_time;
use crate::defect::Reason;
use crate::random::{Draw, Purpose};
use crate::sheet::{Cell, write, write_sheet};
use crate::story::StoryKind;
use crate::student::staff_number;
use crate::tally::Tally;
use crate::world::World;

/// Writes the whole registry, the dormitories and the devices.
pub(crate) fn write_all(world: &World, out: &Path, tally: &mut Tally) -> Result<(), Error> {
    let mut rows = vec![
        ("student", students(world, &out.join("registry/student.xlsx"))?),
        ("staff", staff(world, &out.join("registry/staff.xlsx"))?),
        ("org_unit", org_units(&out.join("registry/org_unit.csv"))?),
        ("building", buildings(world, &out.join("dorm/building.xlsx"))?),
        ("room", rooms(world, &out.join("dorm/room.xlsx"))?),
        ("calendar_day", calendar(world, &out.join("registry/calendar_day.csv"))?),
        ("device", devices(world, &out.join("gate/device.csv"))?),
        ("card_status", card_status(world, &out.join("card/card_status.csv"))?),
    ];
    rows.push(("bed_assignment", beds(world, &out.join("dorm/bed_assignment.xlsx"), tally)?));
    for (pipeline, count) in rows {
        tally.rows(pipeline, count as u64);
    }
    Ok(())
}

/// Some who entered this year are not eighteen yet.
fn is_minor(world: &World, index: usize, it: &crate::student::Student) -> bool {
    it.year == 2025 && !it.is_master && Draw::new(world.seed, Purpose::State, index as u64, 7).chance(0.05)
}

fn students(world: &World, path: &Path) -> Result<usize, Error> {
    let heads = [
        "学号",
        "姓名",
        "性别",
        "学院",
        "专业",
        "班级",
        "年级",
        "学段",
        "校区",
        "住宿类型",
        "学籍状态",
        "手机号",
        "责任辅导员工号",
        "是否未成年",
    ];
    let line = |(index, it): (usize, &crate::student::Student)| {
        let mut draw = Draw::new(world.seed, Purpose::State, index as u64, 0);
        let class = &world.people.classes[usize::from(it.class)];
        let major = class.name.trim_end_matches(|it: char| it.is_ascii_digit()).trim_end_matches('研');
        let degree = if it.is_master { "硕士" } else { "本科" };
        vec![
            Cell::text(it.number.to_string()),
            Cell::text(crate::names::name(&mut draw)),
            Cell::text(it.sex.word()),
            Cell::text(COLLEGES[usize::from(it.college)].id),
            Cell::text(major),
            Cell::text(&class.name),
            Cell::Whole(i64::from(it.year)),
            Cell::text(degree),
            Cell::text("主校区"),
            Cell::text(it.living.word()),
            Cell::text(if it.is_enrolled { "在籍" } else { "休学" }),
            Cell::text(format!("199000{index:05}")),
            Cell::text(staff_number(class.counselor)),
            Cell::text(if is_minor(world, index, it) { "是" } else { "否" }),
        ]
    };
    let on_paper = |(place, it): (usize, crate::roll::OnPaper)| {
        let index = world.people.students.len() + place;
        let mut draw = Draw::new(world.seed, Purpose::State, index as u64, 0);
        vec![
            Cell::text(it.number.to_string()),
            Cell::text(crate::names::name(&mut draw)),
            Cell::text(crate::campus::Sex::Female.word()),
            Cell::text(COLLEGES[usize::from(it.college)].id),
            Cell::text(it.class.trim_end_matches(|it: char| it.is_ascii_digit())),
            Cell::text(&it.class),
            Cell::Whole(i64::from(it.year)),
            Cell::text("本科"),
            Cell::text("主校区"),
            Cell::text(crate::student::Living::Rented.word()),
            Cell::text(it.status.0),
            Cell::text(format!("199000{index:05}")),
            Cell::text(staff_number(it.counselor)),
            Cell::text("否"),
        ]
    };
    let mut rows: Vec<_> = world.people.students.iter().enumerate().map(line).collect();
    rows.extend(crate::roll::on_paper(world).into_iter().enumerate().map(on_paper));
    write_sheet(path, &heads, &rows)?;
    Ok(rows.len())
}

fn staff(world: &World, path: &Path) -> Result<usize, Error> {
    let line = |(index, it): (usize, &crate::student::Staff)| {
        let words = [staff_number(index as u32), it.name.clone(), it.unit.to_owned(), it.post.to_owned()];
        words.into_iter().map(Cell::Text).chain([Cell::text(format!("199099{index:05}"))]).collect()
    };
    let rows: Vec<_> = world.people.staff.iter().enumerate().map(line).collect();
    write_sheet(path, &["工号", "姓名", "单位", "岗位", "手机号"], &rows)?;
    Ok(rows.len())
}

fn org_units(path: &Path) -> Result<usize, Error> {
    let mut text = String::from("\u{feff}单位编号,单位名称,上级单位,类别\r\n");
    let _ = write!(text, "{},{},,学校\r\n", UNIVERSITY.0, UNIVERSITY.1);
    for it in &COLLEGES {
        let _ = write!(text, "{},{},{},学院\r\n", it.id, it.name, UNIVERSITY.0);
    }
    for (id, name) in OFFICES {
        let _ = write!(text, "{id},{name},{},部门\r\n", UNIVERSITY.0);
    }
    write(path, text.as_bytes())?;
    Ok(1 + COLLEGES.len() + OFFICES.len())
}

fn buildings(world: &World, path: &Path) -> Result<usize, Error> {
    let line = |it: &crate::campus::Building| {
        vec![
            Cell::text(&it.id),
            Cell::text(&it.name),
            Cell::text("主校区"),
            Cell::text(it.sex.word()),
            Cell::Whole(i64::from(FLOORS)),
            Cell::text("23:00"),
        ]
    };
    let rows: Vec<_> = world.campus.buildings.iter().map(line).collect();
    write_sheet(path, &["楼栋号", "楼栋名称", "校区", "性别", "楼层数", "门禁关闭时间"], &rows)?;
    Ok(rows.len())
}

fn rooms(world: &World, path: &Path) -> Result<usize, Error> {
    let line = |it: &crate::campus::Room| {
        let building = &world.campus.buildings[usize::from(it.building)].id;
        vec![Cell::Text(it.id()), Cell::text(building), Cell::Whole(it.floor.into()), Cell::Whole(it.beds.into())]
    };
    let rows: Vec<_> = world.campus.rooms.iter().map(line).collect();
    write_sheet(path, &["房间号", "楼栋号", "楼层", "床位数"], &rows)?;
    Ok(rows.len())
}

/// Day counted from the first on which the students of a year moved in.
fn moved_in(year: u16) -> i32 {
    -365 * (2025 - i32::from(year)) - 2
}

/// The room where a student lived before, and the day of the move; most have none.
fn lived_before(world: &World, index: u32) -> Option<(String, i32)> {
    let student = &world.people.students[index as usize];
    let (room, _) = student.bed?;
    let mut draw = Draw::new(world.seed, Purpose::State, u64::from(index), 1);
    if 2025 <= student.year || !draw.chance(0.04) {
        return None;
    }
    let now = world.campus.rooms[room as usize];
    let other = crate::campus::Room { floor: now.floor % FLOORS + 1, ..now };
    Some((other.id(), moved_in(student.year) + 180 + draw.below(120) as i32))
}

/// Moves between rooms: student, room before, room after, day.
pub(crate) fn moves(world: &World) -> Vec<(u32, String, String, i32)> {
    let of = |index: u32| {
        let (before, day) = lived_before(world, index)?;
        let (room, _) = world.people.students[index as usize].bed?;
        Some((index, before, world.campus.rooms[room as usize].id(), day))
    };
    (0..world.people.students.len() as u32).filter_map(of).collect()
}

fn beds(world: &World, path: &Path, tally: &mut Tally) -> Result<usize, Error> {
    let mut rows = Vec::new();
    for (index, student) in world.people.students.iter().enumerate() {
        let Some((room, bed)) = student.bed else {
            continue;
        };
        let number = Cell::text(student.number.to_string());
        let mut since = moved_in(student.year);
        if let Some((before, until)) = lived_before(world, index as u32) {
            let before = Cell::Text(before);
            rows.push(vec![number.clone(), before, Cell::Whole(bed.into()), Cell::Date(since), Cell::Date(until)]);
            since = until;
        }
        let id = world.campus.rooms[room as usize].id();
        rows.push(vec![number, Cell::Text(id), Cell::Whole(bed.into()), Cell::Date(since), Cell::Empty]);
    }
    let mut draw = Draw::new(world.seed, Purpose::State, u64::MAX, 1);
    let good = rows.len();
    for reason in tally.due("bed_assignment", good, &mut draw) {
        let mut row = rows[draw.below(good as u32) as usize].clone();
        debug_assert_eq!(reason, Reason::Person);
        // What a spreadsheet makes of a long number.
        row[0] = Cell::text(format!("2.{:03}E+09", 22 + draw.below(4)));
        rows.push(row);
    }
    write_sheet(path, &["学号", "房间号", "床位", "入住日期", "退宿日期"], &rows)?;
    Ok(rows.len())
}

/// Days of military training of those who entered in 2025.
const MILITARY_DAYS: i32 = 12;

fn calendar(world: &World, path: &Path) -> Result<usize, Error> {
    let mut text = String::from("date,campus,cohort_scope,term,teaching_week,kind,makeup_for\n");
    let days = -60..(world.days + 30).max(next_vacation_end(world.days));
    for day in days.clone() {
        let it = calendar_day(day);
        let week = it.week.map_or_else(String::new, |it| it.to_string());
        let makeup = it.makeup_for.map_or_else(String::new, |it| date(it).to_string());
        let _ = writeln!(text, "{},,,{},{week},{},{makeup}", date(day), it.term, it.kind.word());
    }
    // Newcomers have two weeks of military training before their classes begin; only their own days say so.
    for day in 0..MILITARY_DAYS {
        let _ = writeln!(text, "{},,2025,2025-2026-1,{},military,", date(day), day / 7 + 1);
    }
    write(path, text.as_bytes())?;
    Ok(days.len() + MILITARY_DAYS as usize)
}

fn devices(world: &World, path: &Path) -> Result<usize, Error> {
    let mut text = String::from("device_id,kind,place,building_id\n");
    for it in &world.campus.devices {
        let building = it.building.map_or("", |it| &world.campus.buildings[usize::from(it)].id);
        let _ = writeln!(text, "{},{},{},{building}", it.id, it.kind.word(), it.place);
    }
    write(path, text.as_bytes())?;
    Ok(world.campus.devices.len())
}

/// Cards reported lost, found again and replaced.
fn card_status(world: &World, path: &Path) -> Result<usize, Error> {
    let mut events = Vec::new();
    let end = i64::from(world.days) * crate::calendar::DAY;
    for (index, student) in world.people.students.iter().enumerate() {
        let mut lost: Vec<(i64, i64)> = (0..=world.days / 30).filter_map(|month| world.lost_card(index as u32, month)).collect();
        for it in world.stories[index].iter().filter(|it| it.kind == StoryKind::NoTraceLostCard) {
            let mut draw = Draw::new(world.seed, Purpose::LostCard, index as u64, u64::from(it.from.unsigned_abs()) << 8);
            let day = crate::calendar::DAY;
            let from = i64::from(it.from) * day + draw.between(5 * 3600, 9 * 3600);
            lost.push((from, i64::from(it.to) * day + draw.between(9 * 3600, 12 * 3600)));
        }
        for (from, to) in lost {
            let is_found = (from / 7) % 4 == 0;
            events.push((from, student.number, "挂失"));
            events.push((to, student.number, if is_found { "解挂" } else { "补卡" }));
        }
    }
    events.retain(|it| it.0 < end);
    events.sort_unstable();
    let mut text = String::from("编号,学号,状态,时间\r\n");
    for (place, (at, number, status)) in events.iter().enumerate() {
        let _ = write!(text, "{},{number},{status},{}\r\n", place + 1, card_time(*at));
    }
    write(path, &encoding_rs::GB18030.encode(&text).0)?;
    Ok(events.len())
}
