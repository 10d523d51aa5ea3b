//! Random queries by random principals, compared with the same queries over tables that were filtered and masked in
//! plain Rust beforehand. The policy may differ in nothing: not in rows, not in values, not in what is missing.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, TimestampMicrosecondArray, new_null_array};
use arrow::datatypes::{Int64Type, Schema, TimestampMicrosecondType};
use chrono::NaiveDate;
use datafusion::datasource::MemTable;
use datafusion::prelude::{SessionConfig, SessionContext};
use policy::{Error, LookedUp, Principal};
use schema::time::date_days;

use crate::campus::{
    COUNSELOR, Lake, STUDENTS, answer, home, key, lines, principal, purchase_batch, purchases, sessions_of, student_batch,
};

/// A small generator of numbers (xorshift), so that a failing query can be made again from its seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.roll(of.len())]
    }
}

/// Columns of `card` that a role sees, and what it does to them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Eyes {
    Watcher,
    Clerk,
}

const COLUMNS: [&str; 9] =
    ["txn_no", "student_key", "occurred_at", "occurred_on", "minute_of_day", "amount_fen", "place", "phone", "note"];

fn seen_card(reached: &BTreeSet<i64>, is_university: bool, eyes: Eyes) -> RecordBatch {
    let shown: Vec<_> =
        purchases().into_iter().filter(|it| it.student_key.is_some_and(|it| is_university || reached.contains(&it))).collect();
    let batch = purchase_batch(&shown);
    let columns = COLUMNS.iter().map(|name| {
        let column = batch.column_by_name(name).expect("column");
        let seen: ArrayRef = match (*name, eyes) {
            ("note", _) | ("minute_of_day", _) => new_null_array(column.data_type(), column.len()),
            ("occurred_at" | "amount_fen", Eyes::Clerk) => new_null_array(column.data_type(), column.len()),
            ("occurred_at", Eyes::Watcher) => {
                let hours = column.as_primitive::<TimestampMicrosecondType>().values().iter();
                let hours = hours.map(|it| it / 3_600_000_000 * 3_600_000_000);
                Arc::new(TimestampMicrosecondArray::from_iter_values(hours).with_timezone("UTC"))
            }
            ("amount_fen", Eyes::Watcher) => {
                let bins = column.as_primitive::<Int64Type>().values().iter().map(|it| it / 500 * 500);
                Arc::new(Int64Array::from_iter_values(bins))
            }
            _ => Arc::clone(column),
        };
        let field = batch.schema().field_with_name(name).expect("field").clone();
        (field, seen)
    });
    let (fields, columns): (Vec<_>, Vec<_>) = columns.unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("fits")
}

fn seen_students(reached: &BTreeSet<i64>, is_university: bool, eyes: Eyes) -> RecordBatch {
    let shown: Vec<i64> = (0..STUDENTS).filter(|it| is_university || reached.contains(&key(*it))).collect();
    let batch = student_batch(shown.into_iter());
    let names: &[&str] = match eyes {
        Eyes::Watcher => &["student_key", "college", "class", "building_id", "floor"],
        Eyes::Clerk => &["student_key", "college"],
    };
    let indices: Vec<usize> = names.iter().map(|it| batch.schema().index_of(it).expect("column")).collect();
    batch.project(&indices).expect("projected")
}

/// Principals and the students they ought to reach, worked out from the register by hand.
fn people() -> Vec<(Principal, Eyes, BTreeSet<i64>, bool)> {
    let those = |of: &dyn Fn(i64) -> bool| (0..STUDENTS).filter(|it| of(*it)).map(key).collect::<BTreeSet<i64>>();
    let watcher = |scopes: &[&str], person| principal("watcher", scopes, person);
    vec![
        (watcher(&[], None), Eyes::Watcher, BTreeSet::new(), true),
        (watcher(&["assigned"], Some(COUNSELOR)), Eyes::Watcher, those(&|it| home(it).4), false),
        (watcher(&["assigned"], None), Eyes::Watcher, BTreeSet::new(), false),
        (watcher(&["class:软件2302"], None), Eyes::Watcher, those(&|it| home(it).1 == "软件2302"), false),
        (watcher(&["building:N3"], None), Eyes::Watcher, those(&|it| home(it).2 == "N3"), false),
        (watcher(&["building:N3/floor:1"], None), Eyes::Watcher, those(&|it| home(it).2 == "N3" && home(it).3 == 1), false),
        (watcher(&["own"], Some(key(5))), Eyes::Watcher, those(&|it| it == 5), false),
        (watcher(&["own", "class:土木2301"], Some(key(0))), Eyes::Watcher, those(&|it| it == 0 || it % 3 == 2), false),
        (principal("clerk", &[], None), Eyes::Clerk, those(&|it| it < 6), false),
        (principal("clerk", &["university"], None), Eyes::Clerk, those(&|it| it < 6), false),
        (principal("clerk", &["college:C02"], None), Eyes::Clerk, BTreeSet::new(), false),
        (principal("clerk", &["building:N4"], None), Eyes::Clerk, those(&|it| it < 6 && it % 2 == 1), false),
    ]
}

fn predicate(dice: &mut Dice) -> String {
    let n = dice.roll(70);
    let simple = match dice.roll(14) {
        0 => format!("txn_no > {n}"),
        1 => format!("amount_fen >= {}", n * 40),
        2 => "place IN ('食堂', '浴室')".to_owned(),
        3 => format!("student_key = {}", key(n as i64 % STUDENTS)),
        4 => "note IS NULL".to_owned(),
        5 => format!("amount_fen % 500 = {}", n % 2),
        6 => format!("phone LIKE '%{}'", n % 10),
        7 => format!("occurred_at < '2026-03-{:02}T10:00:00Z'", 1 + n % 3),
        8 => "minute_of_day IS NOT NULL".to_owned(),
        9 => format!("txn_no BETWEEN {} AND {}", n / 2, n),
        10 => "student_key IN (SELECT student_key FROM dim_student WHERE college = 'C01')".to_owned(),
        11 => format!("length(phone || coalesce(note, '')) > {}", n % 13),
        12 => "student_key IS DISTINCT FROM 42".to_owned(),
        _ => format!("occurred_on <= '2026-03-0{}'", 1 + n % 3),
    };
    match dice.roll(5) {
        0 => format!("({simple}) AND {}", predicate(dice)),
        1 => format!("({simple}) OR {}", predicate(dice)),
        2 => format!("NOT ({simple})"),
        _ => simple,
    }
}

fn query(dice: &mut Dice) -> String {
    let (condition, other) = (predicate(dice), predicate(dice));
    let column = dice.one(&COLUMNS);
    let group = dice.one(&["place", "student_key", "occurred_on", "amount_fen", "note"]);
    match dice.roll(13) {
        0 => format!("SELECT * FROM card WHERE {condition}"),
        1 => format!("SELECT {column}, txn_no AS n FROM card WHERE {condition}"),
        2 => format!("SELECT count(*), count({column}), min({column}), max({column}) FROM card WHERE {condition}"),
        3 => format!("SELECT {group}, count(*), sum(amount_fen) FROM card WHERE {condition} GROUP BY {group}"),
        4 => format!(
            "SELECT d.college, count(*), max({column}) FROM (SELECT * FROM card WHERE {condition}) c JOIN dim_student d USING (student_key) GROUP BY d.college"
        ),
        5 => "SELECT txn_no, d.college FROM card c LEFT JOIN dim_student d ON c.student_key = d.student_key AND c.txn_no % 2 = 0"
            .to_owned(),
        6 => format!(
            "SELECT place AS p, {column} FROM card WHERE {condition} UNION SELECT place AS p, {column} FROM card WHERE {other}"
        ),
        7 => format!("SELECT txn_no FROM card WHERE {condition} EXCEPT SELECT txn_no FROM card WHERE {other}"),
        8 => format!(
            "WITH c AS (SELECT * FROM card WHERE {condition}) SELECT a.txn_no, b.place FROM c a JOIN c b ON a.txn_no = b.txn_no + 12"
        ),
        9 => format!("SELECT txn_no, row_number() OVER (PARTITION BY {group} ORDER BY txn_no) FROM card WHERE {condition}"),
        10 => format!(
            "SELECT {column}, txn_no AS n FROM card WHERE {condition} ORDER BY {column} DESC NULLS LAST, n LIMIT {}",
            dice.roll(9)
        ),
        11 => format!(
            "SELECT {group} FROM card GROUP BY {group} HAVING count(*) > (SELECT count(*) / 9 FROM card WHERE {condition})"
        ),
        _ => format!(
            "SELECT count(*) FROM dim_student d WHERE EXISTS (SELECT 1 FROM card c WHERE c.student_key = d.student_key AND c.txn_no > {})",
            dice.roll(60)
        ),
    }
}

#[tokio::test]
async fn a_random_query_sees_what_a_lake_cut_to_size_would_show() {
    let sessions = sessions_of(Lake::new());
    let mut compared = 0;
    let mut nonempty = 0;
    for (number, (principal, eyes, reached, is_university)) in people().into_iter().enumerate() {
        let session = sessions.open(principal.clone()).await.expect("session");
        let oracle = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1));
        let mut card = seen_card(&reached, is_university, eyes);
        if eyes == Eyes::Clerk {
            // The clerk's keys are hashed, which plain Rust cannot do again: taken out on both sides.
            let kept: Vec<usize> =
                (0..card.num_columns()).filter(|it| card.schema().field(*it).name() != "student_key").collect();
            card = card.project(&kept).expect("projected");
        }
        for (name, batch) in [("card", card), ("dim_student", seen_students(&reached, is_university, eyes))] {
            let table = MemTable::try_new(batch.schema(), vec![vec![batch]]).expect("table");
            oracle.register_table(name, Arc::new(table)).expect("registered");
        }
        let mut dice = Dice(0x9E37_79B9_7F4A_7C15 ^ (number as u64 + 1));
        for _ in 0..40 {
            let sql = query(&mut dice);
            if eyes == Eyes::Clerk && (sql.contains("student_key") || sql.contains('*') && sql.contains("SELECT * FROM card")) {
                continue;
            }
            let expected = oracle.sql(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
            let expected = lines(&expected.collect().await.unwrap_or_else(|error| panic!("{sql}: {error}")));
            let actual = answer(&session, &sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
            assert_eq!(actual, expected, "{principal:?} asks {sql}");
            compared += 1;
            nonempty += usize::from(!expected.is_empty());
        }
    }
    // A generator that went wrong would compare nothing with nothing.
    assert!(300 < compared && compared / 2 < nonempty, "{compared} compared, {nonempty} with rows");
}

#[tokio::test]
async fn a_look_up_sees_what_the_same_query_sees() {
    let sessions = sessions_of(Lake::new());
    let days: Vec<i32> = (1..=3).map(|day| date_days(NaiveDate::from_ymd_opt(2026, 3, day).expect("a date"))).collect();
    let (mut nonempty, mut empty) = (0, 0);
    for (principal, eyes, ..) in people() {
        let session = sessions.open(principal.clone()).await.expect("session");
        for student in (0..STUDENTS).map(key).chain([42]) {
            for (columns, days) in [("*", &days[..]), ("amount_fen, place, occurred_at", &days[1..]), ("*", &[])] {
                let names: Vec<&str> = columns.split(", ").filter(|it| *it != "*").collect();
                let wanted =
                    [LookedUp { table: "card", columns: &names, days }, LookedUp { table: "unruled", columns: &[], days }];
                let found = session.look_up(student, &wanted).await;
                if eyes == Eyes::Clerk {
                    // Keys are hashed for the clerk: nobody can be asked for by one.
                    assert!(matches!(found, Err(Error::Query { sqlstate: "42000", .. })), "{found:?}");
                    continue;
                }
                let [Some(found), None] = &found.expect("looked up")[..] else { panic!("no table of that name") };
                let list: Vec<String> = days.iter().map(|it| format!("arrow_cast({it}, 'Date32')")).collect();
                let condition =
                    if list.is_empty() { "FALSE".to_owned() } else { format!("occurred_on IN ({})", list.join(", ")) };
                let in_order: Vec<String> = found.schema().fields().iter().map(|it| it.name().clone()).collect();
                let sql = format!("SELECT {} FROM card WHERE student_key = {student} AND {condition}", in_order.join(", "));
                let asked = answer(&session, &sql).await.expect("answered");
                assert_eq!(lines(std::slice::from_ref(found)), asked, "{principal:?} looks up what it asks by {sql}");
                if columns == "*" {
                    assert_eq!(found.schema(), session.schema("card").await.expect("a table"));
                }
                if asked.is_empty() { empty += 1 } else { nonempty += 1 }
            }
        }
    }
    assert!(30 < nonempty && 30 < empty, "{nonempty} with rows, {empty} without");
}
