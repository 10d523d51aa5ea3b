//! How the sources stand now: what the page 数据管道, a monitor and `yizhan doctor` read, and what is said of it in one
//! sentence. Counts and instants only; no row of anybody is here.

use async_trait::async_trait;
use serde::Serialize;

/// Looks how the sources stand; the process knows contracts, lake and log, and this crate does not.
#[async_trait]
pub trait Pipelines: Send + Sync {
    /// How everything stands now.
    ///
    /// # Errors
    /// The sentence for the log, if lake or store cannot be read.
    async fn look(&self) -> Result<Operation, String>;
}

/// The stream and its sources.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Operation {
    /// When it was looked at, in microseconds since 1970.
    pub now_us: i64,
    /// Sources, by name.
    pub pipelines: Vec<PipelineState>,
    /// Bytes of pushed events that no table has yet.
    pub log_bytes: u64,
    /// Above so many senders are asked to wait.
    pub log_bytes_max: u64,
    /// Rows of pushed events that no table has yet.
    pub log_rows: u64,
    /// When the oldest of them was taken.
    pub log_oldest_us: Option<i64>,
    /// Seconds between two commits, in order.
    pub commit_seconds: u64,
    /// Room on the disk of the data folder; unknown where the system does not say.
    pub disk_free_bytes: Option<u64>,
    /// Why the log is not committed.
    pub failure: Option<Failure>,
    /// The last tick that built something.
    pub tick: Option<Ticked>,
}

/// What a tick built: tables that follow what comes while the day goes on.
#[derive(Debug, Clone, PartialEq)]
pub struct Ticked {
    /// When it was done, in microseconds since 1970.
    pub at_us: i64,
    /// How long it took.
    pub seconds: f64,
    /// Tables with the rows that were written.
    pub tables: Vec<(String, i64)>,
}

/// One source.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PipelineState {
    /// Its name.
    pub pipeline: String,
    /// One sentence in Chinese; in English where its file has no other.
    pub about_zh: String,
    /// The same in English.
    pub about_en: String,
    /// Who answers for it.
    pub owner: String,
    /// Whether rows are events, of which new ones are expected, or states.
    pub is_event: bool,
    /// By which doors it comes: files, database, push, platform.
    pub doors: Vec<String>,
    /// How long a row usually takes, by the contract, in microseconds.
    pub usual_delay_us: i64,
    /// Share of a file that may be refused, by the contract.
    pub reject_share_max: f64,
    /// The newest instant of a fact.
    pub occurred_us: Option<i64>,
    /// The newest instant at which a row was known.
    pub known_us: Option<i64>,
    /// When rows were last written into the lake.
    pub committed_us: Option<i64>,
    /// Rows and bytes of the last hour, pushed and from files.
    pub hour_rows: u64,
    /// Bytes of the same.
    pub hour_bytes: u64,
    /// Rows in the lake.
    pub rows: i64,
    /// What became of all rows.
    pub counts: store::Counts,
    /// Rows that wait in quarantine, by reason.
    pub waiting: Vec<Waiting>,
    /// Rows of the last two weeks that became known after their campus day had ended, by day since 1970, the newest first.
    pub late: Vec<(i32, i64)>,
    /// What fails now.
    pub failure: Option<Failure>,
    /// What its doors have to say while they are open.
    pub notes: Vec<Sentence>,
}

/// Rows that wait in quarantine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// Why they were refused.
    pub reason: String,
    /// How many.
    pub rows: i64,
    /// How many of them came in the last hour.
    pub last_hour: i64,
}

/// Something that fails, since when, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Since when, in microseconds since 1970.
    pub since_us: i64,
    /// What, in Chinese.
    pub zh: String,
    /// What, in English.
    pub en: String,
    /// What to do, in Chinese.
    pub todo_zh: String,
    /// What to do, in English.
    pub todo_en: String,
}

/// How urgent a sentence is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Urgency {
    /// It is well.
    Ok,
    /// Somebody should look at it by day.
    Watch,
    /// Rows are lost or wait for a person.
    Act,
}

/// One sentence about a source or the stream, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sentence {
    /// What it is about, for programs.
    pub code: &'static str,
    /// How urgent.
    pub urgency: Urgency,
    /// The sentence in Chinese.
    pub text_zh: String,
    /// The same in English.
    pub text_en: String,
    /// What to do, in Chinese; empty where there is nothing.
    pub todo_zh: String,
    /// The same in English.
    pub todo_en: String,
}

const SECOND_US: i64 = 1_000_000;
const HOUR_US: i64 = 3_600 * SECOND_US;
/// A clock that is ahead by less is an ordinary one.
const AHEAD_US: i64 = 300 * SECOND_US;
/// Events are expected within two days beside their usual delay, as on the page of data quality.
const LATE_US: i64 = 48 * HOUR_US;
/// Share of the log at which senders will soon be asked to wait.
const LOG_WATCH: f64 = 0.8;
/// Commits that may be missed before somebody is told.
const COMMITS_MISSED: i64 = 10;
/// Room that a disk should have beside what the log may grow to.
const DISK_SPARE_BYTES: u64 = 2 << 30;

impl Sentence {
    /// A sentence in Chinese and English, and what to do.
    pub fn new(code: &'static str, urgency: Urgency, text: [String; 2], todo: [&str; 2]) -> Self {
        let [text_zh, text_en] = text;
        Self { code, urgency, text_zh, text_en, todo_zh: todo[0].to_owned(), todo_en: todo[1].to_owned() }
    }
}

/// A span in words: the two largest units would say more than anybody needs.
pub fn span(us: i64) -> [String; 2] {
    let minutes = us.max(0) / (60 * SECOND_US);
    match minutes {
        0..60 => [format!("{minutes} 分钟"), format!("{minutes} min")],
        60..2880 => [format!("{} 小时", minutes / 60), format!("{} h", minutes / 60)],
        _ => [format!("{} 天", minutes / 1440), format!("{} days", minutes / 1440)],
    }
}

impl Operation {
    /// What is to be said of log, commit and disk; empty if all is well.
    pub fn sentences(&self) -> Vec<Sentence> {
        let mut said = Vec::new();
        if let Some(it) = &self.failure {
            said.push(failing("commit_failing", it, self.now_us));
        }
        if let Some(oldest_us) = self.log_oldest_us
            && COMMITS_MISSED
                * i64::try_from(self.commit_seconds.max(1)).unwrap_or(i64::MAX / COMMITS_MISSED / SECOND_US)
                * SECOND_US
                < self.now_us - oldest_us
            && self.failure.is_none()
        {
            let [zh, en] = span(self.now_us - oldest_us);
            said.push(Sentence::new(
                "commit_behind",
                Urgency::Watch,
                [
                    format!("推送的数据已在日志中等待 {zh}，尚未写入数据湖"),
                    format!("pushed rows have waited in the log for {en}"),
                ],
                [
                    "查看运行记录中最近一次提交；重启 yizhan serve 会先提交日志",
                    "see the last commit in the log of the server; a restart of yizhan serve commits first",
                ],
            ));
        }
        let fill = if self.log_bytes_max == 0 { 0.0 } else { self.log_bytes as f64 / self.log_bytes_max as f64 };
        if LOG_WATCH <= fill {
            let percent = (fill * 100.0).floor() as i64;
            let is_full = 1.0 <= fill;
            said.push(Sentence::new(
                if is_full { "log_full" } else { "log_filling" },
                if is_full { Urgency::Act } else { Urgency::Watch },
                [format!("推送日志已用 {percent}%"), format!("the log of pushed events is {percent} % full")],
                [
                    "设备会收到 429 并稍后重试，数据不丢；请查明为何未写入数据湖",
                    "senders are answered 429 and try again, nothing is lost: find out why it is not committed",
                ],
            ));
        }
        if let Some(free) = self.disk_free_bytes
            && free < self.log_bytes_max.saturating_add(DISK_SPARE_BYTES)
        {
            let mib = free >> 20;
            let is_full = free < self.log_bytes_max;
            said.push(Sentence::new(
                if is_full { "disk_full" } else { "disk_low" },
                if is_full { Urgency::Act } else { Urgency::Watch },
                [format!("数据所在磁盘仅余 {mib} MiB"), format!("the disk of the data has {mib} MiB left")],
                [
                    "清理磁盘或扩容；腾出空间后会自动继续写入",
                    "make room or add some; writing goes on by itself once there is room",
                ],
            ));
        }
        said
    }
}

impl PipelineState {
    /// Now less the newest fact.
    pub fn lag_us(&self, now_us: i64) -> Option<i64> {
        self.occurred_us.map(|it| now_us - it)
    }

    /// Whether its rows arise on the platform itself, whenever somebody does something: no rhythm can be expected of them.
    fn is_own(&self) -> bool {
        self.doors.iter().any(|it| it == "platform")
    }

    /// What is to be said of the source, the most urgent first; one sentence that all is well if it is.
    pub fn sentences(&self, now_us: i64) -> Vec<Sentence> {
        let mut said = Vec::new();
        if let Some(it) = &self.failure {
            said.push(failing("failing", it, now_us));
        }
        let is_empty = self.rows == 0 && self.counts.rows_in == 0 && self.known_us.is_none();
        if is_empty && self.is_own() && said.is_empty() {
            // Nobody has to have asked for help, or to have left.
            let text = ["尚无记录".to_owned(), "nothing was recorded yet".to_owned()];
            said.push(Sentence::new("unused", Urgency::Ok, text, ["", ""]));
        } else if is_empty && !self.is_own() {
            said.push(Sentence::new(
                "empty",
                Urgency::Watch,
                ["尚未收到任何数据".to_owned(), "nothing was ever received".to_owned()],
                [
                    "确认来源系统已开始导出或推送，且数据使用审批有效",
                    "see that the source exports or pushes, and that its approval holds",
                ],
            ));
        }
        if let Some(lag_us) = self.lag_us(now_us) {
            if lag_us < -AHEAD_US {
                let [zh, en] = span(-lag_us);
                said.push(Sentence::new(
                    "clock_ahead",
                    Urgency::Watch,
                    [format!("来源时钟快 {zh}"), format!("the clock of the source runs {en} ahead")],
                    [
                        "请来源系统校时（NTP）；已入湖的行按其自报时间保留",
                        "have the source set its clock (NTP); rows that are in keep the time they gave",
                    ],
                ));
            } else if self.is_event && !self.is_own() && self.usual_delay_us.saturating_add(LATE_US) < lag_us {
                let [zh, en] = span(lag_us);
                let [usual_zh, usual_en] = span(self.usual_delay_us);
                said.push(Sentence::new(
                    "late",
                    Urgency::Watch,
                    [
                        format!("最新数据是 {zh}前的，约定通常 {usual_zh}内到达"),
                        format!("the newest row is {en} old; by the contract one takes {usual_en}"),
                    ],
                    [
                        "联系来源系统负责人；期间相关指标显示数据不足，不作缺席解读",
                        "ask who answers for the source; meanwhile its measures say 数据不足, and nobody counts as absent",
                    ],
                ));
            }
        }
        let hour: i64 = self.waiting.iter().map(|it| it.last_hour).sum();
        let waiting: i64 = self.waiting.iter().map(|it| it.rows).sum();
        if 0 < waiting {
            // What was taken counts the refused ones; a process that took nothing cannot say what share they are.
            let taken = self.hour_rows.max(hour.unsigned_abs());
            let is_much = 0 < hour && 0 < self.hour_rows && self.reject_share_max < hour as f64 / taken as f64;
            let main = self.waiting.iter().max_by_key(|it| it.rows).map(|it| it.reason.clone()).unwrap_or_default();
            said.push(Sentence::new(
                if is_much { "refusing" } else { "waiting" },
                if is_much { Urgency::Act } else { Urgency::Watch },
                [
                    format!("{waiting} 行在隔离区等待（近一小时 {hour} 行），主要原因 {main}"),
                    format!("{waiting} rows wait in quarantine ({hour} of the last hour), mostly {main}"),
                ],
                [
                    "用 yizhan quarantine list 查看原因，修正约定或来源后 yizhan quarantine replay 重放",
                    "see the reasons with `yizhan quarantine list`; mend contract or source, then `yizhan quarantine replay`",
                ],
            ));
        }
        said.extend(self.notes.iter().cloned());
        if said.is_empty() {
            said.push(Sentence::new("ok", Urgency::Ok, ["正常".to_owned(), "as agreed".to_owned()], ["", ""]));
        }
        said.sort_by_key(|it| std::cmp::Reverse(it.urgency));
        said
    }
}

fn failing(code: &'static str, it: &Failure, now_us: i64) -> Sentence {
    let [zh, en] = span(now_us - it.since_us);
    Sentence::new(
        code,
        Urgency::Act,
        [format!("{}（已持续 {zh}）", it.zh), format!("{} (for {en})", it.en)],
        [it.todo_zh.as_str(), it.todo_en.as_str()],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000 * HOUR_US;

    fn gate() -> PipelineState {
        PipelineState {
            pipeline: "gate_event".to_owned(),
            is_event: true,
            usual_delay_us: 300 * SECOND_US,
            reject_share_max: 0.05,
            occurred_us: Some(NOW - 60 * SECOND_US),
            known_us: Some(NOW),
            rows: 10,
            ..PipelineState::default()
        }
    }

    fn codes(of: &[Sentence]) -> Vec<&'static str> {
        of.iter().map(|it| it.code).collect()
    }

    #[test]
    fn a_source_that_keeps_its_contract_is_said_to_in_one_sentence() {
        assert_eq!(codes(&gate().sentences(NOW)), ["ok"]);
        // A state has no rhythm: nothing new is no news.
        let room = PipelineState { is_event: false, occurred_us: Some(0), ..gate() };
        assert_eq!(codes(&room.sentences(NOW)), ["ok"]);
    }

    #[test]
    fn what_arises_on_the_platform_is_well_while_nobody_used_it_and_an_export_that_never_came_is_not() {
        let empty = PipelineState { rows: 0, known_us: None, occurred_us: None, ..gate() };
        assert_eq!(codes(&empty.sentences(NOW)), ["empty"]);
        let own = PipelineState { doors: vec!["platform".to_owned()], ..empty };
        let said = own.sentences(NOW);
        assert_eq!((codes(&said), said[0].urgency, said[0].text_zh.as_str()), (vec!["unused"], Urgency::Ok, "尚无记录"));
        let long_ago =
            PipelineState { rows: 3, occurred_us: Some(NOW - 900 * HOUR_US), known_us: Some(NOW - 900 * HOUR_US), ..own };
        assert_eq!(codes(&long_ago.sentences(NOW)), ["ok"]);
    }

    #[test]
    fn a_clock_that_is_ahead_and_a_source_that_is_late_are_told_with_how_much() {
        let ahead = PipelineState { occurred_us: Some(NOW + 3 * HOUR_US), ..gate() };
        let said = ahead.sentences(NOW);
        assert_eq!(codes(&said), ["clock_ahead"]);
        assert_eq!(
            (said[0].text_zh.as_str(), said[0].text_en.as_str()),
            ("来源时钟快 3 小时", "the clock of the source runs 3 h ahead")
        );
        let late = PipelineState { occurred_us: Some(NOW - 72 * HOUR_US), ..gate() };
        let said = late.sentences(NOW);
        assert_eq!(codes(&said), ["late"]);
        assert!(said[0].text_en.contains("3 days old"), "{}", said[0].text_en);
        let usual = PipelineState { occurred_us: Some(NOW - 47 * HOUR_US), ..gate() };
        assert_eq!(codes(&usual.sentences(NOW)), ["ok"]);
    }

    #[test]
    fn rows_that_wait_are_watched_and_many_at_once_are_acted_on() {
        let waiting = |last_hour| vec![Waiting { reason: "time".to_owned(), rows: 40, last_hour }];
        let few = PipelineState { hour_rows: 1_000, waiting: waiting(2), ..gate() };
        assert_eq!(codes(&few.sentences(NOW)), ["waiting"]);
        let many = PipelineState { hour_rows: 60, waiting: waiting(40), ..gate() };
        let said = many.sentences(NOW);
        assert_eq!((codes(&said), said[0].urgency), (vec!["refusing"], Urgency::Act));
        // What was refused was taken too, and is a share of no more than all of it.
        let all = PipelineState { hour_rows: 30, waiting: waiting(40), reject_share_max: 1.0, ..gate() };
        assert_eq!(codes(&all.sentences(NOW)), ["waiting"]);
        // A process that took nothing, as `yizhan doctor`, cannot say what share they are.
        let beside = PipelineState { hour_rows: 0, waiting: waiting(40), ..gate() };
        assert_eq!(codes(&beside.sentences(NOW)), ["waiting"]);
    }

    #[test]
    fn what_fails_stands_first_with_since_when() {
        let failure = Failure {
            since_us: NOW - 2 * HOUR_US,
            zh: "消息服务断开".to_owned(),
            en: "the broker is gone".to_owned(),
            todo_zh: "查看服务".to_owned(),
            todo_en: "look at it".to_owned(),
        };
        let gone = PipelineState {
            failure: Some(failure.clone()),
            waiting: vec![Waiting { reason: "code".to_owned(), rows: 1, last_hour: 0 }],
            ..gate()
        };
        let said = gone.sentences(NOW);
        assert_eq!(codes(&said), ["failing", "waiting"]);
        assert_eq!(said[0].text_en, "the broker is gone (for 2 h)");
        let note = Sentence::new("slot_held", Urgency::Watch, ["占用".to_owned(), "held".to_owned()], ["看", "look"]);
        let held = PipelineState { notes: vec![note], ..gate() };
        assert_eq!(codes(&held.sentences(NOW)), ["slot_held"], "what an open door says stands for \"as agreed\"");
        let stream = Operation { now_us: NOW, failure: Some(failure), ..Operation::default() };
        assert_eq!(codes(&stream.sentences()), ["commit_failing"]);
    }

    #[test]
    fn log_and_disk_are_told_before_they_are_full() {
        let stream = |log_bytes, free| Operation {
            now_us: NOW,
            log_bytes,
            log_bytes_max: 100,
            commit_seconds: 30,
            disk_free_bytes: Some(free),
            ..Operation::default()
        };
        assert_eq!(codes(&stream(79, u64::MAX).sentences()), Vec::<&str>::new());
        assert_eq!(codes(&stream(80, u64::MAX).sentences()), ["log_filling"]);
        assert_eq!(codes(&stream(100, 1 << 30).sentences()), ["log_full", "disk_low"]);
        assert_eq!(codes(&stream(0, 50).sentences()), ["disk_full"]);
        let behind = Operation { log_oldest_us: Some(NOW - 301 * SECOND_US), ..stream(1, u64::MAX) };
        assert_eq!(codes(&behind.sentences()), ["commit_behind"]);
        let in_time = Operation { log_oldest_us: Some(NOW - 299 * SECOND_US), ..stream(1, u64::MAX) };
        assert_eq!(codes(&in_time.sentences()), Vec::<&str>::new());
    }
}
