//! What the door hands over: clean rows by day, sealed rejects, and counts that balance.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use arrow::record_batch::RecordBatch;

/// What became of one file.
#[derive(Debug)]
pub struct Taken {
    /// Clean rows: one part a campus day for events, in order of days; at most one for states.
    pub parts: Vec<Part>,
    /// Rejected rows, sealed, as `schema::quarantine_schema` has them, in order of the file.
    pub rejects: RecordBatch,
    /// How many rows were rejected for which reason.
    pub reasons: BTreeMap<String, u64>,
    /// What the rows became.
    pub counts: Counts,
    /// The newest instant by which a row was dated, but for assumed ones: that of the door, or of the last of the versions
    /// that followed it.
    pub known_us: i64,
    /// Identifiers of kept rows that the vault did not keep: numbers that are another person's already.
    pub unlinked: u64,
}

/// Clean rows of one partition.
///
/// # Shape
/// `schema::raw_schema` without `occurred_on`, sorted by `schema::raw_sort`, an empty `student_key` or `occurred_at` first.
#[derive(Debug, Clone)]
pub struct Part {
    /// Campus day, days since 1970-01-01; `None` for states.
    pub day: Option<i32>,
    /// The rows.
    pub batch: RecordBatch,
}

/// What the rows became: `rows_in` is the sum of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Rows of the file; blank lines are none.
    pub rows_in: u64,
    /// Rows handed over.
    pub rows_kept: u64,
    /// Rows rejected.
    pub rows_quarantined: u64,
    /// Rows passed over because they were taken before. The door takes whole files and passes over none; whoever
    /// skips a file that stands in the register counts its rows here.
    pub rows_skipped: u64,
    /// Rows of persons who were erased, dropped.
    pub rows_erased: u64,
}

impl Counts {
    /// Whether every row is accounted for.
    pub fn is_balanced(&self) -> bool {
        self.rows_in == self.rows_kept + self.rows_quarantined + self.rows_skipped + self.rows_erased
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.rows_in += other.rows_in;
        self.rows_kept += other.rows_kept;
        self.rows_quarantined += other.rows_quarantined;
        self.rows_skipped += other.rows_skipped;
        self.rows_erased += other.rows_erased;
    }
}
