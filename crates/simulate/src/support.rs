//! Support and honour: aid, payments, awards, fitness, spans of enrolment, identifiers, bookings, campus events, approvals.

use std::path::Path;

use crate::Error;
use crate::calendar::{DAY, HOUR, calendar_day, date};
use crate::campus::COLLEGES;
use crate::lines::{Lines, minute, or_empty, second, serial};
use crate::random::{Draw, Purpose};
use crate::student::Student;
use crate::tally::Tally;
use crate::world::World;

/// Day on which the aid of the year is granted, and from which it is paid on the 20th.
const GRANTED: i32 = 44;
const PAYDAYS: [i32; 8] = [49, 80, 110, 141, 200, 231, 261, 292];
const AWARDED: i32 = 75;

/// What the families of a student have: below a line the university recognises hardship, mostly.
fn hardship(world: &World, index: u32, it: &Student) -> Option<&'static str> {
    let mut draw = Draw::new(world.seed, Purpose::Aid, u64::from(index), 0);
    match it.budget + 0.35 * draw.normal() {
        need if need < -1.7 => Some("特别困难"),
        need if need < -1.25 => Some("比较困难"),
        need if need < -0.95 => Some("一般困难"),
        _ => None,
    }
}

/// Writes what stands before the first day, or is known at once.
pub(crate) fn write_registers(world: &World, out: &Path, tally: &mut Tally) -> Result<(), Error> {
    spans(world, out, tally)?;
    identifiers(world, out, tally)?;
    past(world, out, tally)?;
    counselling(world, out, tally)?;
    approvals(out, tally)
}

fn spans(world: &World, out: &Path, tally: &mut Tally) -> Result<(), Error> {
    let mut lines = Lines::new("异动编号,学号,学籍状态,学院,班级,开始日期,结束日期,异动类别");
    for (index, it) in world.people.students.iter().enumerate() {
        let begin = -365 * (2025 - i32::from(it.year)) - 2;
        let (college, class) = (COLLEGES[usize::from(it.college)].id, &world.people.classes[usize::from(it.class)].name);
        let mut draw = Draw::new(world.seed, Purpose::Aid, index as u64, 1);
        let id = |number: u32| format!("YD{}{number}", serial(it.number));
        let mut since = (begin, "入学");
        let mut number = 1;
        if it.year < 2024 && draw.chance(0.015) {
            // A year of leave of school, and back.
            let from = begin + 120 + draw.below(90) as i32;
            lines.row(&[&id(1), &it.number, &"在籍", &college, class, &date(begin), &date(from - 1), &"入学"]);
            lines.row(&[&id(2), &it.number, &"休学", &college, class, &date(from), &date(from + 364), &"休学"]);
            since = (from + 365, "复学");
            number = 3;
        }
        let state = if it.is_enrolled { "在籍" } else { "休学" };
        lines.row(&[&id(number), &it.number, &state, &college, class, &date(since.0), &"", &since.1]);
    }
    for it in crate::roll::on_paper(world) {
        for (place, (state, from, to, change)) in it.spans().iter().enumerate() {
            let id = format!("YD{}{}", serial(it.number), place + 1);
            lines.row(&[&id, &it.number, state, &COLLEGES[usize::from(it.college)].id, &it.class, from, to, change]);
        }
    }
    lines.write(&out.join("registry/enrollment_span.csv"), "enrollment_span", tally)
}

/// Numbers by which one person is known: candidates' numbers of newcomers, cards, and the account of the messenger.
fn identifiers(world: &World, out: &Path, tally: &mut Tally) -> Result<(), Error> {
    let mut lines = Lines::new("学号,类别,标识值,生效日期,失效日期");
    for (index, it) in world.people.students.iter().enumerate() {
        let begin = -365 * (2025 - i32::from(it.year)) - 2;
        lines.row(&[&it.number, &"企业微信", &format!("wx{index:06}"), &date(begin), &""]);
        if it.year == 2025 {
            lines.row(&[&it.number, &"考生号", &format!("25990{index:09}"), &date(begin - 50), &date(begin + 30)]);
        }
        let mut since = begin;
        let mut number = 1;
        for month in 0..=world.days / 30 {
            if let Some((_, back)) = world.lost_card(index as u32, month) {
                let day = back.div_euclid(DAY) as i32;
                if day < world.days && (back / 7) % 4 != 0 {
                    lines.row(&[&it.number, &"卡号", &format!("8{index:06}{number}"), &date(since), &date(day)]);
                    (since, number) = (day, number + 1);
                }
            }
        }
        lines.row(&[&it.number, &"卡号", &format!("8{index:06}{number}"), &date(since), &""]);
    }
    lines.write(&out.join("registry/student_identifier.csv"), "student_identifier", tally)
}

/// Who was in counselling when the term began, as the appointment system of the school tells it: states and days only.
fn counselling(world: &World, out: &Path, tally: &mut Tally) -> Result<(), Error> {
    let mut lines = Lines::new("状态编号,学号,状态,开始日期,结束日期");
    for (index, it) in world.people.students.iter().enumerate() {
        let mut draw = Draw::new(world.seed, Purpose::Aid, index as u64, 2);
        let id = format!("ZX{}", serial(it.number));
        let from = -30 - draw.below(60) as i32;
        if 0 < it.level && it.onset < 0 && draw.chance(0.5) {
            lines.row(&[&id, &it.number, &"咨询中", &date(from), &""]);
        } else if draw.chance(0.01) {
            lines.row(&[&id, &it.number, &"已结束", &date(from), &date(from + 28)]);
        }
    }
    lines.write(&out.join("psych/counselling_state.csv"), "counselling_state", tally)
}

/// Awards, aid and fitness of past years.
fn past(world: &World, out: &Path, tally: &mut Tally) -> Result<(), Error> {
    let mut awards = Lines::new(AWARD_HEAD);
    let mut aid = Lines::new(AID_HEAD);
    let mut fitness = Lines::new("测试编号,学号,学年,总分,等级,测试日期");
    for (index, it) in world.people.students.iter().enumerate() {
        for year in it.year..2025 {
            let day = -365 * (2025 - i32::from(year)) + AWARDED;
            award(world, index as u32, it, year, day, &mut awards);
            if let Some(level) = hardship(world, index as u32, it) {
                aid.row(&[
                    &format!("ZZ{year}{}", serial(it.number)),
                    &it.number,
                    &format!("{year}-{}", year + 1),
                    &level,
                    &date(day - 30),
                ]);
            }
            let mut draw = Draw::new(world.seed, Purpose::Fitness, index as u64, u64::from(year));
            let score = (74.0 + 8.0 * draw.normal()).round().clamp(30.0, 100.0) as i64;
            let grade = if 90 <= score {
                "优秀"
            } else if 80 <= score {
                "良好"
            } else if 60 <= score {
                "及格"
            } else {
                "不及格"
            };
            let id = format!("TC{year}{}", serial(it.number));
            fitness.row(&[&id, &it.number, &format!("{year}-{}", year + 1), &score, &grade, &date(day - 10)]);
        }
    }
    awards.write(&out.join("support/award_past.csv"), "award", tally)?;
    aid.write(&out.join("support/aid_status_past.csv"), "aid_status", tally)?;
    fitness.write(&out.join("support/fitness_test.csv"), "fitness_test", tally)
}

const AWARD_HEAD: &str = "奖项编号,学号,名称,级别,五育维度,获奖日期";
const AID_HEAD: &str = "认定编号,学号,学年,认定等级,认定日期";

fn award(world: &World, index: u32, it: &Student, year: u16, day: i32, lines: &mut Lines) {
    let mut draw = Draw::new(world.seed, Purpose::Award, u64::from(index), u64::from(year));
    let merit = it.diligence + 0.8 * draw.normal();
    let won = match merit {
        merit if 2.4 < merit => Some(("国家奖学金", "国家", "智")),
        merit if 1.6 < merit => Some(("一等奖学金", "校级", "智")),
        merit if 1.2 < merit => Some(("二等奖学金", "校级", "智")),
        _ if draw.chance(0.03) => Some(("优秀志愿者", "校级", "劳")),
        _ if draw.chance(0.02) => Some(("运动会奖项", "院级", "体")),
        _ => None,
    };
    if let Some((name, level, dimension)) = won {
        lines.row(&[&format!("JX{year}{}", serial(it.number)), &it.number, &name, &level, &dimension, &date(day)]);
    }
}

/// Writes what came up in the days `low..=high`.
pub(crate) fn write_week(world: &World, out: &Path, low: i32, high: i32, tally: &mut Tally) -> Result<(), Error> {
    let on = date(high).format("%Y%m%d");
    let is_now = |day: i32| (low..=high).contains(&day);
    if is_now(AWARDED) {
        let mut lines = Lines::new(AWARD_HEAD);
        for (index, it) in world.people.students.iter().enumerate().filter(|it| it.1.is_enrolled && it.1.year < 2025) {
            award(world, index as u32, it, 2025, AWARDED, &mut lines);
        }
        lines.write(&out.join(format!("support/award_{on}.csv")), "award", tally)?;
    }
    let mut payments = Lines::new("发放编号,学号,项目,金额(元),发放日期");
    let mut granted = Lines::new(AID_HEAD);
    for (index, it) in world.people.students.iter().enumerate().filter(|it| it.1.is_enrolled) {
        let Some(level) = hardship(world, index as u32, it) else {
            continue;
        };
        if is_now(GRANTED) {
            granted.row(&[&format!("ZZ2025{}", serial(it.number)), &it.number, &"2025-2026", &level, &date(GRANTED)]);
        }
        let yuan = if level == "特别困难" {
            440
        } else if level == "比较困难" {
            330
        } else {
            220
        };
        for day in PAYDAYS.into_iter().filter(|it| is_now(*it)) {
            payments.row(&[
                &format!("FF{}{}", date(day).format("%y%m"), serial(it.number)),
                &it.number,
                &"国家助学金",
                &yuan,
                &date(day),
            ]);
        }
    }
    if is_now(GRANTED) {
        granted.write(&out.join(format!("support/aid_status_{on}.csv")), "aid_status", tally)?;
    }
    payments.write(&out.join(format!("support/aid_payment_{on}.csv")), "aid_payment", tally)?;
    bookings(world, out, low, high, tally)?;
    events(world, out, low, high, tally)
}

fn bookings(world: &World, out: &Path, low: i32, high: i32, tally: &mut Tally) -> Result<(), Error> {
    let mut rooms = Lines::new("预约编号,学号,空间,申请时间,开始时间,结束时间,批准时间,人数");
    let mut loans = Lines::new("借用编号,学号,物品,借出时间,归还时间,是否损坏");
    for day in low..=high {
        if calendar_day(day).kind == crate::calendar::DayKind::Vacation {
            continue;
        }
        let mut draw = Draw::new(world.seed, Purpose::Booking, day as u64, 0);
        for number in 0..draw.whole(world.people.students.len() as f64 / 900.0) {
            let student = draw.pick(&world.people.students).number;
            let from = i64::from(day) * DAY + draw.between(9, 19) * HOUR;
            let asked = from - draw.between(8 * HOUR, 5 * DAY);
            let space = ["党团活动室", "心理和思政工作室", "生涯规划室", "第三空间"][draw.below(4) as usize];
            let granted = draw.chance(0.92).then(|| second(asked + draw.between(HOUR, 7 * HOUR)));
            let id = format!("YY{}{number:02}", date(day).format("%y%m%d"));
            let (people, hours) = (draw.between(4, 40), draw.between(1, 3));
            rooms.row(&[
                &id,
                &student,
                &space,
                &second(asked),
                &minute(from),
                &minute(from + hours * HOUR),
                &or_empty(granted),
                &people,
            ]);
        }
        for number in 0..draw.whole(world.people.students.len() as f64 / 1200.0) {
            let student = draw.pick(&world.people.students).number;
            let at = i64::from(day) * DAY + draw.between(9 * HOUR, 20 * HOUR);
            let back = at + draw.between(HOUR, 3 * DAY);
            let back = (back < i64::from(high + 1) * DAY).then(|| second(back));
            let item = ["投影仪", "音响", "桌椅", "工具箱"][draw.below(4) as usize];
            let broken = if draw.chance(0.01) { "是" } else { "否" };
            loans.row(&[
                &format!("JW{}{number:02}", date(day).format("%y%m%d")),
                &student,
                &item,
                &second(at),
                &or_empty(back),
                &broken,
            ]);
        }
    }
    let on = date(high).format("%Y%m%d");
    rooms.write(&out.join(format!("duty/room_booking_{on}.csv")), "room_booking", tally)?;
    loans.write(&out.join(format!("duty/equipment_loan_{on}.csv")), "equipment_loan", tally)
}

/// Days on which water or power was cut, or a storm kept everybody in.
fn events(world: &World, out: &Path, low: i32, high: i32, tally: &mut Tally) -> Result<(), Error> {
    let mut lines = Lines::new("事件编号,校区,类别,楼栋号,开始时间,结束时间");
    for day in low..=high {
        let mut draw = Draw::new(world.seed, Purpose::Event, day as u64, 0);
        if draw.chance(0.02) {
            let kind = ["极端天气", "停水停电", "大型活动"][draw.below(3) as usize];
            let building = (kind == "停水停电").then(|| draw.pick(&world.campus.buildings).id.clone());
            let from = i64::from(day) * DAY + draw.between(6, 16) * HOUR;
            let to = from + draw.between(2, 9) * HOUR;
            lines.row(&[
                &format!("SJ{}", date(day).format("%Y%m%d")),
                &"主校区",
                &kind,
                &or_empty(building),
                &minute(from),
                &minute(to),
            ]);
        }
    }
    lines.write(&out.join(format!("registry/campus_event_{}.csv", date(high).format("%Y%m%d"))), "campus_event", tally)
}

/// Sources whose use the university has approved, and what for.
const APPROVED: [(&str, &str, &str); 10] = [
    (
        "信息管理处",
        "service;cockpit;portrait;trend_warning;public_safety;duty;evaluation",
        "org_unit building floor room device calendar_day campus_event staff data_use_approval",
    ),
    (
        "学生工作处",
        "portrait;trend_warning;service;cockpit;public_safety;evaluation",
        "student student_identifier enrollment_span bed_assignment leave_record room_transfer holiday_stay",
    ),
    (
        "学生工作处",
        "service;cockpit;portrait;trend_warning;duty;evaluation",
        "ticket ticket_event ticket_feedback room_booking equipment_loan",
    ),
    ("一卡通中心", "portrait;trend_warning;service;cockpit;public_safety", "card_txn card_status"),
    (
        "后勤保卫处",
        "portrait;trend_warning;service;cockpit;public_safety;duty",
        "gate_event device_heartbeat night_check self_checkin hygiene_inspection safety_patrol room_power_reading violation_event",
    ),
    (
        "教务处",
        "portrait;trend_warning;service;evaluation;public_safety",
        "course_section timetable_slot class_attendance grade_record academic_warning internship_placement library_loan",
    ),
    (
        "团委",
        "portrait;recommendation;evaluation;cockpit;duty",
        "activity activity_signup activity_attendance activity_feedback award fitness_test",
    ),
    ("学生资助中心", "portrait;service", "aid_status aid_payment"),
    ("心理健康教育中心", "service", "counselling_state"),
    (
        "学生工作处",
        "duty;evaluation;portrait;service;cockpit;public_safety",
        "contact_record room_visit reception_session reception_visit visit_sheet duty_shift duty_roster duty_plan on_call_roster staff_link duty_act",
    ),
];

fn approvals(out: &Path, tally: &mut Tally) -> Result<(), Error> {
    let mut lines = Lines::new("文号,来源,责任部门,用途,字段范围,保存期限,批准人,生效日期,失效日期");
    for (place, (office, purposes, sources)) in APPROVED.iter().enumerate() {
        for (number, source) in sources.split(' ').enumerate() {
            let doc = format!("数审〔2025〕{}-{}号", place + 1, number + 1);
            lines.row(&[
                &doc,
                &source,
                office,
                purposes,
                &"*",
                &"至毕业后一年",
                &"网络安全和信息化领导小组",
                &"2021-01-01",
                &"2027-08-31",
            ]);
        }
    }
    lines.write(&out.join("registry/data_use_approval.csv"), "data_use_approval", tally)
}
