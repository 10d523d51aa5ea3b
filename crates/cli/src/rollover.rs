//! The annual rollover (年度切换: 升级、毕业、迎新) as a plan: what the registers in the lake say of a new year.
//!
//! It reads and never corrects: who has graduated leaves with the next full export of the student register, and staging
//! ends their versions; what is missing is the work of an office, and the plan says whose.

use anyhow::Context;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use chrono::NaiveDate;
use schema::time::{date_days, days_date};
use serde::Serialize;

use crate::approval::{self, Approvals};
use crate::exit::Caller;
use crate::house::House;
use crate::settings;

/// One line of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Line {
    /// What was looked at.
    pub(crate) check: &'static str,
    /// How many; `None` where the project has no source that tells.
    pub(crate) n: Option<i64>,
    pub(crate) state: State,
    /// Where they are, or which: colleges, days, sources.
    pub(crate) detail: Option<String>,
    /// What the school has to do, if it has.
    pub(crate) what_to_do: Option<String>,
}

/// What a line means for the rollover.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// A figure to know.
    Info,
    /// As it should be.
    Ready,
    /// Something has to be done first.
    ToDo,
    /// The project has no such source.
    NoSource,
}

impl State {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            State::Info => "info",
            State::Ready => "ready",
            State::ToDo => "to_do",
            State::NoSource => "no_source",
        }
    }
}

/// When a line asks for work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wants {
    Nothing,
    None,
    Some,
}

/// One question to the registers: what it counts by, which tables it needs, what to do about the answer.
struct Question {
    check: &'static str,
    tables: &'static [&'static str],
    /// Returns `label, n`; labels are told with what they count.
    sql: String,
    wants: Wants,
    what_to_do: &'static str,
}

/// What the registers say of a year, in the order of the work.
pub(crate) async fn plan(house: &House, year: i32) -> anyhow::Result<Vec<Line>> {
    if house.lake.snapshot("stg_student").await?.is_none() {
        let message = "湖中没有学籍表 stg_student，请先运行 yizhan run / the lake has no stg_student: run `yizhan run` first";
        anyhow::bail!(Caller(message.to_owned()));
    }
    let mut lines = Vec::new();
    for question in questions(house, year) {
        lines.push(ask(house, &question).await?);
    }
    lines.push(calendar(house, year).await?);
    lines.push(approvals(house, year).await?);
    Ok(lines)
}

/// Who is in the registers now, who is due to leave, and who has left this year.
fn people(house: &House, year: i32) -> String {
    let settings::Rollover { years_undergraduate, years_graduate, .. } = house.settings.rollover;
    let years = format!("CASE WHEN study_stage = 'graduate' THEN {years_graduate} ELSE {years_undergraduate} END");
    let now = instant(house.now_us());
    let mut clock = house.clock();
    let january = NaiveDate::from_ymd_opt(year, 1, 1).map_or(0, |it| clock.day_start(date_days(it)));
    let january = instant(january);
    // Who may stay longer says so in the spans of enrolment.
    let extended = match house.graph.node("stg_enrollment_span") {
        Some(_) => format!(
            "SELECT DISTINCT student_key FROM stg_enrollment_span WHERE status = 'extended' AND {} \
             AND (valid_to IS NULL OR valid_to > {})",
            in_force(&now),
            day(today(house))
        ),
        None => "SELECT CAST(NULL AS BIGINT) AS student_key".to_owned(),
    };
    // Who stands in the register as having left is not here, whether or not the row was taken out already.
    let left = "status IN ('withdrawn', 'graduated', 'completed', 'deceased')";
    format!(
        "WITH version AS (SELECT *, row_number() OVER (PARTITION BY student_key ORDER BY known_at DESC, file_no DESC) AS place \
         FROM stg_student WHERE known_at <= {now}), \
         student AS (SELECT student_key, college, study_stage, grade, status, counselor_key, \
         (superseded_at IS NULL OR superseded_at > {now}) AND NOT {left} AS is_here, \
         coalesce(superseded_at >= {january}, FALSE) OR ({left} AND known_at >= {january}) AS is_gone_this_year, grade + {years} AS leaves_in FROM version WHERE place = 1), \
         extended AS ({extended}), \
         due AS (SELECT student.*, extended.student_key IS NOT NULL OR status = 'extended' AS is_extended FROM student \
         LEFT JOIN extended ON extended.student_key = student.student_key \
         WHERE leaves_in <= {year} AND (is_here OR (is_gone_this_year AND leaves_in = {year}))), \
         leaver AS (SELECT * FROM due WHERE NOT (is_here AND (is_extended OR status IN ('suspended', 'retained'))))"
    )
}

fn questions(house: &House, year: i32) -> Vec<Question> {
    let people = people(house, year);
    let now = instant(house.now_us());
    let (force, today) = (in_force(&now), day(today(house)));
    let count = |condition: &str| {
        format!("{people} SELECT college AS label, count(*) AS n FROM {condition} GROUP BY college ORDER BY college")
    };
    let held = |from: &str| {
        format!(
            "{people} SELECT leaver.college AS label, count(DISTINCT leaver.student_key) AS n FROM leaver \
             INNER JOIN ({from}) AS held ON held.student_key = leaver.student_key GROUP BY leaver.college ORDER BY leaver.college"
        )
    };
    let beds = format!(
        "SELECT student_key FROM stg_bed_assignment WHERE {force} AND moved_in_on <= {today} \
         AND (moved_out_on IS NULL OR moved_out_on >= {today})"
    );
    let tickets = format!(
        "SELECT student_key FROM stg_ticket WHERE {force} AND resolved_at IS NULL \
         AND status NOT IN ('resolved', 'followed_up', 'withdrawn')"
    );
    let question = |check, tables, sql, wants, what_to_do| Question { check, tables, sql, wants, what_to_do };
    vec![
        question("graduates_undergraduate", &[], count("leaver WHERE study_stage <> 'graduate'"), Wants::Nothing, ""),
        question("graduates_graduate", &[], count("leaver WHERE study_stage = 'graduate'"), Wants::Nothing, ""),
        question("stay_extended", &[], count("due WHERE is_here AND is_extended"), Wants::Nothing, ""),
        question(
            "stay_suspended",
            &[],
            count("due WHERE is_here AND status IN ('suspended', 'retained') AND NOT is_extended"),
            Wants::Nothing,
            "",
        ),
        question(
            "graduates_still_enrolled",
            &[],
            count("leaver WHERE is_here"),
            Wants::None,
            "学生工作处：在学籍系统办理毕业或延期后重新导出学籍 / student affairs: record graduation or extension, then export the register of \
             students again",
        ),
        question(
            "graduates_with_bed",
            &["stg_bed_assignment"],
            held(&beds),
            Wants::None,
            "宿舍管理：办理退宿后重新导出床位 / dormitory office: record the day of leaving, then export the beds again",
        ),
        question(
            "graduates_with_open_ticket",
            &["stg_ticket"],
            held(&tickets),
            Wants::None,
            "责任部门：办结或撤回工单 / offices in charge: resolve or withdraw the requests",
        ),
        question(
            "newcomers",
            &[],
            count(&format!("student WHERE is_here AND grade = {year}")),
            Wants::Some,
            "学生工作处：新生尚未进入学籍，导出含新生的学籍 / student affairs: the newcomers are not there yet, export the register with them",
        ),
        question(
            "without_counselor",
            &[],
            count("student WHERE is_here AND status IN ('enrolled', 'extended') AND counselor_key IS NULL"),
            Wants::None,
            "各学院：为学生指定责任辅导员后重新导出学籍 / colleges: name a responsible counselor, then export the register again",
        ),
    ]
}

async fn ask(house: &House, question: &Question) -> anyhow::Result<Line> {
    let Question { check, tables, sql, wants, what_to_do } = question;
    if tables.iter().any(|it| house.graph.node(it).is_none()) {
        return Ok(Line { check, n: None, state: State::NoSource, detail: None, what_to_do: None });
    }
    let found: Vec<(String, i64)> = counts(house, check, sql).await?;
    let n = found.iter().map(|it| it.1).sum();
    let detail = found.iter().map(|(label, n)| format!("{label} {n}")).collect::<Vec<_>>().join(", ");
    Ok(line(check, n, *wants, detail, what_to_do))
}

fn line(check: &'static str, n: i64, wants: Wants, detail: String, what_to_do: &str) -> Line {
    let state = match wants {
        Wants::Nothing => State::Info,
        Wants::None if n == 0 => State::Ready,
        Wants::Some if 0 < n => State::Ready,
        Wants::None | Wants::Some => State::ToDo,
    };
    let what_to_do = (state == State::ToDo).then(|| what_to_do.to_owned());
    Line { check, n: Some(n), state, detail: Some(detail).filter(|it| !it.is_empty()), what_to_do }
}

/// Days of the new year of study that the calendar does not know.
async fn calendar(house: &House, year: i32) -> anyhow::Result<Line> {
    let check = "calendar_days_missing";
    if house.graph.node("stg_calendar_day").is_none() {
        return Ok(Line { check, n: None, state: State::NoSource, detail: None, what_to_do: None });
    }
    let (first, last) = span(house, year)?;
    let now = instant(house.now_us());
    let sql = format!(
        "SELECT DISTINCT CAST(date AS VARCHAR) AS label, CAST(1 AS BIGINT) AS n FROM stg_calendar_day \
         WHERE {} AND date BETWEEN {} AND {}",
        in_force(&now),
        day(first),
        day(last)
    );
    let known: std::collections::BTreeSet<String> = counts(house, check, &sql).await?.into_iter().map(|it| it.0).collect();
    let missing: Vec<String> = (first..=last).map(approval::date).filter(|it| !known.contains(it)).collect();
    let detail = match (missing.first(), missing.last()) {
        (Some(first), Some(last)) => format!("{first} … {last}"),
        _ => String::new(),
    };
    let what_to_do = "教务处：导出新学年校历 / academic affairs: export the calendar of the new year";
    Ok(line(check, missing.len() as i64, Wants::None, detail, what_to_do))
}

/// Sources whose approval ends before the new year of study does.
async fn approvals(house: &House, year: i32) -> anyhow::Result<Line> {
    let check = "approvals_expiring";
    if house.settings.ingest.approvals == settings::Approvals::Off {
        return Ok(Line { check, n: None, state: State::NoSource, detail: None, what_to_do: None });
    }
    let (_, last) = span(house, year)?;
    let approvals = Approvals::read(house, &house.input(None)).await?;
    let mut until: std::collections::BTreeMap<&str, i32> = std::collections::BTreeMap::new();
    for it in &approvals.all {
        let day = until.entry(&it.source).or_insert(it.valid_to);
        *day = it.valid_to.max(*day);
    }
    until.retain(|_, it| *it < last);
    let detail = until.iter().map(|(source, it)| format!("{source} {}", approval::date(*it))).collect::<Vec<_>>().join(", ");
    let what_to_do = "数据责任部门：续办数据使用审批 / owners of the data: renew the approvals of their use";
    Ok(line(check, until.len() as i64, Wants::None, detail, what_to_do))
}

/// First and last day of the year of study that begins in a year.
fn span(house: &House, year: i32) -> anyhow::Result<(i32, i32)> {
    let begins_on = house.settings.rollover.begins_on;
    let (first, next) = begins_on.of(year).zip(begins_on.of(year + 1)).context("a year without days")?;
    Ok((date_days(first), date_days(next) - 1))
}

fn today(house: &House) -> i32 {
    house.clock().moment(house.now_us()).occurred_on
}

/// Rows of a table of versions that hold at an instant.
fn in_force(now: &str) -> String {
    format!("known_at <= {now} AND (superseded_at IS NULL OR superseded_at > {now})")
}

fn instant(at_us: i64) -> String {
    format!("arrow_cast({at_us}, 'Timestamp(Microsecond, Some(\"UTC\"))')")
}

fn day(day: i32) -> String {
    format!("DATE '{}'", days_date(day).unwrap_or_default())
}

async fn counts(house: &House, check: &str, sql: &str) -> anyhow::Result<Vec<(String, i64)>> {
    let context = house.builder().await?.context(sql, check, today(house)).await?;
    let batches = context.sql(sql).await.with_context(|| format!("could not plan {check}"))?.collect().await?;
    let rows = |batch: &RecordBatch| -> anyhow::Result<Vec<(String, i64)>> {
        // Text that a query makes comes as views, text of a table does not.
        let labels = cast(batch.column(0), &DataType::Utf8)?;
        let (labels, n) = (labels.as_string::<i32>(), batch.column(1).as_primitive::<Int64Type>());
        let label = |row: usize| if labels.is_null(row) { "-".to_owned() } else { labels.value(row).to_owned() };
        Ok((0..batch.num_rows()).map(|row| (label(row), n.value(row))).collect())
    };
    Ok(batches.iter().map(rows).collect::<anyhow::Result<Vec<_>>>()?.concat())
}
