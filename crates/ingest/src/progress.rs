//! How far a file has been read, told in bytes as they lie on disk.

/// Bytes between two reports.
const STEP: usize = 1 << 18;

/// Turns positions in the unpacked bytes into bytes of the file.
pub(crate) struct Progress<'a> {
    report: &'a (dyn Fn(u64) + Sync),
    file_bytes: u64,
    unpacked: u64,
    told: u64,
    next: usize,
}

impl<'a> Progress<'a> {
    pub(crate) fn new(report: &'a (dyn Fn(u64) + Sync), file_bytes: u64, unpacked: u64) -> Self {
        Self { report, file_bytes, unpacked: unpacked.max(1), told: 0, next: STEP }
    }

    /// Says that the unpacked bytes are read up to a position.
    #[inline]
    pub(crate) fn at(&mut self, position: usize) {
        if self.next <= position {
            self.next = position + STEP;
            self.tell(position as u64);
        }
    }

    /// Says that the file is read: the reports add up to its size.
    pub(crate) fn finish(&mut self) {
        self.tell(self.unpacked);
    }

    fn tell(&mut self, position: u64) {
        let share = u128::from(position.min(self.unpacked)) * u128::from(self.file_bytes) / u128::from(self.unpacked);
        let now = share as u64;
        if self.told < now {
            (self.report)(now - self.told);
            self.told = now;
        }
    }
}
