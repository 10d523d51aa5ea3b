//! What `yizhan doctor` looks at that needs no lake: settings, folders, who writes, clocks, backups. Each look gives lines
//! of a state, what, and what to do; deciding is apart from looking, so that a test can hold it.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serve::{Sentence, Urgency, span};

use crate::known::Doubt;
use crate::settings::{Approvals, Durability, Mint, Now, Settings};

/// One line of the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Line {
    /// What was looked at.
    pub(crate) about: String,
    #[serde(flatten)]
    pub(crate) said: Sentence,
}

impl Line {
    pub(crate) fn new(about: &str, code: &'static str, urgency: Urgency, text: [String; 2], todo: [&str; 2]) -> Self {
        Self { about: about.to_owned(), said: Sentence::new(code, urgency, text, todo) }
    }

    fn ok(about: &str, zh: &str, en: &str) -> Self {
        Self::new(about, "ok", Urgency::Ok, [zh.to_owned(), en.to_owned()], ["", ""])
    }
}

/// The code with which the report ends: 0 all is well, 1 something should be looked at, 2 somebody is needed.
pub(crate) fn exit_code(lines: &[Line]) -> u8 {
    match lines.iter().map(|it| it.said.urgency).max() {
        Some(Urgency::Act) => 2,
        Some(Urgency::Watch) => 1,
        Some(Urgency::Ok) | None => 0,
    }
}

/// Settings that belong to a demonstration or a test.
pub(crate) fn settings(it: &Settings) -> Vec<Line> {
    let host = it.serve.listen.rsplit_once(':').map_or(it.serve.listen.as_str(), |it| it.0);
    let is_local = matches!(host, "localhost" | "[::1]") || host.starts_with("127.");
    let found = [
        (
            it.serve.is_demo,
            "demo",
            Urgency::Act,
            ["serve.is_demo 已打开：登录页公开演示账号", "serve.is_demo is on: the login page shows the demo logins"],
            ["在 yizhan.toml 中关闭", "turn it off in yizhan.toml"],
        ),
        (
            matches!(it.store.mint, Mint::Seed(_)),
            "mint",
            Urgency::Act,
            ["store.mint 是固定种子：人员代号可被推算", "store.mint is a seed: keys of persons can be worked out"],
            ["用 \"random\" 建立新的数据目录后重新导入", "set \"random\", begin a new data folder and take the exports in again"],
        ),
        (
            it.campus.emergency_zh.contains("yizhan.toml") || it.campus.emergency_en.contains("yizhan.toml"),
            "emergency",
            Urgency::Act,
            [
                "紧急电话仍是占位文字，求助页会显示它",
                "the emergency line is still the placeholder, and the page of help shows it",
            ],
            ["填写 [campus] emergency_zh 与 emergency_en", "fill in [campus] emergency_zh and emergency_en"],
        ),
        (
            matches!(it.lake.durability, Durability::Os),
            "durability",
            Urgency::Watch,
            [
                "lake.durability = \"os\"：断电可能丢失已应答的数据",
                "lake.durability = \"os\": a power cut may lose what was answered for",
            ],
            ["改为 \"fsync\"", "set \"fsync\""],
        ),
        (
            it.ingest.approvals == Approvals::Off,
            "approvals",
            Urgency::Watch,
            [
                "ingest.approvals = \"off\"：来源无需数据使用审批即可进入",
                "ingest.approvals = \"off\": sources enter without an approval of their use",
            ],
            ["仅公开数据可如此；否则改为 \"required\"", "only right for public data; else set \"required\""],
        ),
        (
            it.clock.now == Now::Data,
            "clock",
            Urgency::Watch,
            [
                "clock.now = \"data\"：平台停在数据的最后一天",
                "clock.now = \"data\": the platform stands on the last day of its data",
            ],
            ["改为 \"wall\"", "set \"wall\""],
        ),
        (
            !is_local,
            "listen",
            Urgency::Watch,
            ["serve.listen 对外提供未加密的 HTTP", "serve.listen offers plain HTTP to other machines"],
            ["只监听 127.0.0.1，由带证书的反向代理对外", "listen on 127.0.0.1 and put a proxy with a certificate before it"],
        ),
    ];
    let lines: Vec<Line> = found
        .into_iter()
        .filter(|it| it.0)
        .map(|(_, code, urgency, text, todo)| Line::new("settings", code, urgency, text.map(str::to_owned), todo))
        .collect();
    if lines.is_empty() { vec![Line::ok("settings", "设置适合正式使用", "fit for use with real data")] } else { lines }
}

/// Who may read the data folder and the keys.
pub(crate) fn permissions(data: &Path) -> Vec<Line> {
    let places = [("", false), ("keys", true), ("keys/vault.key", true), ("serve.json", true)];
    let mut lines = Vec::new();
    for (name, is_secret) in places {
        let path = data.join(name);
        if let Some(mode) = mode(&path) {
            lines.extend(mode_line(&path.display().to_string(), mode, is_secret));
        }
    }
    if lines.is_empty() {
        vec![Line::ok("permissions", "数据目录只对本用户开放", "the data folder is its owner's alone")]
    } else {
        lines
    }
}

/// Who may read the passwords and keys of brokers: what is lost there lets a stranger speak for the gates.
pub(crate) fn secrets(files: &[PathBuf]) -> Vec<Line> {
    let told = files.iter().filter_map(|it| mode_line(&it.display().to_string(), mode(it)?, true));
    told.collect()
}

#[cfg(unix)]
fn mode(path: &Path) -> Option<u32> {
    Some(std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(path).ok()?) & 0o777)
}

#[cfg(not(unix))]
fn mode(_: &Path) -> Option<u32> {
    None
}

fn mode_line(path: &str, mode: u32, is_secret: bool) -> Option<Line> {
    let text = |zh: &str, en: &str| [format!("{path}（{mode:03o}）{zh}"), format!("{path} ({mode:03o}) {en}")];
    // Of what is secret the group is a stranger too; where everybody may write, nothing is safe.
    if mode & 0o002 != 0 {
        let text = text("所有人可写", "may be written by everybody");
        return Some(Line::new("permissions", "writable", Urgency::Act, text, ["chmod o-rwx", "chmod o-rwx"]));
    }
    if is_secret && mode & 0o007 != 0 {
        let text = text("其他用户可读，而它应保密", "may be read by other users, and it is secret");
        return Some(Line::new("permissions", "readable", Urgency::Act, text, ["chmod go-rwx", "chmod go-rwx"]));
    }
    if mode & 0o005 != 0 {
        let text = text("其他用户可列出与读取", "may be listed and read by other users");
        return Some(Line::new("permissions", "open", Urgency::Watch, text, ["chmod o-rwx", "chmod o-rwx"]));
    }
    None
}

/// Whether somebody holds the lake, and what they noted of themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Writer {
    pub(crate) is_held: bool,
    /// Process and command, as the lock file says; nothing after a writer that left in order.
    pub(crate) noted: Option<String>,
}

/// Looks who holds the lake, and disturbs nobody: the lock is only tried, shared, for an instant.
pub(crate) fn writer(data: &Path) -> Option<Writer> {
    #[derive(serde::Deserialize)]
    struct Holder {
        pid: u32,
        command: String,
    }
    let path = data.join("lake").join(".lock");
    let file = std::fs::File::open(&path).ok()?;
    let is_held = matches!(file.try_lock_shared(), Err(std::fs::TryLockError::WouldBlock));
    let holder = std::fs::read_to_string(&path).ok().and_then(|it| serde_json::from_str::<Holder>(&it).ok());
    drop(file);
    Some(Writer { is_held, noted: holder.map(|it| format!("{} ({})", it.pid, it.command)) })
}

/// Whether the server that noted itself answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    /// None noted itself.
    None,
    /// It answers.
    Answers,
    /// It does not.
    Silent,
}

pub(crate) fn writer_line(writer: Option<&Writer>, server: Server) -> Line {
    let Some(writer) = writer else {
        return Line::new(
            "writer",
            "no_lake",
            Urgency::Watch,
            ["还没有数据湖".to_owned(), "there is no lake yet".to_owned()],
            ["先运行 yizhan run", "run `yizhan run` first"],
        );
    };
    let who = writer.noted.clone().unwrap_or_default();
    match (writer.is_held, server) {
        (true, Server::Silent) => Line::new(
            "writer",
            "silent",
            Urgency::Act,
            [
                format!("进程 {who} 占有数据湖，但服务不应答"),
                format!("process {who} holds the lake, and the server does not answer"),
            ],
            [
                "查看其日志；必要时结束该进程，再次启动会自行修复",
                "see its log; end it if need be, the next start repairs by itself",
            ],
        ),
        (true, _) => Line::ok("writer", &format!("进程 {who} 正在写入"), &format!("process {who} writes")),
        (false, _) if writer.noted.is_some() => Line::new(
            "writer",
            "left",
            Urgency::Watch,
            [format!("上一个写入进程 {who} 未正常结束"), format!("the last writer, {who}, did not leave in order")],
            [
                "再次启动会自行修复；请查明原因（断电、被结束、内存不足）",
                "the next start repairs by itself; find out why (power, kill, memory)",
            ],
        ),
        (false, _) => Line::new(
            "writer",
            "stopped",
            Urgency::Watch,
            ["没有进程在写入：服务未运行".to_owned(), "nobody writes: no server runs".to_owned()],
            ["若应在运行：yizhan serve", "if one should: yizhan serve"],
        ),
    }
}

const MINUTE_US: i64 = 60_000_000;
const DAY_US: i64 = 1_440 * MINUTE_US;

/// The machine's clock against the newest instant at which a row was known: that one was a clock of this machine too. One that
/// leapt ahead is told by who met it.
pub(crate) fn clock_line(now_us: i64, known_us: Option<i64>, doubt: Option<Doubt>) -> Line {
    if let Some(doubt) = doubt.filter(|it| !it.is_confirmed) {
        let (zh, en) = doubt.words();
        let todo = ["校准时钟；若无误：yizhan clock --confirm", "set the clock right; if it is: `yizhan clock --confirm`"];
        return Line::new("clock", "leapt", Urgency::Act, [zh, en], todo);
    }
    match known_us {
        Some(known_us) if now_us + 5 * MINUTE_US < known_us => {
            let [zh, en] = span(known_us - now_us);
            Line::new(
                "clock",
                "behind",
                Urgency::Act,
                [format!("本机时钟比已写入的数据慢 {zh}"), format!("this machine's clock is {en} behind rows that it wrote")],
                [
                    "校时（NTP）后再写入：之后的数据会被视为更早知道",
                    "set the clock (NTP) before anything is written: newer rows would count as known earlier",
                ],
            )
        }
        _ => Line::ok("clock", "本机时钟与数据一致", "this machine's clock agrees with the rows"),
    }
}

/// How old the last backup is, by the file that its script touches.
pub(crate) fn backup_line(age_us: Option<i64>) -> Line {
    let todo = [
        "备份脚本成功后应更新 data/last-backup 的时间（touch）",
        "let the backup script touch data/last-backup when it succeeded",
    ];
    let Some(age_us) = age_us else {
        return Line::new(
            "backup",
            "unknown",
            Urgency::Watch,
            ["不知道最近一次备份的时间".to_owned(), "no backup is known of".to_owned()],
            todo,
        );
    };
    let [zh, en] = span(age_us);
    let text = [format!("最近一次备份在 {zh}前"), format!("the last backup is {en} old")];
    match age_us {
        it if it <= 2 * DAY_US => Line::new("backup", "ok", Urgency::Ok, text, ["", ""]),
        it if it <= 7 * DAY_US => Line::new("backup", "old", Urgency::Watch, text, todo),
        _ => Line::new("backup", "old", Urgency::Act, text, todo),
    }
}

/// The age of the file that a backup touches.
pub(crate) fn backup_age(data: &Path) -> Option<i64> {
    let at = std::fs::metadata(data.join("last-backup")).and_then(|it| it.modified()).ok()?;
    let age = std::time::SystemTime::now().duration_since(at).unwrap_or_default();
    i64::try_from(age.as_micros()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(lines: &[Line]) -> Vec<&'static str> {
        lines.iter().map(|it| it.said.code).collect()
    }

    fn read(flags: &[(&str, &str)]) -> Settings {
        let flags: Vec<(String, String)> = flags.iter().map(|it| (it.0.to_owned(), it.1.to_owned())).collect();
        Settings::read(Path::new("/nowhere"), &flags).expect("settings").0
    }

    const FILLED: [(&str, &str); 2] = [("campus.emergency_zh", "拨 110"), ("campus.emergency_en", "call 110")];

    #[test]
    fn settings_of_a_demonstration_are_told_and_those_of_a_school_are_not() {
        assert_eq!(codes(&settings(&read(&[]))), ["emergency"], "a placeholder must not reach a student in need");
        assert_eq!(codes(&settings(&read(&FILLED))), ["ok"]);
        let loose = [
            FILLED[0],
            FILLED[1],
            ("serve.is_demo", "true"),
            ("store.mint", "7"),
            ("lake.durability", "os"),
            ("ingest.approvals", "off"),
            ("clock.now", "data"),
            ("serve.listen", "0.0.0.0:8080"),
        ];
        let lines = settings(&read(&loose));
        assert_eq!(codes(&lines), ["demo", "mint", "durability", "approvals", "clock", "listen"]);
        assert_eq!(exit_code(&lines), 2);
        assert_eq!(exit_code(&lines[2..]), 1);
        assert_eq!(exit_code(&settings(&read(&FILLED))), 0);
    }

    #[test]
    fn what_is_secret_is_its_owners_and_nothing_is_everybodys_to_write() {
        let told = |mode, is_secret| mode_line("x", mode, is_secret).map(|it| (it.said.code, it.said.urgency));
        assert_eq!(told(0o700, false), None);
        assert_eq!(told(0o750, false), None);
        assert_eq!(told(0o755, false), Some(("open", Urgency::Watch)));
        assert_eq!(told(0o755, true), Some(("readable", Urgency::Act)));
        assert_eq!(told(0o600, true), None);
        assert_eq!(told(0o777, false), Some(("writable", Urgency::Act)));
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_may_read_is_told_with_its_path() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::TempDir::new().expect("a folder");
        let file = |name: &str, mode: u32| {
            let path = folder.path().join(name);
            std::fs::write(&path, "secret").expect("written");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("its mode");
            path
        };
        let (own, open) = (file("own.key", 0o600), file("open.key", 0o644));
        let lines = secrets(&[own, open, folder.path().join("missing.key")]);
        assert_eq!(codes(&lines), ["readable"]);
        assert!(lines[0].said.text_en.contains("open.key") && lines[0].said.urgency == Urgency::Act);
    }

    #[test]
    fn who_writes_is_told_with_what_it_means() {
        let writer = |is_held, noted: Option<&str>| Writer { is_held, noted: noted.map(str::to_owned) };
        let told = |it: Option<&Writer>, server| {
            let line = writer_line(it, server);
            (line.said.code, line.said.urgency)
        };
        assert_eq!(told(None, Server::None), ("no_lake", Urgency::Watch));
        assert_eq!(told(Some(&writer(true, Some("7 (yizhan serve)"))), Server::Answers), ("ok", Urgency::Ok));
        assert_eq!(told(Some(&writer(true, Some("7 (yizhan run)"))), Server::None), ("ok", Urgency::Ok));
        assert_eq!(told(Some(&writer(true, Some("7 (yizhan serve)"))), Server::Silent), ("silent", Urgency::Act));
        assert_eq!(told(Some(&writer(false, Some("7 (yizhan serve)"))), Server::Silent), ("left", Urgency::Watch));
        assert_eq!(told(Some(&writer(false, None)), Server::None), ("stopped", Urgency::Watch));
    }

    #[test]
    fn a_lock_that_is_held_is_seen_and_not_taken() {
        let data = tempfile::TempDir::new().expect("a folder");
        assert_eq!(writer(data.path()), None);
        std::fs::create_dir(data.path().join("lake")).expect("a folder");
        let path = data.path().join("lake/.lock");
        std::fs::write(&path, r#"{"pid":7,"command":"yizhan serve","opened":3}"#).expect("written");
        let file = std::fs::File::open(&path).expect("a file");
        file.try_lock().expect("it is free");
        let noted = Some("7 (yizhan serve)".to_owned());
        assert_eq!(writer(data.path()), Some(Writer { is_held: true, noted: noted.clone() }));
        drop(file);
        assert_eq!(writer(data.path()), Some(Writer { is_held: false, noted }));
        std::fs::File::open(&path).expect("a file").try_lock().expect("looking left it free");
    }

    #[test]
    fn a_clock_behind_the_rows_and_an_old_backup_are_told() {
        let now = 100 * DAY_US;
        assert_eq!(clock_line(now, None, None).said.code, "ok");
        assert_eq!(clock_line(now, Some(now + 4 * MINUTE_US), None).said.code, "ok");
        let doubt = Doubt { from_us: now, to_us: now + DAY_US, is_confirmed: false, is_of_start: false, since: None };
        let leapt = clock_line(now + DAY_US, Some(now), Some(doubt)).said;
        assert_eq!((leapt.code, leapt.urgency), ("leapt", Urgency::Act));
        assert_eq!(clock_line(now, None, Some(Doubt { is_confirmed: true, ..doubt })).said.code, "ok");
        let behind = clock_line(now, Some(now + 180 * MINUTE_US), None).said;
        assert_eq!((behind.code, behind.urgency), ("behind", Urgency::Act));
        assert!(behind.text_en.contains("3 h"), "{}", behind.text_en);
        let told = |age: Option<i64>| backup_line(age.map(|it| it * DAY_US)).said.urgency;
        assert_eq!(
            [told(None), told(Some(1)), told(Some(3)), told(Some(8))],
            [Urgency::Watch, Urgency::Ok, Urgency::Watch, Urgency::Act]
        );
    }
}
