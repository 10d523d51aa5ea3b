//! How people are reached and reach others: a student who asks for help, hours for talks, channels and their rehearsal.

use casework::{DutyShift, Post};
use serde_json::{Value, json};
use store::{Grant, NewAccount, Reach};
use tempfile::TempDir;

use crate::cases::{Desk, audited};
use crate::casework::{HOUR_US, NOW_US, on_a_runtime, open, with_facts};
use crate::serve::{Document, Server};
use crate::support::{copy, demo, repository, said, sql, write, yizhan};

/// A channel that nobody listens on.
const CHANNEL: &str = "notify.channel=[{ kind = \"smtp\", name = \"mail\", host = \"localhost\", port = 9, tls = \"none\", from = \"驿站 <yizhan@example.edu.cn>\" }]";

#[test]
fn who_asks_for_help_reaches_psychology_at_once_and_sees_only_that_it_was_received() {
    let server = Server::start();
    let document = Document::of(&server);
    let student = Desk::of(&server, &document, "student");
    let psychologist = Desk::of(&server, &document, "psychologist");
    let page = student.get("/me/help", "/me/help");
    assert_eq!(page["rows"], json!([]));
    assert!(page["emergency_zh"].as_str().expect("a line").contains("120"), "{page}");

    student.is_told(&student.send("/me/help", &json!({ "reach": "  " })), 422, "nothing to call by");
    let long = "电".repeat(201);
    student.is_told(&student.send("/me/help", &json!({ "reach": long })), 422, "too long");
    let reach = "138 0000 0000，今晚八点以后";
    let after = student.post("/me/help", "/me/help", &json!({ "reach": reach }));
    // A second tap is the same request.
    let again = student.post("/me/help", "/me/help", &json!({ "reach": reach }));
    assert_eq!((&after["rows"], again["rows"].as_array().map(Vec::len)), (&again["rows"], Some(1)));
    assert_eq!((&after["rows"][0]["taken_by"], &after["rows"][0]["is_answered"]), (&Value::Null, &json!(false)));

    // It is an entry of its own in a psychological case, with the words in which the student is to be reached.
    let key = student.ask("/me").body["student_key"].as_str().expect("a key").to_owned();
    let cases = psychologist.get("/students/{student_key}/cases", &format!("/students/{key}/cases"));
    let row = cases["rows"].as_array().expect("rows").iter().find(|it| it["kind"] == "psych").expect("a case").clone();
    let case = psychologist.case(row["thread_key"].as_str().expect("a key"));
    assert_eq!((&case["reports"][0]["text"], &case["reports"][0]["role"]), (&json!(reach), &json!("student")));
    assert!(case["history"].to_string().contains("本人求助"), "{}", case["history"]);
    let (asked, kinds) = on_a_runtime(async {
        let store = open(server.data.path()).await;
        let messages = store.messages().due(None, i64::MAX).await.expect("messages");
        let thread = row["thread_key"].as_str().expect("a key").parse::<i64>().expect("a number");
        let kinds: Vec<String> = messages.into_iter().filter(|it| it.thread_key == Some(thread)).map(|it| it.kind).collect();
        (store.cases().asked_for_help(thread, NOW_US + HOUR_US).await.expect("people"), kinds)
    });
    assert_eq!(kinds, ["help_asked"], "one message of one request");
    assert!(asked.levels[0].contains(&"psychologist".to_owned()), "whoever is on shift is among the first: {asked:?}");
    assert!(asked.duty.contains(&"duty_office".to_owned()), "{asked:?}");

    // The last rung sees nothing of it: it hears whom to call, and ends the asking of nobody who could do the work.
    let last = Desk::of(&server, &document, "duty_office");
    let message_id = on_a_runtime(async {
        let store = open(server.data.path()).await;
        let thread = row["thread_key"].as_str().expect("a key").parse::<i64>().expect("a number");
        let messages = store.messages().due(None, i64::MAX).await.expect("messages");
        let message_id = messages.iter().find(|it| it.thread_key == Some(thread)).expect("the message").message_id;
        let to_key = store.accounts().get("duty_office").await.expect("read").and_then(|it| it.person_key).expect("a person");
        let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock");
        let now_us = i64::try_from(since_1970.as_micros()).expect("an instant");
        assert!(store.messages().begin(message_id, to_key, "mail", 1, now_us).await.expect("begun"));
        store.messages().advance(message_id, to_key, Some("mail"), Reach::Sent, now_us).await.expect("sent");
        message_id.to_string()
    });
    let shown = || {
        let page = last.get("/notices", "/notices");
        let own = page["rows"].as_array().expect("rows").iter().find(|it| it["message_id"] == message_id.as_str()).cloned();
        (own.unwrap_or_else(|| panic!("the message is not among {page}")), page)
    };
    let (own, _) = shown();
    assert_eq!((&own["may_take"], &own["must_call"], &own["taken_at"]), (&json!(false), &json!(true), &Value::Null));
    let called: Vec<&Value> = own["calls"].as_array().expect("people").iter().map(|it| &it["display_name"]).collect();
    assert!(called.contains(&&json!("心理教师（示例）")) && !own.to_string().contains(&key), "{own}");
    last.is_told(&last.send(&format!("/notices/{message_id}/acknowledge"), &Value::Null), 403, "whoever may only call");
    assert_eq!(shown().0["taken_at"], Value::Null, "it waits for those who can do the work");

    // With everybody gone who could be called there is still the line that is answered day and night.
    let shut = |is_shut: bool| {
        on_a_runtime(async {
            let accounts = open(server.data.path()).await.accounts();
            for it in asked.levels.iter().flatten() {
                let changed = if is_shut { accounts.disable(it).await } else { accounts.enable(it).await };
                changed.expect("changed");
            }
        });
    };
    shut(true);
    let (own, page) = shown();
    assert_eq!((&own["must_call"], &own["calls"]), (&json!(true), &json!([])));
    assert!(page["emergency_zh"].as_str().expect("a line").contains("120"), "{page}");
    shut(false);

    // Who takes it on is told by name, and that somebody was in touch; of the case itself nothing.
    let psychologist = Desk::of(&server, &document, "psychologist");
    let claimed = psychologist.does(&case, "claim", json!({}));
    let seen = student.get("/me/help", "/me/help");
    assert_eq!(seen["rows"][0]["taken_by"], "心理教师（示例）");
    psychologist.does(&claimed, "contact", json!({ "reached": "phone" }));
    let seen = student.get("/me/help", "/me/help");
    assert_eq!(seen["rows"][0]["is_answered"], true);
    let keys: Vec<&String> = seen["rows"][0].as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["at", "is_answered", "taken_by"]);
    // Nor is it an observation of somebody else.
    assert_eq!(student.get("/observations", "/observations")["rows"], json!([]));
    // Who asked stands in the log by key, and by no name of an account.
    let asked = audited(&server, &format!("student/{key}"));
    assert_eq!(asked, ["ask help", "ask help"]);
    let named = audited(&server, "student");
    assert!(named.iter().all(|it| !it.contains("help")), "{named:?}");
    assert!(asked.iter().chain(&named).all(|it| !it.contains("138")), "how to be reached stands sealed only");
    // In nobody else's name.
    for other in ["counselor", "leader", "analyst"] {
        let desk = Desk::of(&server, &document, other);
        desk.is_told(&desk.send("/me/help", &json!({ "reach": reach })), 403, other);
    }
}

#[test]
fn hours_are_said_dated_and_by_whoever_may() {
    let server = Server::start();
    let document = Document::of(&server);
    let counselor = Desk::of(&server, &document, "counselor");
    let page = counselor.get("/talk-hours", "/talk-hours");
    assert_eq!((&page["now"], &page["default_hours"], &page["talks_a_week"]), (&Value::Null, &json!(6.0), &json!(8)));
    for wrong in [
        json!({ "hours_a_week": 41, "from_on": "2025-11-01" }),
        json!({ "hours_a_week": 1.1, "from_on": "2025-11-01" }),
        json!({ "hours_a_week": 2, "from_on": "2025-10-31" }),
        json!({ "hours_a_week": 2, "from_on": "2025-11-01", "account": "psychologist" }),
    ] {
        counselor.is_told(&counselor.send("/talk-hours", &wrong), 422, &wrong.to_string());
    }
    let page = counselor.post("/talk-hours", "/talk-hours", &json!({ "hours_a_week": 1.5, "from_on": "2025-11-01" }));
    assert_eq!((&page["now"]["hours_a_week"], &page["talks_a_week"]), (&json!(1.5), &json!(2)));
    let page = counselor.post("/talk-hours", "/talk-hours", &json!({ "hours_a_week": 4, "from_on": "2026-03-01" }));
    assert_eq!((&page["now"]["hours_a_week"], page["rows"].as_array().map(Vec::len)), (&json!(1.5), Some(2)));
    assert!(audited(&server, "counselor").contains(&"say talk_hours/counselor/2025-11-01/1.5".to_owned()));
    // The centre's hours are its head's to say.
    let head = Desk::of(&server, &document, "psychology_head");
    let of_centre = json!({ "hours_a_week": 10, "from_on": "2025-11-01", "account": "psychologist" });
    let page = head.post("/talk-hours", "/talk-hours", &of_centre);
    // What data raise goes to counselors: the centre is told that its hours limit nothing.
    assert_eq!((&page["binds"], &counselor.get("/talk-hours", "/talk-hours")["binds"]), (&json!(false), &json!(true)));
    assert_eq!(
        (&page["centre"][0]["account"], &page["centre"][0]["now"]["hours_a_week"]),
        (&json!("psychologist"), &json!(10.0))
    );
    for other in ["leader", "student", "duty_office"] {
        let desk = Desk::of(&server, &document, other);
        desk.is_told(&desk.ask("/talk-hours"), 403, other);
    }
}

#[test]
fn a_month_without_a_rehearsal_is_told_and_a_channel_without_receipts_says_so() {
    // Without a channel there is nothing to rehearse.
    let server = Server::start();
    let document = Document::of(&server);
    assert_eq!(server.get("/api/v1/health", None).body["warnings"], json!([]));
    let administrator = Desk::of(&server, &document, "administrator");
    let page = administrator.get("/channels", "/channels");
    assert_eq!((&page["rows"], &page["drill"]["is_late"]), (&json!([]), &json!(false)));
    drop(server);

    let data = with_facts();
    let server = Server::on(data, &["demo", "--students", "300", "--days", "61", "--set", CHANNEL]);
    let administrator = Desk::of(&server, &document, "administrator");
    let health = server.get("/api/v1/health", None).body;
    assert_eq!(
        (&health["status"], &health["warnings"][0]["code"]),
        (&json!("ok"), &json!("drill_due")),
        "a warning is no failure"
    );
    let page = administrator.get("/channels", "/channels");
    let it = &page["rows"][0];
    assert_eq!((&it["channel"], &it["receipts"], &it["receipts_zh"]), (&json!("mail"), &json!("none"), &json!("无回执")));
    assert_eq!((&page["drill"]["is_late"], &page["drill"]["last_at"]), (&json!(true), &Value::Null));
    assert!(page["drill"]["text_zh"].as_str().expect("a sentence").contains("yizhan notify drill"), "{page}");
    on_a_runtime(async {
        let messages = open(server.data.path()).await.messages();
        let id = messages.begin_drill(NOW_US - 40 * 24 * HOUR_US).await.expect("a rehearsal");
        messages.begin(id, 7, "mail", 0, NOW_US - HOUR_US).await.expect("begun");
        messages.advance(id, 7, Some("mail"), store::Reach::Sent, NOW_US - HOUR_US).await.expect("sent");
    });
    let page = administrator.get("/channels", "/channels");
    assert!(page["drill"]["text_zh"].as_str().expect("a sentence").contains("40天前"), "{page}");
    assert_eq!((&page["rows"][0]["sent_n"], &page["rows"][0]["is_broken"]), (&json!(1), &json!(false)));
    on_a_runtime(async {
        open(server.data.path()).await.messages().begin_drill(NOW_US).await.expect("a rehearsal");
    });
    assert_eq!(server.get("/api/v1/health", None).body["warnings"], json!([]));
    for other in ["psychologist", "counselor", "student"] {
        let desk = Desk::of(&server, &document, other);
        desk.is_told(&desk.ask("/channels"), 403, other);
    }
}

#[test]
fn the_night_says_that_no_rehearsal_was_held_and_does_not_fail_of_it() {
    let data = with_facts();
    let night = ["run", "--now", "2025-11-01T00:00:00+08:00", "--set", CHANNEL, "--input"];
    let (code, _, wrong) = said(yizhan(data.path(), &night).arg(demo().join("exports")));
    assert_eq!(code, 0, "{wrong}");
    assert!(wrong.contains("还没有做过通知演练") && wrong.contains("yizhan notify drill"), "{wrong}");
}

#[test]
fn that_somebody_is_in_counselling_is_shown_to_psychology_on_a_case_and_is_an_input_of_nothing() {
    let server = Server::start();
    let document = Document::of(&server);
    let (psychologist, counselor) = (Desk::of(&server, &document, "psychologist"), Desk::of(&server, &document, "counselor"));
    let of_state = |state: &str| -> Vec<String> {
        let query = format!("SELECT DISTINCT student_key FROM closed_counselling WHERE state = '{state}' ORDER BY 1");
        sql(demo(), &query).iter().map(|it| it["student_key"].to_string()).collect()
    };
    let (now, ended) = (of_state("in_counselling"), of_state("ended"));
    assert!(!now.is_empty() && !ended.is_empty(), "{now:?} {ended:?}");
    let own: Vec<String> = counselor.ask("/students?limit=200").body["rows"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|it| it["student_key"].as_str().expect("a key").to_owned())
        .collect();
    let signal =
        |student: &String| psychologist.opens(student, "psych", "signal", json!({ "source": "hotline", "severity": "2" }));
    let case = signal(now.iter().find(|it| own.contains(it)).unwrap_or(&now[0]));
    // It is said to whoever works on the case, and to no other psychologist who may open it.
    assert_eq!(case["is_in_counselling"], false, "nobody holds the case yet");
    psychologist.does(&case, "claim", json!({}));
    let case = psychologist.case(case["row"]["thread_key"].as_str().expect("a key"));
    assert_eq!(case["is_in_counselling"], true);
    let over = signal(&ended[0]);
    psychologist.does(&over, "claim", json!({}));
    let over = psychologist.case(over["row"]["thread_key"].as_str().expect("a key"));
    assert_eq!(over["is_in_counselling"], false, "what has ended is not said");
    let read = |role: &str| {
        let query = "SELECT count(*) AS n FROM closed_counselling";
        let (code, rows, wrong) = said(&mut yizhan(demo(), &["sql", query, "--as", role, "--format", "json"]));
        assert_eq!(code, 0, "{role}: {wrong}");
        rows[0]["n"].as_u64().expect("a count")
    };
    assert!(read("psychologist") < read("psychology_head"), "a psychologist reads of nobody but their own");
    // The same case without it for the counselor, where the student is theirs; and the table is nobody else's.
    if own.contains(&case["row"]["student_key"].as_str().expect("a key").to_owned()) {
        let seen = counselor.case(case["row"]["thread_key"].as_str().expect("a key"));
        assert_eq!((&seen["sight"], &seen["is_in_counselling"]), (&json!("full"), &json!(false)));
    }
    for role in ["counselor", "leader", "analyst", "auditor", "student", "aid_centre", "hospital", "tutor", "college_secretary"] {
        for table in ["closed_counselling", "stg_counselling_state", "raw_counselling_state"] {
            let (code, _, wrong) = said(&mut yizhan(demo(), &["sql", &format!("SELECT count(*) FROM {table}"), "--as", role]));
            assert_eq!(code, 2, "{role} {table}: {wrong}");
        }
    }
    // No text and no score can come with it: the contract has no such column, and an undeclared one is refused.
    let contract = std::fs::read_to_string(repository().join("pipelines/counselling_state.toml")).expect("the contract");
    let columns: Vec<&str> = contract
        .split("[columns]")
        .nth(1)
        .expect("columns")
        .lines()
        .filter_map(|it| it.split(" = ").next())
        .filter(|it| !it.is_empty())
        .collect();
    assert_eq!(columns, ["state_id", "student_id", "state", "from_on", "to_on"]);

    // A measure, a rule, a list, a table: whatever names it is refused before anything is built.
    let project = TempDir::new().expect("a folder");
    write(&project.path().join("yizhan.toml"), "");
    for (file, text) in [
        ("sql/lists/list_counselled.sql", "SELECT student_key FROM stg_counselling_state WHERE superseded_at IS NULL"),
        ("sql/intermediate/int_counselled.sql", "SELECT student_key FROM closed_counselling"),
    ] {
        let kind = if file.contains("lists") { "list" } else { "table" };
        let front = format!(
            "/*---\nkind = \"{kind}\"\nabout = \"Who is in counselling.\"\ntitle_zh = \"咨询\"\ntitle_en = \"Counselled\"\nowner = \"x\"\ngrain = [\"student_key\"]\nsubject = \"student_key\"\npurpose = [\"service\"]\n---*/\n{text}\n"
        );
        write(&project.path().join(file), &front);
        let (code, _, wrong) = said(&mut yizhan(demo(), &["check", "--project", &project.path().display().to_string()]));
        assert!(code != 0 && wrong.contains("is an input of nothing"), "{file}: {code} {wrong}");
        std::fs::remove_file(project.path().join(file)).expect("removed");
    }
}

#[test]
fn a_shift_of_the_register_is_a_shift_of_the_platform() {
    let data = with_facts();
    let staff = sql(data.path(), "SELECT staff_key FROM stg_staff WHERE superseded_at IS NULL ORDER BY staff_key LIMIT 3");
    let keys: Vec<i64> = staff.iter().map(|it| it["staff_key"].as_i64().expect("a key")).collect();
    let numbers: Vec<String> = on_a_runtime(async {
        let store = open(data.path()).await;
        let mut numbers = Vec::new();
        for (place, key) in keys.iter().enumerate().take(2) {
            let grants = vec![Grant { role: "psychologist".to_owned(), scope: "college:none".to_owned() }];
            let account = ["early", "later"][place];
            let new = NewAccount { account, password: None, display_name: account, person_key: Some(*key), grants };
            // Of two accounts of one person the first by name works; those of the demonstration come behind.
            let account = if store.accounts().list().await.expect("accounts").iter().any(|it| it.person_key == Some(*key)) {
                None
            } else {
                Some(new)
            };
            if let Some(new) = account {
                store.accounts().create(new).await.expect("an account");
            }
        }
        for key in &keys {
            numbers.push(store.vault().number_of(schema::PersonKind::Staff, *key).await.expect("read").expect("a number"));
        }
        numbers
    });
    let account_of = |key: i64| {
        on_a_runtime(async {
            let accounts = open(data.path()).await.accounts().list().await.expect("accounts");
            accounts.into_iter().find(|it| it.person_key == Some(key)).map(|it| it.account)
        })
    };
    let (one, two) = (account_of(keys[0]).expect("an account"), account_of(keys[1]).expect("an account"));
    let exports = TempDir::new().expect("a folder");
    copy(&demo().join("exports"), exports.path(), &|it| it.starts_with("data_use_approval"));
    let shifts = |rows: &str, file: &str| {
        write(
            &exports.path().join(format!("duty/on_call_roster_{file}.csv")),
            &format!("值守编号,岗位,工号,备岗工号,开始时间,结束时间\n{rows}"),
        );
        let take = ["ingest", "data_use_approval", "on_call_roster", "--now", "2025-11-01T00:10:00+08:00", "--input"];
        let (code, _, wrong) = said(yizhan(data.path(), &take).arg(exports.path()));
        assert_eq!(code, 0, "{wrong}");
        let built = ["transform", "--select", "stg_on_call_roster", "--now", "2025-11-01T00:10:00+08:00"];
        let (code, _, wrong) = said(&mut yizhan(data.path(), &built));
        assert_eq!(code, 0, "{wrong}");
        let (code, lines, wrong) =
            said(&mut yizhan(data.path(), &["cases", "tick", "--now", "2025-11-01T00:10:00+08:00", "--format", "json"]));
        assert_eq!(code, 0, "{wrong}");
        lines[0]["shifts_n"].as_u64().expect("a count")
    };
    let (monday, day) = (NOW_US + 9 * 24 * HOUR_US, 24 * HOUR_US);
    let seen = || {
        on_a_runtime(async {
            let cases = open(data.path()).await.cases();
            let found = cases.shifts(Post::CollegeDuty, monday, monday + 3 * day).await.expect("shifts");
            let gaps = cases.roster_gaps(Post::CollegeDuty, monday, monday + 3 * day).await.expect("gaps");
            (found.into_iter().map(|it| (it.account, it.backup, it.from_us, it.until_us)).collect::<Vec<_>>(), gaps)
        })
    };
    assert_eq!(seen().1, [(monday, monday + 3 * day)], "nobody yet");
    // Said ahead: a day with a backup, and one of somebody who has no account.
    let line =
        |id: &str, who: &str, backup: &str, from: &str, until: &str| format!("{id},院系值班,{who},{backup},{from},{until}\n");
    let first = line("Z1", &numbers[0], &numbers[1], "2025-11-10 00:00", "2025-11-11 00:00");
    let second = line("Z2", &numbers[2], &numbers[1], "2025-11-11 00:00", "2025-11-12 00:00");
    let taken = shifts(&format!("{first}{second}"), "20251101");
    let whole = (one.clone(), Some(two.clone()), monday, monday + day);
    let (found, gaps) = seen();
    assert!(found.contains(&whole), "{found:?}");
    assert!(
        0 < taken && gaps == [(monday + if found.len() == 1 { day } else { 2 * day }, monday + 3 * day)],
        "{found:?} {gaps:?}"
    );
    // The same again changes nothing; a shift that was filled by hand closes its gap, and one that the register moves is moved.
    assert_eq!(shifts(&format!("{first}{second}"), "20251102"), 0);
    on_a_runtime(async {
        let shift = DutyShift {
            post: Post::CollegeDuty,
            account: two.clone(),
            backup: Some(one.clone()),
            from_us: monday + 2 * day,
            until_us: monday + 3 * day,
        };
        open(data.path()).await.cases().roster(&shift).await.expect("kept");
    });
    let moved = line("Z1", &numbers[1], &numbers[0], "2025-11-10 00:00", "2025-11-11 00:00");
    assert_eq!(shifts(&moved, "20251103"), 1);
    let (found, gaps) = seen();
    assert!(!found.contains(&whole) && found.contains(&(two.clone(), Some(one.clone()), monday, monday + day)), "{found:?}");
    assert!(found.contains(&(two, Some(one), monday + 2 * day, monday + 3 * day)) && gaps.len() <= 1, "{found:?} {gaps:?}");
}

#[test]
fn a_sheet_of_a_visit_is_filled_in_on_the_list_and_leaves_for_the_lake() {
    let mut server = Server::start();
    let document = Document::of(&server);
    let counselor = Desk::of(&server, &document, "counselor");
    let list = counselor.get("/lists/{list}", "/lists/visit");
    assert_eq!(
        (list["sheet"]["questions"].as_array().map(Vec::len), list["sheet"]["answers"].as_array().map(Vec::len)),
        (Some(3), Some(3))
    );
    let row =
        list["rows"].as_array().expect("rows").iter().find(|it| it["is_met"] == false).expect("somebody who was not met").clone();
    let sheet = |rest: &str, support: bool| json!({ "student_key": row["student_key"], "plan_on": row["plan_on"], "rest": rest, "study": "usual", "company": "not_raised", "is_support_needed": support });
    counselor.is_told(&counselor.send("/lists/visit/sheets", &sheet("bad", false)), 422, "no such answer");
    counselor.post("/lists/visit/sheets", "/lists/visit/sheets", &sheet("changed", true));
    // What comes second is a correction.
    counselor.post("/lists/visit/sheets", "/lists/visit/sheets", &sheet("usual", false));
    let list = counselor.get("/lists/{list}", "/lists/visit");
    let again = list["rows"]
        .as_array()
        .expect("rows")
        .iter()
        .find(|it| it["student_key"] == row["student_key"])
        .expect("the row")
        .clone();
    assert!(
        again["sheet_at"].is_string() && !again.to_string().contains("not_raised"),
        "that there is a sheet, and nothing of it: {again}"
    );
    // One tap, and whoever needs support is called within three days; a second tap is the same, and no case comes of it.
    let student = row["student_key"].as_str().expect("a key").to_owned();
    let before = counselor.get("/students/{student_key}/cases", &format!("/students/{student}/cases"));
    let after_visit = json!({ "student_key": student, "cause": "visit" });
    for _ in 0..2 {
        let owed = counselor.post("/follow-ups", "/follow-ups", &after_visit);
        let own = owed["rows"].as_array().expect("rows").iter().filter(|it| it["student_key"] == student.as_str());
        assert_eq!(own.filter(|it| it["cause"] == "visit").count(), 1, "{owed}");
    }
    let after = counselor.get("/students/{student_key}/cases", &format!("/students/{student}/cases"));
    assert_eq!(before["rows"], after["rows"]);
    let dated = json!({ "student_key": student, "cause": "visit", "from_on": "2025-11-01", "until_on": "2025-11-08" });
    counselor.is_told(&counselor.send("/follow-ups", &dated), 422, "dates that mean nothing here");
    // Somebody who is not in the plan, somebody else's plan, and whoever does not visit.
    let stranger = json!({ "student_key": "100000000000001", "plan_on": row["plan_on"], "rest": "usual", "study": "usual", "company": "usual", "is_support_needed": false });
    counselor.is_told(&counselor.send("/lists/visit/sheets", &stranger), 404, "a stranger");
    let other = Desk::of(&server, &document, "counselor2");
    other.is_told(&other.send("/lists/visit/sheets", &sheet("usual", false)), 404, "another's plan");
    for role in ["psychologist", "leader", "dorm_keeper"] {
        let desk = Desk::of(&server, &document, role);
        desk.is_told(&desk.send("/lists/visit/sheets", &sheet("usual", false)), 403, role);
    }
    assert_eq!(Desk::of(&server, &document, "psychologist").get("/lists/{list}", "/lists/visit")["sheet"], Value::Null);
    server.stop();
    let take = ["ingest", "visit_answer", "--now", "2025-11-01T20:00:00+08:00", "--input"];
    let (code, _, wrong) = said(yizhan(server.data.path(), &take).arg(demo().join("exports")));
    assert_eq!(code, 0, "{wrong}");
    let query = format!(
        "SELECT rest, is_support_needed FROM raw_visit_answer WHERE student_key = {} ORDER BY answer_no",
        row["student_key"].as_str().expect("a key")
    );
    let told = sql(server.data.path(), &query);
    assert_eq!(
        told.iter().map(|it| (&it["rest"], &it["is_support_needed"])).collect::<Vec<_>>(),
        [(&json!("changed"), &json!(true)), (&json!("usual"), &json!(false))]
    );
    let (code, _, wrong) = said(&mut yizhan(server.data.path(), &["transform", "--now", "2025-11-02T12:00:00+08:00"]));
    assert_eq!(code, 0, "{wrong}");
    let query = format!(
        "SELECT is_met FROM list_visit WHERE as_of_on = (SELECT max(as_of_on) FROM list_visit) AND student_key = {}",
        row["student_key"].as_str().expect("a key")
    );
    assert_eq!(sql(server.data.path(), &query)[0]["is_met"], true);
}

#[test]
fn the_nights_list_says_from_when_on_it_is_complete() {
    let server = Server::start();
    let document = Document::of(&server);
    let counselor = Desk::of(&server, &document, "counselor");
    let list = counselor.get("/lists/{list}", "/lists/unverified_absence");
    // The demonstration's last night is the 31st: complete from 23:30 in Shanghai, built at midnight.
    assert_eq!((&list["complete_from"], &list["built_at"]), (&json!("2025-10-31T15:30:00Z"), &json!("2025-10-31T16:00:00Z")));
    assert_eq!(list["is_complete"], true);
    // As late as what the marts take for closing, and half an hour.
    let days = std::fs::read_to_string(repository().join("sql/intermediate/int_student_day.sql")).expect("the file");
    assert!(days.contains("closing_minute  = 1410 "), "23:30 in minutes");
    // The register of the demonstration says the same hour of every building.
    let closing = sql(demo(), "SELECT DISTINCT closes_minute, closing_minute FROM int_building_closing");
    assert_eq!(closing, [json!({ "closes_minute": 1380, "closing_minute": 1410 })]);
    let other = "SELECT count(*) AS n FROM int_student_day WHERE dorm_direction_2330 IS DISTINCT FROM dorm_last_direction";
    assert_eq!(sql(demo(), other)[0]["n"], 0, "so the night is told as it would be without a register");
    assert!(!list["columns"].to_string().contains("complete_minute"), "a number for the screen's own use");
    for it in counselor.get("/lists", "/lists")["lists"].as_array().expect("lists") {
        let is_of_night = it["list"] == "unverified_absence";
        assert_eq!((it["complete_from"].is_string(), &it["is_complete"]), (is_of_night, &json!(true)), "{it}");
    }
    // A run that ended before says that it is not: nobody is missing for having been looked for too early.
    on_a_runtime(async {
        let runs = open(server.data.path()).await.runs();
        let id = runs.start("transform", NOW_US - 2 * HOUR_US).await.expect("begun");
        runs.finish(id, NOW_US - HOUR_US, 0, 0, 1.0, 0, store::RunResult::Ok, "").await.expect("ended");
    });
    let list = counselor.get("/lists/{list}", "/lists/unverified_absence");
    assert_eq!((&list["is_complete"], &list["built_at"]), (&json!(false), &json!("2025-10-31T15:00:00Z")));
}
