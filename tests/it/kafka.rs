//! The Kafka door: whatever fails in between, messages are in staging once, and a topic that is another one is told.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::brokers::{Kafka, free_port};
use crate::crash::{self, Gates, Living, Wanted, passage};
use crate::doors::{certificates, now_ms, play, project, staged, until, warnings};
use crate::support::{binary, write};

/// What was sent to a topic, in its order.
#[derive(Default)]
struct Sent(Vec<Value>);

impl Sent {
    /// Sends texts to their partitions, under instants that nothing else has.
    fn send(&mut self, broker: &mut Kafka, texts: Vec<(u64, Value, Value)>) {
        let compressions = ["none", "gzip", "snappy", "lz4", "zstd"];
        let begin_ms = 1_760_000_000_000_u64;
        let stamped = texts.into_iter().zip(self.0.len() as u64..);
        let messages: Vec<Value> =
            stamped.map(|((partition, text, headers), n)| json!([partition, text, headers, begin_ms + n])).collect();
        self.0.extend(messages.iter().cloned());
        broker.tell(&json!(["send", "gates", messages, compressions[self.0.len() % compressions.len()]]));
    }

    /// Sends passages out of order, and every third of them twice.
    fn passages(&mut self, broker: &mut Kafka, range: std::ops::Range<u64>, now: i64) {
        let twice = range.clone().step_by(3);
        let text = |seq: u64| (seq % 3, json!(passage("G1", seq, now - seq as i64, seq)), json!([]));
        self.send(broker, range.rev().chain(twice).map(text).collect());
    }

    /// Makes the topic anew and sends everything again, so many milliseconds later.
    fn again(&self, broker: &mut Kafka, later_ms: u64) {
        let mut messages = self.0.clone();
        for message in &mut messages {
            message[3] = json!(message[3].as_u64().expect("an instant") + later_ms);
        }
        broker.tell(&json!(["anew", "gates", 3]));
        broker.tell(&json!(["send", "gates", messages, "lz4"]));
    }
}

/// Waits until each of these doors says that it goes no further.
#[track_caller]
fn stopped(gates: &Gates, server: &Living, doors: &[&str]) {
    until("a word of every door", gates, || {
        let told = warnings(&server.url);
        let told: Vec<&str> = told.iter().filter_map(|it| it["text_en"].as_str()).collect();
        doors.iter().all(|door| told.iter().any(|it| it.contains(door) && it.contains("stopped")))
    });
}

fn is_shut(server: &Living) -> bool {
    warnings(&server.url).iter().any(|it| it["code"] == "door_shut")
}

fn change(folder: &Path, old: &str, new: &str) {
    let path = folder.join("yizhan.toml");
    let text = std::fs::read_to_string(&path).expect("settings");
    assert!(text.contains(old), "{text}");
    write(&path, &text.replace(old, new));
}

#[test]
fn messages_of_kafka_are_read_by_position_whatever_fails_in_between() {
    let mut broker = Kafka::start(&["mock", "3"]);
    for (topic, partitions) in [("gates", 3), ("large", 1), ("yizhan.gate_event", 2), ("yizhan.device_heartbeat", 1)] {
        broker.tell(&json!(["topic", topic, partitions]));
    }
    let urls: Vec<String> = broker.address.split(',').map(|it| format!("\"kafka://{it}\"")).collect();
    let door = |name: &str, topic: &str| {
        let urls = urls.join(", ");
        format!("[[stream.kafka]]\nname = \"{name}\"\nurls = [{urls}]\ntopic = \"{topic}\"\npipeline = \"gate_event\"\n")
    };
    let folder = TempDir::new().expect("a folder");
    let large = door("large", "large") + "memory_bytes_max = \"256 KiB\"\n";
    let gates = project(&folder, &(door("gates", "gates") + &door("play", "yizhan.gate_event") + &large));
    let now = now_ms();
    let all = |n: u64| (0..n).collect::<Vec<_>>();
    let mut sent = Sent::default();
    sent.passages(&mut broker, 0..19, now);
    // One in an envelope that says so, one that removes its key, one that is no JSON.
    let text = passage("G1", 19, now, 19);
    let event = format!("{{\"specversion\":\"1.0\",\"id\":\"19\",\"source\":\"gates\",\"type\":\"passage\",\"data\":{text}}}");
    let odd = vec![
        (0, json!(event), json!([["content-type", "application/cloudevents+json"]])),
        (1, Value::Null, json!([])),
        (2, json!("no JSON"), json!([])),
    ];
    sent.send(&mut broker, odd);
    // It ends itself between the log and the table, then between the table and the next message.
    for (point, from) in [("kafka.kept:2", 20), ("commit.rows.after", 30), ("log.sync.after:2", 40)] {
        if let Some(mut server) = gates.serve(Some(point)) {
            until(point, &gates, || {
                sent.passages(&mut broker, from..from + 10, now);
                server.is_dead()
            });
        }
        sent.passages(&mut broker, from..from + 10, now);
    }
    let mut server = gates.serve(None).expect("it starts");
    until("everything so far", &gates, || staged(&gates) == all(50));
    server.kill();
    sent.passages(&mut broker, 50..60, now);
    let server = gates.serve(None).expect("it starts");
    until("what came meanwhile", &gates, || staged(&gates) == all(60));
    // What is read by its position is in the raw table as often as it was sent, however often the server was killed.
    let n = |query: &str| gates.sql(query)[0]["n"].as_u64().unwrap_or(0);
    let raw = || n("SELECT count(*) AS n FROM raw_gate_event");
    let refused = || n("SELECT count(*) AS n FROM ops_quarantine WHERE pipeline = 'gate_event' AND reason = 'json'");
    let expected = sent.0.len() as u64 - 2;
    until("every message", &gates, || expected <= raw());
    assert_eq!((raw(), refused()), (expected, 1), "what only removes a key is no row");

    // Brokers err, change their leaders, and one goes away for a while.
    broker.tell(&json!(["errors", "fetch", "not_leader", 4]));
    sent.passages(&mut broker, 60..65, now);
    broker.tell(&json!(["errors", "fetch", "timed_out", 2]));
    broker.tell(&json!(["errors", "offsets", "leader_not_available", 2]));
    sent.passages(&mut broker, 65..70, now);
    until("what came between errors", &gates, || staged(&gates) == all(70));
    for partition in 0..3 {
        broker.tell(&json!(["leader", "gates", partition, 1]));
    }
    sent.passages(&mut broker, 70..75, now);
    until("what the new leader has", &gates, || staged(&gates) == all(75));
    until("open doors before the outage", &gates, || !is_shut(&server));
    broker.tell(&json!(["down", 1]));
    until("a word of the door", &gates, || is_shut(&server));
    broker.tell(&json!(["up", 1]));
    sent.passages(&mut broker, 75..80, now);
    until("what came after the broker", &gates, || staged(&gates) == all(80));
    until("open doors", &gates, || !is_shut(&server));
    let expected = sent.0.len() as u64 - 2;
    until("every message once more", &gates, || expected <= raw());
    assert_eq!((raw(), refused()), (expected, 1), "no fault brings a message twice");

    // What the brokers still have of a day is read again when somebody asks, and of other days nothing.
    let again = |from: &str, to: &[&str]| {
        let days: Vec<&str> = ["--from", from].iter().chain(to).copied().collect();
        let out = gates.said(&[&["replay", "kafka/gates", "--format", "json"][..], &days[..]].concat());
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let told: Value = serde_json::from_slice(&out.stdout).expect("a report");
        ["rows_in", "rows_kept", "rows_quarantined", "rows_skipped"].map(|it| told[it].as_u64().unwrap_or(0))
    };
    assert_eq!(again("2025-10-08", &["--to", "2025-10-08"]), [0; 4]);
    assert_eq!(again("2025-10-10", &[]), [0; 4]);
    assert_eq!(again("2025-10-09", &["--to", "2025-10-09"]), [expected + 1, expected, 1, 0]);
    assert_eq!((raw(), refused()), (2 * expected, 2));
    assert_eq!(staged(&gates), all(80), "once each in staging");
    assert_eq!(again("2025-10-09", &[]), [expected + 1, 0, 0, expected + 1], "under the same contract nothing is new");

    // A topic that was made anew is not read: its offsets mean other messages.
    let doors = ["kafka/gates/gates/0", "kafka/gates/gates/1", "kafka/gates/gates/2"];
    broker.tell(&json!(["anew", "gates", 3]));
    let other = [90, 91, 92].map(|seq| json!([seq % 3, passage("G1", seq, now, seq), [], now]));
    broker.tell(&json!(["send", "gates", other, "none"]));
    stopped(&gates, &server, &doors);
    server.stop();
    assert_eq!(staged(&gates), all(80));
    // Its data are put back, with what came meanwhile behind them.
    sent.passages(&mut broker, 80..85, now);
    sent.again(&mut broker, 0);
    let server = gates.serve(None).expect("it starts");
    until("what came behind the data that were put back", &gates, || staged(&gates) == all(85));
    server.stop();
    assert_eq!(refused(), 2, "nothing was read from the beginning");
    // Nor is one read that is made anew and longer than the position: another message stands there.
    sent.passages(&mut broker, 85..88, now);
    sent.again(&mut broker, 7);
    let server = gates.serve(None).expect("it starts");
    stopped(&gates, &server, &doors);
    server.stop();
    assert_eq!(staged(&gates), all(85));
    // A person says that it is another topic. Of one whose batch is larger unpacked than may be held nothing is passed over.
    change(folder.path(), "name = \"gates\"", "name = \"gates_2\"");
    let blank = json!([0, passage("G1", 200, now, 200) + &" ".repeat(400_000), [], now]);
    broker.tell(&json!(["send", "large", [blank], "zstd"]));
    let server = gates.serve(None).expect("it starts");
    until("the new topic", &gates, || staged(&gates) == all(88));
    stopped(&gates, &server, &["kafka/large/large/0"]);
    server.stop();
    assert_eq!(staged(&gates), all(88));
    // There is more room now, and instants of the topic change by themselves, as where brokers stamp and compact.
    change(folder.path(), "memory_bytes_max = \"256 KiB\"", "memory_bytes_max = \"1 MiB\"");
    change(folder.path(), "name = \"gates_2\"", "name = \"gates_2\"\nlog_append_time = true");
    sent.passages(&mut broker, 88..91, now);
    sent.again(&mut broker, 14);

    // While nobody reads, the broker removes what is old: more than it keeps is sent to one partition.
    let large = |seq: u64| json!([0, passage("G1", seq, now, seq) + &" ".repeat(100_000), [], now]);
    let messages: Vec<Value> = (100..160).map(large).collect();
    broker.tell(&json!(["send", "gates", messages, "none"]));
    let server = gates.serve(None).expect("it starts");
    until("the last message", &gates, || staged(&gates).contains(&159));
    until("all of the others", &gates, || [88, 89, 200].iter().all(|it| staged(&gates).contains(it)));
    assert!(gates.complaint().contains("were removed before they were read"), "{}", gates.complaint());
    assert!(!staged(&gates).contains(&100), "the broker has it no more");
    assert_eq!(staged(&gates)[..88], all(88)[..]);
    // A synthetic campus plays into the broker.
    let before = staged(&gates).len();
    let address = format!("kafka://{}", broker.address.split(',').next().expect("an address"));
    assert_ne!(play(&gates, &address, "yizhan/{pipeline}", ""), 0);
    until("what was played", &gates, || before < gates.staged().len());
    server.stop();
}

#[test]
fn another_broker_is_read_over_tls_and_told_when_it_forgot_everything() {
    let folder = TempDir::new().expect("a folder");
    certificates(folder.path());
    let at = |name: &str| folder.path().join(name).display().to_string();
    let port = free_port();
    let mut broker = Kafka::start(&["tansu", &port.to_string(), &at("broker.pem"), &at("broker.key")]);
    broker.tell(&json!(["topic", "gates", 3]));
    let project_folder = TempDir::new().expect("a folder");
    let door = format!(
        "[[stream.kafka]]\nname = \"gates\"\nurls = [\"kafkas://localhost:{port}\"]\nca_file = \"{}\"\ntopic = \"gates\"\n\
         partitions = [2, 0]\npipeline = \"gate_event\"\n",
        at("ca.pem")
    );
    let gates = project(&project_folder, &door);
    let now = now_ms();
    // Of the partition that nobody named nothing comes.
    let named = |n: u64| (0..n).filter(|seq| seq % 3 != 1).collect::<Vec<_>>();
    let mut sent = Sent::default();
    sent.passages(&mut broker, 0..10, now);
    let mut server = gates.serve(None).expect("it starts");
    until("the first messages", &gates, || staged(&gates) == named(10));
    server.kill();
    sent.passages(&mut broker, 10..20, now);
    let server = gates.serve(None).expect("it starts");
    until("what came meanwhile", &gates, || staged(&gates) == named(20));
    broker.tell(&json!(["again"]));
    broker.tell(&json!(["topic", "gates", 3]));
    sent.passages(&mut broker, 20..23, now);
    stopped(&gates, &server, &["kafka/gates/gates/0", "kafka/gates/gates/2"]);
    server.stop();
    assert_eq!(staged(&gates), named(20));
}

#[test]
fn killed_again_and_again_what_a_kafka_broker_acknowledged_is_there_once() {
    let folder = TempDir::new().expect("a folder");
    let wanted = Wanted { kills: 5, events: 600, seed: 5, sources: vec!["kafka".to_owned()] };
    let (passed, failed) = crash::kills(binary(), folder.path(), &wanted);
    assert_eq!((passed, failed), (wanted.kills, Vec::<String>::new()));
}
