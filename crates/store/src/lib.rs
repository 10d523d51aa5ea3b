//! The operational store: who people are, which files were taken in, what ran, who may log in, who read what, what cases
//! there are.
//!
//! One SQLite file or PostgreSQL schema, and one key file. Knows nothing of the lake, of HTTP or of clocks: the time comes in as microseconds
//! since 1970. What differs between SQLite and PostgreSQL stands in `database.rs` and `guards/`.

mod accounts;
mod audit;
mod cases;
mod database;
mod error;
mod files;
mod key_file;
mod loads;
mod messages;
mod meta;
mod mint;
mod pushes;
mod runs;
#[cfg(test)]
mod scene;
mod sealing;
mod sessions;
mod store;
mod vault;

pub use accounts::{Account, Accounts, Grant, LoginError, NewAccount};
pub use audit::{Audit, AuditEvent, AuditRow};
pub use cases::{
    AbsenceCheck, Around, Asked, Call, CampaignRow, Cases, Change, DeathRow, Desk, Done, DueFollowUp, Edit, Entered, Fact,
    FollowUpCause, HistoryRow, MonthFigures, MyReport, MyRequest, NewAbsenceCheck, NewDeath, NewEntry, NewRecord, NewTalkHours,
    NewVisitAnswer, Offered, OpenedReport, Page, QueueCounts, QueueRow, RecordRow, Referral, SocialChoice, SweepProgress,
    SweepRow, SweptStudent, Synced, TakenUp, TalkHours, UnplacedReport, View, VisitAnswer, Wanted, Who, With, change_text,
};
pub use error::Error;
pub use files::{Counts, FileEntry, FileRegister, FileState, Numbered};
pub use loads::{LoadState, Loads};
pub use messages::{ChannelUse, Fate, Messages, OpenMessage, OwnMessage, Reach, StoredDelivery};
pub use meta::Meta;
pub use mint::Mint;
pub use pushes::{DROP_GROUP, PushAnswer, PushCount, PushToken, Pushes};
pub use runs::{RunResult, RunRow, Runs};
pub use sessions::{SessionRow, Sessions};
pub use store::{Config, Store};
pub use vault::Vault;
