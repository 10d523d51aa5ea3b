//! Messages to staff through a real mail server: who is asked, when, and what no message says.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use casework::{Act, CheckCause, Code, DutyShift, FollowUpPlan, Guardian, Kind, Post, Relation, Role, Rules, Severity, Source};
use schema::{PersonKind, Pseudonyms};
use serde_json::Value;
use store::{Grant, NewAccount, NewEntry, Reach, Who};
use tempfile::TempDir;

use crate::casework::{HOUR_US, NOW_US, on_a_runtime, open, with_facts};
use crate::serve::Server;
use crate::support::{demo, repository, said, sql, yizhan};

/// A mail server; it ends when this is dropped, even in a panic.
struct Mail {
    child: Child,
    folder: TempDir,
    port: u16,
}

impl Drop for Mail {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().ok();
    }
}

impl Mail {
    fn start() -> Self {
        let python = repository().join(".venv/bin/python");
        assert!(python.exists(), "{} is missing: run `make python` first (make test does)", python.display());
        let folder = TempDir::new().expect("a folder");
        let mut command = Command::new(python);
        command.arg(repository().join("crates/notify/tests/it/mail.py")).arg(folder.path()).arg("plain");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("Python starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
        let port = line.trim().parse().unwrap_or_else(|_| panic!("the mail server did not start: {line}"));
        Self { child, folder, port }
    }

    /// Subject, recipients and text of all mails.
    fn all(&self) -> Vec<(String, Value, String)> {
        let text = std::fs::read_to_string(self.folder.path().join("mails.jsonl")).unwrap_or_default();
        let mails = text.lines().map(|it| serde_json::from_str::<Value>(it).expect("JSON"));
        let word = |it: &Value| it.as_str().expect("a text").replace("\r\n", "\n");
        mails.map(|it| (word(&it["subject"]), it["to"].clone(), word(&it["text"]))).collect()
    }

    /// Settings that send by it.
    fn settings(&self) -> [String; 4] {
        let channel = format!(
            "notify.channel=[{{ kind = \"smtp\", name = \"mail\", host = \"localhost\", port = {}, tls = \"none\", from = \"驿站 <yizhan@example.edu.cn>\" }}]",
            self.port
        );
        ["--set".to_owned(), channel, "--set".to_owned(), "notify.base_url=\"https://one.example.edu.cn\"".to_owned()]
    }
}

/// Gives the accounts that are named a counselor with a mailbox, beside whoever has the duty.
fn counselor_with_a_mailbox(data: &Path, students: &[i64]) -> i64 {
    let staff_key = sql(data, "SELECT max(staff_key) AS n FROM stg_staff")[0]["n"].as_i64().expect("a key");
    on_a_runtime(async {
        let store = open(data).await;
        let vault = store.vault();
        tokio::task::spawn_blocking(move || vault.remember(PersonKind::Staff, &[(staff_key, "email", "owner@example.edu.cn")]))
            .await
            .expect("it ends")
            .expect("kept");
        let grants = vec![Grant { role: "counselor".to_owned(), scope: "assigned".to_owned() }];
        let new = NewAccount { account: "owner", password: None, display_name: "辅导员", person_key: Some(staff_key), grants };
        store.accounts().create(new).await.expect("an account");
        store.cases().assign(Relation::Counselor, "owner", students, NOW_US).await.expect("assigned");
    });
    staff_key
}

/// Puts somebody with a mailbox on duty at the university's office.
fn put_on_duty(data: &Path, from_us: i64, until_us: i64) -> i64 {
    let staff_key = sql(data, "SELECT min(staff_key) AS n FROM stg_staff")[0]["n"].as_i64().expect("a key");
    on_a_runtime(async {
        let store = open(data).await;
        let vault = store.vault();
        tokio::task::spawn_blocking(move || vault.remember(PersonKind::Staff, &[(staff_key, "email", "duty@example.edu.cn")]))
            .await
            .expect("it ends")
            .expect("kept");
        let grants = vec![Grant { role: "psychologist".to_owned(), scope: "college:none".to_owned() }];
        let new = NewAccount {
            account: "duty",
            password: Some("yizhan-demo"),
            display_name: "值班",
            person_key: Some(staff_key),
            grants,
        };
        store.accounts().create(new).await.expect("an account");
        let shift = DutyShift { post: Post::DutyOffice, account: "duty".to_owned(), backup: None, from_us, until_us };
        store.cases().roster(&shift).await.expect("a shift");
    });
    staff_key
}

fn send(data: &Path, mail: &Mail, now: &str) -> Value {
    let settings = mail.settings();
    let mut command = yizhan(data, &["notify", "send", "--format", "json", "--now", now]);
    let (code, lines, wrong) = said(command.args(settings));
    assert_eq!(code, 0, "{wrong}");
    lines[0].clone()
}

#[test]
fn a_safety_check_of_the_night_reaches_the_duty_officers_mailbox_and_says_nothing() {
    let data = with_facts();
    let mail = Mail::start();
    let checks = sql(data.path(), "SELECT count(*) AS n FROM stg_case_state WHERE step = 'check_opened'")[0]["n"].clone();
    let checks = usize::try_from(checks.as_i64().expect("a count")).expect("a count");
    assert!(0 < checks);
    // Before anybody is on duty it waits, and is not given up.
    let night = "2025-11-01T03:00:00+08:00";
    let round = send(data.path(), &mail, night);
    assert_eq!((&round["sent_n"], &round["settled_n"]), (&0.into(), &0.into()), "{round}");
    assert!(checks <= round["unreached_n"].as_u64().expect("a count") as usize, "{round}");

    let duty = put_on_duty(data.path(), NOW_US, NOW_US + 48 * HOUR_US);
    let round = send(data.path(), &mail, night);
    assert_eq!(round["sent_n"], checks, "the checks at once, what is mild not before morning: {round}");
    let mails = mail.all();
    assert_eq!(mails.len(), checks);
    let mut ids = Vec::new();
    for (subject, to, text) in &mails {
        assert_eq!((subject.as_str(), to), ("待办提醒", &serde_json::json!(["duty@example.edu.cn"])));
        let link = text.strip_prefix("您有一条关怀工作的下一步待办理，请尽快登录查看。\n\nhttps://one.example.edu.cn/notices/");
        let id = link.and_then(|it| it.trim_end().parse::<i64>().ok());
        ids.push(id.unwrap_or_else(|| panic!("more is said than that there is work: {text}")));
    }

    // Stored before it was sent: another round sends nothing twice.
    assert_eq!(send(data.path(), &mail, night)["sent_n"], 0);
    assert_eq!(mail.all().len(), checks);

    // Whoever takes it on ends it.
    on_a_runtime(async {
        let messages = open(data.path()).await.messages();
        let at = NOW_US + 3 * HOUR_US + 1;
        assert_eq!(messages.advance(ids[0], duty, None, Reach::Acknowledged, at).await.expect("noted"), 1);
    });
    let round = send(data.path(), &mail, "2025-11-01T03:06:00+08:00");
    assert_eq!((&round["sent_n"], &round["settled_n"]), (&0.into(), &1.into()), "{round}");

    // What is mild goes out once the day has begun.
    let round = send(data.path(), &mail, "2025-11-01T08:31:00+08:00");
    assert!(10 < round["sent_n"].as_i64().expect("a count"), "{round}");
    assert_eq!(round["failed_n"], 0);
    let said = "您有一条关怀工作待处理，请登录查看。\n\nhttps://one.example.edu.cn/notices/";
    assert!(mail.all()[checks..].iter().all(|it| it.2.starts_with(said)), "{:?}", mail.all());
}

#[test]
fn without_an_hour_to_give_whatever_people_say_reaches_owner_and_duty_officer() {
    let data = TempDir::new().expect("a folder");
    let none = ["--set", "transform.as_of_days=1", "--set", "warning.capacity.hours_a_week=0.0", "run", "--format", "json"];
    let (code, _, wrong) =
        said(yizhan(data.path(), &none).args(["--now", "2025-11-01T00:00:00+08:00", "--input"]).arg(demo().join("exports")));
    assert_eq!(code, 0, "{wrong}");
    // What the data alone raise is not offered, and what was cut is a figure of its own.
    let n = |query: &str| sql(data.path(), query)[0]["n"].as_i64().expect("a count");
    let newest = "as_of_on = (SELECT max(as_of_on) FROM portrait_student)";
    assert_eq!(n(&format!("SELECT count(*) AS n FROM warning_student WHERE {newest} AND severity IS NOT NULL")), 0);
    let cut =
        n(&format!("SELECT count(DISTINCT student_key) AS n FROM warning_candidate WHERE {newest} AND severity IS NOT NULL"));
    let shortfall = n(&format!("SELECT max(shortfall_n) AS n FROM cockpit_warning WHERE {newest} AND scope = 'university'"));
    assert!(10 <= cut && 10 <= shortfall, "{cut} of whom something was found, {shortfall} of them told as cut");

    // Students of whom the night opened nothing, each with one thing that a person says or that falls due.
    let free = "SELECT student_key AS n FROM dim_student WHERE as_of_on = (SELECT max(as_of_on) FROM dim_student) \
                AND status = 'enrolled' AND student_key NOT IN (SELECT student_key FROM warning_student) ORDER BY 1 LIMIT 11";
    let students: Vec<i64> = sql(data.path(), free).iter().map(|it| it["n"].as_i64().expect("a key")).collect();
    assert_eq!(students.len(), 11, "{students:?}");
    let owner = counselor_with_a_mailbox(data.path(), &students);
    let duty = put_on_duty(data.path(), NOW_US, NOW_US + 60 * 24 * HOUR_US);
    let said_by = |source, severity| Act::Signal { source, severity };
    let check = |cause| Act::OpenCheck { cause, guardian: Guardian::Normal };
    let (mild, general, serious) = (Severity::Attention, Severity::General, Severity::Serious);
    let entries = [
        (Kind::LifeAid, said_by(Source::HumanReport, mild), Role::Counselor),
        (Kind::LifeAid, said_by(Source::SelfReferral, mild), Role::Student),
        (Kind::LifeAid, said_by(Source::Hotline, general), Role::DutyOffice),
        (Kind::LifeAid, said_by(Source::FollowUp, mild), Role::System),
        (Kind::LifeAid, said_by(Source::Superior, general), Role::CollegeSecretary),
        (Kind::LifeAid, said_by(Source::HumanReport, serious), Role::Tutor),
        (Kind::LifeAid, Act::Declare { is_danger_immediate: true }, Role::Counselor),
        (Kind::Safety, check(CheckCause::NoTrace), Role::System),
        (Kind::Safety, check(CheckCause::LostContact), Role::Counselor),
    ];
    let at = NOW_US + HOUR_US;
    on_a_runtime(async {
        let cases = open(data.path()).await.cases();
        for (student_key, (kind, act, role)) in students.iter().zip(&entries) {
            let command = casework::Command { act: act.clone(), reason: Code::new("as_said").expect("a code") };
            let who = if *role == Role::System { Who::system() } else { Who { account: "somebody".to_owned(), role: *role } };
            let entry = NewEntry { student_key: *student_key, kind: *kind, command: &command, note: None };
            let entered = cases.enter(entry, &who, &Rules::default(), at).await.expect("it is taken");
            assert!(entered.thread_key.is_some(), "nothing of this is cooled down: {command:?}");
        }
        // Two observations: one as the form sends it, one that cannot wait.
        for (student_key, is_urgent) in students[9..].iter().zip([false, true]) {
            let signs = vec![casework::Sign::SleepsBadly];
            let report = casework::ObservationReport { student_key: *student_key, signs, is_urgent, seen_day: None };
            let reporter = Who { account: "roommate".to_owned(), role: Role::Student };
            cases.report(&report, "这两天很少说话", &reporter, &Rules::default(), at).await.expect("it is taken");
        }
        // One of a number that is nobody's, which is told as soon as any other.
        let slip = casework::ObservationReport { student_key: 0, signs: Vec::new(), is_urgent: true, seen_day: None };
        let reporter = Who { account: "roommate".to_owned(), role: Role::Student };
        cases.report_unplaced("2023999999", &slip, "晚上没有回来", &reporter, at).await.expect("it is taken");
        // And a contact that falls due, after a return a week ago.
        let plan = FollowUpPlan { owner: "owner".to_owned(), from_us: at - 7 * 24 * HOUR_US, term_ends_us: 0 };
        cases.plan_follow_up(students[0], &plan).await.expect("planned");
    });

    // At night, by the first round: nothing that a person said, and no check, waits for the morning.
    let mail = Mail::start();
    send(data.path(), &mail, "2025-11-01T01:00:00+08:00");
    let asked: Vec<store::OpenMessage> = on_a_runtime(async {
        let all = open(data.path()).await.messages().due(None, i64::MAX).await.expect("messages");
        all.into_iter().filter(|it| it.created_us == at || it.kind == "follow_up_due").collect()
    });
    let told = || -> Vec<(String, Option<i64>, Vec<i64>)> {
        on_a_runtime(async {
            let messages = open(data.path()).await.messages();
            let mut told = Vec::new();
            for it in &asked {
                let of = messages.deliveries(it.message_id).await.expect("deliveries");
                told.push((it.kind.clone(), it.severity, of.iter().map(|it| it.to_key).collect()));
            }
            told
        })
    };
    let first = told();
    let kinds = |kind: &str| first.iter().filter(|it| it.0 == kind).count();
    assert_eq!(
        (kinds("new_thread"), kinds("help_asked"), kinds("crisis_declared"), kinds("safety_step_due"), kinds("follow_up_due")),
        (7, 2, 1, 2, 1),
        "{first:?}"
    );
    for (kind, severity, to) in &first {
        // Observations go to psychology; of a student without a psychologist the duty officer is the first to be asked.
        assert!(!to.is_empty() && to.iter().all(|it| [owner, duty].contains(it)), "{kind} {severity:?} {to:?}");
    }
    let asked_owner = first.iter().filter(|it| it.2.contains(&owner)).count();
    assert_eq!(asked_owner, 10, "all but the observations: {first:?}");

    // Whoever does not answer is not the end of it: everything has reached both in time.
    for now in
        ["2025-11-01T01:30:00+08:00", "2025-11-02T01:00:00+08:00", "2025-11-03T01:00:00+08:00", "2025-11-08T01:00:00+08:00"]
    {
        send(data.path(), &mail, now);
        let missing: Vec<_> = told().into_iter().filter(|it| !it.2.contains(&duty)).collect();
        let waits = |severity: Option<i64>| missing.iter().filter(|it| it.1 == severity).count();
        match now {
            // Half an hour: a crisis, checks, and whoever asks for help.
            "2025-11-01T01:30:00+08:00" => {
                let urgent = ["crisis_declared", "safety_step_due", "help_asked"];
                assert!(waits(Some(4)) == 0 && missing.iter().all(|it| !urgent.contains(&it.0.as_str())), "{missing:?}");
            }
            "2025-11-02T01:00:00+08:00" => {
                assert!(missing.iter().all(|it| it.0 == "new_thread" && it.1 < Some(3)), "{missing:?}")
            }
            "2025-11-03T01:00:00+08:00" => assert!(missing.iter().all(|it| it.1 == Some(1)), "{missing:?}"),
            _ => assert_eq!(missing, []),
        }
    }
}

#[test]
fn a_contact_that_is_due_reaches_its_owner_once() {
    let data = with_facts();
    let mail = Mail::start();
    // Somebody with a mailbox who is on no duty owes two contacts, one of them later.
    let owner = put_on_duty(data.path(), 0, 1);
    on_a_runtime(async {
        let plan = casework::FollowUpPlan { owner: "duty".to_owned(), from_us: NOW_US - 7 * 24 * HOUR_US, term_ends_us: 0 };
        open(data.path()).await.cases().plan_follow_up(100_000_000_000_001, &plan).await.expect("planned");
    });
    let said = "您有一项约定的工作已到时间，请登录查看。\n\nhttps://one.example.edu.cn/notices/";
    let told = || mail.all().into_iter().filter(|it| it.2.starts_with(said)).collect::<Vec<_>>();
    send(data.path(), &mail, "2025-11-01T09:00:00+08:00");
    for now in ["2025-11-01T09:01:00+08:00", "2025-11-01T12:00:00+08:00"] {
        assert_eq!(told().len(), 1, "{:?}", mail.all());
        send(data.path(), &mail, now);
    }
    assert_eq!(told()[0].1, serde_json::json!(["duty@example.edu.cn"]));
    assert_eq!(told().len(), 1);
    on_a_runtime(async {
        let store = open(data.path()).await;
        let open = store.messages().due(None, i64::MAX).await.expect("messages");
        let it = open.iter().find(|it| it.kind == "follow_up_due").expect("it waits until it is made");
        assert_eq!(store.messages().deliveries(it.message_id).await.expect("one")[0].to_key, owner);
        let key = it.follow_up_key.expect("a contact");
        let result = casework::Code::new("well").expect("a code");
        assert!(store.cases().follow_up_done(key, "duty", &result, NOW_US + 13 * HOUR_US).await.expect("noted"));
    });
    send(data.path(), &mail, "2025-11-01T14:00:00+08:00");
    on_a_runtime(async {
        let open = open(data.path()).await.messages().due(None, i64::MAX).await.expect("messages");
        assert!(open.iter().all(|it| it.kind != "follow_up_due"), "it is settled, and the other is not due");
    });
}

#[test]
fn a_rehearsal_says_which_channel_is_broken() {
    let data = with_facts();
    let mail = Mail::start();
    let rehearse_at = |now: &str, settings: &[String], more: &[&str]| {
        let mut command = yizhan(data.path(), &["notify", "drill", "--format", "json", "--now", now]);
        said(command.args(settings).args(more))
    };
    let rehearse = |settings: &[String], more: &[&str]| rehearse_at("2025-11-01T03:00:00+08:00", settings, more);
    // At noon, before the shifts of the register and of the demonstration begin.
    let (code, _, wrong) = rehearse_at("2025-10-31T12:00:00+08:00", &mail.settings(), &[]);
    assert_eq!(code, 2, "{wrong}");
    assert!(wrong.contains("nobody who can be told is on duty now"), "{wrong}");
    let duty = put_on_duty(data.path(), NOW_US, NOW_US + 48 * HOUR_US);

    let (code, lines, wrong) = rehearse(&mail.settings(), &[]);
    assert_eq!(code, 0, "{wrong}");
    let channel = &lines[0]["channels"][0];
    assert_eq!((&channel["channel"], &channel["sent_n"], &channel["is_broken"]), (&"mail".into(), &1.into(), &false.into()));
    let mails = mail.all();
    assert_eq!((mails.len(), mails[0].0.as_str()), (1, "通知演练"));

    let id = lines[0]["message_id"].as_i64().expect("a number");
    on_a_runtime(async {
        let messages = open(data.path()).await.messages();
        let begun = messages.deliveries(id).await.expect("deliveries")[0].created_us;
        messages.advance(id, duty, None, Reach::Acknowledged, begun + 60_000_000).await.expect("noted");
    });
    let number = id.to_string();
    let (_, lines, wrong) = rehearse(&mail.settings(), &["--report", &number]);
    assert_eq!(lines[0]["channels"][0]["acknowledged_seconds"], 60.0, "{lines:?} {wrong}");

    // Nobody listens there any more.
    let settings = mail.settings();
    drop(mail);
    let (code, lines, _) = rehearse(&settings, &[]);
    assert_eq!((code, &lines[0]["channels"][0]["is_broken"]), (1, &true.into()), "{lines:?}");
}

#[test]
fn a_living_server_sends_by_itself() {
    let data = with_facts();
    let mail = Mail::start();
    // Now is now: the cases of the demonstration are long late.
    let duty = put_on_duty(data.path(), 0, i64::MAX - 1);
    let settings = mail.settings();
    let mut args = vec!["serve"];
    args.extend(settings.iter().map(String::as_str));
    let server = Server::on(data, &args);
    let began = Instant::now();
    while mail.all().is_empty() {
        assert!(began.elapsed() < Duration::from_secs(60), "no mail within a minute");
        std::thread::sleep(Duration::from_millis(200));
    }
    let (_, to, text) = mail.all().remove(0);
    assert_eq!(to, serde_json::json!(["duty@example.edu.cn"]));
    let link = text.lines().last().and_then(|it| it.strip_prefix("https://one.example.edu.cn")).expect("a link");
    let id: i64 = link.strip_prefix("/notices/").expect("a link").parse().expect("a number");

    // The link leads to the login, then to the work; it says nothing to whom it was not sent.
    let follow = |cookie: Option<&str>| {
        let request = ureq::get(format!("{}{link}", server.url)).config().http_status_as_error(false).max_redirects(0).build();
        let request = cookie.into_iter().fold(request, |it, cookie| it.header("cookie", cookie));
        let answer = request.call().expect("the server answers");
        let goal = answer.headers().get("location").and_then(|it| it.to_str().ok()).unwrap_or_default().to_owned();
        (answer.status().as_u16(), goal)
    };
    assert_eq!(follow(None), (303, format!("/login?to={link}")));
    assert_eq!(follow(Some(&server.login("leader"))), (404, String::new()));
    let cookie = server.login("duty");
    let (status, goal) = follow(Some(&cookie));
    assert_eq!(status, 303);
    assert!(goal.starts_with("/care?case="), "{goal}");
    let take_on = format!("/api/v1{link}/acknowledge");
    let stranger = server.login("psychologist");
    let with = |cookie| [("x-yizhan", "1"), ("cookie", cookie)];
    assert_eq!(server.post(&take_on, &with(stranger.as_str()), &Value::Null).status, 404);
    let id_text = id.to_string();
    let shown = || {
        let rows = server.get("/api/v1/notices", Some(&cookie)).body["rows"].clone();
        // Keys are text in JSON.
        let own = rows.as_array().expect("rows").iter().find(|it| it["message_id"].as_str() == Some(id_text.as_str())).cloned();
        own.unwrap_or_else(|| panic!("the message is not among {rows}"))
    };
    assert_eq!(shown()["taken_at"], Value::Null, "it waits until somebody takes it on");
    assert_eq!(server.post(&take_on, &with(cookie.as_str()), &Value::Null).status, 204);
    let taken = shown();
    assert!(taken["taken_at"].is_string() && taken["is_mine"] == true, "{taken}");
    on_a_runtime(async {
        let deliveries = open(server.data.path()).await.messages().deliveries(id).await.expect("deliveries");
        let own = deliveries.iter().find(|it| it.to_key == duty).expect("a delivery");
        assert!(own.sent_us <= own.read_us && own.read_us <= own.acknowledged_us && own.sent_us.is_some(), "{own:?}");
    });
}
