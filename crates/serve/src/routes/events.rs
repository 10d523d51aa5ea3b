//! `POST /api/v1/events/{pipeline}`: events that devices push; answered once they survive a power cut.

use axum::body::Body;
use axum::extract::{Path, State as Shared};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::import::read;
use crate::error::Problem;
use crate::pushes::{Push, PushForm, PushRefusal, PushRefusalKind};
use crate::state::State;

/// Bytes of an idempotency key.
const KEY_BYTES_MAX: usize = 256;
/// Seconds after which a full log is worth another try: a commit was begun when it filled.
const RETRY_AFTER_S: u64 = 2;
/// The same where a person has to mend something: devices keep what they have and do not knock all the time.
const LONG_AFTER_S: u64 = 60;

pub(crate) async fn push(
    Shared(state): Shared<State>,
    Path(pipeline): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let text = |name: &str| headers.get(name).and_then(|it| it.to_str().ok());
    let token = text("authorization").and_then(|it| it.strip_prefix("Bearer ")).unwrap_or_default();
    let admitted = state.parts.pushes.admit(&pipeline, token.trim()).await?;
    let form = form(text("content-type").unwrap_or_default())?;
    let key = text("idempotency-key").map(str::to_owned);
    if key.as_ref().is_some_and(|it| it.is_empty() || KEY_BYTES_MAX < it.len()) {
        return Err(Problem::bad_request(format!(
            "Idempotency-Key 应为 1 至 {KEY_BYTES_MAX} 个字符 / an Idempotency-Key has 1 to {KEY_BYTES_MAX} characters"
        )));
    }
    let Some(room) = state.rooms.take(&admitted.pipeline) else {
        return Err(Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "busy",
            "同时推送的请求过多，请稍后重试 / too many requests push at once, try again",
        )
        .after(Some(1)));
    };
    let bytes_max = state.config.push_bytes_max;
    let Some(body) = read(body, bytes_max).await else {
        let kib = bytes_max >> 10;
        return Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            format!("内容不完整，或超过 {kib} KiB，请分批推送 / the body is cut or larger than {kib} KiB: push it in parts"),
        ));
    };
    let pushes = state.parts.pushes.clone();
    // What was begun ends, even if the device hangs up: its next try under the same key finds the answer.
    // It takes up its room until then.
    let pushed = tokio::spawn(async move {
        let answer = pushes.push(admitted, Push { form, key, body }).await;
        drop(room);
        answer
    });
    let answer = pushed.await;
    let answer =
        answer.map_err(|_| PushRefusal::new(PushRefusalKind::Failed, "处理中断，请重试", "it broke off, try again"))??;
    let kind = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    Ok((StatusCode::ACCEPTED, kind, answer).into_response())
}

fn form(content_type: &str) -> Result<PushForm, Problem> {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
        "application/json" => Ok(PushForm::Json),
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Ok(PushForm::Lines),
        "application/cloudevents-batch+json" | "application/cloudevents+json" => Ok(PushForm::CloudEvents),
        _ => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "Content-Type 应为 application/json、application/x-ndjson 或 application/cloudevents-batch+json / send application/json, \
             application/x-ndjson or application/cloudevents-batch+json",
        )),
    }
}

impl From<PushRefusal> for Problem {
    fn from(it: PushRefusal) -> Self {
        let (status, code) = match it.kind {
            PushRefusalKind::Token => (StatusCode::UNAUTHORIZED, "no_token"),
            PushRefusalKind::NotGranted => (StatusCode::FORBIDDEN, "forbidden"),
            PushRefusalKind::NoPipeline => (StatusCode::NOT_FOUND, "not_found"),
            PushRefusalKind::Approval => (StatusCode::CONFLICT, "no_approval"),
            PushRefusalKind::Body => (StatusCode::BAD_REQUEST, "bad_body"),
            PushRefusalKind::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            PushRefusalKind::KeyReused => (StatusCode::UNPROCESSABLE_ENTITY, "key_reused"),
            PushRefusalKind::Full => (StatusCode::TOO_MANY_REQUESTS, "log_full"),
            PushRefusalKind::Bad => (StatusCode::UNPROCESSABLE_ENTITY, "too_many_bad"),
            PushRefusalKind::DiskFull => (StatusCode::INSUFFICIENT_STORAGE, "disk_full"),
            PushRefusalKind::NotCommitted => (StatusCode::SERVICE_UNAVAILABLE, "not_committed"),
            PushRefusalKind::Clock => (StatusCode::SERVICE_UNAVAILABLE, "clock_leapt"),
            PushRefusalKind::Failed => (StatusCode::SERVICE_UNAVAILABLE, "not_kept"),
        };
        let after = match it.kind {
            PushRefusalKind::Full | PushRefusalKind::Failed => Some(RETRY_AFTER_S),
            // Somebody has to do something first.
            PushRefusalKind::NotCommitted | PushRefusalKind::DiskFull | PushRefusalKind::Clock => Some(LONG_AFTER_S),
            _ => None,
        };
        Problem::new(status, code, format!("{} / {}", it.zh, it.en)).after(after)
    }
}
