//! HTTP as all channels speak it: encrypted, never redirected, bounded in time and bytes.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::{Client, RequestBuilder};
use serde_json::Value;
use url::Url;

use crate::Error;
use crate::config::Config;
use crate::error::Meaning;

/// The longest answer that is read.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// What all channels share of the settings.
#[derive(Debug, Clone)]
pub(crate) struct Wire {
    pub(crate) timeout: Duration,
    /// Certificates of the campus's own authority, PEM.
    pub(crate) authority: Option<Vec<u8>>,
}

impl Wire {
    pub(crate) fn new(config: &Config) -> Result<Self, Error> {
        let authority = match config.ca_file.as_os_str().is_empty() {
            true => None,
            false => {
                let path = config.ca_file.clone();
                let refuse = |source| Error::File { key: "notify.ca_file".to_owned(), path, source };
                Some(std::fs::read(&config.ca_file).map_err(refuse)?)
            }
        };
        Ok(Self { timeout: Duration::from_millis(config.timeout_ms), authority })
    }
}

/// Reads an address of the settings: HTTPS, or HTTP to this machine; no user, no password.
pub(crate) fn endpoint(key: &str, text: &str) -> Result<Url, Error> {
    // The text is not repeated: a key may have been pasted into it.
    let url = Url::parse(text).map_err(|_| Error::setting(key, "is no address: write \"https://host/path\""))?;
    let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
    if !is_safe || url.host().is_none() {
        return Err(Error::setting(key, "must begin with https:// (http:// is taken for this machine only)"));
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(Error::setting(key, "must hold no user, password or \"#\": name secrets by their place"));
    }
    Ok(url)
}

/// Whether a host is this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// A client of one server.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    channel: String,
    server: String,
    client: Client,
    timeout: Duration,
}

/// What a server answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after_s: Option<u64>,
    pub(crate) body: Vec<u8>,
}

impl Http {
    /// A client of the server at `url`.
    pub(crate) fn new(channel: &str, url: &Url, wire: &Wire) -> Result<Self, Error> {
        let mut builder = Client::builder()
            .timeout(wire.timeout)
            .connect_timeout(wire.timeout)
            // A redirect would carry a secret to where the settings do not say.
            .redirect(reqwest::redirect::Policy::none())
            .https_only(!is_loopback(url))
            .user_agent("yizhan");
        if is_loopback(url) {
            builder = builder.no_proxy();
        }
        if let Some(pem) = &wire.authority {
            let none = |_| Error::setting("notify.ca_file", "holds no certificate: write it as PEM");
            builder = builder.tls_certs_merge(reqwest::Certificate::from_pem_bundle(pem).map_err(none)?);
        }
        let broken = |_| Error::setting("notify", "no HTTPS client can be made: are the system's certificates installed?");
        let server = format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default());
        Ok(Self { channel: channel.to_owned(), server, client: builder.build().map_err(broken)?, timeout: wire.timeout })
    }

    pub(crate) fn get(&self, url: Url) -> RequestBuilder {
        self.client.get(url)
    }

    pub(crate) fn post(&self, url: Url) -> RequestBuilder {
        self.client.post(url)
    }

    pub(crate) fn request(&self, method: reqwest::Method, url: Url) -> RequestBuilder {
        self.client.request(method, url)
    }

    /// Sends a request and reads the answer, whatever its status.
    pub(crate) async fn exchange(&self, request: RequestBuilder) -> Result<Answer, Error> {
        let mut response = request.send().await.map_err(|it| self.failed(it))?;
        let status = response.status().as_u16();
        let after = response.headers().get("retry-after").and_then(|it| it.to_str().ok());
        let retry_after_s = after.and_then(|it| retry_after_s(it, Utc::now()));
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|it| self.failed(it))? {
            body.extend_from_slice(&chunk);
            // Where the status says it all, the rest does not matter; as JSON it will not be readable.
            if ANSWER_BYTES_MAX < body.len() {
                break;
            }
        }
        Ok(Answer { status, retry_after_s, body })
    }

    /// Sends a request to a vendor whose every answer is JSON with status 200.
    pub(crate) async fn json(&self, request: RequestBuilder) -> Result<Value, Error> {
        let answer = self.exchange(request).await?;
        if answer.status != 200 {
            return Err(self.refused(&answer));
        }
        serde_json::from_slice(&answer.body).map_err(|_| self.unreadable("is no JSON"))
    }

    /// The error of a status that is no success.
    pub(crate) fn refused(&self, answer: &Answer) -> Error {
        let (channel, code) = (self.channel.clone(), i64::from(answer.status));
        match answer.status {
            429 | 503 => Error::Busy { channel, code, retry_after_s: answer.retry_after_s },
            408 | 500..=599 => Error::Failing { channel, code },
            401 | 403 => Error::Refused { channel, code, meaning: Meaning::Credentials },
            _ => Error::Refused { channel, code, meaning: Meaning::Other },
        }
    }

    pub(crate) fn unreadable(&self, what: &'static str) -> Error {
        Error::Answer { channel: self.channel.clone(), what }
    }

    /// The address stands in the library's error, and tokens in the address: it is taken away.
    fn failed(&self, error: reqwest::Error) -> Error {
        let (channel, server) = (self.channel.clone(), self.server.clone());
        let error = error.without_url();
        if error.is_connect() {
            Error::Unreachable { channel, server, source: error.into() }
        } else if error.is_timeout() {
            Error::TimedOut { channel, server, limit_ms: self.timeout.as_millis() as u64 }
        } else {
            Error::Cut { channel, server, source: error.into() }
        }
    }
}

/// Seconds that a `Retry-After` asks for: a number, or an HTTP date (RFC 9110, 10.2.3).
fn retry_after_s(text: &str, now: DateTime<Utc>) -> Option<u64> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(seconds);
    }
    let at = DateTime::parse_from_rfc2822(text).ok()?;
    Some(at.signed_duration_since(now).num_seconds().max(0) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let said = match endpoint("notify.x", text) {
            Ok(_) => "taken".to_owned(),
            Err(error) => error.to_string(),
        };
        assert!(said.contains(expected), "{text}: {said}");
        assert!(!said.contains("hunter2"), "{said}");
    }

    #[test]
    #[rustfmt::skip] // The columns are the table.
    fn only_encrypted_addresses_and_this_machine_are_taken() {
        check("https://qyapi.weixin.qq.com",         "taken");
        check("http://127.0.0.1:8080/x",             "taken");
        check("http://[::1]:8080/x",                 "taken");
        check("http://localhost/x",                  "taken");
        check("http://sms.example.edu.cn/hunter2",   "must begin with https://");
        check("http://localhost.evil.example/x",     "must begin with https://");
        check("http://127.0.0.1.evil.example/x",     "must begin with https://");
        check("ftp://127.0.0.1/x",                   "must begin with https://");
        check("https://user:hunter2@example.edu.cn", "must hold no user");
        check("hunter2",                             "is no address");
    }

    #[test]
    fn a_server_may_ask_for_seconds_or_a_date() {
        let now = DateTime::parse_from_rfc3339("2026-11-21T13:00:00Z").expect("a time").with_timezone(&Utc);
        assert_eq!(retry_after_s("7", now), Some(7));
        assert_eq!(retry_after_s("Sat, 21 Nov 2026 13:00:30 GMT", now), Some(30));
        assert_eq!(retry_after_s("Sat, 21 Nov 2026 12:00:30 GMT", now), Some(0));
        assert_eq!(retry_after_s("soon", now), None);
    }
}
