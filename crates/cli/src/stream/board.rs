//! How the doors stand: since when they are open, what went wrong last, how far they are behind.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use serve::{PushRefusal, PushRefusalKind, Sentence, StreamDoor};

/// The state of every door that is no HTTP.
#[derive(Default)]
pub(crate) struct Board {
    doors: Mutex<BTreeMap<String, StreamDoor>>,
}

fn now_us() -> i64 {
    chrono::Utc::now().timestamp_micros()
}

impl Board {
    pub(super) fn told(&self) -> Vec<StreamDoor> {
        self.doors.lock().values().cloned().collect()
    }

    fn change(&self, door: &str, change: impl FnOnce(&mut StreamDoor)) {
        let mut doors = self.doors.lock();
        change(doors.entry(door.to_owned()).or_insert_with(|| StreamDoor { door: door.to_owned(), ..StreamDoor::default() }));
    }

    /// A door that is in the settings and not open yet.
    pub(super) fn begin(&self, door: &str, pipeline: &str) {
        self.change(door, |it| pipeline.clone_into(&mut it.pipeline));
    }

    /// It is open: nothing is wrong.
    pub(super) fn open(&self, door: &str) {
        self.change(door, |it| {
            if it.open_since_us.is_none() {
                tracing::info!(door, "open");
                it.open_since_us = Some(now_us());
            }
            it.is_stopped = false;
        });
    }

    /// It lost its source, and tries again.
    pub(super) fn lost(&self, door: &str, zh: &str, en: &str) {
        tracing::warn!(door, why = en, "closed, it will be tried again");
        self.change(door, |it| {
            it.open_since_us = None;
            it.notes.clear();
        });
        self.trouble(door, zh, en);
    }

    /// It goes no further until a person has decided.
    pub(super) fn stopped(&self, door: &str, zh: &str, en: &str) {
        tracing::error!(door, why = en, "stopped, and waits for somebody to decide");
        self.change(door, |it| {
            it.open_since_us = None;
            it.is_stopped = true;
            it.notes.clear();
        });
        self.trouble(door, zh, en);
    }

    /// Something went wrong, and the door is as open as it was.
    pub(super) fn trouble(&self, door: &str, zh: &str, en: &str) {
        let at_us = now_us();
        self.change(door, |it| {
            it.error_at_us = Some(at_us);
            zh.clone_into(&mut it.error_zh);
            en.clone_into(&mut it.error_en);
        });
    }

    /// What came was not taken, and waits. Where most of it is bad the door is closed until something of it is taken.
    pub(super) fn waits(&self, door: &str, refusal: &PushRefusal) {
        tracing::warn!(door, why = refusal.en.as_str(), "what came waits");
        if refusal.kind == PushRefusalKind::Bad {
            self.change(door, |it| it.open_since_us = None);
        }
        self.trouble(door, &refusal.zh, &refusal.en);
    }

    /// What had waited was taken: a door that was closed for it is open again.
    pub(super) fn goes_on(&self, door: &str, after: Option<PushRefusalKind>) {
        if after == Some(PushRefusalKind::Bad) {
            self.open(door);
        }
    }

    /// So many events were taken.
    pub(super) fn took(&self, door: &str, rows_n: u64) {
        let at_us = now_us();
        self.change(door, |it| {
            it.taken_n += rows_n;
            it.taken_at_us = Some(at_us);
        });
    }

    /// So many files or messages wait at the source.
    pub(super) fn behind(&self, door: &str, waiting_n: u64) {
        self.change(door, |it| it.waiting_n = Some(waiting_n));
    }

    /// So many bytes wait at the source, and so many it keeps for us.
    pub(super) fn holds(&self, door: &str, waiting_bytes: u64, held_bytes: u64) {
        self.change(door, |it| {
            it.waiting_bytes = Some(waiting_bytes);
            it.held_bytes = Some(held_bytes);
        });
    }

    /// What is to be known of it while it is open, of one pipeline or of all; this takes the place of what was said before.
    pub(super) fn notes(&self, door: &str, notes: Vec<(Option<String>, Sentence)>) {
        self.change(door, |it| it.notes = notes);
    }

    /// So many rows were removed at the source.
    pub(super) fn removed(&self, door: &str, rows_n: u64) {
        self.change(door, |it| it.removed_n = Some(it.removed_n.unwrap_or(0) + rows_n));
    }
}

#[cfg(test)]
mod tests {
    use serve::Urgency;

    use super::*;

    #[test]
    fn a_door_says_since_when_it_is_open_and_what_went_wrong_last() {
        let board = Board::default();
        board.begin("mqtt/gates", "gate_event");
        assert_eq!(board.told()[0].open_since_us, None);
        board.open("mqtt/gates");
        board.took("mqtt/gates", 3);
        let since_us = board.told()[0].open_since_us;
        assert!(since_us.is_some());
        board.open("mqtt/gates");
        board.took("mqtt/gates", 4);
        assert_eq!((board.told()[0].open_since_us, board.told()[0].taken_n), (since_us, 7));
        let note = Sentence::new("slow", Urgency::Watch, ["慢".to_owned(), "slow".to_owned()], ["", ""]);
        board.notes("mqtt/gates", vec![(None, note)]);
        assert_eq!(board.told()[0].notes.len(), 1);
        board.lost("mqtt/gates", "断开", "cut off");
        let told = board.told();
        assert!(told[0].notes.is_empty(), "nobody knows whether it still holds");
        assert_eq!((told.len(), told[0].open_since_us, told[0].error_en.as_str()), (1, None, "cut off"));
        board.stopped("mqtt/gates", "停", "stop");
        assert!(board.told()[0].is_stopped);
        board.open("mqtt/gates");
        assert!(!board.told()[0].is_stopped);
        // A log that is full shuts no door, a flood of bad rows does.
        for (kind, is_open) in [(PushRefusalKind::Full, true), (PushRefusalKind::Bad, false)] {
            board.waits("mqtt/gates", &PushRefusal::new(kind, "等", "wait"));
            assert_eq!(board.told()[0].open_since_us.is_some(), is_open);
        }
        board.goes_on("mqtt/gates", Some(PushRefusalKind::Bad));
        assert!(board.told()[0].open_since_us.is_some());
    }
}
