//! The write-ahead log of pushed events (预写日志): rows that passed contract and vault wait here until a table has them.
//!
//! In come frames of Arrow rows; out come rising positions, an answer once a frame survives a power cut, and all frames
//! that no table holds yet. It knows no table, no pipeline and no HTTP: `cli` fills it and empties it, sessions read it.

mod disk;
mod error;
mod frame;
mod log;
mod segment;

#[cfg(test)]
mod tests;

pub use disk::{Disk, DiskFile, LocalDisk};
pub use error::Error;
pub use frame::Frame;
pub use log::{Config, Kept, Log, Ticket, peek, torn};
pub use schema::point;
pub use segment::Cut;
