//! From a table nobody declared to rows in the lake, without writing TOML: on the command line and over HTTP.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::serve::{Answer, Document, Server};
use crate::support::{NOW, output, yizhan};

const PROJECT: &str = "packs = [\"campus\"]\n[campus]\nemergency_zh = \"示例 1\"\nemergency_en = \"Example 1\"\n";

/// A campus project with an approval of the use of its imports.
struct Project(TempDir);

impl Project {
    fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        std::fs::write(folder.path().join("yizhan.toml"), PROJECT).expect("written");
        let project = Self(folder);
        let head = "文号,来源,责任部门,用途,字段范围,保存期限,批准人,生效日期,失效日期\n";
        let lines: String = ["my_card", "roster", "gate", "swipe"]
            .iter()
            .map(|it| format!("审批〔2025〕{it},{it},网络中心,service,*,四年,数据治理小组,2025-01-01,2026-12-31\n"))
            .collect();
        // An approval that leaves out a column which the table has.
        let narrow = "审批〔2025〕8号,narrow,财务处,service,txn_id;student_id;paid_at,四年,数据治理小组,2025-01-01,2026-12-31\n";
        project.write("input/registry/data_use_approval.csv", format!("{head}{lines}{narrow}").as_bytes());
        project
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, bytes).expect("written");
        path.to_string_lossy().into_owned()
    }

    /// Runs a command in the project; what it says and how it ends.
    fn run(&self, args: &[&str]) -> (i32, String, String) {
        let mut command = yizhan(&self.path().join("data"), args);
        let out = output(command.arg("--project").arg(self.path()).stdin(Stdio::null()));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (out.status.code().unwrap_or(-1), text(&out.stdout), text(&out.stderr))
    }

    #[track_caller]
    fn run_well(&self, args: &[&str]) -> String {
        let (code, said, wrong) = self.run(args);
        assert_eq!(code, 0, "{args:?}: {said}{wrong}");
        said
    }

    /// Makes the contract of a file, and what the trial said.
    #[track_caller]
    fn guessed(&self, file: &str, name: &str, more: &[&str]) -> Value {
        let args = [&["pipeline", "new", file, "--name", name, "--format", "json", "--now", NOW], more].concat();
        let report: Value = serde_json::from_str(self.run_well(&args).trim()).expect("a report");
        // What was written stands beside all that there is.
        self.run_well(&["check"]);
        report
    }

    /// Takes a file in under its contract; how many rows the lake has of it then.
    #[track_caller]
    fn ingested(&self, name: &str, file: &str, bytes: &[u8]) -> u64 {
        self.write(&format!("input/import/{name}/{file}"), bytes);
        let (code, said, wrong) = self.run(&["ingest", "data_use_approval", name, "--now", NOW]);
        assert_eq!(code, 0, "{said}{wrong}");
        let found = self.run_well(&["sql", &format!("SELECT count(*) AS n FROM raw_{name}"), "--format", "json"]);
        let found: Value = serde_json::from_str(found.trim()).expect("a row");
        found["n"].as_u64().expect("a count")
    }

    fn contract(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(format!("pipelines/{name}.toml"))).expect("a contract")
    }
}

/// GB18030 of the few characters in use here.
fn gb18030(text: &str) -> Vec<u8> {
    const WORDS: [(char, [u8; 2]); 15] = [
        ('流', [0xc1, 0xf7]),
        ('水', [0xcb, 0xae]),
        ('号', [0xba, 0xc5]),
        ('学', [0xd1, 0xa7]),
        ('金', [0xbd, 0xf0]),
        ('额', [0xb6, 0xee]),
        ('元', [0xd4, 0xaa]),
        ('交', [0xbd, 0xbb]),
        ('易', [0xd2, 0xd7]),
        ('时', [0xca, 0xb1]),
        ('间', [0xbc, 0xe4]),
        ('食', [0xca, 0xb3]),
        ('堂', [0xcc, 0xc3]),
        ('备', [0xb1, 0xb8]),
        ('注', [0xd7, 0xa2]),
    ];
    let mut bytes = Vec::new();
    for it in text.chars() {
        match WORDS.iter().find(|(word, _)| *word == it) {
            Some((_, pair)) => bytes.extend(pair),
            None => bytes.push(u8::try_from(u32::from(it)).expect("ASCII")),
        }
    }
    bytes
}

/// A workbook with one sheet of texts; an empty row is none.
fn workbook(rows: &[&[&str]]) -> Vec<u8> {
    let mut sheet = String::new();
    for (at, row) in rows.iter().enumerate() {
        let cells = row.iter().enumerate().filter(|(_, it)| !it.is_empty()).map(|(column, it)| {
            let place = char::from(b'A' + u8::try_from(column).expect("a letter"));
            let text = it.replace('&', "&amp;").replace('<', "&lt;");
            format!("<c r=\"{place}{}\" t=\"inlineStr\"><is><t>{text}</t></is></c>", at + 1)
        });
        sheet += &format!("<row r=\"{}\">{}</row>", at + 1, cells.collect::<String>());
    }
    let main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    let office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let package = "http://schemas.openxmlformats.org/package/2006";
    let kind = "application/vnd.openxmlformats-officedocument.spreadsheetml";
    let rels = "application/vnd.openxmlformats-package.relationships+xml";
    let files = [
        (
            "[Content_Types].xml",
            format!(
                "<Types xmlns=\"{package}/content-types\"><Default Extension=\"rels\" ContentType=\"{rels}\"/>\
                 <Override PartName=\"/xl/workbook.xml\" ContentType=\"{kind}.sheet.main+xml\"/>\
                 <Override PartName=\"/xl/worksheets/sheet1.xml\" ContentType=\"{kind}.worksheet+xml\"/></Types>"
            ),
        ),
        (
            "_rels/.rels",
            format!(
                "<Relationships xmlns=\"{package}/relationships\"><Relationship Id=\"r1\" Type=\"{office}/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"
            ),
        ),
        (
            "xl/workbook.xml",
            format!(
                "<workbook xmlns=\"{main}\" xmlns:r=\"{office}\"><sheets><sheet name=\"S\" sheetId=\"1\" r:id=\"r1\"/></sheets></workbook>"
            ),
        ),
        (
            "xl/_rels/workbook.xml.rels",
            format!(
                "<Relationships xmlns=\"{package}/relationships\"><Relationship Id=\"r1\" Type=\"{office}/worksheet\" Target=\"worksheets/sheet1.xml\"/></Relationships>"
            ),
        ),
        ("xl/worksheets/sheet1.xml", format!("<worksheet xmlns=\"{main}\"><sheetData>{sheet}</sheetData></worksheet>")),
    ];
    stored(&files)
}

/// An archive whose files are not packed.
fn stored(files: &[(&str, String)]) -> Vec<u8> {
    let (mut out, mut index) = (Vec::new(), Vec::new());
    for (name, text) in files {
        let at = u32::try_from(out.len()).expect("small");
        let (length, sum) = (u32::try_from(text.len()).expect("small"), crc32(text.as_bytes()));
        let shared =
            [&[20, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &sum.to_le_bytes(), &length.to_le_bytes(), &length.to_le_bytes()].concat();
        let name_length = u16::try_from(name.len()).expect("short").to_le_bytes();
        out.extend([&b"PK\x03\x04"[..], &shared, &name_length, &[0, 0], name.as_bytes(), text.as_bytes()].concat());
        index.extend([&b"PK\x01\x02\x14\x00"[..], &shared, &name_length, &[0; 12], &at.to_le_bytes(), name.as_bytes()].concat());
    }
    let (n, at) =
        (u16::try_from(files.len()).expect("few").to_le_bytes(), u32::try_from(out.len()).expect("small").to_le_bytes());
    let length = u32::try_from(index.len()).expect("small").to_le_bytes();
    out.extend(index);
    out.extend([&b"PK\x05\x06\0\0\0\0"[..], &n, &n, &length, &at, &[0, 0]].concat());
    out
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |it, _| if it & 1 == 1 { (it >> 1) ^ 0xedb8_8320 } else { it >> 1 })
    })
}

fn card(n: usize, wrong: bool) -> Vec<u8> {
    let mut text = String::from("流水号,学号,金额(元),交易时间,备注\r\n");
    for at in 0..n {
        let amount = if wrong && at == 3 { "x".to_owned() } else { format!("{at}.50") };
        let number = if wrong && at == 5 { "12345".to_owned() } else { format!("20230{:05}", at % 30) };
        text += &format!("{},{number},{amount},2025/9/{} 7:0{}:03,食堂\r\n", 9_000 + at, 1 + at % 20, at % 9);
    }
    gb18030(&text)
}

#[test]
fn a_gb18030_csv_gets_a_contract_that_takes_it() {
    let project = Project::new();
    let bytes = card(60, false);
    let file = project.write("card_20250901.csv", &bytes);
    let report = project.guessed(&file, "my_card", &[]);
    assert_eq!((&report["rows_kept"], &report["rows_refused"]), (&json!(60), &json!(0)), "{report}");
    let text = project.contract("my_card");
    for words in [
        "#:schema pipeline.schema.json\n# ",
        "encoding = \"gb18030\"",
        "shape     = \"event\"",
        "key              = [\"txn_id\"]",
        "person = \"student\", class = \"identity\"",
        "decimal_shift = 2, unit = \"fen\", class = \"trace\"",
        "format = \"%Y/%m/%d %H:%M:%S\", class = \"trace\"",
        "note       = { head = \"备注\", type = \"text\", class = \"closed\"",
    ] {
        assert!(text.contains(words), "{words} is missing in {text}");
    }
    assert_eq!(project.ingested("my_card", "card_20250901.csv", &bytes), 60);
    // Nothing was taken in before it was asked for, and nothing is overwritten unasked.
    let (code, _, wrong) = project.run(&["pipeline", "new", &file, "--name", "my_card"]);
    assert_eq!(code, 2, "{wrong}");
    assert!(wrong.contains("is there already"), "{wrong}");
}

#[test]
fn a_workbook_with_a_title_above_its_head_gets_a_contract_that_takes_it() {
    let project = Project::new();
    let mut rows: Vec<Vec<String>> = vec![
        vec!["2025年秋季学期名册".into()],
        vec![],
        ["学号", "姓名", "学院", "政治面貌", "手机号"].map(str::to_owned).to_vec(),
    ];
    for at in 0..8 {
        rows.push(vec![format!("202300010{at}"), format!("学生{at}"), "文学院".into(), "群众".into(), format!("1380000000{at}")]);
    }
    let rows: Vec<Vec<&str>> = rows.iter().map(|it| it.iter().map(String::as_str).collect()).collect();
    let rows: Vec<&[&str]> = rows.iter().map(Vec::as_slice).collect();
    let bytes = workbook(&rows);
    let file = project.write("名册.xlsx", &bytes);
    let report = project.guessed(&file, "roster", &[]);
    assert_eq!((&report["rows_kept"], &report["rows_refused"]), (&json!(8), &json!(0)), "{report}");
    let text = project.contract("roster");
    assert!(text.contains("skip_rows = 2") && text.contains("shape     = \"state\""), "{text}");
    assert_eq!(project.ingested("roster", "名册.xlsx", &bytes), 8);
}

#[test]
fn a_tsv_without_head_gets_a_contract_that_takes_it() {
    let project = Project::new();
    let text: String = (0..12).map(|at| format!("20230000{at:02}\t三号楼东门\t2025-09-01 07:{at:02}:00\n")).collect();
    let file = project.write("gate.tsv", text.as_bytes());
    let report = project.guessed(&file, "gate", &[]);
    assert_eq!((&report["rows_kept"], &report["rows_refused"]), (&json!(12), &json!(0)), "{report}");
    let contract = project.contract("gate");
    assert!(contract.contains("headless = true") && !contract.contains("head = "), "{contract}");
    assert_eq!(project.ingested("gate", "gate.tsv", text.as_bytes()), 12);
}

#[test]
fn refused_rows_come_back_with_the_reason_and_the_corrected_file_goes_in_whole() {
    let project = Project::new();
    let file = project.write("card.csv", &card(60, true));
    let rejects = project.path().join("rejects.xlsx").to_string_lossy().into_owned();
    let report = project.guessed(&file, "my_card", &["--rejects", &rejects]);
    assert_eq!((&report["rows_kept"], &report["rows_refused"]), (&json!(58), &json!(2)), "{report}");
    assert!(report["reasons"].as_array().is_some_and(|it| it.len() == 2), "{report}");
    // The workbook is itself a table that can be looked at.
    project.guessed(&rejects, "looked_at", &[]);
    let text = project.contract("looked_at");
    let heads: Vec<&str> = text.lines().filter_map(|it| it.split("head = \"").nth(1)?.split('"').next()).collect();
    assert_eq!(heads, ["流水号", "学号", "金额(元)", "交易时间", "备注", "原因 / reason"]);
    assert_eq!(project.ingested("my_card", "card.csv", &card(60, false)), 60);
}

#[test]
fn a_template_has_the_heads_of_the_contract_and_explains_them() {
    let project = Project::new();
    let out = project.path().join("student.xlsx").to_string_lossy().into_owned();
    project.run_well(&["pipeline", "template", "student", "--out", &out]);
    let said = project.run_well(&["pipeline", "new", &out, "--name", "filled", "--yes"]);
    assert!(said.contains("责任辅导员工号") && said.contains("these are the columns of the contract student"), "{said}");
    let (code, _, wrong) = project.run(&["pipeline", "template", "studnet", "--out", &out]);
    assert_eq!(code, 2, "{wrong}");
    assert!(wrong.contains("did you mean \"student\""), "{wrong}");
}

/// A living server over a project, with an administrator and a leader.
fn serving(project: &Project, flags: &[&str]) -> (Server, String, String) {
    let data = TempDir::new().expect("a folder");
    let folder = project.path().to_string_lossy().into_owned();
    let approvals = output(&mut yizhan(data.path(), &["ingest", "data_use_approval", "--now", NOW, "--project", &folder]));
    assert!(approvals.status.success(), "{}", String::from_utf8_lossy(&approvals.stderr));
    for role in ["administrator", "leader"] {
        let grant = format!("{role}:university");
        let mut command = yizhan(data.path(), &["user", "add", role, "--role", &grant, "--project", &folder]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("the binary starts");
        child.stdin.take().expect("a pipe").write_all(b"yizhan-demo\n").expect("a password");
        assert!(child.wait().expect("it ends").success());
    }
    let args = [&["serve", "--now", NOW, "--project", folder.as_str()], flags].concat();
    let server = Server::on(data, &args);
    let (administrator, leader) = (server.login("administrator"), server.login("leader"));
    (server, administrator, leader)
}

#[track_caller]
fn check(document: &Document, path: &str, answer: &Answer) {
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    document.check(document.answer(path, "post").expect("a schema"), &answer.body, path);
}

#[test]
fn the_wizard_goes_from_an_upload_to_a_contract() {
    let project = Project::new();
    let (server, cookie, leader) = serving(&project, &[]);
    let document = Document::of(&server);
    let own = [("x-yizhan", "1"), ("cookie", cookie.as_str())];
    let ask = |path: &str, body: &Value| server.post(path, &own, body);

    let state = server.get("/api/v1/import", Some(&cookie));
    assert_eq!(state.status, 200, "{}", state.body);
    document.check(document.answer("/api/v1/import", "get").expect("a schema"), &state.body, "the wizard's beginning");
    let template = server.get("/api/v1/import/template/student", Some(&cookie));
    assert_eq!((template.status, &template.bytes[..2]), (200, &b"PK"[..]));
    assert!(template.kind.ends_with("spreadsheetml.sheet"), "{}", template.kind);
    document.check_problem(&server.get("/api/v1/import/template/nothing", Some(&cookie)), 404, "no such contract");
    document.check_problem(&server.get("/api/v1/import/template/student", Some(&leader)), 403, "a leader's template");

    let guess = server.send("/api/v1/import/guess?filename=swipe_20250901.csv", &cookie, &card(60, true));
    check(&document, "/api/v1/import/guess", &guess);
    let guess = guess.body;
    assert_eq!((&guess["guess"]["encoding"]["value"], &guess["choices"]["name"]), (&json!("gb18030"), &json!("swipe")));
    let mut choices = guess["choices"].clone();
    choices["owner"] = json!("card_center");
    let body = json!({ "upload_id": guess["upload_id"], "choices": choices });

    let preview = ask("/api/v1/import/preview", &body);
    check(&document, "/api/v1/import/preview", &preview);
    let preview = preview.body;
    assert_eq!((&preview["rows_kept"], &preview["rows_refused"]), (&json!(58), &json!(2)));
    assert_eq!(preview["rows"].as_array().map(Vec::len), Some(50));
    assert_eq!(preview["rows"][0]["student_key"], "S-0001", "a pseudonym stands for the person: {}", preview["rows"][0]);
    assert!(!preview["rows"].to_string().contains("2023000"), "no number of a person among the rows");
    assert!(preview["refused"][0]["words_zh"].as_str().is_some_and(|it| it.contains("小数")), "{}", preview["refused"]);

    // The refused rows come back as a workbook; corrected, they take their places.
    let rejects = ask("/api/v1/import/rejects", &body);
    assert_eq!((rejects.status, &rejects.bytes[..2]), (200, &b"PK"[..]));
    let looked = server.send("/api/v1/import/guess?filename=rejects.xlsx", &cookie, &rejects.bytes).body;
    let last = looked["guess"]["columns"].as_array().and_then(|it| it.last()).expect("columns").clone();
    assert_eq!(last["head"], "原因 / reason");
    assert!(last["examples"][0].as_str().is_some_and(|it| it.starts_with("第 4 行数据：“金额(元)”")), "{last}");
    let corrected = workbook(&[
        &["流水号", "学号", "金额(元)", "交易时间", "备注", "原因 / reason"],
        &["9003", "2023000003", "3.50", "2025/9/4 7:03:03", "食堂", "done"],
        &["9005", "2023000005", "5.50", "2025/9/6 7:05:03", "食堂", ""],
    ]);
    let id = guess["upload_id"].as_str().expect("an id");
    let path = format!("/api/v1/import/correct?upload_id={id}&filename=corrected.xlsx");
    let mended = server.send(&path, &cookie, &corrected);
    check(&document, "/api/v1/import/correct", &mended);
    assert_eq!((&mended.body["rows_in"], &mended.body["rows_refused"]), (&json!(60), &json!(0)));

    // A name that is taken is refused, and data nobody approved are not taken in.
    let saved = |name: &str, more: Value| {
        let mut body = body.clone();
        body["choices"]["name"] = json!(name);
        body["choices"]["path"] = json!(format!("import/{name}/*.csv*"));
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        ask("/api/v1/import/save", &body)
    };
    let taken = saved("card_txn", json!({}));
    document.check_problem(&taken, 409, "a name that is taken");
    assert_eq!(taken.body["code"], "exists");
    let closed = saved("nobody_approved", json!({ "take": true }));
    document.check_problem(&closed, 409, "no approval");
    assert_eq!(closed.body["code"], "no_approval");
    assert!(!project.path().join("pipelines/nobody_approved.toml").exists());
    document.check_problem(&saved("../x", json!({})), 422, "a name that leads elsewhere");

    // Of an approval that leaves something out: which field, by the name that people know, whose approval, and what to do.
    let narrow = saved("narrow", json!({ "take": true }));
    document.check_problem(&narrow, 409, "an approval that is too narrow");
    let told = narrow.body.to_string();
    for word in [
        "（金额(元)）",
        "审批〔2025〕8号",
        "财务处",
        "registry/data_use_approval.csv",
        "“字段范围”加上",
        "take them out of the contract",
    ] {
        assert!(told.contains(word), "\"{word}\" is not told: {told}");
    }
    let mut body_narrow = body.clone();
    body_narrow["choices"]["name"] = json!("narrow");
    body_narrow["choices"]["path"] = json!("import/narrow/*.csv*");
    let lack = ask("/api/v1/import/preview", &body_narrow).body["approval_lack_zh"].to_string();
    assert!(lack.contains("（金额(元)）") && lack.contains("财务处"), "told before anything is saved: {lack}");

    let answer = saved("swipe", json!({ "take": true }));
    check(&document, "/api/v1/import/save", &answer);
    assert_eq!(answer.body["path"], "pipelines/swipe.toml");
    assert!(project.contract("swipe").contains("owner     = \"card_center\""));
    let path = answer.body["taken_to"].as_str().expect("a place").to_owned();
    assert!(project.path().join("input").join(&path).exists());
    document.check_problem(&ask("/api/v1/import/preview", &body), 404, "a file that was saved is kept no longer");
    assert!(!server.data.path().join("import").join(id).exists());

    // A table of a contract that stands is taken in under it, and nothing is written over.
    let leave = "请假单号,学号,请假类型,开始时间,结束时间,审批人工号,审批时间,销假时间\nL1,2023000001,事假,2025-09-01 08:00,2025-09-01 18:00,T00001,2025-09-01 07:00,\n";
    let known = server.send("/api/v1/import/guess?filename=leave.csv", &cookie, leave.as_bytes()).body;
    assert_eq!(
        (&known["fits"]["pipeline"], &known["fits"]["choices"]["path"]),
        (&json!("leave_record"), &json!("leave/leave_*.csv"))
    );
    let same = json!({ "upload_id": known["upload_id"], "choices": known["fits"]["choices"] });
    let same_preview = ask("/api/v1/import/preview", &same);
    check(&document, "/api/v1/import/preview", &same_preview);
    assert_eq!((&same_preview.body["exists"], &same_preview.body["displaces"]), (&json!(false), &Value::Null));
    let mut moved = same.clone();
    moved["choices"]["path"] = json!("import/leave/*.csv*");
    let moved = ask("/api/v1/import/preview", &moved).body;
    assert_eq!((&moved["exists"], &moved["displaces"]), (&json!(true), &json!("leave/leave_*.csv")));
    check(&document, "/api/v1/import/save", &ask("/api/v1/import/save", &same));
    assert!(!project.path().join("pipelines/leave_record.toml").exists(), "the pack's contract holds");

    // Nobody else gets in, and every step stands in the log.
    let others = [("x-yizhan", "1"), ("cookie", leader.as_str())];
    for path in ["/api/v1/import/preview", "/api/v1/import/rejects", "/api/v1/import/save"] {
        document.check_problem(&server.post(path, &others, &body), 403, path);
    }
    document.check_problem(&server.send("/api/v1/import/guess?filename=x.csv", &leader, b"a,b\n"), 403, "a leader's upload");
    document.check_problem(&server.get("/api/v1/import", Some(&leader)), 403, "a leader's wizard");
    let log = std::fs::read(server.data.path().join("store/yizhan.sqlite")).unwrap_or_default();
    let wal = std::fs::read(server.data.path().join("store/yizhan.sqlite-wal")).unwrap_or_default();
    let log = String::from_utf8_lossy(&[log, wal].concat()).into_owned();
    for action in ["import_guess", "import_preview", "import_rejects", "import_correct", "import_save"] {
        assert!(log.contains(action), "{action} is not in the log");
    }
    drop(server);
    assert_eq!(project.ingested("swipe", "nothing.txt", b""), 60);
}

#[test]
fn what_is_no_table_or_too_large_is_refused_with_a_sentence() {
    let project = Project::new();
    let (server, cookie, _) = serving(&project, &["--set", "serve.import_bytes_max=\"1 MiB\""]);
    let document = Document::of(&server);
    let refuse = |name: &str, bytes: &[u8], status: u16, words: &str| {
        let answer = server.send(&format!("/api/v1/import/guess?filename={name}"), &cookie, bytes);
        document.check_problem(&answer, status, name);
        assert!(answer.body["title"].as_str().is_some_and(|it| it.contains(words)), "{}", answer.body);
    };
    refuse("x.xlsx", b"this is no workbook", 422, "工作簿打不开");
    refuse("x.csv", b"", 422, "表头");
    refuse("x.csv", &vec![b'a'; (1 << 20) + 1], 413, "1 MiB");
    refuse("x.csv", &vec![b'a'; 3 << 20], 413, "1 MiB");
    document.check_problem(&server.send("/api/v1/import/guess", &cookie, b"a"), 400, "a file without a name");
}
