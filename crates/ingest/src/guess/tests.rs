//! Files as campuses have them, and what is to be guessed of them.

use std::collections::BTreeMap;
use std::io::Write;

use super::*;
use crate::{Normalise, PersonConfig};

fn persons() -> Persons {
    let config = |pattern: &str| PersonConfig {
        pattern: pattern.to_owned(),
        normalise: vec![Normalise::Trim, Normalise::Halfwidth, Normalise::Upper, Normalise::StripExcel],
        ..PersonConfig::default()
    };
    Persons::new(&BTreeMap::from([(PersonKind::Student, config(r"20\d{8}")), (PersonKind::Staff, config(r"T\d{5}"))]))
        .expect("patterns")
}

fn guessed(name: &str, bytes: &[u8]) -> Result<Guess, Error> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).expect("written");
    guess(&FileInput { path: &path, file_no: 1, display: name }, &persons(), Limits::default(), None)
}

fn gb18030(text: &str) -> Vec<u8> {
    encoding_rs::GB18030.encode(text).0.into_owned()
}

/// Columns as `head name type person class`, marks of what else was found behind them.
fn columns(guess: &Guess) -> Vec<String> {
    let column = |it: &ColumnGuess| {
        let word = |it: &dyn erased::Word| it.word();
        let mut line = format!("{} {} {} {}", it.head, it.name.value, word(&it.type_.value), it.class.value.as_str());
        if let Some(kind) = it.person.value {
            line += &format!(" {kind}");
        }
        if let Some(key_as) = &it.key_as {
            line += &format!(" as {key_as}");
        }
        if let Some(format) = &it.format {
            line += &format!(" {format}");
        }
        if let Some(shift) = it.decimal_shift {
            line += &format!(" shift {shift}");
        }
        if it.required.value {
            line += " required";
        }
        if !it.one_of.value.is_empty() && SURE <= it.one_of.confidence {
            line += &format!(" of {}", it.one_of.value.join("|"));
        }
        line
    };
    guess.columns.iter().map(column).collect()
}

/// The word that serde has for a type.
mod erased {
    pub(super) trait Word {
        fn word(&self) -> String;
    }

    impl<T: serde::Serialize> Word for T {
        fn word(&self) -> String {
            serde_json::to_value(self).ok().and_then(|it| it.as_str().map(str::to_owned)).unwrap_or_default()
        }
    }
}

/// What is guessed is a contract that stands.
#[track_caller]
fn check_stands(guess: &Guess) {
    let choices = guess.choices();
    if let Err(error) = crate::contract_text(&choices) {
        panic!("{error}: {choices:#?}");
    }
    let reasons = guess.columns.iter().flat_map(|it| [&it.name.reason_zh, &it.type_.reason_zh, &it.class.reason_en]);
    assert!(reasons.into_iter().all(|it| !it.is_empty()));
}

#[test]
fn a_chinese_card_export_is_read_as_its_contract_would() {
    let mut text = String::from("流水号,学号,终端号,商户类型,交易金额(元),余额(元),交易时间\r\n");
    for at in 0..40 {
        let kind = ["食堂", "超市", "浴室"][at % 3];
        text += &format!(
            "{},20230{:05},P{:02},{kind},{}.5{},88.20,2025/9/{} 7:0{}:03\r\n",
            90_000 + at,
            at,
            at % 7,
            at,
            at % 10,
            1 + at % 20,
            at % 9
        );
    }
    let guess = guessed("card_20250901.csv", &gb18030(&text)).expect("a table");
    assert_eq!((guess.format.value, guess.encoding.value), (Format::Csv, Encoding::Gb18030));
    assert_eq!((guess.skip_rows.value, guess.headless.value, guess.name.value.as_str()), (0, false, "card"));
    assert_eq!(
        columns(&guess),
        [
            "流水号 txn_id text internal required",
            "学号 student_id text identity student required",
            "终端号 terminal_id text trace required",
            "商户类型 merchant_kind text trace required",
            "交易金额(元) amount_fen int64 trace shift 2 required",
            "余额(元) balance_fen int64 trace shift 2 required",
            "交易时间 paid_at timestamp trace %Y/%m/%d %H:%M:%S required",
        ]
    );
    assert_eq!((guess.shape.value, guess.key.value.clone()), (Shape::Event, vec!["txn_id".to_owned()]));
    assert_eq!(guess.occurred_at.value.as_deref(), Some("paid_at"));
    check_stands(&guess);
}

#[test]
fn a_sheet_with_a_title_above_the_head_is_a_register() {
    let mut workbook = rust_xlsxwriter::Workbook::new();
    let sheet = workbook.add_worksheet();
    sheet.write(0, 0, "2025年秋季学期学生名册").expect("a cell");
    sheet.write(1, 0, "制表：学生处").expect("a cell");
    sheet.write(1, 3, "2025-09-01").expect("a cell");
    for (at, head) in ["学号", "姓名", "学院", "政治面貌", "手机", "家庭住址", "班主任工号", "辅导员工号"].iter().enumerate()
    {
        sheet.write(3, at as u16, *head).expect("a cell");
    }
    for row in 0..8_u32 {
        sheet.write(4 + row, 0, 2_023_000_100 + row).expect("a cell");
        for (at, text) in [
            format!("张{row}"),
            "文学院".into(),
            "共青团员".into(),
            format!("1380000000{row}"),
            "某路 1 号".into(),
            format!("T0000{row}"),
            "T00099".into(),
        ]
        .iter()
        .enumerate()
        {
            sheet.write(4 + row, 1 + at as u16, text.as_str()).expect("a cell");
        }
    }
    let guess = guessed("名册.xlsx", &workbook.save_to_buffer().expect("in memory")).expect("a table");
    assert_eq!((guess.skip_rows.value, guess.headless.value), (3, false));
    assert_eq!(
        columns(&guess),
        [
            "学号 student_id text identity student required",
            "姓名 name text identity required",
            "学院 college text personal required",
            "政治面貌 political_status text closed",
            "手机 phone text identity required",
            "家庭住址 address text identity required",
            "班主任工号 staff_id text identity staff required",
            "辅导员工号 counselor text identity staff as counselor_key required",
        ]
    );
    assert_eq!((guess.shape.value, guess.key.value.clone()), (Shape::State, vec!["student_id".to_owned()]));
    assert_eq!(guess.name.value, "student_import");
    assert!(guess.name.confidence < SURE);
    check_stands(&guess);
}

#[test]
fn a_tsv_without_head_is_known_by_its_first_row() {
    let mut text = String::new();
    for at in 0..12 {
        text += &format!("2023000{:03}\t3号楼东门\t2025-09-0{} 07:1{}:00\t进\n", at, 1 + at % 9, at % 10);
    }
    let guess = guessed("gate.tsv", text.as_bytes()).expect("a table");
    assert!(guess.headless.value);
    assert_eq!(
        columns(&guess),
        [
            " student_id text identity student required",
            " column_2 text personal required",
            " column_3 timestamp trace %Y-%m-%d %H:%M:%S required",
            " column_4 text personal required",
        ]
    );
    assert_eq!(guess.occurred_at.value.as_deref(), Some("column_3"));
    assert_eq!(guess.key.value, ["student_id", "column_3"]);
    check_stands(&guess);
}

#[test]
#[rustfmt::skip] // The columns are the table.
fn one_column_after_another() {
    #[track_caller]
    fn check(head: &str, values: &[&str], expected: &str) {
        // A column beside it, so that the table is one of persons.
        let mut text = format!("学号,{head}\n");
        for (at, value) in values.iter().cycle().take(values.len().max(6)).enumerate() {
            text += &format!("20230000{:02},{value}\n", at % 7);
        }
        let guess = guessed("x.csv", text.as_bytes()).expect("a table");
        assert_eq!(columns(&guess)[1], format!("{head} {expected}"), "{:#?}", guess.columns[1]);
        check_stands(&guess);
    }
    check("XBM",          &["1", "2"],                            "gender int64 closed required");
    check("BH",           &["0101", "0102"],                      "class_id text personal required");
    check("身高",         &["172.5", "160.25"],                   "column_2 float64 personal required");
    check("是否住校",     &["是", "否", "是"],                    "column_2 boolean personal required");
    check("颜色",         &["红", "", "蓝"],                      "column_2 text personal");
    check("登记日",       &["2025.9.1", "2025.10.12"],            "column_2 date trace %Y.%m.%d required");
    check("日期",         &["20250901", "20251012"],              "happened_on date trace %Y%m%d required");
    check("时间",         &["2025年9月1日 7:02", "2025年10月12日 17:12"], "happened_at timestamp trace %Y年%m月%d日 %H:%M required");
    check("刷卡时间",     &["1756710000000", "1756710001234"],    "passed_at int64 trace required");
    check("联系人",       &["李四", "王五"],                      "column_2 text identity required");
    check("号码",         &["13800000001", "13912345678"],        "column_2 text identity required");
    check("证件",         &["110101200001011234", "11010120000101123X"], "column_2 text identity required");
    check("家庭情况",     &["低保", "一般"],                      "column_2 text closed");
    check("心理测评得分", &["12", "30"],                          "column_2 int64 closed required");
    check("学生说的话",   &["最近睡得不太好想换一个安静一些的寝室", "食堂二楼的窗口排队太久希望增加一个窗口"], "column_2 text closed");
    check("奖金(元)",     &["1000", "250.5", "80"],               "column_2 int64 trace shift 2 required");
    check("房间号",       &["101", "102"],                        "room_id text trace required");
    check("row_no",       &["1", "2"],                            "source_row_no text internal required");
    check("学籍号",       &["甲乙", "丙丁"],                      "column_2 text internal required");
    check("介绍人学号",   &["2022000001", "2022000002"],          "student_id_2 text identity student as student_id_2_key required");
}

#[test]
fn a_wrong_value_among_many_changes_no_type() {
    let mut text = String::from("学号,金额(元),日期\n");
    for at in 0..30 {
        let (amount, day) =
            (if at == 7 { "无".to_owned() } else { format!("{at}.50") }, if at == 9 { "昨天" } else { "2025-09-01" });
        text += &format!("20230000{at:02},{amount},{day}\n");
    }
    let guess = guessed("x.csv", text.as_bytes()).expect("a table");
    let types: Vec<ColumnType> = guess.columns.iter().map(|it| it.type_.value).collect();
    assert_eq!(types, [ColumnType::Text, ColumnType::Int64, ColumnType::Date]);
    assert!(guess.columns[1].type_.confidence < SURE && guess.columns[1].type_.reason_zh.contains("1 个"));
}

#[test]
fn few_words_that_come_again_are_codes() {
    let mut text = String::from("学号,年级段,备注\n");
    for at in 0..40 {
        text += &format!("20230000{at:02},{},{}\n", ["低", "高"][at % 2], ["无", "有"][at % 2]);
    }
    let guess = guessed("x.csv", text.as_bytes()).expect("a table");
    assert_eq!(columns(&guess)[1], "年级段 column_2 text personal required of 低|高");
    assert_eq!(columns(&guess)[2], "备注 note text closed");
}

#[test]
fn a_table_without_persons_is_internal() {
    let guess =
        guessed("building.csv", "楼栋号,楼栋名称,备注\nB1,一号楼,旧\nB2,二号楼,新\nB3,三号楼,新\n".as_bytes()).expect("a table");
    assert_eq!(
        columns(&guess),
        ["楼栋号 building_id text internal required", "楼栋名称 building_name text internal required", "备注 note text closed"]
    );
    assert_eq!(guess.key.value, ["building_id"]);
    check_stands(&guess);
}

#[test]
fn packed_and_wide_texts_are_read() {
    let text = "XH;XM;SJH\n2023000001;张三;13800000001\n2023000002;李四;13800000002\n2023000003;王五;13800000003\n";
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(text.as_bytes()).expect("in memory");
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("名单.csv", zip::write::SimpleFileOptions::default()).expect("in memory");
    zip.write_all(&gb18030(text)).expect("in memory");
    let wide: Vec<u8> = [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let files = [
        ("x.csv.gz", gz.finish().expect("in memory"), Encoding::Utf8),
        ("x.csv.zip", zip.finish().expect("in memory").into_inner(), Encoding::Gb18030),
        ("x.txt", wide, Encoding::Utf16),
    ];
    for (name, bytes, encoding) in files {
        let guess = guessed(name, &bytes).expect(name);
        assert_eq!((guess.encoding.value, guess.separator.value), (encoding, Some(';')), "{name}");
        assert_eq!(columns(&guess)[2], "SJH phone text identity required", "{name}");
        check_stands(&guess);
    }
}

#[test]
fn json_lines_name_their_columns() {
    let text = "{\"student_no\":\"2023000001\",\"ts\":1756710000000,\"gate\":\"东门\"}\n{\"student_no\":\"2023000002\",\"ts\":1756710000001,\"gate\":null,\"x\":true}\n\
                {\"student_no\":\"2023000003\",\"ts\":1756710000002,\"gate\":\"西门\"}\n";
    let guess = guessed("gate.jsonl", text.as_bytes()).expect("a table");
    assert_eq!(guess.format.value, Format::Jsonl);
    let mut found = columns(&guess);
    found.sort();
    assert_eq!(
        found,
        [
            "gate gate text trace",
            "student_no student_id text identity student required",
            "ts ts int64 personal required",
            "x x boolean personal"
        ]
    );
    check_stands(&guess);
}

#[test]
fn what_is_no_table_is_refused_with_a_sentence() {
    #[track_caller]
    fn check(name: &str, bytes: &[u8], expected: &str) {
        let error = guessed(name, bytes).expect_err("refused");
        let words = crate::file_words(&error);
        assert!(words.en.contains(expected), "{words:?}");
        assert!(!words.zh.is_empty() && !words.zh.contains("无法接收"), "{words:?}");
    }
    check("x.csv", b"", "has no head");
    check("x.xlsx", b"<html>", "no readable XLSX workbook");
    check("x.xls", b"<html>", "it is HTML or XML by another name");
    check("x.xlsx", b"PK\x03\x04nothing", "no readable XLSX workbook");
    check("x.csv.gz", &[0x1f, 0x8b, 8, 0], "cut or damaged");
    check("x.csv", &"学号,姓名\n".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>(), "zero bytes");
}
