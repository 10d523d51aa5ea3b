//! Figures of places and teams: they add up to what was recorded, and small groups are told of nobody.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::{built, demo, repository, sql};

const NEWEST: &str = "as_of_on = (SELECT max(as_of_on) FROM portrait_student)";

/// Rows that were known when the newest date was built.
const KNOWN: &str = "known_at < (SELECT day_start(max(as_of_on)) FROM portrait_student)";

fn n(rows: &[Value]) -> i64 {
    rows[0]["n"].as_i64().unwrap_or_default()
}

#[test]
fn a_floor_tells_of_hygiene_participation_and_requests_and_never_of_one_to_four() {
    let data = demo();
    let floors = sql(data, &format!("SELECT * FROM cockpit_floor WHERE {NEWEST}"));
    assert!(!floors.is_empty());
    let told = |name: &str| floors.iter().filter_map(|it| it[name].as_i64()).sum::<i64>();
    let inspected = format!(
        "SELECT count(*) AS n FROM stg_hygiene_inspection INNER JOIN stg_room ON stg_room.room_id = stg_hygiene_inspection.room_id \
         WHERE occurred_on >= (SELECT max(as_of_on) FROM portrait_student) - INTERVAL '28' DAY AND stg_hygiene_inspection.{KNOWN}"
    );
    assert_eq!(told("hygiene_n"), n(&sql(data, &inspected)));
    let residents = format!("SELECT count(*) AS n FROM dim_student WHERE {NEWEST} AND is_enrolled AND building_id IS NOT NULL");
    assert_eq!(told("resident_n"), n(&sql(data, &residents)));
    assert!(0 < told("participant_n") && told("participant_n") < told("resident_n"));
    for it in &floors {
        for name in ["participant_n", "request_n", "resident_n"] {
            assert!(!it[name].as_i64().is_some_and(|it| (1..5).contains(&it)), "{name} of {it}");
        }
        if let (Some(asked), Some(living)) = (it["request_n"].as_f64(), it["resident_n"].as_f64()) {
            assert!((it["request_density"].as_f64().expect("a density") - asked / living).abs() < 1e-9, "{it}");
        }
    }
}

#[test]
fn a_single_breach_of_the_rules_of_electricity_points_at_no_room() {
    let data = demo();
    let last = "(SELECT max(as_of_on) FROM portrait_student)";
    let found = sql(
        data,
        &format!(
            "SELECT stg_room.building_id, count(*) AS n FROM stg_violation_event \
             INNER JOIN stg_room ON stg_room.room_id = stg_violation_event.room_id \
             WHERE occurred_on >= {last} - INTERVAL '120' DAY AND stg_violation_event.{KNOWN} GROUP BY stg_room.building_id"
        ),
    );
    assert!(!found.is_empty(), "no breach was found anywhere");
    let told = sql(data, &format!("SELECT * FROM cockpit_electricity WHERE {NEWEST} AND floor = 0"));
    assert!(1 < told.len());
    for it in &told {
        let known =
            found.iter().find(|row| row["building_id"] == it["building_id"]).and_then(|row| row["n"].as_i64()).unwrap_or(0);
        let expected = if (1..5).contains(&known) { Value::Null } else { Value::from(known) };
        assert_eq!(it["violation_n"], expected, "{it}");
        assert!(it["used_wh"].as_f64().is_some_and(|it| 0.0 < it), "{it}");
    }
}

#[test]
fn who_was_talked_with_is_counted_for_the_university_and_hidden_where_few_were_not() {
    let data = demo();
    let last = "(SELECT max(as_of_on) FROM portrait_student)";
    let rows = sql(data, &format!("SELECT * FROM cockpit_contact WHERE {NEWEST} ORDER BY scope"));
    let university = rows.iter().find(|it| it["scope"] == "university").expect("a row of the university");
    let met = format!(
        "SELECT count(DISTINCT stg_contact_record.student_key) AS n FROM stg_contact_record \
         INNER JOIN dim_student ON dim_student.student_key = stg_contact_record.student_key \
         WHERE dim_student.{NEWEST} AND dim_student.is_enrolled \
         AND stg_contact_record.occurred_on >= {last} - INTERVAL '28' DAY AND stg_contact_record.{KNOWN}"
    );
    assert_eq!(university["met_n"].as_i64(), Some(n(&sql(data, &met))));
    let days = |it: &Value, name: &str| it[name].as_f64();
    assert!(days(university, "gap_days_p50") <= days(university, "gap_days_p90") && days(university, "gap_days_p50").is_some());
    assert!(2 < rows.len(), "colleges are told");
    for it in &rows {
        let (met, all) = (it["met_n"].as_i64(), it["student_n"].as_i64().expect("students"));
        assert!(met.is_none_or(|met| !(1..5).contains(&met) && !(1..5).contains(&(all - met))), "{it}");
        if it["staff_n"].is_null() {
            assert!(it["slot_done_n"].is_null() && it["rooms_a_day"].is_null(), "figures of fewer than five: {it}");
        }
    }
}

#[test]
fn a_college_that_is_short_of_hours_for_a_few_says_so_without_a_number() {
    for data in [demo(), built().0.path()] {
        let cut = sql(
            data,
            &format!(
                "SELECT dim_student.college AS scope, count(DISTINCT warning_candidate.student_key) AS n FROM warning_candidate \
                 INNER JOIN dim_student ON dim_student.student_key = warning_candidate.student_key AND dim_student.{NEWEST} \
                 LEFT ANTI JOIN (SELECT student_key FROM warning_student WHERE {NEWEST} AND severity IS NOT NULL) AS offered \
                 ON offered.student_key = warning_candidate.student_key \
                 WHERE warning_candidate.{NEWEST} AND warning_candidate.severity IS NOT NULL GROUP BY dim_student.college"
            ),
        );
        for it in sql(data, &format!("SELECT * FROM cockpit_warning WHERE {NEWEST} AND scope <> 'university'")) {
            let known = cut.iter().find(|row| row["scope"] == it["scope"]).and_then(|row| row["n"].as_i64()).unwrap_or(0);
            let expected = match known {
                0 => "none",
                1..10 => "few",
                _ => "told",
            };
            assert_eq!(it["shortfall_status"], expected, "{known} of {it}");
            // One more than the small ones may be hidden, lest the university give them away.
            assert!(known >= 10 || it["shortfall_n"].is_null(), "{known} of {it}");
            assert!(it["shortfall_n"].is_null() || it["shortfall_n"] == known, "{known} of {it}");
        }
    }
}

/// Nights, with what follows from two figures that are told: who was due and is not back, who was found after the list, and
/// after whom nobody has looked.
const NIGHTS: &str = "(SELECT *, due_n - back_n AS missed_n, listed_n - absent_n AS found_n, \
                      listed_n - verified_n AS unverified_n FROM cockpit_night)";

const OF_NIGHTS: [&str; 10] =
    ["due_n", "back_n", "absent_n", "missed_n", "unseen_n", "leave_n", "listed_n", "found_n", "verified_n", "unverified_n"];

/// Requests of colleges beside all of them.
const REQUESTS: &str = "(SELECT *, due_n - on_time_n AS late_n, rated_n - satisfied_n AS unsatisfied_n, \
                        confirmed_n - solved_n AS unsolved_n, CASE grouped_by WHEN 'all' THEN 'all' ELSE group_value END AS college \
                        FROM cockpit_ticket WHERE grouped_by IN ('all', 'college'))";

/// Who has no counselor; the parts of the university beside its boarders add up to what the colleges tell.
const UNOWNED: &str = "(SELECT as_of_on, scope, CASE WHEN part = 'boarder' THEN part ELSE 'elsewhere' END AS side, \
                       CASE WHEN count(unowned_n) = count(*) THEN sum(unowned_n) END AS unowned_n FROM cockpit_population \
                       GROUP BY as_of_on, scope, CASE WHEN part = 'boarder' THEN part ELSE 'elsewhere' END)";

const OF_REQUESTS: [&str; 18] = [
    "late_n",
    "unsatisfied_n",
    "unsolved_n",
    "ticket_n",
    "due_n",
    "on_time_n",
    "dispatched_n",
    "responded_n",
    "resolved_n",
    "followed_up_n",
    "rated_n",
    "satisfied_n",
    "confirmed_n",
    "solved_n",
    "reopened_n",
    "proactive_n",
    "withdrawn_n",
    "overdue_n",
];

/// Figures whose parts add up to a whole: table, what the parts are told apart by, what the whole is, what groups them, figures,
/// and from how many on a figure is told.
const ADDED: [(&str, &str, &str, &str, &[&str], i64); 7] = [
    ("cockpit_electricity", "floor", "0", "building_id", &["violation_n", "appliance_n", "heavy_room_n"], 5),
    ("cockpit_contact", "scope", "university", "", &["met_n", "staff_n"], 5),
    (NIGHTS, "scope", "university", "night_on", &OF_NIGHTS, 5),
    (REQUESTS, "college", "all", "period", &OF_REQUESTS, 5),
    (UNOWNED, "scope", "university", "side", &["unowned_n"], 5),
    (OFFERS, "scope", "university", "", &["offered_n", "new_n", "shortfall_n", "unoffered_n", "older_n", "spared_n"], 10),
    // Of persons only those who came are told; what they did adds up.
    ("cockpit_activity", "dimension", "all", "", &["attendance_n", "rated_n"], 5),
];

/// Care offers, with what follows from two figures that are told: who has none, whose is older, for whom there are hours.
const OFFERS: &str = "(SELECT *, student_n - offered_n AS unoffered_n, offered_n - new_n AS older_n, \
                      student_n - shortfall_n AS spared_n FROM cockpit_warning)";

/// What somebody works out who takes the told parts off the whole: the one part that is hidden.
fn worked_out(whole: Option<i64>, parts: &[Option<i64>]) -> Option<i64> {
    let told: i64 = parts.iter().flatten().sum();
    let hidden = parts.iter().filter(|it| it.is_none()).count();
    whole.filter(|_| hidden == 1).map(|it| it - told)
}

#[test]
fn no_hidden_figure_is_worked_out_by_taking_the_told_ones_off_the_whole() {
    let (mut hidden_n, mut size_n) = (0, 0);
    for data in [demo(), built().0.path()] {
        for (table, by, whole, grouped, figures, k) in ADDED {
            let mut groups: BTreeMap<String, Vec<Value>> = BTreeMap::new();
            for it in sql(data, &format!("SELECT * FROM {table} AS told")) {
                groups.entry(format!("{} {}", it["as_of_on"], it[grouped])).or_default().push(it);
            }
            for (group, rows) in groups {
                let word = |it: &Value| it[by].as_str().map_or_else(|| it[by].to_string(), str::to_owned);
                let (wholes, parts): (Vec<&Value>, Vec<&Value>) = rows.iter().partition(|it| word(it) == whole);
                for figure in figures {
                    let told: Vec<Option<i64>> = parts.iter().map(|it| it[*figure].as_i64()).collect();
                    hidden_n += told.iter().filter(|it| it.is_none()).count();
                    // A building without a heavy room has no reading of it: nothing is hidden there.
                    let found = worked_out(wholes.first().and_then(|it| it[*figure].as_i64()), &told);
                    assert!(!found.is_some_and(|it| (1..k).contains(&it)), "{table} {group}: {figure} is {found:?} of {rows:?}");
                    assert!(!told.iter().flatten().any(|it| (1..k).contains(it)), "{table} {group}: {figure} of {rows:?}");
                }
            }
        }
        // Nobody is absent where nobody is listed, so a list tells of absent who are hidden.
        let lists = sql(data, "SELECT * FROM cockpit_night WHERE absent_n IS NULL AND listed_n IS NOT NULL");
        assert!(lists.is_empty(), "{lists:?}");
        // Where students are: neither beside the other part of a college, nor beside the other colleges.
        let sizes = sql(data, "SELECT as_of_on, scope, student_n FROM cockpit_warning");
        let mut dates: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for it in sql(data, "SELECT * FROM cockpit_population") {
            dates.entry(it["as_of_on"].to_string()).or_default().push(it);
        }
        for (date, rows) in dates {
            let of = |it: &Value, part: &str| it["scope"] != "university" && it["part"] == part;
            for part in ["boarder", "elsewhere"] {
                let told: Vec<Option<i64>> = rows.iter().filter(|it| of(it, part)).map(|it| it["student_n"].as_i64()).collect();
                let whole =
                    rows.iter().filter(|it| it["scope"] == "university" && (it["part"] == "boarder") == (part == "boarder"));
                let whole = whole.map(|it| it["student_n"].as_i64()).sum::<Option<i64>>();
                let found = worked_out(whole, &told);
                assert!(!found.is_some_and(|it| (1..5).contains(&it)), "{date}: {part} is {found:?} of {rows:?}");
                hidden_n += told.iter().filter(|it| it.is_none()).count();
            }
            // The other way round: a part of the university beside its boarders, off what all colleges tell.
            for figure in ["student_n", "unowned_n"] {
                let whole = rows.iter().filter(|it| of(it, "elsewhere")).map(|it| it[figure].as_i64()).sum::<Option<i64>>();
                let parts = rows.iter().filter(|it| it["scope"] == "university" && it["part"] != "boarder");
                let told: Vec<Option<i64>> = parts.map(|it| it[figure].as_i64()).collect();
                let found = worked_out(whole, &told);
                assert!(!found.is_some_and(|it| (1..5).contains(&it)), "{date}: {figure} is {found:?} of {rows:?}");
                assert!(!told.iter().flatten().any(|it| (1..5).contains(it)), "{date}: {figure} of {rows:?}");
            }
            for size in sizes.iter().filter(|it| it["as_of_on"] == rows[0]["as_of_on"]) {
                size_n += 1;
                let own: Vec<Option<i64>> =
                    rows.iter().filter(|it| it["scope"] == size["scope"]).map(|it| it["student_n"].as_i64()).collect();
                let found = worked_out(size["student_n"].as_i64(), &own);
                assert!(!found.is_some_and(|it| (1..5).contains(&it)), "{date}: {found:?} of {size}");
            }
        }
    }
    assert!(100 < hidden_n && 20 < size_n, "{hidden_n} figures are hidden, {size_n} sizes were held: the case proves little");
}

/// Planted counts of a college: its name, students, those with an offer, those whose offer is new, those whom nobody has hours for.
type Planted = (&'static str, i64, i64, i64, i64);

/// What the query that ships tells of planted counts: everything behind its `counted` is its own.
fn told_of(rows: &[Planted]) -> BTreeMap<String, Value> {
    let file = std::fs::read_to_string(repository().join("sql/cockpit/cockpit_warning.sql")).expect("the file of the table");
    let (_, hiding) = file.split_once("\ncell AS (").expect("where the counts end");
    let values: Vec<String> = rows.iter().map(|(scope, a, b, c, d)| format!("('{scope}', {a}, {b}, {c}, {d})")).collect();
    let query = format!(
        "WITH counted AS (SELECT * FROM (VALUES {}) AS counted (scope, student_n, offered_n, new_n, shortfall_n)), cell AS ({hiding}",
        values.join(", ")
    );
    let told = sql(demo(), &query.replace("${k_sensitive}", "10"));
    told.into_iter().map(|it| (it["scope"].as_str().expect("a scope").to_owned(), it)).collect()
}

/// Least and most that a reader who takes everything told together can give a hidden figure.
fn least_and_most(told: &BTreeMap<String, Value>, figure: &str, of: &Planted) -> (i64, i64) {
    match (figure, told[of.0]["shortfall_status"].as_str()) {
        ("shortfall_n", Some("none")) => (0, 0),
        ("shortfall_n", Some("few")) => (1, 9),
        ("shortfall_n", _) => (10, of.1),
        ("new_n", _) => (0, told[of.0]["offered_n"].as_i64().unwrap_or(of.1)),
        _ => (0, of.1),
    }
}

#[test]
fn neither_sum_nor_difference_nor_bound_gives_a_hidden_figure_of_care_away() {
    let cases: [&[Planted]; 7] = [
        // One each, nine each, and few beside exactly ten: the least and the most that can be.
        &[("A", 40, 0, 0, 1), ("B", 40, 0, 0, 1), ("C", 40, 12, 2, 10), ("D", 40, 1, 1, 12), ("E", 80, 1, 0, 12)],
        &[("A", 40, 9, 0, 9), ("B", 40, 9, 9, 9), ("C", 80, 30, 10, 30), ("D", 80, 40, 20, 40)],
        &[("A", 40, 0, 0, 1), ("B", 40, 0, 0, 10), ("C", 40, 0, 0, 0)],
        // A sum that is small itself.
        &[("A", 40, 2, 0, 2), ("B", 40, 3, 0, 3), ("C", 80, 20, 0, 20), ("D", 80, 30, 0, 30)],
        // Everybody has an offer, or nobody has hours for anybody.
        &[("A", 12, 12, 0, 0), ("B", 80, 20, 0, 0), ("C", 80, 30, 0, 0)],
        &[("A", 40, 0, 0, 9), ("B", 20, 0, 0, 20), ("C", 80, 0, 0, 0), ("D", 80, 0, 0, 30)],
        // Two older offers among new ones.
        &[("A", 80, 22, 20, 0), ("B", 80, 30, 30, 0), ("C", 80, 40, 15, 0)],
    ];
    for parts in cases {
        let sum = |of: fn(&Planted) -> i64| parts.iter().map(of).sum::<i64>();
        let whole: Planted = ("university", sum(|it| it.1), sum(|it| it.2), sum(|it| it.3), sum(|it| it.4));
        let rows: Vec<Planted> = parts.iter().copied().chain([whole]).collect();
        let told = told_of(&rows);
        assert_eq!(told.len(), rows.len(), "{rows:?}");
        let figures: [(&str, fn(&Planted) -> i64); 3] =
            [("offered_n", |it| it.2), ("new_n", |it| it.3), ("shortfall_n", |it| it.4)];
        for (figure, planted) in figures {
            for it in &rows {
                let n = told[it.0][figure].as_i64();
                assert!(n.is_none_or(|n| n == planted(it) && 10 <= n), "{figure} of {it:?}: {n:?}");
            }
            let hidden: Vec<&Planted> = parts.iter().filter(|it| told[it.0][figure].is_null()).collect();
            let Some(all) = told["university"][figure].as_i64() else { continue };
            let left = all - parts.iter().filter_map(|it| told[it.0][figure].as_i64()).sum::<i64>();
            assert!(!(1..10).contains(&left), "{figure}: {left} of the hidden ones of {rows:?}");
            for it in hidden.iter().filter(|it| 0 < planted(it)) {
                let others = hidden.iter().filter(|other| other.0 != it.0).map(|other| least_and_most(&told, figure, other));
                let (others_least, others_most) = others.fold((0_i64, 0_i64), |sum, it| (sum.0 + it.0, sum.1 + it.1));
                let own = least_and_most(&told, figure, it);
                let (least, most) = (own.0.max(left - others_most), own.1.min(left - others_least));
                assert!(least < most, "{figure} of {it:?} can only be {least} beside {told:?}");
            }
        }
    }
    // Where all are many, all is told.
    let told = told_of(&[("A", 200, 40, 20, 15), ("B", 200, 50, 25, 0), ("university", 400, 90, 45, 15)]);
    let of = |scope: &str| ["offered_n", "new_n", "shortfall_n"].map(|it| told[scope][it].as_i64());
    assert_eq!(of("A"), [Some(40), Some(20), Some(15)]);
    assert_eq!((of("B"), of("university")), ([Some(50), Some(25), None], [Some(90), Some(45), Some(15)]));
}

#[test]
fn activities_count_who_is_enrolled_now_and_never_one_to_four() {
    let data = demo();
    let last = "(SELECT max(as_of_on) FROM portrait_student)";
    let enrolled = format!("SELECT student_key FROM dim_student WHERE {NEWEST} AND is_enrolled AND college IS NOT NULL");
    let rows = sql(data, &format!("SELECT * FROM cockpit_activity WHERE {NEWEST}"));
    let whole = rows.iter().find(|it| it["dimension"] == "all").expect("the whole");
    let came = format!(
        "SELECT count(DISTINCT stg_activity_attendance.student_key) AS n FROM stg_activity_attendance \
         INNER JOIN stg_activity ON stg_activity.activity_id = stg_activity_attendance.activity_id \
         WHERE stg_activity.dimension IS NOT NULL AND stg_activity_attendance.occurred_on >= {last} - INTERVAL '60' DAY \
         AND stg_activity_attendance.{KNOWN} AND stg_activity_attendance.student_key IN ({enrolled})"
    );
    assert_eq!(whole["participant_n"].as_i64(), Some(n(&sql(data, &came))));
    let all = n(&sql(data, &format!("SELECT count(*) AS n FROM ({enrolled}) AS pupil")));
    for it in &rows {
        let came = it["participant_n"].as_i64();
        assert!(came.is_none_or(|n| 5 <= n && !(1..5).contains(&(all - n))), "{it}");
        assert!(came.is_some() || it["attendance_n"].is_null() && it["repeat_n"].is_null(), "{it}");
        assert!(!it["repeat_n"].as_i64().is_some_and(|n| (1..5).contains(&n)), "{it}");
    }
}
