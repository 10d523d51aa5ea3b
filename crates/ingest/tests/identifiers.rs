//! A source that knows people by their cards: whose a row is depends on the day.

use std::collections::BTreeMap;
use std::path::Path;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use ingest::{Door, FileInput, KnownAt, Limits, PersonConfig, Persons, Taken};
use schema::time::CampusClock;
use schema::{PersonKind, Pipeline};

mod vault;

const REGISTER: &str = r#"
student_id = { type = "text", required = true, person = "student", class = "identity", about = "Student." }
kind       = { type = "text", required = true, class = "personal", about = "Kind." }
value      = { type = "text", required = true, class = "identity", identifier = { kind = "kind", from = "day", until = "until" }, about = "Value." }
day        = { type = "date", required = true, format = "%Y-%m-%d", class = "personal", about = "First day." }
until      = { type = "date", format = "%Y-%m-%d", class = "personal", about = "Last day." }
"#;

const PASSAGES: &str = r#"
event_id   = { type = "int64", required = true, class = "internal", about = "Number." }
card_no    = { type = "text", required = true, person = "student", by = "card", class = "identity", about = "Card." }
passed_at  = { type = "timestamp", required = true, format = "%Y-%m-%d %H:%M:%S", class = "trace", about = "Instant." }
"#;

fn pipeline(name: &str, contract: &str, columns: &str) -> Pipeline {
    let text = format!(
        r#"
        [pipeline]
        name = "{name}"
        about = "Things."
        owner = "office"
        purpose = ["portrait"]
        retention = "4y"
        source = {{ format = "csv", path = "*.csv" }}
        {contract}
        [columns]
        {columns}"#
    );
    Pipeline::parse(Path::new(""), &text).expect("a contract")
}

fn register() -> Pipeline {
    let contract = r#"shape = "state"
        [contract]
        version = 1
        key = ["student_id", "kind", "day"]
        reject_share_max = 1.0
        occurred_at = { column = "day" }
        usual_delay = "1d""#;
    pipeline("identifier", contract, REGISTER)
}

const EVENT: &str = r#"shape = "event"
        [contract]
        version = 1
        key = ["event_id"]
        reject_share_max = 1.0
        occurred_at = { column = "passed_at" }
        usual_delay = "1d""#;

fn passages() -> Pipeline {
    pipeline("passage", EVENT, PASSAGES)
}

fn persons() -> Persons {
    let config = r#"
        pattern = '20\d{8}'
        number = "student_number"
        [identifier.card]
        pattern = '[0-9A-F]{8}'
        normalise = ["trim", "upper"]"#;
    let config: PersonConfig = toml::from_str(config).expect("settings");
    Persons::new(&BTreeMap::from([(PersonKind::Student, config)])).expect("patterns")
}

#[track_caller]
fn take(vault: &vault::Vault, pipeline: &Pipeline, text: &str) -> Taken {
    try_to_take(vault, pipeline, text).expect("the file is whole")
}

fn try_to_take(vault: &vault::Vault, pipeline: &Pipeline, text: &str) -> Result<Taken, ingest::Error> {
    let persons = persons();
    let door = Door {
        pipeline,
        clock: CampusClock::new(chrono_tz::Asia::Shanghai, chrono::NaiveTime::from_hms_opt(4, 0, 0).expect("a time")),
        persons: &persons,
        pseudonyms: vault,
        seal: vault,
        now_us: 1_767_225_600_000_000,
        known: KnownAt::At(1_767_225_600_000_000),
        limits: Limits::default(),
    };
    let file = FileInput { path: Path::new("it.csv"), file_no: 1, display: "it.csv" };
    door.take_bytes(&file, text.as_bytes())
}

/// Keys of the rows in the order of the file.
fn keys(taken: &Taken) -> Vec<i64> {
    let column = |name: &str| {
        let parts = taken.parts.iter().map(|it| it.batch.column_by_name(name).expect("a column").clone());
        parts.flat_map(|it| it.as_primitive::<Int64Type>().values().to_vec()).collect::<Vec<i64>>()
    };
    let mut rows: Vec<_> = column("row_no").into_iter().zip(column("student_key")).collect();
    rows.sort_unstable();
    rows.into_iter().map(|(_, key)| key).collect()
}

const CARDS: &str = "student_id,kind,value,day,until
2022000001,card,8000000a,2025-09-01,2025-10-01
2022000001,card,8000000B,2025-10-02,
2022000002,card,8000000A,2025-10-10,
2022000002,wecom,not a card,2025-09-01,
";

const LIN: i64 = 702022000001000;
const WANG: i64 = 702022000002000;

#[test]
fn a_card_is_whoever_held_it_that_day() {
    let vault = vault::Vault::default();
    take(&vault, &register(), CARDS);

    let text = "event_id,card_no,passed_at
1,8000000A,2025-09-15 08:00:00
2,8000000a,2025-10-11 08:00:00
3, 8000000B ,2025-10-11 08:00:00
4,8000000A,2025-10-05 08:00:00
5,8000000C,2025-10-05 08:00:00
6,XX,2025-10-05 08:00:00
7,8000000A,2025-10-02 03:00:00
";
    let taken = take(&vault, &passages(), text);

    // The seventh passes in the night of the first of October: the campus day is the one before.
    assert_eq!(keys(&taken), [LIN, WANG, LIN, LIN]);
    let expected = BTreeMap::from([("holder".to_owned(), 2), ("person".to_owned(), 1)]);
    assert_eq!(taken.reasons, expected, "nobody's on that day, nobody's at all, and no card");
}

#[test]
fn an_identifier_that_is_not_of_its_kind_is_rejected_and_a_kind_no_source_uses_is_kept() {
    let vault = vault::Vault::default();
    let taken = take(&vault, &register(), &format!("{CARDS}2022000003,card,no card,2025-09-01,\n"));
    assert_eq!(taken.counts.rows_kept, 4);
    assert_eq!(taken.reasons, BTreeMap::from([("person".to_owned(), 1)]));
}

#[test]
fn rows_of_an_erased_persons_card_are_dropped_good_or_bad() {
    let vault = vault::Vault::new(&["8000000A".to_owned()]);
    let text = "event_id,card_no,passed_at
1,8000000A,2025-09-15 08:00:00
2,8000000A,not a time
";
    let taken = take(&vault, &passages(), text);
    assert_eq!((taken.counts.rows_kept, taken.counts.rows_quarantined, taken.counts.rows_erased), (0, 0, 2));
}

#[test]
fn a_contract_that_names_an_identifier_the_settings_do_not_is_refused() {
    let vault = vault::Vault::default();
    let columns = PASSAGES.replace("by = \"card\"", "by = \"badge\"");
    let pipeline = pipeline("passage", EVENT, &columns);
    let error = try_to_take(&vault, &pipeline, "event_id,card_no,passed_at\n").expect_err("refused");
    assert!(error.to_string().contains("[person.student.identifier.badge] pattern"), "{error}");
}

#[test]
fn a_silent_vault_is_no_fault_of_the_feed() {
    let pipeline = pipeline("passage", &EVENT.replace("reject_share_max = 1.0", "reject_share_max = 0.1"), PASSAGES);
    let text = "event_id,card_no,passed_at\n1,8000000A,2025-09-15 08:00:00\n";
    let error = try_to_take(&vault::Vault::silent(), &pipeline, text).expect_err("refused");
    assert!(matches!(error, ingest::Error::Vault { verb: "look up identifiers", .. }), "{error}");
}
