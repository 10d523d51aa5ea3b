//! The doors of the stream that are no HTTP: whatever is killed in between, what was taken is in staging, once.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use rumqttc::MqttOptions;
use serde_json::Value;
use tempfile::TempDir;

use crate::brokers::{Broker, done, free_port, make_stream, program, publish_all, publish_mqtt, purge_stream};
use crate::crash::{Gates, passage};
use crate::support::{binary, repository, write};

pub(crate) fn now_ms() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

pub(crate) fn project(folder: &TempDir, more: &str) -> Gates {
    let settings = format!("[ingest]\napprovals = \"off\"\n[stream]\ncommit_seconds = 1\n{more}");
    Gates::new(binary(), folder.path(), &settings)
}

/// Looks again and again until something holds.
#[track_caller]
pub(crate) fn until(what: &str, gates: &Gates, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(90), "{what} never came: {}", gates.complaint());
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// What stands in staging of the gates, by number of the event: each must be there once.
pub(crate) fn staged(gates: &Gates) -> Vec<u64> {
    let staged = gates.staged();
    let twice: Vec<_> = staged.iter().filter(|it| *it.1 != 1).collect();
    assert!(twice.is_empty(), "more than once: {twice:?}");
    let mut found: Vec<u64> = staged.into_keys().map(|it| it.1).collect();
    found.sort_unstable();
    found
}

/// How a door stands, as the server tells without a login.
pub(crate) fn warnings(url: &str) -> Vec<Value> {
    let Ok(mut answer) = ureq::get(format!("{url}/api/v1/health")).call() else { return Vec::new() };
    let text = answer.body_mut().read_to_string().unwrap_or_default();
    let body: Value = serde_json::from_str(&text).unwrap_or_default();
    body["warnings"].as_array().cloned().unwrap_or_default()
}

fn names(folder: &Path) -> Vec<String> {
    let Ok(found) = std::fs::read_dir(folder) else { return Vec::new() };
    let files = found.filter_map(Result::ok).filter(|it| it.path().is_file());
    let mut names: Vec<String> = files.map(|it| it.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Puts a file into a folder as a script does that knows how: under another name first, then renamed.
fn drop_in(folder: &Path, name: &str, text: &str, is_old: bool) {
    let part = folder.join(format!("{name}.part"));
    write(&part, text);
    if is_old {
        let file = std::fs::File::options().append(true).open(&part).expect("a file");
        file.set_modified(SystemTime::now() - Duration::from_secs(60)).expect("a time");
    }
    std::fs::rename(&part, folder.join(name)).expect("renamed");
}

#[test]
fn files_of_the_drop_folder_enter_once_whatever_is_killed() {
    let folder = TempDir::new().expect("a folder");
    let card = std::fs::read_to_string(repository().join("pipelines/card_txn.toml")).expect("a contract");
    // What is tried is the door, not the encoding of a vendor.
    write(&folder.path().join("pipelines/card_txn.toml"), &card.replace("encoding = \"gb18030\"", "encoding = \"utf-8\""));
    let gates = project(&folder, "[stream.drop]\nfolder = \"drop\"\nquiet_seconds = 2");
    let inbox = folder.path().join("drop/gate_event");
    let at = now_ms();
    let mut expected = Vec::new();
    let points = [
        "drop.claimed",
        "log.append.after",
        "log.sync.after",
        "drop.kept",
        "drop.done",
        "commit.rows.after",
        "commit.keys.before",
    ];
    for (n, point) in points.into_iter().enumerate() {
        let seqs: Vec<u64> = (0..3).map(|it| 10 * n as u64 + it).collect();
        let rows: Vec<String> = seqs.iter().rev().map(|it| passage("G1", *it, at - 1_000, *it)).collect();
        std::fs::create_dir_all(&inbox).expect("a folder");
        drop_in(&inbox, &format!("gates_{n}.jsonl"), &rows.join("\n"), true);
        expected.extend(seqs);
        if let Some(mut server) = gates.serve(Some(point)) {
            until(point, &gates, || server.is_dead());
        }
    }
    // The same bytes once more, under another name; one that is no JSON; one that is still being written.
    let again: Vec<String> = [2, 1, 0].iter().map(|it| passage("G1", *it, at - 1_000, *it)).collect();
    drop_in(&inbox, "again.jsonl", &again.join("\n"), true);
    drop_in(&inbox, "wrong.jsonl", "this is\nno JSON\n", true);
    // Its reason is written, and it has not followed yet.
    if let Some(mut server) = gates.serve(Some("drop.refused")) {
        until("drop.refused", &gates, || server.is_dead());
    }
    write(&inbox.join("growing.jsonl.part"), &passage("G1", 999, at, 1));
    let cards = folder.path().join("drop/card_txn");
    let csv = "流水号,学号,终端号,商户类型,交易金额(元),余额(元),交易时间\n\
               7,2025000001,T1,食堂,12.5,100,2025/12/01 7:02:03\n8,2025000002,T1,食堂,3,80.5,2025/12/01 7:02:09\n";
    drop_in(&cards, "card.csv", csv, false);
    // Whoever writes events of a table as lines may do so whatever the contract says of its exports.
    let line = "{\"流水号\":9,\"学号\":\"2025000003\",\"终端号\":\"T2\",\"商户类型\":\"超市\",\"交易金额(元)\":\"4\",\
                \"交易时间\":\"2025/12/01 8:00:00\"}";
    drop_in(&cards, "card.jsonl", line, false);
    let server = gates.serve(None).expect("it starts");
    until("an empty folder", &gates, || {
        names(&inbox) == ["growing.jsonl.part"]
            && names(&cards).is_empty()
            && [&inbox, &cards].iter().all(|it| names(&it.join(".taking")).is_empty())
    });
    server.stop();
    assert_eq!(staged(&gates), expected);
    let n = gates.sql("SELECT count(*) AS n, count(DISTINCT txn_id) AS d FROM stg_card_txn WHERE txn_id IN (7, 8, 9)");
    assert_eq!((n[0]["n"].as_i64(), n[0]["d"].as_i64()), (Some(3), Some(3)));
    // Raw rows too are there once: a file that was taken is known again by its bytes.
    let raw = gates.sql("SELECT count(*) AS n FROM raw_gate_event");
    assert_eq!(raw[0]["n"].as_u64(), Some(expected.len() as u64));
    let refused = names(&inbox.join("refused"));
    assert_eq!(refused.len(), 2, "{refused:?}");
    assert!(refused[0].ends_with("-wrong.jsonl") && refused[1].ends_with("-wrong.jsonl.txt"), "{refused:?}");
    let why = std::fs::read_to_string(inbox.join("refused").join(&refused[1])).expect("a reason");
    assert_eq!(why.lines().count(), 2, "in both languages: {why}");
    assert_eq!(names(&inbox.join("done")).len(), points.len() + 1);
}

/// Certificates of an authority of our own, and of a broker on this machine.
pub(crate) fn certificates(folder: &Path) {
    let openssl = |args: &str| done(Command::new("openssl").args(args.split(' ')).current_dir(folder));
    write(&folder.join("names"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n");
    openssl("req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=authority");
    openssl("req -newkey rsa:2048 -nodes -keyout broker.key -out broker.csr -subj /CN=localhost");
    openssl("x509 -req -in broker.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out broker.pem -days 2 -extfile names");
}

/// Sends messages as a gate does, and returns once the broker has acknowledged all of them.
fn publish(port: u16, messages: &[(String, String, bool)]) {
    let mut options = MqttOptions::new("gate", "127.0.0.1", port);
    options.set_credentials("gate", "secret of the gates");
    publish_mqtt(options, messages);
}

#[test]
fn messages_of_mqtt_are_acknowledged_after_they_survive_and_enter_once() {
    let folder = TempDir::new().expect("a folder");
    certificates(folder.path());
    let (plain, tls) = (free_port(), free_port());
    let at = |name: &str| folder.path().join(name).display().to_string();
    done(program("mosquitto_passwd").args(["-b", "-c"]).arg(at("users")).args(["gate", "secret of the gates"]));
    // As root it would become another user, who may not read this folder.
    let settings = format!(
        "user root\nlistener {plain} 127.0.0.1\nlistener {tls} 127.0.0.1\ncafile {}\ncertfile {}\nkeyfile {}\n\
         allow_anonymous false\npassword_file {}\npersistence true\npersistence_location {}/\nautosave_on_changes true\n\
         autosave_interval 1\nmax_inflight_messages 7\n",
        at("ca.pem"),
        at("broker.pem"),
        at("broker.key"),
        at("users"),
        folder.path().display()
    );
    write(&folder.path().join("mosquitto.conf"), &settings);
    let mut broker = Broker::start("mosquitto", vec!["-c".to_owned(), at("mosquitto.conf")], plain);

    let project_folder = TempDir::new().expect("a folder");
    let secret = folder.path().join("secret");
    write(&secret, "secret of the gates\n");
    #[cfg(unix)]
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("a mode");
    let door = format!(
        "[[stream.mqtt]]\nname = \"gates\"\nurl = \"mqtts://localhost:{tls}\"\nclient_id = \"yizhan\"\nuser = \"gate\"\n\
         password = {{ file = \"{}\" }}\nca_file = \"{}\"\ntopics = {{ \"gates/+/passage\" = \"gate_event\", \"play/gate_event/+\" = \"gate_event\", \
         \"play/device_heartbeat/+\" = \"device_heartbeat\" }}\n",
        secret.display(),
        at("ca.pem")
    );
    let gates = project(&project_folder, &door);
    let now = now_ms();
    let event = |seq: u64| (format!("gates/{}/passage", seq % 3), passage("G1", seq, now - seq as i64, seq), false);
    // Out of order, and every third of them twice.
    let events = |range: std::ops::Range<u64>| -> Vec<(String, String, bool)> {
        let twice = range.clone().step_by(3);
        range.rev().chain(twice).map(event).collect()
    };
    // What a broker retains is there before anybody subscribes.
    let (topic, content, _) = event(0);
    publish(plain, &[(topic, content, true)]);
    // The first batch it takes is the retained event; it ends itself when the second is in the log and not acknowledged.
    let mut server = gates.serve(Some("mqtt.kept:2")).expect("it starts");
    until("the retained event", &gates, || staged(&gates) == [0]);
    let mut first = events(1..21);
    first.push(("gates/1/passage".to_owned(), "no JSON".to_owned(), false));
    publish(plain, &first);
    until("mqtt.kept", &gates, || server.is_dead());
    // The broker keeps what comes while nobody is connected.
    publish(plain, &events(21..31));
    broker.again();
    let mut server = gates.serve(None).expect("it starts");
    // A gate that lost its broker sends again what it has, until somebody tells it to stop.
    until("everything so far", &gates, || {
        publish(plain, &events(1..31));
        staged(&gates) == (0..31).collect::<Vec<_>>()
    });
    server.kill();
    publish(plain, &events(31..36));
    let server = gates.serve(None).expect("it starts");
    broker.kill();
    until("a word of the door", &gates, || warnings(&server.url).iter().any(|it| it["code"] == "door_shut"));
    broker.again();
    until("everything", &gates, || {
        publish(plain, &events(31..41));
        staged(&gates) == (0..41).collect::<Vec<_>>()
    });
    until("an open door", &gates, || warnings(&server.url).iter().all(|it| it["code"] != "door_shut"));
    assert_eq!(staged(&gates), (0..41).collect::<Vec<_>>());
    let retained = gates.sql("SELECT count(*) AS n FROM raw_gate_event WHERE event_seq = 0");
    assert_eq!(retained[0]["n"].as_u64(), Some(1), "what is retained is sent at every subscription, and is no new event");
    let refused = gates.sql("SELECT count(*) AS n FROM ops_quarantine WHERE pipeline = 'gate_event' AND reason = 'json'");
    assert_ne!(refused[0]["n"].as_u64(), Some(0), "what is no event waits in quarantine");
    // A synthetic campus plays into the broker: what it sent is in the tables or in quarantine. For as many messages the
    // broker need not save each of them, but it must not drop any.
    broker.kill();
    let settings =
        settings.replace("persistence true", "persistence false").replace("autosave_on_changes true\nautosave_interval 1\n", "");
    write(&folder.path().join("mosquitto.conf"), &format!("{settings}max_queued_messages 0\n"));
    broker.again();
    until("a new session", &gates, || {
        publish(plain, &events(41..42));
        staged(&gates) == (0..42).collect::<Vec<_>>()
    });
    let n = |query: &str| gates.sql(query)[0]["n"].as_u64().unwrap_or(0);
    let arrived = || {
        n("SELECT count(*) AS n FROM raw_gate_event WHERE device_id <> 'G1'")
            + n("SELECT count(*) AS n FROM raw_device_heartbeat")
            + n("SELECT count(*) AS n FROM ops_quarantine WHERE reason <> 'json'")
    };
    let played = play(&gates, &format!("mqtt://gate@127.0.0.1:{plain}"), "play/{pipeline}/{device_id}", "secret of the gates");
    assert_ne!(played, 0);
    until("what was played", &gates, || played <= arrived());
    server.stop();
    assert!(42 < staged(&gates).len());
}

/// Plays two days of a small campus into a broker; says how many events it took.
pub(crate) fn play(gates: &Gates, to: &str, topic: &str, password: &str) -> u64 {
    let told = played(gates, &["--live", "--to", to, "--topic", topic, "--speed", "0"], password);
    told["events"].as_u64().expect("a count")
}

/// Plays them as a case needs it, and says what became of them.
fn played(gates: &Gates, how: &[&str], password: &str) -> Value {
    let days = ["simulate", "--students", "30", "--days", "2", "--seed", "5", "--format", "json"];
    let mut command = gates.command(&days);
    command.args(how).env("YIZHAN_PUSH_TOKEN", password);
    let out = command.output().expect("the program starts");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_str(String::from_utf8_lossy(&out.stdout).trim()).expect("a report")
}

#[cfg(unix)]
#[test]
fn who_reads_from_jetstream_proves_it_with_a_key_and_waits_while_the_clock_is_not_believed() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let folder = TempDir::new().expect("a folder");
    let port = free_port();
    // Gates may write without a word, and nobody reads but who has the key: it stands in the tests of NATS itself.
    let config = format!(
        "listen: \"127.0.0.1:{port}\"\njetstream {{ store_dir: \"{}\" }}\nno_auth_user: \"gates\"\nauthorization {{ users: [\n\
         {{ nkey: \"UAFHG6FUD2UU4SDFVAFUL5LDFO2XM4WYM76UNXTPJYJK7EEMYRBHT2VE\" }}\n\
         {{ user: \"gates\", password: \"gates\", permissions: {{\n\
         publish: [\"gates.>\", \"$JS.API.STREAM.CREATE.GATES\"], subscribe: [\"_INBOX.>\"] }} }}\n] }}\n",
        folder.path().join("store").display()
    );
    let path = folder.path().join("nats.conf");
    write(&path, &config);
    let _broker = Broker::start("nats-server", vec!["-c".to_owned(), path.display().to_string()], port);
    make_stream(&runtime, port, "GATES", "gates.>");
    let seed = folder.path().join("seed");
    write(&seed, "SUACH75SWCM5D2JMJM6EKLR2WDARVGZT4QC6LX3AGHSWOMVAKERABBBRWM\n");
    std::fs::set_permissions(&seed, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("a mode");

    let project_folder = TempDir::new().expect("a folder");
    let door = format!(
        "[[stream.nats]]\nname = \"gates\"\nurl = \"nats://127.0.0.1:{port}\"\nstream = \"GATES\"\npipeline = \"gate_event\"\n\
         subjects = [\"gates.>\"]\nnkey = {{ file = \"{}\" }}\n",
        seed.display()
    );
    let gates = project(&project_folder, &door);
    let player = gates.said(&["token", "add", "player", "--pipeline", "gate_event", "--pipeline", "device_heartbeat"]);
    let player = String::from_utf8_lossy(&player.stdout).trim().to_owned();
    let now = now_ms();
    let message = |seq: u64| ("gates.north".to_owned(), passage("G1", seq, now - seq as i64, seq));
    publish_all(&runtime, port, &(0..5).map(message).collect::<Vec<_>>());
    let server = gates.serve(None).expect("it starts");
    until("what only the key may read", &gates, || staged(&gates) == (0..5).collect::<Vec<u64>>());
    server.stop();

    // A clock that leapt before a start is doubted still: the door waits with what it read, devices are asked to come again.
    let doubt = project_folder.path().join("data/clock.json");
    let now_us = now_ms() * 1_000;
    let from_us = now_us - 800 * 86_400_000_000;
    write(&doubt, &format!("{{\"from_us\":{from_us},\"to_us\":{now_us},\"is_confirmed\":false,\"is_of_start\":true}}"));
    publish_all(&runtime, port, &[message(5)]);
    let server = gates.serve(None).expect("it starts");
    until("a door that waits", &gates, || {
        gates.complaint().lines().any(|it| it.contains("what came waits") && it.contains("the machine's clock leapt from"))
    });
    let bearer = format!("Bearer {}", gates.token);
    let push = || {
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/x-ndjson")];
        server.push("/api/v1/events/gate_event", &headers, message(6).1.as_bytes()).expect("the server answers")
    };
    let (status, after, said) = push();
    assert!(status == 503 && after.is_some() && said.contains("clock_leapt"), "{status} {after:?} {said}");
    assert!(warnings(&server.url).iter().any(|it| it["code"] == "clock_leapt"));
    assert_eq!(staged(&gates), (0..5).collect::<Vec<u64>>(), "nothing is taken");
    // Looking confirms nothing.
    let looked = gates.said(&["clock"]);
    let said = String::from_utf8_lossy(&looked.stdout).into_owned();
    assert!(!looked.status.success() && said.contains("yizhan clock --confirm"), "{said}");
    assert_eq!(push().0, 503);
    assert!(gates.said(&["clock", "--confirm"]).status.success());
    until("what the door had waited with", &gates, || staged(&gates) == (0..6).collect::<Vec<u64>>());
    assert_eq!(push().0, 202);
    assert_eq!(staged(&gates), (0..7).collect::<Vec<u64>>());
    assert!(!doubt.exists() && warnings(&server.url).iter().all(|it| it["code"] != "clock_leapt"));

    // A synthetic campus plays over HTTP too, by its own time: whatever is answered for is in the tables, once.
    let n = |query: &str| gates.sql(query)[0]["n"].as_u64().unwrap_or(0);
    let raw = || {
        let rows = "SELECT device_id FROM raw_gate_event UNION ALL SELECT device_id FROM raw_device_heartbeat";
        n(&format!("SELECT count(*) AS n FROM ({rows}) AS pushed WHERE device_id <> 'G1'"))
    };
    let told = played(&gates, &["--live", &server.url, "--speed", "50000"], &player);
    let count = |name: &str| told[name].as_u64().unwrap_or(0);
    assert!(0 < count("kept") && 0 < count("requests"), "{told}");
    assert_eq!(count("events"), count("kept") + count("quarantined") + count("skipped"), "{told}");
    until("what was played", &gates, || count("kept") <= raw());
    server.stop();
    assert_eq!(raw(), count("kept"), "{told}");
}

#[test]
fn a_log_that_is_full_keeps_every_door_waiting_and_all_go_on_once_it_has_room() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (folder, store) = (TempDir::new().expect("a folder"), TempDir::new().expect("a folder"));
    let port = free_port();
    let args = format!("-js -a 127.0.0.1 -p {port} -sd {}", store.path().display());
    let _broker = Broker::start("nats-server", args.split(' ').map(str::to_owned).collect(), port);
    make_stream(&runtime, port, "GATES", "gates.>");
    let door = format!(
        "tick_seconds = 0\nbytes_max = \"256 KiB\"\nsegment_bytes = \"32 KiB\"\n[stream.drop]\nfolder = \"drop\"\nquiet_seconds = 2\n\
         [[stream.nats]]\nname = \"gates\"\nurl = \"nats://127.0.0.1:{port}\"\nstream = \"GATES\"\npipeline = \"gate_event\"\n\
         subjects = [\"gates.north\"]\n"
    );
    let gates = project(&folder, &door);
    // Many times what the log has room for waits at the broker and in the folder before the server is there.
    let (at, inbox) = (now_ms() - 1_000, folder.path().join("drop/gate_event"));
    let messages: Vec<(String, String)> =
        (0..10_000).map(|it| ("gates.north".to_owned(), passage("N", it, at, it % 300))).collect();
    publish_all(&runtime, port, &messages);
    std::fs::create_dir_all(&inbox).expect("a folder");
    for file in 0..10_u64 {
        let rows: Vec<String> = (0..500).map(|it| passage("D", 10_000 + 500 * file + it, at, it % 300)).collect();
        drop_in(&inbox, &format!("gates_{file}.jsonl"), &rows.join("\n"), true);
    }
    let mut expected: Vec<u64> = (0..15_000).collect();

    let server = gates.serve(None).expect("it starts");
    let bearer = format!("Bearer {}", gates.token);
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/x-ndjson")];
    // Whoever pushes is asked to wait while the others have not been read to their end.
    let (mut seq, mut is_full) = (20_000, false);
    until("a full log", &gates, || {
        // Without a pause, several times what the log holds: on a busy machine the others come to their end while one rests.
        for _ in 0..60 {
            let rows: Vec<String> = (seq..seq + 100).map(|it| passage("H", it, at, it % 300)).collect();
            match server.push("/api/v1/events/gate_event", &headers, rows.join("\n").as_bytes()).expect("an answer") {
                (202, ..) => {
                    expected.extend(seq..seq + 100);
                    seq += 100;
                }
                (429, after, text) => {
                    assert!(text.contains("log_full"), "{text}");
                    assert!(after.is_some_and(|it| it.parse::<u64>().is_ok_and(|it| 0 < it)), "it says when to try again");
                    is_full = staged(&gates).iter().filter(|it| **it < 20_000).count() < 15_000;
                    break;
                }
                (other, _, text) => panic!("{other}: {text}"),
            }
        }
        is_full
    });
    // Nobody does anything, and everything comes in.
    until("all of it", &gates, || staged(&gates) == expected);
    server.stop();
    let raw = gates.sql("SELECT count(*) AS n FROM raw_gate_event");
    assert_eq!(raw[0]["n"].as_u64(), Some(expected.len() as u64), "each is read by its position, or known by its bytes");
    assert_eq!(names(&inbox.join("done")).len(), 10);
}

#[test]
fn messages_of_jetstream_are_read_by_position_and_a_broker_that_lost_some_is_told() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let folder = TempDir::new().expect("a folder");
    let port = free_port();
    let store = folder.path().join("store");
    let args = format!("-js -a 127.0.0.1 -p {port} -sd {}", store.display());
    let mut broker = Broker::start("nats-server", args.split(' ').map(str::to_owned).collect(), port);
    make_stream(&runtime, port, "GATES", "gates.>");

    let project_folder = TempDir::new().expect("a folder");
    let door = format!(
        "rejects_max = 20\n[[stream.nats]]\nname = \"gates\"\nurl = \"nats://127.0.0.1:{port}\"\nstream = \"GATES\"\npipeline = \"gate_event\"\n\
         subjects = [\"gates.north\", \"gates.south.*\", \"gates.gate_event.*\"]\n"
    );
    let gates = project(&project_folder, &door);
    let now = now_ms();
    let event = |seq: u64| {
        let subject = if seq.is_multiple_of(2) { "gates.north".to_owned() } else { format!("gates.south.{}", seq % 5) };
        (subject, passage("G1", seq, now - seq as i64, seq))
    };
    // Out of order, and every third of them twice.
    let events = |range: std::ops::Range<u64>| -> Vec<(String, String)> {
        let twice = range.clone().step_by(3);
        range.rev().chain(twice).map(event).collect()
    };
    let all = |n: u64| (0..n).collect::<Vec<_>>();
    let sent = std::cell::Cell::new(0);
    let send = |range: std::ops::Range<u64>| {
        let messages = events(range);
        publish_all(&runtime, port, &messages);
        sent.set(sent.get() + messages.len() as u64);
    };
    send(0..20);
    // It ends itself between the log and the table, then between the table and the next message.
    for (point, from) in [("nats.kept:2", 20), ("commit.rows.after", 30), ("log.sync.after:2", 40)] {
        if let Some(mut server) = gates.serve(Some(point)) {
            until(point, &gates, || {
                send(from..from + 10);
                server.is_dead()
            });
        }
        send(from..from + 10);
    }
    let mut server = gates.serve(None).expect("it starts");
    until("everything so far", &gates, || staged(&gates) == all(50));
    server.kill();
    send(50..60);
    let server = gates.serve(None).expect("it starts");
    until("what came meanwhile", &gates, || staged(&gates) == all(60));
    // What is read by its position is in the raw table as often as it was sent, however often the server was killed.
    let raw = || gates.sql("SELECT count(*) AS n FROM raw_gate_event")[0]["n"].as_u64();
    until("every message", &gates, || Some(sent.get()) <= raw());
    assert_eq!(raw(), Some(sent.get()));
    // A broker that comes back goes on where it was, once what it had taken reached its disk.
    std::thread::sleep(Duration::from_secs(1));
    let shut = || warnings(&server.url).iter().filter(|it| it["code"] == "door_shut").count();
    broker.kill();
    until("a word of every door", &gates, || shut() == 3);
    broker.again();
    send(60..70);
    until("what came after the broker", &gates, || staged(&gates) == all(70));
    until("open doors", &gates, || shut() == 0);

    // What the broker still has is read again when somebody asks: it is in the raw table once more, and in staging once.
    until("every message of before", &gates, || Some(sent.get()) <= raw());
    let before = raw().unwrap_or(0);
    let from = (chrono::Utc::now() - chrono::Duration::days(2)).format("%Y-%m-%d").to_string();
    let out = gates.said(&["replay", "nats/gates", "--from", &from, "--format", "json"]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let told: Value = serde_json::from_slice(&out.stdout).expect("a report");
    assert_eq!((&told["pipeline"], &told["rows_quarantined"]), (&Value::from("gate_event"), &Value::from(0)), "{told}");
    let again = told["rows_kept"].as_u64().unwrap_or(0);
    assert!(70 <= again && told["rows_in"] == told["rows_kept"], "{told}");
    assert_eq!(raw(), Some(before + again));
    assert_eq!(staged(&gates), all(70));
    let unknown = gates.said(&["replay", "nats/elsewhere", "--from", &from]);
    let why = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(!unknown.status.success() && why.contains("nats/gates"), "{why}");

    let both_stopped = |url: &str| {
        let told = warnings(url);
        let told: Vec<&str> = told.iter().filter_map(|it| it["text_en"].as_str()).collect();
        ["nats/gates/gates.north", "nats/gates/gates.south.*"]
            .iter()
            .all(|door| told.iter().any(|it| it.contains(door) && it.contains("stopped")))
    };
    // Its machine loses power: the stream comes back as old as it was and without its newest, and others take their places
    // until it is longer than what was taken.
    let (early, whole) = (folder.path().join("early"), folder.path().join("whole"));
    let copy = |from: &Path, to: &Path| {
        let _ = std::fs::remove_dir_all(to);
        done(Command::new("cp").arg("-a").arg(from).arg(to));
    };
    std::thread::sleep(Duration::from_secs(1));
    broker.kill();
    copy(&store, &early);
    broker.again();
    send(70..80);
    until("what came before the loss", &gates, || staged(&gates) == all(80));
    std::thread::sleep(Duration::from_secs(1));
    broker.kill();
    copy(&store, &whole);
    copy(&early, &store);
    broker.again();
    send(100..130);
    until("a word of both doors after the loss", &gates, || both_stopped(&server.url));
    // A start looks again, and finds another message at its position.
    server.stop();
    let server = gates.serve(None).expect("it starts");
    until("a word of both doors after a start", &gates, || both_stopped(&server.url));
    assert!(2 <= gates.complaint().matches("has another message at").count(), "{}", gates.complaint());
    server.stop();
    assert_eq!(staged(&gates), all(80));
    // What it had is put back, and what comes behind it is read.
    broker.kill();
    copy(&whole, &store);
    broker.again();
    send(80..85);
    let server = gates.serve(None).expect("it starts");
    until("what came behind the data that were put back", &gates, || staged(&gates) == all(85));

    // A broker that comes back without what it had is no reason to begin anew: its numbers mean other messages.
    broker.kill();
    std::fs::remove_dir_all(&store).expect("it forgets");
    broker.again();
    make_stream(&runtime, port, "GATES", "gates.>");
    send(85..90);
    until("a word of both doors", &gates, || both_stopped(&server.url));
    assert!(gates.complaint().contains("was made anew"), "{}", gates.complaint());
    server.stop();
    assert_eq!(staged(&gates), all(85));
    // A person says that it is another stream.
    let path = project_folder.path().join("yizhan.toml");
    let text = std::fs::read_to_string(&path).expect("settings");
    write(&path, &text.replace("name = \"gates\"", "name = \"gates_2\""));
    let server = gates.serve(None).expect("it starts");
    until("the new stream", &gates, || staged(&gates) == all(90));
    // A synthetic campus plays into the broker.
    assert_ne!(play(&gates, &format!("nats://127.0.0.1:{port}"), "gates/{pipeline}/{device_id}", ""), 0);
    until("what was played", &gates, || 90 < staged(&gates).len());
    // What a stream removes while its doors are open is told too: whose it was, only the publisher knows.
    let was_removed = || gates.complaint().contains("were removed before they were read");
    assert!(!was_removed(), "{}", gates.complaint());
    publish_all(&runtime, port, &[("gates.elsewhere".to_owned(), "for nobody here".to_owned())]);
    purge_stream(&runtime, port, "GATES");
    until("a word of what was removed", &gates, was_removed);
    // A sender that goes wrong shuts its own door: what it sends behind that stays at the broker.
    let bad: Vec<(String, String)> = (0..30).map(|n| ("gates.north".to_owned(), format!("no JSON {n}"))).collect();
    publish_all(&runtime, port, &bad);
    // It is told when something waits.
    let is_shut = || {
        publish_all(&runtime, port, &[event(200)]);
        let told = warnings(&server.url);
        told.iter().any(|it| it["text_en"].as_str().is_some_and(|it| it.contains("nats/gates_2/gates.north")))
    };
    until("a word of the door", &gates, is_shut);
    publish_all(&runtime, port, &[event(201)]);
    until("what came through the other door", &gates, || gates.staged().contains_key(&("G1".to_owned(), 201)));
    assert!(gates.complaint().contains("do not fit the contract"), "{}", gates.complaint());
    server.stop();
    assert!(90 < staged(&gates).len());
}
