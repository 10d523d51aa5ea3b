//! The six lists of the day that goes on, each on planted people, gates and requests: who is in, who is not, and from when
//! until when a row holds.
//!
//! A campus of a page, written here: every student's class is the name of their case, so a list says what it found. It is
//! 03:55 of 2025-11-20, so the open day is the 19th, which ends in five minutes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::OnceLock;

use serde_json::{Value, json};
use store::{Grant, NewAccount};
use tempfile::TempDir;

use crate::cases::Desk;
use crate::casework::{on_a_runtime, open};
use crate::serve::{Document, Server};
use crate::support::{copy, repository, said, sql, write, yizhan};

const NOW: &str = "2025-11-20T03:55:00+08:00";
const LISTS: [&str; 6] =
    ["list_late_tonight", "list_out_tonight", "list_no_trace", "list_ticket_deadline", "list_gate_crowd", "list_gate_fault"];

/// Case, year of entry, lodging, status, building.
const STUDENTS: [(&str, u32, &str, &str, &str); 60] = [
    ("late", 2022, "住宿", "在籍", "N1"),
    ("in_time", 2022, "住宿", "在籍", "N1"),
    ("after_midnight", 2022, "住宿", "在籍", "N1"),
    ("last_minute", 2022, "住宿", "在籍", "N1"),
    ("night_before", 2022, "住宿", "在籍", "N1"),
    ("late_by_face", 2022, "住宿", "在籍", "N1"),
    ("late_on_leave", 2022, "住宿", "在籍", "N1"),
    ("late_intern", 2022, "住宿", "在籍", "N1"),
    ("late_gone", 2022, "住宿", "在籍", "N1"),
    ("late_day_student", 2022, "走读", "在籍", "N1"),
    ("late_suspended", 2022, "住宿", "休学", "N1"),
    // Their year has a holiday on the day after.
    ("late_holiday", 2023, "住宿", "在籍", "N1"),
    ("late_stays", 2023, "住宿", "在籍", "N1"),
    // This building closes at 22:30, and of N2 the register does not say when.
    ("late_early_house", 2022, "住宿", "在籍", "N4"),
    ("in_time_usual_house", 2022, "住宿", "在籍", "N2"),
    ("out", 2022, "住宿", "在籍", "N1"),
    ("out_for_days", 2022, "住宿", "在籍", "N1"),
    ("out_on_leave", 2022, "住宿", "在籍", "N1"),
    ("back_from_leave", 2022, "住宿", "在籍", "N1"),
    ("out_intern", 2022, "住宿", "在籍", "N1"),
    ("out_holiday", 2023, "住宿", "在籍", "N1"),
    ("out_stays", 2023, "住宿", "在籍", "N1"),
    ("out_usual_house", 2022, "住宿", "在籍", "N2"),
    ("out_gone", 2022, "住宿", "在籍", "N1"),
    ("paid_late", 2022, "住宿", "在籍", "N1"),
    ("found_in", 2022, "住宿", "在籍", "N1"),
    // Whoever has lost the card still has a face.
    ("card_lost", 2022, "住宿", "在籍", "N1"),
    ("moved_out", 2022, "住宿", "在籍", "N1"),
    ("never_seen", 2022, "住宿", "在籍", "N1"),
    // One of the two gates of N3 says nothing; through that of N5 went more than people can.
    ("out_silent_gate", 2022, "住宿", "在籍", "N3"),
    ("out_flooded_gate", 2022, "住宿", "在籍", "N5"),
    // Whoever looked tells how it was then.
    ("seen_then_left", 2022, "住宿", "在籍", "N1"),
    ("left_then_seen", 2022, "住宿", "在籍", "N1"),
    ("checked_then_left", 2022, "住宿", "在籍", "N1"),
    ("reached", 2022, "住宿", "在籍", "N1"),
    ("excused_then_left", 2022, "住宿", "在籍", "N1"),
    ("seen_by_mistake", 2022, "住宿", "在籍", "N1"),
    // What is seen after 22:00 speaks for whoever stays.
    ("left_house_late", 2022, "住宿", "在籍", "N1"),
    ("left_school_late", 2022, "住宿", "在籍", "N1"),
    ("paid_then_left_school", 2022, "住宿", "在籍", "N1"),
    ("came_back_to_school", 2022, "住宿", "在籍", "N1"),
    ("left_library_late", 2022, "住宿", "在籍", "N1"),
    // Whoever is called so came in at eight every morning, and on the 18th for the last time: see `gates`.
    ("silent", 2022, "住宿", "在籍", "N1"),
    ("silent_scanned", 2022, "住宿", "在籍", "N1"),
    ("silent_in_class", 2022, "住宿", "在籍", "N1"),
    ("silent_found", 2022, "住宿", "在籍", "N1"),
    ("silent_reached", 2022, "住宿", "在籍", "N1"),
    ("silent_on_leave", 2022, "住宿", "在籍", "N1"),
    ("silent_intern", 2022, "住宿", "在籍", "N1"),
    ("silent_holiday", 2023, "住宿", "在籍", "N1"),
    ("silent_card_lost", 2022, "住宿", "在籍", "N1"),
    ("silent_gone", 2022, "住宿", "在籍", "N1"),
    ("silent_day_student", 2022, "走读", "在籍", "N1"),
    // Without water for two hours, and behind a storm of eighteen.
    ("silent_event_house", 2022, "住宿", "在籍", "N4"),
    ("silent_storm", 2022, "住宿", "在籍", "N5"),
    ("silent_broken_gate", 2022, "住宿", "在籍", "N3"),
    ("silent_often", 2022, "住宿", "在籍", "N1"),
    ("silent_newcomer", 2022, "住宿", "在籍", "N1"),
    ("silent_since_evening", 2022, "住宿", "在籍", "N1"),
    ("silent_cards_late", 2022, "住宿", "在籍", "N1"),
];
/// Whoever passes the gates of the crowds: nobody of the lists about people.
const CROWD: &str = "2022000099";

/// Case, gate, day of November, time, way, by what.
const PASSAGES: [(&str, &str, u32, &str, &str, &str); 56] = [
    ("late", "G-N1", 19, "23:05", "in", "card"),
    ("in_time", "G-N1", 19, "22:59", "in", "card"),
    ("after_midnight", "G-N1", 20, "00:40", "in", "card"),
    // Ten minutes before the campus day ends, and a minute before the one of tonight began.
    ("last_minute", "G-N1", 20, "03:50", "in", "card"),
    ("night_before", "G-N1", 19, "03:59", "in", "card"),
    ("late_by_face", "G-N1", 19, "23:20", "in", "face"),
    ("late_on_leave", "G-N1", 19, "23:10", "in", "card"),
    ("late_intern", "G-N1", 19, "23:10", "in", "card"),
    ("late_gone", "G-N1", 19, "23:30", "in", "card"),
    ("late_day_student", "G-N1", 19, "23:30", "in", "card"),
    ("late_suspended", "G-N1", 19, "23:30", "in", "card"),
    ("late_holiday", "G-N1", 19, "23:15", "in", "card"),
    ("late_stays", "G-N1", 19, "23:16", "in", "card"),
    ("late_early_house", "G-N4", 19, "22:40", "in", "card"),
    ("in_time_usual_house", "G-N2", 19, "22:40", "in", "card"),
    ("out", "G-N1", 19, "07:00", "in", "card"),
    ("out", "G-N1", 19, "19:00", "out", "card"),
    ("out_for_days", "G-N1", 17, "10:00", "out", "card"),
    ("out_on_leave", "G-N1", 19, "19:00", "out", "card"),
    ("back_from_leave", "G-N1", 19, "19:00", "out", "card"),
    ("out_intern", "G-N1", 18, "19:00", "out", "card"),
    ("out_holiday", "G-N1", 19, "19:00", "out", "card"),
    ("out_stays", "G-N1", 19, "19:00", "out", "card"),
    ("out_usual_house", "G-N2", 19, "19:00", "out", "card"),
    ("out_gone", "G-N1", 19, "19:00", "out", "card"),
    ("paid_late", "G-N1", 19, "19:00", "out", "card"),
    ("found_in", "G-N1", 19, "19:00", "out", "card"),
    ("card_lost", "G-N1", 19, "16:00", "out", "card"),
    ("card_lost", "G-N1", 19, "21:00", "in", "face"),
    ("moved_out", "G-N1", 19, "19:00", "out", "card"),
    ("out_silent_gate", "G-N3A", 19, "19:00", "out", "card"),
    ("out_flooded_gate", "G-N5", 19, "19:00", "out", "card"),
    // Out in the morning and back in the evening.
    ("in_time", "G-N1", 19, "08:00", "out", "card"),
    ("in_time_usual_house", "G-N2", 19, "08:00", "out", "card"),
    // They came in behind others, and went out again by themselves.
    ("seen_then_left", "G-N1", 19, "19:00", "out", "card"),
    ("seen_then_left", "G-N1", 20, "00:30", "out", "card"),
    ("left_then_seen", "G-N1", 19, "19:00", "out", "card"),
    ("left_then_seen", "G-N1", 19, "23:20", "out", "card"),
    ("checked_then_left", "G-N1", 19, "19:00", "out", "card"),
    ("checked_then_left", "G-N1", 19, "21:30", "out", "card"),
    ("reached", "G-N1", 19, "19:00", "out", "card"),
    ("excused_then_left", "G-N1", 19, "19:00", "out", "card"),
    ("excused_then_left", "G-N1", 20, "00:30", "out", "card"),
    ("seen_by_mistake", "G-N1", 19, "19:00", "out", "card"),
    ("left_house_late", "G-N1", 19, "22:10", "out", "card"),
    ("left_school_late", "G-N1", 19, "22:10", "out", "card"),
    ("left_school_late", "G-S", 19, "22:20", "out", "card"),
    ("paid_then_left_school", "G-N1", 19, "19:00", "out", "card"),
    ("paid_then_left_school", "G-S", 19, "22:50", "out", "face"),
    ("came_back_to_school", "G-N1", 19, "22:10", "out", "card"),
    ("came_back_to_school", "G-S", 19, "22:20", "out", "card"),
    ("came_back_to_school", "G-S", 19, "23:20", "in", "card"),
    ("left_library_late", "G-N1", 19, "19:00", "out", "card"),
    ("left_library_late", "G-L5", 19, "22:00", "out", "card"),
    ("silent_since_evening", "G-N1", 18, "20:00", "in", "card"),
    // 36 hours later it is 23:00, and the last payment that came in is of 22:30.
    ("silent_cards_late", "G-N1", 18, "11:00", "in", "card"),
];

/// Case, what whoever looked said, when.
const ANSWERS: [(&str, &str, &str); 7] = [
    ("seen_then_left", "in_room", "2025-11-19 23:40"),
    ("left_then_seen", "in_room", "2025-11-19 23:40"),
    ("reached", "contacted", "2025-11-19 23:40"),
    ("excused_then_left", "excused", "2025-11-19 23:40"),
    ("seen_by_mistake", "in_room", "2025-11-19 23:40"),
    ("seen_by_mistake", "not_found", "2025-11-19 23:45"),
    ("silent_reached", "contacted", "2025-11-19 23:40"),
];

/// Number of a case's student.
pub(crate) fn number(case: &str) -> String {
    let place = STUDENTS.iter().position(|it| it.0 == case).unwrap_or_else(|| panic!("nobody is {case}"));
    (2_022_000_001 + place).to_string()
}

/// Milliseconds of a minute of November 2025 in China.
pub(crate) fn at_ms(day: u32, minute: u32) -> i64 {
    1_761_926_400_000 + i64::from(day - 1) * 86_400_000 + i64::from(minute) * 60_000
}

pub(crate) fn minute(text: &str) -> u32 {
    let (hour, minute) = text.split_once(':').expect("hours and minutes");
    60 * hour.parse::<u32>().expect("an hour") + minute.parse::<u32>().expect("a minute")
}

/// A contract of the pack whose files a test can write.
pub(crate) fn contract(project: &Path, name: &str, changes: &[(&str, &str)]) {
    let mut text = std::fs::read_to_string(repository().join(format!("pipelines/{name}.toml"))).expect("the pack's own");
    for (from, to) in changes {
        assert!(text.contains(from), "{name}: {from}");
        text = text.replace(from, to);
    }
    write(&project.join(format!("pipelines/{name}.toml")), &text);
}

pub(crate) fn contracts(project: &Path) {
    let sheet = [("format = \"xlsx\"", "format = \"csv\""), (".xlsx\"", ".csv\"")];
    let lines = [("format = \"jsonl\"", "format = \"csv\""), (".jsonl.gz\"", ".csv\"")];
    let day = ("type = \"date\",", "type = \"date\", format = \"%Y-%m-%d\",");
    let instant = ("type = \"timestamp\",", "type = \"timestamp\", format = \"%Y-%m-%d %H:%M\",");
    for name in ["student", "room", "building"] {
        contract(project, name, &sheet);
    }
    contract(project, "bed_assignment", &[sheet[0], sheet[1], day]);
    contract(project, "ticket", &[sheet[0], sheet[1], instant]);
    contract(project, "gate_event", &lines);
    for name in ["card_txn", "card_status"] {
        contract(project, name, &[("encoding = \"gb18030\", ", "")]);
    }
    contract(project, "device_heartbeat", &lines);
    // Elsewhere people enter a death, and whom they found, in the platform itself; here a file does, by number.
    let own = "student_key = { type = \"int64\", required = true, class = \"personal\",";
    let by_number = "student_id = { type = \"text\", required = true, person = \"student\", class = \"identity\",";
    let of_checks =
        ("{ kind = \"outbox\", topic = \"absence_check\" }", "{ format = \"csv\", path = \"dorm/absence_check*.csv\" }");
    contract(project, "absence_check", &[of_checks, (own, by_number), day, instant]);
    contract(
        project,
        "student_departure",
        &[
            ("{ kind = \"outbox\", topic = \"student_departure\" }", "{ format = \"csv\", path = \"registry/departure*.csv\" }"),
            ("key         = [\"student_key\"]", "key         = [\"student_id\"]"),
            (own, by_number),
            day,
            instant,
        ],
    );
}

pub(crate) fn registers(input: &Path) {
    let mut students = "学号,姓名,性别,学院,专业,班级,年级,学段,校区,住宿类型,学籍状态,手机号,责任辅导员工号\n".to_owned();
    let mut beds = "学号,房间号,床位,入住日期,退宿日期\n".to_owned();
    for (case, grade, lodging, status, building) in STUDENTS {
        let number = number(case);
        let _ = writeln!(students, "{number},某人,女,C01,,{case},{grade},本科,,{lodging},{status},,");
        let left = if case == "moved_out" { "2025-11-19" } else { "" };
        let _ = writeln!(beds, "{number},{building}-101,1,2025-09-01,{left}");
    }
    let _ = writeln!(students, "{CROWD},某人,女,C01,,crowd,2022,本科,,走读,在籍,,");
    write(&input.join("registry/student.csv"), &students);
    write(&input.join("dorm/bed_assignment.csv"), &beds);
    write(&input.join("registry/org_unit.csv"), "单位编号,单位名称,上级单位,类别\nC01,学院一,,学院\nO01,后勤处,,部门\n");
    let mut buildings = "楼栋号,楼栋名称,校区,性别,楼层数,门禁关闭时间\n".to_owned();
    let mut rooms = "房间号,楼栋号,楼层,床位数\n".to_owned();
    for (building, closes) in [("N1", "23:00"), ("N2", ""), ("N3", "23:00"), ("N4", "22:30"), ("N5", "23:00")] {
        let _ = writeln!(buildings, "{building},楼{building},,混合,6,{closes}");
        let _ = writeln!(rooms, "{building}-101,{building},1,20");
    }
    write(&input.join("dorm/building.csv"), &buildings);
    write(&input.join("dorm/room.csv"), &rooms);
    let mut calendar = "date,campus,cohort_scope,term,teaching_week,kind,makeup_for\n".to_owned();
    for day in 17..22 {
        let _ = writeln!(calendar, "2025-11-{day},,,2025-2026-1,11,teaching,");
    }
    calendar.push_str("2025-11-20,,2023,2025-2026-1,11,holiday,\n");
    write(&input.join("registry/calendar_day.csv"), &calendar);
}

/// What explains that somebody is late or not there.
fn explanations(input: &Path) {
    let (late, out, back) = (number("late_on_leave"), number("out_on_leave"), number("back_from_leave"));
    let silent = number("silent_on_leave");
    write(
        &input.join("leave/leave_20251119.csv"),
        &format!(
            "请假单号,学号,请假类型,开始时间,结束时间,审批人工号,审批时间,销假时间\n\
             L1,{late},事假,2025-11-19 18:00,2025-11-21 18:00,,2025-11-18 10:00,\n\
             L2,{out},事假,2025-11-19 18:00,2025-11-21 18:00,,2025-11-18 10:00,\n\
             L3,{back},事假,2025-11-17 18:00,2025-11-21 18:00,,2025-11-16 10:00,2025-11-19 12:00\n\
             L4,{silent},事假,2025-11-18 12:00,2025-11-19 12:00,,2025-11-17 10:00,\n"
        ),
    );
    let mut placed = "实习编号,学号,单位,开始日期,结束日期,校内指导教师工号,登记时间\n".to_owned();
    for case in ["late_intern", "out_intern", "silent_intern"] {
        let _ = writeln!(placed, "P-{case},{},某厂,2025-11-01,2025-12-01,,2025-10-20 10:00:00", number(case));
    }
    write(&input.join("study/internship_placement.csv"), &placed);
    let mut stays = "登记编号,学号,假期,开始日期,结束日期,房间号,登记时间\n".to_owned();
    for case in ["late_stays", "out_stays"] {
        let _ = writeln!(stays, "H-{case},{},国庆,2025-11-19,2025-11-21,,2025-11-10 10:00:00", number(case));
    }
    write(&input.join("dorm/holiday_stay.csv"), &stays);
    let mut gone = "student_id,gone_on,at\n".to_owned();
    for case in ["late_gone", "out_gone", "silent_gone"] {
        let _ = writeln!(gone, "{},2025-11-19,2025-11-19 12:00", number(case));
    }
    write(&input.join("registry/departure.csv"), &gone);
    let mut found = format!("K1,{},N1-101,2025-11-19 23:40,在寝,\n", number("found_in"));
    let _ = writeln!(found, "K2,{},N1-101,2025-11-19 21:00,在寝,", number("checked_then_left"));
    let _ = writeln!(found, "K3,{},N1-101,2025-11-19 21:30,在寝,", number("silent_found"));
    write(&input.join("dorm/night_check_20251119.csv"), &format!("查寝编号,学号,房间号,查寝时间,结果,查寝人工号\n{found}"));
    let mut answers = "check_no,student_id,night_on,result,role,at\n".to_owned();
    for (place, (case, result, at)) in ANSWERS.iter().enumerate() {
        let _ = writeln!(answers, "{},{},2025-11-19,{result},dorm_keeper,{at}", place + 1, number(case));
    }
    write(&input.join("dorm/absence_check.csv"), &answers);
    let mut paid = format!("1,{},T-C-1,超市,3.5,20,2025/11/19 22:30:00\n", number("paid_late"));
    let _ = writeln!(paid, "2,{},T-C-1,超市,3.5,20,2025/11/19 22:30:00", number("paid_then_left_school"));
    let head = "流水号,学号,终端号,商户类型,交易金额(元),余额(元),交易时间\n";
    write(&input.join("card/card_20251119.csv"), &format!("{head}{paid}"));
    let mut lost = format!("1,{},挂失,2025/11/19 17:00:00\n", number("card_lost"));
    let reported = [("out", "挂失"), ("left_house_late", "挂失"), ("left_house_late", "解挂"), ("silent_card_lost", "挂失")];
    for (place, (case, state)) in reported.iter().enumerate() {
        let _ = writeln!(lost, "{},{},{state},2025/11/19 20:0{place}:00", place + 2, number(case));
    }
    write(&input.join("card/card_status.csv"), &format!("编号,学号,状态,时间\n{lost}"));
    let mut classes = "考勤编号,教学班号,学号,上课时间,状态,方式\n".to_owned();
    for (case, method) in [("silent_in_class", "点名"), ("silent_scanned", "扫码")] {
        let _ = writeln!(classes, "C-{case},,{},2025-11-19 10:00,出勤,{method}", number(case));
    }
    write(&input.join("study/attendance_20251119.csv"), &classes);
    write(
        &input.join("registry/campus_event_20251119.csv"),
        "事件编号,校区,类别,楼栋号,开始时间,结束时间\n\
         V1,,停水停电,N4,2025-11-18 12:00,2025-11-18 14:00\n\
         V2,,极端天气,N5,2025-11-18 12:00,2025-11-19 06:00\n",
    );
}

const DORM_GATES: [(&str, &str); 6] =
    [("G-N1", "N1"), ("G-N2", "N2"), ("G-N3A", "N3"), ("G-N3B", "N3"), ("G-N4", "N4"), ("G-N5", "N5")];
const LIBRARY_GATES: [&str; 6] = ["G-L1", "G-L2", "G-L3", "G-L4", "G-L5", "G-L6"];

fn gates(input: &Path) {
    let mut devices = "device_id,kind,place,building_id\n".to_owned();
    let mut beats = "device_id,beat_ms,status\n".to_owned();
    let mut alive = |gate: &str, day: u32, until: u32| {
        for minute in (240..=until).step_by(10) {
            let _ = writeln!(beats, "{gate},{},ok", at_ms(day, minute));
        }
    };
    for (gate, building) in DORM_GATES {
        let _ = writeln!(devices, "{gate},dorm,{gate},{building}");
        // What a gate did two days ago says whether a silence since then is one.
        for day in (17..=19).filter(|_| gate != "G-N3B") {
            alive(gate, day, 1440 + 230);
        }
    }
    for gate in LIBRARY_GATES {
        let _ = writeln!(devices, "{gate},library,{gate},");
        alive(gate, 19, if gate == "G-L6" { 720 } else { 1440 + 230 });
    }
    let _ = writeln!(devices, "G-S,school,G-S,");
    alive("G-S", 19, 1440 + 230);
    // Silent since noon as well, and in no register; and one whose clock runs ahead by half an hour.
    alive("G-X", 19, 720);
    let _ = writeln!(beats, "G-L4,{},ok", at_ms(20, 265));
    write(&input.join("gate/device.csv"), &devices);
    write(&input.join("gate/heartbeat_20251119.csv"), &beats);

    let mut seq = 0;
    let mut rows = "device_id,event_seq,event_ms,sent_ms,person_id,direction,method\n".to_owned();
    // In at eight of 24 mornings, of every second one, or of the last five only.
    for (case, _, _, _, building) in STUDENTS.into_iter().filter(|it| it.0.starts_with("silent")) {
        let (mornings, apart) = match case {
            "silent_newcomer" => (5, 1),
            "silent_often" => (24, 2),
            _ => (24, 1),
        };
        let gate = if building == "N3" { "G-N3A".to_owned() } else { format!("G-{building}") };
        for morning in 0..mornings {
            seq += 1;
            let at = at_ms(18, minute("08:00")) - morning * apart * 86_400_000;
            let _ = writeln!(rows, "{gate},{seq},{at},,{},in,card", number(case));
        }
    }
    let mut go = |who: &str, gate: &str, day: u32, time: &str, way: &str, method: &str, n: u32| {
        for _ in 0..n {
            seq += 1;
            let _ = writeln!(rows, "{gate},{seq},{},,{who},{way},{method}", at_ms(day, minute(time)));
        }
    };
    for (case, gate, day, time, way, method) in PASSAGES {
        go(&number(case), gate, day, time, way, method, 1);
    }
    for day in 10..19 {
        go(CROWD, "G-L1", day, "08:05", "in", "card", 20);
        go(CROWD, "G-L2", day, "08:05", "in", "card", 1);
        go(CROWD, "G-L3", day, "07:55", "in", "card", 21);
        if 13 <= day {
            go(CROWD, "G-L4", day, "08:05", "in", "card", 20);
        }
    }
    // Five minutes before the day began: a crowd of the day before.
    go(CROWD, "G-L1", 19, "03:55", "in", "card", 70);
    go(CROWD, "G-L1", 19, "08:00", "in", "card", 30);
    go(CROWD, "G-L1", 19, "08:09", "in", "card", 31);
    // The next ten minutes are others.
    go(CROWD, "G-L1", 19, "08:10", "in", "card", 29);
    go(CROWD, "G-L1", 20, "00:12", "in", "card", 60);
    // Who goes out is no crowd that comes in.
    go(CROWD, "G-L2", 19, "08:05", "in", "card", 59);
    go(CROWD, "G-L2", 19, "08:05", "out", "card", 40);
    // Thrice of what came ten minutes earlier on other days would be 63.
    go(CROWD, "G-L3", 19, "08:05", "in", "card", 62);
    // Known for six days.
    go(CROWD, "G-L4", 19, "08:05", "in", "card", 90);
    go(CROWD, "G-N5", 19, "22:05", "in", "card", 600);
    go(CROWD, "G-L5", 20, "00:25", "in", "card", 600);
    go(CROWD, "G-L2", 19, "12:05", "out", "card", 599);
    write(&input.join("gate/gate_20251119.csv"), &rows);
}

/// Number, whose, deadline, resolved, status.
const TICKETS: [(&str, &str, &str, &str, &str); 10] = [
    ("near", "out", "2025-11-20 12:00", "", "已转办"),
    ("anonymous", "", "2025-11-18 12:00", "", "已转办"),
    ("in_days", "out", "2025-11-25 12:00", "", "已转办"),
    ("resolved", "out", "2025-11-20 12:00", "2025-11-19 09:00", "已办结"),
    ("resolved_by_step", "out", "2025-11-20 12:00", "", "已转办"),
    ("reopened", "out", "2025-11-20 12:00", "2025-11-19 09:00", "已办结"),
    ("withdrawn", "out", "2025-11-20 12:00", "", "已撤回"),
    ("withdrawn_by_step", "out", "2025-11-20 12:00", "", "已转办"),
    ("without_deadline", "out", "", "", "已转办"),
    ("of_who_is_gone", "out_gone", "2025-11-20 12:00", "", "已转办"),
];

fn tickets(input: &Path) {
    let mut rows = "工单号,学号,渠道,类别,来源,责任部门,楼栋号,房间号,提交时间,时限,办结时间,状态,满意度,内容\n".to_owned();
    for (ticket, case, due, resolved, status) in TICKETS {
        let who = if case.is_empty() { String::new() } else { number(case) };
        let _ = writeln!(rows, "{ticket},{who},小程序,网络,被动,O01,,,2025-11-17 12:00,{due},{resolved},{status},,");
    }
    write(&input.join("ticket/ticket_20251119.csv"), &rows);
    write(
        &input.join("ticket/ticket_event_20251119.csv"),
        "事件号,工单号,环节,时间,经办人工号,部门\n\
         E1,reopened,reopened,2025-11-19 10:00:00,,O01\n\
         E2,withdrawn_by_step,withdrawn,2025-11-19 10:00:00,,O01\n\
         E3,resolved_by_step,resolved,2025-11-19 10:00:00,,O01\n",
    );
}

/// The campus with its six lists, made once.
fn campus() -> &'static Path {
    static CAMPUS: OnceLock<TempDir> = OnceLock::new();
    CAMPUS
        .get_or_init(|| {
            let folder = TempDir::new().expect("a folder");
            let project = folder.path();
            write(&project.join("yizhan.toml"), "packs = [\"campus\"]\n[ingest]\napprovals = \"off\"\n");
            let input = project.join("input");
            contracts(project);
            registers(&input);
            explanations(&input);
            gates(&input);
            tickets(&input);
            let reports = lines(project, &["ingest"]);
            let refused = |it: &&Value| it["rows_quarantined"].as_i64().unwrap_or_default() != 0;
            assert_eq!(reports.iter().find(refused), None, "every row is taken");
            let mut build = vec!["transform", "--select"];
            build.extend(LISTS);
            lines(project, &build);
            folder
        })
        .path()
}

/// What a command says, in lines of JSON.
#[track_caller]
fn lines(project: &Path, args: &[&str]) -> Vec<Value> {
    let mut command = yizhan(&project.join("data"), args);
    let (code, lines, text) = said(command.args(["--format", "json", "--now", NOW, "--project"]).arg(project));
    assert_eq!(code, 0, "{args:?}: {text}");
    lines
}

fn read(query: &str) -> Vec<Value> {
    lines(campus(), &["sql", query])
}

/// Two text columns of a list, the first of which makes its rows one.
#[track_caller]
fn told(list: &str, name: &str, column: &str) -> BTreeMap<String, String> {
    let rows = read(&format!("SELECT {name} AS name, {column} AS told FROM {list}"));
    let text = |it: &Value| it.as_str().map_or_else(|| it.to_string(), str::to_owned);
    let found: BTreeMap<String, String> = rows.iter().map(|it| (text(&it["name"]), text(&it["told"]))).collect();
    assert_eq!(found.len(), rows.len(), "{list} has a {name} twice: {rows:?}");
    found
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|it| (it.0.to_owned(), it.1.to_owned())).collect()
}

#[test]
fn late_tonight_is_who_came_after_the_hour_of_their_house_and_has_no_reason_to() {
    // Eight hours are between China and what is told: 23:05 is 15:05.
    let due = [
        ("late", "2025-11-19T15:05:00Z"),
        ("after_midnight", "2025-11-19T16:40:00Z"),
        ("last_minute", "2025-11-19T19:50:00Z"),
        ("late_stays", "2025-11-19T15:16:00Z"),
        ("late_early_house", "2025-11-19T14:40:00Z"),
    ];
    assert_eq!(told("list_late_tonight", "class", "from_at"), map(&due));
    let nights: BTreeSet<String> = told("list_late_tonight", "class", "night_on").into_values().collect();
    assert!(nights.len() == 1 && nights.iter().all(|it| it.starts_with("2025-11-19")), "{nights:?}");
}

#[test]
fn out_tonight_is_who_went_out_last_under_gates_that_work_and_has_no_reason_to() {
    let due = [
        "out",
        "out_for_days",
        "back_from_leave",
        "out_stays",
        "out_usual_house",
        // Gone again after somebody had seen them, or nobody had after all.
        "seen_then_left",
        "checked_then_left",
        "seen_by_mistake",
        // Who goes out is not in, whenever it is; nor is who paid on campus and then left it.
        "left_house_late",
        "left_school_late",
        "paid_then_left_school",
    ];
    let from = told("list_out_tonight", "class", "from_at");
    // Half an hour after the house closes; where the register does not say when, after the usual hour.
    let since: BTreeMap<String, String> = due.iter().map(|it| ((*it).to_owned(), "2025-11-19T15:30:00Z".to_owned())).collect();
    assert_eq!(from, since);
    let seen = told("list_out_tonight", "class", "last_seen_at");
    assert_eq!((seen["out"].as_str(), seen["out_for_days"].as_str()), ("2025-11-19T11:00:00Z", "2025-11-17T02:00:00Z"));
    // A card that was found again explains nothing.
    let lost = told("list_out_tonight", "class", "is_card_lost");
    let lost: Vec<&String> = lost.iter().filter(|it| it.1 == "true").map(|it| it.0).collect();
    assert_eq!(lost, ["out"]);
    // Half an hour after 03:50, when the gate of the building told its last passage and gave its last sign of life.
    let until = told("list_out_tonight", "class", "until_at");
    assert_eq!(until["out"], "2025-11-19T20:20:00Z");
}

#[test]
fn no_trace_is_of_whom_nothing_is_told_for_longer_than_is_usual_and_nothing_explains_it() {
    let due = [
        // In at eight of the day before, and 36 hours are over at eight in the evening; a code can be scanned by others.
        ("silent", "2025-11-19T12:00:00Z"),
        ("silent_scanned", "2025-11-19T12:00:00Z"),
        // Two hours without water are waited for as well.
        ("silent_event_house", "2025-11-19T14:00:00Z"),
    ];
    assert_eq!(told("list_no_trace", "class", "from_at"), map(&due));
    let seen = told("list_no_trace", "class", "last_seen_at");
    assert_eq!(seen["silent"], "2025-11-18T00:00:00Z");
    let source = told("list_no_trace", "class", "last_seen_source");
    assert!(source.values().all(|it| it == "gate"), "{source:?}");
    // Thirty hours after the hour of the last payment that came in, at 22:30: what is older tells nothing of now.
    let until = told("list_no_trace", "class", "until_at");
    assert!(until.values().all(|it| it == "2025-11-20T20:00:00Z"), "{until:?}");
}

#[test]
fn a_request_near_its_deadline_is_one_that_is_open_whoever_sent_it() {
    let due = [
        ("near", "2025-11-19T04:00:00Z"),
        // It is over already.
        ("anonymous", "2025-11-17T04:00:00Z"),
        // Its row is there, and holds from a day before the deadline on.
        ("in_days", "2025-11-24T04:00:00Z"),
        ("reopened", "2025-11-19T04:00:00Z"),
    ];
    assert_eq!(told("list_ticket_deadline", "ticket_id", "from_at"), map(&due));
    let offices: BTreeSet<String> = told("list_ticket_deadline", "ticket_id", "office").into_values().collect();
    assert_eq!(offices, BTreeSet::from(["后勤处".to_owned()]), "an office is told by its name");
}

#[test]
fn a_request_past_its_deadline_is_listed_each_night_until_it_is_settled() {
    let data = TempDir::new().expect("a folder");
    copy(&campus().join("data"), data.path(), &|_| true);
    let project: &str = &campus().to_string_lossy();
    for (now, due) in
        [("2025-11-20T12:00:00+08:00", vec!["anonymous"]), ("2025-11-21T12:00:00+08:00", vec!["anonymous", "near", "reopened"])]
    {
        let night = ["transform", "--select", "list_overdue_ticket", "--now", now, "--project", project];
        let (code, _, wrong) = said(&mut yizhan(data.path(), &night));
        assert_eq!(code, 0, "{wrong}");
        let query = "SELECT ticket_id, overdue_h, office FROM list_overdue_ticket \
                     WHERE as_of_on = (SELECT max(as_of_on) FROM list_overdue_ticket) ORDER BY ticket_id";
        let rows = sql(data.path(), query);
        let listed: Vec<&str> = rows.iter().filter_map(|it| it["ticket_id"].as_str()).collect();
        assert_eq!(listed, due, "{now}");
        assert!(rows.iter().all(|it| it["office"] == "后勤处" && 0 < it["overdue_h"].as_i64().unwrap_or_default()), "{rows:?}");
    }
}

#[test]
fn a_crowd_at_a_gate_is_many_who_come_in_against_the_gates_own_past() {
    let crowds = read("SELECT device_id, slot, in_n, usual_n, from_at, until_at FROM list_gate_crowd ORDER BY from_at");
    let morning = serde_json::json!({ "device_id": "G-L1", "slot": 48, "in_n": 61, "usual_n": 20,
        "from_at": "2025-11-19T00:00:00Z", "until_at": "2025-11-19T02:00:00Z" });
    // Of the night before four o'clock, which is the end of the day and not its beginning.
    let night = serde_json::json!({ "device_id": "G-L1", "slot": 1, "in_n": 60, "usual_n": 0,
        "from_at": "2025-11-19T16:10:00Z", "until_at": "2025-11-19T18:10:00Z" });
    assert_eq!(crowds, [morning, night]);
}

#[test]
fn a_device_at_fault_is_silent_while_others_report_or_lets_more_pass_than_can() {
    let faults = read("SELECT device_id, fault, from_at FROM list_gate_fault ORDER BY device_id");
    let fault =
        |device: &str, fault: &str, from: &str| serde_json::json!({ "device_id": device, "fault": fault, "from_at": from });
    let due = [
        fault("G-L5", "flood", "2025-11-19T16:20:00Z"),
        // Half an hour after its last sign of life at noon.
        fault("G-L6", "silent", "2025-11-19T04:30:00Z"),
        fault("G-N5", "flood", "2025-11-19T14:00:00Z"),
    ];
    assert_eq!(faults, due);
}

#[test]
fn who_was_looked_after_tonight_is_answered_for_in_the_morning_too() {
    let data = TempDir::new().expect("a folder");
    copy(&campus().join("data"), data.path(), &|_| true);
    let project: &str = &campus().to_string_lossy();
    let night = ["transform", "--select", "list_unverified_absence", "--now", "2025-11-20T12:00:00+08:00", "--project", project];
    let (code, _, wrong) = said(&mut yizhan(data.path(), &night));
    assert_eq!(code, 0, "{wrong}");
    on_a_runtime(async {
        let store = open(data.path()).await;
        for (account, building) in [("keeper", "building:N1"), ("elsewhere", "building:N2")] {
            let grants = vec![Grant { role: "dorm_keeper".to_owned(), scope: building.to_owned() }];
            let new = NewAccount { account, password: Some("yizhan-demo"), display_name: account, person_key: None, grants };
            store.accounts().create(new).await.expect("an account");
        }
        store.close().await;
    });
    let serving = ["serve", "--project", project, "--now", NOW, "--set", "stream.tick_seconds=0"];
    let server = Server::on(data, &serving);
    let document = Document::of(&server);
    let (keeper, elsewhere) = (Desk::of(&server, &document, "keeper"), Desk::of(&server, &document, "elsewhere"));
    let rows = |list: &str| {
        let found = keeper.get("/lists/{list}", &format!("/lists/{list}"));
        assert_eq!(found["answers"].as_array().map(Vec::len), Some(4), "{list} asks for an answer");
        found["rows"].as_array().expect("rows").clone()
    };
    let is_asked = |it: &Value| it.get("check_result").is_none();
    let (tonight, morning) = (rows("out_tonight"), rows("unverified_absence"));
    assert!(tonight.iter().chain(&morning).all(is_asked), "{tonight:?} {morning:?}");
    let row = tonight.iter().find(|it| morning.iter().any(|other| other["student_key"] == it["student_key"])).expect("a row");
    let body = |night: &Value| json!({ "student_key": row["student_key"], "night_on": night, "result": "in_room" });
    let path = "/lists/out_tonight/checks";
    elsewhere.is_told(&elsewhere.send(path, &body(&row["night_on"])), 404, "who keeps another house");
    keeper.is_told(&keeper.send(path, &body(&json!("2025-11-18"))), 404, "another night");
    let given = keeper.post("/lists/{list}/checks", path, &body(&row["night_on"]));
    assert_eq!((&given["is_new"], &given["check_result"]), (&json!(true), &json!("in_room")));
    for list in ["out_tonight", "unverified_absence"] {
        let (asked, answered): (Vec<Value>, Vec<Value>) = rows(list).into_iter().partition(is_asked);
        assert_eq!(answered.len(), 1, "{list}: {asked:?}");
        assert_eq!(
            (&answered[0]["student_key"], &answered[0]["check_result"]),
            (&row["student_key"], &json!("in_room")),
            "{list}"
        );
    }
    let twice = keeper.post("/lists/{list}/checks", "/lists/unverified_absence/checks", &body(&row["night_on"]));
    assert_eq!((&twice["is_new"], &twice["n_answers"]), (&json!(false), &json!(1)), "of one night, whichever list it stands on");
}
