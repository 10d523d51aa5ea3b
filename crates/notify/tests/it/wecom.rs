//! WeCom (企业微信).

use notify::{AddressKind, Error, Meaning, Retry};
use serde_json::json;

use crate::support::{Server, address, channels, said, send};

fn app(server: &Server, secret: &str) -> String {
    format!(
        "[[channel]]\nkind = \"wecom_app\"\nname = \"wecom\"\napi = \"{}\"\ncorp_id = \"ww1234567890abcdef\"\n\
         agent_id = 1000002\nsecret = {{ env = \"{secret}\" }}",
        server.url()
    )
}

fn robot(server: &Server) -> String {
    format!(
        "[[channel]]\nkind = \"wecom_robot\"\nname = \"group\"\napi = \"{}\"\nkey = {{ env = \"WECOM_ROBOT_KEY\" }}",
        server.url()
    )
}

#[tokio::test]
async fn a_card_reaches_a_member_and_the_token_is_fetched_once() {
    let server = Server::vendors();
    let channels = channels(&app(&server, "WECOM_SECRET"));
    let zhangsan = address(AddressKind::WeComUser, "ZhangSan");

    let (one, two) = tokio::join!(send(&channels, "wecom", 1, &zhangsan), send(&channels, "wecom", 2, &zhangsan));

    assert_eq!(one.expect("sent").tries, 1);
    assert!(two.expect("sent").vendor_id.is_some_and(|it| it.starts_with('m')));
    let mut shown = server.shown().await;
    shown.sort();
    assert_eq!(shown, [("zhangsan".to_owned(), said(1)), ("zhangsan".to_owned(), said(2))]);
    assert_eq!(server.requests("gettoken").await, 1);
}

#[tokio::test]
async fn a_token_that_ended_early_is_renewed() {
    for code in [42001, 40014] {
        let server = Server::vendors();
        let channels = channels(&app(&server, "WECOM_SECRET"));
        let zhangsan = address(AddressKind::WeComUser, "zhangsan");
        send(&channels, "wecom", 1, &zhangsan).await.expect("sent");
        server.set(json!({ "spent": ["token-1"], "spent_code": code })).await;

        let receipt = send(&channels, "wecom", 2, &zhangsan).await.expect("sent");

        assert_eq!((receipt.tries, server.requests("gettoken").await), (1, 2), "{code}");
        assert_eq!(server.shown().await.len(), 2);
    }
}

#[tokio::test]
async fn a_vendor_that_refuses_every_token_is_not_asked_for_ever() {
    let server = Server::vendors();
    let channels = channels(&app(&server, "WECOM_SECRET"));
    server.set(json!({ "spent": ["token-1", "token-2", "token-3"], "spent_code": 42001 })).await;

    let error = send(&channels, "wecom", 1, &address(AddressKind::WeComUser, "zhangsan")).await.expect_err("refused");

    assert!(matches!(error, Error::Refused { code: 42001, meaning: Meaning::Credentials, .. }), "{error:?}");
    assert_eq!((server.requests("gettoken").await, server.requests("message/send").await), (2, 2));
}

#[tokio::test]
async fn a_wrong_secret_is_told_and_not_tried_again() {
    let server = Server::vendors();
    let channels = channels(&app(&server, "WRONG"));

    let error = send(&channels, "wecom", 1, &address(AddressKind::WeComUser, "zhangsan")).await.expect_err("refused");

    assert_eq!(error.to_string(), "channel \"wecom\": refused with code 40001: key, signature or permission is wrong");
    assert_eq!(error.words().zh, "渠道“wecom”：被拒绝（代码 40001），密钥、签名或权限不对");
    assert_eq!((error.retry(), server.requests("gettoken").await), (Retry::Never, 1));
}

#[tokio::test]
async fn whoever_the_vendor_does_not_know_was_not_reached() {
    let server = Server::vendors();
    let channels = channels(&app(&server, "WECOM_SECRET"));

    // Refused as a whole, and taken with the recipient among the invalid ones.
    for user in ["nobody", "Nobody-2"] {
        let error = send(&channels, "wecom", 1, &address(AddressKind::WeComUser, user)).await.expect_err("refused");
        assert!(matches!(error, Error::Refused { code: 81013, meaning: Meaning::Recipient, .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_busy_vendor_is_tried_again() {
    let server = Server::vendors();
    let channels = channels(&app(&server, "WECOM_SECRET"));
    for (message_id, code) in [(1, -1), (2, 45009)] {
        server.set(json!({ "errcode": { "send": code } })).await;
        let receipt = send(&channels, "wecom", message_id, &address(AddressKind::WeComUser, "zhangsan")).await.expect("sent");
        assert_eq!(receipt.tries, 2, "{code}");
    }
    server.set(json!({ "errcode": { "send": 60020 } })).await;
    let error = send(&channels, "wecom", 3, &address(AddressKind::WeComUser, "zhangsan")).await.expect_err("refused");
    assert!(matches!(error, Error::Refused { meaning: Meaning::Source, .. }), "{error:?}");
}

#[tokio::test]
async fn an_answer_that_came_too_late_shows_the_card_once() {
    let server = Server::vendors();
    let channels = channels(&format!("timeout_ms = 400\n{}", app(&server, "WECOM_SECRET")));
    let zhangsan = address(AddressKind::WeComUser, "zhangsan");
    send(&channels, "wecom", 1, &zhangsan).await.expect("sent");
    server.set(json!({ "slow_but_shown": 1 })).await;

    let receipt = send(&channels, "wecom", 2, &zhangsan).await.expect("sent");

    assert_eq!(receipt.tries, 2);
    assert_eq!(server.shown().await.iter().filter(|it| it.1 == said(2)).count(), 1);
}

#[tokio::test]
async fn a_robot_tells_a_group_and_keeps_within_its_limit() {
    let server = Server::vendors();
    let channels = channels(&robot(&server));
    server.set(json!({ "errcode": { "robot": 45009 } })).await;

    let receipt = send(&channels, "group", 1, &notify::Addresses::new()).await.expect("sent");

    assert_eq!(receipt.tries, 2);
    assert_eq!(server.shown().await, [("group".to_owned(), said(1))]);
}
