//! Care beside the steps of a case: records, weekly answers, sweeps, screenings, breaks and what follows a death.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use store::{Grant, NewAccount};
use tempfile::TempDir;

use crate::cases::{Desk, audited, thread, word};
use crate::casework::{NOW_US, on_a_runtime, open};
use crate::serve::{Document, Server};
use crate::support::{copy, demo, run, said, sql, yizhan};

const NOW: &str = "2025-11-01T00:00:00+08:00";

/// A copy of the demonstration with accounts of its own beside those of the demo; grants as `role:scope`.
pub(crate) fn with_accounts(accounts: &[(&str, Option<i64>, &[&str])]) -> TempDir {
    let data = TempDir::new().expect("a folder");
    copy(demo(), data.path(), &|_| true);
    on_a_runtime(async {
        let store = open(data.path()).await;
        for (account, person_key, grants) in accounts {
            let grant = |it: &&str| {
                let (role, scope) = it.split_once(':').expect("a role and a scope");
                Grant { role: role.to_owned(), scope: scope.to_owned() }
            };
            let grants = grants.iter().map(grant).collect();
            let new =
                NewAccount { account, password: Some("yizhan-demo"), display_name: account, person_key: *person_key, grants };
            store.accounts().create(new).await.expect("an account");
        }
        store.close().await;
    });
    data
}

fn serving(data: TempDir, settings: &[&str]) -> Server {
    let args = ["demo", "--students", "300", "--days", "61"];
    Server::on(data, &[&args[..], settings].concat())
}

/// Numbers of students by key, as the simulator knows them.
fn numbers(data: &Path) -> BTreeMap<String, String> {
    let truth = std::fs::read_to_string(data.join("exports/truth/students.csv")).expect("the students");
    let numbers = truth.lines().skip(1).filter_map(|it| it.split(',').next().map(str::to_owned));
    let keys = sql(data, "SELECT student_key FROM raw_student ORDER BY row_no");
    keys.iter().map(|it| it["student_key"].to_string()).zip(numbers).collect()
}

fn psych(desk: &Desk<'_>, student: &str, severity: &str) -> Value {
    desk.opens(student, "psych", "signal", json!({ "source": "hotline", "severity": severity }))
}

fn records(case: &Value) -> String {
    format!("/cases/{}/records", thread(case))
}

#[track_caller]
fn record(desk: &Desk<'_>, case: &Value, name: &str, fields: Value, note: Value) -> Value {
    let body = json!({ "record": name, "fields": fields, "note": note });
    desk.post("/cases/{thread_key}/records", &records(case), &body)
}

/// The instant at which casework is now.
fn now(desk: &Desk<'_>) -> Value {
    desk.get("/me", "/me")["now"].clone()
}

/// Whether bytes stand anywhere below a folder.
fn stands_in(folder: &Path, wanted: &[u8]) -> bool {
    std::fs::read_dir(folder).expect("a folder").any(|entry| {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            return stands_in(&path, wanted);
        }
        let bytes = std::fs::read(&path).unwrap_or_default();
        bytes.windows(wanted.len()).any(|it| it == wanted)
    })
}

#[test]
fn what_is_recorded_on_a_case_is_whoever_may_knows_and_nobody_elses() {
    let server = Server::start();
    let document = Document::of(&server);
    let (psychologist, counselor) = (Desk::of(&server, &document, "psychologist"), Desk::of(&server, &document, "counselor"));
    let other = Desk::of(&server, &document, "counselor2");
    let student = counselor.students().remove(0);
    let case = psych(&psychologist, &student, "3");
    let kinds = |case: &Value| -> Vec<String> {
        case["record_forms"].as_array().expect("forms").iter().map(|it| word(&it["act"])).collect()
    };
    assert!(kinds(&psychologist.case(&thread(&case))).contains(&"conference".to_owned()));
    let seen = counselor.case(&thread(&case));
    assert!(!kinds(&seen).contains(&"conference".to_owned()) && kinds(&seen).contains(&"break_plan".to_owned()), "{seen}");

    let note = "母亲说近来常与家里争吵";
    let talk = json!({ "at": now(&psychologist), "relation": "mother", "told": "wellbeing", "student_consented": true, "is_signed": false });
    let after = record(&psychologist, &case, "guardian_contact", talk.clone(), json!(note));
    assert_eq!((&after["records"][0]["note"], after["records"].as_array().expect("records").len()), (&json!(note), 1));
    assert_eq!(after["records"][0]["details"][1]["value_zh"], "母亲");
    let again = record(&psychologist, &case, "guardian_contact", talk.clone(), json!(note));
    assert_eq!(again["records"].as_array().expect("records").len(), 1, "sent twice, recorded once");

    let seen = counselor.case(&thread(&case));
    let shown = &seen["records"][0];
    assert_eq!((&shown["is_masked"], &shown["details"], &shown["note"]), (&json!(true), &json!([]), &Value::Null), "{shown}");
    assert!(!seen.to_string().contains(note));
    let met = json!({ "held": now(&counselor), "members": ["counselor", "psychologist"], "decision": "plan" });
    let body = |name: &str, fields: &Value| json!({ "record": name, "fields": fields });
    counselor.is_told(&counselor.send(&records(&case), &body("conference", &met)), 422, "a counselor's conference");
    let nobody = json!({ "held": now(&psychologist), "members": ["psychologist", "nobody"], "decision": "plan" });
    let refused = psychologist.send(&records(&case), &body("conference", &nobody));
    psychologist.is_told(&refused, 422, "somebody whom nobody knows");
    assert!(word(&refused.body["title"]).contains("nobody"), "{}", refused.body);
    other.is_told(&other.send(&records(&case), &body("guardian_contact", &talk)), 404, "somebody else's case");
    other.is_told(&other.send("/cases/99999/records", &body("guardian_contact", &talk)), 404, "no case");
    for account in ["student", "leader", "analyst"] {
        let desk = Desk::of(&server, &document, account);
        desk.is_told(&desk.send(&records(&case), &body("guardian_contact", &talk)), 403, account);
    }
    // Caution: from then on the counselor waits for the psychologist, who decides.
    record(&counselor, &case, "guardian", json!({ "guardian": "caution", "is_minor": false }), Value::Null);
    assert!(word(&counselor.case(&thread(&case))["family"]["text_zh"]).contains("须由心理教师决定"));
    counselor.is_told(&counselor.send(&records(&case), &body("guardian_contact", &talk)), 422, "undecided");
    record(&psychologist, &case, "guardian", json!({ "guardian": "caution", "is_minor": false, "choice": "call" }), Value::Null);
    record(&counselor, &case, "guardian_contact", talk, Value::Null);

    assert!(audited(&server, "counselor").contains(&format!("record case/{}/guardian", thread(&case))));
    assert!(!stands_in(server.data.path(), note.as_bytes()), "a note stands nowhere in the clear");
    for folder in ["lake", "closed"] {
        assert!(!stands_in(&server.data.path().join(folder), b"guardian_contact"), "records are none of the lake's");
    }
}

#[test]
fn a_return_plans_its_contacts_by_itself_and_once() {
    let server = Server::start();
    let document = Document::of(&server);
    let (psychologist, counselor) = (Desk::of(&server, &document, "psychologist"), Desk::of(&server, &document, "counselor"));
    let student = counselor.students().remove(1);
    let case = psych(&psychologist, &student, "2");
    let mut review = json!({ "has_certificate": true, "has_talk": true, "has_plan": true, "has_room": false, "decision": "return", "returns": "2025-11-01" });
    let wrong = psychologist.send(&records(&case), &json!({ "record": "return_review", "fields": review }));
    psychologist.is_told(&wrong, 422, "no room");
    assert_eq!(counselor.get("/follow-ups", "/follow-ups")["rows"], json!([]));
    review["has_room"] = json!(true);
    counselor.is_told(
        &counselor.send(&records(&case), &json!({ "record": "return_review", "fields": review })),
        422,
        "psychology's",
    );
    for _ in 0..2 {
        record(&psychologist, &case, "return_review", review.clone(), Value::Null);
    }
    record(&counselor, &case, "discharge", json!({ "discharged": "2025-11-01" }), Value::Null);
    let due = counselor.get("/follow-ups", "/follow-ups");
    let dates: Vec<&str> = due["rows"].as_array().expect("rows").iter().filter_map(|it| it["due_at"].as_str()).collect();
    assert_eq!(dates, ["2025-11-07T16:00:00Z", "2025-11-14T16:00:00Z"], "weeks 1 and 2, the responsible counselor's");
    assert_eq!(due["rows"][0]["student_key"], student.as_str());
}

#[test]
fn before_the_break_every_open_case_gets_somebody_and_a_rhythm() {
    let server = Server::start();
    let document = Document::of(&server);
    let counselor = Desk::of(&server, &document, "counselor");
    let case = psych(&counselor, &counselor.students().remove(2), "2");
    let list = counselor.get("/follow-ups/breaks", "/follow-ups/breaks");
    let (from, until) = (word(&list["from_on"]), word(&list["until_on"]));
    assert!(NOW[..10] < *from && from < until, "{from} {until}");
    let is_listed =
        |list: &Value| list["rows"].as_array().expect("rows").iter().any(|it| it["thread_key"] == thread(&case).as_str());
    assert!(is_listed(&list), "{list}");
    let plan = |every: i64| json!({ "owner": "counselor", "from": from, "until": until, "every_days": every });
    let wrong = counselor.send(&records(&case), &json!({ "record": "break_plan", "fields": plan(0) }));
    counselor.is_told(&wrong, 422, "no rhythm");
    record(&counselor, &case, "break_plan", plan(7), Value::Null);
    assert!(!is_listed(&counselor.get("/follow-ups/breaks", "/follow-ups/breaks")));
    let leader = Desk::of(&server, &document, "leader");
    leader.is_told(&leader.ask("/follow-ups/breaks"), 403, "a leader");
}

#[test]
fn a_room_answers_once_a_week_and_its_counselor_sees_who_has_not() {
    // Rooms and classes of the demo's counselor, whose account answers for two of them.
    let counselors = "SELECT counselor_key FROM dim_student WHERE counselor_key IS NOT NULL GROUP BY counselor_key ORDER BY count(*) DESC, counselor_key LIMIT 1";
    let rooms = sql(
        demo(),
        &format!(
            "SELECT min(room_id) AS room, min(class) AS class FROM dim_student WHERE as_of_on = (SELECT max(as_of_on) FROM dim_student) AND is_enrolled AND room_id IS NOT NULL AND counselor_key = ({counselors})"
        ),
    );
    let (room, class) = (word(&rooms[0]["room"]), word(&rooms[0]["class"]));
    let (head, rep) = (format!("dorm_head:room:{room}"), format!("class_rep:class:{class}"));
    let data = with_accounts(&[("zhang", None, &["student:own", &head]), ("rep", None, &[&rep])]);
    let server = serving(data, &[]);
    let document = Document::of(&server);
    let counselor = Desk::of(&server, &document, "counselor");
    let (zhang, rep) = (Desk::of(&server, &document, "zhang"), Desk::of(&server, &document, "rep"));
    let week = |desk: &Desk<'_>| desk.get("/observations/week", "/observations/week");
    let own = week(&zhang);
    assert_eq!(own["mine"].as_array().expect("posts").len(), 1, "whatever role is active");
    assert_eq!((&own["mine"][0]["kind"], &own["mine"][0]["name"], &own["watched"]), (&json!("room"), &json!(room), &Value::Null));
    let missing = |watched: &Value, scope: &str| {
        watched["watched"]["missing"].as_array().expect("places").iter().find(|it| it["scope"] == scope).cloned()
    };
    let before = week(&counselor);
    let place = missing(&before, &format!("room:{room}")).expect("not answered yet");
    assert_eq!((&place["has_post"], &before["mine"]), (&json!(true), &json!([])));

    let answer = |scope: &str, is_nothing: bool| json!({ "scope": scope, "is_nothing": is_nothing });
    let path = "/observations/week";
    zhang.is_told(&zhang.send(path, &answer(&format!("class:{class}"), true)), 403, "a class that is not theirs");
    counselor.is_told(&counselor.send(path, &answer(&format!("room:{room}"), true)), 403, "a counselor's answer");
    let refused = zhang.send(path, &answer(&format!("room:{room}"), false));
    zhang.is_told(&refused, 422, "something, but nothing written");
    for _ in 0..2 {
        let after = zhang.post(path, path, &answer(&format!("room:{room}"), true));
        assert_eq!(after["mine"][0]["answer_zh"], "本周无情况", "nothing to report is an answer");
    }
    let after = week(&counselor);
    assert_eq!(missing(&after, &format!("room:{room}")), None);
    assert_eq!(after["watched"]["answered_n"].as_i64(), before["watched"]["answered_n"].as_i64().map(|it| it + 1));
    assert_eq!(week(&Desk::of(&server, &document, "counselor2"))["watched"]["answered_n"], json!(0), "not theirs");

    // Something was seen: the report first, then the answer counts it and says nothing of it.
    let number = numbers(server.data.path()).into_values().next().expect("a number");
    rep.post("/observations", "/observations", &json!({ "student_no": number, "signs": ["withdrawn"], "text": "" }));
    let answered = rep.post(path, path, &answer(&format!("class:{class}"), false));
    assert_eq!(answered["mine"][0]["answer_zh"], "本周上报1条");
    rep.is_told(&rep.ask("/cases"), 403, "a class representative reads nothing");
    assert_eq!(missing(&week(&counselor), &format!("class:{class}")), None);
}

#[test]
fn a_sweep_asks_for_every_student_and_psychology_sees_counts() {
    let server = Server::start();
    let document = Document::of(&server);
    let (psychologist, counselor) = (Desk::of(&server, &document, "psychologist"), Desk::of(&server, &document, "counselor"));
    let sweep = json!({ "term": "2025-2026-1", "moment": "mid_term", "due_on": "2025-11-20" });
    counselor.is_told(&counselor.send("/sweeps", &sweep), 403, "a counselor opens none");
    let opened = psychologist.post("/sweeps", "/sweeps", &sweep);
    assert_eq!(psychologist.post("/sweeps", "/sweeps", &sweep)["rows"].as_array().expect("rows").len(), 1, "once");
    let key = word(&opened["rows"][0]["sweep_key"]);
    let path = format!("/sweeps/{key}");
    let own = counselor.get("/sweeps/{sweep_key}", &path);
    let rows = own["rows"].as_array().expect("rows");
    let free: Vec<String> =
        rows.iter().filter(|it| it["is_in_care"] == false).map(|it| word(&it["student_key"])).take(3).collect();
    assert!(rows[0]["student"]["name"].is_string() && free.len() == 3, "{own}");
    let answers = format!("{path}/answers");
    let answer = |students: &[String], code: &str| json!({ "student_keys": students, "answer": code, "kind": "academic" });
    counselor.is_told(&counselor.send(&answers, &answer(&free[..1], "in_care")), 422, "nobody follows up");
    counselor.is_told(&counselor.send(&answers, &answer(&free, "case_opened")), 422, "cases are opened one by one");
    let other = Desk::of(&server, &document, "counselor2");
    other.is_told(&other.send(&answers, &answer(&free[..1], "nothing_seen")), 422, "somebody else's student");
    for _ in 0..2 {
        counselor.post("/sweeps/{sweep_key}/answers", &answers, &answer(&free[..2], "nothing_seen"));
        counselor.post("/sweeps/{sweep_key}/answers", &answers, &answer(&free[2..], "case_opened"));
    }
    let cases = counselor.get("/students/{student_key}/cases", &format!("/students/{}/cases", free[2]));
    assert_eq!((cases["rows"].as_array().expect("rows").len(), &cases["rows"][0]["version"]), (1, &json!(1)), "{cases}");
    let head = &counselor.get("/sweeps", "/sweeps")["rows"][0];
    assert_eq!((&head["answered_n"], &head["progress"]), (&json!(3), &json!([])));
    let seen = psychologist.get("/sweeps", "/sweeps");
    let mine = seen["rows"][0]["progress"].as_array().expect("counts").iter().find(|it| it["account"] == "counselor").cloned();
    let mine = mine.expect("the counselor");
    assert_eq!((&mine["answered_n"], &mine["nothing_n"], &mine["opened_n"]), (&json!(3), &json!(2), &json!(1)));
    assert!(free.iter().all(|it| !seen.to_string().contains(it)), "counts, and nobody");
    assert_eq!(psychologist.get("/sweeps/{sweep_key}", &path)["rows"], json!([]));
}

#[test]
fn scores_are_sealed_wrong_lines_come_back_and_the_month_hides_what_is_small() {
    let server = Server::start();
    let document = Document::of(&server);
    let psychologist = Desk::of(&server, &document, "psychologist");
    let known: Vec<String> = numbers(server.data.path()).into_values().take(3).collect();
    let campaign = |talked: i64| json!({ "name": "新生普查", "consent_version": "2025-1", "due_n": 300, "done_n": 200, "to_talk_n": 12, "talked_n": talked });
    psychologist.is_told(&psychologist.send("/screenings", &campaign(13)), 422, "more talked to than to be");
    let kept = psychologist.post("/screenings", "/screenings", &campaign(5));
    assert_eq!((&kept["rows"][0]["talked_n"], &kept["rows"][0]["score_n"]), (&json!(5), &json!(0)));
    // The name as an address writes it.
    let scores = "/screenings/%E6%96%B0%E7%94%9F%E6%99%AE%E6%9F%A5/scores";
    let csv = format!(
        "学号,得分\n{},7319.0625\n20999999,61\n{},many\n{}\t58.5\n{},12\n{}\n",
        known[0], known[1], known[1], known[0], known[2]
    );
    for _ in 0..2 {
        let taken = psychologist.post("/screenings/{name}/scores", scores, &json!({ "csv": csv }));
        let lines: Vec<i64> = taken["wrong"].as_array().expect("lines").iter().filter_map(|it| it["line"].as_i64()).collect();
        assert_eq!((&taken["taken_n"], lines), (&json!(2), vec![3, 4, 6, 7]), "{taken}");
        assert!(!taken.to_string().contains("7319.0625") && !taken.to_string().contains(&known[1]), "a reason repeats nothing");
    }
    assert_eq!(psychologist.get("/screenings", "/screenings")["rows"][0]["score_n"], 2, "nothing twice");
    let look = "/screenings/%E6%96%B0%E7%94%9F%E6%99%AE%E6%9F%A5/look";
    let one = psychologist.post("/screenings/{name}/look", look, &json!({ "student_no": known[0] }));
    assert_eq!(one["score"], "7319.0625");
    assert!(audited(&server, "psychologist").iter().any(|it| it.ends_with("/screening_score")), "every look is written down");
    assert!(!stands_in(server.data.path(), b"7319.0625"), "a score stands nowhere in the clear");
    for account in ["counselor", "student", "leader", "analyst", "administrator"] {
        let desk = Desk::of(&server, &document, account);
        desk.is_told(&desk.ask("/screenings"), 403, account);
        desk.is_told(&desk.send(scores, &json!({ "csv": csv })), 403, account);
        desk.is_told(&desk.send(look, &json!({ "student_no": known[0] })), 403, account);
        desk.is_told(&desk.ask("/screenings/month"), 403, account);
    }
    psych(&psychologist, &Desk::of(&server, &document, "counselor").students()[3], "2");
    let month = psychologist.get("/screenings/month", "/screenings/month?month=2025-11");
    let figure = |name: &str| {
        month["figures"].as_array().expect("figures").iter().find(|it| it["figure"] == name).expect("one")["n"].clone()
    };
    assert_eq!((figure("opened"), figure("crises")), (Value::Null, Value::Null), "below ten");
    let all: Vec<i64> = month["figures"].as_array().expect("figures").iter().filter_map(|it| it["n"].as_i64()).collect();
    assert!(all.iter().all(|it| 10 <= *it), "{month}");
    psychologist.is_told(&psychologist.ask("/screenings/month?month=now"), 400, "no month");
}

#[test]
fn after_a_death_nothing_of_the_student_is_shown_but_to_two_and_those_around_are_cared_for() {
    let keys = sql(
        demo(),
        "SELECT student_key, room_id, class FROM dim_student WHERE as_of_on = (SELECT max(as_of_on) FROM dim_student) AND room_id IS NOT NULL AND counselor_key = (SELECT counselor_key FROM dim_student WHERE counselor_key IS NOT NULL GROUP BY counselor_key ORDER BY count(*) DESC, counselor_key LIMIT 1) ORDER BY student_key LIMIT 1",
    );
    let (key, room, class) =
        (keys[0]["student_key"].as_i64().expect("a key"), word(&keys[0]["room_id"]), word(&keys[0]["class"]));
    let data = with_accounts(&[("gone", Some(key), &["student:own"]), ("sun", None, &["counselor:assigned"])]);
    let server = serving(data, &["--set", "casework.death_by=[\"psychologist\", \"gao\"]"]);
    let document = Document::of(&server);
    let (psychologist, counselor) = (Desk::of(&server, &document, "psychologist"), Desk::of(&server, &document, "counselor"));
    let gone = Desk::of(&server, &document, "gone");
    assert_eq!(gone.ask("/me").status, 200);
    let student = key.to_string();
    let case = psych(&counselor, &student, "2");
    record(&counselor, &case, "discharge", json!({ "discharged": "2025-10-25" }), Value::Null);
    let is_listed = |desk: &Desk<'_>| desk.ask("/students?limit=500").body.to_string().contains(&student);
    assert!(is_listed(&counselor) && is_listed(&psychologist));
    assert_ne!(counselor.get("/follow-ups", "/follow-ups")["rows"], json!([]));

    let number = numbers(server.data.path()).remove(&student).expect("a number");
    let death = |reader_1: &str, reader_2: &str| json!({ "student_no": number, "died_on": "2025-10-31", "reader_1": reader_1, "reader_2": reader_2 });
    for account in ["counselor", "leader", "administrator"] {
        let desk = Desk::of(&server, &document, account);
        desk.is_told(&desk.send("/deaths", &death("psychologist", "sun")), 403, account);
        desk.is_told(&desk.ask("/deaths"), 403, account);
    }
    psychologist.is_told(&psychologist.send("/deaths", &death("sun", "sun")), 422, "two persons");
    psychologist.is_told(&psychologist.send("/deaths", &death("sun", "nobody")), 422, "nobody");
    let entered = psychologist.post("/deaths", "/deaths", &death("psychologist", "sun"));
    assert_eq!((&entered["rows"][0]["student_key"], &entered["rows"][0]["is_care_planned"]), (&json!(student), &json!(false)));
    psychologist.is_told(&psychologist.send("/deaths", &death("psychologist", "sun")), 422, "entered already");

    assert!(!is_listed(&counselor), "lists");
    for path in
        [format!("/students/{student}/portrait"), format!("/students/{student}/record"), format!("/cases/{}", thread(&case))]
    {
        counselor.is_told(&counselor.ask(&path), 404, &path);
    }
    assert!(!counselor.ask("/warnings?limit=500").body.to_string().contains(&student));
    assert!(!counselor.ask("/cases?limit=500").body.to_string().contains(&student));
    for list in counselor.ask("/lists").body["lists"].as_array().expect("lists") {
        assert!(!counselor.ask(&format!("/lists/{}", word(&list["list"]))).body.to_string().contains(&student), "{list}");
    }
    assert_eq!(counselor.get("/follow-ups", "/follow-ups")["rows"], json!([]), "contacts");
    assert_eq!(gone.ask("/me").status, 401, "the student's account is shut");
    assert!(is_listed(&psychologist), "one of the two who may look");
    assert_eq!(psychologist.case(&thread(&case))["acts"], json!([]));
    psychologist.is_told(
        &psychologist.send(&records(&case), &json!({ "record": "discharge", "fields": { "discharged": "2025-10-31" } })),
        422,
        "stopped",
    );
    let signal = json!({ "student_key": student, "kind": "academic", "act": "signal", "fields": { "source": "superior", "severity": "1" } });
    counselor.is_told(&counselor.send("/cases", &signal), 422, "nothing begins any more");

    // The night plans the care for those around, once.
    for expected in [true, false] {
        let (code, lines, wrong) = said(&mut yizhan(server.data.path(), &["cases", "tick", "--format", "json", "--now", NOW]));
        assert_eq!(code, 0, "{wrong}");
        assert_eq!(0 < lines[0]["cared_n"].as_i64().expect("a count"), expected, "{}", lines[0]);
    }
    assert_eq!(psychologist.get("/deaths", "/deaths")["rows"][0]["is_care_planned"], true);
    let around = sql(
        server.data.path(),
        &format!(
            "SELECT count(*) AS n FROM dim_student WHERE as_of_on = (SELECT max(as_of_on) FROM dim_student) AND student_key <> {key} AND (room_id = '{room}' OR class = '{class}')"
        ),
    );
    let around = around[0]["n"].as_i64().expect("a count");
    let planned = on_a_runtime(async {
        let store = open(server.data.path()).await;
        let mut all = Vec::new();
        for account in ["counselor", "counselor2", "psychologist"] {
            all.extend(store.cases().follow_ups(account, NOW_US + 100 * 86_400_000_000, 500).await.expect("contacts"));
        }
        all.retain(|it| it.cause == store::FollowUpCause::Postvention);
        let (students, colleagues): (Vec<_>, Vec<_>) = all.into_iter().partition(|it| matches!(it.with, store::With::Student(_)));
        [students.len(), colleagues.len()].map(|it| i64::try_from(it).expect("a count"))
    });
    assert_eq!(planned[0], 3 * around, "room-mates and class, in weeks 2, 4 and 12");
    assert_eq!(planned[1] % 3, 0, "and whoever was on duty: {planned:?}");
}

#[test]
fn who_has_died_is_counted_nowhere_from_that_day_on_and_stays_in_what_was() {
    let data = with_accounts(&[]);
    let data = data.path();
    let on = |day: &str, table: &str, what: &str| {
        sql(data, &format!("SELECT count(*) AS n FROM {table} WHERE as_of_on = DATE '{day}' AND {what}"))[0]["n"]
            .as_i64()
            .expect("a count")
    };
    let counted = |day: &str| {
        let of = "SELECT student_n FROM cockpit_warning WHERE scope = 'university' AND as_of_on";
        sql(data, &format!("{of} = DATE '{day}'"))[0]["student_n"].as_i64().expect("a count")
    };
    // Somebody who stands on lists, with an offer if there is one.
    let key = sql(
        data,
        "SELECT resident.student_key FROM list_resident AS resident INNER JOIN list_visit AS visit \
         ON visit.student_key = resident.student_key AND visit.as_of_on = resident.as_of_on \
         WHERE resident.as_of_on = DATE '2025-10-31' ORDER BY 1 LIMIT 1",
    );
    let key = key[0]["student_key"].as_i64().expect("somebody");
    on_a_runtime(async {
        let store = open(data).await;
        let readers = ["psychologist".to_owned(), "counselor".to_owned()];
        // 2025-10-31, in days since 1970; entered on the morning after.
        let death = store::NewDeath { student_key: key, died_day: 20_392, readers };
        let who = store::Who { account: "psychologist".to_owned(), role: casework::Role::Psychologist };
        let at = NOW_US + 9 * 3_600_000_000;
        store.cases().die(&death, &who, true, &casework::Rules::default(), at).await.expect("entered");
        let facts = store.cases().outbox("student_departure", 0, 10).await.expect("facts");
        let body: Value = serde_json::from_str(&facts[0].body).expect("JSON");
        assert_eq!(body, json!({ "student_key": key, "gone_on": "2025-10-31", "at": at }), "not who entered it, and no reader");
        store.close().await;
    });
    // A date is told by what was known when its day began: what is taken in on the evening counts from the next one on.
    let evening = ["ingest", "student_departure", "--now", "2025-11-01T20:00:00+08:00", "--input"];
    let (code, _, wrong) = said(yizhan(data, &evening).arg(data.join("exports")));
    assert_eq!(code, 0, "{wrong}");
    run(data, &data.join("exports"), "2025-11-02T05:10:00+08:00");
    let own = format!("student_key = {key}");
    assert_eq!((on("2025-11-01", "dim_student", &own), on("2025-11-02", "dim_student", &own)), (1, 0));
    assert_eq!(counted("2025-11-02"), counted("2025-11-01") - 1, "the cockpit");
    assert!(0 < on("2025-11-01", "fct_night", &own) && on("2025-11-02", "fct_night", &own) == 0, "who is due back");
    for list in ["list_resident", "list_visit", "list_class_absence", "list_leave_not_returned", "list_unverified_absence"] {
        assert_eq!(on("2025-11-02", list, &own), 0, "{list}");
        assert!(list != "list_resident" || on("2025-11-01", list, &own) == 1, "what was stays as it was");
    }
    assert_eq!(on("2025-11-02", "warning_student", &own), 0, "nobody has hours for an offer about them");
    // Whoever has only figures and pseudonyms learns nothing of it.
    for account in ["analyst", "leader", "counselor"] {
        let (code, _, _) = said(&mut yizhan(data, &["sql", "SELECT count(*) FROM stg_student_departure", "--as", account]));
        let (_, rows, _) = said(&mut yizhan(
            data,
            &["sql", "SELECT count(*) AS n FROM stg_student_departure", "--as", account, "--format", "json"],
        ));
        assert!(code != 0 || rows[0]["n"] == 0, "{account} reads of deaths: {rows:?}");
    }
}
