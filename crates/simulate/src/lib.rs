//! Makes a synthetic campus and writes it the way school systems export: spreadsheets, GB18030 text, JSON lines.
//!
//! A seed and two numbers go in; files and a sealed truth come out. Knows no contract and no table: whatever reads
//! the files has to find its way by itself, as with a real school. `yizhan demo` and the tests call it.

mod activity;
mod boarder;
mod calendar;
mod campus;
mod card;
mod day;
mod defect;
mod dorm;
mod error;
mod gate;
mod leave;
mod lines;
mod manifest;
mod meal;
mod names;
mod outage;
mod random;
mod registry;
mod roll;
mod run;
mod scene;
mod sheet;
mod staff_work;
mod story;
mod student;
mod study;
mod support;
mod tally;
mod ticket;
mod weekly;
mod world;
#[cfg(test)]
mod written;

use std::path::PathBuf;

pub use error::Error;
pub use manifest::{DarkNight, DeviceOutage, Episode, Manifest, Night, Planted};
pub use run::write;

/// Which campus to make, and where to write it.
#[derive(Debug, Clone)]
pub struct Config {
    /// Number of students, from 20 to 90,000.
    pub students: u32,
    /// Number of days from 2025-09-01, from 1 to 365.
    pub days: u32,
    /// The same seed makes the same bytes.
    pub seed: u64,
    /// Folder to write into; files of the same names are replaced, others stay.
    pub out: PathBuf,
    /// Plants rows that a contract must refuse.
    pub defects: bool,
    /// Strength of what a latent state does to behaviour: 1 as in the literature, 0 nothing at all.
    pub effect: f64,
    /// Whether devices fail, students go on leave and cards get lost; without, the same people on the same days as if
    /// nothing of it had happened.
    pub events: bool,
}

impl Default for Config {
    fn default() -> Config {
        let out = PathBuf::from("campus");
        Config { students: 5000, days: 150, seed: 20_250_901, out, defects: true, effect: 1.0, events: true }
    }
}

/// How far the writing has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Days whose files are complete.
    pub days_done: u32,
    /// Days wanted.
    pub days: u32,
    /// Rows of all pipelines so far.
    pub rows: u64,
}
