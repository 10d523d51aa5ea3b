//! Bad input gets a sentence that says what, where and what to do, an exit code, and leaves nothing half-written.

use std::path::Path;
use std::process::Stdio;

use tempfile::TempDir;

use crate::support::{NOW, output, repository, tables, yizhan};

/// A project with one file of its own over the pack, and one export.
fn refuse(file: Option<(&str, &str)>, export: Option<(&str, &[u8])>) -> (i32, String, Vec<String>) {
    let (project, data) = (TempDir::new().expect("a folder"), TempDir::new().expect("a folder"));
    // What is looked at here is the file, not whether its use is approved.
    let settings = "packs = [\"campus\"]\n[ingest]\napprovals = \"off\"\n";
    std::fs::write(project.path().join("yizhan.toml"), settings).expect("written");
    let write = |path: &Path, bytes: &[u8]| {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, bytes).expect("written");
    };
    if let Some((path, text)) = file {
        write(&project.path().join(path), text.as_bytes());
    }
    let input = project.path().join("input");
    std::fs::create_dir_all(&input).expect("a folder");
    if let Some((path, bytes)) = export {
        write(&input.join(path), bytes);
    }
    let out = output(yizhan(data.path(), &["ingest", "--now", NOW, "--project"]).arg(project.path()));
    let text = String::from_utf8_lossy(&out.stderr).into_owned();
    let left = if data.path().join("lake").is_dir() { tables(data.path()) } else { Vec::new() };
    (out.status.code().unwrap_or(-1), text, left)
}

#[track_caller]
fn check(refused: (i32, String, Vec<String>), words: &[&str]) {
    let (code, text, left) = refused;
    assert_eq!(code, 2, "{text}");
    for word in words {
        assert!(text.contains(word), "the message lacks \"{word}\": {text}");
    }
    assert!(left.is_empty(), "something was written: {left:?}");
}

#[test]
fn the_projects_on_public_data_are_sound() {
    for project in ["oulad", "boston311"] {
        let folder = repository().join("tests/projects").join(project);
        let data = TempDir::new().expect("a folder");
        let out = output(yizhan(data.path(), &["check", "--project"]).arg(&folder));
        let (text, wrong) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        assert!(out.status.success(), "{project}: {text}{wrong}");
        assert!(text.contains("all sound"), "{project}: {text}");
        // Without a pack it has its own files and no others.
        let own = std::fs::read_dir(folder.join("pipelines")).expect("a folder").count();
        assert!(project != "oulad" || text.starts_with(&format!("{own} pipelines, ")), "{project}: {text}");
    }
}

#[cfg(unix)]
#[test]
fn output_that_nobody_reads_ends_the_program_without_a_panic() {
    let data = TempDir::new().expect("a folder");
    let mut child = yizhan(data.path(), &["config"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    // Gone before a line was written.
    drop(child.stdout.take());
    let out = child.wait_with_output().expect("it ends");
    assert_eq!((out.status.code(), String::from_utf8_lossy(&out.stderr).as_ref()), (Some(141), ""));
}

#[test]
fn a_missing_column_is_named() {
    check(
        refuse(None, Some(("registry/org_unit.csv", "单位编号,单位名称,类别\nU01,大学,学校\n".as_bytes()))),
        &["org_unit.csv", "上级单位"],
    );
}

#[test]
fn a_column_nobody_declared_is_refused() {
    let bytes = "单位编号,单位名称,上级单位,类别,电话\nU01,大学,,学校,1\n".as_bytes();
    check(refuse(None, Some(("registry/org_unit.csv", bytes))), &["org_unit.csv", "电话"]);
}

#[test]
fn a_broken_workbook_is_refused() {
    check(refuse(None, Some(("registry/student.xlsx", b"this is no workbook"))), &["student.xlsx"]);
}

#[test]
fn a_truncated_archive_is_refused() {
    // The first bytes of a gzip stream and nothing behind them.
    check(
        refuse(None, Some(("gate/gate_20250901.jsonl.gz", &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xab]))),
        &["gate_20250901.jsonl.gz"],
    );
}

#[test]
fn a_feed_in_another_encoding_is_refused() {
    let head = "流水号,学号,终端号,商户类型,交易金额(元),余额(元),交易时间\r\n";
    check(refuse(None, Some(("card/card_20250901.csv", head.as_bytes()))), &["card_20250901.csv"]);
}

#[test]
fn an_unknown_key_is_answered_with_the_one_that_was_meant() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../pipelines/org_unit.toml"))
        .expect("the pack's own");
    let text = text.replace("owner     =", "ownr      =");
    check(refuse(Some(("pipelines/org_unit.toml", &text)), None), &["org_unit.toml", "ownr", "owner", "line"]);
}

#[test]
fn models_that_read_each_other_in_a_circle_are_refused() {
    let model = |name: &str, other: &str| {
        let front = "/*---\nkind = \"table\"\nabout = \"x\"\nowner = \"x\"\nmaterialized = \"view\"\n---*/\n";
        (format!("sql/marts/{name}.sql"), format!("{front}SELECT * FROM {other}\n"))
    };
    let project = TempDir::new().expect("a folder");
    std::fs::write(project.path().join("yizhan.toml"), "packs = [\"campus\"]\n").expect("written");
    std::fs::create_dir_all(project.path().join("sql/marts")).expect("a folder");
    for (path, text) in [model("one", "other"), model("other", "one")] {
        std::fs::write(project.path().join(path), text).expect("written");
    }
    let data = TempDir::new().expect("a folder");
    let out = output(yizhan(data.path(), &["check", "--project"]).arg(project.path()));
    let text = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(2), "{text}");
    assert!(text.contains("one -> other -> one") || text.contains("other -> one -> other"), "{text}");
}

#[test]
fn a_campus_without_its_own_emergency_line_is_refused() {
    let project = TempDir::new().expect("a folder");
    let data = TempDir::new().expect("a folder");
    let check = |settings: &str| {
        std::fs::write(project.path().join("yizhan.toml"), format!("packs = [\"campus\"]\n[campus]\n{settings}"))
            .expect("written");
        let out = output(yizhan(data.path(), &["check", "--project"]).arg(project.path()));
        (out.status.code(), String::from_utf8_lossy(&out.stderr).into_owned())
    };
    let (code, wrong) = check("emergency_zh = \"先拨 0000-0000000\"\n");
    assert!(code == Some(2) && wrong.contains("emergency_en") && wrong.contains("yizhan.toml"), "{code:?} {wrong}");
    let (code, wrong) = check("emergency_zh = \"先拨 0000-0000000\"\nemergency_en = \"First call 0000-0000000\"\n");
    assert_eq!(code, Some(0), "{wrong}");
}

#[test]
fn a_second_writer_is_told_to_wait() {
    let data = TempDir::new().expect("a folder");
    let mut first = yizhan(data.path(), &["run", "--now", NOW, "--input"])
        .arg(crate::support::campus())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("the binary starts");
    // The first holds the lake for seconds; the second asks until the lock is there.
    let mut seen = None;
    for _ in 0..1_500 {
        if data.path().join("lake").join("lake.json").exists() {
            let out = output(yizhan(data.path(), &["ingest", "--now", NOW, "--input"]).arg(crate::support::campus()));
            seen = Some((out.status.code(), String::from_utf8_lossy(&out.stderr).into_owned()));
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    first.kill().expect("kill");
    first.wait().expect("it ends");
    let (code, text) = seen.expect("the first run opened its lake");
    assert_eq!(code, Some(75), "{text}");
    assert!(text.contains("held by"), "{text}");
}

#[test]
fn a_feed_in_utf_16_without_a_mark_is_refused() {
    let text: Vec<u8> = "单位编号,单位名称\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    check(refuse(None, Some(("registry/org_unit.csv", &text))), &["org_unit.csv", "utf-8", "utf-16"]);
}

#[test]
fn a_pack_that_there_is_not_is_answered_with_those_there_are() {
    let project = TempDir::new().expect("a folder");
    std::fs::write(project.path().join("yizhan.toml"), "packs = [\"campsu\"]\n").expect("written");
    let out = output(yizhan(project.path(), &["check", "--project"]).arg(project.path()));
    let text = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(2), "{text}");
    assert!(text.contains("campsu") && text.contains("campus"), "{text}");
}

/// A file system of its own, so small that the walk does not fit, and then made larger.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_said_and_the_next_run_goes_on_from_there() {
    let unshare = |script: &str| {
        let mut command = std::process::Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c", script]);
        command
    };
    assert!(
        unshare("true").status().is_ok_and(|it| it.success()),
        "this machine lets nobody mount a file system of their own (unshare --map-root-user --mount): without it a full disk \
         cannot be tried; leave the case out by `cargo test --workspace -- --skip a_full_disk`"
    );
    let data = TempDir::new().expect("a folder");
    let run = yizhan(data.path(), &["--set", "transform.as_of_days=1", "run", "--now", NOW, "--format", "json", "--input"]);
    let words: Vec<String> = std::iter::once(run.get_program())
        .chain(run.get_args())
        .map(|it| format!("'{}'", it.to_string_lossy()))
        .chain([format!("'{}'", crate::support::campus().display())])
        .collect();
    let (run, folder) = (words.join(" "), data.path().display());
    let count = format!("{} --data '{folder}' sql 'SELECT count(*) AS n FROM raw_card_txn' --format json", words[0]);
    let script = format!(
        "mount -t tmpfs -o size=5m none '{folder}' && {run}; echo \"first $?\"; \
         mount -o remount,size=500m '{folder}' && {run}; echo \"second $?\"; {count}"
    );
    let out = output(unshare(&script).current_dir(crate::support::repository()));
    let (said, wrong) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(said.contains("first 75"), "a full disk is to be tried again later: {said}{wrong}");
    assert!(wrong.contains("No space left") || wrong.contains("full"), "{wrong}");
    assert!(said.contains("second 0"), "{said}{wrong}");
    let expected = crate::support::sql(crate::support::built().0.path(), "SELECT count(*) AS n FROM raw_card_txn");
    assert!(said.contains(&expected[0].to_string()), "{said} against {expected:?}");
}
