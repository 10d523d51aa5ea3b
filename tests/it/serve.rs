//! The server as people and processes meet it: real HTTP, every role, every path of the API's document.

use std::net::TcpListener;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{campus, copy, demo, output, said, sql, yizhan};

const PASSWORD: &str = "yizhan-demo";
/// What a monitor sends to read `/metrics`.
const METRICS_TOKEN: &str = "a-token-of-a-monitor";
const ROLES: [&str; 16] = [
    "aid_centre",
    "hospital",
    "leader",
    "psychologist",
    "psychology_head",
    "counselor",
    "tutor",
    "college_secretary",
    "college_office",
    "dorm_keeper",
    "security",
    "duty_office",
    "analyst",
    "student",
    "administrator",
    "auditor",
];

/// A living server; it is stopped when the case ends, however it ends.
pub(crate) struct Server {
    pub(crate) data: TempDir,
    process: Child,
    pub(crate) url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) kind: String,
    pub(crate) cookie: Option<String>,
    /// JSON, or the text of what is none.
    pub(crate) body: Value,
    pub(crate) bytes: Vec<u8>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let data = TempDir::new().expect("a folder");
        copy(demo(), data.path(), &|_| true);
        Self::on(data, &["demo", "--students", "300", "--days", "61"])
    }

    pub(crate) fn on(data: TempDir, args: &[&str]) -> Self {
        // The port is free when it is given away; another process would have to take it within milliseconds.
        let port = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a free port").port();
        let listen = format!("127.0.0.1:{port}");
        let said = std::fs::File::create(data.path().join("said.txt")).expect("a file");
        let process = yizhan(data.path(), args)
            .args(["--listen", &listen, "--set", "serve.metrics_token_env=MONITOR_TOKEN"])
            .env("MONITOR_TOKEN", METRICS_TOKEN)
            .stdout(Stdio::null())
            .stderr(said)
            .spawn()
            .expect("the binary starts");
        let mut server = Self { data, process, url: format!("http://{listen}") };
        server.wait_for(|it| it["status"].is_string());
        server
    }

    /// Waits until the server's health is as a case needs it.
    fn wait_for(&mut self, is_so: impl Fn(&Value) -> bool) {
        let began = Instant::now();
        let mut last = Value::Null;
        while began.elapsed() < Duration::from_secs(180) {
            let ended = self.process.try_wait().expect("a process");
            assert!(ended.is_none(), "the server stopped: {}", self.said());
            if let Ok(mut answer) = ureq::get(format!("{}/api/v1/health", self.url)).call() {
                last = answer.body_mut().read_to_string().ok().and_then(|it| serde_json::from_str(&it).ok()).unwrap_or_default();
                if is_so(&last) {
                    return;
                }
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("the server did not get there: {last} {}", self.said());
    }

    /// Ends the server and leaves its data.
    pub(crate) fn stop(&mut self) {
        self.process.kill().expect("it is killed");
        self.process.wait().expect("it ends");
    }

    /// What the server wrote on standard error.
    fn said(&self) -> String {
        std::fs::read_to_string(self.data.path().join("said.txt")).unwrap_or_default()
    }

    pub(crate) fn get(&self, path: &str, cookie: Option<&str>) -> Answer {
        let request = ureq::get(format!("{}{path}", self.url)).config().http_status_as_error(false).build();
        let request = match cookie {
            Some(cookie) => request.header("cookie", cookie),
            None => request,
        };
        answer(request.call().expect("the server answers"))
    }

    pub(crate) fn post(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let mut request = ureq::post(format!("{}{path}", self.url)).config().http_status_as_error(false).build();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        answer(request.header("content-type", "application/json").send(body.to_string()).expect("the server answers"))
    }

    /// Sends bytes as they are.
    pub(crate) fn send(&self, path: &str, cookie: &str, bytes: &[u8]) -> Answer {
        let request = ureq::post(format!("{}{path}", self.url)).config().http_status_as_error(false).build();
        let request = request.header("x-yizhan", "1").header("cookie", cookie).header("content-type", "application/octet-stream");
        answer(request.send(bytes).expect("the server answers"))
    }

    pub(crate) fn login(&self, account: &str) -> String {
        let answer = self.post("/api/v1/login", &[("x-yizhan", "1")], &json!({ "account": account, "password": PASSWORD }));
        assert_eq!(answer.status, 200, "{account}: {}", answer.body);
        answer.cookie.expect("a session")
    }
}

fn answer(mut response: ureq::http::Response<ureq::Body>) -> Answer {
    let header = |name: &str| response.headers().get(name).and_then(|it| it.to_str().ok()).map(str::to_owned);
    let cookie = header("set-cookie").and_then(|it| it.split(';').next().map(str::to_owned));
    let kind = header("content-type").unwrap_or_default();
    let status = response.status().as_u16();
    let bytes = response.body_mut().read_to_vec().expect("a body");
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Answer { status, kind, cookie, body: serde_json::from_str(&text).unwrap_or(Value::String(text)), bytes }
}

/// The API's document, with which every answer is compared.
pub(crate) struct Document(Value);

impl Document {
    pub(crate) fn of(server: &Server) -> Self {
        Self(server.get("/api/openapi.json", None).body)
    }

    /// Paths with their GET operation; a stream that never ends is no answer to read.
    fn reads(&self) -> Vec<(String, &Value)> {
        let paths = self.0["paths"].as_object().expect("paths");
        let reads = paths.iter().filter_map(|(path, it)| Some((path.clone(), it.get("get")?)));
        reads.filter(|(_, it)| it["responses"]["200"]["content"].get("text/event-stream").is_none()).collect()
    }

    #[track_caller]
    pub(crate) fn check(&self, schema: &Value, body: &Value, what: &str) {
        let whole = json!({ "$schema": "https://json-schema.org/draft/2020-12/schema", "allOf": [schema], "components": self.0["components"] });
        let validator = jsonschema::options().should_validate_formats(true).build(&whole).expect("a schema");
        let errors: Vec<String> = validator.iter_errors(body).take(5).map(|it| format!("{}: {it}", it.instance_path())).collect();
        assert!(errors.is_empty(), "{what} is not as the document says: {errors:#?}");
    }

    /// The schema of a JSON answer; `None` of one that is no JSON.
    pub(crate) fn answer(&self, path: &str, verb: &str) -> Option<&Value> {
        self.0["paths"][path][verb]["responses"]["200"]["content"]["application/json"].get("schema")
    }

    #[track_caller]
    pub(crate) fn check_problem(&self, answer: &Answer, status: u16, what: &str) {
        assert_eq!(answer.status, status, "{what}: {}", answer.body);
        assert_eq!(answer.kind, "application/problem+json", "{what}");
        self.check(&json!({ "$ref": "#/components/schemas/Problem" }), &answer.body, what);
    }
}

#[test]
fn every_answer_is_as_the_document_says_for_every_role() {
    let server = Server::start();
    let document = Document::of(&server);
    let mut answered = std::collections::BTreeMap::<String, usize>::new();
    // The catalogue is read in Chinese, whatever table a column takes its words from.
    let tables = server.get("/api/v1/catalog", Some(&server.login("administrator"))).body["tables"].clone();
    let columns = tables.as_array().expect("tables").iter().flat_map(|table| {
        let columns = table["columns"].as_array().expect("columns");
        columns.iter().map(move |it| (table["table"].as_str().unwrap_or_default(), it))
    });
    let is_chinese = |it: &Value| it["about_zh"].as_str().is_some_and(|said| said.chars().any(|it| ('一'..='鿿').contains(&it)));
    let (told, untold): (Vec<_>, Vec<_>) = columns.partition(|found| is_chinese(found.1));
    assert!(1_000 < told.len(), "only {} columns", told.len());
    assert!(untold.is_empty(), "told in English only: {untold:?}");
    // One case that a counselor and a psychologist see.
    let counselor = server.login("counselor");
    let student = server.get("/api/v1/students?limit=1", Some(&counselor)).body["rows"][0]["student_key"].clone();
    let signal =
        json!({ "student_key": student, "kind": "psych", "act": "signal", "fields": { "source": "superior", "severity": "1" } });
    let opened = server.post("/api/v1/cases", &[("x-yizhan", "1"), ("cookie", &counselor)], &signal);
    let thread = opened.body["row"]["thread_key"].as_str().expect("a case").to_owned();
    let psychologist = server.login("psychologist");
    let sweep = json!({ "term": "2025-2026-1", "moment": "term_start", "due_on": "2025-12-01" });
    let sweeps = server.post("/api/v1/sweeps", &[("x-yizhan", "1"), ("cookie", &psychologist)], &sweep);
    let sweep = sweeps.body["rows"][0]["sweep_key"].as_str().expect("a sweep").to_owned();
    for role in ROLES {
        let cookie = server.login(role);
        let me = server.get("/api/v1/me", Some(&cookie)).body;
        let students = server.get("/api/v1/students?limit=3", Some(&cookie)).body;
        let own = me["student_key"].as_str().map(str::to_owned);
        let key = own
            .or_else(|| students["rows"][0]["student_key"].as_str().map(str::to_owned))
            .unwrap_or("100000000000001".to_owned());
        for (path, operation) in document.reads() {
            let lists = if path.contains("{list}") { server.get("/api/v1/lists", Some(&cookie)).body } else { Value::Null };
            let list = lists["lists"][0]["list"].as_str().unwrap_or("unverified_absence").to_owned();
            let filled = path
                .replace("{student_key}", &key)
                .replace("{list}", &list)
                .replace("{thread_key}", &thread)
                .replace("{sweep_key}", &sweep)
                .replace("{measure}", "meals_per_day")
                .replace("{pipeline}", "student")
                .replace("{model}", "failed_course");
            let answer = server.get(&filled, Some(&cookie));
            let what = format!("{role} GET {filled}");
            match answer.status {
                200 => {
                    let content = operation["responses"]["200"]["content"].as_object().expect("content");
                    match content.get("application/json") {
                        Some(json) => document.check(&json["schema"], &answer.body, &what),
                        None => assert!(content.contains_key(&answer.kind), "{what} is {}", answer.kind),
                    }
                    *answered.entry(path).or_default() += 1;
                }
                403 | 404 => document.check_problem(&answer, answer.status, &what),
                other => panic!("{what}: {other} {}", answer.body),
            }
        }
        // A page that a role is offered is one that it can open.
        for page in me["pages"].as_array().expect("pages") {
            let page = page.as_str().expect("text");
            let path = match page {
                "care" => "/api/v1/warnings".to_owned(),
                "observe" => "/api/v1/observations/form".to_owned(),
                "screening" => "/api/v1/screenings".to_owned(),
                "death" => "/api/v1/deaths".to_owned(),
                "me" => format!("/api/v1/students/{key}/portrait"),
                "portrait" => format!("/api/v1/students/{key}/portrait"),
                other => format!("/api/v1/{other}"),
            };
            let answer = server.get(&path, Some(&cookie));
            assert_eq!(answer.status, 200, "{role} is offered the page {page}, but {path} says {}", answer.body);
        }
    }
    for (path, _) in document.reads() {
        assert!(answered.get(&path).is_some_and(|it| 0 < *it), "no role got an answer of {path}");
    }
}

#[test]
fn strangers_and_other_sites_get_nothing() {
    let server = Server::start();
    let document = Document::of(&server);
    for (path, _) in document.reads().into_iter().filter(|it| it.0 != "/api/v1/health") {
        let filled = path
            .replace("{student_key}", "100000000000001")
            .replace("{list}", "unverified_absence")
            .replace("{thread_key}", "1")
            .replace("{sweep_key}", "1")
            .replace("{measure}", "meals_per_day")
            .replace("{pipeline}", "student")
            .replace("{model}", "failed_course");
        document.check_problem(&server.get(&filled, None), 401, &filled);
        document.check_problem(&server.get(&filled, Some("yizhan_session=0123")), 401, &filled);
    }
    document.check_problem(&server.get("/api/v1/nothing", None), 404, "an unknown path");
    document.check_problem(&server.get("/api/v2/me", None), 404, "an unknown version");

    let credentials = json!({ "account": "leader", "password": PASSWORD });
    document.check_problem(&server.post("/api/v1/login", &[], &credentials), 400, "a login from another site");
    let own = [("x-yizhan", "1")];
    document.check_problem(&server.post("/api/v1/login", &own, &json!({ "account": "leader" })), 400, "half a login");
    let wrong = json!({ "account": "leader", "password": "not the one" });
    let nobody = json!({ "account": "nobody", "password": "not the one" });
    let (one, other) = (server.post("/api/v1/login", &own, &wrong), server.post("/api/v1/login", &own, &nobody));
    document.check_problem(&one, 401, "a wrong password");
    assert_eq!(one.body, other.body, "whether an account exists is nobody's business");

    // Work is handed over by the owner of the data folder only.
    let order = json!({ "stage": "transform" });
    document.check_problem(&server.post("/api/v1/runs", &own, &order), 401, "an order without a token");
    let cookie = server.login("administrator");
    let with = [("x-yizhan", "1"), ("cookie", cookie.as_str()), ("authorization", "Bearer 00")];
    document.check_problem(&server.post("/api/v1/runs", &with, &order), 401, "an order with a wrong token");

    // A session that was ended is no session.
    assert_eq!(server.post("/api/v1/logout", &with, &json!({})).status, 204);
    document.check_problem(&server.get("/api/v1/me", Some(&cookie)), 401, "after logout");

    // A wrong password again and again shuts the door for a while, for the right one too.
    let statuses: Vec<u16> = (0..12).map(|_| server.post("/api/v1/login", &own, &wrong).status).collect();
    assert!(statuses.ends_with(&[429]), "{statuses:?}");
    document.check_problem(&server.post("/api/v1/login", &own, &credentials), 429, "the right password too late");
}

#[test]
fn nobody_reads_beyond_their_scope() {
    let server = Server::start();
    let document = Document::of(&server);
    let (leader, counselor, student) = (server.login("leader"), server.login("counselor"), server.login("student"));
    let all = sql(server.data.path(), "SELECT DISTINCT student_key FROM dim_student ORDER BY student_key");
    let all: Vec<String> = all.iter().map(|it| it["student_key"].to_string()).collect();
    let mut own = std::collections::BTreeSet::new();
    let mut after = String::new();
    loop {
        let page = server.get(&format!("/api/v1/students?limit=100{after}"), Some(&counselor)).body;
        own.extend(page["rows"].as_array().expect("rows").iter().map(|it| it["student_key"].as_str().expect("text").to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert!(!own.is_empty() && own.len() < all.len(), "the counselor has {} of {}", own.len(), all.len());
    let other = all.iter().find(|it| !own.contains(*it)).expect("somebody else's student");
    for part in ["portrait", "record"] {
        let path = format!("/api/v1/students/{other}/{part}");
        document.check_problem(&server.get(&path, Some(&counselor)), 404, &path);
        document.check_problem(&server.get(&path, Some(&leader)), 403, &path);
        let me = server.get("/api/v1/me", Some(&student)).body["student_key"].as_str().expect("a key").to_owned();
        let stranger = all.iter().find(|it| **it != me).expect("another student");
        let path = format!("/api/v1/students/{stranger}/{part}");
        document.check_problem(&server.get(&path, Some(&student)), 404, &path);
    }
    // A list comes in pages that have each row once and in the order of the whole; whole it is with the last of them only.
    let head = server.login("psychology_head");
    let lists = server.get("/api/v1/lists", Some(&head)).body["lists"].as_array().expect("lists").clone();
    let of_night = lists.iter().filter(|it| it["is_live"] == false);
    let most = of_night.max_by_key(|it| it["rows_n"].as_u64()).expect("a list");
    let (name, rows_n) = (most["list"].as_str().expect("a name"), most["rows_n"].as_u64().expect("a count"));
    assert!(3 <= rows_n, "the longest list has {rows_n} rows");
    let whole = server.get(&format!("/api/v1/lists/{name}"), Some(&head)).body;
    assert_eq!((whole["next"].is_null(), whole["rows_n"].as_u64()), (true, Some(rows_n)));
    let (mut rows, mut after, mut pages_n) = (Vec::new(), String::new(), 0);
    loop {
        let page = server.get(&format!("/api/v1/lists/{name}?limit={}{after}", rows_n.div_ceil(3)), Some(&head)).body;
        rows.extend(page["rows"].as_array().expect("rows").clone());
        pages_n += 1;
        let Some(next) = page["next"].as_str() else {
            assert_eq!(page["is_complete"], whole["is_complete"]);
            break;
        };
        assert_eq!(page["is_complete"], false, "others follow {next} rows of {name}");
        after = format!("&after={next}");
    }
    assert!(2 <= pages_n, "{name} came in one page");
    assert_eq!((rows.len() as u64, &json!(rows)), (rows_n, &whole["rows"]));
    for wrong in ["limit=0", "limit=5001", "after=soon"] {
        let path = format!("/api/v1/lists/{name}?{wrong}");
        document.check_problem(&server.get(&path, Some(&head)), 400, &path);
    }
    // What was read stands in the log, with who and whom.
    let first = own.iter().next().expect("a student");
    assert_eq!(server.get(&format!("/api/v1/students/{first}/portrait"), Some(&counselor)).status, 200);
    document.check_problem(&server.get("/api/v1/students?colege=C01", Some(&counselor)), 400, "a parameter that there is not");
}

#[test]
fn a_record_is_filtered_and_paged_and_the_copy_of_ones_own_data_holds_all_of_it() {
    let mut server = Server::start();
    let student = server.login("student");
    let key = server.get("/api/v1/me", Some(&student)).body["student_key"].as_str().expect("a key").to_owned();
    let get = |path: &str| {
        let answer = server.get(&format!("/api/v1/students/{key}/{path}"), Some(&student));
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.body
    };
    // Every page of a filter; no entry stands on two of them.
    let all = |filter: &str| -> Vec<Value> {
        let (mut rows, mut before) = (Vec::new(), String::new());
        loop {
            let page = get(&format!("record?limit=4{filter}{before}"));
            rows.extend(page["rows"].as_array().expect("rows").clone());
            let Some(next) = page["next"].as_str() else { break };
            before = format!("&before={next}");
        }
        let ids: std::collections::BTreeSet<String> = rows.iter().map(|it| it["event_id"].to_string()).collect();
        assert_eq!(ids.len(), rows.len(), "an entry stands twice: {filter}");
        rows
    };
    let whole = all("");
    assert!(5 <= whole.len(), "one page holds all: {whole:?}");
    let on = |it: &Value| it["occurred_on"].as_str().expect("a date").to_owned();
    assert!(whole.windows(2).all(|it| on(&it[1]) <= on(&it[0])), "not the newest first");
    let mut told = 0;
    for field in ["kind", "trust", "source"] {
        let words: std::collections::BTreeSet<&str> = whole.iter().filter_map(|it| it[field].as_str()).collect();
        for word in &words {
            let due: Vec<&Value> = whole.iter().filter(|it| it[field] == *word).collect();
            assert_eq!(all(&format!("&{field}={word}")).iter().collect::<Vec<_>>(), due, "{field} {word}");
        }
        told += words.len().saturating_sub(1);
    }
    assert!(0 < told, "every filter lets everything through");
    assert_eq!(all("&kind=nothing"), Vec::<Value>::new());
    let middle = on(&whole[whole.len() / 2]);
    let later: Vec<&Value> = whole.iter().filter(|it| middle <= on(it)).collect();
    assert_eq!(all(&format!("&since={middle}")).iter().collect::<Vec<_>>(), later);
    let earlier: Vec<&Value> = whole.iter().filter(|it| on(it) <= middle).collect();
    assert_eq!(all(&format!("&until={middle}")).iter().collect::<Vec<_>>(), earlier);
    let kinds = get("record?limit=1")["kinds"].as_array().expect("kinds").clone();
    assert_eq!(kinds.iter().filter_map(|it| it["n"].as_u64()).sum::<u64>(), whole.len() as u64);
    // The copy of one's own data has every entry, and the portrait and the archive of the same student.
    let copy = get("export");
    let mut held = copy["record"].as_array().expect("a record").clone();
    let mut due = whole.clone();
    for rows in [&mut held, &mut due] {
        rows.sort_by_key(|it| it["event_id"].to_string());
    }
    assert_eq!(held, due);
    assert_eq!((copy["archive"]["student_key"].as_str(), &copy["portrait"]), (Some(key.as_str()), &get("portrait")));
    // What was known on an earlier Monday: over HTTP and on the command line the same, and not what is known now.
    let earlier = get("portrait?as_of=2025-10-27");
    assert_eq!(earlier["as_of_on"], "2025-10-27");
    assert_ne!(earlier["dimensions"], copy["portrait"]["dimensions"]);
    server.stop();
    let portrait = |args: &[&str]| said(yizhan(server.data.path(), &["portrait", &key]).args(args).args(["--format", "json"]));
    let (code, lines, wrong) = portrait(&["--as", "student", "--as-of", "2025-10-27"]);
    assert_eq!((code, lines.first()), (0, Some(&earlier)), "{wrong}");
    let (code, _, wrong) = portrait(&[]);
    assert!(code == 2 && wrong.contains("--as"), "in nobody's name: {code} {wrong}");
    // Of somebody else there is none in the student's name.
    let other = format!("SELECT student_key FROM portrait_student WHERE student_key <> {key} LIMIT 1");
    let other = sql(server.data.path(), &other)[0]["student_key"].to_string();
    let (code, lines, wrong) = said(&mut yizhan(server.data.path(), &["portrait", &other, "--as", "student"]));
    assert!(code == 2 && lines.is_empty() && wrong.contains(&other), "{code}: {wrong}");
}

#[test]
fn data_items_are_the_columns_that_contracts_of_delivered_sources_take_in() {
    let server = Server::start();
    let data = server.data.path();
    let raw: Vec<String> = crate::support::tables(data).into_iter().filter(|it| it.starts_with("raw_")).collect();
    let counted = raw.iter().map(|it| format!("SELECT '{it}' AS name, count(*) AS n FROM {it}"));
    let counted = sql(data, &counted.collect::<Vec<_>>().join(" UNION ALL "));
    let delivered = counted.iter().filter(|it| it["n"].as_i64().is_some_and(|it| 0 < it));
    let mut due = 0;
    for it in delivered {
        let source = it["name"].as_str().expect("a name").trim_start_matches("raw_");
        let path = crate::support::repository().join(format!("pipelines/{source}.toml"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|it| panic!("{}: {it}", path.display()));
        let (_, columns) = text.split_once("[columns]").expect("columns");
        // A line a column; names, telephone numbers and the like stay in the vault, unless they say who a row is about.
        let columns = columns.lines().filter(|it| it.contains("= {"));
        due += columns.filter(|it| !it.contains("class = \"identity\"") || it.contains("person = ")).count();
    }
    assert!(300 < due, "{due} columns of {} sources", counted.len());
    let cookie = server.login("administrator");
    for path in ["/api/v1/catalog", "/api/v1/catalog/quality"] {
        assert_eq!(server.get(path, Some(&cookie)).body["data_item_n"].as_u64(), Some(due as u64), "{path}");
    }
}

#[test]
fn a_monitor_and_the_doctor_read_how_it_stands_and_find_nobody_in_it() {
    let mut server = Server::start();
    let document = Document::of(&server);
    document.check_problem(&server.get("/metrics", None), 401, "figures without a token");
    let cookie = server.login("administrator");
    document.check_problem(&server.get("/metrics", Some(&cookie)), 401, "figures with a session");
    let ask = |token: &str| {
        let request = ureq::get(format!("{}/metrics", server.url)).config().http_status_as_error(false).build();
        answer(request.header("authorization", format!("Bearer {token}")).call().expect("the server answers"))
    };
    document.check_problem(&ask("a-token-of-somebody"), 401, "figures with a wrong token");
    let told = ask(METRICS_TOKEN);
    assert_eq!((told.status, told.kind.split(';').next()), (200, Some("application/openmetrics-text")));
    let text = String::from_utf8(told.bytes).expect("text");
    let figure = |name: &str| {
        let line = text.lines().find(|it| it.starts_with(name)).unwrap_or_else(|| panic!("{name} is missing in\n{text}"));
        line.rsplit(' ').next().and_then(|it| it.parse::<f64>().ok()).unwrap_or_else(|| panic!("{line} has no figure"))
    };
    let rows = sql(server.data.path(), "SELECT count(*) AS n FROM raw_gate_event")[0]["n"].as_f64().expect("a count");
    assert_eq!(figure("yizhan_rows_total{pipeline=\"gate_event\",outcome=\"kept\"}"), rows);
    assert!(0.0 < figure("yizhan_requests_total{method=\"POST\",route=\"/api/v1/login\",status=\"200\"}"));
    assert!(0.0 < figure("yizhan_log_held_max_bytes"));
    figure("yizhan_lag_seconds{pipeline=\"gate_event\",clock=\"occurred_at\"}");
    // Keys of persons have fifteen digits, their numbers ten: no label has either.
    for line in text.lines() {
        let labels = line.split_once('{').and_then(|it| it.1.split_once('}')).map_or("", |it| it.0);
        let longest = labels.split(|it: char| !it.is_ascii_digit()).map(str::len).max().unwrap_or(0);
        assert!(longest < 8, "{line}");
    }
    // The page says the same in words, to operators only.
    let page = server.get("/api/v1/pipelines", Some(&cookie));
    let gate =
        page.body["rows"].as_array().expect("rows").iter().find(|it| it["pipeline"] == "gate_event").expect("the gates").clone();
    assert_eq!(gate["rows_n"].as_f64(), Some(rows));
    assert!(gate["sentences"][0]["text_zh"].is_string(), "{gate}");
    let leader = server.login("leader");
    document.check_problem(&server.get("/api/v1/pipelines", Some(&leader)), 403, "the page of another role");

    // Beside the server, and after it was killed: this is a demonstration, and it says so.
    let doctor = |data: &std::path::Path| {
        let (code, lines, said) = said(&mut yizhan(data, &["doctor", "--json"]));
        assert_eq!(code, 2, "{lines:?} {said}");
        let found =
            lines.iter().map(|it| format!("{} {}", it["about"].as_str().unwrap_or("?"), it["code"].as_str().unwrap_or("?")));
        found.collect::<Vec<String>>()
    };
    let beside = doctor(server.data.path());
    for line in
        ["writer ok", "settings mint", "accounts demo_accounts", "tables ok", "clock ok", "backup unknown", "stream stream"]
    {
        assert!(beside.iter().any(|it| it == line), "{line} is missing in {beside:?}");
    }
    server.stop();
    let data = server.data.path();
    std::fs::write(data.join("last-backup"), "").expect("written");
    for entry in std::fs::read_dir(data.join("lake/dim_student")).expect("a table") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && !path.ends_with("_delta_log") {
            std::fs::remove_dir_all(path).expect("removed");
        }
    }
    let after = doctor(data);
    for line in ["writer left", "backup ok", "dim_student missing"] {
        assert!(after.iter().any(|it| it == line), "{line} is missing in {after:?}");
    }
}

#[test]
fn work_beside_a_living_server_is_handed_over_to_it() {
    let server = Server::start();
    let data = server.data.path();
    let exports = data.join("exports");
    let before = sql(data, "SELECT count(*) AS n FROM raw_org_unit")[0]["n"].as_u64().expect("a count");
    let folder = TempDir::new().expect("a folder");
    std::fs::create_dir_all(folder.path().join("registry")).expect("a folder");
    let text = std::fs::read_to_string(exports.join("registry/org_unit.csv")).expect("the exports");
    let mut lines = text.lines();
    let (head, last) = (lines.next().expect("a head"), lines.last().expect("a row"));
    let added = last.replacen(last.split(',').next().expect("a cell"), "U99", 1);
    std::fs::write(folder.path().join("registry/org_unit_new.csv"), format!("{head}\n{added}\n")).expect("written");

    // A relative folder is the caller's, not the server's.
    let name = folder.path().file_name().expect("a name");
    let mut command = yizhan(data, &["ingest", "org_unit", "--format", "json", "--input"]);
    let out = output(command.arg(name).current_dir(folder.path().parent().expect("a folder")));
    let (report, said) = (String::from_utf8_lossy(&out.stdout).into_owned(), String::from_utf8_lossy(&out.stderr).into_owned());
    assert!(out.status.success(), "{said}");
    assert!(said.contains("handed over"), "{said}");
    assert!(report.contains("\"rows_kept\":1"), "{report}");
    assert_eq!(sql(data, "SELECT count(*) AS n FROM raw_org_unit")[0]["n"], before + 1);

    let out = output(&mut yizhan(data, &["transform", "--select", "stg_org_unit"]));
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert_eq!(sql(data, "SELECT count(*) AS n FROM stg_org_unit WHERE unit_id = 'U99'")[0]["n"], 1);

    // A file that is refused is refused through the server too, by the same exit code and sentence.
    std::fs::write(folder.path().join("registry/org_unit_bad.csv"), "单位编号,电话\nU98,1\n").expect("written");
    let out = output(yizhan(data, &["run", "--input"]).arg(folder.path()));
    let all = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert_eq!(out.status.code(), Some(2), "{all}");
    assert!(all.contains("org_unit_bad.csv"), "{all}");
}

#[test]
fn a_server_that_was_killed_leaves_nothing_that_stands_in_the_way() {
    let mut server = Server::start();
    server.process.kill().expect("kill");
    server.process.wait().expect("it ends");
    let out = output(&mut yizhan(server.data.path(), &["transform", "--select", "stg_org_unit"]));
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

#[test]
fn a_night_that_was_missed_is_made_up_at_once() {
    let data = TempDir::new().expect("a folder");
    std::fs::write(data.path().join("yizhan.toml"), "packs = [\"campus\"]\n[clock]\nnow = \"data\"\n").expect("written");
    let project = data.path().to_string_lossy().into_owned();
    let input = campus().to_string_lossy().into_owned();
    let mut server = Server::on(data, &["serve", "--project", &project, "--input", &input]);
    server.wait_for(|it| it["lake"] == "ready" && it["last_run"]["stage"] == "upkeep" && it["last_run"]["result"] == "ok");
    assert_eq!(server.get("/api/v1/health", None).body["as_of_on"], "2025-10-10");
}
