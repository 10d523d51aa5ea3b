//! The only place where an error becomes a status code.

use std::any::Any;

use axum::Json;
use axum::extract::FromRequestParts;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schema::Blame;
use serde_json::json;

/// Why the server could not run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is taken or not ours.
    #[error("could not listen on {listen}")]
    Listen {
        /// The address.
        listen: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A portrait could not be given; the sentence is what a client would read.
    #[error("{title}")]
    Portrait {
        /// Why.
        title: String,
        /// Whose move it is.
        blame: Blame,
    },
}

impl Error {
    /// Says whose move it is.
    pub fn blame(&self) -> Blame {
        match self {
            Error::Listen { .. } => Blame::World,
            Error::Portrait { blame, .. } => *blame,
        }
    }
}

/// What a client may read (RFC 9457), in Chinese and English; the cause goes to the log only.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    code: &'static str,
    title: String,
    retry_after_s: Option<u64>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, title: impl Into<String>) -> Self {
        Self { status, code, title: title.into(), retry_after_s: None }
    }

    /// Says when to try again.
    pub(crate) fn after(self, seconds: Option<u64>) -> Self {
        Self { retry_after_s: seconds, ..self }
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "no_session", "请先登录 / please log in")
    }

    pub(crate) fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "当前身份无权查看 / the active role may not see this")
    }

    pub(crate) fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            "没有这一项，或不在您的范围内 / there is nothing by that name in your scope",
        )
    }

    pub(crate) fn not_ready() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "not_ready",
            "数据尚未计算完成，请稍后再试 / the tables are not built yet, try again later",
        )
    }

    pub(crate) fn bad_request(title: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", title)
    }

    /// What was filled in cannot be taken; both sentences say why.
    pub(crate) fn unprocessable(zh: &str, en: &str) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "unprocessable", format!("{zh} / {en}"))
    }

    fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "系统内部错误，已记录 / internal error, it was logged")
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        let blame = match problem.status {
            it if it.is_client_error() => Blame::Caller,
            StatusCode::SERVICE_UNAVAILABLE => Blame::World,
            _ => Blame::Us,
        };
        Error::Portrait { title: problem.title, blame }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({
            "type": format!("urn:yizhan:problem:{}", self.code), "title": self.title, "status": self.status.as_u16(),
            "detail": self.title, "code": self.code,
        });
        let mut response = (self.status, Json(body)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<policy::Error> for Problem {
    fn from(error: policy::Error) -> Self {
        tracing::warn!(?error, "a read was refused or failed");
        match error {
            // A table without a rule does not exist for the role.
            policy::Error::NoSuchTable { .. } | policy::Error::NoSuchRole { .. } | policy::Error::PurposeRefused { .. } => {
                Problem::forbidden()
            }
            other => match other.blame() {
                Blame::Caller => Problem::bad_request("查询无法执行 / the query cannot run"),
                Blame::World => Problem::not_ready(),
                Blame::Us => Problem::internal(),
            },
        }
    }
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        let unprocessable =
            |code, zh: &str, en: &str| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, format!("{zh} / {en}"));
        // Casework's no is an answer and no failure: it says what is missing, or what others did meanwhile.
        match &error {
            store::Error::NoSuchCase { .. } | store::Error::NoSuchReport { .. } => return Problem::not_found(),
            store::Error::CaseStale { changes, .. } => {
                let text = store::change_text(changes);
                return Problem::new(StatusCode::CONFLICT, "stale", format!("{} / {}", text.zh, text.en));
            }
            store::Error::CaseRefused(refusal) => {
                let text = refusal.text();
                return unprocessable("refused", &text.zh, &text.en);
            }
            store::Error::Inconsistent(wrong) => {
                return unprocessable("inconsistent", "填写的内容不完整或前后不一致", &wrong.to_string());
            }
            store::Error::NoteLength => {
                return unprocessable("too_long", "文字过长，请精简", "the text is too long, shorten it");
            }
            _ => tracing::error!(?error, "the store failed"),
        }
        match error.blame() {
            Blame::Caller => Problem::bad_request("请求与库中记录不符 / the request does not fit what is stored"),
            Blame::World => Problem::not_ready(),
            Blame::Us => Problem::internal(),
        }
    }
}

impl From<lake::Error> for Problem {
    fn from(error: lake::Error) -> Self {
        tracing::error!(?error, "the lake failed");
        Problem::not_ready()
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Problem::bad_request(format!("参数有误 / a parameter is wrong: {}", rejection.body_text()))
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        Problem::bad_request(format!("内容有误 / the body is wrong: {}", rejection.body_text()))
    }
}

/// [`axum::extract::Query`], refusing as a problem document.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Problem))]
pub(crate) struct Query<T>(pub(crate) T);

pub(crate) async fn no_such_path() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no_such_path", "没有这个接口 / there is no such path")
}

pub(crate) fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    tracing::error!("a request panicked");
    Problem::internal().into_response()
}
