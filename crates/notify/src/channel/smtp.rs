//! Mail over SMTP, encrypted: STARTTLS (usually port 587) or TLS from the start (usually 465).

use std::time::Duration;

use async_trait::async_trait;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, header};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};

use super::http::Wire;
use super::{Address, AddressKind, Channel, Receipt};
use crate::config::{Smtp, SmtpTls, key};
use crate::error::{Error, Meaning};
use crate::message::Rendered;
use crate::secret::Environment;

/// Sends through the school's mail server.
pub(crate) struct Mail {
    name: String,
    server: String,
    host: String,
    from: Mailbox,
    timeout: Duration,
    transport: AsyncSmtpTransport<Tokio1Executor>,
}

// The transport holds the password.
impl std::fmt::Debug for Mail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mail").field("name", &self.name).field("server", &self.server).finish_non_exhaustive()
    }
}

impl Mail {
    pub(crate) fn new(config: &Smtp, wire: &Wire, environment: Environment<'_>) -> Result<Self, Error> {
        let key = |field| key(&config.name, field);
        let parameters = || {
            let mut builder = TlsParameters::builder(config.host.clone());
            if let Some(pem) = &wire.authority {
                let none = |_| Error::setting("notify.ca_file", "holds no certificate: write it as PEM");
                builder = builder.add_root_certificate(Certificate::from_pem(pem).map_err(none)?);
            }
            builder.build().map_err(|_| Error::setting(key("host"), "cannot be spoken to over TLS: is it a host name?"))
        };
        let tls = match config.tls {
            SmtpTls::Starttls => Tls::Required(parameters()?),
            SmtpTls::Tls => Tls::Wrapper(parameters()?),
            SmtpTls::None if matches!(config.host.as_str(), "localhost" | "127.0.0.1" | "::1") => Tls::None,
            SmtpTls::None => {
                return Err(Error::setting(key("tls"), "must be \"starttls\" or \"tls\"; \"none\" is for this machine only"));
            }
        };
        let from = config.from.parse().map_err(|_| Error::setting(key("from"), "is no mail address"))?;
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&config.host)
            .port(config.port)
            .tls(tls)
            .timeout(Some(wire.timeout));
        match (&config.user, &config.password) {
            (Some(user), Some(source)) => {
                let password = source.read(&key("password"), environment)?;
                builder = builder.credentials(Credentials::new(user.clone(), password.expose().to_owned()));
            }
            (None, None) => {}
            _ => return Err(Error::setting(key("user"), "and password go together: give both or neither")),
        }
        Ok(Self {
            name: config.name.clone(),
            server: format!("{}:{}", config.host, config.port),
            host: config.host.clone(),
            from,
            timeout: wire.timeout,
            transport: builder.build(),
        })
    }

    /// The library's error repeats what the server said, which may hold the address: only its code is kept.
    fn failed(&self, error: &lettre::transport::smtp::Error) -> Error {
        let (channel, server) = (self.name.clone(), self.server.clone());
        let Some(code) = error.status().map(|it| i64::from(u16::from(it))) else {
            if error.is_timeout() {
                return self.timed_out();
            }
            if error.is_response() {
                return Error::Answer { channel, what: "is no SMTP" };
            }
            if error.is_client() {
                // It offers no login that we know, or no STARTTLS.
                return Error::Refused { channel, code: 0, meaning: Meaning::Other };
            }
            // The library says by words only whether it came as far as to send.
            let source = std::error::Error::source(error).map_or_else(String::new, ToString::to_string).into();
            return match error.to_string().starts_with("Connection error") {
                true => Error::Unreachable { channel, server, source },
                false => Error::Cut { channel, server, source },
            };
        };
        // RFC 5321 4.2.2, RFC 4954 section 6.
        match code {
            530 | 534 | 535 | 538 => Error::Refused { channel, code, meaning: Meaning::Credentials },
            550 | 551 | 553 => Error::Refused { channel, code, meaning: Meaning::Recipient },
            400..=499 => Error::Busy { channel, code, retry_after_s: None },
            _ => Error::Refused { channel, code, meaning: Meaning::Other },
        }
    }

    fn timed_out(&self) -> Error {
        let limit_ms = self.timeout.as_millis() as u64;
        Error::TimedOut { channel: self.name.clone(), server: self.server.clone(), limit_ms }
    }
}

#[async_trait]
impl Channel for Mail {
    fn name(&self) -> &str {
        &self.name
    }

    fn address_kind(&self) -> AddressKind {
        AddressKind::Email
    }

    fn drops_repetitions(&self) -> bool {
        false
    }

    async fn send(&self, rendered: &Rendered, address: &Address) -> Result<Receipt, Error> {
        let to: lettre::Address = address.text_for(self)?.parse().map_err(|_| Error::Address { kind: AddressKind::Email })?;
        // The same for every try, so that a mailbox that looks at it keeps one.
        let id = format!("<{}@{}>", rendered.idempotency_key(), self.host);
        let automatic = HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned());
        let mail = lettre::Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(rendered.title())
            .message_id(Some(id.clone()))
            .header(ContentType::TEXT_PLAIN)
            .header(header::MIME_VERSION_1_0)
            // Out-of-office programs do not answer such a mail (RFC 3834).
            .raw_header(automatic)
            .body(format!("{}\n\n{}\n", rendered.body(), rendered.link()));
        let mail = mail.map_err(|_| Error::setting(key(&self.name, "from"), "cannot stand in a mail"))?;
        match tokio::time::timeout(self.timeout, self.transport.send(mail)).await {
            Ok(Ok(_)) => Ok(Receipt::new(Some(id))),
            Ok(Err(error)) => Err(self.failed(&error)),
            Err(_) => Err(self.timed_out()),
        }
    }
}
