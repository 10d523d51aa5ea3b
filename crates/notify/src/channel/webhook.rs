//! A system of the school's own: JSON, signed.

use async_trait::async_trait;
use chrono::Utc;
use hmac::{Hmac, Mac};
use serde_json::json;
use sha2::Sha256;
use url::Url;

use super::http::{Http, Wire, endpoint};
use super::{Address, AddressKind, Channel, Receipt};
use crate::config::{self, key};
use crate::error::Error;
use crate::message::{Language, Rendered};
use crate::secret::{Environment, Secret};

/// Posts `message_id, staff_key, language, title, text, link` as JSON.
///
/// Headers: `X-Yizhan-Timestamp` (seconds since 1970), `X-Yizhan-Signature: sha256=<hex>` (HMAC-SHA256 over
/// `timestamp.body`), `Idempotency-Key`. A receiver refuses times more than 5 minutes away, and drops keys it has seen.
#[derive(Debug)]
pub(crate) struct Webhook {
    name: String,
    http: Http,
    url: Url,
    secret: Secret,
}

impl Webhook {
    pub(crate) fn new(config: &config::Webhook, wire: &Wire, environment: Environment<'_>) -> Result<Self, Error> {
        let url = endpoint(&key(&config.name, "url"), &config.url)?;
        let http = Http::new(&config.name, &url, wire)?;
        let secret = config.secret.read(&key(&config.name, "secret"), environment)?;
        Ok(Self { name: config.name.clone(), http, url, secret })
    }
}

/// `sha256=` and the hexadecimal HMAC-SHA256 over `timestamp.body`.
fn sign(secret: &str, timestamp_s: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key of any length is taken");
    mac.update(format!("{timestamp_s}.").as_bytes());
    mac.update(body);
    format!("sha256={:x}", mac.finalize().into_bytes())
}

#[async_trait]
impl Channel for Webhook {
    fn name(&self) -> &str {
        &self.name
    }

    fn address_kind(&self) -> AddressKind {
        AddressKind::Fixed
    }

    fn drops_repetitions(&self) -> bool {
        true
    }

    async fn send(&self, rendered: &Rendered, address: &Address) -> Result<Receipt, Error> {
        address.text_for(self)?;
        let language = match rendered.language() {
            Language::Zh => "zh",
            Language::En => "en",
        };
        let body = json!({
            "message_id": rendered.message_id().to_string(),
            "staff_key": rendered.to().to_string(),
            "language": language,
            "title": rendered.title(),
            "text": rendered.body(),
            "link": rendered.link().as_str(),
        });
        let body = body.to_string().into_bytes();
        let timestamp_s = Utc::now().timestamp();
        let request = self
            .http
            .post(self.url.clone())
            .header("content-type", "application/json")
            .header("x-yizhan-timestamp", timestamp_s)
            .header("x-yizhan-signature", sign(self.secret.expose(), timestamp_s, &body))
            .header("idempotency-key", rendered.idempotency_key())
            .body(body);
        let answer = self.http.exchange(request).await?;
        match answer.status {
            200..=299 => Ok(Receipt::new(None)),
            _ => Err(self.http.refused(&answer)),
        }
    }
}
