//! A new year of study: the plan says what is missing, the registers change it, and the past stays as it was.

use std::path::PathBuf;
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{repository, said, write, yizhan};

/// A Monday: of dates that lie further back these are kept.
const BEFORE: &str = "2026-07-06";
const AFTER: &str = "2026-08-24";

/// A school of eight students whose registers are delimited text.
struct School {
    folder: TempDir,
}

const REGISTER: &str = "学号,姓名,性别,学院,专业,班级,年级,学段,校区,住宿类型,学籍状态,手机号,责任辅导员工号\n";

fn student(number: &str, class: &str, grade: u32, stage: &str, status: &str, counselor: &str) -> String {
    format!("{number},某某,女,C01,数学,{class},{grade},{stage},主校区,住宿,{status},,{counselor}\n")
}

/// The lines of the calendar from a day on, for so many days.
fn calendar(year: i32, days: u32) -> String {
    let lengths = |year: i32| [31, if year % 4 == 0 { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let (mut y, mut month, mut day) = (year, 9, 1);
    let mut text = String::new();
    for _ in 0..days {
        text += &format!("{y}-{month:02}-{day:02},{year}-{}-1,1,teaching\n", year + 1);
        day += 1;
        if lengths(y)[month - 1] < day {
            (month, day) = (month + 1, 1);
        }
        if month == 13 {
            (y, month) = (y + 1, 1);
        }
    }
    text
}

impl School {
    fn new() -> Self {
        let school = Self { folder: TempDir::new().expect("a folder") };
        write(&school.path("yizhan.toml"), "packs = [\"campus\"]\n[transform]\nas_of_days = 2\n");
        for (name, xlsx, csv) in [
            ("student", "student*.xlsx", "student_2*.csv"),
            ("bed_assignment", "bed_assignment*.xlsx", "bed_assignment*.csv"),
            ("ticket", "ticket_2*.xlsx", "ticket_2*.csv"),
        ] {
            let own = std::fs::read_to_string(repository().join(format!("pipelines/{name}.toml"))).expect("the pack's own");
            let own = own
                .replace(xlsx, csv)
                .replace("format = \"xlsx\"", "format = \"csv\"")
                .replace(", format = \"%Y-%m-%d\"", "")
                .replace("type = \"date\"", "type = \"date\", format = \"%Y-%m-%d\"")
                .replace("type = \"timestamp\"", "type = \"timestamp\", format = \"%Y-%m-%d %H:%M\"");
            assert!(own.contains(csv) && own.contains("csv\""), "the contract of {name} changed");
            write(&school.path(&format!("pipelines/{name}.toml")), &own);
        }
        school
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn input(&self, path: &str, text: &str) {
        write(&self.path("input").join(path), text);
    }

    fn approve(&self, until: &str) {
        let sources = ["org_unit", "student", "bed_assignment", "ticket", "calendar_day", "enrollment_span", "aid_payment"];
        let purposes = "portrait;trend_warning;service;cockpit;public_safety;duty;evaluation";
        let line = |it: &str| format!("审-{it},{it},学工处,{purposes},*,四年,领导小组,2021-01-01,{until}\n");
        let lines: String = sources.iter().map(|it| line(it)).collect();
        self.input(
            "registry/data_use_approval.csv",
            &format!("文号,来源,责任部门,用途,字段范围,保存期限,批准人,生效日期,失效日期\n{lines}"),
        );
    }

    /// The registers of the summer term: a class leaves, one student of it stays on, one is away.
    fn summer(&self) {
        self.approve("2026-12-31");
        self.input("registry/org_unit.csv", "单位编号,单位名称,上级单位,类别\nU01,大学,,学校\nC01,数学学院,U01,学院\n");
        self.input("registry/calendar_day.csv", &format!("date,term,teaching_week,kind\n{}", calendar(2025, 365)));
        let students = [
            student("2022000001", "G1", 2022, "本科", "在籍", "T00001"),
            student("2022000002", "G2", 2022, "本科", "在籍", "T00001"),
            student("2022000003", "休", 2022, "本科", "休学", "T00001"),
            student("2022000004", "延", 2022, "本科", "在籍", "T00001"),
            student("2023000001", "G3", 2023, "硕士", "在籍", "T00001"),
            student("2023000002", "留1", 2023, "本科", "在籍", ""),
            student("2024000001", "留2", 2024, "本科", "在籍", "T00001"),
        ];
        self.input("registry/student_2026_06.csv", &format!("{REGISTER}{}", students.concat()));
        // Dates are kept since the first event.
        self.input(
            "support/aid_payment_20260601.csv",
            "发放编号,学号,项目,金额(元),发放日期\n1,2022000001,国家助学金,100,2026-06-01\n",
        );
        self.input(
            "registry/enrollment_span.csv",
            "异动编号,学号,学籍状态,学院,班级,开始日期,结束日期,异动类别\n1,2022000004,延期,C01,延,2026-06-01,,延期\n",
        );
        self.input(
            "dorm/bed_assignment.csv",
            "学号,房间号,床位,入住日期,退宿日期\n2022000001,R1,1,2022-09-01,\n2024000001,R2,1,2024-09-01,\n",
        );
        let head = "工单号,学号,渠道,类别,来源,责任部门,楼栋号,房间号,提交时间,时限,办结时间,状态,满意度,内容\n";
        self.input(
            "ticket/ticket_20260614.csv",
            &format!(
                "{head}W1,2023000001,小程序,网络,被动,网信中心,,,2026-06-10 09:00,2026-06-30 09:00,,已提交,,网慢\n\
                 W2,2024000001,小程序,网络,被动,网信中心,,,2026-06-10 09:00,2026-06-30 09:00,,已提交,,网慢\n"
            ),
        );
    }

    /// The registers of the new year: the class has left, newcomers are there, and the offices have done their work.
    fn autumn(&self) {
        self.approve("2030-12-31");
        self.input(
            "registry/calendar_day.csv",
            &format!("date,term,teaching_week,kind\n{}{}", calendar(2025, 365), calendar(2026, 365)),
        );
        let students = [
            student("2022000003", "休", 2022, "本科", "休学", "T00001"),
            student("2022000004", "延", 2022, "本科", "在籍", "T00001"),
            student("2023000002", "留1", 2023, "本科", "在籍", "T00001"),
            student("2024000001", "留2", 2024, "本科", "在籍", "T00001"),
            student("2026000001", "新", 2026, "本科", "在籍", "T00001"),
        ];
        self.input("registry/student_2026_09.csv", &format!("{REGISTER}{}", students.concat()));
        self.input(
            "dorm/bed_assignment.csv",
            "学号,房间号,床位,入住日期,退宿日期\n2022000001,R1,1,2022-09-01,2026-06-30\n2024000001,R2,1,2024-09-01,\n2026000001,R1,1,2026-08-20,\n",
        );
        let head = "工单号,学号,渠道,类别,来源,责任部门,楼栋号,房间号,提交时间,时限,办结时间,状态,满意度,内容\n";
        let line = "W1,2023000001,小程序,网络,被动,网信中心,,,2026-06-10 09:00,2026-06-30 09:00,2026-06-25 10:00,已办结,,网慢\n";
        self.input("ticket/ticket_20260628.csv", &format!("{head}{line}"));
    }

    fn said(&self, args: &[&str], now: &str) -> (i32, Vec<Value>, String) {
        let mut command = yizhan(&self.path("data"), args);
        said(command.args(["--format", "json", "--now", now, "--project"]).arg(self.folder.path()))
    }

    /// The door and the tables, without the checks: one of them is that everybody has a counselor.
    #[track_caller]
    fn run(&self, now: &str) {
        for stage in ["ingest", "transform"] {
            let (code, lines, text) = self.said(&[stage], now);
            assert_eq!(code, 0, "{lines:?}{text}");
        }
    }

    fn sql(&self, query: &str) -> Vec<Value> {
        let (code, rows, text) = self.said(&["sql", query], AFTER);
        assert_eq!(code, 0, "{query}: {text}");
        rows
    }

    /// The student of a class of one.
    fn key(&self, class: &str) -> i64 {
        let found = self.sql(&format!("SELECT DISTINCT student_key FROM raw_student WHERE class = '{class}'"));
        found[0]["student_key"].as_i64().expect("a key")
    }
}

/// The plan as `check n state`.
fn plan(lines: &[Value]) -> Vec<String> {
    lines
        .iter()
        .map(|it| {
            format!("{} {} {}", it["check"].as_str().unwrap_or_default(), it["n"], it["state"].as_str().unwrap_or_default())
        })
        .collect()
}

#[test]
fn a_year_is_planned_carried_out_by_the_registers_and_noted_once() {
    let school = School::new();
    school.summer();
    school.run(BEFORE);
    let (code, lines, text) = school.said(&["rollover", "--year", "2026"], BEFORE);
    assert_eq!(code, 2, "{text}");
    assert_eq!(
        plan(&lines),
        [
            "graduates_undergraduate 2 info",
            "graduates_graduate 1 info",
            "stay_extended 1 info",
            "stay_suspended 1 info",
            "graduates_still_enrolled 3 to_do",
            "graduates_with_bed 1 to_do",
            "graduates_with_open_ticket 1 to_do",
            "newcomers 0 to_do",
            "without_counselor 1 to_do",
            "calendar_days_missing 365 to_do",
            "approvals_expiring 7 to_do",
        ]
    );
    let line = |check: &str| lines.iter().find(|it| it["check"] == check).cloned().unwrap_or_default();
    assert_eq!(line("graduates_still_enrolled")["detail"], "C01 3");
    assert_eq!(line("calendar_days_missing")["detail"], "2026-09-01 … 2027-08-31");
    assert!(line("approvals_expiring")["detail"].as_str().is_some_and(|it| it.contains("student 2026-12-31")));
    let todo = line("newcomers")["what_to_do"].as_str().unwrap_or_default().to_owned();
    assert!(todo.contains("新生") && todo.contains("newcomers"), "{todo}");
    let (code, _, text) = school.said(&["rollover", "--year", "2026", "--apply"], BEFORE);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("7 lines still ask for work") && text.contains("--force --reason"), "{text}");

    let (graduate, stays) = (school.key("G1"), school.key("留2"));
    let past = past(&school);
    school.autumn();
    school.run(AFTER);
    let (code, lines, text) = school.said(&["rollover", "--year", "2026"], AFTER);
    assert_eq!(code, 0, "{lines:?}{text}");
    assert_eq!(
        plan(&lines)[..5],
        [
            "graduates_undergraduate 2 info",
            "graduates_graduate 1 info",
            "stay_extended 1 info",
            "stay_suspended 1 info",
            "graduates_still_enrolled 0 ready"
        ]
    );
    assert!(plan(&lines)[4..].iter().all(|it| it.ends_with(" ready")), "{lines:?}");

    // Who has left is in no list and no scope of the new date; what was said of them stays.
    assert_eq!(past, self::past(&school), "a date that was over has changed");
    let on = |table: &str, key: i64, date: &str| {
        let query = format!("SELECT count(*) AS n FROM {table} WHERE student_key = {key} AND as_of_on = DATE '{date}'");
        school.sql(&query)[0]["n"].as_i64().expect("a count")
    };
    let people = tables_of_people(&school);
    assert!(people.iter().any(|it| it == "portrait_student") && people.iter().any(|it| it.starts_with("list_")), "{people:?}");
    for table in &people {
        assert_eq!(on(table, graduate, AFTER), 0, "{table} still has who has left");
    }
    assert_eq!((on("dim_student", stays, AFTER), on("portrait_student", stays, AFTER)), (1, 1));
    assert_eq!((on("dim_student", graduate, BEFORE), on("portrait_student", graduate, BEFORE)), (1, 1));
    let mut add =
        yizhan(&school.path("data"), &["user", "add", "c1", "--role", "counselor:assigned", "--number", "T00001", "--project"]);
    let mut child = add.arg(school.folder.path()).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("the binary starts");
    std::io::Write::write_all(&mut child.stdin.take().expect("a pipe"), b"a-long-password\n").expect("written");
    assert!(child.wait().expect("it ends").success());
    let (code, rows, text) = school.said(&["sql", "SELECT DISTINCT student_key FROM portrait_student", "--as", "c1"], AFTER);
    assert_eq!(code, 0, "{text}");
    let keys: Vec<i64> = rows.iter().filter_map(|it| it["student_key"].as_i64()).collect();
    assert!(keys.contains(&stays) && !keys.contains(&graduate), "the counselor of last year reads {keys:?}");

    let apply = |more: &[&str]| school.said(&[&["rollover", "--year", "2026", "--apply"], more].concat(), AFTER);
    assert_eq!(apply(&[]).0, 0);
    let (code, _, text) = apply(&[]);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("noted before") && text.contains("已经登记过"), "{text}");
    assert_eq!(apply(&["--force"]).0, 2, "force without a reason");
    assert_eq!(apply(&["--force", "--reason", "补登"]).0, 0);
    let (code, _, text) = school.said(&["rollover", "--year", "2026"], AFTER);
    assert_eq!(code, 0);
    assert!(text.contains("the rollover of 2026 was noted at 2026-08-24"), "{text}");
    let (code, _, text) = school.said(&["rollover", "--year", "26"], AFTER);
    assert_eq!(code, 2);
    assert!(text.contains("--year 26"), "{text}");
}

#[test]
fn a_lake_without_students_says_what_to_run_first() {
    let school = School::new();
    let (code, _, text) = school.said(&["rollover", "--year", "2026"], BEFORE);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("yizhan run"), "{text}");
}

/// Everything that stands of the last date before the change.
fn past(school: &School) -> Vec<Vec<String>> {
    ["dim_student", "portrait_student", "feat_measure"]
        .map(|table| {
            let found = school.sql(&format!("SELECT * FROM {table} WHERE as_of_on = DATE '{BEFORE}'"));
            let mut rows: Vec<String> = found.iter().map(ToString::to_string).collect();
            rows.sort();
            assert!(!rows.is_empty(), "{table} has no past");
            rows
        })
        .into_iter()
        .collect()
}

/// Stored tables with a row a student and date.
fn tables_of_people(school: &School) -> Vec<String> {
    let query = "SELECT table_name FROM information_schema.columns WHERE column_name IN ('student_key', 'as_of_on') \
                 GROUP BY table_name HAVING count(*) = 2 ORDER BY table_name";
    let names = school.sql(query);
    names.iter().filter_map(|it| it["table_name"].as_str().map(str::to_owned)).collect()
}
