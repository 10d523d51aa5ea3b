//! Casework over HTTP: the work list, steps and their refusals, who sees how much, observations, hand-overs, the roster.

use serde_json::{Value, json};

use crate::serve::{Answer, Document, Server};
use crate::support::{output, sql};

/// Somebody at work: a session, and the document that every answer is held against.
pub(crate) struct Desk<'a> {
    pub(crate) server: &'a Server,
    document: &'a Document,
    cookie: String,
}

impl<'a> Desk<'a> {
    pub(crate) fn of(server: &'a Server, document: &'a Document, account: &str) -> Self {
        Self { server, document, cookie: server.login(account) }
    }

    pub(crate) fn ask(&self, path: &str) -> Answer {
        self.server.get(&format!("/api/v1{path}"), Some(&self.cookie))
    }

    pub(crate) fn send(&self, path: &str, body: &Value) -> Answer {
        let headers = [("x-yizhan", "1"), ("cookie", self.cookie.as_str())];
        self.server.post(&format!("/api/v1{path}"), &headers, body)
    }

    /// Reads what must be there; `named` is the path as the document writes it.
    #[track_caller]
    pub(crate) fn get(&self, named: &str, path: &str) -> Value {
        let answer = self.ask(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        let schema = self.document.answer(&format!("/api/v1{named}"), "get").expect("a schema");
        self.document.check(schema, &answer.body, path);
        answer.body
    }

    #[track_caller]
    pub(crate) fn post(&self, named: &str, path: &str, body: &Value) -> Value {
        let answer = self.send(path, body);
        assert_eq!(answer.status, 200, "{path} {body}: {}", answer.body);
        let schema = self.document.answer(&format!("/api/v1{named}"), "post").expect("a schema");
        self.document.check(schema, &answer.body, path);
        answer.body
    }

    #[track_caller]
    pub(crate) fn case(&self, key: &str) -> Value {
        self.get("/cases/{thread_key}", &format!("/cases/{key}"))
    }

    /// Opens a case and returns it.
    #[track_caller]
    pub(crate) fn opens(&self, student: &str, kind: &str, act: &str, fields: Value) -> Value {
        self.post("/cases", "/cases", &json!({ "student_key": student, "kind": kind, "act": act, "fields": fields }))
    }

    /// Does something on the newest version.
    #[track_caller]
    pub(crate) fn does(&self, case: &Value, act: &str, fields: Value) -> Value {
        let (key, version) = (thread(case), &self.case(&thread(case))["row"]["version"]);
        let body = json!({ "seen_version": version, "act": act, "fields": fields });
        self.post("/cases/{thread_key}/steps", &format!("/cases/{key}/steps"), &body)
    }

    /// Tries something on the newest version that must not be done; returns the sentence.
    #[track_caller]
    pub(crate) fn is_refused(&self, case: &Value, act: &str, fields: Value) -> String {
        let (key, version) = (thread(case), &self.case(&thread(case))["row"]["version"]);
        let answer = self.send(&format!("/cases/{key}/steps"), &json!({ "seen_version": version, "act": act, "fields": fields }));
        self.document.check_problem(&answer, 422, act);
        answer.body["title"].as_str().expect("a sentence").to_owned()
    }

    #[track_caller]
    pub(crate) fn is_told(&self, answer: &Answer, status: u16, what: &str) {
        self.document.check_problem(answer, status, what);
    }

    /// Keys of students in the reader's scope of whom there is no case.
    pub(crate) fn students(&self) -> Vec<String> {
        let page = self.ask("/students?limit=60").body;
        let keys = page["rows"].as_array().expect("rows").iter().map(|it| word(&it["student_key"]));
        let none = json!({ "rows": [], "others": [] });
        keys.filter(|it| self.ask(&format!("/students/{it}/cases")).body == none).take(10).collect()
    }
}

pub(crate) fn word(it: &Value) -> String {
    it.as_str().expect("text").to_owned()
}

pub(crate) fn thread(case: &Value) -> String {
    word(&case["row"]["thread_key"])
}

pub(crate) fn acts(case: &Value) -> Vec<String> {
    case["acts"].as_array().expect("acts").iter().map(|it| word(&it["act"])).collect()
}

fn primary(case: &Value) -> Value {
    let found = case["acts"].as_array().expect("acts").iter().find(|it| it["is_primary"] == true);
    found.map_or(Value::Null, |it| it["act"].clone())
}

fn choices(case: &Value, act: &str, field: &str) -> Vec<String> {
    let form = case["acts"].as_array().expect("acts").iter().find(|it| it["act"] == act).expect("the act");
    let field = form["fields"].as_array().expect("fields").iter().find(|it| it["field"] == field).expect("the field");
    field["choices"].as_array().expect("choices").iter().map(|it| word(&it["code"])).collect()
}

/// What the audit log holds of an account, oldest first: what was done to what.
pub(crate) fn audited(server: &Server, account: &str) -> Vec<String> {
    let query = "import sqlite3, sys; rows = sqlite3.connect(f'file:{sys.argv[1]}?mode=ro', uri=True).execute(\
                 'SELECT action, resource FROM audit_event WHERE actor = ? ORDER BY seq', [sys.argv[2]]); \
                 print('\\n'.join(' '.join(row) for row in rows))";
    let file = server.data.path().join("store/yizhan.sqlite");
    let out = output(std::process::Command::new("python3").args(["-c", query]).arg(file).arg(account));
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).lines().map(str::to_owned).collect()
}

#[test]
fn every_read_and_every_step_of_a_case_is_written_down() {
    let server = Server::start();
    let document = Document::of(&server);
    let (counselor, other) = (Desk::of(&server, &document, "counselor"), Desk::of(&server, &document, "counselor2"));
    // Somebody of whom the data offer something: the case shows what, of its own kind.
    let offered = counselor.ask("/warnings?limit=1").body["rows"][0].clone();
    let (student, kind) = (word(&offered["student_key"]), word(&offered["thread"]));
    let case = counselor.opens(&student, &kind, "signal", json!({ "source": "superior", "severity": "1" }));
    let key = thread(&case);
    let shown: Vec<&Value> = case["notices"].as_array().expect("notices").iter().map(|it| &it["warning_id"]).collect();
    assert_eq!(shown, [&offered["warning_id"]]);
    counselor.case(&key);
    counselor.get("/cases", &format!("/cases?kind={kind}"));
    counselor.get("/students/{student_key}/cases", &format!("/students/{student}/cases"));
    counselor.does(&case, "signal", json!({ "source": "hotline", "severity": "1" }));
    other.is_told(&other.ask(&format!("/cases/{key}")), 404, "somebody else's case");

    let own: Vec<String> = audited(&server, "counselor").into_iter().filter(|it| !it.starts_with("query ")).collect();
    for expected in [
        format!("open student/{student}/case/{kind}/signal"),
        format!("read case/{key}"),
        format!("read student/{student}/cases"),
        format!("step case/{key}/signal"),
    ] {
        assert!(own.contains(&expected), "{expected} is not in {own:#?}");
    }
    assert!(own.iter().any(|it| it.starts_with("read cases/") && it.contains(&key)), "{own:#?}");
    assert!(audited(&server, "counselor2").contains(&format!("read case/{key}")), "a try is written down too");
}

#[test]
fn a_case_is_worked_step_by_step_and_severity_2_never_closes_by_shortcut() {
    let server = Server::start();
    let document = Document::of(&server);
    let counselor = Desk::of(&server, &document, "counselor");
    let student = counselor.students().remove(0);
    let before = counselor.get("/cases", "/cases")["counts"].clone();
    let case = counselor.opens(&student, "academic", "signal", json!({ "source": "superior", "severity": "2" }));
    let key = thread(&case);
    assert_eq!((&case["sight"], &case["row"]["state"], &case["row"]["version"]), (&json!("full"), &json!("new"), &json!(1)));
    assert_eq!(case["row"]["severity"], json!({ "level": 2, "label_zh": "三级", "label_en": "third level", "colour": "yellow" }));
    assert!(case["row"]["student"]["name"].is_string() && case["row"]["student"]["unnamed_zh"].is_null(), "{case}");
    assert_eq!(primary(&case), "claim");

    let page = counselor.get("/cases", "/cases?kind=academic&state=new&limit=500");
    let row = page["rows"].as_array().expect("rows").iter().find(|it| it["thread_key"] == key.as_str());
    assert_eq!(row, Some(&case["row"]), "{page}");
    let due = |it: &Value| it["due_at"].as_str().unwrap_or("9999").to_owned();
    let all = counselor.get("/cases", "/cases?limit=500");
    let dues: Vec<String> = all["rows"].as_array().expect("rows").iter().map(due).collect();
    assert!(dues.is_sorted(), "{dues:?}");
    let count = |of: &Value, name: &str| of[name].as_i64().expect("a count");
    assert_eq!(count(&all["counts"], "open_n"), count(&before, "open_n") + 1);
    assert_eq!(count(&all["counts"], "new_n"), count(&before, "new_n") + 1);

    let claimed = counselor.does(&case, "claim", json!({}));
    assert_eq!((&claimed["row"]["is_mine"], primary(&claimed)), (&json!(true), json!("contact")));
    let mine = counselor.get("/cases", "/cases?mine=true");
    assert!(mine["rows"].as_array().expect("rows").iter().any(|it| it["thread_key"] == key.as_str()));

    // Two people looked at the same version: the second is told what the first did, and nothing was added.
    let steps = format!("/cases/{key}/steps");
    let contact = json!({ "seen_version": 1, "act": "contact", "fields": { "reached": "phone" }, "note": "约了明天" });
    let stale = counselor.send(&steps, &contact);
    counselor.is_told(&stale, 409, "a stale edit");
    assert!(word(&stale.body["title"]).contains("您编辑期间：counselor 认领"), "{}", stale.body);
    assert_eq!(counselor.case(&key)["row"]["version"], 2);

    let refused = counselor.is_refused(&case, "assess", json!({ "severity": "2" }));
    assert!(refused.contains("contact"), "it says what comes first: {refused}");
    counselor.is_refused(&case, "contact", json!({ "reached": "gate_only" }));
    counselor.is_refused(&case, "escalate", json!({}));
    counselor.is_refused(&case, "contact", json!({ "reached": "by_pigeon" }));
    let contacted = counselor.post(
        "/cases/{thread_key}/steps",
        &steps,
        &json!({ "seen_version": 2, "act": "contact", "fields": { "reached": "phone" }, "reason": "as_agreed", "note": "约了明天" }),
    );
    let last = contacted["history"].as_array().expect("steps").last().expect("a step").clone();
    assert_eq!((&last["step"], &last["note"], &last["reason"]), (&json!("contacted"), &json!("约了明天"), &json!("as_agreed")));
    assert_eq!(last["details"][0]["value_zh"], "本人电话");
    let assessed = counselor.does(&case, "assess", json!({ "severity": "2" }));
    assert_eq!(primary(&assessed), "plan");
    let close = |how: &str| json!({ "outcome": "needed_support", "reached": "in_person", "how": how });
    assert!(!acts(&assessed).contains(&"close".to_owned()));
    for how in ["shortcut", "bulk", "single"] {
        counselor.is_refused(&case, "close", close(how));
    }
    counselor.does(&case, "plan", json!({}));
    let reviewed = counselor.does(&case, "review", json!({ "is_quiet": true }));
    assert_eq!(choices(&reviewed, "close", "how"), ["single"]);
    counselor.is_refused(&case, "close", close("shortcut"));
    let closed = counselor.does(&case, "close", close("single"));
    assert_eq!((&closed["row"]["state"], &closed["acts"]), (&json!("closed"), &json!([])));
    let of_student = counselor.get("/students/{student_key}/cases", &format!("/students/{student}/cases"));
    assert!(
        of_student["rows"].as_array().expect("rows").iter().any(|it| it["state"] == "closed" && it["thread_key"] == key.as_str())
    );
}

#[test]
fn a_grave_case_is_priority_care_to_a_counselor_and_nothing_to_a_student() {
    let server = Server::start();
    let document = Document::of(&server);
    let psychologist = Desk::of(&server, &document, "psychologist");
    let counselor = Desk::of(&server, &document, "counselor");
    let other = Desk::of(&server, &document, "counselor2");
    let students = counselor.students();
    let student = &students[1];
    let case = psychologist.opens(student, "psych", "signal", json!({ "source": "hotline", "severity": "3" }));
    let key = thread(&case);
    assert_eq!((&case["row"]["severity"]["level"], &case["row"]["severity"]["label_zh"]), (&json!(3), &json!("二级")));
    let note = "谈话要点：与室友有约定";
    let claim = json!({ "seen_version": 1, "act": "claim", "note": note });
    psychologist.post("/cases/{thread_key}/steps", &format!("/cases/{key}/steps"), &claim);
    assert!(psychologist.case(&key).to_string().contains(note));

    let seen = counselor.case(&key);
    let shown = json!({ "level": null, "label_zh": "重点关怀", "label_en": "priority care", "colour": null });
    assert_eq!((&seen["row"]["severity"], &seen["sight"]), (&shown, &json!("full")));
    assert!(!seen.to_string().contains(note), "{seen}");
    assert!(!seen.to_string().contains("二级"), "{seen}");
    for step in seen["history"].as_array().expect("steps") {
        assert_eq!((&step["note"], &step["details"]), (&Value::Null, &json!([])), "{step}");
    }
    assert!(acts(&seen).contains(&"declare".to_owned()), "{:?}", acts(&seen));
    for act in ["assess", "set_severity", "close", "grant_to"] {
        assert!(!acts(&seen).contains(&act.to_owned()), "{act} is psychology's");
    }
    counselor.is_refused(&case, "set_severity", json!({ "severity": "1" }));
    let row = counselor.get("/cases", "/cases?kind=psych&limit=500");
    let row = row["rows"].as_array().expect("rows").iter().find(|it| it["thread_key"] == key.as_str()).cloned();
    assert_eq!(row.expect("in the list")["severity"], shown);

    // Whose student it is not hears that there is no such case, as of one that was never opened.
    let (hidden, nothing) = (other.ask(&format!("/cases/{key}")), other.ask("/cases/99999"));
    other.is_told(&hidden, 404, "somebody else's case");
    assert_eq!(hidden.body, nothing.body);
    let step = json!({ "seen_version": 2, "act": "declare", "fields": {} });
    other.is_told(&other.send(&format!("/cases/{key}/steps"), &step), 404, "a step on it");
    let none = other.get("/students/{student_key}/cases", &format!("/students/{student}/cases"));
    assert_eq!(none, json!({ "rows": [], "others": [] }));

    for account in ["student", "leader", "analyst", "administrator"] {
        let desk = Desk::of(&server, &document, account);
        for path in ["/cases".to_owned(), format!("/cases/{key}"), format!("/students/{student}/cases"), "/follow-ups".to_owned()]
        {
            desk.is_told(&desk.ask(&path), 403, &format!("{account} {path}"));
        }
        let body = json!({ "student_key": student, "kind": "psych", "act": "signal", "fields": { "source": "hotline", "severity": "1" } });
        desk.is_told(&desk.send("/cases", &body), 403, account);
    }
    // A case of studies is another profession's to the psychologist: not its kind, not its key.
    counselor.opens(student, "academic", "signal", json!({ "source": "superior", "severity": "1" }));
    let seen = psychologist.get("/students/{student_key}/cases", &format!("/students/{student}/cases"));
    assert!(
        seen["others"]
            .as_array()
            .expect("others")
            .contains(&json!({ "text_zh": "有其他专业跟进", "text_en": "another profession follows up" }))
    );
    assert!(seen["rows"].as_array().expect("rows").iter().all(|it| it["kind"] != "academic"), "{seen}");
    assert_eq!(psychologist.case(&key)["others"].as_array().expect("others").len(), 1);
}

#[test]
fn what_somebody_saw_comes_in_and_its_writer_reads_only_the_answer() {
    let server = Server::start();
    let document = Document::of(&server);
    let (writer, counselor) = (Desk::of(&server, &document, "student"), Desk::of(&server, &document, "counselor"));
    let psychologist = Desk::of(&server, &document, "psychologist");
    let truth = std::fs::read_to_string(server.data.path().join("exports/truth/students.csv")).expect("the students");
    let numbers = truth.lines().skip(1).filter_map(|it| it.split(',').next());
    let keys = sql(server.data.path(), "SELECT student_key FROM raw_student ORDER BY row_no");
    let mut number_of: std::collections::BTreeMap<String, &str> =
        keys.iter().map(|it| it["student_key"].to_string()).zip(numbers).collect();
    let (student, second) = (&counselor.students()[2], &counselor.students()[3]);
    let (number, second_number) = (number_of.remove(student).expect("a number"), number_of.remove(second).expect("a number"));

    let form = writer.get("/observations/form", "/observations/form");
    assert_eq!(form["signs"].as_array().expect("signs").len(), 20);
    assert!(word(&form["emergency_zh"]).contains("120"));
    let text = "三天没去上课，总是一个人";
    let body = |no: &str| json!({ "student_no": no, "signs": ["withdrawn", "farewell"], "seen_on": "2025-10-30", "text": text });
    let (known, unknown) = (writer.send("/observations", &body(number)), writer.send("/observations", &body("20999999")));
    assert_eq!((known.status, unknown.status), (200, 200), "{} {}", known.body, unknown.body);
    let keys = |it: &Answer| it.body.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    assert_eq!((keys(&known), keys(&unknown)), (vec!["report_key".to_owned()], vec!["report_key".to_owned()]));
    let own = writer.get("/observations", "/observations");
    let rows = own["rows"].as_array().expect("rows");
    assert_eq!((rows.len(), &rows[0]["feedback_zh"], &rows[0]["is_answered"]), (2, &rows[1]["feedback_zh"], &json!(false)));
    assert!(!own.to_string().contains(text) && !own.to_string().contains(student), "{own}");
    let first = writer.get("/observations", "/observations?limit=1");
    let rest = writer.get("/observations", &format!("/observations?limit=1&after={}", word(&first["next"])));
    assert_eq!((&first["rows"][0], &rest["rows"][0], &rest["next"]), (&rows[0], &rows[1], &Value::Null));

    for wrong in [
        json!({ "student_no": number, "signs": [], "text": "  " }),
        json!({ "student_no": number, "signs": ["looks_odd"], "text": "" }),
        json!({ "student_no": number, "signs": ["withdrawn"], "text": "", "seen_on": "2999-01-01" }),
        json!({ "student_key": student, "signs": ["withdrawn"], "text": "" }),
        json!({ "signs": ["withdrawn"], "text": "" }),
    ] {
        writer.is_told(&writer.send("/observations", &wrong), 422, &wrong.to_string());
    }

    let queue = counselor.get("/cases", "/cases?kind=psych&limit=500");
    let row =
        queue["rows"].as_array().expect("rows").iter().find(|it| it["student_key"] == student.as_str()).expect("a case").clone();
    let case = counselor.case(&word(&row["thread_key"]));
    let report = &case["reports"][0];
    assert_eq!((&report["text"], &report["role"], &report["seen_on"]), (&json!(text), &json!("student"), &json!("2025-10-30")));
    assert!(report["is_urgent"] == true && report["signs"][0]["sign"] == "withdrawn", "{report}");
    writer.is_told(&writer.ask(&format!("/cases/{}", word(&row["thread_key"]))), 403, "the writer and the case");

    // The report of nobody's number waits for who finds out who was meant.
    counselor.is_told(&counselor.ask("/observations/unplaced"), 403, "a counselor");
    writer.is_told(&writer.ask("/observations/unplaced"), 403, "a student");
    let waiting = psychologist.get("/observations/unplaced", "/observations/unplaced");
    let it = &waiting["rows"].as_array().expect("rows")[0];
    assert_eq!((&it["student_no"], &it["text"]), (&json!("20999999"), &json!(text)));
    let path = format!("/observations/{}/place", word(&it["report_key"]));
    psychologist.is_told(&psychologist.send(&path, &json!({ "student_no": "20999998" })), 422, "still nobody");
    let placed = psychologist.post("/observations/{report_key}/place", &path, &json!({ "student_no": second_number }));
    assert_eq!((&placed["row"]["student_key"], &placed["reports"][0]["text"]), (&json!(second), &json!(text)));
    assert_eq!(psychologist.get("/observations/unplaced", "/observations/unplaced")["rows"], json!([]));
    psychologist.is_told(&psychologist.send(&path, &json!({ "student_no": second_number })), 404, "placed already");

    // What came of it is told when the case ends, in words that say nothing of the student.
    for (act, fields) in [
        ("claim", json!({})),
        ("contact", json!({ "reached": "in_person" })),
        ("assess", json!({ "severity": "2" })),
        ("plan", json!({})),
        ("review", json!({ "is_quiet": true })),
        ("close", json!({ "outcome": "needed_support", "reached": "in_person", "how": "single" })),
    ] {
        counselor.does(&case, act, fields);
    }
    let own = writer.get("/observations", "/observations");
    let answered: Vec<&Value> = own["rows"].as_array().expect("rows").iter().map(|it| &it["is_answered"]).collect();
    assert_eq!(answered, [false, true], "{own}");
}

#[test]
fn a_crisis_is_declared_by_a_person_and_shows_what_is_still_open() {
    let server = Server::start();
    let document = Document::of(&server);
    let (counselor, psychologist) = (Desk::of(&server, &document, "counselor"), Desk::of(&server, &document, "psychologist"));
    let students = counselor.students();
    let forms = counselor.get("/cases/forms", "/cases/forms");
    let psych = forms["kinds"].as_array().expect("kinds").iter().find(|it| it["kind"] == "psych").expect("psych");
    let begins: Vec<String> = psych["acts"].as_array().expect("acts").iter().map(|it| word(&it["act"])).collect();
    assert_eq!(begins, ["signal", "open_check", "declare"]);

    let case = counselor.opens(&students[4], "psych", "declare", json!({ "is_danger_immediate": true }));
    let open = |case: &Value| -> Vec<String> {
        case["crisis"]["open_steps"].as_array().expect("steps").iter().map(|it| word(&it["step"])).collect()
    };
    assert_eq!(open(&case)[0], "call_emergency", "before all else");
    assert_eq!(
        (open(&case).len(), &case["crisis"]["declared_by"], primary(&case)),
        (7, &json!("counselor"), json!("crisis_step"))
    );
    assert_eq!(case["row"]["severity"]["label_zh"], "重点关怀");
    // Telephone first: each step says whom to call, whoever is on duty now, with the number of the register.
    let people = |step: &str| -> Vec<Value> {
        let steps = case["crisis"]["open_steps"].as_array().expect("steps");
        let found = steps.iter().find(|it| it["step"] == step).expect("the step");
        found["people"].as_array().expect("people").clone()
    };
    let accounts = |step: &str| -> Vec<String> { people(step).iter().map(|it| word(&it["account"])).collect() };
    assert_eq!(accounts("telephone"), ["counselor", "duty_office"]);
    assert_eq!(accounts("tell_security"), ["security"]);
    assert_eq!(accounts("tell_psychologist"), ["psychologist"]);
    assert!(people("call_emergency").is_empty(), "120 and 110 stand in no register");
    let phone = word(&people("tell_security")[0]["phone"]);
    assert!(phone.chars().all(|it| it.is_ascii_digit()) && 7 < phone.len(), "{phone}");
    assert_eq!(people("tell_security")[0]["stands_as_zh"], "保卫处");
    // In danger people write whatever they looked at last: a step of the protocol is never stale.
    let steps = format!("/cases/{}/steps", thread(&case));
    let step = |step: &str| json!({ "seen_version": 1, "act": "crisis_step", "fields": { "step": step, "result": "done" } });
    counselor.post("/cases/{thread_key}/steps", &steps, &step("call_emergency"));
    let after = counselor.post("/cases/{thread_key}/steps", &steps, &step("telephone"));
    assert_eq!((open(&after).len(), after["crisis"]["done"].as_array().expect("steps").len()), (5, 2));
    let refused = psychologist.is_refused(&case, "end_crisis", json!({}));
    assert!(refused.contains("on_site"), "{refused}");
    counselor.is_refused(&case, "confer", json!({ "n_present": 3 }));
    for it in open(&after) {
        counselor.post("/cases/{thread_key}/steps", &steps, &step(&it));
    }
    let refused = psychologist.is_refused(&case, "end_crisis", json!({}));
    assert!(refused.contains("会商"), "{refused}");
    let span = json!({ "account": "counselor", "from": "2025-11-01T00:00:00+08:00", "until": "2025-11-01T06:00:00+08:00" });
    let accompanied = counselor.does(&case, "companion", span);
    assert_eq!(accompanied["crisis"]["companions"][0]["account"], "counselor");
    let met =
        json!({ "held": psychologist.get("/me", "/me")["now"], "members": ["psychologist", "counselor"], "decision": "go_on" });
    let records = format!("/cases/{}/records", thread(&case));
    let confer = |fields: Value| {
        psychologist.post("/cases/{thread_key}/records", &records, &json!({ "record": "conference", "fields": fields }))
    };
    confer(met.clone());
    psychologist.is_refused(&case, "end_crisis", json!({}));
    let mut agreed = met;
    agreed["decision"] = json!("end_crisis");
    confer(agreed);
    let ended = psychologist.does(&case, "end_crisis", json!({}));
    assert_eq!((&ended["crisis"]["is_running"], &ended["row"]["severity"]["level"]), (&json!(false), &json!(3)));

    // A person says that nobody answers: the ladder is climbed from below, the police may be called from every rung.
    let check = counselor.opens(&students[5], "safety", "open_check", json!({ "cause": "lost_contact", "guardian": "caution" }));
    assert_eq!((&check["check"]["next"]["rung"], &check["row"]["severity"]["level"]), (&json!("call_student"), &json!(0)));
    assert_eq!(choices(&check, "check_step", "rung"), ["call_student", "call_police"]);
    let rung = |rung: &str, result: &str| json!({ "rung": rung, "result": result });
    let refused = counselor.is_refused(&check, "check_step", rung("go_to_room", "not_reached"));
    assert!(refused.contains("电话联系本人"), "{refused}");
    counselor.is_refused(&check, "check_step", rung("call_student", "reached"));
    let climbed = counselor.does(&check, "check_step", rung("call_student", "not_reached"));
    assert_eq!(climbed["check"]["next"]["rung"], "ask_roommates");
    counselor.is_refused(&check, "decide_parents", json!({ "choice": "skip" }));
    let decided = psychologist.does(&check, "decide_parents", json!({ "choice": "skip" }));
    assert_eq!((&decided["check"]["parents"], &decided["check"]["parents_zh"]), (&json!("skip"), &json!("不联系家长")));
}

#[test]
fn a_hand_over_needs_both_sides_and_a_delegation_an_end() {
    let server = Server::start();
    let document = Document::of(&server);
    let (giver, taker) = (Desk::of(&server, &document, "counselor"), Desk::of(&server, &document, "counselor2"));
    let psychologist = Desk::of(&server, &document, "psychologist");
    let student = giver.students().remove(6);
    let case = giver.opens(&student, "life_aid", "signal", json!({ "source": "superior", "severity": "1" }));
    let key = thread(&case);
    let list = giver.get("/hand-overs", "/hand-overs");
    assert_eq!((&list["rows"], &list["takers"][0]["account"]), (&json!([]), &json!("counselor2")));
    let offer = |to: &str| json!({ "to_account": to, "student_keys": [student] });
    giver.is_told(&giver.send("/hand-overs", &offer("psychologist")), 422, "another profession");
    giver.is_told(&giver.send("/hand-overs", &offer("nobody")), 422, "nobody");
    taker.is_told(&taker.send("/hand-overs", &offer("counselor")), 422, "somebody else's student");
    let offered = giver.post("/hand-overs", "/hand-overs", &offer("counselor2"));
    let it = &offered["rows"][0];
    assert_eq!((&it["state"], &it["student_n"], &it["is_mine_to_confirm"]), (&json!("offered"), &json!(1), &json!(true)));
    let path = format!("/hand-overs/{}/confirm", word(&it["hand_over_key"]));
    psychologist.is_told(&psychologist.send(&path, &json!({})), 422, "a third person");
    let given = giver.post("/hand-overs/{hand_over_key}/confirm", &path, &json!({}));
    assert_eq!((&given["rows"][0]["state"], &given["rows"][0]["is_mine_to_confirm"]), (&json!("offered"), &json!(false)));
    giver.case(&key);
    taker.is_told(&taker.ask(&format!("/cases/{key}")), 404, "with one side nothing changes");
    assert_eq!(taker.post("/hand-overs/{hand_over_key}/confirm", &path, &json!({}))["rows"], json!([]));
    giver.is_told(&giver.ask(&format!("/cases/{key}")), 404, "the giver, after");
    // The register does not know yet: the case is the taker's, the name is not, and why is said.
    let taken = taker.case(&key);
    assert!(taken["row"]["student"]["name"].is_null(), "{taken}");
    assert!(word(&taken["row"]["student"]["unnamed_zh"]).contains("不在您的数据范围内"), "{taken}");
    assert!(acts(&taken).contains(&"claim".to_owned()));

    let delegate = |until: &str| json!({ "to_account": "counselor2", "from_on": "2025-11-01", "until_on": until });
    giver.is_told(&giver.send("/delegations", &delegate("2026-11-01")), 422, "a year");
    giver.is_told(&giver.send("/delegations", &delegate("2025-10-01")), 422, "an end before the beginning");
    giver.is_told(&giver.send("/delegations", &delegate("soon")), 400, "no date");
    let other = giver.students().remove(7);
    let case = giver.opens(&other, "life_aid", "signal", json!({ "source": "superior", "severity": "1" }));
    taker.is_told(&taker.ask(&format!("/cases/{}", thread(&case))), 404, "before");
    let mine = giver.post("/delegations", "/delegations", &delegate("2025-11-03"));
    assert_eq!((&mine["rows"][0]["until_at"], &mine["rows"][0]["is_running"]), (&json!("2025-11-03T16:00:00Z"), &json!(true)));
    assert_eq!(taker.get("/delegations", "/delegations")["rows"], mine["rows"]);
    taker.case(&thread(&case));
}

#[test]
fn a_roster_shows_its_gaps_and_who_owes_a_contact_is_reminded() {
    let server = Server::start();
    let document = Document::of(&server);
    let (counselor, psychologist) = (Desk::of(&server, &document, "counselor"), Desk::of(&server, &document, "psychologist"));
    counselor.is_told(&counselor.ask("/roster"), 403, "a counselor's roster");
    let night = |roster: &Value| {
        let post = roster["posts"].as_array().expect("posts").iter().find(|it| it["post"] == "psychology_night");
        post.expect("the post").clone()
    };
    let before = night(&psychologist.get("/roster", "/roster?from=2025-12-01&until=2025-12-02"));
    assert_eq!(before["gaps"], json!([{ "from_at": "2025-11-30T16:00:00Z", "until_at": "2025-12-02T16:00:00Z" }]));
    let shift = |account: &str, backup: Value| {
        json!({ "post": "psychology_night", "account": account, "backup": backup,
                "from": "2025-12-01T00:00:00+08:00", "until": "2025-12-02T00:00:00+08:00" })
    };
    psychologist.is_told(&psychologist.send("/roster", &shift("nobody", Value::Null)), 422, "an account that there is not");
    let alone = night(&psychologist.post("/roster", "/roster", &shift("psychologist", Value::Null)));
    assert_eq!((alone["shifts"].as_array().expect("shifts").len(), alone["gaps"].as_array().expect("gaps").len()), (1, 1));
    let backed = night(&psychologist.post("/roster", "/roster", &shift("psychologist", json!("counselor"))));
    assert_eq!(backed["gaps"], json!([]), "with a backup there is no gap");
    psychologist.is_told(&psychologist.ask("/roster?from=2025-01-01&until=2025-12-31"), 400, "a year");

    let student = counselor.students().remove(8);
    let plan = json!({ "student_key": student, "cause": "return", "from_on": "2025-11-01", "until_on": "2026-01-10" });
    let stranger = Desk::of(&server, &document, "counselor2");
    stranger.is_told(&stranger.send("/follow-ups", &plan), 404, "not their student");
    let due = counselor.post("/follow-ups", "/follow-ups", &plan);
    let rows = due["rows"].as_array().expect("rows");
    let dates: Vec<&str> = rows.iter().filter_map(|it| it["due_at"].as_str()).collect();
    assert_eq!(dates, ["2025-11-07T16:00:00Z", "2025-11-14T16:00:00Z"], "weeks 1 and 2; what is later is not yet shown");
    assert!(rows[0]["student"]["name"].is_string());
    let path = format!("/follow-ups/{}/done", word(&rows[0]["follow_up_key"]));
    counselor.is_told(&counselor.send(&path, &json!({ "result": "fine, I think" })), 422, "a sentence");
    stranger.is_told(&stranger.send(&path, &json!({ "result": "well" })), 404, "somebody else's contact");
    let left = counselor.post("/follow-ups/{follow_up_key}/done", &path, &json!({ "result": "well" }));
    assert_eq!(left["rows"].as_array().expect("rows").len(), 1);
    counselor.is_told(&counselor.send(&path, &json!({ "result": "well" })), 404, "done already");
    let incomplete = json!({ "student_key": student, "cause": "break", "from_on": "2025-11-01", "until_on": "2025-11-20" });
    counselor.is_told(&counselor.send("/follow-ups", &incomplete), 422, "a break without a rhythm");
}
