//! The other roles: what each sees and does not, by SQL and by every route, and the work that is theirs.

use std::collections::BTreeSet;
use std::path::Path;

use schema::PersonKind;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cases::{Desk, acts, audited, thread, word};
use crate::casework::{on_a_runtime, open};
use crate::serve::{Document, Server};
use crate::support::{copy, demo, output, run, said, sql, yizhan};

/// An instant in the night after the demonstration's last day, while its shifts run.
const NIGHT: &str = "2025-11-01T02:00:00+08:00";

fn ask(data: &Path, account: &str, query: &str, now: Option<&str>) -> Result<Vec<Value>, String> {
    let mut command = yizhan(data, &["sql", query, "--as", account, "--format", "json"]);
    if let Some(now) = now {
        command.args(["--now", now]);
    }
    let (code, rows, wrong) = said(&mut command);
    if code == 0 { Ok(rows) } else { Err(wrong) }
}

#[track_caller]
fn n(data: &Path, account: &str, query: &str) -> i64 {
    ask(data, account, query, None).unwrap_or_else(|it| panic!("{account}: {query}: {it}"))[0]["n"].as_i64().expect("a count")
}

#[track_caller]
fn is_hidden(data: &Path, account: &str, query: &str) {
    let answer = ask(data, account, query, Some(NIGHT));
    assert!(answer.is_err(), "{account} reads {query}: {answer:?}");
}

#[test]
fn by_sql_each_role_reads_its_own_and_nothing_else() {
    let data = demo();
    let newest = "as_of_on = (SELECT max(as_of_on) FROM dim_student)";
    let all = sql(data, &format!("SELECT count(*) AS n FROM dim_student WHERE {newest}"))[0]["n"].as_i64().expect("a count");
    for (account, unit) in
        [("college_secretary", "college"), ("college_office", "college"), ("dorm_keeper", "building_id"), ("tutor", "class")]
    {
        let own = n(data, account, &format!("SELECT count(*) AS n FROM dim_student WHERE {newest}"));
        assert!(0 < own && own < all, "{account} reaches {own} of {all}");
        assert_eq!(
            n(data, account, &format!("SELECT count(DISTINCT {unit}) AS n FROM dim_student WHERE {newest}")),
            1,
            "{account}"
        );
    }
    let nobodys = ["stg_card_txn", "raw_gate_event", "warning_signal", "closed_measure", "stg_case_state", "stg_absence_check"];
    for account in ["college_secretary", "college_office", "dorm_keeper", "tutor", "security", "duty_office"] {
        for table in nobodys.into_iter().chain(["warning_student", "portrait_tag", "list_visit", "list_checkin_conflict"]) {
            is_hidden(data, account, &format!("SELECT count(*) FROM {table}"));
        }
    }
    // Leave is a yes or no to a keeper, and where somebody was seen last is no part of looking into a room.
    assert!(ask(data, "dorm_keeper", "SELECT is_on_leave, room_id FROM dim_student LIMIT 1", None).is_ok());
    for column in ["leave_kind", "college", "class", "counselor_key"] {
        is_hidden(data, "dorm_keeper", &format!("SELECT {column} FROM dim_student"));
    }
    for column in ["last_seen_at", "last_seen_source", "class"] {
        is_hidden(data, "dorm_keeper", &format!("SELECT {column} FROM list_unverified_absence"));
        is_hidden(data, "dorm_keeper", &format!("SELECT {column} FROM list_no_trace"));
    }
    is_hidden(data, "dorm_keeper", "SELECT count(*) FROM feat_measure");
    // A tutor reads marks and attendance, no day and no place.
    let measures = ask(data, "tutor", "SELECT DISTINCT measure FROM feat_measure ORDER BY measure", None).expect("measures");
    let measures: Vec<String> = measures.iter().map(|it| word(&it["measure"])).collect();
    let academic = ["class_attendance_rate", "failed_credits", "first_task_missing_n", "gpa", "gpa_trend", "grade_residual"];
    assert!(!measures.is_empty() && measures.iter().all(|it| academic.contains(&it.as_str())), "{measures:?}");
    for column in ["room_id", "building_name", "leave_kind"] {
        is_hidden(data, "tutor", &format!("SELECT {column} FROM dim_student"));
    }
    is_hidden(data, "tutor", "SELECT breakfast_rate FROM portrait_student");
    assert_eq!(n(data, "tutor", "SELECT count(*) AS n FROM record_student_event WHERE kind <> 'grade'"), 0);
    // Figures of one college, and of the university none.
    for account in ["college_secretary", "college_office"] {
        for table in ["cockpit_night", "cockpit_population", "cockpit_warning"] {
            let scopes = ask(data, account, &format!("SELECT DISTINCT scope FROM {table}"), None).expect("scopes");
            assert_eq!(scopes.len(), 1, "{account} {table}: {scopes:?}");
            assert_ne!(scopes[0]["scope"], "university");
        }
        is_hidden(data, account, "SELECT count(*) FROM cockpit_case_outcome");
        is_hidden(data, account, "SELECT count(*) FROM feat_measure");
    }
    // On shift whom the shift is about, and a year later nobody.
    let people = "SELECT count(DISTINCT student_key) AS n FROM dim_student";
    for account in ["security", "duty_office"] {
        let on = ask(data, account, people, Some(NIGHT)).expect("a count")[0]["n"].as_i64().expect("a count");
        assert!(0 < on && on < all / 2, "{account} reaches {on} of {all}");
        assert_eq!(n(data, account, people), 0, "{account} off shift");
        is_hidden(data, account, "SELECT leave_kind FROM dim_student");
    }
    // Device lists are about no student, and so nobody's who works with students; no warning says so either.
    for account in ["psychologist", "psychology_head", "counselor"] {
        let answer = ask(data, account, "SELECT count(*) FROM list_device_offline", None);
        let wrong = answer.expect_err("hidden");
        assert!(!wrong.contains("no subject column"), "by policy, and not because something is amiss: {wrong}");
        is_hidden(data, account, "SELECT count(*) FROM list_resident");
    }
    // Whoever is looked for while the night goes on is no matter of psychology.
    for account in ["psychologist", "psychology_head"] {
        is_hidden(data, account, "SELECT count(*) FROM list_out_tonight");
        is_hidden(data, account, "SELECT count(*) FROM list_late_tonight");
        // Of whom nothing is told is one, as it is by the morning.
        assert!(ask(data, account, "SELECT last_seen_at, last_seen_source, from_at FROM list_no_trace", None).is_ok());
    }
    assert_eq!(n(data, "psychology_head", &format!("SELECT count(*) AS n FROM dim_student WHERE {newest}")), all);
}

#[test]
fn counts_of_the_cockpit_are_told_by_role_and_a_hidden_one_is_nobodys() {
    let data = demo();
    let tables = [
        ("cockpit_night", "night_on", vec!["due_n", "back_n", "absent_n", "unseen_n", "leave_n"], 5),
        ("cockpit_population", "part", vec!["student_n", "unowned_n"], 5),
        ("cockpit_contact", "scope", vec!["met_n", "staff_n"], 5),
        ("cockpit_warning", "scope", vec!["offered_n", "new_n", "shortfall_n"], 10),
    ];
    let mut hidden_n = 0;
    for (table, order, columns, k) in tables {
        let query = format!(
            "SELECT scope, {order} AS part, {} FROM {table} WHERE as_of_on = (SELECT max(as_of_on) FROM {table}) ORDER BY scope, {order}",
            columns.join(", ")
        );
        let built = sql(data, &query);
        // What is hidden was hidden when it was built: it is in no table that anybody could read.
        for it in built.iter().filter(|it| it["scope"] != "university") {
            for column in &columns {
                hidden_n += usize::from(it[*column].is_null());
                assert!(!it[*column].as_i64().is_some_and(|n| (1..k).contains(&n)), "{table}: {column} of {it}");
            }
        }
        assert_eq!(ask(data, "leader", &query, None), Ok(built.clone()), "{table}");
        let own = ask(data, "college_office", &query, None).expect("figures of the college");
        let college = own.first().map(|it| it["scope"].clone()).unwrap_or_default();
        assert!(college.is_string() && college != "university", "{table}: {own:?}");
        let of_college: Vec<Value> = built.into_iter().filter(|it| it["scope"] == college).collect();
        assert_eq!(own, of_college, "{table}");
    }
    assert!(10 < hidden_n, "{hidden_n} counts are hidden: the case proves little");
    // Whoever works with students reads no figures of teams, places or care; what came of offers is told to those who make use of it.
    for account in ["counselor", "dorm_keeper"] {
        is_hidden(data, account, "SELECT count(*) FROM cockpit_warning");
    }
    assert!(ask(data, "counselor", "SELECT count(*) AS n FROM cockpit_case_outcome", None).is_ok());
}

#[test]
fn an_account_is_granted_no_more_than_its_role_takes() {
    let data = TempDir::new().expect("a folder");
    copy(demo(), data.path(), &|_| true);
    for grant in [
        "college_secretary:university",
        "dorm_keeper:university",
        "security:university",
        "tutor:assigned",
        "college_office:building:B1",
    ] {
        let mut command = yizhan(data.path(), &["user", "add", "wide", "--role", grant]);
        let out = output(command.stdin(std::process::Stdio::null()));
        let text = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(2), "{grant}: {text}");
        assert!(text.contains("is granted"), "{grant}: {text}");
    }
}

/// What each role is answered: 200 where its work needs the route, 403 where it has no part in it.
const ROUTES: &str = "
    role              students cases warnings hand-overs follow-ups roster lists cockpit ledger tickets models runs
    psychology_head   200      200   200      200        200        200    200   403     200    403     200    403
    tutor             200      403   403      403        403        403    200   403     200    403     403    403
    college_secretary 200      200   403      200        403        403    403   200     403    403     403    403
    college_office    200      403   403      403        403        403    403   200     403    403     403    403
    dorm_keeper       403      403   403      403        403        403    200   403     403    403     403    403
    security          403      200   403      200        403        403    200   403     403    403     403    403
    duty_office       403      200   403      200        403        200    200   403     403    403     403    403
";

#[test]
fn every_route_answers_a_role_as_its_work_needs() {
    let server = Server::start();
    let document = Document::of(&server);
    let mut lines = ROUTES.lines().map(str::trim).filter(|it| !it.is_empty());
    let routes: Vec<&str> = lines.next().expect("a head").split_whitespace().skip(1).collect();
    for line in lines {
        let mut words = line.split_whitespace();
        let role = words.next().expect("a role");
        let desk = Desk::of(&server, &document, role);
        for (route, expected) in routes.iter().zip(words) {
            let answer = desk.ask(&format!("/{route}"));
            assert_eq!(answer.status.to_string(), expected, "{role} /{route}: {}", answer.body);
        }
        let unplaced = desk.ask("/observations/unplaced").status;
        assert_eq!(unplaced, if role == "psychology_head" { 200 } else { 403 }, "{role}");
    }
    let names = |desk: &Desk| -> Vec<String> {
        let lists = desk.get("/lists", "/lists");
        lists["lists"].as_array().expect("lists").iter().map(|it| word(&it["list"])).collect()
    };
    assert_eq!(
        names(&Desk::of(&server, &document, "dorm_keeper")),
        ["holiday_stay", "late_tonight", "no_trace", "out_tonight", "resident", "unverified_absence"]
    );
    assert_eq!(names(&Desk::of(&server, &document, "tutor")), ["class_absence", "internship_contact"]);
    assert!(!names(&Desk::of(&server, &document, "psychologist")).contains(&"device_offline".to_owned()));

    // A tutor's portrait has the academic part and no other; a college knows who there is and has no portrait at all.
    let tutor = Desk::of(&server, &document, "tutor");
    let student = word(&tutor.get("/students", "/students?limit=1")["rows"][0]["student_key"]);
    let portrait = tutor.get("/students/{student_key}/portrait", &format!("/students/{student}/portrait"));
    let dimensions = portrait["dimensions"].as_array().expect("dimensions");
    assert_eq!(dimensions.iter().map(|it| word(&it["dimension"])).collect::<Vec<_>>(), ["academic"]);
    assert_eq!((&portrait["notices"], &portrait["head"]["room"]), (&json!([]), &Value::Null));
    assert!(portrait["head"]["name"].is_string());
    for role in ["college_secretary", "college_office"] {
        let desk = Desk::of(&server, &document, role);
        let row = desk.get("/students", "/students?limit=1")["rows"][0].clone();
        assert!(row["name"].is_string(), "{row}");
        let key = word(&row["student_key"]);
        for part in ["portrait", "record", "archive"] {
            desk.is_told(&desk.ask(&format!("/students/{key}/{part}")), 403, part);
        }
        let cockpit = desk.get("/cockpit", "/cockpit");
        assert_eq!((cockpit["colleges"].as_array().map(Vec::len), &cockpit["floors"]), (Some(1), &json!([])));
        desk.is_told(&desk.ask("/cockpit?college=university"), 404, "figures of the university");
    }
}

#[test]
fn a_shift_sees_the_step_that_is_asked_of_it_and_nothing_else_of_the_student() {
    let server = Server::start();
    let document = Document::of(&server);
    let (security, counselor) = (Desk::of(&server, &document, "security"), Desk::of(&server, &document, "counselor"));
    let student = word(&counselor.get("/students", "/students?limit=1")["rows"][0]["student_key"]);
    let quiet = counselor.opens(&student, "academic", "signal", json!({ "source": "superior", "severity": "2" }));
    security.is_told(&security.ask(&format!("/cases/{}", thread(&quiet))), 404, "nothing runs on it");
    let crisis = counselor.opens(&student, "psych", "declare", json!({ "is_danger_immediate": false }));

    let seen = security.case(&thread(&crisis));
    assert_eq!(
        (&seen["sight"], &seen["row"]["kind"], &seen["row"]["severity"]),
        (&json!("limited"), &json!("safety"), &Value::Null)
    );
    assert!(seen["row"]["student"]["name"].is_string(), "who is looked for has a name: {}", seen["row"]);
    for part in ["history", "reports", "notices", "others"] {
        assert_eq!(seen[part], json!([]), "{part}");
    }
    let own = acts(&seen);
    assert!(own.contains(&"crisis_step".to_owned()) && !own.contains(&"close".to_owned()), "{own:?}");
    let told = security.does(&crisis, "crisis_step", json!({ "step": "tell_security", "result": "done" }));
    assert_eq!(told["crisis"]["done"][0]["by"], "security");
    // The whole list is what shifts are about.
    let list = security.get("/cases", "/cases?limit=100");
    let kinds: BTreeSet<String> = list["rows"].as_array().expect("rows").iter().map(|it| word(&it["kind"])).collect();
    assert_eq!(kinds, BTreeSet::from(["safety".to_owned()]));

    let check = counselor.opens(&student, "safety", "open_check", json!({ "cause": "lost_contact", "guardian": "caution" }));
    let duty = Desk::of(&server, &document, "duty_office");
    let seen = duty.case(&thread(&check));
    assert_eq!((&seen["check"]["next"]["rung"], &seen["check"]["guardian"]), (&json!("call_student"), &Value::Null));
    // The telephone is for whoever climbs, the last passage for security alone, and only while the check goes on.
    let look = |desk: &Desk<'_>, what: &str| {
        desk.post(&format!("/cases/{{thread_key}}/{what}"), &format!("/cases/{}/{what}", thread(&check)), &json!({}))
    };
    let known = on_a_runtime(async {
        let key: i64 = student.parse().expect("a key");
        let found =
            open(server.data.path()).await.vault().identities(PersonKind::Student, &[key], &["phone"]).await.expect("read");
        found[&key]["phone"].clone()
    });
    for desk in [&duty, &security, &counselor] {
        assert_eq!(look(desk, "telephone")["phone"], known.as_str());
    }
    let query = format!(
        "SELECT stg_gate_event.occurred_at, stg_gate_event.device_id, stg_gate_event.direction, stg_device.place FROM stg_gate_event \
         INNER JOIN stg_device ON stg_device.device_id = stg_gate_event.device_id AND stg_device.superseded_at IS NULL \
         WHERE stg_gate_event.student_key = {student} ORDER BY stg_gate_event.occurred_at DESC LIMIT 1"
    );
    let (last, shown) = (&sql(server.data.path(), &query)[0], look(&security, "last_place"));
    for (name, of) in [("passed_at", "occurred_at"), ("device_id", "device_id"), ("direction", "direction"), ("place", "place")] {
        assert_eq!(shown[name], last[of], "{name}: {shown} {last}");
    }
    assert!(shown["place"].is_string(), "{shown}");
    assert_eq!(seen["check"]["can_locate"], false);
    let place = format!("/cases/{}/last_place", thread(&check));
    for desk in [&duty, &counselor] {
        desk.is_told(&desk.send(&place, &json!({})), 403, "where somebody was is security's");
    }
    // A crisis is no check: no ladder, no look.
    security.is_told(&security.send(&format!("/cases/{}/telephone", thread(&crisis)), &json!({})), 403, "no check goes on");
    for (account, what) in [("duty_office", "telephone"), ("security", "telephone"), ("security", "last_place")] {
        let look = format!("look student/{student}/{what}");
        assert_eq!(audited(&server, account).iter().filter(|it| **it == look).count(), 1, "{account} {what}");
    }
    let refused = format!("look case/{}/last_place", thread(&check));
    assert!(audited(&server, "counselor").contains(&refused), "a look that was refused is written down");

    let climbed = duty.does(&check, "check_step", json!({ "rung": "call_student", "result": "not_reached" }));
    assert_eq!(
        (&climbed["check"]["done"][0]["by"], &climbed["check"]["next"]["rung"]),
        (&json!("duty_office"), &json!("ask_roommates"))
    );
    // Off the case as soon as nothing runs on it.
    let reached = json!({ "rung": "ask_roommates", "result": "reached", "reached": "in_person" });
    counselor.does(&check, "check_step", reached);
    duty.is_told(&duty.ask(&format!("/cases/{}", thread(&check))), 404, "the student was reached");
    for (desk, told) in [(&duty, 404), (&counselor, 403)] {
        let telephone = format!("/cases/{}/telephone", thread(&check));
        desk.is_told(&desk.send(&telephone, &json!({})), told, "the check is over");
    }

    // The college knows of a grave case that there is one, and does not read it.
    let secretary = Desk::of(&server, &document, "college_secretary");
    let own: Vec<String> = {
        let page = secretary.get("/students", "/students?limit=500");
        page["rows"].as_array().expect("rows").iter().map(|it| word(&it["student_key"])).collect()
    };
    let psychologist = Desk::of(&server, &document, "psychologist");
    let of_college = psychologist.opens(&own[0], "psych", "signal", json!({ "source": "superior", "severity": "3" }));
    let seen = secretary.case(&thread(&of_college));
    assert_eq!((&seen["sight"], &seen["row"]["severity"]["label_zh"]), (&json!("limited"), &json!("重点关怀")));
    assert_eq!((&seen["history"], &seen["reports"]), (&json!([]), &json!([])));
    let mild = psychologist.opens(&own[1], "psych", "signal", json!({ "source": "superior", "severity": "2" }));
    secretary.is_told(&secretary.ask(&format!("/cases/{}", thread(&mild))), 404, "a case that is not grave");
}

#[test]
fn the_roster_is_everybodys_own_and_the_heads() {
    let server = Server::start();
    let document = Document::of(&server);
    let desk = |account| Desk::of(&server, &document, account);
    let (psychologist, head, duty) = (desk("psychologist"), desk("psychology_head"), desk("duty_office"));
    let shift = |post: &str, account: &str| json!({ "post": post, "account": account, "from": "2025-12-01T20:00:00+08:00", "until": "2025-12-02T08:00:00+08:00" });
    psychologist.is_told(
        &psychologist.send("/roster", &shift("psychology_night", "psychology_head")),
        422,
        "somebody else's shift",
    );
    psychologist.is_told(&psychologist.send("/roster", &shift("security_office", "psychologist")), 422, "another post");
    duty.is_told(&duty.send("/roster", &shift("duty_office", "duty_office")), 403, "a shift that opens cases");
    let before = duty.get("/roster", "/roster?from=2025-12-01&until=2025-12-02");
    assert_eq!(before["keeps"], "nothing");
    assert!(5 <= before["gaps_n"].as_i64().expect("a count"), "no post has a backup: {before}");
    psychologist.post("/roster", "/roster", &shift("psychology_night", "psychologist"));
    let kept = head.post("/roster", "/roster", &shift("security_office", "security"));
    assert_eq!(kept["keeps"], "all");
    let security = kept["posts"].as_array().expect("posts").iter().find(|it| it["post"] == "security_office").expect("security");
    assert!(security["shifts"].as_array().expect("shifts").iter().any(|it| it["account"] == "security"), "{security}");
}

#[test]
fn what_nobody_confirms_in_three_days_the_college_takes_over_and_hands_on() {
    let data = TempDir::new().expect("a folder");
    copy(demo(), data.path(), &|_| true);
    // A student of the secretary's college, whose hand-over waits for longer than both sides have.
    let scope =
        ask(data.path(), "college_secretary", "SELECT DISTINCT student_key FROM dim_student ORDER BY 1", None).expect("students");
    let of_college: BTreeSet<i64> = scope.iter().filter_map(|it| it["student_key"].as_i64()).collect();
    let offered: i64 = on_a_runtime(async {
        let cases = open(data.path()).await.cases();
        let days_ago = |days: i64| casework::DAY_US * days;
        let now = chrono::DateTime::parse_from_rfc3339(NIGHT).expect("an instant").timestamp_micros();
        let own = *of_college.iter().next().expect("a student");
        cases.assign(casework::Relation::Counselor, "counselor", &[own], now - days_ago(9)).await.expect("assigned");
        cases.offer_hand_over("counselor", "counselor2", &[own], now - days_ago(4)).await.expect("offered");
        own
    });
    let server = Server::on(data, &["demo", "--students", "300", "--days", "61"]);
    let document = Document::of(&server);
    let desk = |account| Desk::of(&server, &document, account);
    let (secretary, counselor, taker) = (desk("college_secretary"), desk("counselor"), desk("counselor2"));
    assert_eq!(counselor.get("/hand-overs", "/hand-overs")["overdue"], json!([]), "no matter of a counselor");
    let list = secretary.get("/hand-overs", "/hand-overs");
    let it = &list["overdue"][0];
    assert_eq!(
        (&it["from_account"], &it["to_account"], &it["student_n"]),
        (&json!("counselor"), &json!("counselor2"), &json!(1))
    );
    let path = format!("/hand-overs/{}/take-over", word(&it["hand_over_key"]));
    counselor.is_told(&counselor.send(&path, &json!({})), 422, "a counselor");
    let after = secretary.post("/hand-overs/{hand_over_key}/take-over", &path, &json!({}));
    assert_eq!(after["overdue"], json!([]));
    secretary.is_told(&secretary.send(&path, &json!({})), 422, "a second time");
    // What was taken over goes on to a counselor, who confirms as always.
    let takers: Vec<String> = after["takers"].as_array().expect("takers").iter().map(|it| word(&it["account"])).collect();
    assert!(takers.contains(&"counselor2".to_owned()), "{takers:?}");
    let on = secretary.post(
        "/hand-overs",
        "/hand-overs",
        &json!({ "to_account": "counselor2", "student_keys": [offered.to_string()] }),
    );
    let confirm = format!("/hand-overs/{}/confirm", word(&on["rows"][0]["hand_over_key"]));
    secretary.post("/hand-overs/{hand_over_key}/confirm", &confirm, &json!({}));
    assert_eq!(taker.post("/hand-overs/{hand_over_key}/confirm", &confirm, &json!({}))["rows"], json!([]));
}

#[test]
fn an_absence_is_verified_with_one_tap_and_comes_back_with_who_looked() {
    let mut server = Server::start();
    let document = Document::of(&server);
    let keeper = Desk::of(&server, &document, "dorm_keeper");
    let path = "/lists/unverified_absence";
    let list = |desk: &Desk| desk.get("/lists/{list}", path);
    let before = list(&keeper);
    let codes: Vec<String> = before["answers"].as_array().expect("answers").iter().map(|it| word(&it["code"])).collect();
    assert_eq!(codes, ["in_room", "excused", "contacted", "not_found"]);
    let row = before["rows"][0].clone();
    let (student, night) = (word(&row["student_key"]), word(&row["night_on"]));
    assert!(row["name"].is_string() && row.get("last_seen_at").is_none() && row.get("check_result").is_none(), "{row}");
    let (of_list, named) = ("/lists/{list}/checks", "/lists/unverified_absence/checks");
    let body = |result: &str, note: Value| json!({ "student_key": student, "night_on": night, "result": result, "note": note });
    let first = keeper.post(of_list, named, &body("not_found", Value::Null));
    assert_eq!(
        (&first["is_new"], &first["offers_check"], &first["checked_by"]),
        (&json!(true), &json!(true), &json!("dorm_keeper"))
    );
    let again = keeper.post(of_list, named, &body("not_found", Value::Null));
    assert_eq!((&again["is_new"], &again["n_answers"]), (&json!(false), &json!(1)), "the same answer is nothing new");

    // Where gates tell of nothing there is no list, which is said to whoever has students there.
    let gaps = |desk: &Desk, list: &str| desk.get("/lists/{list}/gaps", &format!("/lists/{list}/gaps"))["gaps"].clone();
    let counselor = Desk::of(&server, &document, "counselor");
    let quiet = json!([{ "building": "北苑1号楼", "quiet_since": "2025-10-31T10:50:00Z" }]);
    assert_eq!((gaps(&counselor, "out_tonight"), gaps(&keeper, "out_tonight")), (quiet, json!([])));
    assert_eq!(gaps(&counselor, "unverified_absence"), json!([]), "of another list");

    // Nobody was found: the keeper says so, and only then somebody is looked for. Anything else a keeper does not open.
    let open = |act: &str, fields: Value| json!({ "student_key": student, "kind": "safety", "act": act, "fields": fields });
    keeper.is_told(&keeper.send("/cases", &open("signal", json!({ "source": "superior", "severity": "2" }))), 403, "a signal");
    let lost = open("open_check", json!({ "cause": "lost_contact", "guardian": "normal" }));
    let opened = keeper.send("/cases", &lost);
    // The data may have opened one for the same student already.
    assert!([200, 422].contains(&opened.status), "{}", opened.body);
    let residents = keeper.get("/lists/{list}", "/lists/resident");
    let residents: BTreeSet<String> =
        residents["rows"].as_array().expect("rows").iter().map(|it| word(&it["student_key"])).collect();
    let all = sql(server.data.path(), "SELECT DISTINCT student_key FROM dim_student ORDER BY 1");
    let stranger = all.iter().map(|it| it["student_key"].to_string()).find(|it| !residents.contains(it)).expect("a stranger");
    let elsewhere = json!({ "student_key": stranger, "kind": "safety", "act": "open_check", "fields": { "cause": "lost_contact", "guardian": "normal" } });
    keeper.is_told(&keeper.send("/cases", &elsewhere), 404, "somebody who lives elsewhere");
    let elsewhere = json!({ "student_key": stranger, "night_on": night, "result": "in_room" });
    keeper.is_told(&keeper.send(named, &elsewhere), 404, "nobody of this list");
    keeper.is_told(&keeper.send(named, &body("asleep", Value::Null)), 422, "no such answer");
    let resident = keeper.send("/lists/resident/checks", &body("in_room", Value::Null));
    keeper.is_told(&resident, 404, "a list that asks after nobody");
    let psychologist = Desk::of(&server, &document, "psychologist");
    let corrected = psychologist.post(of_list, named, &body("in_room", json!("刚在宿舍见到本人")));
    assert_eq!(
        (&corrected["is_new"], &corrected["n_answers"], &corrected["offers_check"]),
        (&json!(true), &json!(2), &json!(false))
    );
    let of_student =
        |it: &Value| it["rows"].as_array().expect("rows").iter().find(|it| it["student_key"] == student.as_str()).cloned();
    let seen = of_student(&list(&psychologist)).expect("the row");
    assert_eq!((&seen["check_result"], &seen["checked_by"]), (&json!("in_room"), &json!("psychologist")));
    assert_eq!(seen["check_note"], "刚在宿舍见到本人");
    let seen = of_student(&list(&keeper)).expect("the row");
    assert!(seen["check_result"] == "in_room" && seen.get("check_note").is_none(), "a keeper reads no note: {seen}");
    let leader = Desk::of(&server, &document, "leader");
    let figures = leader.get("/cockpit", "/cockpit");
    let figure =
        figures["figures"].as_array().expect("figures").iter().find(|it| it["figure"] == "unverified_absence").expect("it");
    assert!(figure["value"].as_f64().is_some_and(|it| 0.0 < it), "{figure}");
    assert_eq!(figure["parts"][0], json!({ "part": "verified_rate", "value": null }), "one who was looked after is no figure");
    let drawn: Vec<String> = figures["figures"].as_array().expect("figures").iter().map(|it| word(&it["figure"])).collect();
    let sourceless: Vec<String> = figures["not_built"].as_array().expect("names").iter().map(word).collect();
    assert!(sourceless.iter().all(|it| !drawn.contains(it)), "drawn, and said to have no source: {sourceless:?}");
    for it in ["talk_coverage", "leader_frontline", "five_education_participation", "capacity_shortfall"] {
        assert!(drawn.iter().any(|name| name == it), "{it} is not drawn: {drawn:?}");
    }
    let talks = figures["figures"].as_array().expect("figures").iter().find(|it| it["figure"] == "talk_coverage").expect("it");
    let counted = sql(
        server.data.path(),
        "SELECT met_n, student_n FROM cockpit_contact WHERE scope = 'university' AND as_of_on = (SELECT max(as_of_on) FROM cockpit_contact)",
    );
    // A part of who is enrolled is hidden in the demonstration, so what it would follow from is not told.
    assert_eq!((&talks["numerator"], &talks["denominator"]), (&Value::Null, &Value::Null));
    let share = counted[0]["met_n"].as_f64().expect("a count") / counted[0]["student_n"].as_f64().expect("a count");
    assert_eq!(talks["value"].as_f64(), Some((share * 100.0).round() / 100.0));
    let tutor = Desk::of(&server, &document, "tutor");
    tutor.is_told(&tutor.send(named, &body("in_room", Value::Null)), 403, "no list of a tutor");
    leader.is_told(&leader.send(named, &body("in_room", Value::Null)), 403, "no work of a leader");

    // Beside the server the night's work goes on, and the list shows the same.
    let data = server.data.path().to_owned();
    let out = output(yizhan(&data, &["ingest", "absence_check", "--input"]).arg(data.join("exports")));
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let answers = sql(&data, "SELECT result, role FROM raw_absence_check ORDER BY check_no");
    let kept: Vec<(&str, &str)> =
        answers.iter().map(|it| (it["result"].as_str().expect("text"), it["role"].as_str().expect("text"))).collect();
    assert_eq!(kept, [("not_found", "dorm_keeper"), ("in_room", "psychologist")], "both answers are kept");
    assert_eq!(of_student(&list(&keeper)).expect("the row")["check_result"], "in_room");
    server.stop();

    // A day later the night counts as verified, and the student as in; what became known since may have cleared others.
    run(&data, &data.join("exports"), "2025-11-02T04:30:00+08:00");
    let of_night =
        format!("as_of_on = (SELECT max(as_of_on) FROM cockpit_night) AND night_on = DATE '{night}' AND scope = 'university'");
    let counted = || sql(&data, &format!("SELECT listed_n, absent_n, verified_n FROM cockpit_night WHERE {of_night}"))[0].clone();
    let told = counted();
    assert!(told["absent_n"].is_i64() && told["listed_n"].is_null() && told["verified_n"].is_null(), "one is told of: {told}");
    // Where a school tells of everybody it is one more than the absent.
    let everybody = ["--set", "policy.k_default=1", "transform", "--select", "cockpit_night"];
    let out = output(yizhan(&data, &everybody).args(["--now", "2025-11-02T04:30:00+08:00"]));
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let told = counted();
    let count = |name: &str| told[name].as_i64().expect("a count");
    assert_eq!((count("listed_n"), count("verified_n")), (count("absent_n") + 1, 1));
}

#[test]
fn a_ledger_is_the_readers_own_and_says_where_each_line_comes_from() {
    let server = Server::start();
    let document = Document::of(&server);
    let desk = |account| Desk::of(&server, &document, account);
    let counselor = desk("counselor");
    let ledger = counselor.get("/ledger", "/ledger?from=2025-09-01&to=2025-10-31");
    assert_eq!((&ledger["is_linked"], &ledger["from_on"]), (&json!(true), &json!("2025-09-01")));
    let days = ledger["days"].as_array().expect("days");
    assert!(!days.is_empty(), "two months without work");
    let key = ask(server.data.path(), "counselor", "SELECT DISTINCT staff_key FROM ledger_staff_day", None).expect("keys");
    assert_eq!(key.len(), 1, "the ledger of one");
    let expected = sql(
        server.data.path(),
        &format!(
            "SELECT count(*) AS days, sum(talk_n) AS talks, sum(room_n) AS rooms FROM ledger_staff_day WHERE staff_key = {} \
                  AND occurred_on BETWEEN DATE '2025-09-01' AND DATE '2025-10-31'",
            key[0]["staff_key"]
        ),
    );
    assert_eq!(json!(days.len()), expected[0]["days"]);
    let total = |ledger: &Value, kind: &str| {
        let found = ledger["totals"].as_array().expect("totals").iter().find(|it| it["kind"] == kind).cloned();
        found.unwrap_or(Value::Null)
    };
    let talks = total(&ledger, "talk");
    assert_eq!((&talks["n"], &talks["source"]), (&expected[0]["talks"], &json!("contact_record")));
    assert_ne!(desk("counselor2").get("/ledger", "/ledger?from=2025-09-01&to=2025-10-31")["days"], ledger["days"]);
    // What is done here is counted without a form.
    let student = word(&counselor.get("/students", "/students?limit=1")["rows"][0]["student_key"]);
    let steps = |it: &Value| total(it, "case_step")["n"].as_i64().unwrap_or(0);
    let before = steps(&counselor.get("/ledger", "/ledger"));
    counselor.opens(&student, "life_aid", "signal", json!({ "source": "superior", "severity": "1" }));
    assert_eq!(steps(&counselor.get("/ledger", "/ledger")), before + 1);
    counselor.is_told(&counselor.ask("/ledger?from=2020-01-01&to=2025-10-31"), 400, "six years");
    let empty = counselor.get("/ledger", "/ledger?from=2001-01-01&to=2001-01-02");
    assert_eq!((&empty["days"], &empty["totals"]), (&json!([]), &json!([])));
    let analyst = desk("analyst");
    analyst.is_told(&analyst.ask("/ledger"), 403, "no work of an analyst");
    // Lectures, panels and guidance stand in the work logs of whoever held them, each once.
    let of = |query: &str| sql(server.data.path(), query)[0].clone();
    let held = of("SELECT count(*) AS act_n, sum(participant_n) AS people, sum(minutes) AS minutes FROM stg_duty_act");
    let logged =
        of("SELECT sum(act_n) AS act_n, sum(act_student_n) AS people, sum(act_minutes) AS minutes FROM ledger_staff_day");
    assert!(held["act_n"].as_i64().is_some_and(|it| 20 < it), "{held}");
    assert_eq!(held, logged);
}

#[test]
fn the_aid_centre_sees_whom_aid_is_about_and_the_hospital_whom_was_referred_and_neither_more() {
    let server = Server::start();
    let document = Document::of(&server);
    let data = demo();
    let newest = "as_of_on = (SELECT max(as_of_on) FROM dim_student)";
    let all = sql(data, &format!("SELECT count(*) AS n FROM dim_student WHERE {newest}"))[0]["n"].as_i64().expect("a count");
    let aid = Desk::of(&server, &document, "aid_centre");
    let roll = aid.get("/aid", "/aid");
    let rows = roll["rows"].as_array().expect("rows");
    assert!(!rows.is_empty() && (rows.len() as i64) < all, "{} of {all}", rows.len());
    // Everybody of them receives aid or may be offered some, and is named.
    for row in rows {
        let is_candidate = !row["gap_fen"].is_null() || !row["price_fell"].is_null();
        let is_about = row["aid_level"].is_string() || 0 < row["paid_fen"].as_i64().expect("fen") || is_candidate;
        assert!(is_about && row["name"].is_string(), "{row}");
    }
    assert!(rows.iter().any(|it| it["aid_level"].is_string()), "somebody is recognised");
    for table in [
        "dim_student",
        "portrait_student",
        "closed_aid_gap",
        "closed_price_drop",
        "closed_measure",
        "stg_aid_status",
        "stg_case_state",
        "list_visit",
    ] {
        is_hidden(data, "aid_centre", &format!("SELECT count(*) FROM {table}"));
        is_hidden(data, "hospital", &format!("SELECT count(*) FROM {table}").replace("dim_student", "closed_aid_roll"));
    }
    // Nobody but the aid centre reads the roll.
    for account in ["leader", "counselor", "psychologist", "analyst", "college_secretary"] {
        is_hidden(data, account, "SELECT count(*) FROM closed_aid_roll");
    }

    // The hospital: nobody, until a case is referred to it.
    let hospital = Desk::of(&server, &document, "hospital");
    assert_eq!(hospital.get("/referrals", "/referrals")["rows"], json!([]));
    let counselor = Desk::of(&server, &document, "counselor");
    let student = counselor.students().remove(0);
    let case = counselor.opens(&student, "life_aid", "signal", json!({ "source": "human_report", "severity": "2" }));
    counselor.does(&case, "claim", json!({}));
    counselor.does(&case, "contact", json!({ "reached": "in_person" }));
    let assessed = counselor.does(&case, "assess", json!({ "severity": "2" }));
    let text = "发烧三天，想请医生看看";
    let body = json!({ "seen_version": assessed["row"]["version"], "act": "refer", "fields": { "to": "university_hospital" }, "note": text });
    counselor.post("/cases/{thread_key}/steps", &format!("/cases/{}/steps", thread(&case)), &body);
    let rows = hospital.get("/referrals", "/referrals")["rows"].clone();
    assert_eq!(
        (rows.as_array().map(Vec::len), &rows[0]["text"], &rows[0]["student_key"]),
        (Some(1), &json!(text), &json!(student))
    );
    assert!(rows[0]["name"].is_string() && rows[0]["class"].is_string(), "{rows}");
    let said: Vec<String> = rows[0].as_object().expect("an object").keys().cloned().collect();
    assert!(["severity", "kind", "state", "owner", "thread_key"].iter().all(|it| !said.contains(&(*it).to_owned())), "{said:?}");
    assert!(audited(&server, "hospital").contains(&format!("read student/{student}/referral")));
    // Neither has a page of cases, portraits or lists.
    for desk in [&aid, &hospital] {
        for path in ["/cases", "/warnings", "/students", "/lists", "/observations"] {
            desk.is_told(&desk.ask(path), 403, path);
        }
        let answer = desk.ask(&format!("/cases/{}", thread(&case)));
        desk.is_told(&answer, 403, "a case");
        desk.is_told(&desk.ask(&format!("/students/{student}/portrait")), 403, "a portrait");
    }
    hospital.is_told(&hospital.ask("/aid"), 403, "aid");
    aid.is_told(&aid.ask("/referrals"), 403, "referrals");
    // What is over is over.
    let key = thread(&case);
    let reviewed = counselor.does(&counselor.case(&key), "review", json!({ "is_quiet": true }));
    counselor.does(&reviewed, "close", json!({ "outcome": "referred", "reached": "in_person", "how": "single" }));
    assert_eq!(hospital.get("/referrals", "/referrals")["rows"], json!([]));
}
