//! `GET /api/v1/ledger`: the reader's own work, day by day, put together from what other systems recorded (我的台账).
//!
//! Shifts, visits, talks, receptions and steps in requests come from the lake, by the reader's own staff key; steps of
//! cases, observations and checks from the store. Nobody types any of it twice, and nobody reads a colleague's.

use std::collections::BTreeMap;

use axum::Json;
use casework::DAY_US;
use serde::Deserialize;
use serde_json::{Value, json};

use super::cases::shown;
use super::follow_ups::day_start;
use crate::access::Reader;
use crate::error::{Problem, Query};
use crate::rows::{self, number, text};

/// Days that are shown where none are named, and the most that are shown at once.
const DAYS_DEFAULT: i64 = 28;
const DAYS_MAX: i64 = 366;

/// One kind of work: its words, the source that recorded it, and the columns of the lake with how often, how long and with
/// how many students. Of what the platform itself recorded there is only how often.
struct Kind {
    kind: &'static str,
    zh: &'static str,
    en: &'static str,
    source: &'static str,
    n: Option<&'static str>,
    minutes: Option<&'static str>,
    student_n: Option<&'static str>,
}

impl Kind {
    const fn of(kind: &'static str, zh: &'static str, en: &'static str, source: &'static str) -> Self {
        Self { kind, zh, en, source, n: None, minutes: None, student_n: None }
    }
}

const KINDS: [Kind; 9] = [
    Kind { minutes: Some("shift_minutes"), ..Kind::of("shift", "值班", "Shifts", "duty_shift") },
    Kind {
        n: Some("room_n"),
        minutes: Some("visit_minutes"),
        student_n: Some("resident_n"),
        ..Kind::of("room_visit", "走访宿舍", "Rooms visited", "room_visit")
    },
    Kind {
        n: Some("talk_n"),
        minutes: Some("talk_minutes"),
        student_n: Some("talk_student_n"),
        ..Kind::of("talk", "谈心谈话", "Talks", "contact_record")
    },
    Kind { minutes: Some("reception_minutes"), ..Kind::of("reception", "接待日", "Receptions", "reception_session") },
    Kind {
        n: Some("act_n"),
        minutes: Some("act_minutes"),
        student_n: Some("act_student_n"),
        ..Kind::of("act", "讲座、座谈与指导", "Lectures, panels, guidance", "duty_act")
    },
    Kind { n: Some("ticket_step_n"), ..Kind::of("ticket_step", "办理诉求", "Steps in requests", "ticket_event") },
    Kind::of("case_step", "关怀个案记录", "Steps of cases", "case_state"),
    Kind::of("observation", "观察上报", "Observations written", "observation"),
    Kind::of("absence_check", "未归核实", "Absences verified", "absence_check"),
];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Filter {
    /// First and last day.
    from: Option<String>,
    to: Option<String>,
}

/// How often, how long in minutes, with how many students; `None` where the source does not say.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Done {
    n: Option<i64>,
    minutes: Option<i64>,
    student_n: Option<i64>,
}

impl Done {
    fn is_nothing(self) -> bool {
        [self.n, self.minutes, self.student_n].iter().all(|it| it.unwrap_or(0) == 0)
    }

    fn add(&mut self, other: Self) {
        for (into, it) in [(&mut self.n, other.n), (&mut self.minutes, other.minutes), (&mut self.student_n, other.student_n)] {
            if let Some(it) = it {
                *into = Some(into.unwrap_or(0) + it);
            }
        }
    }
}

pub(crate) async fn ledger(reader: Reader, Query(filter): Query<Filter>) -> Result<Json<Value>, Problem> {
    reader.require_page("ledger")?;
    let calendar = reader.rules().calendar;
    let day = |on: &str| day_start(on, &calendar).map(|it| calendar.day(it));
    let last = filter.to.as_deref().map(day).transpose()?.unwrap_or_else(|| calendar.day(reader.now_us()));
    let first = filter.from.as_deref().map(day).transpose()?.unwrap_or(last - DAYS_DEFAULT + 1);
    if last < first || DAYS_MAX <= last - first {
        return Err(Problem::bad_request("起止日期应在 366 天以内 / first and last day lie within 366 days"));
    }
    let (from_on, to_on) = (shown::day(Some(first)), shown::day(Some(last)));
    let mut days: BTreeMap<String, BTreeMap<usize, Done>> = BTreeMap::new();
    let session = reader.session().await?;
    let params = vec![
        ("from", rows::date(from_on.as_deref().unwrap_or_default())?),
        ("to", rows::date(to_on.as_deref().unwrap_or_default())?),
    ];
    let sql = "SELECT * FROM ledger_staff_day WHERE occurred_on BETWEEN $from AND $to ORDER BY occurred_on";
    for row in rows::rows(&session, sql, params).await? {
        let Some(on) = text(&row, "occurred_on") else { continue };
        let count = |it: Option<&str>| it.and_then(|it| number(&row, it)).map(|it| it as i64);
        for (at, it) in KINDS.iter().enumerate() {
            let done = Done { n: count(it.n), minutes: count(it.minutes), student_n: count(it.student_n) };
            if !done.is_nothing() {
                days.entry(on.clone()).or_default().entry(at).or_default().add(done);
            }
        }
    }
    let offset_us = calendar.offset_us;
    let (from_us, until_us) = (first * DAY_US - offset_us, (last + 1) * DAY_US - offset_us);
    let cases = reader.state.parts.store.cases();
    for (on, kind, n) in cases.work_of(&reader.account.account, from_us, until_us, offset_us).await? {
        let (Some(on), Some(at)) = (shown::day(Some(on)), KINDS.iter().position(|it| it.kind == kind)) else { continue };
        days.entry(on).or_default().entry(at).or_default().add(Done { n: Some(n), ..Done::default() });
    }
    let mut totals: BTreeMap<usize, Done> = BTreeMap::new();
    for (at, done) in days.values().flatten() {
        totals.entry(*at).or_default().add(*done);
    }
    let act = |(at, done): (&usize, &Done)| {
        let it = &KINDS[*at];
        json!({
            "kind": it.kind, "title_zh": it.zh, "title_en": it.en, "source": it.source,
            "n": done.n, "minutes": done.minutes, "student_n": done.student_n,
        })
    };
    let shown_days = days.iter().rev().map(|(on, acts)| json!({ "on": on, "acts": acts.iter().map(act).collect::<Vec<_>>() }));
    Ok(Json(json!({
        "from_on": from_on, "to_on": to_on,
        // Without a person behind the account other systems' records are nobody's.
        "is_linked": reader.account.person_key.is_some(),
        "totals": totals.iter().map(act).collect::<Vec<_>>(),
        "days": shown_days.collect::<Vec<_>>(),
    })))
}
