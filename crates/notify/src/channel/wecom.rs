//! WeCom (企业微信): messages of an application to a member, and a robot in a group.
//!
//! # Source
//! WeCom developer centre (企业微信开发者中心): “获取access_token”, “发送应用消息” (section 文本卡片消息),
//! “消息推送配置说明” (formerly 群机器人配置说明), “全局错误码”.

use async_trait::async_trait;
use serde_json::{Value, json};
use url::Url;

use super::http::{Http, Wire, endpoint};
use super::token::{Fresh, Token};
use super::{Address, AddressKind, Channel, Receipt};
use crate::config::{WecomApp, WecomRobot, key};
use crate::error::{Error, Meaning};
use crate::message::Rendered;
use crate::secret::{Environment, Secret};

/// “重复消息检查”: the same request within so many seconds is shown once.
const DUPLICATE_CHECK_S: u32 = 1800;

/// Whether the token is the reason: 40014 不合法的access_token, 42001 access_token已过期.
fn is_token_spent(code: i64) -> bool {
    matches!(code, 40014 | 42001)
}

/// The error of an `errcode` that is not 0.
fn refused(channel: &str, code: i64) -> Error {
    let channel = channel.to_owned();
    let meaning = match code {
        // 系统繁忙; the document asks to try again, three times at most.
        -1 => return Error::Failing { channel, code },
        // 接口调用超过限制, 并发超过限制, 应用发送消息频率超过限制.
        45009 | 45033 | 45047 => return Error::Busy { channel, code, retry_after_s: None },
        // Secret, corpid, token, agentid, 应用无权限, 机器人key.
        40001 | 40013 | 40014 | 40056 | 40091 | 41001 | 41002 | 41004 | 42001 | 48002 | 60011 | 93000 | 301002 => {
            Meaning::Credentials
        }
        // 不安全的访问IP.
        60020 => Meaning::Source,
        // 不合法的UserID, UserID不存在, 全部接收人无权限或不存在.
        40003 | 40031 | 46004 | 60111 | 81013 => Meaning::Recipient,
        _ => Meaning::Other,
    };
    Error::Refused { channel, code, meaning }
}

/// Messages of an application (自建应用) to a member.
#[derive(Debug)]
pub(crate) struct App {
    name: String,
    http: Http,
    api: Url,
    corp_id: String,
    secret: Secret,
    agent_id: i64,
    token: Token,
}

impl App {
    pub(crate) fn new(config: &WecomApp, wire: &Wire, environment: Environment<'_>) -> Result<Self, Error> {
        let api = endpoint(&key(&config.name, "api"), &config.api)?;
        Ok(Self {
            name: config.name.clone(),
            http: Http::new(&config.name, &api, wire)?,
            api,
            corp_id: config.corp_id.clone(),
            secret: config.secret.read(&key(&config.name, "secret"), environment)?,
            agent_id: config.agent_id,
            token: Token::default(),
        })
    }

    fn url(&self, path: &str, pairs: &[(&str, &str)]) -> Url {
        with_query(&self.api, path, pairs)
    }

    async fn fetch_token(&self) -> Result<Fresh, Error> {
        let pairs = [("corpid", self.corp_id.as_str()), ("corpsecret", self.secret.expose())];
        let answer = self.http.json(self.http.get(self.url("cgi-bin/gettoken", &pairs))).await?;
        match errcode(&self.http, &answer)? {
            0 => Fresh::read(&answer).ok_or_else(|| self.http.unreadable("has no token")),
            code => Err(refused(&self.name, code)),
        }
    }

    async fn post(&self, token: &Secret, body: &Value) -> Result<(i64, Value), Error> {
        let url = self.url("cgi-bin/message/send", &[("access_token", token.expose())]);
        let answer = self.http.json(self.http.post(url).json(body)).await?;
        Ok((errcode(&self.http, &answer)?, answer))
    }
}

#[async_trait]
impl Channel for App {
    fn name(&self) -> &str {
        &self.name
    }

    fn address_kind(&self) -> AddressKind {
        AddressKind::WeComUser
    }

    fn drops_repetitions(&self) -> bool {
        true
    }

    async fn send(&self, rendered: &Rendered, address: &Address) -> Result<Receipt, Error> {
        let user = address.text_for(self)?;
        let body = json!({
            "touser": user,
            "msgtype": "textcard",
            "agentid": self.agent_id,
            "textcard": {
                "title": rendered.title(),
                "description": rendered.body(),
                "url": rendered.link().as_str(),
                "btntxt": rendered.action(),
            },
            "enable_id_trans": 0,
            "enable_duplicate_check": 1,
            "duplicate_check_interval": DUPLICATE_CHECK_S,
        });
        let mut token = self.token.get(None, || self.fetch_token()).await?;
        let (mut code, mut answer) = self.post(&token, &body).await?;
        if is_token_spent(code) {
            token = self.token.get(Some(&token), || self.fetch_token()).await?;
            (code, answer) = self.post(&token, &body).await?;
        }
        if code != 0 {
            return Err(refused(&self.name, code));
        }
        // A success with the recipient among the invalid ones reached nobody; names come back in lower case.
        let among = |field: &str| answer[field].as_str().is_some_and(|it| it.split('|').any(|it| it.eq_ignore_ascii_case(user)));
        if among("invaliduser") || among("unlicenseduser") {
            return Err(refused(&self.name, 81013));
        }
        Ok(Receipt::new(answer["msgid"].as_str().map(str::to_owned)))
    }
}

/// A robot in a group (群机器人). The group reads along, so it says only that somebody has work.
#[derive(Debug)]
pub(crate) struct Robot {
    name: String,
    http: Http,
    api: Url,
    key: Secret,
}

impl Robot {
    pub(crate) fn new(config: &WecomRobot, wire: &Wire, environment: Environment<'_>) -> Result<Self, Error> {
        let api = endpoint(&key(&config.name, "api"), &config.api)?;
        let http = Http::new(&config.name, &api, wire)?;
        Ok(Self { name: config.name.clone(), http, api, key: config.key.read(&key(&config.name, "key"), environment)? })
    }
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
        let url = with_query(&self.api, "cgi-bin/webhook/send", &[("key", self.key.expose())]);
        let body = json!({ "msgtype": "text", "text": { "content": rendered.text() } });
        let answer = self.http.json(self.http.post(url).json(&body)).await?;
        match errcode(&self.http, &answer)? {
            0 => Ok(Receipt::new(None)),
            code => Err(refused(&self.name, code)),
        }
    }
}

/// The `errcode` that every answer of WeCom and DingTalk has.
pub(super) fn errcode(http: &Http, answer: &Value) -> Result<i64, Error> {
    answer["errcode"].as_i64().ok_or_else(|| http.unreadable("has no errcode"))
}

/// An address under `api` with a query.
pub(super) fn with_query(api: &Url, path: &str, pairs: &[(&str, &str)]) -> Url {
    let mut url = api.clone();
    url.set_path(&format!("{}/{path}", api.path().trim_end_matches('/')));
    url.query_pairs_mut().clear().extend_pairs(pairs);
    url
}
