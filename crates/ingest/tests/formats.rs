//! A row is the same row whatever format, encoding or order of columns it came in.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use arrow::record_batch::RecordBatch;
use ingest::{Door, Error, FileInput, KnownAt, Limits, PersonConfig, Persons, Taken};
use schema::time::CampusClock;
use schema::{Blame, PersonKind, Pipeline};

mod vault;

const COLUMNS: &str = r#"
txn_id     = { head = "流水号", type = "int64", required = true, class = "internal", about = "Number." }
student_id = { head = "学号", type = "text", required = true, person = "student", class = "identity", about = "Student." }
kind       = { head = "类型", type = "text", class = "trace", codes = { "食堂" = "canteen", "浴室" = "shower" }, about = "Kind." }
amount_fen = { head = "金额", type = "int64", decimal_shift = 2, class = "trace", about = "Amount." }
note       = { head = "备注", type = "text", class = "closed", about = "Text." }
share      = { head = "比例", type = "float64", class = "internal", about = "Share." }
is_open    = { head = "是否", type = "boolean", class = "internal", about = "Truth." }
day        = { head = "日期", type = "date", format = "%Y-%m-%d", class = "trace", about = "Day." }
paid_at    = { head = "时间", type = "timestamp", required = true, format = "%Y-%m-%d %H:%M:%S", class = "trace", about = "Instant." }
"#;

const HEADS: [&str; 9] = ["流水号", "学号", "类型", "金额", "备注", "比例", "是否", "日期", "时间"];

fn pipeline(source: &str) -> Pipeline {
    let text = format!(
        r#"
        [pipeline]
        name = "thing"
        about = "Things."
        shape = "event"
        owner = "office"
        purpose = ["portrait"]
        retention = "4y"
        source = {{ {source} }}
        [contract]
        version = 1
        key = ["txn_id"]
        occurred_at = {{ column = "paid_at" }}
        usual_delay = "1d"
        [columns]
        {COLUMNS}"#
    );
    Pipeline::parse(Path::new(""), &text).expect("a contract")
}

/// Rows of three students over four days, with empty cells here and there; `""` is an empty cell.
fn rows() -> Vec<[String; 9]> {
    let kinds = ["食堂", "浴室", ""];
    let notes = ["", "two\nlines", "a \"quote\", and a comma", "单", "𠮷"];
    let row = |it: usize| {
        [
            (it * 7 % 200).to_string(),
            format!("202300000{}", it % 3),
            kinds[it % 3].to_owned(),
            if it.is_multiple_of(5) { String::new() } else { format!("{}.{:02}", it % 40, it % 100) },
            notes[it % 5].to_owned(),
            if it.is_multiple_of(4) { String::new() } else { format!("{}.5", it) },
            ["", "true", "false"][it % 3].to_owned(),
            if it.is_multiple_of(6) { String::new() } else { format!("2025-09-{:02}", 1 + it % 28) },
            format!("2025-09-{:02} {:02}:{:02}:{:02}", 1 + it % 4, it * 5 % 24, it % 60, it * 11 % 60),
        ]
    };
    (0..200).map(row).collect()
}

fn delimited(separator: u8, order: &[usize]) -> String {
    let mut out = csv::WriterBuilder::new().delimiter(separator).from_writer(Vec::new());
    out.write_record(order.iter().map(|it| HEADS[*it])).expect("in memory");
    for row in rows() {
        out.write_record(order.iter().map(|it| &row[*it])).expect("in memory");
    }
    String::from_utf8(out.into_inner().expect("in memory")).expect("text")
}

fn json_lines() -> String {
    let mut out = String::new();
    for row in rows() {
        let mut object = serde_json::Map::new();
        for (at, head) in HEADS.iter().enumerate() {
            let value = match (at, row[at].as_str()) {
                (_, "") => serde_json::Value::Null,
                (0 | 3 | 5, number) => serde_json::from_str(number).expect("a number"),
                (6, truth) => serde_json::Value::Bool(truth == "true"),
                (_, text) => text.into(),
            };
            object.insert((*head).to_owned(), value);
        }
        out.push_str(&serde_json::Value::Object(object).to_string());
        out.push('\n');
    }
    out
}

fn workbook() -> Vec<u8> {
    let mut workbook = rust_xlsxwriter::Workbook::new();
    let sheet = workbook.add_worksheet();
    for (at, head) in HEADS.iter().enumerate() {
        sheet.write_string(0, at as u16, *head).expect("a cell");
    }
    let dated = rust_xlsxwriter::Format::new().set_num_format("yyyy-mm-dd hh:mm:ss");
    for (row_at, row) in rows().iter().enumerate() {
        for (at, value) in row.iter().enumerate() {
            let (row_at, column) = (row_at as u32 + 1, at as u16);
            match (at, value.as_str()) {
                (_, "") => continue,
                (0 | 1 | 3 | 5, number) => sheet.write_number(row_at, column, number.parse::<f64>().expect("a number")),
                (6, truth) => sheet.write_boolean(row_at, column, truth == "true"),
                (7 | 8, at) => {
                    let at = rust_xlsxwriter::ExcelDateTime::parse_from_str(at).expect("a date");
                    sheet.write_datetime_with_format(row_at, column, &at, &dated)
                }
                (_, text) => sheet.write_string(row_at, column, text),
            }
            .expect("a cell");
        }
    }
    workbook.save_to_buffer().expect("in memory")
}

fn take(pipeline: &Pipeline, bytes: &[u8]) -> Vec<(Option<i32>, RecordBatch)> {
    let taken = try_to_take(pipeline, bytes).expect("a whole feed");
    assert_eq!((taken.counts.rows_kept, taken.counts.rows_quarantined), (200, 0), "{:?}", taken.reasons);
    taken.parts.into_iter().map(|it| (it.day, it.batch)).collect()
}

fn try_to_take(pipeline: &Pipeline, bytes: &[u8]) -> Result<Taken, Error> {
    let config = PersonConfig { pattern: r"20\d{8}".to_owned(), normalise: Vec::new() };
    let persons = Persons::new(&BTreeMap::from([(PersonKind::Student, config)])).expect("a pattern");
    let vault = vault::Vault::default();
    let door = Door {
        pipeline,
        clock: CampusClock::new(chrono_tz::Asia::Shanghai, chrono::NaiveTime::from_hms_opt(4, 0, 0).expect("04:00 exists")),
        persons: &persons,
        pseudonyms: &vault,
        seal: &vault,
        now_us: 1_800_000_000_000_000,
        known: KnownAt::At(1_800_000_000_000_000),
        limits: Limits::default(),
    };
    let file = FileInput { path: Path::new("none"), file_no: 1, display: "none" };
    door.take_bytes(&file, bytes)
}

#[test]
fn a_row_is_the_same_in_every_format_and_encoding() {
    let as_declared: Vec<usize> = (0..9).collect();
    let csv = delimited(b',', &as_declared);
    let expected = take(&pipeline(r#"format = "csv", path = "*""#), csv.as_bytes());
    assert_eq!(expected.len(), 5, "four days and the night before the first");

    let crlf = csv.replace('\n', "\r\n").replace("two\r\nlines", "two\nlines");
    let gb18030 = |text: &str| encoding_rs::GB18030.encode(text).0.into_owned();
    let utf_16 = |text: &str| -> Vec<u8> { format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_be_bytes).collect() };
    let cases = [
        (r#"format = "csv", path = "*""#, format!("\u{feff}{crlf}").into_bytes()),
        (r#"format = "csv", path = "*""#, delimited(b',', &[8, 3, 1, 0, 2, 7, 6, 5, 4]).into_bytes()),
        (r#"format = "csv", path = "*", encoding = "gb18030""#, gb18030(&crlf)),
        (r#"format = "csv", path = "*", encoding = "gb18030", separator = "|""#, gb18030(&delimited(b'|', &as_declared))),
        (r#"format = "csv", path = "*", encoding = "utf-16""#, utf_16(&csv)),
        (r#"format = "tsv", path = "*""#, delimited(b'\t', &as_declared).into_bytes()),
        (r#"format = "jsonl", path = "*""#, json_lines().into_bytes()),
        (r#"format = "jsonl", path = "*", encoding = "gb18030""#, gb18030(&json_lines())),
        (r#"format = "xlsx", path = "*""#, workbook()),
    ];
    for (source, bytes) in cases {
        assert!(take(&pipeline(source), &bytes) == expected, "{source} differs");
    }
}

/// Numbers that look random and are the same every time.
fn scattered(state: &mut u64) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) as usize
}

#[test]
fn spoilt_bytes_end_in_quarantine_or_in_an_error_and_every_row_is_accounted_for() {
    let as_declared: Vec<usize> = (0..9).collect();
    let csv = delimited(b',', &as_declared);
    let cases = [
        (r#"format = "csv", path = "*""#, csv.clone().into_bytes()),
        (r#"format = "csv", path = "*", encoding = "gb18030""#, encoding_rs::GB18030.encode(&csv).0.into_owned()),
        (r#"format = "jsonl", path = "*""#, json_lines().into_bytes()),
        (r#"format = "xlsx", path = "*""#, workbook()),
    ];
    let (mut state, mut kept, mut rejected, mut refused) = (1, 0, 0, 0);
    for (source, bytes) in cases {
        let mut pipeline = pipeline(source);
        pipeline.contract.reject_share_max = 1.0;
        for _ in 0..300 {
            let mut spoilt = bytes.clone();
            for _ in 0..=scattered(&mut state) % 8 {
                let at = scattered(&mut state) % spoilt.len();
                match scattered(&mut state) % 4 {
                    0 => spoilt[at] = scattered(&mut state) as u8,
                    1 => spoilt.insert(at, b"\",\n{}\x80\xff"[scattered(&mut state) % 7]),
                    2 => spoilt.truncate(at.max(1)),
                    _ => {
                        spoilt.remove(at);
                    }
                }
            }
            match try_to_take(&pipeline, &spoilt) {
                Ok(taken) => {
                    assert!(taken.counts.is_balanced());
                    assert_eq!(taken.rejects.num_rows() as u64, taken.counts.rows_quarantined);
                    kept += taken.counts.rows_kept;
                    rejected += taken.counts.rows_quarantined;
                }
                Err(error) => {
                    assert_eq!(error.blame(), Blame::Caller, "{error}");
                    refused += 1;
                }
            }
        }
    }
    assert!(0 < kept && 0 < rejected && 0 < refused, "kept {kept}, rejected {rejected}, refused {refused} files");
}

#[test]
fn hashes_of_rows_stay_as_they_are() {
    use arrow::array::AsArray;
    use arrow::datatypes::Int64Type;
    // Stored rows are compared by these numbers: whoever changes them has to migrate every raw table.
    let parts = take(&pipeline(r#"format = "jsonl", path = "*""#), json_lines().as_bytes());
    let hashes = parts[0].1.column_by_name("row_hash").expect("a hash").as_primitive::<Int64Type>();
    assert_eq!(hashes.values()[..2], [2_885_618_634_317_155_511, -5_733_947_299_155_472_024]);
}

#[test]
fn every_pipeline_that_ships_is_sound() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines");
    let mut n = 0;
    for entry in fs::read_dir(folder).expect("the pipelines") {
        let path = entry.expect("entry").path();
        if path.extension().is_some_and(|it| it == "toml") {
            let text = fs::read_to_string(&path).expect("a pipeline");
            let about = text.strip_prefix("#:schema pipeline.schema.json\n");
            let about = about.unwrap_or_else(|| panic!("{} begins with the line that editors read", path.display()));
            assert!(about.starts_with("# "), "{}: a comment says what the source is", path.display());
            Pipeline::parse(&path, &text).unwrap_or_else(|error| panic!("{error}"));
            n += 1;
        }
    }
    assert!(15 <= n, "only {n} pipelines were found");
}
