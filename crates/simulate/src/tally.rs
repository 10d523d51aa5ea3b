//! What has been written so far, by pipeline: rows, duplicates, late ones, and the defects that are due.

use std::collections::BTreeMap;

use crate::card::{self, Written};
use crate::defect::{Defects, Reason};
use crate::gate;
use crate::random::Draw;

/// Counts by pipeline.
pub(crate) type Counts = BTreeMap<String, u64>;

/// The running counts of the manifest.
pub(crate) struct Tally {
    pub(crate) rows: Counts,
    pub(crate) duplicates: Counts,
    pub(crate) late: Counts,
    pub(crate) defects: BTreeMap<&'static str, Defects>,
}

/// Bad rows a row, of events and of states.
const EVENT_RATE: f64 = 1.0 / 20_000.0;
const STATE_RATE: f64 = 1.0 / 2_000.0;

impl Tally {
    pub(crate) fn new(with_defects: bool) -> Tally {
        let of = |reasons, rate| Defects::new(reasons, rate, with_defects);
        Tally {
            rows: Counts::new(),
            duplicates: Counts::new(),
            late: Counts::new(),
            defects: BTreeMap::from([
                ("card_txn", of(&card::REASONS, EVENT_RATE)),
                ("gate_event", of(&gate::REASONS, EVENT_RATE)),
                ("ticket_event", of(&[Reason::Code], EVENT_RATE)),
                ("ticket", of(&[Reason::Rule, Reason::Person], STATE_RATE)),
                ("leave_record", of(&[Reason::Rule], STATE_RATE)),
                ("bed_assignment", of(&[Reason::Person], STATE_RATE)),
            ]),
        }
    }

    /// Counts a written file.
    pub(crate) fn wrote(&mut self, pipeline: &str, it: &Written) {
        *self.duplicates.entry(pipeline.to_owned()).or_default() += it.duplicates;
        *self.late.entry(pipeline.to_owned()).or_default() += it.late;
        self.rows(pipeline, it.rows);
    }

    /// Counts rows.
    pub(crate) fn rows(&mut self, pipeline: &str, rows: u64) {
        *self.rows.entry(pipeline.to_owned()).or_default() += rows;
    }

    /// Decides which defects a file of so many rows gets.
    pub(crate) fn due(&mut self, pipeline: &str, rows: usize, draw: &mut Draw) -> Vec<Reason> {
        self.defects.get_mut(pipeline).map_or_else(Vec::new, |it| it.due(rows, draw))
    }
}
