//! A vault in memory whose keys can be read: a student 2023000123 becomes 702023000123000, a teacher T00007 800000000000007.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;

use schema::{Holder, Identifier, Known, PersonKind, Pseudonyms, Seal, VaultError};

const SEAL: &[u8] = b"sealed:";

/// The vault.
#[derive(Default)]
pub struct Vault {
    erased: Vec<String>,
    calls: Mutex<usize>,
    remembered: Mutex<BTreeMap<(i64, String), String>>,
    identifiers: Mutex<BTreeMap<String, Vec<Holder>>>,
    is_silent: bool,
}

impl Vault {
    /// A vault in which these numbers are erased.
    #[allow(dead_code, reason = "each test binary uses its part")]
    pub fn new(erased: &[String]) -> Self {
        Self { erased: erased.to_vec(), ..Self::default() }
    }

    /// A vault that does not say whose an identifier is.
    #[allow(dead_code, reason = "each test binary uses its part")]
    pub fn silent() -> Self {
        Self { is_silent: true, ..Self::default() }
    }

    /// Whether nobody asked anything yet.
    #[allow(dead_code, reason = "each test binary uses its part")]
    pub fn is_untouched(&self) -> bool {
        *self.calls.lock().expect("no panic") == 0
    }

    /// What it was given to keep, as CSV.
    #[allow(dead_code, reason = "each test binary uses its part")]
    pub fn remembered(&self) -> Option<String> {
        let remembered = self.remembered.lock().expect("no panic");
        let rows: String = remembered.iter().map(|((key, column), value)| format!("{key},{column},{value}\n")).collect();
        (!rows.is_empty()).then(|| format!("key,column,value\n{rows}"))
    }
}

impl Pseudonyms for Vault {
    fn keys(&self, kind: PersonKind, ids: &[&str]) -> Result<HashMap<String, Known>, VaultError> {
        *self.calls.lock().expect("no panic") += 1;
        let key = |id: &str| match kind {
            PersonKind::Student => 700_000_000_000_000 + digits(id) * 1_000,
            PersonKind::Staff => 800_000_000_000_000 + digits(id),
        };
        let known = |id: &&str| match self.erased.iter().any(|it| it == id) {
            true => ((*id).to_owned(), Known::Erased),
            false => ((*id).to_owned(), Known::Key(key(id))),
        };
        Ok(ids.iter().map(known).collect())
    }

    fn remember(&self, _: PersonKind, values: &[(i64, &str, &str)]) -> Result<(), VaultError> {
        *self.calls.lock().expect("no panic") += 1;
        let mut remembered = self.remembered.lock().expect("no panic");
        for (key, column, value) in values {
            remembered.insert((*key, (*column).to_owned()), (*value).to_owned());
        }
        Ok(())
    }

    fn holders(&self, kind: PersonKind, by: &str, value: &str) -> Result<Vec<Holder>, VaultError> {
        if self.is_silent {
            return Err("the vault is shut".into());
        }
        let identifiers = self.identifiers.lock().expect("no panic");
        let held = identifiers.get(&format!("{kind} {by} {value}"));
        let erased = self.erased.iter().any(|it| it == value);
        let erased = erased.then_some(Holder { from_day: i32::MIN, until_day: i32::MAX, who: Known::Erased });
        Ok(held.into_iter().flatten().copied().chain(erased).collect())
    }

    fn identify(&self, kind: PersonKind, given: &[Identifier<'_>]) -> Result<u64, VaultError> {
        let mut identifiers = self.identifiers.lock().expect("no panic");
        for it in given {
            let holder = Holder { from_day: it.from_day, until_day: it.until_day.unwrap_or(i32::MAX), who: Known::Key(it.key) };
            identifiers.entry(format!("{kind} {} {}", it.by, it.value)).or_default().push(holder);
        }
        Ok(0)
    }
}

fn digits(id: &str) -> i64 {
    id.bytes().filter(u8::is_ascii_digit).fold(0, |value, digit| value * 10 + i64::from(digit - b'0'))
}

impl Seal for Vault {
    fn seal(&self, plain: &[u8]) -> Vec<u8> {
        [SEAL, plain].concat()
    }

    fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, VaultError> {
        Ok(sealed.strip_prefix(SEAL).ok_or("not sealed here")?.to_vec())
    }
}
