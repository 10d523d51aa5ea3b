//! What staff do in the community: shifts, visits to rooms, talks, receptions, rosters.
//!
//! Counselors differ: some visit and talk a lot, some tick boxes. A talk is likelier for whoever is not well.

use std::path::Path;

use crate::Error;
use crate::calendar::{DAY, DayKind, HOUR, MINUTE, calendar_day, date};
use crate::lines::{Lines, minute};
use crate::random::{Draw, Purpose};
use crate::student::staff_number;
use crate::tally::Tally;
use crate::world::World;

/// How much a member of staff does, about one.
fn zeal(world: &World, staff: u32) -> f64 {
    (1.0 + 0.45 * Draw::new(world.seed, Purpose::Work, u64::from(staff), u64::MAX).normal()).clamp(0.15, 2.2)
}

/// Writes the rosters of the term, as they are fixed before it begins.
pub(crate) fn write_registers(world: &World, out: &Path, tally: &mut Tally) -> Result<(), Error> {
    let mut roster = Lines::new("排班编号,类别,工号,日期,开始时间,结束时间,地点");
    for day in 0..world.days {
        if day % 7 != 2 || calendar_day(day).kind != DayKind::Teaching {
            continue;
        }
        for (place, staff) in reception(world, day).into_iter().enumerate() {
            let id = format!("PB{}{place}", date(day).format("%y%m%d"));
            roster.row(&[&id, &"接待日", &staff_number(staff), &date(day), &"14:00", &"17:00", &"院系领导接待室"]);
        }
    }
    roster.write(&out.join("duty/duty_roster.csv"), "duty_roster", tally)?;
    let mut plans = Lines::new("计划编号,学院,学期,类别,制定日期,审核日期");
    for it in &crate::campus::COLLEGES {
        for kind in ["专业教师进驻", "辅导员进驻"] {
            let id = format!("JH{}{}", it.id, if kind.starts_with('专') { 1 } else { 2 });
            plans.row(&[&id, &it.id, &"2025-2026-1", &kind, &date(-6), &date(-2)]);
        }
    }
    plans.write(&out.join("duty/duty_plan.csv"), "duty_plan", tally)?;
    let mut links = Lines::new("联系编号,工号,类别,对象编号,开始日期,结束日期");
    for (index, it) in world.people.staff.iter().enumerate() {
        let of = |list: &[u32]| list.iter().position(|it| *it == index as u32);
        let linked = match it.post {
            "校领导" => Some(("联系院系", crate::campus::COLLEGES[index % crate::campus::COLLEGES.len()].id.to_owned())),
            "心理教师" => {
                Some(("心理对接院系", crate::campus::COLLEGES[index % crate::campus::COLLEGES.len()].id.to_owned()))
            }
            "学工处" => {
                world.people.classes.get(index * 7 % world.people.classes.len().max(1)).map(|it| ("联系班级", it.name.clone()))
            }
            _ => of(&world.people.teachers)
                .and_then(|place| world.people.classes.get(place).map(|it| ("学业导师", it.name.clone()))),
        };
        if let Some((kind, object)) = linked {
            links.row(&[&format!("LX{index:04}"), &staff_number(index as u32), &kind, &object, &date(-3), &""]);
        }
    }
    links.write(&out.join("duty/staff_link.csv"), "staff_link", tally)
}

/// Who receives students on a Wednesday: a leader and two middle managers.
fn reception(world: &World, day: i32) -> [u32; 3] {
    let week = day / 7;
    let of = |post: &str, place: usize| {
        let all: Vec<u32> =
            (0..world.people.staff.len() as u32).filter(|it| world.people.staff[*it as usize].post == post).collect();
        all[place % all.len()]
    };
    [of("校领导", week as usize), of("学工处", 2 * week as usize), of("学工处", 2 * week as usize + 1)]
}

/// Writes what was done in the days `low..=high`.
pub(crate) fn write_week(world: &World, out: &Path, low: i32, high: i32, tally: &mut Tally) -> Result<(), Error> {
    let on = date(high).format("%Y%m%d");
    let path = |name: &str| out.join(format!("duty/{name}_{on}.csv"));
    shifts(world, low, high, &path, tally)?;
    talks(world, low, high).write(&path("contact_record"), "contact_record", tally)?;
    acts(world, low, high).write(&path("duty_act"), "duty_act", tally)?;
    receptions(world, low, high, &path, tally)
}

/// Counselors take turns in the buildings, a night and a day each, and visit rooms while they are there.
fn shifts(world: &World, low: i32, high: i32, path: &dyn Fn(&str) -> std::path::PathBuf, tally: &mut Tally) -> Result<(), Error> {
    let mut shifts = Lines::new("值班编号,工号,岗位,楼栋号,开始时间,结束时间");
    let mut visits = Lines::new("走访编号,工号,房间号,走访时间,时长(分钟),见到人数,发现问题");
    let mut sheets = Lines::new("走访编号,房间号,学号,工号,见面时间,作息,学习,同伴,是否需要支持");
    let mut calls = Lines::new("值守编号,岗位,工号,备岗工号,开始时间,结束时间");
    let counselors = &world.people.counselors;
    for day in low..=high {
        for (number, it) in world.campus.buildings.iter().enumerate() {
            let staff = counselors[(day as usize * world.campus.buildings.len() + number) % counselors.len()];
            let mut draw = Draw::new(world.seed, Purpose::Work, u64::from(staff), day as u64);
            let from = i64::from(day) * DAY + 9 * HOUR;
            let id = format!("ZB{}{}", date(day).format("%y%m%d"), it.id);
            shifts.row(&[&id, &staff_number(staff), &"辅导员", &it.id, &minute(from), &minute(from + DAY)]);
            if matches!(calendar_day(day).kind, DayKind::Holiday | DayKind::Vacation) {
                continue;
            }
            let rooms: Vec<usize> =
                (0..world.campus.rooms.len()).filter(|it| usize::from(world.campus.rooms[*it].building) == number).collect();
            let first = draw.below(rooms.len() as u32) as usize;
            for place in 0..draw.whole(9.0 * zeal(world, staff)) as usize {
                let room = &world.campus.rooms[rooms[(first + place) % rooms.len()]];
                let at = i64::from(day) * DAY + 19 * HOUR + place as i64 * 9 * MINUTE + draw.between(0, 4 * MINUTE);
                let found = if draw.chance(0.04) { "设施损坏" } else { "" };
                let id = format!("ZF{}{}{place:02}", date(day).format("%y%m%d"), it.id);
                let seen = draw.below(room.beds + 1);
                visits.row(&[&id, &staff_number(staff), &room.id(), &minute(at), &draw.between(3, 15), &seen, &found]);
                let room = rooms[(first + place) % rooms.len()] as u32;
                met(world, (day, &id, staff, at), (number, room), seen, &mut sheets);
            }
        }
        for (place, post) in ["校总值班室", "心理夜间", "院系值班", "保卫处", "校医院"].iter().enumerate() {
            let all = &world.people.staff;
            let (one, two) = ((day as usize + place * 3) % all.len(), (day as usize + place * 3 + 1) % all.len());
            let from = i64::from(day) * DAY + 18 * HOUR;
            let id = format!("ZS{}{place}", date(day).format("%y%m%d"));
            calls.row(&[
                &id,
                post,
                &staff_number(one as u32),
                &staff_number(two as u32),
                &minute(from),
                &minute(from + 14 * HOUR),
            ]);
        }
    }
    shifts.write(&path("duty_shift"), "duty_shift", tally)?;
    visits.write(&path("room_visit"), "room_visit", tally)?;
    sheets.write(&path("visit_sheet"), "visit_sheet", tally)?;
    calls.write(&path("on_call_roster"), "on_call_roster", tally)
}

/// The sheet about everybody who was met: who is not well mostly says so, and now and then somebody else wants support too.
fn met(
    world: &World,
    (day, visit, staff, at): (i32, &str, u32, i64),
    (building, room): (usize, u32),
    seen: u32,
    sheets: &mut Lines,
) {
    let is_here = |it: &&u32| world.people.students[**it as usize].bed.is_some_and(|bed| bed.0 == room);
    for index in world.people.residents[building].iter().filter(is_here).take(seen as usize) {
        let student = &world.people.students[*index as usize];
        let mut draw = Draw::new(world.seed, Purpose::Sheet, u64::from(*index), day as u64);
        let is_low = student.level != 0 && student.onset <= day;
        let answer = |draw: &mut Draw| match draw.chance(0.2) {
            true => "未谈及",
            false if draw.chance(if is_low { 0.5 } else { 0.08 }) => "有变化",
            false => "如常",
        };
        let (rest, study, company) = (answer(&mut draw), answer(&mut draw), answer(&mut draw));
        let is_support_needed = draw.chance(if is_low { 0.6 } else { 0.03 });
        sheets.row(&[
            &visit,
            &world.campus.rooms[room as usize].id(),
            &student.number,
            &staff_number(staff),
            &minute(at),
            &rest,
            &study,
            &company,
            &if is_support_needed { "是" } else { "否" },
        ]);
    }
}

/// Talks of counselors with their own students, and tutors' meetings with groups; one row a participant.
fn talks(world: &World, low: i32, high: i32) -> Lines {
    let mut lines = Lines::new("谈话编号,工号,学号,方式,地点,主题,开始时间,时长(分钟),小结");
    for day in low..=high {
        if !matches!(calendar_day(day).kind, DayKind::Teaching | DayKind::Makeup | DayKind::Exam) {
            continue;
        }
        for staff in &world.people.counselors {
            let own = &world.people.cared_for[staff];
            let mut draw = Draw::new(world.seed, Purpose::Talk, u64::from(*staff), day as u64);
            for number in 0..draw.whole(1.6 * zeal(world, *staff)) {
                // Of three that come to mind the one who is worst off is asked in, where somebody is.
                let three = [0; 3].map(|_| *draw.pick(own));
                let need = |it: &u32| {
                    let student = &world.people.students[*it as usize];
                    if student.level != 0 && student.onset <= day { student.level } else { 0 }
                };
                let index = three.into_iter().max_by_key(need).unwrap_or(three[0]);
                let student = &world.people.students[index as usize];
                let at = i64::from(day) * DAY + draw.between(9 * HOUR, 21 * HOUR);
                if !student.is_enrolled || world.stay(index, student, day).is_none_or(|it| at < it.from || it.to < at) {
                    continue;
                }
                let mode = ["面对面", "面对面", "电话"][draw.below(3) as usize];
                let topic = ["学业", "生活", "人际", "就业", "资助", "适应"][draw.below(6) as usize];
                let id = format!("TH{}{staff:04}{number}", date(day).format("%y%m%d"));
                let staff = staff_number(*staff);
                lines.row(&[
                    &id,
                    &staff,
                    &student.number,
                    &mode,
                    &"辅导员工作室",
                    &topic,
                    &minute(at),
                    &draw.between(10, 60),
                    &"已了解近况",
                ]);
            }
        }
        for (place, staff) in world.people.teachers.iter().enumerate() {
            let mut draw = Draw::new(world.seed, Purpose::Talk, u64::from(*staff), day as u64);
            if !draw.chance(0.09 * zeal(world, *staff)) {
                continue;
            }
            let class = place % world.people.classes.len();
            let at = i64::from(day) * DAY + 16 * HOUR + draw.between(0, 90) * MINUTE;
            let id = format!("TH{}{staff:04}G", date(day).format("%y%m%d"));
            for index in (world.people.of_class[class].iter()).filter(|_| draw.chance(0.25)).collect::<Vec<_>>() {
                let student = &world.people.students[*index as usize];
                if student.is_enrolled {
                    lines.row(&[
                        &id,
                        &staff_number(*staff),
                        &student.number,
                        &"集体指导",
                        &"第三空间",
                        &"学业",
                        &minute(at),
                        &45,
                        &"",
                    ]);
                }
            }
        }
    }
    lines
}

/// Lectures, panels, group sessions and other acts in the community; of some nothing is kept that proves them.
fn acts(world: &World, low: i32, high: i32) -> Lines {
    let mut lines = Lines::new("履职编号,工号,类别,方式,地点,开始时间,时长(分钟),参与人数,佐证材料,小结");
    for day in low..=high {
        if !matches!(calendar_day(day).kind, DayKind::Teaching | DayKind::Makeup | DayKind::Exam) {
            continue;
        }
        for (index, it) in world.people.staff.iter().enumerate() {
            let (kind, place, often, people) = match it.post {
                "校领导" => ("座谈", "第三空间", 0.05, 40),
                "心理教师" => ("团体辅导", "心理和思政工作室", 0.1, 20),
                "专业教师" => ("集体指导", "党团活动室", 0.03, 60),
                "学工处" => ("讲座", "党团活动室", 0.06, 120),
                _ => continue,
            };
            let staff = index as u32;
            let mut draw = Draw::new(world.seed, Purpose::Act, u64::from(staff), day as u64);
            if !draw.chance(often * zeal(world, staff)) {
                continue;
            }
            let at = i64::from(day) * DAY + draw.between(9 * HOUR, 20 * HOUR);
            let id = format!("LZ{}{staff:04}", date(day).format("%y%m%d"));
            let minutes = draw.between(40, 120);
            let people = 5 + draw.below(people);
            let mode = if draw.chance(0.9) { "线下" } else { "线上" };
            let kept = if draw.chance(0.85) { format!("{id}-1.jpg;{id}-2.jpg") } else { String::new() };
            lines.row(&[&id, &staff_number(staff), &kind, &mode, &place, &minute(at), &minutes, &people, &kept, &"按计划完成"]);
        }
    }
    lines
}

fn receptions(
    world: &World,
    low: i32,
    high: i32,
    path: &dyn Fn(&str) -> std::path::PathBuf,
    tally: &mut Tally,
) -> Result<(), Error> {
    let mut sessions = Lines::new("接待编号,场次编号,工号,开始时间,结束时间,地点");
    let mut visitors = Lines::new("来访编号,场次编号,学号,反映类别,批示,到访时间");
    for day in low..=high {
        if day % 7 != 2 || calendar_day(day).kind != DayKind::Teaching {
            continue;
        }
        let mut draw = Draw::new(world.seed, Purpose::Reception, day as u64, 0);
        let session = format!("JD{}", date(day).format("%Y%m%d"));
        let from = i64::from(day) * DAY + 14 * HOUR;
        for (place, staff) in reception(world, day).into_iter().enumerate() {
            if place != 0 && draw.chance(0.06) {
                continue;
            }
            let to = from + 3 * HOUR - draw.between(0, 12) * MINUTE;
            let id = format!("{session}{place}");
            sessions.row(&[&id, &session, &staff_number(staff), &minute(from), &minute(to), &"院系领导接待室"]);
        }
        for number in 0..3 + draw.below(5) {
            let index = draw.below(world.people.students.len() as u32);
            let student = &world.people.students[index as usize];
            let kind = ["后勤", "教务", "资助", "网络", "其他"][draw.below(5) as usize];
            let word = ["请责任部门三日内答复", "现场答复", "转学院跟进"][draw.below(3) as usize];
            let at = from + draw.between(0, 170) * MINUTE;
            if world.stay(index, student, day).is_some_and(|it| it.from < at && at < it.to) && student.is_enrolled {
                visitors.row(&[&format!("{session}{number:02}"), &session, &student.number, &kind, &word, &minute(at)]);
            }
        }
    }
    sessions.write(&path("reception_session"), "reception_session", tally)?;
    visitors.write(&path("reception_visit"), "reception_visit", tally)
}
