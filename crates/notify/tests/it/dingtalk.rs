//! DingTalk (钉钉).

use notify::{AddressKind, Addresses, Error, Meaning};
use serde_json::json;

use crate::support::{Server, address, channels, said, send};

fn work(server: &Server, secret: &str) -> String {
    format!(
        "[[channel]]\nkind = \"dingtalk_work\"\nname = \"ding\"\napi = \"{}\"\napp_key = \"dingappkey1\"\n\
         agent_id = 1000002\napp_secret = {{ env = \"{secret}\" }}",
        server.url()
    )
}

fn robot(server: &Server, secret: &str) -> String {
    format!(
        "[[channel]]\nkind = \"dingtalk_robot\"\nname = \"group\"\napi = \"{}\"\n\
         access_token = {{ env = \"DING_ROBOT_TOKEN\" }}\nsecret = {{ env = \"{secret}\" }}",
        server.url()
    )
}

#[tokio::test]
async fn a_work_notification_reaches_a_member_and_renews_its_token() {
    // Older gateways wrap every code in 88.
    for (code, wrap) in [(42001, 0), (40014, 1)] {
        let server = Server::vendors();
        let channels = channels(&work(&server, "DING_SECRET"));
        let lisi = address(AddressKind::DingTalkUser, "lisi");
        let receipt = send(&channels, "ding", 1, &lisi).await.expect("sent");
        assert_eq!(receipt.vendor_id.as_deref(), Some("256271667526"));
        server.set(json!({ "spent": ["token-1"], "spent_code": code, "wrap_88": wrap })).await;

        send(&channels, "ding", 2, &lisi).await.expect("sent");

        assert_eq!(server.requests("gettoken").await, 2);
        assert_eq!(server.shown().await, [("lisi".to_owned(), said(1)), ("lisi".to_owned(), said(2))]);
    }
}

#[tokio::test]
async fn refusals_say_whose_move_it_is() {
    let server = Server::vendors();
    let right = channels(&work(&server, "DING_SECRET"));
    let nobody = address(AddressKind::DingTalkUser, "nobody");
    let error = send(&right, "ding", 1, &nobody).await.expect_err("refused");
    assert!(matches!(error, Error::Refused { code: 33012, meaning: Meaning::Recipient, .. }), "{error:?}");
    let wrong = channels(&work(&server, "WRONG"));
    let error = send(&wrong, "ding", 1, &nobody).await.expect_err("refused");
    assert!(matches!(error, Error::Refused { code: 40089, meaning: Meaning::Credentials, .. }), "{error:?}");
}

#[tokio::test]
async fn a_robot_signs_every_try_anew() {
    let server = Server::vendors();
    let channels = channels(&robot(&server, "DING_ROBOT_SECRET"));
    // Some signatures hold "+", "/" and "=", which must be escaped.
    for message_id in 1..=20 {
        send(&channels, "group", message_id, &Addresses::new()).await.expect("sent");
    }
    server.set(json!({ "errcode": { "robot": 130101 } })).await;
    assert_eq!(send(&channels, "group", 21, &Addresses::new()).await.expect("sent").tries, 2);
    assert_eq!(server.shown().await.len(), 21);
}

#[tokio::test]
async fn a_wrong_signature_is_refused() {
    let server = Server::vendors();
    let error = send(&channels(&robot(&server, "WRONG")), "group", 1, &Addresses::new()).await.expect_err("refused");
    assert!(matches!(error, Error::Refused { code: 310000, meaning: Meaning::Credentials, .. }), "{error:?}");
    assert!(server.shown().await.is_empty());
}
