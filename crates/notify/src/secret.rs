//! Secrets: named in the settings by their place, never written there, never printed.

use std::fmt;
use std::path::PathBuf;

use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::Error;

/// Looks up an environment variable; `&|name| std::env::var(name).ok()` outside of tests.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The longest file that is taken for a secret.
const BYTES_MAX: u64 = 64 << 10;

const SHAPE: &str = "{ env = \"NAME\" } or { file = \"/path\" }; a secret itself never stands in the settings";

/// A value that is shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value, for the line that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Where a secret is: an environment variable, or a file that only its owner may read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// Name of an environment variable.
    Env(String),
    /// A file; white space at its end does not count.
    File(PathBuf),
}

impl SecretSource {
    /// Fetches the secret; `key` is the setting, for the message.
    ///
    /// # Errors
    /// If there is none, it is empty, or others may read the file.
    pub fn read(&self, key: &str, environment: Environment<'_>) -> Result<Secret, Error> {
        let (place, value) = match self {
            SecretSource::Env(name) => (format!("environment variable {name}"), environment(name)),
            SecretSource::File(path) => {
                let refuse = |source| Error::File { key: key.to_owned(), path: path.clone(), source };
                let metadata = std::fs::metadata(path).map_err(refuse)?;
                #[cfg(unix)]
                {
                    use std::os::unix::fs::PermissionsExt;
                    let mode = metadata.permissions().mode() & 0o777;
                    if mode & 0o077 != 0 {
                        return Err(Error::SecretReadableByOthers { key: key.to_owned(), path: path.clone(), mode });
                    }
                }
                if BYTES_MAX < metadata.len() {
                    let place = format!("file {}", path.display());
                    return Err(Error::Secret { key: key.to_owned(), place, found: "is too long for a secret" });
                }
                (format!("file {}", path.display()), Some(std::fs::read_to_string(path).map_err(refuse)?))
            }
        };
        let missing = |found| Error::Secret { key: key.to_owned(), place: place.clone(), found };
        let value = value.ok_or_else(|| missing("is not set"))?;
        match value.trim_end() {
            "" => Err(missing("is empty")),
            value => Ok(Secret::new(value)),
        }
    }
}

// By hand, because serde would repeat a secret that somebody wrote inline.
impl<'de> Deserialize<'de> for SecretSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = SecretSource;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(SHAPE)
            }

            fn visit_str<E: de::Error>(self, _: &str) -> Result<SecretSource, E> {
                Err(E::custom(format!("write {SHAPE}")))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SecretSource, A::Error> {
                let shape = || de::Error::custom(format!("write {SHAPE}"));
                let (key, value) = map.next_entry::<String, String>()?.ok_or_else(shape)?;
                let source = match key.as_str() {
                    "env" => SecretSource::Env(value),
                    "file" => SecretSource::File(PathBuf::from(value)),
                    _ => return Err(shape()),
                };
                if map.next_key::<String>()?.is_some() { Err(shape()) } else { Ok(source) }
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Holder {
        secret: SecretSource,
    }

    fn parse(text: &str) -> Result<SecretSource, String> {
        toml::from_str::<Holder>(text).map(|it| it.secret).map_err(|it| it.message().to_owned())
    }

    #[test]
    fn a_secret_written_inline_is_refused_and_not_repeated() {
        for text in ["secret = \"hunter2\"", "secret = { value = \"hunter2\" }", "secret = { env = \"A\", file = \"hunter2\" }"] {
            let said = parse(text).expect_err("refused");
            assert_eq!(said, format!("write {SHAPE}"), "{text}");
        }
        assert_eq!(parse("secret = { env = \"A\" }"), Ok(SecretSource::Env("A".into())));
    }

    #[test]
    fn a_secret_that_is_not_there_names_its_place_only() {
        let source = SecretSource::Env("YIZHAN_WECOM_SECRET".into());
        let error = source.read("notify.channel.wecom.secret", &|_| None).expect_err("missing");
        let expected = "setting \"notify.channel.wecom.secret\": environment variable YIZHAN_WECOM_SECRET is not set";
        assert_eq!(error.to_string(), expected);
        assert!(source.read("x", &|_| Some(" \n".into())).is_err());
        assert_eq!(format!("{:?}", source.read("x", &|_| Some("hunter2\n".into())).expect("set")), "Secret(…)");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secret");
        std::fs::write(&path, "hunter2\n").expect("a file");
        let source = SecretSource::File(path.clone());
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).expect("mode");
        assert!(matches!(source.read("x", &|_| None), Err(Error::SecretReadableByOthers { mode: 0o644, .. })));
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).expect("mode");
        assert_eq!(source.read("x", &|_| None).expect("a secret").expose(), "hunter2");
    }
}
