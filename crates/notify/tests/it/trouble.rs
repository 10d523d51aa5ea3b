//! What every HTTP channel does when the world is not as it should be; shown on two of them.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use notify::{AddressKind, Addresses, Error, Retry};
use schema::Blame;
use serde_json::json;

use crate::support::{Server, address, channels, send};
use crate::webhook::webhook;

fn hook(server: &Server, more: &str) -> String {
    format!("{more}\n{}", webhook(&format!("{}/hook", server.url()), "WEBHOOK_SECRET"))
}

#[tokio::test]
async fn a_server_that_asks_to_wait_is_waited_for() {
    let server = Server::vendors();
    let channels = channels(&hook(&server, ""));
    for (message_id, retry_after) in [(1, "1"), (2, "date")] {
        server.set(json!({ "busy": 1, "retry_after": retry_after })).await;
        let began = Instant::now();

        let receipt = send(&channels, "hook", message_id, &Addresses::new()).await.expect("sent");

        assert_eq!(receipt.tries, 2);
        assert!(Duration::from_millis(900) < began.elapsed(), "{:?} for {retry_after}", began.elapsed());
    }
}

#[tokio::test]
async fn a_server_that_asks_for_too_much_is_left() {
    let server = Server::vendors();
    let channels = channels(&hook(&server, ""));
    server.set(json!({ "busy": 1, "retry_after": "3600" })).await;
    let began = Instant::now();

    let error = send(&channels, "hook", 1, &Addresses::new()).await.expect_err("left");

    assert!(matches!(error, Error::Busy { code: 429, retry_after_s: Some(3600), .. }), "{error:?}");
    assert!(began.elapsed() < Duration::from_secs(1));
    assert_eq!(server.requests("/hook").await, 1);
}

#[tokio::test]
async fn a_failing_server_is_tried_three_times_and_no_more() {
    let server = Server::vendors();
    let channels = channels(&hook(&server, ""));
    server.set(json!({ "down": 2 })).await;
    assert_eq!(send(&channels, "hook", 1, &Addresses::new()).await.expect("sent").tries, 3);

    server.set(json!({ "down": 3 })).await;
    let error = send(&channels, "hook", 2, &Addresses::new()).await.expect_err("down");

    assert!(matches!(error, Error::Failing { code: 502, .. }), "{error:?}");
    assert_eq!((error.blame(), server.requests("/hook").await), (Blame::World, 6));
}

#[tokio::test]
async fn a_slow_server_runs_into_the_timeout_and_an_sms_is_not_repeated() {
    let server = Server::vendors();
    let sms = format!(
        "[[channel]]\nkind = \"sms\"\nname = \"sms\"\nmethod = \"POST\"\nurl = \"{}/sms/form\"\nbody_format = \"form\"\n\
         body = \"mobile={{mobile}}&msg={{text}}&key={{secret}}\"\nsecret = {{ env = \"SMS_SECRET\" }}\n\
         success_status = 202\nsuccess_pointer = \"\"\nsuccess_value = \"\"\n",
        server.url()
    );
    let channels = channels(&format!("timeout_ms = 300\n{sms}"));
    server.set(json!({ "slow_s": 1.0 })).await;
    let began = Instant::now();

    let error = send(&channels, "sms", 1, &address(AddressKind::Mobile, "13800138000")).await.expect_err("late");

    assert_eq!(error.to_string(), format!("channel \"sms\": \"127.0.0.1:{}\" gave no answer within 300 ms", server.port));
    assert_eq!((error.retry(), server.requests("/sms/form").await), (Retry::Unsure, 1));
    assert!(began.elapsed() < Duration::from_millis(900), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_connection_that_breaks_may_have_carried_the_message() {
    let server = Server::vendors();
    let channels = channels(&hook(&server, ""));
    server.set(json!({ "cut": 3 })).await;

    let error = send(&channels, "hook", 1, &Addresses::new()).await.expect_err("cut");

    // The receiver drops repetitions, so it is tried as often as the settings say.
    assert!(matches!(error, Error::Cut { .. }), "{error:?}");
    assert_eq!((error.retry(), server.requests("/hook").await), (Retry::Unsure, 3));
}

#[tokio::test]
async fn an_address_that_holds_a_key_stands_in_no_error() {
    let server = Server::vendors();
    let port = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a free port").port();
    server.set(json!({ "cut": 1 })).await;
    // `send` looks for it in every error, down to its last cause.
    for api in [format!("http://127.0.0.1:{port}"), server.url()] {
        let robot = format!(
            "[[channel]]\nkind = \"wecom_robot\"\nname = \"group\"\napi = \"{api}\"\nkey = {{ env = \"WECOM_ROBOT_KEY\" }}"
        );
        let error = send(&channels(&robot), "group", 1, &Addresses::new()).await.expect_err("no answer");
        assert!(matches!(error, Error::Unreachable { .. } | Error::Cut { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_its_end() {
    let server = Server::vendors();
    let robot = format!(
        "[[channel]]\nkind = \"wecom_robot\"\nname = \"group\"\napi = \"{}\"\nkey = {{ env = \"WECOM_ROBOT_KEY\" }}",
        server.url()
    );
    let channels = channels(&format!("{}{robot}", hook(&server, "")));
    server.set(json!({ "padding": 4_000_000 })).await;

    // The status says it all; where it does not, nobody knows, and a robot is not asked twice.
    send(&channels, "hook", 1, &Addresses::new()).await.expect("sent");
    let error = send(&channels, "group", 2, &Addresses::new()).await.expect_err("unreadable");

    assert!(matches!(error, Error::Answer { what: "is no JSON", .. }), "{error:?}");
    server.set(json!({ "padding": 0 })).await;
    assert_eq!(server.requests("/webhook/send").await, 1);
}

#[tokio::test]
async fn nobody_listens() {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a free port").port();
    let channels = channels(&webhook(&format!("http://127.0.0.1:{port}/hook"), "WEBHOOK_SECRET"));

    let error = send(&channels, "hook", 1, &Addresses::new()).await.expect_err("refused");

    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    assert_eq!(error.retry(), Retry::Again { after_s: None });
    assert_eq!(error.words().zh, format!("渠道“hook”：无法连接 127.0.0.1:{port}"));
}
