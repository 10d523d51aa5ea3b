//! What the import wizard asks of the process that knows files and contracts: this crate knows neither.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The wizard behind the page: guesses, previews and writes contracts.
///
/// Choices and answers are passed through as JSON; their shape is that of the API's document. Every call names the
/// account that asks, and an upload answers only to the account that sent it.
#[async_trait]
pub trait Imports: Send + Sync {
    /// What the first step shows: templates, limits, the words in use.
    async fn state(&self) -> Result<Value, Refusal>;

    /// Keeps a file for a while and guesses its contract.
    async fn guess(&self, account: &str, upload: Upload) -> Result<Value, Refusal>;

    /// Runs a kept file through the door in memory, as the choices say.
    async fn preview(&self, account: &str, upload_id: &str, choices: Value) -> Result<Value, Refusal>;

    /// The refused rows of a kept file as a workbook.
    async fn rejects(&self, account: &str, upload_id: &str, choices: Value) -> Result<Workbook, Refusal>;

    /// Puts corrected rows in the place of the refused ones of a kept file, and previews it again.
    async fn correct(&self, account: &str, upload_id: &str, corrected: Upload) -> Result<Value, Refusal>;

    /// Writes the contract, and puts the file where the next run finds it, if that is asked for and approved.
    async fn save(&self, account: &str, save: Save) -> Result<Value, Refusal>;

    /// An empty workbook with the heads of a contract.
    async fn template(&self, pipeline: &str) -> Result<Workbook, Refusal>;
}

/// A file as it was sent.
#[derive(Debug)]
pub struct Upload {
    /// Its name; nothing is opened by it.
    pub file_name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// What is to be saved.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Save {
    /// The kept file.
    pub upload_id: String,
    /// What was confirmed.
    pub choices: Value,
    /// Whether a contract of that name may be replaced.
    #[serde(default)]
    pub replace: bool,
    /// Whether the file is to be put into the input folder; needs a valid approval of its use.
    #[serde(default)]
    pub take: bool,
}

/// A workbook to be downloaded.
#[derive(Debug)]
pub struct Workbook {
    /// Name of the file, ASCII.
    pub file_name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Rows in it that came from the sender.
    pub rows_n: u64,
}

/// Why the wizard could not do as asked, in words for the person who asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What kind of no it is.
    pub kind: RefusalKind,
    /// Why, in Chinese.
    pub zh: String,
    /// Why, in English.
    pub en: String,
}

/// Kinds of refusals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// There is no such upload or contract any more.
    Gone,
    /// The file is none that can be taken.
    File,
    /// The choices contradict one another.
    Choices,
    /// There is a contract of that name.
    Exists,
    /// No valid approval covers the data.
    Approval,
    /// Too many files are kept.
    Busy,
    /// The disk did not answer, or it is our bug.
    Failed,
}

impl Refusal {
    /// A refusal with its sentence.
    pub fn new(kind: RefusalKind, zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { kind, zh: zh.into(), en: en.into() }
    }
}
