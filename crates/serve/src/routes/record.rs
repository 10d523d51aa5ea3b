//! `GET /api/v1/students/{student_key}/record`: the timeline of one student, newest first.

use axum::Json;
use axum::extract::Path;
use serde::Deserialize;
use serde_json::{Value, json};

use super::portrait::word;
use super::students::limit;
use crate::access::Reader;
use crate::error::{Problem, Query};
use crate::rows::{self, Row, cell, text};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Filter {
    kind: Option<String>,
    /// `next` of the page before: how many entries were shown.
    before: Option<u32>,
    limit: Option<u16>,
}

pub(crate) async fn record(
    reader: Reader,
    Path(student_key): Path<String>,
    Query(filter): Query<Filter>,
) -> Result<Json<Value>, Problem> {
    let (session, key) = reader.student(&student_key).await?;
    let limit = usize::from(limit(filter.limit)?);
    let skipped = filter.before.unwrap_or(0) as usize;
    reader.note_read(key, "record").await?;
    let mut params = vec![("key", rows::key(key))];
    let kinds_sql = "SELECT kind, count(*) AS n FROM record_student_event WHERE student_key = $key GROUP BY kind ORDER BY kind";
    let kinds = rows::rows(&session, kinds_sql, params.clone()).await?;
    let of_kind = match &filter.kind {
        Some(kind) if !kind.is_empty() => {
            params.push(("kind", word(kind)));
            " AND kind = $kind"
        }
        _ => "",
    };
    let sql = format!(
        "SELECT * FROM record_student_event WHERE student_key = $key{of_kind} ORDER BY occurred_at DESC, event_id DESC LIMIT {} OFFSET {skipped}",
        limit + 1
    );
    let mut found = rows::rows(&session, &sql, params).await?;
    let has_more = limit < found.len();
    found.truncate(limit);
    Ok(Json(json!({
        "rows": found.iter().map(|it| entry(&reader, it)).collect::<Vec<_>>(),
        "next": has_more.then(|| (skipped + limit).to_string()),
        "kinds": kinds.iter().map(|it| json!({ "kind": cell(it, "kind"), "n": cell(it, "n") })).collect::<Vec<_>>(),
    })))
}

/// What a step is called, in both languages.
fn title(kind: &str, step: &str) -> (&'static str, &'static str) {
    match (kind, step) {
        ("leave", "approved") => ("请假获批", "Leave approved"),
        ("leave", "returned") => ("已销假", "Reported back from leave"),
        ("bed", _) => ("入住寝室", "Moved into a room"),
        ("card_status", "lost") => ("校园卡挂失", "Card reported lost"),
        ("card_status", "found") => ("校园卡解挂", "Card found"),
        ("card_status", "reissued") => ("补办校园卡", "Card reissued"),
        ("ticket", "reported") => ("提交诉求", "Request raised"),
        ("ticket", "dispatched") => ("诉求转办", "Request dispatched"),
        ("ticket", "responded") => ("部门反馈", "Office responded"),
        ("ticket", "resolved") => ("诉求办结", "Request resolved"),
        ("ticket", "followed_up") => ("回访", "Followed up"),
        ("ticket", "reopened") => ("重新打开", "Reopened"),
        ("ticket", "withdrawn") => ("撤回", "Withdrawn"),
        _ => ("记录", "Entry"),
    }
}

/// Code words of details, in both languages; rooms and the like stand for themselves.
fn detail(text: &str) -> (String, String) {
    let words = match text {
        "personal" => ("事假", "personal leave"),
        "sick" => ("病假", "sick leave"),
        "internship" => ("实习", "internship"),
        "away" => ("离校", "away from campus"),
        "dorm_repair" => ("宿舍报修", "dormitory repair"),
        "network" => ("网络", "network"),
        "catering" => ("餐饮", "catering"),
        "academic" => ("教务", "academic affairs"),
        "aid" => ("资助", "aid"),
        "logistics" => ("后勤", "logistics"),
        "safety" => ("安全", "safety"),
        "other" => ("其他", "other"),
        own => return (own.to_owned(), own.to_owned()),
    };
    (words.0.to_owned(), words.1.to_owned())
}

fn entry(reader: &Reader, it: &Row) -> Value {
    let kind = text(it, "kind").unwrap_or_default();
    let (title_zh, title_en) = title(&kind, &text(it, "step").unwrap_or_default());
    let (detail_zh, detail_en) = detail(&text(it, "detail").unwrap_or_default());
    let on = text(it, "occurred_on").unwrap_or_default();
    // A register that knows the day only, or a role that may know no more, has the day's beginning: no time to show.
    let at = text(it, "occurred_at").filter(|it| *it != super::cockpit::day_start(reader, &on));
    json!({
        "event_id": cell(it, "event_id"), "occurred_at": at, "occurred_on": on,
        "kind": kind, "title_zh": title_zh, "title_en": title_en, "detail_zh": detail_zh, "detail_en": detail_en,
        "source": cell(it, "source"), "trust": cell(it, "trust"),
    })
}
