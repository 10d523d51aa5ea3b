//! An SMS gateway (短信网关) that takes one HTTP request a message, as the settings describe it.
//!
//! Most schools have such a gateway of their own or of an operator. Requests that are signed field by field (Alibaba Cloud
//! 短信服务, Tencent Cloud 短信) are out of scope: put a gateway of the school in front, or add a channel.

use async_trait::async_trait;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use url::Url;
use url::form_urlencoded::byte_serialize;

use super::http::{Http, Wire, endpoint};
use super::{Address, AddressKind, Channel, Receipt};
use crate::config::{BodyFormat, Sms, key};
use crate::error::{Error, Meaning};
use crate::message::Rendered;
use crate::secret::{Environment, Secret};

/// Sends by a gateway that the settings describe.
#[derive(Debug)]
pub(crate) struct Gateway {
    config: Sms,
    http: Http,
    method: Method,
    secret: Secret,
}

/// What may stand in templates.
const PLACES: [&str; 3] = ["{mobile}", "{text}", "{secret}"];

impl Gateway {
    pub(crate) fn new(config: &Sms, wire: &Wire, environment: Environment<'_>) -> Result<Self, Error> {
        let key = |field| key(&config.name, field);
        let method = match config.method.as_str() {
            "POST" => Method::POST,
            "GET" => Method::GET,
            "PUT" => Method::PUT,
            _ => return Err(Error::setting(key("method"), "must be \"POST\", \"PUT\" or \"GET\"")),
        };
        let secret = match &config.secret {
            Some(source) => source.read(&key("secret"), environment)?,
            None => Secret::new(""),
        };
        let gateway = |http| Self { config: config.clone(), http, method: method.clone(), secret: secret.clone() };
        let templates = || [&config.url, &config.body].into_iter().chain(config.headers.values());
        for place in ["{mobile}", "{text}"] {
            if !templates().any(|it| it.contains(place)) {
                return Err(Error::setting(key("body"), format!("has no {place}: say where it goes, in body or url")));
            }
        }
        if config.secret.is_none() && templates().any(|it| it.contains("{secret}")) {
            return Err(Error::setting(key("secret"), "is not given, but {secret} stands in a template"));
        }
        if config.headers.values().any(|it| it.contains("{mobile}") || it.contains("{text}")) {
            return Err(Error::setting(key("headers"), "may hold {secret} only; {mobile} and {text} go into body or url"));
        }
        if !config.success_pointer.is_empty() && !config.success_pointer.starts_with('/') {
            return Err(Error::setting(key("success_pointer"), "is a JSON pointer: write \"/code\""));
        }
        // A placeholder in the host would send messages to where a number says.
        let host_end = config.url.find("://").and_then(|at| config.url[at + 3..].find('/').map(|it| at + 3 + it));
        if PLACES.iter().any(|it| config.url[..host_end.unwrap_or(config.url.len())].contains(it)) {
            return Err(Error::setting(key("url"), "may hold placeholders behind the host only"));
        }
        let url = endpoint(&key("url"), &filled(&config.url, "", "", "", percent))?;
        let gateway = gateway(Http::new(&config.name, &url, wire)?);
        gateway.headers()?;
        if config.body_format == BodyFormat::Json && !config.body.is_empty() {
            let body = filled(&config.body, "1", "x", "s", json_text);
            if serde_json::from_str::<Value>(&body).is_err() {
                return Err(Error::setting(key("body"), "is no JSON once filled: write {\"to\": \"{mobile}\"}, with the quotes"));
            }
        }
        Ok(gateway)
    }

    fn headers(&self) -> Result<HeaderMap, Error> {
        let refuse = || Error::setting(key(&self.config.name, "headers"), "hold a name or value that HTTP cannot carry");
        let mut headers = HeaderMap::new();
        if !self.config.body.is_empty() {
            headers.insert(
                CONTENT_TYPE,
                HeaderValue::from_static(match self.config.body_format {
                    BodyFormat::Json => "application/json; charset=utf-8",
                    BodyFormat::Form => "application/x-www-form-urlencoded; charset=utf-8",
                }),
            );
        }
        for (name, value) in &self.config.headers {
            let name = HeaderName::try_from(name).map_err(|_| refuse())?;
            let filled = value.replace("{secret}", self.secret.expose());
            let mut filled = HeaderValue::try_from(filled).map_err(|_| refuse())?;
            filled.set_sensitive(true);
            headers.insert(name, filled);
        }
        Ok(headers)
    }
}

/// Fills a template in one pass, so that what was put in is never taken for a placeholder.
fn filled(template: &str, mobile: &str, text: &str, secret: &str, escape: fn(&str) -> String) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        match PLACES.iter().zip([mobile, text, secret]).find(|it| rest.starts_with(*it.0)) {
            Some((place, value)) => {
                out.push_str(&escape(value));
                rest = &rest[place.len()..];
            }
            None => {
                out.push('{');
                rest = &rest[1..];
            }
        }
    }
    out + rest
}

fn percent(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect()
}

/// A text as it stands between the quotes of a JSON string.
fn json_text(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

#[async_trait]
impl Channel for Gateway {
    fn name(&self) -> &str {
        &self.config.name
    }

    fn address_kind(&self) -> AddressKind {
        AddressKind::Mobile
    }

    fn drops_repetitions(&self) -> bool {
        false
    }

    async fn send(&self, rendered: &Rendered, address: &Address) -> Result<Receipt, Error> {
        let config = &self.config;
        let (mobile, text) = (address.text_for(self)?, rendered.text());
        let url = filled(&config.url, mobile, &text, self.secret.expose(), percent);
        let url = Url::parse(&url).map_err(|_| Error::setting(key(&config.name, "url"), "is no address once filled"))?;
        let mut request = self.http.request(self.method.clone(), url).headers(self.headers()?);
        if !config.body.is_empty() {
            let escape = match config.body_format {
                BodyFormat::Json => json_text,
                BodyFormat::Form => percent,
            };
            request = request.body(filled(&config.body, mobile, &text, self.secret.expose(), escape));
        }
        let answer = self.http.exchange(request).await?;
        if answer.status != config.success_status {
            return Err(self.http.refused(&answer));
        }
        if config.success_pointer.is_empty() {
            return Ok(Receipt::new(None));
        }
        let body: Value = serde_json::from_slice(&answer.body).map_err(|_| self.http.unreadable("is no JSON"))?;
        let found = body.pointer(&config.success_pointer);
        let found = found.ok_or_else(|| self.http.unreadable("has nothing at success_pointer"))?;
        if plain(found) != config.success_value {
            // A gateway's own codes are not known here; one that is a number is passed on.
            let code = plain(found).parse().unwrap_or(0);
            return Err(Error::Refused { channel: config.name.clone(), code, meaning: Meaning::Other });
        }
        let vendor_id = body.pointer(&config.id_pointer).filter(|_| !config.id_pointer.is_empty()).map(plain);
        Ok(Receipt::new(vendor_id))
    }
}

/// A JSON value as settings write it: texts without quotes, so that `"0"` stands for `0` and `"0"`.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_filled_in_is_never_taken_for_a_placeholder() {
        assert_eq!(filled("{text}|{mobile}|{x}|{", "1", "{mobile}", "s", str::to_owned), "{mobile}|1|{x}|{");
        assert_eq!(filled(r#"{"to":"{mobile}","t":"{text}"}"#, "1", "a\"b\n", "", json_text), r#"{"to":"1","t":"a\"b\n"}"#);
        assert_eq!(filled("m={mobile}&t={text}", "+86", "a&b 你", "", percent), "m=%2B86&t=a%26b+%E4%BD%A0");
    }
}
