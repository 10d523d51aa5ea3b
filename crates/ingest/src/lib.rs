//! The door: bytes of a source come in, rows that keep the contract go out, bad rows go to quarantine.
//!
//! [`pull`] brings the rows of a database as the bytes of such a file; [`guess()`] says what contract an unknown file may have.
//!
//! Knows one pipeline and one file at a time. Knows nothing of the lake, the register of files or the schedule; people's
//! numbers leave it only through [`schema::Pseudonyms`], bad rows only through [`schema::Seal`]. `cli` calls it for files
//! and streams alike, which differ only in how the bytes arrive.

mod again;
mod batch;
mod cell;
mod column;
mod contract_text;
mod damaged;
mod delimited;
mod door;
mod encoding;
mod error;
mod files;
mod guess;
mod head;
mod interned;
mod jsonl;
mod local_time;
mod mended;
mod moment;
mod old_workbook;
mod order;
mod parquet;
mod persons;
mod pgoutput;
mod plain;
mod postgres;
mod progress;
mod pushed;
mod reject;
mod replica;
mod row_hash;
mod rows;
mod said;
mod sheet;
mod taken;
mod unpack;
mod value;

pub use again::named_cells;
pub use contract_text::{Choices, ColumnChoice, contract_text};
pub use door::{Door, FileInput, KnownAt, Limits};
pub use encoding::decode_lossy;
pub use error::{Error, Quoted};
pub use files::{files, hash_bytes, hash_file};
pub use guess::{ColumnGuess, Guess, Guessed, SURE, guess};
pub use mended::{REASON_HEAD, Table, correction, delimited_text, is_mendable, table};
pub use persons::{Normalise, PersonConfig, Persons};
pub use pgoutput::{Change, Datum, Relation, change};
pub use plain::Plain;
pub use postgres::{Pulled, database_url, pull};
pub use pushed::{PushForm, cloud_event_data};
pub use reject::Reason;
pub use replica::{
    Came, Changes, CopiedRows, Copying, Look, Published, Replica, ReplicaAddress, ReplicaTrust, RowWriter, Slot, Snapshot,
    Standing,
};
pub use said::{Said, example, file_words, reason_words, shape_words, type_words};
pub use taken::{Counts, Part, Taken};
