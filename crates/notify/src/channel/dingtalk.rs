//! DingTalk (钉钉): work notifications to a member, and a robot in a group.
//!
//! # Source
//! DingTalk open platform (钉钉开放平台): “获取企业内部应用的access_token”, “发送工作通知”, “工作通知消息类型与数据格式”,
//! “自定义机器人接入”, “自定义机器人安全设置” (section 加签), “服务端API错误码”.

use async_trait::async_trait;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chrono::Utc;
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use url::Url;

use super::http::{Http, Wire, endpoint};
use super::token::{Fresh, Token};
use super::wecom::{errcode, with_query};
use super::{Address, AddressKind, Channel, Receipt};
use crate::config::{DingtalkRobot, DingtalkWork, key};
use crate::error::{Error, Meaning};
use crate::message::Rendered;
use crate::secret::{Environment, Secret};

/// The code of an answer: older gateways wrap every code in 88 and say it in `sub_code`.
fn code(http: &Http, answer: &Value) -> Result<i64, Error> {
    let code = errcode(http, answer)?;
    let sub = match &answer["sub_code"] {
        Value::String(text) => text.parse().ok(),
        other => other.as_i64(),
    };
    Ok(if code == 88 { sub.unwrap_or(code) } else { code })
}

/// Whether the token is the reason: 40014 不合法的access_token, 42001 access_token超时.
fn is_token_spent(code: i64) -> bool {
    matches!(code, 40014 | 42001)
}

/// The error of a code that is not 0.
fn refused(channel: &str, code: i64) -> Error {
    let channel = channel.to_owned();
    let meaning = match code {
        // 系统繁忙.
        -1 => return Error::Failing { channel, code },
        // 机器人每分钟20条, 接口调用太频繁, 工作通知频次.
        130101 | 90002 | 90005 | 90006 | 90018 | 143105 | 143106 => {
            return Error::Busy { channel, code, retry_after_s: None };
        }
        // 签名、关键词或IP不匹配 (one code for the three), appkey, appsecret, token, agentid, 无权限.
        310000 | 300001 | 40001 | 40013 | 40014 | 40056 | 40078 | 40089 | 41001 | 42001 | 60011 | 70001 => Meaning::Credentials,
        // 访问IP不在白名单之中.
        60020 => Meaning::Source,
        // 无效的USERID, 找不到该用户.
        33012 | 40003 | 60121 => Meaning::Recipient,
        _ => Meaning::Other,
    };
    Error::Refused { channel, code, meaning }
}

/// Work notifications (工作通知) of an application to a member.
///
/// The same content is shown to the same person once a day, says the vendor; the link makes each message another.
#[derive(Debug)]
pub(crate) struct Work {
    name: String,
    http: Http,
    api: Url,
    app_key: String,
    secret: Secret,
    agent_id: i64,
    token: Token,
}

impl Work {
    pub(crate) fn new(config: &DingtalkWork, wire: &Wire, environment: Environment<'_>) -> Result<Self, Error> {
        let api = endpoint(&key(&config.name, "api"), &config.api)?;
        Ok(Self {
            name: config.name.clone(),
            http: Http::new(&config.name, &api, wire)?,
            api,
            app_key: config.app_key.clone(),
            secret: config.app_secret.read(&key(&config.name, "app_secret"), environment)?,
            agent_id: config.agent_id,
            token: Token::default(),
        })
    }

    async fn fetch_token(&self) -> Result<Fresh, Error> {
        let pairs = [("appkey", self.app_key.as_str()), ("appsecret", self.secret.expose())];
        let answer = self.http.json(self.http.get(with_query(&self.api, "gettoken", &pairs))).await?;
        match code(&self.http, &answer)? {
            0 => Fresh::read(&answer).ok_or_else(|| self.http.unreadable("has no token")),
            code => Err(refused(&self.name, code)),
        }
    }

    async fn post(&self, token: &Secret, body: &Value) -> Result<(i64, Value), Error> {
        let pairs = [("access_token", token.expose())];
        let url = with_query(&self.api, "topapi/message/corpconversation/asyncsend_v2", &pairs);
        let answer = self.http.json(self.http.post(url).json(body)).await?;
        Ok((code(&self.http, &answer)?, answer))
    }
}

#[async_trait]
impl Channel for Work {
    fn name(&self) -> &str {
        &self.name
    }

    fn address_kind(&self) -> AddressKind {
        AddressKind::DingTalkUser
    }

    fn drops_repetitions(&self) -> bool {
        true
    }

    async fn send(&self, rendered: &Rendered, address: &Address) -> Result<Receipt, Error> {
        let body = json!({
            "agent_id": self.agent_id,
            "userid_list": address.text_for(self)?,
            "to_all_user": false,
            "msg": {
                "msgtype": "action_card",
                "action_card": {
                    "title": rendered.title(),
                    "markdown": rendered.body(),
                    "single_title": rendered.action(),
                    "single_url": rendered.link().as_str(),
                },
            },
        });
        let mut token = self.token.get(None, || self.fetch_token()).await?;
        let (mut code, mut answer) = self.post(&token, &body).await?;
        if is_token_spent(code) {
            token = self.token.get(Some(&token), || self.fetch_token()).await?;
            (code, answer) = self.post(&token, &body).await?;
        }
        match code {
            0 => Ok(Receipt::new(answer["task_id"].as_i64().map(|it| it.to_string()))),
            code => Err(refused(&self.name, code)),
        }
    }
}

/// A robot in a group (自定义机器人), with signature (加签).
#[derive(Debug)]
pub(crate) struct Robot {
    name: String,
    http: Http,
    api: Url,
    token: Secret,
    secret: Secret,
}

impl Robot {
    pub(crate) fn new(config: &DingtalkRobot, wire: &Wire, environment: Environment<'_>) -> Result<Self, Error> {
        let api = endpoint(&key(&config.name, "api"), &config.api)?;
        Ok(Self {
            name: config.name.clone(),
            http: Http::new(&config.name, &api, wire)?,
            api,
            token: config.access_token.read(&key(&config.name, "access_token"), environment)?,
            secret: config.secret.read(&key(&config.name, "secret"), environment)?,
        })
    }
}

/// The signature of a time: base64 of HMAC-SHA256 over `timestamp\nsecret` under the secret. Times are in milliseconds.
fn sign(secret: &str, timestamp_ms: i64) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key of any length is taken");
    mac.update(format!("{timestamp_ms}\n{secret}").as_bytes());
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

#[async_trait]
impl Channel for Robot {
    fn name(&self) -> &str {
        &self.name
    }

    fn address_kind(&self) -> AddressKind {
        AddressKind::Fixed
    }

    fn drops_repetitions(&self) -> bool {
        false
    }

    async fn send(&self, rendered: &Rendered, address: &Address) -> Result<Receipt, Error> {
        address.text_for(self)?;
        // Taken within an hour of the vendor's clock; a fresh one for every try.
        let timestamp_ms = Utc::now().timestamp_millis();
        let (timestamp, sign) = (timestamp_ms.to_string(), sign(self.secret.expose(), timestamp_ms));
        let pairs = [("access_token", self.token.expose()), ("timestamp", timestamp.as_str()), ("sign", sign.as_str())];
        let url = with_query(&self.api, "robot/send", &pairs);
        let body = json!({ "msgtype": "text", "text": { "content": rendered.text() }, "at": { "isAtAll": false } });
        let answer = self.http.json(self.http.post(url).json(&body)).await?;
        match code(&self.http, &answer)? {
            0 => Ok(Receipt::new(None)),
            code => Err(refused(&self.name, code)),
        }
    }
}
