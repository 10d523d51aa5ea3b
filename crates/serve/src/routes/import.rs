//! `/api/v1/import`: the wizard that writes contracts: guess, preview, correct, save. For the administrator only.

use std::future::poll_fn;
use std::pin::Pin;

use axum::Json;
use axum::body::{Body, HttpBody};
use axum::extract::Path;
use axum::extract::rejection::JsonRejection;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::Value;
use store::AuditEvent;

use crate::access::Reader;
use crate::error::{Problem, Query};
use crate::imports::{Refusal, RefusalKind, Save, Upload, Workbook};

const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
/// So many times its greatest size is read of an upload that is refused.
const DRAINED_MAX: usize = 4;
/// Uploads that are held in memory at once.
static RECEIVING: tokio::sync::Semaphore = tokio::sync::Semaphore::const_new(2);

pub(crate) async fn state(reader: Reader) -> Result<Json<Value>, Problem> {
    reader.require_page("import")?;
    Ok(Json(reader.state.parts.imports.state().await?))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileName {
    filename: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Corrects {
    upload_id: String,
    filename: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ask {
    upload_id: String,
    choices: Value,
}

pub(crate) async fn guess(reader: Reader, Query(it): Query<FileName>, body: Body) -> Result<Json<Value>, Problem> {
    let (upload, digest) = receive(&reader, it.filename, body).await?;
    note(&reader, "import_guess", digest, None).await?;
    Ok(Json(reader.state.parts.imports.guess(&reader.account.account, upload).await?))
}

pub(crate) async fn preview(reader: Reader, body: Result<Json<Ask>, JsonRejection>) -> Result<Json<Value>, Problem> {
    reader.require_page("import")?;
    let Json(Ask { upload_id, choices }) = body?;
    note(&reader, "import_preview", upload_id.clone(), None).await?;
    Ok(Json(reader.state.parts.imports.preview(&reader.account.account, &upload_id, choices).await?))
}

pub(crate) async fn rejects(reader: Reader, body: Result<Json<Ask>, JsonRejection>) -> Result<Response, Problem> {
    reader.require_page("import")?;
    let Json(Ask { upload_id, choices }) = body?;
    let workbook = reader.state.parts.imports.rejects(&reader.account.account, &upload_id, choices).await?;
    let resource = format!("{upload_id}: {}", blake3::hash(&workbook.bytes));
    note(&reader, "import_rejects", resource, i64::try_from(workbook.rows_n).ok()).await?;
    Ok(download(workbook))
}

pub(crate) async fn correct(reader: Reader, Query(it): Query<Corrects>, body: Body) -> Result<Json<Value>, Problem> {
    let (upload, digest) = receive(&reader, it.filename, body).await?;
    note(&reader, "import_correct", format!("{}: {digest}", it.upload_id), None).await?;
    Ok(Json(reader.state.parts.imports.correct(&reader.account.account, &it.upload_id, upload).await?))
}

pub(crate) async fn save(reader: Reader, body: Result<Json<Save>, JsonRejection>) -> Result<Json<Value>, Problem> {
    reader.require_page("import")?;
    let Json(save) = body?;
    let name = save.choices.get("name").and_then(Value::as_str).unwrap_or_default();
    let replace = if save.replace { " replace" } else { "" };
    let take = if save.take { " take" } else { "" };
    note(&reader, "import_save", format!("pipelines/{name}.toml{replace}{take}"), None).await?;
    Ok(Json(reader.state.parts.imports.save(&reader.account.account, save).await?))
}

pub(crate) async fn template(reader: Reader, Path(pipeline): Path<String>) -> Result<Response, Problem> {
    reader.require_page("import")?;
    let workbook = reader.state.parts.imports.template(&pipeline).await?;
    note(&reader, "import_template", pipeline, None).await?;
    Ok(download(workbook))
}

/// Takes a file into memory; who may not send one is told so before a byte of it is read.
async fn receive(reader: &Reader, file_name: String, body: Body) -> Result<(Upload, String), Problem> {
    reader.require_page("import")?;
    if file_name.trim().is_empty() {
        return Err(Problem::bad_request("请给出文件名 / name the file: ?filename=table.csv"));
    }
    let busy = || {
        Problem::from(Refusal::new(
            RefusalKind::Busy,
            "正在接收其他文件，请稍后再试",
            "other files are being received, try again",
        ))
    };
    let _one = RECEIVING.try_acquire().map_err(|_| busy())?;
    let bytes_max = reader.state.config.import_bytes_max;
    let bytes = read(body, bytes_max).await.ok_or_else(|| {
        let mib = bytes_max >> 20;
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            format!("文件不完整，或超过 {mib} MiB，请压缩或拆分 / the file is cut or larger than {mib} MiB: pack or split it"),
        )
    })?;
    let digest = format!("{} bytes blake3 {}", bytes.len(), blake3::hash(&bytes));
    Ok((Upload { file_name, bytes }, digest))
}

/// The bytes of a body; `None` of one that is cut or too large.
///
/// A browser that is still sending hears no answer: what is somewhat too large is read to its end and forgotten.
pub(super) async fn read(mut body: Body, bytes_max: usize) -> Option<Vec<u8>> {
    let (mut bytes, mut n) = (Vec::new(), 0_usize);
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let Ok(data) = frame.ok()?.into_data() else { continue };
        n += data.len();
        if n <= bytes_max {
            bytes.extend_from_slice(&data);
        } else {
            bytes = Vec::new();
        }
        if bytes_max.saturating_mul(DRAINED_MAX) < n {
            return None;
        }
    }
    (n <= bytes_max).then_some(bytes)
}

/// Writes into the audit log; without it nothing is done.
async fn note(reader: &Reader, action: &str, resource: String, row_count: Option<i64>) -> Result<(), Problem> {
    let event = AuditEvent {
        action: action.to_owned(),
        actor: reader.account.account.clone(),
        at_us: chrono::Utc::now().timestamp_micros(),
        outcome: "asked".to_owned(),
        resource,
        role: reader.grant.role.clone(),
        row_count,
        ..AuditEvent::default()
    };
    reader.state.parts.store.audit().append(event).await?;
    Ok(())
}

fn download(workbook: Workbook) -> Response {
    let named = format!("attachment; filename=\"{}\"", workbook.file_name);
    let mut response = workbook.bytes.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(XLSX));
    if let Ok(named) = HeaderValue::from_str(&named) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, named);
    }
    response
}

impl From<Refusal> for Problem {
    fn from(it: Refusal) -> Self {
        let (status, code) = match it.kind {
            RefusalKind::Gone => (StatusCode::NOT_FOUND, "not_found"),
            RefusalKind::File => (StatusCode::UNPROCESSABLE_ENTITY, "file_refused"),
            RefusalKind::Choices => (StatusCode::UNPROCESSABLE_ENTITY, "choices_refused"),
            RefusalKind::Exists => (StatusCode::CONFLICT, "exists"),
            RefusalKind::Approval => (StatusCode::CONFLICT, "no_approval"),
            RefusalKind::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
            RefusalKind::Failed => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        };
        Problem::new(status, code, format!("{} / {}", it.zh, it.en))
    }
}
