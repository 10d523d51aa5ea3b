//! A row is the same row whatever format, encoding or order of columns it came in.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float32Array, Float64Array, Int16Array,
    Int64Array, LargeStringArray, ListArray, NullArray, StringArray, StringViewArray, TimestampMicrosecondArray,
    TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray, UInt8Array, UInt64Array,
};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
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

/// The rows as a Parquet file, each column of a type that a writer would choose; `is_plain` says which of two.
fn parquet(is_plain: bool) -> Vec<u8> {
    let rows = rows();
    let texts = |at: usize| rows.iter().map(move |it| Some(it[at].as_str()).filter(|it| !it.is_empty()));
    let numbers = |at: usize| texts(at).map(|it| it.map(|it| it.parse::<i64>().expect("a number")));
    let micros = || {
        texts(8).map(|it| {
            let at = chrono::NaiveDateTime::parse_from_str(it.expect("required"), "%Y-%m-%d %H:%M:%S").expect("a time");
            at.and_utc().timestamp_micros()
        })
    };
    let days = || texts(7).map(|it| it.map(|it| schema::time::date_days(it.parse().expect("a date"))));
    let cents = || texts(3).map(|it| it.map(|it| it.replace('.', "").parse::<i128>().expect("digits")));
    let columns: Vec<ArrayRef> = if is_plain {
        vec![
            Arc::new(Int64Array::from_iter(numbers(0))),
            Arc::new(StringArray::from_iter(texts(1))),
            Arc::new(StringArray::from_iter(texts(2))),
            Arc::new(Decimal128Array::from_iter(cents()).with_precision_and_scale(12, 2).expect("a decimal")),
            Arc::new(StringArray::from_iter(texts(4))),
            Arc::new(Float64Array::from_iter(texts(5).map(|it| it.map(|it| it.parse::<f64>().expect("a number"))))),
            Arc::new(BooleanArray::from_iter(texts(6).map(|it| it.map(|it| it == "true")))),
            Arc::new(Date32Array::from_iter(days())),
            // Local time of the campus.
            Arc::new(TimestampMicrosecondArray::from_iter_values(micros())),
        ]
    } else {
        let hundredfold = cents().map(|it| it.map(|it| it * 100));
        vec![
            Arc::new(Int16Array::from_iter(numbers(0).map(|it| it.map(|it| it as i16)))),
            Arc::new(UInt64Array::from_iter(numbers(1).map(|it| it.map(|it| it as u64)))),
            Arc::new(texts(2).collect::<DictionaryArray<Int32Type>>()),
            Arc::new(Decimal128Array::from_iter(hundredfold).with_precision_and_scale(20, 4).expect("a decimal")),
            Arc::new(StringViewArray::from_iter(texts(4))),
            Arc::new(Float32Array::from_iter(texts(5).map(|it| it.map(|it| it.parse::<f32>().expect("a number"))))),
            Arc::new(UInt8Array::from_iter(texts(6).map(|it| it.map(|it| u8::from(it == "true"))))),
            Arc::new(LargeStringArray::from_iter(texts(7))),
            // An instant: Shanghai is eight hours ahead.
            Arc::new(TimestampMillisecondArray::from_iter_values(micros().map(|it| it / 1000 - 28_800_000)).with_timezone("UTC")),
        ]
    };
    in_parquet(HEADS.into_iter().zip(columns))
}

fn in_parquet<'a>(columns: impl IntoIterator<Item = (&'a str, ArrayRef)>) -> Vec<u8> {
    let columns = columns.into_iter().map(|(name, array)| (name, array, true));
    let batch = RecordBatch::try_from_iter_with_nullable(columns).expect("columns of one length");
    let mut writer = ::parquet::arrow::ArrowWriter::try_new(Vec::new(), batch.schema(), None).expect("a schema");
    writer.write(&batch).expect("in memory");
    writer.into_inner().expect("in memory")
}

fn in_zip(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file(name, zip::write::SimpleFileOptions::default()).expect("in memory");
    writer.write_all(bytes).expect("in memory");
    writer.finish().expect("in memory").into_inner()
}

/// The workbook of the cases, as the binary Excel writes it.
fn old_workbook() -> (Pipeline, Vec<u8>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/pipelines/valid/xls_of_an_old_office");
    let text = fs::read_to_string(folder.join("pipeline.toml")).expect("a pipeline");
    (Pipeline::parse(Path::new(""), &text).expect("a contract"), fs::read(folder.join("thing.xls")).expect("a workbook"))
}

fn take(pipeline: &Pipeline, bytes: &[u8]) -> Vec<(Option<i32>, RecordBatch)> {
    let taken = try_to_take(pipeline, bytes).expect("a whole feed");
    assert_eq!((taken.counts.rows_kept, taken.counts.rows_quarantined), (200, 0), "{:?}", taken.reasons);
    taken.parts.into_iter().map(|it| (it.day, it.batch)).collect()
}

fn try_to_take(pipeline: &Pipeline, bytes: &[u8]) -> Result<Taken, Error> {
    with_door(pipeline, Limits::default(), |door| {
        door.take_bytes(&FileInput { path: Path::new("none"), file_no: 1, display: "none" }, bytes)
    })
}

/// The rows by way of the quarantine: a campus that knows none of the numbers refuses them all, and learns them later.
fn take_again(pipeline: &Pipeline, bytes: &[u8]) -> Vec<(Option<i32>, RecordBatch)> {
    let mut lenient = pipeline.clone();
    lenient.contract.reject_share_max = 1.0;
    let file = FileInput { path: Path::new("none"), file_no: 1, display: "none" };
    let opened = with_door_of(&lenient, r"30\d{8}", Limits::default(), |door| {
        let refused = door.take_bytes(&file, bytes).expect("a whole feed");
        assert_eq!((refused.counts.rows_kept, refused.counts.rows_quarantined), (0, 200), "{:?}", refused.reasons);
        let sealed = refused.rejects.column_by_name("sealed_row").expect("sealed rows").as_binary::<i32>().clone();
        sealed.iter().flatten().map(|it| door.seal.open(it).expect("sealed")).collect::<Vec<_>>()
    });
    let taken = with_door(pipeline, Limits::default(), |door| door.take_again(&file, &opened)).expect("rows");
    assert_eq!((taken.counts.rows_kept, taken.counts.rows_quarantined), (200, 0), "{:?}", taken.reasons);
    taken.parts.into_iter().map(|it| (it.day, it.batch)).collect()
}

fn with_door<T>(pipeline: &Pipeline, limits: Limits, take: impl FnOnce(&Door<'_>) -> T) -> T {
    with_door_of(pipeline, r"20\d{8}", limits, take)
}

fn with_door_of<T>(pipeline: &Pipeline, pattern: &str, limits: Limits, take: impl FnOnce(&Door<'_>) -> T) -> T {
    let config = PersonConfig { pattern: pattern.to_owned(), ..PersonConfig::default() };
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
        limits,
    };
    take(&door)
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
        (r#"format = "parquet", path = "*""#, parquet(true)),
        (r#"format = "parquet", path = "*""#, parquet(false)),
    ];
    for (source, bytes) in cases {
        assert!(take(&pipeline(source), &bytes) == expected, "{source} differs");
        assert!(take_again(&pipeline(source), &bytes) == expected, "{source} differs by way of the quarantine");
    }
}

#[test]
fn a_line_that_did_not_come_apart_is_taken_once_the_contract_knows_how() {
    // Names that are the same in every encoding.
    let ascii = |source: &str| {
        let mut pipeline = pipeline(source);
        pipeline.columns.iter_mut().for_each(|(_, column)| column.head = None);
        pipeline.contract.reject_share_max = 1.0;
        pipeline
    };
    let (utf_8, gb18030) = (r#"format = "csv", path = "*""#, r#"format = "csv", path = "*", encoding = "gb18030""#);
    let head = "txn_id,student_id,kind,amount_fen,note,share,is_open,day,paid_at";
    let line = "1,2023000001,食堂,1.00,,,,,2025-09-01 12:00:00";
    let in_gb18030 = |line: &str| encoding_rs::GB18030.encode(&format!("{head}\n{line}\n")).0.into_owned();
    let file = FileInput { path: Path::new("none"), file_no: 1, display: "none" };
    // The encoding was declared wrong; and a line with a field too many, which no contract mends.
    for (before, line, kept) in [(utf_8, line, 1), (gb18030, "1,2023000001,食堂,1.00,,,,,,2025-09-01 12:00:00", 0)] {
        let opened = with_door(&ascii(before), Limits::default(), |door| {
            let refused = door.take_bytes(&file, &in_gb18030(line)).expect("a whole feed");
            let sealed = refused.rejects.column_by_name("sealed_row").expect("sealed rows").as_binary::<i32>().clone();
            sealed.iter().flatten().map(|it| door.seal.open(it).expect("sealed")).collect::<Vec<_>>()
        });
        let after = ascii(gb18030);
        let taken = with_door(&after, Limits::default(), |door| door.take_again(&file, &opened)).expect("rows");
        assert_eq!((taken.counts.rows_in, taken.counts.rows_kept), (1, kept), "{:?}", taken.reasons);
        let named = ingest::named_cells(&after, &opened[0]);
        assert_eq!(named[1..3], [("student_id".to_owned(), "2023000001".into()), ("kind".to_owned(), "食堂".into())]);
        let beyond = named.iter().any(|it| it.0 == "第 10 列 / column 10");
        assert_eq!(beyond, kept == 0, "{named:?}");
    }
}

#[test]
fn a_row_is_the_same_out_of_an_archive() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("thing.zip");
    let expected = take(&pipeline(r#"format = "parquet", path = "*""#), &parquet(true));
    let cases = [
        (r#"format = "csv", path = "*.zip""#, "thing.csv", delimited(b',', &(0..9).collect::<Vec<_>>()).into_bytes()),
        (r#"format = "jsonl", path = "*.zip""#, "thing.jsonl", json_lines().into_bytes()),
        (r#"format = "xlsx", path = "*.zip""#, "export/thing.xlsx", workbook()),
        (r#"format = "parquet", path = "*.zip""#, "thing.parquet", parquet(false)),
    ];
    for (source, name, bytes) in cases {
        fs::write(&path, in_zip(name, &bytes)).expect("a file");
        let pipeline = pipeline(source);
        let file = FileInput { path: &path, file_no: 1, display: "thing.zip" };
        let taken = with_door(&pipeline, Limits::default(), |door| door.take(&file, &|_| {})).expect("a whole feed");
        let parts: Vec<_> = taken.parts.into_iter().map(|it| (it.day, it.batch)).collect();
        assert!(parts == expected, "{source} differs");
    }
}

/// A contract of these columns over Parquet files, of which none is about a person.
fn measures(columns: &str) -> Pipeline {
    let text = format!(
        r#"
        [pipeline]
        name = "thing"
        about = "Things."
        shape = "state"
        owner = "office"
        purpose = ["portrait"]
        retention = "4y"
        source = {{ format = "parquet", path = "*" }}
        [contract]
        version = 1
        key = ["id"]
        usual_delay = "1d"
        reject_share_max = 0.99
        [columns]
        id = {{ type = "int64", required = true, class = "internal", about = "Number." }}
        {columns}"#
    );
    Pipeline::parse(Path::new(""), &text).expect("a contract")
}

/// Reasons and columns of the rejected rows, and the rows.
fn rejected(taken: &Taken) -> Vec<String> {
    let text = |name: &str, row| taken.rejects.column_by_name(name).expect("a column").as_string::<i32>().value(row).to_owned();
    let rows = taken.rejects.column_by_name("sealed_row").expect("a column").as_binary::<i32>();
    let row = |it| String::from_utf8_lossy(rows.value(it)).replace("sealed:", "");
    (0..taken.rejects.num_rows()).map(|it| format!("{} {} {}", text("reason", it), text("column", it), row(it))).collect()
}

#[test]
fn times_of_parquet_are_local_without_a_zone_and_instants_with_one() {
    let instants = r#"type = "timestamp", class = "internal", about = "Instant.""#;
    let pipeline = measures(&format!(
        "a = {{ {instants} }}\nb = {{ {instants} }}\nc = {{ {instants} }}\nd = {{ {instants} }}\ne = {{ {instants} }}\n\
         f = {{ {instants}, format = \"%d.%m.%Y %H:%M\" }}\n"
    ));
    // 2025-09-01 08:00 in Shanghai is midnight UTC.
    let midnight_s = 1_756_684_800_i64;
    let local_s = midnight_s + 28_800;
    let bytes = in_parquet([
        ("id", Arc::new(Int64Array::from(vec![1])) as ArrayRef),
        ("a", Arc::new(TimestampSecondArray::from(vec![local_s]))),
        ("b", Arc::new(TimestampNanosecondArray::from(vec![local_s * 1_000_000_000 + 999]))),
        ("c", Arc::new(TimestampMicrosecondArray::from(vec![midnight_s * 1_000_000]).with_timezone("+08:00"))),
        ("d", Arc::new(TimestampNanosecondArray::from(vec![midnight_s * 1_000_000_000]).with_timezone("America/New_York"))),
        ("e", Arc::new(StringArray::from(vec!["2025-09-01 08:00:00"]))),
        ("f", Arc::new(StringArray::from(vec!["1.9.2025 8:00"]))),
    ]);
    let taken = try_to_take(&pipeline, &bytes).expect("a whole feed");
    assert_eq!(taken.counts.rows_kept, 1, "{:?}", rejected(&taken));
    for name in ["a", "b", "c", "d", "e", "f"] {
        let column = taken.parts[0].batch.column_by_name(name).expect("a column").as_primitive::<TimestampMicrosecondType>();
        assert_eq!(column.value(0), midnight_s * 1_000_000, "{name}");
    }
}

#[test]
fn values_of_parquet_that_fit_no_column_wait_as_json() {
    let pipeline = measures(
        r#"
        text = { type = "text", class = "internal", about = "Text." }
        number = { type = "int64", class = "internal", about = "Number." }
        day = { type = "date", class = "internal", epoch = "2025-09-01", about = "Day." }
        at = { type = "timestamp", class = "internal", about = "Instant." }
        nothing = { type = "text", class = "internal", about = "Empty." }
        "#,
    );
    let bytes = in_parquet([
        ("id", Arc::new(Int64Array::from_iter_values(1..=5)) as ArrayRef),
        ("text", Arc::new(Float64Array::from(vec![2_023_000_123.0, 2.5, 0.0, 1.0, 2.0]))),
        ("number", Arc::new(UInt64Array::from(vec![Some(1), Some(u64::MAX), None, None, None]))),
        ("day", Arc::new(Int64Array::from(vec![Some(-1), None, Some(i64::MAX), None, None]))),
        (
            "at",
            Arc::new(
                TimestampMicrosecondArray::from(vec![Some(0), None, Some(1_756_684_800_500_000), Some(i64::MAX), Some(i64::MIN)])
                    .with_timezone("UTC"),
            ),
        ),
        ("nothing", Arc::new(NullArray::new(5))),
    ]);
    let taken = try_to_take(&pipeline, &bytes).expect("a whole feed");
    assert_eq!(taken.counts.rows_kept, 1);
    let kept = &taken.parts[0].batch;
    assert_eq!(kept.column_by_name("text").expect("a column").as_string::<i32>().value(0), "2023000123");
    assert_eq!(
        rejected(&taken),
        [
            r#"type number {"id":2,"text":2.5,"number":"18446744073709551615"}"#,
            r#"range day {"id":3,"text":0.0,"day":9223372036854775807,"at":"2025-09-01 00:00:00.500000Z"}"#,
            r#"type at {"id":4,"text":1.0,"at":[]}"#,
            r#"type at {"id":5,"text":2.0,"at":[]}"#,
        ]
    );
}

#[test]
fn a_nested_column_of_parquet_is_refused_by_its_name() {
    let lists = ListArray::from_iter_primitive::<Int64Type, _, _>([Some([Some(1), Some(2)])]);
    let columns = || [("id", Arc::new(Int64Array::from(vec![1])) as ArrayRef), ("scores", Arc::new(lists.clone()) as ArrayRef)];
    let refusal = |columns: &str, bytes: &[u8]| try_to_take(&measures(columns), bytes).expect_err("a nested column").to_string();
    assert_eq!(
        refusal("", &in_parquet(columns())),
        "file \"none\": column 2 \"scores\" is not declared in pipeline \"thing\"; declare it, or leave it out of the export"
    );
    let declared = refusal(r#"scores = { type = "text", class = "internal", about = "Scores." }"#, &in_parquet(columns()));
    assert!(declared.starts_with("file \"none\": column \"scores\" is of the Parquet type List("), "{declared}");
}

#[test]
fn a_parquet_file_may_not_unpack_beyond_the_limit_nor_hold_too_many_rows() {
    let pipeline = measures(r#"note = { type = "text", class = "internal", about = "Text." }"#);
    // One word, held once, that stands in ten thousand rows.
    let word = "x".repeat(1_000);
    let bytes = in_parquet([
        ("id", Arc::new(Int64Array::from_iter_values(0..10_000)) as ArrayRef),
        ("note", Arc::new(StringArray::from_iter_values((0..10_000).map(|_| &word)))),
    ]);
    let refusal = |limits: Limits| {
        let file = FileInput { path: Path::new("none"), file_no: 1, display: "none" };
        with_door(&pipeline, limits, |door| door.take_bytes(&file, &bytes)).expect_err("too large").to_string()
    };
    assert!(bytes.len() < 1_000_000, "{} bytes", bytes.len());
    let expected = "file \"none\" has more than 1000000 bytes unpacked: split it, or raise the limit";
    assert_eq!(refusal(Limits { file_bytes_max: 1_000_000, ..Limits::default() }), expected);
    let expected = "file \"none\" has more than 9999 rows: split it, or raise the limit";
    assert_eq!(refusal(Limits { rows_max: 9_999, ..Limits::default() }), expected);
}

#[test]
fn what_is_no_parquet_is_refused() {
    let error = try_to_take(&measures(""), b"id\n1\n").expect_err("no Parquet");
    assert!(matches!(error, Error::Parquet { .. }), "{error}");
    assert_eq!(error.blame(), Blame::Caller);
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
        (pipeline(r#"format = "csv", path = "*""#), csv.clone().into_bytes()),
        (pipeline(r#"format = "csv", path = "*", encoding = "gb18030""#), encoding_rs::GB18030.encode(&csv).0.into_owned()),
        (pipeline(r#"format = "jsonl", path = "*""#), json_lines().into_bytes()),
        (pipeline(r#"format = "xlsx", path = "*""#), workbook()),
        (pipeline(r#"format = "parquet", path = "*""#), parquet(true)),
        (pipeline(r#"format = "parquet", path = "*""#), parquet(false)),
        old_workbook(),
    ];
    let (mut state, mut kept, mut rejected, mut refused) = (1, 0, 0, 0);
    for (mut pipeline, bytes) in cases {
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
