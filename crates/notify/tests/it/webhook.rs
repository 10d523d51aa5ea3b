//! A system of the school's own.

use notify::{Addresses, Error, Meaning};
use serde_json::json;

use crate::support::{Server, channels, said, send};

pub(crate) fn webhook(url: &str, secret: &str) -> String {
    format!("[[channel]]\nkind = \"webhook\"\nname = \"hook\"\nurl = \"{url}\"\nsecret = {{ env = \"{secret}\" }}\n")
}

#[tokio::test]
async fn the_receiver_verifies_the_signature() {
    let server = Server::vendors();
    let url = format!("{}/hook", server.url());
    send(&channels(&webhook(&url, "WEBHOOK_SECRET")), "hook", 1, &Addresses::new()).await.expect("sent");
    assert_eq!(server.shown().await, [("700000000000001".to_owned(), said(1))]);

    let error = send(&channels(&webhook(&url, "WRONG")), "hook", 2, &Addresses::new()).await.expect_err("refused");

    assert!(matches!(error, Error::Refused { code: 401, meaning: Meaning::Credentials, .. }), "{error:?}");
    assert_eq!(server.shown().await.len(), 1);
}

#[tokio::test]
async fn what_may_have_arrived_is_sent_again_and_shown_once() {
    let server = Server::vendors();
    let url = format!("{}/hook", server.url());
    let channels = channels(&format!("timeout_ms = 400\n{}", webhook(&url, "WEBHOOK_SECRET")));
    server.set(json!({ "slow_but_shown": 1 })).await;

    let receipt = send(&channels, "hook", 1, &Addresses::new()).await.expect("sent");

    assert_eq!((receipt.tries, server.requests("/hook").await, server.shown().await.len()), (2, 2, 1));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let server = Server::vendors();
    let channels = channels(&webhook(&format!("{}/hook", server.url()), "WEBHOOK_SECRET"));
    server.set(json!({ "redirect": 1 })).await;

    let error = send(&channels, "hook", 1, &Addresses::new()).await.expect_err("refused");

    assert!(matches!(error, Error::Refused { code: 302, .. }), "{error:?}");
    assert_eq!(server.requests("/elsewhere").await, 0);
}

#[tokio::test]
async fn https_is_trusted_by_the_campus_authority_only() {
    let server = Server::vendors_over_tls();
    let url = format!("https://127.0.0.1:{}/hook", server.port);
    let authority = server.folder.path().join("authority.pem");
    let trusting = format!("ca_file = \"{}\"\n{}", authority.display(), webhook(&url, "WEBHOOK_SECRET"));

    send(&channels(&trusting), "hook", 1, &Addresses::new()).await.expect("sent");

    let error = send(&channels(&webhook(&url, "WEBHOOK_SECRET")), "hook", 2, &Addresses::new()).await.expect_err("refused");
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
}
