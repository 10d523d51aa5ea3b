//! `/api/v1/roster`: who stands at which post when, and where nobody does (值班表).

use axum::Json;
use axum::extract::rejection::JsonRejection;
use casework::{DAY_US, DutyShift, Post};
use serde::Deserialize;
use serde_json::{Value, json};

use super::cases::shown;
use super::follow_ups::day_start;
use super::health::instant;
use crate::access::Reader;
use crate::error::{Problem, Query};

/// Days that are shown where none are named, and the most that are shown at once.
const DAYS_DEFAULT: i64 = 7;
const DAYS_MAX: i64 = 92;
/// Longest shift: who stands in one sees grave cases of the whole university.
const SHIFT_US_MAX: i64 = 31 * DAY_US;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Filter {
    /// First and last day.
    from: Option<String>,
    until: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ask {
    post: String,
    account: String,
    #[serde(default)]
    backup: Option<String>,
    from: String,
    until: String,
}

pub(crate) async fn list(reader: Reader, Query(filter): Query<Filter>) -> Result<Json<Value>, Problem> {
    reader.require_page("roster")?;
    let calendar = reader.rules().calendar;
    let today = calendar.day(reader.now_us());
    let first = match &filter.from {
        Some(on) => calendar.day(day_start(on, &calendar)?),
        None => today,
    };
    let last = match &filter.until {
        Some(on) => calendar.day(day_start(on, &calendar)?),
        None => first + DAYS_DEFAULT - 1,
    };
    Ok(Json(shown_roster(&reader, first, last).await?))
}

pub(crate) async fn keep(reader: Reader, body: Result<Json<Ask>, JsonRejection>) -> Result<Json<Value>, Problem> {
    reader.require_page("roster")?;
    let Json(it) = body?;
    let post = Post::from_code(&it.post).ok_or_else(|| Problem::unprocessable("没有这个岗位", "there is no such post"))?;
    let backup = it.backup.filter(|it| !it.is_empty());
    for account in std::iter::once(&it.account).chain(&backup) {
        // A slip in a name would leave the post empty without anybody seeing it.
        super::cases::expect_account(&reader, account).await?;
    }
    match kept_by(&reader) {
        Keeps::All => {}
        Keeps::Own if it.account == reader.account.account && post == Post::PsychologyNight => {}
        Keeps::Own => {
            return Err(Problem::unprocessable(
                "只能登记本人的心理夜间值班班次",
                "only own shifts of the psychology post are entered",
            ));
        }
        Keeps::Nothing => return Err(Problem::forbidden()),
    }
    let (from_us, until_us) = (super::cases::micros(&it.from)?, super::cases::micros(&it.until)?);
    if until_us <= from_us || SHIFT_US_MAX < until_us - from_us {
        return Err(Problem::unprocessable(
            "班次须有起止时间，且不超过31天",
            "a shift has a beginning and an end within 31 days",
        ));
    }
    reader.note("roster", format!("{}/{}", post.code(), it.account), "asked", None).await?;
    let shift = DutyShift { post, account: it.account, backup, from_us, until_us };
    reader.state.parts.store.cases().roster(&shift).await?;
    let calendar = reader.rules().calendar;
    Ok(Json(shown_roster(&reader, calendar.day(from_us), calendar.day(until_us - 1)).await?))
}

/// Which shifts a reader may enter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keeps {
    /// Everybody's, of every post.
    All,
    /// Their own, of the psychology post.
    Own,
    /// None: they see where the gaps are.
    Nothing,
}

/// Who stands in a shift sees grave cases, so nobody but the head of psychology puts others, or other posts, on it.
fn kept_by(reader: &Reader) -> Keeps {
    match reader.grant.role.as_str() {
        "psychology_head" => Keeps::All,
        "psychologist" => Keeps::Own,
        _ => Keeps::Nothing,
    }
}

/// Posts with their shifts and gaps, from the first day to the last.
async fn shown_roster(reader: &Reader, first: i64, last: i64) -> Result<Value, Problem> {
    if last < first || DAYS_MAX <= last - first {
        return Err(Problem::bad_request("起止日期应在 92 天以内 / first and last day lie within 92 days"));
    }
    let offset_us = reader.rules().calendar.offset_us;
    let (from_us, until_us) = (first * DAY_US - offset_us, (last + 1) * DAY_US - offset_us);
    let store = reader.state.parts.store.cases();
    let (mut posts, mut gaps_n) = (Vec::new(), 0);
    for post in Post::ALL.iter().copied() {
        let (text, shifts) = (post.text(), store.shifts(post, from_us, until_us).await?);
        let gaps = store.roster_gaps(post, from_us, until_us).await?;
        gaps_n += gaps.len();
        let shifts = shifts.iter().map(|it| {
            json!({ "account": it.account, "backup": it.backup, "from_at": instant(it.from_us), "until_at": instant(it.until_us) })
        });
        posts.push(json!({
            "post": post.code(), "post_zh": text.zh, "post_en": text.en, "shifts": shifts.collect::<Vec<_>>(),
            "gaps": gaps.into_iter().map(shown::span).collect::<Vec<_>>(),
        }));
    }
    let keeps = match kept_by(reader) {
        Keeps::All => "all",
        Keeps::Own => "own",
        Keeps::Nothing => "nothing",
    };
    Ok(json!({
        "from_on": shown::day(Some(first)), "until_on": shown::day(Some(last)), "gaps_n": gaps_n, "keeps": keeps, "posts": posts,
    }))
}
