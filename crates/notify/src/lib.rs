//! Messages to staff about care work, and how far each has come.
//!
//! What to do next is decided without a clock, network or environment ([`escalate`], [`delivery`]); only [`Channels`] and
//! [`drill::run`] talk to the world. What leaves the platform is a fixed sentence and a link behind the login: a [`Message`]
//! has no field that could hold a name, a number, a reason or any other text. Nothing here can be sent to a student as a
//! warning: a recipient is a [`StaffKey`].
//!
//! - [`Message`], [`Rendered`]: what is said.
//! - [`Channel`], [`Channels`]: WeCom (企业微信), DingTalk (钉钉), SMS gateway (短信), mail, webhook.
//! - [`Delivery`]: created, sent, delivered, read, acknowledged, failed.
//! - [`escalate::next`]: next channel, deputy, one level up, duty officer.
//! - [`drill`]: the monthly rehearsal.
//! - [`Config`]: settings `[notify]`.

mod channel;
mod config;
pub mod delivery;
pub mod drill;
mod error;
pub mod escalate;
mod message;
mod retry;
mod secret;

pub use channel::{Address, AddressKind, Addresses, Channel, Channels, Receipt};
pub use config::{ChannelConfig, Config, Receipts};
pub use delivery::{Change, Delivery, State};
pub use error::{Error, Meaning, Retry};
pub use message::{Kind, Language, Message, Origin, Rendered, Severity, StaffKey, Target, Words};
pub use retry::RetryRules;
pub use secret::{Environment, Secret, SecretSource};
