//! Why a message could not be sent, whose move it is, and whether to try again.

use std::path::PathBuf;

use schema::Blame;

use crate::channel::AddressKind;
use crate::message::Words;

/// What a library below us says.
pub(crate) type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why notify could not do as asked.
///
/// No error carries a secret, an address of a person or the text that a vendor answers with, which may repeat either.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting cannot be.
    #[error("setting \"{key}\": {message}")]
    Setting {
        /// The setting, `notify.channel.wecom.api`.
        key: String,
        /// What is wrong, and what would do. Never the value of a secret.
        message: String,
    },
    /// A secret is not where the settings say.
    #[error("setting \"{key}\": {place} {found}")]
    Secret {
        /// The setting that names the place.
        key: String,
        /// Environment variable or file.
        place: String,
        /// What is wrong there.
        found: &'static str,
    },
    /// Others than the owner may read a file with a secret.
    #[error("setting \"{key}\": file {} can be read by others (mode {mode:o}, wanted 600)", path.display())]
    SecretReadableByOthers {
        /// The setting that names the file.
        key: String,
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A file that the settings name could not be read.
    #[error("setting \"{key}\": could not read {}", path.display())]
    File {
        /// The setting that names the file.
        key: String,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The settings have no such channel.
    #[error("there is no channel \"{channel}\"")]
    NoSuchChannel {
        /// Its name.
        channel: String,
    },
    /// The directory has no address of this kind for the person.
    #[error("channel \"{channel}\": the recipient has no {kind}")]
    NoAddress {
        /// The channel.
        channel: String,
        /// What it needs.
        kind: AddressKind,
    },
    /// An address is none, or would reach others too.
    #[error("a {kind} of the directory cannot be one")]
    Address {
        /// What it should be.
        kind: AddressKind,
    },
    /// No connection; nothing was sent.
    #[error("channel \"{channel}\": could not connect to \"{server}\"")]
    Unreachable {
        /// The channel.
        channel: String,
        /// Host and port.
        server: String,
        /// What the network said.
        #[source]
        source: Cause,
    },
    /// No answer in time; the message may have arrived.
    #[error("channel \"{channel}\": \"{server}\" gave no answer within {limit_ms} ms")]
    TimedOut {
        /// The channel.
        channel: String,
        /// Host and port.
        server: String,
        /// How long it had.
        limit_ms: u64,
    },
    /// The connection ended before the answer did; the message may have arrived.
    #[error("channel \"{channel}\": the connection to \"{server}\" broke")]
    Cut {
        /// The channel.
        channel: String,
        /// Host and port.
        server: String,
        /// What the network said.
        #[source]
        source: Cause,
    },
    /// The server asks to come back later.
    #[error("channel \"{channel}\": too many requests, says the server (code {code})")]
    Busy {
        /// The channel.
        channel: String,
        /// HTTP status, SMTP code or the vendor's error code.
        code: i64,
        /// When, if it says so, in seconds from now.
        retry_after_s: Option<u64>,
    },
    /// The server fails.
    #[error("channel \"{channel}\": the server fails (code {code})")]
    Failing {
        /// The channel.
        channel: String,
        /// HTTP status, SMTP code or the vendor's error code.
        code: i64,
    },
    /// The server refuses, and will again.
    #[error("channel \"{channel}\": refused with code {code}: {meaning}")]
    Refused {
        /// The channel.
        channel: String,
        /// HTTP status, SMTP code or the vendor's error code.
        code: i64,
        /// What the code means.
        meaning: Meaning,
    },
    /// The answer is not what the vendor documents; the message may have arrived.
    #[error("channel \"{channel}\": the answer {what}")]
    Answer {
        /// The channel.
        channel: String,
        /// What is wrong with it.
        what: &'static str,
    },
}

/// What a refusal means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Key, secret, password or signature are wrong, or may not do this.
    Credentials,
    /// Our address is not on the vendor's list.
    Source,
    /// The vendor does not know the person, or may not write to them.
    Recipient,
    /// Another refusal.
    Other,
}

impl std::fmt::Display for Meaning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.words().1)
    }
}

impl Meaning {
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Meaning::Credentials => ("密钥、签名或权限不对", "key, signature or permission is wrong"),
            Meaning::Source => ("本机地址不在对方的可信名单中", "our address is not on its list"),
            Meaning::Recipient => ("对方系统中没有此收件人，或不可向其发送", "it does not know the recipient"),
            Meaning::Other => ("对方不接受此请求", "it does not take this request"),
        }
    }
}

/// Whether to try again on the same channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Nothing was sent: try again, not before so many seconds if the server says how many.
    Again {
        /// What the server asks for.
        after_s: Option<u64>,
    },
    /// It may have arrived: again only where the receiver drops repetitions.
    Unsure,
    /// It will be refused again.
    Never,
}

impl Error {
    /// Says whose move it is: the caller's (settings, directory), the world's, or ours.
    pub fn blame(&self) -> Blame {
        match self {
            Error::Setting { .. }
            | Error::Secret { .. }
            | Error::SecretReadableByOthers { .. }
            | Error::File { .. }
            | Error::NoSuchChannel { .. }
            | Error::NoAddress { .. }
            | Error::Address { .. }
            | Error::Refused { .. } => Blame::Caller,
            Error::Unreachable { .. }
            | Error::TimedOut { .. }
            | Error::Cut { .. }
            | Error::Busy { .. }
            | Error::Failing { .. }
            | Error::Answer { .. } => Blame::World,
        }
    }

    /// Says whether to try again on the same channel.
    pub fn retry(&self) -> Retry {
        match self {
            Error::Unreachable { .. } | Error::Failing { .. } => Retry::Again { after_s: None },
            Error::Busy { retry_after_s, .. } => Retry::Again { after_s: *retry_after_s },
            Error::TimedOut { .. } | Error::Cut { .. } | Error::Answer { .. } => Retry::Unsure,
            Error::Setting { .. }
            | Error::Secret { .. }
            | Error::SecretReadableByOthers { .. }
            | Error::File { .. }
            | Error::NoSuchChannel { .. }
            | Error::NoAddress { .. }
            | Error::Address { .. }
            | Error::Refused { .. } => Retry::Never,
        }
    }

    /// The same for the operations page (运维页), in both languages.
    pub fn words(&self) -> Words {
        let zh = match self {
            Error::Setting { key, .. } => format!("设置“{key}”不对"),
            Error::Secret { key, place, .. } => format!("设置“{key}”：{place} 中没有可用的密钥"),
            Error::SecretReadableByOthers { key, path, .. } => {
                format!("设置“{key}”：其他用户可以读取密钥文件 {}，请改为 600", path.display())
            }
            Error::File { key, path, .. } => format!("设置“{key}”：无法读取 {}", path.display()),
            Error::NoSuchChannel { channel } => format!("没有名为“{channel}”的渠道"),
            Error::NoAddress { channel, kind } => format!("渠道“{channel}”：收件人没有登记{}", kind.zh()),
            Error::Address { kind } => format!("登记的{}不可用", kind.zh()),
            Error::Unreachable { channel, server, .. } => format!("渠道“{channel}”：无法连接 {server}"),
            Error::TimedOut { channel, server, limit_ms } => {
                format!("渠道“{channel}”：{server} 在 {limit_ms} 毫秒内没有回应，是否送达未知")
            }
            Error::Cut { channel, server, .. } => format!("渠道“{channel}”：与 {server} 的连接中断，是否送达未知"),
            Error::Busy { channel, code, .. } => format!("渠道“{channel}”：对方要求稍后再试（代码 {code}）"),
            Error::Failing { channel, code } => format!("渠道“{channel}”：对方服务器故障（代码 {code}）"),
            Error::Refused { channel, code, meaning } => format!("渠道“{channel}”：被拒绝（代码 {code}），{}", meaning.words().0),
            Error::Answer { channel, .. } => format!("渠道“{channel}”：对方的回应不合格式，是否送达未知"),
        };
        Words { zh, en: self.to_string() }
    }

    /// Makes the error of a setting that cannot be.
    pub(crate) fn setting(key: impl Into<String>, message: impl Into<String>) -> Error {
        Error::Setting { key: key.into(), message: message.into() }
    }
}
