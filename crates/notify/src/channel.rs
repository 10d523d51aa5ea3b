//! Ways by which a message leaves the platform. One file a way; all share timeouts and retries.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use url::Url;

use crate::config::{ChannelConfig, Config};
use crate::message::{Language, Message, Rendered, StaffKey};
use crate::retry::RetryRules;
use crate::secret::Environment;
use crate::{Error, Retry};

mod dingtalk;
mod http;
mod sms;
mod smtp;
mod token;
mod webhook;
mod wecom;

pub(crate) use http::{Wire, endpoint};

/// A way by which a message leaves the platform.
#[async_trait]
pub trait Channel: Send + Sync + fmt::Debug {
    /// Its name in the settings.
    fn name(&self) -> &str;

    /// The kind of address that it needs.
    fn address_kind(&self) -> AddressKind;

    /// Whether the receiver shows a message that comes twice only once. Only then is a try repeated whose end is unknown.
    fn drops_repetitions(&self) -> bool;

    /// Sends once, without retries.
    ///
    /// # Errors
    /// If it was not taken, or nobody knows; [`Error::retry`] says which.
    async fn send(&self, rendered: &Rendered, address: &Address) -> Result<Receipt, Error>;
}

/// The vendor has taken the message. Whether it arrived is another matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The vendor's number of the message, for its reports.
    pub vendor_id: Option<String>,
    /// How many tries it took.
    pub tries: u32,
}

impl Receipt {
    fn new(vendor_id: Option<String>) -> Self {
        Self { vendor_id, tries: 1 }
    }
}

/// What an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AddressKind {
    /// Account in WeCom (企业微信 userid).
    WeComUser,
    /// Account in DingTalk (钉钉 userid).
    DingTalkUser,
    /// Mobile number.
    Mobile,
    /// Mail address.
    Email,
    /// None: the settings of the channel say where messages go (a group, a system).
    Fixed,
}

impl AddressKind {
    pub(crate) fn zh(self) -> &'static str {
        match self {
            AddressKind::WeComUser => "企业微信账号",
            AddressKind::DingTalkUser => "钉钉账号",
            AddressKind::Mobile => "手机号",
            AddressKind::Email => "邮箱",
            AddressKind::Fixed => "地址",
        }
    }
}

impl fmt::Display for AddressKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AddressKind::WeComUser => "WeCom account",
            AddressKind::DingTalkUser => "DingTalk account",
            AddressKind::Mobile => "mobile number",
            AddressKind::Email => "mail address",
            AddressKind::Fixed => "address",
        })
    }
}

/// One person's address of one kind. It is shown in no message, log or error.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    kind: AddressKind,
    text: String,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({:?}, …)", self.kind)
    }
}

impl Address {
    /// An address of the directory.
    ///
    /// # Errors
    /// If it cannot be one, or would reach more than one person: `@all` and lists (`a|b`, `a,b`) are refused.
    pub fn new(kind: AddressKind, text: &str) -> Result<Self, Error> {
        let text = text.trim();
        // Letters, digits and _ - @ . are what WeCom's “成员管理” and DingTalk's “用户管理” allow in a userid.
        let is_userid = || {
            let allowed = |it: char| it.is_ascii_alphanumeric() || matches!(it, '_' | '-' | '@' | '.');
            (1..=64).contains(&text.len()) && text.chars().all(allowed) && !text.starts_with('@')
        };
        let fits = match kind {
            AddressKind::WeComUser | AddressKind::DingTalkUser => is_userid(),
            AddressKind::Mobile => {
                let digits = text.strip_prefix('+').unwrap_or(text);
                (5..=15).contains(&digits.len()) && digits.bytes().all(|it| it.is_ascii_digit())
            }
            AddressKind::Email => text.len() <= 254 && text.parse::<lettre::Address>().is_ok(),
            AddressKind::Fixed => text.is_empty(),
        };
        if fits { Ok(Self { kind, text: text.to_owned() }) } else { Err(Error::Address { kind }) }
    }

    /// The address of a channel whose settings say where messages go.
    pub fn fixed() -> Self {
        Self { kind: AddressKind::Fixed, text: String::new() }
    }

    /// What it is.
    pub fn kind(&self) -> AddressKind {
        self.kind
    }

    /// The text, if the kind is the one that a channel needs.
    fn text_for(&self, channel: &dyn Channel) -> Result<&str, Error> {
        if self.kind == channel.address_kind() {
            Ok(&self.text)
        } else {
            Err(Error::NoAddress { channel: channel.name().to_owned(), kind: channel.address_kind() })
        }
    }
}

/// All addresses of one person.
#[derive(Debug, Clone, Default)]
pub struct Addresses(BTreeMap<AddressKind, Address>);

impl Addresses {
    /// No address.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an address, or takes the place of the one of its kind.
    pub fn with(mut self, address: Address) -> Self {
        self.0.insert(address.kind(), address);
        self
    }

    /// The address for a channel.
    pub fn for_channel(&self, channel: &dyn Channel) -> Option<Address> {
        match channel.address_kind() {
            AddressKind::Fixed => Some(Address::fixed()),
            kind => self.0.get(&kind).cloned(),
        }
    }
}

/// All channels of the settings, ready to send.
#[derive(Debug, Clone)]
pub struct Channels {
    list: Vec<Arc<dyn Channel>>,
    retry: RetryRules,
    base_url: Url,
}

impl Channels {
    /// Makes the channels of the settings; reads their secrets now, so that a missing one is known at the start.
    ///
    /// # Errors
    /// If a setting cannot be, or a secret is not in its place.
    pub fn build(config: &Config, environment: Environment<'_>) -> Result<Self, Error> {
        let base_url = config.check()?;
        let wire = Wire::new(config)?;
        let mut list: Vec<Arc<dyn Channel>> = Vec::new();
        for channel in &config.channel {
            list.push(match channel {
                ChannelConfig::WecomApp(it) => Arc::new(wecom::App::new(it, &wire, environment)?),
                ChannelConfig::WecomRobot(it) => Arc::new(wecom::Robot::new(it, &wire, environment)?),
                ChannelConfig::DingtalkWork(it) => Arc::new(dingtalk::Work::new(it, &wire, environment)?),
                ChannelConfig::DingtalkRobot(it) => Arc::new(dingtalk::Robot::new(it, &wire, environment)?),
                ChannelConfig::Sms(it) => Arc::new(sms::Gateway::new(it, &wire, environment)?),
                ChannelConfig::Smtp(it) => Arc::new(smtp::Mail::new(it, &wire, environment)?),
                ChannelConfig::Webhook(it) => Arc::new(webhook::Webhook::new(it, &wire, environment)?),
            });
        }
        Ok(Self { list, retry: config.retry, base_url })
    }

    /// All channels, in the order of the settings.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Channel>> {
        self.list.iter()
    }

    /// The channel of a name.
    ///
    /// # Errors
    /// If there is none.
    pub fn get(&self, name: &str) -> Result<&Arc<dyn Channel>, Error> {
        let missing = || Error::NoSuchChannel { channel: name.to_owned() };
        self.list.iter().find(|it| it.name() == name).ok_or_else(missing)
    }

    /// Names of the channels by which a person can be reached, in the order of the settings.
    pub fn names_for(&self, addresses: &Addresses) -> Vec<String> {
        let reaches = |it: &&Arc<dyn Channel>| addresses.for_channel(it.as_ref()).is_some();
        self.list.iter().filter(reaches).map(|it| it.name().to_owned()).collect()
    }

    /// Sends a message by one channel to one person, with the retries of the settings.
    ///
    /// It ends after `tries_max` tries, each request within the timeout, with bounded pauses. A try whose end is unknown is repeated
    /// only where the receiver drops repetitions.
    ///
    /// # Errors
    /// If the last try failed; the error is the last one.
    pub async fn send(
        &self,
        channel: &str,
        message: &Message,
        to: StaffKey,
        language: Language,
        addresses: &Addresses,
    ) -> Result<Receipt, Error> {
        let channel = self.get(channel)?;
        let missing = || Error::NoAddress { channel: channel.name().to_owned(), kind: channel.address_kind() };
        let address = addresses.for_channel(channel.as_ref()).ok_or_else(missing)?;
        let rendered = message.render(&self.base_url, to, language);
        let seed = (message.message_id as u64).rotate_left(32) ^ to.0 as u64;
        self.send_with_retries(channel.as_ref(), &rendered, &address, seed).await
    }

    async fn send_with_retries(
        &self,
        channel: &dyn Channel,
        rendered: &Rendered,
        address: &Address,
        seed: u64,
    ) -> Result<Receipt, Error> {
        let mut tries = 0;
        loop {
            tries += 1;
            let error = match channel.send(rendered, address).await {
                Ok(receipt) => return Ok(Receipt { tries, ..receipt }),
                Err(error) => error,
            };
            let message_id = rendered.message_id();
            tracing::warn!(channel = channel.name(), message_id, tries, %error, "a message was not taken");
            let asked_s = match error.retry() {
                Retry::Again { after_s } => after_s,
                Retry::Unsure if channel.drops_repetitions() => None,
                Retry::Unsure | Retry::Never => return Err(error),
            };
            match self.retry.pause(tries, asked_s, seed) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: AddressKind, text: &str, is_taken: bool) {
        assert_eq!(Address::new(kind, text).is_ok(), is_taken, "{kind}: {text}");
    }

    #[test]
    #[rustfmt::skip] // The columns are the table.
    fn an_address_reaches_one_person() {
        use AddressKind::{DingTalkUser, Email, Fixed, Mobile, WeComUser};
        check(WeComUser,    "zhang.san-01",        true);
        check(WeComUser,    "zs@example.edu.cn",   true);
        check(WeComUser,    "@all",                false);
        check(WeComUser,    "zhangsan|lisi",       false);
        check(WeComUser,    "",                    false);
        check(DingTalkUser, "manager4220",         true);
        check(DingTalkUser, "a,b",                 false);
        check(Mobile,       "13800138000",         true);
        check(Mobile,       "+8613800138000",      true);
        check(Mobile,       "13800138000,1390013", false);
        check(Mobile,       "１３８００１３８０００",       false);
        check(Email,        "zs@example.edu.cn",   true);
        check(Email,        "zs@a.cn, ls@a.cn",    false);
        check(Email,        "zs@a.cn\r\nBcc: x",   false);
        check(Fixed,        "anything",            false);
    }

    #[test]
    fn an_address_is_never_printed() {
        let address = Address::new(AddressKind::Mobile, "13800138000").expect("an address");
        assert_eq!(format!("{address:?}"), "Address(Mobile, …)");
        assert_eq!(
            Address::new(AddressKind::Mobile, "secret").unwrap_err().to_string(),
            "a mobile number of the directory cannot be one"
        );
    }
}
