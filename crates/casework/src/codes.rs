//! Coded words: one enum, one code in tables and JSON, one text in Chinese and in English.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// What people read, in both languages of the screens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Text {
    /// Simplified Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

impl Text {
    /// Makes a text of two sentences that say the same.
    pub fn new(zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { zh: zh.into(), en: en.into() }
    }
}

/// A reason, a result or a decision as one word: `a-z`, `0-9` and `_`, at most 64 bytes.
///
/// Steps leave for the lake, so they carry codes only; whatever is said in sentences is a note and stays sealed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Code(String);

impl Code {
    /// Longest code in bytes.
    pub const BYTES_MAX: usize = 64;

    /// Takes a word that is a code.
    ///
    /// # Errors
    /// If it is empty, too long, or holds anything else than small letters, digits and underscores.
    pub fn new(word: &str) -> Result<Self, Error> {
        let is_code = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_';
        if word.is_empty() || Self::BYTES_MAX < word.len() || !word.chars().all(is_code) {
            return Err(Error::NoCode { word: word.chars().take(Self::BYTES_MAX).collect() });
        }
        Ok(Self(word.to_owned()))
    }

    /// The word itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Code {
    type Error = Error;

    fn try_from(word: String) -> Result<Self, Error> {
        Self::new(&word)
    }
}

impl From<Code> for String {
    fn from(code: Code) -> Self {
        code.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Makes an enum whose variants have a code, a Chinese and an English text.
macro_rules! codes {
    ($(#[$meta:meta])* $name:ident { $($variant:ident = $code:literal, $zh:literal, $en:literal;)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $(
                #[doc = concat!($en, " (", $zh, ").")]
                #[serde(rename = $code)]
                $variant,
            )+
        }

        impl $name {
            /// All of them, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word that stands in tables, JSON and addresses.
            pub fn code(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)+
                }
            }

            /// Finds the one with a code.
            pub fn from_code(code: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|it| it.code() == code)
            }

            /// What people read.
            pub fn text(self) -> $crate::codes::Text {
                match self {
                    $(Self::$variant => $crate::codes::Text::new($zh, $en),)+
                }
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_one_small_word() {
        assert_eq!(Code::new("found_at_home_2").unwrap().as_str(), "found_at_home_2");
        for word in ["", "Found", "two words", "她说不想活", "a\nb", &"a".repeat(65)] {
            assert!(Code::new(word).is_err(), "{word:?}");
            assert!(serde_json::from_value::<Code>(word.into()).is_err(), "{word:?}");
        }
    }
}
