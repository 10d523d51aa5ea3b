//! Delta tables in a local folder: exactly-once commits, pinned snapshots, upkeep.
//!
//! In come sorted Arrow batches and what to remember of the commit; out come versions and lists of Parquet files.
//! It knows no SQL, no pipeline and no query engine, and it is the only crate that names `deltalake`.
//! The door appends through it, `transform` replaces through it, `engine` reads what a [`Snapshot`] pins.

mod checkpoint;
mod commit;
mod compact;
mod disk;
mod encoding;
mod error;
mod history;
mod lake;
mod lock;
mod order;
mod replay;
mod shape;
mod snapshot;
mod stats;
mod store;
mod sweep;
mod upkeep;
mod write;

#[cfg(test)]
mod tests;

pub use commit::{Commit, Replace};
pub use disk::{Disk, DiskFile, LocalDisk};
pub use error::Error;
pub use history::Changes;
pub use lake::{Config, Durability, Lake};
pub use order::ASCENDING;
pub use shape::TableSpec;
pub use snapshot::{LakeFile, Snapshot};
pub use upkeep::{Upkeep, UpkeepReport};
pub use write::{StagedFile, TableWriter};
