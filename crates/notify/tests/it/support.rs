//! A server of a test, settings that point to it, and people.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use notify::{
    Address, AddressKind, Addresses, Channels, Config, Error, Kind, Language, Message, Origin, Receipt, StaffKey, Target,
};
use serde_json::Value;
use tempfile::TempDir;

/// Secrets of the servers, as environment variables.
pub(crate) const ENVIRONMENT: [(&str, &str); 9] = [
    ("WECOM_SECRET", "wecom-secret-1"),
    ("WECOM_ROBOT_KEY", "693a91f6-7xxx-4bc4-97a0-0ec2sifa5aaa"),
    ("DING_SECRET", "ding-secret-1"),
    ("DING_ROBOT_TOKEN", "ding-robot-token-1"),
    ("DING_ROBOT_SECRET", "SECding-sign-1"),
    ("SMS_SECRET", "sms-secret/1+&"),
    ("WEBHOOK_SECRET", "webhook-secret-1"),
    ("MAIL_PASSWORD", "mail-secret-1"),
    ("WRONG", "wrong-secret-1"),
];

pub(crate) fn environment(name: &str) -> Option<String> {
    ENVIRONMENT.iter().find(|it| it.0 == name).map(|it| it.1.to_owned())
}

/// A Python server; it ends when this is dropped, even in a panic.
pub(crate) struct Server {
    child: Child,
    pub(crate) folder: TempDir,
    pub(crate) port: u16,
}

impl Server {
    /// The vendors over HTTP.
    pub(crate) fn vendors() -> Self {
        Self::start("vendors.py", |_| Vec::new())
    }

    /// The vendors over HTTPS, by an authority of their own.
    pub(crate) fn vendors_over_tls() -> Self {
        Self::start("vendors.py", |folder| vec![folder.display().to_string()])
    }

    /// A mail server: `plain`, `starttls` or `tls`.
    pub(crate) fn mail(mode: &str) -> Self {
        Self::start("mail.py", |folder| vec![folder.display().to_string(), mode.to_owned()])
    }

    fn start(script: &str, arguments: impl Fn(&Path) -> Vec<String>) -> Self {
        let package = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let python = package.join("../../.venv/bin/python");
        assert!(python.exists(), "{} is missing: run `make python` first (make test does)", python.display());
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = Command::new(python);
        command.arg(package.join("tests/it").join(script)).args(arguments(folder.path()));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("Python starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
        let port = line
            .trim()
            .parse()
            .unwrap_or_else(|_| panic!("{script} did not start: run `make python` again (it said \"{line}\")"));
        Self { child, folder, port }
    }

    /// Address over HTTP.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Changes how the vendors behave.
    pub(crate) async fn set(&self, state: Value) {
        let response = reqwest::Client::new().post(format!("{}/_set", self.url())).json(&state).send().await;
        assert!(response.expect("an answer").status().is_success());
    }

    /// What came in: `requests`, `faults`, `shown`.
    pub(crate) async fn told(&self) -> Value {
        let response = reqwest::get(format!("{}/_told", self.url())).await.expect("an answer");
        response.json().await.expect("JSON")
    }

    /// What members have on their screens, once nothing was wrong with the requests.
    pub(crate) async fn shown(&self) -> Vec<(String, String)> {
        let told = self.told().await;
        assert_eq!(told["faults"], serde_json::json!([]));
        let text = |it: &Value| it.as_str().expect("a text").to_owned();
        told["shown"].as_array().expect("a list").iter().map(|it| (text(&it["to"]), text(&it["text"]))).collect()
    }

    /// How many requests went to a path.
    pub(crate) async fn requests(&self, path: &str) -> usize {
        let told = self.told().await;
        told["requests"].as_array().expect("a list").iter().filter(|it| it.as_str().is_some_and(|it| it.ends_with(path))).count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().ok();
    }
}

/// Settings with our defaults and these channels, quick enough for a test.
pub(crate) fn config(channels: &str) -> Config {
    let defaults = include_str!("../../../cli/default.toml");
    let mut table: toml::Table = defaults.parse().expect("the defaults are TOML");
    let notify = table["notify"].as_table_mut().expect("a table");
    let own: toml::Table = channels.parse().expect("the channels are TOML");
    for (key, value) in own {
        notify.insert(key, value);
    }
    notify.insert("base_url".into(), "https://one.example.edu.cn".into());
    let retry = notify["retry"].as_table_mut().expect("a table");
    retry.insert("first_ms".into(), 10.into());
    retry.insert("ceiling_ms".into(), 40.into());
    table.remove("notify").expect("a table").try_into().expect("settings")
}

/// Channels that are ready to send.
pub(crate) fn channels(text: &str) -> Channels {
    Channels::build(&config(text), &environment).expect("channels")
}

/// A message about a new thread.
pub(crate) fn message(message_id: i64) -> Message {
    Message {
        message_id,
        kind: Kind::NewThread,
        severity: None,
        origin: Origin::Person,
        recipient: StaffKey(700_000_000_000_001),
        target: Target::Thread(83),
        created_us: 0,
    }
}

/// What a new thread says, with the link of a message.
pub(crate) fn said(message_id: i64) -> String {
    format!("您有一条关怀工作待处理，请登录查看。 https://one.example.edu.cn/notices/{message_id}")
}

pub(crate) fn address(kind: AddressKind, text: &str) -> Addresses {
    Addresses::new().with(Address::new(kind, text).expect("an address"))
}

/// Sends one message to one person by one channel.
pub(crate) async fn send(channels: &Channels, name: &str, message_id: i64, addresses: &Addresses) -> Result<Receipt, Error> {
    let message = message(message_id);
    let sent = channels.send(name, &message, message.recipient, Language::Zh, addresses).await;
    if let Err(error) = &sent {
        assert_nothing_leaks(error, addresses);
    }
    sent
}

/// Neither text nor debug form, down to the last cause, holds a secret, a token or the address.
fn assert_nothing_leaks(error: &Error, addresses: &Addresses) {
    let mut texts = vec![format!("{error:?}"), error.words().zh, error.words().en];
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(it) = cause {
        texts.push(format!("{it} {it:?}"));
        cause = it.source();
    }
    texts.push(format!("{addresses:?}"));
    let hidden =
        ENVIRONMENT.iter().map(|it| it.1).chain(["token-", "zhangsan", "nobody", "13800138000", "13900000000", "unknown@"]);
    for hidden in hidden {
        let found = texts.iter().find(|it| it.contains(hidden));
        assert!(found.is_none(), "{hidden} in {found:?}");
    }
}
