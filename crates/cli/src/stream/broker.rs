//! What doors at brokers share: address, secrets, TLS.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::SecretSource;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use url::{Host, Url};

use super::config::Broker;
use crate::exit::Caller;

/// Where a broker is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) has_tls: bool,
}

/// Schemes of a protocol without and with TLS, and the port of each.
pub(super) struct Schemes {
    pub(super) plain: (&'static str, u16),
    pub(super) tls: (&'static str, u16),
}

/// TLS to a broker that is named on the command line: whom the system trusts is trusted.
pub(crate) fn usual_tls() -> anyhow::Result<rustls::ClientConfig> {
    let broker = Broker {
        setting: "--to".to_owned(),
        url: "",
        plain: false,
        user: "",
        password: None,
        ca_file: None,
        cert_file: None,
        key_file: None,
    };
    broker.tls(Path::new(""))
}

/// Whether a host is this machine.
pub(super) fn is_here(host: &str) -> bool {
    // Schemes that the library does not know have hosts that it does not look into.
    match Host::parse(host) {
        Ok(Host::Ipv4(it)) => it.is_loopback(),
        Ok(Host::Ipv6(it)) => it.is_loopback(),
        _ => host == "localhost",
    }
}

/// The file that a secret stands in, if it is one.
pub(super) fn file(source: &SecretSource) -> Option<PathBuf> {
    match source {
        SecretSource::File(path) => Some(path.clone()),
        SecretSource::Env(_) => None,
    }
}

impl Broker<'_> {
    pub(super) fn wrong(&self, zh: &str, en: &str) -> anyhow::Error {
        Caller(format!("{}：{zh} / {}: {en}", self.setting, self.setting)).into()
    }

    /// Files that only their owner should read, as they are looked for.
    pub(super) fn secret_files(&self, project: &Path) -> Vec<PathBuf> {
        let password = self.password.and_then(file);
        password.into_iter().chain(self.key_file.map(|it| project.join(it))).collect()
    }

    /// Reads the address. One without TLS is taken for this machine only, unless the settings say that they know.
    pub(super) fn address(&self, schemes: &Schemes) -> anyhow::Result<Address> {
        let Schemes { plain, tls } = schemes;
        let shape = || {
            let (plain, tls) = (plain.0, tls.0);
            self.wrong(
                &format!("url 应写作 {tls}://主机:端口（本机可用 {plain}://），口令写在 password"),
                &format!("url is {tls}://host:port ({plain}:// on this machine), the password stands in `password`"),
            )
        };
        let url = Url::parse(self.url).map_err(|_| shape())?;
        let has_tls = url.scheme() == tls.0;
        let is_bare = url.username().is_empty() && url.password().is_none() && url.query().is_none();
        if !(has_tls || url.scheme() == plain.0) || !is_bare || !matches!(url.path(), "" | "/") {
            return Err(shape());
        }
        let host = url.host_str().filter(|it| !it.is_empty()).ok_or_else(shape)?.to_owned();
        if !has_tls && !is_here(&host) && !self.plain {
            return Err(self.wrong(
                &format!("{host} 在另一台机器上，学号会以明文经过网络：请改用 {}://，确知风险时写 plain = true", tls.0),
                &format!(
                    "{host} is another machine, and numbers of students would cross the network readable: use {}://, or write plain = \
                     true if you know that",
                    tls.0
                ),
            ));
        }
        let port = url.port().unwrap_or(if has_tls { tls.1 } else { plain.1 });
        Ok(Address { host, port, has_tls })
    }

    /// What stands in the place that a setting names.
    pub(super) fn secret(&self, key: &str, source: &SecretSource) -> anyhow::Result<String> {
        let secret = source.read(&format!("{}.{key}", self.setting), &|name| std::env::var(name).ok());
        Ok(secret.map_err(|error| Caller(crate::exit::chain(&error)))?.expose().to_owned())
    }

    /// User and password, if there is a user.
    pub(super) fn login(&self) -> anyhow::Result<Option<(String, String)>> {
        let password = match self.password {
            Some(source) => self.secret("password", source)?,
            None => String::new(),
        };
        match self.user {
            "" if password.is_empty() => Ok(None),
            "" => Err(self.wrong("有 password 而没有 user", "there is a password and no user")),
            user => Ok(Some((user.to_owned(), password))),
        }
    }

    /// How to trust the broker and be trusted by it. Relative files are of the project's folder.
    pub(super) fn tls(&self, project: &Path) -> anyhow::Result<rustls::ClientConfig> {
        let unread = |path: &Path, why: String| {
            let at = path.display();
            self.wrong(&format!("{at} 无法读取：{why}"), &format!("could not read {at}: {why}"))
        };
        let certificates = |path: &Path| -> anyhow::Result<Vec<CertificateDer<'static>>> {
            let found = CertificateDer::pem_file_iter(path).map_err(|it| unread(path, it.to_string()))?;
            let found = found.collect::<Result<Vec<_>, _>>().map_err(|it| unread(path, it.to_string()))?;
            if found.is_empty() { Err(unread(path, "no certificate in PEM".to_owned())) } else { Ok(found) }
        };
        let mut roots = rustls::RootCertStore::empty();
        match self.ca_file {
            Some(file) => {
                let path = project.join(file);
                for it in certificates(&path)? {
                    roots.add(it).map_err(|it| unread(&path, it.to_string()))?;
                }
            }
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        // Two providers are linked, so rustls cannot choose by itself.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        match (self.cert_file, self.key_file) {
            (None, None) => Ok(builder.with_no_client_auth()),
            (Some(cert), Some(key)) => {
                let (cert, key) = (project.join(cert), project.join(key));
                let secret = PrivateKeyDer::from_pem_file(&key).map_err(|it| unread(&key, it.to_string()))?;
                let chain = certificates(&cert)?;
                builder.with_client_auth_cert(chain, secret).map_err(|it| unread(&cert, it.to_string()))
            }
            _ => Err(self.wrong("cert_file 与 key_file 须成对", "cert_file and key_file come together")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MQTT: Schemes = Schemes { plain: ("mqtt", 1883), tls: ("mqtts", 8883) };

    fn broker(url: &str, plain: bool) -> Broker<'_> {
        let setting = "stream.mqtt \"gates\"".to_owned();
        Broker { setting, url, plain, user: "", password: None, ca_file: None, cert_file: None, key_file: None }
    }

    #[track_caller]
    fn check(url: &str, plain: bool, expected: Option<(&str, u16, bool)>) {
        let found = broker(url, plain).address(&MQTT);
        let expected = expected.map(|(host, port, has_tls)| Address { host: host.to_owned(), port, has_tls });
        assert_eq!(found.as_ref().ok(), expected.as_ref(), "{url}: {found:?}");
    }

    #[test]
    fn numbers_of_students_leave_this_machine_under_tls_only() {
        check("mqtts://broker.example.edu.cn", false, Some(("broker.example.edu.cn", 8883, true)));
        check("mqtts://broker.example.edu.cn:9000/", false, Some(("broker.example.edu.cn", 9000, true)));
        for here in ["127.0.0.1", "localhost", "[::1]"] {
            check(&format!("mqtt://{here}:2000"), false, Some((here, 2000, false)));
        }
        check("mqtt://10.0.0.7", false, None);
        check("mqtt://10.0.0.7", true, Some(("10.0.0.7", 1883, false)));
        check("mqtt://127.0.0.1.example.com", false, None);
    }

    #[test]
    fn an_address_holds_no_password_and_nothing_else_beside() {
        for url in ["mqtts://me:secret@broker", "https://broker", "broker:1883", "mqtts://broker/topic", "mqtts://broker?a=b", ""]
        {
            check(url, false, None);
        }
        let said = broker("mqtts://me:secret@broker", false).address(&MQTT).expect_err("refused").to_string();
        assert!(!said.contains("secret"), "{said}");
    }
}
