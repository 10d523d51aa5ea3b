//! SMS gateways (短信网关).

use notify::{AddressKind, Channels, Error};

use crate::support::{Server, address, channels, config, environment, said, send};

fn json_gateway(server: &Server, secret: &str) -> String {
    format!(
        r#"
        [[channel]]
        kind = "sms"
        name = "sms"
        method = "POST"
        url = "{}/sms/json"
        headers = {{ Authorization = "Bearer {{secret}}" }}
        body_format = "json"
        body = '{{"to": "{{mobile}}", "content": "{{text}}", "sign": "【示例大学】"}}'
        secret = {{ env = "{secret}" }}
        success_status = 200
        success_pointer = "/result/code"
        success_value = "0"
        id_pointer = "/result/id"
        "#,
        server.url()
    )
}

fn form_gateway(server: &Server) -> String {
    format!(
        r#"
        [[channel]]
        kind = "sms"
        name = "form"
        method = "POST"
        url = "{}/sms/form"
        body_format = "form"
        body = "mobile={{mobile}}&msg={{text}}&key={{secret}}"
        secret = {{ env = "SMS_SECRET" }}
        success_status = 202
        success_pointer = ""
        success_value = ""
        "#,
        server.url()
    )
}

#[tokio::test]
async fn a_gateway_that_takes_json_and_one_that_takes_a_form_are_only_settings() {
    let server = Server::vendors();
    let channels = channels(&(json_gateway(&server, "SMS_SECRET") + &form_gateway(&server)));
    let mobile = address(AddressKind::Mobile, "+8613800138000");

    let receipt = send(&channels, "sms", 1, &mobile).await.expect("sent");
    send(&channels, "form", 2, &mobile).await.expect("sent");

    assert_eq!(receipt.vendor_id.as_deref(), Some("778899"));
    assert_eq!(server.shown().await, [("+8613800138000".to_owned(), said(1)), ("+8613800138000".to_owned(), said(2))]);
}

#[tokio::test]
async fn a_gateway_that_says_no_with_status_200_has_said_no() {
    let server = Server::vendors();
    let right = channels(&json_gateway(&server, "SMS_SECRET"));
    let error = send(&right, "sms", 1, &address(AddressKind::Mobile, "+8613900000000")).await.expect_err("refused");
    assert!(matches!(error, Error::Refused { code: 1012, .. }), "{error:?}");
    let wrong = channels(&json_gateway(&server, "WRONG"));
    let error = send(&wrong, "sms", 1, &address(AddressKind::Mobile, "13800138000")).await.expect_err("refused");
    assert!(matches!(error, Error::Refused { code: 401, .. }), "{error:?}");
}

#[test]
fn templates_that_cannot_work_are_refused_at_the_start() {
    let template = |url: &str, body: &str, more: &str| {
        format!(
            "[[channel]]\nkind = \"sms\"\nname = \"sms\"\nmethod = \"POST\"\nurl = \"{url}\"\nbody_format = \"json\"\n\
             body = '{body}'\nsuccess_status = 200\nsuccess_pointer = \"\"\nsuccess_value = \"\"\n{more}"
        )
    };
    let good = r#"{"m": "{mobile}", "t": "{text}"}"#;
    let cases = [
        (template("https://sms.example/x", r#"{"m": "{mobile}"}"#, ""), "has no {text}: say where it goes, in body or url"),
        (template("https://sms.example/x", r#"{"m": {mobile}, "t": {text}}"#, ""), "is no JSON once filled"),
        (template("https://sms.example/x?k={secret}", good, ""), "is not given, but {secret} stands in a template"),
        (template("https://{mobile}.example/x", good, ""), "may hold placeholders behind the host only"),
        (template("http://sms.example/x", good, ""), "must begin with https://"),
        (template("https://sms.example/x", good, "headers = { X = \"{text}\" }"), "may hold {secret} only"),
    ];
    for (text, expected) in cases {
        let error = Channels::build(&config(&text), &environment).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert!(Channels::build(&config(&template("https://sms.example/x", good, "")), &environment).is_ok());
}
