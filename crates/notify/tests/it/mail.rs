//! Mail, through a real mail server.

use std::net::TcpListener;

use notify::{AddressKind, Channels, Error, Meaning, Retry};
use serde_json::Value;

use crate::support::{Server, address, channels, config, environment, send};

fn smtp(port: u16, tls: &str, password: Option<&str>) -> String {
    let login = password.map(|it| format!("user = \"yizhan\"\npassword = {{ env = \"{it}\" }}\n")).unwrap_or_default();
    format!(
        "[[channel]]\nkind = \"smtp\"\nname = \"mail\"\nhost = \"localhost\"\nport = {port}\ntls = \"{tls}\"\n\
         from = \"驿站 <yizhan@example.edu.cn>\"\n{login}"
    )
}

fn trusting(server: &Server, channel: &str) -> String {
    format!("ca_file = \"{}\"\n{channel}", server.folder.path().join("authority.pem").display())
}

fn mails(server: &Server) -> Vec<Value> {
    let text = std::fs::read_to_string(server.folder.path().join("mails.jsonl")).unwrap_or_default();
    text.lines().map(|it| serde_json::from_str(it).expect("JSON")).collect()
}

#[tokio::test]
async fn a_mail_arrives_encrypted_and_logged_in_both_ways() {
    for tls in ["starttls", "tls"] {
        let server = Server::mail(tls);
        let channels = channels(&trusting(&server, &smtp(server.port, tls, Some("MAIL_PASSWORD"))));

        let receipt = send(&channels, "mail", 1, &address(AddressKind::Email, "zs@example.edu.cn")).await.expect("sent");

        let mails = mails(&server);
        let [mail] = &mails[..] else { panic!("{mails:?}") };
        assert_eq!((&mail["encrypted"], &mail["login"]), (&true.into(), &true.into()), "{tls}");
        assert_eq!(mail["to"], serde_json::json!(["zs@example.edu.cn"]));
        assert_eq!(
            (mail["from"].as_str(), mail["sender"].as_str()),
            (Some("yizhan@example.edu.cn"), Some("驿站 <yizhan@example.edu.cn>"))
        );
        assert_eq!(mail["subject"], "待办提醒");
        let text = mail["text"].as_str().expect("a text").replace("\r\n", "\n");
        assert_eq!(text, "您有一条关怀工作待处理，请登录查看。\n\nhttps://one.example.edu.cn/notices/1\n");
        assert_eq!(mail["auto_submitted"], "auto-generated");
        assert_eq!(mail["message_id"].as_str(), receipt.vendor_id.as_deref());
    }
}

#[tokio::test]
async fn a_certificate_of_a_stranger_is_not_taken() {
    for tls in ["starttls", "tls"] {
        let server = Server::mail(tls);
        let channels = channels(&smtp(server.port, tls, Some("MAIL_PASSWORD")));
        let error = send(&channels, "mail", 1, &address(AddressKind::Email, "zs@example.edu.cn")).await.expect_err("refused");
        assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
        assert!(mails(&server).is_empty());
    }
}

#[tokio::test]
async fn a_server_that_cannot_encrypt_gets_nothing() {
    let server = Server::mail("plain");
    for password in [Some("MAIL_PASSWORD"), None] {
        let channels = channels(&smtp(server.port, "starttls", password));
        let error = send(&channels, "mail", 1, &address(AddressKind::Email, "zs@example.edu.cn")).await.expect_err("refused");
        assert_eq!(error.retry(), Retry::Never, "{error:?}");
    }
    assert!(mails(&server).is_empty());
}

#[tokio::test]
async fn a_wrong_password_is_told_and_not_tried_again() {
    let server = Server::mail("starttls");
    let channels = channels(&trusting(&server, &smtp(server.port, "starttls", Some("WRONG"))));
    let error = send(&channels, "mail", 1, &address(AddressKind::Email, "zs@example.edu.cn")).await.expect_err("refused");
    assert!(matches!(error, Error::Refused { code: 535, meaning: Meaning::Credentials, .. }), "{error:?}");
}

#[tokio::test]
async fn mailboxes_that_are_unknown_or_busy_or_slow() {
    let server = Server::mail("plain");
    let channels = channels(&format!("timeout_ms = 500\n{}", smtp(server.port, "none", None)));
    let to = |name: &str| address(AddressKind::Email, &format!("{name}@example.edu.cn"));

    let error = send(&channels, "mail", 1, &to("unknown")).await.expect_err("refused");
    assert!(matches!(error, Error::Refused { code: 550, meaning: Meaning::Recipient, .. }), "{error:?}");
    assert_eq!(send(&channels, "mail", 2, &to("later")).await.expect("sent").tries, 2);
    let error = send(&channels, "mail", 3, &to("slow")).await.expect_err("late");
    assert!(matches!(error, Error::TimedOut { .. }), "{error:?}");
    assert_eq!(mails(&server).len(), 1);
}

#[tokio::test]
async fn nobody_listens() {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a free port").port();
    let error = send(&channels(&smtp(port, "none", None)), "mail", 1, &address(AddressKind::Email, "zs@example.edu.cn")).await;
    let error = error.expect_err("refused");
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
}

#[test]
fn mail_is_encrypted_unless_it_stays_on_this_machine() {
    let text = smtp(25, "none", None).replace("localhost", "mail.example.edu.cn");
    let error = Channels::build(&config(&text), &environment).expect_err("refused").to_string();
    assert_eq!(error, "setting \"notify.channel.mail.tls\": must be \"starttls\" or \"tls\"; \"none\" is for this machine only");
}
