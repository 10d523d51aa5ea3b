//! Settings `[notify]`. Unknown keys are refused; a secret is named by its place.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use chrono::{NaiveTime, Timelike};
use serde::{Deserialize, Deserializer, Serialize};
use url::Url;

use crate::Error;
use crate::channel::Wire;
use crate::escalate::{Escalation, TELEPHONE};
use crate::message::{Language, Words};
use crate::retry::RetryRules;
use crate::secret::SecretSource;

/// Settings `[notify]`; `crates/cli/default.toml` has all of them with their defaults.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Address of the web app, as people open it.
    pub base_url: String,
    /// Language of those who chose none.
    pub language: Language,
    /// How long one request may take, 100 to 60000. A try is one, or up to four where a token has to be fetched.
    pub timeout_ms: u64,
    /// Certificates of the campus's own authority (PEM), beside those of the system; "" for none.
    pub ca_file: PathBuf,
    /// Tries on one channel.
    pub retry: RetryRules,
    /// When the next person is asked.
    pub escalation: Escalation,
    /// Days after which a rehearsal is due again, 1 to 366.
    pub drill_days: u16,
    /// Ways out, the usual one first.
    pub channel: Vec<ChannelConfig>,
}

/// One way out.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ChannelConfig {
    /// Messages of a WeCom application (企业微信应用消息).
    WecomApp(WecomApp),
    /// A robot in a WeCom group (企业微信群机器人).
    WecomRobot(WecomRobot),
    /// DingTalk work notifications (钉钉工作通知).
    DingtalkWork(DingtalkWork),
    /// A robot in a DingTalk group (钉钉自定义机器人).
    DingtalkRobot(DingtalkRobot),
    /// An SMS gateway (短信网关).
    Sms(Sms),
    /// Mail.
    Smtp(Smtp),
    /// A system of the school's own.
    Webhook(Webhook),
}

impl ChannelConfig {
    /// What its receiver tells of a message behind having taken it.
    pub fn receipts(&self) -> Receipts {
        match self {
            // Their vendors keep a list of who has read what; nobody asks for it yet.
            ChannelConfig::WecomApp(_) | ChannelConfig::DingtalkWork(_) => Receipts::NotFetched,
            ChannelConfig::WecomRobot(_)
            | ChannelConfig::DingtalkRobot(_)
            | ChannelConfig::Sms(_)
            | ChannelConfig::Smtp(_)
            | ChannelConfig::Webhook(_) => Receipts::None,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            ChannelConfig::WecomApp(it) => &it.name,
            ChannelConfig::WecomRobot(it) => &it.name,
            ChannelConfig::DingtalkWork(it) => &it.name,
            ChannelConfig::DingtalkRobot(it) => &it.name,
            ChannelConfig::Sms(it) => &it.name,
            ChannelConfig::Smtp(it) => &it.name,
            ChannelConfig::Webhook(it) => &it.name,
        }
    }
}

/// Whether anybody says that a message arrived or was read. Where nobody does, a message counts as sent and no further; what
/// ends the asking is never a receipt but that somebody takes it on in the web app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Receipts {
    /// Nobody: what is sent there is sent (无回执).
    None,
    /// The vendor would, but is not asked.
    NotFetched,
}

impl Receipts {
    /// What people read.
    pub fn words(self) -> Words {
        let (zh, en) = match self {
            Receipts::None => ("无回执", "no receipts"),
            Receipts::NotFetched => ("回执未接入", "receipts not fetched"),
        };
        Words { zh: zh.to_owned(), en: en.to_owned() }
    }
}

/// Messages of a WeCom application.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WecomApp {
    /// Name of the channel.
    pub name: String,
    /// Address of the vendor, or of the school's own installation (私有化部署).
    #[serde(default = "wecom_api")]
    pub api: String,
    /// 企业ID.
    pub corp_id: String,
    /// 应用的AgentId.
    pub agent_id: i64,
    /// 应用的Secret.
    pub secret: SecretSource,
}

/// A robot in a WeCom group.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WecomRobot {
    /// Name of the channel.
    pub name: String,
    /// Address of the vendor.
    #[serde(default = "wecom_api")]
    pub api: String,
    /// What stands behind `key=` in the robot's address.
    pub key: SecretSource,
}

/// DingTalk work notifications.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DingtalkWork {
    /// Name of the channel.
    pub name: String,
    /// Address of the vendor.
    #[serde(default = "dingtalk_api")]
    pub api: String,
    /// AppKey.
    pub app_key: String,
    /// AgentId.
    pub agent_id: i64,
    /// AppSecret.
    pub app_secret: SecretSource,
}

/// A robot in a DingTalk group.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DingtalkRobot {
    /// Name of the channel.
    pub name: String,
    /// Address of the vendor.
    #[serde(default = "dingtalk_api")]
    pub api: String,
    /// What stands behind `access_token=` in the robot's address.
    pub access_token: SecretSource,
    /// The secret of the signature (加签), `SEC…`.
    pub secret: SecretSource,
}

/// An SMS gateway.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sms {
    /// Name of the channel.
    pub name: String,
    /// `POST`, `PUT` or `GET`.
    pub method: String,
    /// Address; `{mobile}`, `{text}` and `{secret}` may stand behind the host and are percent-encoded.
    pub url: String,
    /// More headers; `{secret}` may stand in their values.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// How placeholders in the body are escaped, and its content type.
    pub body_format: BodyFormat,
    /// Body with placeholders; "" for none.
    pub body: String,
    /// What `{secret}` stands for.
    pub secret: Option<SecretSource>,
    /// HTTP status of a success.
    pub success_status: u16,
    /// JSON pointer to what says success; "" if the status says it.
    pub success_pointer: String,
    /// What stands there then, as a text: `"0"` is the number and the text.
    pub success_value: String,
    /// JSON pointer to the gateway's number of the message; "" for none.
    #[serde(default)]
    pub id_pointer: String,
}

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyFormat {
    /// `application/json`.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
}

/// Mail.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Smtp {
    /// Name of the channel.
    pub name: String,
    /// Host of the mail server, as its certificate says.
    pub host: String,
    /// Port: 587 with STARTTLS, 465 with TLS.
    pub port: u16,
    /// How it is encrypted.
    pub tls: SmtpTls,
    /// Sender, `"驿站 <yizhan@example.edu.cn>"`.
    pub from: String,
    /// Account at the mail server.
    pub user: Option<String>,
    /// Its password or authorisation code (授权码).
    pub password: Option<SecretSource>,
}

/// How mail is encrypted on its way to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SmtpTls {
    /// The connection becomes encrypted, or is given up.
    Starttls,
    /// Encrypted from the start.
    Tls,
    /// Not at all; this machine only.
    None,
}

/// A system of the school's own.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Name of the channel.
    pub name: String,
    /// Where it listens.
    pub url: String,
    /// Key of the signature.
    pub secret: SecretSource,
}

fn wecom_api() -> String {
    "https://qyapi.weixin.qq.com".to_owned()
}

fn dingtalk_api() -> String {
    "https://oapi.dingtalk.com".to_owned()
}

/// A setting of a channel, as messages name it.
pub(crate) fn key(channel: &str, field: &str) -> String {
    format!("notify.channel.{channel}.{field}")
}

impl Config {
    /// Looks at what serde cannot, and returns the address of the web app. Reads no secret.
    ///
    /// # Errors
    /// If a setting cannot be.
    pub fn check(&self) -> Result<Url, Error> {
        let base_url = crate::channel::endpoint("notify.base_url", &self.base_url)?;
        if base_url.query().is_some() {
            return Err(Error::setting("notify.base_url", "must have no \"?\""));
        }
        if !(100..=60_000).contains(&self.timeout_ms) {
            return Err(Error::setting("notify.timeout_ms", format!("must be 100 to 60000, not {}", self.timeout_ms)));
        }
        if !(1..=366).contains(&self.drill_days) {
            return Err(Error::setting("notify.drill_days", format!("must be 1 to 366, not {}", self.drill_days)));
        }
        self.retry.check()?;
        self.escalation.check()?;
        let mut names = BTreeSet::new();
        for channel in &self.channel {
            let name = channel.name();
            let is_name = !name.is_empty() && name.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'_');
            if !is_name || name == TELEPHONE {
                let message = format!("\"{name}\" is no name: small letters, digits and _, and not \"{TELEPHONE}\"");
                return Err(Error::setting("notify.channel.name", message));
            }
            if !names.insert(name) {
                return Err(Error::setting("notify.channel.name", format!("there are two channels \"{name}\"")));
            }
        }
        Wire::new(self)?;
        Ok(base_url)
    }
}

/// A local time of day, `"22:30"`, as minutes since midnight.
pub(crate) fn minute_of_day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    let text = String::deserialize(deserializer)?;
    NaiveTime::parse_from_str(&text, "%H:%M")
        .map(|it| (it.hour() * 60 + it.minute()) as u16)
        .map_err(|_| serde::de::Error::custom(format!("\"{text}\" is no time: write \"22:30\"")))
}
