//! Three short terms of a small school, every row of which is written here, so that each figure is worked out on paper.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::OnceLock;

use chrono::NaiveDate;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{repository, said, write, yizhan};

/// The date that is looked at, a Friday; of those before it Mondays are kept.
const NOW: &str = "2025-10-10";

/// First and last day of each term, all of them teaching days: 28, 35 and 35.
const TERMS: [(&str, &str, &str); 3] = [
    ("2024-2025-3", "2025-07-01", "2025-07-28"),
    ("2025-2026-1", "2025-07-29", "2025-09-01"),
    ("2025-2026-2", "2025-09-04", "2025-10-08"),
];

/// Takes part in more from term to term.
const RISING: &str = "2023000001";
/// Took part in the first term only.
const FALLING: &str = "2023000002";
/// Takes part in nothing and eats as on every day.
const STEADY: &str = "2023000003";
/// Of whom the academic office sent a notice on 27 March: half a year is over on 23 September.
const WARNED: &str = "2023000004";
/// Comes every week, so that no week is without a check-in.
const FAITHFUL: &str = "2023000005";
/// On leave of school for the last week of August, back since the first of September.
const RETURNED: &str = "2023000006";
/// Entered on 18 August: eight weeks are over on 13 October.
const NEWCOMER: &str = "2025000001";

struct School {
    folder: TempDir,
    /// Keys by number.
    keys: BTreeMap<String, i64>,
}

/// All numbers: nineteen who are in their third year, and the newcomer.
fn numbers() -> Vec<String> {
    (1..=19).map(|it| format!("20230000{it:02}")).chain([NEWCOMER.to_owned()]).collect()
}

/// Each student is a class of one.
fn class(number: &str) -> String {
    format!("数学{}{}", &number[2..4], &number[8..])
}

fn date(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

fn days(from: &str, to: &str) -> Vec<NaiveDate> {
    let to = date(to);
    date(from).iter_days().take_while(|it| *it <= to).collect()
}

/// The school, built once.
fn school() -> &'static School {
    static SCHOOL: OnceLock<School> = OnceLock::new();
    SCHOOL.get_or_init(|| {
        let mut school = School { folder: TempDir::new().expect("a folder"), keys: BTreeMap::new() };
        school.registers();
        school.notices();
        school.activities();
        school.payments();
        // Without the checks: one of them is that everybody has a counselor.
        for stage in ["ingest", "transform"] {
            let (code, lines, text) = school.said(&[stage]);
            assert_eq!(code, 0, "{lines:?}{text}");
        }
        let found = school.sql("SELECT DISTINCT student_key, class FROM raw_student");
        let key_of = |number: &str| found.iter().find(|it| it["class"] == class(number).as_str())?["student_key"].as_i64();
        school.keys = numbers().into_iter().filter_map(|it| Some((it.clone(), key_of(&it)?))).collect();
        assert_eq!(school.keys.len(), numbers().len(), "{:?}", school.keys);
        school
    })
}

impl School {
    fn input(&self, path: &str, text: &str) {
        write(&self.folder.path().join("input").join(path), text);
    }

    /// Settings, contracts of what is no text elsewhere, and the registers.
    fn registers(&self) {
        write(&self.folder.path().join("yizhan.toml"), "packs = [\"campus\"]\n[transform]\nas_of_days = 1\n");
        let contract = |name: &str, changes: &[(&str, &str)]| {
            let mut own = std::fs::read_to_string(repository().join(format!("pipelines/{name}.toml"))).expect("the pack's own");
            for (from, to) in changes {
                assert!(own.contains(from), "the contract of {name} changed: no {from}");
                own = own.replace(from, to);
            }
            write(&self.folder.path().join(format!("pipelines/{name}.toml")), &own);
        };
        contract("student", &[("student*.xlsx", "student_2*.csv"), ("format = \"xlsx\"", "format = \"csv\"")]);
        contract("card_txn", &[(", encoding = \"gb18030\"", "")]);

        let sources = [
            "org_unit",
            "student",
            "calendar_day",
            "enrollment_span",
            "academic_warning",
            "activity",
            "activity_attendance",
            "card_txn",
        ];
        let purposes = "portrait;trend_warning;service;cockpit;public_safety;duty;evaluation;recommendation";
        let mut text = String::from("文号,来源,责任部门,用途,字段范围,保存期限,批准人,生效日期,失效日期\n");
        for it in sources {
            let _ = writeln!(text, "审-{it},{it},学工处,{purposes},*,四年,领导小组,2021-01-01,2027-12-31");
        }
        self.input("registry/data_use_approval.csv", &text);
        self.input("registry/org_unit.csv", "单位编号,单位名称,上级单位,类别\nU01,大学,,学校\nC01,数学学院,U01,学院\n");

        let mut text = String::from("学号,姓名,性别,学院,专业,班级,年级,学段,校区,住宿类型,学籍状态,手机号,责任辅导员工号\n");
        for it in numbers() {
            let _ = writeln!(text, "{it},某某,女,C01,数学,{},{},本科,主校区,住宿,在籍,,T00001", class(&it), &it[..4]);
        }
        self.input("registry/student_2025.csv", &text);

        let mut text = String::from("date,term,teaching_week,kind\n");
        for day in days("2025-07-01", "2025-10-31") {
            let term = TERMS.iter().find(|it| (date(it.1)..=date(it.2)).contains(&day));
            let _ = match term {
                Some((term, ..)) => writeln!(text, "{day},{term},1,teaching"),
                None => writeln!(text, "{day},,,vacation"),
            };
        }
        self.input("registry/calendar_day.csv", &text);

        let (returned, newcomer) = (class(RETURNED), class(NEWCOMER));
        self.input(
            "registry/enrollment_span.csv",
            &format!(
                "异动编号,学号,学籍状态,学院,班级,开始日期,结束日期,异动类别\n\
                 1,{RETURNED},在籍,C01,{returned},2023-09-01,2025-08-24,入学\n\
                 2,{RETURNED},休学,C01,{returned},2025-08-25,2025-08-31,休学\n\
                 3,{RETURNED},在籍,C01,{returned},2025-09-01,,复学\n\
                 4,{NEWCOMER},在籍,C01,{newcomer},2025-08-18,,入学\n"
            ),
        );
    }

    fn notices(&self) {
        self.input(
            "study/academic_warning.csv",
            &format!("预警编号,学号,学期,级别,不及格学分,发出日期\nY1,{WARNED},2024-2025-1,一级,6.0,2025-03-27\n"),
        );
    }

    fn activities(&self) {
        let mut all = String::from("活动编号,活动名称,类型,五育维度,主办单位,地点,开始时间,结束时间,名额,名师专家,发布时间\n");
        let mut came = String::from("签到编号,活动编号,学号,签到时间,签到方式,时长\n");
        let (mut activity_n, mut checkin_n) = (0, 0);
        let mut hold = |kind: &str, who: &str, on: &[NaiveDate]| {
            activity_n += 1;
            let (first, last) = (on[0], on[on.len() - 1]);
            let before = first.pred_opt().expect("a date");
            let _ = writeln!(all, "A{activity_n},活动{activity_n},{kind},,,{first} 14:00,{last} 16:00,30,否,{before} 09:00");
            for day in on {
                checkin_n += 1;
                let _ = writeln!(came, "Q{checkin_n},A{activity_n},{who},{day} 14:05:00,扫码,2.0");
            }
        };
        let (lecture, volunteering) = ("学术讲座,智", "志愿服务,劳");
        // From the first day of the first term on: before it nothing is known to have been missed.
        hold(lecture, FAITHFUL, &[date("2025-07-01")]);
        for day in days("2025-07-02", "2025-10-08").into_iter().step_by(7) {
            hold(lecture, FAITHFUL, &[day]);
        }
        // One in 28 days, then five in 35, then ten in 35.
        hold(lecture, RISING, &[date("2025-07-03")]);
        for day in ["2025-08-02", "2025-08-05", "2025-08-09", "2025-08-12"] {
            hold(volunteering, RISING, &[date(day)]);
        }
        // Of two days, and one activity.
        hold(volunteering, RISING, &days("2025-08-23", "2025-08-24"));
        for day in ["2025-09-06", "2025-09-13", "2025-09-20", "2025-09-27", "2025-10-04"] {
            hold(volunteering, RISING, &[date(day)]);
        }
        for day in ["2025-09-09", "2025-09-16", "2025-09-23", "2025-09-30", "2025-10-07"] {
            hold(lecture, RISING, &[date(day)]);
        }
        for day in ["2025-07-04", "2025-07-08", "2025-07-11", "2025-07-15"] {
            hold(volunteering, FALLING, &[date(day)]);
        }
        self.input("activity/activity_2025.csv", &all);
        self.input("activity/attendance_2025.csv", &came);
    }

    /// Lunch, a snack of the shop and dinner, the same for everybody on every day; of two weeks the canteens' rows never came,
    /// and in the last one everything costs twice as much.
    fn payments(&self) {
        let mut text = String::from("流水号,学号,终端号,商户类型,交易金额(元),余额(元),交易时间\n");
        let mut n = 0;
        for day in days("2025-07-01", "2025-10-09") {
            let is_lost = (date("2025-07-15")..=date("2025-07-28")).contains(&day);
            let times = if date("2025-10-03") <= day { 2 } else { 1 };
            for who in numbers() {
                if who == NEWCOMER && day < date("2025-08-18") {
                    continue;
                }
                for (terminal, kind, yuan, time) in
                    [("C-1-01", "食堂", 8, "12:10:00"), ("S-1-01", "超市", 5, "15:30:00"), ("C-1-02", "食堂", 12, "18:10:00")]
                {
                    if is_lost && kind == "食堂" {
                        continue;
                    }
                    n += 1;
                    let yuan = times * yuan;
                    let _ = writeln!(text, "{n},{who},{terminal},{kind},{yuan}.00,50.00,{} {time}", day.format("%Y/%m/%d"));
                }
            }
        }
        self.input("card/card_2025.csv", &text);
    }

    fn said(&self, args: &[&str]) -> (i32, Vec<Value>, String) {
        let mut command = yizhan(&self.folder.path().join("data"), args);
        said(command.args(["--format", "json", "--now", NOW, "--project"]).arg(self.folder.path()))
    }

    fn sql(&self, query: &str) -> Vec<Value> {
        let (code, rows, text) = self.said(&["sql", query]);
        assert_eq!(code, 0, "{query}: {text}");
        rows
    }

    /// What a measure says of a student on a date.
    #[track_caller]
    fn measured(&self, number: &str, measure: &str, on: &str) -> Value {
        let query = format!(
            "SELECT value, n, cov, z_self FROM feat_measure \
             WHERE student_key = {} AND measure = '{measure}' AND as_of_on = DATE '{on}'",
            self.keys[number]
        );
        let rows = self.sql(&query);
        assert_eq!(rows.len(), 1, "{measure} of {number} on {on}: {rows:?}");
        rows[0].clone()
    }
}

#[test]
fn growth_is_the_middle_slope_of_the_terms_that_somebody_could_take_part_in() {
    let school = school();
    for (number, measure, value, terms_n) in [
        // By 28 days 1, 4 and 8: slopes of 3, 4 and, over two terms, 3.5.
        (RISING, "activity_growth", Some(3.5), 3),
        // Of these 0, 4 and 4: slopes of 4, 0 and 2.
        (RISING, "volunteer_growth", Some(2.0), 3),
        // 4, 0 and 0: slopes of -4, 0 and -2.
        (FALLING, "activity_growth", Some(-2.0), 3),
        (FALLING, "volunteer_growth", Some(-2.0), 3),
        // Whoever came to nothing is known to have come to nothing.
        (STEADY, "activity_growth", Some(0.0), 3),
        (STEADY, "volunteer_growth", Some(0.0), 3),
        // A term on leave is none in which interest was lost, nor is one before the entry: two are too few.
        (RETURNED, "activity_growth", None, 2),
        (NEWCOMER, "activity_growth", None, 2),
        (NEWCOMER, "volunteer_growth", None, 2),
    ] {
        let told = school.measured(number, measure, NOW);
        assert_eq!((told["value"].as_f64(), told["n"].as_i64()), (value, Some(terms_n)), "{measure} of {number}: {told}");
    }
    // Of a term of 25 days nothing is told yet.
    let told = school.measured(RISING, "activity_growth", "2025-09-29");
    assert_eq!((told["value"].as_f64(), told["n"].as_i64()), (None, Some(2)), "{told}");
}

#[test]
fn weeks_of_which_a_source_lacks_rows_are_unknown_and_not_nothing() {
    let school = school();
    // Of the four weeks before the canteens told of two, while the shop shows everybody on campus on each of the 27 days.
    let gap = "2025-07-28";
    for measure in ["meals_per_day", "canteen_spend", "breakfast_rate", "three_meal_rate"] {
        let told = school.measured(STEADY, measure, gap);
        assert_eq!((told["value"].as_f64(), told["cov"].as_f64()), (None, Some(0.5)), "{measure}: {told}");
        let told = school.measured(STEADY, measure, NOW);
        assert!(told["value"].is_number() && told["cov"].as_f64() == Some(1.0), "{measure}: {told}");
    }
    let told = school.measured(STEADY, "meals_per_day", gap);
    assert_eq!(told["n"], 27, "the days on campus are there to be divided by: {told}");
    assert_eq!(school.measured(STEADY, "meals_per_day", NOW)["value"], 2.0);
    // Who has no breakfast where canteens are seen has none; where no library tells of anybody nothing is known of libraries.
    assert_eq!(school.measured(STEADY, "breakfast_rate", NOW)["value"], 0.0);
    let told = school.measured(STEADY, "library_in_n", NOW);
    assert_eq!((told["value"].as_f64(), told["cov"].as_f64(), told["n"].as_i64()), (None, Some(0.0), Some(28)), "{told}");
    // A portrait says the same, for everybody.
    let query = format!(
        "SELECT CAST(as_of_on AS VARCHAR) AS day, count(*) AS n, count(meals_per_day) AS known_n FROM portrait_student \
         WHERE as_of_on IN (DATE '{gap}', DATE '{NOW}') GROUP BY as_of_on ORDER BY as_of_on"
    );
    let told = school.sql(&query);
    let told: Vec<_> = told.iter().map(|it| (it["n"].as_i64(), it["known_n"].as_i64())).collect();
    assert_eq!(told, [(Some(20), Some(0)), (Some(20), Some(20))]);
}

#[test]
fn values_that_shift_are_told_and_those_beside_them_that_do_not_are_not() {
    let school = school();
    let told = school.sql("SELECT source, column_name, now_n, past_n, psi, state FROM quality_column");
    let of = |source: &str, name: &str| {
        let found = told.iter().find(|it| it["source"] == source && it["column_name"] == name);
        found.unwrap_or_else(|| panic!("{source}.{name} is not told: {told:?}"))
    };
    // Twenty students pay three times a day: seven days against twenty-eight.
    let amount = of("card_txn", "amount_fen");
    assert_eq!((amount["now_n"].as_i64(), amount["past_n"].as_i64()), (Some(420), Some(1680)), "{amount}");
    assert_eq!(amount["state"], "drift", "prices have doubled: {amount}");
    assert!(amount["psi"].as_f64().is_some_and(|it| 1.0 < it), "{amount}");
    // Of the same rows the merchants and what is left on the cards are as before.
    for name in ["merchant_kind", "balance_fen"] {
        let it = of("card_txn", name);
        assert_eq!(it["state"], "ok", "{it}");
        assert!(it["psi"].as_f64().is_some_and(|it| it.abs() < 0.01), "{it}");
    }
    // Of a handful nothing is said.
    let few = of("activity_attendance", "hour_tenths");
    assert_eq!((few["state"].as_str(), few["psi"].as_f64()), (Some("insufficient"), None), "{few}");
}

#[test]
fn whoever_has_no_own_past_is_shown_without_a_comparison_and_not_as_unchanged() {
    let school = school();
    // All three had two meals on every day of these four weeks. Only of one there are six Mondays that may be compared with.
    for (number, z_self) in [(STEADY, Some(0.0)), (NEWCOMER, None), (RETURNED, None)] {
        let told = school.measured(number, "meals_per_day", NOW);
        assert_eq!((told["value"].as_f64(), told["z_self"].as_f64()), (Some(2.0), z_self), "{number}: {told}");
    }
    // Six Mondays and more say something of each: it is the entry and the return that make them no past.
    let compared = |number: &str| -> (i64, i64) {
        let key = school.keys[number];
        let query = format!(
            "SELECT sum(CASE WHEN measure = 'meals_per_day' AND as_of_on < DATE '{NOW}' THEN 1 ELSE 0 END) AS monday_n, \
             sum(CASE WHEN z_self IS NOT NULL AND as_of_on = DATE '{NOW}' THEN 1 ELSE 0 END) AS compared_n \
             FROM feat_measure WHERE student_key = {key} AND value IS NOT NULL"
        );
        let told = &school.sql(&query)[0];
        (told["monday_n"].as_i64().expect("a count"), told["compared_n"].as_i64().expect("a count"))
    };
    for number in [NEWCOMER, RETURNED] {
        let (monday_n, compared_n) = compared(number);
        assert!(6 <= monday_n, "{number} is known on {monday_n} Mondays: the case proves nothing");
        assert_eq!(compared_n, 0, "{number} is compared with a past that is not theirs");
    }
    assert!(3 < compared(STEADY).1, "nothing of somebody who was here all along is compared");
}

#[test]
fn a_notice_is_told_as_a_tag_with_its_evidence_until_its_half_year_is_over() {
    let school = school();
    let tags = school.sql(
        "SELECT student_key, CAST(as_of_on AS VARCHAR) AS day, CAST(since_on AS VARCHAR) AS since, \
         CAST(expires_on AS VARCHAR) AS until, n, evidence_zh, evidence_en, source \
         FROM portrait_tag WHERE tag = 'academic_warning_open' ORDER BY as_of_on",
    );
    for it in &tags {
        assert_eq!(it["student_key"].as_i64(), Some(school.keys[WARNED]), "somebody else has the tag: {it}");
        assert_eq!((it["since"].as_str(), it["until"].as_str()), (Some("2025-03-27"), Some("2025-09-23")), "{it}");
        assert_eq!((it["n"].as_i64(), it["source"].as_str()), (Some(1), Some("academic_warning")), "{it}");
        for evidence in ["evidence_zh", "evidence_en"] {
            assert!(it[evidence].as_str().is_some_and(|it| it.contains("2025-03-27")), "{evidence}: {it}");
        }
    }
    // On every date of the portrait until the half year is over, and on none after.
    let dates = school.sql("SELECT DISTINCT CAST(as_of_on AS VARCHAR) AS day FROM portrait_student");
    let dates: BTreeSet<&str> = dates.iter().filter_map(|it| it["day"].as_str()).collect();
    let (due, over): (BTreeSet<&str>, BTreeSet<&str>) = dates.into_iter().partition(|it| *it <= "2025-09-23");
    assert!(due.contains("2025-09-22") && over.contains("2025-09-29"), "{due:?} {over:?}");
    let told: BTreeSet<&str> = tags.iter().filter_map(|it| it["day"].as_str()).collect();
    assert_eq!((told, tags.len()), (due.clone(), due.len()));
}
