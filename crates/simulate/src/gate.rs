//! The gates' export: passages and heartbeats, one gzip file of JSON lines each a calendar day of upload.
//!
//! `Counters` numbers the passages of each device one day after the other; writing may then run on any thread.

use std::io::Write as _;

use flate2::{Compression, GzBuilder};

use crate::calendar::{DAY, EPOCH_S, MINUTE};
use crate::card::Written;
use crate::defect::Reason;
use crate::outage::outage_at;
use crate::random::{Draw, Purpose};
use crate::scene::{GateRow, Method};
use crate::world::World;

/// The passages uploaded on one calendar day, ready to be written.
pub(crate) struct GateDay {
    pub(crate) day: i32,
    pub(crate) rows: Vec<GateRow>,
    /// A fault, and a row of its own with a number of its own to have it.
    pub(crate) due: Vec<(Reason, GateRow)>,
}

/// The next number of each device.
pub(crate) struct Counters(Vec<u32>);

impl Counters {
    pub(crate) fn new(world: &World) -> Counters {
        let begin = |index| Draw::new(world.seed, Purpose::Campus, index, 1).below(5_000) + 1;
        Counters((0..world.campus.devices.len() as u64).map(begin).collect())
    }

    /// Gives the next number of a device.
    pub(crate) fn next(&mut self, device: u16) -> u32 {
        let counter = &mut self.0[usize::from(device)];
        *counter += 1;
        *counter - 1
    }
}

/// One repeated row in two thousand.
const DUPLICATES: f64 = 0.0005;
/// Later than this after it happened is late.
const LATE_MS: i64 = 6 * 3_600_000;

/// Defects of the gates' export.
pub(crate) const REASONS: [Reason; 7] =
    [Reason::Json, Reason::Required, Reason::Type, Reason::Code, Reason::Person, Reason::Time, Reason::Rule];

/// The fields of a line, as JSON.
struct Line {
    seq: String,
    event_ms: String,
    sent_ms: String,
    person: String,
    direction: &'static str,
    method: Method,
}

fn packed(text: &[u8]) -> Vec<u8> {
    // No name and no time in the head: the same rows are the same bytes.
    let mut packer = GzBuilder::new().mtime(0).write(Vec::with_capacity(text.len() / 6), Compression::new(1));
    packer.write_all(text).expect("memory takes every byte");
    packer.finish().expect("memory takes every byte")
}

/// Writes the passages of a day.
pub(crate) fn text(world: &World, it: &GateDay) -> Written {
    let mut text = Vec::with_capacity(it.rows.len() * 176 + 1000);
    let mut draw = Draw::new(world.seed, Purpose::GateFile, it.day as u64, 0);
    let (mut duplicates, mut late) = (0, 0);
    let mut numbers = itoa::Buffer::new();
    for row in &it.rows {
        let begin = text.len();
        text.extend_from_slice(b"{\"device_id\":\"");
        text.extend_from_slice(world.campus.devices[usize::from(row.device)].id.as_bytes());
        text.extend_from_slice(b"\",\"event_seq\":");
        text.extend_from_slice(numbers.format(row.seq).as_bytes());
        text.extend_from_slice(b",\"event_ms\":");
        text.extend_from_slice(numbers.format(row.event_ms).as_bytes());
        text.extend_from_slice(b",\"sent_ms\":");
        text.extend_from_slice(numbers.format(row.sent_ms).as_bytes());
        text.extend_from_slice(b",\"person_id\":\"");
        text.extend_from_slice(numbers.format(row.person).as_bytes());
        text.extend_from_slice(if row.is_in { b"\",\"direction\":\"in\"" } else { b"\",\"direction\":\"out\"" });
        text.extend_from_slice(b",\"method\":\"");
        text.extend_from_slice(row.method.word().as_bytes());
        text.extend_from_slice(b"\"}\n");
        if LATE_MS < row.sent_ms - row.event_ms {
            late += 1;
        } else if draw.chance(DUPLICATES) {
            text.extend_from_within(begin..);
            duplicates += 1;
        }
    }
    for (reason, row) in &it.due {
        push_bad(&mut text, world, row, *reason, &mut draw);
    }
    let rows = it.rows.len() as u64 + duplicates + it.due.len() as u64;
    Written { bytes: packed(&text), rows, duplicates, late }
}

/// Writes a row with one fault.
fn push_bad(text: &mut Vec<u8>, world: &World, row: &GateRow, reason: Reason, draw: &mut Draw) {
    let number = row.person.to_string();
    let mut line = Line {
        seq: row.seq.to_string(),
        event_ms: row.event_ms.to_string(),
        sent_ms: row.sent_ms.to_string(),
        person: format!("\"{number}\""),
        direction: if row.is_in { "in" } else { "out" },
        method: row.method,
    };
    match reason {
        Reason::Json => {}
        Reason::Required => line.person = "null".to_owned(),
        Reason::Type => line.event_ms = "\"oops\"".to_owned(),
        Reason::Code => line.direction = "sideways",
        Reason::Person => line.person = format!("\"{}X{}\"", &number[..2], &number[3..]),
        // The clock of the device went back to 2010.
        Reason::Time => line.event_ms = (1_262_304_000_000 + draw.between(0, 86_400_000)).to_string(),
        Reason::Rule => line.event_ms = (row.sent_ms + draw.between(60_000, 600_000)).to_string(),
        Reason::Columns | Reason::Encoding | Reason::Range => {
            unreachable!("not a defect of the gates' export")
        }
    }
    let id = &world.campus.devices[usize::from(row.device)].id;
    let Line { seq, event_ms, sent_ms, person, direction, method } = line;
    let whole = format!(
        "{{\"device_id\":\"{id}\",\"event_seq\":{seq},\"event_ms\":{event_ms},\"sent_ms\":{sent_ms},\
         \"person_id\":{person},\"direction\":\"{direction}\",\"method\":\"{}\"}}",
        method.word()
    );
    // The power went while the line was written.
    let kept = if reason == Reason::Json { whole.len() / 2 } else { whole.len() };
    text.extend_from_slice(&whole.as_bytes()[..kept]);
    text.push(b'\n');
}

/// Writes the heartbeats of a day: every ten minutes, but not while a device is down.
pub(crate) fn heartbeats(world: &World, day: i32) -> Written {
    let mut text = Vec::with_capacity(world.campus.devices.len() * 144 * 72);
    let mut draw = Draw::new(world.seed, Purpose::Heartbeat, day as u64, 0);
    let mut rows = 0;
    let mut numbers = itoa::Buffer::new();
    for beat in 0..DAY / (10 * MINUTE) {
        let at = i64::from(day) * DAY + beat * 10 * MINUTE;
        for (device, place) in world.campus.devices.iter().enumerate() {
            let is_degraded = draw.chance(0.004);
            if outage_at(&world.outages[device], at).is_some() {
                continue;
            }
            text.extend_from_slice(b"{\"device_id\":\"");
            text.extend_from_slice(place.id.as_bytes());
            text.extend_from_slice(b"\",\"beat_ms\":");
            text.extend_from_slice(numbers.format((at + EPOCH_S) * 1000).as_bytes());
            text.extend_from_slice(b",\"status\":\"");
            text.extend_from_slice(if is_degraded { b"degraded\"}\n" } else { b"ok\"}\n".as_slice() });
            rows += 1;
        }
    }
    Written { bytes: packed(&text), rows, duplicates: 0, late: 0 }
}
