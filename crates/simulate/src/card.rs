//! The card system's export: one GB18030 file a calendar day.
//!
//! `Day` is put in order and priced against balances one day after the other; `text` may then run on any thread.

use chrono::Datelike;
use encoding_rs::GB18030;

use crate::calendar::{DAY, date, moment};
use crate::campus::Merchant;
use crate::defect::Reason;
use crate::random::{Draw, Purpose};
use crate::scene::CardRow;
use crate::world::World;

/// The card rows of one calendar day, ready to be written.
pub(crate) struct CardDay {
    pub(crate) day: i32,
    pub(crate) rows: Vec<CardRow>,
    pub(crate) due: Vec<Reason>,
}

/// A written file and what it holds.
pub(crate) struct Written {
    pub(crate) bytes: Vec<u8>,
    pub(crate) rows: u64,
    pub(crate) duplicates: u64,
    pub(crate) late: u64,
}

/// What every student has left on the card, in cents.
pub(crate) struct Balances(Vec<i32>);

impl Balances {
    pub(crate) fn new(world: &World) -> Balances {
        let begin = |index| Draw::new(world.seed, Purpose::Student, index, 2).between(2_000, 30_000) as i32;
        Balances((0..world.people.students.len() as u64).map(begin).collect())
    }

    /// Takes the payments of a day, in order; a card is topped up before it runs dry.
    pub(crate) fn charge(&mut self, world: &World, rows: &mut [CardRow]) {
        for row in rows {
            let left = &mut self.0[row.student as usize];
            if *left < row.cents + 500 {
                let budget = world.people.students[row.student as usize].budget;
                let steps = (2.0 + budget).round().clamp(1.0, 5.0) as i32;
                *left += (row.cents / 10_000 + 1) * 10_000 + steps * 5_000;
            }
            *left -= row.cents;
            row.left = *left;
        }
    }
}

/// One repeated row in a thousand.
const DUPLICATES: f64 = 0.001;

/// Defects of the card export.
pub(crate) const REASONS: [Reason; 8] = [
    Reason::Columns,
    Reason::Encoding,
    Reason::Required,
    Reason::Type,
    Reason::Range,
    Reason::Code,
    Reason::Person,
    Reason::Time,
];

/// The fields of a line, as text.
struct Line {
    serial: String,
    person: String,
    terminal: String,
    merchant: Vec<u8>,
    amount: String,
    left: String,
    at: String,
    more: &'static str,
}

/// Writes the file of a day.
pub(crate) fn text(world: &World, it: &CardDay) -> Written {
    let words: Vec<Vec<u8>> = Merchant::ALL.iter().map(|it| GB18030.encode(it.word()).0.into_owned()).collect();
    let head = GB18030.encode("流水号,学号,终端号,商户类型,交易金额(元),余额(元),交易时间\r\n").0;
    let mut bytes = Vec::with_capacity(it.rows.len() * 84 + 200);
    bytes.extend_from_slice(&head);
    let mut draw = Draw::new(world.seed, Purpose::CardFile, it.day as u64, 0);
    let on = date(it.day);
    let first = (i64::from(on.year()) * 10_000 + i64::from(on.month()) * 100 + i64::from(on.day())) * 100_000_000;
    let day_text = format!("{}/{}/{} ", on.year(), on.month(), on.day());
    let mut numbers = itoa::Buffer::new();
    let mut duplicates = 0;
    for (place, row) in it.rows.iter().enumerate() {
        let begin = bytes.len();
        bytes.extend_from_slice(numbers.format(first + place as i64 + 1).as_bytes());
        bytes.push(b',');
        bytes.extend_from_slice(numbers.format(world.people.students[row.student as usize].number).as_bytes());
        bytes.push(b',');
        bytes.extend_from_slice(world.campus.terminals[usize::from(row.terminal)].id.as_bytes());
        bytes.push(b',');
        bytes.extend_from_slice(&words[row.merchant as usize]);
        bytes.push(b',');
        let (is_short, is_twice) = (draw.chance(0.05), draw.chance(DUPLICATES));
        push_yuan(&mut bytes, row.cents, is_short);
        bytes.push(b',');
        push_yuan(&mut bytes, row.left, is_short);
        bytes.push(b',');
        bytes.extend_from_slice(day_text.as_bytes());
        let second = row.at.rem_euclid(DAY);
        bytes.extend_from_slice(numbers.format(second / 3600).as_bytes());
        push_two(&mut bytes, second / 60 % 60);
        push_two(&mut bytes, second % 60);
        bytes.extend_from_slice(b"\r\n");
        if is_twice {
            bytes.extend_from_within(begin..);
            duplicates += 1;
        }
    }
    let next = first + it.rows.len() as i64 + 1;
    for (place, reason) in it.due.iter().enumerate() {
        let row = draw.pick(&it.rows);
        push_bad(&mut bytes, world, row, next + place as i64, *reason, &mut draw, &words);
    }
    let rows = it.rows.len() as u64 + duplicates + it.due.len() as u64;
    Written { bytes, rows, duplicates, late: 0 }
}

/// Writes cents as yuan, sometimes without the zeros at the end.
fn push_yuan(bytes: &mut Vec<u8>, cents: i32, is_short: bool) {
    let mut numbers = itoa::Buffer::new();
    bytes.extend_from_slice(numbers.format(cents / 100).as_bytes());
    let cents = cents % 100;
    match (is_short, cents % 10) {
        (true, _) if cents == 0 => {}
        (true, 0) => bytes.extend_from_slice(&[b'.', b'0' + (cents / 10) as u8]),
        _ => bytes.extend_from_slice(&[b'.', b'0' + (cents / 10) as u8, b'0' + (cents % 10) as u8]),
    }
}

fn push_two(bytes: &mut Vec<u8>, value: i64) {
    bytes.extend_from_slice(&[b':', b'0' + (value / 10) as u8, b'0' + (value % 10) as u8]);
}

/// Writes a local time as the card system does: `2025/9/1 7:02:03`.
pub(crate) fn card_time(at: i64) -> String {
    moment(at).format("%Y/%-m/%-d %-H:%M:%S").to_string()
}

/// Writes a copy of a row with a serial of its own and one fault.
fn push_bad(bytes: &mut Vec<u8>, world: &World, row: &CardRow, serial: i64, reason: Reason, draw: &mut Draw, words: &[Vec<u8>]) {
    let number = world.people.students[row.student as usize].number.to_string();
    let mut line = Line {
        serial: serial.to_string(),
        person: number.clone(),
        terminal: world.campus.terminals[usize::from(row.terminal)].id.clone(),
        merchant: words[row.merchant as usize].clone(),
        amount: format!("{:.2}", f64::from(row.cents) / 100.0),
        left: format!("{:.2}", f64::from(row.left) / 100.0),
        at: card_time(row.at),
        more: "",
    };
    let coin = draw.chance(0.5);
    match reason {
        Reason::Columns => line.more = ",,",
        // 0xFF begins nothing in GB18030.
        Reason::Encoding => line.merchant = vec![0xCA, 0xFF, 0xFE],
        Reason::Required => line.person = String::new(),
        Reason::Type if coin => line.amount = "abc".to_owned(),
        Reason::Type => line.at = "2025/13/45 7:00:00".to_owned(),
        Reason::Range => line.amount = if coin { "-12.50" } else { "88888.00" }.to_owned(),
        Reason::Code => line.merchant = GB18030.encode("网吧").0.into_owned(),
        Reason::Person if coin => line.person = format!("{}X{}", &number[..2], &number[3..]),
        Reason::Person => line.person = format!("{}E+09", &format!("{:.3}", f64::from(row_number(&number)) / 1e9)),
        Reason::Time => line.at = format!("2019/{}/{} 12:00:00", 1 + draw.below(12), 1 + draw.below(28)),
        Reason::Json | Reason::Rule => unreachable!("not a defect of the card export"),
    }
    for part in [line.serial.as_bytes(), line.person.as_bytes(), line.terminal.as_bytes(), &line.merchant] {
        bytes.extend_from_slice(part);
        bytes.push(b',');
    }
    bytes.extend_from_slice(format!("{},{},{}{}\r\n", line.amount, line.left, line.at, line.more).as_bytes());
}

fn row_number(text: &str) -> u32 {
    text.parse().expect("a student number is a number")
}
