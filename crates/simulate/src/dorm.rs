//! Everyday life of the dormitories: hygiene, patrols, night checks, power, violations, transfers, stays over holidays.

use std::path::Path;

use crate::Error;
use crate::calendar::{DAY, DayKind, HOUR, MINUTE, NATIONAL, NEW_YEAR, WINTER, calendar_day, date};
use crate::campus::FLOORS;
use crate::lines::{Lines, minute, or_empty, second, serial};
use crate::random::{Draw, Purpose};
use crate::student::{Living, staff_number};
use crate::tally::Tally;
use crate::world::World;

/// Writes what stands before the first day: floors and moves within the dormitories.
pub(crate) fn write_registers(world: &World, out: &Path, tally: &mut Tally) -> Result<(), Error> {
    let mut floors = Lines::new("楼栋号,楼层,层长学号,党组织,团组织");
    for (number, it) in world.campus.buildings.iter().enumerate() {
        for floor in 1..=FLOORS {
            let mut draw = Draw::new(world.seed, Purpose::Dorm, number as u64, u64::from(floor));
            let of_floor: Vec<u32> = (world.people.residents[number].iter().copied())
                .filter(|it| {
                    let bed = world.people.students[*it as usize].bed;
                    bed.is_some_and(|(room, _)| world.campus.rooms[room as usize].floor == floor)
                })
                .collect();
            let chief = (!of_floor.is_empty()).then(|| world.people.students[*draw.pick(&of_floor) as usize].number);
            let has = |it: bool| if it { "有" } else { "无" };
            floors.row(&[&it.id, &floor, &or_empty(chief), &has(draw.chance(0.8)), &has(draw.chance(0.95))]);
        }
    }
    floors.write(&out.join("dorm/floor.csv"), "floor", tally)?;
    let mut moves = Lines::new("调宿编号,学号,原房间,新房间,原因,申请时间,批准时间,搬迁日期");
    for (index, room_before, room_after, day) in crate::registry::moves(world) {
        let student = &world.people.students[index as usize];
        let mut draw = Draw::new(world.seed, Purpose::Dorm, u64::from(index), 99);
        let why = ["作息不合", "专业分流", "房间维修", "个人申请"][draw.below(4) as usize];
        let asked = i64::from(day - 9) * DAY + draw.between(9 * HOUR, 17 * HOUR);
        let granted = asked + draw.between(DAY, 4 * DAY);
        let id = format!("TS{}", serial(student.number));
        moves.row(&[&id, &student.number, &room_before, &room_after, &why, &second(asked), &second(granted), &date(day)]);
    }
    moves.write(&out.join("dorm/room_transfer.csv"), "room_transfer", tally)?;
    let mut stays = Lines::new("登记编号,学号,假期,开始日期,结束日期,房间号,登记时间");
    for (name, block) in [("国庆", NATIONAL), ("元旦", NEW_YEAR), ("寒假", WINTER)] {
        for it in world.people.students.iter().filter(|it| it.is_enrolled && it.is_stayer) {
            // Stays are registered a week ahead; a plan for days that lie beyond the data is not known yet.
            let Some((room, _)) = it.bed.filter(|_| block.0 - 7 < world.days) else {
                continue;
            };
            let id = format!("LX{}{}", block.0, serial(it.number));
            let at = i64::from(block.0 - 7) * DAY + 10 * HOUR + i64::from(it.number % 400) * MINUTE;
            let room = world.campus.rooms[room as usize].id();
            stays.row(&[&id, &it.number, &name, &date(block.0), &date(block.1 - 1), &room, &second(at)]);
        }
    }
    stays.write(&out.join("dorm/holiday_stay.csv"), "holiday_stay", tally)
}

/// Writes the everyday rows of the days `low..=high`.
pub(crate) fn write_week(world: &World, out: &Path, low: i32, high: i32, tally: &mut Tally) -> Result<(), Error> {
    let on = date(high).format("%Y%m%d");
    let path = |name: &str| out.join(format!("dorm/{name}_{on}.csv"));
    rooms(world, low, high, &path, tally)?;
    patrols(world, low, high).write(&path("safety_patrol"), "safety_patrol", tally)?;
    night_checks(world, low, high).write(&path("night_check"), "night_check", tally)?;
    checkins(world, low, high).write(&path("self_checkin"), "self_checkin", tally)
}

/// Evening check-ins from phones. Some have a script that says "in the dormitory" every evening, wherever its owner is.
fn checkins(world: &World, low: i32, high: i32) -> Lines {
    let mut lines = Lines::new("打卡编号,学号,打卡时间,填报位置");
    for day in low..=high {
        if matches!(calendar_day(day).kind, DayKind::Holiday | DayKind::Vacation) {
            continue;
        }
        for index in world.people.residents.iter().flatten() {
            let student = &world.people.students[*index as usize];
            if student.living != Living::Dorm {
                continue;
            }
            let mut draw = Draw::new(world.seed, Purpose::Checkin, u64::from(*index), day as u64);
            let at = i64::from(day) * DAY + draw.between(21 * HOUR + 30 * MINUTE, 23 * HOUR);
            let is_in = world.stay(*index, student, day).is_some_and(|it| it.from < at && at < it.to);
            let is_bot = world.has_checkin_bot(*index, day);
            // Whoever is away mostly forgets, and mostly tells the truth.
            if !is_bot && !draw.chance(if is_in { 0.9 } else { 0.15 }) {
                continue;
            }
            let place = if is_in || is_bot { "在寝" } else { "校外" };
            let id = format!("DK{}{}", date(day).format("%y%m%d"), serial(student.number));
            lines.row(&[&id, &student.number, &second(at), &place]);
        }
    }
    lines
}

fn rooms(world: &World, low: i32, high: i32, path: &dyn Fn(&str) -> std::path::PathBuf, tally: &mut Tally) -> Result<(), Error> {
    let mut hygiene = Lines::new("检查编号,房间号,检查时间,检查人工号,得分,等级,问题");
    let mut power = Lines::new("读数编号,房间号,读数日期,用电量(度),剩余电量(度)");
    let mut violations = Lines::new("违规编号,房间号,发现时间,类别,处理,发现人工号");
    for day in low..=high {
        let is_free = matches!(calendar_day(day).kind, DayKind::Holiday | DayKind::Vacation);
        for (number, it) in world.campus.rooms.iter().enumerate() {
            let mut draw = Draw::new(world.seed, Purpose::Room, number as u64, day as u64);
            let logistics = staff_number(world.people.logistics[number % world.people.logistics.len()]);
            let used = draw.between(8, 60) as f64 / 10.0 * if is_free { 0.3 } else { 1.0 };
            if day % 7 == 0 {
                let id = format!("DL{}{}", date(day).format("%y%m%d"), it.id());
                let left = draw.between(20, 900) as f64 / 10.0;
                power.row(&[&id, &it.id(), &date(day), &format!("{:.1}", used * 7.0), &format!("{left:.1}")]);
            }
            if (day + number as i32) % 14 == 3 && !is_free {
                // A room has its own order, and a day its own luck.
                let order = Draw::new(world.seed, Purpose::Room, number as u64, u64::MAX).normal();
                let score = (86.0 + 5.0 * order + 4.0 * draw.normal()).round().clamp(40.0, 100.0) as i64;
                let grade = if 90 <= score {
                    "优秀"
                } else if 75 <= score {
                    "合格"
                } else {
                    "待改进"
                };
                let finding = if score < 75 { "地面未清扫" } else { "" };
                let id = format!("WS{}{}", date(day).format("%y%m%d"), it.id());
                let at = i64::from(day) * DAY + 14 * HOUR + i64::from(it.floor) * 10 * MINUTE;
                hygiene.row(&[&id, &it.id(), &minute(at), &logistics, &score, &grade, &finding]);
            }
            if draw.chance(0.0004) && !is_free {
                let at = i64::from(day) * DAY + draw.between(12 * HOUR, 22 * HOUR);
                let kind = ["违章电器", "超功率用电", "私拉电线"][draw.below(3) as usize];
                let id = format!("WG{}{}", date(day).format("%y%m%d"), it.id());
                violations.row(&[&id, &it.id(), &second(at), &kind, &"提醒整改", &logistics]);
            }
        }
    }
    hygiene.write(&path("hygiene_inspection"), "hygiene_inspection", tally)?;
    power.write(&path("room_power_reading"), "room_power_reading", tally)?;
    violations.write(&path("violation_event"), "violation_event", tally)
}

fn patrols(world: &World, low: i32, high: i32) -> Lines {
    let mut lines = Lines::new("巡查编号,楼栋号,楼层,巡查时间,巡查人工号,结果,隐患类别,整改时间");
    for day in low..=high {
        for (number, it) in world.campus.buildings.iter().enumerate() {
            if (day + number as i32) % 3 != 0 {
                continue;
            }
            let mut draw = Draw::new(world.seed, Purpose::Patrol, number as u64, day as u64);
            let at = i64::from(day) * DAY + draw.between(19 * HOUR, 22 * HOUR);
            let finding = draw.chance(0.12).then(|| ["消防通道占用", "应急灯故障", "线路老化"][draw.below(3) as usize]);
            let mended = finding.and_then(|_| draw.chance(0.8).then(|| at + draw.between(DAY, 6 * DAY)));
            let mended = mended.filter(|it| *it < i64::from(high + 1) * DAY).map(second);
            let by = staff_number(world.people.logistics[(number + day as usize) % world.people.logistics.len()]);
            let id = format!("XC{}{}", date(day).format("%y%m%d"), it.id);
            let result = if finding.is_some() { "有隐患" } else { "正常" };
            lines.row(&[
                &id,
                &it.id,
                &(1 + draw.below(FLOORS)),
                &second(at),
                &by,
                &result,
                &or_empty(finding),
                &or_empty(mended),
            ]);
        }
    }
    lines
}

/// One floor in five is checked each night at a quarter past eleven; who checks sees the bed, not the gate.
fn night_checks(world: &World, low: i32, high: i32) -> Lines {
    let mut lines = Lines::new("查寝编号,学号,房间号,查寝时间,结果,查寝人工号");
    for day in low..=high {
        let free = matches!(calendar_day(day).kind, DayKind::Holiday | DayKind::Vacation);
        for number in 0..world.campus.buildings.len() {
            let mut draw = Draw::new(world.seed, Purpose::NightCheck, number as u64, day as u64);
            let floor = 1 + draw.below(FLOORS);
            if free || !draw.chance(0.6) {
                continue;
            }
            let at = i64::from(day) * DAY + 23 * HOUR + 15 * MINUTE;
            let by = staff_number(world.people.logistics[number % world.people.logistics.len()]);
            for index in &world.people.residents[number] {
                let student = &world.people.students[*index as usize];
                let Some((room, _)) = student.bed.filter(|(room, _)| world.campus.rooms[*room as usize].floor == floor) else {
                    continue;
                };
                if student.living != Living::Dorm {
                    continue;
                }
                let is_in = world.stay(*index, student, day).is_some_and(|it| it.from < at && at < it.to);
                let papers = || world.leaves(*index, student, day - 1, day + 1);
                let told = || world.stories[*index as usize].iter().filter_map(|it| it.leave(world.seed, *index));
                let result = if is_in {
                    "在寝"
                } else if papers().into_iter().chain(told()).any(|it| it.has_record && it.from <= at && at < it.to) {
                    "请假"
                } else {
                    "不在"
                };
                let id = format!("CQ{}{}", date(day).format("%y%m%d"), serial(student.number));
                lines.row(&[&id, &student.number, &world.campus.rooms[room as usize].id(), &minute(at), &result, &by]);
            }
        }
    }
    lines
}
