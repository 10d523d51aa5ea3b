//! Live updates as a browser meets them: a stream says what changed to whom it concerns, goes on after a break, and ends
//! with the session.

use std::io::{BufRead, BufReader};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use serde_json::{Value, json};

use crate::serve::{Document, Server};
use crate::support::{output, yizhan};

/// How long a case waits for something that must come: a bound and no measurement.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Debug, Clone, PartialEq)]
struct Told {
    name: String,
    id: String,
    data: Value,
}

/// An open stream; it stays open as long as the server keeps it.
struct Stream {
    events: Receiver<Told>,
}

impl Stream {
    fn open(server: &Server, cookie: &str, after: Option<&str>) -> Self {
        let mut request = ureq::get(format!("{}/api/v1/live", server.url)).header("cookie", cookie);
        if let Some(after) = after {
            request = request.header("last-event-id", after);
        }
        let answer = request.call().expect("a stream");
        let header = |name: &str| answer.headers().get(name).and_then(|it| it.to_str().ok()).unwrap_or_default().to_owned();
        assert_eq!(header("content-type"), "text/event-stream");
        assert_eq!((header("cache-control").as_str(), header("x-accel-buffering").as_str()), ("no-store", "no"));
        let lines = BufReader::new(answer.into_body().into_reader()).lines();
        let (tell, events) = channel();
        std::thread::spawn(move || {
            let mut told = Told { name: String::new(), id: String::new(), data: Value::Null };
            for line in lines.map_while(Result::ok) {
                match line.split_once(": ") {
                    Some(("event", name)) => told.name = name.to_owned(),
                    Some(("id", id)) => told.id = id.to_owned(),
                    Some(("data", data)) => told.data = serde_json::from_str(data).expect("JSON"),
                    _ if line.is_empty() => {
                        let _ = tell.send(told.clone());
                        told.id.clear();
                    }
                    _ => {}
                }
            }
        });
        Self { events }
    }

    /// The next event that is no sign of life.
    fn next(&self) -> Told {
        loop {
            let told = self.events.recv_timeout(PATIENCE).expect("the stream says something");
            if told.name != "beat" {
                return told;
            }
        }
    }

    /// The next sign of life, whatever comes before it.
    fn beat(&self) -> Told {
        loop {
            let told = self.events.recv_timeout(PATIENCE).expect("the stream lives");
            if told.name == "beat" {
                return told;
            }
        }
    }

    /// Everything up to an event of a name.
    fn until(&self, name: &str) -> Vec<Told> {
        self.until_so(|it| it.name == name)
    }

    /// Everything up to an event that is as a case needs it.
    fn until_so(&self, is_so: impl Fn(&Told) -> bool) -> Vec<Told> {
        let mut heard = vec![self.next()];
        while heard.last().is_some_and(|it| !is_so(it)) {
            heard.push(self.next());
        }
        heard
    }
}

fn names(heard: &[Told]) -> Vec<&str> {
    heard.iter().map(|it| it.name.as_str()).collect()
}

#[test]
fn a_stream_tells_each_reader_what_is_theirs_goes_on_after_a_break_and_ends_with_the_session() {
    let server = Server::start();
    let document = Document::of(&server);
    document.check_problem(&server.get("/api/v1/live", None), 401, "a stream for a stranger");
    let (counselor, administrator) = (server.login("counselor"), server.login("administrator"));
    let own = Stream::open(&server, &counselor, None);
    let operators = Stream::open(&server, &administrator, None);
    let (hello, theirs) = (own.next(), operators.next());
    assert_eq!((hello.name.as_str(), theirs.name.as_str()), ("hello", "hello"));

    let student = server.get("/api/v1/students?limit=1", Some(&counselor)).body["rows"][0]["student_key"].clone();
    let signal =
        json!({ "student_key": student, "kind": "psych", "act": "signal", "fields": { "source": "superior", "severity": "1" } });
    let opened = server.post("/api/v1/cases", &[("x-yizhan", "1"), ("cookie", &counselor)], &signal);
    let thread = opened.body["row"]["thread_key"].as_str().expect("a case").to_owned();

    // Whose case it is hears that it moved, and nothing of what it holds.
    let heard = own.until_so(|it| it.name == "case" && it.data["id"] == json!(thread));
    let case = heard.last().expect("an event").clone();
    let keys: Vec<&str> = case.data.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(keys, ["id", "version"]);
    document.check(&json!({ "$ref": "#/components/schemas/LiveChange" }), &case.data, "an event");

    // An operator hears of the run that came after it, and not of the case.
    let out = output(&mut yizhan(server.data.path(), &["transform", "--select", "stg_org_unit"]));
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let heard = operators.until("runs");
    assert!(!names(&heard).iter().any(|it| it.starts_with("case")), "{heard:?}");

    // After a break it goes on with what came meanwhile, for the one as for the other.
    let again = Stream::open(&server, &counselor, Some(&hello.id));
    assert_eq!(again.next().name, "hello");
    let replayed = again.until_so(|it| it.id == case.id);
    assert_eq!(replayed.last(), Some(&case), "the same event under the same name");
    let again = Stream::open(&server, &administrator, Some(&theirs.id));
    let heard = again.until("runs");
    assert!(!names(&heard).iter().any(|it| it.starts_with("case")), "{heard:?}");
    // A break that was too long, or a server that was started anew, is told.
    let lost = Stream::open(&server, &counselor, Some("0123456789abcdef"));
    assert_eq!(lost.next().name, "reset");

    // A session has so many streams and no more.
    let fourth = Stream::open(&server, &counselor, None);
    assert_eq!(fourth.next().name, "hello");
    document.check_problem(&server.get("/api/v1/live", Some(&counselor)), 429, "a fifth stream");

    // It says that it lives though nothing happens, and no break goes on from there.
    assert_eq!(own.beat(), Told { name: "beat".to_owned(), id: String::new(), data: json!({}) });

    // Whoever signs out hears nothing any more.
    let with = [("x-yizhan", "1"), ("cookie", counselor.as_str())];
    assert_eq!(server.post("/api/v1/logout", &with, &json!({})).status, 204);
    for stream in [&own, &lost, &fourth] {
        stream.until("end");
        assert_eq!(stream.events.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected), "the stream is closed");
    }
    document.check_problem(&server.get("/api/v1/live", Some(&counselor)), 401, "a stream of a session that ended");
}
