//! `yizhan doctor`: what whoever is called at night would ask, in one report. It writes nothing, and works with a running
//! server beside it and without one.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use serve::{Sentence, Urgency, span};
use store::{ChannelUse, RunResult};

use super::{Common, Format, demo};
use crate::doctor::{self, Line, Server};
use crate::handover::{self, Address};
use crate::house::{Access, House};
use crate::known::{Doubt, doubt_path};
use crate::stream;

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// A nightly run that is older was missed.
const NIGHT_US: i64 = 26 * 3_600_000_000;
/// A run that goes on for longer may be stuck.
const LONG_US: i64 = 6 * 3_600_000_000;
/// Messages of so long say whether a channel works.
const MESSAGES_US: i64 = 30 * 86_400_000_000;

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// One JSON object a line, as with --format json.
    #[arg(long)]
    json: bool,
}

impl Doctor {
    pub(crate) async fn run(self, common: &Common) -> anyhow::Result<ExitCode> {
        let settings = common.settings()?;
        let data = common.place().data;
        let address = handover::noted(&data);
        let answer = address.as_ref().and_then(|it| tokio::task::block_in_place(|| ask(it)));
        let server = match (&address, &answer) {
            (None, _) => Server::None,
            (Some(_), Some(_)) => Server::Answers,
            (Some(_), None) => Server::Silent,
        };
        let writer = doctor::writer(&data);
        let mut lines = vec![doctor::writer_line(writer.as_ref(), server)];
        lines.extend(doctor::settings(&settings));
        lines.extend(doctor::permissions(&data));
        lines.extend(doctor::secrets(&stream::secret_files(&common.place(), &settings)));
        lines.push(doctor::backup_line(doctor::backup_age(&data)));
        lines.extend(stream::slots(&common.place(), &settings).await);
        if writer.is_some() {
            lines.extend(log(common, writer.as_ref().is_some_and(|it| it.is_held)));
            match common.open(Access::Read).await {
                Ok(house) => lines.extend(inside(&house, answer.as_ref()).await?),
                Err(error) => lines.push(broken("data", "closed", &error)),
            }
        }
        let code = doctor::exit_code(&lines);
        if self.json || common.format() == Format::Json {
            lines.iter().for_each(|it| println!("{}", json!(it)));
        } else {
            folded(&lines).iter().for_each(|it| println!("{}", shown(it)));
        }
        Ok(ExitCode::from(code))
    }
}

/// What the server says of its sources: it knows what fails now, which no file does.
fn ask(address: &Address) -> Option<Value> {
    let asked = ureq::get(format!("{}/api/v1/pipelines", address.url))
        .config()
        .timeout_global(Some(PATIENCE))
        .build()
        .header("authorization", format!("Bearer {}", address.token));
    serde_json::from_str(&asked.call().ok()?.body_mut().read_to_string().ok()?).ok()
}

/// Lines that say the same of several things, together where the first of them stood.
fn folded(lines: &[Line]) -> Vec<(Vec<&str>, &Sentence)> {
    let mut folded: Vec<(Vec<&str>, &Sentence)> = Vec::new();
    for line in lines {
        match folded.iter_mut().find(|it| *it.1 == line.said) {
            Some((about, _)) => about.push(&line.about),
            None => folded.push((vec![&line.about], &line.said)),
        }
    }
    folded
}

/// A line of a report for people, and below it what is to be done and, if it speaks of several, of which.
fn shown((about, said): &(Vec<&str>, &Sentence)) -> String {
    let mark = match said.urgency {
        Urgency::Ok => "✓",
        Urgency::Watch => "!",
        Urgency::Act => "✗",
    };
    let below = |mark: &str, text: &str| format!("\n  {:<22} {mark}{text}", "");
    let name = match about.as_slice() {
        [one] => (*one).to_owned(),
        several => format!("× {}", several.len()),
    };
    let mut text = format!("{mark} {name:<22} {} / {}", said.text_zh, said.text_en);
    if !said.todo_zh.is_empty() {
        text.push_str(&below("→ ", &format!("{} / {}", said.todo_zh, said.todo_en)));
    }
    if 1 < about.len() {
        // Six names fit beside each other on most screens.
        about.chunks(6).for_each(|it| text.push_str(&below("", &it.join(", "))));
    }
    text
}

fn broken(about: &str, code: &'static str, error: &anyhow::Error) -> Line {
    let why = format!("{error:#}");
    let hint = super::hint(error).unwrap_or_default();
    let (zh, en) = hint.split_once(" / ").unwrap_or((hint.as_str(), hint.as_str()));
    Line::new(about, code, Urgency::Act, [format!("无法读取：{why}"), format!("cannot be read: {why}")], [zh, en])
}

/// The log's files as they lie there.
fn log(common: &Common, is_written: bool) -> Option<Line> {
    match wal::torn(&stream::folder(&common.place())) {
        // Somebody is just writing there.
        Ok(cuts) if cuts.is_empty() || is_written => None,
        Ok(cuts) => {
            let bytes: u64 = cuts.iter().map(|it| it.bytes).sum();
            Some(Line::new(
                "log",
                "torn",
                Urgency::Watch,
                [
                    format!("日志末尾有 {bytes} 字节未写完（未曾应答）"),
                    format!("the log ends in {bytes} bytes of a write that nobody was answered for"),
                ],
                ["下次启动会自行截去", "the next start cuts them off by itself"],
            ))
        }
        Err(error) => Some(Line::new(
            "log",
            "damaged",
            Urgency::Act,
            [format!("日志已损坏：{error}"), format!("the log is damaged: {error}")],
            [
                "不要删除：先备份整个 data/log，再联系维护者；已应答的数据在其中",
                "delete nothing: copy data/log first and ask whoever maintains it; rows that were answered for lie there",
            ],
        )),
    }
}

/// What needs store and lake.
async fn inside(house: &House, answer: Option<&Value>) -> anyhow::Result<Vec<Line>> {
    let mut lines = Vec::new();
    lines.extend(tables(house).await?);
    match stream::look(house, &mut stream::Seen::default()).await {
        Ok(operation) => {
            let known = operation.pipelines.iter().filter_map(|it| it.known_us).max();
            let doubt = Doubt::read(&doubt_path(&house.place.data));
            lines.push(doctor::clock_line(chrono::Utc::now().timestamp_micros(), known, doubt));
            let free = operation.disk_free_bytes.map_or_else(|| "?".to_owned(), |it| (it >> 20).to_string());
            let (held, rows) = (operation.log_bytes >> 20, operation.log_rows);
            lines.push(Line::new(
                "stream",
                "stream",
                Urgency::Ok,
                [
                    format!("磁盘余 {free} MiB；日志占 {held} MiB，{rows} 行尚未写入数据湖"),
                    format!("{free} MiB free on the disk; the log holds {held} MiB, {rows} rows that no table has yet"),
                ],
                ["", ""],
            ));
            lines.extend(operation.sentences().into_iter().map(|said| Line { about: "stream".to_owned(), said }));
            let mut well = 0;
            for it in &operation.pipelines {
                let said = it.sentences(operation.now_us);
                if said.iter().all(|it| it.urgency == Urgency::Ok) {
                    well += 1;
                }
                let told = said.into_iter().filter(|it| it.urgency != Urgency::Ok);
                lines.extend(told.map(|said| Line { about: it.pipeline.clone(), said }));
            }
            let all = operation.pipelines.len();
            lines.push(Line::new(
                "pipelines",
                "pipelines",
                Urgency::Ok,
                [format!("{all} 个来源中 {well} 个正常"), format!("{well} of {all} sources are as agreed")],
                ["", ""],
            ));
        }
        Err(error) => lines.push(broken("pipelines", "unread", &error)),
    }
    lines.extend(answer.into_iter().flat_map(failing));
    lines.push(night(house).await?);
    lines.extend(messages(house).await?);
    lines.extend(accounts(house).await?);
    if let Err(error) = crate::messages::channels(house) {
        lines.push(broken("channels", "channels", &error));
    }
    Ok(lines)
}

/// What fails in the running server, and which source sends more bad rows than its contract allows, by its own words: it knows
/// what came in the last hour, and a process beside it does not.
fn failing(answer: &Value) -> Vec<Line> {
    let rows = answer["rows"].as_array().into_iter().flatten();
    let rows = rows.map(|it| (it["pipeline"].as_str().unwrap_or_default(), &it["sentences"]));
    let mut lines = Vec::new();
    for (about, sentences) in rows.chain([("stream", &answer["stream"]["sentences"])]) {
        for it in sentences.as_array().into_iter().flatten() {
            let text = |name: &str| it[name].as_str().unwrap_or_default();
            let (code, urgency) = match text("code") {
                "failing" | "commit_failing" => ("failing", Urgency::Act),
                "refusing" => ("refusing", Urgency::Act),
                // What a slot holds back is asked of the database itself.
                "table_waits" => ("table_waits", Urgency::Watch),
                _ => continue,
            };
            let said = [text("text_zh").to_owned(), text("text_en").to_owned()];
            lines.push(Line::new(about, code, urgency, said, [text("todo_zh"), text("todo_en")]));
        }
    }
    lines
}

/// Tables whose log or files cannot be read.
async fn tables(house: &House) -> anyhow::Result<Vec<Line>> {
    let (mut lines, mut n) = (Vec::new(), 0);
    for lake in house.engine.lakes() {
        for table in lake.tables()? {
            n += 1;
            match lake.snapshot(&table).await {
                Ok(Some(snapshot)) => {
                    let missing = snapshot.files.iter().filter(|it| !snapshot.root.join(&it.path).is_file()).count();
                    if 0 < missing {
                        lines.push(Line::new(
                            &table,
                            "missing",
                            Urgency::Act,
                            [format!("缺少 {missing} 个数据文件"), format!("{missing} of its files are missing")],
                            [
                                "raw_ 表从备份恢复；其他表删除其目录后 yizhan transform 重建",
                                "restore a raw_ table from the backup; of another remove the folder and build it with `yizhan transform`",
                            ],
                        ));
                    }
                }
                Ok(None) => {}
                Err(error) => lines.push(broken(&table, "unreadable", &anyhow::Error::new(error))),
            }
        }
    }
    if lines.is_empty() {
        let text = [format!("{n} 张表均可读"), format!("{n} tables can be read")];
        lines.push(Line::new("tables", "ok", Urgency::Ok, text, ["", ""]));
    }
    Ok(lines)
}

/// Whether messages to staff go out: what the platform has to say at night, it says by them.
async fn messages(house: &House) -> anyhow::Result<Vec<Line>> {
    let channels = &house.settings.notify.channel;
    let now_us = chrono::Utc::now().timestamp_micros();
    let used = house.store.messages().channels_since(now_us - MESSAGES_US).await?;
    Ok(message_lines(&channels.iter().map(notify::ChannelConfig::name).collect::<Vec<_>>(), &used, now_us))
}

fn message_lines(channels: &[&str], used: &[ChannelUse], now_us: i64) -> Vec<Line> {
    if channels.is_empty() {
        return vec![Line::new(
            "messages",
            "no_channel",
            Urgency::Watch,
            [
                "没有配置消息渠道：提醒只在网页中，夜间不会有人被叫醒".to_owned(),
                "no channel is set: messages stay in the web app, and nobody is called at night".to_owned(),
            ],
            [
                "配置 [[notify.channel]]，再用 yizhan notify drill 演练",
                "set [[notify.channel]], then try it with `yizhan notify drill`",
            ],
        )];
    }
    let broken = used.iter().filter(|it| it.is_broken() && channels.contains(&it.channel.as_str()));
    let lines = broken.map(|it| {
        let [zh, en] = span(now_us - it.last_failed_us.unwrap_or(now_us));
        let name = &it.channel;
        Line::new(
            "messages",
            "channel_broken",
            Urgency::Act,
            [
                format!("消息渠道 {name} 最近一次发送失败（{zh}前），此后没有成功"),
                format!("channel {name} failed {en} ago and has sent nothing since"),
            ],
            [
                "查看网络、令牌与对方服务；yizhan notify drill 可立即试发",
                "look at network, secret and the other side; `yizhan notify drill` tries it now",
            ],
        )
    });
    lines.collect()
}

/// The last nightly run.
async fn night(house: &House) -> anyhow::Result<Line> {
    let last = house.store.runs().last(1).await?;
    if let Some(it) = last.first().filter(|it| matches!(it.result, RunResult::Failed)) {
        let text = [
            format!("最近一次运行失败（{}）：{}", it.stage, it.detail),
            format!("the last run failed ({}): {}", it.stage, it.detail),
        ];
        let todo = [
            "按提示处理后运行 yizhan run：只补做未完成的部分",
            "mend what it says and run `yizhan run`: only what is left is done",
        ];
        return Ok(Line::new("night", "failed", Urgency::Act, text, todo));
    }
    let now_us = chrono::Utc::now().timestamp_micros();
    let running = last.first().filter(|it| matches!(it.result, RunResult::Running));
    if let Some(it) = running.filter(|it| LONG_US < now_us - it.began_at_us) {
        let [zh, en] = span(now_us - it.began_at_us);
        let text = [
            format!("一次运行（{}）已持续 {zh}，尚未结束", it.stage),
            format!("a run ({}) goes on for {en} and has not ended", it.stage),
        ];
        let todo = [
            "查看其日志与磁盘、内存；确认卡住时结束进程再启动：会从断点继续",
            "see its log, disk and memory; if it is stuck end the process and start again, it goes on where it was",
        ];
        return Ok(Line::new("night", "long", Urgency::Watch, text, todo));
    }
    let done = house.store.runs().last_success("upkeep").await?;
    let age_us = done.map(|it| now_us - it.began_at_us);
    Ok(match age_us {
        Some(age_us) if age_us <= NIGHT_US => {
            let [zh, en] = span(age_us);
            Line::new(
                "night",
                "ok",
                Urgency::Ok,
                [format!("夜间运行在 {zh}前完成"), format!("the nightly run is {en} old")],
                ["", ""],
            )
        }
        _ => Line::new(
            "night",
            "missed",
            Urgency::Watch,
            ["一天以来没有完成的夜间运行".to_owned(), "no nightly run was completed within a day".to_owned()],
            ["确认 yizhan serve 在运行，或手动运行 yizhan run", "see that `yizhan serve` runs, or run `yizhan run`"],
        ),
    })
}

/// Accounts that the password of the demonstration opens.
async fn accounts(house: &House) -> anyhow::Result<Option<Line>> {
    let policies = crate::tables::policies(house)?;
    let names: Vec<&str> = policies.roles().map(|it| it.role.as_str()).chain([demo::SECOND_COUNSELOR]).collect();
    let open = house.store.accounts().opened_by(&names, demo::PASSWORD).await?;
    Ok((!open.is_empty()).then(|| {
        let n = open.len();
        let names = open.join(", ");
        Line::new(
            "accounts",
            "demo_accounts",
            Urgency::Act,
            [
                format!("{n} 个账号使用公开的演示密码：{names}"),
                format!("{n} accounts have the demo's password, which everybody knows: {names}"),
            ],
            ["正式使用前停用：yizhan user disable 账号", "disable them before real data comes in: `yizhan user disable ACCOUNT`"],
        )
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_in_the_server_is_told_in_its_own_words() {
        let sentence = |code: &str| json!({ "code": code, "urgency": "act", "text_zh": "断开", "text_en": "gone", "todo_zh": "看", "todo_en": "look" });
        let answer = json!({
            "stream": { "sentences": [sentence("commit_failing"), sentence("disk_low")] },
            "rows": [
                { "pipeline": "gate_event", "sentences": [sentence("failing"), sentence("late")] },
                { "pipeline": "card_txn", "sentences": [sentence("refusing"), sentence("waiting")] },
            ],
        });
        let lines = failing(&answer);
        assert!(lines.iter().all(|it| it.said.text_en == "gone" && it.said.urgency == Urgency::Act));
        let told: Vec<(&str, &str)> = lines.iter().map(|it| (it.about.as_str(), it.said.code)).collect();
        assert_eq!(told, [("gate_event", "failing"), ("card_txn", "refusing"), ("stream", "failing")]);
        assert!(failing(&json!("no page")).is_empty());
        let waits = failing(&json!({ "rows": [{ "pipeline": "office_repair", "sentences": [sentence("table_waits")] }] }));
        assert_eq!(waits.iter().map(|it| (it.said.code, it.said.urgency)).collect::<Vec<_>>(), [("table_waits", Urgency::Watch)]);
    }

    #[test]
    fn a_channel_that_failed_last_is_told_and_one_that_works_again_is_not() {
        let of = |channel: &str, sent: Option<i64>, failed: Option<i64>| ChannelUse {
            channel: channel.to_owned(),
            tried_n: 2,
            sent_n: 1,
            failed_n: 1,
            acknowledged_n: 0,
            last_sent_us: sent,
            last_failed_us: failed,
        };
        let told = |channels: &[&str], used: &[ChannelUse]| {
            let lines = message_lines(channels, used, 7_200_000_000);
            lines.into_iter().map(|it| (it.said.code, it.said.urgency, it.said.text_en)).collect::<Vec<_>>()
        };
        assert_eq!(told(&[], &[])[0].1, Urgency::Watch);
        assert!(told(&["wecom"], &[]).is_empty());
        assert!(told(&["wecom"], &[of("wecom", Some(5), Some(3)), of("gone", None, Some(9))]).is_empty());
        let broken = told(&["wecom"], &[of("wecom", Some(5), Some(3_600_000_000))]);
        assert_eq!((broken.len(), broken[0].0, broken[0].1), (1, "channel_broken", Urgency::Act));
        assert!(broken[0].2.contains("wecom failed 1 h ago"), "{}", broken[0].2);
    }

    #[test]
    fn a_line_says_state_what_and_what_to_do() {
        let line = Line::new("log", "torn", Urgency::Watch, ["甲".to_owned(), "a".to_owned()], ["乙", "b"]);
        let text = |lines: &[Line]| folded(lines).iter().map(shown).collect::<Vec<_>>();
        assert_eq!(text(std::slice::from_ref(&line)), ["! log                    甲 / a\n                         → 乙 / b"]);
        let same = Line { about: "lake".to_owned(), ..line.clone() };
        let other = Line::new("store", "torn", Urgency::Act, ["丙".to_owned(), "c".to_owned()], ["", ""]);
        assert_eq!(
            text(&[line.clone(), other, same]),
            [
                "! × 2                    甲 / a\n                         → 乙 / b\n                         log, lake",
                "✗ store                  丙 / c"
            ]
        );
        assert_eq!(
            json!(line),
            json!({ "about": "log", "code": "torn", "urgency": "watch", "text_zh": "甲", "text_en": "a", "todo_zh": "乙", "todo_en": "b" })
        );
    }
}
